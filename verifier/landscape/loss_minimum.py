r"""Proposals for `verifier.landscape.loss_bound`: nearly best output weights at this U, in floating point.

Softmax regression by Newton's method. The infimum over V need not be attained: where samples can be put strictly on
their side without harm to others, V grows without bound, and some probabilities tend to 0. What stays away from 0 is
the *support*: for each sample, the classes it is mixed up with.

Guarantee: none. `verifier.landscape.loss_bound` proves its bound from any proposal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.network.arguments import BoolArray
from verifier.network.network import Array

RIDGES = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10)
"""Continued from one to the next, for features of size 1: with the last one the loss is nearly at its infimum."""
LAST_RIDGE = 1e-12
"""Where an upper bound of the infimum is taken."""
STEPS, HALVINGS = 20, 30
"""Newton steps with one ridge, and halvings of one step."""
DECREASE = 1e-4
"""The share of the predicted decrease that a step must have (Armijo)."""
GRADIENT = 1e-13
"""Newton's method stops at a gradient of this size, relative to the number of samples."""
NEARLY = 1e-10
"""With a gradient of this size it is not started again."""
DAMPING = 1e-12
"""Added to the Hessian of a loss without ridge, relative to the number of samples: it may be singular."""
MIXED = 1e-7
"""Classes with at least this probability at some sample of another class are mixed up with it."""
ROUNDS = 8
"""How often Newton's method is continued, and the support made smaller."""
WORK = 6e10
"""Multiply-adds that are spent: some seconds."""
NEGLIGIBLE = 1e-11
"""Singular values of the features below this share of the largest one are left out."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A support ``(N, m)``, nearly best weights ``(M, m)`` over it, and nearly best weights over all classes."""

    support: BoolArray
    weights: Array
    best: Array


def approx_least_loss(psi: Array, counts: Array) -> Proposal | None:
    """Weights of nearly least cross-entropy, where the infimum is not 0.

    Parameters
    ----------
    psi, counts
        Features ``(N, M)`` and label counts ``(N, m)``.

    Returns
    -------
    Proposal or None
        None if some V classifies all samples, or nothing was found with so much work.
    """
    left, sizes, right = np.linalg.svd(psi / _scale(psi), full_matrices=False)
    kept = sizes > NEGLIGIBLE * max(sizes.max(), 1e-300)
    if not kept.any():
        zero = np.zeros((psi.shape[1], counts.shape[1]))
        return Proposal(np.ones(counts.shape, dtype=bool), zero, zero)
    root = np.sqrt(len(psi))
    back = right[kept].T / sizes[kept] * root / _scale(psi)[:, None]
    found = _Regression(left[:, kept] * root, counts)
    support, v = approx_support(psi, counts), np.zeros((int(kept.sum()), counts.shape[1]))
    for ridge in RIDGES:
        v = found.minimise(support, v, ridge)
        if found.separates(support, v):
            return None
    for _ in range(ROUNDS):
        v = found.minimise(support, v, 0.0)
        if found.separates(support, v):
            return None
        smaller = mixed_support(softmax(found.psi @ v, support), counts, support)
        if (smaller == support).all() and found.at_rest(support, v):
            break
        support = smaller
    best, everything = v, np.ones_like(support)
    for ridge in (*RIDGES, LAST_RIDGE):
        best = found.minimise(everything, best, ridge)
    return Proposal(support, back @ v, back @ best)


def approx_support(psi: Array, counts: Array) -> BoolArray:
    """The classes that may keep a positive probability, sample by sample, ``(N, m)``, as single columns tell.

    At the infimum ``sum_i psi_ij (A_i q_ik - a_ik) = 0`` for all j, k. Where no term of one sign is left, all terms
    are 0.

    Parameters
    ----------
    psi, counts
        Features ``(N, M)`` and label counts ``(N, m)``.
    """
    own = counts > 0
    support = np.ones(own.shape, dtype=bool)
    signed = np.sign(psi)
    while True:
        before = int(support.sum())
        for k in range(own.shape[1]):
            # a term is <= 0 times psi where k is the only label, >= 0 where it is none
            mixed = support.sum(axis=1) > 1
            direction = np.where(own[:, k], -1.0, 1.0) * (support[:, k] & mixed)
            both = own[:, k] & (own.sum(axis=1) > 1) & mixed
            terms = direction[:, None] * signed
            free = (terms[both] != 0).any(axis=0)
            one_sided = ~free & (((terms > 0).any(axis=0)) ^ ((terms < 0).any(axis=0)))
            fixed = (terms[:, one_sided] != 0).any(axis=1)
            support[fixed & own[:, k]] = own[fixed & own[:, k]]
            support[fixed & ~own[:, k], k] = False
        if int(support.sum()) == before:
            return support


def mixed_support(q: Array, counts: Array, support: BoolArray) -> BoolArray:
    """The support without classes of other groups: groups are the classes that are mixed up with each other.

    Parameters
    ----------
    q, counts, support
        Probabilities, label counts and the support so far, ``(N, m)``.
    """
    group = np.arange(q.shape[1])
    for row in np.unique((q > MIXED) | (counts > 0), axis=0):
        for k in np.flatnonzero(row).tolist():
            group[group == group[k]] = group[row.argmax()]
    label = counts.argmax(axis=1)
    same: BoolArray = support & (group[label][:, None] == group[None, :])
    return same


def softmax(logits: Array, support: BoolArray) -> Array:
    """Probabilities from logits ``(N, m)`` over the classes of the support, row by row."""
    masked = np.where(support, logits, -np.inf)
    shares = np.exp(masked - masked.max(axis=1, keepdims=True))
    found: Array = shares / shares.sum(axis=1, keepdims=True)
    return found


def _scale(psi: Array) -> Array:
    """The largest size in each column, 1 if that is 0."""
    largest: Array = np.abs(psi).max(axis=0)
    positive: Array = np.where(largest > 0, largest, 1.0)
    return positive


class _Regression:
    """Softmax regression on features of size about 1, ``(N, r)``, with label counts ``(N, m)``."""

    def __init__(self, psi: Array, counts: Array) -> None:
        self.psi, self.counts, self.totals = psi, counts, counts.sum(axis=1)
        size = float(psi.shape[1] * counts.shape[1])
        self.steps = int(WORK / (len(psi) * size**2 + size**3 + 1))

    def separates(self, support: BoolArray, v: Array) -> bool:
        """Whether the loss says that all samples are classified correctly, if only the support counts (L2.1)."""
        return self._loss(support, v, 0.0) < np.log(2) or self.steps <= 0

    def at_rest(self, support: BoolArray, v: Array) -> bool:
        """Whether Newton's method has come to an end, or may not go on."""
        gradient = self.psi.T @ (self.totals[:, None] * softmax(self.psi @ v, support) - self.counts)
        return self.steps <= 0 or bool(np.abs(gradient).max() <= NEARLY * self.totals.sum())

    def minimise(self, support: BoolArray, v: Array, ridge: float) -> Array:
        """Minimise ``n Phi + n ridge |V|^2 / 2`` over the supports' classes, from V on; without ridge by damping."""
        n = self.totals.sum()
        penalty = ridge * n
        value = self._loss(support, v, penalty)
        for _ in range(STEPS):
            q = softmax(self.psi @ v, support)
            gradient = self.psi.T @ (self.totals[:, None] * q - self.counts) + penalty * v
            if np.abs(gradient).max() <= GRADIENT * n or self.steps <= 0:
                break
            step = self._newton_step(q, gradient, penalty or DAMPING * n)
            slope, share = float((gradient * step).sum()), 1.0
            for _ in range(HALVINGS):
                following = self._loss(support, v - share * step, penalty)
                if following <= value - DECREASE * share * slope:
                    break
                share /= 2
            else:
                if ridge == 0.0 and np.isfinite(step).all():
                    v = v - step  # the loss shows rounding errors only; the gradient may still become smaller
                break
            v, value = v - share * step, following
        return v

    def _newton_step(self, q: Array, gradient: Array, penalty: float) -> Array:
        """Solve with the Hessian of the loss at probabilities q, plus a multiple of the identity."""
        self.steps -= 1
        columns, classes = gradient.shape
        hessian = np.empty((classes, columns, classes, columns))
        for k in range(classes):
            for other in range(k, classes):
                weights = self.totals * q[:, k] * ((k == other) - q[:, other])
                hessian[k, :, other, :] = self.psi.T @ (weights[:, None] * self.psi)
                hessian[other, :, k, :] = hessian[k, :, other, :].T
        size = classes * columns
        system = hessian.reshape(size, size)
        system[np.diag_indices(size)] += penalty
        try:
            step = np.asarray(np.linalg.solve(system, gradient.T.ravel()), np.float64).reshape(classes, columns).T
        except np.linalg.LinAlgError:
            step = np.full_like(gradient, np.nan)
        return step

    def _loss(self, support: BoolArray, v: Array, penalty: float) -> float:
        """The value ``n Phi + penalty |V|^2 / 2``."""
        logits = self.psi @ v
        masked = np.where(support, logits, -np.inf)
        top = masked.max(axis=1)
        sums = top + np.log(np.exp(masked - top[:, None]).sum(axis=1))
        return float((self.totals * sums).sum() - (self.counts * logits).sum() + penalty * (v * v).sum() / 2)
