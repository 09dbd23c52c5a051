"""Command line: reports verdicts as text or JSON; exit code 0 accepted, 1 rejected, 2 unreadable or wrong usage."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Sequence

from .certificate import Outcome, check_file

MAX_JOBS = 64
MAX_SHOWN = 2000


def printable(text: object) -> str:
    """Return text without control characters, escape sequences and other unprintable characters, of bounded length."""
    clean = "".join(c if c.isprintable() else "?" for c in str(text)[:MAX_SHOWN])
    return clean + ("..." if len(str(text)) > MAX_SHOWN else "")


def as_record(outcome: Outcome) -> dict[str, object]:
    """Return the report of one file for JSON."""
    found = {} if outcome.rejection is None else vars(outcome.rejection)
    rejection = {key: None if value is None else printable(value) for key, value in found.items()}
    return {**vars(outcome), "data": printable(outcome.data), "rejection": rejection or None}


def as_text(outcome: Outcome) -> str:
    """Return the report of one file: the verdict, then what was proved or why it is not accepted."""
    lines = [f"{outcome.verdict} {printable(outcome.file)}"]
    if outcome.data:
        lines.append(f"  data: {printable(outcome.data)} (name as given, not checked)")
    for number, claim in enumerate(outcome.claims):
        bits = f" at {claim['precision']} bits" if "precision" in claim else ""
        lines.append(f"  claim {number} {claim['label']}{bits}: {claim['statement']}")
    why = outcome.rejection
    if why is not None:
        lines.append(f"  {why.rule} at {printable(why.path) or '/'}: {printable(why.message)}")
        shown = {"claimed": why.claimed, "computed": why.computed}
        lines += [f"    {name}: {printable(value)}" for name, value in shown.items() if value is not None]
    return "\n".join([*lines, f"  trusted: {outcome.trust}", f"  seconds: {outcome.seconds:.2f}"])


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return 1 if anything was rejected, else 2 if anything could not be read, else 0."""
    verdicts = {outcome.verdict for outcome in outcomes}
    return 0 if verdicts == {"ACCEPTED"} else 2 if verdicts <= {"ACCEPTED", "UNREADABLE"} else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the files named on the command line."""
    parser = argparse.ArgumentParser(prog="verifier.checker", description="Independent check of certificates.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="certificate (.json; its arrays lie beside it)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4), help=f"processes, 1 to {MAX_JOBS}")
    options = parser.parse_args(arguments)
    if not 1 <= options.jobs <= MAX_JOBS:
        parser.error(f"--jobs must be from 1 to {MAX_JOBS}")
    gc.disable()  # millions of small objects, no cycles: the collector would only search
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    outcomes: list[Outcome] = []
    try:
        for file in options.files:
            outcomes.append(check_file(file, options.jobs))
            if not options.json:
                print(as_text(outcomes[-1]), flush=True)
        if options.json:
            print(json.dumps({"results": [as_record(outcome) for outcome in outcomes]}, indent=1), flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return max(1, exit_code(outcomes))
    return exit_code(outcomes)
