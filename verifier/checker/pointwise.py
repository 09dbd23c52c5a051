"""Facts at one (U, V): the certified balls (Z2, B1), no stationary point (C1), no local maximum (C3).

Glossary: r = the radius of the ball, the largest change of any hidden weight, bias or output weight. Per layer, over
all samples, its units and the whole ball: B bounds a unit's size and d its change; A = the largest sum of the sizes of
a unit's incoming weights, fan = their number. P = softmax of the logits minus onehot, one row per sample.
"""

import itertools
from collections.abc import Iterator
from functools import reduce
from operator import mul
from typing import Any

from flint import arb

from .boxes import changes_in_box
from .claims import MarginClaim, Rows, exp, sides
from .common import Exact, Rejection, above, below, precision, require
from .container import Arrays
from .expression import Function, jet
from .layered import INPUT, layered
from .segment import differentiable
from .sentences import sentence

# pieces that an interval may be cut into, and operations of the activation on all of them together; a piece is not cut
# if its bound is at most this factor above a value found elsewhere, or tiny
MAX_PIECES, MAX_OPERATIONS, SHARP, TINY = 1 << 17, 1 << 21, arb((9, -3)), arb((1, -20))
BALL_BITS = 128  # working precision of B1


def suprema(function: Function, reach: arb, path: str, steps: int) -> list[arb]:
    """Bound the sizes of an activation of so many steps and of its derivative on [-reach, reach], by bisection.

    Guarantee: |sigma(t)| and |sigma'(t)| are at most the two results for all |t| <= reach.
    """
    pieces, best, most = [(-reach, reach)], [arb(0), arb(0)], [arb(0), arb(0)]
    for _ in range(min(MAX_PIECES, 1 + MAX_OPERATIONS // steps)):
        low, high = pieces.pop()
        middle, bounds = ((low + high) / 2).mid(), [x.abs_upper() for x in jet(function, low.union(high), arb(1))]
        if not low < middle < high:  # below the resolution of the numbers: a pole, or nearly one
            break
        inside = jet(function, middle, arb(1))
        if not all(map(arb.is_finite, inside)):  # no number of pieces bounds what is not finite at one point
            break
        best = [b.max(x.abs_lower()) for b, x in zip(best, inside, strict=True)]
        if all(bound <= SHARP * b + TINY for bound, b in zip(bounds, best, strict=True)):
            most = [m.max(bound).upper() for m, bound in zip(most, bounds, strict=True)]
        else:
            pieces += [(low, middle), (middle, high)]
        if not pieces:
            return most
    message = "sigma or sigma' is not bounded on the pre-activations' range by as many pieces as this checker cuts"
    raise Rejection(path, "Z2.range", message, None, above(reach))


def largest(exact: Exact) -> arb:
    """Return the largest size of an entry."""
    return arb(max(map(abs, exact.integers.entries()))) * arb((1, exact.exponent))


def spread(view: Any, radius: arb) -> list[tuple[arb, arb]]:
    """Return (B, d) of every layer of a layered network.

    Guarantee: in the whole ball every unit of the layer has |h'| <= B and |h' - h| <= d on every sample. With
    z' - z = sum w' (h' - h) + sum (w' - w) h + (b' - b): |z'| <= (A + fan r) B + max |b| + r, and
    |z' - z| <= (A + fan r) d + r (fan B + 1); then the mean value theorem.
    """
    known = {INPUT: (largest(view.inputs), arb(0))}
    for number, layer in enumerate(view.layers):
        size, change = (reduce(arb.max, both).upper() for both in zip(*map(known.get, layer.inputs), strict=True))
        if layer.kind == "avgpool":
            known[number] = size, change
            continue
        fan, rows = len(layer.windows[0]), layer.weight.integers.tolist()
        weight = arb(max(sum(map(abs, row)) for row in rows)) * arb((1, layer.weight.exponent)) + fan * radius
        reach = (weight * size + largest(layer.bias) + radius).upper()
        value, slope = suprema(differentiable(layer)[1], reach, layer.path, layer.activation.steps)
        known[number] = value, (slope * (weight * change + radius * (fan * size + 1))).upper()
    return [known[number] for number in range(len(view.layers))]


def has_derivative(layer: Any) -> bool:
    """Return whether a layer's activation is an expression without kinks."""
    try:
        differentiable(layer)
    except Rejection:
        return False
    return True


def columns_in_ball(network: Any, radius: arb) -> Iterator[list[tuple[arb, arb]]]:
    """Yield (B, d) of every column of Psi: once for all samples of a layered network, else for each sample.

    Guarantee: |psi'| <= B and |psi' - psi| <= d for every U' within the radius of U, each number. For a layered network
    of activations with derivatives by `spread`, with (1, 0) for an output bias of ones; for others by boxes.py.
    """
    view, last = layered(network), network.nodes[network.features[-1].node].exact
    follows = view is not None and not (view.output_bias and last.balls()[0, 0] != 1)
    if not follows or not all(map(has_derivative, view.layers)):
        yield from changes_in_box(network, radius)
        return
    pairs = zip(view.layers, spread(view, radius), strict=True)
    found = [pair for layer, pair in pairs for _ in range(len(layer.skip))]
    if view.output_bias:
        found.append((arb(1), arb(0)))
    yield found


def check_rank_ball(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim B1: rank Psi(U') = N for every U' within the radius of U.

    Guarantee: ||Psi(U') - Psi(U)||_F^2 <= sum_ij d_ij^2 < sigma_N(Psi(U))^2, so rank Psi(U') = N in the whole ball, as
    sigma_N(Psi(U')) >= sigma_N(Psi(U)) - ||Psi(U') - Psi(U)||_2 > 0 by Weyl's inequality.
    """
    sigma, path = strongest(data, raw), raw.path + "/radius"
    require(raw.radius > 0, path, "B1.radius", "must be above 0", below(raw.radius))
    with precision(BALL_BITS):
        squares = [sum((d * d for _, d in columns), arb(0)) for columns in columns_in_ball(network, raw.radius)]
        total = sum(squares, arb(0)) if len(squares) > 1 else network.samples * squares[0]
        moved, message = total.upper().sqrt(), "Psi may change by sigma_N: reduce the radius"
        require(moved < sigma, path, "B1.change", message, below(sigma), above(moved))
    said = sentence("B1", samples=network.samples, radius=below(raw.radius))
    return {"statement": said, "radius": below(raw.radius)}


def strongest(data: Any, raw: Any) -> Any:
    """Return the largest sigma_lower of the claims R1 and R3 at the stored weights."""
    sigmas = [claim.sigma_lower for claim in data.ranks if claim.label in ("R1", "R3")]
    require(bool(sigmas), raw.path, f"{raw.label}.rank", "needs a claim R1 or R3 in the same certificate")
    return reduce(arb.max, sigmas)


class BallClaim(MarginClaim):
    """One claim Z2: zero training error in a ball of hidden and output weights."""

    def __init__(self, raw: Any, network: Any, arrays: Arrays, data: Any) -> None:
        super().__init__(raw, network, arrays, data)
        self.network = network

    def conclude(self) -> dict[str, object]:
        """Compare the margins at the stored weights with their largest change in the ball.

        Guarantee: |m' - m| < gamma <= m for all samples and all k != y, so that every margin is positive in the whole
        ball.
        """
        raw = self.raw
        with precision(self.precision):
            moved, message = self.largest_change(), "the margins may change by gamma: choose a smaller radius"
            require(moved < raw.gamma, raw.path + "/radius", "Z2.change", message, below(raw.gamma), above(moved))
        numbers = {"radius": below(raw.radius), "gamma": below(raw.gamma)}
        return {"statement": sentence("Z2", change=above(moved), **numbers), **numbers}

    def largest_change(self) -> arb:
        """Bound the change of a margin in the ball.

        Guarantee: |m' - m| <= sum_j d_j |V_jy - V_jk| + 2 r B_j, which is at most the result for every label y that
        occurs and every k: the features change by d, and then the output weights by r each.
        """
        weights, most = self.end.integers.tolist(), arb(0)
        scale, known = arb((1, self.end.exponent)), dict[tuple[int, int], list[Any]]()
        for y, k in itertools.product(sorted(set(self.data.labels)), self.classes.first):  # equal columns change alike
            known[y, k] = [abs(row[y] - row[k]) * scale for row in weights]
        for columns in columns_in_ball(self.network, self.raw.radius):
            of_weights = 2 * self.raw.radius * sum((size for size, _ in columns), arb(0))
            for differences in known.values():
                of_features = sum((d * v for (_, d), v in zip(columns, differences, strict=True)), arb(0))
                most = most.max(of_features + of_weights)
        return most


class GradientClaim(MarginClaim):
    """One claim C1, a sum of non-negative shares of all samples."""

    def take(self, samples: list[int], rows: Rows, shared: dict[Any, Any]) -> Any:
        """Guarantee: the samples' shares add up to at least the result; a share that may be 0 does not count."""
        total, margins = arb(0), self.of_logits(samples, self.margins(self.start, samples, rows, shared))
        for sample, row, margin in zip(samples, rows, margins, strict=True):
            shift = reduce(arb.min, margin, arb(0)).mid()  # the softmax weights, up to a common factor: own, others
            share = self.part(sample, row, exp(shift), [exp(shift - m) for m in margin])
            total += share.lower() if share > 0 else 0
        return sides([total.lower()])

    def part(self, sample: int, row: list[arb], own: arb, softmax: list[arb]) -> Any:
        """Return mult^2 ||P_i||^2: P_iy = -(sum of the others) / sum, P_ik = softmax_k / sum."""
        counts = self.counts(sample)
        others = sum(map(mul, counts, softmax), arb(0))
        size = others**2 + sum((count * weight**2 for count, weight in zip(counts, softmax, strict=True)), arb(0))
        return size * (self.data.multiplicities[sample] / (own + others)) ** 2

    def conclude(self) -> dict[str, object]:
        """Compare the claimed bound with the residual and the sigma_N of a rank claim.

        Guarantee: ||grad_V Phi||_F = ||Psi^T diag(mult) P||_F / n >= sigma_N ||diag(mult) P||_F / n >= gradient_lower
        > 0.
        """
        raw, claimed = self.raw, self.raw.gradient_lower
        sigma = strongest(self.data, raw)  # Coq: C1 sigma_bound
        with precision(self.precision):
            found = sigma * (self.totals[0].lower().sqrt() / self.data.total).lower()
        path, message = raw.path + "/gradient_lower", "is not above 0 or not proved: sigma_N ||diag(mult) P||_F / n"
        # Coq: C1 lower, C1 lower_gt0
        require(found >= claimed and claimed > 0, path, "C1.gradient", message, below(claimed), below(found))
        bound = {"gradient_lower": below(claimed)}
        return {"statement": sentence("C1", **bound), **bound}


class CurvatureClaim(GradientClaim):
    """One claim C3, a sum of shares as well: no local maximum at (U, V)."""

    def __init__(self, raw: Any, network: Any, arrays: Arrays, data: Any) -> None:
        super().__init__(raw, network, arrays, data)
        for key, limit in (("unit", network.columns), ("output", data.classes)):
            number = getattr(raw, key)
            require(number < limit, f"{raw.path}/{key}", "schema.value", f"must be below {limit}", number)
        arc = data.arcs is None or data.arcs[raw.unit][raw.output] == 1
        require(arc, raw.path + "/unit", "data.arcs", "there is no arc from this column to this output", raw.unit)

    def part(self, sample: int, row: list[arb], own: arb, softmax: list[arb]) -> Any:
        """Return mult Psi_ij^2 p_k (1 - p_k), 1 - p_k as the sum of the other softmax weights."""
        label, output, counts = self.data.labels[sample], self.raw.output, list(self.counts(sample))
        if output != label:  # one class of its group is the output, and the label is among the others
            place = self.classes.others(label)[0].index(self.classes.group[output])
            counts[place] -= 1
            own, rest = softmax[place], own
        else:
            rest = arb(0)
        others = sum(map(mul, counts, softmax), rest)
        unit = row[self.raw.unit]  # a factor twice: Arb's own square of a ball around exactly 0 is not finite
        return unit * unit * own * others / (own + others) ** 2 * self.data.multiplicities[sample]

    def conclude(self) -> dict[str, object]:
        """Guarantee: the second derivative of Phi along e_unit e_output^T is at least curvature_lower > 0."""
        raw, claimed = self.raw, self.raw.curvature_lower
        with precision(self.precision):
            found = self.totals[0] / self.data.total
        path, message = raw.path + "/curvature_lower", "is not above 0 or not proved: the second derivative"
        # Coq: C3 lower, C3 lower_gt0, C3_second_derivative lower
        require(found >= claimed and claimed > 0, path, "C3.curvature", message, below(claimed), below(found))
        bound = {"curvature_lower": below(claimed)}
        return {"statement": sentence("C3", unit=raw.unit, output=raw.output, **bound), **bound}
