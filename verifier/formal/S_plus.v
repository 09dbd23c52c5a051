(** S+: any two points are joined by a path on which a convex loss never exceeds the larger of its values at them. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import boolp classical_sets reals topology normedtype ring zify.
From Landscape Require Import norms paths convex Sprime S.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Exchange.
Variables (R : realType) (N L rest q m : nat).
Variables (source : 'I_N -> 'rV[R]_q) (sigma : R -> R) (others : 'M[R]_(N, rest)) (K : 'M[R]_(N, m)).

Local Notation weights := 'M[R]_(L, q + 1).
Local Notation outputs := 'M[R]_(L + rest, m).
Local Notation Psi := (Psi source sigma others).
Local Notation logits := (logits source sigma others K).
Local Notation dependent := (dependent source sigma others).

(** A unit more than S needs. *)
Hypothesis wider : (N < L + \rank others)%N.

Variables (W0 : weights) (V0 : outputs).
Let same (W : weights) (V : outputs) := logits W V = logits W0 V0.

(** The column of unit [j]. *)
Definition column (x : 'rV[R]_(q + 1)) : 'cV[R]_N := \col_i sigma (dot x (row_mx (source i) 1)).

Lemma Psi_column (W : weights) i j : Psi W i (lshift rest j) = column (row j W) i 0.
Proof. by rewrite /S.Psi row_mxEl !mxE. Qed.

(** What sees no other column does not see a dependent one. *)
Lemma sees_none (W : weights) j (d : 'rV[R]_N) : dependent W j ->
  (forall k, k != lshift rest j -> (d *m Psi W) 0 k = 0) -> d *m Psi W = 0.
Proof.
move=> [y kernel y_j] other; apply/rowP => k; rewrite [RHS]mxE.
have [->|/other //] := eqVneq k (lshift rest j).
have : (d *m Psi W *m y) 0 0 = 0 by rewrite -mulmxA kernel mulmx0 mxE.
by rewrite mxE (bigD1 (lshift rest j)) //= big1 ?addr0 ?y_j ?mulr1 // => l /other ->; rewrite mul0r.
Qed.

Lemma moved_entry (W : weights) j x (d : 'rV[R]_N) k : k != lshift rest j ->
  (d *m Psi (moved W j x)) 0 k = (d *m Psi W) 0 k.
Proof. by move=> neq; rewrite !mxE; apply: eq_bigr => l _; rewrite Psi_moved. Qed.

Lemma sees_unit (W : weights) (d : 'rV[R]_N) l : (d *m Psi W) 0 (lshift rest l) = (d *m column (row l W)) 0 0.
Proof. by rewrite !mxE; apply: eq_bigr => i _; rewrite Psi_column. Qed.

(** Moving a dependent unit keeps full rank: the others span all. *)
Lemma moved_full (W : weights) j x : \rank (Psi W) = N -> dependent W j -> \rank (Psi (moved W j x)) = N.
Proof.
move=> full dep; apply/eqP; rewrite -/(row_free _) -kermx_eq0.
apply/eqP/row_matrixP => i; rewrite row0; set d := row i _.
have d_kernel : d *m Psi (moved W j x) = 0 by rewrite /d -row_mul mulmx_ker row0.
have all_zero : d *m Psi W = 0.
  by apply: sees_none dep _ => k neq; rewrite -(@moved_entry W j x d k) // d_kernel mxE.
by apply: (row_free_inj (_ : row_free (Psi W))); rewrite ?mul0mx // /row_free full.
Qed.

(** Two units with the same weights: each is dependent. *)
Lemma twins (W : weights) j k : j != k -> row j W = row k W -> dependent W j.
Proof.
move=> neq equal; exists (delta_mx (lshift rest j) 0 - delta_mx (lshift rest k) 0).
  rewrite mulmxBr -!colE; apply/colP => i; rewrite mxE [X in _ + X]mxE ![(col _ _) _ _]mxE !Psi_column equal subrr.
  by rewrite mxE.
by rewrite !mxE !eqxx /= (_ : (lshift rest j == lshift rest k) = false) ?subr0 // (inj_eq (@lshift_inj _ _)) (negPf neq).
Qed.

(** What can be reached at constant logits, with full rank all the way at the corners. *)
Definition reach (W W' : weights) := forall V, same W V -> exists V', joined same W W' V V' /\ same W' V'.

Lemma reach_trans W W' W'' : reach W W' -> reach W' W'' -> reach W W''.
Proof.
move=> r1 r2 V here; have [V' [p1 h1]] := r1 V here; have [V'' [p2 h2]] := r2 V' h1.
by exists V''; split=> //; apply: joined_trans p1 p2.
Qed.

Lemma reach_same W : reach W W.
Proof. by move=> V here; exists V; split=> //; apply: joined_same. Qed.

Lemma reach_move W j x : dependent W j -> reach W (moved W j x).
Proof. by move=> dep V here; apply: free_path. Qed.

Local Notation unit_row j := (delta_mx (0 : 'I_1) (lshift rest (j : 'I_L)) : 'rV[R]_(L + rest)).

(** Not dependent: some vector sees only this column. *)
Lemma sees_only W j : ~ dependent W j -> exists d : 'rV[R]_N, d *m Psi W = unit_row j.
Proof.
move=> indep; pose e := unit_row j.
have /submxP[d d_e] : (e <= Psi W)%MS; last by exists d.
rewrite submxE; apply/eqP/rowP => k; rewrite -rowE !mxE; apply: contrapT => /eqP neq; apply: indep.
exists ((cokermx (Psi W) (lshift rest j) k)^-1 *: col k (cokermx (Psi W))); last by rewrite !mxE mulVf.
by rewrite -scalemxAr colE mulmxA mulmx_coker mul0mx scaler0.
Qed.

(** Where [W] and the goal differ. *)
Variable goal : weights.
Hypothesis goal_full : \rank (Psi goal) = N.

Definition wrong (W : weights) : {set 'I_L} := [set j | row j W != row j goal].

Lemma moved_wrong W j x : row j goal = x -> wrong (moved W j x) = wrong W :\ j.
Proof.
move=> right; apply/setP => k; rewrite !inE; have [->|neq] := eqVneq k j.
  by rewrite moved_row right eqxx.
by rewrite moved_other.
Qed.

(** A vector that sees nothing but a wrong unit in [W] sees a wrong unit at the goal. *)
Lemma seen (W : weights) (j : 'I_L) (d : 'rV[R]_N) : j \in wrong W -> d *m Psi W = unit_row j ->
  exists2 l, l \in wrong W & (d *m column (row l goal)) 0 0 != 0.
Proof.
move=> j_wrong d_sees; apply: contrapT => none.
have d_neq0 : d != 0.
  apply/eqP => zero; have := congr1 (fun v : 'rV[R]_(L + rest) => v 0 (lshift rest j)) d_sees.
  by rewrite zero mul0mx !mxE !eqxx => /eqP; rewrite eq_sym oner_eq0.
move/eqP: d_neq0; apply; apply: (row_free_inj (_ : row_free (Psi goal))); first by rewrite /row_free goal_full.
rewrite mul0mx; apply/rowP => k; rewrite [RHS]mxE -[k]splitK; case: (split k) => [l|l] /=.
  rewrite sees_unit; have [same_row|differ] := eqVneq (row l W) (row l goal); last first.
    apply: contrapT => /eqP neq; apply: none; exists l => //.
    by rewrite inE.
  rewrite -same_row -sees_unit d_sees mxE (_ : (lshift rest l == lshift rest j) = false) ?andbF //.
  rewrite (inj_eq (@lshift_inj _ _)); apply/negP => /eqP eq_lj.
  by move: j_wrong; rewrite inE -eq_lj same_row eqxx.
have -> : (d *m Psi goal) 0 (rshift L l) = (d *m Psi W) 0 (rshift L l).
  by rewrite !mxE; apply: eq_bigr => i _; rewrite /S.Psi !row_mxEr.
by rewrite d_sees mxE (_ : (rshift L l == lshift rest j) = false) ?andbF // eq_rlshift.
Qed.

(** One more unit gets the weights that it has at the goal. *)
Lemma progress W : \rank (Psi W) = N -> (0 < #|wrong W|)%N ->
  exists W', [/\ reach W W', \rank (Psi W') = N & (#|wrong W'| < #|wrong W|)%N].
Proof.
move=> full some; have lt : (\rank (Psi W) < L + \rank others)%N by rewrite full.
have [f dep_f] := free_unit lt.
case: (pselect (exists2 j, j \in wrong W & dependent W j)) => [[j j_wrong dep]|none].
  exists (moved W j (row j goal)); split; [exact: reach_move | exact: moved_full |].
  by rewrite moved_wrong // [X in (_ < X)%N](cardsD1 j) j_wrong.
have f_right : row f W = row f goal.
  by apply: contrapT => /eqP neq; apply: none; exists f => //; rewrite inE.
have not_f k : k \in wrong W -> k != f by rewrite inE => differ; apply: contraNneq differ => ->; rewrite f_right.
have [k0 k0_wrong] : exists k0, k0 \in wrong W by case/card_gt0P: some => k0; exists k0.
have [d d_sees] := sees_only (fun dep => none (ex_intro2 _ _ k0 k0_wrong dep)).
have [l l_wrong seen_l] := seen k0_wrong d_sees.
have f_l : f != l by rewrite eq_sym not_f.
have f_k0 : f != k0 by rewrite eq_sym not_f.
pose W1 := moved W f (row l goal).
have full1 : \rank (Psi W1) = N by apply: moved_full.
have dep1 : dependent W1 k0.
  apply: contrapT => /sees_only[d' d'_sees].
  have same_d : d' = d.
    apply: (row_free_inj (_ : row_free (Psi W))); first by rewrite /row_free full.
    apply/eqP; rewrite -subr_eq0 -mulmxBl; apply/eqP; apply: (sees_none dep_f) => k neq.
    by rewrite mulmxBl [LHS]mxE [X in _ + X]mxE d_sees -(@moved_entry W f (row l goal) d' k) // -/W1 d'_sees subrr.
  have := sees_unit W1 d' f; rewrite d'_sees /W1 moved_row same_d mxE.
  rewrite (_ : (lshift rest f == lshift rest k0) = false) ?andbF => [zero|]; first by rewrite -zero eqxx in seen_l.
  by rewrite (inj_eq (@lshift_inj _ _)) eq_sym; apply/negbTE/not_f.
have finish W3 : reach W1 W3 -> \rank (Psi W3) = N -> row l W3 = row l goal -> row f W3 = row l goal ->
    (forall k, k != f -> k != l -> k \notin wrong W -> row k W3 = row k W) ->
    exists W', [/\ reach W W', \rank (Psi W') = N & (#|wrong W'| < #|wrong W|)%N].
  move=> reach3 full3 row_l row_f rest_same.
  have dep3 : dependent W3 f by apply: (@twins W3 f l); [rewrite eq_sym not_f | rewrite row_f row_l].
  exists (moved W3 f (row f goal)); split; last 1 first.
  - apply: (@leq_ltn_trans #|wrong W :\ l|); last by rewrite [X in (_ < X)%N](cardsD1 l) l_wrong.
    apply: subset_leq_card; apply/subsetP => k; rewrite moved_wrong // !inE => /andP[k_f differ].
    have k_l : k != l by apply: contraNneq differ => ->; rewrite row_l.
    rewrite k_l /=; apply: contraNT differ => same_row; apply/eqP.
    rewrite rest_same // ?inE //; exact/eqP/negPn.
  - by apply: reach_trans (reach_trans (reach_move _ dep_f) reach3) (reach_move _ dep3).
  exact: moved_full.
have [eq_l|neq_l] := eqVneq l k0.
  rewrite -eq_l in dep1; apply: (finish (moved W1 l (row l goal))).
  - exact: reach_move.
  - exact: moved_full.
  - exact: moved_row.
  - by rewrite moved_other // moved_row.
  by move=> k k_f k_l _; rewrite !moved_other.
pose W2 := moved W1 k0 (row l W).
have dep2 : dependent W2 l.
  apply: (@twins W2 l k0) => //.
  by rewrite /W2 moved_row moved_other // /W1 moved_other ?not_f.
have full2 : \rank (Psi W2) = N by apply: moved_full.
apply: (finish (moved W2 l (row l goal))).
- exact: reach_trans (reach_move _ dep1) (reach_move _ dep2).
- exact: moved_full.
- exact: moved_row.
- by rewrite moved_other // /W2 moved_other // moved_row.
move=> k k_f k_l k_right; rewrite /W2 /W1 !moved_other //.
by apply: contraNneq k_right => ->.
Qed.

(** All units. *)
Lemma reach_goal W : \rank (Psi W) = N -> reach W goal.
Proof.
move: {2}#|wrong W| (leqnn #|wrong W|) => k; elim: k W => [|k IH] W small full.
  have -> : W = goal; last exact: reach_same.
  move: small; rewrite leqn0 => /eqP/card0_eq none; apply/row_matrixP => j.
  by apply/eqP; have := none j; rewrite !inE => /negbFE.
have [none|some] := posnP #|wrong W|; first by apply: IH => //; rewrite none.
have [W' [reach' full' fewer]] := progress full some.
by apply: reach_trans reach' (IH W' _ full'); rewrite -ltnS (leq_trans fewer).
Qed.
End Exchange.

Section Connected.
Variables (R : realType) (N L rest q m : nat).
Variables (source : 'I_N -> 'rV[R]_q) (sigma : R -> R) (others : 'M[R]_(N, rest)) (K : 'M[R]_(N, m)) (phi : 'M[R]_(N, m) -> R).
Hypothesis wider : (N < L + \rank others)%N.
Hypothesis apart : injective source.
Hypothesis spans : forall z c : 'I_N -> R, injective z -> (forall s b, \sum_i c i * sigma (s * z i + b) = 0) -> forall i, c i = 0.
Hypothesis phi_convex : convex phi.

Let loss (W : 'M[R]_(L, q + 1)) (V : 'M[R]_(L + rest, m)) := phi (logits source sigma others K W V).

Theorem S_plus WA VA WB VB : joined (fun W V => loss W V <= Num.max (loss WA VA) (loss WB VB)) WA WB VA VB.
Proof.
pose low W V := loss W V <= Num.max (loss WA VA) (loss WB VB); rewrite -/low.
have [W1 [V1 [path1 here1 full1]]] := S K VA WA (ltnW wider) apart spans.
have [W2 [V2 [path2 here2 full2]]] := S K VB WB (ltnW wider) apart spans.
have [V3 [path3 here3]] := reach_goal wider full2 full1 here1.
have at_A W V : logits source sigma others K W V = logits source sigma others K WA VA -> low W V.
  by rewrite /low /loss => ->; rewrite le_maxr lexx.
have at_B W V : logits source sigma others K W V = logits source sigma others K WB VB -> low W V.
  by rewrite /low /loss => ->; rewrite le_maxr lexx orbT.
apply: (joined_trans (joined_weaken at_A path1)); apply: (joined_trans (joined_weaken at_A path3)).
apply: (joined_trans _ (joined_sym (joined_weaken at_B path2))).
apply: joined_straight => t t01; rewrite straight_same /low /loss.
have -> : logits source sigma others K W2 (straight V3 V2 t) =
    straight (logits source sigma others K W2 V3) (logits source sigma others K W2 V2) t.
  rewrite /logits /straight mulmxDr -!scalemxAr; apply/matrixP => i k; rewrite !mxE.
  by move: (\sum_j _) (\sum_j _) (K i k) => x z u; ring.
rewrite here2 here3; apply: le_trans (phi_convex _ _ t01) _; case/andP: t01 => t_ge0 t_le1.
have split (x : R) : x = (1 - t) * x + t * x by ring.
rewrite [X in _ <= X]split; apply: ler_add; apply: ler_wpmul2l; rewrite ?subr_ge0 // le_maxr lexx ?orbT //.
Qed.
End Connected.
