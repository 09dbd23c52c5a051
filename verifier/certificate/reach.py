"""Whether an independent program can follow: activations at arguments so large that their plain form overflows.

The prover evaluates ``1/(1 + exp(-t))`` in a form that never overflows. A certificate holds the plain expression, and
ball arithmetic gives up on ``exp(t)`` from about t = 2^128. With weights of 1e66 things can be proved all the same, but
no certificate is written that would be rejected.
"""

from __future__ import annotations

import json
from typing import Any, TypeGuard

import numpy as np
import sympy

from verifier.balls.exact import Dyadic
from verifier.certificate.node_schema import MAX_NODES
from verifier.network.forward import approx_nodes, rows_at_a_time
from verifier.network.network import Array, Network
from verifier.network.nodes import Map
from verifier.statements.claims.claim import MAX_AXES, MAX_EXPONENT

PLAIN_LIMIT = 2.0**100
"""Up to here the plain forms of all activations are harmless."""
MAX_NETWORK = 12 * 2**20
"""Bytes of a network's description, so that a document has room for the claims."""


def holdable(value: Any) -> bool:
    """Whether all exponents in a stated claim are within the format's limits."""
    if isinstance(value, dict):
        return abs(value.get("exponent", 0)) <= MAX_EXPONENT and all(map(holdable, value.values()))
    return not isinstance(value, list | tuple) or all(map(holdable, value))


def fits(value: Dyadic | None) -> TypeGuard[Dyadic]:
    """Whether a bound is there and its exponent is one that the format holds: a tiny bound may be left out."""
    return value is not None and abs(value.exponent) <= MAX_EXPONENT


def unstatable(network: Network, document: dict[str, Any]) -> str | None:
    """Say what of a network is larger than the format holds, or None.

    Parameters
    ----------
    network
        The network.
    document
        What a certificate says of it.
    """
    if len(network.nodes) > MAX_NODES:
        return (
            f"the network has {len(network.nodes)} nodes, and the format holds {MAX_NODES}; use fewer steps or blocks"
        )
    for index, shape in enumerate(network.node_shapes):
        if len(shape) > MAX_AXES:
            return f"{network.title(index)} has {len(shape)} axes, and the format holds {MAX_AXES}; reshape it"
    if len(json.dumps(document, indent=1)) > MAX_NETWORK:
        return "the network's description has more than 12 MiB, and a document has 16; use shorter lists of entries"
    return None


def out_of_reach(network: Network, u: Array, inputs: Array) -> str | None:
    """Say which node has arguments that are too large for its activation's plain form, or None.

    Parameters
    ----------
    network, u, inputs
        The network, U of shape ``(p,)``, samples ``(N, d)``.

    Returns
    -------
    str or None
        A guess in floating point, for the choice whether to write a certificate; the checker alone decides. Costs a
        plain forward pass, and that only where an activation has a form that overflows.
    """
    overflowing = {
        index: node
        for index, node in enumerate(network.nodes)
        if isinstance(node, Map) and node.sigma.expression.has(sympy.exp, sympy.sinh, sympy.cosh)
    }
    if not overflowing:
        return None
    sources = {node.reads[0] for node in overflowing.values()}
    largest = dict.fromkeys(sources, 0.0)
    for start in range(0, len(inputs), step := rows_at_a_time(network)):
        for source, arguments in approx_nodes(network, u, inputs[start : start + step], sources).items():
            largest[source] = float(np.maximum(largest[source], np.abs(arguments).max()))  # NaN stays
    for index, node in overflowing.items():
        size = largest[node.reads[0]]
        if not size <= PLAIN_LIMIT:
            return f"node {index} has arguments of size {size:.1e}, at which {node.sigma.name} overflows"
    return None
