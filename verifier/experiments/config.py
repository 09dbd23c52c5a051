"""What an experiment is to do: packaged defaults, changed by a TOML file and by the command line.

Unknown keys are errors that name the nearest known one, as in case files.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from verifier.errors import CaseError, InputError, nearest, one_line
from verifier.experiments.architectures import ARCHITECTURES
from verifier.experiments.data import NAMES
from verifier.experiments.record import Method
from verifier.model.activations import activation
from verifier.model.case import MAX_CASE_BYTES, convert
from verifier.model.files import read_regular

EXPERIMENTS: Final = ("tables", "depth150", "surface", "rand-vs-sgd")
"""What `verifier experiment NAME` knows, besides ``all`` of them."""
ACTIVATIONS: Final = ("sigmoid", "softplus(20)", "tanh", "gelu")
"""Activations that the PyTorch side has."""


class DataSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """[data]: the data set, the folder of its files, and how many samples of each part (default all)."""

    name: str = "digits"
    root: str | None = None
    train: int | None = None
    test: int | None = None


class NetworksSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """[networks]: which, with which activations, with and without skip units.

    ``skip_units`` is M (default N, the number of training samples; at most all hidden units); ``width`` is what the
    filters are multiplied by; ``gain`` what the initial hidden weights are.
    """

    architectures: list[str] = []
    activations: list[str] = msgspec.field(default_factory=lambda: ["sigmoid", "softplus(20)"])
    variants: list[Literal["skip", "plain"]] = msgspec.field(default_factory=lambda: ["skip", "plain"])
    skip_units: int | None = None
    width: float | None = None
    gain: dict[str, float] = msgspec.field(default_factory=lambda: {"sigmoid": 4.0})


class TrainingSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """[training]: SGD with Nesterov momentum; the rate is divided by ten at 50 % and 75 % of the epochs.

    ``rate`` is by activation; ``epochs_of`` replaces ``epochs`` for an architecture. ``checkpoint_seconds``: how much
    training a kill may cost.
    """

    epochs: int = 60
    epochs_of: dict[str, int] = msgspec.field(default_factory=lambda: {"densenet121": 20, "fc150": 80})
    batch: int = 64
    momentum: float = 0.9
    rate: dict[str, float] = msgspec.field(default_factory=lambda: {"sigmoid": 0.2, "softplus(20)": 0.02})
    default_rate: float = 0.05
    checkpoint_seconds: float = 20.0
    device: str = "auto"


class RandSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """[rand]: passes over the data that the solver for V may take, with and without whitening."""

    passes: int = 600


class CertifySection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """[certify]: what is proved at the weights of the end, and of the start.

    Certificates are written, and checked by the independent checker, for the first ``certificates`` seeds; ``starts``
    is for how many seeds the proof's path from the random start is made. ``max_bits`` bounds the precision of the rank
    proofs (53: binary64 alone). Above ``entries`` = N M only what passes over Psi give is proved.
    """

    enabled: bool = True
    target: str = "1e-6"
    max_bits: int = 53
    certificates: int = 1
    starts: int = 1
    entries: int = 25_000_000


class Configuration(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All of it."""

    data: DataSection = msgspec.field(default_factory=DataSection)
    networks: NetworksSection = msgspec.field(default_factory=NetworksSection)
    training: TrainingSection = msgspec.field(default_factory=TrainingSection)
    rand: RandSection = msgspec.field(default_factory=RandSection)
    certify: CertifySection = msgspec.field(default_factory=CertifySection)
    seeds: list[int] = msgspec.field(default_factory=lambda: [0, 1, 2])


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run: what is trained or solved, by which numbers. Equal jobs give equal results on one machine."""

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
    def name(self) -> str:
        """Name of its files."""
        act = self.activation.replace("(", "").replace(")", "")
        variant = "skip" if self.skip else "plain"
        few = "" if self.data.train is None else f"{self.data.train}"
        return f"{self.data.name}{few}-{self.architecture}-{act}-{variant}-{self.method}-seed{self.seed}"


TABLES: Final = ("cnn13", "vgg11", "vgg13", "vgg16", "densenet121", "fc2")
COMPARED: Final = ("fc2", "cnn13", "vgg11")
COMPARED_SEEDS: Final = 5
SURFACE_SAMPLES: Final = 100


def read_configuration(path: Path | None) -> Configuration:
    """The defaults, with the keys that a TOML file gives.

    Raises
    ------
    CaseError
        The file cannot be read, is not TOML, has an unknown key or an unusable value.
    """
    if path is None:
        return Configuration()
    try:
        document = tomllib.loads(read_regular(path, MAX_CASE_BYTES).decode("utf-8"))
    except FileNotFoundError:
        raise CaseError(f"no configuration {path}; `verifier experiment --defaults` prints one") from None
    except OSError as error:
        raise CaseError(f"cannot read {one_line(str(path))}: {error.strerror}; give a small TOML document") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise CaseError(f"{path}: not valid TOML: {error}") from None
    found: Configuration = convert(document, Configuration, str(path))
    validate(found, str(path))
    return found


def changed(
    configuration: Configuration, *, data: str | None = None, root: Path | None = None, seeds: int | None = None
) -> Configuration:
    """The configuration with what the command line says instead.

    Raises
    ------
    CaseError
        As `validate`.
    """
    section = configuration.data
    if data is not None:
        section = msgspec.structs.replace(section, name=data)
    if root is not None:
        section = msgspec.structs.replace(section, root=str(root))
    numbers = configuration.seeds if seeds is None else list(range(seeds))
    found = msgspec.structs.replace(configuration, data=section, seeds=numbers)
    validate(found, "experiment")
    return found


def validate(found: Configuration, where: str) -> None:
    """Refuse what no experiment can use.

    Raises
    ------
    CaseError
        One line that names the key, its value and the remedy.
    """
    for name in [*found.networks.architectures, *found.training.epochs_of]:
        if name not in ARCHITECTURES:
            raise CaseError(f"{where}: architecture {one_line(name)} is unknown; {nearest(name, ARCHITECTURES)}")
    for name in [*found.networks.activations, *found.networks.gain, *found.training.rate]:
        if name not in ACTIVATIONS and not name.startswith("softplus("):
            raise CaseError(f"{where}: activation {one_line(name)}: experiments have {', '.join(ACTIVATIONS)}")
        activation(name)
    if found.data.name not in NAMES:
        raise CaseError(f"{where}: data.name = {one_line(found.data.name)}; {nearest(found.data.name, NAMES)}")
    if not found.networks.activations or not found.networks.variants:
        raise CaseError(f"{where}: networks.activations and networks.variants must not be empty")
    if not found.seeds or len(set(found.seeds)) < len(found.seeds) or min(found.seeds) < 0:
        raise CaseError(f"{where}: seeds = {found.seeds} must be different integers of at least 0, at least one")
    if max(found.seeds) >= 2**31:
        raise CaseError(f"{where}: seeds = {found.seeds} must be below 2^31")
    training, certify = found.training, found.certify
    least = {
        "training.epochs": (training.epochs, 1),
        **{f"training.epochs_of.{name}": (count, 1) for name, count in training.epochs_of.items()},
        "training.batch": (training.batch, 1),
        "rand.passes": (found.rand.passes, 1),
        "certify.max_bits": (certify.max_bits, 53),
        "certify.certificates": (certify.certificates, 0),
        "certify.starts": (certify.starts, 0),
        "certify.entries": (certify.entries, 0),
        "networks.skip_units": (found.networks.skip_units or 1, 1),
        "data.train": (2 if found.data.train is None else found.data.train, 2),
        "data.test": (1 if found.data.test is None else found.data.test, 1),
    }
    for key, (value, low) in least.items():
        if value < low or value > 2**31:
            raise CaseError(f"{where}: {key} = {value} must be at least {low} and below 2^31")
    positive = {"training.default_rate": training.default_rate, "networks.width": found.networks.width or 1.0}
    positive |= {f"training.rate.{name}": rate for name, rate in training.rate.items()}
    positive |= {f"networks.gain.{name}": gain for name, gain in found.networks.gain.items()}
    for key, number in positive.items():
        if not (math.isfinite(number) and 0 < number <= 1000):
            raise CaseError(f"{where}: {key} = {number} must be above 0 and at most 1000")
    if not 0 <= training.momentum < 1:
        raise CaseError(f"{where}: training.momentum = {training.momentum} must be in [0, 1)")
    try:
        fine = 0 < float(certify.target) < math.inf
    except ValueError:
        fine = False
    if not fine:
        raise CaseError(f'{where}: certify.target = {one_line(certify.target)} must be a loss such as "1e-6"')


def jobs_of(name: str, configuration: Configuration) -> list[Job]:
    """The runs of an experiment; those that several experiments share are equal.

    Parameters
    ----------
    name : str
        One of `EXPERIMENTS`, or ``all``.

    Returns
    -------
    list of Job
        In the order of tables.

    Raises
    ------
    InputError
        Unknown name.
    """
    if name not in (*EXPERIMENTS, "all"):
        raise InputError(f"experiment {one_line(name)} is unknown; {nearest(name, [*EXPERIMENTS, 'all'])}")
    wanted = EXPERIMENTS if name == "all" else (name,)
    found: dict[str, Job] = {}
    for part in wanted:
        for job in _PLANS[part](configuration):
            found.setdefault(job.name, job)
    return list(found.values())


def _tables(configuration: Configuration) -> list[Job]:
    names = configuration.networks.architectures or TABLES
    return _grid("tables", configuration, names, configuration.seeds, rand=True)


def _depth150(configuration: Configuration) -> list[Job]:
    return _grid("depth150", configuration, ("fc150",), configuration.seeds, rand=False)


def _rand_vs_sgd(configuration: Configuration) -> list[Job]:
    seeds = list(configuration.seeds)
    while len(seeds) < COMPARED_SEEDS:
        seeds.append(max(seeds) + 1)
    names = configuration.networks.architectures or COMPARED
    found = []
    for job in _grid("rand-vs-sgd", configuration, names, seeds, rand=True):
        if job.skip:
            found.append(job)
            if job.method == "rand":
                found.append(msgspec.structs.replace(job, method="interpolation"))
    return found


def _surface(configuration: Configuration) -> list[Job]:
    """The network with two hidden layers on few images: the first activation, the first seed."""
    given = configuration.data.train
    data = msgspec.structs.replace(configuration.data, train=min(SURFACE_SAMPLES, given or SURFACE_SAMPLES))
    networks = msgspec.structs.replace(configuration.networks, activations=configuration.networks.activations[:1])
    small = msgspec.structs.replace(configuration, data=data, networks=networks)
    return _grid("surface", small, ("fc2",), configuration.seeds[:1], rand=False)


_PLANS: Final = {"tables": _tables, "depth150": _depth150, "surface": _surface, "rand-vs-sgd": _rand_vs_sgd}


def _grid(part: str, c: Configuration, names: Sequence[str], seeds: Sequence[int], *, rand: bool) -> list[Job]:
    jobs = []
    for architecture in names:
        for act in c.networks.activations:
            for seed in seeds:
                cells: list[tuple[bool, Method]] = [(v == "skip", "sgd") for v in c.networks.variants]
                if rand and "skip" in c.networks.variants:
                    cells.append((True, "rand"))
                for skip, method in cells:
                    jobs.append(
                        Job(
                            experiment=part, architecture=architecture, activation=act, skip=skip, method=method,
                            seed=seed, data=c.data, networks=c.networks, training=c.training, rand=c.rand,
                            certify=c.certify,
                        )
                    )  # fmt: skip
    return jobs
