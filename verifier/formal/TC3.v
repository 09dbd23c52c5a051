(** TC.3: a segment on which a convex loss never increases, for the five losses. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import mathcomp_extra boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import norms paths convex lse loss calculus gradient.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

(** A subgradient [g] at the end, with a slope of at most 0 in the direction of the segment. *)
Section Segment.
Variables (R : realType) (N m : nat) (phi : 'M[R]_(N, m) -> R) (G0 G1 g : 'M[R]_(N, m)).
Hypothesis phi_convex : convex phi.
Hypothesis subgradient : forall G, phi G1 + mdot g (G - G1) <= phi G.
Hypothesis slope_le0 : mdot g (G1 - G0) <= 0.

Lemma end_least t : t <= 1 -> phi G1 <= phi (straight G0 G1 t).
Proof.
move=> t_le1; apply: le_trans (subgradient _).
have -> : straight G0 G1 t - G1 = (t - 1) *: (G1 - G0).
  apply/matrixP => i k; rewrite !mxE.
  by move: (G0 i k) (G1 i k) => x y; ring.
rewrite mdotZr ler_addl -[t - 1]opprB mulNr oppr_ge0.
by rewrite mulr_ge0_le0 ?subr_ge0.
Qed.

Lemma never_increases s t : 0 <= s -> s <= t -> t <= 1 -> phi (straight G0 G1 t) <= phi (straight G0 G1 s).
Proof.
move=> s_ge0 le_st t_le1; have [s1|s_neq1] := eqVneq s 1.
  by rewrite (_ : t = s) //; apply/le_anti; rewrite le_st s1 t_le1.
have s_lt1 : s < 1 by rewrite lt_def eq_sym s_neq1 (le_trans le_st).
have gap : 0 < 1 - s by rewrite subr_gt0.
pose r := (t - s) / (1 - s).
have r_ge0 : 0 <= r by rewrite /r divr_ge0 ?subr_ge0 // ltW.
have r_le1 : r <= 1 by rewrite /r ler_pdivr_mulr // mul1r ler_add2r.
have -> : straight G0 G1 t = straight (straight G0 G1 s) G1 r.
  apply/matrixP => i k; rewrite !straightE /r; have neq := lt0r_neq0 gap.
  by move: (G0 i k) (G1 i k) => x y; field.
apply: le_trans (phi_convex _ _ _) _; first by rewrite r_ge0.
apply: (@le_trans _ _ ((1 - r) * phi (straight G0 G1 s) + r * phi (straight G0 G1 s))).
  by rewrite ler_add2l ler_wpmul2l // end_least // (le_trans le_st).
by rewrite -mulrDl subrK mul1r.
Qed.

(** It never increases, and where the slope is below 0 it strictly decreases. *)
Theorem TC3_segment :
  (forall s t, 0 <= s -> s <= t -> t <= 1 -> phi (straight G0 G1 t) <= phi (straight G0 G1 s)) /\
  (mdot g (G1 - G0) < 0 -> forall s t, 0 <= s -> s < t -> t <= 1 -> phi (straight G0 G1 t) < phi (straight G0 G1 s)).
Proof.
split=> [s t|slope_lt0 s t s_ge0 lt_st t_le1]; first exact: never_increases.
have s_lt1 : s < 1 by apply: lt_le_trans t_le1.
have gap : 0 < 1 - s by rewrite subr_gt0.
have below : phi G1 < phi (straight G0 G1 s).
  apply: lt_le_trans (subgradient _).
  have -> : straight G0 G1 s - G1 = (s - 1) *: (G1 - G0).
    apply/matrixP => i k; rewrite !mxE.
    by move: (G0 i k) (G1 i k) => x y; ring.
  by rewrite mdotZr ltr_addl -[s - 1]opprB mulNr -mulrN mulr_gt0 ?oppr_gt0.
pose r := (t - s) / (1 - s).
have r_gt0 : 0 < r by rewrite /r divr_gt0 ?subr_gt0.
have r_le1 : r <= 1 by rewrite /r ler_pdivr_mulr // mul1r ler_add2r.
have -> : straight G0 G1 t = straight (straight G0 G1 s) G1 r.
  apply/matrixP => i k; rewrite !straightE /r; have neq := lt0r_neq0 gap.
  by move: (G0 i k) (G1 i k) => x y; field.
by apply: convex_descends => //; rewrite r_gt0.
Qed.
End Segment.

(** The losses of one sample with the label [y], their subgradients, and that they are convex. *)
Section Losses.
Variables (R : realType) (m : nat) (y : 'I_m).
Hypothesis m_gt0 : (0 < m)%N.
Implicit Types (G H : 'I_m -> R).

(** [g] is a subgradient of [l] at [G]. *)
Definition tangent (l : ('I_m -> R) -> R) (g : ('I_m -> R) -> 'I_m -> R) := forall G H, l G + \sum_k g G k * (H k - G k) <= l H.

Definition cross_entropy G : R := lse (fun k => G k - G y).
Definition cross_entropy_slope G k : R := softmax G k - (k == y)%:R.

Lemma sum_label (f : 'I_m -> R) : \sum_k (k == y)%:R * f k = f y.
Proof. by rewrite (bigD1 y) //= eqxx mul1r big1 ?addr0 // => k /negPf ->; rewrite mul0r. Qed.

Theorem cross_entropy_tangent : tangent cross_entropy cross_entropy_slope.
Proof.
move=> G H; have := lse_tangent m_gt0 (fun k => G k - G y) (fun k => H k - H y); apply: le_trans.
rewrite ler_add2l le_eqVlt; apply/orP; left; apply/eqP; rewrite /cross_entropy_slope.
under eq_bigr do rewrite mulrBl; rewrite sumrB sum_label.
rewrite [RHS](eq_bigr (fun k => softmax G k * (H k - G k) - softmax G k * (H y - G y))) => [|k _]; last first.
  have -> : softmax (fun k0 => G k0 - G y) k = softmax G k by rewrite (softmax_shift (fun l => G l) (G y) k).
  by move: (softmax G k) (G k) (H k) (G y) (H y) => p a b c e; ring.
by rewrite sumrB -mulr_suml softmax_sum // mul1r.
Qed.

(** The squared error from any target, such as the one with a 1 at the label and 0 elsewhere. *)
Definition squared (target : 'I_m -> R) G : R := 2^-1 * \sum_k (G k - target k) ^+ 2.
Definition squared_slope (target : 'I_m -> R) G k : R := G k - target k.

Theorem squared_tangent target : tangent (squared target) (squared_slope target).
Proof.
move=> G H; rewrite /squared /squared_slope !mulr_sumr -big_split; apply: ler_sum => k _ /=.
move: (target k) (G k) (H k) => c a b; have sq := sqr_ge0 (b - a).
have half : 0 <= 2^-1 * (b - a) ^+ 2 by rewrite mulr_ge0 // invr_ge0 ler0n.
by apply: (le_from half); field.
Qed.

(** [log(1 + e^z)] is above its tangents. *)
Definition softplus (x : R) : R := ln (1 + expR x).
Definition logistic (x : R) : R := expR x / (1 + expR x).

Lemma softplus_tangent (x z : R) : softplus x + logistic x * (z - x) <= softplus z.
Proof.
pose pair (t : R) (k : 'I_2) : R := if k == ord0 then 0 else t.
have sum t : sum_exp (pair t) = 1 + expR t by rewrite /sum_exp !big_ord_recl big_ord0 /pair /= expR0 addr0.
have := lse_tangent (isT : (0 < 2)%N) (pair x) (pair z); rewrite /lse !sum.
rewrite !big_ord_recl big_ord0 /softmax !sum /pair /= subrr mulr0 add0r addr0.
by [].
Qed.

Definition one_vs_rest G : R := softplus (- G y) + \sum_(k | k != y) softplus (G k).
Definition one_vs_rest_slope G k : R := if k == y then - logistic (- G y) else logistic (G k).

Theorem one_vs_rest_tangent : tangent one_vs_rest one_vs_rest_slope.
Proof.
move=> G H; rewrite (bigD1 y) //= addrACA ler_add //.
  rewrite /one_vs_rest_slope eqxx mulNr -mulrN opprB.
  have := softplus_tangent (- G y) (- H y); apply: le_trans.
  by rewrite opprK [- H y + _]addrC.
rewrite -big_split; apply: ler_sum => k /negPf other /=.
by rewrite /one_vs_rest_slope other softplus_tangent.
Qed.

(** Hinge losses: the slope of a piece that attains the maximum. *)
Definition hinge (x : R) : R := Num.max 0 x.

Definition weston_watkins G : R := \sum_(k | k != y) hinge (1 - G y + G k).

(** [on k]: the slope chosen for class [k], between 0 and 1, of a piece that is attained. *)
Definition attained G (on : 'I_m -> R) := forall k, k != y ->
  (on k = 0 /\ 1 - G y + G k <= 0) \/ (on k = 1 /\ 0 <= 1 - G y + G k).

Theorem weston_watkins_tangent G on H (active : attained G on) :
  weston_watkins G + \sum_(k | k != y) on k * ((H k - H y) - (G k - G y)) <= weston_watkins H.
Proof.
rewrite -big_split; apply: ler_sum => k other /=; rewrite /hinge.
case: (active k other) => -[-> sign].
  by rewrite mul0r addr0 max_l // le_maxr lexx.
rewrite mul1r max_r // le_maxr; apply/orP; right; rewrite le_eqVlt; apply/orP; left; apply/eqP.
by move: (G k) (G y) (H k) (H y) => a b c e; ring.
Qed.

(** The maximum over the classes: [c] attains it, or none is above 0. *)
Definition crammer_singer G : R := Num.max 0 (\big[Num.max/0]_(k | k != y) (1 - G y + G k)).

Theorem crammer_singer_tangent G c H (other : c != y) (attains : crammer_singer G = 1 - G y + G c) :
  crammer_singer G + ((H c - H y) - (G c - G y)) <= crammer_singer H.
Proof.
rewrite attains; apply: (@le_trans _ _ (1 - H y + H c)).
  by rewrite le_eqVlt; apply/orP; left; apply/eqP; move: (G c) (G y) (H c) (H y) => a b d e; ring.
rewrite le_maxr; apply/orP; right.
exact: (le_bigmax_cond _ (fun k => 1 - H y + H k) other).
Qed.

Theorem crammer_singer_zero G H : crammer_singer G = 0 -> crammer_singer G <= crammer_singer H.
Proof. by move=> ->; rewrite le_maxr lexx. Qed.

(** What is above its tangents is convex. *)
Theorem tangent_convex l g : tangent l g -> forall G H (t : R), 0 <= t <= 1 ->
  l (fun k => (1 - t) * G k + t * H k) <= (1 - t) * l G + t * l H.
Proof.
move=> above G H t /andP[t_ge0 t_le1]; set c := fun k => _.
have s_ge0 : 0 <= 1 - t by rewrite subr_ge0.
have /(ler_wpmul2l s_ge0) left := above c G; have /(ler_wpmul2l t_ge0) right := above c H.
apply: le_trans (ler_add left right); rewrite le_eqVlt; apply/orP; left; apply/eqP.
rewrite !mulrDr addrACA -mulrDl subrK mul1r -[LHS]addr0; congr (_ + _).
rewrite !mulr_sumr -big_split /= big1 // => k _; rewrite /c.
by move: (g _ k) (G k) (H k) => x a b; ring.
Qed.
End Losses.

(** The loss of all samples: a sum of losses of single ones, one for each sample and each of its labels, with factors that
    are not negative. *)
Section Sum.
Variables (R : realType) (N m : nat) (I : finType) (sample : I -> 'I_N) (a : I -> R) (l : I -> ('I_m -> R) -> R).
Variables (G1 : 'M[R]_(N, m)) (g : I -> 'I_m -> R).
Hypothesis factors : forall i, 0 <= a i.

(** Each has a subgradient everywhere, and [g i] is one at [G1]. *)
Hypothesis everywhere : forall i G, exists s : 'I_m -> R, forall H, l i G + \sum_k s k * (H k - G k) <= l i H.
Hypothesis here : forall i H, l i (G1 (sample i)) + \sum_k g i k * (H k - G1 (sample i) k) <= l i H.

Definition whole (G : 'M[R]_(N, m)) : R := \sum_i a i * l i (G (sample i)).
Definition whole_slope : 'M[R]_(N, m) := \matrix_(j, k) \sum_(i | sample i == j) a i * g i k.

Lemma slopeE (D : 'M[R]_(N, m)) : mdot whole_slope D = \sum_i a i * \sum_k g i k * D (sample i) k.
Proof.
rewrite /mdot (eq_bigr (fun j => \sum_(i | sample i == j) a i * \sum_k g i k * D (sample i) k)) => [|j _].
  by rewrite [RHS](partition_big sample xpredT).
rewrite (eq_bigr (fun k => \sum_(i | sample i == j) a i * g i k * D j k)) => [|k _]; last by rewrite mxE mulr_suml.
rewrite exchange_big; apply: eq_bigr => i /eqP same /=.
by rewrite mulr_sumr; apply: eq_bigr => k _; rewrite same mulrA.
Qed.

Theorem TC3_sum :
  [/\ convex whole, forall G, whole G1 + mdot whole_slope (G - G1) <= whole G
    & forall D, mdot whole_slope D = \sum_i a i * \sum_k g i k * D (sample i) k].
Proof.
split=> [A B t t01|G|]; last exact: slopeE.
  rewrite /whole !mulr_sumr -big_split; apply: ler_sum => i _ /=.
  rewrite !(mulrCA _ (a i)) -mulrDr ler_wpmul2l //; case/andP: t01 => t_ge0 t_le1.
  have s_ge0 : 0 <= 1 - t by rewrite subr_ge0.
  set c := straight A B t (sample i); have [s tangent_c] := everywhere i c.
  have /(ler_wpmul2l s_ge0) left := tangent_c (A (sample i)); have /(ler_wpmul2l t_ge0) right := tangent_c (B (sample i)).
  apply: le_trans (ler_add left right); rewrite le_eqVlt; apply/orP; left; apply/eqP.
  rewrite !mulrDr addrACA -mulrDl subrK mul1r -[LHS]addr0; congr (_ + _).
  rewrite !mulr_sumr -big_split /= big1 // => k _; rewrite /c straightE.
  by move: (s k) (A _ k) (B _ k) => x u v; ring.
rewrite slopeE /whole -big_split; apply: ler_sum => i _ /=; rewrite -mulrDr ler_wpmul2l //.
apply: le_trans (here i (G (sample i))); rewrite ler_add2l le_eqVlt; apply/orP; left; apply/eqP.
by apply: eq_bigr => k _; rewrite !mxE.
Qed.
End Sum.
