"""The base of blocks: what layers beyond dense ones, convolutions and averages have in common.

A block is sugar: it expands into nodes (`expand`) and computes nothing itself. Its fields are the keys of a table of
``network.layers`` in a case file. Blocks of one ``name`` share their parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from typing import Any, ClassVar, SupportsIndex, get_args, get_type_hints

import numpy as np

from verifier.errors import NetworkError, one_line
from verifier.network.builder import Builder
from verifier.network.layer_arguments import (
    Skip,
    Source,
    inputs_of,
    name_of,
    numbers_per_axis,
    positive_number,
    sigma_of,
    skip_of,
)
from verifier.network.nodes.base import fail
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

EPSILON = Fraction(1e-5)
"""The exact value of the binary64 number 1e-5, the usual epsilon of normalisations."""

WINDOW = ("kernel", "stride", "padding", "dilation")
"""Fields that have a number per axis; where an integer is allowed, one number stands for all axes."""


@cache
def _hints(block: type[Wired]) -> dict[str, Any]:
    """The types of the fields."""
    hints = get_type_hints(block)
    return {entry.name: hints[entry.name] for entry in fields(block)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """What every block has beside its sizes.

    Parameters
    ----------
    skip : bool or sequence of int, optional
        The units that are connected to the outputs: all, none, or these.
    inputs : sequence, optional
        What the block reads, by index, or ``"input"``; by default the block before it.
    name : str, optional
        The name of its parameters, by default ``layerN``; blocks of one name share them.
    """

    kind: ClassVar[str] = ""
    sources: ClassVar[tuple[int, int]] = (1, 1)
    """The least and the largest number of blocks that are read."""
    repeats: ClassVar[bool] = False
    """Whether one block may be read several times: the square of x is ``Multiply(inputs=(0, 0))``."""

    skip: Skip = False
    inputs: tuple[Source, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        """Take lists for tuples, names for activations, exact numbers; refuse what is of another kind.

        Integers are at least 1, but for the number of an axis.
        """
        made: Any = type(self)
        title = made.__name__
        self._set(skip=skip_of(self.skip, title), inputs=inputs_of(self.inputs, title), name=name_of(self.name, title))
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(entry.default, bool) and entry.name != "skip" and not isinstance(value, bool | np.bool_):
                raise NetworkError(f"{title}: {entry.name} = {one_line(value)} must be True or False")
        for name, hint in _hints(made).items():
            value, what = getattr(self, name), f"{title}: {name}"
            if (hint is int and name != "axis") or (hint == int | None and value is not None):
                self._set(**{name: positive_number(value, what)})
            elif hint == Shape or name in WINDOW:
                one = hint != Shape and isinstance(value, SupportsIndex) and not isinstance(value, bool)
                self._set(**{name: numbers_per_axis((value,) if one else value, what)})
            elif Activation in get_args(hint) and not (value is None and type(None) in get_args(hint)):
                self._set(**{name: self._sigma(value)})
            elif name == "epsilon":
                self._epsilon()

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _sigma(self, given: object) -> Activation:
        return sigma_of(given, type(self).__name__)

    def _epsilon(self) -> None:
        """Take the exact value of the field epsilon."""
        given = self.epsilon  # type: ignore[attr-defined]  # only blocks with an epsilon ask
        try:
            found = Fraction(given)
        except (TypeError, ValueError, OverflowError):
            raise fail(type(self).__name__, f"epsilon = {given!r} must be a number") from None
        if found < 0:
            raise fail(type(self).__name__, f"epsilon = {given!r} must not be negative")
        self._set(epsilon=found)

    def __repr__(self) -> str:
        """The call that makes the block, without what is the default."""
        shown = []
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value != entry.default:
                value = value.name if isinstance(value, Activation) else value
                value = float(value) if isinstance(value, Fraction) else value
                shown.append(f"{entry.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def expand(self, build: Builder, sources: Sequence[int], name: str) -> int:
        """Add the block's nodes to a graph.

        Parameters
        ----------
        build : Builder
            The graph in the making.
        sources : sequence of int
            The nodes that are read.
        name : str
            The name of the block's parameters.

        Returns
        -------
        int
            The node that is the block's output.

        Raises
        ------
        NetworkError
            Shapes do not fit.
        """
        least, most = self.sources
        if not least <= len(sources) <= most:
            wanted = f"{least}" if least == most else f"at least {least}"
            raise NetworkError(f"{self.kind} reads {wanted} earlier blocks, got {len(sources)}")
        return self.nodes(build, tuple(sources), name)

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add the nodes and return the index of the output."""
        raise NotImplementedError


def tokens_of(build: Builder, node: int, kind: str) -> tuple[int, int]:
    """The tokens and channels of a node of shape ``(tokens, channels)``."""
    shape: Shape = build.shapes[node]
    if len(shape) != 2:
        raise fail(kind, f"it reads tokens, shape (tokens, channels), got {shape}")
    return shape[0], shape[1]
