"""Symmetry of an expression: sigma(-t) = c0 - sigma(t), or sigma(-t) = sigma(t)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sympy

from verifier.sigma.expressions import T
from verifier.sigma.functions import FUNCTIONS
from verifier.sigma.tree import NotProvedError, Ops, evaluate, tree_of


@dataclass(frozen=True, slots=True)
class Symmetry:
    """The mirror symmetry that was proved of an activation: odd about a point, even, or neither.

    Parameters
    ----------
    kind : "odd", "even" or "none"
        "odd": sigma(-t) = center - sigma(t) for all t. "even": sigma(-t) = sigma(t). "none": neither holds.
    center : sympy.Expr or None
        The constant c0 of "odd".
    """

    kind: Literal["odd", "even", "none"]
    center: sympy.Expr | None = None


def symmetry_of(expression: sympy.Expr) -> Symmetry | None:
    """Prove a symmetry by structure.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`.

    Returns
    -------
    Symmetry or None
        Guarantee: "odd" or "even" holds for all t. None: not proved (it may still be true); constants count as even.
    """
    mirrored = expression.subs(T, -T)
    if mirrored == expression:
        return Symmetry("even")
    total = mirrored + expression
    if total.is_number:
        return Symmetry("odd", total)
    try:
        found = evaluate(tree_of(expression), _SymmetryOps(_Mirrored("odd")))
    except NotProvedError:
        return None
    return Symmetry("even") if found.kind != "odd" else Symmetry("odd", found.center)


@dataclass(frozen=True, slots=True)
class _Mirrored:
    """A constant with its value, an even function, or an odd function about `center`/2."""

    kind: Literal["constant", "even", "odd"]
    center: sympy.Expr = sympy.S.Zero


class _SymmetryOps(Ops[_Mirrored]):
    """`Ops` over `_Mirrored`; what has no symmetry raises."""

    def const(self, p: int, q: int) -> _Mirrored:
        return _Mirrored("constant", sympy.Rational(p, q))

    def pi(self) -> _Mirrored:
        return _Mirrored("constant", sympy.pi)

    def e(self) -> _Mirrored:
        return _Mirrored("constant", sympy.E)

    def add(self, *terms: _Mirrored) -> _Mirrored:
        kinds = {term.kind for term in terms}
        if "odd" not in kinds:
            if kinds == {"constant"}:
                return _Mirrored("constant", sympy.Add(*(term.center for term in terms)))
            return _Mirrored("even")
        if "even" in kinds:
            raise NotProvedError
        # odd terms add their c0; a constant c satisfies c = 2c - c
        centers = (2 * term.center if term.kind == "constant" else term.center for term in terms)
        return _Mirrored("odd", sympy.Add(*centers))

    def mul(self, *factors: _Mirrored) -> _Mirrored:
        constant = sympy.Mul(*(factor.center for factor in factors if factor.kind == "constant"))
        rest = [factor for factor in factors if factor.kind != "constant"]
        if not rest:
            return _Mirrored("constant", constant)
        if len(rest) == 1:
            return _Mirrored(rest[0].kind, constant * rest[0].center)
        odd = [_plainly_odd(factor) for factor in rest if factor.kind == "odd"]
        return _Mirrored("odd" if len(odd) % 2 else "even")

    def div(self, numerator: _Mirrored, denominator: _Mirrored) -> _Mirrored:
        if denominator.kind == "constant":
            if denominator.center == 0:
                raise NotProvedError
            return self.mul(numerator, _Mirrored("constant", 1 / denominator.center))
        # 1/f is odd only where c0 = 0
        return self.mul(numerator, _plainly_odd(denominator) if denominator.kind == "odd" else _Mirrored("even"))

    def pow_int(self, base: _Mirrored, n: int) -> _Mirrored:
        if base.kind == "even":
            return base
        if base.kind == "constant":
            return _Mirrored("constant", base.center**n)
        odd = _plainly_odd(base)
        return odd if n % 2 else _Mirrored("even")

    def pow_rational(self, base: _Mirrored, p: int, q: int) -> _Mirrored:
        if base.kind == "odd":
            raise NotProvedError
        return _Mirrored("constant", base.center ** sympy.Rational(p, q)) if base.kind == "constant" else base

    def call(self, name: str, *args: _Mirrored) -> _Mirrored:
        if all(argument.kind != "odd" for argument in args):
            return _Mirrored("even")  # a constant's value is not needed further: it only counts as even
        symmetry = FUNCTIONS[name].symmetry
        if symmetry is None:  # max and min have none
            raise NotProvedError
        _plainly_odd(args[0])
        at_zero = FUNCTIONS[name].at_zero or 0
        # f(-u) = 2 f(0) - f(u), such as sigmoid(-u) = 1 - sigmoid(u), erfc(-u) = 2 - erfc(u)
        return _Mirrored("even") if symmetry == "even" else _Mirrored("odd", sympy.sympify(2 * at_zero))


def _plainly_odd(found: _Mirrored) -> _Mirrored:
    """Insist on f(-t) = -f(t)."""
    if found.kind != "odd" or found.center != 0:
        raise NotProvedError
    return found
