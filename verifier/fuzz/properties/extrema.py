"""Properties of what holds at every (U, V), and of gradient descent on V: C4, C2+, GDV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np
from hypothesis import strategies as st

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.fuzz import oracle
from verifier.fuzz.graph_strategies import graph_specimens
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import datasets, specimens
from verifier.landscape.gradient_descent import DescentResult, prove_gradient_descent
from verifier.landscape.turning_layer import prove_no_maximum
from verifier.statements.no_strict_minimum import enough_columns

DIGITS = 50
STEPS = 60
"""Steps of gradient descent that are done, in mpmath; all of them where they are fewer."""
NEAR, TRIES = mpmath.mpf(10) ** -4, 40
"""How far a neighbour is, and how many are looked at."""

Matrix = list[list[Any]]


def _small() -> st.SearchStrategy[Specimen]:
    data = datasets(max_samples=5, max_dimension=3, kinds=("integers", "dyadic"))
    return specimens(data=data, max_layers=2, max_width=5, parameter_kinds=("integers", "gaussian"))


def _any() -> st.SearchStrategy[Specimen]:
    return _small() | graph_specimens()


@holds_for(_small)
def gradient_descent_keeps_its_bound(specimen: Specimen) -> str:
    """Where GDV is PROVED, the descent itself, in 50 digits, has at every step at most the loss that was stated."""
    data, labels = specimen.data, specimen.data.labels
    if labels is None or not specimen.grouping.labels_agree:
        return "labels conflict"
    features = FeatureEnclosure(specimen.network, specimen.u, data.inputs, FIRST_BITS)
    psi = oracle.approx_features_to(specimen.network, specimen.u, data.inputs, DIGITS)
    ends = [ExactArray.of_floats(_separating(psi, labels.tolist(), data.classes))]
    counts = data.multiplicities.tolist()
    found = prove_gradient_descent(features, ExactArray.of_floats(specimen.v), ends, labels, counts, max_bits=256)
    if not found.proved:
        return str(found.verdict)
    return compare_descent(psi, specimen.v, labels.tolist(), counts, found)


def compare_descent(psi: Matrix, start: Any, labels: list[int], counts: list[int], found: DescentResult) -> str:
    """Do the steps that a result speaks of, and hold it against their losses.

    Parameters
    ----------
    psi, start
        Features ``(N, M)`` and V_0 ``(M, m)``.
    labels, counts
        True classes and multiplicities.
    found
        A PROVED result.

    Raises
    ------
    Falsified
        A loss is above its bound or increases, or a sample is misclassified at the stated step.
    """
    constants = (found.smoothness, found.loss_upper, found.distance_upper)
    with mpmath.workdps(DIGITS):
        smoothness, loss_upper, distance = (_number(value) for value in constants if value is not None)
        v: Matrix = [list(map(mpmath.mpf, row)) for row in np.asarray(start).tolist()]
        total, steps, tiny = sum(counts), found.steps or 0, mpmath.mpf(10) ** (10 - DIGITS)
        before = oracle.approx_loss_to(oracle.times(psi, v), labels, counts)
        for t in range(1, min(steps, STEPS) + 1):
            v = _step(psi, v, labels, counts, smoothness)
            loss, bound = oracle.approx_loss_to(oracle.times(psi, v), labels, counts), loss_upper + distance / t
            if loss > bound * (1 + tiny):
                raise Falsified(f"GDV: after {t} steps the loss is {mpmath.nstr(loss)} > {mpmath.nstr(bound)}")
            if loss > before * (1 + tiny) + tiny:
                raise Falsified(f"GDV: step {t} increases the loss to {mpmath.nstr(loss)}")
            before = loss
        if not loss_upper + distance / steps < mpmath.log(2) / total:
            raise Falsified(f"GDV: the bound at step {steps} is not below log(2)/n")
        if steps > STEPS:
            return "PROVED"
        for label, row in zip(labels, oracle.times(psi, v), strict=True):
            if not all(row[label] > g for k, g in enumerate(row) if k != label):
                raise Falsified(f"GDV: a sample is misclassified after {steps} steps")
    return "PROVED, to the end"


def _number(value: Dyadic) -> Any:
    return mpmath.ldexp(mpmath.mpf(value.mantissa), value.exponent)


def _step(psi: Matrix, v: Matrix, labels: Sequence[int], counts: Sequence[int], smoothness: Any) -> Matrix:
    """One step of gradient descent, from the definition of the gradient."""
    new, total = [list(row) for row in v], sum(counts)
    for row, logits, label, count in zip(psi, oracle.times(psi, v), labels, counts, strict=True):
        weights = [mpmath.exp(g - max(logits)) for g in logits]
        for k, weight in enumerate(weights):
            change = count * (weight / mpmath.fsum(weights) - (k == label)) / (total * smoothness)
            for j, x in enumerate(row):
                new[j][k] -= change * x
    return new


def _separating(psi: Matrix, labels: list[int], classes: int) -> Any:
    """Output weights by least squares in floating point: what they are good for does not matter."""
    a = np.array([[float(x) for x in row] for row in psi])
    if not np.isfinite(a).all():
        return np.zeros((a.shape[1], classes))
    with np.errstate(all="ignore"):
        found = np.linalg.lstsq(a, 8.0 * np.eye(classes)[labels], rcond=1e-10)[0]
    return np.where(np.isfinite(found), found, 0.0)


@holds_for(_any)
def no_maximum_anywhere(specimen: Specimen) -> str:
    """Where C4 is PROVED, a point with Psi(U) = 0 (U = 0, where it is one) has neighbours with a larger loss."""
    network, data = specimen.network, specimen.data
    found = prove_no_maximum(network)
    if not found.proved:
        return str(found.verdict)
    if found.node is None:
        return "an output bias"
    zero = np.zeros(network.parameter_count)
    with mpmath.workdps(DIGITS):
        if any(x != 0 for row in oracle.approx_features_to(network, zero, data.inputs, DIGITS) for x in row):
            return "PROVED, Psi(0) != 0"
        labels = specimen.labels[: len(data.inputs)].tolist() if data.labels is None else data.labels.tolist()
        counts = data.multiplicities.tolist()
        start = oracle.approx_loss_to([[mpmath.mpf(0)] * specimen.v.shape[1] for _ in data.inputs], labels, counts)
        random = np.random.default_rng(17)
        for _ in range(TRIES):
            u, v = random.standard_normal(zero.shape), random.standard_normal(specimen.v.shape)
            for sign in (1.0, -1.0):
                near = sign * float(NEAR) * u
                moved = (specimen.v + float(NEAR) * v).tolist()
                psi = oracle.approx_features_to(network, near, data.inputs, DIGITS)
                if oracle.approx_loss_to(oracle.times(psi, moved), labels, counts) > start:
                    return "PROVED"
    raise Falsified(f"C4 is PROVED; of {2 * TRIES} neighbours of U = 0 none has a loss above {mpmath.nstr(start)}")


@holds_for(_any)
def no_suboptimal_strict_minimum(specimen: Specimen) -> str:
    """Where C2+ is claimed, V moves near the start at a loss that is constant, or less than the start's."""
    network, data = specimen.network, specimen.data
    if not enough_columns(network, data.samples):
        return "M < N"
    if data.labels is None:
        return "labels conflict"
    psi = oracle.approx_features_to(network, specimen.u, data.inputs)
    with mpmath.workdps(oracle.DIGITS):
        v: Matrix = [list(map(mpmath.mpf, row)) for row in specimen.v.tolist()]
        labels, counts = data.labels.tolist(), data.multiplicities.tolist()
        start = oracle.approx_loss_to(oracle.times(psi, v), labels, counts)
        kernel, words = _kernel(psi), "along the kernel"
        change = [[x if k == 0 else mpmath.mpf(0) for k in range(len(v[0]))] for x in kernel]
        if not kernel and len(psi) != len(psi[0]):
            raise Falsified(f"C2+: Psi(U), {len(psi)} x {len(psi[0])}, is neither invertible nor has it a kernel")
        if not kernel:
            if not specimen.grouping.labels_agree:
                return "labels conflict"
            words, change = "towards zero loss", _towards(psi, labels, v)
        for s in (NEAR, -NEAR) if kernel else (NEAR,):
            moved = [[a + s * b for a, b in zip(*rows, strict=True)] for rows in zip(v, change, strict=True)]
            loss = oracle.approx_loss_to(oracle.times(psi, moved), labels, counts)
            if loss > start + mpmath.mpf(10) ** (-oracle.DIGITS // 3) * (1 + start):
                raise Falsified(f"C2+: {words} the loss rises from {mpmath.nstr(start)} to {mpmath.nstr(loss)}")
    return words


def _kernel(psi: Matrix) -> list[Any]:
    """A vector w of length 1 with Psi w = 0; empty if there is none: by Gauss-Jordan elimination."""
    rows, columns, pivots = [list(row) for row in psi], len(psi[0]), list[int]()
    tiny = mpmath.mpf(10) ** (-oracle.DIGITS // 2) * max((abs(x) for row in psi for x in row), default=mpmath.mpf(0))
    for column in range(columns):
        place = len(pivots)
        best = max(range(place, len(rows)), key=lambda i: abs(rows[i][column]), default=None)
        if best is None or abs(rows[best][column]) <= tiny:
            w = [mpmath.mpf(0)] * columns
            w[column] = mpmath.mpf(-1)
            for i, pivot in enumerate(pivots):
                w[pivot] = rows[i][column]
            size = mpmath.norm(w)
            return [x / size for x in w]
        rows[place], rows[best] = rows[best], rows[place]
        pivot = rows[place][column]
        rows[place] = [x / pivot for x in rows[place]]
        for i, row in enumerate(rows):
            if i != place:
                rows[i] = [x - row[column] * y for x, y in zip(row, rows[place], strict=True)]
        pivots.append(column)
    return []


def _towards(psi: Matrix, labels: list[int], v: Matrix) -> Matrix:
    """Where Psi is invertible: the change of V that adds 1 to the right logits."""
    right = mpmath.matrix([[mpmath.mpf(k == label) for k in range(len(v[0]))] for label in labels])
    solved = (
        mpmath.lu_solve(mpmath.matrix(psi), right) if len(v[0]) == 1 else mpmath.inverse(mpmath.matrix(psi)) * right
    )
    size = max(mpmath.mpf(1), mpmath.norm(solved))
    return [[solved[j, k] / size for k in range(len(v[0]))] for j in range(len(v))]
