"""A on given samples: full rank at almost every U by the architecture and exact comparison alone (THEORY2 A with data).

Where not every set of distinct samples has full rank, those that are given may: units count whose source tells the
given samples apart, such as the positions of a filter, with a tied bias or not, or units on averages over positions. No
number is drawn and no feature is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.display import Brief, Decided, count
from verifier.network.graph import Array, Graph
from verifier.network.units import own_units, shown_entries
from verifier.rank.separation import MAX_COMPARED, Separation, compared
from verifier.sigma.polynomials import excludes_polynomials
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ShownUnits:
    """Skip units: the node that is the output of their layer, and which entries of it they are."""

    node: int
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True, repr=False)
class GivenData(Decided, Brief):
    """Whether the given samples have full rank at almost every U, why, and the units that prove it."""

    verdict: Verdict
    reason: str
    units: tuple[ShownUnits, ...] = ()


def prove_given_data(network: Graph, inputs: Array) -> GivenData:
    """Prove A for the given samples.

    Parameters
    ----------
    network : Network
        A network whose nodes are analytic in U on these samples.
    inputs : ndarray of shape (N, d)
        The samples.

    Returns
    -------
    GivenData
        Guarantee: ``PROVED`` implies that almost every U has rank Psi(U) = N on these samples (THEORY2 A): N units, or
        N - 1 beside an output bias, have weights and biases that nothing else reads, of each filter one position at
        most; each has an activation that is no polynomial of degree <= N - 2, and reads what has different values on
        all samples at almost every U. ``UNDECIDED`` says nothing.

    Examples
    --------
    >>> import numpy as np, verifier as vf
    >>> from verifier.rank.given_data import prove_given_data
    >>> network = vf.Network((1, 3), vf.Conv(2, (2,), "tanh", bias="tied", skip=True))
    >>> prove_given_data(network, np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])).units
    (ShownUnits(node=4, entries=(0, 2)),)
    """
    samples = len(inputs)
    needed = samples - network.output_bias
    leaders = {node: _leaders(network, node) for node in own_units(network)}
    possible = sum(map(len, leaders.values()))
    if possible < needed:
        words = f"{count(possible, 'skip unit')} with weights of their own, {needed} are needed"
        return GivenData(Verdict.UNDECIDED, words)
    if compared(network, samples) > MAX_COMPARED:
        words = f"not tried: more than {MAX_COMPARED} numbers would be compared"
        return GivenData(Verdict.UNDECIDED, words)
    told, units = Separation(network, inputs), list[ShownUnits]()
    excluded = ""
    for node, (_, sigma) in own_units(network).items():
        if needed <= 0:
            break
        if not excludes_polynomials(sigma, samples - 2):
            excluded = f"; {sigma.name} is not proved to be no polynomial of degree <= N - 2 = {samples - 2}"
            continue
        chosen = list[int]()
        for entries in leaders[node].values():
            best = next((entry for entry in entries if told.tells_all_apart(node, entry)), None)
            chosen += [] if best is None or len(chosen) == needed else [best]
        if chosen:
            units.append(ShownUnits(node, tuple(sorted(chosen))))
            needed -= len(chosen)
    if needed > 0:
        found = samples - network.output_bias - needed
        words = f"{count(found, 'skip unit')} with weights of their own read what tells all samples apart"
        return GivenData(Verdict.UNDECIDED, f"{words}, {found + needed} are needed{excluded}")
    beside = " and the output bias" if network.output_bias else ""
    counted = count(sum(len(part.entries) for part in units), "skip unit")
    layers = count(len(units), "layer")
    reason = (
        f"for these {samples} samples (not every data set), all labels and all convex losses: {counted} of {layers} "
        f"with weights of their own{beside}, over what tells these samples apart (compared exactly)"
    )
    return GivenData(Verdict.PROVED, reason, tuple(units))


def _leaders(network: Graph, node: int) -> dict[int, list[int]]:
    """The skip units of a layer, by their filter or unit: those of one filter share their weights."""
    inner = network.nodes[network.nodes[node].reads[0]]
    geometry = inner.geometry([network.node_shapes[read] for read in inner.reads])  # type: ignore[attr-defined]
    found: dict[int, list[int]] = {}
    for entry in shown_entries(network, node):
        leader = entry // geometry.positions if geometry.filters_first else entry % geometry.filters
        found.setdefault(leader, []).append(entry)
    return found
