(** W1: full row rank by construction, from monotone activations with two different finite limits. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals ring.
From Landscape Require Import norms inverse_bound.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** The ideal matrix: column [j] is [high j] from row [j] on, and [low j] before. Its inverse in the maximum norm. *)
Section Ideal.
Variables (R : realType) (n : nat) (high low x : nat -> R).
Hypothesis differ : forall j, (j <= n)%N -> high j - low j != 0.
Hypothesis high0 : high 0%N != 0.

Definition ideal i j : R := if (j <= i)%N then high j else low j.
Definition image i : R := \sum_(j < n.+1) ideal i j * x j.
Definition ratio j : R := low j / (high j - low j).

(** One row less the one above is one entry. *)
Lemma image_step i : (i < n)%N -> image i.+1 - image i = (high i.+1 - low i.+1) * x i.+1.
Proof.
move=> lt_i; rewrite -sumrB (bigD1 (inord i.+1)) //= big1 ?addr0 => [|j neq].
  by rewrite inordK ?ltnS // /ideal leqnn ltnn -mulrBl.
rewrite -mulrBl /ideal; case: (ltngtP j i.+1) => [lt_j|gt_j|eq_j].
- by rewrite -ltnS lt_j subrr mul0r.
- by rewrite leqNgt ltnW //= subrr mul0r.
by case/eqP: neq; apply: val_inj; rewrite /= inordK ?ltnS.
Qed.

Lemma image_first : high 0%N * x 0%N = image 0%N - \sum_(j < n) ratio j.+1 * (image j.+1 - image j).
Proof.
rewrite {1}/image big_ord_recl /= -addrA [X in _ = _ + X](_ : _ = 0) ?addr0 //.
rewrite -sumrB big1 // => j _; rewrite image_step ?ltn_ord // /ideal /= /bump /= ?add1n.
by rewrite mulrA /ratio mulfVK ?subrr ?differ // ltn_ord.
Qed.

(** Summation by parts. *)
Lemma by_parts k : image 0%N - \sum_(j < k) ratio j.+1 * (image j.+1 - image j) =
  (1 + ratio 0%N) * image 0%N + \sum_(j < k) (ratio j.+1 - ratio j) * image j - ratio k * image k.
Proof.
elim: k => [|k IH]; first by rewrite !big_ord0; move: (ratio 0%N) (image 0%N) => a b; ring.
rewrite !big_ord_recr /=.
have -> (a b c : R) : a - (b + c) = (a - b) - c by ring.
rewrite IH; move: (\sum_(_ < _) _) (ratio k.+1) (ratio k) (image k.+1) (image k) (1 + ratio 0%N) (image 0%N) => a b c d e f g; ring.
Qed.

Variables (D_min T c : R).
Hypothesis D_min_gt0 : 0 < D_min.
Hypothesis D_min_le : forall j, (j <= n)%N -> D_min <= `|high j - low j|.
Hypothesis T_step : 2 / D_min <= T.
Hypothesis T_first : `|high 0%N - low 0%N|^-1
  + ((\sum_(j < n) `|ratio j.+1 - ratio j|) + `|ratio n|) / `|high 0%N| <= T.
Hypothesis small : forall i, (i <= n)%N -> `|image i| <= c.

Lemma ideal_inverse j : (j <= n)%N -> `|x j| <= T * c.
Proof.
have c_ge0 : 0 <= c by apply: le_trans (small (leq0n n)).
case: j => [_|j lt_j].
  have H_gt0 : 0 < `|high 0%N| by rewrite normr_gt0.
  apply: le_trans (ler_wpmul2r c_ge0 T_first); rewrite -(ler_pmul2l H_gt0) -normrM image_first by_parts.
  apply: (@le_trans _ _ ((`|1 + ratio 0%N| + (\sum_(j < n) `|ratio j.+1 - ratio j|) + `|ratio n|) * c)).
    rewrite [leRHS]mulrDl [X in _ <= X + _]mulrDl; apply: le_trans (ler_norm_sub _ _) _; apply: ler_add; last by rewrite normrM ler_wpmul2l ?small.
    apply: le_trans (ler_norm_add _ _) _; apply: ler_add; first by rewrite normrM ler_wpmul2l ?small.
    rewrite mulr_suml; apply: le_trans (ler_norm_sum _ _ _) _; apply: ler_sum => j _.
    by rewrite normrM ler_wpmul2l ?small // ltnW.
  rewrite mulrA ler_wpmul2r // -addrA mulrDr; apply: ler_add.
    have -> : 1 + ratio 0%N = high 0%N / (high 0%N - low 0%N).
      have neq := differ (leq0n n).
      by rewrite /ratio; move: (high 0%N) (low 0%N) neq => a b neq; field.
    by rewrite normrM normfV.
  by rewrite mulrC mulfVK ?gt_eqF.
have D_gt0 : 0 < `|high j.+1 - low j.+1| by rewrite (lt_le_trans D_min_gt0) ?D_min_le.
apply: le_trans (ler_wpmul2r c_ge0 T_step); rewrite mulrAC ler_pdivl_mulr //.
apply: (@le_trans _ _ (`|x j.+1| * `|high j.+1 - low j.+1|)); first by rewrite ler_wpmul2l ?D_min_le.
rewrite -normrM [x _ * _]mulrC -image_step //; apply: le_trans (ler_norm_sub _ _) _.
by rewrite mulr_natl mulr2n; apply: ler_add; rewrite ?small // ltnW.
Qed.
End Ideal.

(** The theorem. Column [j] belongs to a block with the activation [sigma j], [high j] its limit where the chain is
    large, [low j] the other; [t i j] are the pre-activations at the U in question, sorted by the chain. *)
Section Witness.
Variables (R : realType) (n : nat).
Variables (sigma : 'I_n.+1 -> R -> R) (high low above below delta : 'I_n.+1 -> R) (t : 'I_n.+1 -> 'I_n.+1 -> R) (T D_min q : R).

(** The activation is monotone and stays between its limits. *)
Hypothesis rising_or_falling : forall j,
  (forall a b, a <= b -> sigma j a <= sigma j b) /\ (forall a, low j <= sigma j a <= high j) \/
  (forall a b, a <= b -> sigma j b <= sigma j a) /\ (forall a, high j <= sigma j a <= low j).

(** Obligation 3, for the U in question: [s t >= s above] from row [j] on, [s t <= s below] before it, [s] the sign of the
    block's weight, put into [sigma], so that [s = 1] here. *)
Hypothesis t_above : forall i j : 'I_n.+1, (j <= i)%N -> above j <= t i j.
Hypothesis t_below : forall i j : 'I_n.+1, (i < j)%N -> t i j <= below j.
Hypothesis delta_above : forall j, `|high j - sigma j (above j)| <= delta j.
Hypothesis delta_below : forall j, `|sigma j (below j) - low j| <= delta j.

Let H k := high (inord k).
Let L k := low (inord k).
Hypothesis D_min_gt0 : 0 < D_min.
Hypothesis D_min_le : forall j, D_min <= `|high j - low j|.
Hypothesis high0 : high ord0 != 0.
Hypothesis T_step : 2 / D_min <= T.
Hypothesis T_first : `|H 0%N - L 0%N|^-1
  + ((\sum_(j < n) `|ratio H L j.+1 - ratio H L j|) + `|ratio H L n|) / `|H 0%N| <= T.
Hypothesis sum : (T * (\sum_j delta j) <= q)%R.
Hypothesis q_lt1 : q < 1.

Definition features : 'M[R]_n.+1 := \matrix_(i, j) sigma j (t i j).

Lemma features_close i j : `|features i j - ideal H L i j| <= delta j.
Proof.
rewrite mxE /ideal /H /L inord_val; case: (leqP j i) => [le_j|lt_j].
  apply: le_trans (delta_above j); rewrite distrC.
  have le_t := t_above le_j; case: (rising_or_falling j) => -[mono bounds].
    have /andP[_ le1] := bounds (t i j); have /andP[_ le2] := bounds (above j).
    by rewrite !ger0_norm ?subr_ge0 // ler_add2l ler_opp2 mono.
  have /andP[le1 _] := bounds (t i j); have /andP[le2 _] := bounds (above j).
  by rewrite !ler0_norm ?subr_le0 // !opprB ler_add2r mono.
apply: le_trans (delta_below j).
have le_t := t_below lt_j; case: (rising_or_falling j) => -[mono bounds].
  have /andP[le1 _] := bounds (t i j); have /andP[le2 _] := bounds (below j).
  by rewrite !ger0_norm ?subr_ge0 // ler_add2r mono.
have /andP[_ le1] := bounds (t i j); have /andP[_ le2] := bounds (below j).
by rewrite !ler0_norm ?subr_le0 // !opprB ler_add2l ler_opp2 mono.
Qed.

Theorem W1 : \rank features = n.+1 /\ sigma_at_least features ((1 - q) / (Num.sqrt n.+1%:R * T)).
Proof.
have T_gt0 : 0 < T by rewrite (lt_le_trans _ T_step) // divr_gt0 ?ltr0n.
apply: (@perturbed _ _ _ (\matrix_(i, j) ideal H L i j : 'M[R]_n.+1) _ _ delta) => // [x c small j|i j]; last first.
  by rewrite [X in _ - X]mxE; apply: features_close.
pose X k := x (inord k) 0.
pose A : 'M[R]_n.+1 := \matrix_(i, j) ideal H L i j.
have rows i : image n H L X i = (A *m x) (inord i) 0 \/ (n < i)%N.
  have [le_i|] := boolP (i <= n)%N; last by rewrite -ltnNge; right.
  by left; rewrite mxE; apply: eq_bigr => k _; rewrite [X in _ = X * _]mxE /X inord_val inordK ?ltnS.
have := @ideal_inverse _ n H L X _ _ D_min T c; rewrite /X.
move=> inverse; have := inverse _ _ D_min_gt0 _ T_step T_first _ j; rewrite inord_val; apply.
- by move=> k _; rewrite -normr_gt0; apply: lt_le_trans (D_min_le (inord k)).
- by rewrite /H (_ : inord 0 = ord0 :> 'I_n.+1) //; apply: val_inj; rewrite /= inordK.
- by move=> k _; apply: D_min_le.
- by move=> i le_i; case: (rows i) => [->|]; [apply: small | rewrite ltnNge le_i].
by rewrite -ltnS.
Qed.

(** Psi may have more columns. *)
Theorem W1_columns M (Psi : 'M[R]_(n.+1, M)) (f : 'I_n.+1 -> 'I_M) (f_inj : injective f)
  (columns : forall i j, Psi i (f j) = sigma j (t i j)) :
  \rank Psi = n.+1 /\ sigma_at_least Psi ((1 - q) / (Num.sqrt n.+1%:R * T)).
Proof.
have [_ bound] := W1.
have at_least : sigma_at_least Psi ((1 - q) / (Num.sqrt n.+1%:R * T)).
  apply: (more_columns f_inj); rewrite (_ : \matrix_(i, j) _ = features) //.
  by apply/matrixP => i j; rewrite !mxE columns.
have T_gt0 : 0 < T by rewrite (lt_le_trans _ T_step) // divr_gt0 ?ltr0n.
split=> //; apply: sigma_rank at_least.
by rewrite divr_gt0 ?subr_gt0 // mulr_gt0 // sqrtr_gt0 ltr0n.
Qed.
End Witness.
