"""Figure 3: loss surfaces around a certified path, and how far the path leaves the plane that it is drawn in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verifier.balls.exact import about
from verifier.data.readers import load_dataset
from verifier.network.initialise import initialise, output_weights
from verifier.network.layers import Dense
from verifier.network.network import Array, Network
from verifier.options import Options
from verifier.outcome import Report
from verifier.plot.descent import certified_path
from verifier.plot.description import describe, describe_figure, told
from verifier.plot.directions import Direction, filter_normalised, random_direction
from verifier.plot.places import Places, name_on_surface
from verifier.plot.slices import fill_surface, losses_on_plane
from verifier.plot.style import dress, outline
from verifier.problem import Problem
from verifier.prove import prove
from verifier.sigma.activations import activation

SAMPLES, WIDTHS = 60, (40, 60)
"""How many digits, and the units in both layers."""
RAY_END = 1.6
"""The ray is drawn up to this path time."""
FLOOR = 1e-9
"""The colours end here."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A path seen in a plane: coordinates ``(points, 2)``, and how far it leaves the plane.

    ``error`` is the largest distance from the plane, as a fraction of the ``length`` of the path that is drawn.
    """

    coordinates: Array
    error: float
    length: float


def project(points: Array, origin: Array, axes: Array) -> Projection:
    """Project a path onto the plane ``origin + a axes[0] + b axes[1]``.

    Parameters
    ----------
    points
        Points of the path ``(K, p)``.
    origin
        A point of the plane ``(p,)``.
    axes
        Two directions ``(2, p)`` that are not parallel.

    Returns
    -------
    Projection
        Orthogonal, in floating point.
    """
    basis, triangle = np.linalg.qr(axes.T)
    moved = points - origin
    inside = moved @ basis
    length = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    away = float(np.linalg.norm(moved - inside @ basis.T, axis=1).max())
    return Projection(np.linalg.solve(triangle, inside.T).T, away / length, length)


def figure3(*, points: int = 81, samples: int = SAMPLES) -> Figure:
    """Loss surfaces of a network with two hidden layers on small images of digits, around the certified path.

    Parameters
    ----------
    points
        The grids have ``points x points`` evaluations (plain floating point).
    samples
        How many digits, at most the 100 units that are connected to the outputs.

    Returns
    -------
    Figure
        Left: the plane of V that holds the whole path. Right: the path's segment and a filter-normalised random
        direction of U, onto which the path is projected. Both state the projection's error.

    Raises
    ------
    InputError
        If no path was certified.
    """
    report = digits_report(samples)
    path, _ = certified_path(report)
    times = np.concatenate([np.linspace(0.0, 1.0, 101), np.linspace(1.0, RAY_END, 61)[1:]])
    places = np.array([path.V(t).ravel() for t in times.tolist()])
    start, end = places[0], places[100]
    figure = Figure(figsize=(10.4, 4.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    _output_plane(left, report, places, start, end, points)
    _hidden_plane(right, report, places, start, end, points)
    widths = " + ".join(str(width) for width in WIDTHS)
    figure.suptitle(
        f"{samples} handwritten digits, two hidden layers of tanh units ({widths}, all connected to the outputs): "
        r"PROVED, $\Phi$ strictly decreases along the path",
        fontsize=10.5,
    )
    said = f"{samples} handwritten digits, two hidden layers of {WIDTHS[0]} and {WIDTHS[1]} tanh units."
    describe_figure(
        figure,
        "Loss surfaces around a certified path",
        f"{said} PROVED: the cross-entropy strictly decreases along the path. {told(figure)[1]}",
    )
    return figure


def digits_report(samples: int = SAMPLES) -> Report:
    """What is proved for figure 3: the first digits, random U and V."""
    data = load_dataset("digits", samples=samples)
    tanh = activation("tanh")
    network = Network(data.shape, (Dense(WIDTHS[0], tanh, skip=True), Dense(WIDTHS[1], tanh, skip=True)))
    u = initialise(network, seed=0, scale=0.5)
    problem = Problem(data, network, u, output_weights(network, data.classes, seed=0))
    return prove(problem, Options(parts=frozenset({"rank", "path"}), certificate=False))


def _output_plane(ax: Axes, report: Report, places: Array, start: Array, end: Array, points: int) -> None:
    """The plane through V0 and kappa V1 and along V1: it holds segment and ray."""
    along = end - start
    across = end - along * float(end @ along) / float(along @ along)
    across *= np.linalg.norm(along) / np.linalg.norm(across)
    seen = project(places, start, np.stack([along, across]))
    still = np.zeros_like(report.u)
    pair = ((still, along.reshape(report.v.shape)), (still, across.reshape(report.v.shape)))
    title = "In the plane of V that holds segment and ray (U at rest)"
    x, y = r"along $\kappa V_1 - V_0$ (1: its length)", "across, same unit"
    _surface_with_path(ax, report, seen, pair, 0.25, points, title, (x, y))


def _hidden_plane(ax: Axes, report: Report, places: Array, start: Array, end: Array, points: int) -> None:
    """The path's segment, and a random direction of U of the size of its units."""
    along = (end - start).reshape(report.v.shape)
    du, _ = filter_normalised(report.network, report.u, report.v, random_direction(report.network, report.data.classes))
    nothing = np.zeros_like(report.v)
    whole = np.concatenate([np.tile(report.u, (len(places), 1)), places], axis=1)
    axes = np.stack([np.concatenate([0.0 * du, along.ravel()]), np.concatenate([du, nothing.ravel()])])
    seen = project(whole, whole[0], axes)
    title = "Along the segment, and a filter-normalised direction of U"
    x, y = r"along $\kappa V_1 - V_0$ (1: its length)", "step along the direction of U"
    pair = ((np.zeros_like(du), along), (du, nothing))
    _surface_with_path(ax, report, seen, pair, 0.25, points, title, (x, y))


def _surface_with_path(
    ax: Axes,
    report: Report,
    seen: Projection,
    pair: tuple[Direction, Direction],
    room: float,
    points: int,
    title: str,
    names: tuple[str, str],
) -> None:
    xs, ys = seen.coordinates[:, 0], seen.coordinates[:, 1]
    first = np.linspace(-0.3, max(1.3, float(xs.max()) + 0.1), points)
    second = np.linspace(min(float(ys.min()), 0.0) - room, max(float(ys.max()), 0.0) + room, points)
    losses = losses_on_plane(report.network, report.u, report.v, report.data, pair, first, second)
    fill_surface(ax, first, second, losses, floor=FLOOR)
    ax.plot(xs[:101], ys[:101], color="white", linewidth=2.2, gid="segment", zorder=5, path_effects=outline(3.6))
    ray = {"color": "white", "linewidth": 2.2, "linestyle": (0, (2, 1)), "zorder": 5}
    ax.plot(xs[100:], ys[100:], gid="ray", path_effects=outline(3.6), **ray)  # type: ignore[arg-type]
    ax.plot(xs[:1], ys[:1], "o", color="white", markeredgecolor="black", markersize=7, gid="start", zorder=6)
    ax.plot(xs[100:101], ys[100:101], "s", color="white", markeredgecolor="black", markersize=6, gid="end", zorder=6)
    error = (
        "less than 1e-12" if seen.error < 1e-12 else f"about {about(100 * seen.error, 2)} %"
    )  # floating point, no bound
    dress(
        ax,
        title=f"{title}\nthe path leaves this plane by {error} of its length",
        x=names[0],
        y=names[1],
        grid=None,
    )
    places = Places(ax)
    for at, words in ((0, "$V_0$"), (100, r"$\kappa V_1$"), (len(xs) - 1, "ray")):
        name_on_surface(places, (float(xs[at]), float(ys[at])), words)
    said = "Colours are the loss, in floating point. The white line is the certified path"
    describe(ax, title, f"{said}, which leaves the plane by {error} of its length.")
