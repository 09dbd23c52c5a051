"""Which classes there are, and their numbers: as they occur, or as a trained classifier has them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np

from verifier.data.dataset import Dataset, FloatArray, IntArray
from verifier.data.gate import Labels, label_entries
from verifier.data.gate.foreign import categories_of
from verifier.data.names import MAX_NAME, class_names, mapping_in_words, numbered
from verifier.display import joined
from verifier.errors import DataError, NetworkError, one_line

Classes: TypeAlias = int | Sequence[Any]
"""All classes of a classifier: their number m if the labels are 0..m-1, or their names in the order of its outputs."""

MAX_CLASSES: Final = 2**20
"""Most classes that ``classes`` may state; each takes a column of V."""
MAX_SHOWN: Final = 10
"""Most classes that a remedy writes out."""


def class_labels(y: Labels, count: int, classes: Classes | None = None) -> tuple[IntArray, tuple[str, ...]]:
    """Number the classes of ``count`` samples.

    Parameters
    ----------
    y : sequence of labels
        See `verifier.data.gate.label_entries`.
    count : int
        The number N of samples.
    classes : int or sequence, optional
        All classes; by default those that occur: in the order of a pandas categorical's categories, else in sorted
        order if they have one, else in the order of their first appearance.

    Returns
    -------
    labels : (N,) int64
        0..m-1; each occurs at least once unless ``classes`` is given.
    names : tuple of str
        The classes as text, m of them.

    Raises
    ------
    DataError
        See `verifier.dataset_from_arrays`.
    """
    values = label_entries(y, "y", count=count)
    if len(values) != count:
        raise DataError(f"y: {len(values)} labels for the {count} samples of X; give one per sample")
    if classes is not None:
        return _among(values, classes)
    order = _order(list(dict.fromkeys(values)), categories_of(y))
    if len(order) < 2:
        raise DataError(
            f"y: all labels are {one_line(order[0])}; at least 2 classes are needed: if the network has more, name "
            "them all with classes="
        )
    return numbered(values, order), class_names(order)


def with_classes(data: Dataset, classes: Classes) -> Dataset:
    """Give a data set all classes of a classifier, of which some do not occur.

    Parameters
    ----------
    data : Dataset
        Its `label_names` are looked up among the classes.
    classes : int or sequence
        See `Classes`.

    Returns
    -------
    Dataset
        The same samples; labels numbered as ``classes`` says.

    Raises
    ------
    DataError
        A class that occurs is not among them.
    """
    if data.labels is None:
        return replace(data, classes=classes_of(classes)[0], label_names=())
    count, names = classes_of(classes)
    # names from files have single blanks
    known = [" ".join(name.split()) for name in names]
    occurring = {label: " ".join(data.label_names[label].split()) for label in sorted(set(data.labels.tolist()))}
    _all_different(known, "classes:")
    _all_different(list(occurring.values()), "the labels'")
    texts = [occurring[label] for label in data.labels.tolist()]
    absent = sorted(set(texts) - set(known), key=texts.index)
    if absent:
        raise DataError(
            f"classes: the class {one_line(absent[0])} occurs but is not among them; {_remedy(classes, names)}"
        )
    labels = numbered(texts, known)
    understood = data.understood.replace(mapping_in_words(data.label_names), _mapping_among(names, set(texts)), 1)
    return replace(data, labels=labels, classes=count, label_names=names, understood=understood)


def _mapping_among(names: tuple[str, ...], occurring: set[str]) -> str:
    """Say how the classes that were given are numbered, and how many of them do not occur."""
    absent = [name for name in names if name not in occurring]
    none = f" ({joined(absent, 3)} in no row)" if 0 < len(absent) <= 3 else f" ({len(absent)} of them in no row)"
    return f"{mapping_in_words(names)}{none if absent else ''}"


def _all_different(names: Sequence[str], whose: str) -> None:
    """Refuse names, cut and cleaned as they are printed, that two classes share: looked up, they would be one."""
    if len(set(names)) < len(names):
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise DataError(
            f"{whose} names of two classes are both printed as {one_line(twice)}; rename them so that they differ in "
            f"their first {MAX_NAME} printable characters, or give arrays X and y instead of a data set or file"
        )


def _order(occurring: list[Any], categories: Sequence[Any] | None) -> list[Any]:
    if categories is not None:
        return [value for value in label_entries(list(categories), "y") if value in set(occurring)]
    try:
        return sorted(occurring)
    except TypeError:
        return occurring  # no common order: that of their first appearance stands


def _among(values: list[Any], classes: Classes) -> tuple[IntArray, tuple[str, ...]]:
    """Number labels by the classes that a user states; each must be among them."""
    count, names = classes_of(classes)
    every = list(range(count)) if isinstance(classes, int | np.integer) else label_entries(classes, "classes")
    known = set(every)
    kinds = {type(value) for value in every}
    for position, value in enumerate(values):
        # True is found under 1: as a class it is one only where the classes are booleans, or 0 and 1 by their number
        same_kind = bool in kinds if isinstance(value, bool) else kinds != {bool}
        same_kind = same_kind or (isinstance(value, bool) and count == 2)
        if value not in known or not same_kind:
            raise DataError(
                f"y: entry {position} is {one_line(value)}, not among the classes; {_remedy(classes, names, values)}"
            )
    return numbered(values, every), names


def classes_of(classes: Classes) -> tuple[int, tuple[str, ...]]:
    """Return how many classes ``classes`` states, and their names as they are printed.

    Raises
    ------
    DataError
        Too few or too many, or one is there twice.
    """
    if isinstance(classes, bool | np.bool_):
        raise DataError(f"classes = {classes}: give their number, or all their names in the order of the outputs")
    try:
        count = operator.index(classes)  # type: ignore[arg-type]
    except TypeError:
        every = label_entries(classes, "classes")
        if len(set(every)) < len(every):
            twice = next(value for k, value in enumerate(every) if value in every[:k])
            raise DataError(f"classes: {one_line(twice)} is there twice; name each class once") from None
        count, names = len(every), class_names(every)
    else:
        names = tuple(map(str, range(count))) if 2 <= count <= MAX_CLASSES else ()
    if not 2 <= count <= MAX_CLASSES:
        raise DataError(f"classes = {one_line(classes)}: there must be 2 to {MAX_CLASSES} of them")
    return count, names


def _remedy(classes: Classes, names: tuple[str, ...], values: Sequence[Any] = ()) -> str:
    if isinstance(classes, int | np.integer):
        every = list(dict.fromkeys(values))
        such = f": classes={_order(every, None)}, if that is their order" if len(every) == classes <= MAX_SHOWN else ""
        return (
            f"labels of {classes} classes are 0..{classes - 1}; else name all classes in the order of the outputs{such}"
        )
    return f"they are {joined(names)}"


def suggestion(data: Dataset, count: int) -> str:
    """How to say that a network has ``count`` classes, of which these data have fewer, as the end of a message.

    Parameters
    ----------
    data : Dataset
        The samples; the names of classes that occur are shown.
    count : int
        Number m of outputs of the network.

    Returns
    -------
    str
        ``classes=...`` as one writes it.
    """
    occurring = [data.label_names[k] for k in sorted(set([] if data.labels is None else data.labels.tolist()))]
    if all(name.isdecimal() and int(name) < count for name in occurring):
        return f"classes={count}"
    return f"classes=[the {count} names in the order of the network's outputs, {joined(occurring, 3)} among them]"


def one_logit(v: FloatArray, what: str, data: Dataset) -> tuple[FloatArray, str]:
    """Take a head with one logit as the head with two classes that it is.

    With logits ``(0, z)`` the softmax's cross entropy is ``log(1 + e^z)`` for the first class and ``log(1 + e^-z)`` for
    the second: the logistic loss of the one logit z (``BCEWithLogitsLoss``), number for number.

    Parameters
    ----------
    v : (M, 1) or (M,) float64
        The weights of the one logit.
    what : str
        The argument's name, for messages.
    data : Dataset
        The samples; they must have two classes.

    Returns
    -------
    v : (M, 2) float64
        Guarantee: columns 0 and ``v``.
    said : str
        What was done, as the end of the line about the data.

    Raises
    ------
    NetworkError
        There are other than two classes.
    """
    if data.classes != 2:
        raise NetworkError(
            f"{what}: shape {v.shape} is one logit, for two classes; the labels have {data.classes} classes: give "
            f"shape ({len(v)}, {data.classes}), or labels of two classes"
        )
    column = v.reshape(-1, 1)
    said = (
        f"; a head with one logit z is the head (0, z) with two classes, z that of {data.label_names[1]!r}, and what "
        "is said is about V with both columns free"
    )
    return np.hstack([np.zeros_like(column), column]), said
