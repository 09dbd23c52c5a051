"""Whole experiments on a few digits: what is left on disk, what is done again and what is not, kills, mistakes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from verifier.errors import DataError, InputError
from verifier.experiments.config import Configuration, read_configuration
from verifier.experiments.plan import PlannedRun, Task, jobs_of
from verifier.experiments.record import Experiment, Kept
from verifier.experiments.runner import usable

pytestmark = pytest.mark.torch

ROOT = Path(__file__).resolve().parents[2]
TINY = """
seeds = [0, 1]
[data]
train = 60
test = 40
[networks]
architectures = ["fc2", "vgg11"]
activations = ["sigmoid"]
width = 0.03125
[training]
epochs = 2
batch = 16
checkpoint_seconds = 0.0
device = "cpu"
[rand]
passes = 100
"""


def configuration(folder: Path, **training: Any) -> Path:
    extra = "".join(f"{key} = {value}\n" for key, value in training.items())
    file = folder / "c.toml"
    file.write_text(TINY.replace("epochs = 2\n", extra if "epochs" in training else f"epochs = 2\n{extra}"), "utf-8")
    return file


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "verifier", "experiment", *map(str, words)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def call(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, env=environment(), timeout=300)


def here(name: str, given: Configuration, out: Path, **options: Any) -> Experiment:
    from verifier.experiments.runner import run_experiment

    return run_experiment(name, given, out, workers=None, show=lambda count, names: None, **options)


def timeless(value: Any) -> Any:
    """A record without what took how long."""
    if isinstance(value, dict):
        return {key: timeless(entry) for key, entry in value.items() if key != "seconds"}
    return [timeless(entry) for entry in value] if isinstance(value, list | tuple) else value


def ledger_rows(out: Path) -> dict[str, tuple[int, bytes]]:
    """By the name of the run: how often it was done, and its record, of the last sources that did it."""
    connection = sqlite3.connect(out / "ledger.sqlite")
    rows = connection.execute("SELECT name, executions, record FROM cases WHERE record IS NOT NULL").fetchall()
    connection.close()
    return {name: (count, record) for name, count, record in rows}


def runs_of(out: Path) -> dict[str, Any]:
    rows = sorted(ledger_rows(out).items())
    return {name: timeless(msgspec.msgpack.decode(record)["run"]) for name, (_, record) in rows}


def executions(out: Path) -> dict[str, int]:
    return {name: count for name, (count, _) in ledger_rows(out).items()}


def small() -> Configuration:
    found = Configuration(seeds=[0])
    found.data.train, found.data.test = 40, 20
    found.networks.architectures, found.networks.activations = ["fc2"], ["sigmoid"]
    found.training.epochs, found.training.batch, found.training.device = 2, 16, "cpu"
    found.rand.passes = 50
    return found


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pictures, which take most of the time and have tests of their own."""
    from verifier.experiments import results

    monkeypatch.setattr(results, "_write_figures", lambda folder, figures: [])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The tiny experiment by its command, in one process: its configuration and its folder."""
    folder = tmp_path_factory.mktemp("experiment")
    file, out = configuration(folder), folder / "out"
    answer = call("tables", "--config", file, "--out", out, "--jobs", 1)
    assert answer.returncode == 0, answer.stderr
    assert "12 runs" in " ".join(answer.stdout.split()) and "Everything is in" in answer.stdout
    return file, out


def test_what_is_left(done: tuple[Path, Path]) -> None:
    from verifier.experiments.results import read_results_json

    file, out = done
    names = [job.name for job in jobs_of("tables", read_configuration(file))]
    assert sorted(runs_of(out)) == sorted(names) and len(names) == 12
    assert {path.name for path in (out / "weights").iterdir()} == {f"{name}.safetensors" for name in names}
    certified = {path.stem for path in (out / "certificates").iterdir()}
    assert certified and all(name.endswith("seed0") for name in certified)
    assert not list((out / "checkpoints").iterdir())
    assert all((out / name).is_file() for name in ("results.json", "results.csv", "results.html"))
    record = read_results_json(out)
    assert record.name == "tables" and record.versions["torch"] and "train = 60" in record.configuration
    for run in record.runs:
        assert (run.samples, run.tests, run.classes) == (60, 40, 10)
        assert run.certified is not None
        assert run.certified.errors_low <= run.last.train_errors <= run.certified.errors_high
        assert bool(run.certified.check) is (run.seed == 0 and bool(run.certified.certificate))
        assert run.certified.check in ("", "ACCEPTED")
        started = run.seed == 0 and run.skip and run.method == "sgd"
        assert (run.certified_start is not None) is started and bool(run.path) is started
        assert len(run.epochs) == (3 if run.method == "sgd" else 2)
        if run.method == "rand":
            assert run.last.distance_u == 0.0 and run.certified.verdict("zero_loss") == "PROVED"
            assert run.last.train_errors == 0 and "passes" in run.note


@pytest.mark.usefixtures("no_figures")
def test_processes_do_not_matter(done: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.cli import _guarded

    file, out = done
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert _guarded(["experiment", "tables", "--config", str(file), "--out", str(tmp_path), "--jobs", "2"]) == 0
    assert runs_of(tmp_path) == runs_of(out)
    for weights in (out / "weights").iterdir():
        assert (tmp_path / "weights" / weights.name).read_bytes() == weights.read_bytes()


@pytest.mark.usefixtures("no_figures")
def test_nothing_is_done_twice(done: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.experiments import worker as work

    file, out = done
    monkeypatch.setattr(work, "perform", None)
    record = here("tables", read_configuration(file), out)
    assert len(record.runs) == 12 and set(executions(out).values()) == {1}


def perform(job: PlannedRun, out: Path, certificate: bool = False, start: bool = False) -> Kept:
    from verifier.experiments.worker import perform

    return perform(Task(job, out, certificate, start), told=lambda words: None)


def test_what_a_run_depends_on(done: tuple[Path, Path]) -> None:
    file, out = done
    given = read_configuration(file)
    sgd, plain, rand = jobs_of("tables", given)[:3]
    assert (sgd.method, plain.skip, rand.method, sgd.seed) == ("sgd", False, "rand", 0)
    replace = msgspec.structs.replace

    def key(job: PlannedRun) -> str:
        return Task(job, out, False, False).key

    assert len({key(job) for job in (sgd, plain, rand)}) == 3
    for unrelated in (
        replace(sgd, rand=replace(sgd.rand, passes=7)),
        replace(sgd, networks=replace(sgd.networks, architectures=["fc2"], activations=["sigmoid", "tanh"])),
        replace(sgd, networks=replace(sgd.networks, gain={"sigmoid": 4.0, "tanh": 2.0})),
        replace(sgd, training=replace(sgd.training, epochs_of={"vgg11": 9}, checkpoint_seconds=5.0)),
        replace(sgd, certify=replace(sgd.certify, certificates=0, starts=3)),
        replace(sgd, experiment="rand-vs-sgd"),
        replace(rand, training=replace(rand.training, epochs=9)),
    ):
        assert key(unrelated) == key(rand if unrelated.method == "rand" else sgd)
    for changed in (
        replace(sgd, training=replace(sgd.training, epochs=9)),
        replace(sgd, training=replace(sgd.training, epochs_of={"fc2": 9})),
        replace(sgd, training=replace(sgd.training, rate={"sigmoid": 9.0})),
        replace(sgd, networks=replace(sgd.networks, gain={})),
        replace(sgd, networks=replace(sgd.networks, skip_units=50)),
        replace(sgd, data=replace(sgd.data, test=30)),
        replace(sgd, certify=replace(sgd.certify, target="1e-5")),
        replace(rand, rand=replace(rand.rand, passes=9)),
    ):
        assert key(changed) not in (key(sgd), key(rand))


def test_a_record_counts_if_it_has_what_is_wanted_and_its_files_are_what_they_were(
    done: tuple[Path, Path], tmp_path: Path
) -> None:
    file, out = done
    given = read_configuration(file)
    first, other = (next(j for j in jobs_of("tables", given) if j.skip and j.seed == seed) for seed in (0, 1))
    records = {name: msgspec.msgpack.decode(record, type=Kept) for name, (_, record) in ledger_rows(out).items()}
    assert usable(Task(first, out, True, True), records[first.name])
    assert usable(Task(first, out, False, False), records[first.name])
    assert usable(Task(other, out, False, False), records[other.name])
    assert not usable(Task(other, out, True, False), records[other.name])
    assert not usable(Task(other, out, False, True), records[other.name])
    shutil.copytree(out, tmp_path / "copy")
    for damaged in records[first.name].sha256:
        content = (out / damaged).read_bytes()
        (tmp_path / "copy" / damaged).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert not usable(Task(first, tmp_path / "copy", True, True), records[first.name])
        (tmp_path / "copy" / damaged).write_bytes(content)
    assert usable(Task(first, tmp_path / "copy", True, True), records[first.name])


@pytest.mark.usefixtures("no_figures")
def test_what_is_lost_is_done_again_and_fresh_does_all(tmp_path: Path) -> None:
    given = small()
    here("tables", given, tmp_path)
    records = runs_of(tmp_path)
    sgd, plain, rand = (job.name for job in jobs_of("tables", given))
    (tmp_path / "weights" / f"{plain}.safetensors").unlink()
    (tmp_path / "certificates" / f"{sgd}.json").unlink()
    here("tables", given, tmp_path)
    assert executions(tmp_path) == {sgd: 2, plain: 2, rand: 1} and runs_of(tmp_path) == records
    told: list[str] = []
    here("tables", given, tmp_path, say=told.append)
    given.training.batch += 1
    here("tables", given, tmp_path, say=told.append)
    assert told == ["To be made again: 2 runs of other sources, versions, data or settings."]  # rand has no batches
    given.training.batch -= 1
    here("tables", given, tmp_path, fresh=True)
    assert executions(tmp_path) == {sgd: 1, plain: 1, rand: 1} and runs_of(tmp_path) == records


@pytest.mark.usefixtures("no_figures")
def test_a_killed_experiment_goes_on(tmp_path: Path) -> None:
    given = small()
    given.training.epochs, given.training.checkpoint_seconds = 150, 0.0
    given.networks.variants = ["plain"]
    file = tmp_path / "c.toml"
    from verifier.experiments.runner import configuration_toml

    file.write_text(configuration_toml(given), "utf-8")
    out, whole = tmp_path / "out", tmp_path / "whole"
    arguments = ("tables", "--config", file, "--out", out, "--jobs", 1)
    process = subprocess.Popen(
        command(*arguments), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        checkpoints = out / "checkpoints"
        limit = time.monotonic() + 120
        while not list(checkpoints.glob("*.safetensors")):
            assert process.poll() is None and time.monotonic() < limit
            time.sleep(0.005)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert list(checkpoints.glob("*.safetensors")) and not ledger_rows(out)
    first: list[str] = []
    from verifier.experiments.runner import run_experiment

    run_experiment("tables", given, out, workers=None, show=lambda count, names: first.extend(names))
    begun = next(words for words in first if "epoch " in words)
    assert int(begun.split("epoch ")[1].split("/")[0]) > 1  # not from the beginning
    here("tables", given, whole)
    assert runs_of(out) == runs_of(whole)
    (name,) = (path.name for path in (out / "weights").iterdir())
    assert (out / "weights" / name).read_bytes() == (whole / "weights" / name).read_bytes()
    assert not list(checkpoints.glob("*.safetensors"))


def test_weights_start_a_case(done: tuple[Path, Path], tmp_path: Path) -> None:
    from verifier.experiments.surface import weights_of
    from verifier.run.case import parse_case
    from verifier.run.case_problem import case_problem

    file, out = done
    job = next(j for j in jobs_of("tables", read_configuration(file)) if j.architecture == "fc2" and not j.skip)
    weights = out / "weights" / f"{job.name}.safetensors"
    case = parse_case(
        f"""
        data = {{ name = "digits" }}
        start = {{ file = "{weights}" }}
        network.layers = [
          {{ kind = "dense", width = 38, activation = "sigmoid" }},
          {{ kind = "dense", width = 38, activation = "sigmoid", skip = true }},
        ]
        """,
        folder=tmp_path,
    )
    problem = case_problem(case)
    u, v = problem.u, problem.v
    expected = weights_of(job, out)
    assert np.array_equal(u, expected[0]) and np.array_equal(v, expected[1]) and v.shape == (38, 10)


def test_interpolation_and_the_surface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.experiments import architectures, results

    drawn: list[Any] = []
    monkeypatch.setattr(results, "_write_figures", lambda folder, figures: drawn.extend(figures) or [])
    monkeypatch.setattr(architectures, "DEPTH", 3)
    given = small()
    given.certify.certificates = given.certify.starts = 0
    record = here("all", given, tmp_path)
    fitted = [run for run in record.runs if run.method == "interpolation"]
    assert len(fitted) == 1 and all(run.last.train_errors == 0 for run in fitted)
    assert all(run.certified is None for run in fitted)
    assert {run.method for run in record.runs} == {"sgd", "rand", "interpolation"}
    assert len({(run.architecture, run.skip, run.method, run.seed) for run in record.runs}) == len(record.runs)
    # few samples: the surface's runs are those of the tables, and it is drawn all the same
    (surface,) = [figure for figure in drawn if figure.name == "surface-fc2"]
    assert len([ax for ax in surface.draw().axes if "skip" in ax.get_title()]) == 2
    assert "without skips" in surface.caption and "REFUTED" in surface.caption


@pytest.mark.usefixtures("no_figures")
def test_divergence_claims_nothing_about_the_end(tmp_path: Path) -> None:
    given = small()
    given.networks.activations = ["gelu"]
    given.training.rate, given.training.epochs = {"gelu": 1000.0}, 20
    given.networks.gain = {"gelu": 1000.0}
    job = jobs_of("tables", given)[0]
    run = perform(job, tmp_path, certificate=True, start=True).run
    assert run.certified is None and "diverged" in run.note and len(run.epochs) < 21
    assert run.certified_start is not None  # the start was sound
    assert not (tmp_path / "certificates").exists()
    assert here("tables", given, tmp_path).runs  # a page of it, too
    kept = runs_of(tmp_path)[job.name]
    assert not np.isfinite(kept["epochs"][-1]["train_loss"]) and kept["note"] == run.note
    here("tables", given, tmp_path)
    assert set(executions(tmp_path).values()) == {1}


def test_a_proof_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.errors import PrecisionError
    from verifier.experiments import worker as work

    real, calls = work.certify, []

    def certify(point: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(point.found_by)
        if len(calls) == 1:
            raise PrecisionError("planted")
        return real(point, *arguments, **options)

    monkeypatch.setattr(work, "certify", certify)
    job = jobs_of("tables", small())[0]
    kept = perform(job, tmp_path, start=True)
    run = kept.run
    assert run.certified_start is None and run.certified is not None and run.path == ()
    assert "at the start: nothing proved" in run.note and "planted" in run.note
    assert usable(Task(job, tmp_path, False, True), kept)  # it was tried


def test_fewer_units_than_wanted_are_noted() -> None:
    from verifier.experiments.worker import network_of, split_of

    given = small()
    given.networks.skip_units = 10**6
    network, note = network_of(jobs_of("tables", given)[0], split_of(jobs_of("tables", given)[0]))
    assert note == f"M = {network.skip_count}: all hidden units, fewer than 1000000"


def test_other_contents_are_other_data_and_other_places_are_not(tmp_path: Path) -> None:
    from test_splits import write_mnist

    write_mnist(tmp_path / "data")
    given = small()
    given.data.name, given.data.root = "mnist", str(tmp_path / "data")
    given.data.train, given.data.test = 20, 10
    given.certify.enabled = False
    job = jobs_of("tables", given)[0]
    before = Task(job, tmp_path, False, False).key
    (tmp_path / "data").rename(tmp_path / "moved")
    given.data.root = str(tmp_path / "moved")
    files = [path for path in (tmp_path / "moved").rglob("*") if path.is_file()]
    for file in files:
        os.utime(file, ns=(1, 1))
    job = jobs_of("tables", given)[0]
    assert Task(job, tmp_path, False, False).key == before
    files[0].write_bytes(files[0].read_bytes() + b"\0")
    assert Task(job, tmp_path, False, False).key != before


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("fresh", [False, True])
def test_mistakes_are_seen_before_anything_is_touched(tmp_path: Path, fresh: bool) -> None:
    given = small()
    here("surface", given, tmp_path)
    before = executions(tmp_path)
    for name, root, device, error in (
        ("mnist", None, "cpu", DataError),
        ("mnist", str(tmp_path / "none"), "cpu", DataError),
        ("cifar10", str(tmp_path), "cpu", DataError),
        ("digits", str(tmp_path), "cpu", DataError),
        ("digits", None, "cuda:7", InputError),
    ):
        given.data.name, given.data.root, given.training.device = name, root, device
        with pytest.raises(error):
            here("surface", given, tmp_path, fresh=fresh)
        assert executions(tmp_path) == before
    given = small()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="choose another folder with --out"):
        here("surface", given, tmp_path / "file", fresh=fresh)


def test_a_worker_that_dies(tmp_path: Path) -> None:
    from verifier.experiments.runner import run_experiment
    from verifier.run.executors import Workers

    class Dying(Executor):
        def submit(self, function: Any, /, *arguments: Any, **more: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(BrokenExecutor())
            return future

    with pytest.raises(InputError, match=r"a worker died \(.*fc2.* was running\)"):
        run_experiment("tables", small(), tmp_path, workers=Workers(Dying, 2), show=lambda count, names: None)


@pytest.mark.usefixtures("no_figures")
def test_threads_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FLINT's precision belongs to the process: two proofs at a time could round by each other's."""
    from verifier.experiments import worker as work
    from verifier.experiments.runner import run_experiment

    real, busy = work.perform, threading.Lock()

    def alone(task: Task, **options: Any) -> Kept:
        assert busy.acquire(blocking=False)
        try:
            return real(task, **options)
        finally:
            busy.release()

    monkeypatch.setattr(work, "perform", alone)
    with ThreadPoolExecutor(3) as threads:
        found = run_experiment("surface", small(), tmp_path, workers=threads, show=lambda count, names: None)
    assert len(found.runs) == 2
