"""What is known of a case when it is done, as plain data: for the table, results.json, the ledger, other processes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from verifier import __version__
from verifier.certificate.check_process import CheckerVerdict
from verifier.certificate.files import atomic_write
from verifier.certificate.limits import LeftOut
from verifier.display import frame
from verifier.errors import CertificateError
from verifier.outcome import Report, Step
from verifier.run.case import Case
from verifier.run.curve import Curve
from verifier.run.summary import ProblemSummary
from verifier.statements.theorem import TheoremStep
from verifier.verdict import Verdict

if TYPE_CHECKING:
    import pandas

CERTIFICATES = "certificates"
"""Folder of the certificates below the folder of the results."""

ASKED = ("rank", "zero_loss", "path")
"""The steps whose verdict decides the exit code where nothing is expected."""

FRAME = ("case", "N", "M", "sigma_lower", *ASKED, "no_bad_valley", "check", "ok", "seconds", "error")
"""Columns of a run's table."""


class Failure(msgspec.Struct, frozen=True):
    """Why a case has no verdicts: unusable input, memory, a worker that died, an error of this program."""

    kind: Literal["input", "memory", "worker", "internal"]
    message: str


class StatementRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of the proof, in words and as a formula, and what was found of it.

    ``title`` names what was found: less than the statement where less was found.

    ``source`` is ``paper`` or this project's, ``how`` says how it is checked, ``assumes`` what the theory supposes.
    """

    label: str
    source: str = ""
    title: str = ""
    statement: str = ""
    formula: str = ""
    assumes: str = ""
    how: str = ""
    applies: bool
    verdict: Verdict
    reason: str = ""
    rests_on: tuple[str, ...] = ()

    @classmethod
    def of(cls, step: TheoremStep) -> StatementRecord:
        """What is kept of a step of the proof."""
        said = step.statement
        return cls(
            label=step.label,
            source=said.source,
            title=step.title,
            statement=said.sentence,
            formula=said.formula,
            assumes=said.hypotheses,
            how=said.how,
            applies=step.applies,
            verdict=step.verdict,
            reason=step.reason,
            rests_on=tuple(step.rests_on),
        )


class ErrorsRecord(msgspec.Struct, frozen=True):
    """How many samples the given (U, V) certainly misclassifies and classifies, equal ones counted; in words, too."""

    wrong: int
    right: int
    total: int
    reason: str


class CheckRecord(CheckerVerdict, msgspec.Struct, frozen=True):
    """The independent checker's answer for the case's certificate, as `Checked` gives it, and its seconds."""

    verdict: str
    reason: str
    seconds: float


class CaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A case that is done: its verdicts, its certificate (relative to the results' folder) and the checker's answer.

    The same struct goes to the ledger and to results.json, and the report reads it back.

    ``units`` is M, the columns of Psi, of which the last may be an output bias. ``sigma_lower`` is a proved lower
    bound of sigma_N(Psi(U)), or 0. ``understood`` says how the
    data's file was read, ``start`` where weights come from, ``weight_decay`` which loss the statements are about if one
    with weight decay is trained, ``errors`` what the start's (U, V) misclassifies.
    ``summary`` says what was asked, ``curve`` encloses the loss along the path. ``sha256`` holds the
    digests of the certificate's two files by suffix, ``toml`` the case as a case file of its own, ``refusal`` why there
    is no certificate although something was proved, ``left_out`` what was proved and is too expensive to check.
    ``error`` is set if there is nothing else.
    """

    name: str
    title: str
    data: str = ""
    understood: str = ""
    start: str = ""
    weight_decay: str = ""
    errors: ErrorsRecord | None = None
    units: int = 0
    output_bias: bool = False
    sigma_lower: float = 0.0
    seconds: float = 0.0
    steps: tuple[Step, ...] = ()
    theorem: tuple[StatementRecord, ...] = ()
    remains: tuple[str, ...] = ()
    summary: ProblemSummary | None = msgspec.field(default=None, name="question")
    curve: Curve | None = None
    engine: str = ""
    attempts: tuple[str, ...] = ()
    expected: dict[str, Verdict] = {}
    surprises: tuple[str, ...] = ()
    certificate: str | None = None
    certificate_bytes: int = 0
    sha256: dict[str, str] = msgspec.field(default_factory=dict, name="certificate_sha256")
    check: CheckRecord | None = None
    refusal: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    error: Failure | None = None
    toml: str

    @property
    def statements(self) -> tuple[StatementRecord, ...]:
        """All statements of the proof, or none where they were not asked for."""
        return self.theorem

    @property
    def failure(self) -> str:
        """Why the case has no verdicts; empty where it has."""
        return "" if self.error is None else self.error.message

    def step(self, key: str) -> Step | None:
        """The step with this key, None if it was not asked for."""
        return next((step for step in self.steps if step.key == key), None)

    def statement(self, label: str) -> Verdict | None:
        """The verdict of a statement of the proof, None if it does not apply."""
        return next((step.verdict for step in self.theorem if step.label == label and step.applies), None)

    def verdict(self, key: str) -> Verdict | None:
        """The verdict of the step with this key."""
        step = self.step(key)
        return None if step is None else step.verdict

    @property
    def checked(self) -> bool:
        """Whether the checker has come to an end, or has nothing to check; if not, the next run asks it again."""
        return self.certificate is None or (self.check is not None and self.check.answered)

    @property
    def ok(self) -> bool:
        """Whether every verdict is as expected and the certificate, if any, was not refused."""
        refused = self.check is not None and self.check.refused
        return self.error is None and not self.surprises and not refused

    @property
    def exit_code(self) -> int:
        """0 as expected or proved; 1 refuted, rejected, unexpected, crashed; 2 bad input; 3 undecided or unchecked.

        Unchecked is a certificate that was too expensive to check under the checker's limits.
        """
        if self.error is not None:
            return 2 if self.error.kind == "input" else 1
        if not self.ok:
            return 1
        open_questions = {s.verdict for s in self.steps if s.key in ASKED and s.key not in self.expected}
        if Verdict.REFUTED in open_questions:
            return 1
        unchecked = self.check is not None and not self.check.answered
        return 3 if unchecked or Verdict.UNDECIDED in open_questions else 0


class SuiteResult(msgspec.Struct, frozen=True, kw_only=True):
    """A run of several cases: their records in order, wall time in seconds, peak memory of prover and checker in bytes.

    ``from_ledger`` of the records were there already. results.json holds it, with the exit code beside it.
    """

    version: str = __version__
    versions: dict[str, str] = {}
    seconds: float = 0.0
    peak_bytes: int = 0
    checker_peak_bytes: int = 0
    from_ledger: int = 0
    records: tuple[CaseRecord, ...] = msgspec.field(default=(), name="cases")

    @property
    def exit_code(self) -> int:
        """The worst of the cases' exit codes: 1 before 2 before 3 before 0."""
        return min((record.exit_code for record in self.records), key=(1, 2, 3, 0).index, default=0)

    def to_frame(self) -> pandas.DataFrame:
        """Make a table with a row for each case.

        Returns
        -------
        pandas.DataFrame
            Columns: ``case``, its name; ``N`` and ``M``, the samples and columns of Psi; ``sigma_lower``, a proved
            lower bound of sigma_N, or 0; the verdicts, as text, ``rank``, ``zero_loss``, ``path`` and ``no_bad_valley``
            (T3.4(2)), None where none is known; ``check``, the checker's answer; ``ok``, whether all is as expected;
            ``seconds``; ``error``, why a case has no verdicts.

        Raises
        ------
        InputError
            The package pandas is not installed.
        """
        return frame(FRAME, map(_row, self.records))


def _row(case: CaseRecord) -> tuple[object, ...]:
    verdicts = [case.verdict(key) for key in ASKED] + [case.statement("T3.4(2)")]
    rows = None if case.summary is None else case.summary.rows
    check = None if case.check is None else case.check.verdict
    error = None if case.error is None else case.error.message
    words = [None if verdict is None else str(verdict) for verdict in verdicts]
    return (case.name, rows, case.units, case.sigma_lower, *words, check, case.ok, case.seconds, error)


def record_of(report: Report, case: Case, name: str, toml: str, seconds: float) -> CaseRecord:
    """Make the record of a case that has been proved; its certificate is added when it is written.

    Parameters
    ----------
    report : Report
        What was found.
    case : Case
        The case: its title, and what it expects.
    name : str
        The case's name among those of its run.
    toml : str
        The case as a case file of its own.
    seconds : float
        Wall time of the proof.
    """
    theorem, errors = report.proof, report.errors
    return CaseRecord(
        name=name,
        title=case.file.title,
        toml=toml,
        data=report.problem.words,
        understood=report.problem.data.understood,
        start=report.problem.start,
        weight_decay=report.weight_decay,
        errors=None if errors is None else ErrorsRecord(errors.wrong, errors.right, errors.total, errors.reason),
        units=report.network.skip_count,
        output_bias=report.network.output_bias,
        sigma_lower=report.rank.sigma_lower,
        engine=report.engine,
        steps=tuple(replace(step, seconds=round(step.seconds, 3)) for step in report.steps),
        theorem=() if theorem is None else tuple(map(StatementRecord.of, theorem.steps)),
        remains=report.remains,
        attempts=report.attempts,
        expected=dict(case.expected),
        surprises=tuple(surprises(report, case)),
        seconds=seconds,
        left_out=report.left_out,
    )


def surprises(report: Report, case: Case) -> list[str]:
    """Expectations of the case that were not met."""
    return [
        f"{key}: expected {wanted}, got {'nothing' if report.verdict(key) is None else report.verdict(key)}"
        for key, wanted in case.expected.items()
        if report.verdict(key) is not wanted
    ]


def store_certificate(out: Path, name: str, document: bytes, arrays: bytes) -> tuple[str, dict[str, str]]:
    """Write a certificate's two files so that a document is never seen with arrays that are not its own.

    Parameters
    ----------
    out : Path
        The folder of the results.
    name : str
        The case's name among those of its run.
    document, arrays : bytes
        What the JSON file and the safetensors file hold.

    Returns
    -------
    (str, dict)
        The document's path relative to ``out``, and the digests of both files.

    Raises
    ------
    CertificateError
        If the folder cannot be written.
    """
    target = out / CERTIFICATES / f"{name}.json"
    digests = {".json": hashlib.sha256(document).hexdigest(), ".safetensors": hashlib.sha256(arrays).hexdigest()}
    if file_digest(target.with_suffix(".safetensors")) != digests[".safetensors"]:
        try:
            target.unlink(missing_ok=True)
        except OSError as error:
            raise CertificateError(
                f"cannot write {target}: {error.strerror}; choose another folder with --out"
            ) from None
        atomic_write(target.with_suffix(".safetensors"), arrays)
    atomic_write(target, document)
    return f"{CERTIFICATES}/{name}.json", digests


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file, None if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def intact(record: CaseRecord, out: Path) -> bool:
    """Whether the certificate's files below ``out`` are what was recorded, byte by byte."""
    if record.certificate is None:
        return True
    target = out / record.certificate
    digests = record.sha256.items()
    return bool(digests) and all(file_digest(target.with_suffix(suffix)) == digest for suffix, digest in digests)


def as_json(record: CaseRecord, out: Path) -> dict[str, Any]:
    """The record as an entry of results.json: its fields, and what follows from them for readers of the file.

    Parameters
    ----------
    record : CaseRecord
        The case.
    out : Path
        The folder of the results: the certificate's place is named with it.

    Returns
    -------
    dict
        Plain JSON values.
    """
    place = None if record.certificate is None else str(out / record.certificate)
    shown = msgspec.structs.replace(record, certificate=place, seconds=round(record.seconds, 3))
    entry: dict[str, Any] = msgspec.to_builtins(shown)
    for left, words in zip(record.left_out, entry["left_out"], strict=True):
        words["what"] = left.what
    return {"ok": record.ok, "verdicts": {step.key: str(step.verdict) for step in record.steps}, **entry}


def to_json(result: SuiteResult, out: Path) -> dict[str, Any]:
    """The result of a run as the document that results.json is.

    Parameters
    ----------
    result : SuiteResult
        All cases.
    out : Path
        The folder of the results.

    Returns
    -------
    dict
        Plain JSON values; `verifier.report.results.read_results` makes a `SuiteResult` of them again.
    """
    shown = msgspec.structs.replace(result, seconds=round(result.seconds, 3), records=())
    cases = [as_json(record, out) for record in result.records]
    document: dict[str, Any] = msgspec.to_builtins(shown)
    return document | {"exit_code": result.exit_code, "cases": cases}
