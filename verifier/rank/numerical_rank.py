"""The numerical rank of Psi(U): elimination at many bits, a proposal for what is worth trying; it proves nothing.

At a precision of b bits a matrix that is exactly singular shows pivots down to some size and then nothing above the
rounding errors, about 2^-b; one that is nearly singular shows ever smaller pivots. A few pivots at a time are chosen in
binary64, from what is left of the matrix, and eliminated at full precision.

Guarantee: none. R3 decides, or nothing does; this decides how many bits R3 is tried with, and what is advised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from flint import arb, arb_mat, fmpz

from verifier.balls.engine import FIRST_BITS
from verifier.balls.feature_enclosure import FeatureEnclosure, Progress, block_is_finite
from verifier.balls.precision import working_precision
from verifier.network.network import Array

STAGE = 1e-8
"""Pivots of one stage are at least this share of the first: binary64 has chosen them safely."""


SECONDS_PER_PRODUCT = 40e-9
"""Measured cost of a multiply-add of balls of 64 bits."""
FEW_SECONDS = 10.0
"""After a gap at two precisions the last look is at the highest one where R3's algebra would take no longer."""
LEAST_BITS, CONVINCING = 256, 4096
"""Precisions of the last look: the least one, however long that takes, and the one beyond which nobody need ask."""


@dataclass(frozen=True, slots=True)
class NumericalRank:
    """What elimination at a precision shows; exponents of two relative to the largest feature.

    Parameters
    ----------
    rank, samples
        How many pivots are above the rounding errors, and N.
    last
        Exponent of the smallest of these pivots.
    rest
        Exponent of what is left after them; None where nothing is left.
    bits
        The precision.
    """

    rank: int
    samples: int
    last: int
    rest: int | None
    bits: int

    @property
    def deficient(self) -> bool:
        """Whether a wide gap lies between the last pivot and what is left, which is as small as rounding errors are."""
        return self.rest is not None and self.rest < _noise(self.bits) and self.last - self.rest > self.bits // 4

    @property
    def full(self) -> bool:
        """Whether there is a pivot in every row."""
        return self.rank == self.samples

    def enough_bits(self, least: int) -> int:
        """That precision, doubled until rounding errors are below the last pivot if there is one in every row."""
        bits = least
        while self.full and bits < -self.last:
            bits *= 2
        return bits

    def words(self) -> str:
        """The numerical rank and the gap below it."""
        gap = "" if self.rest is None else f", then about {_in_tens(self.rest)}"
        return (
            f"numerical rank {self.rank} of {self.samples} at {self.bits} bits: pivots down to about "
            f"{_in_tens(self.last)} of the largest feature{gap}"
        )


def _noise(bits: int) -> int:
    """The exponent below which what is left is taken for rounding errors: 2^-bits, and room for what they grow by."""
    return -bits + bits // 8 + 64


def _in_tens(exponent: int) -> str:
    """About ``2^exponent`` as a power of ten."""
    return f"1e{math.floor(exponent * math.log10(2))}"


def approx_numerical_rank(features: FeatureEnclosure, progress: Progress | None = None) -> NumericalRank | None:
    """Find the numerical rank of Psi(U) at the enclosure's precision.

    Parameters
    ----------
    features
        Enclosure of Psi(U), ``(N, M)``.
    progress
        Called with the fraction of Psi that is enclosed.

    Returns
    -------
    NumericalRank or None
        None if some feature has no finite enclosure, or all are 0. It proves nothing.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(1, [vf.Dense(1, "tanh"), vf.Dense(4, "identity", skip=True)])
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> found = approx_numerical_rank(vf.FeatureEnclosure(network, u, x, 256))
    >>> found.rank, found.deficient
    (2, True)
    """
    blocks = [block for _, block in features.blocks(progress)]
    if not all(block_is_finite(block) for block in blocks):
        return None
    bits, samples = features.precision, features.samples
    with working_precision(bits):
        left = _middles([row for block in blocks for row in block.tolist()])
        top = _exponent(left)
        if top is None:
            return None
        rank, last, rest = 0, 0, top
        while True:
            floats = _floats(left, rest)
            step, smallest = _pivots(floats)
            rank += len(step[0])
            last = rest - top + smallest
            left_or_none = _eliminated(left, *step)
            size = None if left_or_none is None else _exponent(left_or_none)
            if left_or_none is None or size is None:
                exact = left_or_none is not None and rank < samples
                return NumericalRank(rank, samples, last, -2 * bits if exact else None, bits)
            if size - top < _noise(bits) or size >= rest:  # nothing but rounding errors, or elimination breaks down
                return NumericalRank(rank, samples, last, size - top, bits)
            left, rest = left_or_none, size


class Elimination:
    """What elimination shows along R3's ladder, so that it climbs no further than there is hope.

    Parameters
    ----------
    max_bits
        The last precision allowed.
    stage
        Progress display.

    Attributes
    ----------
    last
        The numerical rank seen last, at the highest precision; None before any.
    hopeless
        Whether a wide gap stayed up to so many bits that a deficiency is likelier than a tiny singular value.
    """

    def __init__(self, max_bits: int, stage: Callable[[str], Progress]) -> None:
        self.max_bits, self.stage = max_bits, stage
        self.last: NumericalRank | None = None
        self.hopeless = False

    def next_bits(self, features: FeatureEnclosure) -> int:
        """Look at the precision that failed, after a second gap at many bits as well; the precision to be tried next.

        Parameters
        ----------
        features
            Enclosure of Psi(U) at that precision.
        """
        before, tried = self.last, features.precision
        self.last = self._look(features)
        if before is not None and self.last is not None and self.last.deficient and before.rank == self.last.rank:
            bits = self.max_bits
            while bits > LEAST_BITS and seconds_of_algebra(features.samples, features.columns, bits) > FEW_SECONDS:
                bits //= 2
            if bits > tried:
                self.last = self._look(at_precision(features, bits)) or self.last
            self.hopeless = self.last.deficient and (bits >= CONVINCING or bits < self.max_bits)
        bits = 2 * tried if self.last is None else self.last.enough_bits(2 * tried)
        # the doubling may start at any precision, so that it may miss the highest that is allowed
        reached = self.last is None or not self.last.full or -self.last.last < self.max_bits
        return self.max_bits if reached and tried < self.max_bits < bits else bits

    def _look(self, features: FeatureEnclosure) -> NumericalRank | None:
        return approx_numerical_rank(features, self.stage(f"rank: elimination at {features.precision} bits"))

    def advice(self, too_slow: int | None, least: int = 0) -> str:
        """Say what would decide the rank, where R3 does not.

        Parameters
        ----------
        too_slow
            The precision that was not tried because it would take too long, if that is why R3 ended.
        least
            The precision that sigma_N seems to need.
        """
        shown, doubled = self.last, max(2 * self.max_bits, least)
        if shown is None:
            slow = f"{too_slow} bits would take too long for this N and M"
            return slow if too_slow else f"max_bits = {doubled} may help"
        if self.hopeless:
            return (
                f"{shown.words()}; so the rank is probably {shown.rank} at this U, and more bits will not help (unless "
                f"sigma_N is below 2^-{shown.bits} of the largest feature). Another U may have full rank; if its "
                "numerical rank is the same, the cause is the architecture"
            )
        if too_slow:
            return f"{shown.words()}; {too_slow} bits would take too long for this N and M: take fewer samples or units"
        if shown.full:
            return f"{shown.words()}; max_bits = {shown.enough_bits(doubled)} should decide it"
        bits = max(doubled, CONVINCING)
        return f"{shown.words()}; max_bits = {bits} tells better whether Psi is singular or nearly so"


def at_precision(features: FeatureEnclosure, bits: int) -> FeatureEnclosure:
    """The same features enclosed anew at another precision."""
    return FeatureEnclosure(features.network, features.u, features.inputs, bits, offset=features.offset)


def seconds_of_algebra(samples: int, columns: int, bits: int) -> float:
    """About how long the algebra of R3 takes."""
    return SECONDS_PER_PRODUCT * samples**2 * (samples + columns) * math.pow(bits / FIRST_BITS, 1.3)


def _middles(rows: Sequence[Sequence[arb]]) -> arb_mat:
    return arb_mat([[value.mid() for value in row] for row in rows])


def _exponent(matrix: arb_mat) -> int | None:
    """The binary exponent of the largest entry; None if all are 0 or there are none."""
    found: int | None = None
    for value in matrix.entries():
        mantissa, exponent = value.mid().man_exp()
        if mantissa:
            size = int(exponent) + int(mantissa).bit_length()
            found = size if found is None else max(found, size)
    return found


def _floats(matrix: arb_mat, exponent: int) -> Array:
    scale = arb((fmpz(1), fmpz(-exponent)))
    return np.array([[float((value * scale).mid()) for value in row] for row in matrix.tolist()])


def _pivots(floats: Array) -> tuple[tuple[list[int], list[int]], int]:
    """Rows and columns of a well-conditioned block, and the exponent of its smallest pivot."""
    r, columns = scipy.linalg.qr(floats, mode="r", pivoting=True, check_finite=False)
    sizes = np.abs(np.diag(r))
    count = max(1, int((sizes > STAGE * sizes[0]).sum()))
    chosen = sorted(columns[:count].tolist())
    _, rows = scipy.linalg.qr(floats[:, chosen].T, mode="r", pivoting=True, check_finite=False)
    smallest = math.frexp(float(sizes[count - 1]))[1]
    return (sorted(rows[:count].tolist()), chosen), smallest


def _eliminated(matrix: arb_mat, rows: list[int], columns: list[int]) -> arb_mat | None:
    """The Schur complement of a block, without error bounds; None if no rows or columns are left."""
    table = matrix.tolist()
    others = sorted(set(range(matrix.nrows())) - set(rows))
    rest = sorted(set(range(matrix.ncols())) - set(columns))
    if not others or not rest:
        return None
    block = arb_mat([[table[i][j] for j in columns] for i in rows])
    try:
        solved = block.solve(arb_mat([[table[i][j] for j in rest] for i in rows]), algorithm="approx")
    except (ZeroDivisionError, ValueError):
        return None
    below = arb_mat([[table[i][j] for j in columns] for i in others])
    kept = arb_mat([[table[i][j] for j in rest] for i in others])
    return _middles((kept - below * _middles(solved.tolist())).tolist())
