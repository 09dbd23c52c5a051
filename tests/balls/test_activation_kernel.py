"""Ball kernels of activations: containment of mpmath values on narrow, wide and extreme balls."""

from fractions import Fraction

import mpmath
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st
from planted import DIGITS, ORACLE, contains, ends, fraction, mp
from planted_problems import inner_points

from verifier.balls.activation import arb_kernel, at_endpoints, integer_power, is_wide
from verifier.balls.precision import working_precision
from verifier.sigma.activations import Activation, activation, catalogue


def test_the_oracle_knows_the_whole_catalogue():
    assert {a.name for a in catalogue() if a.name in ORACLE} == {a.name for a in catalogue()}


@pytest.mark.parametrize(
    "name", ["tanh", "sigmoid", "softplus", "arctan", "erf", "gelu", "silu", "elu", "relu", "algebraic"]
)
@pytest.mark.parametrize("size", [1e3, 1e10, 1e18])
def test_values_far_out_are_enclosed_and_finite(name, size):
    kernel = ORACLE[name]
    for t in (-size, size):
        with working_precision(64):
            image = arb_kernel(activation(name))(arb(t))
        assert image.is_finite()
        if size == 1e3:
            with mpmath.workdps(DIGITS * 9):
                value = fraction(kernel(mpmath.mpf(t)))
            assert contains(image, value, abs(value) * Fraction(1, 10**60))
            assert value == 0 or ends(image)[1] - ends(image)[0] <= abs(value) * Fraction(1, 2**40)


@pytest.mark.parametrize("size", [1e100, 1e300])
def test_saturation_survives_the_largest_floats(size):
    with working_precision(64):
        for name, low, high in (("tanh", -1, 1), ("sigmoid", 0, 1), ("erf", -1, 1), ("hard_tanh", -1, 1)):
            kernel = arb_kernel(activation(name))
            for t, limit in ((-size, low), (size, high)):
                image = kernel(arb(t))
                assert image.is_finite() and abs(image - limit) < 1e-15


@pytest.mark.parametrize("name", sorted(ORACLE))
@pytest.mark.parametrize("ball", [arb("nan"), arb(0, "inf"), arb(1e300, "inf")])
def test_a_ball_that_is_not_finite_never_gets_a_wrong_finite_image(name, ball):
    with working_precision(64):
        image = arb_kernel(activation(name))(ball)
    if ball.is_nan():
        assert not image.is_finite()
    elif image.is_finite():
        for t in (-1e9, -3.0, 0.0, 2.0, 1e9):
            with mpmath.workdps(30):
                assert contains(image, fraction(ORACLE[name](mpmath.mpf(t))), Fraction(1, 10**20))


@given(st.floats(-30, 30), st.floats(0, 10), st.sampled_from([32, 53, 64, 113]))
def test_an_expression_that_is_not_in_the_catalogue(middle, radius, bits):
    text = "t**3*exp(-t**2) + Max(t, Abs(sin(t)), 1/3)/(1 + t**2)**(3/2) - cosh(t/10)**2"
    with working_precision(bits):
        ball = arb(middle, radius)
        image = arb_kernel(Activation.from_expression(text))(ball)
    with mpmath.workdps(80):
        for point in inner_points(ball):
            t = mp(point)
            value = (
                t**3 * mpmath.exp(-(t**2))
                + max(t, abs(mpmath.sin(t)), mpmath.mpf(1) / 3) / (1 + t * t) ** mpmath.mpf("1.5")
                - mpmath.cosh(t / 10) ** 2
            )
            assert contains(image, value, Fraction(1, 10**50) * (1 + abs(fraction(value))))


def test_square_of_a_ball_around_zero_is_finite_and_nonnegative():
    with working_precision(64):
        image = arb_kernel(activation("square"))(arb(0, 2))
        cubic = arb_kernel(activation("cubic"))(arb(0, 2))
    assert image.is_finite() and contains(image, 0) and contains(image, 4) and ends(image)[1] < Fraction(401, 100)
    assert contains(cubic, 8) and contains(cubic, -8) and ends(cubic)[1] < Fraction(801, 100)
    assert not integer_power(arb(0, "inf"), 2).is_finite()


def test_the_kernel_follows_the_precision_in_force():
    widths = []
    for bits in (32, 64, 256):
        with working_precision(bits):
            image = arb_kernel(activation("gelu"))(arb(0.7))
        widths.append(ends(image)[1] - ends(image)[0])
    assert widths[0] > widths[1] * 2**20 and widths[1] > widths[2] * 2**150


def test_wide_means_less_than_24_bits():
    assert is_wide(arb(1, 1e-3)) and is_wide(arb(1e9, 1e3)) and is_wide(arb(0, 1))
    assert not is_wide(arb(1, 1e-9)) and not is_wide(arb(3)) and not is_wide(arb(1e-30, 1e-20))


def test_endpoints_are_used_on_wide_balls_only():
    seen = []

    def identity(z):
        seen.append(z)
        return z

    wrapped = at_endpoints(identity)
    wrapped(arb(1, 1e-12))
    assert len(seen) == 1
    image = wrapped(arb(1, 0.5))
    assert len(seen) == 3 and all(z.is_exact() for z in seen[1:])
    assert contains(image, Fraction(1, 2)) and contains(image, Fraction(3, 2))
