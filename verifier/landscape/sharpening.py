"""Margins at increasing precision: binary64 first if that is what was given, then Arb with twice the bits each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.engine import Enclosure, sharper
from verifier.balls.exact import ExactArray
from verifier.balls.margins import Margins, enclose_margins
from verifier.rank.certify import Stage, silent


def sharpened_margins(
    features: Enclosure,
    weights: Sequence[ExactArray],
    labels: NDArray[np.int64],
    max_bits: int,
    stage: Stage = silent,
    task: str = "margins",
) -> Iterator[tuple[Enclosure, list[Margins]]]:
    """Enclose the margins of several output weights, sharper and sharper.

    Parameters
    ----------
    features
        First enclosure of Psi(U), ``(N, M)``; it is used whatever its precision.
    weights, labels
        Exact output weights, each ``(M, m)``, and the true classes ``(N,)``.
    max_bits
        Last precision.
    stage, task
        Progress display, and what it says of each pass.

    Yields
    ------
    tuple of Enclosure and list of Margins
        Guarantee: each ball contains its margin (`enclose_margins`). An enclosure that cannot hold its numbers is
        passed over.
    """
    while True:
        try:
            margins = enclose_margins(features, weights, labels, stage(task))
        except NotEnclosed:
            features = sharper(features)
            continue
        yield features, margins
        features = sharper(features)
        if features.precision > max_bits:
            return
