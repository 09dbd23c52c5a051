"""What a statement is: its label and name, what it says and supposes, and the function that decides it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from verifier.display import Decided
from verifier.statements.claims.claim import Claim
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from verifier.statements.evidence import Known

How = Literal["symbolic", "rigorous", "structural", "sampled"]
"""By what means a statement is checked: once, for all problems; by enclosures or exact arithmetic on this problem; from
the architecture and exact equalities; by evidence only.
"""


@dataclass(frozen=True, slots=True)
class Finding(Decided):
    """What was found of a statement for one problem.

    Parameters
    ----------
    verdict, reason
        The verdict, and why.
    rests_on
        Labels of the statements without which it would not be PROVED.
    applies
        Whether the statement says anything of this problem; if not, the verdict is UNDECIDED and means nothing.
    name
        What the statement is to be called here, where its own name says more than was found; else empty.
    """

    verdict: Verdict
    reason: str
    rests_on: tuple[str, ...] = ()
    applies: bool = True
    name: str = ""


def does_not_apply(reason: str) -> Finding:
    """What is found of a statement that says nothing about a problem (W2 without softplus, X1 without duplicates)."""
    return Finding(Verdict.UNDECIDED, reason, (), False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement, the same for all problems.

    Parameters
    ----------
    label
        As in the theory, such as ``"T3.4(2)"``.
    source
        Whose it is: the paper's, or this project's.
    name
        What it is called, in words.
    place
        Where it stands in the paper, such as ``"Theorem 3.4(2)"``; empty if it is this project's.
    sentence, formula
        What it says.
    hypotheses
        What it assumes.
    idea
        How it is proved, in a sentence without a full stop.
    how
        By what means it is checked.
    proved_in, checked_in
        The files of ``verifier/`` that prove it, and those that check its claims anew: none if no certificate holds it.
    prove
        Decides it from what is known of a problem; None if it is about something else, such as two networks.
    command
        The command of ``verifier`` that decides it: another one than ``run`` if it is not decided for every problem.
    may_rest_on
        Labels that a finding may rest on: they are decided before it.
    claims
        The claims of certificates that state it, at this U or on these data.
    regression
        Whether it also speaks of a regression: of Psi(U) alone, or of every convex loss.
    """

    label: str
    source: Literal["paper", "ours"]
    name: str
    sentence: str
    formula: str
    hypotheses: str
    idea: str
    how: How
    prove: Callable[[Known], Finding] | None = None
    command: str = "run"
    place: str = ""
    proved_in: tuple[str, ...] = ()
    checked_in: tuple[str, ...] = ()
    may_rest_on: tuple[str, ...] = ()
    claims: tuple[type[Claim], ...] = ()
    regression: bool = False

    @property
    def title(self) -> str:
        """Its name, after its place in the paper."""
        return self.called(self.name)

    def called(self, name: str) -> str:
        """Another name, after its place in the paper."""
        return f"{self.place}: {name}" if self.place else name

    def __str__(self) -> str:
        """Everything about it, in lines of at most 80 columns."""
        from verifier.statements.listing import in_full  # it lists statements

        return "\n".join(in_full(self))
