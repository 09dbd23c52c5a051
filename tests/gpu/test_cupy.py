"""The very kernels of the other tests, on a GPU by CuPy. Run with `pytest -m gpu`; skipped without CuPy or a GPU."""

import numpy as np
import pytest
from planted_graphs import STEPS, random_graph, random_point

from verifier.balls.binary64.backend import cupy_backend, numpy_backend
from verifier.balls.binary64.canary import canary
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.matrix import MatrixEnclosure
from verifier.balls.double_double.enclosure import DoubleDoubleEnclosure
from verifier.errors import InputError
from verifier.network.initialise import initialise
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank.approx import approx_inverse64
from verifier.rank.float_inverse import certify_inverse64
from verifier.rank.gram import certify_gram
from verifier.sigma.activations import activation
from verifier.verdict import Verdict

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def gpu():
    pytest.importorskip("cupy")
    try:
        return cupy_backend()
    except InputError as error:
        pytest.skip(str(error))


def test_the_platform_is_what_the_bounds_assume(gpu):
    report = canary(gpu, [(256, 64, 300), (1000, 777, 513)])
    assert report.passed, report.failure


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "gelu", "arctan", "erf", "sin", "algebraic"])
def test_both_libraries_enclose_the_same_features(gpu, name):
    network = Network((20,), (Dense(70, activation(name), skip=True),))
    u = initialise(network, seed=3)
    x = np.random.default_rng(0).standard_normal((50, 20))
    (_, a, p), *_ = FloatEnclosure(network, u, x, numpy_backend()).row_blocks()
    (_, b, q), *_ = FloatEnclosure(network, u, x, gpu).row_blocks()
    assert (np.abs(a - gpu.numpy(b)) <= p + gpu.numpy(q)).all()


def test_convolutions_and_pools(gpu):
    tanh = activation("tanh")
    layers = (
        Conv(3, (3, 3), tanh, padding=1, skip=True),
        Conv(3, (3, 3), tanh, skip=True),
        AvgPool((2, 2), skip=True),
        Dense(30, tanh, skip=True),
    )
    network = Network((1, 8, 8), layers)
    u = initialise(network, seed=1)
    x = np.random.default_rng(1).standard_normal((20, 64))
    (_, a, p), *_ = FloatEnclosure(network, u, x, numpy_backend()).row_blocks()
    (_, b, q), *_ = FloatEnclosure(network, u, x, gpu).row_blocks()
    assert (np.abs(a - gpu.numpy(b)) <= p + gpu.numpy(q)).all()


@pytest.mark.parametrize("kind", sorted(STEPS))
def test_both_libraries_enclose_the_same_features_in_double_double(gpu, kind):
    rng = np.random.default_rng(sorted(STEPS).index(kind))
    network = random_graph(rng, kinds=[kind, kind, "map", "affine"], steps=4)
    u, x = random_point(rng, network, count=3, scale=1.0)
    (_, a, p), *_ = DoubleDoubleEnclosure(network, u, x, numpy_backend()).row_blocks()
    (_, b, q), *_ = DoubleDoubleEnclosure(network, u, x, gpu).row_blocks()
    away = np.abs((a.hi - gpu.numpy(b.hi)) + (a.lo - gpu.numpy(b.lo)))
    assert (away <= (p + gpu.numpy(q)) * (1.0 + 1e-9)).all()


def test_rank_on_the_gpu(gpu):
    a = np.random.default_rng(2).standard_normal((300, 500))
    sigma = np.linalg.svd(a, compute_uv=False)[-1]
    source = MatrixEnclosure(gpu, a)
    found = certify_gram(source, tight=True)
    assert found.verdict is Verdict.PROVED and 0.9 * sigma < found.sigma_lower <= sigma * (1 + 1e-9)
    x = approx_inverse64(a)
    inverse = certify_inverse64(source, x, tight=True)
    assert not isinstance(inverse, str) and 0.8 * sigma < inverse.sigma_lower <= sigma * (1 + 1e-9)


def test_a_singular_matrix_is_not_certified(gpu):
    a = np.random.default_rng(3).integers(-9, 9, (40, 60)).astype(float)
    a[-1] = a[0] + a[1]
    assert certify_gram(MatrixEnclosure(gpu, a)).verdict is not Verdict.PROVED
