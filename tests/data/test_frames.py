"""DataFrames, Series and their kinds of columns: exact column by column, or refused by the column's name."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import verifier as vf
from verifier.data.gate import binary64, label_entries

pd = pytest.importorskip("pandas")

BIG = 2**53


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (lambda: [True, False], [1, 0]),
        (lambda: pd.array([1, 2], dtype="Int64"), [1, 2]),
        (lambda: pd.array([1, 2], dtype="UInt8"), [1, 2]),
        (lambda: pd.array([0.5, 2], dtype="Float64"), [0.5, 2]),
        (lambda: pd.array([0.5, 2], dtype="Float32"), [0.5, 2]),
        (lambda: pd.array([True, False], dtype="boolean"), [1, 0]),
        (lambda: pd.Categorical([7, 3]), [7, 3]),
        (lambda: pd.Categorical([0.5, 3.0]), [0.5, 3]),
        (lambda: np.array([1, 2.5], dtype=object), [1, 2.5]),
        (lambda: np.array([1, 2], dtype=np.float16), [1, 2]),
        (lambda: np.array([1, 2], dtype=np.uint64), [1, 2]),
    ],
)
def test_columns_that_hold_numbers(column: Any, values: list[float]) -> None:
    frame = pd.DataFrame({"a": [0.25, 0.75], "b": column()})
    assert binary64(frame, "X").tolist() == [[0.25, values[0]], [0.75, values[1]]]
    assert binary64(frame["b"], "X").tolist() == values
    assert binary64([frame["b"], frame["a"]], "X").tolist() == [values, [0.25, 0.75]]


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (lambda: [BIG, BIG + 1], f"column 'b', row 1 is {BIG + 1}, not exactly"),
        (lambda: pd.array([BIG, BIG + 1], dtype="Int64"), f"column 'b', row 1 is {BIG + 1}, not exactly"),
        (lambda: np.array([2**63, 2**63 + 1], dtype=np.uint64), f"column 'b', row 1 is {2**63 + 1}, not exactly"),
        (lambda: pd.array([1, None], dtype="Int64"), "column 'b', row 1 is <NA>, a missing value"),
        (lambda: pd.array([0.5, None], dtype="Float64"), "column 'b', row 1 is <NA>, a missing value"),
        (lambda: pd.array([None, True], dtype="boolean"), "column 'b', row 0 is <NA>, a missing value"),
        (lambda: [1.5, np.nan], "column 'b', row 1 is nan, a missing value"),
        (lambda: [np.inf, 1], "column 'b', row 0 is inf, not a finite"),
        (lambda: pd.Categorical([7, None]), "column 'b', row 1 is nan, a missing value"),
        (lambda: pd.Categorical(["x", "y"]), "column 'b' is text (row 0 is 'x'); encode it with pandas.get_dummies"),
        (lambda: ["x", "y"], "column 'b' is text (row 0 is 'x'); encode it with pandas.get_dummies"),
        (lambda: pd.array(["x", "y"], dtype="string"), "column 'b' is text"),
        (lambda: np.array([1, "z"], dtype=object), "column 'b' is text (row 1 is 'z')"),
        (lambda: np.array([1, [2]], dtype=object), "column 'b', row 1 is [2]"),
        (lambda: np.array([1, None], dtype=object), "column 'b', row 1 is None, a missing value"),
        (lambda: [1j, 2], "column 'b': dtype complex128"),
        (lambda: pd.to_datetime(["2020-01-01", "2021-01-01"]), "column 'b': dtype datetime64"),
        (lambda: pd.to_timedelta([1, 2], unit="s"), "column 'b': dtype timedelta64"),
        (lambda: pd.arrays.SparseArray([0, 1]), "column 'b': a sparse column"),
        (lambda: pd.period_range("2020", periods=2), "column 'b', row 0 is Period"),
    ],
)
def test_columns_are_refused_by_name(column: Any, says: str) -> None:
    frame = pd.DataFrame({"a": [0.25, 0.75], "b": column()})
    with warnings.catch_warnings(), pytest.raises(vf.InputError) as caught:
        warnings.simplefilter("error")
        vf.verify(frame, [0, 1], [vf.Dense(3, "tanh", skip=True)])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_remedy_for_text_works() -> None:
    frame = pd.DataFrame({"a": [0.25, 0.75, 1.0], "island": ["x", "y", "x"]})
    data = vf.dataset_from_arrays(pd.get_dummies(frame), [0, 1, 1])
    assert data.inputs.tolist() == [[0.25, 1, 0], [0.75, 0, 1], [1, 1, 0]]
    assert vf.dataset_from_arrays(frame.drop(columns="island"), [0, 1, 1]).dimension == 1


def test_twin_names_and_levels() -> None:
    frame = pd.DataFrame([[1, 0.5], [2, 1.5]], columns=["a", "a"])
    assert binary64(frame, "X").tolist() == [[1, 0.5], [2, 1.5]]
    assert binary64(pd.DataFrame(index=range(2)), "X").shape == (2, 0)
    with pytest.raises(vf.InputError, match="several levels"):
        binary64(pd.MultiIndex.from_tuples([(1, 2)]), "X")
    with pytest.raises(vf.InputError, match="a dict is a mapping"):
        binary64({"a": [1]}, "X")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (lambda: pd.Series([5, 7, 5]), [5, 7, 5]),
        (lambda: pd.Series([5.0, 7.0, 5.0]), [5, 7, 5]),
        (lambda: pd.Series(["b", "a", "b"], dtype="category"), ["b", "a", "b"]),
        (lambda: pd.Categorical([3, 4, 3]), [3, 4, 3]),
        (lambda: pd.array(["b", "a", "b"], dtype="string"), ["b", "a", "b"]),
        (lambda: pd.array([True, False, True], dtype="boolean"), [True, False, True]),
        (lambda: pd.array([1, 2, 1], dtype="Int64"), [1, 2, 1]),
        (lambda: pd.Index([0, 1, 0]), [0, 1, 0]),
        (lambda: pd.to_datetime(["2020-01-01", "2021-01-01", "2020-01-01"]), None),
    ],
)
def test_labels(labels: Any, expected: list[Any] | None) -> None:
    found = label_entries(labels(), "y")
    assert expected is None or found == expected
    assert found[0] == found[2] != found[1]
    assert vf.dataset_from_arrays(np.eye(3), labels()).labels.tolist() in ([0, 1, 0], [1, 0, 1])


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (lambda: pd.array([0, 1, None], dtype="Int64"), "entry (2,) is <NA>, a missing"),
        (lambda: pd.array(["a", None, "b"], dtype="string"), "entry (1,) is <NA>, a missing"),
        (lambda: [0, 1, pd.NA], "entry (2,) is <NA>, a missing"),
        (lambda: pd.Series([0, 1, np.nan]), "entry (2,) is nan, a missing"),
        (lambda: pd.to_datetime(["2020-01-01", None, "2020-01-02"]), "entry (1,) is NaT, a missing"),
        (lambda: pd.DataFrame({"y": [0, 1, 0]}), "y.iloc[:, 0]"),
        (lambda: pd.DataFrame({"y": [0, 1, 0], "z": [1, 1, 0]}), "2 columns"),
    ],
)
def test_labels_that_are_none(labels: Any, says: str) -> None:
    with pytest.raises(vf.InputError) as caught:
        vf.dataset_from_arrays(np.eye(3), labels())
    assert says in str(caught.value)


def test_categories_have_their_own_order() -> None:
    """As a classifier that was trained on ``y.cat.codes`` has its outputs."""
    y = pd.Series(["low", "high", "low"], dtype=pd.CategoricalDtype(["low", "middle", "high"], ordered=True))
    data = vf.dataset_from_arrays(np.eye(3), y)
    assert data.label_names == ("low", "high")
    assert data.labels.tolist() == [0, 1, 0]
    data = vf.dataset_from_arrays(np.eye(3), y, classes=list(y.cat.categories))
    assert data.labels.tolist() == y.cat.codes.tolist()


def test_texts_that_write_numbers_and_one_hot_tables_get_a_remedy_that_works() -> None:
    frame = pd.DataFrame({"a": pd.Series([1, "2", 3], dtype=object), "b": [0.5, 1.5, 2.5]})
    with pytest.raises(vf.InputError, match=r"column 'a' is text \(row 1 is '2'\); .*pandas.to_numeric\(column\)"):
        vf.dataset_from_arrays(frame, [0, 1, 0])
    assert vf.dataset_from_arrays(frame.assign(a=pd.to_numeric(frame.a)), [0, 1, 0]).inputs[1].tolist() == [2.0, 1.5]
    with pytest.raises(vf.InputError, match="get_dummies"):
        vf.dataset_from_arrays(frame.assign(a=["1", "x", "2"]), [0, 1, 0])
    hot = pd.get_dummies(pd.Series(["u", "v", "u"]))
    with pytest.raises(vf.InputError, match=r"a table of 2 columns, .*; .*y.to_numpy\(\).argmax\(axis=1\)"):
        vf.dataset_from_arrays(np.eye(3), hot)
    assert vf.dataset_from_arrays(np.eye(3), hot.to_numpy().argmax(axis=1)).labels.tolist() == [0, 1, 0]


def test_rows_are_not_paired_silently_where_two_indices_have_another_order() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 4.0]}, index=["u", "v", "w"])
    labels = pd.Series([1, 0, 0], index=["w", "u", "v"])
    with pytest.raises(vf.InputError, match=r"y: its index .* in another order; give y\.loc\[X\.index\]"):
        vf.dataset_from_arrays(frame, labels)
    assert vf.dataset_from_arrays(frame, labels.loc[frame.index]).labels.tolist() == [0, 0, 1]
    assert vf.dataset_from_arrays(frame, labels.to_numpy()).labels.tolist() == [1, 0, 0]
    for index in (["w", "u", "u"], [0, 1, 2], ["u", "v", "w"]):  # no pairing by labels: by their places
        assert vf.dataset_from_arrays(frame, labels.set_axis(index)).labels.tolist() == [1, 0, 0]
