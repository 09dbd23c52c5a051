r"""R4: all singular values of Psi to any number of digits, each relative to itself.

Let A be ``(N, M)`` with ``N <= M`` (else transpose), ``lambda_1 >= ... >= lambda_N >= 0`` the eigenvalues of ``G = A
A^T``, so that ``sigma_i = sqrt(lambda_i)``. Let Q be any real ``(N, N)`` matrix, an untrusted witness whose rows
approximate left singular vectors, and

.. math:: S = Q Q^T = I + F, \qquad T = (QA)(QA)^T = D + H, \qquad \|F\|_2 \le a < 1,

with D diagonal (any; here the midpoints of T's diagonal). Choose ``g_j >= d_j``, ``g_j > 0`` and let
``eta >= ||g^(-1/2) H g^(-1/2)||_2``.

1. *First order.* ``-eta diag(g) <= H <= eta diag(g)`` in the order of symmetric matrices, so by Weyl's monotonicity the
   eigenvalues of T lie between those of the diagonal matrices ``D - eta diag(g)`` and ``D + eta diag(g)``. By Ostrowski
   ``lambda_k(T) = theta_k lambda_k(G)`` with theta_k between the extreme eigenvalues of S (Q is nonsingular as a < 1).
   Since ``g_j = max(d_j, floor)`` for one ``floor >= 0``, the bounds below are monotone in d and for decreasing d

   .. math:: \frac{\max(d_k - \eta g_k, 0)}{1 + a} \;\le\; \lambda_k(G) \;\le\; \frac{d_k + \eta g_k}{1 - a}.

2. *Second order.* Let ``lambda = lambda_k(G)`` lie in ``[l, u]``, l > 0. ``T - lambda S`` is singular. Partition off
   row and column k; ``B`` is the rest and v the off-diagonal part of column k. With ``Delta_j = max(g_j, u)``,

   .. math:: \sigma_{\min}(\Delta^{-1/2} B \Delta^{-1/2}) \;\ge\;
             h := \min_{j \ne k} \frac{\mathrm{dist}(d_j, [l, u])}{\Delta_j} - \eta - a ,

   because ``B = diag(d_j - lambda) + H' - lambda F'`` and ``lambda <= u <= Delta_j``. If h > 0, B is nonsingular and
   the Schur complement ``T_kk - lambda S_kk - v^T B^(-1) v`` vanishes, hence

   .. math:: |T_{kk} - \lambda S_{kk}| \le \frac{1}{h}
             \Bigl( \sqrt{\sum_{j \ne k} T_{kj}^2 / g_j} + \sqrt{u \sum_{j \ne k} S_{kj}^2} \Bigr)^2 .

   The quotient ``dist / Delta`` grows with the distance of d_j from ``[l, u]`` on either side, so that the neighbours
   in the order of d attain the minimum.

Half the digits in Q give all the digits of a separated singular value (the idea of Temple and Kato), an equal or
clustered one gets its digits from the first bound. S and T are computed by ball arithmetic from the enclosure of Psi,
so that its radii are part of the result; nothing is rounded outside of balls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx, nmod_mat

from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most, round_down, round_up
from verifier.balls.feature_enclosure import FeatureEnclosure, block_is_finite
from verifier.balls.precision import MAX_BITS, MIN_BITS, working_precision
from verifier.display import Decided, Facts, Shown
from verifier.errors import InputError, needs
from verifier.network.network import approx_features
from verifier.rank.certify import DEFAULT_MAX_BITS, Stage, silent
from verifier.rank.deficiency import cheap_deficiency, structural_deficiency
from verifier.rank.refine import Array, improve, magnitude, power_of_two, scaled_floats, start
from verifier.rank.right_inverse import NORM_PRECISION
from verifier.verdict import Verdict

MAX_DIGITS = 1000
GUARD_BITS = 24
"""Bits beyond those of the digits, of the condition number and of the sums' lengths."""

SUMMARY_DIGITS = 6
"""Significant digits in the summary for people."""

HALF_GUARD_BITS = 12
"""The same for what needs only half of the digits."""

PRIME = 2**61 - 1
"""For ranks modulo a prime."""

PATIENCE = 3
"""Rounds without any progress after which more precision is tried."""

MAX_ROUNDS = 200
"""Rounds of refinement, all together."""

ROUND_LIMIT_SECONDS = 300.0
"""A round that is estimated to take longer is not begun: the result is UNDECIDED and says so."""

Interval = tuple[arb, arb]
"""Lower and upper bound."""


@dataclass(frozen=True, slots=True, repr=False)
class SingularValues(Decided, Shown):
    """Enclosures ``lower[k] <= sigma_(k+1) <= upper[k]`` in decreasing order, ``min(N, M)`` of them.

    The verdict is PROVED if ``upper - lower <= 10^-digits lower`` for all of them (``lower = upper = 0`` for those that
    are proved to vanish), else UNDECIDED with the reason; the enclosures hold in either case. ``precision`` is that
    of the last enclosure of the matrix, in bits; ``rounds`` counts refinements of the witness.
    """

    verdict: Verdict
    reason: str
    samples: int
    columns: int
    digits: int
    precision: int
    rounds: int
    lower: tuple[Dyadic, ...]
    upper: tuple[Dyadic, ...]

    def _facts(self) -> Facts:
        values = [("N x M", f"{self.samples} x {self.columns}"), ("digits", str(self.digits))]
        if self.lower:
            ends = ((0, "sigma_1"), (len(self.lower) - 1, "sigma_min"))
            for k, name in ends:
                low, high = at_least(self.lower[k]), at_most(self.upper[k])
                values.append((name, f"in [{low}, {high}]"))
        return Facts("All singular values of Psi (R4)", str(self.verdict), self.reason, tuple(values))

    def text(self, index: int) -> str:
        """Decimal midpoint of the enclosure at ``index``, counted from 0, and a bound of its error.

        Guarantee: the singular value is within the printed bound of the printed number.
        """
        return decimal_enclosure(self.lower[index].fraction(), self.upper[index].fraction(), self.digits + 1)

    @property
    def condition(self) -> tuple[Fraction, Fraction] | None:
        """Bounds of ``sigma_1 / sigma_min``, None if the smallest is not proved positive.

        Guarantee: the quotient lies between them.
        """
        if not (self.lower and self.lower[-1].mantissa > 0):
            return None
        low, high = self.lower[0].fraction(), self.upper[0].fraction()
        return low / self.upper[-1].fraction(), high / self.lower[-1].fraction()


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
        Guarantee: ``lower[k] <= sigma_(k+1)(Psi(U)) <= upper[k]`` for all k, in exact real arithmetic.

    Raises
    ------
    InputError
        If ``digits`` or ``max_bits`` is out of range, or there is no sample.
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
        usable = bool(np.isfinite(psi).all()) and 1e-100 < float(np.abs(psi).max(initial=0.0)) < 1e100
    guess = (psi if n <= m else psi.T) if usable else None
    return _Search(n, m, digits, max_bits, balls, rank_at_most, guess, stage).run()


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
        Guarantee: ``lower[k] <= sigma_(k+1) <= upper[k]`` for all k.

    Raises
    ------
    InputError
        If the array is not a matrix with entries, or ``digits`` or ``max_bits`` is out of range.
    """
    _check(digits, max_bits)
    matrix = ExactArray.of_floats(matrix, "matrix")
    if len(matrix.shape) != 2 or 0 in matrix.shape:
        raise InputError(f"an array of shape {matrix.shape} has no singular values; give a matrix with entries")
    n, m = matrix.shape
    exact = _upright(matrix.arb_mat())
    known = (lambda: exact_rank(matrix)) if rank_at_most is None else (lambda: rank_at_most)
    rank = None if rank_at_most is None or rank_at_most >= min(n, m) else rank_at_most
    return _Search(n, m, digits, max_bits, lambda _: exact, known, None, stage, rank=rank).run()


def exact_rank(matrix: ExactArray) -> int:
    """Rank of an exact matrix; a full one is usually seen modulo a prime, where it can only be smaller.

    Guarantee: the result is the rank.
    """
    numerators, _ = matrix.fmpz_mat()
    if int(nmod_mat(numerators, PRIME).rank()) == min(matrix.shape):
        return min(matrix.shape)
    return int(numerators.rank())


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


def gram(b: arb_mat, bits: int) -> arb_mat:
    """Enclose ``B B^T``, its diagonal at the working precision and the rest at ``bits`` bits if that is less.

    Guarantee: every entry contains the exact value for every matrix in the ball matrix B.
    """
    if bits >= ctx.prec:
        return b * b.transpose()
    exact = [_sum_of_squares(row) for row in b.tolist()]
    with working_precision(max(bits, MIN_BITS)):
        rounded = b * arb(1)
        product = rounded * rounded.transpose()
    for i, value in enumerate(exact):
        product[i, i] = value
    return product


def _sum_of_squares(values: list[arb]) -> arb:
    total = arb(0)
    for value in values:
        total += value * value
    return total


def eigenvalue_bounds(s: arb_mat, t: arb_mat, floor: arb) -> list[Interval] | None:
    """Bounds of the eigenvalues of ``G = A A^T`` from ``S = Q Q^T`` and ``T = Q G Q^T``.

    Parameters
    ----------
    s, t
        Enclosures of S and T for one Q, shape ``(N, N)``, rows in any order.
    floor
        At least 0: rows of T with smaller diagonal are taken for parts of a null space and get absolute bounds.

    Returns
    -------
    list of (arb, arb), or None
        Exact lower and upper bounds in decreasing order; None if S is not proved to be near the identity or a diagonal
        entry of T is not positive though ``floor = 0``, or something is not finite.
        Guarantee: the k-th largest eigenvalue of G lies in the k-th interval. Source: the module's text; Weyl and
        Ostrowski (Horn and Johnson, *Matrix Analysis*, 4.3.1 and 4.5.9).
    """
    n = s.nrows()
    t_rows, s_rows = t.tolist(), s.tolist()
    d = [t_rows[i][i].mid() for i in range(n)]
    if not all(v.is_finite() for v in d):
        return None
    g = [v if v > floor else floor for v in d]
    if not all(v > 0 for v in g):
        return None
    weights, ones = [1 / v for v in g], [arb(1)] * n
    with working_precision(NORM_PRECISION):
        squares = [_weighted_squares(row, weights, i) for i, row in enumerate(t_rows)]
        skew = [_weighted_squares(row, ones, i) for i, row in enumerate(s_rows)]
    eta_squared, a_squared = arb(0), arb(0)
    for i in range(n):
        own = (t_rows[i][i] - d[i]) * weights[i]
        eta_squared += squares[i] * weights[i] + own * own
        a_squared += skew[i] + (s_rows[i][i] - 1) * (s_rows[i][i] - 1)
    eta, a = eta_squared.upper().sqrt().upper(), a_squared.upper().sqrt().upper()
    if not (a < 1 and eta.is_finite()):
        return None
    order = sorted(range(n), key=lambda i: d[i], reverse=True)
    first: list[Interval] = []
    for i in order:
        low, high = ((d[i] - eta * g[i]) / (1 + a)).lower(), ((d[i] + eta * g[i]) / (1 - a)).upper()
        first.append((low if low > 0 else arb(0), high))
    out: list[Interval] = []
    for k, i in enumerate(order):
        low, high = first[k]
        h = arb(1)
        if k > 0:
            above = order[k - 1]
            h = _least(h, (d[above] - high) / _largest(g[above], high))
        if k + 1 < n:
            below = order[k + 1]
            h = _least(h, (low - d[below]) / _largest(g[below], high))
        h = h - eta - a
        if low > 0 and h > 0:
            width = (squares[i].sqrt() + (high * skew[i]).sqrt()) ** 2 / h
            low = _largest(low, ((t_rows[i][i] - width) / s_rows[i][i]).lower())
            high = _least(high, ((t_rows[i][i] + width) / s_rows[i][i]).upper())
        out.append((low, high))
    return out


def _weighted_squares(row: list[arb], weights: list[arb], skip: int) -> arb:
    """Upper bound of the sum of ``weights_j row_j^2`` over all j but one."""
    total = arb(0)
    for value, weight in zip(row[:skip] + row[skip + 1 :], weights[:skip] + weights[skip + 1 :], strict=True):
        total += value * value * weight
    return total.upper()


def _least(x: arb, y: arb) -> arb:
    """Lower bound of the smaller one, exact."""
    low, other = x.lower(), y.lower()
    return low if low < other else other


def _largest(x: arb, y: arb) -> arb:
    """The larger of two exact numbers."""
    return x if x > y else y


@dataclass
class _Search:
    """Rounds of refinement and enclosure at growing precision, until all digits are proved or the bits run out."""

    n: int
    m: int
    digits: int
    max_bits: int
    balls: Callable[[int], arb_mat]
    rank_at_most: Callable[[], int]
    guess: Array | None
    stage: Stage
    bits: int = 0
    rounds: int = 0
    rank: int | None = None
    best: list[tuple[Dyadic, Dyadic]] | None = None
    trouble: str = ""
    separated: bool = True

    @property
    def wanted(self) -> int:
        """Bits of the digits."""
        return math.ceil(self.digits * math.log2(10))

    @property
    def overhead(self) -> int:
        """Bits that a matrix of condition 1 takes."""
        return max(MIN_BITS, self.wanted + GUARD_BITS + math.ceil(math.log2(self.n * self.m) / 2))

    @property
    def count(self) -> int:
        """How many singular values there are."""
        return min(self.n, self.m)

    def run(self) -> SingularValues:
        """Search."""
        floats = self.guess
        if floats is None:
            floats = scaled_floats(self.balls(64))
        q, condition = start(floats)
        accuracy, slope = 40, math.ceil(condition)
        self.bits = min(self.overhead + slope, self.max_bits)
        while self._affordable():
            a = self.balls(self.bits)
            if not block_is_finite(a):
                self.trouble = f"some entry has no finite enclosure at {self.bits} bits"
            else:
                self.trouble = ""
                done, q, slope = self._refine(q, a, accuracy, slope)
                if done:
                    break
                accuracy = self.bits
            if self.rounds >= MAX_ROUNDS:
                self.trouble = f"after {MAX_ROUNDS} rounds"
            if self.bits >= self.max_bits or self.rounds >= MAX_ROUNDS:
                break
            higher = self.bits + self.bits // 4
            if self._unresolved():
                higher = higher if self.rank is None else 2 * self.bits
                self.rank = self.rank_at_most() if self.rank is None else self.rank
            self.bits = min(self.max_bits, max(self.overhead + slope, higher))
        return self._result()

    def _affordable(self) -> bool:
        small, large = self.count, max(self.n, self.m)
        seconds = 5e-9 * small * small * (small + 2 * large) * (self.bits / 64) ** 1.2
        if seconds > ROUND_LIMIT_SECONDS:
            self.trouble = f"a round at {self.bits} bits would take about {seconds:.0f} s"
            return False
        return True

    def _refine(self, q: arb_mat, a: arb_mat, accuracy: int, slope: int) -> tuple[bool, arb_mat, int]:
        """Refine at ``bits`` until done or at a standstill: whether it is done, Q, ``log2`` of the condition number."""
        patience, story = PATIENCE, (-1, 0)
        while patience > 0 and self.rounds < MAX_ROUNDS:
            # Separated singular values need half of the digits in Q, and in all of S and T but their diagonals.
            half = min(self.bits, self.wanted // 2 + slope + HALF_GUARD_BITS) if self.separated else self.bits
            precision = max(MIN_BITS, min(self.bits, min(2 * accuracy, half) + HALF_GUARD_BITS + slope))
            proving = 2 * accuracy >= self.wanted + slope or precision == self.bits
            self.stage(f"singular values: round {self.rounds + 1}")
            with working_precision(self.bits if proving else precision):
                b = q * (a if proving else a.mid() * arb(1))
                s, t = gram(q, half), gram(b, half)
                if proving:
                    if self._prove(s, t, a):
                        return True, q, slope
                    self.separated = False
                step = improve(q, s.mid(), t.mid(), b.mid(), accuracy, half if self.separated else self.bits)
            self.rounds += 1
            slope = self._condition_bits(t)
            q, accuracy, self.separated = step.q, step.accuracy, self.separated and not step.clusters
            if proving:
                if self.bits < min(self.max_bits, self.overhead + slope):
                    break
                proved = self._proved_bits()
                moved = proved > story[0] + 4 or slope > story[1] + 4
                patience = PATIENCE if moved else patience - 1
                story = (max(proved, story[0]), max(slope, story[1]))
        return False, q, slope

    def _prove(self, s: arb_mat, t: arb_mat, a: arb_mat) -> bool:
        """Take in what S and T prove at the current precision: whether every singular value has its digits now."""
        diagonal = sorted((t[i, i].mid() for i in range(self.count)), reverse=True)
        done = False
        for floor in self._floors(diagonal):
            found = eigenvalue_bounds(s, t, floor)
            done = done or self._take_in(found or [(arb(0), _sum_of_squares(a.entries()).upper())] * self.count)
        return done

    def _take_in(self, found: list[Interval]) -> bool:
        """Intersect with what was known: whether every singular value has its digits now."""
        bits = self.wanted + GUARD_BITS
        new = [(round_down(low.sqrt(), bits), round_up(high.sqrt(), bits)) for low, high in found]
        if self.rank is not None:
            new = [pair if k < self.rank else (Dyadic(0, 0), Dyadic(0, 0)) for k, pair in enumerate(new)]
        old = self.best or new
        self.best = [(_later(low, x), _earlier(high, y)) for (low, high), (x, y) in zip(new, old, strict=True)]
        return all(has_digits(low, high, self.digits) for low, high in self.best)

    def _floors(self, diagonal: list[arb]) -> list[arb]:
        """Numbers between what seems to be the null space and the rest; 0 for none. Any numbers are sound."""
        far = power_of_two(-self.wanted - GUARD_BITS)
        cuts = [k for k in range(1, self.count) if diagonal[k] < diagonal[k - 1] * far][:1]
        floors = [arb(0)]
        if self.rank is not None and 0 < self.rank < self.count:
            cuts, floors = [self.rank], []
        for cut in cuts:
            above = diagonal[cut - 1]
            below = _largest(diagonal[cut], above * power_of_two(-4 * self.bits))
            floors.append((above * below).sqrt().mid() if below > 0 else arb(0))
        return floors

    def _condition_bits(self, t: arb_mat) -> int:
        """``log2`` of the condition number as far as it is resolved, without what is proved to vanish."""
        sizes = sorted((e for e in (magnitude(t[i, i]) for i in range(self.count)) if e is not None), reverse=True)
        sizes = sizes[: self.rank] if self.rank else sizes
        return (sizes[0] - sizes[-1]) // 2 + 1 if sizes else 0

    def _proved_bits(self) -> int:
        """Bits proved of all singular values together."""
        total = 0
        for low, high in self.best or []:
            width = high.fraction() - low.fraction()
            if width > 0 and low.mantissa > 0:
                ratio = low.fraction() / width
                bits = ratio.numerator.bit_length() - ratio.denominator.bit_length()
                total += min(self.wanted, max(bits, 0))
            elif width == 0:
                total += self.wanted
        return total

    def _unresolved(self) -> bool:
        return self.best is None or any(low.mantissa <= 0 < high.mantissa for low, high in self.best)

    def _result(self) -> SingularValues:
        best, verdict = self.best or [], Verdict.UNDECIDED
        open_ones = [k for k, (low, high) in enumerate(best) if not has_digits(low, high, self.digits)]
        if not best:
            reason = self.trouble or f"nothing was proved at {self.bits} bits; raise max_bits"
        elif open_ones:
            k = open_ones[-1]
            low, high = best[k]
            known = f"is at most {at_most(high)}" if low.mantissa <= 0 else f"has only {_digits_of(low, high)} digits"
            reason = f"sigma_{k + 1} {known} at {self.bits} bits"
            reason += f" ({self.trouble})" if self.trouble else "; raise max_bits"
        else:
            verdict = Verdict.PROVED
            zeros = sum(high.mantissa == 0 for _, high in best)
            reason = f"every singular value is enclosed to {self.digits} digits at {self.bits} bits"
            reason += (
                f"; the last {zeros} vanish exactly"
                if zeros > 1
                else "; the last one vanishes exactly"
                if zeros
                else ""
            )
        lower, upper = tuple(low for low, _ in best), tuple(high for _, high in best)
        return SingularValues(verdict, reason, self.n, self.m, self.digits, self.bits, self.rounds, lower, upper)


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
    """The result as one JSON document; the decimals are rounded outward."""
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


def has_digits(low: Dyadic, high: Dyadic, digits: int) -> bool:
    """Whether ``high - low <= 10^-digits low``, or both vanish."""
    x, y = low.fraction(), high.fraction()
    return x == y == 0 or (x > 0 and (y - x) * 10**digits <= x)


def _digits_of(low: Dyadic, high: Dyadic) -> int:
    """The most digits that a proper enclosure of a positive number has."""
    return max(0, _decade(low.fraction() / (high.fraction() - low.fraction())))


def decimal_enclosure(low: Fraction, high: Fraction, digits: int) -> str:
    """``x +- e`` in decimals, x with ``digits`` significant digits; ``0`` if both ends vanish.

    Guarantee: every number between ``low`` and ``high`` is within e of x.
    """
    if low == high == 0:
        return "0"
    middle = (low + high) / 2
    unit = Fraction(10) ** (_decade(middle) - digits + 1)
    x = round(middle / unit) * unit
    error = max(high - x, x - low)
    if error == 0:
        return f"{_scientific(x, digits)} +- 0"
    step = Fraction(10) ** (_decade(error) - 1)
    return f"{_scientific(x, digits)} +- {_scientific(math.ceil(error / step) * step, 2)}"


def decimal_bound(value: Fraction, digits: int, *, up: bool) -> str:
    """A non-negative number with ``digits`` significant decimals, rounded down or up.

    Guarantee: the decimal is <= the number, or >= it if ``up``.
    """
    if value == 0:
        return "0"
    unit = Fraction(10) ** (_decade(value) - digits + 1)
    return _scientific((math.ceil if up else math.floor)(value / unit) * unit, digits)


def _decade(value: Fraction) -> int:
    """The e with ``10^e <= value < 10^(e+1)``."""
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    e = math.floor(bits * math.log10(2)) - 1
    while Fraction(10) ** (e + 1) <= value:
        e += 1
    return e


def _scientific(value: Fraction, digits: int) -> str:
    """A number that has at most ``digits`` significant decimals, exactly."""
    if value == 0:
        return "0"
    e = _decade(value)
    numerator = int(value / Fraction(10) ** (e - digits + 1))
    text = str(numerator)
    return f"{text[0]}.{text[1:]}e{e:+03d}" if digits > 1 else f"{text}e{e:+03d}"


def _later(x: Dyadic, y: Dyadic) -> Dyadic:
    return x if x.fraction() >= y.fraction() else y


def _earlier(x: Dyadic, y: Dyadic) -> Dyadic:
    return x if x.fraction() <= y.fraction() else y
