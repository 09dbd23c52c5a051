"""The strategies: each kind occurs and is what it says, bounds hold, all shrinks to what one writes by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from everyday import one_in
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from verifier import Network, fuzz
from verifier.fuzz import oracle
from verifier.fuzz.strategies import DATA_KINDS, PARAMETER_KINDS
from verifier.landscape.losses import LOSSES
from verifier.run.case import build_layers

QUICK = settings(max_examples=60, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def drawn(strategy: st.SearchStrategy[Any], count: int = 30) -> list[Any]:
    """Some examples, the same ones every time."""
    found: list[Any] = []

    @settings(QUICK, max_examples=count)
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def smallest(predicate: Callable[[Any], bool], strategy: st.SearchStrategy[Any]) -> Any:
    phases = (Phase.generate, Phase.shrink)  # nobody reads an explanation
    return find(strategy, predicate, settings=settings(QUICK, max_examples=100, phases=phases))


def _distinct(inputs: np.ndarray) -> bool:
    return len(np.unique(inputs, axis=0)) == len(inputs)


def _one_ulp_apart(a: np.ndarray, b: np.ndarray) -> bool:
    differing = np.flatnonzero(a != b)
    return len(differing) == 1 and abs(np.spacing(a[differing[0]])) >= abs(a - b)[differing[0]] / 2


KIND = {
    "integers": lambda x: np.array_equal(x, np.round(x)) and np.abs(x).max() <= 4,
    "dyadic": lambda x: np.array_equal(8 * x, np.round(8 * x)) and np.abs(x).max() <= 4,
    "floats": lambda x: np.abs(x).max() <= 8,
    "duplicates": lambda x: not _distinct(x),
    "nearly-equal": lambda x: any(_one_ulp_apart(a, b) for i, a in enumerate(x) for b in x[:i]),
    "huge": lambda x: not np.abs(x).max() > 2.0**902 and (np.abs(x[x != 0]) >= 2.0**97).all(),
    "tiny": lambda x: (np.abs(x) <= 2.0**-98).all(),
    "subnormal": lambda x: (np.abs(x) <= 2.0**-1054).all(),
}


@pytest.mark.parametrize("kind", DATA_KINDS)
def test_data_of_a_kind(kind: str) -> None:
    found = drawn(fuzz.datasets(kinds=(kind,), max_samples=5, max_dimension=2))  # type: ignore[arg-type]
    for inputs, labels in found:
        assert 2 <= len(inputs) <= 5
        assert inputs.shape[1] in (1, 2)
        assert KIND[kind](inputs), inputs
        assert _distinct(inputs) == (kind != "duplicates")
        assert not np.signbit(inputs[inputs == 0]).any()
        assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
        assert labels.max() in (1, 2)
    assert {len(inputs) for inputs, _ in found} == {2, 3, 4, 5}
    assert {inputs.shape[1] for inputs, _ in found} == {1, 2}
    assert any((inputs != 0).all() for inputs, _ in found)


def test_labels_of_equal_samples_agree_sometimes_and_conflict_sometimes() -> None:
    found = drawn(fuzz.datasets(kinds=("duplicates",)))
    conflicts = {
        len(np.unique(inputs, axis=0)) < len(np.unique(np.c_[inputs, labels], axis=0)) for inputs, labels in found
    }
    assert conflicts == {True, False}


def test_bounds_of_data() -> None:
    for inputs, labels in drawn(fuzz.datasets(min_samples=4, max_samples=4, max_dimension=1, max_classes=2)):
        assert inputs.shape == (4, 1)
        assert labels.max() == 1


def test_numbers_shrink_to_zero() -> None:
    for kind in ("integers", "floats", "huge", "subnormal"):
        assert smallest(lambda x: x < 9, fuzz.numbers(kind)) == 0.0


@pytest.mark.parametrize("kind", ["rational", "analytic", "bounded", "kinked", "any"])
def test_activations_are_what_they_say(kind: Any) -> None:
    names = set(drawn(fuzz.activations(kind), 200))
    networks = {name: Network((1,), build_layers([_dense(name)])) for name in names}
    facts = {name: network.layers[0].activation.facts for name, network in networks.items()}  # type: ignore[union-attr]
    if kind == "rational":
        assert all(map(oracle.is_rational, networks.values()))
        assert {"relu", "cubic", "1/(1 + t**2)"} <= names
    elif kind == "any":
        assert {"relu", "tanh", "t**2 - t", "abs(t)"} <= names
    elif kind == "bounded":
        assert {"tanh", "sin"} <= names
        samples = np.array([[1e6], [-1e6], [3.0]])
        for network in networks.values():
            assert np.abs(fuzz_features(network, samples)).max() <= 2
    else:
        assert {fact.real_analytic.value for fact in facts.values()} == {kind == "analytic"}


def fuzz_features(network: Network, samples: np.ndarray) -> np.ndarray:
    return np.array(oracle.approx_features_to(network, np.array([1.0, 0.0]), samples, 30), dtype=float)


def _dense(name: str) -> dict[str, Any]:
    return {"kind": "dense", "width": 1, "activation": name, "skip": True}


def test_every_shape_of_network_occurs() -> None:
    found = drawn(fuzz.networks(3, max_layers=3), 100)
    layers = [layer for tables in found for layer in tables]
    assert {layer["kind"] for layer in layers} == {"dense", "conv1d", "avgpool"}
    assert {layer.get("bias") for layer in layers if layer["kind"] == "conv1d"} == {"tied", "per-unit"}
    assert {layer.get("padding") for layer in layers if layer["kind"] == "conv1d"} == {None, 1, 2}
    assert {type(layer["skip"]) for layer in layers} == {bool, list}
    assert any(len(layer.get("inputs", ())) >= 2 for layer in layers)
    assert any(tables[-1].get("inputs") == [0] and len(tables) == 3 for tables in found)
    assert {len(tables) for tables in found} >= {1, 2, 3}


@pytest.mark.parametrize(("low", "high"), [(1, None), (4, None), (1, 2), (3, 3)])
def test_bounds_of_skip_units(low: int, high: int | None) -> None:
    counts = set()
    for tables in drawn(fuzz.networks(3, min_skips=low, max_skips=high), 20):
        flat = all(table["kind"] == "dense" for table in tables)
        count = Network((3,) if flat else (1, 3), build_layers(tables)).skip_count
        assert low <= count <= (count if high is None else high)
        counts.add(count)
    assert low in counts
    assert len(counts) > 1 or low == high


def test_without_convolutions_and_with_chosen_activations() -> None:
    for tables in drawn(fuzz.networks(3, convolutions=False, activations=st.just("sin"), max_width=2, max_layers=2)):
        assert {(table["kind"], table["activation"]) for table in tables} == {("dense", "sin")}
        assert all(table["width"] <= 2 for table in tables)
        assert len(tables) <= 3


NETWORK = Network(
    (1, 3),
    build_layers(
        [
            {"kind": "conv1d", "filters": 3, "kernel": 2, "activation": "tanh", "bias": "per-unit", "skip": True},
            {"kind": "dense", "width": 4, "activation": "tanh", "skip": True, "inputs": ["input", 0]},
        ]
    ),
)


def _equal_units(u: np.ndarray) -> int:
    rows = np.hstack([NETWORK.view(u, "layer1.weight"), NETWORK.view(u, "layer1.bias")[:, None]])
    return len(rows) - len(np.unique(np.abs(rows), axis=0))


@pytest.mark.parametrize("kind", PARAMETER_KINDS)
def test_parameters_of_a_kind(kind: Any) -> None:
    found = drawn(fuzz.parameters(NETWORK, kinds=(kind,)), 25)
    assert all(u.shape == (NETWORK.parameter_count,) and np.isfinite(u).all() for u in found)
    sizes = [np.abs(u).max() for u in found]
    if kind in ("integers", "degenerate"):
        assert all(np.array_equal(2 * u, np.round(2 * u)) for u in found)
        assert max(sizes) <= 4
    if kind in ("degenerate", "structured"):
        assert any(_equal_units(u) >= 1 and u.any() for u in found)
    if kind == "structured":
        assert any(not u.any() for u in found)
    if kind == "extreme":
        assert min(sizes) < 2.0**-50
        assert max(sizes) > 2.0**50
    if kind == "gaussian":
        assert all(_equal_units(u) == 0 for u in found)
        assert max(sizes) > 30 * min(sizes)


def test_degenerate_units_are_copies_and_mirror_images() -> None:
    signs = set()
    for u in drawn(fuzz.parameters(NETWORK, kinds=("degenerate",)), 40):
        rows = np.hstack([NETWORK.view(u, "layer1.weight"), NETWORK.view(u, "layer1.bias")[:, None]])
        for i, row in enumerate(rows):
            for other in rows[:i]:
                signs |= {sign for sign in (1, -1) if row.any() and np.array_equal(row, sign * other)}
    assert signs == {1, -1}


def test_starts() -> None:
    found = drawn(fuzz.starts(NETWORK, 3))
    assert all(v.shape == (NETWORK.skip_count, 3) and np.isfinite(v).all() for v in found)
    sizes = [np.abs(v).max() for v in found]
    assert min(sizes) == 0.0
    assert max(sizes) > 2.0**9
    assert any(0 < size <= 4 for size in sizes)


def test_losses_and_weights() -> None:
    assert {name for names in drawn(fuzz.losses()) for name in names} == set(LOSSES)
    weights = drawn(fuzz.class_weights(3))
    assert None in weights
    assert all(w is None or (len(w) == 3 and min(w) > 0) for w in weights)


@pytest.mark.parametrize("wide", one_in(3, [None, True, False]))
def test_wide_and_narrow(wide: bool | None) -> None:
    seen = {s.network.skip_count >= len(s.inputs) for s in drawn(fuzz.specimens(wide=wide), 30)}
    assert seen == ({True, False} if wide is None else {wide})


def test_specimens_with_losses_and_duplicates() -> None:
    found = drawn(fuzz.specimens(with_losses=True), 12)
    assert all(s.losses for s in found)
    assert {s.class_weights is None for s in found} == {True, False}
    assert {s.duplicates for s in found} == {"group", "keep"}
    assert all(not s.losses and s.class_weights is None for s in drawn(fuzz.specimens(), 10))
    assert {s.duplicates for s in drawn(fuzz.specimens(duplicates=("keep",)), 10)} == {"keep"}


def test_specimens_shrink_to_what_one_writes_by_hand() -> None:
    data = fuzz.datasets(kinds=("integers", "duplicates"), max_samples=3)
    strategy = fuzz.specimens(data=data, parameter_kinds=("integers",), max_width=2)
    found = smallest(lambda s: s.data.samples >= 2, strategy)
    assert found.inputs.tolist() == [[0.0], [1.0]] or found.inputs.tolist() == [[1.0], [0.0]]
    assert sorted(found.labels) == [0, 1]
    assert len(found.layers) == 1
    assert (found.layers[0]["kind"], found.layers[0]["width"]) == ("dense", 2)
    assert not found.u.any()
    assert not found.v.any()


@settings(QUICK, max_examples=12)
@given(fuzz.singular_specimens())
def test_singular_specimens_are_singular(specimen: fuzz.Specimen) -> None:
    rows, columns = specimen.data.samples, specimen.network.skip_count
    if columns < rows:
        return
    if oracle.is_rational(specimen.network):
        assert oracle.exact_rank(specimen.network, specimen.u, specimen.data.inputs) < rows
        return
    if len(np.unique(specimen.data.inputs, axis=0)) < rows:
        return
    psi = oracle.approx_features_to(specimen.network, specimen.u, specimen.data.inputs)
    assert oracle.approx_rank_to(psi) < rows


def test_all_ways_of_being_singular_occur() -> None:
    found = drawn(fuzz.singular_specimens(), 50)
    assert any(s.network.skip_count < s.data.samples for s in found)
    assert any(len(np.unique(s.inputs, axis=0)) < len(s.inputs) for s in found)
    assert {"identity", "square"} <= {s.layers[0].get("activation") for s in found}
    wide = [s for s in found if s.network.skip_count >= s.data.samples and len(s.layers) == 1 and _distinct(s.inputs)]
    assert any(not s.network.view(s.u, "layer0.weight").any() for s in wide)
    assert any(s.network.view(s.u, "layer0.weight").any() for s in wide)


def test_more_units_leave_the_rest_alone() -> None:
    specimen = drawn(fuzz.specimens(), 5)[-1]
    more = fuzz.with_more_units(specimen, 3)
    assert more.network.skip_count == specimen.network.skip_count + 3
    before = oracle.approx_features_to(specimen.network, specimen.u, specimen.data.inputs, 30)
    after = oracle.approx_features_to(more.network, more.u, more.data.inputs, 30)
    assert [row[: len(old)] for row, old in zip(after, before, strict=True)] == before
    assert math.prod(more.v.shape) == math.prod(specimen.v.shape) + 3 * specimen.v.shape[1]
