r"""Z1 refuted: no output weights at all classify every sample at this U (Gordan's alternative).

Either some V has all margins of Psi V positive, or there are multipliers ``lambda_ik >= 0`` (k != y_i), not all 0, with

.. math:: \sum_i \sum_{k \ne y_i} \lambda_{ik}\, \psi_i \otimes (e_{y_i} - e_k) = 0,

psi_i the rows of Psi: then for EVERY V the margins weighted by lambda add up to 0, so one of them is not positive, and
Phi(U, V) >= log(2)/n. Multipliers are proposed by linear programming and proved here: for features that are rational
numbers (or the same unknown numbers) over the integers; for others by a square ball system whose unique solution is
positive, at as many multipliers as there are equations, plus one. Floating point decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import scipy.optimize
import scipy.sparse
from flint import arb, arb_mat, fmpq, fmpz_mat, nmod_mat
from numpy.typing import NDArray

from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.display import Brief
from verifier.network.graph import Feature
from verifier.network.network import Array, Network
from verifier.rank.affine_basis import affine_basis
from verifier.rank.exact_arithmetic import TooLargeError, rational_activations
from verifier.rank.rational import PRIME, RationalFeatures, rational_features, row_key
from verifier.rank.unit_forms import FormTable, unit_forms

LP_ENTRIES = 3_000_000
"""Largest linear program (nonzeros) that is handed to the solver."""
LP_SECONDS = 20.0
"""After so long the solver of linear programs is stopped: then nothing is proposed."""
SOLVE_WORK = 1e9
"""Multiply-adds, times words, of an exact solution for the multipliers."""
SMALL = 1e-9
"""Multipliers of the floating-point solution below this are taken for 0; what is left is proved, or not."""
BALL_BITS = (128, 512)
"""Precisions of the ball system: what many bits do not decide probably depends on an exact equality."""
NAMED = 6
"""So many multipliers are written out."""

Number = TypeVar("Number", int, arb)

Pair = tuple[int, int]
"""A sample and the class that its own is compared with."""


@dataclass(frozen=True, slots=True, repr=False)
class Inseparable(Brief):
    """Proof that no V has zero training error at this U.

    ``multipliers``: sample, class compared with, and the positive integer or ball with which its margin counts.
    ``kind``: ``zero-features`` (one sample), ``equal-features`` (two), ``relation`` (exact), ``ball-relation``.
    ``checkable``: all features are rational numbers, and the multipliers integers, so that a certificate can say it.
    """

    kind: str
    multipliers: tuple[tuple[int, int, int | arb], ...]
    explanation: str
    checkable: bool = False


def prove_inseparable(
    network: Network,
    u: Array,
    inputs: Array,
    labels: NDArray[np.int64],
    classes: int,
    *,
    values: RationalFeatures | str | None = None,
    exact: bool = False,
) -> Inseparable | None:
    """Look for multipliers that exclude zero training error at this U.

    Parameters
    ----------
    network, u, inputs
        The network, U of shape ``(p,)``, the samples ``(N, d)``.
    labels, classes
        True classes ``(N,)`` and their number m.
    values
        Psi(U) in exact numbers, or why not; None: they are computed here.
    exact
        Whether only exact multipliers are of interest, none in balls.

    Returns
    -------
    Inseparable or None
        Guarantee: a result implies that for every V in R^{M x m} some margin of Psi(U) V is <= 0. None says nothing.
        Source: Gordan's alternative.
    """
    values = rational_features(network, u, inputs) if values is None else values
    if isinstance(values, RationalFeatures):
        found = _by_structure(values, labels) or _by_relation(values, labels, classes)
        if found is not None:
            return replace(found, checkable=values.followed and rational_activations(network))
        if values.rational or exact:
            return None
    return None if exact else _by_balls(network, u, inputs, labels, classes)


def _by_structure(values: RationalFeatures, labels: NDArray[np.int64]) -> Inseparable | None:
    """A sample whose features are all 0, or two with equal features and different labels."""
    first: dict[object, int] = {}
    for i, row in enumerate(values.values):
        if all(constant == 0 and not terms for constant, terms in row):
            other = 0 if labels[i] else 1
            words = f"all features of sample {i} are 0, so its margins are 0 for every V"
            return Inseparable("zero-features", ((i, other, 1),), words)
        mate = first.setdefault(row_key(row), i)
        if labels[mate] != labels[i]:
            words = f"samples {mate} and {i} have equal features and different labels"
            words += ", so their margins add up to 0 for every V"
            pair = ((mate, int(labels[i]), 1), (i, int(labels[mate]), 1))
            return Inseparable("equal-features", pair, words)
    return None


def _by_relation(values: RationalFeatures, labels: NDArray[np.int64], classes: int) -> Inseparable | None:
    """Multipliers over the integers, from rows whose unknown numbers occur elsewhere, too."""
    alive = _related(values)
    if len(alive) < 2:
        return None
    try:
        rows, scales = RationalFeatures([values.values[i] for i in alive]).expanded()
    except TooLargeError:
        return None
    y = labels[alive]
    pairs = _support(_to_floats(rows), y, classes)
    if pairs is None:
        return None
    solved = _solve(rows, y, classes, pairs)
    if solved is None or not is_relation(rows, y, classes, solved):
        return None
    # row_i is scale_i psi_i: the margin of psi_i counts scale_i times as much
    whole = [(alive[i], k, factor * scales[i]) for i, k, factor in solved]
    common = math.gcd(*(factor for _, _, factor in whole))
    return _related_result("relation", tuple((i, k, factor // common) for i, k, factor in whole))


def _related(values: RationalFeatures) -> list[int]:
    """Samples that can take part in a relation: none of their unknown numbers stands alone in its column."""
    alive = list(range(len(values.values)))
    while True:
        seen: dict[tuple[int, int], int] = {}
        for i in alive:
            for j, (_, terms) in enumerate(values.values[i]):
                for symbol, _ in terms:
                    seen[j, symbol] = seen.get((j, symbol), 0) + 1
        kept = [
            i for i in alive if all(seen[j, s] > 1 for j, (_, terms) in enumerate(values.values[i]) for s, _ in terms)
        ]
        if len(kept) == len(alive):
            return kept
        alive = kept


def _to_floats(rows: Sequence[Sequence[int]]) -> Array:
    """The rows, each divided by its largest entry: multipliers only have to be positive."""
    found = []
    for row in rows:
        largest = max(map(abs, row)) or 1
        found.append([v / largest for v in row])
    return np.array(found)


def _support(psi: Array, labels: NDArray[np.int64], classes: int) -> list[Pair] | None:
    """Pairs with a positive multiplier at a vertex of the linear program, in floating point."""
    n, m = psi.shape
    if n * (classes - 1) * 2 * m > LP_ENTRIES or not np.isfinite(psi).all():
        return None
    pairs = [(i, k) for i in range(n) for k in range(classes) if k != labels[i]]
    blocks, last = [], classes - 1  # the components of all classes add up to 0: the last is left out
    for column, (i, k) in enumerate(pairs):
        for sign, c in ((1.0, int(labels[i])), (-1.0, k)):
            if c != last:
                blocks.append((np.arange(m) * last + c, np.full(m, column), sign * psi[i]))
    rows = np.concatenate([b[0] for b in blocks] + [np.full(len(pairs), m * last)])
    columns = np.concatenate([b[1] for b in blocks] + [np.arange(len(pairs))])
    data = np.concatenate([b[2] for b in blocks] + [np.ones(len(pairs))])
    system = scipy.sparse.csr_array((data, (rows, columns)), shape=(m * last + 1, len(pairs)))
    right = np.zeros(m * last + 1)
    right[-1] = 1.0
    found = scipy.optimize.linprog(
        np.zeros(len(pairs)), A_eq=system, b_eq=right, method="highs-ds", options={"time_limit": LP_SECONDS}
    )
    if not found.success:
        return None
    return [pairs[c] for c in np.flatnonzero(found.x > SMALL).tolist()]


def _lines(
    rows: Sequence[Sequence[Number]], labels: NDArray[np.int64], classes: Sequence[int], pairs: Sequence[Pair]
) -> list[list[Number]]:
    """The components of ``row_i (x) (e_{y_i} - e_k)`` for the given classes, one line for each pair (i, k)."""
    found = []
    for i, k in pairs:
        line: list[Number] = []
        for c in classes:
            sign = int(c == labels[i]) - int(c == k)
            line += [sign * v for v in rows[i]]
        found.append(line)
    return found


def _solve(
    rows: Sequence[Sequence[int]], labels: NDArray[np.int64], classes: int, pairs: list[Pair]
) -> list[tuple[int, int, int]] | None:
    """Integer multipliers for exactly these pairs, if the relation between them is unique; not verified here."""
    # the components of the last class follow from those of the others: all add up to 0
    lines, k = _lines(rows, labels, range(classes - 1), pairs), len(pairs)
    width = len(lines[0])
    transposed = nmod_mat(width, k, [line[c] % PRIME for c in range(width) for line in lines], PRIME)
    words = 1 + max(abs(v).bit_length() for line in lines for v in line) // 64
    if int(transposed.rank()) != k - 1 or float(k) ** 3 * words > SOLVE_WORK:
        return None
    if k == 1:
        return [(*pairs[0], 1)]
    # rows of the transposed system that are independent, then its columns but one: a regular square system
    independent = _pivots(nmod_mat(k, width, [v % PRIME for line in lines for v in line], PRIME))
    system = [[line[c] for line in lines] for c in independent]
    reduced = nmod_mat(len(system), k, [v % PRIME for row in system for v in row], PRIME)
    basis = _pivots(reduced)
    free = next(c for c in range(k) if c not in basis)
    try:
        solution = fmpz_mat([[row[c] for c in basis] for row in system]).solve(
            fmpz_mat([[-row[free]] for row in system])
        )
    except ZeroDivisionError:
        return None
    shares = {free: fmpq(1), **dict(zip(basis, solution.entries(), strict=True))}
    scale = math.lcm(*(int(share.q) for share in shares.values()))
    numbers = [int(shares[c].p) * (scale // int(shares[c].q)) for c in range(k)]
    return [(i, other, number) for (i, other), number in zip(pairs, numbers, strict=True) if number]


def _pivots(matrix: nmod_mat) -> list[int]:
    """The pivot columns of a matrix modulo a prime."""
    reduced, rank = matrix.rref()
    found, table = [], reduced.tolist()
    for row in table[: int(rank)]:
        found.append(next(c for c, v in enumerate(row) if int(v)))
    return found


def is_relation(
    rows: Sequence[Sequence[int]],
    labels: NDArray[np.int64],
    classes: int,
    multipliers: Sequence[tuple[int, int, int]],
) -> bool:
    """Whether these multipliers exclude positive margins, decided over the integers.

    Parameters
    ----------
    rows, labels, classes
        N rows of integers, multiples of the features; the true classes ``(N,)`` and their number m.
    multipliers
        Sample, class that its own is compared with, factor.

    Returns
    -------
    bool
        Guarantee: True implies that they are positive, for pairs of a sample and another class than its own, and that
        ``sum lambda_ik row_i (x) (e_{y_i} - e_k) = 0`` exactly.
    """
    if not multipliers:
        return False
    total = [[0] * len(rows[0]) for _ in range(classes)]
    for i, k, factor in multipliers:
        own = int(labels[i])
        if factor <= 0 or k == own or not 0 <= k < classes:
            return False
        total[own] = [a + factor * b for a, b in zip(total[own], rows[i], strict=True)]
        total[k] = [a - factor * b for a, b in zip(total[k], rows[i], strict=True)]
    return not any(v for row in total for v in row)


def _by_balls(network: Network, u: Array, inputs: Array, labels: NDArray[np.int64], classes: int) -> Inseparable | None:
    """Real multipliers: the unique solution of a regular ball system, if it is positive."""
    network, columns, constant = _spanning(network, u, inputs)
    if not columns:
        return None
    for bits in BALL_BITS:
        enclosure = FeatureEnclosure(network, u, inputs, bits)
        with working_precision(bits):
            rows = [
                [row[c] for c in columns] + [arb(1)] * constant for _, b in enclosure.blocks() for row in b.tolist()
            ]
            pairs = _support(np.array([[float(v.mid()) for v in row] for row in rows]), labels, classes)
            if pairs is None:
                return None
            used = sorted({int(labels[i]) for i, _ in pairs} | {k for _, k in pairs})
            # columns that are exactly 0 on the samples that count, such as dead units, are no equations
            met = [c for c in range(len(rows[0])) if any(not rows[i][c].is_zero() for i, _ in pairs)]
            if len(pairs) != len(met) * (len(used) - 1) + 1:
                return None  # not as many multipliers as equations, plus one: some equality would have to be exact
            solved = _ball_multipliers([[row[c] for c in met] for row in rows], labels, used, pairs)
        if solved is not None:
            return _related_result("ball-relation", solved, f" (ball arithmetic, {bits} bits)")
    return None


def _spanning(network: Network, u: Array, inputs: Array) -> tuple[Network, list[int], bool]:
    """A network and columns of it that, with the constant 1 if so said, span all columns of Psi, by structure."""
    basis = affine_basis(network)
    if basis.rank_at_most < network.columns:
        return Network.of(network.nodes, [Feature(node) for node in basis.nodes]), list(range(basis.entries)), True
    if network.layered is None:
        return network, list(range(network.columns)), False
    table = FormTable()
    forms = unit_forms(network, u, inputs, table)
    units = [forms[index][unit] for index, members in network.skip_units for unit in members]
    first: dict[int, int] = {}
    constant = network.output_bias
    for column, unit in enumerate(units):
        if unit.form < 0 or table.constant[unit.form]:
            constant = constant or unit.form >= 0 or unit.offset != 0
        else:
            mate = units[first.setdefault(unit.form, column)]
            constant = constant or unit.offset != unit.sign * mate.sign * mate.offset
    return network, list(first.values()), constant


def _ball_multipliers(
    rows: Sequence[Sequence[arb]], labels: NDArray[np.int64], used: Sequence[int], pairs: Sequence[Pair]
) -> tuple[tuple[int, int, arb], ...] | None:
    """Multipliers of the pairs, the first one 1, if the ball system is regular and they are certainly positive.

    Only the classes in ``used`` occur, and the components of one of them follow from those of the others.
    """
    lines = _lines(rows, labels, used[:-1], pairs)
    size = len(lines) - 1
    matrix = arb_mat(size, size, [lines[1 + r][c] for c in range(size) for r in range(size)])
    try:
        solution = matrix.solve(arb_mat(size, 1, [-v for v in lines[0]])).entries()
    except ZeroDivisionError:
        return None
    if not all(share > 0 for share in solution):
        return None
    return tuple((i, k, share) for (i, k), share in zip(pairs, [arb(1), *solution], strict=True))


def _related_result(
    kind: str, multipliers: tuple[tuple[int, int, int | arb], ...], how: str = " (exact)"
) -> Inseparable:
    samples = sorted({i for i, _, _ in multipliers})
    if len(multipliers) <= NAMED and all(isinstance(f, int) and abs(f) < 10**6 for _, _, f in multipliers):
        parts = ", ".join(f"{factor} x sample {i} against class {k}" for i, k, factor in multipliers)
        words = f"the margins {parts} add up to 0 for every V{how}"
    else:
        shown = ", ".join(map(str, samples[:NAMED])) + (", ..." if len(samples) > NAMED else "")
        many = f"{len(multipliers)} margins of {len(samples)} samples ({shown})"
        words = f"{many}, with positive factors, add up to 0 for every V{how}"
    return Inseparable(kind, multipliers, words)
