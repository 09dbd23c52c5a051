"""How many training samples a given (U, V) classifies correctly, and how many not: certified by the margins' signs.

A sample is classified correctly if the logit of its class is the largest alone: all its margins are positive. A tie is
an error. What the signs do not decide counts as neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.balls.arguments import given_labelled
from verifier.balls.engine import Enclosure, arithmetic
from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most
from verifier.balls.loss import cross_entropy
from verifier.balls.margins import Margins, with_offset
from verifier.balls.precision import working_precision
from verifier.display import Card, Decided, Shown
from verifier.landscape.sharpening import sharpened_margins
from verifier.landscape.targets import stated_loss
from verifier.rank.certify import Stage, silent
from verifier.verdict import Verdict

ENTRIES = 300_000
"""Up to so many features are enclosed by Arb for the sake of samples that binary64 leaves undecided."""
MAX_BITS = 256
"""Last precision tried; an exact tie whose logits are not equal by structure stays undecided."""


@dataclass(frozen=True, slots=True, repr=False)
class TrainingErrors(Decided, Shown):
    """How many samples are certainly misclassified and certainly right, equal ones counted, and bounds of the loss.

    ``PROVED`` if that leaves no sample. ``loss`` encloses the cross-entropy; None if it has no finite enclosure.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(1, vf.Dense(1, "identity", skip=True))
    >>> features = vf.FeatureEnclosure(network, np.array([1.0, 0.0]), np.array([[-1.0], [2.0], [3.0]]), 64)
    >>> found = count_training_errors(features, vf.ExactArray.of_floats([[1.0, 0.0]]), [0, 0, 0], [1, 1, 1])
    >>> print(found.verdict, found.reason)
    PROVED 1 of 3 samples is misclassified (certified in 64 bits); the loss is in [0.4962, 0.4963]
    """

    verdict: Verdict
    reason: str
    wrong: int
    right: int
    total: int
    loss: tuple[Dyadic, Dyadic] | None

    def _card(self) -> Card:
        values = [("misclassified", str(self.wrong)), ("correct", str(self.right)), ("samples", str(self.total))]
        return Card("Training errors at the start's (U, V)", str(self.verdict), self.reason, tuple(values))


def count_training_errors(
    features: Enclosure,
    weights: ExactArray,
    labels: NDArray[np.int64] | Sequence[int],
    multiplicities: Sequence[int],
    *,
    stage: Stage = silent,
) -> TrainingErrors:
    """Count the samples that the given output weights misclassify.

    Parameters
    ----------
    features
        Enclosure of Psi(U), ``(N, M)``; its frozen logits count.
    weights
        V, exact, ``(M, m)``.
    labels, multiplicities
        True classes and how often each distinct sample occurs, N each.
    stage
        Progress display.

    Returns
    -------
    TrainingErrors
        Guarantee: at (U, V) at least ``wrong`` samples have some margin <= 0 and at least ``right`` samples have all
        margins > 0, of ``total``, multiplicities counted; ``loss`` encloses the cross-entropy.

    Raises
    ------
    DataError
        If labels, multiplicities or weights do not fit.
    """
    weights, labels, counts = given_labelled(
        features.samples, features.columns, weights, labels, multiplicities, "weights"
    )
    total, tied = sum(counts), _tied(weights) if features.offset is None else frozenset[int]()
    small = features.samples * features.columns <= ENTRIES
    most = MAX_BITS if small else 0
    for enclosure, (found,) in sharpened_margins(features, [weights], labels, most, stage, "margins of V"):
        with working_precision(enclosure.precision):
            margins = with_offset(found, enclosure, labels)
            right, wrong = _decided(margins, labels.tolist(), counts, tied)
            if right + wrong == total or not small or 2 * enclosure.precision > MAX_BITS:
                loss = cross_entropy(margins.rows, counts)
                bounds = stated_loss(loss) if loss.is_finite() else None
                break
    verdict = Verdict.PROVED if right + wrong == total else Verdict.UNDECIDED
    return TrainingErrors(verdict, _words(right, wrong, total, bounds, enclosure), wrong, right, total, bounds)


def _tied(weights: ExactArray) -> frozenset[int]:
    """Classes with the very V of another class: some margin of their samples is exactly 0, whatever Psi."""
    numbers, _ = weights.integers()
    classes = weights.shape[1]
    columns = [tuple(numbers[k::classes]) for k in range(classes)]
    return frozenset(k for k, column in enumerate(columns) if columns.count(column) > 1)


def _decided(margins: Margins, labels: Sequence[int], counts: Sequence[int], tied: frozenset[int]) -> tuple[int, int]:
    """How many samples are certainly right, and certainly wrong."""
    right = wrong = 0
    for row, label, count in zip(margins.rows, labels, counts, strict=True):
        if label in tied or any(margin <= 0 for margin in row):
            wrong += count
        elif all(margin > 0 for margin in row):
            right += count
    return right, wrong


def _words(right: int, wrong: int, total: int, loss: tuple[Dyadic, Dyadic] | None, enclosure: Enclosure) -> str:
    most = total - right
    many = f"{wrong}" if wrong == most else f"at least {wrong} and at most {most}"
    verb = "is" if many == "1" else "are"
    noun = "sample" if total == 1 else "samples"
    words = f"{many} of {total} {noun} {verb} misclassified (certified in {arithmetic(enclosure)})"
    if loss is not None:
        words += f"; the loss is in [{at_least(loss[0])}, {at_most(loss[1])}]"
    return words
