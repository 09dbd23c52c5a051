"""Z1 and P1: zero training error, and the path on which the cross-entropy strictly decreases to zero.

Glossary: the margins of output weights V are m_ik = sum_j Psi_ij (V_{j,y_i} - V_{j,k}), k != y_i; m0 those of the start
V0, m1 those of the end V1. n is the number of samples, counted with multiplicity; m the number of classes.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from flint import arb, arb_mat, fmpz_mat

from .container import Arrays
from .exact import Exact, above, below, precision
from .expression import GUARDED
from .network import Network
from .rejection import Rejection, require

exp = GUARDED.functions["exp"]


class Labels(NamedTuple):
    """The number of classes, labels y_i, how often each sample counts, and their sum n."""

    classes: int
    labels: list[int]
    multiplicities: list[int]
    total: int


def tail(rate: arb, classes: int) -> arb:
    """Return log(1 + (m-1) e^-rate), which bounds the loss where all margins are at least `rate`."""
    return ((classes - 1) * exp(-rate)).log1p()


def margins(weights: Exact, label: int, rows: list[list[arb]], shared: dict[Any, Any]) -> list[list[arb]]:
    """Return the margins of samples of one label: exact differences of columns, so that common parts cancel."""
    if id(weights) not in shared:
        if "psi" not in shared:
            shared["psi"] = arb_mat(len(rows), len(rows[0]), list(itertools.chain(*rows)))
        others = [k for k in range(weights.integers.ncols()) if k != label]
        entries = [row[label] - row[k] for row in weights.integers.tolist() for k in others]
        differences = fmpz_mat(len(rows[0]), len(others), entries)
        shared[id(weights)] = (shared["psi"] * Exact(differences, weights.exponent, weights.bits + 1).balls()).tolist()
    result: list[list[arb]] = shared[id(weights)]
    return result


class MarginClaim:
    """One claim Z1 or P1. P1's path: V(s) = (1-s) V0 + s kappa V1, then t V1 for t >= kappa, with U at rest."""

    def __init__(self, raw: Any, network: Network, arrays: Arrays, data: Labels) -> None:
        self.raw, self.data, self.precision, self.path = raw, data, raw.precision, raw.label == "P1"
        shape = network.skip_units, data.classes
        for key in ("gamma", "kappa") if self.path else ("gamma",):
            number, place = getattr(raw, key), f"{raw.path}/{key}"
            require(number > 0, place, f"{raw.label}.{key}", "must be above 0", below(number), "> 0")
        self.end = arrays.exact(raw.end_weights if self.path else raw.output_weights, *shape)
        self.start = arrays.exact(raw.start_weights, *shape) if self.path else None
        for target in raw.targets if self.path else []:
            require(target.loss > 0, target.path + "/loss", "P1.target", "must be above 0", below(target.loss), "> 0")
        work = network.samples * network.skip_units * data.classes * (2 if self.path else 1)
        arrays.budget.spend(raw.path, work=work, memory=8 * network.skip_units * data.classes)
        self.total = arb(0)  # n Phi(U, V0), summed so far

    def take(self, samples: list[int], rows: list[list[arb]], shared: dict[Any, Any]) -> Any:
        """Check the margins of some samples of one label; return the two ends of their share of the start loss.

        Guarantee: m1_ik >= gamma and kappa m1_ik - m0_ik > 0; the share is sum_i mult_i log(1 + sum_k e^-m0_ik).
        """
        raw, label, total = self.raw, self.data.labels[samples[0]], arb(0)
        ends = margins(self.end, label, rows, shared)
        for sample, margin in ((i, margin) for i, row in zip(samples, ends, strict=True) for margin in row):
            if not (margin >= raw.gamma):
                message = f"a margin of sample {sample} is not proved to be at least gamma; lower gamma"
                raise Rejection(raw.path + "/gamma", f"{raw.label}.margin", message, below(raw.gamma), margin.str(10))
        if self.start is not None:
            starts = margins(self.start, label, rows, shared)
            for sample, m0, m1 in zip(samples, starts, ends, strict=True):
                for slack in (raw.kappa * high - low for low, high in zip(m0, m1, strict=True)):
                    if not (slack > 0):
                        message = f"sample {sample}: kappa m1 - m0 is not proved to be above 0; choose a larger kappa"
                        raise Rejection(raw.path + "/kappa", "P1.segment", message, below(raw.kappa), slack.str(10))
                total += self.data.multiplicities[sample] * sum(map(exp, (-low for low in m0)), arb(0)).log1p()
            finite = total.is_finite()
            require(finite, raw.path + "/start_loss", "P1.start-loss", "the start loss is not finite", None, total)
        return [tuple(map(int, end.man_exp())) for end in (total.lower(), total.upper())]

    def merge(self, summary: Any) -> None:
        """Add what `take` returned."""
        lower, upper = map(arb, summary)
        self.total += lower.union(upper)

    def conclude(self) -> dict[str, object]:
        """State the result, for P1 after the comparisons along the path.

        Guarantee for Z1: sum_j Psi_ij (V_{j,y_i} - V_{j,k}) >= gamma > 0 for all i and k != y_i, so that
        Phi(U, t V) <= log(1 + (m-1) e^(-t gamma)), strictly decreasing in t > 0.
        """
        raw, gamma = self.raw, below(self.raw.gamma)
        if self.path:
            with precision(self.precision):
                self.compare_path()
            reached = "".join(f"; at most {above(target.loss)} from t = {above(target.t)} on" for target in raw.targets)
            statement = (
                f"the loss decreases strictly from {below(raw.start_loss.lower)} .. {above(raw.start_loss.upper)} at "
                f"V0 along the segment to kappa V1 (kappa = {above(raw.kappa)}) and then along t V1 to 0, the hidden "
                f"weights at rest: training error 0 from t = {above(raw.zero_error_t)} on{reached}"
            )
            return {"statement": statement, "gamma": gamma, "kappa": above(raw.kappa)}
        statement = (
            f"zero training error: every margin of the output weights V is at least {gamma}; Phi(U, t V) <= "
            f"log(1 + {self.data.classes - 1} e^(-t {gamma})) decreases strictly to 0 as t grows, so the infimum of "
            "the loss is 0"
        )
        return {"statement": statement, "gamma": gamma}

    def compare_path(self) -> None:
        """Compare the start loss and the values along the ray.

        Guarantee: h(s) = Phi(U, V(s)) is convex and h'(1) = -(1/n) sum_ik mult_i p_ik (kappa m1_ik - m0_ik) < 0, hence
        strictly decreasing on [0, 1]; on the ray Phi(U, t V1) <= log(1 + (m-1) e^(-t gamma)), strictly decreasing to 0.
        """
        raw, loss = self.raw, self.total / self.data.total
        lower, upper, place = raw.start_loss.lower, raw.start_loss.upper, raw.path + "/start_loss"
        claimed, message = f"[{below(lower)}, {above(upper)}]", "the start loss is not proved to be in the bounds"
        require(lower <= loss and loss <= upper, place, "P1.start-loss", message, claimed, loss.str(15))
        self.compare_time(raw.zero_error_t, "P1.zero-error", raw.path + "/zero_error_t")
        reached, needed = tail(raw.zero_error_t * raw.gamma, self.data.classes), arb(2).log() / self.data.total
        message, place = "log(1 + (m-1) e^(-t gamma)) is not below log(2)/n", raw.path + "/zero_error_t"
        require(reached < needed, place, "P1.zero-error", message, above(reached), below(needed))
        for target in raw.targets:
            self.compare_time(target.t, "P1.target", target.path + "/t")
            reached = tail(target.t * raw.gamma, self.data.classes)
            message = "the loss at t is not proved to be at most the target; choose a larger t"
            require(reached <= target.loss, target.path, "P1.target", message, above(target.loss), above(reached))

    def compare_time(self, time: arb, rule: str, place: str) -> None:
        """Guarantee: t >= kappa."""
        kappa = self.raw.kappa
        require(time >= kappa, place, rule, "t must be at least kappa, where the ray begins", below(time), above(kappa))
