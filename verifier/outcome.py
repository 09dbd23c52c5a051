"""What was found out about a problem: verdicts with their reasons, proofs, and the certificate that can be written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.balls.engine import FIRST_BITS
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.certificate.limits import LeftOut, sentence
from verifier.certificate.writable import Writable
from verifier.certificate.writer import CertificateBuilder
from verifier.conclusion import STEPS, conclude, lines, told
from verifier.data.dataset import Dataset
from verifier.display import Card, Decided, Judged, Shown, Table, frame, wrapped
from verifier.errors import InputError, nearest, one_line
from verifier.landscape.escape import EscapeResult
from verifier.landscape.least_error import LeastError
from verifier.landscape.loss_bound import LossBound
from verifier.landscape.loss_path import LossPathResult
from verifier.landscape.path import Path as LossPath
from verifier.landscape.training_errors import TrainingErrors
from verifier.landscape.zero_loss import ZeroLoss
from verifier.network.network import Array, Network
from verifier.problem import Problem, with_decay
from verifier.rank.result import RankResult
from verifier.statements.catalogue import OF_A_PROBLEM, STATEMENTS
from verifier.statements.downhill_path import TO_A_LOSS
from verifier.statements.theorem import Theorem, TheoremStep
from verifier.verdict import Verdict

if TYPE_CHECKING:
    import pandas

KEYS = {
    "rank": "full rank at this U",
    "zero_loss": "zero training error",
    "path": "a path towards the infimum of the loss",
    "generic": "full rank at almost every U",
}
"""The verdicts that matter most, in words."""
OTHER_KEYS = ("analytic", "features")


@dataclass(frozen=True, slots=True)
class Step(Decided):
    """One line of the verdict table: which statement, what was found, why, and how long it took (seconds)."""

    key: str
    label: str
    verdict: Verdict
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, repr=False)
class Report(Judged, Shown, Writable):
    """What was found out about a problem: verdicts, proofs, and the certificate that can be written.

    Parameters
    ----------
    problem : Problem
        What it is about.
    steps : tuple of Step
        What was asked for: each step's verdict, reason and seconds.
    rank : RankResult
        Full row rank of Psi(U) (R1-R6): ``rank.sigma_lower`` is the proved bound of sigma_N, or 0.
    zero_loss : ZeroLoss or None
        Zero training error (Z1), None if labels conflict or no path was asked for.
    descent : Path or None
        The path of P1 from the start itself.
    escape : EscapeResult or None
        The way out of the start (E1-E4), None if P1 begins there.
    near_infimum : LossPathResult or None
        Where labels conflict: the path to near the positive infimum.
    proof : Theorem or None
        All statements; None if they were not asked for.
    engine : str
        What proved, in words.
    builder : CertificateBuilder
        The claims that the certificate makes.

    Examples
    --------
    >>> import verifier as vf
    >>> report = vf.verify([[0.0], [1.0], [2.0]], [0, 1, 0], vf.Dense(4, "tanh", skip=True))
    >>> report.proved, report.verdict("T3.4(2)")
    (True, <Verdict.PROVED: 'PROVED'>)
    >>> [step.label for step in report.steps]
    ['analytic', 'Psi', 'R1', 'Z1', 'P1']
    >>> print(vf.at_least(report.rank.sigma_lower, 3))  # of the smallest singular value of Psi(U)
    0.051
    """

    problem: Problem
    steps: tuple[Step, ...]
    rank: RankResult
    zero_loss: ZeroLoss | None
    descent: LossPath | None
    escape: EscapeResult | None
    near_infimum: LossPathResult | None
    proof: Theorem | None
    engine: str
    builder: CertificateBuilder
    left_out: tuple[LeftOut, ...] = ()
    """What is proved but not in the certificate, because checking it would be too expensive."""
    errors: TrainingErrors | None = None
    """Samples that the start's (U, V) misclassifies, and its loss; None if labels conflict or no path was asked for."""
    loss_bound: LossBound | LeastError | None = None
    """Bounds of the infimum over all V of the loss at this U, the lower one above 0; None if none is known."""

    @property
    def has_path(self) -> bool:
        """Whether `path` is there: a path from the start to loss 0 was certified."""
        return self._certified is not None

    @property
    def path(self) -> LossPath:
        """The path from the start's own (U, V) to loss 0, legs of an escape included; ask `has_path` before.

        Raises
        ------
        InputError
            None was certified, for the reason given, or none was asked for.
        """
        if self._certified is not None:
            return self._certified
        step = next((step for step in self.steps if step.key == "path"), None)
        if step is None:
            raise InputError("report.path: no path was asked for; add 'path' to the parts")
        if self.near_infimum is not None and self.near_infimum.proved:
            raise InputError(
                f"report.path: no path to loss 0; that to the infimum is report.near_infimum: {step.reason}"
            )
        raise InputError(f"report.path: none was certified, ask report.has_path first: {step.reason}")

    @property
    def _certified(self) -> LossPath | None:
        leaves = None if self.escape is None else self.escape.escape
        return self.descent if leaves is None else leaves.path

    @property
    def theorem(self) -> Theorem:
        """The paper's statements, one by one.

        Raises
        ------
        InputError
            They were not asked for.
        """
        if self.proof is None:
            raise InputError("the statements were not asked for; add 'theorem' to the parts")
        return self.proof

    @property
    def statements(self) -> tuple[TheoremStep, ...]:
        """The paper's statements, one by one; none where they were not asked for."""
        return () if self.proof is None else tuple(self.proof.steps)

    @property
    def expected(self) -> dict[str, Verdict]:
        """No verdict is expected: case files alone say what they expect."""
        return {}

    @property
    def weight_decay(self) -> str:
        """Which loss the statements are about where weight decay is stated; empty where none is."""
        return with_decay(self.problem.weight_decay)

    @property
    def remains(self) -> tuple[str, ...]:
        """What can be proved although A3.1 fails; nothing where T3.4(2) is proved, and A3.1 is not missed."""
        if self.proof is None or self.proof.verdict("T3.4(2)") is Verdict.PROVED:
            return ()
        holds = all(self.proof.verdict(f"A3.1({part})") is Verdict.PROVED for part in (1, 2, 3))
        return () if holds else self.proof.remains

    @property
    def attempts(self) -> tuple[str, ...]:
        """What was tried for the rank, and how long it took."""
        return tuple(self.rank.attempts)

    @property
    def sigma_lower(self) -> float:
        """A proved lower bound of the smallest singular value of Psi(U), or 0: that of `rank`."""
        return self.rank.sigma_lower

    @property
    def failure(self) -> str:
        """Why there are no verdicts: there are."""
        return ""

    @property
    def data(self) -> Dataset:
        """The samples that Psi has rows for: the distinct ones."""
        return self.problem.rows

    @property
    def network(self) -> Network:
        """The network that the verdicts are about."""
        return self.problem.network

    @property
    def u(self) -> Array:
        """The hidden parameters U, shape (p,)."""
        return self.problem.u

    @property
    def v(self) -> Array:
        """The output weights V, shape (M, m)."""
        return self.problem.v

    @property
    def features(self) -> FeatureEnclosure:
        """Psi(U), shape (N, M), enclosed by Arb at 64 bits: for `singular_values`, pictures, proofs of your own."""
        return FeatureEnclosure(self.network, self.u, self.data.inputs, FIRST_BITS, offset=self.data.offset)

    @property
    def proved(self) -> bool:
        """Whether every step that was asked for is PROVED."""
        return all(step.verdict is Verdict.PROVED for step in self.steps)

    def verdict(self, name: str) -> Verdict | None:
        """The verdict of a step or statement.

        Parameters
        ----------
        name : str
            ``"rank"``, ``"zero_loss"``, ``"path"``, ``"generic"`` (full rank at almost every U), another loss's name,
            or a label of the theory such as ``"T3.4(2)"``.

        Returns
        -------
        Verdict or None
            None if the statement does not apply to this problem, or was not asked for.

        Raises
        ------
        InputError
            There is no such step or statement.
        """
        found = {step.key: step.verdict for step in self.steps}
        if name in found:
            return found[name]
        label = "L3.2 genericity" if name == "generic" else name
        if label in OF_A_PROBLEM:
            return None if self.proof is None else self.proof.verdict(label)
        known = dict.fromkeys([*found, *KEYS, *OTHER_KEYS, *self.problem.losses, *STATEMENTS])
        if name in known:
            return None
        raise InputError(f"verdict({one_line(name)}): no such step or statement; {nearest(str(name), list(known))}")

    def to_frame(self) -> pandas.DataFrame:
        """Make a table with a row for each step and then for each statement.

        Returns
        -------
        pandas.DataFrame
            Columns: ``label``; ``name``, in words; ``verdict``, as text; ``reason``; ``rests_on``, labels joined by
            commas; ``applies``, false where a statement says nothing about this problem (its verdict then means
            nothing); ``seconds``, of the steps only.

        Raises
        ------
        InputError
            The package pandas is not installed.

        Examples
        --------
        >>> import verifier as vf
        >>> table = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True)).to_frame()
        >>> table.loc[table.applies & (table.label == "T3.4(2)"), ["name", "verdict"]].values.tolist()
        [['no bad local valley', 'PROVED']]
        """
        rows: list[tuple[object, ...]] = []
        for step, line in zip(self.steps, lines(self, verbose=True)[0][1], strict=True):
            rows.append((step.label, line.words, str(step.verdict), step.reason, "", True, step.seconds))
        for each in () if self.proof is None else self.proof.steps:
            rests = ", ".join(each.rests_on)
            rows.append((each.label, each.name, str(each.verdict), each.reason, rests, each.applies, math.nan))
        return frame(("label", "name", "verdict", "reason", "rests_on", "applies", "seconds"), rows)

    def __str__(self) -> str:
        """The text of `summary`, so that ``print(report)`` begins with the conclusion."""
        return self.summary()

    def summary(self, *, verbose: bool = False) -> str:
        """What was found, conclusion first: then what it is about, and a line a statement with its label.

        Parameters
        ----------
        verbose : bool, optional
            Whether to give every reason, too, and what does not apply: as ``verifier run -v``.

        Returns
        -------
        str
            Lines of at most 80 columns.

        Examples
        --------
        >>> import verifier as vf
        >>> report = vf.verify([[0.0], [1.0]], [0, 1], vf.Dense(4, "tanh", skip=True))
        >>> print(report.summary())  # doctest: +ELLIPSIS
        data
        PROVED     this loss landscape has no bad local valley; from this start (U, V) a
                   continuous path on which the cross-entropy strictly decreases leads
                   to loss 0.
        ...
        PROVED     no bad local valley (T3.4(2))
        ...
        """
        about, title = [("problem", self._about), *self.said], self.problem.title or self.problem.name
        texts = [text for _, text in told(self, title, [*about, ("engine", self.engine)], verbose=verbose)]
        return "\n".join([*texts, *wrapped(sentence(self.left_out))])

    @property
    def _about(self) -> str:
        return f"{self.problem.words}; {self.network.size_words}"

    @property
    def said(self) -> list[tuple[str, str]]:
        """What is known before anything is proved, by name: the data's file, the start, its errors, weight decay."""
        errors = "" if self.errors is None else self.errors.reason
        pairs = (
            ("data", self.problem.data.understood),
            ("start", self.problem.start),
            ("training errors", errors),
            ("weight decay", self.weight_decay),
        )
        return [(key, said) for key, said in pairs if said]

    def _card(self) -> Card:
        steps = (step for heading, own in lines(self, verbose=True) if heading in STEPS for step in own)
        rows = tuple((str(line.verdict), line.text, line.reason) for line in steps)
        tables = [Table("Step by step", ("verdict", "statement", "reason"), rows, True)]
        tables += [] if self.proof is None else self.proof._card().tables
        found = [(words, self.verdict(key)) for key, words in KEYS.items()]
        found = [(TO_A_LOSS if pair == (KEYS["path"], Verdict.REFUTED) else pair[0], pair[1]) for pair in found]
        values = [("problem", self._about), *((words, str(verdict)) for words, verdict in found if verdict is not None)]
        values += [*self.said, ("engine", self.engine)]
        title, conclusion = f"What was found: {self.problem.title or self.problem.name}", conclude(self)
        return Card(title, conclusion.verdict, conclusion.sentence, tuple(values), tuple(tables))
