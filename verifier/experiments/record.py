"""What a run leaves: numbers per epoch, the end, and what was certified there. Everything is plain JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

from verifier.display import count

Method = Literal["sgd", "rand", "interpolation"]
"""SGD on all weights; U as drawn and V by minimising the cross-entropy; U as drawn and ``Psi V = onehot`` solved."""


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """The network after so many epochs (0: as drawn), in floating point.

    Losses are mean cross-entropies; errors are numbers of samples. ``distance`` is the Euclidean distance of (U, V)
    from the start, ``distance_u`` and ``distance_v`` those of its parts.
    """

    epoch: int
    rate: float
    train_loss: float
    train_errors: int
    test_loss: float
    test_errors: int
    distance: float
    distance_u: float
    distance_v: float


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of the verifier at a point: its label in the theory, verdict and reason."""

    label: str
    verdict: str
    reason: str


class Certified(msgspec.Struct, frozen=True, kw_only=True):
    """What is proved at the weights of the end, about the exact real network.

    ``errors_low <= misclassified training samples <= errors_high`` and ``loss_low <= Phi <= loss_high`` are proved at
    the V found by the method (None: no enclosure). ``findings`` has ``rank``, ``threshold`` (L2.1), ``zero_loss`` (Z1:
    some V has training error zero at this U) and ``path`` (to loss 1e-6). ``ray_from`` is the time from which on the
    path is below 1e-6. ``check`` is the independent checker's answer about the certificate, "" if there is none.
    """

    findings: dict[str, Finding]
    errors_low: int
    errors_high: int
    loss_low: float | None
    loss_high: float | None
    sigma_lower: float
    gamma_lower: float
    ray_from: float | None
    engine: str
    certificate: str = ""
    check: str = ""
    seconds: float = 0.0

    def verdict(self, key: str) -> str:
        """The verdict of one of the findings, "" if there is none."""
        return self.findings[key].verdict if key in self.findings else ""


class PathPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the path that the proof gives: its time, its distance from the start, and its loss, enclosed."""

    time: float
    distance: float
    low: float
    high: float


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One training run: a network, a method, a seed, and what was measured.

    ``samples`` is N, ``tests`` the number of test samples, ``test_majority`` that of those in their largest class (0:
    not known), ``hidden`` the number of hidden units, ``skip_units`` M (with ``skip`` false those of the last hidden
    layer), ``parameters`` p. ``path`` is the proof's path from the network as drawn, empty if none was asked for or
    certified. ``note`` says what went otherwise than planned.
    """

    experiment: str
    data: str
    architecture: str
    activation: str
    skip: bool
    method: Method
    seed: int
    samples: int
    tests: int
    classes: int
    hidden: int
    skip_units: int
    parameters: int
    epochs: tuple[Epoch, ...]
    certified: Certified | None = None
    certified_start: Certified | None = None
    path: tuple[PathPoint, ...] = ()
    seconds: float = 0.0
    note: str = ""
    test_majority: int = 0

    @property
    def last(self) -> Epoch:
        """The record of the epoch with which the run ended."""
        return self.epochs[-1]

    @property
    def train_error(self) -> float:
        """Share of the training samples that the end misclassifies, in floating point."""
        return self.last.train_errors / self.samples

    @property
    def test_error(self) -> float:
        """Share of the test samples that the end misclassifies, in floating point."""
        return self.last.test_errors / self.tests


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the ledger: its record, and the files that belong to it.

    ``sha256`` has the digests of its weights and its certificate by their path in the experiment's folder.
    ``tried_certificate`` and ``tried_start`` say what was asked for, whether or not it could be proved.
    """

    run: Run
    tried_certificate: bool
    tried_start: bool
    sha256: dict[str, str]


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it was planned, its estimated seconds of one core, whether the budget has it and it is finished."""

    name: str
    words: str
    seconds: float
    chosen: bool
    finished: bool = False


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What was stated before the first run: hours for ``width`` runs at a time, and all runs in the order of choice.

    The estimates are no bounds. No run begins when the hours are over, so that a chosen one may be missing as well.
    """

    hours: float
    width: int
    runs: tuple[Planned, ...]

    @property
    def chosen(self) -> frozenset[str]:
        """The names of the runs that fit."""
        return frozenset(run.name for run in self.runs if run.chosen)

    @property
    def missing(self) -> tuple[Planned, ...]:
        """The runs that are not finished."""
        return tuple(run for run in self.runs if not run.finished)

    @property
    def words(self) -> str:
        """The budget in one sentence; the first runs that are compared, and finished ones, may take more than it."""
        chosen = [run for run in self.runs if run.chosen]
        needed, whole = (sum(run.seconds for run in runs) / 3600 / self.width for runs in (chosen, self.runs))
        more = ", more than the budget" if needed > 1.01 * self.hours else ""
        return (
            f"Budget: {self.hours:g} h with {count(self.width, 'run')} at a time. Estimated: {whole:.2g} h for all"
            f" {count(len(self.runs), 'run')}; {len(chosen)} of them are chosen, {needed:.2g} h{more}."
        )


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """results.json: the configuration as it was used, versions, all finished runs, and the budget, if there was one."""

    name: str
    configuration: str
    versions: dict[str, str]
    machine: str
    runs: tuple[Run, ...]
    seconds: float
    budget: Budget | None = None
