"""The constructive witness: it proves what is true, says why it does not apply, and its certificate is accepted."""

import json
from fractions import Fraction

import jsonschema
import numpy as np
import pytest
from everyday import one_in
from flint import arb

from verifier.balls.feature_enclosure import FeatureEnclosure
from verifier.certificate.schema import json_schema
from verifier.certificate.show import describe
from verifier.certificate.writer import CertificateBuilder
from verifier.checker.certificate import check_file
from verifier.data.dataset import Dataset
from verifier.data.samples import SampleSource
from verifier.errors import DataError, PrecisionError
from verifier.network.blocks import Add, LayerNorm, MultiHeadAttention, Multiply
from verifier.network.layers import AvgPool, Conv, Dense
from verifier.network.network import Network
from verifier.rank.certify import prove_rank
from verifier.rank.monotone import monotone_limits
from verifier.rank.witness import prove_witness
from verifier.sigma.activations import activation, catalogue
from verifier.verdict import Verdict

VALIDATOR = jsonschema.Draft202012Validator(json_schema())  # the schema itself is checked elsewhere
TANH, SOFTPLUS = activation("tanh"), activation("softplus")


def bytes_source(n=40, d=5, seed=0):
    return SampleSource("x", np.random.default_rng(seed).integers(0, 256, (n, d)).astype(np.uint8))


def certified(result, source, network, tmp_path, *, generic=True):
    """Write the certificate without weights, validate, describe and check it."""
    builder = CertificateBuilder(source, network, None)
    builder.add_witness(result)
    if generic:
        builder.add_generic()
    path = builder.write(tmp_path / "c.json")
    VALIDATOR.validate(json.loads(path.read_text()))
    assert "by construction" in describe(path)
    return check_file(str(path), 1)


@pytest.mark.parametrize(
    "name", one_in(3, [*(a.name for a in catalogue()), "2*tanh(t)+1", "tanh(t)-1", "tanh(t)+atan(t)/3"])
)
@pytest.mark.parametrize("links", [0, pytest.param(2, marks=pytest.mark.thorough)])
def test_the_catalogue(name, links, tmp_path):
    """Every activation that the prover takes is one that the checker takes; bounded ones and softplus are taken."""
    kind = activation(name)
    layers = [Dense(2, kind)] * links + [Dense(40, kind, True)]
    source, network = bytes_source(), Network((5,), tuple(layers))
    result = prove_witness(network, source)
    taken = name in ("sigmoid", "tanh", "arctan", "erf", "algebraic", "softplus") or "tanh(t)" in name
    assert result.verdict is (Verdict.PROVED if taken else Verdict.UNDECIDED), result.reason
    if taken:
        outcome = certified(result, source, network, tmp_path)
        assert outcome.verdict == "ACCEPTED", vars(outcome.rejection)
        assert (result.radius is None) == (links > 0)
        assert float(outcome.claims[0]["sigma_lower"]) == pytest.approx(float(result.sigma_lower), rel=1e-3)


@pytest.mark.parametrize(
    "text",
    [
        "exp(t)/(1 + exp(t))",
        "1/(1 + exp(-t))**2",
        "tanh(t)**3",
        "-erf(t)",
        "tanh(sinh(t))",
        "exp(-exp(-t))",
        "sqrt(2)*tanh(t)",
        "3 - 2/(1 + exp(t))",
        "(2 + tanh(t))**2",
        "sqrt(2 + tanh(t))",
        "tanh(t) + erf(2*t) - 1",
        "atan(t**3 + t)/pi",
    ],
)
def test_what_the_prover_takes_the_checker_takes(text, tmp_path):
    source, network = bytes_source(12), Network((5,), (Dense(12, activation(text), True),))
    result = prove_witness(network, source)
    assert (result.verdict is Verdict.PROVED) == (monotone_limits(activation(text)) is not None)
    if result.verdict is Verdict.PROVED:
        assert certified(result, source, network, tmp_path).verdict == "ACCEPTED"


def test_blocks_of_several_layers(tmp_path):
    """No layer has enough units: columns come from three layers, at three depths, around the chain's own units."""
    layers = (
        Dense(15, TANH, True),
        Dense(15, activation("sigmoid"), True, (0,)),
        Dense(4, activation("gelu"), True, (1,)),
        Dense(12, activation("arctan"), tuple(range(2, 12)), (1, "input")),
        Dense(10, TANH, True, (2,)),
    )
    source, network = bytes_source(47), Network((5,), layers)
    result = prove_witness(network, source)
    assert result.verdict is Verdict.PROVED, result.reason
    assert len({block.node for block in result.blocks}) == 4
    assert certified(result, source, network, tmp_path).verdict == "ACCEPTED"
    assert prove_witness(network, bytes_source(60)).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("kind", ["tanh", "sigmoid", "softplus", "tanh(t)-1"])
@pytest.mark.parametrize("links", [0, 1])
def test_the_dense_prover_agrees(kind, links):
    """Psi at the witness' parameters has full rank by R1, too, and its sigma_N is not contradicted."""
    network = Network((3,), (*[Dense(3, TANH)] * links, Dense(11, activation(kind), True)))
    inputs = np.random.default_rng(1).integers(-20, 20, (9, 3)) / 4.0
    result = prove_witness(network, SampleSource("x", inputs))
    u = result.parameters(network)
    assert u.shape == (network.parameter_count,)
    found, _ = prove_rank(FeatureEnclosure(network, u, inputs, 64))
    assert found.verdict is Verdict.PROVED
    rows = [row for _, block in FeatureEnclosure(network, u, inputs, 128).blocks() for row in block.tolist()]
    psi = np.array([[float(x) for x in row] for row in rows])
    assert float(result.sigma_lower) <= np.linalg.svd(psi, compute_uv=False)[-1] * (1 + 1e-9)


def test_parameters_are_exact():
    network = Network((2,), (Dense(3, TANH), Dense(5, SOFTPLUS, True, ("input", 0))))
    result = prove_witness(network, SampleSource("x", np.array([[1, 2], [3, 4], [7, 0]])))
    views = network.views(result.parameters(network))
    (block,) = result.blocks
    weight = views["layer1.weight"][block.units]
    assert [[Fraction(v) for v in row[:2]] for row in weight] == [
        [block.weight.fraction() * int(a) for a in result.direction]
    ] * 3
    assert not weight[:, 2:].any() and not views["layer0.weight"].any()


def test_parameters_need_a_proof_and_binary64():
    network = Network((1,), (Dense(2, activation("relu"), True),))
    result = prove_witness(network, SampleSource("x", np.array([[1], [2]])))
    with pytest.raises(PrecisionError, match="no witness"):
        result.parameters(network)
    network = Network((1,), (Dense(2, TANH, True),))
    wide = prove_witness(network, SampleSource("x", np.array([[1.0], [2.0**80]])))
    assert wide.verdict is Verdict.PROVED and wide.parameters(network).shape == (4,), "thresholds are rounded"
    result = prove_witness(network, SampleSource("x", np.array([[1.0], [1.0 + 2.0**-52]])))
    assert result.verdict is Verdict.PROVED
    with pytest.raises(PrecisionError, match="53 bits"):
        result.parameters(network)


def test_wild_scales(tmp_path):
    """Subnormal, huge and ordinary coordinates: z is exact, and precision rises as far as needed."""
    source = SampleSource("x", np.array([[5e-324, 0.0], [0.0, 1e300], [1.0, -1e-300], [1e308, 3.0]]))
    for layers in ((Dense(4, TANH, True),), (Dense(4, SOFTPLUS, True),)):
        result = prove_witness(Network((2,), layers), source, max_bits=8192)
        assert result.verdict is Verdict.PROVED, result.reason
        assert certified(result, source, Network((2,), layers), tmp_path).verdict == "ACCEPTED"


@pytest.mark.parametrize("links", [0, 1, 6])
def test_one_sample(links, tmp_path):
    network = Network((2,), (*[Dense(1, TANH)] * links, Dense(1, activation("sigmoid"), True)))
    source = SampleSource("x", np.array([[0, 0]]))
    result = prove_witness(network, source)
    assert result.verdict is Verdict.PROVED and result.samples == 1
    assert certified(result, source, network, tmp_path).verdict == "ACCEPTED"


def test_deep_chain(tmp_path):
    network = Network((5,), (*[Dense(1, activation("sin"))] * 30, Dense(40, TANH, True)))
    result = prove_witness(network, bytes_source())
    assert result.verdict is Verdict.PROVED and len(result.chain) == 30
    assert certified(result, bytes_source(), network, tmp_path).verdict == "ACCEPTED"


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((Dense(39, TANH, True),), "only 39 skip units"),
        ((Dense(40, activation("relu"), True),), "no 40 skip units"),
        ((Dense(40, TANH, True), Dense(1, SOFTPLUS, True, (0,))), None),
        ((Dense(20, SOFTPLUS, True), Dense(20, SOFTPLUS, True, ("input",))), "no 40 skip units"),
        ((Conv(40, (2,), TANH, skip=True),), "no 40 skip units"),
        ((AvgPool((1,)), Dense(40, TANH, True)), "no 40 skip units"),
        ((Dense(20, TANH, True), Dense(20, TANH, True)), "no 40 skip units"),
        ((Dense(20, TANH, True), Dense(21, TANH, True)), None),
    ],
)
def test_structure(layers, words):
    shape = (1, 5) if isinstance(layers[0], Conv | AvgPool) else (5,)
    result = prove_witness(Network(shape, layers), bytes_source())
    if words is None:
        assert result.verdict is Verdict.PROVED, result.reason
    else:
        assert result.verdict is Verdict.UNDECIDED and words in result.reason


def test_equal_samples_are_named():
    array = np.random.default_rng(2).integers(0, 2, (30, 9))
    array[[4, 21]] = [[1, 0, 1, 1, 0, 0, 1, 0, 1]]
    array = array.astype(float) * 3.7
    result = prove_witness(Network((9,), (Dense(40, TANH, True),)), SampleSource("x", array))
    assert result.verdict is Verdict.REFUTED
    a, b = result.equal
    assert a < b and (array[a] == array[b]).all() and f"{a} and {b}" in result.reason


def test_accidental_collisions_lead_to_larger_directions(monkeypatch):
    array = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    result = prove_witness(Network((8,), (Dense(256, TANH, True),)), SampleSource("x", array))
    assert result.verdict is Verdict.PROVED
    monkeypatch.setattr("verifier.rank.witness_values.MAX_DIRECTION_BITS", 1)
    result = prove_witness(Network((8,), (Dense(256, TANH, True),)), SampleSource("x", array))
    assert result.verdict is Verdict.UNDECIDED and "direction" in result.reason


def test_many_bits_and_many_collisions():
    """Wide floats that take two values only: directions become long, products go through limbs, nothing overflows."""
    bits = np.unpackbits(np.arange(200, dtype=np.uint8)[:, None], axis=1)
    array = np.concatenate([bits, np.zeros((200, 200), np.uint8)], axis=1) * 2.0**-900
    array[:, -1] = 1.0
    source, network = SampleSource("x", array), Network((208,), (Dense(200, TANH, True),))
    assert source.extent[1] > 800
    result = prove_witness(network, source)
    assert result.verdict is Verdict.PROVED, result.reason


def test_the_seed_decides():
    network = Network((5,), (Dense(40, TANH, True),))
    first, again, other = (prove_witness(network, bytes_source(), seed=seed) for seed in (3, 3, 4))
    assert (first.direction == again.direction).all() and (first.direction != other.direction).any()


def test_bad_input():
    with pytest.raises(DataError, match="coordinates"):
        prove_witness(Network((4,), (Dense(40, TANH, True),)), bytes_source())
    result = prove_witness(Network((5,), (Dense(40, TANH, True),)), bytes_source(), max_bits=32)
    assert result.verdict is Verdict.UNDECIDED and "64" in result.reason


def test_a_data_set_with_multiplicities(tmp_path):
    dataset = Dataset("d", np.array([[0.5, 2], [1, 3], [4, 4]]), np.array([0, 1, 0]), 2, np.array([2, 1, 1]))
    network = Network((2,), (Dense(3, TANH, True),))
    result = prove_witness(network, SampleSource.of_dataset(dataset))
    for with_labels in (True, False):
        builder = CertificateBuilder(dataset, network, None, with_labels=with_labels)
        builder.add_witness(result)
        builder.add_generic()
        outcome = check_file(str(builder.write(tmp_path / "d.json")), 1)
        assert outcome.verdict == "ACCEPTED", vars(outcome.rejection)


def test_nothing_is_added_without_a_proof():
    network = Network((5,), (Dense(40, activation("relu"), True),))
    builder = CertificateBuilder(bytes_source(), network, None)
    builder.add_witness(prove_witness(network, bytes_source()))
    assert builder.empty


def test_the_working_precision_is_restored():
    before = arb(1) / 3
    prove_witness(Network((5,), (Dense(40, TANH, True),)), bytes_source())
    assert (arb(1) / 3).rad() == before.rad()


GRAPHS = {
    "skip units beside attention": lambda skip: Network(
        (5, 1), [LayerNorm(axes=2), MultiHeadAttention(1, skip=True), Dense(skip, TANH, True, ("input",))]
    ),
    "a residual sum above them": lambda skip: Network(
        5, [Dense(skip, TANH, True), Dense(skip, TANH), Add(inputs=(0, 1)), Dense(3, activation("gelu"), True)]
    ),
    "through a chain, beside a product": lambda skip: Network(
        5,
        [Dense(5, TANH), Multiply(inputs=(0, "input")), Dense(skip, SOFTPLUS, True, (0,)), Dense(2, TANH, True, (1,))],
    ),
    "an output bias": lambda skip: Network(
        5, [Dense(skip, TANH, True), Dense(skip, TANH), Add(inputs=(0, 1), skip=True)], True
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_units_of_their_own_in_any_graph(name, tmp_path):
    source, network = bytes_source(), GRAPHS[name](40)
    assert network.layered is None
    result = prove_witness(network, source)
    assert result.verdict is Verdict.PROVED, result.reason
    outcome = certified(result, source, network, tmp_path)
    assert outcome.verdict == "ACCEPTED", vars(outcome.rejection)
    features = FeatureEnclosure(network, result.parameters(network), source.array.astype(float), 128)
    assert prove_rank(features, guard=False)[0].verdict is Verdict.PROVED


def test_shared_or_frozen_weights_are_no_units_of_their_own():
    source = bytes_source(6)
    twice = Network(5, [Dense(6, TANH, name="a", skip=True), Dense(6, TANH, True, ("input",), name="a")])
    frozen = Network(5, [Dense(6, TANH, skip=True)], frozen={"layer0.bias": np.zeros(6)})
    for network in (twice, frozen):
        found = prove_witness(network, source)
        assert found.verdict is Verdict.UNDECIDED
        assert "dense layers with a bounded monotone activation" in found.reason
