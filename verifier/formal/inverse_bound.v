(** From a bound of an inverse in the maximum norm, and a small perturbation, to the smallest singular value. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals ring.
From Landscape Require Import norms.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Square.
Variables (R : realType) (N : nat).
Implicit Types (A : 'M[R]_N) (x : 'cV[R]_N).

Lemma mul_tr_row A (u : 'rV[R]_N) : u *m A^T = (A *m u^T)^T.
Proof. by rewrite trmx_mul trmxK. Qed.

(** For a square matrix the rows and the columns have the same smallest singular value. *)
Lemma sigma_square A (s : R) : 0 < s -> sigma_at_least A^T s -> sigma_at_least A s.
Proof.
move=> s_gt0 columns u; have full := sigma_rank s_gt0 columns.
have unit : A^T \in unitmx by rewrite -row_full_unit /row_full full.
pose w := u *m invmx A^T; have uE : u = w *m A^T by rewrite mulmxKV.
have [->|/norm2_gt0 u_gt0] := eqVneq u 0; first by rewrite mul0mx norm2_0 mulr0.
have le_w : s * norm2 w <= norm2 u by rewrite [in leRHS]uE; apply: columns.
have sqr : norm2 u ^+ 2 <= norm2 (u *m A) * norm2 w.
  by apply: le_trans (cauchy_schwarz _ _); rewrite norm2_sqr dot_mul -uE.
rewrite -(ler_pmul2r u_gt0) -mulrA -expr2.
apply: le_trans (ler_wpmul2l (ltW s_gt0) sqr) _; rewrite mulrCA.
by rewrite ler_wpmul2l ?norm2_ge0.
Qed.

Lemma entry_le_norm2 (u : 'rV[R]_N) j : `|u 0 j| <= norm2 u.
Proof.
rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?norm2_ge0 // norm2_sqr real_normK ?num_real //.
rewrite /dot (bigD1 j) //= -expr2 ler_addl; apply: sumr_ge0 => l _.
by rewrite -expr2 sqr_ge0.
Qed.

Lemma norm2_le_entries (u : 'rV[R]_N) (B : R) : 0 <= B -> (forall j, `|u 0 j| <= B) -> norm2 u <= Num.sqrt N%:R * B.
Proof.
move=> B_ge0 le_B; rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?norm2_ge0 ?mulr_ge0 ?sqrtr_ge0 //.
rewrite norm2_sqr exprMn sqr_sqrtr ?ler0n // mulr_natl -[N in leRHS]card_ord -sumr_const.
apply: ler_sum => j _; rewrite -expr2 -(real_normK (num_real (u 0 j))).
by apply: ler_expn2r; rewrite ?nnegrE.
Qed.

(** [|x| <= T |Psi x| + q |x|] in the maximum norm, [q < 1]. *)
Section Stable.
Variables (Psi : 'M[R]_N) (T q : R).
Hypothesis T_gt0 : 0 < T.
Hypothesis q_lt1 : q < 1.
Hypothesis N_gt0 : (0 < N)%N.
Hypothesis stable : forall x (c B : R), (forall i, `|(Psi *m x) i 0| <= c) -> (forall j, `|x j 0| <= B) ->
  forall j, `|x j 0| <= T * c + q * B.

Theorem stable_sigma : \rank Psi = N /\ sigma_at_least Psi ((1 - q) / (Num.sqrt N%:R * T)).
Proof.
have root_gt0 : 0 < Num.sqrt N%:R :> R by rewrite sqrtr_gt0 ltr0n.
have s_gt0 : 0 < (1 - q) / (Num.sqrt N%:R * T) by rewrite divr_gt0 ?mulr_gt0 ?subr_gt0.
suff at_least : sigma_at_least Psi ((1 - q) / (Num.sqrt N%:R * T)).
  by split=> //; apply: sigma_rank at_least.
apply: sigma_square => // u; rewrite mul_tr_row; set x := u^T; set c := norm2 (Psi *m x)^T.
pose j0 := Ordinal N_gt0; pose jm := [arg max_(j > j0) `|u 0 j|]%O; pose B := `|u 0 jm|.
have le_B j : `|u 0 j| <= B by rewrite /B /jm; case: arg_maxP => // k _; apply.
have B_ge0 : 0 <= B by apply: normr_ge0.
have rows i : `|(Psi *m x) i 0| <= c.
  by have := entry_le_norm2 (Psi *m x)^T i; rewrite [(Psi *m x)^T 0 i]mxE.
have columns j : `|x j 0| <= B by rewrite mxE le_B.
have := stable rows columns jm; rewrite mxE -/B => bound.
have : B * (1 - q) <= T * c by rewrite mulrBr mulr1 ler_subl_addr [B * q]mulrC.
move=> le_c; rewrite mulrAC ler_pdivr_mulr ?mulr_gt0 // mulrC.
apply: le_trans (ler_wpmul2r _ (norm2_le_entries B_ge0 le_B)) _; first by rewrite subr_ge0 ltW.
by rewrite -mulrA [leRHS]mulrC -mulrA ler_wpmul2l // ltW.
Qed.
End Stable.

(** [|x| <= T |Ideal x|] in the maximum norm; [Psi] differs from [Ideal] by at most [delta j] in column [j]. *)
Variables (Psi Ideal : 'M[R]_N) (T q : R) (delta : 'I_N -> R).
Hypothesis T_gt0 : 0 < T.
Hypothesis inverse : forall x (c : R), (forall i, `|(Ideal *m x) i 0| <= c) -> forall j, `|x j 0| <= T * c.
Hypothesis close : forall i j, `|Psi i j - Ideal i j| <= delta j.
Hypothesis sum : (T * (\sum_j delta j) <= q)%R.
Hypothesis q_lt1 : q < 1.
Hypothesis N_gt0 : (0 < N)%N.

Theorem perturbed : \rank Psi = N /\ sigma_at_least Psi ((1 - q) / (Num.sqrt N%:R * T)).
Proof.
apply: stable_sigma => // x c B small le_B j.
have B_ge0 : 0 <= B by apply: le_trans (normr_ge0 _) (le_B j).
have rows i : `|(Ideal *m x) i 0| <= c + (\sum_j delta j) * B.
  have -> : Ideal *m x = Psi *m x - (Psi - Ideal) *m x by rewrite mulmxBl opprB addrC subrK.
  rewrite mxE [X in _ + X]mxE; apply: le_trans (ler_norm_sub _ _) _; apply: ler_add; first exact: small.
  rewrite mxE mulr_suml; apply: le_trans (ler_norm_sum _ _ _) _; apply: ler_sum => k _.
  by rewrite normrM; apply: ler_pmul => //; rewrite ?mxE //; have := close i k; rewrite !mxE.
apply: le_trans (inverse rows j) _; rewrite mulrDr mulrA ler_add2l.
by rewrite ler_wpmul2r.
Qed.
End Square.

(** More columns only increase the rank and the smallest singular value. *)
Section Columns.
Variables (R : realType) (N K M : nat).

Lemma more_columns (Psi : 'M[R]_(N, M)) (f : 'I_K -> 'I_M) (s : R) : injective f ->
  sigma_at_least (\matrix_(i, j) Psi i (f j)) s -> sigma_at_least Psi s.
Proof.
move=> f_inj part u; apply: le_trans (part u) _; rewrite ler_wsqrtr // /dot.
have entry j : (u *m \matrix_(i, j) Psi i (f j)) 0 j = (u *m Psi) 0 (f j).
  by rewrite !mxE; apply: eq_bigr => i _; rewrite mxE.
under eq_bigr do rewrite entry.
pose F k := (u *m Psi) 0 k * (u *m Psi) 0 k; under eq_bigr do rewrite -[_ * _]/(F _).
have uniq_f : uniq (codom f) by apply/injectiveP.
have -> : \sum_j F (f j) = \sum_(k in codom f) F k by rewrite -big_uniq //= big_image.
rewrite [leRHS](bigID (mem (codom f))) /= ler_addl; apply: sumr_ge0 => k _.
by rewrite -expr2 sqr_ge0.
Qed.
End Columns.
