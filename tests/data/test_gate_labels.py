"""Labels at the gate: values that compare by value, or refused by name."""

from __future__ import annotations

import enum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from verifier.data.gate import label_entries
from verifier.errors import DataError


class Colour(enum.Enum):
    RED = 1


class Number(enum.IntEnum):
    ONE = 1


class Thing:
    pass


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([np.array(0), np.int8(0), 1.0, Fraction(1)], [0, 0, 1, 1]),
        (np.array([0.0, 1.0], dtype=np.float16), [0, 1]),
        ([True, np.bool_(False)], [True, False]),
        ([np.str_("a"), "b"], ["a", "b"]),
        ([Colour.RED, Colour.RED], [Colour.RED, Colour.RED]),
        (np.array(["2020-01-01", "2021-02-03"], dtype="M8[D]"), ["2020-01-01", "2021-02-03"]),
        ([2.0**60, 2**60 + 1], [2**60, 2**60 + 1]),
        (np.array([2**63, 1], dtype=np.uint64), [2**63, 1]),
        ([("a", np.int8(1)), ("a", 2)], [("a", 1), ("a", 2)]),
        (range(3), [0, 1, 2]),
    ],
)
def test_labels_compare_by_value(given: Any, expected: list[Any]) -> None:
    found = label_entries(given, "y")
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([True, 1, 0], "booleans beside numbers"),
        (["1", 1], "entry 0 is '1' and entry 1 is 1"),
        ([b"a", "a"], "may be the same class"),
        ([Number.ONE, 1], "may be the same class"),
        ([Thing(), Thing()], "never equal"),
        ([0.5, 1], "regression"),
        ([Fraction(1, 2), 1], "regression"),
        ([float("nan"), 1], "missing label"),
        ([None, 1], "missing label"),
        ([np.ma.masked, 1], "missing label"),
        (np.array(["2020-01-01", "NaT"], dtype="M8[D]"), "missing label"),
        (np.ma.masked_array([0, 1], mask=[0, 1]), "masked"),
        ([float("inf"), 1], "no class"),
        ([1j, 1], "no class"),
        (np.array([1, 2], dtype="m8[s]"), "no class"),
        ({1, 2}, "no order"),
        ({0: 1}, "mapping"),
        ((k for k in range(2)), "only once"),
        ([[1, 0], [0, 1]], "argmax"),
        ([(1, 0), (0, 1)], "argmax"),
        (np.eye(2), "argmax"),
        (np.ones((2, 1)), "ravel"),
        ([[1], [2]], "not hashable"),
        ([np.array([1]), np.array([2])], "shape (1,)"),
        ("ab", "one text"),
        (3, "no sequence"),
        (scipy.sparse.csr_array(np.eye(2)), "toarray"),
    ],
)
def test_what_is_no_class_is_refused(given: Any, says: str) -> None:
    with pytest.raises(DataError) as caught:
        label_entries(given, "y")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
