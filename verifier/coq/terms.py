"""Numbers as terms of Coq: an arithmetic for the checker's rules of the node kinds, and activations.

Glossary: the *text* of a term is an expression of Coq's real numbers, its *ball* contains the number, and its *level*
says what parentheses it needs: 0 stands anywhere, 1 is a product, 2 a sum.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from flint import arb, fmpq

from verifier.checker.arithmetic import Arithmetic, Row, Table, groups, side_by_side
from verifier.checker.expression import build
from verifier.checker.windowed import windows_of_affine

ATOM, PRODUCT, SUM = 0, 1, 2
PLAIN_POWER: Final = 40
"""Powers of two up to this exponent are written as integers."""


class Unknown(Exception):
    """Coq's interval arithmetic does not know what a network computes; the message says what."""


def dyadic(mantissa: int, exponent: int) -> str:
    """Return mantissa * 2^exponent as Coq reads it, without parentheses: ``3``, ``-5 / 16``, ``7 / 2 ^ 60``."""
    while mantissa and exponent < 0 and mantissa % 2 == 0:
        mantissa, exponent = mantissa // 2, exponent + 1
    if exponent >= 0 or mantissa == 0:
        return str(mantissa << max(exponent, 0))
    below = str(1 << -exponent) if -exponent <= PLAIN_POWER else f"2 ^ {-exponent}"
    return f"{mantissa} / {below}"


class Term:
    """A real number, as a term of Coq and as a ball that contains it."""

    __slots__ = ("ball", "level", "text")

    def __init__(self, text: str, ball: arb, level: int = ATOM) -> None:
        self.text, self.ball, self.level = text, ball, level

    @staticmethod
    def of(value: Any) -> Term:
        """Return an integer or rational as a term; a term as it is."""
        if isinstance(value, Term):
            return value
        exact = fmpq(value)
        p, q = int(exact.p), int(exact.q)
        if q == 1:
            return Term(str(p) if p >= 0 else f"({p})", arb(p))
        return Term(f"{p} / {q}", arb(exact), PRODUCT)

    @staticmethod
    def dyadic(mantissa: int, exponent: int) -> Term:
        """Return mantissa * 2^exponent, exactly, in parentheses where it needs them."""
        text = dyadic(mantissa, exponent)
        return Term(text if text.isdigit() else f"({text})", arb((mantissa, exponent)))

    def within(self, level: int) -> str:
        """Return the text for a place that takes terms up to a level."""
        return self.text if self.level <= level else f"({self.text})"

    def is_zero(self) -> bool:
        """Whether the term is written 0."""
        return self.text == "0"

    def __add__(self, other: Any) -> Term:
        """Return the sum; the zero that is written 0 is left out."""
        other = Term.of(other)
        if self.is_zero() or other.is_zero():
            return other if self.is_zero() else self
        return Term(f"{self.text} + {other.within(PRODUCT)}", self.ball + other.ball, SUM)

    def __radd__(self, other: Any) -> Term:
        """Return the sum whose first part is no term yet."""
        return Term.of(other) + self

    def __sub__(self, other: Any) -> Term:
        """Return the difference, in parentheses where the second part needs them."""
        other = Term.of(other)
        return Term(f"{self.text} - {other.within(PRODUCT)}", self.ball - other.ball, SUM)

    def __rsub__(self, other: Any) -> Term:
        """Return the difference whose first part is no term yet."""
        return Term.of(other) - self

    def __neg__(self) -> Term:
        """Return the term with the other sign."""
        return Term(f"(- {self.within(ATOM)})", -self.ball)

    def __mul__(self, other: Any) -> Term:
        """Return the product; one with the zero that is written 0 is that zero."""
        other = Term.of(other)
        if self.is_zero() or other.is_zero():
            return ZERO
        return Term(f"{self.within(PRODUCT)} * {other.within(ATOM)}", self.ball * other.ball, PRODUCT)

    def __rmul__(self, other: Any) -> Term:
        """Return the product whose first factor is no term yet."""
        return Term.of(other) * self

    def __truediv__(self, other: Any) -> Term:
        """Return the quotient; Arb's ball is not finite where the divisor may be 0."""
        other = Term.of(other)
        return Term(f"{self.within(PRODUCT)} / {other.within(ATOM)}", self.ball / other.ball, PRODUCT)

    def __rtruediv__(self, other: Any) -> Term:
        """Return the quotient whose numerator is no term yet."""
        return Term.of(other) / self

    def call(self, name: str, function: Callable[[arb], arb]) -> Term:
        """Return a function of Coq's library at this term."""
        return Term(f"{name} {self.within(ATOM)}", function(self.ball), PRODUCT)


ZERO: Final = Term("0", arb(0))


def exponential(x: Term) -> Term:
    """Return the exponential e^x of a term."""
    return x.call("exp", arb.exp)


def hyperbolic(sign: int, x: Term) -> Term:
    """Return sinh (sign -1) or cosh (sign 1) by exp."""
    return (exponential(x) + exponential(-x) * sign) / 2


def hyperbolic_tangent(x: Term) -> Term:
    """Return tanh x; the ball is that of 1 - 2 / (e^2x + 1), by which Coq encloses it."""
    ball = 1 - 2 / ((2 * x.ball).exp() + 1)
    return Term(f"tanh {x.within(ATOM)}", ball, PRODUCT)


def larger(sign: int, x: Term, y: Term) -> Term:
    """Return the larger (sign 1) or the smaller (sign -1) of two numbers, (x + y + |x - y|) / 2."""
    return (x + y + sign * (x - y).call("Rabs", abs)) / 2


def power(exponent: fmpq) -> Callable[[Term], Term]:
    """Return x -> x ** exponent; whole exponents and halves are known."""
    count, index = abs(int(exponent.p)), int(exponent.q)
    if index > 2:
        raise Unknown(f"the exponent {exponent}")

    def raised(x: Term) -> Term:
        base = x if index == 1 else x.call("sqrt", arb.sqrt)
        found = base if count == 1 else Term(f"{base.within(ATOM)} ^ {count}", base.ball**count, PRODUCT)
        return found if exponent > 0 else 1 / found

    return raised if count else lambda x: Term.of(1)


def unknown(name: str) -> Callable[..., Term]:
    """Return what refuses a function that Coq's libraries do not have."""

    def refuse(*arguments: Term) -> Term:
        raise Unknown(name)

    return refuse


DOMAIN: Final[dict[str, Callable[..., Any]]] = {
    "number": Term.of,
    "power": power,
    "pi": lambda: Term("PI", arb.pi()),
    "E": lambda: exponential(Term.of(1)),
    "exp": exponential,
    "log": lambda x: x.call("ln", arb.log),
    "sqrt": lambda x: x.call("sqrt", arb.sqrt),
    "sin": lambda x: x.call("sin", arb.sin),
    "cos": lambda x: x.call("cos", arb.cos),
    "atan": lambda x: x.call("atan", arb.atan),
    "tanh": hyperbolic_tangent,
    "sinh": functools.partial(hyperbolic, -1),
    "cosh": functools.partial(hyperbolic, 1),
    "Abs": lambda x: x.call("Rabs", abs),
    "Max": lambda *x: functools.reduce(functools.partial(larger, 1), x),
    "Min": lambda *x: functools.reduce(functools.partial(larger, -1), x),
    "erf": unknown("erf"),
}
"""The functions of the grammar of activations, on terms."""


class Terms(Arithmetic):
    """The operations of the node kinds' rules, on terms; `name` makes an abbreviation of a long term."""

    zero = ZERO

    def __init__(self, name: Callable[[Term], Term]) -> None:
        self.name = name

    def number(self, value: fmpq) -> Term:
        """Return an exact rational as a term."""
        return Term.of(value)

    def affine(self, node: Any, sources: list[Table], weight: Table, bias: Table | None) -> Table:
        """Return windows of the sources times weights, plus biases."""
        lines, windows = groups(weight[0], node.fan_in), windows_of_affine(node)
        each = node.filters // len(windows)
        order = [(f, p) for f in range(node.filters) for p in range(node.positions)]
        if not node.filters_first:
            order.sort(key=lambda pair: pair[1])
        shifts = [self.zero] * len(order) if bias is None else bias[0]
        if len(shifts) == node.filters:
            shifts = [shifts[f] for f, _ in order]
        found = []
        for row in side_by_side(sources):
            padded = [*row, self.zero]
            sums = []
            for (f, p), shift in zip(order, shifts, strict=True):
                pairs = zip(lines[f], windows[f // each][p], strict=True)
                sums.append(sum((w * padded[place] for w, place in pairs), self.zero) + shift)
            found.append(sums)
        return found

    def map(self, node: Any, x: Table) -> Table:
        """Apply the node's activation to every entry."""
        function = build(node.activation.tree, DOMAIN)
        return [list(map(function, map(self.name, row))) for row in x]

    def largest(self, node: Any, numbers: Row) -> Term:
        """Return the largest of some numbers."""
        found: Term = DOMAIN["Max"](*map(self.name, numbers))
        return found

    def inverse_root(self, node: Any, x: Table) -> Table:
        """Return 1 / sqrt(x + epsilon)."""
        return [[1 / (entry + Term.of(node.epsilon)).call("sqrt", arb.sqrt) for entry in row] for row in x]

    def normalise(self, node: Any, numbers: Row) -> Row:
        """Return (x - c) / sqrt(mean (x - c)^2 + epsilon), c the mean of the numbers or 0."""
        share = fmpq(1, len(numbers))
        if node.centre:
            centre = self.name(sum(numbers, self.zero) * share)
            numbers = [self.name(number - centre) for number in numbers]
        squares = self.name(sum((power(fmpq(2))(number) for number in numbers), self.zero) * share)
        factor = self.name(self.inverse_root(node, [[squares]])[0][0])
        return [number * factor for number in numbers]

    def softmax(self, node: Any, scores: Row) -> Row:
        """Return exp(x_j) / sum_k exp(x_k)."""
        powers = [self.name(exponential(self.name(score))) for score in scores]
        total = self.name(sum(powers, self.zero))
        return [entry / total for entry in powers]

    def root(self, node: Any) -> Term:
        """Return the square root of the node's `square`."""
        return Term.of(node.square).call("sqrt", arb.sqrt)

    def whole(self, number: Term) -> int | None:
        """Return the whole number that this certainly is, else None."""
        found = number.ball.unique_fmpz() if number.ball.is_exact() else None
        return None if found is None else int(found)
