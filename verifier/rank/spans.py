r"""R5 on any graph: functions that span the columns of Psi, for every U at once; what comes out of a normalisation.

A *form* is a function of U and the sample of which nothing else is known. An entry of a node is a *multiple* of a form
z if it is ``c(U) z + o(U)`` with numbers c and o that do not depend on the sample: then its column lies in the span of
z and the constant 1, whatever U is. Gains, shifts, scales and moved entries make multiples from multiples; every other
node makes forms of its own.

A centred normalisation makes of each row forms :math:`\hat x_1, ..., \hat x_C` whose sum is 0 on every sample, for
every U and every epsilon: they span C - 1 dimensions at most. So with F forms among the columns, L of whose rows are
complete,

.. math:: \operatorname{rank} \Psi(U) \le F - L + [\text{some column is shifted, or constant}].

For a last layer normalisation with gains and shifts on T positions, M = T C, this is M - T + 1; without shifts M - T;
with an output bias, which is in the span of the shifts, M - T for the M = T C + 1 columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from verifier.network.arithmetic import Arithmetic, Geometry, Places
from verifier.network.network import Array, Network
from verifier.network.windows import Shape
from verifier.sigma.activations import Activation

NO_FORM = -1
"""Of entries that are the same number on every sample."""


@dataclass(frozen=True, slots=True)
class Multiples:
    """A tensor of multiples: the number of each entry's form, and whether o(U) may differ from 0; both in its shape.

    ``varies``: whether the node depends on the sample.
    """

    forms: NDArray[np.int64]
    shifted: NDArray[np.bool_]
    varies: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """What the columns of Psi are multiples of: so many forms, complete ``rows`` of them, perhaps the constant.

    Guarantee: ``rank Psi(U) <= rank_at_most`` for every U at which Psi is defined.
    """

    forms: int
    rows: int
    constant: bool
    rank_at_most: int


def span_of_columns(network: Network, inputs: Array) -> Span:
    """Find functions that span the columns of Psi, for every U.

    Parameters
    ----------
    network, inputs
        Any network, and the samples, shape ``(N, d)``.

    Returns
    -------
    Span
        Guarantee: see there. Proof: at the top of this module.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> from verifier.network.blocks import LayerNorm
    >>> x = np.arange(12.0).reshape(4, 3)
    >>> span_of_columns(vf.Network(3, [LayerNorm(skip=True)]), x).rank_at_most
    3
    >>> span_of_columns(vf.Network(3, [LayerNorm(skip=True)], output_bias=True), x).rank_at_most
    3
    """
    ops = _Spans(inputs)
    values = network.evaluate(ops)
    forms, shifted = set[int](), False
    for feature in network.features:
        value = values[feature.node]
        entries = slice(None) if feature.entries is None else list(feature.entries)
        forms.update(value.forms.ravel()[entries].tolist())
        shifted = shifted or bool(value.shifted.ravel()[entries].any())
    forms.discard(NO_FORM)
    rows = sum(row <= forms for row in map(set, ops.rows))
    return Span(len(forms), rows, shifted, min(network.columns, len(forms) - rows + int(shifted)))


@dataclass
class _Spans(Arithmetic[Multiples]):
    """The arithmetic of multiples; ``rows`` has the forms of every centred row."""

    inputs: Array
    made: int = 0
    rows: list[list[int]] = field(default_factory=list)

    def shape(self, value: Multiples) -> Shape:
        return value.forms.shape

    def _new(self, shape: Shape, *parts: Multiples) -> Multiples:
        """Forms of their own; none if there are parts and none of them depends on the sample."""
        if parts and not any(part.varies for part in parts):
            return self._constant(shape)
        count = math.prod(shape)
        forms = np.arange(self.made, self.made + count).reshape(shape)
        self.made += count
        return Multiples(forms, np.zeros(shape, dtype=bool))

    def _constant(self, shape: Shape) -> Multiples:
        return Multiples(np.full(shape, NO_FORM), np.ones(shape, dtype=bool), False)

    def input(self, shape: Shape) -> Multiples:
        found, known = self._new(shape), dict[bytes, int]()
        forms, shifted = found.forms.ravel(), found.shifted.ravel()
        for place, column in enumerate(self.inputs.T + 0.0):
            if (column == column[0]).all():
                forms[place], shifted[place] = NO_FORM, True
            else:  # coordinates that agree on every sample are one form
                forms[place] = known.setdefault(column.tobytes(), int(forms[place]))
        return Multiples(forms.reshape(shape), shifted.reshape(shape))

    def parameter(self, name: str, shape: Shape) -> Multiples:
        return self._constant(shape)

    def constant(self, values: Array) -> Multiples:
        return self._constant(values.shape)

    def affine(
        self, geometry: Geometry, sources: Sequence[Multiples], weight: Multiples, bias: Multiples | None
    ) -> Multiples:
        return self._new(geometry.shape, *sources)

    def map(self, x: Multiples, sigma: Activation) -> Multiples:
        return self._new(x.forms.shape, x)

    def add(self, a: Multiples, b: Multiples) -> Multiples:
        """Multiples of one form, or a multiple and a number, are a multiple."""
        first, second = np.broadcast_arrays(a.forms, b.forms)
        one = (first == second) | (first == NO_FORM) | (second == NO_FORM)
        return self._where(one, np.maximum(first, second), a.shifted | b.shifted, a, b)

    def multiply(self, a: Multiples, b: Multiples) -> Multiples:
        """A multiple times a number is a multiple."""
        first, second = np.broadcast_arrays(a.forms, b.forms)
        one = (first == NO_FORM) | (second == NO_FORM)
        shifted = np.where(first == NO_FORM, b.shifted, a.shifted)
        return self._where(one, np.maximum(first, second), shifted, a, b)

    def _where(
        self, one: NDArray[np.bool_], forms: NDArray[np.int64], shifted: NDArray[np.bool_], *parts: Multiples
    ) -> Multiples:
        """These multiples where ``one``, elsewhere forms of their own."""
        own = forms if one.all() else np.where(one, forms, self._new(forms.shape).forms)
        return Multiples(own, shifted & one, any(part.varies for part in parts))

    def scale(self, x: Multiples, factor: Fraction, *, root: bool = False) -> Multiples:
        return x

    def gather(self, sources: Sequence[Multiples], places: Places) -> Multiples:
        forms = np.concatenate([source.forms.ravel() for source in sources])
        shifted = np.concatenate([source.shifted.ravel() for source in sources])
        return Multiples(forms[places], shifted[places], any(source.varies for source in sources))

    def contract(self, a: Multiples, b: Multiples, *, transposed: bool = False) -> Multiples:
        lead = tuple(np.broadcast_shapes(a.forms.shape[:-2], b.forms.shape[:-2]))
        return self._new((*lead, a.forms.shape[-2], b.forms.shape[-2 if transposed else -1]), a, b)

    def total(self, x: Multiples) -> Multiples:
        return self._new(x.forms.shape[:-1], x)

    def largest(self, x: Multiples) -> Multiples:
        return self._new(x.forms.shape[:-1], x)

    def inverse_root(self, x: Multiples, epsilon: Fraction) -> Multiples:
        return self._new(x.forms.shape, x)

    def softmax(self, x: Multiples, mask: Multiples | None) -> Multiples:
        return self._new(x.forms.shape, x) if mask is None else self._new(x.forms.shape, x, mask)

    def normalise(self, x: Multiples, epsilon: Fraction, *, centre: bool) -> Multiples:
        found = self._new(x.forms.shape, x)
        if centre and found.varies:
            self.rows += found.forms.reshape(-1, x.forms.shape[-1]).tolist()
        return found

    def gate(self, z: Multiples, a: Multiples, b: Multiples) -> Multiples:
        shape = tuple(np.broadcast_shapes(z.forms.shape, a.forms.shape, b.forms.shape))
        return self._new(shape, z, a, b)

    def embed(self, tokens: Multiples, table: Multiples) -> Multiples:
        return self._new((*tokens.forms.shape, *table.forms.shape[1:]), tokens, table)

    def attend(self, q: Multiples, k: Multiples, v: Multiples, square: Fraction, mask: Multiples | None) -> Multiples:
        lead = tuple(np.broadcast_shapes(q.forms.shape[:-2], k.forms.shape[:-2], v.forms.shape[:-2]))
        parts = (q, k, v) if mask is None else (q, k, v, mask)
        return self._new((*lead, q.forms.shape[-2], v.forms.shape[-1]), *parts)
