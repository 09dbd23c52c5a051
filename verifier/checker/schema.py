"""The document's form as a table of readers: each turns one JSON value into Python, or rejects it with its path.

Glossary: a *reader* is a function of (value, path); `record` reads an object with exactly the given keys into a
namespace that also has its path; *dyadics* become exact balls; array references stay references (see container.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from flint import arb

from .rejection import require

Reader = Callable[[Any, str], Any]

INPUT = -1  # the index of the network's input in a layer's list of inputs
MAX_EXTENT = 1 << 31  # any single extent of a shape
MAX_MANTISSA_DIGITS = 1300
MANTISSA = re.compile(r"0|-?[1-9][0-9]*")


def integer(least: int, most: int) -> Reader:
    """Read an integer in a range (true and false are no integers)."""

    def read(value: Any, path: str) -> int:
        require(type(value) is int, path, "schema.type", "must be an integer", type(value).__name__)
        require(least <= value <= most, path, "schema.value", f"must be an integer from {least} to {most}", value)
        return int(value)

    return read


def text(most: int) -> Reader:
    """Read a string of bounded length."""

    def read(value: Any, path: str) -> str:
        require(isinstance(value, str), path, "schema.type", "must be a string", type(value).__name__)
        require(len(value) <= most, path, "schema.value", f"must have at most {most} characters", len(value))
        return str(value)

    return read


def choice(*options: str) -> Reader:
    """Read a string that is one of the options."""

    def read(value: Any, path: str) -> str:
        known = isinstance(value, str) and value in options
        require(known, path, "schema.value", f"must be one of: {', '.join(options)}", str(value)[:100])
        return str(value)

    return read


def items(reader: Reader, least: int, most: int) -> Reader:
    """Read a list of bounded length."""

    def read(value: Any, path: str) -> list[Any]:
        require(isinstance(value, list), path, "schema.type", "must be a list", type(value).__name__)
        fits = least <= len(value) <= most
        require(fits, path, "schema.value", f"must have {least} to {most} entries", len(value))
        return [reader(item, f"{path}/{number}") for number, item in enumerate(value)]

    return read


def optional(reader: Reader) -> Reader:
    """Read a value or null."""
    return lambda value, path: None if value is None else reader(value, path)


def record(**readers: Reader) -> Reader:
    """Read an object that has exactly these keys."""

    def read(value: Any, path: str) -> SimpleNamespace:
        require(isinstance(value, dict), path, "schema.type", "must be an object", type(value).__name__)
        for key in readers:
            require(key in value, path, "schema.missing-key", f"the key {key} is missing")
        for key in value:
            require(key in readers, path, "schema.unknown-key", "an unknown key", key)
        return SimpleNamespace(path=path, **{key: read(value[key], f"{path}/{key}") for key, read in readers.items()})

    return read


def tagged(tag: str, **schemas: dict[str, Reader]) -> Reader:
    """Read an object whose other keys depend on one of them."""

    def read(value: Any, path: str) -> Any:
        require(isinstance(value, dict), path, "schema.type", "must be an object", type(value).__name__)
        require(tag in value, path, "schema.missing-key", f"the key {tag} is missing")
        found = choice(*schemas)(value[tag], f"{path}/{tag}")
        return record(**{tag: choice(found)}, **schemas[found])(value, path)

    return read


def version(value: Any, path: str) -> None:
    """Read the format's version."""
    known = type(value) is int and value == 1
    require(known, path, "schema.version", "this checker knows version 1 only", str(value)[:40], 1)


def mantissa(value: Any, path: str) -> int:
    """Read a decimal integer string."""
    digits: str = text(MAX_MANTISSA_DIGITS + 1)(value, path)
    plain = bool(MANTISSA.fullmatch(digits)) and len(digits.lstrip("-")) <= MAX_MANTISSA_DIGITS
    require(plain, path, "schema.value", "must be a decimal integer without leading zeros", digits)
    return int(digits)


def dyadic(value: Any, path: str) -> arb:
    """Read mantissa * 2^exponent as an exact ball."""
    parts = record(mantissa=mantissa, exponent=integer(-200_000, 200_000))(value, path)
    return arb((parts.mantissa, parts.exponent))


def source(value: Any, path: str) -> int:
    """Read the index of a layer, or "input"."""
    return INPUT if value == "input" else int(integer(0, MAX_LAYERS)(value, path))


def skip_units(value: Any, path: str) -> Any:
    """Read true, false or a list of units."""
    return value if isinstance(value, bool) else items(integer(0, MAX_EXTENT), 1, MAX_EXTENT)(value, path)


MAX_LAYERS = 10_000
MAX_BITS = 16_384
NOTE, NAME, EXTENT, EXTENTS = text(200), text(100), integer(1, MAX_EXTENT), items(integer(1, MAX_EXTENT), 0, 2)
TERM = record(tensor=NAME, exponent=integer(-20_000, 20_000))
ARRAY = record(shape=items(integer(1, 1 << 62), 1, 4), terms=items(TERM, 1, 160))
INPUTS = items(source, 1, MAX_LAYERS)
UNITS = {"inputs": INPUTS, "skip": skip_units, "activation": text(2000), "weight": ARRAY, "bias": ARRAY}
WINDOWS = {"kernel": EXTENTS, "stride": EXTENTS}
CONVOLUTION = {**UNITS, **WINDOWS, "filters": EXTENT, "bias_kind": choice("per-unit", "tied")}
POOL = {**WINDOWS, "inputs": items(source, 1, 1), "skip": skip_units}
LAYER = tagged("kind", dense={**UNITS, "units": EXTENT}, conv1d=CONVOLUTION, conv2d=CONVOLUTION, avgpool=POOL)
RANK: dict[str, Reader] = {
    "rank": EXTENT,
    "columns": optional(NAME),
    "feature_bits": integer(1, MAX_BITS),
    "right_inverse": ARRAY,
    "norm_products": integer(0, 12),
    "alpha": dyadic,
    "sigma_lower": dyadic,
}
REASON = choice("fewer-units", "equal-samples", "dependent-units")
MARGINS = {"precision": integer(32, MAX_BITS), "gamma": dyadic}
PATH: dict[str, Reader] = {
    "start_weights": ARRAY,
    "end_weights": ARRAY,
    "kappa": dyadic,
    "start_loss": record(lower=dyadic, upper=dyadic),
    "zero_error_t": dyadic,
    "targets": items(record(loss=dyadic, t=dyadic), 0, 64),
}
CLAIM = tagged(
    "label",
    R1={**RANK, "precision": integer(32, 64)},
    R3={**RANK, "precision": integer(65, MAX_BITS)},
    R5={"reason": REASON, "rank_at_most": integer(0, MAX_EXTENT)},
    Z1={**MARGINS, "output_weights": ARRAY},
    P1={**MARGINS, **PATH},
)
DATA = record(
    name=NOTE,
    scaling=NOTE,
    samples=EXTENT,
    dimension=EXTENT,
    classes=integer(2, MAX_EXTENT),
    inputs=ARRAY,
    labels=optional(NAME),
    multiplicities=optional(NAME),
    total=integer(1, 10**20),
)
DOCUMENT = record(
    format=choice("verifier-certificate"),
    version=version,
    semantics=choice("exact-real"),
    generator=record(name=NOTE, version=NOTE),
    trust=record(arithmetic=NOTE, python_flint=NOTE, flint=NOTE),
    arrays=record(file=NOTE, bytes=integer(8, 1 << 30), sha256=text(64)),
    data=DATA,
    network=record(input_shape=items(EXTENT, 1, 3), layers=items(LAYER, 1, MAX_LAYERS), skip_units=EXTENT),
    claims=items(CLAIM, 1, 16),
)
