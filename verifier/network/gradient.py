"""The gradient of the cross-entropy by backpropagation in floating point: an untrusted direction, never a proof."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.network.layers import AvgPool, Conv, Dense, Layer, window_indices
from verifier.network.network import Array, Network, with_zero
from verifier.sigma.kernels import approx_numpy_derivative, approx_numpy_kernel


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
    """
    views = network.views(u)
    values: list[Array] = []
    taken: list[tuple[Array, NDArray[np.int64] | None, Array]] = []  # patches, windows, slopes of every layer
    for index, layer in enumerate(network.layers):
        z = _read(network, index, inputs, values)
        windows = _windows(network, index)
        z = with_zero(z) if _is_padded(layer) else z
        patches = z if windows is None else z[:, windows]
        if isinstance(layer, AvgPool):
            values.append(patches.mean(axis=2))
            taken.append((patches, windows, np.ones(1)))
            continue
        weight = views[f"layer{index}.weight"].reshape(network.shapes[index][0], -1)
        bias = views[f"layer{index}.bias"].reshape(network.shapes[index][0], -1)
        pre = patches @ weight.T
        pre = pre + bias[:, 0] if windows is None else (pre.transpose(0, 2, 1) + bias).reshape(len(z), -1)
        values.append(approx_numpy_kernel(layer.activation)(pre))
        taken.append((patches, windows, approx_numpy_derivative(layer.activation)(pre)))
    psi = np.concatenate([values[index][:, list(units)] for index, units in network.skip_units], axis=1)
    share = multiplicities / multiplicities.sum()
    logits = psi @ v
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(-(share * np.log(p[rows, labels])).sum())
    p[rows, labels] -= 1.0
    residual = p * share[:, None]
    back = [np.zeros_like(value) for value in values]
    column = 0
    for index, units in network.skip_units:
        back[index][:, list(units)] += residual @ v[column : column + len(units)].T
        column += len(units)
    du = np.zeros_like(u)
    for index in range(len(network.layers) - 1, -1, -1):
        _push(network, index, views, taken[index], back, du)
    return Gradient(loss, du, psi.T @ residual)


def _read(network: Network, index: int, inputs: Array, values: list[Array]) -> Array:
    parts = [inputs if s == "input" else values[int(s)] for s in network.sources[index]]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _is_padded(layer: Layer) -> bool:
    return isinstance(layer, Conv) and bool(layer.padding)


def _windows(network: Network, index: int) -> NDArray[np.int64] | None:
    """The flat source indices of every output position of a convolution, or of every unit of a pool."""
    layer, sources = network.layers[index], network.source_shapes(index)
    if isinstance(layer, Dense):
        return None
    shape = (sum(s[0] for s in sources), *sources[0][1:])
    if isinstance(layer, Conv):
        return np.array(window_indices(shape, layer.kernel, layer.steps, layer.padding))
    plane = int(np.prod(shape[1:]))
    windows = np.array(window_indices((1, *shape[1:]), layer.kernel, layer.steps))
    return np.concatenate([windows + c * plane for c in range(shape[0])])


def _push(
    network: Network,
    index: int,
    views: dict[str, Array],
    taken: tuple[Array, NDArray[np.int64] | None, Array],
    back: list[Array],
    du: Array,
) -> None:
    """Add layer ``index``'s share of the parameters' gradient and hand the rest to its sources."""
    layer, (patches, windows, slopes) = network.layers[index], taken
    count = len(patches)
    delta = back[index] * slopes
    width = sum(int(np.prod(shape)) for shape in network.source_shapes(index))
    onto = np.zeros((count, width + _is_padded(layer)))  # the padding takes its share, which goes nowhere
    gradient, weight, bias = network.views(du), f"layer{index}.weight", f"layer{index}.bias"
    if windows is None:
        gradient[weight][...] = delta.T @ patches
        gradient[bias][...] = delta.sum(axis=0)
        onto = delta @ views[weight]
    elif isinstance(layer, AvgPool):
        np.add.at(onto.T, windows, (delta / windows.shape[1]).T[:, None, :])
    else:
        filters = network.shapes[index][0]
        spread = delta.reshape(count, filters, -1)
        flat = np.einsum("nfp,npk->fk", spread, patches)
        gradient[weight][...] = flat.reshape(views[weight].shape)
        shifts = gradient[bias]
        shifts[...] = spread.sum(axis=0).reshape(shifts.shape) if shifts.ndim > 1 else spread.sum(axis=(0, 2))
        np.add.at(onto.T, windows, np.einsum("nfp,fk->pkn", spread, views[weight].reshape(filters, -1)))
    start = 0
    for source, shape in zip(network.sources[index], network.source_shapes(index), strict=True):
        size = int(np.prod(shape))
        if source != "input":
            back[int(source)] += onto[:, start : start + size]
        start += size
