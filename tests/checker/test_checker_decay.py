"""The checker's rule WD: each hypothesis is needed, on the corpus."""

from __future__ import annotations

import json
from pathlib import Path

from mpmath import exp, log1p, mpf, tanh

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


def test_values_are_those_of_the_definition():
    """At the point of the theory, b = -1, v = 23/16, lambda = 1/64: 0.6613; the bounds are sharp to six digits."""
    z = [mpf(23) / 16 * tanh(t) for t in (1, -1, -1, -3)]
    truth = sum(log1p(exp(-y * g)) for y, g in zip((1, -1, -1, 1), z, strict=True)) / 4
    truth += mpf(1) / 128 * (3 + (mpf(23) / 16) ** 2)
    found = check_file(str(CORPUS / "rejected" / "wd-value-too-low.json"), 1)
    assert abs(mpf(found.rejection.computed) - truth) < mpf(10) ** -5 and truth > 0.625
