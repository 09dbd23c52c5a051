"""Generic full rank, looked at: random U, and sigma_N along a line through U-space.

A sample of U proves nothing about almost every U, so its verdict is ``TESTED``; each single rank in it is proved. Along
a line every value of sigma_N is a rigorous enclosure, ready to be plotted.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from verifier.balls.binary64.backend import Backend, numpy_backend
from verifier.balls.binary64.canary import between_canaries
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.decimals import decimal_bound
from verifier.balls.engine import FIRST_BITS, Enclosure
from verifier.balls.exact import Dyadic
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.data.gate import binary64
from verifier.display import Card, Decided, Shown
from verifier.errors import InputError
from verifier.network.arguments import given_inputs, given_parameters, given_seeds
from verifier.network.initialise import initialise
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage, prove_rank, silent
from verifier.rank.result import RankResult
from verifier.rank.singular_values import singular_values
from verifier.verdict import Verdict

CSV_DIGITS = 17
"""Significant decimals in the table for plots."""


@dataclass(frozen=True, slots=True)
class Trial(Decided):
    """One random U: its seed, and what was proved of the rank at it."""

    seed: int
    verdict: Verdict
    label: str
    sigma_lower: float


@dataclass(frozen=True, slots=True, repr=False)
class Genericity(Decided, Shown):
    """How many random U were certified to have full rank; ``TESTED``, since only finitely many were looked at.

    Guarantee: each trial's verdict is proved for its U; nothing is claimed about any other U.
    """

    verdict: Verdict
    reason: str
    trials: tuple[Trial, ...]
    engine: str

    def _card(self) -> Card:
        return Card("Full rank at random U", str(self.verdict), self.reason, (("trials", str(len(self.trials))),))

    def count(self, verdict: Verdict) -> int:
        """How many trials ended with this verdict."""
        return sum(trial.verdict is verdict for trial in self.trials)

    @property
    def labels(self) -> dict[str, int]:
        """How often each rung of the ladder (R1, R3, R5, R for undecided) decided."""
        return dict(Counter(trial.label for trial in self.trials))

    @property
    def fraction(self) -> float:
        """The share of trials with certified full rank."""
        return self.count(Verdict.PROVED) / len(self.trials)


def full_rank_fraction(
    network: Network,
    inputs: Array,
    seeds: Sequence[int],
    scale: float = 1.0,
    *,
    max_bits: int = 256,
    backend: Backend | None = None,
    stage: Stage = silent,
) -> Genericity:
    """Try to certify ``rank Psi(U) = N`` at random U.

    Parameters
    ----------
    network, inputs
        The network and the samples, shape ``(N, d)``.
    seeds
        One Gaussian U for each, by `initialise`; at least one.
    scale
        Standard deviation of weights and biases.
    max_bits
        Last precision of the ladder.
    backend
        Array library of the binary64 rungs, NumPy by default.
    stage
        Progress display.

    Returns
    -------
    Genericity
        Guarantee: see there. What was proved in binary64 counts only if the platform's canary passed before and after
        all trials; otherwise all of them are done again by Arb.

    Raises
    ------
    InputError
        If there is no seed, or the network, the samples or the scale are unusable.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> vf.full_rank_fraction(network, x, seeds=[0, 1, 2]).fraction
    1.0
    """
    inputs, seeds = given_inputs(network, inputs), given_seeds(seeds)
    if not seeds:
        raise InputError("seeds is empty; give at least one seed")
    backend = backend or numpy_backend()
    engine = "binary64, then Arb"
    trials, report = between_canaries(backend, lambda: _trials(network, inputs, seeds, scale, max_bits, backend, stage))
    if trials is None:
        engine = f"Arb (binary64 refused: {report.failure})"
        trials = _trials(network, inputs, seeds, scale, max_bits, None, stage)
    proved = sum(trial.verdict is Verdict.PROVED for trial in trials)
    reason = f"rank Psi(U) = N = {len(inputs)} certified at {proved} of {len(trials)} random U; "
    reason += f"{sum(trial.verdict is Verdict.REFUTED for trial in trials)} refuted, "
    reason += f"{sum(trial.verdict is Verdict.UNDECIDED for trial in trials)} undecided up to {max_bits} bits"
    return Genericity(Verdict.TESTED, reason, tuple(trials), engine)


def _trials(
    network: Network,
    inputs: Array,
    seeds: Sequence[int],
    scale: float,
    max_bits: int,
    backend: Backend | None,
    stage: Stage,
) -> list[Trial]:
    trials = []
    for seed in seeds:
        u = initialise(network, seed=seed, scale=scale)
        features: Enclosure = (
            FeatureEnclosure(network, u, inputs, FIRST_BITS)
            if backend is None
            else FloatEnclosure(network, u, inputs, backend)
        )
        found: RankResult = prove_rank(features, max_bits=max_bits, stage=stage, guard=False)[0]
        trials.append(Trial(seed, found.verdict, found.label, found.sigma_lower))
    return trials


@dataclass(frozen=True, slots=True)
class LinePoint:
    """sigma_N at a point of a line: ``lower <= sigma_N(Psi(U)) <= upper``, ``upper`` None if nothing is known.

    U is ``u0 + t direction`` rounded to binary64; ``exact`` says whether nothing was rounded.
    """

    t: float
    lower: Dyadic
    upper: Dyadic | None
    exact: bool


def sigma_along_line(
    network: Network,
    inputs: Array,
    u0: Array,
    direction: Array,
    times: ArrayLike,
    *,
    digits: int = 6,
    max_bits: int = 1024,
) -> list[LinePoint]:
    """Enclose sigma_N(Psi(U)) at points of the line ``u0 + t direction``.

    Parameters
    ----------
    network, inputs
        The network and the samples, shape ``(N, d)``; N small, the cost of each point is that of `singular_values`.
    u0, direction
        Shape ``(p,)``, finite.
    times
        The values of t, finite.
    digits
        Decimals wanted of sigma_N.
    max_bits
        Last precision tried.

    Returns
    -------
    list of LinePoint
        Guarantee: every enclosure contains sigma_N at the binary64 vector that ``u0 + t direction`` rounds to, as an
        exact real vector; both ends are 0 where rank < N is proved by structure.

    Raises
    ------
    InputError
        If shapes do not fit or a number is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> points = vf.sigma_along_line(network, x, u, -u, [0.0, 1.0])
    >>> [(point.t, vf.at_least(point.lower, digits=2)) for point in points]
    [(0.0, '0.0029'), (1.0, '0')]
    """
    points = binary64(times, "times").ravel().tolist()
    inputs = given_inputs(network, inputs)
    u0, direction = given_parameters(network, u0, "u0"), given_parameters(network, direction, "direction")
    rows = []
    for t in points:
        with np.errstate(all="ignore"):
            u = u0 + t * direction
        if not np.isfinite(u).all():
            raise InputError(f"u0 + t direction is not finite at t = {t}; use smaller steps")
        lower: Dyadic = Dyadic(0, 0)
        upper: Dyadic | None = Dyadic(0, 0)  # which stays if M < N
        if network.skip_count >= len(inputs):
            found = singular_values(FeatureEnclosure(network, u, inputs, FIRST_BITS), digits, max_bits=max_bits)
            lower, upper = (found.lower[-1], found.upper[-1]) if found.lower else (lower, None)
        rows.append(LinePoint(t, lower, upper, _is_exact(u0, t, direction, u)))
    return rows


def _is_exact(u0: Array, t: float, direction: Array, u: Array) -> bool:
    """Whether ``u = u0 + t direction`` in exact arithmetic."""
    triples = zip(u0.tolist(), direction.tolist(), u.tolist(), strict=True)
    return all(Fraction(a) + Fraction(t) * Fraction(b) == Fraction(c) for a, b, c in triples)


def write_line(rows: Sequence[LinePoint], path: str | Path) -> Path:
    """Write a table for plots: columns ``t, sigma_lower, sigma_upper``, decimals rounded outward.

    Parameters
    ----------
    rows : sequence of LinePoint
        The points of a line, in order.
    path : str or Path
        The CSV file.

    Returns
    -------
    Path
        The CSV file; an unknown upper bound is ``inf``. Guarantee: sigma_N lies between the printed numbers.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    target = Path(path)
    try:
        with target.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("t", "sigma_lower", "sigma_upper"))
            for row in rows:
                upper = "inf" if row.upper is None else decimal_bound(row.upper.fraction(), CSV_DIGITS, up=True)
                writer.writerow((repr(row.t), decimal_bound(row.lower.fraction(), CSV_DIGITS, up=False), upper))
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}; choose another folder") from None
    return target
