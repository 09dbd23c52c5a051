"""Files of weights: safetensors (BF16 and F16 too) and NumPy archives, read exactly; pickles are refused by name."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors
from numpy.typing import NDArray

from verifier.data.files import UNSOUND, open_regular, read_regular
from verifier.data.gate import binary64
from verifier.data.npz import read_member
from verifier.errors import CaseError, DataError, one_line

MAX_WEIGHT_BYTES: Final = 4 * 2**30

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
_PICKLE: Final = "a pickle, which could run any program when it is read"
_FOREIGN: Final = {
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt"), (f"PyTorch's, {_PICKLE}", _TORCH)),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), (_PICKLE, _ARRAYS)),
    **dict.fromkeys((".h5", ".hdf5"), ("an HDF5 file", _ARRAYS)),
    ".keras": ("a model of Keras", _ARRAYS),
    ".onnx": ("a model, not a file of tensors", _ARRAYS),
    ".npy": ("one array without a name", _ARRAYS),
    ".msgpack": ("a file of Flax", _ARRAYS),
}
"""What is not read, by its ending: what it is, and how to convert it."""


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
    ending = path.suffix.lower()
    try:
        with open_regular(path, MAX_WEIGHT_BYTES) as stream:
            start = stream.read(8)
    except FileNotFoundError:
        raise CaseError(f"no weights file {path}; start.file is relative to the case file") from None
    except OSError as error:
        raise CaseError(f"cannot read weights file {path}: {error.strerror}") from None
    kind = ending if ending in _FOREIGN else _by_beginning(path, ending, start)
    if kind is not None:
        words, remedy = _FOREIGN[kind]
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


def _by_beginning(path: Path, ending: str, start: bytes) -> str | None:
    """Find a kind that is refused by the first bytes of a file, whatever it is called."""
    if start.startswith(b"\x89HDF"):
        return ".h5"
    if start.startswith(b"\x93NUMPY"):
        return ".npy"
    if ending == ".safetensors":
        return None
    if start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05":
        return ".pkl"
    if start.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                return ".pt" if any(name.endswith("data.pkl") for name in archive.namelist()) else None
        except UNSOUND:
            return None
    return None


def _safetensors(path: Path) -> dict[str, NDArray[Any]]:
    found = {}
    for name, parts in _deserialize(read_regular(path, MAX_WEIGHT_BYTES)):
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
    with open_regular(path, MAX_WEIGHT_BYTES) as stream, zipfile.ZipFile(stream) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [info.filename.removesuffix(".npy") for info in archive.infolist()]
        return {name: read_member(path.name, archive, name, MAX_WEIGHT_BYTES) for name in names}
