"""The predicted cost of a check: its counts are what the checker does, and it decides what a certificate holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verifier as vf
import verifier.checker.certificate as checking
import verifier.checker.features as evaluating
from verifier.certificate.check_process import planned
from verifier.certificate.cost import GIB, expected, predict
from verifier.certificate.limits import LeftOut, Limits, judge, sentence
from verifier.certificate.size import Size
from verifier.certificate.work import CHECKER, Work
from verifier.certificate.writer import CertificateBuilder
from verifier.verdict import Verdict


def problem(samples: int = 40, units: int = 50, layers: int = 1) -> tuple[Any, Any, list[vf.Layer]]:
    """Random samples of three classes, and a network of wide tanh layers."""
    rng = np.random.default_rng(0)
    x, y = np.round(rng.uniform(-2, 2, (samples, 4)), 3), rng.integers(0, 3, samples)
    return x, y, [*[vf.Dense(6, "tanh") for _ in range(layers - 1)], vf.Dense(units, "tanh", skip=True)]


def size_of(samples: int, dimension: int, units: int, classes: int = 3) -> Size:
    """The shapes of one wide tanh layer, of which nothing is made but the description."""
    return Size.of(vf.Network(dimension, [vf.Dense(units, "tanh", skip=True)]), samples, classes)


def test_products_of_large_matrices_are_cheaper() -> None:
    wide, narrow = size_of(1_000, 200, 1_000), size_of(1_000, 100, 2_000)
    assert wide.arcs == narrow.arcs == wide.quick
    assert narrow.quick == 0
    claims = [predict(expected(size, ["Z1"]), size).work for size in (wide, narrow)]
    assert CHECKER.seconds(Work(quick=claims[0].quick)) < CHECKER.seconds(Work(products=claims[1].products)) / 2


@pytest.mark.parametrize("layers", [1, 3])
def test_the_counts_are_what_the_checker_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layers: int) -> None:
    x, y, network = problem(layers=layers)
    found = vf.verify(x, y, network)
    file = found.write(tmp_path / "c.json")
    claims = json.loads(file.read_text())["claims"]
    size = Size.of(found.network, len(x), 3)
    swept = [claim for claim in claims if claim["label"] in ("R1", "Z1", "P1", "C1", "C3")]
    assert len(swept) == 5
    counted = Work()
    exact = evaluating.multiply

    def multiply(left: Any, right: Any) -> Any:
        nonlocal counted
        units = left.nrows() * right.matrix.ncols()
        counted += Work(products=units * left.ncols(), units=units)
        return exact(left, right)

    monkeypatch.setattr(evaluating, "multiply", multiply)
    monkeypatch.setitem(checking.ALONE, "E4", lambda *_: {})  # one pass more, over the layers below
    assert checking.check_file(str(file), 1).verdict == "ACCEPTED"
    pass_only = predict([claim for claim in swept if claim["label"] == "R1"], size).work
    assert counted.units == pass_only.units == size.units * len(x)
    assert counted.products == pass_only.products == size.arcs * len(x)
    # Z1, P1, C1 and C3 share two matrices of output weights
    margins = predict(swept, size).work.products - pass_only.products
    assert margins == 2 * len(x) * size.columns * 2


def test_one_pass_is_shared_and_another_precision_needs_its_own() -> None:
    size = size_of(500, 10, 600)
    once = predict(expected(size, ["Z1"]), size).work
    assert predict(expected(size, ["Z1", "C3"]), size).work.units == once.units
    other = [claim | {"precision": 128} for claim in expected(size, ["C3"])]
    assert predict([*expected(size, ["Z1"]), *other], size).work.units == 2 * once.units


@pytest.mark.parametrize(
    ("samples", "units", "inverse"),
    [(2_000, 2_200, True), (5_000, 5_200, False), (5_000, 8_000, False), (10_000, 10_200, False)],
)
def test_what_a_certificate_is_planned_to_hold(samples: int, units: int, inverse: bool) -> None:
    size = size_of(samples, 30, units)
    rest = expected(size, ["Z1", "P1", "Z2"])
    for label in ("W1", "Z1", "P1", "Z2", "C3", "E4"):
        assert judge(expected(size, [label])[0], rest, size, Limits()) is None
    left = judge(expected(size, ["R1"])[0], rest, size, Limits())
    assert (left is None) is inverse
    assert predict(rest, size).memory < 3 * GIB


def test_what_no_checker_can_pass_over_leaves_the_witness() -> None:
    size = size_of(60_000, 784, 70_000)
    assert judge(expected(size, ["P1"])[0], (), size, Limits()) is not None
    assert judge(expected(size, ["W1"])[0], (), size, Limits()) is None
    assert judge(expected(size, ["W0"])[0], expected(size, ["W1"]), size, Limits()) is None


def test_limits_that_are_named_put_the_claim_in() -> None:
    size = size_of(5_000, 30, 5_200)
    (claim,), rest = expected(size, ["R1"]), expected(size, ["Z1", "P1"])
    left = judge(claim, rest, size, Limits())
    assert left is not None
    raised = Limits(left.max_check_seconds, left.max_check_gib)
    assert judge(claim, rest, size, raised) is None
    assert f"max_check_seconds = {left.max_check_seconds:g}" in sentence([left])
    assert raised.checker[0] >= 2 * predict([claim, *rest], size).seconds


def test_the_price_grows_with_bits_and_every_kind_of_work() -> None:
    for kind in ("units", "steps", "products", "quick", "entries", "differences", "words"):
        assert CHECKER.seconds(Work(**{kind: 10**6})) > 0
    assert CHECKER.seconds(Work(steps=10**6), 1024) > 2 * CHECKER.seconds(Work(steps=10**6), 64)


def test_sentence_names_what_depends_on_what_was_left_out() -> None:
    own = LeftOut("R1", "", 1500.0, 9.3, 2000.0, 10.0)
    text = sentence([own, LeftOut("C1", "R1", 1500.0, 9.3, 2000.0, 10.0)])
    assert "R1 (full row rank at this U" in text
    assert "about 25 min and 9.3 GiB" in text
    assert "C1 (beside R1 only)" in text
    assert "--cpu-seconds 4000 --memory 20" in text
    assert sentence([]) == ""


def without_the_inverse(samples: int, units: int) -> float:
    """A limit of seconds that lets everything but R1 in: a quarter of it is less than R1 takes."""
    size = size_of(samples, 4, units)
    rest = predict(expected(size, ["Z1", "P1", "Z2", "C3", "W1", "W0", "E4"]), size)
    return 1.2 * rest.seconds


def test_a_claim_that_is_left_out_is_named_and_the_rest_is_accepted(tmp_path: Path) -> None:
    x, y, network = problem(600, 660)
    limit = without_the_inverse(600, 660)
    found = vf.verify(x, y, network, max_check_seconds=limit)
    assert found.rank.verdict is Verdict.PROVED
    assert found.rank.label == "R2"  # in the way that needs no right inverse
    assert [left.label for left in found.left_out] == ["R1", "B1", "C1", "GDV"]
    file = found.write(tmp_path / "c.json")
    document = json.loads(file.read_text())
    labels = {claim["label"] for claim in document["claims"]}
    assert {"Z1", "P1", "W1", "W0", "Z2", "C3", "E4"} <= labels
    assert not labels & {"R1", "R3", "B1", "C1"}
    assert not any(name.startswith("rank.") for name in found.builder._arrays._tensors)
    assert vf.check(file).accepted
    assert document["left_out"][0].startswith("R1, full row rank at this U: checking it would take about")
    assert "R1, full row rank at this U" in str(vf.show(file))
    assert "not in the certificate: R1" in str(found)


def test_everything_is_in_the_certificate_of_a_small_problem(tmp_path: Path) -> None:
    x, y, network = problem()
    found = vf.verify(x, y, network)
    assert found.left_out == ()
    document = json.loads(found.write(tmp_path / "c.json").read_text())
    assert "left_out" not in document
    assert {"R1", "B1", "C1"} <= {claim["label"] for claim in document["claims"]}


def test_nothing_checkable_is_no_certificate_and_says_why(tmp_path: Path) -> None:
    x, y, network = problem()
    found = vf.verify(x, y, network, max_check_seconds=0.01)
    assert found.builder.empty
    with pytest.raises(vf.VerifierError, match=r"not in the certificate: .*P1 .*max_check_seconds"):
        found.write(tmp_path / "c.json")


def test_generic_rank_is_not_claimed_without_the_rank_that_it_stands_on() -> None:
    x, y, network = problem()
    data = vf.Dataset.of(x, y) if hasattr(vf.Dataset, "of") else vf.verify(x, y, network).data
    net = vf.Network(4, network)
    builder = CertificateBuilder(data, net, np.zeros(net.parameter_count), limits=Limits(0.01))
    builder.add_rank(vf.verify(x, y, network).rank)
    builder.add_generic()
    assert builder.empty
    assert [left.label for left in builder.left_out] == ["R1", "W0"]


def test_a_certificate_about_almost_every_u_needs_no_weights(tmp_path: Path) -> None:
    x, y, network = problem()
    found = vf.verify(x, y, network)
    builder = CertificateBuilder(found.data, found.network, found.u, with_labels=True)
    assert found.theorem.witness is not None
    builder.add_witness(found.theorem.witness)
    builder.add_generic()
    file = builder.write(tmp_path / "c.json")
    assert json.loads(file.read_text())["network"]["nodes"][1]["values"] is None
    assert vf.check(file).accepted


def test_the_checker_is_allowed_what_was_planned() -> None:
    assert planned([Limits(), Limits(10.0, 1.0)]) == (None, None)
    assert planned([Limits(), Limits(900.0, 5.0)]) == (10.0, 1800.0)


@pytest.mark.parametrize("value", [0, -1, float("nan"), "300", True])
def test_a_limit_that_is_none_is_refused(value: Any) -> None:
    x, y, network = problem(6, 8)
    with pytest.raises(vf.InputError, match="max_check_seconds"):
        vf.verify(x, y, network, max_check_seconds=value)


@pytest.mark.parametrize(
    ("activation", "init"),
    [("tanh", "gaussian"), pytest.param("tanh", "zeros", marks=pytest.mark.thorough), ("relu", "gaussian")],
)
def test_at_every_limit_what_is_written_is_accepted(tmp_path: Path, activation: str, init: Any) -> None:
    x, y, _ = problem(12)
    network = [vf.Dense(30, activation, skip=True)]
    kwargs: dict[str, Any] = {"losses": ["squared"], "init": init, "targets": ["1e-6"]}
    everything = vf.verify(x, y, network, **kwargs).builder._priced
    size = size_of(12, 4, 30)
    least, most = (predict(claims, size).seconds for claims in ([], everything))
    seen = set()
    for share in (0.02, 0.3, 0.9, 5.0):
        found = vf.verify(x, y, network, **kwargs, max_check_seconds=least + share * (most - least))
        labels = [claim["label"] for claim in found.builder._claims]
        seen.add(tuple(labels))
        assert len(labels) + len(found.left_out) == len(everything)
        if not found.builder.empty:
            answer = checking.check_file(str(found.write(tmp_path / "c.json")), 1)
            assert answer.verdict == "ACCEPTED", answer.rejection
    assert len(seen) > 1


def test_a_path_between_networks_costs_as_many_passes_as_it_has_pieces() -> None:
    size = size_of(1_000, 784, 200)
    claim = {"label": "MC", "precision": 64, "corners": [[]], "weights": [], "pieces": [{}] * 10}
    claim |= {"start_weights": 0, "end_weights": 1}
    longer = predict([claim | {"pieces": [{}] * 20}], size)
    cost = predict([claim], size)
    assert 8 < cost.seconds < 40 and 1.6 < longer.seconds / cost.seconds < 2  # measured: 15 s, and 4 s of it the inputs
