"""A prover's network as the checker reads it: nodes by their fields, numbers by the tests' own writer."""

from __future__ import annotations

import numpy as np
from checker_writer import Builder
from test_checker_network import read


def exact(builder, array):
    """An array of binary64 numbers; one number is an array of shape (1,)."""
    return builder.floats(np.atleast_1d(np.asarray(array, dtype=float)).tolist())


def document_of(builder, network, u):
    """The document's `network`, with the parameters of ``u``."""
    nodes, views = [], {view.node: view for view in network.parameters}
    for index, node in enumerate(network.nodes):
        written = {"kind": node.kind, "reads": list(node.reads), **node.fields()}
        if node.kind == "parameter":
            written["values"] = exact(builder, views[index].of(u))
        if node.kind == "constant":
            written["values"] = exact(builder, node.values)
        nodes.append(written)
    features = [{"node": f.node, "entries": None if f.entries is None else list(f.entries)} for f in network.features]
    return {"nodes": nodes, "features": features, "columns": network.columns}


def point_of(builder, network, u):
    """All parameters of ``u`` as a point of a claim."""
    return [{"node": view.node, "values": exact(builder, view.of(u))} for view in network.parameters]


def as_graph(network, u, inputs):
    """The network as the checker holds it."""
    builder = Builder()
    return read(builder, exact(builder, inputs), document_of(builder, network, u))
