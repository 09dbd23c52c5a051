r"""The squared error against real targets: ``Phi = (1/n) sum_i 1/2 |G_i - T_i|^2``, a loss of a regression.

Equal samples are one row i of Psi with several targets ``T_ij``, j = 1..n_i. With their mean ``mu_i``::

    sum_j 1/2 |G - T_ij|^2 = n_i/2 |G - mu_i|^2 + sum_j 1/2 |T_ij - mu_i|^2

The infimum over all logits is then the second sum over all rows, by n; 0 if equal samples have equal targets. Full
row rank makes every matrix of logits a ``Psi V``: then it is attained, at ``Psi V = mu``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from flint import arb, fmpq
from numpy.typing import NDArray

from verifier.balls.exact import Dyadic
from verifier.landscape.losses import FUNCTIONS, LossFunction, Row
from verifier.network.network import Array

SQUARED_ERROR = "squared-error"
"""The loss's name in reports and certificates."""


@dataclass(frozen=True, eq=False)
class TargetLoss:
    """The squared error with its targets.

    Parameters
    ----------
    targets : (n, m) float64
        Those of row 0, as many as its multiplicity, then those of row 1, and so on.
    multiplicities : (N,) int64
        How many samples each row stands for; their sum is n.
    """

    targets: Array
    multiplicities: NDArray[np.int64]

    name = SQUARED_ERROR
    exact = True

    @property
    def function(self) -> LossFunction:
        """The loss of labels that is most like it: its ends of segments are proposed in the same way."""
        return FUNCTIONS["squared"]

    @property
    def total(self) -> int:
        """n, the number of samples with multiplicity."""
        return len(self.targets)

    @property
    def factors(self) -> tuple[Dyadic, ...]:
        """The weights of the outputs: all 1."""
        outputs: int = self.targets.shape[1]
        return (Dyadic(1, 0),) * outputs

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The place of each row's first target, and n: shape (N + 1,)."""
        return np.concatenate([[0], np.cumsum(self.multiplicities)]).astype(np.int64)

    @cached_property
    def agree(self) -> bool:
        """Whether equal samples have equal targets."""
        return not any(True for _ in self._conflicts())

    def _conflicts(self) -> Iterator[Array]:
        """The targets of each row that has different ones."""
        for row in np.flatnonzero(self.multiplicities > 1).tolist():
            own = self.targets[self.starts[row] : self.starts[row + 1]]
            if (own != own[0]).any():
                yield own

    def means(self) -> Array:
        """The mean target of each row, (N, m), in floating point. Not rigorous."""
        with np.errstate(over="ignore", invalid="ignore"):
            found: Array = np.add.reduceat(self.targets, self.starts[:-1], axis=0) / self.multiplicities[:, None]
        return found

    def part(self, sample: int, g: Row, d: Row) -> tuple[arb, arb]:
        """Enclose a row's share of n Phi at logits g, and of its derivative in the direction d.

        Guarantee: the balls contain both for all g and d in their balls.
        """
        value, slope = arb(0), arb(0)
        for target in self.targets[self.starts[sample] : self.starts[sample + 1]].tolist():
            for x, change, t in zip(g, d, target, strict=True):
                rest = x - arb(t)
                value, slope = value + rest * rest / 2, slope + rest * change
        return value, slope

    def margins(self, sample: int, g: Row) -> list[arb]:
        """Return no margins: real targets have none."""
        return []

    def infimum(self) -> arb:
        """Enclose the infimum over all logits; exactly 0 if equal samples have equal targets.

        Guarantee: see the module. Each row's share is a rational number, computed exactly.
        """
        total = arb(0)
        for own in self._conflicts():
            count, share = len(own), Fraction(0)
            for column in own.T.tolist():
                exact = [Fraction(t) for t in column]
                share += count * sum(t * t for t in exact) - sum(exact) ** 2
            share /= 2 * count
            total += arb(fmpq(share.numerator, share.denominator))
        return total / self.total
