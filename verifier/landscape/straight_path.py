r"""P1: a straight segment and a ray on which the loss strictly decreases to zero.

From the start ``V0`` the path goes straight to ``kappa V1`` (U fixed), then along the ray ``t V1``, t >= kappa, where
V1 has margins
``m1_ik > 0`` (Z1). Along the segment ``h(s) = Phi(U, V0 + s (kappa V1 - V0))`` is convex, and

.. math:: h'(1) = -\frac1n \sum_i \sum_{k \ne y_i} p_{ik}\,(\kappa m^1_{ik} - m^0_{ik}),

so ``kappa m1_ik > m0_ik`` for all i, k gives h'(1) < 0 and by convexity ``h'(s) <= h'(1) < 0`` for all s in [0, 1].
On the ray the loss
strictly decreases because every margin is positive. Two numbers, kappa and gamma, certify an infinite continuous path.
Frozen logits K, added to Psi V, change none of this: in ``D_ik = (kappa Psi V1 + K) - (Psi V0 + K)`` they cancel. Only
the values of the loss, and the times at which bounds of it are reached, depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, fmpq
from numpy.typing import NDArray

from verifier.balls.arguments import given_labelled
from verifier.balls.engine import Enclosure, arithmetic
from verifier.balls.exact import Dyadic, ExactArray, at_most, exactly
from verifier.balls.loss import cross_entropy
from verifier.balls.margins import Margins, offset_drop, with_offset
from verifier.balls.precision import working_precision
from verifier.display import Card, Decided, Shown
from verifier.landscape.path import Path
from verifier.landscape.sharpening import sharpened_margins
from verifier.landscape.targets import DEFAULT_TARGETS, Target, decimal_below, stated_loss, time_for
from verifier.landscape.zero_loss import ZeroLoss
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.right_inverse import ENCLOSURE_SLACK
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class PathResult(Decided, Shown):
    """What is known of the path from this start.

    Examples
    --------
    >>> import verifier as vf
    >>> zero = vf.ZeroLoss(vf.Verdict.UNDECIDED, "no V1 was found", 64)
    >>> found = vf.prove_path(zero, vf.ExactArray.of_floats([[1.0, 0.0]]), [0], [1])
    >>> print(found.verdict, found.path, found.reason)
    UNDECIDED None no certified end of the path: no V1 was found
    """

    verdict: Verdict
    reason: str
    path: Path | None = None

    def _card(self) -> Card:
        inner = None if self.path is None else self.path._card()
        values, tables = ((), ()) if inner is None else (inner.values, inner.tables)
        return Card("A path without increase (P1)", str(self.verdict), self.reason, values, tables)


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
    max_bits, stage
        Last precision tried, and progress display.

    Returns
    -------
    PathResult
        Guarantee: ``PROVED`` implies that Phi strictly decreases along the whole path and is at most ``target.loss``
        from
        ``target.t`` on, for each target; below ``log(2)/n`` from ``zero_error_t`` on (L2.1).

    Raises
    ------
    DataError
        If start weights, labels or multiplicities do not fit the features.
    ValueError
        If a target is no positive decimal.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(2, vf.Dense(2, "identity", skip=True))
    >>> features = vf.FeatureEnclosure(network, np.array([1.0, 0, 0, 1, 0, 0]), np.eye(2), 64)
    >>> zero = vf.prove_zero_loss(features, [0, 1], 2)
    >>> start = vf.ExactArray.of_floats([[0.0, 1.0], [1.0, 0.0]])
    >>> path = vf.prove_path(zero, start, [0, 1], [1, 1], targets=["1e-6"]).path
    >>> path.V(0.0).tolist(), vf.at_most(path.targets[0].t)
    ([[0.0, 1.0], [1.0, 0.0]], '13.83')
    """
    features, gamma = zero_loss.features, zero_loss.gamma
    if features is not None:
        start_weights, labels, multiplicities = given_labelled(
            features.samples, features.columns, start_weights, labels, multiplicities
        )
    if zero_loss.verdict is not Verdict.PROVED or zero_loss.weights is None or features is None or gamma is None:
        return PathResult(Verdict.UNDECIDED, "no certified end of the path: " + zero_loss.reason)
    # Both ends with the labels given here: the margins of Z1 may have been made for others.
    ends, task = [start_weights, zero_loss.weights], "path: margins at both ends"
    for enclosure, (start_margins, end_margins) in sharpened_margins(features, ends, labels, max_bits, stage, task):
        path = segment_and_ray(
            enclosure,
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
    return PathResult(
        Verdict.UNDECIDED, f"the start's margins are not decided in {arithmetic(enclosure)}; raise max_bits"
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
    """Find kappa and the times of P1 from the margins at both ends.

    Parameters
    ----------
    features, labels
        Enclosure of Psi(U), ``(N, M)``, and the true classes ``(N,)``.
    end_weights, start_weights
        V1 and V0, exact, ``(M, m)``.
    start, end
        Enclosures of the margins of V0 and of V1, at the precision of ``features``.
    gamma
        What every margin of V1 is at least.
    multiplicities, targets
        How often each sample occurs, and losses to be reached, as decimal text.
    origin
        Margins of the point whose loss is stated as the start's, if the path came from elsewhere (an escape); the
        segment itself begins at ``start``.

    Returns
    -------
    Path or None
        Guarantee: a result satisfies every obligation of P1. None if this precision does not decide. Source: Phi is
        convex in V; see the module's text.
    """
    classes, bits = end_weights.shape[1], features.precision
    with working_precision(bits):
        kappa = proposed_kappa(start, end)
        if kappa is None or not end.smallest_lo() >= gamma.arb():
            return None
        if not end.scaled_minus(kappa.arb(), start).smallest_lo(room=ENCLOSURE_SLACK) > 0:
            return None
        loss = cross_entropy(with_offset(origin or start, features, labels).rows, multiplicities)
        if not loss.is_finite():
            return None
        low, high = stated_loss(loss)
        drop = offset_drop(features.offset, labels)
        n = sum(multiplicities)
        threshold = arb(2).log() / n
        zero_error = time_for(classes, gamma, kappa, threshold.lower(), strict=True, drop=drop)
        reached = []
        for text in targets:
            bound = decimal_below(text)
            time = time_for(classes, gamma, kappa, bound.arb(), strict=False, drop=drop)
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


def proposed_kappa(start: Margins, end: Margins) -> Dyadic | None:
    """Propose a power of two above ``1.25 max_ik m0_ik / m1_ik`` and at least 1/16; its condition is proved later.

    Parameters
    ----------
    start, end
        Enclosures of the margins where a segment begins, and of V1.
    """
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
