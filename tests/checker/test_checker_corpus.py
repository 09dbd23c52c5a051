"""The corpus of `tests/certificates`: each verdict and rule, as a second implementation would be held to them."""

from __future__ import annotations

import filecmp
import json
import re
import runpy
import sys
from pathlib import Path

import pytest
from test_checker_sentences import FORMAT, said_by_the_format

from verifier.checker.certificate import check_file
from verifier.checker.schema import CLAIMS

CORPUS = Path(__file__).parent.parent / "certificates"
INDEX = json.loads((CORPUS / "index.json").read_text(encoding="utf-8"))["certificates"]
ABSENT = {"TC.3.finite", "internal"}  # README.md says why


def rules_of_the_format() -> set[str]:
    """Return the names of rules that FORMAT.md lists."""
    section = FORMAT.split("## Rules")[1].split("\n## ")[0]
    return set(re.findall(r"`([A-Za-z0-9.+()]+(?:\.[a-z-]+)|shape|internal)`", section))


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_verdict_and_rule(entry):
    found = check_file(str(CORPUS / entry["file"]), 1)
    rule = None if found.rejection is None else found.rejection.rule
    assert (found.verdict, rule) == (entry["verdict"], entry["rule"]), found.rejection and found.rejection.message
    for claim in found.claims:
        assert said_by_the_format(claim["label"], claim["statement"]), claim["statement"]


def test_every_label_is_accepted_and_rejected():
    accepted = {label for entry in INDEX if entry["verdict"] == "ACCEPTED" for label in entry["labels"]}
    assert accepted == set(CLAIMS)
    rejected = {entry["rule"].rsplit(".", 1)[0] for entry in INDEX if entry["rule"]}
    assert set(CLAIMS) - rejected == {"R3", "S(1)", "S(2)"}  # whose rules have the names of R1 and S


def test_every_rule_of_the_format_has_a_case():
    fired = {entry["rule"] for entry in INDEX if entry["rule"]}
    assert fired | ABSENT == rules_of_the_format()


def test_the_index_lists_all_files_and_no_others():
    there = {path.relative_to(CORPUS).as_posix() for path in CORPUS.glob("*/*.json")}
    assert there == {entry["file"] for entry in INDEX}
    stored = [path for path in CORPUS.glob("*/*") if path.suffix in (".json", ".safetensors")]
    assert sum(path.stat().st_size for path in stored) < 3_000_000


def test_the_generator_makes_the_same_files(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make.py", str(tmp_path)])
    before = set(sys.modules), list(sys.path)
    try:
        runpy.run_path(str(CORPUS / "make.py"), run_name="__main__")
    finally:
        for name in set(sys.modules) - before[0]:
            del sys.modules[name]
        sys.path[:] = before[1]
    names = [path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("**/*") if path.is_file()]
    assert len(names) > 500
    _, differing, missing = filecmp.cmpfiles(CORPUS, tmp_path, names, shallow=False)
    assert (differing, missing) == ([], [])
