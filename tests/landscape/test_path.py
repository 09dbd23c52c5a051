"""P1: the certified path decreases (100 digits) and reaches its targets; it is refused where it is not proved."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb
from planted import contains, dense, ends, fraction, mp
from planted_problems import fractions_of, oracle_margins, small_problem

from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.errors import DataError
from verifier.landscape.straight_path import prove_path
from verifier.landscape.targets import decimal_below
from verifier.landscape.zero_loss import ZeroLoss, prove_zero_loss
from verifier.verdict import Verdict


def proved(scale=1.0, seed=0, **keywords):
    features, labels, v0 = small_problem(np.random.default_rng(seed), scale=scale)
    zero = prove_zero_loss(features, labels, 3)
    found = prove_path(zero, ExactArray.of_floats(v0), labels, [1] * 6, **keywords)
    return features, labels, v0, zero, found


@pytest.mark.parametrize("scale", [1e30, 1e150, 1e300])
def test_a_start_with_huge_margins_is_proved(scale):
    features, labels, v0, zero, found = proved(scale)
    assert found.verdict is Verdict.PROVED
    kappa = found.path.kappa.fraction()
    start = oracle_margins(features, [[Fraction(c) for c in row] for row in v0.tolist()], labels)
    end = oracle_margins(features, fractions_of(zero.weights), labels)
    for first, last in zip(start, end, strict=True):
        assert all(kappa * fraction(b) > fraction(a) for a, b in zip(first, last, strict=True))
    low, high = (bound.fraction() for bound in found.path.start_loss)
    assert 0 < low <= high <= low * Fraction(11, 10)


@pytest.mark.parametrize("scale", [0.0, 1e-320, 1e-12])
def test_a_start_at_or_near_zero_is_proved(scale):
    *_, found = proved(scale)
    assert found.verdict is Verdict.PROVED and found.path.kappa.fraction() >= Fraction(1, 16)
    low, high = (bound.fraction() for bound in found.path.start_loss)
    with mpmath.workdps(30):
        assert mp(low) <= mpmath.log(3) * (1 + mpmath.mpf(10) ** -9) and mp(high) >= mpmath.log(3) * (1 - 1e-9)


def test_many_times_at_100_digits_never_increase():
    features, labels, v0, zero, found = proved(5.0, seed=3)
    start = oracle_margins(features, [[Fraction(c) for c in row] for row in v0.tolist()], labels)
    end = oracle_margins(features, fractions_of(zero.weights), labels)
    with mpmath.workdps(100):
        kappa, last = mp(found.path.kappa.fraction()), None
        for j in range(600):
            s = mpmath.mpf(j) / 400
            a, b = (1 - s, s * kappa) if s <= 1 else (0, s * kappa)
            loss = mpmath.fsum(
                mpmath.log1p(mpmath.fsum(mpmath.exp(-(a * x + b * y)) for x, y in zip(first, second, strict=True)))
                for first, second in zip(start, end, strict=True)
            )
            assert last is None or loss < last
            last = loss


def test_enclosed_derivatives_prove_the_decrease_by_themselves():
    """A second proof of P1: Phi' < 0 on a cover of [0, 1] by balls of times."""
    *_, found = proved(1.0, seed=1)
    pieces = 256
    for j in range(pieces):
        s = arb((2 * j + 1, 0)) / (2 * pieces) + arb(0, 1 / (2 * pieces))
        assert found.path.derivatives(s).first < 0


def test_margins_and_loss_meet_at_the_corner():
    *_, found = proved()
    way = found.path
    for a, b in zip(way.margins(1.0).rows, way.margins(float(np.nextafter(1.0, 2.0))).rows, strict=True):
        assert all(x.overlaps(y) or abs(x - y) < 1e-9 for x, y in zip(a, b, strict=True))
    assert way.U(0.3) is way.u and way.V(0.0) == pytest.approx(way.start_weights.approx())
    assert way.V(1.0) == pytest.approx(float(way.kappa) * way.end_weights.approx())
    assert way.V(4.0) == pytest.approx(4 * way.V(1.0))
    for s, low, high in way.sample([0.0, 0.5, 2.0]):
        assert low <= float(way.loss(s).mid()) <= high
    assert Fraction(way.sample([0.0])[0][1]) <= way.start_loss[1].fraction()


@pytest.mark.parametrize("s", [-1e-9, float("nan"), float("inf")])
def test_times_outside_the_path_are_refused(s):
    way = proved()[-1].path
    for evaluate in (way.U, way.V, way.margins, way.loss):
        with pytest.raises(ValueError, match="outside"):
            evaluate(s)


def test_other_labels_than_those_of_z1_are_never_proved():
    """Z1 holds for its labels; with others V1 has negative margins, and the path must see it."""
    _, labels, v0, zero, _ = proved()
    other = (labels + 1) % 3
    found = prove_path(zero, ExactArray.of_floats(v0), other, [1] * 6, max_bits=128)
    assert found.verdict is Verdict.UNDECIDED and found.path is None
    one = labels.copy()
    one[-1] = (one[-1] + 1) % 3
    assert prove_path(zero, ExactArray.of_floats(v0), one, [1] * 6, max_bits=128).verdict is Verdict.UNDECIDED


def test_without_z1_there_is_no_path():
    zero = ZeroLoss(Verdict.UNDECIDED, "nothing found", 64)
    found = prove_path(zero, ExactArray.of_floats(np.zeros((1, 2))), np.array([0]), [1])
    assert found.verdict is Verdict.UNDECIDED and "nothing found" in found.reason


def test_multiplicities_weigh_the_start_and_the_threshold():
    features, labels, v0, zero, _ = proved()
    ones = prove_path(zero, ExactArray.of_floats(v0), labels, [1] * 6).path
    many = prove_path(zero, ExactArray.of_floats(v0), labels, [10**6] * 6).path
    uneven = prove_path(zero, ExactArray.of_floats(v0), labels, [1000, 1, 1, 1, 1, 1]).path
    assert ones.start_loss == many.start_loss and ones.start_loss != uneven.start_loss
    assert many.zero_error_t.fraction() > ones.zero_error_t.fraction()
    start = oracle_margins(features, [[Fraction(c) for c in row] for row in v0.tolist()], labels)
    with mpmath.workdps(40):
        losses = [mpmath.log1p(mpmath.fsum(mpmath.exp(-m) for m in row)) for row in start]
        value = (999 * losses[0] + mpmath.fsum(losses)) / 1005
    assert uneven.start_loss[0].fraction() <= fraction(value) <= uneven.start_loss[1].fraction()


@pytest.mark.parametrize("counts", [[0, 1, 1, 1, 1, 1], [-1, 1, 1, 1, 1, 1], [1, 1, 1], [1] * 7])
def test_multiplicities_that_do_not_fit_are_refused(counts):
    _, labels, v0, zero, _ = proved()
    with pytest.raises(DataError, match="multiplicities"):
        prove_path(zero, ExactArray.of_floats(v0), labels, counts)


def test_separable_data_with_fewer_units_than_samples_have_a_path():
    net = dense([2], ["identity"], 1)
    x = np.array([[-2.0], [-1.5], [-1.0], [1.0], [1.5], [2.0]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    features = FeatureEnclosure(net, np.array([1.0, 0.0, 0.0, 1.0]), x, 64)
    zero = prove_zero_loss(features, labels, 2)
    found = prove_path(zero, ExactArray.of_floats(np.array([[3.0, -1.0], [0.5, 0.0]])), labels, [1] * 6)
    assert found.verdict is Verdict.PROVED


@pytest.mark.parametrize("text", ["1e-300", "1e-400", "0.5", "100"])
def test_targets_far_below_binary64_are_reached(text):
    *_, zero, found = proved(targets=(text,))
    (target,) = found.path.targets
    with mpmath.workdps(500):
        t, gamma = mp(target.t.fraction()), mp(zero.gamma.fraction())
        assert mpmath.log1p(2 * mpmath.exp(-t * gamma)) <= mp(target.loss.fraction()) <= mp(Fraction(text))
    assert contains(found.path.loss(0.0), fraction(found.path.loss(0.0).mid()))
    assert ends(found.path.loss(found.path.time_of(target)))[1] <= Fraction(text)


def test_an_undecided_start_is_undecided():
    """A feature without a finite enclosure (exp of 1e300) decides nothing."""
    net = dense([1], ["exp"], 1)
    features = FeatureEnclosure(net, np.array([1e300, 0.0]), np.array([[1.0]]), 64)
    made = FeatureEnclosure(net, np.array([1.0, 0.0]), np.array([[1.0]]), 64)
    zero = prove_zero_loss(made, np.array([0]), 2)
    assert zero.verdict is Verdict.PROVED
    broken = ZeroLoss(Verdict.PROVED, "", 64, zero.weights, zero.gamma, zero.margins, features)
    found = prove_path(broken, ExactArray.of_floats(np.ones((1, 2)) * [2, 1]), np.array([0]), [1], max_bits=128)
    assert found.verdict is Verdict.UNDECIDED and found.path is None


@pytest.mark.parametrize(
    "text", ["1e-999999999", "0", "-1e-3", "-1", "nan", "inf", "zero", "1e", "1/3", "0x1", "", "1" * 41]
)
def test_a_target_that_is_no_moderate_decimal_is_refused_at_once(text):
    with pytest.raises(ValueError, match="target loss"):
        decimal_below(text)
