"""The whole path after an escape: loss(s) is the loss at (U(s), V(s)), from the start's own (U, V) to the ray.

The loss is evaluated anew at the returned numbers by mpmath, with 60 digits, which shares no arithmetic with the path.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from landscape.starts import escape_from, problem_of
from landscape.stationary import cloned_stationary_point

import verifier as vf
from verifier.balls.exact import ExactArray
from verifier.errors import InputError
from verifier.fuzz import oracle
from verifier.landscape.legs import combination
from verifier.run.curve import curve_of

DIGITS = 60
SMALL = [
    ("start-duplicate-square", "E1"),
    ("start-duplicate-square", "E2"),
    ("start-duplicate-square", "E3"),
    ("start-trained-clone", "E2"),
    ("start-gateway", "E3"),
    ("start-gateway", "E4"),
]
LARGE = [
    ("start-zero-random", "E1"),
    ("start-zero-deep", "E2"),
    ("start-cloned-deep", "E2"),
    ("start-constant-units", "E2"),
]


def true_loss(network, u, v, inputs, labels, counts):
    """Phi(U, V) at exactly these float64 numbers, to about `DIGITS` digits."""
    size = max(1.0, float(np.abs(v).max()))
    digits = DIGITS + int(np.log10(size)) + 5
    psi = oracle.approx_features_to(network, u, inputs, digits)
    with mpmath.workdps(digits):
        total = mpmath.mpf(0)
        for row, y, count in zip(psi, labels.tolist(), counts.tolist(), strict=True):
            logits = [
                mpmath.fsum(f * mpmath.mpf(w) for f, w in zip(row, column, strict=True)) for column in v.T.tolist()
            ]
            total += count * mpmath.log1p(
                mpmath.fsum(mpmath.exp(g - logits[y]) for k, g in enumerate(logits) if k != y)
            )
        return total / int(counts.sum())


def number(value):
    return mpmath.ldexp(mpmath.mpf(value.mantissa), value.exponent)


def check_path(path, network, u, v, data, *, rise=None, inner=(0.0, 0.25, 0.5, 2.0**-20, 1.0 - 2.0**-20)):
    """Everything that `path` says of itself, at breakpoints, in between and on the ray."""
    assert np.array_equal(path.U(0), u) and np.array_equal(path.V(0), v)
    assert np.array_equal(path.start_u, u) and np.array_equal(path.start_weights.approx(), v)
    legs = len(path.before)
    times = sorted({k + t for k in range(legs + 1) for t in inner} | {legs + 1.0, legs + 1.5, legs + 3.0})
    uppers, args = [], (data.inputs, data.labels, data.multiplicities)
    for s, low, high in path.sample(times):
        true = true_loss(network, path.U(s), path.V(s), *args)
        with mpmath.workdps(DIGITS):
            assert mpmath.mpf(low) <= true <= mpmath.mpf(high), (s, low, mpmath.nstr(true, 20), high)
        ((_, exact_low, exact_high),) = path.sample([s], rounded=False)
        assert low <= exact_low * (1 + 1e-15) and exact_high <= high * (1 + 1e-15)
        assert exact_high - exact_low <= 1e-9 * (1 + exact_high), "so wide a band says nothing"
        uppers.append((s, exact_low, exact_high))
    low, high = path.start_loss
    start = true_loss(network, u, v, *args)
    with mpmath.workdps(DIGITS):
        assert number(low) <= start <= number(high)
    if rise is None:
        assert all(b[1] <= a[2] for a, b in itertools.pairwise(uppers)), "the loss rises"
    else:
        assert all(low <= uppers[0][2] + rise for _, low, _ in uppers)
    for k in range(1, legs + 2):  # continuous where pieces meet
        before, after = path.V(float(np.nextafter(k, 0))), path.V(float(k))
        scale = 1 + np.abs(after).max() + np.abs(path.V(k - 1.0)).max()
        assert np.abs(before - after).max() <= 1e-12 * scale
        assert np.allclose(
            path.U(float(np.nextafter(k, 0))), path.U(float(k)), rtol=0, atol=1e-12 * (1 + np.abs(u).max())
        )


@pytest.mark.parametrize(("name", "label"), [*SMALL, *(pytest.param(*x, marks=pytest.mark.slow) for x in LARGE)])
def test_the_loss_is_that_of_the_points_that_are_returned(name, label):
    at, found = problem_of(name), escape_from(name, label).escape
    assert found is not None and found.label == label
    rise = None if found.epsilon is None else float(found.epsilon)
    inner = {} if (name, label) in SMALL else {"inner": (0.0, 0.5)}
    check_path(found.path, at.network, at.u, at.v, at.rows, rise=rise, **inner)
    assert len(found.path.before) == len(found.legs) >= 1 and found.tail.before == ()
    assert "Piece by piece" in found.path._repr_html_()


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(k, marks=pytest.mark.thorough) for k in (2, 3))])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu"])
def test_random_problems(seed, activation):
    """P1, E1 or E2, whatever comes first: from V0 = 0 or cloned units, on random data with random labels."""
    rng = np.random.default_rng([seed, len(activation)])
    n = int(rng.integers(4, 8))
    X, y = rng.normal(size=(n, 2)), np.r_[0, 1, rng.integers(0, 3, n - 2)]
    width = n + int(rng.integers(0, 3))
    u = rng.normal(size=3 * width)
    if seed % 2:  # clones in pairs, and constant units
        w = np.repeat(rng.normal(size=(width // 2 + 1, 2)), 2, axis=0)[:width]
        b = np.repeat(rng.normal(size=width // 2 + 1), 2)[:width]
        w[-2:] = 0.0
        u = {"layer0.weight": w, "layer0.bias": b}
    found = vf.verify(X, y, [vf.Dense(width, activation, skip=True)], u, seed=seed)
    assert found.path is not None, found
    check_path(found.path, found.network, found.u, found.v, found.data)


def test_the_fault_that_was_found_a_trained_and_cloned_start():
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1], [0.5, 0.25], [0.3, 0.9], [0.1, 0.4]])
    y = np.array([0, 1, 1, 0, 1, 0, 1])
    at = cloned_stationary_point(X, y, 2, vf.activation("tanh"), units=1, copies=8, seed=0)
    found = vf.verify(X, y, at.network, at.u, at.v)
    assert found.escape.escape.label == "E2"
    check_path(found.path, at.network, at.u, at.v, found.data)
    curve = curve_of(None, found.escape.escape, None)
    assert [piece.kind for piece in curve.pieces] == ["escape", "segment", "ray"]
    for piece in curve.pieces:  # the report's picture has the same times as the path
        for s, low, high in piece.points[:: max(1, len(piece.points) // 3)]:
            true = mpmath.log10(true_loss(at.network, found.path.U(s), found.path.V(s), X, y, np.ones(7, int)))
            assert low - 1e-6 <= true <= high + 1e-6
    assert curve.pieces[-1].points[0][0] == found.path.corner


def test_e4_close_to_where_samples_part():
    at, found = problem_of("start-gateway"), escape_from("start-gateway", "E4").escape
    for s in (1.0, 1.0 + 2.0**-52, 1.0 + 2.0**-30, 1.5, 2.0):
        ((_, low, high),) = found.path.sample([s])
        true = true_loss(
            at.network, found.path.U(s), found.path.V(s), at.rows.inputs, at.rows.labels, at.rows.multiplicities
        )
        assert low <= true <= high < low + 1e-8
    parting = found.legs[1]
    assert np.abs(parting.v_at(Fraction(1, 2**100)) - parting.v_at(Fraction(0))).max() < 1e-12
    with pytest.raises(InputError, match="bits"):
        parting.v_at(Fraction(1, 2**100_000))


def test_values_beyond_binary64_are_refused_and_the_loss_is_not():
    huge = ExactArray.of_integers([1, -1], (1, 2), 1200)
    with pytest.raises(InputError, match="beyond"):
        combination([(Fraction(1), huge)])
    assert combination([(Fraction(1, 2**200), huge)]).tolist() == [[2.0**1000, -(2.0**1000)]]
    tiny = ExactArray.of_integers([3], (1, 1), -1076)
    assert combination([(Fraction(1), tiny)])[0, 0] == 2.0**-1074  # 0.75 of the smallest number: to nearest
