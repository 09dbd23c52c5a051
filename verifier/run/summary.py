"""What a case asks, in numbers and words: data, network, start."""

from __future__ import annotations

import math

import msgspec

from verifier.network.layers import Layer
from verifier.network.network import Network
from verifier.network.nodes import Constant
from verifier.problem import Problem
from verifier.run.case import Case, StartSection

MAX_NAMED = 8
"""Frozen parameters that are named."""

ARCS = " by the arcs of the case"
"""How units are connected where some arcs are missing."""


class ProblemSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Data, network and start of a case.

    ``rows`` are the samples that Psi has rows for (N), ``total`` those of the data set, ``dimension`` their coordinates
    (d), ``classes`` m, ``parameters`` the number of hidden weights and biases (p). ``shape`` is the input's for the
    network; ``layers`` and ``start`` are words; ``targets`` the losses that the path is to reach. ``head`` says in
    words what is not in the layers: an output bias, frozen parameters, missing arcs to outputs.
    """

    rows: int
    total: int
    dimension: int
    classes: int
    shape: tuple[int, ...]
    layers: tuple[str, ...]
    parameters: int
    start: str
    targets: tuple[str, ...]
    head: str = ""


def summarise(case: Case, problem: Problem, seed: int | None) -> ProblemSummary:
    """Describe the problem of a case in numbers and words.

    Parameters
    ----------
    case : Case
        The case: how its start is drawn.
    problem : Problem
        What was made of it.
    seed : int or None
        Replaces the case's if not None.
    """
    data, network = problem.rows, problem.network
    return ProblemSummary(
        rows=data.samples,
        total=data.total,
        dimension=data.dimension,
        classes=data.classes,
        shape=tuple(network.input_shape),
        layers=network_words(network, "" if problem.arcs is None else ARCS),
        parameters=network.parameter_count,
        start=problem.start or _start(case.file.start, seed),
        targets=problem.targets,
        head=_head(problem),
    )


def network_words(network: Network, by: str = "") -> tuple[str, ...]:
    """Say what a network consists of: a line for each layer, each block, or, if it was made from nodes, each node.

    Parameters
    ----------
    network : Network
        The network.
    by : str
        How its units are connected to the outputs, where some arcs are missing.
    """
    if network.layered is not None:
        return tuple(_layer(network, index, layer, by) for index, layer in enumerate(network.layers))
    return tuple(line.split(None, 2)[2] for line in network.summary().splitlines()[1:-1])


def _head(problem: Problem) -> str:
    network = problem.network
    frozen = [node.name for node in network.nodes if isinstance(node, Constant) and "." in node.name]
    words = ["an output bias, the last row of V"] if network.output_bias else []
    more = ", ..." if len(frozen) > MAX_NAMED else ""
    words += [f"frozen: {', '.join(frozen[:MAX_NAMED])}{more}"] if frozen else []
    if problem.arcs is not None:
        missing = problem.arcs.size - int(problem.arcs.sum())
        words.append(f"{missing} of the {problem.arcs.size} arcs to outputs are missing, V is 0 there")
    return "; ".join(words)


def _layer(network: Network, index: int, layer: Layer, by: str) -> str:
    shape, units = network.shapes[index], math.prod(network.shapes[index])
    size = f"{units} unit{'s' if units != 1 else ''}"
    kind = {"dense": "dense", "avgpool": "average pooling"}.get(layer.kind, layer.kind)
    words = [f"{kind}, {size}" + (f" ({_times(shape)})" if len(shape) > 1 else "")]
    if layer.kernel:
        words.append(f"kernel {_times(layer.kernel)}, stride {_times(layer.steps)}")
        words += [f"padding {_times(layer.padding)}"] if layer.padding else []
    if layer.shares_weights:
        words.append(f"{layer.bias} bias")
    if layer.activation is not None:
        words.append(layer.activation.name)
    sources = network.sources[index]
    words.append("reads " + ", ".join("the input" if source == "input" else f"layer {source}" for source in sources))
    connected = units if layer.skip is True else 0 if layer.skip is False else len(layer.skip)
    if connected:
        words.append(f"{'all' if connected == units else connected} connected to the outputs{by}")
    return "; ".join(words)


def _times(lengths: tuple[int, ...]) -> str:
    return " x ".join(map(str, lengths))


def _start(start: StartSection, seed: int | None) -> str:
    if start.file is not None:
        return f"U and V from the file {start.file}"
    chosen = start.seed if seed is None else seed
    scale = "" if start.scale == 1.0 or start.init == "zeros" else f", scale {start.scale:g}"
    output = "" if start.output_scale == 1.0 or start.output == "zeros" else f", scale {start.output_scale:g}"
    fan_in = ", divided by the root of the fan-in" if start.fan_in and start.init != "zeros" else ""
    return f"U: {start.init}{scale}{fan_in}; V: {start.output}{output}; seed {chosen}"
