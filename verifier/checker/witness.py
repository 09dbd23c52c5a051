"""W1 and W2: parameters at which N columns of Psi are nearly a triangular matrix, so that rank Psi = N there.

Glossary: a is the *direction*, z the numbers <a, x_i>, ascending; link k of the *chain* is a unit that reads only the
unit of link k - 1 (link 0: <a, x>), so that its values h_1, .., h_N ascend too (before the chain: h = z). A *block* is
some of the N columns; its column j is sigma(w h_i + b_j), sample i in ascending order. Its two *arguments* are `above`,
w h_j + b_j, and `below`, w h_(j-1) + b_j (there is none for j = 1).
"""

import functools
import itertools
from operator import lt, mul, sub
from types import SimpleNamespace
from typing import Any

from flint import arb, fmpq

from .analytic import monotone, sharpness
from .common import Rejection, above, below, precision, require
from .container import Arrays
from .expression import GUARDED, build
from .flags import require_total
from .layered import readers_of, unit_layer
from .sentences import sentence, statement

CHUNK = 1 << 20  # entries of the inputs that are held at a time


def project(raw: Any, arrays: Arrays, data: Any) -> tuple[list[arb], arb]:
    """Return all <a, x_i>, ascending, and an upper bound of all |x_i1| + |x_i2| + ...

    Guarantee: the numbers are exact and distinct. The inputs are read by chunks of rows.
    """
    path, width = raw.path + "/direction", data.dimension
    direction = arrays.integers(raw.direction, path, width)
    parts: list[tuple[int, list[int]]] = []  # of each chunk: an exponent of two, and the integers that it scales
    largest, step = arb(0), max(1, CHUNK // width)
    for start in range(0, data.samples, step):
        rows = range(start, min(start + step, data.samples))
        numbers, exponent, bits = arrays.numbers(data.inputs, data.samples, width, rows=rows)
        samples = [numbers[first : first + width] for first in range(0, len(numbers), width)]
        parts.append((exponent, [sum(map(mul, sample, direction)) for sample in samples]))
        largest = largest.max(arb((width, exponent + bits)))  # |x_ik| < 2^(exponent + bits)
    low = min(exponent for exponent, _ in parts)
    z = sorted(number << (exponent - low) for exponent, numbers in parts for number in numbers)
    # Coq: W1_columns t_above, W1_columns t_below
    require(all(map(lt, z, z[1:])), path, raw.label + ".distinct", "two samples have the same <a, x>")
    return [arb((number, low)) for number in z], largest


class Layers:
    """The dense layers of units with weights and biases of their own that a claim names by their outputs."""

    def __init__(self, network: Any) -> None:
        self.network, self.readers = network, readers_of(network)

    def named(self, entry: Any, source: int) -> SimpleNamespace:
        """Return the layer whose output is the node that the entry names; it reads the source.

        Guarantee: unit u of the layer is sigma(<w_u, sources> + b_u), w_u and b_u parts of U that nothing else reads.
        """
        nodes = self.network.nodes
        node = nodes[entry.node] if entry.node < len(nodes) else None
        inner = None if node is None else unit_layer(self.network, node, self.readers)
        sources = () if inner is None else inner.reads[:-2]
        reads = inner is not None and inner.over == "all" and source in sources  # Coq: W1_columns columns, W2 columns
        if node is None or inner is None or not reads:
            message = "is not the output of a dense layer with weights of its own that reads the source"
            raise Rejection(entry.path + "/node", "witness.layer", message, entry.node)
        return SimpleNamespace(
            activation=node.activation,
            units=inner.filters,
            skip=self.columns(entry.node, inner.filters),
            path=node.path,
            only_input=list(sources) == [0],
        )

    def columns(self, node: int, units: int) -> Any:
        """Return the entries of a node that are columns of Psi."""
        shown = [feature.entries for feature in self.network.features if feature.node == node]
        return range(units) if None in shown else set(itertools.chain(*shown))


def climb(raw: Any, layers: Layers, z: list[arb]) -> tuple[list[list[arb]], list[int]]:
    """Return z and every link's values, with the nodes that they come from.

    Guarantee: the exact values lie in the balls, and the balls of each list certainly ascend.
    """
    values, sources = [z], [0]
    for link in raw.chain:
        layer = layers.named(link, sources[-1])
        require(link.unit < layer.units, link.path + "/unit", "schema.value", "is not a unit", link.unit, layer.units)
        function = build(layer.activation.tree, GUARDED)
        heights = [function(h * link.weight + link.bias) for h in values[-1]]
        ascending = all(map(lt, heights, heights[1:]))
        # Coq: W1_columns t_above, W1_columns t_below
        require(ascending, link.path, raw.label + ".chain", "the values do not certainly ascend")
        values.append(heights)
        sources.append(link.node)
    return values, sources


def read_blocks(raw: Any, network: Any, z: list[arb], arrays: Arrays) -> list[SimpleNamespace]:
    """Read the blocks: their layer, the sign of w, the number of columns, and the arguments, negated if w < 0.

    Guarantee: together they have N columns, each a skip unit of its own that is no unit of the chain.
    """
    layers = Layers(network)
    values, sources = climb(raw, layers, z)
    taken: dict[int, set[int]] = {}  # units of each layer that are in use already
    for link in raw.chain:
        taken.setdefault(link.node, set()).add(link.unit)
    first = 0  # the number of the block's first column
    for block in raw.blocks:
        fits = block.links < len(values)
        require(fits, block.path + "/links", "schema.value", "the chain is shorter", block.links, len(raw.chain))
        block.layer = layers.named(block, sources[block.links])
        block.columns = read_columns(raw, block, taken.setdefault(block.node, set()), arrays)
        end, path = first + block.columns, block.path + "/units"
        require(end <= len(z), path, raw.label + ".columns", "more columns than samples", end, len(z))
        require(block.weight != 0, block.path + "/weight", raw.label + ".weight", "must not be 0")
        block.sign = 1 if block.weight > 0 else -1
        set_arguments(block, values[block.links], first, arrays)
        first = end
    # Coq: W1_columns f_inj, W2 f_inj
    require(first == len(z), raw.path + "/blocks", raw.label + ".columns", "fewer columns than samples", first, len(z))
    return list(raw.blocks)


def read_columns(raw: Any, block: SimpleNamespace, used: set[int], arrays: Arrays) -> int:
    """Return how many columns a block has, and note their units as used."""
    path = block.path + "/units"
    units = arrays.integers(block.units, path)
    distinct, free = len(set(units)) == len(units), used.isdisjoint(units)
    own = distinct and free and all(unit in block.layer.skip for unit in units)
    # Coq: W1_columns f_inj, W2 f_inj
    require(own, path, raw.label + ".units", "not distinct skip units of the layer, or in use already")
    used.update(units)
    return len(units)


def set_arguments(block: SimpleNamespace, heights: list[arb], first: int, arrays: Arrays) -> None:
    """Find the block's arguments, of its columns first, first + 1, ...; column j is about samples j and j - 1."""
    numbers, exponent, _ = arrays.numbers(block.biases, block.columns)
    block.above, block.below = [], []
    for column, number in enumerate(numbers):
        sample, bias = first + column, arb((number, exponent))
        block.above.append(block.sign * (heights[sample] * block.weight + bias))  # Coq: W1_columns columns, W2 columns
        if sample > 0:
            block.below.append(block.sign * (heights[sample - 1] * block.weight + bias))


def steps(blocks: list[SimpleNamespace], error: arb) -> tuple[arb, arb]:
    """Return upper bounds of ||T^-1||_inf and of ||Psi - T||_inf: rule W1.

    Guarantee: T_ij = H (i >= j) or l (i < j), the limits of column j for i -> oo and i -> -oo. As sigma is monotone no
    entry of column j is farther from T than those at its two arguments, which `error` moves towards each other. With
    D = H - l and r = l / D, T^-1 has the rows (e_i - e_(i-1)) / D_i, i >= 2, and as its row 1
    e_1 / D_1 - sum_k (r_k - r_(k+1)) e_k / H_1 with r_(N+1) = 0.
    """
    distance = arb(0)
    limits: list[tuple[arb, arb]] = []  # H and D of every block
    for block in blocks:
        activation, path = block.layer.activation, block.layer.path + "/activation"
        low, high = monotone(activation.tree)[1:][:: block.sign]
        # Coq: W1_columns D_min_gt0
        bounded, message = (high - low).is_finite() and high != low, "not proved monotone with two different limits"
        require(bounded, path, "W1.activation", message, activation.text)  # Coq: W1_columns rising_or_falling
        function = build(activation.tree, GUARDED)
        top = functools.reduce(arb.min, block.above) - error  # Coq: W1_columns t_above
        bottom = functools.reduce(arb.max, block.below, -block.above[0]) + error  # Coq: W1_columns t_below
        from_high = abs(high - function(block.sign * top))  # Coq: W1_columns delta_above
        from_low = abs(function(block.sign * bottom) - low)  # Coq: W1_columns delta_below
        distance += block.columns * from_high.max(from_low)
        limits.append((high, high - low))
    return inverse_norm(limits), distance


def inverse_norm(limits: list[tuple[arb, arb]]) -> arb:
    """Return an upper bound of ||T^-1||_inf, from H and D of every block (see `steps`).

    Guarantee: the rows 2, 3, .. have the sum 2 / |D|, and the first at most
    1 / |D_1| + (sum_b |r_b - r_(b+1)| + |r_last|) / |H_1|: inside of a block r does not change.
    """
    (first_high, first_jump), ratios = limits[0], [high / jump - 1 for high, jump in limits]
    change = abs(ratios[-1])
    for here, after in itertools.pairwise(ratios):
        change += abs(here - after)
    first_row = 1 / abs(first_jump) + change / abs(first_high)  # Coq: W1_columns T_first, W1_columns high0
    other_rows = [2 / abs(jump) for _, jump in limits]  # Coq: W1_columns T_step, W1_columns D_min_le
    return functools.reduce(arb.max, other_rows, first_row)


def ramps(block: SimpleNamespace, error: arb, samples: int) -> tuple[arb, arb]:
    """Return an upper bound of ||T^-1||_inf, and one of q divided by it: rule W2.

    Guarantee: T = L diag(G_k) L, L the lower triangle of ones, G_k = w (h_k - h_(k-1)), h_0 the threshold of column 1,
    so ||T^-1||_inf <= 4 / G, G = min G_k. With rho G = max |below| and s = g G, ||T^-1 (Psi - T)||_inf is at most
    (4 / s) (log 2 + 2 e^(rho s) / (e^s - 1)) + 4 rho; softplus has slope at most 1, so `error` moves a row by N error.
    """
    text, path = block.layer.activation.text, block.layer.path + "/activation"
    slope = sharpness(text) if block.sign > 0 else fmpq(0)
    # Coq: W2 g_gt0
    require(slope > 0, path, "W2.activation", "is not log(1 + exp(g t)) / g, with a weight above 0", text)
    # Coq: W2 gap_first, W2 gap_step
    gap = functools.reduce(arb.min, map(sub, block.above[1:], block.below), block.above[0])
    # Coq: W2 G_gt0
    require(gap > 0, block.path + "/biases", "W2.gap", "the gaps between the values are not certainly above 0")
    rho, s = functools.reduce(arb.max, map(abs, block.below), arb(0)) / gap, arb(slope) * gap  # Coq: W2 below_le
    # Coq: W2 q_def
    bound = (4 / s) * (arb(2).log() + 2 * (rho * s).exp() / (s.exp() - 1)) + 4 * rho + 4 * samples * error / gap
    return 4 / gap, bound * gap / 4


def check_witness(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim W1 or W2: parameters of N units at which N columns of Psi are nonsingular.

    Guarantee: at the parameters that it names, whatever the parameters of the other units are, N columns of Psi are
    nonsingular: q = ||T^-1|| ||Psi - T|| < 1 in the inf-norm. Then sigma_N(Psi) >= (1 - q) / (sqrt(N) ||T^-1||_inf).
    Every activation is defined on R, so that Psi is defined whatever the other units' parameters are.
    """
    require_total(network, raw.label)
    with precision(raw.precision):
        z, largest = project(raw, arrays, data)
        blocks, radius = read_blocks(raw, network, z, arrays), arb(0) if raw.radius is None else raw.radius
        plain = radius > 0 and all(block.links == 0 and block.layer.only_input for block in blocks)
        message = "must be above 0, and all blocks must read the input only"
        require(raw.radius is None or plain, raw.path + "/radius", raw.label + ".radius", message, above(radius))
        error = (radius * (largest + 1)).upper()  # Coq: W1_columns t_above, W1_columns t_below, W2 near
        norm, distance = steps(blocks, error) if raw.label == "W1" else ramps(blocks[0], error, len(z))
        q, message = norm * distance, "the columns are too far from triangular"  # Coq: W1_columns sum
        # Coq: W1_columns q_lt1, W1_columns high0, W2 q_lt1
        require(q < 1, raw.path, raw.label + ".distance", message, "q < 1", above(q))
        found = {"q": above(q), "sigma_lower": below((1 - q) / (norm * arb(len(z)).sqrt()))}
    said = [sentence(raw.label, samples=len(z), **found)]
    if raw.radius is not None:
        said.append(sentence("W radius", radius=below(radius)))
    return {"statement": statement(*said), **found}
