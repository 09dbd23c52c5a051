r"""Lemma 2.1: a cross-entropy below ``log(2) / n`` implies zero training error, and the constant is sharp.

With margins ``m_k = G_y - G_k`` (k != y) the loss of a sample is ``l = log(1 + sum_k exp(-m_k))`` and
``Phi = (1/n) sum_i mult_i l_i``, ``n = sum_i mult_i``. A misclassified sample has some ``m_k <= 0``, so
``exp(-m_k) >= 1``, ``l >= log 2``, and ``Phi >= mult_i log(2) / n``: the more equal samples it stands for, the more it
costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy
from flint import arb
from sympy.logic.inference import satisfiable

from verifier.balls.exact import Dyadic, about
from verifier.balls.loss import Row, cross_entropy
from verifier.balls.precision import working_precision
from verifier.balls.stated import round_down, round_up
from verifier.display import Decided
from verifier.errors import InputError, VerifierError
from verifier.verdict import Verdict

PRECISION = 128
"""Arb's working precision for instances, in bits."""


@dataclass(frozen=True, slots=True)
class ProofStep:
    """One step of the proof: what it says, the statement that sympy decided, and whether it came out true."""

    claim: str
    statement: str
    holds: bool


@dataclass(frozen=True, slots=True)
class ThresholdProof(Decided):
    """L2.1 with the truth of each of its steps: ``PROVED`` if all hold, else ``UNDECIDED``."""

    verdict: Verdict
    steps: tuple[ProofStep, ...]


def prove_threshold() -> ThresholdProof:
    """Prove L2.1 step by step; sympy decides each step when this runs.

    Returns
    -------
    ThresholdProof
        Guarantee: ``PROVED`` only if sympy evaluated the sign, the value or the tautology of every step to be true.

    Examples
    --------
    >>> import verifier as vf
    >>> found = vf.prove_threshold()
    >>> found.verdict, len(found.steps)
    (<Verdict.PROVED: 'PROVED'>, 10)
    """
    m = sympy.Symbol("m", real=True)
    rest, total = sympy.Symbol("S", nonnegative=True), sympy.Symbol("T", positive=True)
    excess, others = sympy.symbols("a b", nonnegative=True)
    extra = sympy.Symbol("q", integer=True, nonnegative=True)
    exponential, loss = sympy.exp(-m), sympy.log(1 + rest)
    two = sympy.log(2)
    low, error = sympy.symbols("low error")
    lemma, contrapositive = sympy.Implies(error, ~low), sympy.Implies(low, ~error)
    steps = (
        _sign("exp(-m) decreases in the margin m", "d/dm exp(-m) < 0", sympy.diff(exponential, m).is_negative),
        _sign("at the boundary m = 0 it is 1, so exp(-m) >= 1 for m <= 0", "exp(0) = 1", exponential.subs(m, 0) == 1),
        _sign("the other classes only add: exp(-m_j) > 0", "exp(-m) > 0", exponential.is_positive),
        _sign(
            "so S = sum_k exp(-m_k) >= 1",
            "(1 + a) + b - 1 >= 0 for a, b >= 0",
            sympy.expand((1 + excess) + others - 1).is_nonnegative,
        ),
        _sign("log(1 + S) increases in S", "d/dS log(1 + S) > 0 for S >= 0", sympy.diff(loss, rest).is_positive),
        _sign("at S = 1 it is log 2, so l >= log 2", "log(1 + 1) = log(2)", loss.subs(rest, 1) == two),
        _sign("at S = 0 it is 0, so every sample's loss is >= 0", "log(1 + 0) = 0", loss.subs(rest, 0) == 0),
        _sign("that loss is even positive", "log(1 + T) > 0 for T > 0", sympy.log(1 + total).is_positive),
        _sign(
            "with multiplicity 1 + q it weighs at least once: n Phi >= (1 + q) log 2 >= log 2",
            "(1 + q) log(2) - log(2) >= 0 for q >= 0",
            sympy.expand((1 + extra) * two - two).is_nonnegative,
        ),
        _sign(
            "hence Phi < log(2)/n excludes every error",
            "(error => not low) => (low => not error) is a tautology",
            satisfiable(~sympy.Implies(lemma, contrapositive)) is False,
        ),
    )
    return ThresholdProof(Verdict.PROVED if all(s.holds for s in steps) else Verdict.UNDECIDED, steps)


def _sign(claim: str, statement: str, decided: object) -> ProofStep:
    """A step; sympy's None (undecided) is not true."""
    return ProofStep(claim, statement, decided is True or decided is sympy.true)


@dataclass(frozen=True, slots=True)
class SharpExample:
    """Two classes, one sample with tied logits, the others with one margin: ``lower <= n Phi / log 2 <= upper``."""

    samples: int
    margin: int
    lower: Dyadic
    upper: Dyadic


def sharpness(samples: int = 10, margins: Sequence[int] = (1, 10, 100, 1000)) -> tuple[SharpExample, ...]:
    """Show that no constant above log 2 would do: losses of misclassifying outputs, relative to ``log(2) / n``.

    Parameters
    ----------
    samples
        N >= 1: one sample is tied, so it is not classified correctly.
    margins
        The margin of the other N - 1 samples, positive integers t.

    Returns
    -------
    tuple of SharpExample
        First N = 1, whose ratio is 1 by the step at S = 1 of the proof; then N samples for each t. Guarantee: the ratio
        ``n Phi / log 2`` lies between the bounds; it is ``1 + (N - 1) log(1 + exp(-t)) / log 2``, which exceeds 1 and
        tends to 1.

    Raises
    ------
    InputError
        If there is no sample or a margin is not positive.
    """
    if samples < 1 or min(margins, default=1) < 1:
        raise InputError(f"samples = {samples}, margins = {list(margins)[:8]}: all must be at least 1")
    examples = [SharpExample(1, 0, *_ratio(1, 0))]
    return (*examples, *(SharpExample(samples, t, *_ratio(samples, t)) for t in margins))


def _ratio(samples: int, margin: int) -> tuple[Dyadic, Dyadic]:
    with working_precision(PRECISION + 2 * margin):
        rows = [[arb(0)], *([arb(margin)] for _ in range(samples - 1))]
        loss = cross_entropy(rows, [1] * samples)
        quotient = samples * loss / arb.const_log2()
        return round_down(quotient, PRECISION + 2 * margin), round_up(quotient, PRECISION + 2 * margin)


@dataclass(frozen=True, slots=True)
class InstanceCheck(Decided):
    """L2.1 on an instance: whether Phi, at most ``upper``, is proved to be below ``log(2) / n``; ``total`` is n."""

    verdict: Verdict
    reason: str
    upper: Dyadic | None
    total: int


def check_instance(margins: Sequence[Row], multiplicities: Sequence[int]) -> InstanceCheck:
    """Apply L2.1 to enclosed margins and compare its conclusion with them.

    Parameters
    ----------
    margins
        N rows of m - 1 balls: the margins of the samples.
    multiplicities
        How many equal samples each row stands for.

    Returns
    -------
    InstanceCheck
        Guarantee: ``PROVED`` implies ``Phi < log(2) / n`` and that every margin is positive: zero training error.
        ``UNDECIDED`` says that the loss is not proved to be below; never that there is an error.

    Raises
    ------
    InputError
        If there is no sample, a sample has no margin, or the numbers of rows and multiplicities differ.
    VerifierError
        If the loss is below and some margin's lower end is not positive: a bug in this package, for the upper bound of
        the loss is its value at the lower ends of the margins.
    """
    counts = list(multiplicities)
    if not margins or len(margins) != len(counts) or min(map(len, margins)) < 1 or min(counts) < 1:
        raise InputError(
            f"{len(margins)} rows of margins and {len(counts)} multiplicities: both must have one entry per sample, "
            "every row a margin per wrong class, every multiplicity at least 1"
        )
    total = sum(counts)
    with working_precision(PRECISION):
        loss, threshold = cross_entropy(margins, counts).upper(), arb.const_log2() / total
        shown = f"log(2)/n (about {about(threshold)}, n = {total})"
        if not loss < threshold:
            return InstanceCheck(Verdict.UNDECIDED, f"Phi is not proved to be below {shown}", None, total)
        for sample, row in enumerate(margins):
            if not all(m.lower() > 0 for m in row):
                raise VerifierError(f"Phi < {shown}, yet a margin of sample {sample} may be <= 0: a bug, please report")
        reason = f"Phi < {shown}: every sample is classified correctly"
        return InstanceCheck(Verdict.PROVED, reason, round_up(loss), total)
