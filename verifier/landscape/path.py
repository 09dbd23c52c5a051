r"""P1: a straight segment and a ray on which the loss strictly decreases to zero.

From the start ``V0`` the path goes straight to ``kappa V1`` (U fixed), then along the ray ``t V1``, t >= kappa, where
V1 has margins
``m1_ik > 0`` (Z1). Along the segment ``h(s) = Phi(U, V0 + s (kappa V1 - V0))`` is convex, and

.. math:: h'(1) = -\frac1n \sum_i \sum_{k \ne y_i} p_{ik}\,(\kappa m^1_{ik} - m^0_{ik}),

so ``kappa m1_ik > m0_ik`` for all i, k gives h'(1) < 0 and by convexity ``h'(s) <= h'(1) < 0`` for all s in [0, 1].
On the ray the loss
strictly decreases because every margin is positive. Two numbers, kappa and gamma, certify an infinite continuous path.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, fmpq, fmpz
from numpy.typing import NDArray

from verifier.balls.arguments import given_weights
from verifier.balls.binary64.float_enclosure import NotEnclosed
from verifier.balls.engine import FIRST_BITS, Enclosure, arithmetic, sharper
from verifier.balls.exact import (
    Dyadic,
    ExactArray,
    at_least,
    at_most,
    exactly,
    lower_float,
    round_down,
    round_up,
    statable,
    upper_float,
)
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.loss import SegmentLoss, cross_entropy, loss_along_segment
from verifier.balls.margins import Margins, enclose_margins
from verifier.balls.precision import working_precision
from verifier.display import Decided, Facts, Shown, Table
from verifier.errors import InputError
from verifier.landscape.legs import Leg, SegmentAndRay
from verifier.landscape.zero_loss import ZeroLoss, loss_bound
from verifier.network.arguments import given_counts, given_labels
from verifier.network.network import Array
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.right_inverse import ENCLOSURE_SLACK
from verifier.verdict import Verdict

DECIMAL = re.compile(r"(?=\.?[0-9])[0-9]{0,20}\.?[0-9]{0,20}([eE][-+]?[0-9]{1,4})?")
"""Target losses: positive decimals whose exact value is a number of moderate size."""

FINE, STATED_BITS = arb((fmpz(1), fmpz(-40))), 45
"""Relative room and length of a stated loss: E3's epsilon is small beside a large loss."""

KAPPA_DIGITS = 17
"""A power of two of moderate size is printed in full."""

DEFAULT_TARGETS = ("1e-6", "1e-100")


@dataclass(frozen=True, slots=True)
class Target:
    """On the ray, ``Phi(U, t V1) <= loss`` for every ``t' >= t``; ``text`` is how the loss was asked for."""

    text: str
    loss: Dyadic
    t: Dyadic


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
        return leg.margins_at(t)

    def exact_loss(self, s: float) -> arb:
        """Enclosure of the loss at the exact point of the path.

        Guarantee: the ball contains the loss where the path is at time ``s``, before `U` and `V` are rounded.
        """
        with working_precision(self.precision):
            return cross_entropy(self.margins(s).rows, self.multiplicities)

    def loss(self, s: float) -> arb:
        """Enclosure of ``Phi(U(s), V(s))``.

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
            features = FeatureEnclosure(features.network, u, features.inputs, max(features.precision, FIRST_BITS))
        try:
            # twice, so that a binary64 product has the shape of P1's own, at which the platform was tested
            return enclose_margins(features, [v, v], self.labels)[0]
        except NotEnclosed:
            return enclose_margins(sharper(features), [v], self.labels)[0]

    def derivatives(self, s: arb) -> SegmentLoss:
        """Enclose the loss and its first two derivatives in s on P1's segment, a ball ``s`` within [k, k + 1].

        Guarantee: contains the three values, at the exact points, for every s in the ball.
        """
        with working_precision(self.precision):
            kappa = self.kappa.arb()
            end = [[kappa * b for b in row] for row in self.end_margins.rows]
            return loss_along_segment(self.start_margins.rows, end, self.multiplicities, s - len(self.before))

    def _facts(self) -> Facts:
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
            return Facts("A path without increase (P1)", str(Verdict.PROVED), end, values, tuple(tables))
        shift = len(self.before)
        legs = [(f"{k} to {k + 1}", leg.words) for k, leg in enumerate(self.pieces)]
        legs += [(f"{shift + 1} on", f"V = (s - {shift}) kappa V1, U at rest: the ray")]
        tables.insert(0, Table("Piece by piece", ("path time s", "what moves"), tuple(legs)))
        sentence = f"from the start's own (U, V) through {shift} leg{'s' * (shift > 1)} to where P1 begins, "
        sentence += "then V straight to kappa V1 and along t V1, U at rest: the loss strictly decreases, to 0"
        return Facts("A path to loss 0 from this start", str(Verdict.PROVED), sentence, values, tuple(tables))

    def time_of(self, target: Target) -> float:
        """Path time from which the loss stays below the target, rounded up."""
        return self.time_on_ray(target.t)

    def time_on_ray(self, t: Dyadic) -> float:
        """Path time of the ray's point ``t V1``, t >= kappa, rounded up."""
        with working_precision(max(self.precision, FIRST_BITS)):
            return upper_float(t.arb() / self.kappa.arb() + len(self.before))

    def sample(self, times: Sequence[float], *, rounded: bool = True) -> list[tuple[float, float, float]]:
        """``(s, lower bound of the loss, upper bound of the loss)`` at the given times, for plotting.

        The bounds are those of `loss`, or with ``rounded`` false of `exact_loss`: they differ where V1 has large
        entries that cancel, so that rounding V(s) to float64 leaves the path.
        """
        out = []
        for s in times:
            value = self.loss(s) if rounded else self.exact_loss(s)
            out.append((float(s), lower_float(value), upper_float(value)))
        return out


@dataclass(frozen=True, slots=True, repr=False)
class PathResult(Decided, Shown):
    """What is known of the path from this start."""

    verdict: Verdict
    reason: str
    path: Path | None = None

    def _facts(self) -> Facts:
        inner = None if self.path is None else self.path._facts()
        values, tables = ((), ()) if inner is None else (inner.values, inner.tables)
        return Facts("A path without increase (P1)", str(self.verdict), self.reason, values, tables)


def prove_path(
    zero_loss: ZeroLoss,
    start_weights: ExactArray,
    labels: NDArray[np.int64],
    multiplicities: Sequence[int],
    *,
    targets: Sequence[str] = DEFAULT_TARGETS,
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Stage = silent,
) -> PathResult:
    """Certify the path of P1 from ``(U, V0)``.

    Parameters
    ----------
    zero_loss
        A PROVED Z1 for the same U.
    start_weights
        V0, exact, ``(M, m)``.
    labels, multiplicities
        True classes and how often each distinct sample occurs.
    targets
        Losses to be reached, as decimal text ("1e-6").

    Returns
    -------
    PathResult
        Guarantee: ``PROVED`` implies that Phi strictly decreases along the whole path and is at most ``target.loss``
        from
        ``target.t`` on, for each target; below ``log(2)/n`` from ``zero_error_t`` on (L2.1).
    """
    features, gamma = zero_loss.features, zero_loss.gamma
    if features is not None:
        start_weights = given_weights(features.columns, start_weights, "start_weights")
        labels = given_labels(labels, features.samples, start_weights.shape[1])
        multiplicities = given_counts(multiplicities, features.samples)
    if zero_loss.verdict is not Verdict.PROVED or zero_loss.weights is None or features is None or gamma is None:
        return PathResult(Verdict.UNDECIDED, "no certified end of the path: " + zero_loss.reason)
    while True:
        # Both ends with the labels given here: the margins of Z1 may have been made for others.
        try:
            start_margins, end_margins = enclose_margins(
                features, [start_weights, zero_loss.weights], labels, stage("path: margins at both ends")
            )
        except NotEnclosed:
            features = sharper(features)
            continue
        path = segment_and_ray(
            features,
            labels,
            zero_loss.weights,
            start_weights,
            start_margins,
            end_margins,
            gamma,
            multiplicities,
            targets,
        )
        if path is not None:
            ray = ", ".join(f"loss <= {goal.text} from t = {at_most(goal.t)}" for goal in path.targets)
            start = at_most(path.start_loss[1])
            reason = (
                f"kappa m1 > m0 with kappa = {exactly(path.kappa)}: strictly decreasing from at most {start} "
                f"on the segment and the ray; {ray}"
            )
            return PathResult(Verdict.PROVED, reason, path)
        following = sharper(features)
        if following.precision > max_bits:
            break
        features = following
    return PathResult(
        Verdict.UNDECIDED, f"the start's margins are not decided in {arithmetic(features)}; raise max_bits"
    )


def segment_and_ray(
    features: Enclosure,
    labels: NDArray[np.int64],
    end_weights: ExactArray,
    start_weights: ExactArray,
    start: Margins,
    end: Margins,
    gamma: Dyadic,
    multiplicities: Sequence[int],
    targets: Sequence[str],
    origin: Margins | None = None,
) -> Path | None:
    """Find kappa and the times of P1 from the margins at both ends; None if this precision does not decide.

    ``origin`` has the margins of the point whose loss is stated as the start's, if the path came from elsewhere (an
    escape); the segment itself begins at ``start``.

    Guarantee: a result satisfies every obligation of P1.
    """
    classes, bits = end_weights.shape[1], features.precision
    with working_precision(bits):
        kappa = _choose_kappa(start, end)
        if kappa is None or not end.smallest_lo() >= gamma.arb():
            return None
        if not end.scaled_minus(kappa.arb(), start).smallest_lo(room=ENCLOSURE_SLACK) > 0:
            return None
        loss = cross_entropy((origin or start).rows, multiplicities)
        if not loss.is_finite():
            return None
        low, high = stated_loss(loss)
        n = sum(multiplicities)
        threshold = arb(2).log() / n
        zero_error = _time_for(classes, gamma, kappa, threshold.lower(), strict=True)
        reached = []
        for text in targets:
            bound = decimal_below(text)
            time = _time_for(classes, gamma, kappa, bound.arb(), strict=False)
            if time is None:
                return None
            reached.append(Target(text, bound, time))
    if zero_error is None:
        return None
    return Path(
        u=features.u,
        segment_weights=start_weights,
        end_weights=end_weights,
        kappa=kappa,
        gamma=gamma,
        start_margins=start,
        end_margins=end,
        multiplicities=tuple(int(c) for c in multiplicities),
        classes=classes,
        precision=bits,
        start_loss=(low, high),
        zero_error_t=zero_error,
        targets=tuple(reached),
        features=features,
        labels=labels,
    )


def stated_loss(loss: arb) -> tuple[Dyadic, Dyadic]:
    """Round an enclosed loss outwards to what a certificate states; an independent enclosure of it may be wider.

    Guarantee: the loss is between the two.
    """
    room = ENCLOSURE_SLACK * loss.rad() + FINE * loss
    return statable(round_down(loss - room, STATED_BITS), round_up(loss + room, STATED_BITS))


def _choose_kappa(start: Margins, end: Margins) -> Dyadic | None:
    """Propose a power of two above ``1.25 max_ik m0_ik / m1_ik`` and at least 1/16; its condition is proved later."""
    largest = arb(0)
    for first, last in zip(start.rows, end.rows, strict=True):
        for m0, m1 in zip(first, last, strict=True):
            ratio = (m0 / m1).upper()
            if not ratio.is_finite():
                return None
            if ratio > largest:
                largest = ratio
    if not largest > 0:
        return Dyadic(1, -4)
    mantissa, exponent = (largest * arb(fmpq(5, 4))).upper().man_exp()
    return Dyadic(1, max(int(exponent) + int(mantissa).bit_length(), -4))


def _time_for(classes: int, gamma: Dyadic, kappa: Dyadic, loss: arb, *, strict: bool) -> Dyadic | None:
    """A t >= kappa with ``log(1 + (m-1) exp(-t gamma)) <= loss`` (or <), certified."""
    needed = ((classes - 1) / loss.expm1()).log() / gamma.arb()
    if not needed.is_finite():
        return None
    t = needed.upper() * arb(fmpq(1025, 1024)) + arb((fmpz(1), fmpz(-20)))
    candidate = round_up(t)
    if not candidate.arb() >= kappa.arb():
        candidate = kappa
    bound = loss_bound(classes, gamma.arb(), candidate.arb())
    return candidate if (bound < loss if strict else bound <= loss) else None


def decimal_below(text: str) -> Dyadic:
    """The largest binary64-sized dyadic that is <= the decimal number (``1e-400`` works as well).

    Raises
    ------
    ValueError
        If the text is not a positive decimal number.
    """
    if not DECIMAL.fullmatch(text):
        raise ValueError(
            f"target loss {text[:40]!r} is not a decimal number with at most 40 digits and 4 in its exponent"
        )
    value = Fraction(text)
    if value <= 0:
        raise ValueError(f"target loss {text} must be positive")
    exponent = value.numerator.bit_length() - value.denominator.bit_length() - 53
    scaled = value / Fraction(2) ** exponent
    return Dyadic(math.floor(scaled), exponent)
