"""Psi(U) as an image, its certified singular values, and sigma_N along a line through U-space."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import Enclosure
from verifier.balls.exact import Dyadic, about, at_least, lower_float, upper_float
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.unheld import too_large
from verifier.display import count
from verifier.errors import InputError
from verifier.network.network import Array, Network
from verifier.outcome import Report
from verifier.plot.description import describe
from verifier.plot.places import free_legend
from verifier.plot.style import axes_or_new, dress, palette_of, width_at_most
from verifier.rank.genericity import LinePoint
from verifier.rank.matrix import MatrixResult
from verifier.rank.singular_values import singular_values as enclose
from verifier.rank.spectrum_search import SingularValues

NEARLY = 1.1
"""Values that differ by less than this factor are drawn on an axis of two octaves: its numbers would be all alike."""
SMALLEST = 1e-300
"""Smallest number drawn on a logarithmic axis."""


def singular_values(result: Report | MatrixResult | SingularValues, ax: Axes | None = None, *, digits: int = 6) -> Axes:
    """Draw certified intervals of all singular values, largest first, on a logarithmic scale.

    Parameters
    ----------
    result
        A report (they are enclosed here, which takes a while where N is large), what `verifier.matrix` found, or a
        result of `verifier.singular_values` or `verifier.matrix_singular_values`.
    ax
        Axes to draw on; None makes a figure.
    digits
        Of each singular value, where they are enclosed here; at least 1.

    Returns
    -------
    Axes
        A bar from the lower to the upper bound (rounded outward) of each, a dot on it; a triangle at the bottom for
        those that are proved to be 0.

    Raises
    ------
    InputError
        If the result has no enclosures.

    Examples
    --------
    >>> import verifier as vf
    >>> from matplotlib.figure import Figure
    >>> report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True))
    >>> print(vf.plot.description(vf.plot.singular_values(report, Figure().subplots())))
    Singular values of a 2 x 4 matrix: All of them on a logarithmic axis, the largest first, as certified intervals. \
The largest is at least 2.08, the smallest at least 0.2732.
    """
    if isinstance(result, Report):
        _require_held(result.features)
        result = enclose(result.features, digits)
    if isinstance(result, MatrixResult):
        if result.values is None:
            raise InputError("the singular values of this matrix were not asked for; give vf.matrix(A, digits=20)")
        result = result.values
    if not isinstance(result, SingularValues):
        raise InputError(f"{type(result).__name__} has no singular values; give a report, or vf.singular_values(...)")
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
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    title = f"Singular values of a {result.samples} x {result.columns} matrix"
    dress(ax, title=title, x="index, largest first", y=r"singular value $\sigma_k$")
    free_legend(ax, (1.0, 1.0), upwards=True)
    said = ["All of them on a logarithmic axis, the largest first, as certified intervals."]
    said.append(
        f"The largest is at least {at_least(result.lower[0])}, the smallest at least {at_least(result.lower[-1])}."
    )
    if result.columns < result.samples:
        said.append(f"There are fewer columns than rows, so sigma_k is 0 for k above {result.columns}.")
    said += [f"{int(zero.sum())} of them are proved to be 0."] if zero.any() else []
    describe(ax, title, " ".join(said))
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

    Examples
    --------
    >>> import verifier as vf
    >>> from matplotlib.figure import Figure
    >>> report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True))
    >>> line = vf.sigma_along_line(report.network, report.data.inputs, 0 * report.u, report.u, [0.0, 0.5, 1.0])
    >>> vf.plot.sigma_along_line(line, Figure().subplots()).get_xlabel()
    't in $U_0 + t D$'
    """
    if not isinstance(points, Sequence) or not all(isinstance(point, LinePoint) for point in points):
        raise InputError(f"{type(points).__name__} is no line; give the points that vf.sigma_along_line returned")
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
    ax.set_ylim(bottom=floor / 2.0)
    free_legend(ax, (0.5, 1.0), upwards=True)
    said = [
        f"Certified intervals on a logarithmic axis at {len(known) + len(zero)} points of the line; nothing in between."
    ]
    said.append(f"Where it is not proved to be 0, it is at least {at_least(min(p.lower.fraction() for p in known))}.")
    said += [f"At t = {', '.join(f'{t:g}' for t in zero)} it is proved to be 0: rank < N."] if zero else []
    describe(ax, "sigma_N, the smallest singular value of Psi, along a line of hidden parameters", " ".join(said))
    return ax


def psi(
    features: Report | FeatureEnclosure | FloatEnclosure | ArrayLike, ax: Axes | None = None, *, bar: bool = True
) -> Axes:
    """Draw the feature matrix as an image: a row for each sample, a column for each skip unit.

    Parameters
    ----------
    features
        A report or an enclosure of Psi(U), of which the midpoints are drawn, or a matrix ``(N, M)``.
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

    Examples
    --------
    >>> import verifier as vf
    >>> from matplotlib.figure import Figure
    >>> report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True))
    >>> vf.plot.psi(report, Figure().subplots()).get_xlabel()
    'skip unit'
    """
    network: Network | None = None
    if isinstance(features, Report):
        features = features.features
    if isinstance(features, FeatureEnclosure | FloatEnclosure):
        _require_held(features)
        network, values = features.network, features.approx()
    else:
        values = _numbers(features)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise InputError(f"Psi has shape {values.shape}; give a matrix (N, M) of finite numbers")
    ax = axes_or_new(ax)
    palette = palette_of(ax)
    largest = float(np.abs(values).max()) or 1.0
    image = ax.imshow(values, cmap=palette.diverging, norm=Normalize(-largest, largest), aspect="auto")
    image.set_gid("psi")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    size = f"{count(values.shape[0], 'sample')}, {count(values.shape[1], 'unit')} connected to the outputs"
    title = rf"$\Psi(U)$: {size}"
    several = network is not None and len(network.features) > 1
    dress(ax, title=title, x="skip unit", y="sample", grid=None, pad=16.0 if several else 6.0)
    if network is not None and several:
        _mark_layers(ax, network)
    if bar:
        colour_bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
        colour_bar.set_label("value of the unit on the sample")
        colour_bar.outline.set_visible(False)
    low, high = about(float(values.min())), about(float(values.max()))
    described = f"{size}; values from about {low} to about {high}, drawn in floating point."
    describe(ax, "Feature matrix Psi(U)", described)
    return ax


def _require_held(features: Enclosure) -> None:
    """Refuse a matrix that memory does not hold."""
    n, m = features.samples, features.columns
    if too_large(n, m):
        raise InputError(f"Psi(U) is {n} x {m} and takes {8 * n * m / 1e9:.1f} GB; give a report of fewer samples")


def _numbers(given: object) -> Array:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{type(given).__name__} is no feature matrix; give a report, features or numbers") from None


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
    if positive and float(high.max()) < NEARLY * float(low.min()):  # equal but for rounding: numbers that can be read
        ax.set_ylim(float(low.min()) / 2.0, 2.0 * float(high.max()))
    return floor, middle


def _zeros(ax: Axes, x: NDArray[np.number], floor: float, label: str) -> None:
    """Draw hollow triangles at the floor: values that are proved to be 0."""
    colour = palette_of(ax).accent
    ax.plot(
        x, np.full(len(x), floor), "v", markersize=6, markerfacecolor="none", markeredgecolor=colour,
        gid="zeros", label=label,
    )  # fmt: skip
