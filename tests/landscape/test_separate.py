"""Proposals for V1: untrusted, but finite, of the right shape, and good where a solution exists."""

from fractions import Fraction

import numpy as np
import pytest

from verifier.balls.exact import ExactArray
from verifier.landscape import separate
from verifier.landscape.separate import approx_margin, proposals
from verifier.rank.right_inverse import RightInverse


def margin_by_definition(psi, v, labels):
    g = psi @ v
    return min(g[i, y] - g[i, k] for i, y in enumerate(labels) for k in range(g.shape[1]) if k != y)


def test_the_margin_is_the_smallest_difference():
    rng = np.random.default_rng(0)
    psi, v, labels = rng.standard_normal((6, 4)), rng.standard_normal((4, 3)), rng.integers(0, 3, 6)
    assert approx_margin(psi, v, labels) == pytest.approx(margin_by_definition(psi, v, labels))


@pytest.mark.parametrize("seed", range(5))
def test_wide_features_are_solved_by_least_squares_first(seed):
    rng = np.random.default_rng(seed)
    psi, labels = rng.standard_normal((6, 9)), rng.integers(0, 3, 6)
    method, v = next(proposals(psi, labels, 3, None))
    assert method == "least squares" and v.shape == (9, 3)
    assert margin_by_definition(psi, v.approx(), labels) == pytest.approx(1.0, abs=1e-2)


def test_separable_data_with_few_units_are_separated():
    """M = 2 < N = 20; least squares misclassifies the far samples' near neighbours, the hinge does not."""
    x = np.concatenate([np.linspace(1, 2, 10), np.linspace(2.2, 100, 10)])
    psi, labels = np.stack([x, np.ones(20)], axis=1), np.repeat([0, 1], 10)
    found = dict(proposals(psi, labels, 2, None))
    assert set(found) & {"squared hinge", "linear program"}
    assert max(margin_by_definition(psi, v.approx(), labels) for v in found.values()) > 0


def test_nothing_is_proposed_where_nothing_separates():
    psi, labels = np.array([[1.0], [2.0], [3.0]]), np.array([0, 1, 0])
    assert list(proposals(psi, labels, 2, None)) == []


def test_equal_features_with_different_labels_get_no_proposal():
    assert list(proposals(np.ones((2, 5)), np.array([0, 1]), 2, None)) == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [0.0, 5e-324, 1e-300, 1e-160, 1e160, 1e300, np.inf, np.nan])
def test_extreme_features_give_finite_proposals_or_none(scale):
    with np.errstate(all="ignore"):
        psi = np.random.default_rng(0).standard_normal((4, 6)) * scale
    for _, v in proposals(psi, np.array([0, 1, 0, 1]), 2, None):
        assert v.shape == (6, 2) and np.isfinite(v.approx()).all()


def test_the_right_inverse_is_multiplied_exactly():
    columns = np.array([1, 3])
    x = ExactArray.of_integers([2**70 + 1, -1, 5, 7], (2, 2), -3)
    *_, (method, v) = proposals(np.full((2, 4), np.nan), np.array([1, 0]), 2, RightInverse(x, columns, 10, 0))
    assert method == "right inverse" and v.shape == (4, 2)
    numerators, exponent = v.integers()
    shift = exponent + 3
    wanted = [0, 0, -1, 2**70 + 1, 0, 0, 7, 5]
    assert [n * 2**shift for n in numerators] == wanted


def test_the_right_inverse_comes_last_and_always():
    rng = np.random.default_rng(1)
    psi = rng.standard_normal((3, 5))
    x = ExactArray.of_floats(np.linalg.pinv(psi))
    found = [method for method, _ in proposals(psi, np.array([0, 1, 1]), 2, RightInverse(x, None, 30, 0))]
    assert found[0] == "least squares" and found[-1] == "right inverse"


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_a_product_with_a_right_inverse_is_exact_block_by_block(rows, monkeypatch):
    """Terms of several exponents, floats too: each block of rows has a common exponent of its own."""
    monkeypatch.setattr(separate, "ROWS", rows)
    rng = np.random.default_rng(3)
    small, floats = (
        rng.integers(-9, 9, (5, 3)).astype(np.int16),
        rng.standard_normal((5, 3)) * 2.0 ** np.arange(0, 50, 10)[:, None],
    )
    target = ExactArray.of_floats(rng.standard_normal((3, 2)))
    for terms in (((small, -3),), ((floats, 0),), ((floats, -7), (small, 2))):
        x = ExactArray((5, 3), terms)
        for columns in (None, np.array([0, 2, 3, 6, 7])):
            found = separate.times_right_inverse(RightInverse(x, columns, 10, 0), target, 5 if columns is None else 8)
            exact, t = _fractions(x), _fractions(target)
            product = [[sum(a * t[j][k] for j, a in enumerate(row)) for k in range(2)] for row in exact]
            picked = range(5) if columns is None else columns.tolist()
            wanted = [[Fraction(0)] * 2 for _ in range(found.shape[0])]
            for position, row in zip(picked, product, strict=True):
                wanted[position] = row
            assert _fractions(found) == wanted


def _fractions(array):
    numbers, exponent = array.integers()
    values = [number * Fraction(2) ** exponent for number in numbers]
    return [values[start : start + array.shape[1]] for start in range(0, len(values), array.shape[1])]
