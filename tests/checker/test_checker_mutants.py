"""Semantic mutants of the corpus: what the checker accepts of them must survive attempts to refute it."""

from __future__ import annotations

import importlib
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from verifier.checker.certificate import check_file

CORPUS = Path(__file__).parent.parent / "certificates"
MUTANTS = 60


@pytest.fixture(scope="module")
def tools():
    """The corpus's own modules, which do not know the checker."""
    before = set(sys.modules), list(sys.path)
    sys.path.insert(0, str(CORPUS))
    cases = [
        name for name in importlib.import_module("make").MODULES if name not in ("cases_rejected", "cases_malformed")
    ]
    names = ("make", *cases, "mutate", "sampled")
    yield {name: importlib.import_module(name) for name in names}
    for name in set(sys.modules) - before[0]:
        del sys.modules[name]
    sys.path[:] = before[1]


@pytest.mark.thorough
def test_true_certificates_are_not_refuted(tools):
    for entry in json.loads((CORPUS / "index.json").read_text())["certificates"]:
        if entry["verdict"] == "ACCEPTED":
            said = check_file(str(CORPUS / entry["file"]), 1).claims
            assert tools["sampled"].counterexample(CORPUS / entry["file"], 0, said) is None, entry["file"]


FALSE = [
    "r1-of-equal-rows",
    "z1-gamma-above",
    "p1-segment-that-rises",
    "p1-start-loss-too-low",
    "z2-radius-1",
    "b1-radius-1",
]
FALSE += ["targets-changed", "targets-in-another-order", "targets-infimum-0", "targets-infimum-above"]
FALSE += ["c3-above", "tc3-segment-that-overshoots", "tc3-infimum-below", "tc3-start-loss", "e1-that-rises"]
FALSE += [
    "e1-pole-on-the-way",
    "e3-pole-on-the-way",
    "e2-rerouted-to-another-sum",
    "e4path-gate-that-rests",
]
FALSE += ["e4-equal-samples-with-two-labels", "e4-of-conflicting-labels", "w1-beside-a-partial-unit-1", "w0-partial"]
FALSE += ["r5-of-an-undefined-psi", "r5-every-u-of-dependent-units", "r5-every-u-of-a-partial-activation"]
FALSE += ["r6-of-a-pole", "r6-rank-too-large", "r6-rank-too-small", "z0-not-zero", "z0-own-class", "z0-separable"]
FALSE += ["z0error-above", "z0loss-bound-above", "z0loss-separable", "z0loss-without-the-column-of-ones"]
FALSE += ["d-of-kinks", "d-of-a-frozen-front-end", "a-of-a-tied-bias", "a-of-cubes-for-five"]
FALSE += ["a-of-weights-of-an-ancestor", "a-of-a-part-of-the-input", "a-without-the-bias", "a-over-constants"]
FALSE += ["wd-of-kinks", "wd-of-other-means", "wd-value-too-low", "wd-no-lower-point", "wd-negative"]
FALSE += ["bm-of-a-saddle", "bm-too-curved", "bm-better-nowhere", "bm-once-differentiable", "bm-in-other-labels"]
FALSE += ["s-of-two-units", "s-of-identities", "s-of-samples-that-die", "s-of-pre-activations-that-are-shown"]
FALSE += ["s1-of-six-samples", "s1-of-squares-for-four", "s1-of-a-part-of-the-input", "splus-of-five-samples"]
FALSE += ["s2-of-dead-regions", "s2-of-frozen-filters", "s2-of-windows-with-gaps"]
FALSE += ["jacobian-at-v-0", "jacobian-everywhere-with-kinks", "interpolant-from-another-start"]
FALSE += [f"memorisation-of-{what}" for what in ("unpaired-weights", "unpaired-biases", "equal-rows", "a-square")]
FALSE += ["memorisation-of-nearly-opposite-rows"]
FALSE += ["mc-through-zero", "mc-only-in-the-middle-of-pieces", "mc-the-end-is-steeper", "mc-a-gap", "mc-wrong-labels"]
FALSE += ["mc-samples-count-once", "line-upper-too-low", "line-lower-too-high", "line-at-another-time"]
FALSE += ["p1-target-too-early", "r5-below-the-structure", "w2-beside-a-partial-unit-0", "z1-third-class"]


@pytest.mark.parametrize("name", FALSE)
def test_false_certificates_are_refuted(name, tools):
    """So that the test below can fail."""
    assert tools["sampled"].counterexample(CORPUS / "rejected" / f"{name}.json") is not None


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.thorough) for k in (1, 2, 3))])
def test_accepted_mutants_are_not_refuted(seed, tools, tmp_path):
    verdicts = Counter()
    for name, document, arrays in tools["mutate"].mutants(MUTANTS, seed):
        for file, content in ((tmp_path / "c.json", document), (tmp_path / "c.safetensors", arrays)):
            file.unlink(missing_ok=True)  # a file that is cut to nothing and written again waits for the disk
            file.write_bytes(content)
        found = check_file(str(tmp_path / "c.json"), 1)
        verdicts[found.verdict] += 1
        assert found.rejection is None or found.rejection.rule != "internal", name
        if found.verdict == "ACCEPTED":
            wrong = tools["sampled"].counterexample(tmp_path / "c.json", seed, found.claims)
            assert wrong is None, f"{name}: {wrong}"
    assert verdicts["ACCEPTED"] > 5 and verdicts["REJECTED"] > 5
