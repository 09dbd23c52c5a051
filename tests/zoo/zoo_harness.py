"""One model of the zoo from end to end: the user's three lines, timed, and what is compared with its framework."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray
from oracle_graph import node_values
from planted import mp
from zoo_specimens import Specimen

import verifier as vf
from verifier.network.forward import approx_features

STATEMENTS = ("rank", "zero_loss", "path", "generic", "T3.4(2)")
"""The verdicts that every model is asked for; "generic" is full rank at almost every U, T3.4(2) no bad local valley."""
MORE = ("A", "S")
"""What else the page shows: by the architecture alone; a path from these weights whatever the activations are."""
TOLERANCE = 1e-11
"""Of features and logits against the framework's float64, relative to the largest."""
DIGITS = 30
"""Of the oracle's numbers."""


@dataclass(frozen=True)
class Outcome:
    """What came out: sizes, verdicts, and CPU seconds of the conversion, the proof, the check and a forward pass."""

    parameters: int
    features: int
    samples: int
    verdicts: dict[str, str]
    reasons: dict[str, str]
    """Of the verdicts that are not PROVED."""
    more: dict[str, str]
    conversion: float
    proof: float
    check: float
    forward: float


def spent() -> float:
    """CPU seconds of this process and of those that it waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def examined(specimen: Specimen, folder: Path) -> Outcome:
    """Convert, compare, prove, write, check; an `AssertionError` where something differs."""
    X, y = specimen.data(specimen.samples)
    model = specimen.model(folder)
    stages: list[float] = []
    began = spent()
    report = vf.verify(X, y, model, stage=lambda _: stages.append(spent()))
    proved = spent()
    file = report.write(folder / "certificate.json")
    written = spent()
    checked = vf.check(file)
    done = spent()
    assert checked.accepted, checked.reason
    assert not report.left_out, report.left_out
    compare(specimen, model, X, report)
    network = report.network
    return Outcome(
        network.parameter_count,
        network.columns - network.output_bias,
        len(X),
        {name: str(report.verdict(name)) for name in STATEMENTS},
        {name: _reason(report, name) for name in STATEMENTS if report.verdict(name) is not vf.Verdict.PROVED},
        {name: next(step.shown for step in report.theorem.steps if step.label == name) for name in MORE},
        stages[0] - began,
        proved - stages[0],
        done - written,
        specimen.forward(model, X),
    )


def _reason(report: vf.Report, name: str) -> str:
    """What a report says of a verdict."""
    label = "L3.2 genericity" if name == "generic" else name
    found = {step.key: step.reason for step in report.steps}
    found |= {step.label: step.reason for step in report.theorem.steps}
    return found["W0"] if found[label].startswith("rests on W0") else found[label]


def compare(specimen: Specimen, model: Any, X: NDArray[Any], found: vf.Report | vf.Imported) -> None:
    """The network is the model: features and logits of all samples, and of one in many digits by another programme."""
    features, logits = specimen.reference(model, X)
    assert np.ptp(logits) > 1e-6  # not constant
    network, u, v = found.network, found.u, found.v
    flat = X.reshape(len(X), -1).astype(float)
    psi = approx_features(network, u, flat)
    expected = np.column_stack([features, np.ones(len(X))]) if network.output_bias else features
    wanted = np.column_stack([0 * logits, logits]) if logits.shape[1] < v.shape[1] else logits  # one logit
    near(psi, expected)
    near(psi @ v, wanted)
    with mpmath.workdps(DIGITS):
        values = node_values(network, u, flat[0])
        row = [z for feature in network.features for z in _entries(values[feature.node], feature.entries)]
        near(np.array([[float(z) for z in row]]), expected[:1])
        ours = [sum(z * mp(w) for z, w in zip(row, column, strict=True)) for column in v.T]
        near(np.array([[float(z) for z in ours]]), wanted[:1])
        ((_, balls),) = list(vf.FeatureEnclosure(network, u, flat[:1], 128).blocks())
        for j, z in enumerate(row):
            assert holds(balls[0, j], z)


def _entries(values: Any, entries: tuple[int, ...] | None) -> list[Any]:
    flat = list(values.ravel())
    return flat if entries is None else [flat[j] for j in entries]


def holds(ball: Any, value: Any) -> bool:
    """Whether a ball of 128 bits holds a number that is known to `DIGITS` digits."""
    slack = mpmath.mpf(10) ** (3 - DIGITS) * (1 + abs(value))
    return abs(mpmath.mpf(ball.mid().str(50, radius=False)) - value) <= mpmath.mpf(float(ball.rad())) + slack


def near(found: NDArray[Any], expected: NDArray[Any]) -> None:
    """Equal up to `TOLERANCE`, relative to the largest entry."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()
