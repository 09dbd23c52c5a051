"""What `verifier.verify` is given, made into a problem; every mistake gets its line here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from verifier.adapters.translation.imported import Imported
from verifier.data.arrays import dataset_from_arrays
from verifier.data.classes import Classes, one_logit, suggestion, with_classes
from verifier.data.dataset import Dataset, Scale
from verifier.data.gate import Labels, binary64
from verifier.data.readers import BUILT_IN, load_dataset
from verifier.errors import DataError, InputError, NetworkError, nearest, one_line
from verifier.network.arguments import given_arcs
from verifier.network.initialise import Init, initialise, output_weights
from verifier.network.network import Array, Block, Network, network_for
from verifier.network.nodes import Constant
from verifier.problem import Problem
from verifier.run.models import classes_of_model, imported_model, is_foreign, is_model, require_fit, with_outputs

Weights = ArrayLike | Mapping[str, ArrayLike]
"""U as a flat array of shape (p,); or by name, ``{"layer0.weight": ..., "layer0.bias": ..., ...}``; or as the list of
these arrays in the order of the layers, ``[W, b, ...]``."""


def given_dataset(
    X: ArrayLike | str | Path | Dataset,
    y: Labels | None,
    scale: Scale | None,
    name: str,
    classes: Classes | None = None,
    regression: bool = False,
) -> Dataset:
    """Take the samples and labels, or real targets, that `verifier.verify` was given, and all classes if they were.

    Raises
    ------
    InputError
        One line with the remedy.
    """
    listed = isinstance(y, list | tuple) and bool(y) and isinstance(y[0], Block)
    if listed or isinstance(y, Network | Block | Imported) or is_model(y):
        raise InputError("y is a network, not labels; write verify(X, y, network), or verify('iris', network=...)")
    if isinstance(X, str | Path | Dataset):
        if y is not None:
            raise InputError(f"X = {one_line(X)} has labels of its own; leave y out: verify(X, network=...)")
        if isinstance(X, Dataset):
            if scale is not None:
                raise InputError("data_scale: a Dataset is scaled already; leave it out")
            found = X
        else:
            found = _loaded(X, "auto" if scale is None else scale)
        if regression and found.targets is None:
            raise InputError(f"X = {one_line(X)} has labels, not real targets; for a regression give arrays X and y")
        return found if classes is None else with_classes(found, classes)
    if y is None:
        raise DataError(f"y: missing; give a class for each sample of X. Only {', '.join(BUILT_IN)} have labels")
    scaling: Scale = "none" if scale is None else scale
    return dataset_from_arrays(X, y, name=name, scale=scaling, classes=classes, regression=regression)


def _loaded(X: str | Path, scale: Scale) -> Dataset:
    """Load a file or a built-in data set; what a message says of case files is said of this function's arguments."""
    try:
        return load_dataset(path=X, scale=scale) if isinstance(X, Path) else load_dataset(X, scale=scale)
    except DataError as error:
        if re.search(r"data\.[a-z]+ = ", str(error)) is None:
            raise
        how = "; data.KEY = VALUE is here verify(load_dataset(path=..., KEY=VALUE), network=...)"
        raise DataError(f"{error}{how}") from None


def with_offset(data: Dataset, offset: ArrayLike | None) -> Dataset:
    """Take frozen logits, shape (N, m), beside the data.

    Raises
    ------
    DataError
        They are not such numbers, or of another shape.
    """
    if offset is None:
        return data
    found = binary64(offset, "offset")
    if data.classes == 2 and found.shape in ((data.samples,), (data.samples, 1)):  # one logit z is the head (0, z)
        found = np.column_stack([np.zeros(data.samples), found.ravel()])
    return replace(data, offset=found)


def given_model(
    X: ArrayLike | str | Path | Dataset,
    y: Labels | None,
    model: Any,
    scale: Scale | None,
    name: str,
    classes: Classes | None,
    regression: bool | None,
) -> tuple[Dataset, Imported | None, tuple[str, ...]]:
    """Take the data, and the model if it is one of another library, whose classes they then have.

    Parameters
    ----------
    X, y, model, scale, name, classes, regression
        What `verifier.verify` was given. A model reads samples as it was trained on them: by default nothing is scaled.

    Returns
    -------
    Dataset, Imported or None, tuple of str
        The data; the model; what is to be said of it.

    Raises
    ------
    InputError
        One line with the remedy.
    """
    of_its_own = isinstance(X, str | Path | Dataset)
    if is_foreign(model) and not isinstance(X, Dataset):
        scale = "none" if scale is None else scale
    known = given_dataset(X, y, scale, name) if of_its_own else None
    found = imported_model(model, X if known is None else known.inputs.reshape(-1, *known.shape))
    real = bool(found is not None and found.losses) if regression is None else regression
    if found is None:
        return given_dataset(X, y, scale, name, classes, real), None, ()
    said = ""
    if known is not None and classes is None and not real:
        data, said = with_outputs(known, found)
    else:
        among = classes_of_model(found) if classes is None and not real else classes
        data = given_dataset(X, y, scale, name, among, real)
    require_fit(found, data, real)
    return data, found, (*found.remarks, *([said] if said else []))


def given_network(given: Any, data: Dataset) -> Network:
    """Take the network, or put the layers, that `verifier.verify` was given on these data.

    Raises
    ------
    NetworkError
        One line with the remedy.
    """
    if given is None:
        raise NetworkError(
            f'network: missing; give layers, such as [Dense({data.samples + data.samples // 5}, "tanh", skip=True)]'
        )
    if not isinstance(given, Network):
        return network_for(data.shape, given)
    if given.dimension != data.dimension:
        raise NetworkError(
            f"network: its input {list(given.input_shape)} has {given.dimension} numbers, a sample of X has "
            f"{data.dimension}; give layers alone, or Network({data.dimension}, layers)"
        )
    return given


def given_problem(
    data: Dataset,
    network: Network,
    u: Weights | None,
    v: ArrayLike | None,
    *,
    seed: int,
    init: Init,
    scale: float,
    targets: Sequence[str | float],
    losses: Sequence[str],
    arcs: ArrayLike | None = None,
    remarks: Sequence[str] = (),
    weight_decay: str | float | None = None,
) -> Problem:
    """Take U, (p,), and V, (M, m), as they were given, or draw them; and what the paths are to reach.

    Raises
    ------
    NetworkError, DataError, InputError
        One line with the remedy.
    """
    for argument, value, example in (("targets", targets, '["1e-6"]'), ("losses", losses, '["squared"]')):
        if isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray):
            raise InputError(
                f"{argument} = {one_line(value)} is no sequence; write {argument}={example}, or [] for none"
            )
    hidden = initialise(network, init, seed=seed, scale=scale) if u is None else _hidden(network, u)
    output, said = (_drawn(network, data.classes, seed), "") if v is None else given_output(network, v, data)
    if arcs is not None and v is None:  # what is drawn is 0 where there is no arc
        output = output * given_arcs(arcs, np.zeros_like(output))
    return Problem(
        data,
        network,
        hidden,
        output,
        targets=tuple(map(str, targets)),
        losses=tuple(losses),
        name=data.name,
        remark="".join([said, *(f"; {remark}" for remark in remarks)]),
        arcs=None if arcs is None else given_arcs(arcs, output),
        weight_decay=None if weight_decay is None else str(weight_decay),
    )


def _drawn(network: Network, outputs: int, seed: int) -> Array:
    """Draw V; a regression may have one output."""
    return output_weights(network, max(2, outputs), seed=seed)[:, :outputs]


def _hidden(network: Network, given: Weights) -> Array:
    expected = (network.parameter_count,)
    if isinstance(given, list | tuple) and given and all(map(_is_array, given)):
        given = _by_name(network, given)  # [W, b, ...]: the arrays themselves, in the order of the parameters
    if not isinstance(given, Mapping):
        flat = binary64(given, "u")
        if flat.shape != expected:
            raise NetworkError(
                f"u: shape {flat.shape}, expected {expected}: all weights and biases, flat, layer by layer; or a "
                f"mapping of {_views(network)} to arrays"
            )
        return flat
    u = np.zeros(expected)
    known = [view.name for view in network.parameters]
    for key in given:
        if any(isinstance(node, Constant) and key and key == node.name for node in network.nodes):
            raise NetworkError(
                f"u: {one_line(key)} is a fixed number of the network and no part of U; give it there: "
                f"Network(..., frozen={{{str(key)!r}: ...}})"
            )
        if key not in known:
            raise NetworkError(f"u: the network has no parameter {one_line(key)}; {nearest(str(key), known)}")
    for view in network.parameters:
        if view.name not in given:
            raise NetworkError(f"u: {view.name!r} is missing; give an array of shape {view.spec.shape}")
        part = binary64(given[view.name], f"u[{view.name!r}]")
        if part.shape != view.spec.shape:
            remedy = "; its transpose fits" if part.T.shape == view.spec.shape else ""
            raise NetworkError(f"u[{view.name!r}]: shape {part.shape}, expected {view.spec.shape}{remedy}")
        view.of(u)[...] = part
    return u


def _is_array(part: object) -> bool:
    """Whether an entry of a list is an array or a list, and not a number; nothing is converted to find out."""
    return isinstance(part, list | tuple) or getattr(part, "ndim", 0) > 0


def _by_name(network: Network, arrays: Sequence[ArrayLike]) -> dict[str, ArrayLike]:
    """Weights and biases that were listed without names, under the names of the parameters."""
    names = [view.name for view in network.parameters]
    if len(arrays) != len(names):
        raise NetworkError(
            f"u: {len(arrays)} arrays for {len(names)} parameters; give each of {_views(network)}, in this order"
        )
    return dict(zip(names, arrays, strict=True))


def given_output(network: Network, given: ArrayLike, data: Dataset) -> tuple[Array, str]:
    """Take V, shape (M, m); and what is to be said of it: a head with one logit becomes one with two classes.

    Raises
    ------
    NetworkError
        V has another shape.
    """
    v = binary64(given, "v")
    units, classes = network.skip_count, data.classes
    if data.targets is not None:
        v = v.reshape(-1, 1) if v.ndim == 1 else v
    elif v.shape in ((units, 1), (units,)):
        return one_logit(v, "v", data)
    expected = (units, classes)
    if v.shape == expected:
        return v, ""
    remedy = f"a row per skip unit, a column per class; the labels have {classes} classes"
    if data.targets is not None:
        remedy = f"a row per skip unit, a column per output; y has {classes} for each sample"
    if v.shape == expected[::-1]:
        remedy = "its transpose fits: v.T"
    elif data.targets is None and v.ndim == 2 and v.shape[0] == units and v.shape[1] > classes:
        remedy = (
            f"the network has {v.shape[1]} classes, of which {classes} occur in the labels; say so with "
            f"{suggestion(data, v.shape[1])}"
        )
    raise NetworkError(f"v: shape {v.shape}, expected {expected}; {remedy}")


def _views(network: Network) -> str:
    names = [view.name for view in network.parameters]
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
