r"""A quadratic Bezier curve between two networks, trained in floating point: TESTED at samples, never PROVED.

As in dnn-mode-connectivity [Garipov, Izmailov, Podoprikhin, Vetrov and Wilson, NeurIPS 2018]: with all weights
``theta``,

.. math:: \varphi(t) = (1-t)^2 \theta_A + 2 t (1-t) \theta + t^2 \theta_B ,

the control point theta minimises the mean loss over t by stochastic gradients: each step draws a time, and
``2 t (1-t) grad Phi(phi(t))`` is its gradient by theta. The step is Adam's.

Guarantee: none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from verifier.data.dataset import Dataset
from verifier.display import Card, Shown
from verifier.landscape.approx_loss import Point, approx_loss_of
from verifier.network.arguments import BoolArray
from verifier.network.forward import approx_features
from verifier.network.gradient import approx_gradient
from verifier.network.network import Array, Network

STEPS = 600
"""Steps of training."""
RATE = 0.02
"""Adam's step size, relative to the mean size of the weights of A and B; it falls to 0 along a cosine."""
DECAYS, EPSILON = (0.9, 0.99), 1e-12
"""Adam's averages, and what keeps it from dividing by 0."""
SAMPLES = 61
"""Times at which the trained curve is sampled."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class BezierCurve(Shown):
    """A trained curve and its loss at samples, in floating point.

    Parameters
    ----------
    start, control, end
        A, the control point, and B: U of shape ``(p,)`` and V of shape ``(M, m)``.
    times, losses
        Where the curve was sampled, ``(K,)``, and the losses there, approximate.
    """

    start: Point
    control: Point
    end: Point
    times: Array
    losses: Array

    @property
    def barrier(self) -> float:
        """The largest loss that was sampled minus the larger end loss, approximate; between samples it may be larger.

        NaN where a loss is not finite.
        """
        return float(self.losses.max() - max(self.losses[0], self.losses[-1]))

    def at(self, t: float) -> Point:
        """The point at a time, rounded."""
        return _point(self.start, self.control, self.end, t)

    def _card(self) -> Card:
        sentence = (
            f"sampled at {len(self.times)} times in floating point, the largest loss is about {self.losses.max():.4g}, "
            f"about {self.barrier:.2g} above the larger end; nothing is proved of it"
        )
        return Card("A trained Bezier curve (TESTED, not proved)", None, sentence)


@np.errstate(all="ignore")
def approx_bezier(
    network: Network,
    start: Point,
    end: Point,
    data: Dataset,
    *,
    arcs: BoolArray | None = None,
    steps: int = STEPS,
    seed: int = 0,
) -> BezierCurve:
    """Train the control point of a quadratic Bezier curve from A to B; approximate, no proof.

    Parameters
    ----------
    network, start, end
        The two networks.
    data
        Labelled samples ``(N, d)``, see `verifier.landscape.line_barrier.with_labels`.
    arcs
        Which columns of Psi are connected to which outputs, ``(M, m)``: V stays 0 elsewhere. None: all.
    steps
        Steps of Adam, each at one random time.
    seed
        Of the times.

    Returns
    -------
    BezierCurve
        With its losses at evenly spaced times.
    """
    rng = np.random.default_rng(seed)
    a, b = (np.concatenate([u, v.ravel()]) for u, v in (start, end))
    theta = (a + b) / 2
    rate = RATE * float(np.abs(np.concatenate([a, b])).mean())
    first, second = np.zeros_like(theta), np.zeros_like(theta)
    labels = np.zeros(0, dtype=np.int64) if data.labels is None else data.labels
    for step in range(1, steps + 1):
        t = float(rng.random())
        u, v = _point(start, _split(theta, start), end, t)
        found = approx_gradient(network, u, v, data.inputs, labels, data.multiplicities, data.offset)
        dv = found.dv if arcs is None else np.where(arcs, found.dv, 0.0)
        slope = 2 * t * (1 - t) * np.concatenate([found.du, dv.ravel()])
        if not np.isfinite(slope).all():
            continue
        first = DECAYS[0] * first + (1 - DECAYS[0]) * slope
        second = DECAYS[1] * second + (1 - DECAYS[1]) * slope**2
        means = first / (1 - DECAYS[0] ** step), second / (1 - DECAYS[1] ** step)
        size = rate * (1 + math.cos(math.pi * step / steps)) / 2
        theta = theta - size * means[0] / (np.sqrt(means[1]) + EPSILON)
    control = _split(theta, start)
    times = np.linspace(0.0, 1.0, SAMPLES)
    places = (_point(start, control, end, t) for t in times.tolist())
    losses = [approx_loss_of(approx_features(network, u, data.inputs), v, data) for u, v in places]
    return BezierCurve(start, control, end, times, np.array(losses))


def _point(start: Point, control: Point, end: Point, t: float) -> Point:
    u, v = ((1 - t) ** 2 * a + 2 * t * (1 - t) * c + t**2 * b for a, c, b in zip(start, control, end, strict=True))
    return u, v


def _split(theta: Array, like: Point) -> Point:
    count = len(like[0])
    return theta[:count], theta[count:].reshape(like[1].shape)
