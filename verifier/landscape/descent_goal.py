"""Untrusted goals Z near a start V0 for `gradient_descent`: a small loss, not far away.

Guarantee: none. The bound ``Phi(V_t) <= Phi(Z) + L |V0 - Z|^2 / (2 t)`` holds for every Z; a good one makes the number
of steps small. For a given number T of steps the best Z minimises ``Phi(Z) + L |V0 - Z|^2 / (2 T)``, a softmax
regression with its ridge at V0; T and Z are improved in turn (Dinkelbach's method for the quotient that is T).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize
from numpy.typing import NDArray

from verifier.balls.binary64.pools import as_many_threads
from verifier.landscape.separate import QUIETLY, Array

WORK = 1e9
"""Multiply-adds that the search may take: about half a second."""
ROUNDS, STEPS = 5, 30
"""Rounds of the search, and steps of L-BFGS in each."""
LARGEST = 1200
"""Longest shorter side of Psi whose singular vectors are used: they cost its cube."""
ENOUGH = 0.95
"""A round that leaves more than this share of T is the last."""
SCALES = tuple(2.0**k for k in range(-4, 16))
"""Multiples of V1 that are looked at."""


@dataclass(frozen=True, slots=True)
class Descent:
    """What the search needs: features ``(N, M)``, V0 ``(M, m)``, labels, multiplicities, L, frozen logits or zeros.

    ``free`` has the entries of V that move, ``(M, m)`` or ``(1, m)``.
    """

    psi: Array
    start: Array
    labels: NDArray[np.int64]
    counts: Array
    smoothness: float
    offset: Array
    free: NDArray[np.bool_]

    @property
    def threshold(self) -> float:
        """The loss ``log(2)/n`` below which all samples are classified correctly."""
        return math.log(2) / float(self.counts.sum())

    def loss(self, logits: Array) -> tuple[float, Array]:
        """The loss of logits ``(N, m)`` and its derivative, the residual ``diag(c) P / n`` of the same shape."""
        top = logits.max(axis=1, keepdims=True)
        p = np.exp(logits - top)
        total = p.sum(axis=1, keepdims=True)
        index = np.arange(len(logits))
        weights = self.counts / self.counts.sum()
        own = logits[index, self.labels]
        others = p.copy()
        others[index, self.labels] = 0.0
        losses = np.where(own >= top[:, 0], np.log1p(others.sum(axis=1)), np.log(total[:, 0]) + top[:, 0] - own)
        p /= total
        p[index, self.labels] -= 1.0
        return float(weights @ losses), p * weights[:, None]

    def steps(self, v: Array) -> float:
        """The number of steps that Z = V proves; infinity if its loss is not below the threshold."""
        value, _ = self.loss(self.psi @ v + self.offset)
        room = self.threshold - value
        distance = float(((v - self.start) ** 2).sum())
        return self.smoothness * distance / (2 * room) if room > 0 else math.inf


@QUIETLY
def goals(descent: Descent, ends: Sequence[Array]) -> list[Array]:
    """Propose goals Z, the best one first.

    Parameters
    ----------
    descent
        The problem.
    ends
        Output weights that classify all samples, ``(M, m)``: V1 of Z1.

    Returns
    -------
    list of Array
        At most two of shape ``(M, m)``, equal to V0 in what does not move.
    """
    known = [descent.start]
    known += [np.where(descent.free, scale * end, descent.start) for end in ends for scale in SCALES]
    with as_many_threads(1):  # many small products, between which threads would only wait for each other
        steps = list(map(descent.steps, known))
        fewest = min(steps)
        best = known[steps.index(fewest)]
        if not 1.0 < fewest < math.inf:
            return [best] if fewest < math.inf else []
        improved = _improved(descent, best)
    return [improved, best] if improved is not best else [best]


def _improved(descent: Descent, best: Array) -> Array:
    """Search from a goal: each round minimises the loss and the ridge of the number of steps known so far."""
    basis = _basis(descent)
    reduced = descent.psi @ basis if basis is not None else descent.psi
    shape = (reduced.shape[1], descent.start.shape[1])
    rounds = min(ROUNDS, int(WORK / (4.0 * reduced.size * shape[1] * STEPS)))
    steps = descent.steps(best)
    base = descent.psi @ descent.start + descent.offset
    moved = best - descent.start
    free = descent.free if basis is None else descent.free[:1]
    x = moved if basis is None else basis.T @ moved
    for _ in range(rounds):
        ridge = descent.smoothness / steps
        scale = _scale(descent, reduced, ridge)

        def value(flat: Array, ridge: float = ridge, scale: Array = scale) -> tuple[float, Array]:
            y = flat.reshape(shape) * scale
            loss, residual = descent.loss(base + reduced @ y)
            gradient = (reduced.T @ residual + ridge * y) * free
            return loss + ridge / 2 * float((y * y).sum()), (gradient * scale).ravel()

        options = {"maxiter": STEPS, "maxfun": STEPS + 10, "ftol": 0.0, "gtol": 0.0}
        found = scipy.optimize.minimize(value, (x / scale).ravel(), jac=True, method="L-BFGS-B", options=options)
        x = found.x.reshape(shape) * scale
        step = x if basis is None else basis @ x
        candidate = np.where(descent.free, descent.start + step, descent.start)
        fewer = descent.steps(candidate)
        if not fewer < steps:
            break
        best, done, steps = candidate, fewer > ENOUGH * steps, fewer
        if done:
            break
    return best


def _basis(descent: Descent) -> Array | None:
    """An orthonormal basis of the span of the rows of Psi, ``(M, r)``; None where V does not move along all of it."""
    psi = descent.psi
    if descent.free.shape[0] != 1 or min(psi.shape) > LARGEST or not np.isfinite(psi).all():
        return None
    gram = psi @ psi.T if psi.shape[0] < psi.shape[1] else psi.T @ psi
    values, vectors = scipy.linalg.eigh(gram)
    kept = values > values[-1] * 1e-13
    if psi.shape[0] >= psi.shape[1]:
        return np.ascontiguousarray(vectors[:, kept])
    return np.asarray(psi.T @ vectors[:, kept] / np.sqrt(values[kept]))


def _scale(descent: Descent, reduced: Array, ridge: float) -> Array:
    """Per coordinate: one over the root of the curvature that loss and ridge have near the goal, shape ``(r, 1)``."""
    squares = (reduced * reduced * (descent.counts / descent.counts.sum())[:, None]).sum(axis=0)
    return np.asarray(1.0 / np.sqrt(squares * descent.threshold + ridge))[:, None]
