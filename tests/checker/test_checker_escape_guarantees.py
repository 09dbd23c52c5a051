"""What the checker says of escapes: true ones, tampered ones, its own segments."""

from __future__ import annotations

import functools
import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from certificate import test_tamper_escape as tampering
from checker_graph import as_graph
from flint import arb
from planted import (
    random_parameters,
    seeds,
)
from planted_problems import checked, inside_float, smooth_network

from verifier.checker import certificate as checker
from verifier.checker import common
from verifier.checker.constant_loss import columns_at_rest
from verifier.checker.escape import changes
from verifier.checker.layered import layered
from verifier.checker.segment import Segment
from verifier.network import layers, network
from verifier.network.forward import approx_features
from verifier.network.initialise import initialise


def test_escapes_are_accepted():
    """What the prover emits from a start of each kind the checker accepts."""
    for name, label in (("start-trained-clone", "E2"), ("start-duplicate-square", "E1"), ("start-gateway", "E3")):
        builder = tampering.builder_at(tampering.start(name))
        builder.add_escape(tampering.escape(name, label))
        verdict = checked(builder)
        assert verdict.verdict == "ACCEPTED", verdict.rejection


@functools.cache
def _tampered():
    folder = Path(tempfile.mkdtemp())
    originals = tampering.write_escapes(folder)
    spoilt = {
        name: tampering.tampered(originals[source], folder / f"t{k}.json", change)
        for k, (name, (source, change, _)) in enumerate(tampering.TAMPERED.items())
    }
    return originals, spoilt


@pytest.mark.thorough
def test_tampered_escapes_are_rejected():
    """The checker, in this process: originals pass, every tampered certificate is rejected by one of its rules.

    Every day `certificate.test_tamper_escape` asks the same of the checker in a process of its own; mutants need this.
    """
    originals, spoilt = _tampered()
    for name, file in originals.items():
        found = checker.check_file(str(file), 1)
        assert found.verdict == "ACCEPTED", (name, found.rejection)
    for name, file in spoilt.items():
        found = checker.check_file(str(file), 1)
        assert found.verdict == "REJECTED", name
        assert found.rejection.rule in tampering.TAMPERED[name][2].split("|"), (name, found.rejection.rule)


@seeds(3)
def test_segments_of_the_checker(rng):
    """The checker's values and derivatives at a ball of times, on a convolution, a pool and two sources."""
    network = smooth_network(rng)
    u = initialise(network, seed=int(rng.integers(99)), scale=0.5)
    end, x = u + 0.2 * rng.normal(size=u.shape), rng.normal(size=(3, 16))
    start, moved = (as_graph(network, point, x) for point in (u, end))
    with common.precision(80):
        middle, h = 0.3 + 0.4 * rng.random(), 1e-6
        rows = Segment(start, changes(start, moved)).rows([0, 1, 2], arb(middle, 0.05))
        for t in (middle - 0.05, middle, middle + 0.05):
            at, before, after = (approx_features(network, u + s * (end - u), x) for s in (t, t - h, t + h))
            for i, j in itertools.product(range(3), range(network.skip_count)):
                assert inside_float(rows[i][j].c[0], at[i, j], 1e-11)
                assert inside_float(rows[i][j].c[1], (after[i, j] - before[i, j]) / (2 * h), 1e-6)


@pytest.mark.parametrize("output_bias", [False, True])
def test_what_reads_a_moved_unit_does_not_rest(output_bias):
    """A unit whose own weights stay rests only if no unit that it reads, by a nonzero weight, moves."""
    blocks = (layers.Dense(2, "tanh"), layers.Dense(3, "tanh", skip=True))
    net = network.Network((1,), blocks, output_bias=output_bias)
    u = np.array([1, 2, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 5.0])
    end = u.copy()
    net.views(end)["layer0.weight"][0, 0] = 3.0
    before, after = (layered(as_graph(net, point, [[1.0]])) for point in (u, end))
    assert columns_at_rest(before, after) == [False, True, True] + [True] * output_bias
    assert columns_at_rest(before, before) == [True] * (3 + output_bias)


@seeds(10)
def test_padding_rests(rng):
    """The checker's resting units: of a padded layer that reads what moves, exactly those rest that do not see it."""
    length, k = int(rng.integers(1, 4)), int(rng.integers(2, 4))
    p = int(rng.integers(1, k))
    net = network.Network(
        (1, length),
        (layers.Conv(1, (1,), "tanh"), layers.Conv(1, (k,), "tanh", inputs=(0,), padding=p, skip=True)),
    )
    u = random_parameters(rng, net)
    end = u.copy()
    move = int(rng.integers(length))
    net.views(end)["layer0.bias"][0, move] += 1.0
    reads = [[j - p + i for i in range(k)] for j in range(length + 2 * p - k + 1)]
    before, after = (layered(as_graph(net, point, np.zeros((2, net.dimension)))) for point in (u, end))
    assert columns_at_rest(before, after) == [move not in r for r in reads]
