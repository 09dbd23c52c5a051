"""What the words about a case are made from: its steps and statements with their verdicts, wherever they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from verifier.verdict import Verdict


class FoundStep(Protocol):
    """A step of what was asked for, such as `verifier.outcome.Step`."""

    @property
    def key(self) -> str:
        """What it is about: ``rank``, ``zero_loss``, ``path``, another loss's name."""

    @property
    def label(self) -> str:
        """By which method or statement it was decided, such as ``R1``."""

    @property
    def verdict(self) -> Verdict:
        """Whether what it is about was PROVED, REFUTED or left UNDECIDED."""

    @property
    def reason(self) -> str:
        """Why the verdict is as it is, in one sentence."""

    @property
    def seconds(self) -> float:
        """How many seconds the step took."""


class FoundStatement(Protocol):
    """A statement of the theory with its verdict, such as `verifier.statements.theorem.TheoremStep`."""

    @property
    def label(self) -> str:
        """Its label, such as ``T3.4(2)``."""

    @property
    def title(self) -> str:
        """Its name, after its place in the paper."""

    @property
    def verdict(self) -> Verdict:
        """Whether the statement is PROVED, REFUTED, UNDECIDED or TESTED here."""

    @property
    def reason(self) -> str:
        """Why the verdict is as it is, in one sentence."""

    @property
    def rests_on(self) -> Sequence[str]:
        """Labels of the statements without which it would not be PROVED."""

    @property
    def applies(self) -> bool:
        """Whether it says anything of this problem; if not, its verdict means nothing."""


class Found(Protocol):
    """What was found of a case: `verifier.outcome.Report` and `verifier.run.record.CaseRecord` are such."""

    @property
    def steps(self) -> Sequence[FoundStep]:
        """The steps that were asked for, in order."""

    @property
    def statements(self) -> Sequence[FoundStatement]:
        """All statements, or none where they were not asked for."""

    @property
    def expected(self) -> Mapping[str, Verdict]:
        """The verdicts that the case expects, by key or label."""

    @property
    def weight_decay(self) -> str:
        """Which loss the statements are about where weight decay is stated; empty where none is."""

    @property
    def remains(self) -> Sequence[str]:
        """What can be proved although the paper's assumption fails, where that is missed."""

    @property
    def attempts(self) -> Sequence[str]:
        """What was tried for the rank, and how long it took."""

    @property
    def sigma_lower(self) -> float:
        """A proved lower bound of the smallest singular value of Psi(U), or 0."""

    @property
    def failure(self) -> str:
        """Why there are no verdicts; empty where there are."""


def step(found: Found, key: str) -> FoundStep | None:
    """The step with this key, None if it was not asked for."""
    return next((each for each in found.steps if each.key == key), None)


def statement_verdict(found: Found, label: str) -> Verdict | None:
    """The verdict of a statement, None if it was not asked for or does not apply."""
    return next((each.verdict for each in found.statements if each.label == label and each.applies), None)
