"""S.path in the checker: which entries rest, and what is rejected."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from flint import fmpz_mat

from verifier.checker.certificate import check_file
from verifier.checker.common import Exact
from verifier.checker.sink_path import resting_entries

FOLDER = Path(__file__).parents[1] / "certificates"


def leaf(*rows):
    return SimpleNamespace(kind="parameter", exact=Exact(fmpz_mat([list(row) for row in rows]), 0, 9))


def test_a_parameter_rests_where_its_numbers_are_the_same():
    assert resting_entries(leaf([1, 2], [3, 4]), leaf([1, 5], [3, 4]), []) == [True, False, True, True]
    doubled = SimpleNamespace(kind="parameter", exact=Exact(fmpz_mat([[2, 4]]), -1, 9))
    assert resting_entries(leaf([1, 2]), doubled, []) == [True, True]


@pytest.mark.parametrize(
    ("source", "weight", "bias", "found"),
    [
        ([True, True], [True] * 4, [True, True], [True, True]),
        ([True, True], [True, False, True, True], [True, True], [False, True]),
        ([True, True], [True] * 4, [True, False], [True, False]),
        ([True, False], [True] * 4, [True, True], [False, False]),
    ],
)
def test_a_unit_rests_if_all_that_it_reads_does(source, weight, bias, found):
    node = SimpleNamespace(kind="affine", over="all", bias=True, fan_in=2, shape=(2,))
    assert resting_entries(node, node, [source, weight, bias]) == found
    node.bias = False
    assert resting_entries(node, node, [source, weight]) == [all(source) and all(weight[k : k + 2]) for k in (0, 2)]
    assert resting_entries(SimpleNamespace(kind="map", shape=(2,)), None, [found]) == found
    other = SimpleNamespace(kind="add", shape=(2,))
    assert resting_entries(other, other, [found, [True]]) == [all(found)] * 2


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("accepted/unread-unit-moves", None),
        ("accepted/copy-over-a-layer-moves", None),
        ("rejected/s-path-nobody-carries", "S.path.span"),
        ("rejected/s-path-two-units-are-needed", "S.path.span"),
        ("rejected/s-path-bias-moves", "S.path.span"),
        ("rejected/s-path-what-is-read-moves", "S.path.span"),
        ("rejected/s-path-pole", "S.path.defined"),
        ("rejected/s-path-not-rational", "R6.rational"),
        ("rejected/s-path-margin", "S.path.margin"),
    ],
)
def test_what_is_accepted_and_what_is_not(name, rule):
    found = check_file(str(FOLDER / f"{name}.json"), 1)
    assert (None if found.rejection is None else found.rejection.rule) == rule, found.rejection
