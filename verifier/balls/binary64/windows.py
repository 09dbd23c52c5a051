r"""Affine nodes in binary64: windows of the sources times weights, one product for each group of filters.

A position p of a sample reads h, a row of k numbers within d of the exact ones, and unit j gives ``z_j = <W_j, h> +
b_j``. With ``eta = ||h||_2`` and weights and biases within E and e of the exact ones,

.. math:: |z_j - Z_j| \le \sum_l |W_{jl}| |d_l| + \|E_j\| (\eta + \|d\|) + |e_j|
    + \gamma_{k+3} (\eta \|W_j\|_2 + |b_j|) + 2^{-960},

    \|z - Z\|_2 \le \|W\|_2 \|d\|_2 + \|E\|_F (\eta + \|d\|) + \|e\| + \gamma_{k+3} (\eta \|W\|_F + \|b\|) + n 2^{-960}

(Cauchy and Schwarz; a term passes k + 2 roundings in its product and one more; where midpoints are not binary64
numbers, `Numbers.slack` stands for ``gamma``). The first is kept where one bound per
entry is known for all samples: ``eta`` is then the largest, and the bounds cost a matrix-vector product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from verifier.balls.binary64.backend import Array
from verifier.balls.binary64.bounds import TINY, upper
from verifier.balls.binary64.enclosed import Enclosed, bound_of_entries, bound_of_norm, over_rows, two_norm
from verifier.balls.binary64.moved import cells_of
from verifier.balls.binary64.numbers import Number
from verifier.network.arithmetic import Geometry

if TYPE_CHECKING:
    from verifier.balls.binary64.graph_arithmetic import FloatBalls

SPREAD_ENTRIES = 1 << 24
"""Products of weights and radii in memory at a time."""

NORM_ENTRIES = 1 << 18
"""Squares in memory at a time."""


def affine(
    ops: FloatBalls, geometry: Geometry, sources: Sequence[Enclosed], weight: Enclosed, bias: Enclosed | None
) -> Enclosed:
    """Enclose an affine node: windows of the sources times weights, plus biases.

    Parameters
    ----------
    ops : FloatBalls
        The engine.
    geometry, sources, weight, bias
        As `Arithmetic.affine`.

    Returns
    -------
    Enclosed
        Guarantee: as the module says; a norm for each sample and position, over the units, and where the sources have
        them one bound per entry for all samples.
    """
    xp, shape, numbers = ops.xp, geometry.shape, ops.numbers
    groups = 1 if geometry.windows is None else len(geometry.windows)
    per = geometry.filters // groups
    flat = numbers.alike(lambda part: xp.reshape(part, (geometry.filters, -1)), weight.mid)
    k = int(flat.shape[1])
    slack = numbers.slack(3, product=k)
    shift, shift_error = _biases(ops, geometry, bias)
    exact = all(v.exact for v in sources)
    common = all(v.common for v in sources) and weight.common and (bias is None or bias.common)
    mids, norms, eaches = [], [], []
    for group, (patches, entries, moved) in enumerate(_patches(ops, geometry, sources, common)):
        part = slice(group * per, (group + 1) * per)
        own = flat if groups == 1 else numbers.alike(lambda values, part=part: values[part, :], flat)
        moved_by = None if shift is None else numbers.alike(lambda values, part=part: values[:, :, part], shift)
        eb = None if shift_error is None else shift_error[:, :, part]
        product = numbers.matmul(patches, numbers.alike(lambda values: values.T, own))
        rows = int(product.shape[0]) // geometry.positions
        product = numbers.alike(lambda values, rows=rows: xp.reshape(values, (rows, geometry.positions, per)), product)
        mids.append(product if moved_by is None else numbers.add(product, moved_by, overwrite=True))
        w, b = numbers.head(own), None if moved_by is None else numbers.head(moved_by)
        eta = xp.reshape(row_norms(ops, numbers.head(patches)), (rows, geometry.positions, 1))
        sizes = two_norm(xp, xp.reshape(w, (1, per, k)), (1,))  # (1, per, 1)
        whole = two_norm(xp, sizes, (0,))
        error = None if weight.exact else _weight_errors(ops, weight, part, per)
        norm = slack * (eta * whole + (0.0 if b is None else two_norm(xp, b, (1,)))) + TINY * per
        if not exact:
            norm = norm + moved * _norm_of(ops, weight.mid, own, group, common and _slight(ops, moved, eta))
        if error is not None:
            norm = norm + two_norm(xp, error, (0,)) * (eta + moved)
        if eb is not None:
            norm = norm + two_norm(xp, eb, (1,))
        norms.append(upper(norm, 16))
        if common:
            most = over_rows(xp, eta)
            each = slack * (most * xp.reshape(sizes, (1, 1, per)) + (0.0 if b is None else xp.abs(b)))
            if entries is not None:
                each = each + _spread(ops, w, entries)
            if error is not None:
                each = each + xp.reshape(error, (1, 1, per)) * (most + (0.0 if exact else over_rows(xp, moved)))
            if eb is not None:
                each = each + eb
            eaches.append(upper(each, 16))
    mid = numbers.alike(lambda *parts: _in_order(ops, geometry, *parts), *mids)
    each = _in_order(ops, geometry, *eaches) if eaches else None
    whole = norms[0] if groups == 1 else two_norm(xp, xp.concat(norms, axis=2), (1,))  # (rows, positions, 1)
    if geometry.filters_first:
        return ops.made(mid, each, xp.reshape(whole, (whole.shape[0], 1, *shape[1:])), (0,), look=False)
    norm = xp.reshape(whole, (whole.shape[0], *shape[:-1], 1))
    return ops.made(mid, each, norm, (len(shape) - 1,), look=False)


def row_norms(ops: FloatBalls, values: Array) -> Array:
    """Bound the 2-norms of a matrix's rows from above.

    Guarantee: each is at least the norm; NaN or infinity where a sum of squares overflows.

    Parameters
    ----------
    ops : FloatBalls
        The engine.
    values : ndarray of shape (n, k)
        The matrix.

    Returns
    -------
    ndarray of shape (n,)
        The bounds.
    """
    xp, (count, k) = ops.xp, (int(n) for n in values.shape)
    step = max(1, NORM_ENTRIES // max(1, k))
    parts = [
        xp.sum(part * part, axis=1) for part in (values[s : min(s + step, count), :] for s in range(0, count, step))
    ]
    return upper(xp.sqrt((parts[0] if len(parts) == 1 else xp.concat(parts)) + TINY), k)


def _biases(ops: FloatBalls, geometry: Geometry, bias: Enclosed | None) -> tuple[Number | None, Array | None]:
    """Biases and their errors, ``(1, positions or 1, filters)``."""
    if bias is None:
        return None, None
    xp = ops.xp

    def ordered(values: Array) -> Array:
        if math.prod(bias.shape) == geometry.filters:
            return xp.reshape(values, (1, 1, geometry.filters))
        if geometry.filters_first:
            return xp.permute_dims(xp.reshape(values, (1, geometry.filters, geometry.positions)), (0, 2, 1))
        return xp.reshape(values, (1, geometry.positions, geometry.filters))

    mid = ops.numbers.alike(ordered, bias.mid)
    if bias.exact:
        return mid, None
    error = bound_of_entries(xp, bias, len(bias.shape))
    return mid, ordered(xp.broadcast_to(error, bias.mid.shape))


def _patches(
    ops: FloatBalls, geometry: Geometry, sources: Sequence[Enclosed], common: bool
) -> Iterator[tuple[Number, Array | None, Array]]:
    """Return what each position reads of a row, group by group.

    Yields
    ------
    (patches, entries, norms)
        Midpoints ``(rows * positions, k)``; bounds of each entry's error for all samples, ``(positions, k)``, if
        ``common`` and not exact; bounds of the patches' errors ``(rows or 1, positions, 1)``.
    """
    xp, positions, numbers = ops.xp, geometry.positions, ops.numbers
    if geometry.padded:
        sources = [*sources, Enclosed(numbers.given(np.zeros((1, 1))))]
    rows = max(int(v.mid.shape[0]) for v in sources)
    row = numbers.concatenated([numbers.alike(lambda part: ops.flat(part, rows), v.mid) for v in sources])
    exact = all(v.exact for v in sources)
    each = None
    if common and not exact:
        pieces = [xp.zeros((1, math.prod(v.shape)), dtype=xp.float64) if v.each is None
                  else ops.flat(xp.broadcast_to(v.each, (1, *v.shape)), 1) for v in sources]  # fmt: skip
        each = pieces[0] if len(pieces) == 1 else xp.concat(pieces, axis=1)
    none = xp.zeros((1, positions, 1), dtype=xp.float64)
    places = None if geometry.windows is None else np.asarray(geometry.windows)
    whole = places is None or (not geometry.filters_first)
    for group in range(1 if places is None else len(places)):
        window = None if places is None else places[group]
        if whole:
            patches = numbers.alike(lambda part: xp.reshape(part, (rows * positions, -1)), row)
            entries = None if each is None else xp.reshape(each, (positions, -1))
        else:
            chosen = xp.asarray(np.ascontiguousarray(window).ravel())

            def read(part: Array, chosen: Array = chosen) -> Array:
                return xp.reshape(xp.take(part, chosen, axis=1), (int(part.shape[0]) * positions, -1))

            patches, entries = numbers.alike(read, row), None if each is None else read(each)
        yield patches, entries, none if exact else _patch_norms(ops, sources, window, positions)


def _patch_norms(ops: FloatBalls, sources: Sequence[Enclosed], window: object, positions: int) -> Array:
    """Bounds of the 2-norms of the patches' errors, ``(rows or 1, positions, 1)``."""
    xp = ops.xp
    if window is None:
        squares: Array | float = 0.0
        for v in sources:
            norm = bound_of_norm(xp, v, v.shape, tuple(range(len(v.shape))))
            squares = squares + (norm if isinstance(norm, float) else xp.reshape(norm * norm, (-1, 1, 1)))
        return upper(xp.sqrt(squares + TINY), len(sources) + 4)
    bounds = [ops.cells(v) for v in sources]
    cells = cells_of([tuple(b.shape[1:]) for b in bounds], [v.shape for v in sources], np.asarray(window), (1,))
    most = max(int(b.shape[0]) for b in bounds)
    joined = [ops.flat(b, most) for b in bounds]
    norms = cells.norms(xp, joined[0] if len(joined) == 1 else xp.concat(joined, axis=1))
    return xp.reshape(norms, (norms.shape[0], positions, 1))


def _weight_errors(ops: FloatBalls, weight: Enclosed, part: slice, per: int) -> Array:
    """Bounds of the 2-norms of the errors of each filter's weights, ``(1, per, 1)``."""
    shape = weight.shape
    found = bound_of_norm(ops.xp, weight, shape, tuple(range(1, len(shape))))
    whole = ops.xp.broadcast_to(ops.xp.reshape(found, (1, -1)), (1, shape[0]))
    return ops.xp.reshape(whole[:, part], (1, per, 1))


def _slight(ops: FloatBalls, moved: Array, eta: Array) -> bool:
    """Whether errors are so small that a norm of the weights costs more than it is worth."""
    return float(ops.xp.max(moved)) <= ops.numbers.slight * float(ops.xp.max(eta))


def _norm_of(ops: FloatBalls, whole: Number, part: Number, group: int, rough: bool) -> float:
    """``||W||_2`` from above, once for each group of a weight."""
    key = id(whole), group, rough
    if key not in ops.shared.spectral:
        ops.shared.spectral[key] = whole, ops.numbers.spectral_norm(part, rough=rough)
    return ops.shared.spectral[key][1]


def _spread(ops: FloatBalls, weight: Array, entries: Array) -> Array:
    """``sum_l |W_jl| q_pl``, shape (1, positions, filters), from entries q, ``(positions, k)``."""
    xp, (filters, k) = ops.xp, (int(n) for n in weight.shape)
    size, step = xp.abs(weight), max(1, SPREAD_ENTRIES // (filters * k))
    positions = int(entries.shape[0])
    parts = [
        xp.sum(size[None, :, :] * entries[start : min(start + step, positions), :][:, None, :], axis=2)
        for start in range(0, positions, step)
    ]
    found = parts[0] if len(parts) == 1 else xp.concat(parts, axis=0)
    return xp.reshape(upper(found, k), (1, -1, filters))


def _in_order(ops: FloatBalls, geometry: Geometry, *parts: Array) -> Array:
    """From ``(rows, positions, filters of a group)`` to the result's shape."""
    xp = ops.xp
    whole = parts[0] if len(parts) == 1 else xp.concat(list(parts), axis=2)
    if geometry.filters_first and geometry.positions > 1:
        whole = ops.backend.contiguous(xp.permute_dims(whole, (0, 2, 1)))
    return xp.reshape(whole, (whole.shape[0], *geometry.shape))
