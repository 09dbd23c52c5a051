"""What is known of a node's numbers for EVERY U, on all samples: defined, analytic in U, of one sign. Rule W0.

Glossary: the *facts* of a node hold for all its entries, all samples of the certificate and all U in R^p. `defined`:
every entry is a real number. `analytic`: each entry is, as a function of U, defined and real analytic on all of R^p.
`sign`: POSITIVE (above 0), NOWHERE_NEGATIVE (at least 0), or 0 (nothing is said). `reason` says, if there is no proof,
which node is in the way. A node that does not depend on U is one number for all U: it is analytic if it is defined.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from .analytic import NOWHERE_NEGATIVE, POSITIVE, known
from .arithmetic import Table
from .common import precision, require
from .features import Features
from .network import cut_blocks
from .nodes import affine_parts, has_mask, seen_places, token_rows
from .sentences import sentence

DATA_BITS = 128  # working precision at which nodes that do not depend on U are evaluated to see that they are defined


class Fact(NamedTuple):
    """What is known of a node; see above."""

    defined: bool
    analytic: bool
    sign: int = 0
    reason: str = ""


def least(signs: list[int]) -> int:
    """Return a sign that each of these numbers has: that of products of them, of any selection, of convex means."""
    return min(signs)


def of_sum(signs: list[int]) -> int:
    """Return the sign of a sum: >= 0 if every term is, > 0 if moreover one is."""
    return max(signs) if all(signs) else 0


def own_sign(node: Any) -> int:
    """Return the sign of exact numbers."""
    smallest = min(map(int, node.exact.integers.entries()))
    return POSITIVE if smallest > 0 else NOWHERE_NEGATIVE if smallest == 0 else 0


def affine_sign(node: Any, signs: list[int]) -> int:
    """Return the sign of sums of products, the padding's zeros among them."""
    parts, weight, bias = affine_parts(node)
    product = least([signs[weight], *(signs[part] for part in parts)])
    if node.window is not None and any(node.window.padding):
        product = min(product, NOWHERE_NEGATIVE)
    return product if bias is None else of_sum([product, signs[bias]])


def multiply_sign(node: Any, signs: list[int]) -> int:
    """Return the sign of a product; a node that is read twice is a square."""
    counts, known_signs = Counter(node.reads), dict(zip(node.reads, signs, strict=True))
    return least(
        [max(known_signs[read], NOWHERE_NEGATIVE) if n % 2 == 0 else known_signs[read] for read, n in counts.items()]
    )


def inverse_root_sign(node: Any, signs: list[int]) -> int:
    """Return POSITIVE if x + epsilon is proved to be above 0."""
    return POSITIVE if signs[0] == POSITIVE or (signs[0] and node.epsilon > 0) else 0


def pool_sign(node: Any, signs: list[int]) -> int:
    """Return the sign of means, in which padding counts as zeros, or of maxima."""
    return min(signs[0], NOWHERE_NEGATIVE) if any(node.padding) and node.how == "mean" else signs[0]


SIGNS: dict[str, Callable[[Any, list[int]], int]] = {
    "affine": affine_sign,
    "add": lambda node, signs: of_sum(signs),
    "multiply": multiply_sign,
    "gate": lambda node, signs: 0,
    "scale": lambda node, signs: signs[0] if node.factor > 0 else 0,
    "inverse-root": inverse_root_sign,
    "normalise": lambda node, signs: 0,
    "softmax": lambda node, signs: NOWHERE_NEGATIVE if has_mask(node) else POSITIVE,
    "attend": lambda node, signs: signs[2],  # means of v, with shares that add up to 1
    "contract": lambda node, signs: least(signs),
    "reduce": lambda node, signs: signs[0],
    "pool": pool_sign,
    "reshape": lambda node, signs: signs[0],
    "permute": lambda node, signs: signs[0],
    "take": lambda node, signs: signs[0],
    "concatenate": lambda node, signs: least(signs),
    "expand": lambda node, signs: signs[0],
    "embed": lambda node, signs: signs[1],
}


def fact_of(node: Any, read: list[Fact], inputs: Any) -> Fact:
    """Return what is known of a node, from what is known of those that it reads.

    Guarantee: sums, products, softmax and attention (whose denominators are sums of exponentials, one at least) are
    analytic where what they read is; so are activations that are analytic at every number of the known sign, 1 / sqrt(x
    + epsilon) if x + epsilon > 0, and normalisation with epsilon > 0, as a mean of squares is at least 0. A maximum is
    continuous only.
    """
    if node.kind == "input":
        return Fact(
            True, True, 0 if inputs is None or min(map(int, inputs.integers.entries())) < 0 else NOWHERE_NEGATIVE
        )
    if node.kind == "parameter":
        return Fact(True, True)
    if node.kind == "constant":
        return Fact(True, True, own_sign(node))
    undefined = next((fact for fact in read if not fact.defined), None)
    rough = next((fact for fact in read if not fact.analytic), None)
    defined = analytic = True
    reason = ""
    if node.kind == "map":
        found = known(node.activation.tree, read[0].sign)
        defined, analytic, sign = found.total, found.analytic, found.sign
        reason = f"the activation {node.activation.text[:100]}"
        if node.shape == node.shapes[0] and read[0].sign == 0:
            reason += " is not proved to be analytic on R" if defined else " is not proved to be defined on R"
        else:
            reason += " is not proved to be analytic where it is used"
    else:
        sign = SIGNS[node.kind](node, [fact.sign for fact in read])
    if node.kind == "inverse-root" and sign != POSITIVE:
        defined = analytic = False
        reason = "1 / sqrt(x + epsilon): x + epsilon is not proved to be above 0"
    if node.kind == "normalise" and not node.epsilon > 0:
        defined = analytic = False
        reason = "normalisation with epsilon = 0 is not defined where all numbers are equal"
    if node.kind in ("reduce", "pool") and node.how == "max":
        analytic, reason = False, "a maximum is not analytic"
    own = f"{node.path} ({node.kind}): {reason}"
    first = undefined or (rough if defined else None)
    if first is None and not (defined and analytic):
        return Fact(defined, False, sign, own)
    if first is not None:
        return Fact(defined and undefined is None, False, sign, first.reason)
    return Fact(True, True, sign)


def facts(network: Any) -> list[Fact]:
    """Return what is known of every node, for every U.

    Guarantee: as in the glossary, provided that on every sample those nodes have values that do not depend on U.
    """
    found: list[Fact] = []
    for node in network.nodes:
        fact = fact_of(node, [found[read] for read in node.reads], network.inputs)
        found.append(fact if node.moves else Fact(True, True, fact.sign))
    return found


def chosen_by(node: Any) -> int | None:
    """Return the node that has the mask or the tokens of this one, if there is one."""
    return node.reads[-1] if has_mask(node) else node.reads[0] if node.kind == "embed" else None


def needs_samples(network: Any) -> bool:
    """Return whether something that does not depend on U must be seen to have a value, or a right one, on the samples."""
    computed = any(node.varies and not node.moves and node.reads for node in network.nodes)
    chosen = [chosen_by(node) for node in network.nodes]
    return computed or any(network.nodes[read].varies for read in chosen if read is not None)


def require_values(network: Any) -> None:
    """Guarantee: on return the nodes that do not depend on U have values on every sample; masks and tokens are valid."""
    with precision(DATA_BITS):
        features = Features(network, still=True)
        if not needs_samples(network):
            return require_chosen(network, features, features.fixed)
        for samples in cut_blocks(network, [0] * network.samples, 1, DATA_BITS):
            require_chosen(network, features, features.values(samples))


def require_chosen(network: Any, features: Features, values: dict[int, Table]) -> None:
    """Guarantee: on return all masks and tokens with these values are valid."""
    for node in network.nodes:
        if has_mask(node):
            seen_places(features, node, values[node.reads[-1]])
        if node.kind == "embed":
            token_rows(features, node, values[node.reads[0]])


def require_total(network: Any, label: str) -> None:
    """Guarantee: on return every node is defined for every U, on every sample, so that Psi(U) is defined for every U."""
    require_values(network)
    for node, fact in zip(network.nodes, facts(network), strict=True):
        message = f"not proved to be defined for every U: {fact.reason}"
        require(fact.defined, node.path, f"{label}.total", message)


def require_analytic(network: Any, label: str) -> None:
    """Guarantee: on return every node is defined on every sample and analytic in U on R^p."""
    require_values(network)
    for node, fact in zip(network.nodes, facts(network), strict=True):
        require(fact.analytic, node.path, f"{label}.analytic", f"not proved to be analytic in U: {fact.reason}")


def check_generic(raw: Any, network: Any, arrays: Any, data: Any) -> dict[str, object]:
    """Check a claim W0.

    Guarantee: every node is real analytic in U on R^p, so Psi is, and rank Psi(U*) = N at some U*: then the zeros of
    the analytic function det(Psi Psi^T), which is not identically zero, are closed and have measure zero.
    """
    require(bool(data.ranks), raw.path, "W0.rank", "needs an accepted claim of full row rank: R1, R3, W1 or W2")
    require_analytic(network, "W0")
    return {"statement": sentence("W0", samples=network.samples), "rank": network.samples}
