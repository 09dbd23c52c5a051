"""J1 as a statement: where the Jacobian of the logits in U and V has full row rank, M < N allowed."""

from __future__ import annotations

import numpy as np

from verifier.network.initialise import initialise
from verifier.network.network import Array
from verifier.rank.jacobian_rank import JacobianRank, prove_jacobian_rank, seconds_of
from verifier.statements.claims.jacobian import J1
from verifier.statements.evidence import Evidence, Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict

LIMIT_SECONDS = 30.0
"""A Jacobian that is predicted to take longer is left out."""
LIMIT_WHERE_DEFICIENT = 0.5
"""The same where rank Psi(U) < N for every U in spite of M >= N: mostly J is no better then."""
CONFLICT = "labels conflict, or there are none"


def _prove(known: Known) -> Finding:
    evidence, analytic = known.evidence, known.analytic[0] is Verdict.PROVED
    reduced = evidence.data.targets is None
    if reduced and not evidence.labels_agree:
        return does_not_apply(CONFLICT)
    least = "" if reduced else " unless the loss is least among all logits"
    if evidence.rank.verdict is Verdict.PROVED and evidence.arcs is None:
        words = f"the start is not stationary{least}: Psi(U) has full row rank, so the columns of J for V have"
        return Finding(Verdict.PROVED, words + (_everywhere(reduced) if analytic else ""), ("rank",))
    outputs = evidence.v.shape[1] - 1 if reduced else evidence.v.shape[1]
    rows = len(evidence.inputs) * outputs
    arcs = evidence.v.size if evidence.arcs is None else np.count_nonzero(evidence.arcs)
    columns = evidence.network.parameter_count + int(arcs)
    if not 0 < rows <= columns:
        return does_not_apply(f"{columns} free parameters are fewer than the {rows} rows of the Jacobian")
    seconds, wide = seconds_of(rows, columns), evidence.network.columns >= len(evidence.inputs)
    limit = LIMIT_WHERE_DEFICIENT if wide and known.deficiency is not None else LIMIT_SECONDS
    if seconds > limit:
        words = f"not tried: J is {rows} x {columns}, about {seconds:.0f} s (limit {limit:g} s); take fewer samples"
        return Finding(Verdict.UNDECIDED, words)
    known.stage(f"Jacobian of the logits, {rows} x {columns}")
    found = _at(evidence, evidence.u, evidence.v, reduced)
    where, reason = f"the start is not stationary{least}", found.reason
    if found.verdict is not Verdict.PROVED and analytic:
        u = initialise(evidence.network, seed=known.seed + 1)
        v = np.random.default_rng(known.seed + 1).standard_normal(evidence.v.shape)
        v = v if evidence.arcs is None else np.where(evidence.arcs, v, 0.0)
        found = _at(evidence, u, v, reduced)
        where = f"proved at a random (U, V), not at the start ({reason})"
    if found.verdict is not Verdict.PROVED:
        return Finding(Verdict.UNDECIDED, reason)
    known.found.jacobian_rank, known.found.jacobian_everywhere = found, analytic
    full = f"{where}: J, {rows} x {columns}, has full row rank, {found.reason}"
    return Finding(Verdict.PROVED, full + (_everywhere(reduced) if analytic else ""), ("LA.1",) if analytic else ())


def _everywhere(reduced: bool) -> str:
    """What one point proves of almost every one."""
    kind = "stationary points of the cross-entropy" if reduced else "suboptimal stationary points"
    return f"; all {kind} lie in a closed set of measure zero, {{rank J < its rows}}"


def _at(evidence: Evidence, u: Array, v: Array, reduced: bool) -> JacobianRank:
    backend = getattr(evidence.features, "backend", None)
    return prove_jacobian_rank(
        evidence.network, u, v, evidence.inputs, reduced=reduced, arcs=evidence.arcs, backend=backend
    )


JACOBIAN_RANK = Statement(
    label="J1",
    source="ours",
    name="no suboptimal stationary point where the Jacobian has full row rank",
    sentence="Where the Jacobian of the logits in U and V has full row rank N m, (U, V) is stationary only if a "
    "differentiable convex loss is least among all logits; for the cross-entropy (agreeing labels, the N (m - 1) "
    "differences of logits) never. If all features are analytic in U on R^p, one such point proves that ALL suboptimal "
    "stationary points lie in the closed null set {rank J < N m}. M < N is allowed.",
    formula="rank J(theta) = N m, d Phi(theta) = 0  =>  Phi(theta) = inf",
    hypotheses="logits continuously differentiable at (U, V); no regulariser; frozen logits K may be added",
    idea="the Jacobian J of the logits in balls, and a right inverse B with |I - J B| < 1",
    proved_in=("rank/jacobian_rank.py",),
    checked_in=("checker/jacobian.py",),
    how="rigorous",
    prove=_prove,
    may_rest_on=("LA.1", "rank"),
    regression=True,
    claims=(J1,),
)
