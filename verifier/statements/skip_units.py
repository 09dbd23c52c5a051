"""A3.1(2): N skip units with weights of their own are bounded, or softplus with a free path to the first layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.display import Decided
from verifier.network.layered import NOT_LAYERED
from verifier.network.layers import Layer
from verifier.network.network import Network
from verifier.sigma.activations import Activation
from verifier.sigma.point_values import UndefinedError, ball_at
from verifier.statements.patches import source_windows
from verifier.verdict import Verdict

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class UnitEvidence:
    """What A3.1(2) rests on, in the strict reading.

    Parameters
    ----------
    needed
        N.
    available
        The number of skip units; an output bias is none.
    bounded, softplus
        How many skip units with weights of their own satisfy (a), (b).
    layers
        ``(layer, count of (a), count of (b))`` for every layer with skip units.
    selected
        ``(layer, unit)`` of N such units of one kind; empty unless PROVED.
    bottleneck
        What keeps the other skip units out, in words; empty if nothing does.
    """

    needed: int
    available: int
    bounded: int
    softplus: int
    layers: tuple[tuple[int, int, int], ...]
    selected: tuple[tuple[int, int], ...]
    bottleneck: str


@dataclass(frozen=True, slots=True)
class UnitCheck(Decided):
    """A3.1(2): N of the M skip units are of kind (a) or (b)."""

    verdict: Verdict
    reason: str
    evidence: UnitEvidence


@dataclass(frozen=True, slots=True)
class _Kind:
    """Whether an activation satisfies a condition: surely, possibly, and why not."""

    surely: bool
    possibly: bool
    why_not: str


def _bounded_kind(sigma: Activation) -> _Kind:
    """Decide (a): the activation is bounded, with limit 0 at -oo."""
    bounded, limit = sigma.facts.bounded, sigma.facts.limit_minus
    vanishes = limit.value.is_zero if limit.status == "proved" and limit.value is not None else None
    unbounded = bounded.status == "proved" and bounded.value is False
    why_not = "is not bounded" if unbounded else f"has limit {limit.value} at -oo, not 0" if vanishes is False else ""
    return _Kind(bounded.holds and vanishes is True, not unbounded and vanishes is not False, why_not)


def _softplus_kind(sigma: Activation) -> _Kind:
    """(b), the activation's part: ``log(1 + exp(g t)) / g``, g > 0.

    Such a function is analytic, increasing, and ``sigma(t) - sigma(-t) = t``: what is proved to fail one is none.
    """
    facts = sigma.facts
    if facts.softplus_like.status == "proved" and facts.softplus_like.value is not None:
        return _Kind(True, True, "")
    known = (facts.real_analytic, facts.strictly_increasing)
    different = any(fact.status == "proved" and fact.value is False for fact in known)
    return _Kind(False, not (different or _breaks_softplus_identity(sigma)), "is not log(1 + exp(g t)) / g")


def _breaks_softplus_identity(sigma: Activation) -> bool:
    """Guarantee: True only if ``sigma(t) - sigma(-t)`` differs from t at t = 1 or t = 2."""
    for point in (1, 2):
        try:
            gap = ball_at(sigma.tree, Fraction(point)) - ball_at(sigma.tree, Fraction(-point)) - point
        except UndefinedError:
            continue
        if gap > 0 or gap < 0:
            return True
    return False


def _skip_flags(network: Network) -> list[Flags]:
    """For every layer which units are skip units."""
    flags = [np.zeros(math.prod(shape), dtype=bool) for shape in network.shapes]
    for index, units in network.skip_units:
        flags[index][list(units)] = True
    return flags


def _reaching(network: Network, skip: Sequence[Flags], *, strict: bool) -> tuple[list[Flags], list[Flags]]:
    """Which units have a backward path to the first hidden layer, and which may be inner units of one.

    A unit of a layer that reads the input is in the first hidden layer and its path is empty. Any other unit needs a
    source that may lie on a path and has such a path itself. A unit may lie on a path if it is no skip unit and its
    weights, one set per filter, are those of no skip unit. Strictly, pools are no part of a path either: their weights
    are not free.
    """
    reaches: list[Flags] = []
    inner: list[Flags] = []
    for index, layer in enumerate(network.layers):
        count, leaders = math.prod(network.shapes[index]), network.shapes[index][0]
        sources = network.sources[index]
        if "input" in sources:
            found = np.ones(count, dtype=bool)
        else:
            read = np.concatenate([inner[int(s)] for s in sources])
            found = np.array([bool(read[window].any()) for window in source_windows(network, index)])
            found = np.tile(found, layer.rows)
        pooled = layer.activation is None
        shared = skip[index] if pooled else _per_filter(skip[index], leaders)
        reaches.append(found)
        inner.append(found & ~shared & (not (strict and pooled)))
    return reaches, inner


def _per_filter(flags: Flags, leaders: int) -> Flags:
    """Spread a flag over all positions of its filter."""
    return np.repeat(flags.reshape(leaders, -1).any(axis=1), flags.size // leaders)


def _classes(layer: Layer, flags: Flags, leaders: int, *, strict: bool) -> Flags:
    """One of the flagged units per set of shared weights; leniently only units without any number of their own count.

    Strictly two positions of one filter share their weights, so that one of them may be selected. Leniently a bias of
    its own makes a unit; with a tied bias positions have no parameter of their own.
    """
    if not strict and layer.bias == "per-unit":
        return flags
    rows, chosen = flags.reshape(leaders, -1), np.zeros((leaders, flags.size // leaders), dtype=bool)
    chosen[np.arange(leaders), rows.argmax(axis=1)] = rows.any(axis=1)
    return chosen.ravel()


def suitable_units(network: Network, samples: int) -> UnitCheck:
    """Check A3.1(2): N of the M skip units are (a) bounded with limit 0 at -oo or (b) softplus with a free path.

    Parameters
    ----------
    network
        The network.
    samples
        N.

    Returns
    -------
    UnitCheck
        Guarantee: ``PROVED`` only if N skip units with pairwise unshared weights are all of kind (a) or all of kind
        (b), pools on no path; ``REFUTED`` only if there are fewer than N even if both kinds are mixed, positions of a
        filter with biases of their own count as units, pools lie on paths and unproved facts are granted. An output
        bias is no unit: N units make Psi, hence [Psi | 1], of full rank.

    Notes
    -----
    The largest number of eligible units with pairwise unshared weights: sharing weights is an equivalence relation (a
    dense unit alone, or the positions of a filter), so such a set has at most one unit per class, and one eligible unit
    from each class that has one attains it. Hence the greedy choice is a maximum matching of units to sets of weights.
    """
    if network.layered is None:
        nothing = UnitEvidence(samples, network.columns, 0, 0, (), (), "")
        return UnitCheck(Verdict.UNDECIDED, f"does not apply: {NOT_LAYERED}", nothing)
    available = network.columns - int(network.output_bias)
    skip = _skip_flags(network)
    strict, lenient = (_reaching(network, skip, strict=how)[0] for how in (True, False))
    layers, sure_a, sure_b, possible = [], [], [], 0
    obstacles: dict[str, int] = {}
    for index, _ in network.skip_units:
        layer, leaders = network.layers[index], network.shapes[index][0]
        if layer.activation is None:
            _count(obstacles, f"layer {index}: pool units have no activation", int(skip[index].sum()))
            layers.append((index, 0, 0))
            continue
        a, b = _bounded_kind(layer.activation), _softplus_kind(layer.activation)
        of_a = _classes(layer, skip[index] & a.surely, leaders, strict=True)
        of_b = _classes(layer, skip[index] & strict[index] & b.surely, leaders, strict=True)
        granted = (skip[index] & a.possibly) | (skip[index] & lenient[index] & b.possibly)
        possible += int(_classes(layer, granted, leaders, strict=False).sum())
        sure_a += [(index, int(unit)) for unit in np.flatnonzero(of_a)]
        sure_b += [(index, int(unit)) for unit in np.flatnonzero(of_b)]
        layers.append((index, int(of_a.sum()), int(of_b.sum())))
        name = layer.activation.name
        if b.surely:
            blocked = skip[index] & ~strict[index]
            words = "every backward path meets a skip unit, weights shared with one, or a pool"
            _count(obstacles, f"layer {index}: {words}", int(blocked.sum()))
        elif not a.surely:
            parts = [a.why_not or "is not proved to be bounded with limit 0 at -oo", b.why_not]
            _count(obstacles, f"layer {index}: {name} {', and '.join(parts)}", int(skip[index].sum()))
        eligible = skip[index] & (a.surely or (b.surely and strict[index]))
        repeated = int(eligible.sum()) - int(_classes(layer, eligible, leaders, strict=True).sum())
        tied = " and a tied bias" if layer.bias == "tied" else ""
        _count(obstacles, f"layer {index}: positions of one filter share their weights{tied}", repeated)
    bottleneck = "; ".join(f"{words} ({count} units)" for words, count in obstacles.items())
    best, kind = max((len(sure_a), "(a) bounded, limit 0 at -oo"), (len(sure_b), "(b) softplus with a free path"))
    chosen = tuple((sure_a if best == len(sure_a) else sure_b)[:samples]) if best >= samples else ()
    evidence = UnitEvidence(samples, available, len(sure_a), len(sure_b), tuple(layers), chosen, bottleneck)
    if best >= samples:
        reason = f"{best} skip units with weights of their own are of kind {kind}; N = {samples} are needed"
        return UnitCheck(Verdict.PROVED, reason, evidence)
    counts = f"{len(sure_a)} of the {available} skip units are of kind (a), {len(sure_b)} of kind (b), with "
    counts += f"weights of their own; N = {samples} are needed"
    if possible < samples:
        reason = f"{counts}. {bottleneck or 'there are too few skip units'}"
        return UnitCheck(Verdict.REFUTED, reason, evidence)
    reason = f"{counts}; {possible} count if kinds are mixed, filters counted per bias, pools allowed on paths and "
    reason += f"unproved facts granted. {bottleneck}"
    return UnitCheck(Verdict.UNDECIDED, reason, evidence)


def _count(obstacles: dict[str, int], words: str, units: int) -> None:
    if units > 0:
        obstacles[words] = obstacles.get(words, 0) + units
