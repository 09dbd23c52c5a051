"""The zoo's networks without images and sequences, as a person writes them in PyTorch; imported by `zoo_specimens`."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations


def mlp(activation: nn.Module, *, width: int = 16, pixels: int = 64, classes: int = 10) -> nn.Sequential:
    """The first network of every tutorial."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, width),
        activation,
        nn.Linear(width, width),
        activation,
        nn.Linear(width, classes),
    )


class OneLogit(nn.Module):
    """Two classes, one logit: trained with `nn.BCEWithLogitsLoss`, used behind a sigmoid."""

    def __init__(self, width: int = 12):
        super().__init__()
        self.hidden = nn.Linear(2, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.hidden(2 * x - 1))
        return torch.sigmoid(self.out(x)).squeeze(-1)


class Sine(nn.Module):
    """A layer of SIREN (Sitzmann et al., 2020): sin(omega (W x + b)), initialised as there."""

    def __init__(self, fan_in: int, width: int, omega: float = 30.0, first: bool = False):
        super().__init__()
        self.omega = omega
        self.linear = nn.Linear(fan_in, width)
        bound = 1 / fan_in if first else math.sqrt(6 / fan_in) / omega
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.omega * self.linear(x))


class Siren(nn.Module):
    def __init__(self, width: int = 16, classes: int = 2):
        super().__init__()
        self.net = nn.Sequential(Sine(2, width, first=True), Sine(width, width))
        self.final = nn.Linear(width, classes)

    def forward(self, coordinates: Tensor) -> Tensor:
        return self.final(self.net(coordinates))


class FourierFeatures(nn.Module):
    """Random Fourier features (Tancik et al., 2020): a frozen Gaussian matrix before an MLP."""

    def __init__(self, features: int = 8, width: int = 16, classes: int = 2):
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, features) * 2)
        self.mlp = nn.Sequential(nn.Linear(2 * features, width), nn.GELU(), nn.Linear(width, classes))

    def forward(self, x: Tensor) -> Tensor:
        angles = 2 * math.pi * x @ self.frequencies
        return self.mlp(torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1))


class RMSNorm(nn.Module):
    """As in LLaMA."""

    def __init__(self, width: int, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class SwiGLU(nn.Module):
    """A residual block of LLaMA's feed-forward kind."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.norm = RMSNorm(width)
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class SwiGLUNet(nn.Module):
    def __init__(self, width: int = 16, classes: int = 10):
        super().__init__()
        self.embed = nn.Linear(64, width)
        self.blocks = nn.ModuleList([SwiGLU(width, 24) for _ in range(2)])
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x.view(x.shape[0], -1))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class WeightNorm(nn.Module):
    """g v / |v| in the hidden layers."""

    def __init__(self, width: int = 16, classes: int = 10):
        super().__init__()
        self.first = parametrizations.weight_norm(nn.Linear(64, width))
        self.second = parametrizations.weight_norm(nn.Linear(width, width))
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x.flatten(1)))
        return self.head(torch.tanh(self.second(x)))


class LoRALinear(nn.Module):
    """A frozen linear layer and a trained product of rank `rank` beside it (Hu et al., 2021)."""

    def __init__(self, base: nn.Linear, rank: int = 2, alpha: float = 4.0):
        super().__init__()
        self.base = base
        for parameter in self.base.parameters():
            parameter.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.lora_B = nn.Parameter(torch.randn(base.out_features, rank) * 0.1)
        self.scaling = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + F.linear(F.linear(x, self.lora_A), self.lora_B) * self.scaling


class LoRA(nn.Module):
    """A network whose hidden layers are fine-tuned by LoRA; a new head."""

    def __init__(self, width: int = 16, classes: int = 10):
        super().__init__()
        self.first = LoRALinear(nn.Linear(64, width))
        self.second = LoRALinear(nn.Linear(width, width))
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.flatten(x, start_dim=1)
        x = F.gelu(self.first(x))
        x = F.gelu(self.second(x))
        return self.head(x)


class DeepSets(nn.Module):
    """A function of sets of points (Zaheer et al., 2017): x is (batch, points, coordinates)."""

    def __init__(self, coordinates: int = 2, width: int = 16, classes: int = 2):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(coordinates, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.rho = nn.Sequential(nn.Linear(width, width), nn.SiLU())
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.phi(x).sum(dim=1)
        return self.head(self.rho(pooled))


def ring(nodes: int) -> Tensor:
    """The adjacency of a ring with one chord."""
    adjacency = torch.zeros(nodes, nodes)
    for k in range(nodes):
        adjacency[k, (k + 1) % nodes] = adjacency[(k + 1) % nodes, k] = 1
    adjacency[0, nodes // 2] = adjacency[nodes // 2, 0] = 1
    return adjacency


class GraphNet(nn.Module):
    """A graph convolutional network (Kipf and Welling, 2017) on one graph: x is (batch, nodes, channels)."""

    def __init__(self, adjacency: Tensor, channels: int, width: int = 6, classes: int = 3):
        super().__init__()
        with_loops = adjacency + torch.eye(len(adjacency))
        degrees = with_loops.sum(dim=1).pow(-0.5)
        self.register_buffer("propagation", degrees[:, None] * with_loops * degrees[None, :])
        self.first = nn.Linear(channels, width)
        self.second = nn.Linear(width, width)
        self.head = nn.Linear(len(adjacency) * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.propagation @ self.first(x))
        x = torch.tanh(torch.matmul(self.propagation, self.second(x)))
        return self.head(x.flatten(1))


class RBF(nn.Module):
    """Radial basis functions with trained centres and widths."""

    def __init__(self, coordinates: int = 2, centres: int = 16, classes: int = 2):
        super().__init__()
        self.centres = nn.Parameter(torch.rand(centres, coordinates))
        self.log_widths = nn.Parameter(torch.zeros(centres))
        self.out = nn.Linear(centres, classes)

    def forward(self, x: Tensor) -> Tensor:
        squares = (x.unsqueeze(1) - self.centres).pow(2).sum(-1)
        return self.out(torch.exp(-squares * torch.exp(self.log_widths)))


class RBFByDistances(nn.Module):
    """The same by `torch.cdist`."""

    def __init__(self, coordinates: int = 2, centres: int = 16, classes: int = 2):
        super().__init__()
        self.centres = nn.Parameter(torch.rand(centres, coordinates))
        self.out = nn.Linear(centres, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.exp(-(torch.cdist(x, self.centres) ** 2)))
