"""What is known of a node's numbers for EVERY U, on all samples: defined, analytic in U, of one sign. Rule W0.

Glossary: the *facts* of a node hold for all its entries, all samples of the certificate and all U in R^p. `defined`:
every entry is a real number. `analytic`: each entry is, as a function of U, defined and real analytic on all of R^p.
`sign`: POSITIVE (above 0), NOWHERE_NEGATIVE (at least 0), or 0 (nothing is said). `reason` says, if there is no proof,
which node is in the way. A node that does not depend on U is one number for all U: it is analytic if it is defined.
"""

from typing import Any, NamedTuple

from .analytic import NOWHERE_NEGATIVE, POSITIVE, known
from .arithmetic import Table
from .attention import has_mask, seen_places
from .common import precision, require
from .features import Features
from .moving import token_rows
from .network import cut_blocks
from .nodes import KINDS
from .rules import places
from .sentences import sentence
from .windowed import pool_places

WHERE = {0: "R", NOWHERE_NEGATIVE: "t >= 0", POSITIVE: "t > 0"}
DATA_BITS = 128  # working precision at which nodes that do not depend on U are evaluated to see that they are defined


class Fact(NamedTuple):
    """What is known of a node; see above."""

    defined: bool
    analytic: bool
    sign: int = 0
    reason: str = ""


def own_sign(node: Any) -> int:
    """Return the sign of the exact numbers of a constant node, from the smallest of them."""
    smallest = min(map(int, node.exact.integers.entries()))
    return POSITIVE if smallest > 0 else NOWHERE_NEGATIVE if smallest == 0 else 0


def leaf_fact(node: Any, inputs: Any) -> Fact:
    """Return what is known of the input, a parameter or a constant."""
    if node.kind == "input":
        known_inputs = inputs is not None and all(number >= 0 for number in inputs.integers.entries())
        return Fact(True, True, NOWHERE_NEGATIVE if known_inputs else 0)
    return Fact(True, True, own_sign(node) if node.kind == "constant" else 0)


def own_fact(node: Any, signs: list[int]) -> Fact:
    """Return what is known of a node if all that it reads is defined and analytic and has these signs.

    Guarantee: sums, products, softmax and attention (whose denominators are sums of exponentials, one at least) are
    analytic in what they read; so are activations that are analytic at every number of the known sign, 1 / sqrt(x +
    epsilon) if x + epsilon > 0, and normalisation with epsilon > 0, as a mean of squares is at least 0. A maximum is
    defined, but not analytic.
    """
    if node.kind == "map":
        found, where = known(node.activation.tree, signs[0]), WHERE[signs[0]]
        message = f"the activation {node.activation.text[:100]} is not proved to be"
        reason = f"{message} analytic on {where}" if found.total else f"{message} defined on {where}"
        return Fact(found.total, found.analytic, found.sign, "" if found.analytic else reason)
    sign = KINDS[node.kind].sign(node, signs)
    if node.kind == "inverse-root" and sign != POSITIVE:
        return Fact(False, False, sign, "x + epsilon is not proved to be above 0")
    if node.kind == "normalise" and not node.epsilon > 0:
        return Fact(False, False, sign, "epsilon = 0: not defined where all numbers are equal")
    if node.kind in ("reduce", "pool") and node.how == "max":
        return Fact(True, False, sign, "a maximum is not analytic")
    return Fact(True, True, sign)


def fact_of(node: Any, read: list[Fact], inputs: Any) -> Fact:
    """Return what is known of a node, from what is known of those that it reads: all must be defined, or analytic."""
    if not read:
        return leaf_fact(node, inputs)
    own = own_fact(node, [fact.sign for fact in read])
    defined = own.defined and all(fact.defined for fact in read)
    analytic = own.analytic and all(fact.analytic for fact in read)
    reasons = [fact.reason for fact in read if fact.reason]
    if own.reason and (not own.defined or not reasons):
        reasons = [f"{node.path} ({node.kind}): {own.reason}"]
    return Fact(defined, analytic, own.sign, reasons[0] if reasons else "")


def facts(network: Any) -> list[Fact]:
    """Return what is known of every node, for every U.

    Guarantee: as in the glossary, provided that on every sample those nodes have values that do not depend on U.
    """
    found: list[Fact] = []
    for node in network.nodes:
        fact = fact_of(node, [found[read] for read in node.reads], network.inputs)
        found.append(fact if node.moves else Fact(defined=True, analytic=True, sign=fact.sign))
    return found


def chosen_by(node: Any) -> int | None:
    """Return the node that has the mask or the tokens of this one, if there is one."""
    return node.reads[-1] if has_mask(node) else node.reads[0] if node.kind == "embed" else None


def needs_samples(network: Any) -> bool:
    """Return whether something that depends on the samples and not on U must be evaluated to see that it is valid."""
    computed = any(node.varies and not node.moves and node.reads for node in network.nodes)
    chosen = [chosen_by(node) for node in network.nodes]
    return computed or any(network.nodes[read].varies for read in chosen if read is not None)


def require_values(network: Any) -> None:
    """Guarantee: on return what does not depend on U has values on every sample; masks, tokens, windows are valid."""
    for node in network.nodes:
        if node.kind == "pool":
            places(node, pool_places)  # refuses a maximum over padding alone
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
    """Guarantee: on return every node is defined for every U, on every sample; so Psi(U) is defined for every U."""
    require_values(network)
    for node, fact in zip(network.nodes, facts(network), strict=True):
        require(fact.defined, node.path, f"{label}.total", f"not proved to be defined for every U: {fact.reason}")


def require_analytic(network: Any, label: str) -> None:
    """Guarantee: on return every node is defined on every sample and analytic in U on R^p."""
    require_values(network)
    for node, fact in zip(network.nodes, facts(network), strict=True):
        # Coq: W0 F_continuous, W0 F_analytic, A F_continuous, A F_analytic
        require(fact.analytic, node.path, f"{label}.analytic", f"not proved to be analytic in U: {fact.reason}")


def check_generic(raw: Any, network: Any, arrays: Any, data: Any) -> dict[str, object]:
    """Check a claim W0: full row rank at one U, hence at almost every U.

    Guarantee: every node is real analytic in U on R^p, so Psi is, and rank Psi(U*) = N at some U*: then the zeros of
    the analytic function det(Psi Psi^T), which is not identically zero, are closed and have measure zero. Where arcs
    are missing, the same holds for the columns F_k of each output k, and a union of finitely many such sets is one:
    off it every logit of output k is some F_k v_k (THEORY2 G(c)).
    """
    # Coq: W0 witness_rank
    require(bool(data.ranks), raw.path, "W0.rank", "needs an accepted claim of full row rank: R1, R3, W1 or W2")
    require_analytic(network, "W0")
    if data.arcs is not None:
        require_ranks_of_outputs(raw, data, arrays)
        return {"statement": sentence("W0 arcs", samples=network.samples), "rank": network.samples}
    return {"statement": sentence("W0", samples=network.samples), "rank": network.samples}


def require_ranks_of_outputs(raw: Any, data: Any, arrays: Any) -> None:
    """Guarantee: on return, for each output an accepted claim R1 or R3 uses columns with an arc to it alone."""
    known = [arrays.integers(claim.columns, claim.path) for claim in data.ranks if getattr(claim, "columns", None)]
    for k in range(data.classes):
        own = {j for j, row in enumerate(data.arcs) if row[k]}
        shown = any(own.issuperset(columns) for columns in known)
        require(shown, raw.path, "W0.arcs", f"needs R1 or R3 of columns that have an arc to output {k}", k)
