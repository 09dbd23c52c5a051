"""Small things that people ran into: a bare command, names that the terminal cannot print, tied weights, messages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import verifier as vf
from verifier.certificate.files import atomic_write
from verifier.errors import CertificateError

X, Y = [[0.0, 1.0], [1.0, 0.0]], ["é", "ü"]
LAYERS = [vf.Dense(3, "tanh", skip=True)]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""An environment whose terminal has no letters beyond ASCII."""

SHOW_AND_CHECK = """
import sys
from verifier.cli import main
for word in ("show", "check"):
    try:
        main([word, sys.argv[1]])
    except SystemExit as end:
        assert not end.code, word
    print(end="\\x1e" if word == "show" else "")
"""
"""Two commands in one process, a record separator between what they print."""


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "verifier", *arguments], capture_output=True, env={**os.environ, **environment}
    )


def test_the_bare_command_prints_its_help() -> None:
    bare, asked = command(), command("--help")
    assert (bare.returncode, bare.stderr) == (0, b"")
    assert bare.stdout == asked.stdout
    assert b"Usage: verifier" in bare.stdout


def test_a_name_that_the_terminal_cannot_print_is_escaped(tmp_path: Path) -> None:
    file = tmp_path / "certificate.json"
    vf.verify(X, Y, LAYERS, name="données").write(file)
    line = [sys.executable, "-c", SHOW_AND_CHECK, str(file)]
    found = subprocess.run(line, capture_output=True, env={**os.environ, **ASCII})
    assert (found.returncode, found.stderr) == (0, b"")
    shown, checked = found.stdout.split(b"\x1e")
    assert rb"donn\xe9es" in shown
    assert b"ACCEPTED" in checked  # isolated, it writes UTF-8 there


def test_a_rejection_of_the_whole_document_names_a_place(tmp_path: Path) -> None:
    file = tmp_path / "certificate.json"
    file.write_text("{")
    assert vf.check(file).reason.startswith("container.json at /: ")


@pytest.mark.parametrize("argument", ["name", "losses", "targets", "stage"])
@pytest.mark.parametrize("value", [None, 3, True, object()], ids=["none", "number", "bool", "object"])
def test_an_argument_of_the_wrong_kind_gets_one_line(argument: str, value: object) -> None:
    with pytest.raises(vf.InputError, match=f"^{argument} = "):
        vf.verify(X, Y, LAYERS, **{argument: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [vf.check, vf.show])
def test_a_file_that_is_no_name_gets_one_line(function: object) -> None:
    with pytest.raises(vf.InputError, match=r"\(3\): not a file's name"):
        function(3)  # type: ignore[operator]


def test_targets_may_be_an_array() -> None:
    assert vf.verify(X, Y, LAYERS, targets=np.array([0.25])).verdict("path") is vf.Verdict.PROVED


def test_the_remedy_for_a_folder_that_cannot_be_written_exists(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    found = command("init", str(blocked / "case.toml"))
    assert found.returncode == 2
    assert b"--out" not in found.stderr  # an option that init does not have
    assert b"name a file in another folder" in found.stderr
    with pytest.raises(CertificateError, match="--out"):
        atomic_write(blocked / "certificate.json", b"")


def test_u_may_be_the_list_of_its_arrays() -> None:
    layers = [vf.Dense(3, "tanh", skip=True), vf.Dense(2, "tanh", skip=True)]
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((3, 2), (3,), (2, 3), (2,))]
    flat = np.concatenate([array.ravel() for array in arrays])
    assert (vf.verify(X, Y, layers, arrays).u == flat).all()
    with pytest.raises(vf.InputError, match=r"^u: 2 arrays for 4 parameters"):
        vf.verify(X, Y, layers, arrays[:2])
    with pytest.raises(vf.InputError, match="its transpose fits"):
        vf.verify(X, Y, layers, [arrays[0].T, *arrays[1:]])
