"""A3.1: activations, units and patches, against enumerations."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
from planted import (
    dense,
    seeds,
    shuffled_dag,
)
from planted_problems import data_of, one_pixel

from verifier.data import grouping
from verifier.network import layers, network
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.sigma.activations import activation
from verifier.statements import assumption as hypotheses
from verifier.verdict import Verdict


@seeds(20)
def test_padded_patches(rng):
    """A3.1(3) with padding, against an enumeration of padded patches by fractions."""
    tanh = activation("tanh")
    for _ in range(8):
        length, p = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        k, s = int(rng.integers(p + 1, length + 2 * p + 1)), int(rng.integers(1, 3))
        net = network.Network((2, length), layers.Conv(1, (k,), tanh, (s,), padding=p, skip=True))
        x = rng.integers(0, 3, (int(rng.integers(2, 5)), net.dimension)) / 2.0
        wide = np.pad(x.reshape(len(x), 2, length), ((0, 0), (0, 0), (p, p)))
        seen = [[tuple(row[:, at : at + k].ravel()) for row in wide] for at in range(0, length + 2 * p - k + 1, s)]
        equal = {position for position, patches in enumerate(seen) if len(set(patches)) < len(patches)}
        found = hypotheses.distinct_patches(net, data_of(x))
        assert found.verdict is (Verdict.REFUTED if equal else Verdict.PROVED), (net.summary(), x)
        if found.evidence is not None:
            i, j = found.evidence.samples
            assert (
                found.evidence.position in equal
                and seen[found.evidence.position][i] == seen[found.evidence.position][j]
            )
            assert all(0 <= c < net.dimension for c in found.evidence.coordinates)


def test_patches_beside_other_layers():
    """A kernel of length 1 sees less of the input than the padded layer beside it: equal patches are undecided."""
    tanh = activation("tanh")
    first = layers.Conv(1, (3,), tanh, padding=1)
    mixed = layers.Conv(1, (1,), tanh, inputs=("input", 0), skip=True)
    net = network.Network((1, 3), (first, mixed))
    x = np.array([[0.0, 1.0, 2.0], [0.0, 3.0, 1.0], [2.0, 0.0, 5.0]])
    found = hypotheses.distinct_patches(net, data_of(x))
    assert found.verdict is Verdict.UNDECIDED and "samples 0 and 1 show layer 1" in found.reason
    assert hypotheses.distinct_patches(net, data_of(x + np.array([[0.0], [4.0], [20.0]]))).verdict is Verdict.PROVED
    alone = layers.Conv(1, (1,), tanh, inputs="input", skip=True)
    for order in ((first, mixed, alone), (first, alone, mixed)):
        assert hypotheses.distinct_patches(network.Network((1, 3), order), data_of(x)).verdict is Verdict.REFUTED


def test_padded_selection():
    """A3.1(2): a place in the padding is no source, so that no free path leads through it."""
    plus = activation("softplus")

    def verdict(skip, unit):
        net = network.Network(
            (1, 2),
            (
                layers.Conv(1, (1,), plus),
                layers.AvgPool((1,), inputs=(0,), skip=(skip,)),
                layers.Conv(1, (2,), plus, inputs=(0,), padding=1, skip=(unit,)),
            ),
        )
        return hypotheses.suitable_units(net, 1).verdict

    assert all(verdict(0, unit) is Verdict.PROVED for unit in range(3))
    # an inner layer of two positions, of which a pool as skip unit blocks the first: unit 0 reads only that one
    pool = layers.AvgPool((1,), skip=(0,))
    chain = (layers.Conv(1, (1,), plus), pool, layers.Conv(1, (2,), plus, inputs=(1,), padding=1, skip=(0,)))
    refuted = hypotheses.suitable_units(network.Network((1, 2), chain), 1)
    assert refuted.verdict is Verdict.REFUTED, refuted.reason
    other = (*chain[:2], layers.Conv(1, (2,), plus, inputs=(1,), padding=1, skip=(1,)))
    assert hypotheses.suitable_units(network.Network((1, 2), other), 1).verdict is Verdict.UNDECIDED


def test_activations():
    """A3.1(1) on the catalogue, against a list made by hand."""
    good = {"sigmoid", "tanh", "softplus", "arctan", "erf", "algebraic", "identity", "exp", "cubic"}
    words = {"relu": "analytic", "elu": "analytic", "leaky_relu": "analytic", "hard_tanh": "analytic"}
    words |= {name: "increasing" for name in ("sin", "gelu", "silu", "square")}
    for name in (*good, *words):
        found = hypotheses.increasing_activations(dense([2, 2], ["sigmoid", name], 1))
        assert found.verdict is (Verdict.PROVED if name in good else Verdict.REFUTED), name
        assert name in good or (name in found.reason and words[name] in found.reason and "layer 1" in found.reason)
        assert {e.name: e.layers for e in found.evidence} == ({"sigmoid": (0, 1)} if name == "sigmoid" else
                                                              {"sigmoid": (0,), name: (1,)})  # fmt: skip
    unknown = hypotheses.increasing_activations(dense([1], ["tanh(t) + t*exp(-t**2)/9"], 1))
    assert unknown.verdict is Verdict.UNDECIDED and "increasing" in unknown.reason
    assert hypotheses.analytic(dense([1, 1], ["gelu", "tanh"], 1))[0] is Verdict.PROVED
    assert hypotheses.analytic(dense([1, 1], ["tanh", "relu"], 1))[0] is Verdict.REFUTED


def brute_selection(net, kind):
    """The largest set of skip units of one kind with pairwise unshared weights, by search over all paths and sets."""
    skip = {(layer, unit) for layer, units in net.skip_units for unit in units}

    def family(layer, unit):
        return layer, unit // math.prod(net.shapes[layer][1:])

    carriers = {family(*unit) for unit in skip if not isinstance(net.layers[unit[0]], AvgPool)}

    def sources(layer, unit):
        """What a unit reads, by its definition, as (layer, unit) or "input"."""
        what, flat = net.layers[layer], []
        for s in net.sources[layer]:
            shape = net.input_shape if s == "input" else net.shapes[s]
            flat.append((s, shape, list(itertools.product(*map(range, shape)))))
        if isinstance(what, Dense):
            return [(s, k) for s, _, cells in flat for k in range(len(cells))]
        a, *p = list(itertools.product(*map(range, net.shapes[layer])))[unit]
        read = []
        for s, shape, cells in flat:
            channels = [a] if isinstance(what, AvgPool) else range(shape[0])
            for c, q in itertools.product(channels, itertools.product(*map(range, what.kernel))):
                cell = (c, *(i * step + o for i, step, o in zip(p, what.steps, q, strict=True)))
                read.append((s, cells.index(cell)))
        return read

    def free_path(layer, unit):
        read = sources(layer, unit)
        if any(s == "input" for s, _ in read):
            return True
        return any(
            not isinstance(net.layers[s], AvgPool) and family(s, k) not in carriers and free_path(s, k) for s, k in read
        )

    def eligible(layer, unit):
        if isinstance(net.layers[layer], AvgPool):
            return False
        name = net.layers[layer].activation.name
        return name == "sigmoid" if kind == "a" else name.startswith("softplus") and free_path(layer, unit)

    return len({family(*unit) for unit in skip if eligible(*unit)})


def random_skips(rng):
    """A small network of sigmoid, softplus and tanh layers with random skip units."""

    def some(count):
        chosen = sorted(set(rng.integers(0, count, 2).tolist()))
        return [False, True, tuple(chosen)][int(rng.integers(3))]

    def pick():
        return activation(str(rng.choice(["sigmoid", "softplus", "softplus", "softplus(3)", "tanh"])))

    layers = (
        Conv(2, (2,), pick(), skip=some(6), bias=str(rng.choice(["tied", "per-unit"]))),
        Conv(2, (2,), pick(), inputs=(0,), skip=some(4)),
        AvgPool((2,), inputs=(int(rng.integers(2)),), skip=some(2)),
        Dense(2, pick(), inputs=((1,), (2,), (1, 2), (0,))[int(rng.integers(4))], skip=some(2)),
        Dense(3, pick(), inputs=((3,), (2, 3), ("input", 3))[int(rng.integers(3))], skip=True),
    )
    return Network((1, 4), layers)


@seeds(10)
def test_unit_selection(rng):
    """The counts of (a) and (b) are the largest selections, found by searching paths; PROVED means N of one kind."""
    for _ in range(12):
        net = random_skips(rng)
        counts = brute_selection(net, "a"), brute_selection(net, "b")
        for samples in range(1, 8):
            found = hypotheses.suitable_units(net, samples)
            assert (found.evidence.bounded, found.evidence.softplus) == counts, net.summary()
            assert (found.verdict is Verdict.PROVED) == (max(counts) >= samples)
            assert found.verdict is not Verdict.REFUTED or sum(counts) < samples
            chosen = found.evidence.selected
            assert len(chosen) == (samples if found.verdict is Verdict.PROVED else 0)
            families = {(layer, unit // math.prod(net.shapes[layer][1:])) for layer, unit in chosen}
            assert len(families) == len(chosen)
            assert set(chosen) <= {(layer, unit) for layer, units in net.skip_units for unit in units}
            assert len({net.layers[layer].activation.name == "sigmoid" for layer, _ in chosen}) <= 1
            assert tuple(map(sum, zip(*found.evidence.layers, strict=True)))[1:] == counts


def test_unit_readings():
    """What is refuted, and what depends on the reading, each with its reason."""

    def verdict(net, samples):
        found = hypotheses.suitable_units(net, samples)
        return found.verdict, found.reason

    refuted, reason = verdict(dense([4], ["tanh"], 2), 3)
    assert refuted is Verdict.REFUTED and "limit -1 at -oo" in reason
    assert verdict(dense([4], ["gelu"], 2), 3)[0] is Verdict.REFUTED  # gelu(t) - gelu(-t) = t, but not increasing
    assert verdict(dense([4], ["exp"], 2), 3)[0] is Verdict.REFUTED
    assert verdict(dense([4], ["sigmoid"], 2), 5)[0] is Verdict.REFUTED  # M < N
    assert verdict(dense([2, 2], ["softplus", "sigmoid"], 2, skip=(0, 1)), 3)[0] is Verdict.UNDECIDED  # mixed kinds
    assert verdict(dense([2, 2], ["softplus", "softplus"], 2, skip=(0, 1)), 3)[0] is Verdict.REFUTED  # paths blocked
    assert verdict(one_pixel("per-unit", "sigmoid"), 2)[0] is Verdict.UNDECIDED  # one filter, two biases
    tied, reason = verdict(one_pixel("tied", "sigmoid"), 2)
    assert tied is Verdict.REFUTED and "tied bias" in reason
    assert verdict(one_pixel("tied", "sigmoid", filters=2), 2)[0] is Verdict.PROVED
    pooled = (Conv(1, (1,), activation("softplus")), AvgPool((2,)), Dense(2, activation("softplus"), skip=True))
    assert verdict(Network((1, 2), pooled), 2)[0] is Verdict.UNDECIDED
    assert (
        verdict(Network((1, 2), (*pooled[:2], Dense(2, activation("softplus"), True, (0, 1)))), 2)[0] is Verdict.PROVED
    )
    first = Conv(1, (1,), activation("softplus"))
    half = (first, AvgPool((1,), skip=(0,)), Conv(2, (1,), activation("softplus"), skip=(1,)))
    assert verdict(Network((1, 2), half), 1)[0] is Verdict.UNDECIDED  # position 1 is free, position 0 is not
    assert (
        verdict(Network((1, 2), (*half[:2], Conv(2, (1,), activation("softplus"), skip=(2,)))), 1)[0] is Verdict.REFUTED
    )
    hidden = dense([2], ["log(exp(t/2) + exp(-t/2)) + t/2"], 1)  # softplus, not recognised
    assert verdict(hidden, 2)[0] is Verdict.UNDECIDED
    assert verdict(dense([2], ["2/(1 + exp(-3*t))"], 1), 2)[0] is Verdict.PROVED
    assert verdict(dense([2], ["1/(1 + exp(t))"], 1), 2)[0] is Verdict.REFUTED  # limit 1 at -oo


def brute_equal_patches(net, x):
    """Every (layer, unit position) at which two samples look equal, by multi-indices."""
    found = set()
    for index, layer in enumerate(net.layers):
        if "input" not in net.sources[index]:
            continue
        cells = list(itertools.product(*map(range, net.input_shape)))
        if isinstance(layer, Dense):
            windows = [range(len(cells))]
        else:
            spots = list(itertools.product(*map(range, net.shapes[index][1:])))
            channels = [[c] for c in range(net.input_shape[0])] if isinstance(layer, AvgPool) else [
                range(net.input_shape[0])]  # fmt: skip
            windows = [
                [
                    cells.index((c, *(i * s + o for i, s, o in zip(p, layer.steps, q, strict=True))))
                    for c in group
                    for q in itertools.product(*map(range, layer.kernel))
                ]
                for group in channels
                for p in spots
            ]
        for position, window in enumerate(windows):
            seen = [tuple(Fraction(row[k]) for k in window) for row in x.tolist()]
            if len(set(seen)) < len(seen):
                found.add((index, position))
    return found


@seeds(20)
def test_patches(rng):
    """A3.1(3) against an enumeration by fractions; the witness is a true pair, in the original numbering."""
    for _ in range(15):
        tanh, count = activation("tanh"), int(rng.integers(1, 6))
        mixed = Conv(1, (2,), tanh, inputs=(0, "input"), skip=True)
        net = shuffled_dag(rng, ["tanh"]) if rng.integers(3) else Network((2, 3), (Conv(1, (1,), tanh), mixed))
        x = rng.integers(0, 4, (count, net.dimension)) / 2.0
        if rng.integers(2):
            x = x + np.arange(count)[:, None] * (rng.random(net.dimension) < 0.8)
        x = x[rng.integers(0, count, count + 1)] if rng.integers(2) else x
        whole = data_of(x)
        groups = grouping.group_duplicates(whole)
        for given, rows in ((whole, x), (groups, groups.dataset.inputs)):
            equal = brute_equal_patches(net, rows)
            found = hypotheses.distinct_patches(net, given)
            assert found.verdict is (Verdict.REFUTED if equal else Verdict.PROVED), (net.summary(), rows)
            if found.evidence is not None:
                a, b = found.evidence.samples
                assert a < b and (found.evidence.layer, found.evidence.position) in equal
                assert (x[a] != x[b]).any() or given is whole
                columns = list(found.evidence.coordinates)
                assert x[a, columns].tolist() == x[b, columns].tolist()
                if given is groups:
                    assert groups.group_of[a] != groups.group_of[b]
                    assert all(groups.group_of[k] != groups.group_of[a] for k in range(a))
