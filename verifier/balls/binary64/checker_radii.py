"""The radii that a checker's balls will have at few bits, predicted: whether these will do for a certificate.

The checker multiplies large layers several times faster where its balls have at most 54 bits; it then rounds what
enters such a layer, and the weights, to multiples of powers of two, and bounds what that loses by a common radius times
the sums of the sizes of weights. The prediction follows these rules, pessimistically, for dense layers of units with
values in [-1, 1].

Guarantee: none. It chooses the precision that a certificate asks for; what the checker then finds decides.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.activation import kernel_bounds
from verifier.network.network import Array, Network
from verifier.sigma.activations import activation

SHORT_BITS = 53
"""Bits of the checker's balls that are tried first."""
FEWEST_ROWS = 40
"""The checker multiplies by short integers from so many rows on."""
LARGE = 120
"""And where the inputs and units of a layer are more than these."""
LARGEST = (0, 4, 10)
"""Logarithms of the bounds by which it scales what enters a layer, and weights."""
COMMON = 4
"""Its common radius of a matrix of balls, in terms of the largest radius, is at most this."""
GUARD = 6
"""Bits that its weights have more than its balls."""
SLOP = 1.1
"""Room for what is not followed: the roundings of radii."""
UNIT_RANGE = frozenset(activation(name).canonical for name in ("tanh", "sigmoid"))
"""Activations with values in [-1, 1]."""


def gains_by_few_bits(network: Network, samples: int) -> bool:
    """Whether a check is faster at `SHORT_BITS`, and its radii can be predicted.

    Parameters
    ----------
    network : Network
        Any.
    samples : int
        Rows of Psi.

    Returns
    -------
    bool
        Whether all layers are dense with activations in `UNIT_RANGE`, and one of them is large.
    """
    layered = network.layered
    if layered is None or samples < FEWEST_ROWS:
        return False
    named = (layer.activation.canonical if layer.dense and layer.activation else "" for layer in layered.layers)
    shapes = {view.name: network.node_shapes[view.node] for view in network.parameters}
    return UNIT_RANGE.issuperset(named) and any(min(shapes[weight]) > LARGE for weight, _ in layered.names)


def predicted_radii(network: Network, u: Array, largest_input: float) -> NDArray[np.float64]:
    """Predict the radii of the columns of Psi in a checker at `SHORT_BITS`.

    Parameters
    ----------
    network : Network
        One that `gains_by_few_bits`.
    u : ndarray of shape (p,)
        The hidden parameters.
    largest_input : float
        What no entry of a sample exceeds.

    Returns
    -------
    ndarray of shape (M,)
        What no radius of a column is expected to exceed.
    """
    layered, views = network.layered, network.views(u)
    of_nodes: dict[int, float] = {}
    for number, layer in enumerate(layered.layers if layered is not None else ()):
        if layered is None or layer.activation is None:
            continue
        sources, (of_weight, of_bias) = layered.sources[number], layered.names[number]
        largest = largest_input if "input" in sources else 1.0
        radius = max(of_nodes[layered.outputs[s]] if isinstance(s, int) else 0.0 for s in sources)
        weight, bias = np.abs(views[of_weight]), np.abs(views[of_bias])
        reach = float(weight.sum(axis=1).max()) * max(largest, 1.0) + float(bias.max())
        slope = kernel_bounds(layer.activation, -reach, reach).lipschitz
        moved = slope * _sum_radius(weight, radius, largest, reach)
        of_nodes[layered.outputs[number]] = SLOP * (moved + 2.0 ** (1 - SHORT_BITS))
    parts = []
    for feature in network.features:
        size = math.prod(network.node_shapes[feature.node]) if feature.entries is None else len(feature.entries)
        parts.append(np.full(size, of_nodes.get(feature.node, 0.0)))
    return np.concatenate(parts)


def _sum_radius(weight: Array, radius: float, largest: float, reach: float) -> float:
    """The largest radius of the sums of a layer, whose inputs have this radius and are at most ``largest``."""
    unit, sums = 2.0**-SHORT_BITS, float(weight.sum(axis=1).max())
    scales = [_scale(largest), _scale(float(weight.max()))]
    own = 4 * unit * reach + sums * radius
    if min(weight.shape) <= LARGE or math.inf in scales:
        return own
    scale, heavy = scales
    lost = weight.shape[1] * 2 * scale * heavy * unit * 2.0**-GUARD
    return float(own + sums * COMMON * (radius + scale * unit) + lost)


def _scale(size: float) -> float:
    """The power of two by which the checker scales numbers of at most this size; infinity if it does not."""
    return next((2.0**bits for bits in LARGEST if size <= 2.0**bits), math.inf)
