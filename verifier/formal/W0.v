(** W0: full row rank at one U gives full row rank at a dense set of U, and every local valley reaches the infimum.

    That the exceptional U have measure zero is not proved here; the statement about valleys does not need it. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import mathcomp_extra boolp classical_sets functions reals signed topology normedtype ring.
From Landscape Require Import norms convex analytic generic valleys.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

Section Gram.
Variables (R : realType) (N M : nat).

(** Full row rank is a determinant that is not 0. *)
Lemma rank_gram (F : 'M[R]_(N, M)) : (\rank F == N) = (\det (F *m F^T) != 0).
Proof.
rewrite -unitfE -[_ \is a GRing.unit]/(F *m F^T \in unitmx) -row_free_unit -/(row_free F).
apply/idP/idP => /row_free_inj inj; last first.
  rewrite -kermx_eq0; apply/eqP/row_matrixP => i; rewrite row0; apply: inj.
  by rewrite mul0mx mulmxA -row_mul mulmx_ker row0 mul0mx.
rewrite -kermx_eq0; apply/eqP/row_matrixP => i; rewrite row0; apply: inj.
rewrite mul0mx; apply: dot_eq0.
by rewrite dot_mul -mulmxA -row_mul mulmx_ker row0 dotC /dot big1 // => j _; rewrite mxE mul0r.
Qed.

Lemma analytic_det (A : R -> 'M[R]_N) t : (forall i j, analytic_at (fun t => A t i j) t) -> analytic_at (fun t => \det (A t)) t.
Proof.
move=> an_A; apply: analytic_sum => s; apply: analytic_mul; first exact: analytic_const.
exact: analytic_prod.
Qed.

Lemma analytic_gram (F : R -> 'M[R]_(N, M)) t :
  (forall i j, analytic_at (fun t => F t i j) t) -> analytic_at (fun t => \det (F t *m (F t)^T)) t.
Proof.
move=> an_F; apply: analytic_det => i j.
apply: (analytic_ext (g := fun t => \sum_k F t i k * F t j k)) => [s|].
  by rewrite mxE; apply: eq_bigr => k _; rewrite mxE.
by apply: analytic_sum => k; apply: analytic_mul.
Qed.
End Gram.

Section Continuity.
Variables (R : realType) (T : topologicalType).

Lemma continuous_at_prod (I : finType) (f : I -> T -> R) (t : T) :
  (forall i, {for t, continuous (f i)}) -> {for t, continuous (fun s => \prod_i f i s)}.
Proof.
move=> cont; suff gen r g : (forall s, g s = \prod_(i <- r) f i s) -> {for t, continuous g} by exact: gen (fun=> erefl).
elim: r g => [|i r IH] g eq_g.
  by rewrite (_ : g = fun=> 1); [apply: cst_continuous | apply/funext => s; rewrite eq_g big_nil].
rewrite (_ : g = fun s => f i s * \prod_(j <- r) f j s); last by apply/funext => s; rewrite eq_g big_cons.
by apply: continuousM; [apply: cont | apply: IH].
Qed.

Lemma continuous_det N (A : T -> 'M[R]_N) : (forall i j, continuous (fun t => A t i j)) -> continuous (fun t => \det (A t)).
Proof.
move=> cont t; apply: continuous_at_sum => s; apply: continuousM; first exact: cst_continuous.
by apply: continuous_at_prod => i; apply: cont.
Qed.

Lemma continuous_gram N M (F : T -> 'M[R]_(N, M)) :
  (forall i j, continuous (fun t => F t i j)) -> continuous (fun t => \det (F t *m (F t)^T)).
Proof.
move=> cont; apply: continuous_det => i j t.
apply: (continuous_at_ext (g := fun t => \sum_k F t i k * F t j k)) => [s|].
  by rewrite mxE; apply: eq_bigr => k _; rewrite mxE.
by apply: continuous_at_sum => k; apply: continuousM; apply: cont.
Qed.
End Continuity.

Section Genericity.
Variables (R : realType) (U : normedModType R) (N M m : nat).
Variables (F : U -> 'M[R]_(N, M)) (K : U -> 'M[R]_(N, m)) (phi : 'M[R]_(N, m) -> R).

(** Every feature is analytic in U, all of [R^p]: continuous, and analytic along every straight line. *)
Hypothesis F_continuous : forall i j, continuous (fun u => F u i j).
Hypothesis F_analytic : forall u w i j, analytic (fun t : R => F (u + t *: w) i j).
Hypothesis K_continuous : forall i j, continuous (fun u => K u i j).
Hypothesis phi_convex : convex phi.

(** A claim R1, R3, W1 or W2. *)
Variable witness : U.
Hypothesis witness_rank : \rank (F witness) = N.

(** Full row rank on an open dense set. *)
Theorem W0_rank : generic [set u | \rank (F u) = N].
Proof.
have -> : [set u | \rank (F u) = N] = [set u | \det (F u *m (F u)^T) != 0].
  by rewrite predeqE => u /=; rewrite -rank_gram; split=> /eqP.
apply: (@generic_neq0 _ _ _ witness); last by rewrite -rank_gram witness_rank.
  exact: continuous_gram.
by move=> u w t; apply: analytic_gram => i j; apply: F_analytic.
Qed.

(** Every local valley reaches the infimum: below [phi T], for every [T], lies a point of it. *)
Theorem W0 a (x0 : U * 'M[R]_(M, m)) T : sublevel F K phi setT a x0 ->
  exists2 x, connected_component (sublevel F K phi setT a) x0 x & Phi F K phi x <= phi T.
Proof.
apply: valleys_reach => //; first exact: openT.
  by move=> u _ i j; apply: F_continuous.
  by move=> u _ i j; apply: K_continuous.
move=> u O _ O_open O_u; have [_ dense] := W0_rank.
by have [u' [O_u' full]] := dense O O_open (ex_intro _ u O_u); exists u'.
Qed.
End Genericity.
