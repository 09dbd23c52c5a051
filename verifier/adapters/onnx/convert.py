"""An ONNX model as a network of this package, with exactly its weights: `from_onnx`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.onnx.compare import require_equal
from verifier.adapters.onnx.reading import Model, read_model, refuse
from verifier.adapters.onnx.trained import trained_names
from verifier.adapters.onnx.walk import Walk, statistics
from verifier.adapters.translation.imported import Imported
from verifier.adapters.translation.values import Refused, Tensor
from verifier.errors import InputError, installing, nearest, one_line

SAMPLES, OTHER_SAMPLES = 3, 2
"""Sizes of the batches in which a model with a free batch axis is translated; both must give one network."""
SPREAD = 0.1
"""Standard deviation of the noise on weights, at least, in the second comparison."""
MAX_NAMED = 8


def from_onnx(
    source: str | Path | Any,
    *,
    frozen: str | Sequence[str] = (),
    trained: str | Sequence[str] = (),
    input_shape: int | Sequence[int] | None = None,
    output: str | None = None,
) -> Imported:
    """Take a trained model over from an ONNX file: its operators as a network, its weights as U and V, exactly.

    Guarantee: the network's exact real function at (u, v) is the model's with its stored numbers as exact real numbers,
    up to what ``remarks`` say. Logits are compared with onnx's own reference evaluation in binary64 on random samples,
    at the model's weights and at others; a model for which they differ is refused.

    The first axis of the input is the batch: a named or free dimension, or 1 for a model that was exported for one
    sample; or the one free dimension, wherever it is. ONNX does not say which numbers were trained; a remark lists what
    was taken as U. An initialiser of floats is where it is read as weights, biases, gains or tables are, unless
    ``frozen`` names it; constants, running statistics, masks and what meets the input itself are fixed numbers. What is
    computed from fixed numbers alone is computed by onnx in the model's own types.

    Parameters
    ----------
    source : str or Path
        The file; a ``ModelProto`` works as well.
    frozen : str or sequence of str, optional
        Initialisers that are no part of U, by name or pattern: ``"encoder.*"``.
    trained : str or sequence of str, optional
        Initialisers that are a part of U although they are read as fixed numbers are: centres that are subtracted from
        the input.
    input_shape : int or sequence of int, optional
        The shape of one sample, where the file leaves it open.
    output : str, optional
        The output that the logits are, where there are several; by default the first.

    Returns
    -------
    Imported
        The network, U, V and remarks: ``vf.verify(X, y, found)``.

    Raises
    ------
    InputError
        The package onnx is not installed, the file cannot be read, or an operator cannot be stated: one line that names
        it, and the remedy.

    Examples
    --------
    >>> import verifier as vf
    >>> found = vf.from_onnx("net.onnx")  # doctest: +SKIP
    >>> vf.verify(X, y, found)  # doctest: +SKIP
    """
    if find_spec("onnx") is None:
        raise InputError(f"from_onnx needs the package onnx, which is not installed; {installing('onnx')}")
    conversion = _Conversion(read_model(source), input_shape, output)
    return conversion.converted(frozen, trained)


@dataclass(frozen=True, slots=True)
class _Batch:
    """The shape of one sample, and in which batches the model is translated."""

    shape: tuple[int, ...]
    sizes: tuple[int, int]
    remark: str = ""
    axis: int = 0


class _Conversion:
    def __init__(self, model: Model, input_shape: int | Sequence[int] | None, output: str | None) -> None:
        self.model = model
        self.batch = _batch_of(model, input_shape)
        if output is not None and output not in model.outputs:
            refuse(f"{model.label} has no output {one_line(output)}; {nearest(output, model.outputs)}")
        self.output = model.outputs[0] if output is None else output
        self.trained: tuple[str, ...] = ()

    def converted(self, frozen: str | Sequence[str], trained: str | Sequence[str]) -> Imported:
        self.trained = trained_names(self.model, frozen, trained)
        if not self.trained:
            refuse(f"{self.model.label}: no initialiser is read as weights are, so nothing is trained; export it anew")
        stored = {name: self.model.arrays[name] for name in self.trained}
        found, used = self._made(stored, self.batch.sizes[0])
        fixed = statistics(self.model)
        noisy = _with_noise({name: stored[name] for name in used if name not in fixed})
        again, _ = self._made(stored | noisy, self.batch.sizes[1])
        if found.network != again.network:
            refuse(
                f"{self.model.label}: what it computes depends on how many samples are in a batch; a statement about "
                "a sample needs a function of that sample alone"
            )
        return replace(found, remarks=(*found.remarks, *self._remarks(found, used)))

    def _made(self, stored: Mapping[str, NDArray[Any]], samples: int) -> tuple[Imported, list[str]]:
        """The network at some weights, compared; and which initialisers it read."""
        arrays = self.model.arrays | dict(stored)
        model = replace(self.model, arrays=arrays)
        walk = Walk(model, self.batch.shape, samples, self.trained, self.batch.axis)
        held = walk.run([self.output])[self.output]
        if not isinstance(held, Tensor):
            refuse(f"{model.label}: its output {one_line(self.output)} depends neither on the input nor on weights")
        try:
            found = walk.translation.finish(held)
        except Refused as error:
            refuse(f"{model.label}: {error}")
        require_equal(walk, self.output, found, stored, model.label)
        return found, [name for name in self.trained if name in walk.values]

    def _remarks(self, found: Imported, used: Sequence[str]) -> list[str]:
        model, names = self.model, [view.name for view in found.network.parameters]
        head = [name for name in used if name not in names]
        said = [
            f"U is {listed(names)} ({found.network.parameter_count} numbers); V is the head {listed(head)}; ONNX does "
            "not say what was trained: this was judged by where the initialisers are read"
        ]
        floats = [name for name, array in model.arrays.items() if array.dtype.kind not in "biu" and array.size]
        read = {name for node in model.nodes for name in node.input}
        fixed = [name for name in floats if name in read and name not in self.trained]
        if fixed:
            said.append(f"fixed numbers, no part of U: {listed(fixed)}")
        shared = [name for name in names if sum(name in node.input for node in model.nodes) > 1]
        if shared:
            said.append(
                f"read in several places, and one parameter each: {listed(shared)}; exporters merge equal arrays, "
                "so export trained weights, not fresh ones"
            )
        left = [name for name in model.outputs if name != self.output]
        if left:
            said.append(f"the outputs {listed(left)} are left out")
        return said + ([self.batch.remark] if self.batch.remark else [])


def listed(names: Sequence[str]) -> str:
    """Names for a sentence, the first few of many."""
    shown = ", ".join(names[:MAX_NAMED])
    return f"{shown} and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else shown


def _with_noise(stored: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Other weights of the same size, so that gains of 1 and biases of 0 hide no mistake."""
    random = np.random.default_rng(1)
    found: dict[str, NDArray[Any]] = {}
    for name, array in stored.items():
        values = np.asarray(array, dtype=np.float64)
        spread = max(float(values.std()), SPREAD) if values.size > 1 else SPREAD
        found[name] = values + spread * random.standard_normal(values.shape)
    return found


def _batch_of(model: Model, input_shape: int | Sequence[int] | None) -> _Batch:
    dimensions = model.dimensions
    if len(dimensions) < 2:
        refuse(
            f"{model.label}: its input {one_line(model.input)} has shape {list(dimensions)} and no axis for samples; "
            "export it with a batch axis in front"
        )
    free = [place for place, length in enumerate(dimensions) if isinstance(length, str)]
    axis = free[0] if len(free) == 1 else 0  # the one free dimension, wherever it is
    first, rest = dimensions[axis], dimensions[:axis] + dimensions[axis + 1 :]
    if input_shape is not None:
        given = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        fits = len(given) == len(rest) and all(
            type(n) is int and n > 0 and (isinstance(own, str) or own == n) for n, own in zip(given, rest, strict=True)
        )
        if not fits:
            refuse(f"input_shape = {list(given)} does not fit the input's {list(rest)} of {model.label}")
        rest = given
    shape = tuple(n for n in rest if isinstance(n, int))
    if len(shape) != len(rest):
        refuse(
            f"{model.label}: its input {one_line(model.input)} has shape {list(dimensions)}; give the shape of one "
            f"sample, input_shape={tuple(n if isinstance(n, int) else 8 for n in rest)}"
        )
    if isinstance(first, str):
        remark = f"the samples are along axis {axis} of the input" if axis else ""
        return _Batch(shape, (SAMPLES, OTHER_SAMPLES), remark, axis)
    how = "one sample at a time" if first == 1 else f"{first} samples at a time"
    sizes = (SAMPLES, OTHER_SAMPLES) if first == 1 else (first, first)
    return _Batch(shape, sizes, f"exported for {how}, and read as a function of one sample")
