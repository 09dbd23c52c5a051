"""The cross-entropy in plain floating point: for proposals and pictures.

Guarantee: none.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from verifier.data.dataset import Dataset
from verifier.network.forward import approx_features
from verifier.network.network import Array, Network

Point = tuple[Array, Array]
"""U of shape ``(p,)`` and V of shape ``(M, m)``."""


@np.errstate(all="ignore")
def approx_loss_of(psi: Array, v: Array, data: Dataset) -> float:
    """Cross-entropy by differences of logits: without overflow, and small losses keep their digits.

    Parameters
    ----------
    psi, v
        Features ``(N, M)`` and output weights ``(M, m)``.
    data
        Labelled samples; multiplicities and frozen logits count. Shapes are not checked.
    """
    logits = psi @ v if data.offset is None else psi @ v + data.offset
    rows = np.arange(len(logits))
    differences = logits - logits[rows, data.labels][:, None]
    differences[rows, data.labels] = -np.inf
    losses = np.logaddexp(0.0, logsumexp(differences, axis=1))
    return float((data.multiplicities * losses).sum() / data.total)


def approx_losses_on_line(network: Network, start: Point, end: Point, data: Dataset, times: Array) -> Array:
    """Losses on the straight line of all weights from one point to another, at the given times.

    Parameters
    ----------
    network, start, end, data
        The two points, and labelled samples that fit.
    times
        Of shape ``(K,)``.

    Returns
    -------
    ndarray of shape (K,)
        Not finite where something overflows.
    """
    (u0, v0), (u1, v1) = start, end
    found = [
        approx_loss_of(approx_features(network, (1 - t) * u0 + t * u1, data.inputs), (1 - t) * v0 + t * v1, data)
        for t in times.tolist()
    ]
    return np.array(found)
