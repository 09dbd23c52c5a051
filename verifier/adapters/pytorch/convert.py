"""A trained PyTorch module as a network of this package, with exactly its weights: `from_torch`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.adapters.pytorch.affine import distinct
from verifier.adapters.pytorch.operations import function_operation, module_operation
from verifier.adapters.pytorch.parameters import Context, Parameters
from verifier.adapters.pytorch.tracing import in_words, layer_name, trace
from verifier.adapters.pytorch.values import Draft, Plan, Value, refuse
from verifier.display import Card, Shown, Table, count
from verifier.errors import InputError, installing, one_line
from verifier.network.layers import Dense, Layer, Shape, Source
from verifier.network.network import Array, Network

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, repr=False)
class TorchNetwork(Shown):
    """A module as a network: ``vf.verify(X, y, found.network, found.u, found.v)``.

    Parameters
    ----------
    network : Network
        Its layers, with the units that the head reads as skip units.
    u : array of shape (p,)
        The weights and biases of the hidden layers.
    v : array of shape (M, m)
        The head's weights, a row for each skip unit, in the order of Psi's columns; then its bias, if it has one.
    names : tuple of str
        For each layer of the network what it is in the module, then the head: ``("features.0", ..., "head")``.

    Examples
    --------
    >>> import torch
    >>> import verifier as vf
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 4, bias=False))
    >>> vf.from_torch(module, input_shape=2)
    <TorchNetwork: 1 layer, p = 9 parameters, M = 3 skip units
      input 2; head 2, 4 outputs>
    """

    network: Network
    u: Array
    v: Array
    names: tuple[str, ...]

    def _card(self) -> Card:
        p, outputs = self.network.parameter_count, self.v.shape[1]
        sentence = f"{count(len(self.network.layers), 'layer')}, p = {p} parameters, {self.network.size_words}"
        rows = tuple(
            (str(index), name, repr(layer))
            for index, (name, layer) in enumerate(zip(self.names, self.network.layers, strict=False))
        )
        table = Table("Layers", ("layer", "in the module", "what it is"), rows, True)
        shape = "x".join(map(str, self.network.input_shape))
        values = (("input", shape), ("head", f"{self.names[-1]}, {count(outputs, 'output')}"))
        return Card("PyTorch module, weights taken over exactly", None, sentence, values, (table,))


def from_torch(module: torch.nn.Module, input_shape: int | Sequence[int]) -> TorchNetwork:
    """Take a trained PyTorch module over: its layers as a `Network`, its weights as U and V, exactly.

    Guarantee: the network's exact real function at (u, v) is the module's in evaluation mode with its floats as exact
    numbers: weights, biases and parameters of activations. It is not PyTorch's rounded evaluation, and softplus is the
    function without PyTorch's cut at ``threshold`` (they differ by less than ``exp(-threshold)/beta``).

    Supported are, as modules, functions or methods: `Linear`; `Conv1d` and `Conv2d` (stride, padding by zeros; no
    groups, no dilation), whose bias is tied; `AvgPool1d` and `AvgPool2d`, the adaptive ones if their windows are alike,
    the mean over all positions; activations; `Flatten`, `Identity`, `Dropout`; `torch.cat` along dim 1. The module ends
    with a `Linear`, its head, which may read a selection of columns: ``x[:, indices]``, `torch.index_select`. A bias b
    of the head is the last row of V, beside a last column of Psi that is 1. Parameters that the output does not depend
    on are left out.

    Parameters
    ----------
    module : torch.nn.Module
        The module, on a CPU or GPU, of any float type up to float64. It stays as it is.
    input_shape : int or sequence of int
        Shape of one sample, as for `Network`: ``(1, 8, 8)``.

    Returns
    -------
    TorchNetwork
        The network, U, V and the layers' names in the module.

    Raises
    ------
    InputError
        PyTorch is not installed, or something in the module has no counterpart: one line that names it, and the remedy.

    Examples
    --------
    >>> import torch
    >>> import verifier as vf
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 4, bias=False))
    >>> found = vf.from_torch(module, input_shape=2)
    >>> found.network.layers, found.v.shape
    ((Dense(3, 'tanh', skip=True),), (3, 4))
    >>> bool((found.network.views(found.u)["layer0.weight"] == module[0].weight.detach().numpy()).all())
    True
    """
    _require_torch()
    import torch

    if not isinstance(module, torch.nn.Module):
        raise InputError(f"from_torch: module = {one_line(module)} must be a torch.nn.Module")
    shape = Network(input_shape, Dense(1, "tanh", skip=True)).input_shape  # the same errors as everywhere
    graph, wrapper = trace(module)
    plan, output = _translated(graph, wrapper, shape)
    return _assembled(plan, *_head(plan, output), shape)


def _require_torch() -> None:
    if find_spec("torch") is None:
        raise InputError(f"from_torch needs PyTorch, which is not installed; {installing('torch')}")


def _translated(graph: Any, wrapper: torch.nn.Module, shape: Shape) -> tuple[Plan, Any]:
    """Walk through the graph; return the plan and what the module returns."""
    from torch.fx.node import map_arg

    plan, parameters = Plan(shape), Parameters()
    known: dict[Any, Any] = {}
    for node in graph.nodes:
        args = map_arg(node.args, known.__getitem__)
        kwargs = map_arg(node.kwargs, known.__getitem__)
        if node.op == "placeholder":
            known[node] = plan.input
        elif node.op == "get_attr":
            known[node] = _attribute(wrapper, node.target)
        elif node.op == "call_module":
            layer = wrapper.get_submodule(node.target)
            words = in_words(node.target, type(layer).__name__)
            context = Context(plan, parameters, layer_name(node.target), words)
            known[node] = module_operation(context, layer, [*args, *kwargs.values()])
        elif node.op == "output":
            known[node] = args[0]
        else:
            context = Context(plan, parameters, _name_of(node), _words_for(node))
            known[node] = function_operation(context, node.target, args, dict(kwargs))
    return plan, known[node]  # the output is the last one


def _attribute(wrapper: torch.nn.Module, target: str) -> Any:
    owner, _, name = target.rpartition(".")
    return getattr(wrapper.get_submodule(owner), name)


def _name_of(node: Any) -> str:
    """A function's layer has the name of its weight, if it has one."""
    weights = [other.target for other in node.all_input_nodes if other.op == "get_attr"]
    return layer_name(weights[0]).rpartition(".")[0] or node.name if weights else str(node.name)


def _words_for(node: Any) -> str:
    called = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    inputs = node.all_input_nodes
    operands = ", ".join(
        layer_name(each.target) if each.op in ("call_module", "get_attr") else each.name for each in inputs
    )
    return f"operation {node.name!r} ({called} of {operands})"


def _head(plan: Plan, output: Any) -> tuple[Draft, Array]:
    """The linear layer that the module ends with, and its weight, (m, M)."""
    if not isinstance(output, Value):
        raise InputError(f"from_torch: the module returns {_kind(output)}; return one tensor, the head's output")
    end = output.parts[-1]
    if end.source == "input":
        raise InputError("from_torch: the module returns its input; end it with nn.Linear")
    head = plan.drafts[end.source]
    if len(output.parts) > 1 or output.columns is not None or len(output.shape) != 1:
        raise InputError(
            "from_torch: there is no linear head: the module returns a concatenation, a selection or positions; "
            "end it with one nn.Linear"
        )
    if head.weight is None or head.weight.ndim != 2 or head.stage:  # a pool, a convolution, an activation
        sigma = head.layer.activation
        last = f"its activation ({sigma.name})" if head.stage and sigma is not None else "it"
        refuse(head.where, f"the module ends with {last}, not with a linear head; return nn.Linear")
    if head.readers:
        refuse(head.where, f"is the head, and {head.readers[0]} reads it; let the module end with it")
    return head, head.weight


def _kind(value: object) -> str:
    for kind in (list, tuple, dict):
        if isinstance(value, kind):
            return f"a {kind.__name__} of {len(value)}"
    return one_line(value)


def _assembled(plan: Plan, head: Draft, weight: Array, shape: Shape) -> TorchNetwork:
    units = _units(plan, head)
    used = sorted(_behind(plan, units))
    number = {source: position for position, source in enumerate(used)}
    layers: list[Layer] = []
    flat: list[Array] = []
    for source in used:
        draft = plan.drafts[source]
        reads: tuple[Source, ...] = tuple(
            "input" if part.source == "input" else number[part.source] for part in draft.reads.parts
        )
        if draft.weight is not None:
            if draft.reads.columns is not None:
                refuse(draft.where, "reads a selection of units, which only the head may; give it whole layers")
            distinct(draft.reads.parts, draft.where)
            bias = np.zeros(draft.shape[0]) if draft.bias is None else draft.bias
            flat += [draft.weight.ravel(), bias]
        skip = sorted(unit for at, unit in units if at == source)
        every = len(skip) == int(np.prod(draft.shape))
        default = (len(layers) - 1,) if layers else ("input",)
        inputs = () if reads == default else reads
        layers.append(replace(draft.layer, skip=every or tuple(skip) or False, inputs=inputs))
    order = sorted(range(len(units)), key=lambda column: units[column])
    v = weight.T[order]
    if head.bias is not None:
        v = np.vstack([v, head.bias])
    names = [*(plan.drafts[source].name for source in used), head.name or "the module"]
    network = Network(shape, layers, output_bias=head.bias is not None)
    return TorchNetwork(network, np.concatenate([np.zeros(0), *flat]), np.ascontiguousarray(v), tuple(names))


def _units(plan: Plan, head: Draft) -> list[tuple[int, int]]:
    """The draft and unit that each column of the head's weight belongs to."""
    units: list[tuple[int, int]] = []
    for source, unit in head.reads.units():
        if source == "input":
            refuse(head.where, "is the head and reads the input; it may read hidden units only: put a layer between")
        units.append((source, unit))
    if len(set(units)) != len(units):
        again = next(unit for position, unit in enumerate(units) if unit in units[:position])
        where = plan.drafts[again[0]].where
        refuse(head.where, f"reads unit {again[1]} of {where} twice, and a sum of weights is rounded; list it once")
    return units


def _behind(plan: Plan, units: Sequence[tuple[int, int]]) -> set[int]:
    """The drafts that the head's units depend on: others have no part in the module's function."""
    found: set[int] = set()
    waiting: list[Source] = [source for source, _ in units]
    while waiting:
        source = waiting.pop()
        if source != "input" and source not in found:
            found.add(source)
            waiting += [part.source for part in plan.drafts[source].reads.parts]
    return found
