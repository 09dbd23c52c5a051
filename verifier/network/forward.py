"""The network in floating point, layer by layer: approximate features, and what gradients need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.network.network import Array, Network
from verifier.sigma.kernels import approx_numpy_kernel


def with_zero(z: Array) -> Array:
    """Append to source values ``(N, k)`` the column ``k`` of zeros that windows in a padding read: ``(N, k + 1)``."""
    return np.concatenate([z, np.zeros((len(z), 1))], axis=1)


@dataclass(frozen=True, slots=True)
class LayerPass:
    """What one layer makes of N samples in plain floating point: an untrusted proposal, never a proof.

    Parameters
    ----------
    read : ndarray of shape (N, k)
        The values of the sources, side by side; with padding a column of zeros behind them.
    windows : ndarray or None
        For each position (of a pool: for each unit) the columns of ``read`` that it reads; None: all of them.
    arguments : ndarray of shape (N, units) or None
        What the activation is applied to; a pool has none.
    values : ndarray of shape (N, units)
        The units' values.
    """

    read: Array
    windows: NDArray[np.int64] | None
    arguments: Array | None
    values: Array

    @property
    def patches(self) -> Array:
        """What each position reads, ``(N, positions, fan_in)``, or ``(N, fan_in)``; large, so it is not kept."""
        return self.read if self.windows is None else self.read[:, self.windows]


@np.errstate(all="ignore")
def approx_features(network: Network, u: Array, inputs: Array) -> Array:
    """Evaluate Psi(U) in plain floating point: an untrusted proposal, never a proof.

    Parameters
    ----------
    network, u, inputs
        The network, U of shape ``(p,)``, samples ``(N, d)``.

    Returns
    -------
    ndarray of shape (N, M)
        One column for each skip unit; entries that overflow are not finite.

    Raises
    ------
    NetworkError
        U has another length.
    """
    return np.ascontiguousarray(gathered(network, [layer.values for layer in approx_layers(network, u, inputs)]))


def gathered(network: Network, values: Sequence[Array]) -> Array:
    """Take the skip units' columns, ``(N, M)`` in the order of Psi, from the values of all layers."""
    return np.concatenate([values[index][:, list(units)] for index, units in network.skip_units], axis=1)


def approx_layers(network: Network, u: Array, inputs: Array) -> Iterator[LayerPass]:
    """Evaluate a network layer by layer in plain floating point.

    Parameters
    ----------
    network, u, inputs
        The network, U of shape ``(p,)``, samples ``(N, d)``.

    Yields
    ------
    LayerPass
        What each layer makes of the samples; an untrusted proposal, never a proof.
    """
    views = network.views(u)
    values: list[Array] = []
    for index in range(len(network.layers)):
        parts = [inputs if s == "input" else values[int(s)] for s in network.sources[index]]
        with np.errstate(all="ignore"):
            found = _evaluated(network, index, views, parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))
        values.append(found.values)
        yield found


def _evaluated(network: Network, index: int, views: dict[str, Array], z: Array) -> LayerPass:
    layer = network.layers[index]
    windows = np.array(layer.windows(network.source_shapes(index))) if layer.kernel else None
    z = with_zero(z) if layer.padding else z
    patches = z if windows is None else z[:, windows]
    if layer.activation is None:
        return LayerPass(z, windows, None, patches.mean(axis=2))
    weight, bias = (views[f"layer{index}.{name}"].reshape(layer.rows, -1) for name in ("weight", "bias"))
    pre = patches @ weight.T
    pre = pre + bias[:, 0] if windows is None else (pre.transpose(0, 2, 1) + bias).reshape(len(z), -1)
    return LayerPass(z, windows, pre, approx_numpy_kernel(layer.activation)(pre))
