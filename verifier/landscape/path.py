"""A certified path to loss 0: where it is at every time, which margins and which loss it has there.

It consists of the legs of an escape, if there is one, and of P1's segment and ray (`verifier.landscape.straight_path`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.engine import FIRST_BITS, Enclosure, sharper
from verifier.balls.exact import (
    Dyadic,
    ExactArray,
    at_least,
    at_most,
    exactly,
    lower_float,
    upper_float,
)
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.loss import SegmentLoss, cross_entropy, loss_along_segment
from verifier.balls.margins import Margins, enclose_margins, with_offset
from verifier.balls.precision import working_precision
from verifier.display import Card, Shown, Table
from verifier.errors import InputError
from verifier.landscape.legs import Leg, SegmentAndRay
from verifier.landscape.targets import Target
from verifier.network.network import Array
from verifier.verdict import Verdict


@dataclass(frozen=True, repr=False)
class Path(Shown):
    """A certified path ``s -> (U(s), V(s))``, s in [0, inf), from the start's own (U, V) to the ray.

    With k = ``len(before)`` legs before P1 begins, each leg takes one unit of time, the segment the times from k to
    k + 1, and on the ray, s >= k + 1, ``V(s) = (s - k) kappa V1``. Without an escape k is 0.

    Parameters
    ----------
    u
        Hidden parameters on P1's part, where they are at rest, shape ``(p,)``.
    segment_weights
        V where P1's segment begins, ``(M, m)``; after E2 or E4 the exact ones solve a system of equations, and these
        agree with them to more digits than float64 has.
    end_weights, kappa, gamma
        V1, the factor at the segment's end, and what every margin of V1 is at least.
    start_margins, end_margins
        Enclosures of the margins where the segment begins, and of V1's.
    start_loss
        Bounds of the loss at the path's start.
    before
        The legs of an escape (E1 to E4), in order.
    """

    u: Array
    segment_weights: ExactArray
    end_weights: ExactArray
    kappa: Dyadic
    gamma: Dyadic
    start_margins: Margins
    end_margins: Margins
    multiplicities: tuple[int, ...]
    classes: int
    precision: int
    start_loss: tuple[Dyadic, Dyadic]
    zero_error_t: Dyadic
    targets: tuple[Target, ...]
    features: Enclosure
    labels: NDArray[np.int64]
    before: tuple[Leg, ...] = ()

    @property
    def start_u(self) -> Array:
        """Hidden parameters at the path's start, shape ``(p,)``."""
        return self.before[0].start_u if self.before else self.u

    @property
    def start_weights(self) -> ExactArray:
        """Output weights at the path's start, shape ``(M, m)``."""
        return self.before[0].start_v if self.before else self.segment_weights

    @property
    def corner(self) -> int:
        """The path time at which the segment ends and the ray begins."""
        return len(self.before) + 1

    @property
    def pieces(self) -> tuple[Leg, ...]:
        """Everything that the path consists of, in order: the legs of an escape, then P1's segment and ray."""
        last = SegmentAndRay(
            self.u,
            self.segment_weights,
            self.end_weights,
            self.kappa,
            self.start_margins,
            self.end_margins,
            self.precision,
        )
        return (*self.before, last)

    def place(self, s: float) -> tuple[Leg, Fraction]:
        """The piece at path time ``s``, and the time on it.

        Raises
        ------
        ValueError
            If ``s`` is not in [0, inf).
        """
        if not 0.0 <= s < math.inf:
            raise ValueError(f"path time {s} is outside [0, inf)")
        index = min(math.floor(s), len(self.before))
        return self.pieces[index], Fraction(float(s)) - index

    def U(self, s: float) -> Array:
        """Hidden parameters at path time ``s``, shape ``(p,)``: the exact ones, rounded once to float64."""
        leg, t = self.place(s)
        return leg.u_at(t)

    def V(self, s: float) -> Array:
        """Output weights at path time ``s``, shape ``(M, m)``: the exact ones, rounded once to float64.

        Raises
        ------
        ValueError
            If ``s`` is not in [0, inf).
        InputError
            If V(s) is beyond float64's range.
        """
        leg, t = self.place(s)
        return leg.v_at(t)

    def margins(self, s: float) -> Margins:
        """Enclosures of the margins at path time ``s``.

        Guarantee: each ball contains the margin at the exact point of the path (which `U` and `V` round).
        """
        leg, t = self.place(s)
        return with_offset(leg.margins_at(t), self.features, self.labels)

    def exact_loss(self, s: float) -> arb:
        """Enclosure of the loss at the exact point of the path.

        Guarantee: the ball contains the loss where the path is at time ``s``, before `U` and `V` are rounded.
        """
        with working_precision(self.precision):
            return cross_entropy(self.margins(s).rows, self.multiplicities)

    def loss(self, s: float) -> arb:
        """Enclose the loss ``Phi(U(s), V(s))`` at one parameter s of the path.

        Guarantee: the ball contains the loss at the numbers that `U` and `V` return, and at the exact point of the
        path that they round.
        """
        exact = self.exact_loss(s)
        try:
            u, v = self.U(s), ExactArray.of_floats(self.V(s))
        except InputError:  # beyond float64 nothing is returned that could have a loss
            return exact
        rounded = self._margins_at(u, v)
        with working_precision(max(self.precision, FIRST_BITS)):
            return exact.union(cross_entropy(rounded.rows, self.multiplicities))

    def _margins_at(self, u: Array, v: ExactArray) -> Margins:
        """Margins of any point of this network on these samples."""
        features = self.features
        if not np.array_equal(u, features.u):
            bits = max(features.precision, FIRST_BITS)
            features = FeatureEnclosure(features.network, u, features.inputs, bits, offset=features.offset)
        try:
            # twice, so that a binary64 product has the shape of P1's own, at which the platform was tested
            found = enclose_margins(features, [v, v], self.labels)[0]
        except NotEnclosed:
            found = enclose_margins(sharper(features), [v], self.labels)[0]
        with working_precision(max(features.precision, FIRST_BITS)):
            return with_offset(found, features, self.labels)

    def derivatives(self, s: arb) -> SegmentLoss:
        """Enclose the loss and its first two derivatives in s on P1's segment, a ball ``s`` within [k, k + 1].

        Guarantee: contains the three values, at the exact points, for every s in the ball.
        """
        with working_precision(self.precision):
            kappa = self.kappa.arb()
            scaled = Margins(tuple(tuple(kappa * b for b in row) for row in self.end_margins.rows))
            first, last = (with_offset(m, self.features, self.labels).rows for m in (self.start_margins, scaled))
            return loss_along_segment(first, last, self.multiplicities, s - len(self.before))

    def _card(self) -> Card:
        low, high = self.start_loss
        values = (
            ("start loss", f"in [{at_least(low)}, {at_most(high)}]"),
            ("kappa", exactly(self.kappa)),
            ("gamma >=", at_least(self.gamma)),
            ("zero training error from t =", at_most(self.zero_error_t)),
            ("precision", f"{self.precision} bits"),
        )
        rows = tuple((f"loss <= {t.text}", f"t >= {at_most(t.t)}") for t in self.targets)
        end = "from V0 straight to kappa V1, then along t V1, U at rest: the loss strictly decreases, to 0"
        tables = [Table("What is reached, and from which t on", ("loss", "on the ray t V1"), rows)]
        if not self.before:
            return Card("A path without increase (P1)", str(Verdict.PROVED), end, values, tuple(tables))
        shift = len(self.before)
        legs = [(f"{k} to {k + 1}", leg.words) for k, leg in enumerate(self.pieces)]
        legs += [(f"{shift + 1} on", f"V = (s - {shift}) kappa V1, U at rest: the ray")]
        tables.insert(0, Table("Piece by piece", ("path time s", "what moves"), tuple(legs)))
        sentence = f"from the start's own (U, V) through {shift} leg{'s' * (shift > 1)} to where P1 begins, "
        sentence += "then V straight to kappa V1 and along t V1, U at rest: the loss strictly decreases, to 0"
        return Card("A path to loss 0 from this start", str(Verdict.PROVED), sentence, values, tuple(tables))

    def time_of(self, target: Target) -> float:
        """Path time from which the loss stays below the target, rounded up."""
        return self.time_on_ray(target.t)

    def time_on_ray(self, t: Dyadic) -> float:
        """Path time of the ray's point ``t V1``, t >= kappa, rounded up."""
        with working_precision(max(self.precision, FIRST_BITS)):
            return upper_float(t.arb() / self.kappa.arb() + len(self.before))

    def sample(
        self, times: Sequence[float] | NDArray[np.float64], *, rounded: bool = True
    ) -> list[tuple[float, float, float]]:
        """``(s, lower bound of the loss, upper bound of the loss)`` at the given times, for plotting.

        The bounds are those of `loss`, or with ``rounded`` false of `exact_loss`: they differ where V1 has large
        entries that cancel, so that rounding V(s) to float64 leaves the path.
        """
        found = ((float(s), self.loss(s) if rounded else self.exact_loss(s)) for s in times)
        return [(s, lower_float(loss), upper_float(loss)) for s, loss in found]
