"""R6 and Z0: the rank, and relations between margins, of features that are rational numbers, in exact arithmetic.

Glossary: Psi is computed in rationals, unit by unit; this needs activations of rational operations, Abs, Max and Min
only. Each row of Psi times the positive integer that clears its denominators is a row of integers. A *multiplier*
lambda > 0 belongs to a sample i and a class k other than its label y_i.
"""

import itertools
import math
from collections.abc import Iterable
from typing import Any

from flint import fmpq, fmpq_mat

from .arithmetic import Arithmetic, Row, Table, side_by_side
from .common import Rejection, require
from .container import Arrays
from .expression import RATIONAL, build, rational_bits
from .features import Layout
from .modular import exact_rank
from .nodes import KINDS, columns_of
from .sentences import sentence
from .structure import fractions

MAX_BITS = 40_000  # bits of numerator plus denominator that are followed


class Rationals(Arithmetic):
    """Operations on exact rational numbers; what leads out of them, or to very long ones, is a rejection."""

    zero = fmpq(0)

    def __init__(self, path: str) -> None:
        self.path, self.functions = path, dict[str, Any]()

    def number(self, value: fmpq) -> fmpq:
        """Return an exact rational as it is: it is a number of this arithmetic."""
        return value

    def inverse_root(self, node: Any, *_: Any) -> Any:
        """Reject a node whose values are not rational in general."""
        message = f"{node.path} ({node.kind}): its values are not rational numbers"
        raise Rejection(self.path, "R6.rational", message, node.kind)

    normalise = softmax = root = inverse_root  # type: ignore[assignment]

    def require_short(self, numbers: Iterable[fmpq]) -> int:
        """Return the bits of the longest number, which are bounded."""
        size = max(map(rational_bits, numbers), default=1)
        require(size <= MAX_BITS, self.path, "R6.size", "the exact numbers become too long", size, MAX_BITS)
        return size

    def affine(self, node: Any, sources: list[Table], weight: Table, bias: Table | None) -> Table:
        """Return windows of the sources times weights, plus biases."""
        rows, layout = side_by_side(sources), Layout(node, weight[0], fmpq_mat, self.zero)
        size = self.require_short(itertools.chain(*rows)) + self.require_short(weight[0])
        require(size <= MAX_BITS, self.path, "R6.size", "the exact numbers become too long", size, MAX_BITS)
        sums = [cut * part for cut, part in zip(layout.cut(rows), layout.weights(weight[0]), strict=True)]
        if bias is not None:
            for number, b in enumerate(layout.biases(bias[0])):
                height = sums[number].nrows()
                sums[number] += fmpq_mat(height, b.ncols(), b.entries() * (height // b.nrows()))
        found: Table = layout.rows(sums)
        return found

    def map(self, node: Any, x: Table) -> Table:
        """Apply the node's activation to every entry, exactly; one that is not rational is a rejection."""
        try:
            if node.activation.text not in self.functions:
                self.functions[node.activation.text] = build(node.activation.tree, RATIONAL)
            function = self.functions[node.activation.text]
            return [[fmpq(function(entry)) for entry in row] for row in x]
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            message = "an activation is not made of rational operations, Abs, Max and Min, or has no value at a sample"
            name, how = node.activation.text[:200], type(error).__name__
            raise Rejection(self.path, "R6.rational", f"{node.path}: {message}", name, how) from None

    def largest(self, node: Any, numbers: Row) -> fmpq:
        """Return the largest of some numbers."""
        found: fmpq = max(numbers)
        return found

    def whole(self, number: fmpq) -> int | None:
        """Return the whole number that this is, else None."""
        return int(number.p) if number.q == 1 else None


def exact_features(network: Any, path: str) -> Table:
    """Return Psi at the stored weights as a table of rationals, (N, M).

    Guarantee: the entries are the exact values of the features; every node has a value, also those that do not matter.
    Anything else is a rejection.
    """
    ops, values = Rationals(path), dict[int, Table]()
    for node in network.nodes:
        if node.kind == "input":
            values[node.number] = fractions(network.inputs)
        elif node.exact is not None:
            values[node.number] = [list(itertools.chain(*fractions(node.exact)))]
        else:
            values[node.number] = KINDS[node.kind].compute(ops, node, [values[read] for read in node.reads])
            ops.require_short(entry for row in values[node.number] for entry in row)
    return columns_of(ops, network, values)


def whole_rows(psi: Table) -> tuple[list[list[int]], list[int]]:
    """Return each row times the least positive integer that makes it whole, and these integers."""
    scales = [math.lcm(*(int(entry.q) for entry in row)) for row in psi]  # Coq: R6 scale_neq0
    # Coq: R6 cleared
    rows = [[int(entry.p) * (scale // int(entry.q)) for entry in row] for row, scale in zip(psi, scales, strict=True)]
    return rows, scales


def check_exact_rank(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim R6: the rank of Psi at the stored weights, in rational arithmetic.

    Guarantee: all features at the stored weights are rational numbers and the rank of Psi is exactly `rank`. (Rows are
    multiplied by positive integers, which does not change it.)
    """
    psi = exact_features(network, raw.path)
    rows, _ = whole_rows(psi)
    found = exact_rank(rows, raw.path)
    require(found == raw.rank, raw.path + "/rank", "R6.rank", "is not the exact rank", raw.rank, found)
    name = "R6 full" if found == network.samples else "R6"
    return {"statement": sentence(name, rank=found, samples=network.samples), "rank": found}


def check_inseparable(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim Z0: at the stored hidden weights no V classifies every sample with a positive margin.

    Guarantee: with lambda > 0 the multipliers, sum_i sum_k lambda_ik psi_i (x) (e_{y_i} - e_k) = 0 exactly. Then for
    every V the margins times their multipliers add up to 0, so that one of them is not positive.
    """
    path, count = raw.path, len(raw.samples)
    same = len(raw.against) == len(raw.factors) == count
    require(same, path, "schema.value", "the lists have different lengths", [count, len(raw.against), len(raw.factors)])
    psi = exact_features(network, path)
    total = [[fmpq(0)] * network.columns for _ in range(data.classes)] if count else []
    for number, (sample, other, text) in enumerate(zip(raw.samples, raw.against, raw.factors, strict=True)):
        known = sample < network.samples and other < data.classes and other != data.labels[sample]
        require(known, f"{path}/samples/{number}", "Z0.pair", "is no sample with another class", [sample, other])
        plain = text.isascii() and text.isdigit() and text[0] != "0"
        require(plain, f"{path}/factors/{number}", "Z0.factor", "must be a plain positive integer", text[:40])
        factor, own = fmpq(int(text)), data.labels[sample]
        for j, entry in enumerate(psi[sample]):
            total[own][j] += factor * entry
            total[other][j] -= factor * entry
    zero = all(entry == 0 for row in total for entry in row)
    require(zero, path + "/factors", "Z0.relation", "the margins with these multipliers do not add up to 0")
    said = sentence("Z0", margins=count, concerned=len(set(raw.samples)))
    return {"statement": said, "multipliers": count}
