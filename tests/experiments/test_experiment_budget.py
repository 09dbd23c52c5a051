"""The budget: which runs fit, in which order, what is said of those that do not, and when no further one begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from test_splits import FILES, idx

from verifier.experiments import budget
from verifier.experiments.budget import Probe, estimate, state_budget
from verifier.experiments.config import Configuration
from verifier.experiments.plan import PlannedRun, Task
from verifier.experiments.record import Budget, Experiment
from verifier.experiments.runner import tasks_of
from verifier.experiments.table import certified_sentence

HOUR = 3600.0
NOTHING = Probe(
    step=0.0, evaluation=0.0, row=0.0, passing=0.0, multiplication=0.0,
    samples=100, tests=50, columns=200, hidden=300, layers=2,
)  # fmt: skip


def configuration() -> Configuration:
    found = Configuration(seeds=[0, 1])
    found.networks.architectures, found.networks.activations = ["fc2", "cnn13"], ["tanh"]
    found.networks.variants = ["skip"]
    found.parts = [{"experiment": "tables", "data": {"train": 64}}, {"experiment": "tables", "data": {"train": 128}}]
    return found


State = Callable[..., Budget]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """State a budget where each run of fc2 takes an hour, and each of cnn13 two."""
    monkeypatch.setattr(Task, "key", property(lambda task: task.name))
    monkeypatch.setattr(budget, "probe", lambda job: NOTHING)
    monkeypatch.setattr(budget, "estimate", lambda task, of: HOUR * (1 if task.job.architecture == "fc2" else 2))

    def stated(hours: float, finished: Mapping[str, float], width: int = 1) -> Budget:
        tasks = tasks_of("parts", configuration(), tmp_path)
        return state_budget(tasks, finished, hours, width, tmp_path, lambda line: None)

    return stated


def brief(names: frozenset[str]) -> set[str]:
    return {name.removeprefix("digits").replace("-tanh-skip", "") for name in names}


FIRST = {"64-fc2-sgd-seed0", "64-fc2-rand-seed0"}
SECOND = {"64-cnn13-sgd-seed0", "64-cnn13-rand-seed0"}


def test_runs_are_chosen_part_by_part_and_seed_by_seed(state: State) -> None:
    whole = state(100.0, {})
    assert len(whole.chosen) == len(whole.runs) == 16
    assert [run.name.rpartition("-")[2] for run in whole.runs[:8]] == ["seed0"] * 4 + ["seed1"] * 4
    assert all("64-" in run.name for run in whole.runs[:8])
    assert brief(state(2.0, {}).chosen) == FIRST
    assert brief(state(6.0, {}).chosen) == FIRST | SECOND
    assert brief(state(5.9, {}).chosen) == FIRST | {name.replace("seed0", "seed1") for name in FIRST}
    assert brief(state(3.0, {}, 2).chosen) == FIRST | SECOND  # two at a time


def test_the_first_group_is_run_in_any_case(state: State) -> None:
    assert brief(state(1e-3, {}).chosen) == FIRST


def test_what_is_finished_counts_with_the_time_that_it_took(state: State) -> None:
    names = sorted(state(2.0, {}).chosen)
    cheap = dict.fromkeys(names, 60.0)
    assert brief(state(4.1, cheap).chosen) >= FIRST | SECOND  # 2 minutes instead of 2 hours
    other = {run.name: run.seconds for run in state(4.1, cheap).runs}
    assert other[names[0].replace("seed0", "seed1")] == 60.0  # another seed of a finished run
    dear = dict.fromkeys(names, 40 * HOUR)
    assert brief(state(4.0, dear).chosen) == FIRST


def test_estimates_are_kept_and_damaged_ones_are_made_anew(state: State, tmp_path: Path) -> None:
    before = state(2.0, {})
    kept = tmp_path / budget.FILE
    changed = {name: seconds / 2 for name, seconds in msgspec.json.decode(kept.read_bytes()).items()}
    kept.write_bytes(msgspec.json.encode(changed))
    assert [run.seconds for run in state(2.0, {}).runs] == [run.seconds / 2 for run in before.runs]
    kept.write_bytes(b"{")
    assert state(2.0, {}) == before


def test_the_budget_in_words(state: State) -> None:
    found = state(6.0, {}, 2)
    assert found.words == (
        "Budget: 6 h with 2 runs at a time. Estimated: 12 h for all 16 runs; 8 of them are chosen, 6 h."
    )
    assert state(1e-3, {}).words.endswith("2 of them are chosen, 2 h, more than the budget.")
    assert found.runs[0].words == "digits, N = 64: fc2, tanh, SGD with skips, seed 0"


def test_what_an_estimate_adds_up(tmp_path: Path) -> None:
    given = configuration()
    given.training.epochs, given.training.batch, given.training.measured = 10, 30, 4
    given.certify.enabled = False
    sgd, rand = tasks_of("parts", given, tmp_path)[:2]
    assert (sgd.job.method, rand.job.method) == ("sgd", "rand")
    assert estimate(sgd, replace(NOTHING, step=1.0)) == 10 * 4  # four batches an epoch
    assert estimate(sgd, replace(NOTHING, evaluation=1.0)) == 4 * 150  # at epochs 0, 4, 8 and 10
    assert estimate(sgd, replace(NOTHING, row=1.0)) == 0.0
    assert estimate(rand, replace(NOTHING, row=1.0)) == 150
    assert estimate(rand, replace(NOTHING, passing=1.0)) == budget.PASSES
    proved = msgspec.structs.replace(rand.job, certify=Configuration().certify)
    once, thrice = (Task(proved, tmp_path, more, more) for more in (False, True))
    costs = replace(NOTHING, multiplication=1.0)
    assert estimate(once, costs) == budget.PRODUCTS * 100 * 100 * 200
    assert estimate(thrice, costs) == 3 * estimate(once, costs)
    assert estimate(once, replace(costs, columns=50)) == 0.0  # M < N
    deep = replace(NOTHING, layers=150, hidden=10**6)  # by Arb at the end only, and no certificate
    assert estimate(once, deep) == 0.0 and estimate(thrice, deep) == budget.ARB_SECONDS * 100 * 10**6


def write_images(root: Path, train: int, tests: int) -> None:
    """Four small IDX files of images of 6 x 6 pixels, whose classes can be told apart."""
    random = np.random.default_rng(0)
    for count, files in ((train, FILES[:2]), (tests, FILES[2:])):
        labels = np.arange(count) % 10
        pixels = random.integers(0, 60, (count, 6, 6)) + 19 * labels[:, None, None]
        (root / files[0]).write_bytes(idx(pixels.astype(np.uint8)))
        (root / files[1]).write_bytes(idx(labels))


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Experiment]:
    """Two subsets of small images as one experiment, in so many hours."""
    pytest.importorskip("torch")
    from verifier.experiments import results
    from verifier.experiments.runner import run_experiment

    monkeypatch.setattr(results, "_write_figures", lambda folder, figures: [])
    write_images(tmp_path, 40, 20)
    given = configuration()
    given.seeds, given.networks.architectures, given.networks.variants = [0], ["fc2"], ["skip", "plain"]
    given.data.name, given.data.root = "mnist", str(tmp_path)
    given.training.epochs, given.training.batch, given.training.measured = 3, 8, 2
    given.certify.certificates = given.certify.starts = 0
    given.parts[0]["data"]["train"], given.parts[1]["data"]["train"] = 20, 30

    def run(hours: float) -> Experiment:
        given.budget.hours = hours
        return run_experiment("parts", given, tmp_path / "out", workers=None, show=lambda count, names: None)

    return run


@pytest.mark.torch
def test_subsets_in_a_budget_then_with_more_hours(parts: Callable[[float], Experiment], tmp_path: Path) -> None:
    few = parts(1e-9)
    assert certified_sentence(few.runs) == "No run is finished."
    assert few.runs == () and few.budget is not None and len(few.budget.missing) == 6
    assert [run.chosen for run in few.budget.runs] == [True] * 3 + [False] * 3
    text = (tmp_path / "out" / "results.md").read_text("utf-8")
    assert "* mnist, N = 20: fc2, tanh, rand: V alone, seed 0: the hours were over\n" in text
    assert "* mnist, N = 30: fc2, tanh, rand: V alone, seed 0\n" in text
    whole = parts(5.0)
    assert whole.budget is not None and not whole.budget.missing and len(whole.runs) == 6
    assert {(run.samples, run.method, run.skip) for run in whole.runs} == {
        (n, method, skip) for n in (20, 30) for method, skip in (("sgd", True), ("sgd", False), ("rand", True))
    }
    assert [epoch.epoch for run in whole.runs for epoch in run.epochs if run.method == "sgd"] == [0, 2, 3] * 4
    text = (tmp_path / "out" / "results.md").read_text("utf-8")
    assert "**mnist, N = 20, 20 test samples.**" in text and "**mnist, N = 30, 20 test samples.**" in text
    assert "All were run." in text and "chosen, " in whole.budget.words


@pytest.mark.torch
def test_hours_begin_when_the_estimates_are_made(
    parts: Callable[[float], Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    from verifier.experiments import runner

    probe, passed = budget.probe, [0.0]

    def slow(job: PlannedRun) -> Probe:
        passed[0] += HOUR
        return probe(job)

    monkeypatch.setattr(budget, "probe", slow)
    monkeypatch.setattr(runner, "time", SimpleNamespace(perf_counter=lambda: time.perf_counter() + passed[0]))
    found = parts(0.5)
    assert passed[0] > HOUR and len(found.runs) == len(found.budget.chosen if found.budget else ()) > 0


def test_an_estimate_is_kept_as_soon_as_it_is_made(
    monkeypatch: pytest.MonkeyPatch, state: State, tmp_path: Path
) -> None:
    def interrupted(task: Task, of: Probe) -> float:
        if task.job.architecture == "cnn13":
            raise KeyboardInterrupt
        return HOUR

    monkeypatch.setattr(budget, "estimate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        state(6.0, {})
    assert msgspec.json.decode((tmp_path / budget.FILE).read_bytes())
