"""Pictures of networks that are not layers alone: a box for each block or node, an arc for each read."""

from __future__ import annotations

from matplotlib.patches import PathPatch

import verifier as vf
from verifier import plot

NETWORK = vf.Network(
    (4, 6), [vf.Linear(6), vf.MultiHeadAttention(heads=2), vf.Add(inputs=(0, 1), skip=True)], output_bias=True
)


def _drawn(network: vf.Network) -> tuple[list[str], set[str]]:
    ax = plot.network(network, outputs=3)
    arcs = {str(patch.get_gid()) for patch in ax.patches if isinstance(patch, PathPatch)}
    return [text.get_text().split("\n")[0] for text in ax.texts], arcs


def test_blocks_are_boxes_and_reads_are_arcs() -> None:
    boxes, arcs = _drawn(NETWORK)
    assert boxes == ["input", "linear", "attention", "add", "outputs"]
    assert arcs == {"arc 0 to 1", "arc 1 to 2", "arc 1 to 3", "arc 2 to 3", "outputs from 3"}


def test_nodes_are_boxes_without_blocks() -> None:
    boxes, arcs = _drawn(vf.Network.of(NETWORK.nodes, NETWORK.features))
    assert boxes[0] == "input" and boxes[-1] == "outputs" and "attend" in boxes
    assert "parameter" not in boxes and f"outputs from {len(boxes) - 2}" in arcs
