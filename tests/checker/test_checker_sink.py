"""The checker's rules S, S(1), S(2), S+: its corpus, and that it sees what the prover sees."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from checker_graph import as_graph
from planted import seeds

import verifier as vf
from verifier.checker.certificate import check_file
from verifier.checker.expression import parse
from verifier.checker.polynomial import no_polynomial
from verifier.checker.sink import branches, images, level_sets_are_null, separating
from verifier.data.unseen import Unseen
from verifier.network.blocks import Add, Flatten, LayerNorm, MaxPool, Scale
from verifier.network.network import Network
from verifier.rank.sink import Sink, SinkResult, images_of_the_input, prove_sink, separating_nodes
from verifier.sigma.level_sets import level_sets_are_null as prover_level_sets_are_null
from verifier.sigma.polynomials import excludes_polynomials

CORPUS = Path(__file__).parent.parent / "certificates"
ENTRIES = json.loads((CORPUS / "index.json").read_text(encoding="utf-8"))["certificates"]
OWN = [entry for entry in ENTRIES if {"S", "S(1)", "S(2)", "S+"} & set(entry["labels"])]
Dense, Conv = vf.Dense, vf.Conv


def test_the_corpus_of_paths_that_never_go_up():
    for entry in OWN:
        found = check_file(str(CORPUS / entry["file"]), 1)
        rule = None if found.rejection is None else found.rejection.rule
        assert (found.verdict, rule) == (entry["verdict"], entry["rule"]), entry["file"]


NULL = ["leaky_relu", "elu", "elu(3)", "selu", "celu(1/3)", "prelu(-2)", "abs", "silu", "gelu", "tanh", "t*abs(t)"]
NOT_NULL = ["relu", "relu6", "hard_tanh", "hard_swish", "softshrink", "squared_relu", "prelu(0)", "max(0,t)+max(0,-t)"]
NOT_NULL += [
    "t - t",
    "max(t, 2*t, 3*t)",
    "max(-2*t, t**2, min(0, t)**2)",
    "t/(1 + abs(t))",
    "abs(t) - max(t, -t)",
    "max(0, t) - abs(t)/2 - t/2",
]


@pytest.mark.parametrize(("name", "null"), [*((n, True) for n in NULL), *((n, False) for n in NOT_NULL)])
def test_level_sets_of_measure_zero(name, null):
    """None that is flat on an interval is accepted; some that are not flat are not followed either."""
    sigma = vf.activation(name)
    assert level_sets_are_null(parse(sigma.canonical, "").tree) is null
    assert prover_level_sets_are_null(sigma) is null


def test_branches_agree_on_which_function_is_the_larger():
    tree = parse("exp(Min(0, t)) + Max(0, t) - 1", "").tree
    assert len(list(branches(tree))) == 2
    nested = parse("Max(-1, Min(1, t)) + Abs(t - 3)", "").tree
    assert len(list(branches(nested))) <= 8
    deep = parse(" + ".join(f"Abs(t - {k})" for k in range(1, 12)), "").tree
    assert not level_sets_are_null(deep)  # too many branches


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "selu", "hard_tanh", "relu6", "hard_swish", "abs"])
def test_kinks_are_no_polynomials(name):
    sigma = vf.activation(name)
    for degree in (0, 1, 5, 10**6):
        assert excludes_polynomials(sigma, degree) and no_polynomial(parse(sigma.canonical, "").tree, degree)


@pytest.mark.parametrize("text", ["t", "Max(t, t)", "t**3", "Abs(t)**2", "Max(t, 2*t) + Min(t, 2*t)", "(t + 1)**2 - 1"])
def test_polynomials_in_disguise_are_not_taken_for_kinks(text):
    assert not no_polynomial(parse(text, "").tree, 3)


NETWORKS = [
    Network(2, Dense(5, "relu", skip=True)),
    Network(2, [Scale(0.5), Dense(5, "hard_tanh", skip=True)]),
    Network(2, [Dense(3, "relu"), Dense(5, "relu", skip=True, inputs=("input", 0))]),
    Network(2, [Dense(3, "leaky_relu"), Dense(3, "elu"), Dense(5, "relu", skip=True)]),
    Network(2, [Dense(3, "leaky_relu"), Dense(3, "relu"), Dense(5, "relu", skip=True)]),
    Network((1, 5), [Conv(2, (2,), "elu", bias="tied"), Flatten(), Dense(5, "relu", skip=True)]),
    Network((1, 5), [Conv(2, (2,), "elu", stride=(2,)), Flatten(), Dense(5, "relu", skip=True)]),
    Network((1, 4, 4), [Conv(2, (2, 2), "silu", padding=(1, 1), stride=(2, 2)), Dense(5, "relu", skip=True)]),
    Network((1, 5), [Conv(2, (2,), "elu"), MaxPool((2,)), Flatten(), Dense(5, "relu", skip=True)]),
    Network(2, [LayerNorm(), Dense(5, "relu", skip=True)]),
    Network(2, [Dense(2, "tanh"), Add(inputs=("input", 0)), Dense(5, "relu", skip=True)]),
    Network(2, [Dense(2, "elu", name="a"), Dense(2, "elu", name="a"), Dense(5, "relu", skip=True)]),
    Network(2, [Dense(2, "elu"), Dense(5, "relu", skip=True)], frozen={"layer0.weight": np.ones((2, 2))}),
]


def said(tmp_path, network, sink, samples):
    """What the checker says of these claims, true or not: a verdict or the rule that fails."""
    builder = vf.CertificateBuilder(Unseen(samples, network.dimension), network, None)
    builder.add_sink(sink)
    found = check_file(str(builder.write(tmp_path / "c.json")), 1)
    return found.verdict if found.rejection is None else found.rejection.rule


@pytest.mark.parametrize("network", NETWORKS, ids=range(len(NETWORKS)))
def test_prover_and_checker_see_the_same_nodes(network, tmp_path):
    graph = as_graph(network, np.ones(network.parameter_count), np.ones((1, network.dimension)))
    assert images(graph) == images_of_the_input(network)
    assert separating(graph) == separating_nodes(network)[0]
    found = prove_sink(network, 4)
    if found.almost_everywhere.proved:
        assert said(tmp_path, network, found, 4) == "ACCEPTED"
    yes, no = (SinkResult(verdict, "", len(network.nodes) - 1) for verdict in (vf.Verdict.PROVED, vf.Verdict.UNDECIDED))
    forged = {"everywhere": Sink(yes, yes, no), "almost_everywhere": Sink(no, yes, no), "connected": Sink(no, no, yes)}
    for what, sink in forged.items():
        assert (said(tmp_path, network, sink, 4) == "ACCEPTED") is getattr(found, what).proved, what


@seeds(8)
def test_the_samples_are_told_apart_by_exact_arithmetic(rng, tmp_path):
    """S is accepted exactly where the rows <a, h_i> of two ReLU layers, computed with integers, are distinct."""
    samples, width = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    network = Network(2, [Dense(width, "relu"), Dense(samples, "relu", skip=True)])
    x = np.unique(rng.integers(-3, 4, (samples, 2)), axis=0).astype(float)
    u = rng.integers(-1, 2, network.parameter_count).astype(float)
    views = network.views(u)
    h = np.maximum(0, x @ views["layer0.weight"].T + views["layer0.bias"]).astype(int)
    direction = rng.integers(0, 4, width)
    builder = vf.CertificateBuilder(vf.dataset_from_arrays(x, [0] * (len(x) - 1) + [1]), network, u)
    node = network.features[0].node
    builder.add_sink_start(vf.landscape.sink_start.SinkStart(vf.Verdict.PROVED, "", node, direction))
    found = check_file(str(builder.write(tmp_path / "c.json")), 1)
    assert (found.verdict == "ACCEPTED") is (len(set((h @ direction).tolist())) == len(x))
