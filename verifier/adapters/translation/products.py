"""Products with weights and of two tensors: dense layers, convolutions, matrix products, attention, embeddings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.translation.base import MIXED, shape_of
from verifier.adapters.translation.expressions import affine_of, affine_text
from verifier.adapters.translation.moves import Moves
from verifier.adapters.translation.pointwise import ROUNDED, Pointwise
from verifier.adapters.translation.values import Known, Refused, Tensor, Value
from verifier.network import nodes as kinds
from verifier.network.nodes.mixing import CumulativeSum


class Products(Moves, Pointwise):
    """Builds the nodes of sums of products: linear maps, convolutions, products of two values."""

    def linear(self, x: Value, weight: Value, bias: Value | None) -> Value:
        """``x W^T + b`` over the last axis.

        Parameters
        ----------
        x : Value
            Of shape ``(..., fan_in)``.
        weight : Value
            Trained, frozen, or computed from parameters, of shape ``(units, fan_in)``.
        bias : Value or None
            Of shape ``(units,)``.

        Returns
        -------
        Value
            Of shape ``(..., units)``.

        Raises
        ------
        Refused
            The samples are on the last axis; shapes do not fit.
        """
        if isinstance(x, Known) and isinstance(weight, Known):
            raise Refused(ROUNDED)
        if len(shape_of(weight)) == 1:
            found = self.matmul(x, weight)
            return found if bias is None else self.add(found, bias)
        if isinstance(x, Known) and not x.array.any() and isinstance(weight, Tensor) and weight.batch is None:
            zeros = Known(np.zeros((*x.array.shape[:-1], weight.shape[0])))
            return zeros if bias is None else self.add(bias, zeros)
        x, weight = self.tensor(x), self.tensor(weight)
        if weight.batch is not None or (bias is not None and isinstance(bias, Tensor) and bias.batch is not None):
            product = self.matmul(x, self.permute(weight, (1, 0)))
            return product if bias is None else self.add(product, bias)
        if not x.shape or x.shape[-1] != weight.shape[-1] or len(weight.shape) != 2:
            raise Refused(f"weights of shape {weight.shape} for a tensor of shape {x.shape}")
        weights = self.whole(weight).node
        units = weight.shape[0]
        shape = (*x.shape[:-1], units)
        whole = None if bias is None else self.whole(self.tensor(bias))
        if whole is not None and whole.shape not in ((units,), (1,)):
            return self.add(self.linear(x, weight, None), whole)
        if whole is not None and whole.shape != (units,):
            whole = replace(whole, node=self.expanded(whole.node, (units,)))
        source = self.partly(x, (len(x.shape) - 1,)).node
        if x.batch is not None:
            self.place(x, len(x.shape) - 1, "weights are applied")
        return Tensor(self._affine(source, weights, None if whole is None else whole.node), shape, x.batch)

    def _affine(self, source: int, weight: int, bias: int | None) -> int:
        size = self.shape_of(source)
        last = () if bias is None else (bias,)
        units = self.shape_of(weight)[0]
        if math.prod(size) == size[-1]:
            dense = self.emit(kinds.Affine((*self._flat_sources(source), weight, *last), "all", bias is not None))
            return self.reshaped(dense, (*size[:-1], units))
        return self.emit(kinds.Affine((source, weight, *last), "last", bias is not None))

    def _flat_sources(self, node: int) -> list[int]:
        """The nodes whose entries, one after the other, are those of a node."""
        found = self.build.nodes[node]
        if isinstance(found, kinds.Reshape):
            return self._flat_sources(found.reads[0])
        if isinstance(found, kinds.Concatenate) and all(n == 1 for n in self.shape_of(node)[: found.axis]):
            return [source for read in found.reads for source in self._flat_sources(read)]
        return [node]

    def matmul(self, a: Value, b: Value) -> Value:
        """The matrix product by NumPy's rules: vectors are rows or columns, leading axes broadcast.

        Raises
        ------
        Refused
            The samples are on the axis that is summed over, or on different axes of the two.
        """
        if isinstance(a, Known) and isinstance(b, Known):
            raise Refused(ROUNDED)
        before, behind = len(shape_of(a)), len(shape_of(b))
        if not before or not behind:
            raise Refused("a matrix product of a number; use a product")
        if before == 1 or behind == 1:
            rows = self.reshape(a, (1, *shape_of(a))) if before == 1 else a
            columns = self.reshape(b, (*shape_of(b), 1)) if behind == 1 else b
            if _single(a, self.samples) or _single(b, self.samples):
                raise Refused(f"a matrix product over the samples of shapes {shape_of(a)} and {shape_of(b)}: {MIXED}")
            found = self.matmul(rows, columns)
            shape = list(shape_of(found))
            if behind == 1:
                shape.pop(-1)
            if before == 1:
                shape.pop(-1 if behind == 1 else -2)
            return self.reshape(found, shape)
        if shape_of(a)[-1] != shape_of(b)[-2]:
            raise Refused(f"a matrix product of shapes {shape_of(a)} and {shape_of(b)}, which do not fit")
        if behind == 2 and _weights(b) and not _weights(a):
            return self.linear(a, self.permute(b, (1, 0)), None)
        for x, axis in ((a, before - 1), (b, behind - 2)):
            if isinstance(x, Tensor) and x.batch is not None and x.batch.axis == axis:
                raise Refused(f"a matrix product sums over the samples of shape {x.shape}: {MIXED}")
        return self._contracted(a, b)

    def _contracted(self, a: Value, b: Value) -> Tensor:
        """A product of two tensors; exact factors are taken out of it."""
        a, factor_a = self._factored(a)
        b, factor_b = self._factored(b)
        rows = isinstance(a, Tensor) and a.batch is not None and a.batch.axis == len(a.shape) - 2
        columns = isinstance(b, Tensor) and b.batch is not None and b.batch.axis == len(b.shape) - 1
        factor = factor_a * factor_b
        if rows or columns:
            found = self._of_rows(a, b, rows=rows, columns=columns)
        else:
            (x, y), lead, batch = self.aligned([self._full(a, 2), self._full(b, 2)], keep=2)
            attended = self._attended(x, y)
            shape = (*lead, shape_of(a)[-2], shape_of(b)[-1])
            found = self.fitted(self._product_of(x, y) if attended is None else attended, shape, batch)
        return found if factor == 1 else replace(found, expression=affine_text(factor, Fraction(0)))

    def _product_of(self, x: int, y: int) -> int:
        turned = self.build.nodes[y]
        rank = len(self.shape_of(y))
        if isinstance(turned, kinds.Permute) and turned.axes == (*range(rank - 2), rank - 1, rank - 2):
            return self.emit(kinds.Contract((x, turned.reads[0]), True))
        return self.emit(kinds.Contract((x, y)))

    def _full(self, x: Value, keep: int) -> Value:
        """A value whose last axes are not abbreviated."""
        if isinstance(x, Known) or x.batch is not None:
            return x
        return self.partly(x, range(len(x.shape) - keep, len(x.shape)))

    def _factored(self, x: Value) -> tuple[Value, Fraction]:
        if isinstance(x, Known):
            return x, Fraction(1)
        affine = affine_of(x.expression)
        if affine is None or affine[1] != 0 or affine[0] == 0 or x.node == 0:
            return x, Fraction(1)
        return replace(x, expression=None), affine[0]

    def _of_rows(self, a: Value, b: Value, *, rows: bool, columns: bool) -> Tensor:
        """A product whose rows or columns are samples, alone or among others: both with that axis in the node."""
        if (rows and columns) or any(isinstance(x, Tensor) and x.batch is not None for x in (b if rows else a,)):
            raise Refused(f"a matrix product of shapes {shape_of(a)} and {shape_of(b)}: {MIXED}")
        x, y = self.tensor(a), self.tensor(b)
        of = x if rows else y
        other = self.whole(y if rows else x)
        batch = of.batch
        if batch is None:
            raise Refused(MIXED)
        node, size = self.node(of), list(of.shape)
        size[batch.axis] = batch.outer * batch.inner
        kept = self.reshaped(node, tuple(size))
        found = self._product_of(kept, other.node) if rows else self._product_of(other.node, kept)
        shape = [*np.broadcast_shapes(of.shape[:-2], other.shape[:-2]), shape_of(a)[-2], shape_of(b)[-1]]
        after = replace(batch, axis=len(shape) - (2 if rows else 1))
        return Tensor(self.reshaped(found, self.node_shape(tuple(shape), after)), tuple(shape), after)

    def _attended(self, weights: int, v: int) -> int | None:
        """Softmax of scaled products, times values: one node of attention."""
        softmax = self.build.nodes[weights]
        if not isinstance(softmax, kinds.Softmax):
            return None
        scores, square = self.build.nodes[softmax.reads[0]], Fraction(1)
        if isinstance(scores, kinds.Scale) and scores.factor > 0:
            square, scores = scores.factor**2, self.build.nodes[scores.reads[0]]
        if not isinstance(scores, kinds.Contract):
            return None
        q, k = scores.reads
        if not scores.transposed:
            rank = len(self.shape_of(k))
            k = self.permuted(k, (*range(rank - 2), rank - 1, rank - 2))
        return self.emit(kinds.Attend((q, k, v, *softmax.reads[1:]), square))

    def attention(
        self, q: Value, k: Value, v: Value, mask: Value | None, scale: float | Fraction | None, causal: bool
    ) -> Value:
        """``softmax(scale q k^T + mask) v``.

        Parameters
        ----------
        q, k, v : Value
            Of shapes ``(..., L, E)``, ``(..., S, E)``, ``(..., S, F)``.
        mask : Value or None
            Of shape ``(..., L, S)``: true, or 0, where seen, false, or minus infinity, where not; or numbers that are
            added.
        scale : float, Fraction or None
            The factor of the scores, exactly; None: ``1/sqrt(E)``, exactly.
        causal : bool
            Whether row i sees columns up to i only.

        Returns
        -------
        Value
            Of shape ``(..., L, F)``.
        """
        width = shape_of(q)[-1]
        square = Fraction(1, width) if scale is None else Fraction(scale) ** 2
        seen = np.ones((), bool)
        if isinstance(mask, Known):
            lost = ~mask.array if mask.array.dtype == bool else np.isneginf(mask.array)
            if mask.array.dtype == bool or not np.where(lost, 0.0, mask.array).any():
                seen, mask = ~lost, None
        if causal:
            seen = seen & np.tri(shape_of(q)[-2], shape_of(k)[-2], dtype=bool)
        if mask is None and (scale is None or scale > 0):
            return self._fused(q, k, v, square, seen)
        scores = self.matmul(q, self._transposed(k))
        if scale is None:
            root = math.isqrt(width)
            scale = Fraction(1, root) if root * root == width else None
        factor = self._inverse_root_of(width) if scale is None else Known(np.array(float(scale)))
        if scale is not None and Fraction(float(scale)) != scale:
            scores = self.elementwise(affine_text(Fraction(scale), Fraction(0)), scores)
        else:
            scores = self.multiply(scores, factor)
        if mask is not None:
            scores = self.add(scores, mask)
        if not seen.all():
            scores = self.where(Known(seen), scores, Known(np.array(-np.inf)))
        return self.matmul(self.softmax(scores, -1), v)

    def _inverse_root_of(self, width: int) -> Tensor:
        return Tensor(self.emit(kinds.InverseRoot((self.constant(np.array(float(width))),))), ())

    def _transposed(self, x: Value) -> Value:
        rank = len(shape_of(x))
        return self.permute(x, (*range(rank - 2), rank - 1, rank - 2))

    def _fused(self, q: Value, k: Value, v: Value, square: Fraction, seen: NDArray[Any]) -> Tensor:
        sources: list[Value] = [self._full(self.tensor(x), 2) for x in (q, k, v)]
        if not seen.all():
            if seen.ndim < 2:
                seen = np.broadcast_to(seen, (1, *np.atleast_1d(seen).shape))
            if not seen.any(axis=-1).all():
                raise Refused("a row of the mask of attention sees nothing: its softmax is undefined")
            sources.append(Known(seen.astype(np.float64)))
        nodes, lead, batch = self.aligned(sources, keep=2)
        shape = (*lead, shape_of(q)[-2], shape_of(v)[-1])
        return self.fitted(self.emit(kinds.Attend(tuple(nodes), square)), shape, batch)

    def softmax(self, x: Value, axis: int) -> Value:
        """Softmax along an axis; entries that are minus infinity are left out."""
        if isinstance(x, Known):
            raise Refused(ROUNDED)
        axis = self.axis(x, axis)
        rank = len(x.shape)
        self.place(x, axis, "softmax")
        if axis != rank - 1:
            order = (*(i for i in range(rank) if i != axis), axis)
            found = self.softmax(self.permute(x, order), rank - 1)
            return self.permute(found, tuple(int(i) for i in np.argsort(order)))
        plain = replace(x, hidden=None)
        plain = self.partly(plain, (axis,))
        if x.hidden is None or not x.hidden.any():
            return replace(plain, node=self.emit(kinds.Softmax((plain.node,))))
        seen = ~x.hidden if x.hidden.ndim else np.broadcast_to(~x.hidden, (1,))
        if not np.broadcast_to(seen, x.shape).any(axis=-1).all():
            raise Refused("a row of the mask sees nothing: its softmax is undefined")
        (scores, mask), _, _ = self.aligned([plain, Known(seen.astype(np.float64))])
        return replace(plain, node=self.emit(kinds.Softmax((scores, mask))))

    def log_softmax(self, x: Value, axis: int) -> Value:
        """Logarithm of softmax, which only the loss may read: it is left out, with a remark."""
        if isinstance(x, Known):
            raise Refused(ROUNDED)
        axis = self.axis(x, axis)
        if x.batch is None:
            raise Refused("log_softmax of what does not depend on the input; only the loss may read it")
        self.place(x, axis, "log_softmax")
        return replace(self.settled(x), classes=axis)

    def embedding(self, table: Value, tokens: Value) -> Value:
        """Rows of a table ``(n, ...)`` by whole numbers, known or from the input."""
        if isinstance(table, Known) and isinstance(tokens, Known):
            return Known(table.array.take(tokens.array.astype(np.int64), axis=0), table.name)
        if isinstance(table, Tensor) and table.batch is not None:
            raise Refused(f"rows are taken from a table of shape {table.shape} that depends on the sample")
        rows = shape_of(table)[1:]
        whole = self.whole(self.tensor(table))
        if isinstance(tokens, Tensor):
            found = self.emit(kinds.Embed((self.node(tokens), whole.node)))
            return self.fitted(found, (*tokens.shape, *rows), tokens.batch)
        shape = tokens.array.shape
        numbers = self.build.nodes[self.tensor(Known(tokens.array)).node]
        if not isinstance(numbers, kinds.Constant):
            raise Refused(ROUNDED)
        taken = self.take(whole, 0, numbers.values.astype(np.int64))
        if not isinstance(taken, Tensor):
            raise Refused(ROUNDED)
        return replace(taken, shape=(*shape, *rows))

    def cumsum(self, x: Value, axis: int) -> Value:
        """Running sums along an axis."""
        if isinstance(x, Known):
            if x.array.dtype.kind == "f":
                raise Refused(ROUNDED)
            return Known(np.cumsum(x.array, axis=axis))
        axis = self.axis(x, axis)
        self.place(x, axis, "running sums")
        order = (*(i for i in range(len(x.shape)) if i != axis), axis)
        last = self.partly(self.permuted_tensor(x, order), (len(order) - 1,))
        found = replace(last, node=self.emit(CumulativeSum((last.node,))))
        return self.permute(found, tuple(int(i) for i in np.argsort(order)))

    def permuted_tensor(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """Permute the axes of a tensor; a known array is refused."""
        found = self.permute(x, order)
        if isinstance(found, Known):
            raise Refused(ROUNDED)
        return found


def _weights(x: Value) -> bool:
    return isinstance(x, Known) or x.batch is None


def _single(x: Value, samples: int) -> bool:
    """Whether a vector stands for the samples' axis alone."""
    return isinstance(x, Tensor) and len(x.shape) == 1 and x.batch is not None
