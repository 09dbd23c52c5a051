"""What a module must be to be read, what it is unwrapped from, and its evaluation mode."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from verifier.errors import InputError, one_line

if TYPE_CHECKING:
    import torch

FLOATS = ("float16", "bfloat16", "float32", "float64")
"""The types of numbers that are exact in binary64, as PyTorch names them."""
LOGITS = ("logits", "prediction_logits", "output", "out")
"""Keys of a dictionary of outputs that are taken before others."""


def unwrapped(module: Any) -> torch.nn.Module:
    """The module inside of what `torch.compile` and data-parallel training wrap around it.

    Raises
    ------
    InputError
        It is no module, or one that PyTorch cannot export.
    """
    import torch

    while True:
        if isinstance(module, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
            module = module.module
        elif type(module).__name__ == "OptimizedModule":
            module = module._orig_mod
        else:
            break
    if not isinstance(module, torch.nn.Module):
        remedy = "; load it into the module that it belongs to" if isinstance(module, Mapping) else ""
        raise InputError(f"from_torch: module = {one_line(module)} must be a torch.nn.Module{remedy}")
    require_dense_floats(module)
    return module


def require_dense_floats(module: torch.nn.Module) -> None:
    """Every layer is Python, every parameter a dense float tensor with values.

    Raises
    ------
    InputError
        One that is not, by name.
    """
    import torch

    for name, each in module.named_modules():
        where = layer_words(name, type(each).__name__)
        home = type(each).__module__
        if isinstance(each, torch.jit.ScriptModule):
            _refuse(where, "is TorchScript; give the module that it was made of")
        if ".quantized" in home or ".quantizable" in home:
            _refuse(where, "is quantised; give the float module that it was made of")
        for kind, tensors in (("parameter", each._parameters), ("buffer", each._buffers)):
            for key, tensor in tensors.items():
                if tensor is not None:
                    _require_dense(where, key, tensor, kind)


def _require_dense(where: str, key: str, tensor: Any, kind: str) -> None:
    import torch

    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
        _refuse(where, "is not initialised; run the module once on data")
    if tensor.is_meta:
        _refuse(where, f"its {key} is on the meta device and has no values; load the weights first")
    if tensor.layout != torch.strided:
        _refuse(where, f"its {key} is {tensor.layout}; give a dense tensor: .to_dense()")
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_quantized or tensor.is_complex() or (kind == "parameter" and dtype not in FLOATS):
        _refuse(where, f"its {key} is {dtype}; supported are {', '.join(FLOATS[:-1])} and {FLOATS[-1]}")


def _refuse(where: str, why: str) -> None:
    raise InputError(f"from_torch: {where}: {why}")


def layer_words(name: str, kind: str, line: str = "") -> str:
    """A layer as messages call it: ``layer 'features.3' (BatchNorm2d, net.py:12)``."""
    said = f"{kind}, {line}" if line else kind
    return f"layer {name!r} ({said})" if name else f"the module ({said})"


def wrapper_of(module: torch.nn.Module, notes: list[str]) -> torch.nn.Module:
    """A module whose forward runs the given one, called ``module``, and picks the logits out of what it returns."""
    import torch

    class Chosen(torch.nn.Module):  # type: ignore[misc]  # mypy does not follow torch
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Any) -> Any:
            return chosen(self.module(x), torch.is_tensor, notes)

    return Chosen()


def chosen(output: Any, is_tensor: Callable[[Any], bool], notes: list[str]) -> Any:
    """The logits among several outputs: "logits" of a dictionary or its only tensor, the first of a tuple.

    Raises
    ------
    InputError
        There is no tensor in it.
    """
    if is_tensor(output):
        return output
    parts: list[tuple[str, Any]] = []
    several = not isinstance(output, Mapping | list | tuple) or len(output) > 1
    if isinstance(output, Mapping):
        items = [(str(key), value) for key, value in output.items() if is_tensor(value)]
        parts = [(repr(key), value) for name in LOGITS for key, value in items if key == name]
        parts = parts or [(repr(key), value) for key, value in items]
        if len(parts) > 1 and not any(name in output for name in LOGITS):
            raise InputError(
                f"from_torch: the module returns a dictionary of {', '.join(name for name, _ in parts)}; call the "
                "logits 'logits'"
            )
    elif isinstance(output, list | tuple):
        parts = [(f"number {at}", value) for at, value in enumerate(output) if is_tensor(value)]
    elif is_tensor(getattr(output, "logits", None)):
        parts = [("'logits'", output.logits)]
    if not parts:
        raise InputError(f"from_torch: the module returns {one_line(output)}; return one tensor, the head's output")
    note = f"of the module's outputs, {parts[0][0]} is taken"
    if note not in notes and several:
        notes.append(note)
    return parts[0][1]


@contextmanager
def evaluation(module: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode, without gradients, fused kernels, warnings and log lines; all as before afterwards."""
    import torch
    from torch.nn.modules import transformer

    flags = {each: each.training for each in module.modules()}
    buffers = [(each, dict(each._buffers)) for each in flags]
    kept = {id(b): (b, b._version, b.clone()) for _, named in buffers for b in named.values() if b is not None}
    fast = torch.backends.mha.get_fastpath_enabled()
    detect = transformer._detect_is_causal_mask
    disabled = logging.root.manager.disable
    try:
        for each in flags:
            each.training = False
        torch.backends.mha.set_fastpath_enabled(False)
        # A causal mask is recognised by its values, a branch that no export has; the mask itself is applied anyway.
        transformer._detect_is_causal_mask = lambda mask, is_causal=None, size=None: is_causal is True
        logging.disable(logging.CRITICAL)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        transformer._detect_is_causal_mask = detect
        torch.backends.mha.set_fastpath_enabled(fast)
        for each, training in flags.items():
            each.training = training
        for each, named in buffers:
            each._buffers.update(named)
        with torch.no_grad():
            for buffer, version, before in kept.values():
                if buffer._version != version:
                    buffer.copy_(before)
