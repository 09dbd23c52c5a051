"""A PyTorch module becomes the network that it is: the same function, and every weight bit for bit."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import verifier as vf
from verifier.balls.precision import working_precision
from verifier.network.forward import approx_features

BITS = 128
TOLERANCE = 1e-11
"""Of float64 evaluations of these small networks."""
CONVERTING = ("float", "to_dtype", "bytes", "one_hot", "whole_numbers")
"""Modules that convert to float32 themselves: they have no evaluation in float64."""

pytestmark = pytest.mark.torch


def names(table: str) -> list[str]:
    """The names in a table of modules; none where PyTorch is not installed."""
    try:
        import torch_cases
    except ModuleNotFoundError:
        return []
    return list(getattr(torch_cases, table))


def made(table: str, name: str) -> tuple[Any, Any]:
    import torch
    import torch_cases

    torch.manual_seed(len(name))
    make, example = getattr(torch_cases, table)[name]
    return make(), example


def samples(example: Any) -> Any:
    import torch

    if isinstance(example, torch.Tensor):
        return example
    shape = (example,) if isinstance(example, int) else example
    return torch.from_numpy(np.random.default_rng(1).normal(size=(6, *shape)))


def evaluated(module: Any, x: Any) -> np.ndarray:
    """What the module computes in float64, in evaluation mode."""
    import torch

    double = copy.deepcopy(module).double().eval()
    with torch.no_grad():
        found = double(x)
    found = found["logits"] if isinstance(found, dict) else found[0] if isinstance(found, tuple) else found
    return found.numpy()  # type: ignore[no-any-return]


def require_same(module: Any, example: Any, found: Any) -> None:
    import torch

    x = samples(example)
    expected = evaluated(module, x)
    x = samples(example)  # anew: forward may change it
    logits = approx_features(found.network, found.u, x.double().reshape(len(x), -1).numpy()) @ found.v
    if found.remarks and "softmax" in found.remarks[0]:
        logits = (torch.log_softmax if (expected < 0).any() else torch.softmax)(torch.from_numpy(logits), 1).numpy()
    assert np.ptp(expected) > 1e-3  # not constant
    assert np.abs(logits.reshape(expected.shape) - expected).max() < TOLERANCE


@pytest.mark.parametrize("name", names("GOOD"))
def test_layers_are_the_same_function(name: str) -> None:
    module, shape = made("GOOD", name)
    require_same(module, shape, vf.from_torch(module, shape))


@pytest.mark.parametrize("name", names("NETS"))
def test_whole_networks_are_the_same_function(name: str) -> None:
    module, example = made("NETS", name)
    found = vf.from_torch(module, example)
    if name not in ("replaced", "hooked", "parallel"):  # their copies call the layers of the original
        require_same(module, example, found)
    trained = {key: value for key, value in module.named_parameters() if value.requires_grad}
    for view in found.network.parameters:
        key = view.name if view.name in trained else f"module.{view.name}"
        assert view.of(found.u).tobytes() == trained[key].detach().double().numpy().tobytes()


@pytest.mark.parametrize("name", names("IDIOMS"))
def test_idioms_of_forward_are_the_same_function(name: str) -> None:
    module, example = made("IDIOMS", name)
    found = vf.from_torch(module, example)
    if name not in CONVERTING:
        require_same(module, example, found)
    assert found.head in ("h", "2")


@pytest.mark.parametrize("name", ["cnn", "dense_net", "selections"])
def test_balls_contain_the_modules_logits(name: str) -> None:
    module, shape = made("GOOD", name)
    found = vf.from_torch(module, shape)
    x = samples(shape)
    expected = evaluated(module, x)
    with working_precision(BITS):
        output = vf.ExactArray.of_floats(found.v).arb_mat()
        enclosure = vf.FeatureEnclosure(found.network, found.u, x.reshape(len(x), -1).numpy(), BITS)
        for rows, features in enclosure.blocks():
            logits = features * output
            for i, j in np.ndindex(expected[rows].shape):
                assert float(logits[i, j].rad()) < 1e-30
                assert abs(float(logits[i, j].mid()) - expected[rows][i, j]) < TOLERANCE


def test_layers_are_what_they_would_be_by_hand() -> None:
    module, shape = made("GOOD", "cnn")
    found = vf.from_torch(module, shape)
    by_hand = vf.Network(
        (1, 8, 8),
        [
            vf.Conv(4, (3, 3), "tanh", bias="tied", padding=1),
            vf.AvgPool((2, 2)),
            vf.Conv(5, (3, 3), "sigmoid", stride=(2, 2), bias="tied", padding=(1, 1)),
            vf.Dense(9, "softplus", skip=True),
        ],
    )
    assert found.network.layers == vf.Network.of(by_hand.nodes, by_hand.features).layers
    assert found.head == "8"
    assert np.array_equal(found.v, module[8].weight.detach().double().numpy().T)


def test_a_bias_of_the_head_is_the_last_row_of_v() -> None:
    import torch

    torch.manual_seed(3)
    module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    found = vf.from_torch(module, 4)
    assert found.network.output_bias and found.network.columns == 6
    assert np.array_equal(found.v[-1], module[2].bias.detach().double().numpy())
    require_same(module, 4, found)


def test_frozen_parameters_are_numbers_and_no_part_of_u() -> None:
    module, example = made("NETS", "lora")
    found = vf.from_torch(module, example)
    assert [view.name for view in found.network.parameters] == ["down.weight", "down.bias", "up.weight", "up.bias"]
    require_same(module, example, found)


def test_tied_weights_are_one_parameter() -> None:
    module, example = made("NETS", "tied")
    found = vf.from_torch(module, example)
    assert [view.name for view in found.network.parameters] == ["0.weight", "0.bias", "2.bias"]
    module[2].weight = module[0].weight.__class__(module[0].weight.data)  # another object, the same memory
    assert vf.from_torch(module, example).network == found.network


ACTIVATIONS = (
    "ReLU ReLU6 LeakyReLU PReLU RReLU ELU CELU SELU GELU SiLU Mish Softplus Softsign Tanhshrink Softshrink Hardtanh "
    "Hardsigmoid Hardswish LogSigmoid Sigmoid Tanh"
).split()
WITH_NUMBERS = {
    "LeakyReLU": (0.3,), "PReLU": (5,), "ELU": (0.3,), "CELU": (0.7,), "GELU": ("tanh",), "Softplus": (3.0,),
    "Softshrink": (0.2,), "Hardtanh": (-0.1, 0.7), "Threshold": (0, 0), "RReLU": (0.1, 0.2),
}  # fmt: skip
FUNCTIONS = "sin cos exp erf erfc expm1 atan sinh cosh abs square relu tanh sigmoid".split()


@pytest.mark.parametrize("name", ACTIVATIONS + [f"{name}()" for name in WITH_NUMBERS] + FUNCTIONS)
def test_activations_are_the_same_functions(name: str) -> None:
    import torch
    from torch_cases import made as of
    from torch_cases import mlp

    torch.manual_seed(2)
    plain = name.removesuffix("()")
    if plain in FUNCTIONS:
        module = of(lambda self, x: self.h(getattr(torch, plain)(self.a(x))))
        module.a.weight.data *= 3
    else:
        module = mlp(getattr(torch.nn, plain)(*(WITH_NUMBERS[plain] if name.endswith("()") else ())))
        module[0].weight.data *= 3  # so that both sides of the breaks are seen
    found = vf.from_torch(module, 4)
    require_same(module, 4, found)
    if plain != "PReLU":
        assert found.network.layered is not None  # one dense layer with one activation


def test_parameters_of_activations_are_the_binary_numbers() -> None:
    import torch
    from torch_cases import mlp

    slope = vf.from_torch(mlp(torch.nn.LeakyReLU(0.01)), 4).network.layers[0].activation
    assert slope.canonical == "Max(0, t) + 5764607523034235*Min(0, t)/576460752303423488"


@pytest.mark.parametrize(("table", "name"), [("GOOD", "cnn"), ("NETS", "resnet"), ("NETS", "spectral_norm")])
def test_the_module_stays_as_it_is(table: str, name: str) -> None:
    module, shape = made(table, name)
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


def test_a_module_that_changes_itself_is_left_as_it_was() -> None:
    import torch_cases

    module = torch_cases.Counting()
    calls = module.calls
    with pytest.raises(vf.InputError, match="forward changes 'calls'"):
        vf.from_torch(module, 4)
    assert module.calls is calls
    assert float(calls) == 0


def test_arrays_are_not_the_modules_memory() -> None:
    module, shape = made("GOOD", "float64")
    found = vf.from_torch(module, shape)
    before = found.u.copy(), found.v.copy()
    for parameter in module.parameters():
        parameter.data.add_(1)
    assert np.array_equal(found.u, before[0])
    assert np.array_equal(found.v, before[1])


@pytest.mark.parametrize("kind", ["uint8", "int64", "int32", "float32", "float64", "array", "list"])
def test_the_example_is_given_to_the_module_in_a_type_that_it_takes(kind: str) -> None:
    import torch

    whole = np.array([[0, 3, 2, 1], [4, 5, 6, 0], [4, 5, 6, 0], [1, 1, 1, 1]])
    tokens = torch.nn.Sequential(torch.nn.Embedding(7, 3), torch.nn.Flatten(), torch.nn.Linear(12, 3))
    dense, _ = made("GOOD", "mlp")
    given = whole.tolist() if kind == "list" else whole if kind == "array" else torch.tensor(whole)
    given = given if kind in ("list", "array") else given.to(getattr(torch, kind))
    for module, first in ((tokens, "embed"), (dense, "affine")):
        nodes = [node.kind for node in vf.from_torch(module, given).network.nodes]
        assert next(each for each in nodes if each in ("embed", "affine")) == first


def test_one_sample_is_enough() -> None:
    module, _ = made("GOOD", "mlp")
    assert vf.from_torch(module, np.ones((1, 4))).network == vf.from_torch(module, 4).network


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
    expected = evaluated(module, torch.from_numpy(X).reshape(-1, *shape))
    assert found.network.columns == len(architecture["chosen"])
    assert np.abs(approx_features(found.network, found.u, X) @ found.v - expected).max() < TOLERANCE


@pytest.mark.parametrize("name", ["decoder", "gru", "resnet", "post_norm"])
def test_a_network_is_certified_at_its_weights(name: str, tmp_path: Path) -> None:
    module, example = made("NETS", name)
    found = vf.from_torch(module, example)
    X = samples(example)[:4]
    inputs = X.double().reshape(len(X), -1).numpy()
    report = vf.verify(inputs, [0, 1, 2, 0], found.network, found.u, found.v, data_scale="none")
    assert report.verdict("rank") == "PROVED"
    assert report.verdict("path") == "PROVED"
    ((_, low, high),) = report.path.sample([0.0])
    logits = evaluated(module, X)
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[range(4), [0, 1, 2, 0]])
    assert low - 1e-12 < expected < high + 1e-12
    assert vf.check(report.write(tmp_path / "trained.json")).accepted


def test_verify_takes_the_module_and_its_data_as_they_are() -> None:
    import torch

    module, _ = made("IDIOMS", "bytes")
    X = torch.from_numpy(np.random.default_rng(3).integers(0, 256, (5, 4), dtype=np.uint8))
    report = vf.verify(X, [0, 1, 2, 0, 1], module)
    found = vf.from_torch(module, X)
    by_hand = vf.verify(X.numpy(), [0, 1, 2, 0, 1], found.network, found.u, found.v, data_scale="none")
    assert report.verdict("rank") == by_hand.verdict("rank") == "PROVED"
    assert report.path.sample([0.0]) == by_hand.path.sample([0.0])


@pytest.mark.parametrize(
    ("cut", "names"),
    [
        ("", ""),
        ("unused", ""),
        ("detach", "0.weight, 0.bias"),
        ("no_grad", "0.weight, 0.bias, 1.weight, 1.bias"),
        ("weight", "0.weight"),
    ],
)
def test_what_is_kept_from_training_is_said(cut: str, names: str) -> None:
    import torch

    class Cut(torch.nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if cut == "no_grad":
                with torch.no_grad():
                    return self[1](torch.tanh(self[0](x)))
            weight = self[0].weight.detach() if cut == "weight" else self[0].weight
            h = torch.tanh(torch.nn.functional.linear(x.detach(), weight, self[0].bias))
            return self[1](h.detach() if cut == "detach" else h)

    module = Cut(torch.nn.Linear(2, 3), torch.nn.Linear(3, 2), *[torch.nn.Linear(1, 1)] * (cut == "unused"))
    remarks = vf.from_torch(module, 2).remarks
    said = f"no gradient reaches {names} (.detach() or torch.no_grad() in forward): they are read as trained"
    assert [remark.startswith(said) for remark in remarks] == [True] * bool(names)


def test_a_fault_of_the_translation_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.adapters.pytorch.operators import OPERATORS

    module, shape = made("GOOD", "mlp")
    monkeypatch.setitem(OPERATORS, "tanh", lambda c, x: c.to.elementwise("t/(1 + abs(t))", x))
    with pytest.raises(vf.InputError, match="differ from the module's on the example"):
        vf.from_torch(module, shape)


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, verifier; verifier.from_torch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
