"""TC.3 of a regression: the squared error against real targets along the segment V0 -> V1.

Glossary: sample i stands for n_i samples with the targets T_ij, j = 1..n_i, n = sum n_i; Phi is the
mean of ``|G_i - T_ij|^2 / 2`` over all i, j, with G = Psi V; D = Psi (V1 - V0). Phi is convex in V, and its slope along
the segment at V1 is the mean of ``<G_i - T_ij, D_i>``.
"""

from typing import Any

from flint import arb, arb_mat

from .claims import MarginClaim, Rows, sides
from .common import Exact, precision, require
from .container import Arrays
from .losses import LOSS_COPIES, ZERO, LossClaim


class TargetClaim(LossClaim):
    """One claim TC.3 about the squared error of real targets."""

    def __init__(self, raw: Any, network: Any, arrays: Arrays, data: Any) -> None:
        MarginClaim.__init__(self, raw, network, arrays, data)
        path, targets = raw.path, data.targets
        require(raw.loss == "squared-error", path + "/loss", "TC.3.targets", "real targets have one loss", raw.loss)
        for key in ("class_weights", "label_counts", "gamma"):
            given = getattr(raw, key) is not None
            require(not given, f"{path}/{key}", "TC.3.targets", "is for labels, and these data have real targets")
        self.entries, self.exact, self.totals = LOSS_COPIES * data.classes, True, [ZERO] * 3
        bits = max(self.start.bits, self.end.bits) + abs(self.start.exponent - self.end.exponent) + 64
        with precision(bits):  # enough for the exact difference
            first, last = self.start.balls(), self.end.balls()
            self.weights = first, last, last - first
        self.own = own_targets(targets, data.multiplicities)

    def take(self, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> Any:
        """Return the samples' shares of the losses at V0 and V1 and of the slope at V1, times n."""
        psi, found = arb_mat(rows), [ZERO] * 3
        starts, ends, changes = ((psi * v).tolist() for v in self.weights)
        for sample, *lines in zip(samples, starts, ends, changes, strict=True):
            for target in self.own[sample]:
                for t, g0, g1, d in zip(target, *lines, strict=True):
                    goal = arb((t, self.data.targets.exponent))  # exact
                    first, last = g0 - goal, g1 - goal
                    share = first * first / 2, last * last / 2, last * d  # Coq: TC3 here
                    found = [total + part for total, part in zip(found, share, strict=True)]
        require(all(map(arb.is_finite, found)), self.raw.path, "TC.3.finite", "a loss or its slope is not finite")
        return sides(found)

    def least(self) -> arb:
        """Enclose n times the infimum over all logits.

        Guarantee: ``sum_j |G - T_ij|^2 / 2`` is ``n_i |G - mean|^2 / 2`` and ``sum_j |T_ij - mean|^2 / 2`` together.
        The latter is ``(n_i sum_j |T_ij|^2 - |sum_j T_ij|^2) / (2 n_i)``: its numerator is an exact integer times a
        power of 2.
        """
        total, scale = ZERO, arb((1, 2 * self.data.targets.exponent))
        for own in self.own:
            count, columns = len(own), list(zip(*own, strict=True))
            spread = sum(count * sum(t * t for t in column) - sum(column) ** 2 for column in columns)
            total += arb(spread) * scale / (2 * count)
        return total


def own_targets(targets: Exact, multiplicities: list[int]) -> list[list[list[int]]]:
    """Return each sample's targets, as integers: as many rows as its multiplicity."""
    rows, start, found = [list(map(int, row)) for row in targets.integers.tolist()], 0, []
    for count in multiplicities:
        found.append(rows[start : start + count])
        start += count
    return found
