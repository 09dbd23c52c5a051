"""The four verdicts that a statement can have."""

from __future__ import annotations

from enum import StrEnum

from verifier.display import Judged, badge


class _Badge(Judged):  # an enumeration reserves names such as _repr_html_ in its own body
    def _repr_html_(self) -> str:
        return badge(str(self))


class Verdict(_Badge, StrEnum):
    """What can be said of a statement: PROVED, REFUTED, UNDECIDED or TESTED.

    ``PROVED``: rigorous, for this instance. ``REFUTED``: a rigorous counterexample, shown; of a hypothesis: violated.
    ``UNDECIDED``:
    precision or budget ran out, or the method does not apply. ``TESTED``: sampled only.

    A verdict does not stand in an ``if``: ask `proved`, or compare it with ``is Verdict.PROVED``.

    Examples
    --------
    >>> from verifier import Verdict
    >>> Verdict("PROVED").proved, Verdict.REFUTED is Verdict.PROVED
    (True, False)
    >>> Verdict.PROVED == "PROVED"
    True
    """

    @property
    def proved(self) -> bool:
        """Whether the verdict is ``PROVED``: a rigorous result for this instance."""
        return self is Verdict.PROVED

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"
    TESTED = "TESTED"
