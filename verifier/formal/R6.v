(** R6: the rank of exact rational features over the rationals is their rank over the reals. *)
From mathcomp Require Import all_ssreflect all_algebra.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Rational.
Variables (R : numFieldType) (N M : nat) (Psi : 'M[R]_(N, M)) (A : 'M[int]_(N, M)) (scale : 'I_N -> int).

(** Each row is multiplied by a number that is not 0 and clears its denominators. *)
Hypothesis scale_neq0 : forall i, scale i != 0.
Hypothesis cleared : forall i j, (scale i)%:~R * Psi i j = (A i j)%:~R.

Definition rational (B : 'M[int]_(N, M)) : 'M[rat]_(N, M) := map_mx intr B.

Theorem R6 : \rank Psi = \rank (rational A).
Proof.
rewrite -(mxrank_map (ratr_rmorphism R)).
pose D : 'M[R]_N := diag_mx (\row_i (scale i)%:~R).
have -> : map_mx ratr (rational A) = D *m Psi.
  by apply/matrixP => i j; rewrite mul_diag_mx !mxE cleared ratr_int.
have unit : D \in unitmx.
  rewrite unitmxE det_diag unitfE; apply/prodf_neq0 => i _.
  by rewrite mxE intr_eq0.
rewrite -[RHS]mxrank_tr trmx_mul mxrankMfree ?mxrank_tr //.
by rewrite row_free_unit unitmx_tr.
Qed.
End Rational.
