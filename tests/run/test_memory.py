"""Peak memory of a process that was started: its own, not that of the one that started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from verifier.certificate.memory import MemoryWatch, own_peak

TAKES = "import os, sys, time; a = bytearray(60 << 20); time.sleep(0.6)"
IN_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TAKES!r}])"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say")
@pytest.mark.parametrize("program", [TAKES, IN_A_CHILD])
def test_it_is_the_memory_of_the_process_and_its_children(program: str) -> None:
    large = np.ones(40 << 20)  # 320 MiB of this process
    process = subprocess.Popen([sys.executable, "-c", program])
    watch = MemoryWatch(process.pid)
    process.wait()
    watch.stop()
    assert 60 << 20 < watch.peak_bytes < 160 << 20
    assert own_peak() > large.nbytes
