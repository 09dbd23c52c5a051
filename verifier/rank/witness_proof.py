"""The thresholds of a witness, and the proof that its columns are close to a matrix whose inverse is known.

With thresholds between neighbouring values the columns are close to a triangular matrix T of limits (W1), or with
softplus to a matrix of ramps (W2): ``||T^-1 (Psi - T)||_inf <= q < 1`` proves rank N.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq
from numpy.typing import NDArray

from verifier.balls.activation import arb_kernel
from verifier.balls.exact import Dyadic, ExactArray, at_most, upper_float
from verifier.balls.stated import round_down
from verifier.data.samples import SampleSource
from verifier.display import Brief
from verifier.rank.monotone import Limits, monotone_limits
from verifier.rank.witness_columns import ColumnPlan, IntArray, limits_of, sharpness_of
from verifier.rank.witness_values import AscendingValues, Link, OrderedSamples, follow_link, power_above
from verifier.sigma.activations import Activation

STEEPNESS = 8
"""W2: the smallest gap is at least 8/g after scaling, so that q is about 4/8 log 2."""


ROUNDING_BITS = 6
"""Thresholds between chain values are rounded to 2^-6 of the smallest gap."""


FLOAT_BITS = 53
"""Bits of a bias, where that suffices: then the witness is a binary64 vector."""


MAX_DOUBLINGS = 200
"""An activation that is not near its limits at 2^200 is given up."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Block(Brief):
    """Columns of one layer: unit ``units[j]`` is ``sigma(weight h + biases[j])``, h the value of link ``links - 1``.

    ``node`` is the output of the layer.
    """

    node: int
    links: int
    weight: Dyadic
    units: IntArray
    biases: ExactArray


@dataclass(frozen=True, slots=True, eq=False)
class WitnessProof:
    """Chosen parameters and what is proved at them: ``sigma_N >= sigma_lower``, also within ``radius`` of each."""

    label: str
    chain: tuple[Link, ...]
    blocks: tuple[Block, ...]
    radius: Dyadic | None
    sigma_lower: Dyadic
    q: float


def certify_columns(source: SampleSource, plan: ColumnPlan, ordered: OrderedSamples) -> WitnessProof | str:
    """Choose and prove the parameters at the current working precision; or say why not.

    Guarantee: a proof implies that N columns of Psi are nonsingular at its parameters, and sigma_N >= its bound, by W1
    or W2.

    Parameters
    ----------
    source : SampleSource
        The samples, (N, d).
    plan : ColumnPlan
        Which units make the columns.
    ordered : OrderedSamples
        The samples in the order of <a, x>.

    Returns
    -------
    WitnessProof or str
        The parameters and bounds, or the reason.
    """
    values, chain = [AscendingValues(ordered.numbers, ordered.exponent)], list[Link]()
    for node, unit in plan.chain:
        link, balls = follow_link(plan.units[node], unit, values[-1])
        if not all(a < b for a, b in itertools.pairwise(balls)):
            return f"the chain's values in node {node} do not certainly ascend"
        chain.append(link)
        values.append(AscendingValues(balls=tuple(balls)))
    ramps, n = plan.label == "W2", source.samples
    activations = [plan.units[node].activation for node, _, _ in plan.blocks]
    limits = [limits_of(activation) for activation in activations]
    blocks, arguments, first = list[Block](), list[Arguments](), 0
    least = _wanted_arguments(plan, activations, limits)
    if least is None:
        return "the activation approaches its limits too slowly"
    for (node, links, units), limit in zip(plan.blocks, limits, strict=True):
        sign = 1 if limit is None or ramps or abs(limit.high) >= abs(limit.low) else -1
        block = _thresholds(values[links], node, links, units, sign, 4 * least, first, ramps)
        if block is None:
            return "the gaps between the values are not certainly above 0"
        blocks.append(block)
        arguments.append(arguments_of(values[links], block, first))
        first += units.size
    radius, error = None, arb(0)
    if all(links == 0 and plan.units[node].sources == (0,) for node, links, _ in plan.blocks):
        # |U' - U| <= radius in each parameter moves a pre-activation by at most radius (sum_k |x_k| + 1)
        size = arb((source.dimension, sum(source.extent))) + 1
        radius = round_down((arguments[0].gap / (16 * n) if ramps else least) / size, 8)
        error = radius.arb() * size
    if ramps:
        norm, distance = certify_ramps(sharpness_of(activations[0]) or Fraction(0), arguments[0], error, n)
    else:
        norm, distance = certify_steps(blocks, activations, arguments, error)
    q = norm * distance
    if not q < 1:
        return f"q <= {at_most(q)} is the best bound, not certainly below 1"
    sigma = round_down((1 - q) / (norm * arb(n).sqrt()))
    return WitnessProof(plan.label, tuple(chain), tuple(blocks), radius, sigma, upper_float(q))


def _wanted_arguments(
    plan: ColumnPlan, activations: Sequence[Activation], limits: Sequence[Limits | None]
) -> arb | None:
    """Find a power of two A such that arguments beyond +-A suffice for q <= 1/2 (W1); for W2 gaps of 4 A suffice."""
    if plan.label == "W2":
        return arb(STEEPNESS) / 4 / _ball(sharpness_of(activations[0]) or Fraction(1))
    known = [limit for limit in limits if limit is not None]
    kernels = [arb_kernel(activation) for activation in activations]
    norm = inverse_norm([_oriented(limit) for limit in known])
    for doubling in range(MAX_DOUBLINGS):
        a, total = arb(2) ** doubling, arb(0)
        for limit, kernel, (_, _, units) in zip(known, kernels, plan.blocks, strict=True):
            total += units.size * abs(limit.high - kernel(a)).max(abs(kernel(-a) - limit.low))
        if norm * total <= arb(1) / 2:
            return a
    return None


def _oriented(limit: Limits) -> tuple[arb, arb]:
    """Return (H, l): the limit of larger size is that of the samples from the threshold on."""
    return (limit.high, limit.low) if abs(limit.high) >= abs(limit.low) else (limit.low, limit.high)


def _thresholds(
    values: AscendingValues, node: int, links: int, units: IntArray, sign: int, least: arb, first: int, at_values: bool
) -> Block | None:
    """Put one threshold per column, half way between neighbouring values (or at the lower one), and choose the weight.

    The lower neighbour of the first value is the smallest gap below it. The weight is a power of two with
    ``|w| * gap >= least``. None: the working precision does not suffice.
    """
    gap = values.gap()
    if not gap > 0:
        return None
    power, last = power_above((least / gap).upper()), first + units.size
    if values.numbers is not None:
        z = values.numbers[max(first - 1, 0) : last]
        if first == 0:
            z = np.concatenate([z[:1] - (np.diff(values.numbers).min() if values.count > 1 else 1), z])
        centres, exponent = (2 * z[:-1] if at_values else z[:-1] + z[1:]), values.exponent - 1
        # biases that binary64 holds, where the gaps leave room for rounding
        excess = max(int(np.abs(centres).max()).bit_length() - FLOAT_BITS, 0)
        if excess and values.count > 1 and 2**excess <= int(np.diff(values.numbers).min()) >> (ROUNDING_BITS - 1):
            centres, exponent = centres >> excess, exponent + excess
    else:
        exponent = power_above(gap.lower()) - 1 - ROUNDING_BITS
        points = [ball.mid() for ball in values.balls[max(first - 1, 0) : last]]
        points = points if first else [points[0] - gap.mid(), *points]
        scale = arb((1, -exponent - (0 if at_values else 1)))
        sums = points[:-1] if at_values else [a + b for a, b in itertools.pairwise(points)]
        rounded = [(total.mid() * scale).floor().unique_fmpz() for total in sums]
        whole = [int(number) for number in rounded if number is not None]
        if len(whole) < len(rounded):
            return None
        centres = np.array(whole, dtype=object)
    biases = ExactArray.of_integers((-sign * centres).tolist(), (units.size,), exponent + power)
    return Block(node, links, Dyadic(sign, power), units, biases)


@dataclass(frozen=True, slots=True)
class Arguments:
    """Of one block, negated where its weight is negative: its arguments' extremes, all enclosed.

    With ``above_j = w h_j + b_j`` and ``below_j = w h_{j-1} + b_j`` (absent for the first sample): the smallest
    `above`, the largest `below` (None: none), the largest ``|below|``, the smallest of ``above_1`` and
    ``above_j - below_j``.
    """

    above: arb
    below: arb | None
    deviation: arb
    gap: arb


def arguments_of(values: AscendingValues, block: Block, first: int) -> Arguments:
    """Enclose the arguments of a block whose first column belongs to the sample number ``first``.

    Guarantee: computed from the stored weight and biases; exactly where the values are exact, else in ball arithmetic.

    Parameters
    ----------
    values : AscendingValues
        What the block reads, N values in ascending order.
    block : Block
        Units with one weight and a bias each.
    first : int
        The sample of the block's first column.

    Returns
    -------
    Arguments
        The pre-activations next to each threshold.
    """
    numbers, low = block.biases.integers()
    sign, last, offset = block.weight.mantissa, first + block.units.size, int(first == 0)
    near = slice(max(first - 1, 0), last)
    if values.numbers is None:
        w, common = block.weight.arb(), 0
        above = [sign * (h * w + arb((b, low))) for h, b in zip(values.balls[first:last], numbers, strict=True)]
        lower = zip(values.balls[near][:-1], numbers[offset:], strict=True)
        below = [sign * (h * w + arb((b, low))) for h, b in lower]
        gaps = [a - b for a, b in zip(above[offset:], below, strict=True)]
        return _extremes(above, below, above[:offset] + gaps)
    common = min(low, values.exponent + block.weight.exponent)
    scale, shift = 1 << (values.exponent + block.weight.exponent - common), 1 << (low - common)
    widest = max(abs(int(values.numbers[0])), abs(int(values.numbers[-1]))) * scale
    widest += max(max(numbers), -min(numbers)) * shift
    dtype = np.int64 if widest < 2**61 else object
    z = values.numbers[near].astype(dtype) * scale
    b = np.array(numbers, dtype=dtype) * (sign * shift)
    high, deep = z[1 - offset :] + b, z[:-1] + b[offset:]
    differences = np.concatenate([high[:offset], high[offset:] - deep])
    exact = [[arb((int(n), common)) for n in _ends(part)] for part in (high, deep, differences)]
    return _extremes(*exact)


def _ends(numbers: NDArray[Any]) -> list[int]:
    """Return the smallest and the largest entry."""
    return [int(numbers.min()), int(numbers.max())] if numbers.size else []


def _extremes(above: list[arb], below: list[arb], gaps: list[arb]) -> Arguments:
    return Arguments(
        functools.reduce(arb.min, above),
        functools.reduce(arb.max, below) if below else None,
        functools.reduce(arb.max, map(abs, below), arb(0)),
        functools.reduce(arb.min, gaps),
    )


def inverse_norm(ends: list[tuple[arb, arb]]) -> arb:
    """Bound ``||T^-1||_inf`` from the blocks' limits (H, l), one pair per block.

    Guarantee: T_ij = H (i >= j) or l (i < j) is ``L diag(D) + 1 l^T`` with D = H - l and L the lower triangle of ones.
    By Sherman and Morrison its inverse is ``diag(1/D) L^-1 - e_1 (r^T L^-1) / H_1``, r = l / D. Rows i >= 2 have the
    sum ``2/|D_i|`` of sizes, row 1 at most ``1/|D_1| + (sum_k |r_k - r_{k+1}| + |r_N|) / |H_1|``; r jumps only between
    blocks.

    Parameters
    ----------
    ends : list of (arb, arb)
        H and l of each block, H != l and the first H not 0.

    Returns
    -------
    arb
        The bound.
    """
    jumps = [high - low for high, low in ends]
    ratios = [low / jump for (_, low), jump in zip(ends, jumps, strict=True)]
    row = abs(ratios[-1]) + sum((abs(a - b) for a, b in itertools.pairwise(ratios)), arb(0))
    first = 1 / abs(jumps[0]) + row / abs(ends[0][0])
    return functools.reduce(arb.max, [2 / abs(jump) for jump in jumps], first)


def certify_steps(
    blocks: Sequence[Block], activations: Sequence[Activation], arguments: Sequence[Arguments], error: arb
) -> tuple[arb, arb]:
    """Return bounds of ``||T^-1||_inf`` and ``||Psi - T||_inf`` (W1).

    Guarantee: sigma is monotone, so no entry of a column is farther from its limit than at the column's two arguments,
    or, if every pre-activation may move by ``error``, at these arguments moved towards each other.

    Parameters
    ----------
    blocks : sequence of Block
        Units by blocks.
    activations : sequence of Activation
        That of each block.
    arguments : sequence of Arguments
        Those of each block.
    error : arb
        How far any pre-activation may move.

    Returns
    -------
    (arb, arb)
        Both bounds; the second is NaN if an activation has no limits.
    """
    distance, ends = arb(0), list[tuple[arb, arb]]()
    for block, activation, found in zip(blocks, activations, arguments, strict=True):
        limit, kernel, sign = monotone_limits(activation), arb_kernel(activation), block.weight.mantissa
        if limit is None:
            return arb(0), arb("nan")
        high, low = (limit.high, limit.low) if sign > 0 else (limit.low, limit.high)
        worst = abs(high - kernel(sign * (found.above - error)))
        if found.below is not None:
            worst = worst.max(abs(kernel(sign * (found.below + error)) - low))
        distance += block.units.size * worst
        ends.append((high, low))
    return inverse_norm(ends), distance


def certify_ramps(sharpness: Fraction, arguments: Arguments, error: arb, samples: int) -> tuple[arb, arb]:
    """Return bounds of ``||T^-1||_inf`` and of q / ||T^-1||_inf (W2), everything scaled by the weight.

    Guarantee: with G the smallest gap, ``T_ij = (y_i - y_{j-1})_+`` is ``L diag(gaps) L``, so ``||T^-1||_inf <= 4/G``.
    Thresholds are off by at most rho G, so with s = g G ``||T^-1 (Psi - T)||_inf`` is at most
    ``(4/s) (log 2 + 2 e^{rho s} / (e^s - 1)) + 4 rho``; softplus has slope <= 1, so ``error`` adds ``4 N error / G``.

    Parameters
    ----------
    sharpness : Fraction
        The g of the softplus.
    arguments : Arguments
        Those of the one block.
    error : arb
        How far any pre-activation may move.
    samples : int
        N.

    Returns
    -------
    (arb, arb)
        Both bounds; the second is NaN if no gap is proved.
    """
    gap = arguments.gap
    if not gap > 0:
        return arb(0), arb("nan")
    rho, s = arguments.deviation / gap, _ball(sharpness) * gap
    q = 4 / s * (arb(2).log() + 2 * (rho * s).exp() / s.expm1()) + 4 * rho + 4 * samples * error / gap
    return 4 / gap, q * gap / 4


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))
