"""Missing arcs from columns of Psi to outputs (THEORY2 G(c)): V stays 0 there, and each output needs its own rank."""

from __future__ import annotations

import json

import numpy as np
import pytest

import verifier as vf
from verifier.checker.certificate import check_file
from verifier.errors import InputError

GENERATOR = np.random.default_rng(11)
X, Y = GENERATOR.standard_normal((8, 3)), np.arange(8) % 3
LAYER = vf.Dense(30, "tanh", skip=True)
PROVED, UNDECIDED = vf.Verdict.PROVED, vf.Verdict.UNDECIDED


def blocks(*sizes):
    """One block of columns for each output."""
    arcs = np.zeros((sum(sizes), len(sizes)), dtype=bool)
    start = 0
    for output, size in enumerate(sizes):
        arcs[start : start + size, output] = True
        start += size
    return arcs


@pytest.fixture(scope="module")
def report():
    """Ten columns of its own for each of three outputs, eight samples."""
    return vf.verify(X, Y, LAYER, arcs=blocks(10, 10, 10), seed=1)


def test_each_output_with_enough_columns_of_its_own_has_no_bad_valley(report):
    """Rank of every F_k, V1 along the arcs, a path; and W0 for V free along the arcs."""
    assert report.verdict("arcs") is PROVED and report.verdict("path") is PROVED
    proved = {step.statement.label for step in report.theorem.steps if step.verdict is PROVED}
    assert {"W0", "T3.4(2)", "C3", "T3.4(4)"} <= proved
    for s in (0.0, 0.5, 1.5):
        assert (report.path.V(s)[~blocks(10, 10, 10)] == 0.0).all()


def test_what_moves_v_along_all_arcs_does_not_apply(report):
    """C1, E4 and, where no column reaches every output, C2 and T3.4(3)."""
    steps = {step.statement.label: step for step in report.theorem.steps}
    for label in ("C1", "E4", "C2"):
        assert not steps[label].applies, label
    assert steps["T3.4(3)"].verdict is UNDECIDED


def test_the_shift_along_one_full_row_is_enough_for_no_strict_minimum():
    """A column that reaches every output, such as an output bias, carries V + v 1^T."""
    arcs = np.vstack([blocks(10, 10, 10), np.ones((1, 3), dtype=bool)])
    network = vf.Network(3, LAYER, output_bias=True)
    found = vf.verify(X, Y, network, arcs=arcs, seed=1)
    steps = {step.statement.label: step.verdict for step in found.theorem.steps}
    assert steps["C2"] is steps["T3.4(3)"] is steps["W0"] is PROVED


def test_an_output_with_too_few_columns_leaves_the_valleys_open():
    """Psi has full rank, but the third output's own columns do not: W0 would be false to claim."""
    found = vf.verify(X, Y, LAYER, arcs=blocks(12, 12, 6), seed=1)
    steps = {step.statement.label: step.verdict for step in found.theorem.steps}
    assert found.verdict("rank") is PROVED and found.verdict("arcs") is UNDECIDED
    assert steps["W0"] is UNDECIDED and steps["T3.4(2)"] is not PROVED and steps["TC.3"] is not PROVED


def changed(report, tmp_path, change):
    """The certificate with its document changed, checked."""
    file = tmp_path / "arcs.json"
    report.write(file)
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    return check_file(str(file), 1)


def test_the_checker_accepts_and_says_along_the_arcs(report, tmp_path):
    """The sentence of W0 is about V free along the arcs."""
    found = changed(report, tmp_path, lambda document: None)
    assert found.verdict == "ACCEPTED"
    assert any("V free along the arcs" in claim["statement"] for claim in found.claims if claim["label"] == "W0")


def drop_one_rank(document):
    """Leave out the rank of the last output's columns."""
    ranks = [claim for claim in document["claims"] if claim["label"] == "R1"]
    document["claims"].remove(ranks[-1])


def drop_all_ranks(document):
    """Leave the construction W1 as the only rank: it does not say which outputs its columns have arcs to."""
    document["claims"] = [claim for claim in document["claims"] if claim["label"] in ("W1", "W0")]


def claim_descent(document):
    """Claim C1, which is about the gradient in all of V."""
    start = next(claim for claim in document["claims"] if claim["label"] == "P1")["start_weights"]
    lower = {"mantissa": "1", "exponent": -40}
    document["claims"].append({"label": "C1", "precision": 64, "start_weights": start, "gradient_lower": lower})


def another_arc(document):
    """Claim the second derivative along a weight that is no arc."""
    claim = next(claim for claim in document["claims"] if claim["label"] == "C3")
    claim["output"] = (claim["output"] + 1) % 3


@pytest.mark.parametrize("change", [drop_one_rank, drop_all_ranks, claim_descent, another_arc])
def test_claims_that_need_more_arcs_are_rejected(report, tmp_path, change):
    """W0 without an output's rank, C1, and C3 along no arc."""
    assert changed(report, tmp_path, change).verdict == "REJECTED"


@pytest.mark.parametrize(
    ("arcs", "message"),
    [
        (blocks(10, 10), r"arcs: shape \(20, 2\), expected \(30, 3\)"),
        (np.hstack([blocks(15, 15), np.zeros((30, 1), dtype=bool)]), "no column of Psi is connected to output 2"),
        (np.full((30, 3), 2), "arcs: 2.0 is neither true nor false"),
        ("all", "arcs"),
    ],
)
def test_what_are_no_arcs_is_refused(arcs, message):
    """One line that names the argument."""
    with pytest.raises(InputError, match=message):
        vf.verify(X, Y, LAYER, arcs=arcs)


def test_output_weights_beside_the_arcs_are_refused():
    """V is 0 where there is no arc; other numbers are an error, not forgotten."""
    with pytest.raises(InputError, match=r"v: entry \(0, 1\) is 1.0, but there is no arc"):
        vf.verify(X, Y, LAYER, arcs=blocks(10, 10, 10), v=np.ones((30, 3)))


def test_a_case_file_names_the_arcs(tmp_path):
    """``network.arcs`` is a .npy file beside the case."""
    np.savez(tmp_path / "data.npz", X=X, y=Y)
    np.save(tmp_path / "arcs.npy", blocks(10, 10, 10))
    (tmp_path / "case.toml").write_text(
        '[data]\npath = "data.npz"\nscale = "none"\n[network]\narcs = "arcs.npy"\n'
        'layers = [{ kind = "dense", width = 30, activation = "tanh", skip = true }]\n'
    )
    found, _ = vf.run_case(vf.read_case(tmp_path / "case.toml"))
    assert found.verdict("arcs") is PROVED


def test_features_that_overflow_are_no_traceback():
    """The exponential of 1e10 is no float: nothing is solved by least squares, and nothing is said."""
    arcs = [[True, False], [True, True]]
    report = vf.verify([[1e10]], [1], vf.Dense(2, "exp(t)", skip=True), np.array([1.0, 0, 0, 0]), arcs=arcs, classes=2)
    assert report.verdict("path") is UNDECIDED


def test_the_infimum_of_the_loss_over_v_is_not_bounded_by_a_v_with_other_arcs():
    """The V of the upper bound is 0 nowhere; with V 0 in a row the infimum is larger, and of it no more is said."""
    x, y, u = [[0.0], [0.0], [1.0], [2.0]], [0, 1, 1, 0], np.array([1.0, 1.0, 0.0, 1.0])
    layer = vf.Dense(2, "relu", skip=True)
    words = [
        step.reason
        for arcs in (None, [[True, True], [False, False]])
        for step in vf.verify(x, y, layer, u, np.zeros((2, 2)), arcs=arcs).steps
        if step.key == "zero_loss"
    ]
    assert "for every V, and its infimum over V is at most" in words[0]
    assert "for every V" in words[1] and "at most" not in words[1]


def test_what_remains_of_the_papers_assumption_asks_for_each_outputs_own_columns():
    """Full rank of Psi alone says nothing of valleys here; what was said of all arcs would be false."""
    remains = vf.verify(X, Y, LAYER, arcs=blocks(12, 12, 6), seed=1).theorem.remains
    assert "each output's own columns" in remains[0]
    assert not any("rank Psi(U) = N" in words for words in remains)


def test_a_witness_says_nothing_of_valleys_where_arcs_are_missing(tmp_path):
    np.save(tmp_path / "arcs.npy", np.array([[1, 1], [1, 0], [1, 0], [1, 0], [1, 0]]))
    (tmp_path / "xor.csv").write_text("x1,x2,label\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n")
    layer = '{ kind = "dense", width = 5, activation = "tanh", skip = true }'
    (tmp_path / "case.toml").write_text(
        f'data.path = "xor.csv"\nnetwork = {{ arcs = "arcs.npy", layers = [{layer}] }}\n'
    )
    with pytest.raises(InputError, match="`verifier run` decides it where arcs are missing"):
        vf.run_witness(vf.read_case(tmp_path / "case.toml"))
