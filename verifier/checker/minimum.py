"""Rule BM: a strict local minimum of the cross-entropy, the local valley around it, and whether that is bad.

Glossary: theta = (U, V): all entries of the parameter nodes, and those of V but its last column, which is 0; Phi(theta)
is the mean cross-entropy of the logits G = Psi V + K, K frozen. Sample i occurs A_i times, a_ik of them with label k;
n = sum A_i; p_i is the softmax of G_i, w_i = A_i p_i - a_i. theta0 is the stored point, r the radius, *the ball* all
theta with |theta - theta0| <= r, *the box* those in which no number is further than r from that of theta0.

Why: let Hess Phi >= lambda on the ball (lambda > 0), |grad Phi(theta0)| <= g, 2 g < lambda r. Then for |h| <= r

    Phi(theta0 + h) >= Phi(theta0) - g |h| + lambda |h|^2 / 2.

The right side is at least Phi(theta0) - g^2 / (2 lambda) everywhere, and at |h| = r it is Phi(theta0) + rise, rise =
lambda r^2 / 2 - g r > 0. So the least value on the ball is attained inside: a local minimum, by strong convexity a
strict one and the only point of the ball where grad Phi = 0. What is connected to theta0 in {Phi < Phi(theta0) + rise}
cannot cross the ball's surface. V + v 1^T adds the same to all logits of a sample, which changes no loss: with all of V
free, the minimum and the valley are those found here times these shifts.
"""

import itertools
from operator import mul
from typing import Any

from flint import arb, arb_mat

from .arithmetic import Row, Table
from .common import Exact, Rejection, above, afford, below, precision, require
from .container import Arrays
from .curvature import LINEAR, RULES, Form
from .features import Features, exp
from .jacobian import Jacobian, count_parameters
from .loss_bound import label_counts
from .network import cut_blocks, move
from .nodes import columns_of
from .sentences import sentence, statement

MAX_PARAMETERS, MAX_ROWS = 2000, 2000  # numbers in theta; rows of a product of matrices
SLACK = arb((1, -10)), arb((1, -44))  # of the shift: relative to the radii, and to the entries, that binary64 rounds
STEPS, LEAST = 8, 2.0**-20  # of the power method; the smallest of its numbers
LEAST_RISE = arb((1, -100_000))  # above 0, and enough to be printed
ZERO, ONE = arb(0), arb(1)


class Loss:
    """n Phi at theta0, or on a box around it: its value, its gradient, its second derivatives."""

    def __init__(self, network: Any, weights: Exact, counts: list[list[int]], offset: Any, reach: arb | None) -> None:
        first, outputs = count_parameters(network), weights.integers.ncols()
        of_weights = (number for number in range(network.columns * outputs) if number % outputs < outputs - 1)
        columns = [*range(first), *(first + number for number in of_weights)]
        box = None if reach is None else [reach] * len(columns)
        self.jacobian = Jacobian(network, weights, columns, box, reduced=True, whole=True)
        self.point, self.network, self.counts, self.offset = self.jacobian.point, network, counts, offset
        self.point.rule = "BM.differentiable"
        self.size, self.first, self.outputs = len(columns), first, outputs
        sizes = map(len, self.jacobian.used.values())
        starts = itertools.accumulate(sizes, initial=0)  # the numbers in theta of the first entries of parameter nodes
        self.starts = dict(zip(self.jacobian.used, starts, strict=False))
        self.fixed: dict[int, Table] = {}  # the derivatives of nodes that do not depend on the sample
        self.left, self.right = Table(), Table()

    def at(self, sample: int) -> Any:
        """Return the tables of all nodes on a sample, the row of Psi, D, p and w; D_k is the slope of G_k - G_(m-1)."""
        values = self.point.values([sample])
        psi = columns_of(self.point, self.network, values)
        logits = (arb_mat(psi) * self.jacobian.weights).entries()
        if self.offset is not None:
            frozen = self.offset.integers
            logits = [g + arb((frozen[sample, k], self.offset.exponent)) for k, g in enumerate(logits)]
        p, counts = probabilities(logits), self.counts[sample]
        total = sum(counts)
        w = [total * share - count for share, count in zip(p, counts, strict=True)]
        return values, psi[0], self.jacobian.at(values), p, w

    def gradient(self) -> Row:
        """Return the gradient of n Phi: the sum of w_i J_i, of w_i D_i, as the w_ik add up to 0."""
        found = arb_mat(1, self.size)
        for sample in range(self.network.samples):
            _, _, rows, _, w = self.at(sample)
            found = found + arb_mat([w[:-1]]) * arb_mat(rows)
        entries: Row = found.entries()
        return entries

    def hessian(self) -> arb_mat:
        """Return the second derivatives of n Phi, P x P.

        Guarantee: at every theta in the box Phi is twice continuously differentiable, and they are in these balls;
        otherwise Rejection. They are the sum over the samples of A D^T (diag(p) - p p^T) D, p without its last entry,
        and of the second derivatives of <w, G>: those of Psi V, dPsi_j dV_jk times 2 w_k, and those of each node, times
        the slope of <w, G> by it. All come in pairs of rows (a, b), which stand for a^T b + b^T a.
        """
        total = arb_mat(self.size, self.size)
        for sample in range(self.network.samples):
            self.take(sample)
            if len(self.left) >= MAX_ROWS or sample == self.network.samples - 1:
                half = arb_mat(self.left).transpose() * arb_mat(self.right)
                total = total + half + half.transpose()
                self.left, self.right = [], []
        return total

    def take(self, sample: int) -> None:
        """Add the pairs of rows of a sample."""
        values, _, rows, p, w = self.at(sample)
        count, shares = sum(self.counts[sample]), p[:-1]
        turned = [[-a * b for b in shares] for a in shares]
        for k, share in enumerate(shares):
            turned[k][k] = share * (1 - share)
        halves = arb_mat(turned) * arb_mat(rows) * (arb(count) / 2)
        for row, half in zip(rows, halves.tolist(), strict=True):
            self.pair(half, row)
        seeds = self.jacobian.seeds([(self.jacobian.weights * arb_mat([[entry] for entry in w])).entries()])
        slopes, known = self.point.slopes(values, seeds), dict[int, Table]()
        self.of_output_weights(values, w, known)
        for node in self.network.nodes:
            if node.number not in slopes or not node.reads or node.kind in LINEAR:
                continue
            x = [values[read][0] for read in node.reads]
            for a, b in RULES[node.kind](self.point, node, x, values[node.number][0], slopes[node.number][0]):
                left, right = (self.row(form, node, values, known) for form in (a, b))
                if left is not None and right is not None:
                    self.pair(left, right)

    def of_output_weights(self, values: dict[int, Table], w: Row, known: dict[int, Table]) -> None:
        """Add, for each column j of Psi that depends on U, the pair of dPsi_j and sum_k w_k dV_jk."""
        column = 0
        for feature in self.network.features:
            node = self.network.nodes[feature.node]
            entries = range(len(values[node.number][0])) if feature.entries is None else feature.entries
            for entry in entries:
                if node.number in self.point.wanted:
                    start = self.first + column * (self.outputs - 1)
                    right = [ZERO] * self.size
                    right[start : start + self.outputs - 1] = w[:-1]
                    self.pair(self.derivatives(node, values, known)[entry], right)
                column += 1

    def pair(self, left: Row, right: Row) -> None:
        """Add a pair of rows, which must be finite: the function is then twice differentiable in the box."""
        finite = all(entry.is_finite() for row in (left, right) for entry in row)
        message = "not proved to be twice differentiable in the box: a kink, or a box too wide?"
        require(finite, self.network.nodes[-1].path, self.point.rule, message)
        self.left.append(left)
        self.right.append(right)

    def row(self, form: Form, node: Any, values: dict[int, Table], known: dict[int, Table]) -> Row | None:
        """Return a form of changes of what a node reads as one of changes of theta; None if it is 0."""
        row, used = [ZERO] * self.size, False
        for (read, entry), factor in form.items():
            source = self.network.nodes[node.reads[read]]
            if source.number not in self.point.wanted:
                continue
            used = True
            if source.kind == "parameter":
                place = self.starts[source.number] + entry
                row[place] = row[place] + factor
            else:
                line = self.derivatives(source, values, known)[entry]
                row = [old + factor * new for old, new in zip(row, line, strict=True)]
        return row if used else None

    def derivatives(self, node: Any, values: dict[int, Table], known: dict[int, Table]) -> Table:
        """Return the derivatives of a node's entries by theta, a row for each entry."""
        kept = known if node.varies else self.fixed
        if node.number not in kept:
            size = len(values[node.number][0])
            identity = [[ONE if place == entry else ZERO for place in range(size)] for entry in range(size)]
            slopes = self.point.slopes(values, {node.number: identity})
            rest = [ZERO] * (self.size - self.first)
            kept[node.number] = []
            for entry in range(size):
                row: Row = []
                for leaf, entries in self.jacobian.used.items():
                    row += slopes[leaf][entry] if leaf in slopes else [ZERO] * len(entries)
                kept[node.number].append(row + rest)
        return kept[node.number]


def probabilities(logits: Row) -> Row:
    """Return the softmax of logits; each share is a function of differences that falls in all of them."""
    found = []
    for k, own in enumerate(logits):
        others = (exp(g - own) for number, g in enumerate(logits) if number != k)
        found.append(1 / (1 + sum(others, ZERO)))
    return found


def cross_entropy_at(network: Any, weights: Exact, counts: list[list[int]], data: Any, bits: int) -> arb:
    """Return a ball of the cross-entropy Phi at the stored weights."""
    features, matrix, total = Features(network), weights.balls(), ZERO
    for samples in cut_blocks(network, [0] * network.samples, 1, bits):
        for sample, row in zip(samples, features.rows(samples), strict=True):
            logits = (arb_mat([row]) * matrix).entries()
            if data.offset is not None:
                frozen = data.offset.integers
                logits = [g + arb((frozen[sample, k], data.offset.exponent)) for k, g in enumerate(logits)]
            for label, count in enumerate(counts[sample]):
                others = (exp(g - logits[label]) for k, g in enumerate(logits) if k != label)
                total += count * sum(others, ZERO).log1p() if count else ZERO
    found: arb = total / data.total
    return found


def require_at_least(matrix: arb_mat, bound: arb, path: str) -> None:
    """Guarantee: on return every symmetric matrix in the balls is at least `bound` times the identity.

    With C in binary64, C C^T near the midpoints less (bound + shift) I: H - bound I = C C^T + shift I + R for every H
    in the balls. R is symmetric, and |R|_2 <= max_i sum_j |R_ij| x_j / x_i <= shift, for positive numbers x.
    """
    lines = matrix.tolist()
    scale = perron([[float(entry.rad()) for entry in line] for line in lines])
    radii = largest_ratio([[arb(entry.rad()) for entry in line] for line in lines], scale)
    size = max(sum((entry.abs_upper() for entry in line), ZERO).upper() for line in lines)
    shift = (radii * (1 + SLACK[0]) + size * SLACK[1]).upper()
    message = "the second derivatives are not proved to be at least this in the whole box"
    lower = (bound + shift).upper()
    factor = cholesky([[float(e.mid() - lower * (i == j)) for j, e in enumerate(r)] for i, r in enumerate(lines)])
    if factor is None:
        raise Rejection(path, "BM.curvature", message, below(bound), "no Cholesky factor")
    product = arb_mat(factor)
    rest = (matrix - product * product.transpose()).tolist()
    for number, line in enumerate(rest):
        line[number] = line[number] - bound - shift
    far = largest_ratio([[entry.abs_upper() for entry in line] for line in rest], scale)
    require(far <= shift, path, "BM.curvature", message, above(shift), above(far))


def perron(rows: list[list[float]]) -> list[arb]:
    """Return positive numbers x, near a vector whose multiple A x is, for a matrix of entries that are not negative."""
    x = [1.0] * len(rows)
    for _ in range(STEPS):
        image = [sum(map(mul, row, x)) for row in rows]
        largest = max(image)
        if not 0 < largest < float("inf"):
            break
        x = [max(entry / largest, LEAST) for entry in image]
    return list(map(arb, x))


def largest_ratio(rows: Table, x: Row) -> arb:
    """Return max_i (A x)_i / x_i, for x > 0: an upper bound of |R|_2 for symmetric R with |R_ij| <= A_ij."""
    ratios = (sum(map(mul, row, x), ZERO) / own for row, own in zip(rows, x, strict=True))
    found = ZERO
    for ratio in ratios:
        found = found.max(ratio.upper())
    return found


def cholesky(rows: list[list[float]]) -> list[list[float]] | None:
    """Return a lower triangular C with C C^T near a symmetric matrix, None where there is no such C in binary64."""
    found: list[list[float]] = []
    for number, row in enumerate(rows):
        line: list[float] = []
        for column in range(number):
            other = found[column]
            rest = row[column] - sum(a * b for a, b in zip(line, other, strict=False))
            line.append(rest / other[column])
        square = row[number] - sum(a * a for a in line)
        if not 0 < square < float("inf"):
            return None
        found.append([*line, square**0.5, *[0.0] * (len(rows) - number - 1)])
    return found


def check_minimum(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim BM: a ball around the stored weights contains exactly one local minimum, a strict one.

    Guarantee: what stands at the top of this file, with lambda = `curvature` and g = `gradient`; Phi(theta0) is in the
    bounds of `value`.
    """
    path, message = raw.path, "needs labels or their counts, and data without real targets"
    require(data.targets is None, path, "BM.labels", message)
    require(raw.radius > 0, path + "/radius", "BM.radius", "must be above 0", below(raw.radius))
    require(raw.curvature > 0, path + "/curvature", "BM.curvature", "must be above 0", below(raw.curvature))
    counts = label_counts(raw, network, arrays, data)
    weights = arrays.exact(raw.weights, network.columns, data.classes)
    free = range(network.columns)
    zero = all(weights.integers[row, data.classes - 1] == 0 for row in free)
    require(zero, path + "/weights", "BM.reduced", "the last column must be 0")
    size = count_parameters(network) + network.columns * (data.classes - 1)
    afford(size, MAX_PARAMETERS, path, "parameters")
    with precision(raw.precision):
        slope = Loss(network, weights, counts, data.offset, None).gradient()
        norm, message = length(slope) / data.total, "the gradient is not proved to be at most this"
        require(norm <= raw.gradient, path + "/gradient", "BM.gradient", message, above(raw.gradient), above(norm))
        rise = raw.radius * (raw.curvature * raw.radius / 2 - raw.gradient)
        message = "must be above 2 gradient / curvature"
        require(rise > LEAST_RISE, path + "/radius", "BM.radius", message, above(raw.radius))
        value = cross_entropy_at(network, weights, counts, data, raw.precision)
        message = "the loss is not proved to be in it"
        bounded = raw.value.lower <= value <= raw.value.upper
        require(bounded, path + "/value", "BM.value", message, None, value.str(15))
        least = (raw.value.lower - raw.gradient * raw.gradient / (2 * raw.curvature)).lower()
        matrix = Loss(network, weights, counts, data.offset, raw.radius).hessian()
        require_at_least(matrix, raw.curvature * data.total, path + "/curvature")
        better = None if raw.better is None else check_better(raw.better, network, arrays, data, counts, raw, least)
    numbers = {"parameters": size, "curvature": below(raw.curvature), "rise": below(rise)}
    numbers |= {"lower": below(least), "upper": above(raw.value.upper)}
    said = [sentence("BM", narrow=below(raw.radius), wide=above(raw.radius), **numbers)]
    if better is not None:
        said.append(sentence("BM bad", better=better))
    return {"precision": raw.precision, "statement": statement(*said), **numbers}


def check_better(
    raw: Any, network: Any, arrays: Arrays, data: Any, counts: list[list[int]], claim: Any, least: arb
) -> str:
    """Return an upper bound of Phi at another point.

    Guarantee: it is below `least`, a lower bound of Phi on the ball, and so in the valley.
    """
    other = network if raw.point is None else move(network, raw.point, arrays)
    weights = arrays.exact(raw.weights, network.columns, data.classes)
    value, path = cross_entropy_at(other, weights, counts, data, claim.precision), raw.path + "/loss"
    message = "the loss at the other point is not proved to be at most this"
    require(value <= raw.loss, path, "BM.better", message, above(raw.loss), above(value))
    message = "is not below the least value that is possible in the valley"
    require(raw.loss < least, path, "BM.better", message, above(raw.loss), below(least))
    return above(raw.loss)


def length(row: Row) -> arb:
    """Return an upper bound of the Euclidean length of a vector."""
    return sum((entry.abs_upper() * entry.abs_upper() for entry in row), ZERO).upper().sqrt().upper()
