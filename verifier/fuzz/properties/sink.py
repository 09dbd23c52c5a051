"""Properties of the paths that never go up (S, S(1), S(2), S+): the proofs carried out step by step in exact rationals.

Units are freed, moved and exchanged as the proofs say, and every step is looked at: the logits must stay the same,
number for number, and the rank must grow. Nothing of the prover is used but its verdict and the layer that it names.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
from flint import fmpq, fmpq_mat
from hypothesis import strategies as st

from verifier.balls.engine import FIRST_BITS
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.fuzz import oracle
from verifier.fuzz.oracle import Matrix
from verifier.fuzz.properties.core import Falsified, holds_for
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import ParameterKind, Samples, activations, datasets, parameters, specimens, starts
from verifier.landscape.sink_start import prove_sink_start
from verifier.network.graph import Feature
from verifier.network.initialise import initialise
from verifier.network.network import Array, Network
from verifier.rank.sink import prove_sink
from verifier.run.layer_tables import build_layers

SCALES = (1.0, 4.0, 0.25, 32.0)
"""Of weights that are tried: kinks of hard tanh lie 2 apart."""
DIRECTIONS = 6
"""Directions of weights that are tried before a unit counts as one that cannot leave."""
SEEDS = (31, 32)
"""Of random U, for what holds at almost every one."""


KINDS: tuple[ParameterKind, ...] = ("integers", "degenerate", "structured")
NAMES = activations("rational") | st.sampled_from(["relu", "leaky_relu", "hard_tanh", "abs(t)"])


def _data() -> st.SearchStrategy[Samples]:
    return datasets(max_samples=4, max_dimension=2, kinds=("integers", "dyadic"))


def _one_layer() -> st.SearchStrategy[Specimen]:
    return specimens(
        data=_data(), activations=NAMES, parameter_kinds=KINDS, max_layers=1, wide=True, convolutions=False
    )


@st.composite
def _two_layers(draw: st.DrawFn) -> Specimen:
    """A narrow layer below a wide one, at starts where many units are dead or equal."""
    inputs, labels = draw(_data())
    lower = {"kind": "dense", "width": draw(st.integers(1, 3)), "activation": draw(NAMES), "skip": False}
    wide = {"kind": "dense", "width": len(inputs) + draw(st.integers(-1, 1)), "activation": draw(NAMES), "skip": True}
    layers = (lower, wide)
    network = Network(inputs.shape[1], build_layers(layers))
    u = draw(parameters(network, kinds=KINDS))
    return Specimen(inputs, labels, layers, u, draw(starts(network, int(labels.max()) + 1)))


def _any() -> st.SearchStrategy[Specimen]:
    random = specimens(data=_data(), activations=NAMES, parameter_kinds=KINDS, max_layers=3, wide=True)
    return _two_layers() | random


@dataclass
class Walk:
    """A walk through parameter space, exact: U as floats, V as rationals ``(M, m)``."""

    network: Network
    node: int
    x: Array
    u: Array
    v: Matrix

    def __post_init__(self) -> None:
        """Find the columns of the layer's units, in order; the others are those that stay."""
        columns: list[tuple[int, int]] = []
        for feature in self.network.features:
            size = int(np.prod(self.network.node_shapes[feature.node]))
            columns += [(feature.node, k) for k in (range(size) if feature.entries is None else feature.entries)]
        self.units = {column: entry for column, (node, entry) in enumerate(columns) if node == self.node}
        self.others = [column for column in range(len(columns)) if column not in self.units]
        inner = self.network.nodes[self.network.nodes[self.node].reads[0]]
        views = {view.node: view for view in self.network.parameters}
        self.sources, (self.weight, self.bias) = inner.reads[:-2], (views[read] for read in inner.reads[-2:])
        self.psi = oracle.exact_features(self.network, self.u, self.x)
        self.logits = oracle.times(self.psi, self.v)

    def weights_of(self, column: int) -> tuple[Array, float]:
        """The weights and the bias of a unit."""
        unit = self.units[column]
        return self.weight.of(self.u)[unit].copy(), float(self.bias.of(self.u).ravel()[unit])

    def move(self, column: int, weight: Array, bias: float) -> None:
        """Give a unit other weights; the logits must not change, at the end nor half-way."""
        start, unit = self.u.copy(), self.units[column]
        self.weight.of(self.u)[unit] = weight
        self.bias.of(self.u).ravel()[unit] = bias
        half = start + 0.5 * (self.u - start)
        for u in (half, self.u):
            self.psi = oracle.exact_features(self.network, u, self.x)
            if oracle.times(self.psi, self.v) != self.logits:
                raise Falsified(f"column {column} of Psi is free, and the logits change when its unit moves")

    def settle(self, first: Sequence[int]) -> list[int]:
        """Move V to a column basis, these columns as far as possible, at constant logits; return the basis."""
        order = [*first, *(column for column in range(len(self.v)) if column not in first)]
        rows, columns = len(self.psi), len(order)
        reduced, rank = fmpq_mat(rows, columns, [row[column] for row in self.psi for column in order]).rref()
        entries = reduced.tolist()
        pivots = [next(k for k in range(columns) if entries[i][k] != 0) for i in range(rank)]
        outputs = range(len(self.v[0]))
        settled = [[fmpq(0) for _ in outputs] for _ in order]
        for i, pivot in enumerate(pivots):
            parts = [(entries[i][k], self.v[column]) for k, column in enumerate(order) if entries[i][k] != 0]
            settled[order[pivot]] = [sum((a * row[k] for a, row in parts), fmpq(0)) for k in outputs]
        self.v = settled
        if oracle.times(self.psi, self.v) != self.logits:
            raise Falsified("V moved to a column basis changes the logits")
        return [order[pivot] for pivot in pivots]

    def free(self, basis: Sequence[int]) -> int:
        """A unit that V does not use."""
        found = next((column for column in self.units if column not in basis), None)
        if found is None:
            raise Falsified(f"no unit is free: the basis has {len(basis)} columns, the layer {len(self.units)} units")
        return found

    def go_down(self) -> None:
        """Make Psi of full row rank at constant logits."""
        constant = [column for column in self.others if len({str(row[column]) for row in self.psi}) == 1]
        basis = self.settle(constant)
        while len(basis) < len(self.x):
            column, rank = self.free(basis), len(basis)
            if not any(self._leaves(column, basis, weight, bias) for weight, bias in self._values()):
                raise Falsified(f"no weights were found at which column {column} leaves a span of dimension {rank}")
            basis = self.settle([*basis, column])

    def _leaves(self, column: int, basis: Sequence[int], weight: Array, bias: float) -> bool:
        self.move(column, weight, bias)
        chosen = [*basis, column]
        entries = [row[k] for row in self.psi for k in chosen]
        return int(fmpq_mat(len(self.psi), len(chosen), entries).rank()) == len(chosen)

    def _values(self) -> Iterator[tuple[Array, float]]:
        """Weights whose hyperplanes pass between the samples, and through them."""
        stop = max(self.sources) + 1
        lower = [view.of(self.u).ravel() for view in self.network.parameters if view.node < stop]
        below = Network.of(self.network.nodes[:stop], [Feature(source) for source in self.sources])
        read = oracle.exact_features(below, np.concatenate([np.zeros(0), *lower]), self.x)
        h = np.array([[int(value.p) / int(value.q) for value in row] for row in read])
        rng = np.random.default_rng(5)
        for _ in range(DIRECTIONS):
            weight = rng.integers(-7, 8, h.shape[1]).astype(float)
            z = np.sort(h @ weight)
            cuts = [*((a + b) / 2 for a, b in itertools.pairwise(z.tolist())), float(z[0]) - 1.0, 0.0]
            for cut, scale, shift, sign in itertools.product(cuts, SCALES, (0.0, 0.5, -1.0), (1.0, -1.0)):
                yield sign * scale * weight, sign * scale * -cut + shift


def _walk(specimen: Specimen, node: int | None, u: Array, v: Array) -> Walk:
    if node is None:
        raise Falsified("it is PROVED, and no layer is named")
    numerators = [[value.as_integer_ratio() for value in row] for row in v.tolist()]
    exact = [[fmpq(*pair) for pair in row] for row in numerators]
    return Walk(specimen.network, node, np.unique(specimen.inputs, axis=0), u.copy(), exact)


@holds_for(_any)
def paths_that_never_go_up(specimen: Specimen) -> str:
    """Where S, S(1) or S(2) is PROVED, units move one by one to full rank, the logits at rest, in exact rationals."""
    network, x = specimen.network, np.unique(specimen.inputs, axis=0)
    if not oracle.is_rational(network):
        return "not rational"
    found = prove_sink(network, len(x))
    if found.everywhere.proved:
        node, points, word = found.everywhere.node, [specimen.u], "S(1)"
    elif found.almost_everywhere.proved:
        points = [initialise(network, seed=seed) for seed in SEEDS]
        node, word = found.almost_everywhere.node, "S(2)"
    else:
        here = prove_sink_start(network, specimen.u, FeatureEnclosure(network, specimen.u, x, FIRST_BITS))
        if not here.proved:
            return str(here.verdict)
        node, points, word = here.node, [specimen.u], "S"
    for u in points:
        _walk(specimen, node, u, specimen.v).go_down()
    return word


@holds_for(_one_layer)
def connected_sublevel_sets(specimen: Specimen) -> str:
    """Where S+ is PROVED, two points are joined by exchanging units, no loss above both ends, in exact rationals."""
    network, x = specimen.network, np.unique(specimen.inputs, axis=0)
    if not oracle.is_rational(network):
        return "not rational"
    found = prove_sink(network, len(x)).connected
    if not found.proved:
        return str(found.verdict)
    other = np.rint(4 * initialise(network, seed=SEEDS[0])) / 2
    first = _walk(specimen, found.node, specimen.u, specimen.v)
    last = _walk(specimen, found.node, other, np.rint(3 * np.cos(np.arange(specimen.v.size))).reshape(specimen.v.shape))
    first.go_down()
    last.go_down()
    _exchange(first, last, specimen)
    return "PROVED"


def _exchange(first: Walk, last: Walk, specimen: Specimen) -> None:
    """Walk from one point of full row rank to another, as the proof of S+ does."""
    ones = list(first.others)
    goal = last.settle(ones)
    carriers: dict[int, int] = {}  # of the last point's basis: where its columns are now
    basis = first.settle(ones)
    for column in goal:
        if column not in ones:
            carriers[column] = first.free(basis)
            first.move(carriers[column], *last.weights_of(column))
            basis = first.settle([*ones, *carriers.values()])
            if carriers[column] not in basis:
                raise Falsified("a column of the last point's basis does not replace one of the first's")
    _straight(first, {carriers.get(column, column): last.v[column] for column in goal}, specimen, last.logits)
    while any(column != at for column, at in carriers.items()):
        column = next(column for column, at in carriers.items() if column != at)
        occupant = next((other for other, at in carriers.items() if at == column), None)
        moved, target = (column, column) if occupant is None else (occupant, first.free([*ones, *carriers.values()]))
        first.move(target, *first.weights_of(carriers[moved]))
        first.v[target], first.v[carriers[moved]] = first.v[carriers[moved]], first.v[target]
        carriers[moved] = target
        if oracle.times(first.psi, first.v) != first.logits:
            raise Falsified("a carrier that moves to its place changes the logits")
    for column in first.units:
        if column not in carriers:
            first.move(column, *last.weights_of(column))
    if not np.array_equal(first.u, last.u) or oracle.times(first.psi, last.v) != first.logits:
        raise Falsified("the walk does not end where it should")


def _straight(walk: Walk, rows: dict[int, list[fmpq]], specimen: Specimen, logits: Matrix) -> None:
    """Move V straight to given rows; the losses must stay below the larger of their end values."""
    start, zero = walk.v, [fmpq(0)] * len(walk.v[0])
    walk.v = [rows.get(column, zero) for column in range(len(start))]
    before, walk.logits = walk.logits, oracle.times(walk.psi, walk.v)
    if walk.logits != logits:
        raise Falsified("V does not reach the logits of the last point")
    labels = [k % len(zero) for k in range(len(logits))]
    with mpmath.workdps(40):
        ends = [_losses(values, labels) for values in (before, logits)]
        for t in (fmpq(1, 4), fmpq(1, 2), fmpq(3, 4)):
            pairs = [list(zip(a, b, strict=True)) for a, b in zip(before, logits, strict=True)]
            there = _losses([[(1 - t) * a + t * b for a, b in row] for row in pairs], labels)
            if any(loss > max(two) * (1 + mpmath.mpf(10) ** -30) for loss, *two in zip(there, *ends, strict=True)):
                raise Falsified(f"a convex loss at {t} of the straight part is above both ends")


def _losses(logits: Matrix, labels: Sequence[int]) -> list[mpmath.mpf]:
    """Cross-entropy, and the squared distance from 1."""
    real = [[mpmath.mpf(int(value.p)) / int(value.q) for value in row] for row in logits]
    return [
        oracle.approx_loss_to(real, labels, [1] * len(labels)),
        mpmath.fsum((g - 1) ** 2 for row in real for g in row),
    ]
