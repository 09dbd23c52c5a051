"""Activation functions: one exact expression each, from which facts and kernels follow.

The catalogue holds the paper's activations (sigmoid, tanh, softplus), other analytic ones (GELU, SiLU, sin, ...),
polynomials, and ReLU-like ones that the paper's theory does not cover. `activation` looks a name up, `register` adds
one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, Final

import sympy

from verifier.display import Brief
from verifier.errors import ExpressionError, one_line
from verifier.sigma import names
from verifier.sigma.derivatives import derivative_of, settled
from verifier.sigma.domains import parse_activation
from verifier.sigma.expressions import MAX_LENGTH, T, check_real, parse_expression
from verifier.sigma.facts import Facts, prove_facts, with_declared
from verifier.sigma.tree import Tree, tree_of


@lru_cache(maxsize=1024)
def _printed(expression: sympy.Expr) -> str:
    return str(expression)


@dataclass(frozen=True, slots=True, repr=False)
class Activation(Brief):
    """An activation function: a name and one expression in the real variable t.

    Parameters
    ----------
    name : str
        How people call it; informative.
    expression : sympy.Expr
        In the symbol `verifier.sigma.expressions.T` and the grammar of certificates.
    declared : tuple of (str, bool), optional
        Facts that the user vouches for where nothing is proved, for example ``(("bounded", True),)``.

    Raises
    ------
    ExpressionError
        The expression is outside the grammar, or certainly undefined or not real at some real t.

    Examples
    --------
    >>> from verifier import Activation
    >>> bump = Activation.from_expression("t/(1 + t**2)", "bump")
    >>> bump.canonical
    't/(t**2 + 1)'
    >>> bump.facts.bounded.holds, bump.facts.strictly_increasing.value
    (True, False)
    """

    name: str
    expression: sympy.Expr
    declared: tuple[tuple[str, bool], ...] = ()

    def __post_init__(self) -> None:
        """Validate: printable, readable back as itself, real."""
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise ExpressionError(f"activation: name {one_line(self.name)} must be printable text; give one")
        if not isinstance(self.expression, sympy.Expr) or self.expression.free_symbols - {T}:
            raise ExpressionError(
                f"activation {self.name!r}: {one_line(self.expression)} must be a sympy expression in the real symbol"
                " t; use Activation.from_expression"
            )
        check_real(self.expression, self.name)
        if len(self.canonical) > MAX_LENGTH:
            raise ExpressionError(
                f"activation {one_line(self.name)}: the expression prints as {len(self.canonical)} characters,"
                f" more than {MAX_LENGTH}; shorten it"
            )
        try:
            tree_of(self.expression)
            object.__setattr__(self, "expression", settled(self.expression))
        except RecursionError:
            raise ExpressionError(f"activation {one_line(self.name)}: nested too deeply; simplify it") from None
        if self.declared:
            with_declared(self.facts, dict(self.declared))

    @classmethod
    def from_expression(
        cls, text: str, name: str | None = None, *, declared: Mapping[str, bool] | None = None
    ) -> Activation:
        """Read an activation from text.

        Parameters
        ----------
        text : str
            For example ``"log(1 + exp(t))"``; the grammar is `verifier.sigma.expressions`.
        name : str, optional
            Default: the canonical form of the expression.
        declared : mapping of str to bool, optional
            Facts that the user vouches for where nothing is proved: real_analytic, strictly_increasing, bounded.

        Returns
        -------
        Activation
            The activation.

        Raises
        ------
        ExpressionError
            The text is outside the grammar, or not a real function of all real t.
        """
        try:
            expression = parse_activation(text)
        except RecursionError:
            raise ExpressionError(f"expression {one_line(text)}: nested too deeply; simplify it") from None
        return cls(str(expression) if name is None else name, expression, tuple((declared or {}).items()))

    @property
    def canonical(self) -> str:
        """The expression as certificates hold it: what sympy prints."""
        return _printed(self.expression)

    @property
    def tree(self) -> Tree:
        """The expression as a `Tree`, for kernels."""
        return tree_of(self.expression)

    @property
    def derivative(self) -> sympy.Expr:
        """The derivative; for Max, Min and Abs off the breakpoints, and there the mean of both sides (sign(0) = 0)."""
        return derivative_of(self.expression)

    @property
    def derivative_tree(self) -> Tree:
        """The derivative as a `Tree`, for kernels."""
        return tree_of(self.derivative)

    @property
    def facts(self) -> Facts:
        """What is proved, declared or unknown: analytic, increasing, limits, bounded, symmetric, ... Computed once."""
        return with_declared(prove_facts(self.expression), dict(self.declared))


def softplus(gamma: Fraction | int = 1) -> Activation:
    """Return the paper's softplus ``log(1 + exp(gamma t)) / gamma``.

    Parameters
    ----------
    gamma : Fraction or int, optional
        Sharpness, positive; the larger, the nearer to ReLU.

    Returns
    -------
    Activation
        The activation.

    Raises
    ------
    ExpressionError
        gamma is not positive.
    """
    sharpness = _rational(Fraction(gamma))
    if not sharpness.is_positive:
        raise ExpressionError(f"softplus: gamma = {gamma} must be positive; use softplus(1)")
    return Activation(
        "softplus" if gamma == 1 else f"softplus({gamma})", sympy.log(1 + sympy.exp(sharpness * T)) / sharpness
    )


def leaky_relu(slope: Fraction | int = Fraction(1, 100)) -> Activation:
    """Return the activation ``max(t, slope t)``.

    Parameters
    ----------
    slope : Fraction or int, optional
        Slope left of 0, at least 0 and below 1.

    Returns
    -------
    Activation
        The activation.

    Raises
    ------
    ExpressionError
        The slope is out of range.
    """
    if not 0 <= slope < 1:
        raise ExpressionError(f"leaky_relu: slope = {slope} must be in [0, 1); use leaky_relu(1/100)")
    name = "leaky_relu" if slope == Fraction(1, 100) else f"leaky_relu({slope})"
    return Activation(name, sympy.Max(T, _rational(Fraction(slope)) * T))


def _rational(value: Fraction) -> sympy.Rational:
    return sympy.Rational(value.numerator, value.denominator)


_FAMILIES: Final[dict[str, Callable[[Fraction], Activation]]] = {"softplus": softplus, "leaky_relu": leaky_relu}

_EXPRESSIONS: Final[dict[str, Any]] = {
    "sigmoid": 1 / (1 + sympy.exp(-T)),
    "tanh": sympy.tanh(T),
    "arctan": sympy.atan(T),
    "erf": sympy.erf(T),
    "algebraic": T / sympy.sqrt(1 + T**2),
    "identity": T,
    "sin": sympy.sin(T),
    "gelu": T * (1 + sympy.erf(T / sympy.sqrt(2))) / 2,
    "silu": T / (1 + sympy.exp(-T)),
    "exp": sympy.exp(T),
    "relu": sympy.Max(0, T),
    "elu": sympy.Max(0, T) + sympy.exp(sympy.Min(0, T)) - 1,
    "hard_tanh": sympy.Max(-1, sympy.Min(1, T)),
    "square": T**2,
    "cubic": T**3,
}

_CATALOGUE: Final[dict[str, Activation]] = {name: Activation(name, value) for name, value in _EXPRESSIONS.items()} | {
    "softplus": softplus(),
    "leaky_relu": leaky_relu(),
}
_REGISTERED: Final[dict[str, Activation]] = {}


def catalogue() -> tuple[Activation, ...]:
    """Return the built-in activations, then the registered ones.

    Returns
    -------
    tuple of Activation
        In a fixed order.
    """
    return (*_CATALOGUE.values(), *_REGISTERED.values())


def register(new: Activation) -> Activation:
    """Make an activation known by its name to `activation`, for this process.

    Parameters
    ----------
    new : Activation
        With a name of letters, digits and underscores that is not taken by a different function.

    Returns
    -------
    Activation
        The same activation.

    Raises
    ------
    ExpressionError
        The name is taken or not an identifier.

    Examples
    --------
    >>> from verifier import Activation, activation, register
    >>> mine = Activation.from_expression("tanh(t)", "tanh")  # this name may be taken: it is the same function
    >>> register(mine) == activation("tanh")
    True
    """
    if not new.name.isidentifier() or new.name in ("t", "x"):
        raise ExpressionError(
            f"activation: name {one_line(new.name)} must be an identifier other than t, x; give another"
        )
    known = _CATALOGUE.get(new.name) or _REGISTERED.get(new.name)
    if (known is not None and known != new) or new.name in _FAMILIES:
        raise ExpressionError(f"activation: the name {new.name!r} is taken; give another")
    if known is None:
        _REGISTERED[new.name] = new
    return new


def activation(name: str) -> Activation:
    """Find an activation by its name, or read it as an expression.

    Parameters
    ----------
    name : str
        A catalogue name (``"tanh"``), a family with a parameter (``"softplus(20)"``, ``"leaky_relu(1/5)"``,
        ``"celu(2)"``), a registered name, a name that other libraries use (``"swish"``, ``"SELU"``, ``"hard_sigmoid"``:
        `verifier.sigma.names`), or an expression in t (``"t/(1 + abs(t))"``).

    Returns
    -------
    Activation
        The activation.

    Raises
    ------
    ExpressionError
        No such name, and not an expression in t.

    Examples
    --------
    >>> from verifier import activation
    >>> activation("swish").canonical
    't/(1 + exp(-t))'
    >>> activation("softplus(20)").facts.limit_minus.value
    0
    """
    if not isinstance(name, str):
        raise ExpressionError(
            f"activation: expected a name or an expression, got {one_line(name)}; write for example 'tanh'"
        )
    word = name.strip()
    known = _CATALOGUE.get(word) or _REGISTERED.get(word) or _by_plain_name(names.plain(word))
    if known is not None:
        return known
    family = re.fullmatch(r"([A-Za-z][\w -]*?)\s*\(\s*([-+0-9./eE ]*)\s*\)", word)
    if family is not None and (found := _family(family[1])) is not None:
        return _member(*found, family[2])
    if re.search(r"(?<![A-Za-z0-9_])[tx](?![A-Za-z0-9_])", word):
        return Activation.from_expression(word)
    reason = names.REASONS.get(names.plain(word))
    if reason is not None:
        raise ExpressionError(f"activation {one_line(name)}: {reason}")
    listed = {*_CATALOGUE, *_REGISTERED, *names.EXPRESSIONS, *names.SAME, *names.FAMILIES}
    advice = names.suggestion(word, listed, _CATALOGUE)
    raise ExpressionError(f"activation {one_line(name)}: no such name and no expression in t; {advice}")


@lru_cache(maxsize=128)
def _by_plain_name(word: str) -> Activation | None:
    """Find an activation by another library's name for it, or by another spelling."""
    for catalogued, found in _CATALOGUE.items():
        if names.plain(catalogued) == word:
            return found
    for other, same in names.SAME.items():
        if names.plain(other) == word:
            return _CATALOGUE[same]
    for other, expression in names.EXPRESSIONS.items():
        if names.plain(other) == word:
            return Activation.from_expression(expression, other)
    for other, parameter in names.DEFAULTS.items():
        if names.plain(other) == word:
            return Activation.from_expression(names.FAMILIES[other](parameter), other)
    return None


def _family(word: str) -> tuple[str, Callable[[Fraction], Activation]] | None:
    """Find a family by its name, in any spelling."""
    for family, make in _FAMILIES.items():
        if names.plain(family) == names.plain(word):
            return family, make
    for family, expression in names.FAMILIES.items():
        if names.plain(family) == names.plain(word):
            return family, partial(_of_family, family, expression)
    return None


def _of_family(family: str, expression: Callable[[Fraction], str], parameter: Fraction) -> Activation:
    if family in names.POSITIVE and parameter <= 0:
        raise ExpressionError(f"{family}: its parameter {parameter} must be positive; use {family}(1)")
    return Activation.from_expression(expression(parameter), f"{family}({parameter})")


def _member(family: str, make: Callable[[Fraction], Activation], parameter: str) -> Activation:
    try:
        value = parse_expression(parameter)
    except ExpressionError:
        value = T
    if not isinstance(value, sympy.Rational):
        raise ExpressionError(f"{family}({parameter}): the parameter must be a number; write {family}(1/10)")
    return make(Fraction(int(value.p), int(value.q)))
