"""S(1), S(2), S+ as statements: no bad local valley and connected sublevel sets for any activation."""

from __future__ import annotations

from verifier.rank.sink import Sink, SinkResult
from verifier.statements.claims.sink import S1, S2, SPlus
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.statements.theorem import TheoremStep
from verifier.verdict import Verdict

HYPOTHESES = (
    "features defined for every U and every sample; nothing in these layers shared or frozen; no node reads the wide "
    "layer; V free along all arcs (an output bias is its last row); no regulariser"
)
EQUAL_SAMPLES = "does not apply: equal samples are rows of their own (kept, or with frozen logits that differ)"
"""Why nothing is said of N rows that are not N distinct samples."""
AS_FROM_EVERY_POINT = Finding(Verdict.PROVED, "such a path leads from every point (S(1))", ("S(1)",))
"""What is found of S(2) where S(1) is proved."""


def finding(found: SinkResult) -> Finding:
    """What is found of S(1), S(2) or S+ from what its proof found.

    Parameters
    ----------
    found
        The proof, or why there is none.
    """
    return Finding(found.verdict, found.reason) if found.proved else does_not_apply(f"does not apply: {found.reason}")


def sink_steps(sink: Sink) -> tuple[TheoremStep, ...]:
    """S(1), S(2) and S+ as steps, where there are no data.

    Parameters
    ----------
    sink
        What the architecture proves.
    """
    proofs = (sink.everywhere, sink.almost_everywhere, sink.connected)
    statements = (FROM_EVERY_POINT, FROM_ALMOST_EVERY_POINT, CONNECTED)
    found = [(statement, finding(proof)) for statement, proof in zip(statements, proofs, strict=True)]
    if sink.everywhere.proved:
        found[1] = (FROM_ALMOST_EVERY_POINT, AS_FROM_EVERY_POINT)
    return tuple(TheoremStep(each, step.verdict, step.reason, step.rests_on, step.applies) for each, step in found)


def _of(known: Known, name: str) -> Finding:
    """What is found of one of them for the samples of the problem."""
    if known.evidence.arcs is not None:
        return does_not_apply("does not apply: arcs to the outputs are missing")
    found = finding(getattr(known.sink, name))
    if name == "almost_everywhere" and known.found.verdict("S(1)") is Verdict.PROVED:
        return AS_FROM_EVERY_POINT
    if found.applies and not known.samples_differ:
        return does_not_apply(EQUAL_SAMPLES)
    return found


FROM_EVERY_POINT = Statement(
    label="S(1)",
    source="ours",
    name="a path that never goes up from every point, for any activation",
    sentence="If a dense layer of N units (N - 1 with an output bias), with weights and biases of their own, reads ALL "
    "inputs and is read by the outputs alone, and its activation is continuous and no polynomial of degree <= N - 2 "
    "(ReLU, leaky ReLU, any), then for EVERY set of N distinct samples, ALL labels and ALL convex finite losses a path "
    "leads from EVERY (U, V) on which the loss is constant until Psi has full row rank and then, in V alone, never "
    "increases and comes arbitrarily close to its infimum (the cross-entropy, where labels agree, strictly decreases "
    "to 0). No local valley is bad.",
    formula="for all (U, V): a path with Phi non-increasing, -> inf Phi",
    hypotheses=HYPOTHESES,
    idea="a column basis of Psi carries all logits while the other units move, at constant loss, until the "
    "rank is full; then V moves alone",
    proved_in=("rank/sink.py",),
    checked_in=("checker/sink.py",),
    how="structural",
    prove=lambda known: _of(known, "everywhere"),
    regression=True,
    claims=(S1,),
)
FROM_ALMOST_EVERY_POINT = Statement(
    label="S(2)",
    source="ours",
    name="a path that never goes up from almost every point, for any activation of the last layer",
    sentence="If a dense layer as in S(1) reads ALL of a layer, dense or convolution, whose units have weights and "
    "biases of their own, whose activation takes no value on a set of positive measure (leaky ReLU, ELU, SiLU, tanh, "
    "...), and which leaves out nothing of what it reads, that one likewise, down to the input, then for EVERY set of "
    "N distinct samples, ALL labels and ALL convex finite losses the path of S(1) leads from ALMOST every U, whatever "
    "V is. No local valley is bad.",
    formula="for almost all U, all V: a path with Phi non-increasing, -> inf Phi",
    hypotheses=HYPOTHESES + "; no pool, norm or sum of layers between the input and the wide layer",
    idea="S(1) from almost every U: what each layer computes almost never merges samples, by the level sets of "
    "its activation",
    proved_in=(
        "rank/sink.py",
        "sigma/level_sets.py",
    ),
    checked_in=("checker/sink.py",),
    how="structural",
    prove=lambda known: _of(known, "almost_everywhere"),
    regression=True,
    may_rest_on=("S(1)",),
    claims=(S2,),
)
CONNECTED = Statement(
    label="S+",
    source="ours",
    name="connected sublevel sets",
    sentence="If all that is trained is one dense layer over ALL inputs and the output weights, with M >= N + 1 "
    "columns (an output bias is one), and the activation is continuous and no polynomial of degree <= N - 2, then for "
    "EVERY set of N distinct samples, ALL labels and ALL convex finite losses any two points (U, V) are joined by a "
    "path on which the loss never exceeds the larger of its two values: all sublevel sets are connected.",
    formula="{Phi < a}, {Phi <= a} connected for every a",
    hypotheses=HYPOTHESES + "; no other trained parameters, no other columns",
    idea="S(1) from both points; the spare column lets the units exchange their places, at constant logits",
    proved_in=("rank/sink.py",),
    checked_in=("checker/sink.py",),
    how="structural",
    prove=lambda known: _of(known, "connected"),
    regression=True,
    claims=(SPlus,),
)
