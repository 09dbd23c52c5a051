"""What an experiment is to do: packaged defaults, changed by a TOML file and by the command line.

Unknown keys are errors that name the nearest known one, as in case files.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from verifier.data.files.regular import read_regular
from verifier.errors import CaseError, InputError, nearest, one_line
from verifier.experiments.architectures import ARCHITECTURES, WIDEST
from verifier.experiments.data import NAMES
from verifier.landscape.targets import decimal_below
from verifier.run.case import MAX_CASE_BYTES
from verifier.run.structs import convert
from verifier.sigma.activations import activation

ACTIVATIONS: Final = ("sigmoid", "softplus(20)", "tanh", "gelu")
"""Activations that the PyTorch side has, and softplus with any other gamma."""
PRESETS: Final = ("digits", "mnist")
"""Experiments in parts whose configurations come with the package, in ``presets``."""
PARTS: Final = "parts"
"""The experiment whose parts are those of a configuration of one's own."""
MOST: Final = 2**31
LARGEST: Final = 1000
"""Bounds of counts; of rates, gains and hours."""


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

    ``rate`` is by activation; ``epochs_of`` replaces ``epochs`` for an architecture. Losses and errors are measured
    every ``measured`` epochs and at the end. ``checkpoint_seconds``: how much training a kill may cost.
    """

    epochs: int = 60
    epochs_of: dict[str, int] = msgspec.field(default_factory=lambda: {"densenet121": 20, "fc150": 80})
    batch: int = 64
    measured: int = 1
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

    Certificates are written, and checked by the independent checker, for SGD with skips and the first ``certificates``
    seeds; ``starts`` is for how many seeds the proof's path from the random start is made. ``max_bits`` bounds the
    precision of the rank proofs (53: binary64 alone; from 106 on double-double is tried) and ``rank_seconds`` what a
    step of them beyond binary64 is estimated to take. Above ``entries`` = N M only what passes over Psi give is proved.
    Where binary64 does not decide margins, as in deep networks, Arb does if hidden units times samples are at most
    ``evaluations``; where a certificate is wanted in any case.
    """

    enabled: bool = True
    target: str = "1e-6"
    max_bits: int = 106
    rank_seconds: float = 60.0
    certificates: int = 1
    starts: int = 1
    entries: int = 25_000_000
    evaluations: int = 2_600_000


class BudgetSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """[budget]: hours that all runs together may take, side by side; runs that do not fit are left out and listed."""

    hours: float | None = None


class Configuration(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Configuration of one experiment, section by section.

    Each of ``parts`` names an ``experiment`` and what differs from the sections here, such as the size of a subset.
    """

    data: DataSection = msgspec.field(default_factory=DataSection)
    networks: NetworksSection = msgspec.field(default_factory=NetworksSection)
    training: TrainingSection = msgspec.field(default_factory=TrainingSection)
    rand: RandSection = msgspec.field(default_factory=RandSection)
    certify: CertifySection = msgspec.field(default_factory=CertifySection)
    budget: BudgetSection = msgspec.field(default_factory=BudgetSection)
    parts: list[dict[str, Any]] = []
    seeds: list[int] = msgspec.field(default_factory=lambda: [0, 1, 2])


def read_configuration(path: Path | None) -> Configuration:
    """The defaults, with the keys that a TOML file gives.

    Parameters
    ----------
    path : Path or None
        The file; None: the defaults alone.

    Returns
    -------
    Configuration

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
        raise CaseError(f"no configuration {path}; `verifier experiment tables --defaults` prints one") from None
    except OSError as error:
        raise CaseError(f"cannot read {one_line(str(path))}: {error.strerror}; give a small TOML document") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise CaseError(f"{path}: not valid TOML: {error}") from None
    found: Configuration = convert(document, Configuration, str(path))
    validate(found, str(path))
    return found


def preset(name: str) -> Path:
    """The file of one of `PRESETS`."""
    return Path(str(resources.files("verifier.experiments") / "presets" / f"{name}.toml"))


def parts_of(name: str, configuration: Configuration, where: str = "experiment") -> list[tuple[str, Configuration]]:
    """The experiments that an experiment consists of, each with its configuration.

    Parameters
    ----------
    name : str
        One of `PRESETS`, or `PARTS`: those of ``configuration.parts``; any other is an experiment by itself.
    configuration : Configuration
        What the parts have in common.
    where : str, optional
        Where it is from, for messages.

    Returns
    -------
    list of (str, Configuration)
        In order; a key that a part gives replaces that of the configuration.

    Raises
    ------
    CaseError
        There are no parts, or they are not what ``name`` runs; a part names no experiment, or has an unusable key.
    """
    if name not in (*PRESETS, PARTS):
        if configuration.parts:
            raise CaseError(f"{where}: it has [[parts]], which `verifier experiment {PARTS} --config FILE` runs")
        return [(name, configuration)]
    if not configuration.parts:
        raise CaseError(f"{where}: {name} needs [[parts]]; `verifier experiment mnist --defaults` prints an example")
    common = msgspec.to_builtins(msgspec.structs.replace(configuration, parts=[]))
    return [_part(index, part, common, where) for index, part in enumerate(configuration.parts)]


def _part(index: int, part: dict[str, Any], common: dict[str, Any], where: str) -> tuple[str, Configuration]:
    place, given = f"{where}: parts[{index}]", dict(part)
    name = given.pop("experiment", None)
    if not isinstance(name, str) or name in (*PRESETS, PARTS):
        raise CaseError(f'{place}: experiment = {one_line(name)}; name what the part runs, such as "tables"')
    if "parts" in given or "budget" in given:
        raise CaseError(f"{place}: parts and budget belong to the whole experiment; give them once, outside")
    merged = {
        key: {**common[key], **value} if isinstance(value, dict) and key in common else value
        for key, value in given.items()
    }
    found: Configuration = convert({**common, **merged}, Configuration, place)
    validate(found, place)
    return name, found


def changed(
    configuration: Configuration,
    *,
    data: str | None = None,
    root: Path | None = None,
    seeds: int | None = None,
    hours: float | None = None,
) -> Configuration:
    """The configuration with what the command line says instead.

    Parameters
    ----------
    configuration : Configuration
        The defaults, or what a file says.
    data : str, optional
        The data set.
    root : Path, optional
        The folder of its files.
    seeds : int, optional
        So many seeds, 0, 1, ...
    hours : float, optional
        The budget of all runs together.

    Returns
    -------
    Configuration

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
    budget = configuration.budget if hours is None else BudgetSection(hours=hours)
    found = msgspec.structs.replace(configuration, data=section, seeds=numbers, budget=budget)
    validate(found, "experiment")
    return found


def validate(found: Configuration, where: str) -> None:
    """Refuse what no experiment can use.

    Raises
    ------
    CaseError
        One line that names the key, its value and the remedy.
    """
    try:
        _names(found)
        _seeds(found.seeds)
        for key, (whole, low) in _whole_numbers(found).items():
            if whole is not None and not low <= whole < MOST:
                raise InputError(f"{key} = {whole} must be at least {low} and below 2^31")
        for key, (number, high) in _positive_numbers(found).items():
            if number is not None and not (math.isfinite(number) and 0 < number <= high):
                raise InputError(f"{key} = {number} must be above 0 and at most {high}")
        _remaining(found)
    except InputError as error:
        raise CaseError(f"{where}: {error}") from None
    if found.parts:
        parts_of(PARTS, found, where)


def _names(found: Configuration) -> None:
    """Refuse names of data, architectures, activations and devices that experiments do not have."""
    networks, training = found.networks, found.training
    if found.data.name not in NAMES:
        raise InputError(f"data.name = {one_line(found.data.name)} is unknown; {nearest(found.data.name, NAMES)}")
    for name in [*networks.architectures, *training.epochs_of]:
        if name not in ARCHITECTURES:
            raise InputError(f"architecture {one_line(name)} is unknown; {nearest(name, ARCHITECTURES)}")
    if not networks.activations or not networks.variants:
        raise InputError("networks.activations and networks.variants must not be empty")
    for name in [*networks.activations, *networks.gain, *training.rate]:
        if name not in ACTIVATIONS and not name.startswith("softplus("):
            raise InputError(f"activation {one_line(name)}: experiments have {', '.join(ACTIVATIONS)}")
        activation(name)
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", training.device):
        raise InputError(f"training.device = {one_line(training.device)}: use auto, cpu, cuda or cuda:0")


def _seeds(seeds: Sequence[int]) -> None:
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0 or max(seeds) >= MOST:
        shown = one_line(seeds)
        raise InputError(f"seeds = {shown} must be different integers of at least 0 and below 2^31, at least one")


def _whole_numbers(found: Configuration) -> dict[str, tuple[int | None, int]]:
    """Counts and their least values; None is the default."""
    training, certify = found.training, found.certify
    return {
        "data.train": (found.data.train, 2),
        "data.test": (found.data.test, 1),
        "networks.skip_units": (found.networks.skip_units, 1),
        "training.epochs": (training.epochs, 1),
        **{f"training.epochs_of.{name}": (count, 1) for name, count in training.epochs_of.items()},
        "training.batch": (training.batch, 1),
        "training.measured": (training.measured, 1),
        "rand.passes": (found.rand.passes, 1),
        "certify.max_bits": (certify.max_bits, 53),
        "certify.certificates": (certify.certificates, 0),
        "certify.starts": (certify.starts, 0),
        "certify.entries": (certify.entries, 0),
        "certify.evaluations": (certify.evaluations, 0),
    }


def _positive_numbers(found: Configuration) -> dict[str, tuple[float | None, float]]:
    """Factors and their greatest values; None is the default."""
    networks, training = found.networks, found.training
    return {
        "networks.width": (networks.width, WIDEST),
        "budget.hours": (found.budget.hours, LARGEST),
        **{f"networks.gain.{name}": (gain, LARGEST) for name, gain in networks.gain.items()},
        "training.default_rate": (training.default_rate, LARGEST),
        "certify.rank_seconds": (found.certify.rank_seconds, MOST),
        **{f"training.rate.{name}": (rate, LARGEST) for name, rate in training.rate.items()},
    }


def _remaining(found: Configuration) -> None:
    training, target = found.training, found.certify.target
    if not 0 <= training.momentum < 1:
        raise InputError(f"training.momentum = {training.momentum} must be in [0, 1)")
    if not 0 <= training.checkpoint_seconds < math.inf:
        raise InputError(f"training.checkpoint_seconds = {training.checkpoint_seconds} must be at least 0 and finite")
    try:
        decimal_below(target)
    except ValueError as error:
        raise InputError(f'certify.target: {one_line(str(error))}; give a loss such as "1e-6"') from None
