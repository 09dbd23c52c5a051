"""Coverage-guided fuzzing of the checker, a minute by default: see `SECONDS`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .atheris_checker import seeds, words

ROOT = Path(__file__).resolve().parents[2]
# set the variable for a longer run: VERIFIER_FUZZ_SECONDS=3600 pytest -m slow tests/attacks -k fuzzing
SECONDS = int(os.environ.get("VERIFIER_FUZZ_SECONDS", "60"))
MIN_RUNS = 1000


@pytest.mark.slow
def test_the_checker_survives_guided_fuzzing(tmp_path, record_property):
    pytest.importorskip("atheris", reason='atheris is not installed: pip install ".[fuzz]"')
    corpus, crashes = tmp_path / "corpus", tmp_path / "crashes"
    corpus.mkdir()
    crashes.mkdir()
    for name, content in seeds().items():
        (corpus / name).write_bytes(content)
    (tmp_path / "words").write_text(words())
    options = [f"-max_total_time={SECONDS}", f"-dict={tmp_path / 'words'}", f"-artifact_prefix={crashes}/", "-seed=1"]
    options += ["-timeout=20", "-rss_limit_mb=1500", "-max_len=12000", "-len_control=0", "-print_final_stats=1"]
    command = [sys.executable, "-m", "tests.attacks.atheris_checker", str(corpus), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    found = sorted(path.name for path in crashes.iterdir())
    assert done.returncode == 0 and not found, f"{found}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    runs = int(re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)[1])
    covered = int(re.findall(r"cov: (\d+)", done.stderr)[-1])
    record_property("runs", runs)
    record_property("coverage", covered)
    assert runs >= MIN_RUNS
