"""Planted truth for the tests: an independent forward pass, exact numbers, and networks whose rank is known.

Nothing here uses the package's index tables or ball arithmetic: units are addressed by explicit multi-indices and
scalars are `fractions.Fraction` or mpmath numbers.
"""

from __future__ import annotations

import itertools
import math
import os
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb, fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.sigma.activations import Activation, activation

DIGITS = 100
"""Digits of the mpmath oracle."""

EVERYDAY = 0.3
"""The share of a test's seeds that run every day."""

EXACT = {"identity": lambda t: t, "square": lambda t: t * t, "cubic": lambda t: t * t * t}
"""Activations that map rationals to rationals."""

ORACLE = {
    **EXACT,
    "tanh": mpmath.tanh,
    "sigmoid": lambda t: 1 / (1 + mpmath.exp(-t)),
    "softplus": lambda t: mpmath.log1p(mpmath.exp(t)),
    "arctan": mpmath.atan,
    "erf": mpmath.erf,
    "algebraic": lambda t: t / mpmath.sqrt(1 + t * t),
    "sin": mpmath.sin,
    "gelu": lambda t: t * mpmath.erfc(-t / mpmath.sqrt(2)) / 2,
    "silu": lambda t: t / (1 + mpmath.exp(-t)),
    "exp": mpmath.exp,
    "relu": lambda t: max(t, mpmath.mpf(0)),
    "leaky_relu": lambda t: max(t, t / 100),
    "elu": lambda t: t if t > 0 else mpmath.expm1(t),
    "hard_tanh": lambda t: max(mpmath.mpf(-1), min(mpmath.mpf(1), t)),
}
"""The catalogue, written down a second time."""


def seeds(count):
    """Run a test of a generator ``rng`` with the seeds 0, ..., ``count`` - 1, of which the last ones are ``thorough``.

    The profile ``deep`` takes more, and all of them. The environment can ask for more, too, so that a broken package
    meets enough of them (see `mutation.breaking`).
    """
    deep, least = max(1, settings().max_examples // 40), int(os.environ.get("LEAST_SEEDS", "0"))
    many = max(count * deep, least)
    often = many if deep > 1 or least else math.ceil(EVERYDAY * many)
    found = [pytest.param(k, marks=() if k < often else pytest.mark.thorough) for k in range(many)]
    return pytest.mark.parametrize("rng", found, indirect=True)


def over_seeds(share=1):
    """Run a test of ``seed`` over the profile's examples; slow ones take one in ``share``."""

    def decorate(test):
        examples = max(1, settings().max_examples // share)
        return settings(max_examples=examples)(given(seed=st.integers(0, 2**32 - 1))(test))

    return decorate


def ends(ball):
    """Exact lower and upper end of a finite ball, as fractions."""
    middle, radius = fraction(ball.mid()), fraction(ball.rad())
    return middle - radius, middle + radius


def fraction(exact):
    """Exact value of a finite exact ball, an mpmath number, a float or an integer."""
    if isinstance(exact, arb):
        mantissa, exponent = exact.man_exp()
        return dyadic(int(mantissa), int(exponent))
    if isinstance(exact, mpmath.mpf):
        sign, mantissa, exponent, _ = exact._mpf_
        return (-1) ** sign * dyadic(int(mantissa), int(exponent))
    return Fraction(exact)


def dyadic(mantissa, exponent):
    """``mantissa * 2^exponent``, clipped (monotonically) where no memory would hold it: 0 or +-2^100000."""
    if mantissa == 0 or mantissa.bit_length() + exponent < -100_000:
        return Fraction(0)
    if mantissa.bit_length() + exponent > 100_000:
        return Fraction(2) ** 100_000 * (1 if mantissa > 0 else -1)
    return Fraction(mantissa) * Fraction(2) ** exponent


def contains(ball, value, slack=0):
    """Whether a ball contains an exact value, up to the oracle's own error; if it is not finite, it contains all."""
    if not ball.is_finite():
        return True
    low, high = ends(ball)
    exact = fraction(value)
    return low - Fraction(slack) <= exact <= high + Fraction(slack)


def forward(network: Network, u, inputs, number=Fraction, functions=EXACT):
    """Psi(U) by the definition, layer after layer, unit after unit; a layer is a dictionary from multi-indices."""
    position, parameters = 0, []
    for index, layer in enumerate(network.layers):
        if isinstance(layer, AvgPool):
            parameters.append(None)
            continue
        shapes = [_shape(network, s) for s in network.sources[index]]
        if isinstance(layer, Dense):
            weight_shape: tuple = (layer.width, sum(int(np.prod(s)) for s in shapes))
            bias_shape: tuple = (layer.width,)
        else:
            weight_shape = (layer.filters, sum(s[0] for s in shapes), *layer.kernel)
            bias_shape = (layer.filters,) if layer.bias == "tied" else _shape(network, index)
        pair = []
        for shape in (weight_shape, bias_shape):
            size = int(np.prod(shape))
            flat = u[position : position + size].tolist()
            position += size
            pair.append(dict(zip(itertools.product(*map(range, shape)), map(number, flat), strict=True)))
        parameters.append(tuple(pair))
    assert position == len(u)
    return [_sample(network, parameters, x, number, functions) for x in inputs.tolist()]


def _shape(network, source):
    return network.input_shape if source == "input" else network.shapes[source]


def _sample(network, parameters, x, number, functions):
    cells = list(itertools.product(*map(range, network.input_shape)))
    values = {"input": dict(zip(cells, map(number, x), strict=True))}
    for index, layer in enumerate(network.layers):
        read = [values[s] for s in network.sources[index]]
        shape = _shape(network, index)
        out = {}
        if isinstance(layer, Dense):
            weight, bias = parameters[index]
            flat = [part[cell] for part in read for cell in sorted(part)]
            for j in range(layer.width):
                total = bias[j,]
                for k, z in enumerate(flat):
                    total += weight[j, k] * z
                out[j,] = functions[layer.activation.name](total)
        elif isinstance(layer, Conv):
            weight, bias = parameters[index]
            channels = [(part, c) for part, s in zip(read, network.sources[index], strict=True)
                        for c in range(_shape(network, s)[0])]  # fmt: skip
            for a, *p in itertools.product(*map(range, shape)):
                total = bias[a,] if layer.bias == "tied" else bias[(a, *p)]
                for c, (part, channel) in enumerate(channels):
                    for q in itertools.product(*map(range, layer.kernel)):
                        at = [i * s + o for i, s, o in zip(p, layer.steps, q, strict=True)]
                        cell = (channel, *(x - m for x, m in zip(at, layer.padding or (0, 0), strict=False)))
                        total += weight[(a, c, *q)] * (part.get(cell, number(0)) if layer.padding else part[cell])
                out[(a, *p)] = functions[layer.activation.name](total)
        else:
            for a, *p in itertools.product(*map(range, shape)):
                window = [
                    read[0][(a, *(i * s + o for i, s, o in zip(p, layer.steps, q, strict=True)))]
                    for q in itertools.product(*map(range, layer.kernel))
                ]
                out[(a, *p)] = sum(window) / number(len(window))
        values[index] = out
    row = []
    for index, layer in enumerate(network.layers):
        cells = sorted(values[index])
        if layer.skip is True:
            row += [values[index][cell] for cell in cells]
        elif layer.skip is not False:
            row += [values[index][cells[j]] for j in layer.skip]
    return row


def oracle(network, u, inputs):
    """Psi(U) by mpmath at `DIGITS` digits."""
    with mpmath.workdps(DIGITS):
        return forward(network, u, inputs, mpmath.mpf, ORACLE)


def exact_rank(rows):
    """Exact rank of a matrix of fractions."""
    flat = [fmpq(value.numerator, value.denominator) for row in rows for value in row]
    return int(fmpq_mat(len(rows), len(rows[0]), flat).rank())


def numerical_rank(rows, digits=DIGITS // 2):
    """Rank of a matrix of mpmath numbers by full pivoting; pivots below ``10^-digits`` of the first count as zero."""
    work = [list(row) for row in rows]
    with mpmath.workdps(DIGITS):
        rank, first = 0, None
        free = set(range(len(work)))
        columns = set(range(len(work[0])))
        while free and columns:
            i, j = max(itertools.product(free, columns), key=lambda ij: abs(work[ij[0]][ij[1]]))
            pivot = work[i][j]
            first = abs(pivot) if first is None else first
            if abs(pivot) <= first * mpmath.mpf(10) ** -digits:
                break
            rank += 1
            free.remove(i)
            columns.remove(j)
            for r in free:
                factor = work[r][j] / pivot
                for c in columns:
                    work[r][c] -= factor * work[i][c]
    return rank


def smallest_singular_value(rows):
    """sigma_N of an N x M matrix (N <= M) of mpmath numbers or fractions, by mpmath's SVD."""
    with mpmath.workdps(DIGITS):
        matrix = mpmath.matrix([[mp(v) for v in row] for row in rows])
        values = mpmath.svd_r(matrix, compute_uv=False)
        return min(values)


def mp(value):
    """Return a fraction or any other number as an mpmath number at the working precision."""
    return mpmath.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mpmath.mpf(value)


def dense(widths, names, d, skip=None):
    """A plain fully connected network; ``skip`` lists the layers connected to the outputs (default: the last)."""
    last = len(widths) - 1
    layers = tuple(
        Dense(width, activation(name), skip=(k in skip if skip is not None else k == last))
        for k, (width, name) in enumerate(zip(widths, names, strict=True))
    )
    return Network((d,), layers)


def shuffled_dag(rng, names, *, skip_some=True):
    """A small network with two sources, convolutions, a pool, and skip units from several layers."""

    def pick() -> Activation:
        return activation(str(rng.choice(names)))

    tied = str(rng.choice(["tied", "per-unit"]))
    if rng.integers(2):
        shape = (int(rng.integers(1, 3)), 5)
        layers = (
            Conv(2, (2,), pick(), stride=(int(rng.integers(1, 3)),), bias=tied, skip=bool(rng.integers(2))),
            Conv(1, (2,), pick(), inputs=("input",), stride=(1,), skip=False),
            AvgPool((2,), inputs=(0,), skip=(0,) if skip_some else True),
            Dense(4, pick(), inputs=(1, 2, "input"), skip=(0, 2, 3) if skip_some else True),
        )
    else:
        shape = (1, 4, 3)
        layers = (
            Conv(2, (2, 2), pick(), bias=tied, skip=bool(rng.integers(2))),
            Conv(2, (3, 2), pick(), inputs=("input",), stride=(1, 1), skip=False, bias="tied"),
            AvgPool((2, 1), stride=(1, 2), inputs=(0,), skip=(1,) if skip_some else True),
            AvgPool((1, 2), inputs=(1,), skip=False),
            Dense(3, pick(), inputs=(2, 3), skip=True),
        )
    return Network(shape, layers)


def padded_dag(rng, names):
    """A small network of convolutions with zero padding, the second of two sources, a pool, and a dense layer."""

    def pick() -> Activation:
        return activation(str(rng.choice(names)))

    def bias() -> str:
        return str(rng.choice(["tied", "per-unit"]))

    if rng.integers(2):
        shape = (int(rng.integers(1, 3)), int(rng.integers(2, 5)))
        layers = (
            Conv(2, (3,), pick(), bias=bias(), padding=1, skip=True),
            Conv(2, (2,), pick(), stride=(int(rng.integers(1, 3)),), bias=bias(), inputs=(0, "input"), padding=(1,)),
            AvgPool((2,), stride=(1,), inputs=(1,), skip=(0,)),
            Dense(2, pick(), inputs=(1, 2), skip=True),
        )
    else:
        shape = (1, int(rng.integers(1, 3)), int(rng.integers(2, 4)))
        first = (int(rng.integers(2)) if shape[1] > 1 else 1, int(rng.integers(1, 3)))
        layers = (
            Conv(2, (2, 3), pick(), padding=first, bias=bias(), inputs="input",
                 stride=(1, int(rng.integers(1, 3)))),
            Conv(1, (3, 2), pick(), bias=bias(), inputs=(0,), padding=(2, 1), skip=True),
            Conv(1, (3, 3), pick(), bias=bias(), inputs=("input",), padding=(1, 1), skip=(1,)),
            Dense(2, pick(), inputs=(1, 2), skip=True),
        )  # fmt: skip
    return Network(shape, layers)


def random_parameters(rng, network, scale=1.0, grid=None):
    """Gaussian parameters; with ``grid`` rounded to multiples of ``1/grid`` so that exact arithmetic stays small."""
    u = rng.standard_normal(network.parameter_count) * scale
    return np.round(u * grid) / grid if grid else u


def random_samples(rng, count, network, grid=8):
    """Samples on a grid."""
    return np.round(rng.standard_normal((count, network.dimension)) * grid) / grid
