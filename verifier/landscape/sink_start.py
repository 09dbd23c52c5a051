"""S at the given U: the samples differ in what the wide layer reads, so that a path leads down from here (THEORY2 S).

Certificate: integers a such that the numbers <a, h_i> are pairwise different, h_i what the layer reads on sample i.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import FIRST_BITS, Enclosure
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.data.dataset import IntArray
from verifier.display import Brief, Decided
from verifier.network.flags import flags_of
from verifier.network.graph import Feature
from verifier.network.initialise import portable_gaussian
from verifier.network.network import Array, Network
from verifier.network.nodes import Affine, Constant
from verifier.network.units import DenseUnits
from verifier.rank.sink import free_layers
from verifier.verdict import Verdict

DIRECTION = 3_000_029
"""Stream of the random integers a."""
LARGEST = 1 << 8
"""The standard deviation of the integers a."""
GAP_OVER_RADIUS = 3.0
"""Two midpoints this many largest radii apart have disjoint balls, roundings of the difference included."""
ARB_ENTRIES = 1_000_000
"""Values of nodes up to which Arb is asked where binary64 does not tell the samples apart."""
MORE_BITS = 256
"""Arb's second precision."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SinkStart(Decided, Brief):
    """Whether S holds at the given U, and why; the layer's node, if one fits; the integers a, a checker's precision."""

    verdict: Verdict
    reason: str
    node: int | None = None
    direction: IntArray | None = None
    precision: int = FIRST_BITS


def prove_sink_start(network: Network, u: Array, features: Enclosure, *, seed: int = 0) -> SinkStart:
    """Prove that the samples differ in what a wide last layer of free units reads.

    Parameters
    ----------
    network, u
        The network and U, shape ``(p,)``.
    features
        An enclosure of Psi(U): it has the N samples, and says what is computed with.
    seed
        Of the integers a.

    Returns
    -------
    SinkStart
        Guarantee: ``PROVED`` implies that from (U, V), whatever V is, a path at constant loss leads to an U of full row
        rank, and from there one in V alone, on which a convex finite loss of the logits never increases, to within
        every epsilon of its infimum (THEORY2 S). ``UNDECIDED`` says nothing.
    """
    samples, undefined = len(features.inputs), flags_of(network).undefined
    layers = free_layers(network, samples)
    if isinstance(layers, str) or undefined:
        return SinkStart(Verdict.UNDECIDED, layers if isinstance(layers, str) else undefined[0])
    units = layers[0]
    projected, direction, lower = _projection(network, units, u, seed)
    inputs, title = features.inputs, network.title(units.node)
    pair, bits = (0, 0), features.precision
    for enclosure in _enclosures(projected, lower, inputs, features):
        found = _closest(enclosure)
        if found is None:
            reason = (
                f"{len(units.skip)} free units ({units.activation.name}) for N = {samples} samples, which are proved "
                f"to differ in what {title} reads at this U"
            )
            bits = max(FIRST_BITS, enclosure.precision)
            return SinkStart(Verdict.PROVED, reason, units.node, direction, bits)
        pair = found
    words = (
        f"samples {min(pair)} and {max(pair)} are not proved to differ in what {title} reads at this U; where units "
        "below it are dead for both, another start helps, or leaky units"
    )
    return SinkStart(Verdict.UNDECIDED, words, units.node)


def _projection(network: Network, units: DenseUnits, u: Array, seed: int) -> tuple[Network, IntArray, Array]:
    """The network whose only feature is <a, h>, the integers a, and the part of U that it has."""
    stop = max(units.sources) + 1
    size = sum(int(np.prod(network.node_shapes[source])) for source in units.sources)
    drawn = np.rint(LARGEST * np.abs(portable_gaussian(seed, (DIRECTION,), size)))  # >= 0, as the format has it
    nodes = [*network.nodes[:stop], Constant(values=drawn[None, :])]
    nodes.append(Affine((*units.sources, stop), "all", False))
    lower = [view.of(u).ravel() for view in network.parameters if view.node < stop]
    small = Network.of(nodes, [Feature(stop + 1)])
    return small, drawn.astype(np.int64), np.concatenate([np.zeros(0), *lower])


def _enclosures(network: Network, u: Array, inputs: Array, features: Enclosure) -> list[Enclosure]:
    """What encloses the numbers <a, h_i>: binary64 where Psi is, and Arb where that is not dear."""
    found: list[Enclosure] = []
    backend = getattr(features, "backend", None)
    if backend is not None:
        found.append(FloatEnclosure(network, u, inputs, backend))
    entries = len(inputs) * sum(int(np.prod(shape)) for shape in network.node_shapes)
    if entries <= ARB_ENTRIES or not found:
        found += [FeatureEnclosure(network, u, inputs, bits) for bits in (FIRST_BITS, MORE_BITS)]
    return found


def _closest(enclosure: Enclosure) -> tuple[int, int] | None:
    """Two samples whose balls are not proved to be disjoint; None if all are."""
    if isinstance(enclosure, FloatEnclosure):
        return _closest_floats(enclosure)
    balls = [block[i, 0] for _, block in enclosure.blocks() for i in range(block.nrows())]
    order = sorted(range(len(balls)), key=lambda i: balls[i].mid())
    return next(((i, k) for i, k in itertools.pairwise(order) if not balls[i] < balls[k]), None)


def _closest_floats(enclosure: FloatEnclosure) -> tuple[int, int] | None:
    middles, radius = [np.zeros(0)], 0.0
    try:
        for _, mid, radii in enclosure.row_blocks():
            middles.append(enclosure.backend.numpy(mid)[:, 0])
            radius = max(radius, float(radii[0]))
    except NotEnclosed:
        return 0, 0
    values = np.concatenate(middles)
    order = np.argsort(values, kind="stable")
    close = np.flatnonzero(~(np.diff(values[order]) > GAP_OVER_RADIUS * radius))
    return (int(order[close[0]]), int(order[close[0] + 1])) if close.size else None
