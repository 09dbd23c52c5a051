"""The property of BM: the valley around a certified strict local minimum, looked at with many digits."""

from __future__ import annotations

from typing import Any, Final

import mpmath
import numpy as np
from hypothesis import strategies as st

from verifier.balls.exact import Dyadic
from verifier.fuzz import oracle
from verifier.fuzz.node_values import feature_row
from verifier.fuzz.oracle import Matrix
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.specimen import Specimen
from verifier.landscape.minimum import Minimum

DIGITS: Final = 60
STEP: Final = 15
"""Second derivatives are forward differences over ``10^-STEP``; their error is some ``10^-STEP``."""
DIRECTIONS: Final = 12
"""Random points on the boundary of the ball, and as many inside of it."""
INSIDE: Final = 2
"""Points of the ball, beside its centre, at which the Hessian is computed."""
SMOOTH: Final = ("sin", "cos(t)", "t**3/3 - t", "silu", "tanh", "t/(1 + t**2)", "exp(-t**2)")
TRIALS: Final = 2


@st.composite
def noisy_data(draw: st.DrawFn, *, max_samples: int = 6) -> Specimen:
    """A narrow network on few samples in a line, most of which occur with both labels: the least loss is attained."""
    places = draw(st.lists(st.integers(-8, 8), min_size=3, max_size=max_samples, unique=True))
    counts = [draw(st.tuples(st.integers(1, 4), st.integers(0, 4))) for _ in places[1:]]
    counts = [(1, draw(st.integers(1, 4))), *counts]
    rows = [
        (x, label) for x, count in zip(places, counts, strict=True) for label in (0, 1) for _ in range(count[label])
    ]
    inputs, labels = np.array([[x / 4.0] for x, _ in rows]), np.array([label for _, label in rows])
    width = draw(st.sampled_from((1, 1, 1, 2)))
    layer = {"kind": "dense", "width": width, "activation": draw(st.sampled_from(SMOOTH)), "skip": True}
    halves = st.integers(-8, 8).map(lambda k: k / 2.0)
    u = np.array(draw(st.lists(halves, min_size=2 * width, max_size=2 * width)))
    return Specimen(inputs, labels, (layer,), u, np.zeros((width, 2)))


@holds_for(noisy_data)
def strict_minima_have_a_rim(specimen: Specimen) -> str:
    """Where BM is PROVED, the loss on the ball has the stated floor, rim and curvature; the better point is lower."""
    found = specimen.minimum(trials=TRIALS)
    if not found.proved:
        return str(found.verdict)
    check_minimum(specimen, found)
    return "PROVED, a bad local valley" if found.better is not None else "PROVED"


class Landscape:
    """Phi in the free numbers, U and V without its last column, in mpmath numbers at the precision in force."""

    def __init__(self, specimen: Specimen) -> None:
        """Count how often each label occurs in each row."""
        self.network, data = specimen.network, specimen.data
        self.inputs, self.outputs = data.inputs, data.classes
        counts = specimen.grouping.label_counts if data.labels is None else None
        if counts is None and data.labels is not None:
            counts = data.multiplicities[:, np.newaxis] * (data.labels[:, np.newaxis] == np.arange(data.classes))
        self.counts = [] if counts is None else counts.tolist()

    def value(self, theta: list[Any]) -> Any:
        """Phi at a vector of the free numbers."""
        u, rest = theta[: self.network.parameter_count], theta[self.network.parameter_count :]
        width = self.outputs - 1
        v = [[*rest[start : start + width], mpmath.mpf(0)] for start in range(0, len(rest), width)]
        numbers = oracle.REAL
        samples = [list(map(mpmath.mpf, sample)) for sample in self.inputs.tolist()]
        psi: Matrix = [feature_row(self.network, u, sample, numbers) for sample in samples]
        return oracle.approx_convex_loss("cross-entropy", oracle.times(psi, v), self.counts, [1.0] * self.outputs)

    def gradient(self, theta: list[Any]) -> list[Any]:
        """Return central differences of the loss, (P,), in many digits."""
        h = mpmath.mpf(10) ** -STEP
        return [
            (self.value(_moved(theta, h, i)) - self.value(_moved(theta, -h, i))) / (2 * h) for i in range(len(theta))
        ]

    def hessian(self, theta: list[Any]) -> Any:
        """Return second differences of the loss, a symmetric (P, P) matrix."""
        h, size, here = mpmath.mpf(10) ** -STEP, len(theta), self.value(theta)
        found = mpmath.matrix(size, size)
        once = [self.value(_moved(theta, h, i)) for i in range(size)]
        for i in range(size):
            for j in range(i + 1):
                both = self.value(_moved(_moved(theta, h, i), h, j))
                found[i, j] = found[j, i] = (both - once[i] - once[j] + here) / h**2
        return found


def check_minimum(specimen: Specimen, found: Minimum) -> None:
    """Hold a PROVED minimum against the loss near it.

    Raises
    ------
    Falsified
        A number is not a bound of what it is said to bound.
    """
    if np.any(found.v[:, -1]) or found.parameters != len(_free(found)):
        raise Falsified(f"BM: {found.parameters} free parameters, last column {found.v[:, -1].tolist()}")
    landscape, draws = Landscape(specimen), np.random.default_rng(11)
    with mpmath.workdps(DIGITS):
        centre, tiny = _free(found), mpmath.mpf(10) ** -25
        radius, curvature, slope, floor, rim = map(
            _number, (found.radius, found.curvature, found.gradient, found.floor, found.rim)
        )
        here = landscape.value(centre)
        if not _number(found.value[0]) <= here <= _number(found.value[1]):
            raise Falsified(f"BM: the loss {mpmath.nstr(here, 20)} is outside of its bounds")
        if mpmath.norm(landscape.gradient(centre)) > slope + tiny:
            raise Falsified(f"BM: the gradient is longer than {mpmath.nstr(slope)}")
        if not 2 * slope < curvature * radius or not floor <= here < rim:
            raise Falsified("BM: the numbers are not as the theorem needs them")
        for number in range(DIRECTIONS):
            direction = _unit(draws.standard_normal(len(centre)))
            edge = landscape.value(_along(centre, direction, radius))
            if edge < rim - tiny:
                raise Falsified(f"BM: {mpmath.nstr(edge, 20)} on the boundary is below the rim, {mpmath.nstr(rim, 20)}")
            at = _along(centre, direction, radius * mpmath.mpf(draws.random()))
            if landscape.value(at) < floor - tiny:
                raise Falsified("BM: a loss in the ball is below the floor")
            if number <= INSIDE:
                _require_curved(landscape.hessian(centre if number == 0 else at), curvature)
        if found.better is None:
            return
        lower = landscape.value(_free(found.better))
        if not lower <= _number(found.better.loss) or not _number(found.better.loss) < floor:
            raise Falsified(f"BM: the better point has the loss {mpmath.nstr(lower, 20)}")


def _require_curved(hessian: Any, curvature: Any) -> None:
    """See that no eigenvalue is below the curvature."""
    least = min(mpmath.eigsy(hessian, eigvals_only=True))
    if least < curvature - mpmath.mpf(10) ** -12:
        raise Falsified(f"BM: an eigenvalue {mpmath.nstr(least)} in the ball, below {mpmath.nstr(curvature)}")


def _free(point: Any) -> list[Any]:
    """Return the free parameters: U, then V without its last column."""
    rows = [[mpmath.mpf(x) - mpmath.mpf(row[-1]) for x in row[:-1]] for row in point.v.tolist()]
    return [*map(mpmath.mpf, point.u.tolist()), *(x for row in rows for x in row)]


def _unit(direction: Any) -> list[Any]:
    entries = [mpmath.mpf(x) for x in direction.tolist()]
    size = mpmath.norm(entries)
    return [x / size for x in entries]


def _along(centre: list[Any], direction: list[Any], length: Any) -> list[Any]:
    return [x + length * d for x, d in zip(centre, direction, strict=True)]


def _moved(theta: list[Any], step: Any, index: int) -> list[Any]:
    return [x + step if i == index else x for i, x in enumerate(theta)]


def _number(value: Dyadic) -> Any:
    return mpmath.ldexp(mpmath.mpf(int(value.mantissa)), int(value.exponent))
