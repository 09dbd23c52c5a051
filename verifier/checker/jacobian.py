"""J1, J2 and J3: what follows from full row rank of the Jacobian of the logits in all parameters.

Glossary: theta = (U, V), its P numbers counted: the entries of the parameter nodes, in order, then those of V, row by
row. G = Psi V are the logits, without frozen ones, which do not depend on theta. J is their Jacobian in theta: a row
for each sample i and output k, a column for each number of theta. If *reduced*, the rows are those of the differences
G_ik - G_i(m-1), k < m - 1. theta0 is the claim's point, B its right inverse, `columns` the numbers of theta that it
moves. The *box* has all theta0 + B c with |c_j| <= rho, and more.
"""

from collections.abc import Iterator
from math import prod
from typing import Any

from flint import arb, arb_mat

from .architecture import require_everywhere
from .arithmetic import Row, Table
from .claims import require_arcs
from .common import Exact, Rejection, above, precision, require
from .container import Arrays
from .features import Features
from .flags import require_analytic, require_values
from .network import increasing, move
from .nodes import columns_of
from .sentences import sentence
from .slopes import RULES, Rows, added
from .targets import own_targets
from .windowed import windows_of_affine

BLOCK_ROWS = 200  # rows of J that are multiplied by B at a time
ZERO, ONE = arb(0), arb(1)


class Point(Features):
    """The values of all nodes on a sample, at a point or in a box of parameters, and the slopes backwards from them.

    `leaves` has the balls of parameters in a box, by their nodes; `wanted` are the nodes whose slopes are asked for;
    `rule` is what does not hold where a node is not seen to be differentiable.
    """

    rule = "J.differentiable"

    def __init__(self, network: Any, leaves: dict[int, Row], wanted: set[int]) -> None:
        self.leaves, self.wanted, self.lifted, self.known = leaves, wanted, dict[str, Any](), dict[int, Any]()
        super().__init__(network)

    def evaluate(self, node: Any, values: dict[int, Table], samples: list[int]) -> Table:
        """Return the table of one node; that of a leaf which moves is kept in `leaves`."""
        return [self.leaves[node.number]] if node.number in self.leaves else super().evaluate(node, values, samples)

    def windows(self, node: Any) -> Any:
        """Return the windows of an affine node, made once."""
        if node.number not in self.known:
            self.known[node.number] = windows_of_affine(node)
        return self.known[node.number]

    def slopes(self, values: dict[int, Table], seeds: dict[int, Rows]) -> dict[int, Rows]:
        """Return the slopes of wanted nodes, by their numbers, from those of the nodes that features show.

        Guarantee: each ball contains the derivative, which exists: at all parameters in their balls, and around them,
        every node between a wanted one and a feature is continuously differentiable; otherwise Rejection.
        """
        found = dict(seeds)
        for node in reversed(self.network.nodes):
            if node.number not in found or not node.reads or node.number not in self.wanted:
                continue
            own, x = found[node.number], [values[read][0] for read in node.reads]
            parts = RULES[node.kind](self, node, x, values[node.number][0], own)
            for read, part in zip(node.reads, parts, strict=True):
                if read not in self.wanted:
                    continue
                if part is None or not all(entry.is_finite() for row in part for entry in row):
                    message = "not proved to be differentiable at these parameters: a kink, or a box too wide?"
                    raise Rejection(node.path, self.rule, message, node.kind)
                found[read] = added(found[read], part) if read in found else part
        return found


class Jacobian:
    """The Jacobian of the logits, or their differences, at theta0, or in the box of half-widths `reach` around it.

    If `whole`, then it is also seen that the logits are continuously differentiable in the numbers that are not used.
    """

    def __init__(
        self,
        network: Any,
        weights: Exact,
        columns: list[int],
        reach: list[arb] | None,
        reduced: bool,
        whole: bool = False,
    ) -> None:
        self.network, self.outputs = network, weights.integers.ncols()
        self.columns, self.start_of_weights = columns, count_parameters(network)
        around = dict(zip(columns, reach or [], strict=False))
        leaves, self.used, first = dict[int, Row](), dict[int, list[int]](), 0
        chosen = set(columns)
        for node in (node for node in network.nodes if node.kind == "parameter"):
            numbers = range(first, first + prod(node.shape))
            self.used[node.number] = [number - first for number in numbers if number in chosen]
            if reach is not None and self.used[node.number]:
                leaves[node.number] = widened(node.exact.balls().entries(), numbers, around)
            first = numbers.stop
        flat = widened(weights.balls().entries(), range(first, first + prod(self.size)), around)
        self.weights = arb_mat(*self.size, flat)
        self.point = Point(network, leaves, self.wanted(whole))
        self.directions = differences_of(self.outputs) if reduced else units(self.outputs)
        self.rows = network.samples * len(self.directions)

    def wanted(self, whole: bool) -> set[int]:
        """Return the parameters with used columns and the nodes that depend on them.

        If `whole`, the nodes that depend on any parameter, and the parameters that an affine node does not read: what
        it does is differentiable by all of them.
        """
        found = {number for number, entries in self.used.items() if entries}
        for node in self.network.nodes:
            if node.reads and (node.moves if whole else not found.isdisjoint(node.reads)):
                found.add(node.number)
                if whole and node.kind != "affine":
                    found |= self.used.keys() & set(node.reads)
        return found

    @property
    def size(self) -> tuple[int, int]:
        """The shape of V: columns of Psi by outputs."""
        return self.network.columns, self.outputs

    def of_sample(self, sample: int) -> Table:
        """Return the rows of J that belong to a sample: of each direction, the entries of all used columns."""
        return self.at(self.point.values([sample]))

    def at(self, values: dict[int, Table]) -> Table:
        """Return the same rows from the tables of all nodes on the sample."""
        psi = columns_of(self.point, self.network, values)[0]
        by_column = (self.weights * arb_mat(self.directions).transpose()).transpose().tolist()
        slopes = self.point.slopes(values, self.seeds(by_column))
        found = []
        for number, direction in enumerate(self.directions):
            row: Row = []
            for node, entries in self.used.items():
                own = slopes[node][number] if node in slopes else None
                row += [ZERO if own is None else own[entry] for entry in entries]
            for column in self.columns[len(row) :]:
                j, k = divmod(column - self.start_of_weights, self.outputs)
                row.append(psi[j] * direction[k])
            found.append(row)
        return found

    def seeds(self, by_column: Table) -> dict[int, Rows]:
        """Return the slopes of the nodes that features show, from those of the columns of Psi."""
        found: dict[int, Rows] = {}
        first = 0
        for feature in self.network.features:
            size = prod(self.network.nodes[feature.node].shape)
            entries = list(range(size)) if feature.entries is None else feature.entries
            part = []
            for line in by_column:
                row = [ZERO] * size
                for place, entry in zip(entries, line[first : first + len(entries)], strict=True):
                    row[place] = entry
                part.append(row)
            found[feature.node] = added(found[feature.node], part) if feature.node in found else part
            first += len(entries)
        return found

    def blocks(self) -> Iterator[tuple[int, Table]]:
        """Yield all rows of J, in order, some at a time, each time with the number of the first."""
        rows, first = Table(), 0
        for sample in range(self.network.samples):
            rows += self.of_sample(sample)
            if len(rows) >= BLOCK_ROWS:
                yield first, rows
                first, rows = first + len(rows), []
        if rows:
            yield first, rows

    def distance(self, inverse: Exact) -> arb:
        """Return an upper bound of ||I - J B||_inf, the largest sum of the sizes of a row's entries.

        Guarantee: it holds for the Jacobian at every theta whose numbers are in their balls.
        """
        product, largest = inverse.balls(), ZERO
        for first, rows in self.blocks():
            residual = (arb_mat(rows) * product).tolist()
            for number, line in enumerate(residual, first):
                line[number] = line[number] - 1
                largest = largest.max(sum((entry.abs_upper() for entry in line), ZERO).upper())
        return largest


def units(outputs: int) -> Table:
    """Return the unit vectors of the logits: the directions in which each is differentiated."""
    return [[ONE if k == output else ZERO for k in range(outputs)] for output in range(outputs)]


def differences_of(outputs: int) -> Table:
    """Return the directions of G_k - G_(m-1), k < m - 1."""
    return [[*row[:-1], -ONE] for row in units(outputs)[:-1]]


def widened(numbers: Row, places: range, around: dict[int, arb]) -> Row:
    """Return numbers, each with the half-width of its place, if it has one."""
    pairs = zip(numbers, places, strict=True)
    return [entry + arb(0, 1) * around[place] if place in around else entry for entry, place in pairs]


def count_parameters(network: Any) -> int:
    """Return the number of entries of all parameter nodes."""
    return sum(prod(node.shape) for node in network.nodes if node.kind == "parameter")


class JacobianClaim:
    """What J1, J2 and J3 have: theta0, the columns that are used, and the right inverse."""

    def __init__(
        self, raw: Any, network: Any, arrays: Arrays, data: Any, reduced: bool = False, outputs: int = 0
    ) -> None:
        self.raw, self.data, self.path = raw, data, raw.path
        self.network = network if raw.point is None else move(network, raw.point, arrays)
        self.outputs = outputs or data.classes
        fits = data.arcs is None or self.outputs == data.classes
        require(fits, raw.path + "/weights", "data.arcs", "there are arcs to another number of outputs", self.outputs)
        self.weights = arrays.exact(raw.weights, network.columns, self.outputs)
        require_arcs(self.weights, data.arcs, raw.path + "/weights")
        self.reduced = reduced
        self.rank = network.samples * (self.outputs - reduced)
        self.columns = self.read_columns(arrays)
        enough, message = len(self.columns) >= self.rank, "fewer parameters than rows of the Jacobian"
        require(enough, raw.path + "/columns", "J.columns", message, len(self.columns), self.rank)
        self.inverse = arrays.exact(raw.right_inverse, len(self.columns), self.rank)

    def read_columns(self, arrays: Arrays) -> list[int]:
        """Return the numbers of the parameters whose columns are used: all are trained, those of V have an arc."""
        first, outputs, path = count_parameters(self.network), self.outputs, self.path + "/columns"
        everything = first + self.network.columns * outputs
        if self.raw.columns is None:
            columns = list(range(everything))
        else:
            columns = arrays.integers(self.raw.columns, path)
            inside = increasing(columns) and columns[0] >= 0 and columns[-1] < everything
            require(inside, path, "schema.value", "not increasing numbers of parameters", columns[:20], everything)
        if self.data.arcs is not None:
            flat = [arc for row in self.data.arcs for arc in row]
            free = all(column < first or flat[column - first] for column in columns)
            require(free, path, "data.arcs", "an output weight has no arc, and is no parameter")
        return columns

    @property
    def parameters(self) -> int:
        """P: the number of trained parameters, the output weights without an arc left out."""
        outputs = self.network.columns * self.outputs
        return count_parameters(self.network) + (outputs if self.data.arcs is None else sum(map(sum, self.data.arcs)))

    def residual(self, reach: list[arb] | None = None, whole: bool = True) -> arb:
        """Return an upper bound of ||I - J B||_inf at theta0, or in a box around it.

        Guarantee: it is below 1; then J B is invertible, and J has full row rank, at all these theta.
        """
        jacobian = Jacobian(self.network, self.weights, self.columns, reach, self.reduced, whole)
        found = jacobian.distance(self.inverse)
        message = "||I - J B||_inf is not proved to be below 1"
        require(found < 1, self.path + "/right_inverse", "J.rank", message, "< 1", above(found))
        return found


def check_no_stationary(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim J1: the Jacobian of the logits has full row rank, so that no suboptimal point is stationary.

    Guarantee: J has full row rank at theta0. Where it has, the gradient J^T g of a loss phi(G), g = grad phi, is 0 only
    if g is 0, where the convex phi is least. Of the cross-entropy g adds up to 0 over the outputs, so that its gradient
    is that of the differences, J_reduced^T g_reduced; with one label per sample g is nowhere 0. If all nodes are
    analytic in U, so are the minors of J in theta, on the connected R^P: where all vanish is closed and null.
    """
    if raw.reduced:
        known = data.labels is not None and data.classes >= 2
        require(known, raw.path + "/reduced", "J1.labels", "needs labels, one for each sample")
    if raw.everywhere:
        require_analytic(network, "J1")
    else:
        own = raw.point is None
        require(own, raw.path + "/point", "J1.point", "must be null: the statement is about the stored parameters")
    with precision(raw.precision):
        claim = JacobianClaim(raw, network, arrays, data, reduced=raw.reduced)
        found = claim.residual()
    name = "J1" + " everywhere" * raw.everywhere + " reduced" * raw.reduced
    return {"statement": sentence(name, rank=claim.rank), "rank": claim.rank, "residual": above(found)}


def check_interpolant(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim J2: in a box around the stored weights some weights attain all real targets exactly.

    Guarantee: with F = G - T and q >= ||I - J B||_inf on the box, c -> c - F(theta0 + B c) contracts |c|_inf <= rho
    into itself, as |F(theta0)|_inf <= (1 - q) rho: it has a fixed point, |c|_inf <= |F(theta0)|_inf / (1 - q), at which
    F is 0. There J has full row rank: by the implicit function theorem the zeros of F are a manifold around it.
    """
    require(data.targets is not None, raw.path, "J2.targets", "needs real targets")
    require(raw.rho > 0, raw.path + "/rho", "J2.rho", "must be above 0")
    with precision(raw.precision):
        claim = JacobianClaim(raw, network, arrays, data)
        start = arrays.exact(raw.start_weights, network.columns, data.classes)
        require_arcs(start, data.arcs, raw.path + "/start_weights")
        sums = [sum(map(abs, line), 0) for line in claim.inverse.integers.tolist()]
        scale = arb((1, claim.inverse.exponent))
        q = claim.residual([(arb(total) * scale * raw.rho).upper() for total in sums])
        error, message = largest_residual(claim, data), "|F(theta0)| is not proved to be at most (1 - q) rho"
        require(error <= (1 - q) * raw.rho, raw.path + "/rho", "J2.contraction", message, above(raw.rho), above(error))
        moved = error / (1 - q) * arb(max(sums)) * scale + step(claim, network, start)
        message = "the point is not proved to be so near"
        near = moved <= raw.distance
        require(near, raw.path + "/distance", "J2.distance", message, above(raw.distance), above(moved))
    numbers = {"samples": network.samples, "dimension": claim.parameters - claim.rank}
    return {"statement": sentence("J2", distance=above(raw.distance), **numbers), "q": above(q), **numbers}


def largest_residual(claim: JacobianClaim, data: Any) -> arb:
    """Return an upper bound of all |G_ik - T_ik| at theta0; equal samples must have equal targets."""
    features, found, weights = Features(claim.network), ZERO, claim.weights.balls()
    targets = own_targets(data.targets, data.multiplicities)
    for sample, own in enumerate(targets):
        same = all(target == own[0] for target in own)
        require(same, data.path + "/targets", "J2.targets", "equal samples have different targets", sample)
        goal = arb_mat([[arb((t, data.targets.exponent)) for t in own[0]]])  # exact
        gap = arb_mat(features.rows([sample])) * weights - goal
        found = found.max(max(entry.abs_upper() for entry in gap.entries()))
    return found


def step(claim: JacobianClaim, network: Any, start: Exact) -> arb:
    """Return an upper bound of the largest difference between a number of theta0 and that of the start."""
    pairs = [(claim.weights, start)]
    for new, old in zip(claim.network.nodes, network.nodes, strict=True):
        if new is not old:
            pairs.append((new.exact, old.exact))
    return max(entry.abs_upper() for a, b in pairs for entry in (a.balls() - b.balls()).entries())


def check_memorisation(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim J3: on these samples the network attains any real targets with some weights.

    Guarantee: at theta0 the logits are 0 on every sample there is, by structure, and J has full row rank there: G maps
    a neighbourhood of theta0 onto one of 0, so that every T, times some t > 0, is attained, at (U, V), and T itself at
    (U, V / t). (Parameters that are not used stand still. m is the number of columns of V: the data need not have as
    many classes.) If G is analytic in (theta, x), then, with theta0 at rest, the minors of J are analytic in the
    samples X, on the connected R^(N d), and not all 0: for almost every X J has full row rank at theta0, where G is 0.
    """
    path, axes = raw.path + "/weights/shape", len(raw.weights.shape)
    require(axes == 2, path, "shape", "must be features x outputs", axes, 2)
    with precision(raw.precision):
        claim = JacobianClaim(raw, network, arrays, data, outputs=raw.weights.shape[1])
        require_zero_logits(claim)
        if raw.almost_every_data:
            require_values(network)
            require_everywhere(network, "J3", jointly=True)
        found = claim.residual(whole=False)
    numbers = {"samples": network.samples, "outputs": claim.outputs}
    name = "J3 almost every" if raw.almost_every_data else "J3"
    said = sentence(name, dimension=data.dimension, **numbers)
    return {"statement": said, "residual": above(found), **numbers}


def require_zero_logits(claim: JacobianClaim) -> None:
    """Guarantee: on return Psi V is 0 at theta0 on every sample in R^d: rows of V of equal columns add up to 0."""
    totals: dict[Any, list[int]] = {}
    lines = [list(map(int, row)) for row in claim.weights.integers.tolist()]
    for key, line in zip(equal_columns(claim.network), lines, strict=True):
        totals[key] = [a + b for a, b in zip(totals.get(key, [0] * len(line)), line, strict=True)]
    zero = all(total == 0 for row in totals.values() for total in row)
    message = "the output weights of units that are equal at this point do not add up to 0"
    require(zero, claim.path + "/weights", "J3.zero", message)


def equal_columns(network: Any) -> Iterator[Any]:
    """Yield a key for each column of Psi.

    Guarantee: columns of the same key are equal on every sample in R^d, at the network's parameters: they are the same
    entry of a node, or units of one dense layer with exactly the same weights and bias.
    """
    for feature in network.features:
        node = network.nodes[feature.node]
        entries = range(prod(node.shape)) if feature.entries is None else feature.entries
        inner = network.nodes[node.reads[0]] if node.kind == "map" else None
        stored = []
        if inner is not None and inner.kind == "affine" and inner.over == "all":
            stored = [network.nodes[read].exact for read in inner.reads[-2 if inner.bias else -1 :]]
        for entry in entries:
            if stored and None not in stored:
                yield feature.node, *(number for part in stored for number in row_of(part, entry))
            else:
                yield feature.node, "entry", entry


def row_of(matrix: Exact, row: int) -> list[int]:
    """Return the integers of one row of an exact matrix."""
    return [int(matrix.integers[row, column]) for column in range(matrix.integers.ncols())]
