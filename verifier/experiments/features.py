"""Psi(U) in floating point, in blocks of rows whose memory is bounded: for solvers and for counting errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from verifier.network.forward import approx_features, rows_at_a_time
from verifier.network.network import Array, Network

Blocks = Callable[[], Iterator[tuple[slice, Array]]]
"""One pass over Psi: rows, and their features, (rows, M)."""

KEPT_BYTES: Final = 2**30
"""A Psi that takes no more than this is kept between passes."""


def feature_blocks(network: Network, u: Array, inputs: Array, *, keep: bool = True) -> Blocks:
    """Make a function that passes over the rows of Psi(U) in blocks.

    Parameters
    ----------
    network, u, inputs
        The network, its weights (p,), and samples (N, d).
    keep : bool, optional
        Keep the blocks of the first pass for the next ones if Psi takes at most `KEPT_BYTES`.

    Returns
    -------
    callable
        Each call passes over the N rows once, in order. The features are plain floating point: proposals, no proofs.
    """
    samples, step = len(inputs), rows_at_a_time(network)
    kept: list[tuple[slice, Array]] = []
    small = keep and 8 * samples * network.skip_count <= KEPT_BYTES

    def blocks() -> Iterator[tuple[slice, Array]]:
        if small and kept:
            yield from kept
            return
        made = []
        for start in range(0, samples, step):
            rows = slice(start, min(start + step, samples))
            block = approx_features(network, u, inputs[rows])
            if small:
                made.append((rows, block))
            yield rows, block
        kept[:] = made

    return blocks
