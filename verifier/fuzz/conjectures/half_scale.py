"""Half the weights: does full rank at U imply full rank at U/2.

Found: no. Analyticity only says that full rank fails on a set of measure zero, and the line through a full-rank U and 0
may well cross it. The
smallest counterexample found: sigma(t) = t**2 - t is symmetric about 1/2, and on the samples 0 and 2 the units
sigma(1/2) and sigma(x/2 + 1/2) are independent; at half the weights they are sigma(1/4) and sigma(x/4 + 1/4), which is
sigma(3/4) = sigma(1/4) at x = 2, so that they are equal.
"""

from dataclasses import replace

from hypothesis import strategies as st

from verifier import Verdict, fuzz


def specimens() -> st.SearchStrategy[fuzz.Specimen]:
    """Problems whose activations are rational, so that both ranks are exact."""
    return fuzz.specimens(
        data=fuzz.datasets(max_samples=2, max_dimension=1, kinds=("integers",)),
        activations=st.sampled_from(["t**2 - t", "t**3/3 - t"]),
        parameter_kinds=("integers",),
        max_layers=1,
        max_width=2,
        wide=True,
        convolutions=False,
        duplicates=("group",),
    )


def conjecture(specimen: fuzz.Specimen) -> tuple[Verdict, str]:
    """Full rank of Psi at U implies full rank at U/2."""
    found = specimen.rank()
    if found.verdict is not Verdict.PROVED:
        return Verdict.UNDECIDED, "not of full rank at U"
    half = replace(specimen, u=specimen.u / 2)
    rank = fuzz.oracle.exact_rank(half.network, half.u, half.data.inputs)
    if rank < found.samples:
        return Verdict.REFUTED, f"rank {found.samples} at U is PROVED; at U/2 it is exactly {rank}"
    return Verdict.PROVED, "full rank at both"
