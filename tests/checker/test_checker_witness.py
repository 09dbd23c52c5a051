"""W0, W1, W2: accepted as they should be, and every field tampered with is rejected by the named rule and path."""

from fractions import Fraction as F

import pytest
from checker_writer import Builder, dyadic, graph, node_of
from checking import check, rejected

from verifier.checker import witness

INPUTS = [[3, 0], [0, 1], [5, 5], [1, 1]]  # <(2, 1), x> = 6, 1, 15, 3


def layer(units, activation, inputs=("input",), skip=True, width=2):
    """A layer without weights, which reads `width` numbers in all."""
    entry = {"kind": "dense", "inputs": list(inputs), "activation": activation, "skip": skip}
    return entry | {"weight": None, "bias": None, "weight_shape": [units, width], "bias_shape": [units]}


def steps(change=None):
    """Two columns behind a chain unit h = z / 16, two on the input."""
    b = Builder()
    layers = [layer(2, "t", skip=False), layer(3, "tanh(t)", [0]), layer(3, "1/(1 + exp(-t))", skip=[0, 2])]
    blocks = [
        {"node": 8, "links": 1, "weight": dyadic(256), "units": b.tensor([2, 0], "I32"), "biases": b.exact([0, -32])},
        {
            "node": 12,
            "links": 0,
            "weight": dyadic(32),
            "units": b.tensor([0, 2], "U8"),
            "biases": b.exact([-144, -336]),
        },
    ]
    chain = [{"node": 4, "unit": 1, "weight": dyadic(F(1, 16)), "bias": dyadic(0)}]
    claim = {"label": "W1", "precision": 64, "direction": b.tensor([2, 1], "I8"), "chain": chain, "radius": None}
    document = b.document(b.data(INPUTS), [2], layers, 5, [claim | {"blocks": blocks}, {"label": "W0"}])
    if change:
        change(b, document, document["claims"][0])
    return b, document


def ramps(change=None, radius=None, activation="log(exp(2*t) + 1)/2"):
    """Four softplus columns; z = 1, 3, 6, 15 with thresholds at 0, 1, 3, 6: the smallest gap is 1, s = 2 * 4."""
    b = Builder()
    layers = [layer(5, activation)]
    units, biases = b.tensor([4, 1, 0, 2], "I64"), b.exact([0, -4, -12, -24])
    claim = {"label": "W2", "precision": 64, "direction": b.tensor([2, 1], "I8"), "chain": []}
    claim |= {"radius": None if radius is None else dyadic(radius)}
    claim |= {"blocks": [{"node": 4, "links": 0, "weight": dyadic(4), "units": units, "biases": biases}]}
    document = b.document(b.data(INPUTS), [2], layers, 5, [claim, {"label": "W0"}])
    if change:
        change(b, document, claim)
    return b, document


@pytest.mark.parametrize("make", [steps, ramps])
def test_accepted(make, tmp_path):
    outcome = check(tmp_path, *make())
    assert outcome.verdict == "ACCEPTED", vars(outcome.rejection)
    first, second = outcome.claims
    assert 0 < float(first["q"]) < 1 and float(first["sigma_lower"]) > 0
    assert "rank Psi(U*) = N = 4" in first["statement"] and "almost every U" in second["statement"]
    assert "T3.4(4) does not follow" in second["statement"]


def at(*keys):
    """Return a change that sets one entry of the claim."""

    def change(value):
        def apply(builder, document, claim):
            place = claim
            for key in keys[:-1]:
                place = place[key]
            place[keys[-1]] = value(builder) if callable(value) else value

        return apply

    return change


BLOCK, LINK = "/claims/0/blocks/", "/claims/0/chain/0"
TAMPERED = [
    (at("precision")(31), "schema.value", "/claims/0/precision"),
    (at("label")("W2"), "schema.value", "/claims/0/blocks"),
    (at("direction")(lambda b: b.tensor([0, 0], "I8")), "W1.distinct", "/claims/0/direction"),
    (at("direction")(lambda b: b.tensor([1, 4], "I8")), "W1.distance", "/claims/0"),
    (at("direction")(lambda b: b.tensor([2, 1, 0], "I8")), "shape", "/claims/0/direction"),
    (at("direction")(lambda b: b.tensor([2.0, 1.0], "F64")), "container.tensor", "/claims/0/direction"),
    (at("chain")([]), "schema.value", BLOCK + "0/links"),
    (at("chain", 0, "unit")(2), "schema.value", LINK + "/unit"),
    (at("chain", 0, "node")(8), "witness.layer", LINK + "/node"),
    (at("chain", 0, "node")(40), "witness.layer", LINK + "/node"),
    (at("chain", 0, "weight")(dyadic(0)), "W1.chain", LINK),
    (at("chain", 0, "weight")(dyadic(-1)), "W1.chain", LINK),
    (at("chain", 0, "bias")(dyadic(1)), "W1.distance", "/claims/0"),
    (at("radius")(dyadic(F(1, 2**30))), "W1.radius", "/claims/0/radius"),
    (at("blocks", 0, "node")(12), "witness.layer", BLOCK + "0/node"),
    (at("blocks", 0, "node")(16), "witness.layer", BLOCK + "0/node"),
    (at("blocks", 0, "links")(0), "witness.layer", BLOCK + "0/node"),
    (at("blocks", 0, "links")(2), "schema.value", BLOCK + "0/links"),
    (at("blocks", 1, "links")(1), "witness.layer", BLOCK + "1/node"),
    (at("blocks", 0, "weight")(dyadic(0)), "W1.weight", BLOCK + "0/weight"),
    (at("blocks", 0, "weight")(dyadic(-256)), "W1.distance", "/claims/0"),
    (at("blocks", 0, "weight")(dyadic(16)), "W1.distance", "/claims/0"),
    (at("blocks", 0, "units")(lambda b: b.tensor([1, 1], "I32")), "W1.units", BLOCK + "0/units"),
    (at("blocks", 0, "units")(lambda b: b.tensor([1, 3], "I32")), "W1.units", BLOCK + "0/units"),
    (at("blocks", 0, "units")(lambda b: b.tensor([1, -1], "I32")), "W1.units", BLOCK + "0/units"),
    (at("blocks", 1, "units")(lambda b: b.tensor([0, 1], "I32")), "W1.units", BLOCK + "1/units"),
    (at("blocks", 0, "units")(lambda b: b.tensor([0, 1, 2], "I32")), "shape", BLOCK + "0/biases/shape"),
    (at("blocks", 0, "biases")(lambda b: b.exact([-32, 0])), "W1.distance", "/claims/0"),
    (at("blocks", 0, "biases")(lambda b: b.exact([0, -16])), "W1.distance", "/claims/0"),
    (at("blocks", 1, "biases")(lambda b: b.exact([-144, -480])), "W1.distance", "/claims/0"),
    (lambda b, d, c: c["blocks"].pop(), "W1.columns", "/claims/0/blocks"),
    (lambda b, d, c: c["blocks"].reverse(), "W1.distance", "/claims/0"),
    (lambda b, d, c: node_of(d, 1, "map").update(activation="t"), "W1.activation", "/network/nodes/8/activation"),
    (
        lambda b, d, c: node_of(d, 1, "map").update(activation="sin(t)"),
        "W1.activation",
        "/network/nodes/8/activation",
    ),
    (lambda b, d, c: node_of(d, 0, "map").update(activation="0*t"), "W1.chain", LINK),
    (
        lambda b, d, c: node_of(d, 0, "map").update(activation="Max(0, t)"),
        "W0.analytic",
        "/network/nodes/4",
    ),
    (lambda b, d, c: node_of(d, 0, "map").update(activation="1/t"), "W1.total", "/network/nodes/4"),
    (lambda b, d, c: node_of(d, 1, "bias").update(values=b.exact([0, 0])), "shape", "/network/nodes/6/values/shape"),
    (
        lambda b, d, c: d["claims"].append(
            {"label": "C3", "precision": 64, "start_weights": b.exact([[0, 0]] * 5), "unit": 0, "output": 0}
            | {"curvature_lower": dyadic(F(1, 8))}
        ),
        "network.values",
        "/network/nodes/1",
    ),
]


def remove_unused(builder, document):
    text = str(document)
    builder.tensors = {name: value for name, value in builder.tensors.items() if f"'{name}'" in text}


@pytest.mark.parametrize(("change", "rule", "path"), TAMPERED)
def test_every_field_counts(change, rule, path, tmp_path):
    builder, document = steps(change)
    remove_unused(builder, document)
    rejected(check(tmp_path, builder, document), rule, path)


def test_almost_everywhere_needs_a_rank(tmp_path):
    """W0 alone, with weights, so that the samples are read: nothing shows full rank at any U."""
    b = Builder()
    document = b.document(b.data(INPUTS), [2], [b.dense([[1, 0]] * 4, [0] * 4, "tanh(t)")], 4, [{"label": "W0"}])
    outcome = check(tmp_path, b, document)
    assert outcome.verdict == "REJECTED"
    document["claims"].insert(0, {"label": "R5", "reason": "dependent-units", "rank_at_most": 1})
    rejected(check(tmp_path, b, document), "W0.rank", "/claims/1")


def test_a_column_too_many(tmp_path):
    def change(b, document, claim):
        claim["blocks"][0] |= {"units": b.tensor([2, 0, 1], "I8"), "biases": b.exact([0, -32, -72])}

    builder, document = steps(change)
    remove_unused(builder, document)
    rejected(check(tmp_path, builder, document), "W1.columns", BLOCK + "1/units")


def test_a_unit_of_the_chain_is_no_column(tmp_path):
    b = Builder()
    units, biases = b.tensor([0, 1, 2, 3], "I8"), b.exact([-16, -64, -144, -336])
    chain = [{"node": 4, "unit": 3, "weight": dyadic(F(1, 16)), "bias": dyadic(0)}]
    blocks = [{"node": 4, "links": 0, "weight": dyadic(32), "units": units, "biases": biases}]
    claim = {"label": "W1", "precision": 64, "direction": b.tensor([2, 1], "I8"), "chain": chain, "radius": None}
    document = b.document(b.data(INPUTS), [2], [layer(5, "tanh(t)")], 5, [claim | {"blocks": blocks}])
    rejected(check(tmp_path, b, document), "W1.units", BLOCK + "0/units")
    chain[0]["unit"] = 4
    assert check(tmp_path, b, document).verdict == "ACCEPTED"
    rejected(check(tmp_path, b, document | {"claims": [document["claims"][0]] * 33}), "schema.value", "/claims")


@pytest.mark.parametrize(
    ("change", "rule", "path"),
    [
        (at("blocks", 0, "weight")(dyadic(-4)), "W2.activation", "/network/nodes/4/activation"),
        (at("blocks", 0, "weight")(dyadic(1)), "W2.distance", "/claims/0"),
        (at("blocks", 0, "biases")(lambda b: b.exact([-4, -4, -12, -24])), "W2.gap", BLOCK + "0/biases"),
        (at("blocks", 0, "biases")(lambda b: b.exact([0, -8, -12, -24])), "W2.distance", "/claims/0"),
        (at("direction")(lambda b: b.tensor([1, 1], "I8")), "W2.distance", "/claims/0"),
        (at("radius")(dyadic(0)), "W2.radius", "/claims/0/radius"),
        (at("radius")(dyadic(-1)), "W2.radius", "/claims/0/radius"),
        (at("radius")(dyadic(1)), "W2.distance", "/claims/0"),
    ],
)
def test_softplus_rejected(change, rule, path, tmp_path):
    builder, document = ramps(change)
    remove_unused(builder, document)
    rejected(check(tmp_path, builder, document), rule, path)


def test_softplus_needs_its_form(tmp_path):
    for text in ("log(exp(2*t) + 1)", "log(exp(2*t) + 2)/2", "tanh(t)", "Max(0, t)"):
        outcome = check(tmp_path, *ramps(activation=text))
        rejected(outcome, "W2.activation", "/network/nodes/4/activation")


def test_the_radius_is_bounded(tmp_path):
    """q + 4 N e / G < 1 with e = radius (2 * 8 + 1): the entries are at most 5 < 2^3."""
    assert "within" in check(tmp_path, *ramps(radius=F(1, 2**10))).claims[0]["statement"]
    q = float(check(tmp_path, *ramps()).claims[0]["q"])
    edge = (1 - q) * 4 / (4 * 4 * 17)
    assert check(tmp_path, *ramps(radius=F(int(edge * 0.999 * 2**40), 2**40))).verdict == "ACCEPTED"
    rejected(check(tmp_path, *ramps(radius=F(int(edge * 1.001 * 2**40), 2**40))), "W2.distance", "/claims/0")


def test_chunks_do_not_matter(tmp_path, monkeypatch):
    whole = [check(tmp_path, *make()).claims for make in (steps, ramps)]
    monkeypatch.setattr(witness, "CHUNK", 2)
    assert [check(tmp_path, *make()).claims for make in (steps, ramps)] == whole


def test_chunks_of_different_scales(tmp_path, monkeypatch):
    """Floats whose common exponent differs from row to row: z = 3 + x for x = 2^-60, 1, 2^300 is exact."""
    monkeypatch.setattr(witness, "CHUNK", 1)
    b = Builder()
    data = b.data([[0, 0]] * 3)
    data["inputs"] = b.floats([[1.0, 1.0], [2.0**-60, 1.0], [2.0**300, 1.0]])
    big, small = [-(2.0**67), -3.5 * 2.0**66, -(2.0**266)], [-64.0, -32.0, 0.0]  # thresholds 2 + 2^-60, 3.5 + 2^-61, ..
    terms = [{"tensor": b.tensor(part, "F64"), "exponent": 0} for part in (big, small)]
    blocks = [{"node": 4, "links": 0, "weight": dyadic(2**66), "units": b.tensor([0, 1, 2], "I8")}]
    blocks[0]["biases"] = {"shape": [3], "terms": terms}
    claim = {"label": "W1", "precision": 64, "direction": b.tensor([1, 3], "I8"), "chain": [], "radius": None}
    document = b.document(data, [2], [layer(3, "tanh(t)")], 3, [claim | {"blocks": blocks}])
    remove_unused(b, document)
    outcome = check(tmp_path, b, document)
    assert outcome.verdict == "ACCEPTED", vars(outcome.rejection)
    assert "distance" not in outcome.claims[0]["statement"]  # nothing is said of other thresholds or data


def test_equal_samples(tmp_path):
    b = Builder()
    units, biases = b.tensor([0, 1], "I8"), b.exact([-16, -64])
    blocks = [{"node": 4, "links": 0, "weight": dyadic(32), "units": units, "biases": biases}]
    claim = {"label": "W1", "precision": 64, "direction": b.tensor([2, 1], "I8"), "chain": [], "radius": None}
    document = b.document(b.data([[1, 1], [1, 1]]), [2], [layer(2, "tanh(t)")], 2, [claim | {"blocks": blocks}])
    rejected(check(tmp_path, b, document), "W1.distinct", "/claims/0/direction")


def test_a_vanishing_first_limit(tmp_path):
    """With a negative weight the sigmoid's column 1 tends to 0 where it should not: H_1 = 0, T is singular."""
    b = Builder()
    units, biases = b.tensor([0, 1, 2, 3], "I8"), b.exact([16, 64, 144, 336])
    blocks = [{"node": 4, "links": 0, "weight": dyadic(-32), "units": units, "biases": biases}]
    claim = {"label": "W1", "precision": 64, "direction": b.tensor([2, 1], "I8"), "chain": [], "radius": None}
    document = b.document(b.data(INPUTS), [2], [layer(4, "1/(1 + exp(-t))")], 4, [claim | {"blocks": blocks}])
    rejected(check(tmp_path, b, document), "W1.distance", "/claims/0")
    node_of(document, 0, "map")["activation"] = "tanh(t)"
    assert check(tmp_path, b, document).verdict == "ACCEPTED"


def test_one_sample(tmp_path):
    b = Builder()
    blocks = [{"node": 4, "links": 0, "weight": dyadic(4), "units": b.tensor([0], "I8"), "biases": b.exact([1])}]
    claim = {"label": "W1", "precision": 64, "direction": b.tensor([1], "I8"), "chain": [], "radius": None}
    document = b.document(
        b.data([[1]]), [1], [layer(1, "tanh(t)", width=1)], 1, [claim | {"blocks": blocks}, {"label": "W0"}]
    )
    assert check(tmp_path, b, document).verdict == "ACCEPTED"
    node_of(document, 0, "map")["activation"] = "tanh(t) + log(t - 9)"
    rejected(check(tmp_path, b, document), "W1.total", "/network/nodes/4")


def test_a_wide_layer_without_weights_is_cheap(tmp_path):
    """A million units and a thousand inputs are accounted by what they cost without weights."""

    def change(b, document, claim):
        wide = graph([2], [layer(10**6, "tanh(t)", [4, 8, 12], skip=False, width=8)], 1)["nodes"][1:]
        wide[2]["reads"], wide[3]["reads"] = [4, 8, 12, 13, 14], [15]
        document["network"]["nodes"] += wide

    assert check(tmp_path, *steps(change)).verdict == "ACCEPTED"


def test_a_maximum_over_padding_alone(tmp_path):
    """It has no value, also where no parameter has one, so that nothing is evaluated."""

    def change(builder, document, claim):
        nodes, window = document["network"]["nodes"], {"kernel": [2], "stride": [1], "padding": [3], "dilation": [3]}
        nodes.append({"kind": "parameter", "reads": [], "name": "p", "shape": [1, 1], "values": None})
        nodes.append({"kind": "pool", "reads": [len(nodes) - 1], "how": "max", **window})
        del document["claims"][1]

    rejected(check(tmp_path, *ramps(change)), "network.node", "/network/nodes/6")
