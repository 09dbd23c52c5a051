"""What is proved at given weights, beside the truth in many digits and planted in small networks."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb
from planted import ORACLE, forward

from verifier.balls.binary64.canary import canary
from verifier.balls.binary64.float_enclosure import FloatEnclosure
from verifier.balls.exact import ExactArray
from verifier.balls.margins import Margins
from verifier.data.dataset import Dataset
from verifier.errors import DataError, PrecisionError
from verifier.experiments import certify as room
from verifier.experiments import enclosing
from verifier.experiments.architectures import build, connected
from verifier.experiments.certify import Point, certify
from verifier.experiments.config import CertifySection
from verifier.experiments.features import feature_blocks
from verifier.experiments.record import Certified
from verifier.network.forward import approx_features
from verifier.network.layers import Dense
from verifier.network.network import Network

N, D, CLASSES = 12, 5, 3


def samples(n: int = N, seed: int = 0, **change: Any) -> Dataset:
    random = np.random.default_rng(seed)
    inputs = random.integers(-32, 33, (n, D)) / 16.0
    return Dataset("planted", change.pop("inputs", inputs), change.pop("labels", np.arange(n) % CLASSES), CLASSES)


def network(last: int = 6) -> Network:
    return Network(D, [Dense(8, "sigmoid", True), Dense(last, "tanh", True)])


def weights(net: Network, seed: int = 0) -> Any:
    return np.random.default_rng([seed, 1]).standard_normal(net.parameter_count).astype(np.float32).astype(np.float64)


def output(net: Network, seed: int = 0, scale: float = 1.0) -> Any:
    return scale * np.random.default_rng([seed, 2]).standard_normal((net.skip_count, CLASSES))


def separating(net: Network, u: Any, data: Dataset, scale: float = 1.0) -> Any:
    """V with the logits ``scale * onehot``, up to rounding."""
    psi = approx_features(net, u, data.inputs)
    return scale * np.linalg.lstsq(psi, np.eye(CLASSES)[data.labels], rcond=None)[0]


def prove(net: Network, u: Any, v: Any, data: Dataset, **change: Any) -> tuple[Certified, Any]:
    certificate = change.pop("certificate", None)
    section = CertifySection(**change)
    return certify(Point(net, u, v, "planted V"), data, section, certificate=certificate, picture=True)


def truth(net: Network, u: Any, v: Any, data: Dataset) -> tuple[int, Any]:
    """Misclassified samples, ties among them, and the loss, with 100 digits."""
    with mpmath.workdps(100):
        wrong, loss = 0, mpmath.mpf(0)
        weight = [[mpmath.mpf(float(x)) for x in row] for row in v]
        psi = forward(net, u, data.inputs, mpmath.mpf, ORACLE)
        for features, label in zip(psi, data.labels.tolist(), strict=True):
            logits = [mpmath.fsum(f * row[k] for f, row in zip(features, weight, strict=True)) for k in range(CLASSES)]
            rest = [g - logits[label] for k, g in enumerate(logits) if k != label]
            wrong += any(g >= 0 for g in rest)
            loss += mpmath.log1p(mpmath.fsum(mpmath.exp(g) for g in rest))
        return wrong, loss / data.samples


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [0.01, 3.0])
def test_errors_and_loss_are_those_of_the_exact_network(seed: int, scale: float) -> None:
    net, data = network(), samples(seed=seed)
    u, v = weights(net, seed), output(net, seed, scale)
    found, _ = prove(net, u, v, data)
    wrong, loss = truth(net, u, v, data)
    assert found.errors_low == wrong == found.errors_high
    assert found.loss_low is not None and found.loss_high is not None
    assert mpmath.mpf(found.loss_low) <= loss <= mpmath.mpf(found.loss_high)
    assert found.loss_high - found.loss_low < 1e-9 * scale
    assert found.engine == "binary64"


def test_everything_is_proved_and_checked(tmp_path: Path) -> None:
    net, data = network(), samples()
    u = weights(net)
    v, file = separating(net, u, data, 20.0), tmp_path / "certificates" / "c.json"
    found, path = prove(net, u, v, data, certificate=file)
    assert {key: finding.verdict for key, finding in found.findings.items()} == dict.fromkeys(
        ("rank", "generic", "threshold", "zero_loss", "path"), "PROVED"
    )
    assert [found.findings[key].label for key in ("rank", "threshold", "zero_loss", "path")] == [
        "R1", "L2.1", "Z1", "P1",
    ]  # fmt: skip
    assert (found.certificate, found.check) == ("c.json", "ACCEPTED") and file.is_file()
    assert {claim["label"] for claim in json.loads(file.read_text())["claims"]} >= {"R1", "Z1", "P1", "W0"}
    psi = approx_features(net, u, data.inputs)
    assert 0 < found.sigma_lower <= np.linalg.svd(psi, compute_uv=False)[-1] * (1 + 1e-9)
    assert "planted V" in found.findings["zero_loss"].reason and 19 < found.gamma_lower <= 20 + 1e-6
    assert (found.errors_low, found.errors_high) == (0, 0) and path


def nearly_equal(net: Network, apart: float) -> Any:
    """Weights with which the first four units differ by so little: M - N + 2 of them make sigma_N as small."""
    u = weights(net)
    matrix = net.parameters[0].of(u).reshape(8, D)
    matrix[1:4] = matrix[0] * (1.0 + apart * np.array([[1.0], [2.0], [4.0]]) * np.arange(1, D + 1))
    net.parameters[1].of(u)[:4] = 0.0
    return u


def test_a_rank_that_binary64_does_not_see(tmp_path: Path) -> None:
    net, data = network(), samples()
    u, v = nearly_equal(net, 2.0**-50), output(net)
    blind, _ = prove(net, u, v, data, max_bits=53)
    assert blind.verdict("rank") == "UNDECIDED"
    found, _ = prove(net, u, v, data, certificate=tmp_path / "c.json")
    assert found.verdict("rank") == "PROVED" and "double-double" in found.findings["rank"].reason
    assert 0 < found.sigma_lower < 1e-10 and found.check == "ACCEPTED"
    assert found.verdict("zero_loss") == found.verdict("path") == "PROVED"


def test_equal_units_of_a_psi_that_is_too_large_are_found() -> None:
    net, data = network(), samples()
    u = nearly_equal(net, 0.0)
    for entries in (1, 10**6):
        found, _ = prove(net, u, output(net), data, entries=entries)
        assert found.verdict("rank") == "REFUTED" and found.findings["rank"].label == "R5"
        assert "different non-constant functions" in found.findings["rank"].reason


def test_the_threshold_is_proved_and_refuted() -> None:
    net, data = network(), samples()
    u = weights(net)
    above, _ = prove(net, u, output(net, scale=0.01), data)
    assert above.verdict("threshold") == "REFUTED" and above.loss_low > math.log(2) / N
    assert above.verdict("zero_loss") == "PROVED"  # some other V
    below, _ = prove(net, u, separating(net, u, data, 9.0), data)
    assert below.verdict("threshold") == "PROVED" and below.loss_high < math.log(2) / N
    for found in (above, below):
        low, high = (float(x) for x in found.findings["threshold"].reason.split("[")[1].split("]")[0].split(", "))
        assert low <= found.loss_low and found.loss_high <= high


def test_an_undecided_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    def wide(rows: Any, counts: Any) -> arb:
        return arb(math.log(2) / N, 0.01)

    monkeypatch.setattr(room, "cross_entropy", wide)
    net, data = network(), samples()
    found, _ = prove(net, weights(net), output(net), data)
    assert found.verdict("threshold") == "UNDECIDED"
    monkeypatch.setattr(room, "cross_entropy", lambda rows, counts: arb("nan"))
    found, _ = prove(net, weights(net), output(net), data)
    assert (found.verdict("threshold"), found.loss_low, found.loss_high) == ("UNDECIDED", None, None)


def test_the_path_of_the_proof() -> None:
    net, data = network(), samples()
    u, v = weights(net), output(net, scale=2.0)
    found, path = prove(net, u, v, data, target="1e-6")
    assert path[0].time == 0.0 and path[0].distance == 0.0
    assert path[0].low <= float(truth(net, u, v, data)[1]) <= path[0].high
    assert found.ray_from == path[-1].time and path[-1].high <= 1e-6
    assert all(point.low <= point.high for point in path)
    assert all(after.low <= before.high for before, after in itertools.pairwise(path))
    assert all(after.high <= before.high + 1e-12 for before, after in itertools.pairwise(path))
    assert [point.time for point in path] == sorted({point.time for point in path})
    assert len(path) >= 1 + enclosing.SEGMENT_POINTS


def test_fewer_units_than_samples() -> None:
    net, data = Network(D, [Dense(4, "sigmoid", True)]), samples()
    found, path = prove(net, weights(net), output(net), data)
    rank, generic = found.findings["rank"], found.findings["generic"]
    assert (rank.label, rank.verdict) == ("R5", "REFUTED")
    assert (generic.label, generic.verdict) == ("L3.2 genericity", "REFUTED") and "M < N" in generic.reason
    assert found.sigma_lower == 0.0
    assert found.verdict("zero_loss") == "UNDECIDED" and found.verdict("path") == "UNDECIDED"
    assert path == () and found.ray_from is None and found.gamma_lower == 0.0
    assert "no candidate" in found.findings["zero_loss"].reason


def test_few_units_may_separate_all_the_same() -> None:
    net, data = Network(D, [Dense(2, "sigmoid", True)]), samples(6)
    u = weights(net)
    net.view(u, "layer0.weight")[1] = 0.0  # a unit that is constant: a threshold
    psi = approx_features(net, u, data.inputs)
    labels = (psi[:, 0] > np.median(psi[:, 0])).astype(np.int64)
    data = Dataset("planted", data.inputs, labels, 2)
    found, path = certify(Point(net, u, np.zeros((2, 2)), "zero"), data, CertifySection(), picture=True)
    assert (found.verdict("rank"), found.verdict("generic")) == ("REFUTED", "REFUTED")
    assert (found.verdict("zero_loss"), found.verdict("path")) == ("PROVED", "PROVED") and path


def test_a_deficient_u_does_not_refute_almost_every_u() -> None:
    net, data = Network(D, [Dense(16, "sigmoid", True)]), samples()
    u = np.zeros(net.parameter_count)
    found, _ = prove(net, u, output(net), data)
    assert found.verdict("rank") == "REFUTED" and found.findings["rank"].label == "R5"
    assert found.verdict("generic") == "PROVED" and "explicit U" in found.findings["generic"].reason
    assert found.verdict("zero_loss") == "UNDECIDED"


@pytest.mark.parametrize("v", ["zero", "equal columns", "one tie"])
def test_ties_are_errors(v: str) -> None:
    net, data = network(), samples(labels=np.arange(N) % 2)
    u = weights(net)
    given = np.zeros((net.skip_count, CLASSES))
    if v == "equal columns":
        given = np.repeat(output(net)[:, :1], CLASSES, axis=1)
    if v == "one tie":  # classes 0 and 1 are equal, and above class 2
        given[:8, :2] = 1.0
    found, _ = prove(net, u, given, data)
    assert (found.errors_low, found.errors_high) == (N, N)


def test_equal_samples_count_as_often_as_they_occur() -> None:
    base = samples(6)
    twice = Dataset("twice", np.concatenate([base.inputs, base.inputs[:3]]), [*base.labels, *base.labels[:3]], CLASSES)
    net = network()
    u, v = weights(net), output(net)
    found, _ = prove(net, u, v, twice)
    wrong, loss = truth(net, u, v, twice)
    assert found.errors_low == wrong == found.errors_high
    assert mpmath.mpf(found.loss_low) <= loss <= mpmath.mpf(found.loss_high)


def test_labels_that_contradict_each_other() -> None:
    inputs = samples(4).inputs.copy()
    inputs[3] = inputs[0]
    net = network()
    with pytest.raises(DataError, match=r"equal samples have different labels.*X1"):
        prove(net, weights(net), output(net), samples(4, inputs=inputs, labels=[0, 1, 2, 1]))
    with pytest.raises(DataError, match="has no labels"):
        prove(net, weights(net), output(net), samples(4, labels=None))


def test_what_is_too_large_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "solve", None)  # Psi is not held, so nothing is solved for
    monkeypatch.setattr("verifier.balls.feature_enclosure.FeatureEnclosure.blocks", None)  # nor enclosed by Arb
    net, data = network(), samples()
    u = weights(net)
    few = {"entries": N * net.skip_count - 1, "max_bits": 4096}
    found, path = prove(net, u, separating(net, u, data, 9.0), data, **few)
    assert found.verdict("rank") == "UNDECIDED" and "certify.entries" in found.findings["rank"].reason
    assert found.verdict("generic") == "UNDECIDED" or "explicit U" in found.findings["generic"].reason
    assert "planted V" in found.findings["zero_loss"].reason
    assert [found.verdict(key) for key in ("threshold", "zero_loss", "path")] == ["PROVED"] * 3 and path
    wrong, _ = prove(net, u, output(net), data, **few)
    assert wrong.errors_low == truth(net, u, output(net), data)[0] > 0
    assert [wrong.verdict(key) for key in ("threshold", "zero_loss", "path")] == ["REFUTED", "UNDECIDED", "UNDECIDED"]
    assert "no candidate" in wrong.findings["zero_loss"].reason


def test_what_binary64_cannot_enclose_within_the_budget_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "widest_radius", lambda features, large: float("inf"))
    net, data = network(), samples()
    for budget in ({"entries": 1}, {"evaluations": 0}):
        with pytest.raises(PrecisionError, match=f"Arb would exceed certify.{next(iter(budget))}"):
            prove(net, weights(net), output(net), data, **budget)


def test_binary64_that_does_not_decide_margins_is_followed_by_arb(monkeypatch: pytest.MonkeyPatch) -> None:
    net, data = network(), samples()
    u, v = weights(net), output(net)
    exact, _ = prove(net, u, v, data)
    calls = []
    original = room.enclose_margins

    def wide(features: Any, *rest: Any) -> Any:  # as if binary64's radii were too wide to decide anything
        found = original(features, *rest)
        if isinstance(features, FloatEnclosure):
            calls.append(features)
            return [Margins(tuple(tuple(m + arb(0, 1e6) for m in row) for row in margins.rows)) for margins in found]
        return found

    monkeypatch.setattr(room, "enclose_margins", wide)
    found, _ = prove(net, u, v, data)
    assert calls and found.engine.endswith("bits")
    assert (found.errors_low, found.errors_high) == (exact.errors_low, exact.errors_high)
    found, _ = prove(net, u, v, data, evaluations=0)
    assert (found.errors_low, found.errors_high, found.engine) == (0, N, "binary64")


@pytest.mark.thorough
def test_deep_networks_get_the_bits_that_they_need() -> None:
    n, shape = 8, (1, 8, 8)
    random = np.random.default_rng(6)
    data = Dataset("deep", random.integers(0, 17, (n, 64)) / 16.0, np.arange(n) % CLASSES, CLASSES, shape=shape)
    net = connected(build("fc150", shape, n, "sigmoid"), shape, 40, 0)
    u = (8 * random.standard_normal(net.parameter_count)).astype(np.float32).astype(np.float64)
    v = output(net)
    found, _ = prove(net, u, v, data)
    assert found.engine.endswith("bits") and int(found.engine.split()[0]) > 64
    wrong, loss = truth(net, u, v, data)
    assert found.errors_low == wrong == found.errors_high
    for thorough in (True, False):  # beyond the budget it is decided for the first seeds alone
        section = CertifySection(evaluations=0)
        said, _ = certify(Point(net, u, v, "planted V"), data, section, thorough=thorough)
        assert (said.errors_low, said.errors_high) == ((wrong, wrong) if thorough else (0, n))
        assert thorough or "certify.evaluations" in said.findings["zero_loss"].reason
    assert mpmath.mpf(found.loss_low) <= loss <= mpmath.mpf(found.loss_high)


def test_a_machine_that_fails_the_canary_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net, data = network(), samples()
    u = weights(net)
    v, file = separating(net, u, data, 9.0), tmp_path / "c.json"
    for failing in (1, 2):
        calls = 0

        def faulty(backend: Any, shapes: Any, failing: int = failing) -> Any:
            nonlocal calls
            calls += 1
            report = canary(backend, shapes)
            return report if calls < failing else type(report)(False, report.checks, "planted fault", report.library)

        monkeypatch.setattr("verifier.balls.binary64.canary.canary", faulty)
        with pytest.raises(PrecisionError, match="refused on this machine: planted fault"):
            prove(net, u, v, data, certificate=file)
        assert calls == failing and not file.exists()


def test_a_v_that_separates_is_not_replaced() -> None:
    net, data = network(), samples()
    u = weights(net)
    v = separating(net, u, data, 1e-3)
    found, path = prove(net, u, v, data)
    assert "planted V" in found.findings["zero_loss"].reason and found.gamma_lower <= 1.001e-3
    assert found.verdict("threshold") == "REFUTED" and found.errors_high == 0
    last = path[-1]
    assert last.high <= 1e-6 and last.distance == pytest.approx(np.linalg.norm(v) * (last.distance / np.linalg.norm(v)))


def test_certificates_need_a_claim(tmp_path: Path) -> None:
    net, data = network(), samples()
    file = tmp_path / "c.json"
    found, _ = prove(net, weights(net), output(net), data, entries=1, certificate=file)
    assert (found.certificate, found.check) in {("", ""), ("c.json", "ACCEPTED")}
    assert file.exists() is bool(found.certificate)


def test_weights_are_exact() -> None:
    """An exact V of float64 numbers: the smallest change of a tie is seen."""
    net, data = Network(D, [Dense(8, "sigmoid", True)]), samples(4, labels=[0] * 4)
    u = weights(net)
    v = np.ones((8, CLASSES))
    v[:, 0] = np.nextafter(1.0, 2.0)
    found, _ = prove(net, u, v, data)
    assert (found.errors_low, found.errors_high) == (0, 0)
    assert ExactArray.of_floats(v).approx()[0, 0] > 1.0
    assert len(list(feature_blocks(net, u, data.inputs)())) == 1
