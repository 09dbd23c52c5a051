"""A certificate's document as a struct, made of the claim structs of the statements; its JSON Schema is made from it.

``python -m verifier.certificate.schema`` prints the JSON Schema. What each field means and what a checker must verify
is in FORMAT.md; the checker, which shares no code with this, enforces more than a schema can say.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from verifier.certificate.node_schema import MAX_NODES, AnyNode
from verifier.statements.claims.catalogue import CLAIMS
from verifier.statements.claims.claim import ArrayRef, Claim, Count, Positive, TensorName

FORMAT, VERSION = "verifier-certificate", 2
MAX_NAME = 200
"""Characters of an informative string."""
MAX_LEFT_OUT = 16
"""Claims named as left out; the note is informative, and the document stays readable."""

Name = Annotated[str, Meta(max_length=MAX_NAME)]
if TYPE_CHECKING:
    AnyClaim = Claim
else:
    AnyClaim = Union[tuple(CLAIMS.values())]  # noqa: UP007  # of the claims that the statements have, whichever they are


class _Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the document: it has exactly the keys that are listed."""


class Generator(_Part, frozen=True, kw_only=True):
    """The program that wrote the document."""

    name: Name
    version: Name


class Trust(_Part, frozen=True, kw_only=True):
    """What the prover computed with; informative."""

    arithmetic: Name
    python_flint: Name
    flint: Name


class StoredArrays(_Part, frozen=True, kw_only=True):
    """The file beside the document that holds the arrays."""

    file: Annotated[str, Meta(pattern="^[A-Za-z0-9_][A-Za-z0-9_. -]{0,199}$")]
    bytes: Count
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Data(_Part, frozen=True, kw_only=True):
    """The samples, if a claim needs any, their labels, and how many equal ones a row stands for."""

    name: Name
    scaling: Name
    samples: Positive
    dimension: Positive
    classes: Positive
    inputs: ArrayRef | None
    labels: TensorName | None
    multiplicities: TensorName | None
    total: Positive
    offset: ArrayRef | msgspec.UnsetType = msgspec.UNSET
    arcs: TensorName | msgspec.UnsetType = msgspec.UNSET
    targets: ArrayRef | msgspec.UnsetType = msgspec.UNSET


class FeaturePart(_Part, frozen=True, kw_only=True):
    """Entries of a node that are columns of Psi: flat indices in increasing order, or null for all."""

    node: Count
    entries: Annotated[tuple[Count, ...], Meta(min_length=1, extra_json_schema={"uniqueItems": True})] | None


class NetworkPart(_Part, frozen=True, kw_only=True):
    """The network: its nodes, the features that are columns of Psi, the number M of columns."""

    nodes: Annotated[tuple[AnyNode, ...], Meta(min_length=1, max_length=MAX_NODES)]
    features: Annotated[tuple[FeaturePart, ...], Meta(min_length=1, max_length=MAX_NODES)]
    columns: Positive


class Document(_Part, frozen=True, kw_only=True):
    """The JSON document of a certificate."""

    format: Literal["verifier-certificate"]
    version: Literal[2]
    semantics: Literal["exact-real"]
    generator: Generator
    trust: Trust
    arrays: StoredArrays
    data: Data
    network: NetworkPart
    claims: Annotated[tuple[AnyClaim, ...], Meta(min_length=1, max_length=32)]
    left_out: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=MAX_LEFT_OUT)] | UnsetType = UNSET


def json_schema() -> dict[str, Any]:
    """Make the JSON Schema of certificates.

    Returns
    -------
    dict
        A schema of draft 2020-12: what it rejects is no certificate; what it accepts the checker may still reject.

    Examples
    --------
    >>> json_schema()["title"]
    'verifier certificate, version 2'
    """
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:verifier:certificate:{VERSION}",
        "title": f"verifier certificate, version {VERSION}",
        "description": "What each field means and what a checker must verify: FORMAT.md. The checker enforces more "
        "than a schema can say.",
    }
    return head | msgspec.json.schema(Document)


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=1))
