"""The two engines that enclose Psi(U), binary64 and Arb, and the way from one to the next."""

from __future__ import annotations

from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.feature_enclosure import FeatureEnclosure

FIRST_BITS = 64
"""Precision of the first Arb enclosure: 11 bits more than binary64 holds, in one machine word."""

Enclosure = FloatEnclosure | FeatureEnclosure


def sharper(features: Enclosure) -> FeatureEnclosure:
    """The next enclosure to try: Arb at 64 bits after binary64, then twice the bits.

    Parameters
    ----------
    features
        An enclosure of Psi(U), shape ``(N, M)``, by either engine.

    Returns
    -------
    FeatureEnclosure
        Guarantee: it encloses the same Psi(U), of the same network, U and samples, all taken as exact numbers.
    """
    bits = FIRST_BITS if isinstance(features, FloatEnclosure) else 2 * features.precision
    return FeatureEnclosure(features.network, features.u, features.inputs, bits, offset=features.offset)


def arithmetic(features: Enclosure) -> str:
    """The arithmetic of an enclosure in words: ``binary64`` or ``64 bits``."""
    return "binary64" if isinstance(features, FloatEnclosure) else f"{features.precision} bits"
