"""PyTorch models exported by both of its exporters: the network is the module, number for number."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verifier as vf
from verifier.network.forward import approx_features

pytestmark = [pytest.mark.onnx, pytest.mark.torch]


def perceptron() -> tuple[Any, Any]:
    import torch
    from torch import nn

    layers = [nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 7), nn.Softplus(), nn.LeakyReLU(0.1), nn.Linear(7, 3)]
    return nn.Sequential(nn.Flatten(), *layers), torch.randn(4, 2, 3)


def images() -> tuple[Any, Any]:
    import torch
    from torch import nn

    module = nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 2, groups=2)),
        *(nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    )
    with torch.no_grad():
        for _ in range(3):
            module(torch.randn(8, 2, 6, 6))  # running statistics
    return module, torch.randn(4, 2, 6, 6)


def transformer() -> tuple[Any, Any]:
    import torch
    from torch import nn

    class Encoder(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.token, self.places = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 4, 8))
            self.block = nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True, norm_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
            return self.head(self.block(x)[:, 0])

    return Encoder(), torch.randn(4, 3, 8)


def recurrent() -> tuple[Any, Any]:
    import torch
    from torch import nn

    class Reader(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.GRU(3, 4, batch_first=True), nn.LSTM(4, 5, batch_first=True)
            self.head = nn.Linear(5, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.second(self.first(x)[0])[0][:, -1])

    return Reader(), torch.randn(4, 3, 3)


def decoder() -> tuple[Any, Any]:
    import torch
    from torch import nn

    class Decoder(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.table, self.norm = nn.Embedding(9, 8), nn.LayerNorm(8)
            self.q, self.k, self.v = (nn.Linear(8, 8, bias=False) for _ in range(3))
            self.head = nn.Linear(8, 9, bias=False)
            self.register_buffer("seen", torch.tril(torch.ones(5, 5)))

        def forward(self, tokens: Any) -> Any:
            x = self.table(tokens)
            scores = self.q(x) @ self.k(x).transpose(-1, -2) / 8**0.5
            scores = scores.masked_fill(self.seen == 0, float("-inf"))
            x = self.norm(x + scores.softmax(-1) @ self.v(x))
            return self.head(x[:, -1]).log_softmax(-1)

    return Decoder(), torch.randint(0, 9, (4, 5))


@pytest.fixture(autouse=True)
def _with_onnx() -> None:
    pytest.importorskip("onnx")


MODELS = {make.__name__: make for make in (perceptron, images, transformer, recurrent, decoder)}


def export(module: Any, example: Any, file: Path, how: str) -> None:
    import torch

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how == "dynamo":
            shapes = ({0: torch.export.Dim("samples")},)
            program = torch.onnx.export(module, (example,), dynamo=True, dynamic_shapes=shapes, verbose=False)
            program.save(str(file), external_data=False)
        else:
            names = {"input_names": ["x"], "dynamic_axes": {"x": {0: "samples"}}}
            if how == "fixed":
                names, example = {}, example[:1]
            torch.onnx.export(module, (example,), str(file), dynamo=False, opset_version=17, **names)


@pytest.mark.parametrize("how", ["dynamo", "traced", "fixed"])
@pytest.mark.parametrize("name", MODELS)
def test_an_export_is_the_module(name: str, how: str, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    module, example = MODELS[name]()
    module.eval()
    with torch.no_grad():
        for parameter in module.parameters():  # exporters merge equal arrays, such as all fresh gains
            parameter.add_(0.1 * torch.randn_like(parameter))
    file = tmp_path / "net.onnx"
    export(module, example, file, how)
    named = ("token", "places") if name == "transformer" else ()  # they meet the input itself, as a mean of it would
    found = vf.from_onnx(file, trained=named)
    with torch.no_grad():
        exact = module.double()(example if name == "decoder" else example.double()).numpy()
    ours = approx_features(found.network, found.u, example.reshape(4, -1).double().numpy()) @ found.v
    if name == "decoder":  # log_softmax is left out
        ours = ours - np.log(np.exp(ours).sum(axis=1, keepdims=True))
    # exporters fold constants in binary32
    np.testing.assert_allclose(ours, exact, rtol=3e-6, atol=3e-6)
    trained = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    if name != "images":  # batch normalisation is folded into the convolution before it
        assert found.u.size + found.v.size == trained
