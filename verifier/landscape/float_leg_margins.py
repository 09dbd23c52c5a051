r"""Margins and losses on a leg in binary64: what `BallLegMargins` says, some hundred times as fast.

With Psi at the middle within e of P, its rates over the interval within q of C, r half its length and
``D = V_y - V_k``,

.. math:: m_{ik}(t) \ge \langle P_i, D\rangle - r |\langle C_i, D\rangle|
    - \bigl\langle e_i + r q_i + \gamma_{M+4} (|P_i| + r |C_i|),\ |D| \bigr\rangle .

While V moves, too, ``m' = Psi' D + Psi D'``. With margins m at the middle and their rates between ``q_-`` and ``q_+``
the loss L, convex in the margins and falling in each of them, is at most the largest of L(m), ``L(m + r q_-)`` and
``L(m - r q_+)``: after the middle ``L(m(t)) <= L(m + s q_-)`` with 0 <= s <= r, before it ``L(m - s q_+)``. Where the
samples' rates cancel this is of second order in r. It is at least ``L(m + r max(q_+, -q_-))``, and twice L(m) less that
upper bound, which holds for the margins mirrored in m, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64 import rates, span
from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.bounds import TINY, U, gamma, upper
from verifier.balls.binary64.canary import require, require_products
from verifier.balls.binary64.enclosed import bound_of_entries
from verifier.balls.binary64.float_motion import Moving, Segment
from verifier.balls.binary64.graph_arithmetic import FloatBalls, Shared
from verifier.balls.binary64.loss import sample_losses
from verifier.balls.binary64.margins import SMALLEST_WEIGHT
from verifier.balls.binary64.products import Products
from verifier.balls.binary64.row_enclosure import QUIETLY
from verifier.balls.binary64.span import Span
from verifier.display import Brief
from verifier.landscape.leg_margins import Leg, require_times
from verifier.network.network import Array

BLOCK_ENTRIES = 1 << 18
"""Entries of the widest node of a block of samples: 2 MB, so that a block's passes stay in a cache."""

LARGEST_WEIGHT = 1e140
"""The product of two such numbers does not overflow."""


@dataclass(frozen=True, repr=False)
class FloatLegMargins(Leg):
    """The margins on a leg in binary64.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import numpy as np
    >>> import verifier as vf
    >>> from verifier.landscape.float_leg_margins import FloatLegMargins
    >>> network = vf.Network(1, vf.Dense(1, "identity", skip=True))
    >>> leg = FloatLegMargins(network, np.array([1.0, 0.0]), np.array([3.0, 0.0]), np.array([[1.0]]), np.array([0]))
    >>> part = leg.interval(Fraction(0), Fraction(1, 2))  # Psi = 1 + 2 t
    >>> 0.999 < part.smallest(np.array([[1.0, 0.0]])) <= 1.0
    True
    """

    backend: Backend = field(default_factory=numpy_backend)
    record: Products = field(default_factory=Products)

    @QUIETLY
    def interval(self, t0: Fraction, t1: Fraction) -> FloatLegInterval:
        """Enclose Psi and its rate for ``t0 <= t <= t1``.

        Raises
        ------
        ValueError
            The times are not in order, or not in [0, 1].
        NotEnclosed
            Binary64 cannot enclose them.
        """
        require_times(t0, t1)
        reach = math.nextafter(float((t1 - t0) / 2), math.inf) if t1 > t0 else 0.0
        middle, count = (t0 + t1) / 2, len(self.inputs)
        parameters = dict[str, Moving]()
        value, error, rate, slack = (np.empty((count, self.network.columns)) for _ in range(4))
        for rows, segment in self._segments:
            found = segment.evaluate(self.network, middle, reach, parameters)
            column = 0
            for feature in self.network.features:
                psi, slope = _columns(found[feature.node], feature.entries)
                part = slice(column, column + psi.mid.shape[1])
                value[rows, part], error[rows, part] = psi.mid, psi.rad
                rate[rows, part], slack[rows, part] = slope.mid, slope.rad
                column = part.stop
        require_products(self.record)
        return FloatLegInterval(self, middle, reach, Span(value, error), Span(rate, slack))

    @cached_property
    def _segments(self) -> list[tuple[slice, Segment]]:
        """The samples by blocks, in the order of `order`."""
        network = self.network
        shared = Shared(self._backend, self.record, {})
        first, last = network.views(self.start), network.views(self.end)
        sizes = (math.prod(shape) for shape, v in zip(network.node_shapes, network.varies, strict=True) if v)
        step = max(1, BLOCK_ENTRIES // max(1, *sizes))
        found = []
        for row in range(0, len(self.inputs), step):
            rows = slice(row, min(row + step, len(self.inputs)))
            found.append((rows, Segment(FloatBalls(shared, self.inputs[self.order[rows]]), first, last)))
        return found

    @cached_property
    def _backend(self) -> Backend:
        """NumPy without threads of its own: to test them before each conclusion costs more than they save.

        Who listens to the backend hears this one, too.
        """
        if self.backend.name == "numpy":
            return replace(self.backend, threads=1)
        return replace(numpy_backend(1), listeners=self.backend.listeners)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The numbers of the samples, ordered by their labels."""
        return np.argsort(self.labels, kind="stable")

    @cached_property
    def classes(self) -> list[tuple[int, slice]]:
        """Each label that occurs, and its samples' places in `order`."""
        found, counts = np.unique(self.labels, return_counts=True)
        stops = np.cumsum(counts).tolist()
        return [(int(y), slice(stop - int(n), stop)) for y, n, stop in zip(found, counts, stops, strict=True)]


@dataclass(frozen=True, repr=False)
class FloatLegInterval(Brief):
    """Psi at the middle of an interval and its rate on all of it, ``(N, M)``, the samples by their labels.

    ``reach`` is an upper bound of half the interval's length.
    """

    leg: FloatLegMargins
    middle: Fraction
    reach: float
    psi: Span
    rate: Span

    @cached_property
    def middle_features(self) -> Array:
        """Psi at the middle in floating point."""
        found = np.empty_like(self.psi.mid)
        found[self.leg.order] = self.psi.mid
        return found

    @cached_property
    def _slack(self) -> Array:
        """What ``|D|`` is multiplied with in the bound of the margins."""
        psi, rate, r = self.psi, self.rate, self.reach
        rounding = gamma(psi.mid.shape[1] + 4) * (np.abs(psi.mid) + r * np.abs(rate.mid))
        found: Array = upper(psi.rad + r * rate.rad + rounding, 8)
        return found

    @cached_property
    def _hull(self) -> Span:
        """Enclose Psi at every time of the interval, (n, M)."""
        return span.checked(self.psi.mid, upper(self.psi.rad + self.reach * self.rate.size, 4))

    @QUIETLY
    def smallest(self, weights: Array, room: float = 1.0) -> float:
        """Bound all margins of ``weights`` on the interval from below.

        Guarantee: as `LegInterval.smallest`.
        """
        if not _moderate(weights):
            return -math.inf
        backend, record, least = self.leg._backend, self.leg.record, math.inf
        for y, rows in self.leg.classes:
            table = _differences(weights, y)
            middle = backend.matmul(self.psi.mid[rows], table, record)
            rate = backend.matmul(self.rate.mid[rows], table, record)
            slack = backend.matmul(self._slack[rows], np.abs(table), record)
            loss = upper(self.reach * np.abs(rate) + slack + 2.0 * U * np.abs(middle), table.shape[0] + 8)
            lowest = float(np.min(middle - upper(room * loss, 2), initial=math.inf))
            if not lowest > -math.inf:
                return -math.inf
            least = min(least, lowest)
        try:
            require(record)
        except NotEnclosed:
            return -math.inf
        return least

    @QUIETLY
    def loss_bounds(
        self, v0: Array, v1: Array, multiplicities: Sequence[int], offset: Array | None = None
    ) -> tuple[float, float]:
        """Bound the loss while V moves on its own segment.

        Guarantee: as `LegInterval.loss_bounds`.
        """
        try:
            if not (_moderate(v0) and _moderate(v1)):
                return -math.inf, math.inf
            margins, rate = self._margins(v0, v1, offset)
            found = self._loss(margins, rate, multiplicities)
            require(self.leg.record)
        except NotEnclosed:
            return -math.inf, math.inf
        return found

    def _margins(self, v0: Array, v1: Array, offset: Array | None) -> tuple[Span, Span]:
        """The margins at the middle, ``(N, m - 1)``, and their rates over the interval."""
        step = v1 - v0
        moving = Span(step, upper(1.1 * U * np.abs(step), 2))
        mid = ((v0 + float(self.middle) * step) + TINY) - TINY
        weights = Span(mid, upper(4.1 * U * np.abs(step) + 1.1 * U * np.abs(mid), 4))
        middles, slopes = [], []
        for y, rows in self.leg.classes:
            table, shift = _span_differences(weights, y), _span_differences(moving, y)
            over = Span(table.mid, upper(table.rad + self.reach * shift.size, 4))
            margins = self._product(_rows(self.psi, rows), table)
            if offset is not None:
                logits = offset[self.leg.order[rows]]
                margins = span.plus(margins, _span_differences(span.still(logits), y))
            rate = self._product(_rows(self.rate, rows), over)
            if bool(step.any()):
                rate = span.plus(rate, self._product(_rows(self._hull, rows), shift))
            middles.append(margins)
            slopes.append(rate)
        return _stacked(middles), _stacked(slopes)

    def _product(self, a: Span, b: Span) -> Span:
        leg = self.leg
        return span.matrix_product(lambda p, q: leg._backend.matmul(p, q, leg.record), a, b)

    def _loss(self, margins: Span, rate: Span, multiplicities: Sequence[int]) -> tuple[float, float]:
        """The loss at both ends of the fan of margins and at its middle; see the module."""
        total = sum(multiplicities)
        parts = np.array([count / total for count in multiplicities])[self.leg.order]
        slowest, fastest = span.ends(rate)

        def mean_loss(change: Array) -> span.Ends:
            moved = span.plus(margins, span.scaled(span.still(change), self.reach))
            values, errors = sample_losses(np, moved.mid)
            return span.ends(_mean(Span(values, upper(errors + moved.rad.max(axis=1), 2)), parts))

        middle = mean_loss(np.zeros_like(slowest))
        highest = max(float(side.high[0]) for side in (middle, mean_loss(slowest), mean_loss(-fastest)))
        lowest = max(float(mean_loss(np.maximum(fastest, -slowest)).low[0]), 2.0 * float(middle.low[0]) - highest)
        lowest = math.nextafter(lowest, -math.inf)
        return (lowest, highest) if math.isfinite(lowest) and math.isfinite(highest) else (-math.inf, math.inf)


def _columns(x: Moving, entries: tuple[int, ...] | None) -> tuple[Span, Span]:
    """The entries of a node that are columns of Psi, ``(rows, w)``, and their rates."""
    mid, size = x.value.mid, math.prod(x.value.shape)
    rad = bound_of_entries(np, x.value, len(x.value.shape))
    value = span.checked(mid, np.zeros((1,) * mid.ndim) if isinstance(rad, float) else rad)
    rate = span.still(np.zeros((1, *x.value.shape))) if x.rate is None else rates.spread_out(x.rate, x.value.shape)
    chosen = slice(None) if entries is None else list(entries)
    parts = [
        np.broadcast_to(part, (len(whole.mid), *x.value.shape)).reshape(len(whole.mid), size)[:, chosen]
        for whole in (value, rate)
        for part in (whole.mid, whole.rad)
    ]
    return Span(parts[0], parts[1]), Span(parts[2], parts[3])


def _moderate(weights: Array) -> bool:
    """Whether all weights are 0 or of a size at which their differences do not underflow, nor products overflow."""
    sizes = np.abs(weights)
    return bool((((sizes < LARGEST_WEIGHT) & (sizes > SMALLEST_WEIGHT)) | (sizes == 0.0)).all())


def _others(classes: int, label: int) -> list[int]:
    return [k for k in range(classes) if k != label]


def _differences(weights: Array, label: int) -> Array:
    """``V_y - V_k`` for all k but y, ``(M, m - 1)``, rounded."""
    found: Array = weights[:, [label]] - weights[:, _others(weights.shape[1], label)]
    return found


def _span_differences(weights: Span, label: int) -> Span:
    """Enclose ``V_y - V_k`` for all ``k != label``, (M, m - 1), of weights that are intervals."""
    others = _others(weights.mid.shape[1], label)
    full = weights.full(len(weights.mid))
    return span.minus(Span(full.mid[:, [label]], full.rad[:, [label]]), Span(full.mid[:, others], full.rad[:, others]))


def _rows(x: Span, rows: slice) -> Span:
    return Span(x.mid[rows], x.rad[rows])


def _stacked(parts: Sequence[Span]) -> Span:
    return Span(np.concatenate([part.mid for part in parts]), np.concatenate([part.rad for part in parts]))


def _mean(x: Span, parts: Array) -> Span:
    """The mean of the samples, by their parts, which are rounded; one number."""
    count = len(parts)
    mid = np.atleast_1d(parts @ x.mid)
    rad = np.atleast_1d(parts @ np.broadcast_to(x.rad, x.mid.shape) + gamma(count + 4) * (parts @ np.abs(x.mid)))
    return span.checked(mid, upper(rad, count + 8))
