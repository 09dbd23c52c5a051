"""Runs an experiment: its runs side by side in worker processes, then tables, figures and the page.

A run that is finished is a file; the same command goes on with what is missing, and a training that was killed goes on
from its checkpoint.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import tomli_w

from verifier.errors import InputError, VerifierError, installing
from verifier.experiments.config import Configuration
from verifier.experiments.data import files_of
from verifier.experiments.plan import PlannedRun, jobs_of
from verifier.experiments.record import Experiment, Run

if TYPE_CHECKING:
    from verifier.run.executors import Workers

PARTS: Final = ("runs", "weights", "certificates", "checkpoints")
"""Folders that an experiment fills besides ``figures``."""

Show = Callable[[int, Sequence[str]], None]
"""Told how many runs are done, and which run."""
COST: Final = {"densenet121": 6.0, "fc150": 3.0, "cnn13": 1.4, "fc2": 1.3}
"""Rough relative times: the longest runs begin first, so that no core waits for one at the end."""


@dataclass(frozen=True, slots=True)
class Task:
    """A job, and whether a certificate and the start's path are wanted."""

    job: PlannedRun
    folder: Path
    certificate: bool
    start: bool


def need_torch() -> None:
    """Import PyTorch.

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
    """The runs of an experiment, with what is to be proved about each: more for the first seeds."""
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
    workers: Workers | None,
    show: Show,
    fresh: bool = False,
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
    workers : Workers or None
        Processes; None: this one alone.
    show : callable
        Told how many runs are done and which are under way.
    fresh : bool, optional
        Discard finished runs and checkpoints.

    Returns
    -------
    Experiment

    Raises
    ------
    InputError
        PyTorch, the device, the data's files or room to write are missing, data cannot be used, a worker died.
    """
    need_torch()
    from verifier.experiments.results import write_results
    from verifier.experiments.surface import surface_figure
    from verifier.experiments.worker import finished

    begun = time.perf_counter()
    tasks = tasks_of(name, configuration, folder)
    _check(configuration, folder)
    if fresh:
        _discard(tasks)
    runs: dict[str, Run] = {}
    for task in tasks:
        found = None if fresh else finished(task.job, folder, task.certificate, task.start)
        if found is not None:
            runs[task.job.name] = found
    left = sorted((task for task in tasks if task.job.name not in runs), key=_cost, reverse=True)
    show(len(runs), [])
    if workers is None:
        _here(left, runs, show)
    elif left:
        _apart(left, runs, workers, show)
    drawn = jobs_of("surface", configuration) if name in ("surface", "all") else []
    extra = (surface_figure(drawn, [runs[job.name] for job in drawn], folder),) if drawn else ()
    ordered = tuple(_named(runs[task.job.name], task.job, name) for task in tasks)
    experiment = Experiment(
        name=name,
        configuration=configuration_toml(configuration),
        versions=_versions(),
        machine=f"{platform.machine()}, {os.cpu_count()} cores; {_device(configuration)}",
        runs=ordered,
        seconds=time.perf_counter() - begun,
    )
    write_results(folder, experiment, extra)
    return experiment


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


def _here(tasks: Sequence[Task], runs: dict[str, Run], show: Show) -> None:
    from verifier.experiments.worker import perform

    for task in tasks:
        name = task.job.name

        def told(words: str, name: str = name) -> None:
            show(len(runs), [f"{name}: {words}"])

        runs[name] = perform(task.job, task.folder, certificate=task.certificate, start=task.start, told=told)
    show(len(runs), [])


def _apart(tasks: Sequence[Task], runs: dict[str, Run], workers: Workers, show: Show) -> None:
    executor, waiting = workers.make(), list(tasks)
    running: dict[Future[Run], str] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers.width:
                task = waiting.pop(0)
                running[executor.submit(_perform, task)] = task.job.name
            show(len(runs), list(running.values()))
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                runs[running[future]] = future.result()
                del running[future]
    except BrokenExecutor:
        names = ", ".join(running.values())
        raise InputError(
            f"a worker died ({names} were running): out of memory? finished runs are kept; use --jobs 1 or less data"
        ) from None
    except VerifierError:
        for future in running:
            future.cancel()
        raise
    show(len(runs), [])


def _perform(task: Task) -> Run:
    """What a worker process does."""
    from verifier.experiments.worker import perform

    return perform(task.job, task.folder, certificate=task.certificate, start=task.start, told=lambda words: None)


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
                (task.folder / part / f"{task.job.name}{ending}").unlink(missing_ok=True)


def configuration_toml(configuration: Configuration) -> str:
    """The configuration as TOML; what is not set, which TOML cannot say, is left out."""
    sections = {
        key: {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        for key, value in msgspec.to_builtins(configuration).items()
    }
    return tomli_w.dumps(sections)


def _versions() -> dict[str, str]:
    import torch

    from verifier.run.ledger import versions

    return {**versions(), "torch": str(torch.__version__)}


def _device(configuration: Configuration) -> str:
    from verifier.experiments.training import device_of

    return f"trained on {device_of(configuration.training.device)}"
