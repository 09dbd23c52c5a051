"""The terms of Coq that `verifier formal` writes are the network's numbers, and its lemmas' bounds contain them."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from checker_writer import write
from coq_terms import bounds_of, numbers_of, table_of
from plain_graph import Graph
from test_checker_random_graphs import random_document

from verifier.checker.common import Rejection, precision
from verifier.checker.features import Features
from verifier.coq import file, terms
from verifier.coq.file import Certificate
from verifier.coq.script import NotShown, Script, TooLarge, write_network
from verifier.coq.terms import Term

ACCEPTED = Path(__file__).resolve().parents[1] / "certificates" / "accepted"
CLAIMED = {"R1", "R3", "Z1", "P1"}
FILES = [
    path
    for path in sorted(ACCEPTED.glob("*.json"))
    if CLAIMED & {claim["label"] for claim in json.loads(path.read_text())["claims"]} and path.stem != "missing-arcs"
]
BITS = 320
AFFINE = terms.Terms.affine


def same(text, network):
    """Whether the table psi of a file has the features' values, and every lemma bounds what it names."""
    with precision(BITS):
        found, numbers = table_of(text, "psi"), numbers_of(text)
        rows = Features(network).rows(list(range(network.samples)))
        near = all(
            a.overlaps(b) and (a - b).abs_upper() <= 2.0**-80 * (1 + b.abs_upper())
            for p, q in zip(found, rows, strict=True)
            for a, b in zip(p, q, strict=True)
        )
        bounded = all(low <= numbers[name] <= high for name, (low, high) in bounds_of(text).items())
        return near and bounded


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_features_of_the_corpus(path):
    text, theorems, _ = file.coq_file(str(path), "corpus.v")
    assert theorems
    assert same(text, Certificate(str(path)).network)


def random_network(random, folder):
    """Draw a network that fits, with its samples, as the checker reads it."""
    builder, document = random_document(random)
    return Certificate(str(write(folder, document, builder.arrays()))).network


def psi_of(network):
    script = Script(1000)
    script.features(write_network(script, network, network.samples))
    return "\n".join(script.lines)


def test_features_of_random_graphs(tmp_path):
    compared = 0
    for seed in range(40):
        try:
            network = random_network(Random(seed), tmp_path)
            with precision(BITS):
                Features(network).rows(list(range(network.samples)))
            text = psi_of(network)
        except (Rejection, NotShown, TooLarge, terms.Unknown):
            continue
        assert same(text, network), seed
        compared += 1
    assert compared > 10


def tanh_units():
    """A layer of three units with biases on two samples; sigma(t) = tanh t + t / (1 + e^-t)."""
    graph = Graph([2], [[1, 2], [3, -1]])
    weight = graph.parameter([[Fraction(1, 2), 1], [-1, Fraction(3, 4)], [2, 1]])
    bias = graph.parameter([Fraction(1, 8), -1, Fraction(5, 2)])
    layer = graph.add("affine", 0, weight, bias, over="all", bias=True)
    return graph.read(graph.add("map", layer, activation="tanh(t) + t/(exp(-t) + 1)"))


def without_bias(ops, node, sources, weight, bias):
    return AFFINE(ops, node, sources, weight, None)


WRONG = {
    "without biases": (terms.Terms, "affine", without_bias),
    "sums for products": (Term, "__mul__", Term.__add__),
    "no parentheses": (Term, "within", lambda term, level: term.text),
    "another function": (terms.DOMAIN, "tanh", terms.DOMAIN["atan"]),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_rule_is_seen(wrong, monkeypatch):
    network = tanh_units()
    assert same(psi_of(network), network)
    place, name, rule = WRONG[wrong]
    if isinstance(place, dict):
        monkeypatch.setitem(place, name, rule)
    else:
        monkeypatch.setattr(place, name, rule)
    assert not same(psi_of(network), network)


def test_a_bound_that_misses_is_seen(monkeypatch):
    network = tanh_units()
    text = psi_of(network)
    with precision(BITS):
        name = next(name for name, (low, high) in bounds_of(text).items() if low < high)
    line = re.search(rf"Lemma {name}_in : (.*?) <=", text)[1]
    assert same(text, network)
    assert not same(text.replace(f"Lemma {name}_in : {line}", f"Lemma {name}_in : 99"), network)
