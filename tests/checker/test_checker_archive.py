"""``checker.pyz`` and the folder for a referee: the same verdicts as `verifier check`, and nothing half-written."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from checker_writer import Builder, dyadic, write
from commands import verifier as command

from verifier.certificate.check_process import CHECKER
from verifier.certificate.standalone import checker_archive, command_line

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "certificates"
FILES = (
    "accepted/attention.json",
    "accepted/full-rank.json",
    "rejected/a-behind-a-mask-with-a-0.json",
    "malformed/no-such-file.json",
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("archive") / "checker.pyz"
    file.write_bytes(checker_archive())
    return file


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file that asks for 20 MB: every input is a number of 40,000 bits."""
    builder = Builder()
    data = builder.data([[i % 200 + 1] for i in range(4000)], [0] * 4000)
    (term,) = data["inputs"]["terms"]
    data["inputs"]["terms"] = [term | {"exponent": 20_000}, term | {"exponent": -20_000}]
    claim = {"label": "Z1", "precision": 32, "output_weights": builder.exact([[1, 0]]), "gamma": dyadic(1)}
    document = builder.document(data, [1], [builder.dense([[1]], [0])], 1, [claim])
    return write(tmp_path_factory.mktemp("large"), document, builder.arrays())


def answers(program: Path, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and what is said of each file, but for the time that it took."""
    line = [sys.executable, "-I", str(program), "--json", *words]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    results = json.loads(done.stdout)["results"]
    return done.returncode, [{key: result[key] for key in result if key != "seconds"} for result in results]


def test_the_archive_says_what_the_checker_says(archive: Path) -> None:
    files = [str(CORPUS / file) for file in FILES]
    found = answers(archive, *files)
    assert found == answers(CHECKER, *files)
    assert [result["verdict"] for result in found[1]] == ["ACCEPTED", "ACCEPTED", "REJECTED", "UNREADABLE"]


def test_the_archive_has_the_limits_of_the_operating_system(archive: Path, large: Path) -> None:
    code, (found,) = answers(archive, "--memory", "0.02", str(large))
    assert (code, found["verdict"], found["rejection"]["rule"]) == (3, "TOO EXPENSIVE", "cost.memory")


def test_equal_sources_are_equal_archives(archive: Path) -> None:
    """Names in order, one date, no compression, so that no machine and no version of zlib shows in the bytes."""
    content = archive.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        entries = opened.infolist()
        assert opened.read("features.py") == CHECKER.with_name("features.py").read_bytes()
    names = [entry.filename for entry in entries]
    assert names == sorted(names)
    assert {(entry.date_time, entry.compress_type, entry.create_system) for entry in entries} == {
        ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3)
    }
    assert {"__main__.py", "FORMAT.md", "LICENSE"} <= set(names)
    assert checker_archive() == content


def test_no_module_hides_one_of_the_standard_library() -> None:
    """A zip archive that runs comes first on ``sys.path``."""
    modules = {path.stem for path in CHECKER.parent.glob("*.py")}
    assert not modules & sys.stdlib_module_names - {"__init__", "__main__"}


def test_the_licence_goes_with_the_checker() -> None:
    assert CHECKER.with_name("LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_a_folder_for_a_referee(tmp_path: Path) -> None:
    folder = tmp_path / "for the referee"
    done = command("check", "--standalone", folder, CORPUS / "accepted" / "full-rank.json")
    assert done.returncode == 0, done.stderr
    names = {"README.txt", "checker.pyz", "full-rank.json", "full-rank.safetensors"}
    assert {path.name for path in folder.iterdir()} == names
    words = (folder / "README.txt").read_text()
    assert "full row rank at this U (R1)" in words
    assert "    python -I checker.pyz full-rank.json\n" in words
    for name in names - {"README.txt"}:
        assert f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" in words
    again = command("check", "--standalone", folder, CORPUS / "accepted" / "attention.json")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "it exists and is not an empty folder; name a new one" in again.stderr


@pytest.mark.parametrize(
    ("file", "code", "said"),
    [
        ("rejected/a-behind-a-mask-with-a-0.json", 1, "is not written: only a certificate that is accepted"),
        ("accepted/none.json", 2, "no certificate file"),
    ],
)
def test_what_is_not_accepted_leaves_nothing(tmp_path: Path, file: str, code: int, said: str) -> None:
    done = command("check", "--standalone", tmp_path / "out", CORPUS / file)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_called_like_the_program_is_refused(tmp_path: Path) -> None:
    for name in ("full-rank.json", "full-rank.safetensors"):
        shutil.copy(CORPUS / "accepted" / name, tmp_path / name.replace("full-rank.json", "CHECKER.PYZ"))
    done = command("check", "--standalone", tmp_path / "out", tmp_path / "CHECKER.PYZ")
    assert (done.returncode, "cannot lie beside the checker's; rename it" in done.stderr) == (2, True)


def test_without_its_library_nothing_is_rejected(archive: Path) -> None:
    """Exit code 1 would say that the certificate is false; without ``site`` there is no python-flint."""
    line = [sys.executable, "-I", "-S", str(archive), str(CORPUS / "accepted" / "full-rank.json")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "it needs python-flint (pip install python-flint); nothing was checked" in done.stderr


def test_what_a_referee_types_is_typed_as_a_shell_wants_it() -> None:
    assert command_line("two words.json", ["--memory", "5"]) == "python -I checker.pyz --memory 5 'two words.json'"
    assert command_line("-h.json") == "python -I checker.pyz ./-h.json"
