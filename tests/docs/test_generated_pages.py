"""What the site makes by itself: pages of notebooks, the list of statements, the public names with their examples."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import verifier as vf
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


def cell(kind: str, source: str, *outputs: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"cell_type": kind, "source": [source], "metadata": metadata, "outputs": list(outputs)}


def displayed(data: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_has_all_text_code_and_pictures_of_its_notebook(path: Path, notebooks: ModuleType) -> None:
    notebook = json.loads(path.read_text("utf-8"))
    page = notebooks.markdown(notebook)
    assert page.startswith("# ") or page.startswith("(")
    for each in notebook["cells"]:
        text = "".join(each["source"])
        assert each["cell_type"] == "markdown" or text in page
    outputs = [output for each in notebook["cells"] for output in each.get("outputs", [])]
    pictures = re.findall(r'<img class="plot" loading="lazy" alt="([^"]*)"', page)
    assert len(pictures) == sum("image/png" in output.get("data", {}) for output in outputs)
    assert all(pictures), "a picture has no description"
    assert page.count('<div class="card">') == sum("text/html" in output.get("data", {}) for output in outputs)


def test_the_richest_form_of_an_output_is_shown(notebooks: ModuleType) -> None:
    picture = displayed({"image/png": "AA\n", "text/plain": "<Figure>"}, **{"image/png": {"alt": 'a "hill"'}})
    stream = {"output_type": "stream", "name": "stdout", "text": ["\x1b[1mPROVED\x1b[0m ```\n"]}
    page = notebooks.markdown(
        {"cells": [cell("code", "print()", stream, picture, displayed({"text/html": "<b>x</b>"}))]}
    )
    assert 'alt="a &quot;hill&quot;" src="data:image/png;base64,AA"' in page
    assert "````{code-block} text\n:class: output\n\nPROVED ```\n````" in page
    assert '<div class="card"><b>x</b></div>' in page and "<Figure>" not in page


def test_the_description_of_a_picture_may_stand_at_its_cell(notebooks: ModuleType) -> None:
    page = notebooks.markdown({"cells": [cell("code", "x", displayed({"image/png": "AA"}), alt="a valley")]})
    assert 'alt="a valley"' in page


def test_links_of_a_notebook_lead_to_pages_of_the_site(notebooks: ModuleType) -> None:
    text = "As in notebook 3, [here](04_the_path.ipynb) and [there](../verifier/docs/guide/start.md#x); notebook 77."
    page = notebooks.markdown({"cells": [cell("markdown", f"# T\n\n{text} T3.4(2) and S+ hold; A1, T3.4(20) do not.")]})
    assert "[notebook 3](03_zero_loss.ipynb), [here](04_the_path.ipynb) and [there](../guide/start.md#x)" in page
    assert "; notebook 77." in page
    assert page.endswith("*Statements that are named here:* [S+](#label-s-plus), [T3.4(2)](#label-t3-4-2).\n")


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


def test_every_public_name_stands_on_the_page_with_its_example(monkeypatch: pytest.MonkeyPatch) -> None:
    page = extension("public_names", monkeypatch).sections()
    for name in set(vf.__all__) - {"__version__"}:
        entry = re.search(rf"^\{{py:obj\}}`{name} <verifier[\w.]*>`\n: .*?(?=^\{{py:obj|^## |\Z)", page, re.M | re.S)
        assert entry and ">>> " in entry[0], name
        assert "-------" not in entry[0], f"{name}: more than the example"
