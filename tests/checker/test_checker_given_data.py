"""The checker's rules A.data and I: the corpus, and what the prover finds by code of its own."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from checker_graph import as_graph
from planted import seeds

import verifier as vf
from verifier.checker.apart import Apart
from verifier.checker.certificate import check_file
from verifier.checker.common import Rejection
from verifier.checker.scaled import Reading
from verifier.network import nodes as kinds
from verifier.network.blocks import Add, Masked, Scale, Select
from verifier.network.builder import Builder
from verifier.network.input_maps import input_maps
from verifier.network.layers import AvgPool
from verifier.network.network import Network
from verifier.network.nodes import Window
from verifier.rank.given_data import GivenData, ShownUnits, prove_given_data
from verifier.rank.separation import INCOMPARABLE, NOWHERE, Separation
from verifier.statements.smooth_activations import analytic

CORPUS = Path(__file__).parent.parent / "certificates"
ENTRIES = json.loads((CORPUS / "index.json").read_text(encoding="utf-8"))["certificates"]


def test_the_corpus_of_given_and_scaled_samples():
    for entry in (entry for entry in ENTRIES if {"A.data", "I"} & set(entry["labels"])):
        found = check_file(str(CORPUS / entry["file"]), 1)
        rule = None if found.rejection is None else found.rejection.rule
        assert (found.verdict, rule) == (entry["verdict"], entry["rule"]), entry["file"]


class Drawn:
    """A network node by node: filters, dense units, averages, maps of entries; parameters are shared at times."""

    def __init__(self, rng):
        self.rng, self.build = rng, Builder((int(rng.integers(1, 3)), int(rng.integers(2, 5))))

    def one(self, *values):
        return values[int(self.rng.integers(len(values)))]

    def parameter(self, shape):
        known = [at for at in self.build.names.values() if self.build.shapes[at] == shape]
        if known and self.rng.random() < 0.25:
            return self.one(*known)
        return self.build.parameter(f"p{len(self.build.nodes)}", shape, 1)

    def constant(self, shape):
        return self.build.constant(self.rng.integers(-1, 3, shape).astype(float))

    def window(self, length):
        size = int(self.rng.integers(1, min(3, length) + 1))
        return Window((size,), (int(self.rng.integers(1, 3)),), (self.one(0, size - 1),), (1,))

    def units(self, node, over, weight, biases):
        bias = (self.parameter(biases),) if self.rng.random() < 0.9 else ()
        inner = self.build.add(kinds.Affine((node, weight, *bias), over, bool(bias)))
        names = ("tanh", "tanh", "cubic", "identity", "0*t + 1", "relu")
        return self.build.add(kinds.Map((inner,), vf.activation(self.one(*names))))

    def step(self, node):
        build, shape = self.build, self.build.shapes[node]
        channels, length = shape[0], shape[-1]
        kind = int(self.one(*[0] * 6, *[5] * 4, *range(4, 16)))
        if kind <= 3:
            window = self.window(length)
            biases = self.one((2,), (2, *window.positions([shape], "")))
            return self.units(node, window, self.parameter((2, channels, *window.kernel)), biases)
        if kind == 4:
            return self.units(node, "last", self.parameter((2, length)), self.one((2,), (channels, 2)))
        if kind <= 7:
            return build.add(kinds.Pool((node,), self.one("mean", "mean", "max"), self.window(length)))
        if kind == 8:
            total = build.add(kinds.Reduce((node,), self.one("sum", "mean"), 1))
            return build.add(kinds.Reshape((total,), (1, channels)))
        if kind == 9:
            factors = [self.constant(self.one((length,), (channels, 1), shape)) for _ in range(self.one(1, 2))]
            return build.add(kinds.Multiply((node, *factors)))
        if kind == 10:
            return build.add(
                kinds.Add(self.one((node, self.constant((length,))), (node, node), (node, self.parameter(shape))))
            )
        if kind == 11:
            root = build.add(kinds.InverseRoot((build.constant(self.rng.integers(1, 4, (channels, 1)).astype(float)),)))
            return build.add(kinds.Multiply((node, self.one(root, root, node, self.parameter(shape)))))
        if kind == 12:
            taken = tuple(self.rng.integers(0, length, 2).tolist())
            return build.add(self.one(kinds.Permute((node,), (1, 0)), kinds.Take((node,), 1, taken)))
        if kind == 13:
            one = build.add(kinds.Take((node,), 0, (channels - 1,)))
            return build.add(kinds.Expand((one,), (2, length)))
        if kind == 14:
            return build.add(kinds.Permute((node,), (1, 0)))
        if kind == 15 and self.rng.random() < 0.3:
            return build.add(kinds.Map((node,), vf.activation("square")))
        alike = [at for at in range(node + 1) if build.shapes[at] == shape]
        more = self.one(*alike, self.constant(shape))
        return build.add(self.one(kinds.Concatenate((node, more), 0), kinds.Scale((node,), Fraction(-1, 3))))


def network_of(rng):
    """Some nodes one after the other, and units that read the last of them."""
    drawn, node = Drawn(rng), 0
    for _ in range(int(rng.integers(3, 9))):
        node = drawn.step(node)
    size = int(np.prod(drawn.build.shapes[node]))
    last = drawn.build.affine([node], 4, "own") if size else 0
    drawn.build.feature(drawn.build.map(last, vf.activation(drawn.one("tanh", "cubic"))))
    return Network.of(drawn.build.nodes, drawn.build.features)


@seeds(100)
def test_prover_and_checker_tell_the_same_apart(rng, tmp_path):
    network = network_of(rng)
    x = np.unique(rng.integers(0, 3, (4, network.dimension)).astype(float), axis=0)
    mine, theirs = Separation(network, x), Apart(as_graph(network, np.ones(network.parameter_count), x))
    for node, entries in theirs.entries.items():
        told = mine.classes(node)
        names = [(int(told.family[at]), entry.family) for at, entry in enumerate(entries)]
        assert len(set(names)) == len({a for a, _ in names}) == len({b for _, b in names})
        pairs = []
        for at, entry in enumerate(entries):
            both = zip(mine.columns[int(told.column[at])].tolist(), entry.column, strict=True)
            pairs += [((names[at], a), (names[at], b)) for a, b in both]
            assert (told.zero[at] == NOWHERE) == (entry.zero == NOWHERE)
            assert (told.zero[at] == INCOMPARABLE) == (entry.zero is None)
        assert len(set(pairs)) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    found = prove_given_data(network, x)
    if found.proved and analytic(network)[0] is vf.Verdict.PROVED:
        data = vf.dataset_from_arrays(x, [0] * (len(x) - 1) + [1], scale="none")
        builder = vf.CertificateBuilder(data, network, None)
        builder.add_given_data(found)
        assert check_file(str(builder.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"
        *others, last = found.units
        fewer = [*others, *([ShownUnits(last.node, last.entries[1:])] if last.entries[1:] else [])]
        builder = vf.CertificateBuilder(data, network, None)
        builder.add_given_data(GivenData(vf.Verdict.PROVED, "", tuple(fewer)))
        assert check_file(str(builder.write(tmp_path / "d.json")), 1).rejection.rule == "A.data.units"


READ = [
    Network(3, vf.Dense(2, "tanh", skip=True)),
    Network((2, 4), vf.Conv(2, (2,), "tanh", bias="tied", skip=True)),
    Network((2, 4), vf.Conv(2, (2,), "relu", padding=1, skip=True)),
    Network((2, 4), [AvgPool((2,)), vf.Dense(3, "tanh", skip=True)]),
    Network(3, [Scale(0.5), vf.Dense(3, "tanh", skip=True)]),
    Network(3, [vf.Dense(3, "tanh"), Add(inputs=("input", 0)), vf.Dense(3, "tanh", skip=True)]),
    Network(3, [vf.Dense(3, "tanh"), vf.Dense(4, "tanh", inputs=("input", 0), skip=True)]),
    Network(3, vf.Dense(2, "tanh", skip=True), frozen={"layer0.weight": np.ones((2, 3))}),
    Network(3, vf.Dense(2, "tanh", skip=True), frozen={"layer0.bias": np.ones(2)}),
    Network(3, Masked(2, "tanh", mask=((1, 0, 1), (0, 1, 1)), skip=True)),
    Network(3, [Select((0,), axis=0), vf.Dense(2, "tanh", skip=True)]),
    Network(2, [vf.Dense(2, "tanh", name="a"), vf.Dense(2, "tanh", name="a"), vf.Dense(4, "tanh", skip=True)]),
]


def read_by(make, shape=(2, 3), units=2):
    """A network whose first units read what ``make`` makes of the input, perhaps with weights that it makes."""
    build = Builder(shape)
    found = make(build)
    node, weight = found if isinstance(found, tuple) else (found, None)
    fan_in = int(np.prod(build.shapes[node]))
    weight = build.parameter("w", (units, fan_in), 1) if weight is None else weight
    inner = build.add(kinds.Affine((node, weight, build.parameter("b", (units,))), "all", True))
    build.feature(build.map(inner, vf.activation("tanh")))
    return Network.of(build.nodes, build.features)


def pool(how, padding):
    return lambda b: b.add(kinds.Pool((0,), how, Window((2,), (1,), (padding,), (1,))))


def weights_times(shape, *constants):
    """The input, and a product of a parameter of this shape with constants as weights (2, 6)."""

    def make(build):
        factors = [build.constant(np.array(values).reshape(-1, 6)) for values in constants]
        return 0, build.add(kinds.Multiply((build.parameter("v", shape, 1), *factors)))

    return make


def along_the_last_axis():
    build = Builder((2, 3))
    inner = (0, build.parameter("w", (2, 3), 1), build.parameter("b", (2,)))
    build.feature(build.map(build.add(kinds.Affine(inner, "last", True)), vf.activation("tanh")))
    return Network.of(build.nodes, build.features)


def weights_that_are_biases():
    build = Builder((1,))
    w = build.parameter("w", (2,))
    build.feature(build.add(kinds.Affine((0, w, w), "all", True)))
    return Network.of(build.nodes, build.features)


def masked_weights_shown():
    build = Builder((1,))
    masked = build.add(kinds.Multiply((build.parameter("v", (2, 1), 1), build.constant([[1.0], [0.0]]))))
    build.feature(masked)
    build.feature(build.add(kinds.Affine((0, masked, build.parameter("b", (2,))), "all", True)))
    return Network.of(build.nodes, build.features)


def built(make, shape=(1, 4)):
    """A network whose last node, or what ``make`` returns, is shown."""
    build = Builder(shape)
    shown = make(build)
    for node in shown if isinstance(shown, tuple) else (len(build.nodes) - 1,):
        build.feature(node)
    return Network.of(build.nodes, build.features)


def padded(build, node):
    over = Window((2,), (1,), (1,), (1,))
    return build.add(kinds.Affine((node, build.parameter("w", (1, 1, 2), 1), build.parameter("b", (1,))), over, True))


def shifted_scaled_padded(build):
    """A factor after a shift keeps the shift."""
    return padded(
        build, build.add(kinds.Multiply((build.add(kinds.Add((0, build.constant([1.0])))), build.constant([2.0]))))
    )


def filters_then_units(build):
    over = Window((2,), (1,), (0,), (1,))
    build.add(kinds.Affine((0, build.parameter("w", (1, 1, 2), 1), build.parameter("b", (1,))), over, True))
    return build.affine([0], 2, "dense")


def weights_shown(build):
    node = build.affine([0], 2, "a")
    return build.names["a.weight"], node


def weights_of(make):
    """A network whose first weights are what ``make`` makes of a parameter (2, 4)."""

    def whole(build):
        v = build.parameter("v", (2, 4), 1)
        weight = make(build, v)
        inner = build.add(kinds.Affine((0, weight, build.parameter("b", (2,))), "all", True))
        return build.map(inner, vf.activation("tanh"))

    return built(whole)


def mask(build):
    return build.constant(np.array([[1.0, 0, 1, 1], [0, 1, 1, 1]]))


def masked_twice_read(build, v):
    weight = build.add(kinds.Multiply((v, mask(build))))
    build.add(kinds.Affine((0, weight, build.parameter("a", (2,))), "all", True))
    return weight


def biases_read_as_sources(build):
    b = build.parameter("b", (2,))
    return build.add(kinds.Affine((0, b, build.parameter("w", (2, 6), 1), b), "all", True))


READ += [
    built(shifted_scaled_padded),
    built(filters_then_units),
    built(weights_shown),
    built(biases_read_as_sources),
    weights_of(lambda b, v: b.add(kinds.Multiply((v, mask(b))))),
    weights_of(lambda b, v: b.add(kinds.Multiply((v, b.map(b.parameter("g", (2, 4)), vf.activation("tanh")))))),
    weights_of(lambda b, v: b.add(kinds.Multiply((v, b.add(kinds.Scale((v,), Fraction(2))))))),
    weights_of(lambda b, v: b.add(kinds.Add((v, mask(b))))),
    weights_of(masked_twice_read),
    weights_of(lambda b, v: (b.add(kinds.Scale((v,), Fraction(2))), b.add(kinds.Multiply((v, mask(b)))))[1]),
    read_by(lambda b: b.add(kinds.Multiply((0, b.add(kinds.Scale((b.constant([1.0, 2.0, 3.0]),), Fraction(2))))))),
]
READ += [
    along_the_last_axis(),
    weights_that_are_biases(),
    masked_weights_shown(),
    *map(read_by, (pool("max", 0), pool("mean", 1), pool("mean", 0))),
    read_by(lambda b: b.add(kinds.Permute((0,), (1, 0)))),
    read_by(lambda b: b.add(kinds.Take((0,), 1, (0, 2)))),
    read_by(lambda b: b.add(kinds.Take((0,), 1, (0, 2, 1)))),
    read_by(lambda b: b.add(kinds.Concatenate((0, 0), 0))),
    read_by(lambda b: b.add(kinds.Multiply((0, 0)))),
    read_by(lambda b: b.add(kinds.Add((0, 0)))),
    read_by(lambda b: b.add(kinds.Multiply((0, b.parameter("g", (3,)))))),
    read_by(lambda b: b.add(kinds.Add((0, b.parameter("g", (3,)))))),
    read_by(lambda b: b.add(kinds.Multiply((0, b.constant([1.0, 2.0, 0.0]))))),
    read_by(lambda b: b.add(kinds.Multiply((0, b.constant([1.0, 2.0, 3.0]))))),
    read_by(lambda b: b.add(kinds.Multiply((0, b.add(kinds.InverseRoot((b.constant([1.0, 2.0, 3.0]),))))))),
    read_by(weights_times((2, 6), [1.0, 0, 0, 1, 1, 1] * 2)),
    read_by(weights_times((2, 1), [1.0, 0, 0, 1, 1, 1] * 2)),
    read_by(weights_times((2, 6), [1.0] * 6, [2.0] * 6)),
]


@pytest.mark.parametrize("network", READ, ids=range(len(READ)))
def test_prover_and_checker_see_the_same_maps(network):
    graph = as_graph(network, np.ones(network.parameter_count), np.ones((1, network.dimension)))
    found = input_maps(network)
    if found.obstacle:
        with pytest.raises(Rejection, match=r"I\.input"):
            Reading(graph, "")
        return
    seen = Reading(graph, "")
    assert (seen.matrix, seen.groups(), seen.shift) == (found.matrix, found.groups, found.shift)


SAID = {
    "scaled": "samples D x + c, D any invertible matrix and c any vector: ",
    "scaled-beside-frozen-biases": "samples D x, D any invertible matrix: ",
    "scaled-channels": "samples D x + c, with one factor, not 0, and one shift for each group of ",
    "scaled-beside-padding": "samples D x, with one factor, not 0, for each group of ",
    "scaled-behind-maps": "samples D x + c, with one factor, not 0, and one shift for each group of ",
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_of_scaled_samples(name):
    *_, found = check_file(str(CORPUS / "accepted" / f"{name}.json"), 1).claims
    assert found["label"] == "I" and SAID[name] in found["statement"]
