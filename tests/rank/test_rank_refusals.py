"""Ranks that are left open, and why; arguments that are refused; each beside a case that is decided."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
import sympy
from flint import fmpz_mat
from planted import dense

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.matrix import MatrixEnclosure
from verifier.balls.decimals import decimal_enclosure
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.errors import InputError
from verifier.network.layers import Conv, Dense
from verifier.network.network import Network
from verifier.rank import approx, certify, double_double_rung, float_inverse, gram, gram_matrix, random_witness, refine
from verifier.rank.certify import prove_rank
from verifier.rank.dead import dead_open_set
from verifier.rank.monotone import _walk
from verifier.rank.right_inverse import witness_norm
from verifier.rank.singular_values import matrix_singular_values
from verifier.sigma.activations import activation
from verifier.sigma.expressions import parse_expression
from verifier.verdict import Verdict

BACKEND = numpy_backend(1)
GOOD = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]])


def test_random_witnesses_need_enough_units_and_room(monkeypatch):
    network, x = dense([3], ["tanh"], 2), np.array([[0.0, 1.0], [1.0, 0.5], [0.3, 2.0]])
    assert random_witness.random_witness(network, x).rank.verdict is Verdict.PROVED
    assert random_witness.random_witness(dense([2], ["tanh"], 2), x).reason == "M = 2 < N = 3"
    with monkeypatch.context() as patch:
        patch.setattr(random_witness, "ENTRIES", 8)
        assert "more than 8" in random_witness.random_witness(network, x).reason
    tied = Network((1, 2), (Conv(2, (1,), activation("tanh"), bias="tied", skip=True),))
    mirrored = np.array([[0.0, 0.0], [0.0, 0.0]])
    assert "was certified to have full rank" in random_witness.random_witness(tied, mirrored).reason


@pytest.mark.parametrize(
    ("digits", "bits"), [(0, 64), (True, 64), (1.5, 64), (10**9, 64), (5, 63), (5, "64"), (5, 10**9)]
)
def test_digits_and_bits_have_limits(digits, bits):
    matrix = ExactArray.of_floats(GOOD)
    assert matrix_singular_values(matrix, 5, max_bits=128).verdict is Verdict.PROVED
    with pytest.raises(InputError, match="must be a whole number in"):
        matrix_singular_values(matrix, digits, max_bits=bits)


def test_decimals_of_exact_numbers():
    assert decimal_enclosure(Fraction(0), Fraction(0), 3) == "0"
    assert decimal_enclosure(Fraction(5, 4), Fraction(5, 4), 3).endswith("+- 0")
    assert " +- " in decimal_enclosure(Fraction(1, 3), Fraction(1, 2), 1)


def test_norms_need_a_number_of_products():
    x = fmpz_mat([[3, 0], [0, 4]])
    assert witness_norm(x, 0, 0) == 4 and 4 <= witness_norm(x, 0, 3) < 4.2
    with pytest.raises(ValueError, match="must be at least 0"):
        witness_norm(x, 0, -1)


def test_gram_matrices_that_are_not_tried(monkeypatch):
    assert gram.certify_gram(MatrixEnclosure(BACKEND, GOOD)).sigma_lower > 0
    assert "exceeds M = 2" in gram.certify_gram(MatrixEnclosure(BACKEND, GOOD.T)).reason
    with monkeypatch.context() as patch:
        patch.setattr(gram, "MAX_SIZE", 2)
        assert gram.certify_gram(MatrixEnclosure(BACKEND, GOOD)).reason == "M = 3 exceeds 2"

    def singular(*_):
        raise np.linalg.LinAlgError

    rows = np.eye(40, 50)
    assert gram.certify_gram(MatrixEnclosure(BACKEND, rows), sizes=gram_matrix.plan(40, 50)).sigma_lower > 0
    monkeypatch.setattr(type(BACKEND), "right_solve_transposed", singular)
    small = gram_matrix.plan(40, 50)
    halves = type(small)(**{**{name: getattr(small, name) for name in small.__dataclass_fields__}, "block": 20})
    assert "factor is singular at rows 0..19" in gram.certify_gram(MatrixEnclosure(BACKEND, rows), sizes=halves).reason


class Gappy:
    """Delivers the right blocks, or leaves out what a caller of the residual must not miss."""

    def __init__(self, missing):
        self.backend, self.samples, self.columns = BACKEND, 2, 3
        self.rows = [(slice(0, 1), GOOD[:1]), (slice(1, 2), GOOD[1:])]
        del self.rows[missing:]
        if missing == 0:
            self.rows = [(slice(1, 2), GOOD[1:])]

    def row_blocks(self):
        for rows, block in self.rows:
            yield rows, block, np.zeros(3)


def test_residuals_need_every_row_once():
    x = np.linalg.pinv(GOOD)
    assert float_inverse.residual64(Gappy(2), x).alpha < 1e-10
    with pytest.raises(ValueError, match="cover 1 of 2 rows"):
        float_inverse.residual64(Gappy(1), x)
    with pytest.raises(ValueError, match="does not continue at row 0"):
        float_inverse.residual64(Gappy(0), x)


def test_inverses_that_break_down_are_none(monkeypatch):
    """Nothing of LAPACK is trusted, not even to return."""
    assert approx.approx_right_inverse(GOOD) is not None
    assert approx.approx_right_inverse(np.zeros((2, 3))) is None
    assert approx.approx_inverse64(np.full((2, 3), np.nan)) is None

    def fail(*_, **__):
        raise scipy.linalg.LinAlgError

    monkeypatch.setattr(scipy.linalg, "qr", fail)
    assert approx.approx_right_inverse(GOOD) is None
    monkeypatch.setattr(scipy.linalg, "svd", fail)
    q, condition = refine.start(GOOD)
    assert str(q) == str(refine.identity(2)) and condition == 50.0
    monkeypatch.setattr(np.linalg, "qr", fail)
    bound = float_inverse.certify_inverse64(MatrixEnclosure(BACKEND, GOOD), np.linalg.pinv(GOOD), tight=True)
    truth = np.linalg.svd(GOOD, compute_uv=False)[-1]
    assert 0 < bound.sigma_lower <= truth  # the estimate of the norm is missing, its proof is not


def test_large_inverses_are_left_to_the_gram_matrix_or_open(monkeypatch):
    """Without room for an inverse only R2 is tried; without time for Arb nothing more."""
    network, x = dense([4], ["tanh"], 2), np.array([[0.0, 1.0], [1.0, 0.5], [0.3, 2.0]])
    u = np.random.default_rng(0).normal(size=network.parameter_count)
    quick = FloatEnclosure(network, u, x, BACKEND)
    assert prove_rank(quick)[0].label == "R1"
    monkeypatch.setattr(certify, "INVERSE_BYTES", 0)
    monkeypatch.setattr(double_double_rung, "MOST_BYTES", 0)
    assert prove_rank(quick)[0].label == "R2"
    monkeypatch.setattr(certify, "ARB_SECONDS_PER_PRODUCT", 1e9)
    found, _ = prove_rank(quick, gram=lambda *_, **__: gram.GramBound(Verdict.UNDECIDED, "it breaks down"))
    assert found.verdict is Verdict.UNDECIDED and "too large for Arb" in found.reason
    for where in ("binary64", "double-double"):
        assert any(f"R1 in {where}: not tried" in line for line in found.attempts)
    assert prove_rank(FeatureEnclosure(network, u, x, 64))[0].verdict is Verdict.UNDECIDED


def test_the_exact_rank_stands_where_arb_would_take_too_long_for_a_bound(monkeypatch):
    network, x = dense([3], ["relu"], 2), np.array([[0.0, 1.0], [1.0, 0.5], [0.25, 2.0]])
    u = np.array([1.0, 0.5, -0.5, 1.0, 1.0, -1.0, 0.5, 0.25, 0.5])
    monkeypatch.setattr(certify, "ARB_SECONDS_PER_PRODUCT", 1e9)
    found, _ = prove_rank(FeatureEnclosure(network, u, x, 64))
    assert found.proved and found.label == "R6"


def test_the_bound_of_binary64_has_room_for_a_checker_that_rounds_the_features():
    """Rounding Psi to 2^-k moves Psi X by up to 2^-k sqrt(N K) ||X||_F / 2: alpha grows by more than that."""
    network, x = dense([4], ["tanh"], 2), np.array([[0.0, 1.0], [1.0, 0.5], [0.3, 2.0]])
    quick = FloatEnclosure(network, np.random.default_rng(0).normal(size=network.parameter_count), x, BACKEND)
    witness = prove_rank(quick)[0].witness
    fine, coarse = (
        float(float_inverse.bound_in_binary64(quick, replace(witness, feature_bits=k)).alpha) for k in (60, 12)
    )
    inverse = witness.matrix.approx()
    assert coarse - fine >= 2.0**-13 * np.sqrt(inverse.size) * np.linalg.norm(inverse)


def test_dead_units_need_a_constant_piece_that_can_be_reached():
    x = np.array([[0.0], [1.0], [2.0]])
    relu = Network((1,), (Dense(4, activation("relu"), skip=True),))
    assert dead_open_set(relu, x).rank_at_most == 0
    assert dead_open_set(Network((1,), (Dense(4, activation("tanh"), skip=True),)), x) is None
    assert dead_open_set(Network((1,), (Dense(4, activation("max(t, 10**400)"), skip=True),)), x) is None
    clipped = dead_open_set(Network((1,), (Dense(4, activation("min(max(t, 1), 3)"), skip=True),)), x)
    assert clipped.rank_at_most == 1
    middle = dead_open_set(
        Network((1,), (Dense(4, activation("max(t, 0) + min(t, 0) - t + max(t - 1, 0)"), skip=True),)), x
    )
    assert middle is None or middle.rank_at_most <= 1


@pytest.mark.parametrize(
    ("text", "sign"),
    [("tanh(t)", 1), ("-tanh(t)", -1), ("tanh(t)*erf(t)", None), ("sin(t)*tanh(t)", None), ("sin(t) + t", None),
     ("exp(sin(t))", None), ("(2 + tanh(t))**(-2)", -1), ("tanh(t)**2", None), ("(1 + t**2)**(1/3)", None)],
)  # fmt: skip
def test_monotony_is_proved_or_left_open(text, sign):
    found = _walk(parse_expression(text))
    assert found is None if sign is None else found.sign == sign
    assert _walk(sympy.Integer(3)).sign == 0
