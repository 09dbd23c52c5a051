"""Random starts: the same bits everywhere, the distribution, and what each kind of start means."""

import hashlib

import numpy as np
import pytest
from planted import dense

from verifier.errors import NetworkError
from verifier.network.forward import approx_features
from verifier.network.initialise import INITS, initialise, output_weights, portable_gaussian
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.sigma.activations import activation

TANH = activation("tanh")


def digest(values):
    return hashlib.sha256(np.ascontiguousarray(values).astype("<f8").tobytes()).hexdigest()[:32]


def network():
    return Network((1, 6), (Conv(4, (3,), TANH, skip=True), AvgPool((2,)), Dense(5, TANH, skip=True)))


GOLDEN = {
    "gaussian": "f397e4b5de5833d9460ebef8d8d0e131",
    "zeros": "62ec1707572ac5078d31a687a5d23de0",
    "cloned": "bd059fbc7f0bdeb2edafcff5058ccf2d",
    "constant-unit": "3d14818b86f8b0a0f1a5a5cf01061f15",
}


@pytest.mark.parametrize("init", INITS)
def test_the_bits_are_pinned(init):
    assert digest(initialise(network(), init, seed=7, scale=0.5, fan_in=True)) == GOLDEN[init]


def test_the_bits_of_long_draws_and_of_v_are_pinned():
    assert digest(portable_gaussian(0, (), 10_000)) == "ce6dd8b0de400be48566c30476f137fb"
    assert digest(portable_gaussian(2**63, (3, 1), 7)) == "330627a428d26b5900a3d05d54e1d22d"
    assert digest(output_weights(network(), 3, seed=1, scale=2.0)) == "e2dff530ae01b69394ea94e95eb63859"


def test_draws_are_prefixes_of_each_other_and_streams_differ():
    long = portable_gaussian(5, (1,), 9000)
    for count in (0, 1, 100, 8999):
        assert portable_gaussian(5, (1,), count).tolist() == long[:count].tolist()
    assert not np.isin(portable_gaussian(5, (2,), 50), long).any()
    assert not np.isin(portable_gaussian(6, (1,), 50), long).any()


def test_draws_are_standard_normal_and_fit_binary32():
    draws = portable_gaussian(11, (0,), 200_000)
    assert (draws.astype(np.float32) == draws).all()
    assert abs(draws.mean()) < 0.01 and abs(draws.std() - 1) < 0.01
    assert abs((draws**4).mean() - 3) < 0.1 and abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.01
    for level, share in ((0.5, 0.6915), (1.0, 0.8413), (2.0, 0.9772)):
        assert abs((draws < level).mean() - share) < 0.005


def test_scale_and_fan_in_act_on_the_right_parts():
    net = dense([2000], ["tanh"], 16)
    plain, scaled = (net.views(initialise(net, seed=3, scale=2.0, fan_in=fan)) for fan in (False, True))
    assert abs(plain["layer0.weight"].std() - 2.0) < 0.05 and abs(scaled["layer0.weight"].std() - 0.5) < 0.02
    assert plain["layer0.bias"].tolist() == scaled["layer0.bias"].tolist()
    assert not initialise(net, scale=0.0).any() and not initialise(net, "zeros").any()


def test_clones_copy_the_first_units_weights_and_bias():
    net = network()
    for units, conv, fully in ((None, 2, 2), (1, 1, 1), (2, 2, 2)):
        views = net.views(initialise(net, "cloned", seed=1, units=units))
        plain = net.views(initialise(net, seed=1))
        for layer, count, size in ((0, conv, 4), (2, fully, 5)):
            for part in ("weight", "bias"):
                found, original = views[f"layer{layer}.{part}"], plain[f"layer{layer}.{part}"]
                assert (found[size - count :] == original[:count]).all()
                assert (found[: size - count] == original[: size - count]).all()
                assert not (found[size - count :] == original[size - count :]).any()


def test_cloned_dense_units_give_equal_columns():
    net = dense([6], ["tanh"], 3)
    psi = approx_features(net, initialise(net, "cloned", seed=2), np.random.default_rng(0).standard_normal((5, 3)))
    assert (psi[:, 3:] == psi[:, :3]).all() and len(np.unique(psi, axis=1).T) == 3


def test_constant_units_have_no_incoming_weights_but_keep_their_bias():
    net = network()
    views, plain = (net.views(initialise(net, init, seed=1)) for init in ("constant-unit", "gaussian"))
    assert not views["layer0.weight"][:2].any() and not views["layer2.weight"][:2].any()
    assert (views["layer0.weight"][2:] == plain["layer0.weight"][2:]).all()
    assert (views["layer2.weight"][2:] == plain["layer2.weight"][2:]).all()
    assert (views["layer0.bias"] == plain["layer0.bias"]).all() and (views["layer2.bias"] == plain["layer2.bias"]).all()
    psi = approx_features(net, initialise(net, "constant-unit", seed=1), np.eye(6))
    constant = (psi == psi[0]).all(axis=0)
    assert constant[:8].all() and not constant[8:16].any() and constant[16:18].all()


def test_no_units_means_no_change():
    net = network()
    for init in ("cloned", "constant-unit"):
        assert (initialise(net, init, seed=4, units=0) == initialise(net, seed=4)).all()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"init": "ones"}, "unknown"),
        ({"scale": -1.0}, "scale"),
        ({"scale": float("nan")}, "scale"),
        ({"scale": float("inf")}, "scale"),
        ({"scale": 1e31}, "scale"),
        ({"seed": -1}, "seed"),
        ({"init": "cloned", "units": 3}, "units = 3"),
        ({"init": "cloned", "units": -1}, "units = -1"),
        ({"init": "constant-unit", "units": 6}, "units = 6"),
    ],
)
def test_unusable_arguments_are_refused(keywords, message):
    with pytest.raises(NetworkError, match=message):
        initialise(network(), **keywords)


def test_output_weights():
    net = network()
    assert output_weights(net, 3).shape == (21, 3) and not output_weights(net, 3, "zeros").any()
    assert (output_weights(net, 3, seed=1) != output_weights(net, 3, seed=2)).all()
    with pytest.raises(NetworkError, match="gaussian or zeros"):
        output_weights(net, 3, "ones")
