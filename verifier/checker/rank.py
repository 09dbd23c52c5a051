"""R1 and R3: full row rank of Psi and a lower bound of its smallest singular value, from a claimed right inverse.

Glossary: a = integers near 2^k Psi (the used columns), |2^k Psi_ij - a_ij| <= e; X = 2^-s X_int the claimed right
inverse; E = 2^(k+s) I - a X_int the exact integer residual.
"""

from __future__ import annotations

import itertools
from operator import add, mul
from typing import Any, NamedTuple

from flint import arb, arb_mat, fmpz_mat

from .container import Arrays
from .exact import above, below, precision
from .network import Network, increasing, pick
from .rejection import require, words

BOUND_PRECISION = 128  # working bits for the few scalar inequalities
MAX_FEATURE_BITS = 1 << 15  # |2^k Psi_ij| must stay below 2^MAX_FEATURE_BITS
NORM_BITS = 50  # bits kept of the integers that are squared for ||X||_2
FLOAT_BITS = 44  # |2^k Psi| below this: the rounding to integers may start from a binary64
NEAR_HALF, HALF_BALL = 0.49, arb(0, 0.5 + 2.0**-12)


class Norms(NamedTuple):
    """Of an integer matrix, exactly: the sum of squares, the largest row sum and all column sums of absolute values."""

    squares: int
    largest_row: int
    columns: list[int]

    def merge(self, other: Norms) -> Norms:
        """Return the norms of the two matrices, one above the other."""
        columns = list(map(add, self.columns, other.columns))
        return Norms(self.squares + other.squares, max(self.largest_row, other.largest_row), columns)

    def bound(self) -> arb:
        """Return min(||.||_F, sqrt(||.||_1 ||.||_inf)), which is at least the 2-norm."""
        return arb(self.squares).sqrt().min(arb(max(self.columns) * self.largest_row).sqrt())


def norms(entries: list[int], width: int) -> Norms:
    """Return the norms of the matrix with these entries."""
    sizes = list(map(abs, entries))
    rows = [sizes[start : start + width] for start in range(0, len(sizes), width)]
    return Norms(sum(map(mul, sizes, sizes)), max(map(sum, rows)), list(map(sum, zip(*rows, strict=True))))


def two_norm(x: fmpz_mat, products: int) -> arb:
    """Bound the 2-norm of an integer matrix.

    Guarantee: the result is at least ||X||_2. With S = X^T X it is ||S^(2^(r-1))||_F^(1/2^r), up to rounding: before
    each squaring S = 2^h (T + D) with T the integer part, 0 <= D_ij < 1, so ||S||_2 <= 2^h (||T||_2 + N), T symmetric.
    """
    bound = norms(list(map(int, x.entries())), x.ncols()).bound()
    if products == 0:
        return bound
    square, levels = x.transpose() * x, []
    for _ in range(products - 1):
        entries = list(map(int, square.entries()))
        shift = max(0, max(map(abs, entries)).bit_length() - NORM_BITS)
        levels.append((shift, x.ncols() if shift else 0))
        square = fmpz_mat(x.ncols(), x.ncols(), [entry >> shift for entry in entries])
        square = square * square
    norm = arb(sum(entry * entry for entry in map(int, square.entries()))).sqrt()
    for shift, lost in reversed(levels):
        norm = (norm.sqrt() + lost) * arb((1, shift))
    return norm.sqrt().min(bound)


class RankClaim:
    """One claim R1 or R3 and what is known about its residual so far."""

    def __init__(self, raw: Any, network: Network, arrays: Arrays) -> None:
        self.raw, self.network, self.rank, self.precision = raw, network, raw.rank, raw.precision
        samples, units, path, budget = network.samples, network.skip_units, raw.path, arrays.budget
        require(raw.rank == samples, path + "/rank", "R1.rank", "full row rank means rank N", raw.rank, samples)
        columns = list(range(units)) if raw.columns is None else arrays.integers(raw.columns, path + "/columns")
        inside = increasing(columns) and columns[0] >= 0 and columns[-1] < units
        require(inside, path + "/columns", "schema.value", "not increasing indices of skip units", columns[:20], units)
        self.used, self.pick = len(columns), pick(columns)
        enough = self.used >= samples
        require(enough, path + "/columns", "R1.rank", "fewer columns than samples", self.used, samples)
        require(raw.alpha < 1, path + "/alpha", "R1.residual", "alpha must be below 1", above(raw.alpha), "< 1")
        lower = below(raw.sigma_lower)
        require(raw.sigma_lower > 0, path + "/sigma_lower", "R1.sigma", "must be above 0", lower, "> 0")
        inverse = arrays.exact(raw.right_inverse, self.used, samples)
        shift, self.scale = max(0, inverse.exponent), max(0, -inverse.exponent)  # X = 2^-scale X_int
        bits, size = inverse.bits + shift, self.used * samples
        work = size * samples * (words(raw.feature_bits + bits) + raw.norm_products * words(bits))
        budget.spend(path + "/right_inverse", work=work, memory=size * words(bits))
        self.inverse = inverse.integers * (1 << shift) if shift else inverse.integers
        self.error = arb(0)  # the e of |2^k Psi_ij - a_ij| <= e
        self.residual = Norms(0, 0, [0] * samples)

    def take(self, samples: list[int], rows: list[list[arb]], shared: dict[Any, Any]) -> Any:
        """Round some rows of Psi to integers; return e and the norms of the residual's rows.

        Guarantee: E = 2^(k+s) I - a X_int exactly, and |2^k Psi_ij - a_ij| <= e.
        """
        integers, error = self.round(list(itertools.chain(*map(self.pick, rows))), len(rows))
        residual = list(map(int, (integers * self.inverse).entries()))
        for number, sample in enumerate(samples):
            residual[number * self.rank + sample] -= 1 << (self.raw.feature_bits + self.scale)
        return tuple(map(int, error.man_exp())), norms(residual, self.rank)

    def merge(self, summary: Any) -> None:
        """Add what `take` returned."""
        error, residual = summary
        self.error, self.residual = self.error.max(arb(error)).upper(), self.residual.merge(residual)

    def round(self, flat: list[arb], rows: int) -> tuple[fmpz_mat, arb]:
        """Return integers a near 2^k z and a proved bound of |2^k z - a|; how a was found does not matter."""
        k, floats = self.raw.feature_bits, list(map(float, flat))
        if max(max(floats), -min(floats)) < 2.0 ** (FLOAT_BITS - k):
            factor = 2.0**k
            integers = fmpz_mat(rows, self.used, [round(number * factor) for number in floats])
        else:
            integers = fmpz_mat(rows, self.used, [self.nearest(z) for z in flat])
        distance = arb_mat(rows, self.used, flat) * arb((1, k)) - arb_mat(integers)
        error = max(distance[0, j].abs_upper() for j in range(self.used))
        if error > NEAR_HALF:  # as it should be: one comparison instead of a maximum
            if arb_mat(rows, self.used, [HALF_BALL] * len(flat)).contains(distance):
                return integers, HALF_BALL.abs_upper()
        return integers, max(map(arb.abs_upper, distance.entries()))

    def nearest(self, z: arb) -> int:
        """Return the integer nearest to 2^k times the midpoint."""
        k, path = self.raw.feature_bits, self.raw.path + "/feature_bits"
        small = z.abs_upper() < arb((1, MAX_FEATURE_BITS - k))
        require(small, path, "container.limits", "2^feature_bits times a feature is huge", k, above(z))
        mantissa, exponent = map(int, z.mid().man_exp())
        shift = exponent + k
        if shift >= 0:
            return mantissa << shift
        return 0 if -shift > mantissa.bit_length() + 1 else ((mantissa >> (-shift - 1)) + 1) >> 1

    def conclude(self) -> dict[str, object]:
        """Compare the claimed bounds.

        Guarantee: ||I - Psi X||_2 <= 2^-(k+s) ||E|| + 2^-k e sqrt(N K) ||X||_2 <= alpha < 1, and then every unit
        vector u has 1 - alpha <= ||u^T Psi X|| <= ||u^T Psi|| ||X||_2, hence sigma_N(Psi) >= (1 - alpha) / ||X||_2 >=
        sigma_lower > 0 and rank Psi = N. (Columns left out can only increase sigma_N.)
        """
        raw, claimed, sigma = self.raw, self.raw.alpha, self.raw.sigma_lower
        with precision(BOUND_PRECISION):
            norm = two_norm(self.inverse, raw.norm_products)  # of X_int
            rounding = self.error * arb(self.rank * self.used).sqrt() * norm
            alpha = (self.residual.bound() + rounding) * arb((1, -raw.feature_bits - self.scale))
            message = "||I - Psi X||_2 is not proved to be <= alpha: a more exact X, more feature_bits or precision?"
            require(alpha <= claimed < 1, raw.path + "/alpha", "R1.residual", message, above(claimed), above(alpha))
            norm *= arb((1, -self.scale))
            message, found = "sigma_lower is above (1 - alpha) / ||X||_2", below((1 - claimed) / norm)
            proved = sigma > 0 and sigma * norm <= 1 - claimed
            require(proved, raw.path + "/sigma_lower", "R1.sigma", message, below(sigma), found)
        statement = (
            f"rank Psi = N = {self.rank}: the {self.rank} x {self.network.skip_units} feature matrix at the stored "
            f"weights has full row rank, and its smallest singular value is at least {below(sigma)}"
        )
        bounds = {"sigma_lower": below(sigma), "alpha": above(claimed)}
        return {"statement": statement, "rank": self.rank, "columns_used": self.used, **bounds}
