"""Files of weights: safetensors (BF16 and F16 too) and NumPy archives, read exactly; pickles are refused by name."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors
from numpy.typing import NDArray

from verifier.data.files import MAX_BYTES, open_regular, read_regular
from verifier.data.files.kinds import PICKLE, ending_by_beginning, ending_of, kind_of
from verifier.data.files.numpy_files import numpy_archive, read_member
from verifier.data.files.packed import UNSOUND
from verifier.data.gate import binary64
from verifier.errors import CaseError, DataError, one_line

_STORED: Final = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
}
"""Types of the safetensors format that are read, as NumPy stores them; BF16 as its 16 bits."""
_TORCH: Final = "safetensors.torch.save_file(torch.load({0}, weights_only=True), 'weights.safetensors')"
_ARRAYS: Final = (
    "numpy.savez('weights.npz', **arrays) with arrays named layer0.weight (units, inputs), layer0.bias, ..., V"
)
_NOT_WEIGHTS: Final = {
    "pt pth bin ckpt": (f"PyTorch's, {PICKLE}", _TORCH),
    "pkl pickle joblib": (PICKLE, _ARRAYS),
    "h5 hdf5": ("an HDF5 file", _ARRAYS),
    "keras": ("a model of Keras", _ARRAYS),
    "onnx": ("a model, not a file of tensors", _ARRAYS),
    "npy": ("one array without a name", _ARRAYS),
    "msgpack": ("a file of Flax", _ARRAYS),
}
"""Files that hold no weights, or not in a way that is read here: see `verifier.data.files.kinds.Kinds`."""


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read all tensors of a file of weights.

    Parameters
    ----------
    path : Path
        A safetensors file, or an ``.npz`` archive.

    Returns
    -------
    dict of str to array
        In the file's order; of the stored types, BF16 as float32. Guarantee: exactly the numbers stored.

    Raises
    ------
    CaseError
        It cannot be read, or is of a kind that is not read; one line with the remedy.
    """
    try:
        with open_regular(path, MAX_BYTES) as stream:
            start = stream.read(8)
    except FileNotFoundError:
        raise CaseError(f"no weights file {path}; start.file is relative to the case file") from None
    except OSError as error:
        raise CaseError(f"cannot read weights file {path}: {error.strerror}") from None
    kind = kind_of(_NOT_WEIGHTS, ending_of(path.name)) or kind_of(_NOT_WEIGHTS, _ending_by_content(path, start))
    if kind is not None:
        words, remedy = kind
        raise CaseError(f"{path.name} is {words}; write {remedy.format(repr(path.name))}, and give that as start.file")
    try:
        return _archive(path) if start.startswith(b"PK") else _safetensors(path)
    except DataError as error:
        raise CaseError(str(error)) from None
    except (safetensors.SafetensorError, *UNSOUND, KeyError, AttributeError) as error:
        raise CaseError(
            f"{path} is not a safetensors file of float or integer tensors: {one_line(str(error))}"
        ) from None


def exact_tensor(path: Path, name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    """Convert a tensor to binary64 without rounding.

    Parameters
    ----------
    path : Path
        The file, for messages.
    name : str
        The tensor's name, for messages.
    values : array
        What the file has.

    Returns
    -------
    float64 array
        Of the same shape. Guarantee: exactly the same numbers, and -0.0 stays what it is.

    Raises
    ------
    CaseError
        NaN, infinity, or a number that binary64 cannot hold.
    """
    try:
        binary64(values, f"{path.name}: tensor {name!r}")
    except DataError as error:
        raise CaseError(str(error)) from None
    exact: NDArray[np.float64] = values.astype(np.float64)  # every bit: -0.0 too
    return exact


def _ending_by_content(path: Path, start: bytes) -> str | None:
    """Return the usual ending of a file by its content, whatever it is called; None if it may be read here."""
    if start.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                return "pt" if any(name.endswith("data.pkl") for name in archive.namelist()) else None
        except UNSOUND:
            return None
    ending = ending_by_beginning(start)
    # a safetensors file begins with the length of its header, which may look like a pickle
    return None if ending == "pkl" and ending_of(path.name) == "safetensors" else ending


def _safetensors(path: Path) -> dict[str, NDArray[Any]]:
    found = {}
    for name, parts in _deserialize(read_regular(path, MAX_BYTES)):
        stored = _STORED.get(parts["dtype"])
        if stored is None:
            raise CaseError(
                f"{path.name}: tensor {one_line(name)} has type {parts['dtype']}; store it as"
                f" one of {', '.join(_STORED)}"
            )
        array: NDArray[Any] = np.frombuffer(parts["data"], np.dtype(stored))
        if parts["dtype"] == "BF16":  # the upper half of a binary32
            array = (array.astype("<u4") << np.uint32(16)).view("<f4")
        found[name] = array.reshape(parts["shape"])
    return found


def _deserialize(content: bytes) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    return found


def _archive(path: Path) -> dict[str, NDArray[Any]]:
    with open_regular(path, MAX_BYTES) as stream, numpy_archive(stream) as (archive, names):
        return {name: read_member(path.name, archive, name, MAX_BYTES) for name in names}
