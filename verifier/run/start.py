"""The start (U, V) of a case: random from a seed, or taken from a file of weights."""

from __future__ import annotations

import math

from verifier.adapters.weights import read_weights
from verifier.data.dataset import Dataset
from verifier.errors import CaseError
from verifier.network.initialise import INITS, initialise, output_weights
from verifier.network.network import Array, Network
from verifier.run.case import Case

MAX_PARAMETERS = 2**27
"""Hidden weights and biases of a case: they take 8 bytes each, and their enclosures as much again."""
MAX_UNITS = 2**19
"""Hidden units of a case with weights; `verifier witness`, which draws none, takes more."""


def case_start(case: Case, network: Network, data: Dataset, seed: int | None) -> tuple[Array, Array, str]:
    """Make U, shape ``(p,)``, and V, shape ``(M, m)``; say where they come from if that is a file.

    Parameters
    ----------
    data
        The samples, of m classes.
    seed
        Replaces the case's seed if not None.

    Raises
    ------
    CaseError, NetworkError
        Unknown kinds, or a weights file whose tensors do not fit.
    """
    start = case.file.start
    if network.parameter_count > MAX_PARAMETERS:
        raise CaseError(
            f"the network has {network.parameter_count} weights and biases, more than {MAX_PARAMETERS}; make it smaller"
        )
    units = sum(math.prod(shape) for shape in network.shapes)
    if units > MAX_UNITS:
        raise CaseError(
            f"the network has {units} hidden units, more than {MAX_UNITS}: the run would take about"
            f" {(24 * network.parameter_count + 100 * units) / 2**30:.1f} GiB; make it smaller"
        )
    chosen = start.seed if seed is None else seed
    if start.file is not None:
        found = read_weights(case.folder / start.file, network, data)
        if found.v is not None:
            return found.u, found.v, found.words
        drawn = output_weights(network, data.classes, start.output, seed=chosen, scale=start.output_scale)
        how = start.output if start.output == "zeros" else f"drawn: {start.output}, seed {chosen}"
        return found.u, drawn, f"{found.words}; the file has no V, which is {how}"
    if start.init not in INITS:
        raise CaseError(
            f'start.init = {start.init!r} is unknown; use one of {", ".join(INITS)}, or file = "weights.safetensors"'
        )
    u = initialise(network, start.init, seed=chosen, scale=start.scale, fan_in=start.fan_in, units=start.units)
    return u, output_weights(network, data.classes, start.output, seed=chosen, scale=start.output_scale), ""
