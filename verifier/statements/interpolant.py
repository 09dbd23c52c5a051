"""J2 as a statement: an exact interpolant of a regression's targets near the start."""

from __future__ import annotations

from verifier.landscape.interpolant import prove_interpolant, seconds_of
from verifier.landscape.target_loss import TargetLoss
from verifier.statements.claims.jacobian import J2
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict

LIMIT_SECONDS, LIMIT_WHERE_WIDE = 60.0, 3.0
"""A search that is predicted to take longer is left out; sooner where Psi(U) V = T has a solution V anyway."""


def _prove(known: Known) -> Finding:
    evidence, targets = known.evidence, known.evidence.data.targets
    if targets is None:
        return does_not_apply("does not apply: no real targets")
    if evidence.data.offset is not None or evidence.arcs is not None:
        return does_not_apply("does not apply beside frozen logits, or where arcs to the outputs are missing")
    loss = TargetLoss(targets, evidence.data.multiplicities)
    if not loss.agree:
        return does_not_apply("equal samples have different targets")
    rows, columns = evidence.inputs.shape[0] * targets.shape[1], len(evidence.u) + evidence.v.size
    if rows > columns:
        return does_not_apply(f"P = {columns} parameters are fewer than N m = {rows}")
    seconds = seconds_of(rows, columns)
    limit = LIMIT_WHERE_WIDE if evidence.rank.verdict is Verdict.PROVED else LIMIT_SECONDS
    if seconds > limit:
        words = f"not tried: J is {rows} x {columns}, about {seconds:.0f} s (limit {limit:.0f} s); take fewer samples"
        return Finding(Verdict.UNDECIDED, words)
    known.stage(f"Newton's steps to an exact interpolant, {rows} x {columns}")
    backend = getattr(evidence.features, "backend", None)
    found = prove_interpolant(
        evidence.network, evidence.u, evidence.v, evidence.inputs, targets[loss.starts[:-1]], backend=backend
    )
    known.found.interpolant = found
    return Finding(found.verdict, found.reason)


INTERPOLANT = Statement(
    label="J2",
    source="ours",
    name="an exact interpolant near the start",
    sentence="Some (U, V), each of whose numbers is within a stated distance of the start's, has exactly the targets "
    "as its logits, and near it the interpolants are a manifold of dimension P - N m. M < N is allowed.",
    formula="G(theta*) = T, |theta* - theta|_inf <= r",
    hypotheses="a regression; equal samples have equal targets; N m <= P; features C^1 near the point",
    idea="a Newton-like map is a contraction on the box around the point (Krawczyk)",
    proved_in=("landscape/interpolant.py",),
    checked_in=("checker/jacobian.py",),
    how="rigorous",
    prove=_prove,
    regression=True,
    claims=(J2,),
)
