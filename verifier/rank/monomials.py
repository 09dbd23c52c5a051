"""The dimension that polynomials of bounded degree span on the samples, from ranks modulo primes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import fmpz, nmod_mat

from verifier.network.network import Array

MONOMIAL_ENTRIES = 5_000_000
"""Largest monomial matrix whose exact rank is computed."""


MONOMIAL_WORK = 5_000_000_000
"""What its exact rank may cost, in `_rank_cost`'s unit, about a nanosecond."""


EXACT_RANK_WORK = 200_000_000_000
"""Multiply-adds of an exact rank over the integers, which is what an independent checker may have to do."""


PRIME_BITS = 62
"""Primes just below 2^62 fit one machine word in FLINT, and each counts for 61 bits."""


def monomial_rank(inputs: Array, degree: int) -> int:
    """Upper bound of the dimension that polynomials of a degree span on the samples (exact where affordable).

    Guarantee: every polynomial of degree <= ``degree``, evaluated on the rows of ``inputs``, lies in a space of at
    most this dimension.

    Parameters
    ----------
    inputs
        Points, shape ``(N, d)``, finite and exact.
    degree
        Total degree, at least 1.

    Returns
    -------
    int
        The bound.

    Notes
    -----
    Equal rows count once: let n be the number of distinct ones. Polynomials of degree n - 1 take any values on n
    distinct points (products of linear forms), and in one variable the rank is ``min(degree + 1, n)`` (Vandermonde).

    Otherwise the rank is found modulo primes. Modulo a prime it can only be smaller; so if it is the full ``min(n,
    count)`` once, already for the monomials of a lower degree, it is that. If not, suppose that the true rank were
    larger than the largest rank r seen: some (r+1)-minor is a nonzero integer that all the primes divide, while by
    Hadamard's inequality it is at most the product of the norms of its r + 1 columns. Primes whose product exceeds
    that bound refute it. What that would cost is known before: beyond `MONOMIAL_WORK` the full rank is the bound.
    """
    moving = list({column.tobytes(): column for column in inputs.T + 0.0 if (column != column[0]).any()}.values())
    if not moving:
        return 1
    points = np.unique(np.array(moving).T, axis=0)
    n, variables = len(points), len(moving)
    if degree >= n - 1:
        return n
    if variables == 1:
        return degree + 1
    count = math.comb(variables + degree, degree)
    full = min(count, n)
    if count < n:
        return full
    scaled = [_integers(column) for column in points.T]
    spent, prime = 0, _prime_below(1 << PRIME_BITS)
    for lower in range(1, degree):
        size = math.comb(variables + lower, lower)
        if size < n:
            continue
        spent += _rank_cost(size, n)
        if size * n > MONOMIAL_ENTRIES or spent > MONOMIAL_WORK:
            return full
        if _rank_modulo(prime, scaled, lower, n) == n:
            return n
    if count * n > MONOMIAL_ENTRIES or spent + _rank_cost(count, n) > MONOMIAL_WORK:
        return full
    rank = _rank_modulo(prime, scaled, degree, n)
    bits = max(abs(v) for column in scaled for v in column).bit_length()
    norm = degree * bits + n.bit_length()
    primes = (rank + 1) * norm // (PRIME_BITS - 1) + 1
    if rank == full or count * n**3 > EXACT_RANK_WORK or spent + primes * _rank_cost(count, n) > MONOMIAL_WORK:
        return full
    known = PRIME_BITS - 1
    while known <= (rank + 1) * norm:
        prime = _prime_below(prime)
        rank = max(rank, _rank_modulo(prime, scaled, degree, n))
        known += PRIME_BITS - 1
        if rank == full:
            break
    return rank


def _rank_cost(count: int, n: int) -> int:
    """What the rank of ``count`` monomials on n points costs modulo one prime: to make them, and to eliminate."""
    return count * n * (250 + min(count, n))


def _prime_below(number: int) -> int:
    number -= 1
    while not fmpz(number).is_prime():
        number -= 1
    return number


def _rank_modulo(prime: int, scaled: Sequence[Sequence[int]], degree: int, n: int) -> int:
    """Rank, modulo a prime, of all monomials of degree <= ``degree``: each is a shorter one times a coordinate."""
    residues = [[v % prime for v in column] for column in scaled]
    shorter = [([1] * n, 0)]
    flat = [1] * n
    for _ in range(degree):
        longer = []
        for column, first in shorter:
            for j in range(first, len(residues)):
                longer.append(([a * b % prime for a, b in zip(column, residues[j], strict=True)], j))
        for column, _first in longer:
            flat += column
        shorter = longer
    return int(nmod_mat(len(flat) // n, n, flat, prime).rank())


def _integers(column: Array) -> list[int]:
    """One column times a power of two, as integers: scaling a coordinate does not change the span of monomials."""
    ratios = [float(v).as_integer_ratio() for v in column]
    common = max(q for _, q in ratios)
    return [p * (common // q) for p, q in ratios]
