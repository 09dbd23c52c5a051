"""GDV, C4 and C2+ in the checker: the corpus, bounds of norms against the truth, and the claims in two processes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from flint import arb, fmpz_mat

from verifier.checker import certificate, descent, network
from verifier.checker.common import Exact, precision
from verifier.checker.descent import MAX_SQUARINGS, exactly, norm_bounds, root, squared_distance

CORPUS = Path(__file__).parent.parent / "certificates"
ENTRIES = [
    entry
    for entry in json.loads((CORPUS / "index.json").read_text())["certificates"]
    if set(entry["labels"]) <= {"GDV", "C4", "C2+"}
]


def found(entry: dict, jobs: int = 1) -> tuple[str, str | None]:
    report = certificate.check_file(str(CORPUS / entry["file"]), jobs)
    return report.verdict, None if report.rejection is None else report.rejection.rule


def test_the_corpus_of_extrema_and_descents() -> None:
    assert len(ENTRIES) > 35
    for entry in ENTRIES:
        assert found(entry) == (entry["verdict"], entry["rule"]), entry["file"]


def test_rows_come_back_from_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that are accepted, and one that each rule rejects."""
    monkeypatch.setattr(certificate, "PARALLEL_UNITS", 0)
    descents = [entry for entry in ENTRIES if "GDV" in entry["labels"]]
    rejected = {entry["rule"]: entry for entry in descents if entry["rule"]}
    assert {"GDV.smoothness", "GDV.loss", "GDV.steps"} <= set(rejected)
    for entry in [entry for entry in descents if entry["rule"] is None] + list(rejected.values()):
        assert found(entry, 2) == (entry["verdict"], entry["rule"]), entry["file"]


def test_rows_are_seen_again_where_the_frobenius_norm_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that were not rounded at first are, all of them: nothing is concluded from some."""
    monkeypatch.setattr(network, "BLOCK_WORDS", 1)  # each sample is a block
    for far in (1.25, 1e9, 0.0):  # their own norms say that some, none, all of the rows must be rounded
        monkeypatch.setattr(descent, "FAR", far)
        for entry in ENTRIES:
            if "GDV" in entry["labels"]:
                assert found(entry) == (entry["verdict"], entry["rule"]), (entry["file"], far)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (7, 7), (30, 12)])
def test_norms_are_above_the_truth_and_become_sharp(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(list(shape))
    for scale in (3, 2**20, 2**70):
        entries = [int(x * scale) - scale // 2 for x in random.random(shape).ravel()]
        truth = np.linalg.norm(np.array(entries, dtype=float).reshape(shape), 2)
        with precision(128):
            bounds = [float(bound.lower()) for bound in norm_bounds(fmpz_mat(*shape, entries))]
        assert len(bounds) == MAX_SQUARINGS + 1
        assert all(bound >= truth * (1 - 1e-12) for bound in bounds)
        assert bounds[-1] <= truth * 1.01 + 2 and bounds[1] <= bounds[0] * (1 + 1e-9)


def test_what_is_dropped_before_a_square_is_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "NORM_BITS", 2)
    entries = [7, 1, 0, 7, 1, 7, 7, 3, 7, 7, 7, 7]
    truth = np.linalg.norm(np.array(entries, dtype=float).reshape(4, 3), 2)
    with precision(128):
        assert all(float(bound) >= truth for bound in norm_bounds(fmpz_mat(4, 3, entries)))


def test_roots_distances_and_exact_numbers() -> None:
    for count in (1, 2, 3, 4, 10**6, 10**18 + 1):
        assert (root(count, 16) - 1) ** 2 < count << 32 <= root(count, 16) ** 2
    assert root(1, 16) == 1 << 16 and root(9, 16) == 3 << 16 and root(1, 0) == 1
    first, last = Exact(fmpz_mat(1, 2, [3, -4]), -1, 3), Exact(fmpz_mat(1, 2, [1, 1]), 2, 1)
    assert squared_distance(first, last) == arb(2.5**2 + 6**2) and squared_distance(last, first) == arb(42.25)
    assert exactly(arb(12)) == "3 * 2^2" and math.isclose(float(arb(0.75)), 0.75) and exactly(arb(0.75)) == "3 * 2^-2"
