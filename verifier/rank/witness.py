"""W1, W2, W3: parameters at which Psi has full rank by construction, for any number of samples.

All samples are put in the order of ``z_i = <a, x_i>``. N columns ``sigma(w z_i + b_j)`` with thresholds between
neighbouring samples are then close to a matrix T that is triangular up to constants and whose inverse is known, so
that ``rank Psi = N`` follows from 2N entries: cost O(N d + N log N), memory O(N). A chain of units, one per layer,
carries an increasing function of z to deeper layers (W3).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from verifier.balls.engine import FIRST_BITS
from verifier.balls.exact import Dyadic, ExactArray, at_least, at_most
from verifier.balls.feature_enclosure import Progress
from verifier.balls.precision import working_precision
from verifier.data.samples import SampleSource
from verifier.display import Card, Decided, Shown
from verifier.errors import DataError, PrecisionError, needs
from verifier.network.flags import flags_of
from verifier.network.network import Array, Network
from verifier.network.units import dense_units
from verifier.rank.certify import silent
from verifier.rank.witness_columns import IntArray, plan_columns
from verifier.rank.witness_proof import Block, WitnessProof, certify_columns
from verifier.rank.witness_values import Link, bits_that_show, order_samples
from verifier.verdict import Verdict

DEFAULT_MAX_BITS = 1024
"""The last precision, of 64, 128, ...; a case that needs more is left undecided."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WitnessResult(Decided, Shown):
    """Parameters at which Psi has full row rank, or why none were found.

    Guarantee: ``PROVED`` implies that Psi has rank N at these parameters, whatever those of the other units are, with
    ``sigma_N >= sigma_lower``; the same at all parameters that differ by at most ``radius`` each (unless None).
    ``REFUTED`` implies that the samples ``equal`` are the same, so that rank Psi < N for every U.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> found = vf.prove_witness(network, vf.SampleSource("equal samples", np.zeros((2, 1))))
    >>> found.proved, found.equal
    (False, (0, 1))
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

    def _card(self) -> Card:
        values = [("construction", self.label), ("N", str(self.samples))]
        for name, bound in (("sigma_N >=", self.sigma_lower), ("radius", self.radius)):
            values += [] if bound is None else [(name, at_least(bound))]
        if self.blocks:
            values += [("chain units", str(len(self.chain)))] if self.chain else []
            values.append(("columns", " + ".join(str(block.units.size) for block in self.blocks)))
        title = "An explicit U of full rank"
        return Card(title, str(self.verdict), self.reason, (*values, ("seconds", f"{self.seconds:.1f}")))

    def parameters(self, network: Network) -> Array:
        """Return the witness as a flat vector U of shape (p,); all other parameters are 0.

        Raises
        ------
        PrecisionError
            Nothing was proved, or a number is not a binary64.
        """
        if self.verdict is not Verdict.PROVED or self.direction is None:
            raise PrecisionError("no witness was proved, so it has no parameters")
        u, layers = np.zeros(network.parameter_count), dense_units(network)
        before = [0, *(link.node for link in self.chain)]
        columns = [(block.node, block.units.tolist(), block.links, block.weight, block.biases) for block in self.blocks]
        for depth, link in enumerate(self.chain):
            bias = ExactArray.of_integers([link.bias.mantissa], (1,), link.bias.exponent)
            columns.append((link.node, [link.unit], depth, link.weight, bias))
        for node, units, depth, weight, biases in columns:
            layer = layers[node]
            place = layer.sources.index(before[depth])
            start = sum(math.prod(network.node_shapes[source]) for source in layer.sources[:place])
            rows = network.view(u, layer.weight)
            if depth == 0:
                row = [_binary64(weight.fraction() * int(entry)) for entry in self.direction]
                rows[units, start : start + len(row)] = row
            else:
                rows[units, start + self.chain[depth - 1].unit] = _binary64(weight.fraction())
            numbers, exponent = biases.integers()
            scale = Fraction(2) ** exponent
            network.view(u, layer.bias)[units] = [_binary64(number * scale) for number in numbers]
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
        Any network; columns are taken from dense layers with weights of their own that read the input, or a chain of
        such layers, whatever the other nodes are. An output bias is no such column: N units make Psi, hence [Psi | 1],
        of full rank.
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
        Guarantee: that of `WitnessResult`. ``UNDECIDED`` says why the construction does not apply; that says nothing
        about the rank.

    Raises
    ------
    DataError
        The samples do not have the network's dimension, or are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import verifier as vf
    >>> network = vf.Network((1,), (vf.Dense(3, vf.activation("tanh"), skip=True),))
    >>> u, x = vf.initialise(network, seed=1), np.array([[0.0], [0.5], [1.0]])
    >>> found = vf.prove_witness(network, vf.SampleSource("three points", x))
    >>> found.proved, found.label, found.parameters(network).shape
    (True, 'W1', (6,))
    """
    needs(source, "SampleSource", "project", "source", 'make one: SampleSource("name", X)')
    began = time.perf_counter()
    n = source.samples

    def finish(verdict: Verdict, reason: str, **found: Any) -> WitnessResult:
        label = found.pop("label", "")
        return WitnessResult(verdict, label, reason, n, time.perf_counter() - began, **found)

    if source.dimension != network.dimension:
        raise DataError(f"samples have {source.dimension} coordinates, the network's input has {network.dimension}")
    units = network.columns - int(network.output_bias)
    if units < n:
        return finish(Verdict.UNDECIDED, f"only {units} skip units for {n} samples")
    partial = flags_of(network).undefined
    if partial:
        return finish(Verdict.UNDECIDED, f"Psi(U) must exist for every U, and {partial[0]} everywhere")
    plan = plan_columns(network, n)
    if plan is None:
        return finish(
            Verdict.UNDECIDED,
            f"no {n} skip units in dense layers with a bounded monotone activation (W1), or in one layer with softplus "
            "(W2), that read the input or a chain of dense units",
        )
    stage("projecting the samples")
    ordered = order_samples(source, seed)
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
            found = certify_columns(source, plan, ordered)
        if isinstance(found, WitnessProof):
            return finish(
                Verdict.PROVED,
                _in_words(n, found),
                label=found.label,
                precision=max(bits, bits_that_show(ordered)),
                direction=ordered.direction,
                chain=found.chain,
                blocks=found.blocks,
                radius=found.radius,
                sigma_lower=found.sigma_lower,
                q=found.q,
            )
        reason, bits = found, 2 * bits
    return finish(Verdict.UNDECIDED, f"not certified with {max_bits} bits: {reason}")


def _in_words(columns: int, found: WitnessProof) -> str:
    blocks = f" in {len(found.blocks)} blocks" if len(found.blocks) > 1 else ""
    chain = f", through a chain of {len(found.chain)} below," if found.chain else ""
    shape = "triangular" if found.label == "W1" else "ramp"
    q = at_most(found.q, below=1)
    return f"{columns} columns{blocks}{chain} are within q <= {q} < 1 of a {shape} matrix, in its inverse's norm"


def _binary64(value: Fraction) -> float:
    number = float(value)
    if Fraction(number) != value:
        raise PrecisionError("a parameter of the witness has more than 53 bits, so no binary64 vector holds it")
    return number
