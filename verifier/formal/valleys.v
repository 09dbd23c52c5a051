(** The topology of W0: where the U of full rank are dense, every local valley reaches the infimum. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import mathcomp_extra boolp classical_sets functions reals signed topology normedtype ring.
From Landscape Require Import paths convex.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

Section Topology.
Variable R : realType.

(** Straight lines are continuous. *)
Lemma continuous_line (U : normedModType R) (u w : U) : continuous (fun t : R => u + t *: w).
Proof.
move=> t; apply: (@cvgD _ _ _ _ _ (fun=> u) (fun t => t *: w)); first exact: cvg_cst.
exact: scalel_continuous.
Qed.

Lemma connected_line (U : normedModType R) (u w : U) : connected ((fun t : R => u + t *: w) @` `[0, 1]).
Proof.
have cont : {within `[0, 1]%classic, continuous (fun t : R => u + t *: w)}.
  by apply: continuous_subspaceT; apply: continuous_line.
exact: (connected_continuous_connected (@segment_connected R 0 1) cont).
Qed.

Lemma connected_ball (U : normedModType R) (u : U) (r : R) : 0 < r -> connected (ball u r).
Proof.
move=> r_gt0; have -> : ball u r = \bigcup_(w in ball u r) ((fun t : R => u + t *: (w - u)) @` `[0, 1]).
  rewrite predeqE => x; split=> [in_ball|[w in_ball [t t01 <-]]].
    exists x => //; exists 1; first by rewrite /= in_itv /= ler01 lexx.
    by rewrite scale1r addrC subrK.
  move: in_ball t01; rewrite -!ball_normE /= in_itv /= => in_ball /andP[t_ge0 t_le1].
  rewrite opprD addNKr normrN normrZ ger0_norm // -[w - u]opprB normrN.
  by apply: le_lt_trans in_ball; rewrite ler_pimull.
apply: bigcup_connected => [|w _]; last exact: connected_line.
exists u => w _; exists 0; last by rewrite scale0r addr0.
by rewrite /= in_itv /= lexx ler01.
Qed.

Lemma continuous_matrix (T : topologicalType) a b (f : T -> 'M[R]_(a, b)) :
  (forall i j, continuous (fun t => f t i j)) -> continuous f.
Proof.
move=> entries t S /nbhs_ballP[e e_gt0 in_S].
have : \forall s \near t, forall i j, ball (f t i j) e (f s i j).
  apply: filter_forall => i; apply: filter_forall => j.
  by apply: (entries i j t); apply/nbhs_ballP; exists e.
by apply: filterS => s close; apply: in_S.
Qed.
Lemma continuous_pair (T U V : topologicalType) (f : T -> U) (g : T -> V) :
  continuous f -> continuous g -> continuous (fun t => (f t, g t)).
Proof. by move=> cf cg t; apply: (cvg_pair (cf t) (cg t)). Qed.

Lemma continuous_at_ext (T : topologicalType) (f g : T -> R) (t : T) :
  (forall s, f s = g s) -> {for t, continuous g} -> {for t, continuous f}.
Proof. by move=> eq_fg; rewrite (_ : f = g) //; apply/funext. Qed.

Lemma continuous_at_sum (T : topologicalType) (I : finType) (f : I -> T -> R) (t : T) :
  (forall i, {for t, continuous (f i)}) -> {for t, continuous (fun s => \sum_i f i s)}.
Proof.
move=> cont; suff gen r g : (forall s, g s = \sum_(i <- r) f i s) -> {for t, continuous g} by exact: gen (fun=> erefl).
elim: r g => [|i r IH] g eq_g.
  by rewrite (_ : g = fun=> 0); [apply: cst_continuous | apply/funext => s; rewrite eq_g big_nil].
rewrite (_ : g = fun s => f i s + \sum_(j <- r) f j s); last by apply/funext => s; rewrite eq_g big_cons.
by apply: continuousD; [apply: cont | apply: IH].
Qed.
End Topology.

Section Valleys.
Variables (R : realType) (U : normedModType R) (N M m : nat).
Variables (F : U -> 'M[R]_(N, M)) (K : U -> 'M[R]_(N, m)) (phi : 'M[R]_(N, m) -> R) (Omega : set U).

(** The parameters range over an open set, all of [R^p] in a certificate; features and frozen logits are continuous. *)
Hypothesis Omega_open : open Omega.
Hypothesis F_continuous : forall u, Omega u -> forall i j, {for u, continuous (fun u => F u i j)}.
Hypothesis K_continuous : forall u, Omega u -> forall i j, {for u, continuous (fun u => K u i j)}.

(** The loss is a convex function with finite values of the logits; V is free. *)
Hypothesis phi_convex : convex phi.

Definition point := (U * 'M[R]_(M, m))%type.
Definition logits (x : point) : 'M[R]_(N, m) := F x.1 *m x.2 + K x.1.
Definition Phi (x : point) : R := phi (logits x).

(** A local valley is a connected component of one of these. *)
Definition sublevel (a : R) : set point := [set x | Omega x.1 /\ Phi x < a].

(** The U of full row rank are dense. *)
Hypothesis dense_rank : forall u (O : set U), Omega u -> open O -> O u -> exists2 u', O u' /\ Omega u' & \rank (F u') = N.

Lemma logits_continuous u (v : 'M[R]_(M, m)) i k : Omega u -> {for u, continuous (fun u => logits (u, v) i k)}.
Proof.
move=> in_Omega; apply: (continuous_at_ext (g := fun u => \sum_j F u i j * v j k + K u i k)) => [w|].
  by rewrite !mxE.
apply: continuousD; last exact: K_continuous.
apply: continuous_at_sum => j; apply: continuousM; first exact: F_continuous.
exact: cst_continuous.
Qed.

Lemma near_sublevel a u v : sublevel a (u, v) -> \forall u' \near u, sublevel a (u', v).
Proof.
case=> /= in_Omega below; have gap : 0 < a - Phi (u, v) by rewrite subr_gt0.
have [d d_gt0 close] := convex_continuous phi_convex (logits (u, v)) gap.
have close_logits : \forall u' \near u, forall i k, `|logits (u', v) i k - logits (u, v) i k| < d.
  apply: filter_forall => i; apply: filter_forall => k.
  have /cvgrPdist_lt/(_ d d_gt0) := @logits_continuous u v i k in_Omega.
  by apply: filterS => u'; rewrite distrC.
have in_Omega' : \forall u' \near u, Omega u' by apply: open_nbhs_nbhs; split.
apply: filterS2 in_Omega' close_logits => u' Omega_u' close_u'; split=> //=.
have := close (logits (u', v)) close_u'; rewrite -/(Phi (u, v)) -/(Phi (u', v)).
by move/(le_lt_trans (ler_norm _)); rewrite ltr_subl_addr subrK.
Qed.

Theorem valleys_reach a x0 T : sublevel a x0 ->
  exists2 x, connected_component (sublevel a) x0 x & Phi x <= phi T.
Proof.
case: x0 => u v in_L; case: (lerP a (phi T)) => [large|small].
  exists (u, v); first exact: connected_component_refl.
  by case: in_L => /= _ /ltW/le_trans; apply.
have /nbhs_ballP[r /= r_gt0 in_ball] := near_sublevel in_L.
have in_Omega : Omega u by case: in_L.
have [interior_open in_interior] := open_nbhs_ball u (PosNum r_gt0).
have [u' [/interior_subset near_u' Omega_u'] full] := dense_rank in_Omega interior_open in_interior.
pose X := pinvmx (F u'); have inverse : F u' *m X = 1%:M by apply: mulmxVp; rewrite /row_free full.
pose v' := X *m (T - K u').
pose first_leg : set point := (fun w => (w, v)) @` ball u r.
pose second_leg : set point := (fun t => (u', straight v v' t)) @` `[0, 1].
have first_connected : connected first_leg.
  apply: connected_continuous_connected; first exact: connected_ball.
  by apply: continuous_subspaceT; apply: continuous_pair => w; [apply: cvg_id | apply: cvg_cst].
have second_connected : connected second_leg.
  apply: connected_continuous_connected; first exact: segment_connected.
  apply: continuous_subspaceT; apply: continuous_pair => [w|]; first exact: cvg_cst.
  by apply: continuous_matrix; apply: continuous_straight.
have meet : (first_leg `&` second_leg) (u', v).
  split; first by exists u'.
  by exists 0; rewrite ?straight0 //= in_itv /= lexx ler01.
have in_L' : sublevel a (u', v) by apply: in_ball.
have logits_leg t : logits (u', straight v v' t) = straight (logits (u', v)) T t.
  rewrite /logits /= /straight mulmxDr -!scalemxAr /v' mulmxA inverse mul1mx.
  apply/matrixP => i k; rewrite !mxE.
  by move: (\sum_j _) (K u' i k) (T i k) => x y z; ring.
exists (u', v'); last by rewrite -[v'](straight1 v) /Phi logits_leg straight1.
apply: (@connected_component_max _ _ (first_leg `|` second_leg)).
- by left; exists u; rewrite //= ; apply: ballxx.
- move=> x [[w /in_ball in_L_w <-] //|[t /=]]; rewrite in_itv /= => t01 <-; split=> //=.
  rewrite /Phi logits_leg; apply: le_lt_trans (phi_convex _ _ t01) _.
  case/andP: t01 => t_ge0 t_le1; case: in_L' => _ /= below.
  have [->|t_neq0] := eqVneq t 0; first by rewrite subr0 mul1r mul0r addr0.
  have -> : a = (1 - t) * a + t * a by rewrite -mulrDl subrK mul1r.
  apply: ler_lt_add; last by rewrite ltr_pmul2l // lt_def t_neq0.
  by rewrite ler_wpmul2l ?subr_ge0 // ltW.
- by apply: connectedU => //; exists (u', v).
by right; exists 1; rewrite ?straight1 //= in_itv /= ler01 lexx.
Qed.
End Valleys.
