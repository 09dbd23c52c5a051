"""Run a notebook from top to bottom; as a program it renews the outputs of the files named.

What is kept of a run is what a reader sees: no times, no metadata, pictures with a palette (a third of the size).
"""

from __future__ import annotations

import base64
import io
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
COLOURS = 128
CELL_SECONDS = 120
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def execute(path: Path) -> tuple[Any, float]:
    """The notebook with new outputs, and the seconds that it took, in a temporary folder.

    Raises
    ------
    RuntimeError
        A cell raised an error: its source and the traceback.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=resources)
        try:
            client.execute()
        except CellExecutionError as error:
            raise RuntimeError(f"{path.name}: {COLOUR.sub('', str(error))}") from None
        return notebook, time.monotonic() - began


def tidy(notebook: Any) -> None:
    """Drop everything that differs from run to run and is not for the reader."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number:02d}", {}
        outputs = cell.get("outputs", [])
        if outputs:
            cell.outputs = [_joined(outputs[0])]
            for output in outputs[1:]:
                last = cell.outputs[-1]
                if output.output_type == "stream" and last.output_type == "stream" and output.name == last.name:
                    last.text += output.text
                else:
                    cell.outputs.append(_joined(output))


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
