"""Certified margins, one for each sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import arb
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from verifier.balls.exact import Dyadic, at_least, lower_float, upper_float
from verifier.balls.margins import Margins
from verifier.display import count
from verifier.errors import InputError
from verifier.landscape.zero_loss import ZeroLoss
from verifier.outcome import Report
from verifier.plot.description import describe
from verifier.plot.places import free_legend
from verifier.plot.style import axes_or_new, dress, palette_of

MARKERS = "osD^vP"
"""One for every run through the colours."""


def margins(
    zero_or_rows: Report | ZeroLoss | Margins | Sequence[Sequence[arb]],
    ax: Axes | None = None,
    *,
    labels: ArrayLike | None = None,
) -> Axes:
    """Draw the certified smallest margin of every sample, sorted.

    Parameters
    ----------
    zero_or_rows
        A report, a result of `verifier.prove_zero_loss`, or enclosures of margins, ``(N, m - 1)``.
    ax
        Axes to draw on; None makes a figure.
    labels
        Classes ``(N,)``, for colours; None draws all samples alike.

    Returns
    -------
    Axes
        An interval for each sample (bounds rounded outward) with a dot, and the proved bound gamma of all of them.

    Raises
    ------
    InputError
        If there are no margins, or the labels do not fit.

    Examples
    --------
    >>> import verifier as vf
    >>> from matplotlib.figure import Figure
    >>> report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True))
    >>> print(vf.plot.description(vf.plot.margins(report, Figure().subplots())))
    Margins: 2 of 2 samples certified correct: The smallest margin of each sample, sorted, as a certified interval. \
All are at least 0.9999.
    """
    low, high, gamma = _smallest(zero_or_rows)
    classes = None if labels is None else np.asarray(labels)
    if classes is not None and (classes.shape != low.shape or classes.dtype.kind not in "iu"):
        raise InputError(f"labels have shape {classes.shape}, type {classes.dtype}; give {len(low)} integers")
    ax = axes_or_new(ax)
    palette = palette_of(ax)
    order = np.argsort(low, kind="stable")
    place = np.arange(1, len(order) + 1)
    size = 4.0 if len(order) <= 100 else 2.0
    ax.axhline(0.0, color=palette.muted, linewidth=0.8)
    ax.vlines(place, low[order], high[order], colors=palette.muted, linewidth=1.5, gid="intervals")
    middle = 0.5 * (low + high)[order]
    if classes is None:
        ax.plot(place, middle, "o", color=palette.main, markersize=size, gid="margins", label="certified margin")
    else:
        for number, name in enumerate(np.unique(classes).tolist()):
            mine = classes[order] == name
            colour = palette.cycle[number % len(palette.cycle)]
            marker = MARKERS[number // len(palette.cycle) % len(MARKERS)]
            style = {"marker": marker, "linestyle": "none", "color": colour, "markersize": size}
            ax.plot(place[mine], middle[mine], gid=f"class {name}", label=f"class {name}", **style)  # type: ignore[arg-type]
    if gamma is not None:
        bound = lower_float(gamma.arb())
        words = rf"$\gamma \geq$ {at_least(bound, 3)}: proved bound of all"
        ax.axhline(bound, color=palette.accent, linestyle="--", linewidth=1.1, gid="gamma", label=words, zorder=3)
    dress(ax, title=_title(low, high), x="sample, sorted by its margin", y="margin: true class minus best other")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlim(0.0, len(order) + 1.0)
    ax.margins(y=0.08)
    free_legend(ax, (1.0, 0.0), markerscale=1.5, ncols=1 if classes is None or len(np.unique(classes)) < 4 else 2)
    said = "The smallest margin of each sample, sorted, as a certified interval."
    describe(ax, _title(low, high), f"{said} All are at least {at_least(float(low.min()))}.")
    return ax


def _title(low: NDArray[np.float64], high: NDArray[np.float64]) -> str:
    wrong, open_ = int((high <= 0).sum()), int(((low <= 0) & (high > 0)).sum())
    title = f"Margins: {int((low > 0).sum())} of {count(len(low), 'sample')} certified correct"
    return title + (f", {wrong} certified wrong" if wrong else "") + (f", {open_} open" if open_ else "")


def _smallest(given: object) -> tuple[NDArray[np.float64], NDArray[np.float64], Dyadic | None]:
    """Bounds of each sample's smallest margin, and gamma."""
    gamma: Dyadic | None = None
    if isinstance(given, Report):
        if given.zero_loss is None:
            raise InputError(
                "the report has no margins to draw: none were asked for, or labels conflict, or it is a regression"
            )
        given = given.zero_loss
    if isinstance(given, ZeroLoss):
        if given.margins is None:
            raise InputError(f"no margins were certified, so there are none to draw: {given.reason}")
        gamma, given = given.gamma, given.margins
    rows = given.rows if isinstance(given, Margins) else given
    if not isinstance(rows, Sequence) or not rows or not all(isinstance(row, Sequence) and row for row in rows):
        raise InputError("margins need at least one sample and two classes; give a ZeroLoss, Margins or rows of balls")
    if not all(isinstance(ball, arb) for row in rows for ball in row):
        raise InputError("margins are drawn from enclosures; give flint.arb balls, e.g. enclose_margins(...)[0]")
    low = np.array([min(lower_float(ball) for ball in row) for row in rows])
    high = np.array([min(upper_float(ball) for ball in row) for row in rows])
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise InputError("some margin has no finite enclosure; enclose the features with more bits")
    return low, high, gamma
