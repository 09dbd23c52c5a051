"""Classes with equal columns of output weights: they have equal logits, so that one of them is evaluated for all."""

import hashlib
from array import array
from typing import Any

from flint import fmpz_mat

from .common import Exact


class Classes:
    """A partition of the classes into groups; in a group, the columns of each of some output weights are equal.

    Groups are numbered by their first classes: `first` has these, `sizes` the numbers of classes, `group` the group of
    each class. `digest` is the same for equal partitions.
    """

    def __init__(self, weights: list[Exact], classes: int) -> None:
        columns = [by_column(exact, classes) for exact in weights]
        self.group, self.first, self.sizes = list[int](), list[int](), list[int]()
        known: dict[Any, int] = {}
        for k in range(classes):
            number = known.setdefault(tuple(column[k] for column in columns), len(self.first))
            if number == len(self.first):
                self.first.append(k)
                self.sizes.append(0)
            self.sizes[number] += 1
            self.group.append(number)
        self.digest = hashlib.sha256(array("q", self.group).tobytes()).digest()

    def others(self, label: int) -> tuple[list[int], list[int]]:
        """Return the groups that have classes other than the label, and the numbers of these classes."""
        own = self.group[label]
        found = [(g, size - (g == own)) for g, size in enumerate(self.sizes) if size > (g == own)]
        return [g for g, _ in found], [count for _, count in found]

    def columns(self, exact: Exact) -> Exact:
        """Return the matrix with one column for each group of classes whose columns are equal."""
        rows = exact.integers.nrows()
        entries = [exact.integers[j, k] for j in range(rows) for k in self.first]
        return exact._replace(integers=fmpz_mat(rows, len(self.first), entries))


def by_column(exact: Exact, classes: int) -> list[tuple[int, ...]]:
    """Return the columns of a matrix of integers."""
    rows, entries = exact.integers.nrows(), exact.integers.transpose().entries()
    return [tuple(map(int, entries[k * rows : (k + 1) * rows])) for k in range(classes)]
