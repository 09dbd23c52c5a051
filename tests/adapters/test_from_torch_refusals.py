"""What `from_torch` refuses, each with its line: the layer or operation by name, the reason, the remedy."""

from __future__ import annotations

import re
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import verifier as vf

RUNTIME = ("batch_fixed", "large_kernel", "channels")
"""What PyTorch itself refuses: its own message, and no remedy."""
LINES = {
    "complex": "layer '0' (Linear): its weight is complex64; supported are float16, bfloat16,",
    "nan": "layer '0' (Linear): its bias has entries that are not finite; train it anew",
    "infinity": "layer '0' (Linear): its bias has entries that are not finite; train it anew",
    "meta": "layer '0' (Linear): its weight is on the meta device and has no values; load the",
    "lazy": "layer '0' (LazyLinear): is not initialised; run the module once on data",
    "quantised": "layer '0' (Linear): is quantised; give the float module that it was made of",
    "two_inputs": "the module (Two): forward also needs 'y'; give it a default, or wrap the module",
    "two_unnamed_outputs": "the module returns a dictionary of 'a', 'b'; call the logits 'logits'",
    "branch": "the module (Made, torch_cases.py:N): a branch, a loop or a number depends on the values of a",
    "item": "the module (Made, torch_cases.py:N): a sum is taken along the samples' axis 0 of shape",
    "to_numpy": "the module (Made, torch_cases.py:N): leaves PyTorch for NumPy; write it with torch",
    "counting": "forward changes 'calls', so each call is another function; leave it",
    "random": "the module (Made, torch_cases.py:N): draws random numbers, so each call is another",
    "random_like": "the module (Made, torch_cases.py:N): the operator 'randn_like' is not taken",
    "active_dropout": "the module (Made, torch_cases.py:N): drops units in evaluation, too; pass",
    "batch_statistics": "layer '1' (BatchNorm1d): normalises by the batch's own mean and variance,",
    "batch_functional": "the module (Made, torch_cases.py:N): normalises by the batch's own mean and",
    "batch_mean": "the module (Made, torch_cases.py:N): a mean is taken along the samples' axis 0 of",
    "batch_number": "a sample's output depends on the other samples or on their number; normalise",
    "batch_number_little": "the number of samples is used as a number",
    "batch_fixed": "the module (Made, torch_cases.py:N): fails on samples of shape (4,) (float32):",
    "batch_softmax": "the module (Made, torch_cases.py:N): softmax along the samples' axis 0 of",
    "batch_sorted": "the module (Made, torch_cases.py:N): single samples are taken from axis 0 of",
    "batch_joined": "the module (Made, torch_cases.py:N): a concatenation along the samples' axis 0:",
    "batch_products": "the module (Made, torch_cases.py:N): a matrix product of shapes (3, 5) and",
    "one_sample": "the module (Made, torch_cases.py:N): single samples are taken from axis 0 of",
    "transposed_convolution": "layer '0' (ConvTranspose2d): is a transposed convolution; use an",
    "comparison": "the module (Made, torch_cases.py:N): the operator 'gt.Scalar' is not taken over;",
    "argmax": "the module (Made, torch_cases.py:N): the operator 'argmax' is not taken over; the",
    "sorted": "the module (Made, torch_cases.py:N): the operator 'sort' is not taken over; the",
    "fourier": "the module (Made, torch_cases.py:N): the operator '_fft_r2c' is not taken over; it",
    "rounded": "the module (Made, torch_cases.py:N): the operator 'round' is not taken over; it",
    "whole": "the module (Made, torch_cases.py:N): rounds values to int64; use them as they are, or",
    "whole_sum": "the module (Made, torch_cases.py:N): rounds values to int64 (dtype=...); leave dtype",
    "whole_running_sum": "the module (Made, torch_cases.py:N): rounds values to int64 (dtype=...); leave",
    "signs": "the module (Made, torch_cases.py:N): the operator 'sign' is not taken over; it jumps,",
    "bytes_wrap": "the module (Made, torch_cases.py:N): computes in uint8, which wraps around;",
    "logarithm": "the module (Made, torch_cases.py:N): expression 'log(t)': undefined at a real root",
    "hardshrink": "layer '1' (Hardshrink): hardshrink jumps at its ends; use nn.Softshrink",
    "jump": "layer '1' (Threshold): threshold=0.5, value=0 jumps; only equal numbers (0, 0: the",
    "threshold": "layer '1' (Softplus): threshold=5 makes it another function; use 20 (the default)",
    "negative_beta": "layer '1' (Softplus): beta=-1.0 is not supported; use a positive one",
    "nan_slope": "layer '1' (LeakyReLU): its parameter nan is not a finite number; use a Python",
    "empty_range": "the module (Made, torch_cases.py:N): min 1.0 must be below max 1.0",
    "large_kernel": "layer '0' (Conv2d): fails on samples of shape (1, 8, 8) (float32):",
    "channels": "layer '0' (Conv2d): fails on samples of shape (1, 8, 8) (float32): RuntimeError:",
    "fan_in": "layer '0' (Linear): reads no samples of shape (4,): it reads 3 numbers; give X as it was trained on",
    "not_flat": "the output has logits for 12 positions of each sample; return those of one (out[:,",
    "no_head": "the model ends with the function tanh, not with a linear head; end the model",
    "no_layer": "the model ends with its input, not with a linear head; end the model",
    "frozen_head": "the head's weights 2.weight are frozen; the theorems need a trained head: train",
    "tied_head": "the head's weights '0.weight' are used elsewhere, too (tied weights); give the",
    "computed_head": "the head's weights are computed from others (weight norm, LoRA, tying); make",
    "two_heads": "the output joins several tensors; end the model with a linear layer of its own,",
    "constant_feature": "the head reads a constant beside its features; use the bias of the linear",
    "number": "the module returns 4; return one tensor, the head's output",
    "zeros": "what the module returns depends on neither its input nor its weights",
}
"""By the name of the module in torch_cases.BAD, without the ``from_torch:`` before it."""


@pytest.mark.torch
@pytest.mark.parametrize("name", LINES)
def test_each_refusal_is_one_line_that_names_the_place_and_the_remedy(name: str) -> None:
    from torch_cases import BAD

    make, example = BAD[name]
    module = make()
    flags = [each.training for each in module.modules()]
    with pytest.raises(vf.InputError) as caught:
        vf.from_torch(module, example)
    said = re.sub(r"py:\d+", "py:N", str(caught.value))
    assert said.startswith(f"from_torch: {LINES[name]}")
    assert "\n" not in said
    assert (";" in said) is (name not in RUNTIME)
    assert [each.training for each in module.modules()] == flags


@pytest.mark.torch
def test_the_list_of_refusals_is_complete() -> None:
    from torch_cases import BAD

    assert set(BAD) == set(LINES)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"module": 3}, "from_torch: module = 3 must be a torch.nn.Module"),
        ({"example": "4"}, "network: input shape '4' must be integers: d, (channels, length) or"),
        ({"example": (0, 4)}, "network: input shape [0, 4] must have positive entries"),
        ({"example": np.ones(4)}, "from_torch: example has shape (4,); expected (samples, ...)"),
        ({"example": np.ones((2, 4)) * 1j}, "X: dtype complex128 is not real numbers; give real"),
        ({"module": {"0.weight": 1}}, "from_torch: module = {'0.weight': 1} must be a torch.nn.Module; load it into"),
    ],
)
def test_wrong_arguments_have_their_line(given: dict[str, Any], line: str) -> None:
    from torch_cases import mlp

    with pytest.raises(vf.InputError) as caught:
        vf.from_torch(**({"module": mlp(), "example": 4} | given))
    assert str(caught.value).startswith(line)


@pytest.mark.torch
def test_scripts_are_refused_and_compiled_modules_unwrapped() -> None:
    import torch
    from torch_cases import mlp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript, which torch.compile loads, too
        script, compiled = torch.jit.script(mlp()), torch.compile(mlp())
    with pytest.raises(vf.InputError, match="is TorchScript; give the module that it was made of"):
        vf.from_torch(script, 4)
    assert vf.from_torch(compiled, 4).head == "2"


def test_without_pytorch_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(vf.InputError) as caught:
        vf.from_torch(object(), 4)  # type: ignore[arg-type]
    assert str(caught.value) == (
        'from_torch needs PyTorch, which is not installed; run in your clone of this repository: pip install ".[torch]"'
    )


@pytest.mark.torch
@pytest.mark.parametrize(
    ("tie", "why"),
    [
        ("transposed", "layer '0' (Linear): its weight has numbers in common with 2.weight (views of one tensor)"),
        ("data", "layer '0' (Linear): its weight has numbers in common with 2.weight (views of one tensor)"),
        ("part", "layer '0' (Linear): its weight has numbers in common with 2.weight (views of one tensor)"),
        ("bias", "layer '0' (Linear): its weight has numbers in common with 2.bias (views of one tensor)"),
        ("buffer", "a buffer, a constant or a frozen parameter has numbers in common with 0.weight"),
        ("frozen", "a buffer, a constant or a frozen parameter has numbers in common with 0.weight"),
        ("expanded", "layer '2' (Linear): its weight repeats numbers in memory (torch.expand), so they are tied"),
    ],
)
def test_numbers_shared_in_another_shape_are_not_taken_as_free(tie: str, why: str) -> None:
    import torch
    from torch import nn

    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2, bias=False))
    first, second, pool = module[0], module[2], torch.randn(100)
    if tie == "transposed":
        second.weight = nn.Parameter(first.weight.t())
    elif tie == "data":
        second.weight.data = first.weight.data.t()
    elif tie == "part":
        first.weight, second.weight = nn.Parameter(pool[:30].view(5, 6)), nn.Parameter(pool[29:59].view(6, 5))
    elif tie == "bias":
        second.bias = nn.Parameter(first.weight[0])
    elif tie == "buffer":
        del second.weight
        second.register_buffer("weight", first.weight.data.t())
    elif tie == "frozen":
        second.weight = nn.Parameter(first.weight.data.t(), requires_grad=False)
    else:
        second.weight = nn.Parameter(torch.ones(1, 5).expand(6, 5))
    with pytest.raises(vf.InputError) as caught:
        vf.from_torch(module, 6)
    assert why in str(caught.value)


@pytest.mark.torch
def test_views_that_interleave_without_meeting_are_free() -> None:
    import torch
    from torch import nn

    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 5, bias=False))
    pool = torch.randn(5, 12)
    module[0].weight, module[4].weight = nn.Parameter(pool[:, :6]), nn.Parameter(pool[:, 6:])
    assert vf.from_torch(module, 6).network.parameter_count == 71
