r"""Z0.error: the squared error at this U from below, over ALL output weights V, and from above (a projection).

Sample i stands for A_i samples with the mean target t_i; S is half the spread of the targets around their means. With
``r0_i = t_i - psi_i V``, ``R = sum_i A_i psi_i (x) r0_i`` and ``G = sum_i A_i psi_i psi_i^T``, let ``G Z = R``. Then
``r = r0 - Psi Z`` is orthogonal to all columns, so that by Pythagoras, for every V',

.. math:: n\,\Phi(U, V') - S = \tfrac{1}{2} \sum_i A_i |t_i - \psi_i V'|^2 \ge \tfrac{1}{2} \sum_i A_i |r_i|^2
   = \tfrac{1}{2} \sum_i A_i |r0_i|^2 - \tfrac{1}{2} \langle Z, R \rangle .

V is proposed by least squares; the system is solved in balls, or refused. Columns that are exactly 0 are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat

from verifier.balls.engine import Enclosure
from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down, round_up
from verifier.display import Brief
from verifier.landscape.loss_bound import BITS, DIGITS, EQUATIONS, FINE, FINE_BITS, WORK
from verifier.landscape.target_loss import TargetLoss
from verifier.rank.certify import Stage, silent
from verifier.rank.right_inverse import ENCLOSURE_SLACK


@dataclass(frozen=True, slots=True, repr=False)
class LeastError(Brief):
    """``lower <= inf over V of Phi(U, V) <= upper``, lower > 0, of the squared error; ``weights`` (M, m) prove both."""

    lower: Dyadic
    upper: Dyadic
    weights: ExactArray
    precision: int = BITS

    @property
    def words(self) -> str:
        """The interval in words, rounded outwards."""
        low, high = at_least(self.lower, DIGITS), at_most(self.upper, DIGITS)
        return f"the squared error is at least {low} for every V, and its infimum over V is at most {high}"


def bound_error(features: Enclosure, loss: TargetLoss, stage: Stage = silent) -> LeastError | None:
    """Bound the least squared error over all output weights at this U.

    Parameters
    ----------
    features
        Enclosure of Psi(U), ``(N, M)``.
    loss
        The targets ``(n, m)`` and multiplicities.
    stage
        Progress display.

    Returns
    -------
    LeastError or None
        Guarantee: without frozen logits, for every V in R^{M x m} Phi(U, V) >= ``lower`` > 0, and for some V it is at
        most ``upper``. None says nothing. Source: Pythagoras, see the module's text.
    """
    if features.offset is not None or features.columns > EQUATIONS or features.samples * features.columns**2 > WORK:
        return None
    stage("squared error: a lower bound over all V")
    psi = features.approx()
    counts = loss.multiplicities.astype(np.float64)
    if not np.isfinite(psi).all():
        return None
    means = np.add.reduceat(loss.targets, loss.starts[:-1]) / counts[:, None]
    root = np.sqrt(counts)[:, None]
    held = ExactArray.of_floats(np.linalg.lstsq(root * psi, root * means, rcond=None)[0])
    enclosure = FeatureEnclosure(features.network, features.u, features.inputs, BITS)
    with working_precision(BITS):
        bounds = _enclosed([row for _, block in enclosure.blocks() for row in block.tolist()], held, loss)
        if bounds is None:
            return None
        low, high = bounds
        lower = round_down(low / loss.total * (1 - FINE), FINE_BITS)
        upper = round_up(high / loss.total * (1 + FINE), FINE_BITS)
    return LeastError(lower, upper, held) if lower.mantissa > 0 else None


def _enclosed(rows: list[list[arb]], weights: ExactArray, loss: TargetLoss) -> tuple[arb, arb] | None:
    """Enclose n times the bound and n Phi(U, V); None if the system is not certainly regular."""
    used = [j for j in range(len(rows[0])) if any(not row[j].is_zero() for row in rows)]
    counts, total, rest = loss.multiplicities.tolist(), loss.infimum() * loss.total, []
    for i, line in enumerate((arb_mat(rows) * weights.arb_mat()).tolist()):
        own = loss.targets[loss.starts[i] : loss.starts[i + 1]]
        means = [sum(map(arb, column), arb(0)) / counts[i] for column in own.T.tolist()]
        rest.append([t - g for t, g in zip(means, line, strict=True)])
        total += counts[i] * sum((x * x for x in rest[-1]), arb(0)) / 2
    if not used:
        return total, total
    psi = arb_mat([[row[j] for j in used] for row in rows])
    weighted = arb_mat([[c * x for x in row] for c, row in zip(counts, psi.tolist(), strict=True)]).transpose()
    residual = _wide(weighted * arb_mat(rest))
    try:
        solved = _wide(weighted * psi).solve(residual)
    except ZeroDivisionError:
        return None
    shift = sum((a * b for a, b in zip(solved.entries(), residual.entries(), strict=True)), arb(0))
    return total - shift / 2, total


def _wide(matrix: arb_mat) -> arb_mat:
    """The same with larger radii, so that a program with somewhat wider enclosures agrees."""
    return arb_mat([[arb(x.mid(), ENCLOSURE_SLACK * x.rad()) for x in row] for row in matrix.tolist()])
