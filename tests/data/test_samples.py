"""Samples in chunks: exact products, types, memory maps, errors."""

from fractions import Fraction

import numpy as np
import pytest

from verifier.data import samples
from verifier.data.dataset import Dataset
from verifier.data.samples import SampleSource
from verifier.errors import DataError


def test_chunks_are_the_rows(monkeypatch):
    monkeypatch.setattr(samples, "CHUNK_ENTRIES", 6)
    array = np.arange(35).reshape(7, 5)
    chunks = list(SampleSource("x", array).chunks())
    assert [len(chunk) for chunk in chunks] == [1] * 7
    np.testing.assert_array_equal(np.concatenate(chunks), array)
    monkeypatch.setattr(samples, "CHUNK_ENTRIES", 10)
    source = SampleSource("x", array)
    assert [len(chunk) for chunk in source.chunks()] == [2, 2, 2, 1]
    found, exponent = source.project(np.array([1, -2, 3, 0, 7]))
    np.testing.assert_array_equal(found * 2.0**exponent, array @ [1, -2, 3, 0, 7])


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "<i2", ">i2", "<u2", "i4", "u4", "i8", "u8", "f2", "f4", ">f4", "f8", "?"]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_mapped_file(dtype, order, tmp_path):
    array = np.array([[0, 1, 100], [1, 0, 7]], dtype=dtype, order=order)
    np.save(tmp_path / "x.npy", array)
    source = SampleSource.open(tmp_path / "x.npy", classes=3)
    assert (source.samples, source.dimension, source.shape, source.classes) == (2, 3, (3,), 3)
    assert source.name == "x.npy" and isinstance(source.array, np.memmap)
    found, exponent = source.project(np.array([1, 10, 100]))
    np.testing.assert_array_equal(found * 2.0**exponent, array.astype(float) @ [1, 10, 100])
    stored, exponent = source.stored()
    np.testing.assert_array_equal(stored, array)
    assert stored.dtype.newbyteorder("=") == stored.dtype and (stored.dtype.str[1:], exponent) in (("u1", 0), ("i1", 0))
    assert source.row(1) == array[1].tolist()


def test_bytes_are_stored_as_they_are(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[0, 255]], dtype=np.uint8))
    source = SampleSource.open(tmp_path / "x.npy")
    assert source.stored() == (source.array, 0)


TINIEST = 5e-324


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array([[0.0, 255.0]]) / 256, "u1"),
        (np.array([[-3.0, 127.5]], np.float32), "i2"),
        (np.array([[-(2.0**31), 2.0**31 - 1]]) * 2.0**600, "i4"),
        (np.array([[TINIEST, 3 * TINIEST]]), "u1"),
        (np.array([[-(2.0**15), 1.0]], np.float32), "i2"),
        (np.array([[0.5, 2.0**15]], np.float32), "f4"),
        (np.array([[2.0**31, 1.0]]), "f8"),
        (np.array([[0.1, 1.0]]), "f8"),
        (np.array([[1.0, 2.0**-14]], np.float16), "f4"),
        (np.zeros((1, 2)), "u1"),
    ],
)
def test_floats_that_are_small_integers_are_stored_as_integers(array, kind):
    numbers, exponent = SampleSource("x", array).stored()
    assert numbers.dtype.str[1:] == kind
    assert [int(k) * Fraction(2) ** exponent if kind[0] != "f" else Fraction(k) for k in numbers.ravel().tolist()] == [
        Fraction(x) for x in array.ravel().tolist()
    ]


def test_a_data_set():
    dataset = Dataset("d", np.array([[0.5, 2.0], [1.0, 3.0]]), None, 4, shape=(1, 2))
    source = SampleSource.of_dataset(dataset)
    assert (source.name, source.shape, source.classes, source.extent) == ("d", (1, 2), 4, (-1, 3))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2), complex), "dtype"),
        (np.full((2, 2), None), r"entry \(0, 0\) is None"),
        (np.ma.masked_array([[1.0]], mask=[[True]]), "is masked"),
        (np.zeros(3), "shape"),
        (np.zeros((0, 3)), "shape"),
        (np.zeros((2, 0)), "shape"),
    ],
)
def test_bad_arrays(array, words):
    with pytest.raises(DataError, match=words):
        SampleSource("x", array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_must_be_finite(value):
    with pytest.raises(DataError, match="NaN or infinite"):
        SampleSource("x", np.array([[1.0, value]])).project(np.array([1, 1]))


def test_bad_shapes_and_files(tmp_path):
    with pytest.raises(DataError, match="product"):
        SampleSource("x", np.zeros((2, 4)), shape=(2, 3))
    with pytest.raises(DataError, match="cannot read"):
        SampleSource.open(tmp_path / "none.npy")
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(DataError, match="cannot read"):
        SampleSource.open(tmp_path / "text.npy")
    (tmp_path / "empty.npy").write_bytes(b"")
    with pytest.raises(DataError, match="cannot read"):
        SampleSource.open(tmp_path / "empty.npy")
    np.savez(tmp_path / "many.npz", a=np.zeros(3))
    with pytest.raises(DataError, match="archive"):
        SampleSource.open(tmp_path / "many.npz")


def test_too_large_integers_and_directions():
    source = SampleSource("x", np.array([[2**64 - 1]], dtype=np.uint64))
    with pytest.raises(DataError, match="beyond"):
        source.stored()
    with pytest.raises(DataError, match="direction"):
        source.project(np.array([2**60]))
