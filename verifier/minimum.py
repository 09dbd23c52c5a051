"""The search for a certified strict local minimum of a problem's loss, and for proof that its valley is bad (BM)."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, fields, replace

import numpy as np

from verifier.balls.hessian import Labelled
from verifier.certificate.writable import Writable
from verifier.certificate.writer import CertificateBuilder
from verifier.display import count as counted
from verifier.errors import InputError, needs, one_line
from verifier.landscape.minimum import Minimum, counts_of, free_numbers, prove_minimum
from verifier.landscape.minimum_search import Candidate, Search
from verifier.network.network import Network
from verifier.options import at_most_threads
from verifier.problem import Problem, with_decay
from verifier.rank.certify import Stage, silent
from verifier.sigma.piecewise import degree_of_homogeneity
from verifier.verdict import Verdict

TRIALS = 24
"""Starts by default, the problem's own first."""
MOST_PARAMETERS = 600
"""A Hessian of more rows is not made."""
MOST_WORK = 5e7
"""Samples times entries of the Hessian, about a microsecond each."""
BELOW = 1e-7
"""How far above the lowest loss found a minimum must seem to be, for its valley to be called bad."""


@dataclass(frozen=True, slots=True, repr=False)
class FoundMinimum(Minimum, Writable):
    """A `Minimum` with the certificate that can be written of it."""

    builder: CertificateBuilder = None  # type: ignore[assignment]  # always given, after fields with defaults


def find_minimum(problem: Problem, *, seed: int = 0, trials: int = TRIALS, stage: Stage = silent) -> FoundMinimum:
    """Find a strict local minimum of the cross-entropy, prove it, and prove that its valley is bad if that is so (BM).

    Descents from the problem's start and from random ones, each followed by Newton's method, propose stationary points.
    Those above the lowest loss that was found are tried first: if a point is certified to be below the whole valley, it
    is a bad local valley, and "no local valley is bad" is REFUTED for this network and these samples.

    Parameters
    ----------
    problem : Problem
        Samples with labels, network, and start. The loss is the cross-entropy without weight decay.
    seed : int, optional
        Of the random starts.
    trials : int, optional
        Number of starts; 1: the problem's own alone.
    stage : callable, optional
        Told what is being done.

    Returns
    -------
    FoundMinimum
        Guarantee: that of `Minimum`. ``UNDECIDED`` says nothing of the loss: its reason is what was found instead.

    Raises
    ------
    InputError
        Bad arguments.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.dataset_from_arrays([[-1.0]] * 3 + [[0.0]] * 3 + [[2.0]] * 3, [0, 0, 1, 0, 1, 1, 0, 0, 1])
    >>> network = vf.Network(1, vf.Dense(1, "sin", skip=True))
    >>> problem = vf.Problem(data, network, vf.initialise(network, seed=0), vf.output_weights(network, 2))
    >>> found = vf.find_minimum(problem, trials=4)  # three odds, three numbers: the minimum is the global one
    >>> found.verdict, found.bad, found.parameters
    (<Verdict.PROVED: 'PROVED'>, <Verdict.UNDECIDED: 'UNDECIDED'>, 3)
    """
    needs(problem, "Problem", "grouping", "problem", "make one: Problem(data, network, u, v)")
    if isinstance(trials, bool) or not isinstance(trials, int | np.integer) or trials < 1:
        raise InputError(f"trials = {one_line(trials)} must be an integer, at least 1: the number of starts")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed = {one_line(seed)} must be an integer that is not negative")
    started = time.monotonic()
    with at_most_threads(1):
        found = _searched(problem, int(seed), int(trials), stage)
    words = with_decay(problem.weight_decay)
    reason = f"{found.reason}; {words}" if words else found.reason
    found = replace(found, reason=reason, seconds=time.monotonic() - started)
    own = {field.name: getattr(found, field.name) for field in fields(found)}
    return FoundMinimum(**own, builder=_certificate(found))


def _certificate(found: Minimum) -> CertificateBuilder:
    builder = CertificateBuilder(found.data, found.network, found.u, with_labels=True)
    builder.add_minimum(found)
    return builder


@np.errstate(all="ignore")  # proposals may overflow
def _searched(problem: Problem, seed: int, trials: int, stage: Stage) -> Minimum:
    """The first candidate that is proved, bad ones first; else why there is none."""
    data, network = problem.rows, problem.network
    label_counts = None if data.labels is not None else problem.grouping.label_counts
    counts = counts_of(data, label_counts)
    nothing = Minimum(Verdict.UNDECIDED, "", network, data, problem.u, problem.v, label_counts, tried=0)
    obstacle = _in_the_way(problem)
    if obstacle or counts is None:
        return replace(nothing, reason=obstacle)
    samples = Labelled.of(data.inputs, counts, data.offset)
    search = Search(network, samples, free_numbers(network, problem.v))
    reduced = (problem.v - problem.v[:, -1:])[:, :-1]
    starts = [np.concatenate([problem.u, reduced.ravel()]), *search.starts(seed, trials - 1)]
    ends: list[Candidate] = []
    for number, theta in enumerate(starts, 1):
        stage(f"descent {number} of {trials}")
        ends.append(search.descend(theta))
    lowest = min(ends, key=lambda end: end.loss)
    settled = [end for end in ends if not end.obstacle]
    settled.sort(key=lambda end: end.loss < lowest.loss + BELOW)  # stable: those above the lowest first
    reasons = Counter[str]()
    tried: list[float] = []
    for end in settled:
        if any(abs(end.loss - loss) < BELOW * 1e-3 for loss in tried):
            continue
        tried.append(end.loss)
        stage(f"proving a minimum of loss {end.loss:.6g}")
        found = prove_minimum(network, end.u, end.v, data, label_counts=label_counts, others=[(lowest.u, lowest.v)])
        if found.proved:
            return replace(found, tried=trials)
        reasons[found.reason] += 1
    return replace(nothing, reason=_nothing_found(ends, reasons), tried=trials)


def _in_the_way(problem: Problem) -> str:
    """Why no search is begun; "" if one is."""
    network, rows = problem.network, problem.rows
    if rows.targets is not None:
        return "BM is about the cross-entropy of labels; with real targets the loss is the squared error"
    if problem.grouping.label_counts is None:
        return "BM needs labels, and the data have none"
    if problem.arcs is not None and not problem.arcs.all():
        return "BM is not proved where arcs are missing: connect every column of Psi to every output"
    if network.parameter_count and network.columns >= rows.samples:
        return (
            f"M = {network.columns} >= N = {rows.samples}: no suboptimal point is a strict local minimum (C2+); a "
            "network with fewer columns may have some"
        )
    size = len(free_numbers(network, problem.v))
    if size > MOST_PARAMETERS:
        return (
            f"{size} free parameters are more than {MOST_PARAMETERS}, the most of which a Hessian is made; take fewer "
            'units or fewer inputs, or hold some: network.freeze = ["layer0.weight"], vf.freeze'
        )
    if size * size * rows.samples > MOST_WORK:
        return (
            f"with {size} free parameters and N = {rows.samples} samples a Hessian in balls takes more than a minute; "
            "take a smaller network, or fewer samples"
        )
    return _scaled_units(network)


def _scaled_units(network: Network) -> str:
    """Why no point at all is a strict local minimum, if units of a layer can be scaled against what reads them.

    A layered network has weights of its own in every layer, all of them free.
    """
    if network.layered is None:
        return ""
    for index, layer in enumerate(network.layers):
        readers = [other for other, sources in zip(network.layers, network.sources, strict=True) if index in sources]
        if layer.activation is None or any(reader.activation is None for reader in readers):
            continue
        degree = degree_of_homogeneity(layer.activation.expression)
        if degree is not None:
            power = "s" if degree == 1 else f"s^{degree}"
            return (
                f"layer {index}: for s > 0 a unit of {layer.activation.name} with s w, s b and its outgoing weights "
                f"divided by {power} computes the same, so that no point is a strict local minimum; take a smooth "
                "activation such as tanh"
            )
    return ""


def _nothing_found(ends: list[Candidate], reasons: Counter[str]) -> str:
    """Say in words what the descents came to when no minimum is proved."""
    ways = Counter(end.obstacle for end in ends if end.obstacle)
    parts = [f"{often} of {counted(len(ends), 'descent')} {way}" for way, often in ways.most_common()]
    parts += [f"a stationary point is not proved to be a minimum: {reason}" for reason, _ in reasons.most_common(1)]
    parts.append("other seeds, more trials, or labels that cannot be separated may help")
    return "; ".join(parts)
