"""Where an expression is defined, before sympy simplifies it: what cancels must be defined all the same.

sympy turns ``sqrt(t)**2``, ``exp(log(t))`` and ``t/t`` into functions of all real t. So the parser notes every
sub-expression that is not defined everywhere for its own sake (a quotient, a logarithm, a root), and each is judged
here by its argument: proved defined for every t, proved undefined at some t, or open. What is undefined somewhere is
refused by its name. What is open may stand only if the simplified expression still contains it: then the two are
defined at the same numbers, and whoever evaluates it finds out there.

The argument u of such a sub-expression equals sympy's form of u wherever u is defined, for all conditions inside u
have been met before, or stand in it still.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Final

import sympy

from verifier.errors import ExpressionError, VerifierError, one_line
from verifier.sigma.expressions import Condition, T, read_expression
from verifier.sigma.functions import Need
from verifier.sigma.intervals import Interval
from verifier.sigma.piecewise import rational_polynomial
from verifier.sigma.point_values import TEST_POINTS, sign_at
from verifier.sigma.ranges import behaviour
from verifier.sigma.tree import tree_of

_FURTHER: Final = tuple(Fraction(s * k) for s in (-1, 1) for k in (Fraction(1, 1000), Fraction(1, 3), 10**3, 10**6))
POINTS: Final = tuple(sorted({*TEST_POINTS, *_FURTHER}, key=lambda point: (abs(point), -point)))
"""Where a condition is tried, near 0 first."""
REAL: Final = "an activation must be a real number for every real t"

_WORDS: Final = {
    "nonzero": "division by zero",
    "positive": "log of a number <= 0",
    "nonnegative": "root of a negative number",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a condition holds for every real t: True, False with the reason, or None if that is open."""

    holds: bool | None
    reason: str = ""


def parse_activation(text: str) -> sympy.Expr:
    """Read an expression that has to be a real number for every real t.

    Parameters
    ----------
    text : str
        In the grammar of `verifier.sigma.expressions`.

    Returns
    -------
    sympy.Expr
        Guarantee: at every real t where this is defined, what was written is defined, too, and equal to it, up to
        sympy's algebra; no sub-expression of what was written is known to be undefined anywhere.

    Raises
    ------
    ExpressionError
        The text is outside the grammar; a sub-expression, which is named, is undefined at some t; or it may be, and
        cancels.
    """
    expression, conditions = read_expression(text)
    require_conditions(expression, conditions, text)
    return expression


def require_conditions(expression: sympy.Expr, conditions: Iterable[Condition], text: str) -> None:
    """Refuse an expression of which a part, as it was written, is undefined somewhere; or may be, and cancels.

    Parameters
    ----------
    expression : sympy.Expr
        After simplification.
    conditions : iterable of Condition
        What the parser noted before.
    text : str
        How the user wrote it, for the message.

    Raises
    ------
    ExpressionError
        See above.
    """
    kept: frozenset[tuple[Need, sympy.Expr]] | None = None
    for condition in conditions:
        found = judge(condition.need, condition.argument)
        where = "" if _same(condition.part, text) else f"{one_line(condition.part, limit=60)}: "
        if found.holds is False:
            raise ExpressionError(f"expression {one_line(text)}: {where}{found.reason}; {REAL}")
        if found.holds is None:
            kept = kept if kept is not None else conditions_of(expression)
            if not _stands(condition.need, condition.argument, kept):
                raise ExpressionError(
                    f"expression {one_line(text)}: {where}may be undefined somewhere ({_WORDS[condition.need]}), and"
                    " cancels; write the expression without what cancels"
                )


def _same(part: str, text: str) -> bool:
    return "".join(part.split()) == "".join(text.replace("^", "**").split())


@lru_cache(maxsize=1024)
def judge(need: Need, u: sympy.Expr) -> Judgement:
    """Decide whether ``u != 0``, ``u > 0`` or ``u >= 0`` for every real t.

    Parameters
    ----------
    need : "nonzero", "positive" or "nonnegative"
        The condition.
    u : sympy.Expr
        In the symbol `T`; defined for every t, or judged itself.

    Returns
    -------
    Judgement
        Guarantee: True is proved (by intervals or Sturm sequences), False is proved (by a number t or a real root).
    """
    if isinstance(u, sympy.Mul | sympy.Pow | sympy.Abs) and need == "nonzero":
        parts = _factors(u)
        if parts != [u]:
            found = [judge(need, part) for part in parts]
            broken = next((judgement for judgement in found if judgement.holds is False), None)
            return broken or (Judgement(True) if all(judgement.holds for judgement in found) else Judgement(None))
    polynomial = rational_polynomial(u)
    if polynomial is not None and polynomial.degree() > 0:
        return _by_roots(need, u, polynomial)
    try:
        tree = tree_of(u)
    except VerifierError:
        return Judgement(None)
    known = behaviour(tree)
    if known is not None and _meets(need, known.values):
        return Judgement(True)
    signs: list[tuple[Fraction, int]] = []
    for point in POINTS if u.has(T) else POINTS[:1]:
        sign = sign_at(tree, point)
        if sign is None:
            continue
        if (sign == 0 and need != "nonnegative") or (sign < 0 and need != "nonzero"):
            return Judgement(False, f"{_WORDS[need]} at t = {point}")
        signs.append((point, sign))
    if need == "nonzero" and known is not None:  # continuous
        for (a, left), (b, right) in pairwise(sorted(signs)):
            if left != right:
                return Judgement(False, f"{_WORDS[need]} between t = {a} and t = {b}")
    return Judgement(None)


def _by_roots(need: Need, u: sympy.Expr, polynomial: sympy.Poly) -> Judgement:
    """Decide a rational polynomial by Sturm sequences: its sign changes at roots of odd multiplicity only."""
    if need == "nonnegative":
        for point in POINTS:
            if polynomial.eval(sympy.Rational(point.numerator, point.denominator)) < 0:
                return Judgement(False, f"{_WORDS[need]} at t = {point}")
        _, factors = polynomial.sqf_list()
        changes = any(times % 2 and factor.count_roots() for factor, times in factors)
        return Judgement(False, f"{_WORDS[need]} beyond a real root of {u}") if changes else Judgement(True)
    if polynomial.count_roots():
        return Judgement(False, f"undefined at a real root of {u}")
    if need == "nonzero" or polynomial.eval(0) > 0:
        return Judgement(True)
    return Judgement(False, f"{_WORDS[need]} at t = 0")


def _meets(need: Need, values: Interval) -> bool:
    match need:
        case "nonzero":
            return values.excludes_zero
        case "positive":
            return values.is_positive
        case "nonnegative":
            return values.is_nonnegative


def _factors(u: sympy.Expr) -> list[sympy.Expr]:
    """Expressions one of which is zero wherever u is."""
    found: list[sympy.Expr] = []
    waiting = [u]
    while waiting:
        part = waiting.pop()
        if isinstance(part, sympy.Mul):
            waiting.extend(part.args)
        elif isinstance(part, sympy.Pow) and part.exp.is_positive:
            waiting.append(part.base)
        elif isinstance(part, sympy.Pow) and part.exp.is_negative:
            continue  # a quotient is never zero for its divisor's sake, which is a condition of its own
        elif isinstance(part, sympy.Abs):
            waiting.append(part.args[0])
        elif not (isinstance(part, sympy.exp) or (part.is_number and part.is_zero is False)):
            found.append(part)
    return found


def conditions_of(expression: sympy.Expr) -> frozenset[tuple[Need, sympy.Expr]]:
    """List what a sympy expression needs to be defined: its divisors, roots and logarithms.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.

    Returns
    -------
    frozenset of (need, argument)
        Of divisors: their factors.
    """
    found: set[tuple[Need, sympy.Expr]] = set()
    for part in sympy.preorder_traversal(expression):
        if isinstance(part, sympy.log):
            found.add(("positive", part.args[0]))
        if isinstance(part, sympy.Pow):
            if part.exp.is_negative:
                found.update(("nonzero", factor) for factor in _factors(part.base))
            if isinstance(part.exp, sympy.Rational) and part.exp.q > 1:
                found.add(("nonnegative", part.base))
    return frozenset(found)


def _stands(need: Need, u: sympy.Expr, kept: frozenset[tuple[Need, sympy.Expr]]) -> bool:
    """Whether an open condition is one of the conditions that are left: what it forbids, they forbid."""
    if need == "nonzero":
        return all(
            judge(need, part).holds or any((need, form) in kept for form in (part, -part, sympy.expand(-part)))
            for part in _factors(u)
        )
    coefficient, rest = u.as_coeff_Mul()
    forms = [u, rest] if coefficient.is_positive else [u]
    return any((need, form) in kept for form in forms)
