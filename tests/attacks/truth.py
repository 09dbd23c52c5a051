"""What the toy certificates may claim, found out without the checker: exact fractions, and mpmath for logarithms.

`claims_hold` returns None if every claim of an accepted document is true of the data, network and arrays that the same
document describes, else what is false.
"""

from __future__ import annotations

import ast
import itertools
import json
import struct
from fractions import Fraction
from pathlib import Path

import mpmath

FORMATS = {"U8": "B", "I8": "b", "I16": "h", "I32": "i", "I64": "q", "F32": "f", "F64": "d"}
DIGITS = 80


def dyadic(value) -> Fraction:
    return int(value["mantissa"]) * Fraction(2) ** value["exponent"]


class Certificate:
    """A document and its tensors as lists."""

    def __init__(self, folder: Path) -> None:
        self.document = json.loads((folder / "c.json").read_bytes())
        content = (folder / self.document["arrays"]["file"]).read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
        self.tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            code = FORMATS[entry["dtype"]]
            count = (end - begin) // struct.calcsize(code)
            self.tensors[name] = entry["shape"], struct.unpack(f"<{count}{code}", data[begin:end])

    def vector(self, name) -> list[int]:
        return list(self.tensors[name][1])

    def exact(self, reference) -> list:
        """Return a nested list of fractions (one or two axes)."""
        total = [Fraction(0)] * len(self.tensors[reference["terms"][0]["tensor"]][1])
        for term in reference["terms"]:
            shape, values = self.tensors[term["tensor"]]
            assert shape == reference["shape"]
            total = [a + Fraction(v) * Fraction(2) ** term["exponent"] for a, v in zip(total, values, strict=True)]
        if len(reference["shape"]) == 1:
            return total
        rows, columns = reference["shape"]
        return [total[i * columns : (i + 1) * columns] for i in range(rows)]


def evaluate(node: ast.expr, t):
    """Evaluate an activation with fractions or mpmath's numbers."""
    match node:
        case ast.Name(id="t"):
            return t
        case ast.Constant(value=int(value)):
            return type(t)(value)
        case ast.UnaryOp(operand=inner):
            return -evaluate(inner, t)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))):
            return evaluate(left, t) ** power
        case ast.BinOp(left=left, op=op, right=right):
            a, b = evaluate(left, t), evaluate(right, t)
            return {ast.Add: a.__add__, ast.Sub: a.__sub__, ast.Mult: a.__mul__, ast.Div: a.__truediv__}[type(op)](b)
        case ast.Call(func=ast.Name(id=name), args=[inner]):
            return getattr(mpmath, name)(evaluate(inner, t))
    raise ValueError(ast.unparse(node))


def dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def positive(matrix) -> bool:
    """Whether a symmetric matrix of fractions is positive semidefinite, by elimination."""
    rows = [list(row) for row in matrix]
    for k in range(len(rows)):
        if not rows[k][k] > 0:
            return all(entry == 0 for row in rows[k:] for entry in row[k:])
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return True


def gram(rows):
    return [[dot(a, b) for b in rows] for a in rows]


def minus(scale, matrix):
    """Return scale I - matrix."""
    return [[scale * (i == j) - entry for j, entry in enumerate(row)] for i, row in enumerate(matrix)]


def features(found: Certificate) -> list[list[Fraction]]:
    """Return Psi of one dense layer of a rational activation."""
    inputs, network = found.exact(found.document["data"]["inputs"]), found.document["network"]
    _, first, second, affine, units = network["nodes"]
    assert (affine["kind"], affine["over"], units["kind"], units["reads"]) == ("affine", "all", "map", [3])
    parts = {1: found.exact(first["values"]), 2: found.exact(second["values"])}
    weight = parts[affine["reads"][1]]
    bias = parts[affine["reads"][2]] if affine["bias"] else [Fraction(0)] * len(weight)
    tree = ast.parse(units["activation"].strip(), mode="eval").body
    sums = [[dot(w, x) + b for w, b in zip(weight, bias, strict=True)] for x in inputs]
    values = {0: inputs, 3: sums, 4: [[evaluate(tree, entry) for entry in row] for row in sums]}
    psi = [[] for _ in inputs]
    for feature in network["features"]:
        for row, entries in zip(psi, values[feature["node"]], strict=True):
            row += entries if feature["entries"] is None else [entries[j] for j in feature["entries"]]
    return psi


def rank_holds(found: Certificate, claim, psi) -> str | None:
    columns = range(len(psi[0])) if claim["columns"] is None else found.vector(claim["columns"])
    x = found.exact(claim["right_inverse"])
    residual = [
        [int(i == j) - sum(row[c] * x[k][j] for k, c in enumerate(columns)) for j in range(len(psi))]
        for i, row in enumerate(psi)
    ]
    alpha, sigma = dyadic(claim["alpha"]), dyadic(claim["sigma_lower"])
    if not (alpha < 1 and positive(minus(alpha**2, gram(residual)))):
        return "||I - Psi X|| is above alpha"
    if not (sigma > 0 and claim["rank"] == len(psi)):
        return "sigma_lower is not positive, or the rank is not N"
    shifted = minus(sigma**2, gram(psi))
    return None if positive([[-entry for entry in row] for row in shifted]) else "sigma_N is below sigma_lower"


def margins(psi, weights, labels):
    logits = [[dot(row, column) for column in zip(*weights, strict=True)] for row in psi]
    return [[row[y] - value for k, value in enumerate(row) if k != y] for row, y in zip(logits, labels, strict=True)]


def path_holds(found: Certificate, claim, psi, labels, counts) -> str | None:
    start, end = (margins(psi, found.exact(claim[key]), labels) for key in ("start_weights", "end_weights"))
    kappa, gamma, total = dyadic(claim["kappa"]), dyadic(claim["gamma"]), sum(counts)
    pairs = zip(itertools.chain(*start), itertools.chain(*end), strict=True)
    if not (kappa > 0 and all(kappa * m1 > m0 for m0, m1 in pairs)):
        return "kappa m1 > m0 does not hold"
    real = lambda q: mpmath.mpf(q.numerator) / q.denominator  # noqa: E731
    losses = (mpmath.log1p(sum(mpmath.exp(-real(m)) for m in row)) for row in start)
    loss = sum(count * value for count, value in zip(counts, losses, strict=True)) / total
    if not real(dyadic(claim["start_loss"]["lower"])) <= loss <= real(dyadic(claim["start_loss"]["upper"])):
        return "the start loss is outside its bounds"
    ends = [(dyadic(claim["zero_error_t"]), mpmath.log(2) / total)]
    ends += [(dyadic(target["t"]), real(dyadic(target["loss"]))) for target in claim["targets"]]
    for t, bound in ends:
        if not (t >= kappa and mpmath.log1p((len(start[0])) * mpmath.exp(-real(t * gamma))) <= bound):
            return "a loss on the ray is above what is claimed"
    return None


def witness_holds(found: Certificate, claim) -> str | None:
    """Compute the claimed N x N block of Psi and its determinant to many digits."""
    document, nodes = found.document, found.document["network"]["nodes"]
    direction = found.vector(claim["direction"])
    z = sorted(dot(direction, x) for x in found.exact(document["data"]["inputs"]))
    real = lambda q: mpmath.mpf(q.numerator) / q.denominator  # noqa: E731
    trees = {
        number: ast.parse(node["activation"].strip(), mode="eval").body
        for number, node in enumerate(nodes)
        if node["kind"] == "map"
    }
    values = [[real(value) for value in z]]
    for link in claim["chain"]:
        w, b = real(dyadic(link["weight"])), real(dyadic(link["bias"]))
        values.append([evaluate(trees[link["node"]], w * h + b) for h in values[-1]])
    columns, units = [], set()
    for block in claim["blocks"]:
        tree, w = trees[block["node"]], real(dyadic(block["weight"]))
        columns += [
            [evaluate(tree, w * h + real(b)) for h in values[block["links"]]] for b in found.exact(block["biases"])
        ]
        units |= {(block["node"], unit) for unit in found.vector(block["units"])}
    if len(columns) != len(z) or len(units) != len(z):
        return "not N columns of different units"
    return None if abs(mpmath.det(mpmath.matrix(columns))) > mpmath.mpf(10) ** -30 else "singular"


def claims_hold(folder: Path) -> str | None:
    """Return None if every claim of the certificate ``c.json`` is true, else what is false."""
    found = Certificate(folder)
    data, claims = found.document["data"], found.document["claims"]
    with mpmath.workdps(DIGITS):
        for claim in claims:
            if claim["label"] == "W1":
                wrong = witness_holds(found, claim)
            elif claim["label"] == "W0":
                wrong = None if any(other["label"] == "W1" for other in claims) else "no full rank beside W0"
            else:
                psi = features(found)
                labels = None if data["labels"] is None else found.vector(data["labels"])
                counts = [1] * len(psi) if data["multiplicities"] is None else found.vector(data["multiplicities"])
                if claim["label"] in ("R1", "R3"):
                    wrong = rank_holds(found, claim, psi)
                else:
                    key, gamma = "output_weights" if claim["label"] == "Z1" else "end_weights", dyadic(claim["gamma"])
                    low = min(map(min, margins(psi, found.exact(claim[key]), labels)))
                    wrong = None if low >= gamma > 0 else "a margin is below gamma"
                    if wrong is None and claim["label"] == "P1":
                        wrong = path_holds(found, claim, psi, labels, counts)
            if wrong is not None:
                return f"FALSE CLAIM ACCEPTED: {claim['label']}: {wrong}"
    return None
