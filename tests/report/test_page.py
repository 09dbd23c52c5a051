"""The page: what it says, that it needs nothing else, its size, that it is made again the same, and refusals."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import commands
import msgspec
import pytest
from reporting import NAMES, Page

import verifier
from verifier.conclusion import conclude
from verifier.errors import CertificateError, InputError
from verifier.report import page as module
from verifier.report.page import MAX_BYTES, Level, page, write_report
from verifier.report.results import read_results
from verifier.report.sentences import summary
from verifier.report.text import typeset
from verifier.run.record import SuiteResult
from verifier.verdict import Verdict


@pytest.fixture(scope="module")
def results(finished: Path) -> SuiteResult:
    return read_results(finished / "results.json")


@pytest.fixture(scope="module")
def content(results: SuiteResult) -> bytes:
    """The page about all cases."""
    return page(results)


def case_of(results: SuiteResult, name: str) -> SuiteResult:
    """The results of one case alone."""
    return msgspec.structs.replace(results, records=tuple(case for case in results.records if case.name == name))


def test_a_page_about_one_case_has_everything(single: Path) -> None:
    found = Page(write_report(single).read_bytes())
    record = json.loads((single / "results.json").read_text())["cases"][0]
    assert found.open == []
    for words in (
        "Four points of XOR",
        "rom this start (U, V) a continuous path on which the cross-entropy strictly decreases leads to loss 0",
        "The independent checker accepted the certificate.",
        "xor.csv: 4 samples x 2, 2 classes",
        "layer 0: dense, 5 units; tanh; reads the input; all connected to the outputs",
        "U: gaussian; V: gaussian; seed 0",
        "verifier check certificates/xor.json",
        "python -I verifier/checker/__main__.py certificates/xor.json",
        "IEEE 754",
        verifier.__version__,
        'path = "data/xor.csv"',
        record["certificate_sha256"][".json"],
        "Engine: binary64",
    ):
        assert words in found.text, words
    steps = [entry for entry in record["theorem"] if entry["applies"]]
    assert len([a for a in found.all("details") if a.get("class") == "step"]) == len(steps) >= 15
    assert len(found.all("svg")) == 2
    for name, version in json.loads((single / "results.json").read_text())["versions"].items():
        assert f"{name} {version}" in found.text or (name in found.text and version in found.text)


def test_every_reason_and_statement_is_there(results: SuiteResult, content: bytes) -> None:
    text = re.sub(r"\s+", "", Page(content).text)
    for case in results.records:
        assert case.name in text
        for step in case.theorem:
            reason = step.reason.removeprefix("does not apply: ")  # the list says so, once
            plain = re.sub(r"\s+", "", Page(str(typeset(reason)).encode()).text)
            assert plain in text, (case.name, step.label)
            assert step.label.replace(" ", "") in text


@pytest.mark.parametrize("level", ["full", "compact"])
def test_a_refuted_step_says_what_is_refuted_before_it_says_why(results: SuiteResult, level: Level) -> None:
    """``REFUTED no V classifies all samples`` would read as its contrary."""
    (case,) = case_of(results, "conflicting-labels").records
    reason = next(step.reason for step in case.steps if step.key == "zero_loss")
    other = msgspec.structs.replace(case, name="other")
    text = Page(module._render(msgspec.structs.replace(results, records=(case, other)), level).encode()).text
    if level == "full":  # the path of conflicting labels ends near the infimum, not in it
        assert "the loss never increases, to near its infimum" in text and "a path to the infimum" not in text
    before = text[: text.index(str(Page(str(typeset(reason)).encode()).text))]
    assert re.search(r"zero training error at this U, for some V( \(X1\))?:\s*$", before), before[-80:]


def test_the_verdict_of_a_case_with_weight_decay_says_that_it_is_about_the_loss_without(results: SuiteResult) -> None:
    case = msgspec.structs.replace(case_of(results, "xor").records[0], weight_decay="lambda = 0.01", name="decay")
    text = Page(page(msgspec.structs.replace(results, records=(results.records[0], case)))).text
    assert text.count("no bad local valley, without weight decay") == 1
    assert len(re.findall(r"PROVED\s+without weight decay", text)) == 1


def test_each_case_begins_with_its_conclusion_and_the_verdict_of_it(results: SuiteResult) -> None:
    """What is concluded is tested in test_conclusion; here, that the page says it word for word and first."""
    for case in results.records:
        alone = Page(page(msgspec.structs.replace(results, records=(case,))))
        found = conclude(case)
        assert found.verdict == case.statement("T3.4(2)")
        said = Page(str(typeset(found.sentence[1:])).encode()).text
        assert alone.text.index(said) < alone.text.index("For this data and this network")
        (box,) = [a["class"] for a in alone.all("p") if a.get("class", "").startswith("verdict ")]
        assert box == f"verdict {found.verdict[0]}"


def test_refuted_and_failed_cases_are_said_as_clearly(results: SuiteResult) -> None:
    (case,) = case_of(results, "conflicting-labels").records
    steps = tuple(
        replace(step, verdict=Verdict.REFUTED, label="P1") if step.key == "path" else step for step in case.steps
    )
    refuted = msgspec.structs.replace(case, steps=steps, curve=None, theorem=())
    error = msgspec.structs.replace(
        case, error={"kind": "memory", "message": "out of memory"}, steps=(), theorem=(), summary=None, curve=None
    )
    error = msgspec.convert(msgspec.to_builtins(error), type=type(case))
    together = msgspec.structs.replace(results, records=(refuted, error))
    assert "PROVED in 0 of 2 cases" in summary(together.records) and "no verdict in 1" in summary(together.records)
    found = Page(page(together))
    assert [a["id"] for a in found.all("input") if a.get("name") == "path"] == ["path-A", "path-R", "path-N"]
    table = found.text[found.text.index("Index") : found.text.rindex("Cases")]
    assert len(re.findall(r"(?:path|rank at this U|training error|local valley)\s+error", table)) == 4
    alone = Page(page(msgspec.structs.replace(results, records=(refuted,))))
    assert [a for a in alone.all("p") if a.get("class") == "verdict R"]
    assert "out of memory" in Page(page(msgspec.structs.replace(results, records=(error,)))).text


def test_what_was_not_as_expected_and_a_rejection_are_said(results: SuiteResult) -> None:
    (case,) = case_of(results, "xor").records
    assert case.check is not None
    rejected = msgspec.structs.replace(case.check, verdict="REJECTED", reason="claims[0]: R1: alpha is too large")
    odd = msgspec.structs.replace(case, surprises=("rank: expected REFUTED, got PROVED",), check=rejected)
    text = Page(page(msgspec.structs.replace(results, records=(odd,)))).text
    assert "Not as the case expects: rank: expected REFUTED, got PROVED." in text
    assert "The independent checker did not accept the certificate: claims[0]: R1: alpha is too large" in text
    dear = msgspec.structs.replace(case, check=msgspec.structs.replace(case.check, verdict="TOO EXPENSIVE"))
    index = page(msgspec.structs.replace(results, records=(case, odd, dear))).decode()
    assert re.findall(r'<span class="v (\w)">(accepted|rejected|too expensive)<', index) == [
        ("P", "accepted"),
        ("R", "rejected"),
        ("U", "too expensive"),
    ]


def test_the_page_needs_nothing_else(content: bytes) -> None:
    found = Page(content)
    assert not found.all("script") and not found.all("link") and not found.all("img") and not found.all("iframe")
    links = [a["href"] for a in found.all("a")]
    assert all(re.fullmatch(r"#[A-Za-z0-9-]+|certificates/[\w.%~-]+", link) for link in links)
    assert {link[1:] for link in links if link.startswith("#")} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert not [a for _, a in found.elements if set(a) & {"src", "style", "action", "srcset", "background"}]
    (policy,) = [a["content"] for a in found.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    style = re.search(r"<style>(.*?)</style>", content.decode(), re.DOTALL)
    assert style is not None and "url(" not in style[1] and "@import" not in style[1]
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "http://" not in content.decode() and "https://" not in content.decode()


def test_the_page_is_accessible_in_its_source(results: SuiteResult, content: bytes) -> None:
    for source in (content, page(case_of(results, "xor"))):
        found = Page(source)
        assert found.all("html") == [{"lang": "en"}]
        levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
        for svg in found.all("svg"):
            assert svg["role"] == "img" and {svg["aria-labelledby"], svg["aria-describedby"]} <= set(found.ids)
        assert len(found.all("desc")) == len(found.all("svg")) > 0
        badges = re.findall(r'<span class="v ?\w?">([^<]*)</span>', source.decode())
        assert badges and all(badges)  # the word is there, not a colour alone


def test_statements_rest_on_statements_that_the_page_has(single: Path) -> None:
    found = Page(write_report(single).read_bytes())
    targets = [a["href"][1:] for a in found.all("a") if a["href"].endswith("-in")]
    assert targets and set(targets) <= set(found.ids)


def many(results: SuiteResult, count: int) -> SuiteResult:
    """As many cases as asked for, from real records."""
    cases = [
        msgspec.structs.replace(
            results.records[k % len(results.records)], name=f"{k}-{results.records[k % len(NAMES)].name}"
        )
        for k in range(count)
    ]
    return msgspec.structs.replace(results, records=tuple(cases))


def large_page(results: SuiteResult, count: int) -> bytes:
    """The sound page, not too long, of so many cases."""
    content = page(many(results, count))
    assert len(content) <= MAX_BYTES
    found = Page(content)
    assert found.open == [] and len(found.ids) == len(set(found.ids))
    assert {a["href"][1:] for a in found.all("a") if a["href"][0] == "#"} <= set(found.ids)
    return content


@pytest.mark.thorough
def test_large_runs_stay_below_4_mib(results: SuiteResult) -> None:
    quick, full = large_page(results, 44), large_page(results, 492)
    assert b"The proof, statement by statement" in quick and b"To keep this page small" not in quick
    assert full.count(b"<svg") > 800 and b"statements, and the evidence that most cases share" in full


@pytest.mark.thorough
def test_huge_runs_leave_evidence_out(results: SuiteResult) -> None:
    huge = large_page(results, 1000)
    assert b"are left out" in huge and huge.count(b'<tr role="row" data-valley') == 1000


def test_a_compact_page_leaves_out_no_evidence(results: SuiteResult) -> None:
    compact = Page(module._render(many(results, 36), "compact").encode())
    text = re.sub(r"\s+", "", compact.text)
    for step in (step for case in results.records for step in case.theorem if step.applies):
        assert re.sub(r"\s+", "", Page(str(typeset(step.reason)).encode()).text) in text, step


def test_the_index_says_of_each_case_whether_a_local_valley_is_bad(results: SuiteResult, content: bytes) -> None:
    """The words stand in each cell, for phones; what a case expects to be REFUTED is no alarm; E3 may rise."""
    row = r'<tr role="row" data-valley.*?<bdi>(.*?)</bdi></a>(.*?)</tr>'
    rows = dict(re.findall(row, content.decode(), re.DOTALL))
    told = {name: re.sub(r"<[^>]*>", "", row) for name, row in rows.items()}
    assert len(told) == len(results.records)
    for case in results.records:
        assert f"no bad local valley {case.statement('T3.4(2)')}" in told[case.name]
        for words in ("full rank at this U", "zero training error", "path", "certificate", "seconds"):
            assert words in told[case.name]
    assert "full rank at this U REFUTED as expected" in told["start-trained-clone"]
    assert "zero training error REFUTED as expected" in told["conflicting-labels"]
    assert '<span class="v R">REFUTED' not in rows["start-trained-clone"] + rows["conflicting-labels"]
    assert "path PROVED may rise by epsilon" in told["start-gateway-sublevel"]
    assert "path PROVED to near the infimum" in told["conflicting-labels"]
    (case,) = case_of(results, "start-trained-clone").records
    odd = msgspec.structs.replace(case, expected={}, theorem=())
    alarming = page(msgspec.structs.replace(results, records=(odd, case))).decode()
    assert '<span class="v R">REFUTED</span></td>' in alarming
    assert "no bad local valley not asked for" in re.sub(r"<[^>]*>", "", alarming)


def test_filters_have_a_rule_for_every_verdict(results: SuiteResult, content: bytes) -> None:
    found, source = Page(content), content.decode()
    for choice in (a["id"] for a in found.all("input") if a["type"] == "radio" and not a["id"].endswith("-A")):
        group, code = choice.split("-")
        assert f"#{choice}:checked) [data-{group}]:not([data-{group}={code}])" in source
    assert len([a for a in found.all("tr") if "data-path" in a]) == len(results.records)


def test_made_again_it_is_the_same_wherever_the_folder_lies(finished: Path, tmp_path: Path) -> None:
    first = write_report(finished).read_bytes()
    assert write_report(finished).read_bytes() == first
    moved = tmp_path / "elsewhere"
    shutil.copytree(finished, moved)
    assert write_report(moved).read_bytes() == first
    assert not list(finished.glob("**/*.part"))


def test_one_case_of_a_run_has_a_page_of_its_own(finished: Path, single: Path) -> None:
    target = write_report(finished, only="xor")
    assert target.name == "report-xor.html"
    timeless = [
        re.sub(rb"(?:&lt; )?\d+\.\d+ s|[\d.]+ GiB", b"", path.read_bytes()) for path in (target, write_report(single))
    ]
    assert timeless[0] == timeless[1]
    with pytest.raises(InputError, match=r"--only 'xorr': no case of this name in .*did you mean 'xor'"):
        write_report(finished, only="xorr")


def test_folders_without_usable_results_are_refused(finished: Path, tmp_path: Path) -> None:
    def refused(words: str) -> None:
        with pytest.raises(InputError, match=words) as error:
            write_report(tmp_path)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "report.html").exists()

    refused("no results in .*: .*results.json is missing; `verifier run --out DIR` makes it")
    target = tmp_path / "results.json"
    for text in ("", "nonsense", "[]", '{"a": 1}', '{"version": 3}', "\x00", "[" * 100_000):
        target.write_text(text)
        refused("is not the results of a run")
    document = json.loads((finished / "results.json").read_text())
    target.write_text(json.dumps(document | {"version": "0.0.1"}))
    refused(rf"the results of version '0.0.1', this is verifier {verifier.__version__}")
    for fields in (document, document["cases"][0]):
        for key in ("cases", "peak_bytes", "curve", "surprises", "check", "certificate_sha256", "question"):
            if key in fields:
                value = fields.pop(key)
                target.write_text(json.dumps(document))
                refused(rf"cannot be read as results of this version: .*missing required field `{key}`")
                fields[key] = value
    target.write_bytes(b'{"version": "%s", "cases": "\xff"}' % verifier.__version__.encode())
    refused("is")
    target.unlink()
    target.mkdir()
    refused("cannot read")
    with pytest.raises(InputError, match="is missing"):
        write_report(tmp_path / "results.json" / "x")


def test_a_page_that_cannot_be_written_is_one_line(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / "results.json", tmp_path)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(CertificateError, match="cannot write"):
        write_report(tmp_path)
    assert not list(tmp_path.glob("*.part"))


def test_the_command_line(tmp_path: Path) -> None:
    command = partial(commands.verifier, cwd=tmp_path)
    assert command("run", "--suite", "quick", "--only", "xor", "--out", "here").returncode == 0
    first = (tmp_path / "here" / "report.html").read_bytes()
    again = command("report", "here")
    assert (again.returncode, again.stderr) == (0, "") and "here/report.html" in again.stdout
    assert (tmp_path / "here" / "report.html").read_bytes() == first
    bad = command("report", "nowhere")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("verifier: no results in nowhere") and bad.stderr.count("\n") == 1
