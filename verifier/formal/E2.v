(** E2: the units that move hand over their part of the logits to units at rest, at exactly constant loss. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype sequences exp ring.
From Landscape Require Import paths lse loss.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Carry.
Variables (R : realType) (N M m : nat) (y : samples N m) (Psi : 'M[R]_(N, M)) (K : 'M[R]_(N, m)) (V0 : 'M[R]_(M, m)).

(** The units at rest, and for each other unit: a row of [V0] with equal entries ([even]), or its column is a combination
    of the columns of units at rest, with the coefficients [C]. *)
Variables (rest even : 'I_M -> bool) (C : 'I_M -> 'I_M -> R).
Hypothesis even_row : forall j k l, even j -> V0 j k = V0 j l.
Hypothesis combination : forall j i, ~~ rest j -> ~~ even j -> Psi i j = \sum_(l | rest l) Psi i l * C l j.

Definition carried : 'M[R]_(M, m) :=
  \matrix_(l, k) (if rest l then V0 l k + \sum_(j | ~~ rest j && ~~ even j) C l j * V0 j k else 0).

(** The margins stay. *)
Lemma carried_margin i k : margin y (Psi *m carried) i k = margin y (Psi *m V0) i k.
Proof.
have logit c : (Psi *m carried) i c = (Psi *m V0) i c - \sum_(j | ~~ rest j && even j) Psi i j * V0 j c.
  rewrite !mxE (bigID rest) /= [X in _ + X]big1 ?addr0 => [|j /negPf resting]; last by rewrite mxE resting mulr0.
  rewrite (eq_bigr (fun l => Psi i l * V0 l c + \sum_(j | ~~ rest j && ~~ even j) Psi i l * C l j * V0 j c)) => [|l resting].
    rewrite big_split /= exchange_big /=.
    rewrite [X in _ + X](eq_bigr (fun j => Psi i j * V0 j c)) => [|j /andP[moving odd]]; last first.
      by rewrite -mulr_suml -combination.
    rewrite [in RHS](bigID rest) /= -addrA; congr (_ + _).
    by rewrite [in RHS](bigID even) /= addrAC subrr add0r.
  by rewrite mxE resting mulrDr mulr_sumr; congr (_ + _); apply: eq_bigr => j _; rewrite mulrA.
have regroup (a b s t : R) : (a - s) - (b - t) = a - b + (t - s) by ring.
rewrite /margin !logit regroup -[RHS]addr0; congr (_ + _).
rewrite -sumrB big1 // => j /andP[_ is_even].
by rewrite (even_row k (y i) is_even) subrr.
Qed.

Let Phi V := Phi y Psi K V.

(** On the straight way to the carried weights the loss is constant. *)
Theorem E2_carry t : Phi (straight V0 carried t) = Phi V0.
Proof.
rewrite /Phi /loss.Phi /loss; congr (_ * _); apply: eq_bigr => i _; congr (_ * _).
rewrite !sample_lossE; congr (ln (1 + _)); apply: eq_bigr => k _; congr (expR (- _)).
rewrite !margin_add; congr (_ + _).
rewrite /straight mulmxDr margin_add -!scalemxAr !marginZ carried_margin.
by rewrite -mulrDl subrK mul1r.
Qed.

(** Then the others move: while the columns at rest stay, no logit changes. *)
Theorem E2_move (Psi' : 'M[R]_(N, M)) (stay : forall i j, rest j -> Psi' i j = Psi i j) : Psi' *m carried = Psi *m carried.
Proof.
apply/matrixP => i k; rewrite !mxE; apply: eq_bigr => j _; rewrite mxE.
by case: ifP => [/stay ->|]; rewrite ?mulr0.
Qed.
End Carry.
