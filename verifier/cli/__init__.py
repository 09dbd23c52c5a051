"""The command ``verifier``: all subcommands, their help, and what every error looks like.

Exit codes: 0 proved, accepted, or as the case expects; 1 refuted, rejected or an unexpected verdict; 2 usage or bad
input (one line, no traceback); 3 undecided; 130 interrupted.
"""

from __future__ import annotations

import functools
import io
import os
import re
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer

from verifier import __version__
from verifier.cli.architecture import architecture
from verifier.cli.bench import bench
from verifier.cli.certificates import check, formal, init, show
from verifier.cli.connect import connect
from verifier.cli.experiment import experiment
from verifier.cli.fuzz import fuzz
from verifier.cli.help import ABOUT, BELOW, CommandSections, PlainCommand
from verifier.cli.matrix import matrix
from verifier.cli.minimum import minimum
from verifier.cli.prove import path, rank
from verifier.cli.run import report, run
from verifier.cli.statements import statements
from verifier.cli.witness import witness
from verifier.errors import InputError, VerifierError

# Typer may carry Click inside or use the installed one: the base of its usage errors, wherever it lives.
_UsageError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

app = typer.Typer(
    cls=CommandSections,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=ABOUT,
    epilog=BELOW,
)

for command in (
    run, rank, path, witness, connect, minimum, architecture,
    bench, fuzz, check, matrix, show, formal, statements, report, experiment, init,
):  # fmt: skip
    app.command(cls=PlainCommand)(command)

INTERRUPTED = "interrupted; finished certificates are complete, nothing half-written is left"

USAGE = (
    (r"Invalid value for '([^']+)':", r"\1:"),
    (r"Input should be a valid integer.*", "must be an integer"),
    (r"Input should be a valid number.*", "must be a number"),
    (r"Input should be (greater|less) than or equal to", r"must be \1"),
    (r"must be greater", "must be at least"),
    (r"must be less", "must be at most"),
    (r" \(Possible options: *([^)]*)\)", r"; did you mean one of \1?"),
    (r"\. Did you mean", "; did you mean"),
)
"""Typer's words and ours."""


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"verifier {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: errors are one line on stderr, never a traceback for a user's mistake."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal's encoding lacks is escaped, never a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = _guarded(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):  # what comes now ends the process without a word
        signal.signal(number, signal.SIG_DFL)
    sys.exit(code)


@functools.cache
def _command() -> Any:
    """What Typer makes of the commands, once: it takes longer than many a command."""
    return typer.main.get_command(app)


def _guarded(arguments: list[str] | None) -> int:
    if not (sys.argv[1:] if arguments is None else arguments):
        arguments = ["--help"]
    try:
        found = _command()(args=arguments, prog_name="verifier", standalone_mode=False)
        code = found if isinstance(found, int) else 0
    except typer.Exit as error:
        code = error.exit_code
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        return _fail(_usage(error.format_message(), "verifier" if context is None else context.command_path), 2)
    except InputError as error:
        return _fail(str(error), 2)
    except VerifierError as error:
        return _fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(INTERRUPTED, 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        return _fail("out of memory; use fewer samples or narrower layers", 2)
    # Typer turns Ctrl-C into this exit code without a word.
    return _fail(INTERRUPTED, 130) if code == 130 else code


def _usage(message: str, command: str) -> str:
    """Typer's words for a usage error in ours: one line that begins small and ends with where to look."""
    words = " ".join(message.split()).rstrip(".")
    for theirs, own in USAGE:
        words = re.sub(theirs, own, words)
    return f"{words[:1].lower()}{words[1:]} (see {command} --help)"


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"verifier: {message}\n")
    return code
