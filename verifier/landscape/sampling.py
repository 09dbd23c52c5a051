"""The loss along a certified path at chosen times: one sampler for pictures, records and tables.

Between two sampled times the loss is known as well where it does not increase (everywhere but on the leg of E3): it
lies between the lower bound at the later time and the upper bound at the earlier one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from flint import arb

from verifier.balls.exact import lower_float, upper_float
from verifier.balls.margins import offset_drop
from verifier.balls.precision import working_precision
from verifier.errors import InputError
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.legs import Leg, ball_of
from verifier.landscape.path import Path
from verifier.landscape.zero_loss import loss_bound
from verifier.network.network import Array

BITS = 64
"""Working precision for sums of few numbers."""
LINEAR = 4.0
"""Up to this multiple of the time at which the ray begins, equal steps show the whole ray."""
BEYOND = 1.05
"""The last time, as a multiple of that of the last target, so that a picture shows what is reached."""


@dataclass(frozen=True, slots=True)
class LossSample:
    """The loss at path time ``s``: an enclosure, and where on the path that is.

    ``piece`` has U and V as functions of ``time``, its own; ``kind`` says whether it is a leg of an escape, or on which
    part of P1 the point lies.
    """

    s: float
    loss: arb
    kind: Literal["escape", "segment", "ray"]
    piece: Leg
    time: Fraction

    @property
    def low(self) -> float:
        """The largest binary64 number that is certainly not above the loss."""
        return lower_float(self.loss)

    @property
    def high(self) -> float:
        """The smallest binary64 number that is certainly not below the loss."""
        return upper_float(self.loss)

    @property
    def U(self) -> Array:
        """Hidden parameters there, shape ``(p,)``: the exact ones, rounded once."""
        return self.piece.u_at(self.time)

    @property
    def V(self) -> Array:
        """Output weights there, shape ``(M, m)``: the exact ones, rounded once.

        Raises
        ------
        InputError
            If they are beyond binary64.
        """
        return self.piece.v_at(self.time)


def sample_loss(path: Path, times: Sequence[float], *, evaluations: int | None = None) -> tuple[LossSample, ...]:
    """Enclose the loss at the given times of a path.

    Parameters
    ----------
    path
        A certified path: P1's own, or ``escape.path``.
    times
        Path times in [0, inf).
    evaluations
        How many margins may be evaluated on the ray: with more, its loss is bounded by two margins instead.

    Returns
    -------
    tuple of LossSample
        One for each time. Guarantee: ``loss`` contains the loss at the exact point of the path (P1, Z1), which `U` and
        `V` round: `Path.loss` encloses the loss at the rounded numbers as well.

    Raises
    ------
    ValueError
        If a time is not in [0, inf).
    """
    margins = sum(map(len, path.end_margins.rows))
    on_ray = sum(s > path.corner for s in times)
    bounded = evaluations is not None and on_ray * margins > evaluations
    smallest = _smallest_upper(path) if bounded else None
    found = []
    for s in times:
        piece, time = path.place(s)
        kind: Literal["escape", "segment", "ray"] = "segment" if s <= path.corner else "ray"
        if s < len(path.before):
            kind = "escape"
        if kind == "ray" and smallest is not None:
            loss = _between_margins(path, time, smallest)
        else:
            loss = path.exact_loss(s)
        found.append(LossSample(float(s), loss, kind, piece, time))
    return tuple(found)


def loss_on_legs(escape: Escape) -> tuple[arb, arb]:
    """Enclose the loss at the start of an escape, and on all of its legs by what was certified of them.

    Parameters
    ----------
    escape
        A certified escape.

    Returns
    -------
    tuple of arb
        Guarantee: the first contains the loss at the start, the second contains it at every time on the legs: the same
        where it is constant (E2, E4), from its value at the end of the legs where it decreases (E1), from 0 to the
        start's plus epsilon (E3).
    """
    path = escape.path
    low, high = (bound.arb() for bound in path.start_loss)
    with working_precision(BITS):
        start = low.union(high)
        if escape.kind.loss == "decreases":
            return start, path.exact_loss(len(path.before)).union(high)
        if escape.epsilon is not None:
            return start, arb(0).union(high + escape.epsilon.arb())
    return start, start


def sample_times(path: Path, segment: int, ray: int) -> list[float]:
    """Times at which a picture of the loss along a path should sample it, until all of its targets are reached.

    Parameters
    ----------
    path
        A certified path.
    segment, ray
        How many times on P1's segment (with both ends), and on the ray after it.

    Returns
    -------
    list of float
        Increasing. Equal steps on the segment and on a short ray; a constant ratio on a long one.

    Raises
    ------
    InputError
        If a target is reached only beyond the largest float.
    """
    start, corner = len(path.before), path.corner
    last = max([path.time_of(target) for target in path.targets] + [float(corner)])
    last = max(BEYOND * last, corner + 1.0)
    if not math.isfinite(last):
        raise InputError("the path's targets lie beyond the largest float; prove it with larger target losses")
    steps = np.geomspace if last > LINEAR * corner else np.linspace
    return [*np.linspace(start, corner, segment).tolist(), *steps(corner, last, ray + 1)[1:].tolist()]


def _smallest_upper(path: Path) -> arb:
    """An upper bound of the smallest margin of V1."""
    with working_precision(path.precision):
        uppers = [ball.upper() for row in path.end_margins.rows for ball in row]
        smallest = uppers[0]
        for value in uppers[1:]:
            smallest = value if value < smallest else smallest
    return smallest


def _between_margins(path: Path, time: Fraction, smallest: arb) -> arb:
    """Bound the loss on the ray by two margins, where an enclosure is dear.

    With gamma <= every margin of V1 and b >= the smallest one, ``log(1 + e^{-tb}) / n <= Phi(U, t V1) <= log(1 + (m-1)
    e^{-t gamma})``. Frozen logits may lower a margin by ``drop`` and raise it by ``rise``: then e^{-tb - rise} and
    e^{drop - t gamma}.
    """
    with working_precision(path.precision):
        t, offset = ball_of(time) * path.kappa.arb(), path.features.offset
        drop, rise = offset_drop(offset, path.labels), offset_drop(None if offset is None else -offset, path.labels)
        low = (-t * smallest - rise).exp().log1p() / sum(path.multiplicities)
        return low.union(loss_bound(path.classes, path.gamma.arb(), t, drop))
