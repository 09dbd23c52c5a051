"""What a certificate says of the data and the network that its claims are about."""

from __future__ import annotations

from typing import Any

import msgspec

from verifier.balls.exact import ExactArray
from verifier.certificate.arrays import ArrayStore
from verifier.certificate.schema import MAX_NAME
from verifier.data.dataset import Dataset
from verifier.data.samples import SampleSource
from verifier.data.unseen import Unseen
from verifier.network.network import Array, Network
from verifier.network.nodes import Constant, Parameter


def describe_data(arrays: ArrayStore, data: Dataset | SampleSource | Unseen, *, with_labels: bool) -> dict[str, Any]:
    """Describe samples, their labels, and how many equal ones a row stands for.

    Parameters
    ----------
    arrays
        Where the numbers are stored.
    data
        N samples; those that are mapped from a file have no labels, and some are not given at all.
    with_labels
        Whether a claim may be about the labels.

    Returns
    -------
    dict
        The document's ``data``.
    """
    labels, multiplicities, total, offset, inputs = None, None, data.samples, None, None
    if isinstance(data, Dataset):
        labels, multiplicities, total = data.labels if with_labels else None, data.multiplicities, data.total
        offset = data.offset
    if isinstance(data, Dataset | SampleSource):
        source = data if isinstance(data, SampleSource) else SampleSource.of_dataset(data)
        inputs = arrays.exact("data.inputs", ExactArray(source.array.shape, (source.stored(),)))
    if multiplicities is not None and not (multiplicities != 1).any():
        multiplicities = None
    frozen = None if offset is None else arrays.exact("data.offset", ExactArray.of_floats(offset))
    described: dict[str, Any] = {
        "name": data.name[:MAX_NAME],
        "scaling": data.scaling[:MAX_NAME],
        "samples": data.samples,
        "dimension": data.dimension,
        "classes": data.classes if isinstance(data, Dataset) and data.targets is not None else max(2, data.classes),
        "inputs": msgspec.to_builtins(inputs),
        "labels": None if labels is None else arrays.integers("data.labels", labels),
        "multiplicities": None if multiplicities is None else arrays.integers("data.multiplicities", multiplicities),
        "total": total,
    }
    if frozen is not None:
        described["offset"] = msgspec.to_builtins(frozen)
    if isinstance(data, Dataset) and data.targets is not None:
        described["targets"] = msgspec.to_builtins(arrays.exact("data.targets", ExactArray.of_floats(data.targets)))
    return described


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
    values = {} if u is None else {view.node: view.of(u) for view in network.parameters}
    nodes: list[dict[str, Any]] = []
    for index, node in enumerate(network.nodes):
        entry: dict[str, Any] = {"kind": node.kind, "reads": list(node.reads), **node.fields()}
        if isinstance(node, Parameter | Constant):
            entry["name"] = node.name[:MAX_NAME]
            stored = node.values if isinstance(node, Constant) else values.get(index)
            reference = None if stored is None else arrays.parameter(node.name or f"node{index}", stored)
            entry["values"] = msgspec.to_builtins(reference)
        nodes.append(entry)
    features = [
        {"node": feature.node, "entries": None if feature.entries is None else list(feature.entries)}
        for feature in network.features
    ]
    return {"nodes": nodes, "features": features, "columns": network.columns}
