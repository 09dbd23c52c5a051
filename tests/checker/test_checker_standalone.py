"""The checker alone: ``python -I`` on its entry file, in a virtual environment that has nothing but python-flint."""

from __future__ import annotations

import json
import subprocess
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest

import verifier
from verifier.certificate.standalone import checker_archive
from verifier.run.case import parse_case
from verifier.run.case_problem import run_case

CHECKER = Path(verifier.__file__).parent / "checker"
CASE = """
data = { name = "digits", samples = 16 }
network.layers = [{ kind = "dense", width = 24, activation = "tanh", skip = true }]
"""


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the files of the installed python-flint and of no other distribution (no network)."""
    home = tmp_path_factory.mktemp("bare")
    venv.EnvBuilder(symlinks=True, with_pip=False).create(home)
    (site,) = home.glob("lib/python*/site-packages")
    flint = distribution("python-flint")
    assert flint.files is not None
    tops = {file.parts[0] for file in flint.files if file.parts[0] not in ("..", "bin")}
    for top in tops:
        (site / top).symlink_to(Path(str(flint.locate_file(top))))
    return home / "bin" / "python"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_case(parse_case(CASE), parts=frozenset({"rank", "path"}))[1].write(
        tmp_path_factory.mktemp("certificate") / "c.json"
    )


def test_the_environment_is_bare(bare_python: Path) -> None:
    for module in ("numpy", "scipy", "sympy", "mpmath", "verifier", "msgspec", "safetensors"):
        found = subprocess.run([bare_python, "-I", "-c", f"import {module}"], capture_output=True, check=False)
        assert b"ModuleNotFoundError" in found.stderr, module
    assert subprocess.run([bare_python, "-I", "-c", "import flint"], check=False).returncode == 0


@pytest.mark.parametrize("entry", [CHECKER / "__main__.py", CHECKER, "checker.pyz"])
def test_the_checker_needs_only_python_flint(
    bare_python: Path, certificate: Path, entry: Path | str, tmp_path: Path
) -> None:
    (tmp_path / "checker.pyz").write_bytes(checker_archive())
    found = subprocess.run(
        [bare_python, "-I", entry, "--json", certificate], capture_output=True, cwd=tmp_path, check=False
    )
    assert found.returncode == 0, found.stderr.decode()
    (result,) = json.loads(found.stdout)["results"]
    assert result["verdict"] == "ACCEPTED"
    assert [claim["label"] for claim in result["claims"]] == ["R1", "Z1", "P1"]


def test_a_copy_of_the_folder_works_elsewhere(bare_python: Path, certificate: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for source in CHECKER.glob("*.py"):
        (copy / source.name).write_bytes(source.read_bytes())
    found = subprocess.run([bare_python, "-I", copy / "__main__.py", certificate], capture_output=True, check=False)
    assert found.returncode == 0, found.stderr.decode()
    assert b"ACCEPTED" in found.stdout


def test_modules_of_the_checker_are_short() -> None:
    """What a stranger reads at a time: a module of at most 450 lines, a function of at most 70."""
    import ast

    for path in CHECKER.glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 450, path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < 70, f"{path.name}: {node.name}"
