"""What the checker says when it does not accept, and the limits that keep a hostile file from taking the machine."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar


class Rejection(Exception):
    """A certificate is not accepted: where (JSON path), by which rule, what it claims and what was computed."""

    def __init__(self, path: str, rule: str, message: str, claimed: object = None, computed: object = None) -> None:
        super().__init__(path, rule, message, claimed, computed)
        self.path = path
        self.rule = rule
        self.message = message
        self.claimed = None if claimed is None else str(claimed)
        self.computed = None if computed is None else str(computed)


class Unreadable(Exception):
    """A file is missing or the operating system does not let it be read: there is nothing to judge."""


MAX_DOCUMENT_BYTES = 16 << 20
MAX_ARRAYS_BYTES = 1 << 30
MAX_HEADER_BYTES = 16 << 20
MAX_INTEGER_DIGITS = 20
MAX_MANTISSA_DIGITS = 1300
MAX_DIMENSION = 1 << 31  # any single extent of a shape
MAX_FEATURE_BITS = 1 << 15  # |2^k Psi_ij| of R1 must stay below 2^MAX_FEATURE_BITS


class Budget:
    """Work is counted, over the whole certificate, before it is done."""

    LIMITS: ClassVar[dict[str, int]] = {
        "array entries (terms counted separately)": 3 * 10**7,
        "bits of exact array entries": 1 << 34,
        "hidden units": 1 << 22,
        "concatenated fan-in (entries of all windows of all layers)": 1 << 23,
        "activation steps (units x samples x operations x precision words)": 10**9,
        "multiply-adds of 64-bit words": 2 * 10**12,
        "arcs between units": 2 * 10**7,
        "monomials (samples x monomials)": 10**7,
    }
    ENTRIES, BITS, UNITS, WINDOWS, EVALUATIONS, PRODUCTS, ARCS, MONOMIALS = LIMITS

    def __init__(self) -> None:
        self.spent = dict.fromkeys(self.LIMITS, 0)

    def affords(self, what: str, amount: int) -> bool:
        """Return whether the amount is still within the limit."""
        return self.spent[what] + amount <= self.LIMITS[what]

    def spend(self, what: str, amount: int, path: str) -> None:
        """Count the work, or reject if it is above the checker's documented limit."""
        self.spent[what] += amount
        if not self.spent[what] <= self.LIMITS[what]:
            message = f"too much work for this checker: {what}; split the certificate or make the problem smaller"
            raise Rejection(path, "container.limits", message, self.spent[what], f"limit {self.LIMITS[what]}")


def words(bits: int) -> int:
    """Return the number of 64-bit words that hold so many bits."""
    return max(1, -(-bits // 64))


def product(numbers: Iterable[int]) -> int:
    """Return the product as a Python integer, which can not overflow."""
    return math.prod(numbers)
