"""Runs in groups that differ by the seed and the method only, in one order whatever the order they came in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import msgspec

from verifier.errors import InputError
from verifier.experiments.record import Run

Condition = Literal["plain", "skip", "rand", "plain rand", "interpolation", "plain interpolation"]
"""SGD without and with skips; U as drawn and V by the cross-entropy, with skips and without; so with Psi V = onehot."""
CONDITIONS: Final[tuple[Condition, ...]] = get_args(Condition)

ARCHITECTURES: Final = ("cnn13", "vgg11", "vgg13", "vgg16", "densenet121", "fc150", "fc2")
"""The order of tables; others follow in alphabetical order."""
ACTIVATIONS: Final = ("sigmoid", "softplus(20)")


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """What runs share that are compared: data of one size, architecture, activation."""

    data: str
    samples: int
    tests: int
    architecture_place: int
    architecture: str
    activation_place: int
    activation: str
    experiment: str

    @property
    def words(self) -> str:
        """Name of the group in tables, such as ``vgg11, sigmoid``."""
        return f"{self.architecture}, {self.activation}"


@dataclass(frozen=True, slots=True, order=True)
class Pool:
    """Several groups of one data set and size that are judged together; ``networks`` counts them."""

    data: str
    samples: int
    tests: int
    experiment: str
    networks: int

    @property
    def words(self) -> str:
        """Name of the pool in tables."""
        return "all networks together"


def group_of(run: Run) -> Group:
    """The group of a run; groups sort by data, size, then the paper's order of architectures and activations."""
    return Group(
        data=run.data,
        samples=run.samples,
        tests=run.tests,
        architecture_place=_place(run.architecture, ARCHITECTURES),
        architecture=run.architecture,
        activation_place=_place(run.activation, ACTIVATIONS),
        activation=run.activation,
        experiment=run.experiment,
    )


def condition_of(run: Run) -> Condition:
    """Which column of the table a run belongs to."""
    if run.method == "rand":
        return "rand" if run.skip else "plain rand"
    if run.method == "interpolation":
        return "interpolation" if run.skip else "plain interpolation"
    return "skip" if run.skip else "plain"


def in_order(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Sort runs by group, condition and seed; equal ones by everything else."""
    return tuple(sorted(runs, key=_key))


def grouped(runs: Iterable[Run]) -> dict[Group, dict[Condition, dict[int, Run]]]:
    """Runs by group, condition and seed, each level in order.

    Raises
    ------
    InputError
        Two runs of one group, condition and seed: they are no two observations.
    """
    found: dict[Group, dict[Condition, dict[int, Run]]] = {}
    for run in in_order(runs):
        seeds = found.setdefault(group_of(run), {}).setdefault(condition_of(run), {})
        if run.seed in seeds:
            name = f"{run.data}, {group_of(run).words}, {condition_of(run)}, seed {run.seed}"
            raise InputError(f"runs: two of {name}; keep one, equal seeds are no two observations")
        seeds[run.seed] = run
    return found


def common_seeds(first: dict[int, Run], second: dict[int, Run]) -> tuple[int, ...]:
    """The seeds that both have, increasing."""
    return tuple(sorted(first.keys() & second.keys()))


def _key(run: Run) -> tuple[Group, int, int, bytes]:
    return group_of(run), CONDITIONS.index(condition_of(run)), run.seed, msgspec.json.encode(run)


def _place(name: str, known: Sequence[str]) -> int:
    return known.index(name) if name in known else len(known)
