"""A trained-like start: a one-layer network optimised to a stationary point, its units cloned, their weights split.

With every unit repeated 2^k times and its output weights divided by 2^k, exactly, the logits, and hence the gradient up
to that factor, stay what they were: the stationary point of the small network becomes one of the wide network, at
which the feature matrix is rank-deficient and no small change of V alone helps. Such points, local minima that are not
strict, are what E2 has to leave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from verifier.display import Brief
from verifier.errors import NetworkError
from verifier.network.gradient import approx_gradient
from verifier.network.initialise import portable_gaussian
from verifier.network.layers import Dense
from verifier.network.network import Array, Network
from verifier.sigma.activations import Activation

NEWTON_STEPS = 12
DIFFERENCE = 1e-5
"""Step of the central differences that give the Hessian."""


@dataclass(frozen=True, slots=True, repr=False)
class StationaryStart(Brief):
    """The wide network with its start U, V; ``gradient`` is the norm there in floating point, ``loss`` its loss."""

    network: Network
    u: Array
    v: Array
    loss: float
    gradient: float


def cloned_stationary_point(
    inputs: Array,
    labels: NDArray[np.int64],
    classes: int,
    activation: Activation,
    *,
    units: int,
    copies: int,
    seed: int,
) -> StationaryStart:
    """Optimise ``units`` hidden units to a stationary point, then clone each ``2^k = copies`` times.

    Parameters
    ----------
    inputs, labels, classes
        Samples ``(N, d)`` that ``units`` units cannot fit, so that the optimum is at finite weights.
    activation
        Of the hidden units.
    units, copies, seed
        Width of the small network, a power of two, seed of the random start.

    Returns
    -------
    StationaryStart
        Not rigorous: that the gradient is small is for the caller to certify, E2 does not need it.

    Raises
    ------
    NetworkError
        If ``copies`` is no power of two, or the optimiser ran off to infinity.
    """
    if copies < 1 or copies & (copies - 1):
        raise NetworkError(f"copies = {copies} must be a power of two, so that output weights are split exactly")
    small = Network((inputs.shape[1],), (Dense(units, activation, skip=True),))
    size, counts = small.parameter_count, np.ones(len(labels), dtype=np.int64)

    def gradient(flat: Array) -> Array:
        found = approx_gradient(small, flat[:size], flat[size:].reshape(units, classes), inputs, labels, counts)
        return np.concatenate([found.du, found.dv.ravel()])

    def loss(flat: Array) -> float:
        return approx_gradient(small, flat[:size], flat[size:].reshape(units, classes), inputs, labels, counts).loss

    flat = portable_gaussian(seed, (size, units), size + units * classes)
    found = scipy.optimize.minimize(loss, flat, jac=gradient, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000})
    flat = found.x
    for _ in range(NEWTON_STEPS):
        steps = DIFFERENCE * np.eye(len(flat))
        hessian = np.array([(gradient(flat + e) - gradient(flat - e)) / (2 * DIFFERENCE) for e in steps])
        flat = flat - np.linalg.pinv((hessian + hessian.T) / 2, rcond=1e-7) @ gradient(flat)
    if not np.isfinite(flat).all() or np.abs(flat).max() > 1e3:
        raise NetworkError("the optimum lies at infinity; use fewer units or data that they cannot fit")
    wide = Network(small.input_shape, (Dense(units * copies, activation, skip=True),))
    u = np.zeros(wide.parameter_count)
    views, known = wide.views(u), small.views(flat[:size])
    for name, values in known.items():
        views[name][...] = np.concatenate([values] * copies)
    v = np.concatenate([flat[size:].reshape(units, classes) / copies] * copies)
    at = approx_gradient(wide, u, v, inputs, labels, counts)
    return StationaryStart(wide, u, v, at.loss, at.norm)
