"""Samples that pass by in chunks of rows: from a data set in memory, or from a .npy file that is never loaded whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from verifier.data.dataset import Dataset, sample_shape
from verifier.data.files import open_regular
from verifier.data.files.numpy_files import old_headers, read_header
from verifier.data.files.packed import UNSOUND
from verifier.data.gate import binary64, exact
from verifier.errors import DataError, one_line

CHUNK_ENTRIES: Final = 1 << 20
"""Entries that `SampleSource.chunks` holds at a time."""
LIMB_BITS: Final = 16
"""Bits of one limb of a sample's integers, see `SampleSource.project`."""
MAX_BYTES: Final = 1 << 62
"""Largest .npy file: it is mapped, never loaded."""
_SAFE_BITS: Final = 60
"""Integers below 2^60 leave room in int64 for the sums and doubles that are made of them."""
_STORED: Final = {"u1": "u1", "i1": "i1", "i2": "i2", "i4": "i4", "i8": "i8", "f4": "f4", "f8": "f8", "b1": "u1"}
_STORED_WIDER: Final = {"u2": "i4", "u4": "i8", "u8": "i8", "f2": "f4"}


@dataclass(frozen=True, eq=False)
class SampleSource:
    """N samples of d coordinates, exact, read in chunks of rows.

    Parameters
    ----------
    name : str
        Informative.
    array : (N, d) array
        Integers or floats of any width; may be a memory map. Not copied and not changed. Lists, DataFrames and tensors
        become arrays of exactly their numbers.
    scaling : str, optional
        How the numbers came from the raw ones; informative.
    shape : tuple of int, optional
        The input's shape for the network, with product d; default ``(d,)``.
    classes : int, optional
        m >= 2, for the certificate's header.

    Raises
    ------
    DataError
        Not a matrix of real numbers with at least one row and column; a wrong shape.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> source = vf.SampleSource("bytes", np.array([[0, 255], [3, 1]], dtype=np.uint8))
    >>> source.samples, source.dimension, source.row(0)
    (2, 2, [0, 255])
    """

    name: str
    array: NDArray[Any]
    scaling: str = "none"
    shape: tuple[int, ...] = ()
    classes: int = 2
    _kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Validate what is known without reading the samples: type and shape."""
        if type(self.array) not in (np.ndarray, np.memmap) or self.array.dtype.kind not in "biuf":
            object.__setattr__(self, "array", _plain(self.array))
        dtype = self.array.dtype
        if f"{dtype.kind}{dtype.itemsize}" not in _STORED | _STORED_WIDER:
            raise DataError(f"samples: dtype {dtype} is not supported; convert to integers or to floats up to 64 bits")
        if self.array.ndim != 2 or min(self.array.shape) < 1:
            raise DataError(f"samples: shape {self.array.shape}, expected (N, d) with N >= 1 and d >= 1; reshape them")
        object.__setattr__(self, "shape", sample_shape(self.shape or (self.dimension,), self.dimension))

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> SampleSource:
        """Take the rows of a data set as they are, each once.

        Parameters
        ----------
        dataset : Dataset
            Its multiplicities are not carried over: rank and witnesses speak of distinct rows.

        Returns
        -------
        SampleSource
            A view of its samples, with its name, shape and number of classes.
        """
        return cls(dataset.name, dataset.inputs, dataset.scaling, dataset.shape, dataset.classes)

    @classmethod
    def open(cls, path: str | Path, *, shape: tuple[int, ...] = (), classes: int = 2) -> SampleSource:
        """Map a .npy file of shape (N, d) into memory.

        Parameters
        ----------
        path : str or Path
            The file; it is read chunk by chunk later.
        shape : tuple of int, optional
            The input's shape for the network, with product d.
        classes : int, optional
            The number m of classes.

        Returns
        -------
        SampleSource
            With the memory map as its array, named as the file.

        Raises
        ------
        DataError
            Missing, not a .npy file, or not a matrix of real numbers.
        """
        try:
            with open_regular(path, MAX_BYTES) as stream, old_headers():
                read_header(stream)
                array = np.lib.format.open_memmap(path, mode="r")
        except UNSOUND as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DataError(
                f"cannot read {path} as a .npy file of one matrix, no archive: {one_line(reason)}"
            ) from None
        return cls(Path(path).name, array, shape=shape, classes=classes)

    @property
    def samples(self) -> int:
        """Number N of samples, the rows of `array`."""
        return int(self.array.shape[0])

    @property
    def dimension(self) -> int:
        """Number d of coordinates of a sample."""
        return int(self.array.shape[1])

    def chunks(self) -> Iterator[NDArray[Any]]:
        """Yield the rows, in order, as small contiguous arrays in the native byte order.

        Yields
        ------
        (rows, d) array
            Of at most `CHUNK_ENTRIES` entries or one row, of the samples' type.
        """
        rows = max(1, CHUNK_ENTRIES // self.dimension)
        for start in range(0, self.samples, rows):
            chunk = np.ascontiguousarray(self.array[start : start + rows])
            yield chunk.astype(chunk.dtype.newbyteorder("="), copy=False)

    def row(self, index: int) -> list[Any]:
        """Return the numbers of one sample, exactly as they are stored.

        Parameters
        ----------
        index : int
            Which row, from 0.

        Returns
        -------
        list of int or float
            Its d coordinates.
        """
        return list(self.array[index].tolist())

    @property
    def extent(self) -> tuple[int, int]:
        """Integers (low, bits): every entry is an integer times ``2**low``, and that integer is below ``2**bits``.

        Raises
        ------
        DataError
            An entry is NaN or infinite.
        """
        if "extent" not in self._kept:
            lows, highs = zip(*map(_extent, self.chunks()), strict=True)
            used = [low for low in lows if low is not None]
            low = min(used, default=0)
            self._kept["extent"] = low, max(0, max(highs) - low) if used else 0
        found: tuple[int, int] = self._kept["extent"]
        return found

    def project(self, direction: NDArray[np.int64]) -> tuple[NDArray[Any], int]:
        """Return the products with an integer vector.

        Parameters
        ----------
        direction : (d,) int64
            a.

        Returns
        -------
        numbers : (N,) int64, or object (Python integers) where int64 does not hold them
        exponent : int
            Guarantee: ``<a, x_i> = numbers[i] * 2**exponent`` exactly. int64 and, below 2^53, binary64 are used only if
            bounds exclude an overflow or rounding; otherwise the entries are cut into limbs.

        Raises
        ------
        DataError
            The sums need more bits than there is room for.
        """
        low, bits = self.extent
        weight = sum(abs(int(entry)) for entry in direction).bit_length()
        if bits + weight <= _SAFE_BITS:
            return np.concatenate([_products(chunk, low, direction, bits + weight) for chunk in self.chunks()]), low
        if LIMB_BITS + weight > 62:
            raise DataError(f"direction: the sum of its entries' sizes needs {weight} bits; use smaller ones")
        limbs = range(-(-bits // LIMB_BITS))
        parts = []
        for chunk in self.chunks():
            sums = [(_limb(chunk, low, limb) @ direction).tolist() for limb in limbs]
            shifted = zip(*sums, strict=True)
            parts += [sum(part << (LIMB_BITS * limb) for limb, part in enumerate(row)) for row in shifted]
        return np.array(parts, dtype=object), low

    def stored(self) -> tuple[NDArray[Any], int]:
        """Return the samples in the smallest type of a certificate that holds them; a memory map where it is its own.

        Floats that are small integers times one power of two, such as pixels, are stored as these integers.

        Returns
        -------
        numbers : (N, d) array
            In the native byte order and C order.
        exponent : int
            Guarantee: ``numbers * 2**exponent`` are exactly the samples.

        Raises
        ------
        DataError
            Unsigned integers beyond 2^63 - 1; an entry that is NaN or infinite.
        """
        dtype, exponent = self.array.dtype, 0
        wanted = (_STORED | _STORED_WIDER)[f"{dtype.kind}{dtype.itemsize}"]
        if dtype.kind in "iu":
            wanted = self._integer_type(0)
        elif dtype.kind == "f" and self.extent[1] <= 8 * np.dtype(np.int32).itemsize:
            smaller = self._integer_type(self.extent[0])
            if np.dtype(smaller).itemsize < dtype.itemsize:
                wanted, exponent = smaller, self.extent[0]
        if np.dtype(wanted) == dtype and self.array.flags.c_contiguous:
            return self.array, exponent
        numbers, start = np.empty(self.array.shape, dtype=wanted), 0
        for chunk in self._scaled(exponent):
            numbers[start : start + len(chunk)] = chunk
            start += len(chunk)
        return numbers, exponent

    def _integer_type(self, exponent: int) -> str:
        """Return the smallest integer type of a certificate that holds the samples times ``2**-exponent``, integers."""
        least = min(int(chunk.min()) for chunk in self._scaled(exponent))
        most = max(int(chunk.max()) for chunk in self._scaled(exponent))
        sizes = ("u1", "i1", "i2", "i4", "i8")
        fitting = [s for s in sizes if np.iinfo(s).min <= least and most <= np.iinfo(s).max]
        if not fitting:
            raise DataError(f"samples: {most} is beyond 2^63 - 1; use smaller numbers")
        return fitting[0]

    def _scaled(self, exponent: int) -> Iterator[NDArray[Any]]:
        """Yield the chunks times ``2**-exponent``, exactly: integers, or floats that become integers."""
        for chunk in self.chunks():
            yield np.asarray(np.ldexp(chunk.astype(np.float64), -exponent)) if chunk.dtype.kind == "f" else chunk


def _plain(values: Any) -> NDArray[Any]:
    """Take what is no plain array of numbers, in a type that holds it."""
    array = exact(values, "samples")
    return array if array.dtype.kind != "O" else binary64(values, "samples")


def _numerators(chunk: NDArray[Any]) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.bool_]]:
    """Write floats as +-numerator * 2^power, numerators below 2^53."""
    mantissa, power = np.frexp(chunk.astype(np.float64))
    numerators = np.abs(mantissa * 2.0**53).astype(np.uint64)
    return numerators, power.astype(np.int64) - 53, mantissa < 0


def _extent(chunk: NDArray[Any]) -> tuple[int | None, int]:
    """Return (low, high) of a chunk: multiples of 2^low below 2^high; low None if all are 0."""
    if chunk.dtype.kind in "biu":
        return 0, max(int(chunk.max()), -int(chunk.min())).bit_length()
    if not np.isfinite(chunk).all():
        raise DataError("samples: an entry is NaN or infinite; remove or impute it")
    numerators, power, _ = _numerators(chunk)
    some = numerators != 0
    if not some.any():
        return None, 0
    numerators, power = numerators[some], power[some]
    last = (numerators & (~numerators + np.uint64(1))).astype(np.float64)  # the lowest bit that is set
    zeros = np.frexp(last)[1].astype(np.int64) - 1
    return int((power + zeros).min()), int((power + 53).max())


def _integers(chunk: NDArray[Any], low: int) -> NDArray[np.int64]:
    """Return entries * 2^-low, integers of at most 62 bits, exactly."""
    if chunk.dtype.kind in "biu":
        return chunk.astype(np.int64)
    numerators, power, negative = _numerators(chunk)
    shift = power - low
    left, right = np.clip(shift, 0, 63).astype(np.uint64), np.clip(-shift, 0, 63).astype(np.uint64)
    size = ((numerators << left) >> right).astype(np.int64)
    return np.asarray(np.where(negative, -size, size))


def _products(chunk: NDArray[Any], low: int, direction: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    integers = _integers(chunk, low)
    if bits <= 53:
        return np.asarray(integers.astype(np.float64) @ direction.astype(np.float64)).astype(np.int64)
    return np.asarray(integers @ direction)


def _limb(chunk: NDArray[Any], low: int, limb: int) -> NDArray[np.int64]:
    """Return bits 16 limb .. 16 limb + 15 of the sizes of entries * 2^-low, with the entries' signs."""
    if chunk.dtype.kind in "biu":
        negative = chunk < 0
        wide = chunk.astype(np.uint64)  # modulo 2^64
        numerators = np.where(negative, ~wide + np.uint64(1), wide)
        shift = np.full(chunk.shape, LIMB_BITS * limb)
    else:
        numerators, power, negative = _numerators(chunk)
        shift = LIMB_BITS * limb - (power - low)
    left, right = np.clip(-shift, 0, 63).astype(np.uint64), np.clip(shift, 0, 63).astype(np.uint64)
    mask = np.uint64((1 << LIMB_BITS) - 1)
    size = (((numerators << left) >> right) & mask).astype(np.int64)
    return np.asarray(np.where(negative, -size, size))
