"""The canary's first part: elementwise binary64 arithmetic against rounding done in integers.

Nothing here depends on the arithmetic under test, nor on subnormal numbers being respected: the truth is computed in
Python's integers and compared bit by bit.
"""

from __future__ import annotations

import functools
import math
import operator
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Backend

BLOCK = 1 << 22
"""Entries built at a time, at most: 32 MiB of them."""

Bits = NDArray[np.uint64]

FLUSHED = (
    "flush-to-zero or denormals-are-zero is set, as by a library built with -ffast-math; find it and do not load it"
)
_ROUNDED = "not IEEE-754 binary64 to nearest: a loaded library changed the rounding mode or precision; do not load it"

CHECKS = ("rounding", "division", "sqrt", "subnormals")
"""What `elementwise` checks."""


def rounded(value: Fraction) -> int:
    """Bits of the binary64 number nearest to a rational one, ties to even, in integer arithmetic.

    Guarantee: exact for ``|value| < 2^1023``, subnormal results included (IEEE 754-2019, 4.3.1): Python's ``round``
    takes ties of fractions to even.

    Parameters
    ----------
    value : Fraction
        Of size below 2^1023.

    Returns
    -------
    int
        The 64 bits as an integer.
    """
    if value == 0:
        return 0
    sign, size = (1 << 63 if value < 0 else 0), abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    last = max(exponent - 52, -1074)
    return sign + ((last + 1074) << 52) + round(size / Fraction(2) ** last)


def rounded_root(value: Fraction) -> int:
    """Bits of the square root of a positive binary64 number rounded to nearest.

    Guarantee: exact. Results and ties are multiples of 2^-1200, so none lies strictly between two neighbouring ones,
    and half a unit in that place stands for all of the root that is left.

    Parameters
    ----------
    value : Fraction
        A positive binary64 number.

    Returns
    -------
    int
        The 64 bits as an integer.
    """
    scaled = value * 4**1200
    root = math.isqrt(scaled.numerator)
    return rounded(Fraction(2 * root + (root * root != scaled.numerator), 2 ** (1200 + 1)))


def value_of(bits: int) -> Fraction:
    """The finite number with these bits.

    Guarantee: exact.

    Parameters
    ----------
    bits : int
        The 64 bits of a finite binary64 number.

    Returns
    -------
    Fraction
        The number.
    """
    exponent, mantissa = bits >> 52 & 0x7FF, bits & (1 << 52) - 1
    size = Fraction(mantissa + (1 << 52 if exponent else 0)) * Fraction(2) ** (max(exponent, 1) - 1075)
    return -size if bits >> 63 else size


def show(bits: int) -> str:
    """Hexadecimal notation of a number, from its bits."""
    exponent, mantissa = bits >> 52 & 0x7FF, bits & (1 << 52) - 1
    sign = "-" if bits >> 63 else ""
    if exponent == 0x7FF:
        return "nan" if mantissa else sign + "inf"
    if not exponent and not mantissa:
        return sign + "0"
    return f"{sign}0x{int(exponent > 0)}.{mantissa:013x}p{max(exponent, 1) - 1023:+d}"


def mismatch(got: NDArray[Any], want: Bits) -> tuple[int, ...] | None:
    """Index of the first entry whose bits differ; the two zeros are equal.

    Guarantee: None implies that every entry has the wanted bits, up to the sign of a zero.

    Parameters
    ----------
    got : ndarray of float64
        What was computed.
    want : ndarray of uint64
        The bits that it should have, in the same shape.

    Returns
    -------
    tuple of int or None
        The index of the first difference.
    """
    bits = np.ascontiguousarray(got).view(np.uint64)
    differs = bits != want
    if not differs.any():
        return None
    differs &= ((bits | want) << np.uint64(1)) != 0
    if not differs.any():
        return None
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(differs)), differs.shape))


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}

_ONE, _TWO = Fraction(1), Fraction(2)


def _operands(name: str) -> dict[str, list[tuple[Fraction, Fraction]]]:
    """Operands of a check by operation, exact binary64 numbers; ``sqrt`` uses the first of each pair."""
    p = {e: _TWO**e for e in range(-1074, 64)}
    if name == "subnormals":
        odd = [k * p[-1074] for k in (1, 3, 5, 2**26 + 1, 2**51 + 1, 2**52 - 1, 3 * 2**50)]
        pairs = [(a, b) for a in odd for b in odd[::-1]]
        steps = [p[-1022] * (1 + k * p[-52]) for k in (0, 1, 2, 3, 5, 7)]
        return {
            "*": [(a, p[-1]) for a in steps] + [(a, p[60]) for a in odd] + [(p[-530] * 3, p[-520] * 5)] * 8,
            "+": pairs,
            "-": [(a, b) for a, b in pairs if a != b] + [(a * 3 / 2, a) for a in steps[:1]],
            "/": [(a, p[3]) for a in steps + odd] + [(a, b) for a, b in pairs if a >= b * p[-20]],
            "sqrt": [(a, _ONE) for a in odd * 3],
        }
    raw = (int(bits) for bits in np.random.PCG64(53).random_raw(4096))

    def random(spread: int) -> Fraction:
        bits = next(raw)
        significand = (bits >> 11 | 1 << 52) * (1 - 2 * (bits & 1))
        return significand * p[-52] * _TWO ** (next(raw) % (2 * spread + 1) - spread)

    if name == "division":
        fixed = [(Fraction(a), Fraction(b)) for a in (1, 2, 5) for b in (3, 7, 10, -3, -49)]
        return {"/": fixed + [(random(60), random(60)) for _ in range(48)]}
    if name == "sqrt":
        return {"sqrt": [(Fraction(k), _ONE) for k in range(2, 26)] + [(abs(random(60)), _ONE) for _ in range(40)]}
    next_up = 1 + p[-52]
    sums = [
        (_ONE, p[-60]),  # far below the last bit
        (_ONE, -p[-60]),
        (_ONE, p[-53]),  # tie to even, down
        (next_up, p[-53]),  # tie to even, up
        (_ONE, -p[-54]),
        (_ONE, p[-53] * (1 + p[-40])),  # just above a tie
        (_ONE, p[-53] + p[-53] * p[-25]),  # a tie after rounding to 64 bits: double rounding goes down
        (next_up, p[-53] - p[-53] * p[-25]),  # likewise: double rounding goes up
        (_ONE, -p[-54] * (1 + p[-40])),
    ]
    sums += [(-a, -b) for a, b in sums]
    factors = [(next_up, next_up), (next_up, 1 - p[-53]), (next_up, Fraction(3, 2)), (1 + p[-27], 1 - p[-27])]
    factors += [(-a, b) for a, b in factors]
    return {
        "+": sums + [(random(30), random(30)) for _ in range(48)],
        "-": [(a, -b) for a, b in sums] + [(random(30), random(30)) for _ in range(48)],
        "*": factors + [(random(60), random(60)) for _ in range(48)],
    }


@functools.cache
def _table(name: str) -> list[tuple[str, Bits, Bits, Bits]]:
    """Operation, operands and rounded results of a check, as bits."""
    table = []
    for sign, pairs in _operands(name).items():
        if sign == "sqrt":
            want = [rounded_root(a) for a, _ in pairs]
        else:
            want = [rounded(_OPERATIONS[sign](a, b)) for a, b in pairs]
        columns = ([rounded(a) for a, _ in pairs], [rounded(b) for _, b in pairs], want)
        left, right, result = (np.array(column, dtype=np.uint64) for column in columns)
        table.append((sign, left, right, result))
    return table


def _floats(bits: Bits) -> list[float]:
    return [struct.unpack("<d", struct.pack("<Q", int(b)))[0] for b in bits]


def elementwise(backend: Backend, name: str) -> str:
    """Each operation in Python, in NumPy and in the backend's library, on arrays long enough for vector code.

    Parameters
    ----------
    backend
        The array library.
    name
        One of `CHECKS`.

    Returns
    -------
    str
        What was wrong, with the remedy. Guarantee: empty if and only if every result of the check has the bits of the
        exact one rounded to nearest even, up to the sign of a zero.
    """
    for sign, left, right, want in _table(name):
        results: list[tuple[str, NDArray[Any]]] = []
        if sign == "sqrt":
            results.append(("Python", np.array([math.sqrt(a) for a in _floats(left)])))
            results.append(("NumPy", np.sqrt(left.view(np.float64))))
            results.append((backend.name, backend.numpy(backend.xp.sqrt(backend.asarray(left.view(np.float64))))))
        else:
            apply = _OPERATIONS[sign]
            pairs = zip(_floats(left), _floats(right), strict=True)
            results.append(("Python", np.array([apply(a, b) for a, b in pairs])))
            results.append(("NumPy", apply(left.view(np.float64), right.view(np.float64))))
            x, y = (backend.asarray(bits.view(np.float64)) for bits in (left, right))
            results.append((backend.name, backend.numpy(apply(x, y))))
        for where, got in results:
            at = mismatch(got, want)
            if at is not None:
                a, b, expected, found = (show(int(v[at])) for v in (left, right, want, got.view(np.uint64)))
                task = f"sqrt({a})" if sign == "sqrt" else f"{a} {sign} {b}"
                remedy = FLUSHED if name == "subnormals" else _ROUNDED
                return f"{task} in {where}: expected {expected}, got {found}; {remedy}"
    return ""


def halving_in_threads(backend: Backend) -> str:
    """Halve numbers at the underflow threshold through the backend's own threads.

    Guarantee: empty if and only if every half is the exact one rounded to nearest even: no thread flushes to zero.

    Parameters
    ----------
    backend : Backend
        The backend that is tested.

    Returns
    -------
    str
        What is wrong, or nothing.
    """
    steps = np.array([2**52 + k for k in range(8)], dtype=np.uint64)
    want = np.array([rounded(value_of(int(bits)) / 2) for bits in steps], dtype=np.uint64)
    copies = 2 * backend.threads * min(backend.chunk, BLOCK) // len(steps)
    values = backend.asarray(np.tile(steps, copies).view(np.float64))
    got = backend.numpy(backend.map(lambda x: x * 0.5, values))
    at = mismatch(got, np.tile(want, copies))
    if at is None:
        return ""
    i = at[0] % len(steps)
    found = show(int(got.view(np.uint64)[at]))
    return f"{show(int(steps[i]))} * 0.5: expected {show(int(want[i]))}, got {found}; {FLUSHED}"
