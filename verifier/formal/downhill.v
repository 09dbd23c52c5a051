(** From full row rank: down to the infimum by V alone, and to 0 for the cross-entropy. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import norms paths convex lse loss Z1 P1.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

(** Infinitely many points, joined by straight segments: at time [n] the path is at [W n]. *)
Section Polygon.
Variables (R : realType) (a b : nat) (W : nat -> 'M[R]_(a, b)).

Definition clamp (x : R) : R := Num.min (Num.max x 0) 1.
Definition up_to k s := W 0%N + \sum_(n < k) clamp (s - n%:R) *: (W n.+1 - W n).
Definition polygon s := up_to (Num.bound `|s|) s.

Lemma up_to_continuous k : continuous_mx (up_to k).
Proof.
move=> i j; pose g s := W 0%N i j + \sum_(n < k) clamp (s - n%:R) * (W n.+1 - W n) i j.
apply: (continuous_ext (g := g)) => [s|].
  by rewrite mxE summxE; congr (_ + _); apply: eq_bigr => n _; rewrite mxE.
apply: continuous_add; first exact: continuous_const.
apply: continuous_sum => n; apply: continuous_mul; last exact: continuous_const.
apply: continuous_min; last exact: continuous_const.
apply: continuous_max; last exact: continuous_const.
by apply: continuous_sub; [apply: continuous_id | apply: continuous_const].
Qed.

Lemma up_to_stable k l s : s <= k%:R -> up_to (k + l) s = up_to k s.
Proof.
move=> le_s; congr (_ + _); elim: l => [|l IH]; first by rewrite addn0.
rewrite addnS big_ord_recr /= IH /clamp max_r ?min_l ?ler01 ?scale0r ?addr0 //.
by rewrite subr_le0 (le_trans le_s) // ler_nat leq_addr.
Qed.

Lemma polygonE k s : s <= k%:R -> polygon s = up_to k s.
Proof.
move=> le_k; have le_b : s <= (Num.bound `|s|)%:R by apply: le_trans (ler_norm s) (ltW (archi_boundP (normr_ge0 s))).
rewrite /polygon; move: (Num.bound _) le_b => l le_l.
by case: (leqP k l) => [|/ltnW] /subnKC <-; rewrite ?up_to_stable.
Qed.

Lemma polygon_continuous : continuous_mx polygon.
Proof.
move=> i j s S; pose k := Num.bound (`|s| + 1).
have big : `|s| + 1 < k%:R by apply: archi_boundP; rewrite addr_ge0.
have same t : `|s - t| < 1 -> polygon t i j = up_to k t i j.
  move=> close; rewrite (polygonE (k := k)) // (le_trans (ler_norm t)) // -(subrK s t) addrC.
  apply: le_trans (ler_norm_add _ _) (le_trans _ (ltW big)); rewrite ler_add2l distrC; exact: ltW.
rewrite same ?subrr ?normr0 // => near_S.
have near1 : nbhs s [set t | S (up_to k t i j)]%classic by apply: up_to_continuous near_S.
suff : nbhs s [set t | S (polygon t i j)]%classic by [].
case/nbhs_ballP: near1 => e /= e_gt0 in_S; apply/nbhs_ballP; exists (Num.min e 1); first by rewrite /= lt_minr e_gt0 ltr01.
move=> t; rewrite /ball /= lt_minr => /andP[close close1]; rewrite same //.
exact: in_S.
Qed.

Lemma succ n : n%:R + 1 = n.+1%:R :> R. Proof. by rewrite -addn1 natrD. Qed.

Lemma polygon_segment n s : n%:R <= s <= n.+1%:R -> polygon s = straight (W n) (W n.+1) (s - n%:R).
Proof.
case/andP=> ge_s le_s; rewrite (polygonE le_s) /up_to big_ord_recr /= addrA.
have whole l : (l <= n)%N -> W 0%N + \sum_(i < l) clamp (s - i%:R) *: (W i.+1 - W i) = W l.
  elim: l => [|l IH] lt_l; first by rewrite big_ord0 addr0.
  rewrite big_ord_recr /= addrA IH ?(ltnW lt_l) // /clamp min_r; first by rewrite scale1r addrC subrK.
  by rewrite le_maxr ler_subr_addl succ (le_trans _ ge_s) // ler_nat.
rewrite whole // /clamp max_l ?subr_ge0 // min_l; last by rewrite ler_subl_addl succ.
apply/matrixP => i j; rewrite straightE !mxE.
by move: (W n i j) (W n.+1 i j) => x z; ring.
Qed.

Lemma polygon_starts : polygon 0 = W 0%N.
Proof. by rewrite (@polygon_segment 0) ?lexx ?ler01 // subr0 straight0. Qed.

Lemma polygon_at n : polygon n.+1%:R = W n.+1.
Proof.
have at_end : n%:R <= n.+1%:R :> R by rewrite ler_nat.
rewrite (@polygon_segment n) ?at_end ?lexx // (_ : n.+1%:R - n%:R = 1) ?straight1 //.
by rewrite -(succ n) addrAC subrr add0r.
Qed.

(** What never increases on each segment never increases. *)
Lemma polygon_falls (f : 'M[R]_(a, b) -> R) :
  (forall n s t, 0 <= s -> s <= t -> t <= 1 -> f (straight (W n) (W n.+1) t) <= f (straight (W n) (W n.+1) s)) ->
  forall s t, 0 <= s -> s <= t -> f (polygon t) <= f (polygon s).
Proof.
move=> falls.
have inside n s t : n%:R <= s -> s <= t -> t <= n.+1%:R -> f (polygon t) <= f (polygon s).
  move=> ge_s le_st le_t; rewrite !(@polygon_segment n) ?ge_s ?le_t ?(le_trans ge_s) ?(le_trans le_st) //.
  by apply: falls; rewrite ?subr_ge0 ?ler_add2r // ler_subl_addl succ.
have at_times n d : f (polygon (n + d)%:R) <= f (polygon n%:R).
  elim: d => [|d IH]; first by rewrite addn0.
  by apply: le_trans IH; rewrite addnS; apply: (inside (n + d)%N); rewrite ?ler_nat ?leqnSn ?lexx.
have found (s : R) : 0 <= s -> exists2 n : nat, n%:R <= s & s < n.+1%:R.
  move=> s_ge0; have := archi_boundP s_ge0; elim: (Num.bound s) => [|k IH] lt_k.
    by have := le_lt_trans s_ge0 lt_k; rewrite ltxx.
  by case: (ltP s k%:R) => [/IH //|ge_k]; exists k.
move=> s t s_ge0 le_st; have t_ge0 := le_trans s_ge0 le_st.
have [[n ge_s lt_s] [p ge_t lt_t]] := (found s s_ge0, found t t_ge0).
have : (n < p.+1)%N by rewrite -(ltr_nat R) (le_lt_trans ge_s) // (le_lt_trans le_st).
rewrite ltnS leq_eqVlt => /orP[/eqP same|lt_np]; first by apply: (inside n) => //; rewrite same ltW.
apply: le_trans (inside p p%:R t (lexx _) ge_t (ltW lt_t)) _.
apply: le_trans (inside n s n.+1%:R ge_s (ltW lt_s) (lexx _)).
by rewrite -(subnKC lt_np) at_times.
Qed.
End Polygon.

Section Convex.
Variables (R : realType) (N M m : nat) (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) (phi : 'M[R]_(N, m) -> R).
Hypothesis full : \rank Psi = N.
Hypothesis phi_convex : convex phi.

Let f V := phi (Psi *m V + K).

Lemma right_inverse : exists X : 'M[R]_(M, N), Psi *m X = 1%:M.
Proof. by exists (pinvmx Psi); apply: mulmxVp; rewrite /row_free full. Qed.

Lemma convex_line_continuous (A B : 'M[R]_(N, m)) : continuous (fun t => phi (straight A B t)).
Proof.
pose g (s : 'M[R]_1) := phi (straight A B (s 0 0)).
have g_convex : convex g.
  move=> r s t t01; rewrite /g; apply: le_trans (phi_convex _ _ t01).
  rewrite le_eqVlt; apply/orP; left; apply/eqP; congr phi; apply/matrixP => i k.
  by rewrite !straightE; move: (A i k) (B i k) (r 0 0) (s 0 0) => x z u v; ring.
move=> t S /nbhs_ballP[eps /= eps_gt0 in_S].
have [d d_gt0 close] := convex_continuous g_convex t%:M eps_gt0.
apply/nbhs_ballP; exists d => //= s; rewrite /ball /= => near_s; apply: in_S.
have := close s%:M; rewrite /g !mxE !eqxx !mulr1n /ball /= distrC; apply.
by move=> i j; rewrite !mxE !ord1 !eqxx !mulr1n distrC.
Qed.

(** V goes straight; the loss never increases, and ends at most at that of any logits [T]. *)
Theorem downhill (V : 'M[R]_(M, m)) T : exists V',
  (forall s t, 0 <= s -> s <= t -> t <= 1 -> f (straight V V' t) <= f (straight V V' s)) /\ f V' <= phi T.
Proof.
have [X inverse] := right_inverse; pose Z := X *m (T - K).
have PsiZ : Psi *m Z = T - K by rewrite mulmxA inverse mul1mx.
have logits t : Psi *m straight V Z t + K = straight (Psi *m V + K) T t.
  rewrite /straight mulmxDr -!scalemxAr PsiZ; apply/matrixP => i k; rewrite !mxE.
  by move: (\sum_j _) (K i k) (T i k) => x y z; ring.
pose h t := f (straight V Z t).
have h_convex s u t : 0 <= t <= 1 -> h ((1 - t) * s + t * u) <= (1 - t) * h s + t * h u.
  move=> t01; rewrite /h /f !logits; apply: le_trans (phi_convex _ _ t01).
  rewrite le_eqVlt; apply/orP; left; apply/eqP; congr phi; apply/matrixP => i k.
  rewrite !straightE; move: ((Psi *m V + K) i k) (T i k) => x y; ring.
have h_continuous : continuous h.
  move=> t; have := @convex_line_continuous (Psi *m V + K) T t.
  by rewrite (_ : h = fun t => phi (straight (Psi *m V + K) T t)) //; apply/funext => s; rewrite /h /f logits.
have h_within : {within `[0, 1]%classic, continuous h} by apply: continuous_subspaceT.
have [c] := EVT_min (@ler01 R) h_within; rewrite in_itv /= => /andP[c_ge0 c_le1] least.
have scaled t : straight V (straight V Z c) t = straight V Z (t * c).
  by apply/matrixP => i k; rewrite !straightE; move: (V i k) (Z i k) => x y; ring.
exists (straight V Z c); split=> [s t s_ge0 le_st t_le1|]; last first.
  apply: le_trans (least 1 _) _; first by rewrite in_itv /= ler01 lexx.
  by rewrite /h /f logits straight1.
rewrite !scaled -/(h _) -/(h _); have t_ge0 : 0 <= t by apply: le_trans le_st.
have c_least r : 0 <= r -> r <= 1 -> h c <= h r by move=> r_ge0 r_le1; apply: least; rewrite in_itv /= r_ge0.
have [s1|s_neq1] := eqVneq s 1.
  by rewrite (_ : t = s) //; apply/le_anti; rewrite le_st s1 t_le1.
have s_lt1 : s < 1 by rewrite lt_def eq_sym s_neq1 (le_trans le_st).
have gap : 0 < 1 - s by rewrite subr_gt0.
pose r := (t - s) / (1 - s).
have r01 : 0 <= r <= 1.
  apply/andP; split; first by rewrite /r divr_ge0 ?subr_ge0 // ltW.
  by rewrite /r ler_pdivr_mulr // mul1r ler_add2r.
have -> : t * c = (1 - r) * (s * c) + r * c.
  by rewrite /r; have := lt0r_neq0 gap; move=> neq; field.
apply: le_trans (h_convex _ _ _ r01) _; case/andP: r01 => r_ge0 r_le1.
apply: (@le_trans _ _ ((1 - r) * h (s * c) + r * h (s * c))); last by rewrite -mulrDl subrK mul1r.
by rewrite ler_add2l ler_wpmul2l // c_least ?mulr_ge0 // mulr_ile1 // ltW.
Qed.

(** One path for all of infinitely many logits: at time [n + 1] the loss is at most that of [T n]. *)
Theorem downhill_path (V : 'M[R]_(M, m)) (T : nat -> 'M[R]_(N, m)) : exists g : R -> 'M[R]_(M, m),
  [/\ g 0 = V, continuous_mx g, forall s t, 0 <= s -> s <= t -> f (g t) <= f (g s)
    & forall n s, n.+1%:R <= s -> f (g s) <= phi (T n)].
Proof.
have [next next_P] := choice (fun x : 'M[R]_(M, m) * 'M[R]_(N, m) => downhill x.1 x.2).
pose W := fix W n := if n is n'.+1 then next (W n', T n') else V.
have falls := @polygon_falls _ _ _ W f (fun n => (next_P (W n, T n)).1).
exists (polygon W); split; [exact: polygon_starts | exact: polygon_continuous | exact: falls | move=> n s late].
apply: le_trans (falls _ _ (ler0n _ _) late) _.
by rewrite polygon_at; apply: (next_P (W n, T n)).2.
Qed.
End Convex.

(** The cross-entropy strictly decreases to 0, along P1's path. *)
Section CrossEntropy.
Variables (R : realType) (N M m : nat) (y : samples N m).
Variables (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) (V0 : 'M[R]_(M, m)).
Hypothesis full : \rank Psi = N.

Theorem downhill_to_zero : exists f : R -> 'M[R]_(M, m),
  [/\ f 0 = V0, continuous_mx f,
      forall s t, 0 <= s -> s < t -> Phi y Psi K (f t) < Phi y Psi K (f s)
    & forall eps : R, 0 < eps -> exists s0, forall s, s0 <= s -> Phi y Psi K (f s) < eps].
Proof.
have [X inverse] := right_inverse full.
pose V1 := X *m (\matrix_(i < N, k < m) (k == y i)%:R : 'M[R]_(N, m)).
have logits1 : Psi *m V1 = \matrix_(i, k) (k == y i)%:R by rewrite mulmxA inverse mul1mx.
have margin1 i k : k != y i -> margin y (Psi *m V1) i k = 1.
  by move=> /negPf other; rewrite logits1 /margin !mxE eqxx other subr0.
pose kappa := 1 + \sum_i \sum_k `|margin y (Psi *m V0) i k|.
have sum_ge0 : 0 <= \sum_i \sum_k `|margin y (Psi *m V0) i k| by do 2!apply: sumr_ge0 => ? _; apply: normr_ge0.
have kappa_gt0 : 0 < kappa by rewrite (lt_le_trans ltr01) // ler_addl.
have large i k : k != y i -> 1 <= margin y (Psi *m V1) i k by move=> other; rewrite margin1.
have segment i k : k != y i -> margin y (Psi *m V0) i k < kappa * margin y (Psi *m V1) i k.
  move=> other; rewrite margin1 // mulr1; apply: le_lt_trans (ler_norm _) _.
  apply: (@le_lt_trans _ _ (\sum_i \sum_k `|margin y (Psi *m V0) i k|)); last by rewrite ltr_addr ltr01.
  rewrite (bigD1 i) //= (bigD1 k) //= -addrA ler_addl addr_ge0 //; first by apply: sumr_ge0 => ? _; apply: normr_ge0.
  by do 2!apply: sumr_ge0 => ? _; apply: normr_ge0.
pose drop := \sum_i \sum_k `|margin y K i k|.
have frozen i k : k != y i -> - drop <= margin y K i k.
  move=> _; rewrite ler_oppl; apply: le_trans (ler_norm _) _; rewrite normrN /drop (bigD1 i) //= (bigD1 k) //=.
  by rewrite -addrA ler_addl addr_ge0 //; do ?apply: sumr_ge0 => *; rewrite ?normr_ge0 // sumr_ge0.
have [starts cont falls _ limit] := P1 ltr01 kappa_gt0 large frozen segment.
by exists (path V0 V1 kappa).
Qed.
End CrossEntropy.
