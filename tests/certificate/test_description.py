"""What a document says of a network is the network: every node kind, read a second time by the format's own text."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from planted_graphs import random_graph, random_point
from safetensors.numpy import load

import verifier as vf
from verifier.balls.exact import ExactArray
from verifier.certificate.arrays import ArrayStore, names_in
from verifier.certificate.description import describe_network
from verifier.certificate.node_schema import NODES
from verifier.certificate.schema import NetworkPart
from verifier.certificate.size import Size
from verifier.network.forward import approx_nodes
from verifier.network.network import Network
from verifier.network.nodes import KINDS, Constant, Node, Parameter
from verifier.statements.claims.claim import ArrayRef

sys.path.insert(0, str(Path(__file__).parents[1] / "certificates"))
from reading import evaluate


def described(network: Network, u: np.ndarray) -> tuple[dict, dict[str, np.ndarray]]:
    """The document's network, and the arrays as a reader finds them."""
    arrays = ArrayStore()
    found = describe_network(arrays, network, u)
    return msgspec.json.decode(msgspec.json.encode(found)), load(arrays.file(names_in(found)))


def numbers(reference: dict, tensors: dict[str, np.ndarray]) -> list[float]:
    """An exact array, in floating point."""
    total = sum(tensors[term["tensor"]].astype(float) * 2.0 ** term["exponent"] for term in reference["terms"])
    return [float(entry) for entry in np.ravel(total)]


@pytest.mark.parametrize("seed", range(40))
def test_a_second_reader_finds_the_same_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_graph(rng)
    u, inputs = random_point(rng, network)
    document, tensors = described(network, u)
    msgspec.convert(document, NetworkPart)
    nodes = document["nodes"]
    given = {n: numbers(node["values"], tensors) for n, node in enumerate(nodes) if "values" in node}
    values = approx_nodes(network, u, inputs, range(len(nodes)))
    for i, sample in enumerate(inputs):
        for node, tensor in enumerate(evaluate(nodes, given, [float(x) for x in sample])):
            expected = values[node][i if network.varies[node] else 0]
            assert tensor.shape == expected.shape
            assert np.allclose(np.array(tensor.ravel(), dtype=float), expected.ravel(), rtol=1e-9, atol=1e-9), node


@pytest.mark.parametrize("kind", KINDS)
def test_a_node_states_its_fields_and_nothing_else(kind: str) -> None:
    made = {"map": lambda: KINDS["map"]((0,), vf.activation("tanh"))}.get(kind, lambda: KINDS[kind](reads=(0,)))()
    stated = {"reads", *made.fields(), *(("values",) if isinstance(made, Parameter | Constant) else ())}
    assert set(NODES[kind].__struct_fields__) == stated


def test_two_tensors_never_share_a_name() -> None:
    """Names of parameters are any text: what looks the same in a tensor's name is told apart."""
    arrays = ArrayStore()
    values = {name: np.full(2, float(i)) for i, name in enumerate(("a b", "a_b", "ä_b", "a_b.0", "", "x" * 99))}
    references = {name: arrays.parameter(name, array) for name, array in values.items()}
    arrays.keep(())
    references |= {"again": arrays.parameter("a b", values["a b"]), "other": arrays.parameter("a b", np.full(2, 9.0))}
    values |= {"again": values["a b"], "other": np.full(2, 9.0)}
    for name, array in values.items():
        references.setdefault(name, arrays.parameter(name, array))
        arrays.parameter(name, array)
    tensors = load(arrays.file(names_in(msgspec.to_builtins(list(references.values())))))
    for name, reference in references.items():
        assert numbers(msgspec.to_builtins(reference), tensors) == values[name].tolist(), name


def test_a_number_is_stored_as_a_list_of_one() -> None:
    arrays = ArrayStore()
    reference = arrays.parameter("temperature", np.array(0.5))
    assert isinstance(reference, ArrayRef) and reference.shape == (1,)
    assert ExactArray.of_floats(np.array([0.5])).shape == (1,)


@pytest.mark.parametrize("seed", range(20))
def test_every_graph_has_a_predicted_cost(seed: int) -> None:
    """The counts grow with the samples and are those of nodes that vary, whichever kinds there are."""
    network = random_graph(np.random.default_rng(seed))
    size = Size.of(network, 10, 2)
    assert min(size.units, size.arcs, size.steps, size.fixed) >= 0 and size.widest >= network.dimension
    assert size.units + size.steps > 0 and size.columns == network.columns
    assert size.layered == (network.layered is not None)


def test_every_kind_is_in_a_true_certificate_of_the_corpus() -> None:
    corpus = Path(__file__).parents[1] / "certificates" / "accepted"
    documents = [json.loads(path.read_bytes()) for path in corpus.glob("*.json")]
    stated = {node["kind"] for document in documents for node in document["network"]["nodes"]}
    # a kind that reads one node and has no fields is stated in no way of its own
    assert {name for name, kind in KINDS.items() if kind.arity != (1, 1) or kind.fields is not Node.fields} <= stated
