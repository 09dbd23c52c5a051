"""Families: what they stand for, the members' names and texts, and what is said of a wrong one."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from running import FAMILY, SILENT, family, results, verifier

from verifier.errors import CaseError, InputError
from verifier.landscape.losses import LOSSES
from verifier.network.initialise import INITS
from verifier.run import family as module
from verifier.run.case import parse_case
from verifier.run.family import read_cases
from verifier.run.runner import packaged_cases, run_cases
from verifier.run.toml import case_toml, to_toml
from verifier.verdict import Verdict


def test_members_are_the_product_of_the_tables_and_keys_of_one_table_go_together(tmp_path: Path) -> None:
    text = FAMILY.replace(
        '"network.layers.0.activation" = ["tanh", "sigmoid", "softplus"]',
        '"network.layers.0.activation" = ["tanh", "relu"]\n"expect.analytic" = ["PROVED", "REFUTED"]',
    )
    cases = read_cases(family(tmp_path, text))
    assert [case.name for case in cases] == ["line-tanh-seed0", "line-tanh-seed1", "line-relu-seed0", "line-relu-seed1"]
    assert [case.expected["analytic"] for case in cases] == [Verdict.PROVED] * 2 + [Verdict.REFUTED] * 2
    assert [case.file.start.seed for case in cases] == [0, 1, 0, 1]
    assert cases[3].file.title == "Points on a line (relu, seed1)"
    assert {case.folder for case in cases} == {tmp_path}


def test_bare_dotted_keys_names_and_sections_that_are_missing(tmp_path: Path) -> None:
    text = FAMILY[: FAMILY.index("[[vary]]")] + (
        '[[vary]]\nstart.scale = [1.0, 2.0]\npath.targets = [["1e-3"], ["1e-9", 0.5]]\nname = ["near", "far end"]\n'
    )
    near, far = read_cases(family(tmp_path, text))
    assert (near.name, far.name) == ("line-near", "line-far_end")
    assert far.file.path.targets == ["1e-9", 0.5]
    assert far.file.start.scale == 2.0


def test_a_plain_case_file_is_its_only_member(tmp_path: Path) -> None:
    (case,) = read_cases(family(tmp_path, FAMILY[: FAMILY.index("[[vary]]")]))
    assert case.name == "line"


@pytest.mark.parametrize("suite", ["main", "full"])
def test_every_packaged_case_is_the_same_after_writing_it_as_a_case_file(suite: str) -> None:
    for case in packaged_cases(suite):
        again = parse_case(case_toml(case), name=case.name, folder=case.folder)
        assert again == case


def test_short_arrays_are_written_on_one_line_and_all_are_read_back() -> None:
    document = {
        "path": {"targets": ["1e-3", 0.5], "escapes": []},
        "data": {"drop": ["a]b", "c,d ", "", "line\nend"], "label": [["x"], ["y", 1]]},
        "network": {"layers": [{"kernel": [3, 3], "skip": True}]},
        "losses": {"class_weights": [0.125] * 40},
    }
    text = to_toml(document)
    assert tomllib.loads(text) == document
    assert 'targets = ["1e-3", 0.5]\n' in text and "kernel = [3, 3]" in text
    assert text.count("0.125,\n") == 40
    assert max(map(len, text.splitlines())) < 120


def test_the_full_suite_is_large_varied_and_expects_something_of_every_step() -> None:
    cases = packaged_cases("full")
    assert len(cases) == len({case.name for case in cases}) == 440 + len(packaged_cases("quick"))
    families = cases[len(packaged_cases("quick")) :]
    layers = [layer for case in families for layer in case.file.network.layers]
    assert {layer["kind"] for layer in layers} == {"dense", "conv1d", "conv2d", "avgpool"}
    used = {layer["activation"] for layer in layers if "activation" in layer}
    assert used >= {
        "sigmoid", "tanh", "softplus", "softplus(4)", "arctan", "erf", "algebraic", "identity", "sin", "gelu", "silu",
        "exp", "square", "cubic", "relu", "leaky_relu", "elu", "hard_tanh", "tanh(t) + t/10",
    }  # fmt: skip
    assert {case.file.start.init for case in families} == set(INITS)
    assert {kind for case in families for kind in case.file.losses.kinds} == set(LOSSES)
    for case in families:
        assert set(case.expected) >= {"analytic", "rank", "zero_loss", "path", "generic"}, case.name
    verdicts = {(key, str(verdict)) for case in families for key, verdict in case.expected.items()}
    assert verdicts >= {(key, v) for key in ("rank", "generic", "zero_loss") for v in ("PROVED", "REFUTED")} | {
        ("path", "UNDECIDED"),
        ("generic", "UNDECIDED"),
        ("analytic", "REFUTED"),
    }


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"start.seed" = [0, 1]', '"start.sed" = [0, 1]', "unknown key 'start.sed'; did you mean 'seed'?"),
        ('"start.seed" = [0, 1]', '"start.seed" = [0, "one"]', "start.seed"),
        ('"start.seed" = [0, 1]', '"start.seed" = 0', "'start.seed' must be a list"),
        ('"start.seed" = [0, 1]', '"start.seed" = []', "'start.seed' must be a list"),
        ('"start.seed" = [0, 1]', "", "varies nothing"),
        ('"start.seed" = [0, 1]', 'name = ["a"]', "varies nothing"),
        ('"start.seed" = [0, 1]', '"start.seed" = [0, 1]\n"start.scale" = [1.0]', "'start.scale' has 1"),
        ('"start.seed" = [0, 1]', '"start.seed" = [0, 1]\nname = ["a", "a"]', "two members are called"),
        ('"start.seed" = [0, 1]', '"data.samples" = ["3", "4"]', "data.samples"),
        ("layers.0.activation", "layers.1.activation", "leads nowhere"),
        ("layers.0.activation", "layers.first.activation", "leads nowhere"),
        ("layers.0.activation", "layers.0.activaton", "did you mean 'activation'?"),
        ('"softplus"]', '"softpuls"]', "did you mean 'softplus'?"),
        ("[[vary]]", "[vary]", "TOML"),
        ('"start.seed" = [0, 1]', '"expect.rank" = ["PROVEN"]', "did you mean 'PROVED'?"),
    ],
)
def test_a_wrong_family_is_one_line_that_says_what(old: str, new: str, says: str, tmp_path: Path) -> None:
    path = family(tmp_path, FAMILY.replace(old, new))
    with pytest.raises(CaseError, match=re.escape(says)) as caught:
        read_cases(path)
    assert str(path) in str(caught.value)


def test_vary_must_be_tables(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=re.escape("[[vary]]")):
        read_cases(family(tmp_path, "vary = 3\n" + FAMILY[: FAMILY.index("[[vary]]")]))


def test_too_many_members_are_refused_before_they_are_made(tmp_path: Path) -> None:
    many = ", ".join(map(str, range(200)))
    text = FAMILY + f'\n[[vary]]\n"start.scale" = [{many}]\n[[vary]]\n"start.output_scale" = [{many}]\n'
    with pytest.raises(CaseError, match=f"{6 * 200 * 200} members; at most {module.MAX_MEMBERS}"):
        read_cases(family(tmp_path, text))


def test_a_member_alone_by_its_name_and_by_the_text_in_the_results(tmp_path: Path) -> None:
    path = family(tmp_path)
    out = tmp_path / "out"
    found = verifier("run", path, "--only", "line-sigmoid-seed1", "--out", out, "--json")
    assert found.returncode == 0, found.stderr
    (entry,) = json.loads(found.stdout)["cases"]
    assert entry["name"] == "line-sigmoid-seed1"
    alone = tmp_path / "alone.toml"
    alone.write_text(entry["toml"])
    assert verifier("run", alone, "--out", tmp_path / "again").returncode == 0
    first = (out / "certificates" / "line-sigmoid-seed1.safetensors").read_bytes()
    assert (tmp_path / "again" / "certificates" / "alone.safetensors").read_bytes() == first


def test_only_names_the_nearest_case(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape("did you mean 'line-tanh-seed1'?")):
        run_cases(read_cases(family(tmp_path)), tmp_path / "out", SILENT, only="line-tanh-sed1")


def test_an_unreadable_data_file_marks_its_case_and_the_others_go_on(tmp_path: Path) -> None:
    text = FAMILY + '\n[[vary]]\n"data.path" = ["line.csv", "lines.csv"]\n'
    cases = read_cases(family(tmp_path, text))[:2]
    result = run_cases(cases, tmp_path / "out", SILENT)
    good, bad = result.records
    assert good.ok and not bad.ok
    assert bad.error is not None and bad.error.kind == "input" and "lines.csv" in bad.error.message
    assert result.exit_code == bad.exit_code == 2
    assert results(tmp_path / "out")["cases"][1]["error"]["kind"] == "input"
    with pytest.raises(InputError, match=re.escape("lines.csv")):
        run_cases(cases[1:], tmp_path / "alone", SILENT)
    assert not (tmp_path / "alone" / "results.json").exists()
