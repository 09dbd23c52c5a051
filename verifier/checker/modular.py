"""The exact rank of a matrix of integers, from its ranks modulo primes.

Glossary: a *minor* of order k is the determinant of k of the rows at k of the columns; the rank over a field is the
largest order of a minor that is not 0 there. A minor of integers that is not 0 modulo a prime is not 0.
"""

import math
from collections.abc import Iterable, Iterator

from flint import fmpz_mat, nmod_mat

from .common import TooExpensive

Rows = list[list[int]]

# no composite number below LARGEST passes the test for the first thirteen primes as bases (Sorenson, Webster,
# Mathematics of Computation 86, 2017)
BASES, LARGEST = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41), 3_317_044_064_679_887_385_961_981
TOP = 1 << 62  # the primes that are used are the largest ones below it
MAX_STEPS = 5e11  # of elimination, over all primes: some minutes


def is_prime(number: int) -> bool:
    """Guarantee: if true, then the number is a prime (the test of Miller and Rabin, with bases that suffice)."""
    if not 2 <= number < LARGEST:
        return False
    if number in BASES or any(number % base == 0 for base in BASES):
        return number in BASES
    twos = ((number - 1) & -(number - 1)).bit_length() - 1
    for base in BASES:
        power = pow(base, (number - 1) >> twos, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def primes() -> Iterator[int]:
    """Yield the primes below TOP, the largest first."""
    return filter(is_prime, range(TOP - 1, 2, -2))


def exact_rank(rows: Rows, path: str) -> int:
    """Return the rank of an integer matrix over the rationals, from its ranks modulo primes.

    Guarantee: it is exact. Let r be the largest of the ranks modulo some primes: the rank is r at least. It is r at
    most if no row or column is left but r, or if every minor of order r + 1, which is a multiple of all these primes,
    is smaller than their product, so that it is 0.
    """
    whole, rank, product = without_copies(rows), 0, 1
    if not whole:
        return 0
    matrix, sides = fmpz_mat(whole), min(len(whole), len(whole[0]))
    bound = largest_minor(whole, 1)
    for prime in primes():
        found = int(nmod_mat(matrix, prime).rank())
        if found > rank or product == 1:
            rank = max(rank, found)
            if rank == sides:
                return rank
            bound = largest_minor(whole, rank + 1)
            steps = float(bound.bit_length() // 61 + 1) * len(whole) * len(whole[0]) * (rank + 1)
            if steps > MAX_STEPS:
                message = "to prove the rank would take too many steps of elimination"
                raise TooExpensive(path, "cost.size", message, f"{steps:.0e}", f"limit {MAX_STEPS:.0e}")
        product *= prime
        if product > bound:
            return rank
    raise ValueError("there are not that many primes")


def rank_at_least(rows: Rows) -> int:
    """Return the rank modulo a prime. Guarantee: the rank over the rationals is not smaller."""
    return int(nmod_mat(fmpz_mat(rows), next(primes())).rank()) if rows and rows[0] else 0


def without_copies(rows: Rows) -> Rows:
    """Return the rows, and of these the columns, that are neither 0 nor multiples of others.

    Guarantee: the rank is the same. Each is divided by its greatest common factor, which makes multiples equal up to
    the sign.
    """
    kept = different(rows)
    return [list(row) for row in zip(*different(zip(*kept, strict=True)), strict=True)] if kept else []


def different(rows: Iterable[Iterable[int]]) -> list[tuple[int, ...]]:
    """Return the rows that are not 0, divided by their common factors, each once up to the sign."""
    found: dict[tuple[int, ...], None] = {}
    for numbers in rows:
        row = tuple(numbers)
        factor = math.gcd(*row)
        if factor != 0:
            row = tuple(number // factor for number in row)
            found[max(row, tuple(-number for number in row))] = None
    return list(found)


def largest_minor(rows: Rows, order: int) -> int:
    """Return a bound of all minors of this order.

    Guarantee: none is larger, by Hadamard's inequality: a determinant is at most the product of the Euclidean norms of
    its rows, and of its columns, which are parts of those here.
    """
    bounds = []
    for lines in (rows, zip(*rows, strict=True)):
        squares = sorted((sum(number * number for number in line) for line in lines), reverse=True)
        bounds.append(math.isqrt(math.prod(squares[:order])) + 1)
    return min(bounds)
