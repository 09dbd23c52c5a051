"""The built-in properties of soundness; importing this package registers them all."""

from verifier.fuzz.properties import (
    architecture,
    bounds,
    certificate,
    connection,
    decay,
    enclosure,
    extrema,
    invariance,
    jacobian,
    memorisation,
    minimum,
    path,
    rank,
    sink,
    sink_path,
)
from verifier.fuzz.properties.core import PROPERTIES, Check, Falsified, Property, holds_for

__all__ = [
    "PROPERTIES",
    "Check",
    "Falsified",
    "Property",
    "architecture",
    "bounds",
    "certificate",
    "connection",
    "decay",
    "enclosure",
    "extrema",
    "holds_for",
    "invariance",
    "jacobian",
    "memorisation",
    "minimum",
    "path",
    "rank",
    "sink",
    "sink_path",
]
