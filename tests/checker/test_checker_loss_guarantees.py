"""What the checker says of loss paths and rank balls: true ones, and claims beyond the truth."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from planted import (
    seeds,
)
from planted_problems import certified, checked

from verifier.balls import feature_enclosure as features
from verifier.balls.exact import Dyadic
from verifier.certificate.writer import CertificateBuilder
from verifier.checker import certificate
from verifier.checker import losses as checker_losses
from verifier.checker import pointwise as checker_pointwise
from verifier.data.dataset import Dataset
from verifier.landscape import neighbourhood
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.rank import certify
from verifier.sigma.activations import activation


def examine(builder, change=None):
    """Write, perhaps change the document, and check; with the classes that are in the modules now."""
    with tempfile.TemporaryDirectory() as folder:
        file = builder.write(Path(folder) / "c.json")
        if change is not None:
            document = json.loads(file.read_text())
            change(document)
            file.write_text(json.dumps(document))
        certificate.SWEPT |= {"Z2": checker_pointwise.BallClaim, "C1": checker_pointwise.GradientClaim}
        certificate.SWEPT |= {"C3": checker_pointwise.CurvatureClaim, "TC.3": checker_losses.LossClaim}
        return certificate.check_file(str(file), 1)


def rule_of(outcome):
    """The rule by which a certificate was rejected; None if it was accepted."""
    return outcome.rejection and outcome.rejection.rule


def turn_round(claim):
    """Exchange both ends of a segment, and claim little of the losses."""
    claim["start_weights"], claim["end_weights"] = claim["end_weights"], claim["start_weights"]
    most = {"mantissa": "1", "exponent": 40}
    claim |= {"start_loss": {"lower": {"mantissa": "0", "exponent": 0}, "upper": most}, "end_loss": most, "gamma": None}


def scaled(number, numerator, denominator=1):
    """A dyadic times a fraction whose denominator is a power of two."""
    power = denominator.bit_length() - 1
    return {"mantissa": str(int(number["mantissa"]) * numerator), "exponent": number["exponent"] - power}


def shifted(number, amount):
    """A dyadic plus 2^amount."""
    exponent = min(number["exponent"], amount)
    mantissa = (int(number["mantissa"]) << (number["exponent"] - exponent)) + (1 << (amount - exponent))
    return {"mantissa": str(mantissa), "exponent": exponent}


@seeds(5)
def test_certificates_are_accepted(rng):
    """What was proved is accepted, with labels and with conflicting counts."""
    for conflict in (False, True):
        outcome = examine(certified(rng, conflict))
        assert outcome.verdict == "ACCEPTED", str(outcome.rejection and outcome.rejection.args)
        found = [claim["label"] for claim in outcome.claims]
        assert found.count("TC.3") >= 3 and (conflict or {"Z2", "C1", "C3"} <= set(found))


@seeds(2)
def test_certificates_beyond_the_truth_are_rejected(rng):
    """One number of one claim beyond the truth: rejected, by the claim's own rule."""
    builder = certified(rng)
    claims = {c["label"]: k for k, c in enumerate(builder._claims)}
    paths = {c["loss"]: k for k, c in enumerate(builder._claims) if c["label"] == "TC.3"}
    tampers = [
        ("Z2", "Z2.change", lambda c: c.update(radius=scaled(c["radius"], 64))),
        ("C1", "C1.gradient", lambda c: c.update(gradient_lower=scaled(c["gradient_lower"], 17, 16))),
        ("C3", "C3.curvature", lambda c: c.update(curvature_lower=scaled(c["curvature_lower"], 17, 16))),
    ]
    for label, rule, change in tampers:
        outcome = examine(builder, lambda d, k=claims[label], f=change: f(d["claims"][k]))
        assert outcome.verdict == "REJECTED" and rule_of(outcome) == rule, (label, outcome.rejection)
    for loss, k in paths.items():
        for rule, change in (
            ("start-loss", lambda c: c["start_loss"].update(lower=scaled(c["start_loss"]["lower"], 17, 16))),
            ("start-loss", lambda c: c["start_loss"].update(upper=scaled(c["start_loss"]["upper"], 15, 16))),
            ("infimum", lambda c: c["infimum"].update(lower=shifted(c["infimum"]["lower"], -60))),
            ("end-weights", turn_round),
        ):
            outcome = examine(builder, lambda d, k=k, f=change: f(d["claims"][k]))
            assert rule_of(outcome) == f"TC.3.{rule}", (loss, rule)
        if int(builder._claims[k]["end_loss"]["mantissa"]):
            outcome = examine(
                builder, lambda d, k=k: d["claims"][k].update(end_loss=scaled(d["claims"][k]["end_loss"], 15, 16))
            )
            assert rule_of(outcome) == "TC.3.end-loss", loss
        if builder._claims[k]["gamma"] is not None:
            outcome = examine(
                builder, lambda d, k=k: d["claims"][k].update(gamma=scaled(d["claims"][k]["gamma"], 17, 16))
            )
            assert rule_of(outcome) == "TC.3.margin", loss


@seeds(5)
def test_conflicting_infima_need_the_rank(rng):
    """Without R1 the entropy is only a lower bound of the infimum; the claimed upper bound must then be attained."""
    builder = certified(rng, conflict=True)
    number = next(k for k, c in enumerate(builder._claims) if c.get("loss") == "cross-entropy")
    for side, factor in (("lower", 1025), ("upper", 1023)):

        def change(document, side=side, factor=factor):
            bounds = document["claims"][number]["infimum"]
            bounds[side] = scaled(bounds[side], factor, 1024)

        assert rule_of(examine(builder, change)) == "TC.3.infimum"
    assert rule_of(examine(certified(rng, conflict=True, ranked=False))) == "TC.3.rank"


def test_rank_balls():
    """B1: one linear unit per sample, where the largest radius is known; the checker agrees and takes no larger one."""
    network = Network((1,), (Dense(2, activation("identity"), skip=True),))
    u, x = np.array([1.0, -1.0, 1.0, 1.0]), np.array([[2.0], [-1.0]])  # Psi = [[3, -1], [0, 2]]
    sigma = Dyadic.of_float(1.9)  # below sigma_N = 1.9...: sqrt(7 - sqrt 13)
    found = neighbourhood.certified_rank_ball(network, u, x, sigma)
    truth = 1.9 / (2 * 3.0)  # ||Psi' - Psi||_F <= sqrt(2 * 2) (2 r + r)
    assert 0.6 * truth < float(found) < 0.9 * truth, float(found)
    data = Dataset("b", x, np.array([0, 1]), 2)
    result, _ = certify.prove_rank(features.FeatureEnclosure(network, u, x, 64))
    for scale, verdict in ((0.5, "ACCEPTED"), (1.2, "REJECTED")):
        builder = CertificateBuilder(data, network, u, with_labels=True)
        builder.add_rank(result)
        bound = float(result.bound.sigma_lower) / 6 * scale
        builder._claims.append({"label": "B1", "radius": {"mantissa": str(int(bound * 2**40)), "exponent": -40}})
        assert checked(builder).verdict == verdict
