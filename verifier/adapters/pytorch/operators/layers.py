"""Products with weights, convolutions, normalisation, attention, embedding, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from verifier.adapters.pytorch.operators.table import Context, number, operator, per_axis, shape_of
from verifier.adapters.translation.values import Known, Refused, Value
from verifier.network.windows import Shape


@operator("linear")
def linear(c: Context, x: Any, weight: Any, bias: Any = None) -> Value:
    """Translate ``x W^T + b`` over the last axis."""
    return c.to.linear(x, weight, bias)


@operator("matmul", "mm", "bmm", "mv", "dot", "vdot")
def matmul(c: Context, a: Any, b: Any) -> Value:
    """Matrix products of the last two axes, as NumPy's."""
    if "float" not in c.kind:
        raise Refused(f"multiplies in {c.kind}, which may wrap around; convert the input first: x.float()")
    return c.to.matmul(a, b)


@operator("addmm", "baddbmm", "addmv", "addbmm")
def product_and_sum(c: Context, a: Any, b: Any, d: Any, beta: Any = 1, alpha: Any = 1) -> Value:
    """Translate ``beta a + alpha b d``, b d being a matrix product."""
    if c.node.target.__name__.startswith("addbmm"):
        raise Refused("adds up products over the batch; use torch.baddbmm")
    product = c.to.matmul(b, d)
    product = product if alpha == 1 else c.to.multiply(product, number(alpha))
    if beta == 0:
        return product
    return c.to.add(product, a if beta == 1 else c.to.multiply(a, number(beta)))


@operator("conv1d", "conv2d", "conv3d")
def convolution(
    c: Context, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Value:  # fmt: skip
    """A convolution with zero padding; ``padding`` may be "same" or "valid"."""
    kernel = shape_of(weight)[2:]
    axes = len(kernel)
    if len(c.shape) != axes + 2:
        raise Refused(f"a convolution over {axes} axes reads (samples, channels, ...); add the axis: x.unsqueeze(1)")
    spread = per_axis(dilation, axes)
    return c.to.convolution(
        x, weight, bias, stride=per_axis(stride, axes), padding=_padding(padding, kernel, spread), dilation=spread,
        groups=groups,
    )  # fmt: skip


@operator("conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution")
def transposed_convolution(*_: Any, **__: Any) -> Value:
    """Refuse a transposed convolution and name what replaces it."""
    raise Refused("is a transposed convolution; use an upsampling (nearest) and a convolution, or nn.PixelShuffle")


def _padding(padding: Any, kernel: Shape, dilation: Shape) -> list[tuple[int, int]]:
    """Zeros before and behind each axis; "same" puts the odd one behind, as PyTorch does."""
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding == "same":
        wanted = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
        return [(each // 2, each - each // 2) for each in wanted]
    return [(each, each) for each in per_axis(padding, len(kernel))]


@operator("_native_batch_norm_legit_no_training", "batch_norm")
def batch_norm(c: Context, x: Any, gain: Any, shift: Any, mean: Any, variance: Any, *numbers: Any) -> Any:
    """With running statistics; of a whole batch's own it is refused before."""
    several = c.node.target.__name__.startswith("_native")
    epsilon = numbers[1] if several else numbers[2]
    if not isinstance(mean, Known) or not isinstance(variance, Known):
        raise Refused("its running statistics are trained; register them as buffers")
    found = c.to.batch_norm(x, gain, shift, mean, variance, epsilon)
    return (found, None, None) if several else found


@operator("instance_norm")
def instance_norm(
    c: Context, x: Any, gain: Any, shift: Any, mean: Any, variance: Any, of_input: bool, momentum: Any, epsilon: float,
    *_: Any,
) -> Value:  # fmt: skip
    """Every channel of a sample by its own mean and variance, or by running statistics."""
    if not of_input:
        return c.to.batch_norm(x, gain, shift, mean, variance, epsilon)
    return c.to.group_norm(x, c.shape[1], gain, shift, epsilon)


@operator("layer_norm")
def layer_norm(
    c: Context, x: Any, shape: list[int], gain: Any = None, shift: Any = None, epsilon: float = 1e-5, *_: Any
) -> Value:
    """Normalise over as many last axes as `shape` has."""
    return c.to.layer_norm(x, len(shape), gain, shift, epsilon)


@operator("native_layer_norm")
def native_layer_norm(c: Context, x: Any, shape: list[int], gain: Any, shift: Any, epsilon: float) -> Any:
    """Translate a layer normalisation that also returns statistics, which nothing may read."""
    return c.to.layer_norm(x, len(shape), gain, shift, epsilon), None, None


@operator("rms_norm")
def rms_norm(c: Context, x: Any, shape: list[int], gain: Any = None, epsilon: float | None = None) -> Value:
    """Over the last axes; by default epsilon is the rounding unit of the module's own type."""
    import torch

    if epsilon is None:
        epsilon = torch.finfo(getattr(torch, c.kind)).eps
        c.to.remark(f"RMSNorm without eps has the rounding unit of {c.kind}, {epsilon!r}, as eps")
    value = torch.ops.aten.rms_norm.default(*c.inputs[:2], c.inputs[2] if len(c.inputs) > 2 else None, epsilon)
    c.result.copy_(value)  # PyTorch's own in float64 has the rounding unit of float64
    return c.to.rms_norm(x, len(shape), gain, epsilon)


@operator("group_norm")
def group_norm(
    c: Context, x: Any, groups: int, gain: Any = None, shift: Any = None, epsilon: float = 1e-5, *_: Any
) -> Value:
    """Normalise over groups of channels and all positions."""
    return c.to.group_norm(x, groups, gain, shift, epsilon)


@operator("scaled_dot_product_attention")
def attention(
    c: Context, q: Any, k: Any, v: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    *, scale: float | None = None, enable_gqa: bool = False,
) -> Value:  # fmt: skip
    """Translate attention, ``softmax(scale q k^T + mask) v``."""
    if dropout_p:
        raise Refused("drops attention in evaluation, too; pass dropout_p=self.p if self.training else 0.0")
    if enable_gqa:
        k, v = (_repeated(c, each, shape_of(q)[-3]) for each in (k, v))
    return c.to.attention(q, k, v, attn_mask, scale, is_causal)


def _repeated(c: Context, value: Value, heads: int) -> Value:
    """Each head of keys or values as often as heads of queries read it."""
    count = shape_of(value)[-3]
    return c.to.take(value, -3, np.repeat(np.arange(count), heads // count))


@operator("embedding")
def embedding(c: Context, table: Any, tokens: Any, *_: Any, **__: Any) -> Value:
    """Take the rows of a table whose numbers are the tokens."""
    return c.to.embedding(table, tokens)


@operator("one_hot")
def one_hot(c: Context, tokens: Any, num_classes: int = -1) -> Value:
    """Take tokens for rows of an identity matrix of so many classes."""
    if num_classes < 1:
        raise Refused("the number of classes is taken from the batch; give it: one_hot(x, num_classes)")
    return c.to.embedding(Known(np.eye(num_classes)), tokens)


@operator("cdist", "_cdist_forward", "_euclidean_dist")
def distances(c: Context, a: Any, b: Any, p: Any = 2.0, *_: Any) -> Value:
    """Euclidean distances of the rows of two matrices."""
    if p != 2:
        raise Refused(f"distances with p={p} are not supported; use p=2")
    size_a, size_b = shape_of(a), shape_of(b)
    rows = c.to.reshape(a, [*size_a[:-1], 1, size_a[-1]])
    others = c.to.reshape(b, [*size_b[:-2], 1, *size_b[-2:]])
    return c.to.power(c.to.sum(c.to.power(c.to.subtract(rows, others), number(2)), [-1], False), number(0.5))


@operator("softmax", "_softmax")
def softmax(c: Context, x: Any, dim: int, *_: Any, **__: Any) -> Value:
    """Translate a softmax over one axis."""
    return c.to.softmax(x, dim)


@operator("log_softmax", "_log_softmax")
def log_softmax(c: Context, x: Any, dim: int, *_: Any, **__: Any) -> Value:
    """The logarithm of the softmax over one axis."""
    return c.to.log_softmax(x, dim)
