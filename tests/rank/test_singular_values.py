"""R4: enclosures of all singular values against planted truth and mpmath."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb, arb_mat
from hypothesis import given
from hypothesis import strategies as st
from planted import dense, fraction, mp, oracle
from planted_problems import planted_singular_values

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.cli import _guarded
from verifier.errors import InputError
from verifier.rank.certify import silent
from verifier.rank.singular_values import as_json, describe, matrix_singular_values, singular_values
from verifier.rank.spectrum_search import SpectrumSearch, has_digits
from verifier.verdict import Verdict

CASE = """
[data]
name = "digits"
samples = 12

[network]
layers = [{ kind = "dense", width = 15, activation = "tanh", skip = true }]
"""


def truth_of(rows, digits=120):
    """Singular values by mpmath, decreasing."""
    with mpmath.workdps(digits):
        matrix = mpmath.matrix([[mp(Fraction(v)) for v in row] for row in rows])
        return sorted((fraction(v) for v in mpmath.svd_r(matrix, compute_uv=False)), reverse=True)


def agrees(found, truth, slack=Fraction(1, 10**90)):
    """Whether every enclosure contains the oracle's value, which may be wrong by ``slack`` of the largest one."""
    room = truth[0] * slack
    assert len(found.lower) == len(truth)
    for low, high, value in zip(found.lower, found.upper, truth, strict=True):
        assert low.fraction() - room <= value <= high.fraction() + room
    return True


def truth_of_features(features):
    """The same for a network's features."""
    rows = oracle(features.network, features.u, features.inputs)
    return truth_of([[fraction(v) for v in row] for row in rows])


def enclosure(n, m, *, seed=0, name="tanh", scale=1.0, d=3):
    rng = np.random.default_rng(seed)
    net = dense([m], [name], d)
    return FeatureEnclosure(net, scale * rng.standard_normal(net.parameter_count), rng.standard_normal((n, d)), 64)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (5, 5), (5, 9), (9, 5), (6, 1)])
def test_singular_values_of_a_network(shape):
    features = enclosure(*shape)
    found = singular_values(features, 40)
    assert found.verdict is Verdict.PROVED and (found.samples, found.columns) == shape
    assert agrees(found, truth_of_features(features))
    ends = zip(found.lower, found.upper, strict=True)
    assert all((y.fraction() - x.fraction()) * 10**40 <= x.fraction() for x, y in ends)


@pytest.mark.parametrize("digits", [1, 16, 100, 1000])
def test_as_many_digits_as_asked(digits):
    rows = [[1.0, 2.0, 3.0], [4.0, 5.5, 6.25]]
    found = matrix_singular_values(ExactArray.of_floats(np.array(rows)), digits)
    assert found.verdict is Verdict.PROVED
    gram = [[sum(Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)) for b in rows] for a in rows]
    trace, det = gram[0][0] + gram[1][1], gram[0][0] * gram[1][1] - gram[0][1] ** 2
    for low, high in zip(found.lower, found.upper, strict=True):
        low, high = low.fraction() ** 2, high.fraction() ** 2
        assert (low**2 - trace * low + det) * (high**2 - trace * high + det) <= 0  # a root lies between
        assert (high - low) * 10**digits <= 3 * low


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    scale=st.sampled_from([-300, -20, 0, 20, 290]),
    grading=st.sampled_from([0, 3, 12]),
    seed=st.integers(0, 2**32 - 1),
)
def test_containment(shape, scale, grading, seed):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal(shape) * 10.0 ** -(grading * rng.uniform(size=(shape[0], 1)))
    if rng.integers(3) == 0:
        rows = np.round(rows)
    rows = rows * 10.0**scale
    found = matrix_singular_values(ExactArray.of_floats(rows), 20)
    assert found.verdict is Verdict.PROVED, found.reason
    if rows.any():
        assert agrees(found, truth_of(rows.tolist()))


def test_hilbert():
    n = 10
    common = math.lcm(*range(1, 2 * n))
    entries = [common // (i + j + 1) for i in range(n) for j in range(n)]
    found = matrix_singular_values(ExactArray.of_integers(entries, (n, n), 0), 50)
    assert found.verdict is Verdict.PROVED
    assert agrees(found, truth_of([entries[i * n : (i + 1) * n] for i in range(n)]))
    low, high = found.condition
    assert 1.602e13 < low <= high < 1.603e13


def test_rows_of_very_different_sizes():
    rows = np.diag([1e300, 1e-300, 1.0]) @ np.array([[1.0, 2, 3, 4], [0, 1, 1, 3], [1, 1, 1, 1]])
    found = matrix_singular_values(ExactArray.of_floats(rows), 30)
    assert found.verdict is Verdict.PROVED
    product = math.prod(v.fraction() for v in found.lower)
    exact = [[Fraction(v) for v in row] for row in rows.tolist()]
    gram = [[sum(x * y for x, y in zip(a, b, strict=True)) for b in exact] for a in exact]
    cycles = ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    det = sum(gram[0][i] * (gram[1][j] * gram[2][k] - gram[1][k] * gram[2][j]) for i, j, k in cycles)
    assert product**2 <= det <= math.prod(v.fraction() for v in found.upper) ** 2


def test_equal_columns_and_samples_vanish_exactly():
    features = enclosure(6, 9)
    twice = FeatureEnclosure(features.network, features.u, features.inputs[[0, 1, 2, 3, 0, 1]], 64)
    found = singular_values(twice, 30)
    assert found.verdict is Verdict.PROVED and "the last 2 vanish exactly" in found.reason
    assert [v.mantissa == 0 for v in found.upper] == [False] * 4 + [True] * 2
    assert found.condition is None and found.text(5) == "0"
    nothing = singular_values(FeatureEnclosure(features.network, 0 * features.u, features.inputs, 64))
    assert nothing.verdict is Verdict.PROVED and not any(v.mantissa for v in nothing.upper)


def test_a_null_space_of_unknown_dimension_is_undecided():
    balls = arb_mat(3, 4, [5, 6, 7, 8, 10, 12, 14, 16, 15, 18, 21, 24])
    found = SpectrumSearch(3, 4, 20, 256, lambda _: balls, lambda: 3, None, silent).run()
    assert found.verdict is Verdict.UNDECIDED and "sigma_3 is at most" in found.reason
    assert has_digits(found.lower[0], found.upper[0], 20)
    assert found.lower[2].mantissa == 0 < found.upper[2].fraction() < Fraction(1, 10**20)
    assert found.rounds < 30


def test_too_few_bits_are_undecided_and_still_enclose():
    features = enclosure(4, 6)
    found = singular_values(features, 50, max_bits=64)
    assert found.verdict is Verdict.UNDECIDED and "raise max_bits" in found.reason and "\n" not in found.reason
    assert agrees(found, truth_of_features(features))


@pytest.mark.parametrize("broken", ["nan", "inf"])
def test_entries_without_a_finite_enclosure_prove_nothing(broken):
    balls = arb_mat(2, 2, [1, 2, 3, arb(broken)])
    found = SpectrumSearch(2, 2, 10, 128, lambda _: balls, lambda: 2, None, silent).run()
    assert found.verdict is Verdict.UNDECIDED and found.lower == () and found.condition is None
    assert "no finite enclosure" in found.reason
    assert json.dumps(as_json(found)) and len(describe(found, 0.0)) == 2


def test_features_beyond_binary64():
    small = enclosure(3, 4, name="exp")
    features = FeatureEnclosure(small.network, small.u + np.repeat([0.0, 1500.0], [12, 4]), small.inputs, 64)
    found = singular_values(features, 10)
    assert found.verdict is Verdict.PROVED and found.upper[0].fraction() > 10**400
    assert agrees(found, truth_of_features(features))


def test_large_problems_are_refused_in_words(monkeypatch):
    monkeypatch.setattr("verifier.rank.spectrum_search.ROUND_LIMIT_SECONDS", 0.0)
    found = matrix_singular_values(ExactArray.of_floats(np.eye(3)))
    assert found.verdict is Verdict.UNDECIDED and "would take about" in found.reason and found.lower == ()


@pytest.mark.parametrize("digits", [0, -1, 1001, 2.0, True, "50", None])
def test_digits_out_of_range(digits):
    with pytest.raises(InputError, match=r"digits = .* must be a whole number in 1\.\.1000"):
        matrix_singular_values(ExactArray.of_floats(np.eye(2)), digits)


@pytest.mark.parametrize("max_bits", [0, 63, 16385, 128.0])
def test_bits_out_of_range(max_bits):
    with pytest.raises(InputError, match="max_bits"):
        matrix_singular_values(ExactArray.of_floats(np.eye(2)), max_bits=max_bits)


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (3,), (2, 2, 2)])
def test_only_matrices_have_singular_values(shape):
    with pytest.raises(InputError, match="no singular values"):
        matrix_singular_values(ExactArray.of_floats(np.zeros(shape)))


def test_command_line(tmp_path, capsys):
    case = tmp_path / "case.toml"
    case.write_text(CASE)
    assert _guarded(["rank", str(case), "--svd", "--digits", "25"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("PROVED ") and "(R4)" in lines[1] and "12 x 15" in lines[1]
    (extremes,) = [line for line in lines if line.startswith("largest ")]
    assert ", smallest " in extremes and "condition number" in extremes
    values = [line for line in lines if line.startswith("sigma_")]
    assert [line.split(" ")[0] for line in values] == [f"sigma_{k}" for k in range(1, 13)]
    assert _guarded(["rank", str(case), "--svd", "--digits", "25", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "PROVED" and document["digits"] == 25
    low, high = map(Fraction, document["condition"])
    assert low <= Fraction(document["upper"][0]) / Fraction(document["lower"][-1]) <= high * (1 + Fraction(1, 10**20))
    for line, low, high in zip(values, document["lower"], document["upper"], strict=True):
        x, error = (Fraction(part) for part in line.split(" = ")[1].split(" +- "))
        assert x - error <= Fraction(high) and Fraction(low) <= x + error
        assert 0 < Fraction(high) - Fraction(low) <= 2 * Fraction(low) / 10**25
    case.write_text(CASE + "[rank]\nmax_bits = 64\n")
    assert _guarded(["rank", str(case), "--svd"]) == 3
    assert "UNDECIDED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--digits", "5"], "--digits is an option of --svd"),
        (["--svd", "--out", "x.json"], "certificates carry R1 and R5"),
        (["--svd", "--digits", "0"], "digits = 0"),
    ],
)
def test_usage_errors(tmp_path, capsys, options, message):
    case = tmp_path / "case.toml"
    case.write_text(CASE)
    assert _guarded(["rank", str(case), *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and message in err


def test_no_samples():
    features = enclosure(2, 3)
    with pytest.raises(InputError, match="at least one sample"):
        singular_values(FeatureEnclosure(features.network, features.u, features.inputs[:0], 64))


def test_the_result_is_in_decreasing_order_and_exact():
    array, truth = planted_singular_values(np.random.default_rng(5), [9, 1, 4, 7], (4, 7))
    found = matrix_singular_values(array, 12)
    assert [v > 0 for v in truth] == [True] * 4
    assert sorted(found.lower, key=Dyadic.fraction, reverse=True) == list(found.lower)
    assert sorted(found.upper, key=Dyadic.fraction, reverse=True) == list(found.upper)
