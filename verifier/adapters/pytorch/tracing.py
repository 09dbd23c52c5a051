"""The graph of a module by torch.fx, in evaluation mode; the module itself stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier.adapters.pytorch.values import refuse
from verifier.display import brief
from verifier.errors import InputError

if TYPE_CHECKING:
    import torch

ROOT = "module"
"""What the traced wrapper calls the module: the first part of qualified names in the graph."""


def trace(module: torch.nn.Module) -> tuple[Any, torch.nn.Module]:
    """Trace a module symbolically.

    The module is wrapped, so that torch.fx leaves its constants on the wrapper, and arguments with defaults get them.

    Parameters
    ----------
    module : torch.nn.Module
        The module; its training flags are off while it is traced, and as before afterwards.

    Returns
    -------
    graph : torch.fx.Graph
        The operations.
    wrapper : torch.nn.Module
        What the names in the graph refer to.

    Raises
    ------
    InputError
        It cannot be traced, or something in it changes what its layers compute.
    """
    import torch

    _require_plain(module)

    class Wrapper(torch.nn.Module):  # type: ignore[misc]  # mypy does not follow torch
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Any) -> Any:
            return self.module(x)

    wrapper = Wrapper()
    flags = {each: each.training for each in module.modules()}
    try:
        for each in wrapper.modules():
            each.training = False
        return torch.fx.Tracer().trace(wrapper), wrapper
    except Exception as error:  # whatever the module's own code raises when it is given a symbol
        reason = f"{type(error).__name__}: {brief(str(error).split(chr(10))[0])}"
        raise InputError(
            f"from_torch: torch.fx cannot trace forward ({reason}); it must take one tensor, and no branch or loop may "
            "depend on its values"
        ) from None
    finally:
        for each, flag in flags.items():
            each.training = flag


def layer_name(target: str) -> str:
    """A qualified name in the graph as it is in the module; empty for the module itself."""
    return target.removeprefix(ROOT).removeprefix(".")


def in_words(target: str, kind: str) -> str:
    """A layer for messages: ``layer 'features.0' (Conv2d)``."""
    name = layer_name(target)
    return f"layer {name!r} ({kind})" if name else f"the module ({kind})"


def _require_plain(module: torch.nn.Module) -> None:
    """Refuse what changes a layer's function without being seen in the graph."""
    import torch
    from torch.nn.utils.parametrize import is_parametrized

    for name, each in module.named_modules():
        where = in_words(f"{ROOT}.{name}", type(each).__name__)
        if isinstance(each, torch.jit.ScriptModule):
            refuse(where, "is TorchScript; give the module that it was made of")
        if type(each).__name__ == "OptimizedModule":
            refuse(where, "is compiled; give the module that it was made of (its attribute _orig_mod)")
        if isinstance(each, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
            refuse(where, "runs a module in parallel; give that module (its attribute module)")
        for parameter in (*each._parameters.values(), *each._buffers.values()):
            if isinstance(parameter, torch.nn.parameter.UninitializedTensorMixin):
                refuse(where, "is not initialised; run the module once on data")
        if is_parametrized(each):
            refuse(where, "is parametrized; call torch.nn.utils.parametrize.remove_parametrizations first")
        if each._forward_hooks or each._forward_pre_hooks:
            refuse(where, "has forward hooks; remove them first (of pruning: torch.nn.utils.prune.remove)")
        if "forward" in vars(each):
            refuse(where, "has a forward of its own as an attribute; make it a method of a class")
