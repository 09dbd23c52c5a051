(** The identity theorem: an analytic function that vanishes near one point vanishes. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals ring.
From Landscape Require Import norms analytic.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

Section Identity.
Variable R : realType.
Implicit Types (f : R -> R) (t s r d : R).

(** If it vanishes on one side, all coefficients are 0. *)
Lemma coefficients_zero f t r C a d : expands f t r C a -> 0 < d -> (forall s, - d < s < 0 -> f (t + s) = 0) ->
  forall n, a n = 0.
Proof.
move=> [r_gt0 size_f near_f] d_gt0 zero; have C_ge0 : 0 <= C by apply: le_trans (size_f 0%N); apply: psize_ge0.
have all_n n : forall k, (k < n)%N -> a k = 0.
  elim: n => // n IH k; rewrite ltnS leq_eqVlt => /orP[/eqP -> {k}|]; last exact: IH.
  apply/eqP; rewrite -normr_le0; apply/ler_addgt0Pr => e e_gt0; rewrite add0r.
  pose s := Num.min (Num.min (d / 2) (r / 2)) (e * r ^+ n.+1 / (C + 1)).
  have C1_gt0 : 0 < C + 1 by rewrite (lt_le_trans ltr01) // ler_addr.
  have s_gt0 : 0 < s by rewrite /s !lt_minr !divr_gt0 ?ltr0n ?mulr_gt0 ?exprn_gt0.
  have s_d : s < d.
    rewrite /s !lt_minl; apply/orP; left; apply/orP; left.
    by rewrite ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl.
  have s_r : s / r < 1.
    rewrite ltr_pdivr_mulr // mul1r /s !lt_minl; apply/orP; left; apply/orP; right.
    by rewrite ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl.
  have theta01 : 0 <= s / r < 1 by rewrite divr_ge0 ?(ltW s_gt0) ?(ltW r_gt0).
  have := near_f (- s) (s / r) n.+1 theta01.
  have small : `|- s| <= s / r * r by rewrite normrN gtr0_norm // mulfVK ?gt_eqF.
  move=> /(_ small); rewrite zero ?subr0; last by rewrite oppr_lt0 s_gt0 ltr_oppl opprK s_d.
  rewrite horner_poly big_ord_recr big1 /= ?add0r => [|i _]; last by rewrite IH ?mul0r.
  rewrite normrM normrX normrN (gtr0_norm s_gt0) expr_div_n => bound.
  have sn_gt0 : 0 < s ^+ n by rewrite exprn_gt0.
  rewrite -(ler_pmul2r sn_gt0); apply: le_trans bound _.
  rewrite exprS mulrAC -!mulrA mulrCA [leRHS]mulrC ler_wpmul2l ?(ltW sn_gt0) //.
  have rn_gt0 : 0 < r ^+ n.+1 by rewrite exprn_gt0.
  rewrite mulrA ler_pdivr_mulr // mulrC; apply: (@le_trans _ _ ((C + 1) * s)).
    by rewrite ler_wpmul2r ?(ltW s_gt0) // ler_addl ler01.
  rewrite mulrC -ler_pdivl_mulr // /s le_minl; apply/orP; right.
  by rewrite lexx.
by move=> n; apply: (all_n n.+1).
Qed.

Lemma zero_around f t r C a d : expands f t r C a -> 0 < d -> (forall s, - d < s < 0 -> f (t + s) = 0) ->
  forall s, `|s| < r -> f (t + s) = 0.
Proof.
move=> exp_f d_gt0 zero s small; have zeros := coefficients_zero exp_f d_gt0 zero.
have [r_gt0 _ near_f] := exp_f; apply/eqP; rewrite -normr_le0.
have theta01 : 0 <= `|s| / r < 1 by rewrite divr_ge0 ?(ltW r_gt0) //= ltr_pdivr_mulr // mul1r.
apply: (le_limit (C := C) theta01) => K; rewrite add0r.
have := near_f s _ K theta01; rewrite mulfVK ?gt_eqF // => /(_ (lexx _)).
by rewrite horner_poly big1 => [|i _]; rewrite ?sub0r ?normrN ?zeros ?mul0r.
Qed.

Lemma zero_forward f t0 d : analytic f -> 0 < d -> (forall s, `|s| < d -> f (t0 + s) = 0) -> forall t, t0 <= t -> f t = 0.
Proof.
move=> an_f d_gt0 zero t1 le_t1; apply: contrapT => neq0.
pose E : set R := [set t | t0 <= t /\ forall s, t0 <= s <= t -> f s = 0].
have E_t0 : E t0.
  by split=> // s /andP[le1 le2]; rewrite (_ : s = t0 + 0) ?zero ?normr0 // addr0; apply/le_anti/andP.
have E_bound : ubound E t1.
  move=> t [le_t all_zero]; rewrite leNgt; apply/negP => lt_t; apply: neq0; apply: all_zero.
  by rewrite le_t1 ltW.
have E_sup : has_sup E by split; [exists t0 | exists t1].
pose T := sup E.
have le_T : t0 <= T by apply: sup_upper_bound.
have before s : t0 <= s -> s < T -> f s = 0.
  move=> ge_s lt_s; have gap : 0 < T - s by rewrite subr_gt0.
  have [u [_ all_zero] lt_u] := sup_adherent gap E_sup.
  by apply: all_zero; rewrite ge_s /=; move: lt_u; rewrite opprB addrCA subrr addr0 => /ltW.
have [r [C [a exp_T]]] := an_f T.
have [lt_T|] := ltP t0 T.
  have gap : 0 < T - t0 by rewrite subr_gt0.
  have around := zero_around exp_T gap _.
  have r_gt0 : 0 < r by case: exp_T.
  have : E (T + r / 2).
    split=> [|s /andP[ge_s le_s]]; first by rewrite (le_trans le_T) // ler_addl divr_ge0 ?ler0n // ltW.
    case: (ltP s T) => [/before -> //|ge_T].
    rewrite -[s](subrK T) addrC around // => [u /andP[gt_u lt_u]|].
      by apply: before; [rewrite -ler_subl_addl -opprB ltW | rewrite gtr_addl].
    rewrite ger0_norm ?subr_ge0 //; apply: (@le_lt_trans _ _ (r / 2)); first by rewrite ler_subl_addl.
    by rewrite ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl.
  move=> /(sup_upper_bound E_sup); rewrite -/T -[leRHS]addr0 ler_add2l leNgt divr_gt0 //.
  by rewrite ltr0n.
move=> le_t0; have T_t0 : T = t0 by apply/le_anti; rewrite le_t0.
have : E (t0 + d / 2).
  split=> [|s /andP[ge_s le_s]]; first by rewrite ler_addl divr_ge0 ?ler0n // ltW.
  rewrite -[s](subrK t0) addrC zero // ger0_norm ?subr_ge0 //.
  apply: (@le_lt_trans _ _ (d / 2)); first by rewrite ler_subl_addl.
  by rewrite ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl.
move=> /(sup_upper_bound E_sup); rewrite -/T T_t0 -[leRHS]addr0 ler_add2l leNgt divr_gt0 //.
by rewrite ltr0n.
Qed.

Theorem identity f t0 d : analytic f -> 0 < d -> (forall s, `|s| < d -> f (t0 + s) = 0) -> forall t, f t = 0.
Proof.
move=> an_f d_gt0 zero t; case: (lerP t0 t) => [|/ltW le_t]; first exact: (zero_forward an_f d_gt0 zero).
have an_g : analytic (fun s => f (-1 * s)).
  move=> s; apply: (analytic_comp (g := fun s => -1 * s)); first exact: an_f.
  by apply: analytic_mul; [apply: analytic_const | apply: analytic_id].
have zero' s : `|s| < d -> f (-1 * (- t0 + s)) = 0.
  by move=> small; rewrite mulN1r opprD opprK zero // normrN.
by have := zero_forward an_g d_gt0 zero' (_ : - t0 <= - t); rewrite ler_oppl opprK mulN1r opprK => ->.
Qed.
End Identity.
