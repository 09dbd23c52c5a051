"""What was found of a case, in words: one conclusion and a line a statement, for terminal, report page and Python.

Every screen says the same, because it is said here and nowhere else. A conclusion is never more than the verdicts
behind it: "no bad local valley" is said where T3.4(2) is PROVED, "undecided" is never said as "false", a path that may
rise by epsilon is never one without increase, and what is about the loss without weight decay says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from verifier.display import Judged, count, wrapped
from verifier.statements.catalogue import STATEMENTS
from verifier.statements.downhill_path import PATH_KINDS
from verifier.statements.duplicates import DUPLICATES
from verifier.statements.groups import grouped
from verifier.verdict import Verdict

VALLEYS = "T3.4(2)"
"""The statement whose verdict stands for a case, where all statements were asked for."""
ERROR = "ERROR"
"""Stands in a verdict's place where a case has none."""
Told = Literal["title", "verdict", "calm", "said", "heading"]
"""What a piece of text is; ``calm``: a verdict that is no bad news although it is not PROVED."""
WIDTH = 11
"""Columns of a verdict in a line, and of what stands before the words below it."""

_SAME = {
    "analytic": ("LA.1", "A3.1(1)"),
    "rank": ("rank", "R6"),
    "path": ("path",),
    "generic": ("L3.2 genericity", "W0", "L3.2 construction"),
}
"""What a case expects by a key, and the statements that then are REFUTED with it."""
_STEP_WORDS = {
    "analytic": "the features are real analytic in U",
    "features": "the feature matrix Psi(U) is enclosed",
    "rank": STATEMENTS["rank"].name,
    "zero_loss": "zero training error at this U, for some V",
    "arcs": "full rank of each output's own columns at this U",
}
_TECHNICAL = ("analytic", "features")
"""Steps on the way to a statement: shown in detail only, unless they are not PROVED."""


class FoundStep(Protocol):
    """A step of what was asked for, such as `verifier.outcome.Step`."""

    @property
    def key(self) -> str:
        """What it is about: ``rank``, ``zero_loss``, ``path``, another loss's name."""

    @property
    def label(self) -> str:
        """By which method or statement it was decided, such as ``R1``."""

    @property
    def verdict(self) -> Verdict:
        """Its verdict."""

    @property
    def reason(self) -> str:
        """Why."""


class FoundStatement(Protocol):
    """A statement of the theory with its verdict, such as `verifier.statements.theorem.TheoremStep`."""

    @property
    def label(self) -> str:
        """Its label, such as ``T3.4(2)``."""

    @property
    def title(self) -> str:
        """Its name, after its place in the paper."""

    @property
    def verdict(self) -> Verdict:
        """Its verdict."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def rests_on(self) -> Sequence[str]:
        """Labels of the statements without which it would not be PROVED."""

    @property
    def applies(self) -> bool:
        """Whether it says anything of this problem; if not, its verdict means nothing."""


class Found(Protocol):
    """What was found of a case: `verifier.outcome.Report` and `verifier.run.record.CaseRecord` are such."""

    @property
    def steps(self) -> Sequence[FoundStep]:
        """What was asked for."""

    @property
    def statements(self) -> Sequence[FoundStatement]:
        """All statements, or none where they were not asked for."""

    @property
    def expected(self) -> Mapping[str, Verdict]:
        """The verdicts that the case expects, by key or label."""

    @property
    def weight_decay(self) -> str:
        """Which loss the statements are about where weight decay is stated; empty where none is."""

    @property
    def failure(self) -> str:
        """Why there are no verdicts; empty where there are."""


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
    """

    verdict: str
    sentence: str

    @property
    def lines(self) -> list[str]:
        """The conclusion in lines of at most 80 columns."""
        return wrapped(self.sentence, first=f"{self.verdict:<{WIDTH}}", rest=" " * WIDTH)


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
    """

    verdict: Verdict
    words: str
    label: str
    expected: str = ""
    calm: bool = False

    @property
    def text(self) -> str:
        """The name, the label, and what was expected."""
        return f"{self.words} ({self.label})" + (f", {self.expected}" if self.expected else "")

    @property
    def lines(self) -> list[str]:
        """The line, or where 80 columns do not hold it, lines."""
        return wrapped(self.text, first=f"{self.verdict:<{WIDTH}}", rest=" " * WIDTH)


def conclude(found: Found) -> Conclusion:
    """Say in one sentence what was found of a case.

    Parameters
    ----------
    found : Found
        A report, or the record of a case.

    Returns
    -------
    Conclusion
        The verdict that stands for the case, and the sentence.
        Guarantee: it says of nothing that it is proved, refuted or impossible but of what has that verdict.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.conclusion import conclude
    >>> found = conclude(vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True)))
    >>> print(found.verdict, found.sentence)
    PROVED this loss landscape has no bad local valley; from this start (U, V) a continuous path on which the \
cross-entropy strictly decreases leads to loss 0.
    """
    if found.failure:
        return Conclusion(ERROR, f"no verdict: {found.failure}")
    valleys = statement_verdict(found, VALLEYS)
    if valleys is not None:
        return Conclusion(str(valleys), f"{_valleys(found, valleys)}; {_path(found)}{_decay(found)}.")
    path = step(found, "path")
    if path is not None:
        return Conclusion(str(path.verdict), f"{_path(found)}{_decay(found)}.")
    rank = step(found, "rank")
    if rank is None:
        return Conclusion(str(Verdict.UNDECIDED), "nothing was asked for.")
    return Conclusion(str(rank.verdict), f"{_RANK[rank.verdict]}: {rank.reason}.")


def lines(found: Found, *, technical: bool = False) -> list[tuple[str, list[Line]]]:
    """Say what was found of a case, a line a statement, under headings.

    Parameters
    ----------
    found : Found
        A report, or the record of a case.
    technical : bool
        Whether to list the steps on the way (that Psi is enclosed) where they are PROVED, too.

    Returns
    -------
    list of (str, list of Line)
        Heading, and the lines below it. Statements that do not apply are left out.
    """
    steps = [each for each in found.steps if technical or each.key not in _TECHNICAL or _open(each.verdict)]
    if not found.statements:
        return [("What was asked for", [_of_step(found, each) for each in steps])] if steps else []
    sections = grouped([each for each in found.statements if each.applies], lambda each: each.label)
    said = [(heading, [_of_statement(found, each) for each in own]) for heading, own in sections]
    covered = {"rank", "path"}  # these steps are statements, too
    more = [_of_step(found, each) for each in steps if each.key not in covered]
    if more and said and said[-1][0] == "This start":
        said[-1] = (said[-1][0], said[-1][1] + more)
    elif more:
        said.append(("This start", more))
    return said


def told(
    found: Found, title: str, said: Sequence[tuple[str, str]], *, technical: bool = False
) -> list[tuple[Told, str]]:
    """All that is said of a case: its title, the conclusion, what it is about, and a line a statement.

    Parameters
    ----------
    found : Found
        A report, or the record of a case.
    title : str
        What the case is called.
    said : sequence of (str, str)
        What it is about, by name: the data, the network, the start, the engine.
    technical : bool
        As for `lines`.

    Returns
    -------
    list of (str, str)
        What each text is, for a screen with colours, and the text in lines of at most 80 columns. A verdict stands in
        its first columns.
    """
    conclusion = conclude(found)
    entries: list[tuple[Told, str]] = [("title", "\n".join(wrapped(title))), ("verdict", "\n".join(conclusion.lines))]
    wide = max((len(name) for name, _ in said), default=0) + 2
    rows = (wrapped(words, first=f"{f'{name}:':<{wide}}", rest=" " * wide) for name, words in said)
    entries += [("said", "\n".join(row)) for row in rows]
    for heading, own in lines(found, technical=technical):
        entries.append(("heading", heading))
        entries += [("calm" if line.calm else "verdict", "\n".join(line.lines)) for line in own]
    return entries


def conclude_all(cases: Sequence[Found]) -> str:
    """Say in one sentence, without its end, what was found of several cases: counts of what is PROVED only.

    Parameters
    ----------
    cases : sequence of Found
        Reports, or the records of a run.
    """
    verdicts = [conclude_valleys(case) for case in cases]
    proved = verdicts.count(Verdict.PROVED)
    decay = any(case.weight_decay for case, verdict in zip(cases, verdicts, strict=True) if verdict is Verdict.PROVED)
    without = " (without weight decay, where it is stated)" if decay else ""
    words = f"no bad local valley{without}: PROVED in {proved} of {count(len(cases), 'case')}"
    for verdict in (Verdict.REFUTED, Verdict.UNDECIDED):
        if verdict in verdicts:
            words += f", {verdict} in {verdicts.count(verdict)}"
    errors = sum(bool(case.failure) for case in cases)
    words += f", no verdict in {errors}" if errors else ""
    others = [f"{what} in {number}" for what, number in _counts(cases) if number]
    return f"{words}; also PROVED: {', '.join(others)}" if others else words


def conclude_valleys(found: Found) -> Verdict | None:
    """The verdict of "no bad local valley", None if it was not asked for."""
    return statement_verdict(found, VALLEYS)


def step(found: Found, key: str) -> FoundStep | None:
    """The step with this key, None if it was not asked for."""
    return next((each for each in found.steps if each.key == key), None)


def statement_verdict(found: Found, label: str) -> Verdict | None:
    """The verdict of a statement, None if it was not asked for or does not apply."""
    return next((each.verdict for each in found.statements if each.label == label and each.applies), None)


_RANK = {
    Verdict.PROVED: "Psi(U) has full row rank at this U",
    Verdict.REFUTED: "Psi(U) does not have full row rank at this U",
    Verdict.UNDECIDED: "whether Psi(U) has full row rank at this U is open",
    Verdict.TESTED: "of the rank of Psi(U) at this U there is evidence only",
}


def _open(verdict: Verdict) -> bool:
    return verdict is not Verdict.PROVED


def _valleys(found: Found, verdict: Verdict) -> str:
    without = ", without weight decay," if found.weight_decay else ""
    if verdict is Verdict.PROVED:
        return f"this loss landscape{without} has no bad local valley"
    if verdict is Verdict.REFUTED:
        return f"that this loss landscape{without} has no bad local valley is refuted"
    if statement_verdict(found, "L3.2 construction") is Verdict.REFUTED:
        return (
            f"whether this loss landscape{without} has bad local valleys is open: no U gives the feature matrix full "
            "row rank (refuted for every U), so the theorem's proof does not apply"
        )
    return f"whether this loss landscape{without} has bad local valleys is open"


def _path(found: Found) -> str:
    """What is known of a path from the start, as half a sentence."""
    path, zero = step(found, "path"), step(found, "zero_loss")
    if path is None:
        return "no path was asked for"
    if path.verdict is Verdict.PROVED and path.label in PATH_KINDS:
        return PATH_KINDS[path.label].sentence
    if path.verdict is Verdict.PROVED:  # a kind that has no sentence: its reason says what is proved
        return f"a path from this start is proved: {path.reason}"
    if path.verdict is Verdict.REFUTED:
        return (
            "no path leads to the losses asked for, because equal samples have different labels and the infimum is "
            "positive"
        )
    if zero is not None and zero.verdict is Verdict.REFUTED and zero.label == DUPLICATES.label:
        return (
            "loss 0 is out of reach because equal samples have different labels, and no path to near the positive "
            "infimum was certified: whether one exists is open"
        )
    if path.label == "TC.3":
        return "no path from this start to near the infimum of the squared error was certified: whether one is is open"
    return "no path from this start (U, V) to loss 0 was certified: whether one exists is open"


def _decay(found: Found) -> str:
    """What is added where weight decay is stated."""
    if not found.weight_decay:
        return ""
    if statement_verdict(found, "WD") is Verdict.PROVED:
        return "; the loss WITH the weight decay has a bad local valley, at the origin (WD)"
    return "; all of this is about the loss WITHOUT weight decay"


def _of_step(found: Found, each: FoundStep) -> Line:
    words = _STEP_WORDS.get(each.key, f"a path without increase towards the infimum of the loss {each.key}")
    if each.key == "path":
        words = _path_words(each)
    path = step(found, "path")
    if each.key == "zero_loss" and path is not None and path.label == "TC.3":
        words = "squared error 0 at this U, for some V"
    return Line(each.verdict, words, each.label, *_expectation(found, each.verdict, each.key))


def _of_statement(found: Found, each: FoundStatement) -> Line:
    known = STATEMENTS.get(each.label)
    words, label, path = each.title if known is None else known.name, each.label, step(found, "path")
    if label == "path" and path is not None:
        words, label = _path_words(path), path.label
    if each.label.startswith("A3.1") and _open(each.verdict) and conclude_valleys(found) is Verdict.PROVED:
        return Line(each.verdict, words, label, "not needed here", True)
    return Line(each.verdict, words, label, *_expectation(found, each.verdict, each.label))


def _path_words(path: FoundStep) -> str:
    known = path.verdict is Verdict.PROVED and path.label in PATH_KINDS
    return PATH_KINDS[path.label].name if known else STATEMENTS["path"].name


def _expectation(found: Found, verdict: Verdict, name: str) -> tuple[str, bool]:
    """What the case expected of a verdict, in words where it is worth saying, and whether it is no bad news."""
    keys = [key for key, labels in _SAME.items() if name in (key, *labels)]
    wanted = [found.expected[key] for key in (name, *keys) if key in found.expected]
    own = found.expected.get(name, found.expected.get(next((key for key in keys if name == _SAME[key][0]), "")))
    if own is not None and own is not verdict:
        return f"NOT as expected: {own}", False
    if _open(verdict) and verdict in wanted:
        return "as expected", True
    return "", False


def _counts(cases: Sequence[Found]) -> list[tuple[str, int]]:
    """What is PROVED in how many cases; a path that may rise by epsilon (E3) is no path without increase."""

    def having(key: str) -> list[FoundStep]:
        steps = [step(case, key) for case in cases]
        return [each for each in steps if each is not None and each.verdict is Verdict.PROVED]

    paths = having("path")
    rises = sum(each.label in PATH_KINDS and PATH_KINDS[each.label].rises for each in paths)
    generic = sum(statement_verdict(case, "W0") is Verdict.PROVED for case in cases)
    return [
        ("full row rank at the start", len(having("rank"))),
        ("zero training error there", len(having("zero_loss"))),
        ("a path without increase towards the infimum of the loss", len(paths) - rises),
        ("a path that rises by at most epsilon", rises),
        ("full rank at almost every U", generic),
    ]
