"""Two wide networks, M >= N: are they always joined without a barrier along the straight line between their U.

That is, by V(t), t in [0, 1], with the loss of (U_A + t (U_B - U_A), V(t)) nowhere above the larger one of both ends'.

Found: no. Full rank of Psi is generic in U, but a line may cross the set where it fails: from U to -U it passes through
0. There all samples have the same features, so that no V has a loss below the least one of constant logits (log 2 for
classes of equal numbers), while both ends may have any small loss. Theorem MC asks for a polygon, not for a line: one
point in between joins such ends. Nor does a line through U = 0 do harm where an end's loss is above that bound.
"""

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from verifier import Verdict, fuzz
from verifier.balls.exact import at_least, at_most

TIMES = (0.5, 0.25, 0.75)


def specimens() -> st.SearchStrategy[fuzz.Specimen]:
    """Few samples, one layer of at least as many units, small weights, V fitted at both ends."""
    drawn = fuzz.specimens(
        data=fuzz.datasets(max_samples=3, max_dimension=2, kinds=("integers",)),
        activations=st.sampled_from(["tanh", "relu", "sigmoid", "sin"]),
        parameter_kinds=("integers", "gaussian"),
        max_layers=1,
        max_width=4,
        wide=True,
        convolutions=False,
        duplicates=("group",),
    )
    return fuzz.pairs(drawn, ends=("drawn", "mirrored"), fitted=True)


def conjecture(specimen: fuzz.Specimen) -> tuple[Verdict, str]:
    """Two networks with M >= N are always joined by the straight line in U."""
    if not isinstance(specimen, fuzz.Pair):
        return Verdict.UNDECIDED, "one network only"
    if specimen.network.skip_count < specimen.data.samples or specimen.data.labels is None:
        return Verdict.UNDECIDED, "fewer units than samples, or labels that conflict"
    losses = [end.prove("rank", "path", certificate=False).errors for end in (specimen, specimen.end)]
    if any(errors is None or errors.loss is None for errors in losses):
        return Verdict.UNDECIDED, "the loss of an end is not known"
    highest = max(errors.loss[1].fraction() for errors in losses if errors is not None and errors.loss is not None)
    for t in TIMES:
        u = (1 - t) * specimen.u + t * specimen.end_u
        if not _is_on_the_line(specimen, u, t):
            continue
        bound = specimen.at(u, specimen.v).prove("rank", "path", certificate=False).loss_bound
        least = None if bound is None else getattr(bound, "lower", None)
        if least is not None and least.fraction() > highest:
            words = f"at t = {t} no V has a loss below {at_least(least)}"
            return Verdict.REFUTED, f"{words}, and both ends have at most {at_most(highest)}"
    return Verdict.UNDECIDED, "nothing is in the way at a few times"


def _is_on_the_line(pair: fuzz.Pair, u: np.ndarray, t: float) -> bool:
    """Whether ``u`` is the exact point of the line, so that what is proved there is proved on the line."""
    rows = zip(pair.u.tolist(), pair.end_u.tolist(), u.tolist(), strict=True)
    return all((1 - Fraction(t)) * Fraction(a) + Fraction(t) * Fraction(b) == Fraction(c) for a, b, c in rows)
