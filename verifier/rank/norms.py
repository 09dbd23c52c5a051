"""Exact sums over integer matrices, and the norm bounds that they give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb, fmpz, fmpz_mat
from numpy.typing import NDArray

PIECE_BITS = 21
"""Squares are summed over 21-bit pieces: three of them hold a 63-bit integer, and 2^20 products of two fit int64."""
CHUNK = 1 << 20
"""Columns whose products are added up at once; see `PIECE_BITS`."""


@dataclass
class IntegerSums:
    """Row and column sums of absolute values, and the sum of squares, of an integer matrix given by blocks of rows."""

    columns: list[int]
    largest_row: int = 0
    squares: int = 0

    def add(self, block: fmpz_mat) -> None:
        """Take in the next rows of the matrix.

        Guarantee: the sums are exact, whatever the size of the entries.
        """
        entries = [int(v) for v in block.entries()]
        bits = max(max(entries, default=0), -min(entries, default=0)).bit_length()
        if bits + max(block.nrows(), block.ncols()).bit_length() <= 62:  # every row and column sum fits int64
            values = np.abs(np.array(entries, dtype=np.int64).reshape(block.nrows(), block.ncols()))
            self.largest_row = max(self.largest_row, int(values.sum(axis=1).max()))
            self.columns = [a + b for a, b in zip(self.columns, values.sum(axis=0).tolist(), strict=True)]
            self.squares += _sum_of_squares(values)
            return
        for i in range(block.nrows()):
            line = [abs(v) for v in entries[i * block.ncols() : (i + 1) * block.ncols()]]
            self.largest_row = max(self.largest_row, sum(line))
            self.columns = [a + b for a, b in zip(self.columns, line, strict=True)]
            self.squares += sum(v * v for v in line)

    def frobenius(self) -> arb:
        """Enclose the Frobenius norm at the current precision."""
        return arb(fmpz(self.squares)).sqrt()

    def spectral_bound(self) -> arb:
        """Enclose an upper bound of the 2-norm: the Frobenius norm or ``sqrt(||.||_1 ||.||_inf)``, the smaller.

        Guarantee: the upper end is >= the 2-norm of the matrix.
        """
        mixed = (arb(fmpz(max(self.columns))) * arb(fmpz(self.largest_row))).sqrt()
        frobenius = self.frobenius()
        return mixed if mixed < frobenius else frobenius


def integer_sums(matrix: fmpz_mat) -> IntegerSums:
    """Row sums, column sums and the sum of squares of a whole matrix, shape ``(n, m)``.

    Guarantee: exact.

    Parameters
    ----------
    matrix : fmpz_mat of shape (n, m)
        The matrix.

    Returns
    -------
    IntegerSums
        The sums.
    """
    sums = IntegerSums([0] * matrix.ncols())
    sums.add(matrix)
    return sums


def _sum_of_squares(values: NDArray[np.int64]) -> int:
    """Sum of squares of non-negative integers below 2^63, exactly, from sums of products of short pieces."""
    total, mask = 0, (1 << PIECE_BITS) - 1
    for start in range(0, values.shape[1], CHUNK):
        part = values[:, start : start + CHUNK]
        pieces = [(part >> (PIECE_BITS * j)) & mask for j in range(3)]
        for i in range(3):
            for j in range(i, 3):
                weight = (1 if i == j else 2) << (PIECE_BITS * (i + j))
                total += weight * sum((pieces[i] * pieces[j]).sum(axis=1).tolist())
    return total
