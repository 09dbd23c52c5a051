"""GDV: gradient descent on the output weights has classified all samples after a stated number of steps.

Glossary: V_(t+1) = V_t - (1/L) grad Phi(V_t), Phi the cross-entropy as a function of V alone, the hidden weights at
rest; Z is any other V; n = sum_i mult_i. Psi_D has the rows sqrt(mult_i) psi_i.
"""

import itertools
import math
from collections.abc import Iterator
from operator import mul
from typing import Any

from flint import arb, fmpz_mat

from .arithmetic import groups
from .claims import BOUND_PRECISION, NORM_BITS, MarginClaim, Rows, loss_of, sides
from .common import Exact, above, below, precision, require
from .container import Arrays
from .rounding import distance, rounded
from .sentences import sentence

ROOT_BITS = 16  # behind the point of the roots of multiplicities, rounded up
MAX_SQUARINGS = 8  # of a Gram matrix, until the bound of its norm is sharp enough
FAR = 1.25  # times the bound that is needed: a larger Frobenius norm of some rows is none that will suffice for all


def root(count: int, bits: int) -> int:
    """Return the least integer that is at least 2^bits times the root of an integer."""
    return math.isqrt((count << 2 * bits) - 1) + 1


def norm_bounds(x: fmpz_mat) -> Iterator[arb]:
    """Yield upper bounds of the 2-norm of an integer matrix, sharper and sharper, each dearer than the one before.

    Guarantee: each is at least ||X||_2: it is ||S^q||_F^(1/2q), S = X^T X, q = 1, 2, 4, .. Before a squaring S =
    2^h (T + D), T its integer part, 0 <= D_ij < 1, so ||S||_2 <= 2^h (||T||_2 + K), T symmetric, K x K.
    """
    square, size, dropped = x.transpose() * x, x.ncols(), list[tuple[int, int]]()
    for _ in range(MAX_SQUARINGS + 1):
        entries = list(map(int, square.entries()))
        norm = arb(sum(entry * entry for entry in entries)).sqrt()
        for shift, lost in reversed(dropped):
            norm = (norm.sqrt() + lost) * arb((1, shift))
        yield norm.sqrt()
        shift = max(0, max(map(abs, entries)).bit_length() - NORM_BITS)
        dropped.append((shift, size if shift else 0))
        square = fmpz_mat(size, size, [entry >> shift for entry in entries])
        square = square * square


def squared_distance(first: Exact, second: Exact) -> arb:
    """Return ||V - W||_F^2, computed exactly and rounded once."""
    low = min(first.exponent, second.exponent)
    left, right = first.exponent - low, second.exponent - low
    pairs = zip(first.integers.entries(), second.integers.entries(), strict=True)
    total = sum(((int(a) << left) - (int(b) << right)) ** 2 for a, b in pairs)
    return arb(total) * arb((1, 2 * low))


class DescentClaim(MarginClaim):
    """One claim GDV, and what is known of Phi(Z) and of the features rounded to integers so far."""

    def __init__(self, raw: Any, network: Any, arrays: Arrays, data: Any) -> None:
        super().__init__(raw, network, arrays, data)
        # Coq: GDV L_gt0
        require(
            raw.smoothness > 0, raw.path + "/smoothness", "GDV.smoothness", "must be above 0", above(raw.smoothness)
        )
        self.entries += network.columns
        self.root_bits = ROOT_BITS if max(data.multiplicities) > 1 else 0
        self.roots = {count: root(count, self.root_bits) for count in set(data.multiplicities)}
        self.samples, self.columns = network.samples, network.columns
        self.integers_needed = False  # of all rows: the Frobenius norm of Psi_D does not suffice
        self.forget()

    def forget(self) -> None:
        """Begin anew: no row has been seen."""
        self.totals, self.squares, self.error = [arb(0)], arb(0), arb(0)  # of them ||Psi_D||_F^2, bounded from above
        self.blocks: list[fmpz_mat] = []  # 2^(root_bits + k) Psi_D, rounded; the order of the rows does not matter

    def take(self, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> Any:
        """Return the samples' share of n Phi(Z) and of ||Psi_D||_F^2; their rows as integers where that is large.

        Guarantee: with the integers a of a row, |2^k Psi_ij - a_ij| <= the error.
        """
        ends = self.of_logits(samples, self.margins(self.end, samples, rows, shared))
        mult, total, squares = self.data.multiplicities, arb(0), arb(0)
        for sample, row, margins in zip(samples, rows, ends, strict=True):
            total += mult[sample] * loss_of(margins, self.counts(sample))
            squares += mult[sample] * sum(map(mul, row, row), arb(0))
        require(total.is_finite(), self.raw.path + "/end_weights", "GDV.loss", "the loss at Z is not finite")
        integers, error = list[int](), arb(0)
        enough = squares <= FAR * self.raw.smoothness * 2 * sum(mult[sample] for sample in samples)
        if self.integers_needed or not enough:
            integers, error = self.scaled(samples, rows, shared)
        return sides([total, squares, error]), integers

    def scaled(self, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> tuple[list[int], arb]:
        """Return the integers a of these rows, times the roots, and a bound of |2^k Psi_ij - a_ij|."""
        k, error, found, start = self.raw.feature_bits, arb(0), list[int](), 0
        for _, psi in self.by_label(samples, rows, shared):
            stop = start + psi.nrows()
            integers = rounded(list(itertools.chain(*rows[start:stop])), k, self.raw.path)
            error = error.max(distance(psi, k, fmpz_mat(psi.nrows(), self.columns, integers)))
            for sample, row in zip(samples[start:stop], groups(integers, self.columns), strict=True):
                factor = self.roots[self.data.multiplicities[sample]]
                found += row if factor == 1 else [factor * entry for entry in row]
            start = stop
        return found, error

    def merge(self, taken: Any) -> None:
        """Add what `take` found of some samples: their loss, their squares, their rows as integers and the error."""
        (loss, (_, squares), (_, error)), integers = taken
        super().merge([loss])
        self.squares = (self.squares + arb(squares)).upper()
        self.error = self.error.max(arb(error))
        if integers:
            self.blocks.append(fmpz_mat(len(integers) // self.columns, self.columns, integers))

    def complete(self) -> bool:
        """Return whether the integers of all rows are there."""
        return sum(block.nrows() for block in self.blocks) == int(self.samples)

    def again(self) -> bool:
        """Return whether it must see all rows once more: the Frobenius norm is not enough, and integers are missing."""
        if self.squares <= self.raw.smoothness * 2 * self.data.total or self.complete():
            return False
        self.integers_needed = True
        self.forget()
        return True

    def lipschitz_bounds(self) -> Iterator[arb]:
        """Yield upper bounds of ||Psi_D||_2^2 / (2n), sharper and sharper.

        Guarantee: the first is ||Psi_D||_F^2 / (2n). For the others ||2^k Psi_D - a_D||_F <= e sqrt(n M), a_D the rows
        times the roots; the roots are rounded up, which makes the norm no smaller.
        """
        total, k = self.data.total, self.raw.feature_bits
        yield self.squares / (2 * total)
        if not self.complete():
            return
        x = fmpz_mat([row for block in self.blocks for row in block.tolist()])
        lost = self.error * arb(total * self.columns).sqrt()
        for norm in norm_bounds(x if self.columns <= self.samples else x.transpose()):
            whole = (norm * arb((1, -self.root_bits)) + lost) * arb((1, -k))
            yield whole * whole / (2 * total)

    def conclude(self) -> dict[str, object]:
        """Compare L, the loss at Z and the number of steps.

        Guarantee: the Hessian of log sum exp is diag(p) - p p^T <= I/2, so grad Phi has the Lipschitz constant
        ||Psi_D||_2^2 / (2n) <= L, and Phi(V+) <= Phi(V) - ||g||^2 / (2L) for V+ = V - g/L, g = grad Phi(V). With
        convexity, Phi(V) - Phi(Z) <= <g, V - Z>: Phi(V+) - Phi(Z) <= (L/2) (||V - Z||^2 - ||V+ - Z||^2). Summed over t
        steps: Phi(V_t) <= Phi(Z) + L ||V_0 - Z||^2 / (2t), not increasing; below log(2)/n nothing is misclassified.
        Where entries of V do not move, g is what is left of the gradient, and the same holds if Z has V_0's entries.
        """
        raw, total = self.raw, self.data.total
        with precision(BOUND_PRECISION):
            bound = arb("inf")
            for bound in self.lipschitz_bounds():
                if bound <= raw.smoothness:
                    break
            path, message = raw.path + "/smoothness", "is not proved to be at least ||Psi_D||_2^2 / (2n)"
            # Coq: GDV smoothness
            require(bound <= raw.smoothness, path, "GDV.smoothness", message, below(raw.smoothness), above(bound))
        with precision(max(self.precision, BOUND_PRECISION)):
            loss, message = self.totals[0] / total, "the loss at Z is not proved to be at most this"
            # Coq: GDV end_loss
            require(loss <= raw.loss, raw.path + "/loss", "GDV.loss", message, above(raw.loss), above(loss))
            distance = raw.smoothness * squared_distance(self.start, self.end) / 2
            reached, needed = raw.loss + distance / raw.steps, arb(2).log() / total
            path, message = raw.path + "/steps", "the bound of the loss at this step is not below log(2)/n"
            require(reached < needed, path, "GDV.steps", message, raw.steps, above(reached))  # Coq: GDV enough
        numbers = {"smoothness": exactly(raw.smoothness), "loss": above(raw.loss), "distance": above(distance)}
        return {"statement": sentence("GDV", steps=raw.steps, **numbers), "steps": raw.steps}


def exactly(number: arb) -> str:
    """Write an exact number as an integer times a power of two."""
    return "{} * 2^{}".format(*map(int, number.man_exp()))
