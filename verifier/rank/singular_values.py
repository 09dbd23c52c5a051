"""R4: all singular values of Psi to any number of digits, each relative to itself.

`eigenvalues` bounds the eigenvalues of ``A A^T`` from an untrusted witness Q; `spectrum_search` refines Q at growing
precision until all digits are proved.

Half the digits in Q give all the digits of a separated singular value (the idea of Temple and Kato), an equal or
clustered one gets its digits from the first bound. S and T are computed by ball arithmetic from the enclosure of Psi,
so that its radii are part of the result; nothing is rounded outside of balls.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb_mat

from verifier.balls.decimals import decimal_bound, decimal_enclosure
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.precision import MAX_BITS
from verifier.errors import InputError, needs
from verifier.network.forward import approx_features
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.deficiency import cheap_deficiency, structural_deficiency
from verifier.rank.modular import integer_rank
from verifier.rank.refine import FLOAT_RANGE
from verifier.rank.spectrum_search import SingularValues, SpectrumSearch

MAX_DIGITS = 1000
"""Some 3400 bits: far from the largest precision, of 16384 bits."""

SUMMARY_DIGITS = 6
"""Significant digits in the summary for people."""


PRIME = 2**61 - 1
"""For ranks modulo a prime."""


def singular_values(
    features: FeatureEnclosure, digits: int = 50, *, max_bits: int = DEFAULT_MAX_BITS, stage: Stage = silent
) -> SingularValues:
    """Enclose all singular values of Psi(U).

    Parameters
    ----------
    features
        Enclosure of Psi, shape ``(N, M)``, at any precision; others are made as needed.
    digits
        Decimal digits wanted of each singular value, relative to itself; 1..1000.
    max_bits
        Highest precision tried.
    stage
        Progress display.

    Returns
    -------
    SingularValues
        Guarantee: ``lower[k] <= sigma_(k+1)(Psi(U)) <= upper[k]`` for all k, in exact real arithmetic. Source: Weyl,
        Ostrowski and a Schur complement; see `verifier.rank.eigenvalues`.

    Raises
    ------
    InputError
        If ``digits`` or ``max_bits`` is out of range, or there is no sample.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> found = vf.singular_values(vf.FeatureEnclosure(network, u, x, 64), digits=8)
    >>> found.proved, vf.at_least(found.lower[0], digits=6), vf.at_most(found.upper[0], digits=6)
    (True, '2.67305', '2.67306')
    """
    _check(digits, max_bits)
    needs(features, "FeatureEnclosure", "blocks", "features", "for a matrix of your own use matrix(A)")
    n, m = features.samples, features.columns
    if n < 1:
        raise InputError("Psi has no rows, so it has no singular values; give at least one sample")

    def balls(bits: int) -> arb_mat:
        progress = stage(f"singular values: enclosure of Psi at {bits} bits")
        at = features
        if features.precision < bits:
            at = FeatureEnclosure(features.network, features.u, features.inputs, bits)
        return _upright(_stack([block for _, block in at.blocks(progress)]))

    def rank_at_most() -> int:
        stage("singular values: looking for structural deficiency")
        network, u, inputs = features.network, features.u, features.inputs
        found = (cheap_deficiency(network, inputs), structural_deficiency(network, u, inputs))
        return min([n, m, *(d.rank_at_most for d in found if d is not None)])

    with np.errstate(all="ignore"):
        psi = approx_features(features.network, features.u, features.inputs)
        usable = bool(np.isfinite(psi).all()) and FLOAT_RANGE[0] < float(np.abs(psi).max(initial=0.0)) < FLOAT_RANGE[1]
    guess = (psi if n <= m else psi.T) if usable else None
    return SpectrumSearch(n, m, digits, max_bits, balls, rank_at_most, guess, stage).run()


def matrix_singular_values(
    matrix: ExactArray,
    digits: int = 50,
    *,
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Stage = silent,
    rank_at_most: int | None = None,
) -> SingularValues:
    """Enclose all singular values of an exact matrix, shape ``(N, M)``; vanishing ones are found by its exact rank.

    Parameters
    ----------
    matrix
        Exact; an array of numbers is taken exactly (`ExactArray.of_floats`).
    digits, max_bits, stage
        As for `singular_values`.
    rank_at_most
        A proved upper bound of the rank; by default the exact rank is computed where it is needed.

    Returns
    -------
    SingularValues
        Guarantee: ``lower[k] <= sigma_(k+1) <= upper[k]`` for all k. Source: as for `singular_values`.

    Raises
    ------
    InputError
        If the array is not a matrix with entries, or ``digits`` or ``max_bits`` is out of range.

    Examples
    --------
    >>> import verifier as vf
    >>> found = vf.matrix_singular_values([[3, 0], [0, 4], [0, 0]], digits=10)
    >>> [float(f"{float(value):.6g}") for value in found.lower]
    [4.0, 3.0]
    """
    _check(digits, max_bits)
    matrix = ExactArray.of_floats(matrix, "matrix")
    if len(matrix.shape) != 2 or 0 in matrix.shape:
        raise InputError(f"an array of shape {matrix.shape} has no singular values; give a matrix with entries")
    n, m = matrix.shape
    exact = _upright(matrix.arb_mat())
    known = (lambda: exact_rank(matrix)) if rank_at_most is None else (lambda: rank_at_most)
    rank = None if rank_at_most is None or rank_at_most >= min(n, m) else rank_at_most
    return SpectrumSearch(n, m, digits, max_bits, lambda _: exact, known, None, stage, rank=rank).run()


def exact_rank(matrix: ExactArray) -> int:
    """Rank of an exact matrix; a full one is usually seen modulo a prime, where it can only be smaller.

    Guarantee: the result is the rank.

    Parameters
    ----------
    matrix : ExactArray of shape (n, m)
        The matrix.

    Returns
    -------
    int
        The rank.
    """
    columns, (numerators, _) = matrix.shape[1], matrix.integers()
    return integer_rank([numerators[k : k + columns] for k in range(0, len(numerators), columns)], math.inf).rank


def _check(digits: int, max_bits: int) -> None:
    if type(digits) is not int or not 1 <= digits <= MAX_DIGITS:
        raise InputError(f"digits = {digits!r} must be a whole number in 1..{MAX_DIGITS}")
    if type(max_bits) is not int or not 64 <= max_bits <= MAX_BITS:
        raise InputError(f"max_bits = {max_bits!r} must be a whole number in 64..{MAX_BITS}")


def _stack(blocks: list[arb_mat]) -> arb_mat:
    if len(blocks) == 1:
        return blocks[0]
    entries = [z for block in blocks for z in block.entries()]
    return arb_mat(sum(block.nrows() for block in blocks), blocks[0].ncols(), entries)


def _upright(a: arb_mat) -> arb_mat:
    """A or its transpose, whichever has no more rows than columns."""
    return a if a.nrows() <= a.ncols() else a.transpose()


def describe(found: SingularValues, seconds: float) -> list[str]:
    """The result in lines for people: a summary, then one line per singular value."""
    lines = [
        f"R4 {found.verdict}: {found.reason}",
        f"Psi is {found.samples} x {found.columns}; {found.precision} bits, {found.rounds} rounds, {seconds:.2f} s",
    ]
    if found.lower:
        ends = [(found.lower[k].fraction(), found.upper[k].fraction()) for k in (0, -1)]
        largest, smallest = (decimal_enclosure(*pair, SUMMARY_DIGITS) for pair in ends)
        condition = "infinite or unknown"
        if found.condition is not None:
            condition = decimal_enclosure(*found.condition, SUMMARY_DIGITS)
        lines.append(f"largest {largest}, smallest {smallest}, condition number {condition}")
    return lines + [f"sigma_{k + 1} = {found.text(k)}" for k in range(len(found.lower))]


def as_json(found: SingularValues) -> dict[str, Any]:
    """The result as one JSON document; the decimals are rounded outward.

    Parameters
    ----------
    found : SingularValues
        The enclosures.

    Returns
    -------
    dict
        The document.
    """
    digits = found.digits + 4

    def outward(low: Fraction, high: Fraction) -> list[str]:
        return [decimal_bound(low, digits, up=False), decimal_bound(high, digits, up=True)]

    return {
        "label": "R4",
        "verdict": str(found.verdict),
        "reason": found.reason,
        "samples": found.samples,
        "columns": found.columns,
        "digits": found.digits,
        "precision": found.precision,
        "rounds": found.rounds,
        "condition": None if found.condition is None else outward(*found.condition),
        "lower": [decimal_bound(v.fraction(), digits, up=False) for v in found.lower],
        "upper": [decimal_bound(v.fraction(), digits, up=True) for v in found.upper],
    }
