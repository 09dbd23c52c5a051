"""C4 and C2+: no local maximum anywhere, and no strict local minimum that is not global, because of the architecture.

Glossary: *units* are the entries of a map of an affine node with a bias: sigma(z + b), b an entry of the bias.
"""

from typing import Any

from .common import require
from .container import Arrays
from .layered import output_bias, readers_of
from .sentences import sentence
from .turning import turns_once


def check_no_maximum(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim C4: the loss Phi has no local maximum at any (U, V).

    Guarantee: no (U, V) at which Phi is defined is a local maximum. Where Psi(U) != 0, or along an output bias, Phi is
    strictly convex along an output weight. Let Psi(U) = 0, and Q be the units of the node that use one entry of the
    bias, at least one of them a column of Psi. The bias is used by nothing else, and no column of Psi that is not of
    this node depends on it: so neither the rest of Psi nor what the units read moves with it. On all samples the
    columns in Q are 0: their pre-activations are the one zero z of sigma. If that entry moves by s they are all
    e = sigma(z + s), which has both signs near s = 0. With V' near V such that v, the sum of the rows of V' of the
    columns in Q, has different entries, the logits are K + e 1 v^T, and by strict convexity their loss is above phi(K)
    + e <c, v>, c the sum of the rows of a subgradient at the logits K that Psi = 0 gives: above phi(K) for s of one
    sign, as near as one likes.
    """
    if raw.node is None:
        found = output_bias(network) is not None
        require(found, raw.path + "/node", "C4.node", "without an output bias a node must be named")
        return {"statement": sentence("C4")}
    path = raw.path + "/node"
    shown = {feature.node for feature in network.features}
    # Coq: C4_zero Q_j0
    require(raw.node in shown, path, "C4.node", "no column of Psi is an entry of this node", raw.node)
    units = network.nodes[raw.node]
    while units.kind in ("reshape", "permute"):
        units = network.nodes[units.reads[0]]
    inner = network.nodes[units.reads[0]] if units.kind == "map" else units
    plain = units.kind == "map" and inner.kind == "affine" and inner.bias
    require(plain, path, "C4.node", "is not the output of a map of an affine node with a bias", raw.node)
    bias = network.nodes[inner.reads[-1]]
    own = bias.kind == "parameter" and readers_of(network)[bias.number] == 1 and inner.reads.count(bias.number) == 1
    # Coq: C4_zero moved
    require(own, path, "C4.bias", "the bias is not a parameter that only this affine node reads, once", bias.number)
    others = sorted(depending(network, bias.number) & shown - {raw.node})
    # Coq: C4_zero moved
    require(not others, path, "C4.columns", "columns of Psi of other nodes depend on the bias", others[:20])
    message = "the activation is not proved to have at most one zero, and a change of sign there"
    # Coq: C4_zero changes_sign
    require(turns_once(units.activation.tree), path, "C4.activation", message, units.activation.text[:100])
    return {"statement": sentence("C4")}


def depending(network: Any, number: int) -> set[int]:
    """Return the nodes that depend on a node, itself among them."""
    found = {number}
    for node in network.nodes:
        if not found.isdisjoint(node.reads):
            found.add(node.number)
    return found


def check_no_strict_minimum(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim C2+: no (U, V) whose loss is above the infimum is a strict local minimum.

    Guarantee: if Psi(U) w = 0, w != 0, then all logits stay as they are along V + s w e_k^T, for any column k of V. If
    there is no such w, then M = N and Psi(U) is invertible, so that V -> Psi(U) V + K is onto: a local minimum in V is
    a global one of the convex phi. With one column of V held at 0 that is so up to shifts of all logits of a sample,
    which a softmax loss does not see.
    """
    message = "Psi has fewer columns than the data have samples"
    # Coq: C2_plus enough_units, C2_plus_reduced enough_units
    require(network.columns >= data.samples, raw.path, "C2+.columns", message, network.columns, data.samples)
    return {"statement": sentence("C2+", samples=data.samples)}
