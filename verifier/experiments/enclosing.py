"""What the proofs about trained networks compute with: Psi with the bits that its depth needs, points of a path."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from verifier.balls.binary64.features import FloatEnclosure, NotEnclosed
from verifier.balls.engine import FIRST_BITS, Enclosure
from verifier.balls.features import FeatureEnclosure
from verifier.errors import PrecisionError
from verifier.experiments.record import PathPoint
from verifier.landscape.path import Path
from verifier.model.network import Array

USEFUL_RADIUS: Final = 1e-4
"""Features with wider enclosures decide no margins."""
MOST_BITS: Final = 512
OVERFLOWED: Final = 1024
"""Bits that are lost, at least, where binary64 has no finite radius."""
SEGMENT_POINTS: Final = 41
RAY_POINTS: Final = 20
"""Points of a path that are enclosed for its picture."""


def useful_enclosure(features: FloatEnclosure, large: bool) -> Enclosure:
    """Binary64 if its radii are of use, else Arb with as many bits as the depth needs.

    Parameters
    ----------
    features : FloatEnclosure
        Of Psi(U), (N, M).
    large : bool
        Psi is too large for Arb; binary64 is then judged by its first block of rows.

    Returns
    -------
    FloatEnclosure or FeatureEnclosure
        Guarantee: an enclosure of the same Psi(U).

    Raises
    ------
    PrecisionError
        Binary64 is of no use and Psi is large.
    """
    worst = math.inf
    try:
        for _, _, radius in features.row_blocks():
            worst = float(np.max(radius))
            if large or worst > USEFUL_RADIUS:
                break
    except NotEnclosed:
        worst = math.inf  # a later block than the ones that were of use
    if worst <= USEFUL_RADIUS:
        return features
    if large:
        raise PrecisionError("binary64 does not enclose Psi closely enough, and Psi is too large for Arb")
    lost = OVERFLOWED if math.isinf(worst) else math.frexp(worst / USEFUL_RADIUS)[1]
    bits = min(MOST_BITS, FIRST_BITS * -(-(FIRST_BITS + lost) // FIRST_BITS))
    return FeatureEnclosure(features.network, features.u, features.inputs, bits)


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
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        for s, low, high in path.sample(np.unique(np.concatenate([segment, ray])).tolist()):
            distance = float(np.linalg.norm(path.V(s) - start))
            if math.isfinite(low) and math.isfinite(high) and math.isfinite(distance):
                found.append(PathPoint(time=s, distance=distance, low=max(0.0, low), high=high))
    return tuple(found)
