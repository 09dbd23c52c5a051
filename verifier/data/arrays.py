"""Data sets from arrays in memory: any array of numbers, labels of any kind that compares by value."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from verifier.data.classes import Classes, class_labels, classes_of
from verifier.data.dataset import Dataset, FloatArray, Scale, sample_shape, scaled_inputs
from verifier.data.gate import Labels, binary64
from verifier.data.gate.foreign import in_another_order
from verifier.errors import DataError


def dataset_from_arrays(
    X: ArrayLike,
    y: Labels | None,
    *,
    name: str = "data",
    scale: Scale = "none",
    shape: Sequence[int] | None = None,
    classes: Classes | None = None,
    regression: bool = False,
) -> Dataset:
    """Make a data set of arrays in memory. The statements are about exactly these numbers.

    Parameters
    ----------
    X : array_like of shape (N, d), (N, channels, length) or (N, channels, height, width)
        Numbers of any kind that binary64 holds exactly: arrays, nested lists, DataFrames, tensors.
    y : sequence of N labels, or None
        The classes: numbers, texts, booleans, ...; 1 and 1.0 are one class, True beside 1 and "1" beside 1 are refused.
        They are numbered in sorted order (a pandas categorical's: in that of its categories), or by first appearance
        if they have no order. None for statements without labels.
    name : str, optional
        Informative; it is written into certificates.
    scale : "none", "auto" or int, optional
        See `verifier.data.dataset.scaled_inputs`.
    shape : sequence of int, optional
        The input's shape for the network if X is flat; by default that of a sample of X.
    classes : int or sequence, optional
        All classes of a trained classifier, where some do not occur in y: their number m if the labels are 0..m-1, or
        their names in the order of its outputs. By default the classes that occur.
    regression : bool, optional
        Whether y are real targets, of shape (N,) or (N, m), and no classes.

    Returns
    -------
    Dataset
        ``label_names`` are the classes as text; with ``regression`` it has targets and no labels.

    Raises
    ------
    DataError
        X has NaN, another shape, or numbers that are not binary64; y has another length, one class only, missing
        values, values that are no classes, or one that is not among ``classes``; X and y are of pandas, and their
        indices have the same labels in another order.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.dataset_from_arrays([[0.5, 1.0], [2.0, 4.0], [1.0, 0.25]], ["cat", "dog", "cat"])
    >>> data.labels.tolist(), data.label_names
    ([0, 1, 0], ('cat', 'dog'))
    """
    inputs = binary64(X, "X")
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
    if in_another_order(X, y):
        raise DataError(
            "y: its index has the labels of that of X in another order; give y.loc[X.index] to pair rows by their "
            "labels, or y.to_numpy() to pair them as they stand"
        )
    if regression:
        targets = _targets(y, count, classes)  # type: ignore[arg-type]  # anything that is no array of numbers is refused
        flat, scaling = scaled_inputs(inputs.reshape(count, -1), scale, common=inputs.ndim > 2)
        form = inputs.shape[1:] if shape is None else sample_shape(shape, flat.shape[1])
        return Dataset(name, flat, None, targets.shape[1], None, scaling, form, targets=targets)  # type: ignore[arg-type]
    if y is None:
        labels, names = None, () if classes is None else classes_of(classes)[1]
    else:
        labels, names = class_labels(y, count, classes)
    flat, scaling = scaled_inputs(inputs.reshape(count, -1), scale, common=inputs.ndim > 2)
    return Dataset(
        name=name,
        inputs=flat,
        labels=labels,
        classes=max(len(names), 2),
        scaling=scaling,
        shape=inputs.shape[1:] if shape is None else sample_shape(shape, flat.shape[1]),
        label_names=names,
    )


def _targets(y: ArrayLike | None, count: int, classes: Classes | None) -> FloatArray:
    """Take real targets, (N, m); numbers of any kind that binary64 holds exactly."""
    if y is None or classes is not None:
        missing = "missing; give the real targets, (N,) or (N, m)" if y is None else "a regression has no classes"
        raise DataError(f"{'y' if y is None else 'classes'}: {missing}")
    found = binary64(y, "y")
    found = found.reshape(-1, 1) if found.ndim == 1 else found
    if found.ndim != 2 or len(found) != count or found.shape[1] == 0:
        raise DataError(f"y: shape {found.shape} for the {count} samples of X; give real targets, (N,) or (N, m)")
    return found
