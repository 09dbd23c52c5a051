"""Lemma 2.1: its steps, its sharpness, its instances."""

from fractions import Fraction

import pytest
from flint import arb

from verifier.errors import InputError, VerifierError
from verifier.statements import threshold
from verifier.statements.threshold import check_instance, prove_threshold, sharpness
from verifier.verdict import Verdict


def test_a_step_that_fails_is_not_proved(monkeypatch):
    """If sympy left the boundary value open, the lemma would be UNDECIDED."""
    monkeypatch.setattr(threshold.sympy, "log", threshold.sympy.Function("f"))
    found = prove_threshold()
    assert found.verdict is Verdict.UNDECIDED and not all(step.holds for step in found.steps)


def test_no_constant_above_log_2_would_do():
    """For every margin the misclassifying output is above the threshold, by less and less."""
    ratios = [example.upper.fraction() for example in sharpness(5, (1, 2, 8, 64, 512))[1:]]
    assert ratios == sorted(ratios, reverse=True) and 1 < ratios[-1] < 1 + Fraction(1, 2**500)


def test_a_tied_sample_is_never_proved_correct():
    for others in (10, 1000):
        found = check_instance([[arb(0)], [arb(others)]], [1, 1])
        assert found.verdict is Verdict.UNDECIDED and "not proved" in found.reason


def test_a_contradiction_is_a_bug_and_raises(monkeypatch):
    monkeypatch.setattr(threshold, "cross_entropy", lambda rows, counts: arb(0))
    with pytest.raises(VerifierError, match="sample 1 may be <= 0: a bug"):
        check_instance([[arb(1)], [arb(0, 1)]], [1, 1])


@pytest.mark.parametrize(
    ("rows", "counts"), [([], []), ([[]], [1]), ([[arb(1)]], [1, 1]), ([[arb(1)]], [0]), ([[arb(1)], []], [1, 1])]
)
def test_bad_instances(rows, counts):
    with pytest.raises(InputError, match="rows of margins"):
        check_instance(rows, counts)


@pytest.mark.parametrize(("samples", "margins"), [(0, (1,)), (2, (0,)), (2, (3, -1))])
def test_bad_examples(samples, margins):
    with pytest.raises(InputError, match="at least 1"):
        sharpness(samples, margins)
