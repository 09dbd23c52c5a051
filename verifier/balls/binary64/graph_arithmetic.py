r"""The binary64 engine: what each operation on values does to midpoints and to the bounds of their errors.

Midpoints are computed by `Numbers`, u its unit: ``fl(a op b)`` is off by at most ``u |fl(a op b)| (1 + 2u)``, a sum of
k terms by its slack, in binary64 ``gamma_k``, of the sum of magnitudes, and underflow by less than `TINY`. Magnitudes
are those of heads, within 2^-53 of the midpoints' (one more rounding, which every call of `upper` has room for). Every
computed bound becomes an upper bound by `upper`. What is not finite anywhere is not enclosed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64 import contraction, fused, moved, windows
from verifier.balls.binary64.backend import Array, Backend, NotEnclosed
from verifier.balls.binary64.bounds import SMALLEST_NORMAL, TINY, U, inflation, upper
from verifier.balls.binary64.elementary import LogarithmRefused
from verifier.balls.binary64.enclosed import (
    Axes,
    Enclosed,
    aligned,
    bound_of_norm,
    feature_axes,
    largest_over,
    over_rows,
    spread,
    two_norm,
)
from verifier.balls.binary64.float_functions import Unsupported
from verifier.balls.binary64.numbers import Number, Numbers
from verifier.balls.binary64.products import Products
from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

Bound = Array | float
Rule = Callable[..., Bound]

FACTORS = (Fraction(1, 2**900), Fraction(2**900))
"""Exact factors outside are left to Arb."""


@dataclass
class Shared:
    """What the passes over all blocks of samples have in common: the platform, its record, numbers on the device.

    ``spectral`` holds bounds of ``||W||_2`` by the identity of W, which is kept with them, group, and sharpness.
    """

    backend: Backend
    record: Products
    parameters: Mapping[str, NDArray[np.float64]]
    kept: dict[str, Enclosed] = field(default_factory=dict)
    constants: dict[int, tuple[NDArray[np.float64], Enclosed]] = field(default_factory=dict)
    spectral: dict[tuple[int, int, bool], tuple[Array, float]] = field(default_factory=dict)


class FloatBalls(Arithmetic[Enclosed]):
    """Enclosures in binary64 of all nodes' values on some samples.

    Guarantee: if the midpoints and bounds of what an operation reads enclose exact values, those of its result enclose
    the exact result; an operation that returns has finite midpoints and bounds, but that `affine` leaves it to whoever
    reads its midpoints to see that they are finite.

    Parameters
    ----------
    shared : Shared
        Platform and parameters.
    inputs : (n, d) float64
        The samples, exact.
    overwrite : bool, optional
        Whether nobody but `map` needs what it reads, so that it may write there.

    Raises
    ------
    NotEnclosed
        From the operations: a number is subnormal or overflows, a token is no row, an activation has no kernel here.
    """

    arithmetic: type[Numbers] = Numbers
    """How midpoints are computed."""

    def __init__(self, shared: Shared, inputs: NDArray[np.float64], overwrite: bool = False) -> None:
        """Keep what all blocks have in common, and this block's samples."""
        self.shared, self.inputs, self.overwrite = shared, inputs, overwrite
        self.backend, self.xp, self.record = shared.backend, shared.backend.xp, shared.record
        self.numbers = self.arithmetic(shared.backend, shared.record)

    def shape(self, value: Enclosed) -> Shape:
        """The shape of one sample's value, without the samples' axis."""
        return value.shape

    def input(self, shape: Shape) -> Enclosed:
        """The samples; what is below binary64's normal numbers becomes 0."""
        return self._given(self.inputs.reshape(len(self.inputs), *shape))

    def parameter(self, name: str, shape: Shape) -> Enclosed:
        """A part of U, one row; refused if it holds a subnormal number."""
        if name not in self.shared.kept:
            value = self.shared.parameters[name]
            if bool(((np.abs(value) < SMALLEST_NORMAL) & (value != 0.0)).any()):
                raise NotEnclosed(f"{name} holds subnormal numbers")
            self.shared.kept[name] = Enclosed(self.numbers.given(value.reshape(1, *shape)))
        return self.shared.kept[name]

    def constant(self, values: NDArray[np.float64]) -> Enclosed:
        """Fixed numbers, one row; what is below binary64's normal numbers becomes 0."""
        known = self.shared.constants.get(id(values))
        if known is None or known[0] is not values:
            known = self.shared.constants[id(values)] = values, self._given(values[None])
        return known[1]

    def _given(self, values: NDArray[np.float64]) -> Enclosed:
        tiny = np.abs(values) < SMALLEST_NORMAL
        if not bool((tiny & (values != 0.0)).any()):
            return Enclosed(self.numbers.given(values))
        lost = self.backend.asarray(np.full((1,) * values.ndim, SMALLEST_NORMAL))
        return Enclosed(self.numbers.given(np.where(tiny, 0.0, values)), lost)

    def made(
        self, mid: Number, each: Bound | None, norm: Bound | None = None, axes: Axes = (), *, look: bool = True
    ) -> Enclosed:
        """A result, if its bounds and, if ``look``, its midpoints are finite."""
        xp, shape = self.xp, tuple(int(n) for n in mid.shape[1:])
        if isinstance(each, float):
            each = xp.full((1,) * (len(shape) + 1), each, dtype=xp.float64)
        if norm is not None:
            norm = spread(xp, norm, shape, axes)
        finite = not (look or self.numbers.checked) or self.numbers.all_finite(mid)
        if not (finite and all(part is None or self.backend.all_finite(part) for part in (each, norm))):
            raise NotEnclosed("a value or its radius overflows binary64")
        return Enclosed(mid, each, norm)

    def affine(
        self, geometry: Geometry, sources: Sequence[Enclosed], weight: Enclosed, bias: Enclosed | None
    ) -> Enclosed:
        """Weights times what each unit reads, and the biases; the bounds of errors are those of `windows`."""
        return windows.affine(self, geometry, sources, weight, bias)

    def map(self, x: Enclosed, sigma: Activation) -> Enclosed:
        """The kernel's values; errors grow by the Lipschitz constant L on the range of all entries, plus the kernel's.

        Guarantee: ``|sigma(x) - kernel(mid)| <= L |x - mid| + e`` (`kernel_bounds`), so each bound becomes ``L bound +
        e``, a norm over k entries ``L norm + e sqrt(k)``.
        """
        xp, head = self.xp, self.numbers.head(x.mid)
        low, high = float(xp.min(head)), float(xp.max(head))
        most = min([float(xp.max(bound)) for bound in (x.each, x.norm) if bound is not None], default=0.0)
        if not (-1e300 < low <= high < 1e300 and most < 1e300):
            raise NotEnclosed("a pre-activation overflows binary64")
        room = most * inflation(4) + 1e-300
        try:
            ends = (low - room) - abs(low) * 1e-15, (high + room) + abs(high) * 1e-15
            slope, error = self.numbers.kernel_bounds(sigma, *ends)
            mid = self.numbers.kernel(sigma, x.mid, overwrite=self.overwrite)
        except (Unsupported, LogarithmRefused) as refused:
            raise NotEnclosed(f"{sigma.name}: {refused}") from None
        each = error if x.exact else None if x.each is None else upper(slope * x.each + error, 4)
        if x.norm is None:
            return self.made(mid, each)
        axes = short_axes(x.norm)
        own = error * math.sqrt(math.prod(x.shape[k] for k in axes))
        return self.made(mid, each, upper(slope * x.norm + own, 8), axes)

    def add(self, a: Enclosed, b: Enclosed) -> Enclosed:
        """Errors add; the sum is off by u of itself."""
        x, y = self._together(a, b)
        return self.entrywise(self.numbers.add(x, y), (a, b), lambda largest, da, db: da + db, self.numbers.unit)

    def multiply(self, a: Enclosed, b: Enclosed) -> Enclosed:
        r"""``ab - AB = da B + A db + da db``, so ``||da B|| <= ||da|| max |B|`` over the axes of the norm."""
        x, y = self._together(a, b)

        def rule(largest: Rule, da: Bound, db: Bound) -> Bound:
            return da * largest(y) + (largest(x) + da) * db

        return self.entrywise(self.numbers.multiply(x, y), (a, b), rule, self.numbers.unit)

    def gate(self, z: Enclosed, a: Enclosed, b: Enclosed) -> Enclosed:
        r"""``(1 - z) a + z b``: with errors dz, da, db it moves by ``(1 - Z) da + Z db + dz (B - A) + dz (db - da)``.

        The four roundings and the sum's are below those of five (``gamma_5``) of ``|1 - Z| |A| + |Z| |B|``; see
        `entrywise`.
        """
        xp, numbers = self.xp, self.numbers
        shape = np.broadcast_shapes(z.shape, a.shape, b.shape)
        Z, A, B = (self.aligned(value, len(shape)) for value in (z, a, b))
        kept = numbers.subtract(numbers.given(np.ones((1,) * (len(shape) + 1))), Z)
        left, right, apart = numbers.multiply(kept, A), numbers.multiply(Z, B), numbers.subtract(B, A)

        def rule(largest: Rule, dz: Bound, da: Bound, db: Bound) -> Bound:
            return largest(kept) * da * (1.0 + 4.0 * U) + largest(Z) * db + dz * (largest(apart) * 1.001 + da + db)

        size = xp.abs(numbers.head(left)) + xp.abs(numbers.head(right))
        return self.entrywise(numbers.add(left, right), (z, a, b), rule, numbers.slack(5), size)

    def _together(self, a: Enclosed, b: Enclosed) -> tuple[Number, Number]:
        axes = max(len(a.shape), len(b.shape))
        return self.aligned(a, axes), self.aligned(b, axes)

    def aligned(self, value: Enclosed, axes: int) -> Number:
        """The midpoints with as many axes behind the rows, new ones of length 1 in front."""
        return self.numbers.alike(lambda part: aligned(self.xp, part, axes), value.mid)

    def entrywise(
        self, mid: Number, values: Sequence[Enclosed], rule: Rule, slack: float, size: Array | None = None
    ) -> Enclosed:
        """A result that is computed entry by entry.

        Parameters
        ----------
        mid : Number
            The midpoints, rounded: off by at most ``slack size + TINY`` (``size``: by default their magnitudes).
        values : sequence of Enclosed
            What it is computed from.
        rule : callable
            Of a function ``largest`` that bounds the entries of midpoints, and of the bounds of the values' errors. It
            must bound the result's error both if bounds and sizes are those of single entries, and if bounds are
            2-norms over some axes and sizes are the largest over them.

        Returns
        -------
        Enclosed
            Norms if a value has norms, over the axes that these share; one bound per entry for all samples if all
            values have such bounds, or nobody has norms.
        """
        xp, shape = self.xp, tuple(int(n) for n in mid.shape[1:])
        head = self.numbers.head
        size = xp.abs(head(mid)) if size is None else size
        by_norm, common = any(v.norm is not None for v in values), all(v.common for v in values)
        each: Bound | None = None
        norm: Bound | None = None
        axes: Axes = ()
        if common or not by_norm:
            known = [0.0 if value.each is None else aligned(xp, value.each, len(shape)) for value in values]
            found = rule(lambda x: over_rows(xp, xp.abs(head(x))) if common else xp.abs(head(x)), *known)
            each = upper(found + slack * (over_rows(xp, size) if common else size), 16)
        if by_norm:
            axes = feature_axes(values, shape)
            bounds = (bound_of_norm(xp, v, shape, axes) for v in values)
            found = rule(lambda x: largest_over(xp, head(x), axes), *bounds)
            own = slack * two_norm(xp, size, axes) + TINY * math.prod(shape)
            norm = upper(found + own, 16)
        return self.made(mid, each, norm, axes)

    def scale(self, x: Enclosed, factor: Fraction, *, root: bool = False) -> Enclosed:
        """Errors are multiplied; the factor's rounding and the product's are below four, none if it is +-2^k."""
        _require_moderate(factor)
        number, exact = self.numbers.number(factor, root=root)
        mid = self.numbers.times(x.mid, number)
        if factor in (1, -1):
            return Enclosed(mid, x.each, x.norm)
        near = math.sqrt(float(factor)) if root else abs(float(factor))
        slack, most = (0.0 if exact else self.numbers.slack(4)), near * (1.0 + 4.0 * U)
        return self.entrywise(mid, (x,), lambda largest, dx: most * dx, slack)

    def flushed(self, x: Enclosed) -> Enclosed:
        """Without subnormal midpoints, which moves them by less than 2^-1011."""
        return self.entrywise(self.numbers.without_subnormal(x.mid), (x,), lambda largest, dx: dx, 0.0)

    def gather(self, sources: Sequence[Enclosed], places: Places) -> Enclosed:
        """Entries take their bounds with them; norms as `moved` says."""
        return moved.gather(self, sources, places)

    def cells(self, value: Enclosed) -> Array:
        """The norms of a value; what has none has one bound for each entry, or is one exact cell."""
        xp = self.xp
        if value.norm is not None:
            return value.norm
        if value.each is None:
            return xp.zeros((1,) * (len(value.shape) + 1), dtype=xp.float64)
        return xp.broadcast_to(value.each, (value.each.shape[0], *value.shape))

    def flat(self, values: Array, rows: int) -> Array:
        """One row of entries for each sample, ``(rows, entries)``."""
        found = self.xp.reshape(values, (values.shape[0], math.prod(int(n) for n in values.shape[1:])))
        return found if int(found.shape[0]) == rows else self.xp.broadcast_to(found, (rows, found.shape[1]))

    def contract(self, a: Enclosed, b: Enclosed, *, transposed: bool = False) -> Enclosed:
        """Matrix products over the last two axes; the bounds of errors are those of `contraction`."""
        return contraction.contract(self, a, b, transposed=transposed)

    def total(self, x: Enclosed) -> Enclosed:
        """The sum over the last axis; see `_summed`."""
        return self._summed(x, Fraction(1), 0)

    def mean(self, x: Enclosed) -> Enclosed:
        """The sum times 1/k: the roundings of 1/k and of the product, and underflow, are below three more."""
        return self._summed(x, Fraction(1, x.shape[-1]), 3)

    def _summed(self, x: Enclosed, exact: Fraction, more: int) -> Enclosed:
        """The sum of k numbers, times a factor: errors add, norms of the parts too (Minkowski).

        Along an axis of a norm ``|sum d_j| <= sqrt(k) ||d||`` (Cauchy and Schwarz). Roundings are below those of
        the sum and ``more``, in binary64 ``gamma_{k + more}``, of the magnitudes.
        """
        xp, numbers, shape, last = self.xp, self.numbers, x.shape, len(x.shape) - 1
        k, lead, factor = shape[last], shape[:last], float(exact)
        mid, sizes = numbers.total(x.mid), xp.sum(xp.abs(numbers.head(x.mid)), axis=-1)
        mid = mid if exact == 1 else numbers.times(mid, numbers.number(exact)[0])
        constant = numbers.slack(more, total=k)
        each = norm = None
        axes: Axes = ()
        if x.norm is None or x.common:
            entry: Bound = 0.0
            if x.each is not None:
                entry = xp.sum(x.each, axis=-1) * (float(k) if int(x.each.shape[-1]) == 1 else 1.0)
            each = upper((entry + constant * (over_rows(xp, sizes) if x.common else sizes)) * factor, k + 8)
        if x.norm is not None:
            axes = tuple(axis for axis in short_axes(x.norm) if axis != last)
            repeated = math.sqrt(k) if int(x.norm.shape[-1]) == 1 else 1.0
            own = constant * two_norm(xp, sizes, axes)
            norm = upper((xp.sum(x.norm, axis=-1) * repeated + own) * factor + TINY * math.prod(lead), k + 8)
        return self.made(mid, each, norm, axes)

    def largest(self, x: Enclosed) -> Enclosed:
        r"""``|max x_j - max y_j| <= max |x_j - y_j|``: the largest bound, and norms as for all entries together."""
        xp, last = self.xp, len(x.shape) - 1
        if not self.numbers.all_finite(x.mid):
            raise NotEnclosed("a value overflows binary64")
        each = None if x.each is None else xp.max(x.each, axis=-1)
        if x.norm is None:
            return self.made(self.numbers.largest(x.mid), each)
        axes = tuple(axis for axis in short_axes(x.norm) if axis != last)
        whole = two_norm(xp, x.norm, (last,))
        return self.made(self.numbers.largest(x.mid), each, xp.reshape(whole, whole.shape[:-1]), axes)

    def inverse_root(self, x: Enclosed, epsilon: Fraction) -> Enclosed:
        """``1 / sqrt(x + epsilon)`` entry by entry; the bounds of errors are those of `fused`."""
        return fused.inverse_root(self, x, epsilon)

    def softmax(self, x: Enclosed, mask: Enclosed | None) -> Enclosed:
        """The softmax over the last axis as one operation; the bounds of errors are those of `fused`."""
        return fused.softmax(self, x, mask)

    def normalise(self, x: Enclosed, epsilon: Fraction, *, centre: bool) -> Enclosed:
        """Normalisation over the last axis as one operation; the bounds of errors are those of `fused`."""
        return fused.normalise(self, x, epsilon, centre=centre)

    def attend(self, q: Enclosed, k: Enclosed, v: Enclosed, square: Fraction, mask: Enclosed | None) -> Enclosed:
        """Attention as one operation; the bounds of errors are those of `contraction`."""
        _require_moderate(square)
        return contraction.attend(self, q, k, v, square, mask)

    def embed(self, tokens: Enclosed, table: Enclosed) -> Enclosed:
        """Rows of the table and of its bounds."""
        return moved.embed(self, tokens, table)


def _require_moderate(factor: Fraction) -> None:
    """Guarantee: on return the factor, and its root, are normal numbers when they are rounded to binary64."""
    if not FACTORS[0] < abs(factor) < FACTORS[1]:
        raise NotEnclosed("a factor outside binary64's range")


def short_axes(norm: Array) -> Axes:
    """The axes of a tensor that a norm may be taken over: where it is 1 long."""
    return tuple(k for k, n in enumerate(norm.shape[1:]) if int(n) == 1)
