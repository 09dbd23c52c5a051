"""Dense units with weights and biases of their own, found by pattern in any graph.

Rules about such units (W1 to W3) need no more of a network than these units: whatever the other nodes are, as long as
they are defined, the columns of these units can be chosen freely.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from verifier.network.graph import Graph
from verifier.network.nodes import Affine, Map, Parameter
from verifier.sigma.activations import Activation


@dataclass(frozen=True, slots=True)
class DenseUnits:
    """Units ``sigma(<w_k, sources> + b_k)``, one for each row of the parameter ``weight``.

    Parameters
    ----------
    node : int
        The node that is their output.
    sources : tuple of int
        The nodes that each unit reads whole, side by side.
    weight, bias : str
        The names of their parameters, shapes ``(width, fan_in)`` and ``(width,)``.
    width : int
        How many units there are.
    activation : Activation
        sigma.
    skip : sequence of int
        The units that are columns of Psi, in increasing order.
    """

    node: int
    sources: tuple[int, ...]
    weight: str
    bias: str
    width: int
    activation: Activation
    skip: Sequence[int]


def dense_units(graph: Graph) -> dict[int, DenseUnits]:
    """Find the dense units of a graph, by the nodes that are their outputs, in order.

    Parameters
    ----------
    graph : Graph
        Any network.

    Returns
    -------
    dict
        Guarantee: row k of ``weight`` and entry k of ``bias`` occur in unit k of this entry and nowhere else in the
        network: no other node reads these parameters or the pre-activations, and no feature shows them. In particular
        units of different entries, and different units of one, share nothing.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.network.units import dense_units
    >>> found = dense_units(vf.Network(2, [vf.Dense(3, "tanh"), vf.Dense(4, "tanh", skip=True)]))
    >>> [(units.width, units.skip) for units in found.values()]
    [(3, []), (4, range(0, 4))]
    """
    found = {}
    for index, (inner, sigma) in own_units(graph).items():
        weight, bias = (graph.nodes[read] for read in inner.reads[-2:])
        whole = inner.over == "all" and isinstance(weight, Parameter) and len(weight.size) == 2
        if whole and isinstance(weight, Parameter) and isinstance(bias, Parameter):
            skip = shown_entries(graph, index)
            found[index] = DenseUnits(index, inner.sources, weight.name, bias.name, weight.size[0], sigma, skip)
    return found


def own_units(graph: Graph) -> dict[int, tuple[Affine, Activation]]:
    """Find the units whose weights and biases are parameters that nothing else reads: dense ones, filters, and so on.

    Parameters
    ----------
    graph : Graph
        Any network.

    Returns
    -------
    dict
        Their affine nodes and activations, by the nodes that are their outputs, in order. Guarantee: no other node
        reads the affine node, its weights or its biases, which are different parameters, and no feature shows them.
    """
    uses = Counter(read for node in graph.nodes for read in node.reads)
    shown = {feature.node for feature in graph.features}
    found = {}
    for index, node in enumerate(graph.nodes):
        inner = graph.nodes[node.reads[0]] if isinstance(node, Map) else None
        if isinstance(node, Map) and isinstance(inner, Affine) and inner.bias:
            hidden = (node.reads[0], *inner.reads[-2:])
            trained = all(isinstance(graph.nodes[read], Parameter) for read in hidden[1:])
            if trained and all(uses[read] == 1 and read not in shown for read in hidden):
                found[index] = (inner, node.sigma)
    return found


def shown_entries(graph: Graph, node: int) -> Sequence[int]:
    """The entries of a node that features show; a range if one shows them all, however many these are."""
    shown = [feature.entries for feature in graph.features if feature.node == node]
    if None in shown:
        return range(math.prod(graph.node_shapes[node]))
    return sorted(set().union(*(entries for entries in shown if entries)))


def unread_units(graph: Graph) -> list[DenseUnits]:
    """Find the dense layers with columns of Psi that no node reads: only the output weights do.

    Parameters
    ----------
    graph : Graph
        Any network.

    Returns
    -------
    list of DenseUnits
        Guarantee: as in `dense_units`; besides, a change of such a unit's weights and bias changes its own columns of
        Psi and nothing else.
    """
    read = {source for node in graph.nodes for source in node.reads}
    return [units for node, units in dense_units(graph).items() if units.skip and node not in read]
