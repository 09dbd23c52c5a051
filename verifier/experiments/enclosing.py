"""What the proofs about trained networks compute with: Psi with the bits that its depth needs, points of a path."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import FIRST_BITS
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.errors import InputError
from verifier.experiments.record import PathPoint
from verifier.landscape.path import Path
from verifier.landscape.sampling import sample_loss
from verifier.network.network import Array

USEFUL_RADIUS: Final = 1e-2
"""Features with wider enclosures are not worth trying."""
CLOSE_RADIUS: Final = 1e-4
"""Radii that Arb's precision is chosen for: about so much for each unit that V adds up."""
MOST_BITS: Final = 512
OVERFLOWED: Final = 1024
"""Bits that are lost, at least, where binary64 has no finite radius."""
SEGMENT_POINTS: Final = 41
RAY_POINTS: Final = 20
"""Points of a path that are enclosed for its picture."""


def widest_radius(features: FloatEnclosure, large: bool) -> float:
    """The largest radius of binary64's enclosure of Psi(U), inf if it has none.

    Parameters
    ----------
    features : FloatEnclosure
        Of Psi(U), (N, M).
    large : bool
        Judge a Psi that is too large to be held by its first block of rows.

    Returns
    -------
    float
    """
    worst = 0.0
    try:
        for _, _, radius in features.row_blocks():
            worst = max(worst, float(np.max(radius)))
            if large or worst > USEFUL_RADIUS:
                break
    except NotEnclosed:
        return math.inf
    return worst if math.isfinite(worst) else math.inf


def arb_enclosure(features: FloatEnclosure, widest: float) -> FeatureEnclosure:
    """Arb's enclosure of the same Psi(U), with so many bits that its radii are about `CLOSE_RADIUS`.

    Parameters
    ----------
    features : FloatEnclosure
        Binary64's.
    widest : float
        Its largest radius: what the depth costs is the same in both.

    Returns
    -------
    FeatureEnclosure
        Guarantee: encloses Psi(U), whatever `widest` is.
    """
    lost = OVERFLOWED if math.isinf(widest) else max(0, math.frexp(widest / CLOSE_RADIUS)[1])
    bits = min(MOST_BITS, FIRST_BITS * -(-(FIRST_BITS + lost) // FIRST_BITS))
    return FeatureEnclosure(features.network, features.u, features.inputs, bits)


def arb_evaluations(features: FloatEnclosure) -> int:
    """Activations that Arb evaluates in one pass: hidden units times samples. A million take about ten seconds."""
    return features.samples * sum(math.prod(shape) for shape in features.network.shapes)


def path_points(path: Path, start: Array) -> tuple[PathPoint, ...]:
    """Points of the path for its picture: dense near the start, then on the ray until the target is reached.

    Parameters
    ----------
    path : Path
        Its first target is the one that is to be reached.
    start : (M, m) float64
        V at its start.

    Returns
    -------
    tuple of PathPoint
        Guarantee: ``low <= Phi <= high`` at each; distances are floating point. Points that binary64 does not hold are
        left out.
    """
    end = path.time_of(path.targets[0])
    segment = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, SEGMENT_POINTS)])
    ray = np.geomspace(1.0, end, RAY_POINTS) if 1.0 < end < math.inf else np.empty(0)
    times = np.unique(np.concatenate([segment, ray])).tolist()
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        for sample in sample_loss(path, times):
            try:
                distance = float(np.linalg.norm(sample.V - start))
            except InputError:
                continue
            if math.isfinite(sample.low) and math.isfinite(sample.high) and math.isfinite(distance):
                point = PathPoint(time=sample.s, distance=distance, low=max(0.0, sample.low), high=sample.high)
                found.append(point)
    return tuple(found)
