"""R6 and Z0: exact ranks and relations are accepted, all else is rejected by the rule that must fire."""

from fractions import Fraction as F
from random import Random

import numpy as np
import pytest
from checker_writer import Builder, write

import verifier as vf
from verifier.certificate.writer import CertificateBuilder
from verifier.checker.certificate import check_file
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank.rational import exact_rank, rational_features
from verifier.statements.claims.full_rank import R6

INPUTS = [[F(0), F(0)], [F(0), F(1)], [F(1), F(0)], [F(1), F(1)]]


def outcome(tmp_path, claims, *, activation="Max(0, t)", weights=None, biases=None, inputs=INPUTS, labels=(0, 1, 1, 0)):
    builder = Builder()
    weights = weights or [[1, 1], [1, -1], [-1, 1], [-1, -1], [-1, -2]]
    data = builder.data(inputs, list(labels), 2)
    layers = [builder.dense(weights, biases or [F(1, 2), F(1, 4), F(1, 8), -1, -1], activation)]
    document = builder.document(data, [len(inputs[0])], layers, len(weights), claims)
    return check_file(str(write(tmp_path, document, builder.arrays())), 1)


def rule(found):
    return found.verdict if found.rejection is None else (found.verdict, found.rejection.rule)


@pytest.mark.parametrize(("rank", "wanted"), [(3, "ACCEPTED"), *((r, ("REJECTED", "R6.rank")) for r in (0, 2, 4, 5))])
def test_dead_units_have_one_rank(tmp_path, rank, wanted):
    found = outcome(tmp_path, [{"label": "R6", "rank": rank}])
    assert rule(found) == wanted
    if rank == 3:
        assert "exactly" in found.claims[0]["statement"] and "bad valleys" in found.claims[0]["statement"]


@pytest.mark.parametrize(
    "activation", ["tanh(t)", "log(t + 2)", "sqrt(t + 3)", "1/(t - t)", "1/(t - 1/2)", "exp(t)", "pi*t"]
)
def test_what_is_not_rational_or_not_defined_is_rejected(tmp_path, activation):
    assert rule(outcome(tmp_path, [{"label": "R6", "rank": 3}], activation=activation)) == ("REJECTED", "R6.rational")


def test_numbers_that_grow_are_rejected(tmp_path):
    found = outcome(
        tmp_path, [{"label": "R6", "rank": 3}], activation="(t + 1/3)**1000", inputs=[[F(1, 2**60), F(3)]] * 4
    )
    assert found.verdict == "REJECTED" and found.rejection.rule in ("R6.rational", "R6.size")


# identity features: sample 0 is 0; shifted by (1, 1): x_0 + x_3 = x_1 + x_2
EYE = {"activation": "t", "weights": [[1, 0], [0, 1]], "biases": [0, 0]}
SHIFTED = [[a + 1, b + 1] for a, b in INPUTS]
FULL = {"label": "Z0", "samples": [0, 3, 1, 2], "against": [1, 1, 0, 0], "factors": ["1", "1", "1", "1"]}


def test_a_relation_is_accepted(tmp_path):
    found = outcome(tmp_path, [FULL], inputs=SHIFTED, **EYE)
    assert rule(found) == "ACCEPTED" and "for every V" in found.claims[0]["statement"]
    zero = {"label": "Z0", "samples": [0], "against": [1], "factors": ["7"]}
    assert rule(outcome(tmp_path, [zero], **EYE)) == "ACCEPTED"


BAD = {
    "a wrong multiplier": ({"factors": ["1", "2", "1", "1"]}, "Z0.relation"),
    "a sample less": ({"samples": [0, 3, 1], "against": [1, 1, 0], "factors": ["1"] * 3}, "Z0.relation"),
    "its own class": ({"against": [0, 0, 1, 1]}, "Z0.pair"),
    "no such sample": ({"samples": [0, 3, 1, 4]}, "Z0.pair"),
    "no such class": ({"against": [1, 1, 0, 2]}, "Z0.pair"),
    "a negative factor": ({"factors": ["1", "1", "1", "-1"]}, "Z0.factor"),
    "a factor 0": ({"factors": ["0"] * 4}, "Z0.factor"),
    "a digit that is no ASCII": ({"factors": ["1", "1", "1", "\u0661"]}, "Z0.factor"),
    "lists of different lengths": ({"factors": ["1"] * 3}, "schema.value"),
    "nothing": ({"samples": [], "against": [], "factors": []}, "schema.value"),
    "a factor that is a number": ({"factors": [1, 1, 1, 1]}, "schema.type"),
}


@pytest.mark.parametrize("name", BAD)
def test_anything_else_is_rejected(tmp_path, name):
    change, wanted = BAD[name]
    assert rule(outcome(tmp_path, [FULL | change], inputs=SHIFTED, **EYE)) == ("REJECTED", wanted)


def test_a_relation_of_other_labels_or_features_is_rejected(tmp_path):
    assert rule(outcome(tmp_path, [FULL], inputs=SHIFTED, labels=(0, 1, 0, 1), **EYE)) == ("REJECTED", "Z0.pair")
    assert rule(outcome(tmp_path, [FULL], inputs=[*SHIFTED[:3], [F(1), F(2)]], **EYE)) == ("REJECTED", "Z0.relation")
    curved = EYE | {"activation": "t**2", "weights": [[1, 0], [1, 1]]}
    assert rule(outcome(tmp_path, [FULL], inputs=SHIFTED, **curved)) == ("REJECTED", "Z0.relation")


@pytest.mark.parametrize("seed", range(6))
def test_prover_and_checker_agree_on_convolutions_pools_and_depth(tmp_path, seed):
    """Two programs, one rank: the prover's claim is accepted, its neighbours are not."""
    rng, pick = np.random.default_rng(seed), Random(seed)
    activation = pick.choice(["relu", "abs(t)", "max(t, t/8)", "max(-1, min(1, t))", "t**2", "t/(1 + t**2)"])
    network = Network(
        (2, 6),
        (
            Conv(3, (3,), activation, padding=seed % 2, bias="tied" if seed % 3 else "per-unit", skip=True),
            AvgPool((2,), inputs=(0,)),
            Dense(3, activation, skip=True, inputs=("input", 1)),
        ),
    )
    u = np.round(8 * rng.normal(size=network.parameter_count)) / 8
    x = np.round(4 * rng.normal(size=(5, 12))) / 4
    rank = exact_rank(rational_features(network, u, x)).rank
    data = vf.dataset_from_arrays(x, [0, 1, 0, 1, 1])
    for claimed in (rank - 1, rank, rank + 1):
        builder = CertificateBuilder(data, network, u, with_labels=True)
        builder.add_claim(R6(rank=claimed))
        found = check_file(str(builder.write(tmp_path / f"{claimed}.json")), 1)
        assert rule(found) == ("ACCEPTED" if claimed == rank else ("REJECTED", "R6.rank"))


def test_written_certificates_of_refuted_zero_error_are_accepted(tmp_path):
    x, y = np.array([[1, 1], [1, 2], [2, 1], [2, 2.0]]), [0, 1, 1, 0]
    eye = {"layer0.weight": np.eye(2), "layer0.bias": np.zeros(2)}
    found = vf.verify(x, y, [vf.Dense(2, "identity", skip=True)], eye)
    written = found.write(tmp_path / "c.json")
    assert "Z0" in [label for label, _ in vf.show(written).claims]
    assert "3 margins" in str(vf.show(written)) and vf.check(written).accepted is True
