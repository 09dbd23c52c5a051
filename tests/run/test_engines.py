"""Which engine proves what: binary64 where it suffices and the platform is sound, Arb everywhere else."""

import array_api_compat.numpy as xp
import numpy as np
import pytest
from everyday import one_in

from verifier.balls.binary64.backend import Backend, backend_for, numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.errors import InputError
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.rank.certify import prove_rank
from verifier.run.case_problem import run_case
from verifier.run.runner import packaged_cases
from verifier.sigma.activations import activation
from verifier.verdict import Verdict


def case(name):
    return next(c for c in packaged_cases("quick") if c.name == name)


def single(a, b):
    return (a.astype(np.float32) @ b.astype(np.float32)).astype(np.float64)


class Turning:
    """A product that is right the first few times."""

    def __init__(self, good):
        self.good = good

    def __call__(self, a, b):
        self.good -= 1
        return a @ b if self.good > 0 else single(a, b)


def test_binary64_is_used_and_recorded():
    report, builder = run_case(case("xor"))
    assert report.engine.startswith("binary64, numpy")
    assert "canary passed before and after" in builder.arithmetic and len(builder.arithmetic) <= 200
    assert report.rank.attempts[0].startswith("R1 in binary64: certified")


@pytest.mark.parametrize("product", [single, Turning(8)], ids=["wrong from the start", "wrong in the middle"])
def test_a_platform_that_fails_its_canary_is_not_used(product):
    report, builder = run_case(case("xor"), backend=Backend(xp, "numpy", product=product))
    assert report.engine.startswith("Arb (binary64 refused") and builder.arithmetic == "arb"
    assert not any("binary64: certified" in attempt for attempt in report.rank.attempts)
    assert report.verdict("rank") is Verdict.PROVED and report.verdict("path") is Verdict.PROVED


def test_prove_rank_guards_itself():
    network = Network((3,), (Dense(9, activation("tanh"), skip=True),))
    u, x = initialise(network, seed=0), np.random.default_rng(0).standard_normal((6, 3))
    wrong = FloatEnclosure(network, u, x, Backend(xp, "numpy", product=single))
    found, used = prove_rank(wrong)
    assert found.verdict is Verdict.PROVED and not isinstance(used, FloatEnclosure)
    assert found.attempts[0].startswith("binary64: refused")


@pytest.mark.parametrize("name", one_in(2, ["iris-tanh", "wine-sigmoid", "digits-conv2d-pool", "digits-dag"]))
def test_both_engines_give_the_same_verdicts(name):
    fast, _ = run_case(case(name))
    slow, _ = run_case(case(name), engine="arb")
    assert slow.engine == "Arb"
    assert [s.verdict for s in fast.steps] == [s.verdict for s in slow.steps]
    ratio = fast.rank.sigma_lower / slow.rank.sigma_lower
    assert 0.5 < ratio < 2


def test_tight_bounds_and_the_cheapest_rung():
    network = Network((5,), (Dense(90, activation("tanh"), skip=True),))
    u, x = initialise(network, seed=0, scale=2.0), np.random.default_rng(0).standard_normal((60, 5))
    features = FloatEnclosure(network, u, x, numpy_backend())
    sigma = np.linalg.svd(features.approx(), compute_uv=False)[-1]
    tight, _ = prove_rank(features, tight=True, certificate=False)
    assert tight.label == "R2" and 0.9 * sigma <= tight.sigma_lower <= sigma
    cheap, _ = prove_rank(features, certificate=False)
    assert cheap.label == "R2" and 0 < cheap.sigma_lower <= sigma and cheap.witness is None
    both, _ = prove_rank(features, tight=True)
    assert both.label == "R1" and both.witness is not None and 0.9 * sigma <= both.sigma_lower <= sigma


def test_unknown_devices_are_refused():
    with pytest.raises(InputError, match="use cpu or gpu"):
        backend_for("tpu")


def test_emulated_products_are_refused(monkeypatch):
    monkeypatch.setenv("CUBLAS_EMULATE_DOUBLE_PRECISION", "1")
    with pytest.raises(InputError, match="emulated"):
        backend_for("gpu")
