"""R1, R2, margins and logits with bounds of the 2-norms of rows, where these are sharper than one radius per column."""

from __future__ import annotations

import numpy as np
import pytest
from oracle_graph import psi_oracle
from planted_graphs import random_graph, random_point

from verifier.balls.binary64 import row_enclosure
from verifier.balls.binary64.backend import NotEnclosed, numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.loss import float_logits
from verifier.balls.binary64.margins import float_margins
from verifier.balls.binary64.matrix import MatrixEnclosure
from verifier.balls.exact import ExactArray
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.rank.float_inverse import bound_in_binary64, certify_inverse64
from verifier.rank.gram import certify_gram
from verifier.rank.right_inverse import RightInverse

BACKEND = numpy_backend(1)


class Rows(MatrixEnclosure):
    """A matrix with useless radii per column, and bounds of the 2-norms of rows."""

    def __init__(self, midpoints, norms):
        super().__init__(BACKEND, midpoints, np.full(midpoints.shape[1], 1e3))
        self.norms = norms

    def row_norms(self, rows=slice(None)):
        return self.norms[rows]


def orthonormal(rng, n, m):
    return np.linalg.qr(rng.standard_normal((m, n)))[0].T


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_bounds_are_those_of_the_worst_matrix(share):
    """Rows of norm rho that all point one way take sqrt(N) rho from sigma_N = 1: no bound is above what is left."""
    n, m = 12, 30
    a = orthonormal(np.random.default_rng(3), n, m)
    rho = share / np.sqrt(n)
    worst = a - rho * np.outer(np.ones(n), a.sum(axis=0) / np.sqrt(n))
    left = np.linalg.svd(worst, compute_uv=False)[-1]
    assert left == pytest.approx(1.0 - share)
    source = Rows(a, np.full(n, rho))
    for found in (certify_gram(source, tight=True), certify_inverse64(source, a.T, tight=True)):
        assert found.proved and 0.5 * left < found.sigma_lower <= left * (1.0 + 1e-12)
    few = np.arange(0, m, 2)  # a row of some columns is no longer than the whole
    assert certify_inverse64(source, np.linalg.pinv(a[:, few]), few).verdict is not None


def test_rows_that_no_pass_has_seen_bound_nothing():
    a = orthonormal(np.random.default_rng(0), 3, 5)
    for unknown in (np.full(3, np.inf), np.array([0.0, np.nan, 0.0])):
        assert not certify_gram(Rows(a, unknown)).proved
        assert not certify_inverse64(Rows(a, unknown), a.T).proved


def test_a_norm_of_the_witness_sharpens_r1():
    """With the Frobenius norm of X the residual would be above 1, with its 2-norm it is not."""
    n = 64
    a = orthonormal(np.random.default_rng(1), n, 2 * n)
    source = Rows(a, np.full(n, 4.0 / n))  # sqrt(sum rho^2) = 0.5, ||X||_F = 8
    numerators = np.round(a.T * 2.0**40).astype(np.int64).ravel().tolist()
    witness = RightInverse(ExactArray.of_integers(numerators, (2 * n, n), -40), None, 50, 6)
    sharp = bound_in_binary64(source, witness)
    assert sharp is not None and 0.5 <= float(sharp.alpha.fraction()) < 0.6


@pytest.mark.parametrize("seed", range(6))
def test_margins_and_logits_of_graphs_contain_the_truth(seed):
    rng = np.random.default_rng([seed, 5])
    network = random_graph(rng, kinds=["normalise", "affine", "attend", "map", "add"], steps=5)
    u, x = random_point(rng, network, count=3)
    features = FloatEnclosure(network, u, x, BACKEND)
    v = rng.standard_normal((network.columns, 3))
    labels = np.array([0, 1, 2])
    try:
        (rows,) = float_margins(features, [ExactArray.of_floats(v)], labels)
        logits = float_logits(features, ExactArray.of_floats(v))
    except NotEnclosed:
        pytest.skip("binary64 refuses this graph")
    psi = psi_oracle(network, u, x)
    for i, line in enumerate(psi):
        truth = [sum(p * w for p, w in zip(line, v[:, k].tolist(), strict=True)) for k in range(3)]
        for k in range(3):
            assert abs(truth[k] - float(logits.mid[i, k])) <= float(logits.radius[i, k])
        others = [k for k in range(3) if k != labels[i]]
        for ball, k in zip(rows[i], others, strict=True):
            gap = abs(truth[labels[i]] - truth[k] - float(ball.mid()))
            assert gap <= float(ball.rad()) * (1.0 + 1e-9)


def test_norms_are_those_of_the_last_pass(monkeypatch):
    """Rows and columns may be multiplied differently: norms belong to the midpoints that were delivered last."""
    monkeypatch.setattr(row_enclosure, "BLOCK_BYTES", 8 * 4)
    monkeypatch.setattr(row_enclosure, "BLOCK_ROWS", 1)
    network = Network((2,), [Dense(4, "tanh"), Dense(4, "tanh", skip=True)])
    features = FloatEnclosure(network, initialise(network, seed=1), np.arange(6.0).reshape(3, 2), BACKEND)
    list(features.row_blocks())
    by_rows = np.array(features.row_norms())
    features._norms[...] = 0.0  # as if the last pass had other midpoints
    list(features.column_blocks(2))
    assert (np.array(features.row_norms()) > 0.0).all()
    features._norms[...] = 0.0
    for rows, _, _ in features.row_blocks():
        assert (np.array(features.row_norms(rows)) == by_rows[rows]).all()
