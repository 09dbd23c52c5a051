"""Small data for the zoo, exact in float32, and a few steps of training; imported by `zoo_specimens`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Data = tuple[NDArray[Any], NDArray[Any]]


def digits(samples: int) -> Data:
    """The first of scikit-learn's digits as images, ``(N, 1, 8, 8)``, and their labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.images[:samples, None] / 16, found.target[:samples]


def flat_digits(samples: int) -> Data:
    """The same as rows of 64 pixels from 0 to 16."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.data[:samples], found.target[:samples]


def points(samples: int) -> Data:
    """Distinct points of a grid in the unit square, ``(N, 2)``; class 1 in two opposite quarters."""
    cells = np.random.default_rng(0).permutation(33 * 33)[:samples]
    X = np.stack([cells // 33, cells % 33], axis=1) / 32
    return X, ((X[:, 0] > 0.5) ^ (X[:, 1] > 0.5)).astype(int)


def heights(samples: int) -> Data:
    """The same points, and a smooth function of them as targets of a regression, ``(N,)``."""
    X, _ = points(samples)
    return X, np.sin(3 * X[:, 0]) * X[:, 1]


def sets(samples: int) -> Data:
    """Sets of five points, ``(N, 5, 2)``; whether they lie more to the right or more to the left."""
    X = np.random.default_rng(1).integers(0, 33, (samples, 5, 2)) / 32
    return X, (X[:, :, 0].mean(axis=1) > 0.5).astype(int)


def signals(samples: int) -> Data:
    """Two channels at the six nodes of a graph, ``(N, 6, 2)``, in three classes."""
    X = np.random.default_rng(2).integers(-16, 17, (samples, 6, 2)) / 8
    return X, np.arange(samples) % 3


def sentences(samples: int) -> Data:
    """Distinct sequences of five of six tokens, ``(N, 5)``; the class is the next token of a simple rule."""
    numbers = np.random.default_rng(3).permutation(6**5)[:samples]
    X = numbers[:, None] // 6 ** np.arange(5) % 6
    return X, X[:, [0, 1, 4]].sum(axis=1) % 6


def trained(model: Any, X: NDArray[Any], y: NDArray[Any], steps: int, rate: float = 0.05) -> Any:
    """The model after some steps of gradient descent in training mode, which moves the statistics of batch norms."""
    import torch

    inputs, labels = torch.from_numpy(X), torch.from_numpy(y).long()
    inputs = inputs.float() if inputs.is_floating_point() else inputs.long()
    free = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(free, lr=rate, momentum=0.9)
    model.train()
    for _ in range(steps):
        out = model(inputs)
        out = out["logits"] if isinstance(out, dict) else out
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(out, labels).backward()
        optimiser.step()
    return model.eval()
