"""The paper's figures 1-3 from real computations: a title says what was proved while the figure was made."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from verifier.balls.exact import at_most
from verifier.data.dataset import Dataset
from verifier.data.grouping import group_duplicates
from verifier.errors import PrecisionError
from verifier.network.layers import Conv, Dense
from verifier.network.network import Array, Network
from verifier.outcome import Report
from verifier.plot.descent import certified_path
from verifier.plot.graph import network as draw_network
from verifier.plot.slices import Direction, losses_on_plane
from verifier.plot.style import dress, outline, palette_of, write_on
from verifier.plot.surface import figure3
from verifier.plot.valley import BadValley, prove_bad_valley
from verifier.problem import Problem
from verifier.prove import prove
from verifier.sigma.activations import activation
from verifier.verdict import Verdict

COUNTS = (3, 1)
"""Figure 1: how often the two samples occur."""
SLOPE, HEIGHT = -3.0, -6.0
"""Figure 1: the unit's weight, and w = V_0 - V_1, at the start in the bad valley."""
LOW_POINT = (6.0, 10.0)
"""Figure 1: weight and w of a point that is lower than the bad valley."""
REACH = 12.0
"""Figure 1: how far the weights go."""
LOG2 = float(np.log(2.0))
LEVELS = (
    1e-5,
    1e-4,
    1e-3,
    0.01,
    0.05,
    0.1,
    0.25 * LOG2,
    0.3,
    0.4,
    0.75 * LOG2,
    0.6,
    LOG2,
    0.85,
    1.0,
    1.5,
    2.5,
    4.0,
    7.0,
    12.0,
)
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
        Left: N = 2 samples, M = 1 unit, over the unit's weight and w = V_0 - V_1; the bad valley of
        `verifier.plot.valley`. Right: M = 2 units, over both units' w, with the certified path that leaves the same
        starting point.

    Raises
    ------
    PrecisionError, InputError
        If what the titles state was not proved.
    """
    samples = unequal_pair()
    data = group_duplicates(samples).dataset
    one = Network((1,), (Dense(1, activation("sigmoid"), skip=True),))
    valley = prove_bad_valley(one, data, _point([SLOPE], [HEIGHT]), _point([LOW_POINT[0]], [LOW_POINT[1]]))
    two = Network((1,), (Dense(2, activation("sigmoid"), skip=True),))
    u, v = _point([SLOPE, -SLOPE], [HEIGHT, 0.0])
    report = prove(Problem(samples, two, u, v))
    if valley.verdict is not Verdict.PROVED:
        raise PrecisionError(f"the valley was not proved to be bad: {valley.reason}")
    if report.verdict("T3.4(2)") is not Verdict.PROVED:
        raise PrecisionError("T3.4(2) was not proved for two units")
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _one_unit(left, one, data, valley, points)
    filled = _two_units(right, report, points)
    bar = figure.colorbar(filled, ax=[left, right], pad=0.015, ticks=[*LEVELS[:6:2], *LEVELS[6::3], LEVELS[-1]])
    bar.ax.set_yticklabels([f"{level:.2g}" for level in [*LEVELS[:6:2], *LEVELS[6::3], LEVELS[-1]]])
    bar.set_label(r"cross-entropy $\Phi$ (approx., float)")
    figure.suptitle("A landscape with a bad local valley, and one without", fontsize=12)
    return figure


def unequal_pair() -> Dataset:
    """The samples of figure 1: x = 1 of class 0, three times, and x = -1 of class 1, once."""
    inputs = np.repeat([[1.0], [-1.0]], COUNTS, axis=0)
    return Dataset("two samples", inputs, np.repeat(np.array([0, 1]), COUNTS), 2)


def _point(slopes: list[float], heights: list[float]) -> tuple[Array, Array]:
    """U with these weights and biases 0, V with these differences of its columns."""
    half = np.array(heights) / 2.0
    return np.array([*slopes, *(0.0 for _ in slopes)]), np.stack([half, -half], axis=1)


def _one_unit(ax: Axes, network: Network, data: Dataset, valley: BadValley, points: int) -> None:
    slopes = np.linspace(-8.0, 8.0, points + points % 2)
    heights = np.linspace(-REACH, REACH, points + points % 2)  # an even number: w = 0 lies between two
    origin = _point([0.0], [0.0])
    losses = losses_on_plane(network, *origin, data, (_weight_direction(), _output_direction(1, 0)), slopes, heights)
    _fill(ax, slopes, heights, losses)
    ax.contour(slopes, heights, losses, levels=[0.75 * LOG2], colors="white", linewidths=1.2, linestyles="dashed")
    write_on(ax, -4.6, 0.75, r"pass: $\Phi = \log 2$ where $w = 0$")
    write_on(ax, -7.8, -10.3, "a bad valley: in all of it\n" r"$\Phi > \frac{3}{4}\,\log 2$ (proved)", ha="left")
    ax.plot([LOW_POINT[0]], [LOW_POINT[1]], "D", color="white", markeredgecolor="black", markersize=6, gid="elsewhere")
    write_on(ax, LOW_POINT[0] - 0.5, LOW_POINT[1], f"$\\Phi$ < {_up(valley.elsewhere)} (proved)", ha="right")
    ax.plot([SLOPE], [HEIGHT], "o", color="white", markeredgecolor="black", markersize=7, gid="start", zorder=6)
    write_on(ax, SLOPE + 0.5, HEIGHT, f"start, $\\Phi$ < {_up(valley.inside)}", ha="left")
    title = "N = 2 samples (3 : 1), M = 1 unit\nPROVED: a bad local valley"
    dress(ax, title=title, x="weight of the unit (bias 0)", y=r"$w = V_{10} - V_{11}$ of the first unit", grid=None)


def _up(value: float) -> str:
    """An upper bound in three digits, rounded up."""
    return at_most(value, 3)


def _two_units(ax: Axes, report: Report, points: int) -> Any:
    steps = np.linspace(-REACH, REACH, points + points % 2)
    v = 0.0 * report.v
    pair = (_output_direction(2, 1), _output_direction(2, 0))
    losses = losses_on_plane(report.network, report.u, v, report.data, pair, steps, steps)
    filled = _fill(ax, steps, steps, losses)
    times = np.linspace(0.0, 3.0, 301)
    path, _ = certified_path(report)
    places = np.array([path.V(t) for t in times.tolist()])
    w = places[:, :, 0] - places[:, :, 1]
    inside = (np.abs(w) <= REACH).all(axis=1)
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
    write_on(ax, w[0, 1] - 0.6, w[0, 0] + 0.2, "the same start", ha="right")
    write_on(ax, w[end, 1] - 0.7, w[end, 0] - 0.9, r"$\kappa V_1$", ha="right")
    write_on(ax, 5.6, -4.6, "certified path\nto loss 0", ha="left")
    write_on(ax, -6.0, 7.5, r"$\Phi > \log 2$")
    title = "the same samples, M = 2 units\nPROVED: no bad local valley (T3.4(2), by W0)"
    dress(ax, title=title, x=r"$w = V_{20} - V_{21}$ of the added unit (weights: $-3$ and $3$)", y="", grid=None)
    return filled


def _weight_direction() -> Direction:
    return np.array([1.0, 0.0]), np.zeros((1, 2))


def _output_direction(units: int, unit: int) -> Direction:
    """The direction in which ``w = V_0 - V_1`` of one unit grows by 1 a step."""
    v = np.zeros((units, 2))
    v[unit] = (0.5, -0.5)
    return np.zeros(2 * units), v


def _fill(ax: Axes, first: Array, second: Array, losses: Array) -> Any:
    palette = palette_of(ax)
    norm = BoundaryNorm(LEVELS, 256)
    filled = ax.contourf(first, second, losses, levels=LEVELS, norm=norm, cmap=palette.sequential, extend="both")
    filled.set_edgecolor("face")
    ax.contour(first, second, losses, levels=LEVELS, colors="black", linewidths=0.3, alpha=0.4)
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
    figure.suptitle("Arcs of one colour share their weight; every grey arc has a weight of its own", fontsize=10)
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
