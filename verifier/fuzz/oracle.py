"""Oracles: the same quantities computed another way, exactly or with hundreds of digits, to hold verdicts against.

They walk sympy's expression themselves, share no kernel with the prover and no arithmetic with Arb: rationals are
FLINT's fractions, real numbers are mpmath's at a fixed number of digits. Slow, for small problems only. What is not
exact is an oracle, never a proof, and says so by its prefix.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

import mpmath
import sympy
from flint import fmpq, fmpq_mat

from verifier.fuzz.node_values import RATIONAL_KINDS, Numbers, feature_row
from verifier.network.network import Array, Network
from verifier.network.nodes import Map

DIGITS: Final = 200
"""Working precision of the real oracle."""
Matrix = list[list[Any]]


def is_rational(network: Network) -> bool:
    """Whether every node maps rationals to rationals by arithmetic alone, so that `exact_features` applies."""
    return all(
        node.kind in RATIONAL_KINDS and (not isinstance(node, Map) or _is_rational(node.sigma.expression))
        for node in network.nodes
    )


def _is_rational(expression: Any) -> bool:
    for node in sympy.preorder_traversal(expression):
        power = isinstance(node, sympy.Pow) and not node.exp.is_Integer
        if power or not isinstance(
            node, sympy.Add | sympy.Mul | sympy.Pow | sympy.Rational | sympy.Symbol | sympy.Max | sympy.Min | sympy.Abs
        ):
            return False
    return True


def exact_features(network: Network, u: Array, inputs: Array) -> Matrix:
    """Psi(U) in exact rationals, ``(N, M)``, for activations that are rational functions or piecewise so.

    Raises
    ------
    ZeroDivisionError
        An activation has a pole at one of the arguments.
    """
    return _features(network, u.tolist(), inputs, RATIONAL)


def exact_rank(network: Network, u: Array, inputs: Array) -> int:
    """Give the rank of Psi(U), exactly."""
    psi = exact_features(network, u, inputs)
    return int(fmpq_mat(len(psi), len(psi[0]), list(itertools.chain.from_iterable(psi))).rank())


def approx_features_to(network: Network, u: Array, inputs: Array, digits: int = DIGITS) -> Matrix:
    """Psi(U) in mpmath numbers, computed with ``digits`` decimal digits, ``(N, M)``."""
    with mpmath.workdps(digits):
        return _features(network, u.tolist(), inputs, REAL)


def approx_singular_values_to(psi: Matrix, digits: int = DIGITS) -> list[Any]:
    """Singular values of a matrix of mpmath numbers, decreasing; ``min(N, M)`` of them."""
    with mpmath.workdps(digits):
        matrix = mpmath.matrix(psi)
        if matrix.rows < matrix.cols:
            matrix = matrix.T
        return sorted(mpmath.svd_r(matrix, compute_uv=False), reverse=True)


def approx_rank_to(psi: Matrix, digits: int = DIGITS) -> int:
    """Numerical rank: the singular values above ``10^(-digits/2)`` times the largest."""
    values = approx_singular_values_to(psi, digits)
    if not values[0] > 0:
        return 0
    return sum(1 for value in values if value > values[0] * mpmath.mpf(10) ** (-digits // 2))


def approx_loss_to(logits: Matrix, labels: Sequence[int], counts: Sequence[int]) -> Any:
    """Cross-entropy of logits ``(N, m)`` at mpmath's precision in force."""
    total = mpmath.mpf(0)
    for row, label, count in zip(logits, labels, counts, strict=True):
        others = [mpmath.exp(g - row[label]) for k, g in enumerate(row) if k != label]
        total += count * mpmath.log1p(mpmath.fsum(others))
    return total / sum(counts)


def approx_features_between(network: Network, start: Array, end: Array, t: Any, inputs: Array, digits: int) -> Matrix:
    """Psi at ``start + t (end - start)``, the combination taken in mpmath numbers; t an mpf in [0, 1]."""
    with mpmath.workdps(digits):
        first, last = (map(mpmath.mpf, u.tolist()) for u in (start, end))
        u = [a + t * (b - a) for a, b in zip(first, last, strict=True)]
        return [feature_row(network, u, list(map(mpmath.mpf, sample)), REAL) for sample in inputs.tolist()]


def approx_derivative_to(network: Network, u: Array, v: Array, inputs: Array, parameter: int, digits: int) -> list[Any]:
    """The derivative of the logits by one number of (U, V), row ``i m + k``: a difference over ``10^(-digits/4)``.

    Parameters are numbered as a certificate does: U, then V in C order. The error is some ``10^(-digits/2)`` of the
    third derivative.
    """
    outputs, places = v.shape[1], range(v.shape[1])
    with mpmath.workdps(digits):
        if parameter >= len(u):
            unit, output = divmod(parameter - len(u), outputs)
            psi = approx_features_to(network, u, inputs, digits)
            return [row[unit] if k == output else mpmath.mpf(0) for row in psi for k in places]
        end, step = u.copy(), mpmath.mpf(10) ** (-digits // 4)
        end[parameter] = u[parameter] + 1.0 if abs(u[parameter]) < 2.0**40 else 2.0 * u[parameter]
        after, before = (approx_features_between(network, u, end, t, inputs, digits) for t in (step, -step))
        length = 2 * step * (mpmath.mpf(float(end[parameter])) - mpmath.mpf(float(u[parameter])))
        weights, found = [[mpmath.mpf(x) for x in row] for row in v.tolist()], []
        for rows in zip(after, before, strict=True):
            rates = [(a - b) / length for a, b in zip(*rows, strict=True)]
            found += [mpmath.fsum(r * w[k] for r, w in zip(rates, weights, strict=True)) for k in places]
        return found


def approx_distance_to_range(system: Matrix, right: Matrix) -> Any:
    """How far a column of ``right`` is from the range of ``system``, relative to its size; at the precision in force.

    Modified Gram-Schmidt, twice, on the columns; columns that are nearly dependent do not count.
    """
    columns = [list(column) for column in zip(*system, strict=True)]
    tiny = mpmath.mpf(10) ** (-mpmath.mp.dps // 2)
    basis: Matrix = []
    for column in columns:
        size = mpmath.norm(column)
        rest = _reduce(_reduce(column, basis), basis)
        length = mpmath.norm(rest)
        if length > tiny * (size if size > 0 else 1):
            basis.append([x / length for x in rest])
    distances = []
    for target in zip(*right, strict=True):
        rest = _reduce(_reduce(list(target), basis), basis)
        distances.append(mpmath.norm(rest) / (1 + mpmath.norm(target)))
    return max(distances)


def _reduce(vector: list[Any], basis: Matrix) -> list[Any]:
    for unit in basis:
        along = _dot(unit, vector)
        vector = [x - along * e for x, e in zip(vector, unit, strict=True)]
    return vector


def approx_convex_loss(name: str, logits: Matrix, counts: Sequence[Sequence[int]], weights: Sequence[float]) -> Any:
    """A loss of Theorem C.3: logits and label counts ``(N, m)``, class weights ``(m,)``; at mpmath's precision."""
    total = mpmath.mpf(0)
    for row, occurs in zip(logits, counts, strict=True):
        for label, count in enumerate(occurs):
            if count:
                total += count * mpmath.mpf(weights[label]) * _convex_loss(name, row, label)
    return total / sum(map(sum, counts))


def _convex_loss(name: str, row: Sequence[Any], label: int) -> Any:
    margins = [row[label] - g for k, g in enumerate(row) if k != label]
    if name == "cross-entropy":
        return mpmath.log1p(mpmath.fsum(mpmath.exp(-m) for m in margins))
    if name == "squared":
        return mpmath.fsum((g - (k == label)) ** 2 for k, g in enumerate(row)) / 2
    if name == "one-vs-rest":
        return mpmath.fsum(mpmath.log1p(mpmath.exp(-g if k == label else g)) for k, g in enumerate(row))
    hinges = [max(mpmath.mpf(0), 1 - m) for m in margins]
    return mpmath.fsum(hinges) if name == "weston-watkins" else max(hinges)


def times(psi: Matrix, v: Matrix) -> Matrix:
    """Psi V: ``(N, M)`` times ``(M, m)``, in whatever numbers they hold."""
    columns = list(zip(*v, strict=True))
    return [[_dot(row, column) for column in columns] for row in psi]


def _dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
    return sum((x * y for x, y in zip(a, b, strict=True)), start=0 * a[0])


def _features(network: Network, u: Sequence[float], inputs: Array, numbers: Numbers) -> Matrix:
    exact = [numbers.of(Fraction(value)) for value in u]
    return [
        feature_row(network, exact, [numbers.of(Fraction(value)) for value in sample], numbers)
        for sample in inputs.tolist()
    ]


def _rational_activation(expression: Any, t: Any) -> Any:
    """Evaluate a rational or piecewise rational expression at a fraction."""
    if expression.is_Symbol:
        return t
    if expression.is_Rational:
        return fmpq(int(expression.p), int(expression.q))
    if expression.is_Pow:
        base, n = _rational_activation(expression.base, t), int(expression.exp)
        return base**n if n >= 0 else 1 / base**-n
    parts = [_rational_activation(part, t) for part in expression.args]
    if expression.is_Add:
        return sum(parts[1:], start=parts[0])
    if expression.is_Mul:
        product = parts[0]
        for part in parts[1:]:
            product = product * part
        return product
    if isinstance(expression, sympy.Abs):
        return abs(parts[0])
    return max(parts) if isinstance(expression, sympy.Max) else min(parts)


_REAL: Final[dict[str, Callable[..., Any]]] = {
    **{name: getattr(mpmath, name) for name in "exp log tanh sinh cosh sin cos atan erf erfc sign sqrt".split()},
    "Abs": abs,
    "Max": max,
    "Min": min,
}


def _real_activation(expression: Any, t: Any) -> Any:
    """Evaluate an expression at mpmath's precision in force."""
    if expression.is_Symbol:
        return t
    if expression.is_Rational:
        return mpmath.mpf(int(expression.p)) / int(expression.q)
    if expression.is_NumberSymbol:
        return +mpmath.pi if expression is sympy.pi else +mpmath.e
    if expression.is_Pow and expression.exp.is_Integer:
        return _real_activation(expression.base, t) ** int(expression.exp)
    parts = [_real_activation(part, t) for part in expression.args]
    if expression.is_Add:
        return mpmath.fsum(parts)
    if expression.is_Mul:
        return mpmath.fprod(parts)
    if expression.is_Pow:
        return mpmath.exp(parts[1]) if expression.base is sympy.E else mpmath.power(*parts)
    return _REAL[type(expression).__name__](*parts)


def _fraction(value: Fraction) -> Any:
    return fmpq(value.numerator, value.denominator)


def _quotient(value: Fraction) -> Any:
    """At mpmath's precision in force; a binary number at a precision that holds it, exactly."""
    return mpmath.mpf(value.numerator) / value.denominator


RATIONAL: Final = Numbers(_fraction, _rational_activation)
"""FLINT's fractions."""
REAL: Final = Numbers(_quotient, _real_activation, mpmath.exp, mpmath.sqrt)
"""mpmath's numbers, at the precision in force."""
