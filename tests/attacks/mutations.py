"""Seeded accidents: the same mutations on every machine."""

from __future__ import annotations

import copy
import json
import random
import re
import struct

WILD_TEXTS = (
    *("NaN", "Infinity", "-Infinity", "1e999", "-0.0", "-0", "1.5", "9223372036854775808", "18446744073709551616"),
    *("1000000000", "-1", "0", "null", "true", '""', "[]", "{}", '"\\ud800"', '"\\u0661"', '"1e-999999999"'),
    *("99999999999999999999", "123456789012345678901", '"-0"', '"+1"', '" 1"', '"0x10"', "[[[[1]]]]", '{"a": 1}'),
)
WILD_NUMBERS = (0, 1, 255, 256, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def flip(content: bytes, chance: random.Random) -> bytes:
    """Flip one to three bits."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def truncate(content: bytes, chance: random.Random) -> bytes:
    """Cut the end off."""
    return content[: chance.randrange(len(content))]


def splice(content: bytes, chance: random.Random) -> bytes:
    """Copy a piece to another place, over what is there or between."""
    begin, at = chance.randrange(len(content)), chance.randrange(len(content))
    piece = content[begin : begin + chance.randint(1, 40)]
    return content[:at] + piece + content[at + len(piece) * chance.randint(0, 1) :]


def lengthen(content: bytes, chance: random.Random) -> bytes:
    """Write a special number over two, four or eight bytes, as a length field might stand there."""
    kind = chance.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(kind)
    at = chance.randrange(max(1, min(len(content), 120) - size))
    number = chance.choice(WILD_NUMBERS) % (1 << (8 * size))
    return content[:at] + struct.pack(kind, number) + content[at + size :]


def insert(content: bytes, chance: random.Random) -> bytes:
    """Put strange bytes somewhere."""
    at = chance.randrange(len(content) + 1)
    strange = chance.choice(
        (b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\xed\xa0\x80", b"\xd9\xa1", b'"', b"\n")
    )
    return content[:at] + strange + content[at:]


BYTES = {"flip": flip, "truncate": truncate, "splice": splice, "length": lengthen, "insert": insert}


def of_bytes(content: bytes, count: int, seed: int):
    """Yield `count` (name, mutated content), each different from the original."""
    found = 0
    while found < count:
        kind = list(BYTES)[found % len(BYTES)]
        mutant, seed = BYTES[kind](content, random.Random(seed)), seed + 1
        if mutant != content:
            found += 1
            yield f"{kind}-{seed}", mutant


def places(value, path=()):
    """Yield the paths of all values in a document."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def at(value, path):
    """Return the value at a path."""
    for key in path:
        value = value[key]
    return value


def of_document(document, count: int, seed: int):
    """Yield `count` (name, mutated JSON): a value replaced by a wild one, nudged, deleted or exchanged.

    A wild value is a text ``@@...@@`` that `wild` replaces by what it contains, so that it may be no JSON at all.
    """
    paths = [path for path in places(document) if path]
    for number in range(count):
        chance = random.Random(seed + number)
        changed, path = copy.deepcopy(document), chance.choice(paths)
        parent, old, kind = (
            at(changed, path[:-1]),
            at(document, path),
            ("wild", "nudge", "delete", "exchange")[number % 4],
        )
        if kind == "nudge" and isinstance(old, int):
            parent[path[-1]] = old + chance.choice((-1, 1, 2, 64))
        elif kind == "nudge" and isinstance(old, str):
            digits = old.lstrip("-").isdigit()
            parent[path[-1]] = str(int(old) + chance.choice((-1, 1, 10**6))) if digits else old[::-1] or "x"
        elif kind == "delete":
            del parent[path[-1]]
        elif kind == "exchange":
            parent[path[-1]] = at(document, chance.choice(paths))
        else:
            parent[path[-1]] = f"@@{chance.choice(WILD_TEXTS)}@@"
        yield f"{kind}-{'/'.join(map(str, path))}-{seed + number}", wild(changed)


def wild(document) -> bytes:
    """Write a document with its wild values."""
    return re.sub(r'"@@(.*?)@@"', lambda found: json.loads(f'"{found[1]}"'), json.dumps(document, indent=1)).encode(
        "utf-8", "surrogatepass"
    )
