"""The samples in the order of one direction, and what a chain of increasing units makes of their order."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.activation import arb_kernel
from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import Dyadic
from verifier.data.samples import SampleSource
from verifier.network.units import DenseUnits
from verifier.rank.witness_columns import IntArray

DIRECTIONS = 6
"""Directions that are tried; each has DIRECTION_STEP more bits."""


DIRECTION_STEP, MAX_DIRECTION_BITS = 6, 40
"""Bits that each further direction adds, and the most that one has, less where more than 64 terms are summed."""


BIAS_BITS = 12
"""Biases of the chain are multiples of 2^-12."""


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A unit of the chain: ``sigma(weight * source + bias)``, the source being ``<a, x>`` or the link before.

    ``node`` is the output of its layer.
    """

    node: int
    unit: int
    weight: Dyadic
    bias: Dyadic


def bits_that_show(ordered: OrderedSamples) -> int:
    """A precision (64, 128, ...) at which balls tell the samples' neighbours apart, where this proof used integers."""
    sizes = [abs(int(ordered.numbers[end])).bit_length() for end in (0, -1)]
    spread = max(sizes) - (int(np.diff(ordered.numbers).min()).bit_length() if ordered.numbers.size > 1 else 0)
    return FIRST_BITS << max(0, math.ceil(math.log2(max(spread + 40, 1) / FIRST_BITS)))


@dataclass(frozen=True, slots=True, eq=False)
class OrderedSamples:
    """Sorted distinct ``z = numbers * 2^exponent``: int64 below 2^60, or Python integers."""

    direction: IntArray
    numbers: NDArray[Any]
    exponent: int


def order_samples(source: SampleSource, seed: int) -> OrderedSamples | tuple[int, int] | None:
    """Find an integer direction in which the samples are distinct; or two equal samples; or None.

    Random directions with B bits make two given samples collide with probability at most 2^-B; the number of pairs is
    below N^2, and the samples' own bits help.
    """
    rng = np.random.default_rng(seed)
    wanted = 2 * source.samples.bit_length() + 3 - source.extent[1]
    start = max(4, wanted)
    most = MAX_DIRECTION_BITS - max(0, source.dimension.bit_length() - 6)
    for attempt in range(DIRECTIONS):
        half = 1 << min(start + attempt * DIRECTION_STEP, most)
        direction = rng.integers(1 - half, half, source.dimension, dtype=np.int64)
        numbers, exponent = source.project(direction)
        order = np.argsort(numbers, kind="stable")
        numbers = numbers[order]
        close = np.flatnonzero(numbers[1:] == numbers[:-1])
        if close.size == 0:
            return OrderedSamples(direction, numbers, exponent)
        for k in close[:200].tolist():
            first, second = sorted((int(order[k]), int(order[k + 1])))
            if source.row(first) == source.row(second):
                return first, second
    return None


@dataclass(frozen=True, slots=True, eq=False)
class AscendingValues:
    """Ascending numbers, one per sample: exact ones (``numbers * 2^exponent``), or balls."""

    numbers: NDArray[Any] | None = None
    exponent: int = 0
    balls: tuple[arb, ...] = ()

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.balls) if self.numbers is None else int(self.numbers.size)

    def ball(self, position: int) -> arb:
        """Enclose the value at a position."""
        if self.numbers is None:
            return self.balls[position]
        return arb((int(self.numbers[position]), self.exponent))

    def gap(self) -> arb:
        """Enclose the smallest difference of neighbours; 1 for one sample."""
        if self.numbers is not None:
            steps = self.numbers[1:] - self.numbers[:-1]
            return arb((int(steps.min()), self.exponent)) if steps.size else arb(1)
        steps_ = [b - a for a, b in zip(self.balls, self.balls[1:], strict=False)]
        return functools.reduce(arb.min, steps_) if steps_ else arb(1)


def follow_link(layer: DenseUnits, unit: int, values: AscendingValues) -> tuple[Link, list[arb]]:
    """Map the values into about [1/4, 3/4], where nearly every activation increases, and through the activation.

    Guarantee: the balls contain the exact values of the link.

    Parameters
    ----------
    layer : DenseUnits
        The layer of the chain's next unit.
    unit : int
        The unit.
    values : AscendingValues
        What it reads, N values in ascending order.

    Returns
    -------
    (Link, list of arb)
        Weight and bias of the unit, and its N values.
    """
    low, high = values.ball(0), values.ball(values.count - 1)
    weight = Dyadic(1, -power_above((high - low).mid() * 2) if values.count > 1 else 0)
    middle = (arb(1) / 2 - (low + high) / 2 * weight.arb()).mid()
    bias = Dyadic(int((middle * 2**BIAS_BITS).mid().floor().mid().unique_fmpz()), -BIAS_BITS)
    kernel, w, b = arb_kernel(layer.activation), weight.arb(), bias.arb()
    return Link(layer.node, unit, weight, bias), [kernel(values.ball(i) * w + b) for i in range(values.count)]


def power_above(value: arb) -> int:
    """Return the smallest k with ``2^k >= value``, or one more; value exact and positive."""
    mantissa, exponent = value.man_exp()
    return int(mantissa).bit_length() + int(exponent)
