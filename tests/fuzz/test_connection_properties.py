"""The properties of MC, MC.line and BM fail where a claim is made wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from verifier import fuzz
from verifier.balls.exact import Dyadic
from verifier.connect import Joined
from verifier.errors import InputError
from verifier.fuzz.conjectures.strict_minima import SHARP
from verifier.fuzz.pair import Pair
from verifier.fuzz.pair_strategies import fitted_to
from verifier.fuzz.properties import Falsified, connection, minimum
from verifier.landscape.connection import Connection
from verifier.landscape.minimum import BetterPoint, Minimum

UNIT = {"kind": "dense", "width": 3, "activation": "tanh", "skip": True}
START = fuzz.Specimen(
    inputs=np.array([[0.0], [1.0], [2.0]]),
    labels=np.array([0, 1, 0]),
    layers=(UNIT,),
    u=np.array([1.0, 2.0, 3.0, 0.0, -2.0, -4.5]),
    v=np.zeros((3, 2)),
)
END = np.array([1.5, 2.0, 2.5, 0.25, -2.0, -4.0])
FITTED = fitted_to(START, START.u, 3)
PAIR = Pair.of(START.at(START.u, FITTED), END, fitted_to(START, END, 3))
PLACES = {-1.5: "001", -1.0: "011", 0.0: "0001", 1.25: "0111", 2.25: "01"}
NOISY = fuzz.Specimen(
    inputs=np.array([[x] for x, labels in PLACES.items() for _ in labels]),
    labels=np.array([int(label) for labels in PLACES.values() for label in labels]),
    layers=({**UNIT, "width": 1, "activation": "sin"},),
    u=np.array([3.0, 0.5]),
    v=np.zeros((1, 2)),
)


@pytest.fixture(scope="module")
def joined() -> Joined:
    found = PAIR.connect()
    assert found.proved and found.pieces
    return found


@pytest.fixture(scope="module")
def valley() -> Minimum:
    found = NOISY.minimum(trials=3)
    assert found.proved and found.better is not None
    minimum.check_minimum(NOISY, found)
    return found


def _times(value: Dyadic, factor: float) -> Dyadic:
    return Dyadic.of_float(float(value.fraction()) * factor)


def _without_a_piece(found: Connection) -> dict[str, Any]:
    first = found.pieces[0]
    return {"pieces": (replace(first, start=Fraction(1, 64)), *found.pieces[1:])}


def _other_weights(found: Connection) -> dict[str, Any]:
    return {"weights": tuple(-weights for weights in found.weights)}


WRONG_PATHS: list[tuple[Callable[[Any], dict[str, Any]], str]] = [
    (_without_a_piece, "do not cover it"),
    (_other_weights, "the loss is|below gamma"),
    (lambda found: {"kappa": _times(found.kappa, 2.0**-6)}, "V moves"),
    (lambda found: {"gamma": _times(found.gamma, 16.0)}, "below gamma"),
    (lambda found: {"corners": (*found.corners[:-1], found.corners[-1] + 1.0)}, "join the two U"),
    (lambda found: {"end_weights": found.start_weights}, "begin and end at the two V"),
]


def test_paths_that_are_none_are_seen(joined: Joined) -> None:
    connection.check_connection(PAIR, joined)
    for change, words in WRONG_PATHS:
        with pytest.raises(Falsified, match=words):
            connection.check_connection(PAIR, replace(joined, **change(joined)))


def test_bounds_of_the_line_that_are_none_are_seen() -> None:
    pair = Pair.of(START.at(START.u, FITTED), -START.u, -FITTED)  # the line passes through 0, where the loss is log 2
    found = pair.line_barrier()
    assert 0.69 < found.lower < found.upper < 0.8
    connection.check_line(pair, found)
    low, high = found.loss_lower, found.loss_upper
    for change, words in (
        ({"loss_upper": _times(low, 0.99)}, "is above"),
        ({"loss_lower": _times(high, 1.01)}, "less than stated"),
        ({"time": Fraction(0)}, "less than stated"),
        ({"start_loss": (high, high)}, "outside of its bounds"),
    ):
        with pytest.raises(Falsified, match=words):
            connection.check_line(pair, replace(found, **change))


def test_valleys_that_are_none_are_seen(valley: Minimum) -> None:
    assert valley.better is not None
    value, better = valley.value, valley.better
    for change, words in (
        ({"curvature": _times(valley.curvature, 8.0)}, "an eigenvalue"),
        ({"radius": _times(valley.radius, 2.0**15)}, "boundary is below the rim|an eigenvalue|below the floor"),
        ({"gradient": Dyadic(0, 0)}, "the gradient is longer"),
        ({"floor": value[1]}, "theorem needs them|below the floor"),
        ({"rim": Dyadic(1, 0)}, "below the rim"),
        ({"value": (value[1], value[1])}, "outside of its bounds"),
        ({"parameters": 4}, "4 free parameters"),
        ({"better": BetterPoint(valley.u, valley.v, better.loss)}, "the better point"),
        ({"better": replace(better, loss=value[1])}, "the better point"),
    ):
        with pytest.raises(Falsified, match=words):
            minimum.check_minimum(NOISY, replace(valley, **change))


def test_one_network_is_no_pair() -> None:
    with pytest.raises(InputError, match=r"put the second one's case beside it as end.toml"):
        connection.pair_of(START)


def test_a_strict_minimum_one_unit_short_is_bad() -> None:
    entry = fuzz.load_conjecture("strict_minima")
    with pytest.raises(Falsified, match=r"Phi >= 0.67\d* in the valley, but at most 0.65\d* elsewhere"):
        entry.check(SHARP)
    assert SHARP.network.skip_count == SHARP.data.samples - 1 == 2
    assert entry.check(replace(SHARP, inputs=np.tile(np.array([[1.0, 0.5]]), (14, 1)))) == "UNDECIDED"  # N = 1
