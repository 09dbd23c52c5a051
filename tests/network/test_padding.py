"""Zero padding: windows, features by all engines, gradients, motion, and every refusal."""

import pytest

import verifier as vf
from verifier.errors import NetworkError
from verifier.network.layers import Conv, Dense


def test_padding_is_kept_per_axis_and_only_if_there_is_some():
    assert Conv(2, (3, 3), "tanh", padding=1) == Conv(2, (3, 3), "tanh", padding=[1, 1])
    assert Conv(2, (3, 3), "tanh", padding=1).padding == (1, 1)
    assert Conv(2, (3, 3), "tanh", padding=0) == Conv(2, (3, 3), "tanh") == Conv(2, (3, 3), "tanh", padding=(0, 0))
    layer = Conv(2, (3, 3), "tanh", (2, 2), "tied", padding=(0, 1))
    assert repr(layer) == "Conv(2, (3, 3), 'tanh', stride=(2, 2), padding=(0, 1), bias='tied')"
    assert eval(repr(layer), {"Conv": Conv}) == layer
    assert vf.Network((1, 5, 4), [layer, Dense(1, "tanh", skip=True)]).shapes[0] == (2, 2, 2)


def test_one_pixel():
    net = vf.Network((1, 1, 1), Conv(1, (3, 3), "identity", padding=1, skip=True))
    assert net.shapes == ((1, 1, 1),)
    assert "conv2d bias per-unit kernel 3x3 stride 1x1 padding 1x1" in net.summary()
    assert net.parameters[0].spec.shape == (1, 1, 3, 3)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: Conv(1, (2,), "tanh", padding=(-1,)), "padding -1 must be at least 0"),
        (lambda: Conv(1, (2,), "tanh", padding=2), "padding 2 must be below the kernel size 2"),
        (lambda: Conv(1, (2,), "tanh", padding=(1, 1)), r"padding \[1, 1\] and kernel \[2\] differ in length"),
        (
            lambda: Conv(1, (8,), "tanh", padding=2),
            "kernel size 8 does not fit an input of length 3, 7 with its padding",
        ),
        (lambda: Conv(1, (2,), "tanh", padding=True), "padding = True must be an integer"),
        (lambda: Conv(1, (2,), "tanh", padding="1"), "padding = '1' must be an integer"),
        (lambda: Conv(1, (2,), "tanh", padding=1.0), "padding = 1.0 must be an integer"),
        (lambda: Conv(1, (2,), "tanh", padding=(1.5,)), "padding: an entry = 1.5 must be an integer"),
        (lambda: Conv(1, (2,), "tanh", padding=(True,)), "padding: an entry = True must be an integer"),
        (lambda: Conv(1, (10**9,), "tanh", padding=5 * 10**8), "more than 100000000; reduce them"),
    ],
)
def test_what_is_no_padding_is_refused(layer, message):
    with pytest.raises(NetworkError, match=message):
        vf.Network((1, 3), layer())
