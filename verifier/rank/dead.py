"""An open set of U on which the features are constant: with ReLU-like activations generic full rank fails.

An activation with a constant piece, such as ReLU on the negative numbers, is constant on a neighbourhood of weights and
samples at once. So the set of U with rank Psi(U) < N contains a box and has positive measure: it is no null set, which
is what analytic activations guarantee as soon as one U has full rank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, fmpz

from verifier.balls.activation import arb_kernel
from verifier.balls.exact import Dyadic, exactly
from verifier.balls.precision import working_precision
from verifier.network.network import Array, Network
from verifier.sigma.activations import Activation
from verifier.sigma.expressions import T
from verifier.sigma.piecewise import has_kinks, split

PRECISION = 128
"""Arb's working precision for the box, in bits."""

SMALLEST_EXPONENT = -120
"""Boxes with a radius below ``2^SMALLEST_EXPONENT`` are not tried."""

LARGEST = 10**300
"""Arguments beyond it are not tried: binary64 ends there."""


@dataclass(frozen=True, slots=True)
class DeadOpenSet:
    """A box of hidden parameters on which all features are constants.

    Guarantee: for every U' with ``max |U' - u| < radius`` every skip unit has one and the same value on all samples,
    and ``rank Psi(U') <= rank_at_most < N``.

    Parameters
    ----------
    u
        Centre of the box, shape ``(p,)``.
    radius
        In the maximum norm.
    rank_at_most
        1, or 0 if every feature vanishes: with an output bias always 1.
    explanation
        In words.
    """

    u: Array
    radius: float
    rank_at_most: int
    explanation: str


def dead_open_set(network: Network, inputs: Array) -> DeadOpenSet | None:
    """Find a box of U on which every skip unit is constant, by ball arithmetic.

    Parameters
    ----------
    network
        The network.
    inputs
        Samples, shape ``(N, d)``, finite.

    Returns
    -------
    DeadOpenSet or None
        Guarantee: see there. None if no box was found, for instance because no activation has a constant piece; it
        says nothing.

    Notes
    -----
    At the centre all weights vanish and the biases lie inside a constant piece of the activation. With radius r, a
    sample's pre-activation differs from the bias by at most ``r (1 + sum |z|)``, z the unit's sources. The samples are
    replaced by the box that contains them, and the activation is evaluated on the ball of all these pre-activations: if
    the result is a ball of radius 0, the activation is constant on it.
    """
    if network.layered is None:
        return None
    resting = [0.0 if layer.activation is None else _constant_point(layer.activation) for layer in network.layers]
    if len(inputs) < 1 or all(point is None for point in resting):
        return None
    biases = [point or 0.0 for point in resting]
    exponent = 0
    while exponent >= SMALLEST_EXPONENT:
        with working_precision(PRECISION):
            units = _units_on_box(network, inputs, biases, arb((fmpz(1), fmpz(exponent))))
        skip = [units[index][unit] for index, members in network.skip_units for unit in members]
        if all(value.is_exact() and value.is_finite() for value in skip):
            rank = int(network.output_bias or any(value != 0 for value in skip))
            return None if rank >= len(inputs) else _found(network, biases, math.ldexp(1.0, exponent), rank)
        exponent -= 1
    return None


def _found(network: Network, biases: Sequence[float], radius: float, rank: int) -> DeadOpenSet:
    u = np.zeros(network.parameter_count)
    for view in network.parameters:
        if view.spec.fan_in == 0:
            view.of(u)[...] = biases[network.layer_of(view)]
    size = exactly(Dyadic.of_float(radius))
    words = f"on the open box of radius {size} around U (weights 0, biases in a constant piece of the activation) "
    words += f"every skip unit is constant on all samples, so rank Psi <= {rank}: {{U: rank < N}} is no null set"
    return DeadOpenSet(u, radius, rank, words)


def _constant_point(activation: Activation) -> float | None:
    """A binary64 number inside a constant piece; whether it is one does not matter to the proof."""
    expression = activation.expression
    for piece in (split(expression) or ()) if has_kinks(expression) else ():
        if not piece.expression.has(T):
            lo, hi = piece.domain.lo, piece.domain.hi
            if isinstance(lo, Fraction) and isinstance(hi, Fraction):
                inside = (lo + hi) / 2
            else:
                inside = hi - 1 if isinstance(hi, Fraction) else lo + 1 if isinstance(lo, Fraction) else Fraction(0)
            return float(inside) if abs(inside) < LARGEST else None
    return None


def _units_on_box(network: Network, inputs: Array, biases: Sequence[float], radius: arb) -> list[list[arb]]:
    """Enclose every unit over all parameters within ``radius`` of the centre and over the box of the samples.

    Guarantee: the balls contain the units' values for all these parameters, on every sample.
    """
    box = radius * arb(0, 1)
    low, high = inputs.min(axis=0).tolist(), inputs.max(axis=0).tolist()
    samples = [arb(a).union(arb(b)) for a, b in zip(low, high, strict=True)]
    known: list[list[arb]] = []
    for index, layer in enumerate(network.layers):
        sources = [unit for s in network.sources[index] for unit in (samples if s == "input" else known[int(s)])]
        sources = [*sources, arb(0)] if layer.padding else sources  # what windows in the padding read
        windows = layer.windows(network.source_shapes(index))
        if layer.activation is None:
            known.append([sum((sources[j] for j in w), arb(0)) / len(w) for w in windows])
            continue
        kernel = arb_kernel(layer.activation)
        one = [kernel(arb(biases[index]) + box * (1 + sum((abs(sources[j]) for j in w), arb(0)))) for w in windows]
        known.append(one * layer.rows)
    return known
