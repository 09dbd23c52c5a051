"""Properties of the Jacobian of the logits: enclosures contain it, its rank is what is claimed, interpolants exist."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
from hypothesis import strategies as st

from verifier.balls.binary64.backend import NotEnclosed, numpy_backend
from verifier.balls.exact import Dyadic
from verifier.balls.jacobian import Jacobian, Parameters, enclose_jacobian
from verifier.fuzz import oracle
from verifier.fuzz.graph_strategies import graph_specimens
from verifier.fuzz.node_values import feature_row
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import datasets, specimens
from verifier.landscape.interpolant import prove_interpolant
from verifier.network.approx_jacobian import approx_jacobian
from verifier.network.differentiable import NotSmooth
from verifier.network.network import Array
from verifier.rank.jacobian_rank import JacobianInverse, prove_jacobian_rank

DIGITS = 100
NOISE = mpmath.mpf(10) ** -30
"""The oracle's own error, a difference at `DIGITS` digits, is far smaller for numbers that are not huge."""
COLUMNS, LARGEST, MOST = 4, 1e6, 80
BOX = 2.0**-20
STEPS = 10


def _small() -> st.SearchStrategy[Specimen]:
    data = datasets(max_samples=4, max_dimension=3, kinds=("integers", "dyadic"))
    return specimens(data=data, max_layers=2, max_width=4) | graph_specimens()


@holds_for(_small)
def jacobian(specimen: Specimen) -> str:
    """Derivatives of the logits at 100 digits lie in their enclosures by both engines, at a point and in a box."""
    network, u, v, x = specimen.network, specimen.u, specimen.v, specimen.inputs
    if max(np.abs(u).max(initial=0.0), np.abs(v).max(), np.abs(x).max()) > LARGEST:
        return "huge numbers"
    rng, size, seen = np.random.default_rng(len(u)), len(u) + v.size, "kinks everywhere"
    chosen = np.sort(rng.choice(size, min(size, COLUMNS), replace=False))
    inside = BOX * rng.uniform(-1, 1, size)
    for moved, reach in ((np.zeros(size), np.zeros(size)), (inside, np.full(size, BOX))):
        where = Parameters.at(u, v).around(reach)
        u_there, v_there = u + moved[: len(u)], v + moved[len(u) :].reshape(v.shape)
        made = _by_both_engines(specimen, where, chosen)
        if not made:
            continue
        seen = "contained"
        for place, parameter in enumerate(chosen.tolist()):
            column = oracle.approx_derivative_to(network, u_there, v_there, x, parameter, DIGITS)
            for engine, found in made.items():
                _require_inside(found, place, column, f"parameter {parameter}, {engine}, box {reach[0]}")
    return seen


def _by_both_engines(specimen: Specimen, where: Parameters, columns: Any) -> dict[str, Jacobian]:
    """By the name of the engine; without those that conclude nothing."""
    made = {}
    for name, engine in (("binary64", numpy_backend(1)), ("Arb", None)):
        try:
            made[name] = enclose_jacobian(specimen.network, where, specimen.inputs, columns, engine)
        except (NotSmooth, NotEnclosed):
            continue
    return made


def _require_inside(found: Jacobian, place: int, column: list[Any], words: str) -> None:
    with mpmath.workdps(DIGITS):
        for row, truth in enumerate(column):
            middle, radius = (mpmath.mpf(float(part[row, place])) for part in (found.middles, found.radii))
            if not abs(truth - middle) <= radius + NOISE * (1 + abs(truth)):
                raise Falsified(f"row {row}, {words}: {mpmath.nstr(truth, 20)} is not within {radius} of {middle}")


@holds_for(_small)
def jacobian_rank(specimen: Specimen) -> str:
    """Where the Jacobian is PROVED to have full row rank, it has it at 100 digits."""
    network, u, v, x = specimen.network, specimen.u, specimen.v, specimen.inputs
    size = len(u) + v.size
    if size > MOST or max(np.abs(u).max(initial=0.0), np.abs(v).max(), np.abs(x).max()) > LARGEST:
        return "too large"
    found = prove_jacobian_rank(network, u, v, x)
    if not found.proved:
        return "UNDECIDED"
    with mpmath.workdps(DIGITS):
        columns = [oracle.approx_derivative_to(network, u, v, x, j, DIGITS) for j in range(size)]
        rank = oracle.approx_rank_to([list(row) for row in zip(*columns, strict=True)], DIGITS // 2)
    if rank < found.rows:
        raise Falsified(f"rank J = {found.rows} is PROVED; at {DIGITS} digits it is {rank}")
    return "PROVED"


@holds_for(_small)
def interpolant_exists(specimen: Specimen) -> str:
    """Where J2 is PROVED, its iteration converges in the stated ball, at 100 digits, to exactly the targets."""
    network, u, v, x = specimen.network, specimen.u, specimen.v, np.unique(specimen.inputs, axis=0)
    if len(u) + v.size > MOST or max(np.abs(u).max(initial=0.0), np.abs(v).max(), np.abs(x).max()) > LARGEST:
        return "too large"
    logits, _ = approx_jacobian(network, u, v, x)
    if not np.isfinite(logits).all():
        return "not finite"
    targets = np.round(logits * 64.0) / 64.0
    found = prove_interpolant(network, u, v, x, targets)
    if found.where is None or found.found is None or found.rho is None or found.distance is None:
        return "UNDECIDED"
    with mpmath.workdps(DIGITS):
        rho, c = _mpf(found.rho), [mpmath.mpf(0)] * targets.size
        for _ in range(STEPS):
            theta = _moved(found.where, found.found, c)
            error = _error(specimen, theta, x, targets)
            c = [a - b for a, b in zip(c, error, strict=True)]
            if not max(map(abs, c)) <= rho:
                raise Falsified(f"the iteration leaves the ball of radius {mpmath.nstr(rho)}")
        start = [mpmath.mpf(z) for z in (*u.tolist(), *v.ravel().tolist())]
        away = max(abs(a - b) for a, b in zip(theta, start, strict=True))
        left = rho * mpmath.mpf(found.found.bound) ** (STEPS - 1)
        if not max(map(abs, error)) <= left + mpmath.mpf(10) ** (20 - DIGITS):
            raise Falsified(f"the iteration does not converge: {mpmath.nstr(max(map(abs, error)))} is left")
        if not away <= _mpf(found.distance) + 2 * rho:
            raise Falsified(f"{mpmath.nstr(away)} from the start, not {found.distance}")
    return "PROVED"


def _mpf(number: Dyadic) -> Any:
    return mpmath.ldexp(mpmath.mpf(number.mantissa), number.exponent)


def _moved(where: Parameters, found: JacobianInverse, c: list[Any]) -> list[Any]:
    """Return the parameters ``theta0 + B c``, (P,)."""
    theta = [mpmath.mpf(z) for z in (*where.u.tolist(), *where.v.ravel().tolist())]
    for j, row in zip(found.columns.tolist(), found.inverse.tolist(), strict=True):
        theta[j] += mpmath.fsum(mpmath.mpf(b) * z for b, z in zip(row, c, strict=True))
    return theta


def _error(specimen: Specimen, theta: list[Any], x: Array, targets: Array) -> list[Any]:
    """Return ``Psi(U) V - T``, row by row, in many digits."""
    network, outputs = specimen.network, targets.shape[1]
    p, found = network.parameter_count, []
    for sample, wanted in zip(x.tolist(), targets.tolist(), strict=True):
        row = feature_row(network, theta[:p], [mpmath.mpf(z) for z in sample], oracle.REAL)
        for k, target in enumerate(wanted):
            column = theta[p + k :: outputs]
            found.append(mpmath.fsum(f * w for f, w in zip(row, column, strict=True)) - mpmath.mpf(target))
    return found
