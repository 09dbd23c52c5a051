"""Threads of native libraries: all that are loaded are limited, also those that were loaded later."""

import subprocess
import sys

import numpy as np
from threadpoolctl import threadpool_info

from verifier.balls.binary64.pools import as_many_threads, blas_threads, pools
from verifier.options import at_most_threads

LATER = """
import numpy
from threadpoolctl import threadpool_info
from verifier.balls.binary64.pools import blas_threads

blas_threads()
before = len(threadpool_info())
import scipy.linalg  # has an OpenBLAS of its own
assert len(threadpool_info()) > before
from verifier.options import at_most_threads
with at_most_threads(1):
    print({pool["num_threads"] for pool in threadpool_info()})
"""


def test_a_library_that_is_loaded_later_is_limited() -> None:
    said = subprocess.run([sys.executable, "-c", LATER], capture_output=True, text=True, check=True).stdout
    assert said == "{1}\n"


def test_threads_come_back() -> None:
    before = threadpool_info()
    with at_most_threads(3):
        assert blas_threads() == 3
        with as_many_threads(1):
            assert blas_threads() == 1
        assert blas_threads() == 3
        assert np.all(np.ones((3, 3)) @ np.ones((3, 3)) == 3)
    assert threadpool_info() == before
    assert pools() is pools()
