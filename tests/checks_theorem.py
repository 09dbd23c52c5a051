"""Checks on the hypotheses, Lemma 2.1, deficiency for every U, and genericity; run by the tests and against mutants."""

from __future__ import annotations

import inspect
import itertools
import math
import tempfile
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
from flint import arb
from planted import (
    DIGITS,
    dense,
    exact_rank,
    forward,
    fraction,
    numerical_rank,
    oracle,
    random_parameters,
    random_samples,
    shuffled_dag,
    smallest_singular_value,
)

from verifier.certificate.writer import CertificateBuilder
from verifier.checker.certificate import check_file as examine
from verifier.data import grouping
from verifier.data.dataset import Dataset
from verifier.errors import VerifierError
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank import dead, deficiency, genericity
from verifier.sigma.activations import Activation, activation
from verifier.statements import assumption as hypotheses
from verifier.statements import threshold
from verifier.verdict import Verdict

PATCHES = np.array([[0.0, 0.0], [1.0, 1.0]])
"""The two samples of the paper's setting with a tied bias."""


def data_of(rows):
    """A data set without labels."""
    return Dataset("toy", np.asarray(rows, dtype=float), None, 2)


def one_pixel(bias, name="tanh", filters=1):
    """One-pixel filters on two positions."""
    return Network((1, 2), (Conv(filters, (1,), activation(name), bias=bias, skip=True),))


# --- A3.1 ------------------------------------------------------------------------------------------------------------


def check_activations():
    """A3.1(1) on the catalogue, against a list made by hand."""
    good = {"sigmoid", "tanh", "softplus", "arctan", "erf", "algebraic", "identity", "exp", "cubic"}
    words = {"relu": "analytic", "elu": "analytic", "leaky_relu": "analytic", "hard_tanh": "analytic"}
    words |= {name: "increasing" for name in ("sin", "gelu", "silu", "square")}
    for name in (*good, *words):
        found = hypotheses.increasing_activations(dense([2, 2], ["sigmoid", name], 1))
        assert found.verdict is (Verdict.PROVED if name in good else Verdict.REFUTED), name
        assert name in good or (name in found.reason and words[name] in found.reason and "layer 1" in found.reason)
        assert {e.name: e.layers for e in found.evidence} == ({"sigmoid": (0, 1)} if name == "sigmoid" else
                                                              {"sigmoid": (0,), name: (1,)})  # fmt: skip
    unknown = hypotheses.increasing_activations(dense([1], ["tanh(t) + t*exp(-t**2)/9"], 1))
    assert unknown.verdict is Verdict.UNDECIDED and "increasing" in unknown.reason
    assert hypotheses.analytic(dense([1, 1], ["gelu", "tanh"], 1))[0] is Verdict.PROVED
    assert hypotheses.analytic(dense([1, 1], ["tanh", "relu"], 1))[0] is Verdict.REFUTED


def brute_selection(net, kind):
    """The largest set of skip units of one kind with pairwise unshared weights, by search over all paths and sets."""
    skip = {(layer, unit) for layer, units in net.skip_units for unit in units}

    def family(layer, unit):
        return layer, unit // math.prod(net.shapes[layer][1:])

    carriers = {family(*unit) for unit in skip if not isinstance(net.layers[unit[0]], AvgPool)}

    def sources(layer, unit):
        """What a unit reads, by its definition, as (layer, unit) or "input"."""
        what, flat = net.layers[layer], []
        for s in net.sources[layer]:
            shape = net.input_shape if s == "input" else net.shapes[s]
            flat.append((s, shape, list(itertools.product(*map(range, shape)))))
        if isinstance(what, Dense):
            return [(s, k) for s, _, cells in flat for k in range(len(cells))]
        a, *p = list(itertools.product(*map(range, net.shapes[layer])))[unit]
        read = []
        for s, shape, cells in flat:
            channels = [a] if isinstance(what, AvgPool) else range(shape[0])
            for c, q in itertools.product(channels, itertools.product(*map(range, what.kernel))):
                cell = (c, *(i * step + o for i, step, o in zip(p, what.steps, q, strict=True)))
                read.append((s, cells.index(cell)))
        return read

    def free_path(layer, unit):
        read = sources(layer, unit)
        if any(s == "input" for s, _ in read):
            return True
        return any(
            not isinstance(net.layers[s], AvgPool) and family(s, k) not in carriers and free_path(s, k) for s, k in read
        )

    def eligible(layer, unit):
        if isinstance(net.layers[layer], AvgPool):
            return False
        name = net.layers[layer].activation.name
        return name == "sigmoid" if kind == "a" else name.startswith("softplus") and free_path(layer, unit)

    return len({family(*unit) for unit in skip if eligible(*unit)})


def random_skips(rng):
    """A small network of sigmoid, softplus and tanh layers with random skip units."""

    def some(count):
        chosen = sorted(set(rng.integers(0, count, 2).tolist()))
        return [False, True, tuple(chosen)][int(rng.integers(3))]

    def pick():
        return activation(str(rng.choice(["sigmoid", "softplus", "softplus", "softplus(3)", "tanh"])))

    layers = (
        Conv(2, (2,), pick(), skip=some(6), bias=str(rng.choice(["tied", "per-unit"]))),
        Conv(2, (2,), pick(), inputs=(0,), skip=some(4)),
        AvgPool((2,), inputs=(int(rng.integers(2)),), skip=some(2)),
        Dense(2, pick(), inputs=((1,), (2,), (1, 2), (0,))[int(rng.integers(4))], skip=some(2)),
        Dense(3, pick(), inputs=((3,), (2, 3), ("input", 3))[int(rng.integers(3))], skip=True),
    )
    return Network((1, 4), layers)


def check_unit_selection(rng):
    """The counts of (a) and (b) are the largest selections, found by searching paths; PROVED means N of one kind."""
    for _ in range(12):
        net = random_skips(rng)
        counts = brute_selection(net, "a"), brute_selection(net, "b")
        for samples in range(1, 8):
            found = hypotheses.suitable_units(net, samples)
            assert (found.evidence.bounded, found.evidence.softplus) == counts, net.summary()
            assert (found.verdict is Verdict.PROVED) == (max(counts) >= samples)
            assert found.verdict is not Verdict.REFUTED or sum(counts) < samples
            chosen = found.evidence.selected
            assert len(chosen) == (samples if found.verdict is Verdict.PROVED else 0)
            families = {(layer, unit // math.prod(net.shapes[layer][1:])) for layer, unit in chosen}
            assert len(families) == len(chosen)
            assert set(chosen) <= {(layer, unit) for layer, units in net.skip_units for unit in units}
            assert len({net.layers[layer].activation.name == "sigmoid" for layer, _ in chosen}) <= 1
            assert tuple(map(sum, zip(*found.evidence.layers, strict=True)))[1:] == counts


def check_unit_readings():
    """What is refuted, and what depends on the reading, each with its reason."""

    def verdict(net, samples):
        found = hypotheses.suitable_units(net, samples)
        return found.verdict, found.reason

    refuted, reason = verdict(dense([4], ["tanh"], 2), 3)
    assert refuted is Verdict.REFUTED and "limit -1 at -oo" in reason
    assert verdict(dense([4], ["gelu"], 2), 3)[0] is Verdict.REFUTED  # gelu(t) - gelu(-t) = t, but not increasing
    assert verdict(dense([4], ["exp"], 2), 3)[0] is Verdict.REFUTED
    assert verdict(dense([4], ["sigmoid"], 2), 5)[0] is Verdict.REFUTED  # M < N
    assert verdict(dense([2, 2], ["softplus", "sigmoid"], 2, skip=(0, 1)), 3)[0] is Verdict.UNDECIDED  # mixed kinds
    assert verdict(dense([2, 2], ["softplus", "softplus"], 2, skip=(0, 1)), 3)[0] is Verdict.REFUTED  # paths blocked
    assert verdict(one_pixel("per-unit", "sigmoid"), 2)[0] is Verdict.UNDECIDED  # one filter, two biases
    tied, reason = verdict(one_pixel("tied", "sigmoid"), 2)
    assert tied is Verdict.REFUTED and "tied bias" in reason
    assert verdict(one_pixel("tied", "sigmoid", filters=2), 2)[0] is Verdict.PROVED
    pooled = (Conv(1, (1,), activation("softplus")), AvgPool((2,)), Dense(2, activation("softplus"), skip=True))
    assert verdict(Network((1, 2), pooled), 2)[0] is Verdict.UNDECIDED
    assert (
        verdict(Network((1, 2), (*pooled[:2], Dense(2, activation("softplus"), True, (0, 1)))), 2)[0] is Verdict.PROVED
    )
    first = Conv(1, (1,), activation("softplus"))
    half = (first, AvgPool((1,), skip=(0,)), Conv(2, (1,), activation("softplus"), skip=(1,)))
    assert verdict(Network((1, 2), half), 1)[0] is Verdict.UNDECIDED  # position 1 is free, position 0 is not
    assert (
        verdict(Network((1, 2), (*half[:2], Conv(2, (1,), activation("softplus"), skip=(2,)))), 1)[0] is Verdict.REFUTED
    )
    hidden = dense([2], ["log(exp(t/2) + exp(-t/2)) + t/2"], 1)  # softplus, not recognised
    assert verdict(hidden, 2)[0] is Verdict.UNDECIDED
    assert verdict(dense([2], ["2/(1 + exp(-3*t))"], 1), 2)[0] is Verdict.PROVED
    assert verdict(dense([2], ["1/(1 + exp(t))"], 1), 2)[0] is Verdict.REFUTED  # limit 1 at -oo


def brute_equal_patches(net, x):
    """Every (layer, unit position) at which two samples look equal, by multi-indices."""
    found = set()
    for index, layer in enumerate(net.layers):
        if "input" not in net.sources[index]:
            continue
        cells = list(itertools.product(*map(range, net.input_shape)))
        if isinstance(layer, Dense):
            windows = [range(len(cells))]
        else:
            spots = list(itertools.product(*map(range, net.shapes[index][1:])))
            channels = [[c] for c in range(net.input_shape[0])] if isinstance(layer, AvgPool) else [
                range(net.input_shape[0])]  # fmt: skip
            windows = [
                [
                    cells.index((c, *(i * s + o for i, s, o in zip(p, layer.steps, q, strict=True))))
                    for c in group
                    for q in itertools.product(*map(range, layer.kernel))
                ]
                for group in channels
                for p in spots
            ]
        for position, window in enumerate(windows):
            seen = [tuple(Fraction(row[k]) for k in window) for row in x.tolist()]
            if len(set(seen)) < len(seen):
                found.add((index, position))
    return found


def check_patches(rng):
    """A3.1(3) against an enumeration by fractions; the witness is a true pair, in the original numbering."""
    for _ in range(15):
        tanh, count = activation("tanh"), int(rng.integers(1, 6))
        mixed = Conv(1, (2,), tanh, inputs=(0, "input"), skip=True)
        net = shuffled_dag(rng, ["tanh"]) if rng.integers(3) else Network((2, 3), (Conv(1, (1,), tanh), mixed))
        x = rng.integers(0, 4, (count, net.dimension)) / 2.0
        if rng.integers(2):
            x = x + np.arange(count)[:, None] * (rng.random(net.dimension) < 0.8)
        x = x[rng.integers(0, count, count + 1)] if rng.integers(2) else x
        whole = data_of(x)
        groups = grouping.group_duplicates(whole)
        for given, rows in ((whole, x), (groups, groups.dataset.inputs)):
            equal = brute_equal_patches(net, rows)
            found = hypotheses.distinct_patches(net, given)
            assert found.verdict is (Verdict.REFUTED if equal else Verdict.PROVED), (net.summary(), rows)
            if found.evidence is not None:
                a, b = found.evidence.samples
                assert a < b and (found.evidence.layer, found.evidence.position) in equal
                assert (x[a] != x[b]).any() or given is whole
                columns = list(found.evidence.coordinates)
                assert x[a, columns].tolist() == x[b, columns].tolist()
                if given is groups:
                    assert groups.group_of[a] != groups.group_of[b]
                    assert all(groups.group_of[k] != groups.group_of[a] for k in range(a))


# --- L2.1 ------------------------------------------------------------------------------------------------------------


def check_threshold_proof():
    """Every step is decided by sympy to be true, and what sympy leaves open is not taken for true."""
    found = threshold.prove_threshold()
    assert found.verdict is Verdict.PROVED and len(found.steps) == 10 and all(s.holds for s in found.steps)
    assert not threshold._sign("", "", None).holds and not threshold._sign("", "", False).holds


def check_sharpness():
    """The ratio n Phi / log 2 of the tight examples, against mpmath, strictly above 1."""
    first, *others = threshold.sharpness(7, (1, 30, 400))
    assert first.samples == 1 and first.lower.fraction() <= 1 <= first.upper.fraction()
    with mpmath.workdps(400):
        for example in others:
            truth = 1 + 6 * mpmath.log1p(mpmath.exp(-example.margin)) / mpmath.log(2)
            assert 1 < example.lower.fraction() <= fraction(truth) <= example.upper.fraction()
            assert fraction(truth) - 1 <= 9 * Fraction(2) ** -example.margin * Fraction(1, 1) * 3


def judged(rows, counts):
    """L2.1 on an instance; it must never find itself contradicted."""
    try:
        return threshold.check_instance(rows, counts)
    except VerifierError as error:
        raise AssertionError(str(error)) from None


def check_instances(rng):
    """PROVED only below log(2)/n with positive margins; with multiplicities, wide balls, ties and NaN."""
    for _ in range(20):
        n, k = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        counts = rng.integers(1, 4, n).tolist()
        middle = rng.standard_normal((n, k)) * 2 + float(rng.choice([0.0, 3.0, 8.0]))
        radius = np.abs(rng.standard_normal((n, k))) * float(rng.choice([0.0, 0.5, 4.0]))
        rows = [[arb(a, b) for a, b in zip(p, q, strict=True)] for p, q in zip(middle, radius, strict=True)]
        found = judged(rows, counts)
        assert found.total == sum(counts)
        with mpmath.workdps(50):
            ends = [[mpmath.mpf(float(m.lower())) for m in row] for row in rows]
            sums = [c * mpmath.log1p(sum(mpmath.exp(-m) for m in row)) for row, c in zip(ends, counts, strict=True)]
            below = sum(sums) < mpmath.log(2)
        assert (found.verdict is Verdict.PROVED) == below
        assert found.verdict is not Verdict.PROVED or min(map(min, ends)) > 0
    assert judged([[arb(0)]], [1]).verdict is Verdict.UNDECIDED
    assert judged([[arb("nan")], [arb(90)]], [1, 1]).verdict is Verdict.UNDECIDED
    assert judged([[arb(2)], [arb(2)]], [1, 1]).verdict is Verdict.PROVED
    assert judged([[arb(2)], [arb(2)]], [1, 4]).verdict is Verdict.PROVED
    assert judged([[arb(1)], [arb(9)]], [1, 1]).verdict is Verdict.PROVED
    assert judged([[arb(1)], [arb(9)]], [3, 1]).verdict is Verdict.UNDECIDED


# --- deficiency for every U ------------------------------------------------------------------------------------------


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


def check_every_u(rng):
    """A bound for every U is never below the rank at random U, by exact or 100-digit arithmetic."""
    found_some = 0
    for _ in range(6):
        net, x = free_network(rng)
        found = deficiency.structural_bound_every_u(net, x)
        if found is None:
            continue
        found_some += 1
        assert found.reason == "every-u" and found.rank_at_most < len(x) and "EVERY U" in found.explanation
        for scale in (1.0, 4.0):
            u = random_parameters(rng, net, scale, grid=4)
            assert numerical_rank(oracle(net, u, x)) <= found.rank_at_most, (found, net.summary(), x)
    return found_some


def check_planted_every_u():
    """The bound for every U where it is known, and that generic U attain it."""
    tanh, square, identity, cubic = map(activation, ("tanh", "square", "identity", "cubic"))
    line = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [5.0, 5.0]])
    plane = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, -1.0], [4.0, 0.5], [1.5, 2.5], [3.0, 3.0], [-1.0, -2.0]])
    flat = np.array([[0.0, 3.0], [1.0, 3.0], [2.0, 3.0]])

    def conv(filters, bias, sigma=tanh, **more):
        return Conv(filters, (1,), sigma, bias=bias, skip=True, **more)

    cases = [
        ((1, 2), (conv(1, "tied"),), PATCHES, 1),
        ((1, 2), (conv(1, "per-unit"),), PATCHES, None),
        ((1, 2), (conv(2, "tied"),), PATCHES, None),
        ((1, 2), (conv(2, "tied"),), line, 2),
        ((1, 2), (conv(2, "tied"),), line[::-1] * [[1, 2]], None),
        ((1, 2), (conv(2, "tied"),), flat, None),
        ((1, 2), (conv(1, "tied"), conv(1, "tied", inputs=(0,))), line, 2),
        ((1, 2), (conv(1, "per-unit"), conv(1, "tied", inputs=(0,))), line, None),
        ((1, 2), (conv(1, "tied"), conv(1, "tied", inputs=("input",))), line, 2),
        ((2,), (Dense(2, tanh, skip=True), Dense(2, tanh, skip=True)), plane[:4], None),
        ((2,), (Dense(3, tanh, skip=True),), plane[:3], None),
        ((2,), (Dense(3, tanh, skip=True),), plane, 3),
        ((2,), (Dense(8, tanh, skip=True),), plane[[0, 1, 1, 2]], 3),
        ((2,), (Dense(9, identity, skip=True),), plane, 3),
        ((2,), (Dense(9, identity, skip=True),), line, 2),
        ((2,), (Dense(9, square, skip=True),), plane, 6),
        ((2,), (Dense(9, square, skip=True),), plane[:6], None),
        ((2,), (Dense(9, square, skip=True),), line, 3),
        ((2,), (Dense(9, cubic, skip=True),), line, None),
        ((2,), (Dense(2, identity), Dense(9, square, skip=True)), line, 3),
        ((2,), (Dense(2, square), Dense(9, square, skip=True)), line, None),
        ((2,), (Dense(9, identity, skip=True), Dense(1, tanh, skip=True, inputs=("input",))), plane, 4),
        ((2,), (Dense(9, identity, skip=True), Dense(4, tanh, skip=True, inputs=("input",))), plane, None),
        ((1, 2), (AvgPool((2,), skip=True), Dense(1, tanh, True, ("input",))), PATCHES, None),
        ((1, 2), (AvgPool((1,), skip=True), AvgPool((2,), (1,), True, ("input",))), line, 1),
        ((1, 2), (conv(4, "per-unit", inputs=("input",)), Dense(8, tanh, True, (0,))), flat[:, ::-1] * 0 + 1, 1),
    ]  # fmt: skip
    for shape, layers, x, bound in cases:
        net = Network(shape, layers)
        found = deficiency.structural_bound_every_u(net, x)
        assert (None if found is None else found.rank_at_most) == bound, (net.summary(), x, found)
        assert checker_bound(net, x) == (len(x) if bound is None else bound), (net.summary(), x)
        u = random_parameters(np.random.default_rng(3), net, 0.5, grid=64)
        assert numerical_rank(oracle(net, u, x)) == (len(x) if bound is None else bound), (net.summary(), x)
    fixed = Network((2,), (Dense(9, Activation.from_expression("pi"), skip=True),))
    assert deficiency.structural_bound_every_u(fixed, plane).rank_at_most == checker_bound(fixed, plane) == 1


def check_mirrored_units():
    """Units c0 - z span no constant unless z occurs, too: sigmoids that are all mirrored, and a mirrored pair."""
    line = np.array([[0.0], [1.0], [2.0]])
    for weights, bound in (([-1, -1, -1], 1), ([-1, -1, -2], 2), ([-1, 1, 1], 2), ([-1, 1, -2], None)):
        net = dense([3], ["sigmoid"], 1)
        u = np.array([*weights, *weights], dtype=float)
        found = deficiency.structural_deficiency(net, u, line)
        assert (None if found is None else found.rank_at_most) == bound, weights
        assert numerical_rank(oracle(net, u, line)) == (bound or 3)


def every_u_outcome(net, x, rank):
    """The checker's answer to the claim that rank Psi(U) <= ``rank`` for every U; the stored weights are 0."""
    builder = CertificateBuilder(data_of(x), net, np.zeros(net.parameter_count), with_labels=False)
    builder.add_deficiency(deficiency.Deficiency("every-u", rank, ""))
    with tempfile.TemporaryDirectory() as folder:
        return examine(str(builder.write(Path(folder) / "c.json")), 1)


def checker_bound(net, x):
    """The smallest rank for every U that the checker accepts, N if it accepts none."""
    bound = len(x)
    while bound > 0 and every_u_outcome(net, x, bound - 1).verdict == "ACCEPTED":
        bound -= 1
    return bound


def check_checker_every_u(rng):
    """The checker's bound for every U is never below the rank at random U, and at most the prover's."""
    for _ in range(6):
        net, x = free_network(rng)
        bound = checker_bound(net, x)
        found = deficiency.structural_bound_every_u(net, x)
        assert found is None or bound <= found.rank_at_most, (net.summary(), x)
        for scale in (1.0, 4.0):
            u = random_parameters(rng, net, scale, grid=4)
            assert numerical_rank(oracle(net, u, x)) <= bound, (net.summary(), x)


def check_dead_open_set(rng):
    """At random U of the box all features are constant over the samples, exactly, and the rank is as stated."""
    rational = {"relu": lambda t: max(t, Fraction(0)), "hard_tanh": lambda t: max(Fraction(-1), min(Fraction(1), t))}
    rational |= {"identity": lambda t: t, "square": lambda t: t * t}
    for _ in range(6):
        name, lower = str(rng.choice(["relu", "hard_tanh"])), str(rng.choice(["identity", "square", "relu"]))
        layers = (
            Conv(2, (2,), activation(lower), bias=str(rng.choice(["tied", "per-unit"]))),
            AvgPool((2,)),
            Dense(3, activation(name), inputs=(0, 1, "input"), skip=True),
            AvgPool((1,), inputs=(1,), skip=False),
            Dense(2, activation(name), inputs=(2,), skip=(1,)),
        )
        net = Network((1, 4), layers)
        x = random_samples(rng, 4, net) * float(rng.choice([0.25, 1.0, 1000.0]))
        found = dead.dead_open_set(net, x)
        assert found is not None and 0 < found.radius <= 1 and found.rank_at_most == int(name == "hard_tanh")
        for _ in range(6):
            corner = rng.choice([-1.0, 1.0, 0.5], net.parameter_count) * (found.radius * (1 - 2.0**-20))
            psi = forward(net, found.u + corner, x, Fraction, rational)
            assert exact_rank(psi) <= found.rank_at_most
            assert all(row == psi[0] for row in psi)
    for name in ("tanh", "leaky_relu", "elu", "Abs(t)"):
        assert dead.dead_open_set(dense([5], [name], 1), np.array([[0.0], [1.0]])) is None
    for name, rank in (("relu", 0), ("hard_tanh", 1), ("Max(0, t) + 1", 1)):
        found = dead.dead_open_set(dense([5], [name], 1), np.array([[0.0], [1.0]]))
        assert found.rank_at_most == rank and (found.radius, found.u.tolist()[:5]) == (0.25, [0.0] * 5)
    assert dead.dead_open_set(dense([5], ["hard_tanh"], 1), np.array([[3.0]])) is None  # rank 1 = N
    assert dead.dead_open_set(dense([5], ["relu"], 1), np.array([[-1.0], [-1.0]])).radius <= 0.5


# --- genericity ------------------------------------------------------------------------------------------------------


def check_sigma_along_line(rng):
    """Every enclosure contains sigma_N by mpmath at the rounded U; 0 where structure proves it."""
    net = dense([4], [str(rng.choice(["tanh", "sigmoid"]))], 2)
    x = random_samples(rng, 3, net)
    start, direction = np.zeros(net.parameter_count), random_parameters(rng, net)
    rows = genericity.sigma_along_line(net, x, start, direction, [-0.3, 0.0, 0.5, 1.0])
    for row in rows:
        u = start + row.t * direction
        with mpmath.workdps(DIGITS):
            truth = fraction(smallest_singular_value(oracle(net, u, x))) if row.t else Fraction(0)
        slack = Fraction(1, 10**60)
        assert row.lower.fraction() - slack <= truth <= row.upper.fraction() + slack
        assert row.exact == (row.t != -0.3)
    assert rows[1].lower.mantissa == rows[1].upper.mantissa == 0
    assert all(row.lower.mantissa > 0 for row in rows if row.t)


def check_full_rank_fraction():
    """The counts are those of the single verdicts, and a sample is never more than TESTED."""
    line = np.array([[0.0], [1.0], [2.0], [4.0]])
    found = genericity.full_rank_fraction(dense([5], ["tanh"], 1), line, range(4))
    assert (found.verdict, found.fraction, found.count(Verdict.PROVED)) == (Verdict.TESTED, 1.0, 4)
    assert sum(found.labels.values()) == 4 and [t.seed for t in found.trials] == [0, 1, 2, 3]
    assert len({t.sigma_lower for t in found.trials}) == 4 and min(t.sigma_lower for t in found.trials) > 0
    none = genericity.full_rank_fraction(dense([5], ["square"], 1), line, range(3))
    assert (none.count(Verdict.REFUTED), none.labels, none.fraction) == (3, {"R5": 3}, 0.0)
    hard = genericity.full_rank_fraction(dense([30], ["tanh"], 1), np.arange(1, 25.0)[:, None] / 40, [0], max_bits=64)
    assert hard.count(Verdict.UNDECIDED) == 1 and hard.labels == {"R": 1}


CHECKS = {name: value for name, value in list(globals().items()) if name.startswith("check_")}


def run_check(name, seed=0):
    """Run one check; those that draw random cases get a generator."""
    check = CHECKS[name]
    if "rng" in inspect.signature(check).parameters:
        check(np.random.default_rng(seed))
    else:
        check()
