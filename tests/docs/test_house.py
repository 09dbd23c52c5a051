"""The page about the house is made from the code: every room is there, and the picture shows the imports that exist."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "verifier" / "docs"


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(DOCS / "_extensions"), *sys.path])
    import house  # type: ignore[import-not-found, unused-ignore]

    return house


def test_the_rooms_of_the_contract_are_those_on_the_disk(house: ModuleType) -> None:
    found = {
        path.stem for path in (ROOT / "verifier").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert set(house.rooms()) == found - set(house.NOT_ROOMS)


def test_no_import_stands_right_of_the_diagonal_and_the_checker_is_alone(house: ModuleType) -> None:
    names, found = house.rooms(), house.imports()
    assert all(names.index(other) < names.index(name) for name in names for other in found[name])
    assert not found[house.ALONE] and set(found[house.BESIDE]) == {house.ALONE}
    outside = {house.ALONE, house.BESIDE}
    assert not any(outside & set(named) for name, named in found.items() if name != house.BESIDE)
    assert found["prove"]["problem"] and found["cli"]["prove"]  # imports inside of functions count


def test_what_an_import_is(house: ModuleType) -> None:
    source = """
from verifier import plot
from verifier.balls.exact import Dyadic
import verifier.rank.certify
if TYPE_CHECKING:
    from verifier.cli import app
def f():
    from verifier.data import gate
"""
    assert list(house.imported(ast.parse(source))) == ["plot", "balls", "rank", "data"]


def test_picture_and_table_name_every_room_and_draw_every_import(house: ModuleType) -> None:
    drawing = ElementTree.fromstring(house.picture())
    texts = [each.text for each in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [name for name in house.rooms() for _ in range(2)]
    dots = len(list(drawing.iter("{http://www.w3.org/2000/svg}circle")))
    assert dots == sum(map(len, house.imports().values()))
    table = house.table()
    for name in house.rooms():
        assert f"`{name}/`" in table or f"`{name}.py`" in table
        assert len(house.purpose(name)) > 10


def test_the_drawing_by_hand_names_every_room(house: ModuleType) -> None:
    drawing = (DOCS / "developing" / "index.md").read_text("utf-8").partition("## The house")[2].partition("\n## ")[0]
    for name in house.rooms():
        assert f"{name}/" in drawing or f"{name}.py" in drawing, name


def test_files_that_carry_out_a_sentence_exist() -> None:
    table = (DOCS / "developing" / "house.md").read_text("utf-8").partition("## Where a sentence")[2]
    folder = ""
    for row in re.findall(r"^\|(.*)\|$", table, re.MULTILINE):
        for cell in row.split("|"):
            for file in re.findall(r"`([\w/]+\.(?:py|md))`", cell):
                folder, _, name = file.rpartition("/") if "/" in file else (folder, "", file)
                assert (ROOT / "verifier" / folder / name).is_file(), f"{folder}/{name}"
