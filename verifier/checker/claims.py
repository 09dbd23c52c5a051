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

from .arithmetic import pick
from .classes import Classes
from .common import Exact, Rejection, above, below, precision, require
from .container import Arrays
from .expression import GUARDED, guard
from .network import increasing
from .rounding import distance, plain, rounded
from .sentences import sentence, statement

# working bits for the few scalar inequalities of R1; bits kept of the integers that are squared for ||X||_2
BOUND_PRECISION, NORM_BITS = 128, 50
MARGIN_COPIES = 8  # balls that a margin takes while it is looked at
Rows = list[list[arb]]
Norms = tuple[int, int, list[int]]  # of an integer matrix: sum of squares, largest row sum and all column sums of |.|
exp: Callable[[arb], arb] = GUARDED["exp"]
log1p: Callable[[arb], arb] = guard(arb.log1p)


def norms(entries: list[int], width: int) -> Norms:
    """Return the exact norms of the matrix with these entries."""
    squares, largest, columns = 0, 0, [0] * width
    for start in range(0, len(entries), width):  # row by row: the matrix may be large
        row = list(map(abs, entries[start : start + width]))
        squares, largest = squares + sum(map(mul, row, row)), max(largest, sum(row))
        columns = list(map(add, columns, row))
    return squares, largest, columns


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
    norm = arb(sum(entry * entry for entry in map(int, square.entries()))).sqrt()  # Coq: R1_size powers
    for shift, lost in reversed(levels):
        norm = (norm.sqrt() + lost) * arb((1, shift))  # Coq: R1_size powers
    return norm.sqrt().min(bound)


class SweptClaim:
    """One claim that takes all rows of Psi, and merges what it took."""

    held = 0  # numbers that it holds in memory

    def again(self) -> bool:
        """Return whether it begins anew, and must see all rows once more."""
        return False


class RankClaim(SweptClaim):
    """One claim R1 or R3 and what is known about its residual so far."""

    def __init__(self, raw: Any, network: Any, arrays: Arrays, data: Any) -> None:
        self.raw, self.rank, self.precision, path = raw, raw.rank, raw.precision, raw.path
        samples = network.samples
        require(raw.rank == samples, path + "/rank", "R1.rank", "full row rank means rank N", raw.rank, samples)
        require(raw.alpha < 1, path + "/alpha", "R1.residual", "must be below 1", above(raw.alpha))
        # Coq: R1 sigma_gt0, R1_columns sigma_gt0, C1 sigma_gt0
        require(raw.sigma_lower > 0, path + "/sigma_lower", "R1.sigma", "must be above 0", below(raw.sigma_lower))
        columns = self.columns(raw, network.columns, arrays)
        self.pick, self.used = pick(columns), len(columns)
        self.entries = len(columns)  # balls that it takes for one sample
        message = "fewer columns than samples"
        require(self.used >= samples, path + "/columns", "R1.rank", message, self.used, samples)
        numbers, exponent, _ = arrays.numbers(raw.right_inverse, self.used, samples)
        shift, self.scale = max(0, exponent), max(0, -exponent)  # X = 2^-scale X_int
        numbers = [number << shift for number in numbers] if shift else numbers
        self.held = len(numbers)
        self.inverse, self.norms = fmpz_mat(self.used, samples, numbers), norms(numbers, samples)
        self.error = arb(0)  # the e of |2^k Psi_ij - a_ij| <= e
        self.residual: Norms = (0, 0, [0] * samples)  # the norms of E

    @staticmethod
    def columns(raw: Any, units: int, arrays: Arrays) -> list[int]:
        """Return the indices of the columns of Psi that are used."""
        if raw.columns is None:
            return list(range(units))
        path = raw.path + "/columns"
        columns = arrays.integers(raw.columns, path)
        inside = increasing(columns) and columns[0] >= 0 and columns[-1] < units  # Coq: R1_columns different
        require(inside, path, "schema.value", "not increasing indices of columns", columns[:20], units)
        return columns

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
        """Add what `take` found of some samples: the error e and the norms of the residual E."""
        error, (more, larger, others) = taken
        squares, largest, columns = self.residual
        self.error = self.error.max(arb(error)).upper()
        self.residual = squares + more, max(largest, larger), list(map(add, columns, others))

    def round(self, flat: list[arb], rows: int) -> tuple[fmpz_mat, arb]:
        """Return integers a near 2^k z and a proved bound of |2^k z - a|."""
        k = self.raw.feature_bits
        integers = fmpz_mat(rows, self.used, rounded(flat, k, self.raw.path))
        return integers, distance(arb_mat(rows, self.used, flat), k, integers)  # Coq: R1 enclosed

    def conclude(self) -> dict[str, object]:
        """Derive alpha and sigma_lower again, with all samples taken, and compare them with the claimed bounds.

        Guarantee: ||I - Psi X||_2 <= 2^-(k+s) ||E|| + 2^-k e sqrt(N K) ||X||_2 <= alpha < 1, and then every unit
        vector u has 1 - alpha <= ||u^T Psi X|| <= ||u^T Psi|| ||X||_2, hence sigma_N(Psi) >= (1 - alpha) / ||X||_2 >=
        sigma_lower > 0 and rank Psi = N. (Columns left out can only increase sigma_N.)
        """
        raw, claimed, sigma = self.raw, self.raw.alpha, self.raw.sigma_lower
        with precision(BOUND_PRECISION):
            # Coq: R1 size
            norm = two_norm(self.inverse, norm_bound(*self.norms), raw.norm_products)  # of X_int
            rounding = self.error * arb(self.rank * self.used).sqrt() * norm
            alpha = (norm_bound(*self.residual) + rounding) * arb((1, -raw.feature_bits - self.scale))  # Coq: R1 exact
            message = "||I - Psi X||_2 is not proved to be <= alpha: a more exact X, more feature_bits or precision?"
            # Coq: R1 sum
            require(alpha <= claimed < 1, raw.path + "/alpha", "R1.residual", message, above(claimed), above(alpha))
            norm *= arb((1, -self.scale))
            message, found = "sigma_lower is above (1 - alpha) / ||X||_2", below((1 - claimed) / norm)
            proved = sigma > 0 and sigma * norm <= 1 - claimed  # Coq: R1 bound
            require(proved, raw.path + "/sigma_lower", "R1.sigma", message, below(sigma), found)
        said = sentence(raw.label, rank=self.rank, sigma_lower=below(sigma))
        bounds = {"sigma_lower": below(sigma), "alpha": above(claimed)}
        return {"statement": said, "rank": self.rank, "columns_used": self.used, **bounds}


def differences(weights: Exact, label: int, classes: Classes) -> arb_mat:
    """Return the exact columns V_y - V_k, one k for each group of classes k != y."""
    integers, others = weights.integers, [classes.first[group] for group in classes.others(label)[0]]
    entries = [integers[row, label] - integers[row, k] for row in range(integers.nrows()) for k in others]
    return Exact(fmpz_mat(integers.nrows(), len(others), entries), weights.exponent, weights.bits + 1).balls()


def by_label(labels: list[int], samples: list[int], rows: Rows) -> list[tuple[int, arb_mat]]:
    """Return rows of Psi as one matrix for each label; the samples are ordered by their labels."""
    runs = itertools.groupby(zip(samples, rows, strict=True), lambda pair: labels[pair[0]])
    return [(label, arb_mat([row for _, row in run])) for label, run in runs]


def loss_of(margins: list[arb], counts: list[int]) -> arb:
    """Return log(1 + sum_k count_k e^-m_k) for the margins in these balls.

    Guarantee: it decreases in each margin, so that it lies between its values at the ends of the balls.
    """
    return loss_at(list(map(arb.lower, margins)), counts).union(loss_at(list(map(arb.upper, margins)), counts))


def loss_at(margins: list[arb], counts: list[int]) -> arb:
    """Return log(sum c e^x) over x = 0 with c = 1 and all x = -m_k, c = count_k; the margins are exact.

    It is top + log(1 + (c_top - 1) + sum c e^(x - top)) over the others, top the largest x.
    """
    pairs = zip([arb(0), *map(neg, margins)], [1, *counts], strict=True)
    *others, (top, count) = sorted(pairs, key=lambda pair: pair[0].mid())
    return top + log1p(sum((c * exp(x - top) for x, c in others), arb(count - 1)))


def sides(numbers: Iterable[arb]) -> list[Any]:
    """Return the two ends of balls, in a form that can be sent."""
    return [(plain(number.lower()), plain(number.upper())) for number in numbers]


def require_arcs(weights: Exact, arcs: list[list[int]] | None, path: str) -> None:
    """Guarantee: on return the output weights are 0 where a column of Psi and an output have no arc."""
    for j, row in enumerate(arcs or []):
        for k, arc in enumerate(row):
            message = f"output weight ({j}, {k}) is not 0, and there is no arc"
            require(bool(arc) or weights.integers[j, k] == 0, path, "data.arcs", message)  # Coq: GDV agree


class MarginClaim(SweptClaim):
    """One claim Z1 or P1. P1's path: V(s) = (1-s) V0 + s kappa V1, then t V1 for t >= kappa, with U at rest."""

    def __init__(self, raw: Any, network: Any, arrays: Arrays, data: Any) -> None:
        self.raw, self.data, self.precision = raw, data, raw.precision
        for key in ("gamma", "kappa", "radius"):
            number = getattr(raw, key, None)
            if number is not None:
                # Coq: Z1 gamma_gt0, T1 gamma_gt0, P1 gamma_gt0, P1 kappa_gt0, MC kappa_gt0
                require(number > 0, f"{raw.path}/{key}", f"{raw.label}.{key}", "must be above 0", below(number))
        for target in getattr(raw, "targets", []):
            require(target.loss > 0, target.path + "/loss", "P1.target", "must be above 0", below(target.loss))
        named: dict[str, Any] = {}  # the output weights that the claim names
        for key in ("start", "end", "output", "moved"):
            reference = getattr(raw, key + "_weights", None)
            if reference is not None:
                named[key] = arrays.exact(reference, network.columns, data.classes)
        self.start: Any = named.get("start")
        self.end: Any = named.get("end") or named.get("output")
        for weights in named.values():
            require_arcs(weights, data.arcs, raw.path)
        frozen = [] if data.offset is None else [data.offset]
        self.classes = Classes([*named.values(), *frozen], data.classes)
        self.drop = self.largest_drop()  # no margin of the frozen logits K is below -drop
        self.known_counts: dict[int, list[int]] = {}
        self.entries = MARGIN_COPIES * len(self.classes.first)  # balls that it takes for one sample
        self.totals = [arb(0)]  # n Phi(U, V0), summed so far

    def margins(self, weights: Exact, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> Rows:
        """Return the margins of some samples, one for each group of classes other than the label.

        Guarantee: the balls contain them. The differences of columns are exact, so that common parts cancel.
        """
        key = id(weights), self.classes.digest
        if key not in shared:
            runs = self.by_label(samples, rows, shared)
            parts = ((psi * differences(weights, label, self.classes)).tolist() for label, psi in runs)
            shared[key] = list(itertools.chain(*parts))
        return list(shared[key])

    def by_label(self, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> list[tuple[int, arb_mat]]:
        """Return rows of Psi as one matrix for each label, made once for all claims."""
        if "psi" not in shared:
            shared["psi"] = by_label(self.data.labels, samples, rows)
        found: list[tuple[int, arb_mat]] = shared["psi"]
        return found

    def frozen_margins(self, sample: int) -> list[arb]:
        """Return K_iy - K_ik of the frozen logits K, exactly, one k for each group of classes other than the label."""
        label, offset = self.data.labels[sample], self.data.offset
        firsts = [self.classes.first[group] for group in self.classes.others(label)[0]]
        own, scale = offset.integers[sample, label], arb((1, offset.exponent))
        with precision(offset.bits + 64):
            return [arb(own - offset.integers[sample, k]) * scale for k in firsts]

    def largest_drop(self) -> arb:
        """Guarantee: the result is at least 0, and at least -m for every margin m of the frozen logits."""
        drop = arb(0)
        if self.data.offset is not None:
            for sample in range(len(self.data.labels)):
                for margin in self.frozen_margins(sample):
                    drop = drop.max((-margin).upper())  # Coq: Z1 frozen, T1 frozen, P1 frozen
        return drop

    def of_logits(self, samples: list[int], margins: Rows) -> Rows:
        """Return the margins of the logits Psi V + K from those of Psi V, of some samples."""
        if self.data.offset is None:
            return margins
        pairs = zip(samples, margins, strict=True)
        return [[m + k for m, k in zip(row, self.frozen_margins(sample), strict=True)] for sample, row in pairs]

    def counts(self, sample: int) -> list[int]:
        """Return for how many classes each of the sample's margins stands."""
        label = self.data.labels[sample]
        if label not in self.known_counts:
            self.known_counts[label] = self.classes.others(label)[1]
        return self.known_counts[label]

    def take(self, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> Any:
        """Check the margins of some samples; return the two ends of their share of the start loss."""
        ends = self.margins(self.end, samples, rows, shared)
        starts = self.margins(self.start, samples, rows, shared) if self.start else [[] for _ in ends]
        self.compare(samples, starts, ends)
        return self.share(samples, starts) if self.start else sides([arb(0)])

    def compare(self, samples: list[int], starts: Rows, ends: Rows) -> None:
        """Guarantee: m1_ik >= gamma and kappa m1_ik - m0_ik > 0 for these samples."""
        raw, path = self.raw, self.raw.path
        for sample, m0, m1 in zip(samples, starts, ends, strict=True):
            if low := [margin for margin in m1 if not margin >= raw.gamma]:  # Coq: Z1 margins, T1 margins, P1 margins
                message = f"a margin of sample {sample} is not proved to be at least gamma; lower gamma"
                raise Rejection(path + "/gamma", f"{raw.label}.margin", message, below(raw.gamma), low[0].str(10))
            slacks = (raw.kappa * last - first for first, last in zip(m0, m1, strict=False))
            if low := [slack for slack in slacks if not slack > 0]:  # Coq: P1 segment
                message = f"sample {sample}: kappa m1 - m0 is not proved to be above 0; choose a larger kappa"
                raise Rejection(path + "/kappa", "P1.segment", message, below(raw.kappa), low[0].str(10))

    def share(self, samples: list[int], starts: Rows) -> Any:
        """Return the two ends of sum_i mult_i log(1 + sum_k e^-m_ik) over these samples, m those of Psi V0 + K."""
        mult, weighted = self.data.multiplicities, zip(samples, self.of_logits(samples, starts), strict=True)
        total = sum((mult[sample] * loss_of(m0, self.counts(sample)) for sample, m0 in weighted), arb(0))
        require(total.is_finite(), self.raw.path + "/start_loss", "P1.start-loss", "is not finite", None, total)
        return sides([total])

    def merge(self, taken: Any) -> None:
        """Add what `take` found of some samples: both ends of their share of every total."""
        self.totals = [total + arb(low).union(arb(high)) for total, (low, high) in zip(self.totals, taken, strict=True)]

    def conclude(self) -> dict[str, object]:
        """State the result, for P1 after the comparisons along the path.

        Guarantee for Z1: sum_j Psi_ij (V_{j,y_i} - V_{j,k}) >= gamma > 0 for all i and k != y_i, so that
        Phi(U, t V) <= log(1 + (m-1) e^(-t gamma)), strictly decreasing in t > 0.
        """
        raw, gamma = self.raw, below(self.raw.gamma)
        if self.start is None:
            others = self.data.classes - 1
            if self.data.offset is not None:
                frozen = sentence("Z1 offset", gamma=gamma, others=others, drop=above(self.drop))
                return {"statement": frozen, "gamma": gamma}
            return {"statement": sentence("Z1", gamma=gamma, others=others), "gamma": gamma}
        with precision(self.precision):
            self.compare_path()
        numbers = {"lower": below(raw.start_loss.lower), "upper": above(raw.start_loss.upper)}
        numbers |= {"kappa": above(raw.kappa), "zero_error_t": above(raw.zero_error_t)}
        said = [sentence("P1" if raw.label == "P1" else "after", **numbers)]
        said += [sentence("target", loss=above(target.loss), t=above(target.t)) for target in raw.targets]
        return {"statement": statement(*said), "gamma": gamma, "kappa": above(raw.kappa)}

    def tail(self, time: arb, rule: str, place: str) -> arb:
        """Guarantee: t >= kappa; the result log(1 + (m-1) e^(drop - t gamma)) bounds the loss at t V1."""
        kappa = self.raw.kappa
        require(time >= kappa, place, rule, "t must be at least kappa, where the ray begins", below(time), above(kappa))
        return loss_of([time * self.raw.gamma - self.drop], [self.data.classes - 1])

    def compare_path(self) -> None:
        """Compare the start loss and the values along the ray.

        Guarantee: h(s) = Phi(U, V(s)) is convex and h'(1) = -(1/n) sum_ik mult_i p_ik (kappa m1_ik - m0_ik) < 0, hence
        strictly decreasing on [0, 1]: m0 and m1 are those of Psi V, frozen logits K cancel in the difference of the
        ends. On the ray Phi(U, t V1) <= log(1 + (m-1) e^(drop - t gamma)), strictly decreasing to 0.
        """
        raw, loss = self.raw, self.totals[0] / self.data.total
        lower, upper = raw.start_loss.lower, raw.start_loss.upper
        claimed, message = f"[{below(lower)}, {above(upper)}]", "the start loss is not proved to be in the bounds"
        inside = (lower <= 0 or lower <= loss) and loss <= upper  # no loss is below 0, though its ball may reach there
        require(inside, raw.path + "/start_loss", "P1.start-loss", message, claimed, loss.str(15))
        place, needed = raw.path + "/zero_error_t", arb(2).log() / self.data.total
        reached = self.tail(raw.zero_error_t, "P1.zero-error", place)
        message = "log(1 + (m-1) e^(-t gamma)) is not below log(2)/n"
        require(reached < needed, place, "P1.zero-error", message, above(reached), below(needed))  # Coq: L2_1 small
        for target in raw.targets:
            reached = self.tail(target.t, "P1.target", target.path + "/t")
            message = "the loss at t is not proved to be at most the target; choose a larger t"
            require(reached <= target.loss, target.path, "P1.target", message, above(target.loss), above(reached))
