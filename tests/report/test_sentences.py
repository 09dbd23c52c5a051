"""Sentences that people read first: of the right number, about what was proved, and no longer than the terminal."""

from __future__ import annotations

import numpy as np

import verifier as vf
from verifier.certificate.show import read_description
from verifier.network.layers import Dense


def test_a_path_to_a_positive_infimum_is_not_announced_as_one_to_loss_0() -> None:
    """X1: equal samples with different labels; the statement's title must not promise loss 0."""
    report = vf.verify(np.array([[0.0], [0.0], [1.0], [2.0]]), [0, 1, 0, 1], [Dense(5, "tanh", skip=True)])
    step = next(step for step in report.theorem.steps if step.label == "path")
    assert step.reason.startswith("X1: ") and "loss 0" not in step.statement.title
    assert max(map(len, str(report).splitlines())) <= 80


def test_units_that_are_all_constant_and_chains_of_one_link(tmp_path) -> None:
    layers = [Dense(2, "tanh"), Dense(5, "tanh", skip=True)]
    X, y = np.arange(4.0).reshape(-1, 1), [0, 1, 0, 1]
    text = " ".join(vf.verify(X, y, layers, init="zeros").summary(verbose=True).split())
    assert "R5: all of the 5 skip units are 0 on the samples" in text
    assert "chains through depth (W3) 1 link, in layer 0" in text
    report = vf.verify(X, y, layers, seed=1)
    report.write(tmp_path / "c.json")
    words = str(read_description(tmp_path / "c.json"))
    assert "Claims a non-increasing path from every point (E4): from EVERY (U, V) a path" in words
