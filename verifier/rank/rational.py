r"""Psi(U) in exact rational arithmetic, as far as its values are rational: for R6 and for refuting Z1.

ReLU, leaky ReLU, abs, hard tanh, max and min, the identity, powers and quotients map rationals to rationals, and the
data, weights and biases are dyadic. Where an activation leaves the rationals (tanh away from 0), its value gets a
symbol: equal activations at equal arguments are equal symbols, mirrored ones too. So every feature is, exactly,

.. math:: \Psi_{ij} = r_{ij} + \sum_s c_{ijs}\, z_s,

with rational r, c and real numbers z_s of which nothing is used. The *expanded* matrix has the columns r_j and c_js.
Each row of Psi is the same linear image of a row of the expanded matrix, so rank Psi is at most the expanded rank, and
every linear relation between expanded rows holds between rows of Psi. Without symbols the two matrices are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flint import fmpq, fmpq_mat, fmpz_mat, nmod_mat

from verifier.display import Brief
from verifier.errors import VerifierError
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Array, Network
from verifier.network.windows import window_indices
from verifier.rank.unit_forms import MIRRORED
from verifier.sigma.activations import Activation
from verifier.sigma.tree import Call, Named, Ops, Power, evaluate, subtrees

ENTRIES = 2_000_000
"""Most numbers that one layer may have on all samples."""
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
RANK_WORK = 4e10
"""Multiply-adds, times words, of an exact rank: about a minute (600 x 640 numbers of two words, 2.6e9, take 3.4 s)."""
PRIME = (1 << 62) - 57
"""A prime: modulo it a rank can only be smaller than over the rationals."""

Terms = tuple[tuple[int, fmpq], ...]
Value = tuple[fmpq, Terms]
"""The number ``constant + sum coefficient * z_symbol``."""


class TooLargeError(VerifierError):
    """The exact numbers would be too many or too long."""


@dataclass(frozen=True, repr=False)
class RationalFeatures(Brief):
    """Psi(U) in exact numbers, ``(N, M)``: ``values[i][j]`` is a constant and terms in unknown real numbers.

    ``followed``: no number in an activation is longer than what an independent checker follows.
    """

    values: list[list[Value]]
    followed: bool = True

    @property
    def rational(self) -> bool:
        """Whether every feature is a rational number."""
        return not any(terms for row in self.values for _, terms in row)

    def expanded(self) -> tuple[list[list[int]], list[int]]:
        """The expanded matrix, ``(N, K)``, with the positive integer that clears the denominators of each row.

        Guarantee: ``sum_i y_i row_i = 0`` implies ``sum_i y_i scale_i Psi_i = 0``.

        Raises
        ------
        TooLargeError
            If it would have more than `ENTRIES` entries.
        """
        places: dict[tuple[int, int], int] = {}
        columns = len(self.values[0])
        for row in self.values:
            for j, (_, terms) in enumerate(row):
                for symbol, _ in terms:
                    places.setdefault((j, symbol), columns + len(places))
        if len(self.values) * (columns + len(places)) > ENTRIES:
            raise TooLargeError(f"the features have {len(places)} different values that are not rational")
        rows, scales = [], []
        for row in self.values:
            line = [constant for constant, _ in row] + [fmpq(0)] * len(places)
            for j, (_, terms) in enumerate(row):
                for symbol, coefficient in terms:
                    line[places[j, symbol]] = coefficient
            scale = math.lcm(*(int(v.q) for v in line))
            rows.append([int(v.p) * (scale // int(v.q)) for v in line])
            scales.append(scale)
        return rows, scales


@dataclass(frozen=True, slots=True, repr=False)
class ExactRank(Brief):
    """The rank of Psi(U), or of its expanded matrix, over the rationals.

    ``rank`` is exact where ``exact``; else it is the rank modulo a prime, a lower bound of the expanded rank.
    ``rational``: Psi is the expanded matrix, or its rational columns have rank N: then it is the rank of Psi.
    ``followed``: see `RationalFeatures`.
    """

    rank: int
    exact: bool
    rational: bool
    followed: bool = True


def rational_activations(network: Network) -> bool:
    """Whether every activation is made of rational operations, max, min and abs, so that all features are rational."""
    return all(isinstance(layer, AvgPool) or _stays_rational(layer.activation) for layer in network.layers)


def _stays_rational(activation: Activation) -> bool:
    """Whether it is written so: values are not enough, sqrt(max(0, t - 10)) is rational at all t <= 10."""
    for part in subtrees(activation.tree):
        root = isinstance(part, Power) and part.q != 1
        if root or isinstance(part, Named) or (isinstance(part, Call) and part.name not in ("max", "min", "abs")):
            return False
    return True


def rational_features(network: Network, u: Array, inputs: Array) -> RationalFeatures | str:
    """Psi(U) in exact numbers and symbols.

    Parameters
    ----------
    network, u, inputs
        The network, U of shape ``(p,)`` and the samples ``(N, d)``, all finite and exact.

    Returns
    -------
    RationalFeatures or str
        Guarantee: the features are exactly these numbers, for some real values of the symbols. Else why they were not
        computed.
    """
    try:
        evaluation = _Evaluation(network, u, inputs)
        return RationalFeatures(evaluation.features(), evaluation.followed)
    except TooLargeError as error:
        return str(error)
    except ZeroDivisionError:
        return "an activation is undefined at some sample"


def exact_rank(features: RationalFeatures) -> ExactRank:
    """The rank of the expanded matrix.

    Returns
    -------
    ExactRank
        Guarantee: ``rational`` and ``rank == N`` imply rank Psi(U) = N (a minor that is not 0 modulo a prime is not 0);
        ``exact`` implies rank Psi(U) <= ``rank``, with equality if ``rational``.

    Raises
    ------
    TooLargeError
        If the expanded matrix is too large.
    """
    rational = features.rational
    if not rational and _rational_columns_suffice(features):
        return ExactRank(len(features.values), True, True, features.followed)
    rows, _ = features.expanded()
    n, k = len(rows), len(rows[0])
    modular = int(nmod_mat(n, k, [v % PRIME for row in rows for v in row], PRIME).rank())
    if modular == n:
        return ExactRank(n, True, rational, features.followed)
    words = 1 + max(abs(v).bit_length() for row in rows for v in row) // 64
    if float(n) * k * min(n, k) * words * (1 + modular / 100) > RANK_WORK:
        return ExactRank(modular, False, rational, features.followed)
    rank = int(fmpz_mat(n, k, [v for row in rows for v in row]).rank())
    return ExactRank(rank, True, rational, features.followed)


def _rational_columns_suffice(features: RationalFeatures) -> bool:
    """Whether the columns of Psi that are rational numbers on all samples have rank N already."""
    values = features.values
    picked = [j for j in range(len(values[0])) if not any(row[j][1] for row in values)]
    if len(picked) < len(values):
        return False
    rows, _ = RationalFeatures([[row[j] for j in picked] for row in values]).expanded()
    flat = [v % PRIME for row in rows for v in row]
    return int(nmod_mat(len(rows), len(picked), flat, PRIME).rank()) == len(rows)


class _LeavesError(Exception):
    """A value is not rational, or not found to be."""


class _Evaluation:
    """One exact forward pass; symbols are numbered as they come."""

    def __init__(self, network: Network, u: Array, inputs: Array) -> None:
        self.network, self.views = network, network.views(u)
        self.inputs = [[(_exact(x), ()) for x in row] for row in inputs.tolist()]
        self.symbols: dict[object, int] = {}
        self.spent, self.followed = 0.0, True

    def features(self) -> list[list[Value]]:
        known: list[list[list[Value]]] = []
        for index, layer in enumerate(self.network.layers):
            parts = [self.inputs if s == "input" else known[int(s)] for s in self.network.sources[index]]
            rows = [[v for part in line for v in part] for line in zip(*parts, strict=True)]
            known.append(self._layer(index, layer, rows))
        skips = self.network.skip_units
        return [[known[index][i][unit] for index, units in skips for unit in units] for i in range(len(self.inputs))]

    def _layer(self, index: int, layer: Dense | Conv | AvgPool, rows: list[list[Value]]) -> list[list[Value]]:
        size = math.prod(self.network.shapes[index])
        if len(rows) * size > ENTRIES:
            raise TooLargeError(f"layer {index} has more than {ENTRIES} units on all samples")
        if isinstance(layer, Dense):
            windows = [list(range(len(rows[0])))]
        else:
            sources = self.network.source_shapes(index)
            shape = (sum(s[0] for s in sources), *sources[0][1:])
            if isinstance(layer, AvgPool):
                return [_average(layer, shape, row) for row in rows]
            windows = window_indices(shape, layer.kernel, layer.steps, layer.padding)
            rows = [[*row, (fmpq(0), ())] for row in rows] if layer.padding else rows
        filters = self.network.shapes[index][0]
        weight = self.views[f"layer{index}.weight"].reshape(filters, -1)
        bias = self.views[f"layer{index}.bias"].reshape(filters, -1)
        patches = [[row[j] for j in window] for row in rows for window in windows]
        sums = self._products(patches, [[_exact(w) for w in line] for line in weight.tolist()], index)
        shifts = [[_exact(b) for b in line] for line in bias.tolist()]
        count, found = len(windows), []
        for i in range(len(rows)):
            line = []
            for f in range(filters):
                for p in range(count):
                    constant, terms = sums[i * count + p][f]
                    line.append(self._activate(layer.activation, constant + shifts[f][p % len(shifts[f])], terms))
            found.append(line)
        return found

    def _products(self, patches: list[list[Value]], weight: list[list[fmpq]], index: int) -> list[list[Value]]:
        """All inner products of patches and weights."""
        longest = max((_bits(c) for line in patches for c, _ in line), default=1)
        wide = max((_bits(w) for line in weight for w in line), default=1)
        if longest + wide > BITS:
            raise TooLargeError(f"layer {index} needs numbers of more than {BITS} bits")
        self.spent += float(len(patches)) * len(weight) * len(weight[0]) * (1 + (longest + wide) // 64)
        if self.spent > WORK:
            raise TooLargeError(f"layer {index} needs more than {WORK:.0e} exact multiply-adds")
        left = fmpq_mat(len(patches), len(weight[0]), [c for line in patches for c, _ in line])
        right = fmpq_mat(len(weight), len(weight[0]), [w for line in weight for w in line]).transpose()
        sums: list[list[Value]] = [[(c, ()) for c in line] for line in (left * right).tolist()]
        moving = [(i, [(j, terms) for j, (_, terms) in enumerate(line) if terms]) for i, line in enumerate(patches)]
        if sum(len(places) for _, places in moving) * len(weight) > SYMBOL_WORK:
            raise TooLargeError(f"layer {index} has too many products of values that are not rational")
        for i, places in moving:
            if places:
                for f, line in enumerate(weight):
                    sums[i][f] = (sums[i][f][0], _collect((s, c * line[j]) for j, terms in places for s, c in terms))
        return sums

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
        if len(self.symbols) >= SYMBOLS:
            raise TooLargeError(f"there are more than {SYMBOLS} different values that are not rational")
        key = (name, int(constant.p), int(constant.q), tuple((s, int(c.p), int(c.q)) for s, c in terms))
        return offset, ((self.symbols.setdefault(key, len(self.symbols)), fmpq(sign)),)


def _collect(products: Iterable[tuple[int, fmpq]]) -> Terms:
    total: dict[int, fmpq] = {}
    for symbol, value in products:
        total[symbol] = total.get(symbol, fmpq(0)) + value
    return tuple(sorted(((s, c) for s, c in total.items() if c != 0), key=lambda term: term[0]))


def _average(layer: AvgPool, shape: tuple[int, ...], row: Sequence[Value]) -> list[Value]:
    plane = math.prod(shape[1:])
    windows = window_indices((1, *shape[1:]), layer.kernel, layer.steps)
    found = []
    for c in range(shape[0]):
        for window in windows:
            parts = [row[c * plane + j] for j in window]
            share = fmpq(1, len(parts))
            constant = sum((k for k, _ in parts), fmpq(0)) * share
            found.append((constant, _collect((s, v * share) for _, terms in parts for s, v in terms)))
    return found


def _exact(value: float) -> fmpq:
    return fmpq(*value.as_integer_ratio())


def _bits(value: fmpq) -> int:
    return int(max(int(value.p).bit_length(), int(value.q).bit_length()))


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
