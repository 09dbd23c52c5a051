"""R5 for normalised features: the bound holds for the rank at high precision, is attained, and broken copies fail."""

import mpmath
import numpy as np
import pytest
from oracle_graph import psi_oracle
from planted_graphs import random_graph, random_point

from verifier import Dense, Network, initialise
from verifier.network.blocks import Flatten, GlobalPool, GroupNorm, LayerNorm, MeanPool, Permute, RMSNorm, Scale, Select
from verifier.rank import centred
from verifier.rank.centred import centred_columns
from verifier.rank.deficiency import structural_bound_every_u, structural_deficiency

TOKENS = (3, 4)


def network(*blocks, bias=False, shape=TOKENS):
    return Network(shape, blocks, output_bias=bias)


CASES = {
    # network: bound at random U, bound at a U without shifts
    "one row": (network(LayerNorm(skip=True), shape=(4,)), 4, 3),
    "one row and the output bias": (network(LayerNorm(skip=True), shape=(4,), bias=True), 4, 4),
    "rows": (network(LayerNorm(skip=True)), 10, 9),
    "rows and the output bias": (network(LayerNorm(skip=True), bias=True), 10, 10),
    "flattened": (network(LayerNorm(), Flatten(skip=True)), 10, 9),
    "turned": (network(LayerNorm(), Permute((1, 0)), Scale(-2, skip=True)), 10, 9),
    "one token": (network(LayerNorm(), Select((0,), 0, skip=True), bias=True), 4, 4),
    "a mean over tokens": (network(LayerNorm(), Permute((1, 0)), GlobalPool("mean", skip=True)), 4, 3),
    "a part of a row": (network(LayerNorm(skip=(0, 1, 2)), shape=(4,)), 3, 3),
    "one row and a part": (network(LayerNorm(skip=(0, 1, 2, 3, 4, 5))), 6, 5),
    "without a mean": (network(RMSNorm(skip=True)), 12, 12),
    "groups": (network(GroupNorm(2, skip=True), shape=(4, 2), bias=True), 7, 7),
    "twice": (network(LayerNorm(skip=True), LayerNorm(skip=True), shape=(4,)), 7, 6),
    "a row of one entry": (network(LayerNorm(skip=True), shape=(1,)), 1, 0),
    "after an activation": (network(LayerNorm(), Dense(5, "tanh", skip=True)), 5, 5),
}


def rank(psi):
    """The rank at 60 digits: singular values below 1e-30 are 0."""
    with mpmath.workdps(60):
        values = mpmath.svd_r(mpmath.matrix(psi), compute_uv=False)
        return sum(bool(s > 1e-30) for s in values)


def without_shifts(net, u):
    u = u.copy()
    for view in net.parameters:
        if view.name.endswith(".bias"):
            view.of(u)[...] = 0.0
    return u


@pytest.mark.parametrize("name", CASES)
def test_the_bound_is_the_rank(name):
    net, bound, homogeneous = CASES[name]
    u = initialise(net, seed=1)
    x = np.round(np.random.default_rng(2).standard_normal((net.columns + 2, net.dimension)) * 64) / 64
    assert centred_columns(net, None).rank_at_most == bound == centred_columns(net, u).rank_at_most
    shiftless = without_shifts(net, u)
    assert centred_columns(net, shiftless).rank_at_most == homogeneous
    for point, most in ((u, bound), (shiftless, homogeneous)):
        found = rank(psi_oracle(net, point, x))
        assert found <= most
        assert found == most or name in ("after an activation",)


@pytest.mark.parametrize("name", CASES)
def test_gains_of_zero_do_not_break_it(name):
    net, bound, _ = CASES[name]
    u = initialise(net, seed=3)
    for view in net.parameters:
        if view.name.endswith(".weight"):
            view.of(u).ravel()[:2] = 0.0
    x = np.random.default_rng(4).standard_normal((net.columns + 1, net.dimension))
    assert rank(psi_oracle(net, u, x)) <= centred_columns(net, u).rank_at_most <= bound


def test_means_of_rows_with_different_shifts_are_not_one_row():
    """``y_j`` is the mean over tokens of ``x_tj + b_tj``: still centred; of ``g_tj x_tj`` it is not."""
    net = Network(TOKENS, [LayerNorm(axes=1), Permute((1, 0)), GlobalPool("mean", skip=True)])
    assert centred_columns(net, None).rows == 1
    from verifier.network.builder import Builder
    from verifier.network.nodes import Multiply, Normalise, Reduce
    from verifier.network.nodes import Permute as Turned

    build = Builder(TOKENS)
    scaled = build.add(Multiply((build.add(Normalise((0,))), build.parameter("g", TOKENS))))
    build.feature(build.add(Reduce((build.add(Turned((scaled,), (1, 0))),), "mean")))
    other = Network.of(build.nodes, build.features)
    assert centred_columns(other, None).rows == 0
    x = np.random.default_rng(1).standard_normal((6, 12))
    assert rank(psi_oracle(other, np.random.default_rng(0).standard_normal(12), x)) == 4


def test_padding_is_not_a_channel():
    net = Network((1, 4), [LayerNorm(), MeanPool((2,), padding=(1,), skip=True)])
    u, x = initialise(net, seed=0), np.random.default_rng(1).standard_normal((7, 4))
    assert rank(psi_oracle(net, u, x)) <= centred_columns(net, u).rank_at_most


@pytest.mark.parametrize("seed", range(40))
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
    assert found <= centred_columns(net, u).rank_at_most
    assert found <= centred_columns(net, None).rank_at_most


def test_r5_states_it_at_a_u_and_for_every_u():
    net = Network(4, [LayerNorm(skip=True)], output_bias=True)
    x = np.random.default_rng(0).standard_normal((5, 4))
    u = initialise(net, seed=0)
    here, always = structural_deficiency(net, u, x), structural_bound_every_u(net, x)
    assert here is not None and (here.reason, here.rank_at_most) == ("dependent-units", 4)
    assert always is not None and (always.reason, always.rank_at_most) == ("every-u", 4)
    assert "M = 5 columns span at most 4" in always.explanation
    assert structural_deficiency(net, u, x[:4]) is None


def planted_truths():
    return all(
        rank(psi_oracle(net, u, x)) <= centred_columns(net, u).rank_at_most
        for net, _, _ in CASES.values()
        for u in [initialise(net, seed=1)]
        for x in [np.random.default_rng(2).standard_normal((net.columns + 1, net.dimension))]
    )


def test_broken_copies_are_caught(monkeypatch):
    assert planted_truths()
    kept = centred._Centred.normalise
    monkeypatch.setattr(
        centred._Centred, "normalise", lambda ops, x, epsilon, *, centre: kept(ops, x, epsilon, centre=True)
    )
    assert not planted_truths()
    monkeypatch.undo()
    changed = centred._Centred._changed
    monkeypatch.setattr(centred._Centred, "_changed", lambda ops, cell, step, shifted: changed(ops, cell, step, False))
    assert not planted_truths()
