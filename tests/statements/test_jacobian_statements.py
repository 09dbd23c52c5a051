"""J1 and J2 as statements: where they apply, what they say, and that a checker agrees."""

from __future__ import annotations

import numpy as np
import pytest

import verifier as vf
from verifier.checker.certificate import check_file
from verifier.statements import interpolant, jacobian_rank
from verifier.verdict import Verdict

GENERATOR = np.random.default_rng(5)
X = GENERATOR.standard_normal((10, 3))
Y = np.arange(10) % 3
PROVED, UNDECIDED = Verdict.PROVED, Verdict.UNDECIDED


def network(sigma="tanh", width=8, last=5):
    return vf.Network(3, (vf.Dense(width, sigma), vf.Dense(last, sigma, skip=True)))


def step(report, label):
    return next(step for step in report.theorem.steps if step.label == label)


def test_more_samples_than_features(tmp_path):
    """M = 5 < N = 10: one point proves J1 of almost every one where features are analytic, and of itself otherwise."""
    report = vf.verify(X, Y, network())
    found = step(report, "J1")
    assert found.verdict is PROVED and "J, 20 x 92, has full row rank" in found.reason
    assert "closed set of measure zero" in found.reason and report.verdict("J1") is PROVED
    assert not step(report, "J2").applies
    assert check_file(str(report.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"
    relu = step(vf.verify(X, Y, network("relu")), "J1")
    assert relu.verdict is PROVED and "start is not stationary" in relu.reason and "measure zero" not in relu.reason


def test_a_start_without_full_rank_is_replaced_where_features_are_analytic():
    zero = np.zeros((5, 3))
    found = step(vf.verify(X, Y, network(), v=zero), "J1")
    assert found.verdict is PROVED and "proved at a random (U, V), not at the start" in found.reason
    assert "not stationary" not in found.reason
    relu = step(vf.verify(X, Y, network("relu"), v=zero), "J1")
    assert relu.verdict is UNDECIDED and "smaller rank" in relu.reason


def test_full_rank_of_psi_is_enough_and_nothing_is_computed(monkeypatch):
    monkeypatch.setattr(jacobian_rank, "prove_jacobian_rank", None)
    found = step(vf.verify(X, Y, network(last=12)), "J1")
    assert found.verdict is PROVED and found.rests_on == ("rank",)


def test_where_it_does_not_apply(monkeypatch):
    conflict = np.concatenate([X, X[:1]])
    assert not step(vf.verify(conflict, np.append(Y, 1), network()), "J1").applies
    few = step(vf.verify(X, Y, vf.Network(3, vf.Dense(2, "tanh", skip=True))), "J1")
    assert not few.applies and "14 free parameters are fewer than the 20 rows" in few.reason
    monkeypatch.setattr(jacobian_rank, "LIMIT_SECONDS", 0.0)
    assert "not tried: J is 20 x 92" in step(vf.verify(X, Y, network()), "J1").reason


def test_missing_arcs_are_no_parameters(tmp_path):
    arcs = np.array([[True, False, True]] * 2 + [[False, True, True]] * 3)
    report = vf.verify(X, Y, network(), arcs=arcs, v=np.where(arcs, GENERATOR.standard_normal((5, 3)), 0.0))
    found = step(report, "J1")
    assert found.verdict is PROVED and "J, 20 x 87" in found.reason
    assert check_file(str(report.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"


def test_regression(tmp_path, monkeypatch):
    report = vf.verify(X, np.sin(X[:, 0]), network(), regression=True)
    rank, near = step(report, "J1"), step(report, "J2")
    assert rank.verdict is near.verdict is PROVED
    assert "unless the loss is least among all logits" in rank.reason and "all suboptimal stationary" in rank.reason
    assert "largest change of a parameter" in near.reason and "P - N m = 72" in near.reason
    assert check_file(str(report.write(tmp_path / "c.json")), 1).verdict == "ACCEPTED"
    repeated, targets = np.concatenate([X, X[:1]]), np.append(np.sin(X[:, 0]), 7.0)
    apart = step(vf.verify(repeated, targets, network(), regression=True), "J2")
    assert not apart.applies and "equal samples have different targets" in apart.reason
    narrow = vf.Network(3, vf.Dense(1, "tanh", skip=True))
    assert "P = 5 parameters are fewer" in step(vf.verify(X, X[:, 0], narrow, regression=True), "J2").reason
    monkeypatch.setattr(interpolant, "LIMIT_SECONDS", 0.0)
    assert "not tried" in step(vf.verify(X, X[:, 0], network(), regression=True), "J2").reason


def test_frozen_logits_do_not_matter_to_the_rank():
    offset = np.round(GENERATOR.standard_normal((10, 3)) * 8) / 8
    found = vf.verify(X, Y, network(), offset=offset)
    assert step(found, "J1").verdict is PROVED


@pytest.mark.parametrize("outputs", [1, 2])
def test_repeated_samples_with_equal_targets_are_one_row(outputs):
    targets = np.sin(X[:, :outputs])
    again = vf.verify(np.concatenate([X, X[2:3]]), np.concatenate([targets, targets[2:3]]), network(), regression=True)
    assert step(again, "J2").verdict is PROVED
