"""R2 of a case out of core: its tasks done here, in processes, or over Dask.

A worker makes the case's problem for itself, once, from what the case's files hold; its digest must be that of the work
folder. Where a worker sees the work folder it reads and writes there; elsewhere it sends the tiles of the Gram matrix
back, and the tiles of the factor, which are made from other tiles, are made by the process that has the folder.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from verifier.balls.binary64.backend import Backend, NotEnclosed, backend_for
from verifier.balls.binary64.canary import canary
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.binary64.products import Products
from verifier.balls.feature_enclosure import Progress
from verifier.errors import InputError
from verifier.network.network import Array, Network
from verifier.options import at_most_threads
from verifier.rank.gram import GramBound
from verifier.rank.tiles.factor_tile import Breakdown
from verifier.rank.tiles.folder import TileFolder, TornTile, whole_file
from verifier.rank.tiles.pace import Say
from verifier.rank.tiles.tasks import Maker, Source, Task
from verifier.rank.tiles.tiled_gram import Done, Run, TiledGram
from verifier.run import worker
from verifier.run.case_problem import case_problem
from verifier.run.executors import ONE_AT_A_TIME, Workers, completed
from verifier.run.ledger import environment
from verifier.run.record import Failure
from verifier.run.work_folder import Identity, Work, identity_of, problem_key


def rows_of(network: Network, u: Array, inputs: Array, backend: Backend, record: Products) -> Source:
    """Enclose rows of Psi(U), (n, M), in binary64."""
    return lambda rows: FloatEnclosure(network, u, inputs[rows], backend, record)


@dataclass(frozen=True, slots=True)
class OutOfCore:
    """R2 with tiles on disk, as `verifier.Options` takes it.

    Parameters
    ----------
    work : Work
        The folder.
    say : callable
        Told of the progress.
    run : callable, optional
        Does tasks elsewhere; by default they are done here, one after the other.
    """

    work: Work
    say: Say
    elsewhere: Elsewhere | None = None

    def __call__(self, source: FloatEnclosure, *, tight: bool, progress: Progress | None) -> GramBound:
        """Prove R2.

        Guarantee: that of `TiledGram`: of the problem that the folder belongs to.
        """
        rows = rows_of(source.network, source.u, source.inputs, source.backend, source.record)
        maker = Maker(self.work.folder, self.work.identity.cut, rows, source.backend, source.record)
        run = None if self.elsewhere is None else self.elsewhere.runner(self.work, maker)
        return TiledGram(maker, run, self.say)(tight=tight)


class TileJob(msgspec.Struct, frozen=True, kw_only=True):
    """A tile to be made elsewhere: the case, the work folder and whom it belongs to, which tile."""

    case: worker.Task
    folder: str
    identity: Identity
    task: Task


class TileDone(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a tile: it is in the folder, or its file is ``content``.

    ``torn``: it was made from a tile that is torn. ``unseen``: the worker does not see the folder. ``broke``: there is
    no factor. ``refused``: there is no enclosure. ``unable``: the worker cannot work at all.
    """

    content: bytes = b""
    torn: bool = False
    unseen: bool = False
    broke: str = ""
    refused: str = ""
    unable: str = ""


@dataclass(slots=True)
class _Kept:
    """What a worker keeps from task to task: its last problem, the array library, the record of its products."""

    key: str = ""
    parts: tuple[Network, Array, Array] | None = None
    backend: Backend | None = None
    record: Products = field(default_factory=Products)


_KEPT = _Kept()


def run_tile(job: TileJob) -> TileDone:
    """Make a tile in a worker; every error is part of the result."""
    if job.case.environment != environment():
        return TileDone(unable=worker.OTHER_SOURCES)
    folder = Path(job.folder)
    try:
        seen = identity_of(folder) == job.identity
    except InputError:
        seen = False
    if job.task.shift is not None and not seen:
        return TileDone(unseen=True)
    try:
        with ONE_AT_A_TIME, at_most_threads(job.case.threads):
            maker = _maker(job, folder)
            write = maker.write(job.task)
            if seen:
                maker.folder.put(job.task.name, write)
                return TileDone()
            content = io.BytesIO()
            write(content)
            return TileDone(content=content.getvalue())
    except TornTile:
        return TileDone(torn=True)
    except Breakdown as error:
        return TileDone(broke=str(error))
    except NotEnclosed as error:
        return TileDone(refused=str(error))
    except (InputError, OSError) as error:
        return TileDone(unable=f"a worker cannot go on: {error}")


def _maker(job: TileJob, folder: Path) -> Maker:
    """What does tasks in this worker; the problem is made once."""
    kept = _KEPT
    if kept.backend is None or kept.backend.name != backend_for(job.case.device).name:
        kept.backend, kept.record = backend_for(job.case.device), Products()
        report = canary(kept.backend, [])
        if not report.passed:
            raise NotEnclosed(f"refused, {report.failure}")
    if job.task.shift is None and (kept.key != job.identity.key or kept.parts is None):
        with tempfile.TemporaryDirectory(prefix="verifier-") as name:
            problem = case_problem(worker.unpacked(job.case, Path(name)), seed=job.case.seed)
        if problem_key(problem) != job.identity.key:
            raise InputError("its samples or weights are others than those of the work folder")
        kept.key, kept.parts = job.identity.key, (problem.network, problem.u, problem.rows.inputs)
    backend, record = kept.backend, kept.record

    def rows(part: slice) -> FloatEnclosure:
        if kept.parts is None:
            raise NotEnclosed("there are no samples")
        network, u, inputs = kept.parts
        return FloatEnclosure(network, u, inputs[part], backend, record)

    return Maker(TileFolder(folder, job.identity.owner), job.identity.cut, rows, backend, record)


@dataclass(slots=True)
class _Reused:
    """Makes an executor only where the last one is of no use: a worker keeps its problem from round to round."""

    workers: Workers
    executor: Executor | None = None
    usable: bool = False

    def make(self) -> Executor:
        """The last executor at the beginning of a round, a new one after it broke."""
        if self.executor is None or not self.usable:
            self.executor = self.workers.make()
        self.usable = False
        return self.executor


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Workers, and the case that they work for."""

    workers: Workers
    case: worker.Task

    def runner(self, work: Work, here: Maker) -> Run:
        """Have tasks done by the workers.

        Parameters
        ----------
        work : Work
            The folder.
        here : Maker
            Does what they cannot do.

        Returns
        -------
        callable
        """

        def submit(executor: Executor, task: Task) -> Future[TileDone]:
            job = TileJob(case=self.case, folder=str(work.path.resolve()), identity=work.identity, task=task)
            return executor.submit(run_tile, job)

        reused = _Reused(self.workers)
        workers = replace(self.workers, make=reused.make)

        def run(tasks: Sequence[Task], done: Done) -> None:
            reused.usable = True
            for task, result in completed(workers, tasks, submit):
                if isinstance(result, Failure):
                    raise InputError(f"tile {task.name}: {result.message}")
                if result.unable:
                    raise InputError(result.unable)
                if result.refused:
                    raise NotEnclosed(result.refused)
                if result.broke:
                    raise Breakdown(result.broke)
                if result.torn:
                    continue
                if result.unseen:
                    try:
                        here.folder.put(task.name, here.write(task))
                    except TornTile:
                        continue
                elif result.content:
                    _keep(here.folder.file(task.name), result.content)
                done(task)

        return run


def _keep(file: Path, content: bytes) -> None:
    """Write a tile that a worker sent."""
    whole_file(file, lambda stream: stream.write(content))
