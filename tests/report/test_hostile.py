"""Names that are not trusted: whatever they are, the page's elements are the same and nothing hidden is in its text."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from everyday import one_in
from hypothesis import example, given
from hypothesis import strategies as st
from reporting import Page, run

from verifier.report.page import page, write_report
from verifier.report.results import read_results
from verifier.report.text import typeset, visible
from verifier.run.case import read_case
from verifier.run.record import SuiteResult

HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "</style><style>*{display:none}",
    "</pre></details></main><h1>mine</h1>",
    "<!-- ",
    "]]><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "&lt;b&gt; &#0; &amp;",
    "\u202egnp.exe\u2066\u200f",
    "bell\x07 null\x00 escape\x1b[31m delete\x7f \x85 \u2028",
    "../../etc/passwd\n\n\n",
    "x" * 10_000,
    "word " * 2_000,
    "",
)
KEPT = {"verdict", "kind", "version", "key", "label", "certificate_sha256", "versions", "rests_on", "expected"}
"""What this program writes itself and pages use as keys."""


def poisoned(value: Any, text: str, key: str = "") -> Any:
    if key in KEPT:
        return value
    if isinstance(value, dict):
        return {name: poisoned(entry, text, name) for name, entry in value.items()}
    if isinstance(value, list):
        return [poisoned(entry, text, key) for entry in value]
    return text if isinstance(value, str) else value


def skeleton(content: bytes) -> list[tuple[str, tuple[str, ...]]]:
    """The elements with the names of their attributes; indices and exponents are the formulas' own."""
    return [(tag, tuple(sorted(attributes))) for tag, attributes in Page(content).elements if tag not in ("sub", "sup")]


@pytest.fixture(scope="module")
def document(finished: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((finished / "results.json").read_text())
    found["cases"] = [case for case in found["cases"] if case["name"] in ("conflicting-labels", "tied-bias", "xor")]
    found["cases"][2]["surprises"] = ["one", "two"]
    found["cases"][2]["refusal"] = "why"
    found["cases"][1]["error"] = {"kind": "input", "message": "what"}
    return found


def rendered(document: dict[str, Any], folder: Path) -> bytes:
    (folder / "results.json").write_text(json.dumps(document))
    return write_report(folder).read_bytes()


HARMLESS: dict[int, Any] = {}
"""The elements of a page about so many cases."""


@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("text", one_in(3, HOSTILE[:-1]), ids=range(len(HOSTILE) - 1))
def test_hostile_text_changes_no_element(text: str, count: int, document: dict[str, Any], tmp_path: Path) -> None:
    document = document | {"cases": document["cases"][-count:]}
    if count not in HARMLESS:
        HARMLESS[count] = skeleton(rendered(poisoned(document, "harmless"), tmp_path))
    content = rendered(poisoned(document, text), tmp_path)
    assert skeleton(content) == HARMLESS[count]
    assert len(content) < 3 * 2**20
    shown = content.decode()
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c not in "\n\t"]


def test_a_run_of_a_hostile_case(tmp_path: Path) -> None:
    """From the case file to the page: file names, title, class labels."""
    data = "a\"><img src=x onerror=alert(1)> csv'.csv"
    (tmp_path / data).write_text(
        "x,y,label\n0,0,<script>a</script>\n0,1,</style>\n1,0,</style>\n1,1,<script>a</script>\n"
    )
    case = tmp_path / "ev<i>l \"q\" 'r' $(touch x) `y`.toml"
    title = "".join(HOSTILE[:7])[:200]
    case.write_text(
        f"title = {json.dumps(title)}\n[data]\npath = {json.dumps(data)}\n"
        '[network]\nlayers = [{ kind = "dense", width = 5, activation = "tanh", skip = true }]\n'
    )
    out = run([read_case(case)], tmp_path / "out")
    content = write_report(out).read_bytes()
    found = Page(content)
    assert not found.all("script") and not found.all("img") and len(found.all("style")) == 1
    assert not [a for _, a in found.elements if any(name.startswith("on") for name in a)]
    assert "<script>alert(1)</script>" in found.text
    quoted = "'certificates/ev<i>l \"q\" '\"'\"'r'\"'\"' $(touch x) `y`.json'"
    assert f"verifier check {quoted}" in found.text
    (link,) = [a["href"] for a in found.all("a") if a["href"].startswith("certificates/")]
    assert (out / "certificates" / "ev<i>l \"q\" 'r' $(touch x) `y`.json").exists() and "<" not in link


@given(st.text())
@example("||Psi^-1||_inf <= 2/D => sigma_N >= 1e-6 < 3")
@example("<script>^(<b>)_<i> R^p")
def test_formulas_are_escaped_whatever_they_are(text: str) -> None:
    found = Page(str(typeset(text)).encode("utf-8", "replace"))
    assert {tag for tag, attributes in found.elements} <= {"sub", "sup"}
    assert not [attributes for _, attributes in found.elements if attributes]
    assert found.open == []


@given(st.text(max_size=300))
def test_what_is_visible_stays_and_what_is_hidden_is_shown(text: str) -> None:
    shown = visible(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t"]
    assert visible(shown) == shown
    if all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text):
        assert shown == text


def test_formulas_are_set_as_mathematics() -> None:
    def html(text: str) -> str:
        return str(typeset(text))

    assert html("||I - Psi X||_2 <= 0.0331 < 1") == "‖I - Ψ X‖<sub>2</sub> ≤ 0.0331 &lt; 1"
    assert html("sigma_N >= 3.036e-09") == "σ<sub>N</sub> ≥ 3.036·10<sup>−9</sup>"
    assert html("loss <= 1e-100 from t = 2.31e+2") == "loss ≤ 10<sup>−100</sup> from t = 2.31·10<sup>2</sup>"
    assert html("kappa m1 > m0, V1") == "κ m<sub>1</sub> &gt; m<sub>0</sub>, V<sub>1</sub>"
    assert html("V + v 1^T, det(Psi Psi^T)") == "V + v 1<sup>T</sup>, det(Ψ Ψ<sup>T</sup>)"
    assert html("analytic on R^p") == "analytic on ℝ<sup>p</sup>"
    assert html("2 e^(rho s)/(e^s - 1)") == "2 e<sup>ρ s</sup>/(e<sup>s</sup> - 1)"
    for plain in ("raise rank.max_bits", "breast_cancer: 5", "phishing", "file_1e-6.csv", "A3.1(1)", "sha1e5f", "W1"):
        assert html(plain) == plain


def test_cases_without_a_curve_or_with_an_odd_one(document: dict[str, Any], tmp_path: Path) -> None:
    """Points where nothing is known, a curve that is one point, extreme numbers."""
    case = document["cases"][2]
    for pieces in (
        [],
        [{"kind": "segment", "points": []}],
        [{"kind": "segment", "points": [[0.0, None, -4000.0]]}],
        [{"kind": "segment", "points": [[0.0, -1e6, -1e6], [1.0, -1e6, -1e6]]}],
        [{"kind": "ray", "points": [[1.0, 300.0, 301.0], [1e300, -1e9, -1e9]]}],
        [{"kind": "ray", "points": [[1.0, None, 5.0], [1.0 + 1e-15, None, 5.0]]}],
        [{"kind": "escape", "points": [[0.0, 1.0, 1.0]]}, {"kind": "segment", "points": [[0.0, 1.0, 1.0]]}],
    ):
        odd = case | {"curve": case["curve"] | {"pieces": pieces}}
        assert b"NaN" not in rendered(document | {"cases": [odd]}, tmp_path)


def test_results_are_read_strictly(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(document))
    found: SuiteResult = read_results(tmp_path / "results.json")
    assert [case.name for case in found.records] == ["conflicting-labels", "tied-bias", "xor"]
    assert page(found) == page(found)
