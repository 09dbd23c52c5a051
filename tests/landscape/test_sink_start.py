"""S and its relatives for given problems: verdicts, what they rest on, and the certificate."""

from __future__ import annotations

import json

import numpy as np
import pytest

import verifier as vf
from verifier.landscape.sink_start import prove_sink_start

Dense = vf.Dense
X = [[1.0, 0.0], [2.0, 1.0], [3.0, 1.0], [-1.0, 2.0]]
Y = [0, 1, 0, 1]
WIDE = vf.Network(2, Dense(5, "relu", skip=True))
DEEP = vf.Network(2, [Dense(2, "relu"), Dense(4, "relu", skip=True)])


def dead(network, **values):
    """A start at which all skip units are 0 on all samples: their weights are 0, their biases -1."""
    u = np.zeros(network.parameter_count)
    for name, view in network.views(u).items():
        view[...] = values.get(name.replace(".", "_"), -1.0 if name.endswith("bias") else 0.0)
    return u


def verdicts(report):
    return {label: str(report.verdict(label)) for label in ("S", "S(1)", "S(2)", "S+", "W0")}


def test_a_relu_layer_over_the_input_at_a_dead_start(tmp_path):
    report = vf.verify(X, Y, WIDE, u=dead(WIDE))
    assert verdicts(report) == {"S": "PROVED", "S(1)": "PROVED", "S(2)": "PROVED", "S+": "PROVED", "W0": "None"}
    file = report.write(tmp_path / "c.json")
    assert {"S(1)", "S+"} <= {claim["label"] for claim in json.loads(file.read_text())["claims"]}
    assert vf.check(file).accepted


def test_two_relu_layers_depend_on_what_the_lower_one_tells_apart(tmp_path):
    alive = dead(DEEP, layer0_weight=np.array([[1.0, 0.25], [0.0, 1.0]]), layer0_bias=np.array([2.0, 0.0]))
    report = vf.verify(X, Y, DEEP, u=alive)
    assert verdicts(report) == {"S": "PROVED", "S(1)": "None", "S(2)": "None", "S+": "None", "W0": "None"}
    file = report.write(tmp_path / "c.json")
    assert [c["label"] for c in json.loads(file.read_text())["claims"]].count("S") == 1 and vf.check(file).accepted
    blind = dead(DEEP, layer0_weight=np.array([[1.0, 0.0], [1.0, 0.0]]), layer0_bias=np.array([-1.5, -1.5]))
    report = vf.verify(X, Y, DEEP, u=blind)
    assert str(report.verdict("S")) == "UNDECIDED"
    (reason,) = (step.reason for step in report.theorem.steps if step.label == "S")
    assert "samples 0 and 3 are not proved to differ" in reason and "leaky" in reason


def test_both_engines_tell_the_same_samples_apart():
    alive = dead(DEEP, layer0_weight=np.eye(2), layer0_bias=np.array([2.0, 0.0]))
    for engine in ("binary64", "arb"):
        report = vf.verify(X, Y, DEEP, u=alive, engine=engine)
        assert str(report.verdict("S")) == "PROVED"
    near = [[1.0, 0.0], [1.0 + 2.0**-50, 0.0], [3.0, 1.0], [-1.0, 2.0]]  # below what binary64 tells apart
    assert str(vf.verify(near, Y, DEEP, u=alive).verdict("S")) == "PROVED"


def test_where_it_does_not_apply():
    tanh = vf.Network(2, [Dense(5, "relu", skip=True), Dense(1, "tanh", skip=True)])
    assert set(verdicts(vf.verify(X, Y, tanh, u=dead(tanh))).values()) == {"None"}
    few = vf.Network(2, Dense(3, "relu", skip=True))
    assert set(verdicts(vf.verify(X, Y, few)).values()) == {"None"}
    equal = vf.verify([*X[:3], X[0]], [0, 1, 0, 0], WIDE, offset=np.arange(8.0).reshape(4, 2))  # not grouped beside K
    assert set(verdicts(equal).values()) == {"None"}
    arcs = np.ones((5, 2))
    arcs[0, 0] = 0
    assert set(verdicts(vf.verify(X, Y, WIDE, arcs=arcs)).values()) <= {"None", "UNDECIDED"}


def test_equal_samples_that_are_kept_are_no_distinct_ones():
    """The infimum of the loss is above that over all N x m arrays: nothing that rests on N distinct samples is said."""
    data = vf.dataset_from_arrays([*X[:3], X[0]], [0, 1, 0, 1])
    for name in ("relu", "tanh"):
        network = vf.Network(2, Dense(5, name, skip=True))
        u, v = vf.initialise(network, seed=0), vf.output_weights(network, 2)
        report = vf.prove(vf.Problem(data, network, u, v, duplicates="keep"))
        assert not {str(report.verdict(label)) for label in ("A", "S(1)", "S", "T3.4(2)", "TC.3", "I")} & {"PROVED"}


def test_conflicting_labels_real_targets_frozen_logits_and_one_logit():
    conflicting = vf.verify([*X, X[0]], [*Y, 1], WIDE, u=dead(WIDE))
    assert str(conflicting.verdict("S(1)")) == str(conflicting.verdict("S")) == "PROVED"
    regression = vf.verify(X, np.array([[0.5], [1.0], [2.0], [-1.0]]), WIDE, u=dead(WIDE), regression=True)
    assert str(regression.verdict("S+")) == str(regression.verdict("S")) == "PROVED"
    frozen = vf.verify(X, Y, WIDE, u=dead(WIDE), offset=np.ones((4, 2)))
    assert str(frozen.verdict("S(1)")) == "PROVED"
    one = vf.verify(X, Y, WIDE, u=dead(WIDE), v=np.ones((5, 1)))
    assert str(one.verdict("S+")) == "PROVED"


def test_full_rank_at_the_start_leaves_nothing_to_tell_apart():
    network = vf.Network(2, [Dense(6, "relu"), Dense(40, "relu", skip=True)])
    report = vf.verify(X, Y, network)
    assert str(report.verdict("rank")) == "PROVED" and str(report.verdict("S")) == "PROVED"
    assert report.theorem.sink_start is None


@pytest.mark.parametrize("seed", range(3))
def test_the_integers_tell_the_samples_apart(seed):
    rng = np.random.default_rng(seed)
    x, u = rng.integers(-4, 5, (5, 2)).astype(float), rng.integers(-2, 3, DEEP.parameter_count).astype(float)
    x = np.unique(x, axis=0)[:4]
    found = prove_sink_start(DEEP, u, vf.FeatureEnclosure(DEEP, u, x, 64), seed=seed)
    views = DEEP.views(u)
    h = np.maximum(0, x @ views["layer0.weight"].T + views["layer0.bias"]).astype(int)
    assert not found.proved or len(set((h @ found.direction).tolist())) == len(x)
    assert found.proved is (len(np.unique(h, axis=0)) == len(x))
