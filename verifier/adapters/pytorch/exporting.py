"""The graph of a module's operators by `torch.export`: functional, without control flow, for one example."""

from __future__ import annotations

import io
import re
from collections.abc import Collection
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier.adapters.pytorch.places import ROOT, layer_name, place_of, place_of_error
from verifier.errors import InputError, one_line

if TYPE_CHECKING:
    import torch

BRANCHES = ("GuardOnDataDependentSymNode", "UserError", "DataDependentOutputException", "UnsupportedOperatorException")
"""Exceptions by which `torch.export` says that a branch depends on values."""
MAX_REASON = 160
"""Characters of a message of PyTorch that are repeated."""


@dataclass(frozen=True, slots=True)
class Program:
    """A module as `torch.export` gives it: operators and what each placeholder is.

    Parameters
    ----------
    graph : torch.fx.Graph
        The operators, none of which changes a value in place.
    leaves : dict
        For each placeholder what it is: a tensor that is known, the name of a parameter, or None, the input.
    names : dict
        For each known tensor that has a name in the module: its name.
    output : node
        The node whose value the module returns.
    """

    graph: Any
    leaves: dict[Any, Any]
    names: dict[Any, str]
    output: Any


def export(wrapper: torch.nn.Module, example: torch.Tensor, kept: Collection[str]) -> Program:
    """Export a module, and decompose the operators that are not translated as they are.

    Parameters
    ----------
    wrapper : torch.nn.Module
        The module as `wrapper_of` makes it, in evaluation mode.
    example : torch.Tensor
        Samples, two at least.
    kept : collection of str
        Operators that are translated: ``"conv2d"``, or one overload ``"conv2d.padding"``.

    Raises
    ------
    InputError
        The module cannot be exported, draws random numbers, or changes its own state: its layer and line.
    """
    import torch

    module = wrapper.get_submodule(ROOT)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # it prints graphs where it fails
            exported = torch.export.export(wrapper, (example,), strict=False)
        _require_evaluation(exported.graph, module)
        _write_out_softshrink(exported.graph)
        table = torch.export.default_decompositions()
        for operator in list(table):
            if operator_name(operator) in kept or operator_name(operator).partition(".")[0] in kept:
                table.pop(operator)
        exported = exported.run_decompositions(table)
    except InputError:
        raise
    except Exception as error:  # whatever the module's own code, or the exporter, raises on a symbolic tensor
        raise InputError(f"from_torch: {place_of_error(error, module)}: {reason_of(error)}") from None
    return _program(exported, wrapper)


def operator_name(operator: Any) -> str:
    """``"add.Tensor"``, without the name of PyTorch's own library and of the default overload."""
    name = str(operator) if not isinstance(operator, str) else operator
    return name.removeprefix("aten.").removesuffix(".default")


def _require_evaluation(graph: Any, module: torch.nn.Module) -> None:
    """No dropout that is active, no batch statistics: what the module asked for itself, whatever its mode."""
    for node in graph.nodes:
        name = operator_name(node.target) if node.op == "call_function" else ""
        dropout = name in ("dropout", "dropout_", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
        if dropout and _argument(node, 2, "train") and _argument(node, 1, "p"):
            raise InputError(
                f"from_torch: {place_of(node, module)}: drops units in evaluation, too; pass training=self.training"
            )
        if name == "hardshrink":
            raise InputError(f"from_torch: {place_of(node, module)}: hardshrink jumps at its ends; use nn.Softshrink")
        if name == "batch_norm" and _argument(node, 5, "training"):
            raise InputError(
                f"from_torch: {place_of(node, module)}: normalises by the batch's own mean and variance, so a sample's "
                "output depends on the other samples; use running statistics (track_running_stats=True)"
            )


def _write_out_softshrink(graph: Any) -> None:
    """Put ``relu(x - l) - relu(-x - l)`` for softshrink, which PyTorch decomposes into comparisons whatever is kept."""
    import torch

    aten = torch.ops.aten
    for node in list(graph.nodes):
        if node.op != "call_function" or operator_name(node.target) != "softshrink":
            continue
        with graph.inserting_before(node):
            width = _argument(node, 1, "lambd")
            width = 0.5 if width is None else width
            sides = []
            for target, args in ((aten.sub.Tensor, (node.args[0], width)), (aten.add.Tensor, (node.args[0], width))):
                sides.append(graph.call_function(target, args))
            above = graph.call_function(aten.relu.default, (sides[0],))
            below = graph.call_function(
                aten.minimum.default, (sides[1], graph.call_function(aten.zeros_like.default, (sides[1],)))
            )
            found = graph.call_function(aten.add.Tensor, (above, below))
        for each in (*sides, above, below, found):
            each.meta = dict(node.meta)
        node.replace_all_uses_with(found)
        graph.erase_node(node)


def _argument(node: Any, place: int, name: str) -> Any:
    return node.args[place] if len(node.args) > place else node.kwargs.get(name)


def reason_of(error: Exception, given: str = "") -> str:
    """A long message of PyTorch in one line, with the remedy; ``given`` says what the module was run on."""
    text, kind = str(error), type(error).__name__
    missing = re.search(r"missing (?:\d+ required positional arguments?|a required argument): (.*)", text)
    if isinstance(error, TypeError) and missing:
        return f"forward also needs {missing[1]}; give it a default, or wrap the module in one that takes one tensor"
    if isinstance(error, TypeError) and re.search(r"takes \d+ positional arguments? but", text):
        return "takes its input by keyword only; wrap the module in one whose forward(x) calls it by the keyword"
    if kind in BRANCHES or "data-dependent" in text:
        return (
            "a branch, a loop or a number depends on the values of a tensor; write it without (torch.where, "
            "torch.maximum), or give the part without it"
        )
    if "numpy()" in text or "not supported for tensor subclasses" in text:
        return "leaves PyTorch for NumPy; write it with torch"
    return f"{given}{kind}: {one_line(text.strip().split(chr(10))[0], limit=MAX_REASON)}"


def _program(exported: Any, wrapper: torch.nn.Module) -> Program:
    """Find what every placeholder is, and the output."""
    signature = exported.graph_signature
    placeholders = {node.name: node for node in exported.graph.nodes if node.op == "placeholder"}
    leaves: dict[Any, Any] = {}
    names: dict[Any, str] = {}
    for spec in signature.input_specs:
        node, kind = placeholders[spec.arg.name], spec.kind.name
        if kind in ("PARAMETER", "BUFFER"):
            names[node] = layer_name(spec.target)
        if kind == "USER_INPUT":
            leaves[node] = None
        elif kind == "PARAMETER":
            parameter = wrapper.get_parameter(spec.target)
            leaves[node] = layer_name(spec.target) if parameter.requires_grad else parameter.detach()
        elif kind == "BUFFER" and spec.target not in exported.constants:
            leaves[node] = wrapper.get_buffer(spec.target)
        else:
            leaves[node] = exported.constants[spec.target]
    for spec in signature.output_specs:
        if spec.kind.name.endswith("MUTATION") and not spec.kind.name.startswith("USER_INPUT"):
            name = layer_name(str(spec.target))
            raise InputError(f"from_torch: forward changes {name!r}, so each call is another function; leave it")
    results = next(node for node in exported.graph.nodes if node.op == "output").args[0]
    specs = zip(signature.output_specs, results, strict=True)
    output = next(node for spec, node in specs if spec.kind.name == "USER_OUTPUT")
    if not hasattr(output, "op"):
        raise InputError(f"from_torch: the module returns {one_line(output)}; return one tensor, the head's output")
    return Program(exported.graph, leaves, names, output)
