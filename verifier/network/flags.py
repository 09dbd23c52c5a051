"""Facts about U of every node: an arithmetic whose values say what depends on U, and what is certainly not negative.

The rules are those of THEORY2 G. Sums, products, tensor products, means, tables' rows, exp, tanh and all that is real
analytic on R keep "analytic in U on all of R^p"; ``1 / sqrt(v)``, and an activation that is analytic on the positive
numbers, do so where v is classified as positive. A maximum is analytic only where it does not depend on U. What does
not depend on U is constant in U, whatever it makes of the sample, if it is defined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.graph import Graph
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation
from verifier.sigma.intervals import REALS, Interval
from verifier.sigma.ranges import Behaviour, behaviour

POSITIVE_REALS = Interval(Fraction(0), math.inf)


class Sign(IntEnum):
    """What is known of all entries of a node, on every sample and for every U; a larger one implies the smaller."""

    UNKNOWN = 0
    NONNEGATIVE = 1
    POSITIVE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Flag:
    """Shape, whether the value depends on U, and its sign. The same object stands for the same tensor."""

    shape: Shape
    moves: bool
    sign: Sign


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a node is not shown to be analytic; ``refuted`` if what it computes is certainly not analytic.

    ``node`` is the one that is in the way, as messages call it; obstacles of the same words count as one.
    """

    words: str
    refuted: bool = False
    node: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Flags:
    """What is known of a network for every U.

    Parameters
    ----------
    signs : tuple of Sign
        One for each node.
    obstacles : tuple of Obstacle
        Guarantee: if there are none, every node is real analytic in U on all of R^p, on every sample; if the flags are
        joint ones, it is real analytic in U and the sample, on all of R^p x R^d.
    undefined : tuple of str
        Guarantee: if there are none, every node is defined and continuous in U on all of R^p, on every sample.
    """

    signs: tuple[Sign, ...]
    obstacles: tuple[Obstacle, ...]
    undefined: tuple[str, ...]


def flags_of(graph: Graph, *, jointly: bool = False) -> Flags:
    """Find the flags of all nodes, those that no feature reads included.

    Parameters
    ----------
    graph : Graph
        Any network. Tokens and masks are taken to be what their nodes ask for: engines see to it.
    jointly : bool, optional
        Whether the sample moves as U does, through all of R^d; then no tokens and no mask may be made of it.

    Returns
    -------
    Flags
        Guarantee: see there (THEORY2 G, analyticity rules).

    Examples
    --------
    >>> import verifier as vf
    >>> from verifier.network.flags import flags_of
    >>> flags_of(vf.Network(1, vf.Dense(2, "tanh", skip=True))).obstacles
    ()
    >>> flags_of(vf.Network(1, vf.Dense(2, "relu", skip=True))).obstacles[0].refuted
    True
    """
    ops = _Facts(jointly)
    values: list[Flag] = []
    for index, node in enumerate(graph.nodes):
        ops.node = graph.title(index)
        values.append(node.compute(ops, [values[i] for i in node.reads]))
    obstacles = dict.fromkeys(ops.obstacles)
    return Flags(tuple(value.sign for value in values), tuple(obstacles), tuple(dict.fromkeys(ops.undefined)))


@dataclass
class _Facts(Arithmetic[Flag]):
    """The arithmetic of flags; ``node`` is the one that is being computed, as messages call it.

    What ``moves`` is followed: what depends on U and, if ``jointly``, on the sample.
    """

    jointly: bool = False
    node: str = ""
    obstacles: list[Obstacle] = field(default_factory=list)
    undefined: list[str] = field(default_factory=list)

    def shape(self, value: Flag) -> Shape:
        return value.shape

    def input(self, shape: Shape) -> Flag:
        return Flag(shape, self.jointly, Sign.UNKNOWN)

    def parameter(self, name: str, shape: Shape) -> Flag:
        return Flag(shape, True, Sign.UNKNOWN)

    def constant(self, values: NDArray[np.float64]) -> Flag:
        positive, nonnegative = bool((values > 0).all()), bool((values >= 0).all())
        return Flag(values.shape, False, Sign(int(positive) + int(nonnegative)))

    def affine(self, geometry: Geometry, sources: Sequence[Flag], weight: Flag, bias: Flag | None) -> Flag:
        read = min(source.sign for source in sources)
        read = min(read, Sign.NONNEGATIVE) if geometry.padded else read
        product = min(read, weight.sign)
        sign = product if bias is None else _of_sum(product, bias.sign)
        parts = [*sources, weight] if bias is None else [*sources, weight, bias]
        return Flag(geometry.shape, any(part.moves for part in parts), sign)

    def map(self, x: Flag, sigma: Activation) -> Flag:
        positive = x.sign is Sign.POSITIVE
        known = behaviour(sigma.tree, POSITIVE_REALS if positive else REALS)
        if known is None:
            self.undefined.append(f"{sigma.canonical} in {self.node} is not proved to be defined")
        if x.moves:
            self._analytic(sigma, positive and known is not None and known.analytic)
        elif known is None:
            self._obstacle(self.undefined[-1])
        return Flag(x.shape, x.moves, _of_values(known))

    def _obstacle(self, words: str, refuted: bool = False) -> None:
        self.obstacles.append(Obstacle(words, refuted, self.node))

    def _analytic(self, sigma: Activation, on_positive: bool) -> None:
        """Note an obstacle unless the activation is analytic on R, or on the positive numbers if it sees only them."""
        fact = sigma.facts.real_analytic
        if fact.holds or on_positive:
            return
        if fact.status == "proved" and fact.value is False:
            self._obstacle(f"{sigma.name} in {self.node} is not real analytic: {fact.by}", True)
        else:
            self._obstacle(f"analyticity of {sigma.name} in {self.node} has no symbolic proof")

    def add(self, a: Flag, b: Flag) -> Flag:
        return self._joined(a, b, _of_sum(a.sign, b.sign))

    def multiply(self, a: Flag, b: Flag) -> Flag:
        square = Sign.NONNEGATIVE if a is b else Sign.UNKNOWN
        return self._joined(a, b, max(square, min(a.sign, b.sign)))

    def _joined(self, a: Flag, b: Flag, sign: Sign) -> Flag:
        return Flag(tuple(np.broadcast_shapes(a.shape, b.shape)), a.moves or b.moves, sign)

    def scale(self, x: Flag, factor: Fraction, *, root: bool = False) -> Flag:
        return Flag(x.shape, x.moves, x.sign if factor > 0 else Sign.UNKNOWN)

    def gather(self, sources: Sequence[Flag], places: Places) -> Flag:
        moves = any(source.moves for source in sources)
        return Flag(places.shape, moves, min(source.sign for source in sources))

    def contract(self, a: Flag, b: Flag, *, transposed: bool = False) -> Flag:
        lead = tuple(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
        shape = (*lead, a.shape[-2], b.shape[-2 if transposed else -1])
        return Flag(shape, a.moves or b.moves, min(a.sign, b.sign))

    def total(self, x: Flag) -> Flag:
        return Flag(x.shape[:-1], x.moves, x.sign)

    def largest(self, x: Flag) -> Flag:
        if x.moves:
            what = "U or the sample" if self.jointly else "U"
            self._obstacle(f"a maximum that depends on {what}, in {self.node}, is not analytic", True)
        return Flag(x.shape[:-1], x.moves, x.sign)

    def inverse_root(self, x: Flag, epsilon: Fraction) -> Flag:
        if _of_sum(x.sign, _of_number(epsilon)) is not Sign.POSITIVE:
            inner = "x" if epsilon == 0 else "x + epsilon"
            self._undefined(f"1/sqrt({inner}) in {self.node}, where {inner} > 0 is not proved")
        return Flag(x.shape, x.moves, Sign.POSITIVE)

    def normalise(self, x: Flag, epsilon: Fraction, *, centre: bool) -> Flag:
        if not epsilon > 0:
            self._undefined(f"normalisation with epsilon = 0 in {self.node}: it is undefined where nothing varies")
        return Flag(x.shape, x.moves, Sign.UNKNOWN)

    def _undefined(self, words: str) -> None:
        self.undefined.append(words)
        self._obstacle(words)

    def softmax(self, x: Flag, mask: Flag | None) -> Flag:
        if mask is not None and mask.moves:
            self._obstacle(f"the mask of {self.node} depends on the sample, of which there are all real ones")
        return Flag(x.shape, x.moves, Sign.POSITIVE if mask is None else Sign.NONNEGATIVE)

    def embed(self, tokens: Flag, table: Flag) -> Flag:
        if tokens.moves:
            self._obstacle(f"the tokens of {self.node} depend on the sample, and samples are real numbers here")
        return Flag((*tokens.shape, *table.shape[1:]), table.moves, table.sign)


def _of_sum(a: Sign, b: Sign) -> Sign:
    """The sign of a sum: two terms that are not negative, and positive if one of them is."""
    return max(a, b) if min(a, b) is not Sign.UNKNOWN else Sign.UNKNOWN


def _of_number(number: Fraction) -> Sign:
    return Sign.POSITIVE if number > 0 else Sign.NONNEGATIVE if number == 0 else Sign.UNKNOWN


def _of_values(known: Behaviour | None) -> Sign:
    """The sign of an activation's values."""
    if known is None:
        return Sign.UNKNOWN
    return Sign.POSITIVE if known.values.is_positive else Sign(int(known.values.is_nonnegative))
