"""The graph of a module, node by node: known numbers by PyTorch itself, the rest as nodes of a network, and in float64.

Beside every translated value stands PyTorch's own in float64: computed by the same operator from the float64 values
of what it reads. What depends neither on the input nor on trained parameters keeps the module's own precision.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.adapters.pytorch.exporting import Program, operator_name
from verifier.adapters.pytorch.modules import layer_words
from verifier.adapters.pytorch.operators import DOUBLE, METADATA, OPERATORS, Context, remedy
from verifier.adapters.pytorch.parameters import Parameters
from verifier.adapters.pytorch.places import layer_of, place_of
from verifier.adapters.translation.translation import Translation
from verifier.adapters.translation.values import Known, Refused, Tensor
from verifier.errors import InputError, VerifierError, one_line

if TYPE_CHECKING:
    import torch

SKIPPED = ("_assert_tensor_metadata", "_assert_async", "_assert_scalar", "sym_constrain_range")
"""Operators that compute nothing."""


class Walk:
    """The translation of one program.

    Parameters
    ----------
    program : Program
        The exported module.
    module : torch.nn.Module
        The module, for names.
    translation : Translation
        The network in the making.
    """

    def __init__(self, program: Program, module: torch.nn.Module, translation: Translation) -> None:
        """Begin with a program of which no operator is translated yet."""
        self.program, self.module, self.translation = program, module, translation
        self.parameters = Parameters(module)
        self.translated: dict[Any, Any] = {}
        """For each node that depends on the input or on trained parameters: its value, or several."""
        self.double: dict[Any, Any] = {}
        """For each node its float64 value by PyTorch; known numbers in their own precision."""
        self.names: dict[int, str] = {}

    def run(self, example: torch.Tensor) -> tuple[Any, Any]:
        """Translate everything; return the output's value, and PyTorch's in float64.

        Raises
        ------
        InputError
            What has no counterpart: the layer, its line, the reason, the remedy.
        """
        for node in self.program.graph.nodes:
            try:
                if node.op == "placeholder":
                    self._leaf(node, example)
                elif node.op == "call_function":
                    self._operator(node)
            except VerifierError as error:
                reason = str(error).removeprefix("from_torch: ")
                raise InputError(f"from_torch: {self._place(node)}: {reason}") from None
            except (TypeError, ValueError, IndexError, KeyError, AttributeError, RuntimeError) as error:
                said = f"{type(error).__name__}: {one_line(str(error))}"
                raise InputError(
                    f"from_torch: {self._place(node)}: this use of {operator_name(node.target)!r} is not understood "
                    f"({said}); please report it, and write it in another way"
                ) from error
        output = self.program.output
        return self.translated.get(output), self.double[output]

    def _place(self, node: Any) -> str:
        """Where a node stands; for a parameter, the layer that has it."""
        leaf = self.program.leaves.get(node)
        if not isinstance(leaf, str):
            return place_of(node, self.module)
        owner = leaf.rpartition(".")[0]
        return layer_words(owner, type(self.module.get_submodule(owner)).__name__)

    def _leaf(self, node: Any, example: torch.Tensor) -> None:
        """The input, a trained parameter, or known numbers."""
        if node not in self.program.leaves:
            return
        found = self.program.leaves[node]
        if found is None:
            self.double[node] = doubled(example)
            self.translated[node] = self.translation.input()
        elif isinstance(found, str):
            name = self.parameters.canonical(found)
            values = self.parameters.values(name)
            self.double[node] = self.module.get_parameter(found).detach().double()
            self.translated[node] = self.translation.parameter(name, values)
        else:
            self.parameters.require_fixed(found)
            self.double[node] = found

    def _operator(self, node: Any) -> None:
        from torch.fx.node import map_arg

        name = operator_name(node.target)
        if name.partition(".")[0] in SKIPPED:
            return
        free = any(each in self.translated for each in node.all_input_nodes)
        args, kwargs = (map_arg(given, self.double.__getitem__) for given in (node.args, node.kwargs))
        if not free or name.partition(".")[0] in METADATA:
            self._require_fixed(name)
            self.double[node] = node.target(*_of_own_type(args, node, free), **kwargs)
            return
        if name == "<built-in function getitem>":
            self.translated[node] = self.translated[node.args[0]][node.args[1]]
            self.double[node] = self.double[node.args[0]][node.args[1]]
            return
        handler = OPERATORS.get(name) or OPERATORS.get(name.partition(".")[0])
        if handler is None:
            raise Refused(f"the operator {name!r} is not taken over; {remedy(name)}")
        special = DOUBLE.get(name, node.target)
        self.double[node] = special(*map(doubled, args), **{key: doubled(value) for key, value in kwargs.items()})
        context = Context(self.translation, node, args, self.double[node])
        read = [map_arg(given, self._value) for given in (node.args, node.kwargs)]
        self._keep(node, handler(context, *read[0], **read[1]))

    def _value(self, node: Any) -> Any:
        """A node's value as the translation takes it."""
        if node in self.translated:
            if self.translated[node] is None:
                raise Refused("reads the places of maxima, or statistics of a batch; use the values alone")
            return self.translated[node]
        found = known(self.double[node])
        name = self.program.names.get(node, "")
        return replace(found, name=name) if name and isinstance(found, Known) else found

    def _keep(self, node: Any, found: Any) -> None:
        """Note a result; numbers that turned out to be known are PyTorch's from now on."""
        if isinstance(found, Known):
            return
        self.translated[node] = found
        name, _ = layer_of(node)
        for each in found if isinstance(found, tuple | list) else (found,):
            if isinstance(each, Tensor):
                self.names.setdefault(each.node, name)

    @staticmethod
    def _require_fixed(name: str) -> None:
        if any(word in name for word in ("rand", "bernoulli", "normal_", "multinomial", "uniform", "exponential_")):
            raise Refused("draws random numbers, so each call is another function; register them as a buffer once")


def known(value: Any) -> Any:
    """A tensor of PyTorch as known numbers, all exact; anything else as it is.

    Raises
    ------
    Refused
        It is complex.
    """
    import torch

    if isinstance(value, list | tuple):
        return type(value)(map(known, value))
    if not isinstance(value, torch.Tensor):
        return value
    if value.is_complex():
        raise Refused("computes with complex numbers; write it with real ones")
    kind = torch.bool if value.dtype == torch.bool else torch.float64 if value.is_floating_point() else torch.int64
    return Known(np.array(value.detach().to("cpu", kind).numpy()))


def doubled(value: Any) -> Any:
    """Floating-point tensors and types in float64; anything else as it is."""
    import torch

    if isinstance(value, list | tuple):
        return type(value)(map(doubled, value))
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach().double()
    if isinstance(value, torch.dtype) and value.is_floating_point:
        return torch.float64
    return value


def _of_own_type(args: Any, node: Any, free: bool) -> Any:
    """Of an operator that reads only a tensor's shape and type: the tensor in the module's own type."""
    if not free:
        return args
    kept = []
    for given, value in zip(node.args, args, strict=True):
        dtype = getattr(getattr(given, "meta", {}).get("val"), "dtype", None)
        kept.append(value if dtype is None else value.to(dtype))
    return tuple(kept)
