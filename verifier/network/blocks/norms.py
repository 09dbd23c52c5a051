"""Normalisations: batch (evaluation), layer, root mean square, group; each with trained gains and shifts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from verifier.errors import NetworkError
from verifier.network import nodes as kinds
from verifier.network.blocks.base import EPSILON, Wired
from verifier.network.builder import Builder
from verifier.network.windows import Shape


def _trained(build: Builder, x: int, name: str, shape: Shape, *, shift: bool = True) -> int:
    """``gain * x + shift``, both parameters of one shape that broadcasts."""
    out = build.add(kinds.Multiply((x, build.parameter(f"{name}.weight", shape))))
    return build.add(kinds.Add((out, build.parameter(f"{name}.bias", shape)))) if shift else out


@dataclass(frozen=True, slots=True, repr=False)
class BatchNorm(Wired):
    """Batch normalisation in evaluation: statistics are fixed numbers, gain and shift are trained; exact, not folded.

    Channels are the first axis. The statistics are ``NAME.running_mean`` and ``NAME.running_var`` among the frozen
    numbers of the network; without them 0 and 1.

    Parameters
    ----------
    epsilon : float or Fraction, optional
        Added to the variance.

    Examples
    --------
    >>> from verifier import BatchNorm, Network
    >>> Network((3, 4), [BatchNorm(skip=True)]).parameter_count
    6
    """

    kind: ClassVar[str] = "batchnorm"

    epsilon: Fraction | float = EPSILON

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """``(x - mean) / sqrt(var + epsilon)``, with the root as a node on the statistics alone."""
        shape = build.shapes[sources[0]]
        ones = (shape[0], *(1,) * (len(shape) - 1))
        mean = build.statistic(f"{name}.running_mean", ones, 0.0)
        variance = build.statistic(f"{name}.running_var", ones, 1.0)
        if (build.values_of(variance) + float(self.epsilon) <= 0.0).any():
            raise NetworkError("batchnorm: a variance plus epsilon is not above 0")
        centred = build.add(kinds.Add((sources[0], build.add(kinds.Scale((mean,), Fraction(-1))))))
        factor = build.add(kinds.InverseRoot((variance,), Fraction(self.epsilon)))
        return _trained(build, build.add(kinds.Multiply((centred, factor))), name, ones)


@dataclass(frozen=True, slots=True, repr=False)
class LayerNorm(Wired):
    """Layer normalisation over the last ``axes`` axes, with a gain and a shift per entry of them.

    Examples
    --------
    >>> from verifier import LayerNorm, Network
    >>> Network((4, 3), [LayerNorm(skip=True)]).parameter_count
    6
    """

    kind: ClassVar[str] = "layernorm"
    centre: ClassVar[bool] = True

    epsilon: Fraction | float = EPSILON
    axes: int = 1

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add one fused node, then gains and shifts."""
        shape = build.shapes[sources[0]]
        if self.axes > len(shape):
            raise NetworkError(f"{self.kind}: axes = {self.axes} of a tensor of shape {shape}")
        lead, last = shape[: -self.axes], shape[-self.axes :]
        flat = sources[0] if self.axes == 1 else build.add(kinds.Reshape(sources, (*lead, math.prod(last))))
        out = build.add(kinds.Normalise((flat,), Fraction(self.epsilon), self.centre))
        out = out if self.axes == 1 else build.add(kinds.Reshape((out,), shape))
        return _trained(build, out, name, last, shift=self.centre)


@dataclass(frozen=True, slots=True, repr=False)
class RMSNorm(LayerNorm):
    """Root mean square normalisation: layer normalisation without the mean and without a shift.

    Examples
    --------
    >>> from verifier import Network, RMSNorm
    >>> Network((4, 3), [RMSNorm(skip=True)]).parameter_count
    3
    """

    kind: ClassVar[str] = "rmsnorm"
    centre: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, repr=False)
class GroupNorm(Wired):
    """Group normalisation of ``(channels, *space)``: over the channels and positions of each group.

    Examples
    --------
    >>> from verifier import GroupNorm, Network
    >>> Network((4, 3, 3), [GroupNorm(2, skip=True)]).parameter_count
    8
    """

    kind: ClassVar[str] = "groupnorm"

    groups: int = 1
    epsilon: Fraction | float = EPSILON

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """One fused node on the groups, then a gain and a shift per channel."""
        shape = build.shapes[sources[0]]
        if shape[0] % self.groups:
            raise NetworkError(f"groupnorm: {self.groups} groups do not divide {shape[0]} channels")
        flat = build.add(kinds.Reshape(sources, (self.groups, math.prod(shape) // self.groups)))
        out = build.add(kinds.Normalise((flat,), Fraction(self.epsilon), True))
        out = build.add(kinds.Reshape((out,), shape))
        return _trained(build, out, name, (shape[0], *(1,) * (len(shape) - 1)))


def sinusoids(tokens: int, channels: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Positions as sines and cosines of geometric frequencies, ``(tokens, channels)``; plain numbers, used exactly."""
    rates = 10000.0 ** (-2.0 * (np.arange(channels) // 2) / channels)
    angles = np.arange(tokens)[:, None] * rates
    found = np.where(np.arange(channels) % 2 == 0, np.sin(angles), np.cos(angles))
    rounded: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.round(found * 2.0**20) / 2.0**20
    return rounded
