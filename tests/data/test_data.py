"""Data sets, readers, grouping: exactness, and every validation seen to fail."""

import gzip
import io
import math
import struct
import zipfile

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.data.dataset import Dataset, scale_by_power, scaled_inputs
from verifier.data.gate import binary64
from verifier.data.grouping import entropy_infimum, group_duplicates
from verifier.data.npz import read_npz
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


def test_ragged_lists_are_refused():
    with pytest.raises(DataError, match="ragged"):
        binary64([[1.0], [1.0, 2.0]], "inputs")


@pytest.mark.parametrize("dtype", [">f8", "<f8", ">f4", "f2", "i1", "u1", ">i4", "i8", ">u8", "?"])
def test_every_dtype_is_read_exactly(dtype):
    values = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    result = binary64(values, "inputs")
    assert result.dtype == np.float64 and result.dtype.isnative
    assert result.tolist() == [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]
    assert binary64(np.array([2**60, -(2**60)]), "i").tolist() == [2.0**60, -(2.0**60)]
    assert binary64(np.float32([0.1]), "f")[0] == float(np.float32(0.1))


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**62 + 1])
def test_int64_beyond_53_bits_is_refused(value):
    with pytest.raises(DataError, match="not exactly a binary64"):
        binary64(np.array([0, value]), "inputs")
    with pytest.raises(DataError, match="not exactly a binary64"):
        binary64(np.array([2**64 - 1], dtype=np.uint64), "inputs")


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5))
def test_integers_are_exact_or_refused(values):
    exact = all(int(float(value)) == value for value in values)
    try:
        assert [int(x) for x in binary64(np.array(values, dtype=np.int64), "x")] == values
        assert exact
    except DataError:
        assert not exact


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


def csv_of(tmp_path, text, **more):
    file = tmp_path / "data.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_dataset(path=file, **({"scale": "none"} | more))


@pytest.mark.parametrize(
    ("text", "more", "inputs", "labels", "names"),
    [
        ("1,1\n2,2\n", {}, [[1], [2]], [0, 1], ("1", "2")),
        ("1,0\n2,2\n", {}, [[1], [2]], [0, 1], ("0", "2")),
        ("1,-1\n2,1\n", {}, [[1], [2]], [0, 1], ("-1", "1")),
        ("1,2,a\n3,4,b\n", {}, [[1, 2], [3, 4]], [0, 1], ("a", "b")),
        ("x,y,class\n1,2,b\n3,4,a\n", {}, [[1, 2], [3, 4]], [1, 0], ("a", "b")),
        ("x,y,class\n1,2,1\n3,4,0\n", {}, [[1, 2], [3, 4]], [1, 0], ("0", "1")),
        ("class,x\na,1\nb,2\n", {"label": "class"}, [[1], [2]], [0, 1], ("a", "b")),
        ("a,1\nb,2\n", {"label": 0}, [[1], [2]], [0, 1], ("a", "b")),
        ("a,1\nb,2\n", {"label": -2}, [[1], [2]], [0, 1], ("a", "b")),
        ("\ufeff1,0\r\n\r\n 2 , 1 \r\n,\r\n", {}, [[1], [2]], [0, 1], ("0", "1")),
        ('"1","x, y"\n2,z\n', {}, [[1], [2]], [0, 1], ("x, y", "z")),
        ("1,1.0\n2,0.0\n", {}, [[1], [2]], [1, 0], ("0", "1")),
        ("0.1,0\n-1e-3,1\n", {}, [[0.1], [-0.001]], [0, 1], ("0", "1")),
        ("-0.0,0\n-0e5,1\n", {}, [[0.0], [0.0]], [0, 1], ("0", "1")),
        ("1,7\n2,a\n", {}, [[1], [2]], [0, 1], ("7", "a")),
    ],
)
def test_csv(tmp_path, text, more, inputs, labels, names):
    data = csv_of(tmp_path, text, **more)
    assert data.inputs.tolist() == inputs
    assert data.labels.tolist() == labels
    assert data.label_names == names
    assert "nearest binary64" in data.scaling


@pytest.mark.parametrize(
    ("text", "more", "fragment"),
    [
        ("", {}, "empty"),
        ("\n\n", {}, "no lines with data"),
        ("x,y\n", {}, "only a header"),
        ("1\n2\n", {}, "one column only"),
        ("1,2,a\n3,b\n", {}, "line 2 has 2 cells, line 1 has 3"),
        ("1,2,a\n\n3,4,5,b\n", {}, "line 3 has 4 cells"),
        ("1,a\nnan,b\n", {}, "line 2, column 1: 'nan' is a missing value"),
        ("NaN,a\n1,b\n", {}, "line 1, column 1: 'NaN' is a missing value"),
        ("1,a\n-inf,b\n", {}, "not finite"),
        ("1,a\n1e999,b\n", {}, "beyond binary64"),
        ("1,a\n1e-999,b\n", {}, "below binary64"),
        ("1,2,a\n3,x,b\n", {}, "line 2, column 2: 'x' is not a number"),
        ("1,2,a\n3,,b\n", {}, "line 2, column 2: '' is a missing value"),
        ("?,?,a\n3,1,b\n", {}, "line 1, column 1: '?' is a missing value"),
        ("1,a\n1_0,b\n", {}, "not a number"),
        ("1,a\n0x10,b\n", {}, "not a number"),
        ("1,a\n2,\n", {}, "line 2, column 2: the label is missing"),
        ("1,a\n2,a\n", {}, "1 class among the labels"),
        ("1,0\n2,0\n", {}, "1 class among the labels"),
        ("1.5,0\n2,1.5\n", {}, "no column holds classes: the last, column 2, has '1.5'"),
        ("1,0\n2,1.5\n", {"label": 1}, "label 1.5 is not an integer"),
        ("1,0\n2,nan\n", {}, "line 2, column 2: the label is missing ('nan')"),
        ("x,class\n1,0\n2,1\n", {"label": "clas"}, "did you mean 'class'"),
        ("x,x\n1,0\n2,1\n", {"label": "x"}, "names 2 columns"),
        ("1,0\n2,1\n", {"label": 2}, "index -2..1"),
        ("1,0\n2,1\n", {"label": -3}, "index -2..1"),
        ("1,0\n2,1\n", {"label": True}, "index -2..1"),
        ("1,0\n2,1\n", {"label": 1.5}, "index -2..1"),
        ("é,0\n2,1\n".encode("latin-1"), {}, "names or a sample with a mistake"),
        (b"\xff\xfe1\x00,", {}, "is not UTF-16-LE"),
        ('1,"a\n2,b\n', {}, "plain CSV"),
        ("1e300,0\n1e-300,1\n", {"scale": "auto"}, "loses bits"),
        ("1,0\n2,1\n", {"scale": 2000}, "overflows"),
    ],
)
def test_bad_csv_is_refused_in_one_line(tmp_path, text, more, fragment):
    with pytest.raises(DataError) as caught:
        csv_of(tmp_path, text, **more)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_directories(tmp_path):
    for name in ("none", "none.npz"):
        with pytest.raises(DataError, match="No such file"):
            load_dataset(path=tmp_path / name)
    with pytest.raises(DataError, match="is a directory"):
        load_dataset(path=tmp_path)


def npz_of(tmp_path, **arrays):
    file = tmp_path / "data.npz"
    np.savez_compressed(file, **arrays)
    return file


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "f4", ">f4", "i8", ">i2", "u1"])
@pytest.mark.parametrize("label_dtype", ["i8", ">i4", "u1", "f8", "?"])
def test_npz(tmp_path, dtype, label_dtype):
    x = np.arange(24).reshape(4, 1, 2, 3).astype(dtype)
    data = read_npz(npz_of(tmp_path, X=x, y=np.array([0, 1, 1, 0]).astype(label_dtype)), scale=-4)
    assert (data.inputs * 16 == np.arange(24).reshape(4, 6)).all()
    assert data.shape == (1, 2, 3) and data.labels.tolist() == [0, 1, 1, 0]
    assert data.scaling == "divided by 2^4"


def test_npz_text_labels(tmp_path):
    for y in (np.array(["b", "a"]), np.array([b"b", b"a"])):
        data = read_npz(npz_of(tmp_path, X=TWO, y=y))
        assert data.labels.tolist() == [1, 0] and data.label_names == ("a", "b")


@pytest.mark.parametrize(
    ("arrays", "fragment"),
    [
        ({"X": TWO}, "no arrays named X and y"),
        ({"a": TWO, "b": [0, 1], "c": [0, 1]}, 'data.inputs = "a" and data.label = "b"'),
        ({"X": TWO, "y": [0, 1, 1]}, "y has shape (3,)"),
        ({"X": TWO, "y": [[0, 1]]}, "y has shape (1, 2)"),
        ({"X": TWO, "y": [[1, 1], [0, 1]]}, "row 0 is [1, 1], not one 1 among zeros"),
        ({"X": TWO[0], "y": [0, 1]}, "X has shape (2,)"),
        ({"X": np.empty((0, 3)), "y": np.empty(0, int)}, "all at least 1"),
        ({"X": np.empty((2, 0)), "y": [0, 1]}, "all at least 1"),
        ({"X": np.array([[1, None], [2, 3]], dtype=object), "y": [0, 1]}, "Python objects"),
        ({"X": TWO, "y": np.array([0, "a"], dtype=object)}, "Python objects"),
        ({"X": TWO * np.nan, "y": [0, 1]}, "nan, not a finite"),
        ({"X": np.array([[2**53 + 1], [0]]), "y": [0, 1]}, "not exactly a binary64"),
        ({"X": TWO.astype(complex), "y": [0, 1]}, "dtype complex128"),
        ({"X": TWO.astype("M8[s]"), "y": [0, 1]}, "dtype datetime64"),
        ({"X": TWO, "y": [0, 0]}, "1 class"),
        ({"X": TWO, "y": [0, 1.5]}, "label 1.5 is not an integer"),
        ({"X": TWO, "y": [0, np.inf]}, "label inf is not an integer"),
        ({"X": TWO, "y": [0, 1j]}, "dtype complex128"),
    ],
)
def test_bad_npz_is_refused_in_one_line(tmp_path, arrays, fragment):
    with pytest.raises(DataError) as caught:
        read_npz(npz_of(tmp_path, **arrays))
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def header(shape, dtype="<f8"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def zip_of(tmp_path, members):
    file = tmp_path / "data.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file


def test_npz_sizes_are_checked_before_memory_is_taken(tmp_path):
    y = ("y.npy", header((2,), "<i8") + np.array([0, 1]).tobytes())
    good = header((2, 1)) + np.array([1.0, 2.0]).tobytes()
    assert read_npz(zip_of(tmp_path, [("X.npy", good), y])).samples == 2
    for shape in ((2, 1 << 50), (1 << 40, 1 << 40), (2, 2), (1,), (0, 0)):
        lying = header(shape) + np.array([1.0, 2.0]).tobytes()
        with pytest.raises(DataError, match=r"declares|\.npz archive"):
            read_npz(zip_of(tmp_path, [("X.npy", lying), y]))
    with pytest.raises(DataError, match="declares the shape"):
        read_npz(zip_of(tmp_path, [("X.npy", header((-2, 1)) + bytes(16)), y]))
    with pytest.raises(DataError, match="more than 1000"):  # a bomb: 1 MB of zeros in a few bytes
        read_npz(zip_of(tmp_path, [("X.npy", header((2, 65536)) + bytes(2 * 65536 * 8)), y]), max_bytes=1000)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_broken_archives_are_refused(tmp_path):
    good = header((2, 1)) + np.array([1.0, 2.0]).tobytes()
    y = ("y.npy", header((2,), "<i8") + np.array([0, 1]).tobytes())
    file = tmp_path / "data.npz"
    for content in (b"PK", b"not a zip at all", b"\x00" * 100):
        file.write_bytes(content)
        with pytest.raises(DataError, match="sound"):
            read_npz(file)
    for bad in (b"", b"\x93NUMPY", b"\x93NUMPY\x03\x00" + good[8:], good[:-1], b"PICKLE" + good):
        with pytest.raises(DataError):
            read_npz(zip_of(tmp_path, [("X.npy", bad), y]))
    with pytest.raises(DataError, match="2 arrays named 'X'"):
        read_npz(zip_of(tmp_path, [("X.npy", good), ("X.npy", good), y]))
    whole = zip_of(tmp_path, [("X.npy", good), y]).read_bytes()
    for cut in range(10, len(whole), 25):  # truncated anywhere
        file.write_bytes(whole[:cut])
        with pytest.raises(DataError):
            read_npz(file)
    for at in range(30, len(whole) - 30, 7):  # corrupted anywhere: refused or read, never another exception
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            read_npz(file)
        except DataError:
            continue


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
    assert not group_duplicates(make()).has_duplicates
    assert group_duplicates(make(labels=None)).infimum is None


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


def test_all_built_ins_are_tested():
    assert set(BUILT_IN) == {"digits", "iris", "wine", "breast_cancer"}


IDX = {0x08: (">u1", [0, 1, 255]), 0x09: (">i1", [-128, 0, 127]), 0x0B: (">i2", [-(2**15), 258, 2**15 - 1])}
IDX |= {0x0C: (">i4", [-(2**31), 16909060, 2**31 - 1]), 0x0D: (">f4", [0.1, -1.5, 2.0**-149])}
IDX |= {0x0E: (">f8", [0.1, -1e300, 5e-324])}


def write_idx(path, array, code=0x08, compress=False):
    head = bytes((0, 0, code, np.ndim(array))) + struct.pack(f">{np.ndim(array)}I", *np.shape(array))
    content = head + np.asarray(array).astype(IDX[code][0]).tobytes()
    path.write_bytes(gzip.compress(content) if compress else content)


@pytest.mark.parametrize("code", IDX)
@pytest.mark.parametrize("compress", [False, True])
def test_idx_is_read_exactly(tmp_path, code, compress):
    values = [float(np.float32(v)) if code == 0x0D else v for v in IDX[code][1]]
    images = np.array([values, values[::-1], values[1:] + values[:1]]).reshape(3, 1, 3)
    suffix = ".gz" if compress else ""
    path = tmp_path / f"t10k-images-idx3-ubyte{suffix}"
    write_idx(path, images, code, compress)
    write_idx(tmp_path / f"t10k-labels-idx1-ubyte{suffix}", [1, 0, 1], compress=compress)
    data = load_dataset(path=path, scale="none")
    assert data.inputs.tolist() == images.reshape(3, 3).tolist()
    assert (data.labels.tolist(), data.classes, data.shape) == ([1, 0, 1], 2, (1, 1, 3))


def test_idx_images_with_their_labels(tmp_path):
    """Planted pixels are found where they were put, scaled by one power of two; the labels may lie anywhere."""
    images = np.zeros((5, 4, 3), dtype=np.uint8)
    images[2, 3, 1], images[4, 0, 2] = 7, 128
    write_idx(tmp_path / "train-images.idx3-ubyte", images)
    write_idx(tmp_path / "train-labels.idx1-ubyte.gz", [0, 2, 1, 0, 2], compress=True)
    data = load_dataset(path=tmp_path / "train-images.idx3-ubyte")
    assert np.argwhere(data.inputs).tolist() == [[2, 3 * 3 + 1], [4, 2]]
    assert (data.inputs[2, 10], data.inputs[4, 2], data.scaling) == (7 / 128, 1.0, "divided by 2^7")
    assert (data.shape, data.classes, data.label_names) == ((1, 4, 3), 3, ("0", "1", "2"))
    first = load_dataset(path=tmp_path / "train-images.idx3-ubyte", samples=3)
    assert (first.inputs == data.inputs[:3]).all() and first.scaling == data.scaling and first.classes == 3
    write_idx(tmp_path / "elsewhere", [2, 1, 0, 0, 0])
    other = load_dataset(path=tmp_path / "train-images.idx3-ubyte", labels=tmp_path / "elsewhere")
    assert other.labels.tolist() == [2, 1, 0, 0, 0]
    for axes, shape in (((5, 12), (12,)), ((5, 3, 2, 2), (3, 2, 2))):
        write_idx(tmp_path / "x.idx", images.reshape(axes))
        found = load_dataset(path=tmp_path / "x.idx", labels=tmp_path / "elsewhere")
        assert found.shape == shape and (found.inputs == data.inputs).all()
    with pytest.raises(DataError, match="from 2 to 5"):
        load_dataset(path=tmp_path / "train-images.idx3-ubyte", samples=6)
    with pytest.raises(DataError, match="give labels = "):
        load_dataset(path=tmp_path / "x.idx")
    with pytest.raises(DataError, match="No such file"):
        load_dataset(path=tmp_path / "none.idx", labels=tmp_path / "elsewhere")
    with pytest.raises(DataError, match="only images in an IDX file"):
        load_dataset("iris", labels=tmp_path / "elsewhere")


def test_idx_declared_sizes_are_compared_before_memory_is_taken(tmp_path):
    write_idx(tmp_path / "train-labels-idx1-ubyte", [0, 1])
    head = bytes((0, 0, 8, 3)) + struct.pack(">3I", 2, 1 << 14, 1 << 14)
    plain, packed = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-images-idx3-ubyte.gz"
    plain.write_bytes(head + bytes(10))
    packed.write_bytes(gzip.compress(head + bytes(1 << 20)))
    with pytest.raises(DataError, match="needs 536870912 bytes of numbers, 10 are there"):
        load_dataset(path=plain)
    with pytest.raises(DataError, match="decompress the file first"):
        load_dataset(path=packed)


def test_cifar_records(tmp_path):
    images = (np.arange(3 * 3072) * 31 % 256).astype(np.uint8).reshape(3, 3072)
    labels = [1, 0, 1]
    content = b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, images, strict=True))
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    data = load_dataset(path=tmp_path / "data_batch_1.bin")
    assert (data.inputs * 256 == images).all() and data.scaling == "divided by 2^8"
    assert (data.shape, data.labels.tolist()) == ((3, 32, 32), labels)
    (tmp_path / "data_batch_1.bin").write_bytes(content[:-1])
    with pytest.raises(DataError, match="9218 bytes are not records of 3073"):
        load_dataset(path=tmp_path / "data_batch_1.bin")


def test_a_long_label_takes_no_memory_for_the_short_ones(tmp_path):
    """Labels are no array of the longest label's width: 400 x 130,000 characters of 4 bytes were 208 MB."""
    import tracemalloc

    lines = "".join(f"{k},{'x' * 130_000 if k == 0 else 'y'}\n" for k in range(400))
    tracemalloc.start()
    data = csv_of(tmp_path, lines)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.labels.tolist() == [0] + [1] * 399 and peak < 10_000_000


def test_labels_of_bytes_that_are_no_text(tmp_path):
    with pytest.raises(DataError, match="is not UTF-8"):
        read_npz(npz_of(tmp_path, X=TWO, y=np.array([b"\xff", b"a"])))


def test_an_archive_that_is_a_bomb(tmp_path):
    zeros = {"X": np.zeros((2, 1 << 24), dtype=np.uint8), "y": [0, 1]}
    with pytest.raises(DataError, match="uncompressed"):
        read_npz(npz_of(tmp_path, **zeros))
    file = tmp_path / "small.npz"
    np.savez(file, X=zeros["X"][:, : 1 << 16], y=zeros["y"])
    assert read_npz(file, scale="none").dimension == 1 << 16
