"""Training and test data of an experiment: digits, which needs no download, and MNIST and CIFAR-10 from local files.

Pixels are the exact integers of the files times a power of two. Nothing is downloaded, nothing is unpickled, and sizes
are compared with the files before memory is taken (`verifier.data.idx`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verifier.data.dataset import Dataset, IntArray
from verifier.data.files import MAX_BYTES
from verifier.data.idx import read_cifar, read_idx
from verifier.data.readers import load_builtin
from verifier.display import count
from verifier.errors import DataError, nearest, one_line

NAMES: Final = ("digits", "mnist", "fashion-mnist", "cifar10")
"""The data sets that an experiment can use."""
CLASSES: Final = 10
"""m, of each of them."""
DIGITS_TRAIN: Final = 1198
"""Of the 1797 digits so many are for training, two thirds; the other 599 are for testing."""
DIGITS_EXPONENT: Final = -4
PIXEL_EXPONENT: Final = -8
"""Digits are integers 0..16; pixels of MNIST and CIFAR-10 are integers 0..255."""

TORCHVISION: Final = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
"""The folder that torchvision makes below its root; the files are in ``raw`` there."""
IDX_FILES: Final = tuple(
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
)
CIFAR_TRAIN: Final = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
CIFAR_TEST: Final = "test_batch.bin"
CIFAR_FOLDER: Final = "cifar-10-batches-bin"
CIFAR_ARCHIVE: Final = "cifar-10-binary.tar.gz"


@dataclass(frozen=True, slots=True)
class Split:
    """Training and test samples of one data set, of one shape, disjoint as samples of the files.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    train, test : Dataset
        (N, d) and (T, d), both with 10 classes; not every class need occur in a subset.
    words : str
        What was taken from where, how pixels were scaled, and whether training samples are equal.
    """

    name: str
    train: Dataset
    test: Dataset
    words: str

    @property
    def test_majority(self) -> int:
        """How many test samples the largest class has: what always guessing that class gets right."""
        return 0 if self.test.labels is None else int(np.bincount(self.test.labels).max())


@dataclass(frozen=True, slots=True)
class _Images:
    """Images as they are in the files, uint8 (N, ...), with labels 0..9, shape (N,)."""

    pixels: NDArray[Any]
    labels: IntArray

    def take(self, rows: IntArray) -> _Images:
        return _Images(self.pixels[rows], self.labels[rows])


def load_split(
    name: str, *, root: Path | None = None, seed: int = 0, train: int | None = None, test: int | None = None
) -> Split:
    """Load training and test samples.

    Parameters
    ----------
    name : str
        ``digits`` (scikit-learn's, 1797 images of 8 x 8; shuffled by the seed, 1198 for training and 599 for testing),
        ``mnist``, ``fashion-mnist`` (four IDX files) or ``cifar10`` (the six files of its binary version).
    root : Path, optional
        The folder of the files, or torchvision's root; not for digits.
    seed : int, optional
        >= 0, of the digits' split and of subsets.
    train, test : int, optional
        Take so many samples at random, by the seed; with one seed a larger subset contains a smaller one. Default all.

    Returns
    -------
    Split
        Guarantee: pixels are the files' integers times 2^-8 (digits: 2^-4), exactly; no sample is in both parts.

    Raises
    ------
    DataError
        An unknown name, missing or unsound files, labels other than 0..9, shapes that differ, more samples than there
        are, fewer than two classes for training.
    """
    if name not in NAMES:
        raise DataError(f"data = {one_line(name)}: no such data set; {nearest(str(name), NAMES)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise DataError(f"seed = {one_line(seed)}: must be an integer of at least 0")
    if name == "digits":
        fitting, testing, exponent = *_digits(root, seed), DIGITS_EXPONENT
    else:
        folder = _root(name, root)
        fitting, testing = _cifar(folder) if name == "cifar10" else _mnist(name, folder)
        exponent = PIXEL_EXPONENT
    if fitting.pixels.shape[1:] != testing.pixels.shape[1:]:
        raise DataError(
            f"{name}: training images have shape {fitting.pixels.shape[1:]}, test images {testing.pixels.shape[1:]};"
            " give files of one data set"
        )
    parts = []
    for role, images, wanted in (("train", fitting, train), ("test", testing, test)):
        chosen, words = _subset(name, role, images, wanted, seed)
        parts.append((_dataset(f"{name} ({role})", chosen, exponent), words))
        fitting = chosen if role == "train" else fitting
    if np.unique(fitting.labels).size < 2:
        raise DataError(f"train = {one_line(train)}: the training samples have one class only; take more")
    shuffled = f", shuffled by seed {seed}" if name == "digits" else ""
    words = f"{name}{shuffled}: {parts[0][1]}, {parts[1][1]}; pixels times 2^{exponent}; {_equal_samples(fitting)}"
    return Split(name, parts[0][0], parts[1][0], words)


def labels_of(data: Dataset) -> IntArray:
    """The class of each sample, shape (N,).

    Raises
    ------
    DataError
        There are none.
    """
    if data.labels is None:
        raise DataError(f"{data.name} has no labels; experiments classify")
    return data.labels


def files_of(name: str, root: Path | None) -> list[Path]:
    """The files that a data set is read from (none for digits); raises as `load_split` if one is missing."""
    if name == "digits":
        _refuse_root(root)
        return []
    folder = _root(name, root)
    return _cifar_files(folder) if name == "cifar10" else _mnist_files(name, folder)


def _refuse_root(root: Path | None) -> None:
    if root is not None:
        raise DataError(f"root = {one_line(str(root))}: digits needs no files; leave it out, or name the data set")


def _digits(root: Path | None, seed: int) -> tuple[_Images, _Images]:
    _refuse_root(root)
    whole = load_builtin("digits", scale="none")
    if whole.labels is None:
        raise DataError("digits: scikit-learn gave no labels; install it again")
    pixels = whole.inputs.astype(np.uint8).reshape(-1, *whole.shape)
    if not np.array_equal(pixels.reshape(whole.inputs.shape), whole.inputs):
        raise DataError("digits: scikit-learn's pixels are not integers 0..16; install it again")
    order = np.random.default_rng(seed).permutation(whole.samples)
    images = _Images(pixels, whole.labels)
    return images.take(order[:DIGITS_TRAIN]), images.take(order[DIGITS_TRAIN:])


def _root(name: str, root: Path | None) -> Path:
    if root is None:
        raise DataError(f"data = {name!r}: its files are not part of this package; give their folder with --root DIR")
    if not root.is_dir():
        raise DataError(
            f"root = {one_line(str(root))}: there is no such folder; give the folder of the files of {name}"
        )
    return root


def _mnist(name: str, root: Path) -> tuple[_Images, _Images]:
    present = _mnist_files(name, root)
    return _idx_images(present[0], present[1]), _idx_images(present[2], present[3])


def _mnist_files(name: str, root: Path) -> list[Path]:
    """Find the four files in one folder."""
    places = (root, root / TORCHVISION[name] / "raw")
    found = [[_idx_file(place, file) for file in IDX_FILES] for place in places]
    paths = max(found, key=lambda files: sum(path is not None for path in files))
    present = [path for path in paths if path is not None]
    if len(present) < len(IDX_FILES):
        file, spellings = next((f, _spellings(f)) for f, path in zip(IDX_FILES, paths, strict=True) if path is None)
        where = str(present[0].parent) if present else f"{places[0]} and {places[1]}"
        raise DataError(f"{name}: no {file} in {where} (looked for {', '.join(spellings)}); copy the four files there")
    return present


def _spellings(file: str) -> tuple[str, ...]:
    dotted = file.replace("-idx", ".idx")
    return file, f"{file}.gz", dotted, f"{dotted}.gz"


def _idx_file(folder: Path, file: str) -> Path | None:
    return next((folder / spelling for spelling in _spellings(file) if (folder / spelling).is_file()), None)


def _idx_images(images: Path, labels: Path) -> _Images:
    pixels, target = read_idx(images, max_bytes=MAX_BYTES), read_idx(labels, max_bytes=MAX_BYTES)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or 0 in pixels.shape:
        raise DataError(f"{images.name}: {pixels.dtype} of shape {pixels.shape}; expected bytes of shape (N, h, w)")
    if target.shape != pixels.shape[:1]:
        raise DataError(f"{images.name}: {len(pixels)} images, but {labels.name} has labels of shape {target.shape}")
    return _Images(pixels[:, np.newaxis], _checked_labels(labels.name, target))


def _cifar_files(root: Path) -> list[Path]:
    folders = [place for place in (root, root / CIFAR_FOLDER) if any(_exists(place, (*CIFAR_TRAIN, CIFAR_TEST)))]
    if not folders:
        raise DataError(_no_cifar(root))
    missing = [file for file in (*CIFAR_TRAIN, CIFAR_TEST) if not (folders[0] / file).is_file()]
    if missing:
        raise DataError(f"cifar10: no {missing[0]} in {folders[0]}; copy all six files of {CIFAR_ARCHIVE} there")
    return [folders[0] / file for file in (*CIFAR_TRAIN, CIFAR_TEST)]


def _cifar(root: Path) -> tuple[_Images, _Images]:
    *fitting, testing = _cifar_files(root)
    batches = [read_cifar(file, max_bytes=MAX_BYTES) for file in fitting]
    pixels, target = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    test_pixels, test_target = read_cifar(testing, max_bytes=MAX_BYTES)
    return (
        _Images(pixels, _checked_labels("data_batch_1.bin .. data_batch_5.bin", target)),
        _Images(test_pixels, _checked_labels(CIFAR_TEST, test_target)),
    )


def _exists(folder: Path, files: tuple[str, ...]) -> Iterator[bool]:
    return ((folder / file).is_file() for file in files)


def _no_cifar(root: Path) -> str:
    """Say what is there instead of the binary version."""
    remedy = f"fetch the binary version, {CIFAR_ARCHIVE}, and unpack it"
    if (root / CIFAR_ARCHIVE).is_file():
        return f"cifar10: {root / CIFAR_ARCHIVE} is not unpacked; run tar -xzf {CIFAR_ARCHIVE} in its folder"
    places = (root / "cifar-10-python.tar.gz", root / "cifar-10-batches-py", root / "data_batch_1")
    pickled = next((place for place in places if place.exists()), None)
    if pickled is not None:
        return f"cifar10: {pickled} is the pickle version, and unpickling a file runs whatever code is in it; {remedy}"
    archive = next(iter(sorted(root.glob("*.tar.gz"))), None)
    if archive is not None:
        return f"cifar10: {archive} is an archive, and not {CIFAR_ARCHIVE}; {remedy}"
    return f"cifar10: no {CIFAR_TRAIN[0]} .. {CIFAR_TEST} in {root} or {root / CIFAR_FOLDER}; {remedy}"


def _checked_labels(name: str, target: NDArray[Any]) -> IntArray:
    """Labels 0..9, each of which occurs in a full file."""
    values = np.unique(target)
    if target.dtype.kind not in "iu":
        raise DataError(f"{name}: labels of type {target.dtype} are not integers; fetch the file again")
    if values.size and (values[0] < 0 or values[-1] >= CLASSES):
        wrong = values[0] if values[0] < 0 else values[-1]
        raise DataError(f"{name}: label {wrong} is outside 0..{CLASSES - 1}; is it the file of another data set?")
    absent = sorted(set(range(CLASSES)) - set(values.tolist()))
    if absent:
        raise DataError(f"{name}: no sample has label {absent[0]}, the file is not whole; fetch it again")
    return target.astype(np.int64)


def _subset(name: str, role: str, images: _Images, wanted: int | None, seed: int) -> tuple[_Images, str]:
    """So many images at random, in the files' order, and words for it."""
    there, least = len(images.labels), 2 if role == "train" else 1
    kind = "training" if role == "train" else "test"
    if wanted is None:
        return images, count(there, f"{kind} sample")
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not least <= wanted <= there:
        raise DataError(f"{role} = {one_line(wanted)}: must be an integer from {least} to {there}, what {name} has")
    if wanted == there:
        return images, count(there, f"{kind} sample")
    rows = np.random.default_rng([seed, least]).permutation(there)[:wanted]  # the two parts have streams of their own
    return images.take(np.sort(rows)), f"{wanted} of {there} {kind} samples at random (seed {seed})"


def _dataset(name: str, images: _Images, exponent: int) -> Dataset:
    rows = images.pixels.reshape(len(images.labels), -1)
    return Dataset(
        name=name,
        inputs=np.ldexp(rows.astype(np.float64), exponent),
        labels=images.labels,
        classes=CLASSES,
        scaling=f"integers times 2^{exponent}",
        shape=tuple(int(n) for n in images.pixels.shape[1:]),
    )


def _equal_samples(images: _Images) -> str:
    """Whether training samples are equal: by their bytes, which takes an eighth of what binary64 rows would."""
    labels_of: dict[bytes, set[int]] = {}
    for image, label in zip(images.pixels, images.labels.tolist(), strict=True):
        labels_of.setdefault(image.tobytes(), set()).add(label)
    equal = len(images.labels) - len(labels_of)
    if not equal:
        return "training samples pairwise distinct"
    conflicts = sum(len(labels) > 1 for labels in labels_of.values())
    clash = f"; {count(conflicts, 'such image')} with different labels" if conflicts else ", with equal labels"
    size = math.prod(images.pixels.shape[1:])
    return f"{count(equal, 'training sample')} equal to an earlier one in all {size} pixels{clash}"
