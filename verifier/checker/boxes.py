"""How much the features of any network change while every parameter moves by at most r: for Z2 and B1.

Let U' be within r of U in each number. Every node is followed for all U' at once: a value is a ball that contains the
node's value at every U' (at U, too), beside it is a ball that contains its change from U to U' (motion.py). The
parameters are U + D with D in [-r, r], and change by D. Only continuity is needed, so that maxima and kinks of
activations do no harm; but every node must have a value in the whole box.
"""

from collections.abc import Iterator
from math import prod
from typing import Any

from flint import arb, ctx

from .network import cut_blocks
from .segment import Segment

BOX_COPIES = 8  # balls that an entry takes


def changes_in_box(network: Any, radius: arb) -> Iterator[list[tuple[arb, arb]]]:
    """Yield for every sample, of each column of Psi, bounds (B, d) of its size and of its change.

    Guarantee: |psi(U')| <= B and |psi(U') - psi(U)| <= d for every U' with |U'_k - U_k| <= radius, and psi(U') exists.
    """
    every = arb(0, 1) * radius
    changes = {node.number: [every] * prod(node.shape) for node in network.nodes if node.kind == "parameter"}
    segment, whole = Segment(network, changes, kinks=True), arb(0).union(arb(1))
    for samples in cut_blocks(network, [0] * network.samples, 1, BOX_COPIES * ctx.prec):
        for row in segment.rows(samples, whole, middle=arb(0)):
            yield [(entry.c[0].abs_upper(), entry.c[1].abs_upper()) for entry in row]
