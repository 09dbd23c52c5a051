"""Small valid files of every kind, made anew each time: what the attacks start from."""

from __future__ import annotations

import gzip
import io
import json
import struct
import sys
from pathlib import Path

import numpy as np

sys.path.extend(str(Path(__file__).resolve().parents[1] / folder) for folder in ("", "checker"))

from checker_toy import toy
from checker_writer import pack
from test_checker_witness import steps

CASE = """\
title = "XOR"
[data]
path = "data.csv"
scale = "none"
[network]
layers = [{ kind = "dense", width = 5, activation = "tanh", skip = true }]
[start]
scale = 3.0
seed = 1
"""
CSV = b"x1,x2,class\n0,0,a\n0,1,b\n1,0,b\n1,1,a\n"
POINTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
LABELS = np.array([0, 1, 1, 0])


def case(**changes: str) -> str:
    """Return the case with lines replaced or added: ``path='"data.npz"'``, ``start="seed = 2"`` (a section's lines)."""
    lines = CASE.splitlines()
    for key, value in changes.items():
        if f"[{key}]" in lines:
            lines.insert(lines.index(f"[{key}]") + 1, value)
        else:
            at = next(number for number, line in enumerate(lines) if line.startswith(f"{key} = "))
            lines[at] = f"{key} = {value}"
    return "\n".join(lines) + "\n"


def toy_certificate():
    """Return the document and the arrays of a certificate with R1, R3, Z1 and P1, in exact numbers."""
    builder, document = toy()
    return document, builder.arrays()


def witness_certificate():
    """Return the document and the arrays of a certificate with W1 and W0."""
    builder, document = steps()
    return document, builder.arrays()


def npz(**more) -> bytes:
    """Return an archive with X and y."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **({"X": POINTS.astype(np.float32), "y": LABELS} | more))
    return stream.getvalue()


def npy(array=POINTS) -> bytes:
    """Return a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    """Return the beginning of a .npy file with any text for a header."""
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text.encode("latin-1")


def idx(array, code: int = 0x08) -> bytes:
    """Return an IDX file; `code` is the type of the numbers."""
    dtype = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}[code]
    array = np.asarray(array)
    return (
        bytes((0, 0, code, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(dtype).tobytes()
    )


IMAGES = (np.arange(4 * 3 * 3).reshape(4, 3, 3) * 37 + 11) % 256
IDX_IMAGES, IDX_LABELS = idx(IMAGES), idx(LABELS)
CIFAR = b"".join(bytes([k % 2]) + bytes((k * 7 + np.arange(3072) * 5) % 256) for k in range(3))


def gz(content: bytes) -> bytes:
    """Compress, with no time in the header."""
    return gzip.compress(content, compresslevel=1 if len(content) > 1 << 20 else 9, mtime=0)


def weights(change=None) -> bytes:
    """Return a safetensors file with the weights of the network of `CASE`."""
    values = np.arange(10, dtype="<f4").reshape(5, 2) - 4.5, np.arange(5, dtype="<f8") / 8
    parts = [("layer0.weight", "F32", [5, 2], values[0].tobytes()), ("layer0.bias", "F64", [5], values[1].tobytes())]
    header, body = {}, b""
    for name, dtype, shape, content in parts:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(content)]}
        body += content
    if change is not None:
        change(header)
    return pack(header, body)


def text(document) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document, indent=1).encode()
