"""Splits: planted pixels and labels are found where they were put, in every layout; every refusal is seen."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from verifier.data.grouping import group_duplicates
from verifier.data.readers import load_builtin
from verifier.errors import DataError
from verifier.experiments.data import DIGITS_TRAIN, NAMES, load_split

TRAIN, TEST = 24, 12
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
LAYOUTS = {
    "plain": ("", FILES),
    "dotted": ("", tuple(file.replace("-idx", ".idx") for file in FILES)),
    "mnist": ("MNIST/raw", FILES),
    "fashion-mnist": ("FashionMNIST/raw", FILES),
}
LABELS = np.arange(TRAIN) % 10
TEST_LABELS = 9 - np.arange(TEST) % 10


def images(count: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def idx(array: np.ndarray, code: int = 8, dtype: str = ">u1") -> bytes:
    return (
        bytes((0, 0, code, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(dtype).tobytes()
    )


def write_mnist(
    root: Path, layout: str = "plain", *, compress: bool = False, **change: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Write four files; the pixels of both parts."""
    pixels, test_pixels = images(TRAIN, (4, 5), 1), images(TEST, (4, 5), 2)
    arrays = {"train": pixels, "labels": LABELS, "test": test_pixels, "test_labels": TEST_LABELS} | change
    below, names = LAYOUTS[layout]
    (root / below).mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, arrays.values(), strict=True):
        content = gzip.compress(idx(array)) if compress else idx(array)
        (root / below / (f"{name}.gz" if compress else name)).write_bytes(content)
    return pixels, test_pixels


def records(pixels: np.ndarray, labels: np.ndarray) -> bytes:
    return np.hstack([labels[:, None].astype(np.uint8), pixels.reshape(len(pixels), -1)]).tobytes()


def write_cifar(folder: Path, labels: np.ndarray = LABELS[:20]) -> tuple[np.ndarray, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    pixels, test_pixels = images(20, (3, 32, 32), 3), images(TEST, (3, 32, 32), 4)
    for k in range(5):
        rows = slice(4 * k, 4 * k + 4)
        (folder / f"data_batch_{k + 1}.bin").write_bytes(records(pixels[rows], labels[rows]))
    (folder / "test_batch.bin").write_bytes(records(test_pixels, TEST_LABELS))
    return pixels, test_pixels


def refused(words: str, name: str = "mnist", **given: object) -> None:
    with pytest.raises(DataError) as caught:
        load_split(name, **given)  # type: ignore[arg-type]
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_digits_are_split_by_the_seed_into_disjoint_exact_parts():
    whole = load_builtin("digits", scale="none")
    split, again, other = load_split("digits"), load_split("digits"), load_split("digits", seed=1)
    assert (split.train.samples, split.test.samples, split.train.shape) == (DIGITS_TRAIN, 599, (1, 8, 8))
    assert np.array_equal(split.train.inputs, again.train.inputs)
    assert not np.array_equal(split.train.inputs, other.train.inputs)
    rows = np.vstack([split.train.inputs, split.test.inputs]) * 16
    labels = np.concatenate([split.train.labels, split.test.labels])
    joined = sorted((row.tobytes(), int(label)) for row, label in zip(rows, labels, strict=True))
    assert joined == sorted((row.tobytes(), int(k)) for row, k in zip(whole.inputs, whole.labels, strict=True))
    assert np.array_equal(rows, np.rint(rows)) and rows.max() == 16
    assert split.words == (
        "digits, shuffled by seed 0: 1198 training samples, 599 test samples; pixels times 2^-4; "
        "training samples pairwise distinct"
    )
    assert not group_duplicates(split.train).has_duplicates
    assert (split.train.classes, split.test.classes) == (10, 10)


def test_a_larger_subset_contains_a_smaller_one_and_is_in_words():
    def kept(split):
        return {row.tobytes() for row in split.train.inputs}

    large, small = load_split("digits", seed=2, train=200, test=50), load_split("digits", seed=2, train=20)
    assert (large.train.samples, large.test.samples, small.test.samples) == (200, 50, 599)
    assert kept(small) < kept(large) < kept(load_split("digits", seed=2))
    assert "200 of 1198 training samples at random (seed 2), 50 of 599 test samples at random (seed 2)" in large.words
    assert load_split("digits", train=2, seed=0).train.classes == 10  # eight classes are missing
    assert "at random" not in load_split("digits", train=DIGITS_TRAIN).words


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_mnist_in_all_layouts(layout, compress, tmp_path):
    pixels, test_pixels = write_mnist(tmp_path, layout, compress=compress)
    name = "fashion-mnist" if layout == "fashion-mnist" else "mnist"
    split = load_split(name, root=tmp_path)
    assert (split.train.inputs * 256 == pixels.reshape(TRAIN, -1)).all()
    assert (split.test.inputs * 256 == test_pixels.reshape(TEST, -1)).all()
    assert (split.train.labels == LABELS).all() and (split.test.labels == TEST_LABELS).all()
    assert split.train.shape == split.test.shape == (1, 4, 5) and split.train.scaling == "integers times 2^-8"
    assert split.words == (
        f"{name}: 24 training samples, 12 test samples; pixels times 2^-8; training samples pairwise distinct"
    )


def test_torchvision_has_both_data_sets_below_one_root(tmp_path):
    write_mnist(tmp_path, "mnist")
    other = images(TRAIN, (4, 5), 9)
    write_mnist(tmp_path, "fashion-mnist", train=other)
    assert (load_split("fashion-mnist", root=tmp_path).train.inputs[3] * 256 == other[3].ravel()).all()
    assert not np.array_equal(load_split("mnist", root=tmp_path).train.inputs[3] * 256, other[3].ravel())


def test_subsets_of_mnist_keep_images_with_their_labels(tmp_path):
    pixels, _ = write_mnist(tmp_path)
    split = load_split("mnist", root=tmp_path, train=7, test=3, seed=5)
    again = load_split("mnist", root=tmp_path, train=7, test=3, seed=6)
    assert (split.train.samples, split.test.samples, split.train.classes) == (7, 3, 10)
    assert not np.array_equal(split.train.inputs, again.train.inputs)
    known = {row.tobytes(): label for row, label in zip(pixels.reshape(TRAIN, -1) / 256, LABELS, strict=True)}
    assert [known[row.tobytes()] for row in split.train.inputs] == split.train.labels.tolist()


def test_equal_training_samples_are_said(tmp_path):
    pixels = images(TRAIN, (4, 5), 1)
    pixels[10], pixels[11] = pixels[0], pixels[0]  # labels 0, 0, 1
    write_mnist(tmp_path, train=pixels)
    split = load_split("mnist", root=tmp_path)
    assert split.words.endswith(
        "2 training samples equal to an earlier one in all 20 pixels; 1 such image with different labels"
    )
    found = group_duplicates(split.train)
    assert found.dataset.samples == TRAIN - 2 and len(found.conflicts) == 1
    pixels[11] = images(1, (4, 5), 8)
    write_mnist(tmp_path, train=pixels)
    said = load_split("mnist", root=tmp_path).words
    assert said.endswith("1 training sample equal to an earlier one in all 20 pixels, with equal labels")


@pytest.mark.parametrize("below", ["", "cifar-10-batches-bin"])
def test_cifar_records(below, tmp_path):
    pixels, test_pixels = write_cifar(tmp_path / below)
    split = load_split("cifar10", root=tmp_path)
    assert (split.train.inputs * 256 == pixels.reshape(20, -1)).all() and split.train.shape == (3, 32, 32)
    assert (split.test.inputs * 256 == test_pixels.reshape(TEST, -1)).all()
    assert (split.train.labels == LABELS[:20]).all() and (split.test.labels == TEST_LABELS).all()
    assert "cifar10: 20 training samples, 12 test samples; pixels times 2^-8" in split.words


class Harm:
    """Running it would leave a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("below", ["", "cifar-10-batches-py"])
def test_pickles_are_refused_and_not_opened(below, tmp_path):
    (tmp_path / below).mkdir(exist_ok=True)
    (tmp_path / below / "data_batch_1").write_bytes(pickle.dumps(Harm(tmp_path / "harmed")))
    refused("is the pickle version, and unpickling a file runs whatever code is in it", "cifar10", root=tmp_path)
    refused("fetch the binary version, cifar-10-binary.tar.gz, and unpack it", "cifar10", root=tmp_path)
    assert not (tmp_path / "harmed").exists()
    if below:
        write_cifar(tmp_path / "cifar-10-batches-bin")
        assert load_split("cifar10", root=tmp_path).train.samples == 20


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        ("cifar-10-python.tar.gz", "is the pickle version"),
        ("cifar-10-binary.tar.gz", "is not unpacked; run tar -xzf cifar-10-binary.tar.gz"),
        ("other.tar.gz", "is an archive, and not cifar-10-binary.tar.gz"),
    ],
)
def test_archives_are_refused(archive, words, tmp_path):
    (tmp_path / archive).write_bytes(b"\x1f\x8b")
    refused(words, "cifar10", root=tmp_path)


def test_missing_files_are_named_with_the_place(tmp_path):
    refused("give their folder with --root DIR")
    refused("there is no such folder", root=tmp_path / "none")
    refused(f"no train-images-idx3-ubyte in {tmp_path} and {tmp_path / 'MNIST' / 'raw'}", root=tmp_path)
    refused("looked for train-images-idx3-ubyte, train-images-idx3-ubyte.gz, train-images.idx3-ubyte", root=tmp_path)
    write_mnist(tmp_path, "mnist")
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    refused(f"no t10k-labels-idx1-ubyte in {tmp_path / 'MNIST' / 'raw'} (looked for", root=tmp_path)
    refused("no data_batch_1.bin .. test_batch.bin in", "cifar10", root=tmp_path)
    write_cifar(tmp_path)
    (tmp_path / "data_batch_4.bin").unlink()
    refused(f"no data_batch_4.bin in {tmp_path}; copy all six files", "cifar10", root=tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": np.where(LABELS == 9, 8, LABELS)}, "no sample has label 9, the file is not whole"),
        ({"test_labels": np.where(TEST_LABELS == 0, 1, TEST_LABELS)}, "no sample has label 0"),
        ({"labels": np.where(LABELS == 9, 10, LABELS)}, "label 10 is outside 0..9"),
        ({"labels": LABELS[:-1]}, "24 images, but train-labels-idx1-ubyte has labels of shape (23,)"),
        ({"test": images(TEST, (5, 4), 2)}, "have shape (1, 4, 5), test images (1, 5, 4)"),
        ({"train": images(TRAIN, (20,), 2)}, "uint8 of shape (24, 20); expected bytes of shape (N, h, w)"),
        ({"train": images(0, (4, 5), 2), "labels": LABELS[:0]}, "uint8 of shape (0, 4, 5)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, words, tmp_path):
    write_mnist(tmp_path, **change)
    refused(words, root=tmp_path)


def test_other_types_are_refused(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS, 0x0D, ">f4"))
    refused("labels of type >f4 are not integers", root=tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images(TRAIN, (4, 5), 1), 0x0B, ">i2"))
    refused("expected bytes of shape (N, h, w)", root=tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS - 1, 0x09, ">i1"))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images(TRAIN, (4, 5), 1)))
    refused("label -1 is outside 0..9", root=tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\x00\x00\x08\x03\x00\x00", "it ends within its header"),
        (idx(images(TRAIN, (4, 5), 1))[:-1], "fetch the file again"),
        (idx(images(TRAIN, (4, 5), 1)) + b"\0", "fetch the file again"),
        (gzip.compress(idx(images(TRAIN, (4, 5), 1)), mtime=0)[:-9], "not a sound gzip file"),
        (gzip.compress(bytes((0, 0, 8, 3)) + struct.pack(">3I", 60_000, 1000, 1000), mtime=0), "decompress it first"),
    ],
)
def test_unsound_idx_files_are_refused(content, words, tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    refused(words, root=tmp_path)


def test_unsound_cifar_files_are_refused(tmp_path):
    write_cifar(tmp_path)
    content = (tmp_path / "data_batch_2.bin").read_bytes()
    (tmp_path / "data_batch_2.bin").write_bytes(content[:-1])
    refused("are not records of 3073 bytes", "cifar10", root=tmp_path)
    (tmp_path / "data_batch_2.bin").write_bytes(b"\x63" + content[1:])
    refused("label 99 is outside 0..9", "cifar10", root=tmp_path)
    write_cifar(tmp_path, np.where(LABELS[:20] == 4, 5, LABELS[:20]))
    refused("no sample has label 4", "cifar10", root=tmp_path)


def test_arguments_are_checked(tmp_path):
    refused("no such data set; did you mean 'mnist'", "mnits")
    refused("no such data set; use one of", "svhn")
    refused("digits needs no files", "digits", root=tmp_path)
    for name, value in (("train", 1), ("train", 1199), ("test", 0), ("test", 600), ("train", True), ("train", 5.0)):
        refused(f"{name} = {value!r}: must be an integer from", "digits", **{name: value})
    for seed in (-1, 1.5, True):
        refused("must be an integer of at least 0", "digits", seed=seed)
    write_mnist(tmp_path)
    one = next(seed for seed in range(100) if _only_one_class(tmp_path, seed))
    refused("one class only; take more", root=tmp_path, train=2, seed=one)
    assert NAMES == ("digits", "mnist", "fashion-mnist", "cifar10")


def _only_one_class(root: Path, seed: int) -> bool:
    rows = np.random.default_rng([seed, 2]).permutation(TRAIN)[:2]
    return bool(LABELS[rows[0]] == LABELS[rows[1]])


def test_the_largest_class_of_the_test_samples(tmp_path):
    write_mnist(tmp_path)
    assert load_split("mnist", root=tmp_path).test_majority == 2  # 12 samples of 10 classes in turn
    split = load_split("digits")
    assert split.test_majority == max(np.bincount(split.test.labels))
