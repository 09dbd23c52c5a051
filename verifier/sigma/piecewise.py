"""Splitting an expression with Max, Min or Abs into pieces without them, at rational breakpoints."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import sympy

from verifier.sigma.intervals import Bound, Interval
from verifier.sigma.measures import T, degree_bound

MAX_PIECES: Final = 64
"""More pieces than this are not looked at."""
MAX_WORK: Final = 100_000
"""Pieces looked at, times the size of the expression: about a second."""
MAX_DEGREE: Final = 8
"""Largest degree of a polynomial whose roots are wanted."""

_KINKS: Final = (sympy.Max, sympy.Min, sympy.Abs)


@dataclass(frozen=True, slots=True)
class Piece:
    """An expression without Max, Min and Abs that equals the original one on an open interval (so on its closure).

    Parameters
    ----------
    domain : Interval
        Open, with rational or infinite ends.
    expression : sympy.Expr
        In the symbol `T`.
    """

    domain: Interval
    expression: sympy.Expr

    @property
    def inner_points(self) -> tuple[Fraction, ...]:
        """A few rational points of the domain."""
        lo, hi = self.domain.lo, self.domain.hi
        if isinstance(lo, Fraction) and isinstance(hi, Fraction):
            return tuple(lo + (hi - lo) * Fraction(k, 4) for k in (1, 2, 3))
        steps = (Fraction(1, 2), Fraction(1), Fraction(3))
        if isinstance(lo, Fraction):
            return tuple(lo + step for step in steps)
        if isinstance(hi, Fraction):
            return tuple(hi - step for step in steps)
        return (Fraction(-1), Fraction(0), Fraction(1))


def has_kinks(expression: sympy.Expr) -> bool:
    """Say whether Max, Min or Abs occur.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.

    Returns
    -------
    bool
        True if one occurs.
    """
    return bool(expression.has(*_KINKS))


def split(expression: sympy.Expr) -> tuple[Piece, ...] | None:
    """Split an expression at the breakpoints of its Max, Min and Abs.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.

    Returns
    -------
    tuple of Piece or None
        Guarantee: from left to right, domains that cover R up to finitely many ends, and on each the expression is the
        piece. None: not found; only breakpoints that are rational roots of rational polynomials are, and not all of
        very many.
    """
    done: list[Piece] = []
    steps = MAX_WORK // sum(1 for _ in sympy.preorder_traversal(expression))
    waiting = [Piece(Interval(-math.inf, math.inf), expression)]
    while waiting:
        piece = waiting.pop()
        kink = _innermost(piece.expression)
        if kink is None:
            if piece.expression.has(sympy.nan, sympy.zoo, sympy.oo, sympy.I):
                return None
            done.append(piece)
            continue
        finer = _resolved(piece, kink)
        steps -= 1
        if finer is None or steps < 0 or len(done) + len(waiting) + len(finer) > MAX_PIECES:
            return None
        waiting.extend(finer)
    return tuple(sorted(done, key=lambda piece: piece.domain.lo))


def degree_of_homogeneity(expression: sympy.Expr) -> int | None:
    """The k > 0 with ``sigma(s t) = s^k sigma(t)`` for all s > 0 and t, such as 1 of ReLU and 2 of a square.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.

    Returns
    -------
    int or None
        Guarantee: such a k; None: not found, or there is none.
    """
    pieces = split(expression) or ()
    degrees = set[int]()
    for piece in pieces:
        if {piece.domain.lo, piece.domain.hi} - {-math.inf, Fraction(0), math.inf}:
            return None
        polynomial = rational_polynomial(piece.expression)
        if polynomial is None or len(polynomial.terms()) != 1:
            return None
        degrees.update([] if polynomial.is_zero else [polynomial.degree()])
    return degrees.pop() if len(degrees) == 1 and 0 not in degrees else None


def _innermost(expression: sympy.Expr) -> sympy.Expr | None:
    kinks = [kink for kink in expression.atoms(*_KINKS) if not any(has_kinks(argument) for argument in kink.args)]
    return min(kinks, key=sympy.default_sort_key, default=None)


def _resolved(piece: Piece, kink: sympy.Expr) -> list[Piece] | None:
    """Replace one Max, Min or Abs by its winner, between the points where two of its arguments are equal."""
    arguments = [kink.args[0], -kink.args[0]] if isinstance(kink, sympy.Abs) else list(kink.args)
    differences: dict[tuple[int, int], sympy.Poly] = {}
    cuts: set[Fraction] = set()
    for i, j in itertools.combinations(range(len(arguments)), 2):
        polynomial = rational_polynomial(arguments[i] - arguments[j])
        roots = None if polynomial is None else _rational_roots(polynomial)
        if polynomial is None or roots is None:
            return None
        differences[i, j] = polynomial
        cuts.update(root for root in roots if piece.domain.lo < root < piece.domain.hi)
    ends: list[Bound] = [piece.domain.lo, *sorted(cuts), piece.domain.hi]
    finer = []
    for lo, hi in itertools.pairwise(ends):
        domain = Interval(lo, hi)
        probe = Piece(domain, piece.expression).inner_points[1]
        winner = arguments[_winner(differences, len(arguments), probe, smallest=isinstance(kink, sympy.Min))]
        finer.append(Piece(domain, piece.expression.xreplace({kink: winner})))
    return finer


def _winner(differences: dict[tuple[int, int], sympy.Poly], count: int, probe: Fraction, *, smallest: bool) -> int:
    """Return the largest (or smallest) argument at a point; no two change their order inside the interval around it."""
    best = 0
    for k in range(1, count):
        difference = differences[best, k].eval(sympy.Rational(probe.numerator, probe.denominator))
        if (difference > 0) if smallest else (difference < 0):
            best = k
    return best


def rational_polynomial(expression: sympy.Expr) -> sympy.Poly | None:
    """Read an expression as a polynomial with rational coefficients, of a degree of at most `MAX_DEGREE`.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.

    Returns
    -------
    sympy.Poly or None
        None if it is not written as one.
    """
    bound = degree_bound(expression)
    if bound is None or bound > MAX_DEGREE:
        return None
    polynomial = sympy.Poly(expression, T)
    rational = all(isinstance(coefficient, sympy.Rational) for coefficient in polynomial.all_coeffs())
    return polynomial if rational else None


def _rational_roots(polynomial: sympy.Poly) -> list[Fraction] | None:
    """Return all real roots, if all are rational; a zero polynomial has no isolated ones."""
    if polynomial.degree() <= 0:
        return []
    roots = sympy.roots(polynomial, filter="Q")
    if len(roots) != polynomial.count_roots():  # distinct real roots, by Sturm sequences
        return None
    return [Fraction(int(root.p), int(root.q)) for root in roots]
