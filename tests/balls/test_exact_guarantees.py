"""Exact arrays and rounded bounds, against integers and fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from planted import (
    ends,
    fraction,
    seeds,
)
from planted_problems import random_ball

from verifier.balls import exact, limbs, stated
from verifier.balls.precision import working_precision


@seeds(40)
def test_integers_survive_their_limbs(rng):
    """of_integers -> integers, fmpz_mat and arb_mat give back exactly what was put in, whatever the size and sign."""
    for bits in (1, 7, 8, 15, 16, 31, 32, 62, 63, 64, 65, 124, 125, 300):
        edge = [0, 1, -1, 2**bits - 1, -(2**bits), 1 - 2**bits]
        numbers = edge + [int(rng.integers(-(2**62), 2**62)) << max(bits - 62, 0) for _ in range(6)]
        exponent = int(rng.integers(-80, 80))
        array = exact.ExactArray.of_integers(numbers, (4, 3), exponent)
        wanted = [n * Fraction(2) ** exponent for n in numbers]
        found, common = array.integers()
        assert [n * Fraction(2) ** common for n in found] == wanted
        matrix, common = array.fmpz_mat()
        assert [int(n) * Fraction(2) ** common for n in matrix.entries()] == wanted
        balls = array.arb_mat().entries()
        assert all(ball.is_exact() for ball in balls) and [fraction(ball) for ball in balls] == wanted


@seeds(40)
def test_floats_survive_their_compaction(rng):
    """of_floats changes nothing: integers, small fractions, binary32 numbers, subnormals and huge numbers."""
    choices = [
        rng.integers(-(2**16), 2**16, 6).astype(float),
        rng.integers(-300, 300, 6) / 16.0,
        rng.integers(-(2**15), 2**15, 6) / 2.0**12,
        np.array([127.0, -128.0, 128.0, -129.0, 0.0, -0.0]),
        np.array([32767.0, -32768.0, 32768.0, -32769.0, 1.0, 0.0]),
        rng.standard_normal(6),
        np.array([5e-324, -2.5e-310, 1.7976931348623157e308, 1.0, -0.1, 0.0]),
        rng.standard_normal(6).astype(np.float32).astype(float),
        np.zeros(6),
    ]
    for values in choices:
        array = exact.ExactArray.of_floats(values.reshape(2, 3))
        found, common = array.integers()
        assert [n * Fraction(2) ** common for n in found] == [Fraction(v) for v in values.tolist()]
        assert [fraction(ball) for ball in array.arb_mat().entries()] == [Fraction(v) for v in values.tolist()]
        np.testing.assert_array_equal(array.approx().ravel(), values + 0.0)
        for value in values.tolist():
            assert exact.Dyadic.of_float(value).fraction() == Fraction(value)
    for last in (0.1, 2.0**15, -(2.0**-12), 1e300):  # what the first entries are says nothing of the last one
        long = np.append(np.zeros(limbs.SAMPLED), last)
        found, common = exact.ExactArray.of_floats(long).integers()
        assert not any(found[:-1]) and found[-1] * Fraction(2) ** common == Fraction(last)


@seeds(40)
def test_rounding_is_outward(rng):
    """round_down/round_up and the float bounds are on the right side of each point of a ball, whatever its exponent."""
    for top in (40, 1100, 3000):
        for _ in range(30):
            ball = random_ball(rng, top=top)
            low, high = ends(ball)
            bits = int(rng.integers(1, 70))
            with working_precision(int(rng.choice([32, 53, 200]))):
                down, up = stated.round_down(ball, bits), stated.round_up(ball, bits)
                least, most = exact.lower_float(ball), exact.upper_float(ball)
            assert down.fraction() <= low and high <= up.fraction()
            assert down.mantissa.bit_length() <= bits + 1 and up.mantissa.bit_length() <= bits + 1
            assert least == -math.inf or Fraction(least) <= low
            assert most == math.inf or high <= Fraction(most)
