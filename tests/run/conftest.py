from __future__ import annotations

from pathlib import Path

import pytest
from running import SILENT, family

from verifier.run.family import read_cases
from verifier.run.runner import run_cases


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the family from one process that nobody disturbed; not to be written."""
    folder = tmp_path_factory.mktemp("calm")
    assert run_cases(read_cases(family(folder)), folder / "out", SILENT).exit_code == 0
    return folder / "out"
