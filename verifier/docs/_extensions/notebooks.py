"""The notebooks as pages: read from `notebooks/` with the outputs that are stored in them; none is executed.

When a build starts they are copied beside the other pages, into files that git ignores. MyST-NB makes the pages; what
is done before, to each notebook that is read, is what it does not know: where our links lead on the site, where the
description of a picture stands, and which statements a text names.
"""

from __future__ import annotations

import filecmp
import json
import re
import shutil
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


def copy_notebooks(app: Sphinx) -> None:
    """Bring the copies up to date: only what changed is written, so that only that is built again."""
    for copy in PAGES.glob("*.ipynb"):
        if not (SOURCE / copy.name).exists():
            copy.unlink()
    for path in SOURCE.glob("*.ipynb"):
        copy = PAGES / path.name
        if not copy.exists() or not filecmp.cmp(path, copy, shallow=False):
            shutil.copyfile(path, copy)


def keep_pictures(app: Sphinx) -> None:
    """Let MyST-NB put the notebooks' pictures among the build's own files, not into a folder beside the site."""
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(app.doctreedir / "notebooks"))


def prepare(notebook: dict[str, Any]) -> None:
    """Change a notebook's links into those of the site, and describe its pictures where MyST-NB looks.

    Parameters
    ----------
    notebook
        The notebook's JSON, in format 4; it is changed in place.
    """
    texts = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    named = _statements_named("\n\n".join("".join(cell["source"]) for cell in texts))
    for cell in texts:
        cell["source"] = _linked("".join(cell["source"]))
    for cell in notebook["cells"]:
        if "alt" in cell["metadata"]:
            cell["metadata"]["mystnb"] = {"image": {"alt": cell["metadata"]["alt"], "classes": "plot"}}
    if named:
        notebook["cells"].append({"id": "statements", "cell_type": "markdown", "metadata": {}, "source": named})


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
    """Prepare a notebook that is read."""
    if Path(app.env.doc2path(page)).suffix == ".ipynb":
        notebook = json.loads(source[0])
        prepare(notebook)
        source[0] = json.dumps(notebook)


def setup(app: Sphinx) -> dict[str, Any]:
    """Copy the notebooks before pages are looked for, and prepare each before it is parsed."""
    app.connect("builder-inited", copy_notebooks)
    app.connect("builder-inited", keep_pictures)  # after MyST-NB, which chooses the folder there
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
