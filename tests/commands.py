"""The ``verifier`` command in a fork of this process: what it imports is there already, which is most of its time."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from contextlib import redirect_stderr
from functools import cache
from io import StringIO
from pathlib import Path

from flint import ctx

from verifier.cli import _guarded, main


def verifier(
    *arguments: object, cwd: Path | None = None, file_bytes: int | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command that starts no workers, and return what a process of its own would leave.

    With ``file_bytes`` no file that it writes may be longer: writing past that fails as on a full disk.
    """
    words = [str(argument) for argument in arguments]
    with open(os.devnull) as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = (nothing.fileno(), out.fileno(), err.fileno())
        _, status = os.waitpid(forked(words, streams, cwd, environment, file_bytes), 0)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess(words, os.waitstatus_to_exitcode(status), *texts)


def forked(
    words: list[str],
    streams: tuple[int, int, int],
    cwd: Path | None,
    environment: dict[str, str],
    file_bytes: int | None = None,
) -> int:
    """Start a command that starts no workers in a fork with these standard streams, and return the process's number.

    A variable that is "" is removed.
    """
    _import_what_commands_need()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child of a process with threads runs one only
        ctx.threads = 1  # FLINT's threads do not live on in a fork, and ending them there would wait for ever
        child = os.fork()
    if child == 0:
        _be_the_command(words, streams, cwd, environment, file_bytes)
    return child


@cache
def _import_what_commands_need() -> None:
    """Run a command here that is refused: what it imports, each fork would import anew."""
    with redirect_stderr(StringIO()):
        assert _guarded(["run", "/dev/null/no.toml"]) == 2


def _be_the_command(
    words: list[str],
    streams: tuple[int, int, int],
    cwd: Path | None,
    environment: dict[str, str],
    file_bytes: int | None,
) -> None:
    """Be the child: standard streams, warnings and variables as a shell gives them, then run and leave."""
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
        if file_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        os.chdir(cwd or os.getcwd())
        os.environ.update(environment)
        for name in [name for name, value in environment.items() if not value]:
            del os.environ[name]
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
        warnings.resetwarnings()
        main(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
