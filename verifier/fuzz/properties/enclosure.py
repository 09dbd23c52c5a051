"""Properties of enclosures: all engines contain the 200-digit value, and they agree."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import mpmath
import numpy as np
from flint import arb
from hypothesis import strategies as st

from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.row_enclosure import RowEnclosure
from verifier.balls.double_double.enclosure import DoubleDoubleEnclosure
from verifier.balls.double_double.pair import Pair
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.fuzz import oracle
from verifier.fuzz.graph_strategies import graph_specimens
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.properties.rank import any_specimens
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import specimens
from verifier.network.forward import approx_features
from verifier.network.network import Array
from verifier.verdict import Verdict

Rows = tuple[list[Array], Array]

PRECISIONS = (64, 256)
FLOAT_ENGINES: dict[str, type[RowEnclosure]] = {"binary64": FloatEnclosure, "double-double": DoubleDoubleEnclosure}
RELATIVE_NOISE = mpmath.mpf(10) ** (60 - oracle.DIGITS)
PLAIN_ERROR = 1e-6
"""Plain floating point may differ from the enclosure by this multiple of the numbers involved, and cancel more."""
TAME = 1e4


def _one_sample() -> st.SearchStrategy[Specimen]:
    return specimens(max_layers=3) | graph_specimens()


@holds_for(_one_sample)
def enclosures_contain(specimen: Specimen) -> str:
    """Every entry of Psi at 200 digits lies in the enclosures in binary64, in double-double and by Arb."""
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
    found = {name: _float_rows(specimen, engine=engine) for name, engine in FLOAT_ENGINES.items()}
    with mpmath.workdps(oracle.DIGITS):
        for name, enclosed in found.items():
            for (i, j), middle, radius in _entries(enclosed):
                away = abs(sum(map(mpmath.mpf, middle)) - psi[i][j])
                if not away <= mpmath.mpf(radius) + RELATIVE_NOISE * (1 + abs(psi[i][j])):
                    value = mpmath.nstr(psi[i][j], 40)
                    raise Falsified(f"Psi[{i}][{j}] = {value} is not within {radius} of {middle} ({name})")
    return "all engines" if all(found.values()) else "Arb only" if not any(found.values()) else "some engines"


@holds_for(any_specimens)
def engines_agree(specimen: Specimen) -> str:
    """Plain floats, all engines, and those on arrays on the strict array API never contradict each other."""
    inputs = specimen.data.inputs
    balls = _balls(FeatureEnclosure(specimen.network, specimen.u, inputs, PRECISIONS[0]))
    plain = approx_features(specimen.network, specimen.u, inputs)
    verdicts = {engine: specimen.rank(engine=engine).verdict for engine in ("arb", "binary64")}
    if set(verdicts.values()) == {Verdict.PROVED, Verdict.REFUTED}:
        raise Falsified(f"the engines contradict each other: {verdicts}")
    strict = _strict_backend()
    found = {name: _float_rows(specimen, engine=engine) for name, engine in FLOAT_ENGINES.items()}
    for name, rows in found.items():
        for (i, j), middle, radius in _entries(rows):
            with working_precision(4 * PRECISIONS[0]):
                other = sum(map(arb, middle), arb(0)) + arb(0, radius)
                if not balls[i][j].overlaps(other):
                    raise Falsified(f"Psi[{i}][{j}]: {balls[i][j]} (Arb) and {other} ({name}) have no number in common")
        again = None if strict is None else _float_rows(specimen, strict, FLOAT_ENGINES[name])
        if strict is not None and not _alike(rows, again):
            raise Falsified(f"NumPy and the strict array API enclose differently ({name})")
    if found["binary64"] is None:
        return "Arb only"
    (middles,), radii = found["binary64"]
    near = np.abs(plain - middles) <= radii + PLAIN_ERROR * (1 + np.abs(plain))
    if np.abs(specimen.u).max(initial=0.0) < TAME and np.abs(inputs).max() < TAME and not near.all():
        raise Falsified(f"plain floating point is off by {np.abs(plain - middles).max()!r}")
    return "NumPy and Arb" if strict is None else "NumPy, strict array API, Arb"


def _oracle_reaches(specimen: Specimen) -> bool:
    """Whether 200 digits hold what happens inside: no huge numbers that cancel."""
    sizes = [np.abs(specimen.u).max(initial=0.0), np.abs(specimen.data.inputs).max()]
    plain = approx_features(specimen.network, specimen.u, specimen.data.inputs)
    return bool(max(sizes) <= 2.0**100 and np.abs(plain).max() <= 2.0**100)


def _balls(features: FeatureEnclosure) -> list[list[arb]]:
    return [row for _, block in features.blocks() for row in block.tolist()]


def _float_rows(
    specimen: Specimen, backend: Backend | None = None, engine: type[RowEnclosure] = FloatEnclosure
) -> Rows | None:
    """The parts of the midpoints and the radii, ``(N, M)`` each; None where the engine refuses."""
    features = engine(specimen.network, specimen.u, specimen.data.inputs, backend or numpy_backend())
    parts, radii = [], []
    try:
        for _, middle, radius in features.row_blocks():
            parts.append([np.asarray(part) for part in (middle if isinstance(middle, Pair) else (middle,))])
            radii.append(np.broadcast_to(np.asarray(radius), parts[-1][0].shape))
    except NotEnclosed:
        return None
    return [np.concatenate(part) for part in zip(*parts, strict=True)], np.concatenate(radii)


def _entries(rows: Rows | None) -> Iterator[tuple[tuple[int, ...], list[float], float]]:
    """Place, parts of the midpoint, and radius of every entry."""
    if rows is not None:
        for place in np.ndindex(rows[1].shape):
            yield place, [float(part[place]) for part in rows[0]], float(rows[1][place])


def _alike(a: Rows | None, b: Rows | None) -> bool:
    """Whether two enclosures are the same numbers, or none."""
    if a is None or b is None:
        return a is b
    return all(np.array_equal(x, y) for x, y in zip((*a[0], a[1]), (*b[0], b[1]), strict=True))


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
