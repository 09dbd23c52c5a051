r"""BM: a certified strict local minimum of the cross-entropy, its ball, the valley around it, and whether that is bad.

theta are the free numbers of the hidden parameters U, and of V without its last column: softmax probabilities do not
change when a vector is added to all columns of V, and the last one is held at 0. Let Phi be twice continuously
differentiable on a neighbourhood of the box ``|theta_j - theta0_j| <= r``, ``Hess Phi >= lambda I`` there, lambda > 0,
and ``g >= |grad Phi(theta0)|`` with ``2 g < lambda r``. On the ball ``|theta - theta0| <= r``, which the box contains,

.. math:: \Phi(\theta) \ge \Phi(\theta_0) - g |h| + \tfrac{\lambda}{2} |h|^2 \ge \Phi(\theta_0) - \tfrac{g^2}{2\lambda},
    \qquad h = \theta - \theta_0,

and on its boundary ``Phi >= rim := Phi(theta0) + lambda r^2 / 2 - g r > Phi(theta0)``. So the ball contains a minimum
of Phi over the ball, not on its boundary; Phi is strictly convex, so it is the only stationary point in the ball, and
a strict local minimum. No path from theta0 leaves the ball below the rim: the component of ``{Phi < rim}`` that
contains theta0 lies in the ball. A point anywhere with ``Phi < Phi(theta0) - g^2 / (2 lambda)`` makes it a bad local
valley. For all of V the sets are multiplied by the shifts ``V + v 1^T``: the minimum is strict modulo these only, and
the valley is as bad.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.binary64.backend import NotEnclosed, numpy_backend
from verifier.balls.binary64.products import Products
from verifier.balls.exact import Dyadic, about, at_least, at_most
from verifier.balls.hessian import Labelled, enclose_gradient, enclose_hessian, enclose_loss
from verifier.balls.jacobian import Parameters
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down, round_up
from verifier.data.dataset import Dataset, IntArray
from verifier.display import Card, Decided, Shown, count
from verifier.network.arguments import counted_labels
from verifier.network.differentiable import NotSmooth
from verifier.network.network import Array, Network
from verifier.rank.smallest_eigenvalue import smallest_eigenvalue
from verifier.verdict import Verdict

ZERO = Dyadic(0, 0)
BITS = 128
"""Of the loss, its gradient, and the checker's arithmetic."""
HESSIAN_BITS = 64
"""Of the enclosures of the Hessian: over a box their radii are far above what 64 bits round."""
ROOM = 1.5
"""The Hessian's radii count so many times, so that a checker's wider enclosures do as well."""
STATED = 1.0 - 2.0**-5
"""Part of the proved curvature that is stated, which covers what a division rounds; the gradient is divided by it."""
ROUNDED = 2.0**-80
"""The stated gradient is larger by this part of lambda r: that it is 0, a checker may see only so far."""
FIRST_REACH = 2.0**-20
"""The box that is tried first, relatively to the largest parameter."""
TRIALS = 8
"""Boxes that are tried."""
SMALLER = 2.0**-4
"""Factor of a box in which there may be a kink."""
NEAR = 1.25
"""A proposed radius within this factor of the best one is not tried."""
LOSS_BITS = 96
"""Of the bounds of the loss, which the valley's rim is little above."""
FLAT = 2.0**-40
"""An eigenvalue below this part of the largest one counts as zero in what is said of it."""
NAMED = 3
"""Parameters that are named of a flat direction."""


@dataclass(frozen=True, slots=True, repr=False)
class BetterPoint:
    """A point (u, v), shapes ``(p,)`` and ``(M, m)``, and an upper bound of its loss."""

    u: Array
    v: Array
    loss: Dyadic


@dataclass(frozen=True, slots=True, repr=False)
class Minimum(Decided, Shown):
    """BM: whether there is a strict local minimum near a point, and what was proved of the valley around it.

    Guarantee: if PROVED, the numbers are as the module's text says, and all of it holds.

    Parameters
    ----------
    verdict, reason
        Whether a strict local minimum is proved, and why or why not.
    network, data
        What Phi is of: the N samples that Psi has rows for.
    label_counts
        ``(N, m)``, how often each label occurs, where labels of equal samples differ; else None: see ``data``.
    u, v
        The point theta0, shapes ``(p,)`` and ``(M, m)``; the last column of V is 0.
    radius, curvature, gradient
        Of the ball; lambda, a lower bound on the box; an upper bound g of the gradient's norm at the point.
    value
        Bounds of the loss at the point.
    floor, rim
        A lower bound of the loss on the ball, and the level below which the valley lies inside the ball.
    better
        A point whose loss is certified to be smaller than ``floor``; None if none is known.
    bad
        Whether the valley is bad: PROVED by ``better``, else UNDECIDED.
    parameters
        The number of free parameters.
    precision
        Bits of the checker's arithmetic.
    """

    verdict: Verdict
    reason: str
    network: Network
    data: Dataset
    u: Array
    v: Array
    label_counts: IntArray | None = None
    parameters: int = 0
    radius: Dyadic = ZERO
    curvature: Dyadic = ZERO
    gradient: Dyadic = ZERO
    value: tuple[Dyadic, Dyadic] = (ZERO, ZERO)
    floor: Dyadic = ZERO
    rim: Dyadic = ZERO
    better: BetterPoint | None = None
    bad: Verdict = Verdict.UNDECIDED
    precision: int = 128
    seconds: float = 0.0
    tried: int = 1

    @property
    def rise(self) -> Fraction:
        """How far the rim is above the point, at least: ``lambda r^2 / 2 - g r``, exactly."""
        radius = self.radius.fraction()
        return self.curvature.fraction() * radius * radius / 2 - self.gradient.fraction() * radius

    def _card(self) -> Card:
        values: list[tuple[str, str]] = []
        if self.proved:
            values = [
                ("loss at the point", f"at least {at_least(self.value[0])}, at most {at_most(self.value[1])}"),
                ("loss in the ball", f"at least {at_least(self.floor)}"),
                ("radius", at_least(self.radius)),
                ("curvature", f"at least {at_least(self.curvature)}"),
                ("rim", f"{at_least(self.rise)} or more above the loss at the point"),
                ("bad local valley", str(self.bad)),
            ]
        return Card("A strict local minimum (BM)", str(self.verdict), self.reason, tuple(values))


@dataclass(frozen=True, slots=True)
class _Ball:
    """A box that was tried: its radius, the curvature there, and what the rim is above the value (floats)."""

    radius: float
    curvature: float
    gain: float


def free_numbers(network: Network, v: Array) -> NDArray[np.int64]:
    """The numbers of the free parameters: U, and V without its last column."""
    of_v = np.arange(v.size).reshape(v.shape)[:, :-1].ravel()
    return np.concatenate([np.arange(network.parameter_count), network.parameter_count + of_v]).astype(np.int64)


def prove_minimum(
    network: Network,
    u: Array,
    v: Array,
    data: Dataset,
    *,
    label_counts: IntArray | None = None,
    others: Sequence[tuple[Array, Array]] = (),
) -> Minimum:
    """Prove that there is a strict local minimum near a point, and bound the valley around it.

    Parameters
    ----------
    network
        The network.
    u, v
        The point, shapes ``(p,)`` and ``(M, m)``; the last column of V is subtracted from all.
    data
        The samples, with labels if equal ones have equal labels.
    label_counts
        ``(N, m)``, how often each label occurs, if they have not.
    others
        Points whose loss may be smaller: the valley is bad if it certainly is.

    Returns
    -------
    Minimum
        Guarantee: see there. ``UNDECIDED`` says nothing of minima. Source: THEORY2 BM; the module's text.
    """
    started = time.monotonic()
    v = v - v[:, -1:]
    found = Minimum(Verdict.UNDECIDED, "", network, data, u, v, label_counts, precision=BITS)
    counts = counts_of(data, label_counts)
    if counts is None:
        return replace(found, reason="BM needs labels, or their counts where equal samples have different ones")
    free = free_numbers(network, v)
    found = replace(found, parameters=len(free))
    try:
        samples = Labelled.of(data.inputs, counts, data.offset)
        gradient = _norm(enclose_gradient(network, u, v, samples, free, BITS))
        if not gradient.is_finite():
            return replace(found, reason="the gradient has no finite enclosure there: smaller weights may help")
        best, words = _largest_ball(network, Parameters.at(u, v), samples, free, float(gradient.upper()))
        loss = enclose_loss(network, u, v, samples, BITS)
    except NotSmooth as error:
        return replace(found, reason=f"not twice differentiable there: {error}")
    except NotEnclosed as error:
        return replace(found, reason=f"not enclosed: {error}")
    if best is None:
        return replace(found, reason=words, seconds=time.monotonic() - started)
    found = _as_stated(found, best, _with_room(gradient, best), loss)
    if found.proved:
        found = with_better(found, samples, others)
    return replace(found, seconds=time.monotonic() - started)


def counts_of(data: Dataset, known: IntArray | None) -> IntArray | None:
    """The label counts ``(N, m)`` of samples with labels; None if there are none."""
    if known is not None or data.labels is None:
        return known
    return counted_labels(data.labels, data.classes, data.multiplicities)


def _norm(entries: Sequence[arb]) -> arb:
    """An upper bound of the length; a ball around 0 has a square that may seem negative, and no root."""
    with working_precision(BITS):
        return sum((z.abs_upper() ** 2 for z in entries), arb(0)).sqrt()


def _largest_ball(
    network: Network, where: Parameters, samples: Labelled, free: NDArray[np.int64], gradient: float
) -> tuple[_Ball | None, str]:
    """The ball with the highest rim among some that are tried, or why there is none.

    With ``lambda(r) = lambda(0) - L r`` the rim is highest where ``r = 2 lambda(0) / (3 L)``: each trial gives an L.
    """
    reach, chosen = np.zeros(where.size), np.zeros(where.size)
    chosen[free] = 1.0
    backend, best = numpy_backend(), None
    point = enclose_hessian(network, where.around(reach), samples, free, None, HESSIAN_BITS)
    curvature = STATED * smallest_eigenvalue(point.middles, point.radii, backend, Products()) / samples.total
    if not curvature > 0:
        return None, _flat(network, where.v, point.middles / samples.total, free)
    size = max(1.0, float(np.abs(where.u).max(initial=0.0)), float(np.abs(where.v).max()))
    radius, smooth = FIRST_REACH * size, math.inf
    for _ in range(TRIALS):
        radius = math.ldexp(math.floor(math.ldexp(math.frexp(radius)[0], 10)), math.frexp(radius)[1] - 10)
        try:
            box = enclose_hessian(network, where.around(radius * chosen), samples, free, None, HESSIAN_BITS)
        except (NotSmooth, NotEnclosed):
            smooth, radius = radius, radius * SMALLER
            continue
        here = STATED * smallest_eigenvalue(box.middles, box.radii, backend, Products(), ROOM) / samples.total
        gain = here * radius * radius / 2 - gradient / STATED * radius
        if here > 0 and gain > 0 and (best is None or gain > best.gain):
            best = _Ball(radius, here, gain)
        following = 2 * curvature * radius / (3 * max(curvature - here, 2.0**-6 * curvature))
        following = min(following, smooth / 2)
        if best is not None and 1 / NEAR < following / best.radius < NEAR:
            break
        radius = following
    if best is None:
        words = f"the Hessian's smallest eigenvalue is at least {at_least(curvature)} at the point, but"
        return None, f"{words} no ball was found in which lambda r / 2 exceeds the gradient, {about(gradient)}"
    return best, ""


def _flat(network: Network, v: Array, hessian: Array, free: NDArray[np.int64]) -> str:
    """What the direction of the smallest eigenvalue is, in words."""
    values, vectors = np.linalg.eigh(hessian)
    largest = np.argsort(-np.abs(vectors[:, 0]))[:NAMED]
    names = [name_of(network, v, int(free[k])) for k in largest if abs(vectors[k, 0]) > 0.1]
    kind = "nearly flat, or flat," if abs(values[0]) <= FLAT * np.abs(values).max() else "downhill"
    if values[0] > 0 and kind == "downhill":
        kind = "too flat for the precision"
    words = f"the direction of {', '.join(names)} is {kind} at the point: the Hessian is not proved to be positive"
    return f"{words} definite (its smallest eigenvalue is about {about(float(values[0]))})"


def name_of(network: Network, v: Array, number: int) -> str:
    """A parameter's name by its number, such as ``layer0.weight[0, 1]`` or ``V[2, 0]``."""
    rest = number - network.parameter_count
    if rest >= 0:
        return "V[{}, {}]".format(*np.unravel_index(rest, v.shape))
    view = next(view for view in network.parameters if view.offset <= number < view.offset + view.spec.size)
    place = np.unravel_index(number - view.offset, view.spec.shape)
    return f"{view.name}[{', '.join(map(str, place))}]"


def _with_room(gradient: arb, ball: _Ball) -> arb:
    """A bound of the gradient that is not below what a checker's rounding comes to."""
    with working_precision(BITS):
        return gradient + arb(ball.curvature * ball.radius * ROUNDED)


def _as_stated(found: Minimum, ball: _Ball, gradient: arb, loss: arb) -> Minimum:
    """The numbers of a ball as they are stated, if they are as the theorem needs them."""
    with working_precision(BITS):
        radius = Dyadic.of_float(ball.radius)
        curvature = round_down(arb(ball.curvature))
        slope = round_up(gradient / arb(STATED))
        room = arb(2) * loss.rad() + loss * arb(2) ** -88
        value = round_down(loss - room, LOSS_BITS), round_up(loss + room, LOSS_BITS)
        r, bend, g = radius.arb(), curvature.arb(), slope.arb()
        floor = round_down(value[0].arb() - g * g / (2 * bend), LOSS_BITS)
        rim = round_down(value[0].arb() + bend * r * r / 2 - g * r, LOSS_BITS)
        holds = bend > 0 and r > 0 and 2 * g < bend * r and value[1].arb() < rim.arb()
    if not holds:
        words = f"the valley's rim is less above the loss, {at_most(value[1])}, than what the loss is known to"
        return replace(found, reason=words)
    reason = (
        f"{count(found.parameters, 'free parameter')}: Hess Phi >= lambda I with lambda = {at_least(curvature)} within "
        f"{at_least(radius)} of the point, where |grad Phi| <= {at_most(slope)} < lambda r / 2"
    )
    return replace(
        found,
        verdict=Verdict.PROVED,
        reason=reason,
        radius=radius,
        curvature=curvature,
        gradient=slope,
        value=value,
        floor=floor,
        rim=rim,
    )


def with_better(found: Minimum, samples: Labelled, others: Sequence[tuple[Array, Array]]) -> Minimum:
    """A proved minimum with the first of some points whose loss is certified to be below all of the valley.

    Guarantee: if `bad` is PROVED, then Phi at `better` is at most its stated loss, which is below `floor`.

    Parameters
    ----------
    found : Minimum
        A proved one, whose valley has a floor.
    samples : Labelled
        The samples that Phi is of.
    others : sequence of (ndarray of shape (p,), ndarray of shape (M, m))
        Points to be tried, in order.

    Returns
    -------
    Minimum
        With the first point that is certified, or as it was.
    """
    for u, v in others:
        loss = enclose_loss(found.network, u, v, samples, BITS)
        if not loss.is_finite():
            continue
        with working_precision(BITS):
            stated = round_up(loss + arb(2) * loss.rad() + loss * arb(2) ** -40, LOSS_BITS)
            lower = stated.arb() < found.floor.arb()
        if lower:
            words = (
                f"{found.reason}; Phi >= {at_least(found.floor)} in the valley, but at most {at_most(stated)} elsewhere"
            )
            return replace(found, better=BetterPoint(u, v, stated), bad=Verdict.PROVED, reason=words)
    return found
