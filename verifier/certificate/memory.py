"""Peak memory of this process, and of others that it started, while they run.

What the system adds up for children that have ended (``ru_maxrss``) counts, for each of them, what this process held
when it started them: a checker that takes 0.2 GiB would seem to take as much as the prover.
"""

from __future__ import annotations

import re
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

INTERVAL = 0.1
"""Seconds between two looks; each sees the most that a process has taken so far."""


def own_peak() -> int:
    """Peak memory in bytes of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class MemoryWatch:
    """Looks at a process and its descendants until they end; where there is no ``/proc`` it sees nothing.

    Parameters
    ----------
    process
        Its number.
    """

    def __init__(self, process: int) -> None:
        self.process, self.peak_bytes = process, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="memory of the checker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop sampling the memory; the peak stays as it is."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.is_set():
            for process in family(self.process):
                self.peak_bytes = max(self.peak_bytes, peak_of(process))
            self._ended.wait(INTERVAL)


def family(process: int) -> Iterator[int]:
    """The process and all its descendants, by their numbers."""
    yield process
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return
    for child in children.split():
        yield from family(int(child))


def peak_of(process: int) -> int:
    """The most memory in bytes that a running process has had; 0 if the system does not say."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0
