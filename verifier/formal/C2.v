(** C2: for the cross-entropy no strict local minimum anywhere. C2+: none that is suboptimal, for any convex loss. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals ring.
From Landscape Require Import paths convex lse loss.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Softmax.
Variables (R : realType) (N M m : nat) (y : samples N m) (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)).

(** [V -> V + v 1^T]. *)
Definition shift (v : 'cV[R]_M) : 'M[R]_(M, m) := v *m const_mx 1.

Lemma Phi_shift V v : Phi y Psi K (V + shift v) = Phi y Psi K V.
Proof.
rewrite /Phi /loss; congr (_ * _); apply: eq_bigr => i _; congr (_ * lse _); apply/funext => k.
rewrite mulmxDr /shift mulmxA !mxE !big_ord1 !mxE.
by move: (\sum_j _) (\sum_j _) (\sum_j _) (K _ _) (K _ _) => A B C D E; ring.
Qed.

(** One row of [V] may move as a whole: all rows, or where arcs are missing one whose column of Psi leads to all outputs. *)
Theorem C2 (allowed : 'M[R]_(M, m) -> Prop) (V : 'M[R]_(M, m)) (j : 'I_M)
  (row_free : forall t, allowed (V + shift (t *: delta_mx j 0))) : ~ strict_local_minimum allowed (Phi y Psi K) V.
Proof.
case=> eps eps_gt0 strict; have [t /andP[t_gt0 _] close] := near_straight V (V + shift (delta_mx j 0)) eps_gt0.
have moved : straight V (V + shift (delta_mx j 0)) t = V + shift (t *: delta_mx j 0).
  apply/matrixP => a k; rewrite straightE /shift !mxE !big_ord1 !mxE.
  by move: (V a k) (a == j) => x z; ring.
move: (strict _ (row_free t)); rewrite Phi_shift ltxx -moved => impossible.
apply/notF/impossible => //; rewrite moved; apply/eqP => same.
have /eqP := congr1 (fun A : 'M[R]_(M, m) => A j (Ordinal (classes_gt0 y))) same.
rewrite /shift !mxE big_ord1 !mxE !eqxx !mulr1 -subr_eq0 addrAC subrr add0r => /eqP t_eq0.
by rewrite t_eq0 ltxx in t_gt0.
Qed.
End Softmax.

Section Suboptimal.
Variables (R : realType) (N M m : nat) (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) (phi : 'M[R]_(N, m) -> R).

(** The obligation, an output bias being a column of Psi. *)
Hypothesis enough_units : (N <= M)%N.
Hypothesis m_gt0 : (0 < m)%N.
Hypothesis phi_convex : convex phi.

Definition Phi_convex (V : 'M[R]_(M, m)) : R := phi (Psi *m V + K).

(** Some logits have a smaller loss. *)
Definition suboptimal V := exists T, phi T < Phi_convex V.

(** Psi has a kernel, or it is invertible. *)
Lemma kernel_or_inverse :
  (exists2 w : 'cV[R]_M, Psi *m w = 0 & w != 0) \/ (exists X : 'M[R]_(M, N), Psi *m X = 1%:M).
Proof.
case: (ltnP (\rank Psi) M) => [small|large]; [left|right].
  have : kermx Psi^T != 0 by rewrite -mxrank_eq0 mxrank_ker mxrank_tr subn_eq0 -ltnNge.
  case/rowV0Pn => u /sub_kermxP zero u_neq0; exists u^T; last by rewrite trmx_eq0.
  by apply: trmx_inj; rewrite trmx_mul trmxK zero trmx0.
exists (pinvmx Psi); apply: mulmxVp; rewrite /row_free eqn_leq rank_leq_row /=.
exact: leq_trans enough_units large.
Qed.

(** Along a column of [V] in the kernel all logits stay. *)
Definition along (w : 'cV[R]_M) (k : 'I_m) : 'M[R]_(M, m) := w *m delta_mx 0 k.

Lemma along_kernel V w k : Psi *m w = 0 -> Phi_convex (V + along w k) = Phi_convex V.
Proof. by move=> kernel; rewrite /Phi_convex mulmxDr mulmxA kernel mul0mx addr0. Qed.

Lemma not_strict (allowed : 'M[R]_(M, m) -> Prop) V (w : 'cV[R]_M) k : Psi *m w = 0 -> w != 0 ->
  (forall t, allowed (V + along (t *: w) k)) -> ~ strict_local_minimum allowed Phi_convex V.
Proof.
move=> kernel w_neq0 free [eps eps_gt0 strict].
have [t /andP[t_gt0 _] close] := near_straight V (V + along w k) eps_gt0.
have moved : straight V (V + along w k) t = V + along (t *: w) k.
  apply/matrixP => i j; rewrite straightE /along !mxE !big_ord1 !mxE.
  by move: (V i j) (w i 0) => a b; ring.
move: (strict _ (free t)); rewrite along_kernel ?ltxx -?scalemxAr ?kernel ?scaler0 // => impossible.
apply/notF/impossible; last by rewrite -moved.
apply/eqP => /(canRL (addKr _)); rewrite addNr => /matrixP zero.
move/eqP: w_neq0; apply; apply/matrixP => i j; have := zero i k.
rewrite /along !mxE big_ord1 !mxE !eqxx mulr1 (ord1 j) => /eqP.
by rewrite mulf_eq0 (gt_eqF t_gt0) => /eqP.
Qed.

Theorem C2_plus V : suboptimal V -> ~ strict_local_minimum (fun=> True) Phi_convex V.
Proof.
case=> T better; case: kernel_or_inverse => [[w kernel w_neq0]|[X inverse]].
  exact: not_strict (Ordinal m_gt0) kernel w_neq0 (fun=> I).
case=> eps eps_gt0 strict; pose Z := X *m (T - K).
have [t t01 close] := near_straight V Z eps_gt0.
have PsiZ : Psi *m Z = T - K by rewrite mulmxA inverse mul1mx.
have logits s : Psi *m straight V Z s + K = straight (Psi *m V + K) T s.
  rewrite /straight mulmxDr -!scalemxAr PsiZ; apply/matrixP => i k; rewrite !mxE.
  by move: (\sum_j _) (K i k) (T i k) => a b c; ring.
have lower : Phi_convex (straight V Z t) < Phi_convex V by rewrite /Phi_convex logits; apply: convex_descends.
have := strict (straight V Z t) I; case: eqVneq => [same|_].
  by rewrite same ltxx in lower.
by move/(_ isT close)/(lt_trans lower); rewrite ltxx.
Qed.

(** The same with column [l] of [V] held at 0, for a loss that does not change when all logits of a sample change alike. *)
Theorem C2_plus_reduced (V : 'M[R]_(M, m)) (l : 'I_m)
  (m_gt1 : (1 < m)%N) (invariant : forall G (c : 'cV[R]_N), phi (G + c *m const_mx 1) = phi G) :
  (forall j, V j l = 0) -> suboptimal V ->
  ~ strict_local_minimum (fun V' : 'M[R]_(M, m) => forall j, V' j l = 0) Phi_convex V.
Proof.
move=> V_l [T better]; case: kernel_or_inverse => [[w kernel w_neq0]|[X inverse]].
  have [k other] : exists k, k != l.
    case: (eqVneq (Ordinal m_gt0) l) => [same|]; last by exists (Ordinal m_gt0).
    by exists (Ordinal m_gt1); rewrite -same.
  apply: (not_strict (k := k) kernel w_neq0) => t j.
  by rewrite /along !mxE V_l big_ord1 !mxE eqxx [l == k]eq_sym (negPf other) mulr0 addr0.
case=> eps eps_gt0 strict; pose c : 'cV[R]_N := - (T - K) *m delta_mx l 0.
pose T' := T + c *m const_mx 1; pose Z := X *m (T' - K).
have [t t01 close] := near_straight V Z eps_gt0.
have PsiZ : Psi *m Z = T' - K by rewrite mulmxA inverse mul1mx.
have logits s : Psi *m straight V Z s + K = straight (Psi *m V + K) T' s.
  rewrite /straight mulmxDr -!scalemxAr PsiZ; apply/matrixP => i k; rewrite [LHS]mxE [LHS]addrC !mxE.
  by move: (\sum_j _) (K i k) (T i k) (\sum_j _) => a b d e; ring.
have lower : Phi_convex (straight V Z t) < Phi_convex V.
  by rewrite /Phi_convex logits; apply: convex_descends => //; rewrite invariant.
have Z_l j : Z j l = 0.
  rewrite /Z mxE big1 // => i _; rewrite (_ : (T' - K) i l = 0) ?mulr0 //.
  rewrite /T' /c mulNmx !mxE big_ord1 !mxE (bigD1 l) //= big1 ?addr0 => [|k /negPf other]; last first.
    by rewrite !mxE other mulr0.
  rewrite !mxE !eqxx !mulr1.
  by move: (T i l) (K i l) => a b; ring.
have free j : straight V Z t j l = 0 by rewrite straightE V_l Z_l subrr mulr0 addr0.
have := strict (straight V Z t) free; case: eqVneq => [same|_].
  by rewrite same ltxx in lower.
by move/(_ isT close)/(lt_trans lower); rewrite ltxx.
Qed.
End Suboptimal.
