"""The least squared error over all V at this U: exact rational projections are between the bounds; certificates."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import verifier as vf
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.checker.certificate import check_file
from verifier.landscape.least_error import bound_error
from verifier.landscape.target_loss import TargetLoss
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.verdict import Verdict


def planted(seed):
    """Features that are the inputs, targets of equal samples that differ; the least error as an exact rational."""
    rng = np.random.default_rng(seed)
    n, m, outputs = int(rng.integers(4, 8)), int(rng.integers(1, 4)), int(rng.integers(1, 3))
    x, times = rng.integers(-8, 9, (n, m)) / 4.0, rng.integers(1, 4, n)
    targets = rng.integers(-16, 17, (int(times.sum()), outputs)) / 8.0
    network = Network((m,), (Dense(m, "identity", skip=True),))
    u = np.concatenate([np.eye(m).ravel(), np.zeros(m)])
    rows = [row for row, c in zip(x.tolist(), times, strict=True) for _ in range(c)]
    psi = fmpq_mat([[exact(v) for v in row] for row in rows])
    t = fmpq_mat([[exact(v) for v in row] for row in targets.tolist()])
    gram = psi.transpose() * psi
    rest = t - psi * gram.solve(psi.transpose() * t)
    least = sum((v * v for v in rest.entries()), fmpq(0)) / (2 * len(rows))
    return FeatureEnclosure(network, u, x, 64), TargetLoss(targets, times), F(int(least.p), int(least.q))


def exact(number):
    p, q = float(number).as_integer_ratio()
    return fmpq(p, q)


@pytest.mark.parametrize("seed", range(8))
def test_the_exact_projection_is_between_the_bounds(seed):
    features, loss, least = planted(seed)
    found = bound_error(features, loss)
    assert found is not None
    assert found.lower.fraction() <= least <= found.upper.fraction()
    assert float(found.upper) - float(found.lower) < 1e-9


def test_nothing_is_said_of_targets_that_are_attained_or_of_dependent_columns():
    network = Network((1,), (Dense(2, "identity", skip=True),))
    x, counts = np.arange(1.0, 5.0)[:, None], np.ones(4, dtype=np.int64)
    line = TargetLoss(3.0 * x, counts)
    assert bound_error(FeatureEnclosure(network, np.array([1.0, 0, 0, 0]), x, 64), line) is None
    other = TargetLoss(x**2, counts)
    assert bound_error(FeatureEnclosure(network, np.array([1.0, 0, 0, 0]), x, 64), other) is not None  # a dead unit
    assert bound_error(FeatureEnclosure(network, np.array([1.0, 2, 0, 0]), x, 64), other) is None


def test_a_narrow_regression_is_refuted_and_its_certificate_accepted(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, 2))
    data = vf.Dataset("d", x, None, 1, targets=x[:, :1] ** 2 + x[:, 1:])
    network = vf.Network(2, vf.Dense(4, "tanh", skip=True))
    report = vf.prove(vf.Problem(data, network, vf.initialise(network, seed=0), np.zeros((4, 1))))
    assert report.verdict("zero_loss") is Verdict.REFUTED and report.verdict("Z0") is Verdict.PROVED
    psi = FeatureEnclosure(network, report.u, x, 64).approx()
    best = np.linalg.lstsq(psi, data.targets, rcond=None)[1].sum() / 24
    assert float(report.loss_bound.lower) <= best * (1 + 1e-12) and best <= float(report.loss_bound.upper) * (1 + 1e-12)
    assert report.loss_bound.words in next(step.reason for step in report.steps if step.key == "zero_loss")
    file = report.write(tmp_path / "a.json")
    found = check_file(str(file), 1)
    assert found.verdict == "ACCEPTED", found.rejection
    assert "Z0.error" in {claim["label"] for claim in found.claims}
    assert "Z0.error" in str(vf.show(file))
