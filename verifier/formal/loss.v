(** The cross-entropy of logits, their margins, and how they move together. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype sequences exp ring.
From Landscape Require Import lse.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

(** [N] distinct samples with labels [y], sample [i] being there [mult i] times; [m] classes. *)
Record samples (N m : nat) := Samples {
  label :> 'I_N -> 'I_m;
  mult : 'I_N -> nat;
  mult_gt0 : forall i, (0 < mult i)%N;
  samples_gt0 : (0 < N)%N;
  classes_gt1 : (1 < m)%N
}.

Section CrossEntropy.
Variables (R : realType) (N m : nat) (y : samples N m).
Implicit Types (G : 'M[R]_(N, m)) (i : 'I_N) (k : 'I_m).

Definition total : nat := \sum_i mult y i.
Definition margin G i k : R := G i (y i) - G i k.
Definition sample_loss G i : R := lse (fun k => G i k - G i (y i)).
Definition loss G : R := total%:R^-1 * \sum_i (mult y i)%:R * sample_loss G i.
Definition zero_error G := forall i k, k != y i -> 0 < margin G i k.

Lemma classes_gt0 : (0 < m)%N. Proof. exact: ltnW (classes_gt1 y). Qed.

Lemma total_gt0 : 0 < total%:R :> R.
Proof.
rewrite ltr0n /total (bigD1 (Ordinal (samples_gt0 y))) //=.
by rewrite addn_gt0 mult_gt0.
Qed.

Lemma mult_pos i : 0 < (mult y i)%:R :> R. Proof. by rewrite ltr0n mult_gt0. Qed.

Lemma other_class i : exists k, k != y i.
Proof.
have m_gt0 := classes_gt0.
case: (eqVneq (Ordinal m_gt0) (y i)) => [same|]; last by exists (Ordinal m_gt0).
by exists (Ordinal (classes_gt1 y)); rewrite -same.
Qed.

Lemma margin_label G i : margin G i (y i) = 0. Proof. exact: subrr. Qed.

Lemma marginZ (t : R) G i k : margin (t *: G) i k = t * margin G i k.
Proof. by rewrite /margin !mxE mulrBr. Qed.

Lemma sample_lossE G i : sample_loss G i = ln (1 + \sum_(k | k != y i) expR (- margin G i k)).
Proof.
rewrite /sample_loss /lse /sum_exp (bigD1 (y i)) //= subrr expR0.
by congr (ln (1 + _)); apply: eq_bigr => k _; rewrite /margin opprB.
Qed.

Lemma sample_loss_gt0 G i : 0 < sample_loss G i.
Proof.
rewrite -ltr_expR expR0 /sample_loss expR_lse ?classes_gt0 // /sum_exp (bigD1 (y i)) //= subrr expR0.
rewrite ltr_addl; have [k other] := other_class i.
rewrite (bigD1 k) //= ltr_paddr ?expR_gt0 //.
by apply: sumr_ge0 => l _; rewrite ltW // expR_gt0.
Qed.

Lemma loss_gt0 G : 0 < loss G.
Proof.
rewrite mulr_gt0 ?invr_gt0 ?total_gt0 // (bigD1 (Ordinal (samples_gt0 y))) //=.
rewrite ltr_paddr ?mulr_gt0 ?mult_pos ?sample_loss_gt0 //.
by apply: sumr_ge0 => i _; rewrite mulr_ge0 ?ltW ?mult_pos ?sample_loss_gt0.
Qed.

Lemma sample_loss_le G G' i :
  (forall k, k != y i -> margin G' i k <= margin G i k) -> sample_loss G i <= sample_loss G' i.
Proof.
move=> le_margin; apply: lse_le; rewrite ?classes_gt0 // => k.
case: (eqVneq k (y i)) => [->|/le_margin]; first by rewrite !subrr.
by rewrite -ler_opp2 !opprB.
Qed.

Lemma sample_loss_lt G G' i :
  (forall k, k != y i -> margin G' i k < margin G i k) -> sample_loss G i < sample_loss G' i.
Proof.
move=> lt_margin; have [k0 other] := other_class i.
apply: (lse_lt classes_gt0 (k0 := k0)) => [k|].
  case: (eqVneq k (y i)) => [->|/lt_margin/ltW]; first by rewrite !subrr.
  by rewrite -ler_opp2 !opprB.
by have := lt_margin k0 other; rewrite -ltr_opp2 !opprB.
Qed.

Lemma loss_le G G' : (forall i, sample_loss G i <= sample_loss G' i) -> loss G <= loss G'.
Proof.
move=> le_sample; rewrite ler_wpmul2l ?invr_ge0 ?ler0n //.
by apply: ler_sum => i _; rewrite ler_wpmul2l ?ler0n.
Qed.

Lemma loss_lt G G' : (forall i, sample_loss G i < sample_loss G' i) -> loss G < loss G'.
Proof.
move=> lt_sample; rewrite ltr_pmul2l ?invr_gt0 ?total_gt0 //.
rewrite !(bigD1 (P := xpredT) (Ordinal (samples_gt0 y))) //= ltr_le_add //.
  by rewrite ltr_pmul2l ?mult_pos.
by apply: ler_sum => i _; rewrite ler_wpmul2l ?ler0n // ltW.
Qed.

(** The cross-entropy is convex in the logits. *)
Lemma loss_convex G G' (t : R) : 0 <= t <= 1 ->
  loss ((1 - t) *: G + t *: G') <= (1 - t) * loss G + t * loss G'.
Proof.
move=> t01; rewrite !(mulrCA _ total%:R^-1) -mulrDr ler_wpmul2l ?invr_ge0 ?ler0n //.
rewrite !mulr_sumr -big_split /= ler_sum // => i _.
rewrite !(mulrCA _ (mult y i)%:R) -mulrDr ler_wpmul2l ?ler0n //.
apply: le_trans (lse_convex classes_gt0 _ _ t01).
rewrite le_eqVlt; apply/orP; left; apply/eqP; rewrite /sample_loss; congr lse.
apply/funext => k /=; rewrite !mxE.
by move: (G i k) (G i (y i)) (G' i k) (G' i (y i)) => a b c d; ring.
Qed.

(** All margins at least [g]: the tail of the loss. *)
Definition tail (g : R) : R := ln (1 + (m.-1)%:R * expR (- g)).

Lemma tail_arg_gt0 (g : R) : 0 < 1 + (m.-1)%:R * expR (- g).
Proof. by rewrite ltr_paddr ?ltr01 // mulr_ge0 ?ler0n // ltW // expR_gt0. Qed.

Lemma loss_tail G (g : R) : (forall i k, k != y i -> g <= margin G i k) -> loss G <= tail g.
Proof.
move=> ge_margin; have each i : sample_loss G i <= tail g.
  rewrite sample_lossE -ler_expR !lnK ?posrE ?tail_arg_gt0 //; last first.
    by rewrite ltr_paddr ?ltr01 // sumr_ge0 // => k _; rewrite ltW // expR_gt0.
  rewrite ler_add2l; apply: (@le_trans _ _ (\sum_(k | k != y i) expR (- g))).
    by apply: ler_sum => k other; rewrite ler_expR ler_opp2 ge_margin.
  by rewrite sumr_const cardC1 card_ord mulr_natl.
rewrite /loss mulrC ler_pdivr_mulr ?total_gt0 // /total natr_sum mulr_sumr.
by apply: ler_sum => i _; rewrite mulrC ler_wpmul2r ?ler0n.
Qed.

(** The tail tends to 0. *)
Lemma tail_small (eps : R) : 0 < eps -> exists2 g, 0 <= g & forall h, g <= h -> tail h < eps.
Proof.
move=> eps_gt0; exists ((m.-1)%:R / eps) => [|h le_h]; first by rewrite divr_ge0 ?ler0n // ltW.
rewrite -ltr_expR lnK ?posrE ?tail_arg_gt0 //.
apply: (lt_le_trans _ (expR_tangent0 eps)); rewrite ltr_add2l.
have h_ge0 : 0 <= h by apply: le_trans le_h; rewrite divr_ge0 ?ler0n // ltW.
rewrite expRN -[ltLHS]mulrC mulrC ltr_pdivr_mulr ?expR_gt0 //.
apply: (le_lt_trans (y := eps * h)); first by rewrite mulrC -ler_pdivr_mulr.
by rewrite ltr_pmul2l // (lt_le_trans _ (expR_tangent0 h)) // ltr_addr ltr01.
Qed.

End CrossEntropy.

Section OutputWeights.
Variables (R : realType) (N M m : nat) (y : samples N m).

(** Phi at hidden weights with the features [Psi], and output weights [V]; [K] are frozen logits, 0 without them. *)
Definition Phi (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) (V : 'M[R]_(M, m)) : R := loss y (Psi *m V + K).

Lemma margin_add (G H : 'M[R]_(N, m)) i k : margin y (G + H) i k = margin y G i k + margin y H i k.
Proof. by rewrite /margin !mxE opprD addrACA. Qed.

Lemma margin_ray (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) V (t : R) i k :
  margin y (Psi *m (t *: V) + K) i k = t * margin y (Psi *m V) i k + margin y K i k.
Proof. by rewrite -scalemxAr margin_add marginZ. Qed.
End OutputWeights.
