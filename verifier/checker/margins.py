"""Z1 and P1: zero training error, and the path on which the cross-entropy strictly decreases to zero.

Glossary: m0, m1 are the margins sum_j Psi_ij (V_{j,y_i} - V_{j,k}), k != y_i, of the start and the end weights.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flint import arb, arb_mat, fmpz_mat

from .exact import Dyadic, Exact, decimal, precision
from .expression import FUNCTIONS, log1p
from .network import Block, Network
from .rank import MAX_BITS
from .rejection import Budget, Rejection
from .schema import Value

exp = FUNCTIONS["exp"]


@dataclass(frozen=True)
class Labels:
    """The classes: labels y_i, how often each sample counts, and their sum n."""

    classes: int
    labels: Sequence[int]
    multiplicities: Sequence[int]
    total: int
    margins: dict[str, Margins] = field(default_factory=dict)


def tail(rate: arb, classes: int) -> arb:
    """Return log(1 + (m-1) e^-rate), which bounds the loss where all margins are at least `rate`."""
    return log1p((classes - 1) * exp(-rate))


class Margins:
    """The margins of fixed output weights: exact differences of columns, so that common parts cancel."""

    def __init__(self, value: Value, network: Network, data: Labels) -> None:
        units, classes = network.skip_units, data.classes
        weights = value.exact(units, classes)
        present = sorted(set(data.labels))
        value.spend(Budget.ENTRIES, len(present) * units * (classes - 1))
        value.spend(Budget.PRODUCTS, network.samples * units * (classes - 1))
        rows = weights.integers.tolist()
        self.differences = {y: _differences(rows, y, weights) for y in present}

    def of(self, label: int, block: Block, psi: arb_mat) -> list[list[arb]]:
        """Return the balls of the margins of a block's samples with this label (computed once per block)."""
        key = id(self), label
        if key not in block.products:
            block.products[key] = (psi * self.differences[label]).tolist()
        return block.products[key]


def read_margins(value: Value, network: Network, data: Labels) -> Margins:
    """Return the margins of some output weights; claims that name the same arrays share them."""
    key = json.dumps(value.data, sort_keys=True)
    if key not in data.margins:
        data.margins[key] = Margins(value, network, data)
    return data.margins[key]


def _differences(rows: list[list[Any]], y: int, weights: Exact) -> arb_mat:
    """Return the matrix with columns V_y - V_k, k != y."""
    entries = [row[y] - row[k] for row in rows for k in range(weights.columns) if k != y]
    integers = fmpz_mat(weights.rows, weights.columns - 1, entries)
    return Exact(integers, weights.exponent, weights.bits + 1).balls()


class Worst:
    """The smallest lower end of some balls, kept for the report."""

    def __init__(self) -> None:
        self.lower: arb | None = None

    def see(self, ball: arb) -> None:
        """Look at a ball."""
        lower = ball.lower()
        if self.lower is None or lower < self.lower:
            self.lower = lower

    def summary(self) -> tuple[int, int] | None:
        """Return the number as plain integers."""
        return None if self.lower is None else plain(self.lower)

    def merge(self, summary: tuple[int, int] | None) -> None:
        """Look at what another process found."""
        if summary is not None:
            self.see(arb(summary))


def plain(number: arb) -> tuple[int, int]:
    """Return mantissa and exponent of an exact finite ball."""
    mantissa, exponent = number.man_exp()
    return int(mantissa), int(exponent)


def positive(value: Value, rule: str) -> Dyadic:
    """Return a dyadic that must be above 0."""
    number = value.dyadic()
    if not number.mantissa > 0:
        raise value.reject(rule, "must be above 0", number.below(), "> 0")
    return number


class MarginClaim:
    """What Z1 and P1 share: every margin of the end weights is at least gamma."""

    def __init__(self, keys: dict[str, Value], weights: str, path: str, network: Network, data: Labels) -> None:
        self.path, self.data = path, data
        self.label = keys["label"].choice("Z1", "P1")
        self.precision = keys["precision"].integer(32, MAX_BITS)
        self.gamma = positive(keys["gamma"], f"{self.label}.gamma")
        self.end = read_margins(keys[weights], network, data)
        self.worst = Worst()

    def prepare(self, jobs: int) -> None:
        """Nothing to do without rows."""

    def check_end(self, sample: int, margins: list[arb]) -> None:
        """Guarantee: each of the margins is at least gamma."""
        gamma = self.gamma.ball
        for margin in margins:
            if not (margin >= gamma):
                message = f"a margin of sample {sample} is not proved to be at least gamma; lower gamma"
                rule = f"{self.label}.margin"
                raise Rejection(self.path + "/gamma", rule, message, self.gamma.below(), margin.str(10))
            self.worst.see(margin)


class ZeroErrorClaim(MarginClaim):
    """Z1: zero training error, and the infimum of the loss is zero."""

    def __init__(self, value: Value, network: Network, data: Labels) -> None:
        keys = value.keys("label", "precision", "output_weights", "gamma")
        super().__init__(keys, "output_weights", value.path, network, data)

    def take(self, block: Block) -> None:
        """Check the margins of some samples."""
        for label, (members, rows) in block.by_label(self.data.labels).items():
            for sample, margins in zip(members, self.end.of(label, block, rows), strict=True):
                self.check_end(sample, margins)

    def seen(self) -> Any:
        """Return the smallest margin."""
        return self.worst.summary()

    def add(self, summary: Any) -> None:
        """Merge another process's samples."""
        self.worst.merge(summary)

    def conclude(self) -> dict[str, object]:
        """State the result.

        Guarantee: sum_j Psi_ij (V_{j,y_i} - V_{j,k}) >= gamma > 0 for all i and k != y_i, so that
        Phi(U, t V) <= log(1 + (m-1) e^(-t gamma)), strictly decreasing in t > 0.
        """
        rate = f"log(1 + {self.data.classes - 1} e^(-t {self.gamma.below()}))"
        statement = (
            f"zero training error: every margin of the output weights V is at least {self.gamma.below()}; "
            f"Phi(U, t V) <= {rate} decreases strictly to 0 as t grows, so the infimum of the loss is 0"
        )
        return {
            "statement": statement,
            "gamma": self.gamma.below(),
            "precision": self.precision,
            "smallest_margin": None if self.worst.lower is None else decimal(self.worst.lower, down=True),
        }


class PathClaim(MarginClaim):
    """P1: V(s) = (1-s) V0 + s kappa V1, then t V1 for t >= kappa, with U at rest."""

    def __init__(self, value: Value, network: Network, data: Labels) -> None:
        keys = value.keys(
            "label",
            "precision",
            "start_weights",
            "end_weights",
            "gamma",
            "kappa",
            "start_loss",
            "zero_error_t",
            "targets",
        )
        super().__init__(keys, "end_weights", value.path, network, data)
        self.start = read_margins(keys["start_weights"], network, data)
        self.kappa = positive(keys["kappa"], "P1.kappa")
        loss = keys["start_loss"].keys("lower", "upper")
        self.loss_claimed = loss["lower"].dyadic(), loss["upper"].dyadic()
        self.zero_error = keys["zero_error_t"].dyadic()
        self.targets = []
        for item in keys["targets"].items(0, 64):
            target = item.keys("loss", "t")
            self.targets.append((item.path, positive(target["loss"], "P1.target"), target["t"].dyadic()))
        self.total = arb(0)  # n Phi(U, V0), summed so far
        self.slack = Worst()

    def take(self, block: Block) -> None:
        """Check the margins of some samples and add their losses.

        Guarantee: m1_ik >= gamma and kappa m1_ik - m0_ik > 0; `total` contains sum_i mult_i log(1 + sum_k e^-m0_ik).
        """
        kappa = self.kappa.ball
        for label, (members, rows) in block.by_label(self.data.labels).items():
            pairs = zip(members, self.start.of(label, block, rows), self.end.of(label, block, rows), strict=True)
            for sample, starts, ends in pairs:
                self.check_end(sample, ends)
                for m0, m1 in zip(starts, ends, strict=True):
                    slack = kappa * m1 - m0
                    if not (slack > 0):
                        message = f"sample {sample}: kappa m1 - m0 is not proved to be above 0; choose a larger kappa"
                        raise Rejection(self.path + "/kappa", "P1.segment", message, self.kappa.below(), slack.str(10))
                    self.slack.see(slack)
                loss = log1p(sum((exp(-m0) for m0 in starts), arb(0)))
                self.total += self.data.multiplicities[sample] * loss
        if not self.total.is_finite():
            raise Rejection(
                self.path + "/start_loss", "P1.start-loss", "the start loss is not finite", None, str(self.total)[:100]
            )

    def seen(self) -> Any:
        """Return smallest margin, smallest slack and the loss's ends."""
        return self.worst.summary(), self.slack.summary(), plain(self.total.lower()), plain(self.total.upper())

    def add(self, summary: Any) -> None:
        """Merge another process's samples."""
        worst, slack, lower, upper = summary
        self.worst.merge(worst)
        self.slack.merge(slack)
        self.total += arb(lower).union(arb(upper))

    def conclude(self) -> dict[str, object]:
        """Compare the start loss and the values along the ray.

        Guarantee: h(s) = Phi(U, V(s)) is convex and h'(1) = -(1/n) sum_ik mult_i p_ik (kappa m1_ik - m0_ik) < 0, hence
        strictly decreasing on [0, 1]; on the ray Phi(U, t V1) <= log(1 + (m-1) e^(-t gamma)), strictly decreasing to 0.
        """
        with precision(self.precision):
            loss = self.total / self.data.total
            lower, upper = self.loss_claimed
            if not (lower.ball <= loss and loss <= upper.ball):
                raise Rejection(
                    self.path + "/start_loss",
                    "P1.start-loss",
                    "the start loss is not proved to be in the bounds",
                    f"[{lower.below()}, {upper.above()}]",
                    loss.str(15),
                )
            self._check_time(self.path + "/zero_error_t", "P1.zero-error", self.zero_error)
            gamma, classes = self.gamma.ball, self.data.classes
            reached, needed = tail(self.zero_error.ball * gamma, classes), arb(2).log() / self.data.total
            if not (reached < needed):
                raise Rejection(
                    self.path + "/zero_error_t",
                    "P1.zero-error",
                    "log(1 + (m-1) e^(-t gamma)) is not below log(2)/n; choose a larger t",
                    decimal(reached, down=False),
                    decimal(needed, down=True),
                )
            for path, target, time in self.targets:
                self._check_time(path + "/t", "P1.target", time)
                reached = tail(time.ball * gamma, classes)
                if not (reached <= target.ball):
                    raise Rejection(
                        path,
                        "P1.target",
                        "the loss at t is not proved to be at most the target; choose a larger t",
                        target.above(),
                        decimal(reached, down=False),
                    )
        targets = [{"loss": target.above(), "t": time.above()} for _, target, time in self.targets]
        reached_words = "".join(f"; at most {target['loss']} from t = {target['t']} on" for target in targets)
        statement = (
            f"the loss decreases strictly from {lower.below()} .. {upper.above()} at V0 along the segment to "
            f"kappa V1 (kappa = {self.kappa.above()}) and then along t V1 to 0, the hidden weights at rest: "
            f"training error 0 from t = {self.zero_error.above()} on{reached_words}"
        )
        return {
            "statement": statement,
            "gamma": self.gamma.below(),
            "kappa": self.kappa.above(),
            "precision": self.precision,
            "start_loss": [lower.below(), upper.above()],
            "zero_error_t": self.zero_error.above(),
            "targets": targets,
        }

    def _check_time(self, path: str, rule: str, time: Dyadic) -> None:
        if not (time.ball >= self.kappa.ball):
            message = "t must be at least kappa, where the ray begins"
            raise Rejection(path, rule, message, time.below(), self.kappa.above())
