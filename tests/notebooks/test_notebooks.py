"""The notebooks as committed: they can be read without being run, and by others than their authors."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_BYTES = 400_000
PICTURES = ("image/png", "image/svg+xml")
STATEMENT = re.compile(r"(Theorem|Lemma|Assumption) [A-D]?\.?[0-9]\.?[0-9]?")
HERE = re.compile(r"(?<![\w.:/])/(home|root|tmp|work|Users|usr|var|opt|private)/|[A-Z]:\\\\?Users")
"""An absolute path of somebody's machine."""


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def outputs(path: Path) -> list[dict[str, Any]]:
    return [output for cell in cells(path, "code") for output in cell["outputs"]]


def words(output: dict[str, Any]) -> list[str]:
    """Everything in an output that is text."""
    data = output.get("data", {})
    return ["".join(output.get("text", "")), *("".join(data[kind]) for kind in data if kind != "image/png")]


def test_the_readme_lists_them_in_reading_order() -> None:
    listed = re.findall(r"\]\(([0-9]{2}_\w+\.ipynb)\)", (FOLDER / "README.md").read_text("utf-8"))
    assert NOTEBOOKS and listed == [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize(
    ("text", "found"),
    [("/tmp/ipykernel_1/2.py:3: Warning", True), ("in '/home/me/x'", True), ("https://a.org/tmp/", False)],
)
def test_a_path_is_seen(text: str, found: bool) -> None:
    assert bool(HERE.search(text)) is found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestCommitted:
    def test_is_small(self, path: Path) -> None:
        assert path.stat().st_size < MOST_BYTES

    def test_was_run_from_top_to_bottom_without_errors(self, path: Path) -> None:
        counts = [cell["execution_count"] for cell in cells(path, "code")]
        assert counts == list(range(1, len(counts) + 1))
        kinds = [output["output_type"] for output in outputs(path)]
        assert kinds and "error" not in kinds
        assert not [words(output) for output in outputs(path) if output.get("name") == "stderr"]

    def test_has_pictures(self, path: Path) -> None:
        assert {kind for output in outputs(path) for kind in output.get("data", {})} & set(PICTURES)

    def test_names_no_path_of_a_machine(self, path: Path) -> None:
        texts = [source(cell) for kind in ("code", "markdown") for cell in cells(path, kind)]
        texts += [text for output in outputs(path) for text in words(output)]
        assert not [found.group() for text in texts if (found := HERE.search(text))]

    def test_names_its_statement_at_the_top(self, path: Path) -> None:
        first = source(cells(path, "markdown")[0])
        assert first.startswith("# ") and STATEMENT.search(first)

    def test_has_exercises(self, path: Path) -> None:
        """All but the tour."""
        headings = [line for cell in cells(path, "markdown") for line in source(cell).splitlines() if line[:1] == "#"]
        assert path == NOTEBOOKS[0] or "## Exercises" in headings

    def test_code_compiles(self, path: Path) -> None:
        for cell in cells(path, "code"):
            ast.parse("\n".join(line for line in source(cell).splitlines() if not line.startswith("%")))

    def test_keeps_no_metadata_of_a_run(self, path: Path) -> None:
        document = json.loads(path.read_text("utf-8"))
        assert all(not cell["metadata"] for cell in document["cells"])
        assert set(document["metadata"]) <= {"kernelspec", "language_info"}
