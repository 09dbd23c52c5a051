"""A Psi that is too large to be held: what needs no entry of it is proved, and the rest says why it was not tried."""

import numpy as np
import pytest

import verifier as vf
from verifier.balls import unheld
from verifier.balls.unheld import FeaturesNotHeld, UnheldFeatures
from verifier.checker.certificate import check_file
from verifier.verdict import Verdict

LAYER = vf.Dense(12, "tanh", skip=True)


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(unheld, "HELD_BYTES", 8 * 6 * 12 - 1)


def points(count, width=3):
    return np.random.default_rng(5).integers(0, 256, (count, width))


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("engine", ["binary64", "arb"])
def test_what_needs_no_entry_is_proved_all_the_same(engine, tmp_path):
    report = vf.verify(points(6), [0, 1, 2] * 2, LAYER, engine=engine)
    for label in ("T3.4(2)", "W0", "A", "W1", "S", "S(1)", "E4", "I"):
        assert report.verdict(label) is Verdict.PROVED, label
    for name in ("features", "rank", "zero_loss", "path", "C3"):
        assert report.verdict(name) is Verdict.UNDECIDED, name
    assert "not tried: Psi(U) is 6 x 12" in report.rank.reason and not report.has_path
    report.write(tmp_path / "c.json")
    assert check_file(str(tmp_path / "c.json"), 1).verdict == "ACCEPTED"


@pytest.mark.usefixtures("little_memory")
def test_conflicting_labels_are_found_without_entries():
    samples = np.vstack([points(6), points(1)])
    report = vf.verify(samples, [0, 1, 2, 0, 1, 2, 1], LAYER, losses=["squared"])
    step = next(step for step in report.steps if step.key == "zero_loss")
    assert step.verdict is Verdict.REFUTED and "samples [0, 6] are equal" in step.reason
    assert report.verdict("squared") is Verdict.UNDECIDED


@pytest.mark.usefixtures("little_memory")
def test_no_picture_takes_the_memory():
    report = vf.verify(points(6), [0, 1, 2] * 2, LAYER)
    for draw in (vf.plot.psi, vf.plot.singular_values):
        with pytest.raises(vf.InputError, match=r"Psi\(U\) is 6 x 12 and takes 0\.0 GB; give a report of fewer"):
            draw(report)


@pytest.mark.usefixtures("little_memory")
def test_fewer_columns_than_samples_need_no_entry():
    report = vf.verify(points(30), np.arange(30) % 2, LAYER)
    assert report.verdict("rank") is Verdict.REFUTED


@pytest.mark.usefixtures("little_memory")
def test_a_psi_that_fits_is_held():
    assert vf.verify(points(5), [0, 1, 2, 0, 1], LAYER).verdict("rank") is Verdict.PROVED


def test_entries_are_refused():
    network = vf.Network(3, LAYER)
    features = UnheldFeatures(network, vf.initialise(network), points(6), None, 64)
    for ask in (features.approx, features.blocks, features.row_blocks, features.column_blocks, features.row_norms):
        with pytest.raises(FeaturesNotHeld, match="Psi"):
            ask()
