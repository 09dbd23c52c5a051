(** Matrices as lists of rows of numbers, in Coq's own real numbers: what `verifier formal` writes, and what it proves
    of it with interval arithmetic. No mathcomp here; instance.v says what follows. *)
From Coq Require Import Reals List.
Local Open Scope R_scope.

Definition table := list (list R).
Definition entry (rows : table) (i j : nat) : R := nth j (nth i rows nil) 0.

Fixpoint total (n : nat) (f : nat -> R) : R := match n with O => 0 | S k => total k f + f k end.
Fixpoint every (n : nat) (P : nat -> Prop) : Prop := match n with O => True | S k => every k P /\ P k end.

(** R1: integers, or any numbers, near the features; a right inverse of them; how far it is from one; its size. *)
Definition near_of (m : nat) (psi a : table) (e : R) (i : nat) : Prop :=
  every m (fun j => Rabs (entry psi i j - entry a i j) <= e).
Definition near (n m : nat) (psi a : table) (e : R) : Prop := every n (near_of m psi a e).
Definition one (i j : nat) : R := if Nat.eqb i j then 1 else 0.
Definition product (m : nat) (a x : table) (i j : nat) : R := total m (fun k => entry a i k * entry x k j).
Definition residual (m : nat) (a x : table) (i j : nat) : R := one i j - product m a x i j.
Definition squares (n m : nat) (f : nat -> nat -> R) : R := total n (fun i => total m (fun j => f i j ^ 2)).

(** The Gram matrix of the right inverse, and its square, up to an error. *)
Definition gram (m : nat) (x : table) (i j : nat) : R := total m (fun k => entry x k i * entry x k j).

(** Labels and multiplicities. *)
Section Labels.
Variables (N M m : nat) (labels counts : list nat) (psi : table).
Definition label (i : nat) : nat := nth i labels O.
Definition count (i : nat) : R := INR (nth i counts 1%nat).
Definition consistent : bool :=
  (Nat.ltb 0 N && Nat.ltb 1 m && forallb (fun i => Nat.ltb (label i) m && Nat.ltb 0 (nth i counts 1%nat)) (seq 0 N))%bool.

(** The margins of [psi v], and those of the frozen logits. *)
Definition logit_margin (v : table) (i k : nat) : R := total M (fun j => entry psi i j * (entry v j (label i) - entry v j k)).
Definition frozen_margin (frozen : table) (i k : nat) : R := entry frozen i (label i) - entry frozen i k.
Definition wrong_of (P : nat -> nat -> Prop) (i : nat) : Prop :=
  every m (fun k => if Nat.eqb k (label i) then True else P i k).
Definition wrong (P : nat -> nat -> Prop) : Prop := every N (wrong_of P).

(** The cross-entropy, and the bound of it where all margins are at least [g]. *)
Definition sample_loss (frozen v : table) (i : nat) : R :=
  ln (1 + total m (fun k => if Nat.eqb k (label i) then 0 else exp (- (logit_margin v i k + frozen_margin frozen i k)))).
Definition cross_entropy (frozen v : table) : R := total N (fun i => count i * sample_loss frozen v i) / total N count.
Definition bound (g : R) : R := ln (1 + INR (m - 1) * exp (- g)).
End Labels.

Lemma bound_small (m : nat) (g l : R) : INR (m - 1) * exp (- g) <= l -> bound m g <= l.
Proof.
intro small; apply Rle_trans with (2 := small); unfold bound.
set (x := INR (m - 1) * exp (- g)).
assert (0 <= x) by (apply Rmult_le_pos; [apply pos_INR | apply Rlt_le, exp_pos]).
assert (0 < 1 + x) by now apply Rplus_lt_le_0_compat; [apply Rlt_0_1|].
apply Rle_trans with (ln (exp x)); [|rewrite ln_exp; apply Rle_refl].
destruct (exp_ineq1_le x) as [less|same].
- now apply Rlt_le, ln_increasing.
- rewrite same; apply Rle_refl.
Qed.

(** tanh by exp, which interval arithmetic knows. *)
Lemma tanh_exp (x : R) : tanh x = 1 - 2 / (exp (2 * x) + 1).
Proof.
unfold tanh, sinh, cosh.
replace (2 * x) with (x + x) by ring; rewrite exp_plus, exp_Ropp.
assert (0 < exp x) by apply exp_pos.
assert (0 < exp x * exp x) by now apply Rmult_lt_0_compat.
field; repeat split; apply Rgt_not_eq; try assumption.
now apply Rplus_lt_0_compat; [|apply Rlt_0_1].
Qed.
