"""The claims that need the rows of Psi: R1 and R3 (full row rank), Z1 and P1 (zero error and the path).

Glossary: a = integers near 2^k Psi (the used columns), |2^k Psi_ij - a_ij| <= e; X = 2^-s X_int the claimed right
inverse; E = 2^(k+s) I - a X_int the exact integer residual. The margins of output weights V are
m_ik = sum_j Psi_ij (V_{j,y_i} - V_{j,k}), k != y_i; m0 those of the start V0, m1 those of the end V1. A claim *takes*
some rows of Psi, ordered by labels, and *merges* what it took; `shared` holds what claims share of one block.
"""

import itertools
from collections.abc import Callable, Iterable
from operator import add, mul, neg
from typing import Any

from flint import arb, arb_mat, fmpz_mat

from .common import Exact, Rejection, above, below, precision, require, words
from .container import Arrays
from .expression import GUARDED, guard
from .network import increasing, ones, pick

# one difference of two columns, in multiply-adds; working bits for the few scalar inequalities of R1; bits kept of the
# integers that are squared for ||X||_2
DIFFERENCE_WORK, BOUND_PRECISION, NORM_BITS = 100, 128, 50
# |2^k Psi_ij| must stay below 2^MAX_FEATURE_BITS; below 2^FLOAT_BITS the rounding may start from a binary64
MAX_FEATURE_BITS, FLOAT_BITS, NEAR_HALF, HALF_BALL = 1 << 15, 44, 0.49, arb(0, 0.5 + 2.0**-12)
Rows = list[list[arb]]
Norms = tuple[int, int, list[int]]  # of an integer matrix: sum of squares, largest row sum and all column sums of |.|
exp: Callable[[arb], arb] = GUARDED["exp"]
log1p: Callable[[arb], arb] = guard(arb.log1p)


def plain(number: arb) -> tuple[int, ...]:
    """Return mantissa and exponent of an exact finite ball."""
    return tuple(map(int, number.man_exp()))


def norms(entries: list[int], width: int) -> Norms:
    """Return the exact norms of the matrix with these entries."""
    sizes = list(map(abs, entries))
    rows = [sizes[start : start + width] for start in range(0, len(sizes), width)]
    return sum(map(mul, sizes, sizes)), max(map(sum, rows)), list(map(sum, zip(*rows, strict=True)))


def norm_bound(squares: int, largest_row: int, columns: list[int]) -> arb:
    """Return min(||.||_F, sqrt(||.||_1 ||.||_inf)), which is at least the 2-norm."""
    return arb(squares).sqrt().min(arb(max(columns) * largest_row).sqrt())


def two_norm(x: fmpz_mat, bound: arb, products: int) -> arb:
    """Bound the 2-norm of an integer matrix, of which a bound is known.

    Guarantee: the result is at least ||X||_2. With S = X^T X it is ||S^(2^(r-1))||_F^(1/2^r), up to rounding: before
    each squaring S = 2^h (T + D) with T the integer part, 0 <= D_ij < 1, so ||S||_2 <= 2^h (||T||_2 + N), T symmetric.
    """
    if products == 0:
        return bound
    square, levels, size = x.transpose() * x, [], x.ncols()
    for _ in range(products - 1):
        entries = list(map(int, square.entries()))
        shift = max(0, max(map(abs, entries)).bit_length() - NORM_BITS)
        levels.append((shift, size if shift else 0))
        square = fmpz_mat(size, size, [entry >> shift for entry in entries])
        square = square * square
    norm = arb(sum(entry * entry for entry in map(int, square.entries()))).sqrt()
    for shift, lost in reversed(levels):
        norm = (norm.sqrt() + lost) * arb((1, shift))
    return norm.sqrt().min(bound)


class RankClaim:
    """One claim R1 or R3 and what is known about its residual so far."""

    def __init__(self, raw: Any, network: Any, arrays: Arrays, data: Any) -> None:
        self.raw, self.rank, self.precision, path = raw, raw.rank, raw.precision, raw.path
        samples, units = network.samples, network.skip_units
        require(raw.rank == samples, path + "/rank", "R1.rank", "full row rank means rank N", raw.rank, samples)
        columns = list(range(units)) if raw.columns is None else arrays.integers(raw.columns, path + "/columns")
        inside = increasing(columns) and columns[0] >= 0 and columns[-1] < units
        require(inside, path + "/columns", "schema.value", "not increasing indices of skip units", columns[:20], units)
        self.used, self.pick, message = len(columns), pick(columns), "fewer columns than samples"
        require(self.used >= samples, path + "/columns", "R1.rank", message, self.used, samples)
        require(raw.alpha < 1, path + "/alpha", "R1.residual", "must be below 1", above(raw.alpha))
        require(raw.sigma_lower > 0, path + "/sigma_lower", "R1.sigma", "must be above 0", below(raw.sigma_lower))
        numbers, exponent, bits = arrays.numbers(raw.right_inverse, self.used, samples)
        shift, self.scale = max(0, exponent), max(0, -exponent)  # X = 2^-scale X_int
        bits, size = bits + shift, self.used * samples
        work = size * samples * (words(raw.feature_bits + bits) + raw.norm_products * words(bits))
        arrays.spend(path + "/right_inverse", work=work, memory=size * words(bits))
        numbers = [number << shift for number in numbers] if shift else numbers
        self.inverse, self.norms = fmpz_mat(self.used, samples, numbers), norms(numbers, samples)
        self.error, self.residual = arb(0), (0, 0, [0] * samples)  # the e of |2^k Psi_ij - a_ij| <= e, norms of E

    def take(self, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> Any:
        """Round some rows of Psi to integers; return e and the norms of the residual's rows.

        Guarantee: E = 2^(k+s) I - a X_int exactly, and |2^k Psi_ij - a_ij| <= e.
        """
        integers, error = self.round(list(itertools.chain(*map(self.pick, rows))), len(rows))
        residual = list(map(int, (integers * self.inverse).entries()))
        for number, sample in enumerate(samples):
            residual[number * self.rank + sample] -= 1 << (self.raw.feature_bits + self.scale)
        return plain(error), norms(residual, self.rank)

    def merge(self, taken: Any) -> None:
        """Add what `take` returned."""
        (squares, largest, columns), (more, larger, others) = self.residual, taken[1]
        self.error = self.error.max(arb(taken[0])).upper()
        self.residual = squares + more, max(largest, larger), list(map(add, columns, others))

    def round(self, flat: list[arb], rows: int) -> tuple[fmpz_mat, arb]:
        """Return integers a near 2^k z and a proved bound of |2^k z - a|; how a was found does not matter."""
        k, floats = self.raw.feature_bits, list(map(float, flat))
        if max(max(floats), -min(floats)) < 2.0 ** (FLOAT_BITS - k):
            factor = 2.0**k
            integers = fmpz_mat(rows, self.used, [round(number * factor) for number in floats])
        else:
            integers = fmpz_mat(rows, self.used, [self.nearest(z) for z in flat])
        distance = arb_mat(rows, self.used, flat) * arb((1, k)) - arb_mat(integers)
        error = max(distance[0, j].abs_upper() for j in range(self.used))
        # errors up to one half, as it should be: one comparison instead of a maximum
        if error > NEAR_HALF and (half := ones(rows, self.used) * HALF_BALL).contains(distance):
            return integers, half[0, 0].abs_upper()  # all its entries are the same
        return integers, max(map(arb.abs_upper, distance.entries()))

    def nearest(self, z: arb) -> int:
        """Return the integer nearest to 2^k times the midpoint."""
        k, path = self.raw.feature_bits, self.raw.path + "/feature_bits"
        small = z.abs_upper() < arb((1, MAX_FEATURE_BITS - k))
        require(small, path, "container.limits", "2^feature_bits times a feature is huge", k, above(z))
        mantissa, exponent = plain(z.mid())
        shift: int = max(-mantissa.bit_length() - 2, exponent + k)
        return mantissa << shift if shift >= 0 else ((mantissa >> (-shift - 1)) + 1) >> 1

    def conclude(self) -> dict[str, object]:
        """Compare the claimed bounds.

        Guarantee: ||I - Psi X||_2 <= 2^-(k+s) ||E|| + 2^-k e sqrt(N K) ||X||_2 <= alpha < 1, and then every unit
        vector u has 1 - alpha <= ||u^T Psi X|| <= ||u^T Psi|| ||X||_2, hence sigma_N(Psi) >= (1 - alpha) / ||X||_2 >=
        sigma_lower > 0 and rank Psi = N. (Columns left out can only increase sigma_N.)
        """
        raw, claimed, sigma = self.raw, self.raw.alpha, self.raw.sigma_lower
        with precision(BOUND_PRECISION):
            norm = two_norm(self.inverse, norm_bound(*self.norms), raw.norm_products)  # of X_int
            rounding = self.error * arb(self.rank * self.used).sqrt() * norm
            alpha = (norm_bound(*self.residual) + rounding) * arb((1, -raw.feature_bits - self.scale))
            message = "||I - Psi X||_2 is not proved to be <= alpha: a more exact X, more feature_bits or precision?"
            require(alpha <= claimed < 1, raw.path + "/alpha", "R1.residual", message, above(claimed), above(alpha))
            norm *= arb((1, -self.scale))
            message, found = "sigma_lower is above (1 - alpha) / ||X||_2", below((1 - claimed) / norm)
            proved = sigma > 0 and sigma * norm <= 1 - claimed
            require(proved, raw.path + "/sigma_lower", "R1.sigma", message, below(sigma), found)
        statement = f"rank Psi = N = {self.rank}: the feature matrix at the stored weights has full row rank, and its "
        statement += f"smallest singular value is at least {below(sigma)}"
        bounds = {"sigma_lower": below(sigma), "alpha": above(claimed)}
        return {"statement": statement, "rank": self.rank, "columns_used": self.used, **bounds}


def differences(weights: Exact, label: int) -> arb_mat:
    """Return the exact columns V_y - V_k, k != y."""
    others = [k for k in range(weights.integers.ncols()) if k != label]
    entries = [row[label] - row[k] for row in weights.integers.tolist() for k in others]
    return Exact(fmpz_mat(weights.integers.nrows(), len(others), entries), weights.exponent, weights.bits + 1).balls()


def by_label(labels: list[int], samples: list[int], rows: Rows) -> list[tuple[int, arb_mat]]:
    """Return rows of Psi as one matrix for each label; the samples are ordered by their labels."""
    runs = itertools.groupby(zip(samples, rows, strict=True), lambda pair: labels[pair[0]])
    return [(label, arb_mat([row for _, row in run])) for label, run in runs]


def loss_of(margins: list[arb]) -> arb:
    """Return log(1 + sum_k e^-m_k) for the margins in these balls.

    Guarantee: it decreases in each margin, so that it lies between its values at the ends of the balls.
    """
    return loss_at(list(map(arb.lower, margins))).union(loss_at(list(map(arb.upper, margins))))


def loss_at(margins: list[arb]) -> arb:
    """Return log(1 + sum_k e^-m_k) = x + log(1 + sum e^(others - x)), x the largest of 0 and all -m_k; all exact."""
    *others, top = sorted([arb(0), *map(neg, margins)], key=arb.mid)
    return top + log1p(sum((exp(other - top) for other in others), arb(0)))


def sides(numbers: Iterable[arb]) -> list[Any]:
    """Return the two ends of balls, in a form that can be sent."""
    return [(plain(number.lower()), plain(number.upper())) for number in numbers]


class MarginClaim:
    """One claim Z1 or P1. P1's path: V(s) = (1-s) V0 + s kappa V1, then t V1 for t >= kappa, with U at rest."""

    def __init__(self, raw: Any, network: Any, arrays: Arrays, data: Any) -> None:
        self.raw, self.data, self.precision, shape = raw, data, raw.precision, (network.skip_units, data.classes)
        for key in ("gamma", "kappa", "radius"):
            if (number := getattr(raw, key, None)) is not None:
                require(number > 0, f"{raw.path}/{key}", f"{raw.label}.{key}", "must be above 0", below(number))
        for target in getattr(raw, "targets", []):
            require(target.loss > 0, target.path + "/loss", "P1.target", "must be above 0", below(target.loss))
        named = (getattr(raw, key + "_weights", None) for key in ("start", "end", "output"))
        weights: list[Any] = [reference and arrays.exact(reference, *shape) for reference in named]
        self.start, self.end = weights[0], weights[1] or weights[2]
        self.totals = [arb(0)]  # n Phi(U, V0), summed so far
        work = DIFFERENCE_WORK * network.samples * network.skip_units * data.classes * words(raw.precision)
        arrays.spend(raw.path, work=work, memory=8 * network.skip_units * data.classes)

    def margins(self, weights: Exact, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> Rows:
        """Return the margins of some samples.

        Guarantee: the balls contain them. The differences of columns are exact, so that common parts cancel.
        """
        if "psi" not in shared:
            shared["psi"] = by_label(self.data.labels, samples, rows)
        if id(weights) not in shared:
            parts = ((psi * differences(weights, label)).tolist() for label, psi in shared["psi"])
            shared[id(weights)] = list(itertools.chain(*parts))
        return list(shared[id(weights)])

    def take(self, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> Any:
        """Check the margins of some samples; return the two ends of their share of the start loss."""
        ends = self.margins(self.end, samples, rows, shared)
        starts = self.margins(self.start, samples, rows, shared) if self.start else [[] for _ in ends]
        self.compare(samples, starts, ends)
        return self.share(samples, starts)

    def compare(self, samples: list[int], starts: Rows, ends: Rows) -> None:
        """Guarantee: m1_ik >= gamma and kappa m1_ik - m0_ik > 0 for these samples."""
        raw, path = self.raw, self.raw.path
        for sample, m0, m1 in zip(samples, starts, ends, strict=True):
            if low := [margin for margin in m1 if not margin >= raw.gamma]:
                message = f"a margin of sample {sample} is not proved to be at least gamma; lower gamma"
                raise Rejection(path + "/gamma", f"{raw.label}.margin", message, below(raw.gamma), low[0].str(10))
            slacks = (raw.kappa * last - first for first, last in zip(m0, m1, strict=False))
            if low := [slack for slack in slacks if not slack > 0]:
                message = f"sample {sample}: kappa m1 - m0 is not proved to be above 0; choose a larger kappa"
                raise Rejection(path + "/kappa", "P1.segment", message, below(raw.kappa), low[0].str(10))

    def share(self, samples: list[int], starts: Rows) -> Any:
        """Return the two ends of sum_i mult_i log(1 + sum_k e^-m0_ik) over these samples."""
        weighted = zip(samples, starts, strict=True)
        total = sum((self.data.multiplicities[sample] * loss_of(m0) for sample, m0 in weighted), arb(0))
        require(total.is_finite(), self.raw.path + "/start_loss", "P1.start-loss", "is not finite", None, total)
        return sides([total])

    def merge(self, taken: Any) -> None:
        """Add what `take` returned."""
        self.totals = [total + arb(low).union(arb(high)) for total, (low, high) in zip(self.totals, taken, strict=True)]

    def conclude(self) -> dict[str, object]:
        """State the result, for P1 after the comparisons along the path.

        Guarantee for Z1: sum_j Psi_ij (V_{j,y_i} - V_{j,k}) >= gamma > 0 for all i and k != y_i, so that
        Phi(U, t V) <= log(1 + (m-1) e^(-t gamma)), strictly decreasing in t > 0.
        """
        raw, gamma = self.raw, below(self.raw.gamma)
        if self.start is None:
            statement = f"zero training error: every margin of V is at least {gamma}; Phi(U, t V) <= log(1 + "
            statement += f"{self.data.classes - 1} e^(-t {gamma})) decreases strictly to 0, the infimum of the loss"
            return {"statement": statement, "gamma": gamma}
        with precision(self.precision):
            self.compare_path()
        reached = "".join(f"; at most {above(target.loss)} from t = {above(target.t)} on" for target in raw.targets)
        loss, kappa = f"{below(raw.start_loss.lower)} .. {above(raw.start_loss.upper)}", above(raw.kappa)
        statement = f"decreases strictly from {loss} at V0" if raw.label == "P1" else f"({loss} at the start) decreases"
        statement = f"the loss {statement} along the segment to kappa V1 (kappa = {kappa}), then along t V1 to 0, the "
        statement += f"hidden weights at rest: training error 0 from t = {above(raw.zero_error_t)} on{reached}"
        return {"statement": statement, "gamma": gamma, "kappa": kappa}

    def tail(self, time: arb, rule: str, place: str) -> arb:
        """Guarantee: t >= kappa; the result log(1 + (m-1) e^(-t gamma)) bounds the loss at t V1."""
        kappa = self.raw.kappa
        require(time >= kappa, place, rule, "t must be at least kappa, where the ray begins", below(time), above(kappa))
        return loss_of([time * self.raw.gamma] * (self.data.classes - 1))

    def compare_path(self) -> None:
        """Compare the start loss and the values along the ray.

        Guarantee: h(s) = Phi(U, V(s)) is convex and h'(1) = -(1/n) sum_ik mult_i p_ik (kappa m1_ik - m0_ik) < 0, hence
        strictly decreasing on [0, 1]; on the ray Phi(U, t V1) <= log(1 + (m-1) e^(-t gamma)), strictly decreasing to 0.
        """
        raw, loss = self.raw, self.totals[0] / self.data.total
        lower, upper = raw.start_loss.lower, raw.start_loss.upper
        claimed, message = f"[{below(lower)}, {above(upper)}]", "the start loss is not proved to be in the bounds"
        require(lower <= loss <= upper, raw.path + "/start_loss", "P1.start-loss", message, claimed, loss.str(15))
        place, needed = raw.path + "/zero_error_t", arb(2).log() / self.data.total
        reached = self.tail(raw.zero_error_t, "P1.zero-error", place)
        message = "log(1 + (m-1) e^(-t gamma)) is not below log(2)/n"
        require(reached < needed, place, "P1.zero-error", message, above(reached), below(needed))
        for target in raw.targets:
            reached = self.tail(target.t, "P1.target", target.path + "/t")
            message = "the loss at t is not proved to be at most the target; choose a larger t"
            require(reached <= target.loss, target.path, "P1.target", message, above(target.loss), above(reached))
