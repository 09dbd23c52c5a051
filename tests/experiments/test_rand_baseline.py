"""The convex problem in V: planted separable features are separated, in blocks, without holding them."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from verifier.experiments.architectures import build, connected
from verifier.experiments.baseline import ENOUGH, SAMPLED_ROWS, interpolate, solve
from verifier.experiments.features import feature_blocks
from verifier.network.forward import approx_features, rows_at_a_time

CLASSES = 3


def planted(n: int, m: int, seed: int = 0) -> tuple[Any, Any]:
    """Features and labels that some V gives all margins of at least 0.05 of the largest."""
    random = np.random.default_rng(seed)
    v = random.standard_normal((m, CLASSES))
    psi = random.standard_normal((4 * n, m))
    ordered = np.sort(psi @ v, axis=1)
    psi = psi[ordered[:, -1] - ordered[:, -2] > 0.2][:n]
    assert len(psi) == n
    return psi, (psi @ v).argmax(axis=1)


def in_blocks(psi: Any, count: int) -> Any:
    cuts = np.linspace(0, len(psi), count + 1).astype(int).tolist()
    return lambda: ((slice(a, b), psi[a:b]) for a, b in itertools.pairwise(cuts))


def errors(psi: Any, v: Any, labels: Any) -> int:
    logits = psi @ v
    own = logits[np.arange(len(psi)), labels].copy()
    logits[np.arange(len(psi)), labels] = -np.inf
    return int((logits.max(axis=1) >= own).sum())


@pytest.mark.parametrize("seed", range(3))
def test_separable_features_are_separated(seed: int) -> None:
    psi, labels = planted(200, 20, seed)
    found = solve(in_blocks(psi, 1), labels, CLASSES, 20, 500)
    assert found.errors == 0 == errors(psi, found.v, labels)
    assert found.margin >= ENOUGH and found.method == "cross-entropy by L-BFGS"
    logits = psi @ found.v
    others = np.where(np.eye(CLASSES, dtype=bool)[labels], -np.inf, logits).max(axis=1)
    assert found.margin == pytest.approx(float((logits[np.arange(200), labels] - others).min()), abs=1e-9)


def test_blocks_do_not_matter() -> None:
    psi, labels = planted(300, 20)
    one, many = (solve(in_blocks(psi, count), labels, CLASSES, 20, 500) for count in (1, 7))
    assert one.errors == many.errors == 0
    assert np.allclose(one.v, many.v, rtol=1e-3, atol=1e-6)


def test_nearly_dependent_features_are_whitened() -> None:
    random = np.random.default_rng(1)
    psi = 1.0 + 1e-6 * random.standard_normal((60, 80))
    labels = random.integers(0, CLASSES, 60)
    found = solve(in_blocks(psi, 2), labels, CLASSES, 80, 150)
    assert found.errors == 0 == errors(psi, found.v, labels) and found.method.endswith("whitened")
    assert found.passes <= 301


def test_what_cannot_be_separated_is_not() -> None:
    random = np.random.default_rng(2)
    psi, labels = random.standard_normal((200, 4)), random.integers(0, CLASSES, 200)
    found = solve(in_blocks(psi, 3), labels, CLASSES, 4, 40)
    assert found.errors == errors(psi, found.v, labels) > 0 and found.margin <= 0 and found.passes <= 81


@pytest.mark.parametrize("passes", [1, 2, 5])
def test_passes_are_bounded_and_counted(passes: int) -> None:
    psi, labels = planted(200, 20)
    seen = 0

    def counted() -> Iterator[tuple[slice, Any]]:
        nonlocal seen
        seen += 1
        yield from in_blocks(psi, 2)()

    found = solve(counted, labels, CLASSES, 20, passes)
    assert found.passes == seen <= 2 * passes + 1


def test_equal_logits_are_errors() -> None:
    found = solve(in_blocks(np.zeros((5, 2)), 1), np.array([0, 1, 2, 0, 1]), CLASSES, 2, 5)
    assert found.errors == 5 and np.isfinite(found.v).all()


def test_features_are_never_held() -> None:
    n, count = 3 * SAMPLED_ROWS, 24
    made: list[weakref.ref[Any]] = []
    most = 0

    class Block(np.ndarray):
        pass

    random = np.random.default_rng(3)
    base = random.standard_normal((2, 6))
    labels = np.arange(n) % 2

    def blocks() -> Iterator[tuple[slice, Any]]:
        nonlocal most
        size = n // count
        for k in range(count):
            rows = slice(k * size, (k + 1) * size)
            noise = np.random.default_rng(k).standard_normal((size, 6))
            block = Block((size, 6))  # it owns its numbers: a view of it keeps it alive
            block[...] = base[labels[rows]] + noise
            made.append(weakref.ref(block))
            most = max(most, sum(ref() is not None for ref in made))
            yield rows, block
            del block

    found = solve(blocks, labels, 2, 6, 4)
    assert found.errors > 0 and found.passes == 9  # both stages and the whitening have been there
    assert most <= 2


def test_interpolation_is_least_norm() -> None:
    psi = np.random.default_rng(4).standard_normal((10, 25))
    labels = np.arange(10) % CLASSES
    v = interpolate(in_blocks(psi, 3), labels, CLASSES)
    assert np.allclose(psi @ v, np.eye(CLASSES)[labels])
    assert np.allclose(v, np.linalg.pinv(psi) @ np.eye(CLASSES)[labels])


@pytest.mark.parametrize("keep", [True, False])
def test_blocks_of_a_network_are_its_features(keep: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from verifier.network import forward

    shape = (1, 8, 8)
    network = connected(build("vgg11", shape, 40, "sigmoid", 0.1), shape, 40, 0)
    monkeypatch.setattr(forward, "BLOCK_BYTES", forward.BLOCK_BYTES // rows_at_a_time(network) * 6)
    random = np.random.default_rng(5)
    u, inputs = random.standard_normal(network.parameter_count), random.random((40, 64))
    blocks = feature_blocks(network, u, inputs, keep=keep)
    first, second = list(blocks()), list(blocks())
    assert 1 < len(first) < 40
    assert [rows for rows, _ in first] == [rows for rows, _ in second]
    assert all((a is b) is keep for (_, a), (_, b) in zip(first, second, strict=True))
    assert np.allclose(np.concatenate([psi for _, psi in second]), approx_features(network, u, inputs), atol=1e-13)
