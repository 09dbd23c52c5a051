"""A3.1(3): the patches that a first-layer unit sees of two samples are never the same, compared number by number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from verifier.data.dataset import Dataset
from verifier.data.grouping import Grouping
from verifier.display import Decided
from verifier.errors import NetworkError
from verifier.network.layered import NOT_LAYERED
from verifier.network.network import Array, Network
from verifier.verdict import Verdict

NEIGHBOURS = 4096
"""Sorted rows that are compared with the next one at a time."""


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


def source_windows(network: Network, index: int) -> list[list[int]]:
    """For every position of a layer (pool: channel and position) the flat indices of the sources read.

    Places in a padding are left out: they are no sources and show every sample the same 0. No window is empty.

    Parameters
    ----------
    network
        The network.
    index
        Of the layer.

    Returns
    -------
    list of list of int
        Indices into the sources' outputs, flattened and put one behind the other.
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
    return [[j - start for j in window if start <= j < stop] for window in source_windows(network, index)]


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
        input's part of what a unit reads that reads other layers as well, or of a network that is not made of layers
        alone. O(N d log N) per position at most.

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
    if network.layered is None:
        return PatchCheck(Verdict.UNDECIDED, f"does not apply: {NOT_LAYERED}", 0, None)
    known: set[tuple[int, ...]] = set()
    padded = any(layer.padding for layer in network.layers)
    doubt = None
    for index, sources in enumerate(network.sources):
        alone = sources == ("input",)
        mixed = padded and not alone and "input" in sources
        for position, window in enumerate(_input_windows(network, index) if alone or mixed else ()):
            whole = window == list(range(dataset.dimension))  # then no copy is made
            rows = dataset.inputs if whole else dataset.inputs[:, window]
            pair = None if tuple(window) in known else _first_equal(rows)
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
    patches = np.ascontiguousarray(rows)
    keys = patches.view(np.dtype((np.void, patches.itemsize * patches.shape[1]))).ravel()
    order = np.argsort(keys, kind="stable")
    for start in range(0, len(order) - 1, NEIGHBOURS):
        near = order[start : start + NEIGHBOURS + 1]
        same = np.flatnonzero((patches[near[1:]] == patches[near[:-1]]).all(axis=1))
        if same.size:
            return int(near[same[0]]), int(near[same[0] + 1])
    return None


def _original(data: Dataset | Grouping, row: int) -> int:
    """The first original sample that a row stands for."""
    return int(np.flatnonzero(data.group_of == row)[0]) if isinstance(data, Grouping) else row
