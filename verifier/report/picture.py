"""The path's picture: loss on a log scale, as the geometry of two small SVG panels (one template draws them).

The first panel has the escape, if any, and the segment; the second the ray. Each curve is drawn as its certified band:
between two points the loss is at most the upper bound of the earlier and at least the lower bound of the later one,
because it does not increase; in an E3 escape it is only known to stay below a bound.

Not by matplotlib, as the figures of experiments: a run of 44 cases has 88 panels, which it draws in half a minute, with
25 kB each; here they take 0.1 s and 3 kB, and follow the page's colours, light or dark.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flint import arb

from verifier.balls.exact import at_least, at_most
from verifier.report.text import power_of_ten
from verifier.run.curve import Curve, Mark, Piece, Point
from verifier.statements.downhill_path import PATH_KINDS

WIDTH, HEIGHT = 680, 440
LEFT, RIGHT, TOP, BOTTOM = 116, 20, 44, 84
"""Margins around the axes: room for the numbers at the left and for two lines of text below."""
TICKS = 5
"""About how many numbers stand at an axis."""
FLAT = 0.3
"""Decades that an axis shows at least."""
LINE = 32
"""Height of a line of text."""
LETTER = 15
"""Width of a letter, about."""
FEW = 15
"""Up to so many points are marked as such."""
WIDE = 5.0
"""From this quotient of losses on, an axis has numbers at 1, 2, 5 times powers of ten."""
LONGEST_EXPONENT = 5
"""Digits of an exponent at an axis; a longer one is written as 2e19."""
FLOATS = 300.0
"""Decades that binary64 has."""

RAISED = str.maketrans("-.e0123456789", "⁻·ᵉ⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Characters of a number as exponents."""

Place = Callable[[float], int]
"""From a value to a coordinate."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick of an axis: where, and its text."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line: a target, up to where the loss is certified to be below it (``x``), or a floor.

    The text is left out ("") where it would cover that of another line. It stands at the ``right`` if the curve is
    below the line there, and else at the left.
    """

    y: int
    text: str
    x: int | None = None
    right: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One SVG picture: what it shows in words, its axes, the band and line of each piece as path data.

    ``description`` is for those who do not see it: the certified numbers, rounded to the safe side.
    """

    title: str
    description: str
    axis: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bands: tuple[str, ...]
    lines: tuple[str, ...]
    dots: tuple[tuple[int, int], ...]
    levels: tuple[Level, ...]
    boundary: int | None = None


def panels(curve: Curve, *, fine: bool = True) -> list[Panel]:
    """Lay a curve out in one panel for escape and segment, and one for the ray.

    Parameters
    ----------
    curve
        The certified loss along a path.
    fine
        Whether all points are drawn; some are left out otherwise, to save space.

    Returns
    -------
    list of Panel
        Bands between the certified bounds, to whole pixels.
    """
    if not fine:
        curve = Curve(
            label=curve.label,
            pieces=tuple(Piece(kind=piece.kind, points=_fewer(piece.points)) for piece in curve.pieces),
            legs=curve.legs,
            targets=curve.targets,
            floor=curve.floor,
        )
    first = [piece for piece in curve.pieces if piece.kind != "ray" and piece.points]
    ray = [piece for piece in curve.pieces if piece.kind == "ray" and len(piece.points) > 1]
    found = []
    if first:
        found.append(_panel(first, curve, "segment", fine=fine))
    if ray:
        found.append(_panel(ray, curve, "ray", fine=fine))
    return found


def _fewer(points: Sequence[Point]) -> tuple[Point, ...]:
    step = max(1, math.ceil((len(points) - 1) / 6))
    kept = list(points[::step])
    return tuple(kept if kept[-1] == points[-1] else [*kept, points[-1]])


def _panel(pieces: Sequence[Piece], curve: Curve, kind: str, *, fine: bool) -> Panel:
    shifted = [piece.points for piece in pieces]
    times = [t for points in shifted for t, _, _ in points]
    known = [bound for points in shifted for _, low, high in points for bound in (low, high) if bound is not None]
    known += [] if curve.floor is None else [curve.floor]
    bottom, top = min(known), max(known)
    room = max(0.04 * (top - bottom), (FLAT - (top - bottom)) / 2)
    bottom, top = bottom - room, top + room
    start, end = min(times), max(max(times), min(times) + 1e-9)

    def x(t: float) -> int:
        return round(LEFT + (t - start) / (end - start) * (WIDTH - LEFT - RIGHT))

    def y(value: float | None) -> int:
        share = 0.0 if value is None else (value - bottom) / (top - bottom)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))

    placed = [[(x(t), y(low), y(high)) for t, low, high in points] for points in shifted]
    escapes = any(piece.kind == "escape" for piece in pieces)
    marks = [mark for mark in curve.targets if bottom < mark.log10 < top]
    levels = [Level(y(m.log10), _target(m), x(m.time) if curve.legs + 1.0 < m.time <= end else None) for m in marks]
    if curve.floor is not None:
        levels.append(Level(y(curve.floor), f"infimum ≥ {_bound(curve.floor, up=False)}"))
    return Panel(
        title=_title(pieces, curve, kind),
        description=_description(pieces, marks),
        axis=_axis(curve, kind, escapes),
        x_ticks=_times(start, end, x, kind, curve.legs),
        y_ticks=tuple(Tick(y(value), text) for value, text in _decades(bottom, top)),
        bands=tuple(map(_band, placed)),
        lines=tuple(
            _line(points)
            for piece, points in zip(pieces, placed, strict=True)
            if piece.points[0][1] is not None and not PATH_KINDS[curve.label].conflict
        ),
        dots=tuple(
            (a, (b + c) // 2)
            for points in placed
            for a, b, c in points
            if fine and 2 < len(points) <= FEW and not PATH_KINDS[curve.label].conflict
        ),
        levels=_apart([replace(level, right=_is_free_at_right(level, placed)) for level in levels]),
        boundary=x(float(curve.legs)) if escapes else None,
    )


def _target(mark: Mark) -> str:
    """The loss as it was asked for; a plain power of ten as one."""
    power = re.fullmatch(r"1e(-\d{1,4})", mark.text)
    return f"target {power_of_ten(int(power[1])) if power else mark.text}"


def _apart(levels: Sequence[Level]) -> tuple[Level, ...]:
    found: list[Level] = []
    for level in levels:
        crowded = any(abs(level.y - other.y) < LINE for other in found if other.text)
        found.append(replace(level, text="") if crowded else level)
    return tuple(found)


def _is_free_at_right(level: Level, placed: Sequence[Sequence[tuple[int, int, int]]]) -> bool:
    """Whether the band, which goes down, is below the line wherever its text would stand at the right."""
    above = [
        after for points in placed for (_, _, high), (after, _, _) in itertools.pairwise(points) if high <= level.y
    ]
    return max(above, default=LEFT) < WIDTH - RIGHT - LETTER * len(level.text)


def _band(points: Sequence[tuple[int, int, int]]) -> str:
    """The closed outline: along the upper bounds in steps, back along the lower bounds."""
    parts = [f"M{points[0][0]} {points[0][2]}"]
    for (a, _, high), (b, _, later) in itertools.pairwise(points):
        parts.append(f"h{b - a}v{later - high}")
    parts.append(f"V{points[-1][1]}")
    for (b, low, _), (a, earlier, _) in itertools.pairwise(reversed(points)):
        parts.append(f"h{a - b}v{earlier - low}")
    return "".join(parts) + "z"


def _line(points: Sequence[tuple[int, int, int]]) -> str:
    """A line through the middles, to guide the eye."""
    return "M" + "L".join(f"{a} {(low + high) // 2}" for a, low, high in points)


def _title(pieces: Sequence[Piece], curve: Curve, kind: str) -> str:
    first, last = pieces[0].points[0], pieces[-1].points[-1]
    where = (
        "the ray" if kind == "ray" else "the segment" if len(pieces) == 1 else f"the escape ({curve.label}) and segment"
    )
    return f"Loss along {where}, log scale: from at most {_bound(first[2])} down to at most {_bound(last[2])}"


def _description(pieces: Sequence[Piece], marks: Sequence[Mark]) -> str:
    """Certified bounds at the first and the last point, and from when on the targets are reached."""
    points = [point for piece in pieces for point in piece.points]
    said = [
        f"Certified at {len(points)} times: at the first {_between(points[0])}; at the last {_between(points[-1])}."
    ]
    said += [f"Loss at most {mark.text} from s = {at_most(mark.time)} on." for mark in marks]
    return " ".join(said)


def _between(point: Point) -> str:
    _, low, high = point
    return f"at most {_bound(high)}" if low is None else f"from {_bound(low, up=False)} to {_bound(high)}"


def _axis(curve: Curve, kind: str, escapes: bool) -> str:
    if kind == "ray":
        scale = f"(s − {curve.legs})" if curve.legs else "s"
        return f"path time s on the ray, V = {scale} κ V₁"
    if escapes:
        return f"escape {curve.label}, then V → κ V₁"
    return "segment V₀ → V₁" if PATH_KINDS[curve.label].conflict else "segment V₀ → κ V₁"


def _times(start: float, end: float, x: Place, kind: str, legs: int) -> tuple[Tick, ...]:
    if kind == "segment":
        first = "s = 0, start" if legs else "0"
        marks = [(0.0, first), *((float(k), str(k)) for k in range(1, legs + 2))]
        marks += [] if legs else [(0.5, "½")]
    else:
        marks = [(start, f"{start:.4g}")]
        step = _nice((end - start) / 3)
        value = math.ceil(start / step) * step
        while value <= end * (1 + 1e-12):
            if (value - start) > 0.15 * (end - start):
                marks.append((value, f"{value:.4g}" if value < 1e5 else _value(math.log10(value))))
            value += step
    return tuple(Tick(x(t), text) for t, text in marks if start <= t <= end)


def _nice(rough: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(k * power for k in (1.0, 2.0, 5.0, 10.0) if k * power >= rough * (1 - 1e-12))


def _decades(bottom: float, top: float) -> list[tuple[float, str]]:
    """Ticks of a log axis: whole decades, or round values where it shows less than two of them."""
    if top - bottom >= 2.0 or max(abs(bottom), abs(top)) > FLOATS:
        step = max(1, round(_nice((top - bottom) / TICKS)))
        first = math.ceil(bottom / step) * step
        return [(float(k), _value(float(k))) for k in range(first, math.floor(top) + 1, step)]
    low, high = 10.0**bottom, 10.0**top
    if high > WIDE * low:  # steps of one size would crowd at the top
        powers = range(math.floor(bottom), math.ceil(top))
        return [
            (math.log10(k * 10.0**n), f"{k * 10.0**n:.4g}")
            for n in powers
            for k in (1, 2, 5)
            if low <= k * 10.0**n <= high
        ]
    step_size = _nice((high - low) / TICKS)
    return [
        (math.log10(k * step_size), f"{k * step_size:.4g}")
        for k in range(max(1, math.ceil(low / step_size)), math.floor(high / step_size) + 1)
    ]


def _bound(log10: float, *, up: bool = True) -> str:
    """A loss for people that bounds another one: as `_value`, rounded up, or down."""
    if not -3.0 < log10 < 4.0:
        return power_of_ten(math.ceil(log10) if up else math.floor(log10))
    loss = arb(10) ** arb(str(log10))  # the decimals are the bound, not their binary64
    return at_most(loss, 3) if up else at_least(loss, 3)


def _value(log10: float) -> str:
    """A loss for people, at a place on an axis: 13.8, 0.0012, 10⁻⁵⁰."""
    if -3.0 < log10 < 4.0:
        return f"{10.0**log10:.3g}"
    exponent = round(log10)
    if len(str(abs(exponent))) <= LONGEST_EXPONENT:
        return power_of_ten(exponent)
    return "10" + f"{exponent:.3g}".replace("e+", "e").translate(RAISED)
