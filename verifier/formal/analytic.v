(** Real analytic functions of one variable: sums, products and compositions.

    A function is analytic at a point if it has there a power series that converges absolutely; how fast is part of the
    definition, so that no limits have to be exchanged. Finite sums are polynomials. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals ring zify.
From Landscape Require Import norms.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Powers.
Variable R : realType.

(** Powers of a number below 1 get small. *)
Lemma powers_small (theta C eps : R) : 0 <= theta < 1 -> 0 < eps -> exists K, theta ^+ K * C < eps.
Proof.
case/andP=> theta_ge0 theta_lt1 eps_gt0; have [->|theta_neq0] := eqVneq theta 0.
  by exists 1%N; rewrite expr1 mul0r.
have theta_gt0 : 0 < theta by rewrite lt_def theta_neq0.
pose h := theta^-1 - 1; have h_gt0 : 0 < h by rewrite subr_gt0 invf_gt1.
have h_eq : theta^-1 = 1 + h by rewrite addrC subrK.
have bernoulli K : 1 + K%:R * h <= theta^-1 ^+ K.
  elim: K => [|K IH]; first by rewrite mul0r addr0 expr0.
  rewrite exprS; apply: (@le_trans _ _ (theta^-1 * (1 + K%:R * h))); last by rewrite ler_wpmul2l // invr_ge0.
  have ge0 : 0 <= K%:R * h * h by rewrite !mulr_ge0 ?ler0n // ltW.
  rewrite h_eq [K.+1%:R]mulrSr; apply: (le_from ge0).
  by move: (K%:R : R) h {h_gt0 IH ge0 h_eq} => x z; ring.
have x_ge0 : 0 <= `|C| / eps / h by rewrite !divr_ge0 // ltW.
exists (Num.bound (`|C| / eps / h)); set K := Num.bound _.
have big : `|C| / eps / h < K%:R by apply: archi_boundP.
have pow_gt0 : 0 < theta^-1 ^+ K by rewrite exprn_gt0 // invr_gt0.
have : `|C| < eps * theta^-1 ^+ K.
  rewrite mulrC -ltr_pdivr_mulr //; apply: lt_le_trans (bernoulli K).
  by rewrite (lt_trans (_ : _ < K%:R * h)) ?ltr_addr ?ltr01 // -ltr_pdivr_mulr.
move=> small; apply: le_lt_trans (ler_norm _) _; rewrite normrM ger0_norm ?exprn_ge0 //.
by rewrite -[X in X * _]invrK -exprVn mulrC ltr_pdivr_mulr.
Qed.

Lemma le_limit (x y theta C : R) : 0 <= theta < 1 -> (forall K, x <= y + theta ^+ K * C) -> x <= y.
Proof.
move=> theta01 le_xy; rewrite leNgt; apply/negP => lt_yx.
have gap : 0 < x - y by rewrite subr_gt0.
have [K small] := powers_small C theta01 gap.
have : x - y < x - y by apply: le_lt_trans small; rewrite ler_subl_addl.
by rewrite ltxx.
Qed.
End Powers.

(** The sum of the sizes of a polynomial's terms at distance [r]. *)
Section Size.
Variables (R : realType) (r : R).
Hypothesis r_gt0 : 0 < r.
Implicit Types p q : {poly R}.

Definition psize p : R := \sum_(i < size p) `|p`_i| * r ^+ i.

Lemma term_ge0 p i : 0 <= `|p`_i| * r ^+ i.
Proof. by rewrite mulr_ge0 ?exprn_ge0 // ltW. Qed.

Lemma psize_wide p n : (size p <= n)%N -> psize p = \sum_(i < n) `|p`_i| * r ^+ i.
Proof.
move=> le_n; rewrite /psize (big_ord_widen _ (fun i => `|p`_i| * r ^+ i) le_n) big_mkcond.
apply: eq_bigr => i _; case: ltnP => // le_i.
by rewrite nth_default // normr0 mul0r.
Qed.

Lemma psize_ge0 p : 0 <= psize p.
Proof. by apply: sumr_ge0 => i _; apply: term_ge0. Qed.

Lemma psizeD p q : psize (p + q) <= psize p + psize q.
Proof.
set n := maxn (size p) (size q).
rewrite (psize_wide (size_add p q)) (@psize_wide p n) ?leq_maxl // (@psize_wide q n) ?leq_maxr // -big_split /=.
apply: ler_sum => i _; rewrite -mulrDl ler_wpmul2r ?exprn_ge0 ?(ltW r_gt0) // coefD.
exact: ler_norm_add.
Qed.

Lemma psizeZ c p : psize (c *: p) = `|c| * psize p.
Proof.
rewrite (psize_wide (size_scale_leq c p)) mulr_sumr; apply: eq_bigr => i _.
by rewrite coefZ normrM mulrA.
Qed.

Lemma psize_sum (I : Type) (l : seq I) (F : I -> {poly R}) : psize (\sum_(i <- l) F i) <= \sum_(i <- l) psize (F i).
Proof.
elim: l => [|i l IH]; first by rewrite !big_nil /psize size_poly0 big_ord0.
by rewrite !big_cons; apply: le_trans (psizeD _ _) _; rewrite ler_add2l.
Qed.

Definition pabs p : {poly R} := \poly_(i < size p) `|p`_i|.

Lemma coef_pabs p i : (pabs p)`_i = `|p`_i|.
Proof. by rewrite coef_poly; case: ltnP => // le_i; rewrite nth_default // normr0. Qed.

Lemma psize_horner p : psize p = (pabs p).[r].
Proof. by rewrite horner_poly. Qed.

Lemma psizeM p q : psize (p * q) <= psize p * psize q.
Proof.
rewrite (psize_horner p) (psize_horner q) -hornerM.
set n := maxn (size (p * q)) (size (pabs p * pabs q)).
rewrite (@psize_wide _ n) ?leq_maxl // (@horner_coef_wide _ n) ?leq_maxr //.
apply: ler_sum => i _; rewrite ler_wpmul2r ?exprn_ge0 ?(ltW r_gt0) //.
rewrite !coefM; apply: le_trans (ler_norm_sum _ _ _) _; apply: ler_sum => j _.
by rewrite normrM !coef_pabs.
Qed.

Lemma psize1 : psize 1 = 1.
Proof. by rewrite /psize size_poly1 big_ord1 coef1 eqxx normr1 mul1r expr0. Qed.

Lemma psizeX p k : psize (p ^+ k) <= psize p ^+ k.
Proof.
elim: k => [|k IH]; first by rewrite !expr0 psize1.
by rewrite !exprS; apply: le_trans (psizeM _ _) _; rewrite ler_wpmul2l ?psize_ge0.
Qed.

(** What is left of a polynomial after its first [K] terms. *)
Lemma poly_tail p (s theta : R) K : 0 <= theta <= 1 -> `|s| <= theta * r ->
  `|\sum_(i < K) p`_i * s ^+ i - p.[s]| <= theta ^+ K * psize p.
Proof.
case/andP=> theta_ge0 theta_le1 small; set n := (K + size p)%N.
rewrite (@horner_coef_wide _ n) ?leq_addl // (big_ord_widen n (fun i => p`_i * s ^+ i)) ?leq_addr // big_mkcond -sumrB.
rewrite (@psize_wide _ n) ?leq_addl // mulr_sumr.
apply: le_trans (ler_norm_sum _ _ _) _; apply: ler_sum => i _.
case: ltnP => [_|le_i]; first by rewrite subrr normr0 mulr_ge0 ?exprn_ge0 ?term_ge0.
rewrite sub0r normrN normrM mulrCA ler_wpmul2l // normrX.
apply: (@le_trans _ _ ((theta * r) ^+ i)); first by rewrite ler_expn2r ?nnegrE // mulr_ge0 // ltW.
rewrite exprMn ler_wpmul2r ?exprn_ge0 ?(ltW r_gt0) //.
by rewrite ler_wiexpn2l.
Qed.
End Size.

Section Analytic.
Variable R : realType.
Implicit Types (a b c : nat -> R) (r s C D t : R) (f g : R -> R).

(** The first [K] terms. *)
Definition first a K : {poly R} := \poly_(n < K) a n.

Lemma psize_first a r K : psize r (first a K) = \sum_(n < K) `|a n| * r ^+ n.
Proof.
rewrite (@psize_wide _ r _ K) ?size_poly //.
by apply: eq_bigr => i _; rewrite coef_poly ltn_ord.
Qed.

Definition expands f t r C a :=
  [/\ 0 < r, forall K, psize r (first a K) <= C
    & forall s theta K, 0 <= theta < 1 -> `|s| <= theta * r -> `|(first a K).[s] - f (t + s)| <= theta ^+ K * C].

Definition analytic_at f t := exists r C a, expands f t r C a.
Definition analytic f := forall t, analytic_at f t.

Lemma expands_shrink f t r r' C a : 0 < r' -> r' <= r -> expands f t r C a -> expands f t r' C a.
Proof.
move=> r'_gt0 le_r [r_gt0 size_le near]; split=> // [K|s theta K theta01 small].
  apply: le_trans (size_le K); rewrite !psize_first //; apply: ler_sum => n _.
  by apply: ler_wpmul2l => //; apply: ler_expn2r; rewrite // nnegrE ltW.
by apply: near => //; apply: le_trans small _; rewrite ler_wpmul2l //; case/andP: theta01.
Qed.

Lemma expands_ge0 f t r C a : expands f t r C a -> 0 <= C.
Proof. by case=> r_gt0 size_le _; apply: le_trans (psize_ge0 r_gt0 _) (size_le 0%N). Qed.

Lemma expands_value f t r C a s theta : expands f t r C a -> 0 <= theta < 1 -> `|s| <= theta * r -> `|f (t + s)| <= C.
Proof.
case=> _ _ near theta01 small; have := near s theta 0%N theta01 small.
by rewrite /first poly_def big_ord0 horner0 sub0r normrN expr0 mul1r.
Qed.

Lemma expands_first f t r C a s theta K : expands f t r C a -> 0 <= theta < 1 -> `|s| <= theta * r ->
  `|(first a K).[s]| <= C.
Proof.
case=> r_gt0 size_le _ /andP[theta_ge0 theta_lt1] small; apply: le_trans (size_le K).
have := @poly_tail _ _ r_gt0 (first a K) s theta 0%N; rewrite big_ord0 sub0r normrN expr0 mul1r.
by apply=> //; rewrite theta_ge0 ltW.
Qed.

Lemma analytic_const (v : R) : analytic (fun=> v).
Proof.
move=> t; exists 1, `|v|, (fun n => if n is 0%N then v else 0); split=> [|K|s theta K theta01 _]; first exact: ltr01.
  rewrite psize_first //; case: K => [|K]; first by rewrite big_ord0.
  by rewrite big_ord_recl expr0 mulr1 big1 ?addr0 // => i _; rewrite normr0 mul0r.
have theta_ge0 : 0 <= theta by case/andP: theta01.
case: K => [|K]; first by rewrite /first poly_def big_ord0 horner0 sub0r normrN expr0 mul1r.
by rewrite horner_poly big_ord_recl big1 ?addr0 ?expr0 ?mulr1 ?subrr ?normr0 ?mulr_ge0 ?exprn_ge0 // => i _; rewrite mul0r.
Qed.

Lemma analytic_id : analytic (fun t => t).
Proof.
move=> t; exists 1, (`|t| + 1), (fun n => if n is n'.+1 then (if n' is 0%N then 1 else 0) else t).
have first_two s K : (first (fun n => if n is n'.+1 then (if n' is 0%N then 1 else 0) else t) K.+2).[s] = t + s.
  rewrite horner_poly !big_ord_recl /= expr0 mulr1 expr1 mul1r big1 ?addr0 // => i _.
  by rewrite mul0r.
split=> [|K|s theta K theta01 small]; first exact: ltr01.
  rewrite psize_first //; case: K => [|[|K]]; first by rewrite big_ord0 addr_ge0.
    by rewrite big_ord_recl big_ord0 expr0 mulr1 addr0 ler_addl.
  rewrite !big_ord_recl /= !expr1n !mulr1 normr1 big1 ?addr0 // => i _.
  by rewrite normr0 mul0r.
case/andP: theta01 => theta_ge0 theta_lt1; rewrite mulr1 in small.
case: K => [|[|K]].
- rewrite /first poly_def big_ord0 horner0 sub0r normrN expr0 mul1r; apply: le_trans (ler_norm_add _ _) _.
  by rewrite ler_add2l (le_trans small) // ltW.
- rewrite horner_poly big_ord_recl big_ord0 expr0 mulr1 addr0 opprD addrA subrr sub0r normrN expr1.
  by apply: le_trans small _; rewrite ler_pemulr // ler_addr.
by rewrite first_two subrr normr0 mulr_ge0 ?exprn_ge0 ?addr_ge0.
Qed.

Lemma analytic_add f g t : analytic_at f t -> analytic_at g t -> analytic_at (fun t => f t + g t) t.
Proof.
move=> [r1 [C [a exp_f]]] [r2 [D [b exp_g]]].
have r1_gt0 : 0 < r1 by case: exp_f. have r2_gt0 : 0 < r2 by case: exp_g.
pose r := Num.min r1 r2; have r_gt0 : 0 < r by rewrite /r lt_minr r1_gt0.
have {exp_f} := expands_shrink r_gt0 (_ : r <= r1) exp_f; rewrite /r le_minl lexx => /(_ isT) [_ size_f near_f].
have {exp_g} := expands_shrink r_gt0 (_ : r <= r2) exp_g; rewrite /r le_minl lexx orbT => /(_ isT) [_ size_g near_g].
exists r, (C + D), (fun n => a n + b n).
have sum K : first (fun n => a n + b n) K = first a K + first b K.
  by apply/polyP => i; rewrite coefD !coef_poly; case: ltnP => // _; rewrite addr0.
split=> // [K|s theta K theta01 small]; rewrite sum.
  by apply: le_trans (psizeD r_gt0 _ _) _; rewrite ler_add.
rewrite hornerD opprD addrACA mulrDr; apply: le_trans (ler_norm_add _ _) _.
by rewrite ler_add ?near_f ?near_g.
Qed.

(** A polynomial whose first coefficients are those of a series. *)
Lemma psize_part (p : {poly R}) c r K : 0 < r -> (forall n, (n < K)%N -> p`_n = c n) -> psize r (first c K) <= psize r p.
Proof.
move=> r_gt0 agree; rewrite psize_first (@psize_wide _ r _ (K + size p)) ?leq_addl //.
rewrite big_split_ord /= -[leLHS]addr0 ler_add ?sumr_ge0 // => [|i _]; last exact: term_ge0.
by apply: ler_sum => i _; rewrite agree.
Qed.

Lemma first_tail (p : {poly R}) c r s theta K : 0 < r -> 0 <= theta < 1 -> `|s| <= theta * r ->
  (forall n, (n < K)%N -> p`_n = c n) -> `|(first c K).[s] - p.[s]| <= theta ^+ K * psize r p.
Proof.
move=> r_gt0 /andP[theta_ge0 theta_lt1] small agree.
rewrite horner_poly (eq_bigr (fun i : 'I_K => p`_i * s ^+ i)) => [|i _]; last by rewrite agree.
by apply: poly_tail small; rewrite // theta_ge0 ltW.
Qed.

(** The Cauchy product. *)
Definition cauchy a b n : R := \sum_(k < n.+1) a k * b (n - k)%N.

Lemma cauchy_first a b K n : (n < K)%N -> (first a K * first b K)`_n = cauchy a b n.
Proof.
move=> lt_n; rewrite coefM; apply: eq_bigr => k _; rewrite !coef_poly.
have lt_k : (k < K)%N by apply: leq_ltn_trans lt_n; rewrite -ltnS.
by rewrite lt_k (leq_ltn_trans (leq_subr _ _) lt_n).
Qed.

Lemma analytic_mul f g t : analytic_at f t -> analytic_at g t -> analytic_at (fun t => f t * g t) t.
Proof.
move=> [r1 [C [a exp_f]]] [r2 [D [b exp_g]]].
have r1_gt0 : 0 < r1 by case: exp_f. have r2_gt0 : 0 < r2 by case: exp_g.
pose r := Num.min r1 r2; have r_gt0 : 0 < r by rewrite /r lt_minr r1_gt0.
have {}exp_f : expands f t r C a by apply: expands_shrink exp_f; rewrite // /r le_minl lexx.
have {}exp_g : expands g t r D b by apply: expands_shrink exp_g; rewrite // /r le_minl lexx orbT.
have C_ge0 := expands_ge0 exp_f; have D_ge0 := expands_ge0 exp_g.
exists r, (3 * (C * D)), (cauchy a b).
have product_size K : psize r (first a K * first b K) <= C * D.
  apply: le_trans (psizeM r_gt0 _ _) _; apply: ler_pmul; rewrite ?psize_ge0 //.
    by case: exp_f.
  by case: exp_g.
have CD_ge0 : 0 <= C * D by rewrite mulr_ge0.
split=> // [K|s theta K theta01 small].
  apply: le_trans (psize_part r_gt0 (fun n => cauchy_first a b (n := n))) _.
  by apply: le_trans (product_size K) _; rewrite ler_pemull // ler1n.
have theta_ge0 : 0 <= theta by case/andP: theta01.
set AB := first a K * first b K.
have tail : `|(first (cauchy a b) K).[s] - AB.[s]| <= theta ^+ K * (C * D).
  apply: le_trans (first_tail r_gt0 theta01 small (fun n => cauchy_first a b (n := n))) _.
  by rewrite ler_wpmul2l ?exprn_ge0 ?product_size.
have product : `|AB.[s] - f (t + s) * g (t + s)| <= theta ^+ K * (C * D) + theta ^+ K * (C * D).
  rewrite hornerM.
  have -> : (first a K).[s] * (first b K).[s] - f (t + s) * g (t + s) =
    (first a K).[s] * ((first b K).[s] - g (t + s)) + ((first a K).[s] - f (t + s)) * g (t + s).
    by move: (_.[s]) (_.[s]) (f _) (g _) => x z u v; ring.
  apply: le_trans (ler_norm_add _ _) _; rewrite !normrM; apply: ler_add.
    rewrite mulrCA; apply: ler_pmul => //; first exact: expands_first exp_f theta01 small.
    by case: exp_g => _ _; apply.
  rewrite mulrA; apply: ler_pmul => //; last exact: expands_value exp_g theta01 small.
  by case: exp_f => _ _; apply.
have := ler_add tail product; have := ler_dist_add AB.[s] (first (cauchy a b) K).[s] (f (t + s) * g (t + s)).
move=> /le_trans/[apply] /le_trans; apply.
by rewrite le_eqVlt; apply/orP; left; apply/eqP; move: (theta ^+ K) (C * D) => x z; ring.
Qed.
Lemma analytic_ext f g t : (forall s, f s = g s) -> analytic_at g t -> analytic_at f t.
Proof. by move=> eq_fg; rewrite (_ : f = g) //; apply/funext. Qed.

Lemma analytic_sum (I : finType) (F : I -> R -> R) t :
  (forall i, analytic_at (F i) t) -> analytic_at (fun t => \sum_i F i t) t.
Proof.
move=> an_F; suff gen l g : (forall s, g s = \sum_(i <- l) F i s) -> analytic_at g t by exact: gen (fun=> erefl).
elim: l g => [|i l IH] g eq_g.
  by apply: (analytic_ext (g := fun=> 0)) => [s|]; [rewrite eq_g big_nil | apply: analytic_const].
apply: (analytic_ext (g := fun s => F i s + \sum_(j <- l) F j s)) => [s|]; first by rewrite eq_g big_cons.
by apply: analytic_add => //; apply: IH.
Qed.

Lemma analytic_prod (I : finType) (F : I -> R -> R) t :
  (forall i, analytic_at (F i) t) -> analytic_at (fun t => \prod_i F i t) t.
Proof.
move=> an_F; suff gen l g : (forall s, g s = \prod_(i <- l) F i s) -> analytic_at g t by exact: gen (fun=> erefl).
elim: l g => [|i l IH] g eq_g.
  by apply: (analytic_ext (g := fun=> 1)) => [s|]; [rewrite eq_g big_nil | apply: analytic_const].
apply: (analytic_ext (g := fun s => F i s * \prod_(j <- l) F j s)) => [s|]; first by rewrite eq_g big_cons.
by apply: analytic_mul => //; apply: IH.
Qed.

(** Coefficients of powers of a polynomial depend on the coefficients before them only. *)
Lemma coef_pow_agree (p q : {poly R}) n k :
  (forall i, (i <= n)%N -> p`_i = q`_i) -> forall i, (i <= n)%N -> (p ^+ k)`_i = (q ^+ k)`_i.
Proof.
move=> agree; elim: k => [|k IH] i le_i; first by rewrite !expr0.
rewrite !exprS !coefM; apply: eq_bigr => j _.
have le_j : (j <= n)%N by apply: leq_trans le_i; rewrite -ltnS.
by rewrite agree // IH // (leq_trans (leq_subr _ _)).
Qed.

Lemma coef_pow_low (p : {poly R}) n k : p`_0 = 0 -> (n < k)%N -> (p ^+ k)`_n = 0.
Proof.
move=> zero; elim: k n => // k IH n lt_n; rewrite exprS coefM big1 // => j _.
case: (posnP j) => [->|j_gt0]; first by rewrite zero mul0r.
by rewrite IH ?mulr0 //; have := ltn_ord j; lia.
Qed.

(** The series of a composition, if [b 0] is left out. *)
Definition composed a b n : R := (\sum_(k < n.+1) a k *: first b n.+1 ^+ k)`_n.

Lemma composed_first a b K n : b 0%N = 0 -> (n < K)%N -> (\sum_(k < K) a k *: first b K ^+ k)`_n = composed a b n.
Proof.
move=> b0 lt_n; rewrite /composed !coef_sum (big_ord_widen _ (fun k => (a k *: first b n.+1 ^+ k)`_n) lt_n) [RHS]big_mkcond.
apply: eq_bigr => k _; rewrite !coefZ; case: ltnP => [le_k|lt_k].
  congr (_ * _); apply: (@coef_pow_agree _ _ n) => // i le_i; rewrite !coef_poly ltnS le_i.
  by rewrite (leq_ltn_trans le_i lt_n).
by rewrite coef_pow_low ?mulr0 // coef_poly; case: ifP.
Qed.

Lemma pow_diff (x z B : R) k : `|x| <= B -> `|z| <= B -> `|x ^+ k.+1 - z ^+ k.+1| <= k.+1%:R * B ^+ k * `|x - z|.
Proof.
move=> le_x le_z; have B_ge0 : 0 <= B by apply: le_trans le_x.
elim: k => [|k IH]; first by rewrite !expr1 expr0 !mul1r.
have -> : x ^+ k.+2 - z ^+ k.+2 = x * (x ^+ k.+1 - z ^+ k.+1) + z ^+ k.+1 * (x - z).
  by rewrite !(exprS _ k.+1); move: (x ^+ k.+1) (z ^+ k.+1) => u v; ring.
apply: le_trans (ler_norm_add _ _) _; rewrite !normrM normrX.
have le1 : `|x| * `|x ^+ k.+1 - z ^+ k.+1| <= B * (k.+1%:R * B ^+ k * `|x - z|) by apply: ler_pmul.
have le2 : `|z| ^+ k.+1 * `|x - z| <= B ^+ k.+1 * `|x - z|.
  by rewrite ler_wpmul2r //; apply: ler_expn2r; rewrite ?nnegrE.
apply: le_trans (ler_add le1 le2) _; rewrite le_eqVlt; apply/orP; left; apply/eqP.
by rewrite [k.+2%:R]mulrSr exprS; move: (k.+1%:R : R) (B ^+ k) (`|_|) => u v w; ring.
Qed.

Lemma le_pow2 k : k%:R <= 2 ^+ k :> R.
Proof. by rewrite -natrX ler_nat ltnW // ltn_expl. Qed.

Lemma analytic_comp f g t : analytic_at f (g t) -> analytic_at g t -> analytic_at (fun t => f (g t)) t.
Proof.
move=> [rho [A [a exp_f]]] [r [D [b exp_g]]].
have [rho_gt0 size_f near_f] := exp_f; have [r_gt0 size_g near_g] := exp_g.
have D_ge0 := expands_ge0 exp_g; have A_ge0 := expands_ge0 exp_f.
have b0 : b 0%N = g t.
  have := near_g 0 0 1%N; rewrite lexx ltr01 normr0 mul0r lexx addr0 expr1 mul0r => /(_ isT isT).
  by rewrite normr_le0 subr_eq0 horner_poly big_ord1 expr0 mulr1 => /eqP.
pose kappa : R := Num.min 2^-1 (rho / 2 / (D + 1)).
have D1_gt0 : 0 < D + 1 by rewrite (lt_le_trans ltr01) // ler_addr.
have kappa_gt0 : 0 < kappa by rewrite /kappa lt_minr invr_gt0 ltr0n /= !divr_gt0 ?ltr0n.
have kappa_half : kappa <= 2^-1 by rewrite /kappa le_minl lexx.
have kappa_lt1 : kappa < 1 by apply: le_lt_trans kappa_half _; rewrite invf_lt1 ?ltr0n ?ltr1n.
pose H := kappa * D; have H_ge0 : 0 <= H by rewrite mulr_ge0 // ltW.
have H_le : H <= rho / 2.
  apply: (@le_trans _ _ (rho / 2 / (D + 1) * (D + 1))); last by rewrite mulfVK ?gt_eqF.
  apply: ler_pmul; rewrite ?(ltW kappa_gt0) //; first by rewrite /kappa le_minl lexx orbT.
  by rewrite ler_addl ler01.
pose b' n := if n is 0%N then 0 else b n; pose r' := kappa * r.
have r'_gt0 : 0 < r' by rewrite /r' mulr_gt0.
have b'0 : b' 0%N = 0 by [].
have first_b' K : first b' K.+1 = first b K.+1 - (b 0%N)%:P.
  apply/polyP => i; rewrite coefB !coef_poly coefC; case: i => [|i]; first by rewrite /= subrr.
  by rewrite /= subr0.
(* the terms of b' *)
have size_b' K : psize r' (first b' K) <= H.
  rewrite psize_first /r'; apply: (@le_trans _ _ (\sum_(n < K) kappa * (`|b n| * r ^+ n))).
    apply: ler_sum => -[[|n] lt_n] _; rewrite /= ?normr0 ?mul0r.
      by rewrite mulr_ge0 ?(ltW kappa_gt0) // mulr_ge0 ?exprn_ge0 // ltW.
    rewrite exprMn mulrCA ler_wpmul2r ?mulr_ge0 ?exprn_ge0 ?(ltW r_gt0) //.
    by rewrite exprS ler_pimulr ?(ltW kappa_gt0) // exprn_ile1 ?ltW.
  by rewrite -mulr_sumr -psize_first ler_wpmul2l // ltW.
pose h s := g (t + s) - b 0%N.
have near_h s theta K : 0 <= theta < 1 -> `|s| <= theta * r' -> `|(first b' K.+1).[s] - h s| <= theta ^+ K.+1 * H.
  case/andP=> theta_ge0 theta_lt1 small.
  rewrite first_b' hornerD hornerN hornerC /h opprB addrA subrK.
  apply: le_trans (near_g s (theta * kappa) K.+1 _ _) _.
  - by rewrite mulr_ge0 ?(ltW kappa_gt0) //= mulr_ilt1 ?(ltW kappa_gt0).
  - by rewrite -mulrA.
  rewrite exprMn -mulrA ler_wpmul2l ?exprn_ge0 //; apply: ler_wpmul2r => //.
  by rewrite exprS ler_pimulr ?(ltW kappa_gt0) // exprn_ile1 ?ltW.
have small_h s theta : 0 <= theta < 1 -> `|s| <= theta * r' -> `|h s| <= theta * H.
  move=> theta01 small; have := near_h s theta 0%N theta01 small.
  by rewrite horner_poly big_ord1 b'0 mul0r sub0r normrN expr1.
pose p K : {poly R} := \sum_(k < K) a k *: first b' K ^+ k.
have size_p K : psize r' (p K) <= A.
  apply: le_trans (psize_sum r'_gt0 _ _) _; apply: le_trans (size_f K); rewrite psize_first.
  apply: ler_sum => k _; rewrite psizeZ ler_wpmul2l //.
  apply: le_trans (psizeX r'_gt0 _ _) _; apply: ler_expn2r; rewrite ?nnegrE ?psize_ge0 ?(ltW rho_gt0) //.
  by apply: le_trans (size_b' K) _; apply: le_trans H_le _; rewrite ler_pdivr_mulr ?ltr0n // ler_pemulr ?ler1n // ltW.
have first_p K n : (n < K)%N -> (p K)`_n = composed a b' n by apply: composed_first.
exists r', (3 * A), (composed a b'); split=> // [K|s theta K theta01 small].
  apply: le_trans (psize_part r'_gt0 (first_p K)) _; apply: le_trans (size_p K) _.
  by rewrite ler_pemull // ler1n.
have theta_ge0 : 0 <= theta by case/andP: theta01.
have theta_le1 : theta <= 1 by case/andP: theta01 => _ /ltW.
have le1 : `|(first (composed a b') K).[s] - (p K).[s]| <= theta ^+ K * A.
  apply: le_trans (first_tail r'_gt0 theta01 small (first_p K)) _.
  by rewrite ler_wpmul2l ?exprn_ge0.
have h_le : `|h s| <= H.
  by apply: le_trans (small_h s theta theta01 small) _; rewrite ler_pimull.
have le3 : `|(first a K).[h s] - f (g (t + s))| <= theta ^+ K * A.
  have -> : g (t + s) = g t + h s by rewrite /h b0 addrCA subrr addr0.
  apply: near_f => //; apply: le_trans (small_h s theta theta01 small) _.
  by rewrite ler_wpmul2l //; apply: le_trans H_le _; rewrite ler_pdivr_mulr ?ltr0n // ler_pemulr ?ler1n // ltW.
have le2 : `|(p K).[s] - (first a K).[h s]| <= theta ^+ K * A.
  rewrite /p horner_sum horner_poly -sumrB; apply: le_trans (ler_norm_sum _ _ _) _.
  apply: (@le_trans _ _ (theta ^+ K * psize rho (first a K))); last by rewrite ler_wpmul2l ?exprn_ge0.
  rewrite psize_first mulr_sumr; apply: ler_sum => k _.
  rewrite hornerZ horner_exp -mulrBr normrM mulrCA ler_wpmul2l //.
  case: k => -[|k] lt_k /=; first by rewrite !expr0 subrr normr0 mulr1 exprn_ge0.
  case: K lt_k {le1 le3} => // K _.
  have B_le : `|(first b' K.+1).[s]| <= H.
    apply: le_trans (size_b' K.+1).
    have := @poly_tail _ _ r'_gt0 (first b' K.+1) s theta 0%N; rewrite big_ord0 sub0r normrN expr0 mul1r.
    by apply=> //; rewrite theta_ge0.
  apply: le_trans (pow_diff k B_le h_le) _.
  apply: le_trans (ler_wpmul2l _ (near_h s theta K theta01 small)) _; first by rewrite mulr_ge0 ?ler0n ?exprn_ge0.
  rewrite mulrCA ler_wpmul2l ?exprn_ge0 // -mulrA -exprSr.
  apply: (@le_trans _ _ (2 ^+ k.+1 * (rho / 2) ^+ k.+1)).
    by apply: ler_pmul; rewrite ?ler0n ?exprn_ge0 ?le_pow2 //; apply: ler_expn2r; rewrite ?nnegrE ?divr_ge0 ?ler0n ?(ltW rho_gt0).
  by rewrite -exprMn mulrCA divff ?mulr1 // pnatr_eq0.
have := ler_add (ler_add le1 le2) le3; set x := (first _ _).[s]; set z := (p K).[s]; set u := (first a K).[h s]; set v := f _.
move=> sum; apply: le_trans (ler_dist_add u _ _) _; apply: le_trans (ler_add (ler_dist_add z _ _) (lexx _)) _.
by apply: le_trans sum _; rewrite le_eqVlt; apply/orP; left; apply/eqP; move: (theta ^+ K) => w; ring.
Qed.
End Analytic.
