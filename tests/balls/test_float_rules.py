"""Every rule of the engines on values with planted errors: exact values at the edge of their radii.

The engines, binary64 and double-double, have one set of rules and differ in their midpoints; every rule is tested with
both.
"""

from __future__ import annotations

import math
from fractions import Fraction

import array_api_strict
import mpmath
import numpy as np
import pytest
from oracle_graph import RULES
from planted import mp, seeds

from verifier.balls.binary64.backend import Backend, NotEnclosed, numpy_backend
from verifier.balls.binary64.enclosed import Enclosed
from verifier.balls.binary64.graph_arithmetic import FloatBalls, Shared
from verifier.balls.binary64.products import Products
from verifier.balls.binary64.spectral import spectral_norm
from verifier.balls.double_double.graph_arithmetic import DoubleDoubleBalls
from verifier.balls.double_double.pair import Pair
from verifier.network.nodes import (
    Add,
    Affine,
    Attend,
    Concatenate,
    Contract,
    Expand,
    Gate,
    InverseRoot,
    Multiply,
    Normalise,
    Permute,
    Pool,
    Reduce,
    Reshape,
    Scale,
    Softmax,
    Take,
    Window,
)

DIGITS = 50
BACKENDS = [numpy_backend(1), Backend(array_api_strict, "array-api-strict")]


@pytest.fixture(params=[FloatBalls, DoubleDoubleBalls])
def engine(request):
    """A function that makes an engine for so many samples."""

    def made(samples, backend=BACKENDS[0]):
        return request.param(Shared(backend, Products(), {}), np.zeros((samples, 1)))

    return made


def given(ops, value, exact):
    """A value with float64 midpoints as the engine has it; pairs get low parts, unless all midpoints are integers."""
    if isinstance(ops, DoubleDoubleBalls):
        mid = np.asarray(value.mid)
        rng = np.random.default_rng(int(np.abs(mid).sum() * 1e6) % 2**32 if np.isfinite(mid).all() else 0)
        low = rng.uniform(-0.49, 0.49, mid.shape) * np.abs(mid) * 2.0**-53
        if (mid == np.round(mid)).all():
            low = np.zeros_like(mid)
        mid = Pair(ops.backend.asarray(mid), ops.backend.asarray(low))
        with mpmath.workdps(DIGITS):
            parts = [tensor([mp(v) for v in row.ravel().tolist()], row.shape) for row in low]
            exact = [np.asarray(row + parts[k % len(parts)], dtype=object) for k, row in enumerate(exact)]
        value = Enclosed(mid, value.each, value.norm)
    return value, exact


def exact_middles(ops, found):
    """The midpoints as rows of exact numbers."""
    mids = found.mid if isinstance(ops, DoubleDoubleBalls) else (found.mid,)
    parts = [np.asarray(part).reshape(part.shape[0], -1).tolist() for part in mids]
    with mpmath.workdps(DIGITS):
        return [
            tensor([sum(map(mp, entry)) for entry in zip(*rows, strict=True)], found.shape)
            for rows in zip(*parts, strict=True)
        ]


def one_sided(rng, shape, axes):
    """A direction of 2-norm at most 1 over axes: at random, along one entry, or with all entries equal."""
    axes = tuple(k + 1 for k in axes)
    raw = [rng.standard_normal(shape), np.ones(shape) * rng.choice([-1.0, 1.0])][int(rng.integers(2))]
    if axes and rng.integers(3) == 0:
        raw = raw * (np.abs(raw) == np.abs(raw).max(axis=axes, keepdims=True))
    sizes = np.sqrt((raw * raw).sum(axis=axes, keepdims=True)) if axes else np.abs(raw)
    return raw / sizes * (1.0 - 1e-12)


def planted(rng, shape, rows, form, scale=1.0, relative=1e-3, around=0.0, backend=BACKENDS[0]):
    """A value with bounds of the given form, and exact values at their edge, one object array for each row.

    ``form``: "exact"; "each" (one bound per entry for all rows), "own" (one per row and entry), "norm" (over the last
    axis), "first" (over the first), "both"; more than the errors need are never given.
    """
    mid = around + rng.standard_normal((rows, *shape)) * scale
    each = norm = None
    error = np.zeros(mid.shape)
    if form in ("each", "own"):
        each = np.abs(rng.standard_normal((1 if form == "each" else rows, *shape))) * scale * relative
        error = each * rng.choice([-1.0, 1.0], mid.shape) * (1.0 - 1e-12)
    elif form in ("norm", "first", "both"):
        axis = 0 if form == "first" else len(shape) - 1
        norm = np.abs(rng.standard_normal((rows, *(1 if k == axis else n for k, n in enumerate(shape)))))
        norm *= scale * relative
        error = norm * one_sided(rng, mid.shape, (axis,))
        each = np.abs(error).max(axis=0, keepdims=True) * (1.0 + 1e-12) if form == "both" else None
    value = Enclosed(*(part if part is None else backend.asarray(part) for part in (mid, each, norm)))
    exact = []
    with mpmath.workdps(DIGITS):
        for row in range(rows):
            flat = [mp(m) + mp(e) for m, e in zip(mid[row].ravel().tolist(), error[row].ravel().tolist(), strict=True)]
            exact.append(tensor(flat, shape))
    return value, exact


def tensor(flat, shape):
    found = np.empty(len(flat), dtype=object)
    found[:] = flat
    return found.reshape(shape)


def contains(node, values, ops):
    """Whether a rule's result encloses the exact one in every row, by each of its bounds; None if it refuses."""
    values = [given(ops, *value) for value in values]
    try:
        with np.errstate(all="ignore"):
            found = node.compute(ops, [value for value, _ in values])
    except NotEnclosed:
        return None
    middle = exact_middles(ops, found)
    each = None if found.each is None else np.broadcast_to(np.asarray(found.each), (len(middle), *found.shape))
    norm = None if found.norm is None else np.asarray(found.norm)
    with mpmath.workdps(DIGITS):
        for row in range(max(len(exact) for _, exact in values)):
            truth = np.asarray(RULES[node.kind](node, [exact[row % len(exact)] for _, exact in values], mp))
            if truth.shape != found.shape:
                return False
            at = row % len(middle)
            gaps = tensor([abs(t - m) for t, m in zip(truth.ravel(), middle[at].ravel(), strict=True)], truth.shape)
            if each is None and norm is None and any(gap != 0 for gap in gaps.ravel()):
                return False
            if each is not None and any(
                g > mp(e) for g, e in zip(gaps.ravel(), each[at].ravel().tolist(), strict=True)
            ):
                return False
            if norm is not None:
                room = norm[row % len(norm)]
                axes = tuple(k for k, n in enumerate(room.shape) if n == 1)
                squares = np.asarray(gaps * gaps, dtype=object).sum(axis=axes, keepdims=True)
                if any(s > mp(r) ** 2 for s, r in zip(np.ravel(squares), room.ravel().tolist(), strict=True)):
                    return False
    return True


FORMS = ("exact", "each", "own", "norm", "first", "both")


def form_of(rng, rows, lonely):
    """A form of bounds; exact for all but one of several values if ``lonely``."""
    return "exact" if lonely else str(rng.choice(FORMS if rows > 1 else FORMS[:3]))


def operands(rng, shapes, rows=None, **kwargs):
    """Values of given shapes, some of one row; sometimes only one of them has an error."""
    alone = int(rng.integers(len(shapes))) if rng.integers(2) else None
    found = []
    for k, shape in enumerate(shapes):
        count = int(rng.choice([1, 2])) if rows is None else rows[k]
        form = form_of(rng, count, alone is not None and k != alone)
        found.append(planted(rng, shape, count, "each" if form != "exact" and not shape else form, **kwargs))
    return found


def amounts(rng):
    """A scale of values, and how large errors are in relation."""
    return {"scale": float(10.0 ** rng.integers(-3, 4)), "relative": float(rng.choice([1e-14, 1e-6, 1e-2, 0.3]))}


def shapes(rng):
    return [(3,), (1,), (2, 3), (4, 2), (2, 1, 3), (2, 3, 2)][int(rng.integers(6))]


@seeds(12)
def test_entrywise_rules(rng, engine):
    for node in (Add((0, 1)), Multiply((0, 1))):
        shape = shapes(rng)
        other = tuple(1 if rng.integers(3) == 0 else n for n in shape)[int(rng.integers(2)) :]
        assert contains(node, operands(rng, [shape, other], **amounts(rng)), engine(2)), node
    shape = shapes(rng)
    assert contains(Gate((0, 1, 2)), operands(rng, [shape, shape, shape], **amounts(rng)), engine(2))
    for factor in (Fraction(-1, 3), Fraction(-1), Fraction(4), Fraction(255, 7)):
        assert contains(Scale((0,), factor), operands(rng, [shape], **amounts(rng)), engine(2))
    positive = operands(rng, [shape], scale=1.0, relative=float(rng.choice([1e-14, 1e-3, 0.2])), around=6.0)
    assert contains(InverseRoot((0,), Fraction(1, 3)), positive, engine(2)) is not False


@seeds(12)
def test_affine_rules(rng, engine):
    scale = amounts(rng)
    k, units = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    for over, source, bias in (("all", (k,), (units,)), ("last", (2, k), (units,)), ("last", (2, k), (2, units))):
        values = operands(rng, [source, (units, k), bias], rows=(2, 1, 1), **scale)
        assert contains(Affine((0, 1, 2), over, True), values, engine(2)), over
    values = operands(rng, [(2,), (1, 2), (units, 4)], rows=(2, 1, 1), **scale)
    assert contains(Affine((0, 1, 2), "all", False), values, engine(2))
    window = Window((2,), (1,), (1,), (1,), int(rng.integers(1, 3)))
    for bias in ((2,), (2, 4)):
        values = operands(rng, [(2, 3), (2, 2 // window.groups, 2), bias], rows=(2, 1, 1), **scale)
        assert contains(Affine((0, 1, 2), window, True), values, engine(2))


@seeds(12)
def test_affine_errors_may_point_along_the_weights(rng, engine):
    """The largest singular vector: the 2-norm of the weights is not less than it is."""
    w = rng.standard_normal((3, 4))
    direction = np.linalg.svd(w)[2][0]
    value, _ = planted(rng, (4,), 1, "exact")
    size = 1e-3
    exact = [tensor([mp(m) + mp(e) for m, e in zip(np.ravel(value.mid).tolist(), (direction * size).tolist(),
                    strict=True)], (4,))]  # fmt: skip
    moved = Enclosed(value.mid, None, np.full((1, 1), size * (1.0 + 1e-12)))
    weights = Enclosed(w[None]), [tensor([mp(v) for v in w.ravel().tolist()], w.shape)]
    assert contains(Affine((0, 1), "all", False), [(moved, exact), weights], engine(1))
    assert float(spectral_norm(BACKENDS[0], w, Products())) <= np.linalg.norm(w, 2) * 1.1


@pytest.mark.parametrize("form", ["each", "norm"])
def test_errors_multiply_each_other(form, engine):
    """All errors at their edge and of one sign: products of errors count."""

    def edge(shape, size=0.5):
        bound = np.full((1, *(1 for _ in shape)), size)
        return Enclosed(np.ones((1, *shape)), *((bound,) if form == "each" else (None, bound))), [
            tensor([mp(1.0 + size * (1.0 - 1e-12))] * math.prod(shape), shape)
        ]

    ops = engine(1)
    assert contains(Affine((0, 1, 2), "all", True), [edge((1,)), edge((1, 1)), edge((1,))], ops)
    assert contains(Multiply((0, 1)), [edge((1,)), edge((1,))], ops)
    assert contains(Gate((0, 1, 2)), [edge((1,)), edge((1,), 1e-3), edge((1,))], ops)
    for transposed in (False, True):
        assert contains(Contract((0, 1), transposed), [edge((1, 1)), edge((1, 1))], ops)


@pytest.mark.parametrize("bound", ["each", "norm"])
def test_one_bound_of_all_columns_counts_for_each_of_them(bound, engine):
    """A line of a product with a matrix whose entries share one bound is as far off as the columns are many."""
    left = Enclosed(np.ones((2, 1, 1))), [tensor([mp(1)], (1, 1))] * 2
    size, room = (0.5, np.full((1, 1, 1), 0.5)) if bound == "each" else (0.125, np.full((1, 1, 1), 0.5))
    right = Enclosed(np.zeros((1, 1, 16)), *((room,) if bound == "each" else (None, room)))
    edge = [tensor([mp(size * (1.0 - 1e-12))] * 16, (1, 16))]
    assert contains(Contract((0, 1), False), [left, (right, edge)], engine(2))


@seeds(12)
def test_rules_along_an_axis(rng, engine):
    shape = [(3,), (2, 3), (2, 1), (3, 2, 2)][int(rng.integers(4))]
    values = operands(rng, [shape], rows=(2,), **amounts(rng))
    for how in ("sum", "mean", "max"):
        for axes in range(1, len(shape) + 1):
            assert contains(Reduce((0,), how, axes), values, engine(2)), how
    far = planted(rng, (3,), 20, "exact", around=1e7)  # the mean's rounding is far above that of the result
    assert contains(Normalise((0,), Fraction(1, 9), True), [far], engine(20))
    values = operands(rng, [shape], rows=(2,), scale=1.0, relative=float(rng.choice([1e-14, 1e-6, 1e-2, 0.2])))
    mask = [planted_mask(rng, shape)] if rng.integers(2) else []
    assert contains(Softmax(tuple(range(1 + len(mask)))), [*values, *mask], engine(2))
    for epsilon in (Fraction(1, 1000), Fraction(1, 3)):
        for centre in (False, True):
            sizes = {"scale": float(10.0 ** rng.integers(-2, 3)), "around": float(rng.choice([0.0, 3.0]))}
            values = operands(rng, [shape], rows=(2,), relative=float(rng.choice([1e-14, 1e-6, 1e-2, 0.2])), **sizes)
            assert contains(Normalise((0,), epsilon, centre), values, engine(2)) is not False


def planted_mask(rng, shape):
    mask = rng.integers(0, 2, shape).astype(float)
    mask[..., int(rng.integers(shape[-1]))] = 1.0
    return Enclosed(mask[None]), [tensor([mp(v) for v in mask.ravel().tolist()], shape)]


@seeds(12)
def test_products_and_attention(rng, engine):
    scale = amounts(rng)
    for transposed in (False, True):
        for lead in ((), (2,)):
            right = (*lead, 2, 3) if transposed else (*lead, 3, 2)
            values = operands(rng, [(2, 2, 3), right], **scale)
            assert contains(Contract((0, 1), transposed), values, engine(2))
    relative = float(rng.choice([1e-14, 1e-6, 1e-3, 0.1]))
    values = operands(rng, [(2, 3), (4, 3), (4, 2)], rows=(2, 2, 2), relative=relative, around=float(rng.integers(2)))
    mask = [planted_mask(rng, (2, 4))] if rng.integers(2) else []
    node = Attend(tuple(range(3 + len(mask))), Fraction(int(rng.integers(1, 4)), 3))
    assert contains(node, [*values, *mask], engine(2))


@seeds(12)
def test_entries_take_their_bounds_with_them(rng, engine):
    scale = amounts(rng)
    shape = (2, 3, 2)
    nodes = [
        *(Reshape((0,), size) for size in ((12,), (6, 2), (2, 6), (3, 2, 2))),
        *(Permute((0,), axes) for axes in ((1, 0, 2), (2, 1, 0))),
        *(Take((0,), axis, (1, 0, 1)) for axis in range(3)),
        Expand((0,), (3, 2, 3, 2)),
        Pool((0,), "max", Window((2, 1), (1, 1), (1, 0), (1, 1))),
        Pool((0,), "mean", Window((2, 2), (1, 2), (1, 1), (1, 1))),
    ]
    for node in nodes:
        assert contains(node, operands(rng, [shape], rows=(2,), **scale), engine(2)), node
    for axis in range(3):
        values = operands(rng, [shape, shape, shape], **scale)
        assert contains(Concatenate((0, 1, 2), axis), values, engine(2))


def test_the_same_rules_on_a_strict_library(engine):
    rng = np.random.default_rng(0)
    backend = BACKENDS[1]
    for form in FORMS:
        value = planted(rng, (2, 3), 2, form, backend=backend)
        weights = planted(rng, (3, 3), 1, "each", backend=backend)
        assert contains(Affine((0, 1), "last", False), [value, weights], engine(2, backend))
        assert contains(Normalise((0,)), [value], engine(2, backend))
        assert contains(Attend((0, 0, 0)), [value] * 3, engine(2, backend))
        assert contains(Multiply((0, 0)), [value] * 2, engine(2, backend))


@pytest.mark.parametrize("bound", ["none", "each", "own", "norm"])
@seeds(6)
def test_roundings_are_counted(rng, bound, engine):
    """Exact values of one or two entries, many samples: what is computed is off by about one rounding."""
    rows = 40

    def exactly(value):
        zeros = np.zeros((1 if bound == "each" else rows, 1 if bound == "norm" else value[0].shape[-1]))
        parts = {"none": (), "norm": (None, zeros)}.get(bound, (zeros,))
        return Enclosed(value[0].mid, *parts), value[1]

    x, y = (exactly(planted(rng, (2,), rows, "exact", scale=float(10.0 ** rng.integers(-2, 3)))) for _ in range(2))
    w, b = planted(rng, (1, 2), 1, "exact"), planted(rng, (1,), 1, "exact")
    ops = engine(rows)
    assert contains(Add((0, 1)), [x, y], ops) and contains(Multiply((0, 1)), [x, y], ops)
    assert contains(Gate((0, 1, 0)), [x, y, x], ops) and contains(Scale((0,), Fraction(1, 3)), [x], ops)
    assert contains(Affine((0, 1, 2), "all", True), [x, w, b], ops)
    assert contains(Normalise((0,), Fraction(1, 9), False), [x], ops)
    assert contains(Normalise((0,), Fraction(1, 9), True), [x], ops)
    assert contains(Softmax((0,)), [x], ops) and contains(Reduce((0,), "mean", 1), [x], ops)
    squares = Enclosed(x[0].mid * x[0].mid + 1.0)
    exact = [tensor([mp(v) for v in row.tolist()], (2,)) for row in squares.mid]
    assert contains(InverseRoot((0,), Fraction(1, 3)), [(squares, exact)], ops)
    tall = planted(rng, (1, 1), rows, "exact"), planted(rng, (1, 2), rows, "exact")
    assert contains(Contract((0, 1), False), list(tall), ops)
    q = planted(rng, (1, 1), rows, "exact", scale=3.0)
    kv = planted(rng, (2, 1), rows, "exact", scale=3.0)
    assert contains(Attend((0, 1, 1)), [q, kv, kv], ops)


@seeds(6)
def test_roundings_of_scores_that_cancel_are_counted(rng, engine):
    """Scores near 0 as differences of large products: their roundings are what moves the weights."""
    rows = 30
    q = np.repeat(rng.standard_normal((rows, 1, 1)), 2, axis=2)
    large = rng.standard_normal((rows, 1, 1)) * 1e6
    k = np.concatenate([np.concatenate([large, -large], axis=2), np.concatenate([-large, large], axis=2)], axis=1)
    k = k + rng.standard_normal((rows, 2, 2))
    v = rng.standard_normal((rows, 2, 1))
    with mpmath.workdps(DIGITS):
        values = [
            (Enclosed(part), [tensor([mp(x) for x in row.ravel().tolist()], row.shape) for row in part])
            for part in (q, k, v)
        ]
    assert contains(Attend((0, 1, 2)), values, engine(rows))
    assert contains(Contract((0, 1), True), values[:2], engine(rows))


@seeds(6)
def test_roundings_of_values_far_apart_are_counted(rng, engine):
    """A value of 1e20 with a share of 1e-26: slices of the product are relative to the large one."""
    rows = 20
    q, k = np.ones((rows, 1, 1)), np.zeros((rows, 2, 1))
    k[:, 0, 0] = 60.0 + rng.standard_normal(rows)
    v = rng.standard_normal((rows, 2, 3)) * np.array([1.0, 1e20])[:, None]
    with mpmath.workdps(DIGITS):
        values = [
            (Enclosed(part), [tensor([mp(x) for x in row.ravel().tolist()], row.shape) for row in part])
            for part in (q, k, v)
        ]
    assert contains(Attend((0, 1, 2)), values, engine(rows))


@pytest.mark.parametrize("shape", [(5, 7), (7, 5), (1, 6), (6, 1), (40, 40)])
@pytest.mark.parametrize("scale", [1e-80, 1.0, 1e80])
def test_norms_of_weights_are_above_and_sharp(shape, scale):
    rng = np.random.default_rng(shape)
    for _ in range(5):
        a = rng.standard_normal(shape) * scale
        truth = np.linalg.norm(a, 2)
        assert truth * (1.0 - 1e-13) <= spectral_norm(BACKENDS[0], a, Products()) <= truth * 1.12
        if shape == (40, 40):
            sums = [spectral_norm(BACKENDS[0], a, Products(), largest=side) for side in (39, 40)]
            assert truth * 2.0 <= sums[0] and truth * (1.0 - 1e-13) <= sums[1] <= truth * 1.12
    ones = np.ones(shape) * scale  # rank one: every step is an equality
    exact = math.sqrt(shape[0] * shape[1]) * scale
    assert exact * (1.0 - 1e-15) <= spectral_norm(BACKENDS[0], ones, Products()) <= exact * (1.0 + 1e-10)
