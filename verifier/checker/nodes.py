"""The node kinds: for each a rule for the shape of its tensor, one for the numbers in it, and one for their sign.

A kind is a line of the table KINDS. ``shape`` derives the shape of the node's tensor from the shapes of what it reads,
and refuses what does not fit. ``compute`` says, by the operations of arithmetic.py, what its table is; it is the
definition of the kind, in whatever arithmetic the numbers are. ``sign`` says what is known of its sign for every U.
FORMAT.md says the same in words. The rules stand in rules.py, windowed.py, attention.py, moving.py and signs.py.
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
from .signs import (
    affine_sign,
    inverse_root_sign,
    multiply_sign,
    of_all,
    of_first,
    of_last,
    of_means,
    of_multiple,
    of_none,
    of_shares,
    of_terms,
    pool_sign,
)
from .windowed import affine, affine_shape, pool_shape, pooled, reduce_shape, reduced, running

MANY = 1 << 20  # the most nodes that one node may read


class Kind(NamedTuple):
    """A node kind: the least and the largest number of nodes that it reads, its shape, its numbers, their sign."""

    least: int
    most: int
    shape: Callable[[Node], Shape]
    compute: Callable[[Arithmetic, Node, list[Table]], Table]
    sign: Callable[[Node, list[int]], int]


KINDS = {
    "input": Kind(0, 0, own_shape, never, of_none),
    "parameter": Kind(0, 0, own_shape, never, of_none),
    "constant": Kind(0, 0, own_shape, never, of_none),
    "affine": Kind(2, MANY, affine_shape, affine, affine_sign),
    "map": Kind(1, 1, same_shape, activation, of_none),
    "add": Kind(2, MANY, common, added, of_terms),
    "multiply": Kind(2, MANY, common, multiplied, multiply_sign),
    "gate": Kind(3, 3, common, gated, of_none),
    "scale": Kind(1, 1, same_shape, scaled, of_multiple),
    "inverse-root": Kind(1, 1, same_shape, inverse_root, inverse_root_sign),
    "normalise": Kind(1, 1, with_last_axis, normalised, of_none),
    "softmax": Kind(1, 2, softmax_shape, softmax, of_shares),
    "attend": Kind(3, 4, attend_shape, attend, of_means),
    "contract": Kind(2, 2, contract_shape, contract, of_all),
    "reduce": Kind(1, 1, reduce_shape, reduced, of_first),
    "cumsum": Kind(1, 1, with_last_axis, running, of_first),
    "pool": Kind(1, 1, pool_shape, pooled, pool_sign),
    "reshape": Kind(1, 1, reshape_shape, reshaped, of_first),
    "permute": Kind(1, 1, permute_shape, permute, of_first),
    "take": Kind(1, 1, take_shape, take, of_first),
    "concatenate": Kind(1, MANY, concatenate_shape, concatenate, of_all),
    "expand": Kind(1, 1, expand_shape, expand, of_first),
    "embed": Kind(2, 2, embed_shape, embed, of_last),
}


def columns_of(ops: Arithmetic, network: Any, values: dict[int, Table]) -> Table:
    """Return the rows of Psi from the tables of the nodes: the features side by side."""
    count, parts = max(map(len, values.values())), []
    for feature in network.features:
        chosen = ops.gather([values[feature.node]], feature.entries)
        parts.append(chosen if len(chosen) == count else chosen * count)
    return side_by_side(parts)
