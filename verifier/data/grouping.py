"""Equal samples (X1): merged into one row each; a certified infimum of the loss if labels conflict.

Glossary: N samples, N' distinct ones, m classes; group g stands for n_g samples, of which c_gk have label k;
n = sum_g n_g.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import flint
import numpy as np

from verifier.data.dataset import Dataset, FloatArray, IntArray
from verifier.display import Brief
from verifier.errors import needs

SHOWN: Final = 3
"""Groups of equal samples, and samples of each, that are listed in words."""
INFIMUM_BITS: Final = 128
"""Arb's working precision for the infimum; binary64 endpoints need about 60."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Equal samples with different labels.

    Parameters
    ----------
    group : int
        Row of the grouped data set.
    indices : tuple of int
        Rows of the original data set, increasing.
    counts : tuple of int
        How often each of the m labels occurs among them, multiplicities counted.
    """

    group: int
    indices: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Grouping(Brief):
    """A data set with equal samples merged.

    Guarantee: the rows of `dataset` are pairwise distinct, in the order of first occurrence, and stand for exactly the
    original samples, with their targets if they have some;
    `infimum`, where given, encloses the infimum of the cross-entropy over all logits (X1).

    Parameters
    ----------
    dataset : Dataset
        (N', d); its labels are None when some conflict.
    group_of : (N,) int64
        The row of `dataset` that each original sample went to.
    label_counts : (N', m) int64 or None
        c_gk; None when the data set has no labels.
    conflicts : tuple of Conflict
        Empty when the labels agree.
    infimum : (float, float) or None
        Lower and upper bound of ``(1/n) sum_g n_g H(c_g / n_g)``; exactly (0, 0) without conflicts; None
        without labels.
    """

    dataset: Dataset
    group_of: IntArray
    label_counts: IntArray | None
    conflicts: tuple[Conflict, ...]
    infimum: tuple[float, float] | None

    @property
    def has_duplicates(self) -> bool:
        """Whether some samples were equal: N' < N."""
        return self.dataset.samples < self.group_of.size

    @property
    def equal(self) -> tuple[tuple[int, ...], ...]:
        """The original samples of every group of two or more, counted from 0 and increasing."""
        order = np.argsort(self.group_of, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(self.group_of[order])) + 1)
        return tuple(tuple(part.tolist()) for part in parts if part.size > 1)

    @property
    def equal_words(self) -> str:
        """Which samples are equal: the first few groups, as ``samples 0 = 2 = 5, 1 = 3``."""
        groups = self.equal
        shown = [" = ".join(map(str, group[:SHOWN])) + (" = ..." if len(group) > SHOWN else "") for group in groups]
        return f"samples {', '.join(shown[:SHOWN])}{', ...' if len(shown) > SHOWN else ''}"

    @property
    def labels_agree(self) -> bool:
        """Whether equal samples have equal labels, so that the infimum of the loss is 0."""
        return not self.conflicts


def group_duplicates(dataset: Dataset) -> Grouping:
    """Merge equal samples, exactly (X1); with frozen logits, those whose logits are equal as well.

    Parameters
    ----------
    dataset : Dataset
        N samples, with or without labels; multiplicities are added up.

    Returns
    -------
    Grouping
        N' <= N distinct samples. Where labels conflict the grouped data set has none, and `infimum` > 0.

    Raises
    ------
    InputError
        The argument is no data set.

    Notes
    -----
    Guarantee: equality is equality of the numbers (a `Dataset` has no -0.0 and no NaN, so bytes decide).

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.dataset_from_arrays([[1.0], [2.0], [1.0]], ["a", "b", "a"])
    >>> grouping = vf.group_duplicates(data)
    >>> grouping.dataset.inputs.tolist(), grouping.dataset.multiplicities.tolist()
    ([[1.0], [2.0]], [2, 1])
    """
    needs(dataset, "Dataset", "multiplicities", "dataset", "make one: dataset_from_arrays(X, y)")
    group_of = distinct_rows(dataset.inputs if dataset.offset is None else np.hstack([dataset.inputs, dataset.offset]))
    _, firsts = np.unique(group_of, return_index=True)
    count = len(firsts)
    multiplicities = np.zeros(count, dtype=np.int64)
    np.add.at(multiplicities, group_of, dataset.multiplicities)
    label_counts = None
    conflicts: tuple[Conflict, ...] = ()
    infimum = None
    labels = None
    if dataset.labels is not None:
        label_counts = np.zeros((count, dataset.classes), dtype=np.int64)
        np.add.at(label_counts, (group_of, dataset.labels), dataset.multiplicities)
        label_counts.flags.writeable = False
        conflicts = tuple(
            Conflict(int(g), tuple(np.flatnonzero(group_of == g).tolist()), tuple(label_counts[g].tolist()))
            for g in np.flatnonzero((label_counts > 0).sum(axis=1) > 1)
        )
        infimum = entropy_infimum(label_counts)
        labels = None if conflicts else dataset.labels[firsts]
    group_of.flags.writeable = False
    if count == dataset.samples:  # all are distinct: the rows are the samples, in their order, and no copy is made
        return Grouping(dataset, group_of, label_counts, conflicts, infimum)
    offset = None if dataset.offset is None else dataset.offset[firsts]
    targets = None
    if dataset.targets is not None:  # those of a group one after the other
        targets = dataset.targets[np.argsort(np.repeat(group_of, dataset.multiplicities), kind="stable")]
    grouped = replace(
        dataset,
        inputs=dataset.inputs[firsts],
        labels=labels,
        multiplicities=multiplicities,
        offset=offset,
        targets=targets,
    )
    return Grouping(grouped, group_of, label_counts, conflicts, infimum)


def distinct_rows(keys: FloatArray) -> IntArray:
    """Number the distinct rows in the order of first occurrence.

    Parameters
    ----------
    keys : (N, d) float64
        Without NaN and without -0.0.

    Returns
    -------
    (N,) int64
        The number of every row. Guarantee: two rows have the same number exactly if all their entries are equal. Rows
        are found by hashes, which hold none of their entries, and compared with the distinct rows of that hash.
    """
    known: dict[int, list[int]] = {}  # of each hash the numbers of its distinct rows
    firsts: list[int] = []
    group_of = np.empty(len(keys), dtype=np.int64)
    for index, row in enumerate(keys):
        alike = known.setdefault(hash(row.tobytes()), [])
        found = next((group for group in alike if np.array_equal(keys[firsts[group]], row)), None)
        if found is None:
            found = len(firsts)
            firsts.append(index)
            alike.append(found)
        group_of[index] = found
    return group_of


def entropy_infimum(label_counts: IntArray) -> tuple[float, float]:
    """Enclose the infimum of the cross-entropy over all logits of grouped samples (X1).

    Parameters
    ----------
    label_counts : (N', m) int64
        c_gk >= 0, with at least one positive entry per row.

    Returns
    -------
    lower, upper : float
        Enclose ``(1/n) sum_g sum_k c_gk log(n_g / c_gk)``; (0, 0) when every row has one positive entry.

    Notes
    -----
    Guarantee: lower <= infimum <= upper (Arb at 128 bits, endpoints rounded outward). [Per group the cross-entropy with
    empirical frequencies is at least their entropy, by Gibbs' inequality, and approaches it.]
    """
    mixed = label_counts[(label_counts > 0).sum(axis=1) > 1]
    if mixed.size == 0:
        return 0.0, 0.0
    with flint.ctx.workprec(INFIMUM_BITS):
        total = flint.arb(0)
        for counts in mixed.tolist():
            size = sum(counts)
            total += sum((c * (flint.arb(size) / c).log() for c in counts if 0 < c < size), start=flint.arb(0))
        infimum = total / int(sum(label_counts.ravel().tolist()))
        lower, upper = float(infimum.lower()), float(infimum.upper())
    return max(0.0, math.nextafter(lower, -math.inf)), math.nextafter(upper, math.inf)
