"""Operations on single entries: chains of them on one tensor become one function."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.adapters.translation.base import EXACT_INTEGERS, SAME, Base, floats, shape_of, uniform
from verifier.adapters.translation.expressions import (
    activation_of,
    affine_of,
    affine_text,
    are_complements,
    composed,
    number,
    power_of,
    states,
    symbolic,
)
from verifier.adapters.translation.values import Known, Refused, Tensor, Value
from verifier.errors import ExpressionError
from verifier.network import nodes as kinds
from verifier.network.windows import Shape
from verifier.sigma.expressions import MAX_EXPONENT

ROUNDED = "arithmetic of known numbers alone is the front end's"


class Pointwise(Base):
    """Sums, products, quotients, powers, maxima, and functions of one entry."""

    def elementwise(self, expression: str, x: Value) -> Value:
        """A function of each entry, an expression in t in the grammar of activations.

        Parameters
        ----------
        expression : str
            For example ``"t/(1 + exp(-t))"``; its numbers are exact.
        x : Tensor
            What it is applied to.

        Returns
        -------
        Tensor
            The function is joined with those before it.

        Raises
        ------
        Refused
            The function is not defined for every real t, and no power of an affine one.
        """
        if isinstance(x, Known):
            raise Refused(ROUNDED)
        if x.classes is not None or x.hidden is not None:
            self.node(x)
        if expression.replace(" ", "") == "log(t)" and x.expression is None:
            last = self.build.nodes[x.node]
            if isinstance(last, kinds.Softmax) and len(last.reads) == 1:
                end = len(x.shape) - 1
                return replace(x, node=last.reads[0], classes=end - (x.batch is not None and x.batch.axis == end))
        if re.search(r"\bx\b", expression):
            raise Refused(f"the variable of {expression!r} must be called t")
        whole = composed(expression, x.expression)
        if not self._states(whole):
            whole = self.on_its_values(x.node, whole)
        if self._states(whole):
            return replace(x, expression=None if affine_of(whole) == SAME else whole)
        if x.expression is not None and self._states(expression):
            return replace(self.settled(x), expression=expression)
        activation_error = self._reason(expression)
        raise Refused(activation_error)

    def _states(self, expression: str) -> bool:
        if affine_of(expression) is not None:
            return True
        return states(expression) or power_of(expression) is not None

    def _reason(self, expression: str) -> str:
        try:
            activation_of(expression)
        except ExpressionError as error:
            return str(error)
        return f"{expression}: the chain of operations before it is undefined somewhere"

    def add(self, a: Value, b: Value) -> Value:
        """``a + b``, broadcasting as NumPy does; minus infinity in known numbers is a mask for the softmax behind."""
        return self._binary(a, b, np.add, "({}) + ({})", self._sum)

    def subtract(self, a: Value, b: Value) -> Value:
        """``a - b``, entry by entry, broadcasting as NumPy does."""
        return self._binary(a, b, np.subtract, "({}) - ({})", self._difference)

    def multiply(self, a: Value, b: Value) -> Value:
        """``a b``, entry by entry."""
        return self._binary(a, b, np.multiply, "({})*({})", self._times)

    def divide(self, a: Value, b: Value) -> Value:
        """``a / b``, exactly: by numbers, or by a tensor that is defined to be nonzero or proved so by engines."""
        return self._binary(a, b, None, "({})/({})", self._quotient)

    def maximum(self, a: Value, b: Value) -> Value:
        """The larger of two, entry by entry."""
        return self._binary(a, b, np.maximum, "Max({}, {})", lambda x, y: self._extreme(x, y, 1))

    def minimum(self, a: Value, b: Value) -> Value:
        """The smaller of two, entry by entry."""
        return self._binary(a, b, np.minimum, "Min({}, {})", lambda x, y: self._extreme(x, y, -1))

    def power(self, a: Value, b: Value) -> Value:
        """``a ** b`` for one number b, or for one positive number a."""
        if isinstance(a, Known) and isinstance(b, Known):
            raise Refused(ROUNDED)
        exponent, base = uniform(b), uniform(a)
        if exponent is not None and isinstance(a, Tensor):
            if max(abs(exponent.numerator), exponent.denominator) > MAX_EXPONENT:
                raise Refused(f"the exponent {float(exponent)} is no fraction of small numbers")
            powered = self.elementwise(f"t**{number(exponent)}" if exponent else "0*t + 1", a)
            return self._broadcast(powered, shape_of(b))
        if base is not None and base > 0 and isinstance(b, Tensor):
            return self._broadcast(self.elementwise(f"exp(t*log({number(base)}))", b), shape_of(a))
        raise Refused("a power of two tensors; the exponent must be one number, or the base one positive number")

    def where(self, mask: Known, a: Value, b: Value) -> Value:
        """``a`` where the mask is true, else ``b``; minus infinity is a mask for the softmax behind."""
        chosen = np.asarray(mask.array, dtype=bool)
        if isinstance(a, Known) and isinstance(b, Known):
            same = a.array.dtype == b.array.dtype
            return Known(np.where(chosen, *(x.array if same else floats(x.array) for x in (a, b))))
        shape = tuple(np.broadcast_shapes(chosen.shape, shape_of(a), shape_of(b)))
        if chosen.all() or not chosen.any():
            return self._broadcast(a if chosen.all() else b, shape)
        for tensor, other, away in ((a, b, ~chosen), (b, a, chosen)):
            if isinstance(tensor, Tensor) and isinstance(other, Known) and np.isneginf(other.array).any():
                lost = away & np.isneginf(other.array)
                kept = Known(np.where(away & ~np.isneginf(other.array), other.array, 0.0))
                found = self._blend(away & ~lost, kept, tensor)
                return self._hide(found, lost)
        return self._blend(chosen, a, b)

    def _blend(self, chosen: NDArray[np.bool_], a: Value, b: Value) -> Value:
        """``m a + (1 - m) b`` for a mask m of zeros and ones, exactly."""
        if not chosen.any():
            return self._broadcast(b, chosen.shape)
        parts: list[Value] = []
        for part, seen in ((a, chosen), (b, ~chosen)):
            if isinstance(part, Known):
                parts.append(Known(np.where(seen, part.array, 0)))
            else:
                parts.append(self._times(part, Known(seen.astype(np.float64))))
        return self.add(*parts)

    def _binary(
        self,
        a: Value,
        b: Value,
        known: Callable[[Any, Any], Any] | None,
        text: str,
        join: Callable[[Value, Value], Value],
    ) -> Value:
        """One number with a tensor, or two functions of the same entries: a function; else ``join``."""
        if isinstance(a, Known) and isinstance(b, Known):
            if known is None or "f" in (a.array.dtype.kind, b.array.dtype.kind):
                raise Refused(ROUNDED)
            if np.abs(known(floats(a.array), floats(b.array))).max(initial=0) > EXACT_INTEGERS:
                raise Refused("whole numbers beyond 2**53; use smaller ones")
            numbers = [x.array.astype(np.int64) if known is np.subtract else x.array for x in (a, b)]
            return Known(known(*numbers))
        for x, other, pattern in ((a, b, text.format("t", "{}")), (b, a, text.format("{}", "t"))):
            value = uniform(other)
            if isinstance(x, Tensor) and value is not None and x.hidden is None and x.classes is None:
                try:
                    found = self.elementwise(pattern.format(number(value)), x)
                except Refused:
                    if text.startswith("({})/") and value != 0 and x is b:
                        raise
                    break
                return self._broadcast(found, shape_of(other))
        if isinstance(a, Tensor) and isinstance(b, Tensor) and _same_entries(a, b):
            whole = text.format(a.expression or "t", b.expression or "t")
            affine = affine_of(whole)
            whole = whole if affine is None else affine_text(*affine)
            if self._states(whole):
                return replace(a, expression=None if affine == SAME else whole)
        return join(a, b)

    def _broadcast(self, x: Value, shape: Shape) -> Value:
        """A tensor broadcast against another shape."""
        if isinstance(x, Known):
            return Known(np.broadcast_to(x.array, np.broadcast_shapes(x.array.shape, shape)))
        whole = tuple(np.broadcast_shapes(x.shape, shape))
        if whole == x.shape:
            return x
        ((node,), _, _) = self.aligned([x])
        _, lead, batch = self.aligned([x, Known(np.zeros(shape))])
        return self.fitted(node, lead, batch)

    def _joined(self, kind: Callable[[tuple[int, ...]], kinds.Node], values: Sequence[Value]) -> Tensor:
        found, shape, batch = self.aligned(values)
        return self._outside(kind, found, shape, batch)

    def _outside(
        self, kind: Callable[[tuple[int, ...]], kinds.Node], found: list[int], shape: Shape, batch: Any
    ) -> Tensor:
        """The node of several; reshapes of tensors of one shape come after it."""
        before = [self.build.nodes[i] for i in found]
        inner = [node.reads[0] for node in before if isinstance(node, kinds.Reshape)]
        alike = len({self.shape_of(i) for i in inner}) == len({self.shape_of(i) for i in found}) == 1
        if len(inner) == len(found) and alike:
            joined = self.emit(kind(tuple(inner)))
            return self.fitted(self.reshaped(joined, self.shape_of(found[0])), shape, batch)
        return self.fitted(self.emit(kind(tuple(found))), shape, batch)

    def _sum(self, a: Value, b: Value) -> Value:
        if isinstance(a, Known):
            a, b = b, a
        if isinstance(b, Known) and np.isneginf(b.array).any() and isinstance(a, Tensor):
            lost = np.isneginf(b.array)
            rest = np.where(lost, 0.0, b.array)
            kept = a if not rest.any() else self.add(replace(a, hidden=None), Known(rest))
            if isinstance(kept, Tensor):
                return self._hide(replace(kept, hidden=a.hidden), lost)
        for masked, other in ((a, b), (b, a)):
            if isinstance(masked, Tensor) and masked.hidden is not None:
                return self._hide(self.add(replace(masked, hidden=None), other), masked.hidden)
        found, shape, batch = self.aligned([a, b])
        for x, y in (found, found[::-1]):
            gate = self._gate(x, y)
            if gate is not None and self.shape_of(gate) == np.broadcast_shapes(self.shape_of(x), self.shape_of(y)):
                return self.fitted(gate, shape, batch)
            biased = self._biased(x, y)
            if biased is not None:
                return self.fitted(biased, shape, batch)
        return self._outside(kinds.Add, found, shape, batch)

    def _hide(self, x: Value, lost: NDArray[Any]) -> Value:
        if not isinstance(x, Tensor):
            return Known(np.where(lost, -np.inf, x.array))
        before: NDArray[Any] = np.zeros((), bool) if x.hidden is None else x.hidden
        x = replace(x, hidden=None)
        whole = self._broadcast(x, lost.shape)
        if not isinstance(whole, Tensor):
            raise Refused(ROUNDED)
        return replace(whole, hidden=before | lost)

    def _biased(self, x: int, y: int) -> int | None:
        """Products of weights without biases, plus biases: one affine node."""
        affine = self.build.nodes[x]
        if (
            not isinstance(affine, kinds.Affine)
            or affine.bias
            or self._varies(y)
            or isinstance(affine.over, kinds.Window)
        ):
            return None
        if self.shape_of(y) != self.shape_of(x)[-1:]:
            return None
        return self.emit(kinds.Affine((*affine.reads, y), affine.over, True))

    def _varies(self, node: int) -> bool:
        """Whether a node depends on the sample."""
        waiting, seen = [node], set()
        while waiting:
            index = waiting.pop()
            if index == 0:
                return True
            fresh = [read for read in self.build.nodes[index].reads if read not in seen]
            seen.update(fresh)
            waiting += fresh
        return False

    def _gate(self, x: int, y: int) -> int | None:
        """``(1 - z) a + z b``, or ``a + z (b - a)``, as a gate."""
        first, second = self.build.nodes[x], self.build.nodes[y]
        if not isinstance(second, kinds.Multiply) or len(second.reads) != 2:
            return None
        if isinstance(first, kinds.Multiply) and len(first.reads) == 2:
            for z, b in (second.reads, second.reads[::-1]):
                for rest, a in (first.reads, first.reads[::-1]):
                    if self._complements(z, rest):
                        return self.emit(kinds.Gate((z, a, b)))
        for z, change in (second.reads, second.reads[::-1]):
            inner = self.build.nodes[change]
            if type(inner) is kinds.Add and len(inner.reads) == 2:
                for b, minus in (inner.reads, inner.reads[::-1]):
                    if self._are_opposite(minus, x):
                        return self.emit(kinds.Gate((z, x, b)))
        return None

    def _complements(self, z: int, rest: int) -> bool:
        (z_base, z_text), (base, text) = self.origin_of(z), self.origin_of(rest)
        if base == z:
            return are_complements(None, text)
        return z_base == base and are_complements(z_text, text)

    def _are_opposite(self, minus: int, x: int) -> bool:
        (first, text), (second, other) = self.origin_of(minus), self.origin_of(x)
        left, right = symbolic(text), symbolic(other)
        if first == second and left is not None and right is not None:
            return bool(left + right == 0)
        return self._negative(minus) == x

    def _negative(self, node: int) -> int | None:
        base, expression = self.origin_of(node)
        return base if affine_of(expression) == (Fraction(-1), Fraction(0)) else None

    def _negated(self, x: Value) -> Value:
        return Known(-floats(x.array), x.name) if isinstance(x, Known) else self.elementwise("-t", x)

    def _difference(self, a: Value, b: Value) -> Value:
        return self._sum(a, self._negated(b))

    def _times(self, a: Value, b: Value) -> Value:
        for x, y in ((a, b), (b, a)):
            found = self.normalised_quotient(x, y)
            if found is not None:
                return found
        return self._joined(kinds.Multiply, [a, b])

    def _quotient(self, a: Value, b: Value) -> Value:
        if isinstance(b, Known):
            return self._divided(a, b)
        inverse = self.elementwise("1/t", b)
        return self._times(a, inverse) if uniform(a) != 1 else self._broadcast(inverse, shape_of(a))

    def _divided(self, a: Value, b: Known) -> Value:
        """By known numbers that differ, exactly: powers of two have exact inverses, else ``1/s = 1/sqrt(s^2)``."""
        values = floats(b.array)
        if not np.isfinite(values).all() or (values == 0).any():
            raise Refused("division by known numbers, one of which is 0 or not finite")
        mantissas, exponents = np.frexp(values)
        if (np.abs(mantissas) == 0.5).all() and (np.abs(exponents) < 1000).all():
            return self._times(a, Known(1.0 / values))
        size = self.tensor(Known(np.abs(values), b.name))
        square = self.emit(kinds.Multiply((size.node, size.node)))
        inverse = Tensor(self.emit(kinds.InverseRoot((square,))), values.shape)
        if (values < 0).any():
            a = self._times(a, Known(np.sign(values)))
        return self._times(a, inverse)

    def _extreme(self, a: Value, b: Value, sign: int) -> Value:
        """``max(a, b) = b + max(a - b, 0)``, and the same for a minimum."""
        if isinstance(a, Known):
            a, b = b, a
        difference = self.subtract(a, b)
        return self.add(b, self.elementwise("Max(0, t)" if sign > 0 else "Min(0, t)", difference))

    def normalised_quotient(self, a: Value, b: Value) -> Tensor | None:
        """A normalisation in pieces, if this product ends one."""
        return None


def _same_entries(a: Tensor, b: Tensor) -> bool:
    plain = a.hidden is b.hidden is None and a.classes is b.classes is None
    return plain and (a.node, a.shape, a.batch) == (b.node, b.shape, b.batch)
