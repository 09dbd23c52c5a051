"""One unit short, M = N - 1: a bad local valley always, never, or neither.

Found: neither, and both with a proof on the smallest instance, N = 2 distinct samples of different classes, M = 1 unit
with a positive increasing activation, a weight and a bias. Let c_0, c_1 be how often the samples occur, n = c_0 + c_1,
w = V_0 - V_1, and psi_0, psi_1 > 0 the unit's values. Then

    n Phi = c_0 log(1 + exp(-psi_0 w)) + c_1 log(1 + exp(psi_1 w)).

At w = 0, Phi = log 2, so {Phi < log 2} falls into w > 0 and w < 0. Where w > 0 the second term alone is more than
c_1 log 2, and c_1 log 2 is the infimum there (psi_1 -> 0, psi_0 w -> oo: two samples, a weight and a bias, so both
arguments are free). Where w < 0 it is c_0 log 2. So

* c_0 != c_1: the side of the rarer class's samples is a bad local valley. Refutes "never".
* c_0 = c_1: both sides have the same infimum, which is the global one; from every point psi_0 can be increased and
  psi_1 decreased (or the reverse) along a path that lowers Phi. There is no bad local valley. Refutes "always".
"""

import numpy as np
from flint import arb
from hypothesis import strategies as st

from verifier import Verdict, fuzz
from verifier.balls.exact import at_most

POSITIVE = ("sigmoid", "softplus", "exp")


@st.composite
def _specimens(draw: st.DrawFn) -> fuzz.Specimen:
    a, b = draw(st.lists(st.integers(-3, 3), min_size=2, max_size=2, unique=True))
    counts = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    rows = np.repeat([[float(a)], [float(b)]], counts, axis=0)
    halves = st.integers(-8, 8).map(lambda k: k / 2.0)
    layer = {"kind": "dense", "width": 1, "activation": draw(st.sampled_from(POSITIVE)), "skip": True}
    u = np.array(draw(st.lists(halves, min_size=2, max_size=2)))
    v = np.array([draw(st.lists(halves, min_size=2, max_size=2))])
    return fuzz.Specimen(rows, np.repeat([0, 1], counts), (layer,), u, v)


def specimens() -> st.SearchStrategy[fuzz.Specimen]:
    """Two distinct samples, each some times, and one unit."""
    return _specimens()


def _counts(specimen: fuzz.Specimen) -> tuple[int, int] | None:
    """How often both samples occur, if the specimen is of the class that the proof is about."""
    data, network = specimen.data, specimen.network
    fits = data.samples == 2 and network.skip_count == 1 and len(network.layers) == 1 and data.classes == 2
    if not fits or data.labels is None or specimen.layers[0]["activation"] not in POSITIVE:
        return None
    by_class = dict(zip(data.labels.tolist(), data.multiplicities.tolist(), strict=True))
    return (by_class[0], by_class[1]) if len(by_class) == 2 else None


def never(specimen: fuzz.Specimen) -> tuple[Verdict, str]:
    """With M = N - 1 units there is never a bad local valley."""
    counts = _counts(specimen)
    if counts is None:
        return Verdict.UNDECIDED, "not of the class that the proof is about"
    w = specimen.v[0, 0] - specimen.v[0, 1]
    here, other = (counts[1], counts[0]) if w > 0 else counts
    if w == 0 or here <= other:
        return Verdict.UNDECIDED, "this start is not in a bad valley"
    psi = next(block for _, block in specimen.enclosure().blocks()).tolist()
    labels = [0, 1] if specimen.data.labels is None else specimen.data.labels.tolist()
    signs = [-1 if label == 0 else 1 for label in labels]
    losses = [(sign * row[0] * w).exp().log1p() for sign, row in zip(signs, psi, strict=True)]
    phi = sum((c * x for c, x in zip(specimen.data.multiplicities.tolist(), losses, strict=True)), arb(0)) / sum(counts)
    if not phi < arb(2).log():
        return Verdict.UNDECIDED, "this start is not below the pass"
    return Verdict.REFUTED, (
        f"Phi < log 2 at the start (it is at most {at_most(phi)}), and nothing below log 2 that can be reached from it "
        f"is below {here}/{sum(counts)} log 2; the infimum is {other}/{sum(counts)} log 2"
    )


def always(specimen: fuzz.Specimen) -> tuple[Verdict, str]:
    """With M = N - 1 units there is always a bad local valley."""
    counts = _counts(specimen)
    if counts is None:
        return Verdict.UNDECIDED, "not of the class that the proof is about"
    if counts[0] == counts[1]:
        return Verdict.REFUTED, "both samples occur equally often: every sublevel set's components reach the infimum"
    return Verdict.PROVED, "one sample occurs more often: its side of w = 0 is a bad valley"


conjecture = never
