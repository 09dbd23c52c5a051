"""The verdict table in the terminal, and the sentence at its end."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from verifier.certificate.limits import sentence
from verifier.conclusion import conclude_all, told
from verifier.display import count as _count
from verifier.display import wrapped
from verifier.lines import WIDTH, Told
from verifier.network.graph import columns_in_words
from verifier.run.closing import closing_sentence, where_and_next
from verifier.run.progress import ProgressDisplay, span
from verifier.run.record import CaseRecord, SuiteResult
from verifier.verdict import Verdict

__all__ = [
    "ProgressDisplay",
    "print_conclusions",
    "print_steps",
    "print_summary",
    "print_table",
]

STYLE = {
    "PROVED": "green",
    "REFUTED": "red",
    "UNDECIDED": "yellow",
    "ACCEPTED": "green",
    "REJECTED": "bold red",
    "UNREADABLE": "bold red",
    "TOO EXPENSIVE": "yellow",
}
COLUMNS = {"T3.4(2)": "valleys", "rank": "rank", "zero_loss": "zero", "path": "path"}
"""What the table has a column for, and the column's head."""
LEGEND = (
    "valleys: no bad local valley (T3.4(2)); at the start: rank: full rank, zero: zero training error for some V, "
    "path: a path towards the infimum of the loss (REFUTED: to the least loss asked for)."
)
LEAST_WIDTH, MOST_WIDTH = 40, 100
"""Texts are in lines of so many columns, where the terminal has them."""
FEW_LAYERS = 3
"""So many layers are listed."""
FEW_ROWS = 20
"""A table of so many cases stays on the screen."""
SHORT = {Verdict.PROVED: "PROVED", Verdict.REFUTED: "REFUTED", Verdict.UNDECIDED: "UNDEC.", Verdict.TESTED: "TESTED"}


def print_steps(console: Console, record: CaseRecord, *, verbose: bool = False) -> None:
    """Print one case: the conclusion, what it is about, and a line a statement.

    Parameters
    ----------
    console : Console
        Where.
    record : CaseRecord
        The case; if it has no verdicts, why.
    verbose : bool
        Whether to give the reasons, too, and what does not apply.
    """
    title = f"{record.title or record.name} ({span(record.seconds)})"
    said = [] if record.error is not None else _about(record)
    for kind, text in told(record, title, said, verbose=verbose, width=text_width(console)):
        print_told(console, kind, text)
    if record.refusal is not None:
        _say(console, f"No certificate: {record.refusal}")
    if record.left_out:
        left = sentence(record.left_out)
        _say(console, f"{left[:1].upper()}{left[1:]}.")


def print_conclusions(console: Console, records: Sequence[CaseRecord]) -> None:
    """Print what was found of some cases, of each in one sentence.

    Parameters
    ----------
    console : Console
        Where.
    records : sequence of CaseRecord
        The cases.
    """
    for record in records:
        entries = told(record, record.title or record.name, [], width=text_width(console))
        for kind, text in entries[:2]:
            print_told(console, kind, text)
        console.print()


def print_told(console: Console, kind: Told, text: str) -> None:
    """Print a piece of text that was made for the console's width.

    Parameters
    ----------
    console : Console
        Where.
    kind : str
        What the text is.
    text : str
        Lines; a verdict stands in the first columns.
    """
    shown = Text(text, style={"title": "bold", "heading": "bold", "reason": "dim"}.get(kind, ""))
    if kind in ("verdict", "calm"):
        verdict = text[:WIDTH].strip()
        shown.stylize("dim" if kind == "calm" else STYLE.get(verdict, "cyan"), 0, len(verdict))
    console.print(shown, soft_wrap=True)


def _say(console: Console, words: str) -> None:
    print_told(console, "said", "\n".join(wrapped(words, text_width(console))))


def text_width(console: Console) -> int:
    """Columns of the texts on this console."""
    return max(LEAST_WIDTH, min(console.width, MOST_WIDTH))


def _about(record: CaseRecord) -> list[tuple[str, str]]:
    """What a case is about, by name."""
    pairs = (
        ("data", record.data),
        ("read as", record.understood),
        ("network", _network(record)),
        ("start", record.start if record.summary is None else record.summary.start),
        ("errors there", "" if record.errors is None else record.errors.reason),
        ("weight decay", record.weight_decay),
        ("engine", record.engine),
    )
    return [(name, words) for name, words in pairs if words]


def _network(record: CaseRecord) -> str:
    """M, and the layers, unless they are many."""
    columns = columns_in_words(record.units, record.output_bias)
    layers = () if record.summary is None else record.summary.layers
    return "; ".join([columns, *layers]) if len(layers) <= FEW_LAYERS else f"{columns}; {len(layers)} layers"


def print_table(console: Console, result: SuiteResult) -> None:
    """Print what was found of all cases together, and their verdict table; it fits 80 columns.

    Where the table is so long that its beginning leaves the screen, the conclusion stands below it.

    Parameters
    ----------
    console : Console
        Where.
    result : SuiteResult
        The cases.
    """
    words = f"{conclude_all(result.records)}."
    if len(result.records) <= FEW_ROWS:
        _say(console, words)
    most = max(23, console.width - 57)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("case", no_wrap=True, max_width=most)
    for head in (*COLUMNS.values(), "check"):
        table.add_column(head, no_wrap=True, min_width=8)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for record in result.records:
        name = "\n".join(textwrap.wrap(record.name, most))  # at hyphens where it is too long
        cells = [_verdict(_of(record, key), record.expected.get(key)) for key in COLUMNS]
        ok = "ok" if record.ok else "[bold red]BAD[/]"
        table.add_row(escape(name), *cells, _check(record), span(record.seconds), ok)
    console.print(table)
    print_told(console, "reason", "\n".join(wrapped(LEGEND, text_width(console))))
    if len(result.records) > FEW_ROWS:
        _say(console, words)


def print_summary(
    console: Console, result: SuiteResult, out: str, cases: Sequence[str] = (), *, verbose: bool = False
) -> None:
    """Print what was unexpected, what the checker says, where everything is, and what to type next.

    Parameters
    ----------
    console : Console
        Where.
    result : SuiteResult
        The cases.
    out : str
        The folder of the results, as it was given.
    cases : sequence of str, optional
        The case files, as they were given.
    verbose : bool, optional
        Whether reasons were printed, so that it need not be said how to see them.
    """
    records = result.records
    console.print()
    for record in records:
        reasons = list(record.surprises)
        if record.check is not None and not record.check.accepted:
            reasons.append(record.check.reason)
        if record.error is not None and len(records) > 1:  # of one case it is the conclusion
            reasons.append(record.error.message)
        for reason in reasons:
            console.print(f"[bold red]{escape(record.name)}[/]: {escape(reason)}", highlight=False)
    if result.from_ledger:
        came = f"{result.from_ledger} of {_count(len(records), 'case')} came from the ledger"
        _say(console, f"{came}: an earlier run had finished them.")
    if verbose or len(records) != 1:
        own, checker = result.peak_bytes / 2**30, result.checker_peak_bytes / 2**30
        times = f"{_count(len(records), 'case')} in {span(result.seconds)}"
        _say(console, f"{times}, peak memory {own:.1f} GiB (checker {checker:.1f} GiB).")
    _say(console, closing_sentence(records))
    for line in where_and_next(records, out, cases, verbose=verbose):
        print_told(console, "said", line)


def _of(record: CaseRecord, key: str) -> Verdict | None:
    """The verdict of a step or statement, None if it was not asked for."""
    step = record.step(key)
    return record.statement(key) if step is None else step.verdict


def _coloured(verdict: str, shown: str = "") -> str:
    """A verdict, or what is shown for it, in its colour."""
    return f"[{STYLE.get(verdict, 'cyan')}]{shown or verdict}[/]"


def _verdict(verdict: Verdict | None, expected: Verdict | None = None) -> str:
    """A cell of the table; a verdict that is as expected, and not PROVED, is no bad news."""
    if verdict is None:
        return "-"
    calm = verdict is expected and verdict is not Verdict.PROVED
    return f"[dim]{SHORT[verdict]}[/]" if calm else _coloured(verdict, SHORT[verdict])


def _check(record: CaseRecord) -> str:
    if record.check is None:
        return "-"
    short = {"UNREADABLE": "unread.", "TOO EXPENSIVE": "too expensive"}
    text = short.get(record.check.verdict, record.check.verdict.lower())
    return _coloured(record.check.verdict, text)
