(** R1 and R3: full row rank and a lower bound of the smallest singular value, from a right inverse. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals ring.
From Landscape Require Import norms inverse_bound.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** The inequality. [X] is any matrix; nothing is asked of how it was found. *)
Section RightInverse.
Variables (R : realType) (N K : nat) (Psi : 'M[R]_(N, K)) (X : 'M[R]_(K, N)) (alpha xi sigma : R).
Hypothesis residual : norm2_at_most (1%:M - Psi *m X) alpha.
Hypothesis size : norm2_at_most X xi.
Hypothesis sigma_gt0 : 0 < sigma.
Hypothesis xi_gt0 : 0 < xi.
Hypothesis bound : sigma <= (1 - alpha) / xi.

Theorem R1_sigma : sigma_at_least Psi sigma.
Proof.
move=> u; rewrite -(ler_pmul2l xi_gt0) mulrA.
apply: le_trans (_ : (1 - alpha) * norm2 u <= _).
  by rewrite ler_wpmul2r ?norm2_ge0 // mulrC -ler_pdivl_mulr.
rewrite mulrBl mul1r ler_subl_addr; apply: le_trans (ler_add (size _) (residual u)).
apply: le_trans (norm2_triangle _ _); rewrite mulmxBr mulmx1 mulmxA.
by rewrite addrC subrK.
Qed.

Theorem R1_rank : \rank Psi = N.
Proof. exact: sigma_rank R1_sigma. Qed.
End RightInverse.

(** What the checker computes: integers, or any numbers, [A] that enclose the features, and a right inverse of them. *)
Section Enclosure.
Variables (R : realType) (N K : nat) (Psi A : 'M[R]_(N, K)) (X : 'M[R]_(K, N)) (e xi alpha beta : R).

(** Obligation 2: [|Psi - A| <= e] entry by entry, and the residual of [A], by the Frobenius norm or by Schur's test. *)
Hypothesis enclosed : forall i j, `|Psi i j - A i j| <= e.
Hypothesis size : norm2_at_most X xi.
Hypothesis xi_ge0 : 0 <= xi.
Hypothesis e_ge0 : 0 <= e.
Hypothesis residual : norm2_at_most (1%:M - A *m X) beta.
Hypothesis sum : beta + e * Num.sqrt (N%:R * K%:R) * xi <= alpha.

Theorem R1_residual : norm2_at_most (1%:M - Psi *m X) alpha.
Proof.
rewrite (_ : 1%:M - Psi *m X = (1%:M - A *m X) + (A - Psi) *m X); last first.
  by rewrite mulmxBl addrA subrK.
apply: norm2_at_most_le sum _; apply: norm2_at_most_add => //.
apply: norm2_at_most_mul => //; apply: norm2_at_most_le (@norm2_frobenius _ _ _ _).
rewrite -(ger0_norm e_ge0) -sqrtr_sqr -sqrtrM ?sqr_ge0 // ler_wsqrtr //.
have le_row (i : 'I_N) : \sum_j (A - Psi) i j ^+ 2 <= K%:R * e ^+ 2.
  rewrite mulr_natl -[K in leRHS]card_ord -sumr_const; apply: ler_sum => j _.
  rewrite -(real_normK (num_real _)) ler_expn2r ?nnegrE //.
  by rewrite !mxE distrC enclosed.
apply: le_trans (ler_sum _ (fun i _ => le_row i)) _.
by rewrite sumr_const card_ord -(mulr_natl (K%:R * _)) mulrA [leRHS]mulrC.
Qed.
End Enclosure.

(** Obligation 3 with [r = 0]: the size of [X] by the Frobenius norm or Schur's test ([norm2_frobenius], [norm2_schur]);
    with [r >= 1]: by [r - 1] squarings of [X^T X], before each of which bits may be dropped. *)
Section Size.
Variables (R : realType) (N K : nat) (X : 'M[R]_(K, N)).

(** [c] bounds the 2-norm of [S]: it is at least the Frobenius norm; or [S = p (T + D)] with a symmetric [T], such as the
    integer part of [S / p], a bound [d^2] of [T^2], and what is lost, [D], of a norm of at most [l]. *)
Inductive bounded_by_powers : 'M[R]_N -> R -> Prop :=
  | last_power S c : frobenius S <= c -> bounded_by_powers S c
  | next_power S T p l c d : 0 <= p -> T^T = T -> 0 <= d -> norm2_at_most (S - p *: T) (p * l) ->
      bounded_by_powers (T *m T) (d ^+ 2) -> p * (d + l) <= c -> bounded_by_powers S c.

Lemma norm2_powers S c : bounded_by_powers S c -> norm2_at_most S c.
Proof.
elim=> [{}S {}c small|{}S T p l {}c d p_ge0 symmetric d_ge0 lost _ square sum].
  by apply: norm2_at_most_le small _; apply: norm2_frobenius.
apply: norm2_at_most_le sum _; rewrite mulrDr -[S](subrK (p *: T)) addrC.
by apply: norm2_at_most_add lost; apply: norm2_at_most_scale => //; apply: norm2_at_most_gram; rewrite ?symmetric.
Qed.

(** Where [T] is the integer part, entry by entry, what is lost is of a norm of at most [N]. *)
Lemma lost_bits (S T : 'M[R]_N) (p : R) : 0 <= p -> (forall i j, 0 <= S i j - p * T i j <= p) ->
  norm2_at_most (S - p *: T) (p * N%:R).
Proof.
move=> p_ge0 part; apply: norm2_at_most_le (@norm2_frobenius _ _ _ _).
rewrite -(ler_pexpn2r (n := 2)) ?nnegrE ?mulr_ge0 ?ler0n ?sqrtr_ge0 //.
rewrite sqr_sqrtr; last by do 2!apply: sumr_ge0 => ? _; rewrite sqr_ge0.
have le_row (i : 'I_N) : \sum_j (S - p *: T) i j ^+ 2 <= N%:R * p ^+ 2.
  rewrite mulr_natl -[N in leRHS]card_ord -sumr_const; apply: ler_sum => j _; rewrite !mxE.
  by case/andP: (part i j) => ge0 le_p; rewrite ler_expn2r ?nnegrE.
apply: le_trans (ler_sum _ (fun i _ => le_row i)) _.
by rewrite sumr_const card_ord -(mulr_natl (N%:R * _)) mulrA mulrC -expr2 -exprMn.
Qed.

Theorem R1_size (xi : R) (xi_ge0 : 0 <= xi) (powers : bounded_by_powers (X^T *m X) (xi ^+ 2)) : norm2_at_most X xi.
Proof. by apply: norm2_at_most_gram => //; apply: norm2_powers. Qed.
End Size.

(** R1 as the format words it: [a] and [Xint] are matrices of integers. *)
Section Format.
Variables (R : realType) (N K : nat) (Psi : 'M[R]_(N, K)) (a : 'M[int]_(N, K)) (Xint : 'M[int]_(K, N)).
Variables (k s : nat) (e xi alpha sigma rho : R).

Definition real_matrix p q (A : 'M[int]_(p, q)) : 'M[R]_(p, q) := map_mx intr A.
Definition exact_residual : 'M[int]_N := (2 ^+ (k + s))%:M - a *m Xint.
Definition right_inverse : 'M[R]_(K, N) := 2^-1 ^+ s *: real_matrix Xint.

Hypothesis e_ge0 : 0 <= e.
Hypothesis enclosed : forall i j, `|2 ^+ k * Psi i j - (a i j)%:~R| <= e.
Hypothesis xi_gt0 : 0 < xi.
Hypothesis size : norm2_at_most right_inverse xi.
Hypothesis exact : norm2_at_most (real_matrix exact_residual) rho.
Hypothesis sum : 2^-1 ^+ (k + s) * rho + 2^-1 ^+ k * e * Num.sqrt (N%:R * K%:R) * xi <= alpha.
Hypothesis sigma_gt0 : 0 < sigma.
Hypothesis bound : sigma <= (1 - alpha) / xi.

Theorem R1 : \rank Psi = N /\ sigma_at_least Psi sigma.
Proof.
have half_ge0 : 0 <= 2^-1 :> R by rewrite invr_ge0 ler0n.
have two_neq0 : 2 != 0 :> R by rewrite pnatr_eq0.
have twoK j : 2^-1 ^+ j * 2 ^+ j = 1 :> R by rewrite -exprMn mulVf // expr1n.
pose A : 'M[R]_(N, K) := 2^-1 ^+ k *: real_matrix a.
have residual : norm2_at_most (1%:M - Psi *m right_inverse) alpha.
  apply: (@R1_residual _ _ _ _ A _ (2^-1 ^+ k * e) xi _ (2^-1 ^+ (k + s) * rho)) => //.
  - move=> i j; rewrite !mxE (_ : Psi i j = 2^-1 ^+ k * (2 ^+ k * Psi i j)); last by rewrite mulrA twoK mul1r.
    by rewrite -mulrBr normrM ger0_norm ?exprn_ge0 // ler_wpmul2l ?exprn_ge0.
  - exact: ltW.
  - by rewrite mulr_ge0 ?exprn_ge0.
  rewrite (_ : 1%:M - _ = 2^-1 ^+ (k + s) *: real_matrix exact_residual).
    by apply: norm2_at_most_scale => //; rewrite exprn_ge0.
  rewrite /A /right_inverse -scalemxAl -scalemxAr scalerA -exprD /real_matrix /exact_residual.
  rewrite map_mxB map_mxM map_scalar_mx scalerBr; congr (_ - _).
  by rewrite scale_scalar_mx rmorphX /= twoK.
have sigma_bound := R1_sigma residual size xi_gt0 bound.
by split; first exact: sigma_rank sigma_gt0 sigma_bound.
Qed.
End Format.

(** The columns that are used: the others only increase rank and smallest singular value. *)
Theorem R1_columns (R : realType) (N K M : nat) (Psi : 'M[R]_(N, M)) (used : 'I_K -> 'I_M) (sigma : R)
  (different : injective used) (sigma_gt0 : 0 < sigma) (part : sigma_at_least (\matrix_(i, j) Psi i (used j)) sigma) :
  \rank Psi = N /\ sigma_at_least Psi sigma.
Proof. by have := more_columns different part; split=> //; apply: sigma_rank sigma_gt0 _. Qed.
