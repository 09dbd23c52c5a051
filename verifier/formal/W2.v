(** W2: full row rank by construction, from softplus units; no number of samples in the bound. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype sequences exp ring zify.
From Landscape Require Import norms lse inverse_bound.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** The softplus [log(1 + e^(gt)) / g] and the positive part. *)
Section Softplus.
Variables (R : realType) (g : R).
Hypothesis g_gt0 : 0 < g.
Implicit Types t h : R.

Definition softplus t : R := ln (1 + expR (g * t)) / g.
Definition positive t : R := Num.max 0 t.

Lemma exp1_gt0 t : 0 < 1 + expR t :> R.
Proof. by rewrite ltr_paddl ?ler01 ?expR_gt0. Qed.

Lemma ln_le (x z : R) : 0 < x -> x <= z -> ln x <= ln z.
Proof. by move=> x_gt0 le_xz; rewrite -ler_expR !lnK ?posrE // (lt_le_trans x_gt0). Qed.

Lemma ln1_le x : 0 <= x -> ln (1 + x) <= x :> R.
Proof.
move=> x_ge0; have pos : 0 < 1 + x by rewrite ltr_paddr.
by rewrite -ler_expR lnK ?posrE // expR_tangent0.
Qed.

(** What softplus is above the positive part. *)
Lemma softplus_excess t : softplus t - positive t = ln (1 + expR (- (g * `|t|))) / g.
Proof.
rewrite /softplus /positive; case: (lerP 0 t) => [t_ge0|t_lt0]; last by rewrite subr0 ltr0_norm // mulrN opprK.
rewrite ger0_norm //; have -> : 1 + expR (g * t) = expR (g * t) * (1 + expR (- (g * t))).
  by rewrite mulrDr mulr1 -expRD addrN expR0 addrC.
have -> : ln (expR (g * t) * (1 + expR (- (g * t)))) = g * t + ln (1 + expR (- (g * t))).
  by apply: (@expR_inj R); rewrite expRD !lnK ?posrE ?mulr_gt0 ?expR_gt0 ?exp1_gt0.
by rewrite mulrDl mulrAC divff ?gt_eqF // mul1r addrAC subrr add0r.
Qed.

Lemma excess_ge0 t : 0 <= softplus t - positive t.
Proof.
rewrite softplus_excess divr_ge0 ?(ltW g_gt0) // -(@ln1 R) ln_le ?ltr01 //.
by rewrite ler_addl ltW ?expR_gt0.
Qed.

Lemma excess_exp t : softplus t - positive t <= expR (- (g * `|t|)) / g.
Proof. by rewrite softplus_excess ler_pmul2r ?invr_gt0 // ln1_le // ltW ?expR_gt0. Qed.

Lemma excess_log2 t : softplus t - positive t <= ln 2 / g.
Proof.
rewrite softplus_excess ler_pmul2r ?invr_gt0 // ln_le ?exp1_gt0 //.
rewrite -[2]/(1 + 1) ler_add2l -[leRHS]expR0 ler_expR oppr_le0 mulr_ge0 //.
exact: ltW.
Qed.

(** It changes by at most as much as its argument. *)
Lemma softplus_rise t h : 0 <= h -> softplus t <= softplus (t + h) <= softplus t + h.
Proof.
move=> h_ge0; have gh_ge0 : 0 <= g * h by rewrite mulr_ge0 // ltW.
have mono : expR (g * t) <= expR (g * (t + h)) by rewrite ler_expR ler_pmul2l // ler_addl.
apply/andP; split; first by rewrite ler_pmul2r ?invr_gt0 // ln_le ?exp1_gt0 // ler_add2l.
rewrite /softplus -ler_subl_addl -mulrBl ler_pdivr_mulr // ler_subl_addr.
have -> : h * g + ln (1 + expR (g * t)) = ln (expR (g * h) * (1 + expR (g * t))).
  by apply: (@expR_inj R); rewrite expRD !lnK ?posrE ?mulr_gt0 ?expR_gt0 ?exp1_gt0 // [h * g]mulrC.
apply: ln_le; first exact: exp1_gt0.
rewrite mulrDr mulr1 -expRD -mulrDr [h + t]addrC ler_add2r.
by rewrite -expR0 ler_expR.
Qed.

Lemma softplus_lipschitz t u : `|softplus t - softplus u| <= `|t - u|.
Proof.
wlog le_tu : t u / t <= u.
  move=> sorted; have [|/ltW le_ut] := leP t u; first exact: sorted.
  by rewrite distrC [leRHS]distrC; apply: sorted.
have gap : 0 <= u - t by rewrite subr_ge0.
have /andP[up down] := softplus_rise t gap; rewrite addrC subrK in up down.
by rewrite !ler0_norm ?subr_le0 // !opprB ler_subl_addl.
Qed.
End Softplus.

(** Two geometric sums. *)
Section Geometric.
Variables (R : realType) (r : R).
Hypothesis r_ge0 : 0 <= r.
Hypothesis r_lt1 : r < 1.

Let gap : 0 < 1 - r. Proof. by rewrite subr_gt0. Qed.

Lemma sum_before n i : \sum_(j < n) (if (j <= i)%N then r ^+ (i.+1 - j) else 0) <= r / (1 - r).
Proof.
have bound_ge0 : 0 <= r / (1 - r) by rewrite divr_ge0 // ltW.
have first : r <= r / (1 - r) by rewrite ler_pdivl_mulr // ler_pimulr // ler_subl_addl ler_addr.
elim: i n => [|i IH] n.
  case: n => [|n]; first by rewrite big_ord0.
  by rewrite big_ord_recl /= subn0 expr1 big1 ?addr0.
apply: (@le_trans _ _ (r * (\sum_(j < n) (if (j <= i)%N then r ^+ (i.+1 - j) else 0)) + r)).
  case: (ltnP i.+1 n) => [lt_n|le_n]; last first.
    rewrite mulr_sumr -[leLHS]addr0 ler_add //; apply: ler_sum => j _.
    have le_j : (j <= i)%N by have := ltn_ord j; lia.
    by rewrite leqW // le_j subSn ?exprS // leqW.
  rewrite (bigD1 (Ordinal lt_n)) //= leqnn subSn // subnn expr1 addrC ler_add2r mulr_sumr big_mkcond.
  apply: ler_sum => j _; case: eqP => [->|/eqP neq] /=; first by rewrite ltnn mulr0.
  have neq' : (j != i.+1 :> nat)%N by apply: contraNneq neq => eq_j; apply/eqP/val_inj.
  case: (leqP j i) => [le_j|gt_j]; first by rewrite leqW // subSn ?exprS // leqW.
  by rewrite leqNgt ltn_neqAle eq_sym neq' gt_j mulr0.
apply: (@le_trans _ _ (r * (r / (1 - r)) + r)); first by rewrite ler_add2r ler_wpmul2l.
by rewrite le_eqVlt; apply/orP; left; apply/eqP; have neq := lt0r_neq0 gap; field.
Qed.

Lemma sum_after n i : \sum_(j < n) (if (i.+2 <= j)%N then r ^+ (j.-1 - i) else 0) <= r / (1 - r).
Proof.
have bound_ge0 : 0 <= r / (1 - r) by rewrite divr_ge0 // ltW.
move: {2}(n - i)%N (leqnn (n - i)) => d; elim: d i => [|d IH] i small.
  rewrite big1 // => j _; case: leqP => // lt_j.
  by have := ltn_ord j; lia.
have [lt_n|le_n] := ltnP i.+2 n; last first.
  rewrite big1 // => j _; case: leqP => // lt_j.
  by have := ltn_ord j; lia.
apply: (@le_trans _ _ (r * (\sum_(j < n) (if (i.+3 <= j)%N then r ^+ (j.-1 - i.+1) else 0)) + r)).
  rewrite (bigD1 (Ordinal lt_n)) //= leqnn subSn // subnn expr1 addrC ler_add2r mulr_sumr big_mkcond.
  apply: ler_sum => j _; case: eqP => [->|/eqP neq] /=; first by rewrite ltnn mulr0.
  have neq' : (j != i.+2 :> nat)%N by apply: contraNneq neq => eq_j; apply/eqP/val_inj.
  case: (ltnP i.+2 j) => [lt_j|le_j].
    rewrite ltnW // -exprS (_ : (j.-1 - i = (j.-1 - i.+1).+1)%N) //; by lia.
  by rewrite leqNgt ltn_neqAle neq' le_j mulr0.
apply: (@le_trans _ _ (r * (r / (1 - r)) + r)).
  by rewrite ler_add2r ler_wpmul2l // IH //; lia.
by rewrite le_eqVlt; apply/orP; left; apply/eqP; have neq := lt0r_neq0 gap; field.
Qed.
End Geometric.

Section Witness.
Variables (R : realType) (n : nat) (g G rho e q : R) (p b : nat -> R) (t : 'I_n.+1 -> 'I_n.+1 -> R).

(** [p i + b j] are the pre-activations as the chain has them, in ascending order; [t] those at the U in question. *)
Definition above j := p j + b j.
Definition below j : R := if j is j'.+1 then p j' + b j'.+1 else 0.

(** Obligation 3. *)
Hypothesis g_gt0 : 0 < g.
Hypothesis G_gt0 : 0 < G.
Hypothesis gap_first : G <= above 0.
Hypothesis gap_step : forall j, G <= above j.+1 - below j.+1.
Hypothesis below_le : forall j, `|below j| <= rho * G.
Hypothesis near : forall i j : 'I_n.+1, `|t i j - (p i + b j)| <= e.
Definition s := g * G.
Hypothesis q_def : q = 4 / s * (ln 2 + 2 * (expR (rho * s) / (expR s - 1))) + 4 * rho + 4 * n.+1%:R * e / G.
Hypothesis q_lt1 : q < 1.

Definition features : 'M[R]_n.+1 := \matrix_(i, j) softplus g (t i j).

Lemma rho_ge0 : 0 <= rho.
Proof. by have := le_trans (normr_ge0 _) (below_le 0); rewrite pmulr_lge0. Qed.

Lemma e_ge0 : 0 <= e.
Proof. exact: le_trans (normr_ge0 _) (near ord0 ord0). Qed.

Lemma s_gt0 : 0 < s.
Proof. exact: mulr_gt0. Qed.

Lemma exp_gt1 : 1 < expR s.
Proof. by rewrite expR_gt1 s_gt0. Qed.

Hint Resolve rho_ge0 e_ge0 s_gt0 : core.

Definition kappa : R := expR (rho * s) / (expR s - 1).

Lemma kappa_ge0 : 0 <= kappa.
Proof. by rewrite /kappa divr_ge0 ?subr_ge0 ?(ltW exp_gt1) // ltW ?expR_gt0. Qed.

Hint Resolve kappa_ge0 exp_gt1 : core.

Lemma rho_lt1 : rho < 1.
Proof.
have ln2_ge0 : 0 <= ln 2 :> R by rewrite ln_ge0 // ler1n.
have excess_ge0 : 0 <= 4 / s * (ln 2 + 2 * kappa).
  by apply: mulr_ge0; [rewrite divr_ge0 ?ler0n // ltW | rewrite addr_ge0 // mulr_ge0 ?ler0n].
have radius_ge0 : 0 <= 4 * n.+1%:R * e / G by rewrite divr_ge0 ?(ltW G_gt0) // mulr_ge0 // mulr_ge0 ?ler0n.
apply: le_lt_trans q_lt1; rewrite q_def -/kappa addrAC.
apply: (@le_trans _ _ (4 * rho)); first by rewrite ler_pemull // ler1n.
by rewrite ler_addr addr_ge0.
Qed.

Hint Resolve rho_lt1 : core.

(** The thresholds of the ideal matrix, and how far apart everything is. *)
Definition threshold j : R := if j is j'.+1 then p j' else - b 0%N.
Definition step i : R := p i - threshold i.

Lemma step_ge i : G <= step i.
Proof.
case: i => [|i]; first by rewrite /step /= opprK.
by have := gap_step i; rewrite /above /below /step /= opprD addrACA subrr addr0.
Qed.

Lemma later i j : (i <= j)%N -> (j - i)%:R * G <= p j - p i.
Proof.
elim: j => [|j IH]; first by rewrite leqn0 => /eqP ->; rewrite subnn mul0r subrr.
rewrite leq_eqVlt => /orP[/eqP ->|]; first by rewrite subnn mul0r subrr.
rewrite ltnS => le_j; rewrite subSn // mulrSr mulrDl mul1r.
have -> : p j.+1 - p i = p j - p i + step j.+1 by rewrite /step /=; move: (p j.+1) (p j) (p i) => x z u; ring.
by rewrite ler_add ?IH ?step_ge.
Qed.

Lemma right_of i j : (j <= i)%N -> (i.+1 - j)%:R * G <= p i - threshold j.
Proof.
case: j => [_|j lt_j] /=.
  rewrite subn0 mulrSr mulrDl mul1r.
  have -> : p i - - b 0%N = p i - p 0%N + step 0 by rewrite /step /=; move: (p i) (p 0%N) (b 0%N) => x z u; ring.
  by rewrite ler_add ?step_ge //; have := later (leq0n i); rewrite subn0.
by rewrite subSS later // ltnW.
Qed.

Lemma preE i j : p i + b j = p i - threshold j + below j.
Proof.
case: j => [|j] /=; first by rewrite opprK addr0.
by move: (p i) (p j) (b j.+1) => x z u; ring.
Qed.

(** The excess of softplus in one row. *)
Lemma row_excess i : \sum_(j < n.+1) (softplus g (p i + b j) - positive (p i + b j)) <= (ln 2 + 2 * kappa) / g.
Proof.
pose r := expR (- s); have r_ge0 : 0 <= r by rewrite ltW ?expR_gt0.
have r_lt1 : r < 1 by rewrite expR_lt1 oppr_lt0.
pose c := expR (rho * s); have c_ge0 : 0 <= c by rewrite ltW ?expR_gt0.
have far (k : nat) u : k%:R * G - rho * G <= `|u| -> softplus g u - positive u <= c * r ^+ k / g.
  move=> le_u; apply: le_trans (excess_exp g_gt0 u) _; rewrite ler_pmul2r ?invr_gt0 //.
  rewrite /c /r -expRMm -expRD ler_expR /s ler_oppl.
  have -> : - (rho * (g * G) + k%:R * - (g * G)) = g * (k%:R * G - rho * G).
    by move: (k%:R : R) => x; ring.
  by rewrite ler_pmul2l.
have each (j : nat) : softplus g (p i + b j) - positive (p i + b j) <=
    (c * (if (j <= i)%N then r ^+ (i.+1 - j) else 0) + c * (if (i.+2 <= j)%N then r ^+ (j.-1 - i) else 0)
     + (if j == i.+1 then ln 2 else 0)) / g.
  case: (ltngtP j i.+1) => [lt_j|gt_j|->].
  - have le_j : (j <= i)%N by rewrite -ltnS.
    rewrite le_j ?mulr0 ?addr0; apply: far.
    rewrite preE; apply: le_trans (ler_norm _).
    have := below_le j; rewrite ler_norml => /andP[low _].
    by rewrite ler_add ?right_of.
  - case: j gt_j => // j; rewrite ltnS => lt_j.
    have -> : (j < i)%N = false by rewrite ltnNge ltnW.
    rewrite ?mulr0 ?add0r ?addr0; apply: far.
    rewrite preE -normrN opprD opprB; apply: le_trans (ler_norm _).
    have := below_le j.+1; rewrite ler_norml => /andP[_ high] /=.
    by rewrite ler_add ?later ?ler_opp2 // ltnW.
  have -> : (i.+1 <= i)%N = false by rewrite ltnn.
  by rewrite ?mulr0 ?add0r; apply: excess_log2.
apply: (le_trans (ler_sum _ (fun (j : 'I_n.+1) (_ : true) => each j))); rewrite -mulr_suml ler_pmul2r ?invr_gt0 // !big_split /= -!mulr_sumr.
have geometric : c * (r / (1 - r)) = kappa.
  rewrite /c /r /kappa expRN; have e_neq0 : expR s != 0 by rewrite gt_eqF ?expR_gt0.
  have e1_neq0 : expR s - 1 != 0 by rewrite gt_eqF // subr_gt0 exp_gt1.
  congr (_ * _); move: (expR s) e_neq0 e1_neq0 => x x_neq0 x1_neq0.
  have -> : 1 - x^-1 = (x - 1) / x by field.
  by rewrite invfM invrK mulrCA mulVf ?mulr1.
have le1 : c * (\sum_(j < n.+1) (if (j <= i)%N then r ^+ (i.+1 - j) else 0)) <= kappa.
  by rewrite -geometric ler_wpmul2l // sum_before.
have le2 : c * (\sum_(j < n.+1) (if (i.+2 <= j)%N then r ^+ (j.-1 - i) else 0)) <= kappa.
  by rewrite -geometric ler_wpmul2l // sum_after.
have le3 : \sum_(j < n.+1) (if (j : nat) == i.+1 then ln 2 else 0 : R) <= ln 2.
  have ln2_ge0 : 0 <= ln 2 :> R by rewrite ln_ge0 // ler1n.
  rewrite -big_mkcond /=; case: (ltnP i.+1 n.+1) => [lt_i|le_i].
    by rewrite (big_pred1 (Ordinal lt_i)) // => j; rewrite -val_eqE.
  by rewrite big1 // => j /eqP eq_j; move: (ltn_ord j); rewrite eq_j ltnNge le_i.
have regroup (x z : R) : x + 2 * z = z + z + x by ring.
rewrite regroup; exact: ler_add (ler_add le1 le2) le3.
Qed.
(** The ideal matrix has the inverse of two differences; the thresholds' errors have them, too. *)
Lemma positive_le (u : R) : u <= 0 -> positive u = 0. Proof. by move=> le0; rewrite /positive max_l. Qed.
Lemma positive_ge (u : R) : 0 <= u -> positive u = u. Proof. by move=> ge0; rewrite /positive max_r. Qed.

Lemma ideal_low i j : (i < j)%N -> p i - threshold j <= 0.
Proof.
case: j => // j; rewrite ltnS => le_j /=.
by rewrite subr_le0 -subr_ge0; apply: le_trans (later le_j); rewrite mulr_ge0 ?ler0n // ltW.
Qed.

Lemma ideal_far i j : (i.+1 < j)%N -> p i - threshold j <= - G.
Proof.
case: j => // j; rewrite ltnS => lt_j /=; rewrite -[X in X <= _]opprK ler_opp2 opprB.
apply: le_trans (later (ltnW lt_j)); rewrite ler_pemull ?(ltW G_gt0) // ler1n.
by rewrite subn_gt0.
Qed.

(** Column [j] with the thresholds as they are: [below j] more from row [j] on, and its positive part just before. *)
Lemma thresholds i j : positive (p i + b j) - positive (p i - threshold j) =
  if (j <= i)%N then below j else if j == i.+1 then positive (below j) else 0.
Proof.
have := below_le j; rewrite ler_norml => /andP[low high].
have small : rho * G <= G by rewrite ler_pimull ?(ltW G_gt0) // ltW.
rewrite preE; case: (leqP j i) => [le_j|lt_j].
  have ge : G <= p i - threshold j.
    apply: le_trans (right_of le_j); rewrite ler_pemull ?(ltW G_gt0) // ler1n.
    by rewrite subn_gt0 ltnS.
  have ge0 : 0 <= p i - threshold j by apply: le_trans (ltW G_gt0) ge.
  have sum_ge0 : 0 <= p i - threshold j + below j.
    by rewrite -ler_subl_addr sub0r ler_oppl (le_trans _ low) // ler_opp2 (le_trans small ge).
  by rewrite !positive_ge // addrAC subrr add0r.
case: eqP => [eq_j|/eqP neq].
  have -> : p i - threshold j = 0 by rewrite eq_j /= subrr.
  by rewrite add0r (positive_le (lexx 0)) subr0.
have far : p i - threshold j <= - G by apply: ideal_far; rewrite ltn_neqAle eq_sym neq.
rewrite !positive_le ?subrr //; first exact: ideal_low.
by rewrite -ler_subr_addr sub0r (le_trans far) // ler_opp2 (le_trans high).
Qed.

Lemma positive_norm (u : R) : `|positive u| <= `|u|.
Proof. by rewrite /positive; case: (lerP 0 u) => [u_ge0|u_lt0]; rewrite ?normr0. Qed.

Section Stable.
Variables (x : 'cV[R]_n.+1) (c B : R).
Hypothesis rows : forall i, `|(features *m x) i 0| <= c.
Hypothesis entries : forall j, `|x j 0| <= B.

Definition X j : R := x (inord j) 0.
Definition sum_of (A : nat -> nat -> R) i : R := \sum_(j < n.+1) A i j * X j.
Definition before (f : nat -> R) i : R := if i is i'.+1 then f i' else 0.
Definition partial i : R := \sum_(j < n.+1) (if (j <= i)%N then X j else 0).

Lemma B_ge0 : 0 <= B. Proof. exact: le_trans (normr_ge0 _) (entries ord0). Qed.
Lemma X_le j : `|X j| <= B. Proof. exact: entries. Qed.

(** One row of the ideal matrix less the one above. *)
Lemma ideal_step i : (i <= n)%N ->
  sum_of (fun i j => positive (p i - threshold j)) i - before (sum_of (fun i j => positive (p i - threshold j))) i
  = step i * partial i.
Proof.
move=> le_i; rewrite /partial mulr_sumr.
have ge0 k j : (j <= k)%N -> 0 <= p k - threshold j.
  by move=> le_j; apply: le_trans (right_of le_j); rewrite mulr_ge0 ?ler0n // ltW.
case: i le_i => [_|i le_i] /=.
  rewrite subr0; apply: eq_bigr => j _; case: leqP => [|lt_j].
    by rewrite leqn0 => /eqP ->; rewrite positive_ge ?ge0.
  by rewrite positive_le ?mul0r ?mulr0 // ideal_low.
rewrite -sumrB; apply: eq_bigr => j _; rewrite -mulrBl; case: (ltngtP j i.+1) => [lt_j|gt_j|->].
- rewrite !positive_ge ?ge0 // 1?ltnW // /step /=.
  by congr (_ * _); move: (p i.+1) (p i) (threshold j) => u v z; ring.
- by rewrite !positive_le ?subrr ?mul0r ?mulr0 // ideal_low // ltnW.
by rewrite (positive_le (ideal_low (ltnSn i))) subr0 positive_ge ?ge0.
Qed.

(** What the thresholds change, one row less the one above: two entries. *)
Definition shifts i j : R := positive (p i + b j) - positive (p i - threshold j).

Lemma one_entry (i : nat) : \sum_(j < n.+1) (if (j : nat) == i then rho * G * B else 0) <= rho * G * B.
Proof.
have ge0 : 0 <= rho * G * B by rewrite mulr_ge0 ?B_ge0 // mulr_ge0 // ltW.
rewrite -big_mkcond /=; case: (ltnP i n.+1) => [lt_i|le_i].
  by rewrite (big_pred1 (Ordinal lt_i)) // => j; rewrite -val_eqE.
by rewrite big1 // => j /eqP eq_j; move: (ltn_ord j); rewrite eq_j ltnNge le_i.
Qed.

Lemma shifts_step i : `|sum_of shifts i - before (sum_of shifts) i| <= 2 * (rho * G * B).
Proof.
have positive_part j : `|below j - positive (below j)| <= `|below j|.
  by rewrite /positive; case: (lerP 0 (below j)) => [ge0|lt0]; rewrite ?subrr ?normr0 ?subr0.
have entry (j : nat) : `|shifts i j - before (shifts^~ j) i| <= (if j == i then rho * G else 0) + (if j == i.+1 then rho * G else 0).
  have rG_ge0 : 0 <= rho * G by rewrite mulr_ge0 // ltW.
  rewrite /shifts thresholds; case: i => [|i] /=.
    rewrite subr0; case: j => [|[|j]] /=; first by rewrite normr0 addr0.
      by rewrite add0r; apply: le_trans (positive_norm _) (below_le 1).
    by rewrite normr0 addr0.
  rewrite thresholds; case: (ltngtP j i.+1) => [lt_j|gt_j|->].
  - rewrite -ltnS lt_j subrr normr0 (_ : (j == i.+2) = false) ?addr0 //.
    by apply/eqP => eq_j; rewrite eq_j ltnNge leqnSn in lt_j.
  - rewrite leqNgt (ltnW gt_j) /= subr0 add0r; case: ifP => _; rewrite ?normr0 //.
    exact: le_trans (positive_norm _) (below_le _).
  rewrite ltnn (_ : (i.+1 == i.+2) = false) ?addr0; last by rewrite eqn_leq ltnn andbF.
  exact: le_trans (positive_part _) (below_le _).
have -> : sum_of shifts i - before (sum_of shifts) i = \sum_(j < n.+1) (shifts i j - before (shifts^~ j) i) * X j.
  rewrite /sum_of; case: i {entry} => [|i] /=; first by rewrite subr0; apply: eq_bigr => j _; rewrite subr0.
  by rewrite -sumrB; apply: eq_bigr => j _; rewrite [RHS]mulrBl.
apply: le_trans (ler_norm_sum _ _ _) _.
apply: (@le_trans _ _ (\sum_(j < n.+1) ((if (j : nat) == i then rho * G * B else 0) + (if (j : nat) == i.+1 then rho * G * B else 0)))).
  apply: ler_sum => j _; rewrite normrM.
  apply: le_trans (ler_pmul (normr_ge0 _) (normr_ge0 _) (entry j) (X_le j)) _.
  by rewrite mulrDl; case: eqP => _; case: eqP => _; rewrite ?mul0r.
have two (z : R) : 2 * z = z + z by ring.
by rewrite big_split two; apply: ler_add; apply: one_entry.
Qed.

(** What softplus and the radius change. *)
Definition rest_of i j : R := softplus g (t (inord i) (inord j)) - positive (p i + b j).
Definition epsilon : R := (ln 2 + 2 * kappa) / g + n.+1%:R * e.

Lemma rest_le i : (i <= n)%N -> `|sum_of rest_of i| <= epsilon * B.
Proof.
move=> le_i; apply: le_trans (ler_norm_sum _ _ _) _.
apply: (@le_trans _ _ (\sum_(j < n.+1) ((softplus g (p i + b j) - positive (p i + b j)) + e) * B)).
  apply: ler_sum => j _; rewrite normrM; apply: ler_pmul => //; last exact: X_le.
  have -> : rest_of i j = (softplus g (t (inord i) (inord j)) - softplus g (p i + b j)) + (softplus g (p i + b j) - positive (p i + b j)).
    by rewrite /rest_of addrA subrK.
  rewrite addrC; apply: le_trans (ler_norm_add _ _) _; apply: ler_add; first by rewrite ger0_norm ?excess_ge0.
  apply: le_trans (softplus_lipschitz g_gt0 _ _) _.
  by have := near (inord i) (inord j); rewrite !inordK ?ltnS // -ltnS.
rewrite -mulr_suml ler_wpmul2r ?B_ge0 // big_split /= sumr_const card_ord -[e *+ _]mulr_natl ler_add2r.
exact: row_excess.
Qed.

(** So the entries are small: the inequality of a perturbed inverse. *)
Lemma W2_stable j : `|x j 0| <= 4 / G * c + q * B.
Proof.
pose bound := 2 * c + 2 * (rho * G * B) + 2 * (epsilon * B).
have whole i : (i <= n)%N -> (features *m x) (inord i) 0 =
    sum_of (fun i j => positive (p i - threshold j)) i + sum_of shifts i + sum_of rest_of i.
  move=> le_i; rewrite mxE /sum_of -!big_split; apply: eq_bigr => k _ /=.
  rewrite -!mulrDl mxE /X inord_val; congr (_ * _); rewrite /shifts /rest_of inord_val.
  have cancel (u v w : R) : w = u + (v - u) + (w - v) by ring.
  exact: cancel.
have partial_le i : (i <= n)%N -> `|partial i| <= bound / G.
  move=> le_i; rewrite ler_pdivl_mulr //; apply: (@le_trans _ _ (`|partial i| * step i)).
    by rewrite ler_wpmul2l // step_ge.
  have step_gt0 : 0 < step i by apply: lt_le_trans G_gt0 (step_ge i).
  rewrite -{1}(gtr0_norm step_gt0) -normrM mulrC -ideal_step //.
  have value k : (k <= n)%N -> sum_of (fun i j => positive (p i - threshold j)) k =
      (features *m x) (inord k) 0 - sum_of shifts k - sum_of rest_of k.
    move=> le_k; rewrite whole //; have cancel (u v w : R) : u = u + v + w - v - w by ring.
    exact: cancel.
  have change : sum_of (fun i j => positive (p i - threshold j)) i - before (sum_of (fun i j => positive (p i - threshold j))) i =
      ((features *m x) (inord i) 0 - before (fun i => (features *m x) (inord i) 0) i)
      - (sum_of shifts i - before (sum_of shifts) i) - (sum_of rest_of i - before (sum_of rest_of) i).
    rewrite value //; case: i le_i {step_gt0} => [|i] le_i /=; first by rewrite !subr0.
    rewrite value ?(ltnW le_i) //.
    by move: (_ (inord i.+1) 0) (_ (inord i) 0) (sum_of _ _) (sum_of _ _) (sum_of _ _) (sum_of _ _) => u v w z a d; ring.
  rewrite change; apply: le_trans (ler_norm_sub _ _) _; apply: ler_add.
    apply: le_trans (ler_norm_sub _ _) _; apply: ler_add; last exact: shifts_step.
    have c_ge0 : 0 <= c by apply: le_trans (rows ord0).
    case: i le_i {step_gt0 change} => [|i] le_i /=.
      by rewrite subr0; apply: le_trans (rows _) _; rewrite ler_pemull // ler1n.
    apply: le_trans (ler_norm_sub _ _) _; have two (z : R) : 2 * z = z + z by ring.
    by rewrite two ler_add.
  have eB_ge0 : 0 <= epsilon * B by apply: le_trans (rest_le (leq0n n)).
  case: i le_i {step_gt0 change} => [|i] le_i /=.
    by rewrite subr0; apply: le_trans (rest_le _) _; rewrite // ler_pemull // ler1n.
  apply: le_trans (ler_norm_sub _ _) _; have two (z : R) : 2 * z = z + z by ring.
  by rewrite two ler_add ?rest_le // ltnW.
have entry i : (i <= n)%N -> X i = partial i - before partial i.
  move=> le_i; rewrite /partial; case: i le_i => [|i] le_i /=.
    by rewrite subr0 big_ord_recl /= big1 ?addr0.
  rewrite -sumrB (bigD1 (Ordinal (le_i : (i.+1 < n.+1)%N))) //= leqnn ltnn subr0 big1 ?addr0 // => k neq.
  case: (ltngtP k i.+1) => [lt_k|gt_k|eq_k]; last by case/eqP: neq; apply: val_inj.
    by rewrite -ltnS lt_k subrr.
  by rewrite leqNgt (ltnW gt_k) subrr.
have bound_ge0 : 0 <= bound / G by apply: le_trans (partial_le 0%N isT).
have -> : x j 0 = X j by rewrite /X inord_val.
have le_j : (j <= n)%N by rewrite -ltnS.
rewrite entry //; apply: (@le_trans _ _ (2 * (bound / G))).
  case: (val j) le_j => [|i] le_i /=.
    by rewrite subr0; apply: le_trans (partial_le _ le_i) _; rewrite ler_pemull // ler1n.
  apply: le_trans (ler_norm_sub _ _) _; have two (z : R) : 2 * z = z + z by ring.
  by rewrite two ler_add ?partial_le // ltnW.
rewrite /bound /epsilon q_def -/kappa /s; have G_neq0 := lt0r_neq0 G_gt0; have g_neq0 := lt0r_neq0 g_gt0.
rewrite le_eqVlt; apply/orP; left; apply/eqP.
by move: (ln 2 : R) kappa (n.+1%:R : R) => l k N; field; rewrite g_neq0 G_neq0.
Qed.
End Stable.

Lemma W2_square : \rank features = n.+1 /\ sigma_at_least features ((1 - q) / (Num.sqrt n.+1%:R * (4 / G))).
Proof.
apply: stable_sigma => //; first by rewrite divr_gt0 ?ltr0n.
by move=> x c B rows entries j; apply: W2_stable.
Qed.
End Witness.

(** The theorem: the samples are numbered from 0 to [n], and Psi may have more columns. *)
Section Columns.
Variables (R : realType) (n : nat) (g G rho e q : R) (p b : nat -> R) (t : 'I_n.+1 -> 'I_n.+1 -> R).
Hypothesis g_gt0 : 0 < g.
Hypothesis G_gt0 : 0 < G.
Hypothesis gap_first : G <= above p b 0.
Hypothesis gap_step : forall j, (j < n)%N -> G <= above p b j.+1 - below p b j.+1.
Hypothesis below_le : forall j, (j <= n)%N -> `|below p b j| <= rho * G.
Hypothesis near : forall i j : 'I_n.+1, `|t i j - (p i + b j)| <= e.
Hypothesis q_def : q = 4 / s g G * (ln 2 + 2 * (expR (rho * s g G) / (expR (s g G) - 1))) + 4 * rho + 4 * n.+1%:R * e / G.
Hypothesis q_lt1 : q < 1.

Theorem W2 M (Psi : 'M[R]_(n.+1, M)) (f : 'I_n.+1 -> 'I_M) (f_inj : injective f)
  (columns : forall i j, Psi i (f j) = softplus g (t i j)) :
  \rank Psi = n.+1 /\ sigma_at_least Psi ((1 - q) / (Num.sqrt n.+1%:R * (4 / G))).
Proof.
(* beyond the samples the sequences go on in steps of G, with thresholds that fit *)
pose p' j := p (minn j n) + (j - n)%:R * G; pose b' j := if (j <= n)%N then b j else - p' j.-1.
have p'E j : (j <= n)%N -> p' j = p j.
  by move=> le_j; rewrite /p' (minn_idPl le_j) (eqP (_ : (j - n)%N == 0%N)) ?mul0r ?addr0 // subn_eq0.
have b'E j : (j <= n)%N -> b' j = b j by rewrite /b' => ->.
have belowE j : (j <= n)%N -> below p' b' j = below p b j.
  by case: j => // j le_j; rewrite /below b'E // p'E // ltnW.
have rho_ge0 : 0 <= rho by have := le_trans (normr_ge0 _) (below_le (leq0n n)); rewrite pmulr_lge0.
have beyond j : (n <= j)%N -> p' j.+1 = p' j + G /\ below p' b' j.+1 = 0.
  move=> le_j; rewrite /below /b' ltnNge le_j /= subrr /p' !(minn_idPr _) ?leqW // subSn // mulrSr mulrDl mul1r addrA.
  by [].
have first' : G <= above p' b' 0 by rewrite /above b'E // p'E.
have step' j : G <= above p' b' j.+1 - below p' b' j.+1.
  case: (ltnP j n) => [lt_j|le_j]; first by rewrite belowE // /above b'E // p'E // gap_step.
  have [p_next ->] := beyond j le_j.
  by rewrite subr0 /above p_next /b' ltnNge le_j /= addrAC subrr add0r.
have below' j : `|below p' b' j| <= rho * G.
  case: (leqP j n) => [le_j|]; first by rewrite belowE ?below_le.
  by case: j => // j; rewrite ltnS => /beyond[_ ->]; rewrite normr0 mulr_ge0 // ltW.
have near' (i j : 'I_n.+1) : `|t i j - (p' i + b' j)| <= e by rewrite p'E ?b'E // -ltnS.
have [_ bound] := W2_square g_gt0 G_gt0 first' step' below' near' q_def q_lt1.
have at_least : sigma_at_least Psi ((1 - q) / (Num.sqrt n.+1%:R * (4 / G))).
  apply: (more_columns f_inj); rewrite (_ : \matrix_(i, j) _ = features g t) //.
  by apply/matrixP => i j; rewrite !mxE columns.
split=> //; apply: sigma_rank at_least.
by rewrite divr_gt0 ?subr_gt0 // mulr_gt0 ?divr_gt0 ?ltr0n // sqrtr_gt0 ltr0n.
Qed.
End Columns.
