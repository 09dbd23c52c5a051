"""What an activation is on all of R: defined, real analytic (flags.py), monotone with limits (W1), a softplus (W2).

Glossary: a *domain* (see expression.py) of what is known of subexpressions as functions of t on all of R.
"""

import ast
import functools
import re
from typing import Any

from flint import arb, fmpq

from .expression import GUARDED, Function, build, guard

INFINITY, NAN, ALGEBRAIC = arb("inf"), arb("nan"), ("t / sqrt(t ** 2 + 1)", "t / sqrt(1 + t ** 2)")
ENTIRE = ("exp", "sin", "cos", "tanh", "sinh", "cosh", "atan", "erf")  # real analytic on R; log and sqrt on (0, oo)
# limits at -oo (at 0) and oo
RISING: dict[str, Any] = {"exp": (0, INFINITY), "tanh": (-1, 1), "erf": (-1, 1), "sinh": (-INFINITY, INFINITY)}
RISING |= {"log": (-INFINITY, INFINITY), "sqrt": (0, INFINITY)}
SOFTPLUS = r"(?:(\d+) \* )?log\(exp\((?:(\d+) \* )?t(?: / (\d+))?\) \+ 1\)(?: / (\d+))?"
NOWHERE_NEGATIVE, POSITIVE = 1, 2  # what `Known.sign` says; 0 says nothing


class Known:
    """What is known of a function of t.

    Guarantee: wherever the function is defined, `values` contains its value, and by `sign` it is above 0 (POSITIVE) or
    not below 0 (NOWHERE_NEGATIVE). If `total`, then it is defined on all of R. If `analytic`, then it is defined and
    real analytic on all of R; if moreover `way` is 1, -1, 0 (not None), then it is strictly increasing, strictly
    decreasing, constant, and `ends` contain its limits at -oo and oo.
    """

    def __init__(
        self, total: bool, analytic: bool, values: arb, sign: int, way: int | None, ends: tuple[arb, arb]
    ) -> None:
        self.total, self.analytic, self.values, self.way, self.ends = total or analytic, analytic, values, way, ends
        between_its_limits = analytic and way in (1, -1)  # strictly, so that limits >= 0 make it positive
        if values > 0 or (between_its_limits and ends[0] >= 0 and ends[1] >= 0):
            self.sign = POSITIVE
        else:
            self.sign = max(sign, NOWHERE_NEGATIVE if values >= 0 else 0)

    def __add__(self, other: "Known") -> "Known":
        """Return a sum: monotone if both increase or both decrease, or one is constant."""
        same = self.way is not None and other.way is not None and self.way * other.way >= 0
        return Known(
            total=self.total and other.total,
            analytic=self.analytic and other.analytic,
            values=self.values + other.values,
            sign=max(self.sign, other.sign) if self.sign and other.sign else 0,
            way=(self.way or other.way) if same else None,
            ends=(self.ends[0] + other.ends[0], self.ends[1] + other.ends[1]),
        )

    def __neg__(self) -> "Known":
        """Return what is known of -f, as of the product of f with the constant -1."""
        return number(-1) * self

    def __sub__(self, other: "Known") -> "Known":
        """Return what is known of f - g, as of the sum f + (-g)."""
        return self + -other

    def __mul__(self, other: "Known") -> "Known":
        """Return a product: monotone if one is constant, or both are above 0 and increase or decrease together."""
        a, b = (self, other) if self.way == 0 else (other, self)
        way = a.way if a.way == b.way and a.sign == b.sign == POSITIVE else None
        if a.way == 0 and b.way is not None and (a.values > 0 or a.values < 0):
            way = b.way if a.values > 0 else -b.way
        if a.way == b.way == 0:
            way = 0
        return Known(
            total=a.total and b.total,
            analytic=a.analytic and b.analytic,
            values=a.values * b.values,
            sign=min(a.sign, b.sign),
            way=way,
            ends=(a.ends[0] * b.ends[0], a.ends[1] * b.ends[1]),
        )

    def __truediv__(self, other: "Known") -> "Known":
        """Return what is known of f / g, as of the product f (1/g)."""
        return self * other.inverse()

    def inverse(self) -> "Known":
        """Return 1 / f; a monotone f without zeros does not change its sign."""
        zeros = not self.nonzero()
        beyond = INFINITY if self.sign == POSITIVE else -INFINITY  # the limit of 1 / f where that of f is 0
        low, high = (beyond if end == 0 else 1 / end for end in self.ends)
        return Known(
            total=self.total and not zeros,
            analytic=self.analytic and not zeros,
            values=1 / self.values,
            sign=self.sign,
            way=None if zeros or self.way is None else -self.way,
            ends=(low, high),
        )

    def nonzero(self) -> bool:
        """Guarantee: if true, then the function has no zeros."""
        return POSITIVE in (self.sign, (-self).sign)


def number(value: Any) -> Known:
    """Return what is known of a constant function: it is total, analytic, and neither rises nor falls."""
    return Known(True, True, arb(value), 0, 0, (arb(value), arb(value)))


def power(exponent: fmpq, t: Known) -> Known:
    """Return t ** exponent: of any t if it is a whole number, else of t > 0, or of t >= 0 where it is only defined."""
    whole, odd, up = exponent.q == 1, exponent.q == 1 and exponent.p % 2 == 1, GUARDED["power"](abs(exponent))
    low, high = (up(end) if end.is_finite() else end for end in t.ends)
    raised = Known(
        total=t.total and (whole or t.sign > 0),
        analytic=t.analytic and (whole or t.sign == POSITIVE),
        values=up(t.values),
        sign=POSITIVE if t.sign == POSITIVE else NOWHERE_NEGATIVE if not odd else 0,
        way=t.way if (odd or t.sign == POSITIVE) and exponent != 0 else None,
        ends=(low, high),
    )
    return raised if exponent >= 0 else raised.inverse()


def call(name: str, t: Known) -> Known:
    """Return a function of t; infinite limits of t have the function's own limits."""
    function, rising = GUARDED[name], {**RISING, "atan": (-arb.pi() / 2, arb.pi() / 2)}
    edges = (INFINITY, arb(0)) if name in ("log", "sqrt") else (INFINITY,)
    low, high = (
        arb(rising[name][end > 0]) if name in rising and abs(end) in edges else function(end) for end in t.ends
    )
    sign = 0
    if name in ("exp", "cosh"):
        sign = POSITIVE
    elif name == "sqrt":
        sign = max(t.sign, NOWHERE_NEGATIVE)
    # Arb's erf is not defined on all of R
    values = arb(0, 1) if name == "erf" and not t.values.is_finite() else function(t.values)
    return Known(
        total=t.total and (name in ENTIRE or t.sign == POSITIVE or (name == "sqrt" and t.sign > 0)),
        analytic=t.analytic and (name in ENTIRE or t.sign == POSITIVE),
        values=values,
        sign=sign,
        way=t.way if name in rising or t.way == 0 else None,
        ends=(low, high),
    )


def absolute(t: Known) -> Known:
    """Return |t|, of which only definedness, values and sign are followed."""
    sign = POSITIVE if t.nonzero() else NOWHERE_NEGATIVE
    return Known(t.total, False, abs(t.values), sign, None, (NAN, NAN))


def extreme(chosen: Function, of_signs: Function, *parts: Known) -> Known:
    """Return the largest or the least of functions, likewise."""
    values, sign = functools.reduce(chosen, (part.values for part in parts)), of_signs(part.sign for part in parts)
    return Known(all(part.total for part in parts), False, values, sign, None, (NAN, NAN))


DOMAIN: dict[str, Any] = {"number": number, "power": lambda exponent: functools.partial(power, exponent)}
DOMAIN |= {"pi": lambda: number(arb.pi()), "E": lambda: number(arb.const_e())}
DOMAIN |= {name: functools.partial(call, name) for name in (*ENTIRE, "log", "sqrt")}
DOMAIN |= {"Abs": absolute}
DOMAIN |= {"Max": functools.partial(extreme, arb.max, max), "Min": functools.partial(extreme, arb.min, min)}


def known(tree: ast.expr, sign: int = 0) -> Any:
    """Return what is known of an expression: for all t, or, if a sign is given, for the t that have it.

    Guarantee: as for `Known`, with the t > 0 (POSITIVE) or t >= 0 (NOWHERE_NEGATIVE) in the place of all of R; there is
    a real analytic extension beyond 0 then, as every operation on the way is analytic at each number that it meets.
    """
    if sign:  # nothing is said about ways and limits
        return build(tree, DOMAIN)(Known(True, True, arb(0, INFINITY), sign, None, (NAN, NAN)))
    return build(tree, DOMAIN)(Known(True, True, arb(0, INFINITY), 0, 1, (-INFINITY, INFINITY)))


def total(tree: ast.expr) -> bool:
    """Guarantee: if true, then the expression is defined, a real number, for every real t."""
    return bool(known(tree).total)


def analytic(tree: ast.expr) -> bool:
    """Guarantee: if true, then the expression is defined and real analytic on R."""
    return bool(known(tree).analytic)


def monotone(tree: ast.expr) -> tuple[int, arb, arb]:
    """Guarantee: strictly increasing (1) or decreasing (-1), with these limits at -oo and oo; 0 if not proved."""
    if ast.unparse(tree) in ALGEBRAIC:
        return 1, arb(-1), arb(1)
    found = known(tree)
    return (found.way, *found.ends) if found.analytic and found.way else (0, NAN, NAN)


def by_ends(tree: ast.expr) -> Function:
    """Return the expression as a function of balls; if it is proved to be monotone, of wide ones by their endpoints.

    Guarantee: the result contains all values on the ball, or is not finite.
    """
    function = build(tree, GUARDED)
    return guard(function) if monotone(tree)[0] else function


def sharpness(text: str) -> fmpq:
    """Guarantee: if g > 0 is returned, not 0, then the activation with this text is log(1 + exp(g t)) / g."""
    found = re.fullmatch(SOFTPLUS, re.sub(r"log\(1 \+ (exp\([^()]*\))\)", r"log(\1 + 1)", text))
    above, p, q, below = (int(digits or 1) for digits in found.groups()) if found else (0, 0, 1, 1)
    return fmpq(p, q) if above * p == q * below > 0 else fmpq(0)
