(** Open and dense sets: where an analytic function that is not 0 everywhere is not 0. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import mathcomp_extra boolp classical_sets functions reals signed topology normedtype ring.
From Landscape Require Import analytic identity.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

Section Generic.
Variables (R : realType) (U : normedModType R).
Implicit Types (P Q : set U).

Definition generic P := open P /\ forall (O : set U), open O -> O !=set0 -> (O `&` P) !=set0.

Lemma genericT : generic setT.
Proof. by split=> [|O _ [u O_u]]; [apply: openT | exists u]. Qed.

Lemma genericI P Q : generic P -> generic Q -> generic (P `&` Q).
Proof.
move=> [P_open P_dense] [Q_open Q_dense]; split=> [|O O_open O_some]; first exact: openI.
have [u [[O_u P_u] Q_u]] := Q_dense _ (openI O_open P_open) (P_dense O O_open O_some).
by exists u.
Qed.

Lemma generic_all (I : finType) (P : I -> set U) : (forall i, generic (P i)) -> generic [set u | forall i, P i u].
Proof.
move=> each; suff gen (l : seq I) : generic [set u | forall i, i \in l -> P i u].
  rewrite (_ : [set u | _] = [set u | forall i, i \in index_enum I -> P i u]); first exact: gen.
  by rewrite predeqE => u; split=> all_i i; [move=> _; apply: all_i | apply: all_i; rewrite mem_index_enum].
elim: l => [|i l IH]; first by rewrite (_ : mkset _ = setT); [apply: genericT | rewrite predeqE => u; split].
rewrite (_ : mkset _ = P i `&` [set u | forall j, j \in l -> P j u]); first exact: genericI.
rewrite predeqE => u; split=> [all_j|[P_i all_l] j].
  by split=> [|j in_l]; apply: all_j; rewrite inE ?eqxx // in_l orbT.
by rewrite inE => /orP[/eqP -> //|]; apply: all_l.
Qed.

Lemma generic_sub P Q : generic P -> P `<=` Q -> open Q -> generic Q.
Proof.
move=> [_ dense] sub Q_open; split=> // O O_open O_some; have [u [O_u P_u]] := dense O O_open O_some.
by exists u; split=> //; apply: sub.
Qed.

Lemma generic_some P : generic P -> P !=set0.
Proof. by move=> [_ /(_ setT openT) dense]; have [|u [_ P_u]] := dense; [exists 0 | exists u]. Qed.

(** Where a continuous function that is analytic on lines, and not 0 everywhere, is not 0. *)
Lemma generic_neq0 (f : U -> R) u0 : continuous f -> (forall u w, analytic (fun t : R => f (u + t *: w))) -> f u0 != 0 ->
  generic [set u | f u != 0].
Proof.
move=> f_cont f_an neq0; split=> [|O O_open [u O_u]].
  by apply: (@open_comp _ _ f [set x | x != 0]) => [u _|]; [apply: f_cont | apply: open_neq].
apply: contrapT => none.
have /nbhs_ballP[eps /= eps_gt0 in_O] : nbhs u O by apply: open_nbhs_nbhs.
pose w := u0 - u; pose d := eps / (`|w| + 1).
have w1_gt0 : 0 < `|w| + 1 by rewrite (lt_le_trans ltr01) // ler_addr.
have d_gt0 : 0 < d by rewrite divr_gt0.
have zero s : `|s| < d -> f (u + (0 + s) *: w) = 0.
  rewrite add0r => small; apply: contrapT => /eqP neq; apply: none; exists (u + s *: w); split=> //.
  apply: in_O; rewrite -ball_normE /= opprD addNKr normrN normrZ.
  apply: (@le_lt_trans _ _ (`|s| * (`|w| + 1))); first by rewrite ler_wpmul2l // ler_addl ler01.
  by rewrite -ltr_pdivl_mulr.
have := identity (f_an u w) d_gt0 zero 1; rewrite scale1r /w addrC subrK => /eqP.
exact/negP.
Qed.
End Generic.
