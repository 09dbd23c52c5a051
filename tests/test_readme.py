"""What the README shows is what happens; it fits ten minutes, and what it points to exists."""

from __future__ import annotations

import contextlib
import io
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
COMMANDS = "\n".join(content for language, content in BLOCKS if language == "sh")
LINES, WIDTH = 150, 120


def test_it_is_read_in_ten_minutes_and_fits_a_screen() -> None:
    lines = README.splitlines()
    assert len(lines) <= LINES
    assert not [line for line in lines if len(line) > WIDTH]


def test_the_python_blocks_print_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    said = ""
    for language, content in BLOCKS:
        if language == "python":
            stream = io.StringIO()
            with contextlib.redirect_stdout(stream):
                exec(compile(content, "README.md", "exec"), names)
            said = stream.getvalue()
        elif language == "text":
            assert said == content
            said = ""
    assert not said, "a block prints what the README does not show"
    assert {path.name for path in tmp_path.iterdir()} >= {"certificate.json", "certificate.safetensors", "path.svg"}


def test_the_first_example_is_short_and_takes_no_pieces() -> None:
    first = next(content for language, content in BLOCKS if language == "python")
    calls = [line for line in first.splitlines() if line.strip() and "import" not in line]
    assert len(calls) <= 10
    assert "_" not in "".join(re.findall(r"vf\.(\w+)", first))  # verify, check, Dense


def test_words_and_verdicts_are_explained_before_they_are_used() -> None:
    code = README.index("```python")
    explained = README[README.index("## The words") : code]
    for word in ("U, V", "N, M", "Psi", "sigma_N", "bad local valley", "PROVED", "REFUTED", "UNDECIDED", "TESTED"):
        assert f"| {word} |" in explained
    before = README[: README.index("## The words")]
    assert not re.search(r"\b(Psi|sigma_N|REFUTED|TESTED|[A-Z]\d\.\d)\b", re.sub(r"\]\(.*?\)", "", before))


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README)
    assert links
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_every_marker_of_the_tests_has_its_command() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    markers = {marker.partition(":")[0] for marker in options["markers"]}
    assert markers == set(re.findall(r"pytest -m (\w+)", COMMANDS))
    assert "HYPOTHESIS_PROFILE=deep" in COMMANDS


def test_commands_and_extras_exist() -> None:
    from verifier.cli import app

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for extras in re.findall(r"\.\[([\w,]+)\]", README):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
    known = {command.name or (command.callback or str).__name__ for command in app.registered_commands}
    used = set(re.findall(r"bin/verifier ([a-z]+)", COMMANDS))
    assert used and used <= known
    folders = re.findall(r"\btests/\w+", COMMANDS)
    assert folders and all((ROOT / folder).is_dir() for folder in folders)
    assert not re.search(r"pip install (?!-q )[^.-]*\bverifier\b", README)  # it is not published
