"""S as a statement: from the given (U, V) a path at constant loss to full rank, then down, for any activation."""

from __future__ import annotations

from verifier.statements.claims.sink import S
from verifier.statements.evidence import Known
from verifier.statements.sink_everywhere import EQUAL_SAMPLES
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict


def _prove(known: Known) -> Finding:
    if known.evidence.arcs is not None:
        return does_not_apply("does not apply: arcs to the outputs are missing")
    if known.found.verdict("S(1)") is Verdict.PROVED:
        return Finding(Verdict.PROVED, "such a path leads from every point (S(1)), so from this one", ("S(1)",))
    if known.evidence.rank.verdict is Verdict.PROVED:
        return Finding(Verdict.PROVED, "Psi(U) has full row rank already: V moves alone", ("rank",))
    if not known.samples_differ:
        return does_not_apply(EQUAL_SAMPLES)
    start = known.sink_start
    return (
        does_not_apply(f"does not apply: {start.reason}")
        if start.node is None
        else Finding(start.verdict, start.reason)
    )


SINK_PATH = Statement(
    label="S",
    source="ours",
    name="a path that never goes up from this start, for any activation",
    sentence="If a dense layer of N units (N - 1 with an output bias), with weights and biases of their own, is read "
    "by the outputs alone, its activation continuous and no polynomial of degree <= N - 2, and if the samples differ "
    "in what it reads at this U, then a path leads from (U, V), whatever V is, on which every convex finite loss is "
    "constant until Psi has full row rank; from there, in V alone, the cross-entropy with agreeing labels strictly "
    "decreases to 0, and every convex finite loss never increases and comes arbitrarily close to its infimum.",
    formula="Phi constant, then non-increasing, -> inf Phi",
    hypotheses="all nodes defined for every U on these samples; everything below the wide layer is arbitrary (ReLU, "
    "max-pooling); V free along all arcs (an output bias is its last row); no regulariser",
    idea="that the samples differ in what the wide layer reads is shown in exact arithmetic or balls at this "
    "U; then as S(1)",
    proved_in=("landscape/sink_start.py",),
    checked_in=("checker/sink.py",),
    how="rigorous",
    prove=_prove,
    regression=True,
    may_rest_on=("S(1)", "rank"),
    claims=(S,),
)
