"""Weights and biases of a module as binary64 arrays, exactly: every float that PyTorch trains with is one.

`Context` is what an operation of the graph is translated in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from verifier.adapters.pytorch.values import Array, Plan, refuse

if TYPE_CHECKING:
    import torch


class Parameters:
    """Takes the parameters of layers, and sees to it that no two layers share them."""

    def __init__(self) -> None:
        """Start with no parameter taken."""
        self._taken: list[tuple[torch.Tensor, str]] = []

    def take(self, tensor: torch.Tensor, kind: str, where: str) -> Array:
        """A parameter's exact values.

        Guarantee: the array equals the tensor bit for bit, entry by entry, up to the exact embedding of float16,
        bfloat16 and float32 in binary64.

        Parameters
        ----------
        tensor : torch.Tensor
            Of float16, bfloat16, float32 or float64, anywhere.
        kind : str
            ``"weight"`` or ``"bias"``.
        where : str
            The layer, for messages.

        Raises
        ------
        InputError
            It is of another kind, not finite, has no values, or belongs to another layer, too.
        """
        import torch

        if tensor.is_quantized or tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            refuse(where, f"its {kind} is {tensor.dtype}; supported are float16, bfloat16, float32 and float64")
        if tensor.layout != torch.strided or tensor.is_meta:
            what = "on the meta device" if tensor.is_meta else str(tensor.layout)
            refuse(where, f"its {kind} is {what} and has no dense values; give a dense tensor on a CPU or GPU")
        if any(n > 1 and step == 0 for n, step in zip(tensor.shape, tensor.stride(), strict=True)):
            refuse(
                where,
                f"its {kind} repeats numbers in memory (torch.expand), so they are tied; give it a copy: .clone()",
            )
        for other, owner in self._taken:
            if overlap(tensor, other):
                self._refuse_shared(tensor, other, kind, where, owner)
        self._taken.append((tensor, where))
        with torch.no_grad():
            values: Array = np.array(tensor.detach().to("cpu", torch.float64).numpy(), order="C")
        if not np.isfinite(values).all():
            refuse(where, f"its {kind} has entries that are not finite; train it anew")
        return values

    @staticmethod
    def _refuse_shared(tensor: torch.Tensor, other: torch.Tensor, kind: str, where: str, owner: str) -> NoReturn:
        remedy = "layers here share no weights: give each call a module of its own (copy.deepcopy)"
        if tensor.data_ptr() == other.data_ptr() and tensor.stride() == other.stride():
            shared = "is called more than once" if owner == where else f"shares its {kind} with {owner}"
            refuse(where, f"{shared}; {remedy}")
        if tensor.data_ptr() == other.data_ptr() and tensor.stride() == other.stride()[::-1]:
            shared = f"its {kind} is that of {owner}, transposed (tied weights)"
        else:
            shared = f"its {kind} has numbers in common with {owner} (views of one tensor)"
        refuse(
            where,
            f"{shared}; layers here share no weights: give it a copy, nn.Parameter(weight.detach().clone())",
        )


@dataclass(frozen=True, slots=True)
class Context:
    """Where an operation stands: the plan and the parameters taken so far, its name and words for it."""

    plan: Plan
    parameters: Parameters
    name: str
    where: str


def overlap(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two dense tensors have a number in memory in common, in whatever shapes they look at it.

    Guarantee: false only if no place in memory belongs to both.
    """
    first, second = _places(one), _places(other)
    if not first or not second or one.device != other.device:
        return False
    if first[-1] < second[0] or second[-1] < first[0]:
        return False
    # The ranges meet: views may still interleave, such as columns of one matrix, so the places themselves decide.
    return not frozenset(_every_place(one)).isdisjoint(_every_place(other))


def _places(tensor: torch.Tensor) -> tuple[int, int] | None:
    """The first and the last byte of a tensor's numbers, None if it has none."""
    if tensor.numel() == 0:
        return None
    last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    start = tensor.data_ptr()
    return start, start + (last + 1) * tensor.element_size() - 1


def _every_place(tensor: torch.Tensor) -> list[int]:
    """The byte at which each number of a tensor begins."""
    offsets = np.zeros((), dtype=np.int64)
    for n, step in zip(tensor.shape, tensor.stride(), strict=True):
        offsets = np.add.outer(offsets, np.arange(n, dtype=np.int64) * step)
    return [int(place) for place in tensor.data_ptr() + offsets.ravel() * tensor.element_size()]
