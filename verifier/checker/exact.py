"""R6 and Z0: the rank, and relations between margins, of features that are rational numbers, in exact arithmetic.

Glossary: Psi is computed in rationals, unit by unit; this needs activations of rational operations, Abs, Max and Min
only. Each row of Psi times the positive integer that clears its denominators is a row of integers. A *multiplier*
lambda > 0 belongs to a sample i and a class k other than its label y_i.
"""

import itertools
import math
from typing import Any

from flint import fmpq, fmpq_mat, fmpz_mat

from .common import Rejection, require, words
from .container import Arrays
from .expression import RATIONAL, build, rational_bits
from .network import pick
from .schema import INPUT
from .structure import fractions

# bits of numerator plus denominator that are followed; one step of a unit in exact arithmetic, in multiply-adds; words
# that a rational takes besides its numbers
MAX_BITS, UNIT_WORK, RATIONAL_WORDS = 40_000, 2_000, 16
Table = list[list[fmpq]]


def exact_features(network: Any, arrays: Arrays, path: str) -> Table:
    """Return Psi at the stored weights.

    Guarantee: the entries are the exact values of the features; every hidden unit has a value, also those that do not
    matter. Anything else is a rejection.
    """
    values: dict[int, Table] = {INPUT: fractions(network.inputs)}
    for number, layer in enumerate(network.layers):
        rows = side_by_side([values[index] for index in layer.inputs])
        values[number] = exact_layer(layer, rows, arrays, path)
    skips = [(values[number], layer.skip) for number, layer in enumerate(network.layers) if layer.skip]
    return side_by_side([[[row[unit] for unit in skip] for row in rows] for rows, skip in skips])


def side_by_side(tables: list[Table]) -> Table:
    """Return one table whose rows are those of the tables, one after the other."""
    return [list(itertools.chain(*parts)) for parts in zip(*tables, strict=True)]


def exact_layer(layer: Any, rows: Table, arrays: Arrays, path: str) -> Table:
    """Return the units of one layer for all samples."""
    cut, positions = pick(list(itertools.chain(*layer.windows))), layer.bias.integers.nrows()
    patches = [entry for row in rows for entry in cut([*row, fmpq(0)])]
    length, weights = len(layer.windows[0]), fractions(layer.weight, layer.divisor)
    size = sum(max(map(rational_bits, numbers), default=1) for numbers in (patches, itertools.chain(*weights)))
    require(size <= MAX_BITS, path, "R6.size", "the exact numbers become too long", size, MAX_BITS)
    height, filters = len(rows) * positions, len(weights)
    work = height * filters * (length * words(size) + UNIT_WORK * layer.activation.steps)
    arrays.spend(path, work=work, memory=(height * filters + len(patches)) * (RATIONAL_WORDS + words(size)))
    sums = fmpq_mat(height, length, patches) * fmpq_mat(weights).transpose()
    biases = list(itertools.chain(*fractions(layer.bias, layer.divisor)))
    shifted = [z + b for z, b in zip(sums.entries(), itertools.cycle(biases), strict=False)]
    try:
        function = build(layer.activation.tree, RATIONAL)
        units = [fmpq(function(z)) for z in shifted]
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        message = "an activation is not made of rational operations, Abs, Max and Min, or has no value at some sample"
        raise Rejection(path, "R6.rational", message, layer.activation.text[:200], type(error).__name__) from None
    # from the order (sample, position, filter) to rows in the order of the unit numbers, filter * positions + position
    starts = range(0, len(units), layer.units)
    return [[unit for f in range(filters) for unit in units[i + f : i + layer.units : filters]] for i in starts]


def whole_rows(psi: Table) -> tuple[list[list[int]], list[int]]:
    """Return each row times the least positive integer that makes it whole, and these integers."""
    scales = [math.lcm(*(int(entry.q) for entry in row)) for row in psi]
    rows = [[int(entry.p) * (scale // int(entry.q)) for entry in row] for row, scale in zip(psi, scales, strict=True)]
    return rows, scales


def check_exact_rank(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim R6.

    Guarantee: all features at the stored weights are rational numbers and the rank of Psi is exactly `rank`. (Rows are
    multiplied by positive integers, which does not change it; FLINT's rank of integer matrices is exact.)
    """
    psi = exact_features(network, arrays, raw.path)
    rows, _ = whole_rows(psi)
    n, m = network.samples, network.skip_units
    bits = max(abs(entry).bit_length() for row in rows for entry in row)
    arrays.spend(raw.path, work=n * m * min(n, m) * min(n, m) * words(bits) // 64, memory=4 * n * m * words(bits))
    found = int(fmpz_mat(rows).rank())
    require(found == raw.rank, raw.path + "/rank", "R6.rank", "is not the exact rank", raw.rank, found)
    statement = f"rank Psi = {found}, exactly: at the stored weights all features are rational numbers; "
    if found == n:
        statement += f"this is full row rank, N = {n}"
    else:
        statement += f"N = {n}; this refutes full rank at these weights, not the absence of bad valleys"
    return {"statement": statement, "rank": found}


def check_inseparable(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim Z0.

    Guarantee: with lambda > 0 the multipliers, sum_i sum_k lambda_ik psi_i (x) (e_{y_i} - e_k) = 0 exactly. Then for
    every V the margins times their multipliers add up to 0, so that one of them is not positive.
    """
    path, count = raw.path, len(raw.samples)
    same = len(raw.against) == len(raw.factors) == count
    require(same, path, "schema.value", "the lists have different lengths", [count, len(raw.against), len(raw.factors)])
    psi = exact_features(network, arrays, path)
    total = [[fmpq(0)] * network.skip_units for _ in range(data.classes)] if count else []
    arrays.spend(path, work=2 * (count + data.classes) * network.skip_units * words(MAX_BITS))
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
    statement = (
        f"no output weights V classify all samples at the stored hidden weights: for every V, {count} margins of "
    )
    statement += f"{len(set(raw.samples))} samples, with positive factors, add up to 0 (exact rational features), so "
    statement += "some margin is <= 0"
    return {"statement": statement, "multipliers": count}
