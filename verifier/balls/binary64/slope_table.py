r"""Ranges of an activation's derivative on intervals, looked up for whole arrays at once.

The line is cut into cells at 0 and at the binary64 numbers ``+-2^e (1 + f / 2^BITS)`` from `FINEST` to a largest one.
On each cell Arb encloses the derivative; tables of the least and largest numbers of 1, 2, 4, .. neighbouring cells then
answer for an interval with two look-ups each. The cells of an interval's ends follow from the bits of binary64 numbers
exactly, so nothing is rounded but Arb's balls, outwards.

A cell counts only where the activation's value is finite in Arb, too, and so are the values of all its parts: a
function is then made of functions that are Lipschitz there, and at almost every point of it the derivative exists and
is in the range, kinks of Max, Min and Abs included.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.activation import Kernel, tree_kernel
from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.bounds import TINY
from verifier.balls.exact import lower_float, upper_float
from verifier.balls.precision import working_precision
from verifier.errors import ExpressionError
from verifier.sigma.activations import Activation
from verifier.sigma.tree import tree_of

Array = NDArray[np.float64]

BITS = 6
"""Cells per octave: 2^6, so that a derivative is known to about a hundredth of its change over an octave."""
FINEST = -6
"""Exponent of the smallest magnitude at which cells begin to grow; below it there is one on either side of 0."""
LARGEST = 40
"""Exponent of the largest magnitude for which tables are made."""
MANTISSA = 52
"""Bits of a fraction in binary64; a shift by MANTISSA - BITS leaves the number of a cell."""
PRECISION = 64
"""Bits of Arb while a table is made; its ranges hold at any precision."""


@dataclass(frozen=True, slots=True)
class SlopeTable:
    """Least and largest derivatives of 2^level cells from each one on, ``(levels, cells)``; NaN where unknown."""

    half: int
    least: Array
    most: Array

    def ranges(self, low: Array, high: Array) -> tuple[Array, Array]:
        """The range of the derivative on intervals.

        Parameters
        ----------
        low, high : ndarrays of one shape
            The ends, ``low <= high``, of magnitudes within the table's cells.

        Returns
        -------
        (ndarray, ndarray)
            Guarantee: at almost every point of each interval the derivative exists and lies between the two numbers,
            and the function is Lipschitz there; NaN where this is not known.
        """
        first, last = self._cells(low), self._cells(high)
        level = _levels(2 * self.half)[last - first]
        start = level * (2 * self.half)
        left = start + first
        right = start + last + 1 - (1 << level)
        least, most = self.least.ravel(), self.most.ravel()
        return np.minimum(least[left], least[right]), np.maximum(most[left], most[right])

    def _cells(self, points: Array) -> NDArray[np.int64]:
        """The cell of each point; cells are closed, so either neighbour of a border will do."""
        shift = np.int64(MANTISSA - BITS)
        magnitude = np.abs(points).view(np.int64) >> shift
        magnitude -= _offset() - 1
        np.maximum(magnitude, 0, out=magnitude)
        return np.where(points < 0.0, self.half - 1 - magnitude, self.half + magnitude)


def _offset() -> int:
    """The leading bits of the magnitude at which cells begin to grow."""
    return int(np.float64(2.0**FINEST).view(np.int64)) >> (MANTISSA - BITS)


@lru_cache(maxsize=8)
def _levels(cells: int) -> NDArray[np.int64]:
    """For the difference of two cells' numbers the largest level whose 2^level cells fit in between, both included."""
    return np.array([(k + 1).bit_length() - 1 for k in range(cells)], dtype=np.int64)


@lru_cache(maxsize=64)
def slope_table(sigma: Activation, exponent: int) -> SlopeTable:
    """Make the table of an activation for magnitudes below ``2^exponent``.

    Parameters
    ----------
    sigma
        The activation.
    exponent
        From `FINEST` + 1 to `LARGEST`.

    Returns
    -------
    SlopeTable
        Guarantee: see `SlopeTable.ranges`.

    Raises
    ------
    NotEnclosed
        The exponent is too large, or the derivative is too large an expression.
    """
    if exponent > LARGEST:
        raise NotEnclosed(f"{sigma.name}: its arguments are too large for a table of its derivative")
    count = 1 + ((exponent - FINEST) << BITS)
    bits = np.arange(_offset(), _offset() + count, dtype=np.int64) << np.int64(MANTISSA - BITS)
    marks = [0.0, *bits.view(np.float64).tolist()]
    borders = [-mark for mark in reversed(marks)] + marks[1:]
    try:
        with working_precision(PRECISION):
            value, derivative = tree_kernel(tree_of(sigma.expression)), tree_kernel(sigma.derivative_tree)
            found = [_on_cell(value, derivative, a, b) for a, b in itertools.pairwise(borders)]
    except ExpressionError:
        raise NotEnclosed(f"the derivative of {sigma.name} is too large an expression") from None
    least, most = (np.array(side) for side in zip(*found, strict=True))
    levels = (2 * count).bit_length()
    tables = [_doubled(least, levels, np.minimum), _doubled(most, levels, np.maximum)]
    return SlopeTable(count, *tables)


def _on_cell(value: Kernel, derivative: Kernel, a: float, b: float) -> tuple[float, float]:
    """The least and the largest derivative on a cell."""
    cell = arb(a).union(arb(b))
    slope = derivative(cell)
    if not (slope.is_finite() and value(cell).is_finite()):
        return math.nan, math.nan
    return lower_float(slope) - TINY, upper_float(slope) + TINY  # no subnormal numbers


def _doubled(values: Array, levels: int, pick: np.ufunc) -> Array:
    """Level by level the pick of twice as many cells; what would begin too far right is not used."""
    rows = [values]
    for level in range(1, levels):
        before, step = rows[-1], 1 << (level - 1)
        ahead = np.append(before[step:], before[-min(step, len(before)) :])[: len(before)]
        rows.append(pick(before, ahead))
    return np.array(rows)


def table_for(sigma: Activation, largest: float) -> SlopeTable:
    """The table of an activation that covers a magnitude.

    Raises
    ------
    NotEnclosed
        As `slope_table`, or the magnitude is not finite.
    """
    if not math.isfinite(largest):
        raise NotEnclosed(f"{sigma.name}: its arguments overflow")
    return slope_table(sigma, max(FINEST + 2, math.frexp(largest)[1] + 1))
