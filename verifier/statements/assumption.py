"""Assumption 3.1 of the paper, checked exactly: activations, skip units, input patches.

Where the paper's condition can be read in more than one way, ``PROVED`` means the strictest reading, ``REFUTED`` the
most lenient one; in between the verdict is ``UNDECIDED`` and the reason names what the readings differ in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.data.dataset import Dataset
from verifier.data.grouping import Grouping
from verifier.display import Decided
from verifier.errors import NetworkError, needs
from verifier.network.layers import Layer
from verifier.network.network import Array, Network
from verifier.sigma.activations import Activation
from verifier.sigma.point_values import UndefinedError, ball_at
from verifier.sigma.proofs import Fact
from verifier.verdict import Verdict

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ActivationEvidence:
    """An activation that the network uses, the layers that use it, and the two facts that A3.1(1) needs."""

    name: str
    layers: tuple[int, ...]
    analytic: Fact[bool]
    increasing: Fact[bool]


@dataclass(frozen=True, slots=True)
class ActivationCheck(Decided):
    """A3.1(1): every hidden activation is real analytic and strictly increasing."""

    verdict: Verdict
    reason: str
    evidence: tuple[ActivationEvidence, ...]


@dataclass(frozen=True, slots=True)
class UnitEvidence:
    """What A3.1(2) rests on, in the strict reading.

    Parameters
    ----------
    needed
        N.
    available
        M.
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
class EqualPatches:
    """Two samples, in the original numbering, that a first-layer unit at a position cannot distinguish.

    A position is counted in C order (of a pool: channel, then position); ``coordinates`` are those of its window.
    """

    samples: tuple[int, int]
    layer: int
    position: int
    coordinates: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PatchCheck(Decided):
    """A3.1(3): every first-layer unit sees pairwise distinct patches; ``windows`` of them were compared."""

    verdict: Verdict
    reason: str
    windows: int
    evidence: EqualPatches | None


@dataclass(frozen=True, slots=True)
class Assumption(Decided):
    """A3.1 for a network and data: its three parts, whether all activations are analytic, and the setting.

    ``outside`` says why the network is not one of the paper's, whose hidden units have free weights and a bias each;
    empty if it is one.
    """

    activations: ActivationCheck
    units: UnitCheck
    patches: PatchCheck
    analytic: Verdict
    outside: str

    @property
    def verdict(self) -> Verdict:
        """``REFUTED`` if a part is, ``PROVED`` if all parts are, in the paper's setting, else ``UNDECIDED``."""
        parts = [self.activations.verdict, self.units.verdict, self.patches.verdict]
        if Verdict.REFUTED in parts:
            return Verdict.REFUTED
        return Verdict.PROVED if parts == [Verdict.PROVED] * 3 and not self.outside else Verdict.UNDECIDED


def check_assumption(network: Network, data: Dataset | Grouping) -> Assumption:
    """Check A3.1.

    Parameters
    ----------
    network
        The network.
    data
        The samples, N rows; of a `Grouping` the distinct ones, witnesses being numbered as before the grouping.

    Returns
    -------
    Assumption
        Guarantee: a verdict PROVED or REFUTED is a theorem about this network and these exact numbers.

    Raises
    ------
    NetworkError
        If the network reads another number of coordinates than the samples have.
    """
    wanted = data.dataset if isinstance(data, Grouping) else data
    needs(wanted, "Dataset", "multiplicities", "data", "make one: dataset_from_arrays(X, y)")
    samples = (data.dataset if isinstance(data, Grouping) else data).samples
    return Assumption(
        increasing_activations(network),
        suitable_units(network, samples),
        distinct_patches(network, data),
        analytic(network)[0],
        outside_setting(network),
    )


def outside_setting(network: Network) -> str:
    """Say what the paper's setting excludes and this network has: a bias tied across positions, or an average pool.

    With either, Lemma 3.2 can fail although A3.1 holds: a mean over positions does not tell (0, 1) from (1, 0), neither
    of the input nor of units with one bias.
    """
    tied = [i for i, layer in enumerate(network.layers) if layer.bias == "tied"]
    pools = [i for i, layer in enumerate(network.layers) if layer.activation is None]
    parts = [f"layer {i} ties its bias across positions" for i in tied]
    return "; ".join(parts + [f"layer {i} is a pool, whose weights are not free" for i in pools])


def _used(network: Network) -> dict[Activation, list[int]]:
    """The activations and the layers that use them."""
    used: dict[Activation, list[int]] = {}
    for index, layer in enumerate(network.layers):
        if layer.activation is not None:
            used.setdefault(layer.activation, []).append(index)
    return used


def analytic(network: Network) -> tuple[Verdict, str]:
    """Whether every activation is real analytic, from its symbolic facts.

    Returns
    -------
    (Verdict, str)
        Guarantee: ``PROVED`` only if every activation's analyticity has a symbolic proof, ``REFUTED`` only if one of
        them is proved not to be analytic.
    """
    doubtful = []
    for sigma in _used(network):
        fact = sigma.facts.real_analytic
        if fact.status == "proved" and fact.value is False:
            return Verdict.REFUTED, f"{sigma.name} is not real analytic: {fact.by}"
        if not fact.holds:
            doubtful.append(sigma.name)
    if doubtful:
        return Verdict.UNDECIDED, f"analyticity of {', '.join(doubtful)} has no symbolic proof"
    return Verdict.PROVED, f"{', '.join(s.name for s in _used(network)) or 'linear units'}: real analytic"


def increasing_activations(network: Network) -> ActivationCheck:
    """Check A3.1(1): every hidden activation is real analytic and strictly increasing on R.

    Returns
    -------
    ActivationCheck
        Guarantee: ``PROVED`` only if both facts are proved of every activation, ``REFUTED`` only if one of them is
        proved to be false, with its counterexample. An average pool has no activation and counts as the identity.
    """
    evidence = tuple(
        ActivationEvidence(sigma.name, tuple(layers), sigma.facts.real_analytic, sigma.facts.strictly_increasing)
        for sigma, layers in _used(network).items()
    )
    doubtful = []
    for entry in evidence:
        for fact, word in ((entry.analytic, "real analytic"), (entry.increasing, "strictly increasing")):
            if fact.status == "proved" and fact.value is False:
                where = ", ".join(map(str, entry.layers))
                reason = f"{entry.name} (layer {where}) is not {word}: {fact.by}"
                return ActivationCheck(Verdict.REFUTED, reason, evidence)
            if not fact.holds:
                doubtful.append(f"{entry.name} is {word}")
    if doubtful:
        return ActivationCheck(Verdict.UNDECIDED, f"no symbolic proof that {', that '.join(doubtful)}", evidence)
    names = ", ".join(entry.name for entry in evidence) or "linear units"
    return ActivationCheck(Verdict.PROVED, f"{names}: real analytic and strictly increasing", evidence)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Whether an activation satisfies a condition: surely, possibly, and why not."""

    surely: bool
    possibly: bool
    why_not: str


def _bounded_kind(sigma: Activation) -> _Kind:
    """(a): bounded, with limit 0 at -oo."""
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


def _windows(network: Network, index: int) -> list[list[int]]:
    """For every position of a layer (pool: channel and position) the flat indices of the sources read.

    Places in a padding are left out: they are no sources and show every sample the same 0. No window is empty.
    """
    shapes = network.source_shapes(index)
    windows = network.layers[index].windows(shapes)
    count = sum(math.prod(shape) for shape in shapes)
    return [[j for j in window if j < count] for window in windows] if network.layers[index].padding else windows


def _input_windows(network: Network, index: int) -> list[list[int]]:
    """For every position of a layer the coordinates of the input that it reads, among what else it reads."""
    sizes = [math.prod(shape) for shape in network.source_shapes(index)]
    start = sum(sizes[: network.sources[index].index("input")])
    stop = start + network.dimension
    return [[j - start for j in window if start <= j < stop] for window in _windows(network, index)]


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
            found = np.array([bool(read[window].any()) for window in _windows(network, index)])
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
        filter with biases of their own count as units, pools lie on paths and unproved facts are granted.

    Notes
    -----
    The largest number of eligible units with pairwise unshared weights: sharing weights is an equivalence relation (a
    dense unit alone, or the positions of a filter), so such a set has at most one unit per class, and one eligible unit
    from each class that has one attains it. Hence the greedy choice is a maximum matching of units to sets of weights.
    """
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
    evidence = UnitEvidence(samples, network.skip_count, len(sure_a), len(sure_b), tuple(layers), chosen, bottleneck)
    if best >= samples:
        reason = f"{best} skip units with weights of their own are of kind {kind}; N = {samples} are needed"
        return UnitCheck(Verdict.PROVED, reason, evidence)
    counts = (
        f"{len(sure_a)} of the M = {network.skip_count} skip units are of kind (a), {len(sure_b)} of kind (b), with "
    )
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


def distinct_patches(network: Network, data: Dataset | Grouping) -> PatchCheck:
    """Check A3.1(3): what a first-layer unit sees of two different samples is never the same.

    Parameters
    ----------
    network
        The network. First-layer units are those of layers that read the input and nothing else.
    data
        As in `check_assumption`.

    Returns
    -------
    PatchCheck
        Guarantee: ``PROVED`` only if all patches are pairwise distinct, at every position of every such layer, exactly;
        ``REFUTED`` with two samples whose patches are equal, number by number. ``UNDECIDED`` if that is so only of the
        input's part of what a unit reads that reads other layers as well. O(N d log N) per position at most.

    Raises
    ------
    NetworkError
        If the network reads another number of coordinates than the samples have.

    Notes
    -----
    Of a layer that reads the input and other layers the input's part is compared where there is padding. Without it
    there is no need: a dense layer sees whole samples. A convolution needs sources of the input's extent. These come
    down, by kernels of length 1, from a layer that reads the input alone, and its windows are part of the
    convolution's.
    """
    dataset = data.dataset if isinstance(data, Grouping) else data
    if network.dimension != dataset.dimension:
        raise NetworkError(
            f"the network reads d = {network.dimension} coordinates and the samples have {dataset.dimension}; "
            "make it for this data set"
        )
    known: set[tuple[int, ...]] = set()
    padded = any(layer.padding for layer in network.layers)
    doubt = None
    for index, sources in enumerate(network.sources):
        alone = sources == ("input",)
        mixed = padded and not alone and "input" in sources
        for position, window in enumerate(_input_windows(network, index) if alone or mixed else ()):
            pair = None if tuple(window) in known else _first_equal(dataset.inputs[:, window])
            known.add(tuple(window))
            if pair is not None:
                first, second = sorted(_original(data, row) for row in pair)
                reason = f"samples {first} and {second} show layer {index} the same patch at position {position}"
                witness = EqualPatches((first, second), index, position, tuple(window))
                if alone:
                    return PatchCheck(Verdict.REFUTED, reason, len(known), witness)
                doubt = f"{reason} of the input; whether the other layers that it reads tell them apart is not decided"
                known.discard(tuple(window))  # a layer that reads nothing else may have it as well
    if doubt is not None:
        return PatchCheck(Verdict.UNDECIDED, doubt, len(known), None)
    reason = f"{dataset.samples} samples, {len(known)} window{'s' if len(known) > 1 else ''} of each: "
    return PatchCheck(Verdict.PROVED, f"{reason}the patches are pairwise distinct", len(known), None)


def _first_equal(rows: Array) -> tuple[int, int] | None:
    """Two equal rows, found by sorting; finite numbers without -0.0 are equal where their bytes are."""
    patches = np.ascontiguousarray(rows + 0.0)
    keys = patches.view(np.dtype((np.void, patches.itemsize * patches.shape[1]))).ravel()
    order = np.argsort(keys, kind="stable")
    same = np.flatnonzero((patches[order[1:]] == patches[order[:-1]]).all(axis=1))
    return (int(order[same[0]]), int(order[same[0] + 1])) if same.size else None


def _original(data: Dataset | Grouping, row: int) -> int:
    """The first original sample that a row stands for."""
    return int(np.flatnonzero(data.group_of == row)[0]) if isinstance(data, Grouping) else row


def what_remains(found: Assumption) -> tuple[str, ...]:
    """Say which statements survive where A3.1 fails.

    Returns
    -------
    tuple of str
        Statements in words, each with what it still needs.
    """
    at_u = (
        "at a given U: full rank or its failure (R1-R6), zero training error (Z1), a decreasing path (P1), for "
        "cross-entropy and agreeing labels no stationary point where Psi(U) has rank N (C1); none of them needs A3.1",
        "for cross-entropy: no strict local minimum (C2), and no local maximum where Psi(U) != 0 (C3), for any network",
    )
    if found.verdict is Verdict.PROVED:
        return ("A3.1 holds: Lemma 3.2 and Theorem 3.4 of the paper apply as they stand", *at_u)
    if found.analytic is Verdict.PROVED:
        almost = (
            "all activations are analytic, so ONE U with rank Psi(U) = N suffices (W0): then rank Psi = N for almost "
        )
        almost += (
            "every U, and Theorem 3.4(2), no bad local valley, holds; monotonicity, growth and patches do not matter"
        )
        setting = (f"the paper's setting is left ({found.outside}): Lemma 3.2 can fail here",) if found.outside else ()
        fourth = "Theorem 3.4(4), no local maximum, does not follow from one such U, and is false for hinge losses"
        return (almost, fourth, *setting, *at_u)
    doubt = "is refuted" if found.analytic is Verdict.REFUTED else "is not proved"
    return (f"analyticity {doubt}: one U with rank Psi(U) = N says nothing about almost every U (W0)", *at_u)
