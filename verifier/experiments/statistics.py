"""What several seeds say: Student's intervals of means and of paired differences, p values, Holm's correction.

Plain floating point; nothing here is proved. Seeds are the sample: a run is one observation, whatever the number of its
test samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from verifier.errors import InputError

LEVEL: Final = 0.95
"""Confidence level of every interval."""
ROUNDING: Final = 16.0 * float(np.finfo(np.float64).eps)
"""Values that differ by less than this, relative to the largest, are equal: they are quotients of counts."""

Test = Literal["t", "sign", "none"]
"""Student's paired t test; the sign test, where all differences are equal; none."""


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """The mean of n values and the half-width of its 95% confidence interval; None for n = 1, which gives none."""

    mean: float
    half: float | None
    n: int

    @property
    def low(self) -> float:
        """Lower end; -inf without an interval."""
        return -math.inf if self.half is None else self.mean - self.half

    @property
    def high(self) -> float:
        """Upper end; inf without an interval."""
        return math.inf if self.half is None else self.mean + self.half

    def scaled(self, factor: float) -> ConfidenceInterval:
        """The interval of the values times a positive factor: 100 for percent."""
        return ConfidenceInterval(self.mean * factor, None if self.half is None else self.half * factor, self.n)


@dataclass(frozen=True, slots=True)
class Paired:
    """The mean of first - second over pairs, its interval, and p values of "the mean difference is 0".

    ``p_less`` is against "first is smaller", ``p_greater`` against "first is larger", ``p_two`` against either; None
    without a test, that is for one pair. ``test`` is "sign" where all differences are equal and not 0: they have no
    variance, Student's statistic is infinite, and only their signs can be counted.
    """

    difference: ConfidenceInterval
    p_less: float | None
    p_greater: float | None
    p_two: float | None
    test: Test


def mean_interval(values: Sequence[float]) -> ConfidenceInterval:
    """Student's 95% confidence interval of a mean.

    Parameters
    ----------
    values : sequence of float
        n >= 1 observations, finite.

    Returns
    -------
    ConfidenceInterval
        ``mean +- t(0.975, n - 1) s / sqrt(n)``, s with n - 1; without a half-width for n = 1. Half-width 0 if all are
        equal. Does not depend on the order of the values.

    Raises
    ------
    InputError
        No values, or one that is not finite.
    """
    numbers = np.sort(np.asarray(values, dtype=np.float64))  # sorted: the same sums in whatever order they come
    if numbers.size == 0 or not np.isfinite(numbers).all():
        raise InputError(f"values = {list(values)}: a mean needs at least one value, all finite")
    mean, count = math.fsum(numbers.tolist()) / numbers.size, int(numbers.size)
    if count == 1:
        return ConfidenceInterval(mean, None, 1)
    if _all_equal(numbers):
        return ConfidenceInterval(mean, 0.0, count)
    from scipy import stats

    return ConfidenceInterval(mean, float(stats.t.ppf(0.5 + LEVEL / 2.0, count - 1) * stats.sem(numbers)), count)


def paired(first: Sequence[float], second: Sequence[float]) -> Paired:
    """Compare two conditions over the same seeds by the differences first - second.

    Parameters
    ----------
    first, second : sequence of float
        n >= 1 observations each; entry i of both has the same seed.

    Returns
    -------
    Paired
        The mean difference with its interval; p values by the paired t test, or the sign test (see `Paired`).

    Raises
    ------
    InputError
        Different lengths, no values, or one that is not finite.
    """
    if len(first) != len(second):
        raise InputError(f"first, second: {len(first)} and {len(second)} values; give one of each per seed")
    differences = np.sort(np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64))
    size = max((abs(value) for value in (*first, *second)), default=0.0)
    if differences.size and float(np.ptp(differences)) <= ROUNDING * size:
        differences = np.full_like(differences, _snapped(float(differences.mean()), size))
    interval = mean_interval(differences.tolist())
    if interval.n == 1:
        return Paired(interval, None, None, None, "none")
    if interval.half == 0.0:
        return _sign_test(interval)
    from scipy import stats

    less, greater, two = (
        float(stats.ttest_1samp(differences, 0.0, alternative=side).pvalue) for side in ("less", "greater", "two-sided")
    )
    return Paired(interval, less, greater, two, "t")


def _snapped(value: float, size: float) -> float:
    """0 for what only rounding keeps from it."""
    return 0.0 if abs(value) <= ROUNDING * size else value


def _sign_test(interval: ConfidenceInterval) -> Paired:
    """All n differences are equal: by chance all have that sign with probability 2^-n."""
    if interval.mean == 0.0:
        return Paired(interval, 1.0, 1.0, 1.0, "none")
    one = 0.5**interval.n
    less, greater = (one, 1.0) if interval.mean < 0.0 else (1.0, one)
    return Paired(interval, less, greater, min(1.0, 2.0 * one), "sign")


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p values, in the order given.

    Parameters
    ----------
    p_values : sequence of float
        Of the k hypotheses of one family.

    Returns
    -------
    tuple of float
        To reject where the adjusted value is below a keeps the probability of any false rejection below a (Holm 1979),
        whatever the dependence of the tests.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order, adjusted = np.argsort(values, kind="stable"), np.empty_like(values)
    steps = np.arange(len(values), 0, -1) * values[order]
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return tuple(adjusted.tolist())


def _all_equal(numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    return float(np.ptp(numbers)) <= ROUNDING * float(np.abs(numbers).max())
