"""Every public name has an example under the heading Examples, and it runs."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest
from everyday import one_in

import verifier as vf

OF_TORCH = ("from_torch",)
NAMES = sorted(set(vf.__all__) - {"__version__", *OF_TORCH})
DOCUMENTED = {"STATEMENTS": "verifier.statements.catalogue"}
"""Data has no docstring of its own: the module that has the example."""


def runs(name: str) -> bool:
    """Whether a public name has an example and all of it prints what is shown; if not, the report is on stdout."""
    value = getattr(vf, name)
    text = inspect.getdoc(importlib.import_module(DOCUMENTED[name]) if name in DOCUMENTED else value) or ""
    example = doctest.DocTestParser().get_doctest(text, {"__name__": "example"}, name, None, 0)
    assert example.examples, f"{name}: no >>> example in its docstring"
    assert "Examples\n--------" in text, f"{name}: its example stands under no heading Examples"
    return doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("name", one_in(2, NAMES))
def test_the_example_of_every_public_name_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert runs(name), capsys.readouterr().out
    assert not list(tmp_path.iterdir()), f"the example of {name} leaves files behind"


@pytest.mark.torch
@pytest.mark.parametrize("name", OF_TORCH)
def test_the_examples_with_pytorch_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs(name), capsys.readouterr().out
