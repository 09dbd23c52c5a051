"""The nodes of a certificate's network as structs, made from the node kinds: each kind's fields and their types.

A new node kind needs nothing here, if the types of its fields are known to `_stated`.
"""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, cast, get_type_hints

import msgspec
from msgspec import Meta, Struct

from verifier.network.nodes import KINDS, Constant, Node, Parameter, Window
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation
from verifier.statements.claims.claim import MAX_AXES, ArrayRef, Count, Positive, Rational

MAX_NODES = 65_536
"""Of a network in the format."""

Expression = Annotated[str, Meta(min_length=1, max_length=2000)]
Extents = Annotated[tuple[Positive, ...], Meta(max_length=MAX_AXES)]
Places = Annotated[tuple[Count, ...], Meta(max_length=MAX_AXES)]
Entries = Annotated[tuple[Count, ...], Meta(min_length=1)]


class StatedNode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """A node as a document states it: its kind, the earlier nodes that it reads, the fields of its kind."""

    reads: tuple[Count, ...]

    @classmethod
    def kind(cls) -> str:
        """The node's kind, such as ``affine``."""
        return str(cls.__struct_config__.tag)


class WindowPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a window slides, a number per spatial axis each."""

    kernel: Extents
    stride: Extents
    padding: Places
    dilation: Extents
    groups: Positive


SLIDING = ("kernel", "stride", "padding", "dilation")
NOT_STATED = {"reads", "fan_in", "stream", "values"}
"""Fields of a node that a document does not state, or states in a form of its own."""


def _stated(name: str, kind: Any) -> dict[str, Any]:
    """What a document states of a field of a node: names and types."""
    if name == "size":
        return {"shape": Extents}
    if kind is Activation:
        return {"activation": Expression}
    if kind is Window:
        return dict.fromkeys(SLIDING, Extents) | {"padding": Places}
    if kind is Fraction:
        return {name: Rational}
    if kind is str:
        return {name: Annotated[str, Meta(max_length=200)]}
    if kind == Shape:
        return {name: Entries if name == "entries" else Places}
    if name == "over":
        return {name: Literal["all", "last"] | WindowPart}
    return {name: Count if kind is int else kind}


def _struct(kind: type[Node]) -> type[StatedNode]:
    hints, found = get_type_hints(kind), dict[str, Any]()
    for field in fields(kind):
        if field.name not in NOT_STATED:
            found |= _stated(field.name, hints[field.name])
    if kind is Parameter:
        found |= {"values": ArrayRef | None}
    if kind is Constant:
        found |= {"shape": Extents, "values": ArrayRef}
    least, most = kind.arity
    found["reads"] = Annotated[tuple[Count, ...], Meta(min_length=least, max_length=most)]
    made = msgspec.defstruct(
        f"{kind.__name__}Node",
        list(found.items()),
        bases=(StatedNode,),
        tag=kind.kind,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        namespace={"__doc__": kind.__doc__},
    )
    return cast(type[StatedNode], made)


NODES = {name: _struct(kind) for name, kind in KINDS.items()}
"""The struct of each node kind, by its name."""

if TYPE_CHECKING:
    AnyNode = StatedNode
else:
    AnyNode = Union[tuple(NODES.values())]  # noqa: UP007  # of the kinds that there are, whichever they are
