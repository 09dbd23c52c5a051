"""What an activation is on all of R: real analytic (rule W0), monotone with limits (W1), a softplus (W2).

Glossary: a *domain* (see expression.py) of what is known of subexpressions as functions of t on all of R.
"""

import ast
import functools
import re
from collections.abc import Iterable
from operator import add, mul
from typing import Any

from flint import arb, fmpq

from .common import require
from .expression import GUARDED, Function, build, guard

INFINITY, NAN, ALGEBRAIC = arb("inf"), arb("nan"), ("t / sqrt(t ** 2 + 1)", "t / sqrt(1 + t ** 2)")
ENTIRE = ("exp", "sin", "cos", "tanh", "sinh", "cosh", "atan", "erf")  # real analytic on R; log and sqrt on (0, oo)
# limits at -oo (at 0) and oo
RISING: dict[str, Any] = {"exp": (0, INFINITY), "tanh": (-1, 1), "erf": (-1, 1), "sinh": (-INFINITY, INFINITY)}
RISING |= {"log": (-INFINITY, INFINITY), "sqrt": (0, INFINITY)}
SOFTPLUS = r"(?:(\d+) \* )?log\(exp\((?:(\d+) \* )?t(?: / (\d+))?\) \+ 1\)(?: / (\d+))?"


class Known:
    """A function on R.

    Guarantee: `values` contains all its values and `sign` 2 says that they are above 0, 1 that they are not below 0,
    wherever it is defined. If `analytic`, then it is defined and real analytic on R; if moreover `way` is 1, -1, 0 (not
    None), then it is strictly increasing, strictly decreasing, constant, and `ends` contain its limits at -oo and oo.
    """

    def __init__(self, analytic: bool, values: arb, sign: int, way: int | None, ends: Iterable[arb]) -> None:
        self.analytic, self.values, self.way, self.ends = analytic, values, way, tuple(ends)
        inside = analytic and way in (1, -1) and all(end >= 0 for end in self.ends)  # strictly between its limits
        self.sign = 2 if values > 0 or inside else max(sign, int(values >= 0))

    def __add__(self, other: "Known") -> "Known":
        """Return a sum: monotone if both increase or both decrease, or one is constant."""
        same = self.way is not None and other.way is not None and self.way * other.way >= 0
        way = (self.way or other.way) if same else None
        sign, ends = min(self.sign, other.sign) and max(self.sign, other.sign), map(add, self.ends, other.ends)
        return Known(self.analytic and other.analytic, self.values + other.values, sign, way, ends)

    def __neg__(self) -> "Known":
        """Return -f."""
        return number(-1) * self

    def __sub__(self, other: "Known") -> "Known":
        """Return a difference."""
        return self + -other

    def __mul__(self, other: "Known") -> "Known":
        """Return a product: monotone if one is constant, or both are above 0 and increase or decrease together."""
        a, b = (self, other) if self.way == 0 else (other, self)
        way = a.way if a.way == b.way and a.sign == b.sign == 2 else None
        if a.way == 0 and b.way is not None and (a.values > 0 or a.values < 0):
            way = b.way if a.values > 0 else -b.way
        ends, sign = map(mul, a.ends, b.ends), min(a.sign, b.sign)
        return Known(a.analytic and b.analytic, a.values * b.values, sign, way, ends)

    def __truediv__(self, other: "Known") -> "Known":
        """Return a quotient."""
        return self * other.inverse()

    def inverse(self) -> "Known":
        """Return 1 / f; a monotone f without zeros does not change its sign."""
        zeros = 2 not in (self.sign, (-self).sign)
        ends = ((INFINITY if self.sign == 2 else -INFINITY) if end == 0 else 1 / end for end in self.ends)
        way = None if zeros or self.way is None else -self.way
        return Known(self.analytic and not zeros, 1 / self.values, self.sign, way, ends)


def number(value: Any) -> Known:
    """Return a constant."""
    return Known(True, arb(value), 0, 0, (arb(value), arb(value)))


def power(exponent: fmpq, t: Known) -> Known:
    """Return t ** exponent: of any t if it is a whole number, else of t > 0."""
    whole, odd, up = exponent.q == 1, exponent.q == 1 and exponent.p % 2 == 1, GUARDED["power"](abs(exponent))
    way = t.way if (odd or t.sign == 2) and exponent != 0 else None
    ends, sign = (up(e) if e.is_finite() else e for e in t.ends), t.sign if t.sign == 2 else int(whole and not odd)
    result = Known(t.analytic and (whole or t.sign == 2), up(t.values), sign, way, ends)
    return result if exponent >= 0 else result.inverse()


def call(name: str, t: Known) -> Known:
    """Return a function of t; infinite limits of t have the function's own limits."""
    function, rising = GUARDED[name], {**RISING, "atan": (-arb.pi() / 2, arb.pi() / 2)}
    values = arb(0, 1) if name == "erf" and not t.values.is_finite() else function(t.values)  # Arb's erf is not defined
    sign = 2 if name in ("exp", "cosh") else t.sign if name == "sqrt" else 0
    way = t.way if name in rising or t.way == 0 else None
    edges = (INFINITY, arb(0)) if name in ("log", "sqrt") else (INFINITY,)
    ends = (arb(rising[name][end > 0]) if name in rising and abs(end) in edges else function(end) for end in t.ends)
    return Known(t.analytic and (name in ENTIRE or t.sign == 2), values, sign, way, ends)


DOMAIN: dict[str, Any] = {"number": number, "power": lambda exponent: functools.partial(power, exponent)}
DOMAIN |= {"pi": lambda: number(arb.pi()), "E": lambda: number(arb.const_e())}
DOMAIN |= {name: functools.partial(call, name) for name in (*ENTIRE, "log", "sqrt")}
DOMAIN |= dict.fromkeys(("Abs", "Max", "Min"), lambda *_: Known(False, NAN, 0, None, (NAN, NAN)))


def known(tree: ast.expr) -> Any:
    """Return what is known of an expression."""
    return build(tree, DOMAIN)(Known(True, arb(0, INFINITY), 0, 1, (-INFINITY, INFINITY)))


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


def check_generic(raw: Any, network: Any, arrays: Any, data: Any) -> dict[str, object]:
    """Check a claim W0.

    Guarantee: every activation is real analytic on R, so Psi is in U on R^p, and rank Psi(U*) = N at some U*: then the
    zeros of the analytic function det(Psi Psi^T), which is not identically zero, are closed and have measure zero.
    """
    require(bool(data.ranks), raw.path, "W0.rank", "needs an accepted claim of full row rank: R1, R3, W1 or W2")
    for layer in network.layers:
        holds, message = analytic(layer.activation.tree), "not proved to be real analytic on R"
        require(holds, layer.path + "/activation", "W0.analytic", message, layer.activation.text)
    statement = f"rank Psi(U) = N = {network.samples} for almost every U (from {data.ranks[0].label}; the others are a "
    statement += "closed set of measure zero); for these data and this architecture every local valley of every convex "
    statement += "finite loss of Psi V, V free, reaches the infimum (L3.2, T3.4(2)); T3.4(4) does not follow from this"
    return {"statement": statement, "rank": network.samples}
