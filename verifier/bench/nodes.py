"""Enclosures in binary64 against a plain forward pass, one kind of node after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verifier.balls.binary64.backend import Backend
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.bench.measured import Bench, Clock, NodeSizes, Sizes, enclosed
from verifier.network.blocks.base import Wired
from verifier.network.blocks.norms import LayerNorm
from verifier.network.blocks.plain import Activate, Flatten, Linear
from verifier.network.blocks.sequences import MultiHeadAttention
from verifier.network.forward import approx_features
from verifier.network.initialise import initialise
from verifier.network.layers import Conv, Dense
from verifier.network.network import Array, Network
from verifier.rank.certify import Stage
from verifier.sigma.activations import activation

Blocks = Sequence[Wired | Dense | Conv]


def chains(sizes: NodeSizes) -> dict[str, tuple[tuple[int, ...], Blocks]]:
    """Short networks with the node that is measured: the shape of a sample, and the blocks.

    Parameters
    ----------
    sizes : NodeSizes
        How large they are.

    Returns
    -------
    dict
        By the name of the kind.
    """
    tokens, width = sizes.tokens, sizes.width
    sequence, image = (tokens, width), (1, sizes.pixels, sizes.pixels)
    mixed, wide = Linear(width), Linear(tokens * width, over="all")
    end = Flatten(skip=True)
    return {
        "affine": (sequence, (wide, end)),
        "convolution": (image, (Conv(sizes.filters, (3, 3), activation("t"), padding=1), end)),
        "map": (sequence, (mixed, Activate("tanh"), end)),
        "normalise": (sequence, (mixed, LayerNorm(), end)),
        "attend": (sequence, (mixed, MultiHeadAttention(heads=sizes.heads), end)),
    }


def measure_nodes(found: Bench, backend: Backend, sizes: Sizes, stage: Stage) -> None:
    """Time enclosing Psi and computing it without a bound, for each kind of node, in turn."""
    clock = Clock(found, backend)
    for kind, (shape, blocks) in chains(sizes.nodes).items():
        stage(f"enclosing {kind}")
        network = Network(shape, list(blocks))
        n = sizes.nodes.samples
        inputs = np.random.default_rng(n).integers(0, 256, (n, int(np.prod(shape)))) / 256.0
        u = initialise(network, fan_in=True, seed=n)
        _in_turn(clock, kind, network, u, inputs, sizes.repeats)
        found.ratios[f"{kind}_vs_forward"] = found.best(f"enclose_{kind}") / found.best(f"forward_{kind}")
    what = sizes.nodes
    found.definitions["..._vs_forward"] = (
        f"Seconds to enclose Psi in binary64, bounds of all errors and the canary's tests included, divided by those "
        f"of a plain forward pass with NumPy's own functions, of a network of one such node (attend, map and normalise "
        f"after a linear map); N = {what.samples}, {what.tokens} tokens of {what.width} channels, or images of "
        f"{what.pixels} x {what.pixels} pixels and {what.filters} filters."
    )


def _in_turn(clock: Clock, kind: str, network: Network, u: Array, inputs: Array, repeats: int) -> None:
    """Both passes one after the other, so that other work on the machine slows both or none; once not counted."""
    enclosed(FloatEnclosure(network, u, inputs, clock.backend))
    approx_features(network, u, inputs)
    for _ in range(repeats):
        clock.once(f"forward_{kind}", lambda: approx_features(network, u, inputs))
        clock.once(f"enclose_{kind}", lambda: enclosed(FloatEnclosure(network, u, inputs, clock.backend)))
