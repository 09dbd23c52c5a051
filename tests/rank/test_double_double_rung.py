"""The rung between binary64 and Arb: when it is tried, what it proves, and the certificate that follows."""

import re

import numpy as np
import pytest
from planted import dense

import verifier as vf
from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.canary import CanaryReport
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.certificate.writer import CertificateBuilder
from verifier.data.arrays import dataset_from_arrays
from verifier.network.initialise import initialise
from verifier.rank import certify, double_double_rung
from verifier.rank.approx import column_choices
from verifier.rank.certify import prove_rank
from verifier.rank.numerical_rank import Elimination, NumericalRank

BACKEND = numpy_backend(1)


def close_samples(n, seed=3):
    """N samples on a line, M = N units of tanh in the second layer: sigma_N falls by about 1e-5 for 8 samples more."""
    network = dense([n, n], ["tanh", "tanh"], 1)
    x = np.random.default_rng(0).standard_normal((n, 1))
    return network, initialise(network, seed=seed), x


def test_it_proves_what_binary64_cannot_and_the_checker_follows(tmp_path):
    network, u, x = close_samples(40)
    given = FloatEnclosure(network, u, x, BACKEND)
    found, used = prove_rank(given, guard=False)
    assert found.proved and found.label == "R3" and used is given
    assert 4e-19 < found.sigma_lower < 5e-19 and "in double-double" in found.reason
    assert found.attempts[0].startswith("R1 in binary64: no right inverse")
    assert found.attempts[1].startswith("R1 in double-double: certified (") and len(found.attempts) == 2
    assert found.witness.feature_bits < found.precision < 100
    builder = CertificateBuilder(dataset_from_arrays(x, np.arange(40) % 2), network, u)
    builder.add_rank(found)
    assert vf.check(builder.write(tmp_path / "rank.json")).accepted


def test_it_is_not_tried_below_its_bits_beyond_its_seconds_or_on_a_refused_platform(monkeypatch):
    given = FloatEnclosure(*close_samples(24), BACKEND)
    assert "double-double" in prove_rank(given, guard=False)[0].reason
    found, _ = prove_rank(given, max_bits=double_double_rung.PAIR_BITS - 1, guard=False)
    assert found.label == "R1" and "at 64 bits" in found.reason
    found, _ = prove_rank(given, patience=1e-9, guard=False)
    assert any("R1 in double-double: not tried, about 0 s (limit 0 s)" in line for line in found.attempts)
    monkeypatch.setattr(
        certify, "canary", lambda backend, products: CanaryReport(False, (), "planted", "numpy", (), ())
    )
    found, _ = prove_rank(given)
    assert found.proved and not any("double-double" in line for line in found.attempts)


def test_beyond_its_reach_it_says_what_it_sees_and_arb_decides():
    """sigma_N of 8e-30."""
    given = FloatEnclosure(*close_samples(110), BACKEND)
    found, used = prove_rank(given, guard=False, refute=False)
    assert found.proved and 128 < found.precision < 160 and isinstance(used, FeatureEnclosure)
    seen = re.search("sigma_N seems to be about ([0-9]e-[0-9]+) or smaller", found.attempts[1])
    assert seen and 1e-31 < float(seen[1]) < 1e-28
    assert 7e-30 < found.sigma_lower < 8e-30
    assert not any(line.startswith("R1 at 64 bits") for line in found.attempts)


def test_precisions_that_it_sees_to_be_too_few_are_not_tried(monkeypatch):
    monkeypatch.setattr(certify, "prove_in_double_double", lambda *_: (None, "planted", 180))
    found, _ = prove_rank(FloatEnclosure(*close_samples(24), BACKEND), guard=False, refute=False)
    assert found.proved and found.precision == 180
    assert [line.split(":")[0] for line in found.attempts] == [
        "R1 in binary64",
        "R1 in double-double",
        "R3 at 180 bits",
    ]
    monkeypatch.setattr(certify, "prove_in_double_double", lambda *_: (None, "planted", 300))
    found, _ = prove_rank(FloatEnclosure(*close_samples(24), BACKEND), max_bits=128, guard=False, refute=False)
    assert not found.proved and found.reason.endswith("max_bits = 300 may help")


@pytest.mark.parametrize("last, following", [(-350, 360), (-380, 400), (-450, 720)])
def test_the_highest_precision_is_not_missed(monkeypatch, last, following):
    network, u, x = close_samples(2)
    seen = NumericalRank(2, 2, last, None, 180)
    monkeypatch.setattr(Elimination, "_look", lambda *_: seen)
    assert Elimination(400, certify.silent).next_bits(FeatureEnclosure(network, u, x, 180)) == following


def test_what_double_double_does_not_enclose_is_left_to_arb(monkeypatch):
    network, u, x = close_samples(8)
    wide = FloatEnclosure(network, u, x * 1e200, BACKEND)
    proof, outcome, bits = double_double_rung.prove_in_double_double(wide, 900.0)
    assert proof is None or proof.found.sigma_lower > 0.0
    assert outcome and bits >= 0.0


def test_precisions_suit_the_bits_that_are_needed():
    """All radii at the precision are below what was asked for, and those of 8 bits less are not."""
    network, u, x = close_samples(16)
    features = FloatEnclosure(network, u, x, BACKEND)
    for bits in (20, 70, 100):
        precision = double_double_rung.certificate_precision(features, bits)

        def widest(precision):
            blocks = FeatureEnclosure(network, u, x, precision).blocks()
            return max(float(value.rad()) for _, block in blocks for value in block.entries())

        assert widest(precision) <= 2.0**-bits
        assert precision == 64 or widest(precision - 12) > 2.0**-bits
    assert double_double_rung.certificate_precision(features, 20000) is None


def test_columns_are_chosen_where_there_are_more_than_enough(monkeypatch):
    monkeypatch.setattr("verifier.rank.approx.LARGE", 8)
    network, u, x = close_samples(40)
    x = x[:24]
    assert column_choices(24, 40)[0] is not None
    proof, outcome, _ = double_double_rung.prove_in_double_double(FloatEnclosure(network, u, x, BACKEND), 900.0)
    assert proof is not None and outcome == "certified"
    assert proof.witness.columns is not None and proof.witness.matrix.shape == (30, 24)


@pytest.mark.parametrize("repeated", [1, 2])
def test_equal_units_are_not_proved(repeated):
    network, u, x = close_samples(12)
    weights = u.copy()
    first = 12 + 12  # the second layer's weights follow those and the biases of the first
    weights[first : first + 12] = weights[first + 12 * repeated : first + 12 * (repeated + 1)]
    biases = first + 144
    weights[biases] = weights[biases + repeated]
    found, _ = prove_rank(FloatEnclosure(network, weights, x, BACKEND), guard=False)
    assert not found.proved and found.deficiency is not None


def test_a_faulty_product_in_it_is_named():
    def wrong(a, b):
        c = a @ b
        return c * (1 + 2.0**-30) if a.shape[0] > 1 else c

    given = FloatEnclosure(*close_samples(24), Backend(np, "numpy", wrong))
    proof, outcome, _ = double_double_rung.prove_in_double_double(given, 900.0)
    assert proof is None and "product" in outcome
