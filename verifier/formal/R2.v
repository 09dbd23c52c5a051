(** R2: the smallest singular value from a residual Cholesky factor. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import norms.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Residual.
Variables (R : realType) (N M : nat) (Psi A : 'M[R]_(N, M)) (H C : 'M[R]_N) (c rho delta beta : R).

(** [H] need not be the exact Gram matrix, [C] no exact factor; [A] is the middle of the enclosure of Psi. *)
Hypothesis factor : norm2_at_most (H - c%:M - C *m C^T) rho.
Hypothesis gram : norm2_at_most (H - A *m A^T) delta.
Hypothesis enclosed : norm2_at_most (Psi - A) beta.

Lemma dot_above n (u v : 'rV[R]_n) (t : R) : norm2 v <= t * norm2 u -> dot v u <= t * norm2 u ^+ 2.
Proof.
move=> small; apply: le_trans (cauchy_schwarz _ _) _.
by rewrite expr2 mulrA ler_wpmul2r ?norm2_ge0.
Qed.

Lemma dot_below n (u v : 'rV[R]_n) (t : R) : norm2 v <= t * norm2 u -> - (t * norm2 u ^+ 2) <= dot v u.
Proof. by rewrite -norm2N => /dot_above; rewrite -scaleN1r dotZl mulN1r ler_oppl. Qed.

Lemma dot_sub_l n (u v w : 'rV[R]_n) : dot (u - v) w = dot u w - dot v w.
Proof. by rewrite dotDl -scaleN1r dotZl mulN1r. Qed.

Theorem R2_gram (u : 'rV[R]_N) : (c - rho - delta) * norm2 u ^+ 2 <= norm2 (u *m A) ^+ 2.
Proof.
have := dot_below (factor u); rewrite !mulmxBr !dot_sub_l mul_mx_scalar dotZl.
have -> : dot (u *m (C *m C^T)) u = norm2 (u *m C) ^+ 2 by rewrite norm2_sqr mulmxA [RHS]dot_mul dotC.
have := dot_above (gram u); rewrite mulmxBr dot_sub_l.
have -> : dot (u *m (A *m A^T)) u = norm2 (u *m A) ^+ 2 by rewrite norm2_sqr mulmxA [RHS]dot_mul dotC.
rewrite -norm2_sqr; set s := norm2 u ^+ 2; set h := dot _ _; set a := norm2 (u *m A) ^+ 2; set b := norm2 (u *m C) ^+ 2.
have b_ge0 : 0 <= b by apply: sqr_ge0.
move=> le1 le2; have := ler_add (ler_add le1 le2) b_ge0.
move/le_from; apply; move: s h a b {b_ge0 le1 le2} => *; ring.
Qed.

Theorem R2_A (s : R) : 0 <= s -> s ^+ 2 <= c - rho - delta -> sigma_at_least A s.
Proof.
move=> s_ge0 le_s u; rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?mulr_ge0 ?norm2_ge0 // exprMn.
by apply: le_trans (R2_gram u); rewrite ler_wpmul2r ?sqr_ge0.
Qed.

Theorem R2 (sigma : R) (sigma_gt0 : 0 < sigma) (bound : sigma + beta <= Num.sqrt (c - rho - delta)) :
  \rank Psi = N /\ sigma_at_least Psi sigma.
Proof.
suff at_least : sigma_at_least Psi sigma by split=> //; apply: sigma_rank at_least.
move=> u; case: (lerP 0 (c - rho - delta)) => [ge0|lt0].
  have := R2_A (sqrtr_ge0 _) (eq_ind_r (fun z => z <= _) (lexx _) (sqr_sqrtr ge0)) u.
  move=> le_A; have := le_trans (ler_wpmul2r (norm2_ge0 u) bound) le_A.
  rewrite mulrDl -ler_subr_addr => /le_trans; apply.
  rewrite ler_subl_addr -[u *m A](subrK (u *m (A - Psi))); apply: le_trans (norm2_triangle _ _) _.
  rewrite mulmxBr opprB addrCA subrr addr0 ler_add2l -mulmxBr -norm2N -mulmxN opprB.
  exact: enclosed.
have [->|/norm2_gt0 u_gt0] := eqVneq u 0; first by rewrite mul0mx !norm2_0 mulr0.
have beta_ge0 : 0 <= beta by rewrite -(pmulr_lge0 _ u_gt0) (le_trans _ (enclosed u)) ?norm2_ge0.
have : sigma + beta <= 0 by rewrite (le_trans bound) // ltr0_sqrtr.
by rewrite leNgt ltr_paddr.
Qed.
End Residual.
