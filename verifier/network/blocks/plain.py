"""Blocks that combine, move or scale: sums, products, activations, linear maps, reshaping, pooling."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

from verifier.errors import NetworkError
from verifier.network import nodes as kinds
from verifier.network.blocks.base import Wired
from verifier.network.builder import Builder
from verifier.network.layer_arguments import numbers_per_axis, whole_number
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

MANY = (2, 1 << 20)
"""From two on; the upper end is no limit in practice."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Add(Wired):
    """The sum of several blocks, with broadcasting: a residual arc is ``Add(inputs=(a, b))``.

    Examples
    --------
    >>> from verifier import Add, Dense, Network
    >>> Network(2, [Dense(2, "tanh"), Dense(2, "tanh"), Add(inputs=(0, 1), skip=True)]).columns
    2
    """

    kind: ClassVar[str] = "add"
    sources: ClassVar[tuple[int, int]] = MANY
    repeats: ClassVar[bool] = True

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one node, the sum of its sources, and return its index."""
        return build.add(kinds.Add(sources))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Multiply(Wired):
    """The product of several blocks entry by entry, with broadcasting: gates.

    Examples
    --------
    >>> from verifier import Dense, Multiply, Network
    >>> Network(2, [Dense(2, "tanh"), Dense(2, "silu"), Multiply(inputs=(0, 1), skip=True)]).columns
    2
    """

    kind: ClassVar[str] = "multiply"
    sources: ClassVar[tuple[int, int]] = MANY
    repeats: ClassVar[bool] = True

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one node, the product of its sources, and return its index."""
        return build.add(kinds.Multiply(sources))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Gate(Wired):
    """``(1 - z) a + z b`` of the three blocks z, a, b.

    Examples
    --------
    >>> from verifier import Dense, Gate, Network
    >>> Network(3, [Dense(3, "sigmoid"), Dense(3, "tanh"), Gate(inputs=(0, 1, "input"), skip=True)]).columns
    3
    """

    kind: ClassVar[str] = "gate"
    sources: ClassVar[tuple[int, int]] = (3, 3)
    repeats: ClassVar[bool] = True

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one node, `gate`, and return its index."""
        return build.add(kinds.Gate(sources))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Concatenate(Wired):
    """Blocks one after the other along an axis.

    Examples
    --------
    >>> from verifier import Concatenate, Dense, Network
    >>> Network(2, [Dense(2, "tanh"), Concatenate(inputs=("input", 0), skip=True)]).columns
    4
    """

    kind: ClassVar[str] = "concatenate"
    sources: ClassVar[tuple[int, int]] = (1, 1 << 20)

    axis: int = 0

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one node, its sources one behind the other, and return its index."""
        return build.add(kinds.Concatenate(sources, self.axis))


@dataclass(frozen=True, slots=True, repr=False)
class Activate(Wired):
    """An activation by itself, after a sum or a normalisation.

    Examples
    --------
    >>> from verifier import Activate
    >>> Activate("gelu")
    Activate(activation='gelu')
    """

    kind: ClassVar[str] = "activation"

    activation: Activation | str = "tanh"

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one node, the activation of its source, and return its index."""
        return build.map(sources[0], self._sigma(self.activation))


@dataclass(frozen=True, slots=True, repr=False)
class Linear(Wired):
    """Weights and biases without an activation, or with one: over the last axis at every position, or over all.

    Parameters
    ----------
    width : int
        The number of units of each position.
    activation : Activation or str, optional
        None: none.
    over : "last" or "all", optional
        What a unit reads: the last axis at its position (weights shared by all positions), or everything.
    bias : bool, optional
        Whether there are biases ``(width,)``.

    Examples
    --------
    >>> from verifier import Linear, Network
    >>> Network((4, 3), [Linear(5, "tanh", skip=True)]).columns
    20
    """

    kind: ClassVar[str] = "linear"
    sources: ClassVar[tuple[int, int]] = (1, 1 << 20)

    width: int = 1
    activation: Activation | str | None = None
    over: Literal["last", "all"] = "last"
    bias: bool = True

    def __post_init__(self) -> None:
        """Take activations by name, and check `over`."""
        Wired.__post_init__(self)
        if self.over not in ("last", "all"):
            raise NetworkError(f"Linear: over = {self.over!r} must be 'last' or 'all'")

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add an affine node, and a map if there is an activation."""
        out = build.affine(sources, self.width, name, over=self.over, bias="tied" if self.bias else None)
        return out if self.activation is None else build.map(out, self._sigma(self.activation))


@dataclass(frozen=True, slots=True, repr=False)
class Scale(Wired):
    """An exact rational multiple: ``Scale("1/255")``.

    Examples
    --------
    >>> from verifier import Scale
    >>> Scale("1/255").factor
    Fraction(1, 255)
    """

    kind: ClassVar[str] = "scale"

    factor: Fraction | str | float = Fraction(1)

    def __post_init__(self) -> None:
        """Take the factor as an exact fraction."""
        Wired.__post_init__(self)
        try:
            self._set(factor=Fraction(self.factor))
        except (TypeError, ValueError, ZeroDivisionError, OverflowError):
            raise NetworkError(
                f'Scale: factor = {self.factor!r} must be a number, or a fraction such as "1/255"'
            ) from None
        if self.factor == 0:
            raise NetworkError("Scale: factor = 0 makes everything zero; leave the block out")

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one node, the multiple of its source, and return its index."""
        return build.add(kinds.Scale(sources, Fraction(self.factor)))


@dataclass(frozen=True, slots=True, repr=False)
class Flatten(Wired):
    """All entries on one axis.

    Examples
    --------
    >>> from verifier import Flatten, Network
    >>> Network((4, 3), [Flatten(skip=True)]).columns
    12
    """

    kind: ClassVar[str] = "flatten"

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one node, its source in another shape, and return its index."""
        return build.add(kinds.Reshape(sources, (math.prod(build.shapes[sources[0]]),)))


@dataclass(frozen=True, slots=True, repr=False)
class Reshape(Wired):
    """The same entries in another shape, in C order.

    Examples
    --------
    >>> from verifier import Network, Reshape
    >>> Network((4, 3), [Reshape((2, 6), skip=True)]).node_shapes
    ((4, 3), (2, 6))
    """

    kind: ClassVar[str] = "reshape"

    shape: Shape = ()

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one node, its source in another shape, and return its index."""
        return build.add(kinds.Reshape(sources, self.shape))


@dataclass(frozen=True, slots=True, repr=False)
class Permute(Wired):
    """The axes in another order.

    Examples
    --------
    >>> from verifier import Network, Permute
    >>> Network((4, 3), [Permute((1, 0), skip=True)]).node_shapes
    ((4, 3), (3, 4))
    """

    kind: ClassVar[str] = "permute"

    axes: Shape = ()

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one node, its source with the axes in another order, and return its index."""
        return build.add(kinds.Permute(sources, self.axes))


@dataclass(frozen=True, slots=True, repr=False)
class Select(Wired):
    """Entries along an axis, by index: the first token is ``Select(0)``; the axis stays.

    Examples
    --------
    >>> from verifier import Network, Select
    >>> Network((4, 3), [Select(0, skip=True)]).node_shapes
    ((4, 3), (1, 3))
    """

    kind: ClassVar[str] = "select"

    entries: tuple[int, ...] | int = (0,)
    axis: int = 0

    def __post_init__(self) -> None:
        """Take lists for tuples, and one index for itself."""
        Wired.__post_init__(self)
        if isinstance(self.entries, str) or not isinstance(self.entries, Iterable):
            self._set(entries=(whole_number(self.entries, "Select: entries"),))
        self._set(entries=numbers_per_axis(self.entries, "Select: entries"))
        self._set(axis=whole_number(self.axis, "Select: axis"))

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one node, entries of its source along an axis, and return its index."""
        return build.add(kinds.Take(sources, self.axis, tuple(self.entries)))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, repr=False)
class MaxPool(Wired):
    """The maximum over windows, per channel; the padding's places are left out. Not analytic.

    Parameters
    ----------
    kernel : int or sequence of int
        The window's size along each axis; one number stands for all axes.
    stride, padding, dilation : int or sequence of int, optional
        By default the kernel, 0 and 1.

    Examples
    --------
    >>> from verifier import MaxPool, Network
    >>> Network((1, 4, 4), [MaxPool(2, skip=True)]).columns
    4
    """

    kind: ClassVar[str] = "maxpool"
    how: ClassVar[Literal["mean", "max"]] = "max"

    kernel: Shape | int = ()
    stride: Shape | int = ()
    padding: Shape | int = ()
    dilation: Shape | int = ()

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """One node; one number stands for all axes."""
        axes = max(1, len(build.shapes[sources[0]]) - 1)
        given: Any = (self.kernel, self.stride or self.kernel, self.padding or (0,), self.dilation or (1,))
        window = kinds.Window(*(numbers * axes if len(numbers) == 1 else numbers for numbers in given))
        return build.add(kinds.Pool(sources, self.how, window))


@dataclass(frozen=True, slots=True, repr=False)
class MeanPool(MaxPool):
    """The mean over windows, per channel, with padding (its zeros count) and dilation; `AvgPool` has neither.

    Examples
    --------
    >>> from verifier import MeanPool, Network
    >>> Network((1, 4, 4), [MeanPool((2, 2), padding=(1, 1), skip=True)]).columns
    9
    """

    kind: ClassVar[str] = "meanpool"
    how: ClassVar[Literal["mean", "max"]] = "mean"


@dataclass(frozen=True, slots=True, repr=False)
class GlobalPool(Wired):
    """Mean or maximum over all positions: of ``(channels, *space)``, or of ``(tokens, channels)`` over the tokens.

    Parameters
    ----------
    how : "mean" or "max", optional
        What is taken.
    over : "space" or "tokens", optional
        All axes but the first, or the first.

    Examples
    --------
    >>> from verifier import GlobalPool, Network
    >>> Network((4, 3), [GlobalPool(over="tokens", skip=True)]).columns
    3
    """

    kind: ClassVar[str] = "globalpool"

    how: Literal["mean", "max", "sum"] = "mean"
    over: Literal["space", "tokens"] = "space"

    def __post_init__(self) -> None:
        """Refuse values of ``how`` and ``over`` that are not known."""
        Wired.__post_init__(self)
        if self.how not in ("mean", "max", "sum") or self.over not in ("space", "tokens"):
            raise NetworkError(
                f"GlobalPool: how = {self.how!r} must be mean, max or sum, over = {self.over!r} space or tokens"
            )

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add a reduction, over tokens after a permutation."""
        axes = len(build.shapes[sources[0]]) - 1
        if axes < 1:
            raise NetworkError(f"globalpool reads channels and positions, got shape {build.shapes[sources[0]]}")
        if self.over == "space":
            return build.add(kinds.Reduce(sources, self.how, axes))
        turned = build.add(kinds.Permute(sources, (*range(1, axes + 1), 0)))
        return build.add(kinds.Reduce((turned,), self.how, 1))
