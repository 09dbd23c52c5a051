"""J2: the interpolant exists where it is said to, by an iteration at 60 digits; planted impossibilities are refused."""

import mpmath
import numpy as np
import pytest

import verifier as vf
from verifier.balls.binary64.backend import numpy_backend
from verifier.fuzz import oracle
from verifier.landscape import interpolant
from verifier.landscape.interpolant import newton, prove_interpolant
from verifier.verdict import Verdict

BACKEND = numpy_backend(1)


def case(sigma="tanh", count=9, outputs=1, moved=2.0**-7, seed=0):
    """A start near weights with the targets, rounded to binary64."""
    network = vf.Network(2, (vf.Dense(5, sigma), vf.Dense(3, sigma, skip=True)))
    rng = np.random.default_rng(seed)
    u, v = vf.initialise(network, seed=seed), rng.standard_normal((3, outputs))
    x = rng.standard_normal((count, 2))
    t = vf.FeatureEnclosure(network, u, x, 64).approx() @ v
    return network, u + moved * rng.uniform(-1, 1, len(u)), v, x, t


def numbers(values):
    return [mpmath.mpf(float(x)) for x in np.asarray(values).ravel()]


def error_at(network, theta, x, t):
    """``Psi(U) V - T`` at mpmath numbers theta."""
    p, outputs = network.parameter_count, t.shape[1]
    rows = [oracle.feature_row(network, theta[:p], numbers(sample), oracle.REAL) for sample in x]
    weights = [theta[p + j * outputs : p + (j + 1) * outputs] for j in range(network.columns)]
    return [mpmath.fsum(f * w[k] for f, w in zip(row, weights, strict=True)) - mpmath.mpf(float(t[i, k]))
            for i, row in enumerate(rows) for k in range(outputs)]  # fmt: skip


def theta_of(where, found, c):
    """theta0 + B c."""
    theta = numbers(where.u) + numbers(where.v)
    for j, row in zip(found.columns.tolist(), found.inverse.tolist(), strict=True):
        theta[j] += mpmath.fsum(mpmath.mpf(b) * x for b, x in zip(row, c, strict=True))
    return theta


@pytest.mark.parametrize(("sigma", "outputs", "seed"), [("tanh", 1, 0), ("softplus", 2, 1), ("relu", 1, 0)])
def test_the_interpolant_exists(sigma, outputs, seed):
    network, u, v, x, t = case(sigma, 6 if sigma == "relu" else 9, outputs, seed=seed)
    found = prove_interpolant(network, u, v, x, t, backend=BACKEND)
    assert found.proved, found.reason
    assert found.dimension == len(u) + v.size - t.size
    with mpmath.workdps(60):
        rho = mpmath.mpf(found.rho.mantissa) * mpmath.mpf(2) ** found.rho.exponent
        c = [mpmath.mpf(0)] * t.size
        for _ in range(12):
            error = error_at(network, theta_of(found.where, found.found, c), x, t)
            c = [a - b for a, b in zip(c, error, strict=True)]
            assert max(map(abs, c)) <= rho
        theta = theta_of(found.where, found.found, c)
        assert max(map(abs, error_at(network, theta, x, t))) < mpmath.mpf(10) ** -30
        start = numbers(u) + numbers(v)
        away = max(abs(a - b) for a, b in zip(theta, start, strict=True))
        assert away <= mpmath.mpf(found.distance.mantissa) * mpmath.mpf(2) ** found.distance.exponent
        assert away > 2.0**-12  # the start is no interpolant
    assert newton(network, u, v, x, t) is not None


def test_what_has_no_interpolant_is_not_certified():
    network, u, v, x, t = case()
    equal = x.copy()
    equal[1] = equal[0]
    assert prove_interpolant(network, u, v, equal, t, backend=BACKEND).verdict is Verdict.UNDECIDED
    linear = vf.Network(2, (vf.Dense(9, "identity"), vf.Dense(4, "identity", skip=True)))
    found = prove_interpolant(linear, vf.initialise(linear), np.ones((4, 1)), x, t, backend=BACKEND)
    assert found.verdict is Verdict.UNDECIDED
    small = vf.Network(2, vf.Dense(1, "tanh", skip=True))
    few = prove_interpolant(small, vf.initialise(small), np.ones((1, 1)), x, t)
    assert "4 parameters for 9 equations" in few.reason


def test_no_zero_just_beside_one(monkeypatch):
    """F = theta^2 + delta has a good inverse at theta0, a tiny value there, and no zero."""
    network = vf.Network(1, vf.Dense(1, "square", skip=True))
    x, v, t = np.array([[1.0]]), np.array([[1.0]]), np.array([[-(2.0**-40)]])
    u = np.array([2.0**-20, 0.0])
    monkeypatch.setattr(interpolant, "newton", lambda network, u, v, x, t: (u, v))
    monkeypatch.setattr(interpolant, "free_parameters", lambda *_: np.array([0]))  # V stands still
    assert prove_interpolant(network, u, v, x, t, backend=BACKEND).verdict is Verdict.UNDECIDED
    reachable = np.array([[2.0**-40 + 2.0**-50]])
    assert prove_interpolant(network, u, v, x, reachable, backend=BACKEND).proved


def test_a_kink_in_the_box_is_refused(monkeypatch):
    network = vf.Network(1, vf.Dense(1, "relu", skip=True))
    monkeypatch.setattr(interpolant, "newton", lambda network, u, v, x, t: (u, v))
    at_kink = prove_interpolant(network, np.array([0.0, 0.0]), np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1)))
    assert not at_kink.proved and "not differentiable near there: node" in at_kink.reason


def test_a_broken_copy_that_forgets_the_box_is_caught(monkeypatch):
    """With J at the point alone the example without a zero would be certified."""
    monkeypatch.setattr(interpolant.Parameters, "around", lambda self, reach: self)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test_no_zero_just_beside_one(monkeypatch)
