"""The two engines that enclose Psi(U), binary64 and Arb, and the way from one to the next."""

from __future__ import annotations

import math

from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.exact import at_most
from verifier.balls.feature_enclosure import FeatureEnclosure, block_is_finite
from verifier.balls.unheld import UnheldFeatures
from verifier.verdict import Verdict

FIRST_BITS = 64
"""Precision of the first Arb enclosure: 11 bits more than binary64 holds, in one machine word."""

Enclosure = FloatEnclosure | FeatureEnclosure


def sharper(features: Enclosure, most: float = math.inf) -> FeatureEnclosure:
    """The next enclosure to try: after binary64 Arb at 64 bits, more where the network is deep; then twice the bits.

    Parameters
    ----------
    features
        An enclosure of Psi(U), shape ``(N, M)``, by either engine.
    most
        Bits that are not to be exceeded, but that 64 are always allowed.

    Returns
    -------
    FeatureEnclosure
        Guarantee: it encloses the same Psi(U), of the same network, U and samples, all taken as exact numbers.
    """
    first = isinstance(features, FloatEnclosure)
    bits = max(features.precision, FIRST_BITS) if first else 2 * features.precision
    bits = int(min(bits, max(most, FIRST_BITS)))
    return FeatureEnclosure(features.network, features.u, features.inputs, bits, offset=features.offset)


def arithmetic(features: Enclosure) -> str:
    """The arithmetic of an enclosure in words: ``binary64`` or ``64 bits``.

    Parameters
    ----------
    features : Enclosure
        Of Psi.

    Returns
    -------
    str
        The words.
    """
    return "binary64" if isinstance(features, FloatEnclosure) else f"{features.precision} bits"


def finiteness(features: Enclosure, *, used_as_streamed: bool) -> tuple[Verdict, str]:
    """Whether every entry of Psi(U) is enclosed, and how, in words.

    Parameters
    ----------
    features
        An enclosure of Psi(U), shape ``(N, M)``.
    used_as_streamed
        Whether its rows are enclosed only when they are used: nothing is computed here then.

    Returns
    -------
    tuple
        The verdict and the reason. Guarantee: ``PROVED`` of an enclosure that is not streamed implies that every entry
        of Psi(U) is in a finite ball.
    """
    if isinstance(features, UnheldFeatures):
        return Verdict.UNDECIDED, features.reason
    size = f"Psi(U) is {features.samples} x {features.columns}"
    if isinstance(features, FloatEnclosure):
        if used_as_streamed:
            return Verdict.PROVED, f"{size}, enclosed in binary64 as it is used"
        largest = max(float(features.backend.xp.max(radius)) for _, _, radius in features.row_blocks())
        return Verdict.PROVED, f"{size}, every entry enclosed in binary64, radii at most {at_most(largest, 2)}"
    if not all(block_is_finite(block) for _, block in features.blocks()):
        return Verdict.UNDECIDED, f"{size}; some feature has no finite enclosure in {arithmetic(features)}"
    return Verdict.PROVED, f"{size}, every entry enclosed at {features.precision} bits"
