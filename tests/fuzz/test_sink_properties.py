"""The properties of R6 and S.path on planted starts fail where the prover is made wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from verifier import Verdict, fuzz
from verifier.balls.exact import ExactArray
from verifier.fuzz.properties import Falsified, sink_path
from verifier.landscape import sink_path as prover
from verifier.rank.deficiency import Deficiency
from verifier.rank.rational import ExactRank
from verifier.rank.result import RankResult

DEAD = fuzz.Specimen(
    inputs=np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]),
    labels=np.array([0, 1, 1, 0]),
    layers=({"kind": "dense", "width": 5, "activation": "relu", "skip": True},),
    u=np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, -1.0, -1.0, -1.0, -1.0, 0.0, 0.0, 0.0, -1.0, -1.0]),
    v=np.array([[1.0, -1.0], [0.5, 0.25], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0]]),
    escapes=("S.path",),
)
"""Three units that are multiples of each other, and two dead ones."""


def test_a_false_exact_rank_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sink_path.exact_rank_of_planted_starts(DEAD).startswith("REFUTED")
    wrong = ExactRank(2, True, True)
    false = Deficiency("exact-rank", 2, "because")
    lie = RankResult(Verdict.REFUTED, 4, 5, 64, "because", (), deficiency=false, exact=wrong)
    monkeypatch.setattr(fuzz.Specimen, "rank", lambda self, **_: lie)
    with pytest.raises(Falsified, match="exact rank is said to be 2"):
        sink_path.exact_rank_of_planted_starts(DEAD)


def test_output_weights_that_do_not_carry_the_logits_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sink_path.unread_units_move_at_constant_loss(DEAD) == "S.path"
    honest = prover.carried_by

    def changed(*arguments: Any) -> Any:
        numerators, exponent = honest(*arguments).integers()
        first = next(k for k, x in enumerate(numerators) if x)
        numerators[first] += numerators[first] // 2**50 or 1
        return ExactArray.of_integers(numerators, (5, 2), exponent)

    monkeypatch.setattr(prover, "carried_by", changed)
    with pytest.raises(Falsified, match="does not keep a logit"):
        sink_path.unread_units_move_at_constant_loss(DEAD)


def test_a_unit_of_the_basis_that_moves_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prover, "column_basis", lambda *_: [3])
    monkeypatch.setattr(prover, "carried_by", lambda values, basis, v: ExactArray.of_floats(v))
    with pytest.raises(Falsified, match="do not carry"):
        sink_path.unread_units_move_at_constant_loss(DEAD)
