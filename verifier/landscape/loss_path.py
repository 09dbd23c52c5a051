r"""TC.3: a straight segment of output weights on which a convex loss does not increase, to the infimum or close to it.

U is at rest and V goes straight from ``V0`` to ``V1``. Every loss here is convex in the logits, so
``h(s) = Phi(U, V0 + s (V1 - V0))`` is convex, and if its left derivative at 1 is certified to be at most 0 (below 0),
h does not increase (strictly decreases) on [0, 1]. The losses, their margins and infima: `verifier.landscape.losses`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from flint import arb, fmpz
from numpy.typing import NDArray

from verifier.balls.arguments import given_weights
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import Enclosure, sharper
from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down, round_up, statable
from verifier.data.gate import binary64
from verifier.display import Card, Decided, Shown
from verifier.errors import DataError
from verifier.landscape.loss_ends import proposed_ends
from verifier.landscape.losses import LOSSES, LabelledLoss, Segment, enclose_segment
from verifier.landscape.target_loss import SQUARED_ERROR, TargetLoss
from verifier.landscape.targets import decimal_below
from verifier.network.arguments import given_counts, given_label_counts
from verifier.network.network import Array
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.right_inverse import ENCLOSURE_SLACK, SLACK, RightInverse
from verifier.verdict import Verdict

INFIMUM_BITS = 128
"""Precision of the infimum, far finer than FINE."""
FINE, FINE_BITS = arb((fmpz(1), fmpz(-45))), 50
"""Room and length of the losses that are compared with the infimum: finer than any reasonable epsilon."""
ZERO = Dyadic(0, 0)


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

    def _card(self) -> Card:
        values: list[tuple[str, str]] = []
        for name, pair in (("start loss", self.start_loss), ("infimum", self.infimum)):
            if pair is not None:
                values.append((name, f"in [{at_least(pair[0])}, {at_most(pair[1])}]"))
        if self.end_loss is not None:
            values.append(("end loss <=", at_most(self.end_loss)))
        title = f"A path without increase for the loss {self.loss} (TC.3)"
        return Card(title, str(self.verdict), self.reason, tuple(values))


def prove_loss_path(
    features: Enclosure,
    loss: str,
    start_weights: ExactArray,
    labels: NDArray[np.int64] | None,
    multiplicities: Sequence[int],
    witness: RightInverse | None = None,
    *,
    targets: Array | None = None,
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
        One of `LOSSES`; with targets ``"squared-error"``.
    start_weights
        V0, exact, ``(M, m)``.
    labels
        True classes ``(N,)``, or label counts ``(N, m)`` whose rows add up to the multiplicities (X1); None with
        targets.
    multiplicities
        How often each distinct sample occurs.
    witness
        A right inverse of Psi(U) if the rank was PROVED, else None.
    targets
        Real targets ``(n, m)`` of a regression: those of the first row, as many as its multiplicity, and so on.
    class_weights
        Positive factors, one per class; None for all 1.
    epsilon
        Decimal text: how close to the infimum the segment must lead.
    max_bits, stage
        Last precision tried, and progress display.

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

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(2, vf.Dense(2, "identity", skip=True))
    >>> features = vf.FeatureEnclosure(network, np.array([1.0, 0, 0, 1, 0, 0]), np.eye(2), 64)
    >>> start = vf.ExactArray.of_floats([[0.0, 1.0], [1.0, 0.0]])
    >>> found = vf.prove_loss_path(features, "weston-watkins", start, [0, 1], [1, 1])
    >>> print(found.verdict, vf.at_most(found.end_loss))
    PROVED 0
    """
    start_weights = given_weights(features.columns, start_weights, "start_weights", 2 if targets is None else 1)
    problem = _checked(features, loss, start_weights, labels, multiplicities, class_weights, targets)
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
        label_counts=problem.counts if isinstance(problem, LabelledLoss) and np.ndim(labels) == 2 else None,  # type: ignore[arg-type]
    )
    enclosure = sharper(features) if isinstance(features, FloatEnclosure) else features
    if not np.isfinite(enclosure.approx()).all():
        return replace(base, reason=f"{loss}: features beyond 1e308; make the weights smaller")
    tried, best = [], None
    for method, end in proposed_ends(
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
    problem: LabelledLoss | TargetLoss,
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
        signed = problem.agree and problem.function.decays and margin > 0
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
        margins = problem.function.margin_words
        reason += f"; beyond V1, along t V1, it tends to 0 ({margins} >= gamma = {at_least(gamma)})"
    if not (near or gamma is not None):
        reason += f"; not proved to be within {epsilon} of the infimum"
        reason += "" if full_rank else ": at a U of full rank (M >= N) it would be"
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


def _checked(
    features: Enclosure,
    loss: str,
    start: ExactArray,
    labels: NDArray[np.int64] | None,
    multiplicities: Sequence[int],
    class_weights: Sequence[Dyadic | float] | None,
    targets: Array | None,
) -> LabelledLoss | TargetLoss:
    if targets is not None:
        return _of_targets(features, loss, start, labels, multiplicities, class_weights, targets)
    if labels is None:
        raise DataError("labels: missing; give labels, their counts, or targets")
    if loss not in LOSSES:
        raise DataError(f"loss {loss!r} is unknown; use one of {', '.join(LOSSES)}")
    classes = start.shape[1]
    counts = given_label_counts(labels, features.samples, classes, multiplicities)
    factors = (Dyadic(1, 0),) * classes
    if class_weights is not None:
        factors = tuple(Dyadic.of(weight, f"class_weights: entry {k}") for k, weight in enumerate(class_weights))
    if len(factors) != classes or any(factor.mantissa <= 0 for factor in factors):
        raise DataError(f"class weights must be {classes} positive numbers")
    return LabelledLoss(loss, counts, factors)


def _of_targets(
    features: Enclosure,
    loss: str,
    start: ExactArray,
    labels: NDArray[np.int64] | None,
    multiplicities: Sequence[int],
    class_weights: Sequence[Dyadic | float] | None,
    targets: Array,
) -> TargetLoss:
    if loss != SQUARED_ERROR or labels is not None or class_weights is not None:
        raise DataError(f"with targets the loss is {SQUARED_ERROR!r}, without labels and class weights; not {loss!r}")
    found, counts = binary64(targets, "targets"), given_counts(multiplicities, features.samples)
    if found.shape != (sum(counts), start.shape[1]):
        raise DataError(f"targets have shape {found.shape}; expected ({sum(counts)}, {start.shape[1]}), as V has m")
    return TargetLoss(found, np.array(counts, dtype=np.int64))
