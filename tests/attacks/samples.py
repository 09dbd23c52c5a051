"""Attacks through files of numbers: CSV, NPZ, IDX, CIFAR, weights (safetensors) and .npy.

What is read after an accident must be what the file says, decoded here once more by other means.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from verifier.data.readers import load_dataset
from verifier.data.samples import SampleSource

from .certificates import ARRAYS
from .corpus import CIFAR, CSV, IDX_IMAGES, IDX_LABELS, LABELS, POINTS, case, gz, idx, npy, npy_header, npz, weights
from .mutations import of_bytes
from .sandbox import Attack

REFUSED, RUN = frozenset({2}), frozenset({0, 1, 2, 3})
IMAGES_NAME, LABELS_NAME = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def place(files: dict[str, bytes], text: str, command: str = "rank") -> Callable[[Path], list[str]]:
    """Write files and a case."""

    def write(folder: Path) -> list[str]:
        (folder / "case.toml").write_text(text)
        for name, content in files.items():
            (folder / name).write_bytes(content() if callable(content) else content)
        return [command, "case.toml"]

    return write


def in_data(name: str) -> str:
    return case(path=f'"{name}"')


def member(content: bytes) -> bytes:
    """Return an archive whose X is any bytes."""
    return archive({"X.npy": content, "y.npy": npy(LABELS)})


def archive(members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return stream.getvalue()


def directory(content: bytes, offset: int, kind: str, number: int) -> bytes:
    """Change a field in every entry of a ZIP directory."""
    changed, at = bytearray(content), content.find(b"PK\1\2")
    while at >= 0:
        struct.pack_into(kind, changed, at + offset, number)
        at = content.find(b"PK\1\2", at + 4)
    return bytes(changed)


def described(shape: object, descr: str = "<f8", order: object = False, rest: str = "") -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, {rest}}}"
    return npy_header(text.ljust(117) + "\n") + bytes(64)


def bomb() -> bytes:
    """Return 1 GiB of zeros in 1 MiB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        with target.open("X.npy", "w", force_zip64=True) as entry:
            entry.write(
                npy_header(f"{{'descr': '|u1', 'fortran_order': False, 'shape': (4, {1 << 28}), }}".ljust(117) + "\n")
            )
            for _ in range(64):
                entry.write(bytes(1 << 24))
        target.writestr("y.npy", npy(LABELS))
    return stream.getvalue()


def header_bomb() -> bytes:
    """Return a .npy header that says it is 1 GiB long, and is."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        with target.open("X.npy", "w", force_zip64=True) as entry:
            entry.write(b"\x93NUMPY\2\0" + struct.pack("<I", 1 << 30))
            for _ in range(64):
                entry.write(bytes(1 << 24))
        target.writestr("y.npy", npy(LABELS))
    return stream.getvalue()


def overlapping() -> bytes:
    """Return an archive whose two entries are the same bytes."""
    content = npz()
    second = content.find(b"PK\1\2", content.find(b"PK\1\2") + 4)
    changed = bytearray(content)
    struct.pack_into("<I", changed, second + 42, 0)
    return bytes(changed)


GOOD = npz()
ARCHIVES: dict[str, bytes | Callable[[], bytes]] = {
    "empty": b"",
    "no archive": b"hello",
    "an empty archive": archive({}),
    "bomb of 1 GiB": bomb,
    "header of 1 GiB": header_bomb,
    "overlapping entries": overlapping(),
    **{f"sizes {n}": directory(directory(GOOD, 24, "<I", n), 20, "<I", n) for n in (0, 1, 100, 2**31, 2**32 - 1)},
    **{f"offset {n}": directory(GOOD, 42, "<I", n) for n in (1, 2**31, 2**32 - 1)},
    **{f"method {n}": directory(GOOD, 10, "<H", n) for n in (1, 9, 12, 14, 99, 65535)},
    "encrypted": directory(GOOD, 8, "<H", 1),
    "wrong checksum": directory(GOOD, 16, "<I", 0),
    "names with a traversal": archive({"../X.npy": npy(), "../y.npy": npy(LABELS)}),
    "absolute names": archive({"/X.npy": npy(), "/y.npy": npy(LABELS)}),
    "full-width name": archive({"Ｘ.npy": npy(), "y.npy": npy(LABELS)}),
    "y missing": archive({"X.npy": npy()}),
    "pickle": member(b"\x80\x04cos\nsystem\n(S'touch owned'\ntR."),
    "object array": npz(X=np.array([["a", 1]] * 4, dtype=object)),
    "object labels": npz(y=np.array([0, 1, None, 0], dtype=object)),
    **{
        f"shape {s}": member(described(s))
        for s in (
            "(4, 1000000000)",
            "(1000000000, 1000000000)",
            "(4, 4611686018427387904)",
            "(0, 1180591620717411303424)",
            "(-4, -2)",
            "(4, -1)",
            "(True, True)",
            "(4.0, 2)",
            "()",
            "(8,)",
            "(4, 1, 1, 1, 2)",
            "4",
            "'4'",
            "(1 + 1, 2)",
            "(4, 2",
            "((4, 2),)",
            "(4, 99999999999999999999999999)",
            "(0, 4)",
            "(4, 0)",
            "[4, 2]",
            "None",
        )
    },
    **{
        f"descr {d}": member(described((4, 2), d))
        for d in ("|O", "<c16", "<M8[s]", "|V8", "<U2", "|S8", "x8", "<f16", "", "(2,)<f4", "<f8,<f8", "\u00e9")
    },
    "fortran order unknown": member(described((4, 2), order=2)),
    "header with another key": member(described((4, 2), rest="'x': 1")),
    "header is code": member(npy_header("__import__('os').system('touch owned')".ljust(117) + "\n")),
    "header of brackets": member(npy_header("(" * 5000)),
    "header of minus signs": member(npy_header("-" * 9000 + "1")),
    "header left open": member(npy_header("{'descr': '<f8', 'shape': (4, 2".ljust(117) + "\n")),
    "header with a string left open": member(npy_header("{'descr': '''<f8".ljust(117) + "\n")),
    "header with NUL": member(npy_header("{'descr'\0: '<f8'}".ljust(117) + "\n")),
    "header in Python 2": member(
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (9L, 2L), }".ljust(117) + "\n")
    ),
    "header not UTF-8": member(b"\x93NUMPY\3\0" + struct.pack("<I", 8) + b"\xff" * 8),
    "version 9": member(b"\x93NUMPY\t\t" + bytes(100)),
    "version 2, length 2^32 - 1": member(b"\x93NUMPY\2\0" + b"\xff" * 4 + bytes(100)),
    **{
        f"X with {name}": npz(X=np.array([[0, 0], [0, value], [1, 0], [1, 1]]))
        for name, value in (
            ("NaN", np.nan),
            ("infinity", np.inf),
            ("2^53 + 1", 2**53 + 1),
            ("an 80-bit number", np.longdouble(1) / 3),
        )
    },
    **{
        f"y = {labels}": npz(y=np.array(labels))
        for labels in (
            [0, 1, 1, 0.5],
            [-1, 0, 0, 1],
            [0, 0, 0, 0],
            [0, 1, 1, 2**62],
            [0.0, 1.0, 1.0, np.nan],
            [0, 1],
            [[0, 1, 1, 0]],
            [1, 2, 2, 1],
            [0, 1, 1, 1e300],
            [0, 1, 1, 0j],
            [b"\xff", b"a", b"a", b"b"],
            ["a", "a", "a", "a"],
        )
    },
}
LONG = "x" * 130_000
TEXTS: dict[str, bytes] = {
    "empty": b"",
    "NUL": b"0,0,a\n0,\0,b\n",
    "UTF-16": CSV.decode().encode("utf-16"),
    "Arabic digits": "0,٢,a\n1,2,b\n".encode(),
    "full-width digits": "0,２,a\n1,2,b\n".encode(),
    "Unicode minus": "0,\u22122,a\n1,2,b\n".encode(),
    "invisible space": "0,2\u200b,a\n1,2,b\n".encode(),
    "surrogate": b"0,\xed\xa0\x80,a\n1,2,b\n",
    "quote left open": b'0,"1,a\n' * 1000,
    "a cell of 10^6 characters": b"0," + b"1" * 10**6 + b",a\n1,2,b\n",
    "a number of 10^5 digits": b"0," + b"9" * 10**5 + b",a\n1,2,b\n",
    "a number of 10^5 zeros": b"0,0." + b"0" * 10**5 + b"1,a\n1,2,b\n",
    "exponent 10^18": b"0,1e1000000000000000000,a\n1,2,b\n",
    "exponent -10^18": b"0,1e-1000000000000000000,a\n1,2,b\n",
    **{
        f"cell {c}": f"0,{c},a\n1,2,b\n".encode()
        for c in ("NaN", "-Infinity", "1e999", "1e-999", "0x10", "1_000", "1,5", "1e", ".", "--1", "=1+1")
    },
    **{
        f"labels {c}": "".join(f"{k},{v}\n" for k, v in enumerate(c)).encode()
        for c in ((0, 2**63), (0, 1e400), (-1, 0), (0.5, 1), (0, 10**18), ("0", "nan"))
    },
    "one sample": b"0,0,a\n",
    "ragged": b"0,0,a\n0,a\n",
    "200,000 columns, ragged": b"0," * 200_000 + b"a\n0,b\n",
    "a million lines of one column": b"0\n" * 10**6,
    "carriage returns": b"0,0,a\r" * 10 + b"1,x,b",
}
BIG = {
    "1,000 labels of 130,000 characters": lambda: b"".join(
        b"%d,%d%s\n" % (k, k % 2, b"x" * 130_000) for k in range(400)
    ),
}
IMAGES: dict[str, tuple[bytes | Callable[[], bytes], bytes]] = {
    "empty": (b"", IDX_LABELS),
    "three bytes": (IDX_IMAGES[:3], IDX_LABELS),
    "header cut": (IDX_IMAGES[:9], IDX_LABELS),
    "one byte less": (IDX_IMAGES[:-1], IDX_LABELS),
    "one byte more": (IDX_IMAGES + b"\0", IDX_LABELS),
    **{
        f"type {t:#x}": (IDX_IMAGES[:2] + bytes([t]) + IDX_IMAGES[3:], IDX_LABELS)
        for t in (0, 7, 0x0A, 0x0B, 0x0E, 0xFF)
    },
    **{f"{n} axes": (IDX_IMAGES[:3] + bytes([n]) + IDX_IMAGES[4:], IDX_LABELS) for n in (0, 1, 2, 4, 5, 255)},
    **{
        f"shape {s}": (bytes((0, 0, 8, 3)) + struct.pack(">3I", *s) + IDX_IMAGES[16:], IDX_LABELS)
        for s in (
            (2**32 - 1,) * 3,
            (10**9, 10**9, 1),
            (2**31, 2**31, 4),
            (0, 3, 3),
            (4, 0, 3),
            (4, 3, 4),
            (2**32 - 1, 1, 1),
            (3, 4, 3),
        )
    },
    "little-endian": (bytes((0, 0, 8, 3)) + struct.pack("<3I", 4, 3, 3) + IDX_IMAGES[16:], IDX_LABELS),
    "exchanged": (IDX_LABELS, IDX_IMAGES),
    "images as labels": (IDX_IMAGES, IDX_IMAGES),
    "labels as images": (IDX_LABELS, IDX_LABELS),
    "fewer labels": (IDX_IMAGES, idx([0, 1, 1])),
    "labels with a gap": (IDX_IMAGES, idx([0, 2, 2, 0])),
    "one class": (IDX_IMAGES, idx([0, 0, 0, 0])),
    "negative labels": (IDX_IMAGES, idx([0, -1, 1, 0], 0x09)),
    "labels are halves": (IDX_IMAGES, idx([0, 0.5, 1, 0], 0x0D)),
    "labels are NaN": (IDX_IMAGES, idx([0, np.nan, 1, 0], 0x0E)),
    "images with NaN": (idx(np.full((4, 1, 2), np.nan), 0x0D), IDX_LABELS),
    "images with infinity": (idx(np.full((4, 1, 2), np.inf), 0x0E), IDX_LABELS),
    "no labels": (IDX_IMAGES, b""),
}
COMPRESSED: dict[str, bytes | Callable[[], bytes]] = {
    "cut": gz(IDX_IMAGES)[:-9],
    "wrong checksum": gz(IDX_IMAGES)[:-8] + bytes(4) + gz(IDX_IMAGES)[-4:],
    "wrong size": gz(IDX_IMAGES)[:-4] + bytes(4),
    "header only": gz(IDX_IMAGES)[:10],
    "magic only": b"\x1f\x8b",
    "another method": b"\x1f\x8b\x07" + gz(IDX_IMAGES)[3:],
    "trailing dirt": gz(IDX_IMAGES) + b"dirt",
    "numbers in a second member, too many": gz(IDX_IMAGES) + gz(b"more"),
    "twice compressed": gz(gz(IDX_IMAGES)),
    "bomb of 1 GiB": lambda: gz(bytes((0, 0, 8, 3)) + struct.pack(">3I", 1024, 1024, 1024) + bytes(1 << 28)),
    "bomb behind a small header": lambda: gz(IDX_IMAGES + bytes(1 << 28)),
    "declares 4 GiB": gz(bytes((0, 0, 8, 3)) + struct.pack(">3I", 4096, 1024, 1023) + IDX_IMAGES),
    "a name without an end": b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 10**6,
}


def truth_of(name: str, decode: Callable[[Path], tuple[list, list]]) -> Callable[[Path], str | None]:
    """Compare what the reader returns with what `decode` finds in the same file."""

    def truth(folder: Path) -> str | None:
        found = load_dataset(path=folder / name, scale="none")
        rows, labels = decode(folder)
        names = sorted(set(map(str, labels))) if isinstance(labels[0], str) else None
        numbers = [names.index(label) for label in labels] if names else [int(label) for label in labels]
        if found.inputs.tolist() == rows and found.labels.tolist() == numbers:
            return None
        return f"READ WRONGLY: {found.inputs.tolist()} {found.labels.tolist()} for {rows} {numbers}"

    return truth


def decode_csv(folder: Path):
    content = (folder / "data.csv").read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:  # then it is read as Windows-1252
        text = content.decode("cp1252")
    lines = [line for line in csv.reader(io.StringIO(text, newline="")) if any(map(str.strip, line))]
    cells = [[cell.strip() for cell in line] for line in lines]
    try:
        any(map(float, cells[0][:-1]))
    except ValueError:
        del cells[0]
    labels = [line[-1] for line in cells]
    try:
        labels = [float(label) for label in labels]
    except ValueError:
        pass
    return [[float(cell) for cell in line[:-1]] for line in cells], labels


def decode_npz(folder: Path):
    with zipfile.ZipFile(folder / "data.npz") as source:
        assert source.testzip() is None
    return POINTS.astype(float).tolist(), LABELS.tolist()


def decode_idx(folder: Path):
    def numbers(name: str):
        content = (folder / name).read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        axes, (kind, size) = (
            content[3],
            {8: ("B", 1), 9: ("b", 1), 11: ("h", 2), 12: ("i", 4), 13: ("f", 4), 14: ("d", 8)}[content[2]],
        )
        shape = struct.unpack(f">{axes}I", content[4 : 4 + 4 * axes])
        return shape, list(struct.unpack(f">{(len(content) - 4 - 4 * axes) // size}{kind}", content[4 + 4 * axes :]))

    images = next(path.name for path in folder.iterdir() if "images" in path.name)
    (count, *_), values = numbers(images)
    width = len(values) // count
    rows = [[float(v) for v in values[k * width : (k + 1) * width]] for k in range(count)]
    return rows, numbers(LABELS_NAME)[1]


def decode_npy(folder: Path) -> str | None:
    """The mapped samples are those of a reader without a map."""
    found = SampleSource.open(folder / "x.npy").array
    return None if np.array_equal(found, np.load(folder / "x.npy", allow_pickle=False)) else "READ WRONGLY"


def decode_weights(folder: Path) -> str | None:
    """Weights that are believed are finite."""
    content = (folder / "w.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    entries, body = json.loads(content[8 : 8 + length]), content[8 + length :]
    for entry in entries.values():
        begin, end = entry["data_offsets"]
        code = {"F32": "f", "F64": "d"}.get(entry["dtype"])
        if code and not np.isfinite(np.frombuffer(body[begin:end], f"<{code}")).all():
            return "weights that are not finite were believed"
    return None


READ = {
    "UTF-16",
    "Unicode minus",
    "labels (0, 9223372036854775808)",
    "labels (-1, 0)",
    "labels (0, 1000000000000000000)",
    "names with a traversal",  # nothing is written under the names in an archive
    "absolute names",
    "full-width name",
    "y = [-1, 0, 0, 1]",
    "y = [0, 1, 1, 4611686018427387904]",
    "y = [1, 2, 2, 1]",
    "y = [0, 1, 1, 1e+300]",
    "labels with a gap",
    "negative labels",
    "dtype U32",
}
"""What is odd and yet understood: any integers are names of classes, tables come in other encodings."""


def codes_of(name: str) -> frozenset[int]:
    """The exit codes that are right for data of this name."""
    return RUN - {2} if name in READ else REFUSED


def handmade() -> Iterator[Attack]:
    for name, content in TEXTS.items():
        yield Attack("CSV", name, "prover", place({"data.csv": content}, case()), codes_of(name))
    for name, content in BIG.items():
        yield Attack("CSV", name, "prover", place({"data.csv": content}, case(), "witness"), RUN - {2})
    for name, content in ARCHIVES.items():
        yield Attack("NPZ", name, "prover", place({"data.npz": content}, in_data("data.npz")), codes_of(name))
    for name, (images, labels) in IMAGES.items():
        files = {IMAGES_NAME: images} | ({LABELS_NAME: labels} if labels else {})
        yield Attack("IDX", name, "prover", place(files, in_data(IMAGES_NAME)), codes_of(name))
    for name, content in COMPRESSED.items():
        files = {f"{IMAGES_NAME}.gz": content, LABELS_NAME: IDX_LABELS}
        yield Attack("IDX, compressed", name, "prover", place(files, in_data(f"{IMAGES_NAME}.gz")), REFUSED)
    for name in ("../canary.csv", "/dev/zero", "case.toml", IMAGES_NAME, "none", ".", "\\u0000"):
        text = in_data(IMAGES_NAME).replace("[data]", f'[data]\nlabels = "{name}"')
        yield Attack("IDX", f"labels = {name}", "prover", place({IMAGES_NAME: IDX_IMAGES}, text), REFUSED)
    for name, content in {
        "empty": b"",
        "one byte less": CIFAR[:-1],
        "one byte more": CIFAR + b"\0",
        "one byte": b"\0",
        "labels 0 and 9": b"\x09" + CIFAR[1:],
        "one class": CIFAR[:3073] * 2,
    }.items():
        yield Attack("CIFAR", name, "prover", place({"b.bin": content}, in_data("b.bin")), REFUSED)
    headers = {
        name: content
        for name, content in ARCHIVES.items()
        if name.startswith(("shape", "descr", "header", "version")) and not callable(content)
    }
    for name, content in headers.items():
        with zipfile.ZipFile(io.BytesIO(content)) as source:
            inner = source.read("X.npy")
        yield Attack(
            ".npy",
            name,
            "prover",
            place({"x.npy": inner}, in_data("x.npy").replace('scale = "none"\n', ""), "witness"),
            REFUSED,
        )
    for name, content in {
        "empty": b"",
        "cut": npy()[:-1],
        "an archive": GOOD,
        "a pickle": b"\x80\x04N.",
        "NaN": npy(POINTS * np.nan),
    }.items():
        yield Attack(
            ".npy",
            name,
            "prover",
            place({"x.npy": content}, in_data("x.npy").replace('scale = "none"\n', ""), "witness"),
            REFUSED,
        )
    start = case(start='file = "w.safetensors"')
    changes = {name: write for name, write in ARRAYS.items() if "T.0" not in name}
    for name, write in changes.items():
        try:
            content = write(weights())
        except KeyError:  # about a tensor of certificates
            continue
        if name in (
            "metadata",
            "all zero",
            "header begins with a space",
            "header with a key twice",
            "label 255",
            "multiplicity -1",
        ):
            continue  # weights like any others
        codes = codes_of(name)
        yield Attack("weights", name, "prover", place({"data.csv": CSV, "w.safetensors": content}, start), codes)
    for name, change in WEIGHTS.items():
        files = {"data.csv": CSV, "w.safetensors": weights(change)}
        yield Attack("weights", name, "prover", place(files, start), codes_of(name))


WEIGHTS: dict[str, Callable[[dict], object]] = {
    **{
        f"dtype {d}": lambda h, d=d: h["layer0.weight"].update(dtype=d)
        for d in ("F64", "I64", "BF16", "BOOL", "F8_E4M3", "", None, "U32")
    },
    **{
        f"shape {s}": lambda h, s=s: h["layer0.weight"].update(shape=s)
        for s in ([2, 5], [10], [10**9, 10**9], [2**32, 2**32], [-5, -2], [], None, [5.0, 2])
    },
    **{
        f"offsets {o}": lambda h, o=o: h["layer0.weight"].update(data_offsets=o)
        for o in ([4, 44], [0, 10**9], [40, 0], [-40, 0], [0, 2**63], [0])
    },
    "overlap": lambda h: h["layer0.bias"].update(data_offsets=[0, 40]),
    "missing": lambda h: h.pop("layer0.bias"),
    "another name": lambda h: h.update({"layer0.wеight": h.pop("layer0.weight")}),
}


def mutants() -> Iterator[Attack]:
    """Seeded accidents."""
    sources = [
        ("CSV mutants", "data.csv", CSV, {}, case(), truth_of("data.csv", decode_csv)),
        ("NPZ mutants", "data.npz", GOOD, {}, in_data("data.npz"), truth_of("data.npz", decode_npz)),
        (
            "IDX mutants",
            IMAGES_NAME,
            IDX_IMAGES,
            {LABELS_NAME: IDX_LABELS},
            in_data(IMAGES_NAME),
            truth_of(IMAGES_NAME, decode_idx),
        ),
        (
            "IDX mutants, compressed",
            f"{IMAGES_NAME}.gz",
            gz(IDX_IMAGES),
            {LABELS_NAME: IDX_LABELS},
            in_data(f"{IMAGES_NAME}.gz"),
            truth_of(f"{IMAGES_NAME}.gz", decode_idx),
        ),
        (
            "weights mutants",
            "w.safetensors",
            weights(),
            {"data.csv": CSV},
            case(start='file = "w.safetensors"'),
            decode_weights,
        ),
        (
            ".npy mutants",
            "x.npy",
            npy(POINTS.astype("i2")),
            {},
            in_data("x.npy").replace('scale = "none"\n', ""),
            decode_npy,
        ),
    ]
    for seed, (family, name, content, others, text, truth) in enumerate(sources):
        command = "witness" if name == "x.npy" else "rank"
        for kind, changed in of_bytes(content, 40, 9000 + 100 * seed):
            yield Attack(family, kind, "prover", place({name: changed, **others}, text, command), RUN, truth=truth)


def attacks() -> list[Attack]:
    """All attacks of this module."""
    return [*handmade(), *mutants()]
