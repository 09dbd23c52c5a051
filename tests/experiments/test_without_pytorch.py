"""The command without PyTorch and with mistakes: one line, exit code 2, nothing written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import verifier

from verifier.experiments.config import Configuration, read_configuration


class Blocker:
    """A finder that finds no torch, whether it is installed or not."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] == "torch":
            raise ImportError("planted: no torch")


def call(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a fork that has imported neither torch nor anything of the experiments, and finds no torch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "meta_path", [Blocker(), *sys.meta_path])
        for name in list(sys.modules):
            if name.partition(".")[0] == "torch" or name.startswith("verifier.experiments"):
                patch.delitem(sys.modules, name)
        return verifier("experiment", *words, cwd=cwd, NO_COLOR="1")


def refused(answer: subprocess.CompletedProcess[str], words: str, folder: Path) -> None:
    assert answer.returncode == 2 and answer.stdout == ""
    assert len(answer.stderr.splitlines()) == 1 and answer.stderr.startswith("verifier: ")
    assert words in answer.stderr
    assert not (folder / "verifier-out").exists()


def test_pytorch_is_missing(tmp_path: Path) -> None:
    refused(call("tables", cwd=tmp_path), 'pip install ".[torch]"', tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("table",), "tables"),
        (("tables", "--data", "mnits"), "mnist"),
        (("tables", "--config", "none.toml"), "no configuration none.toml"),
        (("tables", "--config", "wrong.toml"), "training.epochs = 0 must be at least 1"),
    ],
)
def test_mistakes(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from verifier.cli import _guarded

    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.toml").write_text("[training]\nepochs = 0\n", "utf-8")
    code = _guarded(["experiment", *words])
    printed = capsys.readouterr()
    refused(subprocess.CompletedProcess([], code, printed.out, printed.err), said, tmp_path)


def test_defaults_are_printed_and_read_back(tmp_path: Path) -> None:
    answer = call("tables", "--defaults", "--seeds", 2, cwd=tmp_path)
    assert answer.returncode == 0 and answer.stderr == ""
    file = tmp_path / "defaults.toml"
    file.write_text(answer.stdout, "utf-8")
    expected = Configuration(seeds=[0, 1])
    assert read_configuration(file) == expected and not (tmp_path / "verifier-out").exists()
