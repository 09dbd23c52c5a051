(** Convex losses of the logits, points near each other, local minima. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals ring.
From Landscape Require Import norms paths.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Convex.
Variables (R : realType) (a b : nat).
Implicit Types (f : 'M[R]_(a, b) -> R) (A B : 'M[R]_(a, b)).

(** A convex function with finite values. *)
Definition convex f := forall A B t, 0 <= t <= 1 -> f (straight A B t) <= (1 - t) * f A + t * f B.

(** All entries differ by less than [eps]. *)
Definition near A B (eps : R) := forall i j, `|A i j - B i j| < eps.

(** Of all points near [A] in a set of allowed ones, only [A] itself has so small a value. *)
Definition strict_local_minimum (allowed : 'M[R]_(a, b) -> Prop) f A :=
  exists2 eps : R, 0 < eps & forall B, allowed B -> B != A -> near B A eps -> f A < f B.

(** How far one gets on the way from [A] to [B] without leaving the neighbourhood of [A]. *)
Lemma near_straight A B (eps : R) : 0 < eps -> exists2 t, 0 < t <= 1 & near (straight A B t) A eps.
Proof.
move=> eps_gt0; pose c := 1 + \sum_i \sum_j `|B i j - A i j|.
have sum_ge0 : 0 <= \sum_i \sum_j `|B i j - A i j| by do 2!apply: sumr_ge0 => ? _; apply: normr_ge0.
have c_ge1 : 1 <= c by rewrite ler_addl.
have c_gt0 : 0 < c by apply: lt_le_trans ltr01 c_ge1.
exists (Num.min 1 (eps / 2 / c)).
  by rewrite lt_minr ltr01 !divr_gt0 ?ltr0n //= le_minl lexx.
set t := Num.min _ _ => i j.
have t_ge0 : 0 <= t by rewrite le_minr ler01 !divr_ge0 ?ler0n ?(ltW eps_gt0) ?(ltW c_gt0).
rewrite straightE addrAC subrr add0r normrM ger0_norm //.
have entry : `|B i j - A i j| <= c.
  rewrite /c (bigD1 i) //= (bigD1 j) //= ler_paddl ?ler01 // -addrA ler_paddr // addr_ge0 //.
    by apply: sumr_ge0 => ? _; apply: normr_ge0.
  by do 2!apply: sumr_ge0 => ? _; apply: normr_ge0.
apply: (@le_lt_trans _ _ (eps / 2 / c * c)).
  by apply: ler_pmul => //; rewrite le_minl lexx orbT.
by rewrite mulfVK ?gt_eqF // ltr_pdivr_mulr ?ltr0n // mulr_natr mulr2n ltr_addl.
Qed.

(** A convex function falls at once on the way to a smaller value. *)
Lemma convex_descends f A B t : convex f -> f B < f A -> 0 < t <= 1 -> f (straight A B t) < f A.
Proof.
move=> convex_f lt_f /andP[t_gt0 t_le1].
apply: le_lt_trans (convex_f A B t _) _; first by rewrite (ltW t_gt0).
have -> : (1 - t) * f A + t * f B = f A - t * (f A - f B) by move: (f A) (f B) => c d; ring.
by rewrite gtr_addl oppr_lt0 mulr_gt0 // subr_gt0.
Qed.
End Convex.

(** A convex function with finite values is continuous. *)
Section Continuity.
Variables (R : realType) (a b : nat) (f : 'M[R]_(a, b) -> R).
Hypothesis convex_f : convex f.
Implicit Types A B H : 'M[R]_(a, b).

(** Jensen's inequality for the mean of [n + 1] points. *)
Lemma jensen n (P : 'I_n.+1 -> 'M[R]_(a, b)) :
  f (n.+1%:R^-1 *: \sum_i P i) <= n.+1%:R^-1 * \sum_i f (P i).
Proof.
elim: n P => [|n IH] P; first by rewrite !big_ord1 invr1 scale1r mul1r.
pose P' (i : 'I_n.+1) := P (widen_ord (leqnSn n.+1) i).
have -> : \sum_i P i = \sum_i P' i + P ord_max by rewrite big_ord_recr.
have -> : \sum_i f (P i) = \sum_i f (P' i) + f (P ord_max) by rewrite big_ord_recr.
pose t : R := n.+2%:R^-1.
have weight : (1 - t) * n.+1%:R^-1 = t.
  have neq1 : n.+1%:R != 0 :> R by rewrite pnatr_eq0.
  have neq2 : n.+1%:R + 1 != 0 :> R by rewrite -mulrSr pnatr_eq0.
  by rewrite /t [n.+2%:R]mulrSr; move: (n.+1%:R) neq1 neq2 => x *; field; apply/andP.
have -> : t *: (\sum_i P' i + P ord_max) = straight (n.+1%:R^-1 *: \sum_i P' i) (P ord_max) t.
  by rewrite /straight scalerA weight scalerDr.
have t_le1 : t <= 1 by rewrite invf_le1 ?ltr0n // ler1n.
apply: le_trans (convex_f _ _ _) _; first by rewrite invr_ge0 ler0n.
have rest_ge0 : 0 <= 1 - t by rewrite subr_ge0.
apply: le_trans (ler_add (ler_wpmul2l rest_ge0 (IH P')) (lexx _)) _.
by rewrite mulrA weight mulrDr.
Qed.

(** One entry changes: at most linear growth, up to a distance of 1. *)
Lemma entry_grows A E (s : R) : `|s| <= 1 ->
  f (A + s *: E) <= f A + `|s| * (`|f (A + E) - f A| + `|f (A - E) - f A|).
Proof.
move=> s_le1; pose D : 'M[R]_(a, b) := if 0 <= s then E else - E.
have -> : A + s *: E = straight A (A + D) `|s|.
  rewrite /straight scalerDr addrA -scalerDl subrK scale1r /D; congr (_ + _).
  case: (lerP 0 s) => [ge0|lt0]; first by rewrite ger0_norm.
  by rewrite ltr0_norm // scalerN scaleNr opprK.
apply: le_trans (convex_f _ _ _) _; first by rewrite normr_ge0.
have -> : (1 - `|s|) * f A + `|s| * f (A + D) = f A + `|s| * (f (A + D) - f A).
  by move: (`|s|) (f A) (f (A + D)) => x y z; ring.
rewrite ler_add2l ler_wpmul2l // /D; case: ifP => _; apply: le_trans (ler_norm _) _.
  by rewrite ler_addl.
by rewrite ler_addr.
Qed.

Let T : finType := [finType of 'I_a * 'I_b].
Let n := #|T|.-1.
Let E (q : T) : 'M[R]_(a, b) := n.+1%:R *: delta_mx q.1 q.2.

(** How fast the value may rise near [A]. *)
Definition rate A : R := \sum_q (`|f (A + E q) - f A| + `|f (A - E q) - f A|).

Lemma rate_ge0 A : 0 <= rate A.
Proof. by apply: sumr_ge0 => q _; rewrite addr_ge0. Qed.

Lemma rises A H (d : R) : d <= 1 -> (forall i j, `|H i j| <= d) -> f (A + H) <= f A + d * rate A.
Proof.
move=> d_le1 small.
have H_sum : H = \sum_q H q.1 q.2 *: delta_mx q.1 q.2.
  by rewrite -(pair_bigA _ (fun i j => H i j *: delta_mx i j)) -matrix_sum_delta.
case: (posnP #|T|) => [empty|nonempty].
  have none (F : T -> R) : \sum_q F q = 0 by rewrite big1 // => q; have /card0_eq/(_ q) := empty.
  have -> : H = 0 by rewrite H_sum big1 // => q; have /card0_eq/(_ q) := empty.
  by rewrite addr0 /rate none mulr0 addr0.
have card : #|T| = n.+1 by rewrite /n prednK.
pose pr (k : 'I_n.+1) : T := enum_val (cast_ord (esym card) k).
have all_of (V : zmodType) (F : T -> V) : \sum_q F q = \sum_k F (pr k).
  rewrite (reindex pr) //; exists (fun q => cast_ord card (enum_rank q)) => k _; rewrite /pr.
    by rewrite enum_valK cast_ordKV.
  by rewrite cast_ordK enum_rankK.
pose P k := A + H (pr k).1 (pr k).2 *: E (pr k).
have n_neq0 : n.+1%:R != 0 :> R by rewrite pnatr_eq0.
have -> : A + H = n.+1%:R^-1 *: \sum_k P k.
  rewrite big_split scalerDr sumr_const card_ord -scaler_nat scalerA mulVf // scale1r; congr (_ + _).
  rewrite {1}H_sum all_of scaler_sumr; apply: eq_bigr => k _.
  by rewrite /E !scalerA mulrCA mulVf // mulr1.
apply: le_trans (jensen P) _; rewrite mulrC ler_pdivr_mulr ?ltr0n //.
have each k : f (P k) <= f A + d * (`|f (A + E (pr k)) - f A| + `|f (A - E (pr k)) - f A|).
  apply: le_trans (entry_grows _ _ _) _; first by apply: le_trans d_le1.
  by rewrite ler_add2l ler_wpmul2r ?addr_ge0.
apply: le_trans (ler_sum _ (fun k _ => each k)) _.
have -> : \sum_k (f A + d * (`|f (A + E (pr k)) - f A| + `|f (A - E (pr k)) - f A|)) = f A *+ n.+1 + d * rate A.
  by rewrite big_split sumr_const card_ord -mulr_sumr /rate all_of.
rewrite mulrDl mulr_natr ler_add2l ler_pemulr ?ler1n ?mulr_ge0 ?rate_ge0 //.
case/card_gt0P: nonempty => q _; exact: le_trans (normr_ge0 _) (small q.1 q.2).
Qed.

(** Both ways: the value falls by as little. *)
Lemma moves_little A H (d : R) : d <= 1 -> (forall i j, `|H i j| <= d) -> `|f (A + H) - f A| <= d * rate A.
Proof.
move=> d_le1 small; rewrite ler_norml ler_subl_addl rises // andbT.
have small' i j : `|(- H) i j| <= d by rewrite mxE normrN.
have middle : A = straight (A + H) (A - H) 2^-1.
  apply/matrixP => i j; rewrite straightE !mxE.
  by move: (A i j) (H i j) => x y; field.
have half : 0 <= (2^-1 : R) <= 1 by rewrite invr_ge0 ler0n invf_le1 ?ltr0n // ler1n.
have := convex_f (A + H) (A - H) half; rewrite -middle => le_mean.
apply: (le_from (ler_add (ler_add le_mean le_mean) (rises A d_le1 small'))).
by move: (f A) (f (A + H)) (f (A - H)) (d * rate A) => x y z u; field.
Qed.

(** Entries that are close enough have values that are close. *)
Theorem convex_continuous A (eps : R) : 0 < eps ->
  exists2 d, 0 < d & forall B, near B A d -> `|f B - f A| < eps.
Proof.
move=> eps_gt0; have r_gt0 : 0 < rate A + 1 by rewrite (lt_le_trans ltr01) // ler_addr rate_ge0.
pose d := Num.min 1 (eps / (rate A + 1)).
have d_gt0 : 0 < d by rewrite /d lt_minr ltr01 divr_gt0.
exists d => // B close; rewrite -[B](subrK A) [_ + A]addrC.
apply: (@le_lt_trans _ _ (d * rate A)).
  apply: moves_little => [|i j]; first by rewrite /d le_minl lexx.
  by have := close i j; rewrite !mxE => /ltW.
apply: (@lt_le_trans _ _ (d * (rate A + 1))); first by rewrite ltr_pmul2l // ltr_addl ltr01.
by rewrite -ler_pdivl_mulr // /d le_minl lexx orbT.
Qed.
End Continuity.
