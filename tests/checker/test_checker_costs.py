"""Short certificates that asked for much: each ends soon, within little memory, with a true verdict.

And where a quick way stands, a plain one beside it: both give the same.
"""

import math
import random
from fractions import Fraction as F
from types import SimpleNamespace

import pytest
from checker_writer import Builder, dyadic, graph, node_of, write
from everyday import one_in
from flint import arb, fmpq, fmpz, fmpz_mat
from test_checker_limits import checked

from verifier.checker import claims, features, losses, network, pointwise
from verifier.checker.certificate import check_file
from verifier.checker.classes import Classes
from verifier.checker.common import Exact, precision
from verifier.checker.escape import fall
from verifier.checker.expression import MAX_RATIONAL_BITS, rational
from verifier.checker.features import Features, Layout
from verifier.checker.grammar import read_expression
from verifier.checker.parting import equal_products
from verifier.checker.structure import MAX_SUM_BITS, Structure, TooLong, collect

LITTLE = ("--memory", "1", "--cpu-seconds", "40", "--jobs", "1")


class AllClasses(Classes):
    """Each class is a group of its own."""

    def __init__(self, weights, classes):
        self.group = self.first = list(range(classes))
        self.sizes = [1] * classes
        self.digest = b"all classes"


def far_apart(reference):
    """The same array times 2^20000 + 2^-20000: 40,000 bits a number."""
    (term,) = reference["terms"]
    return reference | {"terms": [term | {"exponent": 20_000}, term | {"exponent": -20_000}]}


def write_used(folder, builder, document):
    """Write a certificate without the tensors that nothing refers to any more."""
    used = str(document)
    builder.tensors = {name: value for name, value in builder.tensors.items() if f"'{name}'" in used}
    return write(folder, document, builder.arrays())


def base(samples, classes=2, dimension=1, labelled=True):
    builder = Builder()
    inputs = {"shape": [samples, dimension], "terms": [{"exponent": 0}]}
    values = [i % 200 + 1 for i in range(samples * dimension)]
    inputs["terms"][0]["tensor"] = builder.tensor(values, "U8", [samples, dimension])
    data = builder.data([[0]], [0], classes)
    builder.tensors = {name: value for name, value in builder.tensors.items() if name == inputs["terms"][0]["tensor"]}
    labels = builder.tensor([0] * samples, "U8") if labelled else None
    return builder, data | {
        "samples": samples,
        "dimension": dimension,
        "inputs": inputs,
        "labels": labels,
        "total": samples,
    }


def one_hot(builder, classes):
    """The output weights (1, 0, .., 0) of one unit."""
    return {
        "shape": [1, classes],
        "terms": [{"tensor": builder.tensor([1] + [0] * (classes - 1), "U8", [1, classes]), "exponent": 0}],
    }


def zero_loss(builder, data, layers, dimension, bits=32, gamma=1, classes=2):
    claim = {"label": "Z1", "precision": bits, "output_weights": one_hot(builder, classes), "gamma": dyadic(gamma)}
    return builder, builder.document(data, dimension, layers, 1, [claim])


def many_classes():
    builder, data = base(5000, 2000)
    return zero_loss(builder, data, [builder.dense([[1]], [0])], [1], classes=2000)


def very_many_classes():
    builder, data = base(1, 200_000)
    start = one_hot(builder, 200_000)
    start["terms"][0]["tensor"] = builder.tensor([0] * 200_000, "U8", [1, 200_000])
    claim = {
        "label": "P1",
        "precision": 32,
        "start_weights": start,
        "end_weights": one_hot(builder, 200_000),
        "gamma": dyadic(1),
        "kappa": dyadic(1),
        "start_loss": {"lower": dyadic(1), "upper": dyadic(100)},
        "zero_error_t": dyadic(100),
        "targets": [{"loss": dyadic(F(1, 2)), "t": dyadic(100)}] * 64,
    }
    return builder, builder.document(data, [1], [builder.dense([[1]], [0])], 1, [claim])


def losses_of_many_classes():
    builder, data = base(5000, 2000)
    end = one_hot(builder, 2000)
    claim = {
        "label": "TC.3",
        "precision": 32,
        "loss": "crammer-singer",
        "class_weights": None,
        "label_counts": None,
        "start_weights": end,
        "end_weights": end,
        "start_loss": {"lower": dyadic(0), "upper": dyadic(1)},
        "end_loss": dyadic(1),
        "infimum": {"lower": dyadic(0), "upper": dyadic(1)},
        "gamma": None,
    }
    return builder, builder.document(data, [1], [builder.dense([[1]], [0])], 1, [claim])


def convolution(builder, weight, bias, **changes):
    return {
        "kind": "conv1d",
        "inputs": ["input"],
        "activation": "t",
        "filters": 1,
        "kernel": [len(weight)],
        "stride": [1],
        "bias_kind": "tied",
        "skip": [0],
        "weight": builder.exact([[weight]]),
        "bias": bias(builder.exact([1])),
    } | changes


def padding_and_long_biases():
    builder, data = base(500)
    layer = convolution(builder, [1] * 400, far_apart, padding=[399])
    return zero_loss(builder, data, [layer], [1, 1])


def one_long_bias_for_many_positions():
    builder, data = base(200, dimension=300)
    return zero_loss(builder, data, [convolution(builder, [1], far_apart)], [1, 300])


def blocks_of_long_balls():
    builder, data = base(150, dimension=150)
    layers = [
        convolution(builder, [1], dict, inputs=[source], activation=text, skip=skip)
        for source, text, skip in (("input", "t/3", False), (0, "t/3", False), (1, "t/7", [0]))
    ]
    return zero_loss(builder, data, layers, [1, 150], bits=16_384, gamma=F(1, 512))


def many_coordinates():
    builder, data = base(2, dimension=200_000, labelled=False)
    layer = builder.dense([[1]], [0])
    layer["weight"] = {
        "shape": [1, 200_000],
        "terms": [{"tensor": builder.tensor([1] * 200_000, "U8", [1, 200_000]), "exponent": 0}],
    }
    claim = {"label": "R5", "reason": "dependent-units", "rank_at_most": 1}
    return builder, builder.document(data, [200_000], [layer], 1, [claim])


def product(depth):
    return "*".join(["t"] * 8) if depth == 0 else f"({product(depth - 1)})*({product(depth - 1)})"


def long_rationals():
    builder, data = base(3, labelled=False)
    layer = builder.dense([[0]] * 300, [0] * 300, product(5))
    layer["bias"] = builder.floats([1 + 2.0**-52] * 300)
    layer["bias"]["terms"][0]["exponent"] = -19_000
    claim = {"label": "R5", "reason": "dependent-units", "rank_at_most": 1}
    return builder, builder.document(data, [1], [layer], 300, [claim])


def nested(depth):
    return "t" if depth == 0 else f"({nested(depth - 1)})**1000"


def nested_powers(label, depth):
    builder, data = base(1)
    end = one_hot(builder, 2)
    layers = [builder.dense([[1]], [0], nested(depth))]
    claims = {
        "Z1": {"output_weights": end, "gamma": dyadic(F(1, 32))},
        "Z2": {"output_weights": end, "gamma": dyadic(F(1, 32)), "radius": dyadic(F(1, 1024))},
        "C3": {"start_weights": end, "unit": 0, "output": 0, "curvature_lower": dyadic(1)},
    }
    claim = {"label": label, "precision": 64, **claims[label]}
    return builder, builder.document(data, [1], layers, 1, [claim])


def pole():
    """Bisection next to a pole ends when the numbers end."""
    builder, document = nested_powers("Z2", 1)
    node_of(document, 0, "map")["activation"] = "1/(t - 1/3)"
    return builder, document


def parting_by_long_numbers():
    builder, data = base(120)
    data["inputs"] = far_apart(data["inputs"])
    units = 120
    first = builder.dense([[1]] * units, [0] * units, "tanh(t)", skip=False)
    first["weight"] = far_apart(first["weight"])
    moved = {"node": 1, "values": first["weight"]}
    second = builder.dense([[1] + [0] * (units - 1)], [0], "tanh(t)", inputs=[0])
    claim = {
        "label": "E4.path",
        "precision": 32,
        "start_weights": one_hot(builder, 2),
        "end_weights": one_hot(builder, 2),
        "gamma": dyadic(1),
        "kappa": dyadic(1),
        "start_loss": {"lower": dyadic(0), "upper": dyadic(1)},
        "zero_error_t": dyadic(1),
        "targets": [],
        "moved": [moved],
        "pieces": 1,
        "right_inverse": builder.exact([[1] * 120]),
    }
    return builder, builder.document(data, [1], [first, second], 1, [claim])


CASES = {
    "many classes": (many_classes, 0, None),
    "very many classes": (very_many_classes, 0, None),
    "losses of many classes": (losses_of_many_classes, 0, None),
    "padding and long biases": (padding_and_long_biases, 0, None),
    "one long bias": (one_long_bias_for_many_positions, 0, None),
    "long balls": (blocks_of_long_balls, 0, None),
    "many coordinates": (many_coordinates, 0, None),
    "long rationals": (long_rationals, 0, None),
    "nested powers": (lambda: nested_powers("Z1", 60), 0, None),
    "nested powers in a ball": (lambda: nested_powers("Z2", 30), 1, "Z2.range"),
    "nested powers, curvature": (lambda: nested_powers("C3", 3), 1, "C3.curvature"),
    "a pole": (pole, 1, "Z2.range"),
    "long numbers part": (parting_by_long_numbers, 1, "E4.analytic|E4.layers|E4.part|E4.rank"),
}


@pytest.mark.parametrize("name", one_in(3, CASES))
def test_little_is_enough(name, tmp_path):
    make, code, rule = CASES[name]
    found_code, found, _ = checked(write_used(tmp_path, *make()), *LITTLE)
    assert found_code == code, found
    assert (rule is None) == (found["rejection"] is None)
    assert rule is None or found["rejection"]["rule"] in rule.split("|"), found


# the quick ways and the plain ones


def some_weights(rng, rows, classes):
    """Integer columns, many of them equal."""
    different = [[rng.randrange(-3, 4) for _ in range(rows)] for _ in range(max(1, classes // 2))]
    columns = [rng.choice(different) for _ in range(classes)]
    return Exact(fmpz_mat([list(row) for row in zip(*columns, strict=True)]), -1, 3)


@pytest.mark.parametrize("seed", range(20))
def test_groups_of_classes_are_a_partition(seed):
    rng = random.Random(seed)
    rows, classes = rng.randrange(1, 4), rng.randrange(2, 9)
    weights = [some_weights(rng, rows, classes) for _ in range(rng.choice([1, 2]))]
    found = Classes(weights, classes)
    assert sum(found.sizes) == classes
    for k in range(classes):
        for other in range(classes):
            equal = all(w.integers[j, k] == w.integers[j, other] for w in weights for j in range(rows))
            assert (found.group[k] == found.group[other]) == equal
    for label in range(classes):
        groups, counts = found.others(label)
        expected = [found.group[k] for k in range(classes) if k != label]
        assert sorted(expected) == sorted(g for g, count in zip(groups, counts, strict=True) for _ in range(count))
    for exact in weights:
        columns = found.columns(exact).integers
        for k in range(classes):
            assert [columns[j, found.group[k]] for j in range(rows)] == [exact.integers[j, k] for j in range(rows)]
    assert AllClasses(weights, classes).others(0) == (list(range(1, classes)), [1] * (classes - 1))


@pytest.mark.parametrize("seed", range(20))
def test_sums_over_groups_are_those_over_classes(seed):
    """Each loss, and the fall of the cross-entropy, with a count or with the class repeated."""
    rng = random.Random(seed)
    groups = rng.randrange(1, 4)
    counts = [rng.randrange(1, 5) for _ in range(groups)]

    def ball():
        return arb(rng.randrange(-9, 10), rng.choice([0, 0, 2.0**-20])) / 4

    def repeated(values):
        return [value for value, count in zip(values, counts, strict=True) for _ in range(count)]

    margins, rates = [ball() for _ in counts], [ball() for _ in counts]
    own, slope = ball(), ball()
    with precision(64):
        pairs = [(claims.loss_of(margins, counts), claims.loss_of(repeated(margins), [1] * sum(counts)))]
        pairs += [(fall(margins, rates, counts), fall(repeated(margins), repeated(rates), [1] * sum(counts)))]
        for loss in losses.LOSSES.values():
            few = loss([own, *margins], [slope, *rates], 0, [1, *counts])
            all_ = loss([own, *repeated(margins)], [slope, *repeated(rates)], 0, [1] * (sum(counts) + 1))
            pairs += zip(few, all_, strict=True)
    for few, all_ in pairs:
        assert few.overlaps(all_)
        assert abs(few - all_).mid() <= 2.0**-50 * (1 + abs(all_.mid())) + 4 * (few.rad() + all_.rad())


@pytest.mark.parametrize("label", ["Z1", "P1", "C1", "C3", "TC.3"])
@pytest.mark.parametrize("seed", range(6))
def test_claims_about_groups_and_about_classes(seed, label, tmp_path, monkeypatch):
    """A certificate is judged alike, whether equal classes are evaluated together or one by one."""
    rng = random.Random(f"{seed} {label}")
    builder = Builder()
    samples, classes = 4, rng.randrange(3, 7)
    inputs = [[int(i == j) for j in range(samples)] for i in range(samples)]
    labels = [rng.randrange(classes) for _ in range(samples)]
    # the columns of three labels' worth, the other classes equal
    end = [[3 * int(k == labels[j]) for k in range(classes)] for j in range(samples)]
    start = [[int(k == seed % classes) for k in range(classes)]] * samples
    data = builder.data(inputs, labels, classes, [rng.randrange(1, 4) for _ in range(samples)])
    gamma, bounds = dyadic(rng.choice([3, 4])), {"lower": dyadic(F(1, 8)), "upper": dyadic(9)}
    path = {"start_weights": builder.exact(start), "end_weights": builder.exact(end), "start_loss": bounds}
    inverse = builder.right_inverse(inputs, rank=samples, alpha=F(1, 1024), sigma=F(1, 2))
    claim = {
        "Z1": {"output_weights": path["end_weights"], "gamma": gamma},
        "P1": path | {"gamma": gamma, "kappa": dyadic(2), "zero_error_t": dyadic(9), "targets": []},
        "C1": {"start_weights": path["start_weights"], "gradient_lower": dyadic(9)},
        "C3": {
            "start_weights": path["start_weights"],
            "unit": 0,
            "output": rng.randrange(classes),
            "curvature_lower": dyadic(9),
        },
        "TC.3": path
        | {
            "loss": rng.choice(list(losses.LOSSES)),
            "class_weights": None,
            "label_counts": None,
            "end_loss": dyadic(8),
            "infimum": {"lower": dyadic(0), "upper": dyadic(8)},
            "gamma": None,
        },
    }[label]
    layer = builder.dense(inputs, [0] * samples)
    document = builder.document(data, [samples], [layer], samples, [inverse, {"label": label, "precision": 64} | claim])
    file = str(write_used(tmp_path, builder, document))
    few = check_file(file, 1)
    monkeypatch.setattr(claims, "Classes", AllClasses)
    all_ = check_file(file, 1)
    assert (few.verdict, few.claims) == (all_.verdict, all_.claims), (few.rejection, all_.rejection)
    assert (few.rejection and few.rejection.rule) == (all_.rejection and all_.rejection.rule)
    assert label != "C1" or few.rejection.rule == "C1.gradient", "the claim is too large, to see what is computed"
    if few.rejection is not None and few.rejection.rule in ("C1.gradient", "C3.curvature"):
        assert math.isclose(float(few.rejection.computed), float(all_.rejection.computed), rel_tol=1e-5)


def equal_products_plain(rows, factors):
    """Group the rows whose products with all factors are equal."""
    groups = {}
    products = [(rows * factor).tolist() for factor in factors]
    for row in range(rows.nrows()):
        groups.setdefault(tuple(int(z) for product in products for z in product[row]), []).append(row)
    return list(groups.values())


@pytest.mark.parametrize("prime", [(1 << 61) - 1, 2, 3])
@pytest.mark.parametrize("seed", range(10))
def test_rows_with_equal_products(seed, prime, monkeypatch):
    """Modulo a small prime most products agree, so that the exact comparison decides."""
    monkeypatch.setattr("verifier.checker.parting.PRIME", prime)
    rng = random.Random(seed)
    rows, inner = rng.randrange(1, 9), rng.randrange(1, 4)
    factors = [
        fmpz_mat([[rng.randrange(-2, 3) * rng.choice([1, 1 << 100]) for _ in range(3)] for _ in range(inner)])
        for _ in range(rng.choice([1, 2]))
    ]
    left = fmpz_mat([[rng.randrange(-1, 2) for _ in range(inner)] for _ in range(rows)])
    assert sorted(equal_products(left, factors)) == sorted(equal_products_plain(left, factors))


@pytest.mark.parametrize("seed", range(30))
def test_unrolled_convolutions(seed, monkeypatch):
    """A convolution and the dense layer that it equals have the same units, whatever the padding."""
    rng = random.Random(seed)
    channels, length, kernel = rng.randrange(1, 3), rng.randrange(1, 5), rng.randrange(1, 7)
    padding = min(kernel - 1, rng.randrange(kernel))
    if length + 2 * padding < kernel:
        padding = kernel - 1
    builder = Builder()
    filters, stride, tied = rng.randrange(1, 4), rng.randrange(1, 3), rng.random() < 0.5
    outs = (length + 2 * padding - kernel) // stride + 1
    biases = [rng.randrange(-9, 9) if tied else [rng.randrange(-9, 9) for _ in range(outs)] for _ in range(filters)]
    weight = [[[rng.randrange(-9, 9) for _ in range(kernel)] for _ in range(channels)] for _ in range(filters)]
    layer = {
        "kind": "conv1d",
        "inputs": ["input"],
        "activation": "t**3",
        "filters": filters,
        "kernel": [kernel],
        "stride": [stride],
        "bias_kind": "tied" if tied else "per-unit",
        "skip": True,
        "weight": builder.exact(weight),
        "bias": builder.exact(biases),
        "padding": [padding],
    }
    inputs = [[rng.randrange(-9, 9) for _ in range(channels * length)] for _ in range(3)]
    net = read(builder, builder.exact(inputs), graph([channels, length], [layer], filters * outs))
    rows = {}
    for gather in (-(10**9), 10**9):  # never unrolled, always unrolled
        monkeypatch.setattr(features, "GATHER", gather)
        assert Layout(net.nodes[3], [arb(0)] * len(net.nodes[1].exact.integers.entries())).unrolled == (gather > 0)
        with precision(128):
            rows[gather] = Features(net).rows([0, 1, 2])
    plain, quick = rows.values()
    assert all(a == b and a.is_exact() for p, q in zip(plain, quick, strict=True) for a, b in zip(p, q, strict=True))


def read(builder, inputs, document):
    """Read a network as the checker does."""
    from verifier.checker import schema
    from verifier.checker.container import Arrays

    arrays = Arrays(builder.arrays())
    raw = schema.read(schema.NETWORK, document, "/network")
    reference = schema.read(schema.ARRAY, inputs, "/inputs")
    samples, dimension = inputs["shape"]
    return network.read_network(raw, arrays.exact(reference, samples, dimension), samples, dimension, arrays)


def evaluate(text, t):
    """A rational expression by Python's own fractions."""
    return eval(text, {"t": t, "Abs": abs, "Max": max, "Min": min})


@pytest.mark.parametrize(
    "text", ["t*t + 1", "(t + 1)/(t - 3)", "Max(t, -t)*Min(t, 2)", "Abs(t)**3 - t/7", "(t**2 - 2)**-1", product(1)]
)
def test_small_rationals_are_exact(text):
    rng = random.Random(text)
    for _ in range(20):
        t = F(rng.randrange(-50, 50), rng.randrange(1, 9))
        found = rational(read_expression(text), fmpq(t.numerator, t.denominator))
        try:
            value = evaluate(text, t)
        except ZeroDivisionError:
            assert found is None
        else:
            assert found is not None and F(int(found.p), int(found.q)) == value


def test_long_rationals_are_not_exact():
    """The bound holds for the argument, every number on the way, and the result."""
    tree = read_expression("t - t")
    assert rational(tree, fmpq(1, 3)) == 0
    assert rational(tree, fmpq(fmpz(1) << MAX_RATIONAL_BITS)) is None
    assert rational(read_expression("(t*t) - (t*t)"), fmpq(fmpz(1) << (MAX_RATIONAL_BITS // 2 + 1))) is None
    assert rational(read_expression(product(5)), fmpq(3, 2)) is not None
    assert rational(read_expression(product(5)), fmpq(fmpz(3) ** 100)) is None


def test_long_sums_are_opaque():
    """A sum of fractions with many different denominators: each unit that has one is like no other."""
    half = fmpq(1, fmpz(1) << (MAX_SUM_BITS // 3))
    arcs = [(fmpq(1), (fmpq(1, 3) * half, 0, -1)), (fmpq(2), (half, 0, -1)), (fmpq(5), (fmpq(0), -1, 4))]
    bias, terms = collect(fmpq(1), arcs)
    assert bias == 1 + fmpq(7, 3) * half
    assert terms == [(4, fmpq(-5))]
    with pytest.raises(TooLong):
        collect(fmpq(1), [(half * half, (half * half, 0, -1))])
    structure = object.__new__(Structure)
    structure.degrees, structure.known, structure.sums = [], {}, []
    activation = SimpleNamespace(mirror=None, degree=1, text="t", tree=read_expression("t"))
    units = [structure.unit(activation, fmpq(0), [(half * half, (half * half, 0, -1))]) for _ in range(2)]
    assert units[0][2] != units[1][2]
    assert structure.sums[0] != structure.sums[1]


def test_suprema_end_where_numbers_end():
    """What grows by more than a factor between neighbouring numbers cannot be bounded by any number of pieces."""
    from verifier.checker.common import Rejection
    from verifier.checker.expression import SERIES, build

    function, calls = build(read_expression(nested(10)), SERIES), []

    def counted(x):
        calls.append(x)
        return function(x)

    with precision(64), pytest.raises(Rejection) as caught:
        pointwise.suprema(counted, arb(2), "/here", 5)
    assert caught.value.rule == "Z2.range"
    assert len(calls) < 2000


@pytest.mark.parametrize("output", [0, 1, 3])
@pytest.mark.parametrize(("more", "verdict"), [(-F(1, 1 << 20), "ACCEPTED"), (F(1, 1 << 20), "REJECTED")])
def test_curvature_of_equal_classes(output, more, verdict, tmp_path):
    """With V = 0 all four classes are one group: the curvature is 1/4 (1 - 1/4), at the label's output or another's."""
    builder = Builder()
    claim = {"label": "C3", "precision": 64, "start_weights": builder.exact([[0] * 4]), "unit": 0, "output": output}
    claim["curvature_lower"] = dyadic(F(3, 16) + more)
    data = builder.data([[1]], [0], 4)
    document = builder.document(data, [1], [builder.dense([[1]], [0])], 1, [claim])
    assert check_file(str(write(tmp_path, document, builder.arrays())), 1).verdict == verdict
