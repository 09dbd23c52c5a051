"""Enclosures of the margins ``m_ik = G_{i,y_i} - G_ik``, from exact differences of the columns of V."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.margins import float_margins
from verifier.balls.engine import Enclosure
from verifier.balls.exact import ExactArray, lower_float, upper_float
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision
from verifier.display import Brief
from verifier.errors import NetworkError


@dataclass(frozen=True, slots=True, repr=False)
class Margins(Brief):
    """The (m - 1) margins of each of the N samples, as balls; ``rows[i][k]`` skips the true class."""

    rows: tuple[tuple[arb, ...], ...]

    def smallest_lo(self, room: int = 1) -> arb:
        """Exact lower bound of the smallest margin.

        With ``room > 1`` the radii count ``room`` times, so that an independent program with wider enclosures agrees.

        Guarantee: every margin of every sample is >= the result (NaN if some enclosure is not finite).
        """
        if room == 1:
            return _least([m.lower() for row in self.rows for m in row])
        return _least([(m - (room - 1) * m.rad()).lower() for row in self.rows for m in row])

    def scaled_minus(self, factor: arb, other: Margins) -> Margins:
        """Margins of ``factor * V - V_other``."""
        return Margins(
            tuple(
                tuple(factor * a - b for a, b in zip(mine, theirs, strict=True))
                for mine, theirs in zip(self.rows, other.rows, strict=True)
            )
        )

    def floats(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Outward rounded lower and upper bounds, arrays of shape ``(N, m - 1)``."""
        low = np.array([[lower_float(m) for m in row] for row in self.rows])
        return low, np.array([[upper_float(m) for m in row] for row in self.rows])


def with_offset(margins: Margins, features: Enclosure, labels: NDArray[np.int64]) -> Margins:
    """Add the margins of the frozen logits K: those of ``Psi V`` become those of ``Psi V + K``.

    Parameters
    ----------
    margins
        Margins of ``Psi V``, of any V.
    features
        The enclosure of Psi(U), which has K; without K the margins stay as they are.
    labels
        True classes, shape ``(N,)``.

    Returns
    -------
    Margins
        Guarantee: if each ball contained its margin of ``Psi V``, it contains that of ``Psi V + K``.
    """
    rows = offset_margins(features.offset, labels)
    if rows is None:
        return margins
    pairs = zip(margins.rows, rows, strict=True)
    return Margins(tuple(tuple(a + k for a, k in zip(mine, others, strict=True)) for mine, others in pairs))


def offset_margins(offset: NDArray[np.float64] | None, labels: NDArray[np.int64]) -> list[list[arb]] | None:
    """Margins ``K_{i,y_i} - K_ik``, k != y_i, of frozen logits ``(N, m)``; None without them.

    Guarantee: each ball contains the exact difference, at the working precision.

    Parameters
    ----------
    offset : ndarray of shape (N, m) or None
        Frozen logits K.
    labels : ndarray of shape (N,)
        Classes 0..m-1.

    Returns
    -------
    list of list of arb, or None
        For each sample its m - 1 differences.
    """
    if offset is None:
        return None
    found = []
    for row, label in zip(offset.tolist(), labels.tolist(), strict=True):
        own = arb(row[label])
        found.append([own - arb(value) for k, value in enumerate(row) if k != label])
    return found


def offset_drop(offset: NDArray[np.float64] | None, labels: NDArray[np.int64]) -> arb:
    """Bound how far frozen logits may lower a margin: a number of at least 0, at the working precision.

    Guarantee: every ``K_{i,y_i} - K_ik`` is at least minus the result; it is exactly 0 without frozen logits.

    Parameters
    ----------
    offset : ndarray of shape (N, m) or None
        Frozen logits K.
    labels : ndarray of shape (N,)
        Classes 0..m-1.

    Returns
    -------
    arb
        The bound.
    """
    drop = arb(0)
    for row in offset_margins(offset, labels) or []:
        for margin in row:
            drop = drop.max((-margin).upper())
    return drop


def _least(exact: Sequence[arb]) -> arb:
    least = exact[0]
    for value in exact:
        if value.is_nan():
            return value
        if value < least:
            least = value
    return least


def enclose_margins(
    features: Enclosure,
    weights: Sequence[ExactArray],
    labels: NDArray[np.int64],
    progress: Progress | None = None,
) -> list[Margins]:
    """Enclose the margins of several output weight matrices in one pass over Psi.

    Parameters
    ----------
    features
        Enclosure of Psi(U), ``(N, M)``, by either engine.
    weights
        Exact output weights, each of shape ``(M, m)``.
    labels
        True classes, shape ``(N,)``.
    progress
        Called with the fraction done.

    Returns
    -------
    list of Margins
        Guarantee: each ball contains ``sum_j Psi_ij (V_{j,y_i} - V_jk)``. The differences ``V_{j,y} - V_jk`` are formed
        before the product, so that what the columns of V have in common cancels exactly.

    Raises
    ------
    NetworkError
        If labels or weights do not fit.
    NotEnclosed
        If binary64 cannot enclose them, or its products are not as trusted.
    """
    classes = weights[0].shape[1]
    _check(features, weights, labels, classes)
    if isinstance(features, FloatEnclosure):
        return [Margins(tuple(rows)) for rows in float_margins(features, weights, labels, progress)]
    with working_precision(features.precision):
        differences = [_differences(weight, classes) for weight in weights]
    rows: list[list[tuple[arb, ...]]] = [[()] * features.samples for _ in weights]
    for block_rows, block in features.blocks(progress):
        block_labels = labels[block_rows]
        with working_precision(features.precision):
            lines = block.tolist()
            for y in np.unique(block_labels).tolist():
                members = np.flatnonzero(block_labels == y).tolist()
                part = arb_mat(len(members), features.columns, [value for i in members for value in lines[i]])
                for w in range(len(weights)):
                    product = (part * differences[w][y]).tolist()
                    for i, row in zip(members, product, strict=True):
                        rows[w][block_rows.start + i] = tuple(row)
    return [Margins(tuple(found)) for found in rows]


def _check(features: Enclosure, weights: Sequence[ExactArray], labels: NDArray[np.int64], classes: int) -> None:
    """Refuse labels that would leave a sample without margins or compare it with another class."""
    if labels.shape != (features.samples,) or labels.dtype.kind not in "iu":
        raise NetworkError(f"labels have shape {labels.shape}, type {labels.dtype}; give {features.samples} integers")
    if classes < 2 or int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise NetworkError(
            f"labels are in {labels.min()}..{labels.max()}; with m = {classes} columns of V they must be 0..m-1, m >= 2"
        )
    for weight in weights:
        if weight.shape != (features.columns, classes):
            raise NetworkError(f"V has shape {weight.shape}; expected (M, m) = {(features.columns, classes)}")


def _differences(weight: ExactArray, classes: int) -> list[arb_mat]:
    """For each class y the matrix of columns ``V_y - V_k``, k != y."""
    table = weight.arb_mat().tolist()
    return [
        arb_mat(len(table), classes - 1, [row[y] - row[k] for row in table for k in range(classes) if k != y])
        for y in range(classes)
    ]
