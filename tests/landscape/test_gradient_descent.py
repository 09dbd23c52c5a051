"""GDV: actual gradient descent keeps its bound at every step, and has classified all samples at the stated one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import verifier as vf
from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.landscape.gradient_descent import DescentResult, prove_gradient_descent
from verifier.landscape.smoothness import rounding_bits, smoothness_bound

LOG2 = float(np.log(2.0))


def enclosed(psi: np.ndarray, offset: np.ndarray | None = None, arb: bool = True, bias: bool = False):
    """An enclosure of a matrix: identity units with its rows as samples."""
    width = psi.shape[1]
    network = vf.Network(width, vf.Dense(width, "identity", skip=True), output_bias=bias)
    u = np.concatenate([np.eye(width).ravel(), np.zeros(width)])
    if arb:
        return vf.FeatureEnclosure(network, u, psi, 64, offset=offset)
    return FloatEnclosure(network, u, psi, numpy_backend(1), offset=offset)


def loss_and_gradient(psi, v, labels, counts, offset=0.0):
    logits = psi @ v + offset
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = shifted / shifted.sum(axis=1, keepdims=True)
    weights = counts / counts.sum()
    index = np.arange(len(labels))
    losses = np.log(shifted.sum(axis=1)) + logits.max(axis=1) - logits[index, labels]
    p[index, labels] -= 1.0
    return float(weights @ losses), psi.T @ (p * weights[:, None]), logits


def descend(psi, start, labels, counts, found: DescentResult, offset=0.0, free=True) -> None:
    """Run the descent to its stated end, in floating point, and compare every step with the bound."""
    smoothness, a, b = (float(x) for x in (found.smoothness, found.loss_upper, found.distance_upper))
    v, before = start.copy(), np.inf
    for t in range(found.steps + 3):
        value, gradient, logits = loss_and_gradient(psi, v, labels, counts, offset)
        assert value <= before * (1 + 1e-12), t
        assert t == 0 or value <= (a + b / t) * (1 + 1e-12), t
        if t >= found.steps:
            assert value < LOG2 / counts.sum()
            assert (logits.argmax(axis=1) == labels).all()
        before, v = value, v - gradient * free / smoothness


CASES = {
    "plain": {},
    "multiplicities": {"counts": [1, 5, 2, 1]},
    "frozen logits": {"offset": [[0.5, 0, 0], [0, 0, 1], [0, 0, 0], [0, 2, 0]]},
    "more columns": {"extra": 3},
    "fewer columns": {"fewer": True},
    "missing arcs": {"arcs": [[1, 1, 1], [1, 1, 0], [0, 1, 1], [1, 1, 1]]},
    "an output bias": {"bias": True},
    "binary64": {"arb": False},
}


@pytest.mark.parametrize("name", CASES)
def test_the_descent_keeps_its_bound_and_classifies(name: str) -> None:
    case, random = CASES[name], np.random.default_rng(5)
    psi, labels = 4.0 * np.eye(4), np.array([0, 1, 1, 0])
    if case.get("fewer"):
        psi = np.array([[4.0, 1.0], [-4.0, 1.0], [-3.0, 2.0], [5.0, 0.0]])
    psi = np.hstack([psi, np.round(8 * random.normal(size=(4, case.get("extra", 0)))) / 8])
    offset = np.array(case["offset"], dtype=float) if "offset" in case else None
    arcs = np.array(case["arcs"], dtype=bool) if "arcs" in case else None
    counts = np.array(case.get("counts", [1, 1, 1, 1]))
    features = enclosed(psi, offset, case.get("arb", True), case.get("bias", False))
    whole = np.hstack([psi, np.ones((4, 1))]) if case.get("bias") else psi
    start = np.round(8 * random.normal(size=(whole.shape[1], 3))) / 16 * (1 if arcs is None else arcs)
    end = np.linalg.lstsq(whole, np.eye(3)[labels], rcond=None)[0]
    end = end if arcs is None else np.where(arcs, end, 0.0)
    exact = [vf.ExactArray.of_floats(v) for v in (start, end)]
    found = prove_gradient_descent(features, exact[0], [exact[1]], labels, counts.tolist(), arcs=arcs)
    assert found.proved and 1 < found.steps < 3000, found.reason
    descend(whole, start, labels, counts, found, 0.0 if offset is None else offset, True if arcs is None else arcs)
    if arcs is not None:
        assert not found.goal.approx()[~arcs].any()


def test_a_single_logit_is_classified_with_its_column_alone_and_with_both() -> None:
    psi, labels, counts = 4.0 * np.eye(3), np.array([0, 1, 1]), np.ones(3, dtype=int)
    start = np.array([[0.0, 1.0], [0.0, -0.5], [0.0, 0.25]])
    exact, end = (vf.ExactArray.of_floats(v) for v in (start, np.eye(2)[labels] * 1.0))
    found = prove_gradient_descent(enclosed(psi), exact, [end], labels, [1, 1, 1])
    assert found.proved and not found.goal.approx()[:, 0].any()
    descend(psi, start, labels, counts, found, free=np.array([[0.0, 1.0]]))
    descend(psi, start, labels, counts, found)


def test_a_start_below_the_threshold_needs_one_step() -> None:
    start = vf.ExactArray.of_floats(8.0 * np.eye(2))
    found = prove_gradient_descent(enclosed(np.eye(2)), start, [], np.array([0, 1]), [1, 1])
    assert (found.steps, found.goal) == (1, start)
    tied = prove_gradient_descent(enclosed(np.eye(1)), start_of(1), [], np.array([1]), [1])
    assert not tied.proved, "one sample with tied logits has a loss of log(2) exactly"
    end = vf.ExactArray.of_floats([[0.0, 1.0]])
    assert prove_gradient_descent(enclosed(np.eye(1)), start_of(1), [end], np.array([1]), [1]).steps <= 5


def start_of(columns: int) -> vf.ExactArray:
    return vf.ExactArray.of_floats(np.zeros((columns, 2)))


@pytest.mark.parametrize(
    ("psi", "labels", "ends"),
    [
        (np.zeros((2, 2)), [0, 1], [np.eye(2)]),
        (np.ones((2, 1)), [0, 1], []),
        (np.eye(2), [0, 1], []),
        (np.eye(2), [0, 1], [-np.eye(2)]),
    ],
    ids=["zero features", "equal rows, other labels", "no V1", "a V1 that misclassifies"],
)
def test_what_proves_nothing_says_so(psi: np.ndarray, labels: list[int], ends: list[np.ndarray]) -> None:
    exact = [vf.ExactArray.of_floats(end) for end in ends]
    found = prove_gradient_descent(enclosed(psi), start_of(psi.shape[1]), exact, np.array(labels), [1, 1])
    assert not found.proved and found.steps is None and found.reason


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 3), (5, 9), (12, 12)])
@pytest.mark.parametrize("arb", [True, False])
def test_the_smoothness_is_sharp_and_above_the_truth(shape: tuple[int, int], arb: bool) -> None:
    random = np.random.default_rng(list(shape))
    for scale, counts in ((1.0, [1] * shape[0]), (2.0**-20, list(range(1, shape[0] + 1))), (2.0**9, [3] * shape[0])):
        psi = scale * np.round(64 * random.normal(size=shape) + 32) / 64
        bound = smoothness_bound(enclosed(psi, arb=arb), counts, rounding_bits(psi))
        matrix = [[Fraction(x) for x in row] for row in psi.tolist()]
        gram = [[sum(a * b for a, b in zip(x, y, strict=True)) for y in matrix] for x in matrix]
        roots = np.sqrt(counts)
        truth = np.linalg.eigvalsh(np.array(gram, dtype=float) * np.outer(roots, roots)).max() / (2 * sum(counts))
        assert truth * (1 - 1e-12) <= float(bound.upper()) <= 1.03 * truth


def test_the_root_of_n_is_needed() -> None:
    """THEORY2 GDV's bracket: ||P||_F >= (1 - e^(-n Phi)) / sqrt(n), and not without the root."""
    for copies, classes in ((2, 3), (3, 2)):
        logits = np.zeros((copies, classes))
        logits[:, 0] = 5.0
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        right = 1 - float(np.prod(p[:, 0]))
        p[:, 0] -= 1.0
        assert right / np.sqrt(copies) < np.linalg.norm(p) < right
