"""Hypothesis strategies for networks that are not layers alone: graphs of every node kind, and blocks.

A graph is drawn node by node, each from the nodes there are; what does not fit is left out. Parameters are shared (the
same node read twice), computed with (masks, multiples) and frozen; all of it becomes tables of ``network.nodes``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from hypothesis import strategies as st

from verifier.errors import InputError, NetworkError
from verifier.fuzz.graph_steps import MAX_ENTRIES, OFTEN, READING, STEPS, TOKENS, Drawing, Shape
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import (
    ParameterKind,
    Samples,
    any_activation,
    class_weights,
    datasets,
    losses,
    parameters,
    starts,
)
from verifier.network.blocks import BLOCKS
from verifier.network.builder import Builder
from verifier.network.freezing import freeze
from verifier.network.network import Array, Network
from verifier.run.layer_tables import build_layers
from verifier.run.node_tables import graph_tables
from verifier.sigma.activations import activation


@st.composite
def graphs(
    draw: st.DrawFn,
    shape: Shape,
    *,
    max_nodes: int = 6,
    min_features: int = 1,
    nodes: Sequence[str] = READING,
    activations: st.SearchStrategy[str] | None = None,
    output_bias: bool | None = None,
) -> Network:
    """Draw networks whose graphs are made of random nodes.

    Parameters
    ----------
    shape : tuple of int
        Of one sample.
    max_nodes : int, optional
        How many nodes are drawn, leaves and what belongs to them aside.
    min_features : int, optional
        M is brought to that by one more affine node with an activation that reads the input and the last node.
    nodes : sequence of str, optional
        The kinds that are drawn.
    activations : strategy, optional
        Default ``activations()``.
    output_bias : bool, optional
        Whether there is one; None: either.

    Returns
    -------
    strategy of Network
    """
    names = activations if activations is not None else any_activation()
    made = Drawing(draw, shape, names)
    often = [kind for kind in OFTEN if kind in nodes]
    for kind in draw(st.lists(st.sampled_from([*nodes, *often]), min_size=1, max_size=max_nodes)):
        before = _kept(made.build)
        try:
            node = STEPS[kind](made)
        except NetworkError:  # it does not fit
            _restore(made.build, before)
            continue
        if math.prod(made.shape(node)) > MAX_ENTRIES:
            _restore(made.build, before)
            continue
        made.pool.append(node)
    build, more = made.build, draw(st.sets(st.sampled_from(made.pool), max_size=2))
    for node in sorted({made.pool[-1], *more}):
        build.feature(node, draw(_entries(math.prod(build.shapes[node]))))
    bias = draw(st.booleans()) if output_bias is None else output_bias
    count = sum(math.prod(build.shapes[f.node]) if f.entries is None else len(f.entries) for f in build.features)
    if count + bias < min_features:
        wide = build.affine(list(dict.fromkeys((0, made.pool[-1]))), min_features - count - bias, "wide")
        build.feature(build.map(wide, activation(draw(names))))
    if bias:
        build.feature(build.constant([1.0], "output bias"))
    return _without_idle(build)


def _without_idle(build: Builder) -> Network:
    """Leave out the nodes that no feature needs: checkers compute them, and refuse those that have no value."""
    needed = {0, *(feature.node for feature in build.features)}
    for index in range(len(build.nodes) - 1, -1, -1):
        needed |= set(build.nodes[index].reads) if index in needed else set()
    place = {old: new for new, old in enumerate(sorted(needed))}
    nodes = [dataclasses.replace(build.nodes[k], reads=tuple(place[r] for r in build.nodes[k].reads)) for k in place]
    return Network.of(nodes, [dataclasses.replace(f, node=place[f.node]) for f in build.features])


def _entries(size: int) -> st.SearchStrategy[tuple[int, ...] | None]:
    some = st.sets(st.integers(0, size - 1), min_size=1).map(lambda entries: tuple(sorted(entries)))
    return st.none() | some


def _kept(build: Builder) -> tuple[int, dict[str, int]]:
    return len(build.nodes), dict(build.names)


def _restore(build: Builder, before: tuple[int, dict[str, int]]) -> None:
    """Take back the nodes that were added since."""
    count, build.names = before
    del build.nodes[count:], build.shapes[count:]


@st.composite
def blocks(
    draw: st.DrawFn,
    shape: Shape,
    *,
    max_blocks: int = 4,
    min_features: int = 1,
    activations: st.SearchStrategy[str] | None = None,
    embeddings: bool = False,
) -> tuple[dict[str, Any], ...]:
    """Layer tables of a case file of all kinds of blocks; what does not fit is left out.

    Parameters
    ----------
    shape : tuple of int
        Of one sample.
    max_blocks : int, optional
        How many are drawn.
    min_features : int, optional
        A last dense layer has so many units, all of them skip units.
    activations : strategy, optional
        Default ``activations()``.
    embeddings : bool, optional
        Whether the samples are tokens, which an embedding reads.

    Returns
    -------
    strategy of tuple of dict
    """
    names = activations if activations is not None else any_activation()
    tables: list[dict[str, Any]] = []
    known = sorted(BLOCKS) if embeddings else sorted(set(BLOCKS) - {"embedding"})
    for kind in draw(st.lists(st.sampled_from(known), min_size=1, max_size=max_blocks)):
        table = {"kind": kind, **draw(_fields(kind, names, len(shape)))}
        least = BLOCKS[kind].sources[0]
        sources: list[Any] = ["input", *range(len(tables))]
        if least > len(sources):
            continue
        if kind == "embedding":
            table["inputs"] = ["input"]
        elif tables and (least > 1 or draw(st.booleans())):
            table["inputs"] = draw(st.lists(st.sampled_from(sources), min_size=least, max_size=least, unique=True))
        try:
            grown = Network(shape, build_layers([*tables, {**table, "skip": True}]))
        except InputError:
            continue
        if max(math.prod(grown.node_shapes[node]) for node in grown.outputs) <= MAX_ENTRIES:
            tables.append(table | {"skip": draw(st.booleans())})
    sources = ["input", *([len(tables) - 1] if tables else [])]
    last = {"kind": "dense", "width": min_features, "activation": draw(names), "skip": True, "inputs": sources}
    return (*tables, last)


@st.composite
def _fields(draw: st.DrawFn, kind: str, names: st.SearchStrategy[str], axes: int) -> dict[str, Any]:
    """Small values for the fields of a block, by their names and types."""
    hints = get_type_hints(BLOCKS[kind])
    found: dict[str, Any] = {}
    for field in dataclasses.fields(BLOCKS[kind]):
        hint = hints[field.name]
        if field.name in ("skip", "inputs", "name", "mask", "keys", "shape", "of"):
            continue
        if field.name in ("width", "hidden", "heads", "rank", "groups"):
            found[field.name] = draw(st.integers(1, 3))
        elif field.name == "tokens":
            found[field.name] = TOKENS
        elif field.name == "activation":
            found[field.name] = draw(names)
        elif field.name == "epsilon":
            found[field.name] = draw(st.sampled_from(["1/4", 1e-5]))
        elif field.name == "factor":
            found[field.name] = draw(st.sampled_from(["-2/3", 0.5]))
        elif field.name in ("kernel", "padding"):
            low = 1 if field.name == "kernel" else 0
            found[field.name] = [draw(st.integers(low, low + 1)) for _ in range(axes - 1)]
        elif field.name == "entries":
            found[field.name] = draw(st.lists(st.integers(0, 1), min_size=1, max_size=2))
        elif kind == "permute":
            found[field.name] = draw(st.permutations(list(range(axes))))
        elif get_origin(hint) is Literal:
            found[field.name] = draw(st.sampled_from(list(get_args(hint))))
        elif hint is bool:
            found[field.name] = draw(st.booleans())
    return found


def _shapes(dimension: int) -> list[Shape]:
    """The shapes of a sample of d coordinates."""
    found: list[Shape] = [(dimension,)]
    found += [(k, dimension // k) for k in range(1, dimension + 1) if dimension % k == 0]
    return found + [(1, *shape) for shape in found if len(shape) == 2]


def tokens(*, max_samples: int = 4) -> st.SearchStrategy[Samples]:
    """Samples of whole numbers below `TOKENS`, and labels: what an embedding reads."""
    return datasets(max_samples=max_samples, max_dimension=4, kinds=("integers",)).map(
        lambda found: (np.abs(found[0]) % TOKENS, found[1])
    )


@st.composite
def graph_specimens(
    draw: st.DrawFn,
    *,
    data: st.SearchStrategy[Samples] | None = None,
    nodes: Sequence[str] = READING,
    activations: st.SearchStrategy[str] | None = None,
    parameter_kinds: Sequence[ParameterKind] = ("integers", "gaussian"),
    duplicates: Sequence[Literal["group", "keep"]] = ("group", "keep"),
    with_losses: bool = False,
    sugar: bool = True,
) -> Specimen:
    """Whole problems on networks that are not layers alone.

    Parameters
    ----------
    data : strategy, optional
        For samples and labels.
    nodes : sequence of str, optional
        The kinds of nodes that are drawn.
    activations : strategy, optional
        Default ``activations()``.
    parameter_kinds : sequence, optional
        As in `parameters`.
    duplicates, with_losses
        As in `specimens`.
    sugar : bool, optional
        Whether networks of blocks are drawn as well.

    Returns
    -------
    strategy of Specimen
    """
    whole = "embed" in nodes and draw(st.booleans())
    usual = datasets(max_samples=4, max_dimension=6, kinds=("integers", "dyadic", "duplicates", "floats"))
    inputs, labels = draw(data if data is not None else tokens() if whole else usual)
    chosen = nodes if whole else [kind for kind in nodes if kind != "embed"]
    n, d = inputs.shape
    shape = draw(st.sampled_from(_shapes(d)))
    wide = draw(st.sampled_from([1, n, n]))
    if sugar and draw(st.booleans()):
        layers = draw(blocks(shape, min_features=wide, activations=activations, embeddings=whole))
        network = Network(shape, build_layers(layers), draw(st.booleans()))
    else:
        network = draw(graphs(shape, nodes=chosen, min_features=wide, activations=activations))
    u: Array = draw(parameters(network, kinds=parameter_kinds))
    network, u = draw(_frozen(network, u))
    m = int(labels.max()) + 1
    v = draw(starts(network, m))
    tables, features = graph_tables(network)
    return Specimen(
        inputs,
        labels,
        (),
        u,
        v,
        None,
        draw(st.sampled_from(duplicates)),
        draw(losses()) if with_losses else (),
        draw(class_weights(m)) if with_losses else None,
        nodes=tuple(tables),
        features=tuple(features),
    )


@st.composite
def _frozen(draw: st.DrawFn, network: Network, u: Array) -> tuple[Network, Array]:
    """Freeze some parameters, or none; one is left."""
    names = [view.name for view in network.parameters]
    if len(names) < 2 or not draw(st.booleans()):
        return network, u
    some = draw(st.sets(st.sampled_from(names), min_size=1, max_size=len(names) - 1))
    return freeze(network, u, sorted(some))
