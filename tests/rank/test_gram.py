"""R2 in binary64: planted singular values, exact residuals, matrices that must never be certified."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import smallest_singular_value

from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.matrix import MatrixEnclosure
from verifier.errors import InputError
from verifier.rank import gram, gram_matrix
from verifier.rank.cholesky import estimate_smallest
from verifier.verdict import Verdict

BACKEND = numpy_backend(1)
STRICT = Backend(array_api_strict, "array-api-strict")


def hadamard(order):
    h = np.ones((1, 1))
    while len(h) < order:
        h = np.kron(h, np.array([[1.0, 1.0], [1.0, -1.0]]))
    return h


@pytest.mark.parametrize(
    ("backend", "n", "m"), [(BACKEND, 12, 16), (STRICT, 4, 4)], ids=["numpy", "strict"]
)  # the strict library is slow
@pytest.mark.parametrize(("block", "width"), [(None, None), (1, 1), (3, 5), (8, 16)])
@pytest.mark.parametrize("scale", [2.0**-60, 1.0, 2.0**60])
def test_planted_singular_values(backend, n, m, block, width, scale):
    """Rows of a Hadamard matrix times 1..N: the smallest singular value is sqrt(M), exactly."""
    truth = m**0.5 * scale
    a = scale * np.arange(1.0, n + 1)[:, None] * hadamard(m)[:n]
    source = MatrixEnclosure(backend, a)
    sizes = gram_matrix.plan(n, m, block=block, width=width)
    first = gram.certify_gram(source, sizes=sizes)
    second = gram.certify_gram(source, tight=True, sizes=sizes)
    assert 0 < first.sigma_lower <= truth and abs(first.estimate - truth) < 0.025 * truth
    assert 0.9 * truth <= second.sigma_lower <= truth


@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(2, 9), extra=st.integers(0, 5), exponent=st.integers(-300, 300),
    tight=st.booleans(), strict=st.booleans(),
)  # fmt: skip
def test_singular_matrices_are_never_certified(seed, n, extra, exponent, tight, strict):
    rng = np.random.default_rng(seed)
    m = n + extra
    rank = int(rng.integers(0, n))
    a = (rng.integers(-9, 10, (n, rank)) @ rng.integers(-9, 10, (rank, m))).astype(float) * 2.0**exponent
    sizes = gram_matrix.plan(n, m, block=int(rng.integers(1, 4)), width=int(rng.integers(1, 4)))
    found = gram.certify_gram(MatrixEnclosure(STRICT if strict else BACKEND, a), tight=tight, sizes=sizes)
    assert found.verdict is not Verdict.PROVED


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 8), extra=st.integers(0, 3), share=st.floats(1.0, 2.0))
def test_radii_that_reach_a_singular_matrix_are_never_certified(seed, n, extra, share):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, n + extra))
    y = np.linalg.svd(a)[0][:, -1]
    move = np.abs(np.outer(y, y @ a)).max(axis=0)
    found = gram.certify_gram(MatrixEnclosure(BACKEND, a, share * move * (1 + 1e-9)), tight=True)
    assert found.verdict is not Verdict.PROVED


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 5), (40, 40), (70, 90)])
def test_tight_bounds_are_within_ten_percent(shape):
    a = np.random.default_rng(3).standard_normal(shape)
    truth = float(np.linalg.svd(a, compute_uv=False)[-1])
    for block in (None, 16):
        found = gram.certify_gram(MatrixEnclosure(BACKEND, a), tight=True, sizes=gram_matrix.plan(*shape, block=block))
        assert 0.9 * truth <= found.sigma_lower <= truth * (1 + 1e-12)


@pytest.mark.parametrize("scale", [1e150, 1e154, 1e200, 1e300, 1e-140, 1e-160, 1e-200, 1e-300])
def test_extreme_scales_give_a_bound_below_the_truth_or_a_reason(scale):
    a = np.random.default_rng(5).standard_normal((4, 6)) * scale
    for tight in (False, True):
        found = gram.certify_gram(MatrixEnclosure(BACKEND, a), tight=tight)
        if scale > 1e154 or scale < 1e-150:
            assert found.verdict is not Verdict.PROVED
        if found.verdict is Verdict.PROVED:
            assert 0 < found.sigma_lower <= smallest_singular_value(a.tolist())


def test_wide_only():
    assert "exceeds M" in gram.certify_gram(MatrixEnclosure(BACKEND, np.eye(3)[:, :2])).reason


def test_not_a_number_is_refused_by_the_matrix_and_survived_by_the_proof():
    for value in (np.nan, np.inf, -np.inf):
        a = np.eye(3)
        a[1, 2] = value
        with pytest.raises(InputError, match=r"midpoints: entry \(1, 2\)"):
            MatrixEnclosure(BACKEND, a)
        for q in (value, -1.0):
            with pytest.raises(InputError, match=r"radii: entry \(1,\)"):
                MatrixEnclosure(BACKEND, np.eye(3), np.array([0.0, q, 0.0]))
        source = MatrixEnclosure(BACKEND, np.eye(3))
        source._a = a
        for tight in (False, True):
            assert gram.certify_gram(source, tight=tight).verdict is not Verdict.PROVED
        source = MatrixEnclosure(BACKEND, np.eye(3))
        source._q = np.array([0.0, value, 0.0])
        assert gram.certify_gram(source).verdict is not Verdict.PROVED
    with pytest.raises(InputError, match="shape"):
        MatrixEnclosure(BACKEND, np.eye(3), np.zeros(2))
    with pytest.raises(InputError, match="shape"):
        MatrixEnclosure(BACKEND, np.zeros((0, 3)))


def test_subnormal_entries_become_radii():
    source = MatrixEnclosure(BACKEND, np.array([[1.0, 5e-324], [0.0, 2.0]]), np.array([1e-320, 0.0]))
    (_, a, q), *rest = source.column_blocks(2)
    assert not rest and a.tolist() == [[1.0, 0.0], [0.0, 2.0]]
    assert q[0] == 2.0**-1022 and 2.0**-1022 < q[1] < 2.0**-1021
    (rows, again, _), *rest = source.row_blocks()
    assert not rest and rows == slice(0, 2) and again.tolist() == a.tolist()


@pytest.mark.parametrize("bad", [(0, 2), (1, 3)])
def test_blocks_that_do_not_cover_the_columns_are_refused(bad):
    source = MatrixEnclosure(BACKEND, np.eye(3))
    blocks = [source._a[:, slice(*bad)]]
    source.column_blocks = lambda width: iter([(slice(*bad), blocks[0], np.zeros(2))])
    with pytest.raises(ValueError, match="column"):
        gram.certify_gram(source)


@pytest.mark.parametrize("n", [500, 1500, 3000, 5000, 20000, 50000])
def test_planned_memory(n):
    sizes = gram_matrix.plan(n, 3 * n // 2)
    assert sizes.packed <= 4 * n * (n + sizes.block)
    if n >= 1500:
        assert max(sizes.gram, sizes.factor, sizes.tight) < 1.6 * 8 * n**2


@pytest.mark.parametrize("n", [1, 2, 40, 500])
def test_the_estimate_is_hardly_above_crowded_eigenvalues(n):
    """Those of a random matrix lie densely just above the smallest one."""
    a = np.random.default_rng(n).standard_normal((n, 3 * n // 2 + 1))
    h = a @ a.T
    factor, truth = np.linalg.cholesky(h), float(np.linalg.eigvalsh(h)[0])
    edges = [slice(start, min(start + 128, n)) for start in range(0, n, 128)]

    def column(k):
        return ((i, np.ascontiguousarray(factor[edges[i], edges[k]])) for i in range(k, len(edges)))

    for steps in (4, 10):
        assert 0.9 < estimate_smallest(BACKEND, column, edges, 0.0, steps) / truth < 1.001


def test_progress_runs_from_zero_to_one():
    seen = []
    gram.certify_gram(MatrixEnclosure(BACKEND, np.eye(5)), progress=seen.append, sizes=gram_matrix.plan(5, 5, block=2))
    assert seen == sorted(seen) and seen[-1] == 1.0
