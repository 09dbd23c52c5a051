"""The zoo: models as people have them are converted exactly, proved as far as the theory goes, and checked."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.zoo
pytest.importorskip("torch")
pytest.importorskip("onnx")

from zoo_harness import STATEMENTS, examined  # noqa: E402
from zoo_specimens import SPECIMENS, Specimen  # noqa: E402


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda s: f"{s.framework}: {s}")
def test_a_model_of_the_zoo(specimen: Specimen, tmp_path):
    found = examined(specimen, tmp_path)
    assert found.verdicts == {name: specimen.expected.get(name, "PROVED") for name in STATEMENTS}
