"""The proofs behind an activation's facts: one function per fact, each returns a `Fact` with its proof in words.

Common arguments: `known` is what the range walk proved of the expression on R, None if not even that it is defined;
`pieces` are its pieces if it has Max, Min or Abs and they were found, else None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, Generic, Literal, TypeVar

import flint
import sympy

from verifier.errors import ExpressionError, one_line
from verifier.sigma.intervals import Interval
from verifier.sigma.limits import limit_at_infinity, sign_of
from verifier.sigma.measures import T, degree_bound, largest_power, largest_rate
from verifier.sigma.piecewise import Piece, has_kinks
from verifier.sigma.point_values import TEST_POINTS, UndefinedError, ball_at, exact_at, sign_at, sign_between
from verifier.sigma.ranges import Behaviour, behaviour
from verifier.sigma.sizes import MAX_DERIVATIVE_TERMS, derivative_size
from verifier.sigma.symmetry import Symmetry, symmetry_of
from verifier.sigma.tree import Call, Const, Div, Mul, Tree, Var, tree_of

Kind = TypeVar("Kind")
Status = Literal["proved", "declared", "unknown"]

MAX_SIMPLIFY_OPERATIONS: Final = 60
"""Larger derivatives are not given to sympy.simplify."""
MAX_SIMPLIFY_POWER: Final = 12
"""Largest exponent for sympy.simplify."""
MAX_SIMPLIFY_RATE: Final = 40
"""Largest rate of an exponential for sympy.simplify."""
MAX_POLYNOMIAL_DEGREE: Final = 1000
"""Polynomials of a larger degree are not expanded."""
MAX_SYMBOLIC_DEGREE: Final = 60
"""Polynomials with irrational coefficients of a larger degree are not expanded: sympy takes minutes."""
MARGIN: Final = Fraction(1, 1000)
"""How far an interval around a point reaches beyond it."""


@dataclass(frozen=True, slots=True)
class Fact(Generic[Kind]):
    """What is known of one property of an activation, and who vouches for it.

    Parameters
    ----------
    value : object or None
        None with status "unknown"; with status "proved" None means that no such value exists.
    status : "proved", "declared" or "unknown"
        Who vouches: this package, the user, nobody.
    by : str
        The proof, or what is missing.
    """

    value: Kind | None
    status: Status
    by: str

    @property
    def holds(self) -> bool:
        """Whether the statement is proved to be true."""
        return self.status == "proved" and self.value is True


def _unknown(by: str) -> Fact[Any]:
    return Fact(None, "unknown", by)


def prove_real_analytic(tree: Tree, known: Behaviour | None, pieces: tuple[Piece, ...] | None) -> Fact[bool]:
    """Prove that sigma is real analytic on R, by composition; or refute it, by the identity theorem."""
    if known is not None and known.analytic:
        detail = "".join(f"; {condition}" for condition in known.conditions)
        return Fact(True, "proved", f"composition of real analytic functions{detail}")
    if known is not None and pieces is not None:
        # Identity theorem: if sigma were analytic it would equal a piece on every interval that contains the piece's
        # domain and on which the piece's expression is analytic.
        for piece in pieces:
            for point in _points_off(pieces, piece):
                reach = behaviour(tree_of(piece.expression), _hull(piece.domain, point))
                if reach is None or not reach.analytic:
                    continue
                if _certainly(sign_between(tree, point, tree_of(piece.expression), point)):
                    return Fact(
                        False,
                        "proved",
                        f"identity theorem: equals {piece.expression} on {piece.domain}, but not at t = {point}",
                    )
    return _unknown("no proof by composition, no proof of a breakpoint")


def _points_off(pieces: tuple[Piece, ...], piece: Piece) -> Iterator[Fraction]:
    return (point for other in pieces if other is not piece for point in other.inner_points)


def _hull(domain: Interval, point: Fraction) -> Interval:
    """Return an open interval that contains the open domain and the point."""
    return Interval(min(domain.lo, point - MARGIN), max(domain.hi, point + MARGIN))


def _certainly(sign: int | None) -> bool:
    return sign is not None and sign != 0


def prove_strictly_increasing(
    expression: sympy.Expr, known: Behaviour | None, pieces: tuple[Piece, ...] | None
) -> Fact[bool]:
    """Prove that sigma is strictly increasing, by its derivative; or refute it, by two points."""
    tree = tree_of(expression)
    for a, b in pairwise(sorted(TEST_POINTS)):
        sign = sign_between(tree, a, tree, b)
        if sign is not None and sign >= 0:
            return Fact(False, "proved", f"sigma({a}) {'>' if sign else '='} sigma({b}), certified")
    if known is None:
        return _unknown("not proved to be defined and continuous on R")
    if not has_kinks(expression):
        pieces = (Piece(Interval(float("-inf"), float("inf")), expression),)
    if pieces is None:
        return _unknown("breakpoints not found")
    proofs = [_increasing_on(piece) for piece in pieces]
    missing = next((piece for piece, proof in zip(pieces, proofs, strict=True) if proof is None), None)
    if missing is not None:
        return _unknown(f"derivative not proved nonnegative on {missing.domain}")
    joined = "; ".join(dict.fromkeys(proof for proof in proofs if proof is not None))
    return Fact(
        True, "proved", joined if len(pieces) == 1 else f"continuous, and on each of {len(pieces)} pieces: {joined}"
    )


def _increasing_on(piece: Piece) -> str | None:
    """Prove that a piece is strictly increasing on its open domain; return the proof.

    An analytic function on an interval with derivative >= 0, not identically zero, is strictly increasing: the zeros of
    the derivative are isolated.
    """
    here = behaviour(tree_of(piece.expression), piece.domain)
    if here is None or not here.analytic or derivative_size(tree_of(piece.expression)) > MAX_DERIVATIVE_TERMS:
        return None
    derivative = piece.expression.diff(T)
    inside = [point for point in TEST_POINTS if piece.domain.lo < point < piece.domain.hi]
    for form, how in _equal_forms(derivative, [*piece.inner_points, *inside]):
        slope = behaviour(tree_of(form), piece.domain)
        if slope is None or not slope.values.is_nonnegative:
            continue
        if slope.values.is_positive:
            return f"derivative {form} > 0{how}"
        if any(_certainly(sign_at(tree_of(form), point)) for point in piece.inner_points):
            return f"analytic, derivative {form} >= 0 and not identically 0{how}"
    return None


def _equal_forms(derivative: sympy.Expr, points: list[Fraction]) -> Iterator[tuple[sympy.Expr, str]]:
    """Yield the derivative, then forms that sympy's algebra says are equal, if Arb does not contradict."""
    yield derivative, ""
    is_small = derivative.count_ops() <= MAX_SIMPLIFY_OPERATIONS
    if not is_small or largest_power(derivative) > MAX_SIMPLIFY_POWER or largest_rate(derivative) > MAX_SIMPLIFY_RATE:
        return
    for transform in (sympy.together, sympy.factor, sympy.simplify):
        try:
            form = transform(derivative)
            agrees = all(
                ball_at(tree_of(form), point).overlaps(ball_at(tree_of(derivative), point)) for point in points
            )
        except (ExpressionError, UndefinedError, NotImplementedError):
            continue
        if agrees and form != derivative:
            yield form, f" (form by sympy.{transform.__name__}, compared with Arb at {len(points)} points)"


def prove_limit(
    expression: sympy.Expr, known: Behaviour | None, pieces: tuple[Piece, ...] | None, sign: Literal[1, -1]
) -> Fact[sympy.Expr]:
    """Find the limit for t -> sign * oo."""
    if known is None:
        return _unknown("not proved to be defined and continuous on R")
    if pieces is not None:  # the outermost piece is all that counts
        expression = pieces[0 if sign < 0 else -1].expression
    value, by = limit_at_infinity(expression, sign)
    return _unknown(by) if value is None else Fact(value, "proved", by)


def prove_bounded(known: Behaviour | None, minus: Fact[sympy.Expr], plus: Fact[sympy.Expr]) -> Fact[bool]:
    """Prove that sigma is bounded, by its range or its limits; or refute it, by an infinite limit."""
    if known is None:
        return _unknown("not proved to be defined and continuous on R")
    if known.values.is_bounded:
        return Fact(True, "proved", f"every value lies in {known.values}")
    limits = [fact.value for fact in (minus, plus)]
    if any(value in (sympy.oo, -sympy.oo) for value in limits):
        return Fact(False, "proved", "an infinite limit")
    if all(value is not None for value in limits):
        return Fact(True, "proved", "continuous, with finite limits at -oo and +oo")
    return _unknown("no finite range, and a limit is unknown")


def prove_softplus_like(tree: Tree) -> Fact[sympy.Rational]:
    """Match c * softplus(g t) with c g = 1 and g > 0, exactly, in the forms that `tree_of` makes."""
    factor = Fraction(1)
    core = tree
    if isinstance(core, Div) and isinstance(core.denominator, Const):
        factor /= Fraction(core.denominator.p, core.denominator.q)
        core = core.numerator
    if isinstance(core, Mul) and len(core.factors) == 2 and isinstance(core.factors[0], Const):
        factor *= Fraction(core.factors[0].p, core.factors[0].q)
        core = core.factors[1]
    if isinstance(core, Call) and core.name == "softplus":
        slope = _slope(core.args[0])
        if slope is not None and slope > 0 and factor * slope == 1:
            gamma = sympy.Rational(slope.numerator, slope.denominator)
            return Fact(gamma, "proved", f"is log(1 + exp({slope} t)) / {slope}")
    return _unknown("not written as log(1 + exp(gamma t)) / gamma")


def _slope(tree: Tree) -> Fraction | None:
    """Return g if the tree is g t."""
    at_one = exact_at(tree, Fraction(1))
    match tree:
        case Var() | Mul((Const(), Var())) | Div(Var() | Mul((Const(), Var())), Const()):
            return at_one
    return None


def prove_polynomial_degree(
    expression: sympy.Expr,
    analytic: Fact[bool],
    bounded: Fact[bool],
    minus: Fact[sympy.Expr],
    plus: Fact[sympy.Expr],
) -> Fact[int]:
    """Find the exact degree of a polynomial, or prove that sigma is none."""
    bound = degree_bound(expression)
    if bound is not None:
        if bound > MAX_POLYNOMIAL_DEGREE:
            return _unknown(f"a polynomial of degree up to {bound}, too large to expand")
        exact = _rational_polynomial(expression)
        if exact is not None:
            degree = max(int(exact.degree()), 0)
            return Fact(degree, "proved", f"a polynomial with leading coefficient {one_line(str(exact[degree]))[1:-1]}")
        if bound > MAX_SYMBOLIC_DEGREE:
            return _unknown(f"a polynomial of degree up to {bound} with irrational coefficients, too large to expand")
        polynomial = sympy.Poly(expression, T)
        degree = max(polynomial.degree(), 0)
        if degree == 0 or _certainly(sign_of(polynomial.LC())):
            return Fact(int(degree), "proved", f"a polynomial with leading coefficient {polynomial.LC()}")
        return _unknown("leading coefficient not proved nonzero")
    if analytic.status == "proved" and analytic.value is False:
        return Fact(None, "proved", "no polynomial: not analytic")
    tree = tree_of(expression)
    varies = any(_certainly(sign_between(tree, Fraction(0), tree, point)) for point in TEST_POINTS)
    if varies and bounded.holds:
        return Fact(None, "proved", "no polynomial: bounded and not constant")
    finite = [fact for fact in (minus, plus) if fact.value is not None and fact.value not in (sympy.oo, -sympy.oo)]
    if varies and any(fact.status == "proved" for fact in finite):
        return Fact(None, "proved", "no polynomial: a finite limit and not constant")
    return _unknown("not written as a polynomial; no proof that it is none")


def _rational_polynomial(expression: sympy.Expr) -> flint.fmpq_poly | None:
    """Expand a polynomial with rational coefficients by FLINT; None if a constant is irrational."""
    if isinstance(expression, sympy.Rational):
        return flint.fmpq_poly([flint.fmpq(int(expression.p), int(expression.q))])
    if expression == T:
        return flint.fmpq_poly([0, 1])
    if isinstance(expression, sympy.Pow):
        base = _rational_polynomial(expression.base)
        return None if base is None else base ** int(expression.exp)
    if not isinstance(expression, sympy.Add | sympy.Mul):
        return None
    total = flint.fmpq_poly([0 if isinstance(expression, sympy.Add) else 1])
    for argument in expression.args:
        part = _rational_polynomial(argument)
        if part is None:
            return None
        total = total + part if isinstance(expression, sympy.Add) else total * part
    return total


def prove_symmetry(expression: sympy.Expr) -> Fact[Symmetry]:
    """Prove a symmetry by structure, or refute both kinds at two points."""
    found = symmetry_of(expression)
    if found is not None:
        words = "sigma(-t) = sigma(t)" if found.kind == "even" else f"sigma(-t) = {found.center} - sigma(t)"
        return Fact(found, "proved", f"{words}, by structure")
    tree = tree_of(expression)
    one, two = Fraction(1), Fraction(2)
    not_even = any(_certainly(sign_between(tree, point, tree, -point)) for point in (one, two))
    try:
        sums = [ball_at(tree, point) + ball_at(tree, -point) for point in (one, two)]
        not_odd = bool(sums[0] < sums[1]) or bool(sums[0] > sums[1])
    except UndefinedError:
        not_odd = False
    if not_even and not_odd:
        return Fact(Symmetry("none"), "proved", "sigma(t) and sigma(-t) differ, and their sum varies (t = 1, 2)")
    return _unknown("no symmetry found by structure")
