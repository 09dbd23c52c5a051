"""Loss surfaces around what SGD found: the network with two hidden layers on few images, with and without skips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from safetensors.numpy import load_file

from verifier.experiments.plan import PlannedRun
from verifier.experiments.results import Drawing
from verifier.network.network import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from verifier.experiments.record import Run

POINTS: Final = 61
SPAN: Final = 1.0
"""The plane reaches so far from the weights in each direction, in units of the filters' norms."""
FLOOR: Final = 1e-6


def surface_figure(jobs: Sequence[PlannedRun], runs: Sequence[Run], folder: Path) -> Drawing:
    """Draw the loss on a plane around the weights of each run.

    Parameters
    ----------
    jobs, runs : sequence of PlannedRun, sequence of Run
        The runs of ``surface``, in the same order: with skips and without.
    folder : Path
        Has their weights, in ``weights/``.

    Returns
    -------
    Drawing
        The figure: losses of the grid in floating point. The caption says what is proved about the network.
    """
    said = "; ".join(
        f"{'with' if run.skip else 'without'} skips, full rank at almost every U (so no bad local valley): "
        f"{'not asked' if run.certified is None else run.certified.verdict('generic')}"
        for run in runs
    )
    caption = (
        f"Loss of {runs[0].architecture} ({runs[0].activation}) on {runs[0].samples} training images of {runs[0].data},"
        f" around the weights that SGD found, on a plane of two random directions in which each filter is as long as"
        f" its weights (floating point, {POINTS} x {POINTS}). {said}."
    )
    return Drawing(f"surface-{runs[0].architecture}", lambda: _figure(jobs, runs, folder), caption)


def weights_of(job: PlannedRun, folder: Path) -> tuple[Array, Array]:
    """(U, V) of a finished run, from ``weights/NAME.safetensors``; a case's ``start.file`` takes it as well."""
    from verifier.experiments.worker import network_of, split_of

    network, _ = network_of(job, split_of(job))
    tensors = load_file(folder / "weights" / f"{job.name}.safetensors")
    u = np.zeros(network.parameter_count)
    for view in network.parameters:
        view.of(u)[...] = tensors[view.name]
    return u, tensors["V"].astype(np.float64)


def _figure(jobs: Sequence[PlannedRun], runs: Sequence[Run], folder: Path) -> Figure:
    from matplotlib.figure import Figure

    from verifier.experiments.worker import network_of, split_of
    from verifier.plot.directions import filter_normalised, random_direction
    from verifier.plot.slices import fill_surface, losses_on_plane
    from verifier.plot.style import dress

    figure = Figure(figsize=(10.4, 4.6), layout="constrained")
    steps = np.linspace(-SPAN, SPAN, POINTS)
    for ax, job, run in zip(figure.subplots(1, len(runs), squeeze=False)[0], jobs, runs, strict=True):
        split = split_of(job)
        network, _ = network_of(job, split)
        u, v = weights_of(job, folder)
        pair = tuple(
            filter_normalised(network, u, v, random_direction(network, split.train.classes, seed)) for seed in (0, 1)
        )
        losses = losses_on_plane(network, u, v, split.train, (pair[0], pair[1]), steps, steps)
        fill_surface(ax, steps, steps, losses, floor=FLOOR)
        ax.plot([0], [0], "o", color="white", markeredgecolor="black", markersize=7)
        name = f"{run.skip_units} skip units" if run.skip else f"no skips, {run.skip_units} units of the last layer"
        dress(
            ax,
            title=f"{name}\nloss at SGD's weights {run.last.train_loss:.3g}",
            x="first random direction",
            y="second random direction",
            grid=None,
        )
    return figure
