"""W1, W2, W3: an explicit U of full rank, of bounded activations or softplus, also above other layers; the claims."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from verifier.balls.exact import at_least
from verifier.display import count
from verifier.statements.claim import ArrayRef, Computed, Count, Exact, Lower, TensorName, counted, printed
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply

CONSTRUCTION = (
    "rank Psi(U*) = N = {samples} by construction, sigma_N(Psi(U*)) >= {sigma_lower} (q <= {q}), whatever the "
    "parameters of the units are that the claim does not name"
)
WITHIN = {"W radius": "the same at every U within {radius} of U* in each parameter"}


class ChainUnit(Struct, frozen=True, forbid_unknown_fields=True):
    """A unit that carries an increasing function of ``<a, x>`` one layer up (W3)."""

    layer: Count
    unit: Count
    weight: Exact
    bias: Exact


class Block(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one layer with thresholds between consecutive samples, above ``links`` of the chain."""

    layer: Count
    links: Annotated[int, Meta(ge=0, le=1000)]
    weight: Exact
    units: TensorName
    biases: ArrayRef


class WitnessClaim(Computed, frozen=True, kw_only=True):
    """What W1 and W2 state: parameters at which Psi is near a triangular matrix."""

    name = "the witness"
    needs_weights = False
    full_rank_somewhere = True

    direction: TensorName
    chain: Annotated[tuple[ChainUnit, ...], Meta(max_length=1000)]
    radius: Lower | None
    blocks: Annotated[tuple[Block, ...], Meta(min_length=1, max_length=1000)]

    def words(self) -> dict[str, str]:
        """Columns, blocks, chain units, and the ball if there is one."""
        radius = self.radius
        return super().words() | {
            "columns": str(sum(block.biases.shape[0] for block in self.blocks)),
            "block_count": counted(len(self.blocks), "block"),
            "links": counted(len(self.chain), "chain unit"),
            "ball": "" if radius is None else f", and within {printed(radius, 'lower')} of them in each parameter",
        }


class W1(WitnessClaim, frozen=True, kw_only=True, tag="W1"):
    """Full row rank by construction, with bounded activations."""

    meaning: ClassVar[str] = (
        "full row rank by construction (W1): {columns} columns in {block_count} with bounded activations are near a "
        "triangular matrix at parameters that the claim names ({links}){ball}; the other units are arbitrary. In the "
        "paper: the construction in the proof of Lemma 3.2."
    )
    sentences: ClassVar[dict[str, str]] = {"W1": CONSTRUCTION, **WITHIN}


class W2(WitnessClaim, frozen=True, kw_only=True, tag="W2"):
    """Full row rank by construction, with softplus: one block."""

    meaning: ClassVar[str] = (
        "full row rank by construction (W2): {columns} columns with softplus are near a triangular matrix at "
        "parameters that the claim names ({links}){ball}; the other units are arbitrary. In the paper: the "
        "construction in the proof of Lemma 3.2."
    )
    sentences: ClassVar[dict[str, str]] = {"W2": CONSTRUCTION, **WITHIN}

    blocks: Annotated[tuple[Block, ...], Meta(min_length=1, max_length=1)]


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
    layers = ", ".join(str(link.layer) for link in found.chain)
    words = f"{count(len(found.chain), 'link')}, in layer{'s' * (len(found.chain) > 1)} {layers}"
    return Finding(found.verdict, words, (found.label,))


BOUNDED_WITNESS = Statement(
    label="W1",
    source="ours",
    name="Witness for bounded activations (with W3: through depth)",
    sentence="Units whose thresholds lie between consecutive samples make Psi nearly triangular: an explicit U of full "
    "rank, from O(N) numbers.",
    formula="N delta ||T^-1||_inf < 1",
    hypotheses="dense layers with units of their own weights, a bounded monotone activation, distinct samples",
    how="rigorous",
    prove=lambda known: _explicit(known, "W1"),
    claims=(W1,),
)
SOFTPLUS_WITNESS = Statement(
    label="W2",
    source="ours",
    name="Witness for softplus (with W3: through depth)",
    sentence="Softplus units with thresholds at the samples make Psi / lambda a small perturbation of a triangular "
    "matrix.",
    formula="(4/s)(log 2 + 2 e^(rho s)/(e^s - 1)) + 4 rho < 1",
    hypotheses="a dense softplus layer, distinct samples",
    how="rigorous",
    prove=lambda known: _explicit(known, "W2"),
    claims=(W2,),
)
CHAINS = Statement(
    label="W3",
    source="ours",
    name="Chains through depth",
    sentence="One unit per layer carries an increasing function of <a, x> upwards, so W1 and W2 apply in any dense "
    "layer.",
    formula="h_1 < ... < h_N certified by balls",
    hypotheses="one spare unit per layer below the columns",
    how="rigorous",
    prove=_through_depth,
    may_rest_on=("W1", "W2"),
)
