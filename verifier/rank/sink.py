"""S(1), S(2), S+: paths that never go up, for any activation, by the architecture alone (THEORY2 S).

Let a dense layer L of N columns of Psi (N - 1 beside an output bias), with weights and biases of their own, be read by
no node, and let the samples differ in what L reads. V moves to a column basis of Psi, all logits at rest; a unit of L
outside of the basis then has a row of zeros in V, so that its weights may move freely at constant loss. By Lemma S' of
the theory its column can leave the span of the basis, unless the activation is a polynomial of degree <= N - 2: the
rank grows, until it is N. Then V moves alone, straight to logits near the infimum, and stops at the minimum on the way.
No derivative of the activation is used.

The samples differ in what L reads at EVERY U if that is a one-to-one image of the input, S(1); at almost every U if
layers lie between whose units have weights and biases of their own, of activations whose level sets are null, S(2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.display import Brief, Decided, count
from verifier.network.flags import flags_of
from verifier.network.graph import Graph
from verifier.network.network import Network
from verifier.network.nodes import Affine, Window
from verifier.network.units import DenseUnits, own_units, unread_units
from verifier.network.windows import Shape
from verifier.rank.every_data import carries, chosen_by_samples, in_the_way
from verifier.sigma.level_sets import level_sets_are_null
from verifier.sigma.polynomials import excludes_polynomials
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class SinkResult(Decided, Brief):
    """Whether a statement about paths from everywhere is proved, why, and the node of the layer L that proves it."""

    verdict: Verdict
    reason: str
    node: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Sink(Brief):
    """What the architecture proves for every set of N distinct samples.

    Parameters
    ----------
    everywhere : SinkResult
        S(1): a path from every (U, V).
    almost_everywhere : SinkResult
        S(2): a path from almost every (U, V).
    connected : SinkResult
        S+: every sublevel set is connected.
    """

    everywhere: SinkResult
    almost_everywhere: SinkResult
    connected: SinkResult


def prove_sink(network: Network, samples: int) -> Sink:
    """Prove S(1), S(2) and S+ from the architecture; nothing is computed, so that N may be any number.

    Parameters
    ----------
    network : Network
        Any network; frozen parameters keep their numbers.
    samples : int
        N >= 1.

    Returns
    -------
    Sink
        Guarantee: what is ``PROVED`` holds for every N distinct samples in R^d, all labels and all convex finite losses
        of the logits, V free along all arcs (THEORY2 S, S+). ``UNDECIDED`` says nothing.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.rank.sink import prove_sink
    >>> found = prove_sink(vf.Network(2, vf.Dense(5, "relu", skip=True)), 5)
    >>> found.everywhere.proved, found.connected.proved  # S+ needs one unit more
    (True, False)
    """
    obstacle = _somewhere_undefined(network)
    layers = free_layers(network, samples)
    if obstacle or isinstance(layers, str):
        open_ = SinkResult(Verdict.UNDECIDED, layers if isinstance(layers, str) else obstacle)
        return Sink(open_, open_, open_)
    words = "the wide layer does not read all of the input, or a one-to-one image of it"
    everywhere = _reading(layers, images_of_the_input(network), samples, "at every U", words)
    if everywhere.proved:
        return Sink(everywhere, everywhere, _connected(network, layers, everywhere, samples))
    separating, missing = separating_nodes(network)
    words = f"what the wide layer reads is not proved to tell all samples apart at almost every U: {missing}"
    return Sink(everywhere, _reading(layers, separating, samples, "at almost every U", words), everywhere)


def free_layers(network: Network, samples: int) -> list[DenseUnits] | str:
    """The layers L that Theorem S may use for so many samples; or why there is none.

    Parameters
    ----------
    network : Network
        Any network.
    samples : int
        N.

    Returns
    -------
    list of DenseUnits or str
        Guarantee: each is a dense layer that no node reads, N of whose units, N - 1 beside an output bias, are columns
        of Psi; their weights and biases are their own and free; the activation is continuous and no polynomial of
        degree <= N - 2.
    """
    needed, unread = samples - network.output_bias, unread_units(network)
    if not unread:
        return "there is no dense layer of units with weights and biases of their own that only the output weights read"
    wide = [units for units in unread if len(units.skip) >= needed]
    if not wide:
        most = max(len(units.skip) for units in unread)
        return f"a layer that only the output weights read has {count(most, 'free unit')}, {needed} are needed"
    fit = [units for units in wide if excludes_polynomials(units.activation, samples - 2)]
    if not fit:
        return f"{wide[0].activation.name} is not proved to be no polynomial of degree <= N - 2 = {samples - 2}"
    return fit


def _somewhere_undefined(network: Network) -> str:
    """What keeps the features from being defined and continuous for every U and every sample; "" if nothing does."""
    chosen = chosen_by_samples(network)
    undefined = flags_of(network).undefined
    return in_the_way(chosen[0]) if chosen else "".join(undefined[:1])


def images_of_the_input(network: Graph) -> set[int]:
    """The nodes that are, at every U, one-to-one functions of the sample.

    Guarantee: in such a node distinct samples have different values, whatever U is.

    Parameters
    ----------
    network : Graph
        Any network.

    Returns
    -------
    set of int
        Their indices.
    """
    found = {0}
    for index in range(len(network.nodes)):
        if carries(network, index, found):
            found.add(index)
    return found


def separating_nodes(network: Graph) -> tuple[set[int], str]:
    """The nodes that tell any two samples apart at almost every U; and what keeps another layer from it, in words.

    If the source of a layer with weights and biases of its own differs on two samples, then some unit reads an entry
    that does; its pre-activations are any two numbers, and the level sets of its activation are null.

    Guarantee: for any two distinct samples the U at which they agree in such a node are a null set (THEORY2 S(2);
    Fubini).

    Parameters
    ----------
    network : Graph
        Every node of it is continuous in U.

    Returns
    -------
    (set of int, str)
        Their indices, and the reason or nothing.
    """
    layers, found, missing = own_units(network), {0}, ""
    for index in range(len(network.nodes)):
        if index in layers:
            inner, sigma = layers[index]
            told, title = not found.isdisjoint(inner.sources), network.title(index)
            if told and not _covers(inner, [network.node_shapes[source] for source in inner.sources]):
                missing = missing or f"{title} leaves out some of what it stands on"
            elif told and not level_sets_are_null(sigma):
                missing = missing or f"{sigma.name} in {title} may take one value on an interval"
            elif told:
                found.add(index)
            else:
                missing = missing or f"{title} reads a pool, a norm or a sum of layers"
        elif carries(network, index, found):
            found.add(index)
    return found, missing


def _covers(inner: Affine, sources: Sequence[Shape]) -> bool:
    """Whether every entry of the sources is read by some unit."""
    if not isinstance(inner.over, Window):
        return True
    window, extents = inner.over, sources[0][1:]
    positions = window.positions(list(sources), "convolution")
    padding = window.padding or (0,) * len(extents)
    dilation = window.dilation or (1,) * len(extents)
    for n, there, size, stride, p, d in zip(
        extents, positions, window.kernel, window.stride, padding, dilation, strict=True
    ):
        if not {at * stride - p + k * d for at in range(there) for k in range(size)}.issuperset(range(n)):
            return False
    return True


def _reading(layers: list[DenseUnits], nodes: set[int], samples: int, when: str, otherwise: str) -> SinkResult:
    """PROVED, if one of the layers reads one of these nodes."""
    for units in layers:
        if not nodes.isdisjoint(units.sources):
            reason = (
                f"{len(units.skip)} free units ({units.activation.name}) for N = {samples} distinct samples, which "
                f"differ in what these units read {when}; only the output weights read them"
            )
            return SinkResult(Verdict.PROVED, reason, units.node)
    return SinkResult(Verdict.UNDECIDED, otherwise)


def _connected(network: Network, layers: list[DenseUnits], everywhere: SinkResult, samples: int) -> SinkResult:
    """S+: one layer of units over the input is all there is, and has one unit more than the path needs."""
    units = next(units for units in layers if units.node == everywhere.node)
    columns, parameters = len(units.skip) + network.output_bias, {view.name for view in network.parameters}
    if parameters != {units.weight, units.bias} or network.columns != columns:
        words = f"there is more than one layer: {network.title(units.node)} has not all columns, or not all parameters"
        return SinkResult(Verdict.UNDECIDED, words)
    if columns <= samples:
        words = f"M = {columns} columns, N + 1 = {samples + 1} are needed"
        return SinkResult(Verdict.UNDECIDED, words)
    reason = f"M = {columns} > N = {samples} columns, those of one layer of free units ({units.activation.name})"
    return SinkResult(Verdict.PROVED, reason + (" and the output bias" * network.output_bias), units.node)
