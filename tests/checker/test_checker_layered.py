"""Layers found in the graph: the same functions as the graph's, and no layers where something is shared or frozen."""

from __future__ import annotations

import itertools
from fractions import Fraction as F
from random import Random

import pytest
from plain_graph import Graph
from test_checker_network import ACTIVATIONS, random_case, read
from test_checker_nodes import numbers

from verifier.checker.layered import INPUT, layered
from verifier.checker.structure import fractions


def plain(fraction):
    return F(int(fraction.p), int(fraction.q))


def rows_of(view):
    """Psi from the layers alone, by their definition, in Fractions."""
    found = []
    for sample in fractions(view.inputs):
        values, psi = {INPUT: list(map(plain, sample))}, []
        for layer in view.layers:
            row = [*itertools.chain(*(values[index] for index in layer.inputs)), F(0)]
            weights, biases = fractions(layer.weight), fractions(layer.bias)
            units = []
            for a, weight in enumerate(weights):
                for p, window in enumerate(layer.windows):
                    total = plain(biases[layer.bias.at(p)][a])
                    total += sum(plain(w) * row[index] for w, index in zip(weight, window, strict=True))
                    units.append(SIGMAS[layer.activation.text](total / layer.divisor))
            values[layer.number] = units
            psi += [units[unit] for unit in layer.skip]
        found.append(psi)
    return found


SIGMAS = ACTIVATIONS | {"t / 2 - t ** 3": ACTIVATIONS["t/2 - t**3"], "t ** 2": ACTIVATIONS["t**2"]}


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_layers_are_the_same_network(seed, padding):
    builder, inputs, document, truth = random_case(seed, padding)
    view = layered(read(builder, inputs, document))
    assert rows_of(view) == truth
    assert view.skip_units == len(truth[0]) and not view.output_bias
    for layer in view.layers:
        assert layer.kind == "avgpool" or layer.weight_node != layer.bias_node


def stack():
    """Two dense layers and an output bias."""
    g = Graph((3,), [[[1, 2, 3]], [[0, 1, 4]]])
    w, b = g.parameter(numbers(Random(1), 2, 3)), g.parameter(numbers(Random(2), 2))
    first = g.add("map", g.add("affine", 0, w, b, over="all", bias=True), activation="t**2")
    w2, b2 = g.parameter(numbers(Random(3), 2, 5)), g.parameter(numbers(Random(4), 2))
    second = g.add("map", g.add("affine", 0, first, w2, b2, over="all", bias=True), activation="t**2")
    return g, first, second, g.constant([2])


def test_an_output_bias_is_seen():
    g, first, second, one = stack()
    view = layered(g.read(first, (second, [1]), one))
    assert (view.output_bias, view.skip_units) == (True, 3)
    assert [layer.node for layer in view.layers] == [first, second]
    assert [list(layer.inputs) for layer in view.layers] == [[INPUT], [INPUT, 0]]
    assert [list(layer.skip) for layer in view.layers] == [[0, 1], [1]]
    assert rows_of(view) == [row[:-1] for row in (g.psi(sample) for sample in g.inputs)]


def changed(g, number, **fields):
    g.nodes[number] = {**g.nodes[number], **fields}


NOT_LAYERS = {
    "a node more": lambda g, f, s, one: g.add("scale", s, factor=["1", "1"]),
    "weights of two layers": lambda g, f, s, one: changed(g, s - 1, reads=[0, f, s - 3, 2]),
    "a weight that is its own bias": lambda g, f, s, one: changed(g, f - 1, reads=[1, 1, 2], over="all"),
    "frozen weights": lambda g, f, s, one: changed(g, 1, kind="constant"),
    "no bias": lambda g, f, s, one: changed(g, f - 1, reads=[0, 1], bias=False),
    "a unit reads twice": lambda g, f, s, one: changed(g, s - 1, reads=[f, f, f, s - 3, s - 2][-5:]),
    "a residual sum": lambda g, f, s, one: g.add("add", f, s),
    "the bias is 0": lambda g, f, s, one: (
        g.numbers.update({one: g.numbers[one] * 0}) or changed(g, one, values=g.builder.exact([0]))
    ),
    "the bias is read": lambda g, f, s, one: g.add("scale", one, factor=["1", "1"]),
}
FEATURES = {
    "layers in another order": lambda f, s, one: (s, f, one),
    "a layer twice": lambda f, s, one: (f, (s, [0]), (s, [1]), one),
    "pre-activations": lambda f, s, one: (f, s - 1, one),
    "the weights": lambda f, s, one: (f, s, 1, one),
    "the constant first": lambda f, s, one: (one, f, s),
    "the constant alone": lambda f, s, one: (one,),
    "the input": lambda f, s, one: (0, s, one),
    "a constant that is no feature": lambda f, s, one: (f, s),
}


@pytest.mark.parametrize("name", NOT_LAYERS)
def test_what_is_shared_frozen_or_more_is_no_stack_of_layers(name):
    g, first, second, one = stack()
    known = g.network(first, second, one)
    assert layered(g.read(network=known)) is not None
    NOT_LAYERS[name](g, first, second, one)
    try:
        network = g.read(network=g.network(first, second, one))
    except Exception:
        network = None  # it does not even fit
    assert network is None or layered(network) is None


@pytest.mark.parametrize("name", FEATURES)
def test_features_are_units_in_order(name):
    g, first, second, one = stack()
    assert layered(g.read(*FEATURES[name](first, second, one))) is None
