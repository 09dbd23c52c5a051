"""Real certificates made by the prover, once per session."""

from __future__ import annotations

from pathlib import Path

import pytest

from verifier.run.case import parse_case
from verifier.run.case_problem import run_case

PARTS = frozenset({"rank", "path"})
CASES = {
    "full": """
        data = { name = "digits", samples = 24 }
        network.layers = [{ kind = "dense", width = 40, activation = "tanh", skip = true }]
        """,
    "grouped": """
        data = { path = "grouped.csv", scale = "none" }
        network.layers = [{ kind = "dense", width = 6, activation = "sigmoid", skip = true }]
        start = { scale = 2.0 }
        """,
    "deep": """
        data = { path = "line.csv", scale = "none" }
        network.layers = [{ kind = "dense", width = 36, activation = "tanh", skip = true }]
        """,
    "conv": """
        data = { name = "digits", samples = 16 }
        network.layers = [
          { kind = "conv2d", filters = 2, kernel = [3, 3], stride = [2, 2], activation = "softplus", skip = true },
          { kind = "avgpool", kernel = [2, 2], stride = [1, 1], skip = [0, 3] },
          { kind = "dense", width = 12, activation = "arctan", inputs = ["input", 1], skip = true },
        ]
        """,
    "cloned": """
        data = { name = "digits", samples = 20 }
        network.layers = [{ kind = "dense", width = 30, activation = "tanh", skip = true }]
        start = { init = "cloned", units = 15 }
        """,
    "few": """
        data = { name = "digits", samples = 20 }
        network.layers = [{ kind = "dense", width = 12, activation = "tanh", skip = true }]
        """,
    "kept": """
        data = { path = "grouped.csv", scale = "none", duplicates = "keep" }
        network.layers = [{ kind = "dense", width = 9, activation = "sigmoid", skip = true }]
        start = { scale = 2.0 }
        """,
}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One certificate per case of `CASES`, written by the package."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "grouped.csv").write_text("0,0,a\n1,0,b\n0,1,b\n1,1,a\n1,0,b\n1,0,b\n")
    (folder / "line.csv").write_text("".join(f"{i / 24},{'ab'[i % 2]}\n" for i in range(1, 25)))
    written = {}
    for name, text in CASES.items():
        case = parse_case(text, name=name, folder=folder)
        written[name] = run_case(case, parts=PARTS)[1].write(folder / f"{name}.json")
    for name in ("full", "deep", "conv"):
        case = parse_case(CASES[name], name=name, folder=folder)
        written[f"{name}-rank"] = run_case(case, parts=frozenset({"rank"}))[1].write(folder / f"{name}-rank.json")
    return written
