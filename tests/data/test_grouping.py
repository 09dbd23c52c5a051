"""Equal samples are merged without loss, and the infimum under conflicting labels is enclosed."""

import math

import flint
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from verifier.data import grouping as grouping_module
from verifier.data.dataset import Dataset
from verifier.data.grouping import distinct_rows, entropy_infimum, group_duplicates


def make(inputs, labels, **more):
    return Dataset("planted", inputs, labels, 2, **more)


def test_grouping_agreeing_labels():
    data = make([[1.0], [0.0], [1.0], [-0.0]], [0, 1, 0, 1], multiplicities=np.array([1, 2, 3, 4]))
    grouping = group_duplicates(data)
    assert grouping.dataset.inputs.tolist() == [[1.0], [0.0]]  # first occurrence first
    assert grouping.dataset.labels.tolist() == [0, 1]
    assert grouping.dataset.multiplicities.tolist() == [4, 6]
    assert grouping.group_of.tolist() == [0, 1, 0, 1]
    assert grouping.label_counts.tolist() == [[4, 0], [0, 6]]
    assert grouping.labels_agree and grouping.has_duplicates
    assert grouping.infimum == (0.0, 0.0)
    assert grouping.dataset.total == data.total
    assert not group_duplicates(make([[1.0], [0.0]], [0, 1])).has_duplicates
    assert group_duplicates(make([[1.0], [0.0]], None)).infimum is None


def test_grouping_conflicting_labels():
    data = make([[1.0], [0.0], [1.0], [1.0]], [0, 1, 1, 0])
    grouping = group_duplicates(data)
    assert not grouping.labels_agree
    assert grouping.dataset.labels is None
    (conflict,) = grouping.conflicts
    assert (conflict.group, conflict.indices, conflict.counts) == (0, (0, 2, 3), (2, 1))
    lo, hi = grouping.infimum
    exact = (3 * math.log(3) - 2 * math.log(2)) / 4
    assert lo < exact < hi and hi - lo < 1e-15


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3).filter(any), min_size=1, max_size=5))
def test_infimum_encloses_the_entropy(counts):
    table = np.array(counts, dtype=np.int64)
    lo, hi = entropy_infimum(table)
    with flint.ctx.workprec(300):
        exact = flint.arb(0)
        for row in counts:
            for c in row:
                exact += c * (flint.arb(sum(row)) / c).log() if c else 0
        exact /= int(table.sum())
        assert not exact < lo and not exact > hi
    assert hi - lo <= 4 * math.ulp(hi)
    assert 0 <= lo and hi <= math.log(3) + 1e-15
    assert (hi == 0) == all(sum(c > 0 for c in row) == 1 for row in counts)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=12))
def test_grouping_is_lossless(samples):
    data = make([[a, b] for a, b, _ in samples], [c for *_, c in samples])
    grouping = group_duplicates(data)
    assert (grouping.dataset.inputs[grouping.group_of] == data.inputs).all()
    assert len({row.tobytes() for row in grouping.dataset.inputs}) == grouping.dataset.samples
    if grouping.labels_agree:
        assert (grouping.dataset.labels[grouping.group_of] == data.labels).all()
    assert grouping.label_counts.sum() == len(samples)


def test_the_working_precision_is_put_back():
    before = flint.ctx.prec
    entropy_infimum(np.array([[1, 2]]))
    assert flint.ctx.prec == before


def test_equal_samples_are_named():
    rows = [[0.0], [1.0], [0.0], [2.0], [0.0], [0.0], [1.0], [3.0], [3.0], [4.0], [4.0]]
    grouping = group_duplicates(make(rows, [0] * 11))
    assert grouping.equal == ((0, 2, 4, 5), (1, 6), (7, 8), (9, 10))
    assert grouping.equal_words == "samples 0 = 2 = 4 = ..., 1 = 6, 7 = 8, ..."
    assert group_duplicates(make([[0.0], [1.0]], [0, 1])).equal == ()


def test_rows_of_one_hash_are_compared(monkeypatch):
    monkeypatch.setattr(grouping_module, "hash", lambda row: 7, raising=False)
    rows = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 2.0], [5e-324, 0.0], [0.0, 0.0], [1.0, 3.0]])
    assert distinct_rows(rows).tolist() == [0, 1, 0, 2, 3, 1]
