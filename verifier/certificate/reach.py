"""Whether an independent program can follow: activations at arguments so large that their plain form overflows.

The prover evaluates ``1/(1 + exp(-t))`` in a form that never overflows. A certificate holds the plain expression, and
ball arithmetic gives up on ``exp(t)`` from about t = 2^128. With weights of 1e66 things can be proved all the same, but
no certificate is written that would be rejected.
"""

from __future__ import annotations

import numpy as np
import sympy

from verifier.network.forward import approx_nodes
from verifier.network.network import Array, Network
from verifier.network.nodes import Map

PLAIN_LIMIT = 2.0**100
"""Up to here the plain forms of all activations are harmless."""


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
        plain forward pass, and that only where crude bounds do not exclude huge numbers.
    """
    if network.layered is not None and _surely_small(network, u, inputs):
        return None
    maps = {
        index: node
        for index, node in enumerate(network.nodes)
        if isinstance(node, Map) and node.sigma.expression.has(sympy.exp, sympy.sinh, sympy.cosh)
    }
    values = approx_nodes(network, u, inputs, {node.reads[0] for node in maps.values()})
    for index, node in maps.items():
        largest = np.abs(values[node.reads[0]]).max()
        if not largest <= PLAIN_LIMIT:
            return f"node {index} has arguments of size {largest:.1e}, at which {node.sigma.name} overflows"
    return None


def _surely_small(network: Network, u: Array, inputs: Array) -> bool:
    """Crude bounds by norms: whether nothing in the network comes near the limit."""
    bounds: list[float] = []
    views = network.views(u)
    for index, layer in enumerate(network.layers):
        reach = max(float(np.abs(inputs).max()) if s == "input" else bounds[int(s)] for s in network.sources[index])
        if layer.activation is None:
            bounds.append(reach)
            continue
        weight, bias = (views[f"layer{index}.{name}"] for name in ("weight", "bias"))
        argument = reach * float(np.abs(weight).max()) * weight[0].size + float(np.abs(bias).max())
        if not argument <= PLAIN_LIMIT:
            return False
        bounds.append(1e3 if layer.activation.facts.bounded.holds else argument * argument)
    return True
