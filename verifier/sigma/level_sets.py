"""Whether an activation takes no value on a set of positive measure, also one with kinks such as ELU or leaky ReLU.

At every t an expression with Max, Min and Abs equals one of its *branches*: each Max (Min) is the larger (smaller) of
its two arguments there, each ``Abs(u)`` is u or -u. So a level set of the expression lies in the union of those of its
branches. If each branch is real analytic on R and not constant, these are countable.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import sympy

from verifier.errors import ExpressionError
from verifier.sigma.activations import Activation
from verifier.sigma.polynomials import excludes_polynomials

MAX_BRANCHES: Final = 32
"""More branches than these are not looked at."""


def level_sets_are_null(sigma: Activation) -> bool:
    """Whether every level set ``{t : sigma(t) = c}`` is proved to have measure zero.

    Parameters
    ----------
    sigma : Activation
        Defined on all of R.

    Returns
    -------
    bool
        Guarantee: if true, they have; each is countable (THEORY2, Theorem S, corollary 2).

    Examples
    --------
    >>> from verifier import activation
    >>> from verifier.sigma.level_sets import level_sets_are_null
    >>> [level_sets_are_null(activation(name)) for name in ("elu", "leaky_relu", "silu", "relu", "relu6")]
    [True, True, True, False, False]
    """
    return _null(sigma.expression)


@lru_cache(maxsize=128)
def _null(expression: sympy.Expr) -> bool:
    found = _branches(expression)
    return found is not None and all(map(_analytic_and_not_constant, found))


def _analytic_and_not_constant(branch: sympy.Expr) -> bool:
    try:
        sigma = Activation("branch", branch)
    except ExpressionError:
        return False
    fact = sigma.facts.real_analytic
    return fact.status == "proved" and fact.holds and excludes_polynomials(sigma, 0)


def _branches(expression: sympy.Expr) -> list[sympy.Expr] | None:
    """All branches; None if there are very many, or a maximum of more than two functions."""
    if any(len(kink.args) > 2 for kink in expression.atoms(sympy.Max, sympy.Min)):
        return None  # even if some branches have fewer: a checker does not simplify
    waiting, done = [expression], list[sympy.Expr]()
    while waiting:
        current = waiting.pop()
        kinks = current.atoms(sympy.Max, sympy.Min, sympy.Abs)
        inner = [kink for kink in kinks if not any(arg.has(sympy.Max, sympy.Min, sympy.Abs) for arg in kink.args)]
        if not inner:
            done.append(current)
            continue
        kink = min(inner, key=sympy.default_sort_key)
        pair = (kink.args[0], -kink.args[0]) if isinstance(kink, sympy.Abs) else kink.args
        if len(pair) != 2 or len(waiting) + len(done) >= MAX_BRANCHES:
            return None
        for larger, smaller in (pair, pair[::-1]):
            chosen = {sympy.Max(*pair, evaluate=False): larger, sympy.Min(*pair, evaluate=False): smaller}
            chosen[kink] = smaller if isinstance(kink, sympy.Min) else larger
            waiting.append(current.xreplace(chosen))
    return done
