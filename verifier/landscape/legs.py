r"""The legs of a path: pieces on which U, V or both move, as functions of a time of their own.

A leg answers two questions at a time ``t``, both exactly: where the path is (``U(t)`` and ``V(t)``, each entry rounded
once to the nearest binary64 number), and which margins it has there (balls around those of the point before rounding).
On the legs of E2 and E4 the margins are those of the start, by structure; on those of E1 and E3 they are evaluated. All
these take the times in [0, 1]; the last leg of every path, P1's segment and ray, takes [0, inf).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from flint import arb, fmpq

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.margins import Margins
from verifier.balls.precision import working_precision
from verifier.display import Brief
from verifier.errors import InputError
from verifier.landscape.segment import WeightSegment
from verifier.network.network import Array


class Leg(Protocol):
    """One piece of a path, from its time 0 on."""

    @property
    def words(self) -> str:
        """What moves on this leg, in words for people."""

    @property
    def start_u(self) -> Array:
        """Hidden parameters at time 0, shape ``(p,)``."""

    @property
    def start_v(self) -> ExactArray:
        """Output weights at time 0, shape ``(M, m)``."""

    def u_at(self, t: Fraction) -> Array:
        """Hidden parameters at time ``t``, shape ``(p,)``, rounded to nearest."""

    def v_at(self, t: Fraction) -> Array:
        """Output weights at time ``t``, shape ``(M, m)``, rounded to nearest."""

    def margins_at(self, t: Fraction) -> Margins:
        """Enclosures of the margins at the exact point of time ``t``."""


@dataclass(frozen=True, repr=False)
class StraightLeg(Brief):
    """U and V each on a straight segment, or at rest.

    ``margins`` are those of the whole leg where they are constant by structure (E2, E4), else what encloses them.
    """

    words: str
    start_u: Array
    end_u: Array
    start_v: ExactArray
    end_v: ExactArray
    margins: Margins | WeightSegment

    def u_at(self, t: Fraction) -> Array:
        """Hidden parameters at time ``t``: the exact combination, rounded once."""
        return between(self.start_u, self.end_u, t)

    def v_at(self, t: Fraction) -> Array:
        """Output weights at time ``t``: the exact combination, rounded once."""
        return combination([(1 - t, self.start_v), (t, self.end_v)])

    def margins_at(self, t: Fraction) -> Margins:
        """Enclose the margins of all samples at one time of the leg.

        Guarantee: each ball contains the margin at the exact point of time ``t``.
        """
        return self.margins if isinstance(self.margins, Margins) else self.margins.margins(t)


@dataclass(frozen=True, repr=False)
class SegmentAndRay(Brief):
    """P1: U at rest, V straight from ``start_v`` to ``kappa V1`` until time 1, then ``t kappa V1`` for ever.

    ``start_margins`` and ``end_margins`` enclose the margins of ``start_v`` and of V1 (``end_v``), shape ``(M, m)``.
    """

    start_u: Array
    start_v: ExactArray
    end_v: ExactArray
    kappa: Dyadic
    start_margins: Margins
    end_margins: Margins
    precision: int
    words: str = "V straight to kappa V1, U at rest: P1's segment"

    def u_at(self, t: Fraction) -> Array:
        """Hidden parameters at time ``t``: those of the start."""
        return self.start_u

    def v_at(self, t: Fraction) -> Array:
        """Output weights at time ``t``: the exact combination, rounded once."""
        return combination([(max(1 - t, Fraction(0)), self.start_v), (t * self.kappa.fraction(), self.end_v)])

    def margins_at(self, t: Fraction) -> Margins:
        """Enclose the margins of all samples at one time of the segment or the ray.

        Guarantee: each ball contains the margin at the exact point of time ``t``: margins are linear in V.
        """
        with working_precision(self.precision):
            time, kappa = ball_of(t), self.kappa.arb()
            if t > 1:
                return Margins(tuple(tuple(time * kappa * b for b in row) for row in self.end_margins.rows))
            return Margins(
                tuple(
                    tuple((1 - time) * a + time * kappa * b for a, b in zip(first, last, strict=True))
                    for first, last in zip(self.start_margins.rows, self.end_margins.rows, strict=True)
                )
            )


def between(start: Array, end: Array, t: Fraction) -> Array:
    """``start + t (end - start)``, shape ``(p,)``, each entry computed exactly and rounded to nearest."""
    found = start.copy()
    for k in np.flatnonzero(start != end).tolist():
        found[k] = float((1 - t) * Fraction(float(start[k])) + t * Fraction(float(end[k])))
    return found


def combination(terms: Sequence[tuple[Fraction, ExactArray]]) -> Array:
    """``sum_i factor_i * array_i``, each entry computed exactly and rounded to nearest.

    Raises
    ------
    InputError
        If an entry is beyond the largest binary64 number.
    """
    shape = terms[0][1].shape
    parts = [(factor, *array.integers()) for factor, array in terms if factor]
    low = min((exponent for _, _, exponent in parts), default=0)
    common = math.lcm(*(factor.denominator for factor, _, _ in parts))
    total = [0] * int(np.prod(shape))
    for factor, numerators, exponent in parts:
        scale = factor.numerator * (common // factor.denominator) << (exponent - low)
        total = [a + scale * b for a, b in zip(total, numerators, strict=True)]
    above, below = (1 << low, common) if low >= 0 else (1, common << -low)
    try:
        flat = [value * above / below for value in total]  # of two integers: correctly rounded
    except OverflowError:
        raise InputError(
            "V(s) is beyond the largest binary64 number here; ask for a smaller s, or for loss(s) and margins(s)"
        ) from None
    return np.array(flat, dtype=np.float64).reshape(shape)


def exact_midpoints(rows: Sequence[Sequence[arb]]) -> ExactArray:
    """The midpoints of balls, shape ``(M, m)``, as exact numbers.

    Guarantee: no midpoint is rounded.
    """
    parts = [tuple(int(part) for part in value.mid().man_exp()) for row in rows for value in row]
    low = min((exponent for mantissa, exponent in parts if mantissa), default=0)
    numerators = [mantissa << (exponent - low) if mantissa else 0 for mantissa, exponent in parts]
    return ExactArray.of_integers(numerators, (len(rows), len(rows[0])), low)


def ball_of(t: Fraction) -> arb:
    """A rational number as a ball at the working precision.

    Guarantee: the ball contains the number.
    """
    return arb(fmpq(t.numerator, t.denominator))
