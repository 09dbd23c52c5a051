"""Makes the corpus of certificates beside this file: `python make.py [FOLDER]`. Deterministic, standard library only.

Every case is a function that builds a document and its tensors with small dyadic numbers, so that a reader can follow
it with pencil and paper; `cases_rejected.py` and `cases_malformed.py` change one thing in an accepted certificate.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import json
import shutil
import struct
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

CODES = {"U8": "B", "I8": "b", "I16": "h", "I32": "i", "I64": "q", "F32": "f", "F64": "d"}
Json = dict[str, Any]
MODULES = (
    "cases_accepted",
    "cases_rejected",
    "cases_graphs",
    "cases_architecture",
    "cases_extrema",
    "cases_given_data",
    "cases_scaled",
    "cases_sink",
    "cases_jacobian",
    "cases_bounds",
    "cases_decay",
    "cases_minimum",
    "cases_connection",
    "cases_malformed",
)
"""What the cases are in; they register themselves when they are imported."""


def dyadic(value: Fraction | int | str) -> Json:
    """Write a dyadic number."""
    value = Fraction(value)
    exponent = value.denominator.bit_length() - 1
    if value.denominator != 1 << exponent:
        raise ValueError(f"{value} is not dyadic")
    return {"mantissa": str(value.numerator), "exponent": -exponent}


def flat(nested: Any) -> list[Any]:
    """List the entries of nested lists in C order."""
    return [entry for part in nested for entry in flat(part)] if isinstance(nested, list) else [nested]


def shape_of(nested: Any) -> list[int]:
    """Return the shape of nested lists or tuples."""
    return [len(nested), *shape_of(nested[0])] if isinstance(nested, list | tuple) else []


def node(kind: str, reads: list[int], **fields: Any) -> Json:
    """Return a node of a network."""
    return {"kind": kind, "reads": reads, **fields}


def weight_of(layer: int) -> int:
    """Return the node of a layer's weights, in a network of layers with weights alone."""
    return 4 * layer + 1


def bias_of(layer: int) -> int:
    """Return the node of its biases."""
    return 4 * layer + 2


def affine_of(layer: int) -> int:
    """Return the node of its pre-activations."""
    return 4 * layer + 3


def output_of(layer: int) -> int:
    """Return the node of its units."""
    return 4 * layer + 4


class Certificate:
    """A document under construction, and its tensors."""

    def __init__(self) -> None:
        self.tensors: dict[str, tuple[str, list[int], bytes]] = {}
        self.document: Json = {}

    def tensor(self, nested: Any, dtype: str = "I32", shape: list[int] | None = None) -> str:
        """Keep a tensor and return its name."""
        name = f"t{len(self.tensors)}"
        values = array(CODES[dtype], flat(nested))
        if sys.byteorder == "big":
            values.byteswap()
        self.tensors[name] = dtype, shape_of(nested) if shape is None else shape, values.tobytes()
        return name

    def exact(self, nested: Any) -> Json:
        """Keep an array of dyadic numbers (integers, fractions or texts such as "3/4")."""
        values = [Fraction(entry) for entry in flat(nested)]
        bits = max(value.denominator.bit_length() - 1 for value in values)
        integers = [int(value * (1 << bits)) for value in values]
        name = self.tensor(integers, "I64", shape_of(nested))
        return {"shape": shape_of(nested), "terms": [{"tensor": name, "exponent": -bits}]}

    def floats(self, nested: Any, dtype: str = "F64") -> Json:
        """Keep an array of floats."""
        return {"shape": shape_of(nested), "terms": [{"tensor": self.tensor(nested, dtype), "exponent": 0}]}

    def data(self, inputs: Any, labels: Any = None, classes: int = 2, times: list[int] | None = None) -> None:
        """Describe the data set."""
        self.document["data"] = {
            "name": "corpus",
            "scaling": "none",
            "samples": len(inputs),
            "dimension": len(inputs[0]),
            "classes": classes,
            "inputs": self.exact(inputs),
            "labels": None if labels is None else self.tensor(labels, "U8"),
            "multiplicities": None if times is None else self.tensor(times),
            "total": len(inputs) if times is None else sum(times),
        }

    def graph(self, nodes: list[Json], features: list[Json], columns: int) -> None:
        """Describe the network by its nodes."""
        self.document["network"] = {"nodes": nodes, "features": features, "columns": columns}

    def network(self, input_shape: list[int], layers: list[Json], columns: int, output_bias: bool = False) -> None:
        """Describe a network of layers: node 0 is the input, and each layer adds its nodes."""
        self.graph([node("input", [], shape=input_shape)], [], columns)
        for layer in layers:
            self.add_layer(layer)
        if output_bias:
            self.add(self.constant("output bias", [1]))
            self.feature(len(self.nodes) - 1)

    @property
    def nodes(self) -> list[Json]:
        """The nodes so far."""
        found: list[Json] = self.document["network"]["nodes"]
        return found

    def add(self, *nodes: Json) -> int:
        """Add nodes, and return the index of the last one."""
        self.nodes.extend(nodes)
        return len(self.nodes) - 1

    def feature(self, at: int, entries: list[int] | None = None) -> None:
        """Make a node's entries columns of Psi."""
        self.document["network"]["features"].append({"node": at, "entries": entries})

    def parameter(self, name: str, nested: Any, shape: list[int] | None = None) -> Json:
        """Return a free parameter; without values if `nested` is None."""
        shape = shape_of(nested) if shape is None else shape
        return node("parameter", [], name=name, shape=shape, values=None if nested is None else self.exact(nested))

    def constant(self, name: str, nested: Any) -> Json:
        """Return fixed numbers."""
        return node("constant", [], name=name, shape=shape_of(nested), values=self.exact(nested))

    def add_layer(self, layer: Json) -> None:
        """Add the nodes of a layer: weights, biases, the affine node, the activation; or a pool."""
        layer = dict(layer)
        skip, sources = layer.pop("skip"), [0 if s == "input" else output_of(s) for s in layer.pop("inputs")]
        number = (len(self.nodes) - 1) // 4
        if "activation" in layer:
            parts = [self.parameter(f"layer{number}.{key}", *layer.pop(key)) for key in ("weight", "bias")]
            weight = self.add(*parts) - 1
            activation = layer.pop("activation")
            inner = self.add(node("affine", [*sources, weight, weight + 1], **layer, bias=True))
            output = self.add(node("map", [inner], activation=activation))
        else:
            output = self.add(node("pool", sources, **layer))
        if skip is not False:
            self.feature(output, None if skip is True else skip)

    def add_units(self, sources: list[int], units: int, fan_in: int, activation: str) -> int:
        """Add the nodes of dense units without weights that read these nodes, and return the index of their output."""
        weight = self.add(self.parameter("w", None, [units, fan_in]), self.parameter("b", None, [units])) - 1
        inner = self.add(node("affine", [*sources, weight, weight + 1], over="all", bias=True))
        return self.add(node("map", [inner], activation=activation))

    def dense(self, weight: Any, bias: Any, activation: str, inputs: Any = ("input",), skip: Any = True) -> Json:
        """Return a dense layer with weights."""
        layer = {"inputs": list(inputs), "activation": activation, "skip": skip, "over": "all"}
        return layer | {"weight": (weight,), "bias": (bias,)}

    def bare(self, units: int, fan_in: int, activation: str, inputs: Any = ("input",), skip: Any = True) -> Json:
        """Return a dense layer without weights."""
        layer = {"inputs": list(inputs), "activation": activation, "skip": skip, "over": "all"}
        return layer | {"weight": (None, [units, fan_in]), "bias": (None, [units])}

    def conv1d(self, weight: Any, bias: Any, activation: str, padding: int = 0) -> Json:
        """Return a convolution of stride 1 along one axis, all of whose units are skip units.

        The biases are one for each filter, or one for each unit.
        """
        over = {"kernel": [len(weight[0][0])], "stride": [1], "padding": [padding], "dilation": [1], "groups": 1}
        layer = {"inputs": ["input"], "activation": activation, "skip": True, "over": over}
        return layer | {"weight": (weight,), "bias": (bias,)}

    def moved(self, layer: int, weight: Any, bias: Any) -> list[Json]:
        """Return other weights and biases of a layer, as entries of a point."""
        return [
            {"node": weight_of(layer), "values": self.exact(weight)},
            {"node": bias_of(layer), "values": self.exact(bias)},
        ]

    def claim(self, label: str, **keys: Any) -> None:
        """Add a claim."""
        self.document.setdefault("claims", []).append({"label": label, **keys})

    def header(self) -> dict[str, Any]:
        """Return the header of the arrays file."""
        header, position = {}, 0
        for name, (dtype, shape, content) in self.tensors.items():
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + len(content)]}
            position += len(content)
        return header

    def arrays(self) -> bytes:
        """Return the content of the arrays file, with the tensors that the document refers to."""
        text = json.dumps(self.document)
        self.tensors = {name: kept for name, kept in self.tensors.items() if f'"{name}"' in text}
        return packed(json.dumps(self.header()).encode(), b"".join(content for *_, content in self.tensors.values()))

    def files(self, name: str) -> tuple[bytes, bytes]:
        """Return the contents of both files, sealed."""
        content = self.arrays()
        document = {
            "format": "verifier-certificate",
            "version": 2,
            "semantics": "exact-real",
            "generator": {"name": "corpus", "version": "1"},
            "trust": {"arithmetic": "none", "python_flint": "-", "flint": "-"},
            "arrays": seal(name, content),
            **self.document,
        }
        return (json.dumps(document, indent=1) + "\n").encode(), content


def packed(header: bytes, body: bytes) -> bytes:
    """Return a safetensors file."""
    return struct.pack("<Q", len(header)) + header + body


def seal(name: str, content: bytes) -> Json:
    """Describe an arrays file."""
    return {"file": f"{name}.safetensors", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@dataclass
class Case:
    """One certificate of the corpus: its files, what a checker must say about it, and why."""

    name: str
    verdict: str
    rule: str | None
    why: str
    document: bytes
    arrays: bytes | None
    labels: list[str] = field(default_factory=list)


CASES: list[Case] = []
BASES: dict[str, Callable[[], Certificate]] = {}


def accepted(why: str) -> Callable[[Callable[[], Certificate]], Callable[[], Certificate]]:
    """Register a function whose certificate is true, by the function's name."""

    def register(build: Callable[[], Certificate]) -> Callable[[], Certificate]:
        name = build.__name__.replace("_", "-")
        certificate = build()
        labels = [claim["label"] for claim in certificate.document["claims"]]
        CASES.append(Case(name, "ACCEPTED", None, why, *certificate.files(name), labels))
        BASES[name] = build
        return build

    return register


def rejections(base: str) -> Callable[[str, str, Callable[[Certificate, Json], Any]], None]:
    """Return what registers an accepted certificate with one thing changed: no checker may accept it.

    It takes a name, "rule: why" and the change.
    """

    def register(name: str, said: str, change: Callable[[Certificate, Json], Any]) -> None:
        certificate = BASES[base]()
        change(certificate, certificate.document)
        labels = [claim["label"] for claim in certificate.document["claims"]]
        CASES.append(Case(name, "REJECTED", *said.split(": ", 1), *certificate.files(name), labels))

    return register


def malformed(
    name: str, said: str, change: Callable[[Json, bytes], Any], base: str = "full-rank", reseal: bool = True
) -> None:
    """Register files that are no certificate at all: "rule: why", and the document (or its bytes) and the arrays."""
    rule, why = said.split(": ", 1)
    first, content = BASES[base]().files(name)
    document = json.loads(first)
    found = change(document, content)
    content = found[1] if isinstance(found, tuple) else content
    text = found[0] if isinstance(found, tuple) else found
    text = document if text is None else text
    if isinstance(text, dict):
        text = copy.deepcopy(text)
        if reseal and content is not None and isinstance(text.get("arrays"), dict):
            text["arrays"] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        text = (json.dumps(text, indent=1) + "\n").encode()
    verdict = "UNREADABLE" if rule == "container.unreadable" else "REJECTED"
    CASES.append(Case(name, verdict, rule, why, text, content))


def folder_of(case: Case) -> str:
    """Return the folder of a case."""
    if case.verdict == "ACCEPTED":
        return "accepted"
    return "rejected" if case.labels else "malformed"


def write(folder: Path) -> None:
    """Write all cases and their index."""
    index = []
    for kind in ("accepted", "rejected", "malformed"):
        shutil.rmtree(folder / kind, ignore_errors=True)
        (folder / kind).mkdir(parents=True)
    for case in CASES:
        place = folder / folder_of(case) / f"{case.name}.json"
        if place.exists():
            raise ValueError(f"two cases are called {case.name}")
        place.write_bytes(case.document)
        if case.arrays is not None:
            place.with_suffix(".safetensors").write_bytes(case.arrays)
        entry = {"file": f"{folder_of(case)}/{case.name}.json", "verdict": case.verdict, "rule": case.rule}
        index.append(entry | {"labels": case.labels, "why": case.why})
    (folder / "index.json").write_text(json.dumps({"format": 2, "certificates": index}, indent=1) + "\n")


def main(arguments: list[str]) -> None:
    """Write the corpus to the folder that is named, by default this one."""
    here = Path(__file__).parent
    sys.path.insert(0, str(here))
    for cases in MODULES:
        importlib.import_module(cases)  # which registers them
    write(Path(arguments[0]) if arguments else here)


if __name__ == "__main__":
    sys.modules["make"] = sys.modules["__main__"]
    main(sys.argv[1:])
