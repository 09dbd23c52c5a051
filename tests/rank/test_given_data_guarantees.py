"""A on given samples: classes against exact fractions at random U, and the counterexamples of the theory."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from planted import seeds

import verifier as vf
from verifier.fuzz.oracle import exact_features, exact_rank
from verifier.network.blocks import Activate, Add, Reshape, Select
from verifier.network.builder import Builder
from verifier.network.graph import Feature
from verifier.network.layers import AvgPool
from verifier.network.network import Network
from verifier.network.nodes import Affine, Map, Multiply, Pool, Reduce, Window
from verifier.rank import given_data
from verifier.rank.every_data import prove_every_data_set
from verifier.rank.given_data import ShownUnits, prove_given_data
from verifier.rank.separation import INCOMPARABLE, NOWHERE, Separation, numbered

FIFTH = "t**5 - t"
"""Exact at fractions, and no polynomial of degree 4: enough for N = 6, and for averages of 3."""
Conv, Dense = vf.Conv, vf.Dense


def weights(rng, network):
    """Random small fractions."""
    return rng.integers(-9999, 10000, network.parameter_count) / 1024.0


def filters_and_averages(rng):
    """One or two filters with one bias or several, averages of what they make, and a reduction."""
    build = Builder((int(rng.integers(1, 3)), int(rng.integers(2, 5))))
    node = 0
    for stage in range(int(rng.integers(1, 3))):
        channels, length = build.shapes[node]
        kernel = int(rng.integers(1, min(2, length) + 1))
        window = Window((kernel,), (int(rng.integers(1, 3)),), (int(rng.integers(0, kernel)),), (1,))
        weight = build.parameter(f"w{stage}", (2, channels, kernel))
        tied = bool(rng.integers(3))
        bias = build.parameter(f"b{stage}", (2,) if tied else (2, *window.positions([(channels, length)], "")))
        node = build.add(Affine((node, weight, bias), window, True))
        node = build.add(Map((node,), vf.activation([FIFTH, "t**3", "identity"][int(rng.integers(3))])))
        width = int(rng.integers(1, min(3, build.shapes[node][1]) + 1))
        if rng.integers(2):
            over = Window((width,), (1,), (int(rng.integers(0, width)),), (1,))
            node = build.add(Pool((node,), "mean", over))
    if rng.integers(2):
        node = build.add(Reduce((node,), "sum", 1))
    build.feature(node)
    return Network.of(build.nodes, build.features)


@seeds(30)
def test_classes_are_what_the_values_are_at_random_parameters(rng):
    """Other classes of a family are other values; so is another class than that of the number 0."""
    network = filters_and_averages(rng)
    x = np.unique(rng.integers(0, 3, (4, network.dimension)).astype(float), axis=0)
    told, us = Separation(network, x), [weights(rng, network) for _ in range(2)]
    for node in (index for index in range(len(network.nodes)) if network.varies[index]):
        found = told.classes(node)
        one = Network.of(network.nodes, [Feature(node, None)])
        values = [exact_features(one, u, x) for u in us]
        places = list(itertools.product(range(len(found.column)), range(len(x))))
        seen = {at: tuple(value[at[1]][at[0]] for value in values) for at in places}
        classes = {at: told.columns[int(found.column[at[0]])][at[1]] for at in places}
        for a in places:
            if found.zero[a[0]] != INCOMPARABLE:
                assert any(seen[a]) or classes[a] == found.zero[a[0]]
        for a, b in itertools.combinations(places, 2):
            if found.family[a[0]] == found.family[b[0]]:
                assert classes[a] == classes[b] or seen[a] != seen[b], (node, a, b)


def test_numbers_of_tuples():
    rng = np.random.default_rng(0)
    for high in (2, 1 << 20, 1 << 45):
        parts = [rng.integers(-2, high, (3, 50)) for _ in range(5)]
        tuples = list(zip(*(part.ravel().tolist() for part in parts), strict=True))
        found = numbered(parts).ravel().tolist()
        assert len(set(found)) == len(set(zip(tuples, found, strict=True))) == len(set(tuples))


MIRRORED = np.array([[0.0, 1.0], [1.0, 0.0]])
ONE_COLOUR = np.array([[0.0, 0.0], [1.0, 1.0]])
OPPOSITE = np.array([[1.0, -1.0], [2.0, -2.0]])


def tied_with_an_ancestor():
    """u2 x1 + c and u1 x2 + d under u1 A1 + u2 A2 + b, and units of their own on that."""
    build = Builder((2,))
    u, c, b = build.parameter("u", (1, 2), 2), build.parameter("c", (2,)), build.parameter("b", (1,))
    turned = build.add(vf.nodes.Reshape((build.add(vf.nodes.Take((u,), 1, (1, 0))),), (2,)))
    below = build.add(vf.nodes.Add((build.add(Multiply((0, turned))), c)))
    shared = build.map(build.add(Affine((below, u, b), "all", True)), vf.activation("identity"))
    build.feature(build.map(build.affine([shared], 2, "own"), vf.activation(FIFTH)))
    return Network.of(build.nodes, build.features)


def tied_filter(*more, activation=FIFTH, **keywords):
    return Network((1, 2), [Conv(1, (1,), activation, bias="tied", **keywords), *more])


FALSE = {
    "weights shared with an ancestor": (tied_with_an_ancestor(), OPPOSITE),
    "a tied bias and equal multisets": (tied_filter(AvgPool((2,)), Dense(2, FIFTH, skip=True)), MIRRORED),
    "positions of one filter": (tied_filter(skip=True), ONE_COLOUR),
    "lines under an average": (
        Network((1, 2), [Conv(1, (1,), "identity"), AvgPool((2,)), Dense(2, FIFTH, skip=True)]), MIRRORED),
    "slope 1": (Network(2, Dense(4, "identity", skip=True)), np.array([[0.0, 0], [1, 0], [2, 0], [3, 0]])),
    "a coordinate that is not read": (
        Network(2, [Select((0,), axis=0), Dense(2, FIFTH, skip=True)]), np.array([[1.0, 2.0], [1.0, 3.0]])),
    "equal samples": (Network(2, Dense(3, FIFTH, skip=True)), np.ones((2, 2))),
    "squares below": (Network(1, [Activate("t**2"), Dense(2, FIFTH, skip=True)]), np.array([[1.0], [-1.0]])),
    "frozen filters": (
        Network((1, 2), [Conv(1, (2,), FIFTH), Dense(2, FIFTH, skip=True)],
                frozen={"layer0.weight": np.zeros((1, 1, 2))}), MIRRORED),
    "a shift beside padding": (
        Network((1, 2), [Conv(1, (2,), FIFTH, bias="tied", padding=1), AvgPool((3,)), Dense(2, FIFTH, skip=True)]),
        MIRRORED),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_is_not_proved(name):
    network, x = FALSE[name]
    rng = np.random.default_rng(5)
    assert max(exact_rank(network, weights(rng, network), x) for _ in range(3)) < len(x)
    assert not prove_given_data(network, x).proved


TRUE = {
    "another sample beside padding": (FALSE["a shift beside padding"][0], MIRRORED + 1.0),
    "a bias of its own at each position": (
        Network((1, 2), [Conv(1, (1,), FIFTH), AvgPool((2,)), Dense(2, FIFTH, skip=True)]), MIRRORED),
    "one position of each filter": (Network((1, 2), Conv(2, (1,), FIFTH, bias="tied", skip=True)), ONE_COLOUR),
    "two stages": (
        Network((1, 4), [Conv(2, (2,), FIFTH, bias="tied"), AvgPool((2,), (1,)), Conv(2, (2,), FIFTH, bias="tied"),
                         Dense(2, FIFTH, skip=True)]), np.array([[0.0, 1, 0, 0], [0, 0, 0, 1]])),
    "behind one-to-one maps": (
        Network(4, [Reshape((1, 4)), Conv(2, (3,), FIFTH, bias="tied"), Dense(2, FIFTH, skip=True)], output_bias=True),
        np.array([[0.0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]])),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUE)
def test_what_is_true_is_proved(name):
    network, x = TRUE[name]
    found, rng = prove_given_data(network, x), np.random.default_rng(5)
    assert found.proved and not prove_every_data_set(network, len(x)).proved, found.reason
    assert max(exact_rank(network, weights(rng, network), x) for _ in range(3)) == len(x)
    assert sum(len(part.entries) for part in found.units) == len(x) - network.output_bias


def test_reasons_say_what_is_missing(monkeypatch):
    few = prove_given_data(Network(2, Dense(1, FIFTH, skip=True)), MIRRORED)
    assert few.reason == "1 skip unit with weights of their own, 2 are needed"
    blind = prove_given_data(*FALSE["equal samples"])
    assert blind.reason.startswith("0 skip units with weights of their own read what tells all samples apart")
    cubes = prove_given_data(Network(1, Dense(6, "cubic", skip=True)), np.arange(6.0)[:, None])
    assert "cubic is not proved to be no polynomial of degree <= N - 2 = 4" in cubes.reason
    monkeypatch.setattr(given_data, "MAX_COMPARED", 3)
    assert "more than 3 numbers" in prove_given_data(Network(2, Dense(3, FIFTH, skip=True)), MIRRORED).reason


def test_units_come_from_below_and_as_few_as_are_needed():
    layers = [
        Dense(1, "tanh", skip=True),
        Add(inputs=("input", 0)),
        Dense(9, "tanh", inputs=("input",), skip=(1, 4, 5)),
    ]
    network = Network(1, layers)
    found = prove_given_data(network, np.array([[0.0], [1.0], [3.0]]))
    assert [len(part.entries) for part in found.units] == [1, 2] and found.units[1].entries == (1, 4)
    assert isinstance(found.units[0], ShownUnits) and NOWHERE < 0
