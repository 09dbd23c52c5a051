"""Facts about an activation, each with its proof in words: analytic, increasing, limits, bounded, symmetric, ...

A fact is "proved" only by an argument that this module makes and names; what it cannot prove is "unknown", or
"declared" where the user vouches for it. False is proved by a certified counterexample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Literal

import sympy

from verifier.errors import ExpressionError, nearest, one_line
from verifier.sigma.piecewise import has_kinks, split
from verifier.sigma.proofs import (
    Fact,
    prove_bounded,
    prove_limit,
    prove_polynomial_degree,
    prove_real_analytic,
    prove_softplus_like,
    prove_strictly_increasing,
    prove_symmetry,
)
from verifier.sigma.ranges import behaviour
from verifier.sigma.symmetry import Symmetry
from verifier.sigma.tree import tree_of

SIGNS: Final[tuple[Literal[-1], Literal[1]]] = (-1, 1)
"""The two ends of the line."""
DECLARABLE: Final = ("real_analytic", "strictly_increasing", "bounded")
"""Facts that a user may declare, as True or False."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an activation sigma.

    Guarantee: a fact with status "proved" is a theorem about the expression, up to what its `by` names.

    Parameters
    ----------
    real_analytic : Fact of bool
        On all of R.
    strictly_increasing : Fact of bool
        On all of R.
    limit_minus, limit_plus : Fact of sympy.Expr
        The limits at -oo and +oo: constants or +-oo.
    bounded : Fact of bool
        On all of R.
    softplus_like : Fact of sympy.Rational
        gamma, if the expression is ``log(1 + exp(gamma t)) / gamma`` with gamma > 0.
    polynomial_degree : Fact of int
        The degree (0 for constants); proved None: not a polynomial.
    symmetry : Fact of Symmetry
        Odd about a constant, even, or proved to be neither.
    """

    real_analytic: Fact[bool]
    strictly_increasing: Fact[bool]
    limit_minus: Fact[sympy.Expr]
    limit_plus: Fact[sympy.Expr]
    bounded: Fact[bool]
    softplus_like: Fact[sympy.Rational]
    polynomial_degree: Fact[int]
    symmetry: Fact[Symmetry]


@lru_cache(maxsize=256)
def prove_facts(expression: sympy.Expr) -> Facts:
    """Prove what can be proved of an expression.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T` and the grammar of certificates.

    Returns
    -------
    Facts
        See there; nothing is declared yet.
    """
    tree = tree_of(expression)
    known = behaviour(tree)
    pieces = split(expression) if has_kinks(expression) else None
    analytic = prove_real_analytic(tree, known, pieces)
    minus, plus = (prove_limit(expression, known, pieces, sign) for sign in SIGNS)
    bounded = prove_bounded(known, minus, plus)
    return Facts(
        real_analytic=analytic,
        strictly_increasing=prove_strictly_increasing(expression, known, pieces),
        limit_minus=minus,
        limit_plus=plus,
        bounded=bounded,
        softplus_like=prove_softplus_like(tree),
        polynomial_degree=prove_polynomial_degree(expression, analytic, bounded, minus, plus),
        symmetry=prove_symmetry(expression),
    )


def with_declared(facts: Facts, declared: Mapping[str, bool]) -> Facts:
    """Fill unknown facts with what a user declares.

    Parameters
    ----------
    facts : Facts
        From `prove_facts`.
    declared : mapping of str to bool
        Names of `DECLARABLE`.

    Returns
    -------
    Facts
        Proved facts stay; unknown ones become "declared".

    Raises
    ------
    ExpressionError
        An unknown name, a value that is not a bool, or a contradiction to what is proved.
    """
    for name, value in declared.items():
        if name not in DECLARABLE:
            raise ExpressionError(f"declared: unknown fact {one_line(name)}; {nearest(str(name), DECLARABLE)}")
        if not isinstance(value, bool):
            raise ExpressionError(f"declared: {name} = {one_line(value)} must be True or False")
        fact: Fact[bool] = getattr(facts, name)
        if fact.status == "proved" and fact.value is not value:
            raise ExpressionError(
                f"declared: {name} = {value}, but {fact.value} is proved ({fact.by}); remove the declaration"
            )
        if fact.status == "unknown":
            changes: dict[str, Any] = {name: Fact(value, "declared", "declared by the user")}
            facts = replace(facts, **changes)
    return facts
