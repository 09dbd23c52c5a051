"""Untrusted output weights for the next piece of a leg: softmax regression, warm, on features in floating point.

Features of a layer are far from orthogonal, so that many directions of V hardly matter and L-BFGS takes hundreds of
steps. Where all of V is free it works with ``W = R V`` instead, ``R^T R`` the features' Gram matrix, a little damped:
60 steps then do what 900 did before, on MNIST.

Guarantee: none. `LegInterval.smallest` decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize
from numpy.typing import NDArray

from verifier.landscape.separate import QUIETLY, Array, approx_margin, proposals

STEPS, MANY_STEPS = 60, 900
"""Steps of L-BFGS from weights that nearly serve, and where these do not classify all samples: measured on digits and
MNIST, more cost more than they save.
"""
DAMPING = 1e-3
"""What is added to the Gram matrix's diagonal, relative to its mean: of 1e-6 to 0.1 on MNIST the best."""
SINGLE = 100_000
"""Features are kept in single precision from so many entries on: the weights are short numbers anyway."""
START_MARGIN = 4.0
"""The smallest margin of the weights that a regression starts from: samples far from the border then count little."""
RIDGE = 1e-2
"""Ridge, relative to the mean square of the features: small weights lose less margin when the features move."""
CANDIDATES = 40_000_000
"""Entries of Psi times classes up to which the slower methods for separating weights are tried at the end."""
SHORT_MARGIN = 2.0**-16
"""Weights are rounded to binary32 if the smallest margin is above this share of the largest logit."""


@dataclass(frozen=True)
class Refit:
    """Softmax regression for the labels ``(N,)``; V is 0 where ``free``, ``(M, m)``, is false; None: all are free.

    ``one_logit`` says that the first column of V is to stay 0; it does not go with ``free``.
    """

    labels: NDArray[np.int64]
    free: NDArray[np.bool_] | None = None
    one_logit: bool = False

    @QUIETLY
    def proposed(self, psi: Array, weights: Array, *, many: bool = True) -> Array | None:
        """Propose V with large margins at features ``(N, M)``, from weights ``(M, m)`` that nearly serve.

        Parameters
        ----------
        psi, weights
            Features at the piece's middle, and where to start.
        many
            Whether `MANY_STEPS` are worth it where `STEPS` do not classify all samples.

        Returns
        -------
        Array or None
            Weights with positive margins in floating point, see `short`; None if none were found.
        """
        if not np.isfinite(psi).all():
            return None
        found = self._regression(psi, weights, STEPS, RIDGE)
        if many and not approx_margin(psi, found, self.labels) > 0:
            found = self._regression(psi, found, MANY_STEPS, 0.0)  # where large weights are needed a ridge forbids them
        return self.short(psi, found) if approx_margin(psi, found, self.labels) > 0 else None

    def slower(self, psi: Array, classes: int) -> Iterator[Array]:
        """Yield weights that classify all samples, by least squares, the squared hinge and a linear programme.

        Parameters
        ----------
        psi, classes
            Features ``(N, M)`` that are not too large, and the number m of classes; all of V is free.
        """
        if self.free is None and np.isfinite(psi).all() and psi.size * classes <= CANDIDATES:
            for _, weights in proposals(psi, self.labels, classes, None):
                yield self.short(psi, weights.approx())

    def allows(self, weights: Array) -> bool:
        """Whether weights ``(M, m)`` are 0 wherever they have to be."""
        held = self.one_logit and bool(weights[:, 0].any())
        return not held and (self.free is None or not weights[~self.free].any())

    def short(self, psi: Array, weights: Array) -> Array:
        """Weights ``(M, m)`` as a certificate holds them, for features ``(N, M)``: few bits, the first column 0."""
        return short(psi, weights - weights[:, :1] if self.one_logit else weights, self.labels)

    def _regression(self, psi: Array, weights: Array, steps: int, ridge: float) -> Array:
        """Minimise ``sum_i log(1 + sum_k exp(-m_ik)) + (ridge/2) |V|^2``, as a function of ``R V`` if it may be."""
        size = float(np.sqrt((psi * psi).mean())) or 1.0
        index, shape = np.arange(len(psi)), weights.shape
        first = self._scaled(psi, weights) * size
        turn = None if self.free is not None else _white(psi / size)
        penalty: Array | float = ridge
        features: Any = psi / size
        if turn is not None:
            features = features @ turn
            penalty = ridge * (turn.T @ turn)
            first = scipy.linalg.solve_triangular(turn, first)
        if features.size >= SINGLE:
            features = features.astype(np.float32)

        def value(flat: Array) -> tuple[float, Array]:
            v = flat.reshape(shape)
            logits = features @ v.astype(features.dtype)
            logits -= logits[index, self.labels][:, None]
            top = logits.max(axis=1, keepdims=True)
            p = np.exp(logits - top)
            total = p.sum(axis=1, keepdims=True)
            p /= total
            p[index, self.labels] -= 1.0
            pull = penalty * v if isinstance(penalty, float) else penalty @ v
            slope = features.T @ p + pull
            if self.free is not None:
                slope *= self.free
            return float((np.log(total) + top).sum(dtype=np.float64) + (pull * v).sum() / 2), slope.ravel()

        found = scipy.optimize.minimize(
            value,
            first.ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": steps, "maxfun": 2 * steps, "ftol": 0.0, "gtol": 0.0},
        )
        v: Array = found.x.reshape(shape) / size
        v = v if turn is None else turn @ v
        return v if np.isfinite(v).all() else weights

    def _scaled(self, psi: Array, weights: Array) -> Array:
        """The weights times a factor with which their smallest margin, or else their largest logit, is moderate."""
        margin = approx_margin(psi, weights, self.labels)
        size = margin if margin > 0 else float(np.abs(psi @ weights).max())
        factor = START_MARGIN / size if size > 0 else 1.0
        return weights * factor if np.isfinite(factor) and np.isfinite(weights * factor).all() else weights


def _white(psi: Array) -> Array | None:
    """The inverse of R, ``(M, M)``, with which the columns of ``psi R^-1`` are about orthonormal times sqrt(N)."""
    gram = psi.T @ psi / len(psi)
    gram[np.diag_indices(len(gram))] += DAMPING * np.trace(gram) / len(gram)
    try:
        factor = scipy.linalg.cholesky(gram)
        found: Array = scipy.linalg.solve_triangular(factor, np.eye(len(gram)))
    except (np.linalg.LinAlgError, ValueError):
        return None
    return found if np.isfinite(found).all() else None


@QUIETLY
def short(psi: Array, weights: Array, labels: NDArray[np.int64]) -> Array:
    """Scale weights by a power of two to entries of at most 1, and round them to binary32 if the margins allow it.

    Parameters
    ----------
    psi, weights, labels
        Features ``(N, M)``, V ``(M, m)``, classes ``(N,)``, all in floating point.
    """
    scaled = unit_scaled(weights)
    rounded = scaled.astype(np.float32).astype(np.float64)
    enough = SHORT_MARGIN * float(np.abs(psi @ scaled).max())
    return rounded if approx_margin(psi, rounded, labels) > enough else scaled


def unit_scaled(weights: Array) -> Array:
    """Weights ``(M, m)`` times a power of two, exactly, so that the largest entry is between 1/2 and 1 in size.

    What would underflow is rounded: the margins of the result are to be proved.
    """
    largest = float(np.abs(weights).max(initial=0.0))
    return np.ldexp(weights, -int(np.frexp(largest)[1])) if largest > 0 else weights
