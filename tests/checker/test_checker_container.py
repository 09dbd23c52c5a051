"""Malformed and hostile files: each one is rejected by the named rule."""

import array
import json
import os
import struct
from fractions import Fraction
from random import Random

import pytest
from checker_toy import toy
from checker_writer import CODES, Builder, pack, write

from verifier.checker.certificate import check_file
from verifier.checker.container import Arrays
from verifier.checker.schema import ARRAY, read


def verdict(path):
    outcome = check_file(str(path), 1)
    return outcome.verdict, None if outcome.rejection is None else outcome.rejection.rule


def test_toy_is_accepted(tmp_path):
    builder, document = toy()
    outcome = check_file(str(write(tmp_path, document, builder.arrays())), 1)
    assert outcome.verdict == "ACCEPTED", outcome.rejection
    assert [claim["label"] for claim in outcome.claims] == ["R1", "R3", "Z1", "P1"]


def put(*path, value):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


def drop(*path):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return change


DOCUMENTS = {
    "format": (put("format", value="other"), "schema.value"),
    "version 3": (put("version", value=3), "schema.version"),
    "version true": (put("version", value=True), "schema.version"),
    "semantics": (put("semantics", value="binary64"), "schema.value"),
    "unknown key": (put("extra", value=1), "schema.unknown-key"),
    "missing key": (drop("trust"), "schema.missing-key"),
    "no format": (drop("format"), "schema.missing-key"),
    "generator type": (put("generator", value=[]), "schema.type"),
    "generator long": (put("generator", "name", value="x" * 201), "schema.value"),
    "arrays unknown key": (put("arrays", "offset", value=0), "schema.unknown-key"),
    "samples bool": (put("data", "samples", value=True), "schema.type"),
    "samples string": (put("data", "samples", value="3"), "schema.type"),
    "samples negative": (put("data", "samples", value=-3), "schema.value"),
    "samples wrong": (put("data", "samples", value=4), "shape"),
    "dimension huge": (put("data", "dimension", value=10**19), "schema.value"),
    "classes 1": (put("data", "classes", value=1), "schema.value"),
    "total": (put("data", "total", value=3), "data.multiplicities"),
    "inputs null": (put("data", "inputs", value=None), "data.inputs"),
    "labels missing tensor": (put("data", "labels", value="T.99"), "container.tensor"),
    "labels wrong length": (put("data", "labels", value="T.3"), "shape"),
    "labels number": (put("data", "labels", value=7), "schema.type"),
    "no labels": (put("data", "labels", value=None), "data.labels"),
    "shape": (put("data", "inputs", "shape", value=[2, 3]), "shape"),
    "shape overflow": (put("data", "inputs", "shape", value=[2**62, 4]), "shape"),
    "shape negative": (put("data", "inputs", "shape", 0, value=-3), "schema.value"),
    "terms empty": (put("data", "inputs", "terms", value=[]), "schema.value"),
    "term exponent bomb": (put("data", "inputs", "terms", 0, "exponent", value=20001), "schema.value"),
    "term exponent huge": (put("data", "inputs", "terms", 0, "exponent", value=10**19), "schema.value"),
    "too many terms": (put("data", "inputs", "terms", value=[{"tensor": "T.0", "exponent": 0}] * 161), "schema.value"),
    "version 1": (put("version", value=1), "schema.version"),
    "input shape": (put("network", "nodes", 0, "shape", value=[3]), "network.node"),
    "input shape empty": (put("network", "nodes", 0, "shape", value=[]), "network.node"),
    "input extent 0": (put("network", "nodes", 0, "shape", value=[0, 2]), "schema.value"),
    "input with values": (put("network", "nodes", 0, "values", value=None), "schema.unknown-key"),
    "nodes empty": (put("network", "nodes", value=[]), "schema.value"),
    "nodes object": (put("network", "nodes", value={}), "schema.type"),
    "node kind": (put("network", "nodes", 3, "kind", value="dense"), "schema.value"),
    "node kind list": (put("network", "nodes", 3, "kind", value=["affine"]), "schema.value"),
    "node key": (put("network", "nodes", 3, "kernel", value=[1]), "schema.unknown-key"),
    "node without reads": (lambda d: d["network"]["nodes"][3].pop("reads"), "schema.missing-key"),
    "node reads itself": (put("network", "nodes", 4, "reads", value=[4]), "network.reads"),
    "node reads a later one": (put("network", "nodes", 3, "reads", value=[0, 1, 4]), "network.reads"),
    "node reads too many": (put("network", "nodes", 4, "reads", value=[3, 3]), "network.reads"),
    "node reads nothing": (put("network", "nodes", 3, "reads", value=[]), "network.reads"),
    "node reads -1": (put("network", "nodes", 4, "reads", value=[-1]), "schema.value"),
    "swapped reads": (put("network", "nodes", 3, "reads", value=[0, 2, 1]), "network.node"),
    "another input": (put("network", "nodes", 4, value={"kind": "input", "reads": [], "shape": [2]}), "network.node"),
    "the input is no input": (lambda d: d["network"]["nodes"].reverse(), "network.node"),
    "weights of the sample": (put("network", "nodes", 3, "reads", value=[0, 0, 2]), "network.node"),
    "weights of another shape": (put("network", "nodes", 1, "shape", value=[2, 4]), "shape"),
    "parameter without values": (put("network", "nodes", 1, "values", value=None), "network.values"),
    "constant without values": (
        put(
            "network", "nodes", 1, value={"kind": "constant", "reads": [], "name": "w", "shape": [4, 2], "values": None}
        ),
        "schema.type",
    ),
    "over something": (put("network", "nodes", 3, "over", value="first"), "schema.value"),
    "over nothing": (put("network", "nodes", 3, "over", value=None), "schema.value"),
    "bias number": (put("network", "nodes", 3, "bias", value=1), "schema.type"),
    "bias left out": (put("network", "nodes", 3, "bias", value=False), "network.node"),
    "features empty": (put("network", "features", value=[]), "schema.value"),
    "feature of no node": (put("network", "features", 0, "node", value=5), "schema.value"),
    "entries wrong": (put("network", "features", 0, "entries", value=[0, 1]), "network.features"),
    "entries decreasing": (put("network", "features", 0, "entries", value=[0, 2, 1, 3]), "network.features"),
    "entries twice": (put("network", "features", 0, "entries", value=[0, 1, 1, 3]), "network.features"),
    "entries outside": (put("network", "features", 0, "entries", value=[0, 1, 2, 4]), "network.features"),
    "entries number": (put("network", "features", 0, "entries", value=1), "schema.type"),
    "columns": (put("network", "columns", value=3), "network.features"),
    "claims empty": (put("claims", value=[]), "schema.value"),
    "claims too many": (lambda d: put("claims", value=d["claims"] * 17)(d), "schema.value"),
    "label": (put("claims", 0, "label", value="R2"), "schema.value"),
    "label list": (put("claims", 0, "label", value=[]), "schema.value"),
    "R1 at 65 bits": (put("claims", 0, "precision", value=65), "schema.value"),
    "R3 at 64 bits": (put("claims", 1, "precision", value=64), "schema.value"),
    "precision bomb": (put("claims", 1, "precision", value=16385), "schema.value"),
    "feature bits 0": (put("claims", 0, "feature_bits", value=0), "schema.value"),
    "norm products": (put("claims", 0, "norm_products", value=13), "schema.value"),
    "mantissa plus": (put("claims", 0, "alpha", "mantissa", value="+1"), "schema.value"),
    "mantissa zero": (put("claims", 0, "alpha", "mantissa", value="01"), "schema.value"),
    "mantissa minus zero": (put("claims", 0, "alpha", "mantissa", value="-0"), "schema.value"),
    "mantissa newline": (put("claims", 0, "alpha", "mantissa", value="1\n"), "schema.value"),
    "mantissa long": (put("claims", 0, "alpha", "mantissa", value="9" * 1301), "schema.value"),
    "mantissa number": (put("claims", 0, "alpha", "mantissa", value=1), "schema.type"),
    "mantissa digits of another script": (put("claims", 0, "alpha", "mantissa", value="١"), "schema.value"),
    "dyadic exponent": (put("claims", 0, "alpha", "exponent", value=200001), "schema.value"),
    "dyadic string": (put("claims", 0, "alpha", value="0x1p-3"), "schema.type"),
    "file traversal": (put("arrays", "file", value="../c.safetensors"), "container.file"),
    "file absolute": (put("arrays", "file", value="/etc/passwd"), "container.file"),
    "file hidden": (put("arrays", "file", value=".c"), "container.file"),
    "file nul": (put("arrays", "file", value="a\0b"), "container.file"),
    "file empty": (put("arrays", "file", value=""), "container.file"),
    "file backslash": (put("arrays", "file", value="a\\b"), "container.file"),
    "file is a folder": (put("arrays", "file", value="folder"), "container.file"),
    "file is a pipe": (put("arrays", "file", value="pipe"), "container.file"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_malformed_document(name, tmp_path):
    change, rule = DOCUMENTS[name]
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    builder, document = toy()
    change(document)
    assert verdict(write(tmp_path, document, builder.arrays())) == ("REJECTED", rule)


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("bytes", 7, "schema.value"),
        ("bytes", 2**40, "schema.value"),
        ("bytes", 100, "container.size"),
        ("bytes", 100_000, "container.size"),
        ("sha256", "0" * 64, "container.hash"),
        ("sha256", "", "container.hash"),
    ],
)
def test_size_and_hash(key, value, rule, tmp_path):
    builder, document = toy()
    path = write(tmp_path, document, builder.arrays())
    document["arrays"][key] = value
    assert verdict(write(tmp_path, document, builder.arrays(), fix=False)) == ("REJECTED", rule)
    assert path.exists()


def test_changed_byte(tmp_path):
    builder, document = toy()
    path = write(tmp_path, document, builder.arrays())
    content = bytearray((tmp_path / "c.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "c.safetensors").write_bytes(content)
    assert verdict(path) == ("REJECTED", "container.hash")


TEXTS = {
    "empty": ("", "container.json"),
    "not json": ("{", "container.json"),
    "trailing": ("{} {}", "container.json"),
    "list": ("[]", "schema.type"),
    "float": ('{"format": 1.0}', "container.json"),
    "float exponent": ('{"format": 1e400}', "container.json"),
    "nan": ('{"format": NaN}', "container.json"),
    "infinity": ('{"format": -Infinity}', "container.json"),
    "duplicate key": ('{"format": "a", "format": "a"}', "container.duplicate-key"),
    "duplicate key inside": ('{"format": {"a": 1, "a": 1}}', "container.duplicate-key"),
    "many digits": ('{"format": ' + "1" * 21 + "}", "container.json"),
    "digit bomb": ('{"format": ' + "1" * 10**6 + "}", "container.json"),
    "deep": ("[" * 10**6, "container.json"),
    "byte order mark": ("\ufeff{}", "container.json"),
    "control character": ('{"format": "\n"}', "container.json"),
    "large": (" " * ((16 << 20) + 1), "container.size"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_malformed_text(name, tmp_path):
    text, rule = TEXTS[name]
    path = tmp_path / "c.json"
    path.write_text(text, encoding="utf-8")
    assert verdict(path) == ("REJECTED", rule)


def test_not_utf8(tmp_path):
    path = tmp_path / "c.json"
    path.write_bytes(b'{"format": "\xff"}')
    assert verdict(path) == ("REJECTED", "container.json")


def headers(header, body):
    """Yield (name, header, body, rule) for damaged array files."""

    def changed(key, **what):
        return {**header, key: {**header[key], **what}}

    first = header["T.0"]
    end = first["data_offsets"][1]
    yield "metadata", {**header, "__metadata__": {}}, body, "container.tensor"
    yield "bad name", {**header, "a/b": first}, body, "container.tensor"
    yield "no name", {**header, "": first}, body, "container.tensor"
    yield "list", [], body, "container.header"
    yield "entry is a list", {**header, "T.0": []}, body, "container.tensor"
    yield "entry key", changed("T.0", extra=1), body, "container.tensor"
    yield "dtype", changed("T.0", dtype="F16"), body, "container.tensor"
    yield "dtype list", changed("T.0", dtype=["I64"]), body, "container.tensor"
    yield "shape negative", changed("T.0", shape=[-3, -2]), body, "container.tensor"
    yield "shape overflow", changed("T.0", shape=[2**32, 2**32]), body, "container.tensor"
    yield "shape zero", changed("T.0", shape=[0]), body, "container.tensor"
    yield "shape bool", changed("T.0", shape=[True, 6]), body, "container.tensor"
    yield "shape empty", changed("T.0", shape=[]), body, "container.tensor"
    yield "shape long", changed("T.0", shape=[1] * 7 + [3, 2]), body, "container.tensor"
    yield "offset reversed", changed("T.0", data_offsets=[end, 0]), body, "container.tensor"
    yield "offset one", changed("T.0", data_offsets=[0]), body, "container.tensor"
    yield "offset beyond", changed("T.0", data_offsets=[len(body), len(body) + end]), body, "container.tensor"
    yield "overlap", {**header, "Z": first}, body, "container.tensor"
    yield "gap", {k: v for k, v in header.items() if k != "T.1"}, body, "container.tensor"
    yield "trailing", header, body + b"\0", "container.tensor"
    yield "truncated", header, body[:-1], "container.tensor"
    extra = {"dtype": "U8", "shape": [1], "data_offsets": [len(body), len(body) + 1]}
    yield "unreferenced", {**header, "Z": extra}, body + b"\0", "container.unreferenced"
    text = json.dumps(header)
    twice = text.replace('"T.1"', '"T.0"', 1).encode()
    yield "duplicate name", twice, body, "container.duplicate-key"
    yield (
        "duplicate inside",
        text.replace('"dtype"', '"dtype": "I64", "dtype"', 1).encode(),
        body,
        "container.duplicate-key",
    )
    yield "float in header", text.replace("[3, 2]", "[3.0, 2]", 1).encode(), body, "container.json"
    yield "space first", b" " + text.encode(), body, "container.header"


def parts():
    builder, _ = toy()
    content = builder.arrays()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


CASES = {name: rest for name, *rest in headers(*parts())}


@pytest.mark.parametrize("name", CASES)
def test_malformed_arrays(name, tmp_path):
    header, body, rule = CASES[name]
    _, document = toy()
    assert verdict(write(tmp_path, document, pack(header, body))) == ("REJECTED", rule)


@pytest.mark.parametrize("length", [0, 10**6, 2**63, 2**64 - 1])
def test_header_length(length, tmp_path):
    builder, document = toy()
    content = struct.pack("<Q", length) + builder.arrays()[8:]
    assert verdict(write(tmp_path, document, content))[0] == "REJECTED"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_float_arrays_are_finite(bad, tmp_path):
    builder, document = toy()
    document["data"]["inputs"] = builder.floats([[1.0, 0.0], [0.0, 1.0], [0.5, bad]])
    del builder.tensors["T.0"]
    assert verdict(write(tmp_path, document, builder.arrays())) == ("REJECTED", "container.tensor")


@pytest.mark.parametrize("sign", [1, -1])
def test_terms_that_cancel(sign, tmp_path):
    """Adding and subtracting 2^140 changes nothing; adding it twice does."""
    builder, document = toy()
    terms = [[[1.0, 0.0], [0.0, 1.0], [3.0, -1.0]], [[2.0**40] * 2] * 3, [[-sign * 2.0**40] * 2] * 3]
    document["data"]["inputs"]["terms"] = [
        {"tensor": builder.tensor(term, "F64"), "exponent": 100 if i else 0} for i, term in enumerate(terms)
    ]
    del builder.tensors["T.0"]
    expected = "ACCEPTED" if sign == 1 else "REJECTED"
    assert verdict(write(tmp_path, document, builder.arrays()))[0] == expected


def test_exact_arrays_against_fractions():
    """Sums of random tensors of all dtypes, subnormal and huge numbers included."""
    random = Random(3)
    for _ in range(60):
        builder, shape = Builder(), [random.randint(1, 4), random.randint(1, 4)]
        truth, terms = [Fraction(0)] * (shape[0] * shape[1]), []
        for _ in range(random.randint(1, 4)):
            dtype, exponent = random.choice(list(CODES)), random.choice([0, 0, -3, 17, random.randint(-20000, 20000)])
            if dtype.startswith("F"):
                low = -149 if dtype == "F32" else -1074
                values = [random.randint(-(2**20), 2**20) * 2.0 ** random.randint(low, 100) for _ in truth]
            else:
                bits = 8 * array.array(CODES[dtype]).itemsize - 1
                low = 0 if dtype == "U8" else -(2**bits)
                values = [random.choice([low, 2**bits - 1, random.randint(low, 2**bits - 1)]) for _ in truth]
            values = array.array(CODES[dtype], values).tolist()
            truth = [a + Fraction(v) * Fraction(2) ** exponent for a, v in zip(truth, values, strict=True)]
            terms.append({"tensor": builder.tensor(values, dtype, shape), "exponent": exponent})
        reference = read(ARRAY, {"shape": shape, "terms": terms}, "")
        found = Arrays(builder.arrays()).exact(reference, *shape)
        scale = Fraction(2) ** found.exponent
        assert [int(v) * scale for v in found.integers.entries()] == truth
        assert all(abs(int(v)).bit_length() <= found.bits for v in found.integers.entries())
        balls = found.balls().entries()
        assert all(ball.is_exact() for ball in balls)
        exact = [(int(m), int(e)) for m, e in (ball.man_exp() for ball in balls)]
        assert [m * Fraction(2) ** e for m, e in exact] == truth


def test_missing_files(tmp_path):
    assert verdict(tmp_path / "nothing.json") == ("UNREADABLE", "container.unreadable")
    builder, document = toy()
    path = write(tmp_path, document, builder.arrays())
    (tmp_path / "c.safetensors").unlink()
    assert verdict(path) == ("UNREADABLE", "container.unreadable")
    assert verdict(tmp_path) == ("REJECTED", "container.file")
