"""Weights from a file: which tensor is which part of U and V, under this package's names, PyTorch's, Keras' or others.

Tensors are assigned by name where the names are ours (``layer0.weight``, ``layer0.bias``, ``V``); else by shape, and by
the numbers in their names where several shapes are equal. What fits in several ways is refused, never guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.tensors import exact_tensor, read_tensors
from verifier.data.classes import one_logit, suggestion
from verifier.data.dataset import Dataset
from verifier.errors import CaseError, one_line
from verifier.network.network import Array, Network

MAX_NAMED: Final = 6
"""Tensors that a message lists."""

_NAMED: Final = re.compile(r"(?P<stem>.*?)[./_]?(?P<kind>weights?|kernel|coefs?|bias(es)?|W|w|b)(:0)?", re.DOTALL)
_COUNTED: Final = re.compile(r"(?P<kind>weights?|kernel|coefs?|intercepts?|bias(es)?|W|w|b)[._]?(?P<stem>[0-9]+)(:0)?")
_BIASES: Final = ("b", "bias", "biases", "intercept", "intercepts")
_TURNED: Final = ("kernel", "coef", "coefs")
"""Names of matrices (inputs, units), as Keras and scikit-learn store them."""


@dataclass(frozen=True, slots=True)
class FileWeights:
    """U, (p,), V, (M, m) or None if the file has none, and a line that says which tensors they are."""

    u: Array
    v: Array | None
    words: str


@dataclass(slots=True)
class _Group:
    """A weight and its bias under the names of the file."""

    stem: str
    weight: str = ""
    bias: str = ""
    turned: bool = False


def read_weights(path: Path, network: Network, data: Dataset) -> FileWeights:
    """Read U, and V if it is there, from a file of tensors.

    Parameters
    ----------
    path : Path
        A safetensors file or an ``.npz`` archive.
    network : Network
        The network with parameters ``layer0.weight``, ``layer0.bias``, ...
    data : Dataset
        The samples, whose classes are the m outputs.

    Returns
    -------
    FileWeights
        Guarantee: exactly the numbers of the file.

    Raises
    ------
    CaseError
        Tensors that are missing, unknown, of another shape, not finite, or that fit in several ways.
    """
    tensors = read_tensors(path)
    names = [view.name for view in network.parameters]
    ours = [name for name in names if name in tensors]
    if ours or not tensors or set(tensors) == {"V"}:
        return _by_names(path, network, data, tensors)
    return _by_shapes(path, network, data, tensors)


def _by_names(path: Path, network: Network, data: Dataset, tensors: dict[str, NDArray[Any]]) -> FileWeights:
    u = np.zeros(network.parameter_count)
    for view in network.parameters:
        if view.name not in tensors:
            raise CaseError(f"{path}: tensor {view.name!r} is missing; it must have shape {list(view.spec.shape)}")
        view.of(u)[...] = _fitting(path, view.name, tensors.pop(view.name), view.spec.shape)
    words = f"U from {path.name}"
    heads = _groups(tensors)
    if not tensors:
        return FileWeights(u, None, words)
    if set(tensors) == {"V"}:
        v, how = _plain_head(path, network, data, tensors["V"])
    elif heads is not None and len(heads) == 1 and _is_head(heads[0], tensors, network, data):
        v, how = _head(path, network, data, tensors, heads[0])
    else:
        raise _unknown(path, network, [name for name in tensors if name != "V"])
    return FileWeights(u, v, f"{words}; V is {how}")


def _by_shapes(path: Path, network: Network, data: Dataset, tensors: dict[str, NDArray[Any]]) -> FileWeights:
    plain_head = tensors.pop("V", None)
    groups = _groups(tensors)
    if groups is None:
        known = [name for name in tensors if not (_NAMED.fullmatch(name) or _COUNTED.fullmatch(name))]
        raise _unknown(path, network, known or list(tensors))
    wanted = _wanted(network)
    head, hidden = None, groups
    if plain_head is None and len(groups) == len(wanted) + 1:
        head, hidden = _chosen_head(path, network, data, tensors, groups, wanted)
    elif len(groups) != len(wanted):
        expected = f"{len(wanted)}, or {len(wanted) + 1} with the head" if plain_head is None else f"{len(wanted)}"
        raise CaseError(
            f"{path}: {len(groups)} pairs of weight and bias ({_listed([g.weight or g.bias for g in groups])}), the"
            f" network has {expected}: {_listed([view.name for view in network.parameters])}; is it the same network?"
        )
    ordered = _in_order(path, network, tensors, hidden, wanted)
    u = np.zeros(network.parameter_count)
    views = iter(network.parameters)
    for group in ordered:
        for name in (group.weight, group.bias):
            view = next(views)
            values = tensors[name]
            turned = group.turned and name == group.weight and values.ndim == 2
            view.of(u)[...] = _fitting(path, name, values.T if turned else values, view.spec.shape)
    words = f"U from {path.name}: {_listed([name for g in ordered for name in (g.weight, g.bias)])} in this order"
    if head is not None:
        v, how = _head(path, network, data, tensors, head)
    elif plain_head is not None:
        v, how = _plain_head(path, network, data, plain_head)
    else:
        return FileWeights(u, None, words)
    return FileWeights(u, v, f"{words}; V is {how}")


def _groups(tensors: dict[str, NDArray[Any]]) -> list[_Group] | None:
    """Pair weights and biases by the stem of their names; None if a name is of neither."""
    found: dict[str, _Group] = {}
    for name in tensors:
        match = _COUNTED.fullmatch(name) or _NAMED.fullmatch(name)
        if match is None:
            return None
        group = found.setdefault(match["stem"], _Group(match["stem"]))
        is_bias = match["kind"] in _BIASES
        if (group.bias if is_bias else group.weight) != "":
            return None
        if is_bias:
            group.bias = name
        else:
            group.weight, group.turned = name, match["kind"] in _TURNED
    return sorted(found.values(), key=lambda group: _natural(group.stem))


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Order texts with numbers by the numbers' values."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"([0-9]+)", text) if part]


def _wanted(network: Network) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    shapes = [view.spec.shape for view in network.parameters]
    return list(zip(shapes[::2], shapes[1::2], strict=True))


def _shapes(group: _Group, tensors: dict[str, NDArray[Any]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    weight = tensors[group.weight].shape if group.weight else ()
    if group.turned and len(weight) == 2:
        weight = weight[::-1]
    return tuple(weight), tuple(tensors[group.bias].shape) if group.bias else ()


def _is_head(group: _Group, tensors: dict[str, NDArray[Any]], network: Network, data: Dataset) -> bool:
    if not group.weight:
        return False
    shape, bias = _shapes(group, tensors)
    outputs = [data.classes, 1] if data.classes == 2 else [data.classes]
    fits = any(shape in ((m, network.skip_count), (network.skip_count, m)) for m in outputs)
    return fits and bias in ((), *((m,) for m in outputs))


def _chosen_head(
    path: Path,
    network: Network,
    data: Dataset,
    tensors: dict[str, NDArray[Any]],
    groups: list[_Group],
    wanted: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
) -> tuple[_Group, list[_Group]]:
    """Find the one group without which the others are the hidden layers."""
    heads = []
    for group in groups:
        rest = [_shapes(other, tensors) for other in groups if other is not group]
        if Counter(rest) == Counter(wanted) and _is_head(group, tensors, network, data):
            heads.append(group)
    if len(heads) > 1 and groups[-1] in heads and _numbered(groups):
        heads = [groups[-1]]
    if len(heads) > 1:  # the one that is not numbered as the others are
        heads = [head for head in heads if _numbered([group for group in groups if group is not head])] or heads
    if len(heads) == 1:
        return heads[0], [group for group in groups if group is not heads[0]]
    if not heads:
        candidates = [group for group in groups if _is_head(group, tensors, network, data)]
        head = candidates[-1] if candidates else groups[-1]
        hidden = [group for group in groups if group is not head]
        _in_order(path, network, tensors, hidden, wanted)  # its error names the tensor
        found = _shapes(head, tensors)[0]
        if len(found) == 2 and found[1] == network.skip_count:
            _require_known_classes(path, head.weight, found[0], data)
        raise CaseError(
            f"{path}: tensor {head.weight!r} has shape {list(_shapes(head, tensors)[0])}; the head of this network has"
            f" {[data.classes, network.skip_count]}, and no bias but zeros"
        )
    raise _several(path, [group.weight for group in heads])


def _in_order(
    path: Path,
    network: Network,
    tensors: dict[str, NDArray[Any]],
    groups: list[_Group],
    wanted: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
) -> list[_Group]:
    """Assign groups to layers: by shapes that occur once, else in the order of the numbers in their names."""
    shapes = [_shapes(group, tensors) for group in groups]
    if Counter(shapes) == Counter(wanted):
        if len(set(shapes)) == len(shapes):
            return [groups[shapes.index(shape)] for shape in wanted]
        if list(shapes) == list(wanted) and _numbered(groups):
            return groups
        equal = next(shape for shape in shapes if shapes.count(shape) > 1)
        raise _several(path, [g.weight for g, shape in zip(groups, shapes, strict=True) if shape == equal])
    for group, (weight, bias), view in zip(groups, wanted, network.parameters[::2], strict=True):
        for name, shape, kind in ((group.weight, weight, "weight"), (group.bias, bias, "bias")):
            if not name:
                raise CaseError(
                    f"{path}: {group.weight or group.bias!r} has no {kind}; the network needs one of shape"
                    f" {list(shape)}; for a layer without it, store zeros"
                )
            found = _shapes(group, tensors)[0 if kind == "weight" else 1]
            if found != shape:
                raise CaseError(
                    f"{path}: tensor {name!r} has shape {list(found)}; the network needs {list(shape)} for"
                    f" {view.name.rsplit('.', 1)[0]}{_why(found, shape)}"
                )
    raise _several(path, [group.weight for group in groups])


def _numbered(groups: Sequence[_Group]) -> bool:
    """Whether the names differ in their numbers only, but for the last, which may be the head."""
    stems = [re.sub("[0-9]+", "#", group.stem) for group in groups]
    return len(set(stems)) == 1 and "#" in stems[0]


def _fitting(path: Path, name: str, values: NDArray[Any], shape: tuple[int, ...]) -> Array:
    if tuple(values.shape) != shape:
        raise CaseError(
            f"{path}: tensor {name!r} has shape {list(values.shape)}; the network needs"
            f" {list(shape)}{_why(tuple(values.shape), shape)}"
        )
    return exact_tensor(path, name, values)


def _why(found: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if found[::-1] == shape:
        return "; its transpose fits"
    if len(found) == 1 < len(shape) and found[0] == shape[0]:
        return '; one bias for a filter is bias = "tied" in network.layers'
    return ""


def _plain_head(path: Path, network: Network, data: Dataset, values: NDArray[Any]) -> tuple[Array, str]:
    expected = (network.skip_count, data.classes)
    if tuple(values.shape) == (network.skip_count, 1):
        v, said = one_logit(exact_tensor(path, "V", values), f"{path}: V", data)
        return v, f"its V{said}"
    _require_known_classes(path, "V", values.shape[1] if values.shape[:-1] == (network.skip_count,) else 0, data)
    if tuple(values.shape) != expected and tuple(values.shape)[::-1] == expected:
        return exact_tensor(path, "V", values.T), f"its V transposed, {expected[0]} x {expected[1]}"
    return _fitting(path, "V", values, expected), "its V"


def _head(
    path: Path, network: Network, data: Dataset, tensors: dict[str, NDArray[Any]], group: _Group
) -> tuple[Array, str]:
    """Take the output weights, (M, m), from a head stored as (m, M) or (M, m)."""
    values, units = tensors[group.weight], network.skip_count
    if group.bias and np.any(tensors[group.bias] != 0):
        raise CaseError(
            f"{path}: the head's bias {group.bias!r} is not zero, and the theory has none; take the module over with"
            ' vf.from_torch(module, shape, output_bias="unit"), or train a head without bias'
        )
    matrix = values if group.turned else values.T
    other = values.T if group.turned else values
    zeros = f", its bias {group.bias!r} is zero" if group.bias else ""
    shown = one_line(group.weight)
    if matrix.shape == (units, data.classes):
        return exact_tensor(path, group.weight, matrix), f"{shown}{'' if group.turned else ' transposed'}{zeros}"
    if data.classes == 2 and matrix.shape == (units, 1):
        v, said = one_logit(exact_tensor(path, group.weight, matrix), f"{path}: {shown}", data)
        return v, f"[0, {shown}]{zeros}{said}"
    return _fitting(path, group.weight, other, (units, data.classes)), f"{shown}{zeros}"


def _require_known_classes(path: Path, name: str, columns: int, data: Dataset) -> None:
    """Say how a classifier with more classes than occur in the data is stated."""
    if columns > data.classes:
        raise CaseError(
            f"{path}: {name!r} is for {columns} classes, and the data have {data.classes}; say which, in [data]:"
            f" {suggestion(data, columns)}"
        )


def _unknown(path: Path, network: Network, names: Sequence[str]) -> CaseError:
    known = ", ".join([view.name for view in network.parameters][:MAX_NAMED])
    several = "unknown tensor" if len(names) == 1 else f"{len(names)} unknown tensors,"
    return CaseError(
        f"{path}: {several} {_listed(list(names))}; this network has {known}, ..., and V: rename, or leave out of the"
        " file"
    )


def _several(path: Path, names: Sequence[str]) -> CaseError:
    return CaseError(
        f"{path}: the tensors {_listed(list(names))} have equal shapes and fit in several ways; rename them"
        " layer0.weight, layer0.bias, layer1.weight, ..., and the output weights V"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(one_line(name, limit=50) for name in names[:MAX_NAMED]) + (
        ", ..." if len(names) > MAX_NAMED else ""
    )
