"""Where words may stand: boxes in pixels that meet no curve, no mark and no other words.

Legends and labels of a curve that is known only when it is drawn have no place that is always free. So the axes are
laid out, what is drawn on them is taken as lines in pixels, and places are tried; where none is free, the axis is
extended.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.path import Path as Curve
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from verifier.network.network import Array
from verifier.plot.style import palette_of
from verifier.plot.words import broken

QUIET: Final = frozenset({"segment end", "piece end", "border", "surface", "levels", "shade"})
"""Names of what words may cover: thin lines that mark a time across the whole height, shades and filled contours."""
POINT: Final = 72.0
"""Points of an inch."""
GAP: Final = 3.0
"""Points between words and what they must not meet."""
SIZES: Final = ((8.0, 0), (7.0, 0), (7.0, 34), (6.0, 26))
"""A legend's letters in points, and the characters of its lines (0: as they are); tried in this order."""
MOST_ROOM: Final = 0.7
"""Share of an axis that a legend may take: without a place in axes that are too small for it, there is none."""
MARK: Final = 5.0
"""Half the size of a mark whose size is not known, in points."""
DECADES: Final = 180.0
"""A logarithmic axis is made longer up to this many decades from 1: numbers beyond its ends are tried, too."""
GRID: Final = 16
"""Places that are tried for a legend along each side."""
AROUND: Final = ((1, 1), (-1, -1), (1, -1), (-1, 1), (1, 0), (-1, 0), (0, 1), (0, -1))
"""Where a label may stand beside its mark: right or left, above or below."""
AWAY: Final = (5.0, 9.0, 14.0, 20.0, 28.0)
"""How far from its mark, in points."""


class Places:
    """What is drawn on axes, in pixels, and the words that stand there already.

    Parameters
    ----------
    ax : Axes
        Axes whose curves are all drawn; they are laid out here, at the size that their figure has now.
    """

    def __init__(self, ax: Axes) -> None:
        """Lay the axes out, and take down where curves and words are, in pixels."""
        self.ax = ax
        figure = ax.get_figure(root=True)
        self.unit = (figure.dpi if isinstance(figure, Figure) else POINT) / POINT
        engine = figure.get_layout_engine() if isinstance(figure, Figure) else None
        if isinstance(figure, Figure) and engine is not None:
            engine.execute(figure)
        self.frame = ax.get_window_extent()
        self.curves = list(_curves(ax, self.unit))
        self.words: list[Bbox] = []

    def free(self, box: Bbox, gap: float = GAP) -> bool:
        """Whether a box in pixels is inside of the axes and meets nothing; ``gap`` points around it are free, too."""
        wide = box.padded(gap * self.unit)
        inside = self.frame.x0 <= box.x0 and box.x1 <= self.frame.x1
        inside = inside and self.frame.y0 <= box.y0 and box.y1 <= self.frame.y1
        return (
            inside
            and not any(curve.intersects_bbox(wide, filled=False) for curve in self.curves)
            and not any(wide.overlaps(other) for other in self.words)
        )

    def spot(self, width: float, height: float, corner: tuple[float, float]) -> tuple[float, float] | None:
        """The free place for a box of this size in pixels that is nearest to a corner of the axes.

        Parameters
        ----------
        width, height : float
            Of the box.
        corner : (float, float)
            As shares of the axes: ``(0, 0)`` is at the lower left.

        Returns
        -------
        (float, float) or None
            The box's lower left end as shares of the axes; None if nothing is free.
        """
        rim = 2 * GAP * self.unit
        across, up = self.frame.width - width - 2 * rim, self.frame.height - height - 2 * rim
        if across < 0 or up < 0:
            return None
        shares = np.linspace(0.0, 1.0, GRID)
        tried = sorted(
            itertools.product(shares.tolist(), shares.tolist()),
            key=lambda share: abs(share[0] - corner[0]) + abs(share[1] - corner[1]),
        )
        for x, y in tried:
            left, low = rim + x * across, rim + y * up
            box = Bbox.from_bounds(self.frame.x0 + left, self.frame.y0 + low, width, height)
            if self.free(box):
                return left / self.frame.width, low / self.frame.height
        return None

    def take(self, words: Text | Legend) -> None:
        """Keep other words away from these."""
        self.words.append(Bbox(words.get_window_extent().get_points()))


def free_legend(ax: Axes, corner: tuple[float, float], *, upwards: bool = False, **options: Any) -> Places:
    """Put a legend where it covers nothing; with smaller letters or shorter lines, or on a longer axis, if it must be.

    Parameters
    ----------
    ax : Axes
        Axes whose curves are all drawn.
    corner : (float, float)
        Where it is best, as shares of the axes: ``(0, 0)`` is at the lower left.
    upwards : bool
        Which way the vertical axis is extended where nothing is free.
    **options
        Of the legend.

    Returns
    -------
    Places
        For further words.
    """
    places = Places(ax)
    for size, columns in SIZES:
        legend = _legend(ax, size, columns, options)
        box = legend.get_window_extent()
        spot = places.spot(box.width, box.height, corner)
        if spot is not None:
            legend.set_loc(spot)
            places.take(legend)
            return places
    return _with_room(ax, places.unit, places.frame, options, upwards=upwards)


def _legend(ax: Axes, size: float, columns: int, options: dict[str, Any]) -> Legend:
    """A legend on the ground's colour, so that a grid behind it does not disturb."""
    palette = palette_of(ax)
    made = ax.legend(frameon=True, framealpha=0.9, borderpad=0.5, labelcolor=palette.ink, fontsize=size, **options)
    made.get_frame().set(facecolor=palette.background, edgecolor="none")
    made.set_zorder(3.5)  # below what is proved
    for text in made.get_texts() if columns else []:
        text.set_text(broken(text.get_text(), columns))
    return made


def _with_room(ax: Axes, unit: float, frame: Bbox, options: dict[str, Any], *, upwards: bool) -> Places:
    """Extend the vertical axis by what the legend takes, and put it there."""
    rim = 2 * GAP * unit
    sizes = [(form, _legend(ax, *form, options).get_window_extent().size) for form in SIZES]
    heights = [(height, form) for form, (width, height) in sizes if width <= frame.width - 2 * rim]
    height, form = min(heights, default=(0.0, SIZES[-1]))
    height += 2 * rim
    legend, share = _legend(ax, *form, options), height / frame.height
    fits = bool(heights) and share <= MOST_ROOM
    above = extend(ax, share, upwards=upwards) if fits else None
    if above is None:
        legend.remove()
        return Places(ax)
    legend.set_loc((rim / frame.width, 1 - (height - rim) / frame.height if above else rim / frame.height))
    places = Places(ax)
    places.take(legend)
    return places


def place_label(
    places: Places, at: tuple[float, float], words: str, *, away: Sequence[float] = AWAY, **options: Any
) -> Annotation | None:
    """Write words beside a mark where they meet nothing; none where no place is free.

    Parameters
    ----------
    places : Places
        Of the axes.
    at : (float, float)
        The mark, in the data's coordinates.
    words : str
        The label.
    away : sequence of float
        How far from the mark, in points; tried in this order.
    **options
        Of the text.
    """
    label = places.ax.annotate(words, at, xytext=(0.0, 0.0), textcoords="offset points", ha="left", **options)
    label.get_window_extent()  # its place is known from here on
    width, height = Text.get_window_extent(label).size  # without its line
    mark = places.ax.transData.transform(at)
    for far, (x, y) in itertools.product(away, AROUND):
        left, low = mark + far * places.unit * np.array((x, y)) + 0.5 * np.array(((x - 1) * width, (y - 1) * height))
        box = Bbox.from_bounds(left, low, width, height)
        if places.free(box):
            places.words.append(box)
            label.set(
                position=(far * x, far * y),
                ha=("right", "center", "left")[x + 1],
                va=("top", "center", "bottom")[y + 1],
            )
            return label
    label.remove()
    return None


def name_on_surface(
    places: Places, at: tuple[float, float], words: str, *, away: Sequence[float] = AWAY, line: bool = False
) -> None:
    """Put white words on a dark ground, readable on every colour of a surface; see `place_label`.

    Parameters
    ----------
    places, at, words, away
        As there.
    line : bool
        Whether a thin line leads from the words to the mark.
    """
    ground = {"boxstyle": "round,pad=0.25", "facecolor": "black", "alpha": 0.6, "linewidth": 0}
    leads = {"arrowstyle": "-", "color": "white", "linewidth": 0.9, "shrinkB": 4.0} if line else None
    options = {"color": "white", "fontsize": 8.5, "zorder": 7, "bbox": ground, "arrowprops": leads, "gid": "words"}
    place_label(places, at, words, away=away, **options)


def extend(ax: Axes, share: float, *, upwards: bool) -> bool | None:
    """Make the vertical axis longer at one end, so that the new part is this share of it.

    Parameters
    ----------
    ax : Axes
        The axes.
    share : float
        Between 0 and 1.
    upwards : bool
        At which end, unless a logarithmic axis would leave binary64 there: then at the other one.

    Returns
    -------
    bool or None
        Whether it became longer upwards; None if a logarithmic axis can become longer at neither end.
    """
    scale = ax.yaxis.get_transform()
    bottom, top = scale.transform(np.array(ax.get_ylim())).tolist()
    more = (top - bottom) * share / (1 - share)
    if ax.get_yscale() == "log":
        room = {True: top + more < DECADES, False: bottom - more > -DECADES}
        if not any(room.values()):
            return None
        upwards = upwards if room[upwards] else not upwards
    ends = np.array((bottom, top + more) if upwards else (bottom - more, top))
    ax.set_ylim(*scale.inverted().transform(ends).tolist())
    return upwards


def _curves(ax: Axes, unit: float) -> Iterator[Curve]:
    """What is drawn, as lines in pixels; marks as their boxes."""
    for artist in ax.get_children():
        if artist.get_gid() in QUIET or not artist.get_visible():
            continue
        if isinstance(artist, Line2D):
            path = artist.get_transform().transform_path(artist.get_path())
            if artist.get_linestyle() not in ("None", "none", ""):
                yield path.cleaned(remove_nans=True)
            if artist.get_marker() not in ("None", "none", "", None):
                yield from _boxes(np.asarray(path.vertices), 0.5 * artist.get_markersize() * unit)
        elif isinstance(artist, Collection):
            shapes = [artist.get_transform().transform_path(path) for path in artist.get_paths()]
            offsets = np.atleast_2d(np.asarray(artist.get_offsets(), dtype=np.float64))
            if offsets.any():
                yield from _boxes(artist.get_offset_transform().transform(offsets), MARK * unit)
            else:
                yield from (path.cleaned(remove_nans=True) for path in shapes)


def _boxes(places: Array, half: float) -> Iterator[Curve]:
    for x, y in places.tolist():
        if np.isfinite([x, y]).all():
            yield Curve([[x - half, y - half], [x + half, y - half], [x + half, y + half], [x - half, y + half]])
