"""March along one straight leg of U: pieces of time, each with output weights whose margins stay positive on it.

From time 0 the weights of the piece before are tried on the next piece; where they fail they are fitted again at its
middle; where that fails, too, the piece is halved. After a success the next piece may be longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from verifier.landscape.leg_margins import ROOM, LegInterval, LegMargins
from verifier.landscape.refit import Refit
from verifier.landscape.separate import approx_margin
from verifier.network.network import Array

FIRST_STEP, GRID = Fraction(1, 4), 2**20
"""Length of the first piece; all times are multiples of 1/GRID."""
LONGER, SHORTEST = Fraction(3, 2), Fraction(1, 2**11)
"""Factor after a success, and the step below which a march gives up where no other is said."""
LONG_FITS = 3
"""How often at one time a fit may take many steps: where no weights serve, halving the piece is no help."""


Marching = Callable[[Fraction, int], None]
"""Told the time that is reached, and how many pieces there are."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Times from ``start`` to ``end`` of a leg on which all margins of ``weights`` are at least ``smallest`` > 0."""

    start: Fraction
    end: Fraction
    weights: Array
    smallest: float


@dataclass
class March:
    """How far the march came: ``stretches`` cover [0, `reached`], and all of the leg if it arrived.

    Guarantee: on every stretch every margin of its weights is at least its ``smallest``, which is above 0.
    """

    stretches: list[Stretch] = field(default_factory=list)
    tried: Fraction = Fraction(1)
    """The end of the last piece that failed."""
    separable: bool = True
    """Whether weights that classify all samples were found, in floating point, where the march stopped."""

    @property
    def reached(self) -> Fraction:
        """The time up to which weights were proved to serve."""
        return self.stretches[-1].end if self.stretches else Fraction(0)

    @property
    def arrived(self) -> bool:
        """Whether the whole leg is covered."""
        return self.reached == 1


@dataclass(frozen=True)
class Marcher:
    """Marches along one leg with weights that fit its labels."""

    leg: LegMargins
    refit: Refit
    tell: Marching
    shortest: Fraction = SHORTEST
    """The step below which the march gives up."""
    room: float = ROOM
    """How often what the margins may lose on a piece counts, see `room_for`."""

    def march(
        self, found: March, first: Iterable[Array], last: Iterable[Array], known: Iterable[Stretch] = ()
    ) -> March:
        """March from time 0 towards time 1.

        Parameters
        ----------
        found
            An empty march, which is filled piece by piece and returned: an interruption leaves what there is.
        first, last
            Weights ``(M, m)`` that may serve at the leg's start and at its end, the best first; at least one first.
        known
            Stretches that were found before, in order: each is proved again before it is taken.

        Returns
        -------
        March
            Guarantee: as `March`.
        """
        step = FIRST_STEP
        for stretch in known:
            if stretch.start == found.reached < stretch.end <= 1:
                self._take(found, stretch.end, [stretch.weights])
                step = stretch.end - stretch.start
        starts, ends, fits = list(first), list(last), LONG_FITS
        weights = found.stretches[-1].weights if found.stretches else starts[0]
        while not found.arrived:
            t = found.reached
            end = min(Fraction(1), _on_grid(t + step))
            part = self.leg.interval(t, end)
            old = [weights, *(starts[1:] if t == 0 else ()), *(ends if end == 1 else ())]
            if self._take(found, end, old, part) or self._fitted(found, end, weights, part, fits > 0):
                weights, step, fits = found.stretches[-1].weights, (end - t) * LONGER, LONG_FITS
                continue
            fits -= 1
            found.tried, step = end, (end - t) / 2
            if step < self.shortest:
                slower = list(self.refit.slower(part.middle_features, weights.shape[1]))
                if not self._take(found, end, slower, part):
                    fits_here = approx_margin(part.middle_features, weights, self.refit.labels) > 0
                    found.separable = fits_here or bool(slower)
                    return found
                weights, step, fits = found.stretches[-1].weights, (end - t) * LONGER, LONG_FITS
        return found

    def _take(self, found: March, end: Fraction, candidates: Iterable[Array], part: LegInterval | None = None) -> bool:
        """Take the first candidate whose margins are proved to be positive on the next piece."""
        part = part or self.leg.interval(found.reached, end)
        for weights in candidates:
            smallest = part.smallest(weights, self.room) if self.refit.allows(weights) else 0.0
            if smallest > 0:
                found.stretches.append(Stretch(found.reached, end, weights, smallest))
                self.tell(end, len(found.stretches))
                return True
        return False

    def _fitted(self, found: March, end: Fraction, weights: Array, part: LegInterval, many: bool) -> bool:
        """Fit weights at the middle of the piece."""
        fitted = self.refit.proposed(part.middle_features, weights, many=many)
        return fitted is not None and self._take(found, end, [fitted], part)


def _on_grid(t: Fraction) -> Fraction:
    """Return the nearest time that the grid has."""
    return Fraction(round(t * GRID), GRID)
