"""Psi(U) as an image, its certified singular values, and sigma_N along a line through U-space."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.exact import Dyadic, lower_float, upper_float
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.errors import InputError
from verifier.network.network import Array, Network
from verifier.plot.style import axes_or_new, dress, legend, palette_of, width_at_most
from verifier.rank.genericity import LinePoint
from verifier.rank.spectrum_search import SingularValues

SMALLEST = 1e-300
"""Smallest number drawn on a logarithmic axis."""


def singular_values(result: SingularValues, ax: Axes | None = None) -> Axes:
    """Draw certified intervals of all singular values, largest first, on a logarithmic scale.

    Parameters
    ----------
    result
        Of `verifier.singular_values` or `verifier.matrix_singular_values`.
    ax
        Axes to draw on; None makes a figure.

    Returns
    -------
    Axes
        A bar from the lower to the upper bound (rounded outward) of each, a dot on it; a triangle at the bottom for
        those that are proved to be 0.

    Raises
    ------
    InputError
        If the result has no enclosures.
    """
    if not isinstance(result, SingularValues):
        raise InputError(f"{type(result).__name__} has no singular values; give the result of vf.singular_values")
    if not result.lower:
        raise InputError(f"the result has no enclosures to draw: {result.reason}")
    ax = axes_or_new(ax)
    low, high = _bounds(result.lower, result.upper)
    index = np.arange(1, len(low) + 1)
    zero = np.array([bound.mantissa == 0 for bound in result.upper])
    if zero.all():
        raise InputError("all singular values are proved to be 0; there is nothing to draw on a logarithmic scale")
    floor, _ = _intervals(ax, index[~zero], low[~zero], high[~zero], size=4.0 if len(low) <= 60 else 2.0)
    if zero.any():
        _zeros(ax, index[zero], floor, f"proved to be 0 ({int(zero.sum())} of them)")
    ax.set_xlim(0.3, len(low) + 0.7)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    title = f"Singular values of a {result.samples} x {result.columns} matrix"
    dress(ax, title=title, x="index, largest first", y=r"singular value $\sigma_k$")
    legend(ax, loc="upper right")
    return ax


def sigma_along_line(points: Sequence[LinePoint], ax: Axes | None = None) -> Axes:
    """Draw the enclosures of sigma_N at points of a line through U-space (`verifier.sigma_along_line`).

    Parameters
    ----------
    points
        At least two.
    ax
        Axes to draw on; None makes a figure.

    Returns
    -------
    Axes
        An interval at each point, the points joined by a thin line that claims nothing; triangles where rank < N is
        proved.

    Raises
    ------
    InputError
        If there are fewer than two points, or nothing positive to draw.
    """
    if len(points) < 2:
        raise InputError(f"{len(points)} points; give at least two points of a line")
    known = [point for point in points if point.upper is not None]
    zero = [point.t for point in known if point.upper is not None and point.upper.mantissa == 0]
    known = [point for point in known if point.t not in zero]
    if not known:
        raise InputError("sigma_N is 0 or unknown at all of these points; there is nothing to draw")
    ax = axes_or_new(ax)
    t = np.array([point.t for point in known])
    low, high = _bounds([p.lower for p in known], [p.upper for p in known if p.upper is not None])
    floor, middle = _intervals(ax, t, low, high, size=3.0)
    joined = np.array([*zip(t, middle, strict=True), *((s, np.nan) for s in zero)])
    joined = joined[np.argsort(joined[:, 0])]  # no line through points of deficient rank
    ax.plot(joined[:, 0], joined[:, 1], color=palette_of(ax).main, linewidth=0.8, alpha=0.5)
    if zero:
        _zeros(ax, np.array(zero), floor, "proved: rank < N")
    dress(ax, title=r"$\sigma_N$ along a line of hidden parameters", x=r"t in $U_0 + t D$", y=r"$\sigma_N(\Psi)$")
    ax.set_ylim(floor / 2.0, float(high.max()) * (float(high.max()) / floor) ** 0.3)
    legend(ax, loc="upper center")
    return ax


def psi(features: FeatureEnclosure | FloatEnclosure | Array, ax: Axes | None = None, *, bar: bool = True) -> Axes:
    """Draw the feature matrix as an image: a row for each sample, a column for each skip unit.

    Parameters
    ----------
    features
        An enclosure of Psi(U), of which the midpoints are drawn, or a matrix ``(N, M)``.
    ax
        Axes to draw on; None makes a figure.
    bar
        Whether a colour bar is drawn beside it.

    Returns
    -------
    Axes
        With the image; 0 is the middle of the colours. Layers are set apart by lines.

    Raises
    ------
    InputError
        If it is no matrix of finite numbers.
    """
    network: Network | None = None
    if isinstance(features, FeatureEnclosure | FloatEnclosure):
        network, values = features.network, features.approx()
    else:
        values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise InputError(f"Psi has shape {values.shape}; give a matrix (N, M) of finite numbers")
    ax = axes_or_new(ax)
    palette = palette_of(ax)
    largest = float(np.abs(values).max()) or 1.0
    image = ax.imshow(values, cmap=palette.diverging, norm=Normalize(-largest, largest), aspect="auto")
    image.set_gid("psi")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    title = rf"$\Psi(U)$: {values.shape[0]} samples, {values.shape[1]} units connected to the outputs"
    several = network is not None and len(network.features) > 1
    dress(ax, title=title, x="skip unit", y="sample", grid=None, pad=16.0 if several else 6.0)
    if network is not None and several:
        _mark_layers(ax, network)
    if bar:
        colour_bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
        colour_bar.set_label("value of the unit on the sample")
        colour_bar.outline.set_visible(False)
    return ax


def _mark_layers(ax: Axes, network: Network) -> None:
    """Lines between the columns of different layers or nodes, and their names above them."""
    palette, start = palette_of(ax), 0
    for name, size in _columns(network):
        if start:
            ax.axvline(start - 0.5, color=palette.ink, linewidth=0.8, gid="layer border")
        ax.annotate(
            name,
            (start + size / 2 - 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=palette.muted,
        )
        start += size


def _columns(network: Network) -> list[tuple[str, int]]:
    """What Psi's columns are, from left to right, and how many they are."""
    if network.layered is not None:
        found = [(f"layer {index}", len(units)) for index, units in network.skip_units]
        return [*found, ("bias", 1)] if network.output_bias else found
    sizes = [
        math.prod(network.node_shapes[feature.node]) if feature.entries is None else len(feature.entries)
        for feature in network.features
    ]
    return [(network.title(feature.node), size) for feature, size in zip(network.features, sizes, strict=True)]


def _bounds(lower: Sequence[Dyadic], upper: Sequence[Dyadic]) -> tuple[Array, Array]:
    """Outward rounded bounds; a lower bound of 0 stays 0."""
    low = np.array([max(0.0, lower_float(bound.arb())) for bound in lower])
    return low, np.array([upper_float(bound.arb()) for bound in upper])


def _intervals(ax: Axes, x: NDArray[np.number], low: Array, high: Array, *, size: float) -> tuple[float, Array]:
    """Draw bars between bounds on a logarithmic axis; a lower bound of 0 goes down to the floor.

    Returns
    -------
    (float, ndarray)
        The floor, a decade below everything, and the middles.
    """
    colour = palette_of(ax).main
    floor = max(SMALLEST, float(np.where(low > 0, low, high).min()) / 10.0)
    bottom = np.maximum(low, floor)
    middle = np.sqrt(bottom) * np.sqrt(high)
    positive = bool((low > 0).all())
    width = width_at_most(zip(low.tolist(), high.tolist(), strict=True)) if positive else "some down to 0"
    ax.set_yscale("log")
    ax.vlines(x, bottom, high, colors=colour, linewidth=2.0, gid="intervals")
    ax.plot(x, middle, "o", color=colour, markersize=size, gid="values", label=f"certified, {width}")
    return floor, middle


def _zeros(ax: Axes, x: NDArray[np.number], floor: float, label: str) -> None:
    """Draw hollow triangles at the floor: values that are proved to be 0."""
    colour = palette_of(ax).accent
    ax.plot(
        x, np.full(len(x), floor), "v", markersize=6, markerfacecolor="none", markeredgecolor=colour,
        gid="zeros", label=label,
    )  # fmt: skip
