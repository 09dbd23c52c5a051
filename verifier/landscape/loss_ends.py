"""Untrusted ends of a segment of output weights on which a convex loss falls: proposals for TC.3.

Guarantee: none. The slope at the end decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from verifier.balls.engine import Enclosure
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.landscape.losses import LabelledLoss, differences
from verifier.landscape.separate import QUIETLY, approx_margin, lstsq, proposals, times_right_inverse
from verifier.landscape.target_loss import TargetLoss
from verifier.network.network import Array
from verifier.rank.right_inverse import RightInverse

REFINEMENTS = 4
"""Rounds in which a right inverse improves its own solution; each gains the digits that the inverse has."""
STEPS_BACK = (2.0**-8, 0.25)
"""Fractions of the way that the end is moved back towards the start, after a much smaller one."""


def proposed_ends(
    features: Enclosure,
    enclosure: FeatureEnclosure,
    loss: LabelledLoss | TargetLoss,
    start: ExactArray,
    witness: RightInverse | None,
    tolerance: float,
    infimum: float,
) -> Iterator[tuple[str, ExactArray]]:
    """Yield untrusted ends V1 of a segment: targets for the logits, hit as well as can be; V0 itself comes last.

    Parameters
    ----------
    features, enclosure
        Psi(U), ``(N, M)``, as it was given, and by Arb.
    loss
        The loss with its label counts and class weights.
    start
        V0, exact, ``(M, m)``.
    witness
        A right inverse of Psi(U), if the rank is proved; without one least squares must do.
    tolerance, infimum
        How close to the infimum the end should lead, and the infimum itself, both in floating point.

    Yields
    ------
    tuple of str and ExactArray
        The name of the method, and V1 of shape ``(M, m)``. Not rigorous.
    """
    psi = features.approx()
    now = _product(psi, start.approx())
    if np.isfinite(psi).all() and np.isfinite(now).all():
        target = _target(loss, now, tolerance)
        reached = loss.agree and loss.function.decays  # then moving on lowers the loss, and no step back helps
        for back in (0.0,) if reached else (_step_back(loss, now, target, tolerance, infimum), *STEPS_BACK):
            goal = (1.0 - back) * target + back * now
            if not np.isfinite(goal).all():
                continue
            v = lstsq(psi, goal)  # if it hits the goal: shorter numbers than the right inverse gives
            close = v is not None and float(np.abs(_product(psi, v) - goal).max()) < 1e-9 * float(np.abs(goal).max())
            if v is not None and (close or witness is None):
                yield f"least squares, {back:.2g} of the way back", ExactArray.of_floats(v)
            if witness is not None and not close:
                yield f"right inverse, {back:.2g} of the way back", _solve(enclosure, witness, goal)
        if isinstance(loss, LabelledLoss) and reached and loss.function.margins is differences:
            labels = loss.counts.argmax(axis=1)
            for method, weights in proposals(psi, labels, loss.counts.shape[1], witness):
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
def _target(loss: LabelledLoss | TargetLoss, now: Array, tolerance: float) -> Array:
    """Logits of nearly least loss; those that should be infinite are replaced by a large number."""
    if isinstance(loss, TargetLoss):
        return loss.means()
    weights: Array = loss.counts * np.array([float(factor) for factor in loss.factors])
    share: Array = weights / weights.sum(axis=1, keepdims=True)
    classes = share.shape[1]
    far = math.log(8 * classes / tolerance) + 1.0 + 2.5 * float(np.abs(now).max())
    return loss.function.best_logits(share, far)


@QUIETLY
def _step_back(loss: LabelledLoss | TargetLoss, now: Array, target: Array, tolerance: float, infimum: float) -> float:
    """A power of two by which the end may be moved back while it stays within a quarter of the tolerance.

    The excess of the loss is at most this fraction of the start's (its square for the squared loss), by convexity.
    """
    if not loss.function.decays:
        gap = float(0.5 * ((now - target) ** 2).sum(axis=1).max()) * max(float(f) for f in loss.factors)
        step = math.sqrt(tolerance / (4 * gap)) if gap > 0 else 0.25
    else:
        gap = len(loss.factors) * (1.0 + float(np.abs(now).max())) * max(float(f) for f in loss.factors)
        step = tolerance / (4 * gap)
    return 2.0 ** math.floor(math.log2(min(0.25, max(step, 2.0**-40))))


@QUIETLY
def _scaled(weights: ExactArray, psi: Array, now: Array, labels: NDArray[np.int64], tolerance: float) -> ExactArray:
    """Scale separating weights by a power of two: beyond the start's margins, and to the tolerated loss."""
    margin = approx_margin(psi, weights.approx(), labels)
    needed = max(math.log(8 * weights.shape[1] / tolerance), 2.5 * float(np.abs(now).max()), 2.0)
    if not (0 < margin < math.inf and needed < math.inf):
        return weights
    power = math.ceil(math.log2(needed / margin))
    return ExactArray(weights.shape, tuple((values, exponent + power) for values, exponent in weights.terms))
