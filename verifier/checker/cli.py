"""Command line: reports verdicts as text or JSON.

Exit code 0 accepted, 1 rejected, 2 unreadable or wrong usage, 3 too expensive to check under the limits.
"""

import argparse
import gc
import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from .certificate import check_limited
from .limits import GIB, Limits

MAX_SHOWN = 2000  # characters
MIN_WIDTH = 40  # columns; words that are longer are never broken
MAX_GIB, MAX_SECONDS = 1 << 20, 10**8
CODES = {"REJECTED": 1, "UNREADABLE": 2, "TOO EXPENSIVE": 3, "ACCEPTED": 0}  # of several files, the first that occurs


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
    lines = [f"{found.verdict} {printable(found.file)}"]
    lines += [f"  data: {record['data']} (name as given, not checked)"] if record["data"] else []
    for number, claim in enumerate(found.claims):
        bits = f" at {claim['precision']} bits" if "precision" in claim else ""
        lines.append(f"  claim {number} {claim['label']}{bits}: {claim['statement']}")
    why = record["rejection"]
    if why is not None:
        lines.append(f"  {why['rule']} at {why['path'] or '/'}: {why['message']}")
        lines += [f"    {key}: {why[key]}" for key in ("claimed", "computed") if why[key] is not None]
    return "\n".join([*lines, f"  trusted: {found.trust}", f"  seconds: {found.seconds:.2f} (limits: {found.limits})"])


def wrapped(text: str, width: int) -> str:
    """Return the lines of text broken between words at width columns, what follows a break indented by two more."""
    lines = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        whole = textwrap.TextWrapper(
            width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, expand_tabs=False
        )
        lines += whole.wrap(line)
    return "\n".join(lines)


def show(text: str) -> None:
    """Print text, on a terminal in lines that fit; a pipe or a file gets each line as it is."""
    if sys.stdout.isatty():
        text = wrapped(text, max(MIN_WIDTH, shutil.get_terminal_size().columns))
    print(text, flush=True)


def memory(text: str) -> int:
    """Read a number of GiB as bytes."""
    value = float(text)
    if not (math.isfinite(value) and 0 <= value <= MAX_GIB):
        raise argparse.ArgumentTypeError(f"must be a number of GiB, 0 (no limit) to {MAX_GIB}, not {text}")
    return int(value * GIB)


def seconds(text: str) -> int:
    """Read a whole number of seconds."""
    value = int(text)
    if not 0 <= value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, 0 (no limit) to {MAX_SECONDS}, not {text}")
    return value


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line: files, processes, and limits of memory and CPU time."""
    usual = Limits()
    text = "Independent check of certificates. Exit code: 0 all accepted, 1 one rejected, 2 one unreadable or wrong "
    text += "usage, 3 one too expensive: neither accepted nor rejected, as the check ran into a limit."
    parser = argparse.ArgumentParser(prog="verifier.checker", description=text)
    parser.add_argument("files", nargs="+", metavar="FILE", help="certificate (.json; its arrays lie beside it)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    jobs = min(os.cpu_count() or 1, 4)
    parser.add_argument("--jobs", type=int, default=jobs, choices=range(1, 65), metavar="N", help="processes, 1 to 64")
    text = "address space for each file, all processes together, enforced by the operating system (default "
    text += f"{usual.memory / GIB:g}; 0: no limit)"
    parser.add_argument("--memory", type=memory, default=usual.memory, metavar="GIB", help=text)
    text = f"CPU time for each file, all processes together, enforced by the operating system (default {usual.cpu}; 0: "
    text += "no limit)"
    parser.add_argument("--cpu-seconds", type=seconds, default=usual.cpu, metavar="S", help=text)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the files named on the command line."""
    options = read_options(arguments)
    limits = Limits(options.memory, options.cpu_seconds)
    gc.disable()  # millions of small objects, no cycles: the collector would only search
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    results = []
    try:
        for file in options.files:
            results.append(check_limited(file, options.jobs, limits))
            if not options.json:
                show(as_text(results[-1]))
        if options.json:
            print(json.dumps({"results": [as_record(found) for found in results]}, indent=1), flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    verdicts = {found.verdict for found in results}
    return next(code for verdict, code in CODES.items() if verdict in verdicts)
