"""Fuzzing: strategies for whole verification problems, oracles, properties of soundness, and a search that shrinks.

Public names: the strategies `datasets`, `networks`, `activations`, `parameters`, `starts`, `losses`, `class_weights`,
`specimens`, `pairs`, `singular_specimens`, `graphs`, `blocks`, `graph_specimens`; `Specimen`, `Pair`; the oracles of
`verifier.fuzz.oracle`; `PROPERTIES`, `Property`, `Falsified`; `search`, `SearchResult`, `Counterexample`; `falsify`,
`load_conjecture`.
"""

from verifier.fuzz import oracle
from verifier.fuzz.conjecture import falsify, load_conjecture
from verifier.fuzz.graph_strategies import blocks, graph_specimens, graphs
from verifier.fuzz.pair import Pair
from verifier.fuzz.pair_strategies import pairs
from verifier.fuzz.properties import PROPERTIES, Falsified, Property
from verifier.fuzz.properties.rank import singular_specimens, with_more_units
from verifier.fuzz.search import Counterexample, SearchResult, search
from verifier.fuzz.specimen import Specimen
from verifier.fuzz.strategies import (
    activations,
    class_weights,
    datasets,
    losses,
    networks,
    numbers,
    parameters,
    specimens,
    starts,
)

__all__ = [
    "PROPERTIES",
    "Counterexample",
    "Falsified",
    "Pair",
    "Property",
    "SearchResult",
    "Specimen",
    "activations",
    "blocks",
    "class_weights",
    "datasets",
    "falsify",
    "graph_specimens",
    "graphs",
    "load_conjecture",
    "losses",
    "networks",
    "numbers",
    "oracle",
    "pairs",
    "parameters",
    "search",
    "singular_specimens",
    "specimens",
    "starts",
    "with_more_units",
]
