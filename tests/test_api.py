"""The whole thing in one call: the pipeline's verdicts, the certificate, the checker, reprs, mistakes."""

from __future__ import annotations

import ast
import enum
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verifier as vf
from verifier.checker.certificate import check_file
from verifier.run.case import parse_case
from verifier.run.case_problem import run_case
from verifier.statements.theorem import Theorem

LAYERS = [vf.Dense(30, "tanh", skip=True)]
RNG = np.random.default_rng(5)
X = RNG.normal(size=(20, 3))
Y = np.where(X[:, 0] > 0, "right", "left")


@pytest.fixture(scope="module")
def found() -> vf.Report:
    return vf.verify(X, Y, LAYERS, scale=2.0, losses=["squared"], name="points")


@pytest.fixture(scope="module")
def stuck() -> vf.Report:
    return vf.verify(X, Y, LAYERS, init="zeros", v=np.zeros((30, 2)))


def test_the_verdicts_and_the_proofs(found: vf.Report) -> None:
    assert {found.verdict(key) for key in ("rank", "zero_loss", "path", "generic", "squared", "analytic")} == {
        vf.Verdict.PROVED
    }
    assert found.verdict("T3.4(2)") is vf.Verdict.PROVED
    assert found.verdict("X1") is None  # no duplicates
    assert 0 < found.rank.sigma_lower <= np.linalg.svd(psi(found), compute_uv=False)[-1]
    assert found.zero_loss is not None
    assert found.zero_loss.verdict == "PROVED"
    assert found.path.sample([0.0, 1.0, 2.0])[2][2] < 1e-10
    assert found.escape is None
    assert isinstance(found.theorem, Theorem)
    assert [step.key for step in found.steps][-1] == "squared"


def test_the_features_contain_psi(found: vf.Report) -> None:
    enclosed = found.features
    assert (enclosed.samples, enclosed.columns) == (20, 30)
    assert enclosed.approx() == pytest.approx(psi(found), rel=1e-13)
    (_, block), *more = enclosed.blocks()
    assert not more
    expected = psi(found).ravel().tolist()
    assert all(abs(ball - value) < 1e-13 for ball, value in zip(block.entries(), expected, strict=True))


def psi(found: vf.Report) -> np.ndarray:
    views = found.network.views(found.u)
    return np.tanh(X @ views["layer0.weight"].T + views["layer0.bias"])


def test_it_is_the_pipeline_and_nothing_else(tmp_path: Path) -> None:
    """The same numbers by a case file: the same certificate, byte by byte."""
    np.savez(tmp_path / "data.npz", X=X, y=Y)
    text = (
        'data = { path = "data.npz", scale = "none" }\nstart = { seed = 3, scale = 2.0 }\n'
        'network.layers = [{ kind = "dense", width = 30, activation = "tanh", skip = true }]\n'
    )
    case = parse_case(text, folder=tmp_path)
    run_case(case)[1].write(tmp_path / "case.json")
    vf.verify(X, Y, LAYERS, seed=3, scale=2.0, name="data.npz").write(tmp_path / "call.json")
    for ending in (".json", ".safetensors"):
        assert (tmp_path / f"case{ending}").read_bytes().replace(b"case.saf", b"call.saf") == (
            tmp_path / f"call{ending}"
        ).read_bytes()


def test_write_check_show(found: vf.Report, tmp_path: Path) -> None:
    written = found.write(tmp_path / "c.json")
    answer = vf.check(written)
    assert answer.accepted
    assert answer.verdict == "ACCEPTED"
    shown = vf.show(str(written))
    assert [label for label, _ in shown.claims][:3] == ["R1", "Z1", "P1"]
    assert "points, 20 samples x 3, 2 classes" in str(shown)
    assert "rank Psi(U) = 20" in str(shown)
    written.write_text(written.read_text().replace('"rank": 20', '"rank": 21', 1))
    rejected = vf.check(written)
    assert not rejected.accepted
    assert rejected.verdict == "REJECTED"
    assert "rank" in rejected.reason


def test_a_start_that_is_stuck(stuck: vf.Report) -> None:
    assert stuck.verdict("rank") is vf.Verdict.REFUTED
    assert stuck.escape is not None
    assert stuck.escape.escape is not None
    assert np.array_equal(stuck.path.U(0), stuck.u)
    assert np.array_equal(stuck.path.V(0), stuck.v)
    assert len(stuck.path.before) == len(stuck.escape.escape.legs) == 2
    assert stuck.verdict("path") is vf.Verdict.PROVED


def test_names_files_data_sets_and_arb(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", X=X, y=Y)
    for given in (tmp_path / "d.npz", str(tmp_path / "d.npz"), vf.dataset_from_arrays(X, Y)):
        assert vf.verify(given, network=LAYERS).verdict("rank") is vf.Verdict.PROVED
    found = vf.verify(X[:5], Y[:5], LAYERS, engine="arb")
    assert found.engine == "Arb"
    assert found.verdict("rank") is vf.Verdict.PROVED
    iris = vf.verify("iris", network=vf.Dense(20, "tanh", skip=True))
    assert iris.verdict("rank") is vf.Verdict.REFUTED
    assert iris.data.label_names == ("setosa", "versicolor", "virginica")


def test_images_become_convolutions_inputs() -> None:
    images = np.arange(6 * 2 * 3 * 3).reshape(6, 2, 3, 3) % 7
    found = vf.verify(images, [0, 1] * 3, vf.Conv(4, [2, 2], "sigmoid", skip=True))
    assert found.network.input_shape == (2, 3, 3)
    flat = vf.verify(X, Y, vf.Conv(4, (2,), "sigmoid", skip=True))
    assert flat.network.input_shape == (1, 3)


def test_own_weights_flat_and_by_name() -> None:
    network = vf.Network(3, LAYERS)
    u, v = vf.initialise(network, seed=9), vf.output_weights(network, 2, seed=9)
    by_name = {name: array.tolist() for name, array in network.views(u).items()}
    one, two = vf.verify(X, Y, LAYERS, u, v), vf.verify(X, Y, network, by_name, v.tolist())
    assert np.array_equal(one.u, two.u)
    assert one.rank.sigma_lower == two.rank.sigma_lower


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([3, 7, 7, 3], ("3", "7")),
        (np.array([1.0, 2.0, 1.0, 2.0]), ("1", "2")),
        ([True, False, True, False], ("False", "True")),
        (["b", "a", "b", "a"], ("a", "b")),
        ([b"b", b"a", b"b", b"a"], ("b'a'", "b'b'")),
        ([(1, 2), (0, 5), (1, 2), (1, 2)], ("(0, 5)", "(1, 2)")),
        ([Colour.RED, Colour.BLUE, Colour.RED, Colour.RED], ("Colour.RED", "Colour.BLUE")),
        ([1, 1.0, np.int8(2), np.array(2)], ("1", "2")),
        (np.array(["x", 5, "x", 5], dtype=object), ("x", "5")),
        (np.array(["2020-01-01", "2021-01-01"] * 2, dtype="datetime64[D]"), ("2020-01-01", "2021-01-01")),
    ],
)
def test_labels_of_any_kind(labels: Any, names: tuple[str, ...]) -> None:
    data = vf.dataset_from_arrays(X[:4], labels)
    assert data.label_names == names
    assert data.labels is not None
    listed = list(labels)
    for i in range(4):
        for j in range(4):
            assert (data.labels[i] == data.labels[j]) == (listed[i] == listed[j])


def bad(**change: Any) -> str:
    arguments: dict[str, Any] = {"X": X, "y": Y, "network": LAYERS} | change
    with pytest.raises(vf.InputError) as caught:
        vf.verify(**arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


HOLED = X.copy()
HOLED[3, 1] = np.nan


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"X": "irs", "y": None}, "did you mean 'iris'?"),
        ({"X": "iris"}, "leave y out"),
        ({"X": "none.csv", "y": None}, "none.csv"),
        ({"X": X[:, 0]}, "X.reshape(-1, 1)"),
        ({"X": HOLED}, "X: entry (3, 1) is nan"),
        ({"X": [[1, 2], [3]]}, "ragged"),
        ({"X": np.where(X > 9, X, None)}, "X: entry (0, 0) is None, a missing value"),
        ({"X": X.reshape(20, 3, 1, 1, 1)}, "(N, channels, height, width)"),
        ({"y": None}, "y: missing"),
        ({"y": Y[:19]}, "19 labels for the 20 samples"),
        ({"y": np.eye(20)}, "y.argmax(axis=1)"),
        ({"y": Y[:, None]}, "y.ravel()"),
        ({"y": X[:, 0]}, "regression"),
        ({"y": ["a"] * 20}, "at least 2 classes"),
        ({"y": "abab"}, "one text"),
        ({"y": 3}, "no sequence"),
        ({"y": [None, *Y[1:]]}, "missing label"),
        ({"y": [float("nan"), *range(19)]}, "missing label"),
        ({"y": [[1], *range(19)]}, "not hashable"),
        ({"y": LAYERS, "network": None}, "y is a network"),
        ({"network": None}, 'Dense(24, "tanh", skip=True)'),
        ({"network": ["tanh"]}, "layers[0] is 'tanh'"),
        ({"network": [vf.Dense(30, "tanh")]}, "skip = true"),
        ({"network": vf.Network(4, LAYERS)}, "has 4 numbers, a sample of X has 3"),
        ({"u": np.zeros(5)}, "expected (120,)"),
        ({"u": np.full(120, np.inf)}, "u: entry (0,) is inf"),
        ({"u": {"layer0.weigth": np.zeros((30, 3))}}, "did you mean 'layer0.weight'?"),
        ({"u": {"layer0.weight": np.zeros((30, 3))}}, "'layer0.bias' is missing"),
        ({"u": {"layer0.weight": np.zeros((3, 30)), "layer0.bias": np.zeros(30)}}, "its transpose fits"),
        ({"v": np.zeros((2, 30))}, "v.T"),
        ({"v": np.zeros((29, 2))}, "expected (30, 2)"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 1.5}, "seed = 1.5 must be an integer"),
        ({"scale": float("nan")}, "scale = nan"),
        ({"scale": "auto"}, "scale = 'auto'"),
        ({"init": "gauss"}, "did you mean 'gaussian'?"),
        ({"engine": "Arb"}, "did you mean 'arb'?"),
        ({"targets": "1e-6"}, "no sequence"),
        ({"targets": ["-1"]}, "positive decimal"),
        ({"losses": ["sqared"]}, "squared"),
        ({"data_scale": "big"}, "'auto', 'none'"),
        ({"X": vf.dataset_from_arrays(X, Y), "y": None, "data_scale": 3}, "scaled already"),
    ],
)
def test_a_mistake_gets_one_line_with_the_remedy(change: dict[str, Any], says: str) -> None:
    assert says in bad(**change)


def test_mistakes_with_a_report(found: vf.Report, tmp_path: Path) -> None:
    with pytest.raises(vf.InputError, match="did you mean 'rank'"):
        found.verdict("rnak")
    with pytest.raises(vf.InputError, match=r"ends in \.json"):
        found.write(tmp_path / "c.txt")
    with pytest.raises(vf.InputError, match="no such file"):
        vf.check(tmp_path / "none.json")
    with pytest.raises(vf.InputError, match="no certificate file"):
        vf.show(tmp_path / "none.json")
    assert list(tmp_path.iterdir()) == []


def test_no_certificate_where_the_checker_could_not_follow(tmp_path: Path) -> None:
    """Huge weights: there are proofs, but no certificate, and the reason is said."""
    layer = vf.Dense(2, "sigmoid", skip=True)
    found = vf.verify([[0.0], [1.0]], [0, 1], layer, u=[1e66, -1e66, 0.0, 0.0], v=[[0, 0], [0, 0]])
    assert found.verdict("zero_loss") is vf.Verdict.PROVED
    with pytest.raises(vf.VerifierError, match="no certificate can be written: node 4 has arguments"):
        found.write(tmp_path / "never.json")
    assert list(tmp_path.iterdir()) == []


def results(found: vf.Report, stuck: vf.Report, tmp_path: Path) -> list[Any]:
    certificate = found.write(tmp_path / "r.json")
    theorem = found.theorem
    labels, counts = found.data.labels, found.data.multiplicities
    assert found.zero_loss is not None
    assert found.zero_loss.features is not None
    assert labels is not None
    start = vf.ExactArray.of_floats(found.v)
    return [
        found, found.problem, found.rank, found.zero_loss, found.path, theorem, theorem.witness, theorem.ball,
        theorem.gradient, theorem.curvature, theorem.gateway, found.network, found.data, found.builder, found.problem,
        start, found.path.kappa, found.zero_loss.margins, found.zero_loss.features, found.rank.witness,
        stuck, stuck.rank, stuck.escape, stuck.escape.escape, vf.check(certificate), vf.show(certificate),
        vf.prove_path(found.zero_loss, start, labels, counts.tolist()), *LAYERS, vf.activation("tanh"),
        vf.prove_loss_path(found.zero_loss.features, "squared", start, labels, counts.tolist(), found.rank.witness),
        vf.FeatureEnclosure(found.network, found.u, found.data.inputs, 64), vf.group_duplicates(found.data),
        vf.MatrixEnclosure(vf.numpy_backend(), np.eye(3)), vf.full_rank_fraction(found.network, X, range(2)),
        vf.singular_values(vf.FeatureEnclosure(found.network, found.u, found.data.inputs, 64), 5),
    ]  # fmt: skip


def test_every_result_shows_itself(found: vf.Report, stuck: vf.Report, tmp_path: Path) -> None:
    from test_display import read

    cards = 0
    for result in results(found, stuck, tmp_path):
        text = repr(result)
        assert "object at 0x" not in text, type(result)
        assert len(text) < 700, (type(result), text)
        assert len(text.splitlines()) <= 3, text
        if hasattr(result, "_repr_html_"):
            cards += 1
            card = result._repr_html_()
            read(card)
            assert len(card) < 40_000
    assert cards >= 22
    assert str(found).count("PROVED") >= 6


def test_hostile_names_are_escaped_everywhere(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    found = vf.verify(X[:6], [name, "b"] * 3, [vf.Dense(8, "tanh", skip=True)], name=name)
    shown = vf.show(found.write(tmp_path / "c.json"))
    for result in (found, found.data, shown):
        assert "<script" not in result._repr_html_()
        assert "&lt;script" in result._repr_html_()


def test_public_names_are_complete_and_typed() -> None:
    assert dir(vf) == sorted(set(vf.__all__)) == list(vf.__all__)
    stub = ast.parse(Path(vf.__file__).with_suffix(".pyi").read_text())
    typed = {
        alias.name: f"verifier.{node.module or alias.name}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(typed) | {"__version__"} == set(vf.__all__)
    for name, home in typed.items():
        found = import_module(home)
        assert getattr(vf, name) is (found if home == f"verifier.{name}" and name == "plot" else getattr(found, name))
    assert (Path(vf.__file__).parent / "py.typed").is_file()


def test_a_misspelt_name_is_suggested() -> None:
    with pytest.raises(AttributeError, match="did you mean 'verify'"):
        vf.verfy  # noqa: B018


def test_importing_is_light_and_the_function_prove_is_not_hidden_by_its_module() -> None:
    code = (
        "import sys, verifier; dir(verifier);"
        "sys.exit(any(m in sys.modules for m in ('numpy', 'flint', 'sympy', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    code = "import verifier.prove, verifier as vf; from verifier.prove import prove; assert vf.prove is prove"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_start_loss_that_is_hardly_above_0_is_accepted(tmp_path: Path) -> None:
    """Margins of 1e22: the loss e^-1e22 is stated to be in [0, 1e-54186], and its ball reaches below 0."""
    u, v = np.array([1.0, 0.5]), np.array([[-0.3, 1e12]])
    report = vf.verify([[1e10], [1e11]], [1, 1], vf.Dense(1, "leaky_relu", skip=True), u, v, classes=2)
    assert report.verdict("path") is vf.Verdict.PROVED
    assert check_file(str(report.write(tmp_path / "certificate.json")), 1).verdict == "ACCEPTED"


def test_a_column_of_threes_is_no_output_bias_to_the_checker_either(tmp_path: Path) -> None:
    """The prover bounds changes in a ball by boxes there, more sharply than layer by layer."""
    build, rng = vf.Builder((2,)), np.random.default_rng(3)
    build.feature(build.map(build.affine([0], 4, "a"), vf.activation("tanh")))
    build.feature(build.constant([3.0]))
    network = vf.Network.of(build.nodes, build.features)
    x = np.round(rng.standard_normal((3, 2)), 1)
    report = vf.verify(x, [0, 1, 0], network, vf.initialise(network, seed=6), classes=2)
    found = check_file(str(report.write(tmp_path / "certificate.json")), 1)
    assert found.verdict == "ACCEPTED" and {"B1", "Z2"} <= {claim["label"] for claim in found.claims}


def test_features_of_elu_near_0_are_enclosed_sharply(tmp_path: Path) -> None:
    """exp(t) - 1 at t = 1e-20 is 0 +- 1e-19 at 64 bits, where it is computed as it stands."""
    u = 1e-20 * np.array([1.0, 2, -1, 1, 0, 3, 2, -2, 1, 1, -1, 2])
    report = vf.verify([[1.0, 2], [2, 1], [-1, 1]], [0, 1, 0], vf.Dense(4, "elu", skip=True), u, classes=2)
    assert report.verdict("path") is vf.Verdict.PROVED
    assert check_file(str(report.write(tmp_path / "certificate.json")), 1).verdict == "ACCEPTED"
