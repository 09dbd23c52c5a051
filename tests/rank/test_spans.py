"""R5 for normalised features: the bound holds for the rank at high precision, is attained, and broken copies fail."""

import mpmath
import numpy as np
import pytest
from everyday import one_in
from oracle_graph import psi_oracle
from planted_graphs import random_graph, random_point

from verifier import Dense, Network, initialise
from verifier.network.blocks import (
    Add,
    Flatten,
    GlobalPool,
    GroupNorm,
    LayerNorm,
    MeanPool,
    Permute,
    RMSNorm,
    Scale,
    Select,
)
from verifier.network.builder import Builder
from verifier.network.nodes import Add as Sum
from verifier.network.nodes import Normalise
from verifier.rank import spans
from verifier.rank.deficiency import structural_bound_every_u, structural_deficiency
from verifier.rank.spans import span_of_columns

TOKENS = (3, 4)


def network(*blocks, bias=False, shape=TOKENS):
    return Network(shape, blocks, output_bias=bias)


def plain(tokens, bias=False, residual=False):
    """Normalised rows themselves, or added to what they are made from."""
    build = Builder((tokens, 4))
    rows = build.add(Normalise((0,)))
    build.feature(build.add(Sum((0, rows))) if residual else rows)
    if bias:
        build.feature(build.constant([1.0]))
    return Network.of(build.nodes, build.features)


CASES = {
    "one row": (network(LayerNorm(skip=True), shape=(4,)), 4),
    "one row and the output bias": (network(LayerNorm(skip=True), shape=(4,), bias=True), 4),
    "rows": (network(LayerNorm(skip=True)), 10),
    "rows and the output bias": (network(LayerNorm(skip=True), bias=True), 10),
    "flattened": (network(LayerNorm(), Flatten(skip=True)), 10),
    "turned": (network(LayerNorm(), Permute((1, 0)), Scale(-2, skip=True)), 10),
    "one token": (network(LayerNorm(), Select((0,), 0, skip=True), bias=True), 4),
    "a mean over tokens": (network(LayerNorm(), Permute((1, 0)), GlobalPool("mean", skip=True)), 4),
    "without gains and shifts": (plain(3), 9),
    "without gains, with the output bias": (plain(3, bias=True), 10),
    "a residual sum": (plain(1, residual=True), 4),
    "equal coordinates": (network(Scale(2, skip=True), shape=(4,)), 2),
    "a sum of multiples": (network(LayerNorm(), Scale(3), Add(inputs=(0, 1), skip=True), shape=(4,)), 4),
    "a part of a row": (network(LayerNorm(skip=(0, 1, 2)), shape=(4,)), 3),
    "one row and a part": (network(LayerNorm(skip=(0, 1, 2, 3, 4, 5))), 6),
    "without a mean": (network(RMSNorm(skip=True)), 12),
    "groups": (network(GroupNorm(2, skip=True), shape=(4, 2), bias=True), 7),
    "twice": (network(LayerNorm(skip=True), LayerNorm(skip=True), shape=(4,)), 7),
    "a row of one entry": (network(LayerNorm(skip=True), shape=(1,)), 1),
    "after an activation": (network(LayerNorm(), Dense(5, "tanh", skip=True)), 5),
}


def rank(psi):
    """The rank at 60 digits: singular values below 1e-30 are 0."""
    with mpmath.workdps(60):
        values = mpmath.svd_r(mpmath.matrix(psi), compute_uv=False)
        return sum(bool(s > 1e-30) for s in values)


def samples(net, name, seed=2):
    x = np.round(np.random.default_rng(seed).standard_normal((net.columns + 2, net.dimension)) * 64) / 64
    if name == "equal coordinates":
        x[:, 1], x[:, 2] = x[:, 0], 0.5  # one coordinate twice, a constant one
        x[:, 3] = x[:, 0]
    return x


@pytest.mark.parametrize("name", CASES)
def test_the_bound_is_the_rank(name):
    net, bound = CASES[name]
    x = samples(net, name)
    assert span_of_columns(net, x).rank_at_most == bound
    assert rank(psi_oracle(net, initialise(net, seed=1), x)) == bound


@pytest.mark.parametrize("name", CASES)
def test_gains_of_zero_do_not_break_it(name):
    net, _ = CASES[name]
    u = initialise(net, seed=3)
    for view in net.parameters:
        if view.name.endswith(".weight"):
            view.of(u).ravel()[:2] = 0.0
    x = samples(net, name, seed=4)
    assert rank(psi_oracle(net, u, x)) <= span_of_columns(net, x).rank_at_most


def test_padding_is_not_a_channel():
    net = Network((1, 4), [LayerNorm(), MeanPool((2,), padding=(1,), skip=True)])
    u, x = initialise(net, seed=0), np.random.default_rng(1).standard_normal((7, 4))
    assert rank(psi_oracle(net, u, x)) <= span_of_columns(net, x).rank_at_most


@pytest.mark.parametrize("seed", one_in(4, range(40)))
def test_it_holds_on_random_graphs(seed):
    rng = np.random.default_rng(seed)
    kinds = [
        "normalise",
        "normalise",
        "add",
        "multiply",
        "scale",
        "reduce",
        "permute",
        "reshape",
        "take",
        "concatenate",
    ]
    net = random_graph(rng, kinds, steps=5)
    u, x = random_point(rng, net, count=min(net.columns + 1, 14))
    if seed % 2:
        u[:] = np.round(u)
    found = rank(psi_oracle(net, u, x))
    assert found <= span_of_columns(net, x).rank_at_most


def test_r5_states_it_at_a_u_and_for_every_u():
    net = Network(4, [LayerNorm(skip=True)], output_bias=True)
    x = np.random.default_rng(0).standard_normal((5, 4))
    u = initialise(net, seed=0)
    here, always = structural_deficiency(net, u, x), structural_bound_every_u(net, x)
    assert here is not None and (here.reason, here.rank_at_most) == ("dependent-units", 4)
    assert always is not None and (always.reason, always.rank_at_most) == ("every-u", 4)
    assert "they span at most 4 dimensions" in always.explanation
    assert structural_deficiency(net, u, x[:4]) is None


def planted_truths():
    return all(
        rank(psi_oracle(net, initialise(net, seed=1), samples(net, name)))
        <= span_of_columns(net, samples(net, name)).rank_at_most
        for name, (net, _) in CASES.items()
        if name in ("without a mean", "one row", "a residual sum")
    )


def broken(ops, x, epsilon, *, centre, old=spans._Spans.normalise):
    return old(ops, x, epsilon, centre=True)


def unshifted(ops, a, b, old=spans._Spans.add):
    found = old(ops, a, b)
    return spans.Multiples(found.forms, found.shifted & False, found.varies)


def merged(ops, a, b):
    return spans.Multiples(np.maximum(*np.broadcast_arrays(a.forms, b.forms)), a.shifted | b.shifted)


@pytest.mark.parametrize(("method", "rule"), [("normalise", broken), ("add", unshifted), ("add", merged)])
def test_broken_copies_are_caught(method, rule, monkeypatch):
    assert planted_truths()
    monkeypatch.setattr(spans._Spans, method, rule)
    assert not planted_truths()
