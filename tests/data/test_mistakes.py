"""Typical mistakes with the public constructors: one line with the value, the bound and the remedy."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import verifier as vf

DENSE = vf.Dense(5, "tanh", skip=True)
NETWORK = vf.Network(3, DENSE)


def data(**change: Any) -> vf.Dataset:
    given: dict[str, Any] = {"name": "d", "inputs": np.eye(3), "labels": np.array([0, 1, 2]), "classes": 3}
    return vf.Dataset(**(given | change))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: vf.Dense("5", "tanh"), "Dense: width = '5' must be an integer"),
        (lambda: vf.Dense(2.5, "tanh"), "Dense: width = 2.5 must be an integer"),
        (lambda: vf.Dense(True, "tanh"), "Dense: width = True must be an integer"),
        (lambda: vf.Network(3, vf.Dense(0, "tanh", skip=True)), "width is 0; it must be at least 1"),
        (lambda: vf.Dense(5, "tahn"), "did you mean 'tanh'?"),
        (lambda: vf.Dense(5, np.tanh), 'must be a name such as "tanh"'),
        (lambda: vf.Dense(5, "tanh", skip="all"), "True, False or a list of unit indices"),
        (lambda: vf.Dense(5, "tanh", skip=[0.5]), "an entry of skip = 0.5 must be an integer"),
        (lambda: vf.Network(3, vf.Dense(5, "tanh", skip=[0, 9])), "unit indices in 0..4"),
        (lambda: vf.Dense(5, "tanh", inputs=[None]), "an entry of inputs = None must be an integer"),
        (lambda: vf.Network(3, vf.Dense(5, "tanh", True, "inputs")), 'use "input" or an index below 0'),
        (lambda: vf.Conv(2, 3, "tanh"), "Conv: kernel = 3 must have a number per axis, such as (3,) or (3, 3)"),
        (lambda: vf.Conv(2, (3,), "tanh", bias="tide"), "did you mean 'tied'?"),
        (lambda: vf.Conv("2", (3,), "tanh"), "Conv: filters = '2' must be an integer"),
        (lambda: vf.AvgPool(2), "AvgPool: kernel = 2 must have a number per axis"),
        (lambda: vf.Network("3", DENSE), "input shape '3' must be integers"),
        (lambda: vf.Network(3.5, DENSE), "input shape 3.5 must be integers"),
        (lambda: vf.Network(0, DENSE), "must have positive entries"),
        (lambda: vf.Network(3, []), "at least one hidden layer"),
        (lambda: vf.Network(3, ["tanh"]), "layers[0] is 'tanh', not a layer"),
        (lambda: vf.Network(3, vf.Dense(5, "tanh")), "set skip = true"),
        (lambda: vf.activation("sigmod"), "did you mean 'sigmoid'?"),
        (lambda: vf.activation(3), "write for example 'tanh'"),
        (lambda: data(labels=np.array([1, 2, 3])), "3 is outside 0..2; renumber the classes from 0: y = numpy.unique"),
        (lambda: data(labels=["a", "b", "c"]), "number the classes from 0: y = numpy.unique"),
        (lambda: vf.initialise(NETWORK, "normal"), "init = 'normal' is unknown; use one of"),
        (lambda: vf.initialise(NETWORK, seed="0"), "seed = '0' must be an integer"),
        (lambda: vf.initialise(NETWORK, seed=-1), "seed = -1 must not be negative"),
        (lambda: vf.initialise(NETWORK, scale="big"), "scale = 'big' must be 0 or in 1e-30..1e30"),
        (lambda: vf.initialise([DENSE]), "is no Network; make one: Network(input_shape, layers)"),
        (lambda: vf.output_weights(NETWORK, 1), "classes = 1 must be an integer of at least 2"),
        (lambda: vf.output_weights(NETWORK, 2, "ones"), "use gaussian or zeros"),
        (lambda: NETWORK.views(np.zeros(19)), "U has shape (19,); this network has p = 20 parameters"),
        (lambda: NETWORK.views([0.0] * 20), "U has type list"),
        (lambda: vf.load_dataset("irirs"), "did you mean 'iris'?"),
        (lambda: vf.dataset_from_arrays(np.zeros((2, 3)), [0, 1], shape=(2, 2)), "its product must be the dimension 3"),
        (lambda: vf.dataset_from_arrays(np.zeros((0, 3)), []), "at least 1 of each"),
    ],
)
def test_a_mistake_gets_one_line(call: Callable[[], object], says: str) -> None:
    with pytest.raises(vf.InputError) as caught:
        call()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lists_names_and_numbers_are_taken() -> None:
    dense = vf.Dense(np.int64(5), "tanh", skip=[0, 2], inputs="input")
    assert dense == vf.Dense(5, vf.activation("tanh"), (0, 2), ("input",))
    assert vf.Network(3, [dense]) == vf.Network((3,), (dense,))
    assert vf.Conv(2, [3], "tanh", [1]) == vf.Conv(2, (3,), vf.activation("tanh"), (1,))
    assert vf.AvgPool([2, 2], [1, 1]) == vf.AvgPool((2, 2), (1, 1))
    assert vf.Network([1, 4, 4], [vf.AvgPool([2, 2], skip=True)]).skip_count == 4
    assert data(classes=np.int64(3)).classes == 3
    assert type(data(classes=np.int64(3)).classes) is int


@pytest.mark.parametrize(
    "layer",
    [
        vf.Dense(5, "tanh", True),
        vf.Dense(5, "t + sin(t)", (0, 1), ("input",)),
        vf.Conv(2, (3, 3), "softplus(20)", (2, 2), "tied", True),
        vf.AvgPool((2,), (1,), inputs=(0,)),
    ],
)
def test_layers_print_as_the_call_that_makes_them(layer: vf.Dense | vf.Conv | vf.AvgPool) -> None:
    names = {"Dense": vf.Dense, "Conv": vf.Conv, "AvgPool": vf.AvgPool}
    assert eval(repr(layer), names) == layer
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert replace(layer, skip=False).skip is False


def test_reprs_stay_short() -> None:
    wide = vf.Dense(9000, "tanh", skip=range(0, 9000, 2))
    assert repr(wide) == "Dense(9000, 'tanh', skip=<4500 entries>)"
    deep = vf.Network(3, [*[vf.Dense(4, "tanh")] * 50, DENSE])
    assert repr(deep) == "<Network: input 3; M = 5 skip units, p = 1021 parameters>"
    assert deep._repr_html_().count("<tr") == 52
    assert len(repr(vf.activation("+".join(f"sin({k}*t)" for k in range(1, 40))))) < 300
    assert repr(data()) == "<Dataset: d, 3 samples x 3, 3 classes\n  classes 0, 1, 2; scaling none>"


def test_a_pytorch_module_as_network_is_told_how_it_is_taken_over() -> None:
    class Module:
        """As torch.nn.Module looks from outside."""

        def state_dict(self) -> None: ...

        def named_modules(self) -> None: ...

    with pytest.raises(vf.InputError, match=r"a PyTorch module .*from_torch"):
        vf.Network(3, Module())  # type: ignore[arg-type]
