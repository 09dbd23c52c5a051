"""Dense layers whose weights are computed from parameters: low-rank updates, masks, weight normalisation, ties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from verifier.errors import NetworkError
from verifier.network import nodes as kinds
from verifier.network.blocks.base import Wired
from verifier.network.builder import Builder
from verifier.network.graph import Array
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation


@dataclass(frozen=True, slots=True, repr=False)
class _Computed(Wired):
    """A dense layer, its weights a node on parameters alone."""

    sources: ClassVar[tuple[int, int]] = (1, 1 << 20)

    width: int = 1
    activation: Activation | str = "tanh"

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """The weights, the biases, an affine node, an activation."""
        fan_in = sum(math.prod(build.shapes[source]) for source in sources)
        weight = self.weight(build, (self.width, fan_in), name)
        bias = build.parameter(f"{name}.bias", (self.width,))
        return build.map(build.add(kinds.Affine((*sources, weight, bias))), self._sigma(self.activation))

    def weight(self, build: Builder, shape: Shape, name: str) -> int:
        """The node that holds the weights, ``(width, fan_in)``."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, repr=False)
class LoRA(_Computed):
    """A dense layer with a low-rank update: weights ``W0 + B A``, B ``(width, rank)``, A ``(rank, fan_in)``.

    W0 is ``NAME.weight``; frozen, as usual, only A, B and the biases are trained.

    Examples
    --------
    >>> from verifier import LoRA, Network
    >>> Network(6, [LoRA(4, "tanh", rank=1, skip=True)]).parameter_count
    38
    """

    kind: ClassVar[str] = "lora"

    rank: int = 1

    def weight(self, build: Builder, shape: Shape, name: str) -> int:
        """Return the node of ``W0 + B A``, shape (width, inputs), with B A of rank at most `rank`."""
        base = build.parameter(f"{name}.weight", shape, shape[1])
        a = build.parameter(f"{name}.lora_A", (self.rank, shape[1]), shape[1])
        b = build.parameter(f"{name}.lora_B", (self.width, self.rank), self.rank)
        return build.add(kinds.Add((base, build.add(kinds.Contract((b, a))))))


@dataclass(frozen=True, slots=True, repr=False)
class WeightNorm(_Computed):
    """A dense layer with weights ``g_j v_j / |v_j|``: ``NAME.gain`` ``(width, 1)``, ``NAME.weight``.

    Examples
    --------
    >>> from verifier import Network, WeightNorm
    >>> Network(6, [WeightNorm(4, "tanh", skip=True)]).parameter_count
    32
    """

    kind: ClassVar[str] = "weightnorm"

    def weight(self, build: Builder, shape: Shape, name: str) -> int:
        """``g v / sqrt(v . v)``, undefined at v = 0."""
        v = build.parameter(f"{name}.weight", shape, shape[1])
        gain = build.parameter(f"{name}.gain", (self.width, 1))
        squares = build.add(kinds.Reduce((build.add(kinds.Multiply((v, v))),), "sum", 1))
        inverse = build.add(kinds.InverseRoot((squares,), Fraction(0)))
        column = build.add(kinds.Reshape((inverse,), (self.width, 1)))
        return build.add(kinds.Multiply((v, gain, column)))


@dataclass(frozen=True, slots=True, repr=False)
class Masked(_Computed):
    """A dense layer some of whose weights are held at 0: ``mask`` lists for each unit what it reads.

    Examples
    --------
    >>> from verifier import Masked, Network
    >>> Network(6, [Masked(2, "tanh", mask=((0, 3), (1,)), skip=True)]).columns
    2
    """

    kind: ClassVar[str] = "masked"

    mask: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        """Take the mask, one list of indices a unit, as tuples of int."""
        _Computed.__post_init__(self)
        try:
            self._set(mask=tuple(tuple(int(entry) for entry in row) for row in self.mask))
        except (TypeError, ValueError):
            raise NetworkError("Masked: mask must be a list of indices for each unit") from None

    def weight(self, build: Builder, shape: Shape, name: str) -> int:
        """Return the node of the weights times the zeros and ones of the mask."""
        return build.add(
            kinds.Multiply(
                (build.parameter(f"{name}.weight", shape, shape[1]), build.constant(self._ones(shape), f"{name}.mask"))
            )
        )

    def _ones(self, shape: Shape) -> Array:
        if len(self.mask) != shape[0] or not all(0 <= k < shape[1] for row in self.mask for k in row):
            raise NetworkError(f"masked: mask needs {shape[0]} lists of indices from 0 to {shape[1] - 1}")
        found = np.zeros(shape[:2])
        for unit, row in enumerate(self.mask):
            found[unit, list(row)] = 1.0
        return found


@dataclass(frozen=True, slots=True, repr=False)
class Transposed(Wired):
    """A dense layer with the transposed weights of an earlier dense layer: ``of`` is that layer's parameter name.

    The decoder of a tied autoencoder. The biases, one per entry of what the other layer reads, are its own.

    Examples
    --------
    >>> from verifier import Dense, Network, Transposed
    >>> Network(6, [Dense(4, "tanh"), Transposed("layer0", "tanh", skip=True)]).columns
    6
    """

    kind: ClassVar[str] = "transposed"

    of: str = "layer0"
    activation: Activation | str = "tanh"

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """The transposed weights, biases, an affine node, an activation."""
        weight = build.names.get(f"{self.of}.weight")
        if weight is None:
            raise NetworkError(f"transposed: no earlier {self.of}.weight; there are {_some(list(build.names))}")
        if len(build.shapes[weight]) != 2:
            raise NetworkError(f"transposed: {self.of}.weight has shape {build.shapes[weight]}; it must be a matrix")
        turned = build.add(kinds.Permute((weight,), (1, 0)))
        bias = build.parameter(f"{name}.bias", (build.shapes[turned][0],))
        return build.map(build.add(kinds.Affine((*sources, turned, bias))), self._sigma(self.activation))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) or "none"
