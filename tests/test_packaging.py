"""What `pyproject.toml` and the files for others say: one name that is ours, one version, files that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import verifier

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TEXTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "verifier" / "docs").rglob("*.md"),
    *(ROOT / "notebooks").glob("*.ipynb"),
    *(ROOT / "verifier").rglob("*.py"),
]
NAME = "loss-landscape-verifier"


def test_extras_refer_to_the_distribution_by_its_own_name() -> None:
    assert PROJECT["project"]["name"] == NAME
    own = [each for extra in PROJECT["project"]["optional-dependencies"].values() for each in extra if "[" in each]
    assert own and all(each.startswith(f"{NAME}[") for each in own)


def test_nobody_is_told_to_install_another_project() -> None:
    told = re.compile(r"pip install(?: -\S+)* (?:verifier|loss-landscape-verifier)\b")
    assert not [path.name for path in TEXTS if told.search(path.read_text("utf-8"))]


def test_what_the_sdist_includes_exists() -> None:
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert not [each for each in included if not (ROOT / each.lstrip("/")).exists()]


def test_the_version_is_one() -> None:
    (newest,) = re.findall(r"^## (\d[\d.]*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[:1]
    (cited,) = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert newest == cited == verifier.__version__
