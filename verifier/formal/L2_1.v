(** L2.1: a loss below log(2)/n means zero training error. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype sequences exp ring.
From Landscape Require Import lse loss.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section SmallLoss.
Variables (R : realType) (N m : nat) (y : samples N m).
Implicit Types (G : 'M[R]_(N, m)).

(** [total] counts all samples, equal ones as often as they are there. *)
Theorem L2_1 G (small : loss y G < ln 2 / (total y)%:R) : zero_error y G.
Proof.
move=> i k other; rewrite ltNge; apply/negP => le0.
have part : sample_loss y G i <= \sum_j (mult y j)%:R * sample_loss y G j.
  rewrite (bigD1 i) //= -[leLHS]addr0 ler_add //.
    by rewrite ler_pemull ?ler1n ?mult_gt0 // ltW // sample_loss_gt0.
  by apply: sumr_ge0 => j _; rewrite mulr_ge0 ?ler0n // ltW // sample_loss_gt0.
have wrong : ln 2 <= sample_loss y G i.
  rewrite sample_lossE -ler_expR !lnK ?posrE ?ltr0n //; last first.
    by rewrite ltr_paddr ?ltr01 // sumr_ge0 // => l _; rewrite ltW // expR_gt0.
  rewrite (_ : 2 = 1 + 1) // ler_add2l (bigD1 k) //= -[leLHS]addr0 ler_add //.
    by rewrite -[leLHS]expR0 ler_expR oppr_ge0.
  by apply: sumr_ge0 => l _; rewrite ltW // expR_gt0.
have := le_lt_trans (le_trans wrong part) (_ : _ < ln 2); rewrite ltxx => impossible.
apply: notF; apply: impossible.
by move: small; rewrite /loss mulrC ltr_pdivr_mulr ?total_gt0 // mulfVK // gt_eqF ?total_gt0.
Qed.
End SmallLoss.
