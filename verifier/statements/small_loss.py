"""L2.1 as a statement: a small loss has no errors. The proof is in `threshold`."""

from __future__ import annotations

from verifier.balls.exact import at_most, upper_float
from verifier.balls.precision import working_precision
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement
from verifier.statements.threshold import check_instance, prove_threshold


def _prove(known: Known) -> Finding:
    threshold = prove_threshold()
    proof = f"{len(threshold.steps)} steps verified symbolically; sharp: N = 1, m = 2, tied logits have loss log 2"
    return Finding(threshold.verdict, proof + _on_path(known))


def _on_path(known: Known) -> str:
    """L2.1 on this instance: where the path is certified to be below log(2)/n its margins are compared with it."""
    path = known.evidence.path
    if path is None:
        return ""
    with working_precision(path.precision):
        time = upper_float(path.zero_error_t.arb() / path.kappa.arb())
    found = check_instance(path.margins(max(time, 1.0)).rows, path.multiplicities)
    return f"; on the path at t = {at_most(path.zero_error_t)}: {found.reason}"


SMALL_LOSS = Statement(
    label="L2.1",
    source="paper",
    place="Lemma 2.1",
    name="a small loss has no errors",
    sentence="If the cross-entropy is below log(2)/n, every sample is classified correctly.",
    formula="Phi < log(2)/n  =>  margin_i > 0 for all i",
    hypotheses="cross-entropy; n samples, counted with multiplicity",
    idea="one sample alone with a margin of at most 0 costs log(2)/n or more, step by step in symbols; where a "
    "path is below that is part of P1",
    proved_in=("statements/threshold.py",),
    how="symbolic",
    prove=_prove,
)
