"""The zoo: models as people have them are converted exactly, proved as far as the theory goes, and checked."""

from __future__ import annotations

from dataclasses import replace

import pytest

import verifier as vf

pytestmark = pytest.mark.zoo
pytest.importorskip("torch")
pytest.importorskip("onnx")

from zoo_harness import STATEMENTS, compare, examined  # noqa: E402
from zoo_specimens import SPECIMENS, Specimen  # noqa: E402
from zoo_table import PAGE, cells  # noqa: E402


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda s: f"{s.framework}: {s}")
def test_a_model_of_the_zoo(specimen: Specimen, tmp_path):
    found = examined(specimen, tmp_path)
    assert found.verdicts == {name: specimen.expected.get(name, "PROVED") for name in STATEMENTS}


@pytest.mark.parametrize("name", ["u", "v"])
def test_another_model_is_noticed(name, tmp_path):
    """One number that differs by a billionth is another model."""
    specimen = SPECIMENS[0]
    model, (X, _) = specimen.model(tmp_path), specimen.data(specimen.samples)
    found = vf.from_torch(model, X)
    compare(specimen, model, X, found)
    numbers = getattr(found, name).copy()
    numbers[-1] += 1e-9  # a bias; the first is the weight of a pixel that is always black
    with pytest.raises(AssertionError):
        compare(specimen, model, X, replace(found, **{name: numbers}))


def test_the_page_has_these_models_and_verdicts():
    """The table is not older than the zoo; `python tests/zoo/zoo_table.py` writes it."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    found = [(line.split(" | ")[0][2:], line.split(" | ")[3], " | ".join(line.split(" | ")[4:9])) for line in lines]
    wanted = []
    for specimen in SPECIMENS:
        verdicts = {name: specimen.expected.get(name, "PROVED") for name in STATEMENTS}
        wanted.append((specimen.name, str(specimen.samples), cells(verdicts)))
    assert [one for one in found if one[0] != "model"] == wanted
