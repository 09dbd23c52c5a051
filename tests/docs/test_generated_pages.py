"""What the site makes by itself: pages of notebooks, the list of statements, the public names with their examples."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import verifier as vf
from verifier.statements.bridge.table import theorems
from verifier.statements.catalogue import STATEMENTS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "verifier" / "docs"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def extension(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(DOCS / "_extensions"), *sys.path])
    return importlib.import_module(name)


@pytest.fixture
def notebooks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return extension("notebooks", monkeypatch)


@pytest.fixture
def statement_list(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return extension("statement_list", monkeypatch)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_has_the_code_and_outputs_of_its_notebook_and_describes_its_pictures(
    path: Path, notebooks: ModuleType
) -> None:
    notebook, page = (json.loads(path.read_text("utf-8")) for _ in range(2))
    notebooks.prepare(page)
    assert "".join(page["cells"][0]["source"]).startswith(("# ", "("))
    for before, after in zip(notebook["cells"], page["cells"], strict=False):
        assert before["cell_type"] == after["cell_type"] and before.get("outputs") == after.get("outputs")
        assert before["cell_type"] == "markdown" or before["source"] == after["source"]
        if any("image/png" in output.get("data", {}) for output in before.get("outputs", [])):
            assert after["metadata"]["mystnb"]["image"]["alt"], "a picture has no description"


def test_links_of_a_notebook_lead_to_pages_of_the_site(notebooks: ModuleType) -> None:
    text = "As in notebook 3, [here](04_the_path.ipynb) and [there](../verifier/docs/guide/start.md#x); notebook 77."
    text += " T3.4(2) and S+ hold; A1, T3.4(20) do not."
    page: dict[str, Any] = {"cells": [{"cell_type": "markdown", "source": ["# T\n\n", text], "metadata": {}}]}
    notebooks.prepare(page)
    told, named = (each["source"] for each in page["cells"])
    assert "[notebook 3](03_zero_loss.ipynb), [here](04_the_path.ipynb) and [there](../guide/start.md#x)" in told
    assert "; notebook 77." in told
    assert named == "*Statements that are named here:* [S+](#label-s-plus), [T3.4(2)](#label-t3-4-2).\n"


def test_only_notebooks_that_changed_are_copied_again(
    notebooks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, pages = tmp_path / "notebooks", tmp_path / "pages"
    for name, folder in (("SOURCE", source), ("PAGES", pages)):
        folder.mkdir()
        monkeypatch.setattr(notebooks, name, folder)
    for name in ("same", "changed"):
        (source / f"{name}.ipynb").write_text("1")
    (pages / "gone.ipynb").write_text("1")
    notebooks.copy_notebooks(None)
    os.utime(pages / "same.ipynb", (1, 1))
    (source / "changed.ipynb").write_text("2")
    notebooks.copy_notebooks(None)
    assert {path.name: path.read_text() for path in pages.iterdir()} == {"same.ipynb": "1", "changed.ipynb": "2"}
    assert (pages / "same.ipynb").stat().st_mtime == 1


def test_the_list_of_statements_has_everything_about_each(statement_list: ModuleType) -> None:
    overview, sections = statement_list.overview(), statement_list.sections()
    for label, statement in STATEMENTS.items():
        anchor, proof = statement_list.anchor(label), statement_list.proof(label)
        assert f"(#{anchor}) |" in overview and f"({anchor})=\n" in sections and f"(#{proof})" in sections
        assert f"({anchor})=\n### {label}\n" in sections, "the search finds a section that is called by its label"
        for words in (statement.sentence, statement.hypotheses, statement.idea):
            assert re.sub(r"\W", "", words) in re.sub(r"\W", "", sections)
        for path in (*statement.proved_in, *statement.checked_in):
            assert (ROOT / "verifier" / path).is_file(), f"{label}: there is no {path}"
    anchors = re.findall(r"^\((label-[\w-]+)\)=$", sections, re.MULTILINE)
    assert len(set(anchors)) == len(anchors) == len(STATEMENTS)


def test_the_bridge_has_every_theorem_with_its_hypotheses(monkeypatch: pytest.MonkeyPatch) -> None:
    page = extension("bridge_table", monkeypatch)
    overview, sections, unproved = page.labels(), page.sections(), page.unproved()
    for theorem in theorems():
        (section,) = re.findall(
            rf"^### {theorem.name.replace('_', '.{0,1}_')}$.*?(?=^\(theorem|\Z)", sections, re.M | re.S
        )
        assert f"`verifier/formal/{theorem.file}`" in section
        rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) ?\|$", section, re.MULTILINE)
        assert [name for name, _ in rows] == [*theorem.hypotheses, *theorem.given]
        assert all(("line" in where) == (name in theorem.hypotheses) for name, where in rows)
    links = set(re.findall(r"\(#(theorem-[\w-]+)\)", overview))
    targets = re.findall(r"^\((theorem-[\w-]+)\)=$", sections, re.MULTILINE)
    assert links <= set(targets) and len(set(targets)) == len(targets) == len(theorems())
    assert all(f"(#label-{page._slug(label)})" in overview for label in STATEMENTS)
    assert "| Z2 |" in unproved


def test_every_public_name_stands_on_the_page_with_its_example(monkeypatch: pytest.MonkeyPatch) -> None:
    page = extension("public_names", monkeypatch).sections()
    for name in set(vf.__all__) - {"__version__"}:
        entry = re.search(rf"^\{{py:obj\}}`{name} <verifier[\w.]*>`\n: .*?(?=^\{{py:obj|^## |\Z)", page, re.M | re.S)
        assert entry and ">>> " in entry[0], name
        assert "-------" not in entry[0], f"{name}: more than the example"
