"""How the pictures look: colour-blind safe colours (Okabe and Ito), light and dark, and the dressing of axes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, cast

import matplotlib as mpl
from cycler import cycler
from matplotlib import colors, patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verifier.balls.decimals import decimal_bound
from verifier.errors import InputError, nearest, one_line
from verifier.plot.words import fit_words

Name = Literal["light", "dark"]

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"

BRIGHT = 0.5
"""Relative luminance from which a background counts as light."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by role: ``main`` for what is proved, ``accent`` for thresholds, ``second`` for targets and bounds."""

    background: str
    ink: str
    muted: str
    grid: str
    main: str
    accent: str
    second: str
    cycle: tuple[str, ...]
    sequential: str
    diverging: str


PALETTES: dict[Name, Palette] = {
    "light": Palette(
        background="#ffffff",
        ink="#1b1e23",
        muted="#5f6670",
        grid="#e2e5e9",
        main=BLUE,
        accent=VERMILLION,
        second=GREEN,
        cycle=(BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, BLACK, YELLOW),
        sequential="viridis",
        diverging="RdBu_r",
    ),
    "dark": Palette(
        background="#14171c",
        ink="#eceff3",
        muted="#a7aeb8",
        grid="#30363f",
        main=SKY,
        accent=ORANGE,
        second="#1fc495",
        cycle=(SKY, ORANGE, "#1fc495", PURPLE, "#f07a2b", YELLOW, "#f5f5f5", "#3d9bd6"),
        sequential="viridis",
        diverging="berlin",
    ),
}


def _settings(palette: Palette) -> Any:
    ink, ground = palette.ink, palette.background
    return {
        "figure.facecolor": ground,
        "figure.edgecolor": ground,
        "figure.figsize": (5.6, 3.6),
        "figure.dpi": 110,
        "savefig.facecolor": ground,
        "savefig.dpi": 200,
        "axes.facecolor": ground,
        "axes.edgecolor": palette.muted,
        "axes.labelcolor": ink,
        "axes.titlecolor": ink,
        "axes.titlesize": 10,
        "axes.labelsize": 9,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=list(palette.cycle)),
        "text.color": ink,
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "font.size": 9,
        "font.family": ["DejaVu Sans"],
        "mathtext.fontset": "dejavusans",
        "svg.hashsalt": "verifier",
    }


@contextmanager
def style(name: Name = "light") -> Iterator[None]:
    """Draw in the light or the dark look inside the ``with`` block.

    Parameters
    ----------
    name
        ``"light"`` (white ground, for print) or ``"dark"``. Figures must be made, and saved, inside of the block.

    Raises
    ------
    InputError
        On another name.
    """
    if name not in PALETTES:
        raise InputError(f"style = {one_line(name)} is unknown; {nearest(str(name), PALETTES)}")
    with mpl.rc_context(_settings(PALETTES[name])):
        yield


def palette_of(ax: Axes | None = None) -> Palette:
    """Colours that can be read on the axes' ground, or on the one that new axes would have."""
    grounds: list[Any] = [mpl.rcParams["axes.facecolor"], mpl.rcParams["figure.facecolor"]]
    if ax is not None:
        grounds = [ax.get_facecolor(), cast(Figure, ax.get_figure(root=True)).get_facecolor()]
    for ground in grounds:
        red, green, blue, alpha = colors.to_rgba(ground)
        if alpha > 0:
            return PALETTES["light" if _luminance(red, green, blue) >= BRIGHT else "dark"]
    ink = colors.to_rgb(mpl.rcParams["text.color"])  # a transparent ground: what can be written on it?
    return PALETTES["dark" if _luminance(*ink) >= BRIGHT else "light"]


def _luminance(red: float, green: float, blue: float) -> float:
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def axes_or_new(ax: Axes | None, size: tuple[float, float] | None = None) -> Axes:
    """The given axes, or new ones.

    Parameters
    ----------
    ax
        Axes, or None for those of a new pyplot figure.
    size
        Its width and height in inches.

    Raises
    ------
    InputError
        If ``ax`` is no matplotlib axes.
    """
    if ax is None:
        from matplotlib import pyplot

        _, made = pyplot.subplots(figsize=size, layout="constrained")
        return made
    if not isinstance(ax, Axes):
        raise InputError(f"ax = {one_line(ax)} is no matplotlib axes; give one, or None for new ones")
    return ax


def dress(
    ax: Axes, *, title: str, x: str, y: str, grid: Literal["both", "x", "y"] | None = "both", pad: float = 6.0
) -> None:
    """Give axes a title, labels, a quiet grid below the data, and no box; long titles and labels get more lines.

    Parameters
    ----------
    ax
        The axes.
    title, x, y
        The texts.
    grid
        Which lines are drawn.
    pad
        The title's distance in points.
    """
    palette = palette_of(ax)
    ax.set_title(title, pad=pad)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    if grid is not None:
        ax.grid(True, axis=grid, which="major", color=palette.grid, linewidth=0.6)
    fit_words(ax)


def width_at_most(widths: Iterable[tuple[float, float]]) -> str:
    """Word the largest of the relative widths ``(high - low) / high``, rounded up to one digit."""
    exact = [(Fraction(high) - Fraction(low)) / Fraction(high) for low, high in widths]
    return f"relative width at most {decimal_bound(max(exact), 1, up=True)}"


def outline(width: float) -> list[patheffects.AbstractPathEffect]:
    """A dark rim around white lines and words."""
    return [patheffects.withStroke(linewidth=width, foreground="black")]
