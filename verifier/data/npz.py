"""NumPy archives with samples and labels, under the names that people give them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verifier.data.dataset import Dataset, Scale, scaled_inputs
from verifier.data.files import MAX_BYTES, opened
from verifier.data.files.numpy_files import WRITE, numpy_archive, read_header, read_member
from verifier.data.files.packed import UNSOUND
from verifier.data.gate import binary64
from verifier.data.labels import array_labels
from verifier.data.names import mapping_in_words, printable
from verifier.errors import DataError, nearest, one_line

LAYOUTS: Final = ("channels first", "channels last")
"""The orders of an image's axes: (channels, height, width) and (height, width, channels)."""
PAIRS: Final = (
    ("X", "y"),
    ("X", "Y"),
    ("x", "y"),
    ("X_train", "y_train"),
    ("x_train", "y_train"),
    ("data", "target"),
    ("data", "targets"),
    ("data", "labels"),
    ("data", "label"),
    ("features", "labels"),
    ("features", "label"),
    ("features", "target"),
    ("images", "labels"),
    ("train_images", "train_labels"),
    ("train_data", "train_labels"),
    ("train_x", "train_y"),
    ("inputs", "targets"),
    ("inputs", "labels"),
    ("samples", "labels"),
    ("X", "labels"),
    ("X", "label"),
    ("X", "target"),
    ("x", "labels"),
    ("x", "label"),
    ("images", "y"),
    ("data", "y"),
)
"""Names of samples and labels, the first that an archive has are taken."""
NAMES: Final = ("target_names", "label_names", "class_names", "classes", "names")
"""Names of an array with the classes' names."""
CHANNELS: Final = (1, 3, 4)
"""Numbers of channels that pictures have."""
IMAGES: Final = ("images", "x_train", "train_images")
"""Names, in lower case, of samples that are images if they have three axes; so are unsigned bytes."""
MAX_SHOWN: Final = 5


def read_npz(
    path: str | Path,
    *,
    scale: Scale = "auto",
    max_bytes: int = MAX_BYTES,
    inputs: str | None = None,
    label: str | None = None,
    layout: str | None = None,
) -> Dataset:
    """Read a NumPy archive with an array of samples and one of labels.

    Parameters
    ----------
    path : str or Path
        The file, compressed or not. Arrays of Python objects are refused.
    scale : "auto", "none" or int, optional
        See `verifier.data.dataset.scaled_inputs`; "auto" uses one power for all columns when X has more than two axes.
    max_bytes : int, optional
        Largest array, checked against the archive's directory before memory is taken.
    inputs : str, optional
        The name of the samples, of shape (N, d), (N, c, l), (N, c, h, w), or (N, h, w) of unsigned bytes; by default
        found out: X, x_train, data, images, ...
    label : str, optional
        The name of the labels, of shape (N,), (N, 1), or (N, m) with one 1 in each row; by default found out.
    layout : "channels first" or "channels last", optional
        The order of the axes of images; needed where the shape does not tell.

    Returns
    -------
    Dataset
        The exact values. ``understood`` says which arrays were taken and what was left out.

    Raises
    ------
    DataError
        Unreadable or dishonest archive, wrong arrays, values that binary64 cannot hold, unusable labels.
    """
    file = Path(path)
    name = file.name
    if layout is not None and layout not in LAYOUTS:
        raise DataError(f'data.layout = {one_line(layout)}: must be "channels first" or "channels last"')
    try:
        with opened(file) as stream, numpy_archive(stream) as (archive, have):
            x_key, y_key = _keys(name, archive, have, inputs, label)
            raw, target = (read_member(name, archive, key, max_bytes) for key in (x_key, y_key))
            names_key = next((key for key in NAMES if key in have), None)
            class_names = _class_names(name, archive, names_key, max_bytes)
    except UNSOUND as error:
        raise DataError(f"{name}: not a sound .npz archive ({one_line(str(error))}); write it with {WRITE}") from None
    notes: list[str] = []
    raw = _checked_samples(name, x_key, raw, layout, notes)
    target = _checked_target(name, x_key, y_key, raw, target, notes)
    labels, names = array_labels(f"{name}: {y_key}", target)
    if class_names and names == tuple(str(k) for k in range(len(class_names))):
        names = class_names
    flat = binary64(raw, f"{name}: {x_key}").reshape(raw.shape[0], -1)
    values, scaling = scaled_inputs(flat, scale, common=raw.ndim > 2)
    used = {x_key, y_key, *([names_key] if class_names and names == class_names else [])}
    others = [key for key in have if key not in used]
    if others:
        shown = ", ".join(others[:MAX_SHOWN]) + (", ..." if len(others) > MAX_SHOWN else "")
        notes.append(f"left out: {shown}")
    rows = f"{raw.shape[0]} rows x {flat.shape[1]} columns ({x_key})"
    return Dataset(
        name=name,
        inputs=values,
        labels=labels,
        classes=len(names),
        scaling=scaling,
        shape=raw.shape[1:],
        label_names=names,
        understood="; ".join([rows, f"label {y_key}: {mapping_in_words(names)}", *notes]),
    )


def _keys(
    name: str, archive: zipfile.ZipFile, have: Sequence[str], inputs: str | None, label: str | None
) -> tuple[str, str]:
    """Find the names of the samples and of the labels."""
    for option, key in (("inputs", inputs), ("label", label)):
        if key is not None and key not in have:
            remedy = nearest(str(key), have) if have else "the archive is empty"
            raise DataError(f"{name}: data.{option} = {one_line(key)}: no such array; {remedy}")
    if inputs is not None and label is not None:
        return inputs, label
    for x_key, y_key in PAIRS:
        if x_key in have and y_key in have and inputs in (None, x_key) and label in (None, y_key):
            return x_key, y_key
    shapes = {key: _shape(archive, key) for key in have}
    others = [key for key in have if key not in (inputs, label)]
    if inputs is not None:
        return inputs, _one(name, "label", [key for key in others if _labels_of(shapes[key], shapes[inputs])], shapes)
    if label is not None:
        return _one(name, "inputs", [key for key in others if _labels_of(shapes[label], shapes[key])], shapes), label
    found = [(x, y) for x in have for y in have if x != y and _labels_of(shapes[y], shapes[x])]
    if len(found) == 1 and len(have) == 2:
        return found[0]
    listed = ", ".join(f"{key} {shapes[key] or ''}".strip() for key in have[:8]) or "nothing"
    remedy = (
        f'write data.inputs = "{found[0][0]}" and data.label = "{found[0][1]}", or others'
        if found
        else f"write {WRITE}"
    )
    raise DataError(
        f"{name}: no arrays named X and y, or x_train and y_train, data and target, images and labels, ...; the archive"
        f" has {listed}; {remedy}"
    )


def _one(name: str, key: str, found: Sequence[str], shapes: dict[str, tuple[int, ...] | None]) -> str:
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{one} {shapes[one] or ''}".strip() for one in (found or list(shapes))[:8])
    raise DataError(
        f"{name}: {len(found)} arrays may be the {'labels' if key == 'label' else 'samples'}; write data.{key} ="
        f' "{(found or list(shapes))[0]}" or another of {listed}'
    )


def _shape(archive: zipfile.ZipFile, key: str) -> tuple[int, ...] | None:
    try:
        with archive.open(f"{key}.npy") as stream:
            return read_header(stream)[0]
    except (*UNSOUND, KeyError):
        return None


def _labels_of(labels: tuple[int, ...] | None, samples: tuple[int, ...] | None) -> bool:
    """Whether shapes are those of labels and of their samples."""
    if not labels or not samples or len(samples) < 2 or labels[0] != samples[0]:
        return False
    return len(labels) == 1 or (len(labels) == 2 and labels[1] == 1)


def _class_names(name: str, archive: zipfile.ZipFile, key: str | None, max_bytes: int) -> tuple[str, ...]:
    if key is None:
        return ()
    try:
        found = read_member(name, archive, key, max_bytes)
    except DataError:
        return ()  # it is no array that can be read; `understood` says that it is left out
    if found.ndim != 1 or found.dtype.kind != "U" or len(set(found.tolist())) != len(found):
        return ()
    return tuple(map(printable, found.tolist()))


def _checked_samples(name: str, key: str, raw: NDArray[Any], layout: str | None, notes: list[str]) -> NDArray[Any]:
    """Return the samples with the channels first."""
    if not 2 <= raw.ndim <= 4 or 0 in raw.shape:
        raise DataError(
            f"{name}: {key} has shape {raw.shape}, expected (N, d), (N, c, l) or (N, c, h, w), all at least 1"
        )
    if layout is not None and raw.ndim < 3:
        raise DataError(f"{name}: {key} has shape {raw.shape}, and data.layout is about images; leave it out")
    if layout == "channels last":
        notes.append(f"channels last: {'x'.join(map(str, raw.shape[1:]))} became channels first")
        return np.moveaxis(raw, -1, 1)
    if layout is None and raw.ndim == 3 and (raw.dtype == np.uint8 or key.lower() in IMAGES):
        notes.append(f"images of {raw.shape[1]} x {raw.shape[2]}, one channel")
        return raw[:, None]
    if layout is None and raw.ndim == 4:
        channels, height, width = raw.shape[1:]
        if channels != 1 and _may_be_last(channels, height, width):
            raise DataError(
                f"{name}: {key} has shape {raw.shape}: are these {_channels(width)} of {channels} x {height}, or"
                f' {channels} of {height} x {width}? Write data.layout = "channels last" or data.layout ='
                ' "channels first"'
            )
    if raw.ndim > 2:
        notes.append(f"channels first: {raw.shape[1]} of {' x '.join(map(str, raw.shape[2:]))}")
    return raw


def _may_be_last(first: int, middle: int, last: int) -> bool:
    """Whether the last axis of an image may be that of its channels."""
    if last in CHANNELS and first not in CHANNELS:
        return True
    square = middle == last
    return not square and (first == middle or (first in CHANNELS and last in CHANNELS))


def _checked_target(
    name: str, x_key: str, y_key: str, raw: NDArray[Any], target: NDArray[Any], notes: list[str]
) -> NDArray[Any]:
    """Return the labels, shape (N,): a column and one-hot rows are understood."""
    count = raw.shape[0]
    if target.ndim == 0 or target.shape[0] != count:
        turned = raw.ndim == 2 and target.ndim >= 1 and raw.shape[1] == target.shape[0]
        remedy = f"{x_key} looks transposed: numpy.savez(path, X=X.T, y=y)" if turned else "give one label per sample"
        raise DataError(
            f"{name}: {y_key} has shape {target.shape}, expected ({count},), one label per sample of {x_key}"
            f" {raw.shape}; {remedy}"
        )
    if target.ndim == 2 and target.shape[1] == 1:
        return target[:, 0]
    if target.ndim == 2 and target.shape[1] > 1 and target.dtype.kind in "biuf":
        ones = (target == 1).sum(axis=1)
        if ((target == 0) | (target == 1)).all() and (ones == 1).all():
            notes.append(f"{y_key} is one-hot: {target.shape[1]} columns, one 1 in each row")
            found: NDArray[Any] = target.argmax(axis=1)
            return found
        row = int(np.flatnonzero((ones != 1) | ~((target == 0) | (target == 1)).all(axis=1))[0])
        raise DataError(
            f"{name}: {y_key} has shape {target.shape}, and row {row} is {one_line(target[row].tolist(), limit=60)},"
            " not one 1 among zeros; several labels per sample and real targets are not covered, give one class per"
            " sample"
        )
    if target.ndim != 1:
        raise DataError(
            f"{name}: {y_key} has shape {target.shape}, expected ({count},), one label per sample of {x_key}"
        )
    return target


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
