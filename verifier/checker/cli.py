"""Command line: reports verdicts as text or JSON; exit code 0 accepted, 1 rejected, 2 unreadable or wrong usage."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Sequence

import flint

from .certificate import Outcome, check_file

MAX_JOBS = 64
MAX_SHOWN = 2000
TRUST = f"Arb of FLINT {flint.__FLINT_VERSION__}, python-flint {flint.__version__}; exact-real semantics"


def jobs_number(text: str) -> int:
    """Read the value of --jobs."""
    number = int(text)
    if not 1 <= number <= MAX_JOBS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MAX_JOBS}")
    return number


def printable(text: object) -> str:
    """Return text without control characters, escape sequences and other unprintable characters, of bounded length."""
    clean = "".join(c if c.isprintable() else "?" for c in str(text)[:MAX_SHOWN])
    return clean + ("..." if len(str(text)) > MAX_SHOWN else "")


def as_text(outcome: Outcome) -> str:
    """Return the report of one file: the verdict, then what was proved or why it is not accepted."""
    lines = [f"{outcome.verdict} {printable(outcome.file)}"]
    if outcome.data_name:
        lines.append(f"  data: {printable(outcome.data_name)} (name as given, not checked)")
    for number, claim in enumerate(outcome.claims):
        lines.append(
            f"  claim {number} {claim['label']} at {claim.get('precision', 'exact')}"
            f"{' bits' if 'precision' in claim else ''}: {claim['statement']}"
        )
    why = outcome.rejection
    if why is not None:
        lines.append(f"  {printable(why.rule)} at {printable(why.path) or '/'}: {printable(why.message)}")
        for name, value in (("claimed", why.claimed), ("computed", why.computed)):
            if value is not None:
                lines.append(f"    {name}: {printable(value)}")
    lines.append(f"  trusted: {TRUST}")
    lines.append(f"  seconds: {outcome.seconds:.2f}")
    return "\n".join(lines)


def as_record(outcome: Outcome) -> dict[str, object]:
    """Return the report of one file for JSON."""
    why = outcome.rejection
    rejection = (
        None
        if why is None
        else {
            name: None if value is None else printable(value)
            for name, value in (
                ("path", why.path),
                ("rule", why.rule),
                ("claimed", why.claimed),
                ("computed", why.computed),
                ("message", why.message),
            )
        }
    )
    return {
        "file": outcome.file,
        "verdict": outcome.verdict,
        "data": printable(outcome.data_name),
        "claims": outcome.claims,
        "rejection": rejection,
        "trust": TRUST,
        "seconds": round(outcome.seconds, 3),
    }


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return 1 if anything was rejected, else 2 if anything could not be read, else 0."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if verdicts == {"ACCEPTED"}:
        return 0
    return 2 if verdicts <= {"ACCEPTED", "UNREADABLE"} else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the files named on the command line."""
    parser = argparse.ArgumentParser(prog="verifier.checker", description="Independent check of certificates.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="certificate (.json; its arrays lie beside it)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--jobs", type=jobs_number, default=min(os.cpu_count() or 1, 4), help="worker processes")
    options = parser.parse_args(arguments)
    gc.disable()  # millions of small objects, no cycles: the collector would only search
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    outcomes = []
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
