"""Z1: output weights V1 with positive margins on every sample, so that the loss tends to zero along ``t V1``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray

from verifier.balls.arguments import given_weights
from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.binary64.canary import require_products
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.engine import Enclosure, arithmetic, sharper
from verifier.balls.exact import Dyadic, ExactArray, at_least
from verifier.balls.margins import Margins
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down
from verifier.display import Card, Decided, Shown
from verifier.landscape.inseparable import Inseparable, prove_inseparable
from verifier.landscape.loss_bound import LossBound, bound_loss
from verifier.landscape.separate import proposals
from verifier.landscape.sharpening import sharpened_margins
from verifier.network.arguments import given_labels
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.rational import rational_features
from verifier.rank.right_inverse import ENCLOSURE_SLACK, SLACK, RightInverse
from verifier.verdict import Verdict

IMPOSSIBLE = "no V classifies all samples at this U"
"""What is REFUTED of Z1."""


@dataclass(frozen=True, slots=True, repr=False)
class ZeroLoss(Decided, Shown):
    """V1 with its certified margin ``gamma`` when PROVED, the margins' enclosures and the features they came from.

    When REFUTED, ``excluded`` or ``bound``, or both, prove that no V has zero training error at this U; ``bound`` says
    how large the loss is at least, for every V.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(1, vf.Dense(1, "identity", skip=True))
    >>> features = vf.FeatureEnclosure(network, np.array([1.0, 0.0]), np.array([[1.0], [2.0], [3.0]]), 64)
    >>> zero = vf.prove_zero_loss(features, [0, 1, 0], 2)
    >>> print(zero.verdict, zero.excluded.kind)
    REFUTED relation
    """

    verdict: Verdict
    reason: str
    precision: int
    weights: ExactArray | None = None
    gamma: Dyadic | None = None
    margins: Margins | None = None
    features: Enclosure | None = None
    excluded: Inseparable | None = None
    bound: LossBound | None = None

    def _card(self) -> Card:
        values = [] if self.gamma is None else [("gamma >=", at_least(self.gamma))]
        if self.weights is not None:
            values.append(("V1", " x ".join(map(str, self.weights.shape))))
        if self.bound is not None:
            values.append(("loss for every V >=", at_least(self.bound.lower)))
        values.append(("precision", f"{self.precision} bits"))
        return Card("Zero training error, infimum 0 (Z1)", str(self.verdict), self.reason, tuple(values))


def prove_zero_loss(
    features: Enclosure,
    labels: NDArray[np.int64],
    classes: int,
    *,
    witness: RightInverse | None = None,
    candidates: Iterable[tuple[str, ExactArray]] | None = None,
    multiplicities: Sequence[int] | None = None,
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Stage = silent,
    refute: bool = True,
) -> ZeroLoss:
    """Find V1 and certify its smallest margin.

    Parameters
    ----------
    features
        Enclosure of Psi(U).
    labels, classes
        True classes ``(N,)`` and their number m.
    witness
        A right inverse of Psi(U) if the rank was proved; without one only linear separability can help.
    candidates
        V1 to be tried, each with the name of its method, instead of what is found here; Psi is then read in blocks
        and never held.
    multiplicities
        How often each distinct sample occurs, for the bound of the loss; None: once.
    max_bits
        Last precision tried.
    stage
        Progress display.
    refute
        Whether to look for a proof that there is no V1, where none was found and the rank was not proved.

    Returns
    -------
    ZeroLoss
        Guarantee: ``PROVED`` implies that ``Psi(U) V1`` has margin >= gamma > 0 on every sample (Z1): zero training
        error, and
        ``Phi(U, t V1) <= log(1 + (m-1) exp(-t gamma)) -> 0``; ``REFUTED`` that for every V some margin of Psi(U) V is
        <= 0.

    Raises
    ------
    DataError
        If labels or candidates do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network(2, vf.Dense(2, "identity", skip=True))
    >>> features = vf.FeatureEnclosure(network, np.array([1.0, 0, 0, 1, 0, 0]), np.eye(2), 64)
    >>> zero = vf.prove_zero_loss(features, [0, 1], 2)
    >>> print(zero.verdict, vf.at_least(zero.gamma))
    PROVED 0.9999
    """
    labels = given_labels(labels, features.samples, classes)
    if candidates is not None:
        candidates = (
            (method, given_weights(features.columns, weights, "candidates")) for method, weights in candidates
        )
    stage("zero loss: solving for V")
    # with frozen logits margins of Psi V that cannot all be positive exclude nothing
    refute = refute and witness is None and candidates is None and features.offset is None
    methods = "no candidate" if candidates is not None else "least squares, squared hinge and linear programming"
    if candidates is None:
        try:
            psi = features.approx()
            if isinstance(features, FloatEnclosure):
                require_products(features.record)  # nothing is proposed from a platform that multiplies wrongly
        except NotEnclosed:
            features = sharper(features)
            psi = features.approx()
        candidates = proposals(psi, labels, classes, witness)
    tried = []
    for method, weights in candidates:
        tried.append(method)
        task = f"zero loss: margins of V ({method})"
        for enclosure, (margins,) in sharpened_margins(features, [weights], labels, max_bits, stage, task):
            with working_precision(enclosure.precision):
                smallest = margins.smallest_lo(room=ENCLOSURE_SLACK) * (1 - SLACK)
                gamma = round_down(smallest) if smallest > 0 else None
            if gamma is not None and gamma.mantissa > 0:
                how = f"({method}, {arithmetic(enclosure)})"
                reason = f"every margin of Psi V1 is at least gamma = {at_least(gamma)} {how}"
                return ZeroLoss(Verdict.PROVED, reason, enclosure.precision, weights, gamma, margins, enclosure)
            if not _wide(margins):
                break
    text = ", ".join(dict.fromkeys(tried)) if tried else methods
    if refute:
        stage("zero loss: looking for multipliers that exclude it")
        values = rational_features(features.network, features.u, features.inputs)
        exact, counts = None if isinstance(values, str) else values, multiplicities or [1] * features.samples
        bound = bound_loss(features, labels, classes, counts, exact, stage)
        arguments = features.network, features.u, features.inputs, labels, classes
        excluded = prove_inseparable(*arguments, values=values, exact=bound is not None)
        if excluded is not None or bound is not None:
            reason = _excluded(excluded, bound)
            return ZeroLoss(Verdict.REFUTED, reason, features.precision, excluded=excluded, bound=bound)
        text += "; nor multipliers that exclude them"
    reason = f"no output weights with certified positive margins found ({text}); whether any exist is open"
    reason += "" if witness is not None else ": full rank at this U would give them"
    return ZeroLoss(Verdict.UNDECIDED, reason, features.precision)


def _excluded(excluded: Inseparable | None, bound: LossBound | None) -> str:
    """Why no V classifies all samples, and how large the loss is at least."""
    reason = IMPOSSIBLE
    if excluded is not None:
        reason += f": {excluded.explanation}"
        stated = excluded.checkable or (bound is not None and bound.checkable)
        reason += "" if stated else " (not stated in the certificate)"
    return f"{reason}; {'Phi(U, V) >= log(2)/n for every V' if bound is None else bound.words}"


def _wide(margins: Margins) -> bool:
    """Whether some margin's sign is undecided, so that more precision may help."""
    return not any(margin < 0 or margin.is_zero() for row in margins.rows for margin in row)


def loss_bound(classes: int, gamma: arb, t: arb, drop: arb | int = 0) -> arb:
    """``log(1 + (m-1) exp(-(t gamma - drop)))``, the bound of Z1; ``drop`` is 0 without frozen logits.

    Parameters
    ----------
    classes
        The number m of classes.
    gamma, t
        A lower bound of every margin of V1, and the factor of V1.
    drop
        How far frozen logits K may lower a margin: every margin of ``t Psi V1 + K`` is at least ``t gamma - drop``.

    Returns
    -------
    arb
        Guarantee: encloses the bound; ``Phi(U, t V1)`` is not above it.
    """
    return ((classes - 1) * (drop - t * gamma).exp()).log1p()
