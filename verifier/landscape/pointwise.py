r"""Facts about one point (U, V): it is not stationary (C1), it is no local maximum (C3).

With ``p_i`` the softmax of sample i, ``P_i = p_i - onehot``, c_i the multiplicities and n their sum:

* C1: ``grad_V Phi = Psi^T diag(c) P / n``. If ``sigma_N(Psi) > 0``, ``Psi^T`` is injective, so that
  ``||grad_V Phi||_F >= sigma_N ||diag(c) P||_F / n > 0``: (U, V) is not a stationary point, hence no local extremum.
* C3: along the direction of one output weight ``V_jk`` the second derivative is
  ``(1/n) sum_i c_i Psi_ij^2 p_ik (1 - p_ik)``; where it is positive, (U, V) is no local maximum.

Frozen logits K are added to Psi V in the softmax; the derivatives in V stay as they are.

With margins ``m_ik``, ``S_i = sum_k exp(-m_ik)``: ``P_iy = -S_i/(1 + S_i)``, ``p_ik = exp(-m_ik)/(1 + S_i)``; sums of
positive numbers only, so that nothing is lost where the loss is 1e-100.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.arguments import given_labelled
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import Enclosure, arithmetic
from verifier.balls.exact import Dyadic, ExactArray, at_least
from verifier.balls.loss import Row
from verifier.balls.margins import Margins, with_offset
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down
from verifier.display import Card, Decided, Shown
from verifier.landscape.separate import QUIETLY
from verifier.landscape.sharpening import sharpened_margins
from verifier.network.network import Array
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.right_inverse import ENCLOSURE_SLACK, SLACK
from verifier.verdict import Verdict


@dataclass(frozen=True, slots=True, repr=False)
class GradientResult(Decided, Shown):
    """C1: ``||grad_V Phi(U, V)||_F >= gradient_lower > 0`` when PROVED."""

    verdict: Verdict
    reason: str
    start_weights: ExactArray
    precision: int
    gradient_lower: Dyadic | None = None

    def _card(self) -> Card:
        values = () if self.gradient_lower is None else (("||grad_V Phi|| >=", at_least(self.gradient_lower)),)
        return Card("Not a stationary point (C1)", str(self.verdict), self.reason, values)


@dataclass(frozen=True, slots=True, repr=False)
class CurvatureResult(Decided, Shown):
    """C3: the second derivative along the weight from skip unit ``unit`` to output ``output`` when PROVED."""

    verdict: Verdict
    reason: str
    start_weights: ExactArray
    precision: int
    unit: int = 0
    output: int = 0
    curvature_lower: Dyadic | None = None

    def _card(self) -> Card:
        values = () if self.curvature_lower is None else (("second derivative >=", at_least(self.curvature_lower)),)
        return Card("No local maximum (C3)", str(self.verdict), self.reason, values)


def prove_not_stationary(
    features: Enclosure,
    sigma_lower: Dyadic,
    start_weights: ExactArray,
    labels: NDArray[np.int64],
    multiplicities: Sequence[int],
    *,
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Stage = silent,
) -> GradientResult:
    """Prove that (U, V) is not a stationary point (C1).

    Parameters
    ----------
    features
        Enclosure of Psi(U), ``(N, M)``.
    sigma_lower
        A proved lower bound of ``sigma_N(Psi(U))``.
    start_weights
        V, exact, ``(M, m)``.
    labels, multiplicities
        True classes ``(N,)`` and how often each distinct sample occurs.
    max_bits, stage
        Last precision tried, and progress display.

    Returns
    -------
    GradientResult
        Guarantee: ``PROVED`` implies ``||grad_V Phi||_F >= gradient_lower > 0``. Source: ``|Psi^T x| >= sigma_N |x|``.

    Raises
    ------
    DataError
        If weights, labels or multiplicities do not fit the features.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(2, vf.Dense(2, "identity", skip=True))
    >>> features = vf.FeatureEnclosure(network, np.array([1.0, 0, 0, 1, 0, 0]), np.eye(2), 64)
    >>> v = vf.ExactArray.of_floats([[0.0, 1.0], [1.0, 0.0]])
    >>> found = vf.prove_not_stationary(features, vf.Dyadic(1, -1), v, [0, 1], [1, 1])
    >>> print(found.verdict, vf.at_least(found.gradient_lower))
    PROVED 0.3655
    """
    sigma_lower = Dyadic.of(sigma_lower, "sigma_lower")
    start_weights, labels, multiplicities = given_labelled(
        features.samples, features.columns, start_weights, labels, multiplicities
    )
    n = sum(multiplicities)
    stage("C1: the softmax residual")
    for enclosure, margins in _margins(features, start_weights, labels, max_bits):
        with working_precision(enclosure.precision):
            squares = arb(0)
            for row, count in zip(margins.rows, multiplicities, strict=True):
                squares += _least_residual(row) * count * count
            bound = sigma_lower.arb() * squares.lower().sqrt() / n * (1 - SLACK)
            if bound > 0:
                lower = round_down(bound)
                reason = f"full row rank and P != 0: ||grad_V Phi|| >= {at_least(lower)} ({arithmetic(enclosure)})"
                return GradientResult(Verdict.PROVED, reason, start_weights, enclosure.precision, lower)
    reason = "the softmax residual P is not bounded away from 0; raise max_bits"
    if sigma_lower.mantissa <= 0:
        reason = "no positive lower bound of sigma_N was given"
    return GradientResult(Verdict.UNDECIDED, reason, start_weights, features.precision)


def _margins(
    features: Enclosure, weights: ExactArray, labels: NDArray[np.int64], max_bits: int
) -> Iterator[tuple[Enclosure, Margins]]:
    """Yield enclosures of the margins, sharper and sharper, with their radii widened for the checker's sake."""
    if features.precision > max_bits:
        return
    for enclosure, (margins,) in sharpened_margins(features, [weights], labels, max_bits):
        with working_precision(enclosure.precision):
            rows = with_offset(margins, enclosure, labels).rows
            wide = (tuple(arb(m.mid(), ENCLOSURE_SLACK * m.rad()) for m in row) for row in rows)
            yield enclosure, Margins(tuple(wide))


def _softmax_parts(margins: Row) -> list[arb]:
    """Enclose the softmax weights up to a common positive factor: the true class, then the others."""
    shift = arb(0)
    for m in margins:
        shift = shift.min(m.mid())
    return [shift.exp(), *((shift - m).exp() for m in margins)]


def _least_residual(margins: Row) -> arb:
    """Bound ``||P_i||^2 = (S^2 + sum e_k^2)/(1 + S)^2`` from below; 0 where nothing better is known."""
    own, *others = _softmax_parts(margins)
    rest, squares = arb(0), arb(0)
    for part in others:
        rest, squares = rest + part, squares + part * part
    bound: arb = (rest * rest + squares) / (own + rest) ** 2
    return bound.lower() if bound > 0 else arb(0)


def prove_curvature(
    features: Enclosure,
    start_weights: ExactArray,
    labels: NDArray[np.int64],
    multiplicities: Sequence[int],
    *,
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Stage = silent,
    arcs: NDArray[np.bool_] | None = None,
) -> CurvatureResult:
    """Prove that (U, V) is no local maximum (C3).

    Parameters
    ----------
    features, start_weights, labels, multiplicities
        As for `prove_not_stationary`; no rank is needed.
    arcs
        Which columns of Psi are connected to which outputs, ``(M, m)``: the weight is one of them. None: all.

    Returns
    -------
    CurvatureResult
        Guarantee: ``PROVED`` implies that the second derivative of Phi along ``V[unit, output]`` is at least
        ``curvature_lower > 0``.

    Raises
    ------
    DataError
        If weights, labels or multiplicities do not fit the features.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(2, vf.Dense(2, "identity", skip=True))
    >>> features = vf.FeatureEnclosure(network, np.array([1.0, 0, 0, 1, 0, 0]), np.eye(2), 64)
    >>> v = vf.ExactArray.of_floats([[0.0, 1.0], [1.0, 0.0]])
    >>> found = vf.prove_curvature(features, v, [0, 1], [1, 1])
    >>> print(found.verdict, found.unit, found.output, vf.at_least(found.curvature_lower))
    PROVED 0 0 0.0983
    """
    start_weights, labels, multiplicities = given_labelled(
        features.samples, features.columns, start_weights, labels, multiplicities
    )
    psi = features.approx()
    if not psi.any():
        reason = "Psi(U) = 0 in floating point: Phi does not depend on V there, and C3 says nothing"
        return CurvatureResult(Verdict.UNDECIDED, reason, start_weights, features.precision)
    unit, output = _choose(psi, start_weights.approx(), multiplicities, features.offset, arcs)
    n = sum(multiplicities)
    stage("C3: the second derivative along one output weight")
    for enclosure, margins in _margins(features, start_weights, labels, max_bits):
        column = _column(enclosure, unit)
        if column is None:
            continue
        with working_precision(enclosure.precision):
            total = arb(0)
            for row, label, count, value in zip(margins.rows, labels.tolist(), multiplicities, column, strict=True):
                total += _least_variance(row, output, label) * count * value * value
            bound = total.lower() / n * (1 - SLACK)
            if bound > 0:
                lower = round_down(bound)
                where, how = f"V[{unit}, {output}]", arithmetic(enclosure)
                reason = f"the second derivative along {where} is at least {at_least(lower)} ({how})"
                return CurvatureResult(Verdict.PROVED, reason, start_weights, enclosure.precision, unit, output, lower)
    reason = f"the second derivative along V[{unit}, {output}] is not bounded away from 0; raise max_bits"
    return CurvatureResult(Verdict.UNDECIDED, reason, start_weights, features.precision)


@QUIETLY
def _choose(
    psi: Array, v: Array, multiplicities: Sequence[int], offset: Array | None, arcs: NDArray[np.bool_] | None
) -> tuple[int, int]:
    """Propose unit and output: the largest second derivative in floating point."""
    logits = psi @ v if offset is None else psi @ v + offset
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    curvature = (psi * psi).T @ (p * (1.0 - p) * np.array(multiplicities, dtype=np.float64)[:, None])
    if arcs is not None:
        curvature = np.where(arcs, curvature, -1.0)
        unit, output = np.unravel_index(int(np.nan_to_num(curvature, nan=-1.0).argmax()), curvature.shape)
        return int(unit), int(output)
    if not (np.isfinite(curvature).all() and curvature.any()):
        return int(np.nan_to_num(psi * psi).sum(axis=0).argmax()), 0
    unit, output = np.unravel_index(int(curvature.argmax()), curvature.shape)
    return int(unit), int(output)


def _column(enclosure: Enclosure, unit: int) -> list[arb] | None:
    """Lower bounds of ``|Psi_ij|`` for one unit j and all samples, radii widened; None if Psi is not all enclosed.

    Where an entry of Psi has no value, Phi has none, and nothing is claimed of it.
    """
    found: list[arb] = []
    if isinstance(enclosure, FloatEnclosure):
        for _, middles, radii in enclosure.row_blocks():
            values = enclosure.backend.numpy(middles)
            if not np.isfinite(values).all():
                return None
            radius = ENCLOSURE_SLACK * float(radii[unit])
            found += [arb(x, radius).abs_lower() for x in values[:, unit].tolist()]
        return found
    for _, block in enclosure.blocks():
        if not all(entry.is_finite() for entry in block.entries()):
            return None
        balls = [block[i, unit] for i in range(block.nrows())]
        found += [arb(ball.mid(), ENCLOSURE_SLACK * ball.rad()).abs_lower() for ball in balls]
    return found


def _least_variance(margins: Row, output: int, label: int) -> arb:
    """Bound ``p_k (1 - p_k)``, k = output, from below; 0 where nothing better is known."""
    parts = _softmax_parts(margins)
    own = parts.pop(0 if output == label else 1 + output - int(output > label))
    rest = arb(0)
    for part in parts:
        rest += part
    bound: arb = own * rest / (own + rest) ** 2
    return bound.lower() if bound > 0 else arb(0)
