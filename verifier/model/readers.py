"""Reading data sets: scikit-learn's built-ins, CSV, NPZ, IDX and CIFAR files. Everything is read exactly or refused.

No file is ever unpickled, and sizes are checked against the file before memory is taken.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from verifier.errors import DataError, nearest, one_line
from verifier.model.data import Dataset, IntArray, Scale, exact_float64, scaled_inputs
from verifier.model.files import UNSOUND, is_bomb, open_regular, read_npy_header
from verifier.model.idx import is_cifar, is_idx, read_images
from verifier.model.labels import MAX_NAMES, array_labels, named_labels

BUILT_IN: Final = ("digits", "iris", "wine", "breast_cancer")
"""Data sets that scikit-learn ships, so that no download is needed."""
MAX_BYTES: Final = 4 * 2**30
"""Largest file, and largest array inside an archive: 4 GiB."""

_NUMBER: Final = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_MISSING: Final = frozenset({"", "?", "-", "na", "n/a", "null", "none"})
_NOT_FINITE: Final = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)


def load_dataset(
    name: str | None = None,
    *,
    path: str | Path | None = None,
    label: str | int = -1,
    labels: str | Path | None = None,
    scale: Scale = "auto",
    samples: int | None = None,
) -> Dataset:
    """Load a built-in data set or a file.

    Parameters
    ----------
    name : str, optional
        One of `BUILT_IN`.
    path : str or Path, optional
        A ``.csv`` or ``.npz`` file, one of images in the IDX format (``train-images-idx3-ubyte``, also ``.gz``) or one
        of CIFAR-10 records (``.bin``); exactly one of name and path is given.
    label : str or int, optional
        CSV only: the label column's header or index; default the last.
    labels : str or Path, optional
        IDX only: the file of labels; default the one beside the images with "labels" for "images" in its name.
    scale : "auto", "none" or int, optional
        See `verifier.model.data.scaled_inputs`.
    samples : int, optional
        Keep the first ones only.

    Returns
    -------
    Dataset
        All samples, or the first.

    Raises
    ------
    DataError
        Unknown name, unreadable file, or data that cannot be held exactly.
    """
    if (name is None) == (path is None):
        raise DataError("data: give exactly one of name (a built-in) and path (a file of samples)")
    file = Path(str(path))
    if labels is not None and not is_idx(file):
        raise DataError(
            f"labels = {one_line(str(labels))}: only images in an IDX file have their labels in another file"
        )
    if name is not None:
        dataset = load_builtin(name, scale=scale)
    elif is_idx(file) or is_cifar(file):
        dataset = read_images(file, labels=labels, scale=scale, samples=samples, max_bytes=MAX_BYTES)
    elif file.suffix.lower() == ".csv":
        dataset = read_csv(file, label=label, scale=scale)
    elif file.suffix.lower() == ".npz":
        dataset = read_npz(file, scale=scale)
    else:
        raise DataError(
            f"path = {one_line(str(path))}: the name must end in .csv or .npz, or be that of an IDX file"
            " (train-images-idx3-ubyte, .gz too) or of CIFAR records (.bin); convert the file to one of them"
        )
    return dataset if samples is None else dataset.first(samples)


def load_builtin(name: str, *, scale: Scale = "auto") -> Dataset:
    """Load one of scikit-learn's data sets.

    Parameters
    ----------
    name : str
        digits (1797 x 64, shape (1, 8, 8)), iris (150 x 4), wine (178 x 13) or breast_cancer (569 x 30).
    scale : "auto", "none" or int, optional
        Default: digits by 2**-4, the others column by column into (1/2, 1].

    Returns
    -------
    Dataset
        The library's binary64 values, scaled.

    Raises
    ------
    DataError
        Unknown name, or scikit-learn is not installed.
    """
    if name not in BUILT_IN:
        raise DataError(f"name = {one_line(name)}: no such data set; {nearest(str(name), BUILT_IN)}")
    try:
        from sklearn import datasets
    except ImportError:
        raise DataError(f"name = {name!r}: scikit-learn is not installed; run pip install scikit-learn") from None
    bunch = getattr(datasets, f"load_{name}")()
    is_image = name == "digits"
    inputs, scaling = scaled_inputs(exact_float64(bunch.data, name), scale, common=is_image)
    return Dataset(
        name=name,
        inputs=inputs,
        labels=bunch.target,
        classes=len(bunch.target_names),
        scaling=f"{'integers' if is_image else 'binary64 values of scikit-learn'}; {scaling}",
        shape=(1, 8, 8) if is_image else (),
        label_names=tuple(str(label) for label in bunch.target_names),
    )


def read_csv(path: str | Path, *, label: str | int = -1, scale: Scale = "auto") -> Dataset:
    """Read a comma-separated file, UTF-8, with or without a header line.

    Parameters
    ----------
    path : str or Path
        The file.
    label : str or int, optional
        The label column: its header, or its index from 0 (negative: from the end). Default the last. Integer labels
        must be exactly 0..m-1; other labels are numbered in sorted order.
    scale : "auto", "none" or int, optional
        See `verifier.model.data.scaled_inputs`.

    Returns
    -------
    Dataset
        Decimals become the nearest binary64; statements are about those.

    Raises
    ------
    DataError
        Unreadable file, ragged line, cell that is not a finite number, unusable labels; the message has line and
        column.
    """
    file = Path(path)
    lines = _csv_lines(file)
    width = len(lines[0][1])
    if width < 2:
        raise DataError(f"{file.name}: one column only; at least one input and a label are needed, separated by commas")
    for number, cells in lines:
        if len(cells) != width:
            raise DataError(
                f"{file.name}: line {number} has {len(cells)} cells, line {lines[0][0]} has {width}; make them equal"
            )
    first = lines[0][1]
    where = label + width if isinstance(label, int) and label < 0 else label
    inputs_first = [cell for k, cell in enumerate(first) if k != where]
    has_header = isinstance(label, str) or not any(
        _is_number(cell) or cell.lower() in _MISSING for cell in inputs_first
    )
    column = _label_column(file.name, label, first, has_header)
    body = lines[1:] if has_header else lines
    if not body:
        raise DataError(f"{file.name}: no samples, only a header line; add lines of data")
    rows = [[_number(file.name, n, k, cell) for k, cell in enumerate(cells) if k != column] for n, cells in body]
    labels, names = _text_labels(file.name, [(n, cells[column]) for n, cells in body])
    inputs, scaling = scaled_inputs(exact_float64(rows, file.name), scale)
    return Dataset(
        name=file.name,
        inputs=inputs,
        labels=labels,
        classes=len(names),
        scaling=f"decimals to nearest binary64; {scaling}",
        label_names=names,
    )


def read_npz(path: str | Path, *, scale: Scale = "auto", max_bytes: int = MAX_BYTES) -> Dataset:
    """Read a NumPy archive with arrays X (N, d), (N, c, l) or (N, c, h, w) and y (N,).

    Parameters
    ----------
    path : str or Path
        The file. Arrays of Python objects are refused.
    scale : "auto", "none" or int, optional
        See `verifier.model.data.scaled_inputs`; "auto" uses one power for all columns when X has more than two axes.
    max_bytes : int, optional
        Largest array, checked against the archive's directory before memory is taken.

    Returns
    -------
    Dataset
        The exact values.

    Raises
    ------
    DataError
        Unreadable or dishonest archive, wrong arrays, values that binary64 cannot hold, unusable labels.
    """
    file = Path(path)
    try:
        with _opened(file) as stream, zipfile.ZipFile(stream) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers in the style of Python 2, which are read all the same
            raw, target = (_member(file.name, archive, key, max_bytes) for key in ("X", "y"))
    except UNSOUND as error:
        raise DataError(
            f"{file.name}: not a sound .npz archive ({one_line(str(error))}); write it with numpy.savez(path, X=X, y=y)"
        ) from None
    if not 2 <= raw.ndim <= 4 or 0 in raw.shape:
        raise DataError(
            f"{file.name}: X has shape {raw.shape}, expected (N, d), (N, c, l) or (N, c, h, w), all at least 1"
        )
    if target.shape != raw.shape[:1]:
        raise DataError(
            f"{file.name}: y has shape {target.shape}, expected ({raw.shape[0]},), one label per sample of X"
        )
    labels, names = array_labels(file.name, target)
    flat = exact_float64(raw, f"{file.name}: X").reshape(raw.shape[0], -1)
    inputs, scaling = scaled_inputs(flat, scale, common=raw.ndim > 2)
    return Dataset(
        name=file.name,
        inputs=inputs,
        labels=labels,
        classes=len(names),
        scaling=scaling,
        shape=raw.shape[1:],
        label_names=names,
    )


def _opened(file: Path) -> BinaryIO:
    try:
        stream = open_regular(file, MAX_BYTES)
    except IsADirectoryError:
        raise DataError(f"path = {one_line(str(file))}: is a directory; give a .csv or .npz file") from None
    except OSError as error:
        raise DataError(f"path = {one_line(str(file))}: {error.strerror}; check the path") from None
    if os.fstat(stream.fileno()).st_size == 0:
        stream.close()
        raise DataError(f"path = {one_line(str(file))}: the file is empty; write samples into it")
    return stream


def _csv_lines(file: Path) -> list[tuple[int, list[str]]]:
    """Return (line number, stripped cells) of every line that is not blank."""
    try:
        with _opened(file) as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name}: byte {error.start} is not UTF-8; save the file as UTF-8 text") from None
    except csv.Error as error:
        raise DataError(f"{file.name}: line {reader.line_num}: {error}; save the file as plain CSV") from None
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if not lines:
        raise DataError(f"{file.name}: no lines with data; write samples into it")
    return lines


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None or _NOT_FINITE.fullmatch(cell) is not None


def _number(name: str, line: int, column: int, cell: str) -> float:
    where = f"{name}: line {line}, column {column + 1}"
    if _NUMBER.fullmatch(cell) is None:
        kind = "not finite" if _NOT_FINITE.fullmatch(cell) else "not a number"
        raise DataError(f"{where}: {one_line(cell)} is {kind}; impute it or drop the line")
    value = float(cell)
    if not math.isfinite(value):
        raise DataError(f"{where}: {one_line(cell)} is beyond binary64's 1.8e308; rescale the column")
    if value == 0.0 and any(digit in "123456789" for digit in re.split("[eE]", cell)[0]):
        raise DataError(
            f"{where}: {one_line(cell)} is below binary64's 4.9e-324 and would become 0; rescale the column"
        )
    return value


def _label_column(name: str, label: str | int, first: Sequence[str], has_header: bool) -> int:
    width = len(first)
    if isinstance(label, str):
        found = [k for k, cell in enumerate(first) if cell == label]
        if len(found) > 1:
            raise DataError(f"{name}: label = {label!r} names {len(found)} columns; give the index instead")
        if not found:
            raise DataError(f"{name}: label = {one_line(label)} is not in the header line; {nearest(label, first)}")
        return found[0]
    if isinstance(label, bool) or not isinstance(label, int) or not -width <= label < width:
        header = "with a header" if has_header else "without a header"
        raise DataError(
            f"{name} ({header}): label = {one_line(label)} must be a column's name or an index -{width}..{width - 1}"
        )
    return label % width


def _text_labels(name: str, cells: list[tuple[int, str]]) -> tuple[IntArray, tuple[str, ...]]:
    for line, cell in cells:
        if cell.lower() in _MISSING:
            raise DataError(
                f"{name}: line {line}: the label is missing ({one_line(cell)}); fill it in or drop the line"
            )
    texts = [cell for _, cell in cells]
    if all(_is_number(text) for text in texts):
        return array_labels(name, np.array([float(text) for text in texts]))
    return named_labels(name, texts)


def _member(name: str, archive: zipfile.ZipFile, key: str, max_bytes: int) -> NDArray[Any]:
    """Read one array after its header's size was compared with the archive's directory."""
    found = [info for info in archive.infolist() if info.filename == f"{key}.npy"]
    if len(found) != 1:
        have = (
            ", ".join(sorted({info.filename.removesuffix(".npy") for info in archive.infolist()})[:MAX_NAMES])
            or "nothing"
        )
        raise DataError(
            f"{name}: {len(found)} arrays named {key!r} (the archive has {have}); write numpy.savez(path, X=X, y=y)"
        )
    size = found[0].file_size
    if size > max_bytes:
        raise DataError(f"{name}: {key} takes {size} bytes, more than {max_bytes}; use fewer samples")
    if is_bomb(size, found[0].compress_size):
        raise DataError(
            f"{name}: {key} takes {size} bytes, compressed to {found[0].compress_size}; write it with numpy.savez,"
            " uncompressed"
        )
    with archive.open(found[0]) as stream:
        declared = _declared_bytes(name, key, stream)
        header = stream.tell()
    if header + declared != size:
        raise DataError(
            f"{name}: {key} declares {declared} bytes of numbers, {size - header} are there; write the file again"
        )
    with archive.open(found[0]) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        stream.read(1)  # at the end of the member its checksum is compared
    return array


def _declared_bytes(name: str, key: str, stream: IO[bytes]) -> int:
    shape, dtype = read_npy_header(stream)
    if dtype.hasobject:
        raise DataError(
            f"{name}: {key} holds Python objects, which only pickle could read; convert it to numbers or text"
        )
    if any(extent < 0 for extent in shape):
        raise DataError(f"{name}: {key} declares the shape {shape}; write the file again")
    return math.prod(shape) * dtype.itemsize
