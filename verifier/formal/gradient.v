(** The derivatives of the loss along lines of logits, and its gradient in the output weights. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import lse loss calculus.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Softmax.
Variables (R : realType) (m : nat).

Lemma softmax_shift (x : 'I_m -> R) (c : R) k : softmax (fun l => x l - c) k = softmax x k.
Proof.
rewrite /softmax /sum_exp expRD -[expR (x k) / _]mulr1 -(@divff _ (expR (- c))) ?gt_eqF ?expR_gt0 //.
rewrite mulf_div; congr (_ / _).
by rewrite mulr_suml; apply: eq_bigr => l _; rewrite expRD.
Qed.
End Softmax.

Section Logits.
Variables (R : realType) (N m : nat) (y : samples N m).
Implicit Types G H : 'M[R]_(N, m).

(** [p_i = softmax(G_i)], and the residual [P = p - onehot(y)]. *)
Definition p G i k : R := softmax (fun l => G i l) k.
Definition residual G : 'M[R]_(N, m) := \matrix_(i, k) (p G i k - (k == y i)%:R).

(** The variance of row [i] of [H] under [p_i]. *)
Definition row_variance G H i : R := \sum_k p G i k * H i k ^+ 2 - (\sum_k p G i k * H i k) ^+ 2.

Lemma p_ge0 G i k : 0 <= p G i k. Proof. exact: softmax_ge0 (classes_gt0 y) _ _. Qed.
Lemma p_gt0 G i k : 0 < p G i k. Proof. exact: softmax_gt0 (classes_gt0 y) _ _. Qed.
Lemma p_sum G i : \sum_k p G i k = 1. Proof. exact: softmax_sum (classes_gt0 y) _. Qed.

Definition slope G H : R := (total y)%:R^-1 * \sum_i (mult y i)%:R * \sum_k residual G i k * H i k.
Definition curvature G H : R := (total y)%:R^-1 * \sum_i (mult y i)%:R * row_variance G H i.

Let x G i (k : 'I_m) : R := G i k - G i (y i).

Lemma sample_line G H i t : sample_loss y (G + t *: H) i = lse (line (x G i) (x H i) t).
Proof. by congr lse; apply/funext => k; rewrite /line /x !mxE mulrBr opprD addrACA. Qed.

Lemma softmax_line G H i t k : softmax (line (x G i) (x H i) t) k = p (G + t *: H) i k.
Proof.
rewrite /p -(@softmax_shift _ _ (fun l => (G + t *: H) i l) ((G + t *: H) i (y i)) k).
by congr (softmax _ k); apply/funext => l; rewrite /line /x !mxE mulrBr opprD addrACA.
Qed.

Lemma mean_line G H i t : mean (x G i) (x H i) t = \sum_k residual (G + t *: H) i k * H i k.
Proof.
rewrite /mean (eq_bigr (fun k => p (G + t *: H) i k * H i k - p (G + t *: H) i k * H i (y i))); last first.
  by move=> k _; rewrite softmax_line mulrBr.
rewrite sumrB -mulr_suml p_sum mul1r.
rewrite [RHS](eq_bigr (fun k => p (G + t *: H) i k * H i k - (k == y i)%:R * H i k)); last first.
  by move=> k _; rewrite mxE mulrBl.
rewrite sumrB; congr (_ - _); rewrite (bigD1 (y i)) //= eqxx mul1r big1 ?addr0 // => k /negPf ->.
by rewrite mul0r.
Qed.

Lemma variance_line G H i t : variance (x G i) (x H i) t = row_variance (G + t *: H) H i.
Proof.
have one := p_sum (G + t *: H) i; rewrite /variance /mean /row_variance; set c := H i (y i).
under eq_bigr do rewrite softmax_line; under [X in _ - X ^+ 2]eq_bigr do rewrite softmax_line.
rewrite /x -/c; set q := p (G + t *: H) i in one *.
have -> : \sum_k q k * (H i k - c) = \sum_k q k * H i k - c.
  by under eq_bigr do rewrite mulrBr; rewrite sumrB -mulr_suml one mul1r.
have -> : \sum_k q k * (H i k - c) ^+ 2 = \sum_k q k * H i k ^+ 2 - (\sum_k q k * H i k) * (c *+ 2) + c ^+ 2.
  rewrite mulr_suml -sumrB -[c ^+ 2]mul1r -one mulr_suml -big_split; apply: eq_bigr => k _ /=.
  by rewrite mulr2n; move: (q k) (H i k) => a b; ring.
by rewrite mulr2n; move: (\sum_k _) (\sum_k _) => a b; ring.
Qed.

Theorem loss_derive G H t : is_derive t 1 (fun t => loss y (G + t *: H)) (slope (G + t *: H) H).
Proof.
apply: derive_scale; apply: derive_sum => i; apply: derive_scale.
apply: (derive_ext (sample_line G H i) _ (derive_lse (classes_gt0 y) (x G i) (x H i) t)).
by rewrite mean_line.
Qed.

Theorem slope_derive G H t : is_derive t 1 (fun t => slope (G + t *: H) H) (curvature (G + t *: H) H).
Proof.
apply: derive_scale; apply: derive_sum => i; apply: derive_scale.
apply: (derive_ext (fun s => esym (mean_line G H i s)) _ (derive_mean (classes_gt0 y) (x G i) (x H i) t)).
by rewrite variance_line.
Qed.
(** What bounds the curvature along [H] everywhere: half of the mean of the squares of its rows. *)
Definition curvature_bound H : R := (total y)%:R^-1 * \sum_i (mult y i)%:R * ((\sum_k H i k ^+ 2) / 2).

Lemma row_variance_ge0 G H i : 0 <= row_variance G H i.
Proof.
have := variance_ge0 (classes_gt0 y) (x G i) (x H i) 0.
by rewrite variance_line scale0r addr0.
Qed.

Lemma row_variance_gt0 G H i k l : H i k != H i l -> 0 < row_variance G H i.
Proof.
move=> differ; have differ' : x H i k != x H i l by rewrite /x (inj_eq (addIr _)).
have := variance_gt0 (classes_gt0 y) (x G i) 0 differ'.
by rewrite variance_line scale0r addr0.
Qed.

Lemma row_variance_le G H i : row_variance G H i <= (\sum_k H i k ^+ 2) / 2.
Proof.
have := variance_le (classes_gt0 y) (fun k => G i k) (fun k => H i k) 0.
apply: le_trans; rewrite /variance /mean le_eqVlt; apply/orP; left; apply/eqP.
have same k : softmax (line (fun k => G i k) (fun k => H i k) 0) k = p G i k.
  by congr (softmax _ k); apply/funext => l; rewrite /line mul0r addr0.
by congr (_ - _ ^+ 2); apply: eq_bigr => k _; rewrite same.
Qed.

Lemma curvature_le G H : curvature G H <= curvature_bound H.
Proof.
rewrite ler_wpmul2l ?invr_ge0 ?ler0n //; apply: ler_sum => i _.
by rewrite ler_wpmul2l ?ler0n ?row_variance_le.
Qed.

Lemma curvature_ge0 G H : 0 <= curvature G H.
Proof.
rewrite mulr_ge0 ?invr_ge0 ?ler0n //; apply: sumr_ge0 => i _.
by rewrite mulr_ge0 ?ler0n ?row_variance_ge0.
Qed.

(** The descent lemma. *)
Theorem loss_below G H t : 0 < t -> loss y (G + t *: H) <= loss y G + slope G H * t + curvature_bound H / 2 * (t * t).
Proof.
move=> t_gt0; have := below_parabola t_gt0 (loss_derive G H) (slope_derive G H) (fun s => curvature_le _ _).
by rewrite !scale0r !addr0.
Qed.

(** The loss is above its tangents. *)
Theorem loss_above G H t : 0 < t -> loss y G + slope G H * t <= loss y (G + t *: H).
Proof.
move=> t_gt0.
have f' s : is_derive s 1 (fun s => -1 * loss y (G + s *: H)) (-1 * slope (G + s *: H) H).
  exact/derive_scale/loss_derive.
have f'' s : is_derive s 1 (fun s => -1 * slope (G + s *: H) H) (-1 * curvature (G + s *: H) H).
  exact/derive_scale/slope_derive.
have le0 s : -1 * curvature (G + s *: H) H <= 0 by rewrite mulN1r oppr_le0 curvature_ge0.
have := below_parabola t_gt0 f' f'' le0.
by rewrite !scale0r !addr0 !mul0r addr0 !mulN1r mulNr -opprD ler_opp2.
Qed.

Theorem loss_above_strict G H t i k l : H i k != H i l -> 0 < t -> loss y G + slope G H * t < loss y (G + t *: H).
Proof.
move=> differ t_gt0; have curved s : 0 < curvature (G + s *: H) H.
  rewrite mulr_gt0 ?invr_gt0 ?total_gt0 // (bigD1 i) //= ltr_paddr //.
    by apply: sumr_ge0 => i' _; rewrite mulr_ge0 ?ler0n ?row_variance_ge0.
  by rewrite mulr_gt0 ?mult_pos ?(row_variance_gt0 _ differ).
have [c /andP[c_gt0 _]] := mean_value t_gt0 (loss_derive G H).
have [d _] := mean_value c_gt0 (slope_derive G H).
rewrite !scale0r !addr0 !subr0 => change rise.
rewrite addrC -ltr_subr_addr rise ltr_pmul2r // -subr_gt0 change.
by rewrite mulr_gt0.
Qed.

Theorem loss_tangent G G' : loss y G + slope G (G' - G) <= loss y G'.
Proof.
have := loss_above G (G' - G) ltr01.
by rewrite mulr1 scale1r [G + _]addrC subrK.
Qed.
End Logits.

(** The inner product and the Frobenius norm of matrices. *)
Section Inner.
Variables (R : realType) (a b : nat).
Implicit Types A B C : 'M[R]_(a, b).

Definition mdot A B : R := \sum_i \sum_j A i j * B i j.

Lemma mdotC A B : mdot A B = mdot B A.
Proof. by apply: eq_bigr => i _; apply: eq_bigr => j _; rewrite mulrC. Qed.

Lemma mdotDl A B C : mdot (A + B) C = mdot A C + mdot B C.
Proof. by rewrite -big_split; apply: eq_bigr => i _; rewrite -big_split; apply: eq_bigr => j _; rewrite mxE mulrDl. Qed.

Lemma mdotZl (t : R) A B : mdot (t *: A) B = t * mdot A B.
Proof. by rewrite mulr_sumr; apply: eq_bigr => i _; rewrite mulr_sumr; apply: eq_bigr => j _; rewrite mxE mulrA. Qed.

Lemma mdotDr A B C : mdot C (A + B) = mdot C A + mdot C B.
Proof. by rewrite mdotC mdotDl !(mdotC _ C). Qed.

Lemma mdotZr (t : R) A B : mdot A (t *: B) = t * mdot A B.
Proof. by rewrite mdotC mdotZl mdotC. Qed.

Lemma mdotNr A B : mdot A (- B) = - mdot A B.
Proof. by rewrite -scaleN1r mdotZr mulN1r. Qed.

Lemma mdot_sub_sqr A B (s : R) : mdot (A - s *: B) (A - s *: B) = mdot A A - 2 * s * mdot B A + s ^+ 2 * mdot B B.
Proof.
rewrite -scaleNr mdotDl !mdotDr !mdotZl !mdotZr (mdotC A B).
by move: (mdot _ _) (mdot _ _) (mdot _ _) => p q r; ring.
Qed.

Lemma mdot_ge0 A : 0 <= mdot A A.
Proof. by do 2!apply: sumr_ge0 => ? _; rewrite -expr2 sqr_ge0. Qed.
End Inner.

(** The gradient in the output weights. *)
Section Gradient.
Variables (R : realType) (N M m : nat) (y : samples N m) (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)).
Implicit Types V D Z : 'M[R]_(M, m).

(** The residual, each row as often as its sample is there. *)
Definition counted_residual (G : 'M[R]_(N, m)) : 'M[R]_(N, m) := \matrix_(i, k) ((mult y i)%:R * residual y G i k).

Definition gradient V : 'M[R]_(M, m) := (total y)%:R^-1 *: (Psi^T *m counted_residual (Psi *m V + K)).

Lemma slope_gradient V D : slope y (Psi *m V + K) (Psi *m D) = mdot (gradient V) D.
Proof.
rewrite /gradient mdotZl /slope; congr (_ * _).
transitivity (\sum_i \sum_j \sum_k counted_residual (Psi *m V + K) i k * (Psi i j * D j k)).
  apply: eq_bigr => i _; rewrite exchange_big mulr_sumr; apply: eq_bigr => k _ /=.
  by rewrite -mulr_sumr !mxE mulrA.
rewrite exchange_big; apply: eq_bigr => j _; rewrite exchange_big; apply: eq_bigr => k _ /=.
rewrite mxE mulr_suml; apply: eq_bigr => i _.
by rewrite !mxE mulrA [_ * Psi i j]mulrC.
Qed.

Lemma Phi_line V D t : Phi y Psi K (V + t *: D) = loss y (Psi *m V + K + t *: (Psi *m D)).
Proof. by rewrite /Phi mulmxDr -scalemxAr addrAC. Qed.

Theorem gradient_derive V D : is_derive 0 1 (fun t => Phi y Psi K (V + t *: D)) (mdot (gradient V) D).
Proof.
apply: (derive_ext (Phi_line V D) _ (loss_derive y (Psi *m V + K) (Psi *m D) 0)).
by rewrite scale0r addr0 slope_gradient.
Qed.

Theorem Phi_tangent V Z : Phi y Psi K V + mdot (gradient V) (Z - V) <= Phi y Psi K Z.
Proof.
rewrite -slope_gradient; have := loss_tangent y (Psi *m V + K) (Psi *m Z + K).
by rewrite opprD addrACA subrr addr0 -mulmxBr.
Qed.

Theorem Phi_below V D t : 0 < t ->
  Phi y Psi K (V + t *: D) <= Phi y Psi K V + mdot (gradient V) D * t + curvature_bound y (Psi *m D) / 2 * (t * t).
Proof. by move=> t_gt0; rewrite Phi_line -slope_gradient; apply: loss_below. Qed.
End Gradient.
