r"""Radii of boxes around U for any network: Psi at every U' with ``|U' - U| <= r``, each number, in balls.

One evaluation of the network, with every parameter a ball, encloses Psi(U') and the change D of Psi for all U' of the
box at once (`verifier.balls.motion.Box`). A margin of V' changes by

.. math:: m' - m = \sum_j D_{ij} (V_{jy} - V_{jk}) + \sum_j \Psi'_{ij} (V'_{jy} - V_{jy} - V'_{jk} + V_{jk}),

at most ``sum_j |D_ij| |V_jy - V_jk| + 2 r |Psi'_ij|``, and ``||Psi(U') - Psi(U)||_F^2 <= sum_ij |D_ij|^2``. Nothing is
asked of the network: what has no finite enclosure on the box gives no radius.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from verifier.balls.exact import Dyadic, ExactArray
from verifier.balls.motion import Box, ball_work
from verifier.balls.precision import working_precision
from verifier.landscape.activation_bounds import BITS
from verifier.network.forward import approx_features
from verifier.network.network import Array, Network

LOWEST, HIGHEST, HIGHEST_OF_BOXES = -1000, 100, 4
"""Exponents of the radii that are tried. Functions of balls as wide as beyond the last are enclosed by luck alone."""
BLOCK = 4
"""Samples that are evaluated together."""
TRIED = 4
"""How often a radius may turn out to be too large for all samples together."""
SEARCH = 14
"""Evaluations of a block that find a radius, of most networks fewer."""
PROBE, PROBES = -80, 4
"""The radius, in quarters of octaves, from which a larger one is guessed; and moves of U that show what moves most."""
LEAP, GUESSES = 16, 6
"""Quarters of an octave below a radius without any bound; and how often a guess is followed between two radii."""
SPREAD = 2
"""Quarters of an octave below what fits some samples' share of a sum: the others' may be larger."""
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

    Parameters
    ----------
    holds : callable
        Whether the condition is proved at a radius, an arb.

    Returns
    -------
    Dyadic or None
        The radius, rounded down.
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
        return largest_of([gap + own for row, own in zip(of_features, of_weights, strict=True) for gap in row])

    return _Boxes(network, u, inputs, precision).radius(change, largest_of, gamma.arb())


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
        Guarantee: ``||Psi(U') - Psi(U)||_F < sigma_lower`` for all U' with ``|U'_k - U_k| <= r``; with ``sigma_lower <=
        sigma_N(Psi(U))`` the rank is N in the whole box by Weyl's inequality. None if no radius was found, or if the
        search would take too long.
    """
    if sigma_lower.mantissa <= 0:
        return None
    with working_precision(BITS):
        limit = sigma_lower.arb() ** 2

    def squares(psi: Rows, changes: Rows, radius: arb) -> arb:
        return _sum([d.abs_upper() ** 2 for row in changes for d in row])

    return _Boxes(network, u, inputs, BITS).radius(squares, _sum, limit)


def largest_of(values: list[arb]) -> arb:
    """The largest of upper bounds; not a number if one is not.

    Guarantee: no value is above the upper end of the result, if that is a number.
    """
    largest = values[0]
    for value in values[1:]:
        largest = largest.max(value)
    return largest


def _sum(values: list[arb]) -> arb:
    return sum(values, arb(0))


class _Boxes:
    """The boxes around one U, on given samples, those first whose features seem to move most."""

    def __init__(self, network: Network, u: Array, inputs: Array, precision: int) -> None:
        self.box = Box(network, u, inputs[_by_motion(network, u, inputs)], precision)
        self.work, self.count, self.spent = ball_work(network), len(inputs), 0.0
        self.slices = [slice(i, i + BLOCK) for i in range(0, len(inputs), BLOCK)]

    def radius(self, measure: Measure, combine: Callable[[list[arb]], arb], limit: arb) -> Dyadic | None:
        """A radius at which a measure, combined for all samples, is below a limit.

        The measure bounds something that grows with the box, so that what was found of a block at one radius holds at
        all smaller ones: with the maximum no block is evaluated again after the radius has become small enough for it.
        """
        if self.work * (SEARCH * BLOCK + self.count) > WORK:
            return None
        adds = combine is _sum
        degree = 2 if adds else 1  # of the measure in a small radius

        def change(quarters: int, rows: slice) -> arb:
            self.spent += self.work * len(range(self.count)[rows])
            if self.spent > WORK:
                return arb("nan")
            radius = _radius(quarters).arb()
            psi, moved = self.box.changes(radius, rows)
            with working_precision(self.box.precision):
                return measure(psi, moved, radius)

        few = slice(0, None, -(-self.count // BLOCK)) if adds else slice(0, 1)
        share = limit * len(range(self.count)[few]) / self.count if adds else limit
        quarters = _fitting(lambda tried: change(tried, few), share, 4 * HIGHEST_OF_BOXES, degree)
        if adds and quarters is not None and self.count > BLOCK:
            quarters -= SPREAD
        for _ in range(TRIED):
            found: list[arb] = []
            for rows in self.slices:
                if quarters is None:
                    return None
                size = change(quarters, rows)
                if not size < limit:
                    sizes: dict[int, arb] = {}

                    def own(tried: int, rows: slice = rows, sizes: dict[int, arb] = sizes) -> arb:
                        sizes[tried] = change(tried, rows)
                        return sizes[tried]

                    quarters = _fitting(own, limit, quarters - 1, degree, quarters - _steps(size, limit, degree))
                    size = sizes[quarters] if quarters is not None else size
                found.append(size)
            with working_precision(self.box.precision):
                total = combine(found)
            if quarters is None or total < limit:
                return None if quarters is None else _radius(quarters - ROOM)
            quarters -= max(1, _steps(total, limit, degree))
        return None


def _by_motion(network: Network, u: Array, inputs: Array) -> NDArray[np.intp]:
    """The samples in the order of how much their features seem to move; nothing depends on it but time."""
    with np.errstate(all="ignore"):
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (PROBES, len(u)))
        before = approx_features(network, u, inputs)
        moved = [np.abs(approx_features(network, u + 2.0**-20 * sign, inputs) - before).sum(axis=1) for sign in signs]
        return np.argsort(-np.sum(moved, axis=0), kind="stable")


def _steps(size: arb, limit: arb, degree: int) -> int:
    """By how many quarters a radius is too large if a measure is; below 0: too small. A guess, 1 if there is none."""
    octaves = float((size.abs_upper() / limit).log()) / math.log(2) if size > 0 else math.nan
    return math.ceil(4 * octaves / degree) if math.isfinite(octaves) else 1


def _fitting(
    measured: Callable[[int], arb], limit: arb, high: int, degree: int, first: int | None = None
) -> int | None:
    """Find a radius up to one, in quarters, at which a measure that grows is below a limit, but not at the next one.

    Guarantee: the measure was below the limit at the result. None if it is not so at the smallest radius.
    """
    low, beyond, step, failed = 4 * LOWEST - 1, high + 1, 1, first is not None
    tried, guesses = PROBE if first is None else first, GUESSES
    while beyond - low > 1:
        tried = min(max(tried, low + 1), beyond - 1)
        size = measured(tried)
        guess, fits = tried - _steps(size, limit, degree), bool(size < limit)
        low, beyond = (tried, beyond) if fits else (low, tried)
        failed = failed or not fits
        if failed and low >= 4 * LOWEST:  # between two: first where the measure's growth leads, then in the middle
            guesses -= 1
            tried = guess if guesses >= 0 and size.is_finite() else (low + beyond) // 2
        elif fits:
            tried = max(guess, low + step)
        else:
            step = step if size.is_finite() else max(step, LEAP)
            tried = min(guess, beyond - step)
        step *= 2
    return low if low >= 4 * LOWEST else None
