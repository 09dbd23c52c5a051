"""Workers: any executor does, one that dies or has no memory left marks its case, none outlives the run."""

from __future__ import annotations

import io
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import commands
import pytest
from rich.console import Console
from running import (
    FAMILY,
    SILENT,
    certificates,
    family,
    ledger_rows,
    results,
    start,
    timeless,
    until,
    workers_of,
)

from verifier.errors import InputError
from verifier.problem import Problem
from verifier.run import executors
from verifier.run import worker as tasks
from verifier.run.case import Case
from verifier.run.executors import Workers, processes, workers
from verifier.run.family import read_cases
from verifier.run.runner import run_cases
from verifier.run.table import ProgressDisplay
from verifier.run.worker import Task, TaskResult, run_task


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    return read_cases(family(tmp_path))


@pytest.mark.thorough
def test_the_same_bytes_by_one_process_by_two_and_twice(cases: list[Case], calm: Path, tmp_path: Path) -> None:
    run_cases(cases, tmp_path / "again", SILENT)
    with processes(2) as two:
        assert run_cases(cases, tmp_path / "two", SILENT, executor=two).exit_code == 0
    assert certificates(tmp_path / "again") == certificates(tmp_path / "two") == certificates(calm)
    assert timeless(results(tmp_path / "again")) == timeless(results(tmp_path / "two")) == timeless(results(calm))
    assert sorted(entry.name for entry in (tmp_path / "two").iterdir()) == [
        ".ledger.lock",
        "certificates",
        "ledger.sqlite",
        "results.json",
    ]


@pytest.mark.thorough
def test_any_executor_will_do_and_threads_of_a_process_take_turns(
    cases: list[Case], calm: Path, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(3) as threads:
        run_cases(cases, tmp_path / "out", SILENT, executor=threads)
    assert certificates(tmp_path / "out") == certificates(calm)
    assert timeless(results(tmp_path / "out")) == timeless(results(calm))


def test_what_one_process_began_workers_finish(
    cases: list[Case], calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two ways of running share a ledger."""
    from verifier.run import scheduler as work

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(work._Checks, "wait", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_cases(cases[:4], out, SILENT)
    with ThreadPoolExecutor(2) as threads:
        assert run_cases(cases, out, SILENT, executor=threads).from_ledger == 4
    assert timeless(results(out)) == timeless(results(calm))


def _always(task: Task) -> TaskResult:
    if task.name == "line-sigmoid-seed1":
        os.kill(os.getpid(), signal.SIGKILL)
    return run_task(task)


def _once(task: Task) -> TaskResult:
    marker = Path(task.shown["data.path"]).with_name("died")
    if task.name == "line-sigmoid-seed1" and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return run_task(task)


class Deadly(ProcessPoolExecutor):
    """Runs another function than it is given, in forks of a process that has imported everything once."""

    def __init__(self, function: Callable[[Task], TaskResult]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["verifier.run.worker", __name__])
        super().__init__(2, context)
        self.function = function

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(self.function, *args)


@pytest.fixture
def deadly() -> Iterator[Callable[[Callable[[Task], TaskResult]], Workers]]:
    """Workers that run a function, a new pool of them when one breaks; none outlives its test."""
    with ExitStack() as pools:
        yield lambda function: Workers(lambda: pools.enter_context(Deadly(function)), 2)


def test_a_case_that_kills_its_worker_twice_is_marked_and_the_suite_goes_on(
    cases: list[Case], tmp_path: Path, deadly: Callable[..., Workers]
) -> None:
    out = tmp_path / "out"
    found = run_cases(cases[2:5], out, SILENT, executor=deadly(_always))
    assert [record.name for record in found.records if not record.ok] == ["line-sigmoid-seed1"]
    error = found.records[1].error
    assert error is not None and error.kind == "worker" and "died" in error.message
    assert found.exit_code == 1
    assert ledger_rows(out / "ledger.sqlite")["line-sigmoid-seed1"][0] == 2
    assert len(certificates(out)) == 2 * 2


@pytest.mark.thorough
def test_a_worker_that_dies_once_costs_nothing(
    cases: list[Case], calm: Path, tmp_path: Path, deadly: Callable[..., Workers]
) -> None:
    found = run_cases(cases, tmp_path / "out", SILENT, executor=deadly(_once))
    assert (tmp_path / "died").exists()
    assert found.exit_code == 0
    assert timeless(results(tmp_path / "out")) == timeless(results(calm))


def test_an_executor_that_was_given_and_breaks_is_one_line_and_the_rest_can_be_gone_on_with(
    cases: list[Case], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with Deadly(_always) as pool, pytest.raises(InputError, match="the executor that was given broke"):
        run_cases(cases[2:5], out, SILENT, executor=pool)
    done = sum(done for _, done in ledger_rows(out / "ledger.sqlite").values())
    found = run_cases(cases[2:5], out, SILENT)
    assert (found.from_ledger, found.exit_code) == (done, 0)


@pytest.mark.thorough
def test_a_worker_killed_from_outside(tmp_path: Path, calm: Path) -> None:
    process = start("run", family(tmp_path), "--out", tmp_path / "out", "--jobs", 2, "--json")
    os.kill(until(lambda: workers_of(process.pid))[0], signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert timeless(results(tmp_path / "out")) == timeless(results(calm))


@pytest.mark.thorough
def test_a_worker_that_ends_while_another_is_started_costs_nothing(
    cases: list[Case], calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starting a process then fails by what multiprocessing has closed already."""
    submit, closed = ProcessPoolExecutor.submit, iter([OSError("handle is closed")])

    def once(self: ProcessPoolExecutor, *args: Any, **kwargs: Any) -> Any:
        for error in closed:
            raise error
        return submit(self, *args, **kwargs)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", once)
    with processes(1) as workers:
        found = run_cases(cases, tmp_path / "out", SILENT, executor=workers)
    assert found.exit_code == 0
    assert timeless(results(tmp_path / "out")) == timeless(results(calm))


@pytest.mark.thorough
def test_out_of_memory_marks_the_case(tmp_path: Path) -> None:
    text = FAMILY.replace('path = "line.csv"', 'name = "digits"').replace("[0, 1]", "[0]")
    text = text.replace("width = 8", "width = 5").replace(
        '"network.layers.0.activation" = ["tanh", "sigmoid", "softplus"]',
        '"network.layers.0.width" = [5, 40000]\n"data.samples" = [4, 1797]',
    )
    with processes(1, memory=1.5) as limited:
        found = run_cases(read_cases(family(tmp_path, text)), tmp_path / "out", SILENT, executor=limited)
    good, bad = found.records
    assert good.ok
    assert bad.error is not None and bad.error.kind in ("memory", "worker") and "memory" in bad.error.message
    assert found.exit_code == 1


def test_an_error_of_this_program_marks_its_case(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tasks.prove

    def failing(problem: Problem, *options: Any, **more: Any) -> Any:
        if problem.name.endswith("seed1"):
            raise ZeroDivisionError("no")
        return real(problem, *options, **more)

    monkeypatch.setattr(tasks, "prove", failing)
    with ThreadPoolExecutor(1) as threads:
        there = run_cases(cases[1:4], tmp_path / "there", SILENT, executor=threads)
    here = run_cases(cases[1:4], tmp_path / "here", SILENT)
    for found in (there, here):
        assert [record.ok for record in found.records] == [False, True, False]
        error = found.records[0].error
        assert error is not None and error.kind == "internal" and "ZeroDivisionError: no" in error.message
        assert found.exit_code == 1
    with pytest.raises(ZeroDivisionError):
        run_cases(cases[1:2], tmp_path / "alone", SILENT)


def test_a_file_that_is_missing_is_named_as_the_user_named_it(cases: list[Case], tmp_path: Path) -> None:
    (tmp_path / "line.csv").unlink()
    with ThreadPoolExecutor(1) as threads:
        there = run_cases(cases, tmp_path / "there", SILENT, executor=threads)
        with pytest.raises(InputError, match=re.escape(str(tmp_path / "line.csv"))):
            run_cases(cases[:1], tmp_path / "alone", SILENT, executor=threads)
    here = run_cases(cases, tmp_path / "here", SILENT)
    assert [record.error for record in there.records] == [record.error for record in here.records]
    assert there.exit_code == here.exit_code == 2


def test_weights_travel_with_the_case(tmp_path: Path) -> None:
    from verifier.run.runner import packaged_cases

    chosen = [case for case in packaged_cases("quick") if case.name in ("start-trained-clone", "start-gateway")]
    with ThreadPoolExecutor(1) as threads:
        assert run_cases(chosen, tmp_path / "there", SILENT, executor=threads).exit_code == 0
    run_cases(chosen, tmp_path / "here", SILENT)
    assert certificates(tmp_path / "there") == certificates(tmp_path / "here")


def test_a_worker_with_other_sources_is_refused(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "environment", lambda: "other")
    with ThreadPoolExecutor(1) as threads, pytest.raises(InputError, match="other sources or versions"):
        run_cases(cases, tmp_path / "out", SILENT, executor=threads)
    assert not any(done for _, done in ledger_rows(tmp_path / "out" / "ledger.sqlite").values())


@pytest.mark.thorough
def test_ctrl_c_ends_the_workers_too(tmp_path: Path) -> None:
    heavy = FAMILY.replace("width = 8", "width = 900").replace('path = "line.csv"', 'name = "digits"\nsamples = 800')
    process = start("run", family(tmp_path, heavy), "--out", tmp_path / "out", "--jobs", 2)
    until(lambda: len(workers_of(process.pid)) == 2)
    found = workers_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err.count("\n")) == (130, "", 1)
    assert not [worker for worker in found if Path(f"/proc/{worker}").exists()]
    assert not list((tmp_path / "out").glob("**/*.part")) and not list((tmp_path / "out").glob(".*.scratch"))


def test_ctrl_c_waits_until_a_worker_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever thread it arrives in: a start that is cut short leaves a worker that complains."""
    started, begun = [], threading.Event()

    def other() -> None:
        begun.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    def submit(self: ProcessPoolExecutor, *_: Any) -> Future[Any]:
        begun.set()
        thread.join()
        started.extend(range(1000))  # many chances to act on the signal
        return Future()

    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    thread = threading.Thread(target=other)  # before the signal is blocked: it does not block it
    thread.start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with processes(1) as workers_of_one, pytest.raises(KeyboardInterrupt):
            workers_of_one.make().submit(len)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(started) == 1000


@pytest.mark.thorough
def test_progress_of_many_names_what_runs_on_a_terminal_only(cases: list[Case], tmp_path: Path) -> None:
    for terminal in (True, False):
        stream = io.StringIO()
        display = ProgressDisplay(Console(file=stream, force_terminal=terminal, width=100))
        with ThreadPoolExecutor(2) as threads:
            run_cases(cases, tmp_path / str(terminal), display, executor=threads)
        assert ("line-tanh-seed0" in stream.getvalue()) is terminal
        assert ("/6]" in stream.getvalue()) is terminal


def test_options_that_exclude_each_other_and_a_scheduler_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="excludes --jobs"), workers(2, None, "tcp://127.0.0.1:9"):
        pass
    with workers(1, None, None) as none:
        assert none is None
    with monkeypatch.context() as patch:
        patch.setattr(executors.importlib, "import_module", _missing)
        with pytest.raises(InputError, match=re.escape('pip install ".[dask]"')), executors.dask("tcp://h:1"):
            pass
    path = family(tmp_path)
    for wrong in (["--jobs", "0"], ["--memory", "0.1"], ["--shard", "3/2"]):
        found = commands.verifier("run", path, "--out", tmp_path / "out", *wrong)  # starts no workers
        assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)


def _missing(name: str) -> Any:
    raise ImportError(name)
