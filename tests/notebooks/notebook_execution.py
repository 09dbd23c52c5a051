"""Run a notebook from top to bottom; as a program it renews the outputs of the files named.

What is kept of a run is what a reader sees: no times, pictures with a palette (a third of the size), and the
description of each picture. The author of a cell writes it into the cell's metadata as ``alt``; it is copied to the
output, where Jupyter and nbconvert look for it.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
COLOURS = 128
CELL_SECONDS = 300
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CHECK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
"""Code in a text cell: how the reader checks the answer of an exercise."""


def execute(path: Path, *, checks: bool = False) -> tuple[Any, float]:
    """The notebook with new outputs, and the CPU seconds that it took, in a temporary folder.

    Parameters
    ----------
    path
        The notebook.
    checks
        Whether the code in the text cells, by which exercises are checked, runs too, as cells of their own.

    Raises
    ------
    RuntimeError
        A cell raised an error: its source and the traceback.
    """
    notebook = nbformat.read(path, as_version=4)
    if checks:
        notebook.cells = [with_checks for cell in notebook.cells for with_checks in (cell, *_checks(cell))]
    with tempfile.TemporaryDirectory() as folder:
        before = os.times()
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=resources)
        try:
            client.execute()
        except CellExecutionError as error:
            raise RuntimeError(f"{path.name}: {COLOUR.sub('', str(error))}") from None
        after = os.times()  # the kernel has ended, so its times are counted: those of a busy machine, too
        used = after.children_user - before.children_user + after.children_system - before.children_system
        return notebook, used


def _checks(cell: Any) -> list[Any]:
    """The code of a text cell, as code cells that say so."""
    if cell.cell_type != "markdown":
        return []
    return [nbformat.v4.new_code_cell(code, metadata={"check": True}) for code in CHECK.findall(cell.source)]


def tidy(notebook: Any) -> None:
    """Drop everything that differs from run to run and is not for the reader; describe the pictures."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        alt = cell.metadata.get("alt")
        cell.id, cell.metadata = f"cell-{number:02d}", {"alt": alt} if alt else {}
        outputs = cell.get("outputs", [])
        if outputs:
            cell.outputs = [_joined(outputs[0])]
            for output in outputs[1:]:
                last = cell.outputs[-1]
                if output.output_type == "stream" and last.output_type == "stream" and output.name == last.name:
                    last.text += output.text
                else:
                    cell.outputs.append(_joined(output))
        for output in outputs:
            if alt and "image/png" in output.get("data", {}):
                output.metadata = {"image/png": {"alt": alt}}


def _joined(output: Any) -> Any:
    if "data" in output:
        output.metadata = {}
        if "image/png" in output.data:
            output.data["image/png"] = _smaller(output.data["image/png"])
    return output


def _smaller(png: str) -> str:
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    return base64.b64encode(data.getvalue()).decode()


def main(files: list[str]) -> None:
    for name in files:
        path = Path(name)
        notebook, seconds = execute(path)
        tidy(notebook)
        nbformat.validate(notebook)
        nbformat.write(notebook, path)
        print(f"{name}: {seconds:.1f} s, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
