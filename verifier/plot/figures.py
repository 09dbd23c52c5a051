"""The paper's figures 1-3 from real computations: a title says what was proved while the figure was made."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from verifier.balls.exact import at_least, at_most
from verifier.balls.hessian import Labelled
from verifier.data.dataset import Dataset
from verifier.data.grouping import group_duplicates
from verifier.errors import PrecisionError
from verifier.landscape.minimum import Minimum, free_numbers, prove_minimum
from verifier.landscape.minimum_search import Search
from verifier.network.layers import Conv, Dense
from verifier.network.network import Array, Network
from verifier.outcome import Report
from verifier.plot.descent import certified_path
from verifier.plot.description import describe, describe_figure, told
from verifier.plot.directions import Direction
from verifier.plot.graph import network as draw_network
from verifier.plot.places import Places, name_on_surface
from verifier.plot.slices import losses_on_plane
from verifier.plot.style import dress, outline, palette_of
from verifier.plot.surface import figure3
from verifier.problem import Problem
from verifier.prove import prove
from verifier.sigma.activations import activation
from verifier.verdict import Verdict

SAMPLES, COUNTS = (3.0, 1.0), (2, 1)
"""Figure 1: the two samples, of class 0 and of class 1, and how often they occur."""
NEAR = (0.7, 1.2)
"""Figure 1: the unit's weight, and w = V_0 - V_1, near the bad minimum (the weight is log 2 there)."""
LOW_POINT = (-1.5, -7.5)
"""Figure 1: weight and w of a point that is lower than the bad valley."""
ADDED = -1.0
"""Figure 1: the weight of the added unit."""
REACH, ACROSS = 12.0, (-36.0, 6.0)
"""Figure 1: how far the weights go."""
FAR = (14.0, 24.0, 34.0, 44.0, 54.0)
"""Figure 1: how far from its mark a label may stand that has no room beside it, in points."""
LOG2 = float(np.log(2.0))
LEVELS = (1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, LOG2, 0.85, 1.0, 1.5, 2.5, 4.0, 7.0)
"""Figure 1: levels of the loss, denser around those that matter."""


def figure1(*, points: int = 160) -> Figure:
    """A landscape with a bad local valley, and one without: the same data, one unit and two.

    Parameters
    ----------
    points
        The grids have ``points x points`` evaluations (in plain floating point; the statements in the titles are
        proved).

    Returns
    -------
    Figure
        Left: N = 2 samples, M = 1 unit, over the unit's weight and w = V_0 - V_1, the only free numbers; the strict
        local minimum is proved, and that a point elsewhere is lower (BM). Right: M = 2 units, over both units' w, with
        the certified path that starts in the same minimum.

    Raises
    ------
    PrecisionError, InputError
        If what the titles state was not proved.
    """
    samples = unequal_pair()
    data = group_duplicates(samples).dataset
    valley = bad_minimum(data)
    slope, height = float(valley.u[0]), float(valley.v[0, 0])
    report = prove(Problem(samples, units(2), *_point([slope, ADDED], [height, 0.0])))
    if valley.bad is not Verdict.PROVED:
        raise PrecisionError(f"the valley was not proved to be bad: {valley.reason}")
    if report.verdict("T3.4(2)") is not Verdict.PROVED:
        raise PrecisionError("T3.4(2) was not proved for two units")
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _one_unit(left, data, valley, points)
    filled = _two_units(right, report, points)
    bar = figure.colorbar(filled, ax=[left, right], pad=0.015, ticks=[*LEVELS[:6:2], *LEVELS[6::3], LEVELS[-1]])
    bar.ax.set_yticklabels([f"{level:.2g}" for level in [*LEVELS[:6:2], *LEVELS[6::3], LEVELS[-1]]])
    bar.set_label(r"cross-entropy $\Phi$ (approx., float)")
    title = "A landscape with a bad local valley, and one without"
    figure.suptitle(title, fontsize=12)
    describe_figure(figure, title, told(figure)[1])
    return figure


def unequal_pair() -> Dataset:
    """The samples of figure 1: x = 3 of class 0, twice, and x = 1 of class 1, once."""
    inputs = np.repeat(np.array(SAMPLES)[:, None], COUNTS, axis=0)
    return Dataset("two samples", inputs, np.repeat(np.array([0, 1]), COUNTS), 2)


def units(count: int) -> Network:
    """The networks of figure 1: sigmoid units with biases frozen at 0."""
    return Network((1,), Dense(count, "sigmoid", skip=True), frozen={"layer0.bias": np.zeros(count)})


def bad_minimum(data: Dataset) -> Minimum:
    """The strict local minimum of figure 1 with one unit, and that it is bad."""
    network = units(1)
    samples = Labelled.of(data.inputs, np.diag(data.multiplicities))
    end = Search(network, samples, free_numbers(network, np.zeros((1, 2)))).descend(np.array(NEAR))
    return prove_minimum(network, end.u, end.v, data, others=[_point([LOW_POINT[0]], [LOW_POINT[1]])])


def _point(slopes: list[float], heights: list[float]) -> tuple[Array, Array]:
    """U with these weights, V with these differences of its columns, the last of which is 0."""
    return np.array(slopes), np.stack([np.array(heights), np.zeros(len(heights))], axis=1)


def _one_unit(ax: Axes, data: Dataset, valley: Minimum, points: int) -> None:
    slopes = np.linspace(-6.0, 6.0, points + points % 2)
    heights = np.linspace(-REACH, REACH, points + points % 2)  # an even number: w = 0 lies between two
    origin = _point([0.0], [0.0])
    pair = (_weight_direction(), _output_direction(1, 0))
    _fill(ax, slopes, heights, losses_on_plane(valley.network, *origin, data, pair, slopes, heights))
    ax.plot([LOW_POINT[0]], [LOW_POINT[1]], "D", color="white", markeredgecolor="black", markersize=6, gid="elsewhere")
    slope, height = float(valley.u[0]), float(valley.v[0, 0])
    ax.plot([slope], [height], "o", color="white", markeredgecolor="black", markersize=7, gid="start", zorder=6)
    title = "N = 2 samples (2 : 1), M = 1 unit\nPROVED: a bad local valley (BM)"
    dress(ax, title=title, x="weight of the unit (no bias)", y=r"$w = V_{10} - V_{11}$ of the first unit", grid=None)
    rim, lower = at_least(valley.floor, 3), "" if valley.better is None else at_most(valley.better.loss, 3)
    places = Places(ax)
    minimum = f"a strict local minimum:\n$\\Phi$ > {rim} around it (proved)"
    name_on_surface(places, (slope, height), minimum, away=FAR, line=True)
    name_on_surface(places, LOW_POINT, f"$\\Phi$ < {lower} (proved)")
    name_on_surface(places, (-5.9, 0.0), r"pass: $\Phi = \log 2$ where $w = 0$")
    said = f"Loss over the weight of one unit and w. PROVED: a strict local minimum, the loss is at least {rim} "
    said += f"in a ball around it; at another point it is at most {lower}, so its valley is bad (BM)."
    describe(ax, "One unit, two samples: a bad local valley", said)


def _two_units(ax: Axes, report: Report, points: int) -> Any:
    across = np.linspace(*ACROSS, points + points % 2)
    steps = np.linspace(-REACH, REACH, points + points % 2)
    v = 0.0 * report.v
    pair = (_output_direction(2, 1), _output_direction(2, 0))
    losses = losses_on_plane(report.network, report.u, v, report.data, pair, across, steps)
    filled = _fill(ax, across, steps, losses)
    times = np.linspace(0.0, 3.0, 301)
    path, _ = certified_path(report)
    v_on_path = np.array([path.V(t) for t in times.tolist()])
    w = v_on_path[:, :, 0] - v_on_path[:, :, 1]
    inside = (w[:, 1] >= ACROSS[0]) & (np.abs(w[:, 0]) <= REACH)
    ax.plot(w[inside, 1], w[inside, 0], color="white", linewidth=2.2, gid="path", zorder=5, path_effects=outline(3.6))
    last = int(np.flatnonzero(inside)[-1])
    ax.annotate(
        "",
        (w[last, 1], w[last, 0]),
        (w[last - 8, 1], w[last - 8, 0]),
        arrowprops={"arrowstyle": "-|>", "color": "white", "linewidth": 2.2, "shrinkB": 0},
        zorder=6,
    )
    ax.plot([w[0, 1]], [w[0, 0]], "o", color="white", markeredgecolor="black", markersize=7, gid="start", zorder=6)
    end = 100  # path time 1
    ax.plot([w[end, 1]], [w[end, 0]], "s", color="white", markeredgecolor="black", markersize=5, zorder=6)
    title = "the same samples, M = 2 units\nPROVED: no bad local valley (T3.4(2), by W0)"
    dress(ax, title=title, x=r"$w = V_{20} - V_{21}$ of the added unit (weights: $\log 2$ and $-1$)", y="", grid=None)
    places = Places(ax)
    name_on_surface(places, (w[0, 1], w[0, 0]), "the same start", away=FAR, line=True)
    name_on_surface(places, (w[end, 1], w[end, 0]), r"$\kappa V_1$")
    name_on_surface(places, (w[last // 2 + end // 2, 1], w[last // 2 + end // 2, 0]), "certified path to loss 0")
    name_on_surface(places, (-18.0, -8.0), r"$\Phi > \log 2$")
    said = (
        "Loss over w of both units. PROVED: no bad local valley (T3.4(2), by W0); the white line is the certified path"
    )
    describe(
        ax, "The same samples, two units: no bad local valley", f"{said} from the same start, on which the loss falls."
    )
    return filled


def _weight_direction() -> Direction:
    return np.array([1.0]), np.zeros((1, 2))


def _output_direction(units: int, unit: int) -> Direction:
    """The direction in which ``w = V_0 - V_1`` of one unit grows by 1 a step."""
    v = np.zeros((units, 2))
    v[unit, 0] = 1.0
    return np.zeros(units), v


def _fill(ax: Axes, first: Array, second: Array, losses: Array) -> Any:
    palette = palette_of(ax)
    norm = BoundaryNorm(LEVELS, 256)
    filled = ax.contourf(first, second, losses, levels=LEVELS, norm=norm, cmap=palette.sequential, extend="both")
    filled.set_edgecolor("face")
    filled.set_gid("surface")
    ax.contour(first, second, losses, levels=LEVELS, colors="black", linewidths=0.3, alpha=0.4).set_gid("levels")
    above = ax.contourf(first, second, losses, levels=[LOG2, 1e300], colors=[palette.background], alpha=0.3)
    above.set_gid("above log 2")
    border = ax.contour(first, second, losses, levels=[LOG2], colors="#ff8c3a", linewidths=2.0)
    border.set_gid("log 2")
    return filled


def figure2() -> Figure:
    """The network as a graph: plain, and with skip connections to the outputs; shared weights have a colour each.

    Returns
    -------
    Figure
        Left: only the last hidden layer is connected to the outputs. Right: so are the units of the convolution.
    """
    figure = Figure(figsize=(10.4, 4.4), layout="constrained")
    for ax, skip, title in zip(
        figure.subplots(1, 2),
        (False, True),
        ("plain: only the last hidden layer feeds the outputs", "with skip connections to the outputs (dashed)"),
        strict=True,
    ):
        net = shared_network(skip)
        draw_network(net, ax, outputs=3)
        ax.set_title(f"{title}\nM = {net.skip_count} columns of " + r"$\Psi$ (rings)")
    title = "Arcs of one colour share their weight; every grey arc has a weight of its own"
    figure.suptitle(title, fontsize=10)
    describe_figure(figure, f"A network as a graph: {title}", told(figure)[1])
    return figure


def shared_network(skip: bool) -> Network:
    """The network of figure 2: a convolution with two filters and two dense layers."""
    return Network(
        (1, 6),
        (
            Conv(2, (3,), activation("softplus"), skip=skip),
            Dense(5, activation("sigmoid")),
            Dense(4, activation("sigmoid"), skip=True),
        ),
    )


FIGURES = {"figure1": figure1, "figure2": figure2, "figure3": figure3}
"""The figures by name."""
