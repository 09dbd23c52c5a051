"""The thread pools of native libraries: BLAS above all.

Guarantee: none. How many threads compute decides how fast, never what counts: no bound rests on the order of a sum.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


def pools() -> ThreadpoolController:
    """Control the native libraries that are loaded now; an import since the last call may have loaded another."""
    return _pools(len(sys.modules))[0]


def blas_threads() -> int:
    """Threads of the native BLAS now in force, the largest of several; 0 if there is none."""
    return max((int(pool.num_threads) for pool in _blas().lib_controllers), default=0)


@contextmanager
def as_many_threads(threads: int) -> Iterator[None]:
    """Let the native BLAS use so many threads, if another number is in force."""
    if threads in (0, blas_threads()):
        yield
        return
    with _blas().limit(limits=threads):
        yield


def _blas() -> ThreadpoolController:
    return _pools(len(sys.modules))[1]


@lru_cache(maxsize=1)
def _pools(modules: int) -> tuple[ThreadpoolController, ThreadpoolController]:
    """All libraries, and those of BLAS: finding them reads the process's map of memory, milliseconds each time."""
    found = ThreadpoolController()
    return found, found.select(user_api="blas")
