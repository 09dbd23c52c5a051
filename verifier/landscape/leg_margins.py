r"""The margins of fixed output weights while U moves on one straight leg, for whole intervals of time at once.

On the leg ``U(t) = start + t (end - start)`` the margins of weights V are
``m_ik(t) = sum_j Psi_ij(U(t)) (V_{j,y_i} - V_jk)``. With c the middle of an interval of length h,

.. math:: m_{ik}(t) \ge m_{ik}(c) - \frac h2 \sup \Bigl| \sum_j \Psi_{ij}' (V_{j,y_i} - V_{jk}) \Bigr| ,

the supremum over a set that contains the rates at almost all times of the interval: every value is Lipschitz in t where
that set is bounded, kinks and maxima included, and so the integral of its rate. What jumps has no such set, but a value
on the interval may still be enclosed as it is.

Two engines keep the same promise: balls (`BallLegMargins`, the reference) and binary64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import lower_float, upper_float
from verifier.balls.motion import Motion, Rows
from verifier.balls.precision import working_precision
from verifier.display import Brief
from verifier.landscape.legs import ball_of
from verifier.landscape.segment import WeightSegment, label_differences
from verifier.network.network import Array, Network
from verifier.network.nodes import Map
from verifier.sigma.activations import activation

ROOM, WIDE_ROOM = 1.05, 2.0
"""What the margins of a piece may lose counts so many times before it is accepted: for the checker's own enclosures.

The second one where these follow an expression or a norm step by step, and are wider.
"""
LEAN = "identity relu leaky_relu hard_tanh tanh sigmoid elu gelu silu softplus sin exp".split()
"""Activations whose rates the checker encloses as sharply."""
STEPWISE = frozenset(("attend", "contract", "gate", "inverse-root", "multiply", "normalise", "softmax"))
"""Nodes whose rates it follows step by step."""


class LegInterval(Protocol):
    """Psi and its rate on one interval of times of a leg."""

    @property
    def middle_features(self) -> Array:
        """Psi at the middle of the interval, ``(N, M)``, in floating point: for proposals, not rigorous."""

    def smallest(self, weights: Array, room: float = 1.0) -> float:
        """Bound the margins of fixed output weights from below.

        Parameters
        ----------
        weights
            V, ``(M, m)``, finite.
        room
            At least 1: what the margins may lose on the interval counts so many times, so that an independent program
            with wider enclosures agrees.

        Returns
        -------
        float
            Guarantee: every margin of every sample is at least the result at every time of the interval; -inf where
            nothing is known, never NaN.
        """

    def loss_bounds(
        self, v0: Array, v1: Array, multiplicities: Sequence[int], offset: Array | None = None
    ) -> tuple[float, float]:
        """Bound the loss while V moves, too: ``V(t) = v0 + t (v1 - v0)``, t the leg's own time.

        Parameters
        ----------
        v0, v1
            Output weights at times 0 and 1, ``(M, m)``, finite.
        multiplicities
            How often each sample occurs.
        offset
            Frozen logits ``(N, m)`` that are added.

        Returns
        -------
        (float, float)
            Guarantee: the loss lies between them at every time of the interval; (-inf, inf) where nothing is known.
        """


class LegMargins(Protocol):
    """One straight leg of U on samples with labels."""

    def interval(self, t0: Fraction, t1: Fraction) -> LegInterval:
        """Enclose Psi and its rate for ``t0 <= t <= t1``, both in [0, 1] and with a power of two below; may be equal.

        Raises
        ------
        NotEnclosed
            Binary64 cannot enclose them; balls never refuse.
        """


def room_for(network: Network) -> float:
    """How often the margins' losses count before a piece of a leg of this network is accepted.

    Parameters
    ----------
    network
        Any; a larger number than needed costs pieces, a smaller one certificates that are not accepted.
    """
    lean = {activation(name).canonical for name in LEAN}
    stepwise = any(node.kind in STEPWISE for node in network.nodes)
    used = {node.sigma.canonical for node in network.nodes if isinstance(node, Map)}
    return WIDE_ROOM if stepwise or not used <= lean else ROOM


@dataclass(frozen=True, repr=False)
class Leg(Brief):
    """A straight leg of U from ``start`` to ``end``, both ``(p,)``, on samples ``(N, d)`` with labels ``(N,)``."""

    network: Network
    start: Array
    end: Array
    inputs: Array
    labels: NDArray[np.int64]


def require_times(t0: Fraction, t1: Fraction) -> None:
    """Refuse times of an interval of a leg that are not in order, or not in [0, 1].

    Raises
    ------
    ValueError
        They are not.
    """
    if not 0 <= t0 <= t1 <= 1:
        raise ValueError(f"interval from {t0} to {t1}: the times must be in order and in [0, 1]")


@dataclass(frozen=True, repr=False)
class BallLegMargins(Leg):
    """The margins on a leg in ball arithmetic.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import numpy as np
    >>> import verifier as vf
    >>> from verifier.landscape.leg_margins import BallLegMargins
    >>> network = vf.Network(1, vf.Dense(1, "identity", skip=True))
    >>> leg = BallLegMargins(network, np.array([1.0, 0.0]), np.array([3.0, 0.0]), np.array([[1.0]]), np.array([0]))
    >>> part = leg.interval(Fraction(0), Fraction(1, 2))  # Psi = 1 + 2 t
    >>> 0.999 < part.smallest(np.array([[1.0, 0.0]])) <= 1.0
    True
    """

    precision: int = FIRST_BITS

    def interval(self, t0: Fraction, t1: Fraction) -> BallLegInterval:
        """Enclose Psi and its rate for ``t0 <= t <= t1``.

        Raises
        ------
        ValueError
            The times are not in order, or not in [0, 1].
        """
        require_times(t0, t1)
        return BallLegInterval(self, t0, t1)

    @cached_property
    def motion(self) -> Motion:
        """The features of the network that moves along the leg, kinks allowed."""
        return Motion(self.network, self.start, self.end, self.inputs, self.precision, kinks=True)


@dataclass(frozen=True, repr=False)
class BallLegInterval(Brief):
    """Psi at the middle of an interval and its rate on all of it, as balls; evaluated when they are first needed."""

    leg: BallLegMargins
    t0: Fraction
    t1: Fraction

    @property
    def times(self) -> arb:
        """A ball that contains the interval, at the working precision."""
        return ball_of(self.t0).union(ball_of(self.t1))

    @cached_property
    def _middle(self) -> arb_mat:
        """Enclose Psi at the middle of the interval, (n, M)."""
        with working_precision(self.leg.precision):
            return arb_mat(self.leg.motion.features(ball_of((self.t0 + self.t1) / 2)))

    @cached_property
    def _jets(self) -> tuple[arb_mat, arb_mat]:
        """Psi and its rates on the interval."""
        with working_precision(self.leg.precision):
            values, rates = self.leg.motion.jets(self.times)
            return arb_mat(values), arb_mat(rates)

    @cached_property
    def middle_features(self) -> Array:
        """Psi at the middle in floating point."""
        table = [[float(value.mid()) for value in row] for row in self._middle.tolist()]
        return np.array(table, dtype=np.float64)

    def smallest(self, weights: Array, room: float = 1.0) -> float:
        """Bound all margins of ``weights`` on the interval from below, by the better of the two forms for each.

        Guarantee: as `LegInterval.smallest`.
        """
        with working_precision(self.leg.precision):
            reach, wider = ball_of((self.t1 - self.t0) / 2) * arb(0, 1) * room, arb(room - 1)
            least = math.inf
            rows = (self._margins(part, weights) for part in (self._middle, *self._jets))
            for middles, values, rates in zip(*rows, strict=True):
                for middle, value, rate in zip(middles, values, rates, strict=True):
                    plain = value - wider * value.rad()
                    bound = max(_finite_lower(middle + reach * rate), _finite_lower(plain))
                    least = min(least, bound)
        return least

    def _margins(self, features: arb_mat, weights: Array) -> Rows:
        """``sum_j Psi_ij (V_{j,y} - V_jk)``, k != y, of every sample."""
        labels = self.leg.labels
        lines, found = features.tolist(), list[list[arb]](list[arb]() for _ in labels)
        for y in np.unique(labels).tolist():
            members = np.flatnonzero(labels == y).tolist()
            matrix = label_differences(weights, y, [k for k in range(weights.shape[1]) if k != y])
            product = (arb_mat([lines[i] for i in members]) * matrix).tolist()
            for i, row in zip(members, product, strict=True):
                found[i] = row
        return found

    def loss_bounds(
        self, v0: Array, v1: Array, multiplicities: Sequence[int], offset: Array | None = None
    ) -> tuple[float, float]:
        """Bound the loss while V moves on its own segment.

        Guarantee: as `LegInterval.loss_bounds`.
        """
        leg = self.leg
        with working_precision(leg.precision):
            loss = WeightSegment(leg.motion, v0, v1, leg.labels, multiplicities, offset).loss_on(self.t0, self.t1)
            return (lower_float(loss), upper_float(loss)) if loss.is_finite() else (-math.inf, math.inf)


def _finite_lower(value: arb) -> float:
    """The lower end rounded down, -inf for a ball that is not finite."""
    return lower_float(value) if value.is_finite() else -math.inf
