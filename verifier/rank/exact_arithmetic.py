r"""The arithmetic of exact numbers: rationals, and symbols for real values that are not found to be rational.

A value is :math:`r + \sum_s c_s z_s` with rational r, c and real numbers z_s, of which only this is used: symbols are
equal for equal operations on equal arguments. A sum, a rational multiple, a move of entries keep that form; a product
or a maximum of values with symbols, an inverse root and an activation that leaves the rationals get a symbol.
Normalisation, softmax and attention are refused: there would be a symbol for every entry, and nothing to say of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from verifier.balls.tensors import Tensor, broadcast, combined, gathered, picker, side_by_side
from verifier.errors import NetworkError, VerifierError
from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.graph import UNSCALED
from verifier.network.network import Array, Network
from verifier.network.nodes import KINDS
from verifier.network.windows import Shape
from verifier.rank.unit_forms import MIRRORED
from verifier.sigma.activations import Activation
from verifier.sigma.tree import Call, Named, Ops, Power, evaluate, subtrees

SYMBOLS = 100_000
"""Most values that are not rational."""
WORK = 4e9
"""Multiply-adds, times machine words of the numbers, that the features may cost."""
SYMBOL_WORK = 2e6
"""Products with symbols, which are taken one by one."""
BITS = 20_000
"""Longest numerator or denominator that is followed."""
ACTIVATION_BITS = 8192
"""Longest numerator and denominator, together, of a number in an activation: what an independent checker follows."""

Terms = tuple[tuple[int, fmpq], ...]
Value = tuple[fmpq, Terms]
"""The number ``constant + sum coefficient * z_symbol``."""
Exact = Tensor[Value]

NOTHING: Value = (fmpq(0), ())
"""The number 0."""

RATIONAL_KINDS = frozenset(KINDS) - {"normalise", "inverse-root", "softmax", "attend"}
"""The kinds of nodes that map rational numbers to rational numbers, if their activations do."""


class TooLargeError(VerifierError):
    """The exact numbers would be too many or too long."""


class NotRationalError(VerifierError):
    """An operation leaves the rational numbers and is not followed."""


def rational_activations(network: Network) -> bool:
    """Guarantee: if true, all features at exact weights and samples are rational numbers where they are defined."""
    return not_rational(network) is None


def not_rational(network: Network) -> str | None:
    """The first node that is not of rational operations, max, min and abs, in words; None if there is none."""
    for index, node in enumerate(network.nodes):
        sigma = getattr(node, "sigma", None)
        if sigma is not None and not _stays_rational(sigma):
            return f"{network.title(index)}: {sigma.name} does not map rational numbers to rational numbers"
        if node.kind not in RATIONAL_KINDS:
            return f"{network.title(index)} does not map rational numbers to rational numbers"
    return None


def _stays_rational(activation: Activation) -> bool:
    """Whether it is written so: values are not enough, sqrt(max(0, t - 10)) is rational at all t <= 10."""
    for part in subtrees(activation.tree):
        root = isinstance(part, Power) and part.q != 1
        if root or isinstance(part, Named) or (isinstance(part, Call) and part.name not in ("max", "min", "abs")):
            return False
    return True


class ExactArithmetic(Arithmetic[Exact]):
    """Exact numbers for all samples; symbols are numbered as they come.

    Guarantee: every value is the exact one: there are real numbers, one for each symbol, with which it equals the
    node's value in exact arithmetic at every sample. Of two values that differ in a symbol nothing is said.

    ``followed``: no number in an activation is longer than what an independent checker follows.
    """

    def __init__(self, network: Network, u: Array, inputs: Array) -> None:
        """Keep the parameters' views and the samples, ``(N, d)``."""
        self.views, self.inputs = network.views(u), inputs
        self.symbols: dict[object, int] = {}
        self.spent, self.symbol_work, self.followed = 0.0, 0.0, True

    def shape(self, value: Exact) -> Shape:
        """The shape of one sample's tensor."""
        return value.shape

    def input(self, shape: Shape) -> Exact:
        """The samples as exact numbers, in the input's shape."""
        return Exact(len(self.inputs), shape, _numbers(self.inputs))

    def parameter(self, name: str, shape: Shape) -> Exact:
        """The stored numbers of this part of U, exact."""
        return Exact(1, shape, _numbers(self.views[name]))

    def constant(self, values: Array) -> Exact:
        """Fixed numbers, exact: one row that stands for all samples."""
        return Exact(1, values.shape, _numbers(values))

    def affine(self, geometry: Geometry, sources: Sequence[Exact], weight: Exact, bias: Exact | None) -> Exact:
        """An exact matrix product for each group of filters, then the biases."""
        rows, zero = max(source.rows for source in sources), [NOTHING] if geometry.padded else []
        whole = [row + zero for row in side_by_side(sources, rows)]
        windows = np.arange(len(whole[0]))[None, None] if geometry.windows is None else geometry.windows
        groups, positions, width = windows.shape
        filters, parts = geometry.filters // groups, list[list[list[Value]]]()
        for group, places in enumerate(windows):
            pick, first = picker(places.ravel().tolist()), group * filters * width
            patches = [value for row in whole for value in pick(row)]
            parts.append(self._products(patches, weight.entries[first : first + filters * width], width))
        order = np.arange(groups * positions * filters).reshape(groups, positions, filters)
        turn = picker((order.transpose(0, 2, 1) if geometry.filters_first else order).ravel().tolist())
        out: list[Value] = []
        for i in range(rows):
            lines = (line for part in parts for line in part[i * positions : (i + 1) * positions])
            out += turn([value for line in lines for value in line])
        result = Exact(rows, geometry.shape, out)
        if bias is None:
            return self._moderate(result)
        lead = geometry.filters_first and bias.size == geometry.filters
        shaped = bias.shaped((geometry.filters, *[1] * (len(geometry.shape) - 1))) if lead else bias
        return self._moderate(combined(_plus, result, shaped))

    def _products(self, patches: Sequence[Value], weight: Sequence[Value], width: int) -> list[list[Value]]:
        """All inner products of rows of patches and rows of weights, each of ``width`` numbers."""
        rows, columns = len(patches) // width, len(weight) // width
        longest, wide = (max((_bits(c) for c, _ in part), default=1) for part in (patches, weight))
        if longest + wide > BITS:
            raise TooLargeError(f"a node needs numbers of more than {BITS} bits")
        self.spent += float(rows) * columns * width * (1 + (longest + wide) // 64)
        if self.spent > WORK:
            raise TooLargeError(f"the features need more than {WORK:.0e} exact multiply-adds")
        left = fmpq_mat(rows, width, [c for c, _ in patches])
        right = fmpq_mat(columns, width, [c for c, _ in weight])
        sums: list[list[Value]] = [[(c, ()) for c in line] for line in (left * right.transpose()).tolist()]
        fixed = not any(terms for _, terms in weight)
        for i in range(rows):
            line = patches[i * width : (i + 1) * width]
            moving = [j for j in range(width) if line[j][1] or not fixed]
            self.symbol_work += len(moving) * columns
            if self.symbol_work > SYMBOL_WORK:
                raise TooLargeError("there are too many products of values that are not rational")
            for f in range(columns if moving else 0):
                start = f * width
                if fixed:
                    terms = ((s, c * weight[start + j][0]) for j in moving for s, c in line[j][1])
                    sums[i][f] = (sums[i][f][0], _collect(terms))
                else:
                    sums[i][f] = _total([self._product(line[j], weight[start + j]) for j in moving])
        return sums

    def _product(self, a: Value, b: Value) -> Value:
        (c, left), (d, right) = (a, b) if a[1] else (b, a)
        if left and right:
            return self._symbol("*", *sorted((_key(a), _key(b))))
        if d == 0:
            return NOTHING
        return c * d, tuple((s, v * d) for s, v in left)

    def _symbol(self, *key: object) -> Value:
        """The symbol of an operation's value; the same for the same operation on the same arguments."""
        if len(self.symbols) >= SYMBOLS and key not in self.symbols:
            raise TooLargeError(f"there are more than {SYMBOLS} different values that are not rational")
        return fmpq(0), ((self.symbols.setdefault(key, len(self.symbols)), fmpq(1)),)

    def map(self, x: Exact, sigma: Activation) -> Exact:
        """An exact value, or the symbol of the activation at its argument."""
        return Exact(x.rows, x.shape, [self._activate(sigma, constant, terms) for constant, terms in x.entries])

    def _activate(self, activation: Activation, constant: fmpq, terms: Terms) -> Value:
        name = activation.canonical
        if name == "t":
            return constant, terms
        if not terms:
            try:
                value, followed = _value(activation, constant)
            except _LeavesError:
                pass
            else:
                self.followed = self.followed and followed
                return value, ()
        mirror, sign, offset = MIRRORED.get(name), 1, fmpq(0)
        if mirror is not None and (terms[0][1] if terms else constant) < 0:
            constant, terms = -constant, tuple((s, -c) for s, c in terms)
            sign, offset = mirror[0], fmpq(mirror[1].numerator, mirror[1].denominator)
        _, ((symbol, _),) = self._symbol(name, _key((constant, terms)))
        return offset, ((symbol, fmpq(sign)),)

    def add(self, a: Exact, b: Exact) -> Exact:
        """Add entry by entry: the constants and the coefficients of both."""
        return self._moderate(combined(_plus, a, b))

    def multiply(self, a: Exact, b: Exact) -> Exact:
        """Exact; two values with symbols give a symbol."""
        return self._moderate(combined(self._product, a, b))

    def _moderate(self, found: Exact) -> Exact:
        """Refuse numbers that become too long for a checker, which bounds numerator and denominator together."""
        if any(_bits(c) > BITS for c, _ in found.entries):
            raise TooLargeError(f"a node needs numbers of more than {BITS} bits")
        return found

    def scale(self, x: Exact, factor: Fraction, *, root: bool = False) -> Exact:
        """Multiply by the factor, exactly; its root is refused."""
        if root:
            raise NotRationalError("a square root is not a rational number")
        by = (fmpq(factor.numerator, factor.denominator), ())
        return self._moderate(Exact(x.rows, x.shape, [self._product(value, by) for value in x.entries]))

    def gather(self, sources: Sequence[Exact], places: Places) -> Exact:
        """The same exact numbers in other places."""
        return gathered(sources, places)

    def contract(self, a: Exact, b: Exact, *, transposed: bool = False) -> Exact:
        """An exact product for each sample and leading entry."""
        (n, k), m = a.shape[-2:], b.shape[-2 if transposed else -1]
        rows, lead = max(a.rows, b.rows), np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        left, right = (broadcast(value, rows, (*lead, *value.shape[-2:])) for value in (a, b))
        out: list[Value] = []
        for i in range(rows * math.prod(lead)):
            factor = right[i * k * m : (i + 1) * k * m]
            columns = factor if transposed else [factor[j * m + f] for f in range(m) for j in range(k)]
            out += [value for line in self._products(left[i * n * k : (i + 1) * n * k], columns, k) for value in line]
        return self._moderate(Exact(rows, (*lead, n, m), out))

    def total(self, x: Exact) -> Exact:
        """Sum over the last axis: the constants and the coefficients."""
        size = x.shape[-1]
        sums = [_total(x.entries[start : start + size]) for start in range(0, len(x.entries), size)]
        return self._moderate(Exact(x.rows, x.shape[:-1], sums))

    def largest(self, x: Exact) -> Exact:
        """Exact among rational numbers; else a symbol, which does not depend on the order."""
        out, size = [], x.shape[-1]
        for start in range(0, len(x.entries), size):
            row = x.entries[start : start + size]
            different = {_key(value): value for value in row}
            if len(different) == 1:
                out.append(row[0])
            elif any(terms for _, terms in row):
                out.append(self._symbol("max", *sorted(different)))
            else:
                out.append((max(constant for constant, _ in row), ()))
        return Exact(x.rows, x.shape[:-1], out)

    def inverse_root(self, x: Exact, epsilon: Fraction) -> Exact:
        """A symbol for each different argument; undefined where a rational one is not above 0."""
        shift, out = fmpq(epsilon.numerator, epsilon.denominator), []
        for constant, terms in x.entries:
            if not terms and constant + shift <= 0:
                raise ZeroDivisionError
            out.append(self._symbol("inverse root", _key((constant + shift, terms))))
        return Exact(x.rows, x.shape, out)

    def normalise(self, x: Exact, epsilon: Fraction, *, centre: bool) -> Exact:
        """Refuse a normalisation: its root leaves the rational numbers."""
        raise NotRationalError("normalisation leaves the rational numbers")

    def softmax(self, x: Exact, mask: Exact | None) -> Exact:
        """Refuse a softmax: exp leaves the rational numbers."""
        raise NotRationalError("softmax leaves the rational numbers")

    def attend(self, q: Exact, k: Exact, v: Exact, square: Fraction, mask: Exact | None) -> Exact:
        """Refuse attention: its softmax leaves the rational numbers."""
        raise NotRationalError("attention leaves the rational numbers")

    def embed(self, tokens: Exact, table: Exact) -> Exact:
        """Rows of the table; tokens that are not whole numbers in range are refused."""
        count, size, out = table.shape[0], table.size // table.shape[0], list[Value]()
        for place, (token, terms) in enumerate(tokens.entries):
            if terms or token.q != 1 or not 0 <= token < count:
                where = f"sample {place // tokens.size}" if tokens.rows == len(self.inputs) else "network"
                what = "no rational number" if terms else str(token)
                raise NetworkError(f"{where}: a token is {what}; give whole numbers from 0 to {count - 1}{UNSCALED}")
            out += table.entries[int(token.p) * size : (int(token.p) + 1) * size]
        return Exact(tokens.rows, (*tokens.shape, *table.shape[1:]), out)


def _numbers(values: Array) -> list[Value]:
    return [(fmpq(*value.as_integer_ratio()), ()) for value in values.ravel().tolist()]


def _plus(a: Value, b: Value) -> Value:
    return a[0] + b[0], (_collect([*a[1], *b[1]]) if a[1] and b[1] else a[1] or b[1])


def _total(values: Sequence[Value]) -> Value:
    terms = [term for _, part in values for term in part]
    return sum((c for c, _ in values), fmpq(0)), _collect(terms) if terms else ()


def _collect(products: Iterable[tuple[int, fmpq]]) -> Terms:
    total: dict[int, fmpq] = {}
    for symbol, value in products:
        total[symbol] = total.get(symbol, fmpq(0)) + value
    return tuple(sorted(((s, c) for s, c in total.items() if c != 0), key=lambda term: term[0]))


def _key(value: Value) -> tuple[Any, ...]:
    """Numbers that are equal for equal values."""
    constant, terms = value
    return int(constant.p), int(constant.q), tuple((s, int(c.p), int(c.q)) for s, c in terms)


def _bits(value: fmpq) -> int:
    return int(max(int(value.p).bit_length(), int(value.q).bit_length()))


class _LeavesError(Exception):
    """A value is not rational, or not found to be."""


def _value(activation: Activation, argument: fmpq) -> tuple[fmpq, bool]:
    """The exact value at a rational argument, and whether an independent checker follows all numbers on the way."""
    ops = _ExactOps(argument)
    found: fmpq = evaluate(activation.tree, ops)
    if _bits(found) > BITS:
        raise TooLargeError(f"a unit's value needs more than {BITS} bits")
    return found, ops.longest <= ACTIVATION_BITS


class _ExactOps(Ops[fmpq]):
    """`Ops` over exact rationals; what leaves them raises."""

    def __init__(self, argument: fmpq) -> None:
        super().__init__(argument)
        self.longest = 0

    def _noted(self, value: fmpq) -> fmpq:
        """The value; the longest numerator and denominator, together, are kept."""
        self.longest = max(self.longest, int(value.p).bit_length() + int(value.q).bit_length())
        return value

    def const(self, p: int, q: int) -> fmpq:
        return fmpq(p, q)

    def pi(self) -> fmpq:
        raise _LeavesError

    def e(self) -> fmpq:
        raise _LeavesError

    def var(self) -> fmpq:
        return self.argument

    def add(self, *terms: fmpq) -> fmpq:
        return self._noted(sum(terms, fmpq(0)))

    def mul(self, *factors: fmpq) -> fmpq:
        return self._noted(math.prod(factors, start=fmpq(1)))

    def div(self, numerator: fmpq, denominator: fmpq) -> fmpq:
        return self._noted(numerator / denominator)

    def pow_int(self, base: fmpq, n: int) -> fmpq:
        if _bits(base) * n > BITS:
            raise TooLargeError(f"a power needs more than {BITS} bits")
        self.longest = max(self.longest, 2 * _bits(base) * n)  # the checker estimates a power likewise
        return base**n

    def pow_rational(self, base: fmpq, p: int, q: int) -> fmpq:
        if base == 0 or base == 1:
            return base
        raise _LeavesError

    def call(self, name: str, *args: fmpq) -> Any:
        u = args[0]
        if name == "max":
            return self._noted(max(args))
        if name == "min":
            return self._noted(min(args))
        if name == "abs":
            return self._noted(abs(u))
        if u == 0 and name in ("sqrt", "tanh", "sinh", "sin", "atan", "erf", "log1p", "expm1"):
            return u
        if u == 0 and name in ("exp", "cosh", "cos", "erfc"):
            return fmpq(1)
        if u == 0 and name == "sigmoid":
            return fmpq(1, 2)
        raise _LeavesError
