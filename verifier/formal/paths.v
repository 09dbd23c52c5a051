(** Continuous paths of matrices, entry by entry, and how they are put together. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype ring.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Real.
Variable R : realType.
Implicit Types f g : R -> R.

Lemma continuous_ext f g : (forall s, f s = g s) -> continuous g -> continuous f.
Proof. by move=> eq_fg; rewrite (_ : f = g) //; apply/funext. Qed.

Lemma continuous_id : continuous (fun s : R => s).
Proof. by move=> s; apply: cvg_id. Qed.

Lemma continuous_const (c : R) : continuous (fun _ : R => c).
Proof. by move=> s; apply: cst_continuous. Qed.

Lemma continuous_add f g : continuous f -> continuous g -> continuous (fun s => f s + g s).
Proof. by move=> cf cg s; apply: continuousD; [apply: cf | apply: cg]. Qed.

Lemma continuous_sub f g : continuous f -> continuous g -> continuous (fun s => f s - g s).
Proof. by move=> cf cg s; apply: continuousB; [apply: cf | apply: cg]. Qed.

Lemma continuous_mul f g : continuous f -> continuous g -> continuous (fun s => f s * g s).
Proof. by move=> cf cg s; apply: continuousM; [apply: cf | apply: cg]. Qed.

Lemma continuous_compose f g : continuous f -> continuous g -> continuous (fun s => f (g s)).
Proof. by move=> cf cg s; apply: continuous_comp; [apply: cg | apply: cf]. Qed.

Lemma continuous_abs f : continuous f -> continuous (fun s => `|f s|).
Proof. by move=> cf s; apply: continuous_comp; [apply: cf | apply: norm_continuous]. Qed.

Lemma min_abs (a b : R) : Num.min a b = (a + b - `|a - b|) * 2^-1.
Proof.
have half : 2 != 0 :> R by rewrite pnatr_eq0.
apply: (mulIf half); rewrite mulfVK //; case: lerP => _; ring.
Qed.

Lemma max_abs (a b : R) : Num.max a b = (a + b + `|a - b|) * 2^-1.
Proof.
have half : 2 != 0 :> R by rewrite pnatr_eq0.
apply: (mulIf half); rewrite mulfVK //; case: lerP => _; ring.
Qed.

Lemma continuous_min f g : continuous f -> continuous g -> continuous (fun s => Num.min (f s) (g s)).
Proof.
move=> cf cg; apply: continuous_ext => [s|]; first exact: min_abs.
apply: continuous_mul; last exact: continuous_const.
by apply: continuous_sub; [apply: continuous_add | apply/continuous_abs/continuous_sub].
Qed.

Lemma continuous_max f g : continuous f -> continuous g -> continuous (fun s => Num.max (f s) (g s)).
Proof.
move=> cf cg; apply: continuous_ext => [s|]; first exact: max_abs.
apply: continuous_mul; last exact: continuous_const.
by apply: continuous_add; [apply: continuous_add | apply/continuous_abs/continuous_sub].
Qed.

Lemma continuous_sum (I : finType) (f : I -> R -> R) :
  (forall i, continuous (f i)) -> continuous (fun s => \sum_i f i s).
Proof.
move=> cf; suff gen r g : (forall s, g s = \sum_(i <- r) f i s) -> continuous g by exact: gen (fun=> erefl).
elim: r g => [|i r IH] g eq_g.
  by apply: (continuous_ext (g := fun=> 0)) => [s|]; [rewrite eq_g big_nil | apply: continuous_const].
apply: (continuous_ext (g := fun s => f i s + \sum_(j <- r) f j s)) => [s|]; first by rewrite eq_g big_cons.
by apply: continuous_add => //; apply: IH.
Qed.
End Real.

Section Paths.
Variables (R : realType) (a b : nat).
Implicit Types f g : R -> 'M[R]_(a, b).

(** Every entry is a continuous function of the time. *)
Definition continuous_mx f := forall i j, continuous (fun s => f s i j).

Lemma continuous_mx_const (A : 'M[R]_(a, b)) : continuous_mx (fun=> A).
Proof. by move=> i j; apply: continuous_const. Qed.

Lemma continuous_mx_add f g : continuous_mx f -> continuous_mx g -> continuous_mx (fun s => f s + g s).
Proof.
move=> cf cg i j; apply: (continuous_ext (g := fun s => f s i j + g s i j)) => [s|]; first by rewrite mxE.
exact: continuous_add.
Qed.

Lemma continuous_mx_sub f g : continuous_mx f -> continuous_mx g -> continuous_mx (fun s => f s - g s).
Proof.
move=> cf cg i j; apply: (continuous_ext (g := fun s => f s i j - g s i j)) => [s|]; first by rewrite !mxE.
exact: continuous_sub.
Qed.

Lemma continuous_mx_scale (h : R -> R) f : continuous h -> continuous_mx f -> continuous_mx (fun s => h s *: f s).
Proof.
move=> ch cf i j; apply: (continuous_ext (g := fun s => h s * f s i j)) => [s|]; first by rewrite mxE.
exact: continuous_mul.
Qed.

Lemma continuous_mx_compose f (h : R -> R) : continuous h -> continuous_mx f -> continuous_mx (fun s => f (h s)).
Proof. by move=> ch cf i j; apply: (continuous_compose (cf i j)). Qed.

(** Straight from [A] to [B]. *)
Definition straight (A B : 'M[R]_(a, b)) (s : R) := (1 - s) *: A + s *: B.

Lemma straightE A B s i j : straight A B s i j = A i j + s * (B i j - A i j).
Proof. by rewrite !mxE; move: (A i j) (B i j) => c d; ring. Qed.

Lemma straight0 A B : straight A B 0 = A.
Proof. by rewrite /straight subr0 scale1r scale0r addr0. Qed.

Lemma straight1 A B : straight A B 1 = B.
Proof. by rewrite /straight subrr scale0r add0r scale1r. Qed.

Lemma straight_same A s : straight A A s = A.
Proof. by rewrite /straight -scalerDl subrK scale1r. Qed.

Lemma continuous_straight A B : continuous_mx (straight A B).
Proof.
have c1 : continuous (fun s : R => 1 - s) by apply: continuous_sub; [apply: continuous_const|apply: continuous_id].
apply: continuous_mx_add; apply: continuous_mx_scale => //; try exact: continuous_mx_const.
Qed.
End Paths.

(** Two points, each of two matrices, joined by a continuous path on which [P] holds. *)
Section Joined.
Variables (R : realType) (a b c d : nat) (P : 'M[R]_(a, b) -> 'M[R]_(c, d) -> Prop).

Definition joined (W W' : 'M[R]_(a, b)) (V V' : 'M[R]_(c, d)) := exists f g,
  [/\ continuous_mx f /\ continuous_mx g, f 0 = W /\ g 0 = V, f 1 = W' /\ g 1 = V'
    & forall t, 0 <= t <= 1 -> P (f t) (g t)].

Lemma joined_straight W W' V V' : (forall t, 0 <= t <= 1 -> P (straight W W' t) (straight V V' t)) -> joined W W' V V'.
Proof.
move=> stays; exists (straight W W'), (straight V V'); rewrite !straight0 !straight1.
by split=> //; split; apply: continuous_straight.
Qed.

Lemma joined_same W V : P W V -> joined W W V V.
Proof. by move=> here; apply: joined_straight => t _; rewrite !straight_same. Qed.
End Joined.

(** One path after the other. *)
Section Concatenation.
Variable R : realType.

Definition concat a b (f g : R -> 'M[R]_(a, b)) (s : R) := f (Num.min (2 * s) 1) + (g (Num.max (2 * s - 1) 0) - g 0).

Lemma concat_continuous a b (f g : R -> 'M[R]_(a, b)) : continuous_mx f -> continuous_mx g -> continuous_mx (concat f g).
Proof.
move=> cf cg; have double : continuous (fun s : R => 2 * s).
  by apply: continuous_mul; [apply: continuous_const | apply: continuous_id].
apply: continuous_mx_add.
  by apply: continuous_mx_compose => //; apply: continuous_min => //; apply: continuous_const.
apply: continuous_mx_sub; last exact: continuous_mx_const.
apply: continuous_mx_compose => //; apply: continuous_max; last exact: continuous_const.
by apply: continuous_sub => //; apply: continuous_const.
Qed.

Lemma concat_first a b (f g : R -> 'M[R]_(a, b)) s : s <= 2^-1 -> concat f g s = f (2 * s).
Proof.
move=> le_s; have le1 : 2 * s <= 1 by rewrite mulrC -ler_pdivl_mulr ?ltr0n // mul1r.
by rewrite /concat min_l // max_r ?subrr ?addr0 // subr_le0.
Qed.

Lemma concat_second a b (f g : R -> 'M[R]_(a, b)) s : f 1 = g 0 -> 2^-1 <= s -> concat f g s = g (2 * s - 1).
Proof.
move=> meet ge_s; have ge1 : 1 <= 2 * s by rewrite mulrC -ler_pdivr_mulr ?ltr0n // mul1r.
by rewrite /concat min_r // max_l ?subr_ge0 // meet addrC subrK.
Qed.

Lemma joined_trans a b c d (P : 'M[R]_(a, b) -> 'M[R]_(c, d) -> Prop) W W' W'' V V' V'' :
  joined P W W' V V' -> joined P W' W'' V' V'' -> joined P W W'' V V''.
Proof.
move=> [f1 [g1 [[cf1 cg1] [f1_0 g1_0] [f1_1 g1_1] stay1]]] [f2 [g2 [[cf2 cg2] [f2_0 g2_0] [f2_1 g2_1] stay2]]].
have half_ge0 : 0 <= 2^-1 :> R by rewrite invr_ge0 ler0n.
have half_le1 : 2^-1 <= 1 :> R by rewrite invf_le1 ?ltr0n ?ler1n.
have meet_f : f1 1 = f2 0 by rewrite f1_1 f2_0.
have meet_g : g1 1 = g2 0 by rewrite g1_1 g2_0.
exists (concat f1 f2), (concat g1 g2); split.
- by split; apply: concat_continuous.
- by rewrite !concat_first ?mulr0.
- have end_at : 2 * 1 - 1 = 1 :> R by rewrite mulr1 -[2]/(1 + 1) addrK.
  by rewrite !concat_second // end_at.
move=> t /andP[t_ge0 t_le1]; case: (lerP t 2^-1) => [le_t|/ltW ge_t].
  rewrite !concat_first //; apply: stay1; rewrite mulr_ge0 ?ler0n //=.
  by rewrite mulrC -ler_pdivl_mulr ?ltr0n // mul1r.
rewrite !concat_second //; apply: stay2; rewrite subr_ge0 ler_subl_addr.
rewrite mulrC -ler_pdivr_mulr ?ltr0n // mul1r ge_t /=.
by rewrite -[X in _ <= X]/(2 : R) -[leRHS]mul1r ler_pmul2r ?ltr0n.
Qed.
End Concatenation.

Section Reverse.
Variables (R : realType) (a b c d : nat).
Implicit Types (P Q : 'M[R]_(a, b) -> 'M[R]_(c, d) -> Prop).

Lemma joined_sym P W W' V V' : joined P W W' V V' -> joined P W' W V' V.
Proof.
move=> [f [g [[cf cg] [f0 g0] [f1 g1] stays]]].
have back : continuous (fun s : R => 1 - s) by apply: continuous_sub; [apply: continuous_const | apply: continuous_id].
exists (fun s => f (1 - s)), (fun s => g (1 - s)); rewrite subr0 subrr; split=> //.
  by split; apply: continuous_mx_compose.
by move=> t /andP[t_ge0 t_le1]; apply: stays; rewrite subr_ge0 t_le1 ler_subl_addr ler_addl.
Qed.

Lemma joined_weaken P Q W W' V V' : (forall x z, P x z -> Q x z) -> joined P W W' V V' -> joined Q W W' V V'.
Proof.
move=> weaker [f [g [cont start finish stays]]]; exists f, g; split=> // t t01.
exact/weaker/stays.
Qed.
End Reverse.
