"""Samples that are not given: a statement is about every set of so many of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unseen:
    """Any N distinct samples of d real coordinates.

    Parameters
    ----------
    samples : int
        Their number N.
    dimension : int
        The number d of coordinates of a sample.
    name, scaling : str, optional
        For a certificate's header.
    classes : int, optional
        The same: nothing is said of labels, either.
    """

    samples: int
    dimension: int
    name: str = "every data set"
    scaling: str = "none"
    classes: int = 2
