(** Lemma S' for a smooth activation: the vectors [(sigma(s z_i + b))_i] span. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype derive ring.
From Landscape Require Import calculus.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope ring_scope.

Section Smooth.
Variable R : realType.

(** [d k] is the derivative of order [k]. *)
Definition derivatives (d : nat -> R -> R) := forall k t, is_derive t 1 (d k) (d k.+1 t).

(** A function whose derivative is 0 is constant. *)
Lemma derive_zero (f : R -> R) : (forall t, is_derive t 1 f 0) -> forall s t, f s = f t.
Proof.
move=> f'; suff lt s t : s < t -> f s = f t.
  by move=> s t; case: (ltgtP s t) => [/lt|/lt|->].
move=> lt_st; have [c _ slope] := mean_value lt_st f'.
by apply/esym/eqP; rewrite -subr_eq0 slope mul0r.
Qed.

(** The polynomial with a given derivative that vanishes at 0. *)
Definition antiderivative (p : {poly R}) : {poly R} := \poly_(i < (size p).+1) (if i is j.+1 then p`_j / j.+1%:R else 0).

Lemma antiderivative_derive p t : is_derive t 1 (fun t => (antiderivative p).[t]) p.[t].
Proof.
have := derive_sum (fun n : 'I_(size p) => derive_scale (p`_n / n.+1%:R) (derive_pow t n)).
apply: derive_ext => [s|]; last first.
  by rewrite horner_coef; apply: eq_bigr => n _; rewrite mulrA mulfVK // pnatr_eq0.
by rewrite horner_poly big_ord_recl mul0r add0r; apply: eq_bigr => n _; rewrite /bump /= ?add1n.
Qed.

Lemma antiderivative0 p : (antiderivative p).[0] = 0.
Proof. by rewrite horner_poly big_ord_recl mul0r add0r big1 // => i _; rewrite exprS mul0r mulr0. Qed.

(** The derivative of order [k] vanishes: a polynomial of degree below [k]. *)
Lemma vanishing_derivative d k : derivatives d -> (forall t, d k t = 0) ->
  exists2 p : {poly R}, (size p <= k)%N & forall t, d 0%N t = p.[t].
Proof.
elim: k d => [|k IH] d d' zero; first by exists 0; [rewrite size_poly0 | move=> t; rewrite horner0 zero].
have [q small q_eq] := IH (fun k => d k.+1) (fun k t => d' k.+1 t) zero.
exists (antiderivative q + (d 0%N 0)%:P).
  apply: leq_trans (size_add _ _) _; rewrite geq_max size_polyC.
  by rewrite (leq_trans (size_poly _ _)) //=; case: (_ != 0).
move=> t; rewrite hornerD hornerC.
have same : forall s, is_derive s 1 (fun s => d 0%N s - (antiderivative q).[s]) 0.
  move=> s; apply: (derive_ext (fun=> erefl) _ (derive_sub (d' 0%N s) (antiderivative_derive q s))).
  by rewrite q_eq subrr.
have := derive_zero same t 0; rewrite antiderivative0 subr0 => /eqP.
by rewrite subr_eq addrC => /eqP.
Qed.

(** Distinct numbers: no combination of their powers below [K] vanishes. *)
Lemma vandermonde K (z c : 'I_K -> R) : injective z ->
  (forall k, (k < K)%N -> \sum_i c i * z i ^+ k = 0) -> forall i, c i = 0.
Proof.
move=> z_inj zero i0; pose others := rem i0 (enum 'I_K).
pose p : {poly R} := \prod_(w <- [seq z i | i <- others]) ('X - w%:P).
have in_others i : (i \in others) = (i != i0).
  by rewrite /others mem_rem_uniq ?enum_uniq // inE /= mem_enum andbT.
have size_p : size p = K.
  rewrite size_prod_XsubC size_map size_rem ?mem_enum // size_enum_ord prednK //.
  exact: leq_ltn_trans (ltn_ord i0).
have vanish : \sum_i c i * p.[z i] = 0.
  rewrite (eq_bigr (fun i => \sum_(k < K) p`_k * (c i * z i ^+ k))) => [|i _]; last first.
    by rewrite horner_coef size_p mulr_sumr; apply: eq_bigr => k _; rewrite mulrCA.
  rewrite exchange_big big1 //= => k _.
  by rewrite -mulr_sumr zero ?mulr0.
have root_p i : (p.[z i] == 0) = (i != i0).
  by rewrite -[_ == 0]/(root p (z i)) root_prod_XsubC mem_map // in_others.
move: vanish; rewrite (bigD1 i0) //= big1 ?addr0 => [/eqP|i other]; last first.
  by have := root_p i; rewrite other => /eqP ->; rewrite mulr0.
by rewrite mulf_eq0 root_p eqxx orbF => /eqP.
Qed.

(** The lemma: what is orthogonal to all [(sigma(s z_i + b))_i] is 0, unless sigma is a polynomial of degree <= K - 2. *)
Theorem Lemma_S_prime d K (z c : 'I_K -> R) : derivatives d -> injective z ->
  ~ (exists2 p : {poly R}, (size p <= K.-1)%N & forall t, d 0%N t = p.[t]) ->
  (forall s b, \sum_i c i * d 0%N (s * z i + b) = 0) -> forall i, c i = 0.
Proof.
move=> d' z_inj not_polynomial zero.
have each k s b : \sum_i c i * z i ^+ k * d k (s * z i + b) = 0.
  elim: k s => [|k IH] s; first by rewrite -[RHS](zero s b); apply: eq_bigr => i _; rewrite expr0 mulr1.
  have line i : is_derive s 1 (fun s => s * z i + b) (z i).
    have := derive_add (derive_mul (derive_id s) (derive_const (z i) s)) (derive_const b s).
    by apply: derive_ext => [//|]; rewrite mulr0 add0r mulr1 addr0.
  have := derive_sum (fun i => derive_scale (c i * z i ^+ k) (derive_comp (f := d k) (g := fun s => s * z i + b) (d' k _) (line i))).
  have const : is_derive s 1 (fun s => \sum_i c i * z i ^+ k * d k (s * z i + b)) 0.
    by apply: (derive_ext _ (erefl _) (derive_const 0 s)) => u; rewrite IH.
  move/(derive_unique const) => same; rewrite [RHS]same; apply: eq_bigr => i _.
  by rewrite exprSr -!mulrA; congr (_ * (_ * _)); rewrite mulrC.
apply: (vandermonde z_inj) => k lt_k; apply: contrapT => /eqP neq0; apply: not_polynomial.
have vanish t : d k t = 0.
  have /eqP := each k 0 t; rewrite (eq_bigr (fun i => c i * z i ^+ k * d k t)) => [|i _]; last by rewrite mul0r add0r.
  by rewrite -mulr_suml mulf_eq0 (negPf neq0) => /eqP.
have [p small p_eq] := vanishing_derivative d' vanish.
by exists p => //; apply: leq_trans small _; rewrite -ltnS prednK // (leq_ltn_trans _ lt_k).
Qed.
End Smooth.
