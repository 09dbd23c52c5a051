from __future__ import annotations

from pathlib import Path

import pytest
from reporting import NAMES, quick, run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of nine cases."""
    return run(quick(*NAMES), tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one case."""
    return run(quick("xor"), tmp_path_factory.mktemp("report") / "out")
