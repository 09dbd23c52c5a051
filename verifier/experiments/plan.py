"""The runs of each experiment: which networks, activations, variants, methods and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec

from verifier.errors import InputError, nearest, one_line
from verifier.experiments.config import (
    PARTS,
    PRESETS,
    CertifySection,
    Configuration,
    DataSection,
    NetworksSection,
    RandSection,
    TrainingSection,
    parts_of,
)
from verifier.experiments.record import Method

EXPERIMENTS: Final = ("tables", "depth150", "surface", "rand-vs-sgd")
"""What `verifier experiment NAME` knows, besides ``all`` of them, `PRESETS` and `PARTS`, which consist of these."""
TABLES: Final = ("cnn13", "vgg11", "vgg13", "vgg16", "densenet121", "fc2")
COMPARED: Final = ("fc2", "cnn13", "vgg11")
COMPARED_SEEDS: Final = 5
SURFACE_SAMPLES: Final = 100


class PlannedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run: what is trained or solved, by which numbers. Equal plans give equal results on one machine."""

    experiment: str
    architecture: str
    activation: str
    skip: bool
    method: Method
    seed: int
    data: DataSection
    networks: NetworksSection
    training: TrainingSection
    rand: RandSection
    certify: CertifySection

    @property
    def epochs(self) -> int:
        """Number of training epochs of this run's architecture."""
        return self.training.epochs_of.get(self.architecture, self.training.epochs)

    @property
    def rate(self) -> float:
        """Learning rate of the first epochs."""
        return self.training.rate.get(self.activation, self.training.default_rate)

    @property
    def name(self) -> str:
        """Name of the run's files, unique within an experiment."""
        act = self.activation.replace("(", "").replace(")", "")
        variant = "skip" if self.skip else "plain"
        few = "" if self.data.train is None else f"{self.data.train}"
        return f"{self.data.name}{few}-{self.architecture}-{act}-{variant}-{self.method}-seed{self.seed}"


@dataclass(frozen=True)
class Task:
    """A run, the folder that it is to be left in, and whether a certificate and proofs about the start are wanted."""

    job: PlannedRun
    folder: Path
    certificate: bool
    start: bool

    @property
    def name(self) -> str:
        """Name of the run's files."""
        return self.job.name

    @cached_property
    def key(self) -> str:
        """Digest of everything that the run's numbers depend on; it needs PyTorch and the data's files."""
        from verifier.experiments.worker import run_key

        return run_key(self.job)


def jobs_of(name: str, configuration: Configuration) -> list[PlannedRun]:
    """The runs of an experiment; those that several experiments share are equal.

    Parameters
    ----------
    name : str
        One of `EXPERIMENTS`, or ``all``, or one in parts (`parts_of`).

    Returns
    -------
    list of PlannedRun
        In the order of tables.

    Raises
    ------
    InputError
        Unknown name; two parts whose runs would have the same name and differ.
    """
    known = (*EXPERIMENTS, "all", *PRESETS, PARTS)
    if name not in known:
        raise InputError(f"experiment {one_line(name)} is unknown; {nearest(name, known)}")
    found: dict[str, PlannedRun] = {}
    for part, configured in parts_of(name, configuration):
        for job in _jobs_of_part(part, configured):
            before = found.setdefault(job.name, job)
            if msgspec.structs.replace(before, experiment=job.experiment) != job:
                raise InputError(f"two parts have a run {job.name}, with different settings; let one of them differ")
    return list(found.values())


def surface_jobs(name: str, configuration: Configuration) -> list[PlannedRun]:
    """The runs whose loss surfaces are drawn: those of the first part that has any."""
    parts = (configured for part, configured in parts_of(name, configuration) if part in ("surface", "all"))
    return next(map(_surface, parts), [])


def _jobs_of_part(name: str, configuration: Configuration) -> list[PlannedRun]:
    if name not in (*EXPERIMENTS, "all"):
        raise InputError(f"experiment {one_line(name)} is unknown; {nearest(name, [*EXPERIMENTS, 'all'])}")
    wanted = EXPERIMENTS if name == "all" else (name,)
    if name == "rand-vs-sgd":  # by itself it has the time for more seeds
        configuration = msgspec.structs.replace(configuration, seeds=_more(configuration.seeds))
    found: dict[str, PlannedRun] = {}
    for part in wanted:
        for job in _PLANS[part](configuration):
            found.setdefault(job.name, job)
    return list(found.values())


def _tables(configuration: Configuration) -> list[PlannedRun]:
    names = configuration.networks.architectures or TABLES
    return _grid("tables", configuration, names, configuration.seeds, rand=True)


def _depth150(configuration: Configuration) -> list[PlannedRun]:
    return _grid("depth150", configuration, ("fc150",), configuration.seeds, rand=False)


def _rand_vs_sgd(configuration: Configuration) -> list[PlannedRun]:
    names = configuration.networks.architectures or COMPARED
    found = []
    for job in _grid("rand-vs-sgd", configuration, names, configuration.seeds, rand=True):
        if job.skip:
            found.append(job)
            if job.method == "rand":
                found.append(msgspec.structs.replace(job, method="interpolation"))
    return found


def _more(seeds: Sequence[int]) -> list[int]:
    found = list(seeds)
    while len(found) < COMPARED_SEEDS:
        found.append(max(found) + 1)
    return found


def _surface(configuration: Configuration) -> list[PlannedRun]:
    """The network with two hidden layers on few images: the first activation, the first seed."""
    given = configuration.data.train
    data = msgspec.structs.replace(configuration.data, train=min(SURFACE_SAMPLES, given or SURFACE_SAMPLES))
    networks = msgspec.structs.replace(configuration.networks, activations=configuration.networks.activations[:1])
    small = msgspec.structs.replace(configuration, data=data, networks=networks)
    return _grid("surface", small, ("fc2",), configuration.seeds[:1], rand=False)


_PLANS: Final = {"tables": _tables, "depth150": _depth150, "surface": _surface, "rand-vs-sgd": _rand_vs_sgd}


def _grid(part: str, c: Configuration, names: Sequence[str], seeds: Sequence[int], *, rand: bool) -> list[PlannedRun]:
    jobs = []
    for architecture in names:
        for act in c.networks.activations:
            for seed in seeds:
                cells: list[tuple[bool, Method]] = [(v == "skip", "sgd") for v in c.networks.variants]
                if rand and "skip" in c.networks.variants:
                    cells.append((True, "rand"))
                for skip, method in cells:
                    jobs.append(
                        PlannedRun(
                            experiment=part, architecture=architecture, activation=act, skip=skip, method=method,
                            seed=seed, data=c.data, networks=c.networks, training=c.training, rand=c.rand,
                            certify=c.certify,
                        )
                    )  # fmt: skip
    return jobs
