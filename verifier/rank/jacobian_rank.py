r"""Full row rank of the Jacobian J of the logits by an approximate right inverse, in the norm of largest row sums.

For any B with ``||I - J B||_inf < 1`` the product J B is nonsingular, so that ``rank J = R``, its number of rows. With
midpoints A and radii Q of J, ``b = |B| 1`` the row sums of B, and the computed ``R' = fl(fl(A B) - I)``,

.. math:: \sum_j |I - J B|_{ij} \le \sum_j |R'_{ij}| + (Q b)_i + \gamma_{K+3} \, ((|A| b)_i + 1) + R t,

t < TINY the underflow of one entry (a term passes K + 2 roundings in its product and one more).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.bounds import TINY, gamma, upper
from verifier.balls.binary64.canary import require
from verifier.balls.exact import ExactArray, at_most
from verifier.balls.jacobian import Jacobian, Parameters, enclose_jacobian
from verifier.data.gate import binary64
from verifier.display import Brief, Decided
from verifier.errors import needs
from verifier.network.arguments import BoolArray, given_inputs, given_output, given_parameters
from verifier.network.differentiable import NotSmooth
from verifier.network.network import Array, Network
from verifier.rank.approx import approx_right_inverse
from verifier.verdict import Verdict

ROOM = 0.5
"""What ``||I - J B||_inf`` is to stay below, so that a checker's somewhat wider enclosures do as well."""
FEW = 64
"""Up to so many rows all columns are used."""
SHARES = (1.25, 4.0)
"""Columns that are tried for each row, before all of them are."""
MOST_ENTRIES = 60_000_000
"""Entries of J that are made at a time, half a gigabyte."""
SECONDS_PER_ENTRY, SECONDS_PER_PRODUCT = 6e-8, 3e-10
"""Measured costs: an entry of J, and a multiply-add of dense algebra."""
PRODUCTS = 5
"""Multiply-adds for each row, row and column: a QR factorisation, its inverse, and the residual."""
SECOND_TRY_SECONDS = 1.0
"""More columns are tried after some if that is predicted to take less."""
SPARE_BITS = 6
"""B is rounded so that no row sum of J B moves by more than 2^-6."""


@dataclass(frozen=True, repr=False)
class JacobianInverse(Brief):
    """B, shape ``(K, R)``, the K parameters that it is for, and what it proves.

    Guarantee: ``||I - J[:, columns] B||_inf <= bound`` for all parameters that it was proved for.
    """

    columns: NDArray[np.int64]
    inverse: Array
    exact: ExactArray
    bound: float

    @property
    def row_sums(self) -> Array:
        """Bound the row sums ``sum_k |B_jk|`` from above, shape ``(K,)``."""
        found: Array = upper(np.abs(self.inverse).sum(axis=1), self.inverse.shape[1])
        return found


@dataclass(frozen=True, repr=False)
class JacobianRank(Decided):
    """Whether the Jacobian has full row rank at a point.

    Guarantee: if PROVED, the logits (``reduced``: their differences to the last) are continuously differentiable at
    ``where`` and their Jacobian has rank ``rows``.
    """

    verdict: Verdict
    reason: str
    where: Parameters
    reduced: bool
    rows: int
    found: JacobianInverse | None = None


def residual_bound(jacobian: Jacobian, inverse: Array, backend: Backend) -> float:
    """Bound ``||I - J B||_inf`` for every J of an enclosure.

    Parameters
    ----------
    jacobian
        Enclosure of J, ``(R, K)``.
    inverse
        B, ``(K, R)``; untrusted.
    backend
        The array library that multiplies.

    Returns
    -------
    float
        Guarantee: an upper bound; infinite if there is none. Source: the module's text.

    Raises
    ------
    NotEnclosed
        The platform's products are not as trusted.
    """
    count, width = jacobian.middles.shape
    b = np.where(np.abs(inverse) < TINY, 0.0, inverse)
    if not np.array_equal(b, inverse) or b.shape != (width, count):
        return math.inf
    with np.errstate(all="ignore"):
        product = backend.matmul(backend.asarray(jacobian.middles), backend.asarray(b), jacobian.record)
        residual = backend.numpy(product).copy()
        residual[np.diag_indices(count)] -= 1.0
        sums = upper(np.abs(b).sum(axis=1), count)
        spread = (jacobian.radii * sums).sum(axis=1)
        sizes = (np.abs(jacobian.middles) * sums).sum(axis=1)
        rows = np.abs(residual).sum(axis=1) + spread + gamma(width + 3) * (sizes + 1.0) + count * TINY
        bound = float(upper(rows, 2 * (count + width) + 8).max())
    require(jacobian.record)
    return bound if math.isfinite(bound) else math.inf


def column_choices(free: NDArray[np.int64], rows: int) -> Iterator[NDArray[np.int64]]:
    """Columns to try in turn, all of them last."""
    sizes = [math.ceil(share * rows) for share in SHARES if rows > FEW]
    sizes = [*(size for size in sizes if size < len(free)), len(free)]
    for tried, size in enumerate(sizes):
        if rows * size <= MOST_ENTRIES and (not tried or _algebra(rows, size) < SECOND_TRY_SECONDS):
            yield np.sort(np.random.default_rng(size).choice(free, size, replace=False))


def approx_inverse(middles: Array) -> JacobianInverse | None:
    """Propose B from midpoints ``(R, K)``, with the bound infinite and all columns; None if it breaks down."""
    found = approx_right_inverse(middles)
    if found is None:
        return None
    size = float(np.abs(middles).sum(axis=1).max()) * len(middles)
    shift = math.ceil(math.log2(max(size, 1e-300))) + SPARE_BITS
    if float(np.abs(found).max()) * 2.0**shift < 2.0**52:
        whole = np.rint(np.ldexp(found, shift))
        exact = ExactArray.of_integers(whole.astype(np.int64).ravel().tolist(), found.shape, -shift)
        found = np.ldexp(whole, -shift)
    else:
        exact = ExactArray.of_floats(found)
    return JacobianInverse(np.arange(middles.shape[1]), found, exact, math.inf)


def seconds_of(rows: int, columns: int) -> float:
    """Predict the seconds that a right inverse takes."""
    used = min(columns, math.ceil(SHARES[0] * rows)) if rows > FEW else columns
    return SECONDS_PER_ENTRY * rows * columns + _algebra(rows, used)


def _algebra(rows: int, columns: int) -> float:
    return SECONDS_PER_PRODUCT * PRODUCTS * rows * rows * columns


def free_parameters(network: Network, v: Array, arcs: BoolArray | None) -> NDArray[np.int64]:
    """The numbers of the parameters that are free: U, and V along the arcs."""
    of_v = np.arange(v.size) if arcs is None else np.flatnonzero(np.asarray(arcs).ravel())
    return np.concatenate([np.arange(network.parameter_count), network.parameter_count + of_v]).astype(np.int64)


def prove_jacobian_rank(
    network: Network,
    u: Array,
    v: Array,
    inputs: Array,
    *,
    reduced: bool = False,
    arcs: BoolArray | None = None,
    backend: Backend | None = None,
) -> JacobianRank:
    """Prove that the Jacobian of the logits in U and V has full row rank at a point.

    Parameters
    ----------
    network, u, v
        The network and the point, shapes ``(p,)`` and ``(M, m)``.
    inputs
        Samples ``(N, d)``.
    reduced
        Whether its rows are those of the differences of the logits to the last one.
    arcs
        Which columns of Psi are connected to which outputs, ``(M, m)``; None: all.
    backend
        Array library; NumPy by default.

    Returns
    -------
    JacobianRank
        Guarantee: see there. ``UNDECIDED`` says nothing about the rank. Source: ``||I - J B||_inf < 1`` makes J B
        nonsingular (Neumann's series).

    Raises
    ------
    InputError
        The parts are no such numbers, or do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(1, vf.Dense(2, "tanh", skip=True))  # M = 2 < N = 4, P = 6
    >>> u, v = vf.initialise(network, seed=1), np.array([[1.0], [2.0]])
    >>> found = vf.prove_jacobian_rank(network, u, v, np.array([[-1.0], [0.0], [0.5], [2.0]]))
    >>> found.proved, found.rows
    (True, 4)
    """
    backend = numpy_backend() if backend is None else backend
    needs(network, "network", "nodes", "network", "make one: Network(dimension, layers)")
    u, inputs, v = given_parameters(network, u), given_inputs(network, inputs), binary64(v, "v")
    outputs = v.shape[1] if v.ndim == 2 else 1
    where = Parameters.at(u, given_output(network, v, outputs))
    rows, free = len(inputs) * (outputs - 1 if reduced else outputs), free_parameters(network, v, arcs)
    if not 0 < rows <= len(free):
        reason = f"{len(free)} free parameters are fewer than the {rows} rows of the Jacobian"
        return JacobianRank(Verdict.UNDECIDED, reason, where, reduced, rows)
    reason = f"J has {rows} x {len(free)} entries, more than are made"
    for columns in column_choices(free, rows):
        for engine in (backend, None):
            try:
                jacobian = enclose_jacobian(network, where, inputs, columns, engine, reduced=reduced, throughout=True)
                found = approx_inverse(jacobian.middles)
                if found is None:
                    reason = "J is numerically of smaller rank: no right inverse was found in binary64"
                    break
                bound = residual_bound(jacobian, found.inverse, backend)
            except NotSmooth as error:
                return JacobianRank(Verdict.UNDECIDED, f"not differentiable there: {error}", where, reduced, rows)
            except NotEnclosed as error:
                reason = f"J is not enclosed: {error}"
                continue
            if bound < ROOM:
                proved = JacobianInverse(columns, found.inverse, found.exact, bound)
                reason = f"||I - J B||_inf <= {at_most(bound, below=1)} < 1 with {len(columns)} columns"
                return JacobianRank(Verdict.PROVED, reason, where, reduced, rows, proved)
            reason = f"||I - J B||_inf is only bounded by {at_most(bound)} for the right inverse B that was found"
            break
    return JacobianRank(Verdict.UNDECIDED, reason, where, reduced, rows)
