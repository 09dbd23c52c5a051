"""W1, W2, W3: parameters at which Psi has full rank by construction, for any number of samples.

All samples are put in the order of ``z_i = <a, x_i>``. N columns ``sigma(w z_i + b_j)`` with thresholds between
neighbouring samples are then close to a matrix T that is triangular up to constants and whose inverse is known, so
that ``rank Psi = N`` follows from 2N entries: cost O(N d + N log N), memory O(N). A chain of units, one per layer,
carries an increasing function of z to deeper layers (W3).
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, fmpq
from numpy.typing import NDArray

from verifier.balls.activation import arb_kernel
from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most, lower_float, round_down, upper_float
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision
from verifier.data.samples import SampleSource
from verifier.display import Brief, Decided, Facts, Shown
from verifier.errors import DataError, PrecisionError, needs
from verifier.network.layers import Dense
from verifier.network.network import Array, Network
from verifier.network.total import activation_not_proved_total
from verifier.rank.certify import silent
from verifier.rank.monotone import Limits, monotone_limits
from verifier.sigma.activations import Activation
from verifier.verdict import Verdict

DEFAULT_MAX_BITS = 1024
MAX_LINKS = 1000
MAX_CHAINS = 200
"""Chains that are tried, the shortest first."""
DIRECTIONS = 6
"""Directions that are tried; each has DIRECTION_STEP more bits."""
DIRECTION_STEP, MAX_DIRECTION_BITS = 6, 40
STEEPNESS = 8
"""W2: the smallest gap is at least 8/g after scaling, so that q is about 4/8 log 2."""
ROUNDING_BITS = 6
"""Thresholds between chain values are rounded to 2^-6 of the smallest gap."""
FLOAT_BITS = 53
"""Bits of a bias, where that suffices: then the witness is a binary64 vector."""
BIAS_BITS = 12
"""Biases of the chain are multiples of 2^-12."""
MAX_DOUBLINGS = 200

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A unit of the chain: ``sigma(weight * source + bias)``, the source being ``<a, x>`` or the link before."""

    layer: int
    unit: int
    weight: Dyadic
    bias: Dyadic


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Block(Brief):
    """Columns of one layer: unit ``units[j]`` is ``sigma(weight h + biases[j])``, h the value of link ``links - 1``."""

    layer: int
    links: int
    weight: Dyadic
    units: IntArray
    biases: ExactArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WitnessResult(Decided, Shown):
    """Parameters at which Psi has full row rank, or why none were found.

    Guarantee: ``PROVED`` implies that Psi has rank N at these parameters, whatever those of the other units are, with
    ``sigma_N >= sigma_lower``; the same at all parameters that differ by at most ``radius`` each (unless None).
    ``REFUTED`` implies that the samples ``equal`` are the same, so that rank Psi < N for every U.
    """

    verdict: Verdict
    label: str
    reason: str
    samples: int
    seconds: float
    precision: int = 0
    direction: IntArray | None = None
    chain: tuple[Link, ...] = ()
    blocks: tuple[Block, ...] = ()
    radius: Dyadic | None = None
    sigma_lower: Dyadic | None = None
    q: float = math.inf
    equal: tuple[int, int] | None = None

    def _facts(self) -> Facts:
        values = [("construction", self.label), ("N", str(self.samples))]
        for name, bound in (("sigma_N >=", self.sigma_lower), ("radius", self.radius)):
            values += [] if bound is None else [(name, at_least(bound))]
        if self.blocks:
            values += [("chain units", str(len(self.chain)))] if self.chain else []
            values.append(("columns", " + ".join(str(block.units.size) for block in self.blocks)))
        title = "An explicit U of full rank"
        return Facts(title, str(self.verdict), self.reason, (*values, ("seconds", f"{self.seconds:.1f}")))

    def parameters(self, network: Network) -> Array:
        """Return the witness as a flat vector U of shape (p,); all other parameters are 0.

        Raises
        ------
        PrecisionError
            Nothing was proved, or a number is not a binary64.
        """
        if self.verdict is not Verdict.PROVED or self.direction is None:
            raise PrecisionError("no witness was proved, so it has no parameters")
        u = np.zeros(network.parameter_count)
        views, before = network.views(u), ["input", *(link.layer for link in self.chain)]
        columns = [
            (block.layer, block.units.tolist(), block.links, block.weight, block.biases) for block in self.blocks
        ]
        for depth, link in enumerate(self.chain):
            bias = ExactArray.of_integers([link.bias.mantissa], (1,), link.bias.exponent)
            columns.append((link.layer, [link.unit], depth, link.weight, bias))
        for layer, units, depth, weight, biases in columns:
            start = 0
            for source, shape in zip(network.sources[layer], network.source_shapes(layer), strict=True):
                if source == before[depth]:
                    break
                start += math.prod(shape)
            if depth == 0:
                row = [_binary64(weight.fraction() * int(entry)) for entry in self.direction]
                views[f"layer{layer}.weight"][units, start : start + len(row)] = row
            else:
                views[f"layer{layer}.weight"][units, start + self.chain[depth - 1].unit] = _binary64(weight.fraction())
            numbers, exponent = biases.integers()
            scale = Fraction(2) ** exponent
            views[f"layer{layer}.bias"][units] = [_binary64(number * scale) for number in numbers]
        return u


def prove_witness(
    network: Network,
    source: SampleSource,
    *,
    seed: int = 0,
    max_bits: int = DEFAULT_MAX_BITS,
    stage: Callable[[str], Progress] = silent,
) -> WitnessResult:
    """Construct parameters U at which ``rank Psi(U) = N`` and prove it.

    Parameters
    ----------
    network
        Any network; columns are taken from dense layers that read the input, or a chain of dense layers.
    source
        The samples, (N, d) with d the network's dimension.
    seed
        Of the direction.
    max_bits
        Last precision tried (64, 128, ... up to this).
    stage
        Progress display.

    Returns
    -------
    WitnessResult
        ``UNDECIDED`` says why the construction does not apply; that says nothing about the rank.

    Raises
    ------
    DataError
        The samples do not have the network's dimension, or are not finite.
    """
    needs(source, "SampleSource", "project", "source", 'make one: SampleSource("name", X)')
    began = time.perf_counter()
    n = source.samples

    def finish(verdict: Verdict, reason: str, **found: Any) -> WitnessResult:
        label = found.pop("label", "")
        return WitnessResult(verdict, label, reason, n, time.perf_counter() - began, **found)

    if source.dimension != network.dimension:
        raise DataError(f"samples have {source.dimension} coordinates, the network's input has {network.dimension}")
    if network.skip_count < n:
        return finish(Verdict.UNDECIDED, f"only {network.skip_count} skip units for {n} samples")
    partial = activation_not_proved_total(network)
    if partial is not None:
        text = f"the activation {partial.canonical} is not proved to be defined on all of R, as Psi(U) must be"
        return finish(Verdict.UNDECIDED, text)
    plan = _plan(network, n)
    if plan is None:
        return finish(
            Verdict.UNDECIDED,
            f"no {n} skip units in dense layers with a bounded monotone activation (W1), or in one layer with softplus "
            "(W2), that read the input or a chain of dense units",
        )
    stage("projecting the samples")
    ordered = _ordered(source, seed)
    if isinstance(ordered, tuple):
        a, b = ordered
        reason = f"samples {a} and {b} (counted from 0) are equal, so rank Psi(U) < N for every U; merge equal samples"
        return finish(Verdict.REFUTED, reason, equal=ordered)
    if ordered is None:
        return finish(Verdict.UNDECIDED, "no direction was found in which the samples are distinct")
    bits, reason = FIRST_BITS, "max_bits is below 64"
    while bits <= max_bits:
        stage(f"certifying at {bits} bits")
        with working_precision(bits):
            found = _attempt(network, source, plan, ordered)
        if isinstance(found, _Proof):
            return finish(
                Verdict.PROVED,
                _in_words(n, found),
                label=found.label,
                precision=max(bits, _bits_that_show(ordered)),
                direction=ordered.direction,
                chain=found.chain,
                blocks=found.blocks,
                radius=found.radius,
                sigma_lower=found.sigma_lower,
                q=found.q,
            )
        reason, bits = found, 2 * bits
    return finish(Verdict.UNDECIDED, f"not certified with {max_bits} bits: {reason}")


def _bits_that_show(ordered: _Ordered) -> int:
    """A precision (64, 128, ...) at which balls tell the samples' neighbours apart, where this proof used integers."""
    sizes = [abs(int(ordered.numbers[end])).bit_length() for end in (0, -1)]
    spread = max(sizes) - (int(np.diff(ordered.numbers).min()).bit_length() if ordered.numbers.size > 1 else 0)
    return FIRST_BITS << max(0, math.ceil(math.log2(max(spread + 40, 1) / FIRST_BITS)))


def _in_words(columns: int, found: _Proof) -> str:
    blocks = f" in {len(found.blocks)} blocks" if len(found.blocks) > 1 else ""
    chain = f", through a chain of {len(found.chain)} below," if found.chain else ""
    shape = "triangular" if found.label == "W1" else "ramp"
    q = at_most(found.q, below=1)
    return f"{columns} columns{blocks}{chain} are within q <= {q} < 1 of a {shape} matrix, in its inverse's norm"


# --- which units ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    label: str
    chain: tuple[tuple[int, int], ...]
    blocks: tuple[tuple[int, int, IntArray], ...]


def _plan(network: Network, n: int) -> _Plan | None:
    """Choose the chain (layer, unit) and the blocks (layer, links, units): the first chain that gives N columns."""
    skips = dict(network.skip_units)
    with working_precision(FIRST_BITS):
        limits = {index: _limits_of(network, index) for index in skips}
    order = {index: -lower_float(max(abs(f.low), abs(f.high), key=float)) for index, f in limits.items() if f}
    for path in _chains(network):
        chain = tuple((index, _spare_unit(network, index, skips)) for index in path)
        reserved = dict(chain)
        sources: tuple[int | str, ...] = ("input", *path)
        usable: list[tuple[int, int, IntArray]] = []
        for index in sorted(skips, key=lambda index: order.get(index, 0.0)):
            links = next((c for c, s in enumerate(sources) if s in network.sources[index]), None)
            if links is not None and isinstance(network.layers[index], Dense):
                units = np.array(skips[index], dtype=np.int64)
                usable.append((index, links, units[units != reserved.get(index, -1)]))
        blocks, missing = [], n
        for index, links, units in usable:
            if limits[index] is not None and missing > 0 and units.size:
                blocks.append((index, links, units[:missing]))
                missing -= blocks[-1][2].size
        if missing == 0:
            return _Plan("W1", chain, tuple(blocks))
        for index, links, units in usable:
            if units.size >= n and _sharpness(network, index) is not None:
                return _Plan("W2", chain, ((index, links, units[:n]),))
    return None


def _limits_of(network: Network, index: int) -> Limits | None:
    layer = network.layers[index]
    found = monotone_limits(layer.activation) if isinstance(layer, Dense) else None
    return found if found is not None and found.bounded else None


def _sharpness(network: Network, index: int) -> Fraction | None:
    """Return g if the layer's activation is softplus_g."""
    layer = network.layers[index]
    fact = layer.activation.facts.softplus_like if isinstance(layer, Dense) else None
    if fact is None or fact.status != "proved" or fact.value is None:
        return None
    return Fraction(int(fact.value.p), int(fact.value.q))


def _chains(network: Network) -> list[tuple[int, ...]]:
    """Return paths of dense layers from the input, the shortest first: to each layer the shortest, and the richest."""
    skips = {index: len(units) for index, units in network.skip_units}
    readers = {index: 0 for index in range(len(network.layers))}
    for index, count in skips.items():
        for source in network.sources[index]:
            if source != "input":
                readers[int(source)] += count
    shortest: dict[int, tuple[int, ...]] = {}
    richest: dict[int, tuple[int, tuple[int, ...]]] = {}
    for index, layer in enumerate(network.layers):
        if not isinstance(layer, Dense):
            continue
        sources = network.sources[index]
        known = [s for s in sources if s != "input" and s in shortest]
        before = [()] if "input" in sources else [shortest[s] for s in known]
        rich = [richest[s] for s in known] + ([(0, ())] if "input" in sources else [])
        if before:
            shortest[index] = (*min(before, key=len), index)
            most, path = max(rich, key=lambda entry: entry[0])
            richest[index] = most + readers[index], (*path, index)
    paths = {(), *shortest.values(), *(path for _, path in sorted(richest.values())[-3:])}
    return sorted((p for p in paths if len(p) <= MAX_LINKS), key=lambda p: (len(p), p))[:MAX_CHAINS]


def _spare_unit(network: Network, index: int, skips: dict[int, tuple[int, ...]]) -> int:
    """Choose the chain's unit in a layer: one that is no skip unit, else the last."""
    width, used = network.shapes[index][0], skips.get(index, ())
    if len(used) == width:
        return width - 1
    return min(set(range(len(used) + 1)) - set(used))


# --- the order of the samples -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Ordered:
    """Sorted distinct ``z = numbers * 2^exponent``: int64 below 2^60, or Python integers."""

    direction: IntArray
    numbers: NDArray[Any]
    exponent: int


def _ordered(source: SampleSource, seed: int) -> _Ordered | tuple[int, int] | None:
    """Find an integer direction in which the samples are distinct; or two equal samples; or None.

    Random directions with B bits make two given samples collide with probability at most 2^-B; the number of pairs is
    below N^2, and the samples' own bits help.
    """
    rng = np.random.default_rng(seed)
    wanted = 2 * source.samples.bit_length() + 3 - source.extent[1]
    start = max(4, wanted)
    most = MAX_DIRECTION_BITS - max(0, source.dimension.bit_length() - 6)
    for attempt in range(DIRECTIONS):
        half = 1 << min(start + attempt * DIRECTION_STEP, most)
        direction = rng.integers(1 - half, half, source.dimension, dtype=np.int64)
        numbers, exponent = source.project(direction)
        order = np.argsort(numbers, kind="stable")
        numbers = numbers[order]
        close = np.flatnonzero(numbers[1:] == numbers[:-1])
        if close.size == 0:
            return _Ordered(direction, numbers, exponent)
        for k in close[:200].tolist():
            first, second = sorted((int(order[k]), int(order[k + 1])))
            if source.row(first) == source.row(second):
                return first, second
    return None


# --- the parameters and their proof -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Proof:
    label: str
    chain: tuple[Link, ...]
    blocks: tuple[Block, ...]
    radius: Dyadic | None
    sigma_lower: Dyadic
    q: float


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """Ascending numbers, one per sample: exact ones (``numbers * 2^exponent``), or balls."""

    numbers: NDArray[Any] | None = None
    exponent: int = 0
    balls: tuple[arb, ...] = ()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.balls) if self.numbers is None else int(self.numbers.size)

    def ball(self, position: int) -> arb:
        """Enclose one of them."""
        if self.numbers is None:
            return self.balls[position]
        return arb((int(self.numbers[position]), self.exponent))

    def gap(self) -> arb:
        """Enclose the smallest difference of neighbours; 1 for one sample."""
        if self.numbers is not None:
            steps = self.numbers[1:] - self.numbers[:-1]
            return arb((int(steps.min()), self.exponent)) if steps.size else arb(1)
        steps_ = [b - a for a, b in zip(self.balls, self.balls[1:], strict=False)]
        return functools.reduce(arb.min, steps_) if steps_ else arb(1)


def _attempt(network: Network, source: SampleSource, plan: _Plan, ordered: _Ordered) -> _Proof | str:
    """Choose and prove the parameters at the current working precision; or say why not."""
    values, chain = [_Values(ordered.numbers, ordered.exponent)], list[Link]()
    for layer, unit in plan.chain:
        link, balls = _climb(network, layer, unit, values[-1])
        if not all(a < b for a, b in itertools.pairwise(balls)):
            return f"the chain's values in layer {layer} do not certainly ascend"
        chain.append(link)
        values.append(_Values(balls=tuple(balls)))
    ramps, n = plan.label == "W2", source.samples
    limits = [_limits_of(network, layer) for layer, _, _ in plan.blocks]
    blocks, arguments, first = list[Block](), list[Arguments](), 0
    least = _wanted_arguments(network, plan, limits)
    if least is None:
        return "the activation approaches its limits too slowly"
    for (layer, links, units), limit in zip(plan.blocks, limits, strict=True):
        sign = 1 if limit is None or ramps or abs(limit.high) >= abs(limit.low) else -1
        block = _thresholds(values[links], layer, links, units, sign, 4 * least, first, ramps)
        if block is None:
            return "the gaps between the values are not certainly above 0"
        blocks.append(block)
        arguments.append(arguments_of(values[links], block, first))
        first += units.size
    radius, error = None, arb(0)
    if all(links == 0 and network.sources[layer] == ("input",) for layer, links, _ in plan.blocks):
        # |U' - U| <= radius in each parameter moves a pre-activation by at most radius (sum_k |x_k| + 1)
        size = arb((source.dimension, sum(source.extent))) + 1
        radius = round_down((arguments[0].gap / (16 * n) if ramps else least) / size, 8)
        error = radius.arb() * size
    if ramps:
        norm, distance = certify_ramps(_sharpness(network, blocks[0].layer) or Fraction(0), arguments[0], error, n)
    else:
        norm, distance = certify_steps(network, blocks, arguments, error)
    q = norm * distance
    if not q < 1:
        return f"q <= {at_most(q)} is the best bound, not certainly below 1"
    sigma = round_down((1 - q) / (norm * arb(n).sqrt()))
    return _Proof(plan.label, tuple(chain), tuple(blocks), radius, sigma, upper_float(q))


def _climb(network: Network, layer: int, unit: int, values: _Values) -> tuple[Link, list[arb]]:
    """Map the values into about [1/4, 3/4], where nearly every activation increases, and through the activation.

    Guarantee: the balls contain the exact values of the link.
    """
    low, high = values.ball(0), values.ball(values.count - 1)
    weight = Dyadic(1, -_power_of_two((high - low).mid() * 2) if values.count > 1 else 0)
    middle = (arb(1) / 2 - (low + high) / 2 * weight.arb()).mid()
    bias = Dyadic(int((middle * 2**BIAS_BITS).mid().floor().mid().unique_fmpz()), -BIAS_BITS)
    kernel, w, b = arb_kernel(_activation(network, layer)), weight.arb(), bias.arb()
    return Link(layer, unit, weight, bias), [kernel(values.ball(i) * w + b) for i in range(values.count)]


def _wanted_arguments(network: Network, plan: _Plan, limits: list[Limits | None]) -> arb | None:
    """Find a power of two A such that arguments beyond +-A suffice for q <= 1/2 (W1); for W2 gaps of 4 A suffice."""
    if plan.label == "W2":
        return arb(STEEPNESS) / 4 / _ball(_sharpness(network, plan.blocks[0][0]) or Fraction(1))
    known = [limit for limit in limits if limit is not None]
    kernels = [arb_kernel(_activation(network, layer)) for layer, _, _ in plan.blocks]
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
    values: _Values, layer: int, links: int, units: IntArray, sign: int, least: arb, first: int, at_values: bool
) -> Block | None:
    """Put one threshold per column, half way between neighbouring values (or at the lower one), and choose the weight.

    The lower neighbour of the first value is the smallest gap below it. The weight is a power of two with
    ``|w| * gap >= least``. None: the working precision does not suffice.
    """
    gap = values.gap()
    if not gap > 0:
        return None
    power, last = _power_of_two((least / gap).upper()), first + units.size
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
        exponent = _power_of_two(gap.lower()) - 1 - ROUNDING_BITS
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
    return Block(layer, links, Dyadic(sign, power), units, biases)


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


def arguments_of(values: _Values, block: Block, first: int) -> Arguments:
    """Enclose the arguments of a block whose first column belongs to the sample number ``first``.

    Guarantee: computed from the stored weight and biases; exactly where the values are exact, else in ball arithmetic.
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
    sum 2/|D_i| of sizes, row 1 at most ``1/|D_1| + (sum_k |r_k - r_{k+1}| + |r_N|) / |H_1|``; r jumps only between
    blocks.
    """
    jumps = [high - low for high, low in ends]
    ratios = [low / jump for (_, low), jump in zip(ends, jumps, strict=True)]
    row = abs(ratios[-1]) + sum((abs(a - b) for a, b in itertools.pairwise(ratios)), arb(0))
    first = 1 / abs(jumps[0]) + row / abs(ends[0][0])
    return functools.reduce(arb.max, [2 / abs(jump) for jump in jumps], first)


def certify_steps(network: Network, blocks: list[Block], arguments: list[Arguments], error: arb) -> tuple[arb, arb]:
    """Return bounds of ``||T^-1||_inf`` and ``||Psi - T||_inf`` (W1).

    Guarantee: sigma is monotone, so no entry of a column is farther from its limit than at the column's two arguments,
    or, if every pre-activation may move by ``error``, at these arguments moved towards each other.
    """
    distance, ends = arb(0), list[tuple[arb, arb]]()
    for block, found in zip(blocks, arguments, strict=True):
        activation = _activation(network, block.layer)
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
    """
    gap = arguments.gap
    if not gap > 0:
        return arb(0), arb("nan")
    rho, s = arguments.deviation / gap, _ball(sharpness) * gap
    q = 4 / s * (arb(2).log() + 2 * (rho * s).exp() / s.expm1()) + 4 * rho + 4 * samples * error / gap
    return 4 / gap, q * gap / 4


# --- small things -----------------------------------------------------------------------------------------------


def _activation(network: Network, index: int) -> Activation:
    layer = network.layers[index]
    if not isinstance(layer, Dense):
        raise TypeError(f"layer {index} is not dense")
    return layer.activation


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def _power_of_two(value: arb) -> int:
    """Return the smallest k with ``2^k >= value``, or one more; value exact and positive."""
    mantissa, exponent = value.man_exp()
    return int(mantissa).bit_length() + int(exponent)


def _binary64(value: Fraction) -> float:
    number = float(value)
    if Fraction(number) != value:
        raise PrecisionError("a parameter of the witness has more than 53 bits, so no binary64 vector holds it")
    return number
