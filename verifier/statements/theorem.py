"""What was found of every statement for one problem, and the proofs that a certificate can carry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from verifier.balls.exact import Dyadic
from verifier.display import Card, Decided, Judged, Shown, Table, count, joined, listed, wrapped
from verifier.landscape.escape_separate import GatewayResult
from verifier.landscape.gradient_descent import DescentResult
from verifier.landscape.interpolant import Interpolant
from verifier.landscape.neighbourhood import BallResult
from verifier.landscape.pointwise import CurvatureResult, GradientResult
from verifier.landscape.sink_start import SinkStart
from verifier.landscape.turning_layer import NoMaximum
from verifier.landscape.weight_decay import WeightDecay
from verifier.rank.deficiency import Deficiency
from verifier.rank.every_data import EveryDataSet
from verifier.rank.given_data import GivenData
from verifier.rank.jacobian_rank import JacobianRank
from verifier.rank.memorisation import Memorisation
from verifier.rank.sink import Sink
from verifier.rank.witness import WitnessResult
from verifier.statements.groups import grouped, placed
from verifier.statements.statement import Statement
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class TheoremStep(Decided):
    """A statement on this instance: verdict, reason, the labels it rests on, whether it applies here at all.

    ``own_name`` stands for the statement's where that says more than was found.
    """

    statement: Statement
    verdict: Verdict
    reason: str
    rests_on: tuple[str, ...] = ()
    applies: bool = True
    own_name: str = ""

    @property
    def label(self) -> str:
        """The label of the statement, such as ``T3.4(2)``."""
        return self.statement.label

    @property
    def title(self) -> str:
        """The name of what was found, after its place in the paper."""
        return self.statement.called(self.name)

    @property
    def name(self) -> str:
        """What was found, in few words: the statement's name, or a narrower one."""
        return self.own_name or self.statement.name

    @property
    def shown(self) -> str:
        """The verdict, or ``-`` where the statement does not apply."""
        return str(self.verdict) if self.applies else "-"


def inapplicable(names: Iterable[tuple[str, str]]) -> str:
    """Labels and names of the statements that do not apply, in one sentence; empty if all apply.

    Parameters
    ----------
    names
        Label and name of each.
    """
    found = [f"{label}: {name.partition(' (')[0]}" for label, name in names]
    return f"Do not apply here: {'; '.join(found)}" if found else ""


@dataclass(repr=False)
class Theorem(Judged, Shown):
    """All steps in the paper's order, and the proofs that a certificate can carry.

    Examples
    --------
    >>> import verifier as vf
    >>> found = vf.verify([[0.0], [1.0]], [0, 1], network=vf.Dense(4, "tanh", skip=True)).theorem
    >>> found.verdict("T3.4(2)")
    <Verdict.PROVED: 'PROVED'>
    >>> print(found.lines()[1].split(":")[0])
    PROVED     L2.1 - Lemma 2.1
    """

    steps: list[TheoremStep] = field(default_factory=list)
    remains: tuple[str, ...] = ()
    witness: WitnessResult | None = None
    deficiency: Deficiency | None = None
    every_data_set: EveryDataSet | None = None
    sink: Sink | None = None
    sink_start: SinkStart | None = None
    given_data: GivenData | None = None
    ball: BallResult | None = None
    gradient: GradientResult | None = None
    curvature: CurvatureResult | None = None
    descent: DescentResult | None = None
    no_maximum: NoMaximum | None = None
    gateway: GatewayResult | None = None
    rank_radius: Dyadic | None = None
    rank_ball: Dyadic | None = None
    weight_decay: WeightDecay | None = None
    memorisation: Memorisation | None = None
    jacobian_rank: JacobianRank | None = None
    jacobian_everywhere: bool = False
    interpolant: Interpolant | None = None

    def _card(self) -> Card:
        rows = tuple((step.label, step.shown, f"{step.title}: {step.reason}") for step in self.steps)
        applying = [step for step in self.steps if step.applies]
        others = [f"{step.label} {step.verdict}" for step in applying if not step.proved]
        known = f"{len(applying) - len(others)} of the {count(len(applying), 'statement')}"
        sentence = f"{known} that apply to this instance are PROVED"
        values = (("not proved", joined(others, 12)),) if others else ()
        table = Table("The proof, statement by statement", ("label", "verdict", "statement and reason"), rows)
        return Card("The proof, step by step", None, sentence, values, (table,))

    def __str__(self) -> str:
        """Every statement that applies with its verdict and reason, then the names of the others."""
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Statements that apply with verdict, name and reason, then the names of the others, in lines for a terminal.

        Why a statement does not apply is in its step's `reason`.
        """
        lines: list[str] = []
        for heading, steps in grouped([step for step in self.steps if step.applies], placed):
            rows = [(step.shown, f"{step.label} - {step.title}: {step.reason}") for step in steps]
            lines += [f"{heading}:", *listed(rows)]
        others = inapplicable((s.label, s.statement.name) for s in self.steps if not s.applies)
        return [*lines, *wrapped(others)]

    @property
    def proved(self) -> bool:
        """Whether every statement that applies to this instance is PROVED."""
        return all(step.proved for step in self.steps if step.applies)

    def verdict(self, label: str) -> Verdict | None:
        """The verdict of a statement, None if it does not apply.

        Parameters
        ----------
        label : str
            Of the statement, such as ``"T3.4(2)"``.
        """
        return next((step.verdict for step in self.steps if step.label == label and step.applies), None)
