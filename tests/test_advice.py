"""Advice is true: a problem, what its reason says, the advice followed, and the verdict that comes out."""

import numpy as np
import pytest

import verifier as vf
from verifier.verdict import Verdict

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 4)), RNG.integers(0, 2, 20)


def dense(width, activation="tanh"):
    return [vf.Dense(width, activation, skip=True)]


def reason(report, label):
    return next(step.reason for step in report.theorem.steps if step.label == label)


TABLE = {
    "fewer units than samples": (dense(10), "W0", "with M >= N features", dense(20), Verdict.PROVED),
    "a relu": (dense(24, "relu"), "W0", "with analytic nodes alone", dense(24, "silu"), Verdict.PROVED),
    "both": (
        dense(10, "relu"), "T3.4(2)", "with M >= N features (an output bias counts) and analytic nodes alone",
        dense(20, "softplus"), Verdict.PROVED,
    ),
    "only more units, still relu": (
        dense(10, "relu"), "W0", "and analytic nodes alone", dense(24, "relu"), None,
    ),
    "polynomials": (dense(24, "square"), "W0", "with other features", dense(24, "sin"), Verdict.PROVED),
    "linear above narrow": (
        [vf.Dense(3, "tanh"), *dense(24, "identity")], "L3.2 construction", "no activation in between",
        [vf.Dense(3, "tanh"), *dense(24, "tanh")], Verdict.PROVED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_the_advice_followed_leads_to_the_verdict(name):
    before, label, advice, after, verdict = TABLE[name]
    first = vf.verify(X, Y, before)
    assert first.verdict(label) is not Verdict.PROVED and advice in reason(first, label)
    assert vf.verify(X, Y, after).verdict(label) is verdict


def test_an_output_bias_counts():
    short = vf.verify(X, Y, vf.Network(4, dense(18), output_bias=True))
    assert "M = 19 < N = 20" in reason(short, "W0")
    assert vf.verify(X, Y, vf.Network(4, dense(19), output_bias=True)).verdict("W0") is Verdict.PROVED


def test_fewer_units_may_have_zero_training_error_all_the_same():
    y = (X[:, 0] > 0).astype(int)
    report = vf.verify(X, y, dense(8))
    assert report.verdict("rank") is Verdict.REFUTED and "Z1 or Z0 decides it" in report.rank.reason
    assert report.verdict("zero_loss") is Verdict.PROVED and report.verdict("path") is Verdict.PROVED


def test_where_z1_is_refuted_another_start_or_more_features_help():
    first = vf.verify(X, Y, dense(4))
    path = next(step for step in first.steps if step.key == "path")
    assert first.verdict("zero_loss") is Verdict.REFUTED and "another start or more features" in path.reason
    assert vf.verify(X, Y, dense(20)).verdict("path") is Verdict.PROVED


def test_each_output_needs_n_columns_of_its_own():
    arcs = np.ones((30, 2), dtype=bool)
    arcs[:20, 0] = False
    first = vf.verify(X, Y, dense(30), arcs=arcs)
    step = next(step for step in first.steps if step.key == "arcs")
    assert "only 10 of its own for N = 20" in step.reason
    arcs[:, 0] = np.arange(30) >= 10
    assert vf.verify(X, Y, dense(30), arcs=arcs).verdict("W0") is Verdict.PROVED


def test_conflicting_labels_are_said_where_they_decide():
    x, y = np.vstack([X, X[:1]]), [*Y, 1 - Y[0]]
    report = vf.verify(x, y, dense(10))
    assert "X1" in reason(report, "D3.3") and report.verdict("Z2") is None
    assert vf.verify(x, y, dense(24)).verdict("D3.3") is Verdict.PROVED
