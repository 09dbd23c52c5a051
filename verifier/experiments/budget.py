"""What each run will take, estimated before any begins by a short probe, and which runs fit into the hours given.

A probe trains a few batches, evaluates a few samples and passes over a few rows of Psi; a model of what a run does
with them, whose constants were measured, makes seconds of one core. Estimates are kept in the experiment's folder, so
that a run which goes on chooses as the first one did; where a run of another seed is finished, its time is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from verifier.certificate.files import atomic_write
from verifier.data.files.regular import read_regular
from verifier.experiments.groups import Condition
from verifier.experiments.plan import PlannedRun, Task
from verifier.experiments.record import Budget, Planned
from verifier.experiments.styles import STYLES
from verifier.options import at_most_threads

FILE: Final = "estimates.json"
MAX_BYTES: Final = 2**24
ROWS: Final = 512
"""Rows of Psi that a probe computes, at most."""
ORDER: Final = 384
"""Order of the matrices whose product is timed."""
PASSES: Final = 150
"""Passes over Psi that the solver for V takes, about, where its budget allows more."""
ENCLOSURES: Final = 15.0
"""All that is proved without dense algebra takes about so many times as long as computing Psi."""
SHALLOW: Final = 20
ARB_SECONDS: Final = 5e-5
"""Beyond so many layers Arb decides what binary64 does not; a hidden unit of a sample takes so long in all proofs."""
PRODUCTS: Final = 60.0
"""The rank's proof takes about so many products of N x M by M x N: most of them are of the middle rung."""
SECONDS: Final = 3600.0


def state_budget(
    tasks: Sequence[Task],
    finished: Mapping[str, float],
    hours: float,
    width: int,
    folder: Path,
    say: Callable[[str], None],
) -> Budget:
    """Estimate all runs that are not finished, and choose those that fit.

    Parameters
    ----------
    tasks : sequence of Task
        All runs of the experiment.
    finished : mapping of str to float
        Seconds of the runs that are finished, by their names: they count.
    hours : float
        That all runs together may take, side by side.
    width : int
        Runs at a time.
    folder : Path
        Keeps the estimates.
    say : callable
        Told what is being estimated.

    Returns
    -------
    Budget
        Runs are chosen part by part, and in a part seed by seed, so that a comparison has all of its conditions or
        none; a group of runs that does not fit is left out, and later ones that do are taken. The first group is taken
        in any case.
    """
    estimates = _estimates(tasks, finished, folder, say)
    left, chosen = SECONDS * hours * width, set[str]()
    for group in _in_turn(tasks):
        needed = sum(finished.get(task.name, estimates[task.name]) for task in group)
        done = all(task.name in finished for task in group)
        if needed <= left or done or not chosen:
            chosen.update(task.name for task in group)
            left -= needed
    planned = [
        Planned(name=task.name, words=words_of(task.job), seconds=estimates[task.name], chosen=task.name in chosen)
        for group in _in_turn(tasks)
        for task in group
    ]
    return Budget(hours=hours, width=width, runs=tuple(planned))


def words_of(job: PlannedRun) -> str:
    """A run in words: its data, network, condition and seed."""
    size = "" if job.data.train is None else f", N = {job.data.train}"
    plain: Condition = "skip" if job.skip else "plain"
    method: Condition = plain if job.method == "sgd" else job.method
    return f"{job.data.name}{size}: {job.architecture}, {job.activation}, {STYLES[method].name}, seed {job.seed}"


def _in_turn(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Runs that are compared with each other, in the order in which they are chosen."""
    parts: dict[bytes, int] = {}
    groups: dict[tuple[int, int, str, str], list[Task]] = {}
    seeds = list(dict.fromkeys(task.job.seed for task in tasks))
    for task in tasks:
        job = task.job
        part = parts.setdefault(msgspec.json.encode((job.experiment, job.data)), len(parts))
        groups.setdefault((part, seeds.index(job.seed), job.architecture, job.activation), []).append(task)
    yield from (groups[key] for key in sorted(groups, key=lambda key: key[:2]))


def _estimates(
    tasks: Sequence[Task], finished: Mapping[str, float], folder: Path, say: Callable[[str], None]
) -> dict[str, float]:
    """Seconds of each run by its name: as kept, or else by a probe; those of finished seeds where there are any."""
    kept, probes = _kept(folder), dict[bytes, Probe]()
    for task in tasks:
        if task.key not in kept:
            kind = msgspec.structs.replace(task.job, seed=0, method="sgd", experiment="")
            encoded = msgspec.json.encode(kind)
            if encoded not in probes:
                say(f"estimating {words_of(kind).rpartition(', ')[0]}")
                probes[encoded] = probe(task.job)
            kept[task.key] = estimate(task, probes[encoded])
            atomic_write(folder / FILE, msgspec.json.encode(kept))
    seen: dict[str, float] = {}
    for name, seconds in finished.items():
        seen[_without_seed(name)] = max(seconds, seen.get(_without_seed(name), 0.0))
    return {task.name: seen.get(_without_seed(task.name), kept[task.key]) for task in tasks}


def _without_seed(name: str) -> str:
    return name.rpartition("-seed")[0]


def _kept(folder: Path) -> dict[str, float]:
    """Estimates of an earlier run; what cannot be read is estimated anew."""
    try:
        return msgspec.json.decode(read_regular(folder / FILE, MAX_BYTES), type=dict[str, float])
    except (OSError, msgspec.DecodeError):
        return {}


@dataclass(frozen=True, slots=True)
class Probe:
    """Costs of a network, measured in CPU seconds, and sizes.

    A step of SGD, evaluating a sample, a row of Psi, a pass over Psi as the solver for V makes it, a multiply-add in a
    product of matrices; N, T, M, hidden units, layers.
    """

    step: float
    evaluation: float
    row: float
    passing: float
    multiplication: float
    samples: int
    tests: int
    columns: int
    hidden: int
    layers: int


@at_most_threads(1)
def probe(job: PlannedRun) -> Probe:
    """Measure what a run's network costs; nothing is written."""
    import torch

    from verifier.experiments.architectures import hidden_units
    from verifier.experiments.module import SkipNetwork
    from verifier.experiments.training import Samples, cpu_seconds, device_of, time_step
    from verifier.experiments.worker import network_of, split_of
    from verifier.network.forward import approx_features, rows_at_a_time

    torch.set_num_threads(1)
    split = split_of(job)
    network, _ = network_of(job, split)
    module = SkipNetwork(network, split.train.classes)
    module.initialise(job.seed, job.networks.gain.get(job.activation, 1.0))
    u, v = module.weights()
    some = split.train.inputs[: min(ROWS, rows_at_a_time(network))]
    block, square = np.ones((len(some), len(v))), np.ones((ORDER, ORDER))
    row = cpu_seconds(lambda: approx_features(network, u, some)) / len(some)
    passing = cpu_seconds(lambda: block.T @ (block @ v)) * split.train.samples / len(some)
    device = device_of(job.training.device)
    batch = Samples(split.train, device, job.training.batch)
    step, evaluation = time_step(module.to(device), batch, job.training, job.rate)
    return Probe(
        step=step, evaluation=evaluation, row=row, passing=passing,
        multiplication=cpu_seconds(lambda: square @ square) / ORDER**3,
        samples=split.train.samples, tests=split.test.samples, columns=len(v),
        hidden=hidden_units(network), layers=len(network.layers),
    )  # fmt: skip


def estimate(task: Task, of: Probe) -> float:
    """Seconds of one core that a run will take, about.

    Parameters
    ----------
    task : Task
        The run.
    of : Probe
        Of its network.

    Returns
    -------
    float
        No bound: other work on the machine, and how soon solvers end, are not known.
    """
    job, training, section = task.job, task.job.training, task.job.certify
    if job.method == "sgd":
        measured = 1 + math.ceil(job.epochs / training.measured)
        total = job.epochs * math.ceil(of.samples / training.batch) * of.step
        total += measured * (of.samples + of.tests) * of.evaluation
    else:
        total = (of.samples + of.tests) * of.row + min(PASSES, job.rand.passes) * of.passing
    if not section.enabled or job.method == "interpolation":
        return total
    evaluations, held = of.samples * of.hidden, of.samples * of.columns <= section.entries
    proof = ENCLOSURES * of.samples * of.row + PASSES * of.passing
    if of.samples <= of.columns and held:
        proof += PRODUCTS * of.samples**2 * of.columns * of.multiplication
    affordable = evaluations <= section.evaluations
    written = task.certificate and affordable and held
    long = ARB_SECONDS * evaluations if of.layers > SHALLOW and held else 0.0
    at_end = proof * (1 + written) + long * ((affordable or task.certificate) + written)
    return total + at_end + (proof + long * affordable) * task.start
