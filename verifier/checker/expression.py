"""Activations: expressions in t, read by the grammar of grammar.py, and exact facts for rule R5.

Glossary: a *domain* is what an expression is evaluated in, a table of functions: balls (PLAIN, or GUARDED: monotone
functions of wide balls by their endpoints), exact rationals (RATIONAL, where only rational operations occur), or power
series (SERIES), for functions that are differentiable.
"""

import ast
import functools
import math
from collections.abc import Callable
from operator import add, mul, neg, sub, truediv
from types import SimpleNamespace
from typing import Any

from flint import arb, arb_series, fmpq

from .common import Rejection
from .grammar import FUNCTIONS_OF_MORE, FUNCTIONS_OF_ONE, read_expression

Function = Callable[..., Any]
# of nested operations; numerator and denominator of an exponent; bits of an exact value; a ball this many bits narrower
# than its midpoint, and with a radius below this, goes to Arb directly, wider ones by their endpoints
MAX_DEPTH, MAX_POWER, MAX_RATIONAL_BITS, NARROW, SHORT = 100, 1000, 8192, 20, 2.0**-10
OPERATORS: dict[type, Function] = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: truediv}
INCREASING, EVEN = ("exp", "log", "sqrt", "tanh", "sinh", "atan", "erf"), ("cosh", "Abs")  # even: increasing on [0, oo)
# sigma(-t) = c0 + s sigma(t) for all t: the pair (c0, s), by the expression's text in normal spacing
ODD_TEXTS = ("t", "t ** 3", "t / sqrt(t ** 2 + 1)", "tanh(t)", "sinh(t)", "sin(t)", "atan(t)", "erf(t)")
MIRRORS = dict.fromkeys(ODD_TEXTS, (0, -1)) | dict.fromkeys(("t ** 2", "cos(t)"), (0, 1))
MIRRORS |= dict.fromkeys(("1 / (exp(-t) + 1)", "1 / (1 + exp(-t))"), (1, -1))


def guard(function: Function, even: bool = False) -> Function:
    """Evaluate an increasing function, or an even one that increases on [0, oo), at the endpoints of wide balls.

    Guarantee: the result contains f on the ball, which lies between the values at its ends (of its absolute values).
    """

    def enclose(x: arb) -> Any:
        if x.rel_accuracy_bits() >= NARROW and x.rad() < SHORT:
            return function(x)
        low, high = (x.abs_lower(), x.abs_upper()) if even else (x.lower(), x.upper())
        whole, ends = function(x), function(low).union(function(high))
        return whole if whole.rad() < ends.rad() else ends

    return enclose


def whole_power(count: int, x: arb) -> arb:
    """Return x ** count, count >= 0; Arb itself fails on balls around exactly 0."""
    if not x.is_finite():
        return x
    return x**count if x.is_exact() or not x.mid().is_zero() else arb(0, 1) * x.abs_upper() ** count


def ball_power(wrap: Function, exponent: fmpq) -> Function:
    """Return t ** exponent on balls; a fractional power of a possibly negative number is undefined."""
    count, index = abs(int(exponent.p)), int(exponent.q)
    raised = wrap(functools.partial(whole_power, count), count % 2 == 0)
    root = wrap(lambda x: x.root(index) if x > 0 else x if x.is_zero() else arb("nan"))
    based = raised if index == 1 else lambda x: raised(root(x))
    return based if exponent >= 0 else lambda x: 1 / based(x)


def rational_power(exponent: fmpq, x: fmpq) -> fmpq:
    """Return x ** exponent for rationals, if the exponent is an integer and the result stays small."""
    if exponent.q != 1 or abs(exponent) * rational_bits(x) > MAX_RATIONAL_BITS:
        raise ValueError("not a small rational")
    return x ** int(exponent.p)


def rational_bits(x: fmpq) -> int:
    """Return the size of a rational in bits."""
    return int(x.p).bit_length() + int(x.q).bit_length()


def small(operation: Function) -> Function:
    """Return the operation on rationals, refused where its result is long: repeated products double the length."""

    def bounded(*numbers: fmpq) -> fmpq:
        result: fmpq = operation(*numbers)
        if rational_bits(result) > MAX_RATIONAL_BITS:
            raise ValueError("not a small rational")
        return result

    return bounded


def ball_domain(wrap: Function) -> dict[str, Function]:
    """Return the domain of balls; `wrap` decides how monotone functions are evaluated."""
    domain: dict[str, Function] = {"number": arb, "power": functools.partial(ball_power, wrap)}
    domain |= {"pi": arb.pi, "E": arb.const_e, "sin": arb.sin, "cos": arb.cos}
    domain |= {"Max": lambda *x: functools.reduce(arb.max, x), "Min": lambda *x: functools.reduce(arb.min, x)}
    domain |= {name: wrap(getattr(arb, name)) for name in (*INCREASING, "log1p", "expm1")}  # the last two: see build
    domain["erf + 1"] = wrap(lambda x: (-x).erfc())
    return domain | {name: wrap(getattr(arb, name, abs), True) for name in EVEN}


PLAIN, GUARDED = ball_domain(lambda function, even=False: function), ball_domain(guard)
RATIONAL: dict[str, Function] = {"number": fmpq, "Abs": abs, "Max": max, "Min": min, "each": small}
RATIONAL |= {"power": lambda exponent: functools.partial(rational_power, exponent)}


def chain(function: Function, derivative: Function) -> Function:
    """Lift a function with its derivative to power series; what is of length 1 is a ball.

    Guarantee: f(x) = f(x_0) + the integral of f'(x) x', for which one coefficient of f'(x) less is enough.
    """

    def lifted(x: Any) -> Any:
        if isinstance(x, arb):
            return function(x)
        if x.prec < 2:
            raise ArithmeticError("0/0: an order was lost")
        value, slope = function(x[0]), x.derivative()
        if x.prec == 2:
            return arb_series([value, derivative(x[0]) * x[1]], 2)
        return value + (derivative(arb_series([x[k] for k in range(x.prec - 1)], x.prec - 1)) * slope).integral()

    return lifted


@functools.cache
def series_power(exponent: fmpq) -> Function:
    """Return t ** exponent on power series."""
    if exponent == 0:
        return lambda x: 1 + 0 * x
    return chain(GUARDED["power"](exponent), lambda x: series_power(exponent - 1)(x) * arb(exponent))


# each function with its derivative, so that monotone functions are as on GUARDED; Abs, Max and Min are not there
square, SERIES = series_power(fmpq(2)), dict[str, Function]()
SLOPES: dict[str, Function] = {"exp": lambda x: SERIES["exp"](x), "log": lambda x: 1 / x}
SLOPES |= {"log1p": lambda x: 1 / (1 + x), "expm1": SLOPES["exp"]}
SLOPES |= {"sin": lambda x: SERIES["cos"](x), "cos": lambda x: -SERIES["sin"](x)}
SLOPES |= {"sinh": lambda x: SERIES["cosh"](x), "cosh": lambda x: SERIES["sinh"](x)}
SLOPES |= {"sqrt": lambda x: 1 / (2 * SERIES["sqrt"](x)), "tanh": lambda x: 1 - square(SERIES["tanh"](x))}
SLOPES |= {"atan": lambda x: 1 / (1 + square(x)), "erf": lambda x: 2 * SERIES["exp"](-square(x)) / arb.pi().sqrt()}
SLOPES["erf + 1"] = SLOPES["erf"]
SERIES |= {name: chain(GUARDED[name], slope) for name, slope in SLOPES.items()}
SERIES |= {"number": arb, "power": series_power, "pi": arb.pi, "E": arb.const_e}


def taylor(function: Function, coefficients: list[arb]) -> list[arb]:
    """Return the Taylor coefficients of sigma(c_0 + c_1 s + ..), sigma built in SERIES, as many (>= 2) as are given.

    Guarantee: they contain those of all choices of the coefficients within their balls, or are not finite; if they are
    finite, sigma is as often differentiable (at an end of its domain: from inside) at every number in the ball c_0.
    """
    length = len(coefficients)
    try:
        found = function(arb_series(coefficients, length)) + arb_series([0], length)
        kept = found.prec >= length and function(coefficients[0]).is_finite()  # 0/0 loses orders; 0 times nan is nan
        return [found[k] if kept else arb("nan") for k in range(length)]
    except (ValueError, ArithmeticError):  # a quotient that is not defined
        return [arb("nan")] * length


def jet(function: Function, value: arb, slope: arb) -> list[arb]:
    """Return sigma(z) and sigma'(z) z' as `taylor` does, z = value and z' = slope."""
    return taylor(function, [value, slope])


CALLS = frozenset({*FUNCTIONS_OF_ONE, *FUNCTIONS_OF_MORE})


def uses_t(node: ast.expr) -> bool:
    """Return whether the variable t occurs in an expression."""
    return any(isinstance(part, ast.Name) and part.id == "t" for part in ast.walk(node))


@functools.lru_cache(maxsize=100)
def rational_function(node: ast.expr) -> Function | None:
    """Return the expression as a function of small rationals, None if other operations occur or a constant is long."""
    try:
        return build(node, RATIONAL)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None


def rational(node: ast.expr, t: fmpq | None) -> fmpq | None:
    """Return the exact value at t if only rational operations occur and t and all numbers on the way are small."""
    function = rational_function(node)
    if function is None or (t is not None and rational_bits(t) > MAX_RATIONAL_BITS):
        return None
    try:
        value: fmpq | None = function(t)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return value


def exponent_of(node: ast.expr) -> fmpq:
    """Return the exact rational value of an exponent."""
    value = None if uses_t(node) else rational(node, None)
    if value is None or max(abs(value.p), value.q) > MAX_POWER:
        raise ValueError(f"an exponent must be a constant rational, numerator and denominator at most {MAX_POWER}")
    return value


def plus(function: Function) -> Function:
    """Return the function (x, y) -> f(x) + y."""
    return lambda x, y: function(x) + y


def build(node: ast.expr, domain: dict[str, Function], depth: int = 0) -> Function:
    """Return the expression as a function of t; constant parts are evaluated once. Only whitelisted nodes pass.

    Guarantee: in a domain of balls, at the current working precision, the result contains sigma(x) for every x in
    the argument, or is not finite.
    """
    operation: Function
    match node:
        case ast.Name(id="t"):
            return lambda t: t
        case ast.Constant(value=value) if type(value) is int:
            operation, children = functools.partial(domain["number"], value), list[ast.expr]()
        case ast.Name(id="pi" | "E" as name):
            operation, children = domain[name], []
        case ast.UnaryOp(op=ast.USub(), operand=child):
            operation, children = neg, [child]
        case ast.BinOp(left=child, op=ast.Pow(), right=exponent):
            operation, children = domain["power"](exponent_of(exponent)), [child]
        case ast.BinOp(
            left=ast.Call(func=ast.Name(id="erf"), args=[child], keywords=[]),
            op=ast.Add(),
            right=ast.Constant(value=one),
        ) if "erf + 1" in domain and type(one) is int and one == 1:  # without cancellation far to the left
            operation, children = domain["erf + 1"], [child]
        case ast.BinOp(
            left=ast.BinOp(
                left=ast.Call(func=ast.Name(id="exp"), args=[child], keywords=[]), op=ast.Add(), right=other
            ),
            op=ast.Sub(),
            right=ast.Constant(value=one),
        ) if "expm1" in domain and type(one) is int and one == 1:  # ELU, without cancellation near 0
            operation, children = plus(domain["expm1"]), [child, other]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            operation, children = OPERATORS[type(op)], [left, right]
        case ast.Call(
            func=ast.Name(id="log"),
            args=[ast.BinOp(left=child, op=ast.Add(), right=ast.Constant(value=one))],
            keywords=[],
        ) if "log1p" in domain and type(one) is int and one == 1:
            operation, children = domain["log1p"], [child]
        case ast.Call(func=ast.Name(id=name), args=children, keywords=[]) if name in CALLS:
            operation = domain[name]
        case _:
            raise ValueError(f"contains something that is not allowed: {ast.unparse(node)[:100]}")
    operation = domain["each"](operation) if "each" in domain else operation
    if depth >= MAX_DEPTH:
        raise ValueError(f"is nested more than {MAX_DEPTH} deep")
    parts = [build(child, domain, depth + 1) for child in children]
    if not uses_t(node):
        constant = operation(*[part(None) for part in parts])
        return lambda t: constant
    if len(parts) == 1:
        return operation if isinstance(children[0], ast.Name) else lambda t: operation(parts[0](t))
    return lambda t: operation(*[part(t) for part in parts])


def degree_of(node: ast.expr) -> float:
    """Return an upper bound of the degree if the expression is a polynomial with real coefficients, else infinity."""
    match node:
        case _ if not uses_t(node):
            return 0
        case ast.Name():
            return 1
        case ast.UnaryOp(operand=operand):
            return degree_of(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            exponent = exponent_of(right)
            return degree_of(left) * int(exponent.p) if exponent.q == 1 and exponent > 0 else math.inf
        case ast.BinOp(left=left, op=op, right=right) if not (isinstance(op, ast.Div) and uses_t(right)):
            a, b = degree_of(left), degree_of(right)
            return a + b if isinstance(op, ast.Mult) else max(a, b)
    return math.inf


def parse(text: str, path: str) -> SimpleNamespace:
    """Read an activation: its tree, its text in normal spacing, its facts."""
    try:
        tree = read_expression(text)
        build(tree, PLAIN)
        name, degree, steps = ast.unparse(tree), degree_of(tree), sum(1 for _ in ast.walk(tree))
    except (ValueError, ArithmeticError) as error:
        message = f"cannot be read as an expression: {type(error).__name__}: {error}".splitlines()[0]
        raise Rejection(path, "network.expression", message, text[:200]) from None
    return SimpleNamespace(text=name, tree=tree, degree=degree, steps=steps, mirror=MIRRORS.get(name))
