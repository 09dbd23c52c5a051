"""Limits of the operating system: whatever runs into them is TOO EXPENSIVE, and no process outlives its check."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from checker_toy import toy
from checker_writer import Builder, dyadic, node_of, write
from children import children
from flint import fmpz, fmpz_mat

import verifier.checker
from verifier.checker import limits
from verifier.checker.cli import main
from verifier.checker.common import TooExpensive
from verifier.checker.limits import GIB, Limits, run_limited

CHECKER = Path(verifier.checker.__file__).parent / "__main__.py"
ROOM = limits.address_space() // GIB + 2  # GiB: a fork of this process begins with what this process has


def checked(path, *options):
    """Run the checker on a file; return its exit code, its report, and the wall time."""
    start = time.perf_counter()
    command = [sys.executable, "-I", str(CHECKER), "--json", *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)["results"][0], time.perf_counter() - start


@pytest.fixture(autouse=True)
def earlier(monkeypatch):
    """The children that other tests of this process left."""
    monkeypatch.setattr(sys.modules[__name__], "EARLIER", children())


EARLIER = set()


def no_children():
    """Whether every child that this test started was waited for."""
    return children() <= EARLIER


def identity(samples, label=0, **reference):
    """One unit that copies its one input, a number from 1 to 200."""
    builder = Builder()
    data = builder.data([[i % 200 + 1] for i in range(samples)], [label] * samples)
    data["inputs"] |= reference
    layer = builder.dense([[1]], [0])
    claim = {"label": "Z1", "precision": 32, "output_weights": builder.exact([[1, 0]]), "gamma": dyadic(1)}
    return builder, builder.document(data, [1], [layer], 1, [claim])


@pytest.fixture
def wide(tmp_path):
    """350 KB that ask for 200 MB: every input is a number of 40,000 bits."""
    builder, document = identity(40_000)
    (term,) = document["data"]["inputs"]["terms"]
    document["data"]["inputs"]["terms"] = [term | {"exponent": 20_000}, term | {"exponent": -20_000}]
    return write(tmp_path, document, builder.arrays())


def test_memory_is_limited(wide):
    code, found, seconds = checked(wide, "--memory", "0.2")
    assert (code, found["verdict"], found["claims"]) == (3, "TOO EXPENSIVE", [])
    assert found["rejection"]["rule"] == "cost.memory"
    assert "0.2 GiB of address space" in found["rejection"]["message"]
    assert "--memory GIB raises it" in found["rejection"]["message"]
    assert found["limits"] == "0.2 GiB of address space, 600 s of CPU time"
    assert seconds < 20


def test_more_memory_is_enough(wide):
    assert checked(wide, "--memory", "2")[:1] == (0,)


def test_cpu_time_is_limited(tmp_path):
    builder, document = identity(100_000)
    node_of(document, 0, "map")["activation"] = "t + exp(-t**2)"
    document["claims"][0]["precision"] = 16_384
    code, found, seconds = checked(write(tmp_path, document, builder.arrays()), "--cpu-seconds", "1", "--jobs", "1")
    assert (code, found["verdict"], found["rejection"]["rule"]) == (3, "TOO EXPENSIVE", "cost.cpu")
    assert "more than 1 s of CPU time" in found["rejection"]["message"]
    assert "--cpu-seconds S raises it" in found["rejection"]["message"]
    assert seconds < 30


@pytest.mark.parametrize(
    "option", [["--memory", "0"], ["--cpu-seconds", "0"], ["--memory", "8", "--cpu-seconds", "900"]]
)
def test_limits_are_raised(option, tmp_path):
    code, found, _ = checked(write(tmp_path, *parts(toy())), *option)
    assert (code, found["verdict"]) == (0, "ACCEPTED")
    assert (
        found["limits"]
        == {
            "--memory 0": "no limit of memory, 600 s of CPU time",
            "--cpu-seconds 0": "6 GiB of address space, no limit of CPU time",
            "--memory 8 --cpu-seconds 900": "8 GiB of address space, 900 s of CPU time",
        }[" ".join(option)]
    )


def parts(case):
    builder, document = case
    return document, builder.arrays()


@pytest.mark.parametrize(
    "option",
    [["--memory", "-1"], ["--memory", "nan"], ["--memory", "x"], ["--cpu-seconds", "-1"], ["--cpu-seconds", "1.5"]],
)
def test_wrong_limits_are_wrong_usage(option, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*option, "x"])
    assert stopped.value.code == 2
    assert option[0] in capsys.readouterr().err


def test_exit_codes(tmp_path, capsys):
    """1 before 2 before 3 before 0."""
    files = {}
    for name in ("good", "bad", "dear"):
        (tmp_path / name).mkdir()
        builder, document = toy()
        if name == "bad":
            document["claims"][2]["gamma"]["mantissa"] = "999"
        if name == "dear":
            document["network"]["nodes"].append({"kind": "expand", "reads": [4], "shape": [1 << 29, 4]})
        files[name] = str(write(tmp_path / name, document, builder.arrays()))
    assert main([files["dear"]]) == 3
    text = capsys.readouterr().out
    assert text.startswith("TOO EXPENSIVE ")
    assert "cost.size at /network/nodes/5" in text
    assert main([files["good"], files["dear"]]) == 3
    assert main([files["dear"], "missing.json"]) == 2
    assert main([files["dear"], files["bad"], "missing.json"]) == 1
    assert main([files["good"]]) == 0
    assert no_children()


def test_memory_that_flint_does_not_get():
    """FLINT, or GMP under it, ends the process."""
    with pytest.raises(TooExpensive) as caught:
        run_limited(lambda: bytes([int(fmpz(1) << (8 * ROOM * GIB + 64)) & 1]), Limits(ROOM * GIB, 60))
    assert caught.value.rule == "cost.memory"
    with pytest.raises(TooExpensive) as caught:
        run_limited(lambda: bytes(fmpz_mat(1 << 17, 1 << 17).nrows()), Limits(ROOM * GIB, 60))
    assert caught.value.rule == "cost.memory"
    assert no_children()


def test_memory_that_python_does_not_get():
    with pytest.raises(TooExpensive) as caught:
        run_limited(lambda: bytes(ROOM * GIB), Limits(ROOM * GIB, 60))
    assert caught.value.rule == "cost.memory"
    assert no_children()


def spin():
    while True:
        pass


def test_time_in_a_loop():
    start = time.perf_counter()
    with pytest.raises(TooExpensive) as caught:
        run_limited(spin, Limits(0, 1))
    assert caught.value.rule == "cost.cpu"
    assert time.perf_counter() - start < 30
    assert no_children()


@pytest.mark.parametrize("end", [signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL])
def test_ends_by_a_signal(end):
    with pytest.raises(TooExpensive) as caught:
        run_limited(lambda: os.kill(os.getpid(), end), Limits())
    assert caught.value.rule == "cost.memory"
    assert ("SIGABRT" in caught.value.message) == (end == signal.SIGABRT)


@pytest.mark.parametrize("end", [lambda: os.kill(os.getpid(), signal.SIGTERM), lambda: os._exit(5)])
def test_ends_that_no_limit_explains(end):
    with pytest.raises(ChildProcessError):
        run_limited(end, Limits())


def test_such_an_end_accepts_nothing(tmp_path, monkeypatch):
    import verifier.checker.certificate as certificate

    monkeypatch.setattr(certificate, "examine", lambda *_: os._exit(5))
    found = certificate.check_limited(str(write(tmp_path, *parts(toy()))), 1, Limits())
    assert (found.verdict, found.rejection.rule, found.claims) == ("REJECTED", "internal", [])


def test_an_inherited_limit_is_named(monkeypatch):
    """The shell's own limit is stricter: no option of the checker raises it."""
    monkeypatch.setattr(limits, "effective", lambda _: Limits(ROOM * GIB, 600))
    with pytest.raises(TooExpensive) as caught:
        run_limited(lambda: bytes(ROOM * GIB), Limits(2 * ROOM * GIB, 600))
    assert "the shell's own (ulimit -v)" in caught.value.message


def test_a_system_without_limit_of_memory(monkeypatch):
    """As on macOS: the report says so, and the time is limited all the same."""
    monkeypatch.setattr(limits, "MEMORY_CAN_BE_LIMITED", False)
    assert str(Limits()) == "memory not limited (this system has no limit of address space), 600 s of CPU time"
    assert run_limited(lambda: bytes([1]), Limits(1, 600)) == b"\1"
    with pytest.raises(TooExpensive):
        run_limited(spin, Limits(1, 1))


def test_a_system_without_limits(monkeypatch):
    """As on Windows: the check runs in the process itself."""
    monkeypatch.setattr(limits, "MEMORY_CAN_BE_LIMITED", False)
    monkeypatch.setattr(limits, "CPU_CAN_BE_LIMITED", False)
    assert "CPU time not limited" in str(Limits())
    assert run_limited(lambda: str(os.getpid()).encode(), Limits()) == str(os.getpid()).encode()


def test_a_check_ends_with_who_asked_for_it(tmp_path):
    """The parent is killed: the child, and its workers, do not go on."""
    code = f"""
import os, sys, time
sys.path.insert(0, {str(CHECKER.parent.parent.parent)!r})
from verifier.checker.limits import Limits, look_at_all, run_limited
def slow(block):
    with open(f"worker{{block}}", "w") as stream:
        print(os.getpid(), file=stream)
    while True:
        time.sleep(60)
def work():
    with open("child", "w") as stream:
        print(os.getpid(), file=stream)
    list(look_at_all(slow, [0, 1], 2))
run_limited(work, Limits(0, 60))
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    names, end = ("child", "worker0", "worker1"), time.monotonic() + 20
    while time.monotonic() < end and not all(read_number(tmp_path / name) for name in names):
        time.sleep(0.02)
    numbers = [read_number(tmp_path / name) for name in names]
    assert len({process.pid, *numbers}) == 4 and 0 not in numbers
    process.kill()
    process.wait()
    while time.monotonic() < end + 20 and any(map(alive, numbers)):
        time.sleep(0.05)
    assert not any(map(alive, numbers))


def read_number(file):
    return int(file.read_text() or 0) if file.exists() else 0


def alive(process):
    """Whether a process that is no child of ours runs; a zombie, which nobody has waited for yet, does not."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("jobs", [2, 5])
def test_workers_share_the_limits(jobs, monkeypatch):
    """Each process has an equal share; what the shares do not suffice for is done by the first alone."""
    monkeypatch.setattr(limits, "GIVEN", [Limits(12 * GIB, 660)])
    monkeypatch.setattr(limits, "address_space", lambda: GIB)
    monkeypatch.setattr(limits, "own_seconds", lambda: 60)
    monkeypatch.setattr(limits, "remaining", lambda: Limits(12 * GIB, 660))
    assert limits.divide(jobs) == (jobs, Limits(12 * GIB // (jobs + 1), 600 // (jobs + 1)))
    monkeypatch.setattr(limits, "address_space", lambda: 3 * GIB)
    assert limits.divide(jobs) == (2, Limits(4 * GIB, 200))
    monkeypatch.setattr(limits, "address_space", lambda: 4 * GIB)
    assert limits.divide(jobs)[0] == 1


def test_the_time_of_workers_counts():
    """Two workers that spin are ended by their shares of 1 s, then the first process by what is left: 3 s in all."""

    def work():
        return bytes(list(limits.look_at_all(lambda _: spin(), [0, 1], 2)))

    before = os.times()
    with pytest.raises(TooExpensive) as caught:
        run_limited(work, Limits(0, 3))
    after = os.times()
    assert caught.value.rule == "cost.cpu"
    assert after.children_user + after.children_system - before.children_user - before.children_system < 4.3
    assert no_children()


def test_the_memory_of_workers_counts():
    """A share that does not suffice: the block is looked at again by the first process, which has all."""
    here = []

    def look(block):
        content = bytes(2 * ROOM * GIB)
        return len(content) + block

    def work():
        here.append(os.getpid())
        found = list(limits.look_at_all(look, [0, 1, 2], 2))
        return json.dumps(found).encode()

    found = json.loads(run_limited(work, Limits(4 * ROOM * GIB, 60)))
    assert found == [2 * ROOM * GIB + block for block in (0, 1, 2)]
    assert no_children()


@pytest.mark.parametrize("jobs", [1, 2, 3, 7])
def test_all_blocks_in_order(jobs):
    found = list(limits.look_at_all(lambda block: (block, os.getpid()), [5, 3, 4, 1, 2], jobs))
    assert [block for block, _ in found] == [5, 3, 4, 1, 2]
    assert len({process for _, process in found}) == min(jobs, 5)
    assert no_children()
