"""R1 in binary64: residuals, norms and the claim."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.matrix import MatrixEnclosure
from verifier.rank import float_inverse as r1
from verifier.rank import inverse_norm
from verifier.rank.approx import approx_inverse64
from verifier.verdict import Verdict

BACKEND = numpy_backend(1)
STRICT = Backend(array_api_strict, "array-api-strict")


@pytest.mark.parametrize("backend", [BACKEND, STRICT], ids=["numpy", "strict"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (6, 6), (30, 45), (130, 150)])
def test_sharp_on_good_matrices(backend, shape):
    a = np.random.default_rng(1).standard_normal(shape)
    truth = np.linalg.svd(a, compute_uv=False)[-1]
    source = MatrixEnclosure(backend, a, np.full(shape[1], 1e-13))
    x = approx_inverse64(a)
    assert 0 < r1.certify_inverse64(source, x).sigma_lower <= truth
    assert 0.9 * truth <= r1.certify_inverse64(source, x, tight=True).sigma_lower <= truth
    columns = np.arange(shape[1] - shape[0], shape[1])
    part = r1.certify_inverse64(source, approx_inverse64(a[:, columns]), columns, tight=True)
    assert 0 < part.sigma_lower <= np.linalg.svd(a[:, columns], compute_uv=False)[-1] * (1 + 1e-12)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 8), extra=st.integers(0, 4), exponent=st.integers(-400, 400))
def test_singular_matrices_are_never_certified(seed, n, extra, exponent):
    rng = np.random.default_rng(seed)
    m, rank = n + extra, int(rng.integers(0, n))
    a = (rng.integers(-9, 10, (n, rank)) @ rng.integers(-9, 10, (rank, m))).astype(float) * 2.0**exponent
    source = MatrixEnclosure(BACKEND, a)
    with np.errstate(all="ignore"):
        for x in (np.linalg.pinv(a), rng.standard_normal((m, n)), approx_inverse64(a)):
            if x is not None:
                assert r1.certify_inverse64(source, x, tight=True).verdict is not Verdict.PROVED


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_extreme_scales(scale):
    found = r1.certify_inverse64(MatrixEnclosure(BACKEND, scale * np.eye(3)), np.eye(3) / scale)
    assert found.verdict is not Verdict.PROVED or 0 < found.sigma_lower <= scale


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_witnesses_that_are_not_finite_prove_nothing(value):
    for i in range(3):
        x = np.eye(3)
        x[i, 1] = value
        for tight in (False, True):
            assert (
                r1.certify_inverse64(MatrixEnclosure(BACKEND, np.eye(3)), x, tight=tight).verdict is not Verdict.PROVED
            )
        source = MatrixEnclosure(BACKEND, np.eye(3))
        source._a[i, 1] = value
        assert r1.certify_inverse64(source, np.eye(3)).verdict is not Verdict.PROVED


def test_a_row_sum_that_overflows_is_not_forgotten():
    """First rows with an infinite sum of finite entries, then small ones: no finite bound may result."""
    x = np.full((inverse_norm.ROWS + 1, 4), 1e-3)
    x[0] = 1e308
    assert inverse_norm.norm_bound(BACKEND, x) == np.inf


@pytest.mark.parametrize("columns", [[1, 0], [0, 0], [-1, 0], [0, 3], [0], [0, 1, 2]])
def test_columns_must_increase(columns):
    with pytest.raises(ValueError, match="strictly increasing"):
        r1.residual64(MatrixEnclosure(BACKEND, np.eye(3)[:2]), np.eye(2), np.array(columns))


def test_shapes_must_fit():
    source = MatrixEnclosure(BACKEND, np.eye(3)[:2])
    for shape in ((3, 3), (2, 2), (3,), (0, 2)):
        with pytest.raises(ValueError, match="X"):
            r1.residual64(source, np.ones(shape))


def test_proposals():
    assert approx_inverse64(np.zeros((2, 3))) is None
    assert approx_inverse64(np.full((2, 3), np.nan)) is None
    a = np.random.default_rng(0).standard_normal((6, 9))
    a[5] = a[4] + 1e-9 * a[5]
    x = approx_inverse64(a)
    assert np.linalg.norm(np.eye(6) - a @ x) < 1e-3
    assert 0 < r1.certify_inverse64(MatrixEnclosure(BACKEND, a), x).sigma_lower
