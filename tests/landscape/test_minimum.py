"""BM: strict local minima where they are planted, and nowhere else."""

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb

import verifier as vf
from verifier.balls.hessian import Labelled, enclose_gradient, enclose_hessian, enclose_loss
from verifier.balls.jacobian import Parameters
from verifier.balls.precision import working_precision
from verifier.checker.certificate import check_file
from verifier.landscape import minimum as module
from verifier.landscape.minimum import counts_of, free_numbers, prove_minimum
from verifier.network.gradient import approx_gradient
from verifier.verdict import Verdict


def constant_unit():
    """One frozen unit whose feature is tanh(1) on all samples: the only free number is v."""
    frozen = {"layer0.weight": np.zeros((1, 1)), "layer0.bias": np.ones(1)}
    return vf.Network(1, vf.Dense(1, "tanh", skip=True), frozen=frozen)


def odds(a, b, kept=False):
    """``a`` equal samples of class 0 and b of class 1."""
    data = vf.dataset_from_arrays(np.zeros((a + b, 1)), [0] * a + [1] * b)
    return data if kept else vf.group_duplicates(data)


def at_the_odds(a, b, v, kept=False):
    data, network = odds(a, b, kept), constant_unit()
    counts = None if kept else data.label_counts
    return prove_minimum(
        network, np.zeros(0), np.array([[v, 0.0]]), data if kept else data.dataset, label_counts=counts
    )


@pytest.mark.parametrize("kept", [False, True])
def test_one_convex_number(kept):
    """``Phi(v) = (2 log(1 + e^(-f v)) + log(1 + e^(f v))) / 3``, f = tanh 1: least at ``f v = log 2``."""
    f = mpmath.tanh(1)
    found = at_the_odds(2, 1, float(mpmath.log(2) / f), kept)
    assert found.proved and found.parameters == 1 and found.bad is Verdict.UNDECIDED
    with mpmath.workdps(40):
        least = Fraction(str(mpmath.log(3) - 2 * mpmath.log(2) / 3))
    low, high = (x.fraction() for x in found.value)
    assert low < least + Fraction(1, 10**30) and least < high < low + Fraction(1, 10**24)  # the point is off by 1e-16
    assert found.floor.fraction() < least
    curvature, radius = float(found.curvature), float(found.radius)
    assert 0.2 * float(2 * f * f / 9) < curvature <= float(2 * f * f / 9)
    for h in (-radius, radius):  # the least curvature is at an end of the ball
        p = 1 / (1 + mpmath.exp(-(mpmath.log(2) + f * h)))
        assert f * f * p * (1 - p) >= curvature
        edge = (
            2 * mpmath.log1p(mpmath.exp(-mpmath.log(2) - f * h)) + mpmath.log1p(mpmath.exp(mpmath.log(2) + f * h))
        ) / 3
        assert edge >= mpmath.mpf(found.rim.fraction().numerator) / found.rim.fraction().denominator
    assert radius > 0.1


@pytest.mark.parametrize(("v", "words"), [(0.0, "exceeds the gradient"), (5.0, "exceeds the gradient"), (1e6, "flat")])
def test_no_minimum_is_near(v, words):
    found = at_the_odds(2, 1, v)
    assert found.verdict is Verdict.UNDECIDED and words in found.reason


def frozen_units():
    """Two frozen units: only V is free, and where all labels are equally frequent V = 0 is the minimum exactly."""
    frozen = {"layer0.weight": np.eye(2), "layer0.bias": np.zeros(2)}
    return vf.Network(2, vf.Dense(2, "tanh", skip=True), frozen=frozen)


@pytest.mark.parametrize("duplicates", ["group", "keep"])
def test_a_gradient_that_is_exactly_zero(duplicates, tmp_path):
    """Its enclosure has 0 inside: the squares of such balls have no root, their upper bounds have."""
    data = vf.dataset_from_arrays([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 3, [0, 1, 2, 0, 1, 2])
    problem = vf.Problem(data, frozen_units(), np.zeros(0), np.zeros((2, 3)), duplicates=duplicates)
    found = vf.find_minimum(problem, trials=1)
    assert found.proved and 0 < float(found.gradient) < 1e-20
    assert check_file(str(found.write(tmp_path / "zero.json")), 1).verdict == "ACCEPTED"


def test_proposals_overflow_silently(recwarn):
    data = vf.dataset_from_arrays([[1e154], [1e154], [-1e154]], [0, 1, 1])
    network = vf.Network(1, vf.Dense(1, "t**2", skip=True), frozen={"layer0.weight": np.ones((1, 1))})
    problem = vf.Problem(data, network, np.zeros(1), np.array([[1e308, -1e308]]))
    assert vf.find_minimum(problem, trials=2).verdict is Verdict.UNDECIDED and not recwarn.list


def network_of(units, sigma="tanh", dimension=1):
    return vf.Network(dimension, vf.Dense(units, sigma, skip=True))


LINE = vf.dataset_from_arrays([[-1.0], [0.0], [0.5], [2.0]], [0, 1, 1, 0])
EQUAL = vf.dataset_from_arrays([[1.0], [1.0], [-1.0], [-1.0]], [0, 1, 0, 1])  # labels that no function separates


@pytest.mark.parametrize(("what", "network", "u", "v", "data"), [
    ("a flat direction: a dead unit", network_of(2), [1.0, 0.0, 0.0, 0.0], [[0.0], [0.0]], LINE),
    ("a saddle", network_of(1), [0.0, 0.0], [[0.0]], LINE),
    ("equal units", network_of(2), [1.0, 1.0, 0.5, 0.5], [[0.5], [0.5]], LINE),
    ("a maximum along b", network_of(1, "cos"), [0.0, 0.0], [[-1.0]], LINE),
    ("a kink", network_of(1, "relu"), [1.0, 0.0], [[1.0]], LINE),
    ("units that can be scaled", network_of(1, "relu"), [1.0, 3.0], [[0.0]], EQUAL),
])  # fmt: skip
def test_negative_controls(what, network, u, v, data):
    v = np.column_stack([np.array(v), np.zeros(len(v))])
    found = prove_minimum(network, np.array(u), v, data)
    assert found.verdict is Verdict.UNDECIDED and found.reason, what
    assert found.better is None and found.bad is Verdict.UNDECIDED


def sine_problem():
    """Six points, each three times, once with the other label; a sine and an output bias."""
    x, y = [-0.75, -0.25, 1.75, 0.75, -1.75, 0.0], [0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1]
    data = vf.dataset_from_arrays(np.repeat(x, 3)[:, None], y)
    network = vf.Network(1, vf.Dense(1, "sin", skip=True), output_bias=True)
    return vf.Problem(data, network, vf.initialise(network, seed=0), vf.output_weights(network, 2))


@pytest.fixture(scope="module")
def found():
    return vf.find_minimum(sine_problem(), trials=4)


def losses(found, u, v):
    counts = counts_of(found.data, found.label_counts)
    rows, labels = np.nonzero(counts)
    return approx_gradient(found.network, u, v, found.data.inputs[rows], labels, counts[rows, labels]).loss


def test_the_whole_ball_is_as_stated(found):
    """Random points of the ball and of its surface: curvature, values, rim."""
    assert found.proved and found.bad is Verdict.PROVED
    rng, radius, p = np.random.default_rng(0), float(found.radius), len(found.u)
    free = free_numbers(found.network, found.v)
    samples = Labelled.of(found.data.inputs, counts_of(found.data, found.label_counts))
    for _ in range(8):
        step = rng.standard_normal(len(free))
        step *= radius / np.linalg.norm(step)
        u, v = found.u + step[:p], found.v.copy()
        v[:, 0] += step[p:]  # m = 2
        hessian = enclose_hessian(found.network, Parameters.at(u, v), samples, free, None).middles / samples.total
        assert np.linalg.eigvalsh(hessian)[0] >= float(found.curvature)
        assert losses(found, u, v) >= float(found.rim) - 1e-15
    assert losses(found, found.better.u, found.better.v) <= float(found.better.loss) + 1e-15
    assert float(found.better.loss) < float(found.floor)
    assert not found.v[:, -1].any()


def test_the_numbers_are_on_their_sides(found):
    """Gradient and value against enclosures of 256 bits; floor and rim against exact fractions."""
    samples = Labelled.of(found.data.inputs, counts_of(found.data, found.label_counts))
    free = free_numbers(found.network, found.v)
    slopes = enclose_gradient(found.network, found.u, found.v, samples, free, 256)
    g, curvature, radius = (x.fraction() for x in (found.gradient, found.curvature, found.radius))
    with working_precision(256):
        assert sum((z * z for z in slopes), arb(0)).sqrt() < found.gradient.arb()
        loss = enclose_loss(found.network, found.u, found.v, samples, 256)
        assert found.value[0].arb() < loss < found.value[1].arb()
        better = enclose_loss(found.network, found.better.u, found.better.v, samples, 256)
        assert better < found.better.loss.arb() < found.floor.arb()
    low = found.value[0].fraction()
    assert low - g * g / curvature - Fraction(1, 2**90) < found.floor.fraction() <= low - g * g / (2 * curvature)
    assert found.value[1].fraction() < found.rim.fraction() <= low + found.rise
    assert found.rise == curvature * radius**2 / 2 - g * radius and 2 * g < curvature * radius


@pytest.mark.parametrize(("gradient", "loose"), [(0.6, 0.0), (1e-9, 1.0), (0.1, 0.5)])
def test_numbers_that_do_not_fit_the_theorem_are_not_stated(found, gradient, loose):
    """A gradient of lambda r / 2 or more, or a loss that is known less well than the rim is high."""
    with working_precision(128):
        ball, loss = module._Ball(1.0, 1.0, 1.0), arb(0.5, loose)
        again = module._as_stated(replace(found, verdict=Verdict.UNDECIDED), ball, arb(gradient), loss)
    assert again.verdict is Verdict.UNDECIDED and "rim" in again.reason


def test_the_checker_accepts_its_certificate(found, tmp_path):
    assert vf.check(found.write(tmp_path / "minimum.json")).accepted


def test_other_points_are_better_only_if_they_are(found):
    again = prove_minimum(found.network, found.u, found.v, found.data, label_counts=found.label_counts,
                          others=[(found.u, found.v), (found.u + 1e-9, found.v)])  # fmt: skip
    assert again.proved and again.bad is Verdict.UNDECIDED and again.better is None


def test_the_shift_of_v_is_taken_out(found):
    shifted = prove_minimum(found.network, found.u, found.v + 0.25, found.data, label_counts=found.label_counts)
    assert shifted.proved and not shifted.v[:, -1].any()


def test_a_ball_is_not_larger_than_the_next_kink():
    """A ReLU of slope 1: the log odds log 2 and log 4 are fitted exactly by b = 1, v = log 2; the kink is at b = 0."""
    network = vf.Network(1, vf.Dense(1, "relu", skip=True), frozen={"layer0.weight": np.ones((1, 1))})
    counts = np.array([[2, 1], [4, 1]])
    data = vf.Dataset("two", [[0.0], [1.0]], None, 2, counts.sum(axis=1))
    found = prove_minimum(network, np.ones(1), np.array([[np.log(2.0), 0.0]]), data, label_counts=counts)
    assert found.proved and 0 < float(found.radius) < 1
    dead = prove_minimum(network, -np.ones(1), np.array([[np.log(2.0), 0.0]]), data, label_counts=counts)
    assert dead.verdict is Verdict.UNDECIDED and "kink" in dead.reason


@pytest.mark.parametrize("broken", ["gradient", "room"])
def test_broken_copies_are_caught(broken, monkeypatch):
    """Without the gradient a point on a slope would be a minimum; without radii a ball would be too large."""
    if broken == "gradient":
        monkeypatch.setattr(module, "_norm", lambda entries: entries[0] * 0)
        assert at_the_odds(2, 1, 0.0).proved  # v = 0 is no minimum
    else:
        monkeypatch.setattr(module, "smallest_eigenvalue", lambda a, r, *rest: float(np.linalg.eigvalsh(a)[0]))
        stated = at_the_odds(2, 1, float(np.log(2) / np.tanh(1)))
        f, h = np.tanh(1.0), float(stated.radius)
        ends = np.log(2) + f * np.array([-h, h])
        assert (f * f / (4 * np.cosh(np.minimum(np.abs(ends), 99.0) / 2) ** 2)).min() < float(stated.curvature)


def refused(**changes):
    problem = sine_problem()
    given = {"data": problem.data, "network": problem.network, "u": problem.u, "v": problem.v} | changes
    return vf.find_minimum(vf.Problem(**given), trials=2)


def test_what_is_refused_by_name():
    wide, two = network_of(6, "sin"), network_of(2, "sin")
    found = refused(network=wide, u=vf.initialise(wide, seed=0), v=vf.output_weights(wide, 2))
    assert found.verdict is Verdict.UNDECIDED and "C2+" in found.reason
    arcs = np.array([[True, True], [True, False]])
    missing = refused(network=two, u=vf.initialise(two, seed=0), v=np.zeros((2, 2)), arcs=arcs)
    assert missing.verdict is Verdict.UNDECIDED and "arcs" in missing.reason
    real = vf.Dataset("real", [[0.0], [1.0]], None, 2, targets=np.eye(2))
    assert "squared error" in refused(data=real).reason
    assert "WITHOUT weight decay" in refused(weight_decay="0.01").reason
    for layers in (vf.Dense(1, "relu", skip=True), (vf.Dense(2, "leaky_relu"), vf.Dense(1, "sin", skip=True))):
        scaled = vf.Network(1, layers)
        found = refused(network=scaled, u=vf.initialise(scaled, seed=0), v=vf.output_weights(scaled, 2))
        assert "no point is a strict local minimum" in found.reason
    many = vf.Network(1, (vf.Dense(250, "sin"), vf.Dense(1, "sin", skip=True)))
    assert "more than 600" in refused(network=many, u=vf.initialise(many, seed=0), v=vf.output_weights(many, 2)).reason


@pytest.mark.parametrize("bad", [{"trials": 0}, {"trials": True}, {"seed": -1}, {"seed": 0.5}])
def test_bad_arguments(bad):
    with pytest.raises(vf.InputError, match="must be an integer"):
        vf.find_minimum(sine_problem(), **bad)


def test_what_is_no_problem():
    with pytest.raises(vf.InputError, match=r"a Dataset is no Problem; make one: Problem\("):
        vf.find_minimum(sine_problem().data)


def test_the_card_says_how_high_the_rim_is(found):
    """The level itself may be the same number as the loss in the digits that are shown."""
    height = Fraction(str(found).split("  rim ")[-1].split("; rim ")[-1].split(" or more above")[0])
    assert 0 < height <= found.rise
