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
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from flint import fmpq

from verifier.balls.tensors import broadcast, columns
from verifier.display import Brief
from verifier.network.network import Array, Network
from verifier.rank.exact_arithmetic import ExactArithmetic, NotRationalError, TooLargeError, Value
from verifier.rank.integer_arithmetic import IntegerArithmetic, piecewise_polynomial
from verifier.rank.modular import integer_rank, modular_rank, primes

ENTRIES = 2_000_000
"""Most numbers that one node may have on all samples."""
RANK_SECONDS = 60.0
"""How long the proof of an exact rank below N may be predicted to take."""
PRIME = next(primes())
"""A prime: modulo it a rank can only be smaller than over the rationals."""


@dataclass(frozen=True, repr=False)
class RationalFeatures(Brief):
    """Psi(U) in exact numbers, ``(N, M)``: ``values[i][j]`` is a constant and terms in unknown real numbers.

    ``followed``: no number in an activation is longer than what an independent checker follows.
    ``whole``: where all features are rational numbers over one denominator, their numerators; ``below``: that one.
    """

    given: list[list[Value]] | None = field(default=None)
    followed: bool = True
    whole: list[list[int]] | None = None
    below: int = 1

    @cached_property
    def values(self) -> list[list[Value]]:
        """The features as exact numbers, (N, M)."""
        if self.given is not None:
            return self.given
        return [[(fmpq(value, self.below), ()) for value in row] for row in self.whole or []]

    @cached_property
    def rational(self) -> bool:
        """Whether every feature is a rational number."""
        return self.whole is not None or not any(terms for row in self.values for _, terms in row)

    def expanded(self) -> tuple[list[list[int]], list[int]]:
        """The expanded matrix, ``(N, K)``, with the positive integer that clears the denominators of each row.

        Guarantee: ``sum_i y_i row_i = 0`` implies ``sum_i y_i scale_i Psi_i = 0``.

        Raises
        ------
        TooLargeError
            If it would have more than `ENTRIES` entries.
        """
        if self.whole is not None:
            return self.whole, [self.below] * len(self.whole)
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


def row_key(row: Sequence[Value]) -> object:
    """What is equal for rows of Psi that are certainly equal.

    Guarantee: equal keys imply equal rows of Psi.

    Parameters
    ----------
    row
        Of `RationalFeatures`.
    """
    return tuple((int(c.p), int(c.q), tuple((s, int(k.p), int(k.q)) for s, k in terms)) for c, terms in row)


@dataclass(frozen=True, slots=True, repr=False)
class ExactRank(Brief):
    """The rank of Psi(U), or of its expanded matrix, over the rationals.

    ``rank`` is exact where ``exact``; else it is the rank modulo a prime, a lower bound of the expanded rank.
    ``rational``: Psi is the expanded matrix, or its rational columns have rank N: then it is the rank of Psi.
    ``followed``: see `RationalFeatures`. ``seconds``: about how long a proof would have taken that was not begun.
    ``primes``: how many the proof needed.
    """

    rank: int
    exact: bool
    rational: bool
    followed: bool = True
    seconds: float = 0.0
    primes: int = 1

    def words(self, samples: int) -> str:
        """What is known of the rank of Psi(U), (N, M), in a sentence.

        Parameters
        ----------
        samples : int
            The number N of samples.

        Returns
        -------
        str
            The sentence.
        """
        n = samples
        if self.rank == n:
            return f"rank Psi(U) = {n}: some {n} x {n} minor of rational features is not 0 (not 0 modulo a prime)"
        if not self.exact:
            return (
                f"all features are rational numbers, and modulo a prime their rank is {self.rank} < N = {n}, so full "
                "rank is most unlikely and no precision would show it; the exact rank is too large a computation: take "
                "fewer samples or units, or shorter numbers"
            )
        how = "in exact rational arithmetic" if self.rational else "by exact relations between the samples' features"
        return f"rank Psi(U) {'=' if self.rational else '<='} {self.rank} < N = {n}, {how}"


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
    for index, shape in enumerate(network.node_shapes):
        if (len(inputs) if network.varies[index] else 1) * math.prod(shape) > ENTRIES:
            return f"{network.title(index)} has more than {ENTRIES} entries on all samples"
    try:
        if piecewise_polynomial(network):
            return _over_one_denominator(network, u, inputs)
        ops = ExactArithmetic(network, u, inputs)
        found = network.evaluate(ops)
    except (TooLargeError, NotRationalError) as error:
        return str(error)
    except ZeroDivisionError:
        return "a node is undefined at some sample"
    psi = columns(network, found)
    entries, width = broadcast(psi, len(inputs), psi.shape), psi.size
    return RationalFeatures([entries[i : i + width] for i in range(0, len(entries), width)], ops.followed)


def _over_one_denominator(network: Network, u: Array, inputs: Array) -> RationalFeatures:
    """The features as integers over one denominator."""
    ops = IntegerArithmetic(network, u, inputs)
    found = network.evaluate(ops)
    psi = columns(network, found, ops.gather)
    entries, width = broadcast(psi, len(inputs), psi.shape), psi.size
    rows = [entries[i : i + width] for i in range(0, len(entries), width)]
    return RationalFeatures(None, ops.followed, rows, psi.below)


def exact_rank(features: RationalFeatures, patience: float | None = None) -> ExactRank:
    """The rank of the expanded matrix.

    Parameters
    ----------
    features
        Psi(U) in exact numbers.
    patience
        Seconds that the proof of a rank below N may be predicted to take; by default `RANK_SECONDS`.

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
    found = integer_rank(rows, RANK_SECONDS if patience is None else patience)
    return ExactRank(found.rank, found.exact, rational, features.followed, found.seconds, found.primes)


def _rational_columns_suffice(features: RationalFeatures) -> bool:
    """Whether the columns of Psi that are rational numbers on all samples have rank N already."""
    values = features.values
    picked = [j for j in range(len(values[0])) if not any(row[j][1] for row in values)]
    if len(picked) < len(values):
        return False
    rows, _ = RationalFeatures([[row[j] for j in picked] for row in values]).expanded()
    return modular_rank(rows, PRIME) == len(rows)
