r"""The `rand` baseline: U stays as drawn, and only the convex problem in V is solved, until no sample is misclassified.

The solver streams: Psi(U) passes by in blocks of rows and is never held. What it keeps is vectors of V's size and, for
the second stage, at most `SAMPLED_ROWS` rows.

1. L-BFGS on the cross-entropy from V = 0. Its iterates stay near those of gradient descent, so V is the solution that
   SGD on V would tend to.
2. Where features are so nearly dependent that this does not end, the same in coordinates in which the features of a
   sample of rows are white, :math:`V = P W`, :math:`P = Q (\Lambda + \lambda)^{-1/2} Q^T` on their span: the features'
   small directions count as much as the large ones.

Nothing here is trusted. That the training error is zero is what Z1 proves about V afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize
from numpy.typing import NDArray

from verifier.experiments.features import Blocks
from verifier.network.network import Array

ENOUGH = 0.1
"""The smallest margin at which the solver stops: of the order at which the loss stops caring."""
SAMPLED_ROWS = 2048
"""Rows that the whitening is computed from."""
WHITENING = 1e-12
"""lambda, relative to the largest eigenvalue."""


@dataclass(frozen=True, slots=True)
class Solved:
    """V, shape (M, m), its number of misclassified samples in floating point, passes over Psi, and the method."""

    v: Array
    errors: int
    margin: float
    passes: int
    method: str


class _Done(Exception):
    pass


def solve(blocks: Blocks, labels: NDArray[np.int64], classes: int, columns: int, passes: int) -> Solved:
    """Minimise the cross-entropy over V by at most ``passes`` passes, with and without whitening.

    Parameters
    ----------
    blocks : callable
        Each call passes over Psi(U), (N, M), once.
    labels : (N,) int64
        True classes.
    classes, columns
        m and M.
    passes : int
        Passes over Psi of each of the two stages; the second takes one more, for the whitening.

    Returns
    -------
    Solved
        The first V without misclassified samples and with margins of at least `ENOUGH`, or else the better one.
    """
    plain = _Problem(blocks, labels, classes, columns, None).minimise(passes, "cross-entropy by L-BFGS")
    if plain.margin >= ENOUGH:
        return plain
    scale = _whitening(blocks, len(labels))
    white = _Problem(blocks, labels, classes, columns, scale).minimise(passes, "cross-entropy by L-BFGS, whitened")
    best = max(plain, white, key=lambda found: (-found.errors, found.margin))
    return Solved(best.v, best.errors, best.margin, plain.passes + 1 + white.passes, best.method)


def interpolate(blocks: Blocks, labels: NDArray[np.int64], classes: int) -> Array:
    """The least-norm least-squares solution of ``Psi V = onehot``, as in the proof; this one holds Psi."""
    psi = np.concatenate([block for _, block in blocks()])
    found: Array = scipy.linalg.lstsq(psi, np.eye(classes)[labels], cond=1e-13, check_finite=False)[0]
    return found


class _Problem:
    """The loss and its gradient in W, the smallest margin and the errors, by one pass."""

    def __init__(
        self, blocks: Blocks, labels: NDArray[np.int64], classes: int, columns: int, scale: _Whitening | None
    ) -> None:
        self.blocks, self.labels, self.classes, self.columns = blocks, labels, classes, columns
        self.scale, self.passes = scale, 0

    def v(self, flat: Array) -> Array:
        w = flat.reshape(self.columns, self.classes)
        return w if self.scale is None else self.scale.apply(w)

    def __call__(self, flat: Array) -> tuple[float, Array, float, int]:
        transposed, total = self.v(flat).T, 0.0  # BLAS is faster with the few classes in front
        gradient = np.zeros((self.classes, self.columns))
        margin, errors = np.inf, 0
        for rows, psi in self.blocks():
            labels = self.labels[rows]
            index = np.arange(len(labels))
            logits = np.ascontiguousarray((transposed @ psi.T).T)
            logits -= logits[index, labels][:, None]  # now minus the margins
            largest = np.maximum(logits.max(axis=1), 0.0)
            exponentials = np.exp(logits - largest[:, None])
            sums = exponentials.sum(axis=1)
            total += float((np.log(sums) + largest).sum())
            p = exponentials / sums[:, None]
            p[index, labels] -= 1.0
            gradient += p.T @ psi
            logits[index, labels] = -np.inf
            worst = logits.max(axis=1)
            margin, errors = min(margin, float(-worst.max())), errors + int((worst >= 0).sum())
        self.passes += 1
        n = len(self.labels)
        gradient = np.ascontiguousarray(gradient.T) / n
        gradient = gradient if self.scale is None else self.scale.apply(gradient)
        return total / n, gradient.ravel(), margin, errors

    def minimise(self, passes: int, method: str) -> Solved:
        best: list[tuple[int, float, Array]] = []

        def value(flat: Array) -> tuple[float, Array]:
            loss, gradient, margin, errors = self(flat)
            if not best or (errors, -margin) < (best[0][0], -best[0][1]):
                best[:] = [(errors, margin, flat.copy())]
            if margin >= ENOUGH or self.passes >= passes:
                raise _Done
            return loss, gradient

        try:
            start = np.zeros(self.columns * self.classes)
            options = {"maxiter": passes, "maxfun": passes, "ftol": 0.0, "gtol": 0.0}
            scipy.optimize.minimize(value, start, jac=True, method="L-BFGS-B", options=options)
        except _Done:
            pass  # enough, or no passes left: the best point is kept
        errors, margin, point = best[0]
        return Solved(self.v(point), errors, margin, self.passes, method)


@dataclass(frozen=True, slots=True)
class _Whitening:
    """``P = Q diag(d) Q^T + r (I - Q Q^T)``, symmetric; Q has orthonormal columns."""

    q: Array
    d: Array
    rest: float

    def apply(self, w: Array) -> Array:
        inside = self.q.T @ w
        found: Array = self.rest * w + self.q @ ((self.d - self.rest)[:, None] * inside)
        return found


def _whitening(blocks: Blocks, samples: int) -> _Whitening:
    """From evenly spaced rows, all of them if there are few."""
    step, kept = max(1, -(-samples // SAMPLED_ROWS)), []
    for rows, psi in blocks():
        kept.append(psi[(-rows.start) % step :: step].copy())  # a view would keep the whole block
    part = np.concatenate(kept)
    _, singular, right = np.linalg.svd(part, full_matrices=False)
    eigenvalues = singular**2 / len(part)
    floor = WHITENING * max(float(eigenvalues[0]), float(np.finfo(np.float64).tiny) / WHITENING**2)
    return _Whitening(np.ascontiguousarray(right.T), 1.0 / np.sqrt(eigenvalues + floor), float(1.0 / np.sqrt(floor)))
