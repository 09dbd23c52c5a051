"""The notebooks run from top to bottom: ``pip install ".[notebooks]"``, then ``python -m pytest -m notebooks``.

Without the libraries, which are an extra, these tests fail: they only run when they are asked for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MOST_SECONDS = 120.0

pytestmark = [
    pytest.mark.notebooks,
    pytest.mark.filterwarnings("default"),  # Jupyter's own; a warning inside of the kernel is seen in the output
]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from notebook_execution import execute

    if "import torch" in path.read_text("utf-8"):
        pytest.importorskip("torch")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))  # nobody's own settings
    notebook, seconds = execute(path)
    with capsys.disabled():
        print(f"\n{path.name}: {seconds:.1f} s", end=" ")
    complaints = [o.text for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
    assert not complaints
    assert seconds < MOST_SECONDS


def test_an_error_in_a_cell_fails_and_is_named(tmp_path: Path) -> None:
    import nbformat
    from notebook_execution import execute

    cells = [nbformat.v4.new_code_cell("one = 1"), nbformat.v4.new_code_cell("one / 0")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "broken.ipynb")
    with pytest.raises(RuntimeError, match=r"(?s)broken\.ipynb.*one / 0.*ZeroDivisionError"):
        execute(tmp_path / "broken.ipynb")


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
