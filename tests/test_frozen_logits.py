"""Frozen logits K beside Psi V: losses are those of Psi V + K, and what would be false beside K is not claimed."""

from __future__ import annotations

import json

import mpmath
import numpy as np
import pytest

import verifier as vf
from verifier.certificate.arrays import ArrayStore
from verifier.checker.certificate import check_file
from verifier.errors import InputError
from verifier.landscape.sampling import sample_loss

GENERATOR = np.random.default_rng(7)
X, Y = GENERATOR.standard_normal((9, 3)), np.arange(9) % 3
K = np.round(GENERATOR.standard_normal((9, 3)) * 3 * 2**20) / 2**20
LAYER = vf.Dense(12, "tanh", skip=True)
PROVED = vf.Verdict.PROVED


def exact_loss(network, u, v, x=X, y=Y, offset=K):
    """Phi in 40 digits, from the definition."""
    with mpmath.workdps(40):
        weight, bias = network.views(u)["layer0.weight"], network.views(u)["layer0.bias"]
        total = mpmath.mpf(0)
        for row, label, frozen in zip(x, y, offset, strict=True):
            hidden = [
                mpmath.tanh(mpmath.fsum([*(mpmath.mpf(w) * a for w, a in zip(ws, row, strict=True)), mpmath.mpf(b)]))
                for ws, b in zip(weight.tolist(), bias.tolist(), strict=True)
            ]
            logits = [
                mpmath.fsum([*(h * mpmath.mpf(c) for h, c in zip(hidden, column, strict=True)), mpmath.mpf(k)])
                for column, k in zip(v.T.tolist(), frozen.tolist(), strict=True)
            ]
            total += mpmath.log(mpmath.fsum([mpmath.exp(g - logits[label]) for g in logits]))
        return total / len(x)


def accepted(file):
    return check_file(str(file), 1).verdict == "ACCEPTED"


@pytest.fixture(scope="module")
def beside():
    """A report beside K."""
    return vf.verify(X, Y, LAYER, offset=K, seed=3)


@pytest.mark.parametrize("start", ["drawn", "zero"])
def test_the_loss_along_the_path_is_that_of_the_sum(start, tmp_path):
    """The enclosures contain the loss with K; V = 0, where all columns of V agree, is no exception."""
    v = np.zeros((12, 3)) if start == "zero" else None
    report = vf.verify(X, Y, LAYER, offset=K, v=v, seed=3)
    path = report.path
    assert report.verdict("path") is PROVED
    for s in (0.0, 0.25, 1.0, 1.75):
        truth = exact_loss(report.network, path.U(s), path.V(s))
        assert float(path.loss(s).lower()) <= truth <= float(path.loss(s).upper())
        (sample,) = sample_loss(path, [s])
        assert sample.low <= truth <= sample.high
    for target in path.targets:
        assert exact_loss(report.network, report.u, float(target.t) * path.end_weights.approx()) <= float(target.loss)
    report.write(tmp_path / "k.json")
    assert accepted(tmp_path / "k.json")


def test_an_escape_beside_frozen_logits_is_certified(tmp_path):
    """From U = 0, where the features say nothing, units move and then V: E2, with the loss of the sum."""
    report = vf.verify(X, Y, LAYER, offset=K, u=np.zeros(48), v=np.zeros((12, 3)))
    assert report.verdict("path") is PROVED
    low, high = (float(bound) for bound in report.escape.escape.path.start_loss)
    assert low <= exact_loss(report.network, report.u, report.v) <= high
    report.write(tmp_path / "k.json")
    assert accepted(tmp_path / "k.json")


@pytest.mark.thorough
def test_descent_from_few_units_beside_frozen_logits(tmp_path):
    """E1 follows the gradient of the loss with K."""
    u = np.repeat(GENERATOR.standard_normal((1, 3)), 12, axis=0)
    report = vf.verify(X, Y, LAYER, offset=K, u=np.concatenate([u.ravel(), np.full(12, 0.25)]), seed=1)
    assert report.verdict("rank") is vf.Verdict.REFUTED
    assert report.verdict("path") is PROVED
    low, high = (float(bound) for bound in report.escape.escape.path.start_loss)
    assert low <= exact_loss(report.network, report.u, report.v) <= high
    report.write(tmp_path / "k.json")
    assert accepted(tmp_path / "k.json")


def changed(report, tmp_path, change):
    """The certificate with its document changed, checked."""
    file = report.write(tmp_path / "k.json")
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    return check_file(str(file), 1)


def test_a_certificate_that_hides_the_frozen_logits_is_rejected(beside, tmp_path):
    """Without K the same numbers have another loss."""

    def hide(document):
        del document["data"]["offset"]

    assert changed(beside, tmp_path, hide).verdict == "REJECTED"


@pytest.mark.parametrize("label", ["Z2", "TC.3", "Z0"])
def test_claims_that_do_not_know_frozen_logits_are_rejected(label, beside, tmp_path):
    """Z2, TC.3 and Z0 speak of Psi V alone."""
    plain = vf.verify(X, Y, LAYER, seed=3, losses=["squared"] if label == "TC.3" else [])
    plain.write(tmp_path / "plain.json")
    claims = json.loads((tmp_path / "plain.json").read_text())["claims"]
    claim = next((c for c in claims if c["label"] == label), None)
    if claim is None:
        claim = {"label": "Z0", "samples": [0], "against": [1], "factors": ["1"]}

    found = changed(beside, tmp_path, lambda document: document["claims"].append(claim))
    assert found.verdict == "REJECTED"
    said = f"{found.rejection.rule} at {found.rejection.path}: {found.rejection.message}"
    assert "data.offset" in said or "container" in said or "schema" in said


def test_equal_samples_with_other_frozen_logits_stay_apart():
    """They have different losses; Psi has equal rows then, and no full rank."""
    x, y, k = np.vstack([X, X[:1]]), np.append(Y, Y[0]), np.vstack([K, K[:1] + 1.0])
    assert vf.verify(x, y, LAYER, offset=k).verdict("rank") is vf.Verdict.REFUTED
    merged = vf.verify(x, y, LAYER, offset=np.vstack([K, K[:1]]))
    assert merged.verdict("rank") is PROVED and merged.data.samples == 9


def test_one_logit_has_one_frozen_logit(tmp_path):
    """With two classes K may be one number for each sample: the logits (0, K)."""
    y = (Y > 0).astype(int)
    one = vf.verify(X, y, LAYER, offset=K[:, 0], seed=2)
    two = vf.verify(X, y, LAYER, offset=np.column_stack([np.zeros(9), K[:, 0]]), seed=2)
    assert str(one.path.start_loss) == str(two.path.start_loss)


def test_other_losses_and_the_ball_of_solutions_are_not_claimed():
    """TC.3's path and Z2 would be about Psi V; the report says so."""
    report = vf.verify(X, Y, LAYER, offset=K, losses=["squared"])
    words = report.summary(verbose=True)
    assert report.verdict("squared") is vf.Verdict.UNDECIDED and "frozen logits" in words


@pytest.mark.parametrize(
    ("offset", "message"),
    [(K[:5], r"offset: shape \(5, 3\), expected \(9, 3\)"), (np.full((9, 3), np.nan), "offset"), ("K", "offset")],
)
def test_what_is_no_matrix_of_logits_is_refused(offset, message):
    """One line that names the argument."""
    with pytest.raises(InputError, match=message):
        vf.verify(X, Y, LAYER, offset=offset)


def test_a_case_file_names_frozen_logits(tmp_path):
    """``data.offset`` is a .npy file beside the case."""
    np.savez(tmp_path / "data.npz", X=X, y=Y)
    np.save(tmp_path / "k.npy", K)
    (tmp_path / "case.toml").write_text(
        'title = "k"\n[data]\npath = "data.npz"\noffset = "k.npy"\nscale = "none"\n[network]\n'
        'layers = [{ kind = "dense", width = 12, activation = "tanh", skip = true }]\n'
    )
    case = vf.read_case(tmp_path / "case.toml")
    report, _ = vf.run_case(case)
    low, high = (float(bound) for bound in report.path.start_loss)
    assert low <= exact_loss(report.network, report.u, report.v) <= high


def test_arrays_of_a_certificate_hold_the_numbers():
    """The store takes K exactly."""
    store = ArrayStore()
    assert store.exact("data.offset", vf.ExactArray.of_floats(K)).shape == (9, 3)
