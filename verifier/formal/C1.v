(** C1: where Psi(U) has full row rank, no stationary point and no local extremum. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import lse loss calculus gradient norms.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section NotStationary.
Variables (R : realType) (N M m : nat) (y : samples N m) (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) (V0 : 'M[R]_(M, m)).
Variables (sigma gradient_lower : R).

(** A claim R1 or R3. *)
Hypothesis sigma_bound : sigma_at_least Psi sigma.
Hypothesis sigma_gt0 : 0 < sigma.

Let W := counted_residual y (Psi *m V0 + K).
Let g := gradient y Psi K V0.

(** The obligation. *)
Hypothesis lower_gt0 : 0 < gradient_lower.
Hypothesis lower : gradient_lower <= sigma * frobenius W / (total y)%:R.

Lemma frobenius_sqr a b (A : 'M[R]_(a, b)) : frobenius A ^+ 2 = mdot A A.
Proof.
rewrite sqr_sqrtr; first by apply: eq_bigr => i _; apply: eq_bigr => j _; rewrite expr2.
by do 2!apply: sumr_ge0 => ? _; apply: sqr_ge0.
Qed.

Lemma frobenius_scale a b (A : 'M[R]_(a, b)) (t : R) : 0 <= t -> frobenius (t *: A) = t * frobenius A.
Proof.
move=> t_ge0; apply/eqP; rewrite -(eqr_expn2 (n := 2)) ?mulr_ge0 ?sqrtr_ge0 //.
by rewrite exprMn !frobenius_sqr mdotZl mdotZr mulrA expr2.
Qed.

Lemma frobenius_product : sigma * frobenius W <= frobenius (Psi^T *m W).
Proof.
rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?mulr_ge0 ?sqrtr_ge0 ?(ltW sigma_gt0) //.
rewrite exprMn !frobenius_sqr /mdot exchange_big [leRHS]exchange_big mulr_sumr; apply: ler_sum => k _ /=.
have := sigma_bound (row k W^T).
rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?mulr_ge0 ?norm2_ge0 ?(ltW sigma_gt0) // exprMn !norm2_sqr.
congr (_ * _ <= _); apply: eq_bigr => i _; rewrite !mxE //.
by congr (_ * _); apply: eq_bigr => j _; rewrite !mxE mulrC.
Qed.

Theorem C1_gradient : gradient_lower <= frobenius g.
Proof.
apply: le_trans lower _; rewrite /g /gradient frobenius_scale ?invr_ge0 ?ler0n // mulrC.
by rewrite ler_wpmul2l ?invr_ge0 ?ler0n ?frobenius_product.
Qed.

Lemma gradient_sqr_gt0 : 0 < mdot g g.
Proof. by rewrite -frobenius_sqr exprn_gt0 // (lt_le_trans lower_gt0 C1_gradient). Qed.

(** [g] is the gradient of Phi in V: it gives every directional derivative, and one of them is not 0. *)
Theorem C1_stationary :
  (forall D, is_derive 0 1 (fun t => Phi y Psi K (V0 + t *: D)) (mdot g D)) /\ mdot g g != 0.
Proof. by split=> [D|]; [apply: gradient_derive | rewrite gt_eqF ?gradient_sqr_gt0]. Qed.

(** Neither a local maximum nor a local minimum. *)
Theorem C1_no_extremum (eps : R) : 0 < eps ->
  (exists2 t, 0 < t < eps & Phi y Psi K (V0 + t *: g) > Phi y Psi K V0) /\
  (exists2 t, 0 < t < eps & Phi y Psi K (V0 + t *: - g) < Phi y Psi K V0).
Proof.
move=> eps_gt0; split.
  exists (eps / 2) => [|]; first by rewrite divr_gt0 ?ltr0n // ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl.
  have half_gt0 : 0 < eps / 2 by rewrite divr_gt0 ?ltr0n.
  have := loss_above y (Psi *m V0 + K) (Psi *m g) half_gt0.
  rewrite -Phi_line slope_gradient; apply: lt_le_trans.
  by rewrite ltr_addl mulr_gt0 ?gradient_sqr_gt0.
set q := mdot g g; have q_gt0 : 0 < q by apply: gradient_sqr_gt0.
set B := curvature_bound y (Psi *m - g) / 2.
have [t /andP[t_gt0 t_lt] small] : exists2 t, 0 < t < eps & B * t < q.
  exists (Num.min (eps / 2) (q / (`|B| + 1) / 2)).
    rewrite lt_minr !divr_gt0 ?ltr0n ?ltr_spaddr ?normr_ge0 // lt_minl.
    by rewrite ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl eps_gt0.
  set t := Num.min _ _; have t_ge0 : 0 <= t.
    by rewrite le_minr !divr_ge0 ?ler0n ?(ltW eps_gt0) ?(ltW q_gt0) // addr_ge0 ?normr_ge0.
  apply: (@le_lt_trans _ _ ((`|B| + 1) * t)).
    by rewrite ler_wpmul2r // (le_trans (ler_norm B)) // ler_addl ler01.
  apply: (@le_lt_trans _ _ ((`|B| + 1) * (q / (`|B| + 1) / 2))).
    by rewrite ler_wpmul2l ?addr_ge0 ?normr_ge0 // le_minl lexx orbT.
  rewrite [q / _]mulrC -!mulrA mulVKf ?gt_eqF ?ltr_spaddr ?normr_ge0 //.
  by rewrite ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl.
exists t; first by rewrite t_gt0 t_lt.
have := Phi_below y Psi K V0 (- g) t_gt0; rewrite -/g mdotNr -/q -/B => /le_lt_trans; apply.
by rewrite -addrA gtr_addl mulNr mulrA addrC -mulrBl pmulr_llt0 // subr_lt0.
Qed.
End NotStationary.
