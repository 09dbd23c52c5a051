"""prove_rank in binary64 on badly conditioned, singular and badly scaled features: never wrong, never an exception."""

from fractions import Fraction
from functools import lru_cache

import mpmath
import numpy as np
import pytest
from everyday import one_in
from flint import fmpq, fmpq_mat, fmpz_mat
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import dense, exact_rank, oracle, smallest_singular_value

from verifier.balls.binary64.backend import numpy_backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.network.initialise import initialise
from verifier.rank.certify import prove_rank
from verifier.verdict import Verdict

MAX_BITS = 1024
pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
HYPOTHESIS_SHARE = 10 if settings().max_examples >= 300 else 2
"""Examples of the agreement test as a multiple of the profile's: 80 by default, 3000 in ``deep``."""


def linear(rows):
    """A case with Psi = rows: one layer of identity activations, unit weights, no bias."""
    rows = np.array(rows, dtype=np.float64)
    d = rows.shape[1]
    return dense([d], ["identity"], d), np.concatenate([np.eye(d).ravel(), np.zeros(d)]), rows


def hilbert_integers(n):
    """lcm * Hilbert: exact integers below 2^53 for n <= 12."""
    scale = int(np.lcm.reduce(np.arange(1, 2 * n)))
    return [[float(scale // (i + j + 1)) for j in range(n)] for i in range(n)]


def rump(n, size, seed, steps=None):
    """A matrix of determinant +-1 with entries below 2^53 and a huge condition number.

    Random additions of multiples of rows and columns, stopped before an entry leaves 53 bits.
    """
    rng = np.random.default_rng(seed)
    a = [[int(i == j) for j in range(n)] for i in range(n)]
    for _ in range(steps or 60 * n):
        i, j = rng.choice(n, 2, replace=False).tolist()
        c = int(rng.integers(1, size + 1)) * int(rng.choice([-1, 1]))
        if rng.random() < 0.5:
            made = [x + c * y for x, y in zip(a[i], a[j], strict=True)]
            if max(map(abs, made)) < 2**53:
                a[i] = made
        else:
            made = [row[i] + c * row[j] for row in a]
            if max(map(abs, made)) < 2**53:
                for row, value in zip(a, made, strict=True):
                    row[i] = value
    assert abs(int(fmpz_mat(a).det())) == 1
    return [[float(v) for v in row] for row in a]


def singular_integers(n, m, rank, seed, size=9):
    """Product of two integer factors."""
    rng = np.random.default_rng(seed)
    return (rng.integers(-size, size + 1, (n, rank)) @ rng.integers(-size, size + 1, (rank, m))).astype(float)


def network_case(x, width, seed, factor=1.0, depth=1, name="tanh"):
    x = np.array(x, dtype=np.float64)
    net = dense([width] * depth, [name] * depth, x.shape[1])
    return net, initialise(net, seed=seed) * factor, x


@lru_cache(maxsize=1)
def cases():
    """Name -> (network, U, inputs)."""
    rng = np.random.default_rng(5)
    out = {}
    for n in (4, 6, 8, 10, 12):
        out[f"hilbert-{n}"] = linear(hilbert_integers(n))
    out["hilbert-rounded-12"] = linear([[1.0 / (i + j + 1) for j in range(12)] for i in range(12)])
    for n, size in ((3, 10**6), (4, 10**5), (5, 10**4), (6, 1000), (8, 100), (10, 30), (12, 9)):
        out[f"rump-{n}"] = linear(rump(n, size, n))
    lower = np.tril(rng.integers(-3000, 3000, (7, 7)), -1) + np.eye(7, dtype=np.int64)
    upper = np.triu(rng.integers(-3000, 3000, (7, 7)), 1) + np.eye(7, dtype=np.int64)
    out["unimodular-7"] = linear(lower @ upper)
    wilkinson = np.eye(12) - np.tril(np.ones((12, 12)), -1)
    out["wilkinson-triangular-12"] = linear(wilkinson)
    out["kahan-like-12"] = linear(np.eye(12) - 1024.0 * np.triu(np.ones((12, 12)), 1))
    out["vandermonde-12"] = linear([[float(i) ** j for j in range(12)] for i in range(1, 13)])
    out["grid-40-tanh"] = network_case(np.arange(40)[:, None] / 40, 60, 1)
    out["grid-12-tanh"] = network_case(np.arange(12)[:, None] / 40, 16, 2)
    out["grid-12-softplus"] = network_case(np.arange(12)[:, None] / 40, 16, 2, name="softplus")
    out["ulp-apart-1d"] = network_case([[1.0], [np.nextafter(1.0, 2.0)], [0.25]], 6, 3)
    base = rng.standard_normal(5)
    close = np.array([base, np.nextafter(base, 9.0), np.nextafter(np.nextafter(base, 9.0), 9.0), -base])
    out["ulp-apart-5d"] = network_case(close, 8, 4)
    out["ulp-apart-0"] = network_case([[0.0], [5e-324], [1.0]], 5, 4)
    out["weights-1e6"] = network_case(rng.standard_normal((8, 3)), 12, 5, 1e6)
    out["weights-1e-6"] = network_case(rng.standard_normal((8, 3)), 12, 6, 1e-6)
    out["weights-1e-6-sigmoid"] = network_case(rng.standard_normal((5, 3)), 8, 6, 1e-6, name="sigmoid")
    out["weights-1e200"] = network_case(rng.standard_normal((4, 3)), 8, 6, 1e200)
    out["weights-1e300-identity"] = network_case(rng.standard_normal((3, 3)), 4, 6, 1e300, name="identity")
    out["weights-1e-300"] = network_case(rng.standard_normal((4, 3)), 8, 6, 1e-300)
    net = dense([3] * 79 + [6], ["tanh"] * 80, 2)
    out["depth-80-shrinking"] = net, initialise(net, seed=7) * 0.3, rng.standard_normal((4, 2))
    out["depth-80"] = net, initialise(net, seed=7), rng.standard_normal((4, 2))
    out["huge-inputs"] = network_case([[1e300, 1.0], [1.0, 1e300], [1e300, -1e300]], 6, 8)
    out["huge-inputs-linear"] = linear(np.diag([1e300, 1e300, 1e-300]))
    out["all-huge-linear"] = linear([[1.7e308, 1.7e308], [1.7e308, -1.7e308]])
    out["subnormal-inputs"] = network_case([[5e-324, 0.0], [0.0, 5e-324], [1.0, 1.0]], 6, 9)
    out["subnormal-linear"] = linear([[5e-324, 0.0], [1e-323, 5e-324]])
    graded = rng.integers(-9, 10, (8, 8)) + 20 * np.eye(8)
    out["graded-rows"] = linear(graded * 10.0 ** -np.arange(0, 32, 4)[:, None])
    out["graded-rows-far"] = linear(graded * 2.0 ** -np.arange(0, 640, 80)[:, None])
    out["graded-both"] = linear(graded * 2.0 ** -np.arange(0, 64, 8)[:, None] * 2.0 ** -np.arange(0, 64, 8)[None])
    for kind, rows in singular().items():
        out[f"singular-{kind}"] = linear(rows)
    return out


def singular():
    """Matrices of less than full row rank, exactly."""
    rng = np.random.default_rng(11)
    full = rng.integers(-99, 100, (6, 9)).astype(float)
    duplicate, scaled, combined, short, huge = (full.copy() for _ in range(5))
    duplicate[5] = duplicate[2]
    scaled[4] = -(2.0**40) * scaled[1]
    combined[5] = combined[:5].sum(axis=0)
    short[3] = 3 * short[0] - 7 * short[1] + short[5]
    huge[0] *= 2.0**900
    huge[5] = huge[4] * 2.0**-300
    zero_row = full.copy()
    zero_row[1] = 0.0
    near = np.array(rump(6, 1000, 6))
    near[5] = near[0] - near[1]
    columns = full.copy()
    columns[:, 4:] = columns[:, :5]
    columns[:, 1] = columns[:, 0] - columns[:, 2]
    columns[:, 5:] = columns[:, :1] * 3
    return {
        "duplicate": duplicate,
        "scaled": scaled,
        "combined": combined,
        "short-by-one": short,
        "huge": huge,
        "zero-row": zero_row,
        "near-rump": near,
        "columns": columns,
        "magic-4": [[16, 3, 2, 13], [5, 10, 11, 8], [9, 6, 7, 12], [4, 15, 14, 1]],
        "counting": np.arange(1.0, 26.0).reshape(5, 5),
        "rank-1": singular_integers(5, 7, 1, 1),
        "rank-4-of-5": singular_integers(5, 7, 4, 2),
        "rank-5-of-6-large": singular_integers(6, 6, 5, 3, size=10**7),
        "all-zero": np.zeros((3, 4)),
        "one-zero": np.zeros((1, 2)),
    }


RATIONAL = ("hilbert", "rump", "unimod", "wilk", "kahan", "vander", "graded", "singular", "huge-inputs-linear",
            "all-huge-linear", "subnormal-linear")  # fmt: skip
"""Cases whose Psi is exactly the inputs."""


def below_sigma(rows, bound):
    """Whether ``bound < sigma_N``, exactly: the leading minors of ``A A^T - bound^2 I`` are positive."""
    n = len(rows)
    a = fmpq_mat(n, len(rows[0]), [fmpq(v.numerator, v.denominator) for row in rows for v in row])
    square = Fraction(bound) ** 2
    gram = (a * a.transpose()).tolist()
    for i in range(n):
        gram[i][i] -= fmpq(square.numerator, square.denominator)
    return all(fmpq_mat(k, k, [v for row in gram[:k] for v in row[:k]]).det() > 0 for k in range(1, n + 1))


@lru_cache(maxsize=64)
def decided(name):
    """What the ladder says of a case, with and without a certificate's witness, tight or not."""
    net, u, x = cases()[name]
    found = []
    for keywords in ({}, {"certificate": False}, {"tight": True}):
        features = FloatEnclosure(net, u, x, numpy_backend(1))
        found.append(prove_rank(features, max_bits=MAX_BITS, guard=False, **keywords)[0])
    return found


@pytest.mark.parametrize("name", one_in(3, cases()))
def test_the_ladder_is_right_on_every_case(name):
    _, _, x = cases()[name]
    rows = [[Fraction(v) for v in row] for row in x.tolist()] if name.startswith(RATIONAL) else None
    for found in decided(name):
        assert found.reason and "\n" not in found.reason
        if rows is not None:
            full = exact_rank(rows) == len(x)
            assert found.verdict is not (Verdict.REFUTED if full else Verdict.PROVED)
        if found.verdict is Verdict.PROVED and found.label == "R6":  # exact, without a bound
            assert rows is not None or name.endswith("identity")
            assert found.sigma_lower == 0.0 and found.bound is None and found.gram is None
        elif found.verdict is Verdict.PROVED:
            assert 0.0 < found.sigma_lower < np.inf
            assert rows is None or below_sigma(rows, found.sigma_lower)
            if found.bound is not None:
                assert found.bound.alpha.arb() < 1 and found.bound.sigma_lower.mantissa > 0
        else:
            assert found.sigma_lower == 0.0 and found.bound is None and found.gram is None


@pytest.mark.parametrize("name", ["grid-12-tanh", "ulp-apart-1d", "weights-1e-6", "depth-80", "weights-1e6"])
def test_sigma_lower_is_below_the_oracle_of_curved_networks(name):
    net, u, x = cases()[name]
    sigma = smallest_singular_value(oracle(net, u, x))
    for found in decided(name):
        with mpmath.workdps(60):
            assert sigma * (1 + mpmath.mpf(10) ** -30) + mpmath.mpf(10) ** -70 >= found.sigma_lower


@pytest.mark.parametrize("name", ["hilbert-4", "hilbert-12", "rump-6", "rump-12", "unimodular-7", "vandermonde-12"])
def test_what_higher_precision_can_prove_is_proved(name):
    assert all(found.verdict is Verdict.PROVED for found in decided(name))


def test_the_rump_matrices_are_beyond_binary64():
    for n in (6, 8, 10, 12):
        rows = linear(rump(n, {6: 1000, 8: 100, 10: 30, 12: 9}[n], n))[2]
        sigma = smallest_singular_value([[Fraction(v) for v in row] for row in rows.tolist()])
        assert np.linalg.norm(rows) / float(sigma) > 1e30


def random_case(seed):
    """A small case of one of several kinds, with N <= 6; the rank is known exactly where Psi is rational."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    m = n + int(rng.integers(0, 3))
    kind = int(rng.integers(6))
    if kind == 0:
        rows = rng.integers(-9, 10, (n, m)).astype(float)
    elif kind == 1:
        rows = singular_integers(n, m, max(1, n - 1), seed)
    elif kind == 2:
        rows = rng.integers(-99, 100, (n, m)) * 2.0 ** rng.integers(-40, 41, (n, 1))
    elif kind == 3 and n > 1:
        rows = np.array(rump(n, int(rng.integers(2, 500)), seed, steps=int(rng.integers(1, 40))))
    elif kind == 4:
        x = np.round(rng.standard_normal((n, 2)) * 8) / 8
        return (*network_case(x, m, seed, float(rng.choice([1e-3, 1.0, 30.0])), int(rng.integers(1, 3))), None)
    else:
        rows = rng.standard_normal((n, m))
    return (*linear(rows), [[Fraction(v) for v in row] for row in np.array(rows).tolist()])


@pytest.mark.thorough
@settings(max_examples=settings().max_examples * HYPOTHESIS_SHARE)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_two_engines_agree(seed):
    net, u, x, rows = random_case(seed)
    both = [
        prove_rank(FloatEnclosure(net, u, x, numpy_backend(1)), max_bits=256, guard=False)[0],
        prove_rank(FloatEnclosure(net, u, x, numpy_backend(1)), max_bits=256, guard=False, certificate=False)[0],
        prove_rank(FeatureEnclosure(net, u, x, 64), max_bits=256)[0],
    ]
    verdicts = {found.verdict for found in both}
    assert not {Verdict.PROVED, Verdict.REFUTED} <= verdicts
    proved = [found for found in both if found.verdict is Verdict.PROVED]
    if rows is not None:
        full = exact_rank(rows) == len(x)
        assert (Verdict.REFUTED if full else Verdict.PROVED) not in verdicts
    if both[2].verdict is Verdict.PROVED:
        assert len(proved) == 3  # binary64 leads the way to Arb: nothing is lost by starting there
    if proved:
        sigma = smallest_singular_value(rows if rows is not None else oracle(net, u, x))
        with mpmath.workdps(60):
            assert all(found.sigma_lower <= sigma * (1 + mpmath.mpf(10) ** -40) for found in proved)
        largest = float(np.abs(x).max()) if rows is not None else 1.0
        if rows is not None and sigma > 1e-6 * largest:  # well conditioned: binary64 is enough
            assert both[0].label == "R1" and "binary64" in both[0].attempts[-1]
            assert both[1].label == "R2"
