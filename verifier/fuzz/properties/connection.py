"""Properties of MC and MC.line: the loss at many times of the stated path, and of the straight line of all weights.

What is claimed is evaluated again in mpmath numbers, at exact times, from the definition of the path.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

import mpmath
from hypothesis import strategies as st

from verifier.balls.exact import Dyadic, ExactArray
from verifier.errors import InputError
from verifier.fuzz import oracle
from verifier.fuzz.oracle import Matrix
from verifier.fuzz.pair import END, Pair
from verifier.fuzz.pair_strategies import pairs
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.properties.rank import engine_of
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import activations, datasets, specimens
from verifier.landscape.connection import Connection
from verifier.landscape.line_barrier import LineBarrier

DIGITS: Final = 40
TIMES: Final = 60
"""Times at which a path is looked at, all its parts together."""
LEAST: Final = 3
"""Times at each part of it, at least, beside both ends."""


def _pairs() -> st.SearchStrategy[Pair]:
    """Few samples, and more units than these: where M = N is tight, a search for corners may take a minute."""
    data = datasets(max_samples=3, max_dimension=2, kinds=("integers", "duplicates"))
    kinds: Any = ("gaussian", "integers")
    sigma = activations("bounded") | activations("kinked")
    drawn = specimens(
        data=data, activations=sigma, max_layers=1, max_width=6, parameter_kinds=kinds, convolutions=False, wide=True
    )
    return pairs(drawn, ends=("near", "drawn", "same"))


def pair_of(specimen: Specimen) -> Pair:
    """Return a specimen as a pair, or raise an error.

    Raises
    ------
    InputError
        It is not: of a case that is replayed the second network is missing.
    """
    if not isinstance(specimen, Pair):
        raise InputError(f"one network only; this property is about two: put the second one's case beside it as {END}")
    return specimen


@holds_for(_pairs)
def joined_without_a_barrier(specimen: Specimen) -> str:
    """Where MC is PROVED, no time of the stated path has a loss above both ends' losses, or a margin below gamma."""
    found = pair_of(specimen).connect(engine=engine_of(specimen))
    if not found.proved:
        return str(found.verdict)
    check_connection(pair_of(specimen), found)
    return f"PROVED, {'one U' if not found.pieces else 'straight' if found.legs == 1 else 'a polygon'}"


@holds_for(_pairs)
def barrier_of_the_straight_line(specimen: Specimen) -> str:
    """On the straight line of all weights no loss is above MC.line's upper bound, and one attains its lower bound."""
    pair = pair_of(specimen)
    found = pair.line_barrier(engine=engine_of(specimen))
    if not found.proved:
        return str(found.verdict)
    check_line(pair, found)
    return "a barrier" if found.lower > 0 else "none, or hardly any"


class Losses:
    """The cross-entropy of a specimen's rows, in mpmath numbers at the precision in force."""

    def __init__(self, specimen: Specimen) -> None:
        """Count how often each label occurs in each row."""
        data = specimen.data
        if data.labels is None:
            counts = specimen.grouping.label_counts
            self.counts = [] if counts is None else counts.tolist()
        else:
            self.counts = [[0] * data.classes for _ in data.labels]
            for row, label, count in zip(self.counts, data.labels.tolist(), data.multiplicities.tolist(), strict=True):
                row[label] = count

    def of(self, logits: Matrix) -> Any:
        """Return the mean cross-entropy over all samples at these logits."""
        weights = [1.0] * len(self.counts[0])
        return oracle.approx_convex_loss("cross-entropy", logits, self.counts, weights)

    def margins(self, logits: Matrix) -> list[Any]:
        """Give all margins, of every label that occurs in a row."""
        found = []
        for g, occurs in zip(logits, self.counts, strict=True):
            for k in (k for k, count in enumerate(occurs) if count):
                found += [g[k] - other for j, other in enumerate(g) if j != k]
        return found


def check_connection(pair: Pair, found: Connection) -> None:
    """Hold a PROVED path against its definition.

    Raises
    ------
    Falsified
        It is no path from one network to the other, or the loss at some time of it is above both ends' losses.
    """
    if [found.corners[0].tolist(), found.corners[-1].tolist()] != [pair.u.tolist(), pair.end_u.tolist()]:
        raise Falsified("MC: the polygon does not join the two U")
    _require_covered(found)
    losses, draws = Losses(pair), random.Random(5)
    with mpmath.workdps(DIGITS):
        first, last = _exact(found.start_weights), _exact(found.end_weights)
        if [first, last] != [_floats(pair.v), _floats(pair.end_v)]:
            raise Falsified("MC: the path does not begin and end at the two V")
        kappa, gamma = (mpmath.mpf(0) if x is None else _number(x) for x in (found.kappa, found.gamma))
        scaled = [[[kappa * x for x in row] for row in _floats(weights)] for weights in found.weights]
        ends = [losses.of(oracle.times(_features(pair, u, u, 0), v)) for u, v in ((pair.u, first), (pair.end_u, last))]
        most, parts = max(ends) * (1 + mpmath.mpf(10) ** -20), len(found.pieces) * 2 + 1
        many = max(LEAST, TIMES // parts)
        for leg, t, before, after in _standing(found, first, last, scaled):
            psi = _features(pair, found.corners[leg], found.corners[min(leg + 1, found.legs)], t)
            values = [losses.of(oracle.times(psi, _mixed(before, after, s))) for s in sorted(_times(draws, many))]
            _require_low(max(values), most, f"V moves at leg {leg + 1}")
            falls = values if before is first else values[::-1] if after is last else []
            if found.pieces and sorted(falls, reverse=True) != falls:
                raise Falsified(f"MC: the loss does not fall from an end: {mpmath.nstr(falls)}")
        for piece in found.pieces:
            for s in _times(draws, many):
                t = piece.start + s * (piece.end - piece.start)
                psi = _features(pair, found.corners[piece.leg], found.corners[piece.leg + 1], t)
                logits = oracle.times(psi, scaled[piece.weights])
                if min(losses.margins(logits)) < kappa * gamma * (1 - mpmath.mpf(10) ** -20):
                    raise Falsified(f"MC: a margin is below gamma at t = {float(t)} of leg {piece.leg + 1}")
                _require_low(losses.of(logits), most, f"t = {float(t)} of leg {piece.leg + 1}")


def _require_covered(found: Connection) -> None:
    """See that the pieces cover every leg, each from 0 to 1, in order."""
    at = [(piece.leg, piece.start, piece.end) for piece in found.pieces]
    for leg in range(found.legs):
        ends = [Fraction(0), *(end for number, _, end in at if number == leg)]
        starts = [*(start for number, start, _ in at if number == leg), Fraction(1)]
        if ends != starts or sorted(ends) != ends:
            raise Falsified(f"MC: the pieces of leg {leg + 1} do not cover it: {starts}, {ends}")
    if [number for number, _, _ in at] != sorted(number for number, _, _ in at):
        raise Falsified("MC: the legs are not in order")


def _standing(
    found: Connection, first: Matrix, last: Matrix, scaled: Sequence[Matrix]
) -> Iterator[tuple[int, Fraction, Matrix, Matrix]]:
    """Where U rests and V moves: leg, time, V before and after."""
    before = first
    for piece in found.pieces:
        yield piece.leg, piece.start, before, scaled[piece.weights]
        before = scaled[piece.weights]
    yield max(found.legs - 1, 0), Fraction(found.legs > 0), before, last


def check_line(pair: Pair, found: LineBarrier) -> None:
    """Hold bounds of the straight line's barrier against the loss at many times.

    Raises
    ------
    Falsified
        A loss is above the upper bound, the loss at the stated time is below the lower one, or an end's is outside.
    """
    losses, draws = Losses(pair), random.Random(7)
    with mpmath.workdps(DIGITS):
        tiny = mpmath.mpf(10) ** -20

        def loss(t: Fraction) -> Any:
            return losses.of(oracle.times(_features(pair, pair.u, pair.end_u, t), _mixed(first, last, t)))

        first, last = _floats(pair.v), _floats(pair.end_v)
        ends = [loss(Fraction(0)), loss(Fraction(1))]
        for value, bounds in zip(ends, (found.start_loss, found.end_loss), strict=True):
            if not _number(bounds[0]) <= value * (1 + tiny) or not value * (1 - tiny) <= _number(bounds[1]):
                raise Falsified(f"MC.line: the loss {mpmath.nstr(value)} of an end is outside of its bounds")
        upper, attained = _number(found.loss_upper), loss(found.time)
        if attained * (1 + tiny) < _number(found.loss_lower):
            raise Falsified(
                f"MC.line: at t = {float(found.time)} the loss is {mpmath.nstr(attained)}, less than stated"
            )
        highest = max(loss(t) for t in (found.time, *_times(draws, TIMES)))
        if highest * (1 - tiny) > upper:
            raise Falsified(f"MC.line: a loss of {mpmath.nstr(highest)} is above {mpmath.nstr(upper)}")
        barrier = highest - max(ends)
        if _quotient(found.upper) < barrier - tiny * (1 + highest):
            raise Falsified(f"MC.line: a barrier of {mpmath.nstr(barrier)} is above its bound")
        if attained - max(ends) + tiny * (1 + highest) < _quotient(found.lower) and found.lower > 0:
            raise Falsified("MC.line: the barrier is below its lower bound")


def _require_low(value: Any, most: Any, where: str) -> None:
    if not value <= most:
        raise Falsified(f"MC: at {where} the loss is {mpmath.nstr(value, 12)} > {mpmath.nstr(most, 12)}")


def _features(pair: Pair, start: Any, end: Any, t: Fraction | int) -> Matrix:
    time = mpmath.mpf(Fraction(t).numerator) / Fraction(t).denominator
    return oracle.approx_features_between(pair.network, start, end, time, pair.data.inputs, DIGITS)


def _times(draws: random.Random, many: int) -> list[Fraction]:
    """Both ends and random times between them, exact."""
    return [Fraction(0), Fraction(1), *(Fraction(draws.randrange(2**20), 2**20) for _ in range(many))]


def _mixed(before: Matrix, after: Matrix, t: Fraction) -> Matrix:
    rows = zip(before, after, strict=True)
    return [[a + _quotient(t) * (b - a) for a, b in zip(*row, strict=True)] for row in rows]


def _floats(weights: Any) -> Matrix:
    return [[mpmath.mpf(x) for x in row] for row in weights.tolist()]


def _exact(weights: ExactArray) -> Matrix:
    integers, exponent = weights.integers()
    width = weights.shape[1]
    numbers = [mpmath.ldexp(mpmath.mpf(int(x)), exponent) for x in integers]
    return [numbers[start : start + width] for start in range(0, len(numbers), width)]


def _number(value: Dyadic) -> Any:
    return mpmath.ldexp(mpmath.mpf(int(value.mantissa)), int(value.exponent))


def _quotient(value: Fraction) -> Any:
    return mpmath.mpf(value.numerator) / value.denominator
