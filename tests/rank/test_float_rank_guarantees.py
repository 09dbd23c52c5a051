"""Rank bounds by binary64: errors hold for any order of rounding, and bounds are below the truth."""

from __future__ import annotations

import math
from fractions import Fraction
from unittest import mock

import mpmath
import numpy as np
from flint import arb
from planted import (
    DIGITS,
    fraction,
    seeds,
    smallest_singular_value,
)

from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.matrix import MatrixEnclosure
from verifier.rank import cholesky, float_inverse, gram, gram_matrix, inverse_norm
from verifier.verdict import Verdict

ULP = 2.0**-53


class HalvedProducts:
    """NumPy with a wrong matrix product: what is estimated with it is wrong, what is proved must not use it."""

    def __getattr__(self, name):
        return getattr(numpy_backend(1).xp, name)

    def matmul(self, a, b):
        return 0.5 * (a @ b)


def lying_backend():
    """A backend with sound products and wrong estimates."""
    return Backend(HalvedProducts(), "numpy")


class SloppyBackend(Backend):
    """Factors that are wrong by much more than rounding, in a way the residual has to show."""

    def right_solve_transposed(self, b, lower):
        return 0.25 * super().right_solve_transposed(b, lower)


class WorstRounding(Backend):
    """Products of length k of non-negative matrices are too large by ``k u``; factors make up for it."""

    def cholesky(self, matrix):
        return np.linalg.cholesky(matrix) * (1 - 0.5 * ULP * len(matrix))


def worst_product(a, b):
    return (a @ b) * (1.0 + 2 * ULP * (a.shape[1] // 2))


def blocks_of(h, b):
    """Packed lower blocks and their edges."""
    edges = [slice(k, min(k + b, len(h))) for k in range(0, len(h), b)]
    return {(i, k): h[r, c].copy() for i, r in enumerate(edges) for k, c in enumerate(edges) if k <= i}, edges


def unpacked(blocks, edges):
    """The full lower block triangle."""
    out = np.zeros((edges[-1].stop, edges[-1].stop))
    for (i, k), block in blocks.items():
        out[edges[i], edges[k]] = block
    return out


def rational(matrix):
    """Entries as fractions, in an object array."""
    return np.array([[Fraction(v) for v in row] for row in np.asarray(matrix).tolist()], dtype=object)


def quotient(symmetric):
    """|v^T E v| / v^T v for v = 1, exactly: a lower bound of the norm."""
    return abs(sum(symmetric.ravel().tolist())) / len(symmetric)


@seeds(4)
def test_gram_error_covers_any_rounding(rng):
    """With products rounded as badly as allowed, the exact Gram matrix is still within the stated error."""
    n, m = int(rng.integers(1, 5)), 64
    a = np.repeat(rng.integers(1, 8, (1, m)).astype(float), n, axis=0)
    for width in (m, 32):
        source = MatrixEnclosure(Backend(np, "numpy", worst_product), a)
        found = gram_matrix.accumulate(source, gram_matrix.plan(n, m, block=2, width=width))
        low = unpacked(found.blocks, found.edges)
        h = rational(np.tril(low) + np.tril(low, -1).T)
        exact_gram = rational(a) @ rational(a).T
        assert quotient(h - exact_gram) <= fraction(found.error.upper())
        assert sum(v * v for v in rational(a).ravel()) <= fraction(found.squares.upper())


@seeds(4)
def test_residual_covers_any_rounding(rng):
    """The same for the residual: the computed one is about zero, the true one is not."""
    n = 64
    h = np.full((n, n), float(rng.integers(1, 8)))
    h[np.diag_indices(n)] += 2.0**-30
    blocks, edges = blocks_of(h, n)
    start = gram_matrix.Gram(blocks, edges, arb(float(np.trace(h))), arb(0), arb(0), arb(0))
    shift = 2.0**-40
    found = cholesky.cholesky_residual(WorstRounding(np, "numpy", worst_product), start, shift)
    c = rational(unpacked(found.blocks, edges))
    ones = rational(h).sum() - n * Fraction(shift) - sum(v * v for v in c.sum(axis=0))
    assert abs(ones) / n <= fraction(found.residual.upper())


@seeds(40)
def test_residual_of_any_factor(rng):
    """H - cI - C C^T is bounded whatever C is: several block sizes, exact and sloppy solves."""
    arrow = np.array([[4.0, 1.0, 1.0], [1.0, 4.0, 0.0], [1.0, 0.0, 4.0]])
    n = int(rng.integers(2, 7))
    g = rng.standard_normal((n, n + 3))
    for h in (arrow, g @ g.T + np.eye(n)):
        for b in (1, 2, len(h)):
            for kind in (SloppyBackend, Backend):
                blocks, edges = blocks_of(h, b)
                start = gram_matrix.Gram(blocks, edges, arb(float(np.trace(h))), arb(0), arb(0), arb(0))
                shift = 0.125
                found = cholesky.cholesky_residual(kind(numpy_backend(1).xp, "numpy"), start, shift)
                if isinstance(found, str):
                    continue
                c = unpacked(found.blocks, edges)
                assert (np.triu(c, 1) == 0.0).all()
                truth = np.linalg.norm(h - shift * np.eye(len(h)) - c @ c.T, 2)
                assert truth <= float(found.residual.upper()) * (1 + 1e-9) + 1e-15
                assert kind is SloppyBackend or float(found.residual.upper()) < 1e-11


def test_gram_bound_formula():
    """sqrt(c - residual - error) - radii, rounded down."""
    start = gram_matrix.Gram({}, [], arb(0), arb(0), arb(1), arb(1))
    found = gram.sigma_bound(start, cholesky.Factor({}, 20.0, arb(3)))
    assert 3 - 1e-12 < found < 3
    assert gram.sigma_bound(start, cholesky.Factor({}, 4.0, arb(3))) == -math.inf
    assert gram.sigma_bound(start, cholesky.Factor({}, 4.5, arb(3))) == -math.inf
    assert gram.sigma_bound(start, cholesky.Factor({}, 20.0, arb("nan"))) == -math.inf


@seeds(4)
def test_gram_bound_counts_radii(rng):
    """Hadamard matrix, only the constant column uncertain: sigma_N falls by exactly the norm of the radii."""
    two = np.array([[1.0, 1.0], [1.0, -1.0]])
    scale = 2.0 ** int(rng.integers(-20, 20))
    a = scale * np.kron(two, two)
    for share in (0.25, 0.75, 0.875, 1.0, 3.0):
        radii = np.array([share * scale, 0.0, 0.0, 0.0])
        found = gram.certify_gram(MatrixEnclosure(numpy_backend(1), a, radii), tight=True)
        if share < 0.9:
            assert 0 < found.sigma_lower <= 2 * (1 - share) * scale
        else:
            assert found.verdict is not Verdict.PROVED


@seeds(13)
def test_gram_bound_is_below_the_truth(rng, rounds=3):
    """Random matrices over many scales, any block size, wrong estimates too."""
    for _ in range(rounds):
        n = int(rng.integers(1, 7))
        m = n + int(rng.integers(0, 4))
        a = rng.standard_normal((n, m)) * 10.0 ** rng.integers(-60, 60)
        if n > 1 and rng.integers(2):
            a[-1] = a[0] + a[-1] * 10.0 ** -float(rng.integers(1, 9))
        truth = smallest_singular_value(a.tolist())
        sizes = gram_matrix.plan(n, m, block=int(rng.integers(1, 4)), width=int(rng.integers(1, 5)))
        for backend in (numpy_backend(1), lying_backend()):
            for tight in (False, True):
                found = gram.certify_gram(MatrixEnclosure(backend, a), tight=tight, sizes=sizes)
                if found.verdict is Verdict.PROVED:
                    with mpmath.workdps(DIGITS):
                        assert 0 < found.sigma_lower <= truth


@seeds(4)
def test_float_residual_covers_any_rounding(rng):
    """With the product rounded up as far as allowed, 1 - A X computes to zero; the bound still covers the truth."""
    k = 64
    a = np.full((1, k), float(rng.integers(1, 8)))
    x = np.full((k, 1), (1.0 - k * ULP) / (k * a[0, 0]))
    trusting = {"require": lambda *_: None}  # the canary refuses such a product, however sound
    with mock.patch.dict(float_inverse.residual64.__globals__, trusting):  # a mutant has globals of its own
        found = float_inverse.residual64(MatrixEnclosure(Backend(np, "numpy", worst_product), a), x)
    truth = abs(1 - (rational(a) @ rational(x))[0, 0])
    assert truth <= Fraction(found.frobenius) and truth <= Fraction(found.mixed)


@seeds(40)
def test_float_residual_bounds_the_norm(rng, rounds=4):
    """Random witnesses and the worst corner of the radii: Frobenius norm, 2-norm and ||X|| are bounded."""
    for _ in range(rounds):
        n = int(rng.integers(1, 5))
        m = n + int(rng.integers(0, 4))
        a = rng.integers(-4, 5, (n, m)) / 2.0
        x = rng.integers(-4, 5, (m, n)) / 4.0
        if rng.integers(2):
            a[:, :n] += 4 * np.eye(n)
            x = np.vstack([np.eye(n) / 4, np.zeros((m - n, n))])
            a[:, :n] = 4 * np.eye(n)
        q = rng.integers(0, 3, m) / 8.0
        columns = np.sort(rng.choice(m, int(rng.integers(1, m + 1)), replace=False))
        for chosen in (None, columns):
            part = slice(None) if chosen is None else chosen
            found = float_inverse.residual64(MatrixEnclosure(numpy_backend(1), a, q), x[part], chosen)
            worst = np.where(x[:, int(rng.integers(n))] < 0, -1, 1)
            for sign in (-1, 1, worst, -worst):
                residual = np.eye(n) - (a + sign * q)[:, part] @ x[part]
                assert np.linalg.norm(residual) <= found.frobenius
                assert np.linalg.norm(residual, 2) <= found.mixed * (1 + 1e-12)
            assert np.linalg.norm(x[part], 2) <= found.norm_x * (1 + 1e-12)


@seeds(40)
def test_float_norms(rng):
    """Upper bounds of the norm, sharp by R2; a wrong estimate makes them looser, never wrong."""
    k, n = int(rng.integers(1, 9)), int(rng.integers(1, 9))
    x = rng.standard_normal((k, n)) * 10.0 ** rng.integers(-50, 50)
    if rng.integers(2):
        x = np.abs(x)
    truth = np.linalg.norm(x, 2)
    assert inverse_norm.norm_bound(numpy_backend(1), x) >= truth * (1 - 1e-14)
    sharp = inverse_norm.norm_bound(numpy_backend(1), x, tight=True)
    assert truth * (1 - 1e-14) <= sharp <= 1.1 * truth
    assert inverse_norm.norm_bound(lying_backend(), x, tight=True) >= truth * (1 - 1e-14)


@seeds(40)
def test_float_inverse_is_below_the_truth(rng, rounds=3):
    """R1 with a rough witness; also for the worst corner of the radii."""
    for _ in range(rounds):
        n = int(rng.integers(1, 6))
        m = n + int(rng.integers(0, 4))
        a = rng.standard_normal((n, m))
        x = np.linalg.pinv(a) * rng.uniform(0.5, 1.4)
        q = np.full(m, float(rng.choice([0.0, 1e-3, 0.05])))
        for tight in (False, True):
            found = float_inverse.certify_inverse64(MatrixEnclosure(numpy_backend(1), a, q), x, tight=tight)
            if found.verdict is Verdict.PROVED:
                for psi in (a, a - q, a + q):
                    assert 0 < found.sigma_lower <= np.linalg.svd(psi, compute_uv=False)[-1] * (1 + 1e-12)
