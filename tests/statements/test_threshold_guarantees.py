"""L2.1: its proof, sharp examples, and instances."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
from flint import arb
from planted import (
    fraction,
    seeds,
)

from verifier.errors import VerifierError
from verifier.statements import threshold
from verifier.verdict import Verdict


def test_threshold_proof():
    """Every step is decided by sympy to be true, and what sympy leaves open is not taken for true."""
    found = threshold.prove_threshold()
    assert found.verdict is Verdict.PROVED and len(found.steps) == 10 and all(s.holds for s in found.steps)
    assert not threshold._sign("", "", None).holds and not threshold._sign("", "", False).holds


def test_sharpness():
    """The ratio n Phi / log 2 of the tight examples, against mpmath, strictly above 1."""
    first, *others = threshold.sharpness(7, (1, 30, 400))
    assert first.samples == 1 and first.lower.fraction() <= 1 <= first.upper.fraction()
    with mpmath.workdps(400):
        for example in others:
            truth = 1 + 6 * mpmath.log1p(mpmath.exp(-example.margin)) / mpmath.log(2)
            assert 1 < example.lower.fraction() <= fraction(truth) <= example.upper.fraction()
            assert fraction(truth) - 1 <= 9 * Fraction(2) ** -example.margin * Fraction(1, 1) * 3


def judged(rows, counts):
    """L2.1 on an instance; it must never find itself contradicted."""
    try:
        return threshold.check_instance(rows, counts)
    except VerifierError as error:
        raise AssertionError(str(error)) from None


@seeds(20)
def test_instances(rng):
    """PROVED only below log(2)/n with positive margins; with multiplicities, wide balls, ties and NaN."""
    for _ in range(20):
        n, k = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        counts = rng.integers(1, 4, n).tolist()
        middle = rng.standard_normal((n, k)) * 2 + float(rng.choice([0.0, 3.0, 8.0]))
        radius = np.abs(rng.standard_normal((n, k))) * float(rng.choice([0.0, 0.5, 4.0]))
        rows = [[arb(a, b) for a, b in zip(p, q, strict=True)] for p, q in zip(middle, radius, strict=True)]
        found = judged(rows, counts)
        assert found.total == sum(counts)
        with mpmath.workdps(50):
            ends = [[mpmath.mpf(float(m.lower())) for m in row] for row in rows]
            sums = [c * mpmath.log1p(sum(mpmath.exp(-m) for m in row)) for row, c in zip(ends, counts, strict=True)]
            below = sum(sums) < mpmath.log(2)
        assert (found.verdict is Verdict.PROVED) == below
        assert found.verdict is not Verdict.PROVED or min(map(min, ends)) > 0
    assert judged([[arb(0)]], [1]).verdict is Verdict.UNDECIDED
    assert judged([[arb("nan")], [arb(90)]], [1, 1]).verdict is Verdict.UNDECIDED
    assert judged([[arb(2)], [arb(2)]], [1, 1]).verdict is Verdict.PROVED
    assert judged([[arb(2)], [arb(2)]], [1, 4]).verdict is Verdict.PROVED
    assert judged([[arb(1)], [arb(9)]], [1, 1]).verdict is Verdict.PROVED
    assert judged([[arb(1)], [arb(9)]], [3, 1]).verdict is Verdict.UNDECIDED
