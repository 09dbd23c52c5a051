"""What was found of a case, in words: one conclusion and a line a statement, for terminal, report page and Python.

Every screen says the same, because it is said here and nowhere else. A conclusion is never more than the verdicts
behind it: "no bad local valley" is said where T3.4(2) is PROVED, "undecided" is never said as "false", a path that may
rise by epsilon is never one without increase, and what is about the loss without weight decay says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from verifier.balls.exact import at_least
from verifier.display import COLUMNS, count, wrapped
from verifier.found import Found, FoundStatement, FoundStep, statement_verdict, step
from verifier.lines import Conclusion, Line, Told, composed
from verifier.statements.catalogue import STATEMENTS
from verifier.statements.downhill_path import PATH_KINDS, TO_A_LOSS
from verifier.statements.duplicates import DUPLICATES
from verifier.statements.groups import GROUPS, grouped, placed
from verifier.statements.theorem import inapplicable
from verifier.verdict import Verdict

VALLEYS = "T3.4(2)"
"""The statement whose verdict stands for a case, where all statements were asked for."""
ERROR = "ERROR"
"""Stands in a verdict's place where a case has none."""

_SAME = {
    "analytic": ("LA.1", "A3.1(1)"),
    "rank": ("rank", "R6"),
    "path": ("path",),
    "generic": ("L3.2 genericity", "W0", "L3.2 construction"),
}
"""What a case expects by a key, and the statements that then are REFUTED with it."""
_STEP_WORDS = {
    "analytic": "every node is real analytic in U",
    "features": "the feature matrix Psi(U) is enclosed",
    "rank": STATEMENTS["rank"].name,
    "zero_loss": "zero training error at this U, for some V",
    "arcs": "full rank of each output's own columns at this U",
}
_TECHNICAL = ("analytic", "features")
"""Steps on the way to a statement."""
_STATED = ("rank", "path")
"""Steps that are statements, too."""
_MEANS = ("W1", "W2", "W3", "T1", "D3.3")
"""Statements that others stand on: listed in detail only, where they are PROVED."""
STEPS = ("What was asked for", "Step by step")
"""The headings of the steps: without statements, and before them."""
ASSUMED, HERE = next(iter(GROUPS)), list(GROUPS)[-1]
"""The headings of what is assumed, and of what is about the start."""


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
    valleys = _no_bad_valley(found)
    if valleys is not None:
        return Conclusion(str(valleys), f"{_valleys(found, valleys)}; {_path(found)}{_decay(found)}.")
    path = step(found, "path")
    if path is not None:
        calm = _expectation(found, path.verdict, "path")[1]
        return Conclusion(str(path.verdict), f"{_path(found)}{_decay(found)}.", calm)
    rank = step(found, "rank")
    if rank is None:
        return Conclusion(str(Verdict.UNDECIDED), "nothing was asked for.")
    if rank.verdict is Verdict.PROVED and found.sigma_lower > 0:
        bound = f"its smallest singular value is at least {at_least(found.sigma_lower)}"
        return Conclusion(str(rank.verdict), f"{_RANK[rank.verdict]}: {bound}.")
    calm = _expectation(found, rank.verdict, "rank")[1]
    return Conclusion(str(rank.verdict), f"{_RANK[rank.verdict]}: {rank.reason}.", calm)


def lines(found: Found, *, verbose: bool = False) -> list[tuple[str, list[Line]]]:
    """Say what was found of a case, a line a statement, under headings.

    Parameters
    ----------
    found : Found
        A report, or the record of a case.
    verbose : bool
        Whether to list everything: also the steps on the way (that Psi is enclosed), what is assumed, and what others
        stand on, where there is no bad news about them.

    Returns
    -------
    list of (str, list of Line)
        Heading, and the lines below it. Statements that do not apply are left out.
    """
    steps = [_of_step(found, each) for each in found.steps if verbose or each.key not in _TECHNICAL]
    if not found.statements:
        return [(STEPS[0], steps)] if steps else []
    applying = grouped([each for each in found.statements if each.applies], placed)
    sections = [(heading, [_of_statement(found, each) for each in own]) for heading, own in applying]
    if verbose:
        return [(STEPS[1], steps), *sections]
    more = [_of_step(found, each) for each in found.steps if each.key not in (*_TECHNICAL, *_STATED)]
    shown: dict[str, list[Line]] = {}
    for heading, own in [*sections, (HERE, more)]:
        if heading != ASSUMED or any(map(_bad_news, own)):
            news = [line for line in own if _open(line.verdict) or line.label not in _MEANS]
            shown[heading] = news + shown.get(heading, [])
    return [(heading, own) for heading, own in shown.items() if own]


def told(
    found: Found,
    title: str,
    said: Sequence[tuple[str, str]],
    *,
    verbose: bool = False,
    width: int = COLUMNS,
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
    verbose : bool
        Whether to give all reasons, and everything that `lines` can list.
    width : int
        Columns.

    Returns
    -------
    list of (str, str)
        What each text is, for a screen with colours, and the text in lines of so many columns where words allow. A
        verdict stands in its first columns.
    """
    entries = composed(title, conclude(found), said, lines(found, verbose=verbose), verbose=verbose, width=width)
    rest = [(kind, wrapped(text, width, rest="  ")) for kind, text in _rest(found, verbose)]
    return entries + [(kind, "\n".join(text)) for kind, text in rest]


def conclude_all(cases: Sequence[Found]) -> str:
    """Say in one sentence, without its full stop, what was found of several cases: counts of what is PROVED only.

    Parameters
    ----------
    cases : sequence of Found
        Reports, or the records of a run.
    """
    verdicts = [_no_bad_valley(case) for case in cases]
    proved = verdicts.count(Verdict.PROVED)
    decay = any(case.weight_decay for case, verdict in zip(cases, verdicts, strict=True) if verdict is Verdict.PROVED)
    without = " (without weight decay, where it is stated)" if decay else ""
    words = f"No bad local valley{without}: PROVED in {proved} of {count(len(cases), 'case')}"
    for verdict in (Verdict.REFUTED, Verdict.UNDECIDED):
        if verdict in verdicts:
            words += f", {verdict} in {verdicts.count(verdict)}"
    errors = sum(bool(case.failure) for case in cases)
    words += f", no verdict in {errors}" if errors else ""
    others = [f"{what} in {number}" for what, number in _counts(cases) if number]
    return f"{words}; also PROVED: {', '.join(others)}" if others else words


_PATHS_EXIST = ("S", "E4")
"""Statements that prove a path from this start without constructing one."""
_RANK = {
    Verdict.PROVED: "Psi(U) has full row rank at this U",
    Verdict.REFUTED: "Psi(U) does not have full row rank at this U",
    Verdict.UNDECIDED: "it is open whether Psi(U) has full row rank at this U",
    Verdict.TESTED: "of the rank of Psi(U) at this U there is evidence only",
}


def _bad_news(line: Line) -> bool:
    return _open(line.verdict) and not line.calm


def _rest(found: Found, verbose: bool) -> list[tuple[Told, str]]:
    """What stands below the statements: what remains of the paper's assumption, and what does not apply."""
    assumed = any(each.applies for each in found.statements if each.label.startswith("A3.1"))
    fails = "fails" if assumed else "does not apply"
    remains: list[tuple[Told, str]] = [("reason", f"* {sentence}") for sentence in found.remains]
    if remains:
        remains.insert(0, ("heading", f"The paper's assumption (A3.1) {fails}; what remains"))
    others = [(each.label, each.title) for each in found.statements if not each.applies]
    if verbose and others:
        return [*remains, ("reason", f"{inapplicable(others)}; the report says why")]
    return remains


def _no_bad_valley(found: Found) -> Verdict | None:
    return statement_verdict(found, VALLEYS)


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
            f"it is open whether this loss landscape{without} has bad local valleys: no U gives the feature matrix "
            "full row rank (refuted for every U), so the theorem's proof does not apply"
        )
    return f"it is open whether this loss landscape{without} has bad local valleys"


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
            "no path leads to the least of the losses asked for, because equal samples have different labels and the "
            "infimum is positive"
        )
    exists = next((each for each in _PATHS_EXIST if statement_verdict(found, each) is Verdict.PROVED), None)
    if exists is not None:
        return (
            f"from this start (U, V) a path on which the loss never increases and comes arbitrarily close to its "
            f"infimum is proved to exist ({exists}), but none was constructed"
        )
    if path.label != "TC.3" and zero is not None and zero.verdict is Verdict.REFUTED and zero.label == DUPLICATES.label:
        return (
            "loss 0 is out of reach because equal samples have different labels, and no path to near the positive "
            "infimum was certified: whether one exists is open"
        )
    if path.label == "TC.3":
        return (
            "no path from this start to near the infimum of the squared error was certified: whether one exists is open"
        )
    return "no path from this start (U, V) to loss 0 was certified: whether one exists is open"


def _decay(found: Found) -> str:
    """What is added where weight decay is stated."""
    if not found.weight_decay:
        return ""
    if statement_verdict(found, "WD") is Verdict.PROVED:
        return "; the loss WITH the weight decay has a bad local valley, at the origin (WD)"
    return "; all of this is about the loss WITHOUT weight decay"


def _of_step(found: Found, each: FoundStep) -> Line:
    reason = f"{each.reason} ({each.seconds:.1f} s)"
    if each.key == "rank" and found.attempts:
        reason += f"; tried: {'; '.join(found.attempts)}"
    weighted = f"{each.key}, classes weighted"
    loss = weighted if each.reason.startswith(weighted) else each.key
    words = _STEP_WORDS.get(each.key, f"a path without increase towards the infimum of the loss {loss}")
    if each.key == "path":
        words = _path_words(each)
    path = step(found, "path")
    if each.key == "zero_loss" and path is not None and path.label == "TC.3":
        words = "squared error 0 at this U, for some V"
    return Line(each.verdict, words, each.label, *_expectation(found, each.verdict, each.key), reason)


def _of_statement(found: Found, each: FoundStatement) -> Line:
    known = STATEMENTS.get(each.label)
    place = "" if known is None or not known.place else f"{known.place}: "
    words, label, path = each.title.removeprefix(place), each.label, step(found, "path")
    if label == "path" and path is not None:
        words, label = _path_words(path), path.label
    reason = each.reason + (f" [rests on {', '.join(each.rests_on)}]" if each.rests_on else "")
    if each.label.startswith("A3.1") and _open(each.verdict) and _no_bad_valley(found) is Verdict.PROVED:
        return Line(each.verdict, words, label, "not needed here", True, reason)
    why = label == VALLEYS and _open(each.verdict)
    return Line(each.verdict, words, label, *_expectation(found, each.verdict, each.label), reason, why)


def _path_words(path: FoundStep) -> str:
    if path.verdict is Verdict.REFUTED:
        return TO_A_LOSS
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
