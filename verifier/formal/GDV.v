(** GDV: after a certified number of steps gradient descent on the output weights classifies all samples. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import norms lse loss calculus gradient L2_1.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Descent.
Variables (R : realType) (N M m : nat) (y : samples N m) (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)).
Variables (V0 Z : 'M[R]_(M, m)) (L : R) (trained : 'I_M -> 'I_m -> bool).
Implicit Types V D : 'M[R]_(M, m).

(** Obligation 1: [L >= lambda_max(Psi^T diag(c) Psi) / (2n)]. *)
Hypothesis L_gt0 : 0 < L.
Hypothesis smoothness : forall d : 'cV[R]_M,
  (\sum_i (mult y i)%:R * (Psi *m d) i 0 ^+ 2) / (2 * (total y)%:R) <= L * \sum_j d j 0 ^+ 2.

(** Where entries of [V] are held fixed, [Z] agrees with [V0] in them. *)
Hypothesis agree : forall j k, ~~ trained j k -> Z j k = V0 j k.

(** The gradient in the entries that are trained, and the steps. *)
Definition masked V : 'M[R]_(M, m) := \matrix_(j, k) (if trained j k then gradient y Psi K V j k else 0).
Fixpoint step (t : nat) : 'M[R]_(M, m) := if t is t'.+1 then step t' - L^-1 *: masked (step t') else V0.

Lemma curvature_bound_le D : curvature_bound y (Psi *m D) <= L * mdot D D.
Proof.
rewrite /curvature_bound mulr_sumr.
rewrite (eq_bigr (fun i => \sum_k (mult y i)%:R * (Psi *m D) i k ^+ 2 / (2 * (total y)%:R))); last first.
  move=> i _; rewrite -mulr_suml -mulr_sumr invfM.
  by rewrite mulrC -!mulrA.
have -> : mdot D D = \sum_k \sum_j D j k * D j k by rewrite /mdot exchange_big.
rewrite exchange_big mulr_sumr; apply: ler_sum => k _ /=.
have := smoothness (col k D); rewrite mulr_suml.
have entry i : (Psi *m col k D) i 0 = (Psi *m D) i k by rewrite !mxE; apply: eq_bigr => l _; rewrite mxE.
under eq_bigr do rewrite entry; under [X in _ <= _ * X -> _]eq_bigr do rewrite mxE expr2.
by [].
Qed.

Lemma masked_entry V j k : masked V j k = if trained j k then gradient y Psi K V j k else 0.
Proof. by rewrite mxE. Qed.

Lemma masked_dot V : mdot (gradient y Psi K V) (masked V) = mdot (masked V) (masked V).
Proof.
apply: eq_bigr => j _; apply: eq_bigr => k _; rewrite !masked_entry.
by case: (trained j k); rewrite ?mulr0.
Qed.

Lemma step_fixed t j k : ~~ trained j k -> step t j k = V0 j k.
Proof.
move=> fixed; elim: t => //= t IH; rewrite -IH [LHS]mxE [X in _ + X]mxE [X in _ - X]mxE masked_entry (negPf fixed).
by rewrite mulr0 subr0.
Qed.

Let f := Phi y Psi K.

Lemma step_descends t : f (step t.+1) + (2 * L)^-1 * mdot (masked (step t)) (masked (step t)) <= f (step t).
Proof.
set g := masked (step t); rewrite /= -/g.
have iL_gt0 : 0 < L^-1 by rewrite invr_gt0.
have := Phi_below y Psi K (step t) (- g) iL_gt0; rewrite scalerN -/f mdotNr masked_dot -/g => below.
rewrite -ler_subr_addr; apply: le_trans below _.
have := curvature_bound_le (- g); rewrite mdotNr mdotC mdotNr opprK; set q := mdot g g; set B := curvature_bound _ _.
move=> le_B; rewrite -addrA ler_add2l.
apply: (@le_trans _ _ (- q * L^-1 + L * q / 2 * (L^-1 * L^-1))).
  rewrite ler_add2l; apply: ler_wpmul2r; first by rewrite mulr_ge0 // ltW.
  by rewrite ler_wpmul2r // invr_ge0 ler0n.
rewrite le_eqVlt; apply/orP; left; apply/eqP.
by have := lt0r_neq0 L_gt0; move: L q {le_B} => l a l_neq0; field.
Qed.

Lemma step_nonincreasing t : f (step t.+1) <= f (step t).
Proof. by apply: le_trans (step_descends t); rewrite ler_addl mulr_ge0 ?mdot_ge0 // invr_ge0 mulr_ge0 ?ler0n // ltW. Qed.

Lemma step_closer t :
  f (step t.+1) - f Z <= L / 2 * (mdot (step t - Z) (step t - Z) - mdot (step t.+1 - Z) (step t.+1 - Z)).
Proof.
have := step_descends t; have := Phi_tangent y Psi K (step t) Z; rewrite -/f /=.
set g := masked (step t); set D := step t - Z.
have -> : mdot (gradient y Psi K (step t)) (Z - step t) = - mdot g D.
  rewrite -mdotNr opprB; apply: eq_bigr => j _; apply: eq_bigr => k _; rewrite masked_entry.
  case: ifPn => // fixed; rewrite mul0r [X in _ * X]mxE [X in _ + X]mxE agree // step_fixed // subrr mulr0 //.
have -> : step t - L^-1 *: g - Z = D - L^-1 *: g by rewrite addrAC.
have -> : mdot (D - L^-1 *: g) (D - L^-1 *: g) = mdot D D - 2 * L^-1 * mdot g D + L^-1 ^+ 2 * mdot g g by apply: mdot_sub_sqr.
set a := mdot D D; set b := mdot g D; set q := mdot g g; set u := f _; set v := f _; set w := f Z.
move=> le1 le2; have := ler_add le1 le2.
move/le_from; apply.
by have := lt0r_neq0 L_gt0; move: L a b q u v w {le1 le2} => l *; field.
Qed.

Lemma step_mono s t : (s <= t)%N -> f (step t) <= f (step s).
Proof.
elim: t => [|t IH]; first by rewrite leqn0 => /eqP ->.
rewrite leq_eqVlt => /orP[/eqP -> //|]; rewrite ltnS => /IH; apply: le_trans.
exact: step_nonincreasing.
Qed.

(** The rate: [Phi(V_t) <= Phi(Z) + L |V_0 - Z|^2 / (2t)]. *)
Theorem GDV_rate t : (0 < t)%N -> f (step t) <= f Z + L * mdot (V0 - Z) (V0 - Z) / (2 * t%:R).
Proof.
move=> t_gt0.
have telescope s : \sum_(r < s) (f (step r.+1) - f Z) <=
    L / 2 * (mdot (V0 - Z) (V0 - Z) - mdot (step s - Z) (step s - Z)).
  elim: s => [|s IH]; first by rewrite big_ord0 subrr mulr0.
  rewrite big_ord_recr /=; apply: le_trans (ler_add IH (step_closer s)) _.
  by rewrite -mulrDr addrA subrK.
have : t%:R * (f (step t) - f Z) <= L / 2 * mdot (V0 - Z) (V0 - Z).
  apply: le_trans (_ : _ <= \sum_(r < t) (f (step r.+1) - f Z)) _.
    rewrite mulr_natl -[t in _ *+ t]card_ord -sumr_const; apply: ler_sum => r _.
    by rewrite ler_add2r step_mono.
  apply: le_trans (telescope t) _; rewrite ler_wpmul2l ?divr_ge0 ?ler0n ?(ltW L_gt0) //.
  by rewrite ler_subl_addr ler_addl mdot_ge0.
rewrite mulrC -ler_pdivl_mulr ?ltr0n // ler_subl_addl => /le_trans; apply.
by rewrite ler_add2l invfM !mulrA [L / 2 * _]mulrAC.
Qed.

Variables (loss_bound : R) (T : nat).

(** Obligations 2 and 3. *)
Hypothesis end_loss : f Z <= loss_bound.
Hypothesis T_gt0 : (0 < T)%N.
Hypothesis enough : loss_bound + L * mdot (V0 - Z) (V0 - Z) / (2 * T%:R) < ln 2 / (total y)%:R.

Theorem GDV :
  (forall t, f (step t.+1) <= f (step t)) /\
  (forall t, (T <= t)%N -> zero_error y (Psi *m step t + K)).
Proof.
split=> [|t le_t]; first exact: step_nonincreasing.
apply: L2_1; apply: le_lt_trans enough; apply: le_trans (step_mono le_t) _.
by apply: le_trans (GDV_rate T_gt0) _; rewrite ler_add2r.
Qed.
End Descent.
