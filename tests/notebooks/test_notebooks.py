"""The notebooks as committed: they can be read without being run, by everybody, and by others than their authors."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_BYTES = 400_000
PICTURES = ("image/png", "image/svg+xml")
STATEMENT = re.compile(r"(Theorem|Lemma|Assumption) [A-D]?\.?[0-9]\.?[0-9]?")
TITLE = re.compile(r"# [0-9]+ · [^\n?]+\?\n")
"""A number and one question."""
WORDS = ("$N$ and $M$", "$U$", "$\\Psi(U)$", "$V$", "$\\sigma_N$")
"""What the table of words explains, before any of the code uses it."""
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
HERE = re.compile(r"(?<![\w.:/])/(home|root|tmp|work|Users|usr|var|opt|private)/|[A-Z]:\\\\?Users")
"""An absolute path of somebody's machine."""
COMPLAINT = re.compile(r"Traceback \(most recent call last\)|\w*Warning: ")
LEAST_ALT = 60
"""A picture is described by at least so many characters: what kind of picture, and what is seen in it."""


@cache
def document(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in document(path)["cells"] if cell["cell_type"] == kind]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def outputs(path: Path) -> list[dict[str, Any]]:
    return [output for cell in cells(path, "code") for output in cell["outputs"]]


def words(output: dict[str, Any]) -> list[str]:
    """Everything in an output that is text."""
    data = output.get("data", {})
    return ["".join(output.get("text", "")), *("".join(data[kind]) for kind in data if kind != "image/png")]


def undescribed(cell: dict[str, Any]) -> list[str]:
    """What is wrong with the descriptions of a code cell's pictures, in the cell and in its outputs."""
    pictures = [output for output in cell["outputs"] if set(output.get("data", {})) & set(PICTURES)]
    alt = cell["metadata"].get("alt", "")
    if not pictures:
        return ["a description without a picture"] if alt else []
    places = {output["metadata"].get("image/png", {}).get("alt") for output in pictures}
    wrong = [] if len(pictures) == 1 else ["two pictures in one cell, which has one description"]
    wrong += [] if len(alt) >= LEAST_ALT else [f"too short a description: {alt!r}"]
    return wrong + ["the description is not copied to the output"] * (places != {alt})


def test_the_readme_lists_them_in_reading_order_with_their_questions() -> None:
    listed = re.findall(r"\[([^]]+)\]\(([0-9]{2}_\w+\.ipynb)\)", (FOLDER / "README.md").read_text("utf-8"))
    titles = [source(cells(path, "markdown")[0]).splitlines()[0] for path in NOTEBOOKS]
    assert NOTEBOOKS
    assert listed == [(title.partition(" · ")[2], path.name) for title, path in zip(titles, NOTEBOOKS, strict=True)]


@pytest.mark.parametrize(
    ("text", "found"),
    [("/tmp/ipykernel_1/2.py:3: Warning", True), ("in '/home/me/x'", True), ("https://a.org/tmp/", False)],
)
def test_a_path_is_seen(text: str, found: bool) -> None:
    assert bool(HERE.search(text)) is found


@pytest.mark.parametrize(
    ("text", "found"),
    [("x.py:3: UserWarning: old", True), ("Traceback (most recent call last)\n", True), ("a warning in words", False)],
)
def test_a_complaint_is_seen(text: str, found: bool) -> None:
    assert bool(COMPLAINT.search(text)) is found


def test_a_picture_without_a_description_is_seen() -> None:
    alt = "A curve that falls from the left to the right, and a dashed line that it crosses."
    picture = {"output_type": "display_data", "data": {"image/png": ""}, "metadata": {"image/png": {"alt": alt}}}
    good = {"metadata": {"alt": alt}, "outputs": [picture]}
    assert not undescribed(good)
    assert undescribed(good | {"metadata": {}})
    assert undescribed(good | {"metadata": {"alt": "A picture."}})
    assert undescribed(good | {"outputs": [picture | {"metadata": {}}]})
    assert undescribed(good | {"outputs": [picture, picture]})
    assert undescribed(good | {"outputs": []})


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestCommitted:
    def test_is_small(self, path: Path) -> None:
        assert path.stat().st_size < MOST_BYTES

    def test_was_run_from_top_to_bottom_without_complaints(self, path: Path) -> None:
        counts = [cell["execution_count"] for cell in cells(path, "code")]
        assert counts == list(range(1, len(counts) + 1))
        kinds = [output["output_type"] for output in outputs(path)]
        assert kinds and "error" not in kinds
        assert not [words(output) for output in outputs(path) if output.get("name") == "stderr"]
        assert not [text for output in outputs(path) for text in words(output) if COMPLAINT.search(text)]
        assert all(any(text.strip() for text in words(output)) for output in outputs(path))

    def test_has_pictures_and_describes_each(self, path: Path) -> None:
        assert {kind for output in outputs(path) for kind in output.get("data", {})} & set(PICTURES)
        assert not [(source(cell), wrong) for cell in cells(path, "code") if (wrong := undescribed(cell))]

    def test_names_no_path_of_a_machine(self, path: Path) -> None:
        texts = [source(cell) for kind in ("code", "markdown") for cell in cells(path, kind)]
        texts += [text for output in outputs(path) for text in words(output)]
        assert not [found.group() for text in texts if (found := HERE.search(text))]

    def test_asks_one_question_and_names_its_statement(self, path: Path) -> None:
        first = source(cells(path, "markdown")[0])
        assert TITLE.match(first) and STATEMENT.search(first)
        assert all(part in first for part in ("**What you need:**", "**What you "))

    def test_explains_the_words_before_it_verifies(self, path: Path) -> None:
        before = []
        for cell in document(path)["cells"]:
            if cell["cell_type"] == "code" and "vf.verify(" in source(cell):
                break
            before.append(source(cell))
        assert all(f"\n| {word} |" in "\n".join(before) for word in WORDS)

    def test_has_exercises_that_can_be_checked_and_says_what_to_read_next(self, path: Path) -> None:
        last = source(cells(path, "markdown")[-1])
        exercises, _, after = last.partition("## Read on")
        assert "## Exercises" in exercises and "```python" in exercises
        found = LINK.findall(after)
        assert any(link.endswith(".ipynb") for link in found) and any("verifier/docs/" in link for link in found)

    def test_links_lead_somewhere(self, path: Path) -> None:
        links = [link for cell in cells(path, "markdown") for link in LINK.findall(source(cell))]
        local = [link for link in links if not link.startswith("https://")]
        assert local and not [link for link in local if not (FOLDER / link).is_file()]

    def test_code_compiles(self, path: Path) -> None:
        checks = [
            code for cell in cells(path, "markdown") for code in re.findall(r"(?s)```python\n(.*?)```", source(cell))
        ]
        for code in [*map(source, cells(path, "code")), *checks]:
            ast.parse(code)

    def test_keeps_no_metadata_of_a_run(self, path: Path) -> None:
        assert all(set(cell["metadata"]) <= {"alt"} for cell in document(path)["cells"])
        assert set(document(path)["metadata"]) <= {"kernelspec", "language_info"}
