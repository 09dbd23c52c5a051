r"""S.path: leave a rank-deficient start at exactly constant loss, by units that nothing reads; no analyticity.

Let all features be rational numbers at U0, computed exactly, and let L be a dense layer of units that are columns of
Psi and that no node reads. If F is a column basis of Psi(U0), found and proved exactly, then one V' that is 0 outside F
has ``Psi_F V'_F = Psi V0``. On the straight way from V0 to V' no logit changes. The units of L outside F are then free:
their rows of V' are 0 and nothing reads them, so that their weights and biases move anywhere at constant loss, even if
their activation has kinks. Random values with kinks among the samples, or N parallel units with a kink between any two
neighbours (Theorem S), give features from which P1 leads down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.linalg
from flint import arb_mat, fmpz_mat, nmod_mat

from verifier.balls.exact import ExactArray
from verifier.balls.precision import working_precision
from verifier.display import count
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.escape_start import Start, descend_from
from verifier.landscape.legs import Leg, StraightLeg, exact_midpoints
from verifier.landscape.path import Path
from verifier.network.flags import flags_of
from verifier.network.forward import approx_nodes
from verifier.network.initialise import portable_gaussian
from verifier.network.network import Array, Network
from verifier.network.units import DenseUnits, unread_units
from verifier.rank.exact_arithmetic import TooLargeError, not_rational
from verifier.rank.modular import modular_rank
from verifier.rank.rational import PRIME, RationalFeatures, exact_rank, rational_features

MOVES = 4_000_037
"""Stream of the random numbers that the units that move get."""
TRIALS = 3
"""Random ends that are tried before parallel units."""
DIGITS = 192
"""Bits to which V' is found: far more than float64 has."""
RANK_SECONDS = 30.0
"""How long the proof of the exact rank may be predicted to take."""
ROUNDS = 40
"""Most rounds of refinement."""
SOLVE_WORK = 3e8
"""Multiply-adds of balls that V' may cost where refinement in floating point does not converge."""

Rows = Sequence[Sequence[int]]


def move_unread_units(start: Start) -> Escape | str:
    """Certify S.path: V goes to a column basis, then units that nothing reads move; else say why not.

    Guarantee: an escape implies that the loss is constant on both of its legs, and P1 from their end.

    Parameters
    ----------
    start : Start
        Network, data and point.

    Returns
    -------
    Escape or str
        The escape, or the reason.
    """
    network = start.network
    node = not_rational(network)
    if node is not None:
        return f"does not apply: {node}"
    layer = max(unread_units(network), key=lambda units: len(units.skip), default=None)
    if layer is None:
        return "no dense layer of trained units of their own is read by nothing but the output"
    partial = flags_of(network).undefined
    if partial:
        return f"Psi is not proved to be defined at every U: {partial[0]}"
    values = rational_features(network, start.u, start.inputs)
    if isinstance(values, str):
        return f"the features are not computed as rational numbers: {values}"
    if not (values.rational and values.followed):
        return "the features at this U are not all rational numbers of moderate length"
    try:
        rank = exact_rank(values, RANK_SECONDS)
    except TooLargeError as error:
        return str(error)
    if not rank.exact:
        return f"the exact rank would take about {rank.seconds:.0f} s to prove"
    if rank.rank == len(start.inputs):
        return "the features have full rank at this U already"
    basis = column_basis(values, rank.rank, network.output_bias)
    if basis is None:
        return "no column basis was found whose rank modulo a prime is the exact rank"
    moving = np.array([unit for column, unit in _columns_of(network, layer).items() if column not in set(basis)])
    if not moving.size:
        return "all units of the last layer are needed to carry the logits"
    weights = carried_by(values, basis, start.v)
    if weights is None:
        return "the output weights that carry the logits are too ill-conditioned to be computed"
    reason = ""
    for trial in range(TRIALS + 1):
        end = _moved(start, layer, moving, trial)
        tail = descend_from(start, end, weights, kept=True)
        if isinstance(tail, Path):
            return Escape("S.path", start.u, start.weights, tail, _legs(start, weights, end, tail), primes=rank.primes)
        reason = f"{count(len(moving), 'unit')} can move at constant loss, but {tail}"
    return reason + _equal_pair(start, layer)


def column_basis(values: RationalFeatures, rank: int, output_bias: bool) -> list[int] | None:
    """Columns of Psi that are a basis of its column space, with the output bias, if there is one.

    Parameters
    ----------
    values
        Psi in rational numbers, ``(N, M)``.
    rank
        Its exact rank.
    output_bias
        Whether the last column is that of an output bias.

    Returns
    -------
    list of int or None
        Guarantee: as many columns as the rank, in increasing order, independent over the rationals. None if there are
        fewer modulo a prime.
    """
    rows, _ = values.expanded()
    floats = _columns_to_floats(rows)
    last = [len(rows[0]) - 1] if output_bias else []
    if output_bias:
        floats = floats - floats.mean(axis=0)
    order = scipy.linalg.qr(floats, mode="r", pivoting=True, check_finite=False)[1].tolist()
    found = sorted([*last, *[column for column in order if column not in last][: rank - len(last)]])
    if modular_rank([[row[k] for k in found] for row in rows], PRIME) == rank:
        return found
    found = _leading_columns(rows, [*last, *range(len(rows[0]) - len(last))])
    return found if len(found) == rank else None


def _leading_columns(rows: Rows, order: Sequence[int]) -> list[int]:
    """Columns that are independent of those before, modulo a prime: as many as its rank there."""
    flat = [row[k] % PRIME for row in rows for k in order]
    echelon, rank = nmod_mat(len(rows), len(order), flat, PRIME).rref()
    table, found, column = echelon.tolist(), list[int](), 0
    for row in table[:rank]:
        while int(row[column]) == 0:
            column += 1
        found.append(order[column])
    return sorted(found)


def _columns_to_floats(rows: Rows) -> Array:
    """The columns, each divided by its largest entry."""
    found = []
    for column in zip(*rows, strict=True):
        largest = max(map(abs, column)) or 1
        found.append([value / largest for value in column])
    return np.array(found).T


def _columns_of(network: Network, layer: DenseUnits) -> dict[int, int]:
    """The columns of Psi that are units of the layer, each with its unit."""
    found, start = dict[int, int](), 0
    for feature in network.features:
        size = math.prod(network.node_shapes[feature.node])
        entries = range(size) if feature.entries is None else feature.entries
        if feature.node == layer.node:
            found |= {start + k: unit for k, unit in enumerate(entries)}
        start += len(entries)
    return found


def carried_by(values: RationalFeatures, basis: Sequence[int], v: Array) -> ExactArray | None:
    """V' with ``Psi V' = Psi V`` that is 0 outside a column basis, to many bits.

    Parameters
    ----------
    values
        Psi in rational numbers, ``(N, M)``.
    basis
        Columns that are a basis of its column space.
    v
        V, ``(M, m)``.

    Returns
    -------
    ExactArray or None
        Approximations of shape ``(M, m)``; they prove nothing. None if they were not found.
    """
    rows, _ = values.expanded()
    others = [column for column in range(len(v)) if column not in set(basis) and v[column].any()]
    kept, exponent = ExactArray.of_floats(v[basis]).integers()
    if not others or not basis:
        return _stacked(kept, exponent, basis, v.shape)
    floats = _columns_to_floats([[row[k] for k in basis] for row in rows])
    lines = scipy.linalg.qr(floats.T, mode="r", pivoting=True, check_finite=False)[1][: len(basis)].tolist()
    square = [[rows[i][k] for k in basis] for i in lines]
    weights, shift = ExactArray.of_floats(v[others]).fmpz_mat()
    right = fmpz_mat([[rows[i][k] for k in others] for i in lines]) * weights
    solved = _refined(square, right) or _solved(square, right)
    if solved is None:
        return None
    more, low = solved
    low += shift
    least = min(low, exponent)
    total = [(a << (exponent - least)) + (b << (low - least)) for a, b in zip(kept, more, strict=True)]
    return _stacked(total, least, basis, v.shape)


def _stacked(numerators: Sequence[int], exponent: int, basis: Sequence[int], shape: tuple[int, ...]) -> ExactArray:
    """Rows of output weights at the columns of a basis, zeros at the others."""
    rows, classes = shape
    flat = [0] * (rows * classes)
    for place, column in enumerate(basis):
        flat[column * classes : (column + 1) * classes] = numerators[place * classes : (place + 1) * classes]
    return ExactArray.of_integers(flat, (rows, classes), exponent)


def _refined(square: Rows, right: fmpz_mat) -> tuple[list[int], int] | None:
    """A solution of ``square x = right``, as integers and an exponent, by refinement of a factorisation in binary64."""
    whole, size, classes = fmpz_mat([list(row) for row in square]), len(square), right.ncols()
    heights = [max(abs(value) for value in row).bit_length() for row in square]
    widths = [
        max(abs(value).bit_length() - height for value, height in zip(column, heights, strict=True))
        for column in zip(*square, strict=True)
    ]
    scaled = [
        [_float(value, height + width) for value, width in zip(row, widths, strict=True)]
        for row, height in zip(square, heights, strict=True)
    ]
    with np.errstate(all="ignore"):
        factors = scipy.linalg.lu_factor(np.array(scaled), check_finite=False)
    found, places, before = fmpz_mat(size, classes), 0, math.inf
    for turn in range(ROUNDS):
        rest = (right * (1 << places) - whole * found).tolist()
        tops = [max(abs(int(value)).bit_length() for value in row) - h for row, h in zip(rest, heights, strict=True)]
        top = max(tops)
        floats = [[_float(int(value), h + top) for value in row] for row, h in zip(rest, heights, strict=True)]
        step = scipy.linalg.lu_solve(factors, np.array(floats), check_finite=False)
        if not np.isfinite(step).all():
            return None
        sizes = [math.frexp(float(np.abs(row).max()))[1] - width for row, width in zip(step, widths, strict=True)]
        if turn == 0:  # now the size of the solution is known
            places = max(0, DIGITS - top - max(sizes))
            top += places
        change = [_rounded(float(y), top - width) for row, width in zip(step, widths, strict=True) for y in row]
        found += fmpz_mat(size, classes, change)
        largest = max(map(abs, change)).bit_length()
        if largest <= 1:
            return list(map(int, found.entries())), -places
        if largest >= before:
            return None
        before = largest
    return None


def _float(value: int, exponent: int) -> float:
    """Return ``value / 2^exponent``, rounded to the nearest float."""
    return value / (1 << exponent) if exponent >= 0 else float(value << -exponent)


def _rounded(value: float, exponent: int) -> int:
    """Return the largest integer that is at most ``value * 2^exponent``."""
    above, below = value.as_integer_ratio()
    return (above << exponent) // below if exponent >= 0 else above // (below << -exponent)


def _solved(square: Rows, right: fmpz_mat) -> tuple[list[int], int] | None:
    """A solution of ``square x = right``, as integers and an exponent, in balls of more and more bits."""
    bits, size = 512, len(square)
    while size**2 * (size + right.ncols()) * bits / 512 <= SOLVE_WORK:
        with working_precision(bits):
            try:
                found = arb_mat(fmpz_mat([list(row) for row in square])).solve(arb_mat(right))
            except ZeroDivisionError:
                bits *= 2
                continue
            sizes = [entry.abs_upper() for entry in found.entries()]
            wide = max((entry.rad() for entry in found.entries()), default=0)
            if wide * (1 << DIGITS) <= max(sizes, default=0):
                return exact_midpoints(found.tolist()).integers()
        bits *= 2
    return None


def _equal_pair(start: Start, layer: DenseUnits) -> str:
    """Name two samples of different classes that are equal in what a layer reads, as floating point sees it."""
    first: dict[bytes, int] = {}
    for i, row in enumerate(_read(start, layer) + 0.0):
        mate = first.setdefault(row.tobytes(), i)
        if start.labels[mate] != start.labels[i]:
            return f": samples {mate} and {i}, of different classes, are equal in what these units read"
    return ""


def _read(start: Start, layer: DenseUnits) -> Array:
    """What a layer's units read, ``(N, q)``, in floating point."""
    parts = approx_nodes(start.network, start.u, start.inputs, layer.sources)
    rows = (np.broadcast_to(parts[k], (len(start.inputs), *parts[k].shape[1:])) for k in layer.sources)
    return np.hstack([part.reshape(len(part), -1) for part in rows])


@np.errstate(all="ignore")
def _moved(start: Start, layer: DenseUnits, moving: Array, trial: int) -> Array:
    """U with other weights and biases of some units: kinks among the samples, as far as they have any.

    In the last trial all of them have one direction, and their kinks lie between neighbours along it (Theorem S).
    """
    read = _read(start, layer)
    end, units = start.u.copy(), len(moving)
    views = start.network.views(end)
    draws = portable_gaussian(start.seed, (MOVES, trial), units * read.shape[1] + units)
    directions = draws[: units * read.shape[1]].reshape(units, -1)
    if trial == TRIALS:
        directions = np.broadcast_to(directions[0], directions.shape)
    spread = max(float(np.sqrt(((read - read.mean(axis=0)) ** 2).sum(axis=1).mean())), 1e-30)
    weights = (directions / spread).astype(np.float32).astype(np.float64)
    along = np.sort(read @ weights.T, axis=0)
    places = (np.arange(units) % len(read)) if trial == TRIALS else (draws[-units:].argsort() % len(read))
    upper, lower = along[places, np.arange(units)], along[np.maximum(places - 1, 0), np.arange(units)]
    kinks = np.where(places == 0, upper - 1.0, (upper + lower) / 2)
    views[layer.weight][moving] = weights.reshape(views[layer.weight][moving].shape)
    views[layer.bias][moving] = -kinks
    return end


def _legs(start: Start, weights: ExactArray, end: Array, tail: Path) -> tuple[Leg, ...]:
    """V goes to V', then the units that nothing reads move."""
    u, kept = start.u, tail.start_margins
    return (
        StraightLeg(
            "V goes to features that span all of Psi, the loss is constant (S)", u, u, start.weights, weights, kept
        ),
        StraightLeg("units that nothing reads move, the loss is constant (S)", u, end, weights, weights, kept),
    )
