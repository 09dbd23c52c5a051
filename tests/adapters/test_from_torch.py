"""A PyTorch module becomes the network that it is: the same function, and every weight bit for bit."""

from __future__ import annotations

import copy
import subprocess
import sys
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import verifier as vf
from verifier.adapters.pytorch.activations import RULES
from verifier.balls.precision import working_precision
from verifier.network.forward import approx_features

BITS = 128
TOLERANCE = 1e-12
"""Of float64 evaluations of these small networks."""
NAMES = (
    "mlp deep float64 bfloat16 float16 flattened cnn cnn64 same selections lines dense_net pooled_channels functional "
    "buffer device mask list slice index_select default_argument unused"
).split()

pytestmark = pytest.mark.torch


def good(name: str) -> tuple[Any, tuple[int, ...]]:
    import torch
    from torch_cases import GOOD

    torch.manual_seed(len(name))
    make, shape = GOOD[name]
    return make(), shape


def evaluated(module: Any, X: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What the module computes in float64, in evaluation mode."""
    import torch

    double = copy.deepcopy(module).double().eval()
    with torch.no_grad():
        return double(torch.from_numpy(X).reshape(-1, *shape)).numpy()


def require_same(module: Any, shape: tuple[int, ...], found: vf.TorchNetwork) -> None:
    X = np.random.default_rng(1).normal(size=(6, int(np.prod(shape))))
    expected = evaluated(module, X, shape)
    assert np.ptp(expected) > 1e-3  # not constant
    assert np.abs(approx_features(found.network, found.u, X) @ found.v - expected).max() < TOLERANCE
    with working_precision(BITS):
        output = vf.ExactArray.of_floats(found.v).arb_mat()
        for rows, features in vf.FeatureEnclosure(found.network, found.u, X, BITS).blocks():
            logits = features * output
            for i, j in np.ndindex(expected[rows].shape):
                assert float(logits[i, j].rad()) < 1e-30
                assert abs(float(logits[i, j].mid()) - expected[rows][i, j]) < TOLERANCE


def test_the_list_of_modules_is_complete() -> None:
    from torch_cases import GOOD

    assert set(GOOD) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_function_is_the_same(name: str) -> None:
    module, shape = good(name)
    require_same(module, shape, vf.from_torch(module, shape))


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_taken_over_bit_for_bit(name: str) -> None:
    import torch

    module, shape = good(name)
    found = vf.from_torch(module, shape)
    state = {key: value.to(torch.float64).numpy() for key, value in module.state_dict().items()}
    views, taken = found.network.views(found.u), 0
    for index, part in enumerate(found.names[:-1]):
        if f"layer{index}.weight" not in views:
            continue
        weight, bias = views[f"layer{index}.weight"], views[f"layer{index}.bias"]
        assert weight.tobytes() == state[f"{part}.weight"].tobytes()
        assert bias.tobytes() == state.get(f"{part}.bias", np.zeros(len(bias))).tobytes()
        taken += weight.size + bias.size
    assert taken == found.u.size
    head = state[f"{found.names[-1]}.weight"]
    assert sorted(map(bytes, found.v)) == sorted(map(bytes, np.ascontiguousarray(head.T)))


def test_selected_columns_are_in_the_order_of_psi() -> None:
    module, shape = good("buffer")  # sigmoid's units 0..4, then tanh's: 7, 1, 4, 9 are tanh 2, sigmoid 1 and 4, tanh 4
    found = vf.from_torch(module, shape)
    assert found.network.skip_units == ((0, (2, 4)), (1, (1, 4)))
    weight = module.h.weight.detach().double().numpy()
    assert found.v.tobytes() == np.ascontiguousarray(weight.T[[0, 3, 1, 2]]).tobytes()


def test_layers_are_what_they_would_be_by_hand() -> None:
    module, shape = good("cnn")
    found = vf.from_torch(module, shape)
    assert found.network.layers == (
        vf.Conv(4, (3, 3), "tanh", bias="tied", padding=1),
        vf.AvgPool((2, 2)),
        vf.Conv(5, (3, 3), "sigmoid", stride=(2, 2), bias="tied", padding=(1, 1)),
        vf.Dense(9, "softplus", skip=True),
    )
    assert found.names == ("0", "2", "3", "6", "8")
    assert np.array_equal(found.v, module[8].weight.detach().double().numpy().T)


def test_a_bias_of_the_head_is_the_last_row_of_v() -> None:
    import torch

    torch.manual_seed(3)
    module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    found = vf.from_torch(module, 4)
    assert found.network.output_bias and found.network.skip_count == 6
    assert np.array_equal(found.v[-1], module[2].bias.detach().double().numpy())
    require_same(module, (4,), found)
    without = vf.from_torch(torch.nn.Sequential(module[0], module[1], torch.nn.Linear(5, 3, bias=False)), 4)
    assert not without.network.output_bias
    assert np.array_equal(without.u, found.u)
    assert np.array_equal(without.v.shape, (5, 3))


ACTIVATIONS = {
    **{name: (name, "") for name in ("sigmoid", "tanh", "relu", "silu", "gelu", "softplus", "mish", "softsign")},
    **{name: (name, "") for name in ("elu", "leaky_relu", "hardtanh", "relu6", "logsigmoid", "tanhshrink")},
    **{f"torch_{name}": (name, "torch") for name in ("sin", "cos", "erf", "arctan", "atan", "exp", "square", "tanh")},
    **{f"method_{name}": (name, "method") for name in ("sin", "erf", "arctan", "exp", "square", "sigmoid", "relu")},
    "expit": ("expit", "special"),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_the_same_functions(name: str) -> None:
    import torch
    from torch_cases import made

    called, home = ACTIVATIONS[name]
    homes = {"": torch.nn.functional, "torch": torch, "special": torch.special}
    sigma = methodcaller(called) if home == "method" else getattr(homes[home], called)
    torch.manual_seed(1)
    module = made(lambda self, x: self.h(sigma(self.a(x))))
    module.a.weight.data *= 3  # so that both sides of the breaks are seen
    require_same(module, (4,), vf.from_torch(module, 4))


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.module])
def test_activations_as_modules_are_the_same_functions(name: str) -> None:
    import torch
    from torch_cases import mlp

    torch.manual_seed(2)
    arguments = (0, 0) if name == "threshold" else ()  # which has no defaults
    module = mlp(getattr(torch.nn, RULES[name].module)(*arguments))
    module[0].weight.data *= 3
    require_same(module, (4,), vf.from_torch(module, 4))


def test_parameters_of_activations_are_the_binary_numbers() -> None:
    import torch
    from torch_cases import mlp

    for layer in (torch.nn.LeakyReLU(0.01), torch.nn.Softplus(0.1), torch.nn.ELU(0.3), torch.nn.Hardtanh(-0.1, 0.7)):
        found = vf.from_torch(mlp(layer), 4)
        assert "/" in found.network.layers[0].activation.canonical
    slope = vf.from_torch(mlp(torch.nn.LeakyReLU(0.01)), 4).network.layers[0].activation
    assert slope == vf.activation("leaky_relu(5764607523034235/576460752303423488)") != vf.activation("leaky_relu")


@pytest.mark.parametrize("name", ["cnn", "functional", "buffer", "index_select", "unused"])
def test_the_module_stays_as_it_is(name: str) -> None:
    module, shape = good(name)
    module.train()
    list(module.modules())[-1].eval()
    flags = [each.training for each in module.modules()]
    state = {key: value.clone() for key, value in module.state_dict().items()}
    attributes = [set(vars(each)) for each in module.modules()]
    hooks = [len(each._forward_hooks) + len(each._forward_pre_hooks) for each in module.modules()]
    vf.from_torch(module, shape)
    assert [each.training for each in module.modules()] == flags
    assert [set(vars(each)) for each in module.modules()] == attributes
    assert [len(each._forward_hooks) + len(each._forward_pre_hooks) for each in module.modules()] == hooks
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())
    assert state.keys() == module.state_dict().keys()
    assert all(value.equal(state[key]) for key, value in module.state_dict().items())


def test_arrays_are_not_the_modules_memory() -> None:
    module, shape = good("float64")
    found = vf.from_torch(module, shape)
    before = found.u.copy(), found.v.copy()
    for parameter in module.parameters():
        parameter.data.add_(1)
    assert np.array_equal(found.u, before[0])
    assert np.array_equal(found.v, before[1])


OPERATIONS = st.sampled_from(["linear", "linear", "conv", "pool"])
SIGMAS = ("tanh", "sigmoid", "softplus", "gelu", "silu", "relu", "elu", "identity")


@st.composite
def architectures(draw: st.DrawFn) -> dict[str, Any]:
    """Layers that read any earlier ones, and the units of all that the head reads, in any order."""
    shape = draw(st.sampled_from([(5,), (2, 6), (1, 5, 4)]))
    shapes, layers = [shape], []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(OPERATIONS)
        spatial = [at for at, each in enumerate(shapes) if len(each) > 1]
        if kind == "linear" or not spatial:
            reads = draw(st.lists(st.integers(0, len(shapes) - 1), min_size=1, max_size=3, unique=True))
            layer = {"kind": "linear", "reads": reads, "width": draw(st.integers(1, 5))}
            out: tuple[int, ...] = (layer["width"],)
        else:
            first = draw(st.sampled_from(spatial))
            space = shapes[first][1:]
            alike = [at for at in spatial if shapes[at][1:] == space]
            reads = draw(st.lists(st.sampled_from(alike), min_size=1, max_size=3, unique=True))
            reads = reads if kind == "conv" else reads[:2]
            kernel = [draw(st.integers(1, min(n, 3))) for n in space]
            padding = [draw(st.integers(0, k - 1)) if kind == "conv" else 0 for k in kernel]
            stride = [draw(st.integers(1, 2)) for _ in space]
            layer = {"kind": kind, "reads": reads, "kernel": kernel, "stride": stride, "padding": padding}
            layer["width"] = draw(st.integers(1, 3)) if kind == "conv" else sum(shapes[at][0] for at in reads)
            sizes = zip(space, kernel, stride, padding, strict=True)
            out = (layer["width"], *((n + 2 * p - k) // s + 1 for n, k, s, p in sizes))
        layer |= {
            "bias": draw(st.booleans()),
            "sigma": draw(st.sampled_from(SIGMAS)),
            "fan_in": [shapes[a] for a in reads],
        }
        shapes.append(out)
        layers.append(layer)
    units = sum(int(np.prod(each)) for each in shapes[1:])
    chosen = draw(st.permutations(range(units)))[: draw(st.integers(1, units))]
    return {"shape": shape, "layers": layers, "units": units, "chosen": chosen, "by": draw(st.sampled_from("lt"))}


@given(architecture=architectures(), seed=st.integers(0, 2**31))
def test_random_architectures(architecture: dict[str, Any], seed: int) -> None:
    import torch
    from torch_cases import assembled

    torch.manual_seed(seed)
    module = assembled(**architecture)
    shape = architecture["shape"]
    found = vf.from_torch(module, shape)
    X = np.random.default_rng(seed).normal(size=(3, int(np.prod(shape))))
    expected = evaluated(module, X, shape)
    assert found.network.skip_count == len(architecture["chosen"])
    assert np.abs(approx_features(found.network, found.u, X) @ found.v - expected).max() < TOLERANCE


def test_a_trained_network_is_certified(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    data = vf.load_dataset("iris")
    X = torch.from_numpy(data.inputs - data.inputs.mean(axis=0)).float()
    y = torch.tensor(np.asarray(data.labels))
    module = torch.nn.Sequential(torch.nn.Linear(4, 200), torch.nn.Tanh(), torch.nn.Linear(200, 3, bias=False))
    with torch.no_grad():
        module[0].weight.mul_(6)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(X), y)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    found = vf.from_torch(module, 4)
    report = vf.verify(X.double().numpy(), y.tolist(), found.network, found.u, found.v)
    assert report.verdict("rank") == "PROVED"
    assert report.verdict("path") == "PROVED"
    ((_, low, high),) = report.path.sample([0.0])
    with torch.no_grad():
        reached = torch.nn.functional.cross_entropy(module.double()(X.double()), y).item()
    assert low - 1e-12 < reached < high + 1e-12
    assert vf.check(report.write(tmp_path / "trained.json")).accepted


def test_a_result_shows_itself() -> None:
    module, shape = good("cnn")
    found = vf.from_torch(module, shape)
    assert repr(found) == (
        "<TorchNetwork: 4 layers, p = 414 parameters, M = 9 skip units\n  input 1x8x8; head 8, 4 outputs>"
    )
    assert "Conv(4, (3, 3)" in found._repr_html_()
    assert "tensor" not in repr(found)


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, verifier; verifier.from_torch, verifier.TorchNetwork; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
