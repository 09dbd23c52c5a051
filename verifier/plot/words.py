"""Titles and labels that fit their figure: lines are broken between words, formulas stay whole."""

from __future__ import annotations

import re
import textwrap
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

ASIDE, ABOVE = 0.9, 0.7
"""Inches of a figure that a title, or a label that is written upwards, has not: other labels stand there."""
SHORTEST: Final = 8
"""Characters of a line, at least."""


def broken(words: str, columns: int) -> str:
    """Break lines between words; a formula stays whole."""
    kept = re.sub(r"\$[^$]*\$", lambda found: found[0].replace(" ", "\0"), words)
    lines = [
        line
        for part in kept.split("\n")
        for line in textwrap.wrap(part, max(columns, SHORTEST), break_long_words=False, break_on_hyphens=False) or [""]
    ]
    return "\n".join(lines).replace("\0", " ")


def fit(text: Text, length: float, *, upright: bool = False) -> None:
    """Break a text's lines so that none is longer than ``length`` pixels; ``upright``: it is written upwards."""
    words = text.get_text()
    columns = max(map(len, words.split("\n")))
    while words and columns > SHORTEST:
        box = text.get_window_extent()
        long = box.height if upright else box.width
        if long <= length:
            return
        columns = max(SHORTEST, min(columns - 1, int(columns * length / long)))
        text.set_text(broken(words, columns))


def fit_words(ax: Axes) -> None:
    """Break the lines of the title and of both labels where they are longer than the part of the figure they have.

    Parameters
    ----------
    ax : Axes
        Axes of a figure; of several side by side each has its share.
    """
    figure, place = ax.get_figure(root=True), ax.get_subplotspec()
    if not isinstance(figure, Figure):
        return
    rows, columns = (1, 1) if place is None else place.get_topmost_subplotspec().get_gridspec().get_geometry()
    width = figure.bbox.width / columns - ASIDE * figure.dpi
    fit(ax.title, width)
    fit(ax.xaxis.label, width)
    fit(ax.yaxis.label, figure.bbox.height / rows - ABOVE * figure.dpi, upright=True)
