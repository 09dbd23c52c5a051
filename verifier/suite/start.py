"""The start (U, V) of a case: random from a seed, or taken from a safetensors file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from verifier.errors import CaseError, DataError, NetworkError, one_line
from verifier.model.case import Case
from verifier.model.classes import suggestion
from verifier.model.data import Dataset
from verifier.model.files import read_regular
from verifier.model.gate import binary64
from verifier.model.initialise import INITS, initialise, output_weights
from verifier.model.network import Array, Network

MAX_WEIGHT_BYTES = 4 * 2**30
MAX_PARAMETERS = 2**27
"""Hidden weights and biases of a case: they take 8 bytes each, and their enclosures as much again."""
MAX_UNITS = 2**19
"""Hidden units of a case with weights; `verifier witness`, which draws none, takes more."""
_EXACT_DTYPES = ("float64", "float32", "float16", "int8", "uint8", "int16", "int32")


def case_start(case: Case, network: Network, data: Dataset, seed: int | None) -> tuple[Array, Array, str]:
    """Make U, shape ``(p,)``, and V, shape ``(M, m)``; and what is to be said of V.

    Parameters
    ----------
    data
        The samples, of m classes.
    seed
        Replaces the case's seed if not None.

    Raises
    ------
    CaseError, NetworkError
        Unknown kinds, or a weights file whose tensors do not fit.
    """
    start = case.file.start
    if network.parameter_count > MAX_PARAMETERS:
        raise CaseError(
            f"the network has {network.parameter_count} weights and biases, more than {MAX_PARAMETERS}; make it smaller"
        )
    units = sum(math.prod(shape) for shape in network.shapes)
    if units > MAX_UNITS:
        raise CaseError(
            f"the network has {units} hidden units, more than {MAX_UNITS}: the run would take about"
            f" {(24 * network.parameter_count + 100 * units) / 2**30:.1f} GiB; make it smaller"
        )
    chosen = start.seed if seed is None else seed
    if start.file is not None:
        return _from_file(case, network, data, chosen)
    if start.init not in INITS:
        raise CaseError(
            f'start.init = {start.init!r} is unknown; use one of {", ".join(INITS)}, or file = "weights.safetensors"'
        )
    u = initialise(network, start.init, seed=chosen, scale=start.scale, fan_in=start.fan_in, units=start.units)
    return u, output_weights(network, data.classes, start.output, seed=chosen, scale=start.output_scale), ""


def one_logit(v: Array, what: str, data: Dataset) -> tuple[Array, str]:
    """Take a head with one logit as the head with two classes that it is.

    With logits ``(0, z)`` the softmax's cross entropy is ``log(1 + e^z)`` for the first class and ``log(1 + e^-z)`` for
    the second: the logistic loss of the one logit z (``BCEWithLogitsLoss``), number for number.

    Parameters
    ----------
    v : (M, 1) or (M,) float64
        The weights of the one logit.
    what : str
        The argument's name, for messages.
    data : Dataset
        The samples; they must have two classes.

    Returns
    -------
    v : (M, 2) float64
        Guarantee: columns 0 and ``v``.
    said : str
        What was done, as the end of the line about the data.

    Raises
    ------
    NetworkError
        There are other than two classes.
    """
    if data.classes != 2:
        raise NetworkError(
            f"{what}: shape {v.shape} is one logit, for two classes; the labels have {data.classes} classes: give "
            f"shape ({len(v)}, {data.classes}), or labels of two classes"
        )
    column = v.reshape(-1, 1)
    said = f"; a head with one logit z is the head (0, z) with two classes, z that of {data.label_names[1]!r}"
    return np.hstack([np.zeros_like(column), column]), said


def _from_file(case: Case, network: Network, data: Dataset, seed: int) -> tuple[Array, Array, str]:
    """Read tensors ``layer0.weight``, ``layer0.bias``, ..., and optionally ``V``; smaller float types are exact too."""
    start = case.file.start
    path = case.folder / cast(str, start.file)
    tensors = _load(path)
    u = np.zeros(network.parameter_count)
    for view in network.parameters:
        view.of(u)[...] = _take(tensors, view.name, view.spec.shape, path)
    said = ""
    if "V" in tensors and tuple(tensors["V"].shape) == (network.skip_count, 1):
        v, said = one_logit(_take(tensors, "V", (network.skip_count, 1), path), f"{path}: V", data)
    elif "V" in tensors:
        columns = tensors["V"].shape[-1] if tensors["V"].ndim == 2 else 0
        if columns > data.classes:
            raise CaseError(
                f"{path}: V has {columns} columns and the data {data.classes} classes; say which they are in [data]: "
                f"{suggestion(data, columns)}"
            )
        v = _take(tensors, "V", (network.skip_count, data.classes), path)
    else:
        v = output_weights(network, data.classes, start.output, seed=seed, scale=start.output_scale)
    if tensors:
        known = ", ".join([view.name for view in network.parameters][:6])
        raise CaseError(f"{path}: unknown tensor {sorted(tensors)[0]!r}; this network has {known}, ..., and V")
    return u, v, said


def _load(path: Path) -> dict[str, Any]:
    try:
        return dict(load(read_regular(path, MAX_WEIGHT_BYTES)))
    except FileNotFoundError:
        raise CaseError(f"no weights file {path}; start.file is relative to the case file") from None
    except OSError as error:
        raise CaseError(f"cannot read weights file {path}: {error.strerror}") from None
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CaseError(
            f"{path} is not a safetensors file of float or integer tensors: {one_line(str(error))}"
        ) from None


def _take(tensors: dict[str, Any], name: str, shape: tuple[int, ...], path: Path) -> Array:
    if name not in tensors:
        raise CaseError(f"{path}: tensor {name!r} is missing; it must have shape {list(shape)}")
    values = tensors.pop(name)
    if tuple(values.shape) != shape:
        raise CaseError(f"{path}: tensor {name!r} has shape {list(values.shape)}; the network needs {list(shape)}")
    if values.dtype.name not in _EXACT_DTYPES:
        raise CaseError(f"{path}: tensor {name!r} has type {values.dtype.name}; use one of {', '.join(_EXACT_DTYPES)}")
    try:
        return binary64(values, f"{path}: tensor {name!r}")
    except DataError as error:
        raise CaseError(str(error)) from None
