"""C1 and C3: no stationary point, no local maximum."""

import numpy as np
import pytest
from planted import dense
from planted_problems import random_problem

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.landscape.pointwise import prove_curvature, prove_not_stationary
from verifier.verdict import Verdict


def test_binary64_features():
    enclosure, labels, v0 = random_problem(np.random.default_rng(0), name="tanh")
    quick = FloatEnclosure(enclosure.network, enclosure.u, enclosure.inputs, numpy_backend())
    many = [1] * len(labels)
    first = prove_not_stationary(quick, Dyadic(1, -10), v0, labels, many)
    again = prove_not_stationary(enclosure, Dyadic(1, -10), v0, labels, many)
    assert first.verdict is again.verdict is Verdict.PROVED
    assert float(first.gradient_lower) == pytest.approx(float(again.gradient_lower), rel=1e-3)
    bent, sharp = prove_curvature(quick, v0, labels, many), prove_curvature(enclosure, v0, labels, many)
    assert (bent.unit, bent.output) == (sharp.unit, sharp.output)
    assert float(bent.curvature_lower) == pytest.approx(float(sharp.curvature_lower), rel=1e-3)


def test_zero_features_are_left_open():
    net = dense([2], ["identity"], 1)
    features = FeatureEnclosure(net, np.zeros(4), np.array([[1.0], [2.0]]), 64)
    v, labels = ExactArray.of_floats(np.ones((2, 2))), np.array([0, 1])
    found = prove_curvature(features, v, labels, [1, 1])
    assert found.verdict is Verdict.UNDECIDED and "Psi(U) = 0" in found.reason
    found = prove_not_stationary(features, Dyadic(0, 0), v, labels, [1, 1])
    assert found.verdict is Verdict.UNDECIDED and "sigma_N" in found.reason


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e300])
def test_certain_predictions(scale):
    """Margins of +-scale: right, P is e^-scale and still positive while Arb can say so; wrong, it is about 1."""
    net = dense([1], ["identity"], 1)
    features = FeatureEnclosure(net, np.array([1.0, 0.0]), np.array([[1.0]]), 64)
    v = ExactArray.of_floats(np.array([[scale, 0.0]]))
    wrong = prove_not_stationary(features, Dyadic(1, 0), v, np.array([1]), [1], max_bits=128)
    assert wrong.verdict is Verdict.PROVED and float(wrong.gradient_lower) == pytest.approx(2**0.5, rel=1e-3)
    right = prove_not_stationary(features, Dyadic(1, 0), v, np.array([0]), [1], max_bits=128)
    bent = prove_curvature(features, v, np.array([0]), [1], max_bits=128)
    if scale < 1e300:
        assert right.verdict is bent.verdict is Verdict.PROVED
        assert right.gradient_lower.fraction() > 0 and bent.curvature_lower.fraction() > 0
    else:
        assert right.verdict is bent.verdict is Verdict.UNDECIDED
