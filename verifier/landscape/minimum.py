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

from dataclasses import dataclass

from verifier.balls.exact import Dyadic, at_least, at_most
from verifier.data.dataset import Dataset, IntArray
from verifier.display import Card, Decided, Shown
from verifier.network.network import Array, Network
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class BetterPoint:
    """A point (u, v), shapes ``(p,)`` and ``(M, m)``, and an upper bound of its loss."""

    u: Array
    v: Array
    loss: Dyadic


@dataclass(frozen=True, slots=True, repr=False)
class Minimum(Decided, Shown):
    """BM: whether there is a strict local minimum near a point, and what was proved of the valley around it.

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

    Guarantee: if PROVED, the numbers are as the module's text says, and all of it holds.
    """

    verdict: Verdict
    reason: str
    network: Network
    data: Dataset
    u: Array
    v: Array
    label_counts: IntArray | None = None
    parameters: int = 0
    radius: Dyadic = Dyadic(0, 0)
    curvature: Dyadic = Dyadic(0, 0)
    gradient: Dyadic = Dyadic(0, 0)
    value: tuple[Dyadic, Dyadic] = (Dyadic(0, 0), Dyadic(0, 0))
    floor: Dyadic = Dyadic(0, 0)
    rim: Dyadic = Dyadic(0, 0)
    better: BetterPoint | None = None
    bad: Verdict = Verdict.UNDECIDED
    precision: int = 128
    seconds: float = 0.0
    tried: int = 1

    def _card(self) -> Card:
        values: list[tuple[str, str]] = []
        if self.proved:
            values = [
                ("loss at the point", f"at least {at_least(self.value[0])}, at most {at_most(self.value[1])}"),
                ("loss in the ball", f"at least {at_least(self.floor)}"),
                ("radius", at_least(self.radius)),
                ("curvature", f"at least {at_least(self.curvature)}"),
                ("rim", f"at least {at_least(self.rim)}"),
                ("bad local valley", str(self.bad)),
            ]
        return Card("A strict local minimum (BM)", str(self.verdict), self.reason, tuple(values))
