(** R1, Z1 and P1 of given numbers: matrices are lists of rows, and every obligation is an inequality between real
    numbers of Coq's standard library, which interval arithmetic decides. `verifier formal` writes such files. *)
From Coq Require Import Reals List.
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals Rstruct topology normedtype sequences exp ring.
From Landscape Require Import norms lse loss paths L2_1 R1 Z1 P1 tables standard.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma totalE n (f : nat -> R) : total n f = \sum_(i < n) f i.
Proof. by elim: n => [|n IH]; rewrite ?big_ord0 // big_ord_recr /= IH. Qed.

Lemma everyP n (P : nat -> Prop) : every n P -> forall i : 'I_n, P i.
Proof.
move=> all_P; suff below i : (i < n)%N -> P i by move=> i; apply: below.
elim: n all_P => // n IH /= [small top]; rewrite ltnS leq_eqVlt => /orP[/eqP->|] //.
exact: IH.
Qed.

Lemma squareE (x : R) : pow x 2 = x ^+ 2.
Proof. by rewrite expr2 /= Rmult_1_r. Qed.

Definition matrix N M (rows : table) : 'M[R]_(N, M) := \matrix_(i, j) entry rows i j.

(** The 2-norm of a matrix is at most a number. *)
Definition norm_at_most N M (rows : table) (c : R) : Prop := norm2_at_most (matrix N M rows) c.

Section Sizes.
Variables (N M : nat).

Lemma size_frobenius (f : nat -> nat -> R) (c : R) : Rle 0 c -> Rle (squares N M f) (pow c 2) ->
  norm2_at_most (\matrix_(i < N, j < M) f i j) c.
Proof.
move=> /RleP c_ge0 /RleP; rewrite squareE /squares totalE => le_c; apply: norm2_at_most_le (@norm2_frobenius _ _ _ _).
rewrite -(ger0_norm c_ge0) -sqrtr_sqr ler_wsqrtr //; apply: le_trans le_c; rewrite le_eqVlt; apply/orP; left; apply/eqP.
by apply: eq_bigr => i _; rewrite totalE; apply: eq_bigr => j _; rewrite squareE !mxE.
Qed.


Lemma size_entries (x : table) (c : R) : Rle 0 c -> Rle (squares N M (entry x)) (pow c 2) -> norm_at_most N M x c.
Proof. exact: size_frobenius. Qed.
End Sizes.

Section Gram.
Variables (N M : nat).

(** By the Gram matrix of [x], or a matrix [s] near it. *)
Lemma size_gram (x s : table) (c d xi : R) : Rle 0 d -> Rle 0 xi ->
  Rle (squares N N (fun i j => Rminus (gram M x i j) (entry s i j))) (pow d 2) ->
  norm_at_most N N s c -> Rle (Rplus c d) (pow xi 2) -> norm_at_most M N x xi.
Proof.
move=> d_ge0 /RleP xi_ge0 close size_s /RleP; rewrite squareE => sum.
apply: norm2_at_most_gram => //; apply: norm2_at_most_le sum _.
rewrite -[_ *m _](subrK (matrix N N s)) addrC; apply: norm2_at_most_add => //.
rewrite (_ : _ - _ = \matrix_(i, j) Rminus (gram M x i j) (entry s i j)); first exact: (size_frobenius d_ge0 close).
apply/matrixP => i j; rewrite !mxE /gram totalE; congr (_ - _).
by apply: eq_bigr => k _; rewrite !mxE.
Qed.
End Gram.

(** R1 *)
Section Rank.
Variables (N M q : nat) (psi a x : table) (e beta xi alpha sigma : R).
Hypothesis enclosed : near N M psi a e.
Hypothesis e_ge0 : Rle 0 e.
Hypothesis inverse : Rle (squares N N (residual M a x)) (pow beta 2).
Hypothesis beta_ge0 : Rle 0 beta.
Hypothesis size : norm_at_most M N x xi.
Hypothesis xi_gt0 : Rlt 0 xi.
Hypothesis root : (N * M <= q * q)%N.
Hypothesis sum : Rle (Rplus beta (Rmult (Rmult e (INR q)) xi)) alpha.
Hypothesis sigma_gt0 : Rlt 0 sigma.
Hypothesis bound : Rle (Rmult sigma xi) (Rminus 1 alpha).

Theorem instance_R1 : \rank (matrix N M psi) = N /\ sigma_at_least (matrix N M psi) sigma.
Proof.
have xi0 : 0 < xi by apply/RltP.
have e0 : 0 <= e by apply/RleP.
have root_le : Num.sqrt (N%:R * M%:R) <= q%:R :> R.
  rewrite -[q%:R]ger0_norm ?ler0n // -sqrtr_sqr ler_wsqrtr // expr2 -!natrM ler_nat //.
have close : norm2_at_most (1%:M - matrix N M psi *m matrix M N x) alpha.
  apply: (@R1_residual _ _ _ _ (matrix N M a) _ e xi _ beta) => //.
  - by move=> i j; rewrite !mxE; apply/RleP; apply: (everyP (everyP enclosed i) j).
  - exact: ltW.
  - rewrite (_ : _ - _ = \matrix_(i, j) residual M a x i j); first exact: (size_frobenius beta_ge0 inverse).
    apply/matrixP => i j; rewrite !mxE /residual /product totalE /one -[_ == _ :> 'I_N]/(nat_of_ord i == j).
    congr (_ - _); last by apply: eq_bigr => k _; rewrite !mxE.
    by case: (Nat.eqb_spec i j) => [->|/eqP/negPf->] //; rewrite eqxx.
  have /RleP := sum; apply: le_trans; apply: ler_add => //; rewrite INRE.
  by apply: ler_wpmul2r; [apply: ltW | apply: ler_wpmul2l].
have sigma_bound : sigma_at_least (matrix N M psi) sigma.
  by apply: (R1_sigma close size xi0); rewrite ler_pdivl_mulr //; apply/RleP.
by split; first by apply: sigma_rank sigma_bound; apply/RltP.
Qed.
End Rank.

(** The samples of a certificate: distinct ones, with labels and how often each occurs. *)
Section Labels.
Variables (N m : nat) (labels counts : list nat).
Hypothesis ok : consistent N m labels counts = true.

Lemma ok_N : (0 < N)%N.
Proof. by case/andP: ok => /andP[/PeanoNat.Nat.ltb_lt/ssrnat.ltP]. Qed.

Lemma ok_m : (1 < m)%N.
Proof. by case/andP: ok => /andP[_ /PeanoNat.Nat.ltb_lt/ssrnat.ltP]. Qed.

Lemma ok_each (i : 'I_N) : (label labels i < m)%N /\ (0 < List.nth i counts 1)%N.
Proof.
have listed : List.In (i : nat) (List.seq 0 N) by apply/List.in_seq; split; [apply: le_0_n | apply/ssrnat.ltP].
case/andP: ok => _ /List.forallb_forall/(_ i listed).
by move=> /andP[/PeanoNat.Nat.ltb_lt/ssrnat.ltP small /PeanoNat.Nat.ltb_lt/ssrnat.ltP].
Qed.

Definition data : samples N m := Samples
  (fun i => Ordinal (proj1 (ok_each i))) (fun i => proj2 (ok_each i)) ok_N ok_m.

Lemma wrongP (P : nat -> nat -> Prop) : wrong N m labels P -> forall (i : 'I_N) (k : 'I_m), k != data i -> P i k.
Proof.
move=> all_P i k other; have := everyP (everyP all_P i) k.
by case: PeanoNat.Nat.eqb_spec => // same; case/eqP: other; apply/val_inj.
Qed.

Lemma totalE_data : INR (loss.total data) = total N (count counts).
Proof.
by rewrite totalE /loss.total INRE natr_sum; apply: eq_bigr => i _; rewrite /count INRE.
Qed.

Lemma boundE (g : R) : tail m g = bound m g.
Proof. by rewrite /tail /bound ln_standard ?tail_arg_gt0 // exp_standard INRE PeanoNat.Nat.sub_1_r. Qed.

Section Loss.
Variables (M : nat) (psi frozen : table).
Let Psi := matrix N M psi.
Let K := matrix N m frozen.

Lemma marginE v i k : margin data (Psi *m matrix M m v) i k = logit_margin M labels psi v i k.
Proof.
rewrite /margin /logit_margin totalE !mxE -sumrB; apply: eq_bigr => j _.
by rewrite !mxE -mulrBr.
Qed.

Lemma frozenE i k : margin data K i k = frozen_margin labels frozen i k.
Proof. by rewrite /margin !mxE. Qed.

Lemma lossE v : Phi data Psi K (matrix M m v) = cross_entropy N M m labels counts psi frozen v.
Proof.
have total_neq0 : (loss.total data)%:R != 0 :> R by rewrite gt_eqF ?total_gt0.
rewrite /Phi /loss /cross_entropy -totalE_data INRE RdivE // mulrC; congr (_ / _).
rewrite totalE; apply: eq_bigr => i _; rewrite /count INRE; congr (_ * _).
have sum_gt0 (f : 'I_m -> R) : 0 < 1 + \sum_(k | k != data i) expR (f k).
  by rewrite ltr_paddr ?ltr01 // sumr_ge0 // => k _; rewrite ltW // expR_gt0.
rewrite sample_lossE ln_standard ?sum_gt0 // /sample_loss; congr (Rpower.ln (1 + _)).
rewrite totalE big_mkcond /=; apply: eq_bigr => k _.
case: PeanoNat.Nat.eqb_spec => [same|other].
  by rewrite (_ : k = data i) ?eqxx //; apply/val_inj.
rewrite ifT; last by apply/eqP => same; apply: other; rewrite same.
by rewrite margin_add marginE frozenE exp_standard.
Qed.
End Loss.
End Labels.

(** Z1 and P1 *)
Section Path.
Variables (N M m : nat) (labels counts : list nat).
Hypothesis ok : consistent N m labels counts = true.
Variables (psi frozen v0 v1 : table) (gamma drop kappa : R).
Let y := data ok.
Let Psi := matrix N M psi.
Let K := matrix N m frozen.
Let V0 := matrix M m v0.
Let V1 := matrix M m v1.

Hypothesis gamma_gt0 : Rlt 0 gamma.
Hypothesis margins : wrong N m labels (fun i k => Rle gamma (logit_margin M labels psi v1 i k)).
Hypothesis against : wrong N m labels (fun i k => Rle (Ropp drop) (frozen_margin labels frozen i k)).

Let margins_at_least i k : k != y i -> gamma <= margin y (Psi *m V1) i k.
Proof. by move=> /(wrongP margins)/RleP; rewrite marginE. Qed.

Let frozen_at_least i k : k != y i -> - drop <= margin y K i k.
Proof. by move=> /(wrongP against)/RleP; rewrite frozenE. Qed.

Let gamma0 : 0 < gamma. Proof. exact/RltP. Qed.

Theorem instance_Z1 :
  [/\ forall i k, k != y i -> gamma <= margin y (Psi *m V1) i k,
      forall s t, s < t -> Phi y Psi K (t *: V1) < Phi y Psi K (s *: V1),
      forall t, 0 <= t -> Phi y Psi K (t *: V1) <= tail m (t * gamma - drop)
    & forall eps : R, 0 < eps -> exists2 t0, 0 <= t0 & forall t, t0 <= t -> Phi y Psi K (t *: V1) < eps].
Proof.
split=> [//|s t|t|eps].
- exact: (Z1_decreases K gamma0 margins_at_least).
- exact: (Z1_tail margins_at_least frozen_at_least).
- exact: (Z1_limit gamma0 margins_at_least frozen_at_least).
Qed.

Lemma tail_le (g h : R) : g <= h -> tail m h <= tail m g.
Proof.
move=> le_gh; rewrite /tail ler_ln ?posrE ?tail_arg_gt0 // ler_add2l ler_wpmul2l ?ler0n //.
by rewrite ler_expR ler_opp2.
Qed.

Let tail_after (t0 t : R) : 0 <= t0 -> t0 <= t -> Phi y Psi K (t *: V1) <= tail m (t0 * gamma - drop).
Proof.
move=> t0_ge0 le_t; apply: le_trans (Z1_tail margins_at_least frozen_at_least (le_trans t0_ge0 le_t)) _.
by apply: tail_le; rewrite ler_add2r ler_wpmul2r // ltW.
Qed.

Theorem instance_start (lower upper : R) : Rle lower (cross_entropy N M m labels counts psi frozen v0) ->
  Rle (cross_entropy N M m labels counts psi frozen v0) upper -> lower <= Phi y Psi K V0 <= upper.
Proof. by rewrite /y /Psi /K /V0 lossE => /RleP-> /RleP->. Qed.

(** From [t0] on the loss is at most [l]. *)
Theorem instance_target (t0 l : R) : Rle 0 t0 -> Rle (bound m (Rminus (Rmult t0 gamma) drop)) l ->
  forall t, t0 <= t -> Phi y Psi K (t *: V1) <= l.
Proof. by move=> /RleP t0_ge0 /RleP; rewrite -boundE => small t /(tail_after t0_ge0)/le_trans; apply. Qed.

(** From [t0] on every sample is classified correctly. *)
Theorem instance_classified (t0 : R) : Rle 0 t0 ->
  Rlt (bound m (Rminus (Rmult t0 gamma) drop)) (Rdiv (Rpower.ln 2) (total N (count counts))) ->
  forall t, t0 <= t -> zero_error y (Psi *m (t *: V1) + K).
Proof.
move=> /RleP t0_ge0 /RltP; rewrite -boundE => small t /(tail_after t0_ge0) le_tail.
apply: L2_1; apply: le_lt_trans le_tail _; move: small.
rewrite -(totalE_data ok) INRE RdivE ?gt_eqF ?total_gt0 //.
by rewrite ln_standard ?ltr0n.
Qed.

Hypothesis kappa_gt0 : Rlt 0 kappa.
Hypothesis segment : wrong N m labels (fun i k =>
  Rlt (logit_margin M labels psi v0 i k) (Rmult kappa (logit_margin M labels psi v1 i k))).

Theorem instance_P1 :
  [/\ path V0 V1 kappa 0 = V0,
      continuous_mx (path V0 V1 kappa),
      forall s, 1 <= s -> path V0 V1 kappa s = (kappa * s) *: V1,
      forall s t, 0 <= s -> s < t -> Phi y Psi K (path V0 V1 kappa t) < Phi y Psi K (path V0 V1 kappa s)
    & forall eps : R, 0 < eps -> exists s0, forall s, s0 <= s -> Phi y Psi K (path V0 V1 kappa s) < eps].
Proof.
have grows i k : k != y i -> margin y (Psi *m V0) i k < kappa * margin y (Psi *m V1) i k.
  by move=> /(wrongP segment)/RltP; rewrite !marginE.
have kappa0 : 0 < kappa by apply/RltP.
have [starts continuous decreases _ limit] := P1 gamma0 kappa0 margins_at_least frozen_at_least grows.
by split=> // s s_ge1; apply: path_ray.
Qed.
End Path.
