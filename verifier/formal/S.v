(** S: from every point a path of constant loss to full row rank, whatever the activations are. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype ring zify.
From Landscape Require Import norms paths convex Sprime.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Sink.
Variables (R : realType) (N L rest q m : nat).

(** The [N] samples as the wide layer reads them, with a last coordinate for the bias; [L] units of one activation, each
    with weights and a bias of its own (a row of [W]), and nothing else reads them; the other columns of Psi, an output
    bias among them, do not move. *)
Variables (source : 'I_N -> 'rV[R]_q) (sigma : R -> R) (others : 'M[R]_(N, rest)) (K : 'M[R]_(N, m)).

Definition pre (W : 'M[R]_(L, q + 1)) i j : R := dot (row j W) (row_mx (source i) 1).
Definition units (W : 'M[R]_(L, q + 1)) : 'M[R]_(N, L) := \matrix_(i, j) sigma (pre W i j).
Definition Psi W : 'M[R]_(N, L + rest) := row_mx (units W) others.
Definition logits W (V : 'M[R]_(L + rest, m)) := Psi W *m V + K.

(** A unit whose column depends on the other columns. *)
Lemma free_unit W : (\rank (Psi W) < L + \rank others)%N ->
  exists j : 'I_L, exists2 y : 'cV[R]_(L + rest), Psi W *m y = 0 & y (lshift rest j) 0 = 1.
Proof.
move=> deficient; apply: contrapT => none.
have zero_units (y : 'rV[R]_(L + rest)) : y *m (Psi W)^T = 0 -> lsubmx y = 0.
  move=> kernel; apply/rowP => j; rewrite !mxE; apply: contrapT => /eqP neq; apply: none; exists j.
  exists ((y 0 (lshift rest j))^-1 *: y^T); last by rewrite !mxE mulVf.
  by rewrite -scalemxAr; apply: trmx_inj; rewrite trmx0 linearZ /= trmx_mul trmxK kernel scaler0.
pose Z : 'M[R]_(rest, L + rest) := row_mx 0 (kermx others^T).
have sub : (kermx (Psi W)^T <= Z)%MS.
  apply/row_subP => i; set y := row i _.
  have kernel : y *m (Psi W)^T = 0 by rewrite /y -row_mul mulmx_ker row0.
  have left0 := zero_units y kernel.
  have right_kernel : rsubmx y *m others^T = 0.
    have := kernel; rewrite -{1}[y]hsubmxK left0 /Psi tr_row_mx mul_row_col mul0mx add0r.
    by [].
  have /submxP[D yD] : (rsubmx y <= kermx others^T)%MS by apply/sub_kermxP.
  by apply/submxP; exists D; rewrite /Z mul_mx_row mulmx0 -yD -left0 hsubmxK.
have := mxrankS sub; rewrite mxrank_ker mxrank_tr.
have le_rest : (\rank Z <= rest - \rank others)%N.
  have -> : Z = kermx others^T *m row_mx 0 1%:M by rewrite mul_mx_row mulmx0 mulmx1.
  by apply: leq_trans (mxrankM_maxl _ _) _; rewrite mxrank_ker mxrank_tr.
move/leq_trans/(_ le_rest); have := rank_leq_row others; have := rank_leq_col others.
have := rank_leq_col (Psi W); move: deficient.
set r := \rank (Psi W); set o := \rank others; move=> *; lia.
Qed.
Variable V0 : 'M[R]_(L + rest, m).
Variable W0 : 'M[R]_(L, q + 1).

(** The logits are those of the start. *)
Let same W V := logits W V = logits W0 V0.

(** Give unit [j] other weights. *)
Definition moved (W : 'M[R]_(L, q + 1)) (j : 'I_L) (x : 'rV[R]_(q + 1)) : 'M[R]_(L, q + 1) :=
  \matrix_(i, k) (if i == j then x 0 k else W i k).

Lemma moved_row W j x : row j (moved W j x) = x.
Proof. by apply/rowP => k; rewrite !mxE eqxx. Qed.

Lemma moved_other W j x i : i != j -> row i (moved W j x) = row i W.
Proof. by move=> /negPf neq; apply/rowP => k; rewrite !mxE neq. Qed.

Lemma moved_straight W j x t : straight W (moved W j x) t = moved W j (straight (row j W) x t).
Proof.
apply/matrixP => i k; rewrite straightE !mxE; case: eqVneq => [->|_]; last by rewrite subrr mulr0 addr0.
by move: (W j k) (x 0 k) => a b; ring.
Qed.

Lemma Psi_moved W j x k i : k != lshift rest j -> Psi (moved W j x) i k = Psi W i k.
Proof.
rewrite -{1 2 3}[k]splitK; case: (split k) => [k'|k'] /= neq; last by rewrite /Psi !row_mxEr.
by rewrite /Psi !row_mxEl !mxE /pre moved_other //.
Qed.

(** A unit whose row of [V] is 0 moves freely. *)
Lemma free_move W (V : 'M[R]_(L + rest, m)) j x : (forall k, V (lshift rest j) k = 0) -> logits (moved W j x) V = logits W V.
Proof.
move=> zero; rewrite /logits; congr (_ + _); apply/matrixP => i k; rewrite !mxE; apply: eq_bigr => l _.
have [->|neq] := eqVneq l (lshift rest j); first by rewrite zero !mulr0.
by rewrite Psi_moved.
Qed.

(** A unit whose column depends on the others hands its part of the logits over, and goes anywhere. *)
Definition dependent W j := exists2 y : 'cV[R]_(L + rest), Psi W *m y = 0 & y (lshift rest j) 0 = 1.

Lemma free_path W V j x : same W V -> dependent W j ->
  exists V', joined same W (moved W j x) V V' /\ same (moved W j x) V'.
Proof.
move=> here [y kernel y_j]; pose V' := V - y *m row (lshift rest j) V.
have V'_j k : V' (lshift rest j) k = 0 by rewrite !mxE big_ord1 y_j !mxE mul1r subrr.
have PsiV' : Psi W *m V' = Psi W *m V by rewrite /V' mulmxBr mulmxA kernel mul0mx subr0.
have here' : same W V' by rewrite /same /logits PsiV'.
have here'' : same (moved W j x) V' by rewrite /same free_move.
exists V'; split=> //.
apply: (@joined_trans _ _ _ _ _ same W W (moved W j x) V V' V'); apply: joined_straight.
  move=> t _; rewrite straight_same /same -here /logits /straight mulmxDr -!scalemxAr PsiV'.
  by rewrite -scalerDl subrK scale1r.
by move=> t _; rewrite straight_same moved_straight /same free_move.
Qed.

(** Enough units; an output bias makes [\rank others] at least 1. *)
Hypothesis wide : (N <= L + \rank others)%N.

(** The samples differ in what the wide layer reads. *)
Hypothesis apart : injective source.

(** Lemma S'. *)
Hypothesis spans : forall z c : 'I_N -> R, injective z -> (forall s b, \sum_i c i * sigma (s * z i + b) = 0) -> forall i, c i = 0.

Lemma spans_all (c : 'rV[R]_N) : (forall (w : 'rV[R]_q) b, \sum_i c 0 i * sigma (dot w (source i) + b) = 0) -> c = 0.
Proof.
move=> zero; have [a a_inj] := direction apart; apply/rowP => i; rewrite mxE.
by apply: (spans (c := c 0) a_inj) => s b; rewrite -[RHS](zero (s *: a) b); apply: eq_bigr => k _; rewrite dotZl.
Qed.

(** One step: the rank grows, the logits stay. *)
Lemma step W V : same W V -> (\rank (Psi W) < N)%N ->
  exists W' V', [/\ joined same W W' V V', same W' V' & (\rank (Psi W) < \rank (Psi W'))%N].
Proof.
move=> here deficient; have [j [y kernel y_j]] := free_unit (leq_trans deficient wide).
have [c c_neq0 c_kernel] : exists2 c : 'rV[R]_N, c != 0 & c *m Psi W = 0.
  have : kermx (Psi W) != 0 by rewrite -mxrank_eq0 mxrank_ker subn_eq0 -ltnNge.
  by case/rowV0Pn => c /sub_kermxP; exists c.
have [w [b neq0]] : exists w b, \sum_i c 0 i * sigma (dot w (source i) + b) != 0.
  apply: contrapT => none; move/eqP: c_neq0; apply; apply: spans_all => w b; apply: contrapT => /eqP neq.
  by apply: none; exists w, b.
pose x : 'rV[R]_(q + 1) := row_mx w b%:M; pose W' := moved W j x.
have [V' [path here']] := free_path x here (ex_intro2 _ _ y kernel y_j).
exists W', V'; split=> //.
(* what is orthogonal to the columns of W' is orthogonal to those of W: column j is a combination of the others *)
have new_column i : Psi W' i (lshift rest j) = sigma (dot w (source i) + b).
  rewrite /Psi row_mxEl !mxE /pre /W' moved_row /x; congr sigma.
  by rewrite /dot big_split_ord /= big_ord1 !row_mxEr !mxE mulr1; congr (_ + _); apply: eq_bigr => k _; rewrite !row_mxEl.
have sub : (kermx (Psi W') <= kermx (Psi W))%MS.
  apply/row_subP => i; apply/sub_kermxP; set d := row i _.
  have d_kernel : d *m Psi W' = 0 by rewrite /d -row_mul mulmx_ker row0.
  have other k : k != lshift rest j -> (d *m Psi W) 0 k = 0.
    move=> neq; have := congr1 (fun v : 'rV[R]_(L + rest) => v 0 k) d_kernel; rewrite [X in _ = X -> _]mxE => eq0.
    rewrite -[RHS]eq0 !mxE; apply: eq_bigr => l _.
    by rewrite Psi_moved.
  apply/rowP => k; rewrite [RHS]mxE; have [->|/other //] := eqVneq k (lshift rest j).
  have : (d *m Psi W *m y) 0 0 = 0 by rewrite -mulmxA kernel mulmx0 mxE.
  by rewrite mxE (bigD1 (lshift rest j)) //= big1 ?addr0 ?y_j ?mulr1 // => l /other ->; rewrite mul0r.
have strict : (kermx (Psi W') < kermx (Psi W))%MS.
  rewrite ltmxE sub /=; apply/negP => sub'.
  have /sub_kermxP/rowP/(_ (lshift rest j)) : (c <= kermx (Psi W'))%MS.
    by apply: submx_trans sub'; apply/sub_kermxP.
  rewrite !mxE => /eqP; rewrite (eq_bigr (fun i => c 0 i * sigma (dot w (source i) + b))) ?(negPf neq0) // => i _.
  by rewrite new_column.
by have := rank_ltmx strict; rewrite !mxrank_ker; have := rank_leq_row (Psi W'); have := rank_leq_row (Psi W); lia.
Qed.

(** The theorem: constant logits, hence constant loss whatever the loss is, until Psi has full row rank. *)
Theorem S : exists W' V', [/\ joined same W0 W' V0 V', same W' V' & \rank (Psi W') = N].
Proof.
suff gen d : forall W V, same W V -> (N - \rank (Psi W) <= d)%N ->
    exists W' V', [/\ joined same W W' V V', same W' V' & \rank (Psi W') = N].
  exact: (gen (N - \rank (Psi W0))%N).
elim: d => [|d IH] W V here; rewrite ?leqn0 => gap.
  exists W, V; split=> //; first exact: joined_same.
  by apply/eqP; rewrite eqn_leq rank_leq_row /= -subn_eq0.
have [le_N|lt_N] := leqP N (\rank (Psi W)).
  by apply: (IH W V here); move: le_N; rewrite -subn_eq0 => /eqP ->.
have [W1 [V1 [path1 here1 grows]]] := step here lt_N.
have [|W2 [V2 [path2 here2 full]]] := IH W1 V1 here1; first by lia.
by exists W2, V2; split=> //; apply: joined_trans path1 path2.
Qed.
End Sink.
