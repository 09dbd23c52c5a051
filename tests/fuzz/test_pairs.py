"""Pairs of networks: what does not fit is refused, both are written and read back; the line between them may fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from verifier import Verdict, fuzz, read_case
from verifier.errors import InputError
from verifier.fuzz.pair import END, Pair, specimen_of_case
from verifier.fuzz.properties.core import Falsified
from verifier.fuzz.search import replay

LINE = fuzz.Specimen(
    inputs=np.array([[0.0], [1.0], [2.0]]),
    labels=np.array([0, 1, 0]),
    layers=({"kind": "dense", "width": 3, "activation": "tanh", "skip": True},),
    u=np.array([1.0, 2.0, 3.0, 0.0, -2.0, -4.5]),
    v=np.zeros((3, 2)),
)
FEATURES = np.tanh(np.outer([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]) + np.array([0.0, -2.0, -4.5]))
FITTED = np.linalg.solve(FEATURES, 8.0 * np.eye(2)[[0, 1, 0]])
MIRRORED = Pair.of(LINE.at(LINE.u, FITTED), -LINE.u, -FITTED)
"""From U to -U: both ends have the same small loss, and at U = 0 all features are 0."""
MILD = settings(max_examples=15, deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize(
    ("u", "v", "message"),
    [
        (np.zeros(5), np.zeros((3, 2)), r"end_u has shape \(5,\); it needs \(6,\)"),
        (np.zeros(6), np.zeros((2, 3)), r"end_v has shape \(2, 3\)"),
        (np.full(6, np.nan), np.zeros((3, 2)), "finite"),
        (np.zeros(6), np.full((3, 2), np.inf), "finite"),
    ],
)
def test_a_second_network_that_does_not_fit_is_refused(u: np.ndarray, v: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Pair.of(LINE, u, v)


def test_both_are_written_and_read_back(tmp_path: Path) -> None:
    file = MIRRORED.write(tmp_path, title="there and back")
    again = specimen_of_case(file)
    assert isinstance(again, Pair)
    for name in ("inputs", "labels", "u", "v", "end_u", "end_v"):
        assert np.array_equal(getattr(again, name), getattr(MIRRORED, name)), name
    assert again.digest == MIRRORED.digest != Pair.of(LINE, LINE.u, LINE.v).digest
    assert "second network's weights" in repr(again)
    read_case(tmp_path / END)
    (tmp_path / END).unlink()
    assert type(specimen_of_case(file)) is fuzz.Specimen


def test_a_second_network_of_another_problem_is_refused(tmp_path: Path) -> None:
    MIRRORED.write(tmp_path)
    other = replace(LINE, layers=({**LINE.layers[0], "activation": "sin"},))
    other.write(tmp_path, name="end", weights="end-weights.safetensors")
    with pytest.raises(InputError, match=r"end.toml: its data or network are others"):
        specimen_of_case(tmp_path / "case.toml")


@MILD
@given(fuzz.pairs(fuzz.specimens(max_layers=1, parameter_kinds=("integers", "gaussian")), ends=("mirrored",)))
def test_mirrored_ends_are(pair: Pair) -> None:
    assert np.array_equal(pair.end_u, -pair.u)


def test_a_line_through_zero_does_not_join(tmp_path: Path) -> None:
    entry = fuzz.load_conjecture("joined_by_a_line")
    with pytest.raises(Falsified, match=r"at t = 0.5 no V has a loss below 0.6931, and both ends have at most 0.000"):
        entry.check(MIRRORED)
    again = replay(entry.name, entry.statement, MIRRORED.write(tmp_path), entry.check)
    assert again.counterexample is not None and "second network" in repr(again.counterexample.specimen)
    assert entry.check(LINE) == "UNDECIDED"
    assert entry.check(Pair.of(LINE, -LINE.u, LINE.v)) == "UNDECIDED"  # both ends are at log 2
    short = replace(MIRRORED, labels=np.array([0, 1, 2]), v=np.zeros((3, 3)), end_v=np.zeros((3, 3)))
    assert Verdict(entry.check(short)) is Verdict.UNDECIDED
