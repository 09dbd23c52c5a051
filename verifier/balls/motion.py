r"""Psi and its derivative while the hidden parameters move on a straight segment, for a whole ball of times at once.

With ``U(t) = U0 + t (U1 - U0)`` the pre-activations of a layer are ``Z(t) = H(t) W(t) + b(t)`` and

.. math:: Z' = H' W + H W' + b', \qquad (\sigma(Z))' = \sigma'(Z)\, Z'.

Evaluated in ball arithmetic at a ball ``t`` this encloses every value that occurs for a time in the ball.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from flint import arb, arb_mat

from verifier.balls.activation import arb_kernel, tree_kernel
from verifier.balls.precision import working_precision
from verifier.display import Brief
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Array, Network
from verifier.network.windows import window_indices

Rows = list[list[arb]]


@dataclass(frozen=True, repr=False)
class Motion(Brief):
    """The straight segment from ``start`` to ``end`` (both of shape ``(p,)``, finite, exact), on samples ``(N, d)``."""

    network: Network
    start: Array
    end: Array
    inputs: Array
    precision: int

    def features(self, t: arb) -> Rows:
        """Rows of Psi(U(t)).

        Guarantee: each ball contains the exact value for every time in the ball ``t``.
        """
        return self._picked(self._evaluate(t, False), 0)

    def jets(self, t: arb) -> tuple[Rows, Rows]:
        """Rows of Psi(U(t)) and of its derivative in t.

        Guarantee: each ball contains the exact value for every time in the ball ``t``.
        """
        values = self._evaluate(t, True)
        return self._picked(values, 0), self._picked(values, 1)

    def layer_jets(self, layer: int, t: arb) -> tuple[Rows, Rows]:
        """All units of one layer and their derivatives in t.

        Guarantee: each ball contains the exact value for every time in the ball ``t``.
        """
        return self._evaluate(t, True)[layer]

    def _picked(self, values: list[tuple[Rows, Rows]], part: int) -> Rows:
        """The skip units of every sample."""
        picked = [(values[index][part], units) for index, units in self.network.skip_units]
        return [[v for rows, units in picked for v in _take(rows[i], units)] for i in range(len(self.inputs))]

    def _evaluate(self, t: arb, slopes: bool) -> list[tuple[Rows, Rows]]:
        with working_precision(self.precision):
            network = self.network
            first, last = network.views(self.start), network.views(self.end)
            x = self.inputs.tolist()
            inputs = [[arb(v) for v in row] for row in x]
            still = [[arb(0)] * len(row) for row in x] if slopes else []
            values: list[tuple[Rows, Rows]] = []
            for index, layer in enumerate(network.layers):
                parts = [(inputs, still) if s == "input" else values[int(s)] for s in network.sources[index]]
                z = _join([part[0] for part in parts])
                dz = _join([part[1] for part in parts]) if slopes else []
                values.append(_layer(network, index, layer, z, dz, first, last, t))
            return values


def _take(row: list[arb], units: tuple[int, ...]) -> list[arb]:
    return row if len(units) == len(row) else [row[unit] for unit in units]


def _join(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    return [[v for piece in row for v in piece] for row in zip(*parts, strict=True)]


def _between(first: Any, last: Any, t: arb) -> tuple[arb_mat, arb_mat]:
    """The transposed matrix ``first + t (last - first)`` and its derivative."""
    rows, columns = first.shape
    a = arb_mat(rows, columns, first.ravel().tolist()).transpose()
    b = arb_mat(rows, columns, last.ravel().tolist()).transpose()
    return a + (b - a) * t, b - a


def _layer(
    network: Network,
    index: int,
    layer: Dense | Conv | AvgPool,
    z: Rows,
    dz: Rows,
    first: dict[str, Array],
    last: dict[str, Array],
    t: arb,
) -> tuple[Rows, Rows]:
    sources = network.source_shapes(index)
    shape = (sum(s[0] for s in sources), *sources[0][1:])
    if isinstance(layer, AvgPool):
        return _pool(layer, shape, z), _pool(layer, shape, dz)
    if isinstance(layer, Dense):
        windows = [list(range(len(z[0])))]
    else:
        windows = window_indices(shape, layer.kernel, layer.steps, layer.padding)
        if layer.padding:  # windows in the padding read this exact zero, which does not move
            z, dz = [[*row, arb(0)] for row in z], [[*row, arb(0)] for row in dz]
    filters, names = network.shapes[index][0], (f"layer{index}.weight", f"layer{index}.bias")
    weight, dweight = _between(first[names[0]].reshape(filters, -1), last[names[0]].reshape(filters, -1), t)
    bias, dbias = _between(first[names[1]].reshape(filters, -1), last[names[1]].reshape(filters, -1), t)
    patches = _patches(z, windows)
    pre = (patches * weight).tolist()
    kernel = arb_kernel(layer.activation)
    positions, tied = len(windows), bias.nrows() == 1
    order = [(f, p) for f in range(filters) for p in range(positions)]
    shifts = [bias[0 if tied else p, f] for f, p in order]
    values, slopes = [], []
    sums = [[pre[i * positions + p][f] + b for (f, p), b in zip(order, shifts, strict=True)] for i in range(len(z))]
    for row in sums:
        values.append([kernel(s) for s in row])
    if dz:
        derivative = tree_kernel(layer.activation.derivative_tree)
        moved = (_patches(dz, windows) * weight + patches * dweight).tolist()
        drifts = [dbias[0 if tied else p, f] for f, p in order]
        for i, row in enumerate(sums):
            rates = [moved[i * positions + p][f] + d for (f, p), d in zip(order, drifts, strict=True)]
            slopes.append([derivative(s) * r for s, r in zip(row, rates, strict=True)])
    return values, slopes


def _patches(rows: Rows, windows: list[list[int]]) -> arb_mat:
    return arb_mat([[row[j] for j in window] for row in rows for window in windows])


def _pool(layer: AvgPool, shape: tuple[int, ...], rows: Rows) -> Rows:
    plane = math.prod(shape[1:])
    windows = window_indices((1, *shape[1:]), layer.kernel, layer.steps)
    groups = [[c * plane + j for j in window] for c in range(shape[0]) for window in windows]
    return [[sum((row[j] for j in group), arb(0)) / len(group) for group in groups] for row in rows]
