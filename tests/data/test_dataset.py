"""Data sets: validation that is seen to fail, exact scaling, and scikit-learn's data sets."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.data.dataset import Dataset, scale_by_power, scaled_inputs
from verifier.data.grouping import group_duplicates
from verifier.data.readers import BUILT_IN, load_builtin, load_dataset
from verifier.errors import DataError

TWO = np.array([[0.0, 1.0], [2.0, 3.0]])


def make(inputs=TWO, labels=(0, 1), classes=2, **more):
    return Dataset("planted", np.asarray(inputs), None if labels is None else np.asarray(labels), classes, **more)


def test_arrays_are_private_normal_and_frozen():
    raw = np.asfortranarray([[-0.0, 1.0], [2.0, 3.0]])
    data = make(raw)
    raw[0, 1] = 7
    assert data.inputs.tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert not np.signbit(data.inputs).any()
    assert data.inputs.flags.c_contiguous and data.inputs.dtype == np.float64
    for array in (data.inputs, data.labels, data.multiplicities):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert (data.samples, data.dimension, data.total, data.shape) == (2, 2, 2, (2,))
    assert data.label_names == ("0", "1")
    assert make(labels=None).labels is None
    assert make(multiplicities=np.array([2, 3])).total == 5
    with pytest.raises(AttributeError):
        data.name = "other"


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"inputs": [1.0, 2.0]}, "expected (N, d)"),
        ({"inputs": np.empty((0, 2))}, "N >= 1"),
        ({"inputs": np.empty((2, 0))}, "d >= 1"),
        ({"inputs": [[np.nan, 1], [2, 3]]}, "entry (0, 0) is nan"),
        ({"inputs": [[0, 1], [2, -np.inf]]}, "entry (1, 1) is -inf"),
        ({"inputs": [[0, 1], [2**53 + 1, 3]]}, "entry (1, 0) is 9007199254740993"),
        ({"inputs": np.array([[1, 2], [3, None]], dtype=object)}, "entry (1, 1) is None, a missing value"),
        ({"inputs": np.array([["a", "b"], ["c", "d"]])}, "dtype <U1"),
        ({"inputs": TWO + 1j}, "dtype complex128"),
        ({"labels": [0]}, "expected (2,)"),
        ({"labels": [0.0, 1.0]}, "not integers"),
        ({"labels": [0, 2]}, "2 is outside 0..1"),
        ({"labels": [-1, 1]}, "-1 is outside 0..1"),
        ({"labels": np.array([0, 2**63], dtype=np.uint64)}, "beyond 2**63"),
        ({"classes": 1}, "at least 2"),
        ({"classes": 2.0}, "at least 2"),
        ({"multiplicities": np.array([1, 0])}, "at least 1"),
        ({"multiplicities": np.array([2**62, 2**62])}, "sum at most"),
        ({"multiplicities": np.array([1])}, "expected (2,)"),
        ({"multiplicities": np.array([1.0, 1.0])}, "not integers"),
        ({"shape": (3,)}, "product must be the dimension 2"),
        ({"shape": (-1, -2)}, "product must be the dimension 2"),
        ({"label_names": ("a",)}, "1 names for 2 classes"),
    ],
)
def test_bad_data_is_refused(change, fragment):
    with pytest.raises(DataError) as caught:
        make(**change)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-1200, 1200))
def test_scaling_is_exact_or_refused(value, exponent):
    numerator, denominator = value.as_integer_ratio()
    try:
        scaled = float(scale_by_power(np.array([[value]]), [exponent])[0, 0])
    except DataError as error:
        assert "overflows" in str(error) or "loses bits" in str(error)
        top, bottom = (numerator << max(exponent, 0)), (denominator << max(-exponent, 0))
        try:
            nearest = top / bottom
        except OverflowError:
            return
        assert math.isinf(nearest) or (nearest.as_integer_ratio()[0] * bottom != top * nearest.as_integer_ratio()[1])
        return
    a, b = scaled.as_integer_ratio()
    assert a * (denominator << max(-exponent, 0)) == b * (numerator << max(exponent, 0))


def test_auto_scaling():
    raw = np.array([[3.0, 0.0, -8.0, 0.1], [1.0, 0.0, 2.0, 0.3]])
    scaled, words = scaled_inputs(raw, "auto")
    assert np.abs(scaled).max(axis=0).tolist() == [0.75, 0.0, 1.0, 0.6]
    assert words == "columns times 2^k, k = -2 0 -3 1"
    assert scaled_inputs(raw, "auto", common=True)[1] == "divided by 2^3"
    assert scaled_inputs(raw, "none") == (raw, "none")
    assert scaled_inputs(raw, 3)[0].tolist() == (raw * 8).tolist()
    assert scaled_inputs(raw, 0)[1] == "none"
    assert len(scaled_inputs(np.ldexp(np.ones((1, 200)), np.arange(200)), "auto")[1]) <= 200
    for bad, fragment in [("most", "'auto', 'none'"), (1.5, "integer exponent"), (True, "integer"), (5000, "beyond")]:
        with pytest.raises(DataError, match=fragment):
            scaled_inputs(raw, bad)
    with pytest.raises(DataError, match="overflows"):
        scaled_inputs(np.array([[1e308]]), 5)
    with pytest.raises(DataError, match="loses bits"):
        scaled_inputs(np.array([[5e-324], [1.0]]), -1)
    with pytest.raises(DataError, match="loses bits"):
        scaled_inputs(np.array([[1e308, 0.0], [3e-308, 1.0]]), "auto")


def test_first():
    data = make([[0.0], [1.0], [2.0]], [0, 0, 1])
    assert data.first(3).samples == 3
    assert make([[0.0], [1.0], [2.0]], None).first(2).samples == 2
    with pytest.raises(DataError, match="one class only"):
        data.first(2)
    for bad in (1, 0, -1, 4, 2.0, True, "2"):
        with pytest.raises(DataError, match="from 2 to 3"):
            data.first(bad)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "distinct"),
    [
        ("digits", (1797, 64), 10, 1797),
        ("iris", (150, 4), 3, 149),
        ("wine", (178, 13), 3, 178),
        ("breast_cancer", (569, 30), 2, 569),
    ],
)
def test_built_ins(name, shape, classes, distinct):
    from sklearn import datasets

    data = load_builtin(name)
    raw = getattr(datasets, f"load_{name}")().data
    assert data.inputs.shape == shape and data.classes == classes
    assert data.labels is not None and set(data.labels.tolist()) == set(range(classes))
    ratio = data.inputs[raw != 0] / raw[raw != 0]
    assert (np.frexp(ratio)[0] == 0.5).all()  # powers of two only
    assert (np.abs(data.inputs).max(axis=0) <= 1).all()
    assert group_duplicates(data).dataset.samples == distinct
    assert group_duplicates(data).labels_agree
    assert len(data.scaling) <= 200
    if name == "digits":
        assert data.shape == (1, 8, 8) and data.scaling == "integers; divided by 2^4"
        assert (data.inputs * 16 == raw).all()
    assert (load_builtin(name, scale="none").inputs == raw).all()


def test_all_built_ins_are_tested():
    assert set(BUILT_IN) == {"digits", "iris", "wine", "breast_cancer"}


def test_load_dataset_dispatches(tmp_path):
    assert load_dataset("iris", samples=100).samples == 100
    for arguments in ({}, {"name": "iris", "path": "x.csv"}):
        with pytest.raises(DataError, match="exactly one"):
            load_dataset(**arguments)
    with pytest.raises(DataError, match="did you mean 'digits'"):
        load_dataset("digit")
    with pytest.raises(DataError, match=r"a pickle, which could run any program"):
        load_dataset(path=tmp_path / "x.pkl")
    with pytest.raises(DataError, match="from 2 to 150"):
        load_dataset("iris", samples=151)
    with pytest.raises(DataError, match="one class only"):
        load_dataset("iris", samples=50)
    (tmp_path / "x.CSV").write_text("1,a\n2,b\n")
    assert load_dataset(path=tmp_path / "x.CSV").samples == 2
    np.savez(tmp_path / "x.npz", X=TWO, y=[0, 1])
    assert load_dataset(path=str(tmp_path / "x.npz"), scale="none").inputs.tolist() == TWO.tolist()


def test_missing_files_and_directories(tmp_path):
    for name in ("none", "none.npz"):
        with pytest.raises(DataError, match="No such file"):
            load_dataset(path=tmp_path / name)
    with pytest.raises(DataError, match="is a directory"):
        load_dataset(path=tmp_path)
