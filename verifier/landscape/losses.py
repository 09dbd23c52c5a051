r"""TC.3: a straight segment of output weights on which a convex loss does not increase, to the infimum or close to it.

U is at rest and V goes straight from ``V0`` to ``V1``. Every loss here is convex in the logits, so
``h(s) = Phi(U, V0 + s (V1 - V0))`` is convex, and if its left derivative at 1 is certified to be at most 0 (below 0),
h does not increase (strictly decreases) on [0, 1]. With ``G = Psi V``, true class y and ``m_k = G_y - G_k``:

================  ==================================================================================
cross-entropy     ``log(1 + sum_{k != y} exp(-m_k))``
squared           ``1/2 sum_k (G_k - onehot_k)^2``
one-vs-rest       ``log(1 + exp(-G_y)) + sum_{k != y} log(1 + exp(G_k))``
weston-watkins    ``sum_{k != y} max(0, 1 - m_k)``
crammer-singer    ``max(0, max_{k != y} (1 - m_k))``
================  ==================================================================================

``Phi = (1/n) sum_i sum_y c_iy w_y l_y(G_i)``, c the label counts (equal samples may have different labels: X1), w
positive class weights. Over all logits the infimum of a sample with the weights ``a_y = c_y w_y``, ``A = sum a``, is 0
if only one of them is not 0, else ``sum a log(A/a)`` for cross-entropy (Gibbs), ``sum a log(A/a) + (A-a) log(A/(A-a))``
for one-vs-rest (Gibbs per class), ``sum a (A - a) / 2A`` for the squared loss (the mean is best). Full row rank makes
every matrix of logits a ``Psi V``; then the infimum over V is the same.

The margins of a sample, where labels agree, are the ``m_k``; for one-vs-rest ``G_y`` and the ``-G_k``, k != y; the
squared loss has none. If all are at least gamma > 0 at ``V1``, the loss never increases along ``t V1``, t >= 1, and
tends to 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from flint import arb, arb_mat, fmpz
from numpy.typing import NDArray

from verifier.balls.arguments import given_weights
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import Enclosure, sharper
from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most, round_down, round_up, statable
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.data.gate import integers
from verifier.display import Decided, Facts, Shown
from verifier.errors import DataError
from verifier.landscape.path import decimal_below
from verifier.landscape.separate import QUIETLY, lstsq, proposals, times_right_inverse
from verifier.network.arguments import given_counts
from verifier.network.network import Array
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.right_inverse import ENCLOSURE_SLACK, SLACK, RightInverse
from verifier.verdict import Verdict

LOSSES = ("cross-entropy", "squared", "weston-watkins", "crammer-singer", "one-vs-rest")
HINGES = ("weston-watkins", "crammer-singer")
INFIMUM_BITS = 128
REFINEMENTS = 4
FINE, FINE_BITS = arb((fmpz(1), fmpz(-45))), 50
"""Room and length of the losses that are compared with the infimum: finer than any reasonable epsilon."""
ZERO = Dyadic(0, 0)
STEPS_BACK = (0.0, 2.0**-8, 0.25)
"""Fractions of the way that the end is moved back towards the start; where the end is the minimum, 0 is replaced."""

Row = Sequence[arb]


@dataclass(frozen=True, slots=True, repr=False)
class LossPathResult(Decided, Shown):
    """What is known of the segment V0 -> V1 under one loss.

    ``end_weights`` and the numbers are given when the segment is certified; the verdict is PROVED if it also leads to
    within epsilon of the infimum, or to a ray ``t V1``, t >= 1, on which the loss tends to it (``gamma``). ``strict``:
    strictly decreasing on the segment. ``needs_rank``: the infimum holds because of a proof of full row rank.
    """

    verdict: Verdict
    reason: str
    loss: str
    precision: int
    start_weights: ExactArray
    class_weights: tuple[Dyadic, ...] | None = None
    label_counts: NDArray[np.int64] | None = None
    end_weights: ExactArray | None = None
    start_loss: tuple[Dyadic, Dyadic] | None = None
    end_loss: Dyadic | None = None
    infimum: tuple[Dyadic, Dyadic] | None = None
    gamma: Dyadic | None = None
    strict: bool = False
    needs_rank: bool = False

    def _facts(self) -> Facts:
        values: list[tuple[str, str]] = []
        for name, pair in (("start loss", self.start_loss), ("infimum", self.infimum)):
            if pair is not None:
                values.append((name, f"in [{at_least(pair[0])}, {at_most(pair[1])}]"))
        if self.end_loss is not None:
            values.append(("end loss <=", at_most(self.end_loss)))
        title = f"A path without increase for the loss {self.loss} (TC.3)"
        return Facts(title, str(self.verdict), self.reason, tuple(values))


@dataclass(frozen=True, slots=True)
class _Loss:
    """A loss with its data: label counts ``(N, m)`` and class weights ``(m,)``."""

    name: str
    counts: NDArray[np.int64]
    factors: tuple[Dyadic, ...]

    @property
    def agree(self) -> bool:
        """Whether every sample has labels of one class only."""
        return bool(((self.counts > 0).sum(axis=1) == 1).all())

    @property
    def exact(self) -> bool:
        """Whether `infimum` is the infimum, and not only a lower bound."""
        return self.agree or self.name not in HINGES

    @property
    def total(self) -> int:
        """n, the number of samples with multiplicity."""
        return sum(self.counts.ravel().tolist())

    def weights(self, sample: int) -> list[tuple[int, arb]]:
        """Give the classes y that occur for a sample, with ``c_y w_y``."""
        counts = self.counts[sample].tolist()
        return [(y, c * self.factors[y].arb()) for y, c in enumerate(counts) if c]

    def infimum(self) -> arb:
        """Enclose the infimum over all logits, or for conflicting labels under a hinge loss a lower bound of it.

        Guarantee: see the module; exactly 0 if labels agree.
        """
        if self.agree or not self.exact:
            return arb(0)
        least = {"squared": _least_squares, "cross-entropy": _entropy, "one-vs-rest": _entropies}[self.name]
        total = arb(0)
        for sample in np.flatnonzero((self.counts > 0).sum(axis=1) > 1).tolist():
            total += least([weight for _, weight in self.weights(sample)])
        return total / self.total


def _entropy(weights: Row) -> arb:
    total = sum(weights, arb(0))
    return sum((a * (total / a).log() for a in weights), arb(0))


def _entropies(weights: Row) -> arb:
    total = sum(weights, arb(0))
    return sum((_entropy([a, total - a]) for a in weights), arb(0))


def _least_squares(weights: Row) -> arb:
    total = sum(weights, arb(0))
    return sum((a * (total - a) for a in weights), arb(0)) / (2 * total)


@dataclass(frozen=True, slots=True)
class Segment:
    """Enclosures of the loss at both ends, of a bound of the left derivative at the end, and of the least margin there.

    For one-vs-rest the margin is the smallest of ``G_y`` and ``-G_k``.
    """

    start: arb
    end: arb
    slope: arb
    margin: arb


def loss_and_slope(name: str, g: Row, d: Row, label: int) -> tuple[arb, arb]:
    """Enclose one sample's loss at logits g, and bound its left derivative in the direction d.

    Guarantee: the first ball contains the loss for all logits in their balls; the upper end of the second is at least
    the derivative from the left, at 0, of ``t -> l(g + t d)``, for all g, d in their balls.

    Source: for smooth losses ``<grad l, d>``. A maximum of affine functions has as left derivative the least slope
    among those that attain it; it is at most the largest slope of those that may attain it.
    """
    others = [k for k in range(len(g)) if k != label]
    value, slope = arb(0), arb(0)
    if name == "squared":
        for k, (x, change) in enumerate(zip(g, d, strict=True)):
            rest = x - int(k == label)
            value, slope = value + rest * rest / 2, slope + rest * change
    elif name == "one-vs-rest":
        for k, (x, change) in enumerate(zip(g, d, strict=True)):
            sign = -1 if k == label else 1
            value += (sign * x).exp().log1p()
            slope += sign * change / (1 + (-sign * x).exp())
    elif name == "cross-entropy":
        weight = arb(0)
        for k in others:
            p = (g[k] - g[label]).exp()
            weight, slope = weight + p, slope + p * (d[k] - d[label])
        value, slope = weight.log1p(), slope / (1 + weight)
    else:
        lines = [(1 + g[k] - g[label], d[k] - d[label]) for k in others]
        for group in [[line] for line in lines] if name == "weston-watkins" else [lines]:
            highest, steepest = _upper_envelope(group)
            value, slope = value + highest, slope + steepest
    return value, slope


def _upper_envelope(lines: Sequence[tuple[arb, arb]]) -> tuple[arb, arb]:
    """Enclose ``max(0, lines)`` at 0 and bound its left derivative."""
    highest = arb(0)
    for value, _ in lines:
        highest = highest.max(value)
    active = [slope for value, slope in lines if not value < highest]
    if not any(value > 0 for value, _ in lines):
        active.append(arb(0))
    if all(value <= 0 for value, _ in lines):  # 0 attains the maximum, so no larger slope is the least one
        return highest, arb(0)
    steepest = active[0]
    for slope in active[1:]:
        steepest = steepest.max(slope)
    return highest, steepest


def enclose_segment(
    features: FeatureEnclosure, loss: _Loss, start: ExactArray, end: ExactArray, room: int = ENCLOSURE_SLACK
) -> Segment:
    """Enclose losses, slope and margin of a segment.

    Guarantee: see `Segment`; all radii of the logits are taken ``room`` times, so that an independent program with
    somewhat wider enclosures agrees. ``D = Psi (V1 - V0)`` is made from the exact difference.
    """
    classes, total = end.shape[1], loss.total
    joined = _side_by_side(start, end)
    first, last, slope, margin = arb(0), arb(0), arb(0), arb("inf")
    for rows, block in features.blocks():
        with working_precision(features.precision):
            for offset, line in enumerate((block * joined).tolist()):
                wide = [arb(x.mid(), room * x.rad()) for x in line]
                g0, g1, d = (wide[part * classes : (part + 1) * classes] for part in range(3))
                for y, weight in loss.weights(rows.start + offset):
                    first += weight * loss_and_slope(loss.name, g0, g0, y)[0]
                    value, change = loss_and_slope(loss.name, g1, d, y)
                    last, slope = last + weight * value, slope + weight * change
                    for k, x in enumerate(g1):
                        if k != y:
                            margin = margin.min(-x if loss.name == "one-vs-rest" else g1[y] - x)
                    if loss.name == "one-vs-rest":
                        margin = margin.min(g1[y])
    with working_precision(features.precision):
        return Segment(first / total, last / total, slope / total, margin)


def _side_by_side(start: ExactArray, end: ExactArray) -> arb_mat:
    """Give ``[V0 | V1 | V1 - V0]`` as exact balls."""
    (first, low), (last, other) = start.integers(), end.integers()
    common, (units, classes) = min(low, other), start.shape
    first, last = [v << (low - common) for v in first], [v << (other - common) for v in last]
    rows: list[arb] = []
    for j in range(0, units * classes, classes):
        pair = first[j : j + classes], last[j : j + classes]
        entries = [*pair[0], *pair[1], *(b - a for a, b in zip(*pair, strict=True))]
        rows += [arb((fmpz(v), fmpz(common))) for v in entries]
    return arb_mat(units, 3 * classes, rows)


def prove_loss_path(
    features: Enclosure,
    loss: str,
    start_weights: ExactArray,
    labels: NDArray[np.int64],
    multiplicities: Sequence[int],
    witness: RightInverse | None = None,
    *,
    class_weights: Sequence[Dyadic | float] | None = None,
    epsilon: str = "1e-6",
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Stage = silent,
) -> LossPathResult:
    """Certify a segment from ``(U, V0)`` on which the loss does not increase, to within epsilon of its infimum.

    Parameters
    ----------
    features
        Enclosure of Psi(U), ``(N, M)``.
    loss
        One of `LOSSES`.
    start_weights
        V0, exact, ``(M, m)``.
    labels
        True classes ``(N,)``, or label counts ``(N, m)`` whose rows add up to the multiplicities (X1).
    multiplicities
        How often each distinct sample occurs.
    witness
        A right inverse of Psi(U) if the rank was PROVED, else None.
    class_weights
        Positive factors, one per class; None for all 1.
    epsilon
        Decimal text: how close to the infimum the segment must lead.

    Returns
    -------
    LossPathResult
        Guarantee: ``PROVED`` implies that Phi does not increase on the segment (strictly decreases if ``strict``), that
        the losses at its ends and the infimum over V are in the stated bounds (the infimum, if ``needs_rank``, because
        of the rank), and that the end is within epsilon of the infimum or the ray ``t V1`` leads to it.

    Raises
    ------
    DataError
        If loss, labels, counts or class weights are unusable.
    """
    start_weights, labels = given_weights(features.columns, start_weights, "start_weights"), integers(labels, "labels")
    problem = _checked(features, loss, start_weights, labels, multiplicities, class_weights)
    tolerance = decimal_below(epsilon)
    with working_precision(INFIMUM_BITS):
        infimum = problem.infimum()
    base = LossPathResult(
        Verdict.UNDECIDED,
        "",
        loss,
        features.precision,
        start_weights,
        class_weights=None if class_weights is None else problem.factors,
        label_counts=problem.counts if labels.ndim == 2 else None,
    )
    enclosure = sharper(features) if isinstance(features, FloatEnclosure) else features
    if not np.isfinite(enclosure.approx()).all():
        return replace(base, reason=f"{loss}: features beyond 1e308; make the weights smaller")
    tried, best = [], None
    for method, end in _ends(
        features, enclosure, problem, start_weights, witness, float(tolerance), float(infimum.mid())
    ):
        tried.append(method)
        while True:
            stage(f"{loss}: the segment to V1 ({method}, {enclosure.precision} bits)")
            found = enclose_segment(enclosure, problem, start_weights, end)
            result = _conclude(base, problem, found, end, infimum, witness is not None, epsilon, enclosure.precision)
            if result is not None and result.verdict is Verdict.PROVED:
                return result
            best = result if best is None else best
            # more precision helps only where the slope is open and its enclosure, not the slope itself, is wide
            following = sharper(enclosure)
            decided = result is not None or found.slope > 0 or not problem.exact
            if decided or following.precision > max_bits:
                break
            enclosure = following
    return _undecided(base, tried) if best is None else best


def _undecided(base: LossPathResult, tried: list[str]) -> LossPathResult:
    ways = ", ".join(tried) if tried else "no end was found"
    return replace(base, reason=f"no segment whose slope at its end is certified to be at most 0 ({ways})")


def _conclude(
    base: LossPathResult,
    problem: _Loss,
    found: Segment,
    end: ExactArray,
    infimum: arb,
    full_rank: bool,
    epsilon: str,
    bits: int,
) -> LossPathResult | None:
    """Round the numbers outwards and decide; None if the slope is not certified or something is not finite."""
    with working_precision(bits):
        slope, start_loss, end_loss, margin = (
            value + arb(0, 1) * (ENCLOSURE_SLACK - 1) * value.rad()
            for value in (found.slope, found.start, found.end, found.margin)
        )
        if not (slope <= 0 and start_loss.is_finite() and end_loss.is_finite()):
            return None
        strict = bool(slope < 0)
        start = statable(round_down(start_loss * (1 - SLACK)), round_up(start_loss * (1 + SLACK)))
        last = statable(ZERO, round_up(end_loss * (1 + FINE), FINE_BITS))[1]
        signed = problem.agree and problem.name != "squared" and margin > 0
        gamma = round_down(margin * (1 - SLACK)) if signed else None
    with working_precision(INFIMUM_BITS):
        low, high = round_down(infimum * (1 - FINE), FINE_BITS), round_up(infimum * (1 + FINE), FINE_BITS)
        near = bool(last.arb() - low.arb() <= decimal_below(epsilon).arb())
    needs_rank = gamma is None and full_rank and problem.exact
    bounds = (low, high) if gamma is not None or needs_rank else (low, last)
    movement = "strictly decreasing" if strict else "not increasing"
    most, reached = at_most(start[1]), at_most(last)
    reason = f"{movement} from at most {most} on the segment to V1, where the loss is at most {reached}"
    reason += f"; infimum >= {at_least(low)}"
    if gamma is not None:
        margins = "G_y and -G_k" if problem.name == "one-vs-rest" else "margins"
        reason += f"; beyond V1, along t V1, it tends to 0 ({margins} >= gamma = {at_least(gamma)})"
    if not (near or gamma is not None):
        reason += f"; not proved to be within {epsilon} of the infimum"
    verdict = Verdict.PROVED if near or gamma is not None else Verdict.UNDECIDED
    return replace(
        base,
        verdict=verdict,
        reason=reason,
        precision=bits,
        end_weights=end,
        start_loss=start,
        end_loss=last,
        infimum=bounds,
        gamma=gamma,
        strict=strict,
        needs_rank=needs_rank,
    )


def _ends(
    features: Enclosure,
    enclosure: FeatureEnclosure,
    problem: _Loss,
    start: ExactArray,
    witness: RightInverse | None,
    tolerance: float,
    infimum: float,
) -> Iterator[tuple[str, ExactArray]]:
    """Yield untrusted ends V1: targets for the logits, hit by a right inverse or by least squares; V0 itself last."""
    psi = features.approx()
    now = _product(psi, start.approx())
    if np.isfinite(psi).all() and np.isfinite(now).all():
        target = _target(problem, now, tolerance)
        reached = problem.agree and problem.name != "squared"  # then moving on lowers the loss, and no step back helps
        for back in (0.0,) if reached else (_step_back(problem, now, target, tolerance, infimum), *STEPS_BACK[1:]):
            goal = (1.0 - back) * target + back * now
            if not np.isfinite(goal).all():
                continue
            v = lstsq(psi, goal)
            close = v is not None and float(np.abs(_product(psi, v) - goal).max()) < 1e-9 * float(np.abs(goal).max())
            if v is not None and (close or witness is None):
                yield f"least squares, {back:.2g} of the way back", ExactArray.of_floats(v)
            if witness is not None and not close:
                yield f"right inverse, {back:.2g} of the way back", _solve(enclosure, witness, goal)
        if problem.agree and problem.name not in ("squared", "one-vs-rest"):
            labels = problem.counts.argmax(axis=1)
            for method, weights in proposals(psi, labels, problem.counts.shape[1], witness):
                yield method, _scaled(weights, psi, now, labels, tolerance)
    yield "V1 = V0", start


def _solve(features: FeatureEnclosure, witness: RightInverse, goal: Array) -> ExactArray:
    """Solve ``Psi V = goal`` by refinement with the approximate right inverse; each round gains its accuracy again."""
    v = times_right_inverse(witness, ExactArray.of_floats(goal), features.columns)
    for _ in range(REFINEMENTS):
        logits = np.empty_like(goal)
        for rows, block in features.blocks():
            with working_precision(features.precision):
                product = (block * v.arb_mat()).tolist()
            logits[rows] = [[float(x.mid()) for x in line] for line in product]
        rest = goal - logits
        if not 1e-14 * float(np.abs(goal).max()) < float(np.abs(rest).max()) < math.inf:
            break
        step = times_right_inverse(witness, ExactArray.of_floats(rest), features.columns)
        v = _sum(v, step)
    return v


def _sum(first: ExactArray, second: ExactArray) -> ExactArray:
    (a, low), (b, other) = first.integers(), second.integers()
    common = min(low, other)
    total = [(x << (low - common)) + (y << (other - common)) for x, y in zip(a, b, strict=True)]
    return ExactArray.of_integers(total, first.shape, common)


@QUIETLY
def _product(psi: Array, v: Array) -> Array:
    return psi @ v


@QUIETLY
def _target(problem: _Loss, now: Array, tolerance: float) -> Array:
    """Logits of nearly least loss; those that should be infinite are replaced by a large number."""
    weights: Array = problem.counts * np.array([float(factor) for factor in problem.factors])
    share: Array = weights / weights.sum(axis=1, keepdims=True)
    classes = share.shape[1]
    far = math.log(8 * classes / tolerance) + 1.0 + 2.5 * float(np.abs(now).max())
    if problem.name == "squared":
        return share
    if problem.name in HINGES:
        return 2.0 * share
    if problem.name == "one-vs-rest":
        inner = np.log(share) - np.log1p(-share)
        clipped: Array = np.clip(inner, -far, far)
        return clipped
    floored: Array = np.maximum(np.log(share), -far)
    return floored


@QUIETLY
def _step_back(problem: _Loss, now: Array, target: Array, tolerance: float, infimum: float) -> float:
    """A power of two by which the end may be moved back while it stays within a quarter of the tolerance.

    The excess of the loss is at most this fraction of the start's (its square for the squared loss), by convexity.
    """
    if problem.name == "squared":
        gap = float(0.5 * ((now - target) ** 2).sum(axis=1).max()) * max(float(f) for f in problem.factors)
        step = math.sqrt(tolerance / (4 * gap)) if gap > 0 else 0.25
    else:
        gap = problem.counts.shape[1] * (1.0 + float(np.abs(now).max())) * max(float(f) for f in problem.factors)
        step = tolerance / (4 * gap)
    return 2.0 ** math.floor(math.log2(min(0.25, max(step, 2.0**-40))))


@QUIETLY
def _scaled(weights: ExactArray, psi: Array, now: Array, labels: NDArray[np.int64], tolerance: float) -> ExactArray:
    """Scale separating weights by a power of two: beyond the start's margins, and to the tolerated loss."""
    logits = psi @ weights.approx()
    own = logits[np.arange(len(labels)), labels].copy()
    logits[np.arange(len(labels)), labels] = -np.inf
    margin = float((own - logits.max(axis=1)).min())
    needed = max(math.log(8 * logits.shape[1] / tolerance), 2.5 * float(np.abs(now).max()), 2.0)
    if not (0 < margin < math.inf and needed < math.inf):
        return weights
    power = math.ceil(math.log2(needed / margin))
    return ExactArray(weights.shape, tuple((values, exponent + power) for values, exponent in weights.terms))


def _checked(
    features: Enclosure,
    loss: str,
    start: ExactArray,
    labels: NDArray[np.int64],
    multiplicities: Sequence[int],
    class_weights: Sequence[Dyadic | float] | None,
) -> _Loss:
    if loss not in LOSSES:
        raise DataError(f"loss {loss!r} is unknown; use one of {', '.join(LOSSES)}")
    samples = features.samples
    if len(start.shape) != 2 or start.shape[0] != features.columns or start.shape[1] < 2:
        raise DataError(f"V has shape {start.shape}; expected (M, m) with M = {features.columns} and m >= 2")
    classes, given = start.shape[1], given_counts(multiplicities, samples)
    if labels.shape not in ((samples,), (samples, classes)):
        raise DataError(
            f"labels have shape {labels.shape}; give {samples} integers, or label counts ({samples}, {classes})"
        )
    if int(labels.min()) < 0 or (labels.ndim == 1 and int(labels.max()) >= classes):
        raise DataError(f"labels must be 0..{classes - 1}, label counts not negative")
    counts = labels
    if labels.ndim == 1:
        counts = np.zeros((samples, classes), dtype=np.int64)
        counts[np.arange(samples), labels] = given
    if [sum(row) for row in counts.tolist()] != given:
        raise DataError("each sample's label counts must add up to its multiplicity")
    factors = (Dyadic(1, 0),) * classes
    if class_weights is not None:
        factors = tuple(Dyadic.of(weight, f"class_weights: entry {k}") for k, weight in enumerate(class_weights))
    if len(factors) != classes or any(factor.mantissa <= 0 for factor in factors):
        raise DataError(f"class weights must be {classes} positive numbers")
    return _Loss(loss, counts, factors)
