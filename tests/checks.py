"""Containment and planted-truth checks of the rigorous kernels.

Each `check_*` raises AssertionError when a guarantee is broken. The ordinary tests call them over many seeds;
`test_mutants` calls them on deliberately broken copies of the kernels. The package is reached through its modules only,
so that a broken copy put in a module's place is the one that is checked.
"""

from __future__ import annotations

import inspect
import itertools
import math
from fractions import Fraction
from unittest import mock

import mpmath
import numpy as np
from flint import arb, arb_mat, fmpz, fmpz_mat
from planted import (
    DIGITS,
    EXACT,
    ORACLE,
    contains,
    dense,
    ends,
    exact_rank,
    forward,
    fraction,
    numerical_rank,
    oracle,
    random_parameters,
    random_samples,
    shuffled_dag,
    smallest_singular_value,
)

from verifier.balls import activation as activation_balls
from verifier.balls import decimals, exact, loss, margins
from verifier.balls import feature_enclosure as features
from verifier.balls.binary64 import activation as activation64
from verifier.balls.binary64 import elementary
from verifier.balls.binary64 import float_enclosure as features64
from verifier.balls.binary64 import margins as margins64
from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.matrix import MatrixEnclosure
from verifier.balls.precision import working_precision
from verifier.landscape import path, zero_loss
from verifier.network import initialise, layers, network
from verifier.rank import (
    approx,
    certify,
    cholesky,
    deficiency,
    eigenvalues,
    float_inverse,
    gram,
    gram_matrix,
    inverse_norm,
    monomials,
    norms,
    right_inverse,
    spectrum_search,
)
from verifier.rank import singular_values as svd
from verifier.sigma.activations import activation
from verifier.verdict import Verdict

TIGHT = Fraction(1, 10**60)
"""Relative error granted to the mpmath oracle."""


# --- exact numbers -------------------------------------------------------------------------------------------------


def check_integers_survive_their_limbs(rng):
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


def check_floats_survive_their_compaction(rng):
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


def random_ball(rng, *, top=40):
    """A ball with exponents of all sizes; one in six is exact."""
    middle = arb((int(rng.integers(-(2**53), 2**53)), int(rng.integers(-top - 53, top - 53))))
    if rng.integers(6) == 0:
        return middle
    return middle + arb(0, arb((int(rng.integers(1, 2**20)), int(rng.integers(-top - 20, top - 20)))))


def check_rounding_is_outward(rng):
    """round_down/round_up and the float bounds are on the right side of each point of a ball, whatever its exponent."""
    for top in (40, 1100, 3000):
        for _ in range(30):
            ball = random_ball(rng, top=top)
            low, high = ends(ball)
            bits = int(rng.integers(1, 70))
            with working_precision(int(rng.choice([32, 53, 200]))):
                down, up = exact.round_down(ball, bits), exact.round_up(ball, bits)
                least, most = exact.lower_float(ball), exact.upper_float(ball)
            assert down.fraction() <= low and high <= up.fraction()
            assert down.mantissa.bit_length() <= bits + 1 and up.mantissa.bit_length() <= bits + 1
            assert least == -math.inf or Fraction(least) <= low
            assert most == math.inf or high <= Fraction(most)


# --- activations and features ----------------------------------------------------------------------------------------


def inner_points(ball, count=3):
    """Both ends of a finite ball and points between them."""
    low, high = ends(ball)
    return [low + (high - low) * Fraction(k, count + 1) for k in range(count + 2)]


def mp(value):
    """A fraction as an mpmath number at the working precision."""
    return mpmath.mpf(value.numerator) / value.denominator


def check_kernels_contain_their_values(rng, names=tuple(ORACLE), rounds=6):
    """The image of a ball contains the value at the ball's ends and between them: narrow, wide, huge, tiny."""
    with mpmath.workdps(DIGITS):
        for name in names:
            for _ in range(rounds):
                middle = float(rng.choice([0.0, 0.3, 1.0, 7.0, 40.0, 1e-9])) * rng.standard_normal()
                radius = float(rng.choice([0.0, 1e-30, 1e-9, 1e-3, 1.0, 20.0])) * abs(rng.standard_normal())
                with working_precision(int(rng.choice([32, 53, 64, 128, 190]))):
                    ball = arb(middle, radius)
                    image = activation_balls.arb_kernel(activation(name))(ball)
                for point in inner_points(ball):
                    value = fraction(ORACLE[name](mp(point)))
                    assert contains(image, value, abs(value) * TIGHT + Fraction(1, 10**85)), (name, ball, point, image)


def check_wide_images_stay_tight(rng):
    """A wide ball's image under an increasing activation is its range, up to rounding."""
    for name in ("tanh", "sigmoid", "softplus", "arctan", "erf", "algebraic", "cubic", "elu"):
        middle, radius = rng.standard_normal(), float(rng.uniform(0.5, 8))
        with working_precision(64), mpmath.workdps(30):
            ball = arb(middle, radius)
            low, high = ends(activation_balls.arb_kernel(activation(name))(ball))
            first, last = (fraction(ORACLE[name](mp(point))) for point in ends(ball))
        assert low <= first + Fraction(1, 10**20) and last - Fraction(1, 10**20) <= high
        assert high - low <= (last - first) * (1 + Fraction(1, 10**8)), name


def check_powers_of_balls(rng):
    """integer_power contains the powers of a ball's points and is finite around 0."""
    for n in (1, 2, 3, 4, 7):
        for ball in (arb(0, 1), arb(0, 1e-40), arb(0.5, 2), arb(-3, 0.25), arb(-2), random_ball(rng), random_ball(rng)):
            image = activation_balls.integer_power(ball, n)
            assert image.is_finite()
            assert all(contains(image, point**n) for point in inner_points(ball))


def check_features_contain_the_exact_values(rng, count=3):
    """Rational networks (convolutions, pools, several sources): balls contain the exact features."""
    for _ in range(count):
        net = shuffled_dag(rng, list(EXACT))
        u, x = random_parameters(rng, net, grid=16), random_samples(rng, 3, net)
        _compare(net, u, x, forward(net, u, x), int(rng.choice([32, 64, 150])), Fraction(0))


def check_features_contain_the_oracle(rng, count=3):
    """Any activations, any precision: every ball of Psi contains the value of a 100-digit evaluation."""
    for _ in range(count):
        net = shuffled_dag(rng, list(ORACLE))
        u, x = random_parameters(rng, net, scale=float(rng.choice([0.1, 1.0, 3.0]))), random_samples(rng, 2, net)
        _compare(net, u, x, oracle(net, u, x), int(rng.choice([32, 53, 64, 200])), TIGHT)


def _compare(net, u, x, truth, precision, relative):
    enclosure = features.FeatureEnclosure(net, u, x, precision)
    seen = 0
    for rows, block in enclosure.blocks():
        for i, line in zip(range(rows.start, rows.stop), block.tolist(), strict=True):
            seen += 1
            for ball, value in zip(line, truth[i], strict=True):
                value = fraction(value)
                assert ball.is_finite() and contains(ball, value, relative * (1 + abs(value))), (ball, float(value))
                assert precision < 64 or ends(ball)[1] - ends(ball)[0] <= Fraction(1, 10**6) * (1 + abs(value))
    assert seen == len(x)


def check_blocks_cover_all_samples():
    """More samples than one block holds: every row of Psi and of the margins belongs to its own sample."""
    n = 2 * features.BLOCK_ROWS + 3
    net = dense([1], ["identity"], 1)
    x = np.arange(n, dtype=float)[:, None]
    enclosure = features.FeatureEnclosure(net, np.array([1.0, 0.5]), x, 64)
    labels = np.arange(n) % 2
    for _ in range(2):  # the second time from the cache
        rows = [value for _, block in enclosure.blocks() for value in block.entries()]
        assert [fraction(value) for value in rows] == [i + Fraction(1, 2) for i in range(n)]
    (made,) = margins.enclose_margins(enclosure, [exact.ExactArray.of_floats(np.array([[1.0, 0.0]]))], labels)
    wanted = [[(i + Fraction(1, 2)) * (1 if i % 2 == 0 else -1)] for i in range(n)]
    assert [[fraction(margin) for margin in row] for row in made.rows] == wanted


# --- margins and loss ------------------------------------------------------------------------------------------------


def planted_features(rng, n, m, *, grid=8, precision=64):
    """An enclosure of a rational Psi (one layer of cubic units) and its exact value."""
    net = dense([m], ["cubic"], 2)
    u, x = random_parameters(rng, net, grid=grid), random_samples(rng, n, net)
    return features.FeatureEnclosure(net, u, x, precision), forward(net, u, x)


def exact_margins(psi, v, labels):
    """Margins of rational features and weights, by the definition."""
    out = []
    for row, y in zip(psi, labels.tolist(), strict=True):
        g = [sum(p * Fraction(c) for p, c in zip(row, column, strict=True)) for column in v.T.tolist()]
        out.append([g[y] - g[k] for k in range(len(g)) if k != y])
    return out


def check_margins_contain_the_exact_ones(rng):
    """Margin balls contain the exact rational margins; smallest_lo and largest_mu_hi bound all of them."""
    for classes in (2, 4):
        enclosure, psi = planted_features(rng, 5, 4)
        labels = rng.integers(0, classes, 5)
        several = [rng.standard_normal((4, classes)), rng.standard_normal((4, classes)) * 1e-12]
        found = margins.enclose_margins(enclosure, [exact.ExactArray.of_floats(v) for v in several], labels)
        for v, made in zip(several, found, strict=True):
            truth = exact_margins(psi, v, labels)
            for line, wanted in zip(made.rows, truth, strict=True):
                assert all(contains(ball, m) for ball, m in zip(line, wanted, strict=True))
            least = min(m for row in truth for m in row)
            assert fraction(made.smallest_lo()) <= least and fraction(made.smallest_lo(room=16)) <= least
            assert fraction(made.largest_mu_hi()) >= -least
            low, high = made.floats()
            assert all(
                Fraction(a) <= m for a, m in zip(low.ravel().tolist(), (m for r in truth for m in r), strict=True)
            )
            assert all(
                Fraction(a) >= m for a, m in zip(high.ravel().tolist(), (m for r in truth for m in r), strict=True)
            )


def check_smallest_margin_counts_radii():
    """The smallest margin is the lower end, not the midpoint, with `room` radii; a NaN anywhere is not hidden."""
    made = margins.Margins(((arb(3, 1), arb(5, 4.5)), (arb(2), arb(9))))
    assert fraction(made.smallest_lo()) <= Fraction(1, 2) and fraction(made.smallest_lo()) > Fraction(49, 100)
    assert fraction(made.smallest_lo(room=2)) <= -4 and fraction(made.smallest_lo(room=2)) > Fraction(-41, 10)
    assert fraction(made.largest_mu_hi()) >= Fraction(-1, 2)
    for place in range(4):
        flat = [arb(1), arb(2), arb(3), arb(4)]
        flat[place] = arb("nan")
        broken = margins.Margins((tuple(flat[:2]), tuple(flat[2:])))
        assert broken.smallest_lo().is_nan() and broken.smallest_lo(room=16).is_nan()
    unbounded = margins.Margins(((arb(1), arb(0, "inf")),))
    assert not unbounded.smallest_lo() > -(10**9) and not unbounded.smallest_lo(room=16) > -(10**9)


def check_scaled_margins():
    """scaled_minus is factor * mine - other."""
    mine, other = margins.Margins(((arb(3), arb(5)),)), margins.Margins(((arb(1), arb(-7)),))
    assert [fraction(v) for v in mine.scaled_minus(arb(2), other).rows[0]] == [5, 17]


def true_loss(row):
    """log(1 + sum exp(-m)) at the oracle's precision."""
    return mpmath.log1p(mpmath.fsum(mpmath.exp(-mp(m)) for m in row))


def true_weights(row):
    """exp(-m_k) / (1 + sum exp(-m))."""
    total = 1 + mpmath.fsum(mpmath.exp(-mp(m)) for m in row)
    return [mpmath.exp(-mp(m)) / total for m in row]


def box_points(rng, row, count=6):
    """Corners and inner points of a box of margins."""
    sides = [ends(ball) for ball in row]
    for _ in range(count):
        share = [Fraction(int(s), 4) for s in rng.choice([0, 4, 1, 2], len(row))]
        yield [low + (high - low) * s for (low, high), s in zip(sides, share, strict=True)]
    yield [low for low, _ in sides]
    yield [high for _, high in sides]


def random_row(rng):
    """Margins from -1000 to 1000, some exact, some wide."""
    size = float(rng.choice([0.1, 1.0, 40.0, 700.0]))
    radii = rng.choice([0.0, 1e-12, 0.5, 20.0], 3)
    return [arb(float(m), float(r)) for m, r in zip(size * rng.standard_normal(3), radii, strict=True)]


def check_loss_contains_the_truth(rng, rounds=12):
    """The loss of a box of margins contains the loss at its points, stays positive, and is no wider than the range."""
    fixed = [[arb(-31), arb(5), arb(7)], [arb(-33), arb(-32), arb(900)], [arb(690), arb(691), arb(1000)]]
    for row in fixed + [random_row(rng) for _ in range(rounds)]:
        with working_precision(64):
            found = loss.sample_loss(row)
        with mpmath.workdps(700):
            for point in box_points(rng, row):
                value = fraction(true_loss(point))
                assert contains(found, value, value * TIGHT), (row, found)
            low, high = fraction(true_loss([ends(b)[1] for b in row])), fraction(true_loss([ends(b)[0] for b in row]))
        assert ends(found)[0] > 0 or ends(found)[1] > 2**20 * low
        assert ends(found)[1] - ends(found)[0] <= 2 * (high - low) + high * Fraction(1, 10**15)


def check_softmax_weights(rng, rounds=10):
    """Softmax weights of a box contain the weights at its points, and keep relative accuracy for exact margins."""
    for _ in range(rounds):
        row = random_row(rng)
        with working_precision(64):
            found = loss.softmax_weights(row)
            rest = loss._one_minus(found, row)
        with mpmath.workdps(700):
            for point in box_points(rng, row):
                wanted = [fraction(w) for w in true_weights(point)]
                assert all(contains(b, w, w * TIGHT) for b, w in zip(found, wanted, strict=True)), (row, found)
                assert contains(rest, 1 - sum(wanted), TIGHT)
    with working_precision(64):
        (small,) = loss.softmax_weights([arb(800)])
    assert ends(small)[0] > 0


def check_mean_loss_uses_multiplicities():
    """Phi weighs each sample by its multiplicity and divides by their sum."""
    rows = [[arb(1)], [arb(-2)], [arb(3)]]
    with working_precision(64), mpmath.workdps(50):
        found = loss.cross_entropy(rows, [1, 5, 2])
        value = sum(m * true_loss([fraction(r[0])]) for m, r in zip((1, 5, 2), rows, strict=True)) / 8
        assert contains(found, value, fraction(value) * TIGHT) and ends(found)[1] - ends(found)[0] < Fraction(1, 10**15)


def check_derivatives_contain_difference_quotients(rng, rounds=4):
    """Phi, Phi' and Phi'' over a ball of t contain the exact ones at points of it (closed forms, at 60 digits)."""
    for _ in range(rounds):
        size = float(rng.choice([1.0, 10.0]))
        start = [[arb(float(v)) for v in row] for row in size * rng.standard_normal((3, 2))]
        end = [[arb(float(v)) for v in row] for row in size * rng.standard_normal((3, 2))]
        counts = [1, 3, 2]
        radius = float(rng.choice([0.0, 1e-6, 0.2]))
        t = arb(float(rng.uniform(0.2, 0.8)), radius)
        with working_precision(64):
            found = loss.loss_along_segment(start, end, counts, t)
        with mpmath.workdps(80):
            for point in inner_points(t, 2):

                def phi(s, start=start, end=end, counts=counts):
                    total = mpmath.mpf(0)
                    for a, e, c in zip(start, end, counts, strict=True):
                        pairs = [(fraction(x), fraction(y)) for x, y in zip(a, e, strict=True)]
                        exps = [mpmath.exp(-(mp(x) + s * (mp(y) - mp(x)))) for x, y in pairs]
                        total += c * mpmath.log1p(mpmath.fsum(exps))
                    return total / 6

                h = mpmath.mpf(10) ** -20
                s = mp(point)
                first = (phi(s + h) - phi(s - h)) / (2 * h)
                second = (phi(s + h) - 2 * phi(s) + phi(s - h)) / h**2
                room = Fraction(1, 10**30)
                assert contains(found.value, phi(s), room)
                assert contains(found.first, first, room) and contains(found.second, second, room)
        if radius == 0:
            assert all(ends(b)[1] - ends(b)[0] < Fraction(1, 10**12) for b in (found.value, found.first, found.second))


# --- rank ------------------------------------------------------------------------------------------------------------


def planted_enclosure(matrix, radius=0):
    """An enclosure that is given, not computed: a Psi of known entries, each blown up by ``radius``."""

    class Planted:
        precision = 64
        samples, columns = len(matrix), len(matrix[0])

        def blocks(self, progress=None):
            balls = [arb(float(v), radius) for row in matrix for v in row]
            half = max(self.samples // 2, 1)
            for start, stop in ((0, half), (half, self.samples)):
                if stop > start:
                    part = balls[start * self.columns : stop * self.columns]
                    yield slice(start, stop), arb_mat(stop - start, self.columns, part)

    return Planted()


def norm_2(rows):
    """2-norm by mpmath's SVD."""
    with mpmath.workdps(50):
        return max(mpmath.svd_r(mpmath.matrix([[mp(Fraction(v)) for v in row] for row in rows]), compute_uv=False))


def check_residual_bounds_the_norm(rng, rounds=3):
    """residual_norm is at least the exact ``||I - Psi X||_2`` and ``||X||_2`` for any X."""
    for _ in range(rounds):
        n, m = 3, 5
        a = np.round(rng.standard_normal((n, m)) * 64) / 64
        x = np.linalg.pinv(a) + float(rng.choice([0, 0.05, 1])) * rng.standard_normal((m, n))
        shift = int(rng.integers(-3, 30))
        numerators = np.rint(np.ldexp(x, shift)).astype(np.int64)
        witness_x = exact.ExactArray.of_integers(numerators.ravel().tolist(), (m, n), -shift)
        fractions = [[Fraction(int(v)) / Fraction(2) ** shift for v in row] for row in numerators]
        radius = float(rng.choice([0, 2.0**-6]))
        witness = right_inverse.RightInverse(witness_x, None, int(rng.integers(1, 20)), int(rng.integers(0, 4)))
        found = right_inverse.residual_norm(planted_enclosure(a, radius), witness)
        for _ in range(3):
            moved = [[Fraction(v) + Fraction(radius) * int(rng.choice([-1, 1])) for v in row] for row in a.tolist()]
            residual = [
                [int(i == j) - sum(moved[i][k] * fractions[k][j] for k in range(m)) for j in range(n)] for i in range(n)
            ]
            with mpmath.workdps(50):
                slack = 1 + mpmath.mpf(10) ** -40
                assert norm_2(residual) <= mp(fraction(found.product) + fraction(found.enclosure)) * slack
        with mpmath.workdps(50):
            assert norm_2(fractions) <= mp(fraction(found.witness_norm)) * (1 + mpmath.mpf(10) ** -40)


def check_residual_is_sharp(rng):
    """With fine features the bound is between the 2-norm and the Frobenius norm of the exact residual."""
    a = np.round(rng.standard_normal((4, 6)) * 64) / 64
    numerators = np.rint(np.ldexp(np.linalg.pinv(a), 6)).astype(np.int64)
    witness = right_inverse.RightInverse(
        exact.ExactArray.of_integers(numerators.ravel().tolist(), (6, 4), -6), None, 20, 0
    )
    found = right_inverse.residual_norm(planted_enclosure(a), witness)
    residual = np.eye(4) - a @ (numerators / 64)
    bound = float(found.product + found.enclosure)
    assert np.linalg.norm(residual, 2) * (1 - 1e-12) <= bound <= np.linalg.norm(residual) * (1 + 1e-9)


def check_enclosure_part_counts_every_block():
    """A case where the bound is attained: A = 0 within r, X = (1, 1), so ``||I - A X|| = 1 + 2r`` for A = -(r, r)."""
    x = exact.ExactArray.of_integers([1, 1], (1, 2), 0)
    for r in (1.0, 1024.0):
        found = right_inverse.residual_norm(
            planted_enclosure([[0.0], [0.0]], r), right_inverse.RightInverse(x, None, 4, 0)
        )
        assert fraction(found.product) + fraction(found.enclosure) >= 1 + 2 * Fraction(r)


def check_integer_sums_are_exact(rng):
    """Sums of integers of any size, block by block, against Python's integers."""
    for bits in (1, 20, 21, 22, 42, 55, 58, 60, 61, 62, 63, 64, 130):
        rows, columns = (int(v) for v in rng.integers(1, 6, 2))
        top = 2**bits - 1
        entries = [[int(rng.choice([top, -top, top // 3, 1, 0])) if bits < 62 else int(rng.integers(-3, 4)) * top // 3
                    for _ in range(columns)] for _ in range(rows)]  # fmt: skip
        sums = norms.IntegerSums([0] * columns)
        cut = int(rng.integers(0, rows))
        for part in (entries[:cut], entries[cut:]):
            if part:
                sums.add(fmpz_mat(part))
        assert sums.largest_row == max(sum(map(abs, row)) for row in entries)
        assert sums.columns == [sum(map(abs, column)) for column in zip(*entries, strict=True)]
        assert sums.squares == sum(v * v for row in entries for v in row)
        with working_precision(64):
            bound = fraction(sums.spectral_bound().upper())
        assert mp(bound) >= norm_2(entries) * (1 - mpmath.mpf(10) ** -30)


def witness_norm(x, exponent, products):
    """The bound of ``||X||_2`` as a fraction."""
    return fraction(right_inverse.witness_norm(x, exponent, products, norms.integer_sums(x)))


def check_witness_norms(rng):
    """witness_norm is at least ``||X||_2`` for every number of products, and with 6 products within 2 percent of it."""
    for products in (0, 1, 2, 3, 6):
        x = rng.integers(-50, 50, (7, 4))
        exponent = int(rng.integers(-9, 5))
        found = witness_norm(fmpz_mat(x.tolist()), exponent, products)
        truth = norm_2(x.tolist()) * mpmath.mpf(2) ** exponent
        assert mp(found) >= truth * (1 - mpmath.mpf(10) ** -30)
        assert products != 6 or mp(found) <= truth * 1.02
    for flat in ([[3, 0], [0, 3]], [[3, 0], [0, 0]], [[3, 0], [0, 1]]):
        assert witness_norm(fmpz_mat(flat), 0, 0) >= 3
    assert witness_norm(fmpz_mat([[1, 1], [1, 1]]), 0, 0) >= 2


def check_integers_near_the_features(rng):
    """round_to_integers: the second value bounds ``||2^bits Psi - a||_F^2`` for every matrix in the enclosure."""
    for _ in range(6):
        bits, radius = int(rng.integers(1, 80)), float(rng.choice([0, 2.0**-9, 2.0**-30]))
        values = rng.standard_normal((3, 4)) * float(rng.choice([1.0, 1e6, 1e-6]))
        block = arb_mat(3, 4, [arb(v, radius) for v in values.ravel().tolist()])
        picked = [0, 2, 3] if rng.integers(2) else None
        integers, bound = right_inverse.round_to_integers(block, picked, bits, 64)
        used = values[:, picked] if picked else values
        assert (integers.nrows(), integers.ncols()) == used.shape
        worst = sum(
            (abs(Fraction(v) * 2**bits - int(a)) + Fraction(radius) * 2**bits) ** 2
            for v, a in zip(used.ravel().tolist(), integers.entries(), strict=True)
        )
        assert fraction(bound) >= worst * (1 - Fraction(1, 2**60))


def check_rank_bound_is_honest():
    """alpha covers both parts of the residual; nothing is claimed at alpha >= 1, at infinity, or for a zero witness."""

    def bound(product, enclosure, norm):
        return right_inverse.rank_bound(right_inverse.Residual(arb(product), arb(enclosure), arb(norm)))

    for product, enclosure, norm in ((0.25, 0.0, 2.0), (0.5, 1 / 128, 3.0), (0.0, 1 / 64, 1e-9), (0.875, 0.0, 1e9)):
        found = bound(product, enclosure, norm)
        alpha = Fraction(product) + Fraction(enclosure)
        assert alpha < found.alpha.fraction() < 1
        assert 0 < found.sigma_lower.fraction() < (1 - alpha) / Fraction(norm)
        assert found.sigma_lower.fraction() <= (1 - found.alpha.fraction()) / Fraction(norm)
    for product, enclosure, norm in (
        (1.0, 0.0, 1.0), (0.5, 0.5, 1.0), (1.5, 0.0, 1.0), (0.0, 2.0, 1.0), ("nan", 0, 1), ("inf", 0, 1), (0, "nan", 1),
        (0.5, 0, "nan"), (0.5, 0, "inf"), (0.5, 0, 0), (0.5, 0, -1.0), (1 - 2.0**-50, 0.0, 1.0),
    ):  # fmt: skip
        assert bound(product, enclosure, norm) is None, (product, enclosure, norm)


def check_singular_features_are_never_certified(rng):
    """Whatever the witness, a Psi of rank < N gets no bound: pseudoinverses, zero, noise, huge numbers."""
    n, m = 3, 5
    low = np.round(rng.standard_normal((n, n - 1)) * 8) @ np.round(rng.standard_normal((n - 1, m)) * 8)
    assert exact_rank([[Fraction(v) for v in row] for row in low.tolist()]) < n
    for x in (
        np.linalg.pinv(low), 2 * np.linalg.pinv(low), np.zeros((m, n)), rng.standard_normal((m, n)),
        np.linalg.pinv(low + 1e-7 * rng.standard_normal((n, m))), 1e15 * np.ones((m, n)),
    ):  # fmt: skip
        for radius in (0.0, 1e-9):
            for bits in (1, 30):
                witness = right_inverse.RightInverse(exact.ExactArray.of_floats(x), None, bits, 0)
                assert right_inverse.certify_right_inverse(planted_enclosure(low, radius), witness) is None
    # An enclosure so wide that it contains a singular matrix proves nothing, however good its midpoint is.
    identity = exact.ExactArray.of_floats(np.eye(2))
    wide = planted_enclosure(np.eye(2), radius=1.0)
    assert right_inverse.certify_right_inverse(wide, right_inverse.RightInverse(identity, None, 8, 0)) is None


def check_sigma_is_below_the_truth(rng):
    """sigma_lower is below sigma_N for every matrix in the enclosure, any columns, and within a factor 2."""
    for radius in (0.0, 2.0**-12):
        a = np.round(rng.standard_normal((4, 7)) * 256) / 256
        for columns in (None, np.array([0, 2, 3, 5, 6])):
            picked = a if columns is None else a[:, columns]
            x = exact.ExactArray.of_floats(np.linalg.pinv(picked))
            found = right_inverse.certify_right_inverse(
                planted_enclosure(a, radius), right_inverse.RightInverse(x, columns, 30, 6)
            )
            for _ in range(4):
                moved = a + radius * rng.choice([-1, 1], a.shape)
                assert float(found.sigma_lower) <= np.linalg.svd(moved, compute_uv=False)[-1]
            truth = np.linalg.svd(picked, compute_uv=False)[-1]
            assert radius > 0 or float(found.sigma_lower) >= 0.5 * truth


def near_vectors(rng, a):
    """Rows near left singular vectors of a, off by anything from much to little, not quite orthonormal."""
    n = len(a)
    off = np.eye(n) + rng.standard_normal((n, n)) * 10.0 ** -rng.uniform(0.6, 9)
    if rng.integers(2):
        off = np.linalg.qr(off)[0] * (1 + rng.uniform(-1, 1) * 10.0 ** -rng.uniform(0.6, 9))
    return off @ np.linalg.svd(a)[0].T


def squared_singular_values(rows):
    """In decreasing order, by mpmath."""
    with mpmath.workdps(60):
        found = mpmath.svd_r(mpmath.matrix([[mp(Fraction(v)) for v in row] for row in rows]), compute_uv=False)
        return sorted((fraction(v) ** 2 for v in found), reverse=True)


def check_eigenvalue_bounds(rng, rounds=25):
    """The bounds contain every squared singular value of every matrix in the balls, whatever Q and the floor are."""
    for _ in range(rounds):
        n, m = int(rng.integers(1, 5)), 5
        u, v = np.linalg.qr(rng.standard_normal((n, n)))[0], np.linalg.qr(rng.standard_normal((m, m)))[0]
        kind = rng.integers(3)
        sigma = np.sort(rng.uniform(0.5, 2, n))[::-1]
        if kind == 1:
            sigma = 1 + np.arange(n) * 10.0 ** -rng.uniform(1, 7)
        elif kind == 2:
            sigma = 10.0 ** -np.sort(rng.uniform(0, 6, n))
        a = (u * sigma) @ v[:n]
        radius = float(rng.choice([0.0, 1e-12, 1e-6, 1e-3]))
        signs = rng.choice([-1, 1], a.shape) if rng.integers(2) else np.sign(a)
        truth = [
            [Fraction(x) + int(e) * Fraction(radius) for x, e in zip(row, line, strict=True)]
            for row, line in zip(a.tolist(), signs.tolist(), strict=True)
        ]
        q = arb_mat(n, n, near_vectors(rng, a).ravel().tolist())
        with working_precision(128):
            b = q * arb_mat(n, m, [arb(x, radius) for x in a.ravel().tolist()])
            half = int(rng.choice([32, 128]))
            s, t = eigenvalues.ball_gram(q, half), eigenvalues.ball_gram(b, half)
            floor = arb(float(rng.choice([0.0, 1e-9, 0.1])))
            found = eigenvalues.eigenvalue_bounds(s, t, floor)
        if found is not None:
            for (low, high), value in zip(found, squared_singular_values(truth), strict=True):
                low, high = fraction(low), fraction(high)
                assert low * (1 - TIGHT) <= value <= high * (1 + TIGHT) + Fraction(1, 10**100)


def check_eigenvalue_bounds_at_the_edge():
    """Bounds of 2 x 2 problems that are attained, or nearly so."""

    def bounds(s, t, floor=0):
        with working_precision(128):
            return eigenvalues.eigenvalue_bounds(arb_mat(s), arb_mat(t), arb(floor))

    one, two = [[1, 0], [0, 1]], [[2, 0], [0, 1]]
    (low, high), (least, most) = bounds(one, [[1, 0.5], [0.5, 1]])  # 3/2 and 1/2
    assert fraction(high) >= Fraction(3, 2) and fraction(least) <= Fraction(1, 2)
    for scale in (Fraction(3, 2), Fraction(2, 3)):  # T = I and S = scale I: both are 1 / scale
        found = bounds([[float(scale), 0], [0, float(scale)]], one)
        assert all(fraction(x) <= 1 / Fraction(float(scale)) <= fraction(y) for x, y in found or [])
    assert bounds([[1, 1], [1, 1]], one) is None and bounds(one, [[arb("nan"), 0], [0, 1]]) is None
    assert bounds(one, [[1, arb("nan")], [0, 1]]) is None and bounds(one, [[1, 0], [0, 0]]) is None
    (low, high), (least, most) = bounds(one, [[1, 0], [0, 0]], 2.0**-40)
    assert fraction(low) <= 1 <= fraction(high) and fraction(least) == 0 <= fraction(most)
    # T = diag and S = I + F: the pencil's eigenvalues are those of S^(-1/2) T S^(-1/2)
    for t in (two, [[1, 0], [0, 1e-3]]):
        for f in (0.25, 0.01, 1e-4, 1e-8):
            (low, high), (least, most) = bounds([[1, f], [f, 1]], t)
            with mpmath.workdps(60):
                d, e, c = mpmath.mpf(t[0][0]), mpmath.mpf(t[1][1]), 1 - mpmath.mpf(f) ** 2
                root = mpmath.sqrt((d + e) ** 2 - 4 * d * e * c)
                first, second = fraction((d + e + root) / (2 * c)), fraction((d + e - root) / (2 * c))
            assert fraction(low) * (1 - TIGHT) <= first <= fraction(high) * (1 + TIGHT)
            assert fraction(least) * (1 - TIGHT) <= second <= fraction(most) * (1 + TIGHT)
    # a wide diagonal entry
    (low, high), _ = bounds(one, [[arb(4, 1), 0], [0, 1]])
    assert fraction(low) <= 3 and fraction(high) >= 5


def reflection(rng, n):
    """An integer symmetric matrix H with ``H H^T = h^2 I``, and h."""
    v = rng.integers(-3, 4, n).astype(object)
    v[int(rng.integers(n))] += 4
    h = int(v @ v)
    return h * np.eye(n, dtype=int).astype(object) - 2 * np.outer(v, v), h


def planted_singular_values(rng, sigma, shape):
    """An exact matrix of a shape with singular values in the ratios of the given integers, and these values."""
    n, m = shape
    matrix = np.zeros(shape, dtype=object)
    matrix[range(len(sigma)), rng.permutation(m)[: len(sigma)] if n <= m else range(len(sigma))] = sigma
    scale = 1
    for _ in range(2):
        (left, x), (right, y) = reflection(rng, n), reflection(rng, m)
        matrix, scale = left.dot(matrix).dot(right), scale * x * y
    exponent = int(rng.integers(-60, 60))
    truth = sorted((abs(int(v)) * scale * Fraction(2) ** exponent for v in sigma), reverse=True)
    return exact.ExactArray.of_integers([int(v) for v in matrix.ravel()], shape, exponent), truth


SPECTRA = (
    [3, 7, 5, 11],
    [7, 7, 7, 7],
    [5, 0, 3, 0],
    [10**20, 10**20 + 1, 10**20 + 2, 1],
    [10**30, 10**30 + 10**10, 10**30 + 10**10 + 1, 4],
    [10**60, 10**40, 10**20, 1],
    [10**30, 2, 1, 0],
    [0, 0, 0, 0],
)


def check_planted_singular_values(rng):
    """All digits of planted singular values: distinct, equal, clustered, graded, zero."""
    for sigma in SPECTRA:
        shape = [(4, 4), (4, 6), (5, 4)][int(rng.integers(3))]
        array, truth = planted_singular_values(rng, sigma, shape)
        found = svd.matrix_singular_values(array, 30)
        assert found.verdict is Verdict.PROVED and len(found.lower) == 4
        for low, high, value in zip(found.lower, found.upper, truth, strict=True):
            low, high = low.fraction(), high.fraction()
            assert low <= value <= high and high - low <= low / 10**30


def check_exact_ranks(rng):
    """exact_rank is the rank, also where it drops modulo the prime."""
    for _ in range(10):
        n, m, r = (int(v) for v in rng.integers(1, 6, 3))
        rows = rng.integers(-4, 5, (n, r)) @ rng.integers(-4, 5, (r, m))
        flat = [int(v) * svd.PRIME ** int(rng.integers(2)) for v in rows.ravel()]
        array = exact.ExactArray.of_integers(flat, (n, m), -3)
        assert svd.exact_rank(array) == exact_rank([[Fraction(v) for v in flat[i * m : i * m + m]] for i in range(n)])


def check_enclosed_features(rng):
    """The radii of Psi's enclosure are part of the enclosure of its singular values, also with few digits."""
    for _ in range(4):
        n, m = int(rng.integers(1, 4)), 4
        psi = rng.standard_normal((n, m))
        radius = float(rng.choice([1e-3, 1e-6, 1e-9]))
        balls = arb_mat(n, m, [arb(x, radius) for x in psi.ravel().tolist()])
        for sign in (-1, 1):
            truth = [
                [Fraction(x) + sign * (1 if x > 0 else -1) * Fraction(radius) for x in row] for row in psi.tolist()
            ]
            search = spectrum_search.SpectrumSearch(
                n, m, 3, 64, lambda _, balls=balls: balls, lambda n=n: n, None, certify.silent
            )
            found = search.run()
            for low, high, value in zip(found.lower, found.upper, squared_singular_values(truth), strict=True):
                assert low.fraction() ** 2 <= value <= high.fraction() ** 2


def check_decimals_of_singular_values(rng):
    """The printed number is within the printed bound of both ends; bounds are rounded outward; digits are counted."""
    for _ in range(30):
        low = Fraction(int(rng.integers(1, 2**62))) * Fraction(10) ** int(rng.integers(-330, 330))
        high = low * (1 + Fraction(int(rng.integers(0, 1000)), 10 ** int(rng.integers(3, 40))))
        digits = int(rng.integers(1, 60))
        x, error = (Fraction(part) for part in decimals.decimal_enclosure(low, high, digits).split(" +- "))
        assert x - error <= low <= high <= x + error
        assert error <= (high - low) / 2 * Fraction(11, 10) + x / 10 ** (digits - 1)
        down, up = (Fraction(decimals.decimal_bound(low, digits, up=up)) for up in (False, True))
        assert down <= low <= up and up - down <= low / 10 ** (digits - 1)
        size = 10 ** (digits + 5)
        assert spectrum_search.has_digits(exact.Dyadic(size, -7), exact.Dyadic(size + 10**5, -7), digits)
        assert not spectrum_search.has_digits(exact.Dyadic(size, -7), exact.Dyadic(size + 10**5 + 1, -7), digits)
    assert (
        decimals.decimal_enclosure(Fraction(0), Fraction(0), 5)
        == decimals.decimal_bound(Fraction(0), 5, up=True)
        == "0"
    )
    assert spectrum_search.has_digits(exact.Dyadic(0, 0), exact.Dyadic(0, 0), 9)
    assert not spectrum_search.has_digits(exact.Dyadic(0, 0), exact.Dyadic(1, -9999), 1)


def random_structure(rng):
    """A network with clones, mirrors, constant units, equal coordinates and polynomials, its parameters and samples."""
    kind = int(rng.integers(4))
    names = ["tanh", "sigmoid", "square", "cubic", "sin", "identity", "softplus"]
    if kind == 0:
        net = shuffled_dag(rng, names)
    else:
        depth = int(rng.integers(1, 3))
        net = dense([3] * (depth - 1) + [6], [str(n) for n in rng.choice(names, depth)], 3, skip=range(depth))
    u = random_parameters(rng, net, grid=4)
    for view in net.parameters:
        part = view.of(u)
        for j in range(len(part)):
            change = rng.integers(6)
            if change == 0:
                part[j] = part[0]
            elif change == 1:
                part[j] = -part[0]
            elif change == 2:
                part[j] = 0.0
    x = random_samples(rng, int(rng.integers(2, 7)), net, grid=2)
    if rng.integers(2):
        x[:, 0] = x[0, 0]
    if rng.integers(2):
        x[:, -1] = x[:, 0]
    return net, u, x


def check_deficiency_is_true(rng, rounds=12):
    """A claimed rank bound is never below the rank of Psi, computed by pivoting at 100 digits."""
    found_some = 0
    for _ in range(rounds):
        net, u, x = random_structure(rng)
        claims = [deficiency.cheap_deficiency(net, x), deficiency.structural_deficiency(net, u, x)]
        for claim in claims:
            if claim is not None:
                found_some += 1
                assert claim.rank_at_most < len(x)
                assert numerical_rank(oracle(net, u, x)) <= claim.rank_at_most, (claim, net.summary())
    return found_some


def layered(name, weights, biases, x):
    """One dense layer with given weights, as (network, U, samples)."""
    weights, biases = np.asarray(weights, dtype=float), np.asarray(biases, dtype=float)
    net = dense([len(weights)], [name], weights.shape[1])
    return net, np.concatenate([weights.ravel(), biases]), np.asarray(x, dtype=float)


def check_planted_deficiencies():
    """Each structural reason is found where it is planted and not where it is not (exact rank bound given)."""
    line = [[0.0], [1.0], [2.0], [4.0]]
    plane = [[0.0, 1.0], [1.0, 3.0], [2.0, -1.0], [4.0, 0.5]]
    cases = [
        # name, weights, biases, samples, bound of the rank (None: nothing may be claimed)
        ("tanh", [[1], [1], [2], [3]], [0, 0, 0, 0], line, 3),
        ("tanh", [[1], [-1], [2], [3]], [0.5, -0.5, 0, 0], line, 3),
        ("tanh", [[1], [-1], [2], [3]], [0.5, 0.5, 0, 0], line, None),
        ("tanh", [[1], [-1], [2], [3]], [0.5, -0.25, 0, 0], line, None),
        ("sigmoid", [[1], [-1], [2], [-2]], [0.5, -0.5, 1, -1], line, 3),
        ("sigmoid", [[1], [-1], [2], [3]], [0.5, -0.5, 1, -1], line, None),
        ("softplus", [[1], [-1], [2], [3]], [0.5, -0.5, 1, -1], line, None),
        ("square", [[1], [-1], [2], [3]], [0.5, -0.5, 1, -1], line, 3),
        ("cubic", [[1], [1], [2], [3]], [0, 1, 2, 3], line, None),
        ("identity", [[1, 2], [1, 0], [0, 1], [5, 5]], [0, 1, 2, 3], plane, 3),
        ("square", [[1, 0], [0, 1], [1, 1], [1, 2]], [1, 0, 0, 0], plane, None),
        ("tanh", [[0], [0], [1], [2]], [1, 2, 0, 0], line, 3),
        ("tanh", [[0], [1], [2], [3]], [1, 0, 0, 0], line, None),
        ("square", [[0], [0], [1], [2]], [0, 1, 0, 0], line, 3),
        ("tanh", [[1, 1], [2, 0], [0, 2], [3, 1]], [0] * 4, [[v, v] for (v,) in line], 2),
        ("tanh", [[1, 1], [1, 2], [1, 3], [1, 4]], [1] * 4, [[v, 0.5] for (v,) in line], None),
        ("tanh", [[1, 2], [1, 4], [1, 0], [2, 1]], [0, -1, 1, 0], [[v, 0.5] for (v,) in line], 2),
    ]
    for name, weights, biases, x, bound in cases:
        net, u, samples = layered(name, weights, biases, x)
        found = deficiency.structural_deficiency(net, u, samples)
        assert (None if found is None else found.rank_at_most) == bound, (name, weights, biases, found)
        rank = numerical_rank(oracle(net, u, samples))
        assert rank <= (len(x) if bound is None else bound)


def check_mirrors_and_constants_below_the_top():
    """Two layers: what a mirrored, constant or linear unit below means for the units above is found exactly."""
    line = np.array([[0.0], [1.0], [2.0], [4.0]])

    def bound(lower, upper, first, second):
        (w1, b1), (w2, b2) = first, second
        net = dense([len(b1), len(b2)], [lower, upper], 1)
        u = np.concatenate([np.asarray(a, dtype=float).ravel() for a in (w1, b1, w2, b2)])
        found = deficiency.structural_deficiency(net, u, line)
        claimed = len(line) if found is None else found.rank_at_most
        assert numerical_rank(oracle(net, u, line)) <= claimed, (lower, upper, first, second)
        return claimed

    def pair(lower, upper, signs, shifts):
        """Upper units 0 and 1 read lower units 0 and 1 = mirror of 0; equal iff the signs and shifts fit."""
        lower_layer = ([[1], [-1]], [0.5, -0.5])
        return bound(lower, upper, lower_layer, ([[2, 0], [0, signs], [1, 0], [3, 0]], [1, shifts, 0, 0]))

    assert pair("tanh", "tanh", -2, 1) == 3 and pair("tanh", "softplus", -2, 1) == 3
    assert pair("tanh", "softplus", 2, 1) == 4
    assert pair("sigmoid", "softplus", -2, 3) == 3
    assert pair("sigmoid", "softplus", -2, 1) == 4 and pair("sigmoid", "softplus", 2, 3) == 4
    assert pair("identity", "softplus", -2, 1) == 3 and pair("identity", "softplus", 2, 1) == 4
    assert pair("square", "softplus", 2, 1) == 3 and pair("square", "softplus", -2, 1) == 4
    constant = ([[0], [1]], [0.75, 0.25])
    assert bound("square", "tanh", constant, ([[1, 1], [2, 1], [3, 0], [1, 2]], [0, -0.5625, 0, 0])) == 3
    assert bound("tanh", "tanh", constant, ([[1, 0], [2, 0], [3, 0], [1, 2]], [0, 1, 2, 0])) == 2
    assert bound("tanh", "tanh", constant, ([[1, 1], [2, 1], [3, 1], [1, 2]], [0, 1, 2, 0])) == 4


def check_shared_weights_keep_their_own_biases():
    """One filter, two positions: columns differ with biases per unit, not with a tied bias."""
    x = np.array([[0.0, 0.0], [1.0, 1.0]])
    for bias, u, bound in (
        ("tied", [1.0, 0.5], 1),
        ("per-unit", [1.0, 0.5, -0.5], None),
        ("per-unit", [1.0, 0.5, 0.5], 1),
    ):
        net = network.Network((1, 2), (layers.Conv(1, (1,), activation("tanh"), bias=bias, skip=True),))
        found = deficiency.structural_deficiency(net, np.array(u), x)
        assert (None if found is None else found.rank_at_most) == bound


def check_monomial_rank(rng):
    """monomial_rank is the exact rank of all monomials (independent construction), never below it."""
    for _ in range(8):
        n, d, degree = int(rng.integers(1, 9)), int(rng.integers(1, 4)), int(rng.integers(0, 4))
        x = rng.integers(-2, 3, (n, d)) / 2.0
        if rng.integers(2):
            x[:, 0] = 0.25
        grids = np.ndindex(*([degree + 1] * d))
        powers = [p for p in grids if sum(p) <= degree]
        rows = [[math.prod((Fraction(v) ** e for v, e in zip(row, p, strict=True)), start=Fraction(1)) for p in powers]
                for row in x.tolist()]  # fmt: skip
        assert exact_rank(rows) <= monomials.monomial_rank(x, degree) <= n
        moving = sum(len(set(column)) > 1 for column in x.T.tolist())
        if math.comb(moving + degree, degree) >= n:
            assert monomials.monomial_rank(x, degree) == exact_rank(rows)
    # The only 3 x 3 minor is the largest prime below 2^62: rank 3, but 2 modulo that prime.
    short = next(k for k in itertools.count(1) if fmpz(2**62 - k).is_prime())
    assert monomials.monomial_rank(np.array([[0.0, 0.0], [2.0**31, short], [1.0, 2.0**31]]), 1) == 3


def check_prove_rank_on_planted_ranks(rng, rounds=4):
    """prove_rank against exact ranks of rational networks: PROVED only at rank N, REFUTED only below it."""
    for _ in range(rounds):
        n = int(rng.integers(1, 6))
        m = n + int(rng.integers(0, 3))
        net = dense([m], ["cubic"], 2)
        u, x = random_parameters(rng, net, grid=4), random_samples(rng, n, net, grid=2)
        weight, bias = net.views(u)["layer0.weight"], net.views(u)["layer0.bias"]
        if rng.integers(2):
            weight[-1], bias[-1] = -weight[0], -bias[0]
        psi = forward(net, u, x)
        rank = exact_rank(psi)
        found, _ = certify.prove_rank(features.FeatureEnclosure(net, u, x, 64), max_bits=128)
        if found.verdict is Verdict.PROVED:
            assert rank == n
            with mpmath.workdps(DIGITS):
                assert mp(found.bound.sigma_lower.fraction()) <= smallest_singular_value(psi)
        elif found.verdict is Verdict.REFUTED:
            assert rank <= found.deficiency.rank_at_most < n
        assert rank < n or found.verdict is Verdict.PROVED


# --- rank in binary64 ------------------------------------------------------------------------------------------------

ULP = 2.0**-53


class HalvedProducts:
    """NumPy with a wrong matrix product: what is estimated with it is wrong, what is proved must not use it."""

    def __getattr__(self, name):
        return getattr(numpy_backend(1).xp, name)

    def matmul(self, a, b):
        return 0.5 * (a @ b)


def lying_backend():
    """A backend with sound products and wrong estimates."""
    return Backend(HalvedProducts(), "numpy")


class SloppyBackend(Backend):
    """Factors that are wrong by much more than rounding, in a way the residual has to show."""

    def right_solve_transposed(self, b, lower):
        return 0.25 * super().right_solve_transposed(b, lower)


class WorstRounding(Backend):
    """Products of length k of non-negative matrices are too large by ``k u``; factors make up for it."""

    def cholesky(self, matrix):
        return np.linalg.cholesky(matrix) * (1 - 0.5 * ULP * len(matrix))


def worst_product(a, b):
    return (a @ b) * (1.0 + 2 * ULP * (a.shape[1] // 2))


def blocks_of(h, b):
    """Packed lower blocks and their edges."""
    edges = [slice(k, min(k + b, len(h))) for k in range(0, len(h), b)]
    return {(i, k): h[r, c].copy() for i, r in enumerate(edges) for k, c in enumerate(edges) if k <= i}, edges


def unpacked(blocks, edges):
    """The full lower block triangle."""
    out = np.zeros((edges[-1].stop, edges[-1].stop))
    for (i, k), block in blocks.items():
        out[edges[i], edges[k]] = block
    return out


def rational(matrix):
    """Entries as fractions, in an object array."""
    return np.array([[Fraction(v) for v in row] for row in np.asarray(matrix).tolist()], dtype=object)


def quotient(symmetric):
    """|v^T E v| / v^T v for v = 1, exactly: a lower bound of the norm."""
    return abs(sum(symmetric.ravel().tolist())) / len(symmetric)


def check_gram_error_covers_any_rounding(rng):
    """With products rounded as badly as allowed, the exact Gram matrix is still within the stated error."""
    n, m = int(rng.integers(1, 5)), 64
    a = np.repeat(rng.integers(1, 8, (1, m)).astype(float), n, axis=0)
    for width in (m, 32):
        source = MatrixEnclosure(Backend(np, "numpy", worst_product), a)
        found = gram_matrix.accumulate(source, gram_matrix.plan(n, m, block=2, width=width))
        low = unpacked(found.blocks, found.edges)
        h = rational(np.tril(low) + np.tril(low, -1).T)
        exact_gram = rational(a) @ rational(a).T
        assert quotient(h - exact_gram) <= fraction(found.error.upper())
        assert sum(v * v for v in rational(a).ravel()) <= fraction(found.squares.upper())


def check_residual_covers_any_rounding(rng):
    """The same for the residual: the computed one is about zero, the true one is not."""
    n = 64
    h = np.full((n, n), float(rng.integers(1, 8)))
    h[np.diag_indices(n)] += 2.0**-30
    blocks, edges = blocks_of(h, n)
    start = gram_matrix.Gram(blocks, edges, arb(float(np.trace(h))), arb(0), arb(0), arb(0))
    shift = 2.0**-40
    found = cholesky.cholesky_residual(WorstRounding(np, "numpy", worst_product), start, shift)
    c = rational(unpacked(found.blocks, edges))
    ones = rational(h).sum() - n * Fraction(shift) - sum(v * v for v in c.sum(axis=0))
    assert abs(ones) / n <= fraction(found.residual.upper())


def check_residual_of_any_factor(rng):
    """H - cI - C C^T is bounded whatever C is: several block sizes, exact and sloppy solves."""
    arrow = np.array([[4.0, 1.0, 1.0], [1.0, 4.0, 0.0], [1.0, 0.0, 4.0]])
    n = int(rng.integers(2, 7))
    g = rng.standard_normal((n, n + 3))
    for h in (arrow, g @ g.T + np.eye(n)):
        for b in (1, 2, len(h)):
            for kind in (SloppyBackend, Backend):
                blocks, edges = blocks_of(h, b)
                start = gram_matrix.Gram(blocks, edges, arb(float(np.trace(h))), arb(0), arb(0), arb(0))
                shift = 0.125
                found = cholesky.cholesky_residual(kind(numpy_backend(1).xp, "numpy"), start, shift)
                if isinstance(found, str):
                    continue
                c = unpacked(found.blocks, edges)
                assert (np.triu(c, 1) == 0.0).all()
                truth = np.linalg.norm(h - shift * np.eye(len(h)) - c @ c.T, 2)
                assert truth <= float(found.residual.upper()) * (1 + 1e-9) + 1e-15
                assert kind is SloppyBackend or float(found.residual.upper()) < 1e-11


def check_gram_bound_formula():
    """sqrt(c - residual - error) - radii, rounded down."""
    start = gram_matrix.Gram({}, [], arb(0), arb(0), arb(1), arb(1))
    found = gram.sigma_bound(start, cholesky.Factor({}, 20.0, arb(3)))
    assert 3 - 1e-12 < found < 3
    assert gram.sigma_bound(start, cholesky.Factor({}, 4.0, arb(3))) == -math.inf
    assert gram.sigma_bound(start, cholesky.Factor({}, 4.5, arb(3))) == -math.inf
    assert gram.sigma_bound(start, cholesky.Factor({}, 20.0, arb("nan"))) == -math.inf


def check_gram_bound_counts_radii(rng):
    """Hadamard matrix, only the constant column uncertain: sigma_N falls by exactly the norm of the radii."""
    two = np.array([[1.0, 1.0], [1.0, -1.0]])
    scale = 2.0 ** int(rng.integers(-20, 20))
    a = scale * np.kron(two, two)
    for share in (0.25, 0.75, 0.875, 1.0, 3.0):
        radii = np.array([share * scale, 0.0, 0.0, 0.0])
        found = gram.certify_gram(MatrixEnclosure(numpy_backend(1), a, radii), tight=True)
        if share < 0.9:
            assert 0 < found.sigma_lower <= 2 * (1 - share) * scale
        else:
            assert found.verdict is not Verdict.PROVED


def check_gram_bound_is_below_the_truth(rng, rounds=3):
    """Random matrices over many scales, any block size, wrong estimates too."""
    for _ in range(rounds):
        n = int(rng.integers(1, 7))
        m = n + int(rng.integers(0, 4))
        a = rng.standard_normal((n, m)) * 10.0 ** rng.integers(-60, 60)
        if n > 1 and rng.integers(2):
            a[-1] = a[0] + a[-1] * 10.0 ** -float(rng.integers(1, 9))
        truth = smallest_singular_value(a.tolist())
        sizes = gram_matrix.plan(n, m, block=int(rng.integers(1, 4)), width=int(rng.integers(1, 5)))
        for backend in (numpy_backend(1), lying_backend()):
            for tight in (False, True):
                found = gram.certify_gram(MatrixEnclosure(backend, a), tight=tight, sizes=sizes)
                if found.verdict is Verdict.PROVED:
                    with mpmath.workdps(DIGITS):
                        assert 0 < found.sigma_lower <= truth


def check_float_residual_covers_any_rounding(rng):
    """With the product rounded up as far as allowed, 1 - A X computes to zero; the bound still covers the truth."""
    k = 64
    a = np.full((1, k), float(rng.integers(1, 8)))
    x = np.full((k, 1), (1.0 - k * ULP) / (k * a[0, 0]))
    trusting = {"require": lambda *_: None}  # the canary refuses such a product, however sound
    with mock.patch.dict(float_inverse.residual64.__globals__, trusting):  # a mutant has globals of its own
        found = float_inverse.residual64(MatrixEnclosure(Backend(np, "numpy", worst_product), a), x)
    truth = abs(1 - (rational(a) @ rational(x))[0, 0])
    assert truth <= Fraction(found.frobenius) and truth <= Fraction(found.mixed)


def check_float_residual_bounds_the_norm(rng, rounds=4):
    """Random witnesses and the worst corner of the radii: Frobenius norm, 2-norm and ||X|| are bounded."""
    for _ in range(rounds):
        n = int(rng.integers(1, 5))
        m = n + int(rng.integers(0, 4))
        a = rng.integers(-4, 5, (n, m)) / 2.0
        x = rng.integers(-4, 5, (m, n)) / 4.0
        if rng.integers(2):
            a[:, :n] += 4 * np.eye(n)
            x = np.vstack([np.eye(n) / 4, np.zeros((m - n, n))])
            a[:, :n] = 4 * np.eye(n)
        q = rng.integers(0, 3, m) / 8.0
        columns = np.sort(rng.choice(m, int(rng.integers(1, m + 1)), replace=False))
        for chosen in (None, columns):
            part = slice(None) if chosen is None else chosen
            found = float_inverse.residual64(MatrixEnclosure(numpy_backend(1), a, q), x[part], chosen)
            worst = np.where(x[:, int(rng.integers(n))] < 0, -1, 1)
            for sign in (-1, 1, worst, -worst):
                residual = np.eye(n) - (a + sign * q)[:, part] @ x[part]
                assert np.linalg.norm(residual) <= found.frobenius
                assert np.linalg.norm(residual, 2) <= found.mixed * (1 + 1e-12)
            assert np.linalg.norm(x[part], 2) <= found.norm_x * (1 + 1e-12)


def check_float_norms(rng):
    """Upper bounds of the norm, sharp by R2; a wrong estimate makes them looser, never wrong."""
    k, n = int(rng.integers(1, 9)), int(rng.integers(1, 9))
    x = rng.standard_normal((k, n)) * 10.0 ** rng.integers(-50, 50)
    if rng.integers(2):
        x = np.abs(x)
    truth = np.linalg.norm(x, 2)
    assert inverse_norm.norm_bound(numpy_backend(1), x) >= truth * (1 - 1e-14)
    sharp = inverse_norm.norm_bound(numpy_backend(1), x, tight=True)
    assert truth * (1 - 1e-14) <= sharp <= 1.1 * truth
    assert inverse_norm.norm_bound(lying_backend(), x, tight=True) >= truth * (1 - 1e-14)


def check_float_inverse_is_below_the_truth(rng, rounds=3):
    """R1 with a rough witness; also for the worst corner of the radii."""
    for _ in range(rounds):
        n = int(rng.integers(1, 6))
        m = n + int(rng.integers(0, 4))
        a = rng.standard_normal((n, m))
        x = np.linalg.pinv(a) * rng.uniform(0.5, 1.4)
        q = np.full(m, float(rng.choice([0.0, 1e-3, 0.05])))
        for tight in (False, True):
            found = float_inverse.certify_inverse64(MatrixEnclosure(numpy_backend(1), a, q), x, tight=tight)
            if found.verdict is Verdict.PROVED:
                for psi in (a, a - q, a + q):
                    assert 0 < found.sigma_lower <= np.linalg.svd(psi, compute_uv=False)[-1] * (1 + 1e-12)


# --- binary64 engine -------------------------------------------------------------------------------------------------

U64 = 2.0**-53

ELEMENTARY = {
    "exp": (lambda xp, x: elementary.exp(xp, x), lambda t: t.exp()),
    "tanh": (lambda xp, x: elementary.tanh(xp, x), lambda t: t.tanh()),
    "sigmoid": (lambda xp, x: elementary.sigmoid(xp, x), lambda t: 1 / (1 + (-t).exp())),
    "softplus": (
        lambda xp, x: elementary.softplus(xp, x),
        lambda t: t + (-t).exp().log1p() if t > 0 else t.exp().log1p(),
    ),
    "log1p_unit": (lambda xp, x: elementary.log1p_unit(xp, x), lambda t: t.log1p()),
    "log": (lambda xp, x: elementary.log(xp, x), lambda t: t.log()),
    "erf": (lambda xp, x: elementary.erf(xp, x), lambda t: t.erf()),
    "arctan": (lambda xp, x: elementary.arctan(xp, x), lambda t: t.atan()),
    "sin": (lambda xp, x: elementary.sin(xp, x), lambda t: t.sin()),
    "cos": (lambda xp, x: elementary.sin(xp, x, 1), lambda t: t.cos()),
}
"""Elementary functions in binary64 and by Arb."""


def _claimed(name, x, value):
    """The error that is claimed at x, where the true value is ``value``."""
    size = abs(value)
    if name == "exp":
        return 2.09 * U64 * size if x >= -708.0 else 2.0**-1021
    if name == "tanh":
        return elementary.TANH_ULPS * U64
    if name in ("sigmoid", "softplus"):
        ulps = elementary.SIGMOID_ULPS if name == "sigmoid" else elementary.SOFTPLUS_ULPS
        return ulps * U64 * size + 2.0**-1021
    if name == "log1p_unit":
        return 6.1 * U64 * size + 2.0**-1021
    if name == "log":
        return 1.01 * elementary.LOG_CHECK * (1 + size) + 3.2 * U64
    return {"erf": elementary.erf_error, "arctan": elementary.arctan_error}.get(name, elementary.sin_error)()


def elementary_points(name, rng, count):
    """At least ``count`` arguments: the whole range, all scales, boundaries of reductions and cells and their
    neighbours.
    """
    low, high = {
        "exp": (-720.0, 709.0), "log1p_unit": (0.0, 1.0), "log": (2.0**-1000, 2.0**1000), "sin": (-(2.0**20), 2.0**20),
        "cos": (-(2.0**20), 2.0**20), "softplus": (-1e300, 1e300),
    }.get(name, (-1e300, 1e300))  # fmt: skip
    third = -(-count // 3)
    near = np.array([0.0, -0.0, 5e-324, -5e-324, 2.0**-1022, 1e-300, 1.0, -1.0, 6.0, -6.0, low, high, -708.0])
    if name == "log":
        edges = np.concatenate([2.0 ** rng.integers(-999, 1000, third), 1 + np.arange(third // 8) / 2.0**40])
    elif name in ("erf", "arctan", "log1p_unit"):
        edges = rng.integers(-7 * 64, 7 * 64 + 1, third) / 64.0
        edges = np.where(rng.random(third) < 0.3, 1.0 / np.where(edges == 0, 1.0, edges), edges)
    elif name in ("sin", "cos"):
        edges = np.where(
            rng.random(third) < 0.5,
            (rng.integers(-(10**5), 10**5, third) + 0.5) * (math.pi / 2),
            rng.integers(-200, 201, third) / 64.0 + rng.integers(-600000, 600000, third) * (math.pi / 2),
        )
    else:  # half-way between the reduction's multiples of ln 2 / 64, halved for tanh
        edges = (rng.integers(-65500, 65500, third) + 0.5) * (math.log(2) / 64)
        if name == "tanh":
            edges /= 2 * rng.choice([1.0, 30.0], third)
    scales = rng.standard_normal(third) * 10.0 ** rng.uniform(-12, 3, third)
    span = rng.uniform(max(low, -750.0), min(high, 750.0), third)
    points = np.concatenate([near, edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), scales, span])
    points = np.abs(points) if name in ("log", "log1p_unit") else points
    return np.clip(points, low, high)


def worst_errors(name, points):
    """Largest ratio of the error to the claim."""
    function, truth = ELEMENTARY[name]
    found = np.asarray(function(numpy_backend(1).xp, points.copy()))
    assert np.isfinite(found).all()
    worst = 0.0
    with working_precision(140):
        for x, y in zip(points.tolist(), found.tolist(), strict=True):
            exact = truth(arb(x))
            error, claim = float((arb(y) - exact).abs_upper()), _claimed(name, x, float(exact))
            if error > 0.0:
                worst = max(worst, error / claim if claim > 0.0 else math.inf)
    return worst


def check_elementary_functions(rng):
    """Every elementary function is within its claim at boundaries and at random, and the claims are as proved."""
    for name in ELEMENTARY:
        points = elementary_points(name, rng, 240)
        assert worst_errors(name, points) <= 1.0, name


ARGUMENTS = {
    "sigmoid": 40.0, "tanh": 20.0, "softplus": 40.0, "arctan": 50.0, "erf": 7.0, "algebraic": 1e3, "identity": 1e9,
    "sin": 1e3, "gelu": 8.0, "silu": 30.0, "exp": 20.0, "square": 1e3, "cubic": 1e2, "relu": 1e3, "leaky_relu": 1e3,
    "elu": 20.0, "hard_tanh": 5.0,
}  # fmt: skip
"""Catalogue activations and the range to try them on."""


def check_binary64_kernels(rng, count=60):
    """kernel_bounds: the array kernel is within its error of Arb's value, difference quotients within the constant."""
    activation64._bounds.cache_clear()
    xp = numpy_backend(1).xp
    for name, reach in ARGUMENTS.items():
        sigma = activation(name)
        a, b = sorted((rng.standard_normal(2) * reach * float(rng.choice([1e-3, 0.1, 0.5]))).clip(-reach, reach))
        points = np.sort(np.concatenate([[a, b], rng.uniform(a, b, count)]))
        bounds = activation64.kernel_bounds(sigma, float(a), float(b))
        values = np.asarray(activation64.array_kernel(sigma, xp)(points.copy())).tolist()
        with working_precision(140):
            exact = activation_balls.tree_kernel(sigma.tree)
            truth = [exact(arb(v)) for v in points.tolist()]
            for value, wanted in zip(values, truth, strict=True):
                assert not abs(arb(value) - wanted) > bounds.error, name
            for k in range(len(points) - 1):
                gap = arb(float(points[k + 1])) - arb(float(points[k]))
                assert not abs(truth[k + 1] - truth[k]) > arb(bounds.lipschitz) * gap, name


def _inside(mid, radius, rows):
    for line, wanted in zip(np.asarray(mid).tolist(), rows, strict=True):
        for value, r, true in zip(line, np.asarray(radius).tolist(), wanted, strict=True):
            assert abs(fraction(value) - true) <= fraction(r)


def check_binary64_features(rng):
    """Exact rational features are within the radii: random networks, and layers that cancel, whole and by columns."""
    activation64._bounds.cache_clear()
    cancelling = dense([3, 4], ["identity", "identity"], 4, skip=(0, 1))
    u = rng.standard_normal(cancelling.parameter_count)
    x = rng.standard_normal((3, 4)) * 1e8
    first = u[:12].reshape(3, 4)
    first[:, 3] = -np.round(first[:, :3].sum(axis=1) * 2.0**20) / 2.0**20
    x[:, :] = x[:, :1] * (1 + rng.standard_normal((3, 4)) * 1e-9)
    pooled = network.Network(
        (1, 5),
        (
            layers.AvgPool((3,), stride=(1,), inputs=("input",), skip=True),
            layers.Dense(2, activation("square"), skip=True),
        ),
    )
    cases = [(cancelling, u, x), (pooled, rng.standard_normal(pooled.parameter_count), rng.standard_normal((3, 5)))]
    net = shuffled_dag(rng, list(EXACT))
    cases.append((net, random_parameters(rng, net), rng.standard_normal((2, net.dimension))))
    for net, u, x in cases:
        truth = forward(net, u, x)
        made = features64.FloatEnclosure(net, u, x, numpy_backend(1))
        for width in (1, 3, net.skip_count):
            for part, mid, radius in made.column_blocks(width):
                _inside(mid, radius, [row[part] for row in truth])
        for rows, mid, radius in made.row_blocks():
            _inside(mid, radius, truth[rows])


def check_binary64_margins(rng):
    """Exact margins are within the balls, for features that are exact and for features with large radii."""
    activation64._bounds.cache_clear()
    ones = dense([9], ["hard_tanh"], 3)  # features that are exactly 1: only the product's rounding is left
    u = np.concatenate([np.ones(27), np.full(9, 50.0)])
    made = features64.FloatEnclosure(ones, u, rng.standard_normal((4, 3)), numpy_backend(1))
    weights = exact.ExactArray.of_floats(rng.standard_normal((9, 2)))
    (rows,) = margins64.float_margins(made, [weights], np.array([0, 1, 1, 0]))
    first, second = (sum(column) for column in zip(*fractions_of(weights), strict=True))
    for row, sign in zip(rows, (1, -1, -1, 1), strict=True):
        assert contains(row[0], sign * (first - second))
    for inexact in (False, True):
        width = 9
        net = dense([width], ["identity"], 3)
        u = rng.standard_normal(net.parameter_count) if inexact else rng.integers(-99, 99, net.parameter_count) / 8.0
        x = rng.standard_normal((4, 3)) if inexact else np.round(rng.standard_normal((4, 3)) * 64) / 64
        if inexact:  # features that cancel, so that their radii are what matters
            u[: 3 * width] = np.repeat(u[: 3 * width : 3] * 1e9, 3)
            x[:, 2] = -(x[:, 0] + x[:, 1])
            u[3 * width :] = 0.0
        made = features64.FloatEnclosure(net, u, x, numpy_backend(1))
        weights = exact.ExactArray.of_floats(rng.standard_normal((width, 3)))
        labels = rng.integers(0, 3, 4)
        (rows,) = margins64.float_margins(made, [weights], labels)
        v = fractions_of(weights)
        for line, row, y in zip(forward(net, u, x), rows, labels.tolist(), strict=True):
            g = [sum(p * column[k] for p, column in zip(line, v, strict=True)) for k in range(3)]
            wanted = [g[y] - g[k] for k in range(3) if k != y]
            assert all(contains(ball, value) for ball, value in zip(row, wanted, strict=True))


# --- landscape -------------------------------------------------------------------------------------------------------


def small_problem(rng, *, n=6, m=8, classes=3, scale=1.0, name="tanh"):
    """Random features with room for every labelling."""
    net = dense([m], [name], 2)
    u, x = random_parameters(rng, net, scale=2.0), random_samples(rng, n, net)
    x[:, 0] = np.arange(n) / 2  # distinct samples: every labelling can be separated
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    v0 = scale * rng.standard_normal((m, classes))
    return features.FeatureEnclosure(net, u, x, 64), labels.astype(np.int64), v0


def oracle_margins(enclosure, v, labels):
    """Margins at 100 digits; ``v`` holds fractions."""
    psi = oracle(enclosure.network, enclosure.u, enclosure.inputs)
    with mpmath.workdps(DIGITS):
        out = []
        for row, y in zip(psi, labels.tolist(), strict=True):
            g = [mpmath.fsum(p * mp(c) for p, c in zip(row, column, strict=True)) for column in zip(*v, strict=True)]
            out.append([g[y] - g[k] for k in range(len(g)) if k != y])
        return out


def fractions_of(array):
    """Entries of an exact two-dimensional array."""
    numerators, exponent = array.integers()
    rows, columns = array.shape
    flat = [n * Fraction(2) ** exponent for n in numerators]
    return [flat[i * columns : (i + 1) * columns] for i in range(rows)]


def check_gamma_is_below_every_margin(rng):
    """PROVED Z1: gamma > 0 is a lower bound of the margins at 100 digits."""
    enclosure, labels, _ = small_problem(rng)
    found = zero_loss.prove_zero_loss(enclosure, labels, 3)
    assert found.verdict is Verdict.PROVED and found.gamma.fraction() > 0
    truth = oracle_margins(enclosure, fractions_of(found.weights), labels)
    assert all(fraction(m) >= found.gamma.fraction() for row in truth for m in row)


def check_loss_bound():
    """The bound of Z1 encloses log(1 + (m-1) exp(-t gamma))."""
    with working_precision(64), mpmath.workdps(50):
        for classes, gamma, t in ((2, 0.5, 3.0), (5, 1e-3, 1e4), (3, 2.0, 400.0)):
            value = fraction(mpmath.log1p((classes - 1) * mpmath.exp(-mpmath.mpf(gamma) * mpmath.mpf(t))))
            found = zero_loss.loss_bound(classes, arb(gamma), arb(t))
            assert contains(found, value, value * Fraction(1, 10**40)) and ends(found)[1] <= value * (
                1 + Fraction(1, 10**12)
            )


def check_path_decreases(rng, times=9):
    """PROVED P1: at 100 digits the loss falls from each time to the next; targets and L2.1 are reached."""
    scale = float(rng.choice([1e-3, 1.0, 30.0]))
    enclosure, labels, v0 = small_problem(rng, scale=scale)
    counts = [int(c) for c in rng.integers(1, 4, len(labels))]
    zero = zero_loss.prove_zero_loss(enclosure, labels, 3)
    found = path.prove_path(zero, exact.ExactArray.of_floats(v0), labels, counts, targets=("1e-3", "1e-40"))
    assert found.verdict is Verdict.PROVED, found.reason
    way = found.path
    start = oracle_margins(enclosure, [[Fraction(c) for c in row] for row in v0.tolist()], labels)
    end = oracle_margins(enclosure, fractions_of(zero.weights), labels)
    kappa, n = way.kappa.fraction(), sum(counts)
    assert kappa > 0

    def truth(s):
        with mpmath.workdps(300):
            k, total = mp(kappa), mpmath.mpf(0)
            for a, b, c in zip(start, end, counts, strict=True):
                both = zip(a, b, strict=True)
                row = [(1 - s) * x + s * k * y if s <= 1 else s * k * y for x, y in both]
                total += c * mpmath.log1p(mpmath.fsum(mpmath.exp(-m) for m in row))
            return total / n

    with mpmath.workdps(300):
        grid = [mpmath.mpf(j) / times for j in range(times + 1)] + [mpmath.mpf(2), mpmath.mpf(7)]
        values = [truth(s) for s in grid]
        assert all(b < a for a, b in itertools.pairwise(values))
        low, high = (mp(bound.fraction()) for bound in way.start_loss)
        assert low <= values[0] <= high
        for s in (0.0, 0.375, 1.0, 3.0):
            value = fraction(truth(mpmath.mpf(s)))
            assert contains(way.exact_loss(s), value, value * TIGHT)
        h = mpmath.mpf(10) ** -60
        for s in (0.25, 0.875):
            found = way.derivatives(arb(s))
            first = (truth(s + h) - truth(s - h)) / (2 * h)
            second = (truth(s + h) - 2 * truth(s) + truth(s - h)) / h**2
            for ball, value in zip((found.value, found.first, found.second), (truth(s), first, second), strict=True):
                assert contains(ball, value, abs(fraction(value)) * Fraction(1, 10**40) + Fraction(1, 10**50))
        for target in way.targets:
            assert target.loss.fraction() <= Fraction(target.text) and target.t.fraction() >= kappa
            assert truth(mp(target.t.fraction()) / mp(kappa)) <= mp(Fraction(target.text))
            assert way.time_of(target) >= 1 and Fraction(way.time_of(target)) >= target.t.fraction() / kappa
            bound = mpmath.log1p(2 * mpmath.exp(-mp(target.t.fraction() * way.gamma.fraction())))
            assert bound <= mp(target.loss.fraction())
        assert truth(mp(way.zero_error_t.fraction()) / mp(kappa)) < mpmath.log(2) / n
        bound = mpmath.log1p(2 * mpmath.exp(-mp(way.zero_error_t.fraction() * way.gamma.fraction())))
        assert bound < mpmath.log(2) / n and way.zero_error_t.fraction() >= kappa


def check_segment_condition():
    """The segment is accepted only where kappa m1 > m0 holds for every margin, with room for the radii; else None."""
    weights = exact.ExactArray.of_floats(np.zeros((1, 2)))
    net = dense([1], ["tanh"], 1)
    enclosure = features.FeatureEnclosure(net, np.zeros(2), np.zeros((2, 1)), 64)

    def segment(start, end, gamma=(1, -1)):
        rows = [margins.Margins(tuple((b,) for b in side)) for side in (start, end)]
        labels = np.zeros(2, dtype=np.int64)
        return path.segment_and_ray(enclosure, labels, weights, weights, *rows, exact.Dyadic(*gamma), [1, 1], ["1e-3"])

    good = segment([arb(3), arb(-2)], [arb(1), arb(2)])
    assert good.kappa.fraction() > 3
    assert segment([arb(3), arb(-2)], [arb(1), arb(0.25)]) is None  # gamma = 1/2 is not below the second margin
    assert segment([arb(3), arb(-2)], [arb(1), arb(2, 1.75)]) is None  # ... nor below every point of its ball
    assert segment([arb(3, 1), arb(-2)], [arb(1), arb(2)]) is None  # 16 radii of the first start margin are too much
    assert segment([arb("nan"), arb(-2)], [arb(1), arb(2)]) is None
    assert segment([arb(0, "inf"), arb(-2)], [arb(1), arb(2)]) is None


def check_kappa_covers_every_ratio(rng):
    """kappa m1 > m0 for the proposed kappa, whatever the sizes."""
    for _ in range(10):
        scale = 10.0 ** rng.integers(-12, 13)
        start = margins.Margins(
            ((arb(float(rng.standard_normal() * scale)), arb(float(rng.standard_normal() * scale))),)
        )
        end = margins.Margins(((arb(float(rng.uniform(1e-3, 1))), arb(float(rng.uniform(1e-3, 1)))),))
        kappa = path._choose_kappa(start, end).fraction()
        both = zip(start.rows[0], end.rows[0], strict=True)
        assert kappa > 0 and all(kappa * fraction(b) > fraction(a) for a, b in both)


def check_decimals_round_down():
    """decimal_below is at most the decimal and within 2^-51 of it, for any exponent."""
    for text in ("1e-6", "0.1", "1e-400", "3", "7.25", "123456789.123456789123456789", "1e30"):
        value, found = Fraction(text), path.decimal_below(text).fraction()
        assert found <= value and value - found <= value / 2**51


# --- networks --------------------------------------------------------------------------------------------------------


def check_windows(rng):
    """window_indices lists, per position, the flat indices of its channel-major window in the weights' order."""
    for _ in range(10):
        axes = int(rng.integers(1, 3))
        shape = (int(rng.integers(1, 4)), *(int(v) for v in rng.integers(2, 6, axes)))
        kernel = tuple(int(rng.integers(1, n + 1)) for n in shape[1:])
        stride = tuple(int(v) for v in rng.integers(1, 4, axes))
        flat = np.arange(np.prod(shape)).reshape(shape)
        wanted = []
        for corner in np.ndindex(*((n - k) // s + 1 for n, k, s in zip(shape[1:], kernel, stride, strict=True))):
            cut = tuple(slice(c * s, c * s + k) for c, s, k in zip(corner, stride, kernel, strict=True))
            wanted.append(flat[(slice(None), *cut)].ravel().tolist())
        assert layers.window_indices(shape, kernel, stride) == wanted


def check_approximate_features(rng):
    """approx_features agrees with the exact rational features."""
    net = shuffled_dag(rng, list(EXACT))
    u, x = random_parameters(rng, net, grid=16), random_samples(rng, 3, net)
    truth = np.array([[float(v) for v in row] for row in forward(net, u, x)])
    np.testing.assert_allclose(network.approx_features(net, u, x), truth, rtol=1e-10, atol=1e-12 * np.abs(truth).max())


def check_portable_logarithm(rng):
    """_portable_log is the logarithm to a few ulp."""
    x = np.concatenate([rng.uniform(1e-12, 1, 40), [0.5, 0.7071067811865476, 0.70710678, 1 - 2**-53, 2**-60]])
    found = initialise._portable_log(x)
    with mpmath.workdps(40):
        truth = np.array([float(mpmath.log(mpmath.mpf(v))) for v in x.tolist()])
    np.testing.assert_allclose(found, truth, rtol=1e-14, atol=1e-300)


def check_high_precision_inverse(rng):
    """approx_right_inverse_bits inverts an ill-conditioned integer matrix well enough for R1."""
    n = 8
    entries = [round(2.0**60 / (i + j + 1)) for i in range(n) for j in range(n)]
    numerators, exponent = approx.approx_right_inverse_bits(fmpz_mat(n, n, entries), 60, 128)
    product = (fmpz_mat(n, n, entries) * fmpz_mat(n, n, numerators)).tolist()
    worst = max(
        abs(int(product[i][j]) * Fraction(2) ** (exponent - 60) - int(i == j)) for i in range(n) for j in range(n)
    )
    assert worst < Fraction(1, 2**5)


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}
"""All checks by name."""


def run_check(name, seed=0):
    """Run one check; those that draw random cases get a generator."""
    check = CHECKS[name]
    if "rng" in inspect.signature(check).parameters:
        check(np.random.default_rng(seed))
    else:
        check()
