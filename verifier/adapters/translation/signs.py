"""What is known of the signs of a node's entries, from the kinds of nodes alone."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.network import nodes as kinds
from verifier.network.flags import Sign
from verifier.network.nodes import Node
from verifier.sigma.ranges import behaviour

MOVING = kinds.Reshape | kinds.Permute | kinds.Take | kinds.Concatenate | kinds.Expand | kinds.Reduce


def sign_of(nodes: Sequence[Node], index: int, known: dict[int, Sign]) -> Sign:
    """The sign of all entries of a node, whatever the sample and the parameters; ``known`` remembers those found.

    Guarantee: entries are positive, or not negative, as is said, wherever the node is defined.

    Parameters
    ----------
    nodes : sequence of Node
        The graph, in order.
    index : int
        The node.
    known : dict
        The signs found so far, by the nodes' indices.

    Returns
    -------
    Sign
        What is known of all entries.
    """
    if index not in known:
        known[index] = _found(nodes, nodes[index], known)
    return known[index]


def _found(nodes: Sequence[Node], node: Node, known: dict[int, Sign]) -> Sign:
    if isinstance(node, kinds.Constant):
        return Sign(int((node.values >= 0).all()) + int((node.values > 0).all()))
    if isinstance(node, kinds.Softmax):
        return Sign.POSITIVE if len(node.reads) == 1 else Sign.NONNEGATIVE
    if isinstance(node, kinds.InverseRoot):
        return Sign.POSITIVE
    if isinstance(node, kinds.Map):
        behaves = behaviour(node.sigma.tree)
        if behaves is None:
            return Sign.UNKNOWN
        return Sign(int(behaves.values.is_nonnegative) + int(behaves.values.is_positive))
    if not isinstance(node, kinds.Scale | kinds.Add | kinds.Pool | MOVING):
        return Sign.UNKNOWN
    signs = [sign_of(nodes, read, known) for read in node.reads]
    if isinstance(node, kinds.Scale):
        return signs[0] if node.factor > 0 else Sign.UNKNOWN
    if isinstance(node, kinds.Multiply):
        square = len(node.reads) == 2 and node.reads[0] == node.reads[1]
        return max(Sign.NONNEGATIVE if square else Sign.UNKNOWN, min(signs))
    if isinstance(node, kinds.Add):
        return max(signs) if min(signs) is not Sign.UNKNOWN else Sign.UNKNOWN
    return min(*signs, Sign.NONNEGATIVE) if isinstance(node, kinds.Pool) else min(signs)
