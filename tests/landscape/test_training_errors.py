"""Training errors at a given (U, V): counts that are exact where they are certified, ties that are errors."""

from fractions import Fraction

import numpy as np
import pytest

import verifier as vf
from verifier.landscape.training_errors import count_training_errors


def planted(psi, bits=64, offset=None):
    """Psi = psi: units of identity activations without biases."""
    psi = np.array(psi, dtype=float)
    d = psi.shape[1]
    u = np.concatenate([np.eye(d).ravel(), np.zeros(d)])
    return vf.FeatureEnclosure(vf.Network(d, vf.Dense(d, "identity", skip=True)), u, psi, bits, offset=offset)


def exact_count(psi, v, y, counts):
    """Misclassified samples in exact arithmetic: the own logit must be the largest alone."""
    exact = [[Fraction(a) for a in row] for row in psi], [[Fraction(b) for b in row] for row in v]
    logits = np.array(exact[0], dtype=object) @ np.array(exact[1], dtype=object)
    others = [np.delete(row, label) for row, label in zip(logits, y, strict=True)]
    wrong = [max(rest) >= row[label] for rest, row, label in zip(others, logits, y, strict=True)]
    return sum(count for count, bad in zip(counts, wrong, strict=True) if bad)


@pytest.mark.parametrize("seed", range(6))
def test_the_count_is_that_of_exact_arithmetic(seed):
    rng = np.random.default_rng(seed)
    psi, v = rng.integers(-3, 4, (12, 3)) / 2, rng.integers(-3, 4, (3, 4)) / 4
    y, counts = rng.integers(0, 4, 12), rng.integers(1, 4, 12).tolist()
    found = count_training_errors(planted(psi), vf.ExactArray.of_floats(v), y, counts)
    wrong = exact_count(psi.tolist(), v.tolist(), y.tolist(), counts)
    assert found.wrong <= wrong <= found.total - found.right and found.total == sum(counts)
    assert not found.proved or found.wrong == wrong


@pytest.mark.parametrize("bits", [64, 256])
def test_frozen_logits_count(bits):
    psi, v, offset = [[1.0], [1.0]], [[1.0, 0.0]], np.array([[0.0, 0.0], [0.0, 3.0]])
    found = count_training_errors(planted(psi, bits, offset), vf.ExactArray.of_floats(v), [0, 0], [1, 2])
    assert found.proved and (found.wrong, found.right, found.total) == (2, 1, 3)


def test_a_tie_of_equal_outputs_is_an_error():
    found = count_training_errors(planted([[1.0], [2.0]]), vf.ExactArray.of_floats([[0.5, 0.5]]), [0, 1], [1, 1])
    assert found.proved and found.wrong == 2


def test_what_no_precision_decides_counts_as_neither():
    """Margins tanh(1) - tanh(1) of two units with the same weights: 0, and no equality of outputs shows it."""
    network = vf.Network(1, vf.Dense(2, "tanh", skip=True))
    features = vf.FeatureEnclosure(network, np.array([1.0, 1.0, 0.0, 0.0]), np.array([[1.0]]), 64)
    found = count_training_errors(features, vf.ExactArray.of_floats([[1.0, 0.0], [0.0, 1.0]]), [0], [1])
    assert not found.proved and (found.wrong, found.right) == (0, 0)
    assert "at least 0 and at most 1 of 1 sample" in found.reason


def test_the_report_has_it_and_says_it():
    report = vf.verify([[-1.0], [2.0], [3.0]], [0, 1, 1], vf.Dense(4, "tanh", skip=True))
    low, high = report.errors.loss
    psi = report.features.approx()
    margin = psi @ (report.v[:, 0] - report.v[:, 1]) * np.array([1, -1, -1])
    assert report.errors.proved and report.errors.wrong == int((margin <= 0).sum())
    assert float(low) <= np.log1p(np.exp(-margin)).mean() <= float(high)
    assert f"training errors: {report.errors.wrong} of 3 samples" in str(report)
    conflicting = vf.verify([[-1.0], [-1.0], [3.0]], [0, 1, 1], vf.Dense(4, "tanh", skip=True))
    assert conflicting.errors is None
