r"""Enclosures of the gradient and the Hessian of the cross-entropy in free parameters, at a point or over a box.

With label counts c_iy, ``c_i = sum_y c_iy``, ``n = sum_i c_i`` and ``p_i`` the softmax of ``Psi_i V + K_i``,

.. math:: n \, \mathrm d \Phi = \sum_i \langle c_i p_i - c_{i\cdot}, \; \mathrm d (\Psi_i V) \rangle ,

by reverse accumulation; the same formulas on tangents (`verifier.balls.tangents`), one direction for each free
parameter, give the rows of the Hessian. theta = (U, V) is numbered as in `verifier.balls.jacobian`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from verifier.balls.ball_arithmetic import BallArithmetic
from verifier.balls.binary64.backend import Backend, NotEnclosed
from verifier.balls.binary64.bounds import TINY, gamma, upper
from verifier.balls.binary64.canary import require_products
from verifier.balls.binary64.enclosed import Enclosed, bound_of_entries
from verifier.balls.binary64.graph_arithmetic import FloatBalls, Shared
from verifier.balls.binary64.products import Products
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.jacobian import Parameters
from verifier.balls.loss import sample_loss
from verifier.balls.precision import working_precision
from verifier.balls.slopes import BallSlopes, BoxOfFloatBalls, FloatBallSlopes, float_bounds
from verifier.balls.tangents import Tangent, Tangents, TangentSlopes, TwiceDifferentiable
from verifier.balls.tensors import Balls
from verifier.display import Brief
from verifier.network.derivatives import Forward
from verifier.network.differentiable import Differentiable
from verifier.network.network import Array, Network
from verifier.network.reverse import Reverse
from verifier.network.windows import Shape

T = TypeVar("T")

BLOCK_ENTRIES = 1 << 22
"""Entries of derivatives that are made together."""
DIRECTIONS = 64
"""Rows of the Hessian that are made together."""
EXACT_COUNTS = 2**53
"""Label counts up to here are binary64 numbers."""


@dataclass(frozen=True, repr=False)
class Labelled(Brief):
    """Samples ``(N, d)``, label counts ``(N, m)``, frozen logits K ``(N, m)`` or None; all exact."""

    inputs: Array
    counts: Array
    offset: Array | None = None

    @classmethod
    def of(cls, inputs: Array, counts: NDArray[np.int64], offset: Array | None = None) -> Labelled:
        """Take label counts that are whole numbers.

        Raises
        ------
        NotEnclosed
            Their sum is too large for binary64.
        """
        if sum(counts.ravel().tolist()) > EXACT_COUNTS:
            raise NotEnclosed(f"more than {EXACT_COUNTS} samples")
        return cls(inputs, counts.astype(np.float64), offset)

    @property
    def total(self) -> int:
        """The number n of samples, with multiplicities."""
        return int(self.counts.sum())

    def part(self, rows: slice) -> Labelled:
        """The samples of these rows, with their counts of labels and frozen logits."""
        return Labelled(self.inputs[rows], self.counts[rows], None if self.offset is None else self.offset[rows])

    def columns(self) -> list[Array]:
        """The counts, their sums, and K: arrays ``(N, 1, columns)``."""
        found = [self.counts, self.counts.sum(axis=1, keepdims=True)]
        found += [] if self.offset is None else [self.offset]
        return [values[:, None, :] for values in found]


@dataclass(frozen=True, repr=False)
class Hessian(Brief):
    """Midpoints and radii ``(K, K)``, both symmetric, of ``n Hess Phi`` in K free parameters.

    Guarantee: entry by entry, at all parameters that it was made for, ``n Hess Phi`` is within the radii of the
    midpoints; they are finite, and Phi is twice continuously differentiable in all of U and V on a neighbourhood.
    Products that it rests on stand in ``record``.
    """

    middles: Array
    radii: Array
    total: int
    record: Products


def slopes_of_loss(network: Network, engine: Differentiable[T], output: T, columns: list[T]) -> tuple[dict[str, T], T]:
    """Differentiate ``n Phi`` by U and by V, for every sample.

    Parameters
    ----------
    network
        The network.
    engine
        The arithmetic, which has samples and parameters.
    output
        V, ``(M, m)``.
    columns
        What `Labelled.columns` says.

    Returns
    -------
    (dict, T)
        By a parameter's name the derivatives, ``(1, *shape)``, nothing for one that Psi does not depend on; those by V,
        ``(M, m)``. Guarantee: enclosed if the engine encloses.

    Raises
    ------
    NotSmooth
        There may be a kink; the message names the node.
    """
    ops, (counts, totals, *offset) = engine.ops, columns
    forward = Forward(network, Reverse(engine))
    psi, places = forward.psi(), np.arange(network.columns)
    logits = ops.contract(ops.gather([psi], places[None]), output)
    for frozen in offset:
        logits = ops.add(logits, frozen)
    expected = ops.multiply(ops.softmax(logits, None), totals)
    residual = ops.add(expected, ops.scale(counts, Fraction(-1)))  # (1, m)
    slopes = forward.back(ops.contract(residual, output, transposed=True))
    return slopes, ops.contract(ops.gather([psi], places[:, None]), residual)


def enclose_gradient(
    network: Network, u: Array, v: Array, samples: Labelled, free: NDArray[np.int64], precision: int = 128
) -> list[arb]:
    """Enclose the derivatives of Phi by the free parameters at a point.

    Parameters
    ----------
    network, u, v
        The network and the point, shapes ``(p,)`` and ``(M, m)``.
    samples
        The samples.
    free
        Numbers of the parameters.
    precision
        Arb's working precision in bits.

    Returns
    -------
    list of arb
        Guarantee: each ball contains the derivative, or is not finite.

    Raises
    ------
    NotSmooth
        There may be a kink; the message names the node.
    """
    with working_precision(precision):
        ops = BallArithmetic(samples.inputs, lambda name, shape: _balls(network.view(u, name)))
        slopes, by_v = slopes_of_loss(network, BallSlopes(ops), _balls(v), _ball_columns(samples))
        found = [arb(0)] * (len(u) + v.size)
        for view in network.parameters:
            if view.name in slopes:
                found[view.offset : view.offset + view.spec.size] = _summed(slopes[view.name], len(samples.inputs))
        found[len(u) :] = _summed(by_v, len(samples.inputs))
        return [found[k] / samples.total for k in free.tolist()]


def enclose_loss(network: Network, u: Array, v: Array, samples: Labelled, precision: int = 128) -> arb:
    """Enclose the cross-entropy Phi at a point (U, V) in Arb.

    Parameters
    ----------
    network, u, v, samples, precision
        As for `enclose_gradient`.

    Returns
    -------
    arb
        Guarantee: the ball contains Phi, or is not finite.
    """
    features = FeatureEnclosure(network, u, samples.inputs, precision)
    total = arb(0)
    with working_precision(precision):
        weights = arb_mat(v.tolist())
        for rows, block in features.blocks():
            for i, line in enumerate((block * weights).tolist(), rows.start):
                frozen = [0.0] * v.shape[1] if samples.offset is None else samples.offset[i].tolist()
                row = [logit + k for logit, k in zip(line, frozen, strict=True)]
                for label, count in enumerate(samples.counts[i].tolist()):
                    if count:
                        total += int(count) * sample_loss([row[label] - g for k, g in enumerate(row) if k != label])
        return total / samples.total


@np.errstate(all="ignore")
def enclose_hessian(
    network: Network,
    where: Parameters,
    samples: Labelled,
    free: NDArray[np.int64],
    backend: Backend | None,
    precision: int = 64,
) -> Hessian:
    """Enclose ``n Hess Phi`` in the free parameters.

    Parameters
    ----------
    network, where, backend, precision
        As for `enclose_jacobian`.
    samples
        The samples.
    free
        Numbers of the parameters, increasing.

    Returns
    -------
    Hessian
        Guarantee: see there.

    Raises
    ------
    NotSmooth
        There may be a kink; the message names the node.
    NotEnclosed
        Something has no finite enclosure.
    """
    record, size = Products(), len(free)
    middles, radii = np.zeros((size, size)), np.zeros((size, size))
    largest = max([where.size, *(math.prod(shape) for shape in network.node_shapes)])
    step = max(1, BLOCK_ENTRIES // (min(DIRECTIONS, size) * largest))
    shared = None if backend is None else Shared(backend, record, network.views(where.u))
    for start in range(0, size, DIRECTIONS):
        rows = slice(start, min(start + DIRECTIONS, size))
        parts = []
        for first in range(0, len(samples.inputs), step):
            block = samples.part(slice(first, first + step))
            if shared is None:
                parts.append(_by_arb(network, where, block, free, rows, precision))
            else:
                parts.append(_in_binary64(network, where, block, free, rows, shared))
        middle, radius = (np.array(values) for values in zip(*parts, strict=True))
        middles[rows] = middle.sum(axis=0)
        radii[rows] = upper(radius.sum(axis=0) + gamma(len(parts)) * np.abs(middle).sum(axis=0), len(parts) + 2)
    if not (np.isfinite(middles).all() and np.isfinite(radii).all()):
        raise NotEnclosed("a second derivative has no finite enclosure")
    require_products(record)
    sharper = (radii < radii.T) | ((radii == radii.T) & np.tri(size, dtype=bool))  # of two enclosures of one number
    middles, radii = (np.where(sharper, values, values.T) for values in (middles, radii))
    return Hessian((middles + TINY) - TINY, upper(radii, 0) + 2 * TINY, samples.total, record)


Part = tuple[Array, Array]
"""Midpoints and radii of one shape."""


def _one_hot(network: Network, free: NDArray[np.int64], v: Array) -> Iterator[tuple[str | None, Array]]:
    """The directions of some free parameters, ``(K, *shape)``, by a parameter's name; None for V."""
    for view in network.parameters:
        numbers = np.arange(view.offset, view.offset + view.spec.size)
        if np.isin(numbers, free).any():
            yield view.name, (free[:, None] == numbers).astype(np.float64).reshape(-1, *view.spec.shape)
    numbers = np.arange(network.parameter_count, network.parameter_count + v.size)
    if np.isin(numbers, free).any():
        yield None, (free[:, None] == numbers).astype(np.float64).reshape(-1, *v.shape)


def _tangent_slopes(
    network: Network,
    engine: TwiceDifferentiable[T],
    output: T,
    columns: list[T],
    directions: Mapping[str | None, T],
    count: int,
) -> dict[str | None, T]:
    """The derivatives of `slopes_of_loss` along K directions, ``(K, any shape)`` for each sample."""
    ops = Tangents(engine, {name: along for name, along in directions.items() if name is not None}, count)
    fixed = [Tangent(values) for values in columns]
    slopes, by_v = slopes_of_loss(network, TangentSlopes(ops), Tangent(output, directions.get(None)), fixed)
    found: dict[str | None, T] = {name: slope.along for name, slope in slopes.items() if slope.along is not None}
    if by_v.along is not None:
        found[None] = by_v.along
    return found


def _rows(network: Network, v: Array, free: NDArray[np.int64], found: Mapping[str | None, Part], count: int) -> Part:
    """Rows of the Hessian, ``(K, len(free))``, from the derivatives by names."""
    size = network.parameter_count
    middle, radius = np.zeros((count, size + v.size)), np.zeros((count, size + v.size))
    spans = {None: slice(size, size + v.size)} | {
        view.name: slice(view.offset, view.offset + view.spec.size) for view in network.parameters
    }
    for name, (own, reach) in found.items():
        middle[:, spans[name]], radius[:, spans[name]] = own.reshape(count, -1), reach.reshape(count, -1)
    return middle[:, free], radius[:, free]


def _in_binary64(
    network: Network, where: Parameters, samples: Labelled, free: NDArray[np.int64], rows: slice, shared: Shared
) -> Part:
    with np.errstate(all="ignore"):
        ops = BoxOfFloatBalls(shared, samples.inputs, network.views(where.reach_u))
        output = ops.constant(where.v)
        if where.reach_v.any():
            reach = ops.backend.asarray(where.reach_v[None])
            output = Enclosed(output.mid, reach if output.each is None else upper(reach + output.each, 2))
        columns = [FloatBalls(shared, values).input(values.shape[1:]) for values in samples.columns()]
        directions = {
            name: Enclosed(ops.backend.asarray(along[None])) for name, along in _one_hot(network, free[rows], where.v)
        }
        count, n = rows.stop - rows.start, len(samples.inputs)

        def numbers(x: Enclosed) -> Part:
            mid = ops.backend.numpy(x.mid)
            bound = bound_of_entries(ops.xp, x, len(x.shape))
            radius = np.asarray(bound) if isinstance(bound, float) else ops.backend.numpy(bound)
            mid, radius = (np.broadcast_to(values, (n, *mid.shape[1:])) for values in (mid, radius))
            lost = gamma(n) * np.abs(mid).sum(axis=0)
            return mid.sum(axis=0), upper(radius.sum(axis=0) + lost, n + 2)

        slopes = _tangent_slopes(network, FloatBallSlopes(ops), output, columns, directions, count)
        return _rows(network, where.v, free, {name: numbers(slope) for name, slope in slopes.items()}, count)


def _by_arb(
    network: Network, where: Parameters, samples: Labelled, free: NDArray[np.int64], rows: slice, precision: int
) -> Part:
    def parameter(name: str, shape: Shape) -> Balls:
        return _balls(network.view(where.u, name), network.view(where.reach_u, name))

    with working_precision(precision):
        ops = BallArithmetic(samples.inputs, parameter)
        output = _balls(where.v, where.reach_v)
        directions = {name: _balls(along) for name, along in _one_hot(network, free[rows], where.v)}
        count, n = rows.stop - rows.start, len(samples.inputs)

        def numbers(x: Balls) -> Part:
            pairs = np.array([float_bounds(z) for z in _summed(x, n)])
            return pairs[:, 0], pairs[:, 1]

        slopes = _tangent_slopes(network, BallSlopes(ops), output, _ball_columns(samples), directions, count)
        return _rows(network, where.v, free, {name: numbers(slope) for name, slope in slopes.items()}, count)


def _balls(middle: Array, reach: Array | None = None) -> Balls:
    """One row of balls around the numbers of an array."""
    if reach is None or not reach.any():
        return Balls(1, middle.shape, [arb(m) for m in middle.ravel().tolist()])
    pairs = zip(middle.ravel().tolist(), reach.ravel().tolist(), strict=True)
    return Balls(1, middle.shape, [arb(m, r) for m, r in pairs])


def _ball_columns(samples: Labelled) -> list[Balls]:
    found = samples.columns()
    return [Balls(len(x), x.shape[1:], [arb(value) for value in x.ravel().tolist()]) for x in found]


def _summed(x: Balls, count: int) -> list[arb]:
    """Sums over the samples, entry by entry; one row stands for all of them."""
    if x.rows == 1:
        return [z * count for z in x.entries]
    return [sum(x.entries[k :: x.size], arb(0)) for k in range(x.size)]
