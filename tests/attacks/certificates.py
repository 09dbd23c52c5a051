"""Attacks on the checker (and on `verifier show`) through a certificate's two files."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from .corpus import pack, text, toy_certificate, witness_certificate
from .mutations import at, of_bytes, of_document, places
from .sandbox import Attack
from .truth import claims_hold

ACCEPTED, REJECTED, UNREADABLE = frozenset({0}), frozenset({1}), frozenset({2})
NOT_ACCEPTED, ANY = REJECTED | UNREADABLE, frozenset({0, 1, 2, 3})
TOO_EXPENSIVE = frozenset({3})
NOT_PROVED = REJECTED | TOO_EXPENSIVE
CHEAP = {"10,000 nodes", "2^25 - 64 skip units", "taken 2^20 times", "factors of 1300 digits"}
"""True all the same: what was added has no weights and is named by no claim, and is checked if that is not too dear."""
CHECK, SHOW = ["c.json"], ["show", "c.json"]


def put(folder: Path, document: bytes, arrays: bytes) -> list[str]:
    """Write both files."""
    (folder / "c.json").write_bytes(document)
    (folder / "c.safetensors").write_bytes(arrays)
    return CHECK


def sealed(document, arrays: bytes):
    """Return the document with the arrays' true size and hash."""
    document["arrays"] |= {"bytes": len(arrays), "sha256": hashlib.sha256(arrays).hexdigest()}
    return document


def place_document(write: Callable[[dict], bytes], make=toy_certificate) -> Callable[[Path], list[str]]:
    """Place a certificate whose document is what `write` makes of a good one."""

    def place(folder: Path) -> list[str]:
        document, arrays = make()
        return put(folder, write(sealed(document, arrays)), arrays)

    return place


def setting(*path, value) -> Callable[[dict], bytes]:
    """Write the document with one value replaced; texts ``@@..@@`` are written as they are."""

    def write(document: dict) -> bytes:
        at(document, path[:-1])[path[-1]] = value
        return replaced(document)

    return write


def replaced(document) -> bytes:
    """Write a document; a text ``@@X@@`` is written as X, without quotation marks."""
    return json.dumps(document).replace('"@@', "").replace('@@"', "").encode("utf-8", "surrogatepass")


def duplicate(path) -> Callable[[dict], bytes]:
    """Write the document with the first key of one object twice."""

    def write(document: dict) -> bytes:
        target = at(document, path)
        key = next(iter(target))
        marked = {"@mark@": 0, **target}
        if path:
            at(document, path[:-1])[path[-1]] = marked
        else:
            document = marked
        again = json.dumps({key: target[key]})[1:-1]
        return json.dumps(document).replace('"@mark@": 0', again).encode()

    return write


GAMMA, INPUTS = ("claims", 2, "gamma"), ("data", "inputs")
NODES, FEATURE = ("network", "nodes"), ("network", "features", 0)
WEIGHT, AFFINE, MAP, TERM = (*NODES, 1), (*NODES, 3), (*NODES, 4), ("data", "inputs", "terms", 0)
VALUES = [
    *(
        (("claims", 2, "precision"), v)
        for v in ("@@NaN@@", "@@Infinity@@", "@@1e999@@", "@@-0@@", "@@64.0@@", "@@6e1@@")
    ),
    *((("claims", 2, "precision"), v) for v in (2**63, 2**64, 10**9, -64, 0, True, None, "64", [64], {"a": 1})),
    *(
        (("claims", 2, "precision"), v)
        for v in ("@@0064@@", "@@+64@@", "@@0x40@@", "@@6_4@@", "@@" + "9" * 5000 + "@@")
    ),
    *(((*GAMMA, "mantissa"), v) for v in ("9" * 1302, "9" * 10**6, "-0", "+15", "015", " 15", "15 ", "1e1", "1.5", "")),
    *(
        ((*GAMMA, "mantissa"), v)
        for v in ("１５", "١٥", "१५", "𝟙𝟝", "1\u200b5", "\u202e51", "\ud800", "15\n", "15\0", "nan", "1_5")
    ),
    *(((*GAMMA, "mantissa"), v) for v in (15, "@@15.0@@", None, ["15"], "0", "-15")),
    *(((*GAMMA, "exponent"), v) for v in (10**18, -(10**18), 200_001, "@@-4.0@@", "-4", None, "@@NaN@@", "@@1e999@@")),
    *(((*TERM, "exponent"), v) for v in (20_001, -(10**18), 10**18)),
    *((("data", "samples"), v) for v in (10**9, 2**31, 2**63, 0, -1, 1, 2)),
    *((("data", "dimension"), v) for v in (10**9, 2**31, 2**62, 0, -1)),
    *((("data", "classes"), v) for v in (0, 1, -1, 2**31, 3)),
    *((("data", "total"), v) for v in (0, -4, 3, 2**64, 10**20, 10**19)),
    *(
        ((*INPUTS, "shape"), v)
        for v in ([10**9, 10**9], [2**62, 2**62], [2**32, 2**32], [3], [], [3, 2, 1], [-3, -2], [0, 2])
    ),
    *(((*INPUTS, "terms"), v) for v in ([], [{}], None, "T.0")),
    *((("data", "labels"), v) for v in ("T.0", "nothing", "", "../T.1", "__metadata__", 0, ["T.1"])),
    *((("data", "multiplicities"), v) for v in ("T.1", "T.3")),
    *(
        ((*WEIGHT, "shape"), v)
        for v in ([10**9, 2], [2**31, 2**31], [0, 2], [-4, 2], [3, 2], [5, 2], [8], [], [4, 2, 1])
    ),
    *(((*FEATURE, "entries"), v) for v in ([10**9], [0, 0], [3, 2, 1, 0], [-1], [], False, "true", 1)),
    *(((*FEATURE, "node"), v) for v in (5, -1, 10**9, None, "input", 1, 0)),
    *(
        ((*AFFINE, "reads"), v)
        for v in ([3, 1, 2], [-1, 1, 2], ["input", 1, 2], [], [0, 0, 1, 2], [10**9, 1, 2], [0, 2, 1])
    ),
    *(((*AFFINE, "over"), v) for v in ("first", "ａll", None, {}, [], "window")),
    *(((*AFFINE, "bias"), v) for v in (False, 1, None, "true")),
    *(((*MAP, "kind"), v) for v in ("dense", "Map", "map\u0301", "ｍａｐ", "", None, "add", "parameter")),
    *(((*MAP, "reads"), v) for v in ([4], [0, 3], [], [2**64], [True], ["3"])),
    *(((*NODES, 0, "shape"), v) for v in ([10**9, 10**9], [2**31, 2**31, 4], [1], [2, 2], [-1, -2], [])),
    *((("network", "columns"), v) for v in (10**9, 3, 0)),
    *((NODES, v) for v in ([], None, {}, [None])),
    *((("network", "features"), v) for v in ([], None, {}, [None])),
    *((("version",), v) for v in (0, 1, 3, "2", "@@2.0@@", True, None, 2**64)),
    *(
        (("format",), v)
        for v in ("Verifier-certificate", "verifier\u2010certificate", "verifier-certificate\u200b", None, 1)
    ),
    *((("semantics",), v) for v in ("exact-rea1", "ｅxact-real", "float")),
    *((("claims",), v) for v in ([], {}, None, "R1", [None])),
    *((("claims", 0, "label"), v) for v in ("R2", "r1", "Ｒ1", "R1\u200b", "W0", "R5", "", None, ["R1"])),
    *((("claims", 0, "norm_products"), v) for v in (13, 10**9, -1)),
    *((("claims", 0, "feature_bits"), v) for v in (0, 10**9, 16_385)),
    *((("claims", 0, "rank"), v) for v in (0, 2, 4, 10**9)),
    *((("claims", 0, "columns"), v) for v in ("T.3", "T.0", "")),
    *((("arrays", "bytes"), v) for v in (0, 8, 2**30, 2**63, -1, "@@1e3@@")),
    *((("arrays", "sha256"), v) for v in ("", "0" * 64, "G" * 64, None, "@@0@@")),
    *((("generator", "name"), v) for v in ("x" * 201, None, 7, ["x"])),
]
HARMLESS = [
    (("generator", "name"), "\u202egnp.elif\u0000\u001b[2J\ud800"),
    (("data", "name"), "\x1b]0;owned\x07\r\nACCEPTED"),
    (("data", "scaling"), "﷽" * 200),
    (("trust", "arithmetic"), "~" * 200),
]
ACTIVATIONS = {
    "powers": "9**9**9**9",
    "power of a power": "((((t**1000)**1000)**1000)**1000)",
    "huge constant power": "t + 9**1000 + 99999999999**999",
    "constant powers multiplied": "*".join(["9**1000"] * 200) + "*t",
    "tanh 10,000 deep": "tanh(" * 10_000 + "t" + ")" * 10_000,
    "tanh 300 deep": "tanh(" * 300 + "t" + ")" * 300,
    "parentheses": "(" * 900 + "t" + ")" * 900,
    "minus signs": "-" * 1900 + "t",
    "brackets left open": "(" * 1900,
    "sum of 990": "+".join(["t"] * 990),
    "attribute": "t.__class__.__bases__",
    "import": "__import__(t)",
    "lambda": "lambda t: t",
    "call of a call": "tanh(t)(t)",
    "keyword": "tanh(t=t)",
    "star": "Max(*t)",
    "unknown function": "factorial(t)",
    "a power of t as an exponent": "E**(t)**-2",
    "t as an exponent": "2**t",
    "huge root": "t**(1/1000000)",
    "huge exponent": "t**999999999999999999999999",
    "division by zero": "1/0 + t",
    "pole of a power": "0**(-1)*t",
    "log of zero": "log(0) + t",
    "full-width digit": "t*２",
    "Arabic digit": "t*٢",
    "Greek letter": "τ",
    "two lines": "t\nt",
    "comment": "t # tanh",
    "string": "'t'",
    "bytes": "b't'",
    "float": "0.5*t",
    "inf": "1e999*t",
    "complex": "1j*t",
    "walrus": "(t := t)",
    "conditional": "t if t else t",
    "comparison": "t < t",
    "boolean": "True*t",
    "None": "None",
    "f-string": "f'{t}'",
    "digits": "9" * 1999,
    "underscored": "1_000*t",
    "hex": "0xff*t",
    "octal": "0o7*t",
    "modulo": "t % t",
    "shift": "1 << t",
    "matrix product": "t @ t",
    "empty": "",
    "blank": "   ",
    "NUL": "t\0",
    "surrogate": "t\ud800",
    "too long": "t" + " " * 2000,
}


def truncated_at(*fractions: float) -> Iterator[tuple[str, Callable[[dict], bytes]]]:
    for part in fractions:
        yield (
            f"document cut to {part:.0%}",
            lambda document, part=part: text(document)[: int(len(text(document)) * part)],
        )


RAW: dict[str, Callable[[dict], bytes]] = {
    "empty document": lambda document: b"",
    "byte order mark": lambda document: b"\xef\xbb\xbf" + text(document),
    "UTF-16": lambda document: text(document).decode().encode("utf-16"),
    "UTF-32": lambda document: text(document).decode().encode("utf-32"),
    "Latin-1 byte": lambda document: text(document).replace(b"toy", b"t\xff"),
    "overlong UTF-8": lambda document: text(document).replace(b"toy", b"\xc0\xaf"),
    "surrogate in UTF-8": lambda document: text(document).replace(b"toy", b"\xed\xa0\x80"),
    "control character in a text": lambda document: text(document).replace(b"toy", b"\x01"),
    "NUL after the end": lambda document: text(document) + b"\0",
    "two documents": lambda document: text(document) * 2,
    "trailing comma": lambda document: text(document).rstrip()[:-1] + b",}",
    "comment": lambda document: b"/* */" + text(document),
    "single quotes": lambda document: text(document).replace(b'"', b"'"),
    "a number": lambda document: b"1",
    "a text": lambda document: b'"verifier-certificate"',
    "null": lambda document: b"null",
    "a list of documents": lambda document: b"[" + text(document) + b"]",
    "lists 100,000 deep": lambda document: b"[" * 100_000,
    "lists 100,000 deep, closed": lambda document: b"[" * 100_000 + b"]" * 100_000,
    "objects 100,000 deep": lambda document: b'{"claims": ' * 100_000 + b"0" + b"}" * 100_000,
    "lists 900 deep in a claim": setting("claims", 0, "alpha", value="@@" + "[" * 900 + "]" * 900 + "@@"),
    "lists 900 deep as a name": setting("data", "name", value="@@" + "[" * 900 + "]" * 900 + "@@"),
    "a million claims": lambda document: json.dumps(document | {"claims": [{}] * 10**6}).encode(),
    "a million equal keys": lambda document: b"{" + b'"claims": 0, ' * 10**6 + b'"claims": 0}',
    "a million unknown keys": lambda document: json.dumps(document | {f"k{k}": 0 for k in range(10**6)}).encode()[
        : 16 << 20
    ],
    "a number of a million digits": setting("claims", 2, "precision", value="@@" + "6" * 10**6 + "@@"),
    "a key of a million characters": lambda document: text({"x" * 10**6: 0} | document),
    "a key with a BOM": lambda document: text(document).replace(b'"claims"', b'"\xef\xbb\xbfclaims"'),
    "a full-width key": lambda document: text(document).replace(b'"claims"', '"ｃlaims"'.encode()),
    "decomposed keys": lambda document: text({"é": 0, "e\u0301": 0} | document),
    "an escaped duplicate key": lambda document: text(document).replace(b"{", b'{"\\u0063laims": [],', 1),
    "17 MiB": lambda document: text(document) + b" " * (17 << 20),
    **dict(truncated_at(0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)),
}


def documents() -> Iterator[Attack]:
    """Attacks through the JSON document alone."""
    for path, value in VALUES:
        shown = repr(value) if len(repr(value)) < 40 else f"{repr(value)[:20]}...({len(repr(value))})"
        name = f"{'/'.join(map(str, path))} = {shown}"
        yield Attack("certificate values", name, "checker", place_document(setting(*path, value=value)), NOT_PROVED)
    for path, value in HARMLESS:
        place = place_document(setting(*path, value=value))
        yield Attack("certificate notes", "/".join(path), "checker", place, ACCEPTED, truth=claims_hold)
    for name, write in RAW.items():
        yield Attack("certificate JSON", name, "checker", place_document(write), REJECTED)
    document, _ = toy_certificate()
    for path in (path for path in places(document) if isinstance(at(document, path), dict) and at(document, path)):
        name = f"key twice in /{'/'.join(map(str, path))}"
        says = "twice"
        yield Attack("certificate keys", name, "checker", place_document(duplicate(path)), REJECTED, says)
    for name, activation in ACTIVATIONS.items():
        write = setting(*MAP, "activation", value=activation)
        yield Attack("activation (checker)", name, "checker", place_document(write), NOT_PROVED)


def header(change: Callable[[dict], object], body: Callable[[bytes], bytes] = bytes) -> Callable[[bytes], bytes]:
    """Change a safetensors header and its data."""

    def write(arrays: bytes) -> bytes:
        (length,) = struct.unpack("<Q", arrays[:8])
        entries = json.loads(arrays[8 : 8 + length])
        found = change(entries)
        return pack(found if isinstance(found, bytes) else entries, body(arrays[8 + length :]))

    return write


def length_of(number: int) -> Callable[[bytes], bytes]:
    return lambda arrays: struct.pack("<Q", number) + arrays[8:]


def entry(name: str, **change) -> Callable[[dict], object]:
    return lambda entries: entries[name].update(change)


ARRAYS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda arrays: b"",
    "seven bytes": lambda arrays: arrays[:7],
    "eight bytes": lambda arrays: arrays[:8],
    "no data": lambda arrays: arrays[: 8 + struct.unpack("<Q", arrays[:8])[0]],
    "one byte less": lambda arrays: arrays[:-1],
    "one byte more": lambda arrays: arrays + b"\0",
    **{f"header length {n}": length_of(n) for n in (0, 1, 2, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 10**6)},
    "header is a list": header(lambda entries: b"[]"),
    "header is empty": header(lambda entries: b"{}"),
    "header begins with a space": header(lambda entries: b" " + json.dumps(entries).encode()),
    "header 100,000 deep": header(lambda entries: b'{"a":' * 100_000),
    "header with NaN": header(lambda entries: json.dumps(entries | {"x": float("nan")}).encode()),
    "header with a key twice": header(
        lambda entries: json.dumps(entries)[:-1].encode() + b"," + json.dumps(entries)[1:].encode()
    ),
    "metadata": header(lambda entries: entries.update({"__metadata__": {"format": "pt"}})),
    "a tensor nobody names": header(
        lambda entries: entries.update(spare={"dtype": "U8", "shape": [1], "data_offsets": [0, 1]})
    ),
    "an empty tensor": header(
        lambda entries: entries.update(spare={"dtype": "U8", "shape": [0], "data_offsets": [0, 0]})
    ),
    "gap": header(entry("T.0", data_offsets=[8, 56])),
    "overlap": header(lambda entries: entries["T.1"].update(data_offsets=entries["T.0"]["data_offsets"])),
    "offsets reversed": header(lambda entries: entries["T.0"]["data_offsets"].reverse()),
    "offsets negative": header(entry("T.0", data_offsets=[-48, 0])),
    "offsets huge": header(entry("T.0", data_offsets=[2**63, 2**63 + 48])),
    "offsets beyond the end": header(entry("T.0", data_offsets=[0, 10**9])),
    "offsets float": header(entry("T.0", data_offsets=[0.0, 48.0])),
    "offsets three": header(entry("T.0", data_offsets=[0, 24, 48])),
    "shape 10^9 x 10^9": header(entry("T.0", shape=[10**9, 10**9])),
    "shape product 2^64": header(entry("T.0", shape=[2**32, 2**32])),
    "shape product wraps to 6": header(entry("T.0", shape=[2**31, 2**31, 4, 6])),
    "shape negative": header(entry("T.0", shape=[-3, -2])),
    "shape transposed": header(entry("T.0", shape=[2, 3])),
    "shape of five axes": header(entry("T.0", shape=[3, 2, 1, 1, 1])),
    "shape empty": header(entry("T.0", shape=[])),
    **{
        f"dtype {d}": header(entry("T.0", dtype=d)) for d in ("F16", "BF16", "BOOL", "U64", "C64", "i64", "", "F8_E4M3")
    },
    "dtype F64 for I64": header(entry("T.0", dtype="F64")),
    "dtype null": header(entry("T.0", dtype=None)),
    "labels are floats": header(entry("T.1", dtype="F32")),
    "name with a traversal": header(lambda entries: entries.update({"../T.0": entries.pop("T.0")})),
    "name empty": header(lambda entries: entries.update({"": entries.pop("T.0")})),
    "name long": header(lambda entries: entries.update({"T" * 10**5: entries.pop("T.0")})),
    "name with Unicode": header(lambda entries: entries.update({"Т.0": entries.pop("T.0")})),
    "an unknown key": header(entry("T.0", stride=1)),
    "a missing key": header(lambda entries: entries["T.0"].pop("dtype")),
    "100,000 tensors": header(
        lambda entries: entries.update(
            {f"x{k}": {"dtype": "U8", "shape": [1], "data_offsets": [k, k + 1]} for k in range(10**5)}
        )
    ),
    "label 255": header(lambda entries: None, lambda body: body[:48] + b"\xff" + body[49:]),
    "multiplicity -1": header(lambda entries: None, lambda body: body[:51] + b"\xff" * 4 + body[55:]),
    "all zero": header(lambda entries: None, lambda body: bytes(len(body))),
    "all ones": header(lambda entries: None, lambda body: b"\xff" * len(body)),
}
FLOATS = {
    "NaN": 0x7FF8000000000000,
    "NaN with a payload": 0x7FF0DEADBEEF0001,
    "negative NaN": 0xFFF8000000000000,
    "infinity": 0x7FF0000000000000,
    "-infinity": 0xFFF0000000000000,
    "the largest": 0x7FEFFFFFFFFFFFFF,
    "the least subnormal": 1,
}


def place_arrays(write: Callable[[bytes], bytes], make=toy_certificate) -> Callable[[Path], list[str]]:
    """Place a certificate with changed arrays, their size and hash repaired."""

    def place(folder: Path) -> list[str]:
        document, arrays = make()
        changed = write(arrays)
        return put(folder, text(sealed(document, changed)), changed)

    return place


def float_weight(bits: int) -> Callable[[Path], list[str]]:
    """Place a certificate whose first hidden weight is a binary64 with these bits; the others are as they were."""

    def place(folder: Path) -> list[str]:
        document, arrays = toy_certificate()
        name = document["network"]["nodes"][1]["values"]["terms"][0]["tensor"]
        (length,) = struct.unpack("<Q", arrays[:8])
        entries, body = json.loads(arrays[8 : 8 + length]), arrays[8 + length :]
        begin, end = entries[name]["data_offsets"]
        numbers = struct.unpack(f"<{(end - begin) // 8}q", body[begin:end])
        floats = struct.pack("<Q", bits) + struct.pack(f"<{len(numbers) - 1}d", *numbers[1:])
        entries[name]["dtype"] = "F64"
        changed = pack(entries, body[:begin] + floats + body[end:])
        return put(folder, text(sealed(document, changed)), changed)

    return place


def arrays() -> Iterator[Attack]:
    """Attacks through the safetensors file."""
    for name, write in ARRAYS.items():
        yield Attack("certificate arrays", name, "checker", place_arrays(write), REJECTED)
    for name, bits in FLOATS.items():
        yield Attack("certificate arrays", f"weight {name}", "checker", float_weight(bits), REJECTED)
    place = float_weight(1 << 63)  # the weight was 1: -0.0 is another network, whose features have another inverse
    yield Attack("certificate arrays", "weight -0.0", "checker", place, REJECTED)

    def unsealed(folder: Path) -> list[str]:
        document, content = toy_certificate()
        return put(folder, text(sealed(document, content)), content[:-1] + bytes([content[-1] ^ 1]))

    yield Attack("certificate arrays", "one bit, hash not repaired", "checker", unsealed, REJECTED, "container.hash")


def file_attack(name: str, codes, act: Callable[[Path, dict, bytes], list[str] | None], says: str = "") -> Attack:
    def place(folder: Path) -> list[str]:
        document, content = toy_certificate()
        sealed(document, content)
        return act(folder, document, content) or CHECK

    return Attack("certificate files", name, "checker", place, codes, says)


def naming(file: str, content_at: str | None = None) -> Callable[[Path, dict, bytes], None]:
    """Name an arrays file, which may really be there."""

    def act(folder: Path, document: dict, content: bytes) -> None:
        document["arrays"]["file"] = file
        (folder / "c.json").write_bytes(replaced(document))
        if content_at is not None:
            (folder / content_at).parent.mkdir(parents=True, exist_ok=True)
            (folder / content_at).write_bytes(content)

    return act


def linking(target: str, name: str = "c.safetensors") -> Callable[[Path, dict, bytes], None]:
    def act(folder: Path, document: dict, content: bytes) -> None:
        put(folder, text(document), content)
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return act


def fifo(name: str) -> Callable[[Path, dict, bytes], None]:
    def act(folder: Path, document: dict, content: bytes) -> None:
        put(folder, text(document), content)
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return act


def folder_for(name: str) -> Callable[[Path, dict, bytes], None]:
    def act(folder: Path, document: dict, content: bytes) -> None:
        put(folder, text(document), content)
        (folder / name).unlink()
        (folder / name).mkdir()

    return act


def arguments(*given: str) -> Callable[[Path, dict, bytes], list[str]]:
    def act(folder: Path, document: dict, content: bytes) -> list[str]:
        put(folder, text(document), content)
        return list(given)

    return act


def files() -> Iterator[Attack]:
    """Attacks through names, links and what is no file."""
    hostile = ("../canary.safetensors", "../c.safetensors", "..", ".", "", "./c.safetensors", "in/../c.safetensors")
    hostile += (
        "/dev/zero",
        "/etc/passwd",
        "/proc/self/mem",
        "c.safetensors\0.png",
        "c.safetensors\n",
        "\\\\host\\share",
    )
    hostile += (
        "C:c.safetensors",
        ".c.safetensors",
        "~/c.safetensors",
        "c\u202esafetensors",
        "\ud800",
        "c\u2215d",
        "x" * 201,
    )
    for name in hostile:
        yield file_attack(f"arrays file {name[:30]!r}", NOT_ACCEPTED, naming(name))
    yield file_attack("arrays in a folder", NOT_ACCEPTED, naming("sub/c.safetensors", "sub/c.safetensors"))
    yield file_attack("arrays by an absolute name", NOT_ACCEPTED, naming("/tmp/c.safetensors"))
    yield file_attack("arrays name of 200 characters", UNREADABLE, naming("x" * 200))
    yield file_attack("full-width look-alike", UNREADABLE, naming("ｃ.safetensors", "c.safetensors"))
    yield file_attack("Cyrillic look-alike", UNREADABLE, naming("с.safetensors", "c.safetensors"))
    yield file_attack("decomposed name", UNREADABLE, naming("é.safetensors", "e\u0301.safetensors"))
    yield file_attack("no arrays", UNREADABLE, naming("none.safetensors"))
    yield file_attack("the document as its own arrays", REJECTED, naming("c.json"))
    for target, codes in (
        ("c.safetensors", UNREADABLE),
        ("/dev/zero", REJECTED),
        ("/dev/stdin", REJECTED),
        ("nowhere", UNREADABLE),
    ):
        yield file_attack(f"arrays linked to {target}", codes, linking(target))
    yield file_attack("arrays linked to /proc", NOT_ACCEPTED, linking("/proc/self/environ"))
    yield file_attack("arrays linked to a tty", NOT_ACCEPTED, linking("/dev/tty"))
    yield file_attack("arrays linked to a canary", REJECTED, linking("../canary.safetensors"))
    yield file_attack("document linked to itself", UNREADABLE, linking("c.json", "c.json"))
    yield file_attack("document linked to /dev/zero", REJECTED, linking("/dev/zero", "c.json"))
    yield file_attack("document linked to /dev/urandom", REJECTED, linking("/dev/urandom", "c.json"))
    for name in ("c.json", "c.safetensors"):
        yield file_attack(f"{name} is a pipe", REJECTED, fifo(name))
        yield file_attack(f"{name} is a folder", REJECTED, folder_for(name))
    yield file_attack("NUL in the name", UNREADABLE, arguments("c.json\0"))
    yield file_attack("a name of 5000 characters", UNREADABLE, arguments("x" * 5000))
    yield file_attack("the standard input", REJECTED, arguments("/dev/stdin"))


def witnesses() -> Iterator[Attack]:
    """Certificates without weights, where little of the arrays is read."""
    changes = {
        "W0 alone": lambda d: d.update(claims=[{"label": "W0"}]),
        "W0 alone, 2^31 samples": lambda d: (d.update(claims=[{"label": "W0"}]), huge(d, samples=2**31)),
        "2^31 samples": lambda d: huge(d, samples=2**31),
        "2^28 samples": lambda d: huge(d, samples=2**28),
        "2^25 - 16 samples": lambda d: huge(d, samples=2**25 - 16),
        "2^31 dimensions": lambda d: shaped(d, 2**31),
        "2^24 dimensions": lambda d: shaped(d, 2**24),
        "2^24 - 64 dimensions": lambda d: shaped(d, 2**24 - 64),
        "2 million windows": lambda d: (shaped(d, 1, 1440, 1440), show(d, sliding("mean", [1, 1], [0, 0]))),
        "windows of a million": lambda d: (shaped(d, 1, 1021, 1021), show(d, sliding("mean", [1020, 1020], [0, 0]))),
        "a million maxima of a million": lambda d: (
            shaped(d, 1, 1021, 1021),
            show(d, sliding("max", [1020, 1020], [1019, 1019])),
        ),
        "a million padded windows of a million": lambda d: (
            shaped(d, 1, 1, 1),
            show(d, parameter([1, 1, 1000, 1000]), slid(d, [1000, 1000], [999, 999])),
        ),
        "padding of 2^31 - 1": lambda d: (
            shaped(d, 1, 1),
            show(d, parameter([1, 1, 2**31]), slid(d, [2**31], [2**31 - 1])),
        ),
        "2^31 units": lambda d: d["network"]["nodes"].extend(
            [parameter([2**31, 2]), affine(0, len(d["network"]["nodes"]))]
        ),
        "2^25 skip units": lambda d: wide(d, 2**25),
        "2^25 - 64 skip units": lambda d: wide(d, 2**25 - 64),
        "10,000 nodes": lambda d: d["network"]["nodes"].extend([scale(0)] * 10_000),
        "65,537 nodes": lambda d: d["network"]["nodes"].extend([scale(0)] * 65_537),
        "a sum of a million": lambda d: show(d, {"kind": "add", "reads": [0] * 10**6}),
        "expanded to 2^31": lambda d: show(d, {"kind": "expand", "reads": [0], "shape": [2**31 // 2, 2]}),
        "taken 2^20 times": lambda d: show(d, {"kind": "take", "reads": [0], "axis": 0, "entries": [0] * 2**20}),
        "doubled forty times": lambda d: show(d, *(doubled(len(d["network"]["nodes"]) - 1 + k) for k in range(40))),
        "a product of 2^40": lambda d: show(
            d,
            {"kind": "expand", "reads": [0], "shape": [2**20, 2]},
            {"kind": "contract", "reads": [len(d["network"]["nodes"])] * 2, "transposed": True},
        ),
        "attention over 2^20": lambda d: show(
            d,
            {"kind": "expand", "reads": [0], "shape": [2**20, 2]},
            {"kind": "attend", "reads": [len(d["network"]["nodes"])] * 3, "square": ["1", "1"]},
        ),
        "a table of 2^62": lambda d: show(
            d, parameter([2**31, 2**31]), {"kind": "embed", "reads": [0, len(d["network"]["nodes"])]}
        ),
        "factors of 1300 digits": lambda d: d["network"]["nodes"].extend(
            [{"kind": "scale", "reads": [0], "factor": ["9" * 1300, "7" * 1300]}] * 1000
        ),
        "a factor of a million digits": lambda d: d["network"]["nodes"].append(
            {"kind": "scale", "reads": [0], "factor": ["9" * 10**6, "1"]}
        ),
        "nested eight axes": lambda d: show(d, {"kind": "expand", "reads": [0], "shape": [64] * 7 + [2]}),
        "nine axes": lambda d: show(d, {"kind": "reshape", "reads": [0], "shape": [1] * 8 + [2]}),
        "1001 links": lambda d: d["claims"][0].update(chain=d["claims"][0]["chain"] * 1001),
        "1000 links of one unit": lambda d: d["claims"][0].update(chain=d["claims"][0]["chain"] * 1000),
        "precision 16384 and 1000 blocks": lambda d: d["claims"][0].update(
            precision=16384, blocks=d["claims"][0]["blocks"] * 500
        ),
        "W1 sixteen times": lambda d: d.update(claims=[d["claims"][1]] * 17),
    }

    def parameter(shape):
        return {"kind": "parameter", "reads": [], "name": "p", "shape": shape, "values": None}

    def affine(*reads):
        return {"kind": "affine", "reads": list(reads), "over": "all", "bias": False}

    def scale(reads):
        return {"kind": "scale", "reads": [reads], "factor": ["1", "2"]}

    def doubled(reads):
        return {"kind": "concatenate", "reads": [reads, reads], "axis": 0}

    def sliding(how, kernel, padding):
        steps = [1] * len(kernel)
        return {"kind": "pool", "reads": [0], "how": how} | window(kernel, padding, steps)

    def window(kernel, padding, steps):
        return {"kernel": kernel, "stride": steps, "padding": padding, "dilation": steps}

    def slid(document, kernel, padding):
        over = window(kernel, padding, [1] * len(kernel)) | {"groups": 1}
        return affine(0, len(document["network"]["nodes"])) | {"over": over}

    def show(document, *nodes):
        """Add nodes, and make the first entry of the last one a column."""
        document["network"]["nodes"] += nodes
        document["network"]["features"].append({"node": len(document["network"]["nodes"]) - 1, "entries": [0]})
        document["network"]["columns"] += 1

    def shaped(document, *extents):
        """Say that the samples have this shape, and that units which read them have as many weights."""
        huge(document, dimension=math.prod(extents))
        nodes = document["network"]["nodes"]
        nodes[0]["shape"] = list(extents)
        for node in nodes:
            if node["kind"] == "affine" and node["reads"][0] == 0:
                nodes[node["reads"][1]]["shape"][1] = math.prod(extents)

    def wide(document, units):
        """Make the last layer so wide."""
        weight, bias = document["network"]["nodes"][-4:-2]
        weight["shape"][0], bias["shape"][0] = units, units

    def huge(document, samples=None, dimension=None):
        if samples:
            document["data"].update(samples=samples, total=samples)
        if dimension:
            document["data"].update(dimension=dimension)
        document["data"]["inputs"]["shape"] = [document["data"]["samples"], document["data"]["dimension"]]

    for name, change in changes.items():

        def write(document, change=change):
            change(document)
            return text(document)

        codes = ACCEPTED | TOO_EXPENSIVE if name in CHEAP else NOT_PROVED
        yield Attack("certificate sizes", name, "checker", place_document(write, witness_certificate), codes)


def mutants() -> Iterator[Attack]:
    """Seeded mutations: what is accepted all the same must be true."""
    for kind, make, seed in (("toy", toy_certificate, 1), ("W1", witness_certificate, 2)):
        document, content = make()
        sealed(document, content)
        for name, changed in of_bytes(text(document), 60, seed * 1000):
            place = partial(put, document=changed, arrays=content)
            yield Attack(
                "certificate mutants, document bytes", f"{kind} {name}", "checker", place, ANY, truth=claims_hold
            )
        for name, changed in of_document(document, 100, seed * 2000):
            place = partial(put, document=changed, arrays=content)
            yield Attack(
                "certificate mutants, document values", f"{kind} {name}", "checker", place, ANY, truth=claims_hold
            )
        for name, changed in of_bytes(content, 50, seed * 3000):
            sealed_text = text(sealed(copy.deepcopy(document), changed))
            place = partial(put, document=sealed_text, arrays=changed)
            yield Attack(
                "certificate mutants, arrays resealed", f"{kind} {name}", "checker", place, ANY, truth=claims_hold
            )
            place = partial(put, document=text(document), arrays=changed)
            yield Attack("certificate mutants, arrays", f"{kind} {name}", "checker", place, REJECTED)


def shown() -> Iterator[Attack]:
    """The documents again, for `verifier show`, which describes without checking."""
    chosen = [attack for attack in documents() if attack.family in ("certificate JSON", "certificate values")]
    for attack in [*chosen, *files()]:
        if attack.name.startswith(("NUL in", "a name of", "the standard")):
            continue

        def place(folder: Path, attack=attack) -> list[str]:
            attack.place(folder)
            return SHOW

        yield Attack("show", attack.name, "prover", place, frozenset({0, 2}))


def attacks() -> list[Attack]:
    """All attacks of this module."""
    return [*documents(), *arrays(), *files(), *witnesses(), *mutants(), *shown()]
