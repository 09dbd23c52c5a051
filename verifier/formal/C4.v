(** C4: no local maximum anywhere, also where Psi(U) = 0. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import norms lse loss gradient.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

(** A loss that is strictly convex along all directions in which some sample's logits change, weighted with [w]: on a line
    through [G] it is larger on one side at least. With [w] the difference of two unit vectors these are directions with a
    row that is not constant: the cross-entropy is such a loss, also with labels that conflict (a mean of such). *)
Section StrictlyConvex.
Variables (R : realType) (N m : nat).

Definition strictly_convex_along (w : 'cV[R]_m) (phi : 'M[R]_(N, m) -> R) := forall (G H : 'M[R]_(N, m)) i (a b : R),
  (H *m w) i 0 != 0 -> a < 0 -> 0 < b -> phi G < phi (G + a *: H) \/ phi G < phi (G + b *: H).

Lemma difference_row (H : 'M[R]_(N, m)) i k l : (H *m (delta_mx k 0 - delta_mx l 0 : 'cV[R]_m)) i 0 = H i k - H i l.
Proof.
have pick c : (H *m (delta_mx c 0 : 'cV[R]_m)) i 0 = H i c.
  rewrite mxE (bigD1 c) //= big1 ?addr0; first by rewrite mxE !eqxx mulr1.
  by move=> a /negPf neq; rewrite mxE neq mulr0.
by rewrite mulmxBr mxE [X in _ + X]mxE !pick.
Qed.

Theorem cross_entropy_strict (y : samples N m) k l : strictly_convex_along (delta_mx k 0 - delta_mx l 0) (loss y).
Proof.
move=> G H i a b; rewrite difference_row subr_eq0 => differ a_lt0 b_gt0.
case: (lerP 0 (slope y G H)) => [up|down]; [right|left].
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

(** The squared error, for targets [T], times any positive number; one output is enough. *)
Definition squared_error (c : R) (T G : 'M[R]_(N, m)) : R := c * mdot (G - T) (G - T).

Theorem squared_error_strict (c : R) (T : 'M[R]_(N, m)) (w : 'cV[R]_m) (c_gt0 : 0 < c) :
  strictly_convex_along w (squared_error c T).
Proof.
move=> G H i a b moves a_lt0 b_gt0.
have H_gt0 : 0 < mdot H H.
  have [k neq0] : exists k, H i k != 0.
    apply: contrapT => none; move/eqP: moves; apply; rewrite mxE big1 // => k _.
    by have [->|neq] := eqVneq (H i k) 0; [rewrite mul0r | case: none; exists k].
  rewrite /mdot (bigD1 i) //= (bigD1 k) //= -expr2 -addrA ltr_paddr ?exprn_even_gt0 // addr_ge0 //.
    by apply: sumr_ge0 => l _; rewrite -expr2 sqr_ge0.
  by do 2!apply: sumr_ge0 => ? _; rewrite -expr2 sqr_ge0.
have line t : squared_error c T (G + t *: H) = squared_error c T G + c * t * (2 * mdot (G - T) H + t * mdot H H).
  rewrite /squared_error addrAC; move: (G - T) => D; rewrite mdotDl !mdotDr !mdotZl !mdotZr (mdotC H D).
  by move: (mdot D H) (mdot D D) (mdot H H) => x z v; ring.
case: (lerP 0 (mdot (G - T) H)) => [up|down]; [right|left]; rewrite line ltr_addl.
  by rewrite !mulr_gt0 // ltr_paddl ?mulr_ge0 ?ler0n ?mulr_gt0.
have ca_lt0 : c * a < 0 by rewrite pmulr_rlt0.
by rewrite nmulr_rgt0 // -[ltRHS]addr0 ltr_add //; [rewrite pmulr_rlt0 ?ltr0n | rewrite nmulr_rlt0].
Qed.
End StrictlyConvex.

Section NoMaximum.
Variables (R : realType) (N M m : nat) (phi : 'M[R]_(N, m) -> R) (K : 'M[R]_(N, m)).
Variables (w : 'cV[R]_m) (k0 : 'I_m).
Hypothesis phi_strict : strictly_convex_along w phi.
Hypothesis N_gt0 : (0 < N)%N.

(** For two outputs or more [w = e_k0 - e_l0] with another class [l0]; for the squared error of one output [w = 1]. *)
Hypothesis w_k0 : w k0 0 != 0.

(** Where an entry of Psi(U) is not 0: along an output weight of its column. *)
Theorem C4_nonzero (Psi : 'M[R]_(N, M)) (V : 'M[R]_(M, m)) i j (t : R) : Psi i j != 0 -> 0 < t ->
  phi (Psi *m V + K) < phi (Psi *m (V - t *: delta_mx j k0) + K) \/
  phi (Psi *m V + K) < phi (Psi *m (V + t *: delta_mx j k0) + K).
Proof.
move=> neq0 t_gt0; pose H := Psi *m delta_mx j k0 : 'M[R]_(N, m).
have H_row l : H i l = Psi i j * (l == k0)%:R.
  rewrite mxE (bigD1 j) //= big1 ?addr0; first by rewrite mxE eqxx.
  by move=> a /negPf neq; rewrite mxE neq mulr0.
have moves : (H *m w) i 0 != 0.
  rewrite mxE (bigD1 k0) //= big1 ?addr0; first by rewrite H_row eqxx mulr1 mulf_neq0.
  by move=> l /negPf other; rewrite H_row other mulr0 mul0r.
have := phi_strict (Psi *m V + K) moves (_ : - t < 0) t_gt0; rewrite oppr_lt0 => /(_ t_gt0).
by rewrite scaleNr mulmxBr mulmxDr -!scalemxAr ![_ + _ + K]addrAC.
Qed.

(** Where Psi(U) = 0. The units of [Q] use one entry of a bias; moving it by [s] makes their columns [e(s) 1], and changes
    no other column. [e] is the activation around its only zero, where all their pre-activations are. *)
Variables (Psi : R -> 'M[R]_(N, M)) (Q : 'I_M -> bool) (j0 : 'I_M) (e : R -> R).
Hypothesis zero : Psi 0 = 0.
Hypothesis moved : forall s i j, Psi s i j = if Q j then e s else 0.
Hypothesis Q_j0 : Q j0.

(** The change of sign at the zero. *)
Hypothesis changes_sign : forall d, 0 < d -> (exists2 s, `|s| < d & e s < 0) /\ (exists2 s, `|s| < d & 0 < e s).

Theorem C4_zero (V : 'M[R]_(M, m)) (d : R) : 0 < d -> exists s t,
  [/\ `|s| < d, `|t| < d & phi (Psi 0 *m V + K) < phi (Psi s *m (V + t *: delta_mx j0 k0) + K)].
Proof.
move=> d_gt0; rewrite zero mul0mx add0r.
pose v t k := \sum_(j | Q j) (V + t *: delta_mx j0 k0) j k.
have v_row t k : v t k = v 0 k + t * (k == k0)%:R.
  have entry t' j : (V + t' *: delta_mx j0 k0) j k = V j k + t' * ((j == j0) && (k == k0))%:R by rewrite !mxE.
  rewrite /v (eq_bigr _ (fun j _ => entry t j)) (eq_bigr _ (fun j _ => entry 0 j)) !big_split /= -addrA; congr (_ + _).
  rewrite -!mulr_sumr mul0r add0r; congr (_ * _).
  by rewrite (bigD1 j0) //= eqxx big1 ?addr0 // => j /andP[_ /negPf ->].
pose weighted t := \sum_k v t k * w k 0.
have weightedE t : weighted t = weighted 0 + t * w k0 0.
  rewrite /weighted (eq_bigr (fun k => v 0 k * w k 0 + t * ((k == k0)%:R * w k 0))) => [|k _]; last first.
    by rewrite (v_row t) mulrDl mulrA.
  rewrite big_split -mulr_sumr /=; congr (_ + _ * _); rewrite (bigD1 k0) //= eqxx mul1r big1 ?addr0 //.
  by move=> k /negPf ->; rewrite mul0r.
have [t t_small moves] : exists2 t, `|t| < d & weighted t != 0.
  have [same|neq] := eqVneq (weighted 0) 0; last by exists 0; rewrite ?normr0.
  exists (d / 2); first by rewrite gtr0_norm ?divr_gt0 ?ltr0n // ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl.
  by rewrite weightedE same add0r mulf_neq0 // gt_eqF // divr_gt0 ?ltr0n.
pose H : 'M[R]_(N, m) := \matrix_(i, k) v t k.
have logits s : Psi s *m (V + t *: delta_mx j0 k0) + K = K + e s *: H.
  rewrite addrC; congr (_ + _); apply/matrixP => i k; rewrite !mxE /v mulr_sumr [RHS]big_mkcond.
  by apply: eq_bigr => j _; rewrite moved; case: (Q j); rewrite ?mul0r // !mxE.
have [[s1 small1 neg] [s2 small2 pos]] := changes_sign d_gt0.
have moves' : (H *m w) (Ordinal N_gt0) 0 != 0.
  by rewrite mxE (eq_bigr (fun k => v t k * w k 0)) // => k _; rewrite mxE.
by have [larger|larger] := phi_strict K moves' neg pos; [exists s1, t | exists s2, t]; rewrite logits.
Qed.
End NoMaximum.
