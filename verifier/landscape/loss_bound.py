r"""Z0.loss: the cross-entropy at this U from below, over ALL output weights V (convex duality), and from above.

Sample i occurs A_i times, a_ik of them with label k; n = sum A_i. For probabilities q_i, ``log sum_k exp(g_k) >=
<q_i, g> + H(q_i)`` for all logits g (Gibbs), H the entropy. So for every V

.. math:: n\,\Phi(U, V) \ge \sum_i A_i H(q_i) + \sum_i \langle A_i q_i - a_i, \psi_i V\rangle,

and the last sum is 0 for every V if ``sum_i psi_i (x) (A_i q_i - a_i) = 0``: then *q is balanced*. Probabilities that
are exactly balanced are made in two ways, for different samples; all others have q_i = a_i/A_i, of one label, and
H = 0.

*Equal rows*: for samples with the same psi_i, q_i is the share of each label among them (if psi_i = 0: 1/m each).

*Mixed samples*: q0_i = softmax(psi_i V) over at least two classes, the sample's *support*, that contain its labels. Its
residual R = sum_i psi_i (x) (A_i q0_i - a_i) is small. The correction ``q_ik = q0_ik (1 + z_ik - sum_l q0_il z_il)``, z
= Psi Z, has rows that add up to 1, and is balanced iff H Z = -R, H the Hessian of the loss at V over the supports. For
each column j, join the classes of a sample's support if psi_ij != 0; over a set of joined classes the entries of row j
of R, and those of any H Z, add up to 0. So one class of each set is left out, and with its Z_jk = 0, the equations left
are as many as the unknowns; in balls they are solved or refused. With ``beta = max_i |psi_i|_1 max |Z| < 1/2`` the
probabilities change by at most the factors 1 -+ 2 beta, are positive, and

.. math:: H(q_i) \ge (1 - 2\beta)\, H(q0_i) - 4 \beta^2,

since ``(1 + e) log(1 + e) <= e + e^2`` and ``sum_k q0_ik e_ik = 0``. V, the supports: proposed in floating point.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat, fmpz
from numpy.typing import NDArray

from verifier.balls.engine import Enclosure
from verifier.balls.exact import Dyadic, ExactArray, about, at_least, at_most
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down, round_up
from verifier.display import Brief
from verifier.landscape.loss_minimum import approx_least_loss
from verifier.network.arguments import counted_labels
from verifier.network.network import Array
from verifier.rank.certify import Stage, silent
from verifier.rank.exact_arithmetic import rational_activations
from verifier.rank.rational import RationalFeatures, row_key
from verifier.rank.right_inverse import ENCLOSURE_SLACK

WORK = 3e9
"""Multiply-adds of one Newton step that are spent: about half a second."""
REFINEMENTS, SMALL = 3, 2.0**-45
"""How often V is improved, and the change of probabilities at which it need not be."""
EQUATIONS = 600
"""Unknowns of the system of balls: 540 take two seconds here, and as much in a checker."""
BITS = 128
"""Working precision of the balls."""
FINE, FINE_BITS = arb((fmpz(1), fmpz(-45))), 50
"""Room and length of the bounds, which a checker computes anew."""
STUCK = 0.99
"""A bound of at least this share of log m says that no last layer learns anything."""
DIGITS = 6
"""So many digits of the bounds are printed."""

Rows = list[list[arb]]
Counts = list[list[int]]


@dataclass(frozen=True, slots=True, repr=False)
class LossBound(Brief):
    """``lower <= inf over V of Phi(U, V) <= upper``, lower > 0; ``upper`` is None where V is not free along all arcs.

    ``weights`` and ``support`` (N, m) prove the mixed samples, ``equal`` lists samples with equal rows;
    ``label_counts`` is given where labels conflict; ``checkable``: a certificate can state it.
    """

    lower: Dyadic
    upper: Dyadic | None
    weights: ExactArray
    support: NDArray[np.int64]
    equal: tuple[tuple[int, ...], ...] = ()
    label_counts: NDArray[np.int64] | None = None
    precision: int = BITS
    checkable: bool = True

    @property
    def words(self) -> str:
        """The interval in words, rounded outwards."""
        words = f"Phi(U, V) >= {at_least(self.lower, DIGITS)} for every V"
        if self.upper is not None:
            words += f", and its infimum over V is at most {at_most(self.upper, DIGITS)}"
        log_m = math.log(self.support.shape[1])
        if float(self.lower) < STUCK * log_m:
            return words
        return f"{words}: hardly below V = 0, whose loss log({self.support.shape[1]}) is about {about(log_m, DIGITS)}"

    def beside(self, start: tuple[Dyadic, Dyadic] | None) -> str:
        """What is added where the loss of the start's V is known to lie between two numbers."""
        if start is None:
            return ""
        return f"; that of the start's V is in [{at_least(start[0], DIGITS)}, {at_most(start[1], DIGITS)}]"


def bound_loss(
    features: Enclosure,
    labels: NDArray[np.int64],
    classes: int,
    multiplicities: Sequence[int],
    values: RationalFeatures | None = None,
    stage: Stage = silent,
    arcs: NDArray[np.bool_] | None = None,
) -> LossBound | None:
    """Bound the least cross-entropy over all output weights at this U.

    Parameters
    ----------
    features
        Enclosure of Psi(U), ``(N, M)``.
    labels
        True classes ``(N,)``, or label counts ``(N, m)`` (X1).
    classes
        Their number m.
    multiplicities
        How often each distinct sample occurs.
    values
        Psi(U) in exact numbers, if they are known: they tell which rows are equal.
    stage
        Progress display.
    arcs
        Which columns of Psi are connected to which outputs, ``(M, m)``; None: all.

    Returns
    -------
    LossBound or None
        Guarantee: without frozen logits, for every V in R^{M x m} Phi(U, V) >= ``lower`` > 0, and for some V it is at
        most ``upper``; along fewer arcs no upper bound is known. None says nothing. Source: Gibbs' inequality, see the
        module's text.
    """
    counts = labels if labels.ndim == 2 else counted_labels(labels, classes, multiplicities)
    size = features.columns * classes
    if features.offset is not None or features.samples * float(size) ** 2 + float(size) ** 3 > WORK:
        return None
    stage("zero loss: a lower bound of the loss over all V")
    psi, nothing = features.approx(), ExactArray.of_floats(np.zeros((features.columns, classes)))
    if not np.isfinite(psi).all():
        return None
    enclosure = FeatureEnclosure(features.network, features.u, features.inputs, BITS)
    rows = [row for _, block in enclosure.blocks() for row in block.tolist()]
    alike = _EqualRows(features, rows, values)
    proposal = approx_least_loss(psi, counts.astype(np.float64))
    with working_precision(BITS):
        held, best, support, total = nothing, nothing, counts > 0, None
        if proposal is not None:
            best = ExactArray.of_floats(proposal.best)
            total, held = _refined(rows, ExactArray.of_floats(proposal.weights), counts.tolist(), proposal.support)
        if total is not None and proposal is not None:
            support = proposal.support
        equal = alike.groups(counts, support if total is not None else np.zeros_like(support))
        listed = set(itertools.chain(*equal))
        if total is None and any(row.sum() > 1 and i not in listed for i, row in enumerate(support)):
            return None  # conflicting labels of samples that could not be balanced
        total = sum((bound_equal(rows, counts.tolist(), members) for members in equal), total or arb(0))
        n = int(counts.sum())
        lower = round_down(total / n * (1 - FINE), FINE_BITS)
        high = _loss_at(rows, best, counts.tolist()) / n * (1 + FINE)
        upper = round_up(high, FINE_BITS) if arcs is None else None
    if lower.mantissa <= 0:
        return None
    return LossBound(
        lower,
        upper,
        held,
        support.astype(np.int64),
        equal,
        labels if labels.ndim == 2 else None,
        checkable=all(map(alike.checkable, equal)),
    )


def _refined(rows: Rows, held: ExactArray, counts: Counts, support: NDArray[np.bool_]) -> tuple[arb | None, ExactArray]:
    """The bound of the mixed samples, None if it is not proved, and the weights that prove it."""
    for _ in range(REFINEMENTS):
        found = bound_mixed(rows, held, counts, support.tolist())
        if found is None or not np.isfinite(found.step).all():
            return None, held
        if found.beta < SMALL:
            return found.total, held
        held = ExactArray(held.shape, (*held.terms, *ExactArray.of_floats(found.step).terms))
    found = bound_mixed(rows, held, counts, support.tolist())
    return (found.total if found is not None and 2 * found.beta < 1 else None), held


@dataclass(frozen=True, slots=True)
class MixedBound:
    """A lower bound ``total`` of the sum of A_i H(q_i), if 2 beta < 1; ``step`` improves V, ``(M, m)``."""

    total: arb
    beta: arb
    step: Array


def bound_mixed(rows: Rows, weights: ExactArray, counts: Counts, support: Sequence[Sequence[int]]) -> MixedBound | None:
    """Bound the sum of A_i H(q_i) over the samples with two classes or more in their support.

    Parameters
    ----------
    rows
        Enclosures of all features, ``(N, M)``.
    weights
        V, ``(M, m)``.
    counts, support
        Label counts, and the support, ``(N, m)``.

    Returns
    -------
    MixedBound or None
        Guarantee: if ``2 beta < 1``, there are balanced probabilities q, those of the other samples being a_i/A_i, for
        which the sum is at least the lower end of ``total``. None if the system is too large, or not certainly regular.
    """
    columns, classes = len(rows[0]), len(counts[0])
    active, step = [i for i, row in enumerate(support) if sum(map(bool, row)) > 1], np.zeros((columns, classes))
    if not active:
        return MixedBound(arb(0), arb(0), step)
    psi = arb_mat([rows[i] for i in active])
    totals, logits = [sum(counts[i]) for i in active], (psi * weights.arb_mat()).tolist()
    q = [_probabilities(g, support[i]) for g, i in zip(logits, active, strict=True)]
    rest = [
        [t * x - a for x, a in zip(row, counts[i], strict=True)] for t, row, i in zip(totals, q, active, strict=True)
    ]
    unknowns = _unknowns(psi, [[k for k in range(classes) if support[i][k]] for i in active])
    if len(unknowns) > EQUATIONS:
        return None
    residual = _wide(psi.transpose() * arb_mat(rest))
    beta = arb(0)
    if unknowns:
        try:
            solved = _hessian(psi, totals, q, unknowns).solve(arb_mat([[-residual[j, k]] for j, k in unknowns]))
        except ZeroDivisionError:
            return None
        for (j, k), value in zip(unknowns, solved.entries(), strict=True):
            step[j, k] = float(value.mid())
        beta = _largest(solved.entries()) * _largest([sum(map(abs, row), arb(0)) for row in psi.tolist()])
    total = arb(0)
    for t, row in zip(totals, q, strict=True):
        entropy = sum((-x * x.log() for x in row if not x.is_zero()), arb(0))
        total += t * ((1 - 2 * beta) * arb(entropy.mid(), ENCLOSURE_SLACK * entropy.rad()) - 4 * beta**2)
    return MixedBound(total, beta, step)


def _unknowns(psi: arb_mat, supports: list[list[int]]) -> list[tuple[int, int]]:
    """Column and class of each equation: for each column, all classes of each joined set but one."""
    found = []
    for j in range(psi.ncols()):
        first: dict[int, int] = {}

        def root(k: int, first: dict[int, int] = first) -> int:
            while first.setdefault(k, k) != k:
                k = first[k]
            return k

        for i, classes in enumerate(supports):
            if not psi[i, j].is_zero():
                for k in classes[1:]:
                    first[root(k)] = root(classes[0])
        found += [(j, k) for k in first if root(k) != k]
    return found


def _hessian(psi: arb_mat, totals: list[int], q: Rows, unknowns: list[tuple[int, int]]) -> arb_mat:
    """The Hessian of n Phi over the supports, for these entries of V."""
    place = {entry: number for number, entry in enumerate(unknowns)}
    columns: dict[int, list[int]] = {}
    for j, k in unknowns:
        columns.setdefault(k, []).append(j)
    found, transposed, table = arb_mat(len(unknowns), len(unknowns)), psi.transpose(), psi.tolist()
    for k, other in itertools.combinations_with_replacement(sorted(columns), 2):
        weights = [t * row[k] * ((k == other) - row[other]) for t, row in zip(totals, q, strict=True)]
        block = _wide(transposed * arb_mat([[w * x for x in row] for w, row in zip(weights, table, strict=True)]))
        for j, g in itertools.product(columns[k], columns[other]):
            a, b = place[j, k], place[g, other]
            found[a, b] = found[b, a] = block[j, g]
    return found


def bound_equal(rows: Rows, counts: Counts, members: Sequence[int]) -> arb:
    """Enclose the sum of A_i H(q_i) over samples with equal rows: the labels' entropy, or that of 1/m for rows 0."""
    shares = [sum(column) for column in zip(*(counts[i] for i in members), strict=True)]
    total = arb(sum(shares))
    if all(entry.is_zero() for entry in rows[members[0]]):
        return total * arb(len(shares)).log()
    return sum((c * (total / c).log() for c in shares if c), arb(0))


class _EqualRows:
    """Which samples have exactly equal rows of Psi: equal samples, equal exact balls, equal exact numbers."""

    def __init__(self, features: Enclosure, rows: Rows, values: RationalFeatures | None) -> None:
        self.features, self.rows = features, rows
        self.rational = values is not None and values.rational and values.followed
        self.rational = self.rational and rational_activations(features.network)
        self.keys: list[object] = [self._key(i, values) for i in range(len(rows))]

    def _key(self, i: int, values: RationalFeatures | None) -> object:
        if values is not None:
            return row_key(values.values[i])
        if self._exact(i):
            return tuple(tuple(map(int, entry.man_exp())) for entry in self.rows[i])
        return self.features.inputs[i].tobytes()

    def _exact(self, i: int) -> bool:
        return all(entry.is_exact() for entry in self.rows[i])

    def groups(self, counts: NDArray[np.int64], support: NDArray[np.bool_]) -> tuple[tuple[int, ...], ...]:
        """Samples that are not mixed, with equal rows and different labels, or with rows that are 0."""
        known: dict[object, list[int]] = {}
        for i, key in enumerate(self.keys):
            if support[i].sum() <= 1:
                known.setdefault(key, []).append(i)
        found = []
        for members in known.values():
            zero = all(entry.is_zero() for entry in self.rows[members[0]])
            if zero or (counts[members].sum(axis=0) > 0).sum() > 1:
                found.append(tuple(members))
        return tuple(found)

    def checkable(self, members: Sequence[int]) -> bool:
        """Whether a checker, which has no symbols for unknown numbers, sees that the rows are equal."""
        inputs = self.features.inputs
        same = all(np.array_equal(inputs[i], inputs[members[0]]) for i in members)
        return same or self.rational or all(map(self._exact, members))


def _loss_at(rows: Rows, weights: ExactArray, counts: Counts) -> arb:
    """Enclose n Phi at these weights."""
    total = arb(0)
    for g, own in zip((arb_mat(rows) * weights.arb_mat()).tolist(), counts, strict=True):
        top = max(g, key=lambda x: float(x.mid()))
        spread = sum(((x - top).exp() for x in g), arb(0)).log()
        total += sum((c * (top - x + spread) for x, c in zip(g, own, strict=True) if c), arb(0))
    return total


def _probabilities(logits: Sequence[arb], support: Sequence[int]) -> list[arb]:
    """Probabilities over the classes of the support; exactly 0 for the others."""
    inside = [x for x, counted in zip(logits, support, strict=True) if counted]
    top = max(inside, key=lambda x: float(x.mid()))
    shares = [(x - top).exp() if counted else arb(0) for x, counted in zip(logits, support, strict=True)]
    total = sum(shares, arb(0))
    return [share / total for share in shares]


def _wide(matrix: arb_mat) -> arb_mat:
    """The same with larger radii, so that a program with somewhat wider enclosures agrees."""
    return arb_mat([[arb(x.mid(), ENCLOSURE_SLACK * x.rad()) for x in row] for row in matrix.tolist()])


def _largest(column: Sequence[arb]) -> arb:
    found = arb(0)
    for x in column:
        found = found.max(x.abs_upper())
    return found.upper()
