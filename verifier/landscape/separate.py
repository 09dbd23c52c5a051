"""Untrusted output weights V1 that classify every sample: proposals for Z1.

Guarantee: none. Z1 alone decides.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.sparse
from numpy.typing import NDArray

from verifier.balls.exact import ExactArray
from verifier.rank.right_inverse import RightInverse

Array = NDArray[np.float64]

LP_ENTRIES = 4_000_000
"""Largest linear program (nonzeros) that is handed to the solver."""
ORDER_ENTRIES = 1_000_000
"""Largest Psi that is put into an order of its own."""
LARGE_BYTES = 2**28
"""A Psi that takes more is not copied."""
ROWS = 256
"""Rows of a right inverse that are multiplied at a time, as Python's integers of 40 bytes each."""
ITERATIONS = 400
"""Steps of L-BFGS; what they do not separate goes to the linear program."""

SOLVED_MARGIN, USEFUL_MARGIN = 0.5, 1e-3
"""``Psi V = onehot`` has margins 1: with a smaller one in floating point it is not solved, and a right inverse does
better; without one, a margin may still be of use.
"""

QUIETLY = np.errstate(all="ignore")
"""Overflow is no news in a proposal: what is not finite is not proposed."""


def proposals(
    psi: Array, labels: NDArray[np.int64], classes: int, witness: RightInverse | None
) -> Iterator[tuple[str, ExactArray]]:
    """Yield candidate V1, shape ``(M, m)``, cheapest first, each with the name of the method.

    Parameters
    ----------
    psi
        Floating-point features ``(N, M)``.
    labels
        True classes ``(N,)``.
    classes
        m.
    witness
        A certified right inverse, if the rank was proved: ``V1 = X T`` solves the linear system to any precision.
    """
    if np.isfinite(psi).all():
        order = _Order(psi, labels, classes)
        for method, v in _in_floats(order.psi, order.labels, classes, witness is not None):
            yield method, ExactArray.of_floats(order.back(v))
    if witness is not None:
        yield "right inverse", _from_right_inverse(witness, labels, classes, psi.shape[1])


def along_arcs(psi: Array, labels: NDArray[np.int64], arcs: NDArray[np.bool_]) -> Iterator[tuple[str, ExactArray]]:
    """Yield a candidate V1, shape ``(M, m)``, that is 0 where an output has no arc: least squares for each output.

    Parameters
    ----------
    psi
        Floating-point features ``(N, M)``.
    labels
        True classes ``(N,)``.
    arcs
        Which columns of Psi are connected to which outputs, ``(M, m)``.
    """
    v = np.zeros(arcs.shape)
    for output in range(arcs.shape[1]):
        own = arcs[:, output]
        found = lstsq(psi[:, own], (labels == output).astype(np.float64)[:, None])
        if found is None:
            return
        v[own, output] = found[:, 0]
    yield "least squares over the arcs", ExactArray.of_floats(v)


def _in_floats(psi: Array, labels: NDArray[np.int64], classes: int, full_rank: bool) -> Iterator[tuple[str, Array]]:
    wanted = SOLVED_MARGIN if full_rank else USEFUL_MARGIN
    found = _least_squares(psi, np.eye(classes)[labels])
    rounded = () if found is None else (_short(found), found)
    solved = next((v for v in rounded if approx_margin(psi, v, labels) > wanted), None)
    if solved is not None:
        yield "least squares", solved
        if full_rank:
            return
    v = _squared_hinge(psi, labels, classes)
    if np.isfinite(v).all() and approx_margin(psi, v, labels) > 0:
        yield "squared hinge", v
    program = _linear_program(psi, labels, classes)
    if program is not None and approx_margin(psi, program, labels) > 0:
        yield "linear program", program


class _Order:
    """The same problem with samples, units and classes in an order of its own, not the caller's, unless it is large.

    So what solvers find in the last bits does not depend on how the caller happens to count.
    """

    def __init__(self, psi: Array, labels: NDArray[np.int64], classes: int) -> None:
        n, m = psi.shape
        self.columns, self.classes = np.arange(m), np.arange(classes)
        if n * m > ORDER_ENTRIES:
            self.psi, self.labels = psi, labels  # as they are: a copy may not fit
            return
        rows = np.lexsort(np.sort(psi, axis=1).T[::-1])
        self.columns = np.lexsort(psi[rows][::-1])
        seen = dict.fromkeys(labels[rows].tolist())
        self.classes = np.array([*seen, *(k for k in range(classes) if k not in seen)])
        names = np.empty(classes, dtype=np.int64)
        names[self.classes] = np.arange(classes)
        self.psi, self.labels = np.ascontiguousarray(psi[rows][:, self.columns]), names[labels[rows]]

    def back(self, v: Array) -> Array:
        """Return output weights in the order of the caller's columns of Psi."""
        found = np.empty_like(v)
        found[np.ix_(self.columns, self.classes)] = v
        return found


@QUIETLY
def approx_margin(psi: Array, v: Array, labels: NDArray[np.int64]) -> float:
    """The smallest margin of ``Psi V`` in floating point: Psi of shape ``(N, M)``, V ``(M, m)``, classes ``(N,)``."""
    g = psi @ v
    own = g[np.arange(len(labels)), labels].copy()
    g[np.arange(len(labels)), labels] = -np.inf
    return float((own - g.max(axis=1)).min())


@QUIETLY
def _short(v: Array) -> Array:
    """Round to binary32 when the weights fit: smaller certificates."""
    single = v.astype(np.float32).astype(np.float64)
    return single if np.isfinite(single).all() else v


@QUIETLY
def _least_squares(psi: Array, target: Array) -> Array | None:
    """Minimum-norm (else least-squares) solution of ``Psi V = onehot``, by the Gram matrix when that is safe."""
    n, m = psi.shape
    if n <= m:
        large = psi.nbytes > LARGE_BYTES
        gram = (psi @ psi.T).T if large else psi @ psi.T.copy()  # transposed it is LAPACK's order: factored in place
        try:
            factor = scipy.linalg.cho_factor(gram, overwrite_a=large, check_finite=False)
            del gram
            v: Array = psi.T @ scipy.linalg.cho_solve(factor, target, check_finite=False)
            if np.isfinite(v).all() and float(np.abs(psi @ v - target).max()) < 1e-2:
                return v
        except scipy.linalg.LinAlgError:
            return lstsq(psi, target)
    return lstsq(psi, target)


@QUIETLY
def lstsq(psi: Array, target: Array) -> Array | None:
    """Solve ``Psi V = target`` by least squares of minimum norm in floating point.

    Parameters
    ----------
    psi, target
        Features ``(N, M)`` and logits ``(N, m)``.

    Returns
    -------
    Array or None
        V of shape ``(M, m)``; None if there is no finite one. Not rigorous.
    """
    if not (np.isfinite(psi).all() and np.isfinite(target).all()):
        return None
    try:
        v: Array = scipy.linalg.lstsq(psi, target, cond=1e-13, check_finite=False)[0]
    except scipy.linalg.LinAlgError:
        return None
    return v if np.isfinite(v).all() else None


@QUIETLY
def _squared_hinge(psi: Array, labels: NDArray[np.int64], classes: int) -> Array:
    """Minimise ``sum_ik max(0, 1 - margin_ik)^2`` (convex) by L-BFGS on normalised features."""
    scale = float(np.sqrt((psi * psi).sum(axis=1).max())) or 1.0
    a = psi / scale
    n, m = a.shape
    index = np.arange(n)

    def value(flat: Array) -> tuple[float, Array]:
        g = a @ flat.reshape(m, classes)
        slack = np.maximum(0.0, 1.0 - (g[index, labels][:, None] - g))
        slack[index, labels] = 0.0
        gradient = 2.0 * slack
        gradient[index, labels] = -2.0 * slack.sum(axis=1)
        return float((slack * slack).sum()), (a.T @ gradient).ravel()

    found = scipy.optimize.minimize(
        value,
        np.zeros(m * classes),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "ftol": 0.0, "gtol": 0.0},
    )
    v: Array = found.x.reshape(m, classes) / scale
    return v


@QUIETLY
def _linear_program(psi: Array, labels: NDArray[np.int64], classes: int) -> Array | None:
    """Maximise the margin over ``|V| <= 1`` by linear programming, if it is not too large."""
    n, m = psi.shape
    if n * (classes - 1) * 2 * m > LP_ENTRIES:
        return None
    blocks = [(i, y, k) for i, y in enumerate(labels.tolist()) for k in range(classes) if k != y]
    rows = np.zeros((len(blocks), m * classes + 1))
    for r, (i, y, k) in enumerate(blocks):
        rows[r, y:-1:classes] = -psi[i]
        rows[r, k:-1:classes] = psi[i]
        rows[r, -1] = 1.0
    bounds = [(-1.0, 1.0)] * (m * classes) + [(0.0, None)]
    cost = np.zeros(m * classes + 1)
    cost[-1] = -1.0
    found = scipy.optimize.linprog(cost, A_ub=rows, b_ub=np.zeros(len(blocks)), bounds=bounds, method="highs")
    if not found.success:
        return None
    v: Array = found.x[:-1].reshape(m, classes)
    return v


def _from_right_inverse(witness: RightInverse, labels: NDArray[np.int64], classes: int, columns: int) -> ExactArray:
    """``V1 = X onehot``, exact, at the precision of the witness."""
    return times_right_inverse(witness, ExactArray.of_floats(np.eye(classes)[labels]), columns)


def times_right_inverse(witness: RightInverse, target: ExactArray, columns: int) -> ExactArray:
    """``V = X T``, exact: where X is close to a right inverse of Psi, Psi V is close to the logits T.

    Parameters
    ----------
    witness
        X, with the columns of Psi that it uses.
    target
        The logits T, ``(N, m)``.
    columns
        The number M of columns of Psi.

    Returns
    -------
    ExactArray
        V of shape ``(M, m)``, exactly X T; rows of zeros for the columns that X does not use.
    """
    (k, n), (t, power), classes = witness.matrix.shape, target.fmpz_mat(), target.shape[1]
    parts: list[tuple[list[int], int]] = []  # numerators and exponent of some rows of X T: X may be large
    for start in range(0, k, ROWS):
        terms = tuple((values[start : start + ROWS], exponent) for values, exponent in witness.matrix.terms)
        x, exponent = ExactArray((min(ROWS, k - start), n), terms).fmpz_mat()
        parts.append(([int(v) for v in (x * t).entries()], exponent))
    low = min(exponent for _, exponent in parts)
    product = [number << (exponent - low) for numbers, exponent in parts for number in numbers]
    picked = range(columns) if witness.columns is None else witness.columns.tolist()
    entries = [0] * (columns * classes)
    for row, position in enumerate(picked):
        entries[position * classes : (position + 1) * classes] = product[row * classes : (row + 1) * classes]
    return ExactArray.of_integers(entries, (columns, classes), low + power)
