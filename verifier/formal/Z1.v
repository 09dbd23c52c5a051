(** Z1: zero training error, and an infimum that is 0. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype sequences exp ring.
From Landscape Require Import lse loss.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Ray.
Variables (R : realType) (N M m : nat) (y : samples N m).
Variables (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) (V1 : 'M[R]_(M, m)) (gamma drop : R).

(** The obligation: every margin of [Psi V1] is at least [gamma]. *)
Hypothesis gamma_gt0 : 0 < gamma.
Hypothesis margins : forall i k, k != y i -> gamma <= margin y (Psi *m V1) i k.

(** How far the frozen logits may be against a label. *)
Hypothesis frozen : forall i k, k != y i -> - drop <= margin y K i k.

Theorem Z1_zero_error : zero_error y (Psi *m V1).
Proof. by move=> i k other; apply: lt_le_trans gamma_gt0 _; apply: margins. Qed.

Theorem Z1_decreases s t : s < t -> Phi y Psi K (t *: V1) < Phi y Psi K (s *: V1).
Proof.
move=> lt_st; apply: loss_lt => i; apply: sample_loss_lt => k other.
by rewrite !margin_ray ltr_add2r ltr_pmul2r // Z1_zero_error.
Qed.

Theorem Z1_tail t : 0 <= t -> Phi y Psi K (t *: V1) <= tail m (t * gamma - drop).
Proof.
move=> t_ge0; apply: loss_tail => i k other.
by rewrite margin_ray ler_add ?frozen // ler_wpmul2l ?margins.
Qed.

Theorem Z1_limit (eps : R) : 0 < eps -> exists2 t0, 0 <= t0 & forall t, t0 <= t -> Phi y Psi K (t *: V1) < eps.
Proof.
move=> /(tail_small m)[g g_ge0 small]; exists (Num.max 0 ((g + drop) / gamma)) => [|t].
  by rewrite le_maxr lexx.
rewrite le_maxl => /andP[t_ge0 far]; apply: le_lt_trans (Z1_tail t_ge0) _.
by apply: small; rewrite ler_subr_addr -ler_pdivr_mulr.
Qed.
End Ray.
