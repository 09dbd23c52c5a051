(** Euclidean and operator norms of row vectors and matrices, and the smallest singular value. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals ring.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** An inequality from another one with the same difference of both sides. *)
Lemma le_from (R : realType) (a b c d : R) : a <= b -> b - a = d - c -> c <= d.
Proof. by move=> le_ab same; rewrite -subr_ge0 -same subr_ge0. Qed.

Section Vectors.
Variables (R : realType) (n : nat).
Implicit Types u v : 'rV[R]_n.

Definition dot u v : R := \sum_j u 0 j * v 0 j.
Definition norm2 u : R := Num.sqrt (dot u u).

Lemma dotC u v : dot u v = dot v u.
Proof. by apply: eq_bigr => j _; rewrite mulrC. Qed.

Lemma dotDl u v w : dot (u + v) w = dot u w + dot v w.
Proof. by rewrite -big_split; apply: eq_bigr => j _; rewrite mxE mulrDl. Qed.

Lemma dotZl (a : R) u v : dot (a *: u) v = a * dot u v.
Proof. by rewrite mulr_sumr; apply: eq_bigr => j _; rewrite mxE mulrA. Qed.

Lemma dotDr u v w : dot u (v + w) = dot u v + dot u w.
Proof. by rewrite dotC dotDl !(dotC _ u). Qed.

Lemma dotZr (a : R) u v : dot u (a *: v) = a * dot u v.
Proof. by rewrite dotC dotZl dotC. Qed.

Lemma dot_ge0 u : 0 <= dot u u.
Proof. by apply: sumr_ge0 => j _; rewrite -expr2 sqr_ge0. Qed.

Lemma dot_eq0 u : dot u u = 0 -> u = 0.
Proof.
move=> zero; apply/rowP => j; rewrite mxE.
have /psumr_eq0P/(_ zero j isT)/eqP : forall j : 'I_n, true -> 0 <= u 0 j * u 0 j.
  by move=> l _; rewrite -expr2 sqr_ge0.
by rewrite mulf_eq0 orbb => /eqP.
Qed.

Lemma norm2_ge0 u : 0 <= norm2 u. Proof. exact: sqrtr_ge0. Qed.

Lemma norm2_sqr u : norm2 u ^+ 2 = dot u u. Proof. by rewrite sqr_sqrtr ?dot_ge0. Qed.

Lemma norm2_eq0 u : norm2 u = 0 -> u = 0.
Proof. by move=> zero; apply: dot_eq0; rewrite -norm2_sqr zero expr0n. Qed.

Lemma norm2_gt0 u : u != 0 -> 0 < norm2 u.
Proof. by move=> u_neq0; rewrite lt_def norm2_ge0 andbT; apply: contra_neq u_neq0 => /norm2_eq0. Qed.

Lemma norm2_0 : norm2 0 = 0.
Proof. by rewrite /norm2 /dot big1 ?sqrtr0 // => j _; rewrite mxE mul0r. Qed.

Lemma norm2Z (a : R) u : norm2 (a *: u) = `|a| * norm2 u.
Proof. by rewrite /norm2 dotZl dotZr mulrA -expr2 sqrtrM ?sqr_ge0 // sqrtr_sqr. Qed.

Lemma norm2N u : norm2 (- u) = norm2 u.
Proof. by rewrite -scaleN1r norm2Z normrN1 mul1r. Qed.

Lemma cauchy_schwarz u v : dot u v <= norm2 u * norm2 v.
Proof.
have [->|u_neq0] := eqVneq u 0.
  by rewrite norm2_0 mul0r /dot big1 // => j _; rewrite mxE mul0r.
have u_gt0 := norm2_gt0 u_neq0; have sq_gt0 : 0 < dot u u by rewrite -norm2_sqr exprn_gt0.
apply: le_trans (ler_norm _) _; rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?mulr_ge0 ?norm2_ge0 //.
rewrite exprMn !norm2_sqr real_normK ?num_real // -subr_ge0.
have := mulr_ge0 (ltW sq_gt0) (dot_ge0 (v + (- (dot u v / dot u u)) *: u)).
rewrite dotDl !dotDr !dotZl !dotZr (dotC v u); set a := dot u u; set b := dot u v; set c := dot v v.
rewrite (_ : a * _ = a * c - b ^+ 2) //; rewrite -/a in sq_gt0.
by field; rewrite gt_eqF.
Qed.

Lemma norm2_triangle u v : norm2 (u + v) <= norm2 u + norm2 v.
Proof.
rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?addr_ge0 ?norm2_ge0 //.
rewrite norm2_sqr sqrrD !norm2_sqr dotDl !dotDr (dotC v u) addrA ler_add2r -addrA ler_add2l.
by rewrite -mulr2n ler_muln2r cauchy_schwarz orbT.
Qed.

Lemma norm2_sub u v : norm2 u - norm2 v <= norm2 (u - v).
Proof. by rewrite ler_subl_addr -{1}[u](subrK v) norm2_triangle. Qed.

(** Entries that are larger in size make a larger norm. *)
Lemma norm2_le u v : (forall j, `|u 0 j| <= `|v 0 j|) -> norm2 u <= norm2 v.
Proof.
move=> le_uv; rewrite ler_wsqrtr // ler_sum // => j _; rewrite -!expr2.
by rewrite -(real_normK (num_real (u 0 j))) -(real_normK (num_real (v 0 j))) ler_expn2r ?nnegrE.
Qed.
End Vectors.

Section Matrices.
Variable R : realType.

(** [c] bounds the 2-norm of [A]. *)
Definition norm2_at_most a b (A : 'M[R]_(a, b)) (c : R) := forall u : 'rV[R]_a, norm2 (u *m A) <= c * norm2 u.

(** Every singular value of the rows of [A] is at least [s]: [s |u| <= |u A|]. *)
Definition sigma_at_least a b (A : 'M[R]_(a, b)) (s : R) := forall u : 'rV[R]_a, s * norm2 u <= norm2 (u *m A).

Definition frobenius a b (A : 'M[R]_(a, b)) : R := Num.sqrt (\sum_i \sum_j A i j ^+ 2).

Lemma norm2_at_most_add a b (A B : 'M[R]_(a, b)) c d :
  norm2_at_most A c -> norm2_at_most B d -> norm2_at_most (A + B) (c + d).
Proof.
move=> leA leB u; rewrite mulmxDr mulrDl.
exact: le_trans (norm2_triangle _ _) (ler_add (leA u) (leB u)).
Qed.

Lemma norm2_at_most_le a b (A : 'M[R]_(a, b)) c d : c <= d -> norm2_at_most A c -> norm2_at_most A d.
Proof. by move=> le_cd leA u; apply: le_trans (leA u) _; rewrite ler_wpmul2r ?norm2_ge0. Qed.

Lemma norm2_at_most_mul a b d (A : 'M[R]_(a, b)) (B : 'M[R]_(b, d)) c e : 0 <= e ->
  norm2_at_most A c -> norm2_at_most B e -> norm2_at_most (A *m B) (c * e).
Proof.
move=> e_ge0 leA leB u; rewrite mulmxA (mulrC c) -mulrA.
by apply: le_trans (leB _) _; rewrite ler_wpmul2l.
Qed.

Lemma norm2_row a b (A : 'M[R]_(a, b)) (u : 'rV[R]_a) j : (u *m A) 0 j = dot u (row j A^T).
Proof. by rewrite mxE; apply: eq_bigr => i _; rewrite !mxE. Qed.

(** The Frobenius norm bounds the 2-norm. *)
Lemma norm2_frobenius a b (A : 'M[R]_(a, b)) : norm2_at_most A (frobenius A).
Proof.
move=> u; rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?mulr_ge0 ?norm2_ge0 ?sqrtr_ge0 //.
have sum_ge0 : 0 <= \sum_i \sum_j A i j ^+ 2 by do 2!apply: sumr_ge0 => ? _; rewrite ?sqr_ge0.
rewrite exprMn !norm2_sqr sqr_sqrtr // exchange_big mulr_suml; apply: ler_sum => j _.
have := cauchy_schwarz u (row j A^T); have := cauchy_schwarz u (- row j A^T).
rewrite norm2N norm2_row (_ : dot u (- _) = - dot u (row j A^T)); last first.
  by rewrite -scaleN1r dotZr mulN1r.
move=> le1 le2; rewrite -expr2 -(real_normK (num_real (dot _ _))).
have : `|dot u (row j A^T)| <= norm2 u * norm2 (row j A^T) by rewrite ler_norml le2 ler_oppl le1.
rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?mulr_ge0 ?norm2_ge0 // exprMn !norm2_sqr => /le_trans; apply.
rewrite mulrC ler_wpmul2r ?dot_ge0 // le_eqVlt; apply/orP; left; apply/eqP.
by apply: eq_bigr => i _; rewrite !mxE expr2.
Qed.

(** Largest row sum and largest column sum, geometric mean (Schur's test). *)
Lemma norm2_schur a b (A : 'M[R]_(a, b)) (p q : R) :
  (forall i, \sum_j `|A i j| <= p) -> (forall j, \sum_i `|A i j| <= q) -> 0 <= p -> 0 <= q ->
  norm2_at_most A (Num.sqrt (p * q)).
Proof.
move=> rows columns p_ge0 q_ge0 u.
rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?mulr_ge0 ?norm2_ge0 ?sqrtr_ge0 //.
rewrite exprMn !norm2_sqr sqr_sqrtr ?mulr_ge0 //.
have each j : (u *m A) 0 j * (u *m A) 0 j <= q * \sum_i u 0 i ^+ 2 * `|A i j|.
  pose x : 'rV[R]_a := \row_i Num.sqrt `|A i j|; pose z : 'rV[R]_a := \row_i (`|u 0 i| * Num.sqrt `|A i j|).
  have le_dot : `|(u *m A) 0 j| <= dot x z.
    rewrite mxE; apply: le_trans (ler_norm_sum _ _ _) _; apply: ler_sum => i _.
    by rewrite !mxE normrM mulrCA -expr2 sqr_sqrtr.
  have := le_trans le_dot (cauchy_schwarz x z).
  rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?mulr_ge0 ?norm2_ge0 // real_normK ?num_real // exprMn !norm2_sqr.
  rewrite expr2 => /le_trans; apply; apply: ler_pmul; rewrite ?dot_ge0 //.
    by apply: le_trans (columns j); apply: ler_sum => i _; rewrite !mxE -expr2 sqr_sqrtr.
  apply: ler_sum => i _; rewrite !mxE mulrACA -!expr2 sqr_sqrtr // real_normK ?num_real //.
apply: le_trans (ler_sum _ (fun j _ => each j)) _.
rewrite -mulr_sumr exchange_big /= [p * q]mulrC -mulrA ler_wpmul2l // mulr_sumr; apply: ler_sum => i _.
by rewrite -mulr_sumr -expr2 [leLHS]mulrC ler_wpmul2r ?sqr_ge0.
Qed.

Lemma norm2_at_most_scale a b (A : 'M[R]_(a, b)) c (t : R) : 0 <= t -> norm2_at_most A c -> norm2_at_most (t *: A) (t * c).
Proof. by move=> t_ge0 leA u; rewrite -scalemxAr norm2Z ger0_norm // -mulrA ler_wpmul2l. Qed.

Lemma dot_mul a b (A : 'M[R]_(a, b)) (u : 'rV[R]_a) (v : 'rV[R]_b) : dot (u *m A) v = dot u (v *m A^T).
Proof.
rewrite /dot (eq_bigr (fun j => \sum_i u 0 i * A i j * v 0 j)) => [|j _]; last by rewrite mxE mulr_suml.
rewrite exchange_big; apply: eq_bigr => i _; rewrite mxE mulr_sumr.
by apply: eq_bigr => j _; rewrite mxE -mulrA [A i j * _]mulrC.
Qed.

(** The 2-norm of a matrix is at most that of its transpose. *)
Lemma norm2_at_most_tr a b (A : 'M[R]_(a, b)) c : 0 <= c -> norm2_at_most A^T c -> norm2_at_most A c.
Proof.
move=> c_ge0 leA u; have [->|/norm2_gt0 pos] := eqVneq (u *m A) 0.
  by rewrite norm2_0 mulr_ge0 ?norm2_ge0.
rewrite -(ler_pmul2r pos) -expr2 norm2_sqr dot_mul; apply: le_trans (cauchy_schwarz _ _) _.
by rewrite [c * _]mulrC -mulrA ler_wpmul2l ?norm2_ge0.
Qed.

(** [|A|^2 <= |A^T A|], and so [|S|^2 <= |S S|] for a symmetric [S]. *)
Lemma norm2_at_most_gram a b (A : 'M[R]_(a, b)) c : 0 <= c -> norm2_at_most (A^T *m A) (c ^+ 2) -> norm2_at_most A c.
Proof.
move=> c_ge0 le_gram; apply: norm2_at_most_tr => // v.
rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?mulr_ge0 ?norm2_ge0 // norm2_sqr dot_mul trmxK -mulmxA.
apply: le_trans (cauchy_schwarz _ _) _; rewrite exprMn [norm2 v ^+ 2]expr2 mulrCA.
by rewrite ler_wpmul2l ?norm2_ge0.
Qed.

(** A positive lower bound of the singular values means full row rank. *)
Lemma sigma_rank a b (A : 'M[R]_(a, b)) s : 0 < s -> sigma_at_least A s -> \rank A = a.
Proof.
move=> s_gt0 le_sigma; apply/eqP; rewrite -/(row_free A) -kermx_eq0.
apply/eqP/row_matrixP => i; rewrite row0; apply: norm2_eq0; apply/eqP.
rewrite eq_le norm2_ge0 andbT -(ler_pmul2l s_gt0) mulr0; apply: le_trans (le_sigma _) _.
by rewrite -row_mul mulmx_ker row0 norm2_0.
Qed.
End Matrices.
