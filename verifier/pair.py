"""Two problems that differ in their weights alone: what a path between two networks is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.data.dataset import Dataset
from verifier.errors import InputError, one_line
from verifier.network.network import Array, Network
from verifier.network.nodes import Constant
from verifier.problem import Problem

SAME_DATA = "a path joins two networks on the same samples: give both problems the same data"
"""What helps where the data differ."""


def require_pair(a: Problem, b: Problem) -> None:
    """See that two problems have the same samples, labels, network, fixed numbers and arcs.

    Parameters
    ----------
    a, b
        The two problems.

    Raises
    ------
    InputError
        They differ in something else than their weights; the message names the first difference, and what to do.

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.pair import require_pair
    >>> data = vf.dataset_from_arrays([[0.0], [1.0]], [0, 1])
    >>> a, b = (
    ...     vf.Problem(data, n, vf.initialise(n), vf.output_weights(n, 2))
    ...     for n in (vf.Network(1, vf.Dense(2, name, skip=True)) for name in ("tanh", "relu"))
    ... )
    >>> require_pair(a, b)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ...
    verifier.errors.InputError: connect: node 4 (map) has activation "tanh(t)" in A and "Max(0, t)" in B; ...
    """
    data = _data(a.rows, b.rows), _conflicts(a, b)
    for differences in (_policies(a, b), *data, _network(a.network, b.network), _arcs(a, b)):
        first = next(differences, None)
        if first is not None:
            raise InputError(f"connect: {first}")


def _policies(a: Problem, b: Problem) -> Iterator[str]:
    if a.duplicates != b.duplicates:
        yield f'A has duplicates = "{a.duplicates}", B "{b.duplicates}"; give both the same'


def _data(a: Dataset, b: Dataset) -> Iterator[str]:
    if a.inputs.shape != b.inputs.shape or a.classes != b.classes:
        sizes = (f"{one.samples} distinct samples x {one.dimension}, {one.outputs}" for one in (a, b))
        yield f"A has {next(sizes)}, B {next(sizes)}; {SAME_DATA}"
        return
    pairs = (
        ("its numbers", a.inputs, b.inputs),
        ("its label", a.labels, b.labels),
        ("how often it occurs", a.multiplicities, b.multiplicities),
        ("its frozen logits", a.offset, b.offset),
    )
    for what, first, second in pairs:
        yield from (f"sample {row} differs in {what}; {SAME_DATA}" for row in _different_rows(first, second))
    if (a.targets is None) != (b.targets is None) or not np.array_equal(_of(a.targets), _of(b.targets)):
        yield f"the real targets differ; {SAME_DATA}"


def _conflicts(a: Problem, b: Problem) -> Iterator[str]:
    """Samples whose labels conflict in another way: they have no label of their own that could differ."""
    counts = a.grouping.label_counts, b.grouping.label_counts
    yield from (f"sample {row} differs in how often it has each label; {SAME_DATA}" for row in _different_rows(*counts))


def _of(values: Array | None) -> Array:
    return np.zeros(0) if values is None else values


def _different_rows(first: NDArray[Any] | None, second: NDArray[Any] | None) -> Iterator[int]:
    """Rows in which two arrays of one shape differ; the first one, if only one of them is there."""
    if first is None or second is None:
        yield from [] if first is second else [0]
        return
    yield from np.flatnonzero((first != second).reshape(len(first), -1).any(axis=1)).tolist()


def _network(a: Network, b: Network) -> Iterator[str]:
    """Differences of two graphs; the names of parameters are none."""
    remedy = "both networks need one architecture"
    for index, (first, second) in enumerate(zip(a.nodes, b.nodes, strict=False)):
        title, one, other = a.title(index), first.fields(), second.fields()
        if (first.kind, first.reads) != (second.kind, second.reads):
            words = [f"{node.kind} of nodes {list(node.reads)}" for node in (first, second)]
            yield f"node {index} is {words[0]} in A and {words[1]} in B; {remedy}"
        elif a.node_shapes[index] != b.node_shapes[index]:
            shapes = [list(network.node_shapes[index]) for network in (a, b)]
            yield f"{title} has shape {shapes[0]} in A and {shapes[1]} in B; {remedy}"
        for key in {**one, **other}:
            if key != "name" and one.get(key) != other.get(key):
                yield f"{title} has {key} {one_line(one.get(key))} in A and {one_line(other.get(key))} in B; {remedy}"
        if isinstance(first, Constant) and isinstance(second, Constant):
            same = np.array_equal(first.values, second.values)
            frozen = "fixed numbers are no part of U: give both networks the same"
            yield from [] if same else [f"{title}, {first.name or 'a constant'}, has other numbers in B; {frozen}"]
    if len(a.nodes) != len(b.nodes):
        yield f"A has {len(a.nodes)} nodes, B {len(b.nodes)}; {remedy}"
    if a.features != b.features or a.output_bias != b.output_bias:
        yield f"Psi has other columns in B ({a.columns} of A, {b.columns} of B); {remedy}"


def _arcs(a: Problem, b: Problem) -> Iterator[str]:
    full = [np.ones(problem.v.shape, dtype=bool) if problem.arcs is None else problem.arcs for problem in (a, b)]
    different = np.argwhere(full[0] != full[1]).tolist()
    if different:
        row, column = different[0]
        yield f"the arc from column {row} of Psi to output {column} is only in one of A and B; give both the same arcs"
