"""Data sets from arrays in memory: any array of numbers, labels of any hashable kind."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from verifier.errors import DataError, one_line
from verifier.model.data import Dataset, IntArray, Scale, exact_float64, scaled_inputs

Labels = ArrayLike | Sequence[Hashable]
"""One class per sample: numbers, texts, booleans, enumeration members, tuples, ..."""

MAX_NAME: Final = 80
"""Longest name of a class; the rest is cut."""


def dataset_from_arrays(
    X: ArrayLike,
    y: Labels | None,
    *,
    name: str = "data",
    scale: Scale = "none",
    shape: Sequence[int] | None = None,
) -> Dataset:
    """Make a data set of arrays in memory. The statements are about exactly these numbers.

    Parameters
    ----------
    X : array_like of shape (N, d), (N, channels, length) or (N, channels, height, width)
        Integers or floats of any width; binary floats are exact dyadics.
    y : sequence of N hashable values, or None
        The classes, of any kind; they are numbered in sorted order, or by first appearance if they have no order. None
        for statements without labels.
    name : str, optional
        Informative; it is written into certificates.
    scale : "none", "auto" or int, optional
        See `verifier.model.data.scaled_inputs`.
    shape : sequence of int, optional
        The input's shape for the network if X is flat; by default that of a sample of X.

    Returns
    -------
    Dataset
        ``label_names`` are the classes as text.

    Raises
    ------
    DataError
        X has NaN, another shape, or numbers that are not binary64; y has another length, one class only, missing
        values, or values that are no classes.
    """
    inputs = exact_float64(X, "X")
    if inputs.ndim == 1:
        raise DataError(
            f"X: shape {inputs.shape}, expected (N, d); for one number per sample use X.reshape(-1, 1), for one sample "
            "X.reshape(1, -1)"
        )
    if not 2 <= inputs.ndim <= 4 or 0 in inputs.shape:
        raise DataError(
            f"X: shape {inputs.shape}, expected (N, d), (N, channels, length) or (N, channels, height, width) with "
            "at least 1 of each"
        )
    count = inputs.shape[0]
    labels, names = (None, ()) if y is None else class_labels(y, count)
    flat, scaling = scaled_inputs(inputs.reshape(count, -1), scale, common=inputs.ndim > 2)
    given = inputs.shape[1:] if shape is None else tuple(int(n) for n in shape)
    if math.prod(given) != flat.shape[1] or min(given, default=0) < 1:
        raise DataError(f"shape = {given}: its product must be {flat.shape[1]}, the numbers in a sample of X")
    return Dataset(
        name=name,
        inputs=flat,
        labels=labels,
        classes=max(len(names), 2),
        scaling=scaling,
        shape=given,
        label_names=names,
    )


def class_labels(y: Labels, count: int) -> tuple[IntArray, tuple[str, ...]]:
    """Number the classes of ``count`` samples.

    Parameters
    ----------
    y : sequence of hashable values
        The classes, in sorted order if they have one, else in the order of their first appearance.
    count : int
        The number N of samples.

    Returns
    -------
    labels : (N,) int64
        0..m-1, each at least once.
    names : tuple of str
        The classes as text, m of them.

    Raises
    ------
    DataError
        See `dataset_from_arrays`.
    """
    values = _values(y, count)
    for position, value in enumerate(values):
        try:
            hash(value)
        except TypeError:
            raise DataError(
                f"y: entry {position} is {one_line(value)}, which is not hashable; give one class per sample, such as "
                "an integer or a text"
            ) from None
        if value is None or value != value:
            raise DataError(f"y: entry {position} is {one_line(value)}, a missing label; drop these samples")
        if isinstance(value, float) and not value.is_integer():
            raise DataError(
                f"y: entry {position} is {value!r}; classes are integers or names, and real targets (regression) are "
                "not covered"
            )
    classes = list(dict.fromkeys(values))
    try:
        classes.sort()
    except TypeError:
        pass  # no common order: that of their first appearance stands
    if len(classes) < 2:
        raise DataError(f"y: all labels are {one_line(classes[0])}; at least 2 classes are needed")
    number = {value: k for k, value in enumerate(classes)}
    return np.array([number[value] for value in values], dtype=np.int64), _names(classes)


def _values(y: Labels, count: int) -> list[Any]:
    shape = getattr(y, "shape", None)
    if isinstance(shape, tuple) and len(shape) != 1:
        remedy = "y.argmax(axis=1)" if len(shape) == 2 and shape[1] > 1 else "y.ravel()"
        raise DataError(f"y: shape {shape}, expected ({count},), one class per sample; use {remedy}")
    if isinstance(y, str | bytes):
        raise DataError(f"y: {one_line(y)} is one text; give a sequence of {count} classes")
    listed: Any = y.tolist() if hasattr(y, "tolist") else y
    try:
        values = list(listed)
    except TypeError:
        raise DataError(f"y: {one_line(y)} is no sequence; give {count} classes, one per sample of X") from None
    if len(values) != count:
        raise DataError(f"y: {len(values)} labels for the {count} samples of X; give one per sample")
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _names(classes: Sequence[Any]) -> tuple[str, ...]:
    texts = [str(int(value)) if isinstance(value, float) else str(value) for value in classes]
    if len(set(texts)) < len(texts):
        texts = [repr(value) for value in classes]
    return tuple("".join(c if c.isprintable() else "?" for c in text[:MAX_NAME]) for text in texts)
