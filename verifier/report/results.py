"""The results of a run as they are read back from results.json: typed, and refused in one line if they are not such."""

from __future__ import annotations

from pathlib import Path

import msgspec

from verifier import __version__
from verifier.certificate.cost import LeftOut
from verifier.data.files import read_regular
from verifier.errors import InputError, one_line
from verifier.run.curve import Curve
from verifier.run.summary import Question

MAX_BYTES = 2**30


class StepEntry(msgspec.Struct, frozen=True):
    """A statement that was computed: its key, label, verdict, reason, seconds."""

    key: str
    label: str
    verdict: str
    reason: str
    seconds: float


class ProofEntry(msgspec.Struct, frozen=True):
    """A step of the proof: the statement, and what was found of it."""

    label: str
    source: str
    title: str
    statement: str
    formula: str
    assumes: str
    how: str
    applies: bool
    verdict: str
    reason: str
    rests_on: tuple[str, ...]


class CheckEntry(msgspec.Struct, frozen=True):
    """The independent checker's answer."""

    verdict: str
    reason: str
    seconds: float


class ErrorEntry(msgspec.Struct, frozen=True):
    """Why a case has no verdicts."""

    kind: str
    message: str


class CaseEntry(msgspec.Struct, frozen=True):
    """A case of a run; see `verifier.run.record.CaseRecord`."""

    name: str
    title: str
    data: str
    understood: str
    start: str
    units: int
    ok: bool
    seconds: float
    steps: tuple[StepEntry, ...]
    theorem: tuple[ProofEntry, ...]
    remains: tuple[str, ...]
    question: Question | None
    curve: Curve | None
    engine: str
    attempts: tuple[str, ...]
    expected: dict[str, str]
    surprises: tuple[str, ...]
    certificate: str | None
    certificate_bytes: int
    certificate_sha256: dict[str, str]
    check: CheckEntry | None
    refusal: str | None
    left_out: tuple[LeftOut, ...]
    error: ErrorEntry | None
    toml: str

    def step(self, key: str) -> StepEntry | None:
        """The computed statement with this key."""
        return next((step for step in self.steps if step.key == key), None)

    def verdict(self, key: str) -> str | None:
        """The verdict of a computed statement."""
        return next((step.verdict for step in self.steps if step.key == key), None)

    def proof(self, label: str) -> str | None:
        """The verdict of a step of the proof, None if it does not apply."""
        return next((step.verdict for step in self.theorem if step.label == label and step.applies), None)


class Results(msgspec.Struct, frozen=True):
    """All cases of a run, versions, seconds, peak memory in bytes of prover and checker."""

    version: str
    versions: dict[str, str]
    seconds: float
    peak_bytes: int
    checker_peak_bytes: int
    cases: tuple[CaseEntry, ...]


class _Version(msgspec.Struct):
    version: str


def read_results(file: Path) -> Results:
    """Read results.json.

    Raises
    ------
    InputError
        If the file is missing, is no results file, or one of another version.
    """
    try:
        content = read_regular(file, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"no results in {file.parent}: {file} is missing; `verifier run --out DIR` makes it") from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from None
    try:
        found = msgspec.json.decode(content, type=_Version).version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(f"{file} is not the results of a run; `verifier run --out DIR` makes them") from None
    if found != __version__:
        raise InputError(
            f"{file} has the results of version {one_line(found)}, this is verifier {__version__}; "
            "use that version, or do the run again"
        )
    try:
        return msgspec.json.decode(content, type=Results)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file} cannot be read as results of this version: {error}; do the run again") from None
