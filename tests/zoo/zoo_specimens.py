"""The zoo: every model with its data, its start and the verdicts that are expected of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import zoo_dense as dense
import zoo_images as images
import zoo_references as references
import zoo_sequences as sequences
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn
from zoo_data import Data, digits, flat_digits, heights, points, sentences, sets, signals, trained
from zoo_elsewhere import exported, fitted, foreign

OPEN = {"generic": "UNDECIDED", "T3.4(2)": "UNDECIDED"}
"""Not analytic, or not proved to be defined at every U: nothing is said about almost every U."""
DEAD = OPEN | {"rank": "REFUTED"}
"""Nor have the features full rank here: too many units are 0 on all samples."""
FLAT = OPEN | {"generic": "REFUTED"}
"""Dense layers: on an open set of U all units are constant on the samples: full rank is not almost everywhere."""


@dataclass(frozen=True)
class Specimen:
    """A model of PyTorch.

    Parameters
    ----------
    name
        What a person calls it.
    make
        Makes the module, freshly initialised.
    samples
        N.
    data
        Makes samples and labels of a number.
    head
        The name of the module whose input are the features.
    steps
        Steps of training before anything is proved.
    expected
        Verdicts that are not PROVED, by name.
    """

    name: str
    make: Callable[[], Any]
    samples: int
    data: Callable[[int], Data] = digits
    head: str = "head"
    steps: int = 0
    expected: dict[str, str] = field(default_factory=dict)

    framework = "PyTorch"

    def __str__(self) -> str:
        return self.name

    def module(self) -> nn.Module:
        """The module at its start, in evaluation mode."""
        torch.manual_seed(0)
        return trained(self.make(), *self.data(self.samples), self.steps)

    def model(self, folder: Path) -> Any:
        """What a person hands over."""
        return self.module()

    def reference(self, model: Any, X: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Features and logits by the framework in float64."""
        return references.of_torch(model, self.head, X)

    def forward(self, model: Any, X: NDArray[Any]) -> float:
        """Seconds of one forward pass of all samples by the framework."""
        return references.forward_of_torch(model, X)


@dataclass(frozen=True)
class Exported(Specimen):
    """A model of PyTorch as a file in ONNX, by one of its two exporters; the forward pass is PyTorch's.

    The file is another model than the module, by roundings: batch norms are folded into convolutions, scales and
    epsilons are in float32. Its own evaluator is the reference.
    """

    older: bool = False
    framework = "ONNX"

    def model(self, folder: Path) -> Path:
        return exported(self.module(), self.data(self.samples)[0], folder / "net.onnx", older=self.older)

    def reference(self, model: Any, X: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return references.of_onnx(model, X)

    def forward(self, model: Any, X: NDArray[Any]) -> float:
        return references.forward_of_torch(self.module(), X)


@dataclass(frozen=True)
class Foreign(Specimen):
    """A file in ONNX that PyTorch did not make; ``make`` writes it. The forward pass is ONNX's own evaluator's."""

    framework = "ONNX"

    def model(self, folder: Path) -> Path:
        return foreign(folder / "net.onnx")

    def reference(self, model: Any, X: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return references.of_onnx(model, X)

    def forward(self, model: Any, X: NDArray[Any]) -> float:
        return references.best_seconds(lambda: references.of_onnx(model, X))


@dataclass(frozen=True)
class Fitted(Specimen):
    """An estimator of scikit-learn, fitted to the samples."""

    framework = "scikit-learn"

    def model(self, folder: Path) -> Any:
        return fitted(self.make())(*self.data(self.samples))

    def reference(self, model: Any, X: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return references.of_sklearn(model, X)

    def forward(self, model: Any, X: NDArray[Any]) -> float:
        return references.best_seconds(lambda: model.predict(X))


def _mlp(activation: nn.Module) -> Callable[[], nn.Module]:
    return lambda: dense.mlp(activation)


def _perceptron(activation: str, **more: Any) -> MLPClassifier:
    return MLPClassifier(hidden_layer_sizes=(20, 16), activation=activation, max_iter=30, random_state=0, **more)


SPECIMENS = (
    Specimen("MLP, tanh", _mlp(nn.Tanh()), 17, head="5"),
    Specimen("MLP, sigmoid", _mlp(nn.Sigmoid()), 17, head="5"),
    Specimen("MLP, softplus", _mlp(nn.Softplus()), 17, head="5"),
    Specimen("MLP, GELU", _mlp(nn.GELU()), 17, head="5"),
    Specimen("MLP, GELU by tanh", _mlp(nn.GELU(approximate="tanh")), 17, head="5"),
    Specimen("MLP, SiLU", _mlp(nn.SiLU()), 17, head="5"),
    Specimen("MLP, ReLU", _mlp(nn.ReLU()), 17, head="5", expected=DEAD | FLAT),
    Specimen("MLP, one logit", dense.OneLogit, 13, points, head="out"),
    Specimen("LeNet with max pools", images.LeNet, 17, head="fc3", steps=20, expected=DEAD),
    Specimen("VGG with batch norm", images.VGG, 12, head="classifier.6", steps=20, expected=OPEN),
    Specimen("ResNet-18, ReLU", lambda: images.ResNet18(nn.ReLU), 12, head="fc", steps=10, expected=OPEN),
    Specimen("ResNet-18, SiLU", lambda: images.ResNet18(nn.SiLU), 17, head="fc", steps=10),
    Specimen("DenseNet", images.DenseNet, 19, head="classifier", steps=20, expected=OPEN),
    Specimen("MobileNet", images.MobileNet, 17, head="classifier.3", steps=20, expected=OPEN),
    Specimen("ConvNeXt", images.ConvNeXt, 16, steps=10),
    Specimen("U-Net encoder", images.UNetEncoder, 21),
    Specimen("Squeeze-and-excitation", images.SENet, 17),
    Specimen("MLP-Mixer", sequences.Mixer, 16, steps=10),
    Specimen("ViT", sequences.ViT, 16, steps=10),
    Specimen("Transformer encoder, norms after", lambda: sequences.Encoder(False), 16, steps=10),
    Specimen("Transformer encoder, norms before", lambda: sequences.Encoder(True), 17),
    Specimen("GPT on tokens", sequences.Decoder, 16, sentences, head="lm_head", steps=10),
    Specimen("GRU", lambda: sequences.Recurrent(nn.GRU), 13, head="fc"),
    Specimen("LSTM", lambda: sequences.Recurrent(nn.LSTM), 13, head="fc"),
    Specimen("SIREN", dense.Siren, 17, points, head="final"),
    Specimen("Fourier features", dense.FourierFeatures, 17, points, head="mlp.2"),
    Specimen("SwiGLU with RMS norm", dense.SwiGLUNet, 16),
    Specimen("Weight norm", dense.WeightNorm, 17, expected=OPEN),
    Specimen("LoRA", dense.LoRA, 17),
    Specimen("Deep Sets", dense.DeepSets, 17, sets),
    Specimen("Graph network", lambda: dense.GraphNet(dense.ring(6), 2), 37, signals),
    Specimen("RBF network", dense.RBF, 17, points, head="out"),
    Specimen("RBF network by cdist", dense.RBFByDistances, 17, points, head="out"),
    Fitted("MLPClassifier, tanh", lambda: _perceptron("tanh"), 17, flat_digits),
    Fitted("MLPClassifier, logistic, one logit", lambda: _perceptron("logistic", learning_rate_init=0.1), 17, points),
    Fitted("MLPClassifier, ReLU", lambda: _perceptron("relu"), 17, flat_digits, expected=FLAT),
    Fitted(
        "MLPClassifier, one layer of ReLU",
        lambda: MLPClassifier(hidden_layer_sizes=(32,), max_iter=30, random_state=0),
        33,
        flat_digits,
        expected=DEAD | FLAT | {"T3.4(2)": "PROVED"},
    ),
    Fitted(
        "MLPRegressor",
        lambda: MLPRegressor(hidden_layer_sizes=(16,), activation="tanh", max_iter=30, random_state=0),
        17,
        heights,
    ),
    Fitted(
        "StandardScaler and MLPClassifier",
        lambda: make_pipeline(StandardScaler(), _perceptron("tanh")),
        17,
        flat_digits,
    ),
    Fitted("MinMaxScaler and MLPClassifier", lambda: make_pipeline(MinMaxScaler(), _perceptron("tanh")), 17, points),
    Exported("MLP, GELU", _mlp(nn.GELU()), 17),
    Exported("LeNet with max pools", images.LeNet, 17, steps=20, expected=DEAD, older=True),
    Exported("ResNet-18, SiLU", lambda: images.ResNet18(nn.SiLU), 17, steps=10, older=True),
    Exported("ViT", sequences.ViT, 16, steps=10),
    Exported("GRU", lambda: sequences.Recurrent(nn.GRU), 13, older=True),
    Foreign("Six layers of 200 sigmoids", foreign, 33),
)
