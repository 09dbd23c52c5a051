"""Where an operator or an error stands in the user's module: the layer by name, its class, the line of the source."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from verifier.adapters.pytorch.modules import layer_words

if TYPE_CHECKING:
    import torch

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_HERE = Path(__file__).parent
ROOT = "module"
"""What the exported wrapper calls the module: the first part of names in the graph."""


def layer_name(name: str) -> str:
    """A name as the module has it, without the wrapper."""
    return name.removeprefix(f"{ROOT}.") if name != ROOT else ""


def layer_of(node: Any) -> tuple[str, str]:
    """Name and class of the innermost layer that an operator belongs to; an empty name for the module itself."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "", ""
    name, kind = stack[-1]
    return layer_name(name), str(kind).rpartition(".")[-1] if isinstance(kind, str) else kind.__name__


def place_of(node: Any, module: torch.nn.Module) -> str:
    """An operator's place in words: ``layer 'features.3' (BatchNorm2d, net.py:12)``."""
    name, kind = layer_of(node)
    name = re.sub(r"@\d+$", "", name)
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    lines = [f"{Path(file).name}:{line}" for file, line in frames if _is_users(file)]
    return layer_words(name, kind if name else type(module).__name__, lines[-1] if lines else "")


def place_of_error(error: BaseException, module: torch.nn.Module) -> str:
    """The innermost layer that an exception was raised in, and the user's innermost line."""
    names = {id(each): name for name, each in module.named_modules()}
    name, kind, line = "", type(module).__name__, ""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        owner = frame.f_locals.get("self")
        if id(owner) in names:
            name, kind = names[id(owner)], type(owner).__name__
        if _is_users(frame.f_code.co_filename) and line_is_inside(frame.f_code.co_filename):
            line = f"{Path(frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return layer_words(name, kind, line)


def line_is_inside(file: str) -> bool:
    """Whether a file is a source file at all, not code made at run time."""
    return not file.startswith("<")


def _is_users(file: str) -> bool:
    """Whether a source file belongs neither to PyTorch, nor to this package, nor to Python."""
    path = Path(file)
    return "torch" not in path.parts and _HERE not in path.parents and "lib" not in path.parts[-3:-1]
