(** I: scaled and shifted samples are a linear change of the weights that read them. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive realfun sequences exp ring.
From Landscape Require Import norms paths.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Invariance.
Variables (R : realType) (d F : nat).

(** [F] filters read samples with [d] coordinates by weights and biases of their own. *)
Variables (D : 'M[R]_d) (c : 'rV[R]_d).
Hypothesis D_unit : D \in unitmx.

Definition pre (w : 'M[R]_(F, d)) (b : 'rV[R]_F) (x : 'rV[R]_d) : 'rV[R]_F := x *m w^T + b.

(** The sample [D x + c], as a row. *)
Definition scaled (x : 'rV[R]_d) : 'rV[R]_d := x *m D^T + c.

(** [(w, b) -> (D^T w, b + <w, c>)], and back. *)
Definition weights (w : 'M[R]_(F, d)) : 'M[R]_(F, d) := w *m D.
Definition biases (w : 'M[R]_(F, d)) (b : 'rV[R]_F) : 'rV[R]_F := b + c *m w^T.
Definition weights_back (w : 'M[R]_(F, d)) : 'M[R]_(F, d) := w *m invmx D.
Definition biases_back (w : 'M[R]_(F, d)) (b : 'rV[R]_F) : 'rV[R]_F := b - c *m (weights_back w)^T.

(** The network on the samples [D x + c] is the network on the samples [x] with these weights. *)
Theorem I_features w b x : pre w b (scaled x) = pre (weights w) (biases w b) x.
Proof.
rewrite /pre /scaled /weights /biases mulmxDl trmx_mul -mulmxA -!addrA; congr (_ + _).
by rewrite addrC.
Qed.

(** It is a bijection. *)
Theorem I_bijection :
  [/\ forall w, weights_back (weights w) = w, forall w, weights (weights_back w) = w,
      forall w b, biases_back (weights w) (biases w b) = b & forall w b, biases (weights_back w) (biases_back w b) = b].
Proof.
have wK w : weights_back (weights w) = w by rewrite /weights_back /weights mulmxK.
have Kw w : weights (weights_back w) = w by rewrite /weights_back /weights mulmxKV.
split=> // w b; first by rewrite /biases_back /biases wK addrK.
by rewrite /biases /biases_back subrK.
Qed.

(** It is linear. *)
Theorem I_linear (t : R) w w' b b' :
  weights (t *: w + w') = t *: weights w + weights w' /\
  biases (t *: w + w') (t *: b + b') = t *: biases w b + biases w' b'.
Proof.
rewrite /weights /biases mulmxDl -scalemxAl; split=> //.
by rewrite linearD linearZ /= mulmxDr -scalemxAr scalerDr addrACA.
Qed.
End Invariance.
