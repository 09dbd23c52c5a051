"""The fast engine against Arb, certified singular values against mpmath, and the path of a case."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import mpmath

from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure, Progress
from verifier.bench.gram import GramProof
from verifier.bench.measured import Bench, BenchError, Clock, Sizes, enclosed, exponent, proved, times, wide_problem
from verifier.landscape.straight_path import prove_path
from verifier.landscape.targets import DEFAULT_TARGETS
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.rank.approx import approx_inverse64
from verifier.rank.approx import float_witness as _float_witness
from verifier.rank.certify import Stage
from verifier.rank.float_inverse import certify_inverse64
from verifier.rank.right_inverse import certify_right_inverse
from verifier.rank.singular_values import singular_values
from verifier.run.case import Case
from verifier.run.case_problem import case_problem
from verifier.run.runner import packaged_cases
from verifier.verdict import Verdict

ARB_BITS = 64
"""Precision of the Arb engine that binary64 is compared with."""

DIGITS = 50
"""Decimal digits of each singular value."""

MPMATH_DIGITS = 60
"""Working precision of mpmath: the digits and room for its rounding errors."""


def measure_engines(found: Bench, backend: Backend, sizes: Sizes, stage: Stage) -> None:
    """Time the enclosure and the proof of rank N in binary64 and in Arb."""
    clock, (n, m), d = Clock(found, backend), sizes.engines, sizes.engine_inputs
    size = times(n, m)
    stage(f"R2 in binary64, {n} x {m}")
    problem = GramProof.of(clock, n, m, d)
    problem.run(f"fast_r2_{size}")

    def inverse() -> None:
        features = FloatEnclosure(problem.network, problem.u, problem.inputs, backend)
        x = approx_inverse64(features.approx())
        if x is None:
            raise BenchError("bench: no right inverse in binary64")
        proved(certify_inverse64(features, x), f"R1 at {n} x {m}")

    stage(f"R1 in binary64, {n} x {m}")
    clock.best(f"fast_r1_{size}", inverse, sizes.repeats)
    progress = stage(f"Arb engine, {n} x {m}")
    clock.once(f"arb_{size}", lambda: _arb(problem, progress))
    for _ in range(1, sizes.repeats):
        problem.run(f"fast_r2_{size}")
    ours, other = found.best(f"fast_r2_{size}"), found.best(f"arb_{size}")
    found.ratios["fast_vs_arb"] = ours / other
    found.parts["fast_r1_vs_arb"] = found.best(f"fast_r1_{size}") / other
    found.definitions["fast_vs_arb"] = (
        f"Seconds to enclose Psi and prove rank N by R2 in binary64, canaries included, divided by those to enclose it "
        f"in Arb at {ARB_BITS} bits and certify a right inverse (R1); N = {n}, M = {m}, {d} inputs."
    )


def _arb(problem: GramProof, progress: Progress) -> None:
    """The Arb engine: enclosure, witness from plain floating point, exact residual."""
    features = FeatureEnclosure(problem.network, problem.u, problem.inputs, ARB_BITS)
    for _ in features.blocks(progress):
        pass
    witness = proved(_float_witness(features.approx(), None, ARB_BITS), "R1 in Arb")
    proved(certify_right_inverse(features, witness, progress), "R1 in Arb")


def measure_singular_values(found: Bench, sizes: Sizes, full: bool, stage: Stage) -> None:
    """Time all singular values with proof, and without proof by mpmath."""
    clock, (n, m), d = Clock(found, numpy_backend()), sizes.svd, sizes.svd_inputs
    small = sizes.svd if full else sizes.small_svd[-1]
    measured = [*(shape for shape in sizes.small_svd if shape != small), small]
    network, u, inputs = wide_problem(n, m, d)

    def ours() -> None:
        features = FeatureEnclosure(network, u, inputs, ARB_BITS)
        result = singular_values(features, DIGITS, stage=stage)
        if result.verdict is not Verdict.PROVED:
            raise BenchError(f"bench: R4 was not proved ({result.reason}); there is no time")

    stage(f"R4 at {n} x {m}")
    clock.best(f"svd{DIGITS}_{times(n, m)}", ours, min(2, sizes.repeats))
    for rows, columns in measured:
        stage(f"mpmath at {rows} x {columns}")
        other = FeatureEnclosure(*wide_problem(rows, columns, d), ARB_BITS).approx()
        with mpmath.workdps(MPMATH_DIGITS):
            matrix = mpmath.matrix(other.tolist())
            work = _svd_of(matrix)
            clock.best(f"mpmath_{times(rows, columns)}", work, 1 if rows * columns > 1000 else sizes.repeats)
    rows, columns = small
    scale = (n / rows) ** 2 * (m / columns)
    other_seconds = found.best(f"mpmath_{times(rows, columns)}") * scale
    found.ratios[f"svd{DIGITS}_vs_mpmath"] = found.best(f"svd{DIGITS}_{times(n, m)}") / other_seconds
    if len(measured) > 1:
        found.growth["mpmath_exponent"] = exponent(
            [rows for rows, _ in measured], [found.best(f"mpmath_{times(*shape)}") for shape in measured]
        )
    how = f"measured at {n} x {m}"
    if scale != 1.0:
        how = f"measured at {rows} x {columns} and scaled by N^2 M, not measured at {n} x {m}"
    found.definitions[f"svd{DIGITS}_vs_mpmath"] = (
        f"Seconds to enclose all singular values of a {n} x {m} Psi to {DIGITS} digits with proof, the enclosure of "
        f"Psi included, divided by those of mpmath.svd_r at {MPMATH_DIGITS} digits without proof and without vectors, "
        f"{how}."
    )


def _svd_of(matrix: Any) -> Callable[[], Any]:
    return lambda: mpmath.svd_r(matrix, compute_uv=False)


def measure_path(found: Bench, backend: Backend, case: Case | None, repeats: int, stage: Stage) -> None:
    """Time the output weights with certified margins and the path of a case."""
    chosen = case or next(c for c in packaged_cases("main") if c.name == "digits-wide")
    stage(f"path of {chosen.name}")
    problem, clock = case_problem(chosen), Clock(found, backend)
    data, labels = problem.rows, problem.rows.labels
    if labels is None:
        raise BenchError(f"bench: {chosen.name} has no labels")
    counts = [int(c) for c in data.multiplicities]
    for _ in range(repeats):
        features = clock.once(
            "path_enclosure", lambda: enclosed(FloatEnclosure(problem.network, problem.u, data.inputs, backend))
        )
        zero = clock.once("path_zero_loss", partial(prove_zero_loss, features, labels, data.classes))
        result = clock.once(
            "path_path",
            partial(prove_path, zero, ExactArray.of_floats(problem.v), labels, counts, targets=DEFAULT_TARGETS),
        )
        if result.verdict is not Verdict.PROVED:
            raise BenchError(f"bench: the path of {chosen.name} was not proved ({result.reason})")
    pieces = {key: found.best(f"path_{key}") for key in ("enclosure", "zero_loss", "path")}
    found.path = {
        "case": chosen.name,
        "samples": data.samples,
        "units": problem.network.skip_count,
        **{f"{key}_seconds": value for key, value in pieces.items()},
        "seconds": pieces["zero_loss"] + pieces["path"],
    }
    found.definitions["path"] = (
        "seconds: output weights with certified margins (Z1) and the path to zero loss (P1), given Psi's enclosure."
    )
