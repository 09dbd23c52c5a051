"""What the public functions are given beside a network: hidden parameters, samples, labels, counts; through the gate.

Every public function that takes such arrays calls these first, so that each is exact or refused in one line, whichever
function it is given to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.data.gate import binary64, integers
from verifier.errors import DataError, NetworkError
from verifier.network.network import Array, Network

BoolArray = NDArray[np.bool_]


def given_parameters(network: Network, u: Any, what: str = "u") -> Array:
    """Take hidden parameters, shape (p,).

    Parameters
    ----------
    network : Network
        The network, with p parameters.
    u : array-like of shape (p,)
        Weights and biases, layer by layer.
    what : str, optional
        Its name in messages.

    Returns
    -------
    ndarray of shape (p,), float64
        Guarantee: the array has exactly the numbers of ``u``, all finite.

    Raises
    ------
    DataError, NetworkError
        They are not such numbers, or of another shape.
    """
    values = _floats(u, what)
    if values.shape != (network.parameter_count,):
        raise NetworkError(
            f"{what}: shape {values.shape}; this network has p = {network.parameter_count} parameters: give a flat "
            f"array of shape ({network.parameter_count},), weights and biases layer by layer, such as "
            "initialise(network)"
        )
    return values


def given_output(network: Network, v: Any, classes: int, what: str = "v") -> Array:
    """Take output weights, shape (M, m).

    Guarantee: the array has exactly the numbers of ``v``, all finite.

    Parameters
    ----------
    network : Network
        With M skip units.
    v : array_like of shape (M, m)
        Any finite numbers.
    classes : int
        m.
    what : str, optional
        Their name in messages.

    Returns
    -------
    ndarray of shape (M, m)
        The numbers.

    Raises
    ------
    DataError, NetworkError
        They are not such numbers, or of another shape.
    """
    values = _floats(v, what)
    expected = (network.skip_count, classes)
    if values.shape != expected:
        raise NetworkError(
            f"{what}: shape {values.shape}, expected {expected}: a row per skip unit, a column per class"
        )
    return values


def given_arcs(arcs: Any, v: Array) -> BoolArray:
    """Take which columns of Psi are connected to which outputs, shape (M, m).

    Parameters
    ----------
    arcs : array-like of shape (M, m)
        Truth values, or zeros and ones.
    v : ndarray of shape (M, m)
        Output weights, which must be 0 where there is no arc.

    Returns
    -------
    ndarray of shape (M, m), bool
        Guarantee: those that were given; every output has an arc, and V is 0 elsewhere.

    Raises
    ------
    DataError, NetworkError
        They are not such values, or V is not 0 elsewhere.
    """
    found = np.asarray(arcs)
    if found.dtype != np.dtype(bool):
        numbers = _floats(arcs, "arcs")
        if not np.isin(numbers, (0, 1)).all():
            other = numbers[~np.isin(numbers, (0, 1))].flat[0]
            raise NetworkError(
                f"arcs: {other} is neither true nor false, 0 nor 1; one for each column of Psi and class"
            )
        found = numbers == 1
    if found.shape != v.shape:
        raise NetworkError(
            f"arcs: shape {found.shape}, expected {v.shape}: a row per column of Psi, a column per class"
        )
    bare = np.flatnonzero(~found.any(axis=0))
    if bare.size:
        raise NetworkError(f"arcs: no column of Psi is connected to output {bare[0]}; give it an arc")
    wrong = np.argwhere((v != 0.0) & ~found)
    if wrong.size:
        row, column = wrong[0].tolist()
        raise NetworkError(f"v: entry ({row}, {column}) is {v[row, column]}, but there is no arc; set it to 0")
    return found.copy()


def given_inputs(network: Network, inputs: Any, what: str = "inputs") -> Array:
    """Take samples, shape (N, d) with the network's d and N >= 1.

    Parameters
    ----------
    network : Network
        The network, which reads d coordinates.
    inputs : array-like of shape (N, d)
        The samples.
    what : str, optional
        Its name in messages.

    Returns
    -------
    ndarray of shape (N, d), float64
        Guarantee: the array has exactly the numbers of ``inputs``, all finite.

    Raises
    ------
    DataError, NetworkError
        They are not such numbers, or of another shape.
    """
    values = _floats(inputs, what)
    if values.ndim != 2 or values.shape[1] != network.dimension:
        raise NetworkError(
            f"{what} have shape {values.shape}; the network reads d = {network.dimension} coordinates: give shape "
            f"(N, {network.dimension})"
        )
    return values


def given_labels(labels: Any, samples: int, classes: int) -> NDArray[np.int64]:
    """Take the classes 0..m-1 of N samples, shape (N,).

    Parameters
    ----------
    labels : array-like of shape (N,)
        A class for each sample.
    samples, classes : int
        N and m.

    Returns
    -------
    ndarray of shape (N,), int64
        Guarantee: integers from 0 to ``classes - 1``, those that were given.

    Raises
    ------
    DataError
        They are not.
    """
    found = integers(labels, "labels")
    if found.shape != (samples,):
        raise DataError(f"labels: shape {found.shape}, expected ({samples},), one class per sample")
    wrong = np.flatnonzero((found < 0) | (found >= classes))
    if wrong.size:
        where = int(wrong[0])
        raise DataError(f"labels: entry {where} is {found[where]}, outside 0..{classes - 1}; number the classes from 0")
    return found


def given_counts(multiplicities: Any, samples: int) -> list[int]:
    """Take how often each of N samples occurs.

    Parameters
    ----------
    multiplicities : array-like of shape (N,)
        How often each sample occurs.
    samples : int
        N.

    Returns
    -------
    list of int
        Guarantee: N integers of at least 1, those that were given.

    Raises
    ------
    DataError
        They are not.
    """
    found = integers(multiplicities, "multiplicities")
    if found.shape != (samples,) or (samples and found.min() < 1):
        raise DataError(f"multiplicities: they must be {samples} integers of at least 1, one per sample")
    counts: list[int] = found.tolist()
    return counts


def counted_labels(labels: NDArray[np.int64], classes: int, multiplicities: Any) -> NDArray[np.int64]:
    """Return how often each of N samples has each of m classes, (N, m), from labels (N,) and multiplicities (N,)."""
    counts = np.zeros((len(labels), classes), dtype=np.int64)
    counts[np.arange(len(labels)), labels] = multiplicities
    return counts


def given_label_counts(labels: Any, samples: int, classes: int, multiplicities: Any) -> NDArray[np.int64]:
    """Take the classes of N samples, shape (N,), or how often each has each class, shape (N, m), as the latter.

    Parameters
    ----------
    labels : array-like of shape (N,) or (N, m)
        A class for each sample; or label counts, whose rows add up to the multiplicities (X1).
    samples, classes : int
        N and m.
    multiplicities : array-like of shape (N,)
        How often each sample occurs.

    Returns
    -------
    ndarray of shape (N, m), int64
        Guarantee: what was given, as counts of at least 0; row i adds up to the multiplicity of sample i.

    Raises
    ------
    DataError
        They are no such numbers, or of another shape.
    """
    found, occurs = integers(labels, "labels"), given_counts(multiplicities, samples)
    if found.ndim < 2:
        return counted_labels(given_labels(found, samples, classes), classes, occurs)
    if found.shape != (samples, classes) or found.min() < 0 or [sum(row) for row in found.tolist()] != occurs:
        raise DataError(
            f"labels: label counts of shape {found.shape} must be ({samples}, {classes}), not negative, and each row "
            "must add up to the sample's multiplicity"
        )
    return found


def given_seeds(seeds: Sequence[int] | Any, what: str = "seeds") -> list[int]:
    """Take seeds as a list of Python integers.

    Parameters
    ----------
    seeds : sequence of int
        Any integers.
    what : str, optional
        Its name in messages.

    Returns
    -------
    list of int
        Guarantee: the integers that were given.

    Raises
    ------
    DataError
        They are no integers, or of another shape than (n,).
    """
    found = integers(seeds, what)
    if found.ndim != 1:
        raise DataError(f"{what}: shape {found.shape}, expected (n,)")
    listed: list[int] = found.tolist()
    return listed


def _floats(values: Any, what: str) -> Array:
    """Through the gate, or as it is if it is a NumPy array of finite binary64 numbers already."""
    if type(values) is np.ndarray and values.dtype == np.dtype(np.float64) and np.isfinite(values).all():
        return values
    return binary64(values, what)
