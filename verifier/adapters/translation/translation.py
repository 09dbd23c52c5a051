"""The operations that frameworks share, each of which adds the nodes that it needs: `Translation`."""

from __future__ import annotations

import numpy as np

from verifier.adapters.translation.base import floats
from verifier.adapters.translation.head import Head
from verifier.adapters.translation.values import Batch, Known, Refused, Tensor
from verifier.network.network import Array
from verifier.network.nodes import Parameter


class Translation(Head):
    """A graph in the making, from a framework's operations on tensors with a batch axis.

    Every method takes and returns values; what it cannot state it refuses by `Refused`. Operations on `Known` values
    alone are computed at once only where the result is exact (moves, integers, comparisons); a front end computes the
    others itself, as its framework does. An axis may be negative.

    Parameters
    ----------
    input_shape : tuple of int
        The shape of one sample.
    samples : int
        The number of samples in the example, at least 2 where the front end may choose.
    """

    def input(self) -> Tensor:
        """The samples, of shape ``(samples, *input_shape)``."""
        return Tensor(0, (self.samples, *self.build.shapes[0]), Batch(0))

    def parameter(self, name: str, values: Array) -> Tensor:
        """A trained parameter with its values; the same node again for the same name.

        Raises
        ------
        Refused
            The name is taken by a parameter with other values; a value is not finite.
        """
        found = floats(values)
        if not np.isfinite(found).all():
            raise Refused(f"parameter {name!r} has values that are not finite")
        if name in self.start:
            if not np.array_equal(self.start[name], found):
                raise Refused(f"two parameters are called {name!r}")
        self.start[name] = found
        fan_in = found[0].size if found.ndim > 1 else 0
        return Tensor(self.emit(Parameter(name=name, size=found.shape, fan_in=fan_in)), found.shape)


__all__ = ["Known", "Tensor", "Translation"]
