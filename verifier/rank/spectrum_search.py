"""The search for all digits of all singular values: rounds of refinement and enclosure at growing precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, arb_mat

from verifier.balls.decimals import decade, decimal_enclosure
from verifier.balls.exact import Dyadic, at_least, at_most
from verifier.balls.feature_enclosure import block_is_finite
from verifier.balls.precision import MIN_BITS, working_precision
from verifier.balls.stated import round_down, round_up
from verifier.display import Card, Decided, Shown
from verifier.rank.certify import Stage
from verifier.rank.eigenvalues import Interval, ball_gram, eigenvalue_bounds, larger_of, sum_of_squares
from verifier.rank.refine import Array, improve, magnitude, power_of_two, scaled_floats, start
from verifier.verdict import Verdict

GUARD_BITS = 24
"""Bits beyond those of the digits, of the condition number and of the sums' lengths."""


HALF_GUARD_BITS = 12
"""The same for what needs only half of the digits."""


PATIENCE = 3
"""Rounds without any progress after which more precision is tried."""


MAX_ROUNDS = 200
"""Rounds of refinement, all together."""


ROUND_LIMIT_SECONDS = 300.0
"""A round that is estimated to take longer is not begun: the result is UNDECIDED and says so."""


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

    def _card(self) -> Card:
        values = [("N x M", f"{self.samples} x {self.columns}"), ("digits", str(self.digits))]
        if self.lower:
            ends = ((0, "sigma_1"), (len(self.lower) - 1, "sigma_min"))
            for k, name in ends:
                low, high = at_least(self.lower[k]), at_most(self.upper[k])
                values.append((name, f"in [{low}, {high}]"))
        return Card("All singular values of Psi (R4)", str(self.verdict), self.reason, tuple(values))

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


@dataclass
class SpectrumSearch:
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
        """Bits that the wanted decimal digits take."""
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
        """Refine and enclose at growing precision until all digits are proved or the bits run out."""
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
                s, t = ball_gram(q, half), ball_gram(b, half)
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
            done = done or self._take_in(found or [(arb(0), sum_of_squares(a.entries()).upper())] * self.count)
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
            below = larger_of(diagonal[cut], above * power_of_two(-4 * self.bits))
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


def has_digits(low: Dyadic, high: Dyadic, digits: int) -> bool:
    """Whether ``high - low <= 10^-digits low``, or both vanish."""
    x, y = low.fraction(), high.fraction()
    return x == y == 0 or (x > 0 and (y - x) * 10**digits <= x)


def _digits_of(low: Dyadic, high: Dyadic) -> int:
    """The most digits that a proper enclosure of a positive number has."""
    return max(0, decade(low.fraction() / (high.fraction() - low.fraction())))


def _later(x: Dyadic, y: Dyadic) -> Dyadic:
    return x if x.fraction() >= y.fraction() else y


def _earlier(x: Dyadic, y: Dyadic) -> Dyadic:
    return x if x.fraction() <= y.fraction() else y
