"""The folder where R2 keeps its tiles: whom it belongs to, how the matrix is cut there, and the room on its disk."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from verifier.certificate.arrays import ArrayStore
from verifier.certificate.description import describe_network
from verifier.errors import InputError
from verifier.network.network import Array
from verifier.network.nodes import Constant
from verifier.problem import Problem
from verifier.rank.gram_matrix import plan
from verifier.rank.tiles.folder import TileFolder, whole_file
from verifier.rank.tiles.layout import Layout, layout
from verifier.run.ledger import job_key

MEMORY_GIB = 3.0
"""What a task may take beside the samples and the weights, unless another limit is asked for."""

PROBLEM = "problem.json"
"""The file that says what a work folder belongs to."""

SPARE = 1.02
"""Part of the disk that the tiles take with their records."""


class Identity(msgspec.Struct, frozen=True):
    """What a work folder belongs to, and how the matrix is cut there; ``token`` tells this folder from its copies."""

    key: str
    samples: int
    columns: int
    block: int
    width: int
    per: int
    token: str

    @property
    def cut(self) -> Layout:
        """The blocks and tiles into which rows and columns are cut."""
        return Layout(plan(self.samples, self.columns, block=self.block, width=self.width), self.per)

    @property
    def owner(self) -> str:
        """Digest of all but the token: whose tiles count, even where this file was removed or replaced."""
        return job_key(*msgspec.structs.astuple(self)[:-1])


def problem_key(problem: Problem) -> str:
    """Digest of everything that a Gram matrix depends on: samples, network, U, sources and versions.

    Parameters
    ----------
    problem : Problem
        Whose Psi is meant.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    network = problem.network
    fixed = [_digest(node.values) for node in network.nodes if isinstance(node, Constant)]
    words = msgspec.json.encode(describe_network(ArrayStore(), network, None), enc_hook=repr).decode()
    return job_key(words, fixed, _digest(problem.u), _digest(problem.rows.inputs))


def _digest(values: Array) -> str:
    content = np.ascontiguousarray(values)
    return f"{content.shape} {hashlib.sha256(content.data.cast('B')).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Work:
    """An open work folder, this process's alone."""

    path: Path
    identity: Identity

    @property
    def folder(self) -> TileFolder:
        """The folder of its tiles; those of another problem do not count there."""
        return TileFolder(self.path, self.identity.owner)

    @property
    def words(self) -> str:
        """How much disk and memory it takes, in a sentence."""
        cut = self.identity.cut
        present, free = self.present, shutil.disk_usage(self.path).free
        return (
            f"R2 of {self.identity.samples} x {self.identity.columns} in {cut.tiles} x {cut.tiles} tiles: "
            f"{SPARE * cut.disk_bytes / 1e9:.2f} GB of disk in {self.path} ({present / 1e9:.2f} GB are there, "
            f"{free / 1e9:.2f} GB are free), about {cut.memory_bytes / 2**30:.2f} GiB a task beside samples and weights"
        )

    @property
    def present(self) -> int:
        """Bytes of its tiles."""
        return sum(self.folder.file(name).stat().st_size for name in self.folder.names())


@contextmanager
def work_folder(path: Path, problem: Problem, memory: float | None = None) -> Iterator[Work]:
    """Open a work folder for a problem, a new one or one that is gone on with.

    Parameters
    ----------
    path : Path
        The folder; made if it is missing.
    problem : Problem
        What it is to belong to.
    memory : float, optional
        GiB that a task may take beside samples and weights; what is begun keeps its tiles.

    Yields
    ------
    Work

    Raises
    ------
    InputError
        It belongs to another problem or another run is at work there; the disk has not enough room; it cannot be
        written.
    """
    key = problem_key(problem)
    with ExitStack() as stack:
        try:
            path.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context((path / ".lock").open("ab"))
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            work = _opened(path, problem, key, memory)
        except BlockingIOError:
            raise InputError(f"another run is at work in {path}; wait for it, or choose another folder") from None
        except OSError as error:
            words = f"cannot write {path}: {error.strerror or error}; choose another folder with --work"
            raise InputError(words) from None
        yield work


def _opened(path: Path, problem: Problem, key: str, memory: float | None) -> Work:
    """The work in a locked folder, if it belongs to the problem and there is room for it."""
    found = identity_of(path)
    if found is None:
        n, m = problem.rows.samples, problem.network.columns
        cut = layout(n, m, int((memory or MEMORY_GIB) * 2**30))
        found = Identity(key, n, m, cut.sizes.block, cut.sizes.width, cut.per, uuid.uuid4().hex)
        text = msgspec.json.encode(found)
        whole_file(path / PROBLEM, lambda target: target.write(text))
    elif found.key != key:
        raise InputError(
            f"--work {path} holds other work ({found.samples} x {found.columns}: other samples, weights, network or "
            "versions of this program); choose another folder, or remove that one"
        )
    work = Work(path, found)
    work.folder.clean()
    need, free = SPARE * found.cut.disk_bytes - work.present, shutil.disk_usage(path).free
    if need > free:
        raise InputError(
            f"--work {path}: {need / 1e9:.2f} GB of disk are needed, {free / 1e9:.2f} GB are free; make room or "
            "choose a folder on another disk"
        )
    return work


def identity_of(path: Path) -> Identity | None:
    """What a folder belongs to; None if it is new."""
    try:
        return msgspec.json.decode((path / PROBLEM).read_bytes(), type=Identity)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        raise InputError(f"--work {path}: {PROBLEM} cannot be read; choose another folder") from None
