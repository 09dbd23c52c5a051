"""The table of handlers by operator, and what a handler is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np

from verifier.adapters.translation.translation import Translation
from verifier.adapters.translation.values import Known, Refused, Value
from verifier.network.windows import Shape

Handler = TypeVar("Handler", bound=Callable[..., Any])

OPERATORS: Final[dict[str, Callable[..., Any]]] = {}
"""By name, with an overload (``"add.Tensor"``) or for all overloads (``"add"``)."""
METADATA: Final = frozenset(
    "zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty sym_size sym_numel size".split()
)
"""Operators that read only the shape and the type of a tensor."""
DOUBLE: Final[dict[str, Callable[..., Any]]] = {}
"""What stands for an operator in float64 where PyTorch's own is another function than the exact one."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is known at an operator: its result's shape and type, and the translation.

    Parameters
    ----------
    to : Translation
        The network in the making.
    node : torch.fx.Node
        The operator in the graph.
    inputs : tuple
        The arguments, in float64.
    result : torch.Tensor, or several
        The result by PyTorch, in float64.
    """

    to: Translation
    node: Any
    inputs: tuple[Any, ...]
    result: Any

    @property
    def shape(self) -> Shape:
        """The shape of the result, samples included."""
        return tuple(self.result.shape)

    @property
    def kind(self) -> str:
        """The type of the result in the module: ``"float32"``."""
        return self.kind_of(self.node)

    def kind_of(self, node: Any) -> str:
        """The type of a node's value in the module; an empty text for what is no tensor."""
        dtype = getattr(getattr(node, "meta", {}).get("val"), "dtype", "")
        return str(dtype).removeprefix("torch.")


def operator(*names: str) -> Callable[[Handler], Handler]:
    """Enter a handler into the table under names."""

    def enter(handler: Handler) -> Handler:
        for name in names:
            OPERATORS[name] = handler
        return handler

    return enter


def number(value: Any) -> Value:
    """A Python number as a value; a value as it is.

    Raises
    ------
    Refused
        It is no finite number.
    """
    if isinstance(value, bool | int | float):
        found = np.asarray(value)
        if found.dtype.kind == "i":
            return Known(found.astype(np.int64))
        if found.dtype.kind not in "fb":
            raise Refused(f"the number {value} has no binary64; use one below 2**53")
        return Known(found)
    if not hasattr(value, "shape") and not isinstance(value, Known):
        raise Refused(f"reads {value!r}, which is no tensor and no number")
    found_value: Value = value
    return found_value


def shape_of(value: Any) -> Shape:
    """The shape of a value, samples included."""
    return tuple(value.array.shape) if isinstance(value, Known) else tuple(value.shape)


def positive(axis: int, axes: int) -> int:
    """An axis counted from the front."""
    return axis % max(axes, 1)


def per_axis(value: Any, axes: int) -> Shape:
    """A number, or one for each axis, as a tuple."""
    entries = tuple(value) if isinstance(value, list | tuple) else (value,)
    return entries * axes if len(entries) == 1 else entries
