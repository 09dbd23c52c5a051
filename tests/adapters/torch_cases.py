"""Modules for the tests of `from_torch`; imported by tests with the marker torch only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune


class Made(nn.Module):
    """Modules, and a function of them and the input as forward."""

    def __init__(self, function: Callable[[Any, Any], Any], **modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Any) -> Any:
        return self.function(self, x)


def linear(fan_in: int, width: int) -> nn.Linear:
    return nn.Linear(fan_in, width)


def head(fan_in: int, classes: int = 3) -> nn.Linear:
    return nn.Linear(fan_in, classes, bias=False)


def mlp(*middle: nn.Module) -> nn.Sequential:
    return nn.Sequential(linear(4, 5), *(middle or (nn.Tanh(),)), head(5))


def made(function: Callable[[Any, Any], Any], fan_in: int = 5, **more: nn.Module) -> Made:
    return Made(function, a=linear(4, 5), b=linear(5, 5), h=head(fan_in), **more)


def selecting(index: Any, fan_in: int) -> Made:
    """A head that reads some columns of two layers, the later layer first."""

    def forward(self: Any, x: Any) -> Any:
        first = torch.tanh(self.a(x))
        second = torch.sigmoid(self.b(first))
        return self.h(torch.cat([second, first], 1)[:, getattr(self, "index", index)])

    module = made(forward, fan_in)
    if isinstance(index, torch.Tensor):
        module.register_buffer("index", index)
    return module


def dense_net() -> Made:
    """Each block reads the input and all blocks before it, along channels; the head reads all of them."""

    def forward(self: Any, x: Any) -> Any:
        read = x
        for block in (self.a, self.b, self.c):
            read = torch.cat((read, torch.sigmoid(block(read))), dim=1)
        pooled = F.avg_pool2d(torch.tanh(self.t(read)), 2)
        return self.h(pooled.flatten(1))

    blocks = {name: nn.Conv2d(2 + 3 * k, 3, 3, padding=1, bias=k != 1) for k, name in enumerate("abc")}
    return Made(forward, **blocks, t=nn.Conv2d(11, 4, 1), h=head(4 * 3 * 2))


def pooled_channels() -> Made:
    """A pool over two layers, positions read by a convolution, a mean over all positions beside them."""

    def forward(self: Any, x: Any) -> Any:
        first, second = F.softplus(self.a(x), beta=2), F.elu(self.b(x), alpha=0.75)
        pooled = self.pool(torch.cat([second, first], 1))
        last = F.silu(self.c(pooled))
        return self.h(torch.cat([pooled.view(pooled.size(0), -1), last.mean(dim=(2, 3)), first.mean((-1, -2))], -1))

    return Made(
        forward,
        a=nn.Conv2d(1, 2, 3, stride=2, padding="valid"),
        b=nn.Conv2d(1, 3, (3, 5), stride=2, padding=(0, 1), bias=False),
        c=nn.Conv2d(5, 4, 3, padding="same"),
        pool=nn.AvgPool2d(2, stride=1),
        h=head(5 * 4 + 4 + 2),
    )


def functional() -> Made:
    """Weights as attributes, a linear layer without activation, two activations on one layer, shapes as numbers."""

    def forward(self: Any, x: Any) -> Any:
        batch, width = x.shape[0], x.shape[1]
        first = F.linear(x.view(-1, width * 1), self.a.weight, self.a.bias).tanh().square()
        second = F.dropout(self.b(first), training=self.training).contiguous()
        return self.h(torch.reshape(torch.cat([first, second], 1), (batch, 5 * 2)))

    return made(forward, 10)


def lines() -> nn.Sequential:
    """One-dimensional."""
    return nn.Sequential(
        *(nn.Conv1d(2, 3, 3, stride=2, padding=1), nn.Hardtanh(), nn.AvgPool1d(2, ceil_mode=True)),
        *(nn.Conv1d(3, 4, 2), nn.GELU(), nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Dropout(), nn.Identity()),
        *(linear(8, 6), nn.LeakyReLU(0.125), head(6, 2)),
    )


def cnn(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(4, 5, 3, stride=2, padding=1)),
        *(nn.Sigmoid(), nn.Flatten(), linear(20, 9), nn.Softplus(), head(9, 4)),
    ).to(dtype)


def drawn(module: nn.Module) -> nn.Module:
    """New weights, of the parameters' own precision: layers in float64 are made of float32 otherwise."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


def selections() -> Made:
    """Selections one after the other, of one layer twice, and of a selection."""

    def forward(self: Any, x: Any) -> Any:
        first, second = torch.tanh(self.a(x)), torch.sin(self.b(x.flatten(1)))
        return self.h(torch.cat([first[:, 3:], second[:, [4, 0, 2]][:, 1:], first[:, [1, 0]]], 1))

    return Made(forward, a=linear(4, 5), b=linear(4, 5), h=head(6))


GOOD: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (mlp, (4,)),
    "deep": (lambda: mlp(nn.Sigmoid(), linear(5, 5), linear(5, 5), nn.ReLU(), nn.Softsign()), (4,)),
    "float64": (lambda: drawn(mlp().double()), (4,)),
    "bfloat16": (lambda: mlp(nn.ELU()).bfloat16(), (4,)),
    "float16": (lambda: mlp(nn.SiLU()).half(), (4,)),
    "flattened": (lambda: nn.Sequential(nn.Flatten(), linear(12, 5), nn.Tanh(), head(5)), (3, 2, 2)),
    "cnn": (cnn, (1, 8, 8)),
    "cnn64": (lambda: drawn(cnn(torch.float64)), (1, 8, 8)),
    "same": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, (3, 5), padding="same"), nn.Tanh(), nn.Flatten(), head(40)),
        (1, 4, 5),
    ),
    "selections": (selections, (4,)),
    "lines": (lines, (2, 16)),
    "dense_net": (dense_net, (2, 6, 4)),
    "pooled_channels": (pooled_channels, (1, 7, 8)),
    "functional": (functional, (4,)),
    "buffer": (lambda: selecting(torch.tensor([7, 1, 4, 9]), 4), (4,)),
    "device": (
        lambda: made(lambda s, x: s.h(torch.tanh(s.a(x))[:, torch.tensor([3, 0]).to(x.device)]), 2),
        (4,),
    ),
    "mask": (lambda: selecting(torch.tensor([True, False] * 5), 5), (4,)),
    "list": (lambda: selecting([3, -1, 0], 3), (4,)),
    "slice": (lambda: selecting(slice(2, None, 3), 3), (4,)),
    "index_select": (
        lambda: made(lambda s, x: s.h(torch.index_select(torch.sin(s.a(x)), 1, torch.tensor([4, 0, 2]))), 3),
        (4,),
    ),
    "default_argument": (
        lambda: type("D", (Made,), {"forward": lambda s, x, y=None: s.h(torch.erf(s.a(x))) if y is None else x})(
            lambda s, x: x, a=linear(4, 5), h=head(5)
        ),
        (4,),
    ),
    "unused": (lambda: made(lambda s, x: (s.b(s.c(x).tanh()), s.h(torch.tanh(s.a(x))))[1], c=linear(4, 5)), (4,)),
}


def hooked() -> nn.Module:
    module = mlp()
    module[0].register_forward_hook(lambda *_: None)
    return module


def replaced() -> nn.Module:
    module = mlp()
    module[0].forward = lambda x: x
    return module


def pruned() -> nn.Module:
    module = mlp()
    prune.l1_unstructured(module[0], "weight", 2)
    return module


def parametrized() -> nn.Module:
    module = mlp()
    parametrizations.weight_norm(module[0])
    return module


def tied() -> nn.Module:
    module = nn.Sequential(linear(4, 4), nn.Tanh(), linear(4, 4), nn.Tanh(), head(4))
    module[2].weight = module[0].weight
    return module


def infinite(value: float) -> nn.Module:
    module = mlp()
    module[0].bias.data[1] = value
    return module


def convolved(*middle: nn.Module, **given: Any) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, given.pop("kernel", 3), **given), nn.ReLU(), *middle, nn.Flatten(), head(72))


def of_both(function: Callable[[Any, Any], Any], fan_in: int = 5) -> Made:
    """A function of what tanh of the first layer gives."""
    return made(lambda s, x: s.h(function(s, torch.tanh(s.a(x)))), fan_in)


class Two(nn.Module):
    def forward(self, x: Any, y: Any) -> Any:
        return torch.cat([x, y], 1)


def complex_weight() -> nn.Module:
    module = mlp()
    module[0].weight = nn.Parameter(torch.ones(5, 4, dtype=torch.complex64))
    return module


def size(y: Any) -> Any:
    return y.shape[0]


def quantised() -> nn.Module:
    kind = type("Linear", (nn.Identity,), {"__module__": "torch.nn.quantized.modules.linear"})
    return nn.Sequential(kind(), head(4))


BAD: dict[str, Callable[[], nn.Module]] = {
    "batch_norm": lambda: mlp(nn.BatchNorm1d(5), nn.Tanh()),
    "layer_norm": lambda: mlp(nn.LayerNorm(5), nn.Tanh()),
    "max_pool": lambda: convolved(nn.MaxPool2d(2)),
    "functional_max_pool": lambda: Made(lambda s, x: F.max_pool2d(s.a(x), 2), a=nn.Conv2d(1, 2, 3)),
    "residual": lambda: of_both(lambda s, y: y + s.b(y)),
    "residual_in_place": lambda: of_both(lambda s, y: y.add_(s.b(y))),
    "scaled": lambda: made(lambda s, x: s.h(s.a(x / 255))),
    "groups": lambda: convolved(nn.Conv2d(2, 2, 3, groups=2)),
    "dilation": lambda: convolved(dilation=2),
    "reflected": lambda: convolved(padding=1, padding_mode="reflect"),
    "same": lambda: convolved(kernel=2, padding="same"),
    "wide_padding": lambda: convolved(padding=3),
    "padded_pool": lambda: convolved(nn.AvgPool2d(2, padding=1)),
    "ceil": lambda: convolved(nn.AvgPool2d(4, ceil_mode=True)),
    "divisor": lambda: convolved(nn.AvgPool2d(2, divisor_override=3)),
    "adaptive": lambda: convolved(nn.AdaptiveAvgPool2d(4)),
    "activated_pool": lambda: convolved(nn.AvgPool2d(2), nn.Tanh()),
    "mean_of_channels": lambda: Made(lambda s, x: s.a(x).mean(1), a=nn.Conv2d(1, 2, 3)),
    "large_kernel": lambda: convolved(kernel=9),
    "channels": lambda: nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), head(72)),
    "not_flat": lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), head(6)),
    "unflattened": lambda: Made(
        lambda s, x: s.a(s.b(x.flatten(1)).view(-1, 1, 4, 4)), a=nn.Conv2d(1, 2, 3), b=linear(64, 16)
    ),
    "complex": complex_weight,
    "nan": lambda: infinite(float("nan")),
    "infinity": lambda: infinite(float("inf")),
    "meta": lambda: mlp().to("meta"),
    "lazy": lambda: nn.Sequential(nn.LazyLinear(5), nn.Tanh(), head(5)),
    "quantised": quantised,
    "hooked": hooked,
    "pruned": pruned,
    "replaced": replaced,
    "parametrized": parametrized,
    "parallel": lambda: nn.DataParallel(mlp()),
    "twice": lambda: of_both(lambda s, y: torch.tanh(s.b(torch.tanh(s.b(y))))),
    "tied": tied,
    "computed_weight": lambda: made(lambda s, x: s.h(F.linear(x, s.a.weight * 2))),
    "two_inputs": Two,
    "two_outputs": lambda: made(lambda s, x: (s.h(torch.tanh(s.a(x))), x)),
    "dictionary": lambda: made(lambda s, x: {"logits": s.h(torch.tanh(s.a(x)))}),
    "branch": lambda: made(lambda s, x: s.h(s.a(x)) if x.sum() > 0 else s.h(s.b(x))),
    "softmax": lambda: mlp(nn.Tanh()).append(nn.Softmax(1)),
    "no_head": lambda: nn.Sequential(linear(4, 5), nn.Tanh()),
    "no_layer": lambda: nn.Identity(),
    "head_alone": lambda: head(4),
    "pool_at_the_end": lambda: convolved()[:2].append(nn.AvgPool2d(6)),
    "two_heads": lambda: made(lambda s, x: torch.cat([s.h(s.a(x)), s.k(s.c(x))], 1), c=linear(4, 5), k=head(5)),
    "head_read": lambda: made(lambda s, x: (lambda y: (s.k(y), y)[1])(s.h(s.a(x))), k=head(3)),
    "input_to_head": lambda: made(lambda s, x: s.h(torch.cat([torch.tanh(s.a(x)), x], 1)), 9),
    "unit_twice": lambda: of_both(lambda s, y: y[:, [0, 1, 2, 1]], 4),
    "layer_twice": lambda: made(lambda s, x: s.h(torch.sin(s.c(torch.cat([s.a(x)] * 2, 1)))), c=linear(10, 5)),
    "selection_inside": lambda: made(lambda s, x: s.h(torch.sin(s.c(s.a(x)[:, 1:]))), c=linear(4, 5)),
    "activated_selection": lambda: of_both(lambda s, y: torch.sin(y[:, 1:]), 4),
    "both": lambda: made(lambda s, x: (lambda y: s.h(torch.cat([torch.tanh(y), y], 1)))(s.a(x)), 10),
    "two_activations": lambda: made(lambda s, x: (lambda y: s.h(torch.cat([y.tanh(), y.sin()], 1)))(s.a(x)), 10),
    "in_place": lambda: made(lambda s, x: (lambda y: (F.relu(y, inplace=True), s.h(y))[1])(s.a(x))),
    "activated_input": lambda: made(lambda s, x: s.h(s.a(torch.tanh(x)))),
    "active_dropout": lambda: of_both(lambda s, y: F.dropout(y)),
    "threshold": lambda: mlp(nn.Softplus(1, 5)),
    "negative_beta": lambda: mlp(nn.Softplus(-1.0)),
    "slope": lambda: mlp(nn.LeakyReLU(1.5)),
    "power": lambda: of_both(lambda s, y: s.b(y) ** 0.5),
    "sample": lambda: made(lambda s, x: s.h(torch.tanh(s.a(x)))[0]),
    "whole_batch": lambda: of_both(lambda s, y: y.flatten()),
    "view_away": lambda: of_both(lambda s, y: y.view(5, -1)),
    "attribute": lambda: made(lambda s, x: s.h(s.a(x.T))),
    "cat_samples": lambda: of_both(lambda s, y: torch.cat([y, s.b(y)], 0)),
    "far_unit": lambda: of_both(lambda s, y: y[:, [7]], 1),
    "nan_slope": lambda: mlp(nn.LeakyReLU(float("nan"))),
    "empty_range": lambda: of_both(lambda s, y: F.hardtanh(s.b(y), 1.0, 0.0)),
    "three_axes": lambda: Made(lambda s, x: F.avg_pool2d(s.a(x), (2, 2, 2)), a=nn.Conv2d(1, 2, 3)),
    "flat_weight": lambda: Made(lambda s, x: F.conv2d(x, s.a.weight), a=linear(4, 5)),
    "flat_pool": lambda: mlp(nn.AvgPool1d(2)),
    "flat_adaptive_pool": lambda: mlp(nn.AdaptiveAvgPool1d(1)),
    "mean_of_all": lambda: Made(lambda s, x: s.a(x).mean(), a=nn.Conv2d(1, 2, 3)),
    "too_many_outputs": lambda: convolved(nn.AdaptiveAvgPool2d(8)),
    "short_bias": lambda: made(lambda s, x: s.h(F.linear(x, s.a.weight, s.h.weight))),
    "number": lambda: made(lambda s, x: x.shape[1]),
    "module_of_two": lambda: made(lambda s, x: s.h(s.t(s.a(x), x)), t=nn.Bilinear(5, 4, 5)),
    "module_of_constants": lambda: made(lambda s, x: s.h(s.t(x.shape[1])), t=nn.Tanh()),
    "function_of_constants": lambda: made(lambda s, x: s.h(torch.tanh(x.shape[1]))),
    "function_of_two": lambda: made(lambda s, x: s.h(F.linear(x, s.a(x)))),
    "cat_constant": lambda: made(lambda s, x: s.h(torch.cat([s.a(x), torch.ones(1, 5)], 1)), 10),
    "cat_positions": lambda: Made(lambda s, x: torch.cat([s.a(x), x], 1), a=nn.Conv2d(1, 2, 3)),
    "select_samples": lambda: of_both(lambda s, y: torch.index_select(y, 0, torch.tensor([0]))),
    "two_selections": lambda: Made(lambda s, x: s.a(x)[:, :, 1:], a=nn.Conv2d(1, 2, 3)),
    "one_unit": lambda: of_both(lambda s, y: y[:, 0]),
    "real_index": lambda: of_both(lambda s, y: y[:, torch.tensor([0.5])], 1),
    "slice_of_values": lambda: of_both(lambda s, y: y[:, : size(y)]),
    "long_composition": lambda: mlp(*(nn.Mish() for _ in range(9))),
    "fan_in": lambda: nn.Sequential(linear(3, 5), nn.Tanh(), head(5)),
}


class Assembled(nn.Module):
    """Layers that read any earlier ones; the head reads some units of all of them."""

    def __init__(self, shape: tuple[int, ...], layers: list[dict[str, Any]], chosen: list[int], by: str) -> None:
        super().__init__()
        self.layers, self.by = layers, by
        self.parts = nn.ModuleList(map(_part, layers))
        self.register_buffer("chosen", torch.tensor(chosen))
        self.columns = chosen
        self.h = head(len(chosen), 2)

    def forward(self, x: Any) -> Any:
        values = [x]
        for layer, part in zip(self.layers, self.parts, strict=True):
            reads = [values[at] for at in layer["reads"]]
            if layer["kind"] == "linear":
                reads = [each.flatten(1) for each in reads]
            value = part(torch.cat(reads, 1) if len(reads) > 1 else reads[0])
            sigma = (
                None if layer["kind"] == "pool" else getattr(torch, layer["sigma"], getattr(F, layer["sigma"], None))
            )
            values.append(value if sigma is None else sigma(value))
        every = torch.cat([value.flatten(1) for value in values[1:]], 1)
        return self.h(every[:, self.chosen if self.by == "t" else self.columns])


def _part(layer: dict[str, Any]) -> nn.Module:
    channels = sum(shape[0] for shape in layer["fan_in"])
    if layer["kind"] == "linear":
        return nn.Linear(sum(torch.Size(shape).numel() for shape in layer["fan_in"]), layer["width"], layer["bias"])
    axes, window = len(layer["kernel"]), (layer["kernel"], layer["stride"])
    if layer["kind"] == "pool":
        return (nn.AvgPool1d, nn.AvgPool2d)[axes - 1](*window)
    kind = (nn.Conv1d, nn.Conv2d)[axes - 1]
    return kind(channels, layer["width"], *window, padding=layer["padding"], bias=layer["bias"])


def assembled(
    shape: tuple[int, ...], layers: list[dict[str, Any]], units: int, chosen: list[int], by: str
) -> Assembled:
    return Assembled(shape, layers, list(chosen), by)
