"""Which claims a certificate holds: those whose check is predicted to stay within limits. The others are said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from verifier.certificate.cost import GIB, Cost, StatedClaim, predict, span
from verifier.certificate.size import Size
from verifier.statements.claims.catalogue import CLAIMS

CHECKER_SECONDS, CHECKER_GIB = 600.0, 6.0
"""What the checker may take unless it is told otherwise: CPU seconds of all its processes, address space of each."""
ROOM = 2.0
"""The checker's limits are so many times what a check is predicted to take at most: its machine may be slower than the
one on which the prices were found, and a prediction is right within such a factor.
"""
INVERSE_SHARE = 0.25
"""Of the seconds, for a right inverse (R1, R3, E4.path): it costs N^2 K, and is about one U only."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Predicted CPU seconds of all processes together, and GiB of the checker as a whole, that a check may take."""

    seconds: float = CHECKER_SECONDS / ROOM
    gib: float = CHECKER_GIB / ROOM

    def allow(self, cost: Cost) -> bool:
        """Whether a check of this predicted cost is wanted."""
        return cost.seconds <= self.seconds and cost.memory <= self.gib * GIB

    @property
    def checker(self) -> tuple[float, float]:
        """CPU seconds and GiB that the checker must be allowed, at least those that it allows itself."""
        return max(CHECKER_SECONDS, ROOM * self.seconds), max(CHECKER_GIB, ROOM * self.gib)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A claim that is proved and not in the certificate, what its check would take, and the limits that put it in.

    ``needs`` is the label of the claim without which it cannot stand, "" if it was left out for its own cost.
    """

    label: str
    needs: str
    seconds: float
    gib: float
    max_check_seconds: float
    max_check_gib: float

    @property
    def what(self) -> str:
        """What the claim states, in a few words."""
        return CLAIMS[self.label].name

    def __str__(self) -> str:
        """The line of the document that says what was left out and why."""
        if self.needs:
            return f"{self.label}, {self.what}: it needs {self.needs} beside it"
        return f"{self.label}, {self.what}: checking it would take about {span(self.seconds)} and {self.gib:.2g} GiB"


def judge(
    claim: StatedClaim, others: Sequence[StatedClaim], size: Size, limits: Limits, omitted: Sequence[StatedClaim] = ()
) -> LeftOut | None:
    """Decide whether a claim is to be checked together with others.

    Parameters
    ----------
    claim
        The one in question, proved or `expected`.
    others
        What the certificate holds, or will hold, without it.
    size, limits
        The instance, and what a check may take.
    omitted
        Claims that were left out already.

    Returns
    -------
    LeftOut or None
        None if it is; else what the check with it is predicted to take, and limits that would put it and all of the
        omitted claims in.
    """
    cost = predict([*others, claim], size)
    without = predict(others, size)
    inverse = (cost.seconds - without.seconds) / INVERSE_SHARE if "right_inverse" in claim else 0.0
    if limits.allow(cost) and inverse <= limits.seconds:
        return None
    everything = predict([*others, *omitted, claim], size)
    return LeftOut(
        label=claim["label"],
        needs="",
        seconds=cost.seconds,
        gib=cost.memory / GIB,
        max_check_seconds=max(limits.seconds, _two_digits(max(everything.seconds, inverse))),
        max_check_gib=max(limits.gib, _two_digits(everything.memory / GIB)),
    )


def _two_digits(value: float) -> float:
    """A limit to be typed in: a little above the value, with two digits."""
    unit = 10.0 ** (math.floor(math.log10(1.05 * value)) - 1)
    return round(math.ceil(1.05 * value / unit) * unit, 6)


def _with_cost(items: Sequence[LeftOut], cost: str) -> str:
    """Name claims that have the same cost."""
    if len(items) == 1:
        return f"{items[0].label} ({items[0].what}; with it the check would take {cost})"
    named = ", ".join(f"{item.label} ({item.what})" for item in items)
    return f"{named} (with any of them the check would take {cost})"


def sentence(left: Sequence[LeftOut]) -> str:
    """Say in one line what was proved and is not in the certificate, why, and how it gets there; "" for nothing."""
    if not left:
        return ""
    alike: dict[str, list[LeftOut]] = {}
    for item in left:
        if not item.needs:
            alike.setdefault(f"about {span(item.seconds)} and {item.gib:.2g} GiB", []).append(item)
    parts = [_with_cost(items, cost) for cost, items in alike.items()]
    dependent = [item for item in left if item.needs]
    if dependent:
        parts.append(f"{', '.join(item.label for item in dependent)} (beside {dependent[0].needs} only)")
    limits = Limits(max(item.max_check_seconds for item in left), max(item.max_check_gib for item in left))
    keys = f"max_check_seconds = {limits.seconds:g}, max_check_gib = {limits.gib:g}"
    seconds, gib = limits.checker
    allowed = f", and its checker then needs --cpu-seconds {seconds:.0f} --memory {gib:.3g}"
    allowed = allowed if limits.checker != Limits().checker else ""
    return f"proved, but not in the certificate: {', '.join(parts)}; [certificate] {keys} puts it in{allowed}"
