"""What callers give to the engines, taken exactly or refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from verifier.balls.exact import ExactArray
from verifier.errors import DataError
from verifier.network.arguments import given_counts, given_labels


def given_weights(units: int, weights: Any, what: str, least: int = 2) -> ExactArray:
    """Take output weights, shape (M, m) with M = ``units`` and m >= ``least``.

    Guarantee: exactly the numbers that were given.

    Parameters
    ----------
    units : int
        M.
    weights : array_like of shape (M, m)
        Any finite numbers.
    what : str
        Their name in messages.
    least : int, optional
        The smallest m.

    Returns
    -------
    ExactArray of shape (M, m)
        The numbers.

    Raises
    ------
    DataError
        They are no such numbers, or of another shape.
    """
    found = ExactArray.of_floats(weights, what)
    if len(found.shape) != 2 or found.shape[0] != units or found.shape[1] < least:
        head = "; a head with one logit z is the head (0, z): numpy.hstack([0 * v, v])"
        one = head if found.shape == (units, 1) else ""
        raise DataError(f"{what}: V has shape {found.shape}; expected (M, m) with M = {units} and m >= {least}{one}")
    return found


def given_labelled(
    samples: int, units: int, weights: Any, labels: Any, multiplicities: Any, what: str = "start_weights"
) -> tuple[ExactArray, NDArray[np.int64], list[int]]:
    """Take output weights (M, m), labels (N,) and multiplicities (N,) with N = ``samples`` and M = ``units``.

    Guarantee: exactly the numbers that were given; the labels are among 0..m-1.

    Parameters
    ----------
    samples, units : int
        N and M.
    weights : array_like of shape (M, m)
        Any finite numbers.
    labels : array_like of shape (N,)
        Integers 0..m-1.
    multiplicities : array_like of shape (N,)
        How often each sample occurs, at least 1.
    what : str, optional
        The weights' name in messages.

    Returns
    -------
    (ExactArray of shape (M, m), ndarray of shape (N,), list of int)
        Weights, labels and multiplicities.

    Raises
    ------
    DataError
        One of them does not fit the others.
    """
    found = given_weights(units, weights, what)
    return found, given_labels(labels, samples, found.shape[1]), given_counts(multiplicities, samples)
