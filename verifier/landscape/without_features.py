"""What is said of zero training error and of a path at a U whose Psi is too large to be held."""

from __future__ import annotations

from verifier.balls.exact import at_least
from verifier.data.grouping import Grouping
from verifier.verdict import Verdict


def nothing_of_v(grouping: Grouping, reason: str) -> tuple[tuple[str, str, Verdict, str], ...]:
    """Say that nothing is known of V, but that equal samples with different labels exclude loss 0 (X1).

    Parameters
    ----------
    grouping
        Which samples are equal.
    reason
        Why Psi is not held.

    Returns
    -------
    tuple of (str, str, Verdict, str)
        Of zero training error and of the path: key, label, verdict and reason. Guarantee: REFUTED only where labels of
        equal samples differ, for every network and every U.
    """
    regression = grouping.dataset.targets is not None
    path = ("path", "TC.3" if regression else "P1", Verdict.UNDECIDED, reason)
    if not grouping.conflicts:
        return ("zero_loss", "R1" if regression else "Z1", Verdict.UNDECIDED, reason), path
    low, _ = grouping.infimum or (0.0, 0.0)
    pair = f"samples {list(grouping.conflicts[0].indices[:2])} are equal with different labels"
    return ("zero_loss", "X1", Verdict.REFUTED, f"{pair}: inf Phi >= {at_least(low)} > 0 (X1)"), path
