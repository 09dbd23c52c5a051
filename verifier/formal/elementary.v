(** The functions of which activations are made are analytic: exp, 1/t, log, and what is composed of them. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive sequences exp ring.
From Landscape Require Import norms lse calculus analytic.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

Section Exponential.
Variable R : realType.
Implicit Types (s t : R).

Let e n : R := n`!%:R^-1.

Lemma exp_coeff_first s K : series (exp_coeff s) K = (first e K).[s].
Proof.
rewrite horner_poly /series /= big_mkord; apply: eq_bigr => i _.
by rewrite /exp_coeff /= mulrC.
Qed.

Lemma exp_near s (eps : R) : 0 < eps -> exists K0, forall K, (K0 <= K)%N -> `|(first e K).[s] - expR s| < eps.
Proof.
move=> eps_gt0; have /cvgrPdist_lt/(_ eps eps_gt0)[K0 _ close] : series (exp_coeff s) --> expR s.
  exact: is_cvg_series_exp_coeff.
exists K0 => K le_K; have := close K le_K.
by rewrite distrC exp_coeff_first.
Qed.

Lemma psize_exp K : psize 1 (first e K) <= expR 1.
Proof.
have -> : psize 1 (first e K) = (first e K).[1].
  rewrite psize_first horner_poly; apply: eq_bigr => i _.
  by rewrite ger0_norm // invr_ge0 ler0n.
apply/ler_addgt0Pr => eps eps_gt0; have [K0 close] := exp_near 1 eps_gt0.
have := close (maxn K K0) (leq_maxr _ _); rewrite ltr_norml ltr_subl_addr => /andP[_ /ltW]; rewrite addrC => /(le_trans _); apply.
rewrite !horner_poly (big_ord_widen _ (fun i => e i * 1 ^+ i) (leq_maxl K K0)) big_mkcond; apply: ler_sum => i _.
by case: ifP => // _; rewrite expr1n mulr1 invr_ge0 ler0n.
Qed.

Lemma exp_tail s theta K : 0 <= theta < 1 -> `|s| <= theta -> `|(first e K).[s] - expR s| <= theta ^+ K * expR 1.
Proof.
move=> /andP[theta_ge0 theta_lt1] small; apply/ler_addgt0Pr => eps eps_gt0.
have [K0 close] := exp_near s eps_gt0; set L := maxn K K0.
have := ltW (close L (leq_maxr _ _)); move=> le2; apply: le_trans (ler_dist_add (first e L).[s] _ _) (ler_add _ le2).
have := @poly_tail _ 1 ltr01 (first e L) s theta K; rewrite mulr1 theta_ge0 ltW // => /(_ isT small) tail.
apply: le_trans (ler_wpmul2l _ (psize_exp L)); rewrite ?exprn_ge0 //; apply: le_trans tail.
rewrite horner_poly le_eqVlt; apply/orP; left; apply/eqP; congr (`|_ - _|); apply: eq_bigr => i _.
by rewrite coef_poly (leq_trans (ltn_ord i)) // leq_maxl.
Qed.

Theorem analytic_expR : analytic (expR : R -> R).
Proof.
move=> t; exists 1, (expR t * expR 1), (fun n => expR t * e n).
have scaled K : first (fun n => expR t * e n) K = expR t *: first e K.
  by apply/polyP => i; rewrite coefZ !coef_poly; case: ifP; rewrite // mulr0.
split=> [|K|s theta K theta01 small]; first exact: ltr01.
  by rewrite scaled psizeZ gtr0_norm ?expR_gt0 // ler_wpmul2l ?psize_exp // ltW ?expR_gt0.
rewrite scaled hornerZ expRD -mulrBr normrM gtr0_norm ?expR_gt0 // mulrCA ler_wpmul2l ?(ltW (expR_gt0 t)) //.
by apply: exp_tail => //; rewrite mulr1 in small.
Qed.
End Exponential.

Section Inverse.
Variable R : realType.
Implicit Types (s t : R).

Definition geometric t n : R := t^-1 * (- t^-1) ^+ n.

Lemma expands_inv t : t != 0 -> expands (fun t : R => t^-1) t (`|t| / 2) (2 / `|t|) (geometric t).
Proof.
move=> t_neq0; have T_gt0 : 0 < `|t| by rewrite normr_gt0.
set a := geometric t.
split=> [|K|s theta K /andP[theta_ge0 theta_lt1] small].
- by rewrite divr_gt0 ?ltr0n.
- rewrite psize_first (eq_bigr (fun n : 'I_K => `|t|^-1 * 2^-1 ^+ n)) => [|n _]; last first.
    rewrite /a normrM normrX normrN normfV -mulrA -exprMn mulrA mulVf ?mul1r //.
    by rewrite gt_eqF.
  rewrite -mulr_sumr [leRHS]mulrC ler_wpmul2l ?invr_ge0 //.
  have sum : \sum_(n < K) 2^-1 ^+ n = 2 - 2 * 2^-1 ^+ K :> R.
    elim: K => [|K IH]; first by rewrite big_ord0 expr0 mulr1 subrr.
    by rewrite big_ord_recr /= IH exprS; move: (2^-1 ^+ K) => x; field.
  by rewrite sum ler_subl_addr ler_addl mulr_ge0 ?exprn_ge0 ?invr_ge0 ?ler0n.
pose q := - (s / t).
have q_le : `|q| <= theta / 2.
  rewrite normrN normf_div ler_pdivr_mulr //; apply: le_trans small _.
  by rewrite mulrA mulrAC.
have ts_ge : `|t| / 2 <= `|t + s|.
  have := ler_sub_norm_add t s; apply: le_trans; rewrite ler_subr_addl.
  have s_le : `|s| <= `|t| / 2 by apply: le_trans small _; rewrite ler_pimull ?divr_ge0 ?ler0n ?(ltW theta_lt1).
  apply: le_trans (ler_add s_le (lexx _)) _; rewrite le_eqVlt; apply/orP; left; apply/eqP.
  by move: `|t| => x; field.
have ts_neq0 : t + s != 0 by rewrite -normr_gt0 (lt_le_trans _ ts_ge) // divr_gt0 ?ltr0n.
have value : (first a K).[s] - (t + s)^-1 = - (q ^+ K / (t + s)).
  have part : (first a K).[s] * (t + s) = 1 - q ^+ K.
    elim: K => [|K IH]; first by rewrite /first poly_def big_ord0 horner0 mul0r expr0 subrr.
    rewrite horner_poly big_ord_recr /= mulrDl -(horner_poly K a s) IH /a exprS.
    have -> : t^-1 * (- t^-1) ^+ K * s ^+ K = t^-1 * q ^+ K.
      by rewrite -mulrA -exprMn /q mulNr [t^-1 * s]mulrC.
    by move: (q ^+ K) => x; rewrite /q; field.
  by apply: (mulIf ts_neq0); rewrite mulrBl part mulVf // mulNr mulfVK // addrAC subrr add0r.
rewrite value normrN normf_div normrX; apply: (@le_trans _ _ ((theta / 2) ^+ K / (`|t| / 2))).
  apply: ler_pmul; rewrite ?invr_ge0 ?exprn_ge0 //; last by rewrite lef_pinv // posrE ?normr_gt0 // divr_gt0 ?ltr0n.
  by apply: ler_expn2r; rewrite ?nnegrE ?divr_ge0 ?ler0n.
rewrite invfM invrK [_^-1 * 2]mulrC; apply: ler_wpmul2r; first by rewrite divr_ge0 ?ler0n.
by rewrite exprMn ler_pimulr ?exprn_ge0 // exprn_ile1 ?invr_ge0 ?ler0n // invf_le1 ?ltr0n ?ler1n.
Qed.
Theorem analytic_inv t : t != 0 -> analytic_at (fun t : R => t^-1) t.
Proof. by move/expands_inv => exp_inv; exists (`|t| / 2), (2 / `|t|), (geometric t). Qed.

Definition log_coef t n : R := if n is n'.+1 then geometric t n' / n'.+1%:R else ln t.

Lemma derive_log_first t K s : is_derive s 1 (fun s => (first (log_coef t) K.+1).[s]) (first (geometric t) K).[s].
Proof.
have := derive_add (derive_const (ln t) s) (derive_sum (fun n : 'I_K => derive_scale (log_coef t n.+1) (derive_pow s n))).
apply: derive_ext => [u|].
  rewrite horner_poly big_ord_recl /= expr0 mulr1; congr (_ + _); apply: eq_bigr => n _.
  rewrite /bump /= ?add1n.
rewrite add0r horner_poly; apply: eq_bigr => n _ /=.
by rewrite mulrA mulfVK // pnatr_eq0.
Qed.

Theorem analytic_ln t : 0 < t -> analytic_at (@ln R) t.
Proof.
move=> t_gt0; have t_neq0 := lt0r_neq0 t_gt0; have [_ size_inv near_inv] := expands_inv t_neq0.
rewrite gtr0_norm // in size_inv near_inv.
have half_gt0 : 0 < t / 2 by rewrite divr_gt0 ?ltr0n.
exists (t / 2), (`|ln t| + 1), (log_coef t).
have rest s theta K : 0 <= theta < 1 -> `|s| <= theta * (t / 2) -> `|(first (log_coef t) K.+1).[s] - ln (t + s)| <= theta ^+ K.+1.
  move=> /andP[theta_ge0 theta_lt1] small.
  pose F u := (first (log_coef t) K.+1).[u] - ln (t + u).
  pose dF u := (first (geometric t) K).[u] - (t + u)^-1.
  have close u : `|u| <= `|s| -> `|u| <= theta * (t / 2) by move/le_trans; apply.
  have pos u : `|u| <= `|s| -> 0 < t + u.
    move=> /close le_u; have lt_u : `|u| < t.
      apply: le_lt_trans le_u _; apply: (@le_lt_trans _ _ (t / 2)).
        by rewrite ler_pimull // ltW.
      by rewrite ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl.
    by rewrite -ltr_subl_addl sub0r; move: lt_u; rewrite ltr_norml => /andP[].
  have F' u : `|u| <= `|s| -> is_derive u 1 F (dF u).
    move=> le_u; apply: derive_sub; first exact: derive_log_first.
    have shift : is_derive u 1 (fun u => t + u) 1.
      by apply: (derive_ext _ _ (derive_add (derive_const t u) (derive_id u))); rewrite ?add0r.
    apply: (derive_ext (fun=> erefl) _ (derive_comp (f := ln (R := R)) (g := +%R t) (is_derive1_ln (pos u le_u)) shift)).
    by rewrite mulr1.
  have dF_le u : `|u| <= `|s| -> `|dF u| <= theta ^+ K * (2 / t).
    by move=> /close; apply: near_inv; rewrite theta_ge0.
  have F0 : F 0 = 0.
    by rewrite /F horner_poly big_ord_recl expr0 mulr1 big1 ?addr0 ?subrr // => i _; rewrite exprS mul0r mulr0.
  have change : exists2 u, `|u| <= `|s| & `|F s| = `|dF u| * `|s|.
    case: (ltrgtP s 0) => [s_lt0|s_gt0|->]; last by exists 0; rewrite // F0 normr0 mulr0.
      have in_le u : s <= u <= 0 -> `|u| <= `|s|.
        by case/andP=> ge_s le_0; rewrite !ler0_norm ?ler_opp2 // ltW.
      have [u /in_le u_in slope] := mean_value_on s_lt0 (fun u u_in => F' u (in_le u u_in)).
      exists u => //; move: slope; rewrite F0 !sub0r => /eqP; rewrite eqr_oppLR => /eqP ->.
      by rewrite normrN normrM normrN.
    have in_le u : 0 <= u <= s -> `|u| <= `|s|.
      by case/andP=> ge_0 le_s; rewrite !ger0_norm // ltW.
    have [u /in_le u_in slope] := mean_value_on s_gt0 (fun u u_in => F' u (in_le u u_in)).
    by exists u => //; move: slope; rewrite F0 !subr0 => ->; rewrite normrM.
  have [u u_in ->] := change; apply: (@le_trans _ _ (theta ^+ K * (2 / t) * (theta * (t / 2)))).
    by apply: ler_pmul; rewrite ?dF_le.
  by rewrite exprSr le_eqVlt; apply/orP; left; apply/eqP; move: (theta ^+ K) => x; field.
have C_ge0 : 0 <= `|ln t| + 1 by rewrite addr_ge0 ?ler01.
split=> // [K|s theta K theta01 small].
  rewrite psize_first; case: K => [|K]; first by rewrite big_ord0.
  rewrite big_ord_recl /= expr0 mulr1 ler_add2l.
  apply: (@le_trans _ _ (t / 2 * \sum_(n < K) `|geometric t n| * (t / 2) ^+ n)).
    rewrite mulr_sumr; apply: ler_sum => n _; rewrite /bump /= ?add1n exprS mulrCA.
    rewrite ler_wpmul2l ?(ltW half_gt0) // ler_wpmul2r ?exprn_ge0 ?(ltW half_gt0) //.
    by rewrite normrM ler_pimulr // normfV invf_le1 ?normr_gt0 ?pnatr_eq0 // ger0_norm ?ler0n // ler1n.
  rewrite -psize_first; apply: (@le_trans _ _ (t / 2 * (2 / t))); first by rewrite ler_wpmul2l ?(ltW half_gt0).
  by rewrite le_eqVlt; apply/orP; left; apply/eqP; field; rewrite t_neq0.
have /andP[theta_ge0 theta_lt1] := theta01.
case: K => [|K]; last by apply: le_trans (rest s theta K theta01 small) _; rewrite ler_pemulr ?exprn_ge0 // ler_addr.
rewrite /first poly_def big_ord0 horner0 sub0r normrN expr0 mul1r.
have := rest s theta 0%N theta01 small; rewrite horner_poly big_ord1 expr0 mulr1 expr1 => close.
rewrite -[ln (t + s)](subrK (ln t)) addrC; apply: le_trans (ler_norm_add _ _) _.
by rewrite ler_add2l distrC (le_trans close) // ltW.
Qed.
End Inverse.

Section Activations.
Variable R : realType.
Implicit Types (g : R -> R) (t : R).

Lemma analytic_opp g t : analytic_at g t -> analytic_at (fun t => - g t) t.
Proof.
move=> an_g; apply: (analytic_ext (g := fun t => -1 * g t)) => [s|]; first by rewrite mulN1r.
by apply: analytic_mul => //; apply: analytic_const.
Qed.

Lemma analytic_exp g t : analytic_at g t -> analytic_at (fun t => expR (g t)) t.
Proof. by apply: analytic_comp; apply: analytic_expR. Qed.

Lemma analytic_div f g t : analytic_at f t -> analytic_at g t -> g t != 0 -> analytic_at (fun t => f t / g t) t.
Proof.
move=> an_f an_g neq0; apply: analytic_mul => //.
exact: (analytic_comp (f := fun t : R => t^-1) (analytic_inv neq0) an_g).
Qed.

Lemma analytic_log g t : analytic_at g t -> 0 < g t -> analytic_at (fun t => ln (g t)) t.
Proof. by move=> an_g gt0; apply: (analytic_comp (f := ln (R := R)) (analytic_ln gt0) an_g). Qed.

(** [g(t)^s] where [g(t) > 0]: roots, the inverse roots of normalisation. *)
Lemma analytic_power g (s t : R) : analytic_at g t -> 0 < g t -> analytic_at (fun t => expR (s * ln (g t))) t.
Proof.
move=> an_g gt0; apply: analytic_exp; apply: analytic_mul; first exact: analytic_const.
exact: analytic_log.
Qed.

Definition sigmoid t : R := 1 / (1 + expR (- t)).
Definition tanh t : R := (expR t - expR (- t)) / (expR t + expR (- t)).
Definition softplus t : R := ln (1 + expR t).

Theorem analytic_sigmoid : analytic sigmoid.
Proof.
move=> t; apply: analytic_div; first exact: analytic_const.
  apply: analytic_add; first exact: analytic_const.
  by apply/analytic_exp/analytic_opp/analytic_id.
by rewrite gt_eqF // ltr_paddl ?ler01 ?expR_gt0.
Qed.

Theorem analytic_tanh : analytic tanh.
Proof.
have an_exp t : analytic_at (expR : R -> R) t by apply: analytic_expR.
have an_neg t : analytic_at (fun t => expR (- t) : R) t by apply/analytic_exp/analytic_opp/analytic_id.
move=> t; apply: analytic_div; last by rewrite gt_eqF // addr_gt0 ?expR_gt0.
  by apply: analytic_add => //; apply: analytic_opp.
exact: analytic_add.
Qed.

Theorem analytic_softplus : analytic softplus.
Proof.
move=> t; apply: analytic_log; last by rewrite ltr_paddl ?ler01 ?expR_gt0.
by apply: analytic_add; [apply: analytic_const | apply: analytic_expR].
Qed.
End Activations.
