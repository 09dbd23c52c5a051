"""Z2, C1 and C3 in the checker: exact small examples, accepted at the truth and rejected just beyond it."""

import math
from fractions import Fraction as F

import pytest
from checker_toy import FEATURES, LABELS, V0, V1, toy
from checker_writer import Builder, dyadic
from checking import check, rejected
from flint import ctx

from verifier.checker.common import precision

PATH = "/claims/4"


def with_claim(claim):
    """The toy with one claim more; weights are those of its path."""
    builder, document = toy()
    path = document["claims"][3]
    names = {"output_weights": path["end_weights"], "start_weights": path["start_weights"]}
    document["claims"].append({key: names.get(key, value) for key, value in ({"precision": 64} | claim).items()})
    return builder, document


def test_the_length_of_series_is_restored():
    before = ctx.cap
    with precision(77):
        assert ctx.prec == 77 and ctx.cap > 10_000
    assert ctx.cap == before


# --- Z2 ---


def line(radius, *, activation="t", weight=2, x=3, gamma=None, outputs=((1, 0),), precision=64):
    """One sample x, one unit weight * x, margins weight * x: the truth is lost at a known radius."""
    b = Builder()
    data = b.data([[x]], [0])
    claim = {"label": "Z2", "precision": precision, "output_weights": b.exact([list(row) for row in outputs])}
    claim |= {"gamma": dyadic(F(weight * x) if gamma is None else gamma), "radius": dyadic(radius)}
    return b, b.document(data, [1], [b.dense([[weight]], [0], activation)], 1, [claim])


def test_a_linear_unit(tmp_path):
    """B = sup |t| <= (2 + r) 3 + r, d = 4 r: 4 r + 2 r (6 + 4 r) < 6 with sup bounds up to 9/8 too large."""
    assert check(tmp_path, *line(F(1, 4))).verdict == "ACCEPTED"
    lost = F(1, 2)  # (1 - r) - r = 0: the true margin is lost there
    rejected(check(tmp_path, *line(lost)), "Z2.change", "/claims/0/radius")
    outcome = check(tmp_path, *line(F(1, 4)))
    assert outcome.claims[0]["radius"] == "0.25" and "zero training error" in outcome.claims[0]["statement"]


def test_gamma_and_radius(tmp_path):
    rejected(check(tmp_path, *line(F(1, 4), gamma=F(6) + F(1, 2**50))), "Z2.margin", "/claims/0/gamma")
    rejected(check(tmp_path, *line(F(1, 4), gamma=0)), "Z2.gamma", "/claims/0/gamma")
    rejected(check(tmp_path, *line(0)), "Z2.radius", "/claims/0/radius")
    rejected(check(tmp_path, *line(-1)), "Z2.radius", "/claims/0/radius")
    rejected(check(tmp_path, *line(F(1, 4), outputs=((0, 1),))), "Z2.margin", "/claims/0/gamma")
    rejected(check(tmp_path, *line(2**40)), "Z2.change", "/claims/0/radius")


@pytest.mark.parametrize("activation", ["Abs(t)", "Max(0, t)", "Min(t, 1)", "t + Abs(t)"])
def test_kinks_are_followed(activation, tmp_path):
    """A layered network whose activation has no derivative everywhere is followed by boxes."""
    gamma = F(1, 2)
    assert check(tmp_path, *line(F(1, 2**20), activation=activation, gamma=gamma)).verdict == "ACCEPTED"
    rejected(check(tmp_path, *line(1, activation=activation, gamma=gamma)), "Z2.change", "/claims/0/radius")


@pytest.mark.parametrize(
    ("activation", "radius", "verdict"), [("tanh(t)", F(1, 64), "ACCEPTED"), ("sin(t)", F(1, 2), "REJECTED")]
)
def test_bounded_activations(activation, radius, verdict, tmp_path):
    weight = 1 if activation == "tanh(t)" else 2
    gamma = F(9, 10) if activation == "tanh(t)" else F(1, 8)
    found = line(radius, activation=activation, weight=weight, gamma=F(math.floor(gamma * 2**20), 2**20))
    outcome = check(tmp_path, *found)
    assert outcome.verdict == verdict


def test_poles_are_found_in_the_range(tmp_path):
    """1/(t - 7) is fine at t = 8 but has a pole in the symmetric range; rejected, not overlooked."""
    found = line(F(1, 2**20), activation="1/(t - 7)", gamma=F(1, 8), x=4)
    rejected(check(tmp_path, *found), "Z2.range")


def test_huge_ranges(tmp_path):
    """tanh stays bounded on a range of 1e300; an exponential does not."""
    b, document = line(F(1, 2**1020), activation="tanh(t)", weight=1, gamma=F(1, 2))
    document["network"]["nodes"][1]["values"]["terms"][0]["exponent"] = 1000
    assert check(tmp_path, b, document).verdict == "ACCEPTED"
    document["network"]["nodes"][4]["activation"] = "exp(t)"
    assert check(tmp_path, b, document).verdict == "REJECTED"


@pytest.mark.parametrize("key", ["radius", "gamma", "output_weights", "precision"])
def test_keys_of_z2_are_needed(key, tmp_path):
    b, document = line(F(1, 4))
    del document["claims"][0][key]
    rejected(check(tmp_path, b, document), "schema.missing-key")


# --- C1 ---


def softmax(weights):
    """Floating-point softmax of the toy's two logits."""
    result = []
    for row in FEATURES:
        g = [float(sum(p * w[k] for p, w in zip(row, weights, strict=True))) for k in range(2)]
        result.append([1 / (1 + math.exp(g[1 - k] - g[k])) for k in range(2)])
    return result


def residual(weights, counts=(1, 2, 1)):
    squares = 0.0
    for p, y, count in zip(softmax(weights), LABELS, counts, strict=True):
        squares += sum((count * (x - (k == y))) ** 2 for k, x in enumerate(p))
    return math.sqrt(squares) / 4


@pytest.mark.parametrize("which", ["start_weights", "output_weights"])
def test_gradients(which, tmp_path):
    """sigma_lower = 1/8 in the toy: the threshold is residual / 8."""
    truth = residual(V0 if which == "start_weights" else V1) / 8
    for factor, verdict in ((1 - 1e-9, "ACCEPTED"), (1 + 1e-9, "REJECTED")):
        builder, document = with_claim({"label": "C1", "start_weights": 0, "gradient_lower": dyadic(F(truth * factor))})
        if which == "output_weights":
            document["claims"][-1]["start_weights"] = document["claims"][3]["end_weights"]
        outcome = check(tmp_path, builder, document)
        assert outcome.verdict == verdict
        if verdict == "REJECTED":
            rejected(outcome, "C1.gradient", PATH + "/gradient_lower")
        else:
            assert set(outcome.claims[-1]) == {"label", "statement", "precision", "gradient_lower"}
            assert "stationary" in outcome.claims[-1]["statement"]


@pytest.mark.parametrize("bound", [0, -1])
def test_gradients_must_be_positive(bound, tmp_path):
    found = with_claim({"label": "C1", "start_weights": 0, "gradient_lower": dyadic(bound)})
    rejected(check(tmp_path, *found), "C1.gradient", PATH + "/gradient_lower")


def without_ranks(builder, document):
    document["claims"] = document["claims"][2:]
    for spare in [name for name in builder.tensors if name not in str(document)]:
        del builder.tensors[spare]
    return builder, document


def test_a_gradient_needs_a_rank(tmp_path):
    found = with_claim({"label": "C1", "start_weights": 0, "gradient_lower": dyadic(F(1, 2**40))})
    rejected(check(tmp_path, *without_ranks(*found)), "C1.rank", "/claims/2")


def test_a_gradient_needs_labels(tmp_path):
    builder, document = with_claim({"label": "C1", "start_weights": 0, "gradient_lower": dyadic(F(1, 2**40))})
    document["data"]["labels"] = None
    document["claims"] = [*document["claims"][:2], document["claims"][-1]]
    rejected(check(tmp_path, *without_ranks_kept(builder, document)), "data.labels")


def without_ranks_kept(builder, document):
    for spare in [name for name in builder.tensors if name not in str(document)]:
        del builder.tensors[spare]
    return builder, document


# --- C3 ---


def curvature(unit, output, counts=(1, 2, 1)):
    parts = zip(softmax(V0), FEATURES, counts, strict=True)
    return sum(count * row[unit] ** 2 * p[output] * (1 - p[output]) for p, row, count in parts) / 4


@pytest.mark.parametrize(("unit", "output"), [(0, 0), (0, 1), (1, 0), (2, 1), (3, 0)])
def test_curvatures(unit, output, tmp_path):
    truth = curvature(unit, output)
    for factor, verdict in ((1 - 1e-9, "ACCEPTED"), (1 + 1e-9, "REJECTED")):
        claim = {
            "label": "C3",
            "start_weights": 0,
            "unit": unit,
            "output": output,
            "curvature_lower": dyadic(F(truth * factor)),
        }
        outcome = check(tmp_path, *with_claim(claim))
        assert outcome.verdict == verdict, outcome.rejection
        if verdict == "REJECTED":
            rejected(outcome, "C3.curvature", PATH + "/curvature_lower")


@pytest.mark.parametrize(
    ("change", "rule", "path"),
    [
        ({"unit": 4}, "schema.value", PATH + "/unit"),
        ({"unit": -1}, "schema.value", PATH + "/unit"),
        ({"output": 2}, "schema.value", PATH + "/output"),
        ({"output": True}, "schema.type", PATH + "/output"),
        ({"curvature_lower": dyadic(0)}, "C3.curvature", PATH + "/curvature_lower"),
        ({"curvature_lower": dyadic(-1)}, "C3.curvature", PATH + "/curvature_lower"),
        ({"class": 0}, "schema.unknown-key", PATH),
    ],
)
def test_curvature_fields(change, rule, path, tmp_path):
    claim = {"label": "C3", "start_weights": 0, "unit": 0, "output": 0, "curvature_lower": dyadic(F(1, 2**60))}
    assert check(tmp_path, *with_claim(claim)).verdict == "ACCEPTED"
    outcome = check(tmp_path, *with_claim(claim | change))
    assert outcome.rejection.rule.startswith(rule.split(".")[0])
    assert outcome.rejection.path == path


def test_zero_features_have_no_curvature(tmp_path):
    b = Builder()
    claim = {"label": "C3", "precision": 64, "start_weights": b.exact([[1, 0]]), "unit": 0, "output": 0}
    claim["curvature_lower"] = dyadic(F(1, 2**1000))
    document = b.document(b.data([[0]], [0]), [1], [b.dense([[1]], [0])], 1, [claim])
    rejected(check(tmp_path, b, document), "C3.curvature")
