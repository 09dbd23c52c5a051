"""Short dyadic bounds of balls, rounded outwards, as certificates state them."""

from __future__ import annotations

from flint import arb

from verifier.balls.exact import Dyadic, magnitude

STATABLE = 180_000
"""Certificates hold numbers of size 2^-200000 and more; what is stated keeps away from that."""


def round_down(value: arb, bits: int = 30) -> Dyadic:
    """Give a dyadic with a short mantissa that is <= every point of the ball.

    Guarantee: the result is a lower bound of the ball (floor of the exact lower end at ``bits`` significant bits).

    Parameters
    ----------
    value : arb
        A ball with a finite lower end.
    bits : int, optional
        The mantissa's length.

    Returns
    -------
    Dyadic
        The lower bound.
    """
    mantissa, exponent = value.lower().man_exp()
    m, e = int(mantissa), int(exponent)
    shift = max(m.bit_length() - bits, 0)
    return Dyadic(m >> shift, e + shift)


def round_up(value: arb, bits: int = 30) -> Dyadic:
    """Give a dyadic with a short mantissa that is >= every point of the ball.

    Guarantee: the result is an upper bound of the ball.

    Parameters
    ----------
    value : arb
        A ball with a finite upper end.
    bits : int, optional
        The mantissa's length.

    Returns
    -------
    Dyadic
        The upper bound.
    """
    low = round_down(-value, bits)
    return Dyadic(-low.mantissa, low.exponent)


def statable(low: Dyadic, high: Dyadic) -> tuple[Dyadic, Dyadic]:
    """Widen bounds of a number >= 0 so that a certificate can hold them: nothing positive is below 2^-180000.

    Guarantee: the new lower bound is at most ``low``, the new upper bound at least ``high``.

    Parameters
    ----------
    low, high : Dyadic
        Bounds of one number, at least 0.

    Returns
    -------
    (Dyadic, Dyadic)
        The new bounds.
    """
    low = Dyadic(0, 0) if magnitude(low) < -STATABLE else low
    return low, Dyadic(1, -STATABLE) if magnitude(high) < -STATABLE else high
