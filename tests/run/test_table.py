"""The verdict table, the closing sentence and the progress line, in real terminals."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import commands
import pytest
from rich.console import Console

from verifier.outcome import Step
from verifier.run.closing import closing_sentence, where_and_next
from verifier.run.record import CaseRecord, CheckRecord, Failure, StatementRecord, SuiteResult
from verifier.run.table import print_summary, print_table
from verifier.verdict import Verdict

LONG = "a-family-with-a-name-that-nobody-would-type-" * 3 + "seed=11"
CASE = """
title = "Twelve digits"
data.name = "digits"
data.samples = 12
network.layers = [{ kind = "dense", width = 20, activation = "tanh", skip = true }]
"""


def record(
    name: str, rank: str = "PROVED", path: str = "PROVED", label: str = "P1", check: str = "ACCEPTED", **more: object
) -> CaseRecord:
    steps = [
        Step("analytic", "analytic", Verdict.PROVED, "tanh", 0.1),
        Step("rank", "R1", Verdict(rank), "why", 0.1),
        Step("zero_loss", "Z1", Verdict.PROVED, "why", 0.1),
        Step("path", label, Verdict(path), "why", 0.1),
    ]
    given: dict[str, object] = {
        "title": name, "toml": "", "steps": tuple(steps), "seconds": 0.4, "certificate": f"certificates/{name}.json",
        "certificate_bytes": 1000, "check": CheckRecord(check, "" if check == "ACCEPTED" else "x: rule: wrong", 0.1),
    }  # fmt: skip
    return CaseRecord(name=name, **(given | more))  # type: ignore[arg-type]


W0 = StatementRecord(label="W0", applies=True, verdict=Verdict.PROVED)
HARD = [
    record(LONG, seconds=123_456.0, theorem=(W0,)),
    record("x" * 200, rank="TESTED", path="UNDECIDED", check="REJECTED", seconds=9876.5),
    record("short", label="E3", seconds=99.96),
    CaseRecord(name="[bold]markup[/bold]", title="", toml="", error=Failure("input", "e" * 300), seconds=600.0),
]


def printed(records: list[CaseRecord], width: int, out: str = "out") -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width)
    result = SuiteResult(records=tuple(records), seconds=4000.0, peak_bytes=2**40, checker_peak_bytes=2**35)
    print_table(console, result)
    print_summary(console, result, out)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 132])
def test_the_table_fits_whatever_the_names_and_times(width: int) -> None:
    lines = printed(HARD, width)
    places = [line for line in lines if re.match(" {13}|Certificates:|Results:|Next:", line)]  # whole, to be copied
    assert max(len(line) for line in lines if line not in places) <= width
    assert "".join(line[: width - 57].strip() for line in lines).count("name-that-nobody-would-type") >= 1
    text = "\n".join(lines)
    assert "[bold]markup[/bold]" in re.sub(r"\s", "", text)
    for word in ("PROVED", "UNDEC.", "TESTED", "rejected", "accepted", "BAD", "valleys"):
        assert word in text  # none is cut


def test_the_closing_sentences_of_several_cases() -> None:
    assert closing_sentence(HARD) == (
        "The independent checker ACCEPTED 2 of 3 "
        f"certificates (the largest, {LONG}: 1.0 kB, checked in 0.1 s). NOT as expected: 2 cases, named above."
    )


def test_the_closing_sentences_of_one_case_and_of_nothing() -> None:
    assert closing_sentence([record("one", expected={"rank": Verdict.PROVED})]) == (
        "The independent checker ACCEPTED the certificate (1.0 kB, checked in 0.1 s). Everything is as the case "
        "expects."
    )
    rejected = closing_sentence([record("one", check="REJECTED")])
    assert rejected.startswith("The independent checker did not accept the certificate")
    assert rejected.endswith("NOT as expected: 1 case, named above.")
    assert closing_sentence([HARD[3]]).startswith("There is no certificate. NOT as expected")


def test_places_and_the_next_command_are_lines_that_can_be_copied(tmp_path: Path) -> None:
    out = str(tmp_path)
    assert where_and_next(HARD, out)[1] == f"Results:     {out}"
    (tmp_path / "report.html").write_text("")
    one = where_and_next([record("one")], out, ["my case.toml"])
    assert one[:3] == [
        f"Certificate: {out}/certificates/one.json",
        f"Report:      {out}/report.html",
        f"Next:        verifier show {out}/certificates/one.json",
    ]
    assert one[3].lstrip() == f"verifier run -v 'my case.toml' --out {out}  (everything, with its reasons)"
    assert (
        where_and_next([record("one")], "verifier-out", ["a.toml"])[3].lstrip().startswith("verifier run -v a.toml  (")
    )
    assert where_and_next([record("one")], out, ["my.toml"], verbose=True) == one[:3]
    assert where_and_next([HARD[3]], out) == one[1:2]
    assert where_and_next([HARD[3]], "verifier-out", ["b.toml"])[-1].startswith("Next:        verifier run -v b.toml")


def styles(records: list[CaseRecord]) -> dict[str, str]:
    """The style of each verdict in the table of some cases, by the case's name."""
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system="standard")
    print_table(console, SuiteResult(records=tuple(records)))
    return {each.name: next(line for line in stream.getvalue().splitlines() if each.name in line) for each in records}


def test_a_negative_control_is_not_red() -> None:
    expected = {"rank": Verdict.REFUTED}
    found = styles([record("surprise", rank="REFUTED"), record("control", rank="REFUTED", expected=expected)])
    assert "\x1b[31mREFUTED" in found["surprise"]
    assert "\x1b[2mREFUTED" in found["control"] and "\x1b[31m" not in found["control"]


def in_terminal(arguments: list[str], cwd: Path, columns: int = 80, **environment: str) -> tuple[int, bytes]:
    """Run the command in a pseudo-terminal: exit code and all bytes that it sent there."""
    terminal, inner = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    given = {"COLUMNS": "", "NO_COLOR": "", "FORCE_COLOR": "", "TERM": "xterm-256color"} | environment
    if "--jobs" in arguments:  # workers begin by importing the program that started them
        known = {key: value for key, value in (os.environ | given).items() if value}
        command = [sys.executable, "-m", "verifier", *arguments]
        wait = subprocess.Popen(command, cwd=cwd, env=known, stdin=inner, stdout=inner, stderr=inner).wait
    else:
        child = commands.forked(arguments, (inner, inner, inner), cwd, given)

        def wait() -> int:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    os.close(inner)
    sent = b""
    while True:
        try:
            found = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not found:
            break
        sent += found
    os.close(terminal)
    return wait(), sent


ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(rb"\x1b\[(?:[0-9]+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9]+)*m")


def shown(sent: bytes) -> list[str]:
    """Every line that stood on the screen at some time, without colours."""
    return [ESCAPE.sub(b"", part).decode() for part in re.split(rb"[\r\n]+", sent)]


@pytest.fixture
def cases(tmp_path: Path) -> list[str]:
    names = [f"{LONG[:100]}-{k}.toml" for k in range(5)]
    for name in names:
        (tmp_path / name).write_text(CASE)
    return names


def test_a_real_terminal_of_80_columns(cases: list[str], tmp_path: Path) -> None:
    code, sent = in_terminal(["run", *cases, "--out", "o"], tmp_path)
    assert code == 0
    lines = shown(sent)
    places = [line for line in lines if "verifier show o/certificates/a-family" in line]  # whole, to be copied
    assert max(len(line) for line in lines if line not in places) <= 80
    assert len(places) == 1
    assert COLOUR.search(sent)
    assert any(re.search(r"\[1/5\].* 0:0\d", line) for line in lines)  # progress, with the time
    assert any(re.search(r"\[[45]/5\].* left to prove", line) for line in lines)  # once three are measured
    assert not any("left" in line for line in lines if re.search(r"\[[123]/5\]", line))
    assert "Report:      o/report.html" in lines


def test_no_color_is_honoured(cases: list[str], tmp_path: Path) -> None:
    code, sent = in_terminal(["run", cases[0], "--out", "o"], tmp_path, NO_COLOR="1")
    assert code == 0
    assert not COLOUR.search(sent)
    assert b"PROVED" in sent


@pytest.mark.thorough
def test_columns_is_honoured_and_side_by_side_progress_fits(cases: list[str], tmp_path: Path) -> None:
    code, sent = in_terminal(["run", *cases, "--out", "o", "--jobs", "2"], tmp_path, 200, COLUMNS="80")
    assert code == 0
    assert max(len(line) for line in shown(sent) if "verifier show" not in line) <= 80
    assert any(re.search(r"\[\d/5\] a-family", line) for line in shown(sent))


def test_json_in_a_terminal_is_plain(cases: list[str], tmp_path: Path) -> None:
    code, sent = in_terminal(["path", cases[0], "--json"], tmp_path)
    assert code == 0
    document = sent[sent.index(b"{\r\n") :]
    assert b"\x1b" not in document.rstrip().rpartition(b"}")[0]
