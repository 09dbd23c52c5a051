"""What a certificate says of the data and the network that its claims are about."""

from __future__ import annotations

from typing import Any

import msgspec

from verifier.balls.exact import ExactArray
from verifier.certificate.arrays import ArrayStore
from verifier.certificate.schema import MAX_NAME
from verifier.data.dataset import Dataset
from verifier.data.samples import SampleSource
from verifier.network.network import Array, Network


def describe_data(arrays: ArrayStore, data: Dataset | SampleSource, *, with_labels: bool) -> dict[str, Any]:
    """Describe samples, their labels, and how many equal ones a row stands for.

    Parameters
    ----------
    arrays
        Where the numbers are stored.
    data
        N samples; those that are mapped from a file have no labels.
    with_labels
        Whether a claim may be about the labels.

    Returns
    -------
    dict
        The document's ``data``.
    """
    if isinstance(data, SampleSource):
        stored = data.stored()
        labels, multiplicities, total = None, None, data.samples
        inputs = arrays.exact("data.inputs", ExactArray(stored.shape, ((stored, 0),)))
    else:
        labels, multiplicities, total = data.labels if with_labels else None, data.multiplicities, data.total
        inputs = arrays.exact("data.inputs", ExactArray.of_floats(data.inputs))
    if multiplicities is not None and not (multiplicities != 1).any():
        multiplicities = None
    return {
        "name": data.name[:MAX_NAME],
        "scaling": data.scaling[:MAX_NAME],
        "samples": data.samples,
        "dimension": data.dimension,
        "classes": data.classes,
        "inputs": msgspec.to_builtins(inputs),
        "labels": None if labels is None else arrays.integers("data.labels", labels),
        "multiplicities": None if multiplicities is None else arrays.integers("data.multiplicities", multiplicities),
        "total": total,
    }


def describe_network(arrays: ArrayStore, network: Network, u: Array | None) -> dict[str, Any]:
    """Describe a network, with its weights or without.

    Parameters
    ----------
    arrays
        Where the weights are stored.
    network
        The network.
    u
        Its hidden parameters, shape ``(p,)``; None for null in their place.

    Returns
    -------
    dict
        The document's ``network``.
    """
    views = None if u is None else network.views(u)
    layers: list[dict[str, Any]] = []
    for index, layer in enumerate(network.layers):
        skip = layer.skip if isinstance(layer.skip, bool) else list(layer.skip)
        entry: dict[str, Any] = {"kind": layer.kind, "inputs": list(network.sources[index]), "skip": skip}
        entry |= layer.geometry()
        if layer.activation is not None:
            entry["activation"] = layer.activation.canonical
            for name in ("weight", "bias"):
                label = f"layer{index}.{name}"
                stored = None if views is None else arrays.exact(label, ExactArray.of_floats(views[label]))
                entry[name] = msgspec.to_builtins(stored)
        layers.append(entry)
    return {"input_shape": list(network.input_shape), "layers": layers, "skip_units": network.skip_count}
