"""Where strict local minima may be: descents from many starts, then Newton's method.

Guarantee: none. These are proposals; whether there is a minimum is proved elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.binary64.backend import NotEnclosed, numpy_backend
from verifier.balls.hessian import Labelled, enclose_gradient, enclose_hessian
from verifier.balls.jacobian import Parameters
from verifier.display import Brief
from verifier.network.differentiable import NotSmooth
from verifier.network.gradient import approx_gradient
from verifier.network.initialise import portable_gaussian
from verifier.network.network import Array, Network

STREAM = 5_000_011
"""Stream of random numbers that no layer and no output has."""
SPREADS = (1.0, 0.5, 3.0)
"""Standard deviations of the starts, in turn."""
STEPS, STEPS_EACH, FEW_STEPS = 300, 20, 30
"""Steps of a descent, more for each free parameter, and steps of Newton's method."""
FAR = 1e4
"""A descent that comes so far does not come to a minimum: the loss falls along a ray."""
FLAT = 2.0**-40
"""An eigenvalue below this part of the largest one counts as zero."""
CONVERGED = 2.0**-40
"""A gradient below this is taken for that of a stationary point."""
LONGEST = 0.5
"""Longest step of Newton's method, relatively to the parameters."""
NEAR_ZERO = 1e-9
"""A loss below this is near its infimum 0, which is not attained."""


@dataclass(frozen=True, repr=False)
class Candidate(Brief):
    """Where a descent ended: (u, v), shapes ``(p,)`` and ``(M, m)``, and the approximate loss there.

    ``obstacle`` says why that seems to be no strict minimum that can be proved; "" if it does.
    """

    u: Array
    v: Array
    loss: float
    obstacle: str = ""


@dataclass(frozen=True, repr=False)
class Search(Brief):
    """The cross-entropy of a network in the free parameters, ``(K,)``: U, and V without its last column."""

    network: Network
    samples: Labelled
    free: NDArray[np.int64]

    def parts(self, theta: Array) -> tuple[Array, Array]:
        """U and V of a vector of the free parameters."""
        p, m = self.network.parameter_count, self.samples.counts.shape[1]
        v = np.zeros((self.network.columns, m))
        v[:, :-1] = theta[p:].reshape(len(v), m - 1)
        return theta[:p], v

    def starts(self, seed: int, count: int) -> Iterator[Array]:
        """Random vectors of free parameters."""
        for number in range(count):
            spread = SPREADS[number % len(SPREADS)]
            yield spread * portable_gaussian(seed + number, (STREAM,), len(self.free))

    def descend(self, theta: Array) -> Candidate:
        """Where a descent from a start ends: in a point that seems to be stationary, or somewhere on its way."""
        from scipy.optimize import minimize  # takes a while to load, and few problems come here

        rows, labels = np.nonzero(self.samples.counts)
        inputs, times = self.samples.inputs[rows], self.samples.counts[rows, labels].astype(np.int64)
        offset = None if self.samples.offset is None else self.samples.offset[rows]

        def value(at: Array) -> tuple[float, Array]:
            u, v = self.parts(at)
            found = approx_gradient(self.network, u, v, inputs, labels, times, offset)
            slope = np.concatenate([found.du, found.dv[:, :-1].ravel()])
            if not (np.isfinite(found.loss) and np.isfinite(slope).all()):
                return 1e300, np.zeros_like(at)
            return found.loss, slope

        steps = STEPS + STEPS_EACH * len(theta)
        options = {"maxiter": steps, "maxfun": 2 * steps, "gtol": 1e-9, "ftol": 1e-16, "maxcor": 30}
        theta = np.asarray(minimize(value, theta, jac=True, method="L-BFGS-B", options=options).x)
        loss = value(theta)[0]
        obstacle = ""
        if loss < NEAR_ZERO:
            obstacle = "came near loss 0, which is not attained"
        elif not np.abs(theta).max() < FAR:
            obstacle = f"went further than {FAR:g} from 0"
        else:
            try:
                theta, obstacle = self.newton(theta)
            except NotSmooth:
                obstacle = "ended at a kink or too near to one"
            except (NotEnclosed, np.linalg.LinAlgError):
                obstacle = "ended where the Hessian is not enclosed"
        return Candidate(*self.parts(theta), value(theta)[0], obstacle)

    def newton(self, theta: Array) -> tuple[Array, str]:
        """Newton's method with a gradient of many bits; why it does not end in what seems a strict minimum, or ""."""
        best, least, lowest = theta, np.inf, 0.0
        for _ in range(FEW_STEPS):
            u, v = self.parts(theta)
            gradient = np.array([float(z.mid()) for z in self.gradient(u, v)])
            norm = float(np.linalg.norm(gradient))
            if not norm < least / 2:
                break
            values, vectors = np.linalg.eigh(self.hessian(u, v))
            largest = max(float(np.abs(values).max()), 1e-300)
            best, least, lowest = theta, norm, float(values[0]) / largest
            step = -vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(values), FLAT * largest))
            longest = LONGEST * (1.0 + float(np.linalg.norm(theta)))
            theta = theta + step * min(1.0, longest / max(float(np.linalg.norm(step)), 1e-300))
        if not least < CONVERGED:
            return best, f"came to no gradient below {CONVERGED:.0e}, as where the loss is flat or inputs are large"
        if lowest < -FLAT:
            return best, "ended at a saddle"
        flat = "ended where the loss is flat in some direction, as where units are dead, equal or saturated"
        return best, "" if lowest > FLAT else flat

    def gradient(self, u: Array, v: Array) -> list[arb]:
        """Enclose the gradient of Phi at (U, V), one ball for each free parameter."""
        return enclose_gradient(self.network, u, v, self.samples, self.free)

    def hessian(self, u: Array, v: Array) -> Array:
        """Midpoints of the Hessian of Phi."""
        where = Parameters.at(u, v)
        try:
            found = enclose_hessian(self.network, where, self.samples, self.free, numpy_backend())
        except NotEnclosed:
            found = enclose_hessian(self.network, where, self.samples, self.free, None)
        middles: Array = found.middles / found.total
        return middles
