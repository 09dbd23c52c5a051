(** A: by the architecture alone, full row rank at almost every U: the induction over the units.

    Lemma S' is a hypothesis of the induction ([spans]), and [Sprime.Lemma_S_prime] proves it. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import mathcomp_extra boolp classical_sets functions reals signed topology normedtype ring.
From Landscape Require Import norms analytic generic valleys Sprime W0.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** The induction. Column [r] is a unit [sigma r (<w, h r u i> + b)] whose weights and bias no column before it and no
    source of it reads: they may be changed at will. Some columns may come first, such as that of an output bias. *)
Section Induction.
Variables (R : realType) (U : normedModType R) (N fixed : nat) (q : 'I_N -> nat).
Variables (F : U -> 'M[R]_N) (sigma : 'I_N -> R -> R) (h : forall r, U -> 'I_N -> 'rV[R]_(q r)).

Hypothesis F_continuous : forall i j, continuous (fun u => F u i j).
Hypothesis F_analytic : forall u w i j, analytic (fun t : R => F (u + t *: w) i j).

(** The first [r] columns are independent at [u]. *)
Definition independent r u := forall y : 'cV[R]_N, (forall j : 'I_N, (r <= j)%N -> y j 0 = 0) -> F u *m y = 0 -> y = 0.

(** The columns that come first, none or that of an output bias, are independent at some U. *)
Hypothesis start : exists u, independent fixed u.

(** The source of column [r] separates all pairs of samples at almost every U. *)
Hypothesis separates : forall r : 'I_N, (fixed <= r)%N -> generic [set u | injective (h r u)].

(** Weights and a bias of its own. *)
Hypothesis own : forall (r : 'I_N) u (w : 'rV[R]_(q r)) (b : R), (fixed <= r)%N -> exists u',
  (forall (j : 'I_N), (j < r)%N -> forall i, F u' i j = F u i j) /\
  (forall i, F u' i r = sigma r (dot w (h r u i) + b)).

(** Lemma S'. *)
Hypothesis spans : forall (r : 'I_N) (z c : 'I_N -> R), (fixed <= r)%N -> injective z ->
  (forall s b, \sum_i c i * sigma r (s * z i + b) = 0) -> forall i, c i = 0.

(** It is a determinant that is not 0. *)
Let A r u : 'M[R]_N := \matrix_(i, j) (if (j < r)%N then F u i j else 0).
Let B r u : 'M[R]_N := (A r u)^T *m A r u + diag_mx (\row_j (r <= j)%N%:R).

Lemma independentE r u : independent r u <-> \det (B r u) != 0.
Proof.
have quad (y : 'rV[R]_N) : dot (y *m B r u) y = dot (y *m (A r u)^T) (y *m (A r u)^T) + \sum_(j < N) (r <= j)%N%:R * y 0 j ^+ 2.
  rewrite /B mulmxDr dotDl mulmxA dot_mul; congr (_ + _).
  by apply: eq_bigr => j _; rewrite mul_mx_diag !mxE -mulrA mulrCA -expr2.
have sum_ge0 (y : 'rV[R]_N) : 0 <= \sum_(j < N) (r <= j)%N%:R * y 0 j ^+ 2.
  by apply: sumr_ge0 => j _; rewrite mulr_ge0 ?ler0n ?sqr_ge0.
have A_low (y : 'rV[R]_N) : (forall j : 'I_N, (r <= j)%N -> y 0 j = 0) -> y *m (A r u)^T = (F u *m y^T)^T.
  move=> low; apply/rowP => i; rewrite !mxE; apply: eq_bigr => j _; rewrite !mxE mulrC.
  by case: ltnP => // /low ->; rewrite mul0r mulr0.
rewrite -unitfE -[_ \is a GRing.unit]/(B r u \in unitmx) -row_free_unit -kermx_eq0; split=> [indep|/eqP ker0 y low zero].
  apply/eqP/row_matrixP => i; rewrite row0; set y := row i _.
  have yB : y *m B r u = 0 by rewrite /y -row_mul mulmx_ker row0.
  have := quad y; rewrite yB /dot big1 => [|j _]; last by rewrite mxE mul0r.
  move/esym/eqP; rewrite paddr_eq0 ?dot_ge0 // => /andP[/eqP zeroA /eqP zero_high].
  have low (j : 'I_N) : (r <= j)%N -> y 0 j = 0.
    move=> le_j; move/psumr_eq0P: zero_high => /(_ _ j isT); rewrite le_j mul1r => sq; apply/eqP.
    by rewrite -sqrf_eq0 sq // => k _; rewrite mulr_ge0 ?ler0n ?sqr_ge0.
  have Fy : F u *m y^T = 0.
    by apply: trmx_inj; rewrite trmx0 -A_low //; apply: dot_eq0.
  by apply: trmx_inj; rewrite trmx0; apply: indep Fy => j le_j; rewrite mxE low.
apply: trmx_inj; rewrite trmx0.
have zero_row : y^T *m B r u = 0.
  rewrite /B mulmxDr mulmxA A_low ?trmxK ?zero ?trmx0 ?mul0mx ?add0r => [|j le_j]; last by rewrite mxE low.
  apply/rowP => j; rewrite mul_mx_diag !mxE; case: leqP => [/low ->|_]; first by rewrite mul0r.
  by rewrite mulr0.
by move/sub_kermxP: zero_row; rewrite ker0 submx0 => /eqP.
Qed.

Lemma A_continuous r i j : continuous (fun u => A r u i j).
Proof.
move=> u; apply: (continuous_at_ext (g := fun u => if (j < r)%N then F u i j else 0)) => [v|]; first by rewrite mxE.
by case: (j < r)%N; [apply: F_continuous | apply: cst_continuous].
Qed.

Lemma B_continuous r : continuous (fun u => \det (B r u)).
Proof.
apply: continuous_det => i j u.
apply: (continuous_at_ext (g := fun u => \sum_k A r u k i * A r u k j + (diag_mx (\row_(l < N) (r <= l)%N%:R)) i j)) => [v|].
  by rewrite mxE [X in X + _]mxE; congr (_ + _); apply: eq_bigr => k _; rewrite [(A r v)^T _ _]mxE.
apply: continuousD; last exact: cst_continuous.
by apply: continuous_at_sum => k; apply: continuousM; apply: A_continuous.
Qed.

Lemma B_analytic r u w : analytic (fun t : R => \det (B r (u + t *: w))).
Proof.
move=> t; apply: analytic_det => i j.
apply: (analytic_ext (g := fun t : R => \sum_k A r (u + t *: w) k i * A r (u + t *: w) k j + (diag_mx (\row_(l < N) (r <= l)%N%:R)) i j)) => [v|].
  by rewrite mxE [X in X + _]mxE; congr (_ + _); apply: eq_bigr => k _; rewrite [(A r _)^T _ _]mxE.
apply: analytic_add; last exact: analytic_const.
have an_A k l : analytic_at (fun t : R => A r (u + t *: w) k l) t.
  apply: (analytic_ext (g := fun t : R => if (l < r)%N then F (u + t *: w) k l else 0)) => [v|]; first by rewrite mxE.
  by case: (l < r)%N; [apply: F_analytic | apply: analytic_const].
by apply: analytic_sum => k; apply: analytic_mul.
Qed.

(** One U with [r] independent columns gives almost every U. *)
Lemma independent_generic r u0 : independent r u0 -> generic [set u | independent r u].
Proof.
move=> /independentE neq0; have -> : [set u | independent r u] = [set u | \det (B r u) != 0].
  by rewrite predeqE => u /=; apply: independentE.
by apply: generic_neq0 neq0; [apply: B_continuous | apply: B_analytic].
Qed.

(** The columns are independent one after the other. *)
Lemma induction r : (fixed <= r)%N -> (r <= N)%N -> generic [set u | independent r u].
Proof.
have [u0 first] := start; elim: r => [|r IH].
  by rewrite leqn0 => /eqP f_eq _; apply: (@independent_generic 0 u0); rewrite -f_eq.
rewrite leq_eqVlt => /orP[/eqP <- _|le_f lt_r]; first exact: independent_generic first.
have gen := genericI (IH le_f (ltnW lt_r)) (separates (r := Ordinal lt_r) le_f).
have [u [/= indep inj]] := generic_some gen; pose r' := Ordinal lt_r.
have [c c_neq0 c_zero] : exists2 c : 'rV[R]_N, c != 0 & forall j : 'I_N, (j < r)%N -> \sum_i c 0 i * F u i j = 0.
  have : kermx (A r u) != 0.
    apply/negP => /eqP ker0; have unit : A r u \in unitmx by rewrite -row_free_unit -kermx_eq0 ker0.
    have zero : A r u *m delta_mx r' 0 = 0 :> 'cV[R]_N.
      apply/colP => i; rewrite mxE big1 ?mxE // => j _; rewrite !mxE.
      by case: ltnP => [lt_j|_]; rewrite ?mul0r // (_ : (j == r') = false) ?mulr0 // -val_eqE /= ltn_eqF.
    have := congr1 (mulmx (invmx (A r u))) zero; rewrite mulKmx // mulmx0 => /matrixP/(_ r' 0).
    by rewrite !mxE !eqxx => /eqP; rewrite oner_eq0.
  case/rowV0Pn => c /sub_kermxP zero c_neq0; exists c => // j lt_j.
  have := congr1 (fun v : 'rV[R]_N => v 0 j) zero; rewrite mxE [X in _ = X -> _]mxE => eq0; rewrite -[RHS]eq0.
  by apply: eq_bigr => i _; rewrite mxE lt_j.
have [a a_inj] := direction inj.
have [s [b neq0]] : exists s b, \sum_i c 0 i * sigma r' (s * dot a (h r' u i) + b) != 0.
  apply: contrapT => none; move/eqP: c_neq0; apply; apply/rowP => i; rewrite mxE.
  apply: (spans (r := r') (z := fun i => dot a (h r' u i)) (c := fun i => c 0 i) le_f a_inj) => s b; apply: contrapT => /eqP neq.
  by apply: none; exists s, b.
have [u' [same new]] := own (r := r') u (s *: a) b le_f.
apply: (@independent_generic r.+1 u') => y low zero.
have y_r : y r' 0 = 0.
  have : \sum_i c 0 i * (F u' *m y) i 0 = 0 by rewrite zero big1 // => i _; rewrite mxE mulr0.
  rewrite (eq_bigr (fun i => \sum_j c 0 i * F u' i j * y j 0)) => [|i _]; last first.
    by rewrite mxE mulr_sumr; apply: eq_bigr => j _; rewrite mulrA.
  rewrite exchange_big /= (bigD1 r') //= [X in _ + X]big1 ?addr0 => [|j neq]; last first.
    rewrite -mulr_suml; case: (ltngtP j r) => [lt_j|gt_j|eq_j].
    - rewrite (eq_bigr (fun i => c 0 i * F u i j)) ?c_zero ?mul0r // => i _.
      by rewrite same.
    - by rewrite low ?mulr0.
    by case/eqP: neq; apply: val_inj.
  rewrite -mulr_suml => /eqP; rewrite mulf_eq0 => /orP[/eqP zero_c|/eqP //].
  move/eqP: neq0; case; rewrite -[RHS]zero_c; apply: eq_bigr => i _.
  by rewrite new dotZl.
apply: indep => [j le_j|].
  by case: (ltngtP j r) le_j => // [gt_j _|eq_j _]; [apply: low | rewrite (_ : j = r') //; apply: val_inj].
apply/colP => i; have := congr1 (fun v : 'cV[R]_N => v i 0) zero; rewrite !mxE => eq0; rewrite -[RHS]eq0.
apply: eq_bigr => j _; case: (ltngtP j r) => [lt_j|gt_j|eq_j]; first by rewrite same.
  by rewrite low ?mulr0.
by rewrite (_ : j = r') ?y_r ?mulr0 //; apply: val_inj.
Qed.

Theorem A_rank : generic [set u | \rank (F u) = N].
Proof.
have gen : generic [set u | independent N u].
  case: (leqP fixed N) => [le_f|/ltnW lt_f]; first exact: induction le_f (leqnn N).
  have [u0 first] := start; apply: (@independent_generic N u0) => y low; apply: first => j le_j.
  by have := leq_trans lt_f le_j; rewrite leqNgt ltn_ord.
move: gen; rewrite (_ : [set u | independent N u] = [set u | \rank (F u) = N]) //.
rewrite predeqE => u /=; split=> [indep|full y _ zero].
  apply/eqP; rewrite -/(row_free (F u)) row_free_unit -unitmx_tr -row_free_unit -kermx_eq0.
  apply/eqP/row_matrixP => i; rewrite row0; apply: trmx_inj; rewrite trmx0.
  apply: indep => [j|]; first by rewrite leqNgt ltn_ord.
  by apply: trmx_inj; rewrite trmx_mul trmxK -row_mul mulmx_ker row0 trmx0.
have unit : F u \in unitmx by rewrite -row_free_unit /row_free full.
by rewrite -[y](mulKmx unit) zero mulmx0.
Qed.
End Induction.
