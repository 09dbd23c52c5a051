"""How each condition is called and looks: in figures and on the page, the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from verifier.experiments.groups import Condition
from verifier.plot.style import PURPLE, Palette

LineStyle = str | tuple[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class ConditionStyle:
    """The look of a condition: no two share a name, a marker, a line or a colour.

    ``name`` stands in legends, ``words`` on the page, where formulas are typeset; ``role`` is a colour of the palette.
    """

    name: str
    words: str
    marker: str
    line: LineStyle
    role: Literal["accent", "main", "second", "muted", "purple", "ink"]

    def colour(self, palette: Palette) -> str:
        """The colour in a look, light or dark."""
        return PURPLE if self.role == "purple" else str(getattr(palette, self.role))


STYLES: Final[Mapping[Condition, ConditionStyle]] = {
    "plain": ConditionStyle("SGD without skips", "SGD without skips", "s", "--", "accent"),
    "skip": ConditionStyle("SGD with skips", "SGD with skips", "o", "-", "main"),
    "rand": ConditionStyle("rand: V alone", "rand", "D", ":", "second"),
    "plain rand": ConditionStyle("rand without skips", "rand without skips", "X", "-.", "muted"),
    "interpolation": ConditionStyle(
        "\N{GREEK CAPITAL LETTER PSI} V = onehot", "Psi V = onehot", "^", (0, (5, 1, 1, 1, 1, 1)), "purple"
    ),
    "plain interpolation": ConditionStyle(
        "\N{GREEK CAPITAL LETTER PSI} V = onehot, no skips", "Psi V = onehot without skips", "v", (0, (1, 3)), "ink"
    ),
}
"""In the order of legends and tables."""
