"""The certified loss along a path: the legs of an escape, the segment to kappa V1, the ray to loss 0."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from matplotlib.transforms import Bbox

from verifier.balls.exact import at_least, at_most, exactly, lower_float, upper_float
from verifier.errors import InputError
from verifier.landscape.escape import EscapeResult
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.path import Path
from verifier.landscape.sampling import LINEAR, loss_on_legs, sample_loss, sample_times
from verifier.landscape.straight_path import PathResult
from verifier.landscape.targets import Target
from verifier.outcome import Report
from verifier.plot.description import describe
from verifier.plot.places import Places, extend, free_legend, place_label
from verifier.plot.style import axes_or_new, dress, palette_of, width_at_most
from verifier.problem import Problem
from verifier.verdict import Verdict

Sample = tuple[float, float, float]
"""Time, lower and upper bound of the loss."""

SMALLEST = 1e-290
"""Losses below this are not drawn: binary64 ends at 1e-308."""
DEEP = 20
"""From this many decades the segment gets an inset of its own: on the whole axis it would look flat."""
PIECE_POINTS = 41
"""At most this many points on a moving piece, where every point costs a pass through the network in ball arithmetic."""
MIN_POINTS = 8
INSETS, LEAST_INSET = (0.44, 0.38, 0.32), (112.0, 84.0)
"""Sizes of the inset that are tried, as shares of the axes, and what it takes at least, in points."""
BESIDE_INSET = (34.0, 8.0, 14.0, 14.0)
"""Points at the left, at the right, below and above the inset's frame: numbers and a title."""
ROOM = 0.5
"""Share of the axis that is added where an inset is asked for and no place is free."""


@dataclass(frozen=True, slots=True)
class Descent:
    """Certified samples of a path, for plots: ``piece`` on the legs of an escape, ``samples`` on P1's segment and ray.

    Times are those of `Path`. Guarantee: at every time listed the loss at the exact point of the path lies between the
    two bounds; on P1's part it decreases, so between two times it lies between the later one's lower and the earlier
    one's upper bound.
    """

    path: Path
    escape: Escape | None
    piece: tuple[Sample, ...]
    samples: tuple[Sample, ...]

    @property
    def threshold(self) -> float:
        """``log(2)/n``, the loss below which nothing is misclassified (L2.1); rounded."""
        return math.log(2.0) / sum(self.path.multiplicities)


def loss_along_path(
    path: Path | PathResult | Escape | EscapeResult | Report,
    ax: Axes | None = None,
    *,
    points: int = 200,
    problem: Problem | None = None,
    inset: bool | None = None,
) -> Axes:
    """Draw the certified band of the loss along a path, on a logarithmic scale.

    Parameters
    ----------
    path
        A path, an escape, or a result or report that has one.
    ax
        Axes to draw on; None makes a figure.
    points
        How many times are enclosed on segment and ray, at least 8.
    problem
        What the path was proved for: with it the loss on a leg where it moves (E1, E3) is enclosed at up to 41 times;
        without it only what was certified of the whole leg is drawn.
    inset
        Whether the segment is shown again, enlarged; None: where the loss falls by more than 20 decades. It is left
        out where the axes have no room for it.

    Returns
    -------
    Axes
        With the band, the end of the segment, the targets, and the threshold ``log(2)/n`` of L2.1.

    Raises
    ------
    InputError
        If there is no certified path, or too few points.
    """
    descent = sample_descent(path, points=points, problem=problem)
    ax = axes_or_new(ax)
    _draw(ax, descent)
    places = free_legend(ax, (0.0, 0.0))
    decades = math.log10(max(descent.samples[0][2], SMALLEST) / max(descent.samples[-1][2], SMALLEST))
    if inset or (inset is None and decades > DEEP and descent.escape is None):
        box = _room(places)
        if box is None and inset:
            extend(ax, ROOM, upwards=True)
            places = free_legend(ax, (0.0, 0.0))
            box = _room(places)
        if box is not None:
            _enlarge(ax, descent, box)
    for target in _shown(descent.path):
        at = (descent.path.time_of(target), float(target.loss))
        place_label(places, at, target.text, fontsize=8, color=palette_of(ax).second, gid="target label", zorder=6)
    describe(ax, *_told(descent))
    return ax


def sample_descent(
    path: Path | PathResult | Escape | EscapeResult | Report,
    *,
    points: int = 200,
    problem: Problem | None = None,
) -> Descent:
    """Enclose the loss at ``points`` times of a path, from its start until all of its targets are reached.

    Parameters
    ----------
    path, points, problem
        As for `loss_along_path`.

    Raises
    ------
    InputError
        As `loss_along_path`.
    """
    if points < MIN_POINTS:
        raise InputError(f"points = {points}; give at least {MIN_POINTS}")
    way, escape = certified_path(path)
    on_segment = points // 2
    times = sample_times(way, on_segment, points - on_segment)
    if problem is not None and not (escape is None or np.array_equal(problem.u, way.start_u)):
        raise InputError("problem does not belong to this escape: it starts at another U; leave it out")
    piece = () if escape is None else _on_legs(escape, 0 if problem is None else min(points, PIECE_POINTS))
    return Descent(way, escape, piece, _bounds((sample.s, sample.loss) for sample in sample_loss(way, times)))


def certified_path(path: object) -> tuple[Path, Escape | None]:
    """The whole path that something has, and the escape that it begins with, if any.

    Parameters
    ----------
    path
        A path, an escape, or a result or report that has one.

    Raises
    ------
    InputError
        If it has none: why none was certified.
    """
    found: object = path
    reason = ""
    if isinstance(found, Report):
        step = next((step for step in found.steps if step.key == "path"), None)
        reason = "" if step is None else step.reason
        if step is not None and step.verdict is Verdict.PROVED and found.descent is None and found.escape is None:
            raise InputError(f"what is drawn is a path to loss 0; the one that was certified is not ({step.label})")
        found = found.descent or found.escape
    if isinstance(found, EscapeResult):
        reason, found = found.reason, found.escape
    if isinstance(found, PathResult):
        reason, found = found.reason, found.path
    if isinstance(found, Escape):
        return found.path, found
    if isinstance(found, Path):
        return found, None
    if found is None:
        raise InputError(f"no path was certified here, so there is none to draw: {reason or 'no path step'}")
    raise InputError(f"{type(path).__name__} is no path; give a Path, an Escape, or a result or report that has one")


def _on_legs(escape: Escape, points: int) -> tuple[Sample, ...]:
    """Bounds of the loss on the legs of an escape: enclosed at so many times, or what is certified of all of them."""
    path, end = escape.path, float(len(escape.legs))
    if points and escape.kind.loss != "constant":
        times = [*np.linspace(0.0, end, points, endpoint=False).tolist(), math.nextafter(end, 0.0)]
        return _bounds((sample.s, sample.loss) for sample in sample_loss(path, times))
    start, whole = loss_on_legs(escape)
    return _bounds([(0.0, start), (0.0, whole), (end, whole)])


def _bounds(values: Iterable[tuple[float, arb]]) -> tuple[Sample, ...]:
    """The times with binary64 numbers below and above the loss, which is not negative."""
    return tuple((time, max(0.0, lower_float(loss)), upper_float(loss)) for time, loss in values)


def _draw(ax: Axes, descent: Descent) -> None:
    palette, path = palette_of(ax), descent.path
    last = descent.samples[-1][0]
    ax.set_yscale("log")
    _band(ax, descent.samples, f"certified loss, {_width(descent.samples)}")
    if descent.escape is not None:
        _escape_piece(ax, descent)
    legs = len(path.before)
    _time_axis(ax, legs, last)
    ax.axvline(path.corner, color=palette.muted, linewidth=0.8, linestyle=(0, (2, 2)), gid="segment end", zorder=1)
    ax.annotate(
        rf"$\kappa V_1$, $\kappa$ = {exactly(path.kappa)}",
        (path.corner, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        color=palette.muted,
    )
    ax.axhline(
        descent.threshold,
        color=palette.accent,
        linewidth=1.1,
        linestyle="--",
        gid="threshold",
        label="log(2)/n: below it no training error (L2.1)",
        zorder=2,
    )
    shown = _shown(path)
    if shown:
        ax.plot(
            [path.time_of(target) for target in shown],
            [float(target.loss) for target in shown],
            linestyle="none",
            marker="v",
            markersize=6,
            color=palette.second,
            markeredgecolor=palette.background,
            gid="targets",
            label="proved: at most this from here on",
            zorder=6,
        )
    title = "Loss along the certified path"
    if descent.escape is not None:
        title += f"\n{descent.escape.label}: {descent.escape.claim}"
    moving = f"escape to {legs}, segment $V \\to \\kappa V_1$" if legs else r"segment $V_0 \to \kappa V_1$"
    ends = f"path time: {moving} to {path.corner}, then the ray to loss 0"
    dress(ax, title=title, x=ends, y=r"cross-entropy $\Phi$, certified", pad=16)


def _shown(path: Path) -> list[Target]:
    """The targets that can be drawn."""
    return [target for target in path.targets if float(target.loss) > SMALLEST]


def _told(descent: Descent) -> tuple[str, str]:
    """What is drawn, in words: bounds are rounded to the safe side."""
    path, escape, samples = descent.path, descent.escape, descent.samples
    title = "Loss along the certified path"
    said = ["Cross-entropy on a logarithmic axis against path time, from the start to loss 0."]
    if escape is not None:
        title += f", which begins with the escape {escape.label}"
        said.append(f"On the escape, until time {len(path.before)}: {escape.claim}.")
    (_, low, high), (_, last_low, last_high) = samples[0], samples[-1]
    first = f"between {at_least(low)} and {at_most(high)}"
    last = f"between {at_least(last_low, 2)} and {at_most(last_high, 2)}"
    where = "where the escape ends" if escape is not None else "at the start"
    said.append(f"Certified at {len(samples)} times, and decreasing from each to the next: {where} it is {first};")
    said[-1] += f" at the last time drawn it is {last}."
    said += [f"It is at most {target.text} from time {at_most(path.time_of(target))} on." for target in path.targets]
    floor = at_least(arb(2).log() / sum(path.multiplicities))
    said.append(f"Where it is below log(2)/n, a number that is at least {floor}, no sample is misclassified (L2.1).")
    return title, " ".join(said)


def _band(ax: Axes, samples: Sequence[Sample], label: str) -> None:
    """The enclosures at the samples, and the steps between which the decreasing loss lies."""
    palette = palette_of(ax)
    shown = [sample for sample in samples if sample[2] > SMALLEST]
    times, low, high = (np.array(column) for column in zip(*shown, strict=True))
    low = np.maximum(low, SMALLEST)
    following = np.append(low[1:], low[-1])
    ax.fill_between(times, following, high, step="post", color=palette.main, alpha=0.25, linewidth=0, gid="between")
    ax.fill_between(
        times, low, high, color=palette.main, edgecolor=palette.main, linewidth=1.8, gid="band", label=label, zorder=4
    )


def _width(samples: Sequence[Sample]) -> str:
    """How wide the enclosures are, relative to the loss."""
    shown = [(low, high) for _, low, high in samples if low > SMALLEST]
    return width_at_most(shown) if shown else "lower bound 0"


def _escape_piece(ax: Axes, descent: Descent) -> None:
    palette, escape = palette_of(ax), descent.escape
    if escape is None or not descent.piece:
        return
    times, low, high = (np.array(column) for column in zip(*descent.piece, strict=True))
    does = {
        "decreases": "strictly decreasing",
        "constant": "constant",
        "bounded": r"below $\Phi + \varepsilon$",
    }[escape.kind.loss]
    thin = bool((high - low <= 1e-3 * high).all())
    ax.fill_between(
        times,
        np.maximum(low, SMALLEST),
        high,
        color=palette.second,
        alpha=1.0 if thin else 0.3,
        edgecolor=palette.second,
        linewidth=1.8 if thin else 0.8,
        gid="piece",
        label=f"moving piece ({escape.label}): {does}",
        zorder=4,
    )
    if not thin:
        bottom = min(sample[1] for sample in descent.samples if sample[1] > SMALLEST)
        ax.set_ylim(bottom / 3.0, 30.0 * max(float(high.max()), descent.samples[0][2]))
    ax.axvline(
        len(descent.path.before), color=palette.muted, linewidth=0.8, linestyle=(0, (2, 2)), gid="piece end", zorder=1
    )


def _time_axis(ax: Axes, legs: int, last: float) -> None:
    """Linear in the legs and the segment, logarithmic on a long ray."""
    ax.set_xlim(0.0, last)
    corner = legs + 1.0
    if last <= LINEAR * corner:
        return
    decades = math.log10(last / corner)
    ax.set_xscale("symlog", linthresh=corner, linscale=max(0.7 * decades, 0.35))
    steps = range(1, int(math.log10(last)) + 1)
    ticks = [*(float(k) for k in range(legs + 2)), *(10.0**k for k in steps if 10.0**k > corner)]
    if not legs:
        ticks.append(0.5)
    if decades < 1.5:
        ticks += [t for t in (2.0, 5.0, 20.0) if corner < t <= last]
    ax.xaxis.set_major_locator(FixedLocator(sorted(set(ticks))))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda t, _: f"{t:g}" if abs(t) < 1e4 else f"{t:.0e}"))
    ax.xaxis.set_minor_locator(NullLocator())


def _room(places: Places) -> Bbox | None:
    """A free place for the inset with its title and numbers, as shares of the axes; it is kept free from then on."""
    for share in INSETS:
        width = max(share * places.frame.width, LEAST_INSET[0] * places.unit)
        height = max(share * places.frame.height, LEAST_INSET[1] * places.unit)
        spot = places.spot(width, height, (1.0, 1.0))
        if spot is not None:
            left, low = spot[0] * places.frame.width, spot[1] * places.frame.height
            places.words.append(Bbox.from_bounds(places.frame.x0 + left, places.frame.y0 + low, width, height))
            return Bbox.from_bounds(*spot, width / places.frame.width, height / places.frame.height)
    return None


def _enlarge(ax: Axes, descent: Descent, box: Bbox) -> None:
    """The segment once more, where nothing else is drawn."""
    palette = palette_of(ax)
    small = ax.inset_axes(_inside(ax, box))
    path = descent.path
    segment = [sample for sample in descent.samples if sample[0] <= path.corner]
    small.set_yscale("log")
    times, low, high = (np.array(column) for column in zip(*segment, strict=True))
    small.fill_between(
        times, np.maximum(low, SMALLEST), high, color=palette.main, edgecolor=palette.main, linewidth=1.6
    )
    if segment[-1][1] / 10 < descent.threshold < 2 * segment[0][2]:
        small.axhline(descent.threshold, color=palette.accent, linewidth=1.0, linestyle="--")
    begin, end = path.corner - 1.0, float(path.corner)
    small.set_xlim(begin, end)
    small.set_xticks([begin, begin + 0.5, end], [f"{t:g}" for t in (begin, begin + 0.5, end)])
    small.yaxis.set_major_locator(LogLocator(numticks=4))
    small.yaxis.set_minor_formatter(NullFormatter())
    small.tick_params(labelsize=7)
    small.set_title(r"the segment $V_0 \to \kappa V_1$", fontsize=8)
    small.grid(True, color=palette.grid, linewidth=0.5)
    small.set_axisbelow(True)


def _inside(ax: Axes, box: Bbox) -> tuple[float, float, float, float]:
    """The frame of an inset whose title and numbers fill the rest of the box, as shares of the axes."""
    frame, unit = ax.get_window_extent(), ax.figure.dpi / 72
    left, right, low, top = (points * unit for points in BESIDE_INSET)
    across, up = left / frame.width, low / frame.height
    width = box.width - (left + right) / frame.width
    return box.x0 + across, box.y0 + up, width, box.height - (low + top) / frame.height
