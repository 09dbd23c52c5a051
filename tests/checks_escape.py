"""Checks of the escapes: motion, Taylor coefficients, lifts, parting; and the checker on tampered escapes.

Each `check_*` raises AssertionError when a guarantee is broken. The package is reached through its modules only, so
that a broken copy put in a module's place is the one that is checked.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import tempfile
from pathlib import Path
from types import SimpleNamespace

import mpmath
import numpy as np
from certificate import test_tamper_escape as tampering
from flint import arb, fmpz_mat

from verifier.balls import feature_enclosure as features
from verifier.balls import motion, series
from verifier.balls.exact import ExactArray
from verifier.balls.precision import working_precision
from verifier.certificate.writer import CertificateBuilder
from verifier.checker import certificate as checker
from verifier.checker import common, container, schema
from verifier.checker import escape as checker_escape
from verifier.checker import network as checker_network
from verifier.data.dataset import Dataset
from verifier.landscape import escape, path, segment, zero_loss
from verifier.landscape import escape_constant as lift
from verifier.landscape import escape_separate as gateway
from verifier.network.gradient import approx_gradient
from verifier.network.initialise import initialise
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network, approx_features
from verifier.run.case import read_case
from verifier.run.case_problem import case_problem
from verifier.sigma.activations import activation
from verifier.sigma.kernels import approx_mpmath_kernel

SMOOTH = ("tanh", "sigmoid", "softplus", "arctan", "erf", "algebraic", "sin", "gelu", "silu")
EVERY = (*SMOOTH, "exp", "cubic", "square", "identity")


def _inside(ball, value, slack):
    return abs(value - float(ball.mid())) <= float(ball.rad()) + slack * (1 + abs(value))


def _network(rng):
    a, b, c = (activation(name) for name in rng.choice(SMOOTH, 3))
    layers = (
        Conv(2, (2, 2), a, (1, 1), "per-unit" if rng.integers(2) else "tied", skip=True),
        AvgPool((2, 2), (1, 1), skip=(0, 3)),
        Dense(3, b, inputs=("input", 1), skip=(0, 2)),
        Dense(2, c, inputs=(2, 0), skip=True),
    )
    return Network((1, 4, 4), layers)


def check_motion_contains_values_and_slopes(rng):
    """At the ends and inside of a ball of times, against finite differences."""
    network = _network(rng)
    u = initialise(network, seed=int(rng.integers(99)), scale=0.5)
    end, x = u + 0.2 * rng.normal(size=u.shape), rng.normal(size=(3, 16))
    moving = motion.Motion(network, u, end, x, 80)
    middle, h = 0.3 + 0.4 * rng.random(), 1e-6
    psi, slopes = moving.jets(arb(middle, 0.05))
    assert max(float(s.rad()) for row in slopes for s in row) < 10, "too wide to be of use"
    for t in (middle - 0.05, middle, middle + 0.05):
        at, before, after = (approx_features(network, u + s * (end - u), x) for s in (t, t - h, t + h))
        for i, j in itertools.product(range(3), range(network.skip_count)):
            assert _inside(psi[i][j], at[i, j], 1e-11)
            assert _inside(slopes[i][j], (after[i, j] - before[i, j]) / (2 * h), 1e-6)


def check_slopes_at_the_ends_of_a_ball():
    """One unit whose bias moves: everything but sigma' is exact."""
    network = Network((1,), (Dense(1, activation("tanh"), skip=True),))
    moving = motion.Motion(network, np.array([1.0, -1.0]), np.array([1.0, 1.0]), np.array([[0.5]]), 64)
    psi, slopes = moving.jets(arb(0.5, 0.25))
    for t in (0.25, 0.5, 0.75):
        value = np.tanh(0.5 - 1 + 2 * t)
        assert _inside(psi[0][0], value, 1e-12) and _inside(slopes[0][0], 2 * (1 - value**2), 1e-12)


def check_taylor_coefficients(rng):
    """Orders 0 to 4 of sigma(z + w s) at points of a ball, against mpmath at 60 digits, for the whole catalogue."""
    middle, w = float(rng.normal()) * 2, float(rng.normal()) * 2
    for name in EVERY:
        for sign in (1, -1):
            _taylor_is_right(activation(name), sign * middle, w)


def _taylor_is_right(sigma, middle, w):
    with mpmath.workdps(60), working_precision(128):
        kernel = approx_mpmath_kernel(sigma)
        balls = series.taylor(sigma, [arb(middle, 2.0**-10), arb(w), *[arb(0)] * 3])
        for shift in (-(2.0**-10), 2.0**-10):
            for order, truth in enumerate(mpmath.taylor(kernel, middle + shift, 4)):
                value = truth * mpmath.mpf(w) ** order
                low, high = (mpmath.mpf(e.str(50, radius=False)) for e in (balls[order].lower(), balls[order].upper()))
                slack = (1 + abs(value)) * mpmath.mpf(10) ** -35
                assert low - slack <= value <= high + slack


def check_taylor_never_drops_an_order():
    """0/0 shortens a power series: such coefficients must not be finite."""
    sigma = activation("t/sqrt(t**2 + 1)")
    assert all(c.is_finite() for c in series.taylor(sigma, [arb(0), arb(1), arb(0)]))
    lossy = _Lossy()
    assert not any(c.is_finite() for c in series.taylor(lossy, [arb(0), arb(1)]))


class _Lossy:
    """sin(t)/t, which has no expression that is defined at 0."""

    tree = None

    def __init__(self):
        import sympy

        from verifier.sigma.expressions import T
        from verifier.sigma.tree import tree_of

        self.tree = tree_of(sympy.sin(T) / T)


def check_segments_contain_loss_and_slope(rng):
    layers = (
        Conv(2, (2, 2), activation("sin"), (1, 1)),
        AvgPool((2, 2), skip=True),
        Dense(3, activation("tanh"), True),
    )
    network = Network((1, 3, 3), layers)
    u = initialise(network, seed=int(rng.integers(99)), scale=0.7)
    end, x = u + 0.1 * rng.normal(size=u.shape), rng.normal(size=(4, 9))
    v = rng.normal(size=(network.skip_count, 3)) * 3
    w, labels, counts = v + rng.normal(size=v.shape), np.array([0, 1, 2, 1]), np.array([1, 3, 1, 2])
    for target in (end, u):  # at rest everything but the time is exact
        along = segment.WeightSegment(motion.Motion(network, u, target, x, 64), v, w, labels, counts.tolist())
        _loss_and_slope_are_inside(along, (network, u, target, v, w, x, labels, counts))


def _loss_and_slope_are_inside(along, where):
    network, u, end, v, w, x, labels, counts = where
    for ball in segment.covering(3, 64):
        loss, slope = along.loss(ball), along.slope(ball)
        for t in (float(ball.mid()), float(ball.lower()), float(ball.upper())):
            at = approx_gradient(network, u + t * (end - u), v + t * (w - v), x, labels, counts)
            assert _inside(loss, at.loss, 1e-11)
            assert _inside(slope, float(at.du @ (end - u) + (at.dv * (w - v)).sum()), 1e-10)


def check_the_cover_is_whole():
    for pieces in (1, 2, 5, 64):
        balls = segment.covering(pieces, 60)
        assert len(balls) == pieces and balls[0].lower() <= 0 and balls[-1].upper() >= 1
        assert all(a.upper() >= b.lower() for a, b in itertools.pairwise(balls))


def check_pieces_decide():
    """A segment that goes down and up again is neither decreasing nor below its start."""
    network = Network((1,), (Dense(2, activation("tanh"), skip=True),))
    u, x, labels = np.array([1.0, -0.5, 0.25, 0.5]), np.array([[1.0], [-1.0]]), np.array([0, 1])
    best = np.array([[1.0, -1.0], [-1.0, 1.0]])
    still = motion.Motion(network, u, u, x, 64)
    down = segment.WeightSegment(still, -best, best, labels, [1, 1])
    up = segment.WeightSegment(still, best, -best, labels, [1, 1])
    alike = motion.Motion(network, u, u, np.array([[1.0], [1.0 + 2.0**-40]]), 64)
    valley = segment.WeightSegment(alike, -best, 3 * best, labels, [1, 1])  # down, then up
    assert down.decreases(8) and not up.decreases(8) and not valley.decreases(8)
    with working_precision(64):
        assert down.stays_below(down.loss(arb(0)).upper() + 1, 8)
        assert not up.stays_below(up.loss(arb(0)).upper(), 8)
        assert not up.stays_below(up.loss(arb(0)).upper(), 1), "undecided is not below"
        assert not segment.WeightSegment(still, best, 9 * best, labels, [1, 1]).stays_below(arb(0), 8)


def check_lifts_keep_the_margins(rng):
    """Where some units rest, the margins of V are a combination of their columns; and at the end they still rest."""
    names = rng.choice(("tanh", "sigmoid", "sin", "erf"), 2)
    network = Network(
        (2,), (Dense(4, activation(names[0]), bool(rng.integers(2))), Dense(6, activation(names[1]), True))
    )
    u = rng.integers(-6, 7, network.parameter_count) / 4.0
    views = network.views(u)
    for name in ("weight", "bias"):
        views[f"layer0.{name}"][2] = views[f"layer0.{name}"][0]
        views[f"layer1.{name}"][4] = views[f"layer1.{name}"][1]
    views["layer0.weight"][3] = 0.0
    if rng.integers(2):
        views["layer0.bias"][3] = 0.0
    if rng.integers(2):
        views["layer1.weight"][[3, 5]] = 0.0
    v, x = rng.normal(size=(network.skip_count, 3)), rng.normal(size=(7, 2))
    start = approx_features(network, u, x)
    row = [arb(float(value), 1e-12) if value else arb(0) for value in start[0]]
    found = lift.constant_loss_lifts(network, u, v, x, row, int(rng.integers(99)))
    assert found, "a clone can always move"
    for way in found:
        middle = u if way.rerouted is None else way.rerouted
        for t in (0.0, 0.4, 1.0):
            assert np.allclose(approx_features(network, u + t * (middle - u), x), start, atol=1e-12)
        halfway, end = (approx_features(network, middle + t * (way.end - middle), x) for t in (0.5, 1.0))
        rests = np.abs(end - start).max(axis=0) + np.abs(halfway - start).max(axis=0) < 1e-12
        margins = start @ (v - v[:, :1])
        kept = start[:, rests]
        left = margins - kept @ np.linalg.lstsq(kept, margins, rcond=None)[0] if rests.any() else margins
        assert np.abs(left).max() < 1e-9


def check_a_zero_constant_carries_nothing():
    """Constant units, one of value 0 that no symbol shows: it cannot carry the others."""
    network = Network((1,), (Dense(4, activation("tanh(t) + t"), skip=True),))
    u = np.array([0.0, 0.0, 1.0, 2.0, 0.0, 1.0, 0.5, 0.25])
    v, x = np.array([[1.0, 0.0], [0.5, -1.0], [0.0, 1.0], [1.0, 1.5]]), np.array([[1.0], [-1.0], [2.0]])
    row = [arb(float(value), 1e-12) for value in approx_features(network, u, x)[0]]
    for way in lift.constant_loss_lifts(network, u, v, x, row, 0):
        assert network.views(way.end)["layer0.bias"][1] == 1.0, "the unit of value tanh(1) + 1 has to stay"
    exact = Network((1,), (Dense(3, activation("tanh"), skip=True),))
    free = np.array([0.0, 0.0, 1.0, 0.0, 1.0, 0.5])  # values 0, tanh(1), and one that varies: the 1 stays, the 0 moves
    for way in lift.constant_loss_lifts(exact, free, v[:3], x, [arb(0), arb(0.76, 0.01), arb(0.9, 0.1)], 0):
        assert exact.views(way.end)["layer0.bias"][1] == 1.0


def _gateway():
    at = case_problem(read_case(tampering.QUICK / "start-gateway.toml"))
    return at, gateway.part_merged_samples(at.network, at.u, at.rows.inputs)


def check_parting_keeps_the_logits():
    """V(t) exists for every t and stays bounded as the samples merge: at 80 digits."""
    at, parting = _gateway()
    assert not isinstance(parting, str) and sorted(map(len, parting.groups)) == [3, 4]
    views = at.network.views
    for name in ("layer1.weight", "layer1.bias"):
        assert np.array_equal(views(parting.end)[name], views(at.u)[name]), "the skip layer has to rest"
    with mpmath.workdps(80):
        logits = None
        for t in (0.0, 1.0, 0.25, 2.0**-10):
            point = views(at.u + t * (parting.end - at.u))
            gate = [
                mpmath.tanh(mpmath.fdot(point["layer0.weight"][0].tolist(), row) + float(point["layer0.bias"][0]))
                for row in at.rows.inputs.tolist()
            ]
            top = list(zip(point["layer1.weight"][:, 0].tolist(), point["layer1.bias"].tolist(), strict=True))
            psi = mpmath.matrix([[mpmath.tanh(w * z + b) for w, b in top] for z in gate])
            if logits is None:
                logits = psi * mpmath.matrix(at.v.tolist())
                continue
            for group in parting.groups:
                assert all(abs(gate[i] - gate[j]) > 1e-10 * t for i, j in itertools.combinations(group, 2))
            divided = _divided_differences(psi, gate, parting.groups) * mpmath.matrix(
                parting.right_inverse.approx().tolist()
            )
            assert mpmath.mnorm(divided - mpmath.eye(len(gate)), "f") < 1, "the right inverse proves no rank at this t"
            solved = psi**-1 * logits
            assert mpmath.mnorm(psi * solved - logits, "f") < mpmath.mpf(10) ** -30
            assert mpmath.mnorm(solved, "f") < 1e5


def _divided_differences(psi, nodes, groups):
    """Newton's divided differences of the rows of psi, in each group in order."""
    rows = []
    for group in groups:
        table = [[psi[i, j] for j in range(psi.cols)] for i in group]
        for order in range(len(group)):
            rows.append(table[0])
            table = [
                [
                    (b - a) / (nodes[group[k + order + 1]] - nodes[group[k]])
                    for a, b in zip(table[k], table[k + 1], strict=True)
                ]
                for k in range(len(table) - 1)
            ]
    return mpmath.matrix(rows)


def check_no_parting_of_equal_directions():
    """Two top units alike: the Hermite matrix is singular, nothing is claimed."""
    at, _ = _gateway()
    u = at.u.copy()
    views = at.network.views(u)
    for name in ("weight", "bias"):
        views[f"layer1.{name}"][3] = views[f"layer1.{name}"][5]
    assert isinstance(gateway.part_merged_samples(at.network, u, at.rows.inputs), str)
    views["layer0.weight"][0] = [0.0, 1.0, 1.0]  # other samples merge now: they are grouped anew
    groups = gateway._merged(at.network, u, at.rows.inputs)
    sums = [row[1] + row[2] for row in at.rows.inputs.tolist()]
    assert sorted(sorted(group) for group in groups) == sorted(
        sorted(i for i, s in enumerate(sums) if s == value) for value in set(sums)
    )


def check_gateway_separates():
    network = Network((1,), (Dense(4, activation("tanh"), skip=True),))
    assert gateway.prove_gateway(network, np.array([[1.0], [1.0]])).verdict == "UNDECIDED"
    assert gateway.prove_gateway(network, np.array([[1.0], [1.0 + 2.0**-52]])).verdict == "PROVED"


def check_escapes_are_accepted():
    """What the prover emits from a start of each kind the checker accepts."""
    for name, label in (("start-trained-clone", "E2"), ("start-duplicate-square", "E1"), ("start-gateway", "E3")):
        at = case_problem(read_case(tampering.QUICK / f"{name}.toml"))
        found = escape.prove_escape(
            at.network, at.u, at.v, at.rows.inputs, at.rows.labels, at.rows.multiplicities, order=(label,)
        )
        assert found.escape is not None, found.reason
        builder = CertificateBuilder(at.rows, at.network, at.u, with_labels=True)
        builder.add_escape(found.escape)
        with tempfile.TemporaryDirectory() as folder:
            verdict = checker.check_file(str(builder.write(Path(folder) / "c.json")), 1)
        assert verdict.verdict == "ACCEPTED", verdict.rejection


@functools.cache
def _tampered():
    folder = Path(tempfile.mkdtemp())
    originals = tampering.write_escapes(folder)
    spoilt = {
        name: tampering.tampered(originals[source], folder / f"t{k}.json", change)
        for k, (name, (source, change, _)) in enumerate(tampering.TAMPERED.items())
    }
    return originals, spoilt


def check_tampered_escapes_are_rejected():
    """The checker, in this process: originals pass, every tampered certificate is rejected by one of its rules."""
    originals, spoilt = _tampered()
    for name, file in originals.items():
        found = checker.check_file(str(file), 1)
        assert found.verdict == "ACCEPTED", (name, found.rejection)
    for name, file in spoilt.items():
        found = checker.check_file(str(file), 1)
        assert found.verdict == "REJECTED", name
        assert found.rejection.rule in tampering.TAMPERED[name][2].split("|"), (name, found.rejection.rule)


def check_segments_of_the_checker(rng):
    """The checker's values and derivatives at a ball of times, on a convolution, a pool and two sources."""
    network = _network(rng)
    u = initialise(network, seed=int(rng.integers(99)), scale=0.5)
    end, x = u + 0.2 * rng.normal(size=u.shape), rng.normal(size=(3, 16))
    data = Dataset("s", x, np.array([0, 1, 0]), 2)
    builder = CertificateBuilder(data, network, u, with_labels=True)
    builder._claims.append({"label": "E4", "precision": 80, "separating": builder._point("moved", end, u)})
    with tempfile.TemporaryDirectory() as folder:
        file = str(builder.write(Path(folder) / "c.json"))
        document = schema.read(schema.DOCUMENT, container.parse_json(Path(file).read_bytes(), ""), "")
        raw = document.arrays
        arrays = container.Arrays(container.load_arrays(file, raw.file, raw.bytes, raw.sha256))
    inputs = arrays.exact(document.data.inputs, 3, 16)
    known = checker_network.read_network(document.network, inputs, 3, 16, arrays)
    moved = checker_network.move(known, document.claims[0].separating, arrays)
    with common.precision(80):
        along = checker_escape.Segment(known, checker_network.Features(moved))
        middle, h = 0.3 + 0.4 * rng.random(), 1e-6
        for _ in along.pieces(1):
            along.t = arb(middle, 0.05)
            rows = along.rows([0, 1, 2])
        for t in (middle - 0.05, middle, middle + 0.05):
            at, before, after = (approx_features(network, u + s * (end - u), x) for s in (t, t - h, t + h))
            for i, j in itertools.product(range(3), range(network.skip_count)):
                assert _inside(rows[i][j], at[i, j], 1e-11)
                assert _inside(rows[3 + i][j], (after[i, j] - before[i, j]) / (2 * h), 1e-6)


def check_what_reads_a_moved_unit_does_not_rest():
    """A unit whose own weights stay rests only if no unit that it reads, by a nonzero weight, moves."""

    def layer(weight, bias, inputs, skip):
        exact = [common.Exact(fmpz_mat(table), 0, 8) for table in (weight, bias)]
        return SimpleNamespace(
            inputs=inputs, skip=skip, windows=[[0, 1][: len(weight[0])]], weight=exact[0], bias=exact[1]
        )

    top = layer([[1, 0], [0, 1], [0, 0]], [[0, 0, 5]], [0], [0, 1, 2])
    inputs = common.Exact(fmpz_mat([[1]]), 0, 8)
    before = SimpleNamespace(inputs=inputs, layers=[layer([[1], [2]], [[0, 0]], [-1], []), top])
    after = SimpleNamespace(inputs=inputs, layers=[layer([[3], [2]], [[0, 0]], [-1], []), top])
    assert checker_escape.units_at_rest(before, after) == [False, True, True]
    assert checker_escape.units_at_rest(before, before) == [True, True, True]


def check_a_valley_is_no_descent():
    """U rests, V goes through a valley and up again: E1 must be rejected, whatever the number of pieces."""
    network = Network((1,), (Dense(2, activation("tanh"), skip=True),))
    u, x = np.array([1.0, -0.5, 0.25, 0.5]), np.array([[1.0], [-1.0]])
    at = Dataset("v", x, np.array([0, 1]), 2)
    best = np.array([[1.0, -1.0], [-1.0, 1.0]])
    start = np.array([[0.0, 0.0], [0.0, 0.0]])
    features_ = features.FeatureEnclosure(network, u, x, 64)
    zero = zero_loss.prove_zero_loss(features_, at.labels, 2)
    tail = path.prove_path(zero, ExactArray.of_floats(best), at.labels, [1, 1]).path
    for target, verdict in ((best, "ACCEPTED"), (-best, "REJECTED")):
        tail = path.prove_path(zero, ExactArray.of_floats(target), at.labels, [1, 1]).path
        begin = path.prove_path(zero, ExactArray.of_floats(start), at.labels, [1, 1]).path
        made = escape.Escape(
            "E1", u, ExactArray.of_floats(start), dataclasses.replace(tail, start_loss=begin.start_loss), (),
            end_weights=ExactArray.of_floats(target), pieces=16,
        )  # fmt: skip
        builder = CertificateBuilder(at, network, u, with_labels=True)
        builder.add_escape(made)
        builder._claims[0]["moved"] = builder._point("moved", u, np.zeros_like(u))
        with tempfile.TemporaryDirectory() as folder:
            found = checker.check_file(str(builder.write(Path(folder) / "c.json")), 1)
        assert found.verdict == verdict, (verdict, found.rejection)


CHECKS = {name: value for name, value in globals().items() if name.startswith("check_")}


def run_check(name, seed=0):
    """Run one check; those that draw random cases get a generator."""
    check = CHECKS[name]
    if "rng" in inspect.signature(check).parameters:
        check(np.random.default_rng(seed))
    else:
        check()
