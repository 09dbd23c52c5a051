"""What is measured, and the record of it: every repetition, ratios with their definitions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np

from verifier import __version__
from verifier.balls.binary64.backend import Backend
from verifier.balls.binary64.canary import canary
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.products import Signature
from verifier.errors import VerifierError
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Array, Network
from verifier.sigma.activations import activation
from verifier.verdict import Verdict

LONG = 8.0
"""Seconds after which a measurement is not repeated."""

UNSTEADY = 2.0
"""Repetitions that differ more are worth a warning."""

BUSY = 0.5
"""A larger load for each processor, before anything is measured, is worth a warning."""

T = TypeVar("T")


class BenchError(VerifierError):
    """A measurement that proves nothing would compare nothing."""


@dataclass(frozen=True, slots=True)
class NodeSizes:
    """Of the networks whose enclosure is compared with a plain forward pass, kind by kind of node."""

    samples: int = 2048
    tokens: int = 16
    width: int = 64
    heads: int = 4
    pixels: int = 28
    filters: int = 8


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is measured; ``(N, M)`` are samples and skip units, d input coordinates; ``deep`` is N = M and the layers.

    The last of ``gram`` is the one that is compared; all of them give the growth.
    """

    gram: tuple[tuple[int, int], ...] = ((750, 1125), (1500, 2250), (3000, 4500))
    gram_inputs: int = 784
    engines: tuple[int, int] = (1000, 1250)
    engine_inputs: int = 64
    nodes: NodeSizes = NodeSizes()
    deep: tuple[int, int] = (300, 8)
    joining: tuple[int, int] = (300, 400)
    checking: tuple[int, int] = (300, 360)
    svd: tuple[int, int] = (200, 400)
    svd_inputs: int = 64
    small_svd: tuple[tuple[int, int], ...] = ((40, 80), (50, 100))
    memory: tuple[int, ...] = (3000, 20_000, 60_000)
    repeats: int = 3


@dataclass(slots=True)
class Bench:
    """What was measured; `as_json` is the document.

    ``seconds`` holds every repetition of every measurement; ``parts`` and ``limits`` further ratios, without the
    canary or the enclosure, and against the bound that arithmetic sets.
    """

    device: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    path: dict[str, Any] = field(default_factory=dict)
    memory: list[dict[str, int]] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    total_seconds: float = 0.0

    def best(self, name: str) -> float:
        """The shortest repetition, in seconds."""
        return min(self.seconds[name])

    @property
    def spread(self) -> float:
        """Largest quotient of two repetitions of one measurement that takes more than a tenth of a second."""
        return max((max(v) / min(v) for v in self.seconds.values() if min(v) > 0.1), default=1.0)

    @property
    def load(self) -> float:
        """Processes that were waiting or running, per processor, when the measurements began; 0 if not known."""
        before = self.machine.get("load_before")
        return 0.0 if before is None else float(before) / int(self.machine["cpus"])

    @property
    def busy(self) -> str:
        """What says that other work ran on the machine while it was measured, in one line; empty if nothing does."""
        signs = []
        if self.spread > UNSTEADY:
            signs.append(f"repetitions differ up to {self.spread:.1f} times")
        if self.load > BUSY:
            signs.append(f"the load before was {self.load:.1f} for each processor")
        return " and ".join(signs)


def as_json(found: Bench) -> dict[str, Any]:
    """The measurements as one JSON document of finite numbers.

    Parameters
    ----------
    found : Bench
        The measurements.

    Returns
    -------
    dict
        The document.
    """
    return {"version": __version__, **asdict(found), "spread": found.spread, "busy": found.busy}


class Clock:
    """Times work on a device, which it waits for, into the record."""

    def __init__(self, found: Bench, backend: Backend) -> None:
        self.found, self.backend = found, backend

    def wait(self) -> None:
        """Wait for the device: what comes back was computed last."""
        self.backend.numpy(self.backend.asarray(np.zeros(1)))

    def once(self, name: str, work: Callable[[], T]) -> T:
        """Time one run and record it."""
        self.wait()
        started = time.perf_counter()
        result = work()
        self.wait()
        self.found.seconds.setdefault(name, []).append(time.perf_counter() - started)
        return result

    def best(self, name: str, work: Callable[[], T], repeats: int) -> T:
        """Time ``repeats`` runs, fewer if they are long."""
        result = self.once(name, work)
        for _ in range(1, repeats):
            if sum(self.found.seconds[name]) > LONG:
                break
            result = self.once(name, work)
        return result


def wide_problem(n: int, m: int, d: int) -> tuple[Network, Array, Array]:
    """One hidden layer of m tanh units with Gaussian weights, and n samples of d random multiples of 1/256."""
    network = Network((d,), (Dense(m, activation("tanh"), skip=True),))
    inputs = np.random.default_rng([n, m, d]).integers(0, 256, (n, d)) / 256.0
    return network, initialise(network, fan_in=True, seed=n), inputs


def proved(found: T | str | None, what: str) -> T:
    """Return what was proved, or refuse to name a time for it.

    Raises
    ------
    BenchError
        It was not: then there is no time.
    """
    if found is None or isinstance(found, str) or getattr(found, "verdict", Verdict.PROVED) is not Verdict.PROVED:
        reason = found if isinstance(found, str) else getattr(found, "reason", "the residual is too large")
        raise BenchError(f"bench: {what} was not proved ({reason}); there is no time")
    return found


def enclosed(features: FloatEnclosure) -> FloatEnclosure:
    """Return the enclosure, with all of its rows computed."""
    for _ in features.row_blocks():
        pass
    return features


def trusted(backend: Backend, shapes: frozenset[Signature]) -> None:
    """Raise an error unless the canary finds all bounds of products kept.

    Raises
    ------
    BenchError
        It does not.
    """
    report = canary(backend, shapes)
    if not report.passed:
        raise BenchError(f"bench: {report.describe()}")


def times(n: int, m: int) -> str:
    """A size in the name of a measurement."""
    return f"{n}x{m}"


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """The exponent of growth: least-squares slope of log seconds over log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
