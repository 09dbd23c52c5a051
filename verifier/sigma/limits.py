"""Limits of an expression at -oo and +oo: a structural walk, then sympy's Gruntz algorithm with a guard."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias

import sympy

from verifier.errors import ExpressionError
from verifier.sigma.functions import FUNCTIONS
from verifier.sigma.measures import T, exponential_towers, largest_power, largest_rate
from verifier.sigma.piecewise import has_kinks
from verifier.sigma.point_values import UndefinedError, ball_at, sign_at
from verifier.sigma.tree import NotProvedError, Ops, evaluate, tree_of

MAX_GRUNTZ_OPERATIONS: Final = 30
"""Larger expressions are not given to sympy.limit, which may then take for ever."""
MAX_GRUNTZ_NESTING: Final = 2
"""Deepest nesting of exp for sympy.limit."""
MAX_GRUNTZ_POWER: Final = 12
"""Largest exponent for sympy.limit."""
MAX_GRUNTZ_RATE: Final = 40
"""Largest rate of an exponential for sympy.limit."""
FAR: Final = (Fraction(2) ** 10, Fraction(2) ** 20)
"""Points where a limit found by sympy is compared with Arb's enclosures."""
NEAR_LIMIT: Final = Fraction(1, 100)
"""How near the value at the farther point must be to a finite limit."""

Value: TypeAlias = Any  # sympy.Expr | None; sympy is not typed


def limit_at_infinity(expression: sympy.Expr, sign: Literal[1, -1]) -> tuple[Value, str]:
    """Find the limit for t -> sign * oo.

    Parameters
    ----------
    expression : sympy.Expr
        In the symbol `T`, continuous for large abs(t).
    sign : 1 or -1
        Which end.

    Returns
    -------
    value : sympy.Expr or None
        Guarantee (structural walk): a constant, or +-oo, is the limit. What sympy.limit found is as good as sympy's
        algorithm; it was compared with Arb at abs(t) = 2^10 and 2^20.
    by : str
        How it was found; for None why not.
    """
    try:
        return evaluate(tree_of(expression), _LimitOps(sign * sympy.oo)), "limits of the parts"
    except NotProvedError:
        pass
    is_small = expression.count_ops() <= MAX_GRUNTZ_OPERATIONS and largest_power(expression) <= MAX_GRUNTZ_POWER
    is_small = is_small and largest_rate(expression) <= MAX_GRUNTZ_RATE
    if has_kinks(expression) or not is_small or exponential_towers(expression) > MAX_GRUNTZ_NESTING:
        return None, "too complex for sympy.limit"
    try:
        value = sympy.limit(expression, T, sign * sympy.oo)
    except Exception as error:  # sympy.limit raises nearly anything; every failure means the same here
        return None, f"sympy.limit failed ({type(error).__name__})"
    if value in (sympy.oo, -sympy.oo):
        agrees = _grows(expression, sign, value)
    elif isinstance(value, sympy.Expr) and value.is_number and value.is_finite and value.is_real:
        agrees = _approaches(expression, sign, value)
    else:
        return None, "sympy.limit found none"
    if not agrees:
        return None, "sympy.limit's value was not confirmed by Arb"
    return value, "sympy.limit (Gruntz), compared with Arb at |t| = 2^10 and 2^20"


def _approaches(expression: sympy.Expr, sign: int, value: sympy.Expr) -> bool:
    try:
        near, far = (abs(ball_at(tree_of(expression - value), sign * point)) for point in FAR)
        return bool(far.upper() < float(NEAR_LIMIT)) and bool(far.lower() <= near.upper())
    except (UndefinedError, ExpressionError):
        return False


def _grows(expression: sympy.Expr, sign: int, value: sympy.Expr) -> bool:
    direction = 1 if value == sympy.oo else -1
    try:
        near, far = (direction * ball_at(tree_of(expression), sign * point) for point in FAR)
        return bool(far > near) and bool(far > 0)
    except UndefinedError:
        return False


def sign_of(constant: sympy.Expr) -> int | None:
    """Decide the sign of a constant.

    Parameters
    ----------
    constant : sympy.Expr
        Without the variable; may be infinite.

    Returns
    -------
    int or None
        Guarantee: 1, -1 or 0 is the sign (0 only for the number 0 itself); None: not decided at 256 bits.
    """
    if constant in (sympy.oo, -sympy.oo):
        return 1 if constant == sympy.oo else -1
    try:
        return sign_at(tree_of(constant), Fraction(0))
    except ExpressionError:
        return None


def _infinite(value: sympy.Expr) -> bool:
    return value in (sympy.oo, -sympy.oo)


class _LimitOps(Ops[Any]):
    """`Ops` over limits: a constant or +-oo; what is not known raises."""

    def const(self, p: int, q: int) -> Value:
        return sympy.Rational(p, q)

    def pi(self) -> Value:
        return sympy.pi

    def e(self) -> Value:
        return sympy.E

    def add(self, *terms: Value) -> Value:
        infinities = {term for term in terms if _infinite(term)}
        if len(infinities) > 1:
            raise NotProvedError
        return infinities.pop() if infinities else sympy.Add(*terms)

    def mul(self, *factors: Value) -> Value:
        if not any(_infinite(factor) for factor in factors):
            return sympy.Mul(*factors)
        return math.prod(map(_nonzero_sign, factors)) * sympy.oo

    def div(self, numerator: Value, denominator: Value) -> Value:
        if _infinite(denominator):
            if _infinite(numerator):
                raise NotProvedError
            return sympy.S.Zero
        sign = _nonzero_sign(denominator)
        return sign * numerator if _infinite(numerator) else numerator / denominator

    def pow_int(self, base: Value, n: int) -> Value:
        if not _infinite(base):
            return base**n
        return base if n % 2 else sympy.oo

    def pow_rational(self, base: Value, p: int, q: int) -> Value:
        if base == sympy.oo:
            return base
        if sign_of(base) not in (0, 1):
            raise NotProvedError
        return base ** sympy.Rational(p, q)

    def call(self, name: str, *args: Value) -> Value:
        if name in ("max", "min"):
            return _extreme(list(args), 1 if name == "max" else -1)
        (argument,), function = args, FUNCTIONS[name]
        if name == "sqrt":
            return self.pow_rational(argument, 1, 2)
        if function.need is not None:  # a logarithm
            shifted = argument + function.need[1]
            if sign_of(shifted) != 1:
                raise NotProvedError
            return sympy.log(shifted)
        if _infinite(argument):
            return _proved(function.limits[0 if argument == sympy.oo else 1])
        # every remaining function is continuous on R, except sign at 0
        if name == "sign":
            _nonzero_sign(argument)
        return function.symbolic(argument)


def _proved(value: Value) -> Value:
    if value is None:
        raise NotProvedError
    return value


def _nonzero_sign(constant: sympy.Expr) -> int:
    sign = sign_of(constant)
    if not sign:
        raise NotProvedError
    return sign


def _extreme(values: list[Any], direction: int) -> Value:
    best = values[0]
    for value in values[1:]:
        if value == best:
            continue
        sign = _proved(sign_of(value if _infinite(value) else -best if _infinite(best) else value - best))
        best = value if sign * direction > 0 else best
    return best
