r"""Derivatives of Psi by U, sample by sample, by reverse accumulation in any arithmetic.

Let w be one row of numbers for each feature, ``sum_j Psi_ij w_j`` a number that depends on U. Its derivative by a
node's value is known at the features and handed on from each node to what it reads, ``dz``: the values' transposed
rules, such as ``dW = dz h^T`` and ``dh = W^T dz`` of ``z = W h``. Where one value is read several times, what arrives
is summed: weights that are shared need nothing else. Every rule is a formula in the operations of an arithmetic, so
that enclosures of all values give enclosures of the derivatives at every U that the values enclose.

All m rows of w are followed at once: a derivative of a tensor of shape S has shape ``(m, *S)``, for each sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.differentiable import Differentiable, NotSmooth
from verifier.network.graph import Feature
from verifier.network.network import Network
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

T = TypeVar("T")

MAX_TOKENS = 4096
"""Rows of a table that tokens may choose from: each token becomes as many zeros and ones."""


@dataclass(slots=True, eq=False)
class Traced(Generic[T]):
    """A value, from what moving values it was made and by which rule a derivative goes back to each."""

    value: T
    moves: bool
    arcs: tuple[tuple[Traced[T], Callable[[T], T]], ...] = ()
    slope: T | None = field(default=None, repr=False)


Arc = tuple[Traced[T], Callable[[T], T]]


class Reverse(Arithmetic[Traced[T]]):
    """An arithmetic that remembers how each value was made.

    Parameters
    ----------
    engine : Differentiable
        What the values are.
    wanted : set of str, optional
        The parameters that derivatives are wanted of; None: all.

    Notes
    -----
    Guarantee: if the engine's operations enclose, then after `backward` the slope of a value encloses the derivatives,
    by that value, of what the slopes of later values were begun with; it is None if they do not depend on it.
    """

    def __init__(self, engine: Differentiable[T], wanted: set[str] | None = None) -> None:
        """Begin with no value made and no parameter read."""
        self.engine, self.ops, self.wanted = engine, engine.ops, wanted
        self.zero = engine.ops.constant(np.zeros(1))
        self.made: list[Traced[T]] = []
        self.parameters: dict[str, Traced[T]] = {}

    def _keep(self, value: T, *arcs: Arc[T]) -> Traced[T]:
        moving = tuple(arc for arc in arcs if arc[0].moves)
        found = Traced(value, bool(moving), moving)
        if moving:
            self.made.append(found)
        return found

    def receive(self, traced: Traced[T], slope: T) -> None:
        """Add a derivative, ``(m, *wide)``, summed over the axes along which the value was broadcast."""
        slope = self.by_samples(traced.value, slope)
        shape, wide = self.ops.shape(traced.value), self.ops.shape(slope)[1:]
        if wide != shape:
            slope = self.scattered(slope, np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), wide), shape)
        traced.slope = slope if traced.slope is None else self.ops.add(traced.slope, slope)

    def begin(self, network: Network, values: Mapping[int, Traced[T]], weights: T) -> None:
        """Hand w, ``(m, M)``, to the nodes that features read."""
        (rows, columns), start = self.ops.shape(weights), 0
        for feature in network.features:
            traced = values[feature.node]
            shape = self.ops.shape(traced.value)
            entries = feature_entries(feature, shape)
            if traced.moves:
                owner = np.full(math.prod(shape), -1, dtype=np.int64)
                owner[entries] = start + np.arange(len(entries))
                places = np.where(owner >= 0, owner + columns * np.arange(rows)[:, None], rows * columns)
                self.receive(traced, self.ops.gather([weights, self.zero], places.reshape(rows, *shape)))
            start += len(entries)

    def by_samples(self, value: T, slope: T) -> T:
        """The derivative for each sample by a value that may stand for all samples: kept apart here."""
        return slope

    def backward(self) -> None:
        """Hand every derivative on, from the last value to the first."""
        for traced in reversed(self.made):
            if traced.slope is None:
                continue
            for source, rule in traced.arcs:
                self.receive(source, rule(traced.slope))
            traced.slope = None

    def scattered(self, slope: T, owner: Places, shape: Shape) -> T:
        """Sum the entries of ``(m, *any)`` by owner: places of a tensor of this shape; what lies beyond it is lost."""
        ops, size, length = self.ops, math.prod(shape), owner.size
        flat = np.ascontiguousarray(owner).ravel()
        counts = np.bincount(flat, minlength=size)[:size]
        order = np.argsort(flat, kind="stable")
        begins, most = np.concatenate([[0], np.cumsum(counts)[:-1]]), max(1, int(counts.max(initial=0)))
        within = begins[:, None] + np.arange(most)
        given = np.arange(most) < counts[:, None]
        table = np.where(given, order[np.where(given, within, 0)], -1)  # (size, most), -1: nothing
        rows = ops.shape(slope)[0]
        every = np.where(table >= 0, table + length * np.arange(rows)[:, None, None], rows * length)
        sources = [slope] if given.all() else [slope, self.zero]
        if most == 1:
            return ops.gather(sources, every.reshape(rows, *shape))
        return ops.total(ops.gather(sources, every.reshape(rows, *shape, most)))

    def turned(self, x: T) -> T:
        """Return a value with its last two axes exchanged."""
        shape = self.ops.shape(x)
        places = np.swapaxes(np.arange(math.prod(shape)).reshape(shape), -1, -2)
        return self.ops.gather([x], places)

    def by_weights(self, slope: T, patches: T) -> T:
        """``dz^T H`` of derivatives ``(m, filters, positions)`` and windows ``(positions, fan_in)``."""
        one = self.ops.shape(patches)[0] == 1
        return self.ops.multiply(slope, patches) if one else self.ops.contract(slope, patches)

    def _parted(self, values: Sequence[T], k: int) -> Callable[[T, Places], T]:
        """From a derivative by entries at places of some sources side by side to that by source k."""
        sizes = [math.prod(self.ops.shape(value)) for value in values]
        start, size, shape = sum(sizes[:k]), sizes[k], self.ops.shape(values[k])

        def own(slope: T, places: Places) -> T:
            inside = (places >= start) & (places < start + size)
            return self.scattered(slope, np.where(inside, places - start, size), shape)

        return own

    def shape(self, value: Traced[T]) -> Shape:
        """The shape of the value."""
        return self.ops.shape(value.value)

    def input(self, shape: Shape) -> Traced[T]:
        """The samples do not depend on U: no derivative goes back to them."""
        return self._keep(self.ops.input(shape))

    def parameter(self, name: str, shape: Shape) -> Traced[T]:
        """A part of U: it moves if its derivatives are wanted."""
        moves = self.wanted is None or name in self.wanted
        self.parameters[name] = Traced(self.ops.parameter(name, shape), moves)
        return self.parameters[name]

    def constant(self, values: NDArray[np.float64]) -> Traced[T]:
        """Fixed numbers do not depend on U: no derivative goes back to them."""
        return self._keep(self.ops.constant(values))

    def affine(
        self, geometry: Geometry, sources: Sequence[Traced[T]], weight: Traced[T], bias: Traced[T] | None
    ) -> Traced[T]:
        """``dW = dz h^T``, ``dh = W^T dz``, ``db = dz``, summed over the positions."""
        ops, read = self.ops, [source.value for source in sources]
        value = ops.affine(geometry, read, weight.value, None if bias is None else bias.value)
        windows = geometry.windows
        if windows is None:
            windows = np.arange(sum(math.prod(ops.shape(v)) for v in read))[None, None, :]
        groups, positions, width = windows.shape
        per, count = geometry.filters // groups, geometry.filters * positions
        in_order = np.arange(count).reshape(geometry.filters, positions).T  # (positions, filters)
        if not geometry.filters_first:
            in_order = np.arange(count).reshape(positions, geometry.filters)

        def part(slope: T, group: int) -> T:  # (m, positions, filters of the group)
            rows, own = ops.shape(slope)[0], in_order[:, group * per : (group + 1) * per]
            return ops.gather([slope], own + count * np.arange(rows)[:, None, None])

        def by_weight(slope: T) -> T:
            padded, found = [*read, self.zero] if geometry.padded else read, []
            for group, places in enumerate(windows):
                found.append(self.by_weights(self.turned(part(slope, group)), ops.gather(padded, places)))
            rows = ops.shape(slope)[0]
            places = np.arange(rows * per * width).reshape(rows, per * width)
            whole = np.concatenate([places + g * places.size for g in range(groups)], axis=1)
            return ops.gather(found, whole.reshape(rows, *ops.shape(weight.value)))

        def by_source(k: int) -> Callable[[T], T]:
            own = self._parted(read, k)

            def rule(slope: T) -> T:
                backs = []
                for group, places in enumerate(windows):
                    rows = np.arange(group * per * width, (group + 1) * per * width).reshape(per, width)
                    backs.append(own(ops.contract(part(slope, group), ops.gather([weight.value], rows)), places))
                return reduce(ops.add, backs)

            return rule

        arcs: list[Arc[T]] = [(source, by_source(k)) for k, source in enumerate(sources)]
        arcs.append((weight, by_weight))
        if bias is not None:
            shape = ops.shape(bias.value)
            tied = math.prod(shape) == geometry.filters
            owner = np.empty(count, dtype=np.int64)
            owner[in_order.ravel()] = np.tile(np.arange(geometry.filters), positions)
            owner = owner if tied else np.arange(count)
            arcs.append((bias, lambda slope: self.scattered(slope, owner, shape)))
        return self._keep(value, *arcs)

    def map(self, x: Traced[T], sigma: Activation) -> Traced[T]:
        """The derivative goes back times ``sigma'(x)``, entry by entry."""
        value = self.ops.map(x.value, sigma)
        if not x.moves:
            return self._keep(value)
        rate = self.engine.rate(x.value, sigma)
        return self._keep(value, (x, lambda slope: self.ops.multiply(slope, rate)))

    def add(self, a: Traced[T], b: Traced[T]) -> Traced[T]:
        """The derivative goes back to both terms unchanged."""
        return self._keep(self.ops.add(a.value, b.value), (a, lambda slope: slope), (b, lambda slope: slope))

    def multiply(self, a: Traced[T], b: Traced[T]) -> Traced[T]:
        """The derivative goes back to each factor times the other one."""
        ops = self.ops
        return self._keep(
            ops.multiply(a.value, b.value),
            (a, lambda slope: ops.multiply(slope, b.value)),
            (b, lambda slope: ops.multiply(slope, a.value)),
        )

    def scale(self, x: Traced[T], factor: Fraction, *, root: bool = False) -> Traced[T]:
        """The derivative goes back times the same exact factor."""
        ops = self.ops
        return self._keep(ops.scale(x.value, factor, root=root), (x, lambda slope: ops.scale(slope, factor, root=root)))

    def gather(self, sources: Sequence[Traced[T]], places: Places) -> Traced[T]:
        """The derivative goes back to where the entries came from."""
        read = [source.value for source in sources]

        def by_source(k: int) -> Callable[[T], T]:
            own = self._parted(read, k)
            return lambda slope: own(slope, places)

        return self._keep(self.ops.gather(read, places), *((s, by_source(k)) for k, s in enumerate(sources)))

    def contract(self, a: Traced[T], b: Traced[T], *, transposed: bool = False) -> Traced[T]:
        """``dA = dC B^T`` and ``dB = A^T dC``; of ``C = A B^T``: ``dA = dC B`` and ``dB = dC^T A``."""
        ops = self.ops

        def by_second(slope: T) -> T:
            if transposed:
                return ops.contract(self.turned(slope), a.value)
            return ops.contract(self.turned(a.value), slope)

        return self._keep(
            ops.contract(a.value, b.value, transposed=transposed),
            (a, lambda slope: ops.contract(slope, b.value, transposed=not transposed)),
            (b, by_second),
        )

    def total(self, x: Traced[T]) -> Traced[T]:
        """The derivative of a sum goes back to all of its terms unchanged."""
        size = self.ops.shape(x.value)[-1]
        return self._keep(self.ops.total(x.value), (x, lambda slope: self.ops.spread(slope, size)))

    def largest(self, x: Traced[T]) -> Traced[T]:
        """The derivative goes back to the entry that attains the maximum."""
        ops, value = self.ops, self.ops.largest(x.value)
        if not x.moves:
            return self._keep(value)
        chosen, size = self.engine.attained(x.value), ops.shape(x.value)[-1]
        return self._keep(value, (x, lambda slope: ops.multiply(ops.spread(slope, size), chosen)))

    def inverse_root(self, x: Traced[T], epsilon: Fraction) -> Traced[T]:
        """``y = (x + epsilon)^(-1/2)``: ``dx = -y^3 dy / 2``."""
        ops, y = self.ops, self.ops.inverse_root(x.value, epsilon)

        def rule(slope: T) -> T:
            cubes = ops.multiply(ops.multiply(y, y), y)
            return ops.scale(ops.multiply(slope, cubes), Fraction(-1, 2))

        return self._keep(y, (x, rule))

    def softmax(self, x: Traced[T], mask: Traced[T] | None) -> Traced[T]:
        """``dx_j = p_j (dp_j - sum_k p_k dp_k)``; what a mask leaves out has ``p_j = 0``."""
        ops = self.ops
        p = ops.softmax(x.value, None if mask is None else mask.value)

        def rule(slope: T) -> T:
            common = ops.total(ops.multiply(slope, p))
            rest = ops.add(slope, ops.scale(ops.spread(common, ops.shape(p)[-1]), Fraction(-1)))
            return ops.multiply(rest, p)

        return self._keep(p, (x, rule))

    def normalise(self, x: Traced[T], epsilon: Fraction, *, centre: bool) -> Traced[T]:
        """``z = r d``, ``r = (mean d^2 + epsilon)^(-1/2)``: ``dd = r (dz - z mean(z dz))``, ``dx = dd - mean dd``."""
        ops, size = self.ops, self.ops.shape(x.value)[-1]
        z = ops.normalise(x.value, epsilon, centre=centre)
        if not x.moves:
            return self._keep(z)
        d = self._centred(x.value, size) if centre else x.value
        r = ops.spread(ops.inverse_root(ops.mean(ops.multiply(d, d)), epsilon), size)

        def rule(slope: T) -> T:
            along = ops.spread(ops.mean(ops.multiply(slope, z)), size)
            inward = ops.add(slope, ops.scale(ops.multiply(along, z), Fraction(-1)))
            found = ops.multiply(inward, r)
            return self._centred(found, size) if centre else found

        return self._keep(z, (x, rule))

    def _centred(self, x: T, size: int) -> T:
        ops = self.ops
        return ops.add(x, ops.scale(ops.spread(ops.mean(x), size), Fraction(-1)))

    def embed(self, tokens: Traced[T], table: Traced[T]) -> Traced[T]:
        """To the rows that the tokens chose: a product with rows of zeros and a one.

        Raises
        ------
        NotSmooth
            The table has more than `MAX_TOKENS` rows.
        """
        ops, (count, *rest) = self.ops, self.ops.shape(table.value)
        value = ops.embed(tokens.value, table.value)
        if not table.moves:
            return self._keep(value)
        if count > MAX_TOKENS:
            raise NotSmooth(f"a table of {count} rows; derivatives by it are made for at most {MAX_TOKENS}")
        width = math.prod(rest)

        def rule(slope: T) -> T:
            rows, places = ops.shape(slope)[0], math.prod(ops.shape(tokens.value))
            chosen = ops.embed(tokens.value, ops.constant(np.eye(count)))
            flat = ops.gather([chosen], np.arange(places * count).reshape(places, count))
            wide = ops.gather([slope], np.arange(rows * places * width).reshape(rows, places, width))
            found = ops.contract(self.turned(flat), wide)  # (m, rows of the table, width)
            return ops.gather([found], np.arange(rows * count * width).reshape(rows, count, *rest))

        return self._keep(value, (table, rule))


def feature_entries(feature: Feature, shape: Shape) -> Places:
    """The flat places of a node's entries that are columns of Psi."""
    return np.arange(math.prod(shape)) if feature.entries is None else np.array(feature.entries, dtype=np.int64)
