"""Weights from a file: which tensor is which part of U and V, under this package's names, PyTorch's, Keras' or others.

Tensors are assigned by name where the names are ours (``layer0.weight``, ``layer0.bias``, ``V``); else by shape, and by
the numbers in their names where several shapes are equal. What fits in several ways is refused, never guessed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.tensors import exact_tensor, read_tensors
from verifier.data.classes import one_logit, suggestion
from verifier.data.dataset import Dataset
from verifier.errors import CaseError, one_line
from verifier.network.network import Array, Network
from verifier.network.nodes import Constant
from verifier.network.windows import Shape

MAX_NAMED: Final = 6
"""Tensors that a message lists."""

_NAMED: Final = re.compile(r"(?P<stem>.*?)[./_]?(?P<kind>weights?|kernel|coefs?|bias(es)?|W|w|b)(:0)?", re.DOTALL)
_COUNTED: Final = re.compile(r"(?P<kind>weights?|kernel|coefs?|intercepts?|bias(es)?|W|w|b)[._]?(?P<stem>[0-9]+)(:0)?")
_BIASES: Final = ("b", "bias", "biases", "intercept", "intercepts")
_TURNED: Final = ("kernel", "coef", "coefs")
"""Names of matrices (inputs, units), as Keras and scikit-learn store them."""


_Shapes: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""Of a weight and its bias."""


@dataclass(frozen=True, slots=True)
class FileWeights:
    """What a file gave: U, (p,), V, (M, m) or None if it has none, and a line that says which tensors they are.

    ``fixed`` are numbers that are no part of U, by name: running means and variances.
    """

    u: Array
    v: Array | None
    words: str
    fixed: dict[str, Array] = field(default_factory=dict)


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
        Tensors that are missing, unknown, of another shape, not finite, or that fit in several ways. A network that is
        not layers alone takes tensors by its own names only.
    """
    tensors = read_tensors(path)
    constants = {n.name: n.values.shape for n in network.nodes if isinstance(n, Constant) and n.name in tensors}
    found = _Weights(path, network, data, tensors)
    fixed = {name: found.constant(name, shape) for name, shape in constants.items()}
    ours = [view.name for view in network.parameters if view.name in tensors]
    named = ours or not tensors or set(tensors) == {"V"} or network.layered is None
    return replace(found.by_names() if named else found.by_shapes(), fixed=fixed)


@dataclass(frozen=True, slots=True)
class _Weights:
    """The tensors of a file, which are assigned to the parts of a network one by one."""

    path: Path
    network: Network
    data: Dataset
    tensors: dict[str, NDArray[Any]]

    @property
    def units(self) -> int:
        """How many rows of V are weights of a head; an output bias is one more."""
        return self.network.skip_count - self.network.output_bias

    def _error(self, line: str) -> CaseError:
        return CaseError(f"{self.path}: {line}")

    def _exact(self, name: str, values: NDArray[Any]) -> Array:
        return exact_tensor(self.path, name, values)

    def constant(self, name: str, shape: Shape) -> Array:
        """Take the numbers of a constant out of the file, in its shape; a vector stands for one per channel."""
        values = self.tensors.pop(name)
        if values.ndim == 1 and len(values) == math.prod(shape):
            values = values.reshape(shape)
        return self._fitting(name, values, shape)

    def by_names(self) -> FileWeights:
        """Assign tensors under the network's own names; one head may be under another."""
        u = np.zeros(self.network.parameter_count)
        for view in self.network.parameters:
            if view.name not in self.tensors:
                raise self._error(f"tensor {view.name!r} is missing; it must have shape {list(view.spec.shape)}")
            view.of(u)[...] = self._fitting(view.name, self.tensors.pop(view.name), view.spec.shape)
        words = f"U from {self.path.name}"
        heads = self._groups()
        if not self.tensors:
            return FileWeights(u, None, words)
        if set(self.tensors) == {"V"}:
            v, how = self._plain_head(self.tensors["V"])
        elif heads is not None and len(heads) == 1 and self._is_head(heads[0]):
            v, how = self._head(heads[0])
        else:
            raise self._unknown([name for name in self.tensors if name != "V"])
        return FileWeights(u, v, f"{words}; V is {how}")

    def by_shapes(self) -> FileWeights:
        """Assign tensors under other names, by their shapes and the numbers in their names."""
        views = self.network.parameters
        plain_head = self.tensors.pop("V", None)
        groups = self._groups()
        if groups is None:
            known = [name for name in self.tensors if not (_NAMED.fullmatch(name) or _COUNTED.fullmatch(name))]
            raise self._unknown(known or list(self.tensors))
        wanted = self._wanted()
        head, hidden = None, groups
        if plain_head is None and len(groups) == len(wanted) + 1:
            head, hidden = self._chosen_head(groups, wanted)
        elif len(groups) != len(wanted):
            expected = f"{len(wanted)}, or {len(wanted) + 1} with the head" if plain_head is None else f"{len(wanted)}"
            raise self._error(
                f"{len(groups)} pairs of weight and bias ({_listed([g.weight or g.bias for g in groups])}), the"
                f" network has {expected}: {_listed([view.name for view in views])}; is it the same network?"
            )
        ordered = self._in_order(hidden, wanted)
        u = np.zeros(self.network.parameter_count)
        places = iter(views)
        for group in ordered:
            for name in (group.weight, group.bias):
                view = next(places)
                values = self.tensors[name]
                turned = group.turned and name == group.weight and values.ndim == 2
                view.of(u)[...] = self._fitting(name, values.T if turned else values, view.spec.shape)
        words = (
            f"U from {self.path.name}: {_listed([name for g in ordered for name in (g.weight, g.bias)])} in this order"
        )
        if head is not None:
            v, how = self._head(head)
        elif plain_head is not None:
            v, how = self._plain_head(plain_head)
        else:
            return FileWeights(u, None, words)
        return FileWeights(u, v, f"{words}; V is {how}")

    def _groups(self) -> list[_Group] | None:
        """Pair weights and biases by the stem of their names; None if a name is of neither."""
        found: dict[str, _Group] = {}
        for name in self.tensors:
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

    def _wanted(self) -> list[_Shapes]:
        shapes = [view.spec.shape for view in self.network.parameters]
        return list(zip(shapes[::2], shapes[1::2], strict=True))

    def _shapes(self, group: _Group) -> _Shapes:
        weight = self.tensors[group.weight].shape if group.weight else ()
        if group.turned and len(weight) == 2:
            weight = weight[::-1]
        return tuple(weight), tuple(self.tensors[group.bias].shape) if group.bias else ()

    def _is_head(self, group: _Group) -> bool:
        if not group.weight:
            return False
        shape, bias = self._shapes(group)
        outputs = [self.data.classes, 1] if self.data.classes == 2 else [self.data.classes]
        fits = any(shape in ((m, self.units), (self.units, m)) for m in outputs)
        return fits and bias in ((), *((m,) for m in outputs))

    def _chosen_head(self, groups: list[_Group], wanted: Sequence[_Shapes]) -> tuple[_Group, list[_Group]]:
        """Find the one group without which the others are the hidden layers."""
        heads = []
        for group in groups:
            rest = [self._shapes(other) for other in groups if other is not group]
            if Counter(rest) == Counter(wanted) and self._is_head(group):
                heads.append(group)
        if len(heads) > 1 and groups[-1] in heads and _numbered(groups):
            heads = [groups[-1]]
        if len(heads) > 1:  # the one that is not numbered as the others are
            heads = [head for head in heads if _numbered([group for group in groups if group is not head])] or heads
        if len(heads) == 1:
            return heads[0], [group for group in groups if group is not heads[0]]
        if not heads:
            candidates = [group for group in groups if self._is_head(group)]
            head = candidates[-1] if candidates else groups[-1]
            hidden = [group for group in groups if group is not head]
            self._in_order(hidden, wanted)  # its error names the tensor
            found = self._shapes(head)[0]
            if len(found) == 2 and found[1] == self.units:
                self._require_known_classes(head.weight, found[0])
            raise self._error(
                f"tensor {head.weight!r} has shape {list(self._shapes(head)[0])}; the head of this network has"
                f" {[self.data.classes, self.units]}"
            )
        raise self._several([group.weight for group in heads])

    def _in_order(self, groups: list[_Group], wanted: Sequence[_Shapes]) -> list[_Group]:
        """Assign groups to layers: by shapes that occur once, else in the order of the numbers in their names."""
        shapes = [self._shapes(group) for group in groups]
        if Counter(shapes) == Counter(wanted):
            if len(set(shapes)) == len(shapes):
                return [groups[shapes.index(shape)] for shape in wanted]
            if list(shapes) == list(wanted) and _numbered(groups):
                return groups
            equal = next(shape for shape in shapes if shapes.count(shape) > 1)
            raise self._several([g.weight for g, shape in zip(groups, shapes, strict=True) if shape == equal])
        for group, (weight, bias), view in zip(groups, wanted, self.network.parameters[::2], strict=True):
            for name, shape, kind in ((group.weight, weight, "weight"), (group.bias, bias, "bias")):
                if not name:
                    raise self._error(
                        f"{group.weight or group.bias!r} has no {kind}; the network needs one of shape"
                        f" {list(shape)}; for a layer without it, store zeros"
                    )
                found = self._shapes(group)[0 if kind == "weight" else 1]
                if found != shape:
                    raise self._error(
                        f"tensor {name!r} has shape {list(found)}; the network needs {list(shape)} for"
                        f" {view.name.rsplit('.', 1)[0]}{_why(found, shape)}"
                    )
        raise self._several([group.weight for group in groups])

    def _fitting(self, name: str, values: NDArray[Any], shape: tuple[int, ...]) -> Array:
        if tuple(values.shape) != shape:
            raise self._error(
                f"tensor {name!r} has shape {list(values.shape)}; the network needs"
                f" {list(shape)}{_why(tuple(values.shape), shape)}"
            )
        return self._exact(name, values)

    def _plain_head(self, values: NDArray[Any]) -> tuple[Array, str]:
        expected = (self.network.skip_count, self.data.classes)
        if tuple(values.shape) == (self.network.skip_count, 1):
            v, said = one_logit(self._exact("V", values), f"{self.path}: V", self.data)
            return v, f"its V{said}"
        self._require_known_classes("V", values.shape[1] if values.shape[:-1] == (self.network.skip_count,) else 0)
        if tuple(values.shape) != expected and tuple(values.shape)[::-1] == expected:
            return self._exact("V", values.T), f"its V transposed, {expected[0]} x {expected[1]}"
        return self._fitting("V", values, expected), "its V"

    def _head(self, group: _Group) -> tuple[Array, str]:
        """Take the output weights, (M, m), from a head stored as (m, M) or (M, m); a bias is their last row."""
        values, shown = self.tensors[group.weight], one_line(group.weight)
        bias = self._exact(group.bias, self.tensors[group.bias]) if group.bias else np.zeros(0)
        if not self.network.output_bias and np.any(bias != 0):
            raise self._error(
                f"the head's bias {group.bias!r} is not zero, and this network has no output bias; write"
                " output_bias = true in [network], or Network(..., output_bias=True)"
            )
        binary = self.data.classes == 2 and (self.units, 1) in (values.shape, values.shape[::-1])
        outputs = 1 if binary else self.data.classes
        if bias.size and bias.shape != (outputs,):
            self._fitting(group.bias, bias, (outputs,))
        matrix, turned = values.T, "" if group.turned else " transposed"
        if group.turned or matrix.shape != (self.units, outputs):
            matrix, turned = values, ""
        v = self._fitting(group.weight, matrix, (self.units, outputs))
        said = f"{shown}{turned}"
        if self.network.output_bias:
            v = np.vstack([v, bias if bias.size else np.zeros(outputs)])
            said += f", then its bias {group.bias!r}" if group.bias else ", its bias zero, for the file has none"
        elif group.bias:
            said += f", its bias {group.bias!r} is zero"
        if binary:
            v, how = one_logit(v, f"{self.path}: {shown}", self.data)
            return v, f"[0, {said}]{how}"
        return v, said

    def _require_known_classes(self, name: str, columns: int) -> None:
        """Say how a classifier with more classes than occur in the data is stated."""
        if columns > self.data.classes:
            raise self._error(
                f"{name!r} is for {columns} classes, and the data have {self.data.classes}; say which, in [data]:"
                f" {suggestion(self.data, columns)}"
            )

    def _unknown(self, names: Sequence[str]) -> CaseError:
        known = ", ".join([view.name for view in self.network.parameters][:MAX_NAMED])
        several = "unknown tensor" if len(names) == 1 else f"{len(names)} unknown tensors,"
        return self._error(
            f"{several} {_listed(list(names))}; this network has {known}, ..., and V: rename, or leave out of the file"
        )

    def _several(self, names: Sequence[str]) -> CaseError:
        return self._error(
            f"the tensors {_listed(list(names))} have equal shapes and fit in several ways; rename them"
            " layer0.weight, layer0.bias, layer1.weight, ..., and the output weights V"
        )


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Order texts with numbers by the numbers' values."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"([0-9]+)", text) if part]


def _numbered(groups: Sequence[_Group]) -> bool:
    """Whether the names differ in their numbers only, but for the last, which may be the head."""
    stems = [re.sub("[0-9]+", "#", group.stem) for group in groups]
    return len(set(stems)) == 1 and "#" in stems[0]


def _why(found: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if found[::-1] == shape:
        return "; its transpose fits"
    if len(found) == 1 < len(shape) and found[0] == shape[0]:
        return '; one bias for a filter is bias = "tied" in network.layers'
    return ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(one_line(name, limit=50) for name in names[:MAX_NAMED]) + (
        ", ..." if len(names) > MAX_NAMED else ""
    )
