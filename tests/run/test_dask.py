"""A real Dask scheduler and two workers on this machine; one worker is killed under way."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from running import certificates, environment, family, results, start, timeless, until, verifier

from verifier.errors import InputError
from verifier.run import executors

pytest.importorskip("distributed")

DIGITS = """
[data]
name = "digits"
samples = 700
[network]
layers = [{ kind = "dense", width = 1200, activation = "tanh", skip = true }]
"""


@contextmanager
def _daemon(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    address = f"tcp://127.0.0.1:{_free_port()}"
    with ExitStack() as stack:
        port = address.rpartition(":")[2]
        stack.enter_context(_daemon("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"))
        options = ("--no-nanny", "--nthreads", 1, "--no-dashboard", "--local-directory", folder)
        yield address, [stack.enter_context(_daemon("worker", address, *options)) for _ in range(workers)]


def test_dask_proves_the_same_and_survives_the_death_of_a_worker(tmp_path: Path) -> None:
    path = family(tmp_path)
    assert verifier("run", path, "--out", tmp_path / "here").returncode == 0
    with _cluster(tmp_path, 2) as (address, workers):
        process = start("run", path, "--out", tmp_path / "there", "--scheduler", address, "--json")
        until(lambda: list((tmp_path / "there").glob("certificates/*.json")))
        workers[0].send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert timeless(json.loads(out)) == timeless(results(tmp_path / "here"))
    assert certificates(tmp_path / "there") == certificates(tmp_path / "here")
    assert not list((tmp_path / "there").glob(".*.scratch"))


@pytest.mark.slow
def test_a_rank_out_of_core_survives_the_death_of_a_worker(tmp_path: Path) -> None:
    """Blocks of the Gram matrix are tasks; the worker that dies loses the tile in work."""
    (tmp_path / "digits.toml").write_text(DIGITS)
    ask = ("rank", tmp_path / "digits.toml", "--memory", 0.02, "--tight", "--json", "--work")
    with _cluster(tmp_path, 2) as (address, workers):
        process = start(*ask, tmp_path / "there", "--scheduler", address)
        until(lambda: len(list((tmp_path / "there").glob("gram*.tile"))) > 1)
        workers[0].send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    here = verifier(*ask, tmp_path / "here")
    assert here.returncode == 0, here.stderr
    there, here = json.loads(out)["sigma_lower"], json.loads(here.stdout)["sigma_lower"]
    assert 0 < there == pytest.approx(here, rel=1e-6)
    assert len(list((tmp_path / "there").glob("*.tile"))) == 12


def test_no_scheduler_and_no_workers_are_one_line_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 2)
    for address in (f"tcp://127.0.0.1:{_free_port()}", "nonsense://x"):
        started = time.monotonic()
        with pytest.raises(InputError, match="no Dask scheduler answers there"), executors.dask(address):
            pass
        assert time.monotonic() - started < 60
