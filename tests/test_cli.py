"""The command line: exit codes, one-line errors, no traceback, nothing half-written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import forked, verifier
from safetensors.numpy import save_file

from verifier.cli import _command, _guarded
from verifier.cli.help import SECTIONS

SMALL = """
[data]
name = "digits"
samples = 20

[network]
layers = [{ kind = "dense", width = 30, activation = "tanh", skip = true }]
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    path = tmp_path / "case.toml"
    path.write_text(SMALL)
    return path


def fails(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 2) -> str:
    """Run a command that must fail with one clear line on stderr and nothing on stdout."""
    assert _guarded([str(a) for a in arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("verifier: ")
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err


def test_rank_writes_a_certificate_that_the_checker_accepts(case: Path, tmp_path: Path) -> None:
    found = verifier("rank", case, "--out", tmp_path / "rank.json")
    assert found.returncode == 0, found.stderr
    assert "PROVED" in found.stdout
    assert found.stderr == ""
    checked = verifier("check", tmp_path / "rank.json")
    assert checked.returncode == 0, checked.stdout
    assert "ACCEPTED" in checked.stdout
    shown = verifier("show", tmp_path / "rank.json")
    assert shown.returncode == 0
    assert "rank Psi(U) = 20" in shown.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["case.toml", "rank.json", "rank.safetensors"]


def test_path_in_json_is_one_document(case: Path, tmp_path: Path) -> None:
    found = verifier("path", case, "--json", "--out", tmp_path / "path.json")
    assert found.returncode == 0
    document = json.loads(found.stdout)
    assert {s["key"]: s["verdict"] for s in document["steps"]}["path"] == "PROVED"
    checked = verifier("check", tmp_path / "path.json", "--json")
    assert json.loads(checked.stdout)["results"][0]["verdict"] == "ACCEPTED"


def test_run_of_a_case_file(case: Path, tmp_path: Path) -> None:
    found = verifier("run", case, "--out", tmp_path / "out", "--json")
    assert found.returncode == 0, found.stdout + found.stderr
    document = json.loads(found.stdout)
    assert document["cases"][0]["check"]["verdict"] == "ACCEPTED"
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == document
    lines = verifier("run", case, "--out", tmp_path / "out").stdout.splitlines()
    places = [line for line in lines if str(tmp_path) in line]  # whole, so that they can be copied
    assert max(len(line) for line in lines if line not in places) <= 80
    assert [line.partition(":")[0].strip() for line in places[:3]] == ["Certificate", "Report", "Next"]
    assert lines[1].startswith("PROVED     this loss landscape has no bad local valley; from this start")
    assert "PROVED     no bad local valley (T3.4(2))" in lines
    assert len(lines) <= 50


def test_exit_codes_refuted_undecided_and_as_expected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = SMALL.replace("width = 30", "width = 10")
    zeros = SMALL + '\n[start]\ninit = "zeros"\n'
    (tmp_path / "patches.csv").write_text("x1,x2,label\n0,0,a\n1,1,b\n")
    tied = """
        data = { path = "patches.csv", scale = "none" }
        network.layers = [
          { kind = "conv1d", filters = 1, kernel = [1], bias = "tied", activation = "square", skip = true },
        ]
        start = { init = "zeros" }
        """
    for name, text, command, code in (
        ("few", few, "rank", 1),
        ("few-expected", few + '\n[expect]\nrank = "REFUTED"\n', "rank", 0),
        ("unexpected", SMALL + '\n[expect]\nrank = "REFUTED"\n', "rank", 1),
        ("zeros", zeros, "path", 0),
        ("tied", tied, "path", 3),
        ("tied-run", tied + 'expect = { rank = "REFUTED", path = "UNDECIDED" }\n', "path", 0),
        ("tied-witness", tied, "witness", 1),
        ("small-witness", SMALL, "witness", 0),
    ):
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        assert _guarded([command, str(path)]) == code, name
    capsys.readouterr()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("name", "nmae"), "unknown key 'data.nmae'; did you mean 'name'?"),
        (('"digits"', '"digit"'), "did you mean 'digits'?"),
        (("samples = 20", "samples = 2000"), "2000"),
        (("samples = 20", "samples = 1"), "1"),
        (("samples = 20", 'samples = "all"'), "samples"),
        (("samples = 20", "samples = 20\nsamples = 21"), "TOML"),
        (('"tanh"', '"tnah"'), "did you mean 'tanh'?"),
        (('"tanh"', "\"__import__('os')\""), "__import__"),
        (('"dense"', '"dens"'), "did you mean 'dense'?"),
        (("width = 30", "width = 0"), "width"),
        (("width = 30", "wdith = 30"), "did you mean 'width'?"),
        (("width = 30", "width = 30, filters = 3"), "filters"),
        (("skip = true", "skip = false"), "skip = true"),
        (("skip = true", "skip = [3, 2]"), "increasing"),
        (("skip = true", "skip = [99]"), "0..29"),
        (("skip = true", "skip = true, inputs = [0]"), "earlier layer"),
        (("skip = true", 'skip = true, inputs = ["output"]'), "output"),
        (("[network]", "[netwrok]"), "did you mean 'network'?"),
        (
            ("layers = [", "layers = [{ kind = 'conv2d', filters = 2, kernel = [9, 9], activation = 'tanh' }, "),
            "kernel size 9",
        ),
        (("layers = [", "layers = [{ kind = 'conv1d', filters = 2, kernel = 3, activation = 'tanh' }, "), "shape"),
        (
            (
                "layers = [",
                "layers = [{ kind = 'conv2d', filters = 2, kernel = 1, padding = 1, activation = 'tanh' }, ",
            ),
            "below",
        ),
        (
            ("layers = [", "layers = [{ kind = 'conv1d', filters = 2, kernel = 3, pading = 1, activation = 'tanh' }, "),
            "padd",
        ),
        (("layers = [", "layers = [{ kind = 'avgpool', kernel = 3, padding = 1 }, "), "padding"),
        (("layers = [{", "layers = []\nrest = [{"), "rest"),
        (("samples = 20", "samples = 20\nduplicates = 'drop'"), "group"),
        (("samples = 20", "samples = 20\nscale = 'big'"), "auto"),
        (("samples = 20", "samples = 20\nshape = [3, 3]"), "[3, 3]"),
        (("samples = 20", "samples = 20\npath = 'x.csv'"), "exactly one"),
        (("[network]", "[start]\ninit = 'guassian'\n[network]"), "gaussian"),
        (("[network]", "[start]\nscale = nan\n[network]"), "finite"),
        (("[network]", "[start]\nscale = -1.0\n[network]"), "-1.0"),
        (("[network]", "[start]\nseed = -1\n[network]"), "seed"),
        (("[network]", "[start]\noutput = 'one'\n[network]"), "gaussian or zeros"),
        (("[network]", "[start]\nfile = 'missing.safetensors'\n[network]"), "missing.safetensors"),
        (("[network]", "[path]\ntargets = ['-1']\n[network]"), "positive"),
        (("[network]", "[path]\ntargets = ['zero']\n[network]"), "positive"),
        (("[network]", "[rank]\nmax_bits = 10\n[network]"), "64..16384"),
        (("[network]", "[expect]\nrank = 'TRUE'\n[network]"), "rank"),
    ],
)
def test_a_bad_case_gets_one_line_that_names_the_value(
    change: tuple[str, str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(SMALL.replace(*change, 1))
    assert says in fails(capsys, "path", path, "--out", tmp_path / "never.json")
    assert [p.name for p in tmp_path.iterdir()] == ["bad.toml"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("1,2,a\n1,nan,b\n", "nan"),
        ("1,2,a\n1,inf,b\n", "inf"),
        ("1,2,a\n1,b\n", "line 2"),
        ("1,2,a\n1,x,b\n", "x"),
        ("1,2,a\n3,4,a\n", "class"),
        ("", "empty"),
        ("1,2,0\n3,4,2.5\n", "2.5"),
        ("1,2,a\n1,1e400,b\n", "1e400"),
    ],
)
def test_bad_data_gets_one_line(content: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.csv").write_text(content)
    path = tmp_path / "case.toml"
    path.write_text(SMALL.replace('name = "digits"\nsamples = 20', 'path = "data.csv"'))
    assert says in fails(capsys, "rank", path)


def test_weights_from_a_file(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    good = {
        "layer0.weight": rng.normal(size=(30, 64)).astype(np.float32),
        "layer0.bias": rng.normal(size=30),
        "V": rng.normal(size=(30, 10)),
    }
    case.write_text(SMALL + '\n[start]\nfile = "w.safetensors"\n')
    save_file(good, tmp_path / "w.safetensors")
    assert _guarded(["rank", str(case)]) == 0
    capsys.readouterr()
    for change, says in (
        ({"layer0.bias": np.zeros(29)}, "shape [29]"),
        ({"layer0.bias": np.full(30, np.nan)}, "is nan"),
        ({"layer1.bias": np.zeros(30)}, "layer1.bias"),
        ({"V": np.zeros((30, 9))}, "[30, 9]"),
    ):
        save_file({**good, **change}, tmp_path / "w.safetensors")
        assert says in fails(capsys, "rank", case)
    save_file({"layer0.weight": good["layer0.weight"]}, tmp_path / "w.safetensors")
    assert "layer0.bias" in fails(capsys, "rank", case)
    (tmp_path / "w.safetensors").write_bytes(b"not safetensors")
    assert "not a safetensors file" in fails(capsys, "rank", case)


def test_usage_errors(tmp_path: Path, case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no case file" in fails(capsys, "rank", tmp_path / "nothing.toml")
    assert "folder" in fails(capsys, "rank", tmp_path)
    assert "--bogus" in fails(capsys, "run", "--bogus")
    assert "quick" in fails(capsys, "run", "--suite", "all")
    assert "exclude" in fails(capsys, "run", "--suite", "quick", case)
    assert ".json" in fails(capsys, "rank", case, "--out", tmp_path / "x.txt")
    assert "no certificate" in fails(capsys, "show", tmp_path / "x.json")
    assert "not a verifier certificate" in fails(capsys, "show", _write(tmp_path / "y.json", "{}"))
    assert "not a JSON" in fails(capsys, "show", _write(tmp_path / "z.json", "{"))
    assert "exists" in fails(capsys, "init", case)
    blocked = _write(tmp_path / "file", "")
    assert "cannot write" in fails(capsys, "rank", case, "--out", blocked / "x.json")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in fails(capsys, "rank", binary)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("rnu",), "no such command 'rnu'; did you mean 'run'? (see verifier --help)"),
        (("run", "--suit", "quick"), "no such option: --suit; did you mean one of --out, --suite? (see verifier run"),
        (("run", "--jobs", "0"), "--jobs: must be at least 1 (see verifier run --help)"),
        (("run", "--jobs", "9999"), "--jobs: must be at most 1024 (see verifier run --help)"),
        (("run", "--jobs", "two"), "--jobs: must be an integer (see verifier run --help)"),
        (("run", "--memory", "much"), "--memory: must be a number (see verifier run --help)"),
        (("rank", "CASE", "--memory", "inf"), "--memory: must be at most 1000000 (see verifier rank --help)"),
        (("rank",), "missing argument 'CASE.toml' (see verifier rank --help)"),
        (("run", "--scheduler", "nowhere"), "--scheduler 'nowhere': no address; write tcp://HOST:8786"),
        (("path", "CASE", "--escape", "E9"), "--escape 'E9': no such escape; use one of E1, E2, E3, E4"),
        (("run", "CASE", "--only", "x"), "--only 'x': no case of this name; there is only 'case'"),
        (("show", "CASE"), "is not a JSON document (Expecting value: line 2 column 2 (char 2)); name a certificate's"),
    ],
)
def test_usage_errors_are_of_one_kind(
    arguments: tuple[str, ...], says: str, case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(case) if word == "CASE" else word for word in arguments]
    said = fails(capsys, *given)
    assert said.startswith(f"verifier: {says}") or (arguments[0] == "show" and says in said)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("samples = 20", 'samples = "all"'), "data.samples must be an integer, not text"),
        (("width = 30, ", ""), "network.layers[0]: 'width' is missing; `verifier init` writes a sample"),
        (("width = 30", 'width = "30"'), "network.layers[0]: width must be an integer, not text"),
        (('name = "digits"', "name = 3"), "data.name must be text, not an integer"),
        (("[network]", "[path]\ntargets = [true]\n[network]"), "path.targets[0] must be a number or text, not true or"),
    ],
)
def test_a_wrong_type_is_said_in_words(
    change: tuple[str, str], says: str, case: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case.write_text(SMALL.replace(*change, 1))
    assert says in fails(capsys, "rank", case)


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_check_without_a_file_is_exit_code_2(tmp_path: Path) -> None:
    found = verifier("check", tmp_path / "missing.json")
    assert found.returncode == 2
    assert "Traceback" not in found.stdout + found.stderr


def test_the_sample_case_runs(tmp_path: Path) -> None:
    assert verifier("init", cwd=tmp_path).returncode == 0
    found = verifier("path", "case.toml", cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


def test_seed_changes_the_start_and_the_same_seed_gives_the_same_bytes(case: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert _guarded(["rank", str(case), "--seed", seed, "--out", str(tmp_path / f"{name}.json")]) == 0
    a, b, c = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "abc")
    assert a == b != c


def test_help_is_quick_and_complete() -> None:
    started = time.perf_counter()
    command = [sys.executable, "-m", "verifier", "--help"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0
    assert time.perf_counter() - started < 5.0  # a hang, not a benchmark
    rows = {words for words, *_ in map(str.split, filter(str.strip, found.stdout.splitlines()))}
    assert set(_command().commands) <= rows


def test_every_row_of_the_help_is_whole_and_every_command_has_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert _guarded(["-h"]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    rows = {name: words for section in SECTIONS.values() for name, words in section.items()}
    assert all(f"{name} {rows[name]}" in shown for name in _command().commands)
    assert not any(line.startswith("--install-completion") for line in shown)  # named below, not listed


def test_every_command_explains_itself_in_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in _command().commands:
        assert _guarded([name, "-h"]) == 0
        short = capsys.readouterr().out
        assert _guarded([name, "--help"]) == 0
        assert short == capsys.readouterr().out
        assert max(map(len, short.splitlines())) <= 80, name
        assert not re.search(r"<[a-z]|[{}]|\[\[|\.\.\. ?\.", short), name  # names, not types or nested brackets


def test_the_shell_is_told_what_completes_a_word() -> None:
    asked = {"_VERIFIER_COMPLETE": "complete_bash", "COMP_WORDS": "verifier ru", "COMP_CWORD": "1"}
    assert verifier(**asked).stdout.split() == ["run"]
    options = verifier(**asked | {"COMP_WORDS": "verifier run --j", "COMP_CWORD": "2"}).stdout.split()
    assert options == ["--jobs", "--json"]
    code = "import sys, verifier.cli; sys.exit(any(m in sys.modules for m in ('numpy', 'sympy', 'flint', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "sent",
    [signal.SIGINT, *(pytest.param(each, marks=pytest.mark.thorough) for each in (signal.SIGTERM, signal.SIGKILL))],
)
def test_interruption_leaves_nothing_half_written(sent: signal.Signals, tmp_path: Path) -> None:
    """Killed while certificates are being written: every certificate that is there is whole."""
    out, family = tmp_path / "out", tmp_path / "family.toml"
    family.write_text(SMALL + f'[[vary]]\n"start.seed" = {list(range(100))}\n')
    told = tmp_path / "stdout", tmp_path / "stderr"
    with open(os.devnull) as nothing, told[0].open("w") as first, told[1].open("w") as second:
        streams = (nothing.fileno(), first.fileno(), second.fileno())
        process = forked(["run", str(family), "--out", str(out)], streams, None, {"NO_COLOR": "1"})
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(out.glob("certificates/*.json"))) < 2:
        time.sleep(0.02)
    os.kill(process, sent)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    stdout, stderr = (path.read_text() for path in told)
    assert stdout == ""
    assert "Traceback" not in stderr
    if sent is not signal.SIGKILL:
        assert code == 130
        assert stderr.count("\n") == 1
        assert not list(out.glob("**/*.part"))
    assert not (out / "results.json").exists()
    written = sorted(out.glob("certificates/*.json"))
    assert len(written) >= 2
    checked = verifier("check", *written)
    assert checked.returncode == 0, checked.stdout
