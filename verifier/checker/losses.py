"""TC.3: convex losses other than the unweighted cross-entropy, and conflicting labels, along the segment V0 -> V1.

Glossary: G = Psi V1, D = Psi (V1 - V0), so that the logits on the way are G - (1-s) D; a sample's weights are
{y: its number of labels y times the weight of class y}; h(s) = Phi at V0 + s (V1 - V0) is convex. Every loss is a
function (G, D, y, counts) -> its value and an upper bound of its slope (from the left) in the direction D; counts_k
classes have the logit G_k, one class only that of y.
"""

from collections.abc import Iterable
from functools import reduce
from typing import Any

from flint import arb, arb_mat

from .claims import MarginClaim, Rows, exp, sides
from .common import above, below, precision, require
from .container import Arrays
from .sentences import sentence, statement

Line = list[arb]
Found = tuple[arb, arb]
ZERO, LOSS_COPIES = arb(0), 16  # balls that a logit takes while its part of a loss is computed


def add(terms: Iterable[Found]) -> Found:
    """Return the sum of the values and the sum of the slopes of some terms."""
    values, slopes = zip(*terms, strict=True)
    return sum(values, ZERO), sum(slopes, ZERO)


def cross_entropy(g: Line, d: Line, y: int, counts: list[int]) -> Found:
    """log(1 + sum_k e^(G_k - G_y)); the slope is the mean of D_k - D_y with these weights."""
    weights = [(counts[k] * exp(g[k] - g[y]), d[k] - d[y]) for k in range(len(g)) if k != y]
    total, slope = add((weight, weight * change) for weight, change in weights)
    return total.log1p(), slope / (1 + total)  # Coq: TC3 here


def squared(g: Line, d: Line, y: int, counts: list[int]) -> Found:
    """(1/2) sum_k (G_k - onehot_k)^2; Arb's own square of a ball around exactly 0 is not finite."""
    rests = [x - (k == y) for k, x in enumerate(g)]
    # Coq: TC3 here
    return add((c * (rest * rest / 2), c * rest * change) for c, rest, change in zip(counts, rests, d, strict=True))


def one_vs_rest(g: Line, d: Line, y: int, counts: list[int]) -> Found:
    """log(1 + e^-G_y) + sum_{k != y} log(1 + e^G_k)."""
    signed = [(-x, -d[k]) if k == y else (x, d[k]) for k, x in enumerate(g)]
    # Coq: TC3 here
    return add((c * exp(x).log1p(), c * slope / (1 + exp(-x))) for c, (x, slope) in zip(counts, signed, strict=True))


def largest(lines: list[Found]) -> Found:
    """The maximum of 0 and lines (value, slope), and its slope from the left.

    Guarantee: that slope is the least one among the lines that attain the maximum; so it is at most the largest one
    among those that may attain it, and at most that of any line that certainly attains it.
    """
    lines = [(ZERO, ZERO), *lines]
    top = reduce(arb.max, [x for x, _ in lines])
    slope = reduce(arb.max, [s for x, s in lines if not x < top])  # Coq: TC3 here, TC3 active, TC3 attains
    # Coq: TC3 here, TC3 active, TC3 attains
    return top, reduce(arb.min, [s for x, s in lines if x >= top], slope)


def hinges(g: Line, d: Line, y: int) -> list[Found]:
    """The lines 1 - m_k, k != y."""
    return [(1 - g[y] + g[k], d[k] - d[y]) for k in range(len(g)) if k != y]  # Coq: TC3 other


def weston_watkins(g: Line, d: Line, y: int, counts: list[int]) -> Found:
    """sum_{k != y} max(0, 1 - m_k)."""
    others = [count for k, count in enumerate(counts) if k != y]
    found = [largest([line]) for line in hinges(g, d, y)]
    return add((count * x, count * slope) for count, (x, slope) in zip(others, found, strict=True))


LOSSES = {"cross-entropy": cross_entropy, "squared": squared, "one-vs-rest": one_vs_rest}
LOSSES |= {"weston-watkins": weston_watkins, "crammer-singer": lambda g, d, y, counts: largest(hinges(g, d, y))}
HINGES = ("weston-watkins", "crammer-singer")


def entropy(parts: Line) -> arb:
    """sum_k a_k log(sum a / a_k), the least cross-entropy of these positive weights."""
    total = sum(parts, ZERO)
    return sum((a * (total / a).log() for a in parts), ZERO)


def least(loss: str, weights: Line) -> arb:
    """Bound a sample's loss from below over all logits; for labels that agree it is 0, otherwise its infimum.

    Guarantee: the loss is nowhere less; it is the infimum but for conflicting labels under the hinge losses.
    """
    total = sum(weights, ZERO)
    if len(weights) == 1 or loss in HINGES:
        return ZERO
    if loss == "squared":
        return sum((a * (total - a) for a in weights), ZERO) / total / 2
    groups = [weights] if loss == "cross-entropy" else [[a, total - a] for a in weights]
    return sum((entropy(group) for group in groups), ZERO)


class LossClaim(MarginClaim):
    """One claim TC.3: a convex loss that never increases on the segment from V0 to V1."""

    def __init__(self, raw: Any, network: Any, arrays: Arrays, data: Any) -> None:
        super().__init__(raw, network, arrays, data)
        known = raw.loss in LOSSES
        require(known, raw.path + "/loss", "TC.3.targets", "is for real targets, and these data have none", raw.loss)
        self.entries = LOSS_COPIES * len(self.classes.first)
        self.weights = self.columns()
        factors, path = raw.class_weights, raw.path + "/class_weights"
        # Coq: X1 weight_ge0, TC3 factors
        fit = factors is None or (len(factors) == data.classes and all(factor > 0 for factor in factors))
        require(fit, path, "TC.3.class-weights", "must be one positive number per class")
        counts = self.label_counts(network.samples, data.classes, arrays)
        self.shares = [{y: c * (factors[y] if factors else arb(1)) for y, c in row.items()} for row in counts]
        self.agree = sum(map(len, self.shares)) == network.samples  # one label for each sample
        self.exact = self.agree or raw.loss not in HINGES  # then `least` is the infimum
        usable = raw.gamma is None or (self.agree and raw.loss != "squared")
        require(usable, raw.path + "/gamma", "TC.3.gamma", "is only for margin losses with labels that agree")
        self.totals = [ZERO] * 3  # n times the losses at V0 and V1 and the slope at V1, summed so far

    def columns(self) -> tuple[arb_mat, arb_mat, arb_mat]:
        """Return V0, V1 and V1 - V0, exactly: one column for each group of classes."""
        start, end = self.start, self.end
        bits = max(start.bits, end.bits) + abs(start.exponent - end.exponent) + 64
        with precision(bits):  # enough for the exact difference
            first, last = (self.classes.columns(exact).balls() for exact in (start, end))
            return first, last, last - first

    def label_counts(self, samples: int, classes: int, arrays: Arrays) -> list[dict[int, int]]:
        """Return how often each sample has each of its labels."""
        name, labels, counts, path = self.raw.label_counts, self.data.labels, self.data.multiplicities, self.raw.path
        one = (name is None) != (labels is None)
        require(one, path + "/label_counts", "TC.3.labels", "give labels or their counts, one of them")
        if name is None:
            return [{y: c} for y, c in zip(labels, counts, strict=True)]
        flat = arrays.integers(name, path + "/label_counts", samples * classes)
        rows = (flat[begin : begin + classes] for begin in range(0, len(flat), classes))
        found = [{y: c for y, c in enumerate(row) if c} for row in rows]
        # Coq: X1 weight_ge0, X1 occurs, TC3 factors
        fit = min(flat) >= 0 and [sum(row.values()) for row in found] == counts
        require(fit, path + "/label_counts", "TC.3.labels", "must be >= 0 and add up to the sample's multiplicity")
        return found

    def take(self, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> Any:
        """Return the samples' shares of the losses at V0 and V1 and of the slope at V1; compare margins with gamma."""
        found, psi, loss = [ZERO] * 3, arb_mat(rows), LOSSES[self.raw.loss]
        starts, ends, changes = ((psi * v).tolist() for v in self.weights)
        for sample, *lines in zip(samples, starts, ends, changes, strict=True):
            for label, weight in self.shares[sample].items():
                groups, others = self.classes.others(label)
                own = self.classes.group[label]
                first, g, d = ([line[group] for group in (own, *groups)] for line in lines)  # the label's logit first
                counts = [1, *others]
                start, _ = loss(first, d, 0, counts)
                end, slope = loss(g, d, 0, counts)
                found = [total + weight * part for total, part in zip(found, (start, end, slope), strict=True)]
                self.require_margins(sample, g)
        require(all(map(arb.is_finite, found)), self.raw.path, "TC.3.finite", "a loss or its slope is not finite")
        return sides(found)

    def require_margins(self, sample: int, g: Line) -> None:
        """Guarantee: on return gamma is not given, or it is below every margin of these logits, the label's first."""
        raw, (own, *others) = self.raw, g
        if raw.gamma is None:
            return
        margins = [own, *(-x for x in others)] if raw.loss == "one-vs-rest" else [own - x for x in others]
        message = f"sample {sample}: a margin (one-vs-rest: G_y, -G_k) is not proved to be at least gamma"
        require(all(margin >= raw.gamma for margin in margins), raw.path + "/gamma", "TC.3.margin", message)

    def least(self) -> arb:
        """Bound n times the infimum from below; it is the infimum if `exact`."""
        return sum((least(self.raw.loss, list(share.values())) for share in self.shares), ZERO)

    def conclude(self) -> dict[str, object]:
        """Compare losses, slope and infimum.

        Guarantee: Phi is convex on the segment and its slope at V1 (from the left) is at most 0, so that it never
        increases; losses and infimum are in the claimed bounds. Where V1 does not show the infimum, a rank claim does:
        with full row rank the logits Psi V are arbitrary, so that the infimum is that over all logits.
        """
        raw, (low, high) = self.raw, (self.raw.infimum.lower, self.raw.infimum.upper)
        with precision(self.precision):
            start, end, slope = (total / self.data.total for total in self.totals)
            bound = self.least() / self.data.total
            attained = raw.end_loss <= high  # V1 itself is as low
            started = raw.start_loss.lower <= start <= raw.start_loss.upper
            bounded = low <= bound and (attained or (self.exact and bound <= high))
            # Coq: TC3 slope_le0
            checks = [(slope <= 0, "end_weights", "the slope at V1 is not proved to be at most 0", slope)]
            checks += [(started, "start_loss", "the loss at V0 is not proved to be in the bounds", start)]
            checks += [(end <= raw.end_loss, "end_loss", "the loss at V1 is not proved to be at most this", end)]
            checks += [(bounded, "infimum", "the infimum is not proved to be in the bounds", bound)]
            for holds, key, message, value in checks:
                require(holds, f"{raw.path}/{key}", "TC.3." + key.replace("_", "-"), message, None, value.str(15))
        proved = attained or raw.gamma is not None or any(rank.label in ("R1", "R3") for rank in self.data.ranks)
        require(proved, raw.path + "/infimum", "TC.3.rank", "needs a claim R1 or R3 in the same certificate")
        numbers = {"lower": below(raw.start_loss.lower), "upper": above(raw.start_loss.upper)}
        numbers |= {"end_loss": above(raw.end_loss), "infimum_lower": below(low), "infimum_upper": above(high)}
        what = f"{raw.loss}, classes weighted" if raw.class_weights else raw.loss
        way = "decreases strictly" if slope < 0 else "never increases"
        said = [sentence("TC.3", loss=what, way=way, **numbers)]
        if raw.gamma is not None:
            said.append(sentence("TC.3 ray"))
        return {"statement": statement(*said)}
