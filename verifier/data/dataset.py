"""Data sets: exact dyadic samples, labels 0..m-1, multiplicities.

A `Dataset` holds binary64 numbers, and statements are about exactly these numbers. Scaling is by powers of two only and
is refused where it would round. `verifier.data.grouping` merges equal samples (X1).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from verifier.data.gate import binary64, integers
from verifier.display import Card, Shown, count, joined
from verifier.errors import DataError, one_line

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Scale: TypeAlias = Literal["auto", "none"] | int

MAX_EXPONENT: Final = 2000
"""Bound on a scaling exponent: binary64 spans 2**-1074 .. 2**1023, so anything beyond is a mistake."""
RENUMBER: Final = "y = numpy.unique(y, return_inverse=True)[1]"
"""The remedy for labels that are not 0..m-1."""
MAX_TOTAL: Final = 2**62
"""Bound on the sum of multiplicities, so that int64 sums cannot wrap."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset(Shown):
    """Samples with labels. Validated when made; the arrays are private copies and read-only.

    Parameters
    ----------
    name : str
        Informative.
    inputs : (N, d) float64
        The samples. Stored C-contiguous and without -0.0.
    labels : (N,) int64 or None
        Classes 0..m-1; None for statements that need no labels.
    classes : int
        m >= 2, or the number of outputs m >= 1 with ``targets``. Not every class must occur.
    multiplicities : (N,) int64, optional
        How many equal samples each row stands for; default all 1.
    scaling : str, optional
        How the numbers came from the raw ones.
    shape : tuple of int, optional
        The input's shape for the network, with product d; default ``(d,)``.
    label_names : tuple of str, optional
        One name per class; default the class numbers.
    understood : str, optional
        How a file was read, in one line: rows, columns, label, classes, what was left out.
    offset : (N, m) float64, optional
        Frozen logits K that are added to Psi V, such as those of a network that is not trained any more.
    targets : (n, m) float64, optional
        Real targets of a regression, in the place of labels: those of row 0, as many as its multiplicity, then those of
        row 1, and so on. The loss is the squared error.

    Raises
    ------
    DataError
        Shapes, labels or numbers are unusable.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.Dataset("two points", [[0.5, 1.0], [2.0, -0.0]], [0, 1], 2)
    >>> data.samples, data.dimension, data.inputs.tolist()
    (2, 2, [[0.5, 1.0], [2.0, 0.0]])
    """

    name: str
    inputs: FloatArray
    labels: IntArray | None
    classes: int
    multiplicities: IntArray = None  # type: ignore[assignment]  # filled in below
    scaling: str = "none"
    shape: tuple[int, ...] = ()
    label_names: tuple[str, ...] = ()
    understood: str = ""
    offset: FloatArray | None = None
    targets: FloatArray | None = None

    def __post_init__(self) -> None:
        """Validate the fields, and replace arrays by private copies that are read-only."""
        if not isinstance(self.name, str):
            raise DataError(f"name = {one_line(self.name)}: must be a text; it is only informative")
        inputs = _checked_inputs(self.inputs)
        samples, dimension = inputs.shape
        classes = _class_count(self.classes, 1 if self.targets is not None else 2)
        labels = None if self.labels is None else _checked_labels(self.labels, samples, classes)
        counts = np.ones(samples, dtype=np.int64) if self.multiplicities is None else self.multiplicities
        multiplicities = _integers(counts, "multiplicities", samples)
        if multiplicities.min() < 1 or sum(multiplicities.tolist()) > MAX_TOTAL:
            raise DataError(
                f"multiplicities: must be at least 1 with sum at most {MAX_TOTAL}; drop samples that occur 0 times"
            )
        shape = sample_shape(self.shape or (dimension,), dimension)
        names = tuple(str(n) for n in self.label_names) or tuple(str(k) for k in range(classes))
        if len(names) != classes:
            raise DataError(f"label_names: {len(names)} names for {classes} classes; give one name per class")
        offset = None if self.offset is None else _checked_offset(self.offset, (samples, classes))
        targets = None
        if self.targets is not None:
            targets = _checked_targets(self.targets, (sum(multiplicities.tolist()), classes))
            if labels is not None or offset is not None:
                raise DataError("targets: real targets stand in the place of labels, and not beside frozen logits")
        fields = (("inputs", inputs), ("labels", labels), ("multiplicities", multiplicities), ("offset", offset))
        for field, array in (*fields, ("targets", targets)):
            if array is not None:
                array.flags.writeable = False
            object.__setattr__(self, field, array)
        object.__setattr__(self, "classes", classes)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "label_names", names)

    def _card(self) -> Card:
        standing = f" (standing for {self.total})" if self.total != self.samples else ""
        sentence = f"{self.samples} samples{standing} x {self.dimension}, {self.outputs}"
        values = [("classes", joined(self.label_names))] if self.labels is not None else [("labels", "none")]
        values = values if self.targets is None else []
        if len(self.shape) > 1:
            values.append(("input shape", "x".join(map(str, self.shape))))
        values.append(("scaling", self.scaling))
        values += [("frozen logits", f"{self.samples} x {self.classes}")] if self.offset is not None else []
        values += [("understood", self.understood)] if self.understood else []
        return Card(f"Data set {self.name}", None, f"{self.name}, {sentence}", tuple(values))

    @property
    def samples(self) -> int:
        """Number N of samples, the rows of `inputs`."""
        return int(self.inputs.shape[0])

    @property
    def dimension(self) -> int:
        """Number d of coordinates of a sample."""
        return int(self.inputs.shape[1])

    @property
    def total(self) -> int:
        """Number n of samples that the rows stand for: the sum of the multiplicities."""
        return int(self.multiplicities.sum())

    @property
    def outputs(self) -> str:
        """The number of classes, or of real targets, in words."""
        return f"{self.classes} classes" if self.targets is None else count(self.classes, "real target")

    def first(self, samples: int) -> Dataset:
        """Keep the first samples, with their labels or targets.

        Parameters
        ----------
        samples : int
            How many, 2..N; with labels, two classes must occur among them.

        Returns
        -------
        Dataset
            The same number of classes, fewer rows.

        Raises
        ------
        DataError
            Out of range, or fewer than two classes would be left.
        """
        if isinstance(samples, bool) or not isinstance(samples, int) or not 2 <= samples <= self.samples:
            raise DataError(
                f"samples = {one_line(samples)}: must be an integer from 2 to {self.samples}, the number available"
            )
        labels = None if self.labels is None else self.labels[:samples]
        if labels is not None and np.unique(labels).size < 2:
            raise DataError(
                f"samples = {samples}: the first {samples} samples have one class only; take more or shuffle them"
            )
        return replace(
            self,
            inputs=self.inputs[:samples],
            labels=labels,
            multiplicities=self.multiplicities[:samples],
            offset=None if self.offset is None else self.offset[:samples],
            targets=None if self.targets is None else self.targets[: sum(self.multiplicities[:samples].tolist())],
            understood=f"{self.understood}; of these the first {samples}" if self.understood else "",
        )


def sample_shape(shape: Sequence[int], dimension: int) -> tuple[int, ...]:
    """Take the shape that samples have as inputs of a network.

    Parameters
    ----------
    shape : sequence of int
        The shape.
    dimension : int
        d, the number of coordinates of a sample.

    Returns
    -------
    tuple of int
        Positive, with product d.

    Raises
    ------
    DataError
        Something else than integers, or their product is not d.
    """
    lengths = tuple(integers(shape, "shape").ravel().tolist())
    if min(lengths, default=0) < 1 or math.prod(lengths) != dimension:
        raise DataError(f"shape = {lengths}: its product must be the dimension {dimension}; correct it or leave it out")
    return lengths


def scale_by_power(inputs: FloatArray, exponents: Sequence[int]) -> FloatArray:
    """Multiply each column by a power of two, exactly.

    Parameters
    ----------
    inputs : (N, d) float64
        Finite.
    exponents : sequence of int
        One exponent per column.

    Returns
    -------
    (N, d) float64
        ``inputs[:, j] * 2**exponents[j]``.

    Raises
    ------
    DataError
        A product overflows, or underflows with loss of bits.

    Notes
    -----
    Guarantee: every product is exact (scaling back gives the same numbers).
    """
    powers = np.asarray(list(exponents), dtype=np.int32)
    with np.errstate(all="ignore"):
        scaled: FloatArray = np.ldexp(inputs, powers)
        wrong = ~np.isfinite(scaled) | (np.ldexp(scaled, -powers) != inputs)
    if wrong.any():
        row, column = (int(k) for k in np.argwhere(wrong)[0])
        verb = "underflows and loses bits" if np.isfinite(scaled[row, column]) else "overflows"
        raise DataError(
            f"scale: sample {row}, column {column}: {inputs[row, column]!s} * 2**{exponents[column]} {verb};"
            " use another exponent, or scale = 'none'"
        )
    return scaled


def scaled_inputs(inputs: FloatArray, scale: Scale, *, common: bool = False) -> tuple[FloatArray, str]:
    """Scale the columns of the inputs by powers of two, exactly.

    Parameters
    ----------
    inputs : (N, d) float64
        Finite.
    scale : "auto", "none" or int
        "auto": each column by the power of two that brings its largest absolute value into (1/2, 1]; an integer k: all
        by 2**k.
    common : bool, optional
        With "auto": one power for all columns, as images need.

    Returns
    -------
    inputs : (N, d) float64
        Scaled, exactly.
    scaling : str
        The scaling in words, at most 200 characters.

    Raises
    ------
    DataError
        Unknown scale, or scaling would not be exact.
    """
    if scale == "none":
        return inputs, "none"
    if scale == "auto":
        largest = np.abs(inputs).max(axis=0)
        if common:
            largest = np.full_like(largest, largest.max())
        exponents = [unit_exponent(value) for value in largest.tolist()]
        scaled = scale_by_power(inputs, exponents)
        if len(set(exponents)) == 1:
            return scaled, _in_words(exponents[0])
        listed = f"columns times 2^k, k = {' '.join(str(k) for k in exponents)}"
        # a certificate's header takes 200 characters, and readers put their own words before these
        return scaled, listed if len(listed) <= 160 else "columns times powers of 2 with max |column| in (1/2, 1]"
    if isinstance(scale, bool) or not isinstance(scale, int):
        raise DataError(f"scale = {one_line(scale)}: must be 'auto', 'none' or an integer exponent of 2")
    if abs(scale) > MAX_EXPONENT:
        raise DataError(
            f"scale = {scale}: beyond 2**{MAX_EXPONENT} nothing is left of binary64; use a smaller exponent"
        )
    return scale_by_power(inputs, [scale] * inputs.shape[1]), _in_words(scale)


def _in_words(exponent: int) -> str:
    return f"divided by 2^{-exponent}" if exponent < 0 else f"times 2^{exponent}" if exponent else "none"


def unit_exponent(largest: float) -> int:
    """Return k with largest * 2**k in (1/2, 1]; 0 for 0."""
    mantissa, exponent = math.frexp(largest)
    if mantissa == 0:
        return 0
    return 1 - exponent if mantissa == 0.5 else -exponent


def _checked_offset(given: Any, shape: tuple[int, int]) -> FloatArray:
    found = binary64(given, "offset")
    if found.shape != shape:
        raise DataError(f"offset: shape {found.shape}, expected {shape}: a row of frozen logits for each sample")
    return np.array(found, dtype=np.float64, order="C") + 0.0  # a copy, without -0.0


def _checked_targets(given: Any, shape: tuple[int, int]) -> FloatArray:
    found = binary64(given, "targets")
    if found.shape != shape:
        raise DataError(f"targets: shape {found.shape}, expected {shape}: a row of real targets for each sample")
    return np.array(found, dtype=np.float64, order="C") + 0.0  # a copy, without -0.0


def _checked_inputs(values: Any) -> FloatArray:
    inputs = binary64(values, "inputs")
    if inputs.ndim != 2 or inputs.shape[0] < 1 or inputs.shape[1] < 1:
        raise DataError(
            f"inputs: shape {inputs.shape}, expected (N, d) with N >= 1 samples and d >= 1 columns; reshape them"
        )
    return inputs


def _integers(values: Any, what: str, count: int) -> IntArray:
    try:
        array = integers(values, what)
    except DataError as error:
        remedy = f"; number the classes from 0: {RENUMBER}" if what == "labels" else ""
        raise DataError(f"{error}{remedy}") from None
    if array.shape != (count,):
        raise DataError(f"{what}: shape {array.shape}, expected ({count},), one per sample")
    return array


def _class_count(classes: object, least: int) -> int:
    try:
        if isinstance(classes, bool | np.bool_):
            raise TypeError
        count = operator.index(classes)  # type: ignore[arg-type]
    except TypeError:
        raise DataError(
            f"classes = {one_line(classes)}: must be an integer, the number of classes, at least 2"
        ) from None
    if count < least:
        raise DataError(f"classes = {count}: at least {least} are needed; give data of two classes or more")
    return count


def _checked_labels(values: Any, count: int, classes: int) -> IntArray:
    labels = _integers(values, "labels", count)
    if labels.min() < 0 or labels.max() >= classes:
        wrong = int(labels.min()) if labels.min() < 0 else int(labels.max())
        raise DataError(f"labels: {wrong} is outside 0..{classes - 1}; renumber the classes from 0: {RENUMBER}")
    return labels
