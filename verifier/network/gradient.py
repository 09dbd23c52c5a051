"""The gradient of the cross-entropy by backpropagation in floating point: an untrusted direction, never a proof."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.network.forward import LayerPass, approx_layers, gathered
from verifier.network.network import Array, Network
from verifier.sigma.kernels import approx_numpy_derivative


@dataclass(frozen=True, slots=True)
class Gradient:
    """Approximate loss and gradient: ``du`` of shape ``(p,)``, ``dv`` of shape ``(M, m)``."""

    loss: float
    du: Array
    dv: Array

    @property
    def norm(self) -> float:
        """Euclidean norm of the whole gradient."""
        return float(np.hypot(np.linalg.norm(self.du), np.linalg.norm(self.dv)))


@np.errstate(all="ignore")
def approx_gradient(
    network: Network, u: Array, v: Array, inputs: Array, labels: NDArray[np.int64], multiplicities: NDArray[np.int64]
) -> Gradient:
    """Evaluate Phi and its gradient at ``(U, V)``; approximate.

    Parameters
    ----------
    network, u, v
        The point: U of shape ``(p,)``, V of shape ``(M, m)``.
    inputs, labels, multiplicities
        Samples ``(N, d)``, classes ``(N,)``, how often each sample counts ``(N,)``.

    Returns
    -------
    Gradient
        An untrusted direction, never a proof; not finite where something overflows.
    """
    passes = list(approx_layers(network, u, inputs))
    psi = gathered(network, [taken.values for taken in passes])
    share = multiplicities / multiplicities.sum()
    logits = psi @ v
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(-(share * np.log(p[rows, labels])).sum())
    p[rows, labels] -= 1.0
    residual = p * share[:, None]
    back = [np.zeros_like(taken.values) for taken in passes]
    column = 0
    for index, units in network.skip_units:
        back[index][:, list(units)] += residual @ v[column : column + len(units)].T
        column += len(units)
    du = np.zeros_like(u)
    for index in range(len(network.layers) - 1, -1, -1):
        _push(network, index, network.views(u), passes[index], back, du)
    return Gradient(loss, du, psi.T @ residual)


def _push(
    network: Network, index: int, views: dict[str, Array], taken: LayerPass, back: list[Array], du: Array
) -> None:
    """Add layer ``index``'s share of the parameters' gradient and hand the rest to its sources."""
    layer, windows = network.layers[index], taken.windows
    if layer.activation is None or taken.arguments is None:
        delta = back[index]
    else:
        delta = back[index] * approx_numpy_derivative(layer.activation)(taken.arguments)
    gradient, weight, bias = network.views(du), f"layer{index}.weight", f"layer{index}.bias"
    onto = np.zeros_like(taken.read)  # the padding takes its share, which goes nowhere
    if windows is None:
        gradient[weight][...] = delta.T @ taken.read
        gradient[bias][...] = delta.sum(axis=0)
        onto = delta @ views[weight]
    elif layer.activation is None:
        np.add.at(onto.T, windows, (delta / windows.shape[1]).T[:, None, :])
    else:
        spread = delta.reshape(len(delta), layer.rows, -1)
        flat = np.einsum("nfp,npk->fk", spread, taken.patches)
        gradient[weight][...] = flat.reshape(views[weight].shape)
        shifts = gradient[bias]
        shifts[...] = spread.sum(axis=0).reshape(shifts.shape) if shifts.ndim > 1 else spread.sum(axis=(0, 2))
        np.add.at(onto.T, windows, np.einsum("nfp,fk->pkn", spread, views[weight].reshape(layer.rows, -1)))
    start = 0
    for source, shape in zip(network.sources[index], network.source_shapes(index), strict=True):
        size = int(np.prod(shape))
        if source != "input":
            back[int(source)] += onto[:, start : start + size]
        start += size
