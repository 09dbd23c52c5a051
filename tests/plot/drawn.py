"""Finds artists by the name (gid) that the package gives them."""

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def axes() -> Axes:
    return Figure(layout="constrained").subplots()


def named(ax: Axes, gid: str) -> Artist:
    (found,) = all_named(ax, gid)
    return found


def all_named(ax: Axes, gid: str) -> list[Artist]:
    return ax.findobj(lambda artist: artist.get_gid() == gid)


def corners(ax: Axes, gid: str) -> np.ndarray:
    """All vertices of a filled band."""
    return np.concatenate([path.vertices for path in named(ax, gid).get_paths()])


def bars(ax: Axes, gid: str) -> list[tuple[float, float, float]]:
    """``(x, lower, upper)`` of vertical bars."""
    return [(s[0][0], s[0][1], s[1][1]) for s in named(ax, gid).get_segments()]


def words(ax: Axes) -> str:
    legend = ax.get_legend()
    labels = [] if legend is None else [text.get_text() for text in legend.get_texts()]
    return "\n".join([ax.get_title(), ax.get_xlabel(), ax.get_ylabel(), *labels, *(t.get_text() for t in ax.texts)])
