"""Figures of an experiment: training progress (the paper's Figure 4), SGD beside the proof's path, test errors.

Curves of SGD are floating point. What is certified is drawn as a band between proved bounds, and labelled so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from verifier.balls.exact import at_most
from verifier.errors import InputError
from verifier.experiments.groups import Condition, Group, grouped
from verifier.experiments.record import Epoch, PathPoint, Run
from verifier.experiments.statistics import mean_interval
from verifier.experiments.styles import STYLES
from verifier.plot.places import free_legend
from verifier.plot.style import Palette, dress, palette_of

SMALLEST: Final = 1e-12
"""Losses are drawn down to this: below, binary64's mean cross-entropy is rounding."""
WIDE: Final = 4.0
"""From this ratio of the two curves' lengths on distances are on a logarithmic scale."""
LONGEST, LONGEST_NAME = 60, 30
"""Characters of a title, and of the name of a row."""
STEP: Final = 0.22
"""Distance of two conditions in the row of a network, in rows."""
LEGEND_COLUMNS: Final = 3
GUESSES: Final = 40.0
"""Where some test error is above so many percent, errors are on a square-root axis."""


def progress_figure(runs: Sequence[Run]) -> Figure:
    """Draw training loss and training error against epochs, with and without skips (the paper's Figure 4).

    Parameters
    ----------
    runs
        SGD runs of one group: one architecture, activation and data set. Those with U as drawn are left out.

    Returns
    -------
    Figure
        Left the loss on a logarithmic scale, right the error in percent; a thin line per seed, a bold one for their
        mean, over the epochs that all seeds have. All in floating point.

    Raises
    ------
    InputError
        No run of SGD, or several groups.
    """
    groups = grouped(run for run in runs if run.method == "sgd")
    if len(groups) != 1:
        raise InputError(f"runs: SGD runs of {len(groups)} groups; give those of one architecture and data set")
    ((group, by),) = groups.items()
    figure = Figure(figsize=(6.8, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    for condition, seeds in by.items():
        found = list(seeds.values())
        _progress(left, condition, found, lambda run, e: max(e.train_loss, SMALLEST), "loss")
        _progress(right, condition, found, lambda run, e: 100.0 * e.train_errors / run.samples, "error")
    left.set_yscale("log")
    right.set_ylim(bottom=min(-2.0, right.get_ylim()[0]))
    dress(left, title="Training loss", x="epoch", y="mean cross-entropy (floating point)")
    dress(right, title="Training error", x="epoch", y="misclassified, % (floating point)")
    for ax in (left, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    free_legend(right, (1.0, 1.0), upwards=True)
    figure.suptitle(_plain(f"{group.words}, N = {group.samples} samples of {group.data}"), fontsize=10)
    return figure


def progress_caption(runs: Sequence[Run]) -> str:
    """What `progress_figure` shows, in a sentence."""
    ((group, by),) = grouped(run for run in runs if run.method == "sgd").items()
    counts = ", ".join(f"{len(seeds)} {STYLES[condition].name}" for condition, seeds in by.items())
    return (
        f"Training progress of {group.words} on {group.samples} samples of {group.data}: a thin line per seed, bold"
        f" their mean (runs: {counts}). Everything here is floating point; nothing in this figure is proved."
    )


def trajectory_figure(run: Run) -> Figure:
    """Draw the loss against the distance from the random start in parameter space: SGD's epochs and the proof's path.

    Parameters
    ----------
    run
        A run with a certified path from the network as drawn.

    Returns
    -------
    Figure
        SGD's epochs as points (floating point); the path as a band between the proved bounds at its points. Both begin
        at the same weights.

    Raises
    ------
    InputError
        The run has no path.
    """
    if not run.path:
        raise InputError(f"run: {run.architecture}, seed {run.seed} has no certified path; draw a run that has one")
    figure = Figure(figsize=(4.9, 3.7), layout="constrained")
    ax = figure.subplots()
    palette = palette_of(ax)
    path = [point for point in run.path if point.high > SMALLEST]
    _sgd_line(ax, palette, run)
    _path_band(ax, palette, path)
    _distances(ax, run)
    ax.set_yscale("log")
    drawn = [max(e.train_loss, SMALLEST) for e in run.epochs if math.isfinite(e.train_loss)]
    highs = [point.high for point in path]
    ax.set_ylim(0.3 * min(drawn + highs), 3.0 * max(drawn + highs))
    start = path[0] if path else run.path[0]
    ax.plot(
        [0.0], [start.high], "*", color=palette.ink, markersize=11, gid="start", zorder=8, label="the start, as drawn"
    )
    title = f"{run.architecture}, {run.activation}, seed {run.seed}: one start, two ways down"
    dress(ax, title=_plain(title), x="Euclidean distance from the start in (U, V)", y=r"cross-entropy $\Phi$")
    free_legend(ax, (1.0, 1.0), upwards=True)
    return figure


def trajectory_caption(run: Run) -> str:
    """What `trajectory_figure` shows, in two sentences."""
    method = "SGD moves U and V" if run.method == "sgd" else "the method moves V only"
    return (
        f"{run.architecture}, {run.activation}, seed {run.seed}, {run.samples} samples of {run.data}. Certified: the"
        " loss of the exact network lies in the band at each marked point of the proof's path, on which U stays as"
        f" drawn and only V moves: at most {at_most(run.path[0].high)} at the start, at most"
        f" {at_most(run.path[-1].high)} at the last point."
        f" Floating point: the epochs of training ({method}) and all distances. Both begin at"
        " the same weights; lines join points and claim nothing between them."
    )


def errors_figure(runs: Sequence[Run]) -> Figure:
    """Draw mean test errors with their 95% intervals over seeds, each condition for each architecture.

    Parameters
    ----------
    runs
        Runs on one data set.

    Returns
    -------
    Figure
        A row for each architecture and activation; a small dot for each seed.

    Raises
    ------
    InputError
        No run, or several data sets.
    """
    groups = grouped(runs)
    if len({(group.data, group.samples, group.tests, group.experiment) for group in groups}) != 1:
        raise InputError("runs: none, or of several data sets; draw one data set at a time")
    present = [condition for condition in STYLES if any(condition in by for by in groups.values())]
    height = 0.45 * max(1.0, len(present) / 3)  # of a row
    figure = Figure(figsize=(5.4, 1.4 + height * len(groups)), layout="constrained")
    ax = figure.subplots()
    palette = palette_of(ax)
    step = min(STEP, 0.75 / len(present))
    for row, by in enumerate(groups.values()):
        for condition, seeds in by.items():
            offset = step * (present.index(condition) - 0.5 * (len(present) - 1))
            _error_dots(ax, palette, condition, row + offset, [100.0 * run.test_error for run in seeds.values()])
    ax.set_yticks(range(len(groups)), [_plain(group.words, LONGEST_NAME) for group in groups])
    ax.set_ylim(len(groups) - 0.4, -0.6)
    ax.hlines(
        range(len(groups)), 0.0, 1.0, transform=ax.get_yaxis_transform(), color=palette.grid, linewidth=0.6, zorder=0
    )
    axis = _error_axis(ax, 100.0 * max(run.test_error for run in runs))
    handles, labels = ax.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    names = [STYLES[condition].name for condition in present]
    figure.legend(
        [once[n] for n in names],
        names,
        loc="outside lower center",
        ncols=len(names) if len(names) <= LEGEND_COLUMNS else 2,
        columnspacing=1.2,
        labelcolor=palette.ink,
    )
    (first, *_) = groups
    figure.suptitle(_plain(f"Test error on {first.data}: N = {first.samples}, {first.tests} test samples"), fontsize=10)
    dress(ax, title="", x=f"% misclassified (floating point{axis})", y="", grid="x")
    return figure


def errors_caption(runs: Sequence[Run]) -> str:
    """What `errors_figure` shows, in two sentences."""
    (first, *_) = grouped(runs)
    return (
        f"Test errors on {first.data}: the mean over seeds with Student's 95% interval (none for a single seed), small"
        " dots for the seeds. Everything here is floating point; nothing in this figure is proved."
    )


def _plain(words: str, longest: int = LONGEST) -> str:
    """A name as matplotlib shows it: no mathematics, no character that the font may lack, not too long."""
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in words)
    return (shown if len(shown) <= longest else f"{shown[: longest - 3]}...").replace("$", r"\$")


def _progress(
    ax: Axes, condition: Condition, runs: Sequence[Run], value: Callable[[Run, Epoch], float], gid: str
) -> None:
    style = STYLES[condition]
    tint = style.colour(palette_of(ax))
    curves = [{e.epoch: float(value(run, e)) for e in run.epochs} for run in runs]
    for curve in curves:
        ax.plot(list(curve), list(curve.values()), color=tint, linewidth=0.7, alpha=0.45, linestyle=style.line)
    common = sorted(set.intersection(*(set(curve) for curve in curves)))
    means = [float(np.mean([curve[number] for curve in curves])) for number in common]
    words = f"{style.name}, mean of {len(runs)}" if len(runs) > 1 else f"{style.name}, one seed"
    ax.plot(
        common,
        means,
        color=tint,
        linewidth=2.2,
        linestyle=style.line,
        label=words,
        zorder=4,
        gid=f"{condition} {gid}",
    )


def _sgd_line(ax: Axes, palette: Palette, run: Run) -> None:
    epochs: list[Epoch] = [e for e in run.epochs if math.isfinite(e.train_loss) and math.isfinite(e.distance)]
    name = {"sgd": "SGD, its epochs", "rand": "V optimised", "interpolation": "V solved for"}[run.method]
    ax.plot(
        [e.distance for e in epochs],
        [max(e.train_loss, SMALLEST) for e in epochs],
        color=palette.accent,
        linewidth=1.0,
        linestyle=(0, (4, 2)),
        marker="o",
        markersize=3.2,
        label=f"{name} (floating point)",
        gid="sgd",
        zorder=5,
    )


def _path_band(ax: Axes, palette: Palette, path: Sequence[PathPoint]) -> None:
    distance: NDArray[np.float64] = np.array([point.distance for point in path])
    low = np.maximum([point.low for point in path], SMALLEST)
    high: NDArray[np.float64] = np.array([point.high for point in path])
    fill: dict[str, Any] = {"color": palette.main, "edgecolor": palette.main, "linewidth": 1.6, "alpha": 0.85}
    words = "the proof's path: between proved bounds"
    ax.fill_between(distance, low, high, label=words, gid="band", zorder=4, **fill)
    ax.vlines(distance, low, high, color=palette.main, linewidth=2.4, zorder=4)
    ax.plot(distance, high, linestyle="none", marker="_", markersize=5, color=palette.main, gid="bounds", zorder=4)


def _distances(ax: Axes, run: Run) -> None:
    """A linear axis, or one that is logarithmic from the first epoch on, where one way is much longer."""
    lengths = [max(e.distance for e in run.epochs if math.isfinite(e.distance)), max(p.distance for p in run.path)]
    longest, shortest = max(lengths), min(length for length in lengths if length > 0.0) if any(lengths) else 0.0
    if shortest and longest > WIDE * shortest:
        ax.set_xscale("symlog", linthresh=10.0 ** math.floor(math.log10(0.3 * shortest)), linscale=0.6)
    ax.set_xlim(left=0.0, right=1.08 * longest if longest else 1.0)


def _error_dots(ax: Axes, palette: Palette, condition: Condition, row: float, values: Sequence[float]) -> None:
    style, interval = STYLES[condition], mean_interval(values)
    tint = style.colour(palette)
    ax.plot(values, [row] * len(values), linestyle="none", marker=".", markersize=3.5, color=tint, alpha=0.55, zorder=3)
    if interval.half is not None:
        ax.plot([max(interval.low, 0.0), interval.high], [row, row], color=tint, linewidth=1.6, zorder=4)
    edge: dict[str, Any] = {"markeredgecolor": palette.background, "markeredgewidth": 0.6}
    look: dict[str, Any] = {
        "linestyle": "none",
        "marker": style.marker,
        "markersize": 6,
        "color": tint,
        **edge,
    }
    ax.plot([interval.mean], [row], label=style.name, gid=f"{condition} {row:.2f}", zorder=5, **look)


def _error_axis(ax: Axes, most: float) -> str:
    """From 0 on; by the square root, so that few errors can be told apart beside a network that only guesses."""
    ticks = [tick for tick in (0, 1, 2, 5, 10, 20, 40, 60, 80) if tick <= most]
    if most < GUESSES:
        ax.set_xlim(left=0.0)
        return ""
    ax.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0.0)), np.square))
    ax.set_xlim(0.0, min(1.1 * most, 100.0))
    ax.set_xticks(ticks)
    return "; square-root axis"


def first_with_path(runs: Sequence[Run]) -> dict[tuple[Group, Condition], Run]:
    """Of each group and condition the run of the smallest seed that has a path: the one to draw."""
    found: dict[tuple[Group, Condition], Run] = {}
    for group, by in grouped(runs).items():
        for condition, seeds in by.items():
            with_path = [run for run in seeds.values() if run.path]
            if with_path:
                found[group, condition] = with_path[0]
    return found
