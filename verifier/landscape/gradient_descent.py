r"""GDV: a certified number of steps of gradient descent on V, in exact arithmetic (THEORY2 GDV).

U is fixed; an output bias is a row of V. Let ``L >= lambda_max(Psi^T diag(c) Psi)/(2n)`` (`smoothness`), so that
``grad_V Phi`` has the Lipschitz constant L, and ``V_{t+1} = V_t - (1/L) grad_V Phi(V_t)``. For every Z and t >= 1

.. math:: \Phi(V_t) \le \Phi(Z) + L\,\|V_0 - Z\|_F^2/(2t),

not increasing in t. Where the bound is below ``log(2)/n`` all samples are classified correctly (L2.1), and so they are
at every later step. Frozen logits K, added to Psi V, change neither the Hessian nor the argument; where entries of V do
not move, the same holds for what moves, if Z agrees with V0 in the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from flint import arb, fmpz
from numpy.typing import NDArray

from verifier.balls.arguments import given_labelled, given_weights
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import Enclosure
from verifier.balls.exact import Dyadic, ExactArray, about, at_most, exactly
from verifier.balls.loss import cross_entropy
from verifier.balls.margins import enclose_margins, with_offset
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_up
from verifier.display import Card, Decided, Shown
from verifier.landscape.descent_goal import Descent, goals
from verifier.landscape.sharpening import sharpened_margins
from verifier.landscape.smoothness import rounding_bits, smoothness_bound
from verifier.network.arguments import BoolArray
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.right_inverse import ENCLOSURE_SLACK, SLACK
from verifier.verdict import Verdict

BITS = 128
"""Bits of the scalar arithmetic."""
ROOM = arb((fmpz(1), fmpz(-8)))
"""Relative room in L, so that a checker that rounds Psi to few bits agrees."""
SMOOTHNESS_BITS = 12
"""Of L, which is part of the algorithm: few, so that it is printed exactly."""
LOSS_BITS = 64
"""Of the bounds of Phi(Z), which may be close to ``log(2)/n``, and of the distance: T may have many digits."""
MOST_ENTRIES = 25_000_000
"""Of a Psi that is held, whole, in floating point."""
MOST_STEPS = 10**18
"""More steps than this are no statement about anything that runs."""


@dataclass(frozen=True, slots=True, repr=False)
class DescentResult(Decided, Shown):
    """GDV: L, the goal Z and the number of steps from which on all samples are classified correctly, when PROVED.

    ``loss_upper`` bounds Phi(Z), ``distance_upper`` bounds ``L |V0 - Z|^2 / 2``: the loss at step t is at most
    ``loss_upper + distance_upper / t``.
    """

    verdict: Verdict
    reason: str
    start_weights: ExactArray
    precision: int
    goal: ExactArray | None = None
    smoothness: Dyadic | None = None
    feature_bits: int = 1
    loss_upper: Dyadic | None = None
    distance_upper: Dyadic | None = None
    steps: int | None = None

    def _card(self) -> Card:
        values = [] if self.steps is None else [("steps", f"{self.steps:,}")]
        if self.smoothness is not None:
            values.append(("L", exactly(self.smoothness)))
        return Card("Gradient descent on V (GDV)", str(self.verdict), self.reason, tuple(values))


def prove_gradient_descent(
    features: Enclosure,
    start_weights: ExactArray,
    ends: Sequence[ExactArray],
    labels: NDArray[np.int64],
    multiplicities: Sequence[int],
    *,
    arcs: BoolArray | None = None,
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Stage = silent,
) -> DescentResult:
    """Find a number of steps after which gradient descent on V has classified all samples, and prove it.

    Parameters
    ----------
    features
        Enclosure of Psi(U), ``(N, M)``.
    start_weights
        V0, exact, ``(M, m)``.
    ends
        Output weights that may classify all samples, ``(M, m)``: V1 of Z1.
    labels, multiplicities
        True classes ``(N,)`` and how often each sample occurs.
    arcs
        Which columns of Psi are connected to which outputs, ``(M, m)``: V moves along these alone. None: all.
    max_bits, stage
        Last precision tried, and progress display.

    Returns
    -------
    DescentResult
        Guarantee: ``PROVED`` implies that the descent from V0 with step 1/L in exact arithmetic has a loss of at most
        ``loss_upper + distance_upper / t`` at every step t >= 1, never increasing, and from ``steps`` on a loss below
        ``log(2)/n`` with all samples classified correctly (THEORY2 GDV). The same where entries of V in which the goal
        agrees with V0 do not move.

    Raises
    ------
    DataError
        If weights, labels or multiplicities do not fit the features.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(2, vf.Dense(2, "identity", skip=True))
    >>> features = vf.FeatureEnclosure(network, np.array([1.0, 0, 0, 1, 0, 0]), np.eye(2), 64)
    >>> start, end = (vf.ExactArray.of_floats(v) for v in (np.zeros((2, 2)), np.eye(2)))
    >>> found = vf.prove_gradient_descent(features, start, [end], [0, 1], [1, 1])
    >>> found.verdict, found.steps < 10
    (<Verdict.PROVED: 'PROVED'>, True)
    """
    start_weights, labels, counts = given_labelled(
        features.samples, features.columns, start_weights, labels, multiplicities
    )
    ends = [given_weights(features.columns, end, "ends") for end in ends]
    if features.samples * features.columns > MOST_ENTRIES:
        reason = f"Psi has more than {MOST_ENTRIES:,} entries: no goal is sought"
        return DescentResult(Verdict.UNDECIDED, reason, start_weights, features.precision)
    stage("GDV: the largest curvature in V")
    psi = features.approx()
    finite = bool(np.isfinite(psi).all())
    bits = rounding_bits(psi) if finite else 1
    bound = smoothness_bound(features, counts, bits) if finite else None
    if bound is None or not bound > 0:
        reason = "no bound of the curvature of the loss in V is known: Psi is not enclosed, or is 0"
        return DescentResult(Verdict.UNDECIDED, reason, start_weights, features.precision)
    with working_precision(BITS):
        smoothness = round_up(bound * (1 + ROOM), SMOOTHNESS_BITS)
    stage("GDV: looking for a goal near the start")
    descent = _descent(features, psi, start_weights, labels, counts, float(smoothness), arcs)
    single = arcs is None and _single_logit(start_weights.approx())
    classifying = [end.approx() for end in ends]
    if single:
        classifying = [end - end[:, :1] for end in classifying]
    candidates = (_short(goal, start_weights) for goal in goals(descent, classifying))
    exact = (_scaled(end, features, labels, counts) for end in ends)
    for goal in filter(None, itertools.chain(candidates, exact)):
        found = _proved(features, start_weights, goal, labels, counts, smoothness, bits, max_bits)
        if found is not None:
            held = "; the same with the first column of V held at 0" if single and _single_logit(goal.approx()) else ""
            return replace(found, reason=found.reason + held)
    reason = "no V near the start is proved to have a loss below log(2)/n, or the steps are more than 10^18"
    return DescentResult(Verdict.UNDECIDED, reason, start_weights, features.precision, smoothness=smoothness)


def _short(goal: NDArray[np.float64], start: ExactArray) -> ExactArray | None:
    """A goal with few digits, but for entries that are those of V0; None if it has none."""
    fixed = start.approx()
    with np.errstate(over="ignore"):
        short = np.where(goal == fixed, fixed, goal.astype(np.float32).astype(np.float64))
    if np.array_equal(short, fixed):
        return start
    return ExactArray.of_floats(short) if np.isfinite(short).all() else None


def _scaled(
    end: ExactArray, features: Enclosure, labels: NDArray[np.int64], counts: Sequence[int]
) -> ExactArray | None:
    """V1 times a power of two, exactly, where floating point does not see its margins; None without any."""
    margins = enclose_margins(features, [end], labels) if not isinstance(features, FloatEnclosure) else []
    with working_precision(features.precision):
        smallest = margins[0].smallest_lo() if margins else arb(0)
        if not smallest > 0:
            return None
        needed = (arb(2 * sum(counts) * end.shape[1])).log() / smallest
        mantissa, exponent = needed.upper().man_exp()
    power = int(exponent) + int(mantissa).bit_length()
    return ExactArray(end.shape, tuple((values, exponent + power) for values, exponent in end.terms))


def _descent(
    features: Enclosure,
    psi: NDArray[np.float64],
    start: ExactArray,
    labels: NDArray[np.int64],
    counts: Sequence[int],
    smoothness: float,
    arcs: BoolArray | None,
) -> Descent:
    """The same in floating point; the first column of a single logit stays 0."""
    v = start.approx()
    free = np.ones((1, v.shape[1]), dtype=bool) if arcs is None else arcs
    if _single_logit(v) and arcs is None:
        free = np.array([[False, True]])
    offset = np.zeros((features.samples, v.shape[1])) if features.offset is None else features.offset
    weights = np.array([float(count) for count in counts])
    return Descent(psi, v, labels, weights, smoothness, offset, free)


def _single_logit(v: NDArray[np.float64]) -> bool:
    """Whether two outputs are a head (0, z), whose first column is not trained."""
    return v.shape[1] == 2 and not v[:, 0].any() and bool(v[:, 1].any())


def _proved(
    features: Enclosure,
    start: ExactArray,
    goal: ExactArray,
    labels: NDArray[np.int64],
    counts: Sequence[int],
    smoothness: Dyadic,
    bits: int,
    max_bits: int,
) -> DescentResult | None:
    """The number of steps that a goal proves; None if it proves none."""
    for enclosure, (margins,) in sharpened_margins(features, [goal], labels, max_bits):
        with working_precision(max(enclosure.precision, BITS)):
            rows = with_offset(margins, enclosure, labels).rows
            wide = tuple(tuple(arb(m.mid(), ENCLOSURE_SLACK * m.rad()) for m in row) for row in rows)
            loss, threshold = cross_entropy(wide, counts) * (1 + SLACK), arb(2).log() / sum(counts)
            if not loss.lower() < threshold:
                return None
            if not loss.upper() < threshold:
                continue
            upper = round_up(loss, LOSS_BITS)
            distance = round_up(smoothness.arb() / 2 * squared_distance(start, goal), LOSS_BITS)
            count = (distance.arb() / (threshold - upper.arb())).upper()
            if not count < MOST_STEPS:
                return None
            steps = int(Dyadic.of_arb(count.floor().mid()).fraction()) + 1
            found = DescentResult(Verdict.PROVED, "", start, enclosure.precision, goal, smoothness, bits, upper)
        words = _words(smoothness, upper, distance, steps)
        return replace(found, distance_upper=distance, steps=steps, reason=words)
    return None


def squared_distance(first: ExactArray, second: ExactArray) -> arb:
    """The exact ``|V - W|_F^2`` of two exact arrays of one shape, rounded once to the working precision.

    Guarantee: the ball contains it.

    Parameters
    ----------
    first, second : ExactArray of shape (M, m)
        V and W.

    Returns
    -------
    arb
        The square.
    """
    (left, low), (right, high) = first.integers(), second.integers()
    common = min(low, high)
    total = sum(((a << (low - common)) - (b << (high - common))) ** 2 for a, b in zip(left, right, strict=True))
    return arb(fmpz(total)) * arb((fmpz(1), fmpz(2 * common)))


def _words(smoothness: Dyadic, loss: Dyadic, distance: Dyadic, steps: int) -> str:
    step = f"1/L = {about(1 / smoothness.arb())} (L = {exactly(smoothness)}, exact arithmetic)"
    bound = f"Phi(V_t) <= {at_most(loss)} + {at_most(distance)} / t at every step t >= 1, never increasing"
    return f"gradient descent on V with step {step} classifies all samples from step T = {steps} on; {bound}"
