"""W1, W2: an explicit U of full rank, as a certificate names its parameters."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from verifier.statements.claims.claim import ArrayRef, Computed, Count, Exact, Lower, TensorName, counted, printed

CONSTRUCTION = (
    "rank Psi(U*) = N = {samples} by construction, sigma_N(Psi(U*)) >= {sigma_lower} (q <= {q}), whatever the "
    "parameters are that the claim does not name"
)
WITHIN = {"W radius": "the same at every U within {radius} of U* in each parameter"}


class ChainUnit(Struct, frozen=True, forbid_unknown_fields=True):
    """A unit of a node that carries an increasing function of ``<a, x>`` one layer up (W3)."""

    node: Count
    unit: Count
    weight: Exact
    bias: Exact


class Block(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one node with thresholds between consecutive samples, above ``links`` of the chain."""

    node: Count
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
