"""What an arithmetic must say beside its operations, so that derivatives can be accumulated in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from verifier.errors import VerifierError
from verifier.network.arithmetic import Arithmetic
from verifier.sigma.activations import Activation

T = TypeVar("T")


class NotSmooth(VerifierError):
    """The features are not known to be continuously differentiable where a derivative is asked for."""


class Differentiable(ABC, Generic[T]):
    """An arithmetic, and the derivatives of what it computes that are no formula in its operations."""

    ops: Arithmetic[T]

    @abstractmethod
    def rate(self, x: T, sigma: Activation) -> T:
        """An activation's derivative, entry by entry; `NotSmooth` where it may have a kink."""

    @abstractmethod
    def attained(self, x: T) -> T:
        """One where the maximum over the last axis is, and zeros; `NotSmooth` where two entries may be the largest."""
