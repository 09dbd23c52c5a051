r"""Logits and the cross-entropy in binary64, from the enclosure of Psi(U).

Per sample, with margins ``m_k``, ``L = log(1 + sum_k e^{-m_k})``. Its partial derivatives are ``-p_k`` with
``sum p_k < 1``: margins that are off by at most e move L by at most e. With ``s = max(0, max_k -m_k)``,

.. math:: L = s + \log\bigl(e^{-s} + \sum_k e^{-m_k - s}\bigr),

where no exponential overflows and the sum is in [1, m].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.arguments import given_weights
from verifier.balls.binary64 import elementary
from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.bounds import TINY, U, gamma, upper
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.margins import exact_floats, float_margins
from verifier.balls.binary64.row_enclosure import QUIETLY
from verifier.balls.exact import ExactArray
from verifier.display import Brief
from verifier.network.arguments import given_counts, given_labels

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, repr=False)
class Logits(Brief):
    """``G = Psi(U) V``, shape (N, m). Guarantee: every exact entry is within ``radius`` of ``mid``."""

    mid: FloatArray
    radius: FloatArray


@QUIETLY
def float_logits(features: FloatEnclosure, weights: ExactArray) -> Logits:
    """Enclose the logits; for margins use `float_margins`, where what the columns of V have in common cancels.

    Parameters
    ----------
    features
        Enclosure of Psi(U), shape (N, M), in binary64.
    weights
        Output weights V, shape (M, m).

    Returns
    -------
    Logits
        Guarantee: ``|G_ij - mid_ij| <= gamma_{M+2} ||A_i|| ||V_j|| + min(sum_k q_k |V_kj|, rho_i ||V_j||)``, which is
        ``radius_ij``; rho_i bounds the 2-norm of row i of ``Psi - A``. Source: Cauchy and Schwarz, with `bounds` for
        the rounding.

    Raises
    ------
    NotEnclosed
        If the weights are no binary64 numbers of moderate size, something overflows, or the platform's canary fails.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> features = vf.FloatEnclosure(network, u, x, vf.numpy_backend(1))
    >>> logits = vf.float_logits(features, vf.ExactArray.of_floats(np.eye(3)[:, :2]))
    >>> logits.mid.shape, bool(logits.radius.max() < 1e-14)
    ((3, 2), True)
    """
    backend, xp, m = features.backend, features.backend.xp, features.columns
    weights = given_weights(features.columns, weights, "weights")
    values = exact_floats(weights)
    norms = upper(np.sqrt((values * values).sum(axis=0) + TINY), m)
    table = backend.asarray(values)
    mids, radii = [], []
    for rows, mid, radius in features.row_blocks():
        mids.append(backend.numpy(backend.matmul(mid, table, features.record)))
        moved = upper(backend.numpy(xp.sum(xp.abs(table) * radius[:, None], axis=0)), m)
        moved = np.minimum(moved, upper(backend.numpy(features.row_norms(rows))[:, None] * norms, 2))
        sizes = upper(backend.numpy(xp.sqrt(xp.sum(mid * mid, axis=1) + TINY)), m)
        radii.append(upper(gamma(m + 2) * sizes[:, None] * norms + moved, 8))
    found = Logits(np.concatenate(mids), np.concatenate(radii))
    if not (np.isfinite(found.mid).all() and np.isfinite(found.radius).all()):
        raise NotEnclosed("a logit overflows binary64")
    require(features.record)
    return found


@QUIETLY
def float_loss(
    features: FloatEnclosure, weights: ExactArray, labels: NDArray[np.int64], multiplicities: Sequence[int]
) -> arb:
    """Enclose ``Phi(U, V) = (1/n) sum_i n_i log(1 + sum_k exp(-m_ik))``.

    Parameters
    ----------
    features, weights
        As for `float_logits`.
    labels
        True classes, shape (N,).
    multiplicities
        How often each sample occurs, N of them.

    Returns
    -------
    arb
        Guarantee: the ball contains the exact loss. Its radius is absolute, about 1e-13: a loss near 0 needs Arb.

    Raises
    ------
    NotEnclosed
        As `float_logits`.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> features = vf.FloatEnclosure(network, u, x, vf.numpy_backend(1))
    >>> loss = vf.float_loss(features, vf.ExactArray.of_floats(np.zeros((3, 2))), np.array([0, 1, 1]), [1, 1, 1])
    >>> vf.at_least(loss), vf.at_most(loss)  # log 2
    ('0.6931', '0.6932')
    """
    weights = given_weights(features.columns, weights, "weights")
    labels = given_labels(labels, features.samples, weights.shape[1])
    multiplicities = given_counts(multiplicities, features.samples)
    (rows,) = float_margins(features, [weights], labels)
    mids = np.array([[float(ball.mid()) for ball in row] for row in rows])
    moved = np.array([max(float(ball.rad()) for ball in row) for row in rows]) * (1.0 + 2.0**-28)
    backend, xp = features.backend, features.backend.xp
    values, errors = sample_losses(xp, backend.asarray(mids))
    total, room, count = arb(0), arb(0), 0
    for value, error, extra, times in zip(
        backend.numpy(values).tolist(), backend.numpy(errors).tolist(), moved.tolist(), multiplicities, strict=True
    ):
        total += times * arb(value)
        room += times * (arb(error) + arb(extra))
        count += times
    loss = (total + room.upper() * arb(0, 1)) / count
    if not loss.is_finite():
        raise NotEnclosed("the loss overflows binary64")
    require(features.record)
    return loss


def sample_losses(xp: Any, m: Any) -> tuple[Any, Any]:
    """Losses of the samples from exact margins (N, m - 1), and bounds of their errors.

    Each exponential is off by 2.09 u, its argument by ``u |m_k + s|``, which matters only where the exponential does:
    ``x e^-x <= 1/e``; so each term, at most 1, is off by less than ``(2.09 + 0.4) u`` plus 2^-1021. The sum of m terms
    adds ``gamma_m`` of at most m, the logarithm of a sum at least 1 passes errors on undiminished at most and adds its
    own, ``1.01 LOG_CHECK (1 + log) + 3.2 u``, the last addition ``u L``.

    Guarantee: the exact losses are within the bounds of the values.

    Parameters
    ----------
    xp : module
        The array library.
    m : ndarray of shape (N, m - 1)
        The margins, exact.

    Returns
    -------
    (ndarray of shape (N,), ndarray of shape (N,))
        Losses and bounds of their errors.
    """
    zero = xp.asarray(0.0, dtype=xp.float64)
    shift = xp.maximum(xp.max(-m, axis=1), zero)
    classes = int(m.shape[1]) + 1
    terms = xp.reshape(elementary.exp(xp, xp.reshape(-m - shift[:, None], (-1,))), m.shape)
    total = xp.sum(terms, axis=1) + elementary.exp(xp, -shift)
    logarithm = elementary.log(xp, xp.maximum(total, xp.asarray(1.0, dtype=xp.float64)))
    value = shift + logarithm
    inner = classes * (2.5 * U + gamma(classes + 2)) * 1.01 + TINY
    error = inner + 1.02 * elementary.LOG_CHECK * (1.0 + xp.abs(logarithm)) + 3.2 * U + 1.01 * U * xp.abs(value)
    return value, upper(error, 8)
