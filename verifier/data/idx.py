"""IDX arrays (the format of MNIST), plain or compressed by gzip, and the binary version of CIFAR-10.

An IDX file is two zero bytes, one byte for the type, one for the number of axes, the axes' lengths (32 bits each) and
the numbers, all big-endian. CIFAR's records are one byte for the label and 3 x 32 x 32 bytes for the image.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np
from numpy.typing import NDArray

from verifier.data.dataset import Dataset, Scale, scaled_inputs, unit_exponent
from verifier.data.files import opened
from verifier.data.files.packed import is_bomb
from verifier.data.gate import binary64
from verifier.data.labels import array_labels
from verifier.data.names import mapping_in_words
from verifier.errors import DataError, one_line

TYPES: Final = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""Type codes of the format and what they are to NumPy."""
MAX_AXES: Final = 4
MAX_CHOICES: Final = 4
"""Files of a folder that a message lists."""
IMAGE: Final = (3, 32, 32)
"""A CIFAR image: channels, rows, columns."""
RECORD: Final = 1 + math.prod(IMAGE)
"""Bytes of a CIFAR record."""

_IDX_NAME: Final = re.compile(r"idx[1-4]?(-ubyte)?(\.gz)?$", re.IGNORECASE)
_COMPRESSED: Final = b"\x1f\x8b"


def read_images(
    path: str | Path,
    *,
    labels: str | Path | None = None,
    scale: Scale = "auto",
    samples: int | None = None,
    max_bytes: int,
) -> Dataset:
    """Read images in the IDX format with their file of labels, or CIFAR-10 records.

    Parameters
    ----------
    path : str or Path
        IDX: numbers of shape (N, h, w), (N, c, h, w) or (N, d), plain or compressed. CIFAR: a ``.bin`` file.
    labels : str or Path, optional
        IDX: N labels, in a file of one axis; default the one beside the images.
    scale : "auto", "none" or int, optional
        "auto": all by the one power of two that brings the largest of all images into (1/2, 1].
    samples : int, optional
        If so many are enough: no others are converted to binary64, where that is not needed.
    max_bytes : int
        Most bytes of a file, and of its numbers.

    Returns
    -------
    Dataset
        At least `samples` images, the exact values, of shape (1, h, w), (c, h, w) or (d,).

    Raises
    ------
    DataError
        Unreadable files, sizes that do not fit, values that are not finite, unusable labels.
    """
    file = Path(path)
    if is_cifar(file):
        raw, target = read_cifar(file, max_bytes=max_bytes)
    else:
        raw = read_idx(file, max_bytes=max_bytes)
        if raw.ndim < 2 or 0 in raw.shape:
            raise DataError(
                f"{file.name}: shape {raw.shape} is not that of images, (N, h, w); is it the file of labels?"
            )
        target = read_idx(labels_beside(file) if labels is None else labels, max_bytes=max_bytes)
    if target.shape != raw.shape[:1]:
        raise DataError(f"{file.name}: {len(raw)} images, but labels of shape {target.shape}; give their own labels")
    classes, names = array_labels(file.name, target)
    count = len(raw)
    shape = (1, *raw.shape[1:]) if raw.ndim == 3 else raw.shape[1:]
    if raw.dtype.kind in "iu":
        scale = unit_exponent(float(max(int(raw.max()), -int(raw.min())))) if scale == "auto" else scale
        raw = raw if samples is None or not 1 < samples <= len(raw) else raw[:samples]
    flat = binary64(raw.reshape(len(raw), -1), file.name)
    inputs, scaling = scaled_inputs(flat, scale, common=True)
    return Dataset(
        name=file.name,
        inputs=inputs,
        labels=classes[: len(raw)],
        classes=len(names),
        scaling=scaling,
        shape=shape,
        label_names=names,
        understood=f"{count} images, {'x'.join(map(str, shape))}; label: {mapping_in_words(names)}",
    )


def is_idx(path: Path) -> bool:
    """Whether a name is that of an IDX file: ``train-images-idx3-ubyte``, ``x.idx``, also with ``.gz``.

    Parameters
    ----------
    path : Path
        The file, which need not exist.
    """
    return _IDX_NAME.search(path.name) is not None


def is_cifar(path: Path) -> bool:
    """Whether a name is that of a file of CIFAR records: ``data_batch_1.bin``."""
    return path.suffix.lower() == ".bin"


def images_in(folder: Path) -> Path | None:
    """Find the images of a folder of IDX files, such as MNIST's, also where torchvision puts them.

    Parameters
    ----------
    folder : Path
        A folder; its own files are looked at, then those of ``*/raw``.

    Returns
    -------
    Path or None
        The only file of images; None if there is none.

    Raises
    ------
    DataError
        There are several: which of them is meant is asked, never guessed.
    """
    for pattern in ("*", "*/raw/*"):
        found = sorted(file for file in folder.glob(pattern) if is_idx(file) and "images" in file.name)
        found = [file for file in found if not (file.suffix == ".gz" and file.with_suffix("") in found)]
        if len(found) > 1:
            choices = ", or ".join(f"path = {one_line(str(file))}" for file in reversed(found[:MAX_CHOICES]))
            raise DataError(f"path = {one_line(str(folder))}: {len(found)} files of images are there; write {choices}")
        if found:
            return found[0]
    return None


def labels_beside(path: Path) -> Path:
    """Find the labels of a file of images: ``train-labels-idx1-ubyte`` beside ``train-images-idx3-ubyte``.

    Parameters
    ----------
    path : Path
        The file of images.

    Returns
    -------
    Path
        A file that exists, plain or compressed.

    Raises
    ------
    DataError
        The name does not say which, or there is no such file.
    """
    name = re.sub(r"idx[2-4]", "idx1", path.name.replace("images", "labels"))
    bare = name.removesuffix(".gz")
    for candidate in (name, bare, f"{bare}.gz"):
        if candidate != path.name and (path.parent / candidate).is_file():
            return path.parent / candidate
    raise DataError(f'{path.name}: no labels beside it (looked for {bare}); give labels = "FILE" in [data]')


def read_idx(path: str | Path, *, max_bytes: int) -> NDArray[Any]:
    """Read the numbers of an IDX file.

    Parameters
    ----------
    path : str or Path
        The file, plain or compressed.
    max_bytes : int
        Most bytes of the file, and of its numbers.

    Returns
    -------
    array
        Of the file's type, big-endian. Guarantee: exactly the numbers stored.

    Raises
    ------
    DataError
        Not an IDX file, or one whose size is not what its header says, which is found out before memory is taken.
    """
    name = Path(path).name
    try:
        with opened(path, max_bytes) as file:
            compressed = file.read(len(_COMPRESSED)) == _COMPRESSED
            file.seek(0)
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if compressed else file
            size = os.fstat(file.fileno()).st_size
            return _parsed(name, stream, size, max_bytes, compressed)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: not a sound gzip file ({error}); fetch it again") from None


def _parsed(name: str, stream: BinaryIO, size: int, max_bytes: int, compressed: bool) -> NDArray[Any]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES:
        shown = magic.hex(" ") or "nothing"
        raise DataError(f"{name}: not an IDX file, it begins with {shown}; 00 00 08 03 begins one of images")
    axes, dtype = magic[3], np.dtype(TYPES[magic[2]])
    header = 4 + 4 * axes
    if not 1 <= axes <= MAX_AXES:
        raise DataError(f"{name}: {axes} axes; give an IDX file of 1 to {MAX_AXES} axes")
    lengths = stream.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise DataError(f"{name}: it ends within its header; fetch the file again")
    shape = tuple(np.frombuffer(lengths, ">u4").tolist())
    need = math.prod(shape) * dtype.itemsize
    if need > max_bytes or (compressed and is_bomb(need, size)):
        raise DataError(
            f"{name}: {size} bytes declare {need} bytes of numbers, shape {shape}; fetch the file again if it was cut "
            "off, or decompress it first"
        )
    numbers = stream.read(need + 1) if compressed or header + need == size else b""
    if len(numbers) != need:
        there = f"{len(numbers)} or more" if compressed else f"{size - header}"
        raise DataError(f"{name}: shape {shape} needs {need} bytes of numbers, {there} are there; fetch the file again")
    return np.frombuffer(numbers, dtype).reshape(shape)


def read_cifar(path: str | Path, *, max_bytes: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a file of CIFAR-10 records.

    Parameters
    ----------
    path : str or Path
        The file, ``data_batch_1.bin`` or the like.
    max_bytes : int
        Most bytes of the file.

    Returns
    -------
    images : (N, 3, 32, 32) uint8
        Guarantee: exactly the numbers stored.
    labels : (N,) uint8
        One class per image.

    Raises
    ------
    DataError
        It cannot be read, or is not a whole number of records.
    """
    with opened(path, max_bytes) as file:
        content = file.read()
    count, rest = divmod(len(content), RECORD)
    if rest or not count:
        raise DataError(f"{Path(path).name}: {len(content)} bytes are not records of {RECORD} bytes; fetch it again")
    records = np.frombuffer(content, np.uint8).reshape(count, RECORD)
    return records[:, 1:].reshape(count, *IMAGE), records[:, 0]
