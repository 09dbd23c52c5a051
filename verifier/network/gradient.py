"""The gradient of the cross-entropy by backpropagation in floating point: an untrusted direction, never a proof."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verifier.network.approx_jacobian import FloatSlopes
from verifier.network.forward import gathered
from verifier.network.network import Array, Network
from verifier.network.reverse import Reverse


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


class _Summed(Reverse[Array]):
    """Derivatives of one number, summed over the samples where a value stands for all of them."""

    def by_samples(self, value: Array, slope: Array) -> Array:
        """Return a derivative, summed over the samples where the value has one row for all."""
        return slope.sum(axis=0, keepdims=True) if len(value) == 1 < len(slope) else slope

    def by_weights(self, slope: Array, patches: Array) -> Array:
        """Return the derivative by the weights, summed over samples and positions at once."""
        whole = np.broadcast_to(patches, (len(slope), *patches.shape[1:]))
        found: Array = np.tensordot(slope[:, 0], whole, axes=((0, 2), (0, 1)))
        return found[None, None]


@np.errstate(all="ignore")
def approx_gradient(
    network: Network,
    u: Array,
    v: Array,
    inputs: Array,
    labels: NDArray[np.int64],
    multiplicities: NDArray[np.int64],
    offset: Array | None = None,
) -> Gradient:
    """Evaluate Phi and its gradient at ``(U, V)``; approximate.

    Parameters
    ----------
    network, u, v
        The point: U of shape ``(p,)``, V of shape ``(M, m)``.
    inputs, labels, multiplicities
        Samples ``(N, d)``, classes ``(N,)``, how often each sample counts ``(N,)``.
    offset
        Frozen logits ``(N, m)`` that are added to Psi V; None: none.

    Returns
    -------
    Gradient
        An untrusted direction, never a proof; not finite where something overflows.
    """
    reverse = _Summed(FloatSlopes(network.views(u), inputs))
    values = network.evaluate(reverse)
    psi = gathered(network, {node: traced.value for node, traced in values.items()}, len(inputs))
    share = multiplicities / multiplicities.sum()
    logits = psi @ v if offset is None else psi @ v + offset
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(-(share * np.log(p[rows, labels])).sum())
    p[rows, labels] -= 1.0
    residual = p * share[:, None]
    reverse.begin(network, values, (residual @ v.T)[:, None])
    reverse.backward()
    du = np.zeros_like(u)
    for name, view in network.views(du).items():
        traced = reverse.parameters.get(name)
        if traced is not None and traced.slope is not None:
            view[...] = traced.slope.reshape(view.shape)
    return Gradient(loss, du, psi.T @ residual)
