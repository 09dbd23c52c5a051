"""Problems and matrices whose truth is known, for the tests of several rooms."""

from __future__ import annotations

import json
import tempfile
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
from flint import arb, arb_mat
from planted import (
    DIGITS,
    EXACT,
    dense,
    ends,
    mp,
    oracle,
    padded_dag,
    random_parameters,
    random_samples,
    shuffled_dag,
)

from verifier.balls import exact
from verifier.balls import feature_enclosure as features
from verifier.balls.exact import Dyadic, ExactArray
from verifier.certificate.writer import CertificateBuilder
from verifier.checker import container, schema
from verifier.checker import network as checker_network
from verifier.checker.certificate import check_file
from verifier.data.dataset import Dataset
from verifier.landscape import loss_path, losses, neighbourhood, pointwise, zero_loss
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank import certify, deficiency
from verifier.sigma.activations import activation

TIGHT = Fraction(1, 10**60)
"""Relative error granted to the mpmath oracle."""


def random_ball(rng, *, top=40):
    """A ball with exponents of all sizes; one in six is exact."""
    middle = arb((int(rng.integers(-(2**53), 2**53)), int(rng.integers(-top - 53, top - 53))))
    if rng.integers(6) == 0:
        return middle
    return middle + arb(0, arb((int(rng.integers(1, 2**20)), int(rng.integers(-top - 20, top - 20)))))


def inner_points(ball, count=3):
    """Both ends of a finite ball and points between them."""
    low, high = ends(ball)
    return [low + (high - low) * Fraction(k, count + 1) for k in range(count + 2)]


def planted_enclosure(matrix, radius=0):
    """An enclosure that is given, not computed: a Psi of known entries, each blown up by ``radius``."""

    class Planted:
        precision = 64
        samples, columns = len(matrix), len(matrix[0])

        def blocks(self, progress=None):
            balls = [arb(float(v), radius) for row in matrix for v in row]
            half = max(self.samples // 2, 1)
            for start, stop in ((0, half), (half, self.samples)):
                if stop > start:
                    part = balls[start * self.columns : stop * self.columns]
                    yield slice(start, stop), arb_mat(stop - start, self.columns, part)

    return Planted()


def reflection(rng, n):
    """An integer symmetric matrix H with ``H H^T = h^2 I``, and h."""
    v = rng.integers(-3, 4, n).astype(object)
    v[int(rng.integers(n))] += 4
    h = int(v @ v)
    return h * np.eye(n, dtype=int).astype(object) - 2 * np.outer(v, v), h


def planted_singular_values(rng, sigma, shape):
    """An exact matrix of a shape with singular values in the ratios of the given integers, and these values."""
    n, m = shape
    matrix = np.zeros(shape, dtype=object)
    matrix[range(len(sigma)), rng.permutation(m)[: len(sigma)] if n <= m else range(len(sigma))] = sigma
    scale = 1
    for _ in range(2):
        (left, x), (right, y) = reflection(rng, n), reflection(rng, m)
        matrix, scale = left.dot(matrix).dot(right), scale * x * y
    exponent = int(rng.integers(-60, 60))
    truth = sorted((abs(int(v)) * scale * Fraction(2) ** exponent for v in sigma), reverse=True)
    return exact.ExactArray.of_integers([int(v) for v in matrix.ravel()], shape, exponent), truth


def small_problem(rng, *, n=6, m=8, classes=3, scale=1.0, name="tanh"):
    """Random features with room for every labelling."""
    net = dense([m], [name], 2)
    u, x = random_parameters(rng, net, scale=2.0), random_samples(rng, n, net)
    x[:, 0] = np.arange(n) / 2  # distinct samples: every labelling can be separated
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    v0 = scale * rng.standard_normal((m, classes))
    return features.FeatureEnclosure(net, u, x, 64), labels.astype(np.int64), v0


def oracle_margins(enclosure, v, labels):
    """Margins at 100 digits; ``v`` holds fractions."""
    psi = oracle(enclosure.network, enclosure.u, enclosure.inputs)
    with mpmath.workdps(DIGITS):
        out = []
        for row, y in zip(psi, labels.tolist(), strict=True):
            g = [mpmath.fsum(p * mp(c) for p, c in zip(row, column, strict=True)) for column in zip(*v, strict=True)]
            out.append([g[y] - g[k] for k in range(len(g)) if k != y])
        return out


def fractions_of(array):
    """Entries of an exact two-dimensional array."""
    numerators, exponent = array.integers()
    rows, columns = array.shape
    flat = [n * Fraction(2) ** exponent for n in numerators]
    return [flat[i * columns : (i + 1) * columns] for i in range(rows)]


SMOOTH = ("tanh", "sigmoid", "softplus", "arctan", "erf", "algebraic", "sin", "gelu", "silu")


def inside_float(ball, value, slack):
    return abs(value - float(ball.mid())) <= float(ball.rad()) + slack * (1 + abs(value))


def smooth_network(rng):
    a, b, c = (activation(name) for name in rng.choice(SMOOTH, 3))
    layers = (
        Conv(2, (2, 2), a, (1, 1), "per-unit" if rng.integers(2) else "tied", skip=True),
        AvgPool((2, 2), (1, 1), skip=(0, 3)),
        Dense(3, b, inputs=("input", 1), skip=(0, 2)),
        Dense(2, c, inputs=(2, 0), skip=True),
    )
    return Network((1, 4, 4), layers)


CURVES = {
    "tanh": (mpmath.tanh, lambda t: mpmath.sech(t) ** 2),
    "sigmoid": (lambda t: 1 / (1 + mpmath.exp(-t)), lambda t: mpmath.exp(-t) / (1 + mpmath.exp(-t)) ** 2),
    "softplus": (lambda t: mpmath.log1p(mpmath.exp(t)), lambda t: 1 / (1 + mpmath.exp(-t))),
    "arctan": (mpmath.atan, lambda t: 1 / (1 + t * t)),
    "erf": (mpmath.erf, lambda t: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-t * t)),
    "sin": (mpmath.sin, mpmath.cos),
    "square": (lambda t: t * t, lambda t: 2 * t),
    "identity": (lambda t: t, lambda t: mpmath.mpf(1)),
    "algebraic": (lambda t: t / mpmath.sqrt(1 + t * t), lambda t: (1 + t * t) ** mpmath.mpf(-1.5)),
    "gelu": (
        lambda t: t * mpmath.ncdf(t),
        lambda t: mpmath.ncdf(t) + t * mpmath.npdf(t),
    ),
}
"""Activations and their derivatives, written down a second time."""


def truth(name, g, label):
    """The loss at exact logits: a fraction for the rational ones, else an mpmath number."""
    others = [k for k in range(len(g)) if k != label]
    if name == "squared":
        return sum((x - (k == label)) ** 2 for k, x in enumerate(g)) / 2
    if name == "weston-watkins":
        return sum(max(Fraction(0), 1 - g[label] + g[k]) for k in others)
    if name == "crammer-singer":
        return max(Fraction(0), *(1 - g[label] + g[k] for k in others))
    if name == "cross-entropy":
        return mpmath.log1p(mpmath.fsum(mpmath.exp(mp(g[k] - g[label])) for k in others))
    parts = [mpmath.log1p(mpmath.exp(mp(g[k]))) for k in others]
    return mpmath.log1p(mpmath.exp(-mp(g[label]))) + mpmath.fsum(parts)


def random_problem(rng, *, name="square", n=4, m=7, classes=3):
    """Exact features (or tanh), distinct samples, labels, and V0; full rank with room."""
    net = dense([m], [name], 2)
    u, x = random_parameters(rng, net, scale=1.0), random_samples(rng, n, net)
    u, x = np.round(u * 64) / 64, np.round(x * 8) / 8
    x[:, 0] = np.arange(n) / 2
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, n)])[:n].astype(np.int64)
    v0 = np.round(rng.standard_normal((m, classes)) * 16) / 16
    return features.FeatureEnclosure(net, u, x, 64), labels, ExactArray.of_floats(v0)


def phi(name, psi, v, counts, factors):
    """The loss at exact features and weights, as an mpmath number."""
    total = mpmath.mpf(0)
    for row, count in zip(psi, counts.tolist(), strict=True):
        logits = [sum(p * column[k] for p, column in zip(row, v, strict=True)) for k in range(len(v[0]))]
        total += mpmath.fsum(
            c * mp(f) * mp(truth(name, logits, y)) for y, (c, f) in enumerate(zip(count, factors, strict=True)) if c
        )
    return total / int(counts.sum())


def random_counts(rng, labels, classes, conflict):
    """Label counts, with or without conflicts, and the multiplicities."""
    counts = np.zeros((len(labels), classes), dtype=np.int64)
    counts[np.arange(len(labels)), labels] = rng.integers(1, 4, len(labels))
    if conflict:
        counts[0] += rng.integers(0, 3, classes)
        counts[-1, (labels[-1] + 1) % classes] += 1
    return counts


def certified(rng, conflict=False, name="tanh", classes=3, ranked=True):
    """A data set, and a builder with R1, Z2, C1, C3 and every TC.3 that was proved; V0's numbers for the oracle."""
    enclosure, labels, v0 = random_problem(rng, name=name, classes=classes)
    counts = random_counts(rng, labels, classes, conflict)
    many = counts.sum(axis=1)
    data = Dataset("planted", enclosure.inputs, None if conflict else labels, classes, many)
    builder = CertificateBuilder(data, enclosure.network, enclosure.u, with_labels=not conflict)
    rank, sharp = certify.prove_rank(enclosure)
    if ranked:
        builder.add_rank(rank)
    if not conflict:
        zero = zero_loss.prove_zero_loss(sharp, labels, classes, witness=rank.witness)
        ball = neighbourhood.certified_ball(
            enclosure.network, enclosure.u, enclosure.inputs, zero.weights, zero.gamma, precision=zero.precision
        )
        builder.add_ball(ball)
        builder.add_not_stationary(
            pointwise.prove_not_stationary(sharp, rank.bound.sigma_lower, v0, labels, many.tolist())
        )
        builder.add_curvature(pointwise.prove_curvature(sharp, v0, labels, many.tolist()))
    for number, loss in enumerate(losses.LOSSES):
        weights = [Dyadic(int(w), -1) for w in rng.integers(1, 5, classes)] if number % 2 else None
        given = counts if conflict else labels
        builder.add_loss_path(
            loss_path.prove_loss_path(
                sharp, loss, v0, given, many.tolist(), rank.witness, class_weights=weights, max_bits=128
            )
        )
    return builder


def padded_problem(rng, names=tuple(EXACT)):
    """A padded network, parameters and samples on grids."""
    net = padded_dag(rng, names)
    return net, random_parameters(rng, net, grid=16), random_samples(rng, 3, net)


PATCHES = np.array([[0.0, 0.0], [1.0, 1.0]])
"""The two samples of the paper's setting with a tied bias."""


def data_of(rows):
    """A data set without labels."""
    return Dataset("toy", np.asarray(rows, dtype=float), None, 2)


def one_pixel(bias, name="tanh", filters=1):
    """One-pixel filters on two positions."""
    return Network((1, 2), (Conv(filters, (1,), activation(name), bias=bias, skip=True),))


def free_network(rng):
    """A small network with tied biases, polynomials, pools, equal and constant coordinates, and samples for it."""
    names = ["square", "identity", "cubic", "tanh", "sigmoid"]
    if rng.integers(2):
        net = shuffled_dag(rng, [str(n) for n in rng.choice(names, 2)])
    else:
        depth = int(rng.integers(1, 3))
        net = dense([2] * (depth - 1) + [8], [str(n) for n in rng.choice(names[:4], depth)], 3, skip=range(depth))
    x = random_samples(rng, int(rng.integers(2, 8)), net, grid=2)
    change = rng.integers(4)
    if change == 1:
        x[:] = x[:, :1]
    elif change == 2:
        x[:, rng.random(net.dimension) < 0.7] = 0.5
    elif change == 3:
        x[-1] = x[0]
    return net, x


def checked(builder):
    """Return what the checker says of a certificate."""
    with tempfile.TemporaryDirectory() as folder:
        return check_file(str(builder.write(Path(folder) / "c.json")), 1)


def claiming(net, u, x, claim):
    """Return the certificate of one deficiency."""
    builder = CertificateBuilder(data_of(x), net, u, with_labels=False)
    builder.add_deficiency(claim)
    return builder


def as_read(net, u, x):
    """Return a network at a U as the checker reads it."""
    with tempfile.TemporaryDirectory() as folder:
        path = claiming(net, u, x, deficiency.Deficiency("every-u", 1, "")).write(Path(folder) / "c.json")
        document, arrays = json.loads(path.read_text()), container.Arrays(path.with_suffix(".safetensors").read_bytes())
    inputs = arrays.exact(schema.read(schema.ARRAY, document["data"]["inputs"], "/data/inputs"), *x.shape)
    raw = schema.read(schema.NETWORK, document["network"], "/network")
    return checker_network.read_network(raw, inputs, *x.shape, arrays)


def every_u_outcome(net, x, rank):
    """The checker's answer to the claim that rank Psi(U) <= ``rank`` for every U; the stored weights are 0."""
    return checked(claiming(net, np.zeros(net.parameter_count), x, deficiency.Deficiency("every-u", rank, "")))


def checker_bound(net, x):
    """The smallest rank for every U that the checker accepts, N if it accepts none."""
    bound = len(x)
    while bound > 0 and every_u_outcome(net, x, bound - 1).verdict == "ACCEPTED":
        bound -= 1
    return bound


def mp_sigmoid(t):
    return 1 / (1 + mpmath.exp(-t))


STEPS = {
    "tanh(t)": (mpmath.tanh, -1, 1),
    "1/(1 + exp(-t))": (mp_sigmoid, 0, 1),
    "2*tanh(t) + 1": (lambda t: 2 * mpmath.tanh(t) + 1, -1, 3),
    "tanh(t) - 1": (lambda t: mpmath.tanh(t) - 1, -2, 0),
    "3 - tanh(t)": (lambda t: 3 - mpmath.tanh(t), 4, 2),
    "t/sqrt(t**2 + 1)": (lambda t: t / mpmath.sqrt(t * t + 1), -1, 1),
    "(1 + exp(-t))**(-2)": (lambda t: mp_sigmoid(t) ** 2, 0, 1),
}
"""Bounded monotone activations: the function and its limits at -oo and +oo."""


SOFTPLUS = {"log(exp(t) + 1)": 1, "log(exp(20*t) + 1)/20": 20, "2*log(exp(t/2) + 1)": Fraction(1, 2)}
