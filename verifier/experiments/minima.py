"""An atlas of bad minima: how often descents end in a certified one, by the numbers of samples and of units.

``python -m verifier.experiments.minima FILE.csv`` writes a line for each network, N and M as soon as it is done; lines
that are there already are kept, so that a run which was interrupted goes on. With PICTURE.png after it, it draws them.

Every sample occurs one to four times with each of two labels, so that the infimum over all logits is attained: with
labels that agree most descents go to infinity. At M >= N no suboptimal strict local minimum exists (C2+): these cells
are the control.
"""

from __future__ import annotations

import csv
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from verifier.balls.binary64.backend import NotEnclosed
from verifier.balls.hessian import Labelled
from verifier.data.arrays import dataset_from_arrays
from verifier.data.grouping import Grouping, group_duplicates
from verifier.landscape.minimum import free_numbers, prove_minimum
from verifier.landscape.minimum_search import Candidate, Search
from verifier.network.layers import Conv, Dense
from verifier.network.network import Array, Network
from verifier.options import at_most_threads
from verifier.verdict import Verdict

SIZES: Final = (4, 8, 12, 16, 20, 24)
DENSE_WIDTHS: Final = 6
"""Widths of the dense layer beyond this one are left out: 3 M parameters soon are more than N logits."""
BEYOND: Final = 2
"""Beside M = N, the control has this many more units."""
DATA_SETS, STARTS = 3, 8
NEAR: Final = 1e-6
"""A loss that exceeds the infimum over all logits by less counts as the infimum."""
STEPS, STATIONARY, FAR = 5000, 1e-6, 1e4
"""Steps of a descent, and the gradient and the weights beyond which it has not settled."""
ACTIVATION: Final = "sin"
MOST_OF_A_LABEL: Final = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """Where the descents of one network on N samples ended.

    ``bad``: in a certified strict local minimum, with a certified lower point: a bad local valley. ``strict``: in a
    certified one, and none of the other descents ended lower. ``infimum``: at the infimum over all logits, in floating
    point. ``flat``: where the gradient is small, but no strict minimum is certified: units are dead or equal, weights
    grow, a saddle, or too hard. ``moving``: nowhere yet.
    """

    network: str
    samples: int
    units: int
    parameters: int
    runs: int
    bad: int
    strict: int
    infimum: int
    flat: int
    moving: int
    seconds: float


OUTCOMES: Final = ("bad", "strict", "infimum", "flat", "moving")


def cells() -> Iterator[tuple[str, int, int]]:
    """Networks, numbers of samples and of units of the atlas."""
    for samples in SIZES:
        for units in (*range(1, samples + 1), samples + BEYOND):
            yield "one filter", samples, units
            if units <= DENSE_WIDTHS or units == samples:
                yield "dense", samples, units


def network_of(kind: str, units: int) -> Network:
    """Give M units: ``sin(w x_j + b)`` for each coordinate j (one filter), or ``sin(w_j x + b_j)`` (dense)."""
    if kind == "one filter":
        return Network((1, units), Conv(1, [1], ACTIVATION, bias="tied", skip=True))
    return Network(1, Dense(units, ACTIVATION, skip=True))


def samples_of(kind: str, samples: int, units: int, seed: int) -> Grouping:
    """Distinct samples with random coordinates, each some times with each of two labels."""
    draws = np.random.default_rng((seed, samples, units))
    dimension = units if kind == "one filter" else 1
    inputs = np.zeros((samples, dimension))
    while len({tuple(row) for row in inputs.tolist()}) < samples:
        inputs = draws.integers(-256, 257, inputs.shape) / 128
    counts = draws.integers(1, MOST_OF_A_LABEL + 1, (samples, 2))
    labels = np.concatenate([np.repeat([0, 1], row) for row in counts])
    shape = (-1, 1, dimension) if kind == "one filter" else (-1, 1)
    return group_duplicates(dataset_from_arrays(np.repeat(inputs, counts.sum(1), axis=0).reshape(shape), labels))


def explore(kind: str, samples: int, units: int) -> Cell:
    """Descend from random starts, and prove what can be proved of where the descents end.

    Parameters
    ----------
    kind
        "one filter" or "dense".
    samples, units
        N and M.

    Returns
    -------
    Cell
        Guarantee: ``bad`` and ``strict`` count ends at which BM is PROVED, ``bad`` those with a certified lower point.
    """
    network, found, began = network_of(kind, units), Counter[str](), time.perf_counter()
    free = free_numbers(network, np.zeros((units, 2)))
    for seed in range(DATA_SETS):
        grouping = samples_of(kind, samples, units, seed)
        rows, counts = grouping.dataset, grouping.label_counts
        if counts is None:
            continue
        shares = counts / counts.sum(axis=1, keepdims=True)
        infimum = -float((counts * np.log(shares)).sum() / counts.sum())
        search = Search(network, Labelled.of(rows.inputs, counts, None), free)
        ends = [descend(search, start, infimum) for start in search.starts(1000 * seed, STARTS)]
        lowest = min(ends, key=lambda end: end.loss)
        for end in ends:
            found[_outcome(network, grouping, end, lowest)] += 1
    counted = {name: found[name] for name in OUTCOMES}
    seconds = round(time.perf_counter() - began, 2)
    return Cell(kind, samples, units, len(free), DATA_SETS * STARTS, **counted, seconds=seconds)


def descend(search: Search, start: Array, infimum: float) -> Candidate:
    """Where L-BFGS and then Newton's method end; a proposal, which nothing rests on.

    Both networks are ``sin(w x + b)`` with w and b of size 1 or M: written out, as that is a hundred times faster.
    """
    inputs, counts, total = search.samples.inputs, search.samples.counts, search.samples.counts.sum()
    units = search.network.columns
    shared = (len(start) - units) // 2

    def value(theta: Array) -> tuple[float, Array]:
        w, b, v = theta[:shared], theta[shared : 2 * shared], theta[2 * shared :]
        features, rates = np.sin(inputs * w + b), np.cos(inputs * w + b)
        logits = features @ v
        loss = (counts[:, 0] * np.logaddexp(0, -logits) + counts[:, 1] * np.logaddexp(0, logits)).sum() / total
        slope = (counts.sum(axis=1) * expit(logits) - counts[:, 0]) / total
        back = slope[:, np.newaxis] * v * rates
        parts = [part.sum() if shared == 1 else part.sum(axis=0) for part in (back * inputs, back)]
        return float(loss), np.concatenate([np.atleast_1d(part) for part in parts] + [features.T @ slope])

    options = {"maxiter": STEPS, "maxfun": 2 * STEPS, "gtol": 1e-9, "ftol": 0.0, "maxcor": 30}
    theta = np.asarray(minimize(value, start, jac=True, method="L-BFGS-B", options=options).x)
    loss, slope = value(theta)
    if loss < infimum + NEAR:
        return Candidate(*search.parts(theta), loss, "infimum")
    if np.abs(slope).max() > STATIONARY or np.abs(theta).max() > FAR:
        return Candidate(*search.parts(theta), loss, "moving")
    try:
        exact, obstacle = search.newton(theta)
    except (NotEnclosed, np.linalg.LinAlgError):
        exact, obstacle = theta, "flat"
    return Candidate(*search.parts(exact), value(exact)[0], "flat" if obstacle else "")


def _outcome(network: Network, grouping: Grouping, end: Candidate, lowest: Candidate) -> str:
    if end.obstacle:
        return end.obstacle
    others, counts = [(lowest.u, lowest.v)], grouping.label_counts
    proof = prove_minimum(network, end.u, end.v, grouping.dataset, label_counts=counts, others=others)
    if not proof.proved:
        return "flat"
    return "bad" if proof.bad is Verdict.PROVED else "strict"


def read_atlas(file: Path) -> list[Cell]:
    """Read the cells of a table that `main` wrote; none if there is no such file."""
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    kinds: dict[str, Callable[[str], Any]] = {"network": str, "seconds": float}
    return [Cell(**{name: kinds.get(name, int)(text) for name, text in row.items()}) for row in rows]


def main(arguments: list[str]) -> int:
    """Write the table, and the picture if one is asked for; the exit code."""
    if not 1 <= len(arguments) <= 2 or arguments[0].startswith("-"):
        print("usage: python -m verifier.experiments.minima FILE.csv [PICTURE.png]", file=sys.stderr)
        return 2
    file = Path(arguments[0])
    done = {(cell.network, cell.samples, cell.units) for cell in read_atlas(file)}
    names = [field.name for field in fields(Cell)]
    with at_most_threads(1):
        for place in cells():
            if place in done:
                continue
            row = asdict(explore(*place))
            fresh = not file.exists()
            with file.open("a", encoding="utf-8", newline="") as lines:
                writer = csv.DictWriter(lines, names, lineterminator="\n")
                if fresh:
                    writer.writeheader()
                writer.writerow(row)
            print(*(f"{key} {value}" for key, value in row.items()), sep=", ")
    if len(arguments) == 2:
        from verifier.experiments.minima_figure import draw_atlas  # matplotlib is slow to load

        draw_atlas(read_atlas(file)).savefig(arguments[1], dpi=110)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
