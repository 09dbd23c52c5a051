"""Runs with planted numbers: what is said about them can be computed by hand."""

from __future__ import annotations

import math
from typing import Any

from verifier.experiments.record import Certified, Epoch, Experiment, Finding, PathPoint, Run


def epoch(number: int = 0, train_errors: int = 900, test_errors: int = 90, distance: float = 0.0) -> Epoch:
    """A point of the training."""
    return Epoch(
        epoch=number,
        rate=0.1,
        train_loss=2.3 * math.exp(-0.4 * number),
        train_errors=train_errors,
        test_loss=2.3 * math.exp(-0.1 * number),
        test_errors=test_errors,
        distance=distance,
        distance_u=0.6 * distance,
        distance_v=0.8 * distance,
    )


def certified(zero: str = "PROVED", low: int = 0, high: int = 0, **change: Any) -> Certified:
    """Findings of a run with all of the verdicts."""
    findings = {
        "rank": Finding(label="R1", verdict="PROVED", reason="sigma_N >= 1.2e-3, ||I - Psi X||_2 <= 0.01"),
        "generic": Finding(label="W0", verdict="PROVED", reason="analytic, and of full rank at an explicit U"),
        "threshold": Finding(label="L2.1", verdict="UNDECIDED", reason="Phi = 0.02 is not below log(2)/n"),
        "zero_loss": Finding(label="Z1", verdict=zero, reason="margins of at least 0.5"),
        "path": Finding(label="P1", verdict="PROVED", reason="strictly decreasing to loss 1e-6"),
    }
    given: dict[str, Any] = {
        "findings": findings,
        "errors_low": low,
        "errors_high": high,
        "loss_low": 0.019876,
        "loss_high": 0.020123,
        "sigma_lower": 1.2e-3,
        "gamma_lower": 0.5,
        "ray_from": 31.5,
        "engine": "binary64",
        "certificate": "certificates/run.json",
        "check": "ACCEPTED",
        "seconds": 3.0,
    }
    return Certified(**(given | change))


def run(
    *, test_errors: int = 10, train_errors: int = 0, seed: int = 0, epochs: tuple[Epoch, ...] = (), **change: Any
) -> Run:
    """One run; 1000 training and 100 test samples, so that errors are per mille and percent."""
    given: dict[str, Any] = {
        "experiment": "tables",
        "data": "digits",
        "architecture": "vgg11",
        "activation": "sigmoid",
        "skip": True,
        "method": "sgd",
        "seed": seed,
        "samples": 1000,
        "tests": 100,
        "classes": 10,
        "hidden": 5000,
        "skip_units": 1000,
        "parameters": 123_456,
        "epochs": epochs or (epoch(), epoch(10, train_errors, test_errors, 4.0)),
        "test_majority": 12,
        "seconds": 12.5,
    }
    return Run(**(given | change))


def family(condition: str, test: tuple[int, ...], train: tuple[int, ...] = (), **change: Any) -> list[Run]:
    """Runs of one condition: the test errors of seeds 0, 1, ..., and the training errors, default 0."""
    about: dict[str, Any] = {
        "plain": {"skip": False},
        "skip": {},
        "rand": {"method": "rand", "certified": certified()},
        "interpolation": {"method": "interpolation", "certified": certified(high=1000), "note": "least-norm"},
    }[condition]
    errors = train or (0,) * len(test)
    return [
        run(test_errors=wrong, train_errors=fit, seed=seed, **(about | change))
        for seed, (wrong, fit) in enumerate(zip(test, errors, strict=True))
    ]


def curve(skip: bool, seed: int, count: int = 6) -> tuple[Epoch, ...]:
    """Epochs 0..count-1, the errors falling with skips only."""
    return tuple(
        epoch(k, round(900 * math.exp(-k)) + seed if skip else 900, 90 - 10 * k if skip else 90, 1.5 * math.sqrt(k))
        for k in range(count)
    )


PATH = tuple(
    PathPoint(time=time, distance=10.0 * time, low=2.29 * 10.0**-drop, high=2.3105 * 10.0**-drop)
    for time, drop in ((0.0, 0), (0.5, 0.3), (1.0, 1), (4.0, 3), (9.0, 7))
)


def experiment(runs: list[Run], **change: Any) -> Experiment:
    """The results of runs."""
    given: dict[str, Any] = {
        "name": "tables",
        "configuration": 'data = "digits"\nseeds = [0, 1, 2]\n',
        "versions": {"verifier": "0.8.0", "numpy": "2.4.6", "torch": "2.13.0"},
        "machine": "2 cores",
        "runs": tuple(runs),
        "seconds": 1234.5,
    }
    return Experiment(**(given | change))


def everything() -> list[Run]:
    """Runs that every claim and every figure has something to say about."""
    trained = family("skip", (9, 10, 11), certified=certified(), path=PATH)
    deep = {"architecture": "fc150", "hidden": 1500, "skip_units": 1000}
    return [
        *trained,
        *family("plain", (88, 88, 89), (890, 890, 895)),
        *family("rand", (15, 17, 16)),
        *family("interpolation", (25, 31, 28)),
        *family("skip", (5, 6), activation="softplus(20)"),
        *family("plain", (7, 6), activation="softplus(20)"),
        *family("rand", (12,), activation="softplus(20)"),
        *[run(seed=s, skip=skip, epochs=curve(skip, s), **deep) for skip in (True, False) for s in range(3)],
    ]
