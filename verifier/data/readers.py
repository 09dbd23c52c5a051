"""Reading data sets: scikit-learn's built-ins, tables of text, ARFF, NPZ, IDX and CIFAR files. Exactly, or not at all.

No file is ever unpickled, and sizes are checked against the file before memory is taken.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal

from verifier.data.dataset import Dataset, Scale, scaled_inputs
from verifier.data.files import MAX_BYTES
from verifier.data.files.packed import bare_name
from verifier.data.gate import binary64
from verifier.data.idx import images_in, is_cifar, is_idx, read_images
from verifier.data.npz import read_npz
from verifier.data.tables.columns import Label
from verifier.data.tables.reader import TableOptions, read_table
from verifier.errors import DataError, nearest, one_line

BUILT_IN: Final = ("digits", "iris", "wine", "breast_cancer")
"""Data sets that scikit-learn ships, so that no download is needed."""


def load_dataset(
    name: str | None = None,
    *,
    path: str | Path | None = None,
    label: Label = None,
    labels: str | Path | None = None,
    columns: Sequence[str | int] | None = None,
    drop: Sequence[str | int] | None = None,
    missing: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    header: bool | None = None,
    inputs: str | None = None,
    layout: str | None = None,
    scale: Scale = "auto",
    samples: int | None = None,
) -> Dataset:
    """Load a built-in data set or a file. What is not said is found out, and `Dataset.understood` says it.

    A message that asks for ``data.KEY = VALUE`` speaks of a case file; here it is the argument ``KEY=VALUE``.

    Parameters
    ----------
    name : str, optional
        One of `BUILT_IN`, or a path.
    path : str or Path, optional
        A table (``.csv``, ``.tsv``, ``.txt``, ``.data``, ...: any delimiter, either decimal mark, with or without a
        header) or an ``.arff`` file, also compressed (``.gz``, ``.bz2``, ``.xz``, ``.zip``); an ``.npz`` archive;
        images in the IDX format (``train-images-idx3-ubyte``, also ``.gz``), or the folder of one such file with its
        labels; CIFAR-10 records (``.bin``). Exactly one of name and path is given.
    label : str, int, or sequence of them, optional
        Table: the label column's name, or its index from 0 (negative: from the end), or the columns of 0 and 1 that are
        the classes. Archive: the name of the array. Default: a column named label, class, target, species, ..., the
        only column of texts, columns of 0 and 1 at the end, or the last.
    labels : str or Path, optional
        IDX: the file of labels; default the one beside the images with "labels" for "images" in its name.
    columns, drop : sequence of str or int, optional
        Table: the columns that are the inputs, or those that are left out. By default all but the label and a column
        that only numbers the rows (``drop=[]`` keeps it).
    missing : "drop rows", optional
        Table: leave out rows with missing values, which are refused by default.
    delimiter : str, optional
        Table: one character, or comma, semicolon, tab, bar, whitespace.
    decimal : "." or ",", optional
        Table: the decimal mark.
    header : bool, optional
        Table: whether the first line holds the columns' names.
    inputs : str, optional
        Archive: the name of the array of samples.
    layout : "channels first" or "channels last", optional
        Archive: the order of the axes of images.
    scale : "auto", "none" or int, optional
        See `verifier.data.dataset.scaled_inputs`.
    samples : int, optional
        Keep the first ones only.

    Returns
    -------
    Dataset
        All samples, or the first.

    Raises
    ------
    DataError
        Unknown name, unreadable file, a question that the file leaves open, or data that cannot be held exactly; one
        line with file, line, column, value and remedy.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.load_dataset("iris", samples=60)
    >>> data.samples, data.dimension, data.label_names
    (60, 4, ('setosa', 'versicolor', 'virginica'))
    """
    if (name is None) == (path is None):
        raise DataError("data: give exactly one of name (a built-in) and path (a file of samples)")
    if name is not None and name not in BUILT_IN and _is_path(name):
        name, path = None, name
    file = Path(str(path))
    file = (images_in(file) if os.path.isdir(file) else None) or file  # a name too long is no folder
    shown, kind = (file.name, _kind(file)) if name is None else (name, "built-in")
    options = TableOptions(label, columns, drop, missing, delimiter, decimal, header)
    if labels is not None and kind != "IDX":
        raise DataError(
            f"labels = {one_line(str(labels))}: only images in an IDX file have their labels in another file; a label"
            " column is named by data.label"
        )
    if kind != "table":
        _refuse(shown, "a table, such as CSV", {**asdict(options), "label": None})
    if kind != "archive":
        _refuse(shown, "an .npz archive", {"inputs": inputs, "layout": layout})
    if kind not in ("table", "archive"):
        _refuse(shown, "a table or an .npz archive", {"label": label})
    if name is not None:
        dataset = load_builtin(name, scale=scale)
    elif kind == "table":
        dataset = read_table(file, options, scale)
    elif kind == "archive":
        dataset = _read_archive(file, label, inputs, layout, scale)
    else:
        dataset = read_images(file, labels=labels, scale=scale, samples=samples, max_bytes=MAX_BYTES)
    return dataset if samples is None else dataset.first(samples)


def _is_path(name: str) -> bool:
    return isinstance(name, str) and (
        Path(name).suffix != "" or re.search(r"[/\\]", name) is not None or Path(name).is_file()
    )


def _kind(file: Path) -> Literal["IDX", "CIFAR", "archive", "table"]:
    if is_idx(file):
        return "IDX"
    if is_cifar(file):
        return "CIFAR"
    return "archive" if bare_name(file.name).lower().endswith(".npz") else "table"


def _refuse(name: str, kind: str, options: dict[str, Any]) -> None:
    for key, value in options.items():
        if value is not None:
            raise DataError(f"{one_line(name)}: data.{key} = {one_line(value)} is for {kind}; leave it out")


def _read_archive(file: Path, label: Label, inputs: str | None, layout: str | None, scale: Scale) -> Dataset:
    if label is not None and not isinstance(label, str):
        raise DataError(f"{file.name}: data.label = {one_line(label)}: must be the name of an array in the archive")
    if file.suffix.lower() != ".npz":
        raise DataError(
            f"{file.name}: a compressed archive of arrays is not read; decompress it to {bare_name(file.name)}"
        )
    return read_npz(file, scale=scale, inputs=inputs, label=label, layout=layout)


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
    inputs, scaling = scaled_inputs(binary64(bunch.data, name), scale, common=is_image)
    return Dataset(
        name=name,
        inputs=inputs,
        labels=bunch.target,
        classes=len(bunch.target_names),
        scaling=f"{'integers' if is_image else 'binary64 values of scikit-learn'}; {scaling}",
        shape=(1, 8, 8) if is_image else (),
        label_names=tuple(str(label) for label in bunch.target_names),
    )
