"""The documentation says what is true: statements have sections, named files exist, runnable blocks run as shown."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import sys
from functools import cache
from pathlib import Path

import pytest
from everyday import one_in

from verifier.statements.catalogue import STATEMENTS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "verifier" / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BLOCK = re.compile(
    r"^```\{code-block\} (\w+)\n:class: (runnable|output)(?: torch)?\n\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
FILE = re.compile(r"(?<![\w/.])(?:verifier|tests|notebooks|\.ci)/[\w./-]*\w/?")
MODULE = re.compile(r"(?<![\w/.-])verifier(?:\.[A-Za-z_]\w*)+")
TARGET = re.compile(r"^\(([\w.-]+)\)=\n+#+ (.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(#([\w.-]+)\)")


def slug(label: str, kind: str = "statement") -> str:
    return f"{kind}-" + re.sub(r"[^a-z0-9]+", "-", label.lower().replace("+", "-plus")).strip("-")


def name(page: Path) -> str:
    return page.relative_to(DOCS).with_suffix("").as_posix()


@cache
def targets() -> dict[str, str]:
    found = [pair for page in PAGES for pair in TARGET.findall(page.read_text("utf-8"))]
    assert len({target for target, _ in found}) == len(found), "a target is defined twice"
    return dict(found)


def resolves(dotted: str) -> bool:
    """Whether a dotted name is a module, or something in one (without importing more than is named)."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:cut])
        if path.is_dir() or path.with_suffix(".py").is_file():
            rest = parts[cut:]
            if not rest:
                return True
            thing: object = importlib.import_module(".".join(parts[:cut]))
            for part in rest:
                if not hasattr(thing, part):
                    return False
                thing = getattr(thing, part)
            return True
    return False


@pytest.mark.parametrize("label", STATEMENTS)
def test_every_statement_has_its_section(label: str) -> None:
    heading = targets().get(slug(label))
    assert heading is not None, f"no section ({slug(label)})= in verifier/docs/mathematics; write one, with the proof"
    words = label.replace(" ", ", ")
    assert heading.startswith(f"{words}:"), f"the section of {label} is called {heading!r}"


def test_links_to_sections_lead_somewhere() -> None:
    known = {*targets(), *(slug(label, "label") for label in STATEMENTS)}  # in the list that is made from the catalogue
    lost = [(name(page), link) for page in PAGES for link in LINK.findall(page.read_text("utf-8")) if link not in known]
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    files = {path.rstrip("/") for path in FILE.findall(text)}
    assert not [path for path in files if not (ROOT / path).exists() and not (DOCS / f"{path}.md").exists()]
    modules = {dotted for dotted in MODULE.findall(text) if not dotted.endswith((".toml", ".json"))}
    assert not [dotted for dotted in modules if not resolves(dotted)]


def test_names_are_found_and_missed_as_they_should_be() -> None:
    assert resolves("verifier.rank.gram.certify_gram") and resolves("verifier.rank") and resolves("verifier.Verdict")
    assert not resolves("verifier.rank.gramm") and not resolves("verifier.rank.gram.certify_gramm")
    assert FILE.findall("see `verifier/rank/gram.py`, a/verifier/x.py") == ["verifier/rank/gram.py"]


def test_every_page_is_in_a_toctree() -> None:
    listed = {"index"}
    for page in PAGES:
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            entries = [line.strip() for line in tree.splitlines() if line.strip() and not line.startswith(":")]
            entries = [entry for entry in entries if "*" not in entry]  # the notebooks, which are copied for a build
            listed |= {name((page.parent / f"{entry}.md").resolve()) for entry in entries}
    assert {name(page) for page in PAGES} == listed


def run(page: Path) -> int:
    """Run the blocks of a page in one namespace; each output that is shown is that of the block before it."""
    space: dict[str, object] = {"__name__": "page"}
    printed, blocks = "", 0
    for language, kind, content in BLOCK.findall(page.read_text("utf-8")):
        if kind == "output":
            assert language == "text" and printed.rstrip() == content.rstrip(), f"block {blocks} printed:\n{printed}"
            continue
        assert language == "python"
        blocks += 1
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            exec(compile(content, f"{name(page)}, block {blocks}", "exec"), space)
        printed = stream.getvalue()
    return blocks


LONG = ("# Plots", "# Adding a property", "# Sweeps")
"""How pages begin whose blocks take seconds."""


def marks(text: str) -> list[pytest.MarkDecorator]:
    """A page with a block of the classes `runnable torch` runs as a whole where PyTorch is; long ones are thorough."""
    if ":class: runnable torch\n" in text:
        return [pytest.mark.torch]
    return [pytest.mark.thorough] if text.startswith(LONG) else []


TEXTS = {page: page.read_text("utf-8") for page in PAGES}
RUNNABLE = [
    pytest.param(page, marks=marks(text), id=name(page)) for page, text in TEXTS.items() if ":class: runnable" in text
]


@pytest.mark.parametrize("page", one_in(2, RUNNABLE))
def test_runnable_blocks_run_and_print_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from verifier.fuzz.properties.core import PROPERTIES
    from verifier.sigma import activations

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(activations, "_REGISTERED", {})
    before = dict(PROPERTIES)
    modules = set(sys.modules)
    try:
        assert run(page) == page.read_text("utf-8").count(":class: runnable")
    finally:
        PROPERTIES.clear()
        PROPERTIES.update(before)
        for added in {m for m in sys.modules if m.startswith("conjecture_")} - modules:
            del sys.modules[added]


def test_pages_that_need_pytorch_are_marked() -> None:
    found = {param.id for param in RUNNABLE if pytest.mark.torch.mark in [mark.mark for mark in param.marks]}
    assert found == {name(page) for page, text in TEXTS.items() if re.search(r"^import torch$|^from torch", text, re.M)}
    assert "guide/pytorch" in found


def test_a_wrong_output_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "DOCS", tmp_path)
    page = tmp_path / "page.md"
    blocks = (
        "```{code-block} python\n:class: runnable\n\nprint(1)\n```\n\n```{code-block} text\n:class: output\n\n%s\n```\n"
    )
    page.write_text(blocks % 1)
    assert run(page) == 1
    page.write_text(blocks % 2)
    with pytest.raises(AssertionError):
        run(page)


def test_no_page_speaks_of_this_machine_or_fetches_anything() -> None:
    for path in [*DOCS.rglob("*.py"), *DOCS.rglob("*.css"), *PAGES]:
        text = path.read_text("utf-8")
        assert not re.search(r"intersphinx_mapping|cdn\.|@import|fonts\.googleapis|url\(http", text), path
