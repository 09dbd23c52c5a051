"""Find a polygon of hidden parameters from U_A to U_B along which output weights keep all margins positive.

The straight leg comes first. Where it stops, the polygon goes through random points, which mend what symmetry spoils in
a wide network (from U to -U all features vanish half-way), or through trained ones: from the point where a leg stops
gradient descent leads to parameters at which all samples are classified with larger margins, and from there the way
goes on to U_B.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from verifier.balls.engine import FIRST_BITS
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.landscape.leg_march import SHORTEST, March, Marcher, Marching, Stretch
from verifier.landscape.leg_margins import LegMargins, room_for
from verifier.landscape.legs import between
from verifier.landscape.refit import Refit
from verifier.landscape.separate import approx_margin
from verifier.landscape.zero_loss import prove_zero_loss
from verifier.network.forward import approx_features
from verifier.network.gradient import approx_gradient
from verifier.network.initialise import portable_gaussian
from verifier.network.network import Array, Network
from verifier.verdict import Verdict

CORNERS = 5_000_011
"""Stream of the random corners."""
RANDOM_CORNERS = 3
"""Random corners that are tried, one after the other."""
TRAINED_CORNERS = 8
"""Trained corners that a polygon may have."""
TRIALS = 3
"""Corners that are trained, each from another noise, until a leg leads there."""
COARSE = Fraction(1, 2**8)
"""The shortest step on the legs of a polygon with corners: to bend it is better than to creep."""
TRAINING_STEPS = 200
"""Steps of L-BFGS that lead to a trained corner."""
SHAKE = 0.1
"""Noise on the point from which training starts, relative to the parameters' size: it breaks symmetries."""
REFUTABLE = 2_000_000
"""Entries of Psi times classes up to which it is asked whether no weights at all exist where the straight leg stops."""

Progress = Callable[[int, Fraction, int, int], None]
"""Told the leg's number, the time on it, and how many pieces and different weights there are so far."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What is joined: a network on samples ``(N, d)`` with labels; ``free`` has the arcs, ``(M, m)``, None: all."""

    network: Network
    inputs: Array
    labels: NDArray[np.int64]
    multiplicities: NDArray[np.int64]
    classes: int
    free: NDArray[np.bool_] | None
    leg: Callable[[Array, Array], LegMargins]
    """Makes the margins on the straight leg between two points."""
    one_logit: bool = False
    """Whether the first column of V is 0 at both ends and stays so: the network has one logit."""


@dataclass(frozen=True, slots=True)
class Route:
    """A polygon that was found: its corners ``(p,)``, both ends included, and the stretches of each of its legs.

    Guarantee: on every stretch all margins of its weights are at least its ``smallest`` > 0, and the stretches of a leg
    cover it.
    """

    corners: tuple[Array, ...]
    kinds: tuple[str, ...]
    legs: tuple[tuple[Stretch, ...], ...]

    def then(self, other: Route, kind: str) -> Route:
        """Go on with another route, which begins where this one ends."""
        kinds = (*self.kinds[:-1], kind, *other.kinds[1:])
        return Route((*self.corners, *other.corners[1:]), kinds, (*self.legs, *other.legs))


class Memory:
    """What was found on each leg, and trained corners: nothing is kept here; see `verifier.landscape.memory_file`."""

    def known(self, start: Array, end: Array) -> Sequence[Stretch]:
        """Stretches that were found on a leg before; each is proved again."""
        return ()

    def watch(self, start: Array, end: Array, march: March) -> None:
        """Keep what a march on a leg finds while it finds it."""

    def corner(self, start: Array, end: Array) -> Array | None:
        """The corner that was found between two others, which is no promise."""
        return None

    def keep(self, start: Array, end: Array, corner: Array) -> None:
        """Keep a corner between two others."""


@dataclass
class PolygonSearch:
    """The search for a polygon from U_A to U_B, as one `Route`."""

    sought: Sought
    start: Array
    end: Array
    start_weights: Array
    end_weights: Array
    tell: Progress = lambda leg, t, pieces, weights: None
    memory: Memory = field(default_factory=Memory)
    seed: int = 0
    obstacle: str = ""
    """Why the straight leg stopped, once it has."""
    _legs: list[tuple[Stretch, ...]] = field(default_factory=list)

    def route(self) -> Route | None:
        """Find a polygon from U_A to U_B.

        Guarantee: as `Route`. None if none was found, see `obstacle`.
        """
        for name, u, weights, time in (("A", self.start, self.start_weights, 0), ("B", self.end, self.end_weights, 1)):
            if not self._separable(u, weights):
                why = self._impossible(Fraction(time)) or "no V was found that classifies all samples"
                self.obstacle = f"at {name} {why}"
                return None
        first = self._march(self.start, self.end, self.start_weights)
        if first.arrived:
            return Route((self.start, self.end), ("A", "B"), (tuple(first.stretches),))
        self.obstacle = self._obstacle(first)
        return self._through_random_corners() or self._through_trained_corners(first)

    def _separable(self, u: Array, weights: Array) -> bool:
        """Whether weights that classify all samples are found at U, in floating point."""
        psi = approx_features(self.sought.network, u, self.sought.inputs)
        if approx_margin(psi, weights, self.sought.labels) > 0 or self._refit.proposed(psi, weights) is not None:
            return True
        return next(self._refit.slower(psi, self.sought.classes), None) is not None

    def _march(self, start: Array, end: Array, weights: Array, shortest: Fraction = SHORTEST) -> March:
        """March along one straight leg; its first weights are those that the polygon has where it begins."""
        march, leg = March(), self.sought.leg(start, end)
        known = self.memory.known(start, end)
        self.memory.watch(start, end, march)
        last = [self.end_weights] if end is self.end else []
        room = room_for(self.sought.network)
        marcher = Marcher(leg, self._refit, self._telling(march), shortest, room)
        return marcher.march(march, [weights], last, known)

    @property
    def _refit(self) -> Refit:
        return Refit(self.sought.labels, self.sought.free, self.sought.one_logit)

    def _telling(self, march: March) -> Marching:
        def tell(t: Fraction, pieces: int) -> None:
            stretches = [stretch for leg in self._legs for stretch in leg] + march.stretches
            different = len({id(stretch.weights) for stretch in stretches})
            self.tell(len(self._legs) + 1, t, len(stretches), different)

        return tell

    def _through_random_corners(self) -> Route | None:
        """A polygon of two legs through a random point, if random points classify the samples at all."""
        for trial in range(RANDOM_CORNERS):
            corner = self._random(trial)
            psi = approx_features(self.sought.network, corner, self.sought.inputs)
            if self._refit.proposed(psi, self.start_weights) is None:
                return None
            self._legs.clear()
            first = self._march(self.start, corner, self.start_weights, COARSE)
            if first.arrived:
                self._legs.append(tuple(first.stretches))
                last = self._march(corner, self.end, first.stretches[-1].weights, COARSE)
                if last.arrived:
                    legs = (tuple(first.stretches), tuple(last.stretches))
                    return Route((self.start, corner, self.end), ("A", "random", "B"), legs)
        self._legs.clear()
        return None

    def _random(self, trial: int) -> Array:
        """A random point, every parameter as large as at both ends."""
        network = self.sought.network
        corner = portable_gaussian(self.seed, (CORNERS, trial), len(self.start))
        for name, part in network.views(corner).items():
            ends = [network.views(u)[name] for u in (self.start, self.end)]
            part *= np.sqrt(np.mean([np.mean(end * end) for end in ends])) if part.size else 1.0
        return corner.astype(np.float32).astype(np.float64)

    def _through_trained_corners(self, march: March) -> Route | None:
        """A polygon that is bent, wherever a leg to U_B stops, by a corner that is trained from there."""
        here, weights, route = self.start, self.start_weights, None
        for _ in range(TRAINED_CORNERS):
            bend = self._bent(here, weights, march)
            if bend is None:
                return None
            route = self._extended(route, bend)
            here, weights = bend.corners[-1], bend.legs[-1][-1].weights
            march = self._march(here, self.end, weights, COARSE)
            if march.arrived:
                return self._extended(route, Route((here, self.end), ("A", "B"), (tuple(march.stretches),)))
        return None

    def _bent(self, here: Array, weights: Array, march: March) -> Route | None:
        """A leg to a corner that is trained from where a march to U_B stopped; a few are tried."""
        known = self.memory.corner(here, self.end)
        stopped = between(here, self.end, march.tried)
        latest = march.stretches[-1].weights if march.stretches else weights
        for trial in range(TRIALS):
            corner = known if trial == 0 and known is not None else self._trained(stopped, latest, trial)
            leg = None if corner is None else self._march(here, corner, weights, COARSE)
            if corner is not None and leg is not None and leg.arrived:
                self.memory.keep(here, self.end, corner)
                return Route((here, corner), ("A", "B"), (tuple(leg.stretches),))
        return None

    def _extended(self, route: Route | None, leg: Route) -> Route:
        """Return a route made longer by one leg."""
        self._legs += leg.legs
        return leg if route is None else route.then(leg, "trained")

    @np.errstate(all="ignore")
    def _trained(self, start: Array, weights: Array, trial: int) -> Array | None:
        """Parameters near a point at which weights classify all samples, by gradient descent; None: not found."""
        sought, count = self.sought, len(start)
        noise = portable_gaussian(self.seed, (CORNERS, RANDOM_CORNERS + trial), count)
        begin = start + SHAKE * float(np.sqrt(np.mean(self.start * self.start + self.end * self.end) / 2)) * noise
        free = 1.0 if sought.free is None else sought.free

        def value(flat: Array) -> tuple[float, Array]:
            u, v = flat[:count], flat[count:].reshape(weights.shape)
            found = approx_gradient(sought.network, u, v, sought.inputs, sought.labels, sought.multiplicities)
            slope = np.concatenate([found.du, (found.dv * free).ravel()])
            usable = np.isfinite(found.loss) and np.isfinite(slope).all()
            return (found.loss, slope) if usable else (np.inf, np.zeros_like(flat))

        options = {"maxiter": TRAINING_STEPS, "maxfun": 2 * TRAINING_STEPS, "ftol": 0.0, "gtol": 0.0}
        first = np.concatenate([begin, weights.ravel()])
        found = scipy.optimize.minimize(value, first, jac=True, method="L-BFGS-B", options=options)
        corner: Array = found.x[:count].astype(np.float32).astype(np.float64)
        if not np.isfinite(corner).all():
            return None
        psi = approx_features(sought.network, corner, sought.inputs)
        return None if self._refit.proposed(psi, found.x[count:].reshape(weights.shape)) is None else corner

    def _obstacle(self, march: March) -> str:
        """Why the straight leg stops, as far as that is known."""
        where = f"the straight leg stops at t = {float(march.reached):.4f}"
        if march.separable:
            why = f"no V was found that serves for a piece of length {SHORTEST} there"
        else:
            time = simplest_between(march.reached, march.tried)
            impossible = self._impossible(time)
            why = f"at t = {time} {impossible}" if impossible else "no V was found that classifies all samples there"
        return f"{where}: {why}; nor was a polygon found through random or trained corners"

    def _impossible(self, time: Fraction) -> str:
        """The proof that no V classifies all samples at a time of the straight leg; empty if there is none."""
        sought = self.sought
        u = between(self.start, self.end, time)
        exact = all(
            (1 - time) * Fraction(float(a)) + time * Fraction(float(b)) == Fraction(float(c))
            for a, b, c in zip(self.start, self.end, u, strict=True)
        )
        if not exact or len(sought.inputs) * sought.network.columns * sought.classes > REFUTABLE:
            return ""
        features = FeatureEnclosure(sought.network, u, sought.inputs, FIRST_BITS)
        counts = sought.multiplicities.tolist()
        zero = prove_zero_loss(features, sought.labels, sought.classes, multiplicities=counts)
        return zero.reason if zero.verdict is Verdict.REFUTED else ""


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """The number with the smallest power of two below it in [low, high].

    Raises
    ------
    ValueError
        ``low`` is above ``high``.
    """
    if low > high:
        raise ValueError(f"no number lies between {low} and {high}")
    scale = 1
    while -(-low.numerator * scale // low.denominator) * Fraction(1, scale) > high:
        scale *= 2
    return Fraction(-(-low.numerator * scale // low.denominator), scale)
