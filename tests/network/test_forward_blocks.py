"""Plain forward passes go by blocks of samples, whose memory is bounded whatever N."""

import tracemalloc

import numpy as np
import pytest

from verifier.certificate.reach import out_of_reach
from verifier.network import forward
from verifier.network.blocks import MultiHeadAttention
from verifier.network.forward import approx_features, rows_at_a_time
from verifier.network.layers import Conv, Dense
from verifier.network.network import Array, Network


def convolutional() -> Network:
    return Network((1, 6, 6), [Conv(3, (3, 3), "sigmoid"), Dense(5, "tanh", skip=True)])


def of_tokens() -> Network:
    return Network((3, 4), [MultiHeadAttention(2), Dense(5, "sigmoid", skip=True)])


def drawn(network: Network, samples: int) -> tuple[Array, Array]:
    random = np.random.default_rng(3)
    u = random.standard_normal(network.parameter_count)
    return u, random.standard_normal((samples, network.dimension))


@pytest.mark.parametrize("network", [convolutional(), of_tokens()], ids=["windows", "attention"])
def test_features_do_not_depend_on_blocks(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    u, inputs = drawn(network, 17)
    whole = approx_features(network, u, inputs)
    monkeypatch.setattr(forward, "BLOCK_BYTES", 4 * forward.BLOCK_BYTES // rows_at_a_time(network))
    assert 1 < rows_at_a_time(network) < 17
    assert np.allclose(approx_features(network, u, inputs), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("large", [1e40, np.nan, np.inf])
def test_a_sample_out_of_reach_is_seen_in_every_block(large: float, monkeypatch: pytest.MonkeyPatch) -> None:
    network = convolutional()
    u, inputs = drawn(network, 9)
    monkeypatch.setattr(forward, "BLOCK_BYTES", 4 * forward.BLOCK_BYTES // rows_at_a_time(network))
    assert out_of_reach(network, u, inputs) is None
    for row in range(9):
        far = inputs.copy()
        far[row] = large
        assert "overflows" in (out_of_reach(network, u, far) or "")


def test_memory_does_not_grow_with_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network((1, 16, 16), [Conv(8, (3, 3), "sigmoid"), Dense(3, "sigmoid", skip=True)])
    u, inputs = drawn(network, 400)
    monkeypatch.setattr(forward, "BLOCK_BYTES", 2**21)
    peaks = []
    for samples in (100, 400):
        tracemalloc.start()
        assert out_of_reach(network, u, inputs[:samples]) is None
        approx_features(network, u, inputs[:samples])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 1.5 * peaks[0] < 2**23
