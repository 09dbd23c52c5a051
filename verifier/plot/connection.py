"""Two networks and the ways between them: the certified path, the straight line of all weights, margins, a plane.

Bands and levels are certified; lines inside of them are samples in floating point and say so.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from verifier.balls.exact import about, at_least, at_most, upper_float
from verifier.balls.precision import working_precision
from verifier.connect import Joined
from verifier.data.dataset import Dataset
from verifier.errors import InputError
from verifier.landscape.approx_loss import Point, approx_loss_of, approx_losses_on_line
from verifier.landscape.connection import Piece
from verifier.landscape.line_barrier import with_labels
from verifier.network.forward import approx_features
from verifier.network.network import Array
from verifier.plot.slices import fill_surface, losses_on_plane
from verifier.plot.style import axes_or_new, dress, legend, outline, palette_of, write_on
from verifier.plot.surface import project

END = 0.15
"""Share of the picture's width that each end's segment of V takes."""
SMALLEST = 1e-290
"""Losses below this are not drawn: binary64 ends at 1e-308."""
DEEP = 1e3
"""The axis ends this factor below the smallest of what is certified: samples may lie far deeper."""
MIN_POINTS = 8
LINE_POINTS = 65
"""Samples of the straight line."""
PIECE_POINTS = 9
"""Samples of the margins on a piece."""
FLOOR = 1e-6
"""The plane's colours end here."""
NOTHING = 1e-12
"""A share of the path's length that is rounding."""
ROOM = 0.25
"""How far the plane reaches beyond what it shows, as a share of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the path in the picture: where it begins and ends, which piece it is, and the V on it."""

    begins: float
    ends: float
    piece: Piece | None
    first: Point
    last: Point


def connection(found: Joined, ax: Axes | None = None, *, points: int = 96) -> Axes:
    """Draw the loss along the certified path, and along the straight line of all weights if that was bounded.

    Parameters
    ----------
    found
        What `verifier.connect` returned; the path must be certified.
    ax
        Axes to draw on; None makes a figure.
    points
        How many times of the path are sampled in floating point, at least 8.

    Returns
    -------
    Axes
        Bands: certified. On the ends' segments of V the loss lies below the chord (it is convex there), on all other
        parts below ``log(1 + (m-1) exp(-kappa gamma))``; on the straight line between the bounds of each of its pieces.

    Raises
    ------
    InputError
        If no path was certified, or too few points.
    """
    parts = _parts(found)
    if points < MIN_POINTS:
        raise InputError(f"points = {points}; give at least {MIN_POINTS}")
    ax = axes_or_new(ax)
    palette = palette_of(ax)
    ax.set_yscale("log")
    low, high = _ends(found)
    level = max(_level(found), SMALLEST)
    floor = min(level, low) / DEEP
    xs, tops = _tops(found, parts)
    name = f"certified path: at most {at_most(high, 3)}, barrier 0"
    ax.fill_between(xs, floor, np.maximum(tops, floor), color=palette.main, alpha=0.25, linewidth=0, gid="path band")
    ax.plot(xs, np.maximum(tops, floor), color=palette.main, linewidth=1.6, gid="path bound", label=name, zorder=3)
    times, losses = _samples(found, parts, points)
    shown = np.maximum(losses, floor)
    ax.plot(times, shown, color=palette.main, linewidth=0.9, linestyle=":", gid="path samples", zorder=3)
    if found.line is not None and found.line.proved:
        _draw_line(ax, found)
    ax.axhline(high, color=palette.muted, linewidth=0.8, linestyle=(0, (2, 2)), gid="larger end", zorder=1)
    for part in parts[1:]:
        ax.axvline(part.begins, color=palette.grid, linewidth=0.6, zorder=0.5)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(bottom=floor)
    dress(
        ax,
        title=f"Loss on two ways from A to B: {_count(found)}",
        x="share of the way from A to B (path: first and last part move V alone)",
        y="loss (bands certified, dots sampled)",
        grid="y",
    )
    legend(ax, loc="best")
    return ax


def connection_margins(found: Joined, ax: Axes | None = None) -> Axes:
    """Draw the smallest margin along the polygon in U, piece by piece, above the certified gamma.

    Parameters
    ----------
    found
        What `verifier.connect` returned; the path must be certified and have pieces.
    ax
        Axes to draw on; None makes a figure.

    Returns
    -------
    Axes
        Shaded alternately where V changes. The line is sampled in floating point; gamma is certified for all times.

    Raises
    ------
    InputError
        If no path was certified, or it has no pieces.
    """
    parts = [part for part in _parts(found) if part.piece is not None]
    if not parts or found.gamma is None:
        raise InputError("both networks have the same U: the path has no pieces, whose margins could be drawn")
    ax = axes_or_new(ax)
    palette, data = palette_of(ax), _data(found)
    gamma = max(float(found.gamma), SMALLEST)
    label, previous, shaded = "smallest margin (sampled, float)", -1, False
    for part in parts:
        piece = part.piece
        if piece is None:
            continue
        times = np.linspace(0.0, 1.0, PIECE_POINTS)
        margins = [_smallest_margin(found, piece, t, data) for t in times.tolist()]
        xs = part.begins + times * (part.ends - part.begins)
        shown = np.maximum(margins, gamma / DEEP)
        ax.plot(xs, shown, color=palette.second, linewidth=1.6, gid="margins", label=label, zorder=3)
        shaded = shaded != (piece.weights != previous)
        if shaded:
            ax.axvspan(part.begins, part.ends, color=palette.grid, alpha=0.6, linewidth=0, gid="piece", zorder=0.2)
        previous, label = piece.weights, "_"
    words = f"certified on every piece: gamma >= {at_least(found.gamma, 3)}"
    ax.axhline(gamma, color=palette.main, linewidth=1.6, gid="gamma", label=words, zorder=3)
    ax.set_yscale("log")
    ax.set_xlim(parts[0].begins, parts[-1].ends)
    title = f"Margins while U moves: {_count(found)}; shades change with V"
    dress(ax, title=title, x="share of the way from A to B", y=r"smallest margin of $V_k$", grid="y")
    legend(ax, loc="best")
    return ax


def connection_plane(found: Joined, ax: Axes | None = None, *, points: int = 25, bar: bool = True) -> Axes:
    """Draw the loss on a plane through A and B and along the path's output weights, with the path projected onto it.

    Parameters
    ----------
    found
        What `verifier.connect` returned; the path must be certified and have pieces.
    ax
        Axes to draw on; None makes a figure.
    points
        The grid has ``points x points`` evaluations in plain floating point, at least 2.
    bar
        Whether a colour bar is drawn beside it.

    Returns
    -------
    Axes
        Colours are approximate; the title says how far the path leaves the plane.

    Raises
    ------
    InputError
        If no path was certified, it has no pieces, or too few points.
    """
    if points < 2:
        raise InputError(f"points = {points}; give at least 2")
    parts = _parts(found)
    if not found.pieces:
        raise InputError("both networks have the same U: the path is the straight line, and no plane is needed")
    ax = axes_or_new(ax)
    data, (u, v), (end_u, end_v) = _data(found), (found.a.u, found.a.v), (found.b.u, found.b.v)
    corners = [parts[0].first, *(part.last for part in parts)]
    middle = np.mean([point[1] for point in corners[1:-1]], axis=0)
    along, across = (end_u - u, end_v - v), (np.zeros_like(u), middle - (v + end_v) / 2)
    points_of_path = _refined(corners)
    unit = 1.0 if found.kappa is None else float(found.kappa)  # so that the path's V does not hide how U moves
    places, flat = (
        np.array([np.concatenate([x, w.ravel() / unit]) for x, w in some]) for some in (points_of_path, (along, across))
    )
    seen = project(places, places[0], flat)
    xs, ys = seen.coordinates.T
    first, second = (_range(values, points) for values in (xs, ys))
    losses = losses_on_plane(found.a.network, u, v, data, (across, along), second, first).T
    fill_surface(ax, first, second, losses, bar=bar, floor=FLOOR)
    ax.plot([0.0, 1.0], [0.0, 0.0], color="white", linewidth=1.4, linestyle="--", gid="straight line", zorder=5)
    own = [approx_loss_of(approx_features(found.a.network, x, data.inputs), w, data) for x, w in points_of_path]
    _draw_path(ax, np.stack([xs, ys], axis=1), np.array(own))
    for x, words in ((0.0, "A"), (1.0, "B")):
        ax.plot([x], [0.0], "o", color="white", markeredgecolor="black", markersize=7, gid=f"end {words}", zorder=6)
        write_on(ax, x, -0.06 * float(second[-1] - second[0]), words)
    title = "In a plane through A, B and the path's mean V; the path,\nin colours of its own loss, leaves it by "
    dress(
        ax,
        title=title + _share(seen.error),
        x="along B - A (dashed: the straight line)",
        y="along the path's V",
        grid=None,
    )
    return ax


def _draw_path(ax: Axes, places: Array, losses: Array) -> None:
    """The projected path, coloured by the loss on the path itself as the surface is by the loss on the plane."""
    surface: Any = next(drawn for drawn in ax.collections if drawn.get_gid() == "surface")
    segments = np.stack([places[:-1], places[1:]], axis=1)
    ax.plot(*places.T, color="white", linewidth=5.0, gid="path", zorder=5, path_effects=outline(6.2))
    shown = np.log10(np.maximum(np.maximum(losses[:-1], losses[1:]), FLOOR))
    drawn = LineCollection(list(segments), cmap=surface.cmap, norm=surface.norm, linewidths=3.0, zorder=5.5)
    drawn.set_array(shown)
    drawn.set_gid("path losses")
    ax.add_collection(drawn)


def _share(error: float) -> str:
    """How far a path leaves the plane that it is drawn in; floating point, no bound."""
    if error < NOTHING:
        return "nothing"
    return f"about {about(100 * error, 2)} % of its length"


def _parts(found: Joined) -> list[Part]:
    """The path in the picture: A's segment of V, the pieces, B's segment."""
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


def _on_leg(found: Joined, piece: Piece, share: float) -> Array:
    """U at a share of a piece's time, in floating point."""
    t = float(piece.start) + share * float(piece.end - piece.start)
    return (1 - t) * found.corners[piece.leg] + t * found.corners[piece.leg + 1]


def _data(found: Joined) -> Dataset:
    return with_labels(found.a.rows, found.a.grouping.label_counts)


def _ends(found: Joined) -> tuple[float, float]:
    """An approximate smaller end loss, and an upper bound of the larger one."""
    bounds = [bound for bound in (found.start_loss, found.end_loss) if bound is not None]
    with working_precision(found.precision):
        highs = [max(upper_float(high.arb()), SMALLEST) for _, high in bounds]
    return min(highs), max(highs)


def _level(found: Joined) -> float:
    """An upper bound of the loss while U moves: ``log(1 + (m-1) exp(-kappa gamma))``."""
    if found.gamma is None or found.kappa is None:
        return _ends(found)[1]
    with working_precision(found.precision):
        return upper_float(((-found.kappa.arb() * found.gamma.arb()).exp() * (found.classes - 1)).log1p())


def _tops(found: Joined, parts: Sequence[Part]) -> tuple[Array, Array]:
    """The certified upper bound along the picture."""
    level = _level(found)
    bounds = [bound[1] for bound in (found.start_loss, found.end_loss) if bound is not None]
    with working_precision(found.precision):
        start, end = (upper_float(bound.arb()) for bound in bounds)
    if not found.pieces:
        return np.array([0.0, 1.0]), np.array([start, end])
    shares = np.linspace(0.0, 1.0, 33)
    xs = np.concatenate([shares * END, [END, 1 - END], (1 - END) + shares * END])
    low, last = min(start, level), min(end, level)  # the loss strictly falls from A on, and rises to B
    flat = np.full(2, level)
    tops = [(1 - shares) * start + shares * low, flat, (1 - shares) * last + shares * end]
    return xs, np.nextafter(np.concatenate(tops), np.inf)


def _samples(found: Joined, parts: Sequence[Part], points: int) -> tuple[Array, Array]:
    """Losses at times of the path, in floating point."""
    data, times, losses = _data(found), list[float](), list[float]()
    for part in parts:
        count = max(3, round(points * (part.ends - part.begins)))
        shares = np.linspace(0.0, 1.0, count)
        times += (part.begins + shares * (part.ends - part.begins)).tolist()
        losses += approx_losses_on_line(found.a.network, part.first, part.last, data, shares).tolist()
    return np.array(times), np.array(losses)


def _draw_line(ax: Axes, found: Joined) -> None:
    """The straight line of all weights: each piece between its bounds, samples inside."""
    line = found.line
    if line is None:
        return
    palette = palette_of(ax)
    words = f"straight line: barrier {at_least(line.lower, 3)} to {at_most(line.upper, 3)} (certified)"
    xs = [float(t) for t in line.pieces]
    lows, highs = (np.array([bound[k] for bound in line.bounds]) for k in (0, 1))
    bottom = ax.get_ylim()[0]
    ax.fill_between(
        xs,
        np.append(np.maximum(lows, SMALLEST), max(lows[-1], SMALLEST)),
        np.append(highs, highs[-1]),
        step="post",
        color=palette.accent,
        alpha=0.2,
        linewidth=0,
        gid="line band",
    )
    times = np.linspace(0.0, 1.0, LINE_POINTS)
    losses = approx_losses_on_line(found.a.network, line.start, line.end, _data(found), times)
    ax.plot(times, np.maximum(losses, SMALLEST), color=palette.accent, linewidth=1.6, gid="line samples", label=words)
    ax.set_ylim(bottom=bottom)


def _smallest_margin(found: Joined, piece: Piece, share: float, data: Dataset) -> float:
    """The smallest margin of the piece's V at a share of its time, in floating point."""
    psi = approx_features(found.a.network, _on_leg(found, piece, share), data.inputs)
    logits = psi @ found.weights[piece.weights]
    rows = np.arange(len(logits))
    margins = logits[rows, data.labels][:, None] - logits
    margins[rows, data.labels] = np.inf
    return float(margins.min())


def _refined(corners: Sequence[Point], steps: int = 8) -> list[Point]:
    """Points on the straight ways between corners."""
    shares = np.linspace(0.0, 1.0, steps, endpoint=False).tolist()
    ways = itertools.pairwise(corners)
    found = [((1 - t) * u + t * x, (1 - t) * v + t * w) for (u, v), (x, w) in ways for t in shares]
    return [*found, corners[-1]]


def _range(values: Array, points: int) -> Array:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    room = ROOM * max(high - low, math.ulp(1.0))
    return np.linspace(low - room, high + room, points)


def _count(found: Joined) -> str:
    pieces, weights = len(found.pieces), len(found.weights)
    if not pieces:
        return "V moves alone"
    return f"{pieces} piece{'s' * (pieces > 1)}, {weights} V{'s' * (weights > 1)}"
