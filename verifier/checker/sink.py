"""Rules S, S(1), S(2), S+: paths on which the loss never goes up, whatever the activations are.

Glossary: the *wide layer* L is made of dense units sigma(<w, h> + b) with weights and biases of their own, N of which
(N - 1 beside an output bias) are columns of Psi; no node reads L. *h* is what L reads, its sources side by side. A node
is an *image* of the input if it is a one-to-one function of the sample at every U; it *separates* if any two samples
differ in it at almost every U.

Why: sigma is continuous and no polynomial of degree <= N - 2, and the h_i are pairwise different. Let F be a column
basis of [Psi | 1], with 1 in it beside an output bias, of r < N columns. V moves straight to the V' that is zero
outside of F and has the same logits. Fewer than N (N - 1) units of L are in F: another one has a row of zeros in V',
so that its w and b move without changing a logit. If sum_i c_i sigma(<w, h_i> + b) = 0 for all w and b, then c = 0
(Lemma S' of the theory, along w = s a with <a, h_i> pairwise different), so some value leaves the span of F, and r
grows. At r = N every logits are reached by V alone: along the straight way to those near the infimum, stopped at the
minimum on the way, a convex loss never increases; V + t V1 with margins above 0 brings the cross-entropy to 0.
"""

import ast
from collections.abc import Iterator
from math import prod
from operator import mul
from typing import Any

from flint import arb

from .analytic import analytic, total
from .architecture import carries, facts_everywhere, require_choices, shown_units
from .arithmetic import Row, side_by_side
from .common import precision, require
from .container import Arrays
from .features import Features
from .flags import require_total
from .layered import output_bias, readers_of, unit_layer
from .network import cut_blocks
from .parting import distinct
from .polynomial import no_polynomial
from .sentences import sentence

MAX_BRANCHES = 32  # each Max, Min or Abs doubles them; activations in use have one or two
KINKS = ("Max", "Min", "Abs")


def wide_layer(raw: Any, network: Any, samples: int) -> Any:
    """Return the affine node of the layer L that a claim names.

    Guarantee: L is as in the glossary, and its activation is continuous and no polynomial of degree <= N - 2. (An
    expression that is defined on all of R is continuous: the grammar has no function that jumps where it is defined.)
    """
    path, readers = raw.path + "/node", readers_of(network)
    known = raw.node < len(network.nodes)
    require(known, path, "S.layer", "is not a node", raw.node)
    node = network.nodes[raw.node]
    inner = unit_layer(network, node, readers)
    message = "is not the output of dense units with weights and biases of their own"
    require(inner is not None and inner.over == "all", path, "S.layer", message, raw.node)
    require(readers[raw.node] == 0, path, "S.read", "another node reads these units", raw.node)
    tree = node.activation.tree
    message = f"the activation is not proved to be no polynomial of degree <= N - 2 = {samples - 2}"
    # Coq: S spans, S_plus spans, S1 spans, S1 sigma_continuous
    require(total(tree) and no_polynomial(tree, samples - 2), path, "S.polynomial", message, node.activation.text[:100])
    enough = shown_units(network, raw.node) + (output_bias(network) is not None)
    message = "fewer than N of these units are columns of Psi (N - 1 beside an output bias)"
    require(enough >= samples, path, "S.units", message, enough, samples)  # Coq: S wide, S1 wide
    return inner


def require_continuous(network: Any) -> None:
    """Guarantee: on return every node is defined for every U and every sample in R^d.

    Then it is continuous in U: sums, products, maxima and all functions of the grammar are where they are defined, and
    what is chosen by masks and tokens does not depend on U.
    """
    require_choices(network, "S.total")
    for node, fact in zip(network.nodes, facts_everywhere(network, jointly=False), strict=True):
        message = f"not proved to be defined for every U and every sample: {fact.reason}"
        require(fact.defined, node.path, "S.total", message)  # Coq: S1 source_continuous, S1 others_continuous


def check_path_from_here(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim S: from the stored U and every V a path leads down on which the loss never increases.

    Guarantee: L is a wide layer, every node is defined for every U on these samples, and at the stored U the samples
    differ in what L reads: the numbers <a, h_i> are pairwise different for the integers a of the claim.
    """
    inner, samples, path = wide_layer(raw, network, network.samples), network.samples, raw.path + "/direction"
    require_total(network, "S")
    sources = list(inner.reads[:-2])
    size = sum(prod(network.nodes[source].shape) for source in sources)
    direction = arrays.integers(raw.direction, path, size)
    with precision(raw.precision):
        features, column = Features(network), list[arb]()
        for block in cut_blocks(network, [0] * samples, 1, raw.precision):
            column += projections(features, sources, direction, block)
        message = "the samples are not proved to differ in what the wide layer reads"
        require(len(column) == samples and distinct(column), path, "S.separation", message)  # Coq: S apart
    return {"precision": raw.precision, "statement": sentence("S")}


def projections(features: Features, sources: list[int], direction: list[int], samples: list[int]) -> Row:
    """Return <a, h_i> for some samples; nodes behind the sources are not evaluated."""
    values = dict(features.fixed)
    for node in features.network.nodes[: max(sources) + 1]:
        if node.varies:
            values[node.number] = features.evaluate(node, values, samples)
    tables = [values[source] for source in sources]
    rows = side_by_side([table if len(table) == len(samples) else table * len(samples) for table in tables])
    return [sum(map(mul, row, direction), arb(0)) for row in rows]


def images(network: Any) -> set[int]:
    """Return the nodes that are images of the input."""
    found = {0}
    for node in network.nodes:
        if carries(network, node, found):
            found.add(node.number)
    return found


def separating(network: Any) -> set[int]:
    """Return the nodes that separate: any two samples differ in them at almost every U.

    Guarantee: by induction over the nodes. Let the source of a layer, dense or convolution, with weights and biases of
    its own, differ on two samples at almost every U, and let its windows cover all of the source. Where it differs some
    unit reads entries g != g' of the two; (<w, g> + b, <w, g'> + b), w and b free, runs through R^2, in which the pairs
    t, t' with sigma(t) = sigma(t') are a null set, as the level sets of sigma are. So for almost every w and b the unit
    differs. By Fubini (the weights are used nowhere else, so the source does not depend on them) it does at almost
    every U. What `carries` makes of such a node is one-to-one at every U.
    """
    readers, found = readers_of(network), {0}
    for node in network.nodes:
        inner = unit_layer(network, node, readers)
        if inner is not None:
            told = not found.isdisjoint(inner.reads[:-2])
            if told and covers(inner) and level_sets_are_null(node.activation.tree):
                found.add(node.number)
        elif carries(network, node, found):
            found.add(node.number)
    return found


def covers(inner: Any) -> bool:
    """Return whether every entry of the sources of an affine node is read by some unit."""
    if inner.window is None:
        return True
    window = inner.window
    axes = zip(window.extents, window.outs, window.kernel, window.stride, window.padding, window.dilation, strict=True)
    for extent, outs, kernel, stride, padding, dilation in axes:
        seen = {at * stride - padding + k * dilation for at in range(outs) for k in range(kernel)}
        if not seen.issuperset(range(extent)):
            return False
    return True


def level_sets_are_null(tree: ast.expr) -> bool:
    """Return whether every set {t : sigma(t) = c} is proved to have measure zero.

    Guarantee: if true, it is, for sigma defined on all of R. At every t the expression equals one of its branches, in
    which each Max and Min of two functions is the larger and the smaller of them, and each Abs(u) is u or -u. So a
    level set lies in the union of those of the branches, analytic functions that are not constant: it is countable.
    """
    found = list(branches(tree))
    return len(found) <= MAX_BRANCHES and all(analytic(branch) and no_polynomial(branch, 0) for branch in found)


def branches(tree: ast.expr) -> Iterator[ast.expr]:
    """Yield the branches of an expression, at most MAX_BRANCHES + 1; a Max or Min of more functions stays in them."""
    waiting, done = [tree], 0
    while waiting and done <= MAX_BRANCHES:
        current = waiting.pop()
        kink = next(filter(resolvable, ast.walk(current)), None)
        if kink is None:
            done += 1
            yield current
            continue
        first, *others = kink.args  # type: ignore[attr-defined]
        second = others[0] if others else ast.UnaryOp(ast.USub(), first)
        waiting += [resolved(current, first, second), resolved(current, second, first)]


def resolvable(node: ast.AST) -> bool:
    """Return whether a node is Abs, or Max or Min of two functions, of arguments in which there is no kink."""
    if not isinstance(node, ast.Call) or name_of(node) not in KINKS or len(node.args) > 2:
        return False
    inside = [part for argument in node.args for part in ast.walk(argument)]
    return not any(isinstance(part, ast.Call) and name_of(part) in KINKS for part in inside)


def name_of(call: ast.Call) -> str:
    """Return the name of the function that is called."""
    return call.func.id if isinstance(call.func, ast.Name) else ""


def resolved(tree: ast.expr, larger: ast.expr, smaller: ast.expr) -> ast.expr:
    """Return the expression where of these two functions the first is the larger one, wherever they are compared."""
    match tree:
        case ast.UnaryOp(op=op, operand=operand):
            return ast.UnaryOp(op, resolved(operand, larger, smaller))
        case ast.BinOp(left=left, op=op, right=right):
            return ast.BinOp(resolved(left, larger, smaller), op, resolved(right, larger, smaller))
        case ast.Call(func=function, args=arguments):
            name, texts = name_of(tree), {ast.unparse(larger), ast.unparse(smaller)}
            compared = [*arguments, ast.UnaryOp(ast.USub(), arguments[0])][:2] if name == "Abs" else arguments
            if name in KINKS and len(compared) == 2 and texts == set(map(ast.unparse, compared)):
                return smaller if name == "Min" else larger
            return ast.Call(function, [resolved(argument, larger, smaller) for argument in arguments], [])
    return tree


def require_source(raw: Any, inner: Any, nodes: set[int], when: str) -> None:
    """Guarantee: on return one of the sources of L is, all of it, one of these nodes."""
    message = f"L is not proved to read what tells all samples apart at {when}"
    require(not nodes.isdisjoint(inner.reads[:-2]), raw.path + "/node", "S.source", message, raw.node)


def check_path_from_everywhere(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim S(1): the path of S from every (U, V), for every N distinct samples.

    Guarantee: L is a wide layer that reads an image of the input, and every node is defined everywhere: for every N
    distinct samples the h_i are pairwise different at every U, so that from every (U, V) there is the path of S. It
    lies in the local valley of its start, whose loss so comes within every epsilon of the infimum.
    """
    inner = wide_layer(raw, network, data.samples)
    require_continuous(network)
    require_source(raw, inner, images(network), "every U")  # Coq: S apart, S_valley apart
    return {"statement": sentence("S(1)", samples=data.samples, dimension=data.dimension)}


def check_path_from_almost_everywhere(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim S(2): the path of S from almost every U and every V, for every N distinct samples.

    Guarantee: L is a wide layer that reads a node that separates, and every node is continuous in U: for every N
    distinct samples there is, from almost every U and every V, the path of S. A local valley is an open set, as the
    loss is continuous: it has such a point, and with it the path.
    """
    inner = wide_layer(raw, network, data.samples)
    require_continuous(network)
    require_source(raw, inner, separating(network), "almost every U")  # Coq: S apart, S_valley_dense apart
    return {"statement": sentence("S(2)", samples=data.samples, dimension=data.dimension)}


def check_connected(raw: Any, network: Any, arrays: Arrays, data: Any) -> dict[str, object]:
    """Check a claim S+: two points are joined without exceeding the larger of their losses.

    Guarantee: L is a wide layer that reads an image of the input, its weights and biases are all of U, its units and
    perhaps an output bias all columns, and these are N + 1 or more. Then two points A, B are joined without exceeding
    their losses: bring both to full rank at constant loss, by S. At A let V be zero outside of a column basis; one unit
    at least is free. Give it the weights of a unit of a column basis at B: its column replaces one of a unit that is
    none of these (Steinitz; never the column 1), V following at constant logits; repeat until all of B's basis is
    there. V moves straight to B's logits: convexity. Units move to their places in B one by one, through a free one,
    the free ones take B's weights, and V moves to that of B, all at constant logits.
    """
    inner = wide_layer(raw, network, data.samples)
    require_continuous(network)
    require_source(raw, inner, images(network), "every U")  # Coq: S_plus apart
    others = [node.number for node in network.nodes if node.kind == "parameter" and node.number not in inner.reads[-2:]]
    require(not others, raw.path + "/node", "S+.layers", "there are other parameters", others[:20])
    own = shown_units(network, raw.node) + (output_bias(network) is not None)
    require(own == network.columns, raw.path + "/node", "S+.layers", "there are other columns", own, network.columns)
    more, message = own > data.samples, "needs at least N + 1 columns"
    require(more, raw.path + "/node", "S+.units", message, own, data.samples)  # Coq: S_plus wider
    return {"statement": sentence("S+", samples=data.samples, dimension=data.dimension)}
