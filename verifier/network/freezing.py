"""Freezing: parameters become fixed numbers, so that U is what is left to train."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import numpy as np

from verifier.errors import NetworkError, nearest, one_line
from verifier.network.arguments import given_parameters
from verifier.network.network import Array, Network
from verifier.network.nodes import Constant, Node, Parameter


def freeze(network: Network, u: Array, names: str | Sequence[str]) -> tuple[Network, Array]:
    """Hold parameters at their present numbers.

    Parameters
    ----------
    network : Network
        The network.
    u : array-like of shape (p,)
        Its parameters.
    names : str or sequence of str
        Parameters by name, or by pattern: ``"layer0.*"``, ``"*.running_mean"``.

    Returns
    -------
    Network
        The same functions of the remaining parameters: those that are named are no part of its U.
    ndarray of shape (p',)
        The remaining parameters' numbers.

    Raises
    ------
    NetworkError
        A name that no parameter has, or none is left to train.

    Examples
    --------
    >>> from verifier import Dense, Network, freeze, initialise
    >>> network = Network(2, [Dense(3, "tanh"), Dense(4, "tanh", skip=True)])
    >>> frozen, rest = freeze(network, initialise(network), "layer0.*")
    >>> network.parameter_count, frozen.parameter_count, len(rest)
    (25, 16, 16)
    """
    u = given_parameters(network, u)
    patterns = [names] if isinstance(names, str) else list(names) if isinstance(names, Iterable) else [names]
    odd = next((pattern for pattern in patterns if not isinstance(pattern, str)), None)
    if odd is not None:
        raise NetworkError(f'freeze: {one_line(odd)} is no name or pattern of parameters, such as "layer0.*"')
    views = {view.name: view for view in network.parameters}
    chosen: set[str] = set()
    for pattern in patterns:
        found = {name for name in views if fnmatchcase(name, pattern)}
        if not found:
            raise NetworkError(f"freeze: no parameter is called {pattern!r}; {nearest(str(pattern), sorted(views))}")
        chosen |= found
    if len(chosen) == len(views):
        raise NetworkError("freeze: every parameter would be frozen; leave one to train")
    nodes: list[Node] = [
        Constant(values=views[node.name].of(u), name=node.name)
        if isinstance(node, Parameter) and node.name in chosen
        else node
        for node in network.nodes
    ]
    rest = [view.of(u).ravel() for name, view in views.items() if name not in chosen]
    return network.with_nodes(nodes), np.concatenate(rest)
