r"""The leg of E4 on which merged samples part: U moves on a line, and V(t) keeps every logit.

With M(t) the matrix of Newton's divided differences (see `verifier.landscape.escape_separate`), R the certified right
inverse of all M(t) and E the rows (G_A, 0, ..., 0) of the groups,

.. math:: V(t) = R\,(M(t) R)^{-1} E

is continuous on [0, 1], because M(t) R stays close to the identity, and Psi(U(t)) V(t) has the start's logits: for
t > 0 the divided differences are invertible combinations of the rows of Psi, and at t = 0 they are its Hermite form.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np
from flint import arb, arb_mat

from verifier.balls.activation import arb_kernel
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.margins import Margins
from verifier.balls.motion import Motion
from verifier.balls.precision import working_precision
from verifier.balls.series import taylor
from verifier.display import Brief
from verifier.errors import InputError
from verifier.landscape.legs import ball_of, between, combination, exact_midpoints
from verifier.network.layered import NOT_LAYERED
from verifier.network.layers import Dense
from verifier.network.network import Array, Network
from verifier.network.units import DenseUnits, dense_units

FIRST, LAST = 256, 1 << 14
"""Precisions of V(t) in bits: close samples need more, since divided differences cancel."""
CLOSE = -80
"""V(t) is known when its error is below 2^CLOSE of its largest entry."""


@dataclass(frozen=True, slots=True, repr=False)
class Parting(Brief):
    """A line of lower weights from the start to ``end``, certified by a right inverse ``(M, N)`` of all M(t).

    ``groups`` are the merged samples, in the order of the right inverse's columns; ``gate`` is the layer and unit that
    all skip units read, ``read`` its place among what the ``last`` layer reads (its number, and the layer).
    """

    end: Array
    right_inverse: ExactArray
    pieces: int
    groups: tuple[tuple[int, ...], ...]
    gate: tuple[int, int]
    read: int
    last: tuple[int, Dense]


def wide_last_layer(network: Network, samples: int) -> tuple[int, Dense] | str:
    """The number of the dense layer that has all skip units, and the layer; or why the architecture does not fit E4.

    Parameters
    ----------
    network, samples
        The network, and how many skip units are needed: for E4 as many as samples, an output bias is none.

    Returns
    -------
    tuple of int and Dense, or str
        Guarantee: a layer is the only one with skip units, has at least so many, and is read by nothing.
    """
    if network.layered is None:
        return f"does not apply: {NOT_LAYERED}"
    index, units = network.skip_units[0]
    layer = network.layers[index]
    if len(network.skip_units) != 1 or not layer.dense:
        return "the skip units are not those of one dense layer"
    if any(index in sources for sources in network.sources):
        return f"layer {index}, which has the skip units, is read by another layer"
    if len(units) < samples:
        return (
            f"{len(units)} skip units, {samples} are needed"
            if network.output_bias
            else f"M = {len(units)} < N = {samples}"
        )
    return index, cast(Dense, layer)


def wide_last_units(network: Network, samples: int) -> DenseUnits | str:
    """The dense units of any network that are all of its features; or why the network does not fit E4.

    Parameters
    ----------
    network, samples
        The network, and how many units are needed.

    Returns
    -------
    DenseUnits or str
        Guarantee: units with weights and biases of their own are all columns of Psi, each once, but for an output bias;
        there are at least so many, and no node reads them.
    """
    features = network.features[: -1 if network.output_bias else None]
    units = dense_units(network).get(features[0].node) if len(features) == 1 else None
    if units is None:
        return "does not apply: the features are not the units of one dense layer with weights of their own"
    if any(units.node in node.reads for node in network.nodes):
        return f"does not apply: {network.title(units.node)}, which has the features, is read by another node"
    if len(units.skip) < samples:
        return f"{len(units.skip)} features, {samples} are needed"
    return units


@dataclass(frozen=True, repr=False)
class PartingLeg(Brief):
    """Merged samples part along the line from ``start_u`` to ``parting.end``, V(t) follows.

    ``weights`` are the start's V; all margins are ``kept``.
    """

    words: str
    network: Network
    start_u: Array
    inputs: Array
    weights: ExactArray
    parting: Parting
    kept: Margins

    @property
    def start_v(self) -> ExactArray:
        """Output weights at time 0, shape ``(M, m)``: where V can follow from."""
        return self.exact_v(Fraction(0))

    def u_at(self, t: Fraction) -> Array:
        """Hidden parameters at time ``t``: the exact combination, rounded once."""
        return between(self.start_u, self.parting.end, t)

    def v_at(self, t: Fraction) -> Array:
        """Output weights at time ``t``, rounded to nearest."""
        return combination([(Fraction(1), self.exact_v(t))])

    def margins_at(self, t: Fraction) -> Margins:
        """Enclosures of the margins: the start's, at every time.

        Guarantee: each ball contains the margin at the exact point of time ``t``.
        """
        return self.kept

    def exact_v(self, t: Fraction) -> ExactArray:
        """V(t), shape ``(M, m)``, to an error below ``2^CLOSE`` of its largest entry.

        Raises
        ------
        InputError
            If ``t`` is so close to 0 that this would take more than `LAST` bits.
        """
        bits = FIRST
        while bits <= LAST:
            with working_precision(bits):
                found = self._solve(t, bits)
                if found is not None:
                    return exact_midpoints(found)
            bits *= 2
        raise InputError(f"path time {float(t)} of the parting leg needs more than {LAST} bits; use 0 or a larger one")

    def _solve(self, t: Fraction, bits: int) -> list[list[arb]] | None:
        matrix = self._differences(t, bits)
        inverse = self.parting.right_inverse.arb_mat()
        try:
            solved = inverse * (matrix * inverse).solve(self._logits(bits))
        except ZeroDivisionError:
            return None
        rows = solved.tolist()
        largest = max(abs(value.mid()) for row in rows for value in row)
        worst = max(value.rad() for row in rows for value in row)
        close = worst.is_finite() and bool(worst <= largest * arb(2) ** CLOSE)
        return rows if close else None

    def _logits(self, bits: int) -> arb_mat:
        """The rows (G_A, 0, ..., 0): a group's logits at the start, and zeros for its further divided differences."""
        first = np.array([group[0] for group in self.parting.groups])
        features = FeatureEnclosure(self.network, self.start_u, self.inputs[first], bits)
        block = [row for _, part in features.blocks() for row in (part * self.weights.arb_mat()).tolist()]
        rows: list[list[arb]] = []
        for group, row in zip(self.parting.groups, block, strict=True):
            rows += [row, *[[arb(0)] * len(row) for _ in group[1:]]]
        return arb_mat(rows)

    def _differences(self, t: Fraction, bits: int) -> arb_mat:
        """M(t): for each group the divided differences of every column of Psi, as a function of the gate's value."""
        last, layer = self.parting.last
        units = list(self.network.skip_units[0][1])
        views = self.network.layer_views(self.start_u)
        weights = views[f"layer{last}.weight"][units, self.parting.read].tolist()
        biases = views[f"layer{last}.bias"][units].tolist()
        order = [i for group in self.parting.groups for i in group]
        motion = Motion(self.network, self.start_u, self.parting.end, self.inputs[order], bits)
        gate = motion.layer_jets(self.parting.gate[0], ball_of(t))[0]
        nodes, rows = iter([row[self.parting.gate[1]] for row in gate]), list[list[arb]]()
        kernel = arb_kernel(layer.activation)
        for group in self.parting.groups:
            at = [next(nodes) for _ in group]
            if t == 0:
                lines = [
                    taylor(layer.activation, [at[0] * w + b, arb(w), *[arb(0)] * len(at)][: len(at)])
                    for w, b in zip(weights, biases, strict=True)
                ]
            else:
                lines = [_newton([kernel(z * w + b) for z in at], at) for w, b in zip(weights, biases, strict=True)]
            lines += [differences_of_one(len(at))] * self.network.output_bias
            rows += [list(row) for row in zip(*lines, strict=True)]
        return arb_mat(rows)


def differences_of_one(count: int) -> list[arb]:
    """The divided differences of the constant 1, the column of an output bias, in a group of so many samples."""
    return [arb(int(order == 0)) for order in range(count)]


def _newton(values: list[arb], nodes: list[arb]) -> list[arb]:
    """The divided differences f[z_0], f[z_0, z_1], ... of a function with these values at these nodes."""
    table, found = values, [values[0]]
    for width in range(1, len(values)):
        table = [(table[i + 1] - table[i]) / (nodes[i + width] - nodes[i]) for i in range(len(table) - 1)]
        found.append(table[0])
    return found
