"""What `from_torch` refuses, each with its line: the layer or operation by name, the reason, the remedy."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest

import verifier as vf

SUPPORTED = (
    "supported are Linear, Conv1d, Conv2d, AvgPool1d, AvgPool2d, activations, Flatten, Dropout, Identity, torch.cat "
    "and a selection of columns for the head"
)
IMAGES = (
    *("max_pool", "functional_max_pool", "groups", "dilation", "reflected", "same", "wide_padding", "padded_pool"),
    *("ceil", "divisor", "adaptive", "activated_pool", "mean_of_channels", "large_kernel", "channels", "not_flat"),
    *(
        "unflattened",
        "pool_at_the_end",
        "three_axes",
        "flat_weight",
        "mean_of_all",
        "too_many_outputs",
        "cat_positions",
    ),
    "two_selections",
)
"""The modules that read images."""

LINES = {
    "batch_norm": (
        "layer '1' (BatchNorm1d): is not taken over; build the network of blocks (vf.BatchNorm), or fold it into the "
        "layer before it "
        "(torch.nn.utils.fusion.fuse_conv_bn_eval or fuse_linear_bn_eval)"
    ),
    "layer_norm": (
        "layer '1' (LayerNorm): is not taken over; build the network of blocks (vf.LayerNorm, vf.GroupNorm, vf.RMSNorm)"
    ),
    "max_pool": (
        "layer '2' (MaxPool2d): is not taken over; build the network of blocks (vf.MaxPool), or use average pooling"
    ),
    "functional_max_pool": (
        "operation 'max_pool2d' (max_pool2d of a): is not taken over; build the network of blocks "
        "(vf.MaxPool), or use average pooling"
    ),
    "residual": (
        "operation 'add' (add of tanh, b): adds values, which is not taken over; build the "
        "network of blocks (vf.Add) and give its weights by name"
    ),
    "residual_in_place": (
        "operation 'add_' (add_ of tanh, b): adds values, which is not taken over; build the "
        "network of blocks (vf.Add) and give its weights by name"
    ),
    "scaled": (
        "operation 'truediv' (truediv of x): computes with values outside layers; put it into the weights of the "
        "next layer, or into the data"
    ),
    "groups": "layer '2' (Conv2d): groups=2 is not supported; use groups=1",
    "dilation": "layer '0' (Conv2d): dilation=(2, 2) is not supported; use dilation=1",
    "reflected": "layer '0' (Conv2d): padding_mode='reflect' is not supported; use 'zeros'",
    "same": "layer '0' (Conv2d): padding='same' with kernel (2, 2) pads more on one side; use odd kernels or padding=0",
    "wide_padding": (
        "layer '0' (Conv2d): padding 3 must be below the kernel size 3, else some windows hold nothing but zeros"
    ),
    "padded_pool": "layer '2' (AvgPool2d): padding=1 is not supported in a pool; use padding=0",
    "ceil": "layer '2' (AvgPool2d): ceil_mode makes windows stick out of (6, 6); use ceil_mode=False",
    "divisor": "layer '2' (AvgPool2d): divisor_override=3 is not supported; leave it out",
    "adaptive": "layer '2' (AdaptiveAvgPool2d): output_size=4 of (6, 6) has windows of several sizes; use nn.AvgPool2d",
    "activated_pool": (
        "layer '3' (Tanh): is applied to layer '2' (AvgPool2d), and a pool has no activation; apply it before the pool"
    ),
    "mean_of_channels": (
        "operation 'mean' (mean of a): is a mean over dim=(1,); only that over all positions of channels is supported"
    ),
    "large_kernel": "layer '0' (Conv2d): kernel size 9 does not fit an input of length 8; use 1..8",
    "channels": "layer '0' (Conv2d): reads 1 channels, its weight has 3; see input_shape",
    "not_flat": (
        "layer '2' (Linear): reads shape (2, 6, 6), its weight has shape (3, 6); flatten it first (torch.flatten(x, 1))"
    ),
    "unflattened": (
        "operation 'view' (view of b): reshapes (16,) to (1, 4, 4); only flattening is supported: "
        "torch.flatten(x, 1) or x.view(x.size(0), -1)"
    ),
    "complex": (
        "layer '0' (Linear): its weight is torch.complex64; supported are float16, bfloat16, float32 and float64"
    ),
    "nan": "layer '0' (Linear): its bias has entries that are not finite; train it anew",
    "infinity": "layer '0' (Linear): its bias has entries that are not finite; train it anew",
    "meta": (
        "layer '0' (Linear): its weight is on the meta device and has no dense values; give a dense tensor on a "
        "CPU or GPU"
    ),
    "lazy": "layer '0' (LazyLinear): is not initialised; run the module once on data",
    "quantised": "layer '0' (Linear): is quantised; give the float module that it was made of",
    "hooked": "layer '0' (Linear): has forward hooks; remove them first (of pruning: torch.nn.utils.prune.remove)",
    "pruned": "layer '0' (Linear): has forward hooks; remove them first (of pruning: torch.nn.utils.prune.remove)",
    "replaced": "layer '0' (Linear): has a forward of its own as an attribute; make it a method of a class",
    "parametrized": (
        "layer '0' (ParametrizedLinear): is parametrized; call torch.nn.utils.parametrize.remove_parametrizations first"
    ),
    "parallel": "the module (DataParallel): runs a module in parallel; give that module (its attribute module)",
    "twice": (
        "layer 'b' (Linear): is called more than once; layers here share no weights: give each call a module of "
        "its own (copy.deepcopy)"
    ),
    "tied": (
        "layer '2' (Linear): shares its weight with layer '0' (Linear); layers here share no weights: give each "
        "call a module of its own (copy.deepcopy)"
    ),
    "computed_weight": (
        "operation 'mul' (mul of a.weight): computes with values outside layers; put it into the weights of the "
        "next layer, or into the data"
    ),
    "two_inputs": (
        "torch.fx cannot trace forward (TypeError: \"Two.forward() missing 1 required positional argument: 'y'\"); "
        "it must take one tensor, and no branch or loop may depend on its values"
    ),
    "two_outputs": "the module returns a tuple of 2; return one tensor, the head's output",
    "dictionary": "the module returns a dict of 1; return one tensor, the head's output",
    "branch": (
        "torch.fx cannot trace forward (TraceError: 'symbolically traced variables cannot be used as inputs to "
        "control flow'); it must take one tensor, and no branch or loop may depend on its values"
    ),
    "softmax": "layer '3' (Softmax): is part of the cross-entropy; leave it out, and return the logits",
    "no_head": (
        "layer '0' (Linear): the module ends with its activation (tanh), not with a linear head; return nn.Linear"
    ),
    "no_layer": "the module returns its input; end it with nn.Linear",
    "head_alone": (
        "the module (Linear): is the head and reads the input; it may read hidden units only: put a layer between"
    ),
    "pool_at_the_end": (
        "there is no linear head: the module returns a concatenation, a selection or positions; end it with one "
        "nn.Linear"
    ),
    "two_heads": (
        "there is no linear head: the module returns a concatenation, a selection or positions; end it with one "
        "nn.Linear"
    ),
    "head_read": "layer 'h' (Linear): is the head, and layer 'k' (Linear) reads it; let the module end with it",
    "input_to_head": (
        "layer 'h' (Linear): is the head and reads the input; it may read hidden units only: put a layer between"
    ),
    "unit_twice": (
        "layer 'h' (Linear): reads unit 1 of layer 'a' (Linear) twice, and a sum of weights is rounded; list it once"
    ),
    "layer_twice": "layer 'c' (Linear): reads the same layer twice; list each once in torch.cat",
    "selection_inside": "layer 'c' (Linear): reads a selection of units, which only the head may; give it whole layers",
    "activated_selection": (
        "operation 'sin' (sin of getitem): is applied to a selection of units; apply it to the whole layer, and "
        "select in the head"
    ),
    "both": (
        "layer 'h' (Linear): reads layer 'a' (Linear) before its activation, which others follow; a layer has "
        "one activation: use a layer of its own for each"
    ),
    "two_activations": (
        "operation 'sin' (sin of a): is applied to layer 'a' (Linear), which another activation reads without "
        "it; a layer has one activation: use a layer of its own for each"
    ),
    "in_place": (
        "layer 'h' (Linear): reads layer 'a' (Linear) before its activation, which others follow; a layer has "
        "one activation: use a layer of its own for each"
    ),
    "activated_input": (
        "operation 'tanh' (tanh of x): is applied to the input; apply it to the data before they are given"
    ),
    "active_dropout": (
        "operation 'dropout' (dropout of tanh): drops units in evaluation, too; pass training=self.training"
    ),
    "threshold": "layer '1' (Softplus): threshold=5 makes it another function; use 20 (the default) or more",
    "negative_beta": "layer '1' (Softplus): beta=-1.0 is not supported; use a positive one",
    "slope": "layer '1' (LeakyReLU): negative_slope=1.5 is not supported; use one from 0 to below 1",
    "power": "operation 'pow_1' (pow of b): exponent 0.5 is not supported; use a whole number from 1 to 16",
    "sample": (
        "operation 'getitem' (getitem of h): is not a selection x[:, index] of columns by a slice, a list or a "
        "tensor of indices (a registered buffer)"
    ),
    "whole_batch": (
        "operation 'flatten' (flatten of tanh): flattens from 0 to -1; only torch.flatten(x, 1) is supported"
    ),
    "view_away": (
        "operation 'view' (view of tanh): reshapes the batch away; write torch.flatten(x, 1) or x.view(x.size(0), -1)"
    ),
    "attribute": "operation 'getattr_1' (getattr of x): reads the attribute 'T' of an output; only its shape is known",
    "cat_samples": "operation 'cat' (cat of tanh, b): concatenates along dim=0; use dim=1",
    "far_unit": "operation 'getitem' (getitem of tanh): selects units that do not exist: it has 5",
    "nan_slope": "layer '1' (LeakyReLU): its parameter nan is not a finite number; use a Python number",
    "empty_range": "operation 'hardtanh' (hardtanh of b): min_val=1.0 must be below max_val=0.0",
    "three_axes": "operation 'avg_pool2d' (avg_pool2d of a): kernel_size=(2, 2, 2) must be an integer, or 2 of them",
    "flat_weight": "operation 'conv2d' (conv2d of x, a.weight): its weight has shape (5, 4), expected 4 axes",
    "flat_pool": (
        "layer '1' (AvgPool1d): reads shape (5,); give it channels with 1 axes of positions, whole and not reshaped"
    ),
    "flat_adaptive_pool": (
        "layer '1' (AdaptiveAvgPool1d): reads shape (5,); give it channels with 1 axes of positions, whole and "
        "not reshaped"
    ),
    "mean_of_all": (
        "operation 'mean' (mean of a): is a mean over dim=None; only that over all positions of channels is supported"
    ),
    "too_many_outputs": (
        "layer '2' (AdaptiveAvgPool2d): output_size=8 of (6, 6) has windows of several sizes; use nn.AvgPool2d"
    ),
    "short_bias": "operation 'linear' (linear of x, a.weight, h.weight): its bias has shape (3, 5), expected (5,)",
    "number": "the module returns 4; return one tensor, the head's output",
    "module_of_two": "layer 't' (Bilinear): is not supported; " + SUPPORTED,
    "module_of_constants": "layer 't' (Tanh): does not read one output of earlier layers; give it exactly one",
    "function_of_constants": (
        "operation 'tanh' (tanh of getitem): is not applied to the output of a layer; apply it to one"
    ),
    "function_of_two": "operation 'linear' (linear of x, a): has two outputs of layers as arguments; " + SUPPORTED,
    "cat_constant": (
        "operation 'cat' (cat of a, _tensor_constant0): does not concatenate outputs of layers alone; "
        "concatenate these only"
    ),
    "cat_positions": "operation 'cat' (cat of a, x): concatenates shapes [(2, 6, 6), (1, 8, 8)]; flatten them first",
    "select_samples": (
        "operation 'index_select' (index_select of tanh, _tensor_constant0): selects along dim=0; use dim=1"
    ),
    "two_selections": (
        "operation 'getitem' (getitem of a): is not a selection x[:, index] of columns by a slice, a list or a "
        "tensor of indices (a registered buffer)"
    ),
    "one_unit": (
        "operation 'getitem' (getitem of tanh): is not a selection x[:, index] of columns by a slice, a list or "
        "a tensor of indices (a registered buffer)"
    ),
    "real_index": (
        "operation 'getitem' (getitem of tanh, _tensor_constant0): is not a selection x[:, index] of columns by "
        "a slice, a list or a tensor of indices (a registered buffer)"
    ),
    "slice_of_values": (
        "operation 'getitem_1' (getitem of tanh, getitem): is not a selection x[:, index] of columns by a slice, "
        "a list or a tensor of indices (a registered buffer)"
    ),
    "long_composition": (
        "layer '4' (Mish): expression 't*tanh(log(exp(t) + 1))*tanh(log(exp(t*tanh(log(exp(t) + 1))) + "
        "1))*tanh(log(exp(t*tanh(log(exp(t) + 1))*tanh(log(ex...: character 299, 'exp(t) + 1': nested too "
        "deeply; at most 60 levels, of which a function, a power or a denominator counts 5"
    ),
    "fan_in": "layer '0' (Linear): reads shape (4,), its weight has shape (5, 3); see input_shape",
}
"""By the name of the module in torch_cases.BAD, without the ``from_torch:`` that each begins with."""


@pytest.mark.torch
@pytest.mark.parametrize("name", LINES)
def test_each_refusal_is_one_line_that_names_the_place_and_the_remedy(name: str) -> None:
    from torch_cases import BAD

    module = BAD[name]()
    flags = [each.training for each in module.modules()]
    with pytest.raises(vf.InputError) as caught:
        vf.from_torch(module, (1, 8, 8) if name in IMAGES else 4)
    assert str(caught.value) == f"from_torch: {LINES[name]}"
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
        ({"input_shape": "4"}, "network: input shape '4' must be integers: d, (channels, length) or"),
        ({"input_shape": (0, 4)}, "network: input shape [0, 4] must have positive entries"),
    ],
)
def test_wrong_arguments_have_their_line(given: dict[str, Any], line: str) -> None:
    from torch_cases import mlp

    with pytest.raises(vf.InputError) as caught:
        vf.from_torch(**({"module": mlp(), "input_shape": 4} | given))
    assert str(caught.value).startswith(line)


@pytest.mark.torch
def test_compiled_modules_and_scripts_are_refused() -> None:
    import torch
    from torch_cases import mlp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript, which torch.compile loads, too
        script, compiled = torch.jit.script(mlp()), torch.compile(mlp())
    with pytest.raises(vf.InputError, match="is TorchScript; give the module that it was made of"):
        vf.from_torch(script, 4)
    with pytest.raises(vf.InputError, match="is compiled; give the module that it was made of"):
        vf.from_torch(compiled, 4)


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
        ("transposed", "its weight is that of layer '0' (Linear), transposed (tied weights)"),
        ("data", "its weight is that of layer '0' (Linear), transposed (tied weights)"),
        ("part", "its weight has numbers in common with layer '0' (Linear) (views of one tensor)"),
        ("bias", "its bias has numbers in common with layer '0' (Linear) (views of one tensor)"),
        ("expanded", "its weight repeats numbers in memory (torch.expand), so they are tied"),
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
    else:
        second.weight = nn.Parameter(torch.ones(1, 5).expand(6, 5))
    with pytest.raises(vf.InputError) as caught:
        vf.from_torch(module, 6)
    assert f"layer '2' (Linear): {why}" in str(caught.value)


@pytest.mark.torch
def test_views_that_interleave_without_meeting_are_free() -> None:
    import torch
    from torch import nn

    module = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 5, bias=False))
    pool = torch.randn(5, 12)
    module[0].weight, module[4].weight = nn.Parameter(pool[:, :6]), nn.Parameter(pool[:, 6:])
    assert vf.from_torch(module, 6).network.parameter_count == 71
