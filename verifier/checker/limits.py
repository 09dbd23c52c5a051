"""Limits of the operating system: a check runs in a child process that gets no more memory and time than it may take.

Nothing of the certificate is read before the limits hold. What runs into them ends the child, in whatever way: Python
raises MemoryError, FLINT aborts the process when it gets no memory, the system sends SIGXCPU. The parent, which
computes nothing, turns each of these ends into one verdict, TOO EXPENSIVE: neither accepted nor rejected.

Glossary: *memory* is address space in bytes, *cpu* time of the processor in seconds, 0 that there is no limit. A
*worker* is a child of the child. The limits are for the child and its workers together: each has its share.
"""

import contextlib
import faulthandler
import os
import pickle
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from .common import TooExpensive

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

GIB = 1 << 30
OUT_OF_MEMORY = 77  # exit status of a child or worker in which Python got no memory
WORKER_ROOM = 1 << 28  # bytes beyond what a process has already, below which its share is too small to work with
CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)  # the ends of a process whose libraries get no memory


class Limits(NamedTuple):
    """What one check may take; the defaults are those of the command line."""

    memory: int = 6 * GIB
    cpu: int = 600

    def __str__(self) -> str:
        """Say the limits, and which of them this system cannot enforce."""
        memory = f"{self.memory / GIB:.4g} GiB of address space" if self.memory else "no limit of memory"
        cpu = f"{self.cpu} s of CPU time" if self.cpu else "no limit of CPU time"
        if self.memory and not MEMORY_CAN_BE_LIMITED:
            memory = "memory not limited (this system has no limit of address space)"
        if self.cpu and not CPU_CAN_BE_LIMITED:
            cpu = "CPU time not limited (this system has no such limit)"
        return f"{memory}, {cpu}"


CPU_CAN_BE_LIMITED = resource is not None and hasattr(os, "fork")
MEMORY_CAN_BE_LIMITED = CPU_CAN_BE_LIMITED and sys.platform != "darwin"  # macOS takes RLIMIT_AS and ignores it

# of this process, if it is a child: what it has been given, and the descriptors that its workers must not keep open
GIVEN: list[Limits] = []
INHERITED: list[int] = []


def lower(kind: int, value: int) -> None:
    """Set the soft limit of a resource, never above the hard one; 0 leaves it as it is."""
    hard = resource.getrlimit(kind)[1]
    if value:
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def confine(limits: Limits) -> None:
    """Put this process under limits of memory and CPU time.

    Guarantee: from now on the system gives it at most so much address space and CPU time, where the system can.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if MEMORY_CAN_BE_LIMITED:
        lower(resource.RLIMIT_AS, limits.memory)
    lower(resource.RLIMIT_CPU, limits.cpu)


def effective(limits: Limits) -> Limits:
    """Return the stricter ones of these limits and those that this process itself is under."""
    if not CPU_CAN_BE_LIMITED:
        return limits

    def stricter(kind: int, value: int) -> int:
        here = [value for value in resource.getrlimit(kind) if value != resource.RLIM_INFINITY]
        return min([*here, value] if value else here, default=0)

    return Limits(stricter(resource.RLIMIT_AS, limits.memory), stricter(resource.RLIMIT_CPU, limits.cpu))


def fork() -> int:
    """Fork; other threads, which Python warns of, are those of libraries that no check uses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def run_limited(work: Callable[[], bytes], asked: Limits) -> bytes:
    """Return what `work` returns, from a child process under limits.

    Raises
    ------
    TooExpensive
        It ran into a limit.
    ChildProcessError
        It ended in a way that has nothing to do with limits.
    """
    if not CPU_CAN_BE_LIMITED:
        return work()
    limits = effective(asked)
    source, sink = os.pipe()
    parent, child = os.getpid(), fork()
    if child == 0:
        os.close(source)
        be_child(work, limits, sink, parent)
    os.close(sink)
    finished = False
    try:
        with open(source, "rb") as stream:
            answer = stream.read()
        finished = True
    finally:
        if not finished:  # Ctrl-C
            os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)  # the workers, if there are any, see that it is gone
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return answer
    explain(code, usage.ru_utime + usage.ru_stime, asked, limits)
    raise ChildProcessError(f"the checking process ended with status {code}")


def end_with(parent: int) -> None:
    """Look once in a second whether the parent, on whom this process must not wait for ever, is still there."""

    def look(*_: object) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)


def be_child(work: Callable[[], bytes], limits: Limits, sink: int, parent: int) -> None:
    """Work under limits, send the result, and end this process."""
    status = 1
    try:
        INHERITED.append(sink)
        GIVEN.append(limits)
        end_with(parent)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        faulthandler.disable()
        nowhere = os.open(os.devnull, os.O_RDWR)  # what FLINT says before it aborts is of no use
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        confine(limits)
        content = work()
        with open(sink, "wb") as answer:
            answer.write(content)
        status = 0
    except MemoryError:
        status = OUT_OF_MEMORY
    finally:
        os._exit(status)


def explain(code: int, seconds: float, asked: Limits, limits: Limits) -> None:
    """Raise TooExpensive if a child that ended so, after so many seconds of CPU time, ran into a limit."""
    late = bool(limits.cpu) and seconds >= limits.cpu - 1
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and late):
        raise out_of_time(asked, limits)
    if code in (OUT_OF_MEMORY, -signal.SIGKILL):
        raise out_of_memory(asked, limits)
    if -code in CRASHES:
        how = f"; it ended by {signal.Signals(-code).name}, as FLINT ends a process that gets no memory"
        raise out_of_memory(asked, limits, how)


def out_of_memory(asked: Limits, limits: Limits, how: str = "") -> TooExpensive:
    """Return the verdict on a check that got no more memory."""
    if not MEMORY_CAN_BE_LIMITED or not limits.memory:
        return TooExpensive("", "cost.memory", f"the check needs more memory than this machine has{how}")
    size = f"{limits.memory / GIB:.4g} GiB"
    message = f"the check needs more than {size} of address space, the limit{how}; "
    return TooExpensive("", "cost.memory", message + remedy(asked.memory, limits.memory, "--memory GIB", "-v"))


def out_of_time(asked: Limits, limits: Limits) -> TooExpensive:
    """Return the verdict on a check that got no more time."""
    message = f"the check needs more than {limits.cpu} s of CPU time, the limit; "
    return TooExpensive("", "cost.cpu", message + remedy(asked.cpu, limits.cpu, "--cpu-seconds S", "-t"))


def remedy(asked: int, limit: int, option: str, shell: str) -> str:
    """Say in the message of a refusal how to raise the limit that was reached."""
    if asked == limit:
        return f"{option} raises it (0: no limit)"
    return f"it is the shell's own (ulimit {shell}), which {option} cannot raise"


class Worker:
    """A process that looks at some blocks, one after the other, and sends what it finds through a pipe."""

    def __init__(self, look: Callable[[Any], Any], blocks: list[Any], share: Limits) -> None:
        source, sink = os.pipe()
        parent = os.getpid()
        self.process = fork()
        if self.process == 0:
            os.close(source)
            be_worker(look, blocks, share, sink, parent)
        os.close(sink)
        INHERITED.append(source)
        self.stream: BinaryIO = open(source, "rb")

    def answer(self) -> tuple[bool, Any]:
        """Return whether it could look at the next block, and what it found or the exception that it met."""
        answer: tuple[bool, Any] = pickle.load(self.stream)
        return answer

    def stop(self) -> None:
        """End the process and forget it."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        INHERITED.remove(self.stream.fileno())
        self.stream.close()


def be_worker(look: Callable[[Any], Any], blocks: list[Any], share: Limits, sink: int, parent: int) -> None:
    """Look at the blocks, send what was found, and end this process."""
    status = 1
    try:
        for descriptor in INHERITED:
            os.close(descriptor)
        end_with(parent)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        confine(share)
        with open(sink, "wb") as stream:
            for block in blocks:
                try:
                    answer = True, look(block)
                except MemoryError:
                    raise
                except Exception as error:  # for the parent to raise
                    answer = False, error
                pickle.dump(answer, stream)
                stream.flush()
        status = 0
    except MemoryError:
        status = OUT_OF_MEMORY
    finally:
        os._exit(status)


def in_workers(look: Callable[[Any], Any], blocks: list[Any], jobs: int) -> Iterator[Any]:
    """Look at the blocks in several processes; stop early, without an error, when one of them ran into its share.

    Guarantee: yields the results for the first blocks, in order, all or some of them.
    """
    jobs, share = divide(jobs) if hasattr(os, "fork") else (1, Limits(0, 0))
    if jobs == 1:
        return
    workers: list[Worker] = []
    try:
        if GIVEN:
            confine(share._replace(cpu=share.cpu and own_seconds() + share.cpu))
        workers += (Worker(look, blocks[number::jobs], share) for number in range(jobs))
        for number in range(len(blocks)):
            try:
                fine, found = workers[number % jobs].answer()
            except (EOFError, pickle.UnpicklingError):
                return
            if not fine:
                raise found
            yield found
    finally:
        for worker in workers:
            worker.stop()
        if GIVEN:
            confine(remaining())


def look_at_all(look: Callable[[Any], Any], blocks: list[Any], jobs: int) -> Iterator[Any]:
    """Look at all blocks, in order: in workers, and in this process what their shares do not suffice for."""
    done = 0
    for found in in_workers(look, blocks, jobs) if jobs > 1 else ():
        done += 1
        yield found
    yield from map(look, blocks[done:])


def divide(jobs: int) -> tuple[int, Limits]:
    """Return how many workers there can be, and the share of each and of this process in what is left."""
    if not GIVEN:
        return jobs, Limits(0, 0)
    left, size = remaining(), address_space()
    while jobs > 1 and left.memory and left.memory // (jobs + 1) < size + WORKER_ROOM:
        jobs -= 1
    seconds = max(1, (left.cpu - own_seconds()) // (jobs + 1)) if left.cpu else 0
    return jobs, Limits(left.memory // (jobs + 1), seconds)


def remaining() -> Limits:
    """Return the limits of this process when the time of the workers that have ended counts as its own."""
    (memory, cpu), usage = GIVEN[-1], resource.getrusage(resource.RUSAGE_CHILDREN)
    return Limits(memory, max(1, cpu - int(usage.ru_utime + usage.ru_stime)) if cpu else 0)


def own_seconds() -> int:
    """Return the CPU time that this process has used, rounded up."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int(usage.ru_utime + usage.ru_stime) + 1


def address_space() -> int:
    """Return the bytes of this process's address space, 0 where that cannot be found out."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", "rb") as stream:
        return int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 0
