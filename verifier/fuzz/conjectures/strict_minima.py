"""Strict local minima of a network that is one unit short, M = N - 1: are they all global.

At M >= N no suboptimal point is a strict local minimum (C2+). One filter of length 1 that slides over the coordinates
of the samples has two hidden parameters, weight and bias, so that strict minima can be looked for up to M = N - 1.

Found: no. `SHARP` is a certified bad one: three samples of two coordinates, M = 2, four parameters. So the threshold of
C2+ is sharp, for strict minima as well. Random problems hardly ever show it. It was found otherwise: at M = N - 1 the
features leave one direction n(w, b) of the logits out, and the loss over V grows with the distance of the best logits
from its complement; a local minimum of that distance that is not 0, on a grid of (w, b), is a start for the proof.
"""

import numpy as np
from hypothesis import strategies as st

from verifier import Network, Verdict, fuzz, initialise
from verifier.run.case import build_layers

TRIALS = 8


def _specimen(rows: np.ndarray, counts: np.ndarray, activation: str, u: np.ndarray, v: list[float]) -> fuzz.Specimen:
    """One filter on samples ``(N, N - 1)`` that occur ``(N, 2)`` times with each label; V with its last column at 0."""
    layer = {"kind": "conv1d", "filters": 1, "kernel": 1, "bias": "tied", "activation": activation, "skip": True}
    labels = np.concatenate([np.repeat([0, 1], pair) for pair in counts])
    weights = np.stack([np.array(v), np.zeros(len(v))], axis=1)
    inputs = np.repeat(rows, counts.sum(axis=1), axis=0)
    return fuzz.Specimen(inputs, labels, (layer,), u, weights, (1, rows.shape[1]))


SHARP = _specimen(
    np.array([[-1.25, 1.25], [1.0, -1.75], [-1.75, 2.25]]),
    np.array([[3, 1], [2, 2], [3, 3]]),
    "tanh",
    np.array([-1.45, 0.6]),
    [1.86, 1.49],
)
"""Descents from its start end in a certified strict local minimum, and others below it."""


@st.composite
def _specimens(draw: st.DrawFn) -> fuzz.Specimen:
    samples = draw(st.integers(2, 3))
    units = samples - 1
    quarter = st.integers(-12, 12).map(lambda k: k / 4.0)
    row = st.lists(quarter, min_size=units, max_size=units).map(tuple)
    rows = draw(st.lists(row, min_size=samples, max_size=samples, unique=True))
    counts = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=samples, max_size=samples))
    layer = {"kind": "conv1d", "filters": 1, "kernel": 1, "bias": "tied", "activation": "tanh", "skip": True}
    u = initialise(Network((1, units), build_layers([layer])), seed=draw(st.integers(0, 9)))
    return _specimen(np.array(rows), np.array(counts), draw(st.sampled_from(("tanh", "sin"))), u, [0.0] * units)


def specimens() -> st.SearchStrategy[fuzz.Specimen]:
    """One filter on two or three samples, which occur with both labels; M = N - 1. One of them is `SHARP`."""
    return st.just(SHARP) | _specimens()


def conjecture(specimen: fuzz.Specimen) -> tuple[Verdict, str]:
    """Every strict local minimum of a network with M = N - 1 is global."""
    if specimen.network.skip_count != specimen.data.samples - 1:
        return Verdict.UNDECIDED, "M is not N - 1"
    found = specimen.minimum(trials=TRIALS)
    if found.bad is Verdict.PROVED:
        return Verdict.REFUTED, found.reason
    return Verdict.UNDECIDED, "a strict minimum, and nothing lower is known" if found.proved else "none was certified"
