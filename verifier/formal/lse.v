(** Log-sum-exp without calculus: the tangent inequality, convexity, strict monotonicity. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive sequences exp ring.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Exponential.
Variable R : realType.
Implicit Types x c : R.

Lemma expR_tangent0 x : 1 + x <= expR x.
Proof.
case: (lerP 0 x) => [|x_lt0]; first exact: expR_ge1Dx.
have cont : {within `[x, 0]%classic, continuous (@expR R)}.
  by apply: continuous_subspaceT; apply: continuous_expR.
have [c /andP[_ c_lt0] slope] := MVT x_lt0 (fun z _ => is_derive_expR z) cont.
have : expR c * (0 - x) <= 0 - x.
  by rewrite ler_pimull ?sub0r ?oppr_ge0 ?(ltW x_lt0) // -(expR0 R) ler_expR ltW.
by rewrite -slope expR0 sub0r ler_subl_addl -ler_subl_addr opprK.
Qed.

Lemma expR_tangent c x : expR c * (1 + (x - c)) <= expR x.
Proof.
rewrite (_ : expR x = expR c * expR (x - c)); last by rewrite -expRD addrC subrK.
by rewrite ler_pmul2l ?expR_gt0 // expR_tangent0.
Qed.
End Exponential.

Section LogSumExp.
Variables (R : realType) (m : nat).
Hypothesis m_gt0 : (0 < m)%N.
Implicit Types x z : 'I_m -> R.

Definition sum_exp x : R := \sum_k expR (x k).
Definition lse x : R := ln (sum_exp x).
Definition softmax x k : R := expR (x k) / sum_exp x.

Lemma sum_exp_gt0 x : 0 < sum_exp x.
Proof.
rewrite /sum_exp (bigD1 (Ordinal m_gt0)) //= ltr_paddr ?expR_gt0 //.
by apply: sumr_ge0 => k _; rewrite ltW // expR_gt0.
Qed.

Lemma softmax_ge0 x k : 0 <= softmax x k.
Proof. by rewrite divr_ge0 ?ltW ?expR_gt0 ?sum_exp_gt0. Qed.

Lemma softmax_gt0 x k : 0 < softmax x k.
Proof. by rewrite divr_gt0 ?expR_gt0 ?sum_exp_gt0. Qed.

Lemma softmax_sum x : \sum_k softmax x k = 1.
Proof. by rewrite -mulr_suml divff // gt_eqF ?sum_exp_gt0. Qed.

Lemma expR_lse x : expR (lse x) = sum_exp x.
Proof. by rewrite lnK // posrE sum_exp_gt0. Qed.

(** Convex combinations: exp of a mean is at most the mean of exp. *)
Lemma expR_mean (p x : 'I_m -> R) :
  (forall k, 0 <= p k) -> \sum_k p k = 1 -> expR (\sum_k p k * x k) <= \sum_k p k * expR (x k).
Proof.
move=> p_ge0 p_sum; set c := \sum_k p k * x k.
apply: (le_trans _ (ler_sum _ (fun k _ => ler_wpmul2l (p_ge0 k) (expR_tangent c (x k))))).
rewrite (eq_bigr (fun k => expR c * (p k * (1 - c) + p k * x k))); last by move=> k _; ring.
by rewrite -mulr_sumr big_split /= -mulr_suml p_sum -/c mul1r subrK mulr1.
Qed.

Lemma lse_tangent x z : lse x + \sum_k softmax x k * (z k - x k) <= lse z.
Proof.
rewrite -(ler_expR (R := R)) expRD !expR_lse.
have := expR_mean (fun k => z k - x k) (softmax_ge0 x) (softmax_sum x).
rewrite -(ler_pmul2l (sum_exp_gt0 x)) => /le_trans; apply.
rewrite mulr_sumr ler_sum // => k _.
rewrite mulrA /softmax mulrCA divff ?gt_eqF ?sum_exp_gt0 // mulr1 -expRD.
by rewrite addrC subrK.
Qed.

Lemma lse_convex x z (t : R) : 0 <= t <= 1 ->
  lse (fun k => (1 - t) * x k + t * z k) <= (1 - t) * lse x + t * lse z.
Proof.
case/andP=> t_ge0 t_le1; set c := fun k => _.
have s_ge0 : 0 <= 1 - t by rewrite subr_ge0.
have /(ler_wpmul2l s_ge0) left := lse_tangent c x.
have /(ler_wpmul2l t_ge0) right := lse_tangent c z.
apply: le_trans (ler_add left right).
rewrite le_eqVlt; apply/orP; left; apply/eqP.
rewrite !mulrDr addrACA -mulrDl subrK mul1r -[LHS]addr0; congr (_ + _).
rewrite !mulr_sumr -big_split /= big1 // => k _; rewrite /c; ring.
Qed.

Lemma lse_le x z : (forall k, x k <= z k) -> lse x <= lse z.
Proof. by move=> le_xz; rewrite -ler_expR !expR_lse ler_sum // => k _; rewrite ler_expR. Qed.

Lemma lse_lt x z k0 : (forall k, x k <= z k) -> x k0 < z k0 -> lse x < lse z.
Proof.
move=> le_xz lt_xz; rewrite -ltr_expR !expR_lse /sum_exp !(bigD1 (P := xpredT) k0) //=.
by rewrite ltr_le_add ?ltr_expR // ler_sum // => k _; rewrite ler_expR.
Qed.
End LogSumExp.
