"""A structural prover: where an expression is defined, real analytic, and which values it can take.

One walk over the tree carries an interval with rational or infinite ends, open or closed, that contains every value on
the given domain. Signs follow, and with them that denominators and arguments of log and roots stay off 0. It is small
on purpose: what it cannot prove it leaves open.

Analyticity is by composition: ``+ - *``, quotients off 0, and exp, sin, cos, sinh, cosh, tanh, atan, erf (real analytic
on R), log and roots on (0, oo).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from typing import Final

from verifier.sigma.functions import FUNCTIONS, Function
from verifier.sigma.intervals import REALS, Interval, TooLargeError
from verifier.sigma.tree import NotProvedError, Ops, Tree, evaluate

_ZERO: Final = Fraction(0)
_ONE: Final = Fraction(1)


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

    def __neg__(self) -> Behaviour:
        """Return what is known of the negative."""
        return replace(self, values=-self.values)


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
        return evaluate(tree, _RangeOps(Behaviour(domain)))
    except (NotProvedError, TooLargeError):
        return None


class _RangeOps(Ops[Behaviour]):
    """`Ops` over `Behaviour`; what is not proved to be defined raises."""

    def const(self, p: int, q: int) -> Behaviour:
        value = Fraction(p, q)
        return Behaviour(Interval(value, value, False, False))

    def pi(self) -> Behaviour:
        return Behaviour(Interval(Fraction(3), Fraction(22, 7)))

    def e(self) -> Behaviour:
        return Behaviour(Interval(Fraction(5, 2), Fraction(3)))

    def add(self, *terms: Behaviour) -> Behaviour:
        return _joined(terms, reduce(Interval.__add__, (term.values for term in terms)))

    def mul(self, *factors: Behaviour) -> Behaviour:
        return _joined(factors, reduce(Interval.__mul__, (factor.values for factor in factors)))

    def div(self, numerator: Behaviour, denominator: Behaviour) -> Behaviour:
        if not denominator.values.excludes_zero:
            raise NotProvedError
        quotient = numerator.values * denominator.values.reciprocal()
        condition = None if denominator.values.is_point else f"a denominator stays in {denominator.values}"
        return _joined((numerator, denominator), quotient, condition)

    def pow_int(self, base: Behaviour, n: int) -> Behaviour:
        return _joined((base,), base.values**n)

    def pow_rational(self, base: Behaviour, p: int, q: int) -> Behaviour:
        if not base.values.is_nonnegative:
            raise NotProvedError
        # x**(p/q), p/q > 0, is continuous and increasing on [0, oo), real analytic on (0, oo)
        analytic = base.values.is_positive
        shown = analytic and not base.values.is_point
        condition = f"the base of the power {p}/{q} stays in {base.values}" if shown else None
        joined = _joined((base,), _threshold(base.values, _ONE, _ONE, Interval(_ZERO, math.inf, analytic)), condition)
        return replace(joined, analytic=base.analytic and analytic)

    def call(self, name: str, *args: Behaviour) -> Behaviour:
        if name in ("max", "min"):
            return reduce(_larger, args) if name == "max" else -reduce(_larger, (-part for part in args))
        (argument,) = args
        u, function = argument.values, FUNCTIONS[name]
        if name == "sqrt":
            return self.pow_rational(argument, 1, 2)
        if function.need is not None:
            return _logarithm(argument, Fraction(function.need[1]))
        if name == "abs":
            if u.lo >= 0 or u.hi <= 0:  # |x| is x or -x
                return argument if u.lo >= 0 else -argument
            return Behaviour(abs(u), False, argument.conditions)
        if name == "sign":
            if not u.excludes_zero:
                raise NotProvedError  # not continuous there
            value = _ONE if u.is_positive else -_ONE
            return _joined(args, Interval(value, value, False, False), f"a sign's argument stays in {u}")
        return _joined(args, _image(function, u))


def _image(function: Function, u: Interval) -> Interval:
    """Range of a function that is real analytic on R, over an interval."""
    if function.direction and function.at_zero is not None:
        if function.direction < 0:
            return -_threshold(u, _ZERO, -function.at_zero, -function.values)
        return _threshold(u, _ZERO, function.at_zero, function.values)
    if function.symmetry == "even" and function.values.lo == function.at_zero:  # its least value, at 0 alone
        return replace(function.values, lo_open=u.excludes_zero)
    return function.values


def _threshold(u: Interval, at: Fraction, value: Fraction, elsewhere: Interval) -> Interval:
    """Range of an increasing function that is `value` at `at`, and `elsewhere` bounds it."""
    lo, lo_open = (value, u.lo > at or u.lo_open) if u.lo >= at else (elsewhere.lo, elsewhere.lo_open)
    hi, hi_open = (value, u.hi < at or u.hi_open) if u.hi <= at else (elsewhere.hi, elsewhere.hi_open)
    return Interval(lo, hi, lo_open, hi_open)


def _joined(parts: tuple[Behaviour, ...], values: Interval, condition: str | None = None) -> Behaviour:
    conditions = dict.fromkeys(text for part in parts for text in part.conditions)
    if condition is not None:
        conditions[condition] = None
    return Behaviour(values, all(part.analytic for part in parts), tuple(conditions))


def _logarithm(argument: Behaviour, shift: Fraction) -> Behaviour:
    u = argument.values + Interval(shift, shift, False, False)
    if not u.is_positive:
        raise NotProvedError
    return _joined((argument,), _threshold(u, _ONE, _ZERO, REALS), f"the argument of log stays in {u}")


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
