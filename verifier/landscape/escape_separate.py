r"""E4: samples that a gate merges part at constant loss; and: from every point of a wide net a path exists.

*Existence.* Let all skip units, at least N, lie in one dense layer that nothing reads, sigma analytic and no
polynomial, all other units analytic, and let the layers below separate the samples for some U. (An output bias may rest
at its value: it shifts the logits that V is to keep.) Then from EVERY (U, V) a path on which
the cross-entropy never increases leads to loss 0. Sketch: where the gradient is not 0, an open cone of descent
directions meets full-rank U. Otherwise group the samples by what the last layer reads. With V on a column basis, free
units raise the groups' matrix to full rank at constant loss; if grad_V stays 0, each group has at least two samples, so
at least as many units as groups are spare; through them all units come to read one generic combination z. Then the
lower weights part the samples of each group along a generic line, V following:

*Parting (constructive).* Replace the rows of a group in Psi(U(t)) by Newton's divided differences in z. The right sides
of Psi V = G become (G_A, 0, ..., 0), since the logits of merged samples agree, and the matrix M(t) is continuous up to
t = 0, where it is a Hermite (confluent) matrix. If it keeps full row rank, ``V(t) = M^T (M M^T)^{-1} (G_A, 0, ...)`` is
continuous and keeps every logit. A divided difference of order q of ``g_j(z) = sigma(w_j z + b_j)`` is the Taylor
coefficient of order q of g_j at some point between the nodes, so ONE ball matrix over the hull of each group's values
encloses M(t) for all t, and one approximate right inverse proves its rank.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import ExactArray
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.balls.motion import Motion
from verifier.balls.precision import working_precision
from verifier.balls.series import taylor
from verifier.display import Card, Decided, Shown
from verifier.errors import InputError
from verifier.landscape.escape_kinds import Escape
from verifier.landscape.escape_start import Start, descend_from, not_analytic
from verifier.landscape.legs import StraightLeg
from verifier.landscape.parting import Parting, PartingLeg, differences_of_one, wide_last_layer, wide_last_units
from verifier.landscape.segment import covering
from verifier.network.arguments import given_inputs, given_parameters
from verifier.network.graph import Feature
from verifier.network.initialise import initialise, portable_gaussian
from verifier.network.network import Array, Network
from verifier.network.nodes import Constant
from verifier.network.units import DenseUnits
from verifier.rank.monotone import monotone_limits
from verifier.sigma.activations import Activation
from verifier.verdict import Verdict

PARTING = 3_000_017
"""Stream of the random directions."""
BITS, PIECES = 128, 8
"""Precision, and number of pieces of the line: divided differences of close samples cancel, so 64 bits are few."""
FIRST_STEP, STEPS = 0.125, 24
"""Length of the line in units of a standard normal direction, and how often it is halved until it is certified."""
SQUARED_RESIDUAL = 0.25
"""An inverse is taken if the squared norm of M R - I is below this; below 1 would do, the rest is for the checker."""
ARB_NUMBERS = 10_000_000
"""Values of nodes, of all samples, up to which E4's hypotheses are checked: 10 s for each U that is tried."""
MAX_GROUP = 100
"""Most samples that may be merged into one: the order of the divided differences."""


@dataclass(frozen=True, slots=True, repr=False)
class GatewayResult(Decided, Shown):
    """Whether E4's hypotheses hold; ``separating`` is a U at which the first skip unit separates all samples.

    ``certifiable``: the checker can see it for itself: the network is made of layers alone, and the activation is no
    polynomial because it is monotone with a finite limit.
    """

    verdict: Verdict
    reason: str
    separating: Array | None = None
    precision: int = 64
    certifiable: bool = False

    def _card(self) -> Card:
        return Card("From every point a path without increase (E4)", str(self.verdict), self.reason)


def prove_gateway(network: Network, inputs: Array, start: Array | None = None, *, seeds: int = 4) -> GatewayResult:
    """Check the hypotheses of E4, exactly.

    Parameters
    ----------
    network
        The network.
    inputs
        Distinct samples ``(N, d)``.
    start
        A U that is tried first for the separation of the samples, shape ``(p,)``.
    seeds
        How many random U are tried after it.

    Returns
    -------
    GatewayResult
        Guarantee: ``PROVED`` implies that from every (U, V) a continuous path on which the cross-entropy with agreeing
        labels never increases leads to loss arbitrarily close to 0.

    Raises
    ------
    DataError, NetworkError
        If an array does not fit the network.

    Examples
    --------
    >>> import verifier as vf
    >>> network = vf.Network(1, vf.Dense(2, "tanh", skip=True))
    >>> print(vf.prove_gateway(network, [[-1.0], [1.0]]).verdict)
    PROVED
    """
    inputs = given_inputs(network, inputs)
    start = None if start is None else given_parameters(network, start, "start")
    refused = wide_last_layer(network, len(inputs)) if network.layered is not None else None
    last = refused if isinstance(refused, str) else wide_last_units(network, len(inputs))
    if isinstance(last, str):
        return GatewayResult(Verdict.UNDECIDED, last)
    obstacle = not_analytic(network)
    if obstacle is not None:
        return GatewayResult(Verdict.UNDECIDED, f"Psi is not proved to be analytic in U: {obstacle}")
    degree = last.activation.facts.polynomial_degree
    if degree.status != "proved" or degree.value is not None:
        found = (
            "not proved to be no polynomial" if degree.status != "proved" else f"a polynomial of degree {degree.value}"
        )
        words = f"the last layer's activation, {last.activation.name}, is {found}"
        return GatewayResult(Verdict.UNDECIDED, words)
    numbers = len(inputs) * sum(int(np.prod(shape)) for shape in network.node_shapes[: min(last.sources) + 1])
    if numbers > ARB_NUMBERS:
        words = f"not tried: {numbers} numbers below the last layer are many for Arb, which tells the samples apart"
        return GatewayResult(Verdict.UNDECIDED, f"{words} (limit {ARB_NUMBERS}); take fewer samples")
    first = [] if start is None else [start]
    points = itertools.chain(first, (initialise(network, seed=seed, scale=1.0, fan_in=True) for seed in range(seeds)))
    for u, bits in itertools.product(points, (64, 256)):
        if _distinct(_first_column(network, last, u, inputs, bits)):
            reason = (
                f"{len(last.skip)} >= N = {len(inputs)} units with weights of their own, read by "
                "nothing; analytic, no polynomial; the layers below separate the samples: from EVERY (U, V) a "
                "non-increasing path leads to loss 0 (cross-entropy, labels that agree)"
            )
            with working_precision(bits):
                limits = monotone_limits(last.activation)
            finite = limits is not None and (limits.low.is_finite() or limits.high.is_finite())
            return GatewayResult(Verdict.PROVED, reason, u, bits, finite and network.layered is not None)
    return GatewayResult(Verdict.UNDECIDED, "no random U was certified to separate the samples below the last layer")


def _first_column(network: Network, last: DenseUnits, u: Array, inputs: Array, bits: int) -> list[arb]:
    """The first skip unit, which no node reads, on all samples: of its layer nothing else is evaluated."""
    unit, nodes, lower = last.skip[0], list(network.nodes), [np.zeros(0)]
    for view in network.parameters:
        if view.name in (last.weight, last.bias):
            nodes[view.node] = Constant(values=view.of(u)[unit : unit + 1])
        else:
            lower.append(view.of(u).ravel())
    small, point = Network.of(nodes, [Feature(last.node)]), np.concatenate(lower)
    column: list[arb] = []
    for _, block in FeatureEnclosure(small, point, inputs, bits).blocks():
        column += [block[i, 0] for i in range(block.nrows())]
    return column


def _distinct(balls: Sequence[arb]) -> bool:
    ordered = sorted(balls, key=lambda ball: ball.mid())
    return all(bool(a < b) for a, b in itertools.pairwise(ordered))


def separate_merged_samples(start: Start) -> Escape | str:
    """Certify E4: merged samples part at constant loss; else say why not.

    Guarantee: an escape implies that the loss is constant on both legs, and P1 from their end.

    Parameters
    ----------
    start : Start
        Network, data and point.

    Returns
    -------
    Escape or str
        The escape, or the reason.
    """
    found = part_merged_samples(start.network, start.u, start.inputs, start.seed)
    if isinstance(found, str):
        return found
    words = "the lower weights part merged samples, V follows, the loss is constant (E4)"
    origin = start.origin(FIRST_BITS)
    leg = PartingLeg(words, start.network, start.u, start.inputs, start.weights, found, origin)
    try:
        begin, end = leg.start_v, leg.exact_v(Fraction(1))
    except InputError as error:
        return f"the samples part at constant loss, but V cannot be computed: {error}"
    tail = descend_from(start, found.end, end, kept=True)
    if isinstance(tail, str):
        return f"the samples part at constant loss, but {tail}"
    words = "V goes to where it can follow, the loss is constant (E4)"
    first = StraightLeg(words, start.u, start.u, start.weights, begin, tail.start_margins)
    legs = (first, replace(leg, kept=tail.start_margins))
    inverse = found.right_inverse
    return Escape("E4", start.u, start.weights, tail, legs, pieces=found.pieces, right_inverse=inverse)


def part_merged_samples(network: Network, u: Array, inputs: Array, seed: int = 0) -> Parting | str:
    """Find and certify a line along which merged samples part at constant loss; else say why not.

    Parameters
    ----------
    network, u, inputs
        The network, U of shape ``(p,)``, and distinct samples ``(N, d)``.
    seed
        Of the random direction.

    Returns
    -------
    Parting or str
        Guarantee: a result satisfies every obligation of E4's path: the gate's values differ inside each group for
        t > 0, and M(t) has full row rank for all t in [0, 1].
    """
    found = wide_last_layer(network, len(inputs) - int(network.output_bias))  # its column is one of M(t), too
    if isinstance(found, str):
        return found
    (last, layer), units = found, network.skip_units[0][1]
    views = network.layer_views(u)
    rows = views[f"layer{last}.weight"][list(units)]
    read = np.flatnonzero((rows != 0).any(axis=0)).tolist()
    if len(read) != 1:
        return "the skip units do not all read one and the same unit"
    groups = _merged(network, u, inputs)
    if groups is None:
        return "a layer that reads the input is not dense"
    if all(len(group) == 1 for group in groups):
        return "no samples are merged"
    if max(map(len, groups)) > MAX_GROUP:
        return f"more than {MAX_GROUP} samples are merged into one"
    gate = _owner(network, network.sources[last], read[0])
    if gate is None:
        return "the skip units read an input coordinate, which cannot move"
    order = [i for group in groups for i in group]
    moving = portable_gaussian(seed, (PARTING,), len(u))
    still = network.layer_views(moving)
    for name in (f"layer{last}.weight", f"layer{last}.bias"):
        still[name][...] = 0.0
    biases = views[f"layer{last}.bias"][list(units)]
    sizes = [len(group) for group in groups]
    for halvings in range(STEPS):
        end = u + FIRST_STEP * 0.5**halvings * moving
        hulls = _part(Motion(network, u, end, inputs[order], BITS), gate, sizes)
        if hulls is None:
            continue
        weights, one = rows[:, read[0]], network.output_bias
        inverse = _inverse_of_all(layer.activation, weights, biases, hulls, sizes, output_bias=one)
        if inverse is not None:
            return Parting(end, inverse, PIECES, tuple(map(tuple, groups)), gate, read[0], found)
    return "no short line was certified along which the divided differences keep full rank"


def _merged(network: Network, u: Array, inputs: Array) -> list[list[int]] | None:
    """Samples with exactly equal pre-activations in every layer that reads the input."""
    views = network.layer_views(u)
    keys: list[list[int]] = [[] for _ in inputs]
    exact = ExactArray.of_floats(inputs).fmpz_mat()[0]
    for index, names in enumerate(network.sources):
        if "input" in names:
            if not network.layers[index].dense or names != ("input",):
                return None
            weight = ExactArray.of_floats(views[f"layer{index}.weight"]).fmpz_mat()[0]
            for key, row in zip(keys, (exact * weight.transpose()).tolist(), strict=True):
                key += [int(z) for z in row]
    groups: dict[tuple[int, ...], list[int]] = {}
    for sample, key in enumerate(keys):
        groups.setdefault(tuple(key), []).append(sample)
    return list(groups.values())


def _owner(network: Network, sources: Sequence[object], position: int) -> tuple[int, int] | None:
    """Layer and unit that stand at a position of what the last layer reads."""
    sizes = [network.dimension if s == "input" else int(np.prod(network.shapes[int(str(s))])) for s in sources]
    places = [(source, unit) for source, size in zip(sources, sizes, strict=True) for unit in range(size)]
    source, unit = places[position]
    return None if source == "input" else (int(str(source)), unit)


def _part(motion: Motion, gate: tuple[int, int], sizes: Sequence[int]) -> list[arb] | None:
    """The hull of each group's gate values over all times, if their derivatives are certainly different."""
    hulls: list[arb | None] = [None] * len(sizes)
    for t in covering(PIECES, BITS):
        values, slopes = motion.layer_jets(gate[0], t)
        start = 0
        for g, size in enumerate(sizes):
            here = [row[gate[1]] for row in values[start : start + size]]
            if not _distinct([row[gate[1]] for row in slopes[start : start + size]]):
                return None
            for value in here:
                known = hulls[g]
                hulls[g] = value if known is None else known.union(value)
            start += size
    return [hull for hull in hulls if hull is not None]


def _inverse_of_all(
    activation: Activation,
    weights: Array,
    biases: Array,
    hulls: Sequence[arb],
    sizes: Sequence[int],
    *,
    output_bias: bool,
) -> ExactArray | None:
    """A right inverse that proves full row rank of every matrix of divided differences over the hulls."""
    with working_precision(BITS):
        rows: list[list[arb]] = []
        for hull, size in zip(hulls, sizes, strict=True):
            units = zip(weights.tolist(), biases.tolist(), strict=True)
            table = [taylor(activation, [hull * w + b, arb(w), *[arb(0)] * size][:size]) for w, b in units]
            table += [differences_of_one(size)] * output_bias
            rows += [list(row) for row in zip(*table, strict=True)]
        matrix = arb_mat(rows)
        middle = np.array([[float(entry.mid()) for entry in row] for row in rows])
        scale = np.abs(middle).max(axis=1, keepdims=True)
        if not (np.isfinite(middle).all() and (scale > 0).all()):
            return None
        inverse = ExactArray.of_floats(np.linalg.pinv(middle / scale) / scale.T)
        product = (matrix * inverse.arb_mat()).tolist()
        squares = arb(0)
        for i, row in enumerate(product):
            for j, entry in enumerate(row):
                error = entry - int(i == j)
                squares += error * error
        return inverse if squares < SQUARED_RESIDUAL else None
