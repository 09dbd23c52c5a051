"""Directions in parameter space, normalised by filter (Li et al., NeurIPS 2018).

The parameters fall into blocks: a dense unit's incoming weights with its bias, a filter with its biases, a class's
output weights (a column of V). A direction is filter-normalised if its part in every block has the norm of the block's
parameters: a step of 1 then moves every unit by its own size, whatever the scale of the parametrisation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from verifier.errors import InputError
from verifier.network.initialise import portable_gaussian
from verifier.network.network import Array, Network

Direction = tuple[Array, Array]
"""A direction ``(dU, dV)`` of the shapes of U, ``(p,)``, and V, ``(M, m)``."""

SLICES = 4_000_037
"""Stream of the random directions."""


def random_direction(network: Network, classes: int, seed: int = 0) -> Direction:
    """Draw a Gaussian direction, the same on every machine.

    Parameters
    ----------
    network
        The network, with p hidden parameters and M skip units.
    classes
        The number m of classes.
    seed
        Of the random generator.

    Returns
    -------
    (ndarray, ndarray)
        ``(dU, dV)`` of shapes ``(p,)`` and ``(M, m)``, not normalised.
    """
    count = network.parameter_count
    draws = portable_gaussian(seed, (SLICES,), count + network.skip_count * classes)
    return draws[:count], draws[count:].reshape(network.skip_count, classes)


def filter_normalised(network: Network, u: Array, v: Array, direction: Direction) -> Direction:
    """Scale each block of a direction to the norm of the same block of the parameters.

    Parameters
    ----------
    network, u, v
        The point, U of shape ``(p,)``, V of shape ``(M, m)``.
    direction
        ``(dU, dV)`` of the same shapes.

    Returns
    -------
    (ndarray, ndarray)
        New arrays. A block of the direction that is 0 stays 0.

    Raises
    ------
    InputError
        If shapes do not fit or a number is not finite.
    """
    du, dv = checked(direction, u, v, "direction")
    du, dv = du.copy(), dv.copy()
    for indices in _blocks(network):
        du[indices] = _resized(du[indices], u[indices])
    for k in range(v.shape[1]):
        dv[:, k] = _resized(dv[:, k], v[:, k])
    return du, dv


def _blocks(network: Network) -> list[NDArray[np.int64]]:
    """Indices into U of every unit's (filter's) incoming weights and biases, or of every other array."""
    names = () if network.layered is None else network.layered.names
    known = {view.name: view for view in network.parameters}
    units = {name for pair in names for name in pair}
    pairs = [[known[name] for name in pair] for pair in names if pair]
    out = []
    for parts in [*pairs, *([view] for view in known.values() if view.name not in units)]:
        leaders = parts[0].spec.shape[0] if parts[0].spec.fan_in else 1
        tables = [np.arange(p.offset, p.offset + p.spec.size, dtype=np.int64).reshape(leaders, -1) for p in parts]
        out += list(np.concatenate(tables, axis=1))
    return out


def _resized(direction: Array, parameters: Array) -> Array:
    size = float(np.linalg.norm(direction))
    return direction * (float(np.linalg.norm(parameters)) / size) if size > 0 else direction


def checked(direction: Direction, u: Array, v: Array, name: str) -> Direction:
    """A direction as arrays of the shapes of U and V; an `InputError` names what is wrong with it."""
    if not (isinstance(direction, tuple) and len(direction) == 2):
        raise InputError(f"{name} must be a pair (dU, dV) of arrays of the shapes of U and V")
    du, dv = (np.asarray(part, dtype=np.float64) for part in direction)
    if du.shape != u.shape or dv.shape != v.shape:
        raise InputError(f"{name} has shapes {du.shape} and {dv.shape}; U and V have {u.shape} and {v.shape}")
    if not (np.isfinite(du).all() and np.isfinite(dv).all()):
        raise InputError(f"{name} contains NaN or infinity; give finite numbers")
    return du, dv
