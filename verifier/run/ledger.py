"""The ledger of a run: one SQLite row per job, so that a run which was killed goes on where it stopped.

A job is a case of a suite or a run of an experiment. A row's key is a digest of everything that the outcome depends on
(`job_key`); a row without a record is a job that was begun. Records are structs of whatever type the jobs have, kept
as MessagePack, which has every binary64 number, NaN included. One run at a time writes a ledger (a lock that ends with
the process); shards have ledgers of their own, and the whole run takes over the rows of shards that are finished.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import platform
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO, TypeVar

import flint
import msgspec
import numpy as np
import scipy

import verifier
from verifier.errors import InputError

Record = TypeVar("Record", bound=msgspec.Struct)

APPLICATION, FORMAT = 0x76657266, 1
"""SQLite's application_id ("verf") and user_version of a ledger."""

_SCHEMA = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {FORMAT};
CREATE TABLE IF NOT EXISTS run(id TEXT NOT NULL, finished INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS cases(
  key TEXT PRIMARY KEY, name TEXT NOT NULL, executions INTEGER NOT NULL, record BLOB, finished INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS absorbed(id TEXT PRIMARY KEY) WITHOUT ROWID;
COMMIT;
"""


def versions() -> dict[str, str]:
    """Names and versions of what computes."""
    return {
        "verifier": verifier.__version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "SciPy": scipy.__version__,
        "python-flint": flint.__version__,
        "FLINT": flint.__FLINT_VERSION__,
    }


@cache
def environment() -> str:
    """Digest of what computes: this package's version and sources, Python, NumPy, SciPy, python-flint and FLINT."""
    root = Path(verifier.__file__).parent
    sources = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        content = file.read_bytes()
        sources.update(f"{file.relative_to(root)} {len(content)}\n".encode() + content)
    return digest(json.dumps([sources.hexdigest(), versions()]).encode())


def digest(content: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def job_key(*parts: object) -> str:
    """Digest of everything that a job's outcome depends on.

    Parameters
    ----------
    *parts
        Plain values that JSON has, in a fixed order; `environment` is added to them.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    return digest(json.dumps([environment(), *parts]).encode())


class Ledger:
    """An open ledger that this process alone writes; made by `open_ledger`.

    Parameters
    ----------
    path
        The SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _said(path):
            self._connection = sqlite3.connect(path, isolation_level=None)
        try:
            with _said(path):
                self._prepare()
        except InputError:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (application, version) != (APPLICATION, FORMAT) and (application or version or tables):
            raise sqlite3.DatabaseError("it is the file of another program or version")
        if self._connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("its pages are damaged")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(_SCHEMA)
        if self._connection.execute("SELECT count(*) FROM run").fetchone()[0] == 0:
            self._connection.execute("INSERT INTO run VALUES (?, 0)", (uuid.uuid4().hex,))

    def close(self) -> None:
        """Close the SQLite file; the lock is that of `open_ledger`."""
        self._connection.close()

    @property
    def run(self) -> tuple[str, bool]:
        """The run's identity, and whether it is finished."""
        with _said(self.path):
            identity, finished = self._connection.execute("SELECT id, finished FROM run").fetchone()
        return identity, bool(finished)

    def start(self, keys: Iterable[str]) -> None:
        """Go on with the run, or begin a new one if it is finished; forget those jobs that a finished run has done."""
        with _said(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM cases WHERE key = ? AND finished", ((key,) for key in keys))
            self._connection.execute("UPDATE run SET id = ?, finished = 0 WHERE finished", (uuid.uuid4().hex,))
            self._connection.execute("COMMIT")

    def finish(self, keys: Iterable[str]) -> None:
        """Note that the run of these jobs is finished: the next one does them again."""
        with _said(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("UPDATE cases SET finished = 1 WHERE key = ?", ((key,) for key in keys))
            self._connection.execute("UPDATE run SET finished = 1")
            self._connection.execute("COMMIT")

    def begin(self, key: str, name: str) -> None:
        """Count an execution of a job."""
        with _said(self.path):
            self._connection.execute(
                "INSERT INTO cases VALUES (?, ?, 1, NULL, 0)"
                " ON CONFLICT DO UPDATE SET executions = executions + 1, record = NULL",
                (key, name),
            )

    def commit(self, key: str, name: str, record: msgspec.Struct) -> None:
        """Write the record of a job that is done."""
        with _said(self.path):
            self._connection.execute(
                "INSERT INTO cases VALUES (?, ?, 0, ?, 0) ON CONFLICT DO UPDATE SET record = excluded.record",
                (key, name, msgspec.msgpack.encode(record)),
            )

    def records(self, kind: type[Record], keys: Iterable[str]) -> dict[str, Record]:
        """The records of those of the jobs that are done, by key.

        Raises
        ------
        InputError
            A record that is none of this type.
        """
        wanted = set(keys)
        with _said(self.path):
            rows = self._connection.execute("SELECT key, record FROM cases WHERE record IS NOT NULL")
            return {key: msgspec.msgpack.decode(record, type=kind) for key, record in rows if key in wanted}

    def done(self) -> dict[str, str]:
        """The names of all jobs that are done, by key: also those with other sources, versions, data or settings."""
        with _said(self.path):
            return dict(self._connection.execute("SELECT key, name FROM cases WHERE record IS NOT NULL"))

    def absorb(self, *, take: bool = True) -> None:
        """Take over the records of the shards beside this ledger that are finished, each run of a shard once.

        With ``take`` false they only count as taken over.
        """
        for path in sorted(self.path.parent.glob("ledger-*-of-*.sqlite")):
            with ExitStack() as stack:
                try:
                    stack.enter_context(_locked(path))
                except BlockingIOError:
                    continue  # that shard is at work
                shard = stack.enter_context(closing(Ledger(path)))
                identity, finished = shard.run
                if finished and not self._knows(identity):
                    with _said(self.path):
                        done = "SELECT key, name, executions, record, 0 FROM cases WHERE record IS NOT NULL"
                        rows = shard._connection.execute(done).fetchall() if take else []
                        upsert = "ON CONFLICT DO UPDATE SET record = excluded.record"
                        self._connection.execute("BEGIN IMMEDIATE")
                        self._connection.executemany(f"INSERT INTO cases VALUES (?, ?, ?, ?, ?) {upsert}", rows)
                        self._connection.execute("INSERT INTO absorbed VALUES (?)", (identity,))
                        self._connection.execute("COMMIT")

    def _knows(self, identity: str) -> bool:
        with _said(self.path):
            return self._connection.execute("SELECT 1 FROM absorbed WHERE id = ?", (identity,)).fetchone() is not None


@contextmanager
def open_ledger(
    out: Path, shard: tuple[int, int] | None, keys: Iterable[str] = (), *, fresh: bool = False
) -> Iterator[Ledger]:
    """Open the ledger of a run in the folder of its results: an unfinished run is gone on with.

    Parameters
    ----------
    out : Path
        The folder; made if it is missing.
    shard : (int, int) or None
        Part i of n of the run; a shard has a ledger of its own, which the whole run takes over.
    keys : iterable of str, optional
        The jobs that start over if the run that has done them is finished.
    fresh : bool, optional
        Discard the ledger that is there.

    Yields
    ------
    Ledger

    Raises
    ------
    InputError
        If the folder cannot be written, another run is using the ledger, or the file is no ledger; nothing is deleted
        then.
    """
    path = out / f"ledger{suffix(shard)}.sqlite"
    with ExitStack() as stack:
        try:
            out.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_locked(path))
            if fresh:
                for ending in ("", "-wal", "-shm"):
                    path.with_name(path.name + ending).unlink(missing_ok=True)
        except BlockingIOError:
            raise InputError(
                f"another run is at work in {out}; wait for it, or choose another folder with --out"
            ) from None
        except OSError as error:
            raise InputError(f"cannot write {out}: {error.strerror}; choose another folder with --out") from None
        ledger = stack.enter_context(closing(Ledger(path)))
        ledger.start(keys)
        if shard is None:
            ledger.absorb(take=not fresh)
        yield ledger


def suffix(shard: tuple[int, int] | None) -> str:
    """What the names of a shard's files end with: ``-2-of-8``."""
    return "" if shard is None else f"-{shard[0]}-of-{shard[1]}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a ledger; the system releases it when the process ends, however it ends.

    Raises
    ------
    BlockingIOError
        If another process holds it.
    """
    stream: BinaryIO
    with path.with_name(f".{path.stem}.lock").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Say in one line what is wrong with a ledger."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise InputError(
            f"cannot use the ledger {path}: {error}; make room or choose another folder with --out; "
            "what is finished is kept"
        ) from None
    except (sqlite3.DatabaseError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InputError(
            f"{path} is not a ledger that can be read: {error}; move it away, or discard it by --fresh"
        ) from None
