"""The network as a directed acyclic graph: layers in columns, arcs to the outputs, a colour for each shared weight."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.path import Path as Curve
from numpy.typing import NDArray

from verifier.display import count
from verifier.errors import InputError
from verifier.network.arguments import BoolArray
from verifier.network.layers import Layer
from verifier.network.network import Network
from verifier.outcome import Report
from verifier.plot.block_graph import draw_blocks
from verifier.plot.description import describe
from verifier.plot.style import Palette, axes_or_new, palette_of
from verifier.problem import Problem

MISSING = "Some arcs to outputs are missing: V is 0 there."
LINES = ("solid", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))
"""Line styles: with them 8 colours tell 32 shared weights apart."""
CHANNEL_GAP = 0.7
"""Extra distance between the units of different filters, in units' distances."""
MANY_ARCS = 60
"""From so many arcs of a layer on they are drawn fainter: together they would hide the units."""
CLEARANCE = 0.8
"""How far arcs to the outputs stay away from the layers that they pass."""

Place = tuple[float, float]
Key = tuple[int, int]
"""Column and unit; column 0 is the input, column i + 1 layer i."""


@dataclass
class _Column:
    """What is drawn of a layer: units and their heights; where units are left out, three dots stand at ``gap``."""

    title: str
    units: list[int]
    heights: list[float]
    gap: float | None = None


@dataclass
class _Drawing:
    """Places of the units that are shown, and how far down and up everything drawn reaches."""

    columns: list[_Column]
    places: dict[Key, Place] = field(default_factory=dict)
    low: float = 0.0
    high: float = 0.0


def network(
    net: Network | Report | Problem,
    ax: Axes | None = None,
    *,
    outputs: int | None = None,
    most: int = 12,
    captions: bool = True,
) -> Axes:
    """Draw a network as a graph.

    Parameters
    ----------
    net
        The network, or a report or a problem, which has one.
    ax
        Axes to draw on; None makes a figure.
    outputs
        The number m of output units; None: as many as the report's V has columns, 2 for a network alone.
    most
        Larger layers are drawn by their first ``most - 1`` units and the last.
    captions
        Whether each column says what it is.

    Returns
    -------
    Axes
        A column for the input, each layer and the outputs. Grey: arcs with weights of their own. Coloured: weights of
        convolutions; arcs with the same colour and dashes carry the same weight. Units with a ring are connected to the
        outputs (Psi's columns), by the dashed arcs. A network that is not made of layers alone has a box for each
        block instead.

    Raises
    ------
    InputError
        If ``outputs`` or ``most`` is below 2 (``outputs`` below 1 for a report's network), or this is no network.

    Examples
    --------
    >>> import verifier as vf
    >>> from matplotlib.figure import Figure
    >>> print(vf.plot.description(vf.plot.network(vf.Network(2, vf.Dense(3, "tanh", skip=True)), Figure().subplots())))
    Network: From left to right: input, 2 units; dense, tanh, 3 units, all to outputs; outputs, 2.
    """
    arcs: BoolArray | None = None
    least = 2
    if isinstance(net, Report | Problem):
        arcs = (net.problem if isinstance(net, Report) else net).arcs
        least = 1  # a regression may have a single output
        outputs = net.v.shape[1] if outputs is None else outputs
        net = net.network
    outputs = 2 if outputs is None else outputs
    if not isinstance(net, Network):
        raise InputError(f"{type(net).__name__} is no network; give a vf.Network or a report")
    if outputs < least or most < 2:
        raise InputError(f"outputs = {outputs}, most = {most}; they must be at least {least} and 2")
    ax = axes_or_new(ax, (6.4, 3.8))
    palette = palette_of(ax)
    if net.layered is None:
        draw_blocks(ax, palette, net, outputs)
        boxes = (text.get_text().replace("\n", ", ") for text in ax.texts)
        said = f"Boxes from left to right, with an arc for each read: {'; '.join(boxes)}."
        describe(ax, "Network", said if arcs is None else f"{said} {MISSING}")
        return ax
    drawing = _layout(net, outputs, most, whole=arcs is None)
    for index, layer in enumerate(net.layers):
        _arcs(ax, palette, net, index, layer, drawing)
    _output_arcs(ax, palette, net, np.ones((net.skip_count, outputs), dtype=bool) if arcs is None else arcs, drawing)
    _units(ax, palette, net, drawing)
    ax.set_xlim(-0.45, len(drawing.columns) - 0.55)
    room = 0.05 * (drawing.high - drawing.low) + 0.3
    ax.set_ylim(drawing.low - room, drawing.high + room)
    titles = [column.title if captions else "" for column in drawing.columns]
    ax.set_xticks(range(len(titles)), titles, fontsize=7.5, linespacing=1.3)
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    columns = (column.title.replace("\n", ", ") for column in drawing.columns)
    said = f"From left to right: {'; '.join(columns)}."
    describe(ax, "Network", said if arcs is None else f"{said} {MISSING}")
    return ax


def _layout(net: Network, outputs: int, most: int, *, whole: bool) -> _Drawing:
    """Places and titles of all columns; ``whole``: every feature has an arc to every output."""
    skips = dict(net.skip_units)
    columns = [_column(net.input_shape, f"input\n{_size(net.input_shape)}", most)]
    for index, (layer, shape) in enumerate(zip(net.layers, net.shapes, strict=True)):
        what = layer.kind if layer.activation is None else f"{layer.kind}, {layer.activation.name}"
        skip = len(skips.get(index, ()))
        size = math.prod(shape)
        to_outputs = (
            ""
            if not skip
            else "\nsome arcs to outputs"
            if not whole
            else "\nall to outputs"
            if skip == size
            else f"\n{skip} to outputs"
        )
        columns.append(_column(shape, f"{what}\n{_size(shape)}{to_outputs}", most))
    bias = "\nwith bias" if net.output_bias else ""
    columns.append(_column((outputs,), f"outputs\n{outputs}{bias}", most))
    drawing = _Drawing(columns)
    for x, column in enumerate(columns):
        for unit, y in zip(column.units, column.heights, strict=True):
            drawing.places[x, unit] = (float(x), y)
    heights = [y for column in columns for y in column.heights]
    drawing.low, drawing.high = min(heights), max(heights)
    return drawing


def _size(shape: Sequence[int]) -> str:
    if len(shape) == 1:
        return count(shape[0], "unit")
    positions = " x ".join(map(str, shape[1:]))
    return f"{shape[0]} channel{'s' if shape[0] > 1 else ''} of {positions}"


def _column(shape: Sequence[int], title: str, most: int) -> _Column:
    """The units that are shown, from top to bottom, with more room between channels."""
    size, plane = math.prod(shape), math.prod(shape[1:])
    whole = size <= most
    units = list(range(size)) if whole else [*range(most - 1), size - 1]
    depths, depth = [], 0.0
    for before, unit in zip([None, *units], units, strict=False):
        if before is not None:
            jump = plane > 1 and before // plane != unit // plane and whole
            depth += 1.0 + (CHANNEL_GAP if jump else 0.0) + (1.0 if unit - before > 1 else 0.0)
        depths.append(depth)
    heights = [depth / 2.0 - d for d in depths]
    gap = None if whole else 0.5 * (heights[-2] + heights[-1])
    return _Column(title, units, heights, gap)


def _sources(net: Network, index: int) -> list[Key]:
    """Column and unit of everything that a layer reads, in the order of its weights."""
    out: list[Key] = []
    for source, shape in zip(net.sources[index], net.source_shapes(index), strict=True):
        column = 0 if source == "input" else int(source) + 1
        out += [(column, unit) for unit in range(math.prod(shape))]
    return out


def _arcs(ax: Axes, palette: Palette, net: Network, index: int, layer: Layer, drawing: _Drawing) -> None:
    """One collection for each shared weight (row f, tap k), or one for all arcs that have a weight of their own."""
    sources = [*_sources(net, index), (-1, 0)]  # windows in the padding read the last: it has no place, and no arc
    windows = layer.windows(net.source_shapes(index))
    taps: dict[tuple[int, int], list[tuple[Place, Place]]] = {}
    for row, (position, window) in itertools.product(range(layer.rows), enumerate(windows)):
        end = drawing.places.get((index + 1, row * len(windows) + position))
        for tap, read in enumerate(window):
            start = drawing.places.get(sources[read])
            if start is not None and end is not None:
                taps.setdefault((row, tap), []).append((start, end))
    if not layer.shares_weights:
        lines = [line for tap in taps.values() for line in tap]
        alpha = 0.75 if len(lines) < MANY_ARCS else 0.45
        style = "dotted" if layer.activation is None else "solid"
        arcs = LineCollection(lines, colors=palette.muted, linewidths=0.6, alpha=alpha, linestyles=style, zorder=1)
        arcs.set_gid(f"arcs layer{index}")
        ax.add_collection(arcs)
        return
    for (row, tap), lines in taps.items():
        turn, colour = divmod(row * len(windows[0]) + tap, len(palette.cycle))
        arcs = LineCollection(
            lines, colors=palette.cycle[colour], linewidths=1.3, linestyles=[LINES[turn % len(LINES)]], zorder=2
        )
        arcs.set_gid(f"arcs layer{index} weight {row},{tap}")
        ax.add_collection(arcs)


def _output_arcs(ax: Axes, palette: Palette, net: Network, arcs_of: BoolArray, drawing: _Drawing) -> None:
    """Draw the arcs from the features to the outputs; ``arcs_of``, (M, m): which there are."""
    last, column = len(drawing.columns) - 1, 0
    for index, units in net.skip_units:
        between = drawing.columns[index + 2 : last]
        height = max((abs(y) for column in between for y in column.heights), default=0.0)
        curves = []
        for row, unit in enumerate(units, start=column):
            if (index + 1, unit) not in drawing.places:
                continue
            start = drawing.places[index + 1, unit]
            for output in np.flatnonzero(arcs_of[row]).tolist():
                if (last, output) in drawing.places:
                    curves.append(_curve(start, drawing.places[last, output], height, straight=not between))
        arcs = PathCollection(
            curves,
            facecolors="none",
            edgecolors=palette.ink,
            linewidths=0.8,
            linestyles=[(0, (3, 1.6))],
            alpha=0.75 if len(curves) < 30 else 0.4,
            zorder=1.5,
        )
        arcs.set_gid(f"outputs from layer{index}")
        ax.add_collection(arcs, autolim=False)
        column += len(units)
        ends = np.array([_middle(curve) for curve in curves] or [0.0])
        drawing.low, drawing.high = min(drawing.low, ends.min()), max(drawing.high, ends.max())


def _curve(start: Place, end: Place, height: float, *, straight: bool) -> Curve:
    """Straight to the next column; over or under the columns between, of this half height, otherwise."""
    if straight:
        return Curve([start, end], [Curve.MOVETO, Curve.LINETO])
    side = 1.0 if start[1] >= 0 else -1.0
    peak = side * (height + CLEARANCE + 0.3 * abs(start[1]))
    bend = (peak - (start[1] + end[1]) / 8.0) / 0.75  # the cubic's middle is at (y0 + 6 bend + y1) / 8
    reach = end[0] - start[0]
    first, second = (start[0] + 0.3 * reach, bend), (end[0] - 0.3 * reach, bend)
    return Curve([start, first, second, end], [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])


def _middle(curve: Curve) -> float:
    """How far a curve reaches from the middle of the picture, with sign."""
    y = np.asarray(curve.vertices)[:, 1]
    if len(y) == 2:
        return float(y[0])
    t = np.linspace(0.0, 1.0, 21)
    values = (1 - t) ** 3 * y[0] + 3 * t * (1 - t) ** 2 * y[1] + 3 * t**2 * (1 - t) * y[2] + t**3 * y[3]
    return float(values[np.argmax(np.abs(values))])


def _units(ax: Axes, palette: Palette, net: Network, drawing: _Drawing) -> None:
    skips = {index + 1: set(units) for index, units in net.skip_units}
    tallest = max(len(column.units) for column in drawing.columns)
    size = 130.0 if tallest <= 8 else 75.0
    for x, column in enumerate(drawing.columns):
        ends = x in (0, len(drawing.columns) - 1)
        ringed: NDArray[np.bool_] = np.array([unit in skips.get(x, ()) for unit in column.units])
        nodes = ax.scatter(
            np.full(len(column.units), float(x)),
            column.heights,
            s=size,
            c=palette.grid if not ends else palette.background,
            edgecolors=[palette.ink if ring or ends else palette.muted for ring in ringed],
            linewidths=[1.8 if ring else 0.9 for ring in ringed],
            zorder=4,
        )
        nodes.set_gid("input" if x == 0 else "outputs" if x == len(drawing.columns) - 1 else f"layer{x - 1}")
        if column.gap is not None:
            ax.text(x, column.gap, "\u22ee", ha="center", va="center", fontsize=11, color=palette.ink, zorder=5)
