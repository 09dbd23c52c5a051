"""What pictures of two joined networks are drawn from: certified bounds, and samples in floating point beside them.

Everything is computed once, and may be drawn several times.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verifier.balls.exact import upper_float
from verifier.balls.precision import working_precision
from verifier.connect import Joined
from verifier.data.dataset import Dataset
from verifier.errors import InputError
from verifier.landscape.approx_loss import Point, approx_loss_of, approx_losses_on_line
from verifier.landscape.connection import Piece
from verifier.landscape.line_barrier import with_labels
from verifier.network.forward import approx_features
from verifier.network.network import Array
from verifier.plot.slices import losses_on_plane
from verifier.plot.surface import Projection, project

END = 0.15
"""Share of the picture's width that each end's segment of V takes."""
SMALLEST = 1e-290
"""Losses below this are not drawn: binary64 ends at 1e-308."""
LINE_POINTS = 65
"""Samples of the straight line."""
CHORD_POINTS = 129
"""Points of a chord, which is curved on a logarithmic axis."""
MARGIN_POINTS, FEWEST, MOST = 300, 3, 9
"""Samples of the margins on all pieces together, about, and at least and at most on one piece."""
PLACES = 160
"""Points of the path that are projected onto the plane, about."""
ROOM = 0.25
"""How far the plane reaches beyond what it shows, as a share of it."""
SAME_U = "both networks have the same U: V moves alone on the straight line, and the path has no pieces to draw"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the path in the picture: where it begins and ends, which piece it is, and its first and last point."""

    begins: float
    ends: float
    piece: Piece | None
    first: Point
    last: Point


@dataclass(frozen=True, slots=True)
class LossSamples:
    """The loss on both ways.

    Guarantee: on the path the loss is at most ``tops``, in stairs, at every one of the ``xs`` and between them; ``low``
    and ``high`` are upper bounds of the smaller and the larger end loss. What is sampled, ``losses`` at ``times`` and
    ``line`` at ``line_times``, is floating point.
    """

    xs: Array
    tops: Array
    low: float
    high: float
    borders: tuple[float, ...]
    times: Array
    losses: Array
    line_times: Array
    line: Array


@dataclass(frozen=True, slots=True)
class MarginSamples:
    """The smallest margin of each piece's V, in floating point: piece, where it is, ``(xs, margins)``."""

    pieces: tuple[tuple[Piece, Array, Array], ...]


@dataclass(frozen=True, slots=True)
class PlaneSamples:
    """The loss on a grid of a plane, and the path projected onto it with the loss on the path; floating point."""

    first: Array
    second: Array
    losses: Array
    seen: Projection
    own: Array


def path_parts(found: Joined) -> list[Part]:
    """The path in the picture: A's segment of V, the pieces, B's segment.

    Raises
    ------
    InputError
        No path was certified.
    """
    if not found.proved:
        raise InputError(f"no path was certified here, so there is none to draw: {found.reason}")
    a, b = (found.a.u, found.a.v), (found.b.u, found.b.v)
    if not found.pieces or found.kappa is None:
        return [Part(0.0, 1.0, None, a, b)]
    kappa = float(found.kappa)
    scaled = [kappa * weights for weights in found.weights]
    total, at, parts = float(found.legs), END, [Part(0.0, END, None, a, (a[0], scaled[found.pieces[0].weights]))]
    for piece in found.pieces:
        then = at + (1 - 2 * END) * float(piece.end - piece.start) / total
        first, last = ((_on_leg(found, piece, t), scaled[piece.weights]) for t in (0.0, 1.0))
        parts.append(Part(at, then, piece, first, last))
        at = then
    return [*parts, Part(at, 1.0, None, (b[0], scaled[found.pieces[-1].weights]), b)]


def loss_samples(found: Joined, points: int) -> LossSamples:
    """Bound the loss on the path, sample it there and on the straight line; without a certified path on the line alone.

    Parameters
    ----------
    found
        A certified path, or a straight line whose barrier was bounded.
    points
        About how many times of the path are sampled.

    Raises
    ------
    InputError
        No path was certified, and no barrier of the straight line.
    """
    line = found.line if found.line is not None and found.line.proved else None
    parts = [] if line is not None and not found.proved else path_parts(found)
    data, times, losses = _data(found), list[float](), list[float]()
    for part in parts:
        shares = np.linspace(0.0, 1.0, max(2, round(points * (part.ends - part.begins))))
        times += (part.begins + shares * (part.ends - part.begins)).tolist()
        losses += approx_losses_on_line(found.a.network, part.first, part.last, data, shares).tolist()
    with working_precision(found.precision):
        ends_of = found if found.proved or line is None else line
        both = ends_of.start_loss, ends_of.end_loss
        known = [bound for bound in both if bound is not None]
        start, end = (max(upper_float(high.arb()), SMALLEST) for _, high in known)
        level = max(start, end)
        if found.gamma is not None and found.kappa is not None:
            level = upper_float(((-found.kappa.arb() * found.gamma.arb()).exp() * (found.classes - 1)).log1p())
    shares = np.linspace(0.0, 1.0, CHORD_POINTS)
    ways = [_stairs(0.0, 1.0, (1 - shares) * start + shares * end)]
    if found.pieces:  # the loss strictly falls from A on, and rises to B
        ways = [
            _stairs(0.0, END, (1 - shares) * start + shares * min(start, level)),
            _stairs(END, 1 - END, np.full(2, level)),
            _stairs(1 - END, 1.0, (1 - shares) * min(end, level) + shares * end),
        ]
    xs, tops = (np.concatenate(part) for part in zip(*ways, strict=True))
    if not parts:
        xs = tops = np.zeros(0)
    line_times = np.linspace(0.0, 1.0, 0 if line is None else LINE_POINTS)
    ends = (found.a.u, found.a.v), (found.b.u, found.b.v)
    return LossSamples(
        xs,
        np.nextafter(tops, np.inf),
        min(start, end),
        max(start, end),
        tuple(part.begins for part in parts[1:]),
        np.array(times),
        np.array(losses),
        line_times,
        approx_losses_on_line(found.a.network, *ends, data, line_times),
    )


def margin_samples(found: Joined) -> MarginSamples:
    """Sample the smallest margin on every piece.

    Parameters
    ----------
    found
        A certified path with pieces.

    Raises
    ------
    InputError
        No path was certified, or it has no pieces.
    """
    parts, data, pieces = path_parts(found), _data(found), []
    if not found.pieces:
        raise InputError(SAME_U)
    shares = np.linspace(0.0, 1.0, min(MOST, max(FEWEST, MARGIN_POINTS // len(found.pieces))))
    for part in parts:
        if part.piece is not None:
            margins = np.array([_smallest_margin(found, part.piece, t, data) for t in shares.tolist()])
            pieces.append((part.piece, part.begins + shares * (part.ends - part.begins), margins))
    return MarginSamples(tuple(pieces))


def plane_samples(found: Joined, points: int) -> PlaneSamples:
    """Sample the loss on the plane through A and B and along the mean of the path's output weights.

    Parameters
    ----------
    found
        A certified path with pieces.
    points
        The grid has ``points x points`` places.

    Raises
    ------
    InputError
        No path was certified, or it has no pieces.
    """
    parts = path_parts(found)
    if not found.pieces or found.kappa is None:
        raise InputError(SAME_U)
    network, data = found.a.network, _data(found)
    (u, v), (end_u, end_v) = (found.a.u, found.a.v), (found.b.u, found.b.v)
    corners = [parts[0].first, *itertools.chain.from_iterable((part.first, part.last) for part in parts[1:])]
    middle = np.mean([point[1] for point in corners[1:-1]], axis=0)
    along, across = (end_u - u, end_v - v), (np.zeros_like(u), middle - (v + end_v) / 2)
    path, unit = _refined(corners), float(found.kappa)  # V counts in units of kappa: it would hide how U moves
    places, axes = (
        np.array([np.concatenate([x, w.ravel() / unit]) for x, w in some]) for some in (path, (along, across))
    )
    seen = project(places, places[0], axes)
    first, second = (_range(values, points) for values in seen.coordinates.T)
    losses = losses_on_plane(network, u, v, data, (across, along), second, first).T
    own = [approx_loss_of(approx_features(network, x, data.inputs), w, data) for x, w in path]
    return PlaneSamples(first, second, losses, seen, np.array(own))


def _stairs(begins: float, ends: float, bounds: Array) -> tuple[Array, Array]:
    """Bounds at evenly spaced places, as a line that is nowhere below the chords between them, on any axis."""
    xs = np.linspace(begins, ends, len(bounds))
    return np.repeat(xs, 2)[1:-1], np.repeat(np.maximum(bounds[:-1], bounds[1:]), 2)


def _on_leg(found: Joined, piece: Piece, share: float) -> Array:
    """U at a share of a piece's time, in floating point."""
    t = float(piece.start) + share * float(piece.end - piece.start)
    return (1 - t) * found.corners[piece.leg] + t * found.corners[piece.leg + 1]


def _data(found: Joined) -> Dataset:
    return with_labels(found.a.rows, found.a.grouping.label_counts)


def _smallest_margin(found: Joined, piece: Piece, share: float, data: Dataset) -> float:
    """The smallest margin of the piece's V at a share of its time, in floating point."""
    psi = approx_features(found.a.network, _on_leg(found, piece, share), data.inputs)
    logits = psi @ found.weights[piece.weights]
    rows = np.arange(len(logits))
    margins = logits[rows, data.labels][:, None] - logits
    margins[rows, data.labels] = np.inf
    return float(margins.min())


def _refined(corners: Sequence[Point]) -> list[Point]:
    """Points on the straight ways between corners; some corners are left out where there are very many."""
    kept = [*corners[:: max(1, len(corners) // PLACES)], corners[-1]]
    shares = np.linspace(0.0, 1.0, max(1, PLACES // len(kept)), endpoint=False).tolist()
    ways = itertools.pairwise(kept)
    found = [((1 - t) * u + t * x, (1 - t) * v + t * w) for (u, v), (x, w) in ways for t in shares]
    return [*found, corners[-1]]


def _range(values: Array, points: int) -> Array:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    room = ROOM * max(high - low, math.ulp(1.0))
    return np.linspace(low - room, high + room, points)
