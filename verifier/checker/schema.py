"""The document's form as a table, and the one function that reads a value by it.

Glossary: a schema is a dict (an object with exactly these keys, read as a namespace that also has its `path`), a list
[schema, least, most] (a list of bounded length), a range of step 1 (an integer in it; true and false are no integers),
an int (a text of at most that length), a frozenset (one of these texts), or a function of (value, path).
"""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from flint import arb, fmpq

from .common import require
from .nodes import KINDS

MAX_NODES, MAX_AXES, MAX_BITS, MAX_DIGITS = 1 << 16, 8, 16_384, 1300  # more is refused before anything is computed
MANTISSA = re.compile(r"0|-?[1-9][0-9]*")
TYPES: dict[type, type] = {dict: dict, list: list, range: int, int: str}


def read(schema: Any, value: Any, path: str) -> Any:
    """Guarantee: the value is exactly of the schema's form."""
    if callable(schema):
        return schema(value, path)
    if isinstance(schema, frozenset):
        known = isinstance(value, str) and value in schema
        require(known, path, "schema.value", f"must be one of: {', '.join(sorted(schema))}", str(value)[:100])
        return value
    kind = TYPES[type(schema)]
    require(type(value) is kind, path, "schema.type", f"must be of type {kind.__name__}", type(value).__name__)
    if kind is dict:
        for key in schema:
            require(key in value, path, "schema.missing-key", f"the key {key} is missing")
        for key in value:
            require(key in schema, path, "schema.unknown-key", "an unknown key", key)
        return SimpleNamespace(path=path, **{key: read(schema[key], value[key], f"{path}/{key}") for key in schema})
    if kind is list:
        entry, least, most = schema
        require(least <= len(value) <= most, path, "schema.value", f"must have {least} to {most} entries", len(value))
        if isinstance(entry, range) and set(map(type, value)) == {int} and min(value) in entry and max(value) in entry:
            return value  # at once: there may be millions of them
        return [read(entry, item, f"{path}/{number}") for number, item in enumerate(value)]
    if kind is int:
        require(value in schema, path, "schema.value", f"must be from {schema.start} to {schema.stop - 1}", value)
    else:
        require(len(value) <= schema, path, "schema.value", f"must have at most {schema} characters", len(value))
    return value


def optional(schema: Any) -> Callable[[Any, str], Any]:
    """Read a value or null."""
    return lambda value, path: None if value is None else read(schema, value, path)


def tagged(tag: str, **schemas: dict[str, Any]) -> Callable[[Any, str], Any]:
    """Read an object whose other keys depend on one of them."""

    def read_tagged(value: Any, path: str) -> Any:
        known = isinstance(value, dict) and tag in value
        found = read(frozenset(schemas), value[tag], f"{path}/{tag}") if known else next(iter(schemas))
        return read({tag: 100, **schemas[found]}, value, path)

    return read_tagged


VERSION = "this checker knows version 2 only; make the certificate anew"


def version(value: Any, path: str) -> None:
    """Read the number of the format, which must be 2: other formats are refused."""
    known, message = type(value) is int and value == 2, VERSION
    require(known, path, "schema.version", message, str(value)[:40], 2)


def dyadic(value: Any, path: str) -> arb:
    """Read mantissa * 2^exponent as an exact ball."""
    parts = read({"mantissa": MAX_DIGITS + 1, "exponent": range(-200_000, 200_001)}, value, path)
    plain = bool(MANTISSA.fullmatch(parts.mantissa)) and len(parts.mantissa.lstrip("-")) <= MAX_DIGITS
    require(plain, path + "/mantissa", "schema.value", "must be a plain decimal integer", parts.mantissa)
    return arb((int(parts.mantissa), parts.exponent))


def number(value: Any, path: str) -> fmpq:
    """Read an exact rational, numerator and denominator as texts."""
    numerator, denominator = read([MAX_DIGITS + 1, 2, 2], value, path)
    for text in (numerator, denominator):
        plain = bool(MANTISSA.fullmatch(text)) and len(text.lstrip("-")) <= MAX_DIGITS
        require(plain, path, "schema.value", "must be plain decimal integers", text[:40])
    require(int(denominator) > 0, path, "schema.value", "the denominator must be above 0", denominator[:40])
    return fmpq(int(numerator), int(denominator))


def rational(least: int, strict: bool = False) -> Callable[[Any, str], fmpq]:
    """Read an exact rational that is at least a number, or above it."""

    def read_rational(value: Any, path: str) -> fmpq:
        found = number(value, path)
        holds = found > least if strict else found >= least
        require(holds, path, "schema.value", f"must be {'above' if strict else 'at least'} {least}", str(found)[:40])
        return found

    return read_rational


def factor(value: Any, path: str) -> fmpq:
    """Read an exact rational that is not 0."""
    found = number(value, path)
    require(found != 0, path, "schema.value", "must not be 0", "0")
    return found


def truth(value: Any, path: str) -> bool:
    """Read a JSON true or false; 0 and 1 are neither."""
    require(type(value) is bool, path, "schema.type", "must be true or false", type(value).__name__)
    return bool(value)


def over(value: Any, path: str) -> Any:
    """Read what the units of an affine node read: everything, the last axis, or a window."""
    return read(WINDOW | {"groups": EXTENT} if isinstance(value, dict) else frozenset({"all", "last"}), value, path)


NOTE, NAME, EXTENT, INDEX = 200, 100, range(1, (1 << 31) + 1), range(1 << 31)
TERM = {"tensor": NAME, "exponent": range(-20_000, 20_001)}
ARRAY = {"shape": [range(1, (1 << 62) + 1), 1, MAX_AXES], "terms": [TERM, 1, 160]}
SHAPE, AXES = [EXTENT, 0, MAX_AXES], [EXTENT, 0, MAX_AXES]
WINDOW = {"kernel": AXES, "stride": AXES, "padding": [INDEX, 0, MAX_AXES], "dilation": AXES}
STORED = {"name": NOTE, "shape": SHAPE, "values": optional(ARRAY)}
EPSILON = {"epsilon": rational(0)}
# of each kind of node the keys beside "kind" and "reads"
NODES: dict[str, dict[str, Any]] = {"input": {"shape": SHAPE}, "parameter": STORED, "map": {"activation": 2000}}
NODES |= {"constant": STORED | {"values": ARRAY}, "affine": {"over": over, "bias": truth}, "scale": {"factor": factor}}
NODES |= {"contract": {"transposed": truth}}
NODES |= {"inverse-root": EPSILON, "normalise": EPSILON | {"centre": truth}, "attend": {"square": rational(0, True)}}
NODES |= {"reduce": {"how": frozenset({"sum", "mean", "max"}), "axes": range(1, MAX_AXES + 1)}}
NODES |= {"pool": {"how": frozenset({"mean", "max"})} | WINDOW, "reshape": {"shape": SHAPE}, "expand": {"shape": SHAPE}}
NODES |= {"permute": {"axes": [range(MAX_AXES), 0, MAX_AXES]}, "concatenate": {"axis": range(MAX_AXES)}}
NODES |= {"take": {"axis": range(MAX_AXES), "entries": [INDEX, 1, 1 << 31]}}
NODES |= {kind: {} for kind in KINDS if kind not in NODES}
READS = {"reads": [range(MAX_NODES), 0, MAX_NODES]}
NODE = tagged("kind", **{kind: READS | fields for kind, fields in NODES.items()})
FEATURE = {"node": range(MAX_NODES), "entries": optional([INDEX, 1, 1 << 31])}
NETWORK = {"nodes": [NODE, 1, MAX_NODES], "features": [FEATURE, 1, MAX_NODES], "columns": EXTENT}
MOVED = {"node": range(MAX_NODES), "values": ARRAY}
POINT = [MOVED, 1, MAX_NODES]
AT, BOUNDS = {"precision": range(32, MAX_BITS + 1)}, {"lower": dyadic, "upper": dyadic}
RANK = {"rank": EXTENT, "columns": optional(NAME), "feature_bits": range(1, MAX_BITS + 1), "right_inverse": ARRAY}
RANK |= {"norm_products": range(13), "alpha": dyadic, "sigma_lower": dyadic}
REASONS = frozenset({"fewer-units", "equal-samples", "dependent-units", "every-u"})
START, ZERO = AT | {"start_weights": ARRAY}, AT | {"output_weights": ARRAY, "gamma": dyadic}
PATH = START | {"end_weights": ARRAY, "gamma": dyadic, "kappa": dyadic, "start_loss": BOUNDS, "zero_error_t": dyadic}
PATH |= {"targets": [{"loss": dyadic, "t": dyadic}, 0, 64]}
MOVE = PATH | {"moved": POINT, "pieces": range(1, 4097)}
LOSSES = frozenset({"cross-entropy", "squared", "weston-watkins", "crammer-singer", "one-vs-rest", "squared-error"})
LOSS = START | {"loss": LOSSES, "class_weights": optional([dyadic, 2, 10_000]), "label_counts": optional(NAME)}
LOSS |= {"end_weights": ARRAY, "start_loss": BOUNDS, "end_loss": dyadic, "infimum": BOUNDS, "gamma": optional(dyadic)}
LINK = {"node": range(MAX_NODES), "unit": INDEX, "weight": dyadic, "bias": dyadic}
BLOCK = {"node": range(MAX_NODES), "links": range(1001), "weight": dyadic, "units": NAME, "biases": ARRAY}
WITNESS = AT | {"direction": NAME, "chain": [LINK, 0, 1000], "radius": optional(dyadic)}
CLAIMS: dict[str, dict[str, Any]] = {"R5": {"reason": REASONS, "rank_at_most": INDEX}, "P1": PATH, "TC.3": LOSS}
CLAIMS |= {"R1": RANK | {"precision": range(32, 65)}, "R3": RANK | {"precision": range(65, MAX_BITS + 1)}}
CLAIMS["B1"] = {"radius": dyadic}
CLAIMS["R6"] = {"rank": INDEX}
CLAIMS["Z0.loss"] = AT | {"label_counts": optional(NAME), "output_weights": ARRAY, "support": NAME}
CLAIMS["Z0.loss"] |= {"equal": [[INDEX, 1, 1 << 31], 0, 1 << 31], "loss_lower": dyadic}
CLAIMS["Z0.error"] = AT | {"output_weights": ARRAY, "error_lower": dyadic}
CLAIMS["Z0"] = {"samples": [INDEX, 1, 10_000], "against": [INDEX, 1, 10_000], "factors": [4000, 1, 10_000]}
CLAIMS |= {"Z1": ZERO, "Z2": ZERO | {"radius": dyadic}, "C1": START | {"gradient_lower": dyadic}}
CLAIMS |= {"C3": START | {"unit": INDEX, "output": INDEX, "curvature_lower": dyadic}}
CLAIMS |= {"C4": {"node": optional(INDEX)}, "C2+": {}}
CLAIMS["GDV"] = START | {"end_weights": ARRAY, "smoothness": dyadic, "feature_bits": range(1, MAX_BITS + 1)}
CLAIMS["GDV"] |= {"loss": dyadic, "steps": range(1, 10**18)}  # Coq: GDV T_gt0
CLAIMS |= {"W0": {}, "W1": WITNESS | {"blocks": [BLOCK, 1, 1000]}, "W2": WITNESS | {"blocks": [BLOCK, 1, 1]}}
CLAIMS |= {"E1": MOVE | {"moved_weights": ARRAY}, "E2": PATH | {"moved": POINT, "rerouted": optional(POINT)}}
CLAIMS |= {"E3": MOVE | {"epsilon": dyadic}, "E4.path": MOVE | {"right_inverse": ARRAY}}
CLAIMS["S.path"] = PATH | {"moved": POINT}
CLAIMS |= {"E4": AT | {"separating": optional(POINT)}}
UNITS = [{"node": range(MAX_NODES), "count": EXTENT}, 0, MAX_NODES]
CLAIMS |= {"D": {}, "A": {"units": UNITS}}
CLAIMS["WD"] = AT | {"weight_decay": dyadic, "moved": optional(POINT), "moved_weights": ARRAY, "value": dyadic}
JACOBIAN = AT | {"point": optional(POINT), "weights": ARRAY, "columns": optional(NAME), "right_inverse": ARRAY}
CLAIMS |= {"J1": JACOBIAN | {"reduced": truth, "everywhere": truth}}
CLAIMS |= {"J2": JACOBIAN | {"start_weights": ARRAY, "rho": dyadic, "distance": dyadic}}
CLAIMS |= {"J3": JACOBIAN | {"almost_every_data": truth}}
BETTER = {"point": optional(POINT), "weights": ARRAY, "loss": dyadic}
CLAIMS["BM"] = AT | {"label_counts": optional(NAME), "weights": ARRAY, "radius": dyadic, "curvature": dyadic}
CLAIMS["BM"] |= {"gradient": dyadic, "value": BOUNDS, "better": optional(BETTER)}
CORNER, TWO = [MOVED, 0, MAX_NODES], START | {"end_weights": ARRAY, "start_loss": BOUNDS, "end_loss": BOUNDS}
PIECE = {"leg": range(256), "until": rational(0, True), "weights": range(4096)}
CLAIMS["MC"] = TWO | {"corners": [CORNER, 0, 256], "weights": [ARRAY, 0, 4096], "pieces": [PIECE, 0, 1 << 16]}
CLAIMS["MC"] |= {"gamma": optional(dyadic), "kappa": optional(dyadic)}
CLAIMS["MC.line"] = TWO | {"end": CORNER, "pieces": [rational(0), 2, 1 << 16], "time": rational(0)}
CLAIMS["MC.line"] |= {"loss_lower": dyadic, "loss_upper": dyadic}
LAYER = {"node": range(MAX_NODES)}
CLAIMS |= {"S": AT | LAYER | {"direction": NAME}, "S(1)": LAYER, "S(2)": LAYER, "S+": LAYER}
CLAIMS["I"] = {}
CLAIMS["A.data"] = {"units": [{"node": range(MAX_NODES), "entries": [INDEX, 1, 1 << 31]}, 0, MAX_NODES]}
# Coq: Samples samples_gt0, Samples classes_gt1, C4_zero N_gt0, C2_plus m_gt0, C2_plus_reduced m_gt0, X1 m_gt0
DATA = {"name": NOTE, "scaling": NOTE, "samples": EXTENT, "dimension": EXTENT, "classes": range(2, 1 << 31)}
DATA |= {
    "inputs": optional(ARRAY),
    "labels": optional(NAME),
    "multiplicities": optional(NAME),
    "total": range(1, 10**20),  # Coq: X1 n_gt0
}
BESIDE = {"offset": ARRAY, "arcs": NAME, "targets": ARRAY}  # keys of the data that may be absent


def any_data(value: Any, path: str) -> Any:
    """Read the data; only those with real targets, frozen logits or missing arcs to the outputs have these keys."""
    more = {key: schema for key, schema in BESIDE.items() if isinstance(value, dict) and key in value}
    if "targets" in more:
        # Coq: C2_plus m_gt0, C2_plus_reduced m_gt0, X1 m_gt0
        more["classes"] = range(1, 1 << 31)  # one real target is enough
    return read(DATA | more, value, path)


DOCUMENT: dict[str, Any] = {"format": frozenset({"verifier-certificate"}), "version": version}
DOCUMENT |= {"semantics": frozenset({"exact-real"}), "generator": {"name": NOTE, "version": NOTE}}
DOCUMENT |= {"trust": {"arithmetic": NOTE, "python_flint": NOTE, "flint": NOTE}, "data": any_data, "network": NETWORK}
DOCUMENT |= {"arrays": {"file": NOTE, "bytes": range(8, (1 << 30) + 1), "sha256": 64}}
DOCUMENT |= {"claims": [tagged("label", **CLAIMS), 1, 32]}
NOTED: dict[str, Any] = DOCUMENT | {"left_out": [NOTE, 1, 16]}


def document(value: Any, path: str) -> Any:
    """Read the document; only one from which its writer left claims out says so, for people."""
    return read(NOTED if isinstance(value, dict) and "left_out" in value else DOCUMENT, value, path)
