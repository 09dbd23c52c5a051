"""Every statement on networks that are no layers alone: what is proved, what does not apply, and nothing fails."""

import numpy as np
import pytest

import verifier as vf
from verifier.network.blocks import (
    GRU,
    Add,
    BatchNorm,
    Embedding,
    Flatten,
    GlobalPool,
    LayerNorm,
    LoRA,
    MaxPool,
    MultiHeadAttention,
    SwiGLU,
)
from verifier.network.initialise import initialise
from verifier.network.network import Network
from verifier.statements.catalogue import OF_A_PROBLEM

N = 5
Dense = vf.Dense

NETWORKS = {
    "residual": Network(3, [Dense(3, "tanh"), Add(inputs=("input", 0)), Dense(6, "tanh", skip=True)]),
    "residual features": Network(6, [Dense(6, "gelu"), Add(inputs=("input", 0), skip=True)]),
    "attention": Network(
        (2, 4), [LayerNorm(), MultiHeadAttention(2), Add(inputs=("input", 1)), Flatten(skip=True)], output_bias=True
    ),
    "swiglu": Network((2, 3), [SwiGLU(4), Flatten(skip=True)]),
    "gru": Network((2, 2), [GRU(6, skip=True)]),
    "batch": Network((2, 2, 2), [vf.Conv(2, (1, 1), "tanh"), BatchNorm(), Dense(6, "tanh", skip=True)]),
    "shared": Network(3, [Dense(3, "tanh", name="a"), Dense(3, "tanh", name="a"), Dense(6, "tanh", skip=True)]),
    "lora": Network(3, [LoRA(6, "tanh", rank=1, skip=True)], frozen={"layer0.weight": np.eye(6)[:, :3] + 0.5}),
    "embedding": Network(4, [Embedding(3, 2), GlobalPool("mean", over="tokens"), Dense(6, "tanh", skip=True)]),
    "frozen relu": Network(
        3, [Dense(4, "relu"), Dense(6, "tanh", skip=True)],
        frozen={"layer0.weight": np.eye(4)[:, :3] + 0.25, "layer0.bias": np.ones(4)},
    ),
    "max-pool": Network((1, 6), [vf.Conv(3, (2,), "relu"), MaxPool((2,)), Dense(8, "relu", skip=True)]),
    "epsilon 0": Network(4, [LayerNorm(epsilon=0), Dense(6, "tanh", skip=True)]),
}  # fmt: skip
NOT_ANALYTIC = ("max-pool", "epsilon 0")
ABOUT_LAYERS = ("A3.1(1)", "A3.1(2)", "A3.1(3)")
WIDE = ("residual", "batch", "shared", "embedding", "frozen relu")
AT_THE_START = ("L2.1", "L3.2 construction", "rank", "D3.3", "T3.4(1)", "Z2", "path", "T3.4(3)", "T3.4(4)", "C1", "C2")
FOR_EVERY_U = ("LA.1", "W0", "L3.2 genericity", "T3.4(2)", "TC.3")


def problem(network, u=None, seed=3):
    rng = np.random.default_rng(seed)
    tokens = any(node.kind == "embed" for node in network.nodes)
    x = (
        rng.integers(0, 3, (N, network.dimension))
        if tokens
        else np.round(rng.standard_normal((N, network.dimension)), 2)
    )
    data = vf.dataset_from_arrays(x.astype(float), [0, 1, 0, 1, 1])
    u = initialise(network, seed=1) if u is None else u
    return vf.Problem(data, network, u, vf.output_weights(network, 2))


def verdicts(report):
    return {step.label: str(step.verdict) if step.applies else "-" for step in report.theorem.steps}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_proved(name):
    report = vf.prove(problem(NETWORKS[name]), vf.Options(engine="arb"))
    found = verdicts(report)
    assert list(found) == list(OF_A_PROBLEM)
    assert NETWORKS[name].layered is None
    assert all(found[label] == "PROVED" for label in AT_THE_START), found
    assert all(found[label] == "-" for label in ABOUT_LAYERS), found
    assert found["E4"] == ("PROVED" if name in WIDE else "-")
    if name in NOT_ANALYTIC:
        assert "PROVED" not in [found[label] for label in FOR_EVERY_U], found
        reasons = {step.label: step.reason for step in report.theorem.steps}
        assert "relu in node" in reasons["W0"] or "epsilon = 0" in reasons["W0"]
    else:
        assert all(found[label] == "PROVED" for label in FOR_EVERY_U), found


@pytest.mark.parametrize("name", ["residual", "gru", "swiglu", "batch", "shared", "max-pool"])
def test_a_start_without_rank(name):
    """From U = 0 nothing is claimed of the start's rank; almost every U has full rank all the same, by a random one."""
    network = NETWORKS[name]
    report = vf.prove(problem(network, np.zeros(network.parameter_count)), vf.Options(engine="arb"))
    found = verdicts(report)
    assert report.rank.verdict is not vf.Verdict.PROVED
    assert found["L3.2 construction"] == "PROVED"
    assert (found["W0"], found["T3.4(2)"]) == (("-", "UNDECIDED") if name in NOT_ANALYTIC else ("PROVED", "PROVED"))
    assert found["C1"] == "-"
    assert found["path"] in ("PROVED", "UNDECIDED")


def test_what_remains_speaks_of_the_network():
    report = vf.prove(problem(NETWORKS["attention"]), vf.Options(engine="arb"))
    assert "Assumption 3.1 says nothing of this network" in report.theorem.remains[0]


def test_a_last_normalisation_lowers_the_rank_for_every_u():
    network = Network(N - 1, [Dense(N - 1, "tanh"), LayerNorm(skip=True)], output_bias=True)
    report = vf.prove(problem(network), vf.Options(engine="arb"))
    found = verdicts(report)
    assert (report.rank.label, found["L3.2 construction"], found["L3.2 genericity"]) == ("R5", "REFUTED", "REFUTED")
    assert report.theorem.deficiency.rank_at_most == N - 1
    assert found["T3.4(4)"] == "PROVED"


@pytest.mark.parametrize(
    ("padding", "name"), [(0, "the same for scaled and shifted samples"), (1, "the same for scaled samples")]
)
def test_shifted_samples_are_named_only_where_a_shift_is_undone(padding: int, name: str) -> None:
    network = Network((1, 3), vf.Conv(2, (2,), "tanh", padding=padding, skip=True))
    report = vf.verify(np.arange(6.0).reshape(2, 1, 3), [0, 1], network)
    (step,) = (step for step in report.statements if step.label == "I")
    assert step.verdict == "PROVED" and step.name == name
    assert f"PROVED     {name} (I)" in report.summary().splitlines()
