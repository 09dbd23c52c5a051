"""The binary64 engine against Arb: elementary functions, activations, features, margins."""

import math
import warnings

import array_api_strict
import numpy as np
import pytest
from flint import arb
from planted import (
    EXACT,
    ORACLE,
    contains,
    dense,
    ends,
    fraction,
    over_seeds,
    random_parameters,
    random_samples,
    shuffled_dag,
)
from test_binary64_guarantees import ARGUMENTS, ELEMENTARY, elementary_points, worst_errors

from verifier.balls.activation import tree_kernel
from verifier.balls.binary64 import elementary
from verifier.balls.binary64 import row_enclosure as features
from verifier.balls.binary64.activation import Unsupported, array_kernel, kernel_bounds
from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.bounds import TINY, U
from verifier.balls.binary64.float_enclosure import FloatEnclosure, NotEnclosed
from verifier.balls.binary64.float_functions import BINARY64, FLOAT_FUNCTIONS, Image
from verifier.balls.binary64.margins import float_margins
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.margins import enclose_margins
from verifier.balls.precision import working_precision
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.sigma.activations import Activation, activation
from verifier.sigma.functions import FUNCTIONS

STRICT = Backend(array_api_strict, "array-api-strict")
BACKENDS = [numpy_backend(1), STRICT]
CATALOGUE = (
    "sigmoid tanh softplus arctan erf algebraic identity sin gelu silu exp square cubic relu leaky_relu elu hard_tanh"
).split()
CUSTOM = (
    "tanh(t)+t/10 erf(pi*t)-E*t t/(1+Abs(t)) exp(-t**2) cos(t) sqrt(1+t**2) t**3/3-t sinh(t) log(1+t**2) t*(1-erf(t)) "
    "cosh(t)"
).split()


@pytest.mark.parametrize("name", sorted(ELEMENTARY))
def test_elementary_functions_keep_their_bounds(name):
    """About 2e5 points in all; at special points, at reduction and cell boundaries, and at random."""
    rng = np.random.default_rng(len(name))
    points = elementary_points(name, rng, 14_000)
    assert len(points) >= 14_000
    assert worst_errors(name, points) <= 1.0


@pytest.mark.parametrize("name", FLOAT_FUNCTIONS)
@pytest.mark.parametrize("moved", [2.0**-6, 2.0**-20])
def test_what_an_argument_may_be_off_is_carried_on(name, moved):
    """|f(x') - f(x)| for |x' - x| <= e is within the rule's error: no slope in the table is too small."""
    exact, tried = FUNCTIONS[name].arb, 0
    with working_precision(128):
        for x in (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 30.0):
            try:
                error = BINARY64.image(name, Image(arb(x), arb(moved))).error
            except Unsupported:
                continue
            for end in (x - moved, x + moved):
                change = abs(exact(arb(end)) - exact(arb(x)))
                if change.is_finite():
                    assert change <= error, (x, end)
                    tried += 1
    assert tried >= 6


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ELEMENTARY))
def test_elementary_functions_keep_their_bounds_everywhere(name):
    for seed in range(10):
        assert worst_errors(name, elementary_points(name, np.random.default_rng(seed), 60_000)) <= 1.0


@pytest.mark.parametrize("name", sorted(ELEMENTARY))
def test_libraries_agree_bit_for_bit(name):
    points = elementary_points(name, np.random.default_rng(1), 300)
    function = ELEMENTARY[name][0]
    strict = function(array_api_strict, array_api_strict.asarray(points))
    ours = function(BACKENDS[0].xp, points.copy())
    if name == "log":
        np.testing.assert_allclose(np.asarray(strict), ours, rtol=1e-15)
    else:
        assert np.array_equal(np.asarray(strict), ours)


def test_exp_at_the_ends_of_its_range():
    xp = BACKENDS[0].xp
    x = np.array([0.0, -0.0, 5e-324, -5e-324, 709.0, -708.0, -709.0, -745.2, -1e5, -1e300, -np.finfo(float).max])
    y = elementary.exp(xp, x)
    assert (y[:4] == 1.0).all() and np.isfinite(y).all() and (y[5:] >= 0).all() and (y[6:] <= 2.0**-1021).all()
    assert abs(y[4] / math.exp(709.0) - 1) < 1e-15


def test_huge_arguments_saturate():
    xp = BACKENDS[0].xp
    huge = np.array([1e300, -1e300, 800.0, -800.0, 1e16, -1e16])
    signs = np.sign(huge)
    assert np.array_equal(elementary.tanh(xp, huge), signs)
    assert np.array_equal(elementary.erf(xp, huge), signs)
    assert np.abs(elementary.arctan(xp, huge) - signs * math.pi / 2).max() <= 0.00125 + elementary.arctan_error()
    assert np.array_equal(elementary.sigmoid(xp, huge) > 0.5, huge > 0)
    assert np.array_equal(elementary.softplus(xp, huge)[::2], huge[::2])


def test_a_wrong_logarithm_is_refused():
    class Wrong:
        def __getattr__(self, name):
            return getattr(BACKENDS[0].xp, name)

        def log(self, x):
            return np.log(x) * (1 + 1e-13)

    with pytest.raises(elementary.LogarithmRefused):
        elementary.log(Wrong(), np.array([2.0, 1e30]))


def test_tables_are_sharp():
    """The proved error of each table is a few roundings, not more."""
    for name in ("erf", "atan", "sin", "cos"):
        assert U < elementary.table(name).error < 16 * U


@pytest.mark.parametrize("name", CATALOGUE + CUSTOM)
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (-30.0, 12.0), (0.0, 0.0), (3.0, 3.0), (-1e-300, 1e-300),
                                           (-20.0, -19.5), (-740.0, 0.5), (-1e4, 1e4)])  # fmt: skip
def test_kernels_on_intervals(name, low, high):
    try:
        sigma = activation(name)
    except Exception:
        sigma = Activation.from_expression(name)
    rng = np.random.default_rng(3)
    points = np.unique(np.concatenate([[low, high, 0.5 * (low + high)], rng.uniform(low, high, 60),
                                       np.clip(rng.standard_normal(40) * 10.0 ** rng.integers(-9, 2, 40), low, high)]))  # fmt: skip  # noqa: E501
    try:
        bounds = kernel_bounds(sigma, low, high)
    except Unsupported as error:
        assert str(error) and (low < -600 or high > 600), f"{name} is refused on [{low}, {high}]: {error}"
        return
    assert math.isfinite(bounds.error) and math.isfinite(bounds.lipschitz) and bounds.error >= 0
    with working_precision(160):
        exact = tree_kernel(sigma.tree)
        truth = [exact(arb(v)) for v in points.tolist()]
        for backend in BACKENDS:
            found = backend.numpy(array_kernel(sigma, backend.xp)(backend.asarray(points)))
            assert np.isfinite(found).all() and not ((found != 0) & (np.abs(found) < 2.0**-1013)).any()
            for v, t in zip(found.tolist(), truth, strict=True):
                assert not abs(arb(v) - t) > bounds.error
        for (x, fx), (y, fy) in zip(
            zip(points.tolist(), truth, strict=True), zip(points[1:].tolist(), truth[1:], strict=True), strict=False
        ):
            assert not abs(fx - fy) > arb(bounds.lipschitz) * (arb(y) - arb(x))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("exp(t)", 0, 710), ("exp(exp(t))", -1, 7), ("sinh(t)", -800, 0), ("sin(t)", 0, 2.0**21), ("t**65", 0, 1),
     ("t**63", 0, 1e6), ("log(1+exp(-t**2)*t**2)**(1/3)", 1, 2), ("t/(1+t**2)", -1e200, 1e200),
     ("t/(1+t**2)", 1e200, 1.1e200), ("t/10**400", 5e299, 9e299), ("t**4/10**400", 1e90, 1e100), ("Max(t, -10**400)", 0, 1),  # noqa: E501
     ("t", -1e301, 1), ("t", float("nan"), 1)],
)  # fmt: skip
def test_unsupported_is_said_not_nan(text, low, high):
    try:
        sigma = Activation.from_expression(text)
    except Exception:
        pytest.skip("outside the grammar")
    with pytest.raises(Unsupported):
        kernel_bounds(sigma, low, high)


# --- features --------------------------------------------------------------------------------------------------------


def covered(blocks, truth, *, by_rows):
    """Whether the blocks cover the whole matrix in order and contain the Arb balls, whose ends ``truth`` has."""
    at = 0
    for part, mid, radius in blocks:
        assert part.start == at
        at = part.stop
        mid, radius = np.asarray(mid), np.asarray(radius)
        assert np.isfinite(mid).all() and np.isfinite(radius).all() and (radius >= 0).all()
        assert not ((mid != 0) & (np.abs(mid) < 2.0**-1022)).any()
        for i in range(mid.shape[0]):
            for j in range(mid.shape[1]):
                low, high = truth[part.start + i][j] if by_rows else truth[i][part.start + j]
                middle, r = fraction(float(mid[i, j])), fraction(float(radius[j]))
                assert middle - r <= low and high <= middle + r
    return at


def arb_rows(net, u, x, precision=160):
    return [row for _, block in FeatureEnclosure(net, u, x, precision).blocks() for row in block.tolist()]


def check_enclosure(net, u, x, backend):
    balls = arb_rows(net, u, x)
    truth = [[ends(ball) if ball.is_finite() else None for ball in row] for row in balls]  # None is never enclosed
    whole = FloatEnclosure(net, u, x, backend)
    for width in (1, 7, net.skip_count):
        assert covered(whole.column_blocks(width), truth, by_rows=False) == net.skip_count
    assert covered(whole.row_blocks(), truth, by_rows=True) == len(x)
    assert covered(whole.column_blocks(7), truth, by_rows=False) == net.skip_count
    assert whole.approx().shape == (len(x), net.skip_count)
    return whole


@over_seeds(share=2)
def test_random_networks_are_enclosed(seed):
    rng = np.random.default_rng(seed)
    net = shuffled_dag(rng, list(ORACLE), skip_some=bool(rng.integers(2)))
    u = random_parameters(rng, net, scale=float(rng.choice([0.1, 1.0, 2.0])))
    x = random_samples(rng, int(rng.integers(1, 5)), net)
    for backend in BACKENDS:
        try:
            check_enclosure(net, u, x, backend)
        except NotEnclosed as error:
            assert "exp" in str(error) or "cubic" in str(error) or ":" in str(error)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize("bias", ["tied", "per-unit"])
def test_every_layer_kind(backend, bias):
    tanh = activation("tanh")
    nets = [
        Network((2, 6), (Conv(3, (3,), tanh, stride=(2,), bias=bias, skip=(0, 2, 5)), Dense(5, tanh, skip=(1, 4)))),
        Network((1, 5, 4), (Conv(2, (2, 2), tanh, bias=bias, skip=True), AvgPool((2, 2), skip=(0, 3)),
                            Dense(4, activation("softplus"), inputs=(0, 1, "input"), skip=True))),
        Network((3,), (Dense(4, tanh, skip=(1, 3)), Dense(3, tanh, inputs=(0, "input")), Dense(9, tanh, skip=True))),
        Network((2, 3), (Conv(3, (3,), tanh, padding=2, bias=bias, skip=(0, 2, 5)),
                         Conv(1, (2,), tanh, padding=1, bias=bias, skip=True))),
        Network((1, 2, 1), (Conv(2, (2, 3), tanh, padding=(0, 1), bias=bias, skip=True),)),
    ]  # fmt: skip
    rng = np.random.default_rng(9)
    for net in nets:
        for n in (1, 3) if backend is BACKENDS[0] else (3,):  # the strict library is slow
            check_enclosure(net, random_parameters(rng, net), random_samples(rng, n, net), backend)


def test_small_row_blocks(monkeypatch):
    rng = np.random.default_rng(2)
    net = shuffled_dag(rng, ["tanh", "gelu"])
    u, x = random_parameters(rng, net), random_samples(rng, 5, net)
    for size in (8, 8 * net.dimension * 2, 1 << 20):
        monkeypatch.setattr(features, "BLOCK_BYTES", size)
        monkeypatch.setattr(features, "BLOCK_ROWS", 1)
        whole = check_enclosure(net, u, x, BACKENDS[0])
        assert len(list(whole.row_blocks())) >= (5 if size == 8 else 1)
    monkeypatch.setattr(features, "CACHE_BYTES", 0)
    check_enclosure(net, u, x, BACKENDS[0])


@pytest.mark.parametrize("scale", [1e300, 1e160, 1e-160, 1e-300, 1e-310, 5e-324])
@pytest.mark.parametrize("name", ["identity", "tanh", "exp", "square", "relu", "softplus", "sin"])
def test_extreme_weights(scale, name):
    rng = np.random.default_rng(4)
    net = dense([3, 3], [name, "identity"], 2, skip=(0, 1))
    u, x = random_parameters(rng, net) * scale, random_samples(rng, 3, net) + 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            check_enclosure(net, u, x, BACKENDS[0])
        except NotEnclosed as error:
            assert scale >= 1e160 or scale < 1e-307, error
        else:
            assert 1e-308 < scale < 1e300


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_subnormal_and_huge_inputs(backend):
    net = dense([4], ["tanh"], 2)
    u = random_parameters(np.random.default_rng(0), net)
    check_enclosure(net, u, np.array([[5e-324, 1.0], [-3e-310, 1e-308], [0.0, -0.0]]), backend)
    check_enclosure(net, u, np.array([[1e100, 1.0], [-1e140, 1e100]]), backend)
    with pytest.raises(NotEnclosed), np.errstate(all="ignore"):
        list(FloatEnclosure(net, u * 1e10, np.array([[1e300, 1.0]]), backend).row_blocks())


@pytest.mark.parametrize("scale", [1e300, 1e308])
def test_overflow_raises_no_warning(scale):
    """Overflow is an answer (NotEnclosed), not a warning of the array library (these are errors in this test run)."""
    net = dense([3], ["identity"], 3)
    u = random_parameters(np.random.default_rng(0), net) * 0.1 * scale
    with pytest.raises(NotEnclosed):
        list(FloatEnclosure(net, u, np.full((2, 3), 1e300), BACKENDS[0]).row_blocks())


# --- margins ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize(("n", "m"), [(1, 2), (5, 3), (4, 2)])
def test_float_margins_contain_arb_margins(backend, n, m, monkeypatch):
    rng = np.random.default_rng(n + m)
    net = dense([6, 5], ["tanh", "softplus"], 2, skip=(0, 1))
    u, x = random_parameters(rng, net), random_samples(rng, n, net)
    labels = rng.integers(0, m, n)
    weights = [ExactArray.of_floats(rng.standard_normal((11, m)) * s) for s in (1.0, 1e-6, 1e9)]
    for size in (8, 1 << 20):
        monkeypatch.setattr(features, "BLOCK_BYTES", size)
        monkeypatch.setattr(features, "BLOCK_ROWS", 1)
        found = float_margins(FloatEnclosure(net, u, x, backend), weights, labels)
        wanted = enclose_margins(FeatureEnclosure(net, u, x, 128), weights, labels)
        for rows, sharp in zip(found, wanted, strict=True):
            assert len(rows) == n and all(len(row) == m - 1 for row in rows)
            for row, line in zip(rows, sharp.rows, strict=True):
                assert all(ball.contains(exact) for ball, exact in zip(row, line, strict=True))


@pytest.mark.parametrize("factor", [1e200, 2.0**-950, 5e-324])
def test_extreme_output_weights_are_left_to_arb(factor):
    net = dense([3], ["tanh"], 1)
    made = FloatEnclosure(net, np.ones(6), np.ones((2, 1)), BACKENDS[0])
    with pytest.raises(NotEnclosed):
        float_margins(made, [ExactArray.of_floats(np.full((3, 2), factor))], np.array([0, 1]))


def test_arguments_cover_the_catalogue():
    assert set(ARGUMENTS) >= set(CATALOGUE) - {"exp"}
    assert set(EXACT) <= set(CATALOGUE)
    assert TINY < 1e-280
    assert contains(arb(1), 1)
