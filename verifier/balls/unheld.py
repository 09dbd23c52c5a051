"""What stands for an enclosure of Psi(U) that would take too much memory: it has no entries, and says so.

Guarantee: nothing is enclosed by it; whoever asks for an entry gets `FeaturesNotHeld`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from verifier.balls.binary64.backend import Backend
from verifier.balls.feature_enclosure import PsiEnclosure
from verifier.network.network import Array

HELD_BYTES = 8 * 10**9
"""Midpoints of Psi in binary64 that a proof may hold: rank and paths by right inverses need about twice as much."""


class FeaturesNotHeld(Exception):
    """Entries of Psi(U) were asked for, and there are too many; the message says how many bytes they are."""


@dataclass(repr=False)
class UnheldFeatures(PsiEnclosure):
    """Psi(U), shape ``(N, M)``, as a network, U and samples only.

    Parameters
    ----------
    network, u, inputs
        As for `FeatureEnclosure`.
    backend
        The array library of smaller enclosures that are made instead, or None for Arb.
    precision
        Bits at which Arb would begin.

    Raises
    ------
    FeaturesNotHeld
        From every method that would give entries.
    """

    backend: Backend | None
    precision: int

    @property
    def reason(self) -> str:
        """Why there are no entries, and what has them all the same."""
        size = f"Psi(U) is {self.samples} x {self.columns} and takes {8 * self.samples * self.columns / 1e9:.1f} GB"
        return f"not tried: {size}, more than the {HELD_BYTES / 1e9:.0f} GB that are held in memory"

    def approx(self) -> Array:
        """Refuse the midpoints ``(N, M)``: they are not held."""
        self._refuse()

    def blocks(self, *_: Any) -> Iterator[Any]:
        """Refuse balls of rows or columns: they are not held."""
        self._refuse()

    row_blocks = column_blocks = blocks

    def row_norms(self, *_: Any) -> Array:
        """Refuse bounds ``(N,)`` of the rows' norms: they would need the entries."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise FeaturesNotHeld(self.reason)


def too_large(samples: int, columns: int) -> bool:
    """Whether Psi, ``(N, M)``, is not to be held.

    Parameters
    ----------
    samples, columns
        N and M.
    """
    return 8 * samples * columns > HELD_BYTES
