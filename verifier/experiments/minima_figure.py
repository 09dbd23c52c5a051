"""The atlas of bad minima as a picture: where descents end in a certified one, and what the others came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from verifier.experiments.minima import OUTCOMES, Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = {
    "bad": "#b42318", "strict": "#e69f00", "infimum": "#0072b2", "flat": "#999999", "moving": "#dddddd",
}  # fmt: skip
WORDS: Final = {
    "bad": "certified strict minimum, certified lower point: a bad valley",
    "strict": "certified strict minimum, nothing lower among the runs",
    "infimum": "at the infimum over all logits (float)",
    "flat": "nothing certified: flat (weights grow, units dead or equal), or a saddle",
    "moving": "not settled: the gradient is not small",
}
TITLES: Final = {
    "one filter": r"one filter: $\sin(w x_j + b)$, $M + 2$ parameters",
    "dense": r"dense: $\sin(w_j x + b_j)$, $3M$ parameters",
}
SHADES: Final = LinearSegmentedColormap.from_list("bad", ["#ffffff", "#b42318"])
DARK: Final = 0.55
"""From this share on the count is written in white."""


def draw_atlas(found: Sequence[Cell]) -> Figure:
    """Draw both networks: counts of bad minima by N and M, and all outcomes for the most samples.

    Parameters
    ----------
    found
        The cells.

    Returns
    -------
    Figure
    """
    kinds = [kind for kind in TITLES if any(cell.network == kind for cell in found)]
    figure, axes = plt.subplots(
        2, len(kinds), figsize=(5.6 * len(kinds), 9.4), height_ratios=(2.3, 1), layout="constrained", squeeze=False
    )
    for (above, below), kind in zip(axes.T, kinds, strict=True):
        own = [cell for cell in found if cell.network == kind]
        _counts(above, own)
        above.set_title(TITLES[kind], fontsize=11)
        _outcomes(below, own)
    handles, labels = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=1, frameon=False)
    return figure


def _counts(ax: Axes, found: Sequence[Cell]) -> None:
    sizes = sorted({cell.samples for cell in found})
    widths = range(1, max(cell.units for cell in found) + 1)
    shares = np.full((len(widths), len(sizes)), np.nan)
    for cell in found:
        row, column = cell.units - 1, sizes.index(cell.samples)
        share = shares[row, column] = cell.bad / cell.runs
        ax.text(column, cell.units, str(cell.bad), ha="center", va="center", fontsize=8)
        ax.texts[-1].set_color("white" if share > DARK else "black")
    edges = -0.5, len(sizes) - 0.5, 0.5, len(widths) + 0.5
    ax.imshow(shares, origin="lower", aspect="auto", cmap=SHADES, vmin=0, vmax=1, extent=edges)
    for column, size in enumerate(sizes):
        ax.plot([column - 0.5, column + 0.5], [size - 0.5] * 2, color="black", linewidth=1.5)
    runs = max(cell.runs for cell in found)
    ax.set(xticks=range(len(sizes)), xticklabels=sizes, xlabel="N, distinct samples", ylabel="M, units")
    ax.text(
        0.02, 0.98, f"of {runs} descents: certified bad\nfrom the line M = N on none", transform=ax.transAxes, va="top"
    )


def _outcomes(ax: Axes, found: Sequence[Cell]) -> None:
    most = max(cell.samples for cell in found)
    own = sorted((cell for cell in found if cell.samples == most), key=lambda cell: cell.units)
    places, base = np.arange(len(own)), np.zeros(len(own))
    for name in OUTCOMES:
        heights = np.array([getattr(cell, name) / cell.runs for cell in own])
        ax.bar(places, heights, bottom=base, color=COLOURS[name], label=WORDS[name], width=0.9)
        base += heights
    ax.set(xticks=places, xticklabels=[cell.units for cell in own], xlabel=f"M, at N = {most}", ylabel="share")
    ax.tick_params(axis="x", labelsize=8)
