"""C4: no point at all is a local maximum, where one bias moves a part of the features through 0 (THEORY2 C4).

Where Psi(U) != 0 the loss is strictly convex along one output weight (C3). Where Psi(U) = 0, all pre-activations of the
columns that use one bias are the one zero of their activation. Moving that bias by s makes these columns ``e 1``, where
e changes its sign with s; the loss, strictly convex, increases for one of the signs, with V moved a little so that the
logits differ between the classes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from verifier.display import Brief, Decided
from verifier.network.graph import Graph
from verifier.network.nodes import Affine, Map, Parameter, Permute, Reshape
from verifier.sigma.activations import Activation
from verifier.sigma.turning import turns_once
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class NoMaximum(Decided, Brief):
    """Whether no (U, V) is a local maximum, why, and the node of the units whose bias moves (None: an output bias)."""

    verdict: Verdict
    reason: str
    node: int | None = None


def prove_no_maximum(network: Graph) -> NoMaximum:
    """Prove from the architecture alone that no (U, V) is a local maximum of the loss.

    Parameters
    ----------
    network : Network
        Any network; frozen parameters keep their numbers.

    Returns
    -------
    NoMaximum
        Guarantee: ``PROVED`` implies that for every data set no (U, V) at which Phi is defined is a local maximum of
        Phi, for every convex finite loss of Psi V (plus frozen logits) that is strictly convex in every direction with
        a row that is not constant, m >= 2 outputs, and for the squared error (THEORY2 C4). ``UNDECIDED`` says nothing.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.landscape.turning_layer import prove_no_maximum
    >>> [prove_no_maximum(vf.Network(2, vf.Dense(3, name, skip=True))).node for name in ("tanh", "silu", "relu")]
    [4, 4, None]
    """
    if network.output_bias:
        return NoMaximum(Verdict.PROVED, "along an output bias the loss is strictly convex, at every (U, V)")
    why = "no column of Psi is a unit with a trained bias that only its layer uses"
    for index in sorted({feature.node for feature in network.features}, reverse=True):
        layer = _layer_of(network, index)
        if layer is None:
            continue
        bias, sigma = layer
        if not _alone(network, bias, index):
            why = f"other columns of Psi depend on {network.title(index)}"
            continue
        how = turns_once(sigma)
        if how:
            words = f"{network.title(index)}: {sigma.name} ({how}) crosses 0 at most once, and with a change of sign"
            return NoMaximum(Verdict.PROVED, words, index)
        why = f"{network.title(index)}: {sigma.name} is not proved to cross 0 at most once, with a change of sign"
    return NoMaximum(Verdict.UNDECIDED, why)


def _layer_of(network: Graph, index: int) -> tuple[int, Activation] | None:
    """The bias of the units that a node is the output of, perhaps in another order, and their activation.

    Guarantee: every entry of the node is sigma(z + b), b an entry of the bias, a trained parameter that only the affine
    node of these units reads, and that no feature shows.
    """
    node = network.nodes[index]
    while isinstance(node, Reshape | Permute):
        node = network.nodes[node.reads[0]]
    inner = network.nodes[node.reads[0]] if isinstance(node, Map) else None
    if not (isinstance(node, Map) and isinstance(inner, Affine) and inner.bias):
        return None
    bias = inner.reads[-1]
    uses = Counter(read for other in network.nodes for read in other.reads)
    own = uses[bias] == 1 and isinstance(network.nodes[bias], Parameter)
    return (bias, node.sigma) if own and all(feature.node != bias for feature in network.features) else None


def _alone(network: Graph, bias: int, index: int) -> bool:
    """Whether every column of Psi that depends on a bias is an entry of one node, which is the units' output."""
    moved = {bias}
    for number, node in enumerate(network.nodes):
        if not moved.isdisjoint(node.reads):
            moved.add(number)
    return all(feature.node == index for feature in network.features if feature.node in moved)
