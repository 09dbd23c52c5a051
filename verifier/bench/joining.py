"""Joining two networks: one interval of a leg in binary64 against Arb, and the whole search for a path."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from verifier.balls.binary64.backend import Backend
from verifier.bench.measured import Bench, BenchError, Clock, Sizes, times, wide_problem
from verifier.connect import connect
from verifier.data.arrays import dataset_from_arrays
from verifier.landscape.float_leg_margins import FloatLegMargins
from verifier.landscape.leg_margins import BallLegMargins
from verifier.network.initialise import initialise
from verifier.problem import Problem
from verifier.rank.certify import Stage

CLASSES = 3
INTERVAL = Fraction(0), Fraction(1, 8)
"""The part of a leg that is enclosed."""


def measure_joining(found: Bench, backend: Backend, sizes: Sizes, stage: Stage) -> None:
    """Time one interval of a leg by both engines, and `connect` as a whole."""
    clock, (n, m), d = Clock(found, backend), sizes.joining, sizes.engine_inputs
    network, start, inputs = wide_problem(n, m, d)
    end, size = initialise(network, fan_in=True, seed=n + 1), times(n, m)
    labels = np.arange(n) % CLASSES
    weights = np.random.default_rng(n).normal(size=(network.columns, CLASSES))
    leg = FloatLegMargins(network, start, end, inputs, labels, backend)
    stage(f"a leg in binary64, {size}")
    clock.best(f"leg_fast_{size}", lambda: leg.interval(*INTERVAL).smallest(weights), max(2, sizes.repeats))
    stage(f"a leg in Arb, {size}")
    slow = BallLegMargins(network, start, end, inputs, labels)
    clock.once(f"leg_arb_{size}", lambda: slow.interval(*INTERVAL).smallest(weights))
    stage(f"two networks, {size}")
    data = dataset_from_arrays(inputs, labels)
    a, b = (Problem(data, network, u, weights) for u in (start, end))
    joined = clock.best(f"joined_{size}", lambda: connect(a, b), sizes.repeats)
    if not joined.proved:
        raise BenchError(f"bench: the two networks were not joined ({joined.reason}); there is no time")
    pieces = len(joined.pieces)
    found.parts["joined_seconds_per_piece"] = found.best(f"joined_{size}") / max(1, pieces)
    found.ratios["leg_vs_arb"] = found.best(f"leg_fast_{size}") / found.best(f"leg_arb_{size}")
    found.definitions["leg_vs_arb"] = (
        f"Seconds to enclose Psi and its rate on an eighth of a leg between two points, and to bound the margins of "
        f"{CLASSES} classes, in binary64, divided by those in Arb; N = {n}, M = {m}, {d} inputs. joined_{size}: a "
        "certified path between both points (MC), random output weights at the ends; joined_seconds_per_piece: its "
        f"seconds divided by its {pieces} pieces."
    )
