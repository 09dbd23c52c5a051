"""TC.3: segments on which convex losses do not increase, with labels that agree and that conflict."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from planted import dense, forward, mp
from planted_problems import fractions_of, phi, random_problem

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.data.dataset import Dataset
from verifier.data.grouping import group_duplicates
from verifier.errors import DataError
from verifier.landscape.loss_path import prove_loss_path
from verifier.landscape.losses import HINGES, LOSSES
from verifier.rank.certify import prove_rank
from verifier.verdict import Verdict


def proved_problem(seed=0, **keywords):
    enclosure, labels, v0 = random_problem(np.random.default_rng(seed), **keywords)
    rank, sharp = prove_rank(enclosure)
    assert rank.verdict is Verdict.PROVED
    return sharp, labels, v0, rank.witness


@pytest.mark.parametrize("loss", LOSSES)
def test_one_sample_two_classes(loss):
    net = dense([1], ["identity"], 1)
    features = FeatureEnclosure(net, np.array([1.0, 0.0]), np.array([[2.0]]), 64)
    rank, features = prove_rank(features)
    start = ExactArray.of_floats(np.array([[-1.0, 1.0]]))
    found = prove_loss_path(features, loss, start, np.array([0]), [3], rank.witness)
    assert found.verdict is Verdict.PROVED, found.reason
    assert found.infimum[0].fraction() == 0 and found.end_loss.fraction() < Fraction(1, 10**6)
    # Psi = 2, logits (-2, 2), label 0
    truth = {"squared": Fraction(13, 2), "weston-watkins": Fraction(5), "crammer-singer": Fraction(5)}
    if loss in truth:
        assert found.start_loss[0].fraction() <= truth[loss] <= found.start_loss[1].fraction()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_binary64_engine_is_converted(loss):
    sharp, labels, v0, witness = proved_problem()
    quick = FloatEnclosure(sharp.network, sharp.u, sharp.inputs, numpy_backend())
    found = prove_loss_path(quick, loss, v0, labels, [1] * len(labels), witness)
    assert found.verdict is Verdict.PROVED and found.precision >= 64


def test_a_conflict_as_in_a_real_data_set():
    """Equal rows with different labels: the segment leads to the entropy, within epsilon; that needs the rank."""
    rng = np.random.default_rng(5)
    rows = np.round(rng.standard_normal((7, 2)) * 8) / 8
    inputs, labels = np.vstack([rows, rows[:2]]), np.array([0, 1, 2, 0, 1, 2, 0, 1, 1])
    grouping = group_duplicates(Dataset("conflict", inputs, labels, 3))
    assert grouping.conflicts and grouping.dataset.labels is None
    net = dense([12], ["tanh"], 2)
    features = FeatureEnclosure(net, rng.standard_normal(net.parameter_count) * 3, grouping.dataset.inputs, 64)
    rank, features = prove_rank(features)
    v0 = ExactArray.of_floats(np.round(rng.standard_normal((12, 3)) * 16) / 16)
    many = grouping.dataset.multiplicities.tolist()
    found = prove_loss_path(features, "cross-entropy", v0, grouping.label_counts, many, rank.witness, epsilon="1e-9")
    assert found.verdict is Verdict.PROVED and found.needs_rank and found.strict and found.gamma is None
    low, high = grouping.infimum
    assert Fraction(low) <= found.infimum[1].fraction() and found.infimum[0].fraction() <= Fraction(high)
    assert 0 < found.end_loss.fraction() - found.infimum[0].fraction() <= Fraction(1, 10**9)


@pytest.mark.parametrize("loss", LOSSES)
def test_fewer_units_than_samples(loss):
    """Without the rank the verdict may be open, but what is stated of the segment is true."""
    sharp, labels, v0 = random_problem(np.random.default_rng(0), n=6, m=4)
    found = prove_loss_path(sharp, loss, v0, labels, [1] * 6, None, max_bits=128)
    assert not found.needs_rank
    if found.end_weights is None:
        assert found.verdict is Verdict.UNDECIDED and "slope" in found.reason
        return
    psi, counts = forward(sharp.network, sharp.u, sharp.inputs), np.eye(3, dtype=np.int64)[labels]
    with mpmath.workdps(60):
        first, last = (phi(loss, psi, fractions_of(v), counts, [1] * 3) for v in (v0, found.end_weights))
        assert last <= first and last <= mp(found.end_loss.fraction())
        assert mp(found.infimum[1].fraction()) >= last or found.gamma is not None
    assert found.verdict is Verdict.PROVED or "within" in found.reason


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss not in (*HINGES, "squared")])
def test_a_start_at_the_infimum_stays_there(loss):
    """Every sample has every label equally often, V0 = 0: a minimum of these losses, not of the others."""
    sharp, labels, v0, witness = proved_problem(classes=2)
    zero = ExactArray.of_floats(np.zeros(v0.shape))
    counts = np.ones((len(labels), 2), dtype=np.int64)
    found = prove_loss_path(sharp, loss, zero, counts, [2] * len(labels), witness, max_bits=128)
    assert found.verdict is Verdict.PROVED and not found.strict
    infimum = float(found.infimum[0])
    assert infimum == pytest.approx(np.log(2) * (1 if loss == "cross-entropy" else 2))


def test_a_tiny_epsilon_and_class_weights():
    sharp, labels, v0, witness = proved_problem()
    weights = [Dyadic(1, -10), Dyadic(5, 0), Dyadic(3, 4)]
    for loss in ("squared", "cross-entropy"):
        found = prove_loss_path(
            sharp, loss, v0, labels, [1] * len(labels), witness, class_weights=weights, epsilon="1e-12"
        )
        assert found.verdict is Verdict.PROVED and found.end_loss.fraction() <= Fraction(1, 10**12)
        assert found.class_weights == tuple(weights)


@pytest.mark.parametrize("scale", [1e-300, 1e100, 1e308])
def test_extreme_starts_are_decided_or_left_open(scale):
    sharp, labels, v0, witness = proved_problem()
    start = ExactArray.of_floats(v0.approx() / 16 * scale)
    for loss in LOSSES:
        found = prove_loss_path(sharp, loss, start, labels, [1] * len(labels), witness, max_bits=128)
        assert found.verdict in (Verdict.PROVED, Verdict.UNDECIDED)
        if found.end_weights is not None and scale > 1:
            assert found.start_loss[0].fraction() <= found.start_loss[1].fraction()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "hinge"}, "unknown"),
        ({"labels": np.array([0, 1, 2])}, r"labels: shape \(3,\), expected \(4,\)"),
        ({"labels": np.array([0, 1, 2, 3])}, "entry 3 is 3, outside 0..2"),
        ({"labels": np.array([0, 1, 2, -1])}, "entry 3 is -1, outside 0..2"),
        ({"labels": np.zeros((4, 2), dtype=np.int64)}, r"shape \(4, 2\) must be \(4, 3\)"),
        ({"labels": np.array([0.0, 1, 2, 1])}, "labels: dtype float64 is not integers"),
        ({"labels": np.zeros((4, 3), dtype=np.int64)}, "add up"),
        ({"labels": np.array([[2, -1, 0]] * 4)}, "not negative"),
        ({"multiplicities": [1, 1, 1]}, "multiplicities"),
        ({"multiplicities": [1, 1, 0, 1]}, "multiplicities"),
        ({"class_weights": [Dyadic(1, 0)] * 2}, "class weights"),
        ({"class_weights": [Dyadic(1, 0), Dyadic(0, 0), Dyadic(1, 0)]}, "class weights"),
        ({"start_weights": ExactArray.of_floats(np.zeros((2, 3)))}, "V has shape"),
    ],
)
def test_unusable_input_is_one_line(change, message):
    enclosure, labels, v0 = random_problem(np.random.default_rng(0))
    given = {"loss": "squared", "start_weights": v0, "labels": labels, "multiplicities": [1] * 4} | change
    with pytest.raises(DataError, match=message) as caught:
        prove_loss_path(enclosure, **given)
    assert "\n" not in str(caught.value)
