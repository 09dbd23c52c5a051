"""The notebooks as pages: read from `notebooks/` with the outputs that are stored in them; none is executed.

When a build starts they are copied beside the other pages, into files that git ignores, and each is turned into
Markdown when it is read. So formulas, links and the search treat them like every other page. A picture is part of its
page, with the description that its cell carries; the card of a result is taken over as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statement_list import anchor

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SOURCE = Path(__file__).resolve().parents[3] / "notebooks"
PAGES = Path(__file__).resolve().parents[1] / "notebooks"
NUMBERED = re.compile(r"(?<!\[)\b([Nn]otebook (\d+))\b(?!\])")
TO_DOCS = re.compile(r"\]\((?:\.\./)?verifier/docs/")
COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*m")


def copy_notebooks(app: Sphinx) -> None:
    """Bring the copies up to date: only what changed is written, so that only that is built again."""
    originals = {path.name: path.read_bytes() for path in SOURCE.glob("*.ipynb")}
    for path in PAGES.glob("*.ipynb"):
        if path.name not in originals:
            path.unlink()
    for name, content in originals.items():
        copy = PAGES / name
        if not copy.exists() or copy.read_bytes() != content:
            copy.write_bytes(content)


def markdown(notebook: dict[str, Any]) -> str:
    """Return a notebook as a page in MyST's Markdown: text, code, and the outputs that were stored.

    Parameters
    ----------
    notebook
        The notebook's JSON, in format 4.
    """
    parts = []
    for cell in notebook["cells"]:
        text = _text(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(_linked(text))
        elif cell["cell_type"] == "code" and text.strip():
            parts.append(_fence("{code-block} python", text))
            parts += [part for output in cell["outputs"] for part in _output(output, cell)]
    told = "\n\n".join(_text(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    return "\n\n".join([*parts, _statements_named(told)])


def _output(output: dict[str, Any], cell: dict[str, Any]) -> Iterator[str]:
    """Yield one output in the richest form that a page can show: a card, a picture, or text."""
    if output["output_type"] == "stream":
        yield _printed(_text(output["text"]))
    elif output["output_type"] == "error":
        yield _printed("\n".join(output["traceback"]))
    elif "text/html" in output["data"]:
        yield _fence("{raw} html", f'<div class="card">{_text(output["data"]["text/html"])}</div>')
    elif "image/png" in output["data"]:
        alt = output["metadata"].get("image/png", {}).get("alt") or cell["metadata"].get("alt", "")
        picture = "".join(_text(output["data"]["image/png"]).split())
        source = f"data:image/png;base64,{picture}"
        yield _fence("{raw} html", f'<p><img class="plot" loading="lazy" alt="{escape(alt)}" src="{source}"></p>')
    elif "text/plain" in output["data"]:
        yield _printed(_text(output["data"]["text/plain"]))


def _text(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


def _printed(text: str) -> str:
    return _fence("{code-block} text\n:class: output", COLOUR_CODES.sub("", text).rstrip())


def _fence(opening: str, text: str) -> str:
    """Return a fenced block: the fence is longer than every run of backquotes in the text."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))
    return f"{ticks}{opening}\n\n{text}\n{ticks}"


def _linked(text: str) -> str:
    """Let links into the documentation's source lead to its pages, and "notebook 3" to that notebook."""
    names = {int(path.name[:2]): path.name for path in SOURCE.glob("[0-9][0-9]_*.ipynb")}

    def link(found: re.Match[str]) -> str:
        name = names.get(int(found[2]))
        return f"[{found[1]}]({name})" if name else found[0]

    return NUMBERED.sub(link, TO_DOCS.sub("](../", text))


def _statements_named(text: str) -> str:
    """Return a line with a link for each label that a text names, or nothing; labels that may be words are left out."""
    labels = import_module("verifier.statements.catalogue").STATEMENTS
    named = [
        label
        for label in labels
        if re.search(r"[\d.+]", label) and re.search(rf"(?<![\w.]){re.escape(label)}(?![\w+(])", text)
    ]
    links = ", ".join(f"[{label}](#{anchor(label)})" for label in named)
    return f"*Statements that are named here:* {links}.\n" if named else ""


def read(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn the source of a notebook's page into Markdown."""
    if Path(app.env.doc2path(page)).suffix == ".ipynb":
        source[0] = markdown(json.loads(source[0]))


def setup(app: Sphinx) -> dict[str, Any]:
    """Copy the notebooks before pages are looked for, and convert each before it is parsed."""
    app.add_source_suffix(".ipynb", "markdown")
    app.connect("builder-inited", copy_notebooks)
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
