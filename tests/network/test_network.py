"""The network: wiring, views of U, skip units, parameter groups, the description, plain features, and every refusal."""

import numpy as np
import pytest
from planted import ORACLE, dense, oracle, over_seeds, random_parameters, random_samples, shuffled_dag

from verifier.errors import NetworkError
from verifier.network.forward import approx_features
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import MAX_UNITS, Network
from verifier.sigma.activations import activation

TANH = activation("tanh")


@over_seeds(share=2)
def test_plain_features_agree_with_the_oracle(seed):
    rng = np.random.default_rng(seed)
    net = shuffled_dag(rng, [name for name in ORACLE if name not in ("exp", "cubic")])
    u, x = random_parameters(rng, net), random_samples(rng, 2, net)
    truth = np.array([[float(v) for v in row] for row in oracle(net, u, x)])
    np.testing.assert_allclose(approx_features(net, u, x), truth, rtol=1e-9, atol=1e-9 * (1 + np.abs(truth).max()))


def mixed():
    return Network(
        (1, 4),
        (
            Conv(2, (2,), TANH, skip=(0, 2, 4)),
            AvgPool((3,), skip=True),
            Dense(3, TANH, inputs=("input", 1), skip=(1,)),
            Conv(1, (2,), TANH, inputs=(0,), bias="tied", skip=True),
        ),
    )


def test_shapes_sources_and_counts():
    net = mixed()
    assert net.shapes == ((2, 3), (2, 1), (3,), (1, 2))
    assert net.sources == (("input",), (0,), ("input", 1), (0,))
    assert net.skip_units == ((0, (0, 2, 4)), (1, (0, 1)), (2, (1,)), (3, (0, 1)))
    assert net.skip_count == 8 and net.dimension == 4
    assert net.parameter_count == (4 + 6) + (18 + 3) + (4 + 1)


def test_views_are_named_ordered_and_writable():
    net = mixed()
    u = np.arange(float(net.parameter_count))
    views = net.views(u)
    assert list(views) == [
        "layer0.weight",
        "layer0.bias",
        "layer2.weight",
        "layer2.bias",
        "layer3.weight",
        "layer3.bias",
    ]
    assert [v.shape for v in views.values()] == [(2, 1, 2), (2, 3), (3, 6), (3,), (1, 2, 2), (1,)]
    assert np.concatenate([v.ravel() for v in views.values()]).tolist() == u.tolist()
    views["layer2.bias"][1] = -7.0
    assert u[10 + 18 + 1] == -7.0


@pytest.mark.parametrize("size", [0, 35, 37])
def test_a_vector_of_another_length_is_refused(size):
    with pytest.raises(NetworkError, match="p = 36"):
        mixed().views(np.zeros(size))


def test_parameter_groups_list_the_columns_that_share_weights():
    groups = {group.name: group.skip_columns for group in mixed().parameter_groups}
    assert groups == {
        "layer0.filter0": (0, 1),
        "layer0.filter1": (2,),
        "layer2.unit0": (),
        "layer2.unit1": (5,),
        "layer2.unit2": (),
        "layer3.filter0": (6, 7),
    }


def test_columns_of_a_group_move_together_and_alone():
    """Changing one skip group's weights changes exactly its columns (no other group reads it here)."""
    net = Network((1, 4), (Conv(2, (2,), TANH, skip=True), Dense(2, TANH, inputs=("input",), skip=True)))
    rng = np.random.default_rng(0)
    u, x = random_parameters(rng, net), random_samples(rng, 5, net)
    before = approx_features(net, u, x)
    for group in net.parameter_groups:
        kind, leader = group.name.split(".")
        moved = u.copy()
        net.views(moved)[f"{kind}.weight"][int(leader[-1])] += 0.25
        changed = (approx_features(net, moved, x) != before).any(axis=0)
        assert tuple(np.flatnonzero(changed)) == group.skip_columns


def test_the_summary_says_what_matters():
    text = mixed().summary()
    assert "input          shape 1x4" in text and "conv1d bias per-unit kernel 2 stride 1 tanh" in text
    assert "avgpool kernel 3 stride 3, shape 2x1 = 2 units, 2 to the outputs, reads layer 0" in text
    assert "reads input, layer 1" in text
    assert text.endswith(
        "M = 8 skip units, p = 36 parameters, 6 independent groups, 2 of them shared by several skip units"
    )
    assert len(text.splitlines()) == 6


@pytest.mark.parametrize(
    ("shape", "layers", "message"),
    [
        ((2,), (), "no layers"),
        ((), (Dense(1, TANH, skip=True),), "input shape"),
        ((0,), (Dense(1, TANH, skip=True),), "input shape"),
        ((2,), (Dense(1, TANH),), "no unit is connected"),
        ((2,), (Dense(MAX_UNITS + 1, TANH, skip=True),), "more than [0-9]+ entries"),
        ((2,), (Dense(1, TANH, skip=True, inputs=(0,)),), "not an earlier layer"),
        ((2,), (Dense(1, TANH, skip=True, inputs=(-1,)),), "not an earlier layer"),
        ((2,), (Dense(1, TANH, skip=True, inputs=("output",)),), "not an earlier layer"),
        ((2,), (Dense(1, TANH, skip=True, inputs=("input", "input")),), "repeat"),
        ((2,), (Dense(3, TANH, skip=(0, 0)),), "increasing unit indices"),
        ((2,), (Dense(3, TANH, skip=(2, 1)),), "increasing unit indices"),
        ((2,), (Dense(3, TANH, skip=(3,)),), "increasing unit indices"),
        ((2,), (Dense(3, TANH, skip=(-1, 0)),), "increasing unit indices"),
        ((2,), (Dense(3, TANH, skip=()),), "increasing unit indices"),
        ((4,), (Conv(1, (2,), TANH, skip=True),), "axes"),
    ],
)
def test_networks_that_make_no_sense_are_refused(shape, layers, message):
    with pytest.raises(NetworkError, match=message):
        Network(shape, layers)


@pytest.mark.filterwarnings("error")
def test_overflow_in_the_proposal_is_silent_and_not_finite():
    net = dense([2], ["exp"], 1)
    assert not np.isfinite(approx_features(net, np.array([1e300, 1.0, 0.0, 0.0]), np.array([[1e300]]))).all()
