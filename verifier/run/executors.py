"""Where jobs are done: processes of this machine or workers of a Dask scheduler; how a lost worker is survived."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from verifier.certificate.check_process import stop_all
from verifier.errors import InputError, VerifierError, installing, one_line
from verifier.run.record import Failure

Job = TypeVar("Job")
Result = TypeVar("Result")

CONNECT_SECONDS = 15
"""How long a scheduler may take to answer, and then to have a worker."""

ONE_AT_A_TIME = threading.Lock()
"""FLINT's precision belongs to the process: jobs of an executor whose workers are threads must take turns."""

DIED = (
    "the worker that proved it died, also when it proved nothing else meanwhile: out of memory, or a crash of a library"
)


@dataclass(frozen=True, slots=True)
class Workers:
    """Something that makes executors, a new one when one breaks.

    ``width`` jobs are in flight at a time; a worker uses ``threads`` threads. ``local`` workers see the file system of
    this process.
    """

    make: Callable[[], Executor]
    width: int
    threads: int = 1
    local: bool = False


def of_executor(executor: Executor, width: int | None = None) -> Workers:
    """Workers of an executor that somebody else made and ends; it cannot be made anew if it breaks.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Any that can send functions, structs and bytes.
    width : int, optional
        Jobs in flight at a time, by default one for each core of this machine.

    Returns
    -------
    Workers
    """
    unused = [executor]

    def make() -> Executor:
        if not unused:
            raise InputError("the executor that was given broke; make another and run again: what is finished is kept")
        return unused.pop()

    return Workers(make, width or os.cpu_count() or 1)


@contextmanager
def processes(jobs: int, memory: float | None = None) -> Iterator[Workers]:
    """Worker processes of this machine; they end with the context, and with this process however it ends.

    Parameters
    ----------
    jobs
        How many.
    memory
        Address space of each in GiB; by default as much as there is.
    """
    limit = None if memory is None else int(memory * 2**30)
    context = multiprocessing.get_context("spawn")
    with ExitStack() as current:

        def make() -> Executor:
            current.close()
            alive, ours = context.Pipe(duplex=False)
            pool = _Pool(jobs, context, _initialise, (alive, limit))
            current.callback(pool.shutdown, cancel_futures=True)
            current.callback(alive.close)
            current.callback(ours.close)  # first: the workers see it and end
            return pool

        yield Workers(make, jobs, max(1, (os.cpu_count() or 1) // jobs), local=True)


class _Pool(ProcessPoolExecutor):
    """Starts its workers deaf to Ctrl-C, which is this process's to act on: also before they are prepared."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit with SIGINT blocked, so that a process that is started for it inherits that.

        Raises
        ------
        BrokenExecutor
            A worker has ended, also if another one is being started just then.
        """
        with _later():
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                return super().submit(function, *args, **kwargs)
            except OSError as error:
                if error.errno is not None:
                    raise
                raise BrokenExecutor(f"a worker ended while another one was started: {error}") from error
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _later() -> Iterator[None]:
    """Act on Ctrl-C and SIGTERM afterwards: they may arrive in another thread, whatever this one blocks.

    Python acts on them in the main thread, where they would cut the start of a worker short, which then complains.
    """
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held = [number for number, handler in handlers.items() if callable(handler)]
    if threading.current_thread() is not threading.main_thread():
        held = []
    for number in held:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number in held:
            signal.signal(number, handlers[number])
    if came:
        signal.raise_signal(came[0])


def _initialise(alive: Connection, limit: int | None) -> None:
    """Prepare a worker: its memory, and an eye on the process that it works for."""
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    def watch() -> None:
        try:
            alive.recv_bytes()  # nothing is ever sent: it returns when the other end is closed, or its process is gone
        except (EOFError, OSError):
            stop_all()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def dask(address: str) -> Iterator[Workers]:
    """Give the workers of a Dask scheduler while a block runs.

    Parameters
    ----------
    address : str
        Such as ``tcp://HOST:8786``.

    Yields
    ------
    Workers

    Raises
    ------
    InputError
        Without the package, without an answer, without a worker.
    """
    if "://" not in address:  # connecting takes half a minute to fail
        raise InputError(f"--scheduler {one_line(address)}: no address; write tcp://HOST:8786")
    try:
        distributed = importlib.import_module("distributed")
    except ImportError:
        raise InputError(f"--scheduler needs the package distributed; {installing('dask')}") from None
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"--scheduler {one_line(address)}: no Dask scheduler answers there ({error}); start one: dask scheduler"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            raise InputError(f"--scheduler {address}: it has no workers; start some: dask worker {address}") from None
        count = len(client.scheduler_info(n_workers=-1)["workers"])
        yield Workers(lambda: client.get_executor(pure=False), 2 * count + 2)


@contextmanager
def workers(jobs: int, memory: float | None, scheduler: str | None) -> Iterator[Workers | None]:
    """The workers that the command line asks for; None: this process alone.

    Parameters
    ----------
    jobs : int
        Processes of this machine.
    memory : float or None
        Address space of each in GiB.
    scheduler : str or None
        Address of a Dask scheduler, whose workers are used instead.

    Yields
    ------
    Workers or None

    Raises
    ------
    InputError
        As `dask`; options that exclude each other.
    """
    if scheduler is None:
        with nullcontext() if jobs == 1 and memory is None else processes(jobs, memory) as found:
            yield found
    elif jobs != 1 or memory is not None:
        raise InputError("--scheduler excludes --jobs and --memory: dask worker --nworkers and --memory-limit set them")
    else:
        with dask(scheduler) as found:
            yield found


def completed(
    workers: Workers, jobs: Iterable[Job], submit: Callable[[Executor, Job], Future[Result]]
) -> Iterator[tuple[Job, Result | Failure]]:
    """Have jobs done and give each back with its result, in the order in which they end.

    When workers die with the executor, what was in flight is done again one at a time by a new one; a job whose worker
    dies although it works on nothing else is a failure, the others go on.

    Parameters
    ----------
    workers : Workers
        They do the jobs.
    jobs : iterable
        In the order in which they begin.
    submit : callable
        Begins a job on an executor; called once for every execution.

    Yields
    ------
    (job, result or Failure)

    Raises
    ------
    InputError
        If the executor is lost altogether.
    VerifierError
        What a job raised.
    """
    waiting = iter(jobs)
    executor = workers.make()
    flying: dict[Future[Result], Job] = {}
    suspects: list[Job] = []
    while True:
        while not suspects and len(flying) < workers.width and (job := next(waiting, None)) is not None:
            try:
                flying[submit(executor, job)] = job
            except BrokenExecutor:
                suspects.append(job)
        if flying:
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                job = flying.pop(future)
                result = _result(future)
                if result is None:
                    suspects.append(job)
                else:
                    yield job, result
        elif suspects:
            executor = workers.make()
            for job in suspects:
                try:
                    result = _result(submit(executor, job))
                except BrokenExecutor:
                    result = None
                if result is None:
                    executor = workers.make()
                yield job, Failure("worker", DIED) if result is None else result
            suspects = []
        else:
            return


def _result(future: Future[Result]) -> Result | Failure | None:
    """What became of a job; None if its executor broke, which may be another job's doing."""
    try:
        return future.result()
    except BrokenExecutor:
        return None
    except CancelledError:
        raise InputError("the scheduler was lost; run again to go on: what is finished is kept") from None
    except VerifierError:
        raise
    except Exception as error:  # of the executor, not of the job: Dask's KilledWorker, a result that cannot be sent
        return Failure("worker", f"the worker that proved it was lost: {type(error).__name__}: {one_line(str(error))}")
