r"""A bad local valley that is proved: one unit, two distinct samples of different classes, that occur unequally often.

Let psi_0, psi_1 > 0 be the unit's values on the sample of class 0 and of class 1, c_0, c_1 how often they occur,
n = c_0 + c_1, w = V_0 - V_1. Then

.. math:: n \Phi = c_0 \log(1 + e^{-\psi_0 w}) + c_1 \log(1 + e^{\psi_1 w}).

Where w = 0, ``Phi = log 2``: so every component of ``{Phi < log 2}`` lies in w > 0 or in w < 0. Where w < 0, the first
term alone is more than ``c_0 log 2``, hence ``Phi > (c_0 / n) log 2``; likewise ``Phi > (c_1 / n) log 2`` where w > 0.
If a point with w < 0 and ``Phi < log 2`` exists, and some point anywhere with ``Phi < (c_0 / n) log 2``, the component
of the first one is a bad local valley (D3.3): Phi stays away from its infimum there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import ExactArray, at_most, upper_float
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.loss import cross_entropy
from verifier.balls.margins import enclose_margins, with_offset
from verifier.balls.precision import working_precision
from verifier.data.dataset import Dataset
from verifier.errors import InputError
from verifier.network.network import Array, Network
from verifier.rank.monotone import monotone_limits
from verifier.verdict import Verdict

Point = tuple[Array, Array]
"""U of shape ``(p,)`` and V of shape ``(M, m)``."""


@dataclass(frozen=True, slots=True)
class BadValley:
    """What was found: ``share`` is c/n of the bound ``(c / n) log 2`` below which no point of the valley is.

    ``inside`` and ``elsewhere`` are upper bounds of the losses at the two points.
    """

    verdict: Verdict
    reason: str
    share: tuple[int, int] = (0, 1)
    inside: float = np.inf
    elsewhere: float = np.inf


def prove_bad_valley(network: Network, data: Dataset, inside: Point, elsewhere: Point) -> BadValley:
    """Prove that a point lies in a bad local valley of the cross-entropy.

    Parameters
    ----------
    network
        One dense layer of one unit, which is connected to the outputs.
    data
        Two distinct samples with different labels in {0, 1}; their multiplicities count.
    inside, elsewhere
        The point in the valley, and a point with a smaller loss than the valley has.

    Returns
    -------
    BadValley
        Guarantee: PROVED implies that the component of ``{Phi < log 2}`` that holds ``inside`` is a bad local valley:
        Phi > (share[0] / share[1]) log 2 > Phi(elsewhere) on all of it.

    Raises
    ------
    InputError
        If network or data are of another kind.
    """
    layer = network.layers[0] if network.layered is not None else None
    one = layer is not None and network.skip_count == len(network.layers) == 1 and not layer.kernel
    if layer is None or not one or layer.activation is None:
        raise InputError(f"a network with {network.skip_count} skip units; this proof is about one dense unit")
    if data.samples != 2 or data.classes != 2 or data.labels is None or set(data.labels.tolist()) != {0, 1}:
        raise InputError(f"{data.samples} samples of {data.classes} classes; this proof is about one sample per class")
    counts = dict(zip(data.labels.tolist(), data.multiplicities.tolist(), strict=True))
    difference = float(inside[1][0, 0]) - float(inside[1][0, 1])  # its sign is exact
    if difference == 0:
        return BadValley(Verdict.UNDECIDED, "w = 0: the point is on the pass between both sides")
    share = (counts[0] if difference < 0 else counts[1], data.total)
    with working_precision(FIRST_BITS):
        limits = monotone_limits(layer.activation)
        if limits is None or not min(limits.low, limits.high) >= 0:
            return BadValley(Verdict.UNDECIDED, "the unit is not proved to be positive")
        here, there = (_loss(network, data, point) for point in (inside, elsewhere))
        log2 = arb(2).log()
        bound = share[0] * log2 / share[1]
        found = (share, upper_float(here), upper_float(there))
        if not here < log2:
            return BadValley(Verdict.UNDECIDED, "the point is not certified to be below log 2", *found)
        if not there < bound:
            return BadValley(Verdict.UNDECIDED, "the other point is not certified to be below the valley", *found)
    reason = (
        f"Phi < log 2 here (it is at most {at_most(here)}); Phi > {share[0]}/{share[1]} log 2 in the whole component "
        f"of {{Phi < log 2}}, but Phi is at most {at_most(there)} elsewhere"
    )
    return BadValley(Verdict.PROVED, reason, *found)


def _loss(network: Network, data: Dataset, point: Point) -> arb:
    """Enclose Phi at a point."""
    u, v = point
    labels = np.zeros(0, dtype=np.int64) if data.labels is None else data.labels
    features = FeatureEnclosure(network, u, data.inputs, FIRST_BITS, offset=data.offset)
    (margins,) = enclose_margins(features, [ExactArray.of_floats(v)], labels)
    margins = with_offset(margins, features, labels)
    with working_precision(FIRST_BITS):
        return cross_entropy(margins.rows, data.multiplicities.tolist())
