"""Two networks and the ways between them: the certified path, the straight line of all weights, margins, a plane.

Bands and levels are certified; lines inside of them are samples in floating point and say so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from verifier.balls.exact import about, at_least, at_most
from verifier.connect import Joined
from verifier.display import matrices
from verifier.errors import InputError, needs
from verifier.network.network import Array
from verifier.plot.connection_samples import (
    SMALLEST,
    LossSamples,
    MarginSamples,
    PlaneSamples,
    loss_samples,
    margin_samples,
    plane_samples,
)
from verifier.plot.description import describe
from verifier.plot.places import Places, free_legend, name_on_surface
from verifier.plot.slices import fill_surface
from verifier.plot.style import axes_or_new, dress, outline, palette_of

ABOVE = 1.3
"""The axis ends this factor above the largest loss that is drawn."""
DEEP, SHALLOW = 1e3, 10.0
"""The axis ends this factor below the smallest of what is certified: samples of a path may lie far deeper."""
MIN_POINTS, POINTS, GRID = 8, 96, 25
"""Samples of the path, at least and by default; and the plane's grid."""
FLOOR = 1e-6
"""The plane's colours end here."""
NOTHING = 1e-12
"""A share of the path's length that is rounding."""


def connection(found: Joined, ax: Axes | None = None, *, points: int = POINTS) -> Axes:
    """Draw the loss along the certified path, and along the straight line of all weights if that was bounded.

    Parameters
    ----------
    found
        What `verifier.connect` returned; the path must be certified, or the barrier of the straight line.
    ax
        Axes to draw on; None makes a figure.
    points
        About how many times of the path are sampled in floating point, at least 8.

    Returns
    -------
    Axes
        Bands: certified. On the ends' segments of V the loss lies below the chord (it is convex there), on all other
        parts below ``log(1 + (m-1) exp(-kappa gamma))``; on the straight line between the bounds of each of its pieces.

    Raises
    ------
    InputError
        If nothing was certified, or too few points.
    """
    if points < MIN_POINTS:
        raise InputError(f"points = {points}; give at least {MIN_POINTS}")
    _of_two_networks(found)
    samples = loss_samples(found, points)
    ax = axes_or_new(ax)
    draw_loss(ax, found, samples)
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
    _of_two_networks(found)
    samples = margin_samples(found)
    ax = axes_or_new(ax)
    draw_margins(ax, found, samples)
    return ax


def connection_plane(found: Joined, ax: Axes | None = None, *, points: int = GRID, bar: bool = True) -> Axes:
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
    _of_two_networks(found)
    samples = plane_samples(found, points)
    ax = axes_or_new(ax)
    draw_plane(ax, samples, bar=bar)
    return ax


def _of_two_networks(found: object) -> None:
    needs(found, "result of joining two networks", "line", "found", "give what vf.connect returned")


def draw_loss(ax: Axes, found: Joined, samples: LossSamples) -> None:
    """Draw both ways; see `connection`."""
    palette = palette_of(ax)
    ax.set_yscale("log")
    floor = max(min([samples.low, *samples.tops]) / DEEP, SMALLEST) if found.proved else samples.low / SHALLOW
    if found.proved:
        tops, shown = np.maximum(samples.tops, floor), np.maximum(samples.losses, floor)
        name = f"certified path: at most {at_most(samples.high, 3)}, barrier 0"
        ax.fill_between(samples.xs, SMALLEST, tops, color=palette.main, alpha=0.25, linewidth=0, gid="path band")
        ax.plot(samples.xs, tops, color=palette.main, linewidth=1.6, gid="path bound", label=name, zorder=3)
        ax.plot(samples.times, shown, color=palette.main, linewidth=0.9, linestyle=":", gid="path samples", zorder=3)
    _draw_line(ax, found, samples, floor)
    ax.axhline(samples.high, color=palette.muted, linewidth=0.8, linestyle=(0, (2, 2)), gid="larger end", zorder=1)
    for border in samples.borders:
        ax.axvline(border, color=palette.grid, linewidth=0.6, zorder=0.5, gid="border")
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(floor, ABOVE * max([samples.high, *samples.line.tolist()]))
    if found.proved:
        title = f"Loss on two ways from A to B: {_count(found)}"
        where = "share of the way from A to B (path: first and last part move V alone)"
    else:
        title, where = "Loss on the straight line from A to B: no path was certified", "t, from A to B"
    dress(ax, title=title, x=where, y="loss (bands certified, lines sampled)", grid="y")
    free_legend(ax, (0.0, 0.5))
    describe(ax, title, " ".join(_said_of_loss(found, samples)))


def _said_of_loss(found: Joined, samples: LossSamples) -> list[str]:
    """What the picture of both ways shows, in words."""
    said = ["The loss on a logarithmic axis, from A at the left to B at the right."]
    if found.proved:
        said.append(
            f"Certified: at every time of the path it is at most {at_most(samples.high)}, the larger of the losses at "
            "A and B, so the barrier of the path is 0."
        )
    if found.line is not None and found.line.proved:
        bounds = f"at least {at_least(found.line.lower)} and at most {at_most(found.line.upper)}"
        said.append(f"Certified: on the straight line of all weights the barrier is {bounds}.")
    return [*said, "Lines inside of the bands are samples in floating point."]


def _draw_line(ax: Axes, found: Joined, samples: LossSamples, floor: float) -> None:
    """The straight line of all weights: each piece between its bounds, samples inside."""
    line, palette = found.line, palette_of(ax)
    if line is None or not line.proved:
        return
    words = f"straight line: barrier {at_least(line.lower, 3)} to {at_most(line.upper, 3)} (certified)"
    lows, highs = (np.maximum([*(bound[k] for bound in line.bounds), line.bounds[-1][k]], floor) for k in (0, 1))
    xs, band = [float(t) for t in line.pieces], {"color": palette.accent, "alpha": 0.2, "linewidth": 0}
    ax.fill_between(xs, lows, highs, step="post", gid="line band", **band)  # type: ignore[arg-type]
    shown = np.maximum(samples.line, floor)
    ax.plot(samples.line_times, shown, color=palette.accent, linewidth=1.6, gid="line samples", label=words)


def draw_margins(ax: Axes, found: Joined, samples: MarginSamples) -> None:
    """Draw the margins of a path with pieces; see `connection_margins`."""
    palette = palette_of(ax)
    gamma = SMALLEST if found.gamma is None else max(float(found.gamma), SMALLEST)
    label, previous, shaded = "smallest margin (sampled, float)", -1, False
    for piece, xs, margins in samples.pieces:
        shown = np.maximum(margins, gamma / DEEP)
        ax.plot(xs, shown, color=palette.second, linewidth=1.6, gid="margins", label=label, zorder=3)
        shaded = shaded != (piece.weights != previous)
        if shaded:
            ax.axvspan(xs[0], xs[-1], color=palette.grid, alpha=0.6, linewidth=0, gid="shade", zorder=0.2)
        previous, label = piece.weights, "_"
    words = "" if found.gamma is None else f"certified on every piece: gamma >= {at_least(found.gamma, 3)}"
    ax.axhline(gamma, color=palette.main, linewidth=1.6, gid="gamma", label=words, zorder=3)
    ax.set_yscale("log")
    ax.set_xlim(samples.pieces[0][1][0], samples.pieces[-1][1][-1])
    title = f"Margins while U moves: {_count(found)}"
    dress(
        ax, title=title, x="share of the way from A to B; shades change with V", y=r"smallest margin of $V_k$", grid="y"
    )
    free_legend(ax, (1.0, 1.0), upwards=True)
    certified = "" if found.gamma is None else f"Certified: at every time it is at least {at_least(found.gamma)}. "
    said = f"The smallest margin on a logarithmic axis, over the part of the path on which U moves. {certified}"
    describe(ax, title, f"{said}The line is a sample in floating point.")


def draw_plane(ax: Axes, samples: PlaneSamples, *, bar: bool = True) -> None:
    """Draw the plane; see `connection_plane`."""
    fill_surface(ax, samples.first, samples.second, samples.losses, bar=bar, floor=FLOOR)
    ax.plot([0.0, 1.0], [0.0, 0.0], color="white", linewidth=1.4, linestyle="--", gid="straight line", zorder=5)
    _draw_path(ax, samples.seen.coordinates, samples.own)
    for x, words in ((0.0, "A"), (1.0, "B")):
        ax.plot([x], [0.0], "o", color="white", markeredgecolor="black", markersize=7, gid=f"end {words}", zorder=6)
    title = "In a plane through A, B and the path's mean V; the path,\nin colours of its own loss, leaves it by "
    title += _share(samples.seen.error)
    dress(ax, title=title, x="along B - A (dashed: the straight line)", y="along the path's V", grid=None)
    places = Places(ax)
    for x, words in ((0.0, "A"), (1.0, "B")):
        name_on_surface(places, (x, 0.0), words)
    said = "Colours are the loss on the plane, in floating point; nothing in this picture is certified."
    describe(
        ax,
        "Plane through A, B and the path's mean V",
        f"{said} The path is projected onto it and leaves it by "
        f"{_share(samples.seen.error)}; the straight line from A to B is dashed.",
    )


def _draw_path(ax: Axes, places: Array, losses: Array) -> None:
    """The projected path, coloured by the loss on the path itself as the surface is by the loss on the plane."""
    surface: Any = next(drawn for drawn in ax.collections if drawn.get_gid() == "surface")
    ax.plot(*places.T, color="white", linewidth=5.0, gid="path", zorder=5, path_effects=outline(6.2))
    shown = np.log10(np.maximum(np.maximum(losses[:-1], losses[1:]), FLOOR))
    segments = list(np.stack([places[:-1], places[1:]], axis=1))
    drawn = LineCollection(segments, cmap=surface.cmap, norm=surface.norm, linewidths=3.0, zorder=5.5)
    drawn.set_array(shown)
    drawn.set_gid("path losses")
    ax.add_collection(drawn)


def _share(error: float) -> str:
    """How far a path leaves the plane that it is drawn in; floating point, no bound."""
    return "nothing" if error < NOTHING else f"about {about(100 * error, 2)} % of its length"


def _count(found: Joined) -> str:
    pieces, weights = len(found.pieces), len(found.weights)
    if not pieces:
        return "V moves alone"
    return f"{pieces} piece{'s' * (pieces > 1)}, {matrices(weights)}"
