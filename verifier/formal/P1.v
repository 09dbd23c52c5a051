(** P1: a continuous path on which the loss strictly decreases to 0. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype sequences exp ring.
From Landscape Require Import lse loss paths Z1.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Path.
Variables (R : realType) (N M m : nat) (y : samples N m).
Variables (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)).

Variables (V0 V1 : 'M[R]_(M, m)) (gamma kappa drop : R).
Hypothesis gamma_gt0 : 0 < gamma.
Hypothesis kappa_gt0 : 0 < kappa.

(** Obligation 1: every margin of [Psi V1] is at least [gamma]. *)
Hypothesis margins : forall i k, k != y i -> gamma <= margin y (Psi *m V1) i k.

(** How far the frozen logits may be against a label. *)
Hypothesis frozen : forall i k, k != y i -> - drop <= margin y K i k.

(** Obligation 2: the margins of [kappa V1] exceed those of [V0]. *)
Hypothesis segment : forall i k, k != y i -> margin y (Psi *m V0) i k < kappa * margin y (Psi *m V1) i k.

(** [V0] straight to [kappa V1] for [s] up to 1, then the ray [t V1] with [t = kappa s]. *)
Definition path (s : R) : 'M[R]_(M, m) := (1 - Num.min s 1) *: V0 + (kappa * s) *: V1.

Lemma path_segment s : s <= 1 -> path s = straight V0 (kappa *: V1) s.
Proof. by move=> s_le1; rewrite /path min_l // /straight scalerA mulrC. Qed.

Lemma path_ray s : 1 <= s -> path s = (kappa * s) *: V1.
Proof. by move=> s_ge1; rewrite /path min_r // subrr scale0r add0r. Qed.

Lemma path_starts : path 0 = V0.
Proof. by rewrite path_segment ?straight0 ?ler01. Qed.

Lemma path_continuous : continuous_mx path.
Proof.
apply: continuous_mx_add; apply: continuous_mx_scale; try exact: continuous_mx_const.
  apply: continuous_sub; first exact: continuous_const.
  by apply: continuous_min; [apply: continuous_id | apply: continuous_const].
by apply: continuous_mul; [apply: continuous_const | apply: continuous_id].
Qed.

Lemma margin_path s i k :
  margin y (Psi *m path s + K) i k =
  (1 - Num.min s 1) * margin y (Psi *m V0) i k + (kappa * s) * margin y (Psi *m V1) i k + margin y K i k.
Proof.
rewrite /path mulmxDr -!scalemxAr /margin !mxE.
by move: (\sum_j _) (\sum_j _) (\sum_j _) (\sum_j _) (Num.min _ _) (K _ _) (K _ _) => A B C D E F G; ring.
Qed.

Lemma margin_path_lt s t i k : 0 <= s -> s < t -> k != y i ->
  margin y (Psi *m path s + K) i k < margin y (Psi *m path t + K) i k.
Proof.
move=> s_ge0 lt_st other; rewrite !margin_path ltr_add2r -subr_gt0.
have m1_gt0 : 0 < kappa * margin y (Psi *m V1) i k.
  by rewrite mulr_gt0 // (lt_le_trans gamma_gt0) ?margins.
have := segment other; move: m1_gt0.
move: (margin y (Psi *m V0) i k) (margin y (Psi *m V1) i k) => m0 m1 m1_gt0 lt_m.
have mix (d e : R) : (1 - e) * m0 + kappa * t * m1 - ((1 - d) * m0 + kappa * s * m1) =
  (t - s - (e - d)) * (kappa * m1) + (e - d) * (kappa * m1 - m0) by ring.
rewrite mix.
have lt_ts : 0 < t - s by rewrite subr_gt0.
case: (lerP t 1) => [t_le1|t_gt1].
  by rewrite min_l ?(le_trans (ltW lt_st)) // subrr mul0r add0r mulr_gt0 // subr_gt0.
case: (lerP s 1) => [s_le1|s_gt1]; last by rewrite subrr subr0 mul0r addr0 mulr_gt0.
apply: ltr_paddr; first by rewrite mulr_ge0 ?subr_ge0 // ltW.
by rewrite mulr_gt0 // opprB addrA subrK subr_gt0.
Qed.

Theorem P1 :
  [/\ path 0 = V0,
      continuous_mx path,
      forall s t, 0 <= s -> s < t -> Phi y Psi K (path t) < Phi y Psi K (path s),
      forall t, kappa <= t -> Phi y Psi K (t *: V1) <= tail m (t * gamma - drop)
    & forall eps : R, 0 < eps -> exists s0, forall s, s0 <= s -> Phi y Psi K (path s) < eps].
Proof.
split=> [||s t s_ge0 lt_st|t le_t|eps /(Z1_limit gamma_gt0 margins frozen)[t0 t0_ge0 small]].
- exact: path_starts.
- exact: path_continuous.
- by apply: loss_lt => i; apply: sample_loss_lt => k other; apply: margin_path_lt.
- by apply: Z1_tail => //; apply: le_trans le_t; apply: ltW.
exists (Num.max 1 (t0 / kappa)) => s; rewrite le_maxl => /andP[s_ge1 far].
by rewrite path_ray //; apply: small; rewrite mulrC -ler_pdivr_mulr.
Qed.
End Path.
