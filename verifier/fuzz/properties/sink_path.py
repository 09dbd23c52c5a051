"""Properties of S.path and of R6 on planted starts: held against fractions, with another elimination than the prover's.

Starts are planted: units that are dead, copies, or affine on all samples, so that the features do not have full rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
from flint import fmpq
from hypothesis import strategies as st

from verifier.fuzz import oracle
from verifier.fuzz.node_values import feature_row
from verifier.fuzz.oracle import Matrix
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import datasets
from verifier.landscape.escape_kinds import Escape
from verifier.network.network import Array
from verifier.verdict import Verdict

ACTIVATIONS: Final = ("relu", "max(t, t/8)", "abs(t)", "max(-1, min(1, t))", "max(0, t)**2")
TIMES: Final = (Fraction(0), Fraction(1, 3), Fraction(1, 2), Fraction(1))
CLOSE: Final = Fraction(1, 2**120)
"""What the V' of a path, which is rounded, may change a logit by, relative to the largest number in the sum."""


@st.composite
def planted_starts(draw: st.DrawFn) -> Specimen:
    """A layer as wide as the samples and more, over one or none, of which some units are planted to be of no use."""
    inputs, labels = draw(datasets(max_samples=5, kinds=("integers", "dyadic")))
    dimension, activation = inputs.shape[1], draw(st.sampled_from(ACTIVATIONS))
    widths = [*([draw(st.integers(1, 3))] if draw(st.booleans()) else []), len(inputs) + draw(st.integers(0, 3))]
    layers = [{"kind": "dense", "width": width, "activation": activation} for width in widths]
    layers[-1]["skip"] = True
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    parts, fan_in = list[Array](), dimension
    for width in widths:
        weight, bias = rng.integers(-8, 9, (width, fan_in)) / 4.0, rng.integers(-8, 9, width) / 4.0
        parts += [weight, bias]
        fan_in = width
    plant, count = draw(st.sampled_from(("dead", "copies", "affine", "none"))), draw(st.integers(1, widths[-1]))
    if plant == "dead":
        parts[-2][:count], parts[-1][:count] = 0.0, -1.0
    elif plant == "copies":
        parts[-2][:count], parts[-1][:count] = parts[-2][0], parts[-1][0]
    elif plant == "affine":
        parts[-1][:count] = 2.0**12
    classes = int(labels.max()) + 1
    v = rng.integers(-8, 9, (widths[-1], max(classes, 2))) / 4.0
    u = np.concatenate([part.ravel() for part in parts])
    return Specimen(inputs, labels, tuple(layers), u, v, escapes=("S.path",))


def fraction_rank(rows: Matrix) -> int:
    """The rank by elimination in Python's fractions, pivot by pivot."""
    left = [
        [entry if isinstance(entry, Fraction) else Fraction(int(entry.p), int(entry.q)) for entry in row]
        for row in rows
    ]
    rank = 0
    for column in range(len(left[0]) if left else 0):
        pivot = next((r for r in range(rank, len(left)) if left[r][column]), None)
        if pivot is None:
            continue
        left[rank], left[pivot] = left[pivot], left[rank]
        for r in range(rank + 1, len(left)):
            factor = left[r][column] / left[rank][column]
            left[r] = [a - factor * b for a, b in zip(left[r], left[rank], strict=True)]
        rank += 1
    return rank


@holds_for(planted_starts)
def exact_rank_of_planted_starts(specimen: Specimen) -> str:
    """R6 states the rank of an elimination in fractions: full, or the very number where the start lacks some rank."""
    found = specimen.rank(engine="arb")
    rank = fraction_rank(oracle.exact_features(specimen.network, specimen.u, specimen.data.inputs))
    if (found.verdict is Verdict.PROVED) != (rank == found.samples):
        raise Falsified(f"rank {found.verdict} ({found.reason}); by fractions it is {rank} of {found.samples}")
    if found.exact is not None and found.exact.exact and found.exact.rank != rank:
        raise Falsified(f"the exact rank is said to be {found.exact.rank} ({found.reason}); by fractions it is {rank}")
    return f"{found.verdict} ({found.label})"


@holds_for(planted_starts)
def unread_units_move_at_constant_loss(specimen: Specimen) -> str:
    """At all times of S.path's motion resting columns carry the start's logits, exactly, and so does the path's V'."""
    report = specimen.prove("rank", "path", engine="arb")
    escape = None if report.escape is None else report.escape.escape
    if escape is None:
        return f"path {report.verdict('path')}, no escape"
    _check(specimen, escape)
    return escape.label


def _check(specimen: Specimen, escape: Escape) -> None:
    """The logits in fractions at some times; `TIMES` of the second leg, on which U moves."""
    start, end = escape.start_u, escape.end_u
    places = [_between(start, end, t) for t in TIMES]
    features = [_features(specimen, u) for u in places]
    wanted = oracle.times(features[0], _rational(specimen.v.tolist()))
    width = len(features[0][0])
    rest = [
        j for j in range(width) if all(psi[i][j] == row[j] for psi in features for i, row in enumerate(features[0]))
    ]
    resting = [[row[j] for j in rest] for row in features[0]]
    with_logits = [[*row, *logits] for row, logits in zip(resting, wanted, strict=True)]
    if fraction_rank(with_logits) != fraction_rank(resting):
        raise Falsified("the columns that rest do not carry the logits")
    numerators, exponent = escape.tail.segment_weights.integers()
    scale = fmpq(2) ** exponent
    classes = escape.tail.segment_weights.shape[1]
    v = [[fmpq(x) * scale for x in numerators[i : i + classes]] for i in range(0, len(numerators), classes)]
    for psi in features:
        for row, logits in zip(psi, wanted, strict=True):
            for k, logit in enumerate(logits):
                terms = [x * line[k] for x, line in zip(row, v, strict=True)]
                largest = max(abs(term) for term in [*terms, logit, fmpq(1)])
                if abs(sum(terms, fmpq(0)) - logit) > largest * fmpq(CLOSE.numerator, CLOSE.denominator):
                    raise Falsified("the path's V' does not keep a logit")


def _between(start: Array, end: Array, t: Fraction) -> list[Fraction]:
    return [(1 - t) * Fraction(a) + t * Fraction(b) for a, b in zip(start.tolist(), end.tolist(), strict=True)]


def _features(specimen: Specimen, u: Sequence[Fraction]) -> Matrix:
    numbers = oracle.RATIONAL
    exact = [numbers.of(value) for value in u]
    samples = [[numbers.of(Fraction(x)) for x in sample] for sample in specimen.data.inputs.tolist()]
    return [feature_row(specimen.network, exact, sample, numbers) for sample in samples]


def _rational(rows: Sequence[Sequence[float]]) -> Matrix:
    return [[oracle.RATIONAL.of(Fraction(x)) for x in row] for row in rows]
