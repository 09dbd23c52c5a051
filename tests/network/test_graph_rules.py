"""Graphs: what is refused, by which words; when a graph is layered, and that its layers are then what it computes."""

from fractions import Fraction

import numpy as np
import pytest

from verifier import AvgPool, Builder, Conv, Dense, Feature, Network, activation, initialise, nodes
from verifier.errors import NetworkError
from verifier.network.forward import FloatArithmetic, approx_features

TANH = activation("tanh")


def layered_pair():
    """The nodes of two dense layers, and their features."""
    build = Builder((3,))
    first = build.map(build.affine([0], 4, "a"), TANH)
    second = build.map(build.affine([first, 0], 2, "b"), TANH)
    return build, first, second


def test_layers_are_found_in_nodes():
    """A graph made by hand from the nodes of layers is layered, under the names of layers as well as its own."""
    build, first, second = layered_pair()
    network = Network.of(build.nodes, [Feature(first, (1, 3)), Feature(second)])
    assert network.layers == (Dense(4, "tanh", (1, 3), ("input",)), Dense(2, "tanh", True, (0, "input")))
    assert network.skip_units == ((0, (1, 3)), (1, (0, 1)))
    u = initialise(network, seed=1)
    assert network.view(u, "layer1.weight") is not None
    np.testing.assert_array_equal(network.views(u)["layer1.bias"], network.views(u)["b.bias"])
    again = Network(3, network.layers)
    x = np.random.default_rng(0).standard_normal((5, 3))
    np.testing.assert_array_equal(approx_features(again, u, x), approx_features(network, u, x))


def test_convolutions_and_averages_are_found_in_nodes():
    """Windows, strides, padding and the kind of bias are those of the nodes."""
    layers = [
        Conv(2, (2, 3), "tanh", (1, 2), "tied", padding=(1, 0)),
        AvgPool((2, 1)),
        Conv(1, (2, 1), "silu", skip=True),
    ]
    network = Network((2, 5, 5), layers)
    found = Network.of(network.nodes, network.features)
    assert found == network and found.shapes == network.shapes
    sizes = [[(a.kind, a.kernel, a.steps, a.padding, a.bias, a.rows) for a in some] for some in (found.layers, layers)]
    assert sizes[0] == sizes[1]


def read_twice(build, first, second):
    build.add(nodes.Multiply((1, 1)))


def bias_as_weight(build, first, second):
    weight = build.parameter("w", (1,))
    build.add(nodes.Map((build.add(nodes.Affine((build.affine([0], 1, "c"), weight, weight))),), TANH))


def another_activation(build, first, second):
    build.map(build.nodes[first].reads[0], activation("silu"))


def frozen_bias(build, first, second):
    bias = build.constant(np.zeros(2))
    build.map(build.add(nodes.Affine((0, build.parameter("w", (2, 3)), bias))), TANH)


def no_bias(build, first, second):
    build.map(build.affine([0], 2, "c", bias=None), TANH)


def shared_weights(build, first, second):
    build.map(build.affine([0], 4, "a"), TANH)


def residual(build, first, second):
    build.add(nodes.Add((first, first)))


def maximum(build, first, second):
    build.add(nodes.Reduce((first,), "max", 1))


def lost_parameter(build, first, second):
    build.parameter("nobody reads it", (2,))


def linear(build, first, second):
    build.affine([first], 2, "c")


@pytest.mark.parametrize(
    "change",
    [
        *(read_twice, bias_as_weight, another_activation, frozen_bias, no_bias, shared_weights, residual, maximum),
        *(lost_parameter, linear),
    ],
)
def test_what_is_no_layer_leaves_no_layered_network(change):
    """One node that is no layer with weights of its own, and the rules about layers do not apply."""
    build, first, second = layered_pair()
    assert Network.of(build.nodes, [Feature(first), Feature(second)]).layered is not None
    change(build, first, second)
    assert Network.of(build.nodes, [Feature(first), Feature(second)]).layered is None


@pytest.mark.parametrize(
    "features",
    [
        lambda first, second, one: [Feature(second), Feature(first)],
        lambda first, second, one: [Feature(first, (0,)), Feature(first, (1,))],
        lambda first, second, one: [Feature(0), Feature(first)],
        lambda first, second, one: [Feature(one), Feature(first)],
        lambda first, second, one: [Feature(first), Feature(one), Feature(one)],
        lambda first, second, one: [Feature(one)],
        lambda first, second, one: [Feature(first - 1)],
    ],
)
def test_features_in_another_order_or_of_other_nodes_are_not_layered(features):
    """Psi's columns are the layers' units in order, then perhaps the output bias."""
    build, first, second = layered_pair()
    one = build.constant([1.0])
    assert Network.of(build.nodes, [Feature(first), Feature(second), Feature(one)]).layered is not None
    assert Network.of(build.nodes, features(first, second, one)).layered is None


def test_another_constant_is_no_output_bias():
    """Only a column of ones is."""
    build, first, _ = layered_pair()
    half = build.constant([0.5])
    network = Network.of(build.nodes, [Feature(first), Feature(half)])
    assert not network.output_bias and network.layered is None


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (nodes.Add((0, 4)), r"node 5 \(add\): shapes \(3,\), \(4,\) do not broadcast"),
        (nodes.Add((0,)), r"node 5 \(add\): reads \[0\]; it reads at least 2"),
        (nodes.Map((5,), TANH), r"node 5 \(map\): reads \[5\]; it reads 1 earlier node"),
        (nodes.Scale((0,), Fraction(0)), r"node 5 \(scale\): the factor must not be 0"),
        (nodes.Reshape((0,), (2, 2)), r"node 5 \(reshape\): shape \(3,\) has not as many entries"),
        (nodes.Permute((0,), (1,)), r"node 5 \(permute\): axes \(1,\) are no order"),
        (nodes.Take((0,), 0, (3,)), r"entries \[3\] of an axis of length 3"),
        (nodes.Contract((0, 4)), r"both need two axes"),
        (nodes.Reduce((0,), "sum", 2), r"axes = 2 of a tensor of shape \(3,\)"),
        (nodes.Affine((0, 1, 1)), r"biases of shape \(4, 3\), expected \(4,\)"),
        (nodes.Embed((4, 1)), "tokens must not depend on U"),
        (nodes.Embed((0, 0)), "nor the table on the sample"),
        (nodes.Softmax((4, 4)), "a mask must not depend on U"),
        (nodes.Input((), (3,)), "only node 0 is the input"),
        (nodes.Parameter(name="a.bias", size=(1,)), "two parameters are called 'a.bias'"),
    ],
)
def test_a_node_that_does_not_fit_is_named(node, message):
    """One line with the node's number and kind."""
    build = Builder((3,))
    out = build.map(build.affine([0], 4, "a"), TANH)
    assert out == 4
    with pytest.raises(NetworkError, match=message):
        Network.of([*build.nodes, node], [Feature(out)])


def test_weights_that_depend_on_the_sample_are_refused():
    """An affine node has weights that all samples share; products of two varying tensors are another kind."""
    build = Builder((3,))
    total = build.add(nodes.Reduce((0,), "sum"))
    build.feature(build.add(nodes.Affine((total, 0), "all", False)))
    with pytest.raises(
        NetworkError, match=r"node 2 \(affine\): its weights or biases depend on the sample; use contract"
    ):
        Network.of(build.nodes, build.features)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([], "no unit is connected"),
        ([Feature(9)], "reads node 9"),
        ([Feature(4, (4,))], "increasing indices in 0..3"),
    ],
)
def test_features_that_do_not_exist_are_refused(features, message):
    """One line."""
    build = Builder((3,))
    build.map(build.affine([0], 4, "a"), TANH)
    with pytest.raises((NetworkError, IndexError), match=message):
        Network.of(build.nodes, features)


def test_only_what_is_wanted_is_computed():
    """Nodes that nobody needs are not evaluated: here one that would fail."""
    build = Builder((1,))
    wanted = build.map(build.affine([0], 1, "a"), TANH)
    build.add(nodes.InverseRoot((0,)))
    network = Network.of(build.nodes, [Feature(wanted)])
    u = initialise(network)
    ops = WithoutRoots(network.views(u), np.zeros((1, 1)))
    assert set(network.evaluate(ops, [wanted])) == {wanted}
    with pytest.raises(AssertionError, match="nobody wanted it"):
        network.evaluate(ops, [wanted + 1])


class WithoutRoots(FloatArithmetic):
    """Plain floating point that is not to be asked for a root."""

    def inverse_root(self, x, epsilon):
        """Fail."""
        raise AssertionError("nobody wanted it")


def test_a_constant_is_equal_by_its_numbers():
    """Two networks with equal frozen numbers are equal; with others they are not; nobody can write to them."""
    values = np.array([1.0, 2.0])
    one, two = nodes.Constant(values=values), nodes.Constant(values=values)
    assert one == two and hash(one) == hash(two) and one != nodes.Constant(values=values + 1)
    values[0] = 7.0
    assert one.values[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        one.values[0] = 3.0
    with pytest.raises(NetworkError, match="must be finite"):
        nodes.Constant(values=np.array([np.nan]))
