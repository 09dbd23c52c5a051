r"""Margins in binary64: ``m_ik = sum_j Psi_ij D_jk`` with ``D = V_y - V_k``, by one product.

.. math:: |m_{ik} - \hat m_{ik}| \le \gamma_{M+4} \|A_i\|_2 \|D_k\|_2
    + \min\Bigl(\sum_j q_j |D_{jk}|, \rho_i \|D_k\|_2\Bigr) + 2^{-960}

(Cauchy and Schwarz; the rounding of D, ``u |D|``, is in the constant).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.bounds import TINY, gamma, upper
from verifier.balls.binary64.canary import require
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.row_enclosure import QUIETLY
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import Progress

SMALLEST_WEIGHT = 2.0**-900
"""Weights below this could have subnormal differences; they are left to the Arb engine."""

Rows = list[tuple[arb, ...]]


@QUIETLY
def float_margins(
    features: FloatEnclosure,
    weights: Sequence[ExactArray],
    labels: NDArray[np.int64],
    progress: Progress | None = None,
) -> list[Rows]:
    """Enclose the margins of several output weight matrices in one pass over Psi.

    Parameters
    ----------
    features
        Enclosure of Psi(U), shape (N, M), in binary64.
    weights
        Exact output weights, each of shape (M, m).
    labels
        True classes, shape (N,).
    progress
        Called with the fraction done.

    Returns
    -------
    list of lists of tuples of arb
        Per weight matrix and sample the m - 1 margins. Guarantee: each ball contains the exact margin.

    Raises
    ------
    NotEnclosed
        If the weights are not binary64 numbers of moderate size, something overflows, or the platform's canary fails.
    """
    backend, xp = features.backend, features.backend.xp
    classes = weights[0].shape[1]
    values = [exact_floats(weight) for weight in weights]
    tables: dict[int, tuple[object, NDArray[np.float64]]] = {}
    found: list[Rows] = [[()] * features.samples for _ in weights]
    constant = gamma(features.columns + 4)
    for rows, mid, radius in features.row_blocks(progress):
        block_labels, distances = labels[rows], features.row_norms(rows)
        for y in np.unique(block_labels).tolist():
            members = np.flatnonzero(block_labels == y)
            if y not in tables:
                others = [k for k in range(classes) if k != y]
                joined = np.concatenate([v[:, [y]] - v[:, others] for v in values], axis=1)
                norms = upper(np.sqrt((joined * joined).sum(axis=0) + TINY), features.columns)
                tables[y] = backend.asarray(joined), norms
            table, norms = tables[y]
            part = xp.take(mid, xp.asarray(members), axis=0)
            product = backend.numpy(backend.matmul(part, table, features.record))
            moved = upper(backend.numpy(xp.sum(xp.abs(table) * radius[:, None], axis=0)), features.columns)
            sizes = upper(backend.numpy(xp.sqrt(xp.sum(part * part, axis=1) + TINY)), features.columns)
            reach = backend.numpy(xp.take(distances, xp.asarray(members), axis=0))
            moved = np.minimum(moved, upper(reach[:, None] * norms, 2))
            error = upper(constant * sizes[:, None] * norms + moved * (1.0 + 2.0**-50), 8)
            if not (np.isfinite(product).all() and np.isfinite(error).all()):
                raise NotEnclosed("a margin overflows binary64")
            for i, line, radii in zip(members.tolist(), product.tolist(), error.tolist(), strict=True):
                balls = [arb(m, e) for m, e in zip(line, radii, strict=True)]
                for w in range(len(weights)):
                    found[w][rows.start + i] = tuple(balls[w * (classes - 1) : (w + 1) * (classes - 1)])
    require(features.record)
    return found


def exact_floats(weight: ExactArray) -> NDArray[np.float64]:
    """The weights as binary64 numbers if that loses nothing.

    Guarantee: the result equals the exact array.

    Parameters
    ----------
    weight : ExactArray of shape (M, m)
        Output weights.

    Returns
    -------
    ndarray of shape (M, m)
        The same numbers.

    Raises
    ------
    NotEnclosed
        If it would lose something, or a number is so small or large that products under- or overflow.
    """
    values, exponent = weight.terms[0]
    short = values.dtype.kind == "f" or bool((np.abs(values.astype(object)) < 2**53).all())
    with np.errstate(all="ignore"):
        floats = np.ldexp(values.astype(np.float64), exponent)
    magnitudes = np.abs(floats)
    moderate = bool(((magnitudes < 1e140) & ((magnitudes > SMALLEST_WEIGHT) | (values == 0))).all())
    if len(weight.terms) != 1 or not short or not moderate:
        raise NotEnclosed("the output weights are not binary64 numbers of moderate size")
    return floats
