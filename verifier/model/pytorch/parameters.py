"""Weights and biases of a module as binary64 arrays, exactly: every float that PyTorch trains with is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.model.layers import Shape
from verifier.model.pytorch.values import Array, refuse

if TYPE_CHECKING:
    import torch


class Parameters:
    """Takes the parameters of layers, and sees to it that no two layers share them."""

    def __init__(self) -> None:
        """Nothing is taken yet."""
        self._taken: dict[tuple[int, Shape], str] = {}

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
        key = (tensor.data_ptr(), tuple(tensor.shape))
        if key in self._taken:
            owner = self._taken[key]
            calls = "is called more than once" if owner == where else f"shares its {kind} with {owner}"
            refuse(where, f"{calls}; layers here share no weights: give each call a module of its own (copy.deepcopy)")
        self._taken[key] = where
        with torch.no_grad():
            values: Array = np.array(tensor.detach().to("cpu", torch.float64).numpy(), order="C")
        if not np.isfinite(values).all():
            refuse(where, f"its {kind} has entries that are not finite; train it anew")
        return values
