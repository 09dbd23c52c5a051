"""The checker's rule WD: each hypothesis is needed, on the corpus."""

from __future__ import annotations

import json
from pathlib import Path

from mpmath import exp, log1p, mpf, tanh, workdps

from verifier.checker.certificate import check_file

CORPUS = Path(__file__).parent.parent / "certificates"
ENTRIES = json.loads((CORPUS / "index.json").read_text(encoding="utf-8"))["certificates"]
OWN = [entry for entry in ENTRIES if "WD" in entry["labels"]]


def test_the_corpus_of_weight_decay():
    assert len(OWN) >= 19
    for entry in OWN:
        found = check_file(str(CORPUS / entry["file"]), 1)
        rule = None if found.rejection is None else found.rejection.rule
        assert (found.verdict, rule) == (entry["verdict"], entry["rule"]), entry["file"]
        for claim in found.claims:  # two classes, V of the first 0
            assert claim["statement"].endswith("one logit)") == ("one logit" in entry["why"])


def value(v):
    """Phi_lambda of XOR at w = (1, 1), b = -1, V = (0, v) with lambda = 1/64, by the definition."""
    z = [v * tanh(t) for t in (1, -1, -1, -3)]
    loss = sum(log1p(exp(-y * g)) for y, g in zip((1, -1, -1, 1), z, strict=True)) / 4
    return loss + mpf(1) / 128 * (3 + v**2)


def test_a_value_below_the_truth_is_never_accepted(tmp_path):
    """At 32 bits, where the middle of the enclosure may be below what is claimed."""
    document = json.loads((CORPUS / "accepted" / "weight-decay.json").read_text())
    arrays = CORPUS / "accepted" / "weight-decay.safetensors"
    (tmp_path / "weight-decay.safetensors").write_bytes(arrays.read_bytes())
    (claim,) = document["claims"]
    claim["precision"] = 32
    for exponent in range(-4, -1):  # v = 23/16, 23/8, 23/4
        claim["moved_weights"]["terms"][0]["exponent"] = exponent
        with workdps(40):
            truth = value(mpf(23) * mpf(2) ** exponent)
            for below, verdict in ((mpf(2) ** -50, "REJECTED"), (-(mpf(2) ** -24), "ACCEPTED")):
                claim["value"] = {"mantissa": str(int((truth - below) * 2**60)), "exponent": -60}
                (tmp_path / "c.json").write_text(json.dumps(document))
                found = check_file(str(tmp_path / "c.json"), 1)
                high = verdict == "ACCEPTED" and truth > 0.69  # then it is not below log 2
                rule = "WD.lower" if high else "WD.value" if verdict == "REJECTED" else None
                assert (None if found.rejection is None else found.rejection.rule) == rule, exponent
