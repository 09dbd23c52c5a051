"""Tied biases: is one bias per filter, as deep-learning libraries have it, as good as one per unit.

Found: no. Psi can be rank deficient for EVERY U, although the same network with a bias per unit has full rank at almost
every U: where all patches of each sample are equal, all positions of a filter compute one number, and it is the bias
alone that could tell them apart. The counterexample is as small as it gets: two samples with equal coordinates, one
filter of width 1. (This is why Lemma 3.2 needs more than Assumption 3.1 where weights are shared.)
"""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from verifier import Network, Verdict, fuzz, initialise, structural_bound_every_u
from verifier.run.case import build_layers

SEEDS = range(3)


@st.composite
def _specimens(draw: st.DrawFn) -> fuzz.Specimen:
    d, filters = draw(st.integers(2, 4)), draw(st.integers(1, 3))
    number = st.integers(-3, 3).map(float)
    row = number.map(lambda x: (x,) * d) | st.lists(number, min_size=d, max_size=d).map(tuple)
    rows = draw(st.lists(row, min_size=2, max_size=4, unique=True))
    layer = {"kind": "conv1d", "filters": filters, "kernel": draw(st.integers(1, d - 1)), "bias": "tied"}
    layer |= {"activation": draw(fuzz.activations("bounded")), "skip": True}
    network = Network((1, d), build_layers([layer]))
    u = initialise(network, seed=draw(st.integers(0, 9)))
    labels = np.arange(len(rows)) % 2
    return fuzz.Specimen(np.array(rows), labels, (layer,), u, np.zeros((network.skip_count, 2)), (1, d))


def specimens() -> st.SearchStrategy[fuzz.Specimen]:
    """Convolutional layers with tied biases, on samples some of which have equal coordinates."""
    return _specimens()


def conjecture(specimen: fuzz.Specimen) -> tuple[Verdict, str]:
    """A convolutional layer with tied biases has full rank somewhere if the one with a bias per unit has."""
    network, data = specimen.network, specimen.data
    bound = structural_bound_every_u(network, data.inputs)
    if network.skip_count < data.samples:
        return Verdict.UNDECIDED, "fewer units than samples"
    if bound is None:
        tied = specimen.rank().verdict is Verdict.PROVED
        return (Verdict.PROVED, "full rank at U") if tied else (Verdict.UNDECIDED, "not decided")
    free = tuple({**layer, "bias": "per-unit"} for layer in specimen.layers)
    untied = Network(network.input_shape, build_layers(free))
    for seed in SEEDS:
        if replace(specimen, layers=free, u=initialise(untied, seed=seed)).rank().verdict is Verdict.PROVED:
            return Verdict.REFUTED, f"tied: rank <= {bound.rank_at_most} < N = {data.samples} for every U; per unit: N"
    return Verdict.UNDECIDED, "deficient either way"
