"""The node kinds: for each one rule for the shape of its tensor, and one for the numbers in it.

A kind is a line of the table KINDS. `shape` derives the shape of the node's tensor from the shapes of what it reads,
and refuses what does not fit. `compute` says, by the operations of arithmetic.py, what its table is; it is the
definition of the kind, in whatever arithmetic the numbers are. FORMAT.md says the same in words. The rules stand in
rules.py, windowed.py, attention.py and moving.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from .arithmetic import Arithmetic, Table, side_by_side
from .attention import (
    attend,
    attend_shape,
    contract,
    contract_shape,
    normalised,
    softmax,
    softmax_shape,
    with_last_axis,
)
from .geometry import Shape
from .moving import (
    concatenate,
    concatenate_shape,
    embed,
    embed_shape,
    expand,
    expand_shape,
    permute,
    permute_shape,
    reshape_shape,
    reshaped,
    take,
    take_shape,
)
from .rules import (
    Node,
    activation,
    added,
    common,
    gated,
    inverse_root,
    multiplied,
    never,
    own_shape,
    same_shape,
    scaled,
)
from .windowed import affine, affine_shape, pool_shape, pooled, reduce_shape, reduced

MANY = 1 << 20  # the most nodes that one node may read


class Kind(NamedTuple):
    """A node kind: the least and the largest number of nodes that it reads, its shape, its numbers."""

    least: int
    most: int
    shape: Callable[[Node], Shape]
    compute: Callable[[Arithmetic, Node, list[Table]], Table]


KINDS = {
    "input": Kind(0, 0, own_shape, never),
    "parameter": Kind(0, 0, own_shape, never),
    "constant": Kind(0, 0, own_shape, never),
    "affine": Kind(2, MANY, affine_shape, affine),
    "map": Kind(1, 1, same_shape, activation),
    "add": Kind(2, MANY, common, added),
    "multiply": Kind(2, MANY, common, multiplied),
    "gate": Kind(3, 3, common, gated),
    "scale": Kind(1, 1, same_shape, scaled),
    "inverse-root": Kind(1, 1, same_shape, inverse_root),
    "normalise": Kind(1, 1, with_last_axis, normalised),
    "softmax": Kind(1, 2, softmax_shape, softmax),
    "attend": Kind(3, 4, attend_shape, attend),
    "contract": Kind(2, 2, contract_shape, contract),
    "reduce": Kind(1, 1, reduce_shape, reduced),
    "pool": Kind(1, 1, pool_shape, pooled),
    "reshape": Kind(1, 1, reshape_shape, reshaped),
    "permute": Kind(1, 1, permute_shape, permute),
    "take": Kind(1, 1, take_shape, take),
    "concatenate": Kind(1, MANY, concatenate_shape, concatenate),
    "expand": Kind(1, 1, expand_shape, expand),
    "embed": Kind(2, 2, embed_shape, embed),
}


def columns_of(ops: Arithmetic, network: Any, values: dict[int, Table]) -> Table:
    """Return the rows of Psi from the tables of the nodes: the features side by side."""
    count, parts = max(map(len, values.values())), []
    for feature in network.features:
        chosen = ops.gather([values[feature.node]], feature.entries)
        parts.append(chosen if len(chosen) == count else chosen * count)
    return side_by_side(parts)
