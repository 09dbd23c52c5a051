"""R1 and R3: full row rank of Psi and a lower bound of its smallest singular value, from a claimed right inverse."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from operator import add, itemgetter, mul
from typing import Any

from flint import arb, arb_mat, ctx, fmpz_mat

from .exact import BOUND_PRECISION, Exact, decimal, precision
from .network import Block, Network
from .rejection import MAX_FEATURE_BITS, Budget, Rejection, words
from .schema import Value

MAX_BITS = 16384
MAX_NORM_PRODUCTS = 12
NORM_BITS = 50  # bits kept of the integers that are squared for ||X||_2
FLOAT_BITS = 44  # |2^k Psi| below this: the rounding to integers may start from a binary64
NEAR_HALF, HALF_BALL = arb(0.49), arb(0, 0.5 + 2.0**-12)  # large blocks: one comparison instead of a maximum
MANY_ENTRIES = 1 << 16


class Norms:
    """Adds up rows of an integer matrix: ||.||_F^2, ||.||_1 (column sums) and ||.||_inf (largest row sum)."""

    def __init__(self) -> None:
        self.squares = 0
        self.largest_row = 0
        self.column_sums: list[int] = []

    def row(self, entries: Sequence[int]) -> None:
        """Add one row."""
        sizes = list(map(abs, entries))
        self.squares += sum(map(mul, sizes, sizes))
        self.largest_row = max(self.largest_row, sum(sizes))
        self.column_sums = list(map(add, self.column_sums, sizes)) if self.column_sums else sizes

    def summary(self) -> tuple[int, int, list[int]]:
        """Return the sums."""
        return self.squares, self.largest_row, self.column_sums

    def merge(self, summary: tuple[int, int, list[int]]) -> None:
        """Add rows that another process summed up."""
        squares, largest_row, column_sums = summary
        self.squares += squares
        self.largest_row = max(self.largest_row, largest_row)
        mine = self.column_sums or [0] * len(column_sums)
        self.column_sums = list(map(add, mine, column_sums)) if column_sums else mine

    def frobenius(self) -> arb:
        """Return ||.||_F."""
        return arb(self.squares).sqrt()

    def bound(self) -> arb:
        """Return min(||.||_F, sqrt(||.||_1 ||.||_inf)), which is at least the 2-norm."""
        other = arb(max(self.column_sums, default=0)) * self.largest_row
        return self.frobenius().min(other.sqrt())


def norms_of(matrix: fmpz_mat) -> Norms:
    """Return the norms of a matrix."""
    result = Norms()
    columns, entries = matrix.ncols(), matrix.entries()
    for start in range(0, len(entries), columns):
        result.row(list(map(int, entries[start : start + columns])))
    return result


def integer_norm(x: fmpz_mat, norms: Norms, products: int, jobs: int) -> arb:
    """Bound the 2-norm of an integer matrix.

    Guarantee: the result is at least ||X||_2. With S = X^T X it is ||S^(2^(r-1))||_F^(1/2^r), up to rounding: before
    each squaring S = 2^h (T + D) with T the integer part, 0 <= D_ij < 1, so ||S||_2 <= 2^h (||T||_2 + N), T symmetric.
    """
    if products == 0:
        return norms.bound()
    threads, ctx.threads = ctx.threads, jobs
    try:
        square, levels = x.transpose() * x, []
        size = square.nrows()
        for _ in range(products - 1):
            entries = list(map(int, square.entries()))
            shift = max(0, max(map(abs, entries)).bit_length() - NORM_BITS)
            levels.append((shift, size if shift else 0))
            square = fmpz_mat(size, size, [entry >> shift for entry in entries])
            square = square * square
    finally:
        ctx.threads = threads
    entries = list(map(int, square.entries()))
    norm = arb(sum(map(mul, entries, entries))).sqrt()
    for shift, lost in reversed(levels):
        norm = (norm.sqrt() + lost) * arb((1, shift))
    return norm.sqrt().min(norms.bound())


class RankClaim:
    """One claim R1 or R3 and what is known about its residual so far."""

    def __init__(self, value: Value, network: Network) -> None:
        keys = value.keys(
            "label",
            "precision",
            "rank",
            "columns",
            "feature_bits",
            "right_inverse",
            "norm_products",
            "alpha",
            "sigma_lower",
        )
        self.path, self.network = value.path, network
        self.label = keys["label"].choice("R1", "R3")
        self.precision = keys["precision"].integer(*((32, 64) if self.label == "R1" else (65, MAX_BITS)))
        self.rank = keys["rank"].integer(1, 1 << 31)
        if self.rank != network.samples:
            raise keys["rank"].reject("R1.rank", "full row rank means rank N", self.rank, network.samples)
        self.columns = _read_columns(keys["columns"], network.skip_units)
        self.used = network.skip_units if self.columns is None else len(self.columns)
        if not self.used >= network.samples:
            raise keys["columns"].reject(
                "R1.rank", "fewer columns than samples can not have rank N", self.used, network.samples
            )
        self.feature_bits = keys["feature_bits"].integer(1, MAX_BITS)
        inverse = keys["right_inverse"].exact(self.used, network.samples)
        self.products = keys["norm_products"].integer(0, MAX_NORM_PRODUCTS)
        self.alpha, self.sigma = keys["alpha"].dyadic(), keys["sigma_lower"].dyadic()
        if not (self.alpha.ball < 1):
            raise keys["alpha"].reject("R1.residual", "alpha must be below 1", self.alpha.above(), "< 1")
        if not (self.sigma.ball > 0):
            raise keys["sigma_lower"].reject("R1.sigma", "must be above 0", self.sigma.below(), "> 0")
        self.scale = max(0, -inverse.exponent)  # X = 2^-scale X_int
        if inverse.exponent > 0:
            keys["right_inverse"].spend(Budget.BITS, self.used * self.rank * inverse.exponent)
            inverse = Exact(inverse.integers * (1 << inverse.exponent), 0, inverse.bits + inverse.exponent)
        self.inverse = inverse.integers
        size = words(self.feature_bits + inverse.bits)
        keys["right_inverse"].spend(Budget.PRODUCTS, self.rank * self.used * self.rank * size)
        keys["norm_products"].spend(Budget.PRODUCTS, self.products * self.used * self.rank**2 * words(inverse.bits))
        self.pick = None if self.columns is None else _pick(self.columns)
        self.error = arb(0)  # the e of |2^k Psi_ij - a_ij| <= e
        self.residual = Norms()
        self.half: arb_mat | None = None
        self.norm = self.norm_for_rounding = arb("inf")

    def take(self, block: Block) -> None:
        """Round the rows of Psi to integers and add the residual's rows.

        Guarantee: E = 2^(k+s) I - a X_int exactly, and |2^k Psi_ij - a_ij| <= self.error.
        """
        flat = list(itertools.chain.from_iterable(map(self.pick, block.rows) if self.pick else block.rows))
        integers, error = self._round(flat, len(block.samples))
        self.error = self.error.max(error).upper()
        residual = list(map(int, (integers * self.inverse).entries()))
        diagonal = 1 << (self.feature_bits + self.scale)
        for number, sample in enumerate(block.samples):
            row = residual[number * self.rank : (number + 1) * self.rank]
            row[sample] -= diagonal
            self.residual.row(row)

    def prepare(self, jobs: int) -> None:
        """Bound ||X_int||_2 and ||X_int||_F."""
        with precision(BOUND_PRECISION):
            norms = norms_of(self.inverse)
            self.norm = integer_norm(self.inverse, norms, self.products, jobs)
            self.norm_for_rounding = self.norm.min(norms.frobenius())

    def _round(self, flat: list[arb], rows: int) -> tuple[fmpz_mat, arb]:
        """Return integers a near 2^k z and a proved bound of |2^k z - a|; how a was found does not matter."""
        k = self.feature_bits
        floats = list(map(float, flat))
        if max(max(floats), -min(floats)) < 2.0 ** (FLOAT_BITS - k):
            factor = 2.0**k
            integers = fmpz_mat(rows, self.used, [round(number * factor) for number in floats])
        else:
            integers = fmpz_mat(rows, self.used, [self._nearest(z) for z in flat])
        distance = arb_mat(rows, self.used, flat) * arb((1, k)) - arb_mat(integers)
        error = max(map(arb.abs_upper, (distance[0, j] for j in range(self.used))))
        if len(flat) >= MANY_ENTRIES and error > NEAR_HALF:
            if self.half is None or self.half.nrows() != rows:
                self.half = arb_mat(rows, self.used, [HALF_BALL] * len(flat))
            if self.half.contains(distance):
                return integers, HALF_BALL.abs_upper()
        return integers, max(map(arb.abs_upper, distance.entries()))

    def _nearest(self, z: arb) -> int:
        """Return the integer nearest to 2^k times the midpoint."""
        if not z.abs_upper() < arb((1, MAX_FEATURE_BITS - self.feature_bits)):
            raise Rejection(
                self.path + "/feature_bits",
                "container.limits",
                "2^feature_bits times a feature is huge",
                self.feature_bits,
                decimal(z, down=False),
            )
        mantissa, exponent = (int(part) for part in z.mid().man_exp())
        shift = exponent + self.feature_bits
        if shift < -mantissa.bit_length() - 1:
            return 0
        return mantissa << shift if shift >= 0 else ((mantissa >> (-shift - 1)) + 1) >> 1

    def seen(self) -> Any:
        """Return the largest rounding error, and the residual's norms."""
        mantissa, exponent = self.error.man_exp()
        return (int(mantissa), int(exponent)), self.residual.summary()

    def add(self, summary: Any) -> None:
        """Merge another process's rows."""
        error, residual = summary
        self.error = self.error.max(arb(error)).upper()
        self.residual.merge(residual)

    def conclude(self) -> dict[str, object]:
        """Compare the claimed bounds.

        Guarantee: ||I - Psi X||_2 <= 2^-(k+s) ||E|| + 2^-k e sqrt(N K) ||X||_2 <= alpha < 1, and then every unit
        vector u has 1 - alpha <= ||u^T Psi X|| <= ||u^T Psi|| ||X||_2, hence sigma_N(Psi) >= (1 - alpha) / ||X||_2 >=
        sigma_lower > 0 and rank Psi = N. (Columns left out can only increase sigma_N.)
        """
        with precision(BOUND_PRECISION):
            norm, unit = self.norm, arb((1, -self.scale))  # X = unit * X_int
            rounding = self.error * arb(self.rank * self.used).sqrt() * self.norm_for_rounding
            alpha = (self.residual.bound() + rounding) * arb((1, -self.feature_bits)) * unit
            claimed = self.alpha.ball
            if not (alpha <= claimed):
                raise Rejection(
                    self.path + "/alpha",
                    "R1.residual",
                    "||I - Psi X||_2 is not proved to be <= alpha; "
                    "use a more exact right inverse, more feature_bits or a higher precision",
                    self.alpha.above(),
                    decimal(alpha, down=False),
                )
            sigma = self.sigma.ball
            if not (claimed < 1 and sigma > 0 and sigma * norm * unit <= 1 - claimed):
                raise Rejection(
                    self.path + "/sigma_lower",
                    "R1.sigma",
                    "sigma_lower is above (1 - alpha) / ||X||_2; lower it, or allow more norm_products",
                    self.sigma.below(),
                    decimal((1 - claimed) / (norm * unit), down=True),
                )
        shape = f"{self.rank} x {self.network.skip_units}"
        statement = (
            f"rank Psi = N = {self.rank}: the {shape} feature matrix at the stored weights has full row rank, "
            f"and its smallest singular value is at least {self.sigma.below()}"
        )
        return {
            "statement": statement,
            "rank": self.rank,
            "columns_used": self.used,
            "precision": self.precision,
            "sigma_lower": self.sigma.below(),
            "alpha": self.alpha.above(),
        }


def _pick(columns: list[int]) -> Any:
    return itemgetter(*columns) if len(columns) > 1 else lambda row: (row[columns[0]],)


def _read_columns(value: Value, units: int) -> list[int] | None:
    if value.data is None:
        return None
    columns = list(value.integer_tensor(None))
    if not all(a < b for a, b in itertools.pairwise(columns)):
        raise value.reject("schema.value", "columns must be strictly increasing", columns[:20])
    if not (columns[0] >= 0 and columns[-1] < units):
        raise value.reject("schema.value", "a column is not an index of a skip unit", [columns[0], columns[-1]], units)
    return columns
