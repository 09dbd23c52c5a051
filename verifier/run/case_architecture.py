"""From a case file to the network, and the number of samples, of which statements about all data sets are proved."""

from __future__ import annotations

import numpy as np

from verifier.data.grouping import group_duplicates
from verifier.errors import CaseError
from verifier.network.freezing import freeze
from verifier.network.initialise import INITS, initialise
from verifier.network.network import Array, Network
from verifier.run.case import Case, DataSection, StartSection
from verifier.run.case_model import build_network, case_model
from verifier.run.case_problem import case_dataset, case_problem, input_shape


def case_architecture(case: Case, samples: int | None, *, seed: int | None = None) -> tuple[Network, int]:
    """Build a case's network, frozen parts included, with its data or without.

    Parameters
    ----------
    case
        The case; ``network.input_shape`` says what a sample is where there is no ``[data]``.
    samples
        N; None: the number of the case's distinct samples.
    seed
        Replaces the seed of the start, where frozen parameters are drawn, if not None.

    Returns
    -------
    (Network, int)
        The network, and N.

    Raises
    ------
    InputError
        Anything unusable, in one line.
    """
    if case.file.data != DataSection():
        return _of_data(case, samples, seed)
    model = case_model(case)
    network = build_network(case, _input_shape(case)) if model is None else model.network
    if case.file.network.freeze:
        network = _frozen(case, network, seed if model is None else model.u)
    if samples is None:
        raise CaseError(
            f"without [data] say for how many samples: --samples N, at most {network.columns} if full rank is the aim"
        )
    return network, samples


def _of_data(case: Case, samples: int | None, seed: int | None) -> tuple[Network, int]:
    """The network for a case's data, with its number of distinct samples; weights are drawn only if some are frozen."""
    file = case.file
    if file.network.arcs is not None:
        raise CaseError("network.arcs: what holds for all data sets is proved for networks with all arcs only")
    if file.data.offset is not None:
        raise CaseError("data.offset: frozen logits belong to their data set; leave them out")
    if file.network.freeze or file.start.file is not None:
        problem = case_problem(case, seed=seed)
        return problem.network, problem.rows.samples if samples is None else samples
    data = case_dataset(case)
    network = build_network(case, input_shape(case, data))
    if samples is None:
        samples = (group_duplicates(data).dataset if file.data.duplicates == "group" else data).samples
    return network, samples


def _input_shape(case: Case) -> tuple[int, ...]:
    section = case.file.network
    if section.input_shape is None and not section.nodes:
        raise CaseError(
            "without [data] the shape of a sample is missing; say network.input_shape = [8] (or [channels, height, "
            "width])"
        )
    return tuple(section.input_shape or ())


def _frozen(case: Case, network: Network, given: Array | int | None) -> Network:
    """Freeze what the case freezes, at a model's own numbers or those of the start, whose seed may be replaced."""
    start = case.file.start
    if isinstance(given, np.ndarray):
        if start != StartSection():
            raise CaseError("[start] does not go with network.model without [data]: frozen parameters are the model's")
        return freeze(network, given, case.file.network.freeze)[0]
    if start.file is not None:
        raise CaseError("start.file: frozen parameters are read from a file beside data only; add [data]")
    if start.init not in INITS:
        raise CaseError(f"start.init = {start.init!r} is unknown; use one of {', '.join(INITS)}")
    chosen = start.seed if given is None else given
    u = initialise(network, start.init, seed=chosen, scale=start.scale, fan_in=start.fan_in, units=start.units)
    return freeze(network, u, case.file.network.freeze)[0]
