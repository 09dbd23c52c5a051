"""Faults planted in the matrix product: whatever is wrong, wherever it hides, nothing false is concluded from binary64.

The truth is known: all units of the network are the same function, so Psi has rank 1; the matrices have equal rows.
"""

import dataclasses
import functools
from importlib import import_module

import numpy as np
import pytest
from everyday import one_in
from threadpoolctl import threadpool_info, threadpool_limits

from verifier import api
from verifier.balls.binary64 import backend as backend_module
from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.canary import canary, require
from verifier.balls.binary64.exact_products import placed
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.loss import float_logits, float_loss
from verifier.balls.binary64.margins import float_margins
from verifier.balls.binary64.matrix import MatrixEnclosure
from verifier.balls.binary64.products import Products, laid_out
from verifier.balls.exact import ExactArray
from verifier.landscape.pointwise import prove_curvature
from verifier.landscape.straight_path import prove_path
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Network
from verifier.rank.approx import approx_inverse64
from verifier.rank.certify import prove_rank
from verifier.rank.float_inverse import certify_inverse64
from verifier.rank.gram import certify_gram
from verifier.rank.gram_matrix import plan
from verifier.rank.inverse_norm import norm_bound
from verifier.sigma.activations import activation
from verifier.verdict import Verdict

pipeline = import_module("verifier.options")

INPUTS, SAMPLES, UNITS = 80, 6, 8


def noisy(a, b):
    c = a @ b
    return c + np.random.default_rng(7).normal(size=c.shape)


def single(a, b):
    return (a.astype(np.float32) @ b.astype(np.float32)).astype(float)


def panel_lost(a, b):
    """The last, incomplete block of 32 terms is not added."""
    k = a.shape[1] // 32 * 32
    return a[:, :k] @ b[:k] if a.shape[1] % 32 else a @ b


def last_row(a, b):
    c = a @ b
    c[-1] += 0.125
    return c


def last_bit(a, b):
    c = a @ b
    c[-1, -1] = np.nextafter(c[-1, -1], np.inf)
    return c


def transposed(a, b):
    return b.flags.f_contiguous and not b.flags.c_contiguous


def strided(a, b):
    return any(x.strides[1] == 8 and x.strides[0] > 8 * x.shape[1] for x in (a, b) if x.shape[0] > 1)


def long(a, b):
    return a.shape[1] >= 64


def one_shape(a, b):
    return (*a.shape, b.shape[1]) == (SAMPLES, INPUTS, UNITS)


def edge(a, b):
    return a.shape[0] % 4 != 0 and a.shape[0] > 4


def many_threads(a, b):
    return any(pool["user_api"] == "blas" and pool["num_threads"] > 1 for pool in threadpool_info())


class Second:
    """Wrong at the second product of each shape."""

    def __init__(self):
        self.calls = {}

    def __call__(self, a, b):
        shape = (*a.shape, b.shape[1])
        self.calls[shape] = self.calls.get(shape, 0) + 1
        return self.calls[shape] == 2


def faulty(when, wrong):
    backend = numpy_backend(1)
    backend.product = lambda a, b: wrong(a, b) if when(a, b) else a @ b
    return backend


def equal_units(units=UNITS, samples=SAMPLES):
    network = Network((INPUTS,), (Dense(units, activation("tanh"), skip=True),))
    rng = np.random.default_rng(1)
    u = np.zeros(network.parameter_count)
    network.views(u)["layer0.weight"][:] = rng.normal(size=INPUTS) * 0.1
    return network, u, rng.normal(size=(samples, INPUTS))


HIDING = [transposed, long, one_shape, edge]
WRONG = [noisy, single, panel_lost, last_row, last_bit]


@pytest.fixture(params=[True, False], ids=["spot check", "exact test alone"])
def spot_checked(request, monkeypatch):
    """Both ways of finding a fault; each must do on its own where it can."""
    if not request.param:
        monkeypatch.setattr(backend_module, "spot_check", lambda *_: False)
    return request.param


@pytest.mark.parametrize("certificate", [True, False])
@pytest.mark.parametrize("when", HIDING)
@pytest.mark.parametrize("wrong", one_in(2, WRONG))
def test_rank_is_never_proved_by_a_faulty_product(when, wrong, certificate, spot_checked):
    features = FloatEnclosure(*equal_units(), faulty(when, wrong))
    found, _ = prove_rank(features, certificate=certificate)
    assert found.verdict is Verdict.REFUTED  # by structure, exactly
    assert any("refused" in attempt or "discarded" in attempt for attempt in found.attempts)
    again, _ = prove_rank(features, certificate=certificate, guard=False)
    assert again.verdict is Verdict.REFUTED


@pytest.mark.parametrize("look", ["approx", "row_blocks", "replace"])
def test_features_that_were_looked_at_before_are_still_answered_for(look, spot_checked):
    features = FloatEnclosure(*equal_units(), faulty(one_shape, noisy))
    features.approx()
    if look == "row_blocks":
        with pytest.raises(NotEnclosed, match="refused, product 6x80x8"):
            list(features.row_blocks())
    features.backend.shapes.clear()
    features.backend.product = np.matmul  # what is kept was not made by it
    if look == "replace":
        features = dataclasses.replace(features, backend=numpy_backend(1))
    assert prove_rank(features)[0].verdict is Verdict.REFUTED
    assert certify_gram(features).verdict is Verdict.UNDECIDED


def test_one_wrong_shape_among_many(spot_checked):
    """Twenty shapes; the fault is at the smallest."""
    backend = faulty(lambda a, b: a.shape == (1, 3), last_bit)
    record = Products()
    for m in range(20, 0, -1):
        backend.matmul(np.ones((m, 3)), np.ones((3, 4)), record)
        if m > 1:
            require(record)
    with pytest.raises(NotEnclosed, match="product 1x3x4"):
        require(record)
    assert not canary(backend, record).passed
    assert not canary(backend, backend.shapes).passed


def test_threads_make_the_difference(spot_checked):
    with threadpool_limits(2, user_api="blas"):
        if not many_threads(None, None):
            pytest.skip("one core, or a BLAS without threads")
        features = FloatEnclosure(*equal_units(), faulty(many_threads, single))
        features.approx()
    with threadpool_limits(1, user_api="blas"):
        found, _ = prove_rank(features)
    assert found.verdict is Verdict.REFUTED
    assert "refused" in found.attempts[0]


@pytest.mark.parametrize("wrong", [noisy, single, panel_lost, last_row])
def test_a_fault_at_the_second_product_of_a_shape(wrong):
    """It need not be there when the canary tests: the spot check sees the product in use."""
    network, u, x = equal_units()
    features = FloatEnclosure(network, u, x, faulty(Second(), wrong))
    features.approx()
    features._rows = None  # made once more: by the wrong product
    assert prove_rank(features)[0].verdict is Verdict.REFUTED
    other = FloatEnclosure(network, u, x, faulty(Second(), wrong))
    assert "refused" in prove_rank(other)[0].attempts[0]


def test_a_fault_that_comes_later_is_found_in_the_next_enclosure(spot_checked):
    state = {"bad": False}
    backend = faulty(lambda a, b: state["bad"] and transposed(a, b), last_bit)
    network, u, x = equal_units()
    assert prove_rank(FloatEnclosure(network, initialise(network, seed=1, scale=0.3), x, backend))[0].verdict is (
        Verdict.PROVED
    )
    state["bad"] = True
    found, _ = prove_rank(FloatEnclosure(network, u, x, backend))
    assert found.verdict is Verdict.REFUTED and "refused" in found.attempts[0]


def matrix(rows=7, columns=12):
    return np.ones((rows, columns)) + np.arange(columns) / 8


def full_rank():
    return np.eye(7, 12) + matrix() / 64


SIZES = plan(7, 12, block=3, width=5)


@functools.cache
def bound_of_gram(tight):
    """What is found where products are what they should be."""
    return certify_gram(MatrixEnclosure(numpy_backend(1), full_rank()), sizes=SIZES, tight=tight).verdict


@pytest.mark.parametrize("tight", [False, True])
@pytest.mark.parametrize("wrong", [noisy, single, last_bit])
@pytest.mark.parametrize("when", [strided, lambda a, b: True, lambda a, b: a.shape[0] == 1], ids=["ld", "all", "edge"])
def test_gram_bounds_test_what_they_multiply(when, wrong, tight, spot_checked):
    backend = faulty(when, wrong)
    good, sizes = full_rank(), SIZES  # for which a bound is found, and must not be returned
    assert bound_of_gram(tight) is Verdict.PROVED
    found = certify_gram(MatrixEnclosure(backend, good), sizes=sizes, tight=tight)
    assert found.verdict is Verdict.UNDECIDED
    low = certify_gram(MatrixEnclosure(backend, matrix()), sizes=sizes, tight=tight)
    assert low.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("wrong", [noisy, single, last_bit])
def test_right_inverses_and_norms_test_what_they_multiply(wrong, spot_checked):
    a = np.eye(7, 12) + matrix() / 64
    x = approx_inverse64(a)
    assert certify_inverse64(MatrixEnclosure(numpy_backend(1), a), x, tight=True).verdict is Verdict.PROVED
    backend = faulty(lambda a, b: True, wrong)
    found = certify_inverse64(MatrixEnclosure(backend, a), x)
    assert found.verdict is Verdict.UNDECIDED and "refused" in found.reason
    with pytest.raises(NotEnclosed, match="refused"):
        norm_bound(backend, x, tight=True)


@pytest.mark.parametrize("wrong", [noisy, single, last_bit])
@pytest.mark.parametrize("when", [transposed, lambda a, b: a.shape[1] == UNITS], ids=["features", "head"])
def test_logits_losses_and_margins_test_what_they_multiply(when, wrong, spot_checked):
    network, _, x = equal_units()
    u = initialise(network, seed=3, scale=0.3)

    def looked_at():
        features = FloatEnclosure(network, u, x, faulty(when, wrong))
        features.approx()
        return features

    v = ExactArray.of_floats(np.random.default_rng(0).standard_normal((UNITS, 3)))
    labels = np.arange(SAMPLES) % 3
    for conclude in (
        lambda: float_logits(looked_at(), v),
        lambda: float_loss(looked_at(), v, labels, [1] * SAMPLES),
        lambda: float_margins(looked_at(), [v], labels),
    ):
        with pytest.raises(NotEnclosed, match="refused"):
            conclude()
    found = prove_zero_loss(looked_at(), labels, 3)
    assert found.verdict is Verdict.PROVED and not isinstance(found.features, FloatEnclosure)


def test_a_wrong_shape_or_type_of_a_result_is_refused():
    for wrong in (lambda a, b: (a @ b)[:-1], lambda a, b: (a @ b).astype(np.float32)):
        record = Products()
        faulty(lambda a, b: True, wrong).matmul(np.ones((3, 2)), np.ones((2, 2)), record)
        with pytest.raises(NotEnclosed, match="expected float64 of shape"):
            require(record)


def views():
    big = np.random.default_rng(0).normal(size=(20, 30))
    for m in (1, 2, 5, 8):
        for k in (1, 3, 4, 7):
            yield from (big[:m, :k], big[3 : 3 + m, 5 : 5 + k], big.T[:m, :k], big.T[2 : 2 + m, 1 : 1 + k])
            yield from (big[::2][:m, :k], big[:, ::3][:m, :k], big[::-1][:m, :k], big[:m, :k].copy())
            yield from (np.asfortranarray(big[:m, :k]), np.broadcast_to(big[:1, :k], (m, k)))


def test_every_layout_is_reproduced():
    backend = numpy_backend(1)
    for view in views():
        kept, layout = laid_out(backend, view)
        assert (kept == view).all()
        copy = placed(backend, np.array(kept), layout)
        assert (copy == view).all()
        assert laid_out(backend, copy)[1] == layout


def test_the_spot_check_passes_every_honest_product():
    """At all scales, with rounding as bad as it may be; the record then holds no failure."""
    rng = np.random.default_rng(4)
    for worst in (False, True):
        backend = numpy_backend(1)
        if worst:
            backend.product = lambda a, b: (a @ b) * (1.0 + 2.0**-52 * (a.shape[1] // 2))
        record = Products()
        for _ in range(200):
            m, k, n = rng.integers(1, 40, 3)
            a = rng.standard_normal((m, k)) * 10.0 ** rng.integers(-150, 140)
            b = rng.standard_normal((k, n)) * 10.0 ** rng.integers(-150, 140)
            if worst:
                a, b = abs(a), abs(b)
            if rng.integers(2):
                a, b = a * 2.0 ** rng.integers(-40, 40, k), np.asfortranarray(b)
            backend.matmul(a, b, record)
        record.settle()
        assert record.failure == ""


def test_one_computation_tests_a_product_once():
    calls = []
    backend = Backend(np, "numpy", product=lambda a, b: calls.append(a.shape) or a @ b)
    network, _, x = equal_units()
    with backend.heard() as products:
        for seed in range(3):
            prove_rank(FloatEnclosure(network, initialise(network, seed=seed, scale=0.3), x, backend), guard=False)
    distinct = sum(key[2].shape == (SAMPLES, INPUTS, UNITS) for key in products.used)  # alignments may differ
    assert calls.count((SAMPLES, INPUTS)) == 3 + distinct
    assert canary(backend, products).passed
    assert calls.count((SAMPLES, INPUTS)) == 3 + distinct


ENTRIES = {"features": transposed, "long": long, "head": lambda a, b: b.shape[1] <= 3, "all": lambda a, b: True}
FAULTS = [
    pytest.param(when, wrong, id=f"{name}-{wrong.__name__}", marks=() if (j - k) % 3 == 0 else pytest.mark.thorough)
    for k, wrong in enumerate((noisy, single, last_bit))
    for j, (name, when) in enumerate(ENTRIES.items())
]
"""Every day each of the products with one of the faults."""


@pytest.mark.parametrize(("when", "wrong"), FAULTS)
def test_a_whole_case_is_proved_by_arb_where_the_product_is_faulty(when, wrong, monkeypatch):
    backend = faulty(when, wrong)
    monkeypatch.setattr(pipeline, "numpy_backend", lambda: backend)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 70)), [0, 1] * 4
    found = api.verify(x, y, [Dense(12, "tanh", skip=True)])
    assert found.engine.startswith("Arb (binary64 refused: ")
    assert found.verdict("rank") is Verdict.PROVED
    network, u, x = *equal_units()[:2], rng.normal(size=(SAMPLES, INPUTS))
    u = initialise(network, seed=1, scale=0.3)
    labels, v = np.arange(SAMPLES) % 3, ExactArray.of_floats(rng.standard_normal((UNITS, 3)))
    zero = prove_zero_loss(FloatEnclosure(network, u, x, backend), labels, 3)
    assert zero.verdict is Verdict.PROVED and not isinstance(zero.features, FloatEnclosure)
    assert prove_path(zero, v, labels, [1] * SAMPLES).verdict is Verdict.PROVED
    prove_curvature(FloatEnclosure(network, u, x, backend), v, labels, [1] * SAMPLES)
