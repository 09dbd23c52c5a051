"""What a search for a connection has found so far, in a file: a later search goes on from there.

Nothing in the file is trusted: every piece is proved again, and a corner is no more than a proposal. It belongs to two
problems and a seed, by a digest of their numbers.
"""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from verifier.certificate.files import atomic_write
from verifier.errors import InputError, one_line
from verifier.landscape.leg_march import GRID, March, Stretch
from verifier.landscape.polygon_search import Memory
from verifier.network.network import Array
from verifier.network.nodes import Constant
from verifier.problem import Problem

EVERY = 5.0
"""Seconds between two times that the file is written while pieces are found."""
Key = tuple[str, str]
"""The digests of two corners."""
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    RecursionError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a file may end in that is no such file, or a broken one."""


class FileMemory(Memory):
    """The memory of a search, in a file that is written whole or not at all.

    Parameters
    ----------
    file
        Its name; it need not exist.
    a, b, seed
        What it is about.

    Raises
    ------
    InputError
        The file is there, and belongs to other problems, or is no such file.
    """

    def __init__(self, file: str | Path, a: Problem, b: Problem, seed: int) -> None:
        if not isinstance(file, str | Path) or Path(file).suffix != ".npz":
            raise InputError(f"resume = {one_line(file)}: name a file that ends in .npz; it need not exist")
        self.path, self.digest, self.saved = Path(file), _digest(a, b, seed), time.monotonic()
        self.marches: dict[Key, March] = {}
        self.corners: dict[Key, Array] = {}
        self.found: dict[Key, list[Stretch]] = {}
        if self.path.exists():
            self._read(a)

    def known(self, start: Array, end: Array) -> Sequence[Stretch]:
        """Stretches that an earlier search found on a leg."""
        return self.found.get(_key(start, end), [])

    def watch(self, start: Array, end: Array, march: March) -> None:
        """Keep a march in the file, too, while it goes on."""
        self.marches[_key(start, end)] = march

    def corner(self, start: Array, end: Array) -> Array | None:
        """The corner that an earlier search found between two others."""
        return self.corners.get(_key(start, end))

    def keep(self, start: Array, end: Array, corner: Array) -> None:
        """Keep a corner, and write the file: it took a while."""
        self.corners[_key(start, end)] = corner
        self.save()

    def save_if_due(self) -> None:
        """Write the file if it was not written for some time."""
        if time.monotonic() - self.saved > EVERY:
            self.save()

    def save(self) -> None:
        """Write all legs and corners found so far to the file."""
        arrays: list[Array] = []
        legs = []
        for key, stretches in self._farthest().items():
            pieces = []
            for stretch in stretches:
                if not arrays or arrays[-1] is not stretch.weights:
                    arrays.append(stretch.weights)
                pieces.append([str(stretch.start), str(stretch.end), len(arrays) - 1])
            legs.append({"between": key, "pieces": pieces})
        corners = [{"between": key, "array": len(arrays) + k} for k, key in enumerate(self.corners)]
        arrays += self.corners.values()
        head = json.dumps({"digest": self.digest, "legs": legs, "corners": corners})
        content = io.BytesIO()
        named: dict[str, Any] = {f"a{k}": array for k, array in enumerate(arrays)}
        np.savez(content, head=np.array(head), **named)
        atomic_write(self.path, content.getvalue(), remedy="name another file for resume")
        self.saved = time.monotonic()

    def _farthest(self) -> dict[Key, list[Stretch]]:
        """For each leg the stretches of this search, or while that has not come as far, those of the earlier one."""
        farthest = dict(self.found)
        for key, march in self.marches.items():
            before = farthest.get(key)
            if not before or march.reached >= before[-1].end:
                farthest[key] = march.stretches
        return farthest

    def _read(self, a: Problem) -> None:
        broken = f"resume = {one_line(str(self.path))}: not a file that connect wrote; name another one"
        try:
            with np.load(self.path, allow_pickle=False) as content:
                head = json.loads(str(content["head"]))
                mine = head["digest"] == self.digest
                arrays = [content[f"a{k}"] for k in range(len(content.files) - 1)] if mine else []
            if mine:
                self._take(head, arrays, a)
        except UNREADABLE:
            raise InputError(broken) from None
        if not mine:
            raise InputError(
                f"resume = {one_line(str(self.path))}: it belongs to other networks, data or another seed; "
                "name another file"
            )

    def _take(self, head: Any, arrays: list[Any], a: Problem) -> None:
        for leg in head["legs"]:
            first, last = leg["between"]
            self.found[str(first), str(last)] = [
                Stretch(_time(start), _time(end), _checked(arrays[number], a.v.shape), 0.0)
                for start, end, number in leg["pieces"]
            ]
        for corner in head["corners"]:
            first, last = corner["between"]
            self.corners[str(first), str(last)] = _checked(arrays[corner["array"]], a.u.shape)


def _checked(array: Any, shape: tuple[int, ...]) -> Array:
    """Return an array of the file if it is finite and has this shape.

    Raises
    ------
    ValueError
        It is another one.
    """
    if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
        raise ValueError(f"an array of shape {array.shape} and type {array.dtype}, expected {shape}, finite")
    found: Array = array
    return found


def _time(written: object) -> Fraction:
    """Return a time of a march as a fraction.

    Raises
    ------
    ValueError
        It is none: a march has multiples of 1/GRID in [0, 1] alone, and what encloses margins counts on that.
    """
    above, _, below = str(written).partition("/")
    found = Fraction(int(above), int(below or 1))
    if not 0 <= found <= 1 or GRID % found.denominator:
        raise ValueError(f"{found} is no time of a march")
    return found


def _key(start: Array, end: Array) -> Key:
    return hashlib.sha256(start.tobytes()).hexdigest(), hashlib.sha256(end.tobytes()).hexdigest()


def _digest(a: Problem, b: Problem, seed: int) -> str:
    """SHA-256 of everything that the search depends on."""
    digest = hashlib.sha256(str(seed).encode())
    network = a.network
    for node in network.nodes:
        digest.update(repr((node.kind, node.reads, sorted(node.fields().items()))).encode())
        digest.update(node.values.tobytes() if isinstance(node, Constant) else b"")
    digest.update(repr(network.features).encode())
    rows = a.rows
    for array in (rows.inputs, rows.labels, rows.multiplicities, a.arcs, a.u, a.v, b.u, b.v):
        digest.update(b"none" if array is None else repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
