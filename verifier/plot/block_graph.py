"""A network that is not made of layers alone, as a graph: a box for each block, or each node that sees the samples."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve

from verifier.network.network import Network
from verifier.plot.style import Palette

APART = 1.0
"""Distance of the boxes of one column."""
BEND = 0.75
"""How far an arc that passes other columns stays away from the straight line, for each column it passes."""


@dataclass(frozen=True, slots=True)
class _Box:
    """A block or a node: its title, the boxes that it reads, how many of its entries are connected to the outputs."""

    title: str
    reads: tuple[int, ...]
    features: int


def draw_blocks(ax: Axes, palette: Palette, net: Network, outputs: int) -> None:
    """Draw a box for the input, each block and the outputs, from left to right by depth, and an arc for each read.

    Parameters
    ----------
    ax : Axes
        Where.
    palette : Palette
        Its colours.
    net : Network
        Any network.
    outputs : int
        The number m of outputs.
    """
    boxes = _boxes(net)
    depth = [0] * len(boxes)
    for index, box in enumerate(boxes[1:], start=1):
        depth[index] = 1 + max((depth[read] for read in box.reads), default=-1)
    last = max(depth) + 1
    places = [(float(x), 0.0) for x in depth]
    for _, column in itertools.groupby(sorted(range(len(boxes)), key=lambda k: depth[k]), key=lambda k: depth[k]):
        members = list(column)
        for row, index in enumerate(members):
            places[index] = (float(depth[index]), APART * ((len(members) - 1) / 2 - row))
    end = (float(last), 0.0)
    for index, box in enumerate(boxes):
        for read in box.reads:
            _arc(ax, palette, places[read], places[index], f"arc {read} to {index}", dashed=False)
        if box.features:
            _arc(ax, palette, places[index], end, f"outputs from {index}", dashed=True)
        _text(ax, palette, places[index], box.title, ringed=bool(box.features) or index == 0)
    bias = "\nwith bias" if net.output_bias else ""
    _text(ax, palette, end, f"outputs\n{outputs}{bias}", ringed=True)
    reach = max(abs(y) for _, y in places) + APART
    passed = max((b - a for (a, _), (b, _) in _arcs(boxes, places, end)), default=1.0)
    ax.set_xlim(-0.6, last + 0.6)
    ax.set_ylim(-reach - BEND * max(0.0, passed - 1.0) / 2, reach)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


Place = tuple[float, float]


def _arcs(boxes: list[_Box], places: list[Place], end: Place) -> list[tuple[Place, Place]]:
    pairs = [(places[read], places[index]) for index, box in enumerate(boxes) for read in box.reads]
    return pairs + [(places[index], end) for index, box in enumerate(boxes) if box.features]


def _boxes(net: Network) -> list[_Box]:
    """The input and the blocks; without blocks, the nodes that depend on the samples."""
    counts = dict.fromkeys(range(len(net.nodes)), 0)
    for feature in net.features:
        whole = math.prod(net.node_shapes[feature.node])
        counts[feature.node] += whole if feature.entries is None else len(feature.entries)
    found = [_Box(f"input\n{_size(net, 0)}", (), counts[0])]
    if net.blocks:
        for index, (block, output) in enumerate(zip(net.blocks, net.outputs, strict=True)):
            default = ("input",) if index == 0 else (index - 1,)
            reads = tuple(
                0 if source == "input" else int(source) + 1 for source in dict.fromkeys(block.inputs or default)
            )
            kind = str(getattr(block, "kind", type(block).__name__))
            found.append(_Box(f"{kind}\n{_size(net, output)}", reads, counts[output]))
        return found
    place = {0: 0}
    for index, node in enumerate(net.nodes):
        if index and net.varies[index]:
            place[index] = len(found)
            reads = tuple(place[read] for read in dict.fromkeys(node.reads) if read in place)
            found.append(_Box(f"{node.kind}\n{_size(net, index)}", reads, counts[index]))
    return found


def _size(net: Network, node: int) -> str:
    return " x ".join(map(str, net.node_shapes[node])) or "1"


def _arc(ax: Axes, palette: Palette, start: Place, end: Place, name: str, *, dashed: bool) -> None:
    """A line to the next column; below the columns between, otherwise."""
    passed = end[0] - start[0]
    low = -BEND * max(0.0, passed - 1.0)
    first, second = (start[0] + 0.3 * passed, start[1] + low), (end[0] - 0.3 * passed, end[1] + low)
    curve = Curve([start, first, second, end], [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    patch = PathPatch(
        curve,
        facecolor="none",
        edgecolor=palette.ink if dashed else palette.muted,
        linewidth=0.9,
        linestyle=(0, (3, 1.6)) if dashed else "solid",
        zorder=1,
    )
    patch.set_gid(name)
    ax.add_patch(patch)


def _text(ax: Axes, palette: Palette, place: Place, title: str, *, ringed: bool) -> None:
    frame: dict[str, Any] = {"boxstyle": "round,pad=0.35", "facecolor": palette.background}
    frame |= {"edgecolor": palette.ink if ringed else palette.muted, "linewidth": 1.6 if ringed else 0.8}
    ax.text(*place, title, ha="center", va="center", fontsize=7, color=palette.ink, bbox=frame, zorder=4)
