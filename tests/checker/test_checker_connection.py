"""The checker's rules MC and MC.line: each obligation is needed, on the corpus, and both ways of a piece prove it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from verifier.checker import connection
from verifier.checker.certificate import check_file
from verifier.checker.common import Rejection
from verifier.checker.legs import Leg

CORPUS = Path(__file__).parent.parent / "certificates"
ENTRIES = json.loads((CORPUS / "index.json").read_text(encoding="utf-8"))["certificates"]
OWN = [entry for entry in ENTRIES if {"MC", "MC.line"} & set(entry["labels"])]
TRUE = [entry for entry in OWN if entry["verdict"] == "ACCEPTED"]


def judged(entries, jobs=1):
    """Compare verdicts and rules with the index; return the statements of the accepted ones."""
    said = {}
    for entry in entries:
        found = check_file(str(CORPUS / entry["file"]), jobs)
        rule = None if found.rejection is None else found.rejection.rule
        assert (found.verdict, rule) == (entry["verdict"], entry["rule"]), entry["file"]
        said[Path(entry["file"]).stem] = "".join(claim["statement"] for claim in found.claims)
    return said


def test_the_corpus_of_two_networks():
    assert len(OWN) >= 50
    said = judged(OWN)
    assert {name for name, text in said.items() if text.endswith("one logit)")} == {"joined-with-one-logit"}
    assert "convex on this segment" in said["joined-at-rest"]
    assert "(legs: 3; pieces: K = 5;" in said["joined-round-a-corner"]
    assert "at least 1, and straight" in said["joined"] and "at most 0.126929;" in said["joined"]
    assert said["line"].endswith(
        "is in [0.6875, 0.734375], and the barrier, what it is above the larger of the two, in [0.625, 0.6875]"
    )


def test_several_processes_find_the_same(monkeypatch):
    monkeypatch.setattr(connection, "PARALLEL", 0)
    judged([*TRUE, *(entry for entry in OWN if "samples" in entry["file"] or "through" in entry["file"])], jobs=2)


def no_features(leg, block, piece):
    """Stand for a quick way that proves nothing."""
    raise Rejection("", "features.finite", "not by the quick way")


def test_what_the_quick_way_does_not_prove_the_sharp_one_may(monkeypatch):
    monkeypatch.setattr(Leg, "features", no_features)
    smooth = [entry for entry in TRUE if entry["file"].split("/")[1] in ("joined.json", "joined-with-one-logit.json")]
    assert len(smooth) == 2
    judged(smooth)
    found = check_file(str(CORPUS / "accepted" / "joined-round-a-corner.json"), 1)
    assert found.rejection.message == "not by the quick way"  # kinks have no other way


@pytest.mark.parametrize("scale", [-400, -60, 60, 400])
def test_weights_of_any_size(scale, tmp_path):
    """kappa V_k is what counts: with V times 2^s, gamma times 2^s and kappa times 2^-s all stays true."""
    document = json.loads((CORPUS / "accepted" / "joined.json").read_text())
    (tmp_path / "joined.safetensors").write_bytes((CORPUS / "accepted" / "joined.safetensors").read_bytes())
    (claim,) = document["claims"]
    claim["weights"][0]["terms"][0]["exponent"] += scale
    claim["gamma"]["exponent"] += scale
    file = tmp_path / "c.json"
    for shift, rule in ((-scale, None), (-scale - 8, "MC.start")):
        claim["kappa"] = {"mantissa": "2", "exponent": shift}
        file.write_text(json.dumps(document))
        found = check_file(str(file), 1)
        assert (found.rejection and found.rejection.rule) == rule
