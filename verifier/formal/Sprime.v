(** Lemma S': the vectors [(sigma(s z_i + b))_i] span, for any function sigma that is no polynomial of a low degree. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals ring.
From Landscape Require Import norms.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** Distinct vectors have distinct values in some direction. *)
Section Direction.
Variables (R : realType) (N q : nat) (h : 'I_N -> 'rV[R]_q).
Hypothesis h_inj : injective h.

Lemma direction : exists a : 'rV[R]_q, injective (fun i => dot a (h i)).
Proof.
pose p (ik : 'I_N * 'I_N) : {poly R} := if ik.1 == ik.2 then 1 else \poly_(l < q) (if insub l is Some l' then (h ik.1 - h ik.2) 0 l' else 0).
have p_neq0 ik : p ik != 0.
  rewrite /p; case: (eqVneq ik.1 ik.2) => [_|neq] /=; first by rewrite -polyC1 polyC_eq0 oner_neq0.
  apply/eqP => /polyP zero; move/eqP: neq; apply; apply: h_inj; apply/rowP => l.
  have := zero l; rewrite coef_poly ltn_ord coef0 valK => eq0.
  by apply/eqP; rewrite -subr_eq0 -eq0 !mxE.
pose all_p := \prod_ik p ik; have all_neq0 : all_p != 0 by apply/prodf_neq0 => ik _.
have [x not_root] : exists x : R, ~~ root all_p x.
  apply: contrapT => none; pose roots := [seq k%:R : R | k <- iota 0 (size all_p)].
  have all_roots : all (root all_p) roots by apply/allP => x _; apply: contrapT => /negP not_root; apply: none; exists x.
  have uniq_roots : uniq roots.
    by rewrite map_inj_uniq ?iota_uniq // => i j /eqP; rewrite eqr_nat => /eqP.
  by have := max_poly_roots all_neq0 all_roots uniq_roots; rewrite size_map size_iota ltnn.
exists (\row_l x ^+ l) => i k same; apply/eqP; apply: contraNT not_root => neq.
rewrite /root horner_prod; apply/prodf_eq0; exists (i, k) => //.
rewrite /p /= (negPf neq) horner_poly.
have -> : \sum_(l < q) (if insub (l : nat) is Some l' then (h i - h k) 0 l' else 0) * x ^+ l = dot (\row_l x ^+ l) (h i) - dot (\row_l x ^+ l) (h k).
  by rewrite -sumrB; apply: eq_bigr => l _; rewrite valK !mxE mulrC mulrBr.
by rewrite same subrr.
Qed.
End Direction.

(** Differences of a sequence. *)
Section Sequences.
Variable R : realType.
Implicit Types (u v : nat -> R) (n m k : nat).

Definition next u n : R := u n.+1 - u n.

Lemma next_sum u m n : u (n + m)%N - u n = \sum_(i < m) next u (n + i).
Proof.
elim: m => [|m IH]; first by rewrite addn0 subrr big_ord0.
by rewrite big_ord_recr /= -IH /next addnS; move: (u (n + m).+1) (u (n + m)%N) (u n) => a b c; ring.
Qed.

(** Steps of length [m], on a sequence whose difference of order [k] is [c]. *)
Definition step m u n : R := u (n + m)%N - u n.

Lemma iter_next_step m u k n : iter k next (step m u) n = step m (iter k next u) n.
Proof.
elim: k n => [//|k IH] n; rewrite iterS [in LHS]/next !IH /step iterS /next addSn.
by move: (iter k next u _) (iter k next u _) (iter k next u _) (iter k next u _) => a b c d; ring.
Qed.

Lemma iter_step k m (c : R) u : (forall n, iter k next u n = c) -> forall n, iter k (step m) u n = m%:R ^+ k * c.
Proof.
elim: k u c => [|k IH] u c const n; first by rewrite expr0 mul1r -(const n).
rewrite iterSr (IH _ (m%:R * c)) => [|{}n]; first by rewrite exprSr mulrA.
rewrite iter_next_step /step next_sum (eq_bigr (fun=> c)) => [|i _]; first by rewrite sumr_const card_ord mulr_natl.
by rewrite -[RHS](const (n + i)%N) iterS.
Qed.

Lemma iter_step_le k m (B : R) u : (forall j, (j <= k)%N -> `|u (j * m)%N| <= B) -> `|iter k (step m) u 0%N| <= 2 ^+ k * B.
Proof.
move=> le_B; suff gen i : (i <= k)%N -> forall j, (j + i <= k)%N -> `|iter i (step m) u (j * m)%N| <= 2 ^+ i * B.
  by have := gen k (leqnn k) 0%N; rewrite mul0n; apply.
elim: i => [_ j|i IH lt_i j le_j]; first by rewrite addn0 mul1r; apply: le_B.
rewrite iterS /step; apply: le_trans (ler_norm_sub _ _) _.
have -> : 2 ^+ i.+1 * B = 2 ^+ i * B + 2 ^+ i * B by rewrite exprS; move: (2 ^+ i) => x; ring.
apply: ler_add; last by apply: IH; [apply: ltnW | apply: leq_trans le_j; rewrite leq_add2l].
by rewrite -mulSnr; apply: IH; [apply: ltnW | rewrite addSnnS].
Qed.

(** A sequence that is a polynomial of degree below [k] and grows no faster than a power [g < k.-1] is one of degree at
    most [g]. *)
Lemma slow_polynomial k g (C : R) u : (forall n, iter k next u n = 0) -> (forall n, `|u n| <= C * n.+1%:R ^+ g) ->
  (g < k)%N -> forall n, iter g.+1 next u n = 0.
Proof.
move=> zero slow; elim: k zero => // k IH zero; rewrite ltnS leq_eqVlt => /orP[/eqP -> //|lt_g].
apply: IH => //; have C_ge0 : 0 <= C by have := le_trans (normr_ge0 _) (slow 0%N); rewrite expr1n mulr1.
pose c := iter k next u 0%N.
have const n : iter k next u n = c.
  by elim: n => // n IH; rewrite -IH; apply/eqP; rewrite -subr_eq0 -[_ - _]/(next (iter k next u) n) -iterS zero.
suff c0 : c = 0 by move=> n; rewrite const.
apply/eqP; rewrite -normr_le0.
pose D := 2 ^+ k * (C * k.+1%:R ^+ g).
have D_ge0 : 0 <= D by rewrite mulr_ge0 ?exprn_ge0 ?ler0n // mulr_ge0 // exprn_ge0 ?ler0n.
have small m : m.+1%:R * `|c| <= D.
  have m_gt0 : 0 < m.+1%:R :> R by rewrite ltr0n.
  rewrite -(ler_pmul2r (exprn_gt0 g m_gt0)).
  apply: (@le_trans _ _ (`|iter k (step m.+1) u 0%N|)).
    rewrite (iter_step _ const) normrM ger0_norm ?exprn_ge0 ?ler0n // mulrAC ler_wpmul2r //.
    rewrite -exprS ler_weexpn2l ?ler1n //.
  apply: le_trans (_ : _ <= 2 ^+ k * (C * (k.+1%:R * m.+1%:R) ^+ g)) _; last by rewrite /D exprMn !mulrA.
  apply: iter_step_le => j le_j; apply: le_trans (slow _) _; rewrite ler_wpmul2l //.
  apply: ler_expn2r; rewrite ?nnegrE ?mulr_ge0 ?ler0n // -natrM ler_nat.
  by rewrite mulSn -addn1 addnC leq_add // leq_mul2r le_j orbT.
rewrite leNgt; apply/negP => c_gt0; have := archi_boundP (divr_ge0 D_ge0 (ltW c_gt0)); move: (Num.bound _) => m.
rewrite ltr_pdivr_mulr // => big; have := small m; rewrite leNgt => /negP; apply; apply: lt_trans big _.
by rewrite ltr_pmul2r // ltr_nat.
Qed.
End Sequences.

Arguments next {R}.

Section Differences.
Variable R : realType.
Implicit Types (f : R -> R) (h x k s b : R).

(** The difference with the step [h]. *)
Definition shift h f x : R := f (x + h) - f x.

Lemma iter_shift_next r h f x n : iter r (shift h) f (x + n%:R * h) = iter r next (fun n => f (x + n%:R * h)) n.
Proof.
elim: r n => [//|r IH] n; rewrite !iterS [RHS]/next -!IH.
by rewrite [n.+1%:R]mulrSr mulrDl mul1r addrA.
Qed.

Lemma iter_shift_back r h f x : iter r (shift (- h)) f x = (-1) ^+ r * iter r (shift h) f (x - r%:R * h).
Proof.
elim: r x => [|r IH] x; first by rewrite mul0r subr0 mul1r.
rewrite !iterS [LHS]/shift [in RHS]/shift !IH exprS.
have -> : x - h - r%:R * h = x - r.+1%:R * h by rewrite [r.+1%:R]mulrSr; move: (r%:R : R) => y; ring.
have -> : x - r.+1%:R * h + h = x - r%:R * h by rewrite [r.+1%:R]mulrSr; move: (r%:R : R) => y; ring.
by move: ((-1) ^+ r) (iter _ _ _ _) (iter _ _ _ _) => y u v; ring.
Qed.

(** As a sum, with binomial coefficients. *)
Lemma iter_shiftE r h f x : iter r (shift h) f x = \sum_(j < r.+1) (-1) ^+ (r - j) * 'C(r, j)%:R * f (x + j%:R * h).
Proof.
have sign (j : 'I_r.+1) : (-1) ^+ (r - j) = (-1) ^+ (r + j) :> R.
  by rewrite -signr_odd -[RHS]signr_odd oddB ?oddD // -ltnS.
under eq_bigr do rewrite sign; elim: r {sign} x => [|r IH] x.
  by rewrite big_ord1 /= bin0 mul0r addr0 expr0 !mul1r.
pose F (j : nat) : R := f (x + j%:R * h).
rewrite iterS /shift !IH [RHS]big_ord_recl /= bin0.
have -> : \sum_(j < r.+1) (-1) ^+ (r + j) * 'C(r, j)%:R * f (x + h + j%:R * h) = \sum_(j < r.+1) (-1) ^+ (r + j) * 'C(r, j)%:R * F j.+1.
  by apply: eq_bigr => j _; rewrite /F [j.+1%:R]mulrS mulrDl mul1r addrA.
have -> : \sum_(j < r.+1) (-1) ^+ (r + j) * 'C(r, j)%:R * f (x + j%:R * h) =
    (-1) ^+ r * F 0%N + \sum_(j < r.+1) (-1) ^+ (r + j.+1) * 'C(r, j.+1)%:R * F j.+1.
  by rewrite -(big_mkord xpredT (fun j => (-1) ^+ (r + j) * 'C(r, j)%:R * F j)) big_nat_recl // big_mkord bin0 addn0 mulr1 big_ord_recr /= bin_small ?mulr0 ?mul0r ?addr0 //;
   congr (_ + _); rewrite [RHS]big_ord_recr /= bin_small // mulr0 mul0r addr0.
rewrite opprD addrCA; congr (_ + _); first by rewrite addn0 exprS mulr1 mulN1r mulNr.
rewrite -sumrB; apply: eq_bigr => j _; rewrite /bump /= add1n binS natrD.
rewrite !addnS !addSn !exprS.
by rewrite -/(F j.+1); move: ((-1) ^+ (r + j)) (F _) ('C(r, j.+1)%:R : R) ('C(r, j)%:R : R) => a y u v; ring.
Qed.

(** Terms are removed one after the other from a sum that vanishes for all [s] and [b]. *)
Lemma eliminate (l : seq (R * (R -> R))) z f k : all (fun p => p.1 != z) l ->
  (forall s b, f (s * z + b) + \sum_(p <- l) p.2 (s * p.1 + b) = 0) -> forall x, iter (size l) (shift k) f x = 0.
Proof.
move: {2}(size l) (erefl (size l)) => n; elim: n l f => [|n IH] [|[z1 f1] l] f //= => [_ _ zero x|[size_l] /andP[neq others] zero x].
  by have := zero 0 x; rewrite big_nil mul0r add0r addr0.
pose v := k / (z - z1); pose l' := [seq (p.1, shift (v * (p.1 - z1)) p.2) | p <- l].
have k_eq : v * (z - z1) = k by rewrite /v mulfVK // subr_eq0 eq_sym.
have size_l' : size l' = n by rewrite size_map.
rewrite -/(iter (size l).+1 _ _) iterSr size_l -size_l'; apply: IH => //.
  by rewrite all_map; apply: sub_all others => p.
move=> s b; rewrite big_map /shift sumrB.
have here := zero s b; have there := zero (s + v) (b - v * z1).
rewrite big_cons /= in here; rewrite big_cons /= in there.
have term (y : R) : (s + v) * y + (b - v * z1) = s * y + b + v * (y - z1) by ring.
rewrite !term k_eq subrr mulr0 addr0 in there; rewrite (eq_bigr (fun p => p.2 (s * p.1 + b + v * (p.1 - z1)))) in there; last first.
  by move=> p _; rewrite term.
move/eqP: here; rewrite addrCA addr_eq0 => /eqP here; move/eqP: there; rewrite addrCA addr_eq0 => /eqP there.
by move: here there; move: (f1 _) (f _) (f _) (\sum_(p <- l) _) (\sum_(p <- l) _) => a y u w t -> /oppr_inj same; move/eqP: same; rewrite eq_sym -subr_eq0 => /eqP <-; ring.
Qed.

(** On one of the half lines a function grows no faster than a power. *)
Definition grows_at_most f g := exists C,
  (forall t, 0 <= t -> `|f t| <= C * (1 + t) ^+ g) \/ (forall t, 0 <= t -> `|f (- t)| <= C * (1 + t) ^+ g).

Lemma slow_difference f g C h x K : h != 0 -> (forall t, 0 <= h * t -> `|f t| <= C * (1 + `|t|) ^+ g) ->
  (forall k y, iter K (shift k) f y = 0) -> (g < K)%N -> iter g.+1 (shift h) f x = 0.
Proof.
move=> h_neq0 slow zero lt_g; pose u n : R := f (x + n%:R * h).
suff -> : iter g.+1 (shift h) f x = iter g.+1 next u 0%N.
  have C_ge0 : 0 <= C by have := slow 0; rewrite mulr0 normr0 addr0 expr1n mulr1 => /(_ (lexx _)); apply: le_trans.
  pose B := 1 + `|x| + `|h|; have B_ge1 : 1 <= B by rewrite /B -addrA ler_addl addr_ge0.
  pose n0 := Num.bound (`|x| / `|h|); pose D := C * B ^+ g + \sum_(i < n0) `|u i|.
  have power_ge1 n : 1 <= n.+1%:R ^+ g :> R by rewrite exprn_ege1 // ler1n.
  have C_part n : 0 <= C * (B * n.+1%:R) ^+ g by rewrite mulr_ge0 // exprn_ge0 // mulr_ge0 ?ler0n // (le_trans ler01).
  apply: (@slow_polynomial _ K g D) => // [n|n]; first by rewrite -iter_shift_next.
  rewrite /D mulrDl; case: (ltnP n n0) => [lt_n|le_n].
    rewrite -mulrA -exprMn; apply: ler_paddl => //.
    apply: (@le_trans _ _ (\sum_(i < n0) `|u i|)); last by rewrite ler_pemulr // sumr_ge0.
    by rewrite (bigD1 (Ordinal lt_n)) //= ler_addl sumr_ge0.
  apply: ler_paddr; first by rewrite mulr_ge0 ?sumr_ge0 // (le_trans ler01).
  have far : `|x| / `|h| <= n%:R.
    apply: ltW; apply: lt_le_trans (archi_boundP _) _; first by rewrite divr_ge0.
    by rewrite ler_nat.
  apply: le_trans (slow _ _) _.
    rewrite mulrDr mulrCA -expr2 -(real_normK (num_real h)) -ler_subl_addl sub0r.
    rewrite ler_pdivr_mulr ?normr_gt0 // in far.
    apply: (@le_trans _ _ (`|h| * `|x|)); first by rewrite -normrM -normrN ler_norm.
    by rewrite expr2 mulrCA ler_wpmul2l.
  rewrite -mulrA -exprMn ler_wpmul2l //; apply: ler_expn2r; rewrite ?nnegrE ?addr_ge0 //.
    by rewrite mulr_ge0 ?ler0n // (le_trans ler01).
  apply: (@le_trans _ _ (1 + (`|x| + n%:R * `|h|))).
    by rewrite ler_add2l (le_trans (ler_norm_add _ _)) // ler_add2l normrM ger0_norm ?ler0n.
  rewrite -subr_ge0 [n.+1%:R]mulrSr /B.
  rewrite (_ : _ - _ = n%:R + n%:R * `|x| + `|h|); first by rewrite !addr_ge0 ?mulr_ge0 ?ler0n.
  by move: (n%:R : R) `|x| `|h| => a y w; ring.
by rewrite -iter_shift_next mul0r addr0.
Qed.
End Differences.
Arguments shift {R}.

(** Lemma S', for any function: what is orthogonal to all [(sigma(s z_i + b))_i] is 0, unless sigma is a polynomial of
    degree <= K - 2. That it is none shows a difference of an order [r <= K - 1] that is not 0: of order [K - 1], or of an
    order above [g] where sigma grows no faster than a power [g] on one of the half lines. *)
Section Spanning.
Variables (R : realType) (K r : nat) (z : 'I_K -> R) (sigma : R -> R) (x h : R).
Hypothesis z_inj : injective z.
Hypothesis few : (r < K)%N.
Hypothesis differs : \sum_(j < r.+1) (-1) ^+ (r - j) * 'C(r, j)%:R * sigma (x + j%:R * h) != 0.
Hypothesis grows : r.+1 = K \/ exists2 g, r = g.+1 & grows_at_most sigma g.

Theorem Lemma_S_prime (c : 'I_K -> R) : (forall s b, \sum_i c i * sigma (s * z i + b) = 0) -> forall i, c i = 0.
Proof.
move=> zero i0; apply: contrapT => /eqP c_neq0; move: differs; rewrite -iter_shiftE => /eqP; apply.
have all_zero k y : iter K.-1 (shift k) sigma y = 0.
  pose l := [seq (z i, fun t => c i * sigma t) | i <- enum 'I_K & i != i0].
  have size_l : size l = K.-1.
    by rewrite -sum1_size big_map big_filter enumT sum1_card cardC1 card_ord.
  have scaled m : iter m (shift k) (fun t => c i0 * sigma t) y = c i0 * iter m (shift k) sigma y.
    by elim: m y => [//|m IH] y; rewrite !iterS /shift !IH mulrBr.
  have : iter (size l) (shift k) (fun t => c i0 * sigma t) y = 0.
    apply: (@eliminate _ l (z i0)) => [|s b]; first by apply/allP => p /mapP[i]; rewrite mem_filter => /andP[neq _] ->; rewrite (inj_eq z_inj).
    rewrite big_map big_filter -[RHS](zero s b) [RHS](bigD1 i0) //=; congr (_ + _).
    by rewrite enumT.
  by rewrite size_l scaled => /eqP; rewrite mulf_eq0 (negPf c_neq0) => /eqP.
have [r_eq|[g r_eq [C slow]]] := grows; first by rewrite -[in LHS](_ : K.-1 = r) // -r_eq.
have le_r : (g < K.-1)%N \/ r = K.-1.
  have : (r <= K.-1)%N by rewrite -ltnS prednK // (leq_ltn_trans _ few).
  by rewrite leq_eqVlt => /orP[/eqP ->|]; [right | rewrite r_eq => /ltnW; left].
case: le_r => [lt_g|->]; last exact: all_zero.
have [h_eq|h_neq0] := eqVneq h 0.
  by rewrite r_eq iterS /shift h_eq addr0 subrr.
have toward e : e != 0 -> (exists C, forall t, 0 <= e * t -> `|sigma t| <= C * (1 + `|t|) ^+ g) -> forall y, iter g.+1 (shift e) sigma y = 0.
  by move=> e_neq0 [C' slow'] y; apply: (slow_difference y e_neq0 slow' all_zero lt_g).
have back : iter r (shift (- h)) sigma (x + r%:R * h) = 0 -> iter r (shift h) sigma x = 0.
  by rewrite iter_shift_back addrK => /eqP; rewrite mulf_eq0 signr_eq0 => /eqP.
have right e : 0 < e -> (forall t, 0 <= t -> `|sigma t| <= C * (1 + t) ^+ g) -> exists C, forall t, 0 <= e * t -> `|sigma t| <= C * (1 + `|t|) ^+ g.
  by move=> e_gt0 bound; exists C => t; rewrite pmulr_rge0 // => t_ge0; rewrite ger0_norm ?bound.
have left e : e < 0 -> (forall t, 0 <= t -> `|sigma (- t)| <= C * (1 + t) ^+ g) -> exists C, forall t, 0 <= e * t -> `|sigma t| <= C * (1 + `|t|) ^+ g.
  by move=> e_lt0 bound; exists C => t; rewrite nmulr_rge0 // => t_le0; rewrite ler0_norm // -{1}[t]opprK bound // oppr_ge0.
case: (ltrgtP h 0) (h_neq0) => [h_lt0|h_gt0|] // _; case: slow => slow.
- by apply: back; rewrite r_eq; apply: toward; rewrite ?oppr_eq0 //; apply: right => //; rewrite oppr_gt0.
- by rewrite r_eq; apply: toward => //; apply: left.
- by rewrite r_eq; apply: toward => //; apply: right.
by apply: back; rewrite r_eq; apply: toward; rewrite ?oppr_eq0 //; apply: left => //; rewrite oppr_lt0.
Qed.
End Spanning.
