(** T1 and T3.4(1): uncountably many solutions with zero training error. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import lse loss Z1.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Solutions.
Variables (R : realType) (N M m : nat) (y : samples N m).
Variables (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) (V1 : 'M[R]_(M, m)) (gamma drop : R).

(** The obligation of Z1. *)
Hypothesis gamma_gt0 : 0 < gamma.
Hypothesis margins : forall i k, k != y i -> gamma <= margin y (Psi *m V1) i k.

(** How far the frozen logits may be against a label; without them [drop] is 0. *)
Hypothesis frozen : forall i k, k != y i -> - drop <= margin y K i k.

(** Every large number gives a solution, without frozen logits every positive one, and different numbers different ones, at
    the same U. *)
Theorem T1 :
  (forall t : R, 0 <= t -> drop < t * gamma -> zero_error y (Psi *m (t *: V1) + K)) /\ injective (fun t : R => t *: V1).
Proof.
split=> [t t_ge0 large i k other|s t same].
  apply: (@lt_le_trans _ _ (t * gamma - drop)); first by rewrite subr_gt0.
  by rewrite margin_ray ler_add ?frozen // ler_wpmul2l ?margins.
have zero := Z1_zero_error gamma_gt0 margins.
have i := Ordinal (samples_gt0 y); have [k other] := other_class y i.
have := congr1 (fun V : 'M[R]_(M, m) => margin y (Psi *m V) i k) same.
rewrite -!scalemxAr !marginZ => /mulIf; apply.
by rewrite gt_eqF ?zero.
Qed.
End Solutions.
