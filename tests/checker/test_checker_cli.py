"""The command line: standalone runs, exit codes, output, hostile files under a memory limit."""

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from checker_toy import toy
from checker_writer import node_of, write

import verifier.checker
from verifier.checker.cli import main, printable

FOLDER = Path(verifier.checker.__file__).parent
ONLY = """
import sys, runpy
ALLOWED = set(sys.stdlib_module_names) | {"flint", "_verifier_checker", "__main__"}
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in ALLOWED:
            raise ImportError("not allowed: " + name)
sys.meta_path.insert(0, Guard())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
LIMITED = """
import resource, sys, runpy
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-I", *map(str, arguments)], capture_output=True, text=True, timeout=60, **options
    )


@pytest.fixture
def good(tmp_path):
    builder, document = toy()
    return write(tmp_path, document, builder.arrays())


@pytest.fixture
def bad(tmp_path):
    (tmp_path / "bad").mkdir()
    builder, document = toy()
    document["claims"][2]["gamma"]["mantissa"] = "999"
    return write(tmp_path / "bad", document, builder.arrays())


@pytest.mark.parametrize("entry", [FOLDER / "__main__.py", FOLDER])
def test_standalone(entry, good):
    done = run("-c", ONLY, entry, good)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ACCEPTED ")
    assert done.stderr == ""


def test_as_a_module(good):
    """As a module of the package, and imported, which does nothing."""
    here = f"import runpy, sys; sys.path.insert(0, {str(FOLDER.parent.parent)!r}); "
    done = run("-c", here + "runpy.run_module('verifier.checker', run_name='__main__', alter_sys=True)", good)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("ACCEPTED ")
    done = run("-c", here + "import verifier.checker.__main__")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("10", 40)])
def test_a_terminal_gets_lines_that_fit(good, capsys, monkeypatch, columns, width):
    """Words stay whole; what is written to a pipe has the same words, a line for each claim."""
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.chdir(good.parent)
    assert main([good.name]) == 0
    piped = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main([good.name]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, piped.splitlines())) > 80
    assert max(map(len, shown.splitlines())) <= width
    assert all(a == b for a, b in zip(piped.split(), shown.split(), strict=True) if "." not in a)  # but for seconds


def test_a_reader_that_goes_away(good):
    """Nobody reads the report: exit code 1 without a traceback, whatever the verdict."""
    source, sink = os.pipe()
    os.close(source)
    command = [sys.executable, "-I", FOLDER / "__main__.py", good]
    done = subprocess.run(command, stdout=sink, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(sink)
    assert (done.returncode, done.stderr) == (1, b"")


def test_streams_that_cannot_be_reconfigured(good, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert main([str(good)]) == 0
    assert sys.stdout.getvalue().startswith("ACCEPTED ")


def test_direct(good, bad):
    done = run(FOLDER / "__main__.py", "--json", good, bad, "missing.json")
    assert done.returncode == 1
    results = json.loads(done.stdout)["results"]
    assert [result["verdict"] for result in results] == ["ACCEPTED", "REJECTED", "UNREADABLE"]
    assert results[0]["rejection"] is None
    assert {"path", "rule", "claimed", "computed", "message"} == set(results[1]["rejection"])
    assert results[1]["rejection"]["rule"] == "Z1.margin"
    assert results[1]["claims"] == []


def test_exit_codes(good, bad, capsys):
    assert main([str(good)]) == 0
    assert main([str(good), "missing.json"]) == 2
    assert main([str(bad), "missing.json"]) == 1
    assert main([str(good), str(bad)]) == 1
    for wrong in ([], ["--jobs", "0", "x"], ["--jobs", "x", "x"], ["--fast", "x"]):
        with pytest.raises(SystemExit) as stopped:
            main(wrong)
        assert stopped.value.code == 2
    capsys.readouterr()


def test_text_report(good, bad, capsys):
    main([str(good), str(bad)])
    text = capsys.readouterr().out
    assert text.count("ACCEPTED") == 1
    assert text.count("REJECTED") == 1
    assert "rank Psi = N = 3" in text
    assert "Z1.margin at /claims/2/gamma" in text
    assert "FLINT" in text
    assert "computed:" in text


def test_name_is_made_printable(tmp_path, capsys):
    builder, document = toy()
    document["data"]["name"] = "a\x1b[31mred\u202e\nACCEPTED\ud800"
    main([str(write(tmp_path, document, builder.arrays()))])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\ud800" not in out
    assert out.count("\nACCEPTED") == 0
    assert printable("x" * 5000).endswith("...")


def test_pipe_as_file(tmp_path):
    os.mkfifo(tmp_path / "c.json")
    assert main([str(tmp_path / "c.json")]) == 1
    assert main([os.devnull]) == 1


def test_interrupt(tmp_path):
    """Ctrl-C ends the checker, and the process in which it checks."""
    code = f"""
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
sys.path.insert(0, {str(FOLDER.parent.parent)!r})
import verifier.checker.certificate as certificate
import verifier.checker.cli as cli
def slow(*_):
    with open("child.part", "w") as stream:
        print(os.getpid(), file=stream)
    os.rename("child.part", "child")
    time.sleep(60)
certificate.examine = slow
sys.exit(cli.main(["x"]))
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    child = wait_for(tmp_path / "child")
    assert child != process.pid
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "interrupted\n"
    assert gone(child)


def wait_for(file):
    """Return the number that a process writes into a file."""
    end = time.monotonic() + 20
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return int(file.read_text())


def gone(process):
    """Whether a process, or a zombie of it, is no longer there soon."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def bombs():
    """Yield (name, change): small files that ask for much."""

    def units(document, arrays):
        for kind, shape in (("weight", [2**31, 2]), ("bias", [2**31])):
            node_of(document, 0, kind).update(shape=shape, values=None)
        document["network"]["columns"] = 2**31

    def samples(document, arrays):
        document["data"]["samples"] = 2**31
        document["data"]["inputs"]["shape"] = [2**31, 2]

    def total(document, arrays):
        document["data"]["total"] = 10**19

    def precision(document, arrays):
        document["claims"][1]["precision"] = 16384
        document["claims"][1]["feature_bits"] = 16384
        node_of(document, 0, "map")["activation"] = "exp(" * 20 + "t" + ")" * 20

    def exponent(document, arrays):
        node_of(document, 0, "map")["activation"] = "((((t**1000)**1000)**1000)**1000)**1000"

    def constant(document, arrays):
        node_of(document, 0, "map")["activation"] = "t + ((((9**1000)**1000)**1000)**1000)**1000"

    def spread(document, arrays):
        term = document["data"]["inputs"]["terms"][0]
        document["data"]["inputs"]["terms"] = [{**term, "exponent": 20000}, {**term, "exponent": -20000}] * 80

    def kappa(document, arrays):
        document["claims"][3]["kappa"] = {"mantissa": "9" * 1300, "exponent": 200000}
        document["claims"][3]["zero_error_t"] = {"mantissa": "9" * 1300, "exponent": 200000}

    def deep(document, arrays):
        pool = {"kind": "pool", "how": "mean", "kernel": [], "stride": [], "padding": [], "dilation": []}
        for last in range(4, 70_000):
            document["network"]["nodes"].append({**pool, "reads": [last]})

    return {
        change.__name__: change
        for change in (units, samples, total, precision, exponent, constant, spread, kappa, deep)
    }


def children_seconds():
    """CPU time of the processes that have ended: a busy machine does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", bombs())
def test_bombs_under_a_memory_limit(name, tmp_path):
    builder, document = toy()
    bombs()[name](document, builder)
    start = children_seconds()
    done = run(
        "-c", LIMITED, FOLDER / "__main__.py", "--json", "--jobs", "1", write(tmp_path, document, builder.arrays())
    )
    assert done.returncode in (1, 3), done.stderr + done.stdout
    found = json.loads(done.stdout)["results"][0]
    assert found["verdict"] == {1: "REJECTED", 3: "TOO EXPENSIVE"}[done.returncode]
    assert found["rejection"]["rule"] != "internal", done.stdout
    assert found["limits"] == "0.5859 GiB of address space, 600 s of CPU time"
    assert children_seconds() - start < 20


def test_sparse_arrays_file(tmp_path):
    """A file of 2 TiB (sparse) is refused by its size."""
    builder, document = toy()
    path = write(tmp_path, document, builder.arrays())
    with open(tmp_path / "c.safetensors", "r+b") as stream:
        stream.truncate(1 << 41)
    done = run("-c", LIMITED, FOLDER / "__main__.py", "--json", path)
    assert json.loads(done.stdout)["results"][0]["rejection"]["rule"] == "container.size"


def test_nothing_of_the_prover_is_imported():
    text = "\n".join(path.read_text() for path in FOLDER.glob("*.py"))
    for line in text.splitlines():
        words = line.split()
        if words[:1] in (["import"], ["from"]):
            root = words[1].split(".")[0]
            assert root in sys.stdlib_module_names or root in ("", "flint"), line


def test_a_file_that_names_no_data_has_no_line_about_them(good):
    assert "  data: " in run(FOLDER / "__main__.py", good).stdout
    assert "  data:" not in run(FOLDER / "__main__.py", "missing.json").stdout
