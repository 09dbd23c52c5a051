(** Derivatives of log-sum-exp along a line: the softmax mean and the softmax variance. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import lse.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Real.
Variable R : realType.
Implicit Types f df : R -> R.

Lemma derive_const (c t : R) : is_derive t 1 (fun=> c) 0.
Proof. exact: is_derive_cst. Qed.

Lemma derive_id (t : R) : is_derive t 1 (fun s : R => s) 1.
Proof. exact: is_derive_id. Qed.

Lemma derive_add f g (t a b : R) : is_derive t 1 f a -> is_derive t 1 g b -> is_derive t 1 (fun s => f s + g s) (a + b).
Proof. by move=> f' g'; apply: is_deriveD. Qed.

Lemma derive_sub f g (t a b : R) : is_derive t 1 f a -> is_derive t 1 g b -> is_derive t 1 (fun s => f s - g s) (a - b).
Proof. by move=> f' g'; apply: is_deriveB. Qed.

Lemma derive_mul f g (t a b : R) : is_derive t 1 f a -> is_derive t 1 g b ->
  is_derive t 1 (fun s => f s * g s) (f t * b + g t * a).
Proof. by move=> f' g'; apply: is_deriveM. Qed.

Lemma derive_scale (c : R) f (t a : R) : is_derive t 1 f a -> is_derive t 1 (fun s => c * f s) (c * a).
Proof. by move=> f'; apply: is_derive_eq (derive_mul (derive_const c t) f') _; rewrite mulr0 addr0. Qed.

Lemma derive_comp f g (t a b : R) : is_derive (g t) 1 f a -> is_derive t 1 g b -> is_derive t 1 (fun s => f (g s)) (a * b).
Proof. by move=> f' g'; apply: is_derive1_comp. Qed.

Lemma derive_sum (I : finType) (f : I -> R -> R) (a : I -> R) t : (forall i, is_derive t 1 (f i) (a i)) ->
  is_derive t 1 (fun s => \sum_i f i s) (\sum_i a i).
Proof.
move=> f'; suff gen r g : (forall s, g s = \sum_(i <- r) f i s) -> is_derive t 1 g (\sum_(i <- r) a i).
  exact: gen (fun=> erefl).
elim: r g => [|i r IH] g eq_g.
  by rewrite big_nil (_ : g = fun=> 0); [apply: derive_const | apply/funext => s; rewrite eq_g big_nil].
rewrite big_cons (_ : g = fun s => f i s + \sum_(j <- r) f j s).
  by apply: derive_add => //; apply: IH.
by apply/funext => s; rewrite eq_g big_cons.
Qed.

Lemma derive_inv f (t a : R) : f t != 0 -> is_derive t 1 f a -> is_derive t 1 (fun s => (f s)^-1) (- a / f t ^+ 2).
Proof.
move=> neq0 f'; have inv' : is_derive (f t) 1 (fun s : R => s^-1) (- (f t) ^- 2).
  by have := is_deriveV neq0 (derive_id (f t)); rewrite /GRing.scale /= mulr1.
by apply: is_derive_eq (derive_comp inv' f') _; rewrite mulNr mulNr mulrC.
Qed.

Lemma derive_ext f g (t a b : R) : (forall s, f s = g s) -> a = b -> is_derive t 1 g b -> is_derive t 1 f a.
Proof. by move=> eq_fg ->; rewrite (_ : f = g) //; apply/funext. Qed.

Lemma derive_unique f (t a b : R) : is_derive t 1 f a -> is_derive t 1 f b -> a = b.
Proof. by move=> [_ <-] [_ <-]. Qed.

Lemma is_derive_continuous f df : (forall t, is_derive t 1 f (df t)) -> continuous f.
Proof.
move=> deriv t; apply: differentiable_continuous; apply/derivable1_diffP.
by have [ex _] := deriv t.
Qed.

Lemma mean_value f df (a b : R) : a < b -> (forall t, is_derive t 1 f (df t)) ->
  exists2 c, a < c < b & f b - f a = df c * (b - a).
Proof.
move=> lt_ab deriv.
have cont : {within `[a, b]%classic, continuous f}.
  by apply: continuous_subspaceT; apply: is_derive_continuous deriv.
have [c c_in slope] := MVT lt_ab (fun t _ => deriv t) cont.
by exists c => //; move: c_in; rewrite in_itv.
Qed.

Lemma mean_value_on f df (a b : R) : a < b -> (forall t, a <= t <= b -> is_derive t 1 f (df t)) ->
  exists2 c, a <= c <= b & f b - f a = df c * (b - a).
Proof.
move=> lt_ab deriv.
have cont : {within `[a, b]%classic, continuous f}.
  apply: continuous_in_subspaceT => t; rewrite inE /= in_itv /= => t_in.
  by apply: differentiable_continuous; apply/derivable1_diffP; have [ex _] := deriv t t_in.
have inside t : t \in `]a, b[ -> is_derive t 1 f (df t).
  by rewrite in_itv /= => /andP[lt_a lt_b]; apply: deriv; rewrite !ltW.
have [c c_in slope] := MVT lt_ab inside cont.
by exists c => //; move: c_in; rewrite in_itv /= => /andP[lt_a lt_b]; rewrite !ltW.
Qed.

Lemma derive_pow (t : R) n : is_derive t 1 (fun s => s ^+ n.+1) (n.+1%:R * t ^+ n).
Proof.
elim: n => [|n IH]; first by apply: (derive_ext _ _ (derive_id t)); rewrite ?expr0 ?mulr1.
apply: (derive_ext (fun s => exprS s n.+1) _ (derive_mul (derive_id t) IH)).
by rewrite mulr1 mulrCA -exprS [n.+2%:R]mulrSr mulrDl mul1r.
Qed.

(** A function whose second derivative is at most [B] is below its parabola. *)
Lemma below_parabola f df ddf (B t : R) : 0 < t ->
  (forall s, is_derive s 1 f (df s)) -> (forall s, is_derive s 1 df (ddf s)) -> (forall s, ddf s <= B) ->
  f t <= f 0 + df 0 * t + B / 2 * (t * t).
Proof.
move=> t_gt0 f' f'' le_B; pose g s := f s - df 0 * s - B / 2 * (s * s).
have g' s : is_derive s 1 g (df s - df 0 - B * s).
  have square := derive_mul (derive_id s) (derive_id s).
  have := derive_sub (derive_sub (f' s) (derive_scale (df 0) (derive_id s))) (derive_scale (B / 2) square).
  by move/is_derive_eq; apply; rewrite !mulr1; field.
have [c /andP[c_gt0 _] slope] := mean_value t_gt0 g'.
have [d _ slope2] := mean_value c_gt0 f''.
have : g t <= g 0.
  rewrite -subr_le0 slope subr0 pmulr_lle0 // subr_le0 slope2 subr0.
  by rewrite ler_pmul2r.
rewrite /g !mulr0 !subr0 => le_g.
by rewrite -ler_subl_addr -ler_subl_addr addrAC.
Qed.
End Real.

Section Line.
Variables (R : realType) (m : nat).
Hypothesis m_gt0 : (0 < m)%N.
Variables x h : 'I_m -> R.

Definition line (t : R) (k : 'I_m) : R := x k + t * h k.
Definition mean (t : R) : R := \sum_k softmax (line t) k * h k.
Definition variance (t : R) : R := \sum_k softmax (line t) k * h k ^+ 2 - mean t ^+ 2.

Let S (t : R) := sum_exp (line t).
Let A (t : R) := \sum_k h k * expR (line t k).
Let B (t : R) := \sum_k h k ^+ 2 * expR (line t k).

Lemma derive_exp (c : R) k t : is_derive t 1 (fun t => c * expR (line t k)) (c * h k * expR (line t k)).
Proof.
have line' : is_derive t 1 (fun t => line t k) (h k).
  have := derive_add (derive_const (x k) t) (derive_mul (derive_id t) (derive_const (h k) t)).
  by move/is_derive_eq; apply; rewrite mulr0 mulr1 !add0r.
have := derive_scale c (derive_comp (f := expR) (g := line^~ k) (is_derive_expR (line t k)) line').
by move/is_derive_eq; apply; rewrite mulrA mulrAC.
Qed.

Lemma derive_S t : is_derive t 1 S (A t).
Proof.
apply: (derive_ext _ _ (derive_sum (fun k => derive_exp 1 k t))) => [s|]; apply: eq_bigr => k _; by rewrite mul1r.
Qed.

Lemma derive_A t : is_derive t 1 A (B t).
Proof. by apply: (derive_ext _ _ (derive_sum (fun k => derive_exp (h k) k t))) => //; apply: eq_bigr => k _; rewrite expr2. Qed.

Lemma S_gt0 t : 0 < S t. Proof. exact: sum_exp_gt0. Qed.

Lemma meanE t : mean t = A t * (S t)^-1.
Proof. by rewrite mulr_suml; apply: eq_bigr => k _; rewrite [h k * _]mulrC mulrAC. Qed.

Lemma varianceE t : variance t = B t * (S t)^-1 - (A t * (S t)^-1) ^+ 2.
Proof.
rewrite /variance meanE; congr (_ - _); rewrite mulr_suml.
by apply: eq_bigr => k _; rewrite [h k ^+ 2 * _]mulrC mulrAC.
Qed.

Theorem derive_lse t : is_derive t 1 (fun t => lse (line t)) (mean t).
Proof.
have := derive_comp (f := ln (R := R)) (g := S) (is_derive1_ln (S_gt0 t)) (derive_S t).
by move/is_derive_eq; apply; rewrite meanE mulrC.
Qed.

Theorem derive_mean t : is_derive t 1 mean (variance t).
Proof.
have inverse := derive_inv (f := S) (lt0r_neq0 (S_gt0 t)) (derive_S t).
apply: (derive_ext meanE _ (derive_mul (f := A) (derive_A t) inverse)); rewrite varianceE.
by have := lt0r_neq0 (S_gt0 t); move: (S t) (A t) (B t) => s a b s_neq0; field.
Qed.

(** Half of the sum of the squares of all differences, with the weights of a pair. *)
Lemma variance_pairs t :
  variance t *+ 2 = \sum_k \sum_l softmax (line t) k * softmax (line t) l * (h k - h l) ^+ 2.
Proof.
have one := softmax_sum m_gt0 (line t); rewrite /variance /mean.
set p := softmax (line t) in one *; set E := \sum_k p k * h k; set Q := \sum_k p k * h k ^+ 2.
transitivity (\sum_k (p k * h k ^+ 2 - p k * h k * E *+ 2 + p k * Q)).
  have second : \sum_k p k * Q = Q by rewrite -mulr_suml one mul1r.
  have cross : \sum_k p k * h k * E = E * E by rewrite -mulr_suml.
  by rewrite big_split sumrB sumrMnl second cross -/Q expr2 mulrnBl mulr2n addrAC.
apply: eq_bigr => k _; rewrite -[p k * h k ^+ 2]mulr1 -one !mulr_sumr -sumrMnl -sumrB -big_split /=.
apply: eq_bigr => l _; rewrite -mulr_natl; move: (p k) (p l) (h k) (h l) => a b c d; ring.
Qed.

Lemma variance_ge0 t : 0 <= variance t.
Proof.
rewrite -(pmulrn_lge0 _ (isT : (0 < 2)%N)) variance_pairs.
by do 2!apply: sumr_ge0 => ? _; rewrite mulr_ge0 ?sqr_ge0 // mulr_ge0 ?(softmax_ge0 m_gt0).
Qed.

(** [h k] and [h l] differ: the variance is positive, log-sum-exp strictly convex along the line. *)
Lemma variance_gt0 t k l : h k != h l -> 0 < variance t.
Proof.
move=> differ; rewrite -(pmulrn_lgt0 _ (isT : (0 < 2)%N)) variance_pairs.
have pair_ge0 i j : 0 <= softmax (line t) i * softmax (line t) j * (h i - h j) ^+ 2.
  by rewrite mulr_ge0 ?sqr_ge0 // mulr_ge0 ?(softmax_ge0 m_gt0).
rewrite (bigD1 k) //= ltr_paddr //; first by apply: sumr_ge0 => i _; apply: sumr_ge0.
rewrite (bigD1 l) //= ltr_paddr //; first by apply: sumr_ge0.
apply: mulr_gt0; first by apply: mulr_gt0; apply: softmax_gt0.
by rewrite lt_def sqr_ge0 andbT sqrf_eq0 subr_eq0.
Qed.

(** [diag(p) - p p^T <= I / 2]. *)
Lemma variance_le t : variance t <= (\sum_k h k ^+ 2) / 2.
Proof.
rewrite ler_pdivl_mulr ?ltr0n // mulr_natr variance_pairs.
set p := softmax (line t); have p_ge0 k : 0 <= p k by apply: softmax_ge0.
have one : \sum_k p k = 1 by apply: softmax_sum.
have le_pair k l : p k * p l * (h k - h l) ^+ 2 <=
    (if k == l then 0 else p k * p l * (h k ^+ 2 *+ 2 + h l ^+ 2 *+ 2)).
  case: (eqVneq k l) => [->|_]; first by rewrite subrr expr0n mulr0.
  apply: ler_wpmul2l; first by apply: mulr_ge0; apply: p_ge0.
  rewrite -subr_ge0 (_ : _ - _ = (h k + h l) ^+ 2) ?sqr_ge0 //.
  by rewrite !mulr2n; move: (h k) (h l) => a b; ring.
apply: le_trans (ler_sum _ (fun k _ => ler_sum _ (fun l _ => le_pair k l))) _.
have rest k : \sum_(l | l != k) p l = 1 - p k by rewrite -one [in RHS](bigD1 k) //= addrAC subrr add0r.
have half k : \sum_l (if k == l then 0 else p k * p l * (h k ^+ 2 *+ 2)) = p k * (1 - p k) * (h k ^+ 2 *+ 2).
  rewrite (bigD1 k) //= eqxx add0r -rest mulr_sumr mulr_suml.
  by apply: eq_bigr => l; rewrite eq_sym => /negPf ->.
have split : \sum_k \sum_l (if k == l then 0 else p k * p l * (h k ^+ 2 *+ 2 + h l ^+ 2 *+ 2))
    = (\sum_k p k * (1 - p k) * (h k ^+ 2 *+ 2)) *+ 2.
  rewrite -(eq_bigr _ (fun k _ => half k)) mulr2n [X in _ + X]exchange_big -big_split; apply: eq_bigr => k _; rewrite -big_split; apply: eq_bigr => l _ /=.
  rewrite [l == k]eq_sym; case: (k == l); first by rewrite addr0.
  by rewrite [p l * p k]mulrC -mulrDr.
rewrite split -sumrMnl; apply: ler_sum => k _; rewrite mulrnAr -mulrnA.
have quarter : p k * (1 - p k) *+ 4 <= 1.
  rewrite -subr_ge0 (_ : _ - _ = (1 - p k *+ 2) ^+ 2) ?sqr_ge0 // (mulrnA _ 2 2) !mulr2n; move: (p k) => a; ring.
by rewrite -[leRHS]mul1r -mulrnAl ler_wpmul2r ?sqr_ge0.
Qed.

(** The descent lemma: log-sum-exp is 1/2-smooth. *)
Lemma lse_smooth : lse (line 1) <= lse (line 0) + mean 0 + (\sum_k h k ^+ 2) / 4.
Proof.
have := below_parabola ltr01 derive_lse derive_mean variance_le.
by rewrite !mulr1 -mulrA -invfM -natrM.
Qed.
End Line.
