"""Reshaping, concatenating and selecting: operations that compute nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from verifier.adapters.pytorch.parameters import Context
from verifier.adapters.pytorch.values import BATCH, Columns, Value, concatenate, refuse


def reshape(context: Context, value: Value, arguments: dict[str, Any]) -> Value:
    """`x.view(batch, -1)` and the like: the batch stays the first axis, the rest becomes flat (or as it was).

    Raises
    ------
    InputError
        It mixes the batch with other axes, or makes positions of units.
    """
    sizes, where = arguments["shape"], context.where
    if sizes[:1] == (BATCH,):
        rest = list(sizes[1:])
        if rest.count(-1) == 1 and _whole(rest):
            rest[rest.index(-1)] = value.size // max(1, -math.prod(rest))
    elif sizes[:1] == (-1,):
        rest = list(sizes[1:])
    else:
        refuse(where, f"reshapes the batch away; write {_FLAT}")
    shaped = value.reshaped(tuple(rest)) if rest and _whole(rest) else None
    if shaped is None:
        refuse(where, f"reshapes {value.shape} to {tuple(rest)}; only flattening is supported: {_FLAT}")
    return shaped


def joined(context: Context, values: Any, arguments: dict[str, Any]) -> Value:
    """`torch.cat` along the first axis after the batch.

    Raises
    ------
    InputError
        It is along another one, or of something else.
    """
    axis, where = arguments.get("dim", 0), context.where
    if not isinstance(values, Sequence) or not all(isinstance(value, Value) for value in values) or not values:
        refuse(where, "does not concatenate outputs of layers alone; concatenate these only")
    if axis not in (1, -len(values[0].shape)):
        refuse(where, f"concatenates along dim={axis}; use dim=1")
    return concatenate(values, where)


def select(context: Context, value: Value, arguments: dict[str, Any]) -> Value:
    """`torch.index_select(x, 1, index)`.

    Raises
    ------
    InputError
        It is along another axis.
    """
    axis = arguments.get("dim")
    if axis not in (1, -len(value.shape)):
        refuse(context.where, f"selects along dim={axis}; use dim=1")
    return picked(context, value, {"index": (slice(None), arguments.get("index"))})


def picked(context: Context, value: Value, arguments: dict[str, Any]) -> Value:
    """`x[:, index]`: a slice, a list, a tensor of indices or a mask.

    Raises
    ------
    InputError
        It selects samples, removes an axis, or has an index that does not exist.
    """
    index, where = arguments["index"], context.where
    entries = index if isinstance(index, tuple) else (index,)
    if len(entries) == 2 and entries[0] is Ellipsis and len(value.shape) == 1:
        entries = (slice(None), entries[1])
    whole = slice(None)
    if len(entries) < 2 or any(entry != whole for entry in (entries[0], *entries[2:]) if isinstance(entry, slice)):
        refuse(where, _SELECT)
    if not all(isinstance(entry, slice) for entry in (entries[0], *entries[2:])):
        refuse(where, _SELECT)
    try:
        chosen = value.indices()[_plain(entries[1], where)]
    except (IndexError, TypeError, ValueError):
        refuse(where, f"selects units that do not exist: it has {value.shape[0]}")
    everything = chosen.shape == value.shape and np.array_equal(chosen, value.indices())
    return value if everything else Value(value.parts, chosen.shape, chosen.ravel())


def _plain(index: Any, where: str) -> slice | Columns | np.ndarray[Any, np.dtype[np.bool_]]:
    """A slice, or an array of indices or of truth values with one axis."""
    import torch

    if isinstance(index, slice):
        if not all(entry is None or type(entry) is int for entry in (index.start, index.stop, index.step)):
            refuse(where, _SELECT)
        return index
    if not isinstance(index, torch.Tensor | list):
        refuse(where, _SELECT)
    found = np.array(index.detach().cpu().numpy() if isinstance(index, torch.Tensor) else index)
    if found.ndim != 1 or found.dtype.kind not in "bi":
        refuse(where, _SELECT)
    return found if found.dtype.kind == "b" else found.astype(np.intp)


def _whole(entries: Sequence[Any]) -> bool:
    return all(type(entry) is int for entry in entries)


_FLAT = "torch.flatten(x, 1) or x.view(x.size(0), -1)"
_SELECT = "is not a selection x[:, index] of columns by a slice, a list or a tensor of indices (a registered buffer)"
