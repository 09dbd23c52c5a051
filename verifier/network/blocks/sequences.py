"""Blocks for tokens ``(tokens, channels)``: embeddings, attention, gated units, recurrent cells."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np

from verifier.errors import NetworkError
from verifier.network import nodes as kinds
from verifier.network.blocks.base import Wired, tokens_of
from verifier.network.blocks.norms import sinusoids
from verifier.network.builder import Builder
from verifier.sigma.activations import Activation, activation


@dataclass(frozen=True, slots=True, repr=False)
class Embedding(Wired):
    """Rows of a trained table by whole numbers 0..tokens-1: ``(length,)`` to ``(length, width)``.

    Examples
    --------
    >>> from verifier import Embedding, Network
    >>> Network(5, [Embedding(10, 3, skip=True)]).columns
    15
    """

    kind: ClassVar[str] = "embedding"

    tokens: int = 1
    width: int = 1

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add the table of embeddings and one node that takes its rows."""
        table = build.parameter(f"{name}.weight", (self.tokens, self.width), self.width)
        return build.add(kinds.Embed((sources[0], table)))


@dataclass(frozen=True, slots=True, repr=False)
class Positional(Wired):
    """Adds a vector per position: trained, or fixed sines and cosines.

    Examples
    --------
    >>> from verifier import Network, Positional
    >>> Network((4, 3), [Positional(skip=True)]).parameter_count
    12
    """

    kind: ClassVar[str] = "positional"

    how: Literal["learned", "sinusoidal"] = "learned"

    def __post_init__(self) -> None:
        """Refuse a `how` other than learned or sinusoidal."""
        Wired.__post_init__(self)
        if self.how not in ("learned", "sinusoidal"):
            raise NetworkError(f"Positional: how = {self.how!r} must be learned or sinusoidal")

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add the table of positions and a sum."""
        tokens, channels = tokens_of(build, sources[0], self.kind)
        if self.how == "learned":
            table = build.parameter(f"{name}.weight", (tokens, channels), channels)
        else:
            table = build.constant(sinusoids(tokens, channels), f"{name}.positions")
        return build.add(kinds.Add((sources[0], table)))


@dataclass(frozen=True, slots=True, repr=False)
class MultiHeadAttention(Wired):
    """Softmax attention of several heads with trained projections, ``(tokens, channels)`` to ``(tokens, width)``.

    Parameters
    ----------
    heads : int
        The number of heads; it divides the channels.
    width : int, optional
        The channels of the result, by default those of what is read.
    causal : bool, optional
        Whether a token sees itself and earlier ones only.
    keys : sequence of int, optional
        The tokens that are seen, by default all.
    bias : bool, optional
        Whether the projections have biases.

    Examples
    --------
    >>> from verifier import MultiHeadAttention, Network
    >>> Network((4, 6), [MultiHeadAttention(2, causal=True, skip=True)]).columns
    24
    """

    kind: ClassVar[str] = "attention"

    heads: int = 1
    width: int | None = None
    causal: bool = False
    keys: tuple[int, ...] = ()
    bias: bool = True

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Projections, heads, the fused attention, and the last projection."""
        tokens, channels = tokens_of(build, sources[0], self.kind)
        if channels % self.heads:
            raise NetworkError(f"attention: {self.heads} heads do not divide {channels} channels")
        bias = "tied" if self.bias else None
        size = channels // self.heads
        parts = []
        for part in ("query", "key", "value"):
            whole = build.affine(sources, channels, f"{name}.{part}", over="last", bias=bias)
            split = build.add(kinds.Reshape((whole,), (tokens, self.heads, size)))
            parts.append(build.add(kinds.Permute((split,), (1, 0, 2))))
        mask = self._mask(tokens)
        if mask is not None:
            parts.append(build.constant(mask, f"{name}.mask"))
        seen = build.add(kinds.Attend(tuple(parts), Fraction(1, size)))
        joined = build.add(kinds.Reshape((build.add(kinds.Permute((seen,), (1, 0, 2))),), (tokens, channels)))
        return build.affine((joined,), self.width or channels, f"{name}.output", over="last", bias=bias)

    def _mask(self, tokens: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]] | None:
        """Which token sees which, ones and zeros; None: all see all."""
        if not self.causal and not self.keys:
            return None
        mask = np.tril(np.ones((tokens, tokens))) if self.causal else np.ones((tokens, tokens))
        if self.keys:
            if not all(0 <= key < tokens for key in self.keys):
                raise NetworkError(f"attention: keys = {list(self.keys)} must be tokens from 0 to {tokens - 1}")
            mask[:, [token for token in range(tokens) if token not in self.keys]] = 0.0
        if not mask.any(axis=1).all():
            blind = int(np.flatnonzero(~mask.any(axis=1))[0])
            raise NetworkError(f"attention: token {blind} sees no token; add a key that it may see")
        return mask


@dataclass(frozen=True, slots=True, repr=False)
class GLU(Wired):
    """A gated linear unit over the last axis: ``(A x + a) * sigma(B x + b)``.

    Examples
    --------
    >>> from verifier import GLU, Network
    >>> Network((4, 6), [GLU(2, skip=True)]).columns
    8
    """

    kind: ClassVar[str] = "glu"

    width: int = 1
    activation: Activation | str = "sigmoid"
    bias: bool = True

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add two affine nodes, an activation and a product."""
        bias = "tied" if self.bias else None
        value = build.affine(sources, self.width, f"{name}.value", over="last", bias=bias)
        gate = build.affine(sources, self.width, f"{name}.gate", over="last", bias=bias)
        return build.add(kinds.Multiply((value, build.map(gate, self._sigma(self.activation)))))


@dataclass(frozen=True, slots=True, repr=False)
class SwiGLU(Wired):
    """The feed-forward block of language models over the last axis: ``C (silu(A x) * B x)``, A and B to ``hidden``.

    ``width`` is by default that of what is read.

    Examples
    --------
    >>> from verifier import Network, SwiGLU
    >>> Network((4, 6), [SwiGLU(8, skip=True)]).columns
    24
    """

    kind: ClassVar[str] = "swiglu"

    hidden: int = 1
    width: int | None = None
    bias: bool = False

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add three affine nodes, an activation and a product."""
        bias = "tied" if self.bias else None
        gate = build.affine(sources, self.hidden, f"{name}.gate", over="last", bias=bias)
        value = build.affine(sources, self.hidden, f"{name}.value", over="last", bias=bias)
        product = build.add(kinds.Multiply((build.map(gate, activation("silu")), value)))
        width = self.width or build.shapes[sources[0]][-1]
        return build.affine((product,), width, f"{name}.output", over="last", bias=bias)


@dataclass(frozen=True, slots=True, repr=False)
class Recurrent(Wired):
    """A recurrent layer: ``h_t = sigma(W [x_t, h_{t-1}] + b)``, the same weights at every step, ``h_{-1} = 0``.

    The output is the last state ``(width,)``, or all of them ``(tokens, width)`` if ``sequence``.

    Examples
    --------
    >>> from verifier import Network, Recurrent
    >>> Network((8, 6), [Recurrent(5, skip=True)]).columns
    5
    """

    kind: ClassVar[str] = "recurrent"

    width: int = 1
    activation: Activation | str = "tanh"
    sequence: bool = False

    def nodes(self, build: Builder, sources: tuple[int, ...], name: str) -> int:
        """Add the cell once for each token."""
        tokens, _ = tokens_of(build, sources[0], self.kind)
        state = build.constant(np.zeros(self.width), f"{name}.start")
        states = []
        for token in range(tokens):
            seen = build.add(kinds.Take(sources, 0, (token,)))
            state = self.step(build, seen, state, name)
            states.append(state)
        if not self.sequence:
            return state
        rows = [build.add(kinds.Reshape((state,), (1, self.width))) for state in states]
        return build.add(kinds.Concatenate(tuple(rows), 0))

    def step(self, build: Builder, seen: int, state: int, name: str) -> int:
        """The next state from a token and the state before."""
        return build.map(build.affine((seen, state), self.width, name), self._sigma(self.activation))


@dataclass(frozen=True, slots=True, repr=False)
class GRU(Recurrent):
    """A gated recurrent layer with PyTorch's equations.

    ``z, r = sigmoid(W [x, h] + b)``, ``n = sigma(A x + a + r * (B h + b'))``, ``h = (1 - z) n + z h``; the parameters
    are ``NAME.update``, ``NAME.reset``, ``NAME.input`` and ``NAME.state``.

    Examples
    --------
    >>> from verifier import GRU, Network
    >>> Network((8, 6), [GRU(5, skip=True)]).columns
    5
    """

    kind: ClassVar[str] = "gru"

    def step(self, build: Builder, seen: int, state: int, name: str) -> int:
        """The next state from a token and the state before."""
        sigmoid = activation("sigmoid")
        update = build.map(build.affine((seen, state), self.width, f"{name}.update"), sigmoid)
        reset = build.map(build.affine((seen, state), self.width, f"{name}.reset"), sigmoid)
        kept = build.add(kinds.Multiply((reset, build.affine((state,), self.width, f"{name}.state"))))
        inner = build.add(kinds.Add((build.affine((seen,), self.width, f"{name}.input"), kept)))
        return build.add(kinds.Gate((update, build.map(inner, self._sigma(self.activation)), state)))
