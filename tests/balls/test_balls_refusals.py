"""What the engines refuse: each refusal in one line, next to what is just allowed."""

import array_api_strict
import numpy as np
import pytest
from flint import arb, arb_series, fmpq

from verifier.balls.activation import arb_kernel, tree_kernel
from verifier.balls.binary64 import activation as activation64
from verifier.balls.binary64.activation import Image, Unsupported
from verifier.balls.binary64.backend import Backend, backend_for, numpy_backend
from verifier.balls.binary64.bounds import MAX_LENGTH, gamma
from verifier.balls.binary64.canary import CanaryReport
from verifier.balls.binary64.float_enclosure import FloatEnclosure, NotEnclosed
from verifier.balls.binary64.loss import float_logits, float_loss
from verifier.balls.binary64.margins import float_margins
from verifier.balls.binary64.matrix import MatrixEnclosure
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.balls.series import taylor
from verifier.errors import ExpressionError, InputError
from verifier.network.layers import AvgPool, Dense
from verifier.network.network import Network
from verifier.sigma.activations import Activation, activation
from verifier.sigma.tree import Call, Var


def test_inner_products_of_any_used_length_have_a_constant():
    assert gamma(0) == 0.0 and 0 < gamma(1) < gamma(MAX_LENGTH) < 2.0**-12
    for length in (-1, MAX_LENGTH + 1):
        with pytest.raises(ValueError, match=r"must be in 0\.\.2\^40"):
            gamma(length)


@pytest.mark.parametrize("backend", [numpy_backend(1), Backend(array_api_strict, "array-api-strict")])
def test_backends_multiply_float64_only(backend):
    good, bad = backend.asarray(np.ones((2, 2))), backend.xp.ones((2, 2), dtype=backend.xp.float32)
    assert backend.numpy(backend.matmul(good, good)).tolist() == [[2.0, 2.0], [2.0, 2.0]]
    for pair in ((good, bad), (bad, good), (bad, bad)):
        with pytest.raises(TypeError, match="multiplies float64 only"):
            backend.matmul(*pair)
    assert backend.all_finite(backend.asarray(np.zeros((0, 3))))
    assert not backend.all_finite(backend.asarray(np.array([[1.0, np.nan]])))


def test_devices_are_cpu_and_gpu(monkeypatch):
    assert backend_for("cpu").name == "numpy"
    with pytest.raises(InputError, match="unknown device; use cpu or gpu"):
        backend_for("tpu")
    monkeypatch.setenv("CUBLAS_EMULATE_DOUBLE_PRECISION", "1")
    with pytest.raises(InputError, match="emulated FP64 products are not certified"):
        backend_for("gpu")


def test_a_failed_canary_says_so_in_its_record():
    failed = CanaryReport(passed=False, failure="1 + 1", library="numpy 2", checks=("square",))
    assert failed.describe() == "canary failed: 1 + 1 (numpy 2)"


def test_radii_stay_finite():
    huge = np.finfo(float).max
    MatrixEnclosure(numpy_backend(1), np.array([[1.0]]), np.array([huge]))
    with pytest.raises(InputError, match="a radius overflows"):
        MatrixEnclosure(numpy_backend(1), np.array([[1e-310]]), np.array([huge]))


@pytest.mark.parametrize("rule", ["rational", "root", "sign"])
def test_rules_that_the_binary64_kernels_do_not_have(rule):
    at, below = Image(arb(2, 1), arb(0)), Image(arb(-2, 1), arb(0))
    ops = activation64._ErrorOps(arb(1, 0.5))
    assert ops.call("sqrt", at).ball.contains(arb(2).sqrt())
    calls = {
        "rational": lambda: ops.pow_rational(at, 1, 3),
        "root": lambda: ops.call("sqrt", below),
        "sign": lambda: ops.call("sign", at),
    }
    with pytest.raises(Unsupported):
        calls[rule]()
    with pytest.raises(Unsupported, match="1/3"):
        activation64._ArrayOps(np, np.ones(1)).pow_rational(np.ones(1), 1, 3)


def test_slopes_without_a_bound_are_refused():
    """The derivative of (t^2)^(1/2) t written with a quotient has no enclosure over 0."""
    with pytest.raises(Unsupported):
        activation64.kernel_bounds(Activation.from_expression("(t**2 + t**4)**(1/2)"), -1.0, 1.0)


def test_functions_without_balls_or_series_are_refused():
    with pytest.raises(ExpressionError, match="has no ball arithmetic"):
        tree_kernel(Call("sine", (Var(),)))
    with pytest.raises(ExpressionError, match="has no Taylor series everywhere"):
        taylor(activation("relu"), [arb(1), arb(1)])


@pytest.mark.parametrize(("text", "value"), [("tanh(t)*pi", "pi*tanh(2)"), ("(1 + t**2)**(1/3) + E*t", "5^(1/3)+2e")])
def test_series_and_balls_know_constants_and_rational_powers(text, value):
    sigma = Activation.from_expression(text)
    with working_precision(128):
        two = arb(2)
        truth = {
            "pi*tanh(2)": arb.pi() * two.tanh(),
            "5^(1/3)+2e": arb(5) ** fmpq(1, 3) + 2 * arb.const_e(),
        }[value]
        for found in (arb_kernel(sigma)(two), taylor(sigma, [two, arb(1)])[0]):
            assert found.overlaps(truth) and found.rad() < 1e-30
        slope, step = taylor(sigma, [two, arb(1)])[1], arb(2) ** -20
        secant = (arb_kernel(sigma)(two + step) - arb_kernel(sigma)(two - step)) / (2 * step)
        assert abs(slope - secant) < 1e-10
        assert isinstance(arb_series([slope]), arb_series)


def linear(scale, classes=2):
    network = Network((2,), (Dense(2, activation("identity"), skip=True),))
    u = np.array([scale, 0.0, 0.0, scale, 0.0, 0.0])
    features = FloatEnclosure(network, u, np.array([[1.0, 0.5], [0.25, 1.0]]), numpy_backend(1))
    return features, ExactArray.of_floats(np.full((2, classes), scale) * [1.0, -1.0])


def test_overflow_of_logits_margins_and_losses_is_said():
    """At 1e100 all is enclosed; at 1e154 squares overflow."""
    labels, counts = np.array([0, 1]), [1, 1]
    features, v = linear(1e100)
    assert np.isfinite(float_logits(features, v).mid).all()
    assert float_loss(features, v, labels, counts).is_finite()
    features, v = linear(1e154)
    for call in (
        lambda: float_logits(features, v),
        lambda: float_margins(features, [v], labels),
        lambda: float_loss(features, v, labels, counts),
    ):
        with pytest.raises(NotEnclosed):
            call()


def test_pooled_features_that_overflow_are_refused():
    network = Network((1, 2), (AvgPool((2,), skip=True),))
    none = np.zeros(0)
    fine = FloatEnclosure(network, none, np.array([[1.0, 3.0]]), numpy_backend(1))
    assert fine.approx().tolist() == [[2.0]]
    huge = FloatEnclosure(network, none, np.array([[1.7e308, 1.7e308]]), numpy_backend(1))
    with pytest.raises(NotEnclosed, match="overflows"):
        list(huge.row_blocks())


def test_large_enclosures_are_not_kept(monkeypatch):
    """Above the limit of what is kept, every pass computes the blocks again, to the same result."""
    monkeypatch.setattr("verifier.balls.feature_enclosure.CACHE_ENTRIES", 0)
    network = Network((2,), (Dense(2, activation("tanh"), skip=True),))
    features = FeatureEnclosure(network, np.ones(6), np.eye(2), 64)
    (_, first), (_, second) = next(features.blocks()), next(features.blocks())
    assert first is not second and str(first) == str(second)


def test_arrays_of_zeros_are_integers():
    zero = ExactArray.of_floats(np.array([[0.0, -0.0]]))
    assert zero.integers()[0] == [0, 0]
