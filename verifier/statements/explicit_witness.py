"""W1, W2, W3: an explicit U of full rank, of bounded activations or softplus, also above other layers; the claims."""

from __future__ import annotations

from verifier.balls.exact import at_least
from verifier.display import count
from verifier.statements.claims.witness import W1, W2
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply


def _explicit(known: Known, label: str) -> Finding:
    found = known.witness
    if found.label != label:
        return does_not_apply(f"not needed: {found.label} applies" if found.label else found.reason)
    radius = "" if found.radius is None else f"; a ball of radius {at_least(found.radius)} in every parameter"
    return Finding(found.verdict, f"{found.reason}{radius}")


def _through_depth(known: Known) -> Finding:
    found = known.witness
    if not found.chain:
        return does_not_apply("no chain is needed" if found.label else "no chain is possible")
    layered = known.evidence.network.layered
    places = [link.node if layered is None else layered.outputs.index(link.node) for link in found.chain]
    noun = f"{'node' if layered is None else 'layer'}{'s' * (len(places) > 1)}"
    words = f"{count(len(places), 'link')}, in {noun} {', '.join(map(str, places))}"
    return Finding(found.verdict, words, (found.label,))


BOUNDED_WITNESS = Statement(
    label="W1",
    source="ours",
    name="witness for bounded activations (with W3: through depth)",
    sentence="Units whose thresholds lie between consecutive samples make Psi nearly triangular: an explicit U of full "
    "rank, from O(N) numbers.",
    formula="N delta ||T^-1||_inf < 1",
    hypotheses="dense layers with units of their own weights, a bounded monotone activation, distinct samples",
    idea="thresholds between consecutive samples make Psi nearly triangular, and balls bound what is left: O(N "
    "d + N log N)",
    proved_in=(
        "rank/witness.py",
        "rank/witness_proof.py",
    ),
    checked_in=("checker/witness.py",),
    how="rigorous",
    prove=lambda known: _explicit(known, "W1"),
    regression=True,
    claims=(W1,),
)
SOFTPLUS_WITNESS = Statement(
    label="W2",
    source="ours",
    name="witness for softplus (with W3: through depth)",
    sentence="Softplus units with thresholds at the samples make Psi / lambda a small perturbation of a triangular "
    "matrix.",
    formula="(4/s)(log 2 + 2 e^(rho s)/(e^s - 1)) + 4 rho < 1",
    hypotheses="a dense softplus layer, distinct samples",
    idea="thresholds at the samples make Psi nearly a ramp matrix, and balls bound what is left: O(N d + N log N)",
    proved_in=(
        "rank/witness.py",
        "rank/witness_proof.py",
    ),
    checked_in=("checker/witness.py",),
    how="rigorous",
    prove=lambda known: _explicit(known, "W2"),
    regression=True,
    claims=(W2,),
)
CHAINS = Statement(
    label="W3",
    source="ours",
    name="chains through depth",
    sentence="One unit per layer carries an increasing function of <a, x> upwards, so W1 and W2 apply in any dense "
    "layer.",
    formula="h_1 < ... < h_N certified by balls",
    hypotheses="one spare unit per layer below the columns",
    idea="the values that one unit of each layer takes are enclosed in balls, and do not overlap",
    proved_in=("rank/witness.py",),
    checked_in=("checker/witness.py",),
    how="rigorous",
    prove=_through_depth,
    regression=True,
    may_rest_on=("W1", "W2"),
)
