"""S.path: units that nothing needs move at constant loss, while features that span all others stand still.

Glossary: an entry of a node *rests* if it is the same number, on every sample, at all times of the straight way from U0
to U1. A column of Psi rests if its entry does; an output bias, a column of ones, always does.
"""

import itertools
from typing import Any

from .common import require
from .exact import exact_features, whole_rows
from .flags import facts
from .modular import exact_rank, rank_at_least
from .sentences import sentence
from .structure import fractions


def check_sink_path(raw: Any, network: Any, moved: Any) -> str:
    """Check S.path: the piece (U0, V0) -> (U0, V') -> (U1, V') keeps every logit.

    Guarantee: the columns of Psi(U0) that rest have its rank, so they span all of its columns: there is a V' that is 0
    at the others, with Psi(U0) V' = Psi(U0) V0. On the straight way from V0 to V' the logits stay the same. On that
    between U0 and U1 the columns that rest stay the same, and the others count for nothing; all have values there.
    """
    path = raw.path
    rows, _ = whole_rows(exact_features(network, path))
    rests = resting_columns(network, moved)
    rank = exact_rank(rows, path)
    kept = [list(itertools.compress(row, rests)) for row in rows]
    found = rank_at_least(kept)
    message = "the columns that rest are not proved to span all columns of Psi"
    require(found >= rank, path + "/moved", "S.path.span", message, found, rank)  # Coq: E2 combination
    return sentence("S.path", moving=rests.count(False), resting=rests.count(True), rank=rank)


def resting_columns(network: Any, moved: Any) -> list[bool]:
    """Return for the columns of Psi whether they rest.

    Guarantee: those that do not have a value at every time all the same: their nodes are defined for every U.
    """
    known, rest = facts(network), list[list[bool]]()
    for node, new in zip(network.nodes, moved.nodes, strict=True):
        rest.append(resting_entries(node, new, [rest[read] for read in node.reads]))  # Coq: E2 stay
        if not all(rest[-1]):
            message = f"{node.path} ({node.kind}) moves, and is not proved to be defined for every U"
            require(known[node.number].defined, node.path, "S.path.defined", message, known[node.number].reason)
    columns = []
    for feature in network.features:
        entries = range(len(rest[feature.node])) if feature.entries is None else feature.entries
        columns += [rest[feature.node][entry] for entry in entries]
    return columns


def resting_entries(node: Any, new: Any, read: list[list[bool]]) -> list[bool]:
    """Return for the entries of a node whether they rest.

    Guarantee: a parameter rests where its numbers are the same; a unit that reads all of its sources, and they rest,
    where its own weights and bias do; an activation where its argument does; of anything else all entries, if
    everything rests that it reads.
    """
    if node.kind == "parameter":
        old, later = (itertools.chain(*fractions(leaf.exact)) for leaf in (node, new))
        return [a == b for a, b in zip(old, later, strict=True)]
    size = 1
    for extent in node.shape:
        size *= extent
    if node.kind == "map":
        return read[0]
    if node.kind == "affine" and node.over == "all":
        sources, weight, bias = read[: len(read) - 1 - node.bias], read[len(read) - 1 - node.bias], read[-1]
        still = all(itertools.chain(*sources))
        lines = [all(weight[k * node.fan_in : (k + 1) * node.fan_in]) for k in range(size)]
        return [still and line and (bias[k] or not node.bias) for k, line in enumerate(lines)]
    return [all(itertools.chain(*read))] * size
