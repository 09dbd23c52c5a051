"""The four verdicts."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What can be said of a statement.

    ``PROVED``: rigorous, for this instance. ``REFUTED``: a rigorous counterexample or a violated hypothesis, shown.
    ``UNDECIDED``:
    precision or budget ran out, or the method does not apply. ``TESTED``: sampled only.
    """

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"
    TESTED = "TESTED"
