"""The forward pass against an independent one in Fractions, on random DAGs of dense, convolution and pool layers."""

import itertools
from fractions import Fraction as F
from random import Random

import pytest
from checker_writer import Builder, graph

from verifier.checker.common import Rejection, precision
from verifier.checker.container import Arrays
from verifier.checker.features import Features
from verifier.checker.layered import layered
from verifier.checker.network import read_network
from verifier.checker.schema import ARRAY, NETWORK
from verifier.checker.schema import read as read_value

ACTIVATIONS = {
    "t": lambda t: t,
    "t**2": lambda t: t * t,
    "Max(0, t)": lambda t: max(F(0), t),
    "t/2 - t**3": lambda t: t / 2 - t**3,
    "Abs(t) + 1": lambda t: abs(t) + 1,
}


def size(shape):
    result = 1
    for extent in shape:
        result *= extent
    return result


def nested(values, shape):
    if len(shape) == 1:
        return list(values)
    step = size(shape[1:])
    return [nested(values[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def get(array, index):
    for i in index:
        array = array[i]
    return array


def padded(channel, index, pads):
    """Entry of a channel with zeros around it."""
    for i, p in zip(index, pads, strict=True):
        if not p <= i < p + len(channel):
            return F(0)
        channel = channel[i - p]
    return channel


def forward(layer, inputs):
    """Evaluate one layer from the definition; inputs are (shape, flat values) pairs."""
    spec, sigma = layer["spec"], ACTIVATIONS.get(layer["spec"].get("activation"))
    if spec["kind"] == "dense":
        z = [v for _, values in inputs for v in values]
        return [
            sigma(b + sum(w * v for w, v in zip(row, z, strict=True)))
            for row, b in zip(layer["weight"], layer["bias"], strict=True)
        ]
    stack = [channel for shape, values in inputs for channel in nested(values, shape)]
    outs, result = layer["shape"][1:], []
    window = list(itertools.product(*map(range, spec["kernel"])))
    pads = spec.get("padding", [0] * len(spec["kernel"]))
    for a in range(layer["shape"][0]):
        for p in itertools.product(*map(range, outs)):
            at = [tuple(x * s + y for x, s, y in zip(p, spec["stride"], q, strict=True)) for q in window]
            if spec["kind"] == "avgpool":
                result.append(sum(get(stack[a], i) for i in at) / F(len(at)))
                continue
            total = get(layer["bias"], (a, *p)) if spec["bias_kind"] == "per-unit" else layer["bias"][a]
            for ch, channel in enumerate(stack):
                total += sum(
                    get(layer["weight"], (a, ch, *q)) * padded(channel, i, pads)
                    for q, i in zip(window, at, strict=True)
                )
            result.append(sigma(total))
    return result


def random_layer(random, builder, shapes, padding=False):
    """Return a random layer that fits the earlier shapes (index 0: the network's input)."""

    def numbers(*shape):
        return nested([F(random.randint(-8, 8), 4) for _ in range(size(shape))], shape)

    base = random.randrange(len(shapes))
    spatial = shapes[base][1:]
    fitting = [i for i, shape in enumerate(shapes) if shape[1:] == spatial]
    kind = random.choice(["dense", "conv", "conv", "avgpool"]) if spatial else "dense"
    if kind == "dense":
        sources = random.sample(range(len(shapes)), random.randint(1, len(shapes)))
    else:
        sources = [base] if kind == "avgpool" else random.sample(fitting, random.randint(1, len(fitting)))
    spec = {"inputs": ["input" if i == 0 else i - 1 for i in sources]}
    layer = {"spec": spec, "sources": sources}
    if kind != "avgpool":
        spec["activation"] = random.choice(list(ACTIVATIONS))
    if kind == "dense":
        n, fan = random.randint(1, 5), sum(size(shapes[i]) for i in sources)
        layer |= {"shape": (n,), "weight": numbers(n, fan), "bias": numbers(n)}
        spec |= {"kind": "dense", "units": n}
    else:
        pads = [random.randint(0, 2) if padding and kind == "conv" else 0 for _ in spatial]
        wide = [length + 2 * p for length, p in zip(spatial, pads, strict=True)]
        kernel = [random.randint(1 + p, length) for length, p in zip(wide, pads, strict=True)]
        stride = [random.randint(1, 3) for _ in spatial]
        outs = tuple((length - k) // s + 1 for length, k, s in zip(wide, kernel, stride, strict=True))
        channels = sum(shapes[i][0] for i in sources)
        spec |= {"kernel": kernel, "stride": stride} | ({"padding": pads} if padding and kind == "conv" else {})
        if kind == "avgpool":
            spec["kind"], layer["shape"] = "avgpool", (channels, *outs)
        else:
            f, tied = random.randint(1, 3), random.random() < 0.5
            spec |= {"kind": f"conv{len(spatial)}d", "filters": f, "bias_kind": "tied" if tied else "per-unit"}
            layer |= {
                "shape": (f, *outs),
                "weight": numbers(f, channels, *kernel),
                "bias": numbers(f) if tied else numbers(f, *outs),
            }
    if "weight" in layer:
        spec |= {"weight": builder.exact(layer["weight"]), "bias": builder.exact(layer["bias"])}
    units = size(layer["shape"])
    spec["skip"] = random.choice([True, False, sorted(random.sample(range(units), random.randint(1, units)))])
    return layer


def random_case(seed, padding=False):
    random, builder = Random(seed), Builder()
    shape = random.choice([(2, 1), (2, 3), (1, 2, 1), (2, 2, 2)] if padding else [(3,), (2, 5), (1, 4, 4), (2, 3, 4)])
    samples = random.randint(1, 4)
    inputs = [[F(random.randint(-8, 8), 4) for _ in range(size(shape))] for _ in range(samples)]
    shapes, layers = [shape], []
    for _ in range(random.randint(1, 5)):
        layers.append(random_layer(random, builder, shapes, padding))
        shapes.append(layers[-1]["shape"])
    layers[-1]["spec"]["skip"] = True
    truth = []
    for row in inputs:
        values, psi = [row], []
        for layer in layers:
            values.append(forward(layer, [(shapes[i], values[i]) for i in layer["sources"]]))
            skip = layer["spec"]["skip"]
            psi += values[-1] if skip is True else [values[-1][i] for i in skip or []]
        truth.append(psi)
    document = graph(list(shape), [layer["spec"] for layer in layers], len(truth[0]))
    return builder, builder.exact(inputs), document, truth


def read(builder, inputs, document):
    arrays = Arrays(builder.arrays())
    data = arrays.exact(read_value(ARRAY, inputs, "/data/inputs"), *inputs["shape"])
    return read_network(read_value(NETWORK, document, "/network"), data, *inputs["shape"], arrays)


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_forward(seed, padding):
    builder, inputs, document, truth = random_case(seed, padding)
    network = read(builder, inputs, document)
    with precision(256):
        rows = Features(network).rows(list(range(network.samples)))
        assert len(rows) == len(truth)
        for row, expected in zip(rows, truth, strict=True):
            assert len(row) == len(expected)
            for ball, value in zip(row, expected, strict=True):
                close = ball * value.denominator - value.numerator
                assert close.contains(0) and close.abs_upper() < 2.0**-60 * value.denominator * (1 + abs(value))


def test_blocks_are_rows():
    """Evaluating in small blocks gives the same rows; the bias tile follows the block's size."""
    builder, inputs, document, truth = random_case(11)
    network = read(builder, inputs, document)
    with precision(128):
        features = Features(network)
        rows = [row for i in range(network.samples) for row in features.rows([i])]
        again = features.rows(list(range(network.samples)))
    assert len(rows) == len(truth)
    assert [[str(z) for z in row] for row in rows] == [[str(z) for z in row] for row in again]


NONE = {"weight": None, "bias": None, "bias_shape": [1]}
HUGE = {**NONE, "weight_shape": [1, 1, 2 * 10**9 + 2, 2]}
LARGE = {**NONE, "weight_shape": [1, 1, 1000, 1000]}


def conv(builder, **changes):
    spec = {
        "kind": "conv2d",
        "inputs": ["input"],
        "activation": "t",
        "filters": 1,
        "kernel": [2, 2],
        "stride": [1, 1],
        "bias_kind": "tied",
        "skip": True,
        "weight": builder.exact([[[[1, 2], [3, 4]]]]),
        "bias": builder.exact([0]),
    }
    return spec | changes


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"kernel": [4, 1]}, "network.node"),
        ({"kernel": [0, 1]}, "schema.value"),
        ({"kernel": [2]}, "network.node"),
        ({"stride": [0, 1]}, "schema.value"),
        ({"stride": [1]}, "network.node"),
        ({"weight_shape": [2, 1, 2, 2]}, "shape"),
        ({"bias_shape": [1, 2, 2]}, "shape"),
        ({"weight": None, "weight_shape": [2**31, 1, 2, 2], "bias": None, "bias_shape": [2**31]}, "cost.size"),
        ({"inputs": ["output"]}, "schema.type"),
        ({"inputs": [True]}, "schema.type"),
        ({"inputs": [-1]}, "schema.value"),
        ({"inputs": [3]}, "network.reads"),
    ],
)
def test_bad_convolution(changes, rule):
    builder = Builder()
    inputs = builder.exact([[0] * 9])
    document = graph([1, 3, 3], [conv(builder, **changes)], 4)
    with pytest.raises(Rejection) as caught:
        read(builder, inputs, document)
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"padding": [1, 1]}, "network.features"),  # 16 positions instead of 4
        ({"padding": [0, -1]}, "schema.value"),
        ({"padding": [2, 0]}, "network.node"),  # not below the kernel
        ({"padding": [10**9, 10**9]}, "network.node"),
        ({"padding": [2**31, 0]}, "schema.value"),
        ({"padding": [True, False]}, "schema.type"),
        ({"padding": True}, "schema.type"),
        ({"padding": 1}, "schema.type"),
        ({"padding": None}, "schema.type"),
        ({"padding": []}, "network.node"),
        ({"padding": [0]}, "network.node"),
        ({"padding": [0, 0, 0]}, "network.node"),
        ({"padding": [0.0, 0.0]}, "schema.type"),
        ({"padding": [1, 1], "kernel": [6, 1]}, "network.node"),
        ({"padding": [10**9, 0], "kernel": [2 * 10**9 + 2, 2], **HUGE}, "cost.size"),
        ({"padding": [999, 999], "kernel": [1000, 1000], **LARGE}, "cost.size"),
    ],
)
def test_bad_padding(changes, rule):
    builder = Builder()
    inputs = builder.exact([[0] * 9])
    document = graph([1, 3, 3], [conv(builder, **changes)], 4)
    with pytest.raises(Rejection) as caught:
        read(builder, inputs, document)
    assert caught.value.rule == rule, caught.value


def test_padded_windows_by_hand():
    """Two channels of one pixel: of nine places in a channel the middle one is the pixel, the others the zero."""
    builder = Builder()
    weight = builder.exact([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[1, 0, 0], [0, 7, 0], [0, 0, 0]]]])
    layer = conv(builder, kernel=[3, 3], padding=[1, 1], weight=weight)
    network = read(builder, builder.exact([[3, 4]]), graph([2, 1, 1], [layer], 1))
    assert layered(network).layers[0].windows == [[2, 2, 2, 2, 0, 2, 2, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2]]
    with precision(64):
        ((value,),) = Features(network).rows([0])
    assert value == 5 * 3 + 7 * 4


def test_pool_bomb(monkeypatch):
    """Pool layers need no arrays, so their windows are counted before they are made (up to 2^27: that is gigabytes)."""
    monkeypatch.setattr("verifier.checker.network.MAX_PLACES", 1 << 23)
    builder = Builder()
    inputs = builder.exact([[0] * 10_000])
    pool = {"kind": "avgpool", "inputs": ["input"], "kernel": [50, 50], "stride": [1, 1], "skip": True}
    document = graph([1, 100, 100], [pool] * 2000, 1)
    with pytest.raises(Rejection) as caught:
        read(builder, inputs, document)
    assert caught.value.rule == "cost.size"
