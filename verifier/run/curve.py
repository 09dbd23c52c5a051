"""The certified loss along a case's path, at a few times, as plain data for pictures.

A piece of the path has points ``(time, lower, upper)``; the bounds are decimal logarithms of the loss, rounded outwards
to four decimals, so that 1e-400 is a number like any other; ``lower`` is None where nothing above 0 is certified. The
loss does not increase along the path (E3: after its first piece), so between two points it lies between the lower bound
of the later and the upper bound of the earlier one: the points make a band that holds the whole curve.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import msgspec
from flint import arb

from verifier.balls.exact import at_least, at_most, exactly
from verifier.balls.precision import working_precision
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.loss_path import LossPathResult
from verifier.landscape.path import Path
from verifier.landscape.sampling import loss_on_legs, sample_loss
from verifier.landscape.targets import Target

Point = tuple[float, float | None, float]
"""Time, lower and upper bound of log10 of the loss."""

EVALUATIONS = 115_000
"""Margins that may be evaluated for one curve, at about 2.5 microseconds each: about a third of a second."""
FEWEST, MOST, ON_RAY = 5, 41, 13
"""Points on the segment at least and at most, and points on the ray."""
BEYOND = 1.2
"""The last time, as a multiple of that of the last target: the picture shows that the loss stays below it."""
ON_CHORD = 17
"""Points on a segment of which only its chord is known."""
DECIMALS = 4
"""Decimals of log10 that are kept: 0.02 % of the loss, less than a pixel."""
BITS = 64
"""Working precision: far more than the decimals that are kept."""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the path, at the times of `verifier.landscape.path.Path`: legs of the escape, segment, ray."""

    kind: Literal["escape", "segment", "ray"]
    points: tuple[Point, ...]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A target loss, as it was asked for and as log10, and the path time from which the loss stays below it."""

    text: str
    log10: float
    time: float


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """The loss along a path: its label (P1, E1 to E4, X1), its pieces in order, the targets.

    ``legs`` is how many legs an escape has before the segment; on the ray ``V = (s - legs) kappa V1``. ``zero_error``
    is the path time from which all samples are classified correctly (L2.1), ``floor`` log10 of a positive infimum (X1),
    ``epsilon`` what E3 may rise by.
    """

    label: str
    pieces: tuple[Piece, ...]
    legs: int = 0
    targets: tuple[Mark, ...] = ()
    kappa: str = ""
    gamma: str = ""
    zero_error: float | None = None
    floor: float | None = None
    epsilon: str = ""


def curve_of(path: Path | None, escape: Escape | None, other: LossPathResult | None) -> Curve | None:
    """Enclose the loss along whichever path was proved; None if none was.

    Parameters
    ----------
    path, escape, other
        P1 from the start; an escape with P1 after it; the segment of X1. At most one is given.

    Returns
    -------
    Curve or None
        Guarantee: each point's bounds contain log10 of the exact loss at its time.
    """
    if escape is not None:
        return _descent(escape.path, escape)
    if path is not None:
        return _descent(path, None)
    return None if other is None else _chord(other)


def _descent(path: Path, escape: Escape | None) -> Curve:
    margins, legs = sum(map(len, path.start_margins.rows)), len(path.before)
    count = max(FEWEST, min(MOST, EVALUATIONS // max(margins, 1)))
    on_segment = [legs + k / (count - 1) for k in range(count)]
    marks = tuple(mark for target in path.targets if (mark := _mark(path, target)) is not None)
    last = max([BEYOND * mark.time for mark in marks] + [path.corner + 1.0])
    on_ray = [path.corner + (last - path.corner) * k / (ON_RAY - 1) for k in range(1, ON_RAY)]
    samples = sample_loss(path, [*on_segment, *on_ray], evaluations=EVALUATIONS - count * margins)
    points = _points((sample.s, sample.loss) for sample in samples)
    segment = Piece(kind="segment", points=tuple(point for point in points if point[0] <= path.corner))
    ray = Piece(kind="ray", points=tuple(point for point in points if point[0] >= path.corner))
    zero_error = path.time_on_ray(path.zero_error_t)
    epsilon = None if escape is None else escape.epsilon
    return Curve(
        label="P1" if escape is None else escape.label,
        pieces=(*(() if escape is None else (_escape(escape, path),)), segment, ray),
        legs=legs,
        targets=marks,
        kappa=exactly(path.kappa),
        gamma=at_least(path.gamma),
        zero_error=zero_error if math.isfinite(zero_error) else None,
        epsilon="" if epsilon is None else at_most(epsilon),
    )


def _escape(escape: Escape, path: Path) -> Piece:
    """The escape's legs: what its claim says of the loss there, nothing is evaluated in between."""
    start, whole = loss_on_legs(escape)
    legs = float(len(path.before))
    end = path.exact_loss(legs) if escape.kind.loss == "decreases" else whole
    return Piece(kind="escape", points=_points([(0.0, whole if escape.kind.loss == "bounded" else start), (legs, end)]))


def _chord(found: LossPathResult) -> Curve | None:
    """X1: the loss is convex on the segment, hence below its chord, and above the infimum."""
    if found.start_loss is None or found.end_loss is None or found.infimum is None:
        return None
    with working_precision(BITS):
        low, high = (bound.arb() for bound in found.start_loss)
        floor, end = found.infimum[0].arb(), found.end_loss.arb()
        values = [(0.0, low.union(high))]
        for k in range(1, ON_CHORD):
            s = arb(k) / (ON_CHORD - 1)
            values.append((k / (ON_CHORD - 1), floor.union((1 - s) * high + s * end)))
        positive = found.infimum[0].mantissa > 0
        return Curve(
            label="X1",
            pieces=(Piece(kind="segment", points=_points(values)),),
            floor=_log10(floor)[0] if positive else None,
        )


def _mark(path: Path, target: Target) -> Mark | None:
    time = path.time_of(target)
    with working_precision(BITS):
        level = round(float(target.loss.arb().log() / arb(10).log()), DECIMALS)  # a place on an axis, not a bound
    return Mark(text=target.text, log10=level, time=time) if math.isfinite(time) else None


def _points(values: Iterable[tuple[float, arb]]) -> tuple[Point, ...]:
    """The points whose loss has a finite enclosure: all of them, unless an exponent is out of reach."""
    found = []
    for time, loss in values:
        with working_precision(BITS):
            low, high = _log10(loss)
        if math.isfinite(high) and math.isfinite(time):
            found.append((time, low, high))
    return tuple(found)


def _log10(value: arb) -> tuple[float | None, float]:
    """Decimals of log10 that enclose it; None where the ball reaches down to 0, inf where it has no upper end."""
    low, high = value.lower(), value.upper()
    unit = arb(10).log() / 10**DECIMALS
    below = math.nan if not low > 0 else float((low.log() / unit).lower().floor().lower())
    above = float((high.log() / unit).upper().ceil().upper()) if high > 0 else math.inf
    return (None if not math.isfinite(below) else below / 10**DECIMALS), above / 10**DECIMALS
