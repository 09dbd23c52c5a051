(** From full row rank: down to the infimum by V alone, and to 0 for the cross-entropy. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import norms paths convex lse loss Z1 P1.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

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
End Convex.

(** The cross-entropy strictly decreases to 0, along P1's path. *)
Section CrossEntropy.
Variables (R : realType) (N M m : nat) (y : samples N m) (Psi : 'M[R]_(N, M)) (V0 : 'M[R]_(M, m)).
Hypothesis full : \rank Psi = N.

Theorem downhill_to_zero : exists f : R -> 'M[R]_(M, m),
  [/\ f 0 = V0, continuous_mx f,
      forall s t, 0 <= s -> s < t -> loss y (Psi *m f t) < loss y (Psi *m f s)
    & forall eps : R, 0 < eps -> exists s0, forall s, s0 <= s -> loss y (Psi *m f s) < eps].
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
have frozen i k : k != y i -> - 0 <= margin y (0 : 'M[R]_(N, m)) i k by move=> _; rewrite /margin !mxE subrr oppr0.
have [starts cont falls _ limit] := P1 ltr01 kappa_gt0 large frozen segment.
exists (path V0 V1 kappa); split=> // [s t s_ge0 lt_st|eps eps_gt0].
  by have := falls s t s_ge0 lt_st; rewrite /Phi !addr0.
by have [s0 small] := limit eps eps_gt0; exists s0 => s /small; rewrite /Phi addr0.
Qed.
End CrossEntropy.
