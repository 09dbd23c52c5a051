"""Reading a value by the document's table: long lists of integers at once, and every wrong entry by its name."""

from __future__ import annotations

import pytest

from verifier.checker.common import Rejection
from verifier.checker.schema import read

INTEGERS = [range(5), 1, 10]


def test_a_list_of_integers_is_itself():
    assert read(INTEGERS, [0, 4, 2, 2], "/x") == [0, 4, 2, 2]


@pytest.mark.parametrize("wrong", [True, False, 2.0, "2", None, [2], 5, -1, 10**30])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_one_wrong_entry_is_named(wrong, place):
    """True and 2.0 equal integers in the range, and are none."""
    values: list = [0, 4, 2, 2]
    values[place] = wrong
    with pytest.raises(Rejection) as found:
        read(INTEGERS, values, "/x")
    path, rule = found.value.args[:2]
    assert path == f"/x/{place}"
    assert rule == ("schema.value" if type(wrong) is int else "schema.type")


@pytest.mark.parametrize("values", [[], [1] * 11])
def test_the_length_counts(values):
    with pytest.raises(Rejection):
        read(INTEGERS, values, "/x")
