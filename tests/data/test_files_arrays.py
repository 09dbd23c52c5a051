"""NumPy archives as people write them: arrays under any usual name, exactly, or one line that says what to write."""

import io
import re
import tomllib
import zipfile

import numpy as np
import pytest

from verifier.data.npz import read_npz
from verifier.data.readers import load_dataset
from verifier.errors import DataError

RNG = np.random.default_rng(1)
Y = np.arange(12) % 3
X = RNG.normal(size=(12, 5))
IMAGES = RNG.integers(0, 256, (12, 4, 6), dtype=np.uint8)
NHWC = RNG.integers(0, 256, (12, 4, 6, 3), dtype=np.uint8)
NAMES = ("0", "1", "2")
ANIMALS = np.array(["cat", "dog", "emu"])


def archive(tmp_path, *unnamed, compressed=False, **arrays):
    write = np.savez_compressed if compressed else np.savez
    write(tmp_path / "d.npz", *unnamed, **arrays)
    return tmp_path / "d.npz"


READ = {
    "X, y": (dict(X=X, y=Y), X, NAMES, "12 rows x 5 columns (X); label y: 3 classes, 0 to 2"),
    "x, y": (dict(x=X, y=Y), X, NAMES, "(x); label y"),
    "keras": (dict(x_train=X, y_train=Y, x_test=X[:3], y_test=Y[:3]), X, NAMES, "left out: x_test, y_test"),
    "scikit-learn": (
        dict(data=X, target=Y, target_names=ANIMALS, feature_names=list("abcde")),
        X,
        tuple(ANIMALS),
        "cat = 0, dog = 1, emu = 2; left out: feature_names",
    ),
    "images": (dict(images=IMAGES, labels=Y), IMAGES.reshape(12, -1), NAMES, "images of 4 x 6, one channel"),
    "features": (dict(features=X, labels=Y), X, NAMES, "(features); label labels"),
    "other names": (dict(measured=X, kind=Y), X, NAMES, "(measured); label kind"),
    "text": (dict(X=X, y=ANIMALS[Y]), X, tuple(ANIMALS), "cat = 0"),
    "bytes": (dict(X=X, y=ANIMALS[Y].astype("S")), X, tuple(ANIMALS), "cat = 0"),
    "from 1": (dict(X=X, y=Y + 1), X, ("1", "2", "3"), "1 = 0, 2 = 1, 3 = 2"),
    "+-1": (dict(X=X, y=np.where(Y > 0, 1, -1)), X, ("-1", "1"), "-1 = 0, 1 = 1"),
    "floats": (dict(X=X, y=Y + 1.0), X, ("1", "2", "3"), "1 = 0"),
    "bool": (dict(X=X, y=Y > 0), X, ("0", "1"), "0 to 1"),
    "column": (dict(X=X, y=Y[:, None]), X, NAMES, "0 to 2"),
    "one-hot": (dict(X=X, y=np.eye(3)[Y]), X, NAMES, "y is one-hot: 3 columns"),
    "beyond int64": (
        dict(X=X, y=Y.astype(np.uint64) + np.uint64(2**63)),
        X,
        tuple(str(2**63 + k) for k in range(3)),
        "",
    ),
    "float16": (dict(X=X.astype("f2"), y=Y), X.astype("f2"), NAMES, ""),
    "big-endian": (dict(X=X.astype(">f8"), y=Y.astype(">i4")), X, NAMES, ""),
    "Fortran order": (dict(X=np.asfortranarray(X), y=Y), X, NAMES, ""),
    "truth values": (dict(X=X > 0, y=Y), X > 0, NAMES, ""),
    "long double": (dict(X=X.astype(np.longdouble), y=Y), X, NAMES, ""),
    "channels first": (
        dict(X=NHWC.transpose(0, 3, 1, 2), y=Y),
        NHWC.transpose(0, 3, 1, 2).reshape(12, -1),
        NAMES,
        "3 of 4 x 6",
    ),
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_are_found_and_exact(tmp_path, name, compressed):
    arrays, inputs, names, words = READ[name]
    data = load_dataset(path=archive(tmp_path, compressed=compressed, **arrays), scale="none")
    assert data.inputs.tolist() == np.asarray(inputs, dtype=float).tolist()
    assert data.label_names == names
    expected = Y if len(names) == 3 else (Y > 0).astype(int)
    assert data.labels.tolist() == expected.tolist()
    assert words in data.understood


def test_unnamed_arrays_are_told_apart_by_shape(tmp_path):
    for order in ((X, Y), (Y, X)):
        data = load_dataset(path=archive(tmp_path, *order), scale="none")
        assert data.inputs.tolist() == X.tolist() and data.labels.tolist() == Y.tolist()


def test_images_with_their_channels_last_are_asked_about(tmp_path):
    file = archive(tmp_path, X=NHWC, y=Y)
    with pytest.raises(DataError, match="3 channels of 4 x 6, or 4 of 6 x 3") as caught:
        load_dataset(path=file)
    choices = [tomllib.loads(f"v = {m[1]}")["v"] for m in re.finditer(r'data\.layout = ("[^"]*")', str(caught.value))]
    assert choices == ["channels last", "channels first"]
    last, first = (load_dataset(path=file, layout=choice, scale="none") for choice in choices)
    assert last.shape == (3, 4, 6) and first.shape == (4, 6, 3)
    assert last.inputs.reshape(12, 3, 4, 6).tolist() == np.moveaxis(NHWC, 3, 1).tolist()
    assert first.inputs.tolist() == NHWC.reshape(12, -1).tolist()
    grey = load_dataset(path=archive(tmp_path, X=NHWC[..., :1], y=Y), layout="channels last")
    assert grey.shape == (1, 4, 6)


REFUSED = {
    "no labels": (dict(X=X), "no arrays named X and y, or x_train and y_train"),
    "three": (dict(a=X, b=Y, c=Y), 'write data.inputs = "a" and data.label = "b"'),
    "shorter": (dict(X=X, y=Y[:-1]), "y has shape (11,), expected (12,)"),
    "transposed": (dict(X=X.T, y=Y), "X looks transposed: numpy.savez(path, X=X.T, y=y)"),
    "objects": (
        dict(X=X, y=ANIMALS.astype(object)[Y]),
        "a pickle can run any program; write it as numbers or text: y = y.astype(str)",
    ),
    "NaN": (dict(X=np.where(np.eye(12, 5) > 0, np.nan, X), y=Y), "X: entry (0, 0) is nan"),
    "2^53 + 1": (dict(X=np.full((12, 2), 2**53 + 1), y=Y), "X: entry (0, 0) is 9007199254740993, not exactly"),
    "long double": (dict(X=X.astype(np.longdouble) / 3, y=Y), "not exactly a binary64"),
    "several labels": (dict(X=X, y=RNG.integers(0, 2, (12, 3)) | 1), "row 0 is [1, 1, 1], not one 1 among zeros"),
    "real targets": (dict(X=X, y=X[:, 0]), "real targets, regression, are not covered"),
    "one class": (dict(X=X, y=0 * Y), "1 class among the labels"),
    "complex": (dict(X=X + 1j, y=Y), "dtype complex128"),
    "dates": (dict(X=X.astype("M8[s]"), y=Y), "dtype datetime64"),
    "no axis of samples": (dict(X=X[0], y=Y[:5]), "X has shape (5,)"),
    "no samples": (dict(X=X[:0], y=Y[:0]), "all at least 1"),
    "no columns": (dict(X=X[:, :0], y=Y), "all at least 1"),
    "objects as samples": (dict(X=X.astype(object), y=Y), "Python objects"),
    "a row of labels": (dict(X=X[:2], y=Y[None, :2]), "y has shape (1, 2)"),
    "infinite label": (dict(X=X, y=np.where(Y > 0, np.inf, 0)), "label inf is not an integer"),
    "complex labels": (dict(X=X, y=Y * 1j), "dtype complex128"),
    "5 axes": (dict(X=X[:, :, None, None, None], y=Y), "expected (N, d)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path, name):
    arrays, words = REFUSED[name]
    with pytest.raises(DataError) as caught:
        load_dataset(path=archive(tmp_path, **arrays))
    assert words in str(caught.value) and "\n" not in str(caught.value) and "d.npz" in str(caught.value)


def test_three_axes(tmp_path):
    """Bytes, and what keras and others call images, have one channel; else the first axis is that of the channels."""
    for key, array, shape in (
        ("X", IMAGES, (1, 4, 6)),
        ("x_train", IMAGES / 255, (1, 4, 6)),
        ("X", IMAGES / 255, (4, 6)),
    ):
        file = archive(tmp_path, **{key: array, "y_train" if key == "x_train" else "y": Y})
        data = load_dataset(path=file, scale="none")
        assert data.shape == shape and data.inputs.tolist() == array.reshape(12, -1).tolist()
        assert load_dataset(path=file, layout="channels first").shape == (4, 6)
        assert load_dataset(path=file, layout="channels last", scale="none").inputs[0, 1] == array[0, 1, 0]


def test_names_that_are_said(tmp_path):
    file = archive(tmp_path, a=X, b=Y, c=Y + 1, d=2 * X)
    data = load_dataset(path=file, inputs="d", label="c", scale="none")
    assert data.inputs.tolist() == (2 * X).tolist() and data.label_names == ("1", "2", "3")
    assert "left out: a, b" in data.understood
    for options, words in (
        ({"inputs": "e"}, "no such array"),
        ({"label": "b"}, "2 arrays may be the samples; write data.inputs ="),
        ({"inputs": "a"}, "2 arrays may be the labels; write data.label ="),
        ({"label": 1}, "must be the name of an array"),
        ({"drop": [0]}, "data.drop = [0] is for a table"),
        ({"layout": "nhwc"}, 'must be "channels first" or "channels last"'),
    ):
        with pytest.raises(DataError, match=re.escape(words)):
            load_dataset(path=file, **options)


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "f4", ">f4", "i8", ">i2", "u1"])
@pytest.mark.parametrize("label_dtype", ["i8", ">i4", "u1", "f8", "?"])
def test_types_of_numbers_and_of_labels(tmp_path, dtype, label_dtype):
    samples = np.arange(24).reshape(4, 1, 2, 3).astype(dtype)
    file = archive(tmp_path, X=samples, y=np.array([0, 1, 1, 0]).astype(label_dtype))
    data = load_dataset(path=file, scale=-4)
    assert (data.inputs * 16 == np.arange(24).reshape(4, 6)).all()
    assert data.shape == (1, 2, 3) and data.labels.tolist() == [0, 1, 1, 0]
    assert data.scaling == "divided by 2^4"


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


@pytest.mark.filterwarnings("ignore:Duplicate name")  # one of these archives has an entry twice, as it should
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


def test_labels_of_bytes_that_are_no_text(tmp_path):
    with pytest.raises(DataError, match="is not UTF-8"):
        read_npz(archive(tmp_path, X=np.eye(2), y=np.array([b"\xff", b"a"])))


def test_an_archive_that_is_a_bomb(tmp_path):
    zeros = {"X": np.zeros((2, 1 << 24), dtype=np.uint8), "y": [0, 1]}
    with pytest.raises(DataError, match="uncompressed"):
        read_npz(archive(tmp_path, compressed=True, **zeros))
    file = tmp_path / "small.npz"
    np.savez(file, X=zeros["X"][:, : 1 << 16], y=zeros["y"])
    assert read_npz(file, scale="none").dimension == 1 << 16
