"""Results that lie in an ``if``: bool() of a verdict, an answer or a report raises and names what to ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import verifier as vf
from verifier.statements.threshold import prove_threshold

X = np.random.default_rng(1).normal(size=(8, 2))
Y = [0, 1] * 4


@pytest.fixture(scope="module")
def found() -> vf.Report:
    return vf.verify(X, Y, [vf.Dense(10, "tanh", skip=True)], scale=2.0, losses=["squared"])


@pytest.fixture(scope="module")
def stuck() -> vf.Report:
    return vf.verify(X, Y, [vf.Dense(10, "tanh", skip=True)], init="zeros", v=np.zeros((10, 2)))


def raises(result: Any, asked: str = "proved") -> None:
    says = rf"^{type(result).__name__} is neither true nor false in an if; ask .{asked}$"
    for use in (bool, lambda r: not r, lambda r: r or None, lambda r: r and None, lambda r: 1 if r else 0):
        with pytest.raises(TypeError, match=says):
            use(result)
    assert isinstance(getattr(result, asked), bool)


@pytest.mark.parametrize("verdict", vf.Verdict)
def test_verdicts(verdict: vf.Verdict) -> None:
    raises(verdict)
    assert verdict.proved is (verdict is vf.Verdict.PROVED)
    # what a text can do, it can still do
    assert verdict == verdict.value == str(verdict) == f"{verdict}"
    assert verdict in {"PROVED", "REFUTED", "UNDECIDED", "TESTED"}
    assert vf.Verdict(verdict.value) is verdict


def test_results(found: vf.Report, stuck: vf.Report, tmp_path: Any) -> None:
    theorem = found.theorem
    network, rank = found.network, found.rank
    for result in (
        found, rank, found.zero_loss, theorem, theorem.witness, theorem.ball, theorem.gradient,
        theorem.curvature, theorem.gateway, found.steps[0], theorem.steps[0], stuck, stuck.rank,
        stuck.escape, vf.check_assumption(network, found.data), vf.full_rank_fraction(network, X, range(2)),
        vf.prove_path(found.zero_loss, found.v, Y, [1] * 8), vf.random_witness(network, X), prove_threshold(),
        vf.matrix([[1, 2], [2, 4]]), vf.matrix([[1, 2], [2, 4]]).definite, vf.matrix([[1]]).values,
        vf.certify_gram(vf.MatrixEnclosure(vf.numpy_backend(), np.eye(2))), vf.singular_values(found.features, 3),
        vf.certify_inverse64(vf.MatrixEnclosure(vf.numpy_backend(), np.eye(2)), np.eye(2)),
        vf.prove_loss_path(found.features, "squared", found.v, Y, [1] * 8),
    ):  # fmt: skip
        raises(result)
    certificate = found.write(tmp_path / "c.json")
    accepted = vf.check(certificate)
    raises(accepted, "accepted")
    assert accepted.accepted
    certificate.write_text(certificate.read_text().replace('"rank": 8', '"rank": 9', 1))
    rejected = vf.check(certificate)
    raises(rejected, "accepted")
    assert not rejected.accepted
    raises(vf.canary(vf.numpy_backend(), []), "passed")


def test_proved_is_what_the_verdict_says(found: vf.Report, stuck: vf.Report) -> None:
    assert found.proved
    assert found.rank.proved
    assert not stuck.proved  # the rank is REFUTED there
    assert not stuck.rank.proved
    assert stuck.escape.proved
    assert not stuck.theorem.proved
    assert not vf.matrix([[1, 2], [2, 4]]).proved


def test_certify_gram_has_one_type() -> None:
    backend = vf.numpy_backend()
    proved = vf.certify_gram(vf.MatrixEnclosure(backend, np.eye(2)))
    singular = vf.certify_gram(vf.MatrixEnclosure(backend, np.ones((2, 2))))
    tall = vf.certify_gram(vf.MatrixEnclosure(backend, np.eye(3)[:, :2]))
    assert [r.verdict for r in (proved, singular, tall)] == [
        vf.Verdict.PROVED,
        vf.Verdict.UNDECIDED,
        vf.Verdict.REFUTED,
    ]
    assert type(proved) is type(singular) is type(tall)
    assert proved.sigma_lower > 0 == singular.sigma_lower == tall.sigma_lower
    assert "exceeds M" in tall.reason


def test_a_printed_report_shows_every_statement(found: vf.Report, stuck: vf.Report) -> None:
    for result in (found, stuck):
        text = result.summary(verbose=True)
        assert max(map(len, text.splitlines())) <= 80
        said = " ".join(text.split())
        for step in result.steps:
            assert f"({step.label}) {' '.join(step.reason.split())}" in said
        for step in result.theorem.steps:
            reason = " ".join(step.reason.split())
            shown = f"{step.verdict} {step.name} ({step.label})"
            if step.label == "path":  # called what the loss does on it
                shown = f"{result.verdict('path')} "
            applies = shown in said and reason in said
            assert applies if step.applies else f"{step.label}: {step.statement.name.partition(' (')[0]}" in said
        assert result.summary(verbose=True) == text
        brief = str(result)
        assert brief == result.summary() and max(map(len, brief.splitlines())) <= 80
        assert str(result.theorem.verdict("T3.4(2)")) in brief and len(brief) < len(text) / 2
