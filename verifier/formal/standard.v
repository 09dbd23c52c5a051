(** Coq's own real numbers are a real field of mathcomp-analysis; exp and ln are the same functions there and here. *)
From Coq Require Import Reals.
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals Rstruct topology normedtype sequences exp ring.
From Landscape Require Import norms lse.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** A function with [f (x + y) = f x * f y] that is at least [1 - x^2] near 0 is 1 everywhere. *)
Section One.
Variables (R : realType) (f : R -> R).
Hypothesis f_add : forall x y, f (x + y) = f x * f y.
Hypothesis f_near0 : forall x, `|x| <= 1 -> 1 - x ^+ 2 <= f x.

Lemma f_0 : f 0 = 1.
Proof.
have f0_ge1 : 1 <= f 0 by have := @f_near0 0; rewrite normr0 ler01 expr0n subr0; apply.
have f0_neq0 : f 0 != 0 by rewrite gt_eqF // (lt_le_trans ltr01).
by have := f_add 0 0; rewrite addr0 => /(congr1 (fun z => z / f 0)); rewrite mulfK ?divff.
Qed.

Lemma f_mul n x : f (n%:R * x) = f x ^+ n.
Proof.
elim: n => [|n IH]; first by rewrite mul0r f_0 expr0.
by rewrite -add1n natrD mulrDl mul1r f_add IH exprS.
Qed.

Lemma bernoulli (a : R) n : 0 <= a <= 1 -> 1 - n%:R * a <= (1 - a) ^+ n.
Proof.
move=> /andP[a_ge0 a_le1]; elim: n => [|n IH]; first by rewrite mul0r subr0.
rewrite exprS; apply: le_trans (_ : (1 - a) * (1 - n%:R * a) <= _); last by rewrite ler_wpmul2l ?subr_ge0.
apply: (@le_from _ 0 (n%:R * (a * a))); first by rewrite mulr_ge0 ?mulr_ge0 ?ler0n.
by rewrite -add1n natrD; move: (n%:R : R) => c; ring.
Qed.

Lemma f_ge1 x : 1 <= f x.
Proof.
rewrite leNgt; apply/negP => f_lt1.
have gap_gt0 : 0 < 1 - f x by rewrite subr_gt0.
have big_ge0 : 0 <= x ^+ 2 / (1 - f x) + `|x| by apply: addr_ge0; rewrite ?normr_ge0 // divr_ge0 ?sqr_ge0 // ltW.
have := archi_boundP big_ge0; move: (Num.bound _) => n big.
have n_gt0 : 0 < n%:R :> R by apply: le_lt_trans big.
have n_neq0 : n%:R != 0 :> R by rewrite gt_eqF.
have x_small : `|x| <= n%:R.
  by apply: ltW; apply: le_lt_trans big; rewrite ler_addr divr_ge0 ?sqr_ge0 // ltW.
have c_small : x ^+ 2 / n%:R < 1 - f x.
  rewrite ltr_pdivr_mulr // mulrC -ltr_pdivr_mulr //; apply: le_lt_trans big.
  by rewrite ler_addl normr_ge0.
have step_small : `|x / n%:R| <= 1 by rewrite normrM normfV (ger0_norm (ler0n _ n)) ler_pdivr_mulr // mul1r.
have square_le1 : 0 <= (x / n%:R) ^+ 2 <= 1.
  by rewrite sqr_ge0 -(real_normK (num_real _)) exprn_ile1 ?normr_ge0.
have f_pow : f x = f (x / n%:R) ^+ n by rewrite -f_mul mulrC divfK.
have : f x < f x; last by rewrite ltxx.
apply: (lt_le_trans (y := 1 - x ^+ 2 / n%:R)); first by rewrite ltr_subr_addl addrC -ltr_subr_addl.
rewrite [leRHS]f_pow.
apply: (le_trans (y := (1 - (x / n%:R) ^+ 2) ^+ n)); last first.
  apply: ler_expn2r; rewrite ?nnegrE ?f_near0 //; first by rewrite subr_ge0; case/andP: square_le1.
  by apply: le_trans (f_near0 step_small); rewrite subr_ge0; case/andP: square_le1.
apply: le_trans (bernoulli n square_le1).
rewrite ler_add2l ler_opp2 (_ : n%:R * _ = x ^+ 2 / n%:R) //.
by move: (n%:R : R) n_neq0 => c c_neq0; field.
Qed.

Lemma f_one x : f x = 1.
Proof.
apply/le_anti; rewrite f_ge1 andbT -f_0 -(subrr x) f_add ler_pemulr ?f_ge1 //.
by apply: le_trans (f_ge1 x); apply: ler01.
Qed.
End One.

(** exp *)
Lemma exp_standard (x : R) : expR x = Rtrigo_def.exp x.
Proof.
have pos (z : R) : 0 < Rtrigo_def.exp z by apply/RltP; apply: exp_pos.
suff one : expR x * Rtrigo_def.exp (- x) = 1.
  have inverse : Rtrigo_def.exp x * Rtrigo_def.exp (- x) = 1.
    by change (Rmult (Rtrigo_def.exp x) (Rtrigo_def.exp (Ropp x)) = R1); rewrite -exp_plus Rplus_opp_r exp_0.
  by rewrite -[LHS]mulr1 -inverse mulrCA one mulr1.
apply: (@f_one _ (fun z : R => expR z * Rtrigo_def.exp (- z))) => [y z|z z_le1] /=.
  have -> : Rtrigo_def.exp (- (y + z)) = Rtrigo_def.exp (- y) * Rtrigo_def.exp (- z).
    by change (Rtrigo_def.exp (Ropp (Rplus y z)) = Rmult (Rtrigo_def.exp (Ropp y)) (Rtrigo_def.exp (Ropp z)));
      rewrite Ropp_plus_distr exp_plus.
  by rewrite exp.expRD mulrACA.
have tangent (t : R) : 1 + t <= Rtrigo_def.exp t.
  by apply/RleP; apply: exp_ineq1_le.
have tangentN : 1 - z <= Rtrigo_def.exp (- z) by apply: tangent.
have le1 : -1 <= z <= 1 by rewrite -ler_norml.
rewrite (_ : 1 - z ^+ 2 = (1 + z) * (1 - z)); last by ring.
case/andP: le1 => ge_m1 le_1.
apply: ler_pmul; rewrite ?subr_ge0 // ?expR_tangent0 //.
by rewrite -ler_subl_addl sub0r.
Qed.

(** ln *)
Lemma ln_standard (x : R) : 0 < x -> exp.ln x = Rpower.ln x.
Proof.
move=> x_gt0; apply: expR_inj; rewrite lnK ?posrE // exp_standard.
by rewrite exp_ln //; apply/RltP.
Qed.
