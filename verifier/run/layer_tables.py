"""The tables of ``network.layers`` in case files: their keys are the fields of the layers and blocks, by kind.

Nothing is listed twice: a new block, or a new field of one, can be written in case files as it stands.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from verifier.errors import CaseError, NetworkError, nearest, one_line
from verifier.network.blocks import BLOCKS
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Block
from verifier.run.structs import convert
from verifier.sigma.activations import Activation, activation

MAX_ACTIVATIONS: Final = 4000
"""Characters of all different activations together: each is analysed, which takes time."""
PLANE: Final = 2
"""Axes of a window whose size is one number, where nothing else says how many there are."""
_WINDOW: Final = ("kernel", "stride", "padding", "dilation")
"""What has a number per axis, which one number stands for."""
_UNIONS: Final = (types.UnionType, Union)

KINDS: Final[dict[str, tuple[type, int | None]]] = {
    "dense": (Dense, None),
    "conv1d": (Conv, 1),
    "conv2d": (Conv, 2),
    "avgpool": (AvgPool, None),
    **{kind: (block, None) for kind, block in BLOCKS.items()},
}
"""What makes a layer of each kind, and how many axes its windows have, where its name says so."""


def build_layers(tables: Sequence[Mapping[str, Any]]) -> tuple[Block, ...]:
    """Build layers and blocks from the tables of ``network.layers``.

    Parameters
    ----------
    tables : sequence of mapping
        For each layer its ``kind`` and the fields of what it makes (`verifier.Dense`, ...), as TOML holds them.

    Returns
    -------
    tuple of Block

    Raises
    ------
    CaseError, NetworkError, ExpressionError
        Naming the layer.
    """
    written = {value for table in tables for value in table.values() if isinstance(value, str)}
    length = sum(map(len, written))
    if length > MAX_ACTIVATIONS:
        raise CaseError(
            f"network.layers: {len(written)} different activations of {length} characters together, more than"
            f" {MAX_ACTIVATIONS}; use fewer or shorter ones"
        )
    return tuple(_block(dict(table), f"network.layers[{index}]") for index, table in enumerate(tables))


def _block(table: dict[str, Any], where: str) -> Block:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        shown = "missing" if kind is None else one_line(kind)
        raise CaseError(f"{where}: kind is {shown}; {nearest(str(kind), KINDS)}")
    made, axes = KINDS[kind]
    spec = convert(table, _struct(made), where)
    given = {name: getattr(spec, name) for name in _struct(made).__struct_fields__ if name != "kind"}
    given = {name: value for name, value in given.items() if value is not None}
    hints = get_type_hints(made)
    for name, value in given.items():
        if _holds(hints[name], Activation):
            given[name] = activation(str(value))
        elif name in _WINDOW and isinstance(value, int):
            kernel = given.get("kernel", ())
            given[name] = (value,) * (axes or (PLANE if isinstance(kernel, int) else len(kernel)))
    if axes is not None and len(given["kernel"]) != axes:
        raise CaseError(f"{where}: {kind} needs a kernel of {axes} numbers, got {list(given['kernel'])}")
    try:
        block: Block = made(**given)
    except NetworkError as error:
        raise NetworkError(f"{where}: {error}") from None
    return block


@cache
def _struct(made: type) -> type[msgspec.Struct]:
    """The table of a layer: its dataclass's fields, in types that TOML has; those with a default may be left out."""
    hints = get_type_hints(made)
    required: list[tuple[str, Any]] = [("kind", str)]
    optional: list[tuple[str, Any, None]] = []
    for field in dataclasses.fields(made):
        kind = in_toml(hints[field.name])
        kind = int | kind if field.name in _WINDOW else kind
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append((field.name, kind))
        else:
            optional.append((field.name, kind | None, None))
    return msgspec.defstruct(made.__name__, [*required, *optional], forbid_unknown_fields=True)


def in_toml(hint: Any) -> Any:
    """The type in which TOML holds a field: text for an activation, a number or a text for an exact number."""
    if hint is Activation or get_origin(hint) is Literal:
        return str
    if hint is float:
        return int | float
    if hint is Fraction:
        return int | float | str
    if get_origin(hint) is tuple:
        return list[in_toml(get_args(hint)[0])]  # type: ignore[misc]
    if get_origin(hint) in _UNIONS:
        first, *others = map(in_toml, get_args(hint))
        for other in others:
            first = first | other
        return first
    return hint


def _holds(hint: Any, wanted: type) -> bool:
    return hint is wanted or (get_origin(hint) in _UNIONS and wanted in get_args(hint))
