r"""The rank of an integer matrix, exactly, from its ranks modulo primes.

Modulo a prime p a rank can only be smaller than over the rationals. So one prime proves full rank. That the rank is at
most r is proved as follows. Every minor of order r + 1 that is 0 modulo primes p_1, .., p_k is a multiple of their
product, and by Hadamard's inequality it is at most the product of the r + 1 largest Euclidean norms of rows, or of
columns. If the primes' product is larger than that, then the minor is 0.

Rows and columns that are 0, or multiples of others, are left out first, and the others divided by their common factors.
Often there are no more than r rows or columns left then (units that are dead, or copies), and one prime is enough.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flint import fmpz, fmpz_mat, nmod_mat

from verifier.display import Brief

Rows = Sequence[Sequence[int]]

TOP = 1 << 62
"""The primes are the largest ones below it."""
SECONDS_PER_STEP = 3e-10
"""Measured cost of a step of elimination modulo a prime: 500 x 600 numbers of rank 450 take 0.04 s."""
SECONDS_PER_ENTRY = 6e-9
"""Measured cost of bringing an entry of one word to a prime field; longer ones take as many times longer."""


@dataclass(frozen=True, slots=True, repr=False)
class IntegerRank(Brief):
    """A rank: exact where ``exact``, else a lower bound, which is the rank modulo all primes that were tried.

    ``seconds``: about how long a proof would have taken that was not begun. ``primes``: how many the proof needed.
    """

    rank: int
    exact: bool
    seconds: float = 0.0
    primes: int = 1


def primes() -> Iterator[int]:
    """The primes below 2^62, the largest first; FLINT proves primes of 64 bits."""
    return (number for number in range(TOP - 1, 2, -2) if fmpz(number).is_prime())


def modular_rank(rows: Rows, prime: int) -> int:
    """The rank modulo a prime.

    Guarantee: it is at most the rank over the rationals.

    Parameters
    ----------
    rows : sequence of sequence of int
        The matrix.
    prime : int
        A prime below 2^64.

    Returns
    -------
    int
        The rank.
    """
    flat = [value % prime for row in rows for value in row]
    return int(nmod_mat(len(rows), len(rows[0]), flat, prime).rank()) if flat else 0


def integer_rank(rows: Rows, patience: float) -> IntegerRank:
    """The rank of a matrix of integers over the rationals.

    Parameters
    ----------
    rows
        The matrix, ``(n, k)``.
    patience
        Seconds that a proof of a rank below n and k may be predicted to take.

    Returns
    -------
    IntegerRank
        Guarantee: the rank is at least ``rank``, and equal to it if ``exact``.

    Examples
    --------
    >>> from verifier.rank.modular import integer_rank
    >>> found = integer_rank([[1, 2, 3], [2, 4, 6], [0, 1, 1]], 1.0)
    >>> found.rank, found.exact
    (2, True)
    """
    first = next(primes())
    rank = modular_rank(rows, first)
    if not rows or rank == min(len(rows), len(rows[0])):
        return IntegerRank(rank, True)
    reduced = without_copies(rows)
    if not reduced or rank == min(len(reduced), len(reduced[0])):
        return IntegerRank(rank, True)
    seconds = _seconds(reduced, rank)
    if seconds > patience:
        return IntegerRank(rank, False, seconds)
    whole, product, count = fmpz_mat([list(row) for row in reduced]), 1, 0
    bound = minor_bound(reduced, rank + 1)
    for prime in primes():
        if product > bound:
            break
        product, count = product * prime, count + 1
        found = int(nmod_mat(whole, prime).rank())
        if found > rank:
            rank, bound = found, minor_bound(reduced, found + 1)
    return IntegerRank(rank, True, primes=count)


def without_copies(rows: Rows) -> list[list[int]]:
    """The rows and columns that are no multiples of earlier ones, each divided by its common factor.

    Guarantee: the matrix has the same rank.

    Parameters
    ----------
    rows : sequence of sequence of int
        The matrix.

    Returns
    -------
    list of list of int
        The smaller matrix.
    """
    kept = _primitive(rows)
    return [list(row) for row in zip(*_primitive(zip(*kept, strict=True)), strict=True)] if kept else []


def _primitive(rows: Iterator[Sequence[int]] | Rows) -> list[tuple[int, ...]]:
    """The different rows that are not 0, divided by their common factors, the first entry that is not 0 positive."""
    found: dict[tuple[int, ...], None] = {}
    for row in rows:
        factor = math.gcd(*row)
        if factor:
            sign = 1 if next(value for value in row if value) > 0 else -1
            found[tuple(value // (sign * factor) for value in row)] = None
    return list(found)


def minor_bound(rows: Rows, order: int) -> int:
    """A bound of the absolute values of all minors of an order, by Hadamard's inequality for rows and for columns.

    Guarantee: the size of every minor of this order is at most the result. Source: Hadamard's inequality.

    Parameters
    ----------
    rows : sequence of sequence of int
        The matrix.
    order : int
        How many rows and columns a minor has.

    Returns
    -------
    int
        The bound.
    """
    return min(_hadamard(rows, order), _hadamard(list(zip(*rows, strict=True)), order))


def _hadamard(rows: Rows, order: int) -> int:
    squares = sorted((sum(value * value for value in row) for row in rows), reverse=True)
    return math.isqrt(math.prod(squares[:order])) + 1


def _seconds(rows: Rows, rank: int) -> float:
    """About how long the proof takes that no minor of the next order is not 0."""
    n, k = len(rows), len(rows[0])
    count = 1 + minor_bound(rows, rank + 1).bit_length() // 61
    words = 1 + max(abs(value) for value in itertools.chain(*rows)).bit_length() // 64
    return count * (SECONDS_PER_STEP * n * k * rank + SECONDS_PER_ENTRY * n * k * words)
