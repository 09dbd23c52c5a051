"""Files that are no certificate of format 2, whatever they claim: the container, the JSON document, its form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from make import Json, malformed, packed

Change = Callable[[Json, bytes], Any]
HUGE = "9" * 21
NODE, FEATURE = ("network", "nodes"), ("network", "features", 0)


def edited(*path: str | int, to: object) -> Change:
    """Return the change that sets one value of the document."""

    def change(document: Json, content: bytes) -> Json:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to
        return document

    return change


def without(*path: str | int) -> Change:
    """Return the change that takes one key away."""

    def change(document: Json, content: bytes) -> Json:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]
        return document

    return change


def written(old: str, new: str) -> Change:
    """Return the change of the document's text."""

    def change(document: Json, content: bytes) -> bytes:
        text = json.dumps(document, indent=1)
        if text.count(old) < 1:
            raise ValueError(f"{old} does not occur")
        return text.replace(old, new, 1).encode()

    return change


def parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Take an arrays file apart."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def header(change: Callable[[dict[str, Any]], Any]) -> Change:
    """Return the change of the arrays file's header."""

    def apply(document: Json, content: bytes) -> tuple[Json, bytes]:
        entries, body = parts(content)
        change(entries)
        return document, packed(json.dumps(entries).encode(), body)

    return apply


def first(entries: dict[str, Any]) -> Any:
    """Return the first tensor of a header."""
    return entries[min(entries)]


# ---------------------------------------------------------------- the JSON document
malformed("empty-document", "container.json: nothing", lambda d, c: b"")
malformed("no-json", "container.json: no JSON", lambda d, c: b"certificate")
malformed("two-documents", "container.json: something after the end", lambda d, c: json.dumps(d).encode() + b"{}")
malformed("latin-1", "container.json: no UTF-8", lambda d, c: json.dumps(d).encode().replace(b"corpus", b"\xe9t\xe9"))
malformed("byte-order-mark", "container.json: a byte order mark", lambda d, c: b"\xef\xbb\xbf" + json.dumps(d).encode())
malformed("a-float", "container.json: floats are not allowed", written('"rank": 2', '"rank": 2.0'))
malformed("an-exponent", "container.json: floats are not allowed", written('"rank": 2', '"rank": 2e0'))
malformed("not-a-number", "container.json: NaN is no JSON", written('"rank": 2', '"rank": NaN'))
malformed("infinity", "container.json: Infinity is no JSON", written('"rank": 2', '"rank": Infinity'))
malformed("long-integer", "container.json: more than 20 digits", written('"rank": 2', f'"rank": {HUGE}'))
malformed("comment", "container.json: no comments", written('"rank": 2', '"rank": 2 /* N */'))
malformed("trailing-comma", "container.json: no comma after the last key", written('"rank": 2', '"rank": 2,,'))
malformed("deep", "container.json: nested 100,000 deep", lambda d, c: b"[" * 100_000)
malformed("key-twice", "container.duplicate-key: which of them?", written('"rank": 2', '"rank": 2, "rank": 2'))

# ---------------------------------------------------------------- the form of the document
malformed("list", "schema.type: the document is an object", lambda d, c: b"[]")
malformed("another-format", "schema.value: another format", edited("format", to="certificate"))
malformed("version-1", "schema.version: of version 1; make it anew", edited("version", to=1))
malformed("version-3", "schema.version: another version", edited("version", to=3))
malformed("version-true", "schema.version: true is no integer", edited("version", to=True))
malformed("float-semantics", "schema.value: claims are about real numbers", edited("semantics", to="binary64"))
malformed("no-network", "schema.missing-key: a missing key", without("network"))
malformed("no-gamma", "schema.missing-key: a missing key of a claim", without("claims", 0, "alpha"))
malformed("another-key", "schema.unknown-key: an unknown key", edited("comment", to="true"))
malformed("another-key-of-a-claim", "schema.unknown-key: an unknown key", edited("claims", 0, "norm", to=2))
malformed("no-claims", "schema.value: 1 to 32 claims", edited("claims", to=[]))
malformed("another-label", "schema.value: no such claim", edited("claims", 0, "label", to="R2"))
malformed("rank-as-text", "schema.type: an integer is meant", edited("claims", 0, "rank", to="2"))
malformed("rank-true", "schema.type: true is no integer", edited("claims", 0, "rank", to=True))
malformed("samples-0", "schema.value: N >= 1", edited("data", "samples", to=0))
malformed("one-class", "schema.value: m >= 2", edited("data", "classes", to=1))
malformed("precision-31", "schema.value: 32 to 16384 bits", edited("claims", 0, "precision", to=31))
malformed("r1-at-65-bits", "schema.value: R1 has at most 64 bits", edited("claims", 0, "precision", to=65))
malformed("r3-at-64-bits", "schema.value: R3 has more than 64 bits", edited("claims", 1, "precision", to=64))
malformed("feature-bits-0", "schema.value: 1 to 16384", edited("claims", 0, "feature_bits", to=0))
malformed("norm-products-13", "schema.value: 0 to 12", edited("claims", 0, "norm_products", to=13))
for name, mantissa in (
    ("plus", "+1"),
    ("minus-0", "-0"),
    ("leading-0", "01"),
    ("hex", "0x1"),
    ("underscore", "1_0"),
    ("space", " 1"),
    ("empty", ""),
    ("arabic", "\u0661"),
    ("long", "9" * 1301),
):
    malformed(
        f"mantissa-{name}",
        "schema.value: a plain decimal integer of at most 1300 digits",
        edited("claims", 0, "alpha", "mantissa", to=mantissa),
    )
malformed(
    "exponent-of-a-dyadic", "schema.value: -200000 to 200000", edited("claims", 0, "alpha", "exponent", to=200001)
)
malformed(
    "exponent-of-a-term",
    "schema.value: -20000 to 20000",
    edited("claims", 0, "right_inverse", "terms", 0, "exponent", to=-20001),
)
malformed("no-terms", "schema.value: 1 to 160 terms", edited("claims", 0, "right_inverse", "terms", to=[]))
for name, rule, change in (
    ("another-kind", "schema.value: no such kind", edited(*NODE, 4, "kind", to="dense")),
    ("key-of-another-kind", "schema.unknown-key: a map has no shape", edited(*NODE, 4, "shape", to=[2])),
    ("no-reads", "schema.missing-key: a node reads something, or nothing", without(*NODE, 4, "reads")),
    ("reads-null", "schema.type: the index of a node", edited(*NODE, 4, "reads", to=[None])),
    ("reads-two", "network.reads: a map reads one node", edited(*NODE, 4, "reads", to=[0, 0])),
    ("reads-negative", "schema.value: the index of a node", edited(*NODE, 4, "reads", to=[-1])),
    ("over-something", "schema.value: all, last or a window", edited(*NODE, 3, "over", to="first")),
    ("bias-0", "schema.type: true or false", edited(*NODE, 3, "bias", to=0)),
    ("entries-empty", "schema.value: null or a nonempty list", edited(*FEATURE, "entries", to=[])),
    ("no-features", "schema.value: at least one feature", edited("network", "features", to=[])),
    ("no-nodes", "schema.value: at least one node", edited("network", "nodes", to=[])),
):
    malformed(name, rule, change)
malformed("long-name", "schema.value: at most 200 characters", edited("data", "name", to="x" * 201))
malformed(
    "long-activation",
    "schema.value: at most 2000 characters",
    edited(*NODE, 4, "activation", to="t" + " " * 2000),
)
malformed(
    "two-blocks-of-w2",
    "schema.value: one block of ramps",
    base="ramps",
    change=lambda d, c: (d["claims"][0]["blocks"].append(d["claims"][0]["blocks"][0]), d)[1],
)
malformed(
    "65-targets",
    "schema.value: at most 64",
    base="zero-error-and-path",
    change=lambda d, c: (d["claims"][1].update(targets=d["claims"][1]["targets"] * 33), d)[1],
)

# ---------------------------------------------------------------- the arrays file
malformed("no-arrays", "container.unreadable: the arrays file is missing", lambda d, c: (d, None), reseal=False)
for name, file in (
    ("folder", "in/no-file.safetensors"),
    ("parent", "../no-file.safetensors"),
    ("absolute", "/no-file"),
    ("hidden", ".no-file"),
    ("none", ""),
    ("drive", "c:no-file"),
    ("backslash", "a\\b"),
):
    malformed(f"arrays-{name}", "container.file: a bare file name", edited("arrays", "file", to=file))
malformed(
    "arrays-changed",
    "container.hash: one bit is another",
    reseal=False,
    change=lambda d, c: (d, c[:-1] + bytes([c[-1] ^ 1])),
)
malformed(
    "hash-in-capitals",
    "container.hash: lowercase hexadecimal digits",
    reseal=False,
    change=lambda d, c: (d["arrays"].update(sha256=d["arrays"]["sha256"].upper()), d)[1],
)
malformed("arrays-longer", "container.size: one byte more", lambda d, c: (d, c + b"\0"), reseal=False)
malformed("arrays-shorter", "container.size: one byte less", lambda d, c: (d, c[:-1]), reseal=False)
malformed("arrays-empty", "schema.value: at least 8 bytes", lambda d, c: (d, b""))
malformed("header-too-long", "container.header: longer than the file", lambda d, c: (d, b"\xff" * 8 + c[8:]))
malformed("header-no-object", "container.header: an object", lambda d, c: (d, packed(b"[]", parts(c)[1])))
malformed("header-no-json", "container.json: JSON", lambda d, c: (d, packed(b"{]", parts(c)[1])))
malformed(
    "header-key-twice",
    "container.duplicate-key: which of them?",
    lambda d, c: (d, c[:8] + c[8:].replace(b'"t1"', b'"t0"')),
)
malformed("header-metadata", "container.tensor: no metadata", header(lambda h: h.update(__metadata__={"a": "b"})))
malformed("tensor-dtype", "container.tensor: no such dtype", header(lambda h: first(h).update(dtype="F16")))
malformed("tensor-unknown-key", "container.tensor: an unknown key", header(lambda h: first(h).update(order="F")))
malformed(
    "tensor-overlap",
    "container.tensor: two tensors share bytes",
    header(lambda h: h[max(h)].update(data_offsets=first(h)["data_offsets"])),
)
malformed(
    "tensor-out-of-the-file",
    "container.tensor: beyond the end",
    header(lambda h: h[max(h)].update(data_offsets=[x + 8 for x in h[max(h)]["data_offsets"]])),
)
malformed(
    "tensor-of-another-size",
    "container.tensor: the shape needs more bytes",
    header(lambda h: first(h).update(shape=[1 << 40])),
)
malformed(
    "tensor-with-a-strange-name",
    "container.tensor: A-Z a-z 0-9 _ . -",
    header(lambda h: h.update({"a b": h.pop(min(h))})),
)
malformed(
    "tensor-missing", "container.tensor: the document refers to it", header(lambda h: h.update(other=h.pop(min(h))))
)
malformed("bytes-after-the-tensors", "container.tensor: the tensors fill the file", lambda d, c: (d, c + b"\0" * 8))
malformed(
    "tensor-that-nobody-refers-to",
    "container.unreferenced: hidden content",
    lambda d, c: (
        d,
        packed(
            json.dumps(
                {
                    **parts(c)[0],
                    "zz": {"dtype": "U8", "shape": [1], "data_offsets": [len(parts(c)[1]), len(parts(c)[1]) + 1]},
                }
            ).encode(),
            parts(c)[1] + b"\0",
        ),
    ),
)


def special(value: bytes) -> Change:
    """Return the change of the first float of a tensor."""

    def change(document: Json, content: bytes) -> tuple[Json, bytes]:
        entries, body = parts(content)
        name = next(name for name, entry in entries.items() if entry["dtype"] == "F64")
        begin = entries[name]["data_offsets"][0]
        return document, packed(json.dumps(entries).encode(), body[:begin] + value + body[begin + 8 :])

    return change


malformed("tensor-nan", "container.tensor: floats are finite", special(b"\xff" * 8), base="sums-of-tensors")
malformed(
    "tensor-infinity", "container.tensor: floats are finite", special(b"\0" * 6 + b"\xf0\x7f"), base="sums-of-tensors"
)
malformed(
    "multiplicities-of-floats",
    "container.tensor: an integer dtype",
    header(lambda h: next(entry for entry in h.values() if entry["dtype"] == "I32").update(dtype="F32")),
    base="zero-error-and-path",
)
