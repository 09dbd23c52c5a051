"""Random programmes of tensor operations, run by NumPy on a batch and by the graph one sample at a time."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
from translation_cases import Lab, Twin, sigmoid, softmax

from verifier.adapters.translation.values import Known, Refused, Tensor

MAX_SIZE = 3000

FUNCTIONS = {
    "Max(0, t)": lambda x: np.maximum(x, 0),
    "tanh(t)": np.tanh,
    "1/(1 + exp(-t))": sigmoid,
    "t**2": lambda x: x * x,
    "Max(0, Min(6, t + 3))/6": lambda x: np.clip(x + 3, 0, 6) / 6,
    "(3/7)*t - 1": lambda x: 3 / 7 * x - 1,
    "abs(t)": np.abs,
    "-t": lambda x: -x,
    "sin(30*t)": lambda x: np.sin(30 * x),
}


class Programme:
    """A pool of values to which random operations add others; what is refused adds nothing."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = np.random.default_rng(seed)
        samples = int(rng.choice([1, 2, 2, 3, 3, 5]))
        rank = int(rng.integers(1, 4))
        shape = tuple(int(n) for n in rng.choice([1, 2, 3, samples, 4], size=rank))
        self.lab = Lab(shape, samples, seed)
        self.pool: list[Twin] = [self.lab.x]
        self.refused: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    def pick(self) -> Twin:
        recent = self.pool[-4:]
        return recent[int(self.rng.integers(len(recent)))] if self.rng.random() < 0.7 else self.any()

    def any(self) -> Twin:
        return self.pool[int(self.rng.integers(len(self.pool)))]

    def other(self, x: Twin) -> Twin:
        """Something that broadcasts with x: a tensor of the pool, a parameter, or known numbers."""
        shape = list(x.array.shape)
        if self.rng.random() < 0.5:
            fits = [y for y in self.pool if _fits(shape, y.array.shape)]
            if fits:
                return fits[int(self.rng.integers(len(fits)))]
        for axis in range(len(shape)):
            if self.rng.random() < 0.5 or shape[axis] >= self.lab.t.samples:
                shape[axis] = 1
        shape = shape[int(self.rng.integers(len(shape) + 1)) :]
        if self.rng.random() < 0.5:
            return self.lab.parameter(*shape)
        return self.lab.known(np.round(self.rng.normal(size=shape) * 8) / 8)

    def step(self) -> None:
        name = str(self.rng.choice(STEPS))
        before = len(self.pool)
        try:
            found = getattr(self, f"do_{name}")(self.pick())
        except Refused:
            self.refused[name] += 1
            return
        assert len(self.pool) == before
        if found is not None and found.array.size <= MAX_SIZE and np.abs(found.array).max(initial=0) < 1e4:
            if isinstance(found.value, Tensor):
                self.pool.append(found)
                self.done[name] += 1

    def axis(self, x: Twin) -> int:
        return int(self.rng.integers(-x.array.ndim, x.array.ndim)) if x.array.ndim else 0

    def do_function(self, x: Twin) -> Twin:
        text = str(self.rng.choice(list(FUNCTIONS)))
        return self.lab.twin(self.lab.t.elementwise(text, x.value), FUNCTIONS[text](x.array))

    def do_binary(self, x: Twin) -> Twin:
        y = self.other(x)
        name = str(self.rng.choice(["add", "subtract", "multiply", "maximum", "minimum"]))
        a, b = (x, y) if self.rng.random() < 0.5 else (y, x)
        return self.lab.do(name, getattr(np, name), a, b)

    def do_divide(self, x: Twin) -> Twin | None:
        y = self.other(x)
        if isinstance(y.value, Tensor) or (y.array == 0).any() or not y.array.size:
            bounded = self.lab.t.elementwise("1/(2 + sin(t))", x.value)
            return self.lab.do(
                "divide", np.divide, 3.0 and self.lab.known(3.0), Twin(bounded, 1 / (2 + np.sin(x.array)))
            )
        return self.lab.do("divide", np.divide, x, y)

    def do_reshape(self, x: Twin) -> Twin | None:
        factors = [n for size in x.array.shape for n in _factors(size)]
        if self.rng.random() < 0.3:
            self.rng.shuffle(factors)
        target: list[int] = []
        for factor in factors:
            if target and self.rng.random() < 0.5:
                target[-1] *= factor
            else:
                target.append(factor)
        for _ in range(int(self.rng.integers(0, 2))):
            target.insert(int(self.rng.integers(len(target) + 1)), 1)
        asked = list(target)
        if asked and self.rng.random() < 0.3:
            asked[int(self.rng.integers(len(asked)))] = -1
        return self.lab.do("reshape", lambda a, s: a.reshape(target), x, asked)

    def do_permute(self, x: Twin) -> Twin:
        axes = [int(i) for i in self.rng.permutation(x.array.ndim)]
        return self.lab.do("permute", np.transpose, x, axes)

    def do_take(self, x: Twin) -> Twin | None:
        if not x.array.ndim:
            return None
        axis = self.axis(x)
        length = x.array.shape[axis]
        size = tuple(int(n) for n in self.rng.integers(1, 4, size=int(self.rng.integers(0, 3))))
        entries = self.rng.integers(-length, length, size=size)
        if self.rng.random() < 0.3:
            entries = np.arange(length)
        return self.lab.do("take", lambda a, k, e: np.take(a, e, axis=k), x, axis, entries)

    def do_slice(self, x: Twin) -> Twin | None:
        if not x.array.ndim:
            return None
        axis = self.axis(x) % x.array.ndim
        start, stop, step = int(self.rng.integers(0, 3)), int(self.rng.integers(1, 9)), int(self.rng.integers(1, 3))
        index = (slice(None),) * axis + (slice(start, stop, step),)
        return self.lab.do("slice", lambda a, *_: a[index], x, axis, start, stop, step)

    def do_concatenate(self, x: Twin) -> Twin | None:
        if not x.array.ndim:
            return None
        axis = self.axis(x)
        fits = [y for y in self.pool if _joins(x.array.shape, y.array.shape, axis)]
        parts = [x, *(fits[int(i)] for i in self.rng.integers(0, len(fits), size=int(self.rng.integers(0, 3))))]
        if self.rng.random() < 0.3:
            shape = list(x.array.shape)
            shape[axis] = 2
            parts.append(self.lab.known(np.full(shape, 0.5)))
        value = self.lab.t.concatenate([part.value for part in parts], axis)
        return self.lab.twin(value, np.concatenate([part.array for part in parts], axis=axis))

    def do_expand(self, x: Twin) -> Twin:
        target = [int(self.rng.integers(1, 4)) if n == 1 else n for n in x.array.shape]
        target = [*(int(n) for n in self.rng.integers(1, 3, size=int(self.rng.integers(0, 2)))), *target]
        return self.lab.do("expand", np.broadcast_to, x, target)

    def do_parameter_expanded(self, x: Twin) -> Twin:
        p = self.lab.parameter(*(1 if n >= self.lab.t.samples else n for n in x.array.shape))
        expanded = self.lab.do("expand", np.broadcast_to, p, list(x.array.shape))
        return self.lab.do("add", np.add, self.lab.do("multiply", np.multiply, expanded, self.lab.known(0.5)), x)

    def do_pad(self, x: Twin) -> Twin:
        pairs = [tuple(int(n) for n in self.rng.integers(0, 2, size=2)) for _ in x.array.shape]
        return self.lab.do("pad", lambda a, p, v: np.pad(a, p, constant_values=v), x, pairs, 0.25)

    def do_reduce(self, x: Twin) -> Twin:
        axes = [i for i in range(x.array.ndim) if self.rng.random() < 0.4]
        keep = bool(self.rng.random() < 0.5)
        name, function = [("mean", np.mean), ("sum", np.sum), ("largest", np.max)][int(self.rng.integers(3))]
        return self.lab.do(name, lambda a, k, p: function(a, axis=tuple(k), keepdims=p), x, axes, keep)

    def do_cumsum(self, x: Twin) -> Twin | None:
        return self.lab.do("cumsum", np.cumsum, x, self.axis(x)) if x.array.ndim else None

    def do_softmax(self, x: Twin) -> Twin | None:
        return self.lab.do("softmax", softmax, x, self.axis(x)) if x.array.ndim else None

    def do_linear(self, x: Twin) -> Twin | None:
        if not x.array.ndim:
            return None
        weight, bias = self.lab.parameter(3, x.array.shape[-1]), self.lab.parameter(3)
        return self.lab.do("linear", lambda a, w, b: a @ w.T + b, x, weight, bias)

    def do_matmul(self, x: Twin) -> Twin | None:
        if not x.array.ndim:
            return None
        fits = [y for y in self.pool if y.array.ndim and y.array.shape[-2:][0] == x.array.shape[-1]]
        fits = [y for y in fits if y.array.ndim < 2 or _fits(x.array.shape[:-2], y.array.shape[:-2])]
        if fits and self.rng.random() < 0.7:
            return self.lab.do("matmul", np.matmul, x, fits[int(self.rng.integers(len(fits)))])
        inner = x.array.shape[-1]
        shape = [(inner,), (inner, 2), (*x.array.shape[:-2], inner, 2)][int(self.rng.integers(3))]
        if self.rng.random() < 0.5 and x.array.ndim > 1:
            other = self.lab.parameter(2, x.array.shape[-2])
            return self.lab.do("matmul", np.matmul, other, x)
        return self.lab.do("matmul", np.matmul, x, self.lab.parameter(*shape))

    def do_window(self, x: Twin) -> Twin | None:
        """A convolution or a pool over one or two axes, with any padding."""
        axes = x.array.ndim - 2
        if axes not in (1, 2):
            return None
        kernel, stride, dilation = (tuple(int(n) for n in self.rng.integers(1, 3, size=axes)) for _ in range(3))
        padding = [tuple(int(n) for n in self.rng.integers(0, 3, size=2)) for _ in range(axes)]
        extents = [(k - 1) * step + 1 for k, step in zip(kernel, dilation, strict=True)]
        if any(n + sum(pair) < e for n, pair, e in zip(x.array.shape[2:], padding, extents, strict=True)):
            return None
        numbers: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
        if self.rng.random() < 0.5:
            channels = x.array.shape[1]
            groups = channels if self.rng.random() < 0.4 else 1
            weight, bias = self.lab.parameter(2 * groups, channels // groups, *kernel), self.lab.parameter(2 * groups)

            def reference(a: Any, w: Any, b: Any) -> Any:
                return convolved(a, w, b, stride, padding, dilation, groups)

            return self.lab.do("convolution", reference, x, weight, bias, groups=groups, **numbers)
        how, counts = str(self.rng.choice(["mean", "max"])), bool(self.rng.random() < 0.5)
        expected = pooled(how, x.array, kernel, stride, padding, dilation, counts)
        if not np.isfinite(expected).all():
            return None
        value = self.lab.t.pool(how, x.value, kernel=kernel, padding_counts=counts, **numbers)
        return self.lab.twin(value, expected)

    def do_attention(self, x: Twin) -> Twin | None:
        if x.array.ndim < 2:
            return None
        others = [y for y in self.pool if y.array.shape == x.array.shape]
        k, v = (others[int(i)] for i in self.rng.integers(0, len(others), size=2))
        length, causal = x.array.shape[-2], bool(self.rng.random() < 0.3)
        seen = self.rng.random((length, length)) < 0.7
        np.fill_diagonal(seen, True)
        mask = [None, Known(seen), Known(np.where(seen, 0.0, -np.inf)), Known(np.where(seen, 0.5, -np.inf))]
        kind = int(self.rng.integers(4))
        scores = x.array @ np.swapaxes(k.array, -1, -2) * 0.3 + np.where(
            seen, 0.5 * (kind == 3), -np.inf if kind else 0
        )
        scores = np.where(np.tri(length, dtype=bool), scores, -np.inf) if causal else scores
        value = self.lab.t.attention(x.value, k.value, v.value, mask[kind], 0.3, causal)
        return self.lab.twin(value, softmax(scores) @ v.array)

    def do_masked(self, x: Twin) -> Twin | None:
        """A softmax behind a mask, with a reshape between them."""
        if not x.array.ndim:
            return None
        seen = self.rng.random(x.array.shape[-1:]) < 0.7
        seen[0] = True
        hidden = self.lab.t.where(Known(seen), x.value, Known(np.array(-np.inf)))
        shape = (*x.array.shape[:-1], 1, x.array.shape[-1])
        expected = softmax(np.where(seen, x.array, -np.inf)).reshape(shape)
        return self.lab.twin(self.lab.t.softmax(self.lab.t.reshape(hidden, shape), -1), expected)

    def do_where(self, x: Twin) -> Twin:
        y = self.other(x)
        mask = self.rng.random(x.array.shape[-1:]) < 0.5
        return self.lab.twin(self.lab.t.where(Known(mask), x.value, y.value), np.where(mask, x.array, y.array))

    def do_group_norm(self, x: Twin) -> Twin | None:
        if x.array.ndim < 2:
            return None
        groups = 2 if x.array.shape[1] % 2 == 0 else 1
        split = x.array.reshape(x.array.shape[0], groups, -1)
        deviation = split - split.mean(axis=-1, keepdims=True)
        scaled = deviation / np.sqrt((deviation**2).mean(axis=-1, keepdims=True) + 0.5)
        gain = self.lab.parameter(x.array.shape[1])
        expected = scaled.reshape(x.array.shape) * gain.array.reshape(-1, *(1,) * (x.array.ndim - 2))
        return self.lab.twin(self.lab.t.group_norm(x.value, groups, gain.value, None, 0.5), expected)

    def do_root(self, x: Twin) -> Twin:
        """A power of a number above 0."""
        exponent = float(self.rng.choice([0.5, -0.5, -1.0, 1.5, 2.0, -2.0]))
        above = self.lab.t.add(self.lab.t.power(x.value, Known(np.array(2.0))), Known(np.array(0.5)))
        return self.lab.twin(self.lab.t.power(above, Known(np.array(exponent))), (x.array**2 + 0.5) ** exponent)

    def finish(self) -> bool:
        """Put a head on the last value that has the samples by themselves; False if there is none."""
        for x in reversed(self.pool):
            batch = x.value.batch if isinstance(x.value, Tensor) else None
            if batch is None or not batch.pure:
                continue
            order = [batch.axis, *(i for i in range(x.array.ndim) if i != batch.axis)]
            flat = self.lab.do("permute", np.transpose, x, order)
            flat = self.lab.do("reshape", lambda a, s: a.reshape(s), flat, (len(flat.array), -1))
            head = self.lab.parameter(3, flat.array.shape[1]), self.lab.parameter(3)
            logits = self.lab.do("linear", lambda a, w, b: a @ w.T + b, flat, *head)
            try:
                self.lab.finished(logits)
            except Refused as error:
                self.refused[str(error)[:40]] += 1
                continue
            return True
        return False

    def do_layer_norm(self, x: Twin) -> Twin | None:
        if not x.array.ndim:
            return None
        mean = x.array.mean(axis=-1, keepdims=True)
        deviation = x.array - mean
        scale = np.sqrt((deviation**2).mean(axis=-1, keepdims=True) + 0.25)
        pieces = self.lab.do("mean", lambda a, k, p: mean, x, [-1], True)
        centred = self.lab.do("subtract", np.subtract, x, pieces)
        square = self.lab.twin(self.lab.t.power(centred.value, Known(np.array(2.0))), deviation**2)
        variance = self.lab.do("mean", lambda a, k, p: a.mean(axis=-1, keepdims=True), square, [-1], True)
        shifted = self.lab.do("add", np.add, variance, self.lab.known(0.25))
        root = self.lab.twin(self.lab.t.elementwise("sqrt(t)", shifted.value), scale)
        return self.lab.do("divide", np.divide, centred, root)


STEPS = tuple(name.removeprefix("do_") for name in vars(Programme) if name.startswith("do_"))


def _factors(size: int) -> list[int]:
    found, rest = [], size
    for prime in itertools.chain((2, 3, 5, 7), range(11, size + 1, 2)):
        while rest % prime == 0 and rest > 1:
            found.append(prime)
            rest //= prime
    return found or [1]


def _fits(a: Any, b: Any) -> bool:
    try:
        np.broadcast_shapes(tuple(a), tuple(b))
    except ValueError:
        return False
    return True


def _joins(a: tuple[int, ...], b: tuple[int, ...], axis: int) -> bool:
    if len(a) != len(b):
        return False
    axis %= len(a)
    return all(m == n for i, (m, n) in enumerate(zip(a, b, strict=True)) if i != axis)


def windows(a: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, fill: float) -> Any:
    """All windows of ``(B, C, *space)``, ``(B, C, *positions, *kernel)``."""
    padded = np.pad(a, [(0, 0), (0, 0), *padding], constant_values=fill)
    axes = len(kernel)
    extents = tuple((k - 1) * step + 1 for k, step in zip(kernel, dilation, strict=True))
    seen = np.lib.stride_tricks.sliding_window_view(padded, extents, axis=tuple(range(2, axes + 2)))
    index = (slice(None), slice(None), *(slice(None, None, s) for s in (*stride, *dilation)))
    return seen[index]


def convolved(a: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    seen = windows(a, w.shape[2:], stride, padding, dilation, 0.0)
    axes = w.ndim - 2
    split = seen.reshape(len(a), groups, a.shape[1] // groups, math.prod(seen.shape[2 : 2 + axes]), -1)
    filters = w.reshape(groups, len(w) // groups, w.shape[1], -1)
    product = np.einsum("bgcpk,gfck->bgfp", split, filters)
    shape = (len(a), len(w), *seen.shape[2 : 2 + axes])
    return product.reshape(shape) + b.reshape(-1, *(1,) * axes)


def pooled(how: str, a: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, counts: bool) -> Any:
    axes = tuple(range(-len(kernel), 0))
    if how == "max":
        return windows(a, kernel, stride, padding, dilation, -np.inf).max(axis=axes)
    sums = windows(a, kernel, stride, padding, dilation, 0.0).sum(axis=axes)
    divisor = windows(np.ones_like(a), kernel, stride, padding, dilation, float(counts)).sum(axis=axes)
    return sums / divisor


def run(seed: int, steps: int) -> Programme:
    """Run one programme and put a head on it; a difference to NumPy is an AssertionError."""
    programme = Programme(seed)
    for _ in range(steps):
        programme.step()
    programme.done["head"] += programme.finish()
    return programme
