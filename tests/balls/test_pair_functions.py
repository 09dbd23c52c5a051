"""Elementary functions and activations of pairs: their proved errors against Arb at 300 bits."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import array_api_strict
import flint
import numpy as np
import pytest
from flint import arb
from planted import seeds
from test_binary64_guarantees import ARGUMENTS

from verifier.balls.activation import tree_kernel
from verifier.balls.binary64 import activation as activation64
from verifier.balls.binary64 import elementary as elementary64
from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.elementary import LogarithmRefused
from verifier.balls.binary64.float_functions import FLOAT_FUNCTIONS, PAIRS, FloatFunction, Unsupported
from verifier.balls.double_double import elementary, tables
from verifier.balls.double_double.activation import pair_bounds, pair_kernel
from verifier.balls.double_double.pair import DIVIDE, U2, Pair
from verifier.balls.precision import working_precision
from verifier.sigma.activations import Activation, activation
from verifier.sigma.functions import FUNCTIONS

XP = numpy_backend(1).xp
KERNELS = {name: PAIRS.kernel(name) for name in FLOAT_FUNCTIONS}
VALUES = {name: entry.values for name, entry in KERNELS.items()} | {
    "inverse_root": elementary.inverse_root,
    "reciprocal": elementary.reciprocal,
}
TRUTHS = {name: FUNCTIONS[name].arb for name in FLOAT_FUNCTIONS} | {
    "inverse_root": lambda x: 1 / x.sqrt(),
    "reciprocal": lambda x: 1 / x,
}
CLAIMS = {name: entry.error for name, entry in KERNELS.items()} | {
    "inverse_root": lambda x: elementary.INVERSE_ROOT * arb(U2) / x.sqrt(),
    "reciprocal": lambda x: DIVIDE * arb(U2) / abs(x),
}
POSITIVE = dict.fromkeys(("log", "inverse_root", "reciprocal"), 2.0**889) | {"sqrt": 2.0**990}
LARGEST = {"exp": 708.99, "sin": 2.0**20 - 1.0, "cos": 2.0**20 - 1.0} | dict.fromkeys(("expm1", "sinh", "cosh"), 680.0)
EXACT = ("abs",)


def paired(rng, hi):
    """Pairs with these leading parts: low parts at random, none, as large as may be, and far below."""
    share = rng.choice([0.0, 1.0, -1.0, 2.0**-60], len(hi)) * rng.choice([0.0, 1.0], len(hi))
    lo = hi * 2.0**-53 * np.where(share == 0.0, rng.uniform(-1.0, 1.0, len(hi)), share)
    lo = np.where(rng.random(len(hi)) < 0.1, 0.0, lo)
    total = hi + lo
    return Pair(total, lo - (total - hi))


def points(name, rng, count):
    """At least ``count`` leading parts: all scales, near 0, edges of cells, ties of the reduction, the ends."""
    least, most = -LARGEST.get(name, 1e290), LARGEST.get(name, 1e290)
    part = -(-count // 4)
    scales = rng.standard_normal(part) * 10.0 ** rng.uniform(-12, 1.5, part)
    ties = (
        (rng.integers(-(2**15), 2**15, part) + 0.5) * (math.log(2.0) / 4096) * rng.choice([0.5, 1.0, 2.0, 40.0], part)
    )
    cells = (rng.integers(-1200, 1200, part) + rng.choice([0.0, 0.5], part)) / 128.0
    if name in ("sin", "cos"):
        cells += rng.integers(-600_000, 600_000, part) * (math.pi / 2) * rng.choice([0.0, 1.0], part)
    span = rng.uniform(max(least, -750.0), min(most, 750.0), part)
    special = np.array([0.0, 5e-324, 2.0**-1022, 1e-300, 2.0**-60, 1.0, 1.0 - 2.0**-53, 8.5, 707.99, least, most])
    found = np.concatenate([scales, ties, cells, span, special])
    found = np.where(rng.random(len(found)) < 0.3, np.nextafter(found, np.inf), found)
    if name in POSITIVE:
        powers = 2.0 ** rng.integers(-889, 889, part) * rng.uniform(1.0, 2.0, part)
        close = 1.0 + rng.standard_normal(part) * 10.0 ** rng.uniform(-16, -1, part)
        found = np.abs(np.concatenate([found, powers, close]))
        return found[(found > 1.0 / POSITIVE[name]) & (found < POSITIVE[name])]
    if name == "log1p":
        found = np.abs(found)
        found = np.where(rng.random(len(found)) < 0.3, -found / (1.001 + found), found)
        return np.clip(found, -1.0 + 2.0**-40, 2.0**880)
    return np.clip(found, max(least, -(2.0**900)), min(most, 2.0**900))


def error_and_claim(name, x):
    """The worst ratio of the error to the claim."""
    found = VALUES[name](XP, Pair(x.hi.copy(), x.lo.copy()))
    assert ((found.hi + found.lo == found.hi) | (np.abs(found.hi) < 2.0**-960)).all()
    worst = 0.0
    with working_precision(300):
        for a, b, c, d in zip(*(part.tolist() for part in (*x, *found)), strict=True):
            argument = arb(a) + arb(b)
            error = abs(arb(c) + arb(d) - TRUTHS[name](argument))
            claim = CLAIMS[name](argument) + arb(2) ** -960
            worst = max(worst, float((error / claim).abs_upper()))
    return worst


@seeds(1)
def test_pair_functions_keep_their_bounds(rng):
    """Every function is within its claim, and the claims are not fifty times what is seen."""
    for name in VALUES:
        worst = error_and_claim(name, paired(rng, points(name, rng, 160)))
        assert worst <= 1.0, name
        assert worst >= 0.02 or name in EXACT, name


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(VALUES))
def test_pair_functions_keep_their_bounds_everywhere(name):
    rng = np.random.default_rng(len(name))
    for _ in range(10):
        assert error_and_claim(name, paired(rng, points(name, rng, 5_000))) <= 1.0


@pytest.mark.parametrize("name", sorted(VALUES))
def test_libraries_agree_on_pairs_bit_for_bit(name):
    x = paired(np.random.default_rng(1), points(name, np.random.default_rng(1), 80))
    ours = VALUES[name](XP, Pair(x.hi.copy(), x.lo.copy()))
    strict = VALUES[name](array_api_strict, Pair(*(array_api_strict.asarray(part) for part in x)))
    for a, b in zip(ours, strict, strict=True):
        assert np.array_equal(a, np.asarray(b))


@seeds(2)
def test_pair_activations_keep_their_bounds(rng, count=20):
    """pair_bounds: the kernel of a pair is within its error of Arb's value, on intervals of all lengths."""
    activation64._bounds.cache_clear()
    for name, reach in [*ARGUMENTS.items(), ("softplus(7/3)", 20.0), ("pi*tanh(t)/3 - E*t**3/(1+t**2)", 9.0)]:
        sigma = Activation.from_expression(name) if "*" in name else activation(name)
        low, high = np.sort(rng.standard_normal(2) * reach * float(rng.choice([1e-3, 0.1, 0.5]))).clip(-reach, reach)
        x = paired(rng, np.concatenate([[low, high], rng.uniform(low, high, count)]))
        x = Pair(np.concatenate([[low], x.hi]), np.concatenate([[0.0], x.lo]))
        bounds = pair_bounds(sigma, float(np.nextafter(low, -np.inf)), float(np.nextafter(high, np.inf)))
        assert bounds.lipschitz == activation64.kernel_bounds(sigma, *map(float, (low, high))).lipschitz
        found = pair_kernel(sigma, XP)(x)
        assert (found.hi + found.lo == found.hi).all()
        strict = pair_kernel(sigma, array_api_strict)(Pair(*map(array_api_strict.asarray, x)))
        assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(found, strict, strict=True)), name
        worst = 0.0
        with working_precision(300):
            exact = tree_kernel(sigma.tree)
            for a, b, c, d in zip(*(part.tolist() for part in (*x, *found)), strict=True):
                error = float(abs(arb(c) + arb(d) - exact(arb(a) + arb(b))).abs_upper())
                assert error <= bounds.error, name
                worst = max(worst, error)
        sizes = max(1.0, abs(low), abs(high), float(np.abs(found.hi).max()))
        assert bounds.error <= 2.0**-96 * sizes**3, name


def test_the_largest_and_smallest_arguments():
    huge = np.array([1e290, -1e290, 800.0, -800.0, 1e16, -1e16])
    x, signs = Pair(huge, huge * 2.0**-54), np.sign(huge)
    for function in (elementary.tanh, tables.erf):
        assert np.array_equal(function(XP, x).hi, signs)
    assert np.abs(tables.arctan(XP, x).hi - signs * math.pi / 2).max() <= 0.00126
    assert np.array_equal(elementary.sigmoid(XP, x).hi > 0.5, huge > 0)
    assert np.array_equal(elementary.softplus(XP, x).hi[::2], huge[::2])
    low = elementary.exp(XP, Pair(-np.abs(huge) - 709.0, np.abs(huge) * 2.0**-54))
    assert ((low.hi >= 0.0) & (low.hi + low.lo <= 2.0**-1020)).all()
    zero = Pair(np.zeros(1), np.zeros(1))
    for name in ("tanh", "erf", "sin", "atan", "sqrt", "expm1", "sinh", "abs"):
        value = VALUES[name](XP, zero)
        assert value.hi[0] == value.lo[0] == 0.0, name
    assert all(part.shape == (0,) for name in VALUES for part in VALUES[name](XP, Pair(np.zeros(0), np.zeros(0))))


def fractions(x):
    return [Fraction(a) + Fraction(b) for a, b in zip(x.hi.tolist(), x.lo.tolist(), strict=True)]


@seeds(1)
def test_piecewise_linear_activations_are_exact(rng):
    """The order of pairs is that of the numbers, also where the leading parts agree."""
    hi = np.repeat(np.array([0.0, 1.0, -1.0, 1.0 + 2.0**-52, 3.0, -3e-200, 2.0**-30]), 6)
    x = paired(rng, hi)
    y = paired(rng, rng.permutation(hi))
    pairs = list(zip(fractions(x), fractions(y), strict=True))
    assert fractions(elementary.maximum(XP, x, y)) == [max(p) for p in pairs]
    assert fractions(elementary.maximum(XP, x, y, least=True)) == [min(p) for p in pairs]
    assert fractions(elementary.absolute(XP, x)) == [abs(a) for a, _ in pairs]
    assert fractions(elementary.positive_part(XP, x)) == [max(a, 0) for a, _ in pairs]
    for text, truth in (("Max(t, 0)", lambda a: max(a, 0)), ("Abs(t)", abs), ("Max(t, t/4)", lambda a: max(a, a / 4))):
        assert fractions(pair_kernel(Activation.from_expression(text), XP)(x)) == [truth(a) for a, _ in pairs]


def test_a_constant_activation_fills_the_shape():
    value = pair_kernel(Activation.from_expression("Max(sqrt(2), t - 9)"), XP)(Pair(np.zeros(3), np.zeros(3)))
    assert value.hi.shape == value.lo.shape == (3,) and (value.hi == math.sqrt(2.0)).all() and value.lo[0] != 0.0


class Inexact:
    """A library whose logarithm is off."""

    def __init__(self, off):
        self.off = off

    def __getattr__(self, name):
        return getattr(XP, name)

    def log(self, x):
        return np.log(x) + self.off


@seeds(1)
def test_an_inexact_logarithm_of_pairs_is_mended_or_refused(rng):
    """The library's logarithm is not trusted: up to 2^-40 it is corrected, beyond it is refused."""
    x = paired(rng, 2.0 ** rng.uniform(-300.0, 300.0, 200))
    with pytest.raises(LogarithmRefused):
        elementary.log(Inexact(2.0**-39), x)
    for off in (0.9 * 2.0**-40, -0.9 * 2.0**-40):
        found = elementary.log(Inexact(off), x)
        with working_precision(300):
            for a, b, c, d in zip(*(part.tolist() for part in (*x, *found)), strict=True):
                argument = arb(a) + arb(b)
                assert abs(arb(c) + arb(d) - argument.log()) <= CLAIMS["log"](argument)


@seeds(1)
def test_tables_of_pairs_keep_their_errors(rng):
    """Each table is within the error that was proved when it was made, which is a few times what is seen, not more."""
    tables.table.cache_clear()
    for name, low, high, truth in (
        ("pair erf", 0.0, 2.0, arb.erf),
        ("pair atan", 0.0, 1.0, arb.atan),
        ("pair sin cos", -0.8, 0.8, arb.sin),
    ):
        made, x = tables.table(name), paired(rng, rng.uniform(low, high, 500))
        found = made(XP, x)
        with working_precision(300):
            worst = max(
                float(abs(arb(c) + arb(d) - truth(arb(a) + arb(b))).abs_upper())
                for a, b, c, d in zip(*(part.tolist() for part in (*x, *found)), strict=True)
            )
        assert worst <= made.error <= min(8.0 * worst, 10.0 * U2), name


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("exp(t)", 0, 710), ("sinh(t)", -800, 0), ("sin(t)", 0, 2.0**21), ("t**65", 0, 1), ("(1 + t**2)**(1/3)", 1, 2),
     ("t", -2.0**990, 1), ("t", float("nan"), 1), ("t**4", 0, 1e299), ("exp(t)**2", 0, 400)],
)  # fmt: skip
def test_ranges_that_pairs_do_not_have_are_refused(text, low, high):
    with pytest.raises(Unsupported):
        pair_bounds(Activation.from_expression(text), low, high)
    if "1/3" in text:
        with pytest.raises(Unsupported):
            pair_kernel(Activation.from_expression(text), XP)(Pair(np.ones(2), np.zeros(2)))


def test_a_function_without_a_version_for_pairs_is_refused(monkeypatch):
    entry = FLOAT_FUNCTIONS["tanh"]
    monkeypatch.setitem(FLOAT_FUNCTIONS, "tanh", FloatFunction(entry.moved, entry.float64))
    with pytest.raises(Unsupported, match="tanh"):
        pair_kernel(activation("tanh"), XP)(Pair(np.ones(2), np.zeros(2)))
    with pytest.raises(Unsupported, match="tanh"):
        pair_bounds(Activation.from_expression("tanh(t) + t/7919"), -1.0, 1.0)


def test_tables_are_made_by_one_thread_at_a_time(monkeypatch):
    """Arb's precision is one for all threads: one that leaves its block would round what another is making."""
    monkeypatch.setattr(elementary64, "_DEVICE_TABLES", {})
    before = flint.ctx.prec

    def precision_at_the_end():
        with working_precision(192):
            time.sleep(0.01)
            return np.array([flint.ctx.prec])

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda name: elementary64.on_device(XP, name, precision_at_the_end)[0], "abcd"))
    assert (found, flint.ctx.prec) == ([192] * 4, before)
