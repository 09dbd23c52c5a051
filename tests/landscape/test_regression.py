"""Real targets: the squared error's infimum and segments, what is said of a regression, and its certificate."""

from __future__ import annotations

from fractions import Fraction as F
from types import SimpleNamespace

import numpy as np
import pytest
from flint import arb, arb_mat, ctx, fmpq, fmpz_mat

import verifier as vf
from verifier.balls.exact import ExactArray
from verifier.checker import targets as checker_targets
from verifier.checker.certificate import check_file
from verifier.landscape.loss_path import prove_loss_path
from verifier.landscape.losses import enclose_segment
from verifier.landscape.target_loss import SQUARED_ERROR, TargetLoss
from verifier.statements.proof import REGRESSION
from verifier.verdict import Verdict

ABOUT_CLASSES = {"L2.1", "T3.4(1)", "T1", "Z2", "E4", "C1", "C2", "C3", "GDV", "WD"}


def problem(x, y, units=None, seed=0, activation="tanh"):
    """A problem with one dense layer, of as many units as samples and two more."""
    data = vf.dataset_from_arrays(x, y, regression=True)
    units = data.samples + 2 if units is None else units
    network = vf.Network(data.dimension, vf.Dense(units, activation, skip=True))
    v = vf.output_weights(network, 2, seed=seed)[:, :1] @ np.ones((1, data.classes))
    return vf.Problem(data, network, vf.initialise(network, seed=seed), v)


def spread(groups):
    """The sum of squares around the means, exactly."""
    total = F(0)
    for group in groups:
        for column in zip(*group, strict=True):
            exact = [F(t) for t in column]
            mean = sum(exact) / len(exact)
            total += sum((t - mean) ** 2 for t in exact)
    return total


@pytest.mark.parametrize("seed", range(6))
def test_the_infimum_contains_the_exact_rational(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 5, size=6)
    targets = rng.standard_normal((int(counts.sum()), int(rng.integers(1, 4)))) * 10.0 ** rng.integers(-8, 9)
    groups = np.split(targets, np.cumsum(counts)[:-1])
    loss = TargetLoss(targets, counts.astype(np.int64))
    truth = spread([group.tolist() for group in groups]) / 2 / len(targets)
    found = loss.infimum()
    assert contains(found, truth) and float(found.rad()) <= 1e-15 * float(found.mid())
    bits = 1074  # every float is a whole number by 2^-1074
    whole = fmpz_mat([[int(F(t) * 2**bits) for t in row] for row in targets.tolist()])
    exact = SimpleNamespace(integers=whole, exponent=-bits)
    claim = SimpleNamespace(
        own=checker_targets.own_targets(exact, counts.tolist()), data=SimpleNamespace(targets=exact)
    )
    assert contains(checker_targets.TargetClaim.least(claim), truth * len(targets))


@pytest.mark.parametrize("seed", range(3))
def test_wide_balls_contain_the_truth(seed):
    """Prover and checker: losses and slope at points of features that are known roughly."""
    rng = np.random.default_rng(seed)
    counts, radius = [2, 1, 3], F(1, 8)
    targets = np.round(rng.standard_normal((6, 2)) * 8)
    psi, v0, v1 = (np.round(rng.standard_normal(shape) * 16) / 16 for shape in ((3, 4), (4, 2), (4, 2)))
    balls = [[arb(x, float(radius)) for x in row] for row in psi.tolist()]
    d = v1 - v0
    exact = SimpleNamespace(integers=fmpz_mat([[int(t) for t in row] for row in targets.tolist()]), exponent=0)
    claim = SimpleNamespace(
        own=checker_targets.own_targets(exact, counts),
        data=SimpleNamespace(targets=exact),
        weights=[arb_mat(v.tolist()) for v in (v0, v1, d)],
        raw=SimpleNamespace(path=""),
    )
    taken = checker_targets.TargetClaim.take(claim, [0, 1, 2], balls, {})
    claimed = [arb(low).union(arb(high)) for low, high in taken]
    loss, ours = TargetLoss(targets, np.array(counts)), [arb(0)] * 3
    for sample, row in enumerate(balls):
        g0, g1, change = ((arb_mat([row]) * arb_mat(v.tolist())).tolist()[0] for v in (v0, v1, d))
        parts = loss.part(sample, g0, g0)[0], *loss.part(sample, g1, change)
        ours = [total + part for total, part in zip(ours, parts, strict=True)]
    for corner in range(20):
        signs = rng.choice([-1, 1], size=psi.shape)
        rows = [[F(x) + int(s) * radius for x, s in zip(*pair, strict=True)] for pair in zip(psi, signs, strict=True)]
        of = [[[sum(map(lambda a, b: a * F(b), row, c)) for c in v.T] for row in rows] for v in (v0, v1, d)]
        each = [[row for row, count in zip(g, counts, strict=True) for _ in range(count)] for g in of]
        triples = [t for rows_of in zip(*each, targets, strict=True) for t in zip(*rows_of, strict=True)]
        truth = [sum((a - F(t)) ** 2 for a, _, _, t in triples) / 2, sum((b - F(t)) ** 2 for _, b, _, t in triples) / 2]
        truth.append(sum((b - F(t)) * c for _, b, c, t in triples))
        for found in (claimed, ours):
            assert all(contains(ball, value) for ball, value in zip(found, truth, strict=True)), corner


def contains(ball, value):
    """Whether a ball contains a rational number; it is made a very small ball for this."""
    with ctx.workprec(2000):
        return ball.contains(arb(fmpq(value.numerator, value.denominator)))


def test_the_ends_of_balls_are_taken():
    """One output g = psi v in [1, 5], target 2, V0 = 0: loss (g - 2)^2 / 2 and slope (g - 2) g at both ends."""
    exact = SimpleNamespace(integers=fmpz_mat([[2]]), exponent=0)
    weights = [arb_mat([[0], [0]]), arb_mat([[1], [-1]]), arb_mat([[1], [-1]])]
    claim = SimpleNamespace(
        own=[[[2]]], data=SimpleNamespace(targets=exact), weights=weights, raw=SimpleNamespace(path="")
    )
    row = [arb(4, 1), arb(1, 1)]
    taken = checker_targets.TargetClaim.take(claim, [0], [row], {})
    claimed = [arb(low).union(arb(high)) for low, high in taken][1:]
    g = (arb_mat([row]) * weights[1]).tolist()[0]
    ours = TargetLoss(np.array([[2.0]]), np.array([1])).part(0, g, g)
    for found in (claimed, ours):
        for end in (F(1), F(5)):
            assert contains(found[0], (end - 2) ** 2 / 2) and contains(found[1], (end - 2) * end)


@pytest.mark.parametrize("seed", range(4))
def test_losses_and_slope_contain_the_exact_rationals(seed):
    """A linear network: Psi, logits and losses are rational numbers."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.standard_normal((4, 2)) * 8) / 8
    counts = np.array([2, 1, 3, 1])
    targets = np.round(rng.standard_normal((7, 2)) * 64) / 64
    network = vf.Network(2, vf.Dense(3, "identity", skip=True))
    u = np.round(rng.standard_normal(9) * 8) / 8
    features = vf.FeatureEnclosure(network, u, x, 64)
    psi = [
        [
            sum(F(w) * F(a) for w, a in zip(row, s, strict=True)) + F(b)
            for row, b in zip(u[:6].reshape(3, 2), u[6:], strict=True)
        ]
        for s in x
    ]
    v0, v1 = (np.round(rng.standard_normal((3, 2)) * 8) / 8 for _ in range(2))
    found = enclose_segment(
        features, TargetLoss(targets, counts), ExactArray.of_floats(v0), ExactArray.of_floats(v1), room=1
    )

    def logits(v):
        return [[sum(p * F(w) for p, w in zip(row, column, strict=True)) for column in v.T] for row in psi]

    def loss(v):
        rows = [g for g, c in zip(logits(v), counts, strict=True) for _ in range(c)]
        return (
            sum((a - F(t)) ** 2 for g, own in zip(rows, targets, strict=True) for a, t in zip(g, own, strict=True)) / 14
        )

    h = [loss(v0 + s * (v1 - v0)) for s in (0.5, 1.0)]
    slope = 4 * h[1] - 4 * h[0] - (h[1] - loss(v0))  # of a polynomial of degree 2, at its end
    for ball, truth in ((found.start, loss(v0)), (found.end, h[1]), (found.slope, slope)):
        assert contains(ball, truth)


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_regression_is_proved_and_its_certificate_accepted(outputs, tmp_path):
    rng = np.random.default_rng(outputs)
    x, y = rng.standard_normal((7, 2)), rng.standard_normal((7, outputs)) * 50
    report = vf.prove(problem(x, y))
    proved = ("rank", "zero_loss", "path", "generic", "T3.4(2)", "TC.3", "D3.3", "T3.4(3)", "T3.4(4)", "D", "A")
    assert {report.verdict(key) for key in proved} == {Verdict.PROVED}
    assert "real target" in str(report)
    silent = {step.label for step in report.theorem.steps if step.reason == REGRESSION}
    assert silent == ABOUT_CLASSES and not any(s.applies for s in report.theorem.steps if s.label in silent)
    file = report.write(tmp_path / "a.json")
    found = check_file(str(file), 1)
    assert found.verdict == "ACCEPTED", found.rejection
    assert {"R1", "TC.3", "W0", "D", "A"} <= {claim["label"] for claim in found.claims}
    assert "real target" in str(vf.show(file))
    start = report.near_infimum.start_loss
    truth = (
        float(np.mean(((np.tanh(x @ report.u[: 2 * 9].reshape(9, 2).T + report.u[18:]) @ report.v - y) ** 2).sum(1)))
        / 2
    )
    assert float(start[0].fraction()) <= truth * (1 + 1e-12) and truth * (1 - 1e-12) <= float(start[1].fraction())


def test_equal_samples_with_different_targets_have_a_positive_infimum(tmp_path):
    x = np.array([[0.0], [1.0], [0.0], [2.0], [0.0]])
    y = np.array([1.0, 5.0, 2.0, -3.0, 6.0])
    report = vf.prove(problem(x, y))
    assert report.data.targets.ravel().tolist() == [1.0, 2.0, 6.0, 5.0, -3.0]
    assert report.data.multiplicities.tolist() == [3, 1, 1]
    assert report.verdict("zero_loss") is Verdict.REFUTED and report.verdict("path") is Verdict.PROVED
    truth = F(14, 10)  # (4 + 1 + 9) / 2 / 5
    low, high = (end.fraction() for end in report.near_infimum.infimum)
    assert low <= truth <= high <= truth + F(1, 10**6)
    assert report.verdict("X1") is Verdict.PROVED and "different targets" in report.summary(verbose=True)
    assert check_file(str(report.write(tmp_path / "a.json")), 1).verdict == "ACCEPTED"


def test_equal_samples_with_equal_targets_agree():
    report = vf.prove(problem([[0.0], [1.0], [0.0]], [1.5, 2.0, 1.5]))
    assert report.verdict("zero_loss") is Verdict.PROVED and report.verdict("X1") is Verdict.PROVED


def test_one_sample_one_target():
    report = vf.prove(problem([[0.5]], [3.0], units=1))
    assert report.verdict("path") is Verdict.PROVED and report.verdict("zero_loss") is Verdict.PROVED


def test_fewer_units_than_samples_attain_no_targets_and_are_not_a_crash():
    rng = np.random.default_rng(3)
    report = vf.prove(problem(rng.standard_normal((6, 2)), rng.standard_normal(6), units=3))
    assert report.verdict("rank") is Verdict.REFUTED
    assert report.verdict("zero_loss") is Verdict.REFUTED and report.verdict("path") is Verdict.UNDECIDED
    assert report.loss_bound.lower.fraction() <= report.near_infimum.end_loss.fraction()
    assert report.verdict("T3.4(3)") is None and report.verdict("T3.4(4)") is Verdict.PROVED
    assert report.near_infimum.end_loss.fraction() < report.near_infimum.start_loss[0].fraction()


def test_a_checker_that_pairs_targets_with_other_samples_is_noticed(monkeypatch, tmp_path):
    """A broken copy: with the rows in another order the true certificate is rejected."""
    rng = np.random.default_rng(4)
    report = vf.prove(problem(rng.standard_normal((5, 2)), rng.standard_normal(5)))
    file = report.write(tmp_path / "a.json")
    own = checker_targets.own_targets
    monkeypatch.setattr(checker_targets, "own_targets", lambda targets, counts: own(targets, counts)[::-1])
    assert check_file(str(file), 1).rejection.rule in ("TC.3.start-loss", "TC.3.end-weights")


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([1.0, np.nan], "y"),
        ([1.0, np.inf], "y"),
        ([1.0], "shape (1, 1) for the 2 samples"),
        (np.zeros((2, 0)), "shape (2, 0)"),
        (["a", "b"], "y"),
        (None, "missing"),
    ],
)
def test_targets_that_are_none_are_refused_in_words(y, words):
    with pytest.raises(vf.InputError) as refused:
        vf.dataset_from_arrays([[0.0], [1.0]], y, regression=True)
    assert words in str(refused.value)


def test_targets_stand_in_the_place_of_labels():
    with pytest.raises(vf.InputError, match="place of labels"):
        vf.Dataset("d", np.zeros((1, 1)), [0], 2, targets=np.zeros((1, 2)))
    with pytest.raises(vf.InputError, match="expected"):
        vf.Dataset("d", np.zeros((1, 1)), None, 2, targets=np.zeros((1, 1)))


def test_the_loss_of_targets_has_its_own_name():
    features = vf.FeatureEnclosure(vf.Network(1, vf.Dense(1, "tanh", skip=True)), np.ones(2), np.ones((1, 1)), 64)
    with pytest.raises(vf.InputError, match=SQUARED_ERROR):
        prove_loss_path(features, "squared", np.ones((1, 1)), None, [1], targets=np.ones((1, 1)))
    with pytest.raises(vf.InputError, match="expected"):
        prove_loss_path(features, SQUARED_ERROR, np.ones((1, 1)), None, [1], targets=np.ones((2, 1)))
