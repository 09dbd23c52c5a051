"""The style of each condition in figures: its name, marker, line and colour, the same in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from verifier.experiments.groups import Condition
from verifier.plot.style import PURPLE, Palette

NAMES: Final[Mapping[Condition, str]] = {
    "plain": "SGD without skips",
    "skip": "SGD with skips",
    "rand": "rand: V alone",
    "plain rand": "rand without skips",
    "interpolation": "\N{GREEK CAPITAL LETTER PSI} V = onehot",
    "plain interpolation": "\N{GREEK CAPITAL LETTER PSI} V = onehot, no skips",
}
MARKERS: Final[Mapping[Condition, str]] = {
    "plain": "s",
    "skip": "o",
    "rand": "D",
    "plain rand": "X",
    "interpolation": "^",
    "plain interpolation": "v",
}
LineStyle = str | tuple[int, tuple[int, ...]]
LINES: Final[Mapping[Condition, LineStyle]] = {
    "plain": "--",
    "skip": "-",
    "rand": ":",
    "plain rand": "-.",
    "interpolation": (0, (5, 1, 1, 1, 1, 1)),
    "plain interpolation": (0, (1, 3)),
}


def colour(palette: Palette, condition: Condition) -> str:
    """The colour of a condition in the palette of a style."""
    return {
        "plain": palette.accent,
        "skip": palette.main,
        "rand": palette.second,
        "plain rand": palette.muted,
        "interpolation": PURPLE,
        "plain interpolation": palette.ink,
    }[condition]
