"""Property of J3: where every target is said to be attained, Newton's method attains targets at many digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np
from hypothesis import strategies as st

from verifier.fuzz import oracle
from verifier.fuzz.node_values import feature_row
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import datasets, specimens
from verifier.network.network import Array, Network
from verifier.rank.memorisation import most_samples, prove_memorisation

DIGITS, STEP, NEAR = 60, 1e-25, 1e-40
SIZES = (2.0**-3, 2.0**-9, 2.0**-18, 2.0**-36)
"""Multiples of a target that are sought near a point where the logits are 0."""
STEPS = 12
MORE = 3
"""So many more samples than features there are, at most."""
MOST = 6
"""Of logits, all samples together."""


def _narrow() -> st.SearchStrategy[Specimen]:
    data = datasets(max_samples=4, max_dimension=3, kinds=("integers", "dyadic"))
    return specimens(data=data, max_layers=2, max_width=4, convolutions=False)


def more_samples(network: Network, outputs: int, seed: int) -> Array:
    """Distinct samples of small integers, more than the network has features, as many as J3 can be about.

    Parameters
    ----------
    network
        The network.
    outputs, seed
        m, and the seed.
    """
    count = min(most_samples(network, outputs), network.columns + MORE, MOST // outputs)
    drawn = np.random.default_rng(seed).integers(-3, 4, (60, network.dimension)).astype(np.float64)
    _, first = np.unique(drawn, axis=0, return_index=True)
    return drawn[np.sort(first)[:count]]


@holds_for(_narrow)
def every_target_is_attained(specimen: Specimen) -> str:
    """Where J3 is PROVED, N m is at most P, and Newton's method attains targets, at 60 digits."""
    network, outputs = specimen.network, 1 + specimen.data.samples % 2
    x = more_samples(network, outputs, specimen.data.samples)
    found = prove_memorisation(network, x, outputs)
    if not found.proved or found.where is None:
        return str(found.verdict)
    parameters = network.parameter_count + network.columns * outputs
    if len(x) * outputs > parameters:
        raise Falsified(f"J3 is PROVED for N m = {len(x) * outputs} > P = {parameters}")
    theta = [mpmath.mpf(t) for t in (*found.where.u.tolist(), *found.where.v.ravel().tolist())]
    targets = np.random.default_rng(len(x)).integers(-4, 5, len(x) * outputs).tolist()
    with mpmath.workdps(DIGITS):
        if not any(_attained(network, x, outputs, theta, [size * t for t in targets]) for size in SIZES):
            raise Falsified(f"J3 is PROVED on {x.tolist()}; Newton's method attains no multiple of {targets}")
    return "PROVED"


def _logits(network: Network, x: Array, outputs: int, theta: Sequence[Any]) -> list[Any]:
    p = network.parameter_count
    rows = [feature_row(network, theta[:p], list(map(mpmath.mpf, sample)), oracle.REAL) for sample in x.tolist()]
    return [mpmath.fdot(row, theta[p + k :: outputs]) for row in rows for k in range(outputs)]


def _attained(network: Network, x: Array, outputs: int, start: Sequence[Any], target: Sequence[float]) -> bool:
    """Whether Newton's method, by the smallest step each time, comes to G = target."""
    theta = list(start)
    for _ in range(STEPS):
        logits = _logits(network, x, outputs, theta)
        error = [t - g for t, g in zip(target, logits, strict=True)]
        if max(map(abs, error)) < NEAR:
            return True
        columns = []
        for k in range(len(theta)):
            moved = _logits(network, x, outputs, [*theta[:k], theta[k] + STEP, *theta[k + 1 :]])
            columns.append([(a - b) / STEP for a, b in zip(moved, logits, strict=True)])
        j = mpmath.matrix(columns).T
        try:
            move = j.T * mpmath.lu_solve(j * j.T, mpmath.matrix(error))
        except ZeroDivisionError:
            return False
        theta = [a + b for a, b in zip(theta, move, strict=True)]
    return False
