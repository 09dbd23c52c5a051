"""Projections of samples to a line are exact."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
from planted import seeds

from verifier.data import samples


@seeds(10)
@mpmath.workdps(60)
def test_projections_are_exact(rng):
    """SampleSource.project gives <a, x> exactly for all types, sizes and byte orders."""
    n, d = int(rng.integers(1, 9)), int(rng.integers(1, 5))
    wild = np.ldexp(rng.standard_normal((n, d)), rng.integers(-1060, 900, (n, d)))
    arrays = [
        rng.integers(0, 256, (n, d)).astype(np.uint8),
        rng.integers(-(2**63), 2**63 - 1, (n, d)),
        rng.integers(0, 2**64 - 1, (n, d), dtype=np.uint64),
        rng.integers(-(2**15), 2**15, (n, d)).astype(">i2"),
        rng.standard_normal((n, d)),
        rng.standard_normal((n, d)).astype(np.float32),
        rng.integers(-9, 9, (n, d)) / 8.0,
        wild,
        np.zeros((n, d)),
        np.full((n, d), -(2**63)),
        np.full((n, d), 5e-324),
        np.asfortranarray(rng.integers(-(2**52), 2**52, (n, d)).astype(float)),
    ]
    for array in arrays:
        for bits in (1, 8, 30, 40):
            direction = rng.integers(1 - 2**bits, 2**bits, d)
            source = samples.SampleSource("x", array)
            found, exponent = source.project(direction)
            exact = [sum(Fraction(x) * int(a) for x, a in zip(row, direction, strict=True)) for row in array.tolist()]
            assert [int(k) * Fraction(2) ** exponent for k in found] == exact
            low, size = source.extent
            entries = [Fraction(x) / Fraction(2) ** low for row in array.tolist() for x in row]
            assert all(entry.denominator == 1 and abs(entry) < 2**size for entry in entries)
    with np.errstate(all="ignore"):
        whole = samples.SampleSource("x", rng.integers(-200, 300, (n, d)).astype(np.int64))
        assert np.array_equal(whole.stored()[0], whole.array) and whole.stored()[0].dtype.itemsize <= 2
