"""A: full rank at almost every U for EVERY set of N distinct samples, by the architecture alone (THEORY2 A).

Dense layers with weights and biases of their own, each of which reads all of the input, or all of an earlier such layer
(and anything else), tell distinct samples apart at almost every U: if the source differs on two of them at some U, then
the pre-activations of a unit there are any two numbers, and an analytic activation that is not constant differs at
some. Then N skip units of such layers, one after the other, leave the span of those before: with free weights a unit's
column runs through vectors that span R^N, unless its activation is a polynomial of degree <= N - 2 (Lemma S').

Only such layers count here; with data, patches of convolutions could count as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.balls.engine import FIRST_BITS
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.display import Brief, Decided, count
from verifier.network.flags import Obstacle, flags_of
from verifier.network.graph import Array, Feature, Graph
from verifier.network.network import Network
from verifier.network.nodes import (
    Add,
    Concatenate,
    Constant,
    Expand,
    InverseRoot,
    Multiply,
    Node,
    Permute,
    Reshape,
    Scale,
)
from verifier.network.units import DenseUnits, dense_units
from verifier.sigma.polynomials import excludes_polynomials
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class CountedUnits:
    """Skip units of one dense layer: the node that is its output, and how many are counted."""

    node: int
    count: int


@dataclass(frozen=True, slots=True, repr=False)
class EveryDataSet(Decided, Brief):
    """Whether every set of N distinct samples has full rank at almost every U, why, and the units that prove it."""

    verdict: Verdict
    reason: str
    units: tuple[CountedUnits, ...] = ()


def prove_every_data_set(network: Graph, samples: int) -> EveryDataSet:
    """Prove A from the architecture; nothing is drawn or computed, so that N may be any number.

    Parameters
    ----------
    network : Network
        Any network; frozen parameters keep their numbers.
    samples : int
        N >= 1.

    Returns
    -------
    EveryDataSet
        Guarantee: ``PROVED`` implies that for every N distinct samples in R^d almost every U has rank Psi(U) = N
        (THEORY2 A, for dense layers). ``UNDECIDED`` says nothing.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.rank.every_data import prove_every_data_set
    >>> network = vf.Network(2, [vf.Dense(3, "tanh"), vf.Dense(4, "tanh", skip=True)])
    >>> prove_every_data_set(network, 4).units
    (CountedUnits(node=8, count=4),)
    """
    short = too_few_columns(network, samples)
    if short:
        return EveryDataSet(Verdict.UNDECIDED, short)
    obstacles = [*chosen_by_samples(network), *flags_of(network).obstacles]
    if obstacles:
        return EveryDataSet(Verdict.UNDECIDED, in_the_way(obstacles[0]))
    needed = samples - network.output_bias
    units, excluded = _count(network, samples, needed)
    found = sum(part.count for part in units)
    if found < needed:
        return EveryDataSet(Verdict.UNDECIDED, _too_few(found, needed, samples, excluded))
    beside = " and the output bias" if network.output_bias else ""
    layers = count(len(units), "dense layer")
    reason = (
        f"{count(found, 'skip unit')} of {layers} with weights of their own{beside}, over layers that separate samples"
    )
    return EveryDataSet(Verdict.PROVED, reason, tuple(units))


def separating_layers(network: Graph) -> dict[int, DenseUnits]:
    """The dense layers whose source tells distinct samples apart at almost every U.

    Parameters
    ----------
    network : Graph
        Every node of it is analytic in U.

    Returns
    -------
    dict
        By their output nodes. Guarantee: each reads all of the input, or all of one of these layers, or a one-to-one
        image of such (a reshaping, multiples by what is nowhere 0, sums with what is the same for all samples), and its
        activation is real analytic and not constant.
    """
    dense, separating = dense_units(network), {0}
    found: dict[int, DenseUnits] = {}
    for index in range(len(network.nodes)):
        layer = dense.get(index)
        if layer is not None and not separating.isdisjoint(layer.sources):
            smooth = layer.activation.facts.real_analytic
            if smooth.status == "proved" and smooth.holds and excludes_polynomials(layer.activation, 0):
                found[index] = layer
                separating.add(index)
        elif carries(network, index, separating):
            separating.add(index)
    return found


def carries(network: Graph, index: int, separating: set[int]) -> bool:
    """Whether a node is, at every U, a one-to-one function of one that separates, perhaps beside others.

    Guarantee: true only if it is; what it reads beside that node is the same for all samples, or is placed beside it.

    Parameters
    ----------
    network : Graph
        The network.
    index : int
        The node.
    separating : set of int
        The nodes that separate.

    Returns
    -------
    bool
        Whether it is one.
    """
    node = network.nodes[index]
    kept = [read for read in node.reads if read in separating]
    alone = len(kept) == 1 and sum(network.varies[read] for read in node.reads) == 1
    match node:
        case Reshape() | Permute() | Scale() | Expand() | Concatenate():
            return bool(kept)
        case Multiply():
            factors = [network.nodes[read] for read in node.reads if not network.varies[read]]
            return alone and all(map(_nowhere_zero, factors))
        case Add():
            return alone
    return False


def _nowhere_zero(factor: Node) -> bool:
    """Whether no entry of a factor is 0, at any U: what a scaler divides by is an inverse root."""
    return isinstance(factor, InverseRoot) or (isinstance(factor, Constant) and bool(factor.values.all()))


def too_few_columns(network: Graph, samples: int) -> str:
    """Say that Psi has fewer columns than there are samples; "" if it has not.

    Parameters
    ----------
    network : Graph
        The network.
    samples : int
        N.
    """
    if network.columns >= samples:
        return ""
    return f"needs M >= N: {network.size_words}, and N = {samples}; the largest N for it is {network.columns}"


def chosen_by_samples(network: Graph) -> list[Obstacle]:
    """Masks and tokens that depend on the sample, which are not whole numbers for all real samples, or are wrong.

    Guarantee: empty only if every mask and token is the same for all samples in R^d, and every one is valid.
    """
    found, known = [], dict[int, Array]()
    for index, node in enumerate(network.nodes):
        masked = node.kind in ("softmax", "attend") and len(node.reads) == node.arity[1]
        chosen = node.reads[0] if node.kind == "embed" else node.reads[-1] if masked else None
        if chosen is None:
            continue
        if not network.varies[chosen] and chosen not in known:
            known[chosen] = _whole_numbers(network, chosen)
        words = ""
        if network.varies[chosen]:
            words = f"{'the mask depends' if masked else 'tokens depend'} on the sample, and samples are any real "
            words += "numbers here" if masked else "numbers here; give vectors instead of tokens"
        elif masked and not _keeps_some_of_each_row(known[chosen]):
            words = "the mask is not of zeros and ones, one 1 at least in each row"
        elif not masked and not _are_rows(known[chosen], network.node_shapes[node.reads[1]][0]):
            words = "a token is not the number of a row of the table"
        if words:
            found.append(Obstacle(words, False, network.title(index)))
    return found


def _keeps_some_of_each_row(mask: Array) -> bool:
    return bool(((mask == 0.0) | (mask == 1.0)).all() and (np.atleast_1d(mask) == 1.0).any(axis=-1).all())


def _are_rows(tokens: Array, rows: int) -> bool:
    return bool(((tokens >= 0.0) & (tokens < rows)).all())


def _whole_numbers(network: Graph, index: int) -> Array:
    """The numbers of a node that depends on neither the sample nor U; those that are not whole are no numbers."""
    node = network.nodes[index]
    if isinstance(node, Constant):
        return np.where(node.values == np.floor(node.values), node.values, np.nan)
    fixed = Network.of(network.nodes[: index + 1], [Feature(index)])
    zeros = np.zeros((1, network.dimension))
    enclosure = FeatureEnclosure(fixed, np.zeros(fixed.parameter_count), zeros, FIRST_BITS)
    entries = [entry for _, block in enclosure.blocks() for entry in block.entries()]
    numbers = [float(entry.mid()) if entry.is_integer() else np.nan for entry in entries]
    return np.array(numbers).reshape(network.node_shapes[index])


def in_the_way(obstacle: Obstacle) -> str:
    """A reason that names the node that is in the way, and what to do about a kink."""
    named = obstacle.words if obstacle.node in obstacle.words else f"{obstacle.node}: {obstacle.words}"
    kink = obstacle.refuted and "(map)" in obstacle.node
    return f"{named}; take an analytic activation, such as softplus(20)" if kink else named


def _count(network: Graph, samples: int, needed: int) -> tuple[list[CountedUnits], list[str]]:
    """As many skip units as are needed, from below; and the activations that are in the way of others."""
    units: list[CountedUnits] = []
    excluded: list[str] = []
    for node, layer in separating_layers(network).items():
        if not layer.skip or needed <= 0:
            continue
        if not excludes_polynomials(layer.activation, samples - 2):
            excluded.append(layer.activation.name)
            continue
        units.append(CountedUnits(node, min(needed, len(layer.skip))))
        needed -= units[-1].count
    return units, excluded


def _too_few(found: int, needed: int, samples: int, excluded: list[str]) -> str:
    words = f"{count(found, 'skip unit')} of dense layers that tell all samples apart, {needed} are needed"
    if excluded:
        return f"{words}; {excluded[0]} is not proved to be no polynomial of degree <= N - 2 = {samples - 2}"
    return (
        f"{words}: a layer counts if nothing else uses its weights and biases, all of them are trained, and it reads "
        "all of the input or of such a layer"
    )
