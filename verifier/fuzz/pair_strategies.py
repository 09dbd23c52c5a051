"""Hypothesis strategies of two networks on the same data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from hypothesis import strategies as st

from verifier.fuzz.pair import Pair
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import parameters, specimens, starts
from verifier.network.forward import approx_features
from verifier.network.network import Array

EndKind = Literal["drawn", "near", "mirrored", "same"]
END_KINDS: Final[tuple[EndKind, ...]] = ("drawn", "near", "mirrored", "same")


@st.composite
def pairs(
    draw: st.DrawFn,
    drawn: st.SearchStrategy[Specimen] | None = None,
    *,
    ends: Sequence[EndKind] = END_KINDS,
    fitted: bool | None = None,
) -> Pair:
    """Two networks of one architecture on the same data.

    Parameters
    ----------
    drawn
        Strategy for the first one; default ``specimens()``.
    ends
        Where the second one's U comes from: ``drawn`` on its own, ``near`` the first one's, ``mirrored`` (-U), or the
        ``same`` U with another V.
    fitted
        True: both V are fitted to the labels, so that both losses are small where U allows it; False: they are drawn;
        None: either.

    Returns
    -------
    strategy of Pair
    """
    first = draw(specimens() if drawn is None else drawn)
    u, kind = first.u, draw(st.sampled_from(ends))
    if kind == "drawn":
        u = draw(parameters(first.network, kinds=("integers", "gaussian")))
    elif kind == "near":
        noise = np.random.default_rng(draw(st.integers(0, 999))).standard_normal(u.shape)
        u = u + noise * 2.0 ** draw(st.integers(-6, 0))
    elif kind == "mirrored":
        u = -u
    if draw(st.booleans()) if fitted is None else fitted:
        power = draw(st.integers(0, 4))
        return Pair.of(first.at(first.u, fitted_to(first, first.u, power)), u, fitted_to(first, u, power))
    return Pair.of(first, u, draw(starts(first.network, first.v.shape[1])))


def fitted_to(specimen: Specimen, u: Array, power: int) -> Array:
    """Output weights ``(M, m)`` with logits near ``2^power`` at the right label, by least squares; 0 without any."""
    with np.errstate(all="ignore"):
        psi = approx_features(specimen.network, u, specimen.inputs)
        goal = 2.0**power * np.eye(specimen.v.shape[1])[specimen.labels]
        if not np.isfinite(psi).all():
            return np.zeros(specimen.v.shape)
        found = np.linalg.lstsq(psi, goal, rcond=1e-8)[0]
    return np.where(np.isfinite(found), found, 0.0)
