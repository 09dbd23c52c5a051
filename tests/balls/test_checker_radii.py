"""Certificates of networks with large layers are at 53 bits where that will do, and the checker accepts them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import verifier as vf
from verifier.balls.binary64.checker_radii import gains_by_few_bits, predicted_radii
from verifier.certificate.cost import share_passes
from verifier.checker import certificate
from verifier.checker.features import Features

WIDTH, SAMPLES = 124, 44


def network(kind: str = "tanh", width: int = WIDTH) -> vf.Network:
    sigma = vf.activation(kind)
    return vf.Network(6, [vf.Dense(width, sigma, skip=True), vf.Dense(width, sigma, skip=True)])


@pytest.mark.parametrize(("kind", "scale"), [("tanh", 1.0), pytest.param("sigmoid", 3.0, marks=pytest.mark.slow)])
def test_a_checker_s_radii_are_below_the_predicted_ones_and_it_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, scale: float
) -> None:
    random, net, seen = np.random.default_rng(4), network(kind), []
    u = scale * random.standard_normal(net.parameter_count) / np.sqrt(WIDTH)
    x, y = random.standard_normal((SAMPLES, 6)), random.integers(0, 3, SAMPLES)
    file = vf.verify(x, y, net, u=u).write(tmp_path / "c.json")
    claims = {claim["label"]: claim for claim in json.loads(file.read_text())["claims"]}
    assert {claims[label]["precision"] for label in ("R1", "Z1", "P1", "GDV", "C1")} == {53}
    whole = Features.rows
    monkeypatch.setattr(Features, "rows", lambda self, samples: seen.append(whole(self, samples)) or seen[-1])
    assert certificate.check_file(str(file), 1).verdict == "ACCEPTED"
    radii = np.max([[float(ball.rad()) for ball in row] for rows in seen for row in rows], axis=0)
    assert (radii <= predicted_radii(net, u, float(np.abs(x).max()))).all()
    assert radii.max() > 2.0**-52


def test_where_nothing_is_gained_or_predicted_the_precision_is_as_before() -> None:
    assert gains_by_few_bits(network(), 40) and gains_by_few_bits(network("sigmoid"), 40)
    assert not gains_by_few_bits(network(), 39)
    assert not gains_by_few_bits(network(width=120), 40)
    assert not gains_by_few_bits(network("softplus"), 40)
    image = vf.Network((1, 12, 12), [vf.Conv(130, (3, 3), vf.activation("tanh"), skip=True)])
    assert not gains_by_few_bits(image, 40)
    random, net = np.random.default_rng(4), network()
    for scale, bits in ((1.0, 53), (1e3, 64)):  # far out the checker's common radii are too large
        u = scale * random.standard_normal(net.parameter_count) / np.sqrt(WIDTH)
        features = vf.FloatEnclosure(net, u, random.standard_normal((SAMPLES, 6)), vf.numpy_backend(1))
        assert features.precision == bits


def test_claims_of_the_pass_share_their_few_bits() -> None:
    claims = [{"label": "R1", "precision": 53}, {"label": "W0"}, {"label": "Z1", "precision": 64}]
    claims += [{"label": "C1", "precision": 128}, {"label": "W1", "precision": 53}]
    assert [claim.get("precision") for claim in share_passes(claims)] == [64, None, 64, 128, 53]
    assert share_passes(claims[:1]) == claims[:1] and share_passes([]) == []
