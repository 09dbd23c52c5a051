"""Symmetry of an expression: sigma(-t) = c0 - sigma(t), or sigma(-t) = sigma(t)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import sympy

from verifier.sigma.expressions import T
from verifier.sigma.tree import evaluate, tree_of

_EVEN_CALLS: Final = frozenset({"cosh", "cos", "abs"})
_ODD_CALLS: Final = frozenset({"tanh", "sinh", "sin", "atan", "erf", "sign"})


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A mirror symmetry.

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
    parity = evaluate(tree_of(expression), _ParityOps())
    if parity is None:
        return None
    return Symmetry("even") if parity.kind != "odd" else Symmetry("odd", parity.center)


@dataclass(frozen=True, slots=True)
class _Parity:
    """A constant with its value, an even function, or an odd function about `center`/2."""

    kind: Literal["constant", "even", "odd"]
    center: sympy.Expr = sympy.S.Zero

    @property
    def is_plainly_odd(self) -> bool:
        return self.kind == "odd" and bool(self.center == 0)


class _ParityOps:
    """`Ops` over `_Parity | None`; None is absorbing."""

    def const(self, p: int, q: int) -> _Parity | None:
        return _Parity("constant", sympy.Rational(p, q))

    def pi(self) -> _Parity | None:
        return _Parity("constant", sympy.pi)

    def e(self) -> _Parity | None:
        return _Parity("constant", sympy.E)

    def var(self) -> _Parity | None:
        return _Parity("odd")

    def add(self, *terms: _Parity | None) -> _Parity | None:
        known = [term for term in terms if term is not None]
        if len(known) < len(terms):
            return None
        kinds = {term.kind for term in known}
        if "odd" not in kinds:
            return (
                _Parity("constant", sympy.Add(*(term.center for term in known)))
                if kinds == {"constant"}
                else _Parity("even")
            )
        if "even" in kinds:
            return None
        # odd terms add their c0; a constant c satisfies c = 2c - c
        return _Parity(
            "odd", sympy.Add(*(2 * term.center if term.kind == "constant" else term.center for term in known))
        )

    def mul(self, *factors: _Parity | None) -> _Parity | None:
        known = [factor for factor in factors if factor is not None]
        if len(known) < len(factors):
            return None
        constant = sympy.Mul(*(factor.center for factor in known if factor.kind == "constant"))
        rest = [factor for factor in known if factor.kind != "constant"]
        if not rest:
            return _Parity("constant", constant)
        if len(rest) == 1:
            return _Parity(rest[0].kind, constant * rest[0].center)
        if any(factor.kind == "odd" and not factor.is_plainly_odd for factor in rest):
            return None
        return _Parity("odd" if sum(factor.kind == "odd" for factor in rest) % 2 else "even")

    def div(self, numerator: _Parity | None, denominator: _Parity | None) -> _Parity | None:
        if numerator is None or denominator is None:
            return None
        if denominator.kind == "constant":
            return self.mul(numerator, _Parity("constant", 1 / denominator.center)) if denominator.center != 0 else None
        if denominator.kind == "odd":  # 1/f is odd only where c0 = 0
            return self.mul(numerator, _Parity("odd")) if denominator.is_plainly_odd else None
        return self.mul(numerator, _Parity("even"))

    def pow_int(self, base: _Parity | None, n: int) -> _Parity | None:
        if base is None or base.kind == "even":
            return base
        if base.kind == "constant":
            return _Parity("constant", base.center**n)
        return _Parity("odd" if n % 2 else "even") if base.is_plainly_odd else None

    def pow_rational(self, base: _Parity | None, p: int, q: int) -> _Parity | None:
        if base is None or base.kind == "odd":
            return None
        return _Parity("constant", base.center ** sympy.Rational(p, q)) if base.kind == "constant" else base

    def call(self, name: str, *args: _Parity | None) -> _Parity | None:
        known = [argument for argument in args if argument is not None]
        if len(known) < len(args):
            return None
        if all(argument.kind != "odd" for argument in known):
            return _Parity("even")  # a constant's value is not needed further: it only counts as even
        argument = known[0]
        if len(known) > 1 or not argument.is_plainly_odd:
            return None
        if name in _EVEN_CALLS:
            return _Parity("even")
        if name in _ODD_CALLS:
            return _Parity("odd")
        # sigmoid(-u) = 1 - sigmoid(u), erfc(-u) = 2 - erfc(u)
        return {"sigmoid": _Parity("odd", sympy.S.One), "erfc": _Parity("odd", sympy.Integer(2))}.get(name)
