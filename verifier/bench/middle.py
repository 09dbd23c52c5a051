"""R1 in double-double, between binary64 and Arb, against Arb: a deep square problem, enclosed and proved."""

from __future__ import annotations

import numpy as np

from verifier.balls.binary64.backend import Backend
from verifier.balls.double_double.enclosure import DoubleDoubleEnclosure
from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.bench.measured import Bench, Clock, Sizes, proved
from verifier.network.initialise import initialise
from verifier.network.layers import Dense
from verifier.network.network import Array, Network
from verifier.rank.approx import high_precision_witness
from verifier.rank.certify import Stage
from verifier.rank.double_double_inverse import certify_inverse_pair
from verifier.rank.right_inverse import certify_right_inverse
from verifier.sigma.activations import activation

ARB_BITS = 128
"""Precision of Arb that pairs of about 104 bits are compared with."""


def deep_problem(n: int, depth: int, d: int) -> tuple[Network, Array, Array]:
    """Layers of n tanh units, the last of which are the n features, on n samples of d random multiples of 1/256."""
    sigma = activation("tanh")
    network = Network((d,), tuple(Dense(n, sigma, skip=layer == depth - 1) for layer in range(depth)))
    inputs = np.random.default_rng([n, depth, d]).integers(0, 256, (n, d)) / 256.0
    return network, initialise(network, fan_in=True, seed=n), inputs


def measure_middle(found: Bench, backend: Backend, sizes: Sizes, stage: Stage) -> None:
    """Time the enclosure of Psi and R1 in double-double, and both by Arb."""
    clock, (n, depth), d = Clock(found, backend), sizes.deep, sizes.engine_inputs
    network, u, inputs = deep_problem(n, depth, d)
    size = f"{n}x{n}_depth{depth}"

    def pairs() -> None:
        enclosure = DoubleDoubleEnclosure(network, u, inputs, backend)
        proved(certify_inverse_pair(enclosure), f"R1 in double-double at {size}")

    def arb() -> None:
        features = FeatureEnclosure(network, u, inputs, ARB_BITS)
        witness = proved(high_precision_witness(features, progress), "R3 in Arb")
        proved(certify_right_inverse(features, witness, progress), "R3 in Arb")

    stage(f"R1 in double-double, {n} x {n}, depth {depth}")
    pairs()  # once not counted
    clock.best(f"pairs_{size}", pairs, sizes.repeats)
    progress = stage(f"R3 in Arb, {n} x {n}, depth {depth}")
    clock.once(f"arb_{size}", arb)
    clock.once(f"pairs_{size}", pairs)
    found.ratios["pairs_vs_arb"] = found.best(f"pairs_{size}") / found.best(f"arb_{size}")
    found.definitions["pairs_vs_arb"] = (
        f"Seconds to enclose Psi in double-double and to prove rank N by R1 there, the canary included, divided by "
        f"those to do so in Arb at {ARB_BITS} bits (R3); N = M = {n}, {depth} layers of tanh, {d} inputs."
    )
