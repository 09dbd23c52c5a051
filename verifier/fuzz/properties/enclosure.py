"""Properties of enclosures: both engines contain the 200-digit value, and all engines agree."""

from __future__ import annotations

import importlib

import mpmath
import numpy as np
from flint import arb
from hypothesis import strategies as st

from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.fuzz import oracle
from verifier.fuzz.graph_strategies import graph_specimens
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.properties.rank import any_specimens
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import specimens
from verifier.network.forward import approx_features
from verifier.network.network import Array
from verifier.verdict import Verdict

PRECISIONS = (64, 256)
RELATIVE_NOISE = mpmath.mpf(10) ** (60 - oracle.DIGITS)
PLAIN_ERROR = 1e-6
"""Plain floating point may differ from the enclosure by this multiple of the numbers involved, and cancel more."""
TAME = 1e4


def _one_sample() -> st.SearchStrategy[Specimen]:
    return specimens(max_layers=3) | graph_specimens()


@holds_for(_one_sample)
def enclosures_contain(specimen: Specimen) -> str:
    """Every entry of Psi at 200 digits lies in the enclosures of the binary64 engine and of Arb."""
    inputs = specimen.data.inputs
    if not _oracle_reaches(specimen):
        return "beyond 200 digits"
    psi = oracle.approx_features_to(specimen.network, specimen.u, inputs)
    for bits in PRECISIONS:
        rows = _balls(FeatureEnclosure(specimen.network, specimen.u, inputs, bits))
        for i, row in enumerate(rows):
            for j, ball in enumerate(row):
                if not _holds(ball, psi[i][j]):
                    raise Falsified(f"Psi[{i}][{j}] = {mpmath.nstr(psi[i][j], 30)} is not in {ball} (Arb, {bits} bits)")
    found = _float_rows(specimen)
    if found is None:
        return "Arb only"
    with mpmath.workdps(oracle.DIGITS):
        for i, (middle, radius) in enumerate(zip(*found, strict=True)):
            for j, (m, r) in enumerate(zip(middle.tolist(), radius.tolist(), strict=True)):
                away = abs(mpmath.mpf(m) - psi[i][j])
                if not away <= mpmath.mpf(r) + RELATIVE_NOISE * (1 + abs(psi[i][j])):
                    raise Falsified(f"Psi[{i}][{j}] = {mpmath.nstr(psi[i][j], 30)} is not within {r} of {m} (binary64)")
    return "both engines"


@holds_for(any_specimens)
def engines_agree(specimen: Specimen) -> str:
    """Plain floats, both engines, and the binary64 engine on the strict array API never contradict each other."""
    inputs = specimen.data.inputs
    balls = _balls(FeatureEnclosure(specimen.network, specimen.u, inputs, PRECISIONS[0]))
    found = _float_rows(specimen)
    plain = approx_features(specimen.network, specimen.u, inputs)
    verdicts = {engine: specimen.rank(engine=engine).verdict for engine in ("arb", "binary64")}
    if set(verdicts.values()) == {Verdict.PROVED, Verdict.REFUTED}:
        raise Falsified(f"the engines contradict each other: {verdicts}")
    if found is None:
        return "Arb only"
    for i, row in enumerate(balls):
        for j, ball in enumerate(row):
            other = arb(float(found[0][i, j]), float(found[1][i, j]))
            if not ball.overlaps(other):
                raise Falsified(f"Psi[{i}][{j}]: {ball} (Arb) and {other} (binary64) have no number in common")
    strict = _strict_backend()
    if strict is not None:
        again = _float_rows(specimen, strict)
        if again is None or not all(np.array_equal(a, b) for a, b in zip(found, again, strict=True)):
            raise Falsified("NumPy and the strict array API enclose differently")
    near = np.abs(plain - found[0]) <= found[1] + PLAIN_ERROR * (1 + np.abs(plain))
    if np.abs(specimen.u).max(initial=0.0) < TAME and np.abs(inputs).max() < TAME and not near.all():
        raise Falsified(f"plain floating point is off by {np.abs(plain - found[0]).max()!r}")
    return "NumPy and Arb" if strict is None else "NumPy, strict array API, Arb"


def _oracle_reaches(specimen: Specimen) -> bool:
    """Whether 200 digits hold what happens inside: no huge numbers that cancel."""
    sizes = [np.abs(specimen.u).max(initial=0.0), np.abs(specimen.data.inputs).max()]
    plain = approx_features(specimen.network, specimen.u, specimen.data.inputs)
    return bool(max(sizes) <= 2.0**100 and np.abs(plain).max() <= 2.0**100)


def _balls(features: FeatureEnclosure) -> list[list[arb]]:
    return [row for _, block in features.blocks() for row in block.tolist()]


def _float_rows(specimen: Specimen, backend: Backend | None = None) -> tuple[Array, Array] | None:
    """Midpoints and radii, ``(N, M)`` each; None where binary64 refuses."""
    features = FloatEnclosure(specimen.network, specimen.u, specimen.data.inputs, backend or numpy_backend())
    middles, radii = [], []
    try:
        for _, middle, radius in features.row_blocks():
            middles.append(np.asarray(middle))
            radii.append(np.broadcast_to(np.asarray(radius), middles[-1].shape))
    except NotEnclosed:
        return None
    return np.concatenate(middles), np.concatenate(radii)


def _strict_backend() -> Backend | None:
    """The strict array API, if the package that the tests use is installed."""
    try:
        return Backend(importlib.import_module("array_api_strict"), "array-api-strict")
    except ImportError:
        return None


def _holds(ball: arb, value: object) -> bool:
    """Whether the ball contains an mpmath number, up to the oracle's own error."""
    if not ball.is_finite():
        return True
    with mpmath.workdps(oracle.DIGITS):
        middle, radius = (_exact(part) for part in (ball.mid(), ball.rad()))
        return bool(abs(middle - value) <= radius + RELATIVE_NOISE * (1 + abs(value)))  # type: ignore[operator, arg-type]


def _exact(number: arb) -> object:
    mantissa, exponent = number.man_exp()
    return mpmath.ldexp(mpmath.mpf(int(mantissa)), int(exponent))
