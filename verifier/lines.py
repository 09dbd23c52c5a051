"""A conclusion and a line a statement, in lines of a screen: whatever was found, by whichever command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from verifier.display import COLUMNS, Judged, wrapped
from verifier.verdict import Verdict

Told = Literal["title", "verdict", "calm", "said", "heading", "reason"]
"""What a piece of text is; ``calm``: a verdict that is no bad news although it is not PROVED."""
WIDTH = 11
"""Columns of a verdict in a line, and of what stands before the words below it."""


@dataclass(frozen=True, slots=True)
class Conclusion(Judged):
    """What was found of a case, in one sentence.

    Parameters
    ----------
    verdict : str
        PROVED, REFUTED, UNDECIDED or TESTED, of "no bad local valley" where all statements were asked for, else of what
        was asked for; ERROR where there is none.
    sentence : str
        What that is about, and what else is proved: to be read after the verdict.
    calm : bool
        Whether it is no bad news although it is not PROVED, as where the case expects it.
    """

    verdict: str
    sentence: str
    calm: bool = False


@dataclass(frozen=True, slots=True)
class Line(Judged):
    """One statement of a case with its verdict.

    Parameters
    ----------
    verdict : Verdict
        Of the statement.
    words, label : str
        Its name, and its label.
    expected : str
        Why it is no bad news that it is not PROVED: ``as expected`` by the case, or ``not needed here``; or which
        other verdict was expected. Empty where there is nothing to say.
    calm : bool
        Whether it is no bad news.
    reason : str
        Why it has this verdict, and what that rests on.
    asked_first : bool
        Whether everyone asks why, so that the reason is given without being asked for.
    """

    verdict: Verdict
    words: str
    label: str
    expected: str = ""
    calm: bool = False
    reason: str = ""
    asked_first: bool = False

    @property
    def text(self) -> str:
        """The name, the label, and what was expected."""
        return f"{self.words} ({self.label})" + (f", {self.expected}" if self.expected else "")


def composed(
    title: str,
    conclusion: Conclusion,
    said: Sequence[tuple[str, str]],
    sections: Sequence[tuple[str, Sequence[Line]]],
    *,
    verbose: bool = False,
    width: int = COLUMNS,
) -> list[tuple[Told, str]]:
    """Put together what is said of anything: a title, the conclusion, what it is about, and a line a statement.

    Parameters
    ----------
    title : str
        What it is called.
    conclusion : Conclusion
        What was found, in one sentence.
    said : sequence of (str, str)
        What it is about, by name.
    sections : sequence of (str, sequence of Line)
        Headings, empty for none, and the lines below each.
    verbose : bool
        Whether to give the lines' reasons.
    width : int
        Columns.

    Returns
    -------
    list of (str, str)
        As `told` gives it.
    """
    wide = max((len(name) for name, _ in said), default=0) + 2
    entries: list[tuple[Told, list[str]]] = [
        ("title", wrapped(title, width)),
        ("calm" if conclusion.calm else "verdict", _beside(conclusion.verdict, conclusion.sentence, width)),
    ]
    entries += [("said", _beside(f"{name}:", words, width, wide)) for name, words in said]
    for heading, own in sections:
        entries += [("heading", [heading])] if heading else []
        for line in own:
            entries.append(("calm" if line.calm else "verdict", _beside(line.verdict, line.text, width)))
            why = verbose or line.asked_first
            entries += [("reason", _beside("", line.reason, width))] if why and line.reason else []
    return [(kind, "\n".join(text)) for kind, text in entries]


def _beside(name: str, words: str, width: int, column: int = WIDTH) -> list[str]:
    """Words in lines that begin below each other, the name before the first."""
    return wrapped(words, width, f"{name:<{column}}", " " * column) or [name]
