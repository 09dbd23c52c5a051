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


def with_buffers(function: Callable[[Any, Any], Any]) -> Made:
    module = made(function)
    module.register_buffer("mean", torch.tensor([0.1, -0.3, 0.2, 0.7]))
    module.register_buffer("std", torch.tensor([0.3, 1.7, 0.9, 3.1]))
    return module


def assigned(self: Any, y: Any) -> Any:
    out = torch.zeros(len(y), 5, dtype=y.dtype)
    out[:, :2] = y[:, 3:]
    out[:, 2:] = self.b(y)[:, :3]
    return out


def attended(self: Any, y: Any) -> Any:
    scores = y @ y.transpose(-2, -1) * 0.25
    return torch.softmax(scores + torch.full((6, 6), float("-inf")).triu(1), dim=-1) @ y


def hooked() -> nn.Module:
    """A hook that changes what the layer gives."""
    module = mlp()
    module[0].register_forward_hook(lambda _, __, out: 2 * out)
    return module


def replaced() -> nn.Module:
    module = mlp()
    module[0].forward = lambda x: F.linear(x, module[0].weight)
    return module


def pruned() -> nn.Module:
    module = mlp()
    prune.l1_unstructured(module[0], "weight", 2)
    return module


def parametrized(kind: Callable[..., Any]) -> nn.Module:
    module = mlp()
    kind(module[0])
    return module


def tied() -> nn.Module:
    module = nn.Sequential(linear(4, 4), nn.Tanh(), linear(4, 4), nn.Tanh(), head(4))
    module[2].weight = module[0].weight
    return module


def convolved(*middle: nn.Module, width: int = 72, **given: Any) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 2, given.pop("kernel", 3), **given), nn.Tanh(), *middle, nn.Flatten(), head(width)
    )


def of_both(function: Callable[[Any, Any], Any], fan_in: int = 5) -> Made:
    """A function of what tanh of the first layer gives."""
    return made(lambda s, x: s.h(function(s, torch.tanh(s.a(x)))), fan_in)


def of_channels(function: Callable[[Any, Any], Any], fan_in: int, **more: nn.Module) -> Made:
    """A function of two channels of 6 x 6 positions, flattened for the head."""
    return Made(
        lambda s, x: s.h(function(s, torch.tanh(s.a(x))).flatten(1)), a=nn.Conv2d(1, 2, 3), h=head(fan_in), **more
    )


def trained(module: nn.Module) -> nn.Module:
    """Running statistics that are not 0 and 1, gains and shifts that are not 1 and 0."""
    for name, tensor in (*module.named_buffers(), *module.named_parameters()):
        if tensor.is_floating_point() and tensor.ndim == 1:
            nn.init.uniform_(tensor.data, *((0.5, 2.0) if "var" in name else (-1.0, 1.0)))
    return module


def lora() -> nn.Module:
    """A frozen layer, and a trained product of low rank."""
    module = made(lambda s, x: s.h(torch.tanh(s.a(x) + s.up(s.down(x)) * 0.5)), down=linear(4, 2), up=linear(2, 5))
    module.a.requires_grad_(False)
    return module


class Residual(nn.Module):
    """A basic block of a ResNet."""

    def __init__(self, channels: int, width: int, stride: int, act: Callable[[Any], Any]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        down = nn.Sequential(nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width))
        self.downsample, self.act = (down if stride > 1 else nn.Identity()), act

    def forward(self, x: Any) -> Any:
        out = self.bn2(self.conv2(self.act(self.bn1(self.conv1(x)))))
        out += self.downsample(x)
        return self.act(out)


def resnet() -> nn.Module:
    stem = (nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.SiLU(), nn.MaxPool2d(3, 2, 1))
    blocks = (Residual(3, 3, 1, F.relu), Residual(3, 4, 2, F.silu))
    return trained(nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))


def encoder(first: bool) -> nn.Module:
    layer = nn.TransformerEncoderLayer(6, 2, 8, 0.1, "gelu", batch_first=True, norm_first=first)
    return trained(nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Flatten(), head(24)))


class Masked(nn.Module):
    """An encoder that is told its mask, and not that it is causal."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), 1)
        self.mask, self.h = nn.Transformer.generate_square_subsequent_mask(5), head(6)

    def forward(self, x: Any) -> Any:
        return self.h(self.encoder(x, mask=self.mask.to(x.dtype))[:, -1])


class Decoder(nn.Module):
    """A small causal decoder on tokens with attention by hand, and trained positions."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(7, 6), nn.Embedding(5, 6)
        self.qkv, self.norm, self.h = nn.Linear(6, 18), nn.LayerNorm(6), head(6)
        self.register_buffer("mask", torch.tril(torch.ones(5, 5)).view(1, 1, 5, 5))

    def forward(self, x: Any) -> Any:
        batch, length = x.shape
        y = self.tokens(x) + self.places(torch.arange(length, device=x.device))
        q, k, v = self.qkv(self.norm(y)).chunk(3, dim=-1)
        q, k, v = (each.view(batch, length, 2, 3).transpose(1, 2) for each in (q, k, v))
        scores = q @ k.transpose(-2, -1) / 3**0.5
        scores = scores.masked_fill(self.mask[:, :, :length, :length] == 0, float("-inf"))
        out = (scores.softmax(-1) @ v).transpose(1, 2).contiguous().view(batch, length, 6)
        return {"logits": self.h((y + out).mean(1)), "hidden": y}


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module], **given: Any) -> None:
        super().__init__()
        self.rnn = kind(3, 4, batch_first=True, **given)
        self.h = head(8 if given.get("bidirectional") else 4)

    def forward(self, x: Any) -> Any:
        return self.h(self.rnn(x)[0][:, -1])


class Vision(nn.Module):
    """A ViT with a class token and one block."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 6, 4, stride=4)
        self.cls = nn.Parameter(torch.randn(1, 1, 6))
        self.pos = nn.Parameter(torch.randn(1, 5, 6))
        self.n1, self.att = nn.LayerNorm(6), nn.MultiheadAttention(6, 3, batch_first=True)
        self.h = head(6)

    def forward(self, x: Any) -> Any:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.size(0), -1, -1), x], dim=1) + self.pos
        y = self.n1(x)
        return self.h((x + self.att(y, y, y, need_weights=False)[0])[:, 0])


NETS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "hooked": (hooked, 4),
    "replaced": (replaced, 4),
    "pruned": (pruned, 4),
    "weight_norm": (lambda: parametrized(parametrizations.weight_norm), 4),
    "spectral_norm": (lambda: parametrized(parametrizations.spectral_norm), 4),
    "tied": (tied, 4),
    "parallel": (lambda: nn.DataParallel(mlp()), 4),
    "twice": (lambda: of_both(lambda s, y: torch.tanh(s.b(torch.tanh(s.b(y))))), 4),
    "resnet": (resnet, (1, 8, 8)),
    "pre_norm": (lambda: encoder(True), (4, 6)),
    "post_norm": (lambda: encoder(False), (4, 6)),
    "masked": (Masked, (5, 6)),
    "decoder": (Decoder, torch.randint(0, 7, (6, 5), generator=torch.Generator().manual_seed(0))),
    "vision": (Vision, (1, 8, 8)),
    "gru": (lambda: Recurrent(nn.GRU), (4, 3)),
    "lstm": (lambda: Recurrent(nn.LSTM), (4, 3)),
    "rnn": (lambda: Recurrent(nn.RNN), (4, 3)),
    "gru_both_ways": (lambda: Recurrent(nn.GRU, bidirectional=True), (4, 3)),
    "gru_of_two": (lambda: Recurrent(nn.GRU, num_layers=2), (4, 3)),
    "batch_norm": (lambda: trained(mlp(nn.BatchNorm1d(5), nn.Tanh())), 4),
    "layer_norm": (lambda: trained(mlp(nn.LayerNorm(5), nn.Tanh())), 4),
    "group_norm": (lambda: trained(convolved(nn.GroupNorm(1, 2))), (1, 8, 8)),
    "instance_norm": (lambda: trained(convolved(nn.InstanceNorm2d(2, affine=True))), (1, 8, 8)),
    "rms_norm": (lambda: trained(mlp(nn.RMSNorm(5, eps=1e-6), nn.Tanh())), 4),
    "max_pool": (lambda: convolved(nn.MaxPool2d(2), width=18), (1, 8, 8)),
    "max_pool_ceil": (lambda: convolved(nn.MaxPool2d(4, ceil_mode=True), width=8), (1, 8, 8)),
    "padded_pool": (lambda: convolved(nn.AvgPool2d(2, padding=1), width=32), (1, 8, 8)),
    "padding_not_counted": (lambda: convolved(nn.AvgPool2d(3, 2, 1, count_include_pad=False), width=18), (1, 8, 8)),
    "ceil": (lambda: convolved(nn.AvgPool2d(4, ceil_mode=True), width=8), (1, 8, 8)),
    "divisor": (lambda: convolved(nn.AvgPool2d(2, divisor_override=3), width=18), (1, 8, 8)),
    "adaptive": (lambda: convolved(nn.AdaptiveAvgPool2d(4), width=32), (1, 8, 8)),
    "adaptive_max": (lambda: convolved(nn.AdaptiveMaxPool2d(3), width=18), (1, 8, 8)),
    "activated_pool": (lambda: convolved(nn.AvgPool2d(2), nn.Tanh(), width=18), (1, 8, 8)),
    "groups": (lambda: convolved(nn.Conv2d(2, 4, 3, groups=2), width=64), (1, 8, 8)),
    "dilation": (lambda: convolved(dilation=2, width=32), (1, 8, 8)),
    "reflected": (lambda: convolved(padding=1, padding_mode="reflect", width=128), (1, 8, 8)),
    "even_same": (lambda: convolved(kernel=2, padding="same", width=128), (1, 8, 8)),
    "wide_padding": (lambda: convolved(padding=3, width=288), (1, 8, 8)),
    "conv3d": (lambda: nn.Sequential(nn.Conv3d(1, 2, 2), nn.Tanh(), nn.Flatten(), head(16)), (1, 3, 3, 3)),
    "lora": (lora, 4),
}
"""Layers and whole networks, and the example."""

IMAGE = (1, 8, 8)
"""The shape of an image."""

IDIOMS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "float": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x.float())))), 4),
    "copied_over_a_root": (
        lambda: made(lambda s, x: s.h(s.a(x) / x.norm(dim=1, keepdim=True).copy_(x[:, :1] ** 2 + 1))),
        4,
    ),
    "to_dtype": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x.to(torch.float32))))), 4),
    "to_parameters_type": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x.to(s.a.weight.dtype))))), 4),
    "view_minus_one": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x.view(-1, 4))))), (1, 2, 2)),
    "view_by_shape": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x.view(x.shape[0], -1))))), (1, 2, 2)),
    "reshape_by_len": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x.reshape(len(x), -1))))), (1, 2, 2)),
    "flatten_from": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(torch.flatten(x, start_dim=1))))), (1, 2, 2)),
    "over_255": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x / 255)))), 4),
    "twice_minus_one": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(2 * x - 1)))), 4),
    "standardised": (lambda: made(lambda s, x: s.h(torch.tanh(s.a((x - 0.1307) / 0.3081)))), 4),
    "standardised_by_buffers": (
        lambda: with_buffers(lambda s, x: s.h(torch.tanh(s.a((x - s.mean) / s.std)))),
        4,
    ),
    "log_softmax": (lambda: made(lambda s, x: F.log_softmax(s.h(torch.tanh(s.a(x))), dim=1)), 4),
    "softmax": (lambda: mlp(nn.Tanh()).append(nn.Softmax(1)), 4),
    "two_outputs": (lambda: made(lambda s, x: (s.h(torch.tanh(s.a(x))), x)), 4),
    "dictionary": (lambda: made(lambda s, x: {"logits": s.h(torch.tanh(s.a(x))), "hidden": x}), 4),
    "plain_product": (lambda: made(lambda s, x: s.h(torch.tanh(x @ s.a.weight.T + s.a.bias))), 4),
    "addmm": (lambda: made(lambda s, x: s.h(torch.tanh(torch.addmm(s.a.bias, x, s.a.weight.t())))), 4),
    "einsum": (lambda: made(lambda s, x: s.h(torch.tanh(torch.einsum("bi,ji->bj", x, s.a.weight)))), 4),
    "squeezed": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x))).squeeze()), 4),
    "assertion": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x))) if x.shape[1] == 4 else x), 4),
    "dropout": (lambda: made(lambda s, x: s.h(F.dropout(torch.tanh(s.a(x)), 0.5, s.training))), 4),
    "residual": (lambda: of_both(lambda s, y: y + torch.tanh(s.b(y))), 4),
    "in_place": (lambda: of_both(lambda s, y: F.relu(y.add_(s.b(y)), inplace=True)), 4),
    "scaled_logits": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x))) / 2), 4),
    "computed_weight": (lambda: made(lambda s, x: s.h(torch.tanh(F.linear(x, s.a.weight * 2)))), 4),
    "gate": (lambda: made(lambda s, x: (lambda z: s.h(z * torch.sigmoid(z)))(s.a(x))), 4),
    "glu": (lambda: Made(lambda s, x: s.h(F.glu(s.a(x))), a=linear(4, 10), h=head(5)), 4),
    "swiglu": (lambda: made(lambda s, x: s.h(F.silu(s.a(x)) * s.c(x)), c=linear(4, 5)), 4),
    "clamp": (lambda: made(lambda s, x: s.h(s.a(x).clamp(0, 0.5))), 4),
    "maximum": (lambda: made(lambda s, x: s.h(torch.maximum(s.a(x), torch.zeros(())))), 4),
    "two_maximum": (lambda: made(lambda s, x: s.h(torch.maximum(s.a(x), s.b(s.a(x))))), 4),
    "square": (lambda: made(lambda s, x: s.h(s.a(x) ** 2)), 4),
    "input_in_place": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x.mul_(2))))), 4),
    "unsqueezed": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x.unsqueeze(1).squeeze(1))))), 4),
    "normalize": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(F.normalize(x))))), 4),
    "normalize_hidden": (lambda: made(lambda s, x: s.h(F.normalize(s.a(x), dim=-1))), 4),
    "layer_norm_by_hand": (
        lambda: made(
            lambda s, x: s.h(
                (lambda y: (y - y.mean(-1, True)) / (y.var(-1, False, keepdim=True) + 1e-5).sqrt())(s.a(x))
            )
        ),
        4,
    ),
    "over_deviation": (lambda: made(lambda s, x: s.h((lambda y: y / y.std(-1, keepdim=True))(s.a(x)))), 4),
    "rms_by_hand": (
        lambda: made(lambda s, x: s.h((lambda y: y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6))(s.a(x)))),
        4,
    ),
    "selected": (lambda: of_both(lambda s, y: y[:, 0:3], 3), 4),
    "one_unit": (lambda: of_both(lambda s, y: y[:, 1:2] * y), 4),
    "none_axis": (lambda: of_both(lambda s, y: (y[:, None] * y[:, :, None]).sum(1)), 4),
    "stacked": (lambda: of_both(lambda s, y: torch.stack([y, s.b(y)], 1).flatten(1), 10), 4),
    "split": (lambda: of_both(lambda s, y: (lambda p, q: torch.cat([q, p], 1))(*y.split([2, 3], 1))), 4),
    "unbound": (lambda: of_both(lambda s, y: sum(y.unbind(1)).unsqueeze(1) * y), 4),
    "rolled": (lambda: of_both(lambda s, y: torch.roll(y, 2, -1) * torch.flip(y, (1,))), 4),
    "repeated": (lambda: of_both(lambda s, y: torch.cat([y.repeat(1, 2), y.tile((1, 1))], 1), 15), 4),
    "repeat_interleave": (lambda: of_both(lambda s, y: torch.tanh(y.repeat_interleave(2, dim=1) ** 3), 10), 4),
    "gathered": (lambda: of_both(lambda s, y: y.gather(1, torch.tensor([[3, 0]]).expand(len(y), -1)), 2), 4),
    "where": (lambda: of_both(lambda s, y: torch.where(torch.arange(5) > 2, y, y**2)), 4),
    "masked": (lambda: of_both(lambda s, y: y.masked_fill(torch.arange(5) > 2, 0.5)), 4),
    "cumsum": (lambda: of_both(lambda s, y: y.cumsum(1)), 4),
    "assigned": (lambda: of_both(assigned), 4),
    "exp_sin": (lambda: of_both(lambda s, y: torch.exp(torch.sin(s.b(y)) / 2) - 1), 4),
    "outer": (lambda: of_both(lambda s, y: torch.bmm(y.unsqueeze(2), y.unsqueeze(1)).flatten(1), 25), 4),
    "lerp": (lambda: of_both(lambda s, y: (lambda z: (1 - z) * y + z * s.b(y))(torch.sigmoid(s.b(y)))), 4),
    "amax": (lambda: of_channels(lambda s, y: y.amax((2, 3)), 2), IMAGE),
    "max_over": (lambda: of_channels(lambda s, y: y.max(-1).values, 12), IMAGE),
    "global_mean": (lambda: of_channels(lambda s, y: y.mean([-1, -2]), 2), IMAGE),
    "mean_of_channels": (lambda: of_channels(lambda s, y: y.mean(1), 36), IMAGE),
    "squeeze_and_excite": (
        lambda: of_channels(lambda s, y: y * torch.sigmoid(s.e(y.mean((2, 3))))[:, :, None, None], 72, e=linear(2, 2)),
        IMAGE,
    ),
    "pixel_shuffle": (lambda: of_channels(lambda s, y: F.pixel_unshuffle(y, 2) ** 2, 72), IMAGE),
    "interpolated": (lambda: of_channels(lambda s, y: F.interpolate(y, scale_factor=2)[:, :, 1:5, 2:4], 16), IMAGE),
    "padded": (
        lambda: of_channels(
            lambda s, y: torch.tanh(s.e(F.pad(y, (1, 0, 2, 1), value=0.5))), 98, e=nn.Conv2d(2, 2, 3, (1, 1), (0, 1))
        ),
        IMAGE,
    ),
    "replicated": (lambda: of_channels(lambda s, y: F.pad(y, (1, 2, 0, 1), mode="replicate"), 126), IMAGE),
    "unfolded": (lambda: of_channels(lambda s, y: F.unfold(y, 2, stride=2) ** 2, 72), IMAGE),
    "windows": (lambda: of_channels(lambda s, y: y.unfold(2, 3, 2).sum(-1), 24), IMAGE),
    "movedim": (lambda: of_channels(lambda s, y: s.e(torch.movedim(y, 1, -1)), 108, e=linear(2, 3)), IMAGE),
    "transposed": (lambda: of_channels(lambda s, y: y.transpose(2, 3).mT.permute(0, 2, 1, 3) ** 2, 72), IMAGE),
    "triangle": (lambda: of_channels(lambda s, y: torch.tril(y), 72), IMAGE),
    "mixer": (lambda: of_channels(lambda s, y: s.e(y.flatten(2)).mT, 12, e=linear(36, 6)), IMAGE),
    "attention_hand": (lambda: of_channels(attended, 72), IMAGE),
    "sdpa": (
        lambda: of_channels(lambda s, y: F.scaled_dot_product_attention(y, y, y.sin(), is_causal=True), 72),
        IMAGE,
    ),
    "sdpa_mask": (
        lambda: of_channels(
            lambda s, y: F.scaled_dot_product_attention(y, 2 * y, y, attn_mask=torch.arange(36).view(6, 6) % 5 < 3), 72
        ),
        IMAGE,
    ),
    "one_hot": (
        lambda: Made(lambda s, x: s.h(torch.tanh(s.a(F.one_hot(x, 4).float())).sum(1)), a=linear(4, 5), h=head(5)),
        torch.tensor([[0, 3], [1, 2], [2, 2]]),
    ),
    "bytes": (
        lambda: made(lambda s, x: s.h(torch.tanh(s.a(x.float() / 255)))),
        torch.tensor([[0, 3, 255, 7], [1, 2, 3, 200]], dtype=torch.uint8),
    ),
    "whole_numbers": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x)))), torch.tensor([[0, 3, 2, 1], [4, 5, 6, 7]])),
}
"""What people write in forward, and the example."""


def infinite(value: float) -> nn.Module:
    module = mlp()
    module[0].bias.data[1] = value
    return module


class Two(nn.Module):
    def forward(self, x: Any, y: Any) -> Any:
        return torch.cat([x, y], 1)


class Counting(nn.Module):
    """It counts its calls in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.h = linear(4, 5), head(5)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return self.h(torch.tanh(self.a(x)) * self.calls)


def complex_weight() -> nn.Module:
    module = mlp()
    module[0].weight = nn.Parameter(torch.ones(5, 4, dtype=torch.complex64))
    return module


def quantised() -> nn.Module:
    kind = type("Linear", (nn.Identity,), {"__module__": "torch.nn.quantized.modules.linear"})
    return nn.Sequential(kind(), head(4))


def frozen_head() -> nn.Module:
    module = mlp()
    module[2].weight.requires_grad_(False)
    return module


def tied_head() -> nn.Module:
    module = nn.Sequential(linear(4, 4), nn.Tanh(), head(4, 4))
    module[2].weight = module[0].weight
    return module


def numbered(function: Callable[[Any], Any]) -> Made:
    """A function of the hidden layer that no expression has."""
    return of_both(lambda s, y: function(y))


BAD: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "complex": (complex_weight, 4),
    "nan": (lambda: infinite(float("nan")), 4),
    "infinity": (lambda: infinite(float("inf")), 4),
    "meta": (lambda: mlp().to("meta"), 4),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(5), nn.Tanh(), head(5)), 4),
    "quantised": (quantised, 4),
    "two_inputs": (Two, 4),
    "two_unnamed_outputs": (lambda: made(lambda s, x: {"a": s.h(torch.tanh(s.a(x))), "b": x}), 4),
    "branch": (lambda: made(lambda s, x: s.h(s.a(x)) if x.sum() > 0 else s.h(s.a(-x))), 4),
    "item": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x)) * x.sum().item())), 4),
    "to_numpy": (lambda: made(lambda s, x: s.h(torch.from_numpy(s.a(x).numpy()))), 4),
    "counting": (Counting, 4),
    "random": (lambda: numbered(lambda y: y + torch.rand(5)), 4),
    "random_like": (lambda: numbered(lambda y: y + torch.randn_like(y)), 4),
    "active_dropout": (lambda: numbered(lambda y: F.dropout(y)), 4),
    "batch_statistics": (lambda: mlp(nn.BatchNorm1d(5, track_running_stats=False)), 4),
    "batch_functional": (lambda: numbered(lambda y: F.batch_norm(y, None, None, training=True)), 4),
    "batch_mean": (lambda: numbered(lambda y: y - y.mean(0)), 4),
    "batch_number": (lambda: numbered(lambda y: y * y.shape[0]), 4),
    "batch_number_little": (lambda: numbered(lambda y: y.float() * (1 + 1e-6 * y.shape[0])), 4),
    "batch_fixed": (lambda: numbered(lambda y: y.view(4, 5)), 4),
    "batch_softmax": (lambda: numbered(lambda y: y.softmax(0)), 4),
    "batch_sorted": (lambda: numbered(lambda y: y.flip(0)), 4),
    "batch_joined": (lambda: of_both(lambda s, y: torch.cat([y, s.b(y)], 0)), 4),
    "batch_products": (lambda: numbered(lambda y: (y @ y.T) @ y), 4),
    "one_sample": (lambda: made(lambda s, x: s.h(torch.tanh(s.a(x)))[0]), 4),
    "transposed_convolution": (lambda: nn.Sequential(nn.ConvTranspose2d(1, 2, 2), nn.Flatten(), head(162)), (1, 8, 8)),
    "comparison": (lambda: numbered(lambda y: y * (y > 0)), 4),
    "argmax": (lambda: numbered(lambda y: F.one_hot(y.argmax(1), 5).float()), 4),
    "sorted": (lambda: numbered(lambda y: y.sort(1).values), 4),
    "fourier": (lambda: numbered(lambda y: torch.fft.fft(y).real), 4),
    "rounded": (lambda: numbered(lambda y: torch.round(y)), 4),
    "whole": (lambda: numbered(lambda y: y.long().float()), 4),
    "whole_sum": (lambda: numbered(lambda y: y.sum(1, keepdim=True, dtype=torch.int64).expand_as(y).float()), 4),
    "whole_running_sum": (lambda: numbered(lambda y: y.cumsum(1, dtype=torch.int64).float()), 4),
    "signs": (lambda: numbered(lambda y: torch.sign(y)), 4),
    "bytes_wrap": (
        lambda: made(lambda s, x: s.h(torch.tanh(s.a(2 * x / 255)))),
        torch.tensor([[0, 3, 255, 7], [1, 2, 3, 200]], dtype=torch.uint8),
    ),
    "logarithm": (lambda: numbered(lambda y: torch.log(y)), 4),
    "hardshrink": (lambda: mlp(nn.Hardshrink()), 4),
    "jump": (lambda: mlp(nn.Threshold(0.5, 0)), 4),
    "threshold": (lambda: mlp(nn.Softplus(1, 5)), 4),
    "negative_beta": (lambda: mlp(nn.Softplus(-1.0)), 4),
    "nan_slope": (lambda: mlp(nn.LeakyReLU(float("nan"))), 4),
    "empty_range": (lambda: of_both(lambda s, y: F.hardtanh(s.b(y), 1.0, 1.0)), 4),
    "large_kernel": (lambda: convolved(kernel=9), (1, 8, 8)),
    "channels": (lambda: nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), head(72)), (1, 8, 8)),
    "fan_in": (lambda: nn.Sequential(linear(3, 5), nn.Tanh(), head(5)), 4),
    "not_flat": (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), head(6)), (1, 8, 8)),
    "no_head": (lambda: nn.Sequential(linear(4, 5), nn.Tanh()), 4),
    "no_layer": (lambda: nn.Identity(), 4),
    "frozen_head": (frozen_head, 4),
    "tied_head": (tied_head, 4),
    "computed_head": (lambda: made(lambda s, x: F.linear(torch.tanh(s.a(x)), s.h.weight * 2)), 4),
    "two_heads": (lambda: made(lambda s, x: torch.cat([s.h(s.a(x)), s.k(s.c(x))], 1), c=linear(4, 5), k=head(5)), 4),
    "constant_feature": (lambda: of_both(lambda s, y: torch.cat([y, torch.ones(len(y), 1)], 1), 6), 4),
    "number": (lambda: made(lambda s, x: x.shape[1]), 4),
    "zeros": (lambda: made(lambda s, x: torch.zeros(len(x), 3)), 4),
}
"""What has no counterpart, and the example."""


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
