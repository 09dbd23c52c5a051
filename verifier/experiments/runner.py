"""Runs an experiment: its runs side by side in worker processes, then tables, figures and the page.

A run that is finished is a row of the ledger; the same command goes on with what is missing, and a training that was
killed goes on from its checkpoint.
"""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from itertools import takewhile
from pathlib import Path
from typing import Final

import msgspec

from verifier.display import count
from verifier.errors import InputError, installing
from verifier.experiments.budget import SECONDS, state_budget
from verifier.experiments.config import Configuration
from verifier.experiments.data import files_of
from verifier.experiments.plan import PlannedRun, Task, jobs_of, surface_jobs
from verifier.experiments.record import Budget, Experiment, Kept, Run
from verifier.run.executors import DIED, ONE_AT_A_TIME, Workers, of_executor
from verifier.run.ledger import open_ledger, versions
from verifier.run.record import Failure, file_digest
from verifier.run.resumable import Resumable, Show
from verifier.run.toml import to_toml

PARTS: Final = ("weights", "certificates", "checkpoints")
"""Folders that an experiment fills besides ``figures``."""
COST: Final = {"densenet121": 6.0, "fc150": 3.0, "cnn13": 1.4, "fc2": 1.3}
"""Rough relative times: the longest runs begin first, so that no core waits for one at the end."""


def need_torch() -> None:
    """Raise an error with the remedy unless PyTorch can be imported.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise InputError(f"experiments need PyTorch (CPU builds suffice); {installing('torch')}") from None


def tasks_of(name: str, configuration: Configuration, folder: Path) -> list[Task]:
    """The runs of an experiment, with what is to be proved about each: more for the first seeds.

    Parameters
    ----------
    name : str
        As `jobs_of`.
    configuration : Configuration
        Validated.
    folder : Path
        Where everything goes.

    Returns
    -------
    list of Task
        In the order of tables.

    Raises
    ------
    InputError
        Unknown name.
    """
    section, seeds = configuration.certify, configuration.seeds
    certified, started = set(seeds[: section.certificates]), set(seeds[: section.starts])
    found = []
    for job in jobs_of(name, configuration):
        proved = section.enabled and job.skip and job.method == "sgd"
        found.append(Task(job, folder, proved and job.seed in certified, proved and job.seed in started))
    return found


def run_experiment(
    name: str,
    configuration: Configuration,
    folder: Path,
    *,
    workers: Workers | Executor | None,
    show: Show,
    fresh: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Experiment:
    """Do what is missing of an experiment and write its tables, figures and page.

    Parameters
    ----------
    name : str
        As `jobs_of`.
    configuration : Configuration
        Validated.
    folder : Path
        Where everything goes.
    workers : Workers, Executor or None
        Processes that see the folder, or any executor of such (threads take turns); None: this one alone.
    show : callable
        Told how many runs are done and which are under way.
    fresh : bool, optional
        Discard finished runs and checkpoints.
    say : callable, optional
        Told, before the first run begins, how many kept ones do not count, and the budget, if there is one.

    Returns
    -------
    Experiment

    Raises
    ------
    InputError
        PyTorch, the device, the data's files or room to write are missing, data cannot be used, a worker died, another
        run is at work in the folder.
    """
    need_torch()
    from verifier.experiments.results import write_results
    from verifier.experiments.surface import surface_figure
    from verifier.experiments.worker import perform

    begun = time.perf_counter()
    tasks = tasks_of(name, configuration, folder)
    _check(configuration, folder)
    with open_ledger(folder, None, fresh=fresh) as ledger:
        if fresh:
            _discard(tasks)
        work = Resumable[Task, Kept](tasks, ledger)
        work.take_over(Kept, usable)
        done = ledger.done()
        names = set(done.values())
        if again := sum(task.name in names and task.key not in done for task in work.remaining):
            say(f"To be made again: {count(again, 'run')} of other sources, versions, data or settings.")
        budget = _budget(configuration, work, tasks, workers, folder, say)
        left = _in_turn(work.remaining, budget)
        spent = sum(kept.run.seconds for kept in work.records.values()) / width_of(workers)
        inside = _within(budget, time.perf_counter() - spent)
        show(len(work.records), [])
        if workers is None:
            for task in takewhile(inside, left):
                ledger.begin(task.key, task.name)
                _keep(work, task, perform(task, told=_telling(task, len(work.records), show)))
        else:
            work.elsewhere(
                workers if isinstance(workers, Workers) else of_executor(workers),
                left,
                function=_perform,
                payload=lambda task: task,
                take=lambda task, kept: _keep(work, task, kept),
                show=show,
                go_on=inside,
            )
        show(len(work.records), [])
    runs = {task.name: work.records[task.key].run for task in tasks if task.key in work.records}
    drawn = [job for job in surface_jobs(name, configuration) if job.name in runs]
    extra = (surface_figure(drawn, [runs[job.name] for job in drawn], folder),) if drawn else ()
    experiment = Experiment(
        name=name,
        configuration=configuration_toml(configuration),
        versions=_versions(),
        machine=f"{platform.machine()}, {os.cpu_count()} cores; {_device(configuration)}",
        runs=tuple(_named(runs[task.name], task.job, name) for task in tasks if task.name in runs),
        seconds=time.perf_counter() - begun,
        budget=_with_finished(budget, runs),
    )
    write_results(folder, experiment, extra)
    return experiment


def width_of(workers: Workers | Executor | None) -> int:
    """Runs at a time."""
    if workers is None:
        return 1
    return workers.width if isinstance(workers, Workers) else of_executor(workers).width


def _budget(
    configuration: Configuration,
    work: Resumable[Task, Kept],
    tasks: Sequence[Task],
    workers: Workers | Executor | None,
    folder: Path,
    say: Callable[[str], None],
) -> Budget | None:
    """State the budget, if there is one, before any run begins."""
    hours = configuration.budget.hours
    if hours is None:
        return None
    finished = {task.name: work.records[task.key].run.seconds for task in tasks if task.key in work.records}
    found = state_budget(tasks, finished, hours, width_of(workers), folder, say)
    say(found.words)
    return found


def _in_turn(tasks: Sequence[Task], budget: Budget | None) -> list[Task]:
    """The longest runs first; under a budget those that it has, in its order: the hours may be over too soon."""
    if budget is None:
        return sorted(tasks, key=_cost, reverse=True)
    places = {planned.name: place for place, planned in enumerate(budget.runs) if planned.chosen}
    return sorted((task for task in tasks if task.name in places), key=lambda task: places[task.name])


def _within(budget: Budget | None, begun: float) -> Callable[[Task], bool]:
    """Whether a run may begin: its hours, which begin when the budget was stated, are not over."""
    end = math.inf if budget is None else begun + SECONDS * budget.hours
    return lambda task: time.perf_counter() < end


def _with_finished(budget: Budget | None, runs: Mapping[str, Run]) -> Budget | None:
    """The budget as it was stated, with which of its runs are finished now."""
    if budget is None:
        return None
    told = (msgspec.structs.replace(planned, finished=planned.name in runs) for planned in budget.runs)
    return msgspec.structs.replace(budget, runs=tuple(told))


def usable(task: Task, kept: Kept) -> bool:
    """Whether a record has all that is wanted of its run, and its files are what they were."""
    tried = (kept.tried_certificate or not task.certificate) and (kept.tried_start or not task.start)
    return tried and all(file_digest(task.folder / name) == digest for name, digest in kept.sha256.items())


def _check(configuration: Configuration, folder: Path) -> None:
    """Refuse at once what would fail later, before anything is written or discarded."""
    section = configuration.data
    files_of(section.name, None if section.root is None else Path(section.root))
    _device(configuration)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot write to {folder}: {error.strerror or error}; choose another folder with --out"
        ) from None


def _telling(task: Task, done: int, show: Show) -> Callable[[str], None]:
    return lambda words: show(done, [f"{task.name}: {words}"])


def _perform(task: Task) -> Kept:
    """Do a run in a worker process, which tells nobody of its progress."""
    from verifier.experiments.worker import perform

    with ONE_AT_A_TIME:
        return perform(task, told=lambda words: None)


def _keep(work: Resumable[Task, Kept], task: Task, kept: Kept | Failure) -> None:
    """Keep a record; only then the checkpoint is not needed any more."""
    if isinstance(kept, Failure):
        if kept.message != DIED:
            raise RuntimeError(f"{task.name}: {kept.message}")
        raise InputError(
            f"a worker died ({task.name} was running): out of memory? finished runs are kept; use --jobs 1 or less data"
        )
    work.finished(task, kept)
    (task.folder / "checkpoints" / f"{task.name}.safetensors").unlink(missing_ok=True)


def _named(run: Run, job: PlannedRun, name: str) -> Run:
    """Runs of one experiment are compared with each other; the few images of ``surface`` with nothing."""
    return msgspec.structs.replace(run, experiment="surface" if job.experiment == "surface" else name)


def _cost(task: Task) -> float:
    job = task.job
    return COST.get(job.architecture, 1.0) * (job.epochs if job.method == "sgd" else 1.0)


def _discard(tasks: Sequence[Task]) -> None:
    for task in tasks:
        for part in PARTS:
            for ending in (".json", ".safetensors"):
                (task.folder / part / f"{task.name}{ending}").unlink(missing_ok=True)


def configuration_toml(configuration: Configuration) -> str:
    """The configuration as TOML; what is not set, which TOML cannot say, is left out."""
    sections = {
        key: {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        for key, value in msgspec.to_builtins(configuration).items()
    }
    return to_toml(sections)


def _versions() -> dict[str, str]:
    import torch

    return {**versions(), "torch": str(torch.__version__)}


def _device(configuration: Configuration) -> str:
    from verifier.experiments.training import device_of

    return f"trained on {device_of(configuration.training.device)}"
