"""A structural prover: where an expression is defined, real analytic, and which values it can take.

One walk over the tree carries an interval with rational or infinite ends, open or closed, that contains every value on
the given domain. Signs follow, and with them that denominators and arguments of log and roots stay off 0. It is small
on purpose: what it cannot prove it leaves open.

Analyticity is by composition: ``+ - *``, quotients off 0, and exp, sin, cos, sinh, cosh, tanh, atan, erf (real analytic
on R), log and roots on (0, oo).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Final

from verifier.sigma.expressions import MAX_CONSTANT_BITS
from verifier.sigma.point_values import size_of
from verifier.sigma.tree import Tree, evaluate

Bound = Fraction | float
"""A rational, or +-math.inf; no other float occurs."""

_ZERO: Final = Fraction(0)
_ONE: Final = Fraction(1)
_HALF_PI_HI: Final = Fraction(11, 7)
"""pi/2 = 1.5707.. < 11/7 = 1.5714.. (Archimedes)."""


MAX_SHOWN_BITS: Final = 400
"""Longer ends are not printed."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A nonempty interval. Guarantee where it is returned: it contains the values, which need not fill it.

    Parameters
    ----------
    lo, hi : Fraction or infinite float
        The ends.
    lo_open, hi_open : bool, optional
        Whether the end itself is certainly no value; infinite ends always count as open.
    """

    lo: Bound
    hi: Bound
    lo_open: bool = True
    hi_open: bool = True

    @property
    def is_positive(self) -> bool:
        """Whether every value is > 0."""
        return self.lo > 0 or (self.lo == 0 and self.lo_open)

    @property
    def is_nonnegative(self) -> bool:
        """Whether every value is >= 0."""
        return self.lo >= 0

    @property
    def is_negative(self) -> bool:
        """Whether every value is < 0."""
        return (-self).is_positive

    @property
    def excludes_zero(self) -> bool:
        """Whether no value is 0."""
        return self.is_positive or self.is_negative

    @property
    def is_bounded(self) -> bool:
        """Whether both ends are finite."""
        return not (_infinite(self.lo) or _infinite(self.hi))

    def __neg__(self) -> Interval:
        """Return the values' negatives."""
        return Interval(-self.hi, -self.lo, self.hi_open, self.lo_open)

    def __str__(self) -> str:
        """Print in the usual notation."""
        lo, hi = map(_shown, (self.lo, self.hi))
        return f"{'(' if self.lo_open else '['}{lo}, {hi}{')' if self.hi_open else ']'}"


def _infinite(end: Bound) -> bool:
    """Tell the infinite floats from fractions, which may be too large for `math.isinf`."""
    return isinstance(end, float)


def _shown(end: Bound) -> str:
    if isinstance(end, float):
        return str(end).replace("inf", "oo")
    size = size_of(end)
    return str(end) if size <= MAX_SHOWN_BITS else f"({'-' if end < 0 else ''}a number of {size} bits)"


REALS: Final = Interval(-math.inf, math.inf)
"""The whole line."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the walk knows of an expression that it proved to be defined and continuous on the domain.

    Parameters
    ----------
    values : Interval
        Contains every value on the domain.
    analytic : bool
        Whether it is proved real analytic on the (open) domain; False means not proved.
    conditions : tuple of str
        The side conditions that were used, in words.
    """

    values: Interval
    analytic: bool = True
    conditions: tuple[str, ...] = ()


def behaviour(tree: Tree, domain: Interval = REALS) -> Behaviour | None:
    """Prove what can be proved of an expression on an open interval.

    Parameters
    ----------
    tree : Tree
        The expression.
    domain : Interval, optional
        Where t varies; default all reals.

    Returns
    -------
    Behaviour or None
        Guarantee: if not None, the expression is defined, real and continuous on the domain, and the fields hold.
        None: not proved (it may still be true).
    """
    try:
        return evaluate(tree, _RangeOps(domain))
    except _TooLargeError:
        return None


class _TooLargeError(Exception):
    """An end of an interval would need too many bits."""


class _RangeOps:
    """`Ops` over `Behaviour | None`; None (not proved to be defined) is absorbing."""

    def __init__(self, domain: Interval) -> None:
        self.domain = domain

    def const(self, p: int, q: int) -> Behaviour | None:
        value = Fraction(p, q)
        return Behaviour(Interval(value, value, False, False))

    def pi(self) -> Behaviour | None:
        return Behaviour(Interval(Fraction(3), Fraction(22, 7)))

    def e(self) -> Behaviour | None:
        return Behaviour(Interval(Fraction(5, 2), Fraction(3)))

    def var(self) -> Behaviour | None:
        return Behaviour(self.domain)

    def add(self, *terms: Behaviour | None) -> Behaviour | None:
        known = _all(terms)
        return None if known is None else _joined(known, reduce(_sum, (term.values for term in known)))

    def mul(self, *factors: Behaviour | None) -> Behaviour | None:
        known = _all(factors)
        return None if known is None else _joined(known, reduce(_times, (factor.values for factor in known)))

    def div(self, numerator: Behaviour | None, denominator: Behaviour | None) -> Behaviour | None:
        if numerator is None or denominator is None or not denominator.values.excludes_zero:
            return None
        quotient = _times(numerator.values, _reciprocal(denominator.values))
        varies = denominator.values.lo != denominator.values.hi
        condition = f"a denominator stays in {denominator.values}" if varies else None
        return _joined((numerator, denominator), quotient, condition)

    def pow_int(self, base: Behaviour | None, n: int) -> Behaviour | None:
        return base and _joined((base,), _int_power(base.values, n))

    def pow_rational(self, base: Behaviour | None, p: int, q: int) -> Behaviour | None:
        if base is None or not base.values.is_nonnegative:
            return None
        # x**(p/q), p/q > 0, is continuous and increasing on [0, oo), real analytic on (0, oo)
        analytic = base.values.is_positive
        varies = base.values.lo != base.values.hi
        condition = (f"the base of the power {p}/{q} stays in {base.values}",) if analytic and varies else ()
        values = _threshold(base.values, _ONE, _ONE, (_ZERO, analytic), (math.inf, True))
        return Behaviour(values, base.analytic and analytic, base.conditions + condition)

    def call(self, name: str, *args: Behaviour | None) -> Behaviour | None:
        known = _all(args)
        if known is None:
            return None
        if name in ("max", "min"):
            return reduce(_larger, known) if name == "max" else _minus(reduce(_larger, map(_minus, known)))
        (argument,) = known
        if name == "sqrt":
            return self.pow_rational(argument, 1, 2)
        if name in ("log", "log1p"):
            return _logarithm(argument, shift=_ONE if name == "log1p" else _ZERO)
        if name == "abs":
            return _absolute(argument)
        if name == "sign":
            if not argument.values.excludes_zero:
                return None  # not continuous there
            value = _ONE if argument.values.is_positive else -_ONE
            return _joined(
                (argument,), Interval(value, value, False, False), f"a sign's argument stays in {argument.values}"
            )
        return _joined(known, _image(name, argument.values))


def _image(name: str, u: Interval) -> Interval:
    """Range of a function that is real analytic on R, over an interval."""
    one, nothing = (_ONE, True), (_ZERO, True)
    infinite, minus_infinite = (math.inf, True), (-math.inf, True)
    match name:
        case "exp":
            return _threshold(u, _ZERO, _ONE, nothing, infinite)
        case "expm1":
            return _threshold(u, _ZERO, _ZERO, (-_ONE, True), infinite)
        case "tanh" | "erf":
            return _threshold(u, _ZERO, _ZERO, (-_ONE, True), one)
        case "atan":
            return _threshold(u, _ZERO, _ZERO, (-_HALF_PI_HI, True), (_HALF_PI_HI, True))
        case "sinh":
            return _threshold(u, _ZERO, _ZERO, minus_infinite, infinite)
        case "sigmoid":
            return _threshold(u, _ZERO, Fraction(1, 2), nothing, one)
        case "erfc":
            return -_threshold(u, _ZERO, -_ONE, (Fraction(-2), True), nothing)
        case "softplus":
            return Interval(_ZERO, math.inf)
        case "cosh":
            return Interval(_ONE, math.inf, u.excludes_zero, True)
        case "sin" | "cos":
            return Interval(-_ONE, _ONE, False, False)
    raise KeyError(name)  # unreachable: `CALLS` is covered by the tests


def _threshold(
    u: Interval, at: Fraction, value: Fraction, below: tuple[Bound, bool], above: tuple[Bound, bool]
) -> Interval:
    """Range of an increasing function that is `value` at `at`; `below` and `above` (end, open) bound it elsewhere."""
    lo, lo_open = (value, u.lo > at or u.lo_open) if u.lo >= at else below
    hi, hi_open = (value, u.hi < at or u.hi_open) if u.hi <= at else above
    return Interval(lo, hi, lo_open, hi_open)


def _all(values: tuple[Behaviour | None, ...]) -> tuple[Behaviour, ...] | None:
    known = tuple(value for value in values if value is not None)
    return known if len(known) == len(values) else None


def _joined(parts: tuple[Behaviour, ...], values: Interval, condition: str | None = None) -> Behaviour:
    conditions = dict.fromkeys(text for part in parts for text in part.conditions)
    if condition is not None:
        conditions[condition] = None
    return Behaviour(values, all(part.analytic for part in parts), tuple(conditions))


def _minus(part: Behaviour) -> Behaviour:
    return Behaviour(-part.values, part.analytic, part.conditions)


def _plus(a: Bound, b: Bound) -> Bound:
    """Add two lower ends, or two upper ends: opposite infinities do not meet."""
    return a if _infinite(a) else b if _infinite(b) else a + b


def _sum(a: Interval, b: Interval) -> Interval:
    return Interval(_plus(a.lo, b.lo), _plus(a.hi, b.hi), a.lo_open or b.lo_open, a.hi_open or b.hi_open)


def _times(a: Interval, b: Interval) -> Interval:
    """Multiply intervals. A nonzero extreme is attained only at a corner: open unless such a corner is closed."""
    corners: list[tuple[Bound, bool]] = []
    for x, x_open in ((a.lo, a.lo_open), (a.hi, a.hi_open)):
        for y, y_open in ((b.lo, b.lo_open), (b.hi, b.hi_open)):
            if x == 0 or y == 0:
                corners.append((_ZERO, a.excludes_zero and b.excludes_zero))
            elif _infinite(x) or _infinite(y):
                corners.append((math.inf if (x > 0) == (y > 0) else -math.inf, True))
            else:
                corners.append((x * y, x_open or y_open))
    lo, hi = min(end for end, _ in corners), max(end for end, _ in corners)
    lo_open = all(is_open for end, is_open in corners if end == lo)
    hi_open = all(is_open for end, is_open in corners if end == hi)
    return Interval(lo, hi, lo_open, hi_open)


def _reciprocal(u: Interval) -> Interval:
    """Range of 1/x over an interval that excludes 0."""
    if u.is_negative:
        return -_reciprocal(-u)
    lo: Bound = _ZERO if _infinite(u.hi) else 1 / u.hi
    hi: Bound = math.inf if u.lo == 0 else 1 / u.lo
    return Interval(lo, hi, u.hi_open, u.lo_open)


def _int_power(u: Interval, n: int) -> Interval:
    if n % 2 == 0:
        if u.hi <= 0 and u.lo < 0:
            return _int_power(-u, n)
        if u.lo < 0:
            top, top_open = max(((-u.lo, u.lo_open), (u.hi, u.hi_open)), key=lambda end: (end[0], not end[1]))
            return Interval(_ZERO, _raised(top, n), False, top_open)
    return Interval(_raised(u.lo, n), _raised(u.hi, n), u.lo_open, u.hi_open)


def _raised(end: Bound, n: int) -> Bound:
    if _infinite(end):
        return math.inf if end > 0 or n % 2 == 0 else -math.inf
    if isinstance(end, Fraction) and size_of(end) * n > MAX_CONSTANT_BITS:
        raise _TooLargeError
    return end**n


def _logarithm(argument: Behaviour, shift: Fraction) -> Behaviour | None:
    u = _sum(argument.values, Interval(shift, shift, False, False))
    if not u.is_positive:
        return None
    return _joined(
        (argument,),
        _threshold(u, _ONE, _ZERO, (-math.inf, True), (math.inf, True)),
        f"the argument of log stays in {u}",
    )


def _absolute(argument: Behaviour) -> Behaviour:
    u = argument.values
    if u.lo >= 0:
        return argument  # |x| = x
    if u.hi <= 0:
        return _minus(argument)
    return Behaviour(Interval(_ZERO, _top(u), False, _top_open(u)), False, argument.conditions)


def _top(u: Interval) -> Bound:
    return max(-u.lo, u.hi)


def _top_open(u: Interval) -> bool:
    if -u.lo == u.hi:
        return u.lo_open and u.hi_open
    return u.lo_open if -u.lo > u.hi else u.hi_open


def _larger(a: Behaviour, b: Behaviour) -> Behaviour:
    """Max of two; it IS the one that dominates, where the ranges show that."""
    if a.values.lo >= b.values.hi:
        return a
    if b.values.lo >= a.values.hi:
        return b
    x, y = a.values, b.values
    lo = max(x.lo, y.lo)
    lo_open = any(end == lo and is_open for end, is_open in ((x.lo, x.lo_open), (y.lo, y.lo_open)))
    hi = max(x.hi, y.hi)
    hi_open = all(is_open for end, is_open in ((x.hi, x.hi_open), (y.hi, y.hi_open)) if end == hi)
    return Behaviour(Interval(lo, hi, lo_open, hi_open), False, tuple(dict.fromkeys(a.conditions + b.conditions)))
