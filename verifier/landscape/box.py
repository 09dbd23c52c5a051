r"""Radii of boxes around U for any network: Psi at every U' with ``|U' - U| <= r``, each number, in balls.

One evaluation of the network, with every parameter a ball, encloses Psi(U') and the change D of Psi for all U' of the
box at once (`verifier.balls.motion.Box`). A margin of V' changes by

.. math:: m' - m = \sum_j D_{ij} (V_{jy} - V_{jk}) + \sum_j \Psi'_{ij} (V'_{jy} - V_{jy} - V'_{jk} + V_{jk}),

at most ``sum_j |D_ij| |V_jy - V_jk| + 2 r |Psi'_ij|``, and ``||Psi(U') - Psi(U)||_F^2 <= sum_ij |D_ij|^2``. Nothing is
asked of the network: what has no finite enclosure on the box gives no radius.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import arb, arb_mat

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.motion import Box, ball_work
from verifier.balls.precision import working_precision
from verifier.landscape.activation_bounds import BITS
from verifier.network.network import Array, Network

LOWEST, HIGHEST, HIGHEST_OF_BOXES = -1000, 100, 4
"""Exponents of the radii that are tried. Functions of balls as wide as beyond the last are enclosed by luck alone."""
BLOCK = 4
"""Samples that are evaluated together: the first of them find a radius, which is tried on all."""
TRIED = 8
"""How often a radius that some samples allow is tried on all."""
SEARCH = 14
"""Evaluations of a block that find a radius."""
WORK = 4e8
"""Ball multiply-adds that one radius may take, some 40 s."""
ROOM = 4
"""Quarters of an octave that are left to an independent program, whose balls may be wider."""

Rows = list[list[arb]]
Measure = Callable[[Rows, Rows, arb], arb]
"""What counts of Psi', of its change, and of the radius, for some samples."""


def largest_radius(holds: Callable[[arb], bool]) -> Dyadic | None:
    """Find a radius at which a condition holds that gets harder with the radius; None if it fails at the smallest.

    Guarantee: ``holds`` was true at the result.
    """
    found = _largest(holds)
    return None if found is None else _radius(found)


def _largest(holds: Callable[[arb], bool], high: int = 4 * HIGHEST) -> int | None:
    low = 4 * LOWEST
    with working_precision(BITS):
        if not holds(_radius(low).arb()):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if holds(_radius(middle).arb()) else (low, middle)
    return low


def _radius(quarters: int) -> Dyadic:
    """Radii in quarters of octaves: ``(4 + q % 4) 2^(q // 4)``."""
    return Dyadic(4 + quarters % 4, quarters // 4)


def radius_of_margins(
    network: Network, u: Array, inputs: Array, weights: ExactArray, gamma: Dyadic, precision: int = BITS
) -> Dyadic | None:
    """Find a radius of a box of U and V in which no margin changes by gamma.

    Parameters
    ----------
    network, u, inputs
        The network, its hidden parameters ``(p,)`` and the samples ``(N, d)``.
    weights, gamma
        V ``(M, m)``, and what the change is to stay below.
    precision
        Working precision in bits.

    Returns
    -------
    Dyadic or None
        Guarantee: if every number of U and of V changes by at most the radius, then ``(Psi V)_iy - (Psi V)_ik`` changes
        by less than gamma, for every sample i and all y, k. Source: the module's inequality. None if no radius was
        found, or if the search would take too long.
    """
    first, second = np.triu_indices(weights.shape[1], 1)
    if len(first) * weights.shape[0] * len(inputs) > WORK:
        return None
    with working_precision(precision):
        table = weights.arb_mat().tolist()
        gaps = arb_mat([[abs(row[y] - row[k]) for y, k in zip(first, second, strict=True)] for row in table])

    def change(psi: Rows, changes: Rows, radius: arb) -> arb:
        of_features = (arb_mat([[d.abs_upper() for d in row] for row in changes]) * gaps).tolist()
        of_weights = [2 * radius * sum((value.abs_upper() for value in row), arb(0)) for row in psi]
        return _most([gap + own for row, own in zip(of_features, of_weights, strict=True) for gap in row])

    return _Boxes(network, u, inputs, precision).radius(change, _most, gamma.arb(), gamma.arb())


def radius_of_rank(network: Network, u: Array, inputs: Array, sigma_lower: Dyadic) -> Dyadic | None:
    """Find a radius of a box of U in which Psi changes by less than a number in the Frobenius norm.

    Parameters
    ----------
    network, u, inputs
        The network, its hidden parameters ``(p,)`` and the samples ``(N, d)``.
    sigma_lower
        The number.

    Returns
    -------
    Dyadic or None
        Guarantee: ``||Psi(U') - Psi(U)||_F < sigma_lower`` for all U' with ``|U'_k - U_k| <= r``. None if no radius was
        found, or if the search would take too long.
    """
    if sigma_lower.mantissa <= 0:
        return None
    with working_precision(BITS):
        limit = sigma_lower.arb() ** 2

    def squares(psi: Rows, changes: Rows, radius: arb) -> arb:
        return _sum([d.abs_upper() ** 2 for row in changes for d in row])

    share = limit * min(BLOCK, len(inputs)) / len(inputs)
    return _Boxes(network, u, inputs, BITS).radius(squares, _sum, share, limit)


def _most(values: list[arb]) -> arb:
    """The largest of upper bounds; not a number if one is not."""
    found = values[0]
    for value in values[1:]:
        found = found.max(value)
    return found


def _sum(values: list[arb]) -> arb:
    return sum(values, arb(0))


class _Boxes:
    """The boxes around one U, on given samples."""

    def __init__(self, network: Network, u: Array, inputs: Array, precision: int) -> None:
        self.box, self.work = Box(network, u, inputs, precision), ball_work(network)
        self.slices = [slice(i, i + BLOCK) for i in range(0, len(inputs), BLOCK)]

    def radius(self, measure: Measure, combine: Callable[[list[arb]], arb], first: arb, limit: arb) -> Dyadic | None:
        """A radius at which a measure, combined for all blocks, is below a limit; ``first`` is for one of them."""
        if self.work * (SEARCH * BLOCK + len(self.box.inputs)) > WORK:
            return None
        spent = 0.0

        def change(radius: arb, block: int) -> arb:
            nonlocal spent
            spent += self.work * BLOCK
            if spent > WORK:
                return arb("nan")
            psi, moved = self.box.changes(radius, self.slices[block])
            with working_precision(self.box.precision):
                return measure(psi, moved, radius)

        def too_large(quarters: int) -> int | None:
            """The block at which the limit is reached."""
            found: list[arb] = []
            for block in range(len(self.slices)):
                found.append(change(_radius(quarters).arb(), block))
                with working_precision(self.box.precision):
                    if not combine(found) < limit:
                        return block
            return None

        quarters, worst = 4 * HIGHEST_OF_BOXES, 0
        for _ in range(TRIED):
            found = _largest(lambda radius, block=worst: bool(change(radius, block) < first), quarters)  # type: ignore[misc]
            if found is None:
                return None
            quarters = found
            failed = too_large(quarters)
            if failed is None:
                return _radius(quarters - ROOM)
            quarters, worst = quarters - 4, failed
        return None
