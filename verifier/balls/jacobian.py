r"""Enclosures of the Jacobian J of the logits ``G = Psi(U) V + K`` in all parameters, at a point or over a box.

theta = (U, V): U's numbers in order, then V's in C order, P = p + M m of them. J has a row for each sample i and output
k, ``i m + k``; reduced, one for each difference ``G_ik - G_im'`` to the last output m', k < m'. Derivatives by U come
from `verifier.network.reverse`, those by V are Psi itself. K does not depend on theta.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.ball_arithmetic import BallArithmetic
from verifier.balls.binary64.backend import Backend, NotEnclosed
from verifier.balls.binary64.bounds import TINY, upper
from verifier.balls.binary64.canary import require_products
from verifier.balls.binary64.enclosed import Enclosed, bound_of_entries
from verifier.balls.binary64.graph_arithmetic import Shared
from verifier.balls.binary64.products import Products
from verifier.balls.precision import working_precision
from verifier.balls.slopes import BallSlopes, BoxOfFloatBalls, FloatBallSlopes, float_bounds
from verifier.balls.tensors import Balls
from verifier.display import Brief
from verifier.network.arithmetic import Arithmetic
from verifier.network.derivatives import derivatives
from verifier.network.network import Array, Network
from verifier.network.windows import Shape

T = TypeVar("T")

BLOCK_ENTRIES = 1 << 22
"""Entries of J that are made together."""


@dataclass(frozen=True, repr=False)
class Parameters(Brief):
    """A point theta = (U, V), exact, and how far each number may be from it; shapes ``(p,)`` and ``(M, m)``.

    Guarantee of what is made from it: it holds for all parameters within ``reach_u`` and ``reach_v``, entry by entry.
    """

    u: Array
    v: Array
    reach_u: Array
    reach_v: Array

    @classmethod
    def at(cls, u: Array, v: Array) -> Parameters:
        """The box of one point: all radii are 0."""
        return cls(u, v, np.zeros_like(u), np.zeros_like(v))

    def around(self, reach: Array) -> Parameters:
        """The box of the numbers of theta, ``(P,)``, within ``reach``."""
        return Parameters(self.u, self.v, reach[: len(self.u)], reach[len(self.u) :].reshape(self.v.shape))

    @property
    def size(self) -> int:
        """The number P of all parameters: p of U and M m of V."""
        return len(self.u) + self.v.size


@dataclass(frozen=True, repr=False)
class Jacobian(Brief):
    """Midpoints and radii ``(R, K)`` of some columns of J.

    Guarantee: entry by entry, at all parameters that it was made for, J is within the radii of the midpoints; they are
    finite, and the logits are continuously differentiable by the columns' parameters there (``throughout``: by all).
    Products that it rests on stand in ``record``.
    """

    middles: Array
    radii: Array
    record: Products = field(default_factory=Products)


@np.errstate(all="ignore")
def enclose_jacobian(
    network: Network,
    where: Parameters,
    inputs: Array,
    columns: NDArray[np.int64],
    backend: Backend | None,
    *,
    reduced: bool = False,
    throughout: bool = False,
    precision: int = 64,
) -> Jacobian:
    """Enclose columns of the Jacobian of the logits by U and V.

    Parameters
    ----------
    network
        The network.
    where
        The parameters.
    inputs
        Samples ``(N, d)``, exact.
    columns
        Numbers of the parameters, increasing.
    backend
        The array library for binary64; None: by Arb.
    reduced
        Whether the rows are those of differences to the last output.
    throughout
        Whether the logits are to be differentiable by all parameters, not by those of the columns alone.
    precision
        Arb's working precision in bits.

    Returns
    -------
    Jacobian
        Guarantee: see there.

    Raises
    ------
    NotSmooth
        There may be a kink; the message names the node.
    NotEnclosed
        Something has no finite enclosure.
    """
    record = Products()
    chosen = [v for v in network.parameters if ((columns >= v.offset) & (columns < v.offset + v.spec.size)).any()]
    if throughout:
        chosen = list(network.parameters)
    names, outputs = {view.name for view in chosen}, where.v.shape[1]
    rows = outputs - 1 if reduced else outputs
    count = len(inputs)
    middles, radii = np.zeros((count, rows, len(columns))), np.zeros((count, rows, len(columns)))
    largest = max([where.size, *(math.prod(shape) for shape in network.node_shapes)])
    step = max(1, BLOCK_ENTRIES // (rows * largest))
    shared = None if backend is None else Shared(backend, record, network.views(where.u))
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        if shared is None:
            made = _by_arb(network, where, inputs[part], names, reduced, precision)
        else:
            made = _in_binary64(network, where, inputs[part], names, reduced, shared)
        for places, middle, radius in _blocks(network, where, columns, reduced, made):
            middles[part, :, places], radii[part, :, places] = middle, radius
    if not (np.isfinite(middles).all() and np.isfinite(radii).all()):
        raise NotEnclosed("an entry of the Jacobian has no finite enclosure")
    require_products(record)
    shape = (count * rows, len(columns))
    flushed = (middles + TINY) - TINY  # no subnormal entries
    return Jacobian(flushed.reshape(shape), (upper(radii, 0) + 2 * TINY).reshape(shape), record)


Part = tuple[Array, Array]
"""Midpoints and radii of one shape."""
Made = tuple[Part, dict[str, Part]]
"""Psi, ``(n, M)``, and the derivatives by parameters, ``(n, rows, *shape)``."""


def _blocks(
    network: Network, where: Parameters, columns: NDArray[np.int64], reduced: bool, made: Made
) -> Iterator[tuple[NDArray[np.intp], Array, Array]]:
    """Which of the columns, and what they are, ``(n, rows, of them)``."""
    psi, slopes = made
    for view in network.parameters:
        places = np.flatnonzero((columns >= view.offset) & (columns < view.offset + view.spec.size))
        if len(places) and view.name in slopes:
            own = columns[places] - view.offset
            middle, radius = (part.reshape(*part.shape[:2], -1)[:, :, own] for part in slopes[view.name])
            yield places, middle, radius
    outputs = where.v.shape[1]
    places = np.flatnonzero(columns >= len(where.u))
    if not len(places):
        return
    unit, output = np.divmod(columns[places] - len(where.u), outputs)
    rows = outputs - 1 if reduced else outputs
    sign = (np.arange(rows)[:, None] == output).astype(np.float64)
    if reduced:
        sign -= output == outputs - 1
    middle, radius = (part[:, None, unit] for part in psi)
    yield places, middle * sign, radius * np.abs(sign)


def _in_binary64(
    network: Network, where: Parameters, inputs: Array, names: set[str], reduced: bool, shared: Shared
) -> Made:
    with np.errstate(all="ignore"):
        ops = BoxOfFloatBalls(shared, inputs, network.views(where.reach_u))
        weights = ops.constant(np.ascontiguousarray(where.v.T))
        if where.reach_v.any():
            reach = ops.backend.asarray(np.ascontiguousarray(where.reach_v.T)[None])
            weights = Enclosed(weights.mid, reach if weights.each is None else upper(reach + weights.each, 2))
        weights = _between_outputs(ops, weights) if reduced else weights
        psi, slopes = derivatives(network, FloatBallSlopes(ops), weights, names)

        def numbers(x: Enclosed) -> Part:
            middle = ops.backend.numpy(x.mid)
            bound = bound_of_entries(ops.xp, x, len(x.shape))
            radius = np.asarray(bound) if isinstance(bound, float) else ops.backend.numpy(bound)
            whole = (len(inputs), *middle.shape[1:])
            return np.broadcast_to(middle, whole), np.broadcast_to(radius, whole)

        return numbers(psi), {name: numbers(slope) for name, slope in slopes.items()}


def _by_arb(network: Network, where: Parameters, inputs: Array, names: set[str], reduced: bool, precision: int) -> Made:
    def balls(middle: Array, reach: Array) -> Balls:
        entries = [arb(m, r) for m, r in zip(middle.ravel().tolist(), reach.ravel().tolist(), strict=True)]
        return Balls(1, middle.shape, entries)

    def parameter(name: str, shape: Shape) -> Balls:
        return balls(network.view(where.u, name), network.view(where.reach_u, name))

    with working_precision(precision):
        ops = BallArithmetic(inputs, parameter)
        weights = balls(np.ascontiguousarray(where.v.T), np.ascontiguousarray(where.reach_v.T))
        weights = _between_outputs(ops, weights) if reduced else weights
        psi, slopes = derivatives(network, BallSlopes(ops), weights, names)

        def numbers(x: Balls) -> Part:
            pairs = np.array([float_bounds(z) for z in x.entries]).reshape(x.rows, *x.shape, 2)
            whole = np.broadcast_to(pairs, (len(inputs), *pairs.shape[1:]))
            return whole[..., 0], whole[..., 1]

        return numbers(psi), {name: numbers(slope) for name, slope in slopes.items()}


def _between_outputs(ops: Arithmetic[T], weights: T) -> T:
    """Rows k < m' minus the last one."""
    rows, columns = ops.shape(weights)
    kept = np.arange((rows - 1) * columns).reshape(rows - 1, columns)
    last = np.broadcast_to(np.arange((rows - 1) * columns, rows * columns), kept.shape)
    minus = ops.scale(ops.gather([weights], last), Fraction(-1))
    return ops.add(ops.gather([weights], kept), minus)
