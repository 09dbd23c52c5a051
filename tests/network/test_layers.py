"""Layers: shapes, parameters, windows, and every refusal."""

import numpy as np
import pytest

from verifier.errors import NetworkError
from verifier.network.builder import Builder
from verifier.network.layers import AvgPool, Conv, Dense, window_indices
from verifier.network.network import Network
from verifier.sigma.activations import activation

TANH = activation("tanh")


def shape_of(layer, sources):
    """The shape of a layer's output, that reads nodes of these shapes."""
    build = Builder((1,))
    reads = [build.parameter(f"source{index}", shape) for index, shape in enumerate(sources)]
    return build.shapes[layer.expand(build, reads, "layer")]


def test_two_windows_by_hand():
    assert window_indices((2, 3), (2,), (1,)) == [[0, 1, 3, 4], [1, 2, 4, 5]]
    assert window_indices((1, 2, 3), (2, 2), (1, 1)) == [[0, 1, 3, 4], [1, 2, 4, 5]]


def test_dense_shapes_and_parameters():
    layer = Dense(5, TANH)
    assert shape_of(layer, [(3,), (2, 4)]) == (5,)
    network = Network((2, 4), [Dense(3, TANH), Dense(5, TANH, True, ("input", 0))])
    weight, bias = (view.spec for view in network.parameters[2:])
    assert (weight.shape, weight.fan_in, weight.size) == ((5, 11), 11, 55)
    assert (bias.shape, bias.fan_in, bias.size) == ((5,), 0, 5)


@pytest.mark.parametrize(("bias", "shape"), [("tied", (4,)), ("per-unit", (4, 2, 3))])
def test_convolution_shapes_and_parameters(bias, shape):
    layer = Conv(4, (2, 3), TANH, stride=(2, 1), bias=bias)
    assert layer.kind == "conv2d" and layer.steps == (2, 1)
    assert shape_of(layer, [(2, 5, 5), (1, 5, 5)]) == (4, 2, 3)
    network = Network((3, 5, 5), [Conv(4, (2, 3), TANH, stride=(2, 1), bias=bias, skip=True)])
    weight, biases = (view.spec for view in network.parameters)
    assert (weight.shape, weight.fan_in) == ((4, 3, 2, 3), 18)
    assert (biases.shape, biases.fan_in) == (shape, 0)


def test_defaults_of_strides():
    assert Conv(1, (3,), TANH).steps == (1,) and Conv(1, (3,), TANH).kind == "conv1d"
    assert AvgPool((3, 2)).steps == (3, 2)
    assert shape_of(AvgPool((2,)), [(3, 7)]) == (3, 3)
    assert Network((3, 7), [AvgPool((2,), skip=True)]).parameters == ()


@pytest.mark.parametrize(
    ("layer", "sources", "message"),
    [
        (Conv(1, (4,), TANH), [(1, 3)], "use 1..3"),
        (Conv(1, (0,), TANH), [(1, 3)], "use 1..3"),
        (Conv(1, (2,), TANH, stride=(0,)), [(1, 3)], "stride 0"),
        (Conv(1, (2,), TANH, stride=(1, 1)), [(1, 3)], "differ in length"),
        (Conv(1, (2,), TANH), [(3,)], "axes"),
        (Conv(1, (2, 2), TANH), [(1, 3)], "axes"),
        (Conv(1, (2,), TANH), [(1, 3), (1, 4)], "different spatial shapes"),
        (AvgPool((2,)), [(1, 3), (1, 3)], "reads one input"),
        (AvgPool((4,)), [(1, 3)], "use 1..3"),
        (AvgPool((2,), stride=(-1,)), [(1, 3)], "stride -1"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layer, sources, message):
    with pytest.raises(NetworkError, match=message):
        shape_of(layer, sources)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(0), "Dense: width is 0; it must be at least 1"),
        (lambda: Dense(0, TANH), "Dense: width is 0; it must be at least 1"),
        (lambda: Dense(-3, TANH), "Dense: width is -3; it must be at least 1"),
        (lambda: Dense(3), "Dense: it has no activation; write for example Dense"),
        (lambda: Conv(0, (1,), TANH), "Conv: filters is 0; it must be at least 1"),
    ],
)
def test_layers_without_units_or_activation_are_refused(make, message):
    with pytest.raises(NetworkError, match=message):
        make()


def test_a_pool_is_the_mean_of_its_window():
    from verifier.network.forward import approx_features

    net = Network((2, 4), (AvgPool((2,), skip=True),))
    x = np.arange(8.0)[None, :]
    assert approx_features(net, np.zeros(0), x).tolist() == [[0.5, 2.5, 4.5, 6.5]]
