"""The rung between binary64 and Arb: R1 in double-double, and the right inverse that a certificate states.

Guarantee: what is proved is what `double_double_inverse` proves of an enclosure; the precision that the certificate
names, and the seconds that are predicted, are proposals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.double_double.enclosure import DoubleDoubleEnclosure
from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import Dyadic, upper_float
from verifier.balls.feature_enclosure import FeatureEnclosure, Progress, PsiEnclosure, block_is_finite
from verifier.balls.motion import ball_work
from verifier.balls.precision import MAX_BITS
from verifier.rank.approx import column_choices, used_columns
from verifier.rank.double_double_inverse import ROOM, PairInverse, certify_inverse_pair, exact_witness
from verifier.rank.right_inverse import RankBound, RightInverse

PAIR_BITS = 106
"""Bits that a pair of float64 holds: the rung is tried if as many are allowed."""
SECONDS_PER_ENTRY, SECONDS_PER_PRODUCT = 1e-9, 3e-9
"""Measured costs of a multiply-add on one core: of enclosing Psi, and of the products of the right inverse."""
PAIR_BYTES, MOST_BYTES = 16, 6 * 10**8
"""Bytes of a pair, and those that the pairs of Psi may take; the products take ten times as many."""
SAMPLED = 8
"""Samples whose features are enclosed by Arb to see what its radii are."""
SPARE = 16
"""Bits more than that for R3, whose right inverse is from the normal equations."""
MARGIN = 3
"""Radii of the other samples may be 2^MARGIN times as wide as those seen, before the certificate fails."""
TRIALS = 8
"""Precisions looked at, at most."""


@dataclass(frozen=True, slots=True)
class PairProof:
    """What was proved in double-double, with what a certificate states of it; ``precision`` is the checker's.

    ``witness`` is None if the certificate's format has no room for it; ``bound`` is then about X itself.
    """

    found: PairInverse
    bound: RankBound
    witness: RightInverse | None
    precision: int


def prove_in_double_double(
    features: FloatEnclosure, patience: float, progress: Progress | None = None
) -> tuple[PairProof | None, str, int]:
    """Prove ``rank Psi = N`` by R1 in double-double.

    Parameters
    ----------
    features : FloatEnclosure
        Says which Psi, (N, M), and by which array library.
    patience : float
        Seconds that it may be predicted to take.
    progress : callable, optional
        Called with the fraction done.

    Returns
    -------
    (PairProof or None, str, int)
        The proof, if there is one; the outcome in words; and a precision below which sigma_N is not likely to be told
        from 0, if it was not proved. Guarantee: with a proof, ``rank Psi(U) = N`` and ``sigma_N >= found.sigma_lower >
        0``, and R1 holds as ``bound`` states it.
    """
    n, m = features.samples, features.columns
    seconds = SECONDS_PER_ENTRY * n * ball_work(features.network) + SECONDS_PER_PRODUCT * n * n * used_columns(n, m)
    if seconds > patience or PAIR_BYTES * n * m > MOST_BYTES:
        size = f"{PAIR_BYTES * n * m / 1e9:.1f} GB"
        return None, f"not tried, about {seconds:.0f} s (limit {patience:.0f} s), {size}", 0
    pairs = DoubleDoubleEnclosure(
        features.network, features.u, features.inputs, features.backend, offset=features.offset
    )
    for columns in column_choices(n, m):
        found = certify_inverse_pair(pairs, columns, progress)
        if found.proved:
            return _stated(features, found, columns), "certified", 0
    return None, found.reason, _precision_seen(features, found)


def _precision_seen(features: FloatEnclosure, found: PairInverse) -> int:
    """The precision at which Arb might prove what double-double does not: its last X tells the size of a right inverse.

    Guarantee: none. At fewer bits a right inverse is not likely to certify anything.
    """
    norm = 0.0 if found.residual is None else found.residual.norm_x
    if not 0.0 < norm < math.inf:
        return 0
    bits = math.ceil(math.log2(norm) + math.log2(features.samples * features.columns) / 2) + ROOM
    return (certificate_precision(features, bits) or bits) + SPARE


def _stated(features: FloatEnclosure, found: PairInverse, columns: np.ndarray | None) -> PairProof:
    """The proof with the right inverse in exact numbers and a precision at which Arb follows."""
    stated = exact_witness(found, columns)
    precision = None if stated is None else certificate_precision(features, stated[0].feature_bits)
    if stated is None or precision is None:
        residual = found.residual
        alpha = math.inf if residual is None else residual.alpha
        bound = RankBound(Dyadic.of_float(alpha), Dyadic.of_float(found.sigma_lower))
        return PairProof(found, bound, None, PAIR_BITS)
    return PairProof(found, stated[1], stated[0], precision)


def certificate_precision(features: PsiEnclosure, bits: int) -> int | None:
    """The lowest precision at which Arb's radii should be below ``2^-bits``, seen on a few samples; None if none is.

    Parameters
    ----------
    features : PsiEnclosure
        Says which Psi, (N, M).
    bits : int
        The bits that a right inverse needs of the features.

    Returns
    -------
    int or None
        The precision, at least 64. It proves nothing: a checker decides.
    """
    rows = np.unique(np.linspace(0, features.samples - 1, SAMPLED).astype(np.int64))
    precision = max(FIRST_BITS, bits + MARGIN)
    for _ in range(TRIALS):
        if precision > MAX_BITS:
            break
        seen = _radius_exponent(FeatureEnclosure(features.network, features.u, features.inputs[rows], precision))
        if seen is not None and seen <= -bits - MARGIN:
            return precision
        precision = 2 * precision if seen is None else precision + seen + bits + MARGIN
    return None


def _radius_exponent(features: FeatureEnclosure) -> int | None:
    """An exponent e such that all radii are at most 2^e; None if one is not finite."""
    largest = 0.0
    for _, block in features.blocks():
        if not block_is_finite(block):
            return None
        largest = max(largest, max(upper_float(value.rad()) for value in block.entries()))
    return math.frexp(largest)[1] if largest > 0.0 else -MAX_BITS
