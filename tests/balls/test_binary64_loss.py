"""Logits and loss in binary64 against Arb at high precision, on NumPy and the strict array API."""

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure, NotEnclosed
from verifier.balls.binary64.loss import float_logits, float_loss
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.loss import cross_entropy
from verifier.balls.margins import enclose_margins
from verifier.balls.precision import working_precision
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.sigma.activations import activation

BACKENDS = [numpy_backend(), Backend(array_api_strict, "array-api-strict")]


def instance(seed, n, m, classes, scale):
    rng = np.random.default_rng(seed)
    network = Network((3,), (Dense(m, activation("tanh"), skip=True),))
    v = ExactArray.of_floats(rng.standard_normal((m, classes)) * scale)
    return network, initialise(network, seed=seed), rng.standard_normal((n, 3)), v, rng.integers(0, classes, n)


@given(
    st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 9), st.integers(2, 5),
    st.sampled_from([1e-150, 1e-9, 1.0, 30.0, 1e5, 1e12]), st.sampled_from(BACKENDS),
)  # fmt: skip
def test_logits_and_loss_contain_the_truth(seed, n, m, classes, scale, backend):
    network, u, x, v, labels = instance(seed, n, m, classes, scale)
    counts = [1 + (i + seed) % 3 for i in range(n)]
    fast, exact = FloatEnclosure(network, u, x, backend), FeatureEnclosure(network, u, x, 200)
    with working_precision(200):
        (_, psi), *_ = exact.blocks()
        truth = psi * v.arb_mat()
        found = float_logits(fast, v)
        for i in range(n):
            for k in range(classes):
                assert abs(truth[i, k] - float(found.mid[i, k])) <= float(found.radius[i, k])
        (margins,) = enclose_margins(exact, [v], labels)
        loss, reference = float_loss(fast, v, labels, counts), cross_entropy(margins.rows, counts)
        assert loss.contains(reference)
        assert loss.rad() <= 1e-12 * (1 + 10 * scale)


def test_what_overflows_is_refused():
    network, u, x, _, labels = instance(0, 3, 4, 2, 1.0)
    fast = FloatEnclosure(network, u, x, BACKENDS[0])
    huge = ExactArray.of_floats(np.full((4, 2), 1e300))
    with pytest.raises(NotEnclosed):
        float_logits(fast, huge)
    with pytest.raises(NotEnclosed):
        float_loss(fast, huge, labels, [1, 1, 1])
