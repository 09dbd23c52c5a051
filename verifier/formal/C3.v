(** C3: no local maximum, as the second derivative along an output weight is positive. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import lse loss calculus gradient.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section NoMaximum.
Variables (R : realType) (N M m : nat) (y : samples N m) (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) (V0 : 'M[R]_(M, m)).
Variables (j : 'I_M) (k : 'I_m) (curvature_lower : R).

Let G := Psi *m V0 + K.

Definition unit_curvature : R :=
  (total y)%:R^-1 * \sum_i (mult y i)%:R * (Psi i j ^+ 2 * (p G i k * (1 - p G i k))).

Hypothesis lower_gt0 : 0 < curvature_lower.
Hypothesis lower : curvature_lower <= unit_curvature.

Let E : 'M[R]_(M, m) := delta_mx j k.

Lemma unit_row i l : (Psi *m E) i l = Psi i j * (l == k)%:R.
Proof.
rewrite mxE (bigD1 j) //= big1 ?addr0; first by rewrite mxE eqxx.
by move=> a /negPf neq; rewrite mxE neq mulr0.
Qed.

Lemma unit_curvatureE : curvature y G (Psi *m E) = unit_curvature.
Proof.
congr (_ * _); apply: eq_bigr => i _; congr (_ * _); rewrite /row_variance.
under eq_bigr do rewrite unit_row; under [X in _ - X ^+ 2]eq_bigr do rewrite unit_row.
rewrite (bigD1 k) //= big1 ?addr0 => [|l /negPf ->]; last by rewrite mulr0 expr0n mulr0.
rewrite (bigD1 k) //= big1 ?addr0 => [|l /negPf ->]; last by rewrite !mulr0.
by rewrite eqxx mulr1; move: (p G i k) (Psi i j) => a b; ring.
Qed.

(** The second derivative of the loss along [V_jk]. *)
Theorem C3_second_derivative :
  [/\ forall t, is_derive t 1 (fun t => Phi y Psi K (V0 + t *: E)) (slope y (G + t *: (Psi *m E)) (Psi *m E)),
      is_derive 0 1 (fun t => slope y (G + t *: (Psi *m E)) (Psi *m E)) unit_curvature
    & curvature_lower <= unit_curvature].
Proof.
split=> // [t|].
  by apply: (derive_ext (Phi_line y Psi K V0 E) (erefl _)); apply: loss_derive.
apply: (derive_ext (fun=> erefl) _ (slope_derive y G (Psi *m E) 0)).
by rewrite scale0r addr0 unit_curvatureE.
Qed.

(** No local maximum: along [V_jk], or against it, the loss is larger, arbitrarily close. *)
Theorem C3 (t : R) : 0 < t ->
  Phi y Psi K V0 < Phi y Psi K (V0 + t *: E) \/ Phi y Psi K V0 < Phi y Psi K (V0 + t *: - E).
Proof.
move=> t_gt0; have [i unit_neq0] : exists i, Psi i j != 0.
  apply: contrapT => none; have := lt_le_trans lower_gt0 lower; rewrite /unit_curvature big1 ?mulr0 ?ltxx // => i _.
  have -> : Psi i j = 0 by apply: contrapT => /eqP neq; apply: none; exists i.
  by rewrite expr0n mul0r mulr0.
have [l other] : exists l, l != k.
  have m_gt1 := classes_gt1 y; have m_gt0 := classes_gt0 y.
  case: (eqVneq (Ordinal m_gt0) k) => [same|]; last by exists (Ordinal m_gt0).
  by exists (Ordinal m_gt1); rewrite -same.
have differ (c : R) : c != 0 -> (Psi *m (c *: E)) i k != (Psi *m (c *: E)) i l.
  have row_of a : (Psi *m (c *: E)) i a = c * (Psi i j * (a == k)%:R) by rewrite -scalemxAr mxE unit_row.
  move=> c_neq0; rewrite !row_of eqxx (negPf other) !mulr0 mulr1.
  by rewrite mulf_eq0 negb_or c_neq0.
case: (lerP 0 (slope y G (Psi *m E))) => [up|down]; [left|right]; rewrite Phi_line.
  have := loss_above_strict y G (differ 1 (oner_neq0 R)) t_gt0.
  by rewrite scale1r; apply: le_lt_trans; rewrite ler_addl mulr_ge0 // ltW.
have neq : -1 != 0 :> R by rewrite oppr_eq0 oner_neq0.
have := loss_above_strict y G (differ (-1) neq) t_gt0.
rewrite scaleN1r; apply: le_lt_trans; rewrite ler_addl mulr_ge0 ?(ltW t_gt0) //.
rewrite slope_gradient mdotNr -slope_gradient oppr_ge0 ltW //.
Qed.
End NoMaximum.
