"""C4: which networks have no local maximum anywhere, and points that are one where a hypothesis fails."""

from __future__ import annotations

import numpy as np
import pytest

import verifier as vf
from verifier.landscape.turning_layer import prove_no_maximum
from verifier.network.nodes import Add, Affine, Constant, Input, Map, Parameter, Reshape

TANH, SQUARE = vf.activation("tanh"), vf.activation("square")


def dense(name: str, **keys: object) -> vf.Network:
    return vf.Network(2, vf.Dense(3, name, skip=True), **keys)


def test_layers_of_the_usual_kinds() -> None:
    assert [prove_no_maximum(dense(name)).proved for name in ("tanh", "elu", "gelu", "relu", "square")] == [
        *(True, True, True, False, False)
    ]
    by_bias = prove_no_maximum(dense("relu", output_bias=True))
    assert by_bias.proved and by_bias.node is None
    tied = vf.Network((1, 4), vf.Conv(2, (2,), "silu", bias="tied", skip=True))
    assert prove_no_maximum(tied).proved
    skipping = vf.Network(2, [vf.Dense(3, "relu", skip=True), vf.Dense(2, "tanh", skip=True)])
    found = prove_no_maximum(skipping)
    assert found.proved and found.node == max(feature.node for feature in skipping.features)
    below = vf.Network(2, [vf.Dense(3, "tanh", skip=True), vf.Dense(2, "relu", skip=True)])
    assert not prove_no_maximum(below).proved, "the units above depend on the lower bias"


def units(*features: int, bias: object = None, extra: tuple[object, ...] = ()) -> vf.Network:
    """Input (3,), W, b, affine, tanh at node 4, then more nodes."""
    bias = Parameter(name="b", size=(3,)) if bias is None else bias
    nodes = (Input(size=(3,)), Parameter(name="W", size=(3, 3)), bias, Affine((0, 1, 2)), Map((3,), TANH))
    return vf.Network.of((*nodes, *extra), [vf.Feature(node) for node in features])


def test_graphs() -> None:
    assert prove_no_maximum(units(4)).node == 4
    assert prove_no_maximum(units(5, extra=(Reshape((4,), size=(1, 3)),))).node == 5
    frozen = units(4, bias=Constant(values=np.zeros(3), name="b"))
    assert not prove_no_maximum(frozen).proved, "a frozen bias does not move"
    both = units(4, 5, extra=(Map((3,), SQUARE),))
    assert not prove_no_maximum(both).proved, "a second activation of the same pre-activations"
    assert not prove_no_maximum(units(4, 5, extra=(Add((4, 4)),))).proved
    assert not prove_no_maximum(units(6, extra=(Add((3, 2)), Map((5,), TANH)))).proved, "a bias that counts twice"
    shared = units(6, extra=(Affine((4, 1, 2)), Map((5,), TANH)))
    assert not prove_no_maximum(shared).proved, "the bias is that of the layer below, too"
    weights = units(7, extra=(Parameter(name="c", size=(3,)), Affine((4, 1, 5)), Map((6,), TANH)))
    assert prove_no_maximum(weights).proved, "weights may be shared: only the bias moves"


@pytest.mark.parametrize("loss", ["cross-entropy", "hinge"])
def test_points_that_are_maxima_where_a_hypothesis_fails(loss: str) -> None:
    """A square unit at Psi(U) = 0; a dead ReLU unit; a hinge loss with all margins above 1."""
    random = np.random.default_rng(0)

    def near(value: float) -> np.ndarray:
        return value + 1e-3 * random.uniform(-1, 1, size=500)

    if loss == "hinge":
        u, v = near(1.0), near(3.0)
        assert (np.maximum(0, 1 - np.tanh(u) * v) == 0).all(), "constant nearby: every point is a maximum"
        return
    u, v = near(0.0), near(-1.0)
    assert (np.log1p(np.exp(-(u**2) * v)) >= np.log(2)).all()
    assert (np.log1p(np.exp(-(u**2) * near(1.0))) <= np.log(2)).all(), "u^2 has no change of sign: a maximum"
    assert (np.maximum(0, near(-1.0) + near(0.0)) == 0).all(), "a dead unit: Phi is constant nearby"
