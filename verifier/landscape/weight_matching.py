r"""Weight matching (Git Re-Basin): the units of B in the order in which its weights are nearest to those of A.

Over all permutations of B's units that leave its function alone, maximise ``<theta_A, theta_B>``: with the other groups
at rest the gain of making B's unit j the k-th one of its group is a matrix, and the best permutation a linear
assignment problem; go through the groups until nothing is gained. [Ainsworth, Hayase and Srinivasa, ICLR 2023,
algorithm 1.] The permuted B has the numbers of B in other places, none is rounded: it computes the same function, and
is another point of the landscape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from verifier.display import Card, Shown, count
from verifier.landscape.approx_loss import Point
from verifier.network.arguments import BoolArray
from verifier.network.forward import approx_features
from verifier.network.network import Array, Network
from verifier.network.unit_symmetry import OUTPUT, UnitSymmetry, unit_symmetry
from verifier.network.unit_tags import Ints

SWEEPS = 100
"""Most rounds through all groups."""
GAIN = 1e-12
"""Relative gain of a round below which it is the last."""
AGREE = 1e-6
"""Relative difference of logits in floating point above which the pattern was not understood."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Matching(Shown):
    """The permuted B: the numbers of B in other places.

    Parameters
    ----------
    u, v
        The permuted point, ``(p,)`` and ``(M, m)``.
    permutations
        For each group of units its permutation: unit k is what unit ``permutations[k]`` of B was.
    before, after
        The Euclidean distance of all weights from A's, approximate: of B, and of the permuted B.
    """

    u: Array
    v: Array
    permutations: tuple[Ints, ...]
    before: float
    after: float

    @property
    def moved(self) -> int:
        """Units that are in another place than in B."""
        return sum(int((order != np.arange(len(order))).sum()) for order in self.permutations)

    def _card(self) -> Card:
        units = sum(map(len, self.permutations))
        return Card(
            "B with its units permuted (weight matching)",
            None,
            f"{self.moved} of {count(units, 'unit')} moved; it computes what B computes and is another point than B",
            (("distance from A", f"about {self.after:.4g}; that of B about {self.before:.4g}"),),
        )


def match_weights(
    network: Network, a: Point, b: Point, inputs: Array, *, arcs: BoolArray | None = None, seed: int = 0
) -> Matching | str:
    """Permute the units of B so that its weights come near to those of A.

    Parameters
    ----------
    network
        The architecture of both.
    a, b
        U ``(p,)`` and V ``(M, m)`` of each.
    inputs
        Samples ``(N, d)`` on which the permuted network is compared with B in floating point.
    arcs
        Which columns of Psi are connected to which outputs, ``(M, m)``; None: all.
    seed
        Of the order in which groups are gone through.

    Returns
    -------
    Matching or str
        Or why it does not apply. Guarantee: U and V are the numbers of B in other places, none of them rounded. What is
        proved later is about this point; that it computes what B computes follows from the pattern of the graph
        (`unit_symmetry`), and its logits on the samples were compared in floating point.
    """
    symmetry = unit_symmetry(network, a[1].shape[1])
    if not symmetry.sizes:
        return "does not apply: no units were recognised that may be permuted"
    rng = np.random.default_rng(seed)
    permutations = {group: np.arange(size) for group, size in symmetry.sizes.items()}
    best, best_value = permutations, _inner(network, symmetry, a, b, permutations)
    for _ in range(SWEEPS):
        current = dict(best)
        for group in rng.permutation(sorted(current)).tolist():
            gains = _gains(network, symmetry, a, b, current, group)
            if not np.isfinite(gains).all():
                return "does not apply: products of the weights overflow"
            current[group] = linear_sum_assignment(gains, maximize=True)[1].astype(np.int64)
        value = _inner(network, symmetry, a, b, current)
        if not value > best_value + GAIN * abs(best_value):
            break
        best, best_value = current, value
    u, v = permuted_point(network, symmetry, b, best)
    if arcs is not None and bool(v[~arcs].any()):
        return "does not apply: arcs to the outputs are missing, and the units that match have others"
    if not _same_logits(network, inputs, b, (u, v)):
        return "does not apply: the network with permuted units does not give the logits of B in floating point"
    return Matching(u, v, tuple(best.values()), _distance(a, b), _distance(a, (u, v)))


def permuted_point(network: Network, symmetry: UnitSymmetry, b: Point, permutations: Mapping[int, Ints]) -> Point:
    """Move the numbers of a point: unit k of a group becomes what unit ``permutations[group][k]`` was.

    Guarantee: the numbers of the result are those of ``b``, in other places; none is rounded.

    Parameters
    ----------
    network : Network
        The architecture.
    symmetry : UnitSymmetry
        Its groups of units, and where their numbers stand.
    b : (ndarray of shape (p,), ndarray of shape (M, m))
        U and V.
    permutations : mapping of int to ndarray
        For each group the order of its units.

    Returns
    -------
    (ndarray of shape (p,), ndarray of shape (M, m))
        U and V.
    """
    u, v = b[0].copy(), b[1].copy()
    for block, moved in symmetry.permuted(network, *b, permutations):
        target = v if block.name == OUTPUT else network.view(u, block.name)
        target[...] = moved.reshape(target.shape)
    return u, v


@np.errstate(all="ignore")
def _gains(
    network: Network, symmetry: UnitSymmetry, a: Point, b: Point, permutations: Mapping[int, Ints], group: int
) -> Array:
    """Entry (k, j): what ``<A, B>`` gains from B's unit j in place k, the other groups permuted as they are."""
    size = symmetry.sizes[group]
    gains = np.zeros((size, size))
    others = {g: order for g, order in permutations.items() if g != group}
    for block in symmetry.blocks:
        first, second = block.matrix(network, *a), block.matrix(network, *b)
        for rows, columns, x, y in (
            (block.rows, block.columns, first, second),
            (block.columns, block.rows, first.T, second.T),
        ):
            if group in rows.where:
                moved = y[np.ix_(rows.order(others), columns.order(permutations))]
                for place in rows.where[group].T:
                    gains += x[place] @ moved[place].T
    return gains


@np.errstate(all="ignore")
def _inner(network: Network, symmetry: UnitSymmetry, a: Point, b: Point, permutations: Mapping[int, Ints]) -> float:
    """``<A, B>`` over the blocks that permutations move."""
    pairs = symmetry.permuted(network, *b, permutations)
    return float(sum((block.matrix(network, *a) * moved).sum() for block, moved in pairs))


def _distance(a: Point, b: Point) -> float:
    return math.hypot(*(float(np.linalg.norm(y - x)) for x, y in zip(a, b, strict=True)))


@np.errstate(all="ignore")
def _same_logits(network: Network, inputs: Array, b: Point, moved: Point) -> bool:
    first, second = (approx_features(network, u, inputs) @ v for u, v in (b, moved))
    size = float(np.abs(first).max(initial=0.0))
    return bool(np.isfinite(size)) and float(np.abs(first - second).max(initial=0.0)) <= AGREE * max(size, 1e-300)
