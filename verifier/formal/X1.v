(** X1: equal samples with conflicting labels; the infimum is the entropy of the labels, weighted. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import norms lse.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Entropy.
Variables (R : realType) (m : nat).
Hypothesis m_gt0 : (0 < m)%N.
Implicit Types (q g : 'I_m -> R).

(** [0 log 0 = 0]. *)
Definition entropy q : R := - \sum_k q k * ln (q k).

(** Gibbs: [log sum_k exp(g_k) >= <q, g> + H(q)] for probabilities [q]. *)
Lemma gibbs q g : (forall k, 0 <= q k) -> \sum_k q k = 1 -> \sum_k q k * g k + entropy q <= lse g.
Proof.
move=> q_ge0 q_sum; rewrite -ler_expR expR_lse // /entropy -sumrB.
rewrite (eq_bigr (fun k => q k * (g k - ln (q k)))) => [|k _]; last by rewrite mulrBr.
apply: le_trans (expR_mean (fun k => g k - ln (q k)) q_ge0 q_sum) _; apply: ler_sum => k _.
have [zero|neq0] := eqVneq (q k) 0; first by rewrite zero mul0r ltW ?expR_gt0.
have pos : 0 < q k by rewrite lt_def neq0 q_ge0.
by rewrite expRB lnK ?posrE // mulrCA divff ?mulr1.
Qed.

(** It is sharp: logits with a loss as close as one likes. *)
Lemma gibbs_sharp q (eps : R) : (forall k, 0 <= q k) -> \sum_k q k = 1 -> 0 < eps ->
  exists g, lse g - \sum_k q k * g k <= entropy q + eps.
Proof.
move=> q_ge0 q_sum eps_gt0; pose small := ln (eps / m%:R).
have em_gt0 : 0 < eps / m%:R by rewrite divr_gt0 ?ltr0n.
exists (fun k => if q k == 0 then small else ln (q k)).
have -> : \sum_k q k * (if q k == 0 then small else ln (q k)) = - entropy q.
  by rewrite /entropy opprK; apply: eq_bigr => k _; case: eqP => // ->; rewrite !mul0r.
rewrite opprK addrC ler_add2l -ler_expR expR_lse //.
apply: (@le_trans _ _ (1 + eps)); last exact: expR_tangent0.
rewrite /sum_exp -q_sum.
apply: (@le_trans _ _ (\sum_k (q k + eps / m%:R))); last first.
  by rewrite big_split /= sumr_const card_ord -[_ *+ m]mulr_natr mulfVK // pnatr_eq0 -lt0n.
apply: ler_sum => k _; case: eqVneq => [->|neq0]; first by rewrite add0r /small lnK // posrE.
by rewrite lnK ?posrE ?lt_def ?neq0 ?q_ge0 // ler_addl ltW.
Qed.
End Entropy.

Section Duplicates.
Variables (R : realType) (N m : nat).
Hypothesis m_gt0 : (0 < m)%N.

(** How often sample [i] occurs with label [k], perhaps times a weight of the class; [n] is what the sum is divided by. *)
Variables (weight : 'I_N -> 'I_m -> R) (n : R).
Hypothesis weight_ge0 : forall i k, 0 <= weight i k.
Hypothesis occurs : forall i, 0 < \sum_k weight i k.
Hypothesis n_gt0 : 0 < n.

Let A i : R := \sum_k weight i k.
Definition frequency i k : R := weight i k / A i.

Definition weighted_loss (G : 'M[R]_(N, m)) : R :=
  n^-1 * \sum_i \sum_k weight i k * (lse (fun l => G i l) - G i k).

Definition infimum : R := n^-1 * \sum_i A i * entropy (frequency i).

Lemma frequency_ge0 i k : 0 <= frequency i k. Proof. by rewrite divr_ge0 // ltW ?occurs. Qed.

Lemma frequency_sum i : \sum_k frequency i k = 1.
Proof. by rewrite -mulr_suml divff // gt_eqF ?occurs. Qed.

Lemma n_inv_ge0 : 0 <= n^-1. Proof. by rewrite invr_ge0 ltW. Qed.

Lemma row_loss (G : 'M[R]_(N, m)) i : \sum_k weight i k * (lse (fun l => G i l) - G i k) =
  A i * (lse (fun l => G i l) - \sum_k frequency i k * G i k).
Proof.
rewrite mulrBr mulr_sumr {1}/A mulr_suml -sumrB; apply: eq_bigr => k _.
by rewrite mulrBr /frequency mulrA mulrCA divff ?mulr1 // gt_eqF ?occurs.
Qed.

(** No logits have a smaller loss. *)
Theorem X1_lower G : infimum <= weighted_loss G.
Proof.
rewrite ler_wpmul2l ?n_inv_ge0 //; apply: ler_sum => i _; rewrite row_loss.
rewrite ler_wpmul2l ?(ltW (occurs i)) // ler_subr_addl.
exact: gibbs (frequency_ge0 i) (frequency_sum i).
Qed.

(** Some come as close as one likes. *)
Theorem X1_attained (eps : R) : 0 < eps -> exists G, weighted_loss G <= infimum + eps.
Proof.
move=> eps_gt0; pose total := 1 + \sum_i A i.
have total_gt0 : 0 < total by rewrite ltr_paddr ?ltr01 // sumr_ge0 // => i _; rewrite ltW ?occurs.
have small_gt0 : 0 < n * eps / total by rewrite divr_gt0 ?mulr_gt0.
have row i := gibbs_sharp m_gt0 (frequency_ge0 i) (frequency_sum i) small_gt0.
have [g close] := choice row; exists (\matrix_(i, k) g i k).
have rows i : (fun l => (\matrix_(i, k) g i k : 'M[R]_(N, m)) i l) = g i by apply/funext => l; rewrite mxE.
apply: (@le_trans _ _ (n^-1 * \sum_i A i * (entropy (frequency i) + n * eps / total))).
  rewrite ler_wpmul2l ?n_inv_ge0 //; apply: ler_sum => i _; rewrite row_loss ler_wpmul2l ?(ltW (occurs i)) // rows.
  by apply: le_trans (close i); rewrite ler_add2l ler_opp2 le_eqVlt; apply/orP; left; apply/eqP; apply: eq_bigr => k _; rewrite mxE.
rewrite (eq_bigr (fun i => A i * entropy (frequency i) + A i * (n * eps / total))) => [|i _]; last by rewrite mulrDr.
rewrite big_split mulrDr ler_add2l -mulr_suml /=.
have -> : n^-1 * ((\sum_i A i) * (n * eps / total)) = eps * ((\sum_i A i) / total).
  have total_neq0 := lt0r_neq0 total_gt0; have n_neq0 := lt0r_neq0 n_gt0.
  by move: (\sum_i A i) (total) total_neq0 => a b b_neq0; field; apply/andP.
by rewrite ler_pimulr ?(ltW eps_gt0) // ler_pdivr_mulr // mul1r /total ler_addr ler01.
Qed.
End Duplicates.
