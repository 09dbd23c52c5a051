"""B1: full row rank in a ball of hidden weights; the checker accepts it and rejects what is too large."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from verifier.balls.exact import Dyadic
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.checker.certificate import check_file
from verifier.landscape.neighbourhood import certified_rank_ball
from verifier.network.forward import approx_features
from verifier.network.initialise import initialise
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank.certify import prove_rank
from verifier.run.case import parse_case
from verifier.run.case_problem import run_case
from verifier.sigma.activations import activation

CASE = """
data = { name = "digits", samples = 8 }
network.layers = [
  { kind = "conv2d", filters = 2, kernel = [3, 3], stride = [2, 2], bias = "tied", activation = "tanh", skip = true },
  { kind = "dense", width = 30, activation = "sigmoid", inputs = ["input", 0], skip = true },
]
"""


@pytest.mark.parametrize("seed", range(6))
def test_corners_of_the_ball_have_full_rank(seed):
    rng = np.random.default_rng(seed)
    names = rng.choice(("tanh", "sigmoid", "softplus", "sin", "cubic", "gelu", "arctan"), 2)
    layers = (
        Conv(2, (2, 2), activation(names[0]), (1, 1), "tied" if seed % 2 else "per-unit", skip=True),
        AvgPool((2, 2), skip=True),
        Dense(6, activation(names[1]), skip=True),
    )
    network, x = Network((1, 3, 3), layers), rng.normal(size=(5, 9))
    u = initialise(network, seed=seed)
    result, _ = prove_rank(FeatureEnclosure(network, u, x, 64))
    radius = certified_rank_ball(network, u, x, result.bound.sigma_lower)
    assert radius is not None and float(radius) > 0
    sigma = float(result.bound.sigma_lower)
    for _ in range(20):
        corner = u + float(radius) * rng.choice((-1.0, 1.0), size=u.shape)
        change = np.linalg.norm(approx_features(network, corner, x) - approx_features(network, u, x))
        assert change < sigma, "Weyl's inequality would not apply"
        assert np.linalg.matrix_rank(approx_features(network, corner, x)) == 5


def test_the_ball_is_not_hopelessly_small():
    network = Network((2,), (Dense(3, activation("tanh"), skip=True),))
    u, x = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.5]), np.array([[1.0, 0.0], [0.0, 1.0]])
    psi = approx_features(network, u, x)
    sigma = np.linalg.svd(psi, compute_uv=False)[-1]
    radius = float(certified_rank_ball(network, u, x, Dyadic.of_float(float(sigma) * 0.99)))
    assert sigma / 25 < radius < sigma


def test_kinks_are_bounded_and_a_bound_of_0_gives_no_ball():
    network = Network((2,), (Dense(3, activation("relu"), skip=True),))
    radius = certified_rank_ball(network, np.ones(9), np.eye(2), Dyadic(1, 0))
    # (1 + r) + (1 + r) = 2 + 2 r: six entries change by 2 r at most
    assert 0.5 * 6**-0.5 / 2.5 <= float(radius) <= 0.5 * 6**-0.5
    assert certified_rank_ball(network, np.ones(9), np.eye(2), Dyadic(0, 0)) is None
    network = Network((2,), (Dense(3, activation("tanh"), skip=True),))
    assert certified_rank_ball(network, np.ones(9), np.eye(2), Dyadic(0, 0)) is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    return run_case(parse_case(CASE))[1].write(tmp_path_factory.mktemp("ball") / "c.json")


def _changed(certificate, tmp_path, change):
    document = json.loads(certificate.read_text())
    change(document)
    target = tmp_path / certificate.name
    target.write_text(json.dumps(document))
    (tmp_path / document["arrays"]["file"]).write_bytes(certificate.with_suffix(".safetensors").read_bytes())
    return check_file(str(target), 1)


def _ball(document):
    return next(claim for claim in document["claims"] if claim["label"] == "B1")


@pytest.mark.thorough
def test_the_checker_decides(certificate, tmp_path):
    assert _changed(certificate, tmp_path, lambda document: None).verdict == "ACCEPTED"

    def larger(document):
        _ball(document)["radius"]["exponent"] += 1

    def negative(document):
        _ball(document)["radius"]["mantissa"] = "-" + _ball(document)["radius"]["mantissa"]

    def huge(document):
        _ball(document)["radius"]["exponent"] = 150_000

    def extra(document):
        _ball(document)["rank"] = 20

    for change, rule in ((larger, "B1.change"), (negative, "B1.radius"), (huge, "B1.change|Z2.range")):
        found = _changed(certificate, tmp_path, change)
        assert found.verdict == "REJECTED" and found.rejection.rule in rule.split("|"), found.rejection
    assert _changed(certificate, tmp_path, extra).rejection.rule == "schema.unknown-key"


def test_two_references_to_a_tensor_state_the_same_shape(certificate, tmp_path):
    def other(document):
        claims = [c for c in document["claims"] if "start_weights" in c]
        assert len(claims) > 1
        claims[-1]["start_weights"]["shape"] = [2**31, 1]

    assert _changed(certificate, tmp_path, other).rejection.rule == "shape"


def test_it_needs_a_rank_at_the_stored_weights(certificate, tmp_path):
    """A witness (W1) speaks of other parameters: it does not carry a ball around the stored ones."""

    def without(document):
        document["claims"] = [c for c in document["claims"] if c["label"] in ("B1", "W1", "W0")]

    found = _changed(certificate, tmp_path, without)
    assert found.rejection.rule in ("B1.rank", "container.unreferenced")
