"""C1 as a statement: the start is no stationary point of the cross-entropy."""

from __future__ import annotations

from typing import ClassVar

from verifier.balls.exact import ExactArray
from verifier.landscape.pointwise import prove_not_stationary
from verifier.statements.claim import ArrayRef, Computed, Lower
from verifier.statements.evidence import Known
from verifier.statements.no_maximum import CONFLICT
from verifier.statements.statement import Finding, Statement, does_not_apply


class C1(Computed, frozen=True, kw_only=True, tag="C1"):
    """A lower bound of the gradient in V; it stands on a claim of full rank at this U."""

    name: ClassVar[str] = "no stationary point"
    needs_labels: ClassVar[bool] = True
    swept: ClassVar[bool] = True
    meaning: ClassVar[str] = (
        "not a stationary point (C1): with the full row rank also claimed, ||grad_V Phi(U, V)||_F >= {gradient_lower} "
        "> 0 for the cross-entropy Phi, so (U, V) is no local minimum and no local maximum."
    )
    sentences: ClassVar[dict[str, str]] = {
        "C1": "(U, V) is not a stationary point of the cross-entropy, hence no local extremum: ||grad_V Phi||_F >= "
        "{gradient_lower}",
    }

    start_weights: ArrayRef
    gradient_lower: Lower


def _prove(known: Known) -> Finding:
    data, sigma = known.evidence.data, known.sigma_lower
    if not known.evidence.labels_agree or data.labels is None:
        return does_not_apply(CONFLICT)
    if sigma is None:
        return does_not_apply("Psi(U) is not known to have full rank at this U")
    start, counts = ExactArray.of_floats(known.evidence.v), data.multiplicities.tolist()
    found = prove_not_stationary(known.evidence.features, sigma, start, data.labels, counts)
    known.found.gradient = found
    return Finding(found.verdict, found.reason, ("rank",))


NOT_STATIONARY = Statement(
    label="C1",
    source="ours",
    name="The start is not stationary",
    sentence="At a full-rank U the gradient of the cross-entropy in V is not zero, at any V.",
    formula="||grad_V Phi|| >= sigma_N ||P|| / n > 0",
    hypotheses="cross-entropy, full rank at this U, equal samples have equal labels",
    how="rigorous",
    prove=_prove,
    may_rest_on=("rank",),
    claims=(C1,),
)
