"""Every example in a docstring of the rooms prints what it shows, also of names that are not public."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import verifier

ROOMS = ("balls", "certificate", "data", "landscape", "network", "rank", "sigma", "statements")


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
def test_examples_print_what_they_show(
    room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    package = importlib.import_module(f"{verifier.__name__}.{room}")
    tried = 0
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        result = doctest.testmod(importlib.import_module(found.name))
        assert result.failed == 0, capsys.readouterr().out
        tried += result.attempted
    assert tried > 0, f"{room}: no example at all"
