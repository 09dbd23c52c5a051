"""The Jacobian of the logits in plain floating point: what steps are proposed from, never a proof."""

from __future__ import annotations

import numpy as np

from verifier.network.derivatives import derivatives
from verifier.network.differentiable import Differentiable
from verifier.network.forward import FloatArithmetic
from verifier.network.network import Array, Network
from verifier.sigma.activations import Activation
from verifier.sigma.kernels import approx_numpy_derivative


class FloatSlopes(Differentiable[Array]):
    """NumPy's arithmetic; at a kink the derivative is that of one side."""

    def __init__(self, views: dict[str, Array], inputs: Array) -> None:
        """Take the parameters' values by name, and the samples, (n, d)."""
        self.ops = FloatArithmetic(views, inputs)

    def rate(self, x: Array, sigma: Activation) -> Array:
        """The activation's derivative by its NumPy kernel, entry by entry."""
        found: Array = approx_numpy_derivative(sigma)(x)
        return found

    def attained(self, x: Array) -> Array:
        """Mark with 1 the first of the largest entries of each row."""
        found = np.zeros_like(x)
        np.put_along_axis(found, x.argmax(axis=-1, keepdims=True), 1.0, axis=-1)
        return found


@np.errstate(all="ignore")
def approx_jacobian(network: Network, u: Array, v: Array, inputs: Array) -> tuple[Array, Array]:
    """Evaluate Psi V and its derivatives by U and V; approximate.

    Parameters
    ----------
    network, u, v
        The point: U of shape ``(p,)``, V of shape ``(M, m)``.
    inputs
        Samples ``(N, d)``.

    Returns
    -------
    (ndarray, ndarray)
        ``Psi V``, ``(N, m)``, and the Jacobian, ``(N m, p + M m)``: row ``i m + k`` for output k of sample i; the
        columns are U's numbers in order, then V's in C order.
    """
    count, outputs = len(inputs), v.shape[1]
    psi, slopes = derivatives(network, FloatSlopes(network.views(u), inputs), v.T[None])
    psi = np.broadcast_to(psi, (count, len(v)))
    found = np.zeros((count, outputs, len(u) + v.size))
    for view in network.parameters:
        if view.name in slopes:
            size = view.spec.size
            found[:, :, view.offset : view.offset + size] = slopes[view.name].reshape(-1, outputs, size)
    by_v = found[:, :, len(u) :].reshape(count, outputs, len(v), outputs)
    for k in range(outputs):
        by_v[:, k, :, k] = psi
    return psi @ v, found.reshape(count * outputs, -1)
