"""Derivatives of the features by U, sample by sample, by one way forward through the graph and one back."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

from verifier.network.differentiable import Differentiable, NotSmooth
from verifier.network.network import Network
from verifier.network.reverse import Reverse, Traced, feature_entries

T = TypeVar("T")


class Forward(Generic[T]):
    """The values of the nodes that features need, remembered for one way back.

    Parameters
    ----------
    network : Network
        Any network.
    reverse : Reverse
        The arithmetic.

    Raises
    ------
    NotSmooth
        A maximum or an activation may have a kink; the message names the node.
    """

    def __init__(self, network: Network, reverse: Reverse[T]) -> None:
        """Evaluate the nodes that the features need, with the rules to go back."""
        self.network, self.reverse = network, reverse
        self.values: dict[int, Traced[T]] = {}
        needed = {feature.node for feature in network.features}
        for index in reversed(range(len(network.nodes))):
            if index in needed:
                needed.update(network.nodes[index].reads)
        for index in sorted(needed):
            node = network.nodes[index]
            try:
                self.values[index] = node.compute(reverse, [self.values[i] for i in node.reads])
            except NotSmooth as error:
                raise NotSmooth(f"{network.title(index)}: {error}") from None

    def psi(self) -> T:
        """The features, shape ``(M,)`` for each sample."""
        ops, found = self.reverse.ops, [(f, self.values[f.node].value) for f in self.network.features]
        parts = [ops.gather([value], feature_entries(feature, ops.shape(value))) for feature, value in found]
        return parts[0] if len(parts) == 1 else ops.gather(parts, np.arange(self.network.columns))

    def back(self, weights: T) -> dict[str, T]:
        """The derivatives of ``sum_j Psi_ij w_kj``, ``(m, *shape)`` for each sample, by a parameter's name."""
        self.reverse.begin(self.network, self.values, weights)
        self.reverse.backward()
        slopes = {name: traced.slope for name, traced in self.reverse.parameters.items()}
        return {name: slope for name, slope in slopes.items() if slope is not None}


def derivatives(
    network: Network, engine: Differentiable[T], weights: T, wanted: set[str] | None = None
) -> tuple[T, dict[str, T]]:
    """Differentiate ``sum_j Psi_ij w_kj`` by U, for every sample i and row k.

    Parameters
    ----------
    network : Network
        Any network.
    engine : Differentiable
        The arithmetic, which has samples and parameters.
    weights : T
        w, one row for all samples, shape ``(m, M)``.
    wanted : set of str, optional
        Names of the parameters; None: all.

    Returns
    -------
    (T, dict)
        Psi, shape ``(M,)`` for each sample; and by a parameter's name the derivatives by it, ``(m, *shape)`` for each
        sample; nothing for a parameter that Psi does not depend on. Guarantee: enclosed if the engine encloses.

    Raises
    ------
    NotSmooth
        A maximum or an activation may have a kink; the message names the node.
    """
    forward = Forward(network, Reverse(engine, wanted))
    return forward.psi(), forward.back(weights)
