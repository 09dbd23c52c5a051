"""A small certificate writer for the tests: struct and json, nothing of the package."""

from __future__ import annotations

import array
import hashlib
import json
from fractions import Fraction
from pathlib import Path

from certificates.make import CODES, dyadic, packed, shape_of

__all__ = ["Builder", "dyadic", "pack", "write"]


def flatten(nested):
    """List the entries of nested lists or tuples in C order."""
    if not isinstance(nested, list | tuple):
        return [nested]
    if nested and not isinstance(nested[0], list | tuple):
        return list(nested)
    return [x for part in nested for x in flatten(part)]


class Builder:
    """Collects tensors and makes the document around claims and a network."""

    def __init__(self):
        self.tensors = {}

    def tensor(self, nested, dtype, shape=None):
        name = f"T.{len(self.tensors)}"
        self.tensors[name] = (dtype, shape or shape_of(nested), flatten(nested))
        return name

    def exact(self, nested, shape=None):
        """One integer term with a common exponent."""
        values = [Fraction(v) if isinstance(v, float) else v for v in flatten(nested)]
        power = max(v.denominator.bit_length() - 1 for v in values)
        assert all((1 << power) % v.denominator == 0 for v in values)
        shape = shape or shape_of(nested)
        name = self.tensor([v.numerator * ((1 << power) // v.denominator) for v in values], "I64", shape)
        return {"shape": list(shape), "terms": [{"tensor": name, "exponent": -power}]}

    def floats(self, nested, dtype="F64"):
        return {"shape": shape_of(nested), "terms": [{"tensor": self.tensor(nested, dtype), "exponent": 0}]}

    def dense(self, weight, bias, activation="t", inputs=("input",), skip=True):
        return {
            "kind": "dense",
            "inputs": list(inputs),
            "activation": activation,
            "units": len(weight),
            "skip": skip,
            "weight": self.exact(weight),
            "bias": self.exact(bias),
        }

    def data(self, inputs, labels=None, classes=2, multiplicities=None):
        return {
            "name": "toy",
            "scaling": "none",
            "samples": len(inputs),
            "dimension": len(inputs[0]),
            "classes": classes,
            "inputs": self.exact(inputs),
            "labels": None if labels is None else self.tensor(labels, "U8"),
            "multiplicities": None if multiplicities is None else self.tensor(multiplicities, "I32"),
            "total": sum(multiplicities or [1] * len(inputs)),
        }

    def right_inverse(self, x, *, rank, precision=64, columns=None, feature_bits=20, products=0, alpha, sigma):
        return {
            "label": "R1" if precision <= 64 else "R3",
            "precision": precision,
            "rank": rank,
            "columns": None if columns is None else self.tensor(columns, "I32"),
            "feature_bits": feature_bits,
            "right_inverse": self.exact(x),
            "norm_products": products,
            "alpha": dyadic(alpha),
            "sigma_lower": dyadic(sigma),
        }

    def document(self, data, input_shape, layers, skip_units, claims):
        return {
            "format": "verifier-certificate",
            "version": 2,
            "semantics": "exact-real",
            "generator": {"name": "tests", "version": "0"},
            "trust": {"arithmetic": "arb", "python_flint": "-", "flint": "-"},
            "arrays": {"file": "c.safetensors", "bytes": 0, "sha256": ""},
            "data": data,
            "network": graph(input_shape, layers, skip_units),
            "claims": claims,
        }

    def arrays(self):
        header, body = {}, b""
        for name, (dtype, shape, values) in self.tensors.items():
            content = array.array(CODES[dtype], values).tobytes()
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(content)]}
            body += content
        return pack(header, body)


def graph(input_shape, layers, columns):
    """Describe layers as nodes: weights, biases, affine, map; or one pool. See `output_of`."""
    nodes, features, outputs = [{"kind": "input", "reads": [], "shape": input_shape}], [], {"input": 0}
    for number, layer in enumerate(layers):
        sources = [outputs.get(source, source) for source in layer["inputs"]]
        if layer["kind"] == "avgpool":
            axes = len(layer["kernel"])
            window = {"kernel": layer["kernel"], "stride": layer["stride"], "dilation": [1] * axes}
            window |= {"padding": layer.get("padding", [0] * axes)}
            nodes.append({"kind": "pool", "reads": sources, "how": "mean", **window})
        else:
            nodes += unit_nodes(number, layer, sources, len(nodes))
        outputs[number] = len(nodes) - 1
        if layer["skip"] is not False:
            features.append({"node": outputs[number], "entries": None if layer["skip"] is True else layer["skip"]})
    return {"nodes": nodes, "features": features, "columns": columns}


def unit_nodes(number, layer, sources, first):
    """Return the four nodes of a layer with weights."""
    dense, over = layer["kind"] == "dense", "all"
    if not dense:
        axes = len(layer["kernel"])
        over = {"kernel": layer["kernel"], "stride": layer["stride"], "groups": 1, "dilation": [1] * axes}
        over |= {"padding": layer.get("padding", [0] * axes)}
    shapes = {key: layer[key] and layer[key]["shape"] for key in ("weight", "bias")}
    shapes |= {key: layer[f"{key}_shape"] for key in shapes if f"{key}_shape" in layer}
    found = []
    for key, shape in shapes.items():
        stored = {"name": f"layer{number}.{key}", "shape": shape, "values": layer[key]}
        found.append({"kind": "parameter", "reads": [], **stored})
    found.append({"kind": "affine", "reads": [*sources, first, first + 1], "over": over, "bias": True})
    return [*found, {"kind": "map", "reads": [first + 2], "activation": layer["activation"]}]


def output_of(document, layer):
    """Return the node that is the output of a layer: one of units, or a pool."""
    nodes = document["network"]["nodes"]
    return [number for number, node in enumerate(nodes) if node["kind"] in ("map", "pool")][layer]


def node_of(document, layer, kind):
    """Return a node of a layer of units: its "map", "affine", "weight" or "bias"."""
    back = {"map": 0, "affine": 1, "bias": 2, "weight": 3}[kind]
    return document["network"]["nodes"][output_of(document, layer) - back]


def pack(header, body):
    """Return a safetensors file, whose header may be no JSON."""
    return packed(header if isinstance(header, bytes) else json.dumps(header).encode(), body)


def write(folder: Path, document, arrays: bytes, fix=True, name="c.json"):
    """Write both files (with the right size and hash unless `fix` is false)."""
    if fix:
        document["arrays"] |= {"bytes": len(arrays), "sha256": hashlib.sha256(arrays).hexdigest()}
    path = folder / name
    for old in (folder / "c.safetensors", path):
        old.unlink(missing_ok=True)  # a file that is cut to nothing and written again waits for the disk
    (folder / "c.safetensors").write_bytes(arrays)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path
