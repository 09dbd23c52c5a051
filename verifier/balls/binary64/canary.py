"""The canary: a test that this machine, with the libraries now loaded, computes what the fast engine trusts.

Trusted are IEEE-754 binary64 ``+ - * / sqrt`` to nearest and inner products evaluated as sums of products in some
order. Both are tested where the answer is known bit by bit: elementwise operations against rounding done in integers,
matrix products at the engine's own shapes on matrices whose product is exact in binary64 whatever the order of
summation, and wrong under Strassen's or similar recombination, in less than 53 bits, and in fixed point.

A canary is a test. It finds a wrong mode, library or switch; it cannot guarantee that other data at the same shape take
the same path (an emulation that inspects exponents may fall back to true FP64 here), nor that the hardware never errs.
"""

from __future__ import annotations

import functools
import math
import operator
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from verifier.balls.binary64.backend import EMULATION, Array, Backend, Shape3
from verifier.display import Judged

MOST_SHAPES = 12
"""Products tested at most: those with the most operations."""

RANK = 3
"""Rank of the integer matrices, so that their product is known entry by entry at O(m n) cost."""

INNER, OUTER = 400, 50
"""Exponents of the scalings: column k of A by ``2^e``, row k of B by ``2^-e``; rows of A and columns of B."""

PROBE: Shape3 = (37, 53, 41)
"""Shape of the products that are tested whatever the engine multiplies: layouts, small spans, subnormal numbers."""

BLOCK = 1 << 22
"""Entries built or compared at a time."""

Bits = NDArray[np.uint64]
Integers = NDArray[np.int64]

_FLUSHED = (
    "flush-to-zero or denormals-are-zero is set, as by a library built with -ffast-math; find it and do not load it"
)
_ROUNDED = "not IEEE-754 binary64 to nearest: a loaded library changed the rounding mode or precision; do not load it"
_MULTIPLIED = (
    "the matrix product is not a sum of float64 products (emulated, reduced precision, Strassen or faulty); "
    "use another BLAS or device"
)


@dataclass(frozen=True)
class CanaryReport(Judged):
    """What was run and whether it held.

    Parameters
    ----------
    passed
        Whether every check held. The engine certifies nothing otherwise.
    checks
        Names of the checks that were run, in order; a failed one is the last.
    failure
        One line: check, expected and computed value, remedy. Empty if passed.
    library
        The array library and its version.
    shapes
        Shapes of the products tested, most operations first.
    skipped
        Distinct shapes beyond the `MOST_SHAPES` largest, not tested.
    pools
        Thread pools of the native libraries loaded, with versions and thread counts.
    """

    passed: bool
    checks: tuple[str, ...]
    failure: str
    library: str
    shapes: tuple[Shape3, ...] = ()
    skipped: int = 0
    pools: tuple[str, ...] = ()

    def describe(self) -> str:
        """One line for a certificate's record."""
        if not self.passed:
            return f"canary failed: {self.failure} ({self.library})"
        parts = [name for name in self.checks if not name.startswith("product ")]
        if self.shapes:
            parts.append("products " + " ".join(_times(shape) for shape in self.shapes))
        if self.skipped:
            parts.append(f"{self.skipped} smaller shapes skipped")
        return f"canary passed: {', '.join(parts)} ({self.library})"


def canary(backend: Backend, shapes: Iterable[Shape3]) -> CanaryReport:
    """Test the arithmetic of ``backend`` and its products at ``shapes``, each (m, k, n) for (m, k) times (k, n).

    The backend's record of shapes and operations is left alone. Beside the products the cost is O(mk + kn + mn).

    Guarantee: if the report says passed, every computed entry of every check had the bits of the exact answer rounded
    to nearest (up to the sign of a zero in a product). This is evidence, not proof, for any other operands.

    Raises
    ------
    ValueError
        If a shape has a negative number.
    """
    distinct = sorted(set(shapes), key=lambda shape: (-math.prod(shape), shape))
    if any(min(shape) < 0 for shape in distinct):
        raise ValueError("canary: a shape has a negative number")
    distinct = [shape for shape in distinct if min(shape) > 0]
    tested = tuple(distinct[:MOST_SHAPES])
    names: list[str] = []
    failure = ""
    with np.errstate(all="ignore"):
        for name, check in _checks(backend, tested):
            names.append(name)
            failure = check()
            if failure:
                failure = f"{name}: {failure}"
                break
    skipped = len(distinct) - len(tested)
    return CanaryReport(not failure, tuple(names), failure, backend.describe(), tested, skipped, _pools())


def _checks(backend: Backend, shapes: tuple[Shape3, ...]) -> Iterator[tuple[str, Callable[[], str]]]:
    """Name and check, which returns its failure or nothing."""
    yield "environment", _environment
    for name in ("rounding", "division", "sqrt", "subnormals"):
        yield name, functools.partial(_elementwise, backend, name)
    if backend.threads > 1:
        yield "threads", functools.partial(_threads, backend)
    yield "subnormal products", functools.partial(_subnormal_products, backend)
    yield "layouts", functools.partial(_layouts, backend)
    for shape in shapes:
        yield f"product {_times(shape)}", functools.partial(_product, backend, shape, INNER)


def _times(shape: Shape3) -> str:
    return "x".join(map(str, shape))


def _pools() -> tuple[str, ...]:
    """Thread pools of native libraries, without their paths."""
    return tuple(
        sorted(
            f"{pool['internal_api']} {pool.get('version')}, {pool['num_threads']} threads" for pool in threadpool_info()
        )
    )


def _environment() -> str:
    for name in EMULATION:
        value = os.environ.get(name, "")
        if value not in ("", "0"):
            return f"expected {name} unset or 0, got {value!r}: emulated products are not certified; unset it"
    return ""


# Exact binary64 in integers: nothing here depends on the arithmetic under test, nor on subnormals being respected.


def _rounded(value: Fraction) -> int:
    """Bits of a rational number rounded to nearest even, in integer arithmetic; no overflow."""
    if value == 0:
        return 0
    sign, size = (1 << 63 if value < 0 else 0), abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if size < Fraction(2) ** exponent:
        exponent -= 1
    last = max(exponent - 52, -1074)
    return sign + ((last + 1074) << 52) + round(size / Fraction(2) ** last)


def _rounded_root(value: Fraction) -> int:
    """Bits of the square root of a positive binary64 number rounded to nearest."""
    scaled = value * 4**1200
    root = math.isqrt(scaled.numerator)
    # half a unit in a place far below the last bit stands for the rest
    return _rounded(Fraction(2 * root + (root * root != scaled.numerator), 2 ** (1200 + 1)))


def _value(bits: int) -> Fraction:
    """The number with these bits (finite)."""
    exponent, mantissa = bits >> 52 & 0x7FF, bits & (1 << 52) - 1
    size = Fraction(mantissa + (1 << 52 if exponent else 0)) * Fraction(2) ** (max(exponent, 1) - 1075)
    return -size if bits >> 63 else size


def _show(bits: int) -> str:
    """Hexadecimal notation of a number, from its bits."""
    exponent, mantissa = bits >> 52 & 0x7FF, bits & (1 << 52) - 1
    sign = "-" if bits >> 63 else ""
    if exponent == 0x7FF:
        return "nan" if mantissa else sign + "inf"
    if not exponent and not mantissa:
        return sign + "0"
    return f"{sign}0x{int(exponent > 0)}.{mantissa:013x}p{max(exponent, 1) - 1023:+d}"


def _mismatch(got: NDArray[Any], want: Bits) -> tuple[int, ...] | None:
    """Index of the first entry whose bits differ; zeros are equal."""
    bits = np.ascontiguousarray(got).view(np.uint64)
    differs = bits != want
    if not differs.any():
        return None
    differs &= ((bits | want) << np.uint64(1)) != 0
    if not differs.any():
        return None
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(differs)), differs.shape))


# Elementwise operations


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
            want = [_rounded_root(a) for a, _ in pairs]
        else:
            want = [_rounded(_OPERATIONS[sign](a, b)) for a, b in pairs]
        columns = ([_rounded(a) for a, _ in pairs], [_rounded(b) for _, b in pairs], want)
        left, right, result = (np.array(column, dtype=np.uint64) for column in columns)
        table.append((sign, left, right, result))
    return table


def _floats(bits: Bits) -> list[float]:
    return [struct.unpack("<d", struct.pack("<Q", int(b)))[0] for b in bits]


def _elementwise(backend: Backend, name: str) -> str:
    """Each operation in Python, in NumPy and in the backend's library, on arrays long enough for vector code."""
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
            at = _mismatch(got, want)
            if at is not None:
                a, b, expected, found = (_show(int(v[at])) for v in (left, right, want, got.view(np.uint64)))
                task = f"sqrt({a})" if sign == "sqrt" else f"{a} {sign} {b}"
                remedy = _FLUSHED if name == "subnormals" else _ROUNDED
                return f"{task} in {where}: expected {expected}, got {found}; {remedy}"
    return ""


def _threads(backend: Backend) -> str:
    """Halving numbers at the underflow threshold, through the backend's own threads."""
    steps = np.array([2**52 + k for k in range(8)], dtype=np.uint64)
    want = np.array([_rounded(_value(int(bits)) / 2) for bits in steps], dtype=np.uint64)
    copies = 2 * backend.threads * min(backend.chunk, BLOCK) // len(steps)
    values = backend.asarray(np.tile(steps, copies).view(np.float64))
    got = backend.numpy(backend.map(lambda x: x * 0.5, values))
    at = _mismatch(got, np.tile(want, copies))
    if at is None:
        return ""
    i = at[0] % len(steps)
    found = _show(int(got.view(np.uint64)[at]))
    return f"{_show(int(steps[i]))} * 0.5: expected {_show(int(want[i]))}, got {found}; {_FLUSHED}"


# Matrix products


def _powers(exponents: Integers) -> NDArray[np.float64]:
    """Powers of two, written as bits."""
    return ((exponents + 1023) << 52).view(np.float64)


def _integers(raw: Bits, bits: Integers | int) -> Integers:
    """Odd positive integers below ``2^bits``."""
    return (raw >> (64 - np.asarray(bits)).astype(np.uint64)).astype(np.int64) | 1


def _signed(raw: Bits, bits: int) -> Integers:
    """Odd integers below ``2^bits`` in absolute value, of either sign."""
    return _integers(raw, bits) * (1 - 2 * (raw & np.uint64(1)).astype(np.int64))


def _small_product(left: Integers, right: Integers) -> Integers:
    """Product with a short inner side, in integers."""
    total = left[:, 0, None] * right[None, 0, :]
    for r in range(1, right.shape[0]):
        total += left[:, r, None] * right[None, r, :]
    return total


@dataclass(frozen=True)
class _Problem:
    r"""``A = 2^d (U G) 2^e`` and ``B = 2^-e (H W) 2^f``, with product ``2^d U (G H) W 2^f``.

    Guarantee: every entry of ``U G`` and ``H W`` is an odd integer, and ``sum_k |UG|_ik |HW|_kj < 2^53`` for all i, j.
    So all terms of an entry of A B are multiples of one power of two, all partial sums in any order are exact in
    binary64, with fused multiply-add or without, and the computed entry is the exact one. For odd k its integer is odd.
    """

    u: Integers
    g: Integers
    h: Integers
    w: Integers
    d: Integers
    e: Integers
    f: Integers

    @staticmethod
    def of(shape: Shape3, spread: int, symmetric: bool = False) -> _Problem:
        """The problem of a shape; ``symmetric``: B is the transpose of A (spread 0, n = m)."""
        m, k, n = shape
        generator = np.random.PCG64([m, k, n, spread, int(symmetric)])

        def raw(*sides: int) -> Bits:
            return np.asarray(generator.random_raw(math.prod(sides)), dtype=np.uint64).reshape(sides)

        def exponents(length: int, reach: int) -> Integers:
            chosen = (raw(length) % np.uint64(2 * reach + 1)).astype(np.int64) - reach
            if length > 1:
                chosen[0], chosen[-1] = -reach, reach
            return chosen

        # |UG| < 3 2^(outer + q), |HW| < 3 2^(inner - q + outer), k terms
        budget = 53 - (RANK * RANK * k).bit_length()
        outer = budget // 4
        inner = budget - 2 * outer
        if symmetric:
            g = _integers(raw(RANK, k), inner // 2)
            u, d = _signed(raw(m, RANK), outer), exponents(m, OUTER)
            return _Problem(u, g, g.T, u.T, d, np.zeros(k, dtype=np.int64), d)
        share = 1 + (raw(k) % np.uint64(inner - 1)).astype(np.int64)
        return _Problem(
            _signed(raw(m, RANK), outer),
            _integers(raw(RANK, k), share[None, :]),
            _integers(raw(k, RANK), inner - share[:, None]),
            _signed(raw(RANK, n), outer),
            exponents(m, OUTER),
            exponents(k, spread),
            exponents(n, OUTER),
        )

    def left(self) -> NDArray[np.float64]:
        """A."""
        return _scaled(self.u, self.g, self.d, self.e)

    def right(self) -> NDArray[np.float64]:
        """B."""
        return _scaled(self.h, self.w, -self.e, self.f)

    def mismatch(self, backend: Backend, product: Array) -> str:
        """The first entry of a computed product that is not the exact one, every entry being compared."""
        m, n = len(self.d), len(self.f)
        if tuple(product.shape) != (m, n) or product.dtype != backend.xp.float64:
            return f"expected float64 of shape {(m, n)}, got {product.dtype} of shape {tuple(product.shape)}"
        core = self.u @ (self.g @ self.h)
        rows = max(1, BLOCK // n)
        for start in range(0, m, rows):
            part = slice(start, min(start + rows, m))
            got = np.ascontiguousarray(backend.numpy(product[part, :]))
            want = _scaled(core[part], self.w, self.d[part], self.f).view(np.uint64)
            at = _mismatch(got, want)
            if at is not None:
                found = int(got.view(np.uint64)[at])
                return f"entry ({start + at[0]}, {at[1]}): expected {_show(int(want[at]))}, got {_show(found)}"
        return ""


def _scaled(left: Integers, right: Integers, row: Integers, column: Integers) -> NDArray[np.float64]:
    """``2^row (left right) 2^column``, exact, by blocks of rows."""
    m, n = left.shape[0], right.shape[1]
    result = np.empty((m, n))
    down, across = _powers(row), _powers(column)
    step = max(1, BLOCK // n)
    for start in range(0, m, step):
        part = slice(start, min(start + step, m))
        np.multiply(_small_product(left[part], right), down[part, None], out=result[part])
        result[part] *= across
    return result


def _judged(found: str) -> str:
    return f"{found}; {_MULTIPLIED}" if found else ""


def _product(backend: Backend, shape: Shape3, spread: int) -> str:
    """One product at one shape, every entry; past `Backend.matmul`, whose record is the engine's."""
    problem = _Problem.of(shape, spread)
    product = backend.product(backend.asarray(problem.left()), backend.asarray(problem.right()))
    return _judged(problem.mismatch(backend, product))


def _layouts(backend: Backend) -> str:
    """Transposed operands, a matrix times its own transpose, and smaller spans of exponents, at a small shape."""
    for spread in (0, 20, INNER):
        problem = _Problem.of(PROBE, spread)
        a, b = problem.left(), problem.right()
        straight = backend.asarray(a), backend.asarray(b)
        turned = backend.asarray(a.T).T, backend.asarray(b.T).T
        for x in (straight[0], turned[0]):
            for y in (straight[1], turned[1]):
                found = problem.mismatch(backend, backend.product(x, y))
                if found:
                    return _judged(found)
    problem = _Problem.of((PROBE[0], PROBE[1], PROBE[0]), 0, symmetric=True)
    a = backend.asarray(problem.left())
    return _judged(problem.mismatch(backend, backend.product(a, a.T)))


def _subnormal_products(backend: Backend) -> str:
    """Products of normal numbers that are subnormal, and products of subnormal numbers that are not; all exact."""
    m, k, n = PROBE
    raw = np.asarray(np.random.PCG64(1022).random_raw((m + n) * k), dtype=np.uint64)
    left = _integers(raw[: m * k], 10).reshape(m, k)
    right = _integers(raw[m * k :], 10).reshape(k, n)
    exact = left @ right
    # integers below 2^53 are the bits of that many units 2^-1074
    small = (exact << 14).view(np.uint64)
    large = (exact * _powers(np.array([-1010]))).view(np.uint64)
    halves = left * _powers(np.array([-540])), right * _powers(np.array([-520]))
    tiny = (left << 4).view(np.float64), right * _powers(np.array([60]))
    for (a, b), want in ((halves, small), (tiny, large)):
        got = np.ascontiguousarray(backend.numpy(backend.product(backend.asarray(a), backend.asarray(b))))
        if got.shape != want.shape or got.dtype != np.float64:
            return _judged(f"expected float64 of shape {want.shape}, got {got.dtype} of shape {got.shape}")
        at = _mismatch(got, want)
        if at is not None:
            found = _show(int(got.view(np.uint64)[at]))
            return f"entry {at}: expected {_show(int(want[at]))}, got {found}; {_FLUSHED}; or {_MULTIPLIED}"
    return ""
