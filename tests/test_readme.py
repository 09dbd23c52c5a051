"""The README's Python runs as it stands, and its first example is short."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_python_blocks_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"README, block {number}", "exec"), names)
    said = capsys.readouterr().out
    assert said.count("PROVED") >= 6
    assert "Claims full row rank" in said
    assert {path.name for path in tmp_path.iterdir()} >= {"certificate.json", "certificate.safetensors", "iris.json"}


def test_the_first_example_has_at_most_20_lines() -> None:
    first = next(block for block in BLOCKS if "import verifier as vf" in block)
    assert len([line for line in first.splitlines() if line.strip()]) <= 20
    assert "_" not in "".join(re.findall(r"vf\.(\w+)", first))  # no pieces: verify, check, show, Dense
