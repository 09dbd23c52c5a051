"""The notebooks run from top to bottom: ``pip install ".[notebooks]"``, then ``python -m pytest -m notebooks``.

Without the libraries, which are an extra, these tests fail: they only run when they are asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MOST_SECONDS = 120.0
FOUND = re.compile(r"\b(PROVED|REFUTED|UNDECIDED|TESTED|ACCEPTED|REJECTED|TOO EXPENSIVE|FALSIFIED)\b")
"""What a reader takes away from an output: if one of these changes, the text around it may be false."""

pytestmark = [
    pytest.mark.notebooks,
    pytest.mark.filterwarnings("default"),  # Jupyter's own; a warning inside of the kernel is seen in the output
]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_with_its_checks_and_finds_what_is_stored(
    path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat
    from notebook_execution import execute

    if "import torch" in path.read_text("utf-8"):
        pytest.importorskip("torch")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))  # nobody's own settings
    notebook, seconds = execute(path, checks=True)
    with capsys.disabled():
        print(f"\n{path.name}: {seconds:.1f} s", end=" ")
    complaints = [o.text for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
    assert not complaints
    stored = nbformat.read(path, as_version=4)
    assert not differences(stored.cells, [cell for cell in notebook.cells if "check" not in cell.metadata])
    assert seconds < MOST_SECONDS


def differences(stored: list[Any], found: list[Any]) -> list[str]:
    """The code cells whose verdicts, or whose kinds of output, are not those that are stored."""
    pairs = zip(stored, found, strict=True)
    return [one.source for one, other in pairs if one.cell_type == "code" and _taken(one) != _taken(other)]


def _taken(cell: Any) -> tuple[Counter[str], set[str]]:
    """The verdicts in the outputs of a cell, each as often as it is there, and whether there is text and a picture."""
    texts = [output.get("text", "") for output in cell.outputs]
    texts += [output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    kinds = {kind for output in cell.outputs for kind in output.get("data", {output.output_type: ""})}
    return Counter(FOUND.findall("\n".join(texts))), kinds


def test_another_verdict_and_a_missing_picture_are_differences() -> None:
    import nbformat

    def cell(text: str, *pictures: str) -> Any:
        outputs = [nbformat.v4.new_output("stream", text=text)]
        outputs += [nbformat.v4.new_output("display_data", {"image/png": picture}) for picture in pictures]
        return nbformat.v4.new_code_cell("pass", outputs=outputs)

    stored = [cell("PROVED at least 0.5, in 3 s", "one")]
    assert not differences(stored, [cell("PROVED at least 0.51, in 4 s", "other")])
    assert differences(stored, [cell("UNDECIDED", "one")])
    assert differences(stored, [cell("PROVED at least 0.5, in 3 s")])


def test_an_error_in_a_cell_fails_and_is_named(tmp_path: Path) -> None:
    import nbformat
    from notebook_execution import execute

    cells = [nbformat.v4.new_code_cell("one = 1"), nbformat.v4.new_code_cell("one / 0")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "broken.ipynb")
    with pytest.raises(RuntimeError, match=r"(?s)broken\.ipynb.*one / 0.*ZeroDivisionError"):
        execute(tmp_path / "broken.ipynb")
    cells = [nbformat.v4.new_code_cell("one = 1"), nbformat.v4.new_markdown_cell("Check:\n\n```python\none / 0\n```")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "answer.ipynb")
    execute(tmp_path / "answer.ipynb")
    with pytest.raises(RuntimeError, match=r"(?s)answer\.ipynb.*one / 0.*ZeroDivisionError"):
        execute(tmp_path / "answer.ipynb", checks=True)


def test_progress_leaves_nothing_below_the_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from notebook_execution import execute

    source = """import verifier as vf
with vf.progress() as stage:
    stage("something long")
print("done")"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    nbformat.write(notebook, tmp_path / "progress.ipynb")
    line, printed = execute(tmp_path / "progress.ipynb")[0].cells[0].outputs
    assert line["data"] == {"text/plain": "", "text/html": ""} and printed["text"] == "done\n"
