"""R1: residuals, norms and the claim, against exact rationals and singular values."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb
from planted import mp, smallest_singular_value
from planted_problems import planted_enclosure

from verifier.balls.exact import ExactArray
from verifier.rank.norms import CHUNK, integer_sums
from verifier.rank.right_inverse import RightInverse, certify_right_inverse, nearest_integer, norm_products_for


def test_integer_sums_are_exact_beyond_one_chunk():
    from flint import fmpz_mat

    width, top = CHUNK + 5, 2**40 - 1
    sums = integer_sums(fmpz_mat(1, width, [top] * width))
    assert sums.squares == width * top**2 and sums.largest_row == width * top and max(sums.columns) == top


@pytest.mark.parametrize("exponent", [0, 3, 40, 200])
def test_a_right_inverse_with_positive_exponents_is_read_correctly(exponent):
    psi = np.array([[2.0**-exponent, 0.0], [0.0, 2.0**-exponent]])
    for bits in (1, 10, 250):
        x = ExactArray.of_integers([1, 0, 0, 1], (2, 2), exponent)
        found = certify_right_inverse(planted_enclosure(psi), RightInverse(x, None, bits, 4))
        if bits < exponent:
            assert found is None or found.sigma_lower.fraction() <= Fraction(2) ** -exponent
        else:
            assert Fraction(1, 2) <= found.sigma_lower.fraction() * 2**exponent <= 1
        wrong = ExactArray.of_integers([1, 0, 0, 0], (2, 2), exponent)
        assert certify_right_inverse(planted_enclosure(psi), RightInverse(wrong, None, bits, 4)) is None


def test_an_ill_conditioned_matrix_gets_its_own_sigma():
    n = 6
    hilbert = np.array([[1.0 / (i + j + 1) for j in range(n)] for i in range(n)])
    with mpmath.workdps(60):
        inverse = mpmath.matrix(hilbert.tolist()) ** -1
        numerators = [int(mpmath.nint(inverse[i, j] * 2**20)) for i in range(n) for j in range(n)]
        truth = smallest_singular_value(hilbert.tolist())
    x = ExactArray.of_integers(numerators, (n, n), -20)
    found = certify_right_inverse(planted_enclosure(hilbert), RightInverse(x, None, 60, 6))
    with mpmath.workdps(60):
        assert truth / 2 <= mp(found.sigma_lower.fraction()) <= truth


@pytest.mark.parametrize("y", [0.0, 0.4, -0.5, 7.5, 1e15, -1e15, 3e20, -1e300])
def test_nearest_integers_are_near(y):
    for ball in (arb(y), arb(y, 0.25)):
        assert abs(nearest_integer(ball) - Fraction(y)) <= Fraction(1, 2)


def test_nearest_integer_of_a_large_number_with_a_fraction():
    assert abs(nearest_integer(arb((2**80 + 1, -10))) - Fraction(2**80 + 1, 1024)) <= Fraction(1, 2)
    assert nearest_integer(arb("nan")) == 0 and nearest_integer(arb(0, "inf")) == 0


def test_repeated_columns_are_refused():
    """With Psi = (1), X = (1/4, 1/4, 1/4, 1/4) and column 0 four times, R1 would claim sigma >= 2."""
    x = ExactArray.of_floats(np.full((4, 1), 0.25))
    with pytest.raises(ValueError, match="strictly increasing"):
        RightInverse(x, np.zeros(4, dtype=np.int64), 10, 0)
    one = RightInverse(ExactArray.of_floats(np.ones((1, 1))), np.zeros(1, dtype=np.int64), 10, 0)
    assert certify_right_inverse(planted_enclosure([[1.0]]), one).sigma_lower.fraction() <= 1


@pytest.mark.parametrize(
    ("columns", "bits", "products", "message"),
    [
        ([1, 0], 10, 0, "increasing"),
        ([-1, 0], 10, 0, "increasing"),
        ([0, 1, 2], 10, 0, "increasing"),
        ([], 10, 0, "increasing"),
        (None, -1, 0, "feature_bits"),
        (None, 20000, 0, "feature_bits"),
        (None, np.int64(10), 0, "Python int"),
        (None, 10.0, 0, "Python int"),
        (None, 10, -1, "norm_products"),
        (None, 10, 13, "norm_products"),
        (None, 10, np.int64(2), "Python int"),
    ],
)
def test_witnesses_that_would_not_prove_what_they_claim_are_refused(columns, bits, products, message):
    x = ExactArray.of_floats(np.eye(2))
    chosen = None if columns is None else np.array(columns, dtype=np.int64)
    with pytest.raises(ValueError, match=message):
        RightInverse(x, chosen, bits, products)


def test_a_witness_must_be_a_matrix_that_fits():
    with pytest.raises(ValueError, match=r"\(K, N\)"):
        RightInverse(ExactArray.of_floats(np.ones(2)), None, 10, 0)
    for shape in ((3, 2), (2, 3), (2, 1)):
        witness = RightInverse(ExactArray.of_floats(np.ones(shape)), None, 10, 0)
        with pytest.raises((ValueError, IndexError)):
            certify_right_inverse(planted_enclosure(np.eye(2)), witness)
    with pytest.raises(IndexError):
        outside = RightInverse(ExactArray.of_floats(np.eye(2)), np.array([0, 5]), 10, 0)
        certify_right_inverse(planted_enclosure(np.eye(2)), outside)


def test_features_that_are_not_finite_prove_nothing():
    class Broken:
        precision, samples, columns = 64, 2, 2

        def __init__(self, value):
            self.value = value

        def blocks(self, progress=None):
            from flint import arb_mat

            yield slice(0, 2), arb_mat(2, 2, [arb(1), self.value, arb(0), arb(1)])

    witness = RightInverse(ExactArray.of_floats(np.eye(2)), None, 10, 0)
    assert certify_right_inverse(Broken(arb(0)), witness) is not None
    for value in (arb("nan"), arb("inf"), arb(0, "inf")):
        assert certify_right_inverse(Broken(value), witness) is None


def test_enough_products_make_the_norm_sharp():
    for samples in (1, 20, 200):
        assert samples ** (0.5 ** (norm_products_for(samples) + 1)) < 1.05
    assert norm_products_for(5000) == 0
