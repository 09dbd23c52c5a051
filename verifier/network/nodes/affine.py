"""Affine nodes: dense layers, convolutions, products along the last axis; and the windows that they slide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.nodes.base import MAX_ENTRIES, Node, Reads, T, fail, flat_places
from verifier.network.windows import Shape, positions_of, stacked, window_indices


@dataclass(frozen=True, slots=True)
class Window:
    """How a window slides, one number per spatial axis each; ``groups`` of channels see filters of their own."""

    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int = 1

    def fields(self) -> dict[str, Any]:
        """The window's numbers by name, as a certificate writes them."""
        numbers = {name: list(getattr(self, name)) for name in ("kernel", "stride", "padding", "dilation")}
        return numbers | {"groups": self.groups}

    def positions(self, shapes: Sequence[Shape], where: str) -> Shape:
        """At how many positions along each axis it fits; `NetworkError` if it does not."""
        return positions_of(shapes, self.kernel, self.stride, where, self.padding, self.dilation)

    def places(self, shape: Shape) -> Places:
        """What each position reads of an input ``(channels, *space)``, ``(positions, channels * prod(kernel))``."""
        return np.array(window_indices(shape, self.kernel, self.stride, self.padding, self.dilation), dtype=np.int64)


EVERYWHERE = Window((), (), (), ())
"""The window of an input without spatial axes."""


@dataclass(frozen=True, slots=True)
class Affine(Node):
    """Weights times what is read, plus biases: dense layers, convolutions, products along the last axis.

    ``reads`` are the sources, then the weights, then the biases if ``bias``. ``over`` says what a unit reads: "all"
    (every source, flattened, side by side), "last" (the last axis of one source, at every position), or a window over
    the sources, stacked along their channels.
    """

    kind: ClassVar[str] = "affine"
    arity: ClassVar[tuple[int, int]] = (2, 1 << 20)

    over: Window | Literal["all", "last"] = "all"
    bias: bool = True

    @property
    def sources(self) -> Reads:
        """The nodes whose values are multiplied by the weights."""
        return self.reads[: -2 if self.bias else -1]

    @property
    def weight(self) -> int:
        """The index of the node that holds the weights."""
        return self.reads[-2 if self.bias else -1]

    def geometry(self, shapes: Sequence[Shape]) -> Geometry:
        """How the sources are read, from the shapes of all that is read.

        Raises
        ------
        NetworkError
            Sources, window, weights and biases do not fit together.
        """
        cut = -2 if self.bias else -1
        sources, weight = list(shapes[:cut]), shapes[cut]
        if not sources:
            raise fail("affine", "it reads no source")
        if len(weight) < 2 and not (len(weight) == 1 and self.over == "all"):
            raise fail("affine", f"weights of shape {weight}; the first axis counts the units")
        filters, fan_in = weight[0], math.prod(weight[1:])
        if self.over == "all":
            found = Geometry(None, filters, 1, True, False, (filters,))
            read = sum(math.prod(shape) for shape in sources)
        elif self.over == "last":
            if len(sources) != 1 or not sources[0]:
                raise fail("affine", 'over = "last" reads one source with at least one axis')
            *lead, read = sources[0]
            positions = math.prod(lead)
            places = flat_places((1, positions, read))
            found = Geometry(places, filters, positions, False, False, (*lead, filters))
        else:
            return self._convolution(self.over, sources, weight, shapes)
        if read != fan_in:
            raise fail("affine", f"weights of shape {weight} for {read} values that a unit reads")
        self._check_bias(found, shapes)
        return found

    def _convolution(self, window: Window, sources: list[Shape], weight: Shape, shapes: Sequence[Shape]) -> Geometry:
        positions = window.positions(sources, "convolution")
        whole = stacked(sources)
        channels, filters, groups = whole[0], weight[0], window.groups
        if groups < 1 or channels % groups or filters % groups:
            raise fail("convolution", f"{groups} groups do not divide {channels} channels and {filters} filters")
        if weight[1:] != (channels // groups, *window.kernel):
            expected = (filters, channels // groups, *window.kernel)
            raise fail("convolution", f"weights of shape {weight}, expected {expected}")
        if math.prod(positions) * channels * math.prod(window.kernel) > MAX_ENTRIES:
            raise fail("convolution", f"the entries of all windows are more than {MAX_ENTRIES}; reduce them")
        places = window.places(whole).reshape(math.prod(positions), groups, -1).transpose(1, 0, 2)
        found = Geometry(places, filters, math.prod(positions), True, any(window.padding), (filters, *positions))
        self._check_bias(found, shapes)
        return found

    def _check_bias(self, found: Geometry, shapes: Sequence[Shape]) -> None:
        if self.bias and shapes[-1] not in ((found.filters,), found.shape):
            expected = f"({found.filters},) or {found.shape}"
            raise fail("affine", f"biases of shape {shapes[-1]}, expected {expected}")

    def shape(self, shapes: Sequence[Shape]) -> Shape:
        """``(units,)``, ``(filters, *positions)``, or the source's with another last axis."""
        return self.geometry(shapes).shape

    def compute(self, ops: Arithmetic[T], args: Sequence[T]) -> T:
        """One product of all windows with all weights."""
        geometry = self.geometry([ops.shape(value) for value in args])
        cut = -2 if self.bias else -1
        return ops.affine(geometry, list(args[:cut]), args[cut], args[-1] if self.bias else None)

    def fields(self) -> dict[str, Any]:
        """What a unit reads, and whether there are biases."""
        return {"over": self.over if isinstance(self.over, str) else self.over.fields(), "bias": self.bias}
