"""Strict local minima of a network that is nearly wide enough: are they all global.

At M >= N no suboptimal point is a strict local minimum (C2+). With one filter that slides over the coordinates of the
samples, tied weight and bias, M units have two hidden parameters only, so that strict minima may exist up to M = N - 1.

Found: no. One filter on three samples of two coordinates, M = 2 = N - 1: certified strict local minima with a certified
lower point elsewhere. The threshold of C2+ is sharp, for strict minima as well.
"""

import numpy as np
from hypothesis import strategies as st

from verifier import Network, Verdict, fuzz, initialise
from verifier.run.case import build_layers

TRIALS = 12


@st.composite
def _specimens(draw: st.DrawFn) -> fuzz.Specimen:
    samples = draw(st.integers(2, 3))
    units = samples - 1
    quarter = st.integers(-12, 12).map(lambda k: k / 4.0)
    row = st.lists(quarter, min_size=units, max_size=units).map(tuple)
    rows = draw(st.lists(row, min_size=samples, max_size=samples, unique=True))
    counts = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=samples, max_size=samples))
    inputs = np.repeat(np.array(rows), [sum(pair) for pair in counts], axis=0)
    labels = np.concatenate([np.repeat([0, 1], pair) for pair in counts])
    layer = {"kind": "conv1d", "filters": 1, "kernel": 1, "bias": "tied", "activation": "sin", "skip": True}
    u = initialise(Network((1, units), build_layers([layer])), seed=draw(st.integers(0, 9)))
    return fuzz.Specimen(inputs, labels, (layer,), u, np.zeros((units, 2)), (1, units))


def specimens() -> st.SearchStrategy[fuzz.Specimen]:
    """One filter with tied weights on two or three samples, which occur with both labels; M = N - 1."""
    return _specimens()


def conjecture(specimen: fuzz.Specimen) -> tuple[Verdict, str]:
    """Every strict local minimum of a network with M = N - 1 is global."""
    if specimen.network.skip_count != specimen.data.samples - 1:
        return Verdict.UNDECIDED, "M is not N - 1"
    found = specimen.minimum(trials=TRIALS)
    if found.bad is Verdict.PROVED:
        return Verdict.REFUTED, found.reason
    return Verdict.UNDECIDED, "a strict minimum, and nothing lower is known" if found.proved else "none was certified"
