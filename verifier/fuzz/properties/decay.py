"""The property of weight decay: where WD is PROVED, the origin is a strict local minimum, and not the lowest point."""

from __future__ import annotations

import mpmath
import numpy as np
from hypothesis import strategies as st

from verifier.fuzz import oracle
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import datasets, specimens
from verifier.landscape.weight_decay import classes_differ, prove_weight_decay
from verifier.network.network import Array
from verifier.statements.smooth_activations import analytic
from verifier.verdict import Verdict

DECAY = "0.001"
DIRECTIONS, SMALL, DIGITS = 3, 1e-12, 60


def _small() -> st.SearchStrategy[Specimen]:
    data = datasets(max_samples=2, max_dimension=2, kinds=("integers", "dyadic"))
    return specimens(data=data, max_layers=2, max_width=3)


@holds_for(_small)
def weight_decay_breaks(specimen: Specimen) -> str:
    """Where WD is PROVED, the regularised loss is above log 2 near the origin and below at the point, at 60 digits."""
    network, half = specimen.network, specimen.inputs
    if network.layered is None or analytic(network)[0] is not Verdict.PROVED:
        return "no analytic layers"
    answers = []
    for x, labels in (
        (np.concatenate([half, -half, 2 * half, -2 * half]), np.repeat([0, 1], 2 * len(half))),  # sums 0
        (np.concatenate([half, half + 1]), np.repeat([0, 1], len(half))),  # other means
    ):
        counts = np.ones(len(x), dtype=np.int64)
        if classes_differ(x, labels, counts, 2) is not None:
            answers.append("does not apply")
            continue
        found = prove_weight_decay(network, x, labels, counts, 2, DECAY)
        if found.u is not None and found.v is not None:
            _check_point(specimen, x, labels, found.u, found.v)
        _check_origin(specimen, x, labels)
        answers.append(str(found.verdict))
    return ", ".join(answers)


def _check_origin(specimen: Specimen, x: Array, labels: Array) -> None:
    """Along random directions, and with V turned around: a bilinear term then has another sign."""
    random, network = np.random.default_rng(5), specimen.network
    for _ in range(DIRECTIONS):
        u, v = random.normal(size=network.parameter_count), random.normal(size=(network.columns, 2))
        for sign in (1, -1):
            if not _above(specimen, x, labels, u * SMALL, sign * v * SMALL) > 0:
                raise Falsified("with weight decay a point near the origin is not above log 2")


def _check_point(specimen: Specimen, x: Array, labels: Array, u: Array, v: Array) -> None:
    if not _above(specimen, x, labels, u, v) < 0:
        raise Falsified("WD is PROVED, and its point is not below log 2")


def _above(specimen: Specimen, x: Array, labels: Array, u: Array, v: Array) -> mpmath.mpf:
    """The mean cross-entropy plus ``(lambda/2) (|U|^2 + |V|^2)``, minus log 2."""
    with mpmath.workdps(DIGITS):
        psi = oracle.approx_features_to(specimen.network, u, x, digits=DIGITS)
        weights = [[mpmath.mpf(entry) for entry in row] for row in v.tolist()]
        total = mpmath.mpf(0)
        for logits, label in zip(oracle.times(psi, weights), labels.tolist(), strict=True):
            total += mpmath.log1p(mpmath.exp(logits[1 - label] - logits[label]))
        size = mpmath.fsum(mpmath.mpf(entry) ** 2 for entry in (*u.tolist(), *v.ravel().tolist()))
        return total / len(labels) + mpmath.mpf(DECAY) / 2 * size - mpmath.log(2)
