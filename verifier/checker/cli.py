"""Command line: reports verdicts as text or JSON; exit code 0 accepted, 1 rejected, 2 unreadable or wrong usage."""

import argparse
import gc
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from .certificate import check_file

MAX_SHOWN = 2000  # characters


def printable(text: object) -> str:
    """Return text without control characters, escape sequences and other unprintable characters, of bounded length."""
    clean = "".join(c if c.isprintable() else "?" for c in str(text)[:MAX_SHOWN])
    return clean + ("..." if len(str(text)) > MAX_SHOWN else "")


def as_record(found: Any) -> dict[str, Any]:
    """Return the report of one file for JSON."""
    why = {} if found.rejection is None else vars(found.rejection)
    why = {key: None if value is None else printable(value) for key, value in why.items()}
    return {**vars(found), "data": printable(found.data), "rejection": why or None}


def as_text(found: Any) -> str:
    """Return the report of one file: the verdict, then what was proved or why it is not accepted."""
    record = as_record(found)
    lines = [f"{found.verdict} {printable(found.file)}", f"  data: {record['data']} (name as given, not checked)"]
    for number, claim in enumerate(found.claims):
        bits = f" at {claim['precision']} bits" if "precision" in claim else ""
        lines.append(f"  claim {number} {claim['label']}{bits}: {claim['statement']}")
    why = record["rejection"]
    if why is not None:
        lines.append(f"  {why['rule']} at {why['path'] or '/'}: {why['message']}")
        lines += [f"    {key}: {why[key]}" for key in ("claimed", "computed") if why[key] is not None]
    return "\n".join([*lines, f"  trusted: {found.trust}", f"  seconds: {found.seconds:.2f}"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the files named on the command line."""
    parser = argparse.ArgumentParser(prog="verifier.checker", description="Independent check of certificates.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="certificate (.json; its arrays lie beside it)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    jobs = min(os.cpu_count() or 1, 4)
    parser.add_argument("--jobs", type=int, default=jobs, choices=range(1, 65), metavar="N", help="processes, 1 to 64")
    options = parser.parse_args(arguments)
    gc.disable()  # millions of small objects, no cycles: the collector would only search
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    results = []
    try:
        for file in options.files:
            results.append(check_file(file, options.jobs))
            if not options.json:
                print(as_text(results[-1]), flush=True)
        if options.json:
            print(json.dumps({"results": [as_record(found) for found in results]}, indent=1), flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    verdicts = {found.verdict for found in results}
    return 0 if verdicts == {"ACCEPTED"} else 2 if verdicts <= {"ACCEPTED", "UNREADABLE"} else 1
