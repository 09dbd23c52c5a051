"""The independent checker against the prover: one problem, proved, written and checked in turn."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from verifier.balls.binary64.backend import Backend
from verifier.bench.measured import Bench, BenchError, Clock, Sizes, times, wide_problem
from verifier.certificate.check_process import check_file
from verifier.data.arrays import dataset_from_arrays
from verifier.options import Options
from verifier.problem import Problem
from verifier.prove import prove
from verifier.rank.certify import Stage

CLASSES = 3


def measure_checking(found: Bench, backend: Backend, sizes: Sizes, stage: Stage) -> None:
    """Time a whole proof with its certificate, and the check of the certificate."""
    clock, (n, m), d = Clock(found, backend), sizes.checking, sizes.engine_inputs
    network, u, inputs = wide_problem(n, m, d)
    weights = np.random.default_rng(n).normal(size=(network.columns, CLASSES))
    problem = Problem(dataset_from_arrays(inputs, np.arange(n) % CLASSES), network, u, weights)
    size = times(n, m)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "certificate.json"
        for _ in range(sizes.repeats):
            stage(f"a proof and its certificate, {size}")
            clock.once(f"proved_{size}", lambda: prove(problem, Options(backend=backend)).write(file))
            stage(f"the check of the certificate, {size}")
            answer = clock.once(f"checked_{size}", lambda: check_file(file))
            if not answer.accepted:
                raise BenchError(f"bench: the certificate was not accepted ({answer.reason}); there is no time")
    found.ratios["check_vs_proof"] = found.best(f"checked_{size}") / found.best(f"proved_{size}")
    found.definitions["check_vs_proof"] = (
        f"Seconds until the independent checker, a process of its own, has accepted a certificate, divided by those to "
        f"prove all statements and to write it; N = {n}, M = {m}, {d} inputs, {CLASSES} classes."
    )
