"""Losses that a path is to reach: how they are asked for, from when on they are reached, how a loss is stated."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, fmpq, fmpz

from verifier.balls.exact import Dyadic
from verifier.balls.stated import round_down, round_up, statable
from verifier.landscape.zero_loss import loss_bound
from verifier.rank.right_inverse import ENCLOSURE_SLACK

DECIMAL = re.compile(r"(?=\.?[0-9])[0-9]{0,20}\.?[0-9]{0,20}([eE][-+]?[0-9]{1,4})?")
"""Target losses: positive decimals whose exact value is a number of moderate size."""

FINE, STATED_BITS = arb((fmpz(1), fmpz(-40))), 45
"""Relative room and length of a stated loss: E3's epsilon is small beside a large loss."""

DEFAULT_TARGETS = ("1e-6", "1e-100")
"""Targets where none are given: the first is what training may reach, the second is far below what floats show."""


@dataclass(frozen=True, slots=True)
class Target:
    """On the ray, ``Phi(U, t V1) <= loss`` for every ``t' >= t``; ``text`` is how the loss was asked for."""

    text: str
    loss: Dyadic
    t: Dyadic


def decimal_below(text: str) -> Dyadic:
    """The largest binary64-sized dyadic that is <= the decimal number (``1e-400`` works as well).

    Guarantee: the result is at most the number, and above 0.

    Raises
    ------
    ValueError
        If the text is not a positive decimal number.
    """
    if not DECIMAL.fullmatch(text):
        raise ValueError(
            f"target loss {text[:40]!r} is not a decimal number with at most 40 digits and 4 in its exponent"
        )
    value = Fraction(text)
    if value <= 0:
        raise ValueError(f"target loss {text} must be positive")
    exponent = value.numerator.bit_length() - value.denominator.bit_length() - 53
    scaled = value / Fraction(2) ** exponent
    return Dyadic(math.floor(scaled), exponent)


def time_for(
    classes: int, gamma: Dyadic, kappa: Dyadic, loss: arb, *, strict: bool, drop: arb | int = 0
) -> Dyadic | None:
    """A time on the ray from which the bound of Z1 is at most a loss.

    Parameters
    ----------
    classes, gamma, kappa
        m, a lower bound of every margin of V1, and where the ray begins.
    loss
        The loss to be reached.
    strict
        Whether the bound must be below it.
    drop
        How far frozen logits may lower a margin; see `loss_bound`.

    Returns
    -------
    Dyadic or None
        Guarantee: a t >= kappa with ``log(1 + (m-1) exp(drop - t gamma)) <= loss`` (``< loss`` if ``strict``). None if
        this precision decides nothing.
    """
    needed = (((classes - 1) / loss.expm1()).log() + drop) / gamma.arb()
    if not needed.is_finite():
        return None
    # a little later than needed, so that the bound below is decided, by an independent program as well
    t = needed.upper() * arb(fmpq(1025, 1024)) + arb((fmpz(1), fmpz(-20)))
    candidate = round_up(t)
    if not candidate.arb() >= kappa.arb():
        candidate = kappa
    bound = loss_bound(classes, gamma.arb(), candidate.arb(), drop)
    return candidate if (bound < loss if strict else bound <= loss) else None


def stated_loss(loss: arb) -> tuple[Dyadic, Dyadic]:
    """Round an enclosed loss outwards to what a certificate states; an independent enclosure of it may be wider.

    Guarantee: the loss is between the two.

    Parameters
    ----------
    loss : arb
        An enclosure.

    Returns
    -------
    (Dyadic, Dyadic)
        Lower and upper bound.
    """
    room = ENCLOSURE_SLACK * loss.rad() + FINE * loss
    return statable(round_down(loss - room, STATED_BITS), round_up(loss + room, STATED_BITS))
