"""Slices of the loss in one and two directions: floats, no proofs."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from verifier.balls.exact import about
from verifier.data.dataset import Dataset
from verifier.errors import InputError
from verifier.landscape.approx_loss import approx_loss_of
from verifier.landscape.line_barrier import with_labels
from verifier.network.forward import approx_features
from verifier.network.network import Array, Network
from verifier.outcome import Report
from verifier.plot.description import describe
from verifier.plot.directions import Direction, checked, filter_normalised, random_direction
from verifier.plot.places import Places, place_label
from verifier.plot.style import axes_or_new, dress, palette_of
from verifier.plot.words import fit_words
from verifier.problem import Problem

APPROX = r"$\log_{10}$ of the loss (approx., float)"
LOWEST = 1e-300
LINEAR = 30.0
"""Losses that differ by at most this factor are drawn on a linear axis."""
FLAT = 0.01
"""Decades that the colours of a surface show at least."""
LEVELS = 24
"""Colours of a surface."""
UNPROVED = "All of it is evaluated in floating point; nothing in this picture is certified."


def approx_loss(network: Network, u: Array, v: Array, data: Dataset) -> float:
    """Cross-entropy at (U, V) in plain floating point: an approximation, never a proof.

    Parameters
    ----------
    network, u, v
        The point, U of shape ``(p,)``, V of shape ``(M, m)``.
    data
        Labelled samples ``(N, d)``; their multiplicities count.

    Raises
    ------
    InputError
        If shapes do not fit or the data have no labels.
    """
    _check(network, u, v, data)
    return approx_loss_of(approx_features(network, u, data.inputs), v, data)


def loss_slice(
    network: Network | Report | Problem,
    u: Array | None = None,
    v: Array | None = None,
    data: Dataset | None = None,
    direction: Direction | None = None,
    ax: Axes | None = None,
    *,
    span: float = 1.0,
    points: int = 101,
    normalise: bool = True,
    seed: int = 0,
) -> Axes:
    """Draw the loss on a line through (U, V): approximate, in plain floating point.

    Parameters
    ----------
    network, u, v, data
        The point and the labelled samples: a report or a problem has them all, so it is given alone; or the network,
        U of shape ``(p,)``, V of shape ``(M, m)``, and the samples.
    direction
        ``(dU, dV)``; None draws a random one.
    ax
        Axes to draw on; None makes a figure.
    span
        The line goes from -span to span steps.
    points
        How many evaluations, at least 2.
    normalise
        Whether the direction is filter-normalised first.
    seed
        Of the random direction.

    Returns
    -------
    Axes
        The point itself is marked; a logarithmic axis where the loss varies by more than a factor of 30.

    Raises
    ------
    InputError
        If shapes do not fit, a number is not finite, a range is empty, or part of the point is missing.

    Examples
    --------
    >>> import verifier as vf
    >>> from matplotlib.figure import Figure
    >>> report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True))
    >>> vf.plot.loss_slice(report, ax=Figure().subplots(), points=5).get_title()
    'Loss along a direction'
    """
    network, u, v, data = _point(network, u, v, data)
    _check(network, u, v, data)
    _check_range(span, points)
    du, dv = _prepared(network, u, v, direction, normalise, seed)
    steps = np.linspace(-span, span, points)
    losses = losses_on_plane(network, u, v, data, ((du, dv), (0.0 * du, 0.0 * dv)), steps, np.zeros(1))[0]
    ax = axes_or_new(ax)
    palette = palette_of(ax)
    shown = np.maximum(losses, LOWEST)
    ax.plot(steps, shown, color=palette.main, linewidth=1.8, gid="slice")
    if shown.max() > LINEAR * shown.min():
        ax.set_yscale("log")
    here = max(approx_loss(network, u, v, data), LOWEST)
    ax.plot([0.0], [here], "o", color=palette.accent, markersize=6, gid="centre")
    what = "filter-normalised" if normalise else "not normalised"
    title = "Loss along a direction"
    dress(ax, title=title, x=f"step along the direction ({what})", y="loss (approx., float)")
    place_label(Places(ax), (0.0, here), "(U, V)", fontsize=8, color=palette.accent)
    low, high = (about(float(end)) for end in (losses.min(), losses.max()))
    said = (
        f"The loss at {points} points of a line through (U, V), {what}, from {low} to {high}; {about(here)} at (U, V)."
    )
    describe(ax, title, f"{said} {UNPROVED}")
    return ax


def loss_surface(
    network: Network | Report | Problem,
    u: Array | None = None,
    v: Array | None = None,
    data: Dataset | None = None,
    directions: tuple[Direction, Direction] | None = None,
    ax: Axes | None = None,
    *,
    span: float = 1.0,
    points: int = 41,
    normalise: bool = True,
    seed: int = 0,
    bar: bool = True,
) -> Axes:
    """Draw the loss on a plane through (U, V) as filled contours: approximate, in plain floating point.

    Parameters
    ----------
    network, u, v, data
        As for `loss_slice`.
    directions
        Two directions ``(dU, dV)``; None draws random ones.
    ax
        Axes to draw on; None makes a figure.
    span
        The plane reaches from -span to span steps in both directions.
    points
        The grid has ``points x points`` evaluations; at least 2.
    normalise
        Whether both directions are filter-normalised first.
    seed
        Of the random directions.
    bar
        Whether a colour bar is drawn beside it.

    Returns
    -------
    Axes
        Colours show log10 of the loss.

    Raises
    ------
    InputError
        As `loss_slice`.

    Examples
    --------
    >>> import verifier as vf
    >>> from matplotlib.figure import Figure
    >>> report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True))
    >>> vf.plot.loss_surface(report, ax=Figure().subplots(), points=5).get_title()
    'Loss on a plane of two directions'
    """
    network, u, v, data = _point(network, u, v, data)
    _check(network, u, v, data)
    _check_range(span, points)
    if directions is not None and not (isinstance(directions, tuple) and len(directions) == 2):
        raise InputError("directions must be two pairs (dU, dV) of arrays of the shapes of U and V")
    given = directions or (None, None)
    first, second = (_prepared(network, u, v, d, normalise, seed + k) for k, d in enumerate(given))
    steps = np.linspace(-span, span, points)
    losses = losses_on_plane(network, u, v, data, (first, second), steps, steps)
    ax = axes_or_new(ax)
    palette = palette_of(ax)
    fill_surface(ax, steps, steps, losses, bar=bar)
    ax.plot([0.0], [0.0], "o", color="white", markeredgecolor="black", markersize=6, gid="centre")
    what = "filter-normalised" if normalise else "not normalised"
    title = "Loss on a plane of two directions"
    dress(ax, title=title, x=f"step along direction 1 ({what})", y=f"step along direction 2 ({what})", grid=None)
    ax.tick_params(color=palette.muted)
    low, high = (about(float(end)) for end in (losses.min(), losses.max()))
    said = (
        f"Colours are the loss at {points} x {points} points of a plane through (U, V), {what}, from {low} to {high}."
    )
    describe(ax, title, f"{said} {UNPROVED}")
    return ax


def losses_on_plane(
    network: Network,
    u: Array,
    v: Array,
    data: Dataset,
    directions: tuple[Direction, Direction],
    first: Array,
    second: Array,
) -> Array:
    """Approximate losses at ``(U, V) + a D1 + b D2``.

    Parameters
    ----------
    network, u, v, data
        The point, and labelled samples that fit; they are not checked.
    directions
        ``(D1, D2)``, each of the shapes of U and V.
    first, second
        The steps a and b.

    Returns
    -------
    ndarray of shape (len(second), len(first))
        Row b, column a. Psi is evaluated anew only where U moves.
    """
    (du1, dv1), (du2, dv2) = directions
    moves = (bool(du1.any()), bool(du2.any()))
    out = np.empty((len(second), len(first)))
    known: dict[tuple[float, float], Array] = {}
    for row, b in enumerate(second.tolist()):
        for column, a in enumerate(first.tolist()):
            key = (a if moves[0] else 0.0, b if moves[1] else 0.0)
            if key not in known:
                if moves[0] or len(known) > 1:
                    known.clear()
                known[key] = approx_features(network, u + key[0] * du1 + key[1] * du2, data.inputs)
            out[row, column] = approx_loss_of(known[key], v + a * dv1 + b * dv2, data)
    return out


def fill_surface(
    ax: Axes, first: Array, second: Array, losses: Array, *, bar: bool = True, floor: float | None = None
) -> None:
    """Draw filled contours of log10 of losses.

    Parameters
    ----------
    ax
        Axes to draw on.
    first, second
        The grid's steps, to the right and upwards.
    losses
        Of shape ``(len(second), len(first))``.
    bar
        Whether a colour bar is drawn beside it.
    floor
        What is below gets its colour.
    """
    palette = palette_of(ax)
    shown = np.log10(np.maximum(losses, max(LOWEST, floor or 0.0)))
    least, most = float(shown.min()), float(shown.max())
    if most - least < FLAT:  # as on a plane without slope: colours would show rounding errors
        least, most = (least + most - FLAT) / 2, (least + most + FLAT) / 2
    levels = MaxNLocator(LEVELS).tick_values(least, most)
    filled = ax.contourf(first, second, shown, levels=levels, cmap=palette.sequential)
    filled.set_gid("surface")
    filled.set_edgecolor("face")  # no hairlines between the colours in a vector file
    ax.contour(first, second, shown, levels=levels[::2], colors="black", linewidths=0.3, alpha=0.5).set(
        gid="levels", linestyle="solid"
    )
    if bar:
        colour_bar = ax.figure.colorbar(filled, ax=ax, pad=0.02)
        colour_bar.ax.yaxis.set_major_locator(MaxNLocator(7, integer=most - least > 2))
        colour_bar.set_label(APPROX if floor is None else f"{APPROX}, cut at {floor:g}")
        fit_words(colour_bar.ax)
        colour_bar.outline.set_visible(False)


def _point(
    given: Network | Report | Problem, u: Array | None, v: Array | None, data: Dataset | None
) -> tuple[Network, Array, Array, Dataset]:
    """The network, U, V and the samples, of a report or a problem, or as they were given."""
    if isinstance(given, Report):
        given = given.problem
    if isinstance(given, Problem):
        if not (u is None and v is None and data is None):
            raise InputError("a report has its own U, V and samples; leave them out, and name the others: ax=ax")
        if given.data.targets is not None:
            raise InputError("the cross-entropy is drawn, of classes; this is a regression")
        return given.network, given.u, given.v, with_labels(given.rows, given.grouping.label_counts)
    if not isinstance(given, Network):
        raise InputError(f"{type(given).__name__} is no network; give a report, or a network with U, V and data")
    if u is None or v is None or data is None:
        raise InputError("a network alone is no point; give a report, or U, V and data with it")
    return given, u, v, data


def _prepared(
    network: Network, u: Array, v: Array, direction: Direction | None, normalise: bool, seed: int
) -> Direction:
    """The direction that was given, or a random one; normalised if wanted."""
    given = random_direction(network, v.shape[1], seed) if direction is None else direction
    return filter_normalised(network, u, v, given) if normalise else checked(given, u, v, "direction")


def _check(network: Network, u: Array, v: Array, data: Dataset) -> None:
    if data.labels is None:
        raise InputError(f"data set {data.name!r} has no labels, so there is no loss to draw")
    if data.dimension != network.dimension:
        raise InputError(f"samples have {data.dimension} coordinates, the network's input has {network.dimension}")
    expected = ((network.parameter_count,), (network.skip_count, data.classes))
    if (u.shape, v.shape) != expected:
        raise InputError(f"U and V have shapes {u.shape} and {v.shape}; expected {expected[0]} and {expected[1]}")


def _check_range(span: float, points: int) -> None:
    if not 0.0 < span < math.inf:
        raise InputError(f"span = {span}; give a positive number of steps")
    if points < 2:
        raise InputError(f"points = {points}; give at least 2")
