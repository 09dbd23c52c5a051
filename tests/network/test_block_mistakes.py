"""What users write of blocks: one index for a list of one; and mistakes, each named in one line."""

import numpy as np
import pytest

import verifier as vf
from verifier.errors import VerifierError
from verifier.network.network import Network

TOKENS = (4, 6)
MISTAKES = [
    (lambda: vf.Select("first"), "Select: entries = .first. must be an integer"),
    (lambda: vf.Select(0, "first"), "Select: axis = 'first' must be an integer"),
    (lambda: vf.MaxPool(True), "MaxPool: kernel = True must have a number per axis"),
    (lambda: Network((1, 4, 4), [vf.MaxPool((2, 2, 2), skip=True)]), r"kernel \[2, 2, 2\] has 3 axes"),
    (lambda: vf.Linear(3, bias="tied"), "Linear: bias = 'tied' must be True or False"),
    (lambda: vf.MultiHeadAttention(2, causal=1), "MultiHeadAttention: causal = 1 must be True or False"),
    (lambda: Network(TOKENS, [vf.Select(9, skip=True)]), r"entries \[9\] of an axis of length 4"),
    (lambda: Network(6, [vf.Dense(3, "tanh", True, ("input", "input"))]), "list each source once"),
    (lambda: vf.freeze(*_two(), 3), "freeze: 3 is no name or pattern of parameters"),
    (lambda: vf.freeze(*_two(), ["layer0.*", 3]), "freeze: 3 is no name or pattern of parameters"),
    (
        lambda: _verified({"layer1.running_mean": np.zeros(5)}),
        r"'layer1.running_mean' is a fixed number of the network .* Network\(\.\.\., frozen=",
    ),
    (lambda: _verified(None, np.full((5, 2), 0.5)), "arcs: 0.5 is neither true nor false, 0 nor 1"),
]


def _two():
    network = Network(3, [vf.Dense(2, "tanh"), vf.Dense(2, "tanh", skip=True)])
    return network, vf.initialise(network)


def _verified(u, arcs=None):
    x = np.random.default_rng(0).normal(size=(4, 3))
    layers = [vf.Linear(5, "tanh", over="all"), vf.BatchNorm(skip=True)]
    return vf.verify(x, [0, 1, 0, 1], layers, u, arcs=arcs, seed=1)


@pytest.mark.parametrize(("make", "line"), MISTAKES)
def test_a_mistake_is_one_line_that_names_the_value(make, line):
    with pytest.raises(VerifierError, match=line) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_one_index_selects_what_a_list_of_it_selects():
    one, listed = (Network(TOKENS, [vf.Select(entries, 1, skip=True)]) for entries in (2, (2,)))
    assert one == listed and one.node_shapes[-1] == (4, 1)


@pytest.mark.parametrize("pool", [vf.MaxPool, vf.MeanPool])
def test_one_number_of_a_pool_stands_for_all_axes(pool):
    """As PyTorch's: for one axis and for two."""
    for shape, axes in (((2, 6), 1), ((1, 6, 6), 2)):
        one = Network(shape, [pool(3, stride=1, padding=1, skip=True)])
        assert one.nodes == Network(shape, [pool((3,) * axes, (1,) * axes, (1,) * axes, skip=True)]).nodes


def test_arcs_may_be_floats():
    """Ones and zeros of any kind."""
    assert _verified(None, np.ones((5, 2))).problem.arcs.all()


def test_an_output_bias_is_a_column_and_no_skip_unit():
    network = Network(3, [vf.Dense(4, "tanh", skip=True)], output_bias=True)
    assert network.size_words == "M = 5 columns, the last the output bias"
    assert Network(3, [vf.Dense(4, "tanh", skip=True)]).size_words == "M = 4 skip units"
