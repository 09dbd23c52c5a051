"""A process that has imported one program and runs it once per line of its input, in a forked child with limits.

Usage: ``python server.py checker | prover``. A line is a JSON object (arguments, folder, log); the answer has the exit
status (negative: killed by that signal), the seconds of processor time, which do not depend on what else the machine
does, and the peak of the child's resident memory in MiB, what it inherited included. Who only waits is killed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import traceback
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALARM_SECONDS, CPU_SECONDS = 90, 15
ROOM = 2 << 30  # bytes of address space beyond what the server has


def load_checker():
    """Import the checker as its `__main__` does: nothing of the package around it."""
    package = types.ModuleType("_verifier_checker")
    package.__path__ = [str(ROOT / "verifier" / "checker")]
    sys.modules[package.__name__] = package
    return importlib.import_module("_verifier_checker.cli").main


def load_prover():
    """Import the command line and use it once: what it imports late, and makes once, no attack has to."""
    main = importlib.import_module("verifier.cli")._guarded
    case = str(ROOT / "verifier" / "run" / "cases" / "quick" / "xor.toml")
    with tempfile.TemporaryDirectory() as room, open(os.devnull, "w") as nowhere:
        out = os.path.join(room, "out")
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            for command in ("rank", "path", "witness"):
                main([command, case])
            main(["run", "--only", "xor", "--out", out])
            main(["show", os.path.join(out, "certificates", "xor.json")])
    return main


def attend(main, job):
    """Be the child: redirect, limit, run, leave."""
    os.chdir(job["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(os.path.join(job["log"], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = pages * os.sysconf("SC_PAGE_SIZE") + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    signal.setitimer(signal.ITIMER_REAL, ALARM_SECONDS)
    try:
        code = main(job["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 2
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def serve(main):
    """Answer every line."""
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            attend(main, job)
        _, status, usage = os.wait4(child, 0)
        answer = {"code": os.waitstatus_to_exitcode(status), "seconds": usage.ru_utime + usage.ru_stime}
        print(json.dumps(answer | {"mebibytes": usage.ru_maxrss / 1024}), flush=True)


if __name__ == "__main__":
    program = {"checker": load_checker, "prover": load_prover}[sys.argv[1]]()
    gc.collect()
    gc.freeze()  # the children need not copy what the collector would touch
    print("ready", flush=True)
    serve(program)
