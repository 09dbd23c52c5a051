"""Random parameters, identical on every machine for the same seed.

NumPy's own Gaussian sampler may differ in the last bit between platforms (it calls the C library's ``log`` and
``exp``). Here Gaussians come from Marsaglia's polar method over raw PCG64 integers, with a logarithm made of + - * /
alone, and are rounded to binary32, the precision real networks are stored in (it also makes certificates half as
large). IEEE-754 fixes every one of these operations, so every machine gets the same bits.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from verifier.errors import NetworkError, nearest, one_line
from verifier.network.network import Array, Network

Init = Literal["gaussian", "zeros", "cloned", "constant-unit"]
INITS: tuple[Init, ...] = ("gaussian", "zeros", "cloned", "constant-unit")

_OUTPUT_STREAM = 1_000_003
"""A stream that no layer has: hidden parameters draw from streams named by their layer's index."""
_LN2_HI, _LN2_LO = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
# Coefficients of log((1+s)/(1-s)) = 2s + 2s^3/3 + ..., rounded: only determinism matters, accuracy is about 1e-16.
_ATANH_SERIES = [2.0 / (2 * k + 1) for k in range(1, 14)]


def _portable_log(x: Array) -> Array:
    """Natural logarithm of positive normal numbers from + - * / only: about 2 ulp, the same bits everywhere."""
    mantissa, exponent = np.frexp(x)
    small = mantissa < 0.7071067811865476
    mantissa = np.where(small, mantissa * 2.0, mantissa)
    k = (exponent - small).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    r = np.zeros_like(z)
    for coefficient in reversed(_ATANH_SERIES):
        r = (r + coefficient) * z
    return k * _LN2_HI + (2.0 * s + (s * r + k * _LN2_LO))


def portable_gaussian(seed: int, stream: tuple[int, ...], count: int) -> Array:
    """Draw ``count`` standard normal numbers, each exactly representable in binary32.

    Parameters
    ----------
    seed
        Non-negative integer.
    stream
        Names an independent stream for this seed.
    count
        Number of draws.

    Returns
    -------
    ndarray of shape (count,)
        The same bits on every machine.
    """
    bits = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=stream))
    draws = np.empty(count, dtype=np.float32)
    have = 0
    while have < count:
        # Accepts a fraction pi/4 of the pairs; every pair gives two numbers. The chunk size is part of the definition.
        pairs = 4096
        raw = bits.random_raw(2 * pairs)
        uniform = (raw >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0
        a, b = uniform[:pairs], uniform[pairs:]
        square = a * a + b * b
        inside = (square > 0.0) & (square < 1.0)
        a, b, square = a[inside], b[inside], square[inside]
        factor = np.sqrt(-2.0 * _portable_log(square) / square)
        chunk = np.stack([a * factor, b * factor], axis=1).reshape(-1)
        taken = chunk[: count - have]
        draws[have : have + len(taken)] = taken
        have += len(taken)
    return draws.astype(np.float64)


def _check_scale(scale: float, name: str) -> None:
    if not isinstance(scale, int | float | np.integer | np.floating) or not (scale == 0.0 or 1e-30 <= scale <= 1e30):
        raise NetworkError(f"{name} = {one_line(scale)} must be 0 or in 1e-30..1e30")


def _check_seed(seed: object) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise NetworkError(f"seed = {one_line(seed)} must be an integer, so that every machine draws the same")
    if seed < 0:
        raise NetworkError(f"seed = {seed} must not be negative")


def _check_network(network: object) -> None:
    if not isinstance(network, Network):
        raise NetworkError(f"network = {one_line(network)} is no Network; make one: Network(input_shape, layers)")


def _scaled(draws: Array, scale: float) -> Array:
    return (draws * scale).astype(np.float32).astype(np.float64)


def initialise(
    network: Network,
    init: Init = "gaussian",
    *,
    seed: int = 0,
    scale: float = 1.0,
    fan_in: bool = False,
    units: int | None = None,
) -> Array:
    """Draw hidden parameters U, ``(p,)``, from a seed.

    Parameters
    ----------
    network : Network
        The network.
    init : str, optional
        ``gaussian``: all weights and biases N(0, scale^2). ``zeros``: all zero. ``cloned``: Gaussian, then in every
        layer the last ``units`` units (filters) copy the incoming weights and bias of the first ones.
        ``constant-unit``: Gaussian, then in every layer the first ``units`` units (filters) get zero incoming weights.
    seed, scale : int, float, optional
        Seed and standard deviation.
    fan_in : bool, optional
        Divide the weights' (not the biases') standard deviation by the square root of the fan-in.
    units : int, optional
        For ``cloned`` and ``constant-unit``; default half of each layer.

    Returns
    -------
    ndarray of shape (p,)
        The same bits on every machine.

    Raises
    ------
    NetworkError
        On an unknown ``init``, a scale that is not finite and >= 0, a negative seed, or ``units`` out of range.

    Examples
    --------
    >>> from verifier import Dense, Network, initialise
    >>> network = Network(2, [Dense(3, "tanh", skip=True)])
    >>> initialise(network, seed=1).shape
    (9,)
    >>> initialise(network, "zeros").any()
    np.False_
    """
    if init not in INITS:
        raise NetworkError(f"init = {one_line(init)} is unknown; {nearest(str(init), INITS)}")
    _check_network(network)
    _check_scale(scale, "scale")
    _check_seed(seed)
    if units is not None and (isinstance(units, bool) or not isinstance(units, int | np.integer)):
        raise NetworkError(f"units = {one_line(units)} must be an integer, or None for half of each layer")
    u = np.zeros(network.parameter_count)
    if init == "zeros":
        return u
    for view in network.parameters:
        bias = view.spec.fan_in == 0
        std = scale if bias or not fan_in else scale / math.sqrt(view.spec.fan_in)
        stream = view.stream
        view.of(u)[...] = _scaled(portable_gaussian(seed, stream, view.spec.size), std).reshape(view.spec.shape)
    for view in network.parameters:
        part = np.atleast_1d(view.of(u))
        leaders = len(part)
        count = leaders // 2 if units is None else units
        if not 0 <= count <= leaders or (
            init == "cloned" and 2 * count > leaders and units is not None and leaders > 1
        ):
            raise NetworkError(f"units = {units} does not fit a layer of {leaders} units (cloned: at most half)")
        if init == "cloned" and count:
            part[leaders - count :] = part[:count]
        if init == "constant-unit" and view.spec.fan_in:
            part[:count] = 0.0
    return u


def output_weights(
    network: Network, classes: int, kind: str = "gaussian", *, seed: int = 0, scale: float = 1.0
) -> Array:
    """Draw output weights V, ``(M, classes)``, from a seed.

    Parameters
    ----------
    network : Network
        The network, with M skip units.
    classes : int
        The number m of classes, at least 2.
    kind : "gaussian" or "zeros", optional
        N(0, scale^2), or all zero.
    seed, scale : int, float, optional
        Seed and standard deviation.

    Returns
    -------
    ndarray of shape (M, m)
        The same bits on every machine.

    Raises
    ------
    NetworkError
        On an unknown ``kind``, fewer than two classes, or a scale that is not 0 or in 1e-30..1e30.

    Examples
    --------
    >>> from verifier import Dense, Network, output_weights
    >>> output_weights(Network(2, [Dense(3, "tanh", skip=True)]), classes=2, seed=1).shape
    (3, 2)
    """
    _check_network(network)
    _check_scale(scale, "output_scale")
    _check_seed(seed)
    if isinstance(classes, bool) or not isinstance(classes, int | np.integer) or classes < 2:
        raise NetworkError(f"classes = {one_line(classes)} must be an integer of at least 2")
    shape = (network.skip_count, classes)
    if kind == "zeros":
        return np.zeros(shape)
    if kind != "gaussian":
        raise NetworkError(f"output = {kind!r} is unknown; use gaussian or zeros")
    return _scaled(portable_gaussian(seed, (_OUTPUT_STREAM,), shape[0] * shape[1]), scale).reshape(shape)
