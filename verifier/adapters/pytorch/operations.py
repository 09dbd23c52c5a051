"""The nodes of a traced graph one by one: what each computes, as a `Value`, or why it has no counterpart."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from verifier.adapters.pytorch import affine
from verifier.adapters.pytorch.activations import RULES
from verifier.adapters.pytorch.parameters import Context
from verifier.adapters.pytorch.shaping import joined, picked, reshape, select
from verifier.adapters.pytorch.values import BATCH, DEVICE, Value, refuse
from verifier.errors import InputError

SUPPORTED = (
    "supported are Linear, Conv1d, Conv2d, AvgPool1d, AvgPool2d, activations, Flatten, Dropout, Identity, torch.cat "
    "and a selection of columns for the head"
)
_SUM = "adds values, which is not taken over; build the network of blocks (vf.Add) and give its weights by name"
_PRODUCT = "computes with values outside layers; put it into the weights of the next layer, or into the data"
_FOLD = (
    "is not taken over; build the network of blocks (vf.BatchNorm), or fold it into the layer before it "
    "(torch.nn.utils.fusion.fuse_conv_bn_eval or fuse_linear_bn_eval)"
)
_MAX = "is not taken over; build the network of blocks (vf.MaxPool), or use average pooling"
_SOFTMAX = "is part of the cross-entropy; leave it out, and return the logits"
_SAMPLE = "is not taken over; build the network of blocks (vf.LayerNorm, vf.GroupNorm, vf.RMSNorm)"

REMEDIES: dict[str, str] = {
    **dict.fromkeys(("add", "iadd", "add_", "sub", "isub", "sub_", "sum"), _SUM),
    **dict.fromkeys(("mul", "imul", "truediv", "itruediv", "div", "neg", "matmul"), _PRODUCT),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "batch_norm"), _FOLD),
    **dict.fromkeys(("MaxPool1d", "MaxPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d"), _MAX),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "boolean_dispatch", "amax", "max"), _MAX),
    **dict.fromkeys(("Softmax", "LogSoftmax", "softmax", "log_softmax"), _SOFTMAX),
    **dict.fromkeys(("LayerNorm", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "RMSNorm"), _SAMPLE),
    **dict.fromkeys(("layer_norm", "group_norm", "instance_norm", "rms_norm"), _SAMPLE),
}

_POOL = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
_CONV = ("weight", "bias", "stride", "padding", "dilation", "groups")


Operation = Callable[[Context, Value, dict[str, Any]], Any]


def module_operation(context: Context, module: Any, values: Sequence[Any]) -> Any:
    """What a layer of the module computes.

    Raises
    ------
    InputError
        It is not supported, named with the remedy.
    """
    kind = type(module)
    found = _modules().get(kind)
    if found is None:
        if ".quantized" in kind.__module__:
            refuse(context.where, "is quantised; give the float module that it was made of")
        refuse(context.where, REMEDIES.get(kind.__name__, f"is not supported; {SUPPORTED}"))
    if len(values) != 1 or not isinstance(values[0], Value):
        refuse(context.where, "does not read one output of earlier layers; give it exactly one")
    operation, names = found
    return operation(context, values[0], {name: getattr(module, name) for name in names if hasattr(module, name)})


def function_operation(context: Context, target: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What a function computes: of torch, torch.nn.functional, operator, or a method, given by its name.

    Raises
    ------
    InputError
        It is not supported, named with the remedy.
    """
    method = isinstance(target, str)
    name = target if method else str(getattr(target, "__name__", target))
    if not method and not _involves(args) and not _involves(kwargs.values()) and target in _ARITHMETIC:
        return target(*args)
    if name == "to" and len(args) == 2 and args[1] is DEVICE and not kwargs:  # of an output, or of indices
        return args[0]
    known = _METHODS.get(name) if method else _functions().get(target)
    if known is None:
        refuse(context.where, REMEDIES.get(name.strip("_"), f"is not supported; {SUPPORTED}"))
    operation, names = known
    if operation is reshape and method:  # view(2, -1), or view((2, -1))
        args = (args[0], args[1] if len(args) == 2 and isinstance(args[1], Sequence) else args[1:])
    arguments = dict(zip(("input", *names), args, strict=False)) | kwargs
    first = arguments.pop("input", arguments.get("tensors"))
    if operation is picked and isinstance(first, tuple):
        return first[arguments["index"]]
    if operation is not joined and not isinstance(first, Value):
        refuse(context.where, "is not applied to the output of a layer; apply it to one")
    if any(isinstance(arguments.get(key), Value) for key in arguments):
        refuse(context.where, f"has two outputs of layers as arguments; {SUPPORTED}")
    return operation(context, first, arguments)


def _involves(values: Any) -> bool:
    return any(not isinstance(value, int | float) for value in values)


_ARITHMETIC = (operator.mul, operator.add, operator.sub, operator.floordiv)
"""What modules do with sizes."""


def _activation(name: str) -> Operation:
    rule = RULES[name]

    def apply(context: Context, value: Value, arguments: dict[str, Any]) -> Value:
        parameters = {key: arguments.get(key, default) for key, default in rule.parameters}
        try:
            sigma = rule.make(**parameters)
        except InputError as error:
            refuse(context.where, str(error))
        return context.plan.activate(value, sigma, context.where)

    return apply


def _same(context: Context, value: Value, arguments: dict[str, Any]) -> Value:
    return value


def _dropout(context: Context, value: Value, arguments: dict[str, Any]) -> Value:
    if arguments.get("training", True):
        refuse(context.where, "drops units in evaluation, too; pass training=self.training")
    return value


def _flatten(context: Context, value: Value, arguments: dict[str, Any]) -> Value:
    start, end = arguments.get("start_dim", 0), arguments.get("end_dim", -1)
    if start != 1 or end not in (-1, len(value.shape)):
        refuse(context.where, f"flattens from {start} to {end}; only torch.flatten(x, 1) is supported")
    return Value(value.parts, (value.size,), value.columns)


def _shape(context: Context, value: Value, arguments: dict[str, Any]) -> Any:
    sizes = (BATCH, *value.shape)
    if arguments.get("name") == "device":
        return DEVICE
    if arguments.get("name", "shape") != "shape":
        refuse(context.where, f"reads the attribute {arguments['name']!r} of an output; only its shape is known")
    axis = arguments.get("dim")
    return sizes if axis is None else sizes[axis]


@lru_cache(maxsize=1)
def _modules() -> dict[type, tuple[Operation, tuple[str, ...]]]:
    """By exact type, for a subclass may compute anything: the operation and the attributes that it needs."""
    from torch import nn

    convolutions = (*_CONV, "padding_mode")
    found: dict[type, tuple[Operation, tuple[str, ...]]] = {
        nn.Linear: (affine.linear, ("weight", "bias")),
        nn.Conv1d: (partial(affine.convolution, axes=1), convolutions),
        nn.Conv2d: (partial(affine.convolution, axes=2), convolutions),
        nn.AvgPool1d: (partial(affine.average, axes=1), _POOL),
        nn.AvgPool2d: (partial(affine.average, axes=2), _POOL),
        nn.AdaptiveAvgPool1d: (partial(affine.adaptive, axes=1), ("output_size",)),
        nn.AdaptiveAvgPool2d: (partial(affine.adaptive, axes=2), ("output_size",)),
        nn.Flatten: (_flatten, ("start_dim", "end_dim")),
        nn.Identity: (_same, ()),
    }
    for kind in (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout):
        found[kind] = (_same, ())
    for name, rule in RULES.items():
        if rule.module:
            found[getattr(nn, rule.module)] = (_activation(name), tuple(key for key, _ in rule.parameters))
    return found


@lru_cache(maxsize=1)
def _functions() -> dict[Any, tuple[Operation, tuple[str, ...]]]:
    """The operation of each function of PyTorch, and the names of its arguments after the first."""
    import torch
    from torch.nn import functional

    found: dict[Any, tuple[Operation, tuple[str, ...]]] = {
        functional.linear: (affine.linear, ("weight", "bias")),
        functional.conv1d: (partial(affine.convolution, axes=1), _CONV),
        functional.conv2d: (partial(affine.convolution, axes=2), _CONV),
        functional.avg_pool1d: (partial(affine.average, axes=1), _POOL),
        functional.avg_pool2d: (partial(affine.average, axes=2), _POOL),
        functional.adaptive_avg_pool1d: (partial(affine.adaptive, axes=1), ("output_size",)),
        functional.adaptive_avg_pool2d: (partial(affine.adaptive, axes=2), ("output_size",)),
        functional.dropout: (_dropout, ("p", "training", "inplace")),
        torch.flatten: (_flatten, ("start_dim", "end_dim")),
        torch.reshape: (reshape, ("shape",)),
        torch.index_select: (select, ("dim", "index")),
        torch.mean: (affine.mean, ("dim", "keepdim")),
        operator.getitem: (picked, ("index",)),
        getattr: (_shape, ("name",)),
        operator.pow: (_activation("pow"), ("exponent",)),
        pow: (_activation("pow"), ("exponent",)),
        **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), (joined, ("dim",))),
    }
    for name, rule in RULES.items():
        for home in (torch, functional, torch.special):
            if hasattr(home, name):
                found[getattr(home, name)] = (_activation(name), (*(key for key, _ in rule.parameters), "inplace"))
    return found


_METHODS: dict[str, tuple[Operation, tuple[str, ...]]] = {
    **{name: (_activation(name), tuple(key for key, _ in rule.parameters)) for name, rule in RULES.items()},
    **dict.fromkeys(("contiguous", "clone", "detach"), (_same, ())),
    "flatten": (_flatten, ("start_dim", "end_dim")),
    "size": (_shape, ("dim",)),
    "index_select": (select, ("dim", "index")),
    "mean": (affine.mean, ("dim", "keepdim")),
    **dict.fromkeys(("view", "reshape"), (reshape, ("shape",))),
}
"""The same for methods of tensors."""
