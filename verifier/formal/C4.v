(** C4: no local maximum anywhere, also where Psi(U) = 0. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import norms lse loss gradient.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

(** A loss that is strictly convex along all directions with a row that is not constant: on a line through [G] it is
    larger on one side at least. The cross-entropy is one, also with labels that conflict (a mean of such). *)
Section StrictlyConvex.
Variables (R : realType) (N m : nat).

Definition strictly_convex_rows (phi : 'M[R]_(N, m) -> R) := forall (G H : 'M[R]_(N, m)) i k l (a b : R),
  H i k != H i l -> a < 0 -> 0 < b -> phi G < phi (G + a *: H) \/ phi G < phi (G + b *: H).

Lemma cross_entropy_strict (y : samples N m) : strictly_convex_rows (loss y).
Proof.
move=> G H i k l a b differ a_lt0 b_gt0; case: (lerP 0 (slope y G H)) => [up|down]; [right|left].
  apply: le_lt_trans (loss_above_strict y G differ b_gt0).
  by rewrite ler_addl mulr_ge0 // ltW.
have a'_gt0 : 0 < - a by rewrite oppr_gt0.
have differ' : (- H) i k != (- H) i l by rewrite !mxE eqr_opp.
have := loss_above_strict y G differ' a'_gt0; rewrite scaleNr scalerN opprK; apply: le_lt_trans.
rewrite ler_addl mulr_ge0 ?(ltW a'_gt0) //.
have slopeN : slope y G (- H) = - slope y G H.
  rewrite /slope -mulrN -sumrN; congr (_ * _); apply: eq_bigr => j _; rewrite -mulrN -sumrN; congr (_ * _).
  by apply: eq_bigr => c _; rewrite [(- H) j c]mxE mulrN.
by rewrite slopeN oppr_ge0 ltW.
Qed.
End StrictlyConvex.

Section NoMaximum.
Variables (R : realType) (N M m : nat) (phi : 'M[R]_(N, m) -> R) (K : 'M[R]_(N, m)).
Hypothesis phi_strict : strictly_convex_rows phi.
Hypothesis N_gt0 : (0 < N)%N.
Variables (k0 l0 : 'I_m).
Hypothesis two_classes : k0 != l0.

(** Where an entry of Psi(U) is not 0: along an output weight of its column. *)
Theorem C4_nonzero (Psi : 'M[R]_(N, M)) (V : 'M[R]_(M, m)) i j (t : R) : Psi i j != 0 -> 0 < t ->
  phi (Psi *m V + K) < phi (Psi *m (V - t *: delta_mx j k0) + K) \/
  phi (Psi *m V + K) < phi (Psi *m (V + t *: delta_mx j k0) + K).
Proof.
move=> neq0 t_gt0; pose H := Psi *m delta_mx j k0 : 'M[R]_(N, m).
have H_row l : H i l = Psi i j * (l == k0)%:R.
  rewrite mxE (bigD1 j) //= big1 ?addr0; first by rewrite mxE eqxx.
  by move=> a /negPf neq; rewrite mxE neq mulr0.
have differ : H i k0 != H i l0.
  by rewrite !H_row eqxx eq_sym eq_sym [l0 == k0]eq_sym (negPf two_classes) mulr0 mulr1.
have := phi_strict (Psi *m V + K) differ (_ : - t < 0) t_gt0; rewrite oppr_lt0 => /(_ t_gt0).
by rewrite scaleNr mulmxBr mulmxDr -!scalemxAr ![_ + _ + K]addrAC.
Qed.

(** Where Psi(U) = 0. The units of [Q] use one entry of a bias; moving it by [s] makes their columns [e(s) 1], and changes
    no other column. [e] is the activation around its only zero, where all their pre-activations are. *)
Variables (Q : 'I_M -> bool) (j0 : 'I_M) (e : R -> R).
Hypothesis Q_j0 : Q j0.

Definition shifted_features (s : R) : 'M[R]_(N, M) := \matrix_(i, j) (if Q j then e s else 0).

(** The change of sign at the zero. *)
Hypothesis changes_sign : forall d, 0 < d -> (exists2 s, `|s| < d & e s < 0) /\ (exists2 s, `|s| < d & 0 < e s).

Theorem C4_zero (V : 'M[R]_(M, m)) (d : R) : 0 < d -> exists s t,
  [/\ `|s| < d, `|t| < d & phi ((0 : 'M[R]_(N, M)) *m V + K) < phi (shifted_features s *m (V + t *: delta_mx j0 k0) + K)].
Proof.
move=> d_gt0; rewrite mul0mx add0r.
pose v t k := \sum_(j | Q j) (V + t *: delta_mx j0 k0) j k.
have v_row t k : v t k = v 0 k + t * (k == k0)%:R.
  have entry t' j : (V + t' *: delta_mx j0 k0) j k = V j k + t' * ((j == j0) && (k == k0))%:R by rewrite !mxE.
  rewrite /v (eq_bigr _ (fun j _ => entry t j)) (eq_bigr _ (fun j _ => entry 0 j)) !big_split /= -addrA; congr (_ + _).
  rewrite -!mulr_sumr mul0r add0r; congr (_ * _).
  by rewrite (bigD1 j0) //= eqxx big1 ?addr0 // => j /andP[_ /negPf ->].
have [t t_small differ] : exists2 t, `|t| < d & v t k0 != v t l0.
  have [same|neq] := eqVneq (v 0 k0) (v 0 l0); last by exists 0; rewrite ?normr0.
  exists (d / 2); first by rewrite gtr0_norm ?divr_gt0 ?ltr0n // ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl.
  rewrite !(v_row (d / 2)) same eqxx [l0 == k0]eq_sym (negPf two_classes) mulr0 mulr1 addr0.
  by rewrite -subr_eq0 addrAC subrr add0r gt_eqF // divr_gt0 ?ltr0n.
pose H : 'M[R]_(N, m) := \matrix_(i, k) v t k.
have logits s : shifted_features s *m (V + t *: delta_mx j0 k0) + K = K + e s *: H.
  rewrite addrC; congr (_ + _); apply/matrixP => i k; rewrite !mxE /v mulr_sumr [RHS]big_mkcond.
  by apply: eq_bigr => j _; rewrite mxE; case: (Q j); rewrite ?mul0r // !mxE.
have [[s1 small1 neg] [s2 small2 pos]] := changes_sign d_gt0.
have differ' : H (Ordinal N_gt0) k0 != H (Ordinal N_gt0) l0 by rewrite !mxE.
by have [larger|larger] := phi_strict K differ' neg pos; [exists s1, t | exists s2, t]; rewrite logits.
Qed.
End NoMaximum.
