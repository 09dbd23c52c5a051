(** MC: two networks joined by a path whose loss never exceeds the larger of the losses at its ends. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype realfun sequences exp ring.
From Landscape Require Import norms paths lse loss.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Connection.
Variables (R : realType) (N M m a b : nat) (y : samples N m).

(** Any function of the hidden weights, even with jumps. *)
Variable Psi : 'M[R]_(a, b) -> 'M[R]_(N, M).
Definition loss_at U (V : 'M[R]_(M, m)) : R := loss y (Psi U *m V).
Let margin_at U (V : 'M[R]_(M, m)) i k := margin y (Psi U *m V) i k.

Variables (UA UB : 'M[R]_(a, b)) (VA VB : 'M[R]_(M, m)) (gamma kappa : R).

(** A piece leads straight to a corner, at [kappa V_k]; on all of it every margin of [V_k] is at least [gamma]. *)
Fixpoint pieces_hold U (pieces : seq ('M[R]_(a, b) * 'M[R]_(M, m))) : Prop :=
  if pieces is (U', V) :: rest then
    (forall t i k, 0 <= t <= 1 -> k != y i -> gamma <= margin_at (straight U U' t) V i k) /\ pieces_hold U' rest
  else True.

Variables (U1 : 'M[R]_(a, b)) (V1 : 'M[R]_(M, m)) (others : seq ('M[R]_(a, b) * 'M[R]_(M, m))).
Let pieces := (U1, V1) :: others.
Let VK := (last (U1, V1) others).2.

(** Obligations 1 to 3. *)
Hypothesis margins : pieces_hold UA pieces.
Hypothesis ends : (last (U1, V1) others).1 = UB.
Hypothesis kappa_gt0 : 0 < kappa.
Hypothesis start : forall i k, k != y i -> margin_at UA VA i k < kappa * margin_at UA V1 i k.
Hypothesis finish : forall i k, k != y i -> margin_at UB VB i k < kappa * margin_at UB VK i k.
Hypothesis level : tail m (kappa * gamma) <= Num.max (loss_at UA VA) (loss_at UB VB).

Let low U V := loss_at U V <= Num.max (loss_at UA VA) (loss_at UB VB).

Lemma margin_straight U V V' t i k : margin_at U (straight V V' t) i k = (1 - t) * margin_at U V i k + t * margin_at U V' i k.
Proof. by rewrite /margin_at /straight mulmxDr margin_add -!scalemxAr !marginZ. Qed.

Lemma margin_scaled U V i k : margin_at U (kappa *: V) i k = kappa * margin_at U V i k.
Proof. by rewrite /margin_at -scalemxAr marginZ. Qed.

(** Between [V] and a [V'] with larger margins the loss is at most that of [V]. *)
Lemma towards U V V' t : 0 <= t <= 1 -> (forall i k, k != y i -> margin_at U V i k < kappa * margin_at U V' i k) ->
  loss_at U (straight V (kappa *: V') t) <= loss_at U V.
Proof.
case/andP=> t_ge0 t_le1 larger; apply: loss_le => i; apply: sample_loss_le => k other.
rewrite -/(margin_at _ _ _ _) -/(margin_at _ _ _ _) margin_straight margin_scaled -subr_ge0.
have -> (x z : R) : (1 - t) * x + t * z - x = t * (z - x) by ring.
by rewrite mulr_ge0 // subr_ge0 ltW ?larger.
Qed.

(** ... and nearer to [V'] it is smaller. *)
Lemma falls U V V' s t : (forall i k, k != y i -> margin_at U V i k < kappa * margin_at U V' i k) -> s < t ->
  loss_at U (straight V (kappa *: V') t) < loss_at U (straight V (kappa *: V') s).
Proof.
move=> larger lt_st; apply: loss_lt => i; apply: sample_loss_lt => k other.
rewrite -/(margin_at _ _ _ _) -/(margin_at _ _ _ _) !margin_straight !margin_scaled -subr_gt0.
have -> (x z : R) : (1 - t) * x + t * z - ((1 - s) * x + s * z) = (t - s) * (z - x) by ring.
by rewrite mulr_gt0 ?subr_gt0 ?larger.
Qed.

(** Where all margins are at least [kappa gamma] the loss is at most [tail]. *)
Let under U V := loss_at U V <= tail m (kappa * gamma).

Lemma above_level U V : (forall i k, k != y i -> gamma <= margin_at U V i k) -> under U (kappa *: V).
Proof.
move=> large; apply: loss_tail => i k other.
by rewrite -/(margin_at _ _ _ _) margin_scaled ler_pmul2l // large.
Qed.

Lemma along U0 U V rest : pieces_hold U0 ((U, V) :: rest) ->
  joined under U0 (last (U, V) rest).1 (kappa *: V) (kappa *: (last (U, V) rest).2).
Proof.
elim: rest U0 U V => [|[U' V'] rest IH] U0 U V [piece].
  move=> _ /=; apply: joined_straight => t t01; rewrite straight_same; apply: above_level => i k other.
  exact: piece.
move=> rest_holds; have [next _] := rest_holds.
apply: (@joined_trans _ _ _ _ _ under U0 U _ (kappa *: V) (kappa *: V)).
  by apply: joined_straight => t t01; rewrite straight_same; apply: above_level => i k other; apply: piece.
apply: (@joined_trans _ _ _ _ _ under U U _ (kappa *: V) (kappa *: V')); last exact: IH rest_holds.
apply: joined_straight => t /andP[t_ge0 t_le1]; rewrite straight_same.
have -> : straight (kappa *: V) (kappa *: V') t = kappa *: straight V V' t.
  by rewrite /straight scalerDr !scalerA ![kappa * _]mulrC.
apply: above_level => i k other; rewrite margin_straight.
have here : gamma <= margin_at U V i k by have := piece 1 i k; rewrite straight1 ler01 lexx; apply.
have there : gamma <= margin_at U V' i k by have := next 0 i k; rewrite straight0 ler01 lexx; apply.
have -> : gamma = (1 - t) * gamma + t * gamma by ring.
by apply: ler_add; apply: ler_wpmul2l; rewrite ?subr_ge0.
Qed.

Lemma MC_joined : joined low UA UB VA VB.
Proof.
apply: (@joined_trans _ _ _ _ _ low UA UA _ VA (kappa *: V1)).
  apply: joined_straight => t t01; rewrite straight_same /low le_maxr; apply/orP; left.
  exact: towards start.
apply: (@joined_trans _ _ _ _ _ low UA UB _ (kappa *: V1) (kappa *: VK)).
  by rewrite -ends; apply: (joined_weaken _ (along margins)) => U V le_tail; apply: le_trans level.
apply: joined_straight => t t01; rewrite straight_same /low le_maxr; apply/orP; right.
have -> : straight (kappa *: VK) VB t = straight VB (kappa *: VK) (1 - t).
  by rewrite /straight opprB addrCA subrr addr0 addrC.
apply: towards finish; case/andP: t01 => t_ge0 t_le1.
by rewrite subr_ge0 t_le1 ler_subl_addr ler_addl.
Qed.

(** The path: the loss strictly decreases while V goes straight to [kappa V_1], is at most [tail] while U moves, and strictly
    increases while V goes straight from [kappa V_K]. *)
Theorem MC :
  [/\ joined low UA UB VA VB,
      forall s t, 0 <= s -> s < t -> t <= 1 ->
        loss_at UA (straight VA (kappa *: V1) t) < loss_at UA (straight VA (kappa *: V1) s),
      joined under UA UB (kappa *: V1) (kappa *: VK)
    & forall s t, 0 <= s -> s < t -> t <= 1 ->
        loss_at UB (straight (kappa *: VK) VB s) < loss_at UB (straight (kappa *: VK) VB t)].
Proof.
split=> [|s t _ lt_st _||s t _ lt_st _]; first exact: MC_joined; first exact: falls.
  by rewrite -ends; apply: along margins.
have back r : straight (kappa *: VK) VB r = straight VB (kappa *: VK) (1 - r).
  by rewrite /straight opprB addrCA subrr addr0 addrC.
by rewrite !back; apply: falls => //; rewrite ltr_add2l ltr_opp2.
Qed.
End Connection.

(** At one and the same U the segment of V will do: the loss is convex. *)
Section Rest.
Variables (R : realType) (N M m : nat) (y : samples N m) (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) (VA VB : 'M[R]_(M, m)).

Theorem MC_rests t : 0 <= t <= 1 -> Phi y Psi K (straight VA VB t) <= Num.max (Phi y Psi K VA) (Phi y Psi K VB).
Proof.
move=> t01; have -> : Phi y Psi K (straight VA VB t) = loss y ((1 - t) *: (Psi *m VA + K) + t *: (Psi *m VB + K)).
  congr loss; rewrite /straight mulmxDr -!scalemxAr; apply/matrixP => i k; rewrite !mxE.
  by move: (\sum_j _) (\sum_j _) (K i k) => a b c; ring.
apply: le_trans (loss_convex y _ _ t01) _; case/andP: t01 => t_ge0 t_le1.
set A := loss y _; set B := loss y _; rewrite -/(Phi y Psi K VA) -/(Phi y Psi K VB).
have -> : Num.max (Phi y Psi K VA) (Phi y Psi K VB) = (1 - t) * Num.max (Phi y Psi K VA) (Phi y Psi K VB) + t * Num.max (Phi y Psi K VA) (Phi y Psi K VB).
  by move: (Num.max _ _) => x; ring.
by apply: ler_add; apply: ler_wpmul2l; rewrite ?subr_ge0 // le_maxr lexx ?orbT.
Qed.
End Rest.
