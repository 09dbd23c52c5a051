"""The margins on a leg by the engine that suffices: binary64, and balls where it does not reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Backend, NotEnclosed
from verifier.display import Brief
from verifier.landscape.float_leg_margins import FloatLegInterval, FloatLegMargins
from verifier.landscape.leg_margins import BallLegInterval, BallLegMargins, LegMargins
from verifier.network.network import Array, Network

WORTH = Fraction(1, 256)
"""Intervals up to this length are tried in balls where binary64 bounds nothing; longer ones are halved, cheaper."""


def margins_on_leg(
    backend: Backend | None, network: Network, start: Array, end: Array, inputs: Array, labels: NDArray[np.int64]
) -> LegMargins:
    """Enclose margins on the leg from ``start`` to ``end``, both ``(p,)``.

    Guarantee: every interval of the result keeps the promises of `LegInterval`, by whichever engine.

    Parameters
    ----------
    backend
        The array library of the binary64 engine; None: balls alone.
    network, start, end, inputs, labels
        The leg, samples ``(N, d)``, and true classes ``(N,)``.

    Returns
    -------
    LegMargins
        Of the leg.
    """
    balls = BallLegMargins(network, start, end, inputs, labels)
    if backend is None:
        return balls
    return EitherLegMargins(FloatLegMargins(network, start, end, inputs, labels, backend), balls)


@dataclass(frozen=True, repr=False)
class EitherLegMargins(Brief):
    """The same leg in binary64 and in balls."""

    floats: FloatLegMargins
    balls: BallLegMargins

    def interval(self, t0: Fraction, t1: Fraction) -> EitherLegInterval:
        """Enclose Psi and its rate for ``t0 <= t <= t1``: in binary64 if it can."""
        try:
            return EitherLegInterval(self.floats.interval(t0, t1), self, t0, t1)
        except NotEnclosed:
            return EitherLegInterval(None, self, t0, t1)


@dataclass(frozen=True, repr=False)
class EitherLegInterval(Brief):
    """An interval in binary64, if it can be, and in balls where that bounds nothing."""

    floats: FloatLegInterval | None
    leg: EitherLegMargins
    t0: Fraction
    t1: Fraction

    @cached_property
    def _balls(self) -> BallLegInterval:
        return self.leg.balls.interval(self.t0, self.t1)

    @cached_property
    def _at_middle(self) -> FloatLegInterval | None:
        """The middle alone in binary64, if it can be."""
        middle = (self.t0 + self.t1) / 2
        try:
            return self.leg.floats.interval(middle, middle)
        except NotEnclosed:
            return None

    @property
    def _worth(self) -> bool:
        """Whether to try balls: the interval is short, or binary64 cannot enclose a single time of it either."""
        return self.t1 - self.t0 <= WORTH or (self.floats is None and self._at_middle is None)

    @property
    def middle_features(self) -> Array:
        """Psi at the middle in floating point."""
        found = self.floats or self._at_middle or self._balls
        return found.middle_features

    def smallest(self, weights: Array, room: float = 1.0) -> float:
        """Bound the margins from below.

        Guarantee: as `LegInterval.smallest`.
        """
        found = -math.inf if self.floats is None else self.floats.smallest(weights, room)
        return self._balls.smallest(weights, room) if found == -math.inf and self._worth else found

    def loss_bounds(
        self, v0: Array, v1: Array, multiplicities: Sequence[int], offset: Array | None = None
    ) -> tuple[float, float]:
        """Bound the loss while V moves, too.

        Guarantee: as `LegInterval.loss_bounds`.
        """
        arguments = v0, v1, multiplicities, offset
        found = (-math.inf, math.inf) if self.floats is None else self.floats.loss_bounds(*arguments)
        return self._balls.loss_bounds(*arguments) if not math.isfinite(found[1]) and self._worth else found
