"""Rules D and A: what holds for almost every data set, and for every one, because of the architecture.

Glossary: a *data set* is any X in (R^d)^N, N samples of d real numbers. What is *said everywhere* holds for every U in
R^p and every sample in R^d; the samples of the certificate, if it has any, do not matter. A *dense layer* is made of
units sigma(<w, s> + b) with weights and a bias of their own, s its *sources* side by side. A source *separates* if, for
any finitely many distinct samples, it has distinct values on them for almost every U.
"""

from itertools import chain
from math import prod
from types import SimpleNamespace
from typing import Any

from .analytic import analytic
from .common import precision, require
from .features import Features
from .flags import DATA_BITS, Fact, chosen_by, fact_of, require_chosen, require_values
from .layered import output_bias, readers_of, unit_layer
from .network import increasing
from .polynomial import no_polynomial
from .rules import places
from .sentences import sentence
from .windowed import pool_places


def facts_everywhere(network: Any, jointly: bool) -> list[Fact]:
    """Return what is known of every node for every U and every sample in R^d.

    Guarantee: `defined` and `sign` hold for all U and all samples. `analytic` means, if `jointly`, real analytic in (U,
    x) on R^p x R^d; else, for every sample, real analytic in U on R^p. Nothing is known of the input's sign. A node
    that depends on the sample and not on U is constant in U, so that there it need only be defined. (A node that
    depends on neither is one number, which `require_everywhere` evaluates.)
    """
    found: list[Fact] = []
    for node in network.nodes:
        fact = fact_of(node, [found[read] for read in node.reads], None)
        if not node.varies and not node.moves:
            fact = Fact(defined=True, analytic=True, sign=fact.sign)
        elif not node.moves and not jointly:
            fact = fact._replace(analytic=fact.defined)
        found.append(fact)
    return found


def require_everywhere(network: Any, label: str, jointly: bool) -> None:
    """Guarantee: on return every node is defined everywhere, and analytic as `facts_everywhere` says."""
    require_choices(network, f"{label}.analytic")
    of_what = "(U, x)" if jointly else "U, whatever the sample is"
    for node, fact in zip(network.nodes, facts_everywhere(network, jointly), strict=True):
        message = f"not proved to be analytic in {of_what}: {fact.reason}"
        # Coq: W0 F_continuous, W0 F_analytic, A F_continuous, A F_analytic
        require(fact.analytic, node.path, f"{label}.analytic", message)


def require_choices(network: Any, rule: str) -> None:
    """Guarantee: on return all masks, tokens and windows are valid for every sample, and constants have values.

    Masks and tokens are whole numbers, so that those of all real samples cannot be: they must not depend on them.
    """
    for node in network.nodes:
        chosen = chosen_by(node)
        fixed = chosen is None or not network.nodes[chosen].varies
        require(fixed, node.path, rule, "a mask or tokens that depend on the sample, any real numbers")
        if node.kind == "pool":
            places(node, pool_places)  # refuses a maximum over padding alone
    with precision(DATA_BITS):
        unseen = SimpleNamespace(**{**vars(network), "inputs": None})
        features = Features(unseen, still=True)  # evaluates what depends on neither U nor the sample
        require_chosen(network, features, features.fixed)


def check_almost_every_data_set(raw: Any, network: Any, arrays: Any, data: Any) -> dict[str, object]:
    """Check a claim D: for almost every data set of N samples, almost every U has rank Psi(U) = N.

    Guarantee: Psi is real analytic in (U, x) on R^p x R^d, and rank Psi(U*; X*) = N for the U* of a claim of full rank
    and the samples X* of the certificate. So X -> det(Psi Psi^T)(U*; X) is analytic on R^(N d) and not identically 0:
    its zeros are closed and null, and the data sets X for which NO U has full rank are among them. For every other X
    the proof of W0 holds, whatever the labels and the loss are. The first N' rows do the same for N' < N.
    """
    require(bool(data.ranks), raw.path, "D.rank", "needs an accepted claim of full row rank: R1, R3, W1 or W2")
    require_values(network)
    require_everywhere(network, "D", jointly=True)
    said = sentence("D", samples=network.samples, dimension=data.dimension)
    return {"statement": said, "rank": network.samples}


def dense_layers(network: Any) -> set[int]:
    """Return the nodes that are the outputs of dense layers whose source separates.

    Guarantee: a node that separates, all of it, is among the sources of each: the input, the output of one of these
    layers, or what `carries` makes of such. By induction over the nodes they do: if s(x) != s(x') for some U, then (<w,
    s(x)> + b, <w, s(x')> + b), w and b free, runs through R^2; the activation, analytic and not constant, has different
    values at some two numbers; so the layer's output differs at some U, and, being analytic in U, at almost every U.
    """
    readers, separating, found = readers_of(network), {0}, set[int]()
    for node in network.nodes:
        inner = unit_layer(network, node, readers)
        if inner is not None and inner.over == "all" and not separating.isdisjoint(inner.reads[:-2]):
            tree = node.activation.tree
            if analytic(tree) and no_polynomial(tree, 0):
                found.add(node.number)
                separating.add(node.number)  # Coq: A separates
        elif carries(network, node, separating):
            separating.add(node.number)  # Coq: A separates
    return found


def carries(network: Any, node: Any, separating: set[int]) -> bool:
    """Return whether a node is, at every U, a one-to-one function of a node that separates, perhaps beside others."""
    reads = [network.nodes[read] for read in node.reads]
    kept = [read for read in reads if read.number in separating]
    others = [read for read in reads if read.varies]
    if node.kind in ("reshape", "permute", "scale", "expand", "concatenate"):
        return bool(kept)  # every entry is there, times a number that is not 0
    if node.kind == "add":
        return len(kept) == 1 and len(others) == 1  # x + c(U), c the same for all samples
    if node.kind == "multiply":
        factors = [read for read in reads if not read.varies]
        return len(kept) == 1 and len(others) == 1 and all(map(nowhere_zero, factors))
    return False


def nowhere_zero(node: Any) -> bool:
    """Return whether no entry of a node that is defined is 0: 1 / sqrt(x) is not, whatever x > 0 is."""
    return node.kind == "inverse-root" or (node.kind == "constant" and 0 not in node.exact.integers.entries())


def shown_units(network: Any, node: int) -> int:
    """Return how many different entries of a node are columns of Psi."""
    entries = [feature.entries for feature in network.features if feature.node == node]
    return prod(network.nodes[node].shape) if None in entries else len(set(chain(*entries)))


def check_every_data_set(raw: Any, network: Any, arrays: Any, data: Any) -> dict[str, object]:
    """Check a claim A: for every data set of N distinct samples, almost every U has rank Psi(U) = N.

    Guarantee: for every N distinct samples in R^d, almost every U has rank Psi(U) = N. Let j_1, .., j_K be the units,
    layer by layer, K = N, or K = N - 1 and the column of ones first. Suppose that some U makes the columns before j_r
    independent: then almost every U does, and at almost every one the source of j_r separates the samples. Move the
    weights and bias of j_r alone: they are its own, so that neither its source nor the columns before it depend on
    them. Its activation is no polynomial of degree <= N - 2, so that its columns sigma(<w, s_i> + b) span R^N (Lemma
    S' of the theory): some value leaves the span of the columns before it, whose dimension is below N.
    """
    require_everywhere(network, "A", jointly=False)
    layers, samples, total = dense_layers(network), data.samples, 0
    message = "must be increasing nodes"
    require(increasing([part.node for part in raw.units]), raw.path + "/units", "A.units", message)  # Coq: A own
    for part in raw.units:
        dense = part.node in layers
        message = "is not the output of a dense layer of its own weights that reads all of the input or of such a layer"
        require(dense, part.path + "/node", "A.layer", message, part.node)  # Coq: A separates, A own
        tree = network.nodes[part.node].activation.tree
        message = f"the activation is not proved to be no polynomial of degree <= N - 2 = {samples - 2}"
        # Coq: A spans
        require(no_polynomial(tree, samples - 2), part.path + "/node", "A.polynomial", message, part.node)
        there = shown_units(network, part.node)
        message = "the node has fewer entries that are columns of Psi"
        require(part.count <= there, part.path + "/count", "A.units", message, part.count, there)
        total += part.count
    enough = total + (output_bias(network) is not None) >= samples
    # Coq: W0 witness_rank
    require(enough, raw.path + "/units", "A.units", "fewer than N units (N - 1 beside an output bias)", total, samples)
    return {"statement": sentence("A", samples=samples, dimension=data.dimension), "units": total}
