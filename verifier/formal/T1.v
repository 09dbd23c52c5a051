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
Variables (R : realType) (N M m : nat) (y : samples N m) (Psi : 'M[R]_(N, M)) (V1 : 'M[R]_(M, m)) (gamma : R).

(** The obligation of Z1. *)
Hypothesis gamma_gt0 : 0 < gamma.
Hypothesis margins : forall i k, k != y i -> gamma <= margin y (Psi *m V1) i k.

(** Every positive number gives a solution, different numbers different ones, at the same U. *)
Theorem T1 :
  (forall t : R, 0 < t -> zero_error y (Psi *m (t *: V1))) /\ injective (fun t : R => t *: V1).
Proof.
have zero := Z1_zero_error gamma_gt0 margins; split=> [t t_gt0 i k other|s t same].
  by rewrite -scalemxAr marginZ mulr_gt0 ?zero.
have i := Ordinal (samples_gt0 y); have [k other] := other_class y i.
have := congr1 (fun V : 'M[R]_(M, m) => margin y (Psi *m V) i k) same.
rewrite -!scalemxAr !marginZ => /mulIf; apply.
by rewrite gt_eqF ?zero.
Qed.
End Solutions.
