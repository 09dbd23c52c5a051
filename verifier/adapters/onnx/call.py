"""One node of a model with what it reads, as the rules for operators see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.translation.values import Known, Refused, Tensor, Value

if TYPE_CHECKING:
    from verifier.adapters.onnx.one_sample import OneSample
    from verifier.adapters.translation.translation import Translation

    Translator: TypeAlias = Translation | OneSample


@dataclass(frozen=True, slots=True)
class Comparison:
    """``a > b`` (or ``a >= b``), entry by entry, where that depends on the data; only Where may read it."""

    a: Value
    b: Value


Held: TypeAlias = NDArray[Any] | Tensor | Comparison
"""What a name stands for: numbers in the model's own type, a tensor of the network, a comparison."""


@dataclass(frozen=True, slots=True)
class Call:
    """A node of the ONNX graph whose inputs have been computed.

    Parameters
    ----------
    kind : str
        The operator.
    opset : int
        The version of ai.onnx that the model uses.
    inputs : tuple of Held or None
        None for an input that is left out.
    names : tuple of str
        What the model calls them.
    attributes : dict of str to object
        As Python has them.
    outputs : tuple of str
        Names, empty for those that are left out.
    translation : Translation
        What adds nodes.
    read : frozenset of str
        The names that any node, or the model's output, reads.
    """

    kind: str
    opset: int
    inputs: tuple[Held | None, ...]
    names: tuple[str, ...]
    attributes: dict[str, Any]
    outputs: tuple[str, ...]
    translation: Translator
    read: frozenset[str]

    def has(self, place: int) -> bool:
        """Whether an input is given."""
        return place < len(self.inputs) and self.inputs[place] is not None

    def value(self, place: int) -> Value:
        """An input, as the translation takes it.

        Raises
        ------
        Refused
            It is missing.
        """
        found = self.inputs[place] if place < len(self.inputs) else None
        if found is None:
            raise Refused(f"its input {place} is missing; export the model anew")
        return as_value(found, self.names[place])

    def optional(self, place: int) -> Value | None:
        """An input, or None if it is left out."""
        return self.value(place) if self.has(place) else None

    def values(self) -> list[Value]:
        """The values of all inputs of the call, in its order."""
        return [self.value(place) for place in range(len(self.inputs))]

    def known(self, place: int, what: str) -> NDArray[Any]:
        """An input that must be numbers known now.

        Raises
        ------
        Refused
            It depends on the data or on trained parameters.
        """
        found = self.inputs[place] if place < len(self.inputs) else None
        if not isinstance(found, np.ndarray):
            raise Refused(f"its {what} depends on the data or on trained weights; it must be fixed numbers")
        return found

    def integers(self, name: str, place: int) -> tuple[int, ...] | None:
        """Whole numbers from an attribute, or from an input in later versions; None if neither is given."""
        if name in self.attributes:
            given = self.attributes[name]
            return (int(given),) if isinstance(given, int) else tuple(int(entry) for entry in given)
        if not self.has(place):
            return None
        return tuple(int(entry) for entry in np.ravel(self.known(place, name)))

    def number(self, name: str, default: float) -> Fraction:
        """An attribute that is a number, exactly as stored.

        Raises
        ------
        Refused
            It is not finite.
        """
        found = float(self.attributes.get(name, default))
        if not np.isfinite(found):
            raise Refused(f"its {name} = {found} is not finite; use a finite one")
        return Fraction(found)

    def flag(self, name: str, default: int = 0) -> bool:
        """An attribute that is 0 or 1."""
        return bool(self.attributes.get(name, default))

    def text(self, name: str, default: str) -> str:
        """An attribute that is a text."""
        found = self.attributes.get(name, default)
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)

    def wanted(self, place: int) -> bool:
        """Whether anything reads an output."""
        return place < len(self.outputs) and self.outputs[place] in self.read

    def only(self, count: int = 1) -> None:
        """Refuse outputs beyond the first ones.

        Raises
        ------
        Refused
            One of them is read.
        """
        if any(self.wanted(place) for place in range(count, len(self.outputs))):
            raise Refused(f"its output {count} is read, which is not stated here; use its first output alone")


Result: TypeAlias = Value | Comparison
Rule: TypeAlias = Callable[[Call], Result | Sequence[Result | None]]
"""How an operator is translated: its output, or its outputs."""


def as_value(held: Held, name: str = "") -> Value:
    """Numbers as the translation takes them, under their name: float64, int64 or bool, all exact.

    Raises
    ------
    Refused
        Whole numbers beyond int64.
    """
    if isinstance(held, Tensor):
        return held
    if isinstance(held, Comparison):
        raise Refused("it reads a comparison of values that depend on the data or on trained weights; only Where may")
    if held.dtype.kind == "b":
        return Known(held, name)
    if held.dtype.kind in "iu":
        if held.size and int(held.max()) > np.iinfo(np.int64).max:
            raise Refused("a whole number beyond int64 occurs; use int64")
        return Known(held.astype(np.int64), name)
    return Known(held.astype(np.float64), name)


def shape_of(value: Value) -> tuple[int, ...]:
    """The shape in the model, the samples included."""
    return tuple(value.array.shape) if isinstance(value, Known) else value.shape


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises
    ------
    Refused
        There is no such axis.
    """
    if not -rank <= axis < rank:
        raise Refused(f"axis {axis} of a tensor with {rank} axes")
    return axis % rank


def exact_text(number: Fraction | float | int) -> str:
    """An exact number in the grammar of activations."""
    found = Fraction(number)
    return f"({found.numerator}/{found.denominator})" if found.denominator != 1 else f"({found.numerator})"
