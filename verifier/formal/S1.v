(** S(1), S(2): no local valley is bad, whatever the activations are. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import mathcomp_extra boolp classical_sets functions reals signed topology normedtype ring.
From Landscape Require Import norms paths convex valleys Sprime S downhill.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** What a path joins lies in one component. *)
Section Component.
Variables (R : realType) (a b c d : nat) (P : set ('M[R]_(a, b) * 'M[R]_(c, d))).

Lemma joined_component W W' V V' : joined (fun W V => P (W, V)) W W' V V' -> connected_component P (W, V) (W', V').
Proof.
move=> [f [g [[cf cg] [f0 g0] [f1 g1] stays]]].
apply: (@connected_component_max _ _ ((fun t => (f t, g t)) @` `[0, 1])).
- by exists 0; rewrite ?f0 ?g0 //= in_itv /= lexx ler01.
- by move=> x [t /=]; rewrite in_itv /= => t01 <-; apply: stays.
- apply: connected_continuous_connected; first exact: segment_connected.
  apply: continuous_subspaceT; apply: continuous_pair; apply: continuous_matrix => i j; [exact: cf | exact: cg].
by exists 1; rewrite ?f1 ?g1 //= in_itv /= ler01 lexx.
Qed.
End Component.

(** The parameters below the wide layer are at rest: what is connected here is so among all parameters. *)
Section Valley.
Variables (R : realType) (N L rest q m : nat).
Variables (source : 'I_N -> 'rV[R]_q) (sigma : R -> R) (others : 'M[R]_(N, rest)) (K : 'M[R]_(N, m)) (phi : 'M[R]_(N, m) -> R).
Hypothesis wide : (N <= L + \rank others)%N.
Hypothesis apart : injective source.
Hypothesis spans : forall z c : 'I_N -> R, injective z -> (forall s b, \sum_i c i * sigma (s * z i + b) = 0) -> forall i, c i = 0.
Hypothesis phi_convex : convex phi.

Let Phi (x : 'M[R]_(L, q + 1) * 'M[R]_(L + rest, m)) : R := phi (logits source sigma others K x.1 x.2).

(** Every local valley reaches the infimum: below [phi T], for every [T], lies a point of it. *)
Theorem S_valley a x0 T : Phi x0 < a -> exists2 x, connected_component [set x | Phi x < a] x0 x & Phi x <= phi T.
Proof.
case: x0 => W0 V0 below; have [W1 [V1 [path1 here1 full1]]] := S K V0 W0 wide apart spans.
have [V2 [falls low]] := downhill K full1 phi_convex V1 T.
have start : Phi (W1, V1) = Phi (W0, V0) by rewrite /Phi /= here1.
exists (W1, V2); last exact: low.
apply: joined_component; apply: (joined_trans (joined_weaken _ path1)) => [W V same|].
  by rewrite /= /Phi /= same.
apply: joined_straight => t /andP[t_ge0 t_le1]; rewrite straight_same /=.
apply: le_lt_trans below; rewrite -start -[V1 in leRHS](straight0 V1 V2).
exact: falls.
Qed.
End Valley.

(** The same where the samples differ in what the layer reads at a dense set of parameters below it: everything is
    continuous, so that a local valley is open and has such a point. *)
Section Dense.
Variables (R : realType) (U : normedModType R) (N L rest q m : nat).
Variables (source : U -> 'I_N -> 'rV[R]_q) (sigma : R -> R) (others : U -> 'M[R]_(N, rest)).
Variables (K : 'M[R]_(N, m)) (phi : 'M[R]_(N, m) -> R).
Hypothesis sigma_continuous : continuous sigma.
Hypothesis source_continuous : forall i k, continuous (fun u => source u i 0 k).
Hypothesis others_continuous : forall i k, continuous (fun u => others u i k).
Hypothesis wide : forall u, (N <= L + \rank (others u))%N.
Hypothesis apart : forall O : set U, open O -> O !=set0 -> exists2 u, O u & injective (source u).
Hypothesis spans : forall z c : 'I_N -> R, injective z -> (forall s b, \sum_i c i * sigma (s * z i + b) = 0) -> forall i, c i = 0.
Hypothesis phi_convex : convex phi.

Let point := ('M[R]_(L, q + 1) * 'M[R]_(L + rest, m))%type.
Let G (u : U) (x : point) := logits (source u) sigma (others u) K x.1 x.2.
Let Phi (x : U * point) : R := phi (G x.1 x.2).

Lemma G_continuous x i k : continuous (fun u => G u x i k).
Proof.
move=> u; apply: (continuous_at_ext (g := fun u => \sum_j Psi (source u) sigma (others u) x.1 i j * x.2 j k + K i k)) => [v|].
  by rewrite /G /logits !mxE.
apply: continuousD; last exact: cst_continuous.
apply: continuous_at_sum => j; apply: continuousM; last exact: cst_continuous.
rewrite -[j]fintype.splitK; case: (fintype.split j) => l /=.
  apply: (continuous_at_ext (g := fun u => sigma (\sum_l' x.1 l l' * row_mx (source u i) 1 0 l'))) => [v|].
    by rewrite /Psi row_mxEl mxE /pre /dot; congr sigma; apply: eq_bigr => l' _; rewrite mxE.
  apply: continuous_comp; last exact: sigma_continuous.
  apply: continuous_at_sum => l'; apply: continuousM; first exact: cst_continuous.
  rewrite -[l']fintype.splitK; case: (fintype.split l') => l'' /=.
    by apply: (continuous_at_ext (g := fun u => source u i 0 l'')) => [v|]; [rewrite row_mxEl | apply: source_continuous].
  by apply: (continuous_at_ext (g := fun u => 1%:M 0 l'')) => [v|]; [rewrite row_mxEr | apply: cst_continuous].
by apply: (continuous_at_ext (g := fun u => others u i l)) => [v|]; [rewrite /Psi row_mxEr | apply: others_continuous].
Qed.

Theorem S_valley_dense a x0 T : Phi x0 < a -> exists2 x, connected_component [set x | Phi x < a] x0 x & Phi x <= phi T.
Proof.
case: x0 => u x below; have gap : 0 < a - Phi (u, x) by rewrite subr_gt0.
have [d d_gt0 close] := convex_continuous phi_convex (G u x) gap.
have close_logits : \forall u' \near u, forall i k, `|G u' x i k - G u x i k| < d.
  apply: filter_forall => i; apply: filter_forall => k.
  have /cvgrPdist_lt/(_ d d_gt0) := @G_continuous x i k u.
  by apply: filterS => u'; rewrite distrC.
have low : \forall u' \near u, Phi (u', x) < a.
  apply: filterS close_logits => u' /close; rewrite -/(Phi (u', x)) -/(Phi (u, x)).
  by move/(le_lt_trans (ler_norm _)); rewrite ltr_subl_addr subrK.
have /nbhs_ballP[r /= r_gt0 in_ball] := low.
have [interior_open in_interior] := open_nbhs_ball u (PosNum r_gt0).
have [u' /interior_subset near_u' apart'] := apart interior_open (ex_intro _ u in_interior).
have [y reach small] := S_valley (wide u') apart' spans phi_convex T (in_ball _ near_u' : phi (logits _ _ _ K x.1 x.2) < a).
exists (u', y) => //.
pose first_leg : set (U * point) := (fun w => (w, x)) @` ball u r.
pose second_leg : set (U * point) := (fun z => (u', z)) @` connected_component [set z | Phi (u', z) < a] x.
apply: (@connected_component_max _ _ (first_leg `|` second_leg)).
- by left; exists u => //; apply: ballxx.
- move=> _ [[w /in_ball in_a <-] //|[z in_z <-]].
  exact: (connected_component_sub in_z).
- apply: connectedU.
  + exists (u', x); split; first by exists u'.
    by exists x => //; apply: connected_component_refl; exact: (in_ball _ near_u').
  + apply: connected_continuous_connected; first exact: connected_ball.
    by apply: continuous_subspaceT; apply: continuous_pair => w; [apply: cvg_id | apply: cvg_cst].
  apply: connected_continuous_connected; first exact: component_connected.
  by apply: continuous_subspaceT; apply: continuous_pair => w; [apply: cvg_cst | apply: cvg_id].
by right; exists y.
Qed.
End Dense.
