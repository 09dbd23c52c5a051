"""A `Network` of the verifier as a PyTorch module: the same function, in floating point, with gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from verifier.errors import InputError
from verifier.network.network import Array, Network
from verifier.sigma.activations import Activation


class SkipNetwork(nn.Module):  # type: ignore[misc]  # PyTorch is not seen by the type checker
    """The network with its output weights, ``(N, channels, height, width)`` or ``(N, d)`` to logits ``(N, m)``.

    Parameters
    ----------
    network : Network
        Dense, 2-d convolutional and average-pooling layers.
    classes : int
        m.

    Raises
    ------
    InputError
        A layer or an activation that has no counterpart here.
    """

    def __init__(self, network: Network, classes: int) -> None:
        super().__init__()
        self.network, self.classes = network, classes
        self.hidden = nn.ModuleList(_module(network, index) for index in range(len(network.layers)))
        self.head = nn.Linear(network.skip_count, classes, bias=False)
        self.picks: dict[int, Tensor | None] = {}
        for index, units in network.skip_units:
            size = math.prod(network.shapes[index])
            self.picks[index] = None if len(units) == size else torch.tensor(units)
        self.activations = [
            None if layer.activation is None else torch_activation(layer.activation) for layer in network.layers
        ]

    def features(self, x: Tensor) -> Tensor:
        """Psi for a batch, ``(N, M)``, columns in the order of `Network.skip_units`."""
        network, values, columns = self.network, dict[object, Tensor]({"input": x}), []
        for index, layer in enumerate(network.layers):
            parts = [values[source] for source in network.sources[index]]
            if not layer.kernel:
                parts = [part.flatten(1) for part in parts]
            z = self.hidden[index](parts[0] if len(parts) == 1 else torch.cat(parts, 1))
            function = self.activations[index]
            values[index] = z if function is None else function(z)
            if index in self.picks:
                flat, pick = values[index].flatten(1), self.picks[index]
                columns.append(flat if pick is None else flat[:, pick.to(flat.device)])
        return columns[0] if len(columns) == 1 else torch.cat(columns, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch, ``(N, m)``."""
        return self.head(self.features(x))

    def weights(self) -> tuple[Array, Array]:
        """(U, V) in the verifier's layout, ``(p,)`` and ``(M, m)``. Guarantee: exactly the module's numbers."""
        u = np.empty(self.network.parameter_count)
        for view in self.network.parameters:
            given = getattr(self.hidden[self.network.layer_of(view)], view.name.rsplit(".", 1)[1])
            view.of(u)[...] = given.detach().cpu().double().numpy().reshape(view.spec.shape)
        return u, np.ascontiguousarray(self.head.weight.detach().cpu().double().numpy().T)

    def initialise(self, seed: int, gain: float = 1.0) -> None:
        """Draw weights: Glorot's uniform distribution for U (He's for softplus) times the gain, small V, biases 0."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for index, module in enumerate(self.hidden):
                layer = self.network.layers[index]
                if layer.activation is None:
                    continue
                fan_in, fan_out = _fans(module.weight)
                ramp = layer.activation.name.startswith("softplus")
                bound = math.sqrt(6 / fan_in) if ramp else math.sqrt(6 / (fan_in + fan_out))
                _uniform(module.weight, gain * bound, generator)
                module.bias.zero_()
            _uniform(self.head.weight, 1 / math.sqrt(self.network.skip_count), generator)


def torch_activation(activation: Activation) -> Callable[[Tensor], Tensor]:
    """Return the activation as a function of PyTorch tensors.

    Raises
    ------
    InputError
        It has none here.
    """
    name = activation.name
    if name.startswith("softplus"):
        gamma = float(name.partition("(")[2].rstrip(")") or 1.0)
        return lambda t: functional.softplus(t, beta=gamma)  # linear from gamma t = 20 on: within e^-20 / gamma
    known: dict[str, Callable[[Tensor], Tensor]] = {
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "gelu": functional.gelu,
        "relu": torch.relu,
    }
    if name not in known:
        raise InputError(f"activation {name!r}: experiments have {', '.join(known)} and softplus")
    return known[name]


def _module(network: Network, index: int) -> nn.Module:
    layer, shapes = network.layers[index], network.source_shapes(index)
    if layer.activation is None:
        return nn.AvgPool2d(layer.kernel, layer.steps)
    if not layer.kernel:
        return nn.Linear(sum(math.prod(shape) for shape in shapes), layer.rows)
    if len(layer.kernel) != 2 or layer.bias != "tied":
        raise InputError(f"layer {index}: experiments have 2-d convolutions with one bias per filter")
    channels = sum(shape[0] for shape in shapes)
    return nn.Conv2d(channels, layer.rows, layer.kernel, layer.steps, layer.padding or (0, 0))


def _fans(weight: Tensor) -> tuple[int, int]:
    field = math.prod(weight.shape[2:])
    return weight.shape[1] * field, weight.shape[0] * field


def _uniform(weight: Tensor, bound: float, generator: torch.Generator) -> None:
    weight.copy_((2 * torch.rand(weight.shape, generator=generator) - 1) * bound)
