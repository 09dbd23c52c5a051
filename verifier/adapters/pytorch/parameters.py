"""Weights of a module as binary64 arrays, exactly: every float that PyTorch trains with is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.adapters.translation.values import Refused
from verifier.network.network import Array

if TYPE_CHECKING:
    import torch


class Parameters:
    """The parameters of a module by name, each under the first name that it has.

    Two parameters that are the same numbers in memory, in the same shape, are one parameter (tied weights).

    Parameters
    ----------
    module : torch.nn.Module
        The module.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        """Find the names; nothing is read yet."""
        self._tensors = dict(module.named_parameters(remove_duplicate=False))
        self._trained = {name: each for name, each in self._tensors.items() if each.requires_grad}
        self._names: dict[str, str] = {}
        self._read: dict[str, torch.Tensor] = {}

    def canonical(self, name: str) -> str:
        """The first name of the trained parameter that is called ``name``."""
        if name not in self._names:
            tensor = self._tensors[name]
            self._names[name] = next(other for other, each in self._trained.items() if _same(each, tensor))
        return self._names[name]

    def values(self, name: str) -> Array:
        """Return the exact values of one parameter.

        Guarantee: the array equals the tensor bit for bit, entry by entry, up to the exact embedding of float16,
        bfloat16 and float32 in binary64; and no number of it belongs to another parameter.

        Raises
        ------
        Refused
            It is of another kind, not finite, or shares numbers with another parameter in another shape.
        """
        import torch

        tensor, kind = self._tensors[name], name.rpartition(".")[2]
        if any(n > 1 and step == 0 for n, step in zip(tensor.shape, tensor.stride(), strict=True)):
            raise Refused(
                f"its {kind} repeats numbers in memory (torch.expand), so they are tied; give it a copy: .clone()"
            )
        for owner in self._trained:
            if self.canonical(owner) != name:
                self._require_apart(tensor, f"its {kind}", owner)
        with torch.no_grad():
            values: Array = np.array(tensor.detach().to("cpu", torch.float64).numpy(), order="C")
        if not np.isfinite(values).all():
            raise Refused(f"its {kind} has entries that are not finite; train it anew")
        return values

    def require_fixed(self, tensor: torch.Tensor) -> None:
        """Known numbers are not, in memory, those of a trained parameter.

        Raises
        ------
        Refused
            They are.
        """
        for owner in self._trained:
            self._require_apart(tensor, "a buffer, a constant or a frozen parameter", owner)

    def _require_apart(self, tensor: torch.Tensor, name: str, owner: str) -> None:
        if overlap(tensor, self._trained[owner]):
            raise Refused(
                f"{name} has numbers in common with {owner} (views of one tensor); tie them by one parameter, or "
                "give it a copy: .detach().clone()"
            )


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two parameters are one: the same object, or the same numbers in memory in the same shape."""
    if one is other:
        return True
    alike = one.shape == other.shape and one.stride() == other.stride() and one.dtype == other.dtype
    return bool(alike and one.numel() > 0 and one.device == other.device and one.data_ptr() == other.data_ptr())


def overlap(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two dense tensors have a number in memory in common, in whatever shapes they look at it.

    Guarantee: false only if no place in memory belongs to both.

    Parameters
    ----------
    one, other : torch.Tensor
        Tensors with strides, of any shapes.

    Returns
    -------
    bool
        Whether a number of one is a number of the other.
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
