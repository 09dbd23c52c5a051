(** R5: the rank is small by structure. *)
From mathcomp Require Import all_ssreflect all_algebra.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Deficient.
Variables (F : fieldType) (N M : nat) (Psi : 'M[F]_(N, M)).

(** Fewer units. *)
Theorem R5_fewer_units : (\rank Psi <= M)%N.
Proof. exact: rank_leq_col. Qed.

(** Equal samples: sample [i] is number [g i] of the [r] distinct ones, and equal samples have equal rows. *)
Theorem R5_equal_samples r (g : 'I_N -> 'I_r) (distinct : 'M[F]_(r, M)) (rows : forall i j, Psi i j = distinct (g i) j) :
  (\rank Psi <= r)%N.
Proof.
have -> : Psi = (\matrix_(i, k) (k == g i)%:R) *m distinct.
  apply/matrixP => i j; rewrite rows mxE (bigD1 (g i)) //= big1 ?addr0 => [|k /negPf neq]; rewrite mxE.
    by rewrite eqxx mul1r.
  by rewrite neq mul0r.
exact: leq_trans (mxrankM_maxr _ _) (rank_leq_row _).
Qed.

(** Units: every column is a multiple of one of [f] forms, plus a multiple of the column of ones. *)
Section Forms.
Variables (f : nat) (form : 'I_M -> 'I_f) (z : 'M[F]_(N, f)) (factor shift : 'I_M -> F).

Let choose : 'M[F]_(f, M) := \matrix_(k, j) (factor j * (k == form j)%:R).

Lemma chosen i j : (z *m choose) i j = factor j * z i (form j).
Proof.
rewrite mxE (bigD1 (form j)) //= big1 ?addr0 => [|k /negPf neq]; rewrite mxE.
  by rewrite eqxx mulr1 mulrC.
by rewrite neq !mulr0.
Qed.

(** No column is shifted; [l] linear relations between the forms, such as the sums of what is centred. *)
Theorem R5_forms l (relations : 'M[F]_(f, l)) (related : z *m relations = 0)
  (columns : forall i j, Psi i j = factor j * z i (form j)) : (\rank Psi <= f - \rank relations)%N.
Proof.
have -> : Psi = z *m choose by apply/matrixP => i j; rewrite chosen columns.
apply: leq_trans (mxrankM_maxl _ _) _.
by rewrite leq_subRL ?rank_leq_row // addnC mulmx0_rank_max.
Qed.

(** Some column is shifted: equal, mirrored ([c - z]) and constant units among them. *)
Theorem R5_shifted_forms l (relations : 'M[F]_(f, l)) (related : z *m relations = 0)
  (columns : forall i j, Psi i j = factor j * z i (form j) + shift j) : (\rank Psi <= f - \rank relations + 1)%N.
Proof.
have -> : Psi = z *m choose + (const_mx 1 : 'cV[F]_N) *m \row_j shift j.
  by apply/matrixP => i j; rewrite mxE chosen columns mxE big_ord1 !mxE mul1r.
apply: leq_trans (mxrank_add _ _) (leq_add _ _).
  apply: leq_trans (mxrankM_maxl _ _) _.
  by rewrite leq_subRL ?rank_leq_row // addnC mulmx0_rank_max.
exact: leq_trans (mxrankM_maxr _ _) (rank_leq_row _).
Qed.
End Forms.

(** Polynomial units: all columns are combinations of [p] monomials of the inputs, and of [q] other columns. *)
Theorem R5_monomials p q (monomials : 'M[F]_(N, p)) (others : 'M[F]_(N, q)) (coefficients : 'M[F]_(p + q, M))
  (columns : Psi = row_mx monomials others *m coefficients) :
  (\rank Psi <= \rank monomials + q)%N /\ (\rank Psi <= p + q)%N.
Proof.
have le : (\rank Psi <= \rank monomials + q)%N.
  rewrite columns -[coefficients]vsubmxK mul_row_col; apply: leq_trans (mxrank_add _ _) (leq_add _ _).
    exact: mxrankM_maxl.
  exact: leq_trans (mxrankM_maxl _ _) (rank_leq_col _).
by split=> //; apply: leq_trans le _; rewrite leq_add2r rank_leq_col.
Qed.
End Deficient.
